//! What a HelmRelease meets in its life: other hands on its release, drift, tests, dependencies, values that change, restarts.

use std::time::{Duration, Instant};

use pintle::cluster::{Cluster, Gvk, Json, ObjectId, PatchType, Propagation};
use serde_json::json;

use crate::support::cluster::write_options;
use crate::world::{CONFIG, World, package};

fn delete(w: &World, id: &ObjectId) {
    w.run(async |cluster| assert!(cluster.delete(id, Propagation::Background, None).await.unwrap(), "{id}"));
}

fn create(w: &World, mut object: Json) {
    object["metadata"]["namespace"] = w.name().into();
    w.run(async |cluster| cluster.create(&object, &write_options()).await.unwrap());
}

fn config(w: &World, name: &str, data: Json) {
    create(w, json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}));
}

fn patch(w: &World, kind: &str, name: &str, body: Json) {
    let id = ObjectId::new(Gvk::new("", "v1", kind), Some(w.name()), name);
    w.run(async |cluster| cluster.patch(&id, PatchType::Merge, &body, &write_options()).await.unwrap());
}

#[test]
fn a_release_made_by_helm_is_adopted() {
    let w = World::new("adopt");
    let dir = crate::support::chart::write("web", "", &[CONFIG]);
    let out = w.ns.helm(&["install", "web", dir.to_str().unwrap(), "--set", "text=helm"]);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    w.chart("web", "0.1.0", &[CONFIG]);
    w.release("web", "web", json!({"values": {"text": "ours"}}));
    let r = w.ready("web");
    assert_eq!((r.history().as_str(), r.reason("Ready").as_str()), ("2 deployed upgrade", "UpgradeSucceeded"));
    assert_eq!((w.stored("web").as_str(), w.data("web", "text").as_str()), ("1 superseded, 2 deployed", "ours"));
    // helm goes on reading it, and what it writes is brought back.
    let out = w.ns.helm(&["upgrade", "web", dir.to_str().unwrap(), "--set", "text=other", "--force-conflicts"]);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    w.request("web", "t", &[]);
    let r = w.until("web", "the upgrade over helm's", |r| r.handled("t"));
    assert_eq!((r.history().as_str(), w.data("web", "text").as_str()), ("4 deployed upgrade", "ours"));
    // A rollback behind its back too.
    let out = w.ns.helm(&["rollback", "web", "3", "--force-conflicts"]);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    w.request("web", "u", &[]);
    w.until("web", "the upgrade over the rollback", |r| r.handled("u"));
    assert_eq!(w.data("web", "text"), "ours");
    // And an uninstall.
    let out = w.ns.helm(&["uninstall", "web"]);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    w.request("web", "v", &[]);
    let r = w.until("web", "the new installation", |r| r.handled("v"));
    assert_eq!((r.history().as_str(), w.data("web", "text").as_str()), ("1 deployed install", "ours"));
}

#[test]
fn a_controller_that_starts_finds_all_in_sync() {
    let mut w = World::new("restart");
    w.chart("web", "0.1.0", &[CONFIG]);
    w.release("web", "web", json!({"values": {"text": "one"}}));
    let before = w.ready("web");
    w.stop();
    w.start();
    w.request("web", "t", &[]);
    let after = w.until("web", "the answer", |r| r.handled("t"));
    assert_eq!(before.at("/status/history"), after.at("/status/history"));
    assert_eq!(w.stored("web"), "1 deployed");
    w.told("web", "InstallSucceeded");
    // What changed while nobody was there is done.
    w.stop();
    w.change("web", json!({"spec": {"values": {"text": "two"}}}));
    w.start();
    w.until("web", "the upgrade", |r| r.history().starts_with("2 deployed upgrade"));
}

#[test]
fn a_pending_revision_of_a_dead_program_is_unlocked() {
    let mut w = World::new("unlock");
    w.chart("web", "0.1.0", &[CONFIG]);
    w.release("web", "web", json!({"values": {"text": "one"}}));
    w.ready("web");
    w.stop();
    // As a helm that was killed leaves it.
    let record = w.run(async |cluster| {
        use pintle::release::storage::{Driver, Objects};
        use pintle::release::{Status, Storage};
        let storage = Objects::new(std::sync::Arc::new(cluster), Driver::Secret, Some(w.name()), "helm");
        let mut record = storage.last("web").await.unwrap();
        record.version = 2;
        record.info.status = Status::PendingUpgrade;
        storage.create(&record).await.unwrap();
        record
    });
    assert_eq!(record.version, 2);
    w.start();
    w.request("web", "t", &[]);
    let r = w.until("web", "the end", |r| r.handled("t") && r.is("Ready", "True"));
    // It bears the object's name and is what was attempted last: what may be rolled back to is not forgotten.
    assert_eq!(r.history(), "3 deployed upgrade, 2 failed install, 1 superseded install");
    assert_eq!(w.stored("web"), "1 superseded, 2 failed, 3 deployed");
    let unlocked = w.run(async |cluster| {
        use pintle::release::Storage;
        use pintle::release::storage::{Driver, Objects};
        Objects::new(std::sync::Arc::new(cluster), Driver::Secret, Some(w.name()), "helm").get("web", 2).await.unwrap()
    });
    assert_eq!(unlocked.info.description, "Release unlocked from stale 'pending-upgrade' state");
    w.told("web", "InstallSucceeded PendingRelease UpgradeSucceeded");
}

#[test]
fn drift_is_told_or_corrected() {
    let w = World::new("drift");
    w.chart("web", "0.1.0", &[CONFIG]);
    w.release("web", "web", json!({"values": {"text": "ours"}, "driftDetection": {"mode": "warn"}}));
    w.ready("web");
    patch(&w, "ConfigMap", "web", json!({"data": {"text": "theirs", "more": "x"}}));
    w.request("web", "t1", &[]);
    let r = w.until("web", "the word", |r| r.handled("t1"));
    assert_eq!(r.reason("Drifted"), "DriftDetected");
    let ns = w.name();
    assert_eq!(
        r.message("Drifted"),
        format!(
            "Cluster state of release {ns}/web.v1 has drifted from the desired state:\nConfigMap/{ns}/web changed (0 additions, 1 changes, 0 removals)"
        )
    );
    assert_eq!((w.data("web", "text").as_str(), r.is("Ready", "True")), ("theirs", true));
    // Corrected, but for what is ignored.
    w.change("web", json!({"spec": {"driftDetection": {"mode": "enabled", "ignore": [{"paths": ["/data/chart"]}]}}}));
    w.until("web", "the correction", |r| r.observed() && r.reason("Drifted") == "NoDriftDetected");
    assert_eq!(w.data("web", "text"), "ours");
    patch(&w, "ConfigMap", "web", json!({"data": {"chart": "other"}}));
    w.request("web", "t2", &[]);
    let r = w.until("web", "nothing", |r| r.handled("t2"));
    assert_eq!((r.reason("Drifted").as_str(), w.data("web", "chart").as_str()), ("NoDriftDetected", "other"));
    // What is gone comes back; no revision is made.
    delete(&w, &ObjectId::new(Gvk::new("", "v1", "ConfigMap"), Some(w.name()), "web"));
    w.request("web", "t3", &[]);
    w.until("web", "the object", |r| r.handled("t3"));
    assert_eq!((w.data("web", "text").as_str(), w.stored("web").as_str()), ("ours", "1 deployed"));
    w.told("web", "InstallSucceeded DriftDetected DriftDetected DriftCorrected DriftCorrected");
}

/// A test hook whose end a value chooses.
const TEST: (&str, &str) = (
    "templates/test.yaml",
    "apiVersion: v1\nkind: Pod\nmetadata:\n  name: {{ .Release.Name }}-test\n  annotations:\n    helm.sh/hook: test\n    \
     test/{{ .Values.test | default \"complete\" }}: \"\"\nspec:\n  restartPolicy: Never\n  containers: [{name: c, image: i}]\n",
);

#[test]
fn tests_decide() {
    let w = World::new("tests");
    w.chart("web", "0.1.0", &[CONFIG, TEST]);
    w.release("web", "web", json!({"values": {"text": "a"}, "test": {"enable": true}}));
    let r = w.ready("web");
    assert_eq!((r.reason("Ready").as_str(), r.reason("TestSuccess").as_str()), ("TestSucceeded", "TestSucceeded"));
    assert!(r.message("Ready").ends_with(": 1 test hook completed successfully"), "{}", r.message("Ready"));
    assert_eq!(r.at("/status/history/0/testHooks/web-test/phase"), "Succeeded");
    // One final event.
    w.told("web", "TestSucceeded");
    w.change("web", json!({"spec": {"values": {"test": "fail", "text": "b"}, "upgrade": {"remediation": {"retries": 0, "remediateLastFailure": true}}}}));
    let r = w.until("web", "the rollback", |r| r.is("Stalled", "True"));
    assert_eq!((r.reason("Ready").as_str(), w.data("web", "text").as_str()), ("RollbackSucceeded", "a"));
    assert_eq!(r.at("/status/upgradeFailures"), 1);
    w.told("web", "TestSucceeded TestFailed RollbackSucceeded");
    // Ignored, they change nothing.
    w.change("web", json!({"spec": {"test": {"ignoreFailures": true}}}));
    let r = w.until("web", "the upgrade", |r| r.observed() && r.is("Ready", "True"));
    assert_eq!((r.reason("Ready").as_str(), r.reason("TestSuccess").as_str()), ("UpgradeSucceeded", "TestFailed"));
    assert_eq!(w.data("web", "text"), "b");
}

#[test]
fn dependents_start_at_once_and_rings_are_told() {
    let w = World::new("depend");
    w.chart("web", "0.1.0", &[CONFIG]);
    let on = |name: &str| json!({"dependsOn": [{"name": name}]});
    w.release("c", "web", on("b"));
    w.release("b", "web", on("a"));
    // At first b itself may not be there.
    let r = w.until("c", "the wait", |r| r.message("Ready").ends_with("/b' is not ready"));
    assert_eq!(r.reason("Ready"), "DependencyNotReady");
    assert!(r.message("Ready").starts_with("dependency '"), "{}", r.message("Ready"));
    let begin = Instant::now();
    w.release("a", "web", json!({}));
    w.ready("c");
    // Waiting by the clock would take twice 20 s.
    assert!(begin.elapsed() < Duration::from_secs(15), "{:?}", begin.elapsed());
    w.release("x", "web", on("y"));
    w.release("y", "web", on("x"));
    let r = w.until("x", "the ring", |r| r.message("Ready").contains("circle"));
    let ns = w.name();
    assert!(r.message("Ready").ends_with(&format!("{ns}/x → {ns}/y → {ns}/x")), "{}", r.message("Ready"));
    // By an expression, over another kind too.
    w.release("e", "web", json!({"dependsOn": [{"name": "flag", "kind": "ConfigMap", "apiVersion": "v1", "readyExpr": "dep.data.go == 'yes'"}]}));
    w.until("e", "the wait", |r| r.reason("Ready") == "DependencyNotReady");
    config(&w, "flag", json!({"go": "no"}));
    w.until("e", "no", |r| r.message("Ready").ends_with("is not ready according to readyExpr eval"));
    patch(&w, "ConfigMap", "flag", json!({"data": {"go": "yes"}}));
    w.ready("e");
    w.release("bad", "web", json!({"dependsOn": [{"name": "a", "readyExpr": "dep.("}]}));
    let r = w.until("bad", "the refusal", |r| r.is("Stalled", "True"));
    assert_eq!(
        (r.reason("Stalled").as_str(), r.reason("Ready").as_str()),
        ("InvalidCELExpression", "InvalidCELExpression")
    );
}

#[test]
fn values_are_watched_by_name() {
    let w = World::new("values");
    w.chart("web", "0.1.0", &[CONFIG]);
    w.release(
        "web",
        "web",
        json!({"valuesFrom": [
            {"kind": "ConfigMap", "name": "base"}, {"kind": "Secret", "name": "extra", "optional": true},
        ]}),
    );
    let r = w.until("web", "the error", |r| r.reason("Ready") == "ValuesError");
    assert!(
        r.message("Ready").contains("could not resolve ConfigMap chart values reference"),
        "{}",
        r.message("Ready")
    );
    config(&w, "base", json!({"values.yaml": "text: one"}));
    w.ready("web");
    assert_eq!(w.data("web", "text"), "one");
    patch(&w, "ConfigMap", "base", json!({"data": {"values.yaml": "text: two"}}));
    w.until("web", "the change", |r| r.history().starts_with("2 deployed") && r.is("Ready", "True"));
    create(
        &w,
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "extra"}, "stringData": {"values.yaml": "text: three"}}),
    );
    w.until("web", "the Secret", |r| r.history().starts_with("3 deployed") && r.is("Ready", "True"));
    assert_eq!(w.data("web", "text"), "three");
    // A file beside the chart, from another source.
    let files = crate::world::tarball(&[("values/web/prod.yaml".to_owned(), "text: from git\n")]);
    w.source(
        "GitRepository",
        "config",
        "main@sha1:1",
        files,
        json!({"url": "https://example.com/x", "interval": "1h"}),
    );
    w.change(
        "web",
        json!({"spec": {"valuesFrom": [{"kind": "GitRepository", "name": "config", "path": "values/web/prod.yaml"}]}}),
    );
    w.until("web", "the file", |r| r.history().starts_with("4 deployed") && r.is("Ready", "True"));
    assert_eq!(w.data("web", "text"), "from git");
}

const NEVER: (&str, &str) = (
    "templates/never.yaml",
    "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {{ .Release.Name }}\nspec:\n  replicas: 1\n  selector: {matchLabels: {app: a}}\n  \
     template:\n    metadata: {labels: {app: a}, annotations: {test/never-ready: \"\"}}\n    spec: {containers: [{name: c, image: i}]}\n",
);

#[test]
fn slow_releases_keep_nobody_from_work_and_newer_specs_end_a_wait() {
    let w = World::with("slow", |o| o.concurrent = 1);
    w.chart("slow", "0.1.0", &[CONFIG, NEVER]);
    w.chart("web", "0.1.0", &[CONFIG]);
    for name in ["slow-a", "slow-b"] {
        w.release(name, "slow", json!({"timeout": "5m", "values": {"text": "one"}}));
    }
    for name in ["slow-a", "slow-b"] {
        w.until(name, "the wait", |r| r.message("Ready").starts_with("Running 'install' action"));
    }
    let begin = Instant::now();
    w.release("web", "web", json!({}));
    w.ready("web");
    assert!(begin.elapsed() < Duration::from_secs(30));
    // A chart that becomes ready, in the midst of the wait.
    w.chart("slow", "0.2.0", &[CONFIG]);
    let r = w.ready("slow-a");
    assert!(begin.elapsed() < Duration::from_secs(60), "the wait went on");
    assert_eq!(
        (r.history().as_str(), r.reason("Ready").as_str()),
        ("2 deployed upgrade, 1 superseded install", "UpgradeSucceeded")
    );
    assert_eq!((r.at("/status/failures"), w.live("apps/v1", "Deployment", "slow-a")), (json!(null), None));
    w.told("slow-a", "HealthCheckCanceled UpgradeSucceeded");
}

#[test]
fn failed_installations_are_undone_and_retried() {
    let w = World::new("installs");
    w.chart("web", "0.1.0", &[CONFIG, NEVER]);
    w.release("web", "web", json!({"timeout": "2s", "install": {"remediation": {"retries": 1}}}));
    let r = w.until("web", "the end", |r| r.is("Stalled", "True"));
    assert_eq!(r.at("/status/installFailures"), 2);
    w.told("web", "InstallFailed UninstallSucceeded InstallFailed");
    assert!(r.message("Ready").contains("resource Deployment/"), "{}", r.message("Ready"));
    // Under retry it is upgraded in place.
    w.release(
        "again",
        "web",
        json!({"timeout": "2s", "install": {"strategy": {"name": "RetryOnFailure", "retryInterval": "1s"}},
        "upgrade": {"strategy": {"name": "RetryOnFailure", "retryInterval": "1s"}}}),
    );
    w.until("again", "some tries", |r| r.history().starts_with("3 failed upgrade"));
    w.chart("web", "0.2.0", &[CONFIG]);
    let r = w.until("again", "the end", |r| r.is("Ready", "True"));
    assert_eq!((r.at("/status/failures"), r.at("/status/installFailures")), (json!(null), json!(null)));
}

#[test]
fn targets_change_and_releases_are_suspended() {
    let w = World::new("target");
    w.chart("web", "0.1.0", &[CONFIG]);
    w.release("web", "web", json!({"values": {"text": "one"}}));
    w.ready("web");
    w.change("web", json!({"spec": {"releaseName": "shop"}}));
    let r = w.until("web", "the other release", |r| r.at("/status/history/0/name") == "shop" && r.is("Ready", "True"));
    assert_eq!(
        (r.history().as_str(), w.stored("web").as_str(), w.stored("shop").as_str()),
        ("1 deployed install", "", "1 deployed")
    );
    assert_eq!(w.live("v1", "ConfigMap", "web"), None);
    w.told("web", "InstallSucceeded UninstallSucceeded InstallSucceeded");
    // Suspended, nothing is done, not even at deletion.
    w.change("web", json!({"spec": {"suspend": true, "values": {"text": "two"}}}));
    w.until("web", "the suspension", |r| r.observed());
    assert_eq!(w.data("shop", "text"), "one");
    delete(&w, &w.id("web"));
    w.gone("web");
    assert_eq!((w.stored("shop").as_str(), w.data("shop", "text").as_str()), ("1 deployed", "one"));
}

#[test]
fn a_tenant_can_do_what_its_account_can() {
    let w = World::new("tenant");
    w.chart("web", "0.1.0", &[CONFIG]);
    create(&w, json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "deployer"}}));
    w.release("web", "web", json!({"serviceAccountName": "deployer"}));
    let r = w.until("web", "the refusal", |r| r.is("Ready", "False"));
    assert!(
        r.message("Ready").contains("forbidden") || r.message("Ready").contains("cannot"),
        "{}",
        r.message("Ready")
    );
    assert_eq!(w.live("v1", "ConfigMap", "web"), None);
    create(
        &w,
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "deployer"},
        "rules": [{"apiGroups": [""], "resources": ["configmaps", "secrets"], "verbs": ["*"]}]}),
    );
    create(
        &w,
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "deployer"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "deployer"},
        "subjects": [{"kind": "ServiceAccount", "name": "deployer", "namespace": w.name()}]}),
    );
    w.ready("web");
    // Without its account nothing is uninstalled any more, and the object can go.
    delete(&w, &ObjectId::new(Gvk::new("", "v1", "ServiceAccount"), Some(w.name()), "deployer"));
    delete(&w, &w.id("web"));
    w.gone("web");
    assert_eq!(w.stored("web"), "1 deployed");
}

#[test]
fn digests_of_oci_artifacts_are_part_of_the_version() {
    let w = World::new("oci");
    let spec = json!({"url": "oci://example.com/web", "interval": "1h"});
    let digest = |c: &str| format!("sha256:{}", c.repeat(64));
    w.source(
        "OCIRepository",
        "web",
        &format!("0.1.0@{}", digest("a")),
        package("web", "0.1.0", &[CONFIG]),
        spec.clone(),
    );
    w.release("web", "web", json!({"chartRef": {"kind": "OCIRepository"}, "values": {"text": "a"}}));
    let r = w.ready("web");
    assert_eq!(r.at("/status/lastAttemptedRevision"), "0.1.0+aaaaaaaaaaaa");
    assert_eq!(
        (r.at("/status/history/0/ociDigest"), r.at("/status/lastAttemptedRevisionDigest")),
        (json!(digest("a")), json!(digest("a")))
    );
    assert_eq!(w.data("web", "chart"), "0.1.0+aaaaaaaaaaaa");
    // The tag was moved: the same version, another digest.
    w.source(
        "OCIRepository",
        "web",
        &format!("0.1.0@{}", digest("b")),
        package("web", "0.1.0", &[CONFIG]),
        spec.clone(),
    );
    w.until("web", "the upgrade", |r| r.history().starts_with("2 deployed upgrade") && r.is("Ready", "True"));
    w.source("OCIRepository", "web", &format!("0.2.0@{}", digest("c")), package("web", "0.1.0", &[CONFIG]), spec);
    let r = w.until("web", "the error", |r| r.reason("Ready") == "ChartMutateError");
    assert_eq!(r.message("Ready"), "artifact revision 0.2.0 does not match chart version 0.1.0");
}

#[test]
fn post_renderers_and_common_metadata_are_applied() {
    let w = World::new("post");
    w.chart("web", "0.1.0", &[CONFIG]);
    w.release(
        "web",
        "web",
        json!({
            "commonMetadata": {"labels": {"team": "a"}, "annotations": {"note": "b"}},
            "postRenderers": [{"kustomize": {"patches": [{"target": {"kind": "ConfigMap"},
                "patch": "[{\"op\": \"add\", \"path\": \"/data/patched\", \"value\": \"yes\"}]"}]}}],
        }),
    );
    let r = w.ready("web");
    let live = w.live("v1", "ConfigMap", "web").unwrap();
    assert_eq!(live.pointer("/metadata/labels/team").unwrap(), "a");
    assert_eq!(live.pointer("/metadata/annotations/note").unwrap(), "b");
    assert_eq!(w.data("web", "patched"), "yes");
    assert!(r.at("/status/observedPostRenderersDigest").as_str().unwrap().starts_with("sha256:"));
    w.change("web", json!({"spec": {"commonMetadata": {"labels": {"team": "c"}}}}));
    w.until("web", "the other label", |r| r.history().starts_with("2 deployed upgrade") && r.is("Ready", "True"));
    w.change("web", json!({"spec": {"postRenderers": null}}));
    w.until("web", "no patch", |r| r.history().starts_with("3 deployed upgrade") && r.is("Ready", "True"));
    assert_eq!(w.data("web", "patched"), "");
}

#[test]
fn bad_objects_end_in_conditions_and_disturb_nobody() {
    let w = World::new("bad");
    w.chart("web", "0.1.0", &[CONFIG]);
    w.chart("broken", "0.1.0", &[("templates/a.yaml", "{{ fail \"no such luck\" }}")]);
    w.release("no-source", "missing", json!({}));
    w.release("broken", "broken", json!({}));
    w.release("health", "web", json!({"healthCheckExprs": [{"apiVersion": "x/v1", "current": "status.("}]}));
    w.release("loop", "endless", json!({}));
    w.chart(
        "endless",
        "0.1.0",
        &[("templates/a.yaml", "{{ define \"x\" }}{{ include \"x\" . }}{{ end }}{{ include \"x\" . }}")],
    );
    w.source(
        "HelmChart",
        "no-chart",
        "1",
        b"this is no archive".to_vec(),
        json!({"chart": "x", "interval": "1h", "sourceRef": {"kind": "HelmRepository", "name": "n"}}),
    );
    w.release("no-chart", "no-chart", json!({}));
    let r = w.until("no-source", "the word", |r| r.reason("Ready") == "ArtifactFailed");
    assert_eq!(
        r.message("Ready"),
        "could not get Source object: helmcharts.source.toolkit.fluxcd.io \"missing\" not found"
    );
    let r = w.until("broken", "the word", |r| r.reason("Ready") == "InstallFailed");
    assert!(r.message("Ready").contains("no such luck"), "{}", r.message("Ready"));
    // It left no revision: that is no attempt.
    assert_eq!((r.at("/status/installFailures"), w.stored("broken").as_str()), (json!(null), ""));
    w.until("health", "the word", |r| r.reason("Stalled") == "InvalidCELExpression");
    w.until("loop", "the word", |r| r.reason("Ready") == "InstallFailed");
    let r = w.until("no-chart", "the word", |r| r.reason("Ready") == "ArtifactFailed");
    assert!(r.message("Ready").starts_with("Could not load chart: "), "{}", r.message("Ready"));
    w.release("web", "web", json!({}));
    w.ready("web");
    // The source comes: the release goes on.
    w.chart("missing", "0.1.0", &[CONFIG]);
    w.ready("no-source");
}
