//! Strategic differences: what must be said to turn one object into another.
//!
//! Source: apimachinery 0.37 `strategicpatch/patch.go` (`diffMaps`, `diffLists` …), step by step, its sorts and their quirks included.

use serde_json::Map;

use crate::cluster::Json;
use crate::cluster::go_value::{go_print, go_print_map, go_type};

use super::order::{by_printed, deduplicate, normalize, sort_go};
use super::schema::{Strategy, Type};

pub(super) type Object = Map<String, Json>;

pub(super) const DIRECTIVE: &str = "$patch";
pub(super) const RETAIN_KEYS: &str = "$retainKeys";
pub(super) const DELETE_FROM: &str = "$deleteFromPrimitiveList";
pub(super) const ELEMENT_ORDER: &str = "$setElementOrder";

/// Which half of a difference is wanted.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Options {
    pub ignore_changes: bool,
    pub ignore_deletions: bool,
    /// Build the `$retainKeys` directive for this map.
    pub retain_keys: bool,
}

/// `map: … does not contain declared merge key: …`.
pub(super) fn no_merge_key(map: &Object, key: &str) -> String {
    format!("map: {} does not contain declared merge key: {key}", go_print_map(map))
}

/// `expected a …, but received a …`.
pub(super) fn bad_type(expected: &str, actual: &Json) -> String {
    let actual = if actual.is_null() { "%!s(<nil>)" } else { go_type(actual) };
    format!("expected a {expected}, but received a {actual}")
}

pub(super) const MAP: &str = "map[string]interface {}";

/// A strategic patch that turns `original` into `modified`.
pub(super) fn maps(
    original: &Object,
    modified: &Object,
    ty: &'static Type,
    options: Options,
) -> Result<Object, String> {
    let mut patch = Object::new();
    for (key, new) in modified {
        let Some(old) = original.get(key) else {
            if !options.ignore_changes {
                patch.insert(key.clone(), new.clone());
            }
            continue;
        };
        if key == DIRECTIVE {
            let (Some(old), Some(text)) = (old.as_str(), new.as_str()) else {
                return Err(format!("invalid value for special key: {DIRECTIVE}"));
            };
            if old != text {
                patch.insert(key.clone(), new.clone());
            }
            continue;
        }
        match (old, new) {
            (Json::Object(old), Json::Object(new)) => map_field(key, old, new, &mut patch, ty, options)?,
            (Json::Array(old), Json::Array(new)) => list_field(key, old, new, &mut patch, ty, options)?,
            (old, new) => replace_if_different(key, old, new, &mut patch, options),
        }
    }
    if !options.ignore_deletions {
        for key in original.keys().filter(|k| !modified.contains_key(*k)) {
            patch.insert(key.clone(), Json::Null);
        }
    }
    if options.retain_keys {
        let mut keys: Vec<Json> =
            modified.iter().filter(|(_, v)| !v.is_null()).map(|(k, _)| Json::from(k.as_str())).collect();
        let loses = original.iter().any(|(k, v)| !v.is_null() && !modified.contains_key(k));
        if !keys.is_empty() && (!patch.is_empty() || loses) {
            sort_go(&mut keys, by_printed);
            patch.insert(RETAIN_KEYS.to_owned(), Json::Array(keys));
        }
    }
    Ok(patch)
}

fn replace_if_different(key: &str, old: &Json, new: &Json, patch: &mut Object, options: Options) {
    if !options.ignore_changes && old != new {
        patch.insert(key.to_owned(), new.clone());
    }
}

fn map_field(
    key: &str,
    old: &Object,
    new: &Object,
    patch: &mut Object,
    ty: &'static Type,
    options: Options,
) -> Result<(), String> {
    let (field, how) = match ty.field(key) {
        Ok(found) => found,
        // A field that is not known does no harm as long as it stays the same.
        Err(_) if old == new => return Ok(()),
        Err(e) => return Err(e),
    };
    if how.name == "replace" {
        if !options.ignore_changes {
            patch.insert(key.to_owned(), Json::Object(new.clone()));
        }
        return Ok(());
    }
    let inner = maps(old, new, field, Options { retain_keys: how.retain_keys, ..options })?;
    if !inner.is_empty() {
        patch.insert(key.to_owned(), Json::Object(inner));
    }
    Ok(())
}

fn list_field(
    key: &str,
    old: &[Json],
    new: &[Json],
    patch: &mut Object,
    ty: &'static Type,
    options: Options,
) -> Result<(), String> {
    let (element, how) = match ty.elements(key) {
        Ok(found) => found,
        Err(_) if old == new => return Ok(()),
        Err(e) => return Err(e),
    };
    if how.name != "merge" {
        replace_if_different(key, &Json::Array(old.to_vec()), &Json::Array(new.to_vec()), patch, options);
        return Ok(());
    }
    let found = lists(old, new, element, how, options)?;
    for (name, list) in [
        (key.to_owned(), found.add),
        (format!("{DELETE_FROM}/{key}"), found.delete),
        (format!("{ELEMENT_ORDER}/{key}"), found.order),
    ] {
        if !list.is_empty() {
            patch.insert(name, Json::Array(list));
        }
    }
    Ok(())
}

#[derive(Default)]
struct Lists {
    add: Vec<Json>,
    delete: Vec<Json>,
    order: Vec<Json>,
}

fn lists(old: &[Json], new: &[Json], ty: &'static Type, how: Strategy, options: Options) -> Result<Lists, String> {
    if old.is_empty() {
        if new.is_empty() || options.ignore_changes {
            return Ok(Lists::default());
        }
        return Ok(Lists { add: new.to_vec(), ..Lists::default() });
    }
    let options = Options { retain_keys: how.retain_keys, ..options };
    match element_kind(&[old, new])? {
        Kind::Map => {
            let (add, delete) = lists_of_maps(old, new, ty, how.key, options)?;
            let mut add = normalize(add, new, how.key, true)?;
            let same_order = is_order_same(old, new, how.key)?;
            add.extend(delete);
            let mut order = Vec::new();
            if (!options.ignore_changes && (!add.is_empty() || !same_order))
                || (!options.ignore_deletions && !add.is_empty())
            {
                for item in new.iter().filter_map(Json::as_object) {
                    let value = item.get(how.key).cloned().unwrap_or_default();
                    order.push(Json::Object(Object::from_iter([(how.key.to_owned(), value)])));
                }
            }
            Ok(Lists { add, delete: Vec::new(), order })
        }
        Kind::Scalar => {
            let mut sorted = old.to_vec();
            sort_go(&mut sorted, by_printed);
            let (add, delete) = lists_of_scalars(&sorted, new, options);
            let add = normalize(add, new, how.key, false)?;
            let mut order = Vec::new();
            // The old list has been sorted in place by now: so it differs from a new one that is not in that order.
            if (!options.ignore_deletions && !delete.is_empty()) || (!options.ignore_changes && sorted != new) {
                order = new.to_vec();
            }
            Ok(Lists { add, delete, order })
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    Map,
    Scalar,
}

/// What the elements of lists are; all must be of one type.
pub(super) fn element_kind(lists: &[&[Json]]) -> Result<Kind, String> {
    let mut first: Option<&Json> = None;
    for item in lists.iter().flat_map(|l| l.iter()) {
        match first {
            None if item.is_array() => {
                return Err("lists of lists are not supported".into());
            }
            None => first = Some(item),
            Some(f) if go_type(f) != go_type(item) => {
                let lists: Vec<String> =
                    lists.iter().map(|l| go_print(&Json::Array(l.to_vec())).into_owned()).collect();
                return Err(format!("list element types are not identical: [{}]", lists.join(" ")));
            }
            Some(_) => {}
        }
    }
    match first {
        None => Err("no elements in any of the given slices".into()),
        Some(Json::Object(_)) => Ok(Kind::Map),
        Some(_) => Ok(Kind::Scalar),
    }
}

fn is_order_same(old: &[Json], new: &[Json], key: &str) -> Result<bool, String> {
    if old.len() != new.len() {
        return Ok(false);
    }
    for (old, new) in old.iter().zip(new) {
        if !same_key(old, new, key)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether two elements have one merge key; without a key, whether they are equal.
pub(super) fn same_key(left: &Json, right: &Json, key: &str) -> Result<bool, String> {
    if key.is_empty() {
        return Ok(left == right);
    }
    Ok(merge_key(left, key)? == merge_key(right, key)?)
}

/// An element's merge key.
pub(super) fn merge_key<'a>(item: &'a Json, key: &str) -> Result<&'a Json, String> {
    let map = item.as_object().ok_or_else(|| bad_type(MAP, item))?;
    map.get(key).ok_or_else(|| no_merge_key(map, key))
}

/// What is new, and what is gone. `old` is sorted.
fn lists_of_scalars(old: &[Json], new: &[Json], options: Options) -> (Vec<Json>, Vec<Json>) {
    let mut new = new.to_vec();
    sort_go(&mut new, by_printed);
    let (mut add, mut delete) = (Vec::new(), Vec::new());
    let (mut i, mut j) = (0, 0);
    loop {
        let order = match (old.get(i), new.get(j)) {
            (None, None) => break,
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some(a), Some(b)) => go_print(a).cmp(&go_print(b)),
        };
        match order {
            std::cmp::Ordering::Equal => {
                i += 1;
                j += 1;
            }
            std::cmp::Ordering::Less => {
                if !options.ignore_deletions {
                    delete.extend(old.get(i).cloned());
                }
                i += 1;
            }
            std::cmp::Ordering::Greater => {
                if !options.ignore_changes {
                    add.extend(new.get(j).cloned());
                }
                j += 1;
            }
        }
    }
    (add, deduplicate(delete))
}

fn lists_of_maps(
    old: &[Json],
    new: &[Json],
    ty: &'static Type,
    key: &str,
    options: Options,
) -> Result<(Vec<Json>, Vec<Json>), String> {
    let sorted = |list: &[Json]| {
        let mut list = list.to_vec();
        let of = |v: &Json| v.get(key).map_or_else(|| "<nil>".to_owned(), |v| go_print(v).into_owned());
        sort_go(&mut list, |a, b| of(a).cmp(&of(b)));
        list
    };
    let (old, new) = (sorted(old), sorted(new));
    let (mut patch, mut delete) = (Vec::new(), Vec::new());
    let (mut i, mut j) = (0, 0);
    loop {
        let a = old.get(i).map(|v| merge_key(v, key)).transpose()?;
        let b = new.get(j).map(|v| merge_key(v, key)).transpose()?;
        let order = match (a, b) {
            (None, None) => break,
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some(a), Some(b)) => go_print(a).cmp(&go_print(b)),
        };
        match order {
            std::cmp::Ordering::Equal => {
                if let (Some(Json::Object(from)), Some(Json::Object(to)), Some(value)) = (old.get(i), new.get(j), b) {
                    let mut inner = maps(from, to, ty, options)?;
                    if !inner.is_empty() {
                        inner.insert(key.to_owned(), value.clone());
                        patch.push(Json::Object(inner));
                    }
                }
                i += 1;
                j += 1;
            }
            std::cmp::Ordering::Less => {
                if !options.ignore_deletions
                    && let Some(value) = a
                {
                    let entries = [(key.to_owned(), value.clone()), (DIRECTIVE.to_owned(), "delete".into())];
                    delete.push(Json::Object(Object::from_iter(entries)));
                }
                i += 1;
            }
            std::cmp::Ordering::Greater => {
                if !options.ignore_changes {
                    patch.extend(new.get(j).cloned());
                }
                j += 1;
            }
        }
    }
    Ok((patch, delete))
}
