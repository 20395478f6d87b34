//! Helm's functions for YAML and TOML: `toYaml`, `fromYaml` and their kin.
//!
//! Ported from Helm 4.3 `pkg/engine/funcs.go`. The plain `to…` functions hide errors (YAML: no text at all; TOML: the error as
//! text), the `must…` forms panic, which ends the render; the `from…` functions put the error into what they return.

use crate::gotmpl::{CallError, FuncTable, State, func};
use crate::value::{Elem, Heap, List, ListId, MapId, Str, Value};
use crate::yaml::toml::{self, Doc, TableId, TomlError, TomlValue};
use crate::yaml::{self, MarshalError};

pub fn register(table: &mut FuncTable) {
    table.add(func("toYaml", |st: &mut State, v: Value| written(st, &v, yaml::marshal_within, |_| Ok(Vec::new()))));
    table.add(func("mustToYaml", |st: &mut State, v: Value| {
        written(st, &v, yaml::marshal_within, |e| Err(CallError::Msg(e)))
    }));
    table.add(func("toYamlPretty", |st: &mut State, v: Value| {
        written(st, &v, yaml::marshal_pretty_within, |_| Ok(Vec::new()))
    }));
    table.add(func("fromYaml", from_yaml));
    table.add(func("fromYamlArray", from_yaml_array));
    table.add(func("toToml", |st: &mut State, v: Value| toml_written(st, &v, |e| Ok(e.into_bytes()))));
    table.add(func("mustToToml", |st: &mut State, v: Value| toml_written(st, &v, |e| Err(CallError::Msg(e)))));
    table.add(func("fromToml", from_toml));
}

type Marshal = fn(&mut Heap, &Value, u64) -> Result<Vec<u8>, MarshalError>;

/// The YAML text without its last newline.
fn written(
    st: &mut State,
    v: &Value,
    marshal: Marshal,
    on_error: impl Fn(String) -> Result<Vec<u8>, CallError>,
) -> Result<Vec<u8>, CallError> {
    let left = st.limits.output.saturating_sub(st.charged);
    match marshal(&mut st.heap, v, left) {
        Ok(mut text) => {
            if text.last() == Some(&b'\n') {
                text.pop();
            }
            st.charge(text.len() as u64)?;
            Ok(text)
        }
        Err(MarshalError::Unsupported(e)) => on_error(e),
        Err(MarshalError::TooLong) => {
            st.charge(left.saturating_add(1))?;
            Ok(Vec::new())
        }
    }
}

/// A map with the error under the key `Error`.
fn error_map(heap: &mut Heap, e: String) -> MapId {
    heap.map_of([("Error", Value::from(e))])
}

fn from_yaml(st: &mut State, text: Str) -> MapId {
    yaml::to_map(&mut st.heap, &text).unwrap_or_else(|e| error_map(&mut st.heap, e))
}

fn from_yaml_array(st: &mut State, text: Str) -> ListId {
    yaml::to_list(&mut st.heap, &text).unwrap_or_else(|e| st.heap.list_of(vec![Value::from(e)]))
}

/// The TOML text as it is, newline and all.
fn toml_written(
    st: &mut State,
    v: &Value,
    on_error: impl Fn(String) -> Result<Vec<u8>, CallError>,
) -> Result<Vec<u8>, CallError> {
    let left = st.limits.output.saturating_sub(st.charged);
    let text = match toml::encode(&mut st.heap, v, left) {
        Ok(text) => text,
        Err(TomlError::Error(e)) => on_error(e)?,
        Err(TomlError::Panic(e)) => return Err(CallError::Msg(e)),
        Err(TomlError::TooLong) => {
            st.charge(left.saturating_add(1))?;
            return Ok(Vec::new());
        }
    };
    st.charge(text.len() as u64)?;
    Ok(text)
}

fn from_toml(st: &mut State, text: Str) -> Result<MapId, CallError> {
    let local = st.host.local_zone();
    let now = i64::try_from(st.host.now().div_euclid(1_000_000_000)).unwrap_or(0);
    match toml::parse(&text, &local, now) {
        Ok(doc) => Ok(toml_table(&mut st.heap, &doc, 0)),
        Err(TomlError::Error(e)) => Ok(error_map(&mut st.heap, e)),
        Err(TomlError::Panic(e)) => Err(CallError::Msg(e)),
        Err(TomlError::TooLong) => Ok(error_map(&mut st.heap, String::new())),
    }
}

/// A table of a TOML text as a map. Nesting is bounded by the parser.
fn toml_table(heap: &mut Heap, doc: &Doc, id: TableId) -> MapId {
    let mut entries = Vec::new();
    for (key, value) in doc.tables.get(id).into_iter().flatten() {
        entries.push((Str::from(key.as_str()), toml_value(heap, doc, value)));
    }
    heap.map_of(entries)
}

fn toml_value(heap: &mut Heap, doc: &Doc, value: &TomlValue) -> Value {
    match value {
        TomlValue::Str(s) => Value::from(s.as_str()),
        TomlValue::Int(n) => Value::Int64(*n),
        TomlValue::Float(f) => Value::Float(*f),
        TomlValue::Bool(b) => Value::Bool(*b),
        TomlValue::Datetime(t) => Value::object(t.time.clone()),
        TomlValue::Array(items) => {
            let items = items.iter().map(|v| toml_value(heap, doc, v)).collect();
            let list = heap.list_of(items);
            // The decoder appends to a slice with room for two, of tables for four.
            heap.set_appended_from(list, 2);
            Value::List(list)
        }
        TomlValue::Table(id) => Value::Map(toml_table(heap, doc, *id)),
        TomlValue::Tables(ids) => {
            let items = ids.iter().map(|id| Value::Map(toml_table(heap, doc, *id))).collect();
            let list = heap.add_list(List { elem: Elem::Map, nil: false, items });
            heap.set_appended_from(list, 4);
            Value::List(list)
        }
    }
}
