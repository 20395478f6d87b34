//! Helm's own JSON functions, which replace Sprig's. Source: Helm 4.3 `pkg/engine/funcs.go`.

use crate::gotmpl::{FuncTable, State, func};
use crate::sprig::json::encode;
use crate::value::json::{Target, decode_into};
use crate::value::{Str, Value};

/// Adds `toJson`, `mustToJson`, `fromJson` and `fromJsonArray`.
pub fn register(table: &mut FuncTable) {
    table.add(func("toJson", |st: &mut State, v: Value| encode(st, &v, false, true, None)));
    // The error is a panic in Go, with the same text.
    table.add(func("mustToJson", |st: &mut State, v: Value| encode(st, &v, true, true, None)));
    table.add(func("fromJson", from_json));
    table.add(func("fromJsonArray", from_json_array));
}

/// The text as a map; an error goes under the key `Error`, beside what could be decoded.
fn from_json(st: &mut State, text: Str) -> crate::value::MapId {
    let decoded = decode_into(&mut st.heap, &text, Target::Map);
    let map = match (decoded.value, &decoded.error) {
        (Value::Map(m), None) => m,
        (Value::Map(m), Some(_)) if !st.heap.map(m).nil => m,
        _ => st.heap.new_map(),
    };
    if let Some(e) = decoded.error {
        st.heap.map_mut(map).insert("Error", Value::from(e));
    }
    map
}

/// The text as a list; an error is the only item.
fn from_json_array(st: &mut State, text: Str) -> crate::value::ListId {
    let decoded = decode_into(&mut st.heap, &text, Target::List);
    match (decoded.value, decoded.error) {
        (Value::List(l), None) => l,
        (_, error) => st.heap.list_of(error.into_iter().map(Value::from).collect()),
    }
}
