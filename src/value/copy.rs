//! `deepCopy`: what mitchellh/copystructure makes of a value, maps and lists made anew with all that is in them.
//!
//! As there, a part that is shared is copied once for every place it is reached from, and nothing notices a cycle: Go's stack
//! overflows. Here the size of the copy is known before it is begun, and both end with an error.

use std::collections::HashMap;

use super::{Heap, ListId, MapId, Str, Value};

/// Why a value cannot be copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Uncopyable {
    /// A map or list contains itself.
    Cycle,
    /// The copy would take more bytes than the limit given.
    TooBig,
}

impl std::fmt::Display for Uncopyable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Cycle => "a map or list that contains itself cannot be copied (limit: cycle)",
            Self::TooBig => "the copy would be too big (limit: output)",
        })
    }
}
impl std::error::Error for Uncopyable {}

/// Names a container of a heap: is it a map, and which.
type Container = (bool, u64);

/// The maps and lists right inside a map or list, and about how many bytes it takes itself; `None` for what is neither.
fn inside(heap: &Heap, value: &Value) -> Option<(Container, Vec<Value>, u64)> {
    let is_container = |v: &&Value| matches!(v, Value::Map(_) | Value::List(_));
    match value {
        Value::Map(m) => {
            let map = heap.map(*m);
            let children = map.iter().map(|(_, v)| v).filter(is_container).cloned().collect();
            Some(((true, m.number()), children, 64 + 48 * map.len() as u64))
        }
        Value::List(l) => {
            let items = &heap.list(*l).items;
            let children = items.iter().filter(is_container).cloned().collect();
            Some(((false, l.number()), children, 64 + 32 * items.len() as u64))
        }
        _ => None,
    }
}

/// About how many bytes a copy takes, shared parts as often as they are reached.
fn cost(heap: &Heap, value: &Value) -> Result<u64, Uncopyable> {
    let Some((root, children, bytes)) = inside(heap, value) else { return Ok(0) };
    // The cost of what is done with; none for what is still open.
    let mut known: HashMap<Container, Option<u64>> = HashMap::from([(root, None)]);
    let mut open = vec![(root, children, bytes)];
    loop {
        let Some((container, children, bytes)) = open.last_mut() else { return Ok(0) };
        let Some(child) = children.pop() else {
            let (container, bytes) = (*container, *bytes);
            known.insert(container, Some(bytes));
            open.pop();
            match open.last_mut() {
                Some(parent) => parent.2 = parent.2.saturating_add(bytes),
                None => return Ok(bytes),
            }
            continue;
        };
        let Some((id, grandchildren, own)) = inside(heap, &child) else { continue };
        match known.get(&id) {
            Some(Some(cost)) => *bytes = bytes.saturating_add(*cost),
            Some(None) => return Err(Uncopyable::Cycle),
            None => {
                known.insert(id, None);
                open.push((id, grandchildren, own));
            }
        }
    }
}

/// A copied container to be filled.
enum Open {
    Map(MapId, Vec<(Str, Value)>),
    List(ListId, usize),
}

/// A copy that shares no map or list with the original, of about `limit` bytes at most.
///
/// Scalars and objects are immutable and stay as they are (but for what [`deep_copied`](super::Object::deep_copied) says); the type of every map and list is kept, and so are nils and capacities.
pub fn deep_copy(heap: &mut Heap, value: &Value, limit: u64) -> Result<Value, Uncopyable> {
    if cost(heap, value)? > limit {
        return Err(Uncopyable::TooBig);
    }
    let mut open = Vec::new();
    let copy = copy_of(heap, value, &mut open);
    while let Some(top) = open.pop() {
        match top {
            Open::Map(m, entries) => {
                for (key, value) in entries {
                    let value = copy_of(heap, &value, &mut open);
                    heap.map_mut(m).insert(key, value);
                }
            }
            Open::List(l, len) => {
                for i in 0..len {
                    let Some(value) = heap.list(l).items.get(i).cloned() else { break };
                    let value = copy_of(heap, &value, &mut open);
                    heap.list_mut(l).items[i] = value;
                }
            }
        }
    }
    Ok(copy)
}

/// The value itself, or a new container with the same contents, noted in `open` to have them copied too.
fn copy_of(heap: &mut Heap, value: &Value, open: &mut Vec<Open>) -> Value {
    match value {
        Value::Map(m) => {
            let map = heap.map(*m).clone();
            let entries = map.iter().filter(|(_, v)| needs_copy(v)).map(|(k, v)| (k.clone(), v.clone())).collect();
            let new = heap.add_map(map);
            open.push(Open::Map(new, entries));
            Value::Map(if m.is_values() { new.as_values() } else { new })
        }
        Value::List(l) => {
            let list = heap.list(*l).clone();
            let len = if list.items.iter().any(needs_copy) { list.items.len() } else { 0 };
            let room = heap.capacity(*l);
            let new = heap.add_list(list);
            heap.set_capacity(new, room);
            open.push(Open::List(new, len));
            Value::List(new)
        }
        Value::Object(o) => Value::Object(o.deep_copied().unwrap_or_else(|| o.clone())),
        other => other.clone(),
    }
}

const fn needs_copy(v: &Value) -> bool {
    matches!(v, Value::Map(_) | Value::List(_) | Value::Object(_))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_share_nothing() {
        let mut h = Heap::new();
        let l = h.list_of(vec![Value::Int(1)]);
        let inner = h.map_of([("l", Value::List(l))]);
        let m = h.map_of([("a", Value::Map(inner)), ("b", Value::Map(inner)), ("s", "x".into())]).as_values();
        let copy = deep_copy(&mut h, &Value::Map(m), 10_000).unwrap();
        assert!(crate::value::equal::deep_equal(&mut h, &Value::Map(m), &copy));
        h.list_mut(l).items[0] = Value::Int(2);
        h.map_mut(m).insert("s", "y".into());
        let mut out = Vec::new();
        crate::value::print::value(&mut h, &copy, &mut out).unwrap();
        assert_eq!(String::from_utf8_lossy(&out), "map[a:map[l:[1]] b:map[l:[1]] s:x]");
    }

    #[test]
    fn cycles_end() {
        let mut h = Heap::new();
        let m = h.new_map();
        h.map_mut(m).insert("m", Value::Map(m));
        assert_eq!(deep_copy(&mut h, &Value::Map(m), u64::MAX).map(|_| ()), Err(Uncopyable::Cycle));
        let mut v = Value::str("x");
        for _ in 0..200 {
            v = Value::List(h.list_of(vec![v.clone(), v]));
        }
        assert_eq!(deep_copy(&mut h, &v, 1 << 30).map(|_| ()), Err(Uncopyable::TooBig));
    }
}
