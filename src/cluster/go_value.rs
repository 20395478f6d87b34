//! How Go prints and names values that it read from JSON: error texts of the Kubernetes libraries quote them.

use std::borrow::Cow;

use crate::golang::float::format_float;

use super::Json;

/// A whole number as Go reads it from JSON; what does not fit an int64 became a float there.
pub(super) fn as_int64(value: &Json) -> Option<i64> {
    value.as_number().and_then(serde_json::Number::as_i64)
}

/// Go's `%T` of a value read from JSON.
pub(super) fn go_type(value: &Json) -> &'static str {
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

/// Go's `reflect.Kind`.
pub(super) fn go_kind(value: &Json) -> &'static str {
    match value {
        Json::Array(_) => "slice",
        Json::Object(_) => "map",
        other => go_type(other),
    }
}

/// Go's `%v`.
pub(super) fn go_print(value: &Json) -> Cow<'_, str> {
    match value {
        Json::Null => "<nil>".into(),
        Json::Bool(b) => b.to_string().into(),
        Json::Number(n) => match n.as_i64() {
            Some(i) => i.to_string().into(),
            None => {
                let f = n.as_f64().unwrap_or_default();
                // %v is %g, but its exponent begins at 21.
                let plain = f == 0.0 || (1e-4..1e21).contains(&f.abs());
                format_float(f, if plain { b'f' } else { b'e' }, -1, 64).into()
            }
        },
        Json::String(s) => s.as_str().into(),
        Json::Array(items) => go_print_list(items).into(),
        Json::Object(fields) => go_print_map(fields).into(),
    }
}

pub(super) fn go_print_list(items: &[Json]) -> String {
    let items: Vec<Cow<str>> = items.iter().map(go_print).collect();
    format!("[{}]", items.join(" "))
}

pub(super) fn go_print_map(fields: &serde_json::Map<String, Json>) -> String {
    let mut pairs: Vec<(&String, &Json)> = fields.iter().collect();
    pairs.sort_by_key(|(k, _)| *k);
    let pairs: Vec<String> = pairs.into_iter().map(|(k, v)| format!("{k}:{}", go_print(v))).collect();
    format!("map[{}]", pairs.join(" "))
}
