//! Reading fields as apimachinery's `unstructured` helpers do, with their errors.

use std::borrow::Cow;

use crate::golang::float::format_float;

use super::Json;

/// An entry of `status.conditions`.
#[derive(Clone, Debug, Default)]
pub(super) struct Condition {
    pub kind: String,
    pub status: String,
    pub reason: String,
    pub message: String,
}

/// A whole number as Go reads it from JSON; what does not fit an int64 became a float there.
fn as_int64(value: &Json) -> Option<i64> {
    value.as_number().and_then(serde_json::Number::as_i64)
}

/// Go's `%T` of a value read from JSON.
fn go_type(value: &Json) -> &'static str {
    match value {
        Json::Null => "<nil>",
        Json::Bool(_) => "bool",
        Json::Number(n) if n.as_i64().is_some() => "int64",
        Json::Number(_) => "float64",
        Json::String(_) => "string",
        Json::Array(_) => "[]interface {}",
        Json::Object(_) => "map[string]interface {}",
    }
}

/// Go's `%v`.
fn go_print(value: &Json) -> Cow<'_, str> {
    match value {
        Json::Null => "<nil>".into(),
        Json::Bool(b) => b.to_string().into(),
        Json::Number(n) => match n.as_i64() {
            Some(i) => i.to_string().into(),
            None => {
                let f = n.as_f64().unwrap_or_default();
                // %v is %g, but its exponent begins at 21.
                let exponent = f == 0.0 || (1e-4..1e21).contains(&f.abs());
                format_float(f, if exponent { b'f' } else { b'e' }, -1, 64).into()
            }
        },
        Json::String(s) => s.as_str().into(),
        Json::Array(items) => {
            let items: Vec<Cow<str>> = items.iter().map(go_print).collect();
            format!("[{}]", items.join(" ")).into()
        }
        Json::Object(fields) => {
            let mut pairs: Vec<(&String, &Json)> = fields.iter().collect();
            pairs.sort_by_key(|(k, _)| *k);
            let pairs: Vec<String> = pairs.into_iter().map(|(k, v)| format!("{k}:{}", go_print(v))).collect();
            format!("map[{}]", pairs.join(" ")).into()
        }
    }
}

fn wrong(path: &[&str], value: &Json, want: &str) -> String {
    let path: String = path.iter().map(|p| format!(".{p}")).collect();
    format!("{path} accessor error: {} is of the type {}, expected {want}", go_print(value), go_type(value))
}

/// `NestedFieldNoCopy`: a value that is present may be null.
fn field<'a>(object: &'a Json, path: &[&str]) -> Result<Option<&'a Json>, String> {
    let mut at = object;
    for (i, key) in path.iter().enumerate() {
        match at {
            Json::Null => return Ok(None),
            Json::Object(fields) => match fields.get(*key) {
                Some(value) => at = value,
                None => return Ok(None),
            },
            other => return Err(wrong(&path[..i], other, "map[string]interface{}")),
        }
    }
    Ok(Some(at))
}

/// `NestedInt64`.
pub(super) fn int64(object: &Json, path: &[&str]) -> Result<Option<i64>, String> {
    field(object, path)?.map(|v| as_int64(v).ok_or_else(|| wrong(path, v, "int64"))).transpose()
}

/// `NestedString`.
pub(super) fn string<'a>(object: &'a Json, path: &[&str]) -> Result<Option<&'a str>, String> {
    field(object, path)?.map(|v| v.as_str().ok_or_else(|| wrong(path, v, "string"))).transpose()
}

/// `NestedSlice`.
pub(super) fn slice<'a>(object: &'a Json, path: &[&str]) -> Result<Option<&'a [Json]>, String> {
    field(object, path)?
        .map(|v| v.as_array().map(Vec::as_slice).ok_or_else(|| wrong(path, v, "[]interface{}")))
        .transpose()
}

/// kstatus' `GetStringField`: the default wherever the field is no string.
pub(super) fn text<'a>(object: &'a Json, path: &[&str], default: &'a str) -> &'a str {
    field(object, path).ok().flatten().and_then(Json::as_str).unwrap_or(default)
}

/// kstatus' `GetIntField`.
pub(super) fn int(object: &Json, path: &[&str], default: i64) -> i64 {
    field(object, path).ok().flatten().and_then(as_int64).unwrap_or(default)
}

/// `status.conditions`, converted as `runtime.DefaultUnstructuredConverter` does it.
pub(super) fn conditions(object: &Json) -> Result<Vec<Condition>, String> {
    let status = match object.get("status") {
        None | Some(Json::Null) => return Ok(Vec::new()),
        Some(Json::Object(fields)) => fields,
        Some(other) => return Err(format!("cannot restore struct from: {}", go_kind(other))),
    };
    let items = match status.get("conditions") {
        None | Some(Json::Null) => return Ok(Vec::new()),
        Some(Json::Array(items)) => items,
        Some(other) => return Err(format!("cannot restore slice from {}", go_kind(other))),
    };
    items.iter().map(condition).collect()
}

fn condition(item: &Json) -> Result<Condition, String> {
    let fields = match item {
        Json::Null => return Ok(Condition::default()),
        Json::Object(fields) => fields,
        other => return Err(format!("cannot restore struct from: {}", go_kind(other))),
    };
    let text = |key: &str, go_type: &str| match fields.get(key) {
        None | Some(Json::Null) => Ok(String::new()),
        Some(Json::String(s)) => Ok(s.clone()),
        // Go converts an integer to a string of one character, and so it is told apart from what can't be converted at all.
        Some(Json::Number(n)) if n.as_i64().is_some() => Err(format!("cannot convert int64 to {go_type}")),
        Some(_) => Err("unrecognized type: string".to_owned()),
    };
    Ok(Condition {
        kind: text("type", "string")?,
        status: text("status", "v1.ConditionStatus")?,
        reason: text("reason", "string")?,
        message: text("message", "string")?,
    })
}

/// Go's `reflect.Kind`.
fn go_kind(value: &Json) -> &'static str {
    match value {
        Json::Array(_) => "slice",
        Json::Object(_) => "map",
        other => go_type(other),
    }
}
