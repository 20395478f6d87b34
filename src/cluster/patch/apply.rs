//! Applying a strategic patch: to an object, or to another patch.
//!
//! Source: apimachinery 0.37 `strategicpatch/patch.go` (`mergeMap`, `mergeSlice`, `mergePatchIntoOriginal` …).

use crate::cluster::Json;
use crate::cluster::go_value::{go_print, go_print_list, go_type};

use super::diff::{
    DELETE_FROM, DIRECTIVE, ELEMENT_ORDER, Kind, Object, RETAIN_KEYS, bad_type, element_kind, merge_key, no_merge_key,
    same_key,
};
use super::order::{deduplicate, interleave, split_deletions};
use super::schema::{Strategy, Type};

const BAD_RETAIN_KEYS: &str = "invalid patch format of retainKeys";
const BAD_PRIMITIVE_LIST: &str = "invalid patch format of primitive list";
const BAD_ELEMENT_ORDER: &str = "invalid patch format of setElementOrder list";

/// What the patch is merged into.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Into {
    /// An object: directives are obeyed, nulls delete.
    Object,
    /// Another patch: directives and nulls are kept.
    Patch,
}

pub(super) fn maps(mut original: Object, mut patch: Object, ty: &'static Type, into: Into) -> Result<Object, String> {
    if let Some(directive) = patch.get(DIRECTIVE) {
        return match directive.as_str() {
            Some("replace") => {
                patch.remove(DIRECTIVE);
                Ok(patch)
            }
            Some("delete") => Ok(Object::new()),
            _ => Err(unknown_directive(directive, &patch)),
        };
    }
    retain_keys(&mut original, &mut patch, into)?;
    ordered_lists(&mut original, &mut patch, ty, into)?;
    for (key, value) in patch {
        field(&mut original, key, value, ty, into)?;
    }
    Ok(original)
}

fn unknown_directive(directive: &Json, map: &Object) -> String {
    let print = go_print(&Json::Object(map.clone())).into_owned();
    format!("unknown patch type: {} in map: {print}", go_print(directive))
}

fn field(original: &mut Object, key: String, value: Json, ty: &'static Type, into: Into) -> Result<(), String> {
    let (key, deletions) = match key.strip_prefix(DELETE_FROM) {
        Some(_) if into == Into::Patch => {
            original.insert(key, value);
            return Ok(());
        }
        Some(rest) => (rest.strip_prefix('/').ok_or(BAD_PRIMITIVE_LIST)?.to_owned(), true),
        None => (key, false),
    };
    if value.is_null() {
        original.remove(&key);
        if into == Into::Object {
            return Ok(());
        }
    }
    let Some(old) = original.get_mut(&key) else {
        if !deletions {
            take(original, key, value, into);
        }
        return Ok(());
    };
    if go_type(old) != go_type(&value) {
        if !deletions {
            take(original, key, value, into);
        }
        return Ok(());
    }
    match (old.take(), value) {
        (Json::Object(old), Json::Object(new)) => {
            let (field, how) = ty.field(&key)?;
            let merged = if how.name == "replace" { new } else { maps(old, new, field, into)? };
            original.insert(key, Json::Object(merged));
        }
        (Json::Array(mut old), Json::Array(new)) => {
            let (element, how) = ty.elements(&key)?;
            let merged = if how.name == "merge" || deletions {
                lists(&mut old, new, element, how, deletions, into)?
            } else {
                new
            };
            original.insert(key, Json::Array(merged));
        }
        (_, value) => {
            original.insert(key, value);
        }
    }
    Ok(())
}

/// Takes a value as it is, without the directives in it.
fn take(original: &mut Object, key: String, mut value: Json, into: Into) {
    if into == Into::Object {
        drop_nulls(&mut value);
    }
    match without_directives(value) {
        Some(value) => {
            original.insert(key, value);
        }
        None => {
            original.remove(&key);
        }
    }
}

fn drop_nulls(value: &mut Json) {
    match value {
        Json::Object(fields) => {
            fields.retain(|_, v| !v.is_null());
            fields.values_mut().for_each(drop_nulls);
        }
        Json::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

fn without_directives(value: Json) -> Option<Json> {
    match value {
        Json::Object(fields) if fields.contains_key(DIRECTIVE) => None,
        Json::Object(fields) => {
            Some(Json::Object(fields.into_iter().filter_map(|(k, v)| Some((k, without_directives(v)?))).collect()))
        }
        Json::Array(items) => Some(Json::Array(items.into_iter().filter_map(without_directives).collect())),
        other => Some(other),
    }
}

/// Obeys `$retainKeys`: what it does not name goes.
fn retain_keys(original: &mut Object, patch: &mut Object, into: Into) -> Result<(), String> {
    let Some(directive) = patch.remove(RETAIN_KEYS) else { return Ok(()) };
    if into == Into::Patch {
        return match original.get(RETAIN_KEYS) {
            Some(first) if *first != directive => Err(format!(
                "{} and {} are not deep equal: this may happen when calculating the 3-way diff patch",
                go_print(first),
                go_print(&directive)
            )),
            Some(_) => Ok(()),
            None => {
                original.insert(RETAIN_KEYS.to_owned(), directive);
                Ok(())
            }
        };
    }
    let keys = directive.as_array().ok_or(BAD_RETAIN_KEYS)?;
    let named = |key: &str| keys.iter().any(|k| k.as_str() == Some(key));
    for (key, value) in patch.iter() {
        if !value.is_null() && !key.starts_with(DELETE_FROM) && !key.starts_with(ELEMENT_ORDER) && !named(key) {
            return Err(BAD_RETAIN_KEYS.into());
        }
    }
    original.retain(|key, _| named(key));
    Ok(())
}

/// Obeys `$setElementOrder/…`, together with the list that it orders.
fn ordered_lists(original: &mut Object, patch: &mut Object, ty: &'static Type, into: Into) -> Result<(), String> {
    let directives: Vec<String> = patch.keys().filter(|k| k.starts_with(ELEMENT_ORDER)).cloned().collect();
    for directive in directives {
        let Some(order) = patch.remove(&directive) else { continue };
        if into == Into::Patch {
            match original.get(&directive) {
                Some(first) if *first != order => return Err(BAD_ELEMENT_ORDER.into()),
                Some(_) => {}
                None => {
                    original.insert(directive.clone(), order.clone());
                }
            }
        }
        let order = list(order)?;
        let key = directive.strip_prefix(ELEMENT_ORDER).and_then(|k| k.strip_prefix('/')).ok_or(BAD_ELEMENT_ORDER)?;
        let old = original.get(key).cloned().map(list).transpose()?;
        let new = patch.get(key).cloned().map(list).transpose()?;
        let (element, how) = ty.elements(key)?;
        check_order(new.as_deref(), &order, how.key)?;
        // What Go's old slice shows after the merge has written into the array behind it.
        let mut seen = old.clone().unwrap_or_default();
        let merged = match (&old, &new) {
            (Some(old), None) => old.clone(),
            (None, Some(new)) => new.iter().cloned().filter_map(without_directives).collect(),
            (Some(_), Some(new)) if how.name == "merge" => lists(&mut seen, new.clone(), element, how, false, into)?,
            (Some(_), Some(new)) => new.clone(),
            (None, None) => continue,
        };
        let (named, others) = partition(merged, &order, how.key)?;
        let kind = element_kind(&[&seen, new.as_deref().unwrap_or_default()])?;
        let both = interleave(named, others, &order, &seen, how.key, kind == Kind::Map)?;
        original.insert(key.to_owned(), Json::Array(both));
        patch.remove(key);
    }
    Ok(())
}

fn list(value: Json) -> Result<Vec<Json>, String> {
    match value {
        Json::Array(items) => Ok(items),
        other => Err(bad_type("[]interface {}", &other)),
    }
}

/// The patch's elements must stand in the given order.
fn check_order(patch: Option<&[Json]>, order: &[Json], key: &str) -> Result<(), String> {
    let Some(patch) = patch.filter(|p| !p.is_empty() && !order.is_empty()) else { return Ok(()) };
    let kept = if key.is_empty() { patch.to_vec() } else { split_deletions(patch.to_vec())?.0 };
    let (mut i, mut j) = (0, 0);
    while let (Some(item), Some(named)) = (kept.get(i), order.get(j)) {
        if item.get(DIRECTIVE).is_some() {
            i += 1;
            continue;
        }
        if same_key(item, named, key)? {
            i += 1;
        }
        j += 1;
    }
    if i < kept.len() {
        return Err(format!(
            "The order in patch list:\n{}\n doesn't match {ELEMENT_ORDER} list:\n{}\n",
            go_print_list(patch),
            go_print_list(order)
        ));
    }
    Ok(())
}

/// What is named by the other list, and what is not.
fn partition(items: Vec<Json>, by: &[Json], key: &str) -> Result<(Vec<Json>, Vec<Json>), String> {
    let (mut named, mut others) = (Vec::new(), Vec::new());
    for item in items {
        let found = if key.is_empty() {
            by.contains(&item)
        } else {
            let value = merge_key(&item, key)?.clone();
            find(by, key, &value)?.is_some()
        };
        if found { named.push(item) } else { others.push(item) }
    }
    Ok((named, others))
}

fn find(list: &[Json], key: &str, value: &Json) -> Result<Option<usize>, String> {
    for (i, item) in list.iter().enumerate() {
        let map = item.as_object().ok_or_else(|| format!("value for key {i} is not a map"))?;
        if map.get(key) == Some(value) {
            return Ok(Some(i));
        }
    }
    Ok(None)
}

/// Merges lists. `original` is left as Go's slice of that name would look afterwards: elements are deleted and added in the array behind it.
fn lists(
    original: &mut [Json],
    patch: Vec<Json>,
    ty: &'static Type,
    how: Strategy,
    deletions: bool,
    into: Into,
) -> Result<Vec<Json>, String> {
    if original.is_empty() && patch.is_empty() {
        return Ok(Vec::new());
    }
    let kind = element_kind(&[&*original, &patch])?;
    let (server_order, patch, merged) = match kind {
        Kind::Scalar if into == Into::Object && deletions => {
            return Ok(original.iter().filter(|v| !patch.contains(v)).cloned().collect());
        }
        Kind::Scalar => {
            let both = original.iter().chain(&patch).cloned().collect();
            (original.to_vec(), patch, deduplicate(both))
        }
        Kind::Map => {
            if how.key.is_empty() {
                return Err(format!("cannot merge lists without merge key for {}", ty.kind()));
            }
            let (kept, patch, replaced) = special_elements(original, patch, how.key)?;
            let merged = plain_elements(kept.clone(), &patch, ty, how.key, into)?;
            if !replaced {
                original.iter_mut().zip(&merged).for_each(|(slot, item)| item.clone_into(slot));
            }
            (kept, patch, merged)
        }
    };
    let (named, others) = partition(merged, &patch, how.key)?;
    interleave(named, others, &patch, &server_order, how.key, kind == Kind::Map)
}

/// Obeys `$patch: delete` and `$patch: replace` among the elements: what is kept of the original, what is plain in the patch, and whether
/// the patch replaces all.
fn special_elements(
    original: &mut [Json],
    patch: Vec<Json>,
    key: &str,
) -> Result<(Vec<Json>, Vec<Json>, bool), String> {
    let mut plain = Vec::new();
    let mut replace = false;
    let mut kept = original.len();
    for item in patch {
        let Some(map) = item.as_object() else { continue };
        match map.get(DIRECTIVE) {
            None => plain.push(item),
            Some(directive) => match directive.as_str() {
                Some("delete") => {
                    let value = map.get(key).ok_or_else(|| no_merge_key(map, key))?;
                    while let Some(i) = find(original.get(..kept).unwrap_or_default(), key, value)? {
                        // The rest moves up; the last place keeps what it had.
                        let last = original.get(kept - 1).cloned().unwrap_or_default();
                        if let Some(part) = original.get_mut(i..kept) {
                            part.rotate_left(1);
                        }
                        if let Some(slot) = original.get_mut(kept - 1) {
                            *slot = last;
                        }
                        kept -= 1;
                    }
                }
                Some("replace") => replace = true,
                Some("merge") => return Err("merging lists cannot yet be specified in the patch".into()),
                _ => return Err(unknown_directive(directive, map)),
            },
        }
    }
    if replace {
        return Ok((plain, Vec::new(), true));
    }
    Ok((original.get(..kept).unwrap_or_default().to_vec(), plain, false))
}

fn plain_elements(
    mut original: Vec<Json>,
    patch: &[Json],
    ty: &'static Type,
    key: &str,
    into: Into,
) -> Result<Vec<Json>, String> {
    for item in patch {
        let value = merge_key(item, key)?;
        match find(&original, key, value)? {
            Some(i) => {
                if let (Some(old), Json::Object(new)) = (original.get_mut(i), item)
                    && let Json::Object(map) = old.take()
                {
                    *old = Json::Object(maps(map, new.clone(), ty, into)?);
                }
            }
            None => original.push(item.clone()),
        }
    }
    Ok(original)
}
