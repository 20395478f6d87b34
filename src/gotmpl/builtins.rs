//! text/template's built-in functions. `and`, `or` and `call` the executor evaluates itself.
//! Source: Go 1.26 `text/template/funcs.go`; error texts are Go's.

mod compare;
mod escape;
mod index;

use super::{CallError, FuncTable, Int, Rest, State, func};
use crate::value::print::{self, Unprintable};
use crate::value::{Heap, Kind, Str, Value};

/// Adds all built-in functions.
pub fn register(table: &mut FuncTable) {
    super::exec::register(table);
    compare::register(table);
    escape::register(table);
    index::register(table);
    table.add(func("len", len));
    table.add(func("not", |st: &mut State, v: Value| !v.truth(&st.heap)));
    table.add(func("print", |st: &mut State, args: Rest<Value>| {
        text(st, |heap, out, limit| print::sprint(heap, &args.0, out, limit))
    }));
    table.add(func("println", |st: &mut State, args: Rest<Value>| {
        text(st, |heap, out, limit| print::sprintln(heap, &args.0, out, limit))
    }));
    table.add(func("printf", |st: &mut State, format: Str, args: Rest<Value>| {
        text(st, |heap, out, limit| print::format_within(heap, &format, &args.0, out, limit))
    }));
}

/// Makes a text within what the render's limit still allows, and charges it.
fn text(
    st: &mut State,
    make: impl FnOnce(&mut Heap, &mut Vec<u8>, usize) -> Result<(), Unprintable>,
) -> Result<Vec<u8>, CallError> {
    let mut out = Vec::new();
    let left = usize::try_from(st.limits.output.saturating_sub(st.charged)).unwrap_or(usize::MAX);
    match make(&mut st.heap, &mut out, left) {
        Ok(()) => st.charge(out.len() as u64).map(|()| out),
        // Says which limit, and how it stands.
        Err(Unprintable::TooLong) => st.charge(u64::MAX).map(|()| out),
        Err(e @ Unprintable::Cycle) => Err(CallError::Limit(e.to_string())),
    }
}

/// The type as an error names it once a pointer has been followed.
fn pointed_type(heap: &Heap, v: &Value) -> String {
    let ty = v.go_type(heap);
    match v.kind() {
        Kind::Ptr => ty.trim_start_matches('*').to_owned(),
        _ => ty,
    }
}

fn len(st: &mut State, v: Value) -> Result<Int, CallError> {
    let n = match &v {
        Value::Nil => return Err(CallError::msg("len of nil pointer")),
        Value::Str(s) => s.len(),
        Value::Bytes(b) => b.len(),
        Value::Map(m) => st.heap.map(*m).len(),
        Value::List(l) => st.heap.list(*l).items.len(),
        Value::Object(o) if matches!(o.kind(), Kind::Map | Kind::Slice) => {
            o.elements(&mut st.heap).map_or(0, |e| e.len())
        }
        other => return Err(CallError::Msg(format!("len of type {}", pointed_type(&st.heap, other)))),
    };
    Ok(Int(n as i64))
}

#[cfg(test)]
mod tests;
