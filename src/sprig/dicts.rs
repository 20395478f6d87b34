//! Dictionaries (Sprig `dict.go`). They are Go maps: `set` and `unset` change the one they got, and every name for it sees that.
//!
//! Go hands out a map's keys in random order; here `keys` and `values` go by the keys' bytes, one of the orders Go can give.

use super::convert::{charge_items, fail, strval};
use super::merge;
use crate::gotmpl::{CallError, FuncTable, Rest, State, func};
use crate::value::{Elem, Heap, List, Map, MapId, Str, Value};

pub fn register(table: &mut FuncTable) {
    table.add(func("dict", dict));
    table.add(func("get", |st: &mut State, d: MapId, key: Str| {
        st.heap.map(d).get(key).cloned().unwrap_or_else(|| Value::str(""))
    }));
    table.add(func("set", set));
    table.add(func("unset", |st: &mut State, d: MapId, key: Str| {
        st.heap.map_mut(d).remove(key);
        d
    }));
    table.add(func("hasKey", |st: &mut State, d: MapId, key: Str| st.heap.map(d).contains(key)));
    table.add(func("pluck", |st: &mut State, key: Str, dicts: Rest<MapId>| {
        let found = dicts.0.iter().filter_map(|d| st.heap.map(*d).get(&key).cloned()).collect();
        st.heap.grown_list_of(found)
    }));
    table.add(func("keys", |st: &mut State, dicts: Rest<MapId>| {
        let keys: Vec<Str> = dicts.0.iter().flat_map(|d| st.heap.map(*d).keys().cloned()).collect();
        charge_items(st, keys.len())?;
        let keys = keys.into_iter().map(Value::Str).collect();
        Ok::<_, CallError>(st.heap.add_grown_list(List { elem: Elem::Str, nil: false, items: keys }))
    }));
    table.add(func("values", |st: &mut State, d: MapId| {
        let values: Vec<Value> = st.heap.map(d).iter().map(|(_, v)| v.clone()).collect();
        charge_items(st, values.len())?;
        Ok::<_, CallError>(st.heap.grown_list_of(values))
    }));
    table.add(func("pick", pick));
    table.add(func("omit", omit));
    table.add(func("dig", dig));
    merge::register(table);
}

/// `dict KEY VALUE…`: keys become texts; a last key without a value has "".
fn dict(st: &mut State, v: Rest<Value>) -> Result<MapId, CallError> {
    let mut map = Map::default();
    for pair in v.0.chunks(2) {
        let key = strval(st, &pair[0])?;
        map.insert(key, pair.get(1).cloned().unwrap_or_else(|| Value::str("")));
    }
    Ok(st.heap.add_map(map))
}

fn set(st: &mut State, d: MapId, key: Str, v: Value) -> Result<MapId, CallError> {
    if st.heap.map(d).nil {
        return fail("assignment to entry in nil map");
    }
    st.charge_steps(st.heap.map(d).insert_steps())?;
    st.heap.map_mut(d).insert(key, v);
    Ok(d)
}

fn pick(st: &mut State, d: MapId, keys: Rest<Str>) -> MapId {
    let map = st.heap.map(d);
    let found: Vec<_> = keys.0.into_iter().filter_map(|k| map.get(&k).cloned().map(|v| (k, v))).collect();
    st.heap.map_of(found)
}

fn omit(st: &mut State, d: MapId, keys: Rest<Str>) -> Result<MapId, CallError> {
    let n = st.heap.map(d).len();
    charge_items(st, n)?;
    let left: Vec<_> =
        st.heap.map(d).iter().filter(|(k, _)| !keys.0.contains(k)).map(|(k, v)| (k.clone(), v.clone())).collect();
    Ok(st.heap.map_of(left))
}

/// Go's words for a failed type assertion on an `interface{}`.
fn assertion<T>(heap: &Heap, v: &Value, want: &str) -> Result<T, CallError> {
    let is = if v.is_nil() { "nil".into() } else { v.go_type(heap) };
    fail(format!("interface conversion: interface {{}} is {is}, not {want}"))
}

/// `v.(map[string]interface{})`: `common.Values` and `map[string]string` are not that.
fn as_dict(heap: &Heap, v: &Value) -> Result<MapId, CallError> {
    match v {
        Value::Map(m) if v.go_type(heap) == "map[string]interface {}" => Ok(*m),
        _ => assertion(heap, v, "map[string]interface {}"),
    }
}

/// `dig KEY… DEFAULT DICT`
fn dig(st: &mut State, ps: Rest<Value>) -> Result<Value, CallError> {
    let [keys @ .., default, dict] = &ps.0[..] else { return fail("dig needs at least three arguments") };
    if keys.is_empty() {
        return fail("dig needs at least three arguments");
    }
    let heap = &st.heap;
    let mut dict = as_dict(heap, dict)?;
    // All keys are checked before any is looked up.
    let keys = keys
        .iter()
        .map(|k| k.as_str().map_or_else(|| assertion(heap, k, "string"), Ok))
        .collect::<Result<Vec<&Str>, _>>()?;
    for (i, key) in keys.iter().enumerate() {
        match heap.map(dict).get(key.as_bytes()) {
            None => break,
            Some(step) if i + 1 == keys.len() => return Ok(step.clone()),
            Some(step) => dict = as_dict(heap, step)?,
        }
    }
    Ok(default.clone())
}
