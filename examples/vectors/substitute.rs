//! Post-build substitution: texts with `fn: "text"`, objects with `fn: "object"`.

use std::collections::BTreeMap;

use pintle::kustomize::flux::{Substitution, expand};
use serde_json::{Value as Json, json};

pub fn answer(vector: &Json) -> Result<Json, String> {
    let text = vector["text"].as_str().ok_or("no text")?;
    let vars = vector["vars"].as_object().into_iter().flatten();
    let variables: BTreeMap<String, String> =
        vars.map(|(k, v)| (k.clone(), v.as_str().unwrap_or_default().to_owned())).collect();
    let strict = vector["strict"] == true;
    let failed = |message: String| if vector["err"] == true { json!({"err": true}) } else { json!({"err": message}) };
    if vector["fn"] == "text" {
        let lookup = |name: &str| match variables.get(name) {
            Some(value) => Some(value.clone().into_bytes()),
            None if strict => None,
            None => Some(Vec::new()),
        };
        return Ok(match expand(text, &lookup) {
            Ok(out) => json!({"out": String::from_utf8_lossy(&out)}),
            Err(e) => failed(e.message),
        });
    }
    let substitution = Substitution { variables, strict, always: vector["always"] == true, ..Substitution::default() };
    Ok(match substitution.object(text) {
        Ok(Some(out)) => json!({"out": out}),
        Ok(None) => json!({"skipped": true}),
        Err(e) => failed(e.message),
    })
}
