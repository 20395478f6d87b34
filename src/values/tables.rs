//! Small operations on maps of a heap: copying, merging, and looking up by dotted paths.
//!
//! Source: Helm 4.3 `pkg/chart/v2/loader/load.go` (`MergeMaps`), `pkg/chart/common/values.go`, `internal/copystructure`.

use crate::chart::data::{MAX_CONTAINERS, MAX_DEPTH, TooDeep};
use crate::value::{Heap, List, Map, MapId, MapType, Value};

use super::GLOBAL;

/// The map, if this is a `map[string]interface {}`: what Helm calls a table.
pub fn as_table(heap: &Heap, value: &Value) -> Option<MapId> {
    match value {
        Value::Map(m) if heap.map(*m).ty == MapType::Any => Some(m.plain()),
        _ => None,
    }
}

/// A deep copy: no table or list of the result is shared with anything.
///
/// # Errors
/// [`TooDeep`].
pub fn deep_copy_map(heap: &mut Heap, map: MapId) -> Result<MapId, TooDeep> {
    copy_map(heap, map, 0)
}

fn copy_map(heap: &mut Heap, map: MapId, depth: usize) -> Result<MapId, TooDeep> {
    // Tables that several others share are copied for each: a few of these can make a tree without end.
    if depth > MAX_DEPTH || heap.len() > MAX_CONTAINERS {
        return Err(TooDeep);
    }
    let source = heap.map(map).clone();
    let (ty, nil) = (source.ty, source.nil);
    let mut entries = source.into_entries();
    for (_, v) in &mut entries {
        *v = copy_value(heap, v, depth + 1)?;
    }
    let mut copy = Map::in_order(entries);
    (copy.ty, copy.nil) = (ty, nil);
    Ok(heap.add_map(copy))
}

fn copy_value(heap: &mut Heap, value: &Value, depth: usize) -> Result<Value, TooDeep> {
    Ok(match value {
        Value::Map(m) => Value::Map(copy_map(heap, *m, depth)?),
        Value::List(_) if depth > MAX_DEPTH || heap.len() > MAX_CONTAINERS => return Err(TooDeep),
        Value::List(l) => {
            let List { elem, nil, items } = heap.list(*l).clone();
            let items = items.iter().map(|v| copy_value(heap, v, depth + 1)).collect::<Result<_, _>>()?;
            let copy = heap.add_list(List { elem, nil, items });
            heap.set_capacity(copy, heap.capacity(*l));
            Value::List(copy)
        }
        other => other.clone(),
    })
}

/// A deep copy on another heap.
///
/// # Errors
/// [`TooDeep`].
pub(super) fn copy_to(from: &Heap, map: MapId, to: &mut Heap) -> Result<MapId, TooDeep> {
    copy_map_to(from, map, to, 0)
}

fn copy_map_to(from: &Heap, map: MapId, to: &mut Heap, depth: usize) -> Result<MapId, TooDeep> {
    if depth > MAX_DEPTH || to.len() > MAX_CONTAINERS {
        return Err(TooDeep);
    }
    let source = from.map(map);
    let mut entries = Vec::with_capacity(source.len());
    for (k, v) in source.iter() {
        entries.push((k.clone(), copy_value_to(from, v, to, depth + 1)?));
    }
    let mut copy = Map::in_order(entries);
    (copy.ty, copy.nil) = (source.ty, source.nil);
    Ok(to.add_map(copy))
}

fn copy_value_to(from: &Heap, value: &Value, to: &mut Heap, depth: usize) -> Result<Value, TooDeep> {
    Ok(match value {
        Value::Map(m) => Value::Map(copy_map_to(from, *m, to, depth)?),
        Value::List(_) if depth > MAX_DEPTH || to.len() > MAX_CONTAINERS => return Err(TooDeep),
        Value::List(l) => {
            let List { elem, nil, items } = from.list(*l);
            let items = items.iter().map(|v| copy_value_to(from, v, to, depth + 1)).collect::<Result<_, _>>()?;
            let copy = to.add_list(List { elem: *elem, nil: *nil, items });
            to.set_capacity(copy, from.capacity(*l));
            Value::List(copy)
        }
        other => other.clone(),
    })
}

/// Lays `b` over `a` in a new map. Tables that both have are merged into new ones; everything else is shared with its source.
///
/// # Errors
/// [`TooDeep`].
pub fn merge_maps(heap: &mut Heap, a: MapId, b: MapId) -> Result<MapId, TooDeep> {
    merge_at(heap, a, b, 0)
}

fn merge_at(heap: &mut Heap, a: MapId, b: MapId, depth: usize) -> Result<MapId, TooDeep> {
    if depth > MAX_DEPTH {
        return Err(TooDeep);
    }
    let mut out = heap.map(a).clone();
    let over: Vec<_> = heap.map(b).iter().map(|(k, v)| (k.clone(), v.clone())).collect();
    for (key, value) in over {
        let tables = as_table(heap, &value).zip(out.get(&key).and_then(|v| as_table(heap, v)));
        match tables {
            Some((above, below)) => {
                let merged = merge_at(heap, below, above, depth + 1)?;
                out.insert(key, Value::Map(merged));
            }
            None => {
                out.insert(key, value);
            }
        }
    }
    Ok(heap.add_map(out))
}

/// `Values.Table`: the table at a dotted path.
///
/// # Errors
/// `"name" is not a table`, naming the part of the path that is none.
pub fn lookup_table(heap: &Heap, values: MapId, path: &str) -> Result<MapId, String> {
    let mut at = values;
    for part in path.split('.') {
        at = heap
            .map(at)
            .get(part)
            .and_then(|v| as_table(heap, v))
            .ok_or_else(|| format!("{} is not a table", crate::golang::strconv::quote(part.as_bytes())))?;
    }
    Ok(at)
}

/// `Values.PathValue`: what stands at a dotted path, if it is there and not a table.
pub fn lookup_path(heap: &Heap, values: MapId, path: &str) -> Option<Value> {
    let (table, key) = match path.rsplit_once('.') {
        Some((table, key)) => (lookup_table(heap, values, table).ok()?, key),
        None => (values, path),
    };
    heap.map(table).get(key).filter(|v| as_table(heap, v).is_none()).cloned()
}

/// The globals of a table: made if missing, `None` if something else stands there.
pub(super) fn globals_of(heap: &mut Heap, values: MapId) -> Option<MapId> {
    match heap.map(values).get(GLOBAL).cloned() {
        None => Some(heap.new_map()),
        Some(v) => as_table(heap, &v),
    }
}
