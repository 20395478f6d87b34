//! The live objects of a release, as `helm status` shows them. Source: Helm 4.3 `pkg/kube/client.go`, `Get`.

use std::collections::BTreeMap;

use serde_json::json;

use crate::cluster::targets::flatten;
use crate::cluster::{Cluster, ClusterError, Gvk, Json, ObjectId, Reason, manifest};
use crate::release::record::Record;

/// Live objects by `version/Kind`, and under `v1/Pod(related)` the pods of workloads. With `tables` each is the server's table of it. Objects
/// that are gone, or that may not be seen, are left out.
///
/// # Errors
/// A server that cannot be reached; a manifest that is no YAML.
pub async fn objects(
    cluster: &dyn Cluster,
    record: &Record,
    tables: bool,
) -> Result<BTreeMap<String, Vec<Json>>, ClusterError> {
    let mut out: BTreeMap<String, Vec<Json>> = BTreeMap::new();
    let mut selectors: Vec<String> = Vec::new();
    let documents = manifest::objects(record.manifest.as_bytes()).unwrap_or_default();
    for object in documents.into_iter().flat_map(flatten) {
        let mut id = ObjectId::of(&object);
        let Some(resource) = optional(cluster.resource(&id.gvk).await)? else { continue };
        id.namespace = resource.namespaced.then(|| id.namespace.take().unwrap_or_else(|| record.namespace.clone()));
        let found = match tables {
            true => optional(cluster.table(&id.gvk, id.namespace.as_deref(), &id.name, "").await)?.flatten(),
            false => optional(cluster.get(&id).await)?.flatten(),
        };
        let Some(found) = found else { continue };
        out.entry(format!("{}/{}", id.gvk.version, id.gvk.kind)).or_default().push(found);
        let Some(selector) = selector(&id.gvk, &object).filter(|s| !selectors.contains(s)) else { continue };
        let pod = Gvk::new("", "v1", "Pod");
        let namespace = id.namespace.as_deref();
        let pods = match tables {
            true => {
                let table = optional(cluster.table(&pod, namespace, "", &selector).await)?.flatten();
                Vec::from_iter(table)
            }
            // Helm shows the list as one object.
            false => optional(cluster.list(&pod, namespace, &selector, "").await)?
                .map(|pods| json!({ "apiVersion": "v1", "kind": "PodList", "metadata": {}, "items": pods }))
                .into_iter()
                .collect(),
        };
        if !pods.is_empty() {
            out.entry("v1/Pod(related)".into()).or_default().extend(pods);
        }
        selectors.push(selector);
    }
    Ok(out)
}

/// What one object is refused for does not hide the others; a server that is not there does.
fn optional<T>(result: Result<T, ClusterError>) -> Result<Option<T>, ClusterError> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(e) if matches!(e.reason, Reason::Unreachable | Reason::Unauthorized) => Err(e),
        Err(_) => Ok(None),
    }
}

fn selector(gvk: &Gvk, object: &Json) -> Option<String> {
    if !matches!(gvk.kind.as_str(), "ReplicaSet" | "Deployment" | "StatefulSet" | "DaemonSet" | "Job") {
        return None;
    }
    let labels = object.pointer("/spec/selector/matchLabels")?.as_object()?;
    let mut pairs: Vec<String> =
        labels.iter().map(|(k, v)| format!("{k}={}", v.as_str().unwrap_or_default())).collect();
    pairs.sort();
    Some(pairs.join(","))
}
