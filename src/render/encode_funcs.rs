//! Helm's functions for YAML and TOML: `toYaml`, `fromYaml` and their kin.
//!
//! Ported from Helm 4.3 `pkg/engine/funcs.go`. The plain `to…` functions hide errors (YAML: no text at all; TOML: the error as
//! text), the `must…` forms panic, which ends the render; the `from…` functions put the error into what they return.

use crate::gotmpl::{CallError, FuncTable, State, func};
use crate::value::{Heap, ListId, MapId, Str, Value};
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
