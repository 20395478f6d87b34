//! `lookup` in templates against a real server, with the answers that Helm gives.

use std::sync::Arc;

use pintle::cluster::Cluster;
use pintle::cluster::kube::ClusterLookup;
use pintle::gotmpl::{Limits, State, SystemHost};
use pintle::render::control::Lookup;
use pintle::value::{Value, json};
use serde_json::json as object;

use crate::support::cluster::{self, write_options};

#[test]
fn lookup_gives_objects_lists_and_empty_maps() {
    let ns = cluster::namespace("lookup");
    ns.run(async |cluster| {
        let config = object!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": ns.name()}, "data": {"k": "v"}});
        cluster.create(&config, &write_options()).await.unwrap();
        let lookup = ClusterLookup::new(cluster);
        let namespace = ns.name().to_owned();
        // As a render does it: on a thread that may block.
        let answers = tokio::task::spawn_blocking(move || {
            let mut st = State::new(Arc::new(SystemHost { enable_dns: false }), Limits::default());
            let mut ask = |version: &str, kind: &str, name: &str| {
                let found = lookup.lookup(&mut st, version, kind, &namespace, name)?;
                assert!(matches!(found, Value::Map(_)));
                let text = json::encode(&mut st.heap, &found, false, None)?;
                serde_json::from_slice::<serde_json::Value>(&text).map_err(|e| e.to_string())
            };
            [
                ask("v1", "ConfigMap", "c"),
                ask("v1", "ConfigMap", "none"),
                ask("v1", "ConfigMap", ""),
                ask("apps/v1", "NoSuchKind", "x"),
                ask("no.example.com/v1", "Widget", "x"),
            ]
        });
        let [one, none, list, kind, group] = answers.await.unwrap();
        assert_eq!(one.unwrap()["data"]["k"], "v");
        assert_eq!(none.unwrap(), object!({}));
        let list = list.unwrap();
        assert_eq!(list["kind"], "ConfigMapList");
        let names: Vec<_> = list["items"].as_array().unwrap().iter().map(|i| (&i["kind"], &i["metadata"]["name"])).collect();
        assert!(names.contains(&(&object!("ConfigMap"), &object!("c"))), "{names:?}");
        assert_eq!(kind.unwrap(), object!({}));
        assert_eq!(
            group.unwrap_err(),
            "unable to get apiresource from unstructured: no.example.com/v1, Kind=Widget: the server could not find the requested resource"
        );
    });
}
