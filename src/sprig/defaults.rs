//! Empty values and what stands in for them (Sprig `defaults.go`), and copies and comparisons of whole values.
//!
//! Sprig's `empty` is the opposite of text/template's truth on every kind that a chart can reach, so it is asked there.

use super::convert::fail;
use crate::gotmpl::{CallError, FuncTable, Rest, State, func, pure};
use crate::value::{Value, copy, equal};

pub fn register(table: &mut FuncTable) {
    table.add(func("default", default));
    table.add(func("empty", |st: &mut State, v: Value| !v.truth(&st.heap)));
    table.add(func("coalesce", coalesce));
    table.add(func("all", |st: &mut State, v: Rest<Value>| v.0.iter().all(|v| v.truth(&st.heap))));
    table.add(func("any", |st: &mut State, v: Rest<Value>| v.0.iter().any(|v| v.truth(&st.heap))));
    table.add(pure("ternary", |yes: Value, no: Value, v: bool| if v { yes } else { no }));
    table.add(func("deepCopy", deep_copy));
    table.add(func("mustDeepCopy", deep_copy));
    table.add(func("deepEqual", |st: &mut State, a: Value, b: Value| equal::deep_equal(&mut st.heap, &a, &b)));
}

/// `default D [GIVEN]`: the first of the given values unless there is none or it is empty. More than one is allowed, and ignored.
fn default(st: &mut State, d: Value, given: Rest<Value>) -> Value {
    match given.0.into_iter().next() {
        Some(v) if v.truth(&st.heap) => v,
        _ => d,
    }
}

fn coalesce(st: &mut State, all: Rest<Value>) -> Value {
    all.0.into_iter().find(|v| v.truth(&st.heap)).unwrap_or(Value::Nil)
}

/// `deepCopy`: copystructure panics on nil, with reflection's words.
fn deep_copy(st: &mut State, v: Value) -> Result<Value, CallError> {
    if v.is_nil() {
        return fail("reflect: call of reflect.Value.Type on zero Value");
    }
    let limit = st.limits.output.saturating_sub(st.charged);
    copy::deep_copy(&mut st.heap, &v, limit).map_err(|e| CallError::Limit(e.to_string()))
}
