//! Releases in a directory: the README's first steps, commits, and what the flags of the actions do.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::chart;

/// A directory of its own, removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("pintle-deploy-{}-{n}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        Self(dir)
    }

    fn run(&self, words: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_pintle"))
            .args(words)
            .args(["-n", "prod"])
            .env("PINTLE_TARGET", format!("dir:{}/deploy", self.0.display()))
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .unwrap()
    }

    fn ok(&self, words: &[&str]) -> String {
        let done = self.run(words);
        assert!(done.status.success(), "{}: {}", words.join(" "), text(&done));
        String::from_utf8(done.stdout).unwrap()
    }

    fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.0.join("deploy").join(path)).unwrap_or_default()
    }

    fn files(&self) -> Vec<String> {
        fn walk(dir: &Path, root: &Path, out: &mut Vec<String>) {
            for e in std::fs::read_dir(dir).into_iter().flatten() {
                let p = e.unwrap().path();
                if p.is_dir() {
                    walk(&p, root, out)
                } else {
                    out.push(p.strip_prefix(root).unwrap().display().to_string())
                }
            }
        }
        let root = self.0.join("deploy");
        let mut out = Vec::new();
        walk(&root, &root, &mut out);
        out.sort();
        out
    }

    fn git(&self, words: &[&str]) -> String {
        let done = Command::new("git")
            .arg("-C")
            .arg(&self.0)
            .args(["-c", "user.name=t", "-c", "user.email=t@example.com"])
            .args(words)
            .output()
            .unwrap();
        assert!(done.status.success(), "{}", text(&done));
        String::from_utf8(done.stdout).unwrap()
    }

    /// Revision, status and description of each revision, a line each.
    fn history(&self, name: &str) -> String {
        let json: serde_json::Value = serde_json::from_str(&self.ok(&["history", name, "-o", "json"])).unwrap();
        let line = |r: &serde_json::Value| {
            format!("{} {} {}\n", r["revision"], r["status"].as_str().unwrap(), r["description"].as_str().unwrap())
        };
        json.as_array().unwrap().iter().map(line).collect()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

const WEB: &str = "examples/deployment-repo/k8s/helm-charts/web";

#[test]
fn the_first_steps_need_no_cluster() {
    let s = Scratch::new();
    let said = s.ok(&["install", "web", WEB, "--set", "replicas=1"]);
    assert!(said.contains("STATUS: deployed\nREVISION: 1\nDESCRIPTION: Install complete\n"), "{said}");
    let objects = ["prod/configmap_web-nginx.yaml", "prod/deployment_web.yaml", "prod/service_web.yaml"];
    let mut files = vec![".pintle/releases/prod/web.v1.json"];
    files.extend(objects);
    assert_eq!(s.files(), files);
    let first = s.read("prod/deployment_web.yaml");
    assert!(first.contains("meta.helm.sh/release-name: web"), "{first}");
    let said = s.ok(&["upgrade", "web", WEB, "--set", "replicas=4"]);
    assert!(said.starts_with("Release \"web\" has been upgraded. Happy Helming!\n"), "{said}");
    assert_ne!(s.read("prod/deployment_web.yaml"), first);
    assert_eq!(s.ok(&["rollback", "web", "1"]), "Rollback was a success! Happy Helming!\n");
    assert_eq!(s.read("prod/deployment_web.yaml"), first);
    assert_eq!(
        s.history("web"),
        "1 superseded Install complete\n2 superseded Upgrade complete\n3 deployed Rollback to 1\n"
    );
    assert_eq!(s.ok(&["uninstall", "web"]), "release \"web\" uninstalled\n");
    assert_eq!(s.files(), Vec::<String>::new());
}

#[test]
fn each_revision_is_a_commit() {
    let s = Scratch::new();
    s.git(&["init", "-q", "-b", "main", "."]);
    for (key, value) in [("user.name", "t"), ("user.email", "t@example.com")] {
        s.git(&["config", key, value]);
    }
    std::fs::write(s.0.join("untouched"), "mine").unwrap();
    s.ok(&["install", "web", WEB, "--commit"]);
    s.ok(&["upgrade", "web", WEB, "--set", "replicas=4", "--commit"]);
    s.ok(&["rollback", "web", "1", "--commit"]);
    s.ok(&["uninstall", "web", "--commit"]);
    assert_eq!(
        s.git(&["log", "--format=%s", "--reverse"]),
        "install web revision 1 (web-0.4.0)\nupgrade web revision 2 (web-0.4.0)\nrollback web revision 3 (web-0.4.0), back to 1\n\
         uninstall web\n"
    );
    assert_eq!(
        s.git(&["status", "--porcelain"]),
        "?? untouched\n",
        "what is not the target's was committed, or something was left"
    );
    let outside = Scratch::new();
    let done = outside.run(&["install", "web", WEB, "--commit"]);
    assert!(text(&done).contains("--commit: "), "{}", text(&done));
}

const VALUES: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Release.Name }}}\ndata: {a: {{ .Values.a }}, b: {{ .Values.b }}}\n";

#[test]
fn values_are_reused_as_asked() {
    let old = chart::write("values", "", &[("values.yaml", "a: old-a\nb: old-b\n"), ("templates/a.yaml", VALUES)]);
    let new = chart::write("values", "", &[("values.yaml", "a: new-a\nb: new-b\n"), ("templates/a.yaml", VALUES)]);
    for (flags, want) in [
        (&[][..], "a: mine\n  b: new-b"),
        (&["--set", "b=given"], "a: new-a\n  b: given"),
        (&["--reset-values"], "a: new-a\n  b: new-b"),
        (&["--reuse-values"], "a: mine\n  b: old-b"),
        (&["--reuse-values", "--set", "b=given"], "a: mine\n  b: given"),
        (&["--reset-then-reuse-values"], "a: mine\n  b: new-b"),
        (&["--reset-then-reuse-values", "--set", "a=given"], "a: given\n  b: new-b"),
    ] {
        let s = Scratch::new();
        s.ok(&["install", "x", old.to_str().unwrap(), "--set", "a=mine"]);
        s.ok(&[&["upgrade", "x", new.to_str().unwrap()], flags].concat());
        let object = s.read("prod/configmap_x.yaml");
        assert!(object.contains(want), "{flags:?}: {object}");
    }
}

#[test]
fn names_are_used_again_only_when_they_are_free() {
    let chart = chart::write("values", "", &[("values.yaml", "a: a\nb: b\n"), ("templates/a.yaml", VALUES)]);
    let chart = chart.to_str().unwrap();
    let s = Scratch::new();
    s.ok(&["install", "x", chart, "--description", "my own words", "--labels", "team=a,tier=b"]);
    let done = s.run(&["install", "x", chart, "--replace"]);
    assert!(text(&done).contains("cannot reuse a name that is still in use"), "{}", text(&done));
    s.ok(&["upgrade", "x", chart, "--labels", "team=null,more=c"]);
    let labels = s.ok(&["get", "metadata", "x", "-o", "json"]);
    assert!(
        labels.contains("\"more\":\"c\"") && labels.contains("\"tier\":\"b\"") && !labels.contains("team"),
        "{labels}"
    );
    s.ok(&["uninstall", "x", "--keep-history"]);
    assert_eq!(s.history("x"), "1 superseded my own words\n2 uninstalled Uninstallation complete\n");
    let done = s.run(&["uninstall", "x", "--keep-history"]);
    assert!(text(&done).contains("the release named \"x\" is already deleted"), "{}", text(&done));
    assert!(!s.run(&["install", "x", chart]).status.success());
    s.ok(&["install", "x", chart, "--replace"]);
    assert_eq!(
        s.history("x"),
        "1 superseded my own words\n2 superseded superseded by new release\n3 deployed Install complete\n"
    );
    for _ in 0..4 {
        s.ok(&["upgrade", "x", chart, "--history-max", "3"]);
    }
    assert_eq!(
        s.history("x"),
        "5 superseded Upgrade complete\n6 superseded Upgrade complete\n7 deployed Upgrade complete\n"
    );
    s.ok(&["uninstall", "x"]);
    let said = s.ok(&["upgrade", "x", chart, "--install"]);
    assert!(said.starts_with("Release \"x\" does not exist. Installing it now.\nNAME: x\n"), "{said}");
}

#[test]
fn what_is_kept_stays_and_what_is_anothers_is_let_alone() {
    let template = "{{ range .Values.names }}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ . }}\n{{- if eq . \"kept\" }}\n  \
                    annotations: {helm.sh/resource-policy: keep}\n{{- end }}\n{{- end }}\n";
    let chart =
        chart::write("policy", "", &[("values.yaml", "names: [kept, plain]\n"), ("templates/a.yaml", template)]);
    let chart = chart.to_str().unwrap();
    let s = Scratch::new();
    s.ok(&["install", "x", chart]);
    let done = s.run(&["install", "y", chart]);
    assert!(text(&done).contains("invalid ownership metadata; annotation validation error"), "{}", text(&done));
    s.ok(&["upgrade", "x", chart, "--set-json", "names=[\"plain\"]"]);
    assert!(s.files().contains(&"prod/configmap_kept.yaml".to_string()));
    s.ok(&["install", "y", chart, "--take-ownership", "--set-json", "names=[\"plain\",\"kept\"]"]);
    let said = s.ok(&["uninstall", "x"]);
    assert!(
        said.contains(
            "1 resource(s) were not deleted because they are not owned by this release:\n[ConfigMap] plain\n"
        ),
        "{said}"
    );
    let said = s.ok(&["uninstall", "y"]);
    assert!(said.contains("These resources were kept due to the resource policy:\n[ConfigMap] kept\n"), "{said}");
    assert_eq!(s.files(), ["prod/configmap_kept.yaml"]);
}

#[test]
fn a_password_that_a_chart_looks_up_is_kept() {
    let template = "{{- $old := lookup \"v1\" \"Secret\" .Release.Namespace \"p\" }}\napiVersion: v1\nkind: Secret\nmetadata: {name: p}\ndata:\n  \
                    p: {{ if $old }}{{ $old.data.p }}{{ else }}{{ randAlphaNum 16 | b64enc }}{{ end }}\n";
    let chart = chart::write("password", "", &[("templates/a.yaml", template)]);
    let s = Scratch::new();
    s.ok(&["install", "x", chart.to_str().unwrap()]);
    let first = s.read("prod/secret_p.yaml");
    s.ok(&["upgrade", "x", chart.to_str().unwrap()]);
    assert_eq!(s.read("prod/secret_p.yaml"), first);
    // A client-side dry run looks nothing up, a server-side one does.
    assert!(
        s.ok(&["upgrade", "x", chart.to_str().unwrap(), "--dry-run=server", "--hide-secret"])
            .contains("# HIDDEN: The Secret output has been suppressed")
    );
}
