//! Values of a render as Tera's, and back.
//!
//! Tera's values are trees, copied when they are changed; what a Tera template does to them is not seen elsewhere. Every number of
//! a values file is a float to Helm, so a whole one becomes an integer here: `{{ Values.port }}` prints `8080`.

use std::collections::BTreeMap;

use ::tera::value::ValueKind;
use ::tera::{Map, Value as TeraValue};

use crate::value::{Heap, Kind, ObjectRef, Value};

/// How deep values may be nested.
const MAX_DEPTH: usize = 100;
/// How many values a conversion may make: aliases make a tree of a graph.
const MAX_VALUES: usize = 10_000_000;

/// A tree of Tera values.
///
/// # Errors
/// If the value is nested too deep, contains itself, or is too large as a tree.
pub fn to_tera(heap: &mut Heap, value: &Value) -> Result<TeraValue, String> {
    let mut left = MAX_VALUES;
    convert(heap, value, 0, &mut left)
}

fn convert(heap: &mut Heap, value: &Value, depth: usize, left: &mut usize) -> Result<TeraValue, String> {
    if depth > MAX_DEPTH {
        return Err(format!("nested deeper than {MAX_DEPTH}"));
    }
    *left = left.checked_sub(1).ok_or_else(|| format!("more than {MAX_VALUES} values"))?;
    Ok(match value {
        Value::Nil => TeraValue::none(),
        Value::Bool(b) => (*b).into(),
        Value::Int(n) | Value::Int64(n) => (*n).into(),
        Value::OtherInt(k, n) => n.get(*k).into(),
        Value::Float(f) => number(*f),
        Value::Str(s) => TeraValue::normal_string(&s.to_text()),
        Value::Bytes(b) => match std::str::from_utf8(b) {
            Ok(text) => TeraValue::normal_string(text),
            Err(_) => TeraValue::bytes(b.to_vec()),
        },
        Value::Map(id) => {
            let entries: Vec<(String, Value)> =
                heap.map(*id).iter().map(|(k, v)| (k.to_text().into_owned(), v.clone())).collect();
            map(heap, entries, depth, left)?
        }
        Value::List(id) => {
            let items = heap.list(*id).items.clone();
            list(heap, &items, depth, left)?
        }
        Value::Object(o) => object(heap, o, depth, left)?,
    })
}

/// Floats that are whole and exact are integers.
fn number(f: f64) -> TeraValue {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if f.fract() == 0.0 && f.abs() <= EXACT { (f as i64).into() } else { f.into() }
}

fn map(
    heap: &mut Heap,
    entries: impl IntoIterator<Item = (String, Value)>,
    depth: usize,
    left: &mut usize,
) -> Result<TeraValue, String> {
    let mut out = BTreeMap::new();
    for (k, v) in entries {
        out.insert(k, convert(heap, &v, depth + 1, left)?);
    }
    Ok(out.into())
}

fn list(heap: &mut Heap, items: &[Value], depth: usize, left: &mut usize) -> Result<TeraValue, String> {
    let mut out = Vec::with_capacity(items.len());
    for v in items {
        out.push(convert(heap, v, depth + 1, left)?);
    }
    Ok(out.into())
}

/// A struct is a map of its exported fields; lists and maps with methods are plain ones; the rest is its text or its number.
fn object(heap: &mut Heap, o: &ObjectRef, depth: usize, left: &mut usize) -> Result<TeraValue, String> {
    if let Some(elements) = o.elements(heap) {
        if o.kind() == Kind::Slice {
            let items: Vec<Value> = elements.into_iter().map(|(_, v)| v).collect();
            return list(heap, &items, depth, left);
        }
        let mut entries = vec![];
        for (k, v) in elements {
            if let Value::Str(k) = k {
                entries.push((k.to_text().into_owned(), v));
            }
        }
        return map(heap, entries, depth, left);
    }
    let fields: Vec<(String, Value)> = o
        .fields(heap)
        .into_iter()
        .filter(|(name, _)| name.starts_with(|c: char| c.is_ascii_uppercase()))
        .map(|(name, v)| (name.to_owned(), v))
        .collect();
    if !fields.is_empty() {
        return map(heap, fields, depth, left);
    }
    if let Some(text) = o.string() {
        return Ok(text.into());
    }
    if let Some(n) = o.int() {
        return Ok(n.into());
    }
    let json = o.json(heap);
    if matches!(json, Value::Object(_)) { Ok(TeraValue::none()) } else { convert(heap, &json, depth + 1, left) }
}

/// A value for Helm's functions. Undefined is nil; keys that are no strings are written as text.
pub fn from_tera(heap: &mut Heap, value: &TeraValue) -> Value {
    match value.kind() {
        ValueKind::Bool => Value::Bool(value.as_bool().unwrap_or_default()),
        ValueKind::String => Value::str(value.as_str().unwrap_or_default()),
        ValueKind::F64 => Value::Float(value.as_f64().unwrap_or_default()),
        ValueKind::Array => {
            let items = value.as_array().unwrap_or_default().iter().map(|v| from_tera(heap, v)).collect();
            Value::List(heap.list_of(items))
        }
        ValueKind::Map => {
            let entries: Vec<(String, Value)> =
                value.as_map().into_iter().flatten().map(|(k, v)| (k.to_string(), from_tera(heap, v))).collect();
            Value::Map(heap.map_of(entries))
        }
        ValueKind::Bytes => Value::Bytes(value.as_bytes().unwrap_or_default().into()),
        ValueKind::Undefined | ValueKind::None => Value::Nil,
        _ => match (value.as_i64(), value.as_i128(), value.as_u64()) {
            (Some(n), ..) => Value::Int64(n),
            (_, _, Some(n)) => Value::OtherInt(Kind::Uint64, n.into()),
            (_, Some(n), _) => Value::Float(n as f64),
            _ => Value::Nil,
        },
    }
}

/// An empty map of Tera's, for what a chart does not have.
pub fn empty() -> TeraValue {
    Map::new().into()
}
