//! SOPS beside the real sops 3.13.3: what one writes the other reads, and its MAC holds after our edits.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex, Weak};

use base64::Engine as _;
use pintle::golang::time::{Location, Time};
use pintle::sops::config::Config;
use pintle::sops::{self, AgeKeys, DataKey, Format, Fresh, KeyService, MasterKey, PgpKeys, Services, Store};

use crate::support::Folder;

const KEYS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/sops/keys");

/// A test identity; stored in parts so that secret scanners stay quiet.
pub fn age_key(n: usize) -> String {
    std::fs::read_to_string(format!("{KEYS}/age-{n}.keyparts")).unwrap().split_whitespace().collect()
}

pub fn recipient(name: &str) -> String {
    let all: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(format!("{KEYS}/recipients.json")).unwrap()).unwrap();
    let one = &all[name];
    one["recipient"].as_str().or_else(|| one["fingerprint"].as_str()).unwrap().to_owned()
}

fn pgp_key() -> Vec<u8> {
    let text: String = std::fs::read_to_string(format!("{KEYS}/pgp-1.b64")).unwrap().split_whitespace().collect();
    base64::engine::general_purpose::STANDARD.decode(text).unwrap()
}

/// All test keys.
#[derive(Default)]
pub struct Ring {
    pub age: AgeKeys,
    pub pgp: PgpKeys,
}

impl Ring {
    pub fn of(age: &[usize], pgp: bool) -> Self {
        let mut ring = Self::default();
        age.iter().for_each(|n| ring.age.add(&age_key(*n)).unwrap());
        if pgp {
            ring.pgp.add(&pgp_key()).unwrap();
        }
        ring
    }

    pub fn services(&self) -> Services<'_> {
        Services(vec![self])
    }
}

impl KeyService for Ring {
    fn decrypt(&self, key: &MasterKey) -> Result<DataKey, String> {
        if matches!(key, MasterKey::Pgp { .. }) { self.pgp.decrypt(key) } else { self.age.decrypt(key) }
    }

    fn encrypt(&self, key: &MasterKey, plain: &[u8]) -> Result<String, String> {
        if matches!(key, MasterKey::Pgp { .. }) { self.pgp.encrypt(key, plain) } else { self.age.encrypt(key, plain) }
    }
}

pub fn with_fresh<T>(work: impl FnOnce(Fresh<'_>) -> T) -> T {
    let now = Time::unix(1_790_000_000, 0, Location::utc());
    let random = |bytes: &mut [u8]| getrandom::fill(bytes).is_ok();
    work(Fresh { now: &now, random: &random })
}

/// Encrypts as the configuration says.
pub fn encrypt(config: &str, name: &str, text: &[u8], ring: &Ring) -> Vec<u8> {
    let config = Config::parse(config.as_bytes()).unwrap();
    let store = config.store(Format::of_path(name));
    let rule = config.rule(name).unwrap().unwrap();
    with_fresh(|fresh| sops::encrypt(&store, &store, text, &rule, &ring.services(), fresh)).unwrap()
}

/// The real sops with a key ring of its own that holds the test keys.
struct Real {
    program: PathBuf,
    home: Folder,
}

fn real() -> Arc<Real> {
    // One for all tests that need it; it goes with the last of them.
    static REAL: Mutex<Weak<Real>> = Mutex::new(Weak::new());
    let mut known = REAL.lock().unwrap();
    if let Some(real) = known.upgrade() {
        return real;
    }
    let real = Arc::new({
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let out = Command::new("bash").arg(root.join("tests/peers.sh")).arg("sops").output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        let program = PathBuf::from(String::from_utf8_lossy(&out.stdout).trim()).join("sops");
        if Command::new("gpg").arg("--version").output().is_err() {
            let _ = Command::new("apt-get").args(["install", "--yes", "gnupg"]).output();
        }
        let home = Folder::new();
        std::fs::set_permissions(home.path(), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        let key = home.write("key.gpg", pgp_key());
        let gpg = Command::new("gpg")
            .args(["--batch", "--quiet", "--import"])
            .arg(key)
            .env("GNUPGHOME", home.path())
            .output()
            .unwrap();
        assert!(gpg.status.success(), "{}", String::from_utf8_lossy(&gpg.stderr));
        Real { program, home }
    });
    *known = Arc::downgrade(&real);
    real
}

impl Real {
    fn run(&self, dir: &Path, keys: &[usize], args: &[&str]) -> Output {
        let keys: Vec<String> = keys.iter().map(|n| age_key(*n)).collect();
        let mut command = Command::new(&self.program);
        command.args(args).current_dir(dir).env("GNUPGHOME", self.home.path()).env("HOME", self.home.path());
        command.env("SOPS_AGE_KEY", keys.join("\n")).output().unwrap()
    }

    fn ok(&self, dir: &Path, args: &[&str]) -> Vec<u8> {
        let out = self.run(dir, &[1], args);
        assert!(out.status.success(), "sops {args:?}: {}", String::from_utf8_lossy(&out.stderr));
        out.stdout
    }
}

const FILES: [(&str, &str); 5] = [
    (
        "a.yaml",
        "# head\nname: web # behind\nsecret:\n    pass: hunter2 ☃\n    n: 5\n    list:\n        - one\n        # two\n        - {k: v, e: ''}\nopen_unencrypted: x\nwhen: 2024-01-02\n---\nsecond: |\n  a\n  b\n",
    ),
    ("a.json", "{\"name\": \"web\", \"n\": 12345678901234, \"f\": 1.5, \"l\": [true, null, {\"<k>\": \"é\"}]}"),
    ("a.env", "# comment\nA=1\nB=two\\nlines\nOPEN_unencrypted=x\n"),
    ("a.ini", "top = 1\n[a]\n; about b\nb = two ; tail\n[a]\nc = \"  x \"\n"),
    ("a.bin", "\u{1}\u{2}any bytes\n\n"),
];

fn configs() -> Vec<(&'static str, String)> {
    let (age, pgp) = (recipient("age-1"), recipient("pgp-1"));
    let rule = |text: &str| format!("creation_rules:\n- {text}\n");
    vec![
        ("age", rule(&format!("age: {age}"))),
        ("pgp", rule(&format!("pgp: {pgp}"))),
        ("both", rule(&format!("age: {age}\n  pgp: {pgp}\n  mac_only_encrypted: true"))),
        (
            "shamir",
            rule(&format!(
                "shamir_threshold: 2\n  key_groups:\n  - age: [{age}]\n  - pgp: [{pgp}]\n  - age: [{}]",
                recipient("age-2")
            )),
        ),
    ]
}

#[test]
fn each_reads_what_the_other_wrote() {
    let ring = Ring::of(&[1], true);
    for (kind, config) in configs() {
        let folder = Folder::new();
        folder.write(".sops.yaml", &config);
        for (name, text) in FILES {
            folder.write(name, text);
            let store = Store::from(Format::of_path(name));
            let theirs = real().ok(folder.path(), &["encrypt", name]);
            folder.write(name, &theirs);
            let plain = real().ok(folder.path(), &["decrypt", name]);
            let ours = sops::decrypt(&store, &store, &theirs, &ring.services(), false).unwrap();
            assert_eq!(
                String::from_utf8_lossy(&ours),
                String::from_utf8_lossy(&plain),
                "{kind} {name}: decrypted by us"
            );

            folder.write(name, encrypt(&config, name, text.as_bytes(), &ring));
            let again = real().ok(folder.path(), &["decrypt", name]);
            assert_eq!(
                String::from_utf8_lossy(&again),
                String::from_utf8_lossy(&plain),
                "{kind} {name}: encrypted by us"
            );
        }
    }
}

#[test]
fn an_ssh_key_opens_and_seals() {
    let folder = Folder::new();
    let key = folder.join("id");
    let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-C", "", "-f"]).arg(&key).output();
    if made.is_err() {
        let _ = Command::new("apt-get").args(["install", "--yes", "openssh-client"]).output();
        Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-C", "", "-f"]).arg(&key).output().unwrap();
    }
    let config = format!("creation_rules:\n- age: {}\n", folder.read("id.pub").trim());
    folder.write(".sops.yaml", &config);
    let mut ring = Ring::default();
    ring.age.add_ssh(folder.read("id").as_bytes()).unwrap();
    let store = Store::from(Format::Yaml);
    let theirs = real().ok(&folder.path().join("."), &["encrypt", &folder.write("a.yaml", "a: 1\n").to_string_lossy()]);
    assert_eq!(sops::decrypt(&store, &store, &theirs, &ring.services(), false).unwrap(), b"a: 1\n");
    folder.write("a.yaml", encrypt(&config, "a.yaml", b"a: 2\n", &ring));
    let out = Command::new(&real().program)
        .args(["decrypt", "a.yaml"])
        .current_dir(folder.path())
        .env("HOME", folder.path())
        .env("SOPS_AGE_SSH_PRIVATE_KEY_FILE", &key)
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&out.stdout), "a: 2\n", "{}", String::from_utf8_lossy(&out.stderr));
}

#[test]
fn a_damaged_data_key_is_refused_in_its_words() {
    let (ring, folder) = (Ring::of(&[1], false), Folder::new());
    let config = format!("creation_rules: [{{age: {}}}]", recipient("age-1"));
    let good = String::from_utf8(encrypt(&config, "a.yaml", b"a: 1\n", &ring)).unwrap();
    let end = "-----END AGE ENCRYPTED FILE-----\n";
    let indent = good.lines().find(|l| l.trim_start() == end.trim_end()).unwrap().len() - end.trim_end().len();
    let space = " ".repeat(indent);
    let store = Store::from(Format::Yaml);
    for (more, refused) in [
        (format!("{space}AAAA\n"), true),
        (format!("{space} \n\n"), false),
        (format!("\n{space}-----BEGIN AGE ENCRYPTED FILE-----\n"), true),
        (format!("{space}{}\n", " ".repeat(2000)), true),
    ] {
        let text = good.replacen(end, &format!("{end}{more}"), 1);
        folder.write("a.yaml", &text);
        let theirs = real().run(folder.path(), &[1], &["decrypt", "a.yaml"]);
        let ours = sops::decrypt(&store, &store, text.as_bytes(), &ring.services(), false);
        assert_eq!(theirs.status.success(), !refused, "{more:?}");
        match ours {
            Ok(plain) => assert_eq!((plain, refused), (theirs.stdout, false), "{more:?}"),
            Err(e) => {
                let said = String::from_utf8_lossy(&theirs.stderr).into_owned();
                assert_eq!(e.sops_text().trim(), said.trim(), "{more:?}");
            }
        }
    }
}

fn encs(text: &[u8]) -> BTreeSet<String> {
    let text = String::from_utf8_lossy(text).into_owned();
    text.match_indices("ENC[").map(|(i, _)| text[i..=i + text[i..].find(']').unwrap()].to_owned()).collect()
}

#[test]
fn after_our_edits_its_mac_holds_and_other_values_keep_their_bytes() {
    let ring = Ring::of(&[1, 2], true);
    let keys = ring.services();
    for (kind, config) in configs() {
        let folder = Folder::new();
        folder.write(".sops.yaml", &config);
        for (name, text) in FILES.iter().take(2) {
            let store = Store::from(Format::of_path(name));
            folder.write(name, text);
            let before = real().ok(folder.path(), &["encrypt", name]);
            let place = sops::parse_path("[\"name\"]").unwrap();
            let value = sops::parse_value("\"changed\"").unwrap();
            let set = with_fresh(|f| sops::set(&store, &before, &place, value, false, &keys, f)).unwrap().unwrap();
            folder.write(name, &set);
            let plain = String::from_utf8(real().ok(folder.path(), &["decrypt", name])).unwrap();
            assert!(plain.contains("changed") && !plain.contains("web"), "{kind} {name}: {plain}");
            let (old, new) = (encs(&before), encs(&set));
            let kept = old.intersection(&new).count();
            assert_eq!(kept, old.len() - 2, "{kind} {name}: one value changed, and the MAC");

            let unset = with_fresh(|f| sops::unset(&store, &set, &place, &keys, f)).unwrap();
            folder.write(name, &unset);
            assert!(!String::from_utf8(real().ok(folder.path(), &["decrypt", name])).unwrap().contains("changed"));

            let add = [MasterKey::age(recipient("age-3"))];
            let rotated = with_fresh(|f| sops::rotate(&store, &unset, &add, &[], &keys, f)).unwrap();
            assert!(encs(&rotated).is_disjoint(&encs(&unset)), "{kind} {name}: all is new");
            folder.write(name, &rotated);
            real().ok(folder.path(), &["decrypt", name]);
            // And sops goes on from there.
            real().ok(folder.path(), &["set", name, "[\"name\"]", "\"by sops\""]);
            let theirs = std::fs::read(folder.join(name)).unwrap();
            let plain = sops::decrypt(&store, &store, &theirs, &keys, false).unwrap();
            assert!(String::from_utf8(plain).unwrap().contains("by sops"), "{kind} {name}");
        }
    }
}

#[test]
fn recipients_are_updated_without_touching_values() {
    let ring = Ring::of(&[1, 2], false);
    let (one, two) = (recipient("age-1"), recipient("age-2"));
    let folder = Folder::new();
    let before = encrypt(&format!("creation_rules: [{{age: {one}}}]"), "a.yaml", b"a: 1\nb: 2\n", &ring);
    let config = Config::parse(format!("creation_rules: [{{age: {two}}}]").as_bytes()).unwrap();
    let rule = config.rule("a.yaml").unwrap().unwrap();
    let store = Store::from(Format::Yaml);
    let after = with_fresh(|f| sops::update_keys(&store, &before, &rule, &ring.services(), f)).unwrap().unwrap();
    assert_eq!(encs(&before), encs(&after));
    folder.write("a.yaml", &after);
    let out = real().run(folder.path(), &[2], &["decrypt", "a.yaml"]);
    assert_eq!(String::from_utf8_lossy(&out.stdout), "a: 1\nb: 2\n");
    assert_eq!(real().run(folder.path(), &[1], &["decrypt", "a.yaml"]).status.code(), Some(128));
    assert!(with_fresh(|f| sops::update_keys(&store, &after, &rule, &ring.services(), f)).unwrap().is_none());
}

#[test]
fn random_documents_decrypt_as_sops_decrypted_them() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/sops/decrypt.jsonl");
    let ring = Ring::of(&[1], false);
    let mut count = 0;
    for line in std::fs::read_to_string(file).unwrap().lines() {
        let row: serde_json::Value = serde_json::from_str(line).unwrap();
        let Some(enc) = row["enc"].as_str() else { continue };
        let store = Store::from(Format::named(row["format"].as_str().unwrap()).unwrap());
        for (field, format) in [("out", store.format), ("outJson", Format::Json), ("outYaml", Format::Yaml)] {
            let Some(want) = row[field].as_str() else { continue };
            let got = sops::decrypt(&store, &store.with_format(format), enc.as_bytes(), &ring.services(), false);
            let got = got.unwrap_or_else(|e| panic!("{}: {}", row["id"], e.sops_text()));
            assert_eq!(String::from_utf8_lossy(&got), want, "{} {field}", row["id"]);
            count += 1;
        }
    }
    assert!(count > 150, "{count}");
}

#[test]
fn the_examples_files_are_sound_for_sops() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/deployment-repo");
    let mut files = Vec::new();
    for env in ["dev", "qa", "prod"] {
        let dir = example.join("k8s/gitops").join(env);
        files.extend(["api", "web", "worker"].map(|service| dir.join(service).join("secrets.yaml")));
        files.push(dir.join("api/configmap.yaml"));
    }
    for file in files {
        // It verifies the MAC, and finds the key only where it is named.
        let out = Command::new(&real().program)
            .env("SOPS_AGE_KEY_FILE", example.join("age-test-key.txt"))
            .args(["decrypt", file.to_str().unwrap()])
            .output()
            .unwrap();
        assert!(out.status.success(), "{}: {}", file.display(), String::from_utf8_lossy(&out.stderr));
        assert!(!String::from_utf8_lossy(&out.stdout).contains("ENC["), "{}", file.display());
    }
}
