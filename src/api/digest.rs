//! Digests of parts of a spec, by which a change of post-renderers or common metadata is noticed.
//!
//! The hash is over Go's JSON of the field and a new line; what is empty has the empty digest. Source: helm-controller 1.6
//! `internal/digest` and `internal/reconcile`.

use serde::Serialize;

use super::post_render::{CommonMetadata, PostRenderer};
use crate::values::digest::Algorithm;

/// Go's JSON: as serde's, with the characters escaped that could end a script in HTML. They occur in strings alone.
pub fn go_json<T: Serialize>(value: &T) -> Result<String, serde_json::Error> {
    let text = serde_json::to_string(value)?;
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            _ => out.push(c),
        }
    }
    Ok(out)
}

fn digest<T: Serialize>(value: &T, algorithm: Algorithm) -> String {
    // Structs of texts have no form that JSON could refuse.
    go_json(value).map_or_else(|_| String::new(), |text| algorithm.digest(format!("{text}\n").as_bytes()))
}

/// `status.observedPostRenderersDigest`.
pub fn post_renderers(renderers: &[PostRenderer], algorithm: Algorithm) -> String {
    if renderers.is_empty() { String::new() } else { digest(&renderers, algorithm) }
}

/// `status.observedCommonMetadataDigest`.
pub fn common_metadata(metadata: Option<&CommonMetadata>, algorithm: Algorithm) -> String {
    metadata.map_or_else(String::new, |m| digest(m, algorithm))
}
