//! Fields that can't be changed: those that the API server's validation refuses (Kubernetes `pkg/apis/*/validation`).

use serde_json::Value as Json;

use super::risks::Risk;

/// What of a PersistentVolume's `spec` is not where its data lies.
const BESIDE_THE_SOURCE: [&str; 9] = [
    "accessModes",
    "capacity",
    "claimRef",
    "mountOptions",
    "nodeAffinity",
    "persistentVolumeReclaimPolicy",
    "storageClassName",
    "volumeAttributesClassName",
    "volumeMode",
];

/// What of a change of an object the server refuses.
pub(super) fn immutable(kind: &str, a: &Json, b: &Json, out: &mut Vec<Risk>) {
    let differ = |pointer: &str| a.pointer(pointer) != b.pointer(pointer);
    let both = |pointer: &str| a.pointer(pointer).is_some() && b.pointer(pointer).is_some();
    let mut refused = |field: &str| {
        out.push(Risk::danger(format!(
            "{field} can't be changed: the server will refuse it, the object must be replaced"
        )));
    };
    let mut spec = |fields: &[&str]| {
        fields
            .iter()
            .filter(|field| differ(&format!("/spec/{field}")))
            .for_each(|field| refused(&format!("spec.{field}")));
    };
    match kind {
        "Deployment" | "DaemonSet" | "ReplicaSet" => spec(&["selector"]),
        "StatefulSet" => spec(&["selector", "serviceName", "podManagementPolicy", "volumeClaimTemplates"]),
        "Job" => {
            spec(&["selector", "template", "completionMode"]);
            spec(&["backoffLimitPerIndex", "managedBy", "podFailurePolicy", "successPolicy"]);
            if completions_refused(a, b) {
                refused("spec.completions");
            }
        }
        "PersistentVolume" => volume(a, b, &mut refused),
        "PersistentVolumeClaim" => {
            spec(&["accessModes", "storageClassName", "volumeName", "volumeMode", "selector", "dataSource"]);
        }
        "Service" if differ("/spec/clusterIP") && both("/spec/clusterIP") => refused("spec.clusterIP"),
        "RoleBinding" | "ClusterRoleBinding" if differ("/roleRef") => refused("roleRef"),
        "RuntimeClass" if differ("/handler") => refused("handler"),
        "StorageClass" => {
            for field in ["provisioner", "parameters", "reclaimPolicy", "volumeBindingMode"] {
                if differ(&format!("/{field}")) {
                    refused(field);
                }
            }
        }
        "PriorityClass" if differ("/value") => refused("value"),
        "IngressClass" => spec(&["controller"]),
        "Secret" if differ("/type") && both("/type") => refused("type"),
        "CustomResourceDefinition" => spec(&["scope"]),
        _ => {}
    }
    if matches!(kind, "ConfigMap" | "Secret")
        && a.get("immutable") == Some(&Json::Bool(true))
        && ["data", "binaryData", "stringData", "immutable"].iter().any(|f| a.get(*f) != b.get(*f))
    {
        refused("data of an immutable object");
    }
    match kind {
        "PersistentVolumeClaim" => size(a, b, out),
        "CustomResourceDefinition" => served(a, b, out),
        _ => {}
    }
}

/// A Job's completions: only those of an Indexed one change, and only together with its parallelism.
fn completions_refused(a: &Json, b: &Json) -> bool {
    let one = Json::from(1);
    let counts = |o: &Json| -> [Option<Json>; 2] {
        let get = |field: &str| o.pointer(field).filter(|n| !n.is_null()).cloned();
        match [get("/spec/completions"), get("/spec/parallelism")] {
            [None, None] => [Some(one.clone()), Some(one.clone())],
            [completions, None] => [completions, Some(one.clone())],
            both => both,
        }
    };
    let ([before, old_parallel], [after, new_parallel]) = (counts(a), counts(b));
    let indexed = b.pointer("/spec/completionMode").and_then(Json::as_str) == Some("Indexed");
    before != after && !(indexed && before == old_parallel && after == new_parallel)
}

/// A PersistentVolume's source, and what goes with it.
fn volume(a: &Json, b: &Json, refused: &mut impl FnMut(&str)) {
    let source = |o: &Json| {
        let mut spec = o.get("spec").and_then(Json::as_object).cloned().unwrap_or_default();
        spec.retain(|field, _| !BESIDE_THE_SOURCE.contains(&field.as_str()));
        spec
    };
    let (old, mut new) = (source(a), source(b));
    // This one may still be given.
    let expand = "controllerExpandSecretRef";
    if old.get("csi").is_some_and(|csi| csi.get(expand).is_none())
        && let Some(csi) = new.get_mut("csi").and_then(Json::as_object_mut)
    {
        csi.remove(expand);
    }
    for field in old.keys().chain(new.keys().filter(|field| !old.contains_key(*field))) {
        if old.get(field) != new.get(field) {
            refused(&format!("spec.{field}"));
        }
    }
    let mode = |o: &Json| o.pointer("/spec/volumeMode").and_then(Json::as_str).unwrap_or("Filesystem").to_owned();
    if mode(a) != mode(b) {
        refused("spec.volumeMode");
    }
    let nodes = "/spec/nodeAffinity";
    if a.pointer(nodes).is_some() && a.pointer(nodes) != b.pointer(nodes) {
        refused("spec.nodeAffinity");
    }
}

/// A claim's size.
fn size(a: &Json, b: &Json, out: &mut Vec<Risk>) {
    let size = |o: &Json| o.pointer("/spec/resources/requests/storage").cloned();
    let (old, new) = (size(a), size(b));
    let bytes = |size: &Option<Json>| quantity(size.as_ref()?);
    match (bytes(&old), bytes(&new)) {
        (Some(x), Some(y)) if y < x => out.push(Risk::danger(
            "spec.resources.requests.storage can't become less: the server will refuse it, the claim must be replaced",
        )),
        (Some(x), Some(y)) if x >= y => {}
        _ if old == new => {}
        _ => {
            out.push(Risk::notice(
                "the volume's size changes: it can grow where its class allows it, and never shrink",
            ));
        }
    }
}

/// A number of bytes, as `resource.ParseQuantity` reads it.
fn quantity(value: &Json) -> Option<f64> {
    let text = match value {
        Json::String(text) => text.trim(),
        number => return number.as_f64(),
    };
    if let Ok(number) = text.parse::<f64>() {
        return Some(number);
    }
    let units = [("Ki", 10), ("Mi", 20), ("Gi", 30), ("Ti", 40), ("Pi", 50), ("Ei", 60)];
    if let Some((number, power)) = units.iter().find_map(|(unit, power)| Some((text.strip_suffix(unit)?, *power))) {
        return Some(number.parse::<f64>().ok()? * 2_f64.powi(power));
    }
    let units = [("m", -3), ("k", 3), ("M", 6), ("G", 9), ("T", 12), ("P", 15), ("E", 18)];
    let (number, power) = units.iter().find_map(|(unit, power)| Some((text.strip_suffix(unit)?, *power)))?;
    Some(number.parse::<f64>().ok()? * 10_f64.powi(power))
}

/// A definition's versions that are served no longer.
fn served(a: &Json, b: &Json, out: &mut Vec<Risk>) {
    let versions = |o: &Json| -> Vec<String> {
        let list = o.pointer("/spec/versions").and_then(Json::as_array);
        let served = |v: &&Json| v.get("served") == Some(&Json::Bool(true));
        let name = |v: &Json| v.get("name").and_then(Json::as_str).map(String::from);
        list.map_or_else(Vec::new, |l| l.iter().filter(served).filter_map(name).collect())
    };
    let now = versions(b);
    for gone in versions(a).iter().filter(|v| !now.contains(v)) {
        out.push(Risk::danger(format!("version {gone} is served no longer: objects in it can't be read any more")));
    }
}
