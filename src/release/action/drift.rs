//! `drift`: the objects that a release's newest revision wants, against the live ones. Hooks are not looked at.

use futures::{StreamExt, stream};

use crate::cluster::drift::{Correction, Drift, DriftOptions};
use crate::cluster::targets::Target;
use crate::cluster::{ClusterError, FieldValidation, Json, ObjectId, WriteOptions, manifest};
use crate::release::Record;
use crate::release::diff::{self, ObjectDiff};
use crate::value::Heap;

use super::{ActionError, Context, history, objects};

/// How many objects are looked at at once.
const PARALLEL: usize = 8;

/// Compares a release with what is there, without a write.
///
/// # Errors
/// There is no such release; a rule that cannot be read; kinds that are not served any more.
pub async fn drift(ctx: &Context, name: &str, options: &DriftOptions) -> Result<Vec<Drift>, ActionError> {
    let targets = targets(ctx, name).await?;
    crate::cluster::drift::drift(ctx.cluster.as_ref(), &targets, options)
        .await
        .map_err(|e| ActionError::new(e.to_string()))
}

/// Takes the drift of a release back. No revision is made.
///
/// # Errors
/// As [`drift`]; what could not be corrected is in the answer.
pub async fn correct(
    ctx: &Context,
    name: &str,
    options: &DriftOptions,
) -> Result<Vec<(ObjectId, Correction)>, ActionError> {
    let targets = targets(ctx, name).await?;
    crate::cluster::drift::correct(ctx.cluster.as_ref(), &targets, options)
        .await
        .map_err(|e| ActionError::new(e.to_string()))
}

/// The objects of the deployed revision, or of the newest where none is.
async fn targets(ctx: &Context, name: &str) -> Result<Vec<Target>, ActionError> {
    let record = wanted(ctx, name).await?;
    let mut targets = objects::of_manifest(ctx, &record.manifest).await?;
    objects::own(&mut targets, &record);
    Ok(targets)
}

/// The deployed revision, or the newest where none is.
async fn wanted(ctx: &Context, name: &str) -> Result<Record, ActionError> {
    let entries = history::entries(ctx.storage.as_ref(), name).await.map_err(super::first_word)?;
    let wanted = match history::deployed(&entries) {
        Some(version) => history::readable(ctx, name, version).await?,
        None => history::newest(ctx, &entries).await?,
    };
    wanted.ok_or_else(|| ActionError { not_found: true, ..ActionError::new("release: not found") })
}

/// What is live against the release, as texts: see [`against_live`].
///
/// # Errors
/// As [`drift`] and [`against_live`].
pub async fn differences(ctx: &Context, name: &str) -> Result<Vec<ObjectDiff>, ActionError> {
    against_live(ctx, &wanted(ctx, name).await?).await
}

/// What an apply of this revision's objects would change of the live ones: before, what is there, and after, what the server answers to a
/// server-side apply that is only tried. Fields that it defaults, and those of others, are the same in both. Secrets are masked.
///
/// # Errors
/// Kinds that are not served; every object that cannot be read or would be refused.
pub async fn against_live(ctx: &Context, record: &Record) -> Result<Vec<ObjectDiff>, ActionError> {
    let mut targets = objects::of_manifest(ctx, &record.manifest).await?;
    objects::own(&mut targets, record);
    let looked: Vec<_> = stream::iter(targets.iter().filter(|t| !t.id.name.is_empty()))
        .map(|target| async move { (target, pair(ctx, target).await) })
        .buffered(PARALLEL)
        .collect()
        .await;
    let mut heap = Heap::new();
    let (mut before, mut after) = (String::new(), String::new());
    let mut refused = Vec::new();
    for (target, answer) in looked {
        match answer {
            Ok((live, wanted)) => {
                live.into_iter().for_each(|o| put(&mut heap, o, &mut before));
                put(&mut heap, wanted, &mut after);
            }
            Err(e) => refused.push(format!("{}: {e}", target.id)),
        }
    }
    if !refused.is_empty() {
        let error = ActionError::new(format!("{} objects cannot be compared", refused.len()));
        return Err(refused.into_iter().fold(error, ActionError::with));
    }
    Ok(diff::manifests(&before, &after, &ctx.namespace))
}

/// An object as it is, and as it would be.
async fn pair(ctx: &Context, target: &Target) -> Result<(Option<Json>, Json), ClusterError> {
    let Some(live) = ctx.cluster.get(&target.id).await? else { return Ok((None, target.object.clone())) };
    let options = WriteOptions { field_manager: "helm".into(), dry_run: true, validation: FieldValidation::Ignore };
    let wanted = ctx.cluster.apply(&target.id, &target.object, true, &options).await?;
    Ok((Some(live), wanted.object))
}

/// Adds an object to a manifest, without what the server alone writes.
fn put(heap: &mut Heap, mut object: Json, manifest: &mut String) {
    if let Some(fields) = object.as_object_mut() {
        fields.remove("status");
    }
    if let Some(metadata) = object.get_mut("metadata").and_then(Json::as_object_mut) {
        for key in ["uid", "resourceVersion", "creationTimestamp", "generation", "managedFields", "selfLink"] {
            metadata.remove(key);
        }
    }
    let value = manifest::on_heap(heap, &object);
    let text = crate::yaml::marshal(heap, &value).unwrap_or_default();
    manifest.push_str("---\n");
    manifest.push_str(&String::from_utf8_lossy(&text));
}
