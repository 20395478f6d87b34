//! Stored releases.

use std::collections::BTreeMap;
use std::io::Write;

use base64::Engine as _;
use flate2::Compression;
use flate2::write::GzEncoder;
use pintle::release::Record;
use pintle::release::storage::labels;
use serde_json::{Value as Json, json};

pub fn answer(vector: &Json) -> Result<Json, String> {
    let labels: BTreeMap<String, String> = vector["labels"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(k, v)| (k.clone(), v.as_str().unwrap_or_default().to_owned()))
        .collect();
    Ok(match again(&stored(vector)?, &labels) {
        Ok((json, labels)) => json!({
            "reencoded": String::from_utf8_lossy(&json),
            "newLabels": labels,
            "secretType": "helm.sh/release.v1",
            "err": null,
        }),
        Err(e) => json!({ "reencoded": null, "newLabels": null, "secretType": null, "err": e }),
    })
}

/// As it lies in the Secret.
fn stored(vector: &Json) -> Result<Vec<u8>, String> {
    let text = vector["json"].as_str().unwrap_or_default().as_bytes();
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(text).map_err(|e| e.to_string())?;
    let gzip = gzip.finish().map_err(|e| e.to_string())?;
    let base64 = |bytes: &[u8]| base64::engine::general_purpose::STANDARD.encode(bytes).into_bytes();
    Ok(match vector["stored"].as_str().unwrap_or_default() {
        "gzip" => base64(&gzip),
        "plain" => base64(text),
        "raw" => text.to_vec(),
        "short" => base64(&gzip[..gzip.len() / 2]),
        other => return Err(format!("no such way to store: {other:?}")),
    })
}

/// Reads a record and stores it again.
fn again(stored: &[u8], labels: &BTreeMap<String, String>) -> Result<(Vec<u8>, BTreeMap<String, String>), String> {
    let mut record = Record::from_stored(stored).map_err(|e| format!("get: failed to decode data \"in\": {e}"))?;
    record.labels = labels::users(labels);
    let name = &record.name;
    let json = record.to_json().map_err(|e| format!("create: failed to encode release {name:?}: {e}"))?;
    Ok((json, labels::of(&record, None)))
}
