//! The order in which objects are printed.

use std::cmp::Ordering;
use std::collections::HashMap;

use super::error::{Error, Result};
use super::ids::{FIRST, Gvk, Id, LAST};
use super::kustomization::SortOptions;
use super::resmap::ResMap;
use super::resource::Resource;

/// Sorts as the options say: `fifo` keeps the order, `legacy` goes by kind, then namespace and name.
pub fn sort(map: &mut ResMap, options: &SortOptions) -> Result<()> {
    match (options.order.as_str(), &options.legacy) {
        ("fifo", None) => Ok(()),
        ("fifo", Some(_)) => {
            Err("the field 'sortOptions.legacySortOptions' is set but the selected sort order is 'fifo', \
             not 'legacy'"
                .into())
        }
        ("legacy", None) => legacy(map, &FIRST, &LAST),
        ("legacy", Some((first, last))) => legacy(map, &texts(first), &texts(last)),
        _ => Err("the field 'sortOptions.order' must be one of [fifo, legacy]".into()),
    }
}

fn texts(list: &[String]) -> Vec<&str> {
    list.iter().map(String::as_str).collect()
}

struct Ranked {
    rank: i64,
    kind: String,
    id: Id,
    text: String,
    resource: Resource,
}

fn legacy(map: &mut ResMap, first: &[&str], last: &[&str]) -> Result<()> {
    let mut ranks: HashMap<&str, i64> = HashMap::new();
    for (i, kind) in first.iter().enumerate() {
        ranks.insert(kind, i as i64 - first.len() as i64);
    }
    for (i, kind) in last.iter().enumerate() {
        ranks.insert(kind, i as i64 + 1);
    }
    let mut items: Vec<Ranked> = std::mem::take(map)
        .into_items()
        .into_iter()
        .map(|resource| {
            let id = resource.id();
            let rank = ranks.get(id.gvk.kind.as_str()).copied().unwrap_or(0);
            let or = |s: &str, empty: &str| if s.is_empty() { empty.to_owned() } else { s.to_owned() };
            let text = format!("{}|{}|{}", id.gvk, or(&id.namespace, "~X"), or(&id.name, "~N"));
            Ranked { rank, kind: id.gvk.sort_text(), id, text, resource }
        })
        .collect();
    items.sort_by(compare);
    let append = |e: Error| e.wrap("SortOrderTransformer: Failed to append to resources");
    map.append_all(items.into_iter().map(|r| r.resource)).map_err(append)
}

fn compare(a: &Ranked, b: &Ranked) -> Ordering {
    if a.id.gvk == b.id.gvk {
        return a.text.cmp(&b.text);
    }
    a.rank.cmp(&b.rank).then_with(|| {
        // The core Namespace goes before others of that kind.
        let core = |gvk: &Gvk| gvk.group.is_empty();
        let namespaces = a.id.gvk.kind == "Namespace" && b.id.gvk.kind == "Namespace";
        let order = a.kind.cmp(&b.kind);
        if namespaces && (core(&a.id.gvk) || core(&b.id.gvk)) { order.reverse() } else { order }
    })
}
