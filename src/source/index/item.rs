//! One version's entry.

use crate::chart;
use crate::value::{Heap, Map, Value};
use crate::yaml;

use super::ChartVersion;

/// Reads one entry, a YAML mapping. `Ok(None)`: Helm leaves such an entry out.
///
/// # Errors
/// The text is no YAML on its own.
pub fn read(text: &[u8]) -> Result<Option<ChartVersion>, String> {
    let mut heap = Heap::new();
    let value = yaml::to_value(&mut heap, text)?;
    let Value::Map(id) = value else { return Ok(None) };
    let map = heap.map(id);
    let urls = match map.get("urls") {
        Some(Value::List(list)) => heap.list(*list).items.iter().filter_map(text_of).collect(),
        _ => Vec::new(),
    };
    let digest = field(map, "digest").filter(|d| !d.is_empty());
    let Ok(metadata) = chart::index_metadata(text) else { return Ok(None) };
    Ok(Some(ChartVersion {
        version: metadata.version,
        urls,
        digest,
        app_version: metadata.app_version,
        description: metadata.description,
        name: metadata.name,
        keywords: metadata.keywords,
    }))
}

fn field(map: &Map, name: &str) -> Option<String> {
    map.get(name).and_then(text_of)
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::Str(s) => Some(String::from_utf8_lossy(s.as_ref()).into_owned()),
        _ => None,
    }
}
