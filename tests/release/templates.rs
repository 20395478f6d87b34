//! `template --dry-run=server`, and its old name `--validate`, beside helm's on the same cluster.

use std::process::Output;

use crate::support::chart;
use crate::support::cluster::{self, Namespace};

fn said(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// Both programs say the same; behind helm's error line there may be more of ours.
fn same(ns: &Namespace, args: &[&str]) -> String {
    let (helm, ours) = (said(&ns.helm(args)), said(&ns.pintle(args)));
    assert_eq!((&ours.0, &ours.1), (&helm.0, &helm.1), "{args:?}\nhelm: {}\nours: {}", helm.2, ours.2);
    assert!(ours.2.starts_with(helm.2.trim_end()), "{args:?}\nhelm: {}\nours: {}", helm.2, ours.2);
    ours.1 + &ours.2
}

#[test]
fn a_template_asks_the_cluster_when_told_to() {
    let ns = cluster::namespace("template");
    let map =
        |name: &str, data: &str| format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {data}\n");
    let looks = map(
        "seen",
        r#"{n: {{ .Release.Namespace }}, version: "{{ .Capabilities.KubeVersion.Version }}", found: "{{ (lookup "v1" "Namespace" "" .Release.Namespace).metadata.name }}", upgrade: "{{ .Release.IsUpgrade }}", crds: "{{ .Capabilities.APIVersions.Has "nobody.example.com/v1" }}"}"#,
    );
    let hook = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: hook\n  annotations: {helm.sh/hook: pre-install}\n";
    let good = chart::write("good", "", &[("templates/a.yaml", &looks), ("templates/hook.yaml", hook)]);
    let good = good.to_str().unwrap();
    let server = same(&ns, &["template", "x", good, "--dry-run=server"]);
    assert!(server.contains(&format!("found: \"{}\"", ns.name())) && server.contains("version: \"v1.37"), "{server}");
    let client = same(&ns, &["template", "x", good, "--dry-run=client", "-n", ns.name(), "--set", "a=1", "--no-hooks"]);
    assert!(!client.contains("v1.37.2"), "{client}");
    let old = same(&ns, &["template", "x", good, "--validate", "--is-upgrade", "-a", "nobody.example.com/v1"]);
    assert!(old.contains("crds: \"false\"") && old.contains("Flag --validate has been deprecated"), "{old}");
    same(&ns, &["template", "x", good, "--validate", "--dry-run=server"]);
    for (value, wrong) in [("none", true), ("false", true), ("perhaps", true), ("true", false)] {
        let text = same(&ns, &["template", "x", good, &format!("--dry-run={value}"), "-n", ns.name()]);
        assert_eq!(text.contains("invalid dry-run value"), wrong, "{text}");
    }

    // What exists and belongs to nobody; a kind that is not served; a template that fails.
    let done = ns.pintle(&["install", "first", good, "--no-hooks"]);
    assert!(done.status.success(), "{:?}", said(&done));
    let taken = same(&ns, &["template", "second", good, "--dry-run=server"]);
    assert!(taken.contains("unable to continue with install: ConfigMap \"seen\""), "{taken}");
    same(&ns, &["template", "second", good, "--dry-run=server", "--take-ownership", "-s", "templates/a.yaml"]);
    same(&ns, &["template", "first", good, "--dry-run=server"]);
    let unknown = "apiVersion: nobody.example.com/v1\nkind: Gadget\nmetadata: {name: a}\n";
    let crd = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: gadgets.nobody.example.com}\nspec:\n  group: nobody.example.com\n  names: {kind: Gadget, plural: gadgets}\n  scope: Namespaced\n  versions: []\n";
    let odd = chart::write("odd", "", &[("crds/c.yaml", crd), ("templates/a.yaml", unknown)]);
    let odd = odd.to_str().unwrap();
    let refused = same(&ns, &["template", "x", odd, "--dry-run=server"]);
    assert!(refused.contains("no matches for kind \"Gadget\"") && refused.contains("contains CRDs"), "{refused}");
    let plain = chart::write("plain", "", &[("crds/c.yaml", crd), ("templates/a.yaml", &map("p", "{}"))]);
    let shown = same(&ns, &["template", "x", plain.to_str().unwrap(), "--dry-run=server", "--include-crds"]);
    assert!(shown.contains("kind: CustomResourceDefinition"), "{shown}");
    same(&ns, &["template", "x", plain.to_str().unwrap(), "--dry-run=server", "--skip-crds"]);
    let broken = chart::write("broken", "", &[("templates/a.yaml", "a: {{ .Values.x.y }}\n")]);
    same(&ns, &["template", "x", broken.to_str().unwrap(), "--dry-run=server"]);
    same(&ns, &["template", "Bad_Name", good, "--dry-run=server"]);
    let away = said(&ns.pintle(&["template", "x", good, "--dry-run=server", "--kube-apiserver", "http://127.0.0.1:1"]));
    let text = "cluster reachability check failed: kubernetes cluster unreachable: Get \"http://127.0.0.1:1/version\": dial tcp";
    assert_eq!((away.0, away.1.as_str()), (Some(1), ""));
    assert!(away.2.contains(&format!("Error: {text}")), "{}", away.2);
}
