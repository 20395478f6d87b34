//! What differs between an object as it is and as it would be, field by field.

use serde::Serialize;

use crate::cluster::Json;

/// A field that would change.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Field {
    /// `spec.template.spec.containers[0].image`
    pub path: String,
    /// `None`: it was not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Json>,
    /// `None`: it goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Json>,
}

/// In place of what a Secret holds.
const MASK: &str = "(masked)";

/// The fields that differ, those that the server keeps for itself aside. What a Secret holds is not shown, only that it changed.
pub fn fields(before: &Json, after: &Json, secret: bool) -> Vec<Field> {
    let mut out = Vec::new();
    compare("", Some(before), Some(after), &mut out);
    out.retain(|f| !is_the_servers(&f.path));
    if secret {
        for field in out.iter_mut().filter(|f| f.path.starts_with("data") || f.path.starts_with("stringData")) {
            for value in [&mut field.before, &mut field.after].into_iter().flatten() {
                *value = Json::from(MASK);
            }
        }
    }
    out
}

fn is_the_servers(path: &str) -> bool {
    [
        "metadata.managedFields",
        "metadata.resourceVersion",
        "metadata.generation",
        "metadata.uid",
        "metadata.creationTimestamp",
        "status",
    ]
    .iter()
    .any(|own| path.strip_prefix(own).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '['])))
}

fn compare(path: &str, before: Option<&Json>, after: Option<&Json>, out: &mut Vec<Field>) {
    if before == after {
        return;
    }
    match (before, after) {
        (Some(Json::Object(a)), Some(Json::Object(b))) => {
            let mut keys: Vec<&String> = a.keys().chain(b.keys().filter(|k| !a.contains_key(*k))).collect();
            keys.sort();
            for key in keys {
                compare(&joined(path, key), a.get(key), b.get(key), out);
            }
        }
        (Some(Json::Array(a)), Some(Json::Array(b))) => {
            for i in 0..a.len().max(b.len()) {
                compare(&format!("{path}[{i}]"), a.get(i), b.get(i), out);
            }
        }
        (before, after) => {
            out.push(Field { path: path.into(), before: before.cloned(), after: after.cloned() });
        }
    }
}

fn joined(path: &str, key: &str) -> String {
    let plain = key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    match (path.is_empty(), plain) {
        (true, true) => key.into(),
        (true, false) => format!("[{key:?}]"),
        (false, true) => format!("{path}.{key}"),
        (false, false) => format!("{path}[{key:?}]"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_differs() {
        let a = json!({"metadata": {"resourceVersion": "1", "labels": {"app.x/y": "a"}}, "l": [1, {"x": 1}], "s": 1, "status": {"a": 1}});
        let b =
            json!({"metadata": {"resourceVersion": "2", "labels": {"app.x/y": "b"}}, "l": [1, {"x": 2}, 3], "t": 1});
        let got: Vec<_> = fields(&a, &b, false).into_iter().map(|f| f.path).collect();
        assert_eq!(got, ["l[1].x", "l[2]", "metadata.labels[\"app.x/y\"]", "s", "t"]);
    }

    #[test]
    fn what_a_secret_holds_is_not_shown() {
        let f = fields(&json!({"data": {"a": "eA=="}}), &json!({"data": {"a": "eQ=="}}), true);
        assert_eq!(f, [Field { path: "data.a".into(), before: Some(json!(MASK)), after: Some(json!(MASK)) }]);
        let f = fields(&json!({"data": {"a": "eA=="}}), &json!({}), true);
        assert_eq!(f[0].before, Some(json!(MASK)));
    }
}
