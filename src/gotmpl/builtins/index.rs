//! `index` and `slice`. (Helm shows Sprig's `slice` in its place.)

use super::pointed_type;
use crate::gotmpl::{CallError, FuncTable, Rest, State, func};
use crate::value::{Kind, List, MapType, Value};

pub(super) fn register(table: &mut FuncTable) {
    table.add(func("index", |st: &mut State, item: Value, indexes: Rest<Value>| index(st, item, &indexes.0)));
    table.add(func("slice", |st: &mut State, item: Value, indexes: Rest<Value>| slice(st, &item, &indexes.0)));
}

fn fail<T>(text: impl Into<String>) -> Result<T, CallError> {
    Err(CallError::Msg(text.into()))
}

/// An index into something with `cap` places. As in Go, one behind the last passes here.
fn position(st: &State, index: &Value, cap: usize) -> Result<usize, CallError> {
    let n = match index {
        Value::Nil => return fail("cannot index slice/array with nil"),
        Value::Object(o) => o.int(),
        other => other.as_int(),
    };
    let Some(n) = n else {
        return fail(format!("cannot index slice/array with type {}", index.go_type(&st.heap)));
    };
    // Go converts to int64 first.
    let n = n as i64;
    match usize::try_from(n) {
        Ok(i) if i <= cap => Ok(i),
        _ => fail(format!("index out of range: {n}")),
    }
}

fn index(st: &mut State, mut item: Value, indexes: &[Value]) -> Result<Value, CallError> {
    if item.is_nil() {
        return fail("index of untyped nil");
    }
    for index in indexes {
        let missing = || CallError::msg("reflect: slice index out of range");
        item = match &item {
            Value::Nil => return fail("index of nil pointer"),
            Value::Str(s) => {
                let i = position(st, index, s.len())?;
                let b = *s.get(i).ok_or_else(|| CallError::msg("reflect: string index out of range"))?;
                Value::OtherInt(Kind::Uint8, b.into())
            }
            Value::Bytes(b) => {
                let i = position(st, index, b.len())?;
                Value::OtherInt(Kind::Uint8, (*b.get(i).ok_or_else(missing)?).into())
            }
            Value::List(l) => {
                let i = position(st, index, st.heap.list(*l).items.len())?;
                st.heap.list(*l).items.get(i).cloned().ok_or_else(missing)?
            }
            Value::Map(m) => {
                let map = st.heap.map(*m);
                match map.get(key(st, index)?) {
                    Some(v) => v.clone(),
                    None if map.ty == MapType::Strings => Value::str(""),
                    None => Value::Nil,
                }
            }
            Value::Object(o) if o.kind() == Kind::Map => {
                let key = String::from_utf8_lossy(key(st, index)?).into_owned();
                o.field(&mut st.heap, &key).unwrap_or_default()
            }
            Value::Object(o) if o.kind() == Kind::Slice => {
                let elements = o.elements(&mut st.heap).unwrap_or_default();
                let i = position(st, index, elements.len())?;
                elements.into_iter().nth(i).ok_or_else(missing)?.1
            }
            other => return fail(format!("can't index item of type {}", pointed_type(&st.heap, other))),
        };
    }
    Ok(item)
}

/// An index into a map: all have string keys.
fn key<'a>(st: &State, index: &'a Value) -> Result<&'a [u8], CallError> {
    match index {
        Value::Str(s) => Ok(s),
        Value::Nil => fail("value is nil; should be of type string"),
        other => fail(format!("value has type {}; should be string", other.go_type(&st.heap))),
    }
}

fn slice(st: &mut State, item: &Value, indexes: &[Value]) -> Result<Value, CallError> {
    if item.is_nil() {
        return fail("slice of untyped nil");
    }
    if indexes.len() > 3 {
        return fail(format!("too many slice indexes: {}", indexes.len()));
    }
    let (len, cap) = match item {
        Value::Str(_) if indexes.len() == 3 => return fail("cannot 3-index slice a string"),
        Value::Str(s) => (s.len(), s.len()),
        Value::Bytes(b) => (b.len(), b.len()),
        Value::List(l) => {
            let n = st.heap.list(*l).items.len();
            (n, n)
        }
        other => return fail(format!("can't slice item of type {}", pointed_type(&st.heap, other))),
    };
    let mut at = [0, len, cap];
    for (i, index) in indexes.iter().enumerate() {
        at[i] = position(st, index, cap)?;
    }
    let [from, to, max] = at;
    if from > to {
        return fail(format!("invalid slice index: {from} > {to}"));
    }
    if to > max {
        return fail(format!("invalid slice index: {to} > {max}"));
    }
    Ok(match item {
        Value::Str(s) => Value::str(s.get(from..to).unwrap_or_default()),
        Value::Bytes(b) => Value::Bytes(b.get(from..to).unwrap_or_default().into()),
        Value::List(l) => {
            let list = st.heap.list(*l);
            let items = list.items.get(from..to).unwrap_or_default().to_vec();
            let part = List { elem: list.elem, nil: list.nil, items };
            Value::List(st.heap.add_list(part))
        }
        other => other.clone(),
    })
}
