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

#[test]
fn the_image_is_what_the_manifests_expect() {
    let text = std::fs::read_to_string(root().join("deploy/Containerfile")).unwrap();
    let lines: Vec<(&str, &str)> =
        text.lines().filter(|l| !l.starts_with('#')).filter_map(|l| l.split_once(' ')).collect();
    let all = |word: &str| lines.iter().filter(|(w, _)| *w == word).map(|(_, rest)| *rest).collect::<Vec<_>>();
    assert_eq!(all("FROM"), ["scratch"]);
    // What is copied is made by the script, for each architecture, and nothing else of the checkout gets in.
    let script = std::fs::read_to_string(root().join("deploy/static.sh")).unwrap();
    let copied: Vec<(&str, &str)> = all("COPY").iter().map(|c| c.split_once(' ').unwrap()).collect();
    for (from, _) in &copied {
        let made = from.replace("${TARGETARCH}", "$arch");
        assert!(script.contains(&made), "{from} is not made by deploy/static.sh");
        assert!(from.starts_with("target/image/"), "{from}");
    }
    assert!(copied.iter().any(|(_, to)| *to == "/etc/ssl/certs/ca-certificates.crt"), "no server would be trusted");
    for arch in ["arch=amd64", "arch=arm64"] {
        assert!(script.contains(arch), "{arch}");
    }
    let list = |word: &str| -> Vec<String> { serde_json::from_str(all(word)[0]).unwrap() };
    let (entry, command) = (list("ENTRYPOINT"), list("CMD"));
    assert!(copied.iter().any(|(_, to)| entry == [*to]), "{entry:?} is copied");
    let controller = std::fs::read(root().join("deploy/controller/controller.yaml")).unwrap();
    let objects = pintle::cluster::manifest::objects(&controller).unwrap();
    let pod = &objects.iter().find(|o| o["kind"] == "Deployment").unwrap()["spec"]["template"]["spec"];
    let container = &pod["containers"][0];
    assert!(container["command"].is_null(), "the image's own");
    assert_eq!(container["args"][0], command[0].as_str());
    let security = &pod["securityContext"];
    assert_eq!(all("USER"), [format!("{}:{}", security["runAsUser"], security["runAsGroup"])]);
    let mut ports: Vec<u64> =
        container["ports"].as_array().unwrap().iter().map(|p| p["containerPort"].as_u64().unwrap()).collect();
    ports.sort_unstable();
    let exposed: Vec<u64> = all("EXPOSE")[0].split(' ').map(|p| p.parse().unwrap()).collect();
    assert_eq!(exposed, ports);
    // It has no folders: those that are written to are mounted.
    for flag in ["--cache-dir=", "--storage-path="] {
        let args = container["args"].as_array().unwrap().iter().filter_map(|a| a.as_str());
        let folder = args.filter_map(|a| a.strip_prefix(flag)).next().unwrap();
        let mounts = container["volumeMounts"].as_array().unwrap();
        assert!(mounts.iter().any(|m| folder.starts_with(m["mountPath"].as_str().unwrap())), "{folder} is mounted");
    }
    let image = container["image"].as_str().unwrap();
    assert!(text.contains(&format!("-t {image} ")) && image.ends_with(env!("CARGO_PKG_VERSION")), "{image}");
}
