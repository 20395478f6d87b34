//! Commands as people see them run: tests with their pods' logs, progress on a terminal, a server that goes away in the middle.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use pintle::cluster::{Cluster, Gvk, ObjectId, PatchType};
use serde_json::json;

use crate::support::chart;
use crate::support::cluster::{self, LOG, Namespace, runtime, write_options};
use crate::support::proxy::Proxy;

const TESTS: &str = r#"apiVersion: v1
kind: Pod
metadata:
  name: works
  annotations: {helm.sh/hook: test, test/complete: "", helm.sh/hook-weight: "1"}
spec:
  restartPolicy: Never
  containers: [{name: first, image: i}, {name: second, image: i}]
---
apiVersion: v1
kind: Pod
metadata:
  name: {{ if .Values.fail }}fails{{ else }}passes{{ end }}
  annotations: {helm.sh/hook: test, test/{{ if .Values.fail }}fail{{ else }}complete{{ end }}: "", helm.sh/hook-weight: "2"}
spec:
  restartPolicy: Never
  containers: [{name: main, image: i}]
"#;

/// Without what differs from run to run.
fn steady(text: &str, ns: &Namespace) -> String {
    let lines = text.replace(ns.name(), "NAMESPACE");
    let varies = |l: &&str| !["LAST DEPLOYED:", "Last Started:", "Last Completed:"].iter().any(|p| l.starts_with(p));
    lines.lines().filter(varies).map(|l| format!("{l}\n")).collect()
}

#[test]
fn tests_pass_and_fail_as_with_helm_and_show_their_logs() {
    let chart = chart::write("t", "", &[("templates/t.yaml", TESTS), ("values.yaml", "fail: false\n")]);
    let chart = chart.to_str().unwrap();
    for (fail, words) in [
        ("false", &["test", "x"][..]),
        ("false", &["test", "x", "--logs"][..]),
        ("false", &["test", "x", "--logs", "--filter", "name=works"][..]),
        ("true", &["test", "x", "--logs"][..]),
        ("true", &["test", "x", "--filter", "!name=fails"][..]),
    ] {
        let [ours, theirs] = ["pintle", "helm"].map(|program| {
            let ns = cluster::namespace(&format!("tests-{program}"));
            let run = |words: &[&str]| if program == "helm" { ns.helm(words) } else { ns.pintle(words) };
            let set = format!("fail={fail}");
            assert!(run(&["install", "x", chart, "--set", &set]).status.success());
            let out = run(words);
            let error = String::from_utf8_lossy(&out.stderr).into_owned();
            let first = error.lines().find(|l| l.starts_with("Error: ")).unwrap_or_default().to_owned();
            (out.status.code(), steady(&String::from_utf8_lossy(&out.stdout), &ns), steady(&first, &ns))
        });
        assert_eq!(ours, theirs, "{words:?} {fail}");
        assert_eq!(ours.1.contains(LOG), words.contains(&"--logs"), "{}", ours.1);
    }
}

fn deployment(annotations: &str) -> String {
    let object = format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web}}\nspec:\n  selector: {{matchLabels: {{app: web}}}}\n  template:\n    \
         metadata: {{labels: {{app: web}}, annotations: {{{annotations}}}}}\n    spec: {{containers: [{{name: c, image: i}}]}}\n"
    );
    chart::write("web", "", &[("templates/d.yaml", &object)]).display().to_string()
}

/// Lets the Deployment `web` become ready once it has been waited for.
fn heal(ns: &Namespace) {
    let id = ObjectId::new(Gvk::new("apps", "v1", "Deployment"), Some(ns.name()), "web");
    ns.run(async |cluster| {
        let begin = Instant::now();
        while cluster.get(&id).await.unwrap().is_none() {
            assert!(begin.elapsed() < Duration::from_secs(60), "it was never applied");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
        let body = json!({"spec": {"template": {"metadata": {"annotations": {"test/never-ready": null}}}}});
        cluster.patch(&id, PatchType::Merge, &body, &write_options()).await.unwrap();
    });
}

#[test]
fn a_terminal_shows_a_line_for_each_object() {
    let ns = cluster::namespace("terminal");
    let chart = deployment("test/never-ready: \"\"");
    let inner = format!("{} install x {chart} --wait --timeout 1m", env!("CARGO_BIN_EXE_pintle"));
    // `script` gives the program a terminal.
    let mut command = ns.command("script".as_ref());
    command.args(["-qec", &inner, "/dev/null"]).env("TERM", "xterm").stdin(Stdio::null());
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    heal(&ns);
    let out = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(out.status.success(), "{text}");
    assert!(text.contains("\u{1b}[") && text.contains("/web InProgress: "), "{text}");
    assert!(text.contains('✓') && text.contains("\nNAME: x\r\n") && text.contains("STATUS: deployed"), "{text}");
    // Without a terminal there are plain lines, and none with --quiet.
    let ns = cluster::namespace("no-terminal");
    let mut command = ns.command(env!("CARGO_BIN_EXE_pintle").as_ref());
    command.args(["install", "x", &chart, "--wait", "--timeout", "1m"]).stdin(Stdio::null());
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    heal(&ns);
    let out = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(out.status.success() && text.contains("web: InProgress: ") && !text.contains('\u{1b}'), "{text}");
    let out = ns.pintle(&["upgrade", "x", &deployment("a: b"), "--wait", "--quiet"]);
    assert!(out.status.success() && out.stderr.is_empty(), "{}", String::from_utf8_lossy(&out.stderr));
}

/// Half a minute without a server, while a release is waited for.
#[test]
fn a_server_that_goes_away_for_half_a_minute_is_waited_for() {
    let ns = cluster::namespace("outage");
    let proxy = Proxy::start(ns.plane());
    let url = proxy.connection(&ns.connection()).api_server.unwrap();
    let chart = deployment("test/never-ready: \"\"");
    let child = Command::new(env!("CARGO_BIN_EXE_pintle"))
        .args(["install", "x", &chart, "--wait", "--timeout", "4m", "-n", ns.name(), "--kube-apiserver", &url])
        .env("KUBECONFIG", ns.kubeconfig())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let id = ObjectId::new(Gvk::new("apps", "v1", "Deployment"), Some(ns.name()), "web");
    ns.run(async |cluster| {
        let begin = Instant::now();
        while proxy.seen("GET", "watch=") == 0 {
            assert!(begin.elapsed() < Duration::from_secs(60), "it never waited");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let heal = async {
            tokio::time::sleep(Duration::from_secs(15)).await;
            let body = json!({"spec": {"template": {"metadata": {"annotations": {"test/never-ready": null}}}}});
            cluster.patch(&id, PatchType::Merge, &body, &write_options()).await.unwrap();
        };
        tokio::join!(proxy.outage(Duration::from_secs(30)), heal);
    });
    let out = runtime()
        .block_on(async { tokio::task::spawn_blocking(move || child.wait_with_output()).await })
        .unwrap()
        .unwrap();
    let text = String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success() && text.contains("STATUS: deployed"), "{text}");
    assert_eq!(proxy.seen("PATCH", "/deployments/web"), 1, "applied twice");
    let history = String::from_utf8(ns.helm(&["history", "x", "-o", "json"]).stdout).unwrap();
    assert!(history.matches("\"revision\"").count() == 1 && history.contains("Install complete"), "{history}");
}
