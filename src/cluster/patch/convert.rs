//! Whether an object fits its built-in type. Helm makes a strategic patch only for those that do.
//!
//! Source: apimachinery 0.37 `runtime/converter.go` (`FromUnstructured`), with the types that read their JSON themselves.

use crate::cluster::Json;
use crate::cluster::go_value::as_int64;
use crate::golang::duration;

use super::schema::{Type, table};

/// Whether Go could read the value into the type.
pub(super) fn fits(value: &Json, ty: &Type) -> bool {
    if let Type::Struct { reads: Some(name), .. } = ty {
        return reads(value, name);
    }
    match (ty, value) {
        (_, Json::Null) => true,
        (Type::Pointer(inner), value) => fits(value, inner),
        (Type::Scalar("interface"), _) => true,
        (Type::Scalar("string"), value) => value.is_string(),
        (Type::Scalar("bool"), value) => value.is_boolean(),
        (Type::Scalar("float64"), value) => value.is_number(),
        // A float that is whole is taken for an integer.
        (Type::Scalar(_), value) => as_int64(value).is_some() || value.as_f64().is_some_and(|f| f.trunc() == f),
        (Type::Slice(element), Json::String(text)) => {
            **element == Type::Scalar("uint8") && (text.is_empty() || is_base64(text))
        }
        (Type::Slice(element), Json::Array(items)) => items.iter().all(|i| fits(i, element)),
        (Type::Map(element), Json::Object(fields)) => fields.values().all(|v| fits(v, element)),
        (Type::Struct { number, .. }, Json::Object(fields)) => {
            let Some(of) = table().structs.get(*number) else { return false };
            of.fields.iter().all(|f| fields.get(f.name).is_none_or(|v| fits(v, &f.ty)))
        }
        _ => false,
    }
}

/// Go's base64, which passes over line breaks.
fn is_base64(text: &str) -> bool {
    let text: String = text.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
    base64::Engine::decode(&base64::engine::general_purpose::STANDARD, text).is_ok()
}

/// The types that implement json.Unmarshaler.
fn reads(value: &Json, name: &str) -> bool {
    match (name, value) {
        ("Time" | "MicroTime", Json::Null) => true,
        ("Time" | "MicroTime", Json::String(text)) => text.parse::<jiff::Timestamp>().is_ok(),
        ("Time" | "MicroTime", _) => false,
        ("Duration", Json::String(text)) => duration::parse(text.as_bytes()).is_ok(),
        ("Duration", _) => value.is_null(),
        ("IntOrString", Json::String(_)) => true,
        ("IntOrString", Json::Null) => true,
        ("IntOrString", value) => value.as_f64().is_some_and(|f| f.trunc() == f && f.abs() < 2_147_483_648.0),
        ("Quantity", Json::Null) => true,
        ("Quantity", Json::String(text)) => is_quantity(text),
        ("Quantity", Json::Number(n)) => is_quantity(&n.to_string()),
        ("Quantity", _) => false,
        ("JSONSchemaPropsOrArray", value) => matches!(value, Json::Null | Json::Object(_) | Json::Array(_)),
        ("JSONSchemaPropsOrBool", value) => matches!(value, Json::Null | Json::Object(_) | Json::Bool(_)),
        ("JSONSchemaPropsOrStringArray", value) => matches!(value, Json::Null | Json::Object(_) | Json::Array(_)),
        // RawExtension, FieldsV1, JSON: anything.
        _ => true,
    }
}

/// Source: apimachinery `api/resource/quantity.go` (`parseQuantityString`).
fn is_quantity(text: &str) -> bool {
    let rest = text.strip_prefix(['+', '-']).unwrap_or(text);
    let digits = |s: &str| s.bytes().take_while(u8::is_ascii_digit).count();
    let whole = digits(rest);
    let mut after = &rest[whole..];
    let mut count = whole;
    if let Some(fraction) = after.strip_prefix('.') {
        let n = digits(fraction);
        count += n;
        after = &fraction[n..];
    }
    if count == 0 {
        return false;
    }
    let exponent = |s: &str| {
        let s = s.strip_prefix(['+', '-']).unwrap_or(s);
        !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit())
    };
    matches!(after, "" | "n" | "u" | "m" | "k" | "M" | "G" | "T" | "P" | "E" | "Ki" | "Mi" | "Gi" | "Ti" | "Pi" | "Ei")
        || after.strip_prefix(['e', 'E']).is_some_and(exponent)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::Gvk;
    use serde_json::json;

    #[test]
    fn objects_fit_or_do_not() {
        let ty = super::super::schema::kind(&Gvk::new("apps", "v1", "Deployment")).unwrap();
        for (spec, want) in [
            (json!({"replicas": 1}), true),
            (json!({"replicas": 1.0}), true),
            (json!({"replicas": 1.5}), false),
            (json!({"replicas": "1"}), false),
            (json!({"replicas": null, "unknown": [1]}), true),
            (json!({"strategy": {"rollingUpdate": {"maxSurge": "25%"}}}), true),
            (json!({"strategy": {"rollingUpdate": {"maxSurge": true}}}), false),
            (
                json!({"template": {"spec": {"containers": [{"resources": {"limits": {"cpu": "1500m", "memory": 5}}}]}}}),
                true,
            ),
            (json!({"template": {"spec": {"containers": [{"resources": {"limits": {"cpu": "lots"}}}]}}}), false),
            (json!({"template": {"spec": {"containers": {}}}}), false),
        ] {
            assert_eq!(fits(&json!({"spec": spec}), ty), want, "{spec}");
        }
    }
}
