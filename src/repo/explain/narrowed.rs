//! A map or a list that was printed as a whole, narrowed to the part that is the field.

use super::field::{Found, Held, is_like, text};
use crate::gotmpl::trace::{Path, Read, Trace};
use crate::value::{Heap, Str, Value};
use crate::yaml::tree::Tree;

/// The keys that the field has within a key's value; the key itself if it can't be told.
pub fn narrowed(trace: &Trace, heap: &Heap, key: Path, tree: &Tree<'_>, found: &Found) -> Vec<Path> {
    let Some(whole @ (Value::Map(_) | Value::List(_))) = trace.value(heap, &key) else { return vec![key] };
    for i in 0..found.path.len() {
        let mut way: Vec<Str> = found.path.get(i..).unwrap_or_default().iter().map(|k| Str::from(k.as_str())).collect();
        if let (Some(item), Some(first)) = (item(heap, &whole, tree, found, i), way.first_mut()) {
            *first = Str::from(item.to_string().as_str());
        }
        let part = trace.below(heap, &key, &way).filter(|(value, _)| is_field(value, found));
        let of_key = |read| if let Read::Key(path) = read { Some(path) } else { None };
        let keys: Vec<Path> = part.into_iter().flat_map(|(_, reads)| reads).filter_map(of_key).collect();
        if !keys.is_empty() {
            return keys;
        }
    }
    vec![key]
}

fn is_field(value: &Value, found: &Found) -> bool {
    match (&found.held, value) {
        (Held::Map(_), Value::Map(_)) | (Held::List(_), Value::List(_)) => true,
        // What `tpl` made something else of is known by its key alone.
        (Held::Scalar(held), value) => text(value).is_some_and(|t| t == *held || t.contains("{{")),
        _ => false,
    }
}

/// The item of a list that was printed into a longer one: which place it had before, if the field's item is like one alone.
fn item(heap: &Heap, whole: &Value, tree: &Tree<'_>, found: &Found, step: usize) -> Option<usize> {
    let Value::List(list) = whole else { return None };
    let place: usize = found.path.get(step)?.parse().ok()?;
    let node = *found.nodes.get(step)?;
    let items = heap.list(*list).items.iter().enumerate();
    let like: Vec<usize> = items.filter(|(_, v)| is_like(tree, node, heap, v, 0)).map(|(i, _)| i).collect();
    match like[..] {
        [only] => Some(only),
        _ => like.into_iter().find(|i| *i == place),
    }
}
