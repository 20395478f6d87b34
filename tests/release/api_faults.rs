//! Faults of the API, injected by a proxy in front of the real server: nothing lost, nothing done twice, and errors that say verb and object.

use std::time::Duration;

use futures::StreamExt;
use pintle::cluster::apply::{self, ApplyOptions, Method};
use pintle::cluster::targets::build;
use pintle::cluster::wait::{self, WaitOptions};
use pintle::cluster::{Cluster, Gvk, Json, ObjectId, PatchType, Propagation, Reason, Verb, WatchEvent};
use serde_json::json;

use crate::support::cluster::{self, Namespace, write_options};
use crate::support::proxy::{Fault, Proxy};

fn config(ns: &Namespace, name: &str, value: &str) -> Json {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": ns.name()}, "data": {"k": value}})
}

const SERVER: Method = Method::ServerSide { force_conflicts: false, migrate: false };

#[test]
fn too_many_requests_are_tried_again_when_the_server_says() {
    let ns = cluster::namespace("throttled");
    let proxy = Proxy::start(ns.plane());
    ns.run_with(&proxy.connection(&ns.connection()), async |cluster| {
        let object = config(&ns, "a", "1");
        let id = ObjectId::of(&object);
        proxy.inject(Fault::on("POST", "/configmaps").times(2).answer(429, Some(1), "TooManyRequests", "slow down"));
        let begin = std::time::Instant::now();
        cluster.create(&object, &write_options()).await.unwrap();
        assert!(begin.elapsed() >= Duration::from_secs(2), "{:?}", begin.elapsed());
        assert_eq!(proxy.seen("POST", "/configmaps"), 3);
        // A server that goes on saying so is believed in the end.
        proxy.inject(Fault::on("GET", "/configmaps/a").times(100).answer(429, None, "TooManyRequests", "slow down"));
        let error = cluster.get(&id).await.unwrap_err();
        assert_eq!((error.reason, error.verb, error.object), (Reason::TooManyRequests, Verb::Get, Some(id)));
    });
}

#[test]
fn a_replacement_that_somebody_came_before_is_made_again() {
    let ns = cluster::namespace("overtaken");
    let proxy = Proxy::start(ns.plane());
    ns.run_with(&proxy.connection(&ns.connection()), async |cluster| {
        let targets = async |value: &str| build(&cluster, vec![config(&ns, "a", value)], ns.name()).await.unwrap();
        let (old, new) = (targets("1").await, targets("2").await);
        apply::create(&cluster, &old, &ApplyOptions::new(SERVER)).await.unwrap();
        let overtaken =
            || Fault::on("PUT", "/configmaps/a").answer(409, None, "Conflict", "the object has been modified");
        proxy.inject(overtaken());
        apply::update(&cluster, &old, &new, &ApplyOptions::new(Method::Replace)).await.unwrap();
        assert_eq!(proxy.seen("PUT", "/configmaps/a"), 2);
        let live = cluster.get(&new[0].id).await.unwrap().unwrap();
        assert_eq!(live["data"]["k"], "2");
        // One that is overtaken every time is given up.
        proxy.inject(overtaken().times(100));
        let error = apply::update(&cluster, &new, &old, &ApplyOptions::new(Method::Replace)).await.unwrap_err();
        assert!(error.message.starts_with("failed to replace object: "), "{}", error.message);
        assert_eq!(proxy.seen("PUT", "/configmaps/a"), 2 + 5);
    });
}

#[test]
fn a_lost_answer_is_not_a_second_write() {
    let ns = cluster::namespace("lost");
    let proxy = Proxy::start(ns.plane());
    ns.run_with(&proxy.connection(&ns.connection()), async |cluster| {
        cluster.reachable().await.unwrap();
        let object = config(&ns, "a", "1");
        let id = ObjectId::of(&object);
        // Made, but the answer was lost: found to be ours.
        proxy.inject(Fault::on("POST", "/configmaps").drop_after());
        let made = cluster.create(&object, &write_options()).await.unwrap();
        assert_eq!(made["data"]["k"], "1");
        assert_eq!(proxy.seen("POST", "/configmaps"), 1);
        // Never arrived: sent again.
        proxy.inject(Fault::on("POST", "/configmaps").drop_before());
        cluster.create(&config(&ns, "b", "1"), &write_options()).await.unwrap();
        assert_eq!(proxy.seen("POST", "/configmaps"), 3);
        // Somebody else's object of that name is not taken for ours.
        proxy.inject(Fault::on("POST", "/configmaps").drop_before());
        assert!(cluster.create(&config(&ns, "a", "2"), &write_options()).await.is_err());
        assert_eq!(cluster.get(&id).await.unwrap().unwrap()["data"]["k"], "1");
        // What has the effect of once is repeated.
        let version = made["metadata"]["resourceVersion"].clone();
        proxy.inject(Fault::on("PATCH", "/configmaps/a").drop_after());
        let patch = json!({"data": {"k": "3"}});
        let patched = cluster.patch(&id, PatchType::Merge, &patch, &write_options()).await.unwrap();
        assert_eq!((patched["data"]["k"].as_str(), proxy.seen("PATCH", "/configmaps/a")), (Some("3"), 2));
        assert_ne!(patched["metadata"]["resourceVersion"], version);
        // A JSON patch could append twice: it is not repeated.
        proxy.inject(Fault::on("PATCH", "/configmaps/a").drop_after());
        let steps = json!([{"op": "add", "path": "/data/x", "value": "1"}]);
        let error = cluster.patch(&id, PatchType::Json, &steps, &write_options()).await.unwrap_err();
        assert_eq!((error.reason, error.verb), (Reason::Unreachable, Verb::Patch));
        assert!(error.message.contains("/configmaps/a"), "{}", error.message);
        // A delete whose answer was lost has still deleted.
        proxy.inject(Fault::on("DELETE", "/configmaps/a").drop_after());
        cluster.delete(&id, Propagation::Background, None).await.unwrap();
        assert_eq!(cluster.get(&id).await.unwrap(), None);
    });
}

#[test]
fn server_errors_are_retried_a_little_and_then_said() {
    let ns = cluster::namespace("broken");
    let proxy = Proxy::start(ns.plane());
    ns.run_with(&proxy.connection(&ns.connection()), async |cluster| {
        let targets = build(&cluster, vec![config(&ns, "a", "1"), config(&ns, "b", "1")], ns.name()).await.unwrap();
        let options = ApplyOptions::new(SERVER);
        proxy.inject(Fault::on("PATCH", "/configmaps/a").times(2).answer(500, None, "InternalError", "etcdserver: leader changed"));
        apply::create(&cluster, &targets, &options).await.unwrap();
        assert_eq!(proxy.seen("PATCH", "/configmaps/a"), 3);
        for (code, reason, message) in [
            (500, "InternalError", "Internal error occurred: failed calling webhook \"w.example.com\": denied the request"),
            (403, "Forbidden", "configmaps \"b\" is forbidden: exceeded quota: q, requested: count/configmaps=1"),
            (500, "InternalError", "etcdserver: request is too large"),
            (409, "Conflict", "Operation cannot be fulfilled on configmaps \"b\": the object has been modified"),
        ] {
            let before = proxy.seen("PATCH", "/configmaps/b");
            proxy.inject(Fault::on("PATCH", "/configmaps/b").answer(code, None, reason, message));
            let error = apply::update(&cluster, &targets, &targets, &options).await.unwrap_err();
            let words = if code == 409 { "conflict occurred while applying" } else { "server-side apply failed for" };
            assert_eq!(error.message, format!("{words} object {}/b /v1, Kind=ConfigMap: {message}", ns.name()));
            assert_eq!(proxy.seen("PATCH", "/configmaps/b"), before + 1, "{message} is final");
            assert_eq!((error.causes[0].verb, error.causes[0].object.as_ref()), (Verb::Patch, Some(&targets[1].id)));
        }
        // A quota's counter that two requests wanted at once is the one conflict that is tried again.
        let message = "Operation cannot be fulfilled on resourcequotas \"q\": the object has been modified; please apply your changes";
        proxy.inject(Fault::on("PATCH", "/configmaps/b").answer(409, None, "Conflict", message));
        apply::update(&cluster, &targets, &targets, &options).await.unwrap();
    });
}

#[test]
fn a_wait_survives_an_outage_and_a_forgotten_place() {
    let ns = cluster::namespace("outage");
    let proxy = Proxy::start(ns.plane());
    ns.run_with(&proxy.connection(&ns.connection()), async |cluster| {
        let job = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j"},
            "spec": {"suspend": true, "template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}}}});
        let targets = build(&cluster, vec![job], ns.name()).await.unwrap();
        cluster.create(&targets[0].object, &write_options()).await.unwrap();
        let direct = pintle::cluster::kube::Kube::connect(&ns.connection()).await.unwrap();
        proxy.inject(Fault::on("GET", "watch=true").times(2).expire());
        let options = WaitOptions { jobs: true, ..WaitOptions::new(Duration::from_secs(120)) };
        let (waited, ()) = tokio::join!(wait::ready(&cluster, &targets, &options), async {
            // The server goes away in the middle; meanwhile the job ends, and nobody is told.
            tokio::time::sleep(Duration::from_millis(500)).await;
            let go = json!({"spec": {"suspend": false}});
            let ((), _) = tokio::join!(
                proxy.outage(Duration::from_secs(30)),
                direct.patch(&targets[0].id, PatchType::Merge, &go, write_options_of())
            );
        });
        waited.unwrap();
        assert!(proxy.seen("GET", "watch=true") >= 3);
    });
}

fn write_options_of() -> &'static pintle::cluster::WriteOptions {
    static OPTIONS: std::sync::OnceLock<pintle::cluster::WriteOptions> = std::sync::OnceLock::new();
    OPTIONS.get_or_init(write_options)
}

#[test]
fn a_watch_that_lost_its_place_tells_what_went_away() {
    let ns = cluster::namespace("relist");
    let proxy = Proxy::start(ns.plane());
    ns.run_with(&proxy.connection(&ns.connection()), async |cluster| {
        let direct = pintle::cluster::kube::Kube::connect(&ns.connection()).await.unwrap();
        for name in ["a", "b"] {
            direct.create(&config(&ns, name, "1"), &write_options()).await.unwrap();
        }
        // The first watch says 410 at once; until the next look `a` has gone.
        proxy.inject(Fault::on("GET", "watch=true").expire());
        let gvk = Gvk::new("", "v1", "ConfigMap");
        let mut events = cluster.watch(&gvk, Some(ns.name()), "").await.unwrap();
        let mut here = std::collections::BTreeSet::new();
        let mut synced = 0;
        let own = |o: &Json| o["metadata"]["name"].as_str().filter(|n| n.len() == 1).map(str::to_owned);
        while synced < 2 {
            match events.next().await.unwrap().unwrap() {
                WatchEvent::Applied(o) => here.extend(own(&o)),
                WatchEvent::Deleted(o) => {
                    own(&o).map(|n| here.remove(&n));
                }
                WatchEvent::Synced => {
                    synced += 1;
                    if synced == 1 {
                        let id = ObjectId::new(gvk.clone(), Some(ns.name()), "a");
                        direct.delete(&id, Propagation::Background, None).await.unwrap();
                    }
                }
            }
        }
        // Seen as gone either by the second look or, if that was quicker than the deletion, by the watch behind it.
        while here.contains("a") {
            if let WatchEvent::Deleted(o) = events.next().await.unwrap().unwrap() {
                own(&o).map(|n| here.remove(&n));
            }
        }
        assert_eq!(here.into_iter().collect::<Vec<_>>(), ["b"]);
    });
}

#[test]
fn a_webhook_that_refuses_and_a_quota_are_said_with_their_object() {
    let ns = cluster::namespace("refused");
    ns.run(async |cluster| {
        let policy = json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
            "metadata": {"name": ns.name()},
            "webhooks": [{"name": "w.example.com", "sideEffects": "None", "admissionReviewVersions": ["v1"], "failurePolicy": "Fail",
                "timeoutSeconds": 2, "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": ns.name()}},
                "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["secrets"]}],
                "clientConfig": {"url": "https://127.0.0.1:1/refuse"}}]});
        let quota = json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "q"},
            "spec": {"hard": {"count/services": "0"}}, "status": {"hard": {"count/services": "0"}}});
        let prepared = build(&cluster, vec![policy, quota], ns.name()).await.unwrap();
        for target in &prepared {
            cluster.create(&target.object, &write_options()).await.unwrap();
        }
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}});
        let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "v"}, "spec": {"ports": [{"port": 80}]}});
        let targets = build(&cluster, vec![secret, service], ns.name()).await.unwrap();
        // Both take effect a moment after they are made.
        let begin = std::time::Instant::now();
        let error = loop {
            match apply::create(&cluster, &targets, &ApplyOptions::new(SERVER)).await {
                Err(e) if e.causes.len() == 2 => break e,
                _ => {
                    assert!(begin.elapsed() < Duration::from_secs(60), "never refused");
                    apply::delete(&cluster, &targets, Propagation::Background).await;
                }
            }
        };
        let lines: Vec<&str> = error.message.lines().collect();
        let n = ns.name();
        assert!(lines[0].starts_with(&format!("server-side apply failed for object {n}/s /v1, Kind=Secret: ")), "{lines:?}");
        assert!(lines[0].contains("failed calling webhook \"w.example.com\""), "{lines:?}");
        assert!(lines[1].starts_with(&format!("server-side apply failed for object {n}/v /v1, Kind=Service: ")), "{lines:?}");
        assert!(lines[1].contains("exceeded quota: q"), "{lines:?}");
        // Client-side the server's words stand alone, so the object is added where they lack it.
        let client = ApplyOptions::new(Method::ClientSide { three_way_custom: false });
        let error = apply::create(&cluster, &targets[..1], &client).await.unwrap_err();
        assert!(error.message.ends_with(&format!(" (create Secret {n}/s)")), "{}", error.message);
        cluster.delete(&prepared[0].id, Propagation::Background, None).await.unwrap();
    });
}
