//! `pintle diff` against what is live and against what an upgrade would make, on a real server and in a directory.

use std::process::Output;

use pintle::cluster::{Cluster, Gvk, ObjectId, PatchType, Propagation};
use serde_json::json;

use crate::support::chart;
use crate::support::cluster::{self, write_options};

const OBJECTS: &str = r#"apiVersion: v1
kind: ConfigMap
metadata: {name: config}
data: {greeting: {{ .Values.greeting | quote }}, same: "1"}
---
apiVersion: v1
kind: Secret
metadata: {name: secret}
stringData: {password: {{ .Values.password | quote }}, user: me}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 0
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: "i:1"}]}
{{- if .Values.more }}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: more}
{{- end }}
"#;

fn app() -> String {
    let values = "greeting: hello\npassword: canary-1\nmore: false\n";
    chart::write("app", "", &[("templates/o.yaml", OBJECTS), ("values.yaml", values)]).display().to_string()
}

fn said(out: &Output) -> (Option<i32>, String) {
    let text = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert!(!text.contains("canary"), "{text}");
    (out.status.code(), text)
}

#[test]
fn live_objects_differ_by_what_an_apply_would_change() {
    let ns = cluster::namespace("diff-live");
    let run = |words: &[&str]| said(&ns.pintle(words));
    assert_eq!(run(&["install", "web", &app()]).0, Some(0));
    // What the server defaults and what others own is no difference.
    ns.run(async |cluster| {
        let id = ObjectId::new(Gvk::new("", "v1", "ConfigMap"), Some(ns.name()), "config");
        let add = json!({"metadata": {"annotations": {"other": "x"}}, "data": {"theirs": "y"}});
        cluster.patch(&id, PatchType::Merge, &add, &write_options()).await.unwrap();
    });
    let live = ["diff", "release", "web", "--live", "--detailed-exitcode"];
    assert_eq!(run(&live), (Some(0), "0 added, 0 changed, 0 removed\n".into()));
    ns.run(async |cluster| {
        let id = |kind, name| ObjectId::new(Gvk::new("", "v1", kind), Some(ns.name()), name);
        let patch =
            async |id: ObjectId, body| cluster.patch(&id, PatchType::Merge, &body, &write_options()).await.unwrap();
        patch(id("Secret", "secret"), json!({"stringData": {"password": "canary-2"}})).await;
        patch(
            ObjectId::new(Gvk::new("apps", "v1", "Deployment"), Some(ns.name()), "web"),
            json!({"spec": {"paused": true, "replicas": 2}}),
        )
        .await;
        cluster.delete(&id("ConfigMap", "config"), Propagation::Background, None).await.unwrap();
    });
    let (code, text) = run(&live);
    assert_eq!(code, Some(2), "{text}");
    for part in [
        "-  replicas: 2\n+  replicas: 0\n",
        "-  password: <masked, before>\n+  password: <masked, after>\n",
        "+  greeting: hello\n",
        "1 added, 2 changed, 0 removed\n",
    ] {
        assert!(text.contains(part), "{part:?} in\n{text}");
    }
    // `paused` is nobody's but theirs, `user` is as it was.
    assert!(
        !text.contains("paused: true\n-") && !text.contains("-  paused") && text.contains("   user: <masked>\n"),
        "{text}"
    );
    let (_, json) = run(&["diff", "release", "web", "--live", "-o", "json"]);
    let list: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(list.as_array().unwrap().len(), 3, "{json}");
    // Nothing was written.
    assert_eq!(run(&live).0, Some(2));
    assert_eq!(run(&["diff", "release", "none", "--live"]).0, Some(1));
}

#[test]
fn an_upgrade_is_compared_before_it_is_made() {
    let ns = cluster::namespace("diff-upgrade");
    let directory = chart::write("target", "", &[]).display().to_string();
    let target = format!("dir:{directory}");
    let chart = app();
    for place in [&[][..], &["--target", &target][..]] {
        let run = |words: &[&str]| said(&ns.pintle(&[words, place].concat()));
        let compare = |more: &[&str]| {
            let words = ["diff", "upgrade", "web", &chart, "--detailed-exitcode"];
            run(&[&words, more].concat())
        };
        let (code, text) = compare(&[]);
        assert!(code == Some(1) && text.contains("\"web\" has no deployed releases"), "{text}");
        let (code, text) = compare(&["--install"]);
        assert!(code == Some(2) && text.contains("3 added, 0 changed, 0 removed"), "{text}");
        assert_eq!(run(&["install", "web", &chart, "--set", "more=true"]).0, Some(0));
        assert_eq!(compare(&["--reuse-values"]), (Some(0), "0 added, 0 changed, 0 removed\n".into()));
        let (code, text) = compare(&["--set", "greeting=bye,password=canary-3,more=false"]);
        assert_eq!(code, Some(2), "{text}");
        for part in [
            "-data: {greeting: \"hello\", same: \"1\"}\n+data: {greeting: \"bye\", same: \"1\"}\n",
            "-  password: <masked, before>\n+  password: <masked, after>\n",
            "0 added, 2 changed, 1 removed\n",
        ] {
            assert!(text.contains(part), "{part:?} in\n{text}");
        }
        let (_, history) = run(&["history", "web", "-o", "json"]);
        assert_eq!(history.matches("\"revision\"").count(), 1, "{history}");
    }
    let live = ["diff", "upgrade", "web", &chart, "--live", "--reuse-values"];
    assert_eq!(said(&ns.pintle(&live)).1, "0 added, 0 changed, 0 removed\n");
}
