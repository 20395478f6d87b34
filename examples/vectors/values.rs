//! The values of HelmReleases.

use std::collections::BTreeMap;

use base64::Engine as _;
use pintle::value::{Heap, Value};
use pintle::values::compose::{ObjectData, ValuesReference, compose, inline_values};
use serde_json::{Value as Json, json};

use crate::strvals::{to_json, to_value};

pub fn answer(vector: &Json) -> Result<Json, String> {
    let mut heap = Heap::new();
    let inline = match (&vector["values"], vector["valuesRaw"].as_str()) {
        (_, Some(raw)) => Value::Map(inline_values(&mut heap, raw.as_bytes())),
        (json, None) => to_value(&mut heap, json),
    };
    let inline = match inline {
        Value::Map(m) => Some(m),
        _ => None,
    };
    let references: Vec<ValuesReference> = vector["refs"].as_array().into_iter().flatten().map(reference).collect();
    let mut fetch = |kind: &str, name: &str| Ok(object(vector, kind, name));
    let result = compose(&mut heap, "ns1", inline, &references, &mut fetch, &mut Vec::new());
    Ok(match result {
        Ok(m) => json!({ "out": to_json(&heap, &Value::Map(m)), "err": null }),
        Err(e) => json!({ "out": null, "err": e }),
    })
}

fn reference(json: &Json) -> ValuesReference {
    let text = |key: &str| json[key].as_str().unwrap_or_default().to_owned();
    ValuesReference {
        kind: text("kind"),
        name: text("name"),
        values_key: text("valuesKey"),
        target_path: text("targetPath"),
        optional: json["optional"] == true,
        literal: json["literal"] == true,
    }
}

fn object(vector: &Json, kind: &str, name: &str) -> Option<ObjectData> {
    let mut objects = vector["objects"].as_array()?.iter();
    let o = objects
        .find(|o| o["kind"] == kind && o["name"] == name && matches!(o["namespace"].as_str(), None | Some("ns1")))?;
    let mut data: ObjectData = BTreeMap::new();
    for (k, v) in o["data"].as_object().into_iter().flatten() {
        data.insert(k.clone(), v.as_str().unwrap_or_default().into());
    }
    // A ConfigMap's binaryData is not read.
    for (k, v) in o["base64"].as_object().into_iter().flatten().filter(|_| kind == "Secret") {
        let bytes = base64::engine::general_purpose::STANDARD.decode(v.as_str().unwrap_or_default());
        data.insert(k.clone(), bytes.unwrap_or_default());
    }
    Some(data)
}
