//! `pintle secrets`: verdicts instead of values, for people, for Git's textconv and as its merge driver; and no value in any output.

use std::path::Path;
use std::process::Output;

use base64::Engine as _;

use crate::sops::{Ring, age_key, encrypt, recipient};
use crate::support::{Folder, git, pintle, try_git};

/// Values that must never be seen.
const CANARIES: [&str; 4] = ["canary/Quail+7 é\"x", "canaryOsprey-0123456789", "Canary Wren\tsecond", "4815162342108"];

/// All forms in which a value could slip out.
fn forms(value: &str) -> Vec<String> {
    let bytes = value.as_bytes();
    let mut out = vec![value.to_owned(), value.trim_matches('"').to_owned()];
    // Base64 at each of its three alignments, without the ends that depend on neighbours.
    for skip in 0..3 {
        let text = base64::engine::general_purpose::STANDARD_NO_PAD.encode(&bytes[skip..]);
        out.push(text[..text.len() - 2].to_owned());
        let text = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(&bytes[skip..]);
        out.push(text[..text.len() - 2].to_owned());
    }
    let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
    out.extend([hex.to_uppercase(), hex]);
    let url: String = bytes
        .iter()
        .map(|b| {
            if b.is_ascii_alphanumeric() || b"-_.~".contains(b) {
                char::from(*b).to_string()
            } else {
                format!("%{b:02X}")
            }
        })
        .collect();
    out.push(url);
    let json = serde_json::to_string(value).unwrap();
    out.push(json.trim_matches('"').to_owned());
    out.push(json.trim_matches('"').replace('é', "\\u00e9"));
    out.push(json.trim_matches('"').replace('é', "\\xE9"));
    out.push(value.chars().rev().collect());
    out
}

fn assert_no_canary(what: &str, text: &[u8]) {
    let text = String::from_utf8_lossy(text);
    for canary in CANARIES {
        for form in forms(canary) {
            assert!(!text.contains(&form), "{what} shows a secret as {form:?}:\n{text}");
        }
    }
}

fn config() -> String {
    format!("creation_rules:\n- path_regex: secrets?\\.(yaml|json|env|ini)$\n  age: {}\n", recipient("age-1"))
}

fn ring() -> Ring {
    Ring::of(&[1, 2], false)
}

fn plain(second: &str) -> String {
    let [a, b, c, d] = CANARIES.map(|c| serde_json::to_string(c).unwrap());
    format!("apiVersion: v1\nkind: Secret\ndata:\n  a: {a}\n  b: {second}\n  c: {c}\n  n: {d}\n  list: [{a}, {b}]\n")
}

/// Runs in a folder at trace level; no output may hold a canary.
fn run(dir: &Path, key: Option<usize>, args: &[&str]) -> Output {
    let mut command = pintle();
    command.arg("secrets").args(args).current_dir(dir).env("PINTLE_LOG", "trace").env_remove("PINTLE_LOG_FILE");
    if let Some(n) = key {
        command.env("SOPS_AGE_KEY", age_key(n));
    }
    let out = command.output().unwrap();
    assert_no_canary(&format!("{args:?}"), &[out.stdout.clone(), out.stderr.clone()].concat());
    out
}

fn text(out: &Output) -> String {
    String::from_utf8_lossy(&[out.stdout.clone(), out.stderr.clone()].concat()).into_owned()
}

fn diff(dir: &Path, key: Option<usize>) -> String {
    text(&run(dir, key, &["diff", "old.secret.yaml", "new.secret.yaml"]))
}

fn set(enc: &[u8], place: &str, value: &str) -> Vec<u8> {
    use pintle::sops::{Format, Store, parse_path, parse_value, set};
    let (place, value) = (parse_path(place).unwrap(), parse_value(value).unwrap());
    crate::sops::with_fresh(|f| set(&Store::from(Format::Yaml), enc, &place, value, false, &ring().services(), f))
        .unwrap()
        .unwrap()
}

#[test]
fn a_diff_tells_what_changed_and_shows_nothing() {
    let folder = Folder::new();
    let old = encrypt(&config(), "secret.yaml", plain("\"canaryOsprey-0123456789\"").as_bytes(), &ring());
    folder.write("old.secret.yaml", &old);

    // One value set by a well-behaved tool: precise even without a key.
    let new = set(&old, "[\"data\"][\"b\"]", "\"Canary Wren\\tsecond\"");
    folder.write("new.secret.yaml", &new);
    assert_eq!(
        diff(folder.path(), None).lines().collect::<Vec<_>>(),
        [
            "new.secret.yaml: values changed (no key at hand: ciphertexts compared)",
            "  data.b: encrypted anew, perhaps changed",
        ]
    );
    assert_eq!(diff(folder.path(), Some(1)), "new.secret.yaml: values changed\n  data.b: changed\n");

    // Added, removed, of another type, a new list item.
    let new = set(&set(&new, "[\"data\"][\"n\"]", "5"), "[\"data\"][\"fresh\"]", "\"4815162342108\"");
    let new = set(&new, "[\"data\"][\"list\"][2]", "\"4815162342108\"");
    folder.write("new.secret.yaml", &new);
    let said = diff(folder.path(), None);
    for line in ["data.n: changed, type str -> float", "data.fresh: added", "data.list[2]: added"] {
        assert!(said.contains(line), "{said}");
    }
    assert_eq!(said.lines().count(), 5, "{said}");

    // Everything encrypted anew: without a key perhaps changed, with one only re-encrypted; recipients are news.
    let both = config().replace("age: ", &format!("age: {},", recipient("age-2")));
    let anew = encrypt(&both, "secret.yaml", plain("\"canaryOsprey-0123456789\"").as_bytes(), &ring());
    folder.write("new.secret.yaml", &anew);
    assert!(diff(folder.path(), None).contains("data.a: encrypted anew, perhaps changed"));
    let said = diff(folder.path(), Some(1));
    assert!(said.starts_with("new.secret.yaml: re-encrypted only, no value changed, recipients changed\n"), "{said}");
    assert!(
        said.contains(&format!("+ recipient age {}", recipient("age-2"))) && said.contains("data.a: re-encrypted only"),
        "{said}"
    );

    // A value that became plain, and a MAC that was not made anew.
    let open = String::from_utf8(old.clone()).unwrap();
    let line = open.lines().find(|l| l.trim_start().starts_with("b: ENC")).unwrap();
    folder.write("new.secret.yaml", open.replace(line, "    b: typed by hand"));
    let said = diff(folder.path(), Some(1));
    assert!(said.contains("data.b: IN CLEAR NOW, was encrypted") && said.contains("! head: "), "{said}");

    let out = run(folder.path(), Some(1), &["diff", "--reveal", "old.secret.yaml", "new.secret.yaml"]);
    assert!(!out.status.success() && text(&out).contains("only on a terminal"));
}

#[test]
fn fingerprints_are_equal_for_equal_values_and_new_for_every_run() {
    let folder = Folder::new();
    let old = encrypt(&config(), "secret.yaml", plain("\"canaryOsprey-0123456789\"").as_bytes(), &ring());
    folder.write("old.secret.yaml", &old);
    folder.write("new.secret.yaml", set(&set(&old, "[\"data\"][\"a\"]", "\"v\""), "[\"data\"][\"a\"]", "\"w\""));
    let print =
        || text(&run(folder.path(), Some(1), &["diff", "--fingerprints", "old.secret.yaml", "new.secret.yaml"]));
    let (one, two) = (print(), print());
    assert!(one.contains("data.a: changed [") && one != two, "{one}{two}");
    assert!(
        !text(&run(folder.path(), None, &["diff", "--fingerprints", "old.secret.yaml", "new.secret.yaml"]))
            .contains('[')
    );
}

#[test]
fn commits_are_compared_and_json_says_the_same() {
    let folder = Folder::new();
    git(folder.path(), &["init", "--quiet", "--initial-branch=main"]);
    let old = encrypt(&config(), "secret.yaml", plain("\"canaryOsprey-0123456789\"").as_bytes(), &ring());
    folder.write("k8s/secret.yaml", &old);
    folder.write("k8s/other.yaml", "a: 1\n");
    git(folder.path(), &["add", "--all"]);
    git(folder.path(), &["commit", "--quiet", "--message=1"]);
    folder.write("k8s/secret.yaml", set(&old, "[\"data\"][\"b\"]", "\"x\""));
    folder.write("k8s/other.yaml", "a: 2\n");
    assert!(text(&run(folder.path(), None, &["diff"])).contains("data.b: encrypted anew"), "the work tree");
    git(folder.path(), &["commit", "--quiet", "--all", "--message=2"]);
    let out = run(folder.path(), Some(1), &["diff", "HEAD~1..HEAD", "--json", "--exit-code"]);
    assert_eq!(out.status.code(), Some(1));
    let all: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(all.as_array().unwrap().len(), 1);
    assert_eq!(all[0]["path"], "k8s/secret.yaml");
    assert_eq!(all[0]["changes"][0]["verdict"], "changed");
    assert_eq!(all[0]["sameValues"], false);
    // A file that lost its encryption is the loudest news of all.
    let now = std::fs::read_to_string(folder.join("k8s/secret.yaml")).unwrap();
    folder.write("k8s/secret.yaml", "data: {b: typed}\n");
    assert_eq!(
        text(&run(folder.path(), None, &["diff"])),
        "k8s/secret.yaml: in clear\n  ! THE FILE IS NOT ENCRYPTED ANY MORE\n"
    );
    // A MAC that is gone needs no key to be seen.
    let unsealed: String =
        now.lines().filter(|l| !l.trim_start().starts_with("mac:")).map(|l| format!("{l}\n")).collect();
    folder.write("k8s/secret.yaml", unsealed);
    for key in [None, Some(1)] {
        let out = run(folder.path(), key, &["diff", "--exit-code"]);
        assert!(text(&out).contains("no value changed") && text(&out).contains("! head: "), "{}", text(&out));
        assert!(text(&out).contains("the file has no MAC"), "{}", text(&out));
        assert_eq!(out.status.code(), Some(1));
    }
    folder.write("k8s/secret.yaml", &now);
    // Of a file that only got another name there is no more to tell, and nobody was shut out of one that is gone.
    git(folder.path(), &["mv", "k8s/secret.yaml", "k8s/renamed.yaml"]);
    for key in [None, Some(1)] {
        let out = run(folder.path(), key, &["diff", "--exit-code"]);
        assert_eq!(out.status.code(), Some(0), "{}", text(&out));
        let said = "k8s/renamed.yaml: renamed from k8s/secret.yaml, nothing changed";
        assert!(text(&out).starts_with(said) && text(&out).lines().count() == 1, "{}", text(&out));
    }
    let json = run(folder.path(), None, &["diff", "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(json[0]["renamedFrom"], "k8s/secret.yaml");
    // Renamed and changed at the same time it is another file.
    folder.write("k8s/renamed.yaml", set(&old, "[\"data\"][\"b\"]", "\"y\""));
    let said = text(&run(folder.path(), Some(1), &["diff"]));
    for line in ["k8s/renamed.yaml: file added\n", "k8s/secret.yaml: file removed\n", "\n  recipient "] {
        assert!(said.contains(line), "{said}");
    }
    git(folder.path(), &["mv", "--force", "k8s/renamed.yaml", "k8s/secret.yaml"]);
    std::fs::remove_file(folder.join("k8s/secret.yaml")).unwrap();
    let said = text(&run(folder.path(), None, &["diff"]));
    assert!(said.starts_with("k8s/secret.yaml: file removed") && said.contains("data.b: removed"), "{said}");
    assert!(said.contains("  recipient ") && !said.contains("- recipient") && !said.contains("rotate"), "{said}");
}

#[test]
fn textconv_shows_git_which_values_changed() {
    let folder = Folder::new();
    let dir = folder.path();
    git(dir, &["init", "--quiet", "--initial-branch=main"]);
    let old = encrypt(&config(), "secret.yaml", plain("\"canaryOsprey-0123456789\"").as_bytes(), &ring());
    folder.write("secret.yaml", &old);
    folder.write(".gitattributes", "secret.yaml diff=sops\n");
    let program = env!("CARGO_BIN_EXE_pintle");
    git(dir, &["config", "diff.sops.textconv", &format!("{program} secrets textconv --no-keys --input-type yaml")]);
    git(dir, &["add", "--all"]);
    git(dir, &["commit", "--quiet", "--message=1"]);
    folder.write("secret.yaml", set(&old, "[\"data\"][\"b\"]", "\"x\""));
    let shown = git(dir, &["diff", "--unified=0"]);
    let changed: Vec<&str> = shown.lines().filter(|l| l.starts_with("+ ") || l.starts_with("- ")).collect();
    assert_eq!(changed.len(), 2, "no MAC, no time: {shown}");
    assert!(changed.iter().all(|l| l.contains("b: <encrypted str ")), "{shown}");

    // With a key the placeholder is the value's: encrypting anew makes no difference.
    let again = encrypt(&config(), "secret.yaml", plain("\"canaryOsprey-0123456789\"").as_bytes(), &ring());
    folder.write("a.secret.yaml", &old);
    folder.write("b.secret.yaml", &again);
    let conv = |name, key| text(&run(dir, key, &["textconv", name]));
    assert_eq!(conv("a.secret.yaml", Some(1)), conv("a.secret.yaml", Some(1)));
    assert_ne!(conv("a.secret.yaml", None), conv("b.secret.yaml", None));
}

/// A repository with a SOPS file that two branches change.
fn diverged(ours: &[(&str, &str)], theirs: &[(&str, &str)]) -> Folder {
    let folder = Folder::new();
    let dir = folder.path();
    git(dir, &["init", "--quiet", "--initial-branch=main"]);
    let base = encrypt(&config(), "secret.yaml", plain("\"canaryOsprey-0123456789\"").as_bytes(), &ring());
    folder.write("secret.yaml", &base);
    folder.write(".gitattributes", "secret.yaml merge=sops\n");
    let program = env!("CARGO_BIN_EXE_pintle");
    git(dir, &["config", "merge.sops.driver", &format!("{program} secrets merge %O %A %B %P")]);
    git(dir, &["add", "--all"]);
    git(dir, &["commit", "--quiet", "--message=base"]);
    git(dir, &["branch", "theirs"]);
    let change =
        |edits: &[(&str, &str)]| edits.iter().fold(base.clone(), |text, (place, value)| set(&text, place, value));
    folder.write("secret.yaml", change(ours));
    git(dir, &["commit", "--quiet", "--all", "--message=ours"]);
    git(dir, &["checkout", "--quiet", "theirs"]);
    folder.write("secret.yaml", change(theirs));
    git(dir, &["commit", "--quiet", "--all", "--message=theirs"]);
    git(dir, &["checkout", "--quiet", "main"]);
    folder
}

fn merge(folder: &Folder, key: Option<usize>) -> Output {
    let mut command = std::process::Command::new("git");
    command.args(["-c", "user.name=t", "-c", "user.email=t@localhost", "merge", "--no-edit", "theirs"]);
    command.current_dir(folder.path()).env("HOME", "/nonexistent").env_remove("SOPS_AGE_KEY");
    if let Some(n) = key {
        command.env("SOPS_AGE_KEY", age_key(n));
    }
    let out = command.output().unwrap();
    assert_no_canary("git merge", &[out.stdout.clone(), out.stderr.clone()].concat());
    out
}

fn decrypted(folder: &Folder) -> String {
    use pintle::sops::{Format, Store, decrypt};
    let store = Store::from(Format::Yaml);
    let bytes = std::fs::read(folder.join("secret.yaml")).unwrap();
    String::from_utf8(decrypt(&store, &store, &bytes, &ring().services(), false).unwrap()).unwrap()
}

#[test]
fn git_merges_values_that_different_people_changed() {
    let folder = diverged(
        &[("[\"data\"][\"a\"]", "\"ours\""), ("[\"data\"][\"new1\"]", "\"n1\"")],
        &[("[\"data\"][\"b\"]", "\"theirs\""), ("[\"data\"][\"new2\"]", "\"n2\"")],
    );
    let before = folder.read("secret.yaml");
    let out = merge(&folder, Some(1));
    assert!(out.status.success(), "{}", text(&out));
    let plain = decrypted(&folder);
    for line in ["a: ours", "b: theirs", "new1: n1", "new2: n2"] {
        assert!(plain.contains(line), "{plain}");
    }
    // What nobody changed keeps its ciphertext.
    let line = before.lines().find(|l| l.trim_start().starts_with("c: ENC")).unwrap();
    assert!(folder.read("secret.yaml").contains(line));
}

#[test]
fn a_merge_without_key_or_with_a_conflict_is_refused_and_leaves_the_file() {
    let folder = diverged(&[("[\"data\"][\"a\"]", "\"ours\"")], &[("[\"data\"][\"b\"]", "\"theirs\"")]);
    let out = merge(&folder, None);
    assert!(!out.status.success() && text(&out).contains("merging needs a key"), "{}", text(&out));
    assert!(decrypted(&folder).contains("a: ours"));

    let folder = diverged(&[("[\"data\"][\"a\"]", "\"ours\"")], &[("[\"data\"][\"a\"]", "\"theirs\"")]);
    let out = merge(&folder, Some(1));
    assert!(!out.status.success() && text(&out).contains("both sides changed: data.a"), "{}", text(&out));
    assert!(decrypted(&folder).contains("a: ours"));
    assert!(
        String::from_utf8_lossy(&try_git(folder.path(), &["status", "--porcelain"]).stdout).contains("UU secret.yaml")
    );
}

/// Merges three versions of a file by hand; what is said, and the result.
fn merged(name: &str, versions: [&[u8]; 3]) -> (bool, String, Vec<u8>) {
    let folder = Folder::new();
    for (at, version) in ["base", "ours", "theirs"].iter().zip(versions) {
        folder.write(at, version);
    }
    let out = run(folder.path(), Some(1), &["merge", "base", "ours", "theirs", name]);
    (out.status.success(), text(&out), std::fs::read(folder.join("ours")).unwrap())
}

#[test]
fn a_merge_keeps_the_files_indentation() {
    let lines = |text: &[u8]| String::from_utf8(text.to_vec()).unwrap().lines().map(str::to_owned).collect::<Vec<_>>();
    for (name, stores, plain) in [
        ("secret.yaml", "{yaml: {indent: 2}}", "a: {b: 1}\nc: {d: [2, {e: 3}]}\n"),
        ("secret.yaml", "{}", "a: {b: 1}\nc: {d: [2, {e: 3}]}\n"),
        ("secret.json", "{json: {indent: 3}}", r#"{"a": {"b": 1}, "c": {"d": [2, {"e": 3}]}}"#),
        ("secret.json", "{}", r#"{"a": {"b": 1}, "c": {"d": [2, {"e": 3}]}}"#),
    ] {
        let config = format!("stores: {stores}\n{}", config());
        let store = pintle::sops::config::Config::parse(config.as_bytes()).unwrap();
        let store = store.store(pintle::sops::Format::of_path(name));
        let set = |enc: &[u8], place: &str| {
            let (place, value) = (pintle::sops::parse_path(place).unwrap(), pintle::sops::parse_value("7").unwrap());
            let ring = ring();
            crate::sops::with_fresh(|f| pintle::sops::set(&store, enc, &place, value, false, &ring.services(), f))
                .unwrap()
                .unwrap()
        };
        let base = encrypt(&config, name, plain.as_bytes(), &ring());
        let (ours, theirs) = (set(&base, "[\"a\"][\"b\"]"), set(&base, "[\"c\"][\"d\"][0]"));
        let (fine, said, text) = merged(name, [&base, &ours, &theirs]);
        assert!(fine, "{said}");
        let (before, after) = (lines(&ours), lines(&text));
        assert_eq!(before.len(), after.len());
        let changed: Vec<_> = before.iter().zip(&after).filter(|(a, b)| a != b).map(|(_, b)| b.trim_start()).collect();
        assert!(
            matches!(changed.as_slice(), [value, .., mac] if value.contains("ENC[") && mac.contains("mac"))
                && changed.len() <= 3,
            "{name} {stores}: the value, the MAC and its time: {changed:?}"
        );
    }
}

#[test]
fn a_name_that_stands_twice_is_merged_by_its_place() {
    let env = |text: &str| encrypt(&config(), "secret.env", text.as_bytes(), &ring());
    let (fine, said, text) =
        merged("secret.env", [&env("A=1\nA=2\nB=3\n"), &env("A=1\nA=2\nB=4\n"), &env("A=1\nA=5\nB=3\nC=6\n")]);
    assert!(fine, "{said}");
    let store = pintle::sops::Store::from(pintle::sops::Format::Dotenv);
    let plain = pintle::sops::decrypt(&store, &store, &text, &ring().services(), false).unwrap();
    assert_eq!(String::from_utf8(plain).unwrap(), "A=1\nA=5\nB=4\nC=6\n");
}

#[test]
fn a_merge_never_leaves_a_file_to_nobody() {
    let (one, two) = (recipient("age-1"), recipient("age-2"));
    let both = format!("creation_rules:\n- age: {one},{two}\n");
    let base = encrypt(&both, "secret.yaml", b"a: 1\n", &ring());
    let store = pintle::sops::Store::from(pintle::sops::Format::Yaml);
    let without = |name: &str| {
        let (gone, ring) = ([pintle::sops::MasterKey::age(name)], Ring::of(&[1, 2], false));
        crate::sops::with_fresh(|f| pintle::sops::rotate(&store, &base, &[], &gone, &ring.services(), f)).unwrap()
    };
    let (ours, theirs) = (without(&one), without(&two));
    let folder = Folder::new();
    for (name, text) in [("base", &base), ("ours", &ours), ("theirs", &theirs)] {
        folder.write(name, text);
    }
    let out = pintle()
        .args(["secrets", "merge", "base", "ours", "theirs", "secret.yaml"])
        .current_dir(folder.path())
        .env("SOPS_AGE_KEY", format!("{}\n{}", age_key(1), age_key(2)))
        .output()
        .unwrap();
    assert!(!out.status.success() && text(&out).contains("both sides changed: the recipients"), "{}", text(&out));
    assert_eq!(std::fs::read(folder.join("ours")).unwrap(), ours);
}

#[test]
fn check_finds_what_is_wrong() {
    let folder = Folder::new();
    folder.write(".sops.yaml", config());
    let good = encrypt(&config(), "secret.yaml", plain("\"canaryOsprey-0123456789\"").as_bytes(), &ring());
    folder.write("good/secret.yaml", &good);
    assert!(run(folder.path(), Some(1), &["check"]).status.success());

    let text_of = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let broken = text_of(&good).replace("    mac: ENC[AES256_GCM,data:", "    mac: ENC[AES256_GCM,data:AAAA");
    folder.write("mac/secret.yaml", broken);
    let line = text_of(&good).lines().find(|l| l.trim_start().starts_with("b: ENC")).unwrap().to_owned();
    folder.write("open/secret.yaml", text_of(&good).replace(&line, "    b: canaryOsprey-0123456789"));
    folder.write("plain/secret.yaml", plain("1"));
    folder.write(
        "plain/other.yaml",
        "kind: ConfigMap\n---\napiVersion: v1\nkind: Secret\nstringData:\n  a: canaryOsprey-0123456789\n",
    );
    let other = config().replace(&recipient("age-1"), &recipient("age-2"));
    folder.write("who/secret.yaml", encrypt(&other, "secret.yaml", b"a: 1\n", &ring()));
    folder.write("torn/secret.yaml", text_of(&good).replace("    lastmodified:", "    lastmodified: x #"));
    folder.write("norule/enc.yaml", &good);
    let without = |what: &dyn Fn(&str) -> bool| {
        let kept: Vec<String> = text_of(&good).lines().filter(|line| !what(line)).map(String::from).collect();
        kept.join("\n") + "\n"
    };
    folder.write("nomac/secret.yaml", without(&|line| line.starts_with("    mac:")));
    // The second line of each data key.
    let lines: Vec<String> = text_of(&good).lines().map(String::from).collect();
    let begins = lines.iter().enumerate().filter(|(_, line)| line.contains("BEGIN AGE"));
    let second: Vec<&String> = begins.map(|(i, _)| &lines[i + 2]).collect();
    folder.write("key/secret.yaml", without(&|line| second.iter().any(|second| *second == line)));

    let out = run(folder.path(), Some(1), &["check", "--json"]);
    assert!(!out.status.success());
    let all: Vec<serde_json::Value> = serde_json::from_slice(&out.stdout).unwrap();
    let found: Vec<String> = all
        .iter()
        .map(|f| format!("{} {}:{}", f["rule"].as_str().unwrap(), f["path"].as_str().unwrap(), f["line"]))
        .collect();
    for want in [
        "secrets/mac mac/secret.yaml:",
        "secrets/plain-value open/secret.yaml:5",
        "secrets/mac open/secret.yaml:",
        "secrets/not-encrypted plain/secret.yaml:0",
        "secrets/plain-secret plain/other.yaml:5",
        "secrets/recipients who/secret.yaml:2",
        "secrets/unreadable torn/secret.yaml:0",
        "secrets/mac nomac/secret.yaml:0",
        "secrets/unreadable key/secret.yaml:0",
        "secrets/no-rule norule/enc.yaml:0",
    ] {
        assert!(found.iter().any(|f| f.starts_with(want)), "{want} in {found:#?}");
    }
    assert!(found.iter().all(|f| !f.contains("good/")), "{found:#?}");
    // Without a key all but the MACs is found.
    let said = text(&run(folder.path(), None, &["check"]));
    assert!(said.contains("secrets/plain-value") && said.contains("secrets/recipients"), "{said}");
}

#[test]
fn errors_show_no_value() {
    let folder = Folder::new();
    let good =
        String::from_utf8(encrypt(&config(), "secret.yaml", plain("\"canaryOsprey-0123456789\"").as_bytes(), &ring()))
            .unwrap();
    let line = good.lines().find(|l| l.trim_start().starts_with("b: ENC")).unwrap();
    let key = "canaryOsprey-0123456789";
    for (name, broken) in [
        ("type", good.replace(line, &line.replace("type:str", "type:int"))),
        ("bool", good.replace(line, &line.replace("type:str", "type:bool"))),
        ("time", good.replace(line, &line.replace("type:str", "type:time"))),
        ("plain", good.replace(line, &format!("    b: {key}"))),
        ("number", good.replace(line, "    b: 4815162342108")),
        ("twice", good.replace(line, &format!("{line}\n    b: {key}"))),
        ("syntax", good.replace(line, &format!("    b: [{key}"))),
        ("tag", good.replace(line, &format!("    b: !!int {key}"))),
        ("scalar", format!("{key}\n")),
        ("list", format!("[{key}]\n")),
    ] {
        folder.write("x.secret.yaml", &broken);
        folder.write("y.secret.yaml", &good);
        for k in [None, Some(1), Some(2)] {
            run(folder.path(), k, &["diff", "x.secret.yaml", "y.secret.yaml"]);
            run(folder.path(), k, &["diff", "--json", "--fingerprints", "y.secret.yaml", "x.secret.yaml"]);
            run(folder.path(), k, &["merge", "y.secret.yaml", "x.secret.yaml", "y.secret.yaml", "secret.yaml"]);
            run(folder.path(), k, &["check"]);
            if name != "plain"
                && name != "number"
                && name != "twice"
                && name != "syntax"
                && name != "tag"
                && name != "scalar"
                && name != "list"
            {
                run(folder.path(), k, &["textconv", "x.secret.yaml"]);
            }
        }
    }
    for (name, text) in [
        ("x.secret.env", format!("A={key}\n{key}\n")),
        ("x.secret.ini", format!("[a]\n{key}\n")),
        ("x.secret.json", format!("\"{key}\"")),
    ] {
        folder.write(name, text);
        run(folder.path(), Some(1), &["textconv", name]);
        run(folder.path(), Some(1), &["merge", name, name, name, name]);
        std::fs::remove_file(folder.join(name)).unwrap();
    }
    // A library error's own forms.
    let store = pintle::sops::Store::from(pintle::sops::Format::Yaml);
    let broken = good.replace(line, &line.replace("type:str", "type:int"));
    let error = pintle::sops::decrypt(&store, &store, broken.as_bytes(), &ring().services(), false).unwrap_err();
    assert_no_canary("Error", format!("{error} {error:?}").as_bytes());
    let opened = pintle::sops::open(&store, good.as_bytes(), &ring().services(), false).unwrap();
    assert_no_canary("Tree", format!("{:?}", opened.tree).as_bytes());
}
