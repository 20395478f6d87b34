//! `eq`, `ne`, `lt`, `le`, `gt`, `ge`: only basic kinds compare, integers across signs, never an integer with a float.

use std::cmp::Ordering;
use std::sync::Arc;

use crate::golang::time::{Location, Time};
use crate::golang::unicode;
use crate::gotmpl::{CallError, FuncTable, Rest, State, func};
use crate::value::equal::deep_equal;
use crate::value::print::{self, Unprintable};
use crate::value::{Heap, Kind, Value};

pub(super) fn register(table: &mut FuncTable) {
    table.add(func("eq", |st: &mut State, first: Value, rest: Rest<Value>| eq(st, &first, &rest.0)));
    table.add(func("ne", |st: &mut State, a: Value, b: Value| eq(st, &a, &[b]).map(|equal| !equal)));
    table.add(func("lt", |st: &mut State, a: Value, b: Value| lt(&st.heap, &a, &b)));
    table.add(func("le", |st: &mut State, a: Value, b: Value| le(st, &a, &b)));
    table.add(func("gt", |st: &mut State, a: Value, b: Value| le(st, &a, &b).map(|less| !less)));
    table.add(func("ge", |st: &mut State, a: Value, b: Value| lt(&st.heap, &a, &b).map(|less| !less)));
}

/// Go's `basicKind`, with the value.
enum Basic<'a> {
    Bool(bool),
    Complex((f64, f64)),
    Int(i128),
    Uint(i128),
    Float(f64),
    Str(std::borrow::Cow<'a, [u8]>),
    /// Maps, slices, structs, pointers and nil.
    None,
}

fn basic(v: &Value) -> Basic<'_> {
    match v {
        Value::Bool(b) => Basic::Bool(*b),
        Value::Int(n) | Value::Int64(n) => Basic::Int((*n).into()),
        Value::OtherInt(k, n) if k.is_uint() => Basic::Uint(n.get(*k)),
        Value::OtherInt(k, n) => Basic::Int(n.get(*k)),
        Value::Float(f) => Basic::Float(*f),
        Value::Str(s) => Basic::Str(s.as_bytes().into()),
        Value::Object(o) => match o.kind() {
            k if k.is_int() => Basic::Int(o.int().unwrap_or(0)),
            k if k.is_uint() => Basic::Uint(o.int().unwrap_or(0)),
            Kind::String => Basic::Str(o.string().unwrap_or_default().into_bytes().into()),
            Kind::Complex128 => Basic::Complex(o.complex().unwrap_or((0.0, 0.0))),
            _ => Basic::None,
        },
        Value::Nil | Value::Bytes(_) | Value::Map(_) | Value::List(_) => Basic::None,
    }
}

fn incompatible(heap: &Heap, a: &Value, b: &Value) -> CallError {
    CallError::Msg(format!("incompatible types for comparison: {} and {}", a.go_type(heap), b.go_type(heap)))
}

/// True if `first` equals any of the others, looked at in order.
fn eq(st: &mut State, first: &Value, others: &[Value]) -> Result<bool, CallError> {
    if others.is_empty() {
        return Err(CallError::msg("missing argument for comparison"));
    }
    for other in others {
        let equal = match (basic(first), basic(other)) {
            (Basic::Bool(a), Basic::Bool(b)) => a == b,
            (Basic::Complex(a), Basic::Complex(b)) => a == b,
            (Basic::Int(a) | Basic::Uint(a), Basic::Int(b) | Basic::Uint(b)) => a == b,
            (Basic::Float(a), Basic::Float(b)) => a == b,
            (Basic::Str(a), Basic::Str(b)) => a == b,
            (Basic::None, Basic::None) => not_basic(st, first, other)?,
            _ if first.is_nil() || other.is_nil() => false,
            _ => return Err(incompatible(&st.heap, first, other)),
        };
        if equal {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Neither is of a basic kind: both nil, the same pointer or an equal struct; maps and slices do not compare.
fn not_basic(st: &mut State, a: &Value, b: &Value) -> Result<bool, CallError> {
    if a.kind() != b.kind() && !a.is_nil() && !b.is_nil() {
        // Go gives values for types and types for values; and a value under %s is what it is.
        let (a_text, b_text) = (shown(st, b"%s", a)?, shown(st, b"%v", b)?);
        let (a_type, b_type) = (a.go_type(&st.heap), b.go_type(&st.heap));
        return Err(CallError::Msg(format!("non-comparable types {a_text}: {a_type}, {b_type}: {b_text}")));
    }
    let nil = |v: &Value| match v {
        Value::Nil => true,
        Value::Map(m) => st.heap.map(*m).nil,
        Value::List(l) => st.heap.list(*l).nil,
        _ => false,
    };
    if nil(a) || nil(b) {
        return Ok(nil(a) && nil(b));
    }
    match (a, b) {
        (Value::Object(x), Value::Object(y)) if matches!(y.kind(), Kind::Struct | Kind::Ptr) => {
            // The same instant is another time where the location is another pointer.
            if let (Some(t), Some(u)) = (x.as_any().downcast_ref::<Time>(), y.as_any().downcast_ref::<Time>()) {
                let instant = |t: &Time| (t.unix_seconds(), t.nanosecond());
                return Ok(instant(t) == instant(u) && t.location().is_same(u.location()));
            }
            if let (Some(p), Some(q)) = (x.as_any().downcast_ref::<Location>(), y.as_any().downcast_ref::<Location>()) {
                return Ok(p.is_same(q));
            }
            // Interfaces are equal if the types are and the values: identity for pointers.
            Ok(Arc::ptr_eq(x, y) || y.kind() == Kind::Struct && deep_equal(&mut st.heap, a, b))
        }
        _ => {
            let text = shown(st, b"%s", b)?;
            Err(CallError::Msg(format!("non-comparable type {text}: {}", b.go_type(&st.heap))))
        }
    }
}

/// The value in an error's text, as fmt prints a `reflect.Value` that holds it.
fn shown(st: &mut State, verb: &[u8], v: &Value) -> Result<String, CallError> {
    let text = super::text(st, |heap, out, limit| {
        print::format_within(heap, verb, std::slice::from_ref(v), out, limit.min(1 << 20)).or_else(|e| match e {
            // An error's text need not be complete.
            Unprintable::TooLong => Ok(()),
            Unprintable::Cycle => Err(e),
        })
    })?;
    Ok(unicode::to_text(&text).into_owned())
}

fn lt(heap: &Heap, a: &Value, b: &Value) -> Result<bool, CallError> {
    let invalid = || Err(CallError::msg("invalid type for comparison"));
    let order = match (basic(a), basic(b)) {
        (Basic::None, _) | (_, Basic::None) => return invalid(),
        (Basic::Bool(_), Basic::Bool(_)) | (Basic::Complex(_), Basic::Complex(_)) => return invalid(),
        (Basic::Int(a) | Basic::Uint(a), Basic::Int(b) | Basic::Uint(b)) => a.cmp(&b),
        (Basic::Float(a), Basic::Float(b)) => return Ok(a < b),
        (Basic::Str(a), Basic::Str(b)) => a.cmp(&b),
        _ => return Err(incompatible(heap, a, b)),
    };
    Ok(order == Ordering::Less)
}

fn le(st: &mut State, a: &Value, b: &Value) -> Result<bool, CallError> {
    Ok(lt(&st.heap, a, b)? || eq(st, a, std::slice::from_ref(b))?)
}
