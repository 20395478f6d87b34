//! `--plan` on a real server: what would be done is said, what would be refused is known, and nothing is written.

use std::process::Output;

use pintle::cluster::{Cluster, Gvk, Json, ObjectId};

use crate::support::chart;
use crate::support::cluster::{self, Namespace};

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn plan(ns: &Namespace, words: &[&str]) -> Json {
    let done = ns.pintle(&[words, &["--plan", "-o", "json"]].concat());
    assert!(done.status.success(), "{}", text(&done));
    serde_json::from_slice(&done.stdout).unwrap()
}

/// `Kind name: deed`, in order.
fn deeds(plan: &Json, what: &str) -> Vec<String> {
    let word = |o: &Json, key: &str| o[key].as_str().unwrap_or_default().to_string();
    plan[what]
        .as_array()
        .unwrap()
        .iter()
        .map(|o| format!("{} {}: {}", word(o, "kind"), word(o, "name"), word(o, "deed")))
        .collect()
}

fn versions(ns: &Namespace) -> Vec<String> {
    ns.run(async |cluster| {
        let mut out = Vec::new();
        for (group, kind) in [("", "ConfigMap"), ("", "Secret"), ("", "Service"), ("apps", "Deployment")] {
            for o in cluster.list_metadata(&Gvk::new(group, "v1", kind), Some(ns.name()), "").await.unwrap() {
                // The controllers write at a Deployment by themselves.
                let key = if kind == "Deployment" { "/metadata/generation" } else { "/metadata/resourceVersion" };
                out.push(format!("{kind} {} {:?}", ObjectId::of(&o).name, o.pointer(key)));
            }
        }
        out
    })
}

const TEMPLATE: &str = r#"
apiVersion: v1
kind: ConfigMap
metadata:
  name: settings
data:
  color: {{ .Values.color }}
---
apiVersion: v1
kind: Secret
metadata:
  name: password
stringData:
  password: {{ .Values.password }}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: 0
  selector:
    matchLabels: {app: {{ .Values.app }}}
  template:
    metadata:
      labels: {app: {{ .Values.app }}}
    spec:
      containers:
      - name: app
        image: example.com/app:1
{{- range .Values.more }}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ . }}
{{- if eq . "kept" }}
  annotations: {helm.sh/resource-policy: keep}
{{- end }}
{{- end }}
"#;

const HOOK: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: hook\n  annotations:\n    helm.sh/hook: pre-upgrade,post-delete\n    \
                    helm.sh/hook-weight: '-3'\n";

#[test]
fn a_plan_says_what_would_be_done() {
    let ns = cluster::namespace("plan");
    let values = "color: red\npassword: secret-one\napp: web\nmore: [kept, gone]\n";
    let chart = chart::write(
        "plan",
        "",
        &[("templates/all.yaml", TEMPLATE), ("templates/hook.yaml", HOOK), ("values.yaml", values)],
    );
    let chart = chart.to_str().unwrap();
    let before = versions(&ns);
    let said = plan(&ns, &["install", "web", chart]);
    assert_eq!(
        deeds(&said, "objects"),
        [
            "Secret password: create",
            "ConfigMap settings: create",
            "ConfigMap kept: create",
            "ConfigMap gone: create",
            "Deployment web: create"
        ]
    );
    assert_eq!((said["revision"].as_i64(), said["chart"].as_str()), (Some(1), Some("plan-0.1.0")));
    assert_eq!(versions(&ns), before, "a plan wrote");
    let done = ns.pintle(&["install", "web", chart]);
    assert!(done.status.success(), "{}", text(&done));
    let before = versions(&ns);

    // Nothing new: what the server fills in by itself is no change.
    let said = plan(&ns, &["upgrade", "web", chart]);
    let unchanged = deeds(&said, "objects").iter().all(|d| d.ends_with(": unchanged"));
    assert!(unchanged, "{said}");

    let words = ["upgrade", "web", chart, "--set", "color=blue,password=secret-two,app=other,more={new}"];
    let said = plan(&ns, &words);
    assert_eq!(
        deeds(&said, "objects"),
        [
            "Secret password: change",
            "ConfigMap settings: change",
            "ConfigMap new: create",
            "Deployment web: change",
            "ConfigMap gone: delete",
            "ConfigMap kept: keep"
        ]
    );
    let all = said.to_string();
    assert!(!all.contains("c2VjcmV0") && !all.contains("secret-"), "a secret is shown: {all}");
    let field = &said["objects"][1]["fields"][0];
    assert_eq!((field["path"].as_str(), field["before"].as_str()), (Some("data.color"), Some("red")));
    let refused = said["objects"][3]["refused"].as_str().unwrap();
    assert!(refused.contains("spec.selector") && refused.contains("field is immutable"), "{refused}");
    assert_eq!(said["hooks"][0]["event"].as_str(), Some("pre-upgrade"));
    assert_eq!(said["hooks"][0]["weight"].as_i64(), Some(-3));
    let shown = text(&ns.pintle(&[&words[..], &["--plan"]].concat()));
    for line in [
        "upgrade web in namespace plan-",
        "~ ConfigMap plan-",
        "data.color: \"red\" → \"blue\"",
        "! will be refused: ",
        "1 to create, 3 to change, 1 to delete, 1 to keep, 1 will be refused",
    ] {
        assert!(shown.contains(line), "no word of {line:?} in\n{shown}");
    }

    let said = plan(&ns, &["uninstall", "web"]);
    assert_eq!(
        deeds(&said, "objects"),
        [
            "Deployment web: delete",
            "ConfigMap settings: delete",
            "ConfigMap gone: delete",
            "Secret password: delete",
            "ConfigMap kept: keep"
        ]
    );
    assert_eq!(said["hooks"][0]["event"].as_str(), Some("post-delete"));
    assert_eq!(versions(&ns), before, "a plan wrote");

    let done = ns.pintle(&["upgrade", "web", chart, "--set", "color=blue", "--set-json", "more=[]"]);
    assert!(done.status.success(), "{}", text(&done));
    let said = plan(&ns, &["rollback", "web", "1"]);
    assert_eq!(
        deeds(&said, "objects"),
        [
            "Secret password: unchanged",
            "ConfigMap settings: change",
            "ConfigMap kept: unchanged",
            "ConfigMap gone: create",
            "Deployment web: unchanged"
        ]
    );
}

#[test]
fn a_plan_knows_namespaces_and_definitions_that_are_not_there() {
    let ns = cluster::namespace("plan-crd");
    let crd = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: bolts.plan.example.com}\nspec:\n  group: \
               plan.example.com\n  names: {kind: Bolt, plural: bolts}\n  scope: Namespaced\n  versions:\n  - {name: v1, served: true, storage: \
               true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}\n";
    let bolt = "{{- if .Capabilities.APIVersions.Has \"plan.example.com/v1/Bolt\" }}\napiVersion: plan.example.com/v1\nkind: Bolt\nmetadata: \
                {name: mine}\n{{- end }}\n";
    let chart = chart::write("bolts", "", &[("crds/bolts.yaml", crd), ("templates/bolt.yaml", bolt)]);
    let chart = chart.to_str().unwrap();
    let said = plan(&ns, &["install", "web", chart]);
    assert_eq!(deeds(&said, "crds"), ["CustomResourceDefinition bolts.plan.example.com: create"]);
    assert_eq!(deeds(&said, "objects"), ["Bolt mine: create"]);
    let said = plan(&ns, &["install", "web", chart, "-n", "plan-nowhere"]);
    assert_eq!(deeds(&said, "objects")[0], "Namespace plan-nowhere: create");
    assert!(said["objects"][0]["refused"].as_str().unwrap().contains("--create-namespace"), "{said}");
    let said = plan(&ns, &["install", "web", chart, "-n", "plan-nowhere", "--create-namespace"]);
    assert!(said["objects"][0]["refused"].is_null(), "{said}");
    // And the real one sees the kind that it brings along, and waits for it.
    let done = ns.pintle(&["install", "web", chart]);
    assert!(done.status.success(), "{}", text(&done));
    let mine = ObjectId::new(Gvk::new("plan.example.com", "v1", "Bolt"), Some(ns.name()), "mine");
    assert!(ns.run(async |cluster| cluster.get(&mine).await.unwrap().is_some()));
}

#[test]
fn drift_is_what_an_apply_would_change() {
    let ns = cluster::namespace("drift");
    let values = "color: red\npassword: secret-one\napp: web\nmore: [gone]\n";
    let chart = chart::write("drift", "", &[("templates/all.yaml", TEMPLATE), ("values.yaml", values)]);
    let done = ns.pintle(&["install", "web", chart.to_str().unwrap()]);
    assert!(done.status.success(), "{}", text(&done));
    let done = ns.pintle(&["drift", "web", "--detailed-exitcode"]);
    assert_eq!(text(&done), "release \"web\": no drift: 0 of 4 objects differ\n");
    ns.run(async |cluster| {
        let id =
            |group: &str, kind: &str, name: &str| ObjectId::new(Gvk::new(group, "v1", kind), Some(ns.name()), name);
        let options = cluster::write_options();
        let merge = pintle::cluster::PatchType::Merge;
        for (id, body) in [
            (id("", "ConfigMap", "settings"), serde_json::json!({"data": {"color": "green", "foreign": "fine"}})),
            (id("", "Secret", "password"), serde_json::json!({"data": {"password": "aGlkZGVu"}})),
            (id("apps", "Deployment", "web"), serde_json::json!({"spec": {"replicas": 1}})),
        ] {
            cluster.patch(&id, merge, &body, &options).await.unwrap();
        }
        let gone = id("", "ConfigMap", "gone");
        cluster.delete(&gone, pintle::cluster::Propagation::Background, None).await.unwrap();
    });
    let done = ns.pintle(&["drift", "web", "--detailed-exitcode", "--ignore", "Deployment/web=/spec/replicas"]);
    let said = text(&done);
    assert_eq!(done.status.code(), Some(2), "{said}");
    for line in [
        "settings: changed\n  /data/color: \"green\" (wanted: \"red\")\n",
        "password: changed\n",
        "gone: missing\n",
        "release \"web\": drift: 3 of 4 objects differ\n",
    ] {
        assert!(said.contains(line), "no word of {line:?} in\n{said}");
    }
    assert!(!said.contains("aGlkZGVu") && !said.contains("foreign"), "{said}");
    let done = ns.pintle(&["drift", "web", "-o", "json"]);
    let found: Json = serde_json::from_slice(&done.stdout).unwrap();
    assert!(deeds_of(&found).contains(&"Deployment web: changed".to_string()), "{found}");
    let done = ns.pintle(&["drift", "web", "--ignore", "spec/replicas"]);
    assert!(text(&done).contains("is no JSON pointer"), "{}", text(&done));
    let done = ns.pintle(&["upgrade", "web", chart.to_str().unwrap(), "--force-conflicts"]);
    assert!(done.status.success(), "{}", text(&done));
    assert!(ns.pintle(&["drift", "web", "--detailed-exitcode"]).status.success());
}

fn deeds_of(found: &Json) -> Vec<String> {
    let word = |o: &Json, key: &str| o[key].as_str().unwrap_or_default().to_string();
    found
        .as_array()
        .unwrap()
        .iter()
        .map(|o| format!("{} {}: {}", word(o, "kind"), word(o, "name"), word(o, "finding")))
        .collect()
}
