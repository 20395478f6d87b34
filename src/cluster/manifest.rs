//! Rendered text to objects and back.
//!
//! Text is read as Helm's builder reads it (`k8s.io/apimachinery/pkg/util/yaml` to JSON, then an unstructured object): YAML 1.1, numbers that
//! are whole become integers.

use super::Json;
use crate::render::manifest::split;
use crate::value::{Heap, Value, json};
use crate::yaml;

/// The object of one document; `None` for an empty one.
///
/// # Errors
/// The YAML's, with its line.
pub fn object(text: &[u8]) -> Result<Option<Json>, String> {
    let mut heap = Heap::new();
    let value = yaml::to_typed_value(&mut heap, text, yaml::Shape::Plain)?;
    if matches!(value, Value::Nil) {
        return Ok(None);
    }
    let text = json::encode(&mut heap, &value, false, None)?;
    let object: Json = serde_json::from_slice(&text).map_err(|e| format!("error converting YAML to JSON: {e}"))?;
    Ok(Some(object))
}

/// The objects of a manifest of many documents, in its order.
///
/// # Errors
/// The first document that cannot be read, by its source and the YAML's own text.
pub fn objects(manifest: &[u8]) -> Result<Vec<Json>, String> {
    let mut out = Vec::new();
    for document in split(manifest) {
        match object(document) {
            Ok(found) => out.extend(found),
            Err(e) => return Err(source(document).map_or_else(|| e.clone(), |path| format!("{path}: {e}"))),
        }
    }
    Ok(out)
}

/// The template that a document says it is from.
fn source(document: &[u8]) -> Option<String> {
    let line = document.split(|b| *b == b'\n').find_map(|l| l.strip_prefix(b"# Source: "))?;
    Some(String::from_utf8_lossy(line).trim().to_string())
}

/// An object as YAML, its keys in order.
///
/// # Errors
/// An object that is nested too deep to be written.
pub fn yaml(object: &Json) -> Result<Vec<u8>, String> {
    let mut heap = Heap::new();
    let value = on_heap(&mut heap, object);
    yaml::marshal(&mut heap, &value)
}

/// JSON on a heap, whole numbers as integers. The nesting is bounded by the reader of the JSON (128).
pub fn on_heap(heap: &mut Heap, object: &Json) -> Value {
    match object {
        Json::Null => Value::Nil,
        Json::Bool(b) => Value::Bool(*b),
        Json::Number(n) => match (n.as_i64(), n.as_u64()) {
            (Some(i), _) => Value::Int64(i),
            (None, Some(u)) => Value::OtherInt(crate::value::Kind::Uint64, u.into()),
            _ => Value::Float(n.as_f64().unwrap_or_default()),
        },
        Json::String(s) => Value::str(s),
        Json::Array(items) => {
            let items = items.iter().map(|i| on_heap(heap, i)).collect();
            Value::List(heap.grown_list_of(items))
        }
        Json::Object(fields) => {
            let entries: Vec<(String, Value)> = fields.iter().map(|(k, v)| (k.clone(), on_heap(heap, v))).collect();
            Value::Map(heap.map_of(entries))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let text = "---\n# Source: c/templates/a.yaml\na: 1.0\nb: yes\nc: 9007199254740993\nd: [1e3, x]\n---\n# nothing\n---\nkind: B\n";
        let found = objects(text.as_bytes()).unwrap();
        assert_eq!(
            found,
            [
                serde_json::json!({"a": 1, "b": true, "c": 9_007_199_254_740_993_i64, "d": [1000, "x"]}),
                serde_json::json!({"kind": "B"})
            ]
        );
        let back = yaml(&found[0]).unwrap();
        assert_eq!(String::from_utf8(back.clone()).unwrap(), "a: 1\nb: true\nc: 9007199254740993\nd:\n- 1000\n- x\n");
        assert_eq!(object(&back).unwrap().as_ref(), Some(&found[0]));
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let e = objects(b"# Source: c/templates/a.yaml\na: [\n").unwrap_err();
        assert!(e.starts_with("c/templates/a.yaml: error converting YAML to JSON: yaml: line 2:"), "{e}");
    }
}
