//! `status.inventory`: the objects of the newest release, for those who show them.
//!
//! Source: helm-controller 1.6 `internal/inventory/inventory.go`, and `ObjMetadata.String` of cli-utils.

use crate::api::snapshot::{ResourceInventory, ResourceRef};
use crate::chart::Chart;
use crate::cluster::{Cluster, Json, ObjectId, manifest};
use crate::release::Record;

/// The objects of a release's manifest without hooks, then the definitions of the chart's `crds/`.
pub async fn of(cluster: &dyn Cluster, record: &Record, chart: &Chart) -> ResourceInventory {
    let mut entries = Vec::new();
    let objects = manifest::objects(record.manifest.as_bytes()).unwrap_or_default();
    let is_hook = |o: &Json| o.pointer("/metadata/annotations/helm.sh~1hook").is_some();
    for object in objects.iter().filter(|o| !is_hook(o)) {
        let mut id = ObjectId::of(object);
        if id.namespace.is_none() && cluster.resource(&id.gvk).await.is_ok_and(|r| r.namespaced) {
            id.namespace = Some(record.namespace.clone());
        }
        entries.push(entry(&id));
    }
    for crd in chart.crds() {
        let objects = manifest::objects(&crd.file.data).unwrap_or_default();
        entries.extend(objects.iter().map(|o| entry(&ObjectId::of(o))));
    }
    ResourceInventory { entries }
}

fn entry(id: &ObjectId) -> ResourceRef {
    // Names of RBAC objects may have what else is a separator.
    let name = if id.gvk.group == "rbac.authorization.k8s.io" { id.name.replace(':', "__") } else { id.name.clone() };
    ResourceRef::new(id.namespace.as_deref().unwrap_or_default(), &name, &id.gvk.group, &id.gvk.kind, &id.gvk.version)
}
