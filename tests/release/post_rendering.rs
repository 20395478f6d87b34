//! `--post-renderer` and `--dependency-update`, beside helm: the same plugin, the same chart, the same bytes.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::support::chart;
use crate::support::cluster::peer;

const OBJECTS: &str = r#"# first comment
apiVersion: v1
kind: ConfigMap
metadata:
    name: {{ .Release.Name }}-a  # behind
    labels: {a: "b", 'c': d}
data:
    # about x
    x: "1"
    y: |
      two
      lines
    z: >-
      folded
      text
    w: >
      one

      two
        three
      four
    list: '[1, 2]'
---
apiVersion: v1
kind: Service
metadata:
  name: s
  annotations:
    foo: bar # stays
spec:
  ports: # of the service
    - port: 80
      name: http # line
    # before second
    - port: 81
      name: "x"
    - {port: 82, name: y}
  empty: {}
  none:
  tilde: ~
  yes: on
  num: 0777
  base: &anchor
    k: v
  ref: *anchor
  "quoted key": 'single'
  plain: several
    lines of text
# foot
"#;

const MORE: &str = r#"apiVersion: batch/v1
kind: Job
metadata:
  name: hook
  annotations:
    "helm.sh/hook": post-install
---
# only a comment
---
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: ConfigMap
  metadata:
    name: inlist
- apiVersion: v1
  kind: ConfigMap
  metadata: {name: flowing, annotations: {x: y}}
---
apiVersion: v1
kind: WithoutMetadata
"#;

/// A folder of plugins, and two programs: helm, and pintle.
struct Plugins(PathBuf);

impl Plugins {
    fn new() -> Self {
        Self(chart::write("plugins", "", &[]).parent().unwrap().join("installed"))
    }

    fn add(&self, name: &str, runtime: &str, script: &str) {
        use std::os::unix::fs::PermissionsExt;
        let dir = self.0.join(name);
        std::fs::create_dir_all(&dir).unwrap();
        let config = if runtime == "subprocess" {
            "runtimeConfig:\n  platformCommand:\n  - command: ${HELM_PLUGIN_DIR}/run.sh\n    args: [\"of $HELM_PLUGIN_NAME\"]\n  \
             - os: plan9\n    command: wrong\n"
        } else {
            ""
        };
        let text = format!(
            "apiVersion: v1\nname: {name}\ntype: postrenderer/v1\nruntime: {runtime}\nversion: 0.1.0\n{config}"
        );
        std::fs::write(dir.join("plugin.yaml"), text).unwrap();
        std::fs::write(dir.join("run.sh"), format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(dir.join("run.sh"), std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn run(&self, program: &Path, words: &[&str]) -> Output {
        Command::new(program).args(words).env("HELM_PLUGINS", &self.0).output().unwrap()
    }

    /// Both programs' standard output, and the first line of the error.
    fn both(&self, words: &[&str]) -> [(String, String); 2] {
        [PathBuf::from(env!("CARGO_BIN_EXE_pintle")), peer("helm").join("helm")].map(|program| {
            let out = self.run(&program, words);
            let error = String::from_utf8_lossy(&out.stderr).into_owned();
            let first = error.lines().find(|l| l.starts_with("Error: ")).unwrap_or_default().to_owned();
            (String::from_utf8_lossy(&out.stdout).into_owned(), first)
        })
    }
}

#[test]
fn objects_go_through_a_plugin_as_with_helm() {
    let plugins = Plugins::new();
    plugins.add("pass", "subprocess", "cat");
    plugins.add("tell", "subprocess", "echo \"# $*\"; sed 's/name: s$/name: renamed/'");
    plugins.add(
        "adds",
        "subprocess",
        "cat; printf -- '---\\napiVersion: v1\\nkind: Secret\\nmetadata:\\n  name: added\\n'",
    );
    plugins.add("empty", "subprocess", "cat >/dev/null");
    plugins.add("deaf", "subprocess", "echo 'kind: ConfigMap'");
    plugins.add("broken", "subprocess", "echo why >&2; exit 3");
    plugins.add("bad", "subprocess", "echo 'a: [b'");
    plugins.add("bare", "subprocess", "echo 'a: b'");
    let chart = chart::write(
        "c",
        "",
        &[
            ("templates/a.yaml", OBJECTS),
            ("templates/b.yaml", MORE),
            ("templates/_p.tpl", ""),
            ("templates/NOTES.txt", "hi\n"),
        ],
    );
    let chart = chart.to_str().unwrap();
    let template = |more: &[&str]| plugins.both(&[&["template", "x", chart], more].concat());
    for name in ["pass", "tell", "adds", "empty", "deaf", "broken", "bad", "bare", "nope", "/bin/cat", ""] {
        let [ours, theirs] = template(&["--post-renderer", name]);
        assert_eq!(ours, theirs, "{name}");
    }
    let [ours, theirs] =
        template(&["--post-renderer", "tell", "--post-renderer-args", "one two", "--post-renderer-args", "--three"]);
    assert!(ours.0.contains("# of tell one two --three"), "{}", ours.0);
    assert_eq!(ours, theirs);
    let [ours, theirs] = template(&["--post-renderer", "pass", "--post-renderer", "tell"]);
    assert_eq!(ours, theirs);
}

#[test]
fn what_helm_can_not_say_is_explained() {
    let plugins = Plugins::new();
    plugins.add("broken", "subprocess", "echo the reason >&2; exit 3");
    plugins.add("wasm", "extism/v1", "");
    let chart =
        chart::write("c", "", &[("templates/a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n")]);
    for (name, want) in [("broken", "the reason"), ("wasm", "does not run"), ("nope", "type: postrenderer/v1")] {
        let words = ["template", "x", chart.to_str().unwrap(), "--post-renderer", name];
        let out = plugins.run(env!("CARGO_BIN_EXE_pintle").as_ref(), &words);
        let error = String::from_utf8_lossy(&out.stderr);
        assert!(!out.status.success() && error.contains(want), "{name}: {error}");
    }
}

/// What the plugin made is what a release keeps and applies.
#[test]
fn a_release_keeps_what_the_plugin_made() {
    let plugins = Plugins::new();
    plugins.add("tell", "subprocess", "sed 's/name: a$/name: renamed/'");
    let chart =
        chart::write("c", "", &[("templates/a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n")]);
    let target = format!("dir:{}", chart.join("../target").display());
    let run = |words: &[&str]| {
        let words = [words, &["--target", &target]].concat();
        let out = plugins.run(env!("CARGO_BIN_EXE_pintle").as_ref(), &words);
        assert!(out.status.success(), "{words:?}: {}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8_lossy(&out.stdout).into_owned()
    };
    let path = chart.to_str().unwrap();
    run(&["install", "x", path, "--post-renderer", "tell"]);
    assert!(run(&["get", "manifest", "x"]).contains("name: renamed"));
    run(&["upgrade", "x", path]);
    assert!(run(&["get", "manifest", "x"]).contains("name: a\n"));
    run(&["upgrade", "x", path, "--post-renderer", "tell"]);
    assert!(run(&["get", "manifest", "x"]).contains("name: renamed"));
}

#[test]
fn missing_dependencies_are_fetched_when_that_is_asked_for() {
    let said = ["pintle", "helm"].map(|name| {
        let program = if name == "helm" { peer("helm").join("helm") } else { env!("CARGO_BIN_EXE_pintle").into() };
        let child = ("../sub/templates/a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: sub}\n");
        let dependency = "dependencies:\n- {name: sub, version: 0.1.0, repository: \"file://../sub\"}\n";
        let meta = ("../sub/Chart.yaml", "apiVersion: v2\nname: sub\nversion: 0.1.0\n");
        let chart = chart::write("parent", dependency, &[child, meta]);
        let run = |more: &[&str]| {
            let out = Command::new(&program).args(["template", "x"]).arg(&chart).args(more).output().unwrap();
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            (out.status.success(), text(&out.stdout), text(&out.stderr).lines().next().unwrap_or_default().to_owned())
        };
        let refused = run(&[]);
        let fetched = run(&["--dependency-update"]);
        assert!(fetched.0 && chart.join("charts/sub-0.1.0.tgz").exists(), "{name}: {fetched:?}");
        // Once they are there, nothing is fetched.
        let again = run(&["--dependency-update"]);
        [refused, fetched, again]
    });
    assert_eq!(said[0], said[1]);
}
