//! Client-side apply: the patch, and what it makes of the live object.

use pintle::cluster::Gvk;
use pintle::cluster::patch::{Patch, applied, client_side};
use serde_json::{Value as Json, json};

pub fn answer(vector: &Json) -> Result<Json, String> {
    let text = |key: &str| vector[key].as_str().unwrap_or_default();
    let gvk = Gvk::parse(text("apiVersion"), text("kind"));
    let strategic = text("type") == "strategic";
    let patch = if text("mode") == "apply" {
        Ok(Patch { strategic, body: vector["patch"].clone() })
    } else {
        let current = vector.get("current").filter(|c| !c.is_null());
        client_side(&gvk, &vector["original"], &vector["modified"], current, text("mode") == "3way-cr")
    };
    Ok(match patch {
        Err(e) => json!({"patch": null, "result": null, "err": e}),
        Ok(patch) => {
            let (result, err) = match applied(&gvk, &vector["current"], &patch) {
                // To an object that is gone nothing is applied.
                Ok(_) if vector["current"].is_null() => (Json::Null, Json::Null),
                Ok(result) => (result, Json::Null),
                Err(e) => (Json::Null, format!("applying: {e}").into()),
            };
            let kind = if patch.strategic { "strategic" } else { "merge" };
            json!({"type": kind, "patch": patch.body, "result": result, "err": err})
        }
    })
}
