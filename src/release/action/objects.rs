//! The objects of a manifest, resolved against the target, and the checks that need no write.

use std::collections::HashMap;

use crate::cluster::targets::{BuildError, Owner, Target, build, described, same, stamp};
use crate::cluster::{Json, ObjectId, Reason, manifest};
use crate::release::Record;

use super::{ActionError, Context};

/// The objects of a manifest in its order. Namespaces are filled in, ownership is not stamped yet.
///
/// # Errors
/// YAML that cannot be read, and every kind that is not served.
pub(super) async fn of_manifest(ctx: &Context, text: &str) -> Result<Vec<Target>, String> {
    let objects = manifest::objects(text.as_bytes())?;
    build(ctx.cluster.as_ref(), objects, &ctx.namespace).await.map_err(|e| e.to_string())
}

/// The objects of a stored revision, for deleting and comparing. What cannot be resolved any more (its kind is not served) is not there
/// either, and is passed over.
///
/// # Errors
/// YAML that cannot be read, and a server that does not answer: what is there then is not known, and must not be forgotten.
pub(super) async fn of_record(ctx: &Context, record: &Record) -> Result<Vec<Target>, String> {
    let objects = manifest::objects(record.manifest.as_bytes())?;
    served(ctx, objects).await.map_err(|e| e.to_string())
}

/// Those objects whose kinds are served.
///
/// # Errors
/// The server does not answer.
pub(super) async fn served(ctx: &Context, objects: Vec<Json>) -> Result<Vec<Target>, BuildError> {
    let mut out = Vec::new();
    for object in objects {
        match build(ctx.cluster.as_ref(), [object], &ctx.namespace).await {
            Ok(targets) => out.extend(targets),
            Err(e) if e.unanswered => return Err(e),
            Err(_) => {}
        }
    }
    Ok(out)
}

/// Refuses a manifest that has one object twice: the second would silently take the first's place.
pub(super) fn check_unique(targets: &[Target]) -> Result<(), ActionError> {
    let mut seen: HashMap<(&str, &str, Option<&str>, &str), ()> = HashMap::new();
    for t in targets.iter().filter(|t| !t.id.name.is_empty()) {
        let key = (t.id.gvk.group.as_str(), t.id.gvk.kind.as_str(), t.id.namespace.as_deref(), t.id.name.as_str());
        if seen.insert(key, ()).is_some() {
            return Err(ActionError::new(format!("{} is in the chart's manifests twice", described(&t.id)))
                .with("one would overwrite the other: give them different names, or remove one of them"));
        }
    }
    Ok(())
}

/// Stamps the release's ownership on its objects.
pub(super) fn own(targets: &mut [Target], record: &Record) {
    stamp(targets, owner(record));
}

pub(super) fn owner(record: &Record) -> Owner<'_> {
    Owner { release: &record.name, namespace: &record.namespace }
}

/// Adds those that are not in the list yet.
pub(super) fn add(list: &mut Vec<Target>, more: Vec<Target>) {
    for target in more {
        if !list.iter().any(|t| t.same(&target)) {
            list.push(target);
        }
    }
}

/// Refuses objects for namespaces that do not exist and that the manifest does not bring along. The release's own namespace is not looked at:
/// the record goes there first, and the server says so.
pub(super) async fn check_namespaces(ctx: &Context, targets: &[Target]) -> Result<(), ActionError> {
    if !ctx.cluster.is_live() {
        return Ok(());
    }
    let made: Vec<&str> = targets.iter().filter(|t| t.id.gvk.kind == "Namespace").map(|t| t.id.name.as_str()).collect();
    let mut asked: Vec<&str> = Vec::new();
    for target in targets {
        let Some(ns) = target.id.namespace.as_deref() else { continue };
        if ns == ctx.namespace || made.contains(&ns) || asked.contains(&ns) {
            continue;
        }
        asked.push(ns);
        let id = ObjectId::new(super::namespace_kind(), None, ns);
        match ctx.cluster.get(&id).await {
            Ok(Some(_)) => {}
            Ok(None) => {
                return Err(ActionError::new(format!("{}: namespaces {ns:?} not found", described(&target.id))).with(
                    format!("create it first (kubectl create namespace {ns}), or let the chart bring it along"),
                ));
            }
            // Who may not look at namespaces learns it from the write.
            Err(e) if e.reason == Reason::Forbidden => {}
            Err(e) => return Err(e.into()),
        }
    }
    Ok(())
}

/// Refuses to prune a CustomResourceDefinition of which there are instances beside those that are pruned with it: they would all be lost.
pub(super) async fn check_crd_removal(
    ctx: &Context,
    originals: &[Target],
    targets: &[Target],
) -> Result<(), ActionError> {
    let gone = |t: &&Target| !targets.iter().any(|n| n.same(t));
    for crd in originals.iter().filter(gone).filter(|t| t.id.gvk.kind == "CustomResourceDefinition") {
        let Some(live) = ctx.cluster.get(&crd.id).await? else { continue };
        if crate::cluster::apply::keeps(&live) {
            continue;
        }
        for id in instances(ctx, &live).await? {
            if originals.iter().any(|o| same(&o.id, &id)) {
                continue;
            }
            return Err(ActionError::new(format!(
                "unable to continue with update: {} is no longer in the chart, but {id} is an instance of it and would be lost",
                described(&crd.id)
            ))
            .with(format!(
                "to keep the definition, annotate it before the upgrade: kubectl annotate crd {} helm.sh/resource-policy=keep",
                crd.id.name
            ))
            .with("to remove it, delete its instances first"));
        }
    }
    Ok(())
}

/// The objects of a custom kind.
async fn instances(ctx: &Context, crd: &Json) -> Result<Vec<ObjectId>, ActionError> {
    let text = |at: &str| crd.pointer(at).and_then(Json::as_str).unwrap_or_default().to_string();
    let versions = crd.pointer("/spec/versions").and_then(Json::as_array).cloned().unwrap_or_default();
    let served = versions.iter().find(|v| v.get("served").and_then(Json::as_bool).unwrap_or_default());
    let Some(version) = served.and_then(|v| v.get("name")).and_then(Json::as_str) else { return Ok(Vec::new()) };
    let gvk = crate::cluster::Gvk::new(&text("/spec/group"), version, &text("/spec/names/kind"));
    match ctx.cluster.list_metadata(&gvk, None, "").await {
        Ok(found) => Ok(found.iter().map(|o| ObjectId { gvk: gvk.clone(), ..ObjectId::of(o) }).collect()),
        Err(e) if matches!(e.reason, Reason::NotFound | Reason::NoMatch) => Ok(Vec::new()),
        Err(e) => Err(e.into()),
    }
}
