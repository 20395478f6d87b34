//! The difference of a live object and what an apply would make of it.
//!
//! Source: Flux `pkg/ssa/jsondiff`: `metadata` and `status` are left out but for labels and annotations, of which additions and changes count.

use crate::cluster::Json;

/// A field that differs. `live` or `wanted` is missing where the field is not there.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// RFC 6901.
    pub path: String,
    pub live: Option<Json>,
    pub wanted: Option<Json>,
}

/// What an apply would change, in the order of the paths.
pub fn compare(live: &Json, wanted: &Json) -> Vec<Field> {
    let mut out = Vec::new();
    for field in ["annotations", "labels"] {
        let of = |object: &Json| {
            object.pointer(&format!("/metadata/{field}")).and_then(Json::as_object).cloned().unwrap_or_default()
        };
        let (live, wanted) = (of(live), of(wanted));
        for (key, value) in &wanted {
            if live.get(key) != Some(value) {
                let path = format!("/metadata/{field}/{}", escape(key));
                out.push(Field { path, live: live.get(key).cloned(), wanted: Some(value.clone()) });
            }
        }
    }
    let body = |object: &Json| {
        let mut fields = object.as_object().cloned().unwrap_or_default();
        fields.retain(|k, _| k != "metadata" && k != "status");
        Json::Object(fields)
    };
    values(&body(live), &body(wanted), &mut String::new(), &mut out);
    out
}

fn values(live: &Json, wanted: &Json, path: &mut String, out: &mut Vec<Field>) {
    let length = path.len();
    match (live, wanted) {
        (Json::Object(a), Json::Object(b)) => {
            let mut keys: Vec<&String> = a.keys().chain(b.keys().filter(|k| !a.contains_key(*k))).collect();
            keys.sort();
            for key in keys {
                path.push('/');
                path.push_str(&escape(key));
                pair(a.get(key), b.get(key), path, out);
                path.truncate(length);
            }
        }
        (Json::Array(a), Json::Array(b)) => {
            for i in 0..a.len().max(b.len()) {
                path.push_str(&format!("/{i}"));
                pair(a.get(i), b.get(i), path, out);
                path.truncate(length);
            }
        }
        (a, b) if a != b => out.push(Field { path: path.clone(), live: Some(a.clone()), wanted: Some(b.clone()) }),
        _ => {}
    }
}

fn pair(live: Option<&Json>, wanted: Option<&Json>, path: &mut String, out: &mut Vec<Field>) {
    match (live, wanted) {
        (Some(a), Some(b)) => values(a, b, path, out),
        (a, b) => out.push(Field { path: path.clone(), live: a.cloned(), wanted: b.cloned() }),
    }
}

/// Hides a Secret's values; which keys differ, and whether one was changed or is missing, stays visible.
pub fn mask(fields: &mut [Field]) {
    for field in fields.iter_mut().filter(|f| f.path.starts_with("/data") || f.path.starts_with("/stringData")) {
        let both = field.live.is_some() && field.wanted.is_some();
        for (value, text) in [(&mut field.live, "*** (before)"), (&mut field.wanted, "*** (after)")] {
            if let Some(value) = value {
                hide(value, if both { text } else { "***" });
            }
        }
    }
}

fn hide(value: &mut Json, text: &str) {
    match value {
        Json::Object(fields) => fields.values_mut().for_each(|v| hide(v, text)),
        Json::Array(items) => items.iter_mut().for_each(|v| hide(v, text)),
        other => *other = text.into(),
    }
}

fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_an_apply_would_change_is_told() {
        let live = json!({"kind": "X", "metadata": {"labels": {"a": "1", "theirs": "x"}, "resourceVersion": "1"},
            "spec": {"a": 1, "list": [1, 2], "gone": true}, "status": {"x": 1}});
        let wanted = json!({"kind": "X", "metadata": {"labels": {"a": "2", "b/c": "3"}, "resourceVersion": "2"},
            "spec": {"a": 1, "list": [1, 3, 4]}});
        let got: Vec<String> = compare(&live, &wanted)
            .iter()
            .map(|f| {
                format!(
                    "{} {:?} {:?}",
                    f.path,
                    f.live.as_ref().map(Json::to_string),
                    f.wanted.as_ref().map(Json::to_string)
                )
            })
            .collect();
        assert_eq!(
            got,
            [
                r#"/metadata/labels/a Some("\"1\"") Some("\"2\"")"#,
                r#"/metadata/labels/b~1c None Some("\"3\"")"#,
                r#"/spec/gone Some("true") None"#,
                r#"/spec/list/1 Some("2") Some("3")"#,
                r#"/spec/list/2 None Some("4")"#,
            ]
        );
        assert!(compare(&live, &live).is_empty());
    }

    #[test]
    fn secrets_are_masked() {
        let mut fields =
            compare(&json!({"data": {"a": "x", "b": "y"}}), &json!({"data": {"a": "z"}, "type": "Opaque"}));
        mask(&mut fields);
        let text = format!("{fields:?}");
        assert!(text.contains("*** (before)") && text.contains("*** (after)") && text.contains("Opaque"), "{text}");
        assert!(!["\"x\"", "\"y\"", "\"z\""].iter().any(|s| text.contains(s)), "{text}");
    }
}
