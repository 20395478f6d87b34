//! The apply step on a real server: server-side and client-side, conflicts, ownership, pruning, custom resources.

use pintle::cluster::apply::{self, ApplyOptions, Method};
use pintle::cluster::kube::Kube;
use pintle::cluster::targets::{Owner, Target, build, existing, ownership, stamp};
use pintle::cluster::{Cluster, Gvk, Json, ObjectId, PatchType, Propagation, WriteOptions};
use serde_json::json;

use crate::support::cluster::{self, write_options};

const SERVER: Method = Method::ServerSide { force_conflicts: false, migrate: false };
const CLIENT: Method = Method::ClientSide { three_way_custom: false };

fn config(name: &str, data: Json) -> Json {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data})
}

fn deployment(containers: Json) -> Json {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
        "spec": {"replicas": 0, "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": containers}}}})
}

async fn targets(cluster: &Kube, objects: Vec<Json>) -> Vec<Target> {
    build(cluster, objects, cluster.namespace()).await.unwrap()
}

fn names(ids: &[ObjectId]) -> Vec<&str> {
    ids.iter().map(|id| id.name.as_str()).collect()
}

#[test]
fn a_release_is_created_updated_and_pruned_either_way() {
    for method in [SERVER, CLIENT] {
        let ns = cluster::namespace("lifecycle");
        ns.run(async |cluster| {
            let options = ApplyOptions::new(method);
            let mut keep = config("keep", json!({}));
            keep["metadata"]["annotations"] = json!({"helm.sh/resource-policy": "keep"});
            let first = targets(&cluster, vec![config("a", json!({"k": "1"})), config("gone", json!({})), keep]).await;
            let done = apply::create(&cluster, &first, &options).await.unwrap();
            assert_eq!(names(&done.created), ["a", "gone", "keep"]);
            let second = targets(&cluster, vec![config("a", json!({"k": "2"})), config("new", json!({}))]).await;
            let done = apply::update(&cluster, &first, &second, &options).await.unwrap();
            assert_eq!(names(&done.created), ["new"], "{method:?}");
            assert_eq!(names(&done.updated), ["a"]);
            assert_eq!(names(&done.deleted), ["gone"]);
            assert_eq!(names(&done.kept), ["keep"]);
            let live = cluster.get(&second[0].id).await.unwrap().unwrap();
            assert_eq!(live["data"]["k"], "2");
            let manager = &live["metadata"]["managedFields"][0];
            let operation = if method == SERVER { "Apply" } else { "Update" };
            assert_eq!((manager["manager"].as_str(), manager["operation"].as_str()), (Some("helm"), Some(operation)));
            let (deleted, failed) = apply::delete(&cluster, &second, Propagation::Background).await;
            assert_eq!((deleted.len(), failed.len()), (2, 0));
        });
    }
}

#[test]
fn client_side_patches_keep_what_others_wrote() {
    let ns = cluster::namespace("three-way");
    ns.run(async |cluster| {
        let options = ApplyOptions::new(CLIENT);
        let first = json!([{"name": "a", "image": "a:1"}, {"name": "b", "image": "b:1"}]);
        let old = targets(&cluster, vec![deployment(first)]).await;
        apply::create(&cluster, &old, &options).await.unwrap();
        // A sidecar injected by somebody else stays; `b` goes; `a` changes.
        let sidecar = json!({"spec": {"template": {"spec": {"containers": [{"name": "side", "image": "s:1"}]}}}});
        cluster.patch(&old[0].id, PatchType::Strategic, &sidecar, &write_options()).await.unwrap();
        let new = targets(&cluster, vec![deployment(json!([{"name": "a", "image": "a:2"}]))]).await;
        apply::update(&cluster, &old, &new, &options).await.unwrap();
        let live = cluster.get(&new[0].id).await.unwrap().unwrap();
        let containers = live["spec"]["template"]["spec"]["containers"].as_array().unwrap();
        let mut images: Vec<&str> = containers.iter().filter_map(|c| c["image"].as_str()).collect();
        images.sort_unstable();
        assert_eq!(images, ["a:2", "s:1"]);
        // Then to server-side apply: what the same manager wrote by update must not stay behind.
        let migrate = ApplyOptions::new(Method::ServerSide { force_conflicts: false, migrate: true });
        let third = targets(&cluster, vec![deployment(json!([{"name": "c", "image": "c:1"}]))]).await;
        apply::update(&cluster, &new, &third, &migrate).await.unwrap();
        let live = cluster.get(&new[0].id).await.unwrap().unwrap();
        let containers = live["spec"]["template"]["spec"]["containers"].as_array().unwrap();
        let mut images: Vec<&str> = containers.iter().filter_map(|c| c["image"].as_str()).collect();
        images.sort_unstable();
        assert_eq!(images, ["c:1", "s:1"]);
    });
}

#[test]
fn conflicts_and_refusals_are_said_as_helm_says_them() {
    let ns = cluster::namespace("conflicts");
    ns.run(async |cluster| {
        let options = ApplyOptions::new(SERVER);
        let old = targets(&cluster, vec![config("a", json!({"k": "1"}))]).await;
        apply::create(&cluster, &old, &options).await.unwrap();
        let other = WriteOptions { field_manager: "editor".into(), ..write_options() };
        cluster.patch(&old[0].id, PatchType::Merge, &json!({"data": {"k": "edited"}}), &other).await.unwrap();
        let new = targets(&cluster, vec![config("a", json!({"k": "2"}))]).await;
        let error = apply::update(&cluster, &old, &new, &options).await.unwrap_err();
        assert_eq!(
            error.message,
            format!(
                "conflict occurred while applying object {}/a /v1, Kind=ConfigMap: Apply failed with 1 conflict: \
                 conflict with \"editor\" using v1: .data.k",
                ns.name()
            )
        );
        let force = ApplyOptions::new(Method::ServerSide { force_conflicts: true, migrate: false });
        apply::update(&cluster, &old, &new, &force).await.unwrap();
        // Strict: a field that the type does not have.
        let mut wrong = deployment(json!([{"name": "a", "image": "a:1"}]));
        wrong["spec"]["replicaz"] = 1.into();
        let error = apply::create(&cluster, &targets(&cluster, vec![wrong]).await, &options).await.unwrap_err();
        let want = format!("server-side apply failed for object {}/web apps/v1, Kind=Deployment: ", ns.name());
        assert!(error.message.starts_with(&want) && error.message.contains(".spec.replicaz"), "{}", error.message);
        // An immutable field, client-side and by replacement.
        let web = targets(&cluster, vec![deployment(json!([{"name": "a", "image": "a:1"}]))]).await;
        apply::create(&cluster, &web, &ApplyOptions::new(CLIENT)).await.unwrap();
        let mut other = web.clone();
        other[0].object["spec"]["selector"]["matchLabels"]["app"] = "x".into();
        other[0].object["spec"]["template"]["metadata"]["labels"]["app"] = "x".into();
        for (method, words) in
            [(CLIENT, "cannot patch \"web\" with kind Deployment: "), (Method::Replace, "failed to replace object: ")]
        {
            let error = apply::update(&cluster, &web, &other, &ApplyOptions::new(method)).await.unwrap_err();
            assert!(
                error.message.starts_with(words) && error.message.contains("field is immutable"),
                "{}",
                error.message
            );
        }
    });
}

#[test]
fn objects_of_others_are_not_taken() {
    let ns = cluster::namespace("owners");
    ns.run(async |cluster| {
        let owner = Owner { release: "demo", namespace: ns.name() };
        let mut mine = targets(&cluster, vec![config("mine", json!({})), config("theirs", json!({})), config("absent", json!({}))]).await;
        cluster.create(&mine[1].object, &write_options()).await.unwrap();
        stamp(&mut mine, owner);
        cluster.create(&mine[0].object, &write_options()).await.unwrap();
        let error = existing(&cluster, &mine, Some(owner)).await.unwrap_err();
        let n = ns.name();
        assert_eq!(
            error,
            format!(
                "ConfigMap \"theirs\" in namespace \"{n}\" exists and cannot be imported into the current release: invalid ownership \
                 metadata; label validation error: missing key \"app.kubernetes.io/managed-by\": must be set to \"Helm\"; \
                 annotation validation error: missing key \"meta.helm.sh/release-name\": must be set to \"demo\"; \
                 annotation validation error: missing key \"meta.helm.sh/release-namespace\": must be set to \"{n}\""
            )
        );
        assert_eq!(existing(&cluster, &mine, None).await.unwrap().len(), 2);
        let found = ownership(&cluster, &mine, owner).await;
        assert_eq!((found.owned.len(), found.foreign.len(), found.unknown.len()), (1, 1, 0));
    });
}

#[test]
fn definitions_are_established_before_their_objects_are_built() {
    let ns = cluster::namespace("crds");
    ns.run(async |cluster| {
        let group = format!("{}.example.com", ns.name());
        let widget = json!({"apiVersion": format!("{group}/v1"), "kind": "Widget", "metadata": {"name": "w"}, "spec": {"size": 1}});
        let error = build(&cluster, vec![widget.clone()], ns.name()).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "resource mapping not found for name: \"w\" namespace: \"\" from \"\": no matches for kind \"Widget\" in version \"{group}/v1\"\n\
                 ensure CRDs are installed first"
            )
        );
        let definition = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": format!("widgets.{group}")},
            "spec": {"group": group, "scope": "Namespaced", "names": {"plural": "widgets", "kind": "Widget"},
                "versions": [{"name": "v1", "served": true, "storage": true,
                    "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}]}});
        let definition = targets(&cluster, vec![definition]).await;
        let options = ApplyOptions::new(SERVER);
        apply::create_crds(&cluster, &[("crds/widget.yaml".into(), definition.clone())], &options).await.unwrap();
        let old = targets(&cluster, vec![widget.clone()]).await;
        apply::create(&cluster, &old, &options).await.unwrap();
        // Client-side, a custom object gets the difference of the manifests: what was edited meanwhile stays.
        cluster.patch(&old[0].id, PatchType::Merge, &json!({"spec": {"size": 5}}), &write_options()).await.unwrap();
        let mut new = old.clone();
        new[0].object["spec"]["colour"] = "red".into();
        apply::update(&cluster, &old, &new, &ApplyOptions::new(CLIENT)).await.unwrap();
        assert_eq!(cluster.get(&old[0].id).await.unwrap().unwrap()["spec"], json!({"size": 5, "colour": "red"}));
        let three_way = ApplyOptions::new(Method::ClientSide { three_way_custom: true });
        apply::update(&cluster, &old, &new, &three_way).await.unwrap();
        assert_eq!(cluster.get(&old[0].id).await.unwrap().unwrap()["spec"], json!({"size": 1, "colour": "red"}));
        let (_, failed) = apply::delete(&cluster, &definition, Propagation::Background).await;
        assert!(failed.is_empty());
        assert!(cluster.resource(&Gvk::new("apps", "v1", "Deployment")).await.is_ok());
    });
}
