//! The chart of the controller itself: the manifests in `deploy/` are its rendering, and it can be installed.

use std::path::Path;
use std::process::Command;

use pintle::cluster::kube::Kube;
use pintle::cluster::{Cluster, Gvk, ObjectId};

use crate::support::cluster::namespace;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_manifests_are_the_chart_rendered() {
    let chart = root().join("charts/pintle");
    let out = Command::new(env!("CARGO_BIN_EXE_pintle"))
        .args(["template", "pintle", chart.to_str().unwrap(), "-n", "flux-system"])
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let text = String::from_utf8(out.stdout).unwrap();
    let file = root().join("deploy/controller/controller.yaml");
    if std::env::var_os("PINTLE_WRITE_GOLDENS").is_some() {
        std::fs::write(&file, &text).unwrap();
    }
    assert!(
        std::fs::read_to_string(&file).unwrap_or_default() == text,
        "deploy/controller/controller.yaml: PINTLE_WRITE_GOLDENS=1"
    );
    let out = Command::new(env!("CARGO_BIN_EXE_pintle"))
        .args(["template", "pintle", chart.to_str().unwrap(), "--set", "access=everything"])
        .output()
        .unwrap();
    assert!(
        !out.status.success() && String::from_utf8_lossy(&out.stderr).contains("access"),
        "the schema names what is wrong"
    );
}

#[test]
fn the_chart_can_be_installed_and_its_arguments_are_known() {
    let ns = namespace("chart");
    let chart = root().join("charts/pintle");
    let gates = "controller.featureGates.AllowDNSLookups=true,controller.watchAllNamespaces=false,replicas=0";
    let out = ns.pintle(&["install", "pintle", chart.to_str().unwrap(), "--set", gates]);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    ns.run(async |cluster: Kube| {
        let id = ObjectId::new(Gvk::new("apps", "v1", "Deployment"), Some(ns.name()), "pintle");
        let deployment = cluster.get(&id).await.unwrap().expect("a Deployment");
        let args = deployment["spec"]["template"]["spec"]["containers"][0]["args"].as_array().unwrap().clone();
        let args: Vec<&str> = args.iter().map(|a| a.as_str().unwrap()).collect();
        assert!(args.contains(&"--feature-gates=AllowDNSLookups=true"), "{args:?}");
        // Nothing is listened to: a kubeconfig that is missing ends it, after its arguments were understood.
        let out = Command::new(env!("CARGO_BIN_EXE_pintle")).args(args).arg("--help").output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        let role = ObjectId::new(Gvk::new("rbac.authorization.k8s.io", "v1", "Role"), Some(ns.name()), "pintle");
        let rules = cluster.get(&role).await.unwrap().expect("a Role")["rules"].to_string();
        assert!(!rules.contains("\"*\""), "nothing is allowed in general: {rules}");
    });
}
