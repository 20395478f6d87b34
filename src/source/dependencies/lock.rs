//! The digest that ties a lock to what it was made of. Source: Helm 4.3 `internal/resolver/resolver.go`, `HashReq` and `HashV2Req`.

use crate::chart::Dependency;
use crate::golang::json::escape_string;
use crate::source::Digest;
use crate::value::{Heap, json};

/// SHA-256 of both lists as JSON.
pub fn digest(wanted: &[Dependency], locked: &[Dependency]) -> String {
    let mut out = b"[".to_vec();
    list(wanted, &mut out);
    out.push(b',');
    list(locked, &mut out);
    out.push(b']');
    Digest::of(&out).to_string()
}

/// Helm 2's, of the wanted ones alone.
pub fn digest_v2(wanted: &[Dependency]) -> String {
    let mut out = b"{\"dependencies\":".to_vec();
    list(wanted, &mut out);
    out.push(b'}');
    Digest::of(&out).to_string()
}

fn list(dependencies: &[Dependency], out: &mut Vec<u8>) {
    out.push(b'[');
    for (i, d) in dependencies.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        one(d, out);
    }
    out.push(b']');
}

/// The struct's fields in their order; name and repository always.
fn one(d: &Dependency, out: &mut Vec<u8>) {
    let mut first = true;
    let mut field = |name: &str, out: &mut Vec<u8>| {
        out.extend_from_slice(if std::mem::take(&mut first) { b"{\"" } else { b",\"" });
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"\":");
    };
    let texts: [(&str, &str, bool); 4] = [
        ("name", &d.name, true),
        ("version", &d.version, false),
        ("repository", &d.repository, true),
        ("condition", &d.condition, false),
    ];
    for (name, text, always) in texts {
        if always || !text.is_empty() {
            field(name, out);
            escape_string(text.as_bytes(), true, out);
        }
    }
    if !d.tags.is_empty() {
        field("tags", out);
        let mut mark = b'[';
        for tag in &d.tags {
            out.push(std::mem::replace(&mut mark, b','));
            escape_string(tag.as_bytes(), true, out);
        }
        out.push(b']');
    }
    if d.enabled {
        field("enabled", out);
        out.extend_from_slice(b"true");
    }
    if !d.import_values.is_empty() {
        field("import-values", out);
        let mut heap = Heap::new();
        let mut mark = b'[';
        for value in &d.import_values {
            out.push(std::mem::replace(&mut mark, b','));
            let value = value.to_value(&mut heap);
            out.extend(json::encode(&mut heap, &value, true, None).unwrap_or_else(|_| b"null".to_vec()));
        }
        out.push(b']');
    }
    if !d.alias.is_empty() {
        field("alias", out);
        escape_string(d.alias.as_bytes(), true, out);
    }
    out.push(b'}');
}
