//! The head of a rendered document: what sorting and hooks need.

use std::collections::BTreeMap;

use crate::value::{Heap, Value};

/// `apiVersion`, `kind`, `metadata.name` and `metadata.annotations` of a document; empty where absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    pub version: String,
    pub kind: String,
    pub name: String,
    pub annotations: BTreeMap<String, String>,
}

/// Reads the head of one document. Source: Helm 4.3 `pkg/release/v1/util`, `SimpleHead`.
///
/// # Errors
/// The text of sigs.k8s.io/yaml.
pub fn head(text: &[u8]) -> Result<Head, String> {
    let mut heap = Heap::new();
    let Value::Map(root) = super::to_value(&mut heap, text)? else { return Ok(Head::default()) };
    let text = |v: Option<&Value>| v.and_then(Value::as_str).map(|s| s.to_text().into_owned()).unwrap_or_default();
    let mut head = Head {
        version: text(heap.map(root).get("apiVersion")),
        kind: text(heap.map(root).get("kind")),
        ..Head::default()
    };
    if let Some(Value::Map(meta)) = heap.map(root).get("metadata") {
        head.name = text(heap.map(*meta).get("name"));
        if let Some(Value::Map(a)) = heap.map(*meta).get("annotations") {
            for (k, v) in heap.map(*a).iter() {
                head.annotations.insert(k.to_text().into_owned(), text(Some(v)));
            }
        }
    }
    Ok(head)
}
