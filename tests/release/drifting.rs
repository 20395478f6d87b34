//! Drift, as the real server judges it.

use pintle::cluster::drift::{DriftOptions, Finding, IgnoreRule, drift};
use pintle::cluster::targets::build;
use pintle::cluster::{Cluster, PatchType, Propagation, WriteOptions};
use serde_json::json;

use crate::support::cluster::{self, write_options};

#[test]
fn what_others_changed_is_found_and_what_the_server_adds_is_not() {
    let ns = cluster::namespace("drift");
    ns.run(async |cluster| {
        let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "labels": {"a": "1"}},
            "spec": {"replicas": 0, "selector": {"matchLabels": {"app": "web"}},
                "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": "i:1"}]}}}});
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {"key": "b2xk"}});
        let gone = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "gone"}});
        let mut off = gone.clone();
        off["metadata"] = json!({"name": "off", "annotations": {"helm.toolkit.fluxcd.io/driftDetection": "disabled"}});
        let targets = build(&cluster, vec![deployment, secret, gone, off], ns.name()).await.unwrap();
        let helm = WriteOptions { field_manager: "helm".into(), ..write_options() };
        for target in &targets {
            cluster.apply(&target.id, &target.object, false, &helm).await.unwrap();
        }
        let options = DriftOptions::default();
        let clean = drift(&cluster, &targets, &options).await.unwrap();
        assert!(clean.iter().all(|d| !d.is_drift()), "{clean:?}");
        assert!(matches!(clean[3].finding, Finding::Ignored));
        let edit = json!({"metadata": {"labels": {"a": "2", "other": "x"}}, "spec": {"replicas": 1}});
        cluster.patch(&targets[0].id, PatchType::Merge, &edit, &write_options()).await.unwrap();
        cluster.patch(&targets[1].id, PatchType::Merge, &json!({"data": {"key": "bmV3"}}), &write_options()).await.unwrap();
        cluster.delete(&targets[2].id, Propagation::Background, None).await.unwrap();
        let found = drift(&cluster, &targets, &options).await.unwrap();
        let Finding::Changed(fields) = &found[0].finding else { panic!("{:?}", found[0]) };
        let paths: Vec<&str> = fields.iter().map(|f| f.path.as_str()).collect();
        assert_eq!(paths, ["/metadata/labels/a", "/spec/replicas"]);
        let Finding::Changed(fields) = &found[1].finding else { panic!("{:?}", found[1]) };
        assert_eq!((fields[0].live.clone(), fields[0].wanted.clone()), (Some("*** (before)".into()), Some("*** (after)".into())));
        assert!(matches!(found[2].finding, Finding::Missing));
        // Nothing was written, and a rule takes a path out.
        let ignore = IgnoreRule { paths: vec!["/spec/replicas".into(), "/metadata/labels/a".into()], target: None };
        let found = drift(&cluster, &targets, &DriftOptions { ignore: vec![ignore], ..options }).await.unwrap();
        assert!(matches!(found[0].finding, Finding::InSync), "{:?}", found[0]);
        assert_eq!(cluster.get(&targets[0].id).await.unwrap().unwrap()["spec"]["replicas"], 1);
    });
}
