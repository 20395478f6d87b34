//! HelmReleases from installation to deletion.

use serde_json::json;

use crate::world::{CONFIG, World};

/// A template that fails when a value says so.
const FAILS: (&str, &str) = (
    "templates/job.yaml",
    "{{ if .Values.fail }}\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {{ .Release.Name }}-bad\nspec:\n  replicas: 1\n  \
     selector: {matchLabels: {app: bad}}\n  template:\n    metadata:\n      labels: {app: bad}\n      annotations: {test/never-ready: \"\"}\n    \
     spec: {containers: [{name: c, image: i}]}\n{{ end }}\n",
);

#[test]
fn a_release_is_installed_upgraded_and_uninstalled() {
    let w = World::new("lifecycle");
    w.chart("web", "0.1.0", &[CONFIG]);
    w.release("web", "web", json!({"values": {"text": "one"}}));
    let r = w.ready("web");
    let ns = w.name();
    assert_eq!(r.message("Ready"), format!("Helm install succeeded for release {ns}/web.v1 with chart web@0.1.0"));
    assert_eq!((r.reason("Ready"), r.reason("Released")), ("InstallSucceeded".into(), "InstallSucceeded".into()));
    assert!(!r.has("Reconciling") && !r.has("Stalled"));
    assert_eq!(r.history(), "1 deployed install");
    assert_eq!(r.at("/status/lastAttemptedReleaseAction"), "install");
    assert_eq!(r.at("/status/lastAttemptedRevision"), "0.1.0");
    assert_eq!(r.at("/status/storageNamespace"), ns);
    assert_eq!(r.at("/status/inventory/entries"), json!([{"id": format!("{ns}_web__ConfigMap"), "v": "v1"}]));
    assert_eq!(w.data("web", "text"), "one");
    let live = w.live("v1", "ConfigMap", "web").unwrap();
    assert_eq!(live.pointer("/metadata/labels/helm.toolkit.fluxcd.io~1name").unwrap(), "web");
    assert_eq!(live.pointer("/metadata/managedFields/0/manager").unwrap(), "helm-controller");
    assert_eq!(w.stored("web"), "1 deployed");

    // Other values, then another chart.
    w.change("web", json!({"spec": {"values": {"text": "two"}}}));
    let r = w.until("web", "the upgrade", |r| r.history().starts_with("2 deployed upgrade") && r.is("Ready", "True"));
    assert_eq!(r.message("Ready"), format!("Helm upgrade succeeded for release {ns}/web.v2 with chart web@0.1.0"));
    assert_eq!(r.history(), "2 deployed upgrade, 1 superseded install");
    assert_eq!(w.data("web", "text"), "two");
    w.chart("web", "0.2.0", &[CONFIG]);
    w.until("web", "the new chart", |r| r.history().starts_with("3 deployed upgrade") && r.is("Ready", "True"));
    assert_eq!(w.data("web", "chart"), "0.2.0");
    assert_eq!(w.stored("web"), "1 superseded, 2 superseded, 3 deployed");

    // Nothing to do is nothing done.
    w.request("web", "t1", &[]);
    w.until("web", "the answer", |r| r.handled("t1"));
    assert_eq!(w.stored("web"), "1 superseded, 2 superseded, 3 deployed");
    // Once by force.
    w.request("web", "t2", &["forceAt"]);
    let r = w.until("web", "the forced upgrade", |r| r.handled("t2"));
    assert!(r.history().starts_with("4 deployed upgrade"), "{}", r.history());
    assert_eq!(r.at("/status/lastHandledForceAt"), "t2");

    w.run(async |cluster| {
        use pintle::cluster::{Cluster, Propagation};
        cluster.delete(&w.id("web"), Propagation::Background, None).await.unwrap();
    });
    w.gone("web");
    assert_eq!((w.stored("web"), w.live("v1", "ConfigMap", "web")), (String::new(), None));
    w.told("web", "InstallSucceeded UpgradeSucceeded UpgradeSucceeded UpgradeSucceeded UninstallSucceeded");
}

#[test]
fn a_failed_upgrade_is_rolled_back_and_retried_until_it_is_given_up() {
    let w = World::new("rollback");
    let ns = w.name().to_owned();
    w.chart("web", "0.1.0", &[CONFIG, FAILS]);
    w.release("web", "web", json!({"values": {"text": "good"}}));
    w.ready("web");
    w.change(
        "web",
        json!({"spec": {
            "values": {"text": "bad", "fail": true},
            "upgrade": {"timeout": "2s", "remediation": {"retries": 1}},
        }}),
    );
    let r = w.until("web", "the end of all tries", |r| r.is("Stalled", "True"));
    assert_eq!(r.reason("Stalled"), "RetriesExceeded");
    assert!(r.message("Stalled").starts_with("Failed to upgrade after 2 attempt(s)"), "{}", r.message("Stalled"));
    assert_eq!((r.reason("Ready"), r.is("Ready", "False")), ("RollbackSucceeded".into(), true));
    let rolled_back = format!("Helm rollback to previous release {ns}/web.v3 with chart web@0.1.0 succeeded");
    assert!(r.message("Ready").starts_with(&rolled_back), "{}", r.message("Ready"));
    assert!(r.message("Ready").contains("the next attempt is in 15m0s"), "{}", r.message("Ready"));
    assert!(r.is("Remediated", "True") && r.is("Released", "False") && !r.has("Reconciling"));
    assert!(r.message("Released").contains("Helm upgrade failed for release"), "{}", r.message("Released"));
    // What is not ready, and why, stands behind Flux's words.
    assert!(r.message("Released").contains("Deployment"), "{}", r.message("Released"));
    assert_eq!((r.at("/status/upgradeFailures"), r.at("/status/failures")), (json!(2), json!(2)));
    assert_eq!(r.history(), "5 deployed rollback, 4 failed upgrade, 3 superseded rollback");
    assert_eq!(w.stored("web"), "1 superseded, 2 failed, 3 superseded, 4 failed, 5 deployed");
    assert_eq!((w.data("web", "text"), w.live("apps/v1", "Deployment", "web-bad")), ("good".into(), None));
    w.told("web", "InstallSucceeded UpgradeFailed RollbackSucceeded UpgradeFailed RollbackSucceeded");

    // Another spec, another try.
    w.change("web", json!({"spec": {"values": {"text": "better", "fail": null}}}));
    let r = w.ready("web");
    assert_eq!(r.reason("Ready"), "UpgradeSucceeded");
    assert!(!r.has("Stalled") && !r.has("Remediated"));
    assert_eq!(r.at("/status/upgradeFailures"), json!(null));
    assert_eq!(w.data("web", "text"), "better");
}
