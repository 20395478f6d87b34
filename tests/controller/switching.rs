//! From Flux to us: a release whose status and record are as Flux writes them is found in sync, without a new revision.
//!
//! The digest of the snapshot is made here from the text of the record alone, as helm-controller's `internal/release/observation.go` describes
//! it, and not by the program that is tested.

use std::io::Read;

use pintle::cluster::{Cluster, Gvk, Json, ObjectId, PatchType};
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use crate::support::cluster::write_options;
use crate::world::{CONFIG, World};

/// A record, its parts as they are written.
#[derive(Deserialize)]
struct Stored<'r> {
    name: String,
    version: i64,
    namespace: String,
    #[serde(borrow)]
    info: &'r RawValue,
    #[serde(borrow)]
    chart: Chart<'r>,
    #[serde(borrow)]
    config: &'r RawValue,
    #[serde(borrow)]
    manifest: &'r RawValue,
}

#[derive(Deserialize)]
struct Chart<'r> {
    #[serde(borrow)]
    metadata: &'r RawValue,
}

fn sha256(text: &str) -> String {
    format!("sha256:{}", data_encoding::HEXLOWER.encode(&Sha256::digest(text.as_bytes())))
}

/// The text of a record in its Secret: base64 in base64 over gzip.
fn decoded(secret: &Json) -> String {
    let base64 = |bytes: &[u8]| data_encoding::BASE64.decode(bytes).unwrap();
    let inner = base64(&base64(secret["data"]["release"].as_str().unwrap().as_bytes()));
    let mut text = String::new();
    flate2::read::GzDecoder::new(inner.as_slice()).read_to_string(&mut text).unwrap();
    text
}

#[test]
fn what_flux_has_released_is_in_sync() {
    let mut w = World::new("switch");
    w.stop();
    // The release itself: Helm's, for Flux is built on it.
    let dir = crate::support::chart::write("web", "", &[CONFIG]);
    let out = w.ns.helm(&["install", "web", dir.to_str().unwrap(), "--set", "text=one"]);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let id = ObjectId::new(Gvk::new("", "v1", "Secret"), Some(w.name()), "sh.helm.release.v1.web.v1");
    let text = decoded(&w.run(async |cluster| cluster.get(&id).await.unwrap().unwrap()));
    let stored: Stored<'_> = serde_json::from_str(&text).unwrap();
    let observed = format!(
        "{{\"name\":{:?},\"version\":{},\"info\":{},\"chartMetadata\":{},\"config\":{},\"manifest\":{},\"hooks\":null,\"namespace\":{:?}}}\n",
        stored.name,
        stored.version,
        stored.info,
        stored.chart.metadata,
        stored.config,
        stored.manifest,
        stored.namespace,
    );
    let config = sha256("text: one\n");
    w.chart("web", "0.1.0", &[CONFIG]);
    w.release("web", "web", json!({"values": {"text": "one"}}));
    let at = "2026-01-01T00:00:00Z";
    let message = format!("Helm install succeeded for release {}/web.v1 with chart web@0.1.0", w.name());
    let condition = |kind: &str| json!({"type": kind, "status": "True", "reason": "InstallSucceeded", "message": message, "observedGeneration": 1, "lastTransitionTime": at});
    let status = json!({
        "observedGeneration": 1,
        "conditions": [condition("Ready"), condition("Released")],
        "history": [{"apiVersion": "v2", "digest": sha256(&observed), "name": "web", "namespace": w.name(), "version": 1, "status": "deployed",
            "action": "install", "chartName": "web", "chartVersion": "0.1.0", "configDigest": config, "firstDeployed": at, "lastDeployed": at}],
        "storageNamespace": w.name(),
        "lastAttemptedGeneration": 1, "lastAttemptedRevision": "0.1.0", "lastAttemptedConfigDigest": config,
        "lastAttemptedReleaseAction": "install", "lastAttemptedReleaseActionDuration": "1.234s",
    });
    let id = w.id("web");
    w.run(async |cluster| {
        let finalizer = json!({"metadata": {"finalizers": ["finalizers.fluxcd.io"]}});
        cluster.patch(&id, PatchType::Merge, &finalizer, &write_options()).await.unwrap();
        cluster.patch_status(&id, PatchType::Merge, &json!({"status": status}), &write_options()).await.unwrap();
    });
    let before = w.get("web").unwrap();
    w.start();
    w.request("web", "t", &[]);
    let after = w.until("web", "the answer", |r| r.handled("t"));
    assert_eq!(w.stored("web"), "1 deployed");
    w.told("web", "");
    let mut expected = before["status"].clone();
    expected["lastHandledReconcileAt"] = "t".into();
    assert_eq!(after.at("/status"), expected);

    // And back: after an upgrade of ours the snapshot verifies by Flux's rules.
    w.change("web", json!({"spec": {"values": {"text": "two <&>"}}}));
    let r = w.until("web", "the upgrade", |r| r.history().starts_with("2 deployed upgrade") && r.is("Ready", "True"));
    let id = ObjectId::new(Gvk::new("", "v1", "Secret"), Some(w.name()), "sh.helm.release.v1.web.v2");
    let text = decoded(&w.run(async |cluster| cluster.get(&id).await.unwrap().unwrap()));
    let stored: Stored<'_> = serde_json::from_str(&text).unwrap();
    let observed = format!(
        "{{\"name\":{:?},\"version\":{},\"info\":{},\"chartMetadata\":{},\"config\":{},\"manifest\":{},\"hooks\":null,\"namespace\":{:?}}}\n",
        stored.name,
        stored.version,
        stored.info,
        stored.chart.metadata,
        stored.config,
        stored.manifest,
        stored.namespace,
    );
    assert_eq!(r.at("/status/history/0/digest"), sha256(&observed));
    assert_eq!(r.at("/status/history/0/configDigest"), sha256("text: two <&>\n"));
}

#[test]
fn with_compat_flux_an_exhausted_release_waits_for_a_change() {
    let w = World::with("compat", |o| {
        o.compat_flux = true;
        o.exhausted_retry = std::time::Duration::from_millis(100);
    });
    w.chart(
        "web",
        "0.1.0",
        &[CONFIG, ("templates/bad.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: NOT-A-NAME\n")],
    );
    w.release("web", "web", json!({}));
    let r = w.until("web", "the stall", |r| r.is("Stalled", "True"));
    assert_eq!(r.message("Stalled"), "Failed to install after 1 attempt(s)");
    assert!(r.message("Ready").starts_with("Helm install failed for release"), "{}", r.message("Ready"));
    assert!(!r.message("Ready").contains("next attempt"));
    std::thread::sleep(std::time::Duration::from_millis(500));
    w.told("web", "InstallFailed");
    w.chart("web", "0.2.0", &[CONFIG]);
    w.ready("web");
}

#[test]
fn an_exhausted_release_is_tried_again_after_a_while() {
    let w = World::with("exhausted", |o| o.exhausted_retry = std::time::Duration::from_secs(2));
    let quota = ObjectId::new(Gvk::new("", "v1", "ResourceQuota"), Some(w.name()), "none");
    w.run(async |cluster| {
        let object = json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none", "namespace": w.name()},
            "spec": {"hard": {"count/services": "0"}}});
        cluster.create(&object, &write_options()).await.unwrap();
    });
    let service =
        "apiVersion: v1\nkind: Service\nmetadata:\n  name: {{ .Release.Name }}\nspec:\n  ports: [{port: 80}]\n";
    w.chart("web", "0.1.0", &[CONFIG, ("templates/service.yaml", service)]);
    w.release("web", "web", json!({}));
    let r = w.until("web", "a failure", |r| r.is("Stalled", "True"));
    assert_eq!(r.reason("Stalled"), "RetriesExceeded");
    assert!(r.message("Ready").contains("is forbidden"), "{}", r.message("Ready"));
    w.run(async |cluster| {
        assert!(cluster.delete(&quota, pintle::cluster::Propagation::Background, None).await.unwrap())
    });
    // Nobody changed anything of the release.
    w.ready("web");
}
