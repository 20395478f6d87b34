//! What people are told of an outcome: one final event, after tests, with what changed; and after a remedy, what it took back.

use pintle::cluster::{Cluster, Gvk, Json, ObjectId, PatchType};
use pintle::release::Storage;
use pintle::release::storage::{Driver, Objects};
use serde_json::json;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::support::cluster::write_options;
use crate::world::{CONFIG, Release, World};

const ORIGIN: &str = "helm.toolkit.fluxcd.io/originRevision";

/// Events about a release, the oldest first: reason, message, origin.
fn events(w: &World, name: &str) -> Vec<(String, String, String)> {
    let fields = format!("involvedObject.name={name},involvedObject.kind=HelmRelease");
    let mut found =
        w.run(async |cluster| cluster.list(&Gvk::new("", "v1", "Event"), Some(w.name()), "", &fields).await.unwrap());
    let version = |e: &Json| e["metadata"]["resourceVersion"].as_str().unwrap().parse::<u64>().unwrap();
    found.sort_by_key(version);
    let text = |v: &Json| v.as_str().unwrap_or_default().to_owned();
    found
        .iter()
        .map(|e| (text(&e["reason"]), text(&e["message"]), text(&e["metadata"]["annotations"][ORIGIN])))
        .collect()
}

/// The first event of a reason.
fn event(w: &World, name: &str, reason: &str) -> (String, String) {
    let begin = Instant::now();
    loop {
        if let Some((_, message, origin)) = events(w, name).into_iter().find(|e| e.0 == reason) {
            return (message, origin);
        }
        assert!(begin.elapsed() < Duration::from_secs(30), "no {reason}: {:?}", events(w, name));
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A Deployment of an image, without pods.
const DEPLOYMENT: (&str, &str) = (
    "templates/deployment.yaml",
    "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {{ .Release.Name }}\nspec:\n  replicas: 0\n  selector: {matchLabels: {a: b}}\n  \
     template:\n    metadata: {labels: {a: b}}\n    spec:\n      containers:\n      - {name: web, image: {{ .Values.image | default \"nginx:1\" | quote }}}\n",
);

/// A test that succeeds as soon as it exists.
const TEST: (&str, &str) = (
    "templates/test.yaml",
    "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}-test\n  annotations: {helm.sh/hook: test}\n",
);

/// Refused by the API server when a value says so.
const REFUSED: (&str, &str) = (
    "templates/refused.yaml",
    "{{ if .Values.refuse }}\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: NOT-A-NAME\n{{ end }}\n",
);

#[test]
fn one_final_event_says_what_changed() {
    let w = World::new("outcomes");
    w.chart("web", "0.1.0", &[CONFIG, DEPLOYMENT, TEST]);
    w.release("web", "web", json!({"test": {"enable": true}}));
    w.ready("web");
    let (message, _) = event(&w, "web", "TestSucceeded");
    assert!(
        message.starts_with("Helm test succeeded for release ") && message.ends_with("\nObjects: 2 created"),
        "{message}"
    );
    w.told("web", "TestSucceeded");
    w.change("web", json!({"spec": {"test": {"enable": false}, "values": {"image": "nginx:2"}}}));
    w.until("web", "the second revision", |r| {
        r.observed() && r.is("Ready", "True") && w.stored("web").starts_with("1 superseded")
    });
    let (message, _) = event(&w, "web", "UpgradeSucceeded");
    assert_eq!(
        message,
        format!(
            "Helm upgrade succeeded for release {}/web.v2 with chart web@0.1.0\nImage of Deployment/web web: nginx:1 → nginx:2\nObjects: 1 changed",
            w.name()
        )
    );
    // Conditions stay as Flux has them.
    assert!(!w.ready("web").message("Ready").contains("Objects"));
    w.chart("web", "0.2.0", &[CONFIG]);
    w.until("web", "the third revision", |r| r.is("Ready", "True") && w.stored("web").contains("3 deployed"));
    let told = events(&w, "web").into_iter().filter(|e| e.0 == "UpgradeSucceeded").nth(1).map(|e| e.1);
    if let Some(message) = told {
        assert!(message.ends_with("\nChart: web 0.1.0 → web 0.2.0\nObjects: 1 changed, 1 deleted"), "{message}");
    }
}

#[test]
fn flux_tells_no_more_than_flux() {
    let w = World::with("outcomes-flux", |o| o.compat_flux = true);
    w.chart("web", "0.1.0", &[CONFIG]);
    w.release("web", "web", json!({}));
    w.ready("web");
    let (message, origin) = event(&w, "web", "InstallSucceeded");
    assert_eq!(message, format!("Helm install succeeded for release {}/web.v1 with chart web@0.1.0", w.name()));
    assert_eq!(origin, "");
    let stored = w.live("v1", "Secret", "sh.helm.release.v1.web.v1").unwrap();
    assert!(stored["metadata"]["annotations"].is_null(), "{stored:#}");
}

#[test]
fn a_remedy_says_what_it_took_back() {
    let w = World::new("taken-back");
    w.chart("web", "0.1.0", &[CONFIG, REFUSED]);
    // As the native sources leave a chart of a commit.
    let id = ObjectId::new(Gvk::parse(pintle::api::SOURCE_API, "HelmChart"), Some(w.name()), "web");
    let of = |commit: &str, author: &str| {
        let revision = format!("main@sha1:{commit}");
        let metadata = json!({"pintle.dev/author": author, "pintle.dev/commit": revision});
        let status =
            json!({"status": {"observedSourceArtifactRevision": revision, "artifact": {"metadata": metadata}}});
        w.run(async |cluster| cluster.patch_status(&id, PatchType::Merge, &status, &write_options()).await.unwrap());
    };
    let values = |text: &str| {
        let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "values", "namespace": w.name()},
            "data": {"values.yaml": text}});
        let id = ObjectId::new(Gvk::new("", "v1", "ConfigMap"), Some(w.name()), "values");
        w.run(async |cluster| match cluster.get(&id).await.unwrap() {
            None => cluster.create(&object, &write_options()).await.unwrap(),
            Some(_) => cluster.patch(&id, PatchType::Merge, &object, &write_options()).await.unwrap(),
        })
    };
    of("aaaa", "Ann <ann@example.com>");
    values("text: good");
    w.release(
        "web",
        "web",
        json!({"valuesFrom": [{"kind": "ConfigMap", "name": "values"}], "upgrade": {"remediation": {"retries": 0, "remediateLastFailure": true}}}),
    );
    w.ready("web");
    assert_eq!(event(&w, "web", "InstallSucceeded").1, "main@sha1:aaaa");
    of("bbbb", "Bob <bob@example.com>");
    let bad = values("text: bad\nrefuse: true");
    let r = w.until("web", "the rollback", |r| r.is("Remediated", "True"));
    assert_eq!(r.reason("Remediated"), "RollbackSucceeded");
    let version = bad["metadata"]["resourceVersion"].as_str().unwrap();
    let what = format!(
        "2 of web@0.1.0 (commit main@sha1:bbbb by Bob <bob@example.com>; generation 1; values of ConfigMap {}/values (resourceVersion {version}))",
        w.name()
    );
    let (message, origin) = event(&w, "web", "RollbackSucceeded");
    assert!(message.contains(&format!("\nTaken back: revision {what}\nObjects: ")), "{message}");
    assert_eq!(origin, "main@sha1:bbbb");
    // Helm's history too.
    let record = w.run(async |cluster: pintle::cluster::kube::Kube| {
        let storage = Objects::new(Arc::new(cluster), Driver::Secret, Some(w.name()), "test");
        storage.last("web").await.unwrap()
    });
    assert_eq!(record.info.description, format!("Rollback to 1 from {what}"));
    for (reason, _, origin) in events(&w, "web") {
        assert!(origin.starts_with("main@sha1:"), "{reason} has no origin");
    }
    // What goes wrong before anything is rendered is told to a commit as well.
    values("text: [");
    assert_eq!(event(&w, "web", "ValuesError").1, "main@sha1:bbbb");
}

#[test]
fn what_is_said_of_a_failure_holds_no_value_of_a_secret() {
    const VALUE: &str = "Tr0ub4dor&3 for ever";
    let base64 = "VHIwdWI0ZG9yJjMgZm9yIGV2ZXI";
    for compat in [false, true] {
        let w = World::with("hush", |o| o.compat_flux = compat);
        for (name, template) in [
            ("fails", "{{ fail (printf \"not with %s, %s\" .Values.password (b64enc .Values.password)) }}"),
            (
                "refused",
                "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  labels: {a: {{ .Values.password | quote }}}\n",
            ),
            ("broken", "a: b\n"),
        ] {
            w.chart(name, "0.1.0", &[("templates/a.yaml", template)]);
            let values = format!("password: {VALUE}\n{}", if name == "broken" { "- 1\n" } else { "" });
            let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": w.name()},
                "stringData": {"values.yaml": values}});
            w.run(async |cluster| cluster.create(&secret, &write_options()).await.unwrap());
            w.release(name, name, json!({"valuesFrom": [{"kind": "Secret", "name": name}]}));
            let failed = |r: &Release| ["InstallFailed", "ValuesError"].contains(&r.reason("Ready").as_str());
            let r = w.until(name, "its failure", failed);
            let (said, _) = event(&w, name, &r.reason("Ready"));
            for text in [r.0.to_string(), said, format!("{:?}", events(&w, name))] {
                assert!(!text.contains(VALUE) && !text.contains(base64), "{name}: {text}");
            }
            assert_eq!(r.message("Ready").contains("<masked>"), name != "broken", "{name}: {}", r.message("Ready"));
            assert!(r.message("Ready").contains(name), "{}", r.message("Ready"));
        }
    }
}
