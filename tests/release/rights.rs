//! Users who may do less than everything: what Helm does with the rights they have.

use std::process::Output;

use pintle::cluster::{Cluster, FieldValidation, Gvk, Json, WriteOptions};
use serde_json::json;

use crate::support::chart;
use crate::support::cluster::{self, Namespace};

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// A user who may do everything with ConfigMaps, and this with Secrets.
fn user(ns: &Namespace, name: &str, verbs: &[&str]) {
    const RBAC: &str = "rbac.authorization.k8s.io";
    let role = json!({"apiVersion": format!("{RBAC}/v1"), "kind": "Role",
        "metadata": {"name": name, "namespace": ns.name()}, "rules": [
            {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["*"]},
            {"apiGroups": [""], "resources": ["secrets"], "verbs": verbs}]});
    let binding = json!({"apiVersion": format!("{RBAC}/v1"), "kind": "RoleBinding",
        "metadata": {"name": name, "namespace": ns.name()},
        "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": name},
        "subjects": [{"apiGroup": RBAC, "kind": "User", "name": name}]});
    ns.run(async |cluster| {
        let options =
            WriteOptions { field_manager: "test".into(), dry_run: false, validation: FieldValidation::Strict };
        for object in [role, binding] {
            cluster.create(&object, &options).await.unwrap();
        }
    });
}

fn secrets(ns: &Namespace) -> Vec<String> {
    ns.run(async |cluster| {
        let found = cluster.list_metadata(&Gvk::new("", "v1", "Secret"), Some(ns.name()), "").await.unwrap();
        found.iter().filter_map(|o| Some(o.pointer("/metadata/name")?.as_str()?.to_owned())).collect()
    })
}

fn config_map() -> String {
    let text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Release.Name }}}\n";
    chart::write("one", "", &[("templates/a.yaml", text)]).display().to_string()
}

#[test]
fn a_mark_is_given_back_and_taken_over_without_the_right_to_delete() {
    let ns = cluster::namespace("no-delete");
    let chart = config_map();
    user(&ns, "bob", &["create", "update", "get", "list"]);
    let bob = |words: &[&str]| ns.pintle(&[words, &["--kube-as-user", "bob"]].concat());
    let must = |words: &[&str]| {
        let done = bob(words);
        assert!(done.status.success(), "{words:?} {}", text(&done));
        text(&done)
    };
    must(&["install", "r", &chart]);
    must(&["upgrade", "r", &chart]);
    must(&["rollback", "r", "1"]);
    must(&["test", "r"]);
    // A process that died holds the mark.
    let program = env!("CARGO_BIN_EXE_pintle");
    let died = ns
        .command(program.as_ref())
        .args(["upgrade", "r", &chart, "--kube-as-user", "bob"])
        .env("PINTLE_FAULT_POINT", "after create record")
        .output()
        .unwrap();
    assert!(!died.status.success(), "{}", text(&died));
    let said = must(&["upgrade", "r", &chart]);
    assert!(said.contains("taking over from upgrade to revision 4"), "{said}");
    let said = must(&["upgrade", "r", &chart]);
    assert!(!said.contains("taking over"), "{said}");
    must(&["uninstall", "r", "--keep-history"]);
    // What bob could not delete is free for everybody, and goes with the next who can.
    assert!(secrets(&ns).contains(&"sh.pintle.lock.v1.r".to_owned()));
    let done = ns.pintle(&["uninstall", "r"]);
    assert!(done.status.success() && !text(&done).contains("taking over"), "{}", text(&done));
    assert_eq!(secrets(&ns), Vec::<String>::new());
}

#[test]
fn who_may_not_list_records_may_install() {
    let ns = cluster::namespace("no-list");
    let chart = config_map();
    user(&ns, "eve", &["create", "update", "get", "delete"]);
    let eve = |words: &[&str]| ns.pintle(&[words, &["--kube-as-user", "eve"]].concat());
    let done = eve(&["install", "r", &chart]);
    assert!(done.status.success(), "{}", text(&done));
    assert_eq!(secrets(&ns), ["sh.helm.release.v1.r.v1"]);
    // A record that is there is not overwritten.
    let again = eve(&["install", "r", &chart]);
    assert!(!again.status.success(), "{}", text(&again));
    let told: Json = serde_json::from_slice(&ns.pintle(&["history", "r", "-o", "json"]).stdout).unwrap();
    assert_eq!(told.as_array().map(Vec::len), Some(1), "{told}");
}
