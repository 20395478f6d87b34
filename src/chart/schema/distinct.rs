//! `uniqueItems`.

use std::collections::HashMap;

use super::json::Json;

/// The first two equal items. `Err` is the Go type of an item without a JSON type.
pub(super) fn duplicates(arr: &[Json]) -> Result<Option<(usize, usize)>, &str> {
    if arr.len() <= 20 {
        for (i, a) in arr.iter().enumerate() {
            for (j, b) in arr[..i].iter().enumerate() {
                if a.equals(b)? {
                    return Ok(Some((j, i)));
                }
            }
        }
        return Ok(None);
    }
    let mut seen: HashMap<String, Vec<usize>> = HashMap::new();
    for (i, a) in arr.iter().enumerate() {
        let same = seen.entry(hash(a)).or_default();
        for &j in same.iter() {
            if a.equals(&arr[j])? {
                return Ok(Some((j, i)));
            }
        }
        same.push(i);
    }
    Ok(None)
}

/// A text that equal values share.
fn hash(v: &Json) -> String {
    match v {
        Json::Number(_) => v.decimal().map_or_else(|| "0".into(), |n| n.to_f64().to_string()),
        Json::String(s) => (**s).into(),
        Json::Bool(b) => b.to_string(),
        Json::Null | Json::Invalid(_) => "null".into(),
        Json::Array(a) => a.iter().map(|v| hash(v) + ",").collect(),
        Json::Object(o) => o.iter().map(|(k, v)| format!("{k}:{},", hash(v))).collect(),
    }
}
