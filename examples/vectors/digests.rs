//! Digests of values, and names of releases.

use pintle::chart::{data, values_file};
use pintle::repo::short_name;
use pintle::value::Heap;
use pintle::values::digest::{self, Algorithm};
use pintle::values::strvals;
use serde_json::{Value as Json, json};

pub fn answer(vector: &Json) -> Result<Json, String> {
    let text = |key: &str| vector[key].as_str().unwrap_or_default();
    if text("mode") == "name" {
        let composed = pintle::repo::composed_name(text("releaseName"), text("targetNamespace"), text("name"));
        let some = |s: String| if s.is_empty() { Json::Null } else { s.into() };
        return Ok(json!({ "short": some(short_name(&composed)), "composed": some(composed) }));
    }
    let mut heap = Heap::new();
    let table = match values_file::read_one(text("values").as_bytes()) {
        Ok(table) => table,
        // Flux reads into another type of the same shape.
        Err(e) if e.contains("map[string]interface {}") => {
            let e = e.replace("map[string]interface {}", "common.Values");
            return Ok(json!({ "encoded": null, "digest": null, "err": e }));
        }
        Err(e) => return Ok(json!({ "encoded": null, "digest": null, "err": e })),
    };
    let map = data::table_to_map(&mut heap, &table);
    for set in vector["set"].as_array().into_iter().flatten() {
        strvals::parse_into(&mut heap, map, set.as_str().unwrap_or_default().as_bytes())?;
    }
    let algorithm = Algorithm::parse(text("algo")).ok_or("no such algorithm")?;
    let encoded = digest::encoded(&mut heap, Some(map))?;
    let digest = digest::digest(&mut heap, Some(map), algorithm)?;
    Ok(json!({ "encoded": String::from_utf8_lossy(&encoded), "digest": digest, "err": null }))
}
