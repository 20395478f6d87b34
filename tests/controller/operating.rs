//! The program as it is operated: leader election, a shutdown in the midst of a wait, and the rights that `deploy/` gives it, no more.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use pintle::cluster::kube::{Connection, Kube};
use pintle::cluster::{Cluster, Gvk, Json, ObjectId, Propagation, manifest};
use serde_json::json;

use crate::support::cluster::{namespace, runtime, write_options};
use crate::world::{CONFIG, World};

const NEVER: (&str, &str) = (
    "templates/never.yaml",
    "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {{ .Release.Name }}-never\nspec:\n  replicas: 1\n  selector: {matchLabels: {app: a}}\n  \
     template:\n    metadata: {labels: {app: a}, annotations: {test/never-ready: \"\"}}\n    spec: {containers: [{name: c, image: i}]}\n",
);

fn replica(w: &World) -> Child {
    let mut command = w.ns.command(Path::new(env!("CARGO_BIN_EXE_pintle")));
    command
        .args(["controller", "--metrics-addr=0", "--health-addr=0", "--sources=flux", "--watch-all-namespaces=false"])
        .args(["--min-retry-delay=200ms", "--enable-leader-election", "--leader-election-lease-duration=3s"])
        .args(["--leader-election-renew-deadline=2s", "--leader-election-retry-period=300ms"])
        .env("RUNTIME_NAMESPACE", w.name())
        .env("PINTLE_CACHE_DIR", std::env::temp_dir().join(format!("pintle-operating-{}", std::process::id())))
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.spawn().unwrap()
}

fn lease(w: &World) -> Json {
    w.live("coordination.k8s.io/v1", "Lease", "helm-controller-leader-election").unwrap_or_default()["spec"].clone()
}

fn terminate(mut child: Child) -> Duration {
    let begin = Instant::now();
    assert!(Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
    assert!(child.wait().unwrap().success());
    begin.elapsed()
}

#[test]
fn one_leads_and_the_next_takes_over() {
    let w = World::idle(namespace("leader"), |_| ());
    w.chart("web", "0.1.0", &[CONFIG]);
    w.release("web", "web", json!({"values": {"text": "one"}}));
    let mut first = replica(&w);
    w.ready("web");
    let (holder, transitions) = (lease(&w)["holderIdentity"].clone(), lease(&w)["leaseTransitions"].clone());
    assert!(holder.as_str().is_some_and(|h| !h.is_empty()), "{holder}");
    let second = replica(&w);
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(lease(&w)["holderIdentity"], holder, "a standby does not lead");
    first.kill().unwrap();
    first.wait().unwrap();
    w.change("web", json!({"spec": {"values": {"text": "two"}}}));
    w.until("web", "the upgrade by the next", |r| {
        r.observed() && r.is("Ready", "True") && w.data("web", "text") == "two"
    });
    let now = lease(&w);
    assert_ne!(now["holderIdentity"], holder);
    assert_eq!(now["leaseTransitions"].as_i64(), transitions.as_i64().map(|t| t + 1));
    // Told to end in the midst of a long wait, it hands over: at once, and with the Lease given up.
    w.chart("slow", "0.1.0", &[CONFIG, NEVER]);
    w.release("slow", "slow", json!({"timeout": "30m", "values": {"text": "slow"}}));
    w.until("slow", "the wait", |r| {
        r.message("Ready").starts_with("Running 'install'") && w.data("slow", "text") == "slow"
    });
    let took = terminate(second);
    assert!(took < Duration::from_secs(20), "{took:?}");
    assert_eq!(lease(&w)["holderIdentity"], "", "the Lease is given up");
    assert!(!w.stored("slow").contains("pending"), "{}", w.stored("slow"));
    let third = replica(&w);
    w.chart("slow", "0.2.0", &[CONFIG]);
    let r = w.ready("slow");
    assert!(!r.has("Stalled") && w.live("apps/v1", "Deployment", "slow-never").is_none());
    assert_eq!(w.stored("web"), "1 superseded, 2 deployed", "what was in sync stays so");
    terminate(third);
}

/// A kubeconfig with a token of a service account.
fn kubeconfig(w: &World, account: &str) -> PathBuf {
    let file = std::env::temp_dir().join(format!("pintle-account-{}-{}", std::process::id(), w.name()));
    account_kubeconfig(&w.ns.kubeconfig(), &w.ns.plane().url(), w.name(), account, &file)
}

/// The same from the administrator's and the server's address, written into a file.
pub fn account_kubeconfig(admin: &Path, url: &str, namespace: &str, account: &str, file: &Path) -> PathBuf {
    let mut config: Json = serde_json::from_slice(&std::fs::read(admin).unwrap()).unwrap();
    let url = format!("{url}/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token");
    let answer: Json = runtime().block_on(async {
        let client = reqwest::Client::builder().tls_danger_accept_invalid_certs(true).build().unwrap();
        let body = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}});
        client.post(url).bearer_auth("admintoken").json(&body).send().await.unwrap().json().await.unwrap()
    });
    let token = answer["status"]["token"].as_str().unwrap_or_else(|| panic!("{answer}"));
    config["users"][0]["user"] = json!({"token": token});
    std::fs::write(file, config.to_string()).unwrap();
    file.into()
}

#[test]
fn the_rights_of_the_manifests_are_enough_and_no_more() {
    let mut w = World::idle(namespace("rights"), |o| o.no_cross_namespace_refs = true);
    let ns = w.name().to_owned();
    // The accounts and roles as they are deployed.
    let chart = Path::new(env!("CARGO_MANIFEST_DIR")).join("charts/pintle");
    let out = w.ns.pintle(&["template", "pintle", chart.to_str().unwrap(), "-n", &ns]);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let mut clustered = Vec::new();
    for mut object in manifest::objects(&out.stdout).unwrap() {
        let kind = object["kind"].as_str().unwrap_or_default().to_owned();
        if !["ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"].contains(&kind.as_str()) {
            continue;
        }
        if kind.starts_with("Cluster") {
            clustered.push(ObjectId::of(&object));
        } else {
            object["metadata"]["namespace"] = ns.as_str().into();
        }
        w.run(async |cluster| cluster.create(&object, &write_options()).await.unwrap());
    }
    crate::tenancy::deployer(&w);
    let file = kubeconfig(&w, "pintle");
    w.connect(Connection { kubeconfig: Some(file.clone()), namespace: Some(ns.clone()), ..Connection::default() });
    w.start();
    w.chart("web", "0.1.0", &[CONFIG]);
    w.release("web", "web", json!({"serviceAccountName": "deployer", "values": {"text": "one"}}));
    w.ready("web");
    w.change("web", json!({"spec": {"values": {"text": "two"}}}));
    w.until("web", "the upgrade", |r| r.observed() && r.is("Ready", "True") && w.data("web", "text") == "two");
    w.told("web", "InstallSucceeded UpgradeSucceeded");
    // Its own rights make no release.
    w.release("own", "web", json!({}));
    let r = w.until("own", "the refusal", |r| r.is("Ready", "False"));
    assert!(r.message("Ready").contains("forbidden"), "{}", r.message("Ready"));
    assert_eq!((w.live("v1", "ConfigMap", "own"), w.stored("own").as_str()), (None, ""));
    // The HelmChart of a template is its to make and to delete.
    w.release(
        "template",
        "none",
        json!({"serviceAccountName": "deployer", "chartRef": null,
            "chart": {"spec": {"chart": "web", "sourceRef": {"kind": "HelmRepository", "name": "none"}}}}),
    );
    let template = format!("{ns}-template");
    w.until("template", "the HelmChart", |_| w.live(pintle::api::SOURCE_API, "HelmChart", &template).is_some());
    for name in ["web", "template"] {
        w.run(async |cluster| cluster.delete(&w.id(name), Propagation::Background, None).await.unwrap());
        w.gone(name);
    }
    assert_eq!((w.stored("web").as_str(), w.live("v1", "ConfigMap", "web")), ("", None));
    assert_eq!(w.live(pintle::api::SOURCE_API, "HelmChart", &template), None);
    // And it can read no more than that: no pods, no other writes.
    runtime().block_on(async {
        let connection =
            Connection { kubeconfig: Some(file.clone()), namespace: Some(ns.clone()), ..Connection::default() };
        let kube = Kube::connect(&connection).await.unwrap();
        assert!(kube.list(&Gvk::new("", "v1", "Pod"), Some(&ns), "", "").await.is_err());
        let planted =
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "planted", "namespace": ns}});
        assert!(kube.create(&planted, &write_options()).await.is_err());
    });
    w.stop();
    w.run(async |cluster| {
        for id in &clustered {
            let _ = cluster.delete(id, Propagation::Background, None).await;
        }
    });
    let _ = std::fs::remove_file(file);
}
