//! The state of an object.

use pintle::cluster::Gvk;
use pintle::cluster::status::compute;
use serde_json::{Value as Json, json};

pub fn answer(vector: &Json) -> Result<Json, String> {
    let object = &vector["object"];
    // An object is read before it is judged: without a kind, or with a version that is none, it is no object.
    let version = object["apiVersion"].as_str().unwrap_or_default();
    if Gvk::of(object).kind.is_empty() || version.matches('/').count() > 1 {
        return Ok(json!({"err": format!("decoding: Object 'Kind' is missing in '{}'", spaced(object))}));
    }
    Ok(match compute(object) {
        Ok(status) => {
            let conditions = status.conditions.iter().map(|c| {
                let mut out = json!({"type": c.kind.as_str(), "status": "True"});
                for (key, value) in [("reason", &c.reason), ("message", &c.message)] {
                    if !value.is_empty() {
                        out[key] = value.as_str().into();
                    }
                }
                out
            });
            let conditions: Vec<Json> = conditions.collect();
            let conditions = if conditions.is_empty() { Json::Null } else { conditions.into() };
            json!({"status": status.state.as_str(), "message": status.message, "conditions": conditions, "err": null})
        }
        Err(e) => json!({"status": null, "err": e}),
    })
}

/// The text that was asked about, as its author's tool wrote it.
fn spaced(json: &Json) -> String {
    match json {
        Json::Array(items) => format!("[{}]", items.iter().map(spaced).collect::<Vec<_>>().join(", ")),
        Json::Object(fields) => {
            let fields: Vec<String> =
                fields.iter().map(|(k, v)| format!("{}: {}", Json::from(k.as_str()), spaced(v))).collect();
            format!("{{{}}}", fields.join(", "))
        }
        other => other.to_string(),
    }
}
