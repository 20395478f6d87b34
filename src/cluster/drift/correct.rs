//! Takes drift back: what is missing is created, what differs is patched field by field, so that ignored fields stay as they are.
//!
//! Source: Flux `helm-controller` `internal/action/diff.go`, `ApplyDiff`.

use serde_json::json;

use super::{DriftOptions, Field, Finding, IgnoreError, ignore, look};
use crate::cluster::targets::Target;
use crate::cluster::{Cluster, ClusterError, FieldValidation, Json, ObjectId, PatchType, WriteOptions};

/// What was done about one object.
#[derive(Clone, Debug)]
pub enum Correction {
    Created,
    Patched,
    Failed(ClusterError),
}

/// Looks again at every object, namespaces first, and corrects what is not as wanted.
///
/// # Errors
/// An ignore rule that can't be read.
pub async fn correct(
    cluster: &dyn Cluster,
    targets: &[Target],
    options: &DriftOptions,
) -> Result<Vec<(ObjectId, Correction)>, IgnoreError> {
    let rules = ignore::compile(&options.ignore)?;
    let write = WriteOptions {
        field_manager: options.field_manager.clone(),
        dry_run: false,
        validation: FieldValidation::Ignore,
    };
    let mut out = Vec::new();
    let (first, then): (Vec<&Target>, Vec<&Target>) = targets.iter().partition(|t| t.id.gvk.kind == "Namespace");
    for target in first.into_iter().chain(then) {
        let done = match look(cluster, target, &rules, options).await {
            Ok((Finding::Missing, _)) => cluster.create(&target.object, &write).await.map(|_| Correction::Created),
            Ok((Finding::Changed(fields), live)) => {
                let patch = patch(&fields, &live);
                cluster.patch(&target.id, PatchType::Json, &patch, &write).await.map(|_| Correction::Patched)
            }
            Ok(_) => continue,
            Err(e) => Err(e),
        };
        let done = done.unwrap_or_else(|e| Correction::Failed(masked(target, e)));
        out.push((target.id.clone(), done));
    }
    Ok(out)
}

/// An API server repeats what it refuses: of a Secret only why is told.
fn masked(target: &Target, mut e: ClusterError) -> ClusterError {
    if target.id.gvk.kind == "Secret"
        && let Some((_, why)) = e.message.rsplit_once(':')
    {
        e.message = why.trim().to_owned();
    }
    e
}

/// RFC 6902. What goes from a list goes from its end.
fn patch(fields: &[Field], live: &Json) -> Json {
    let mut operations = Vec::new();
    for parent in ["/metadata/labels", "/metadata/annotations"] {
        let within = |f: &Field| f.path.strip_prefix(parent).is_some_and(|rest| rest.starts_with('/'));
        if live.pointer(parent).is_none_or(Json::is_null) && fields.iter().any(within) {
            operations.push(json!({"op": "add", "path": parent, "value": {}}));
        }
    }
    for field in fields {
        match (&field.live, &field.wanted) {
            (None, Some(value)) => operations.push(json!({"op": "add", "path": field.path, "value": value})),
            (Some(_), Some(value)) => operations.push(json!({"op": "replace", "path": field.path, "value": value})),
            _ => {}
        }
    }
    for field in fields.iter().rev().filter(|f| f.wanted.is_none()) {
        operations.push(json!({"op": "remove", "path": field.path}));
    }
    Json::Array(operations)
}

#[cfg(test)]
mod tests {
    use super::super::compare;
    use super::*;

    #[test]
    fn a_patch_leads_from_live_to_wanted() {
        let live = json!({"metadata": {"labels": {"a": "1"}}, "spec": {"l": [1, 2, 3], "x": true, "n": 1}});
        let wanted =
            json!({"metadata": {"labels": {"a": "2"}, "annotations": {"k/v": "1"}}, "spec": {"l": [1], "n": 2}});
        assert_eq!(
            patch(&compare(&live, &wanted), &live),
            json!([
                {"op": "add", "path": "/metadata/annotations", "value": {}},
                {"op": "add", "path": "/metadata/annotations/k~1v", "value": "1"},
                {"op": "replace", "path": "/metadata/labels/a", "value": "2"},
                {"op": "replace", "path": "/spec/n", "value": 2},
                {"op": "remove", "path": "/spec/x"},
                {"op": "remove", "path": "/spec/l/2"},
                {"op": "remove", "path": "/spec/l/1"},
            ])
        );
    }
}
