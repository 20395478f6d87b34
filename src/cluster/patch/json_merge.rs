//! JSON merge patches (RFC 7386), two-way and three-way, for kinds that strategic patches don't know.
//!
//! Source: evanphx/json-patch v5 `merge.go`, apimachinery 0.37 `jsonmergepatch`.

use crate::cluster::Json;
use crate::value::{Heap, Value};

use super::diff::Object;

/// What makes `new` of `old`; none if they are equal.
pub fn between(old: &Json, new: &Json) -> Option<Json> {
    let (Json::Object(before), Json::Object(after)) = (old, new) else {
        return (old != new).then(|| new.clone());
    };
    let patch = two_way(before, after);
    (!patch.is_empty()).then_some(Json::Object(patch))
}

/// Patches in place.
pub fn apply(into: &mut Json, patch: &Json) {
    let Json::Object(fields) = patch else {
        *into = patch.clone();
        return;
    };
    if !into.is_object() {
        *into = Json::Object(Object::new());
    }
    let Some(target) = into.as_object_mut() else { return };
    for (key, value) in fields {
        if value.is_null() {
            target.remove(key);
        } else {
            apply(target.entry(key.clone()).or_insert(Json::Null), value);
        }
    }
}

/// The patch from one object to another.
pub(super) fn two_way(original: &Object, modified: &Object) -> Object {
    let mut out = Object::new();
    for (key, new) in modified {
        match (original.get(key), new) {
            (Some(Json::Object(old)), Json::Object(new)) => {
                let inner = two_way(old, new);
                if !inner.is_empty() {
                    out.insert(key.clone(), Json::Object(inner));
                }
            }
            (Some(old), new) if old == new => {}
            _ => {
                out.insert(key.clone(), new.clone());
            }
        }
    }
    for key in original.keys().filter(|k| !modified.contains_key(*k)) {
        out.insert(key.clone(), Json::Null);
    }
    out
}

/// Additions and changes against the live object, deletions against the last one.
///
/// # Errors
/// A field is both changed and deleted; or `apiVersion`, `kind` or the name would change.
pub(super) fn three_way(original: &Object, modified: &Object, current: &Object) -> Result<Object, String> {
    let changes = filtered(&two_way(current, modified), false);
    let deletions = filtered(&two_way(original, modified), true);
    if conflict(&Json::Object(changes.clone()), &Json::Object(deletions.clone())) {
        return Err(format!(
            "patch:\n{}\nconflicts with changes made from original to current:\n{}\n",
            yaml(&changes),
            yaml(&deletions)
        ));
    }
    let patch = merged(deletions, changes);
    let name = patch.get("metadata").and_then(|m| m.get("name"));
    if patch.contains_key("apiVersion") || patch.contains_key("kind") || name.is_some() {
        let patch = serde_json::to_string_pretty(&patch).unwrap_or_default();
        return Err(format!(
            "precondition failed for: {patch}: at least one field was changed: apiVersion, kind or name"
        ));
    }
    Ok(patch)
}

/// Only nulls, or all but nulls.
fn filtered(patch: &Object, nulls: bool) -> Object {
    let mut out = Object::new();
    for (key, value) in patch {
        match value {
            Json::Null if nulls => {
                out.insert(key.clone(), Json::Null);
            }
            Json::Null => {}
            // An empty map that was written down is a value.
            Json::Object(fields) if fields.is_empty() && nulls => {}
            Json::Object(fields) if fields.is_empty() => {
                out.insert(key.clone(), value.clone());
            }
            Json::Object(fields) => {
                let inner = filtered(fields, nulls);
                if !inner.is_empty() {
                    out.insert(key.clone(), Json::Object(inner));
                }
            }
            _ if !nulls => {
                out.insert(key.clone(), value.clone());
            }
            _ => {}
        }
    }
    out
}

/// `mergepatch.HasConflicts`.
fn conflict(left: &Json, right: &Json) -> bool {
    match (left, right) {
        (Json::Object(left), Json::Object(right)) => {
            left.iter().any(|(k, l)| right.get(k).is_some_and(|r| conflict(l, r)))
        }
        (Json::Array(left), Json::Array(right)) => {
            left.len() != right.len() || left.iter().zip(right).any(|(l, r)| conflict(l, r))
        }
        (left, right) => left != right,
    }
}

/// A merge patch applied to an object (or to another patch, whose nulls stay).
pub(super) fn merged(mut doc: Object, patch: Object) -> Object {
    for (key, value) in patch {
        if value.is_null() {
            doc.remove(&key);
            continue;
        }
        let merged = match (doc.remove(&key), value) {
            (Some(Json::Object(old)), Json::Object(new)) => Json::Object(self::merged(old, new)),
            (_, mut value) => {
                prune(&mut value);
                value
            }
        };
        doc.insert(key, merged);
    }
    doc
}

fn prune(value: &mut Json) {
    match value {
        Json::Object(fields) => {
            fields.retain(|_, v| !v.is_null());
            fields.values_mut().for_each(prune);
        }
        Json::Array(items) => items.iter_mut().for_each(prune),
        _ => {}
    }
}

fn yaml(object: &Object) -> String {
    let mut heap = Heap::new();
    let text = serde_json::to_vec(object).unwrap_or_default();
    let value = crate::value::json::decode(&mut heap, &text).unwrap_or(Value::Nil);
    String::from_utf8_lossy(&crate::yaml::marshal(&mut heap, &value).unwrap_or_default()).into_owned()
}
