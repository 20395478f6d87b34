//! Splitting, classifying and sorting of rendered files.

use std::collections::BTreeMap;

use pintle::render::manifest::{Ordering, sort_manifests, split};
use serde_json::{Map, Value as Json, json};

pub fn answer(vector: &Json) -> Result<Json, String> {
    let ordering = match vector["order"].as_str() {
        Some("install") => Ordering::Install,
        Some("uninstall") => Ordering::Uninstall,
        order => return Err(format!("unknown order {order:?}")),
    };
    let files: BTreeMap<String, Vec<u8>> = vector["files"]
        .as_object()
        .ok_or("no files")?
        .iter()
        .map(|(path, text)| (path.clone(), text.as_str().unwrap_or_default().as_bytes().to_vec()))
        .collect();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let documents: Map<String, Json> = files
        .iter()
        .map(|(path, content)| (path.clone(), split(content).into_iter().map(text).collect::<Vec<_>>().into()))
        .collect();
    let (sorted, err) = sort_manifests(&files, ordering);
    let manifests: Vec<Json> = sorted
        .manifests
        .iter()
        .map(|m| {
            json!({
                "name": m.name,
                "kind": m.head.kind,
                "apiVersion": m.head.version,
                "content": text(&m.content),
            })
        })
        .collect();
    let hooks: Vec<Json> = sorted
        .hooks
        .iter()
        .map(|h| {
            json!({
                "name": h.name,
                "kind": h.kind,
                "path": h.path,
                "manifest": text(&h.manifest),
                "events": h.events,
                "weight": h.weight,
                "delete_policies": h.delete_policies,
                "output_log_policies": h.output_log_policies,
            })
        })
        .collect();
    Ok(json!({ "split": documents, "manifests": manifests, "hooks": hooks, "err": err }))
}
