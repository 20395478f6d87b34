//! `merge` and its kin: dario.cat/mergo 1.0.1's `deepMerge` as far as dictionaries reach it.
//!
//! The destination is changed in place, nested maps are shared and not copied, and which of two values stays depends on
//! emptiness: without overwriting, an empty value in the destination gives way; with overwriting, every value of the source
//! wins (also an empty one), except that two maps are merged. Structs and pointers (times, versions, certificates) that meet
//! each other are left alone or replaced whole.

use super::convert::fail;
use crate::gotmpl::{CallError, FuncTable, Rest, State, func};
use crate::value::{Kind, MapId, MapType, Str, Value};

pub fn register(table: &mut FuncTable) {
    // The plain forms swallow mergo's error and return "".
    for (name, overwrite, must) in [
        ("merge", false, false),
        ("mustMerge", false, true),
        ("mergeOverwrite", true, false),
        ("mustMergeOverwrite", true, true),
    ] {
        table.add(func(name, move |st: &mut State, dst: MapId, srcs: Rest<MapId>| {
            match merge_all(st, dst, &srcs.0, overwrite) {
                Ok(dst) => Ok(Value::Map(dst)),
                Err(Stop::Mergo(_)) if !must => Ok(Value::str("")),
                Err(Stop::Mergo(text)) => fail(text),
                Err(Stop::Call(e)) => Err(e),
            }
        }));
    }
}

/// Why a merge ended early.
enum Stop {
    /// An error that mergo returns.
    Mergo(&'static str),
    /// A panic, or a limit.
    Call(CallError),
}

/// How deep maps may nest in a merge. Go would overflow its stack on a map that contains itself.
const MAX_DEPTH: usize = 100_000;

fn merge_all(st: &mut State, dst: MapId, srcs: &[MapId], overwrite: bool) -> Result<MapId, Stop> {
    let mut dst = dst;
    for &src in srcs {
        if st.heap.map(dst).nil && !st.heap.map(src).nil {
            dst = st.heap.new_map();
        }
        deep_merge(st, dst, src, overwrite)?;
    }
    Ok(dst)
}

/// mergo's `isEmptyValue`: nil, false, zero and what has no length; structs are never empty.
fn is_empty(st: &State, v: &Value) -> bool {
    !v.truth(&st.heap)
}

/// Two maps on the way of being merged.
struct Level {
    dst: MapId,
    src: MapId,
    keys: std::vec::IntoIter<Str>,
    /// The entry whose values are being merged one level below.
    open: Option<Entry>,
}

/// An entry of the source, and what the destination had under its key.
struct Entry {
    key: Str,
    from: Value,
    into: Option<Value>,
}

impl Level {
    fn new(st: &State, dst: MapId, src: MapId) -> Self {
        let keys: Vec<Str> = st.heap.map(src).keys().cloned().collect();
        Self { dst, src, keys: keys.into_iter(), open: None }
    }
}

/// Merges the entries of one map into another: mergo's recursion, on a stack of its own.
fn deep_merge(st: &mut State, dst: MapId, src: MapId, overwrite: bool) -> Result<(), Stop> {
    if st.heap.map(dst).nil {
        return Ok(());
    }
    let mut levels = vec![Level::new(st, dst, src)];
    while let Some(level) = levels.last_mut() {
        if let Some(entry) = level.open.take() {
            finish(st, level.dst, level.src, entry, overwrite)?;
            continue;
        }
        let Some(key) = level.keys.next() else {
            levels.pop();
            continue;
        };
        // Maps that are shared are merged once per path to them, and there can be very many paths.
        st.charge_steps(1).map_err(Stop::Call)?;
        let Some(from) = st.heap.map(level.src).get(&key).cloned() else { continue };
        let into = st.heap.map(level.dst).get(&key).cloned();
        if from.is_nil() {
            if overwrite {
                put(st, level.dst, level.src, key, from)?;
            }
            continue;
        }
        let below = match (&into, &from) {
            (Some(Value::Map(into)), Value::Map(from)) if !st.heap.map(*into).nil => Some((*into, *from)),
            (Some(into), from) if into.kind() == Kind::Ptr && from.kind() == Kind::Map && !overwrite => {
                return Err(Stop::Mergo("src and dst must be of same type"));
            }
            _ => None,
        };
        level.open = Some(Entry { key, from, into });
        if let Some((dst, src)) = below {
            levels.push(Level::new(st, dst, src));
            if levels.len() > MAX_DEPTH {
                return Err(Stop::Call(CallError::Limit(format!(
                    "merge: maps nested deeper than {MAX_DEPTH}; does one contain itself? (limit: depth)"
                ))));
            }
        }
    }
    Ok(())
}

/// What becomes of an entry after the maps below it were merged: the destination's own may have been filled, so its emptiness is
/// asked only now.
fn finish(st: &mut State, dst: MapId, src: MapId, entry: Entry, overwrite: bool) -> Result<(), Stop> {
    let Entry { key, from, into } = entry;
    let kind = from.kind();
    let empty = into.as_ref().is_none_or(|v| is_empty(st, v));
    if kind == Kind::Slice && st.heap.map(dst).ty == MapType::Strings {
        // Here the original holds the slice itself and not the interface around it.
        let ty = from.go_type(&st.heap);
        return call(match into {
            Some(_) => "reflect: call of reflect.Value.IsNil on string Value".into(),
            None => format!("reflect.Value.SetMapIndex: value of type {ty} is not assignable to type string"),
        });
    }
    let both_maps = kind == Kind::Map && into.as_ref().is_some_and(|v| v.kind() == Kind::Map);
    // Maps are merged already; a slice is replaced whole or not at all.
    if empty || overwrite && !both_maps {
        put(st, dst, src, key, from)?;
    }
    Ok(())
}

/// Sets an entry as reflection does: an `interface {}` does not fit into a `map[string]string`.
fn put(st: &mut State, dst: MapId, src: MapId, key: Str, v: Value) -> Result<(), Stop> {
    if st.heap.map(dst).ty == MapType::Strings && st.heap.map(src).ty != MapType::Strings {
        return call("reflect.Value.SetMapIndex: value of type interface {} is not assignable to type string");
    }
    st.charge_steps(st.heap.map(dst).insert_steps()).map_err(Stop::Call)?;
    st.heap.map_mut(dst).insert(key, v);
    Ok(())
}

fn call<T>(text: impl Into<String>) -> Result<T, Stop> {
    Err(Stop::Call(CallError::msg(text)))
}
