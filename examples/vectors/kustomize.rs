//! Overlay builds. Formats: the answer is `out`, or `err` (its text where the vector has one, else true); `warn` are deprecations.

use base64::Engine as _;
use pintle::kustomize::{LoadRestrictions, MemoryTree, Options, Reorder, build};
use serde_json::{Value as Json, json};

pub fn answer(vector: &Json) -> Result<Json, String> {
    let mut tree = MemoryTree::default();
    for (path, text) in vector["files"].as_object().into_iter().flatten() {
        tree.insert(path, text.as_str().ok_or("a file is no text")?);
    }
    for (path, text) in vector["filesB64"].as_object().into_iter().flatten() {
        let bytes = base64::engine::general_purpose::STANDARD.decode(text.as_str().ok_or("a file is no text")?);
        tree.insert(path, bytes.map_err(|e| e.to_string())?);
    }
    let mut options = Options::default();
    let args: Vec<&str> = vector["args"].as_array().into_iter().flatten().filter_map(Json::as_str).collect();
    for pair in args.chunks(2) {
        match pair {
            ["--load-restrictor", "LoadRestrictionsNone"] => options.load_restrictions = LoadRestrictions::None,
            ["--load-restrictor", "LoadRestrictionsRootOnly"] => {}
            ["--reorder", "none"] => options.reorder = Reorder::None,
            ["--reorder", "legacy"] => options.reorder = Reorder::Legacy,
            other => return Err(format!("unknown arguments {other:?}")),
        }
    }
    let dir = format!("/{}", vector["dir"].as_str().ok_or("no dir")?);
    Ok(match build(&tree, &dir, &options) {
        Ok(built) => {
            let warnings: Vec<&String> = built.warnings.iter().filter(|w| w.starts_with("# Warning")).collect();
            let warn = if warnings.is_empty() { Json::Null } else { json!(warnings) };
            json!({"out": built.text(), "warn": warn})
        }
        Err(_) if vector["err"] == true => json!({"err": true}),
        Err(e) => json!({"err": e.message}),
    })
}
