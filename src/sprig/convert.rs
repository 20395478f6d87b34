//! What Sprig does to an `interface{}` before it works with it: spf13/cast's numbers, `strval`, and slices by reflection.

use crate::golang::strconv;
use crate::gotmpl::{CallError, State};
use crate::value::{Elem, Kind, List, ListId, Str, Value, print};

/// The text of Go's panic when a nil interface's type is asked for its kind.
pub(super) const NIL_DEREF: &str = "runtime error: invalid memory address or nil pointer dereference";

/// The error of a Go panic or returned error with this text.
pub(super) fn fail<T>(text: impl Into<String>) -> Result<T, CallError> {
    Err(CallError::Msg(text.into()))
}

/// `%v` of a value, as `fmt.Sprint` of that one value prints it. It is charged.
pub(super) fn sprint(st: &mut State, v: &Value) -> Result<Vec<u8>, CallError> {
    let left = usize::try_from(st.limits.output.saturating_sub(st.charged)).unwrap_or(usize::MAX);
    let mut out = Vec::new();
    print::value_within(&mut st.heap, v, &mut out, left).map_err(|e| CallError::Limit(e.to_string()))?;
    st.charge(out.len() as u64)?;
    Ok(out)
}

/// Sprig's `strval`: strings and bytes as they are, errors and Stringers by their method, the rest as `%v`.
pub(super) fn strval(st: &mut State, v: &Value) -> Result<Str, CallError> {
    Ok(match v {
        Value::Str(s) => s.clone(),
        Value::Bytes(b) => Str::new(b),
        Value::Object(o) => match o.string() {
            Some(s) => s.into(),
            None => sprint(st, v)?.into(),
        },
        _ => sprint(st, v)?.into(),
    })
}

/// Go's conversion of a `float64` to `int64` on amd64: what does not fit, and NaN, become the least integer.
pub(super) fn float_to_int(f: f64) -> i64 {
    const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;
    if (-TWO_TO_63..TWO_TO_63).contains(&f) { f as i64 } else { i64::MIN }
}

/// cast's `trimZeroDecimal`: "8.00" is the integer 8, "8.05" is not one.
fn trim_zero_decimal(s: &[u8]) -> &[u8] {
    let mut found_zero = false;
    for (i, b) in s.iter().enumerate().rev() {
        match b {
            b'.' if found_zero => return &s[..i],
            b'.' => {}
            b'0' => found_zero = true,
            _ => return s,
        }
    }
    s
}

/// cast's `ToInt64` (and `ToInt`, which is the same on 64 bits): 0 for what cannot be an integer.
pub(super) fn to_int64(v: &Value) -> i64 {
    match v {
        Value::Bool(b) => i64::from(*b),
        Value::Int(n) | Value::Int64(n) => *n,
        Value::OtherInt(k, n) => n.get(*k) as i64,
        Value::Float(f) => float_to_int(*f),
        Value::Str(s) => {
            std::str::from_utf8(trim_zero_decimal(s)).ok().and_then(|s| strconv::parse_int(s, 0, 64).ok()).unwrap_or(0)
        }
        Value::Object(_) => calendar_int(v).unwrap_or(0),
        Value::Nil | Value::Bytes(_) | Value::Map(_) | Value::List(_) => 0,
    }
}

/// cast's `ToFloat64`: 0 for what cannot be a number.
pub(super) fn to_float64(v: &Value) -> f64 {
    match v {
        Value::Bool(b) => f64::from(u8::from(*b)),
        Value::Int(n) | Value::Int64(n) => *n as f64,
        Value::OtherInt(k, n) => n.get(*k) as f64,
        Value::Float(f) => *f,
        Value::Str(s) => std::str::from_utf8(s).ok().and_then(|s| strconv::parse_float(s).ok()).unwrap_or(0.0),
        Value::Object(_) => calendar_int(v).map_or(0.0, |n| n as f64),
        Value::Nil | Value::Bytes(_) | Value::Map(_) | Value::List(_) => 0.0,
    }
}

/// The two named integers that cast knows; to `time.Duration` it is as blind as to a struct.
fn calendar_int(v: &Value) -> Option<i64> {
    match v {
        Value::Object(o) if matches!(&*o.go_type(), "time.Month" | "time.Weekday") => o.int().map(|n| n as i64),
        _ => None,
    }
}

/// The items of anything whose kind is slice; `None` for the rest.
pub(super) fn slice_items(st: &mut State, v: &Value) -> Option<Vec<Value>> {
    match v {
        Value::List(l) => Some(st.heap.list(*l).items.clone()),
        Value::Bytes(b) => Some(b.iter().map(|b| Value::OtherInt(Kind::Uint8, (*b).into())).collect()),
        Value::Object(o) if o.kind() == Kind::Slice => {
            let o = o.clone();
            Some(o.elements(&mut st.heap).unwrap_or_default().into_iter().map(|(_, v)| v).collect())
        }
        _ => None,
    }
}

/// The items of a slice, or Sprig's `Cannot WHAT type KIND` (Go's nil dereference for nil).
pub(super) fn items_or(st: &mut State, v: &Value, what: &str) -> Result<Vec<Value>, CallError> {
    if v.is_nil() {
        return fail(NIL_DEREF);
    }
    let items = match slice_items(st, v) {
        Some(items) => items,
        None => return fail(format!("{what} type {}", v.kind().name())),
    };
    charge_items(st, items.len())?;
    Ok(items)
}

/// Charges for a list of that many items: a list built in a loop of lists must meet the same limit as a text.
pub(super) fn charge_items(st: &mut State, n: usize) -> Result<(), CallError> {
    st.charge((n as u64).saturating_mul(size_of::<Value>() as u64))
}

/// Sprig's `strslice`: a `[]string` is itself (not a copy), other slices give the texts of their non-nil items, nil gives none,
/// and anything else a single text.
pub(super) fn strslice(st: &mut State, v: &Value) -> Result<ListId, CallError> {
    Ok(match v {
        Value::List(l) if st.heap.list(*l).elem == Elem::Str => *l,
        Value::Nil => st.heap.strings::<Str>([]),
        _ => {
            let texts = texts(st, v)?;
            let list = st.heap.strings(texts);
            // Go makes room for all items first, also for the nil ones that it leaves out then.
            let room = match v {
                Value::List(l) => st.heap.list(*l).items.len(),
                _ => 0,
            };
            st.heap.set_capacity(list, room);
            list
        }
    })
}

/// The texts of [`strslice`], without making a list of them.
pub(super) fn texts(st: &mut State, v: &Value) -> Result<Vec<Str>, CallError> {
    match slice_items(st, v) {
        Some(items) => charge_items(st, items.len())
            .and_then(|()| items.iter().filter(|v| !v.is_nil()).map(|v| strval(st, v)).collect()),
        None if v.is_nil() => Ok(Vec::new()),
        None => Ok(vec![strval(st, v)?]),
    }
}

/// A `[]interface {}` that is nil in Go.
pub(super) fn nil_list(st: &mut State) -> ListId {
    st.heap.add_list(List { elem: Elem::Any, nil: true, items: Vec::new() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_decimals_are_trimmed() {
        for (s, want) in
            [("8.00", "8"), ("8.", "8."), ("8.05", "8.05"), ("0.0", "0"), ("00", "00"), (".0", ""), ("8.0.0", "8.0")]
        {
            assert_eq!(trim_zero_decimal(s.as_bytes()), want.as_bytes(), "{s}");
        }
    }

    #[test]
    fn floats_become_integers_as_on_amd64() {
        for (f, want) in [(1.9, 1), (-1.9, -1), (1e19, i64::MIN), (f64::NAN, i64::MIN), (-1e30, i64::MIN)] {
            assert_eq!(float_to_int(f), want, "{f}");
        }
    }
}
