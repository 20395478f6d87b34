//! What a reviewer should know of a change: images, pods that restart, fields that can't be changed, data that would be lost.

use serde_json::Value as Json;

use super::immutable::immutable;
use crate::repo::flux_kustomization;

/// Something to look at twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Risk {
    /// Data or service is lost, or the server will refuse it.
    pub danger: bool,
    pub text: String,
}

impl Risk {
    pub fn danger(text: impl Into<String>) -> Self {
        Self { danger: true, text: text.into() }
    }

    pub fn notice(text: impl Into<String>) -> Self {
        Self { danger: false, text: text.into() }
    }
}

/// What is known of a change beside its text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Images before and after; empty for none.
    pub images: Vec<(String, String)>,
    /// Running pods are replaced.
    pub restarts: bool,
    pub risks: Vec<Risk>,
}

const WORKLOADS: [&str; 4] = ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"];

/// Compares an object's two states.
pub fn facts(old: Option<&Json>, new: Option<&Json>) -> Facts {
    let mut out = Facts::default();
    let Some(any) = new.or(old) else { return out };
    let kind = any.get("kind").and_then(Json::as_str).unwrap_or_default();
    let api = any.get("apiVersion").and_then(Json::as_str).unwrap_or_default();
    out.images = images(old, new);
    match (old, new) {
        (Some(a), Some(b)) => {
            let differ = |pointer: &str| a.pointer(pointer) != b.pointer(pointer);
            out.restarts = WORKLOADS.contains(&kind) && differ("/spec/template");
            // Hooks are made anew, never changed.
            if annotation(b, "helm.sh/hook").is_none() {
                immutable(kind, a, b, &mut out.risks);
            }
        }
        (Some(a), None) => removed(kind, api, a, &mut out.risks),
        _ => {}
    }
    out
}

/// Images that came and went, paired in their order.
fn images(old: Option<&Json>, new: Option<&Json>) -> Vec<(String, String)> {
    let all = |object: Option<&Json>| {
        let mut out = Vec::new();
        if let Some(object) = object {
            containers(object, 0, &mut out);
        }
        out
    };
    let (old, new) = (all(old), all(new));
    let mut out = Vec::new();
    let names: Vec<&String> = old.iter().chain(&new).map(|(name, _)| name).collect();
    let mut seen = std::collections::BTreeSet::new();
    for name in names.into_iter().filter(|n| seen.insert((*n).clone())) {
        let of = |list: &[(String, String)]| {
            list.iter().find(|(n, _)| n == name).map_or_else(String::new, |(_, i)| i.clone())
        };
        let pair = (of(&old), of(&new));
        if pair.0 != pair.1 && !out.contains(&pair) {
            out.push(pair);
        }
    }
    out
}

/// Containers by name, wherever a pod template is.
pub(in crate::repo) fn containers(object: &Json, depth: usize, out: &mut Vec<(String, String)>) {
    if depth > 12 {
        return;
    }
    match object {
        Json::Object(fields) => {
            for (key, value) in fields {
                if matches!(key.as_str(), "containers" | "initContainers")
                    && let Json::Array(items) = value
                {
                    for item in items {
                        let text = |key: &str| item.get(key).and_then(Json::as_str).unwrap_or_default().to_owned();
                        if !text("image").is_empty() {
                            out.push((format!("{key}/{}", text("name")), text("image")));
                        }
                    }
                } else {
                    containers(value, depth + 1, out);
                }
            }
        }
        Json::Array(items) => items.iter().for_each(|i| containers(i, depth + 1, out)),
        _ => {}
    }
}

fn annotation<'o>(object: &'o Json, key: &str) -> Option<&'o str> {
    object.pointer("/metadata/annotations")?.get(key)?.as_str()
}

fn removed(kind: &str, api: &str, object: &Json, out: &mut Vec<Risk>) {
    if annotation(object, "helm.sh/resource-policy") == Some("keep") {
        return out.push(Risk::notice("stays in the cluster (helm.sh/resource-policy: keep)"));
    }
    let text = match kind {
        "PersistentVolumeClaim" => "the claim goes, and with it its volume's data where the class reclaims by Delete",
        "PersistentVolume" => "the volume goes",
        "Namespace" => "everything in the namespace goes with it",
        "CustomResourceDefinition" => "all objects of this kind go with it, in every namespace",
        "StatefulSet"
            if object.pointer("/spec/persistentVolumeClaimRetentionPolicy/whenDeleted").and_then(Json::as_str)
                == Some("Delete") =>
        {
            "its pods go, and the claims of its volumes"
        }
        "StatefulSet" => "its pods go; the claims of its volumes stay behind",
        "Secret" => "what it holds is gone for good, if it was not generated from here",
        "Kustomization" if api.starts_with(flux_kustomization::API) => {
            "with prune: true everything that it applied goes with it"
        }
        "HelmRelease" => "Flux uninstalls the release",
        _ => return,
    };
    out.push(Risk { danger: kind != "Secret" && kind != "HelmRelease", text: text.into() });
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_can_not_be_undone_is_flagged() {
        let risks = |a: Json, b: Option<Json>| -> Vec<String> {
            facts(Some(&a), b.as_ref()).risks.into_iter().filter(|r| r.danger).map(|r| r.text).collect()
        };
        let of = |kind: &str, rest: Json| {
            let mut o = rest;
            o["kind"] = kind.into();
            o
        };
        for kind in ["PersistentVolumeClaim", "Namespace", "CustomResourceDefinition", "StatefulSet"] {
            assert_eq!(risks(of(kind, json!({})), None).len(), 1, "{kind}");
        }
        assert!(risks(of("ConfigMap", json!({})), None).is_empty());
        let keep = json!({"metadata": {"annotations": {"helm.sh/resource-policy": "keep"}}});
        assert!(risks(of("PersistentVolumeClaim", keep), None).is_empty());
        let claim = |size: Json| json!({"spec": {"resources": {"requests": {"storage": size}}}});
        let hook = |template: i64| json!({"metadata": {"annotations": {"helm.sh/hook": "pre-upgrade"}}, "spec": {"template": template}});
        let indexed = |completions: i64, parallelism: i64| json!({"spec": {"completionMode": "Indexed", "completions": completions, "parallelism": parallelism}});
        for (kind, a, b, field) in [
            ("Deployment", json!({"spec": {"selector": 1}}), json!({"spec": {"selector": 2}}), "spec.selector"),
            (
                "StatefulSet",
                json!({"spec": {"volumeClaimTemplates": [1]}}),
                json!({"spec": {}}),
                "spec.volumeClaimTemplates",
            ),
            ("Job", json!({"spec": {"template": 1}}), json!({"spec": {"template": 2}}), "spec.template"),
            ("RoleBinding", json!({"roleRef": 1}), json!({"roleRef": 2}), "roleRef"),
            ("PersistentVolumeClaim", json!({"spec": {"accessModes": [1]}}), json!({"spec": {}}), "spec.accessModes"),
            ("PersistentVolumeClaim", claim(json!("2Gi")), claim(json!("1Gi")), "spec.resources.requests.storage"),
            ("PersistentVolumeClaim", claim(json!("1.5Ti")), claim(json!("1500G")), "spec.resources.requests.storage"),
            ("PersistentVolumeClaim", claim(json!(2048)), claim(json!("1Ki")), "spec.resources.requests.storage"),
            ("RuntimeClass", json!({"handler": "runc"}), json!({"handler": "kata"}), "handler"),
            (
                "PersistentVolume",
                json!({"spec": {"hostPath": {"path": "/a"}}}),
                json!({"spec": {"hostPath": {"path": "/b"}}}),
                "spec.hostPath",
            ),
            ("PersistentVolume", json!({"spec": {}}), json!({"spec": {"volumeMode": "Block"}}), "spec.volumeMode"),
            ("Job", json!({"spec": {}}), json!({"spec": {"completions": 2}}), "spec.completions"),
            ("Job", indexed(2, 2), indexed(3, 2), "spec.completions"),
        ] {
            let found = risks(of(kind, a), Some(of(kind, b)));
            assert!(found.len() == 1 && found[0].starts_with(field), "{kind}: {found:?}");
        }
        // What the server takes.
        for (kind, a, b) in [
            ("PersistentVolumeClaim", claim(json!("1Gi")), claim(json!("1100Mi"))),
            ("PersistentVolumeClaim", claim(json!("1Gi")), claim(json!("1024Mi"))),
            ("PersistentVolumeClaim", claim(json!("1Gi")), claim(json!("<masked>"))),
            ("PersistentVolume", json!({"spec": {"capacity": 1}}), json!({"spec": {"volumeMode": "Filesystem"}})),
            (
                "PersistentVolume",
                json!({"spec": {"csi": {"driver": "d"}}}),
                json!({"spec": {"csi": {"driver": "d", "controllerExpandSecretRef": {"name": "s"}}}}),
            ),
            ("Job", json!({"spec": {}}), json!({"spec": {"completions": 1, "parallelism": 1}})),
            ("Job", indexed(2, 2), indexed(3, 3)),
            ("Job", hook(1), hook(2)),
        ] {
            let found = risks(of(kind, a), Some(of(kind, b)));
            assert!(found.is_empty(), "{kind}: {found:?}");
        }
    }
}
