//! Client-side apply: patches from the last manifest, the new one and the live object.
//!
//! Source: Helm 4.3 `pkg/kube/client.go` (`createPatch`). Built-in kinds get a three-way strategic merge patch; custom kinds, v1beta1 CRDs and
//! objects that do not fit their type get a JSON merge patch from the last manifest to the new one, or a three-way one on request.

mod apply;
mod convert;
mod diff;
pub mod json_merge;
pub mod managed_fields;
mod order;
mod schema;

use diff::{Object, Options};
use schema::Type;

use super::{Gvk, Json, PatchType};

/// A patch made for an object.
#[derive(Clone, Debug, PartialEq)]
pub struct Patch {
    /// Strategic merge; otherwise JSON merge.
    pub strategic: bool,
    pub body: Json,
}

impl Patch {
    pub fn patch_type(&self) -> PatchType {
        if self.strategic { PatchType::Strategic } else { PatchType::Merge }
    }

    /// Nothing to change.
    pub fn is_empty(&self) -> bool {
        self.body.as_object().is_some_and(serde_json::Map::is_empty)
    }
}

/// The patch that brings `current` (none: it is gone) from `original` to `modified`.
///
/// # Errors
/// What the libraries say: a list element without its merge key, elements of several types, fields that the type does not have.
pub fn client_side(
    gvk: &Gvk,
    original: &Json,
    modified: &Json,
    current: Option<&Json>,
    three_way_custom: bool,
) -> Result<Patch, String> {
    let object = |json: &Json| json.as_object().cloned().unwrap_or_default();
    let (original, new, current) = (object(original), object(modified), current.map(object).unwrap_or_default());
    match strategic_type(gvk, modified) {
        Some(ty) => {
            three_way(&original, &new, &current, ty).map(|body| Patch { strategic: true, body: Json::Object(body) })
        }
        None if three_way_custom => {
            let body = json_merge::three_way(&original, &new, &current)?;
            Ok(Patch { strategic: false, body: Json::Object(body) })
        }
        None => Ok(Patch { strategic: false, body: Json::Object(json_merge::two_way(&original, &new)) }),
    }
}

/// The type by which an object is patched strategically, if it is.
fn strategic_type(gvk: &Gvk, object: &Json) -> Option<&'static Type> {
    let ty = schema::kind(gvk)?;
    let old_definition = gvk.group == "apiextensions.k8s.io" && gvk.version == "v1beta1";
    (!old_definition && convert::fits(object, ty)).then_some(ty)
}

/// Changes against the live object, deletions against the last manifest, one patch of both.
fn three_way(original: &Object, modified: &Object, current: &Object, ty: &'static Type) -> Result<Object, String> {
    let changes = diff::maps(current, modified, ty, Options { ignore_deletions: true, ..Options::default() })?;
    let deletions = diff::maps(original, modified, ty, Options { ignore_changes: true, ..Options::default() })?;
    apply::maps(deletions, changes, ty, apply::Into::Patch)
}

/// What an API server makes of a patch, without defaulting and validation.
///
/// # Errors
/// As the server's: a patch that contradicts itself, a strategic one for a kind that has none.
pub fn applied(gvk: &Gvk, current: &Json, patch: &Patch) -> Result<Json, String> {
    let (current, body) = match (current, &patch.body) {
        (Json::Object(current), Json::Object(body)) => (current.clone(), body.clone()),
        (Json::Null, Json::Object(body)) => (Object::new(), body.clone()),
        _ => return Err("invalid JSON document".into()),
    };
    if !patch.strategic {
        return Ok(Json::Object(json_merge::merged(current, body)));
    }
    let ty = schema::kind(gvk).ok_or("strategic merge patch format is not supported")?;
    apply::maps(current, body, ty, apply::Into::Object).map(Json::Object)
}

#[cfg(test)]
mod tests;
