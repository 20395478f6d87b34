//! `list`, `history`, `status` and `get` beside the real helm: the same bytes on the same records, Helm 3's among them.

use crate::support::cluster::{self, Namespace};

fn chart(name: &str) -> String {
    format!("{}/tests/fixtures/release/charts/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn same(ns: &Namespace, args: &[&str]) {
    let (ours, theirs) = (ns.pintle(args), ns.helm(args));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    // Where they part, for texts that nobody can read as a whole.
    let at = ours.stdout.iter().zip(&theirs.stdout).take_while(|(a, b)| a == b).count();
    let around = |bytes: &[u8]| text(&bytes[at.saturating_sub(200)..bytes.len().min(at + 200)]);
    assert!(
        ours.stdout == theirs.stdout,
        "{args:?}\n  ours: {}\ntheirs: {}\n(stderr: {})",
        around(&ours.stdout),
        around(&theirs.stdout),
        text(&ours.stderr)
    );
    assert_eq!(ours.status.code(), theirs.status.code(), "{args:?}");
    if !theirs.status.success() {
        assert_eq!(text(&ours.stderr).lines().next(), text(&theirs.stderr).lines().next(), "{args:?}");
    }
}

#[test]
fn the_commands_print_what_helm_prints() {
    let ns = cluster::namespace("reading");
    let (app, tiny) = (chart("app"), chart("tiny"));
    let run = |ok: bool, out: std::process::Output| {
        assert_eq!(out.status.success(), ok, "{}", String::from_utf8_lossy(&out.stderr));
    };
    run(true, ns.helm(&["install", "rich", &app, "--set", "a.b=1", "--labels", "team=blue,tier=1"]));
    run(true, ns.helm(&["upgrade", "rich", &app, "--set", "greeting=x", "--description", "wide 日本 text"]));
    run(true, ns.helm(&["rollback", "rich", "1"]));
    run(true, ns.helm(&["test", "rich"]));
    run(true, ns.helm3(&["install", "old", &tiny]));
    run(true, ns.helm3(&["upgrade", "old", &tiny]));
    run(true, ns.helm(&["install", "gone", &tiny]));
    run(true, ns.helm(&["uninstall", "gone", "--keep-history"]));
    run(false, ns.helm(&["install", "broken", &app, "--set", "replicas=-1"]));
    for args in [
        &["list"][..],
        &["ls", "-A", "-f", "^(rich|old|gone|broken)$"],
        &["list", "-q"],
        &["list", "-q", "-o", "json"],
        &["list", "-q", "-o", "yaml"],
        &["list", "-o", "json"],
        &["list", "-o", "yaml"],
        &["list", "--no-headers"],
        &["list", "--deployed"],
        &["list", "--uninstalled"],
        &["list", "--failed", "-o", "json"],
        &["list", "--pending"],
        &["list", "--uninstalling"],
        &["list", "--superseded", "--deployed", "-q"],
        &["list", "-d", "-q"],
        &["list", "-d", "-r", "-q"],
        &["list", "-r", "-q"],
        &["list", "-m", "1", "-q"],
        &["list", "-m", "1", "--offset", "1", "-q"],
        &["list", "--offset", "9"],
        &["list", "-f", "^r.*h$", "-q"],
        &["list", "-f", "(", "-q"],
        &["list", "-l", "team=blue", "-q"],
        &["list", "-l", "team!=blue", "-q"],
        &["list", "-l", "status=deployed", "-q"],
        &["list", "--time-format", "2006-01-02", "--no-headers"],
        &["list", "-n", "default"],
        &["history", "rich"],
        &["hist", "rich", "--max", "2"],
        &["history", "rich", "--max", "0"],
        &["history", "rich", "--show-rollback-revision"],
        &["history", "rich", "-o", "json"],
        &["history", "rich", "-o", "yaml"],
        &["history", "old"],
        &["history", "none"],
        &["history", "No_Name"],
        &["status", "old"],
        &["status", "none"],
        &["status", "rich", "--revision", "9"],
        &["get", "all", "rich"],
        &["get", "all", "old"],
        &[
            "get",
            "all",
            "rich",
            "--template",
            "{{.Release.Name}} {{.Release.Version}} {{.Release.Info.Status}} {{.Release.Chart.Metadata.Version}}",
        ],
        &["get", "all", "No_Name"],
        &["get", "values", "rich"],
        &["get", "values", "rich", "--revision", "2", "-o", "json"],
        &["get", "values", "rich", "-a"],
        &["get", "values", "rich", "--all", "-o", "json"],
        &["get", "values", "old", "-o", "yaml"],
        &["get", "manifest", "rich"],
        &["get", "manifest", "rich", "--revision", "1"],
        &["get", "hooks", "rich"],
        &["get", "notes", "rich"],
        &["get", "notes", "old"],
        &["get", "metadata", "rich"],
        &["get", "metadata", "rich", "-o", "json"],
        &["get", "metadata", "rich", "--revision", "1", "-o", "yaml"],
        &["get", "metadata", "old"],
    ] {
        same(&ns, args);
    }
    // The version of a list is that of the moment.
    let status = |out: std::process::Output| {
        let mut json: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
        json["info"]["resources"]["v1/Pod(related)"][0]["metadata"] = serde_json::Value::Null;
        json
    };
    let args = ["status", "rich", "-o", "json"];
    assert_eq!(status(ns.pintle(&args)), status(ns.helm(&args)));
    // Kinds come in any order from helm, and ages grow.
    let blocks = |out: std::process::Output| {
        let text = String::from_utf8(out.stdout).unwrap();
        let mut lines: Vec<String> = text
            .lines()
            .map(|l| match l.rsplit_once(' ') {
                Some((rest, age)) if age.ends_with('s') && age.starts_with(|c: char| c.is_ascii_digit()) => {
                    rest.trim().into()
                }
                _ => l.to_string(),
            })
            .collect();
        lines.sort();
        lines
    };
    assert_eq!(blocks(ns.pintle(&["status", "rich"])), blocks(ns.helm(&["status", "rich"])));
    // What helm does not have: revisions compared, values of Secrets masked.
    run(true, ns.helm(&["upgrade", "rich", &app, "--set", "greeting=z,password=correct-horse"]));
    let out = ns.pintle(&["diff", "release", "rich", "--detailed-exitcode"]);
    let text = String::from_utf8(out.stdout).unwrap();
    assert_eq!(out.status.code(), Some(2), "{text}");
    assert!(text.contains("-  greeting: \"hi <there> & co\"\n-  revision: \"1\"\n+  greeting: \"z\"\n"), "{text}");
    assert!(text.contains("-  password: <masked, before>\n+  password: <masked, after>\n"), "{text}");
    assert!(!text.contains("correct-horse") && !text.contains("s3cr3t"), "{text}");
    let out = ns.pintle(&["diff", "release", "rich", "--revision", "1", "--revision", "1", "--detailed-exitcode"]);
    assert_eq!((out.status.code(), out.stdout), (Some(0), b"0 added, 0 changed, 0 removed\n".to_vec()));
}
