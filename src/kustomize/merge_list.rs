//! Merging lists whose items have keys (kyaml's `walkAssociativeSequence`), with everything that follows from how it searches:
//! items of the patch come first, items without a key push out others, items with several keys match by those that both have.

use super::error::Result;
use super::merge::{Found, Side};
use super::node::{Kind, Node, expect};

/// Merges one pair of items.
type WalkItem<'w> = &'w mut dyn FnMut(Option<Node>, Side) -> Result<Option<Found>>;

/// Merges the patch's list into another. No keys: the items are scalars.
pub fn merge(mut dest: Node, mut side: Side, keys: Vec<String>, walk: WalkItem<'_>) -> Result<Option<Node>> {
    let patch = match &side {
        Side::Own(list) => Some(list),
        Side::None | Side::Same => None,
    };
    let (mut all, keys) = if keys.is_empty() {
        let mut all: Vec<Vec<String>> = Vec::new();
        for item in [patch, Some(&dest)].into_iter().flatten().flat_map(|list| &list.content) {
            if !all.iter().any(|seen| seen[0] == item.value) {
                all.push(vec![item.value.clone()]);
            }
        }
        (all, vec![String::new()])
    } else {
        let mut all: Vec<Vec<String>> = Vec::new();
        for item in [patch, Some(&dest)].into_iter().flatten().flat_map(|list| &list.content) {
            let values: Vec<String> = keys
                .iter()
                .map(|key| item.field(key).filter(|f| !f.is_empty()).map_or_else(String::new, |f| f.value.clone()))
                .collect();
            if !all.contains(&values) {
                all.push(values);
            }
        }
        (all, keys)
    };
    if keys.len() > 1 {
        merge_values(&mut all);
    }
    let mut added = Node::sequence();
    let mut last_keys = keys.clone();
    for values in &all {
        let (valid_keys, valid_values) = validate(&all, values, &keys);
        // Of several keys only those with a value are looked for.
        let (find_keys, find_values) = validate(std::slice::from_ref(&valid_values), &valid_values, &valid_keys);
        let own_at = find(&dest, &find_keys, &find_values);
        let own = own_at.and_then(|i| dest.content.get(i)).cloned();
        let theirs_at = match &side {
            Side::Own(list) => find(list, &find_keys, &find_values),
            Side::None | Side::Same => None,
        };
        let theirs = match &side {
            Side::Own(list) => theirs_at.and_then(|i| list.content.get(i)).cloned().map_or(Side::None, Side::Own),
            Side::Same if own.is_some() => Side::Same,
            _ => Side::None,
        };
        last_keys = valid_keys.clone();
        let found = walk(own, theirs)?.filter(|f| !f.node.is_empty_item());
        // kyaml changes the patch's own item, which may be met once more: several keys can turn out to be the same.
        let patched = match &mut side {
            Side::Own(list) => theirs_at.and_then(|i| list.content.get_mut(i)),
            Side::Same => own_at.and_then(|i| dest.content.get_mut(i)),
            Side::None => None,
        };
        if let Some(item) = patched {
            match &found {
                Some(found) if found.from_dest => left_of(item, &found.node),
                Some(found) => *item = found.node.clone(),
                None => drop(item.clear("$patch")),
            }
        }
        let Some(Found { node: mut value, from_dest, .. }) = found else {
            for _ in &valid_keys {
                set(&mut dest, None, &valid_keys, &valid_values)?;
            }
            continue;
        };
        for (key, text) in valid_keys.iter().zip(&valid_values) {
            if value.field(key).is_none() && !text.is_empty() {
                if key.is_empty() {
                    value.set_scalar(Node::scalar(text.as_str()))?;
                } else {
                    value.set_field(key, Node::scalar(text.as_str()))?;
                }
            }
        }
        if let (true, Some(place)) = (from_dest, own_at.and_then(|i| dest.content.get_mut(i))) {
            *place = value.clone();
        }
        set(&mut added, Some(value), &valid_keys, &valid_values)?;
    }
    if all.is_empty() {
        return Ok(Some(dest));
    }
    append(&mut added, dest, &last_keys)?;
    Ok(Some(added))
}

/// What is left of a patch that went into another map: it has no directives any more, and where it gave a value, that is one with the other's
/// now, style included.
fn left_of(patch: &mut Node, merged: &Node) {
    if patch.kind != Kind::Mapping || merged.kind != Kind::Mapping {
        return;
    }
    patch.clear("$patch");
    for (name, theirs) in merged.fields() {
        let Some(own) = patch.field_index(&name.value).and_then(|at| patch.content.get_mut(at)) else { continue };
        if own.kind == Kind::Scalar && theirs.kind == Kind::Scalar {
            *own = theirs.clone();
        } else {
            left_of(own, theirs);
        }
    }
}

/// The keys that have a value in any item; all if none has.
fn validate(all: &[Vec<String>], values: &[String], keys: &[String]) -> (Vec<String>, Vec<String>) {
    let valid: Vec<bool> =
        (0..keys.len()).map(|i| all.iter().any(|values| values.get(i).is_some_and(|v| !v.is_empty()))).collect();
    if !valid.contains(&true) {
        return (keys.to_vec(), values.to_vec());
    }
    let pick = |list: &[String]| list.iter().zip(&valid).filter(|(_, ok)| **ok).map(|(s, _)| s.clone()).collect();
    (pick(keys), pick(values))
}

/// Items that agree where both have values are the same item.
fn merge_values(all: &mut [Vec<String>]) {
    for i in 0..all.len() {
        let first = all[i].clone();
        for j in 0..all.len() {
            if let Some(values) = agree(&first, &all[j]) {
                all[i] = values.clone();
                all[j] = values;
            }
        }
    }
}

fn agree(a: &[String], b: &[String]) -> Option<Vec<String>> {
    let mut common = false;
    let mut out = Vec::with_capacity(a.len());
    for (x, y) in a.iter().zip(b) {
        if x == y {
            common = true;
            out.push(x.clone());
        } else if !x.is_empty() && !y.is_empty() {
            return None;
        } else {
            out.push(if x.is_empty() { y.clone() } else { x.clone() });
        }
    }
    common.then_some(out)
}

/// The first item with these values (`ElementMatcher`).
fn find(list: &Node, keys: &[String], values: &[String]) -> Option<usize> {
    if list.kind != Kind::Sequence {
        return None;
    }
    list.content.iter().position(|item| match keys.first() {
        None => false,
        Some(key) if key.is_empty() => values.first() == Some(&item.value),
        Some(_) => {
            item.kind == Kind::Mapping
                && keys.iter().zip(values).all(|(k, v)| item.field(k).is_some_and(|field| field.value == *v))
        }
    })
}

/// `ElementSetter`: replaces or deletes the items that match, or appends.
fn set(list: &mut Node, element: Option<Node>, keys: &[String], values: &[String]) -> Result<()> {
    expect(list, Kind::Sequence)?;
    let for_maps = keys.first().is_some_and(|k| !k.is_empty()) && values.first().is_some_and(|v| !v.is_empty());
    let mut content = Vec::with_capacity(list.content.len() + 1);
    let mut matched = false;
    for item in std::mem::take(&mut list.content) {
        if item.is_empty_item() {
            continue;
        }
        if item.kind != Kind::Mapping && for_maps {
            content.push(item);
            continue;
        }
        let mut found = true;
        let mut last = false;
        for (j, key) in keys.iter().enumerate() {
            if let Some(value) = values.get(j) {
                last = has(&item, key, value)?;
            }
            if !last {
                found = false;
                break;
            }
        }
        if !found {
            if !values.is_empty() {
                content.push(item);
            }
            continue;
        }
        matched = true;
        content.extend(element.clone());
    }
    list.content = content;
    if let Some(element) = element
        && !matched
        && !element.is_null()
    {
        list.content.push(element);
    }
    Ok(())
}

/// `FieldMatcher` with a text; an empty text matches any.
fn has(item: &Node, key: &str, value: &str) -> Result<bool> {
    if key.is_empty() {
        expect(item, Kind::Scalar)?;
        return Ok(item.text() == value);
    }
    expect(item, Kind::Mapping)?;
    Ok(item.field(key).is_some_and(|field| value.is_empty() || field.value == value))
}

/// `appendListNode`: what is in both keeps its place in the first list but is taken from the second.
fn append(to: &mut Node, from: Node, keys: &[String]) -> Result<()> {
    for item in from.content {
        if keys.first().is_none_or(|k| k.is_empty()) {
            let value = [item.value.clone()];
            set(to, Some(item), &[String::new()], &value)?;
            continue;
        }
        let mut values = Vec::with_capacity(keys.len());
        for key in keys {
            if !item.is_null() {
                expect(&item, Kind::Mapping)?;
            }
            match item.field(key) {
                Some(field) => values.push(field.value.clone()),
                None => to.content.push(item.clone()),
            }
        }
        if keys.len() > 1 {
            set(to, None, keys, &values)?;
        }
        set(to, Some(item), keys, &values)?;
    }
    Ok(())
}
