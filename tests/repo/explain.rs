//! `pintle explain OBJECT FIELD` and `pintle env diff`: what they print, by goldens under `tests/fixtures/explain`.
//!
//! A golden is a row of commands with what they print and how they end. `PINTLE_GOLDENS=write` writes them anew: read the difference before it is kept.

use std::path::{Path, PathBuf};

use super::support::{Folder, git, pintle};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A command's exit code and everything that it prints.
fn run(args: &[String]) -> (i32, String) {
    let out = pintle().current_dir(root()).args(args).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (out.status.code().unwrap_or(-1), text(&out.stdout) + &text(&out.stderr))
}

/// The words of a line as a shell has them, quotes taken off.
fn words(line: &str) -> Vec<String> {
    let mut out = vec![String::new()];
    let mut quote = None;
    for c in line.chars() {
        match (quote, c) {
            (Some(q), c) if c == q => quote = None,
            (None, '\'') => quote = Some(c),
            (None, ' ') => out.push(String::new()),
            (_, c) => out.last_mut().unwrap().push(c),
        }
    }
    out.retain(|w| !w.is_empty());
    out
}

fn answers(commands: &str) -> String {
    let mut out = String::new();
    for command in commands.lines().filter_map(|l| l.strip_prefix("$ pintle ")) {
        let (code, text) = run(&words(command));
        out.push_str(&format!("$ pintle {command}\n{text}[{code}]\n\n"));
    }
    out
}

fn goldens() -> Vec<PathBuf> {
    let dir = root().join("tests/fixtures/explain");
    let mut all: Vec<PathBuf> = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).collect();
    all.retain(|p| p.extension().is_some_and(|e| e == "txt"));
    all.sort();
    assert!(all.len() >= 4, "{all:?}");
    all
}

#[test]
fn each_field_is_explained_as_the_goldens_say() {
    let write = std::env::var("PINTLE_GOLDENS").is_ok_and(|v| v == "write");
    for path in goldens() {
        let want = std::fs::read_to_string(&path).unwrap();
        let got = answers(&want);
        assert!(!got.is_empty(), "{}: no command", path.display());
        // Not in any form: what is a secret in the fixtures has this word in it.
        assert!(!got.contains("canary"), "{}: a secret is shown\n{got}", path.display());
        if write {
            std::fs::write(&path, got).unwrap();
        } else {
            assert_eq!(got, want, "{}", path.display());
        }
    }
}

fn json(args: &str) -> serde_json::Value {
    let (code, out) = run(&words(args));
    assert_eq!(code, 0, "{out}");
    serde_json::from_str(&out).unwrap_or_else(|e| panic!("{e}: {out}"))
}

const WEB: &str = "--repo examples/deployment-repo --release web --env prod --no-keys -o json";

#[test]
fn every_scalar_of_a_release_leads_to_lines_of_its_chart() {
    let built = json("build examples/deployment-repo --env prod --service web --no-keys -o json");
    let mut asked = 0;
    for object in built["releases"][0]["objects"].as_array().unwrap() {
        let object = &object["object"];
        let name = format!("{}/{}", object["kind"].as_str().unwrap(), object["metadata"]["name"].as_str().unwrap());
        for (pointer, value) in scalars(object, String::new()) {
            let a = json(&format!("explain {name} '{pointer}' {WEB}"));
            let shown = a["value"].as_str().unwrap();
            let plain = value.as_str().map_or_else(|| value.to_string(), String::from);
            // Behind a placeholder there is a secret.
            assert!(shown == plain || a["secret"] == true, "{name} {pointer}: {shown} {plain}");
            let printed = &a["printed"][0];
            let file = root().join("examples/deployment-repo").join(printed["path"].as_str().unwrap());
            let text = std::fs::read_to_string(&file).unwrap();
            let line = text.lines().nth(printed["line"].as_u64().unwrap() as usize - 1).unwrap();
            assert_eq!(line.trim(), printed["text"], "{name} {pointer}");
            // A line of the chart's own text has the value in it, another one an action.
            assert!(line.contains("{{") || line.contains(&plain), "{name} {pointer}: {line}");
            asked += 1;
        }
    }
    assert!(asked > 50, "{asked}");
}

/// The paths of all single values.
fn scalars(value: &serde_json::Value, path: String) -> Vec<(String, serde_json::Value)> {
    match value {
        serde_json::Value::Object(map) => {
            map.iter().flat_map(|(k, v)| scalars(v, format!("{path}[\"{k}\"]"))).collect()
        }
        serde_json::Value::Array(items) => {
            items.iter().enumerate().flat_map(|(i, v)| scalars(v, format!("{path}[{i}]"))).collect()
        }
        leaf => vec![(path, leaf.clone())],
    }
}

#[test]
fn secrets_stay_hidden_with_a_key_at_hand() {
    let key = "--age-key-file examples/deployment-repo/age-test-key.txt";
    let field = "spec.template.spec.containers[0].env[0].value";
    for output in ["", "-o json"] {
        let args = format!(
            "explain deployment/web {field} --repo examples/deployment-repo --service web --env prod {key} {output}"
        );
        let (code, out) = run(&words(&args));
        assert_eq!(code, 0, "{out}");
        assert!(out.contains("<masked>") && out.contains("analytics.siteId"), "{out}");
        let (_, plain) = run(&words(&format!("build examples/deployment-repo --env prod --service web {key}")));
        assert!(plain.contains("value: <masked>") || plain.contains("value: \"<masked>\""), "{plain}");
        let (code, out) = run(&words(&format!("env diff dev prod --repo examples/deployment-repo {key} {output}")));
        assert_eq!(code, 0, "{out}");
        for line in std::fs::read_to_string(root().join("examples/deployment-repo/README.md")).unwrap().lines() {
            assert!(!line.contains("canary") || !out.contains(line), "{out}");
        }
        assert!(!out.contains("postgres://"), "{out}");
    }
}

#[test]
fn differences_end_with_the_code_of_diff() {
    let repo = "--repo examples/deployment-repo --no-keys --service web";
    let code = |words_: &str| run(&words(words_)).0;
    assert_eq!(code(&format!("env diff dev prod {repo}")), 0);
    assert_eq!(code(&format!("env diff dev prod {repo} --exit-code")), 2);
    assert_eq!(code(&format!("env diff prod prod {repo} --exit-code")), 0);
    assert_eq!(code(&format!("env diff prod nowhere {repo}")), 1);
}

fn copied(from: &Path, to: &Path) {
    assert!(std::process::Command::new("cp").arg("-r").arg(from).arg(to).status().unwrap().success());
}

#[test]
fn what_git_ignores_is_no_change_of_the_working_tree() {
    let f = Folder::new();
    copied(&root().join("examples/deployment-repo/k8s"), f.path());
    f.write(".gitignore", "*.local.yaml\n/scratch/\n!k8s/keep.local.yaml\n");
    f.write("k8s/helm-charts/web/templates/forced.local.yaml", "");
    git(f.path(), &["init", "--quiet", "--initial-branch=main"]);
    git(f.path(), &["add", "--all"]);
    git(f.path(), &["add", "--force", "k8s/helm-charts/web/templates/forced.local.yaml"]);
    git(f.path(), &["commit", "--quiet", "--message=start"]);
    let object = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: mine\n";
    let diff = || {
        let out = pintle().current_dir(f.path()).args(["diff", "--no-keys", "--env", "dev"]).output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8_lossy(&out.stdout).into_owned()
    };
    // In a chart, beside it, and where nothing looks: all ignored.
    for path in ["k8s/helm-charts/web/templates/mine.local.yaml", "k8s/mine.local.yaml", "scratch/a/b.yaml"] {
        f.write(path, object);
    }
    let out = diff();
    assert!(out.contains("no difference in dev (") && out.contains(" 0 files changed)"), "{out}");
    // They don't get in by the side door when something else changes.
    let values = f.read("k8s/helm-values/web/dev-config.yaml").replace("replicas: 1", "replicas: 2");
    f.write("k8s/helm-values/web/dev-config.yaml", values);
    let out = diff();
    assert!(out.contains("+  replicas: 2") && !out.contains("mine"), "{out}");
    // What is tracked counts although a pattern fits it, and so does what is new and not ignored.
    f.write("k8s/helm-charts/web/templates/forced.local.yaml", object);
    f.write("k8s/helm-charts/web/templates/new.yaml", object.replace("mine", "fresh"));
    let out = diff();
    assert!(out.contains("ConfigMap shop-dev/mine") && out.contains("ConfigMap shop-dev/fresh"), "{out}");
    // Neither is one that a directory below un-ignores.
    f.write("k8s/helm-charts/web/templates/.gitignore", "!unignored.local.yaml\n");
    f.write("k8s/helm-charts/web/templates/unignored.local.yaml", object.replace("mine", "wanted"));
    assert!(diff().contains("ConfigMap shop-dev/wanted"));
    // A part of a repository has the patterns of the whole.
    let out = pintle().current_dir(f.join("k8s")).args(["diff", "--no-keys", "-o", "json"]).output().unwrap();
    let json: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap_or_default();
    assert!(json.is_null() || json["files"] == 5, "{json}");
}
