//! Reading fields as apimachinery's `unstructured` helpers do, with their errors.

use crate::cluster::go_value::{as_int64, go_kind, go_print, go_type};

use super::Json;

/// An entry of `status.conditions`.
#[derive(Clone, Debug, Default)]
pub(super) struct Condition {
    pub kind: String,
    pub status: String,
    pub reason: String,
    pub message: String,
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
