//! Releases on another cluster than their objects': a kubeconfig in a Secret of the own namespace, and tokens of service accounts.

use pintle::cluster::{Cluster, Gvk, Json, ObjectId};
use serde_json::json;

use crate::support::cluster::{namespace_in, own_control_plane, write_options};
use crate::tenancy::deployer;
use crate::world::{CONFIG, World};

fn create(w: &World, mut object: Json) {
    object["metadata"]["namespace"] = w.name().into();
    w.run(async |cluster| cluster.create(&object, &write_options()).await.unwrap());
}

/// A plane's address and authority, and the kubeconfig of its administrator with all in one text.
fn reach(kubeconfig: &std::path::Path) -> (String, String, Json) {
    let mut config: Json = serde_json::from_slice(&std::fs::read(kubeconfig).unwrap()).unwrap();
    let cluster = &config["clusters"][0]["cluster"];
    let server = cluster["server"].as_str().unwrap().to_owned();
    let ca = std::fs::read_to_string(cluster["certificate-authority"].as_str().unwrap()).unwrap();
    config["clusters"][0]["cluster"] =
        json!({"server": server, "certificate-authority-data": data_encoding::BASE64.encode(ca.as_bytes())});
    (server, ca, config)
}

#[test]
fn a_remote_cluster_is_reached_by_a_kubeconfig() {
    let w = World::new("remote-other");
    let plane = own_control_plane();
    let there = namespace_in(plane, "there");
    let (_, _, config) = reach(&there.kubeconfig());
    create(
        &w,
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "remote"}, "stringData": {"kubeconfig": config.to_string()}}),
    );
    w.chart("web", "0.1.0", &[CONFIG]);
    let to = there.name().to_owned();
    w.release(
        "web",
        "web",
        json!({"kubeConfig": {"secretRef": {"name": "remote", "key": "kubeconfig"}}, "releaseName": "web",
            "targetNamespace": to, "storageNamespace": to}),
    );
    w.ready("web");
    let (config, secret) = there.run(async |cluster| {
        let get = async |kind: &str, name: &str| {
            cluster.get(&ObjectId::new(Gvk::new("", "v1", kind), Some(&to), name)).await.unwrap()
        };
        (get("ConfigMap", "web").await, get("Secret", "sh.helm.release.v1.web.v1").await)
    });
    assert_eq!(config.unwrap()["data"]["text"], "none");
    assert!(secret.is_some(), "the record is where the release is");
    // Nothing of it is on the cluster of the object.
    assert_eq!((w.live("v1", "ConfigMap", "web"), w.stored("web").as_str()), (None, ""));
    plane.end();
}

#[test]
fn a_cluster_that_takes_our_tokens_is_reached_by_a_service_account() {
    let w = World::new("remote-token");
    deployer(&w);
    let (server, ca, _) = reach(&w.ns.kubeconfig());
    let map = |name: &str, data: Json| {
        create(&w, json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}));
    };
    let audience = w.run(async |cluster: pintle::cluster::kube::Kube| {
        let text = cluster.raw("/.well-known/openid-configuration").await.unwrap();
        serde_json::from_str::<Json>(&text).unwrap()["issuer"].as_str().unwrap().to_owned()
    });
    map(
        "good",
        json!({"provider": "generic", "address": server, "ca.crt": ca, "audiences": audience, "serviceAccountName": "deployer"}),
    );
    map(
        "nobody",
        json!({"provider": "generic", "address": server, "ca.crt": ca, "audiences": audience, "serviceAccountName": "nobody"}),
    );
    map("stranger", json!({"provider": "generic", "address": server, "ca.crt": ca, "serviceAccountName": "deployer"}));
    map("cloud", json!({"provider": "aws", "cluster": "arn:aws:eks:eu-1:1:cluster/x"}));
    map("empty", json!({"provider": "generic"}));
    w.chart("web", "0.1.0", &[CONFIG]);
    for name in ["good", "nobody", "stranger", "cloud", "empty", "missing"] {
        w.release(name, "web", json!({"kubeConfig": {"configMapRef": {"name": name}}}));
    }
    w.ready("good");
    assert_eq!(w.data("good", "text"), "none");
    for (name, why) in [
        ("nobody", "no token of the service account"),
        ("cloud", "the provider 'aws' is not supported"),
        ("empty", "key 'address' is missing"),
        ("missing", "ConfigMap \"missing\" not found"),
    ] {
        let r = w.until(name, "the refusal", |r| r.is("Ready", "False"));
        assert_eq!(r.reason("Ready"), "RESTClientError", "{name}");
        assert!(r.message("Ready").contains(why), "{name}: {}", r.message("Ready"));
    }
    // The address is no audience of this cluster's: the token is not taken, and not shown.
    let r = w.until("stranger", "the refusal", |r| r.is("Ready", "False"));
    assert!(r.message("Ready").to_lowercase().contains("unauthorized"), "{}", r.message("Ready"));
    assert!(!r.0.to_string().contains("eyJ"), "{:#}", r.0);
}
