//! The digest by which Flux tells whether a stored release is still the one that it made.
//!
//! It is a hash of Go's JSON of what Flux observes of a release; a new line ends the text. Source: helm-controller 1.6
//! `internal/release/{digest,observation}.go`. That controller is built on Helm 4.2, whose records have no `rollback_revision`: it is left out.

use crate::golang::json;
use crate::values::digest::Algorithm;

use super::record::{Info, Record, StoredChart, encode};

/// The text that is hashed. `oci_digest` is the digest of the chart's OCI artifact, empty for charts from elsewhere.
///
/// # Errors
/// As [`Record::to_json`].
pub fn observed(record: &Record, oci_digest: &str) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    let text = |out: &mut Vec<u8>, key: &str, text: &str| {
        out.extend_from_slice(key.as_bytes());
        json::escape_string(text.as_bytes(), true, out);
    };
    text(&mut out, "{\"name\":", &record.name);
    out.extend_from_slice(format!(",\"version\":{},\"info\":", record.version).as_bytes());
    encode::info(&Info { rollback_revision: 0, ..record.info.clone() }, &mut out)?;
    out.extend_from_slice(b",\"chartMetadata\":");
    match record.chart.as_ref().and_then(|c| Some((c.metadata.as_ref()?, c))) {
        Some((metadata, chart)) => encode::metadata(metadata, chart, &mut out)?,
        None => encode::metadata(&Default::default(), &StoredChart::default(), &mut out)?,
    }
    out.extend_from_slice(b",\"config\":");
    match record.config.as_ref().filter(|c| !c.is_empty()) {
        Some(config) => out.extend(encode::table(config)?),
        None => out.extend_from_slice(b"null"),
    }
    text(&mut out, ",\"manifest\":", &record.manifest);
    out.extend_from_slice(b",\"hooks\":");
    // Tests may be run by hand at any time, and leave their marks.
    let mut sep = b'[';
    for hook in record.hooks.iter().filter(|h| !h.absent && !h.events.iter().any(|e| e == "test")) {
        out.push(std::mem::replace(&mut sep, b','));
        encode::hook(hook, &mut out)?;
    }
    out.extend_from_slice(if sep == b'[' { b"null" } else { b"]" });
    text(&mut out, ",\"namespace\":", &record.namespace);
    if !oci_digest.is_empty() {
        text(&mut out, ",\"ociDigest\":", oci_digest);
    }
    out.extend_from_slice(b"}\n");
    Ok(out)
}

/// The digest of a stored release, as a HelmRelease's `status.history[].digest` has it.
///
/// # Errors
/// As [`observed`].
pub fn digest(record: &Record, oci_digest: &str, algorithm: Algorithm) -> Result<String, String> {
    Ok(algorithm.digest(&observed(record, oci_digest)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::release::record::HookRecord;

    #[test]
    fn an_empty_release_has_the_golden_digest() {
        let mut record = Record { name: "foo".into(), ..Record::default() };
        record.info.foreign_status = Some(String::new());
        let text = observed(&record, "").unwrap();
        assert_eq!(
            String::from_utf8(text).unwrap(),
            "{\"name\":\"foo\",\"version\":0,\"info\":{},\"chartMetadata\":{},\"config\":null,\"manifest\":\"\",\"hooks\":null,\"namespace\":\"\"}\n"
        );
        let want = "sha256:f1498f27a16a09cd7e1ee610d924df065c03d30035638babc95dd9a8d412ce4d";
        assert_eq!(digest(&record, "", Algorithm::Sha256).unwrap(), want);
        // What a later Helm adds, and what a manual `helm test` leaves behind, changes nothing.
        record.info.rollback_revision = 3;
        record.hooks = vec![HookRecord { events: vec!["test".into()], ..HookRecord::default() }];
        assert_eq!(digest(&record, "", Algorithm::Sha256).unwrap(), want);
        assert_ne!(digest(&record, "sha256:0", Algorithm::Sha256).unwrap(), want);
    }
}
