//! What the settings of a HelmRelease do.

use pintle::cluster::{Cluster, Gvk, Json, ObjectId, PatchType, Propagation};
use serde_json::json;

use crate::support::cluster::write_options;
use crate::world::{CONFIG, World};

fn create(w: &World, mut object: Json) {
    object["metadata"]["namespace"] = w.name().into();
    w.run(async |cluster| cluster.create(&object, &write_options()).await.unwrap());
}

fn delete(w: &World, name: &str) {
    w.run(async |cluster| cluster.delete(&w.id(name), Propagation::Background, None).await.unwrap());
}

/// Refused by the API server when a value says so: a failure that leaves a revision, at once.
const REFUSED: (&str, &str) = (
    "templates/refused.yaml",
    "{{ if .Values.refuse }}\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: NOT-A-NAME\n{{ end }}\n",
);

#[test]
fn upgrades_that_fail() {
    let w = World::new("upgrades");
    w.chart("web", "0.1.0", &[CONFIG, REFUSED]);
    let bad = || json!({"spec": {"values": {"text": "bad", "refuse": true}}});
    for (name, upgrade) in [
        ("plain", json!({})),
        ("stays", json!({"remediation": {"retries": 1, "remediateLastFailure": false}})),
        ("uninstalls", json!({"remediation": {"retries": 1, "strategy": "uninstall"}})),
        ("forever", json!({"strategy": {"name": "RetryOnFailure", "retryInterval": "1s"}})),
        ("vanished", json!({"remediation": {"retries": 1}})),
    ] {
        w.release(name, "web", json!({"values": {"text": "good"}, "upgrade": upgrade}));
    }
    for name in ["plain", "stays", "uninstalls", "forever", "vanished"] {
        w.ready(name);
    }
    // The release to go back to is gone from storage: there is nothing to do but to upgrade.
    w.run(async |cluster| {
        let id = ObjectId::new(Gvk::new("", "v1", "Secret"), Some(w.name()), "sh.helm.release.v1.vanished.v1");
        // It stays the deployed one until the upgrade has begun, so it is only changed.
        let note = json!({"metadata": {"labels": {"changed": "yes"}}});
        cluster.patch(&id, PatchType::Merge, &note, &write_options()).await.unwrap();
    });
    for name in ["plain", "stays", "uninstalls", "forever", "vanished"] {
        w.change(name, bad());
    }
    // Without retries nothing is undone.
    let r = w.until("plain", "the stall", |r| r.is("Stalled", "True"));
    assert_eq!((r.reason("Ready").as_str(), r.at("/status/upgradeFailures")), ("UpgradeFailed", json!(1)));
    assert_eq!(
        (r.history().as_str(), w.stored("plain").as_str()),
        ("2 failed upgrade, 1 deployed install", "1 deployed, 2 failed")
    );
    assert!(r.message("Ready").contains("Helm upgrade failed for release"), "{}", r.message("Ready"));
    // One retry, and the last failure stays.
    let r = w.until("stays", "the stall", |r| r.is("Stalled", "True"));
    assert_eq!((r.reason("Ready").as_str(), r.at("/status/upgradeFailures")), ("UpgradeFailed", json!(2)));
    w.told("stays", "InstallSucceeded UpgradeFailed RollbackSucceeded UpgradeFailed");
    // Uninstalled, it is installed anew, which fails too.
    let r = w.until("uninstalls", "the stall", |r| r.is("Stalled", "True"));
    assert_eq!((r.reason("Ready").as_str(), r.at("/status/installFailures")), ("InstallFailed", json!(1)));
    w.told("uninstalls", "InstallSucceeded UpgradeFailed UninstallSucceeded InstallFailed");
    // Again and again, without a remedy.
    let r = w.until("forever", "some tries", |r| r.at("/status/upgradeFailures").as_i64() >= Some(3));
    assert!(!r.has("Stalled") && !w.reasons("forever").contains("Rollback"), "{}", w.reasons("forever"));
    w.until("vanished", "the rollback", |r| r.is("Stalled", "True"));

    // A token forgets the failures; one more forces.
    w.request("plain", "reset", &["resetAt"]);
    let r = w.until("plain", "the new try", |r| r.handled("reset"));
    assert_eq!((r.at("/status/lastHandledResetAt"), r.at("/status/upgradeFailures")), (json!("reset"), json!(1)));
    assert!(r.history().starts_with("3 failed upgrade"), "{}", r.history());
    w.request("plain", "force", &["forceAt"]);
    let r = w.until("plain", "the forced try", |r| r.handled("force"));
    assert!(r.history().starts_with("4 failed upgrade") && r.is("Stalled", "True"), "{}", r.history());
    // Without a new token nothing is tried.
    w.request("plain", "again", &[]);
    let r = w.until("plain", "nothing", |r| r.at("/status/lastHandledReconcileAt") == "again");
    assert!(r.history().starts_with("4 failed upgrade"), "{}", r.history());
    // Another spec heals them all.
    for name in ["plain", "stays", "uninstalls", "forever", "vanished"] {
        w.change(name, json!({"spec": {"values": {"text": "better", "refuse": false}}}));
        let r = w.ready(name);
        assert!(!r.has("Stalled") && !r.has("Reconciling"), "{name}");
        assert_eq!(w.data(name, "text"), "better", "{name}");
    }
}

#[test]
fn charts_from_templates() {
    let mut w = World::new("templates");
    let spec = json!({"chart": {"metadata": {"labels": {"team": "a"}}, "spec": {"chart": "podinfo", "version": "1.x", "interval": "2h",
        "sourceRef": {"kind": "HelmRepository", "name": "repo"}}}, "chartRef": null});
    w.release("web", "none", spec);
    let name = format!("{}-web", w.name());
    let r = w.until("web", "the wait for the chart", |r| r.reason("Ready") == "SourceNotReady");
    assert!(
        r.message("Ready").starts_with(&format!("HelmChart '{}/{name}' is not ready: ", w.name())),
        "{}",
        r.message("Ready")
    );
    assert_eq!(r.at("/status/helmChart"), format!("{}/{name}", w.name()));
    let live = w.live("source.toolkit.fluxcd.io/v1", "HelmChart", &name).unwrap();
    assert_eq!(live.pointer("/spec/version").unwrap(), "1.x");
    assert_eq!(live.pointer("/spec/interval").unwrap(), "2h0m0s");
    assert_eq!(live.pointer("/metadata/labels/team").unwrap(), "a");
    // source-controller does its part.
    w.source("HelmChart", &name, "1.0.0", crate::world::package("podinfo", "1.0.0", &[CONFIG]), json!({}));
    w.ready("web");
    assert_eq!(w.data("web", "chart"), "1.0.0");
    w.change("web", json!({"spec": {"chart": {"spec": {"version": "2.x"}}}}));
    w.until("web", "the wait", |r| r.reason("Ready") == "SourceNotReady" || r.observed());
    w.source("HelmChart", &name, "2.0.0", crate::world::package("podinfo", "2.0.0", &[CONFIG]), json!({}));
    w.until("web", "the upgrade", |r| r.history().starts_with("2 deployed upgrade") && r.is("Ready", "True"));
    assert_eq!(
        w.live("source.toolkit.fluxcd.io/v1", "HelmChart", &name).unwrap().pointer("/spec/version").unwrap(),
        "2.x"
    );
    // From a template to a reference: the HelmChart goes, the release stays.
    w.source(
        "OCIRepository",
        "oci",
        &format!("3.0.0@sha256:{}", "a".repeat(64)),
        crate::world::package("podinfo", "3.0.0", &[CONFIG]),
        json!({"url": "oci://example.com/podinfo", "interval": "1h"}),
    );
    w.change("web", json!({"spec": {"chart": null, "chartRef": {"kind": "OCIRepository", "name": "oci"}}}));
    let r =
        w.until("web", "the other source", |r| r.history().starts_with("3 deployed upgrade") && r.is("Ready", "True"));
    assert_eq!(
        (r.at("/status/helmChart"), w.live("source.toolkit.fluxcd.io/v1", "HelmChart", &name)),
        (json!(null), None)
    );
    // A chart of another name is installed anew, unless the spec wants it in place.
    let digest = |c: &str| format!("3.1.0@sha256:{}", c.repeat(64));
    let oci = json!({"url": "oci://example.com/podinfo", "interval": "1h"});
    w.change("web", json!({"spec": {"upgrade": {"chartNameChangeStrategy": "InPlaceUpdate"}}}));
    w.source("OCIRepository", "oci", &digest("b"), crate::world::package("renamed", "3.1.0", &[CONFIG]), oci.clone());
    let r = w.until("web", "in place", |r| r.at("/status/history/0/chartName") == "renamed" && r.is("Ready", "True"));
    assert_eq!(r.at("/status/history/0/version"), 4);
    w.change("web", json!({"spec": {"upgrade": null}}));
    w.source("OCIRepository", "oci", &digest("c"), crate::world::package("another", "3.1.0", &[CONFIG]), oci);
    let r = w.until("web", "anew", |r| r.at("/status/history/0/chartName") == "another" && r.is("Ready", "True"));
    assert_eq!(r.history(), "1 deployed install");
    // Deleted while nobody watches, it is uninstalled by who comes.
    w.stop();
    delete(&w, "web");
    w.start();
    w.gone("web");
    assert_eq!(w.stored("web"), "");
}

const CRD: (&str, &str) = (
    "crds/things.yaml",
    "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: things.hr.example}\nspec:\n  group: hr.example\n  scope: Namespaced\n  \
     names: {kind: Thing, plural: things}\n  versions:\n  - {name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true, description: DESCRIPTION}}}\n",
);
const THING: (&str, &str) = (
    "templates/thing.yaml",
    "apiVersion: hr.example/v1\nkind: Thing\nmetadata:\n  name: {{ .Release.Name }}\nspec: {x: 1}\n",
);

#[test]
fn definitions_follow_their_policy() {
    let w = World::new("crds");
    let of = |description: &str| CRD.1.replace("DESCRIPTION", description);
    let described = || {
        let id = ObjectId::new(
            Gvk::new("apiextensions.k8s.io", "v1", "CustomResourceDefinition"),
            None,
            "things.hr.example",
        );
        let crd = w.run(async |cluster| cluster.get(&id).await.unwrap()).unwrap();
        crd.pointer("/spec/versions/0/schema/openAPIV3Schema/description").unwrap().as_str().unwrap().to_owned()
    };
    w.chart("web", "0.1.0", &[CONFIG, THING, (CRD.0, &of("one"))]);
    w.release("web", "web", json!({}));
    let r = w.ready("web");
    assert_eq!(described(), "one");
    assert_eq!(w.live("hr.example/v1", "Thing", "web").unwrap().pointer("/spec/x").unwrap(), 1);
    let entries = r.at("/status/inventory/entries");
    assert!(
        entries
            .as_array()
            .unwrap()
            .contains(&json!({"id": "_things.hr.example_apiextensions.k8s.io_CustomResourceDefinition", "v": "v1"})),
        "{entries}"
    );
    // What exists is left alone by default.
    w.chart("web", "0.2.0", &[CONFIG, THING, (CRD.0, &of("two"))]);
    w.until("web", "the upgrade", |r| r.history().starts_with("2 deployed") && r.is("Ready", "True"));
    assert_eq!(described(), "one");
    w.change("web", json!({"spec": {"upgrade": {"crds": "CreateReplace"}, "values": {"text": "x"}}}));
    w.until("web", "the upgrade", |r| r.history().starts_with("3 deployed") && r.is("Ready", "True"));
    assert_eq!(described(), "two");
    // They outlive the release.
    delete(&w, "web");
    w.gone("web");
    assert_eq!(described(), "two");
    w.run(async |cluster| {
        let id = ObjectId::new(
            Gvk::new("apiextensions.k8s.io", "v1", "CustomResourceDefinition"),
            None,
            "things.hr.example",
        );
        cluster.delete(&id, Propagation::Background, None).await.unwrap();
    });
}

#[test]
fn how_releases_are_made_and_removed() {
    let w = World::new("settings");
    let hook = (
        "templates/hook.yaml",
        "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: {{ .Release.Name }}-hook\n  annotations: {helm.sh/hook: pre-delete}\nspec:\n  backoffLimit: 0\n  \
         template:\n    metadata: {annotations: {test/fail: \"\"}}\n    spec: {restartPolicy: Never, containers: [{name: c, image: i}]}\n",
    );
    w.chart("web", "0.1.0", &[CONFIG]);
    w.chart("hooked", "0.1.0", &[CONFIG, hook]);
    w.chart("slow", "0.1.0", &[CONFIG, ("templates/slow.yaml",
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {{ .Release.Name }}\nspec:\n  replicas: 1\n  selector: {matchLabels: {app: a}}\n  \
         template:\n    metadata: {labels: {app: a}, annotations: {test/never-ready: \"\"}}\n    spec: {containers: [{name: c, image: i}]}\n")]);
    // Nothing is waited for.
    w.release("slow", "slow", json!({"install": {"disableWait": true}}));
    w.ready("slow");
    // Client-side, as Helm 3 did.
    w.release("csa", "web", json!({"install": {"serverSideApply": false}}));
    w.ready("csa");
    let live = w.live("v1", "ConfigMap", "csa").unwrap();
    assert_eq!(live.pointer("/metadata/managedFields/0/operation").unwrap(), "Update");
    assert_eq!(live.pointer("/metadata/managedFields/0/manager").unwrap(), "helm-controller");
    // What is there already is taken over, unless the spec says no.
    for name in ["taken", "refused"] {
        create(
            &w,
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"text": "theirs"}}),
        );
    }
    w.release("taken", "web", json!({"values": {"text": "ours"}}));
    w.release("refused", "web", json!({"install": {"disableTakeOwnership": true}}));
    w.ready("taken");
    let r = w.until("refused", "the refusal", |r| r.is("Ready", "False"));
    assert!(r.message("Ready").contains("invalid ownership metadata"), "{}", r.message("Ready"));
    assert_eq!((w.data("taken", "text").as_str(), w.data("refused", "text").as_str()), ("ours", "theirs"));
    // Values of the last release are kept.
    w.release("kept", "web", json!({"values": {"text": "one"}, "upgrade": {"preserveValues": true}}));
    w.ready("kept");
    w.change("kept", json!({"spec": {"values": {"text": null, "other": 1}}}));
    w.until("kept", "the upgrade", |r| r.history().starts_with("2 deployed") && r.is("Ready", "True"));
    assert_eq!(w.data("kept", "text"), "one");
    // Fewer revisions.
    w.release("few", "web", json!({"maxHistory": 2}));
    w.ready("few");
    for i in 2..5 {
        w.change("few", json!({"spec": {"values": {"text": i.to_string()}}}));
        w.until("few", "the upgrade", |r| r.history().starts_with(&format!("{i} deployed")) && r.is("Ready", "True"));
    }
    assert_eq!(w.stored("few"), "3 superseded, 4 deployed");
    // With its history kept, an uninstalled release leaves its record.
    w.release("record", "web", json!({"uninstall": {"keepHistory": true}}));
    w.ready("record");
    delete(&w, "record");
    w.gone("record");
    assert_eq!(w.stored("record"), "1 uninstalled");
    // A hook that fails holds the deletion up, until it is switched off.
    w.release("hooked", "hooked", json!({}));
    w.ready("hooked");
    delete(&w, "hooked");
    let r = w.until("hooked", "the failure", |r| r.reason("Ready") == "UninstallFailed");
    assert!(r.message("Ready").starts_with("Helm uninstall failed for release "), "{}", r.message("Ready"));
    w.change("hooked", json!({"spec": {"uninstall": {"disableHooks": true}}}));
    w.gone("hooked");
    assert_eq!((w.stored("hooked").as_str(), w.live("v1", "ConfigMap", "hooked")), ("", None));
}

#[test]
fn another_cluster_is_reached_by_a_kubeconfig_in_a_secret() {
    let w = World::new("remote");
    w.chart("web", "0.1.0", &[CONFIG]);
    w.release("web", "web", json!({"kubeConfig": {"secretRef": {"name": "remote"}}}));
    let r = w.until("web", "the wait", |r| r.reason("Ready") == "RESTClientError");
    assert_eq!(
        r.message("Ready"),
        format!("could not get KubeConfig secret '{}/remote': Secret \"remote\" not found", w.name())
    );
    // Files and programs of the controller's machine are out of a tenant's reach.
    let mut config: Json = serde_json::from_slice(&std::fs::read(w.ns.kubeconfig()).unwrap()).unwrap();
    let ca = config["clusters"][0]["cluster"]["certificate-authority"].as_str().unwrap().to_owned();
    let secret = |config: &Json| json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "remote"}, "stringData": {"value": config.to_string()}});
    create(&w, secret(&config));
    w.until("web", "a refused certificate", |r| r.is("Ready", "False") && r.reason("Ready") != "RESTClientError");
    config["clusters"][0]["cluster"] = json!({
        "server": config["clusters"][0]["cluster"]["server"],
        "certificate-authority-data": data_encoding::BASE64.encode(&std::fs::read(ca).unwrap()),
    });
    let id = ObjectId::new(Gvk::new("", "v1", "Secret"), Some(w.name()), "remote");
    let body = json!({"stringData": {"value": config.to_string()}});
    w.run(async |cluster| cluster.patch(&id, PatchType::Merge, &body, &write_options()).await.unwrap());
    w.ready("web");
    // Without its Secret nothing can be uninstalled, and nothing holds the object.
    w.run(async |cluster| assert!(cluster.delete(&id, Propagation::Background, None).await.unwrap()));
    delete(&w, "web");
    w.gone("web");
    assert_eq!(w.stored("web"), "1 deployed");
}

#[test]
fn references_to_other_namespaces_are_refused() {
    let w = World::with("closed", |o| o.no_cross_namespace_refs = true);
    w.chart("web", "0.1.0", &[CONFIG]);
    for (name, spec) in [
        ("source", json!({"chartRef": {"namespace": "kube-system"}})),
        (
            "template",
            json!({"chartRef": null, "chart": {"spec": {"chart": "c", "sourceRef": {"kind": "HelmRepository", "name": "r", "namespace": "kube-system"}}}}),
        ),
        ("dependency", json!({"dependsOn": [{"name": "x", "namespace": "kube-system"}]})),
    ] {
        w.release(name, "web", spec);
        let r = w.until(name, "the refusal", |r| r.is("Stalled", "True"));
        assert_eq!(
            (r.reason("Ready").as_str(), r.reason("Stalled").as_str()),
            ("AccessDenied", "AccessDenied"),
            "{name}"
        );
        assert!(
            r.message("Ready").starts_with("cross-namespace references are not allowed: cannot access "),
            "{}",
            r.message("Ready")
        );
    }
    w.release(
        "values",
        "web",
        json!({"valuesFrom": [{"kind": "GitRepository", "name": "x", "namespace": "kube-system", "path": "a.yaml"}]}),
    );
    let r = w.until("values", "the refusal", |r| r.reason("Ready") == "ValuesError");
    assert!(r.message("Ready").contains("cross-namespace references are not allowed"), "{}", r.message("Ready"));
}
