//! The Kubernetes API as the program sees it, against a real server.

use futures::StreamExt;
use pintle::cluster::kube::Connection;
use pintle::cluster::{Cluster, Gvk, Json, ObjectId, PatchType, Propagation, Reason, WatchEvent};
use serde_json::json;

use crate::support::cluster::{self, write_options};

fn config_map(name: &str, value: &str) -> Json {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"key": value}})
}

fn in_namespace(mut object: Json, namespace: &str) -> Json {
    object["metadata"]["namespace"] = namespace.into();
    object
}

#[test]
fn a_real_server_says_what_it_serves() {
    let ns = cluster::namespace("capabilities");
    ns.run(async |cluster| {
        let capabilities = cluster.capabilities().await.unwrap();
        assert_eq!(capabilities.kube_version.version, "v1.37.2");
        for name in ["v1", "v1/Secret", "apps/v1", "apps/v1/Deployment", "v1/Eviction", "apps/v1/Scale"] {
            assert!(capabilities.api_versions.iter().any(|v| v == name), "{name}");
        }
        let deployments = cluster.resource(&Gvk::new("apps", "v1", "Deployment")).await.unwrap();
        assert_eq!((deployments.plural.as_str(), deployments.namespaced), ("deployments", true));
        let roles = cluster.resource(&Gvk::new("rbac.authorization.k8s.io", "v1", "ClusterRole")).await.unwrap();
        assert_eq!((roles.plural.as_str(), roles.namespaced), ("clusterroles", false));
        // /version, /api and /apis, and nothing more for the rest.
        assert_eq!(cluster.requests(), 3);
        let error = cluster.resource(&Gvk::new("example.com", "v1", "Widget")).await.unwrap_err();
        assert_eq!(error.reason, Reason::NoMatch);
        assert_eq!(error.message, "no matches for kind \"Widget\" in version \"example.com/v1\"");
    });
}

#[test]
fn objects_come_and_go() {
    let ns = cluster::namespace("objects");
    ns.run(async |cluster| {
        let options = write_options();
        let object = in_namespace(config_map("a", "1"), ns.name());
        let id = ObjectId::of(&object);
        assert_eq!(cluster.get(&id).await.unwrap(), None);
        let made = cluster.create(&object, &options).await.unwrap();
        assert_eq!(made["data"]["key"], "1");
        let again = cluster.create(&object, &options).await.unwrap_err();
        assert!(again.is_already_exists());
        assert_eq!(again.message, "configmaps \"a\" already exists");
        let other = ObjectId { name: "b".into(), ..id.clone() };
        for (value, created) in [("1", true), ("2", false)] {
            let body = in_namespace(config_map("b", value), ns.name());
            assert_eq!(cluster.apply(&other, &body, false, &options).await.unwrap().created, created);
        }
        let patched = cluster.patch(&id, PatchType::Merge, &json!({"data": {"more": "2"}}), &options).await.unwrap();
        assert_eq!(patched["data"], json!({"key": "1", "more": "2"}));
        let names: Vec<Json> = cluster.list_metadata(&id.gvk, Some(ns.name()), "").await.unwrap();
        let names: Vec<&str> =
            names.iter().filter_map(|o| o["metadata"]["name"].as_str()).filter(|n| n.len() == 1).collect();
        assert_eq!(names, ["a", "b"]);
        assert!(
            !cluster.delete(&id, Propagation::Background, Some("another")).await.unwrap(),
            "another uid is another object"
        );
        assert!(cluster.delete(&id, Propagation::Background, None).await.unwrap());
        assert!(!cluster.delete(&id, Propagation::Background, None).await.unwrap());
    });
}

#[test]
fn a_watch_tells_what_is_there_and_what_happens() {
    let ns = cluster::namespace("watch");
    ns.run(async |cluster| {
        let options = write_options();
        let gvk = Gvk::new("", "v1", "ConfigMap");
        cluster.create(&in_namespace(config_map("a", "1"), ns.name()), &options).await.unwrap();
        let mut events = cluster.watch(&gvk, Some(ns.name()), "metadata.name=a").await.unwrap();
        assert!(matches!(events.next().await.unwrap().unwrap(), WatchEvent::Applied(o) if o["data"]["key"] == "1"));
        assert!(matches!(events.next().await.unwrap().unwrap(), WatchEvent::Synced));
        let id = ObjectId::new(gvk, Some(ns.name()), "a");
        cluster.patch(&id, PatchType::Merge, &json!({"data": {"key": "2"}}), &options).await.unwrap();
        assert!(matches!(events.next().await.unwrap().unwrap(), WatchEvent::Applied(o) if o["data"]["key"] == "2"));
        cluster.delete(&id, Propagation::Background, None).await.unwrap();
        assert!(matches!(events.next().await.unwrap().unwrap(), WatchEvent::Deleted(_)));
    });
}

#[test]
fn what_is_forbidden_is_said_with_verb_and_object() {
    let ns = cluster::namespace("forbidden");
    let nobody = Connection { as_user: Some("nobody".into()), ..ns.connection() };
    ns.run_with(&nobody, async |cluster| {
        let id = ObjectId::new(Gvk::new("apps", "v1", "Deployment"), Some(ns.name()), "web");
        let error = cluster.get(&id).await.unwrap_err();
        assert_eq!(error.reason, Reason::Forbidden);
        let want = format!(
            "deployments.apps \"web\" is forbidden: User \"nobody\" cannot get resource \"deployments\" in API group \"apps\" in the namespace \"{}\"",
            ns.name()
        );
        assert_eq!(error.message, want);
        let mut events = cluster.watch(&id.gvk, Some(ns.name()), "").await.unwrap();
        assert_eq!(events.next().await.unwrap().unwrap_err().reason, Reason::Forbidden);
        assert!(events.next().await.is_none());
    });
}

#[test]
fn a_server_that_is_not_there_is_said_at_once() {
    let ns = cluster::namespace("nowhere");
    let nowhere = Connection { api_server: Some("https://127.0.0.1:1".into()), ..ns.connection() };
    ns.run_with(&nowhere, async |cluster| {
        let error = cluster.reachable().await.unwrap_err();
        assert_eq!(
            error.message,
            "kubernetes cluster unreachable: Get \"https://127.0.0.1:1/version\": dial tcp: connect: connection refused"
        );
        assert_eq!(cluster.requests(), 1);
    });
    let wrong = Connection { context: Some("none".into()), ..ns.connection() };
    let error = cluster::runtime().block_on(pintle::cluster::kube::Kube::connect(&wrong)).err().unwrap();
    assert_eq!(error.to_string(), "context \"none\" does not exist");
}

#[test]
fn pods_run_on_the_test_cluster_and_their_logs_are_read() {
    let ns = cluster::namespace("logs");
    ns.run(async |cluster| {
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": ns.name()},
            "spec": {"containers": [{"name": "c", "image": "i"}]}});
        cluster.create(&pod, &write_options()).await.unwrap();
        let mut events = cluster.watch(&Gvk::new("", "v1", "Pod"), Some(ns.name()), "metadata.name=p").await.unwrap();
        while let Some(event) = events.next().await {
            if matches!(event.unwrap(), WatchEvent::Applied(o) if o["status"]["phase"] == "Running") {
                break;
            }
        }
        assert_eq!(cluster.logs(ns.name(), "p", Some("c"), None).await.unwrap(), cluster::LOG);
    });
}
