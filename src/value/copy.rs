//! `deepCopy`: what mitchellh/copystructure makes of a value, maps and lists made anew with all that is in them.
//!
//! As there, a part that is shared is copied once for every place it is reached from, and nothing notices a cycle: Go's stack
//! overflows. Here both end at a limit.

use super::{Heap, ListId, MapId, Str, Value};

/// The copy would need more maps and lists than are allowed: the value contains itself, or shares too much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooMany;

impl std::fmt::Display for TooMany {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the copy would have too many maps and lists, or has no end (limit: heap)")
    }
}
impl std::error::Error for TooMany {}

/// A copied container to be filled.
enum Open {
    Map(MapId, Vec<(Str, Value)>),
    List(ListId, usize),
}

/// A copy that shares no map or list with the original. `limit` is the most maps and lists that the heap may then have.
///
/// Scalars and objects are immutable and stay as they are (but for what [`deep_copied`](super::Object::deep_copied) says); the type of every map and list is kept, and so are nils and capacities.
pub fn deep_copy(heap: &mut Heap, value: &Value, limit: usize) -> Result<Value, TooMany> {
    let mut open = Vec::new();
    let copy = copy_of(heap, value, &mut open);
    while let Some(top) = open.pop() {
        if heap.len() > limit {
            return Err(TooMany);
        }
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
        let copy = deep_copy(&mut h, &Value::Map(m), 1000).unwrap();
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
        assert_eq!(deep_copy(&mut h, &Value::Map(m), 10_000).map(|_| ()), Err(TooMany));
    }
}
