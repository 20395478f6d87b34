//! The `--set` family.

use pintle::value::{Heap, MapId, Value};
use pintle::values::strvals;
use serde_json::{Value as Json, json};

pub fn answer(vector: &Json) -> Result<Json, String> {
    let mut heap = Heap::new();
    let base = to_value(&mut heap, &vector["base"]);
    let Value::Map(dest) = base else { return Err("base is not a map".into()) };
    let expr = vector["expr"].as_str().ok_or("no expr")?.as_bytes();
    let result = match vector["mode"].as_str() {
        Some("set") => strvals::parse_into(&mut heap, dest, expr),
        Some("string") => strvals::parse_into_string(&mut heap, dest, expr),
        Some("json") => strvals::parse_json(&mut heap, dest, expr),
        Some("literal") => strvals::parse_literal_into(&mut heap, dest, expr),
        Some("file") => strvals::parse_into_file(&mut heap, dest, expr, &mut |path| {
            let text = vector["files"].get(path).and_then(Json::as_str);
            text.map(Value::str).ok_or_else(|| format!("open {path}: no such file or directory"))
        }),
        mode => return Err(format!("unknown mode {mode:?}")),
    };
    Ok(json!({ "out": map(&heap, dest), "err": result.err() }))
}

/// A value as JSON has it: all numbers are floats.
pub fn to_value(heap: &mut Heap, json: &Json) -> Value {
    match json {
        Json::Null => Value::Nil,
        Json::Bool(b) => Value::Bool(*b),
        Json::Number(n) => Value::Float(n.as_f64().unwrap_or(f64::NAN)),
        Json::String(s) => Value::str(s),
        Json::Array(items) => {
            let items = items.iter().map(|v| to_value(heap, v)).collect();
            Value::List(heap.list_of(items))
        }
        Json::Object(fields) => {
            let fields: Vec<_> = fields.iter().map(|(k, v)| (k.as_str(), to_value(heap, v))).collect();
            Value::Map(heap.map_of(fields))
        }
    }
}

fn map(heap: &Heap, id: MapId) -> Json {
    heap.map(id).iter().map(|(k, v)| (k.to_text().into_owned(), to_json(heap, v))).collect()
}

/// The value as JSON, floats as floats and integers as integers.
pub fn to_json(heap: &Heap, value: &Value) -> Json {
    match value {
        Value::Bool(b) => json!(b),
        Value::Int(n) | Value::Int64(n) => json!(n),
        Value::Float(f) => json!(f),
        Value::Str(s) => json!(s.to_text()),
        Value::List(l) => heap.list(*l).items.iter().map(|v| to_json(heap, v)).collect(),
        Value::Map(m) => map(heap, *m),
        _ => Json::Null,
    }
}
