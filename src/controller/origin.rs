//! Where a revision comes from: commit or digest of its chart, who wrote that, and which sources its values had in which version.
//!
//! It is kept as an annotation of the stored revision, so that whoever rolls the revision back can say what that takes back, later and as another
//! process too.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::api::Artifact;
use crate::cluster::Json;
use crate::release::Record;

use super::index::Index;
use super::reads::Reads;
use super::subject::Subject;
use super::{index::Key, values};

/// The annotation of a stored revision.
pub const ANNOTATION: &str = "pintle.dev/origin";
/// In the metadata of an artifact: who wrote the commit that it was made of, and, where it outlives other commits, which that was.
pub const AUTHOR: &str = "pintle.dev/author";
pub const COMMIT: &str = "pintle.dev/commit";

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Origin {
    /// Of the chart's source: `main@sha1:…`, `1.2.3@sha256:…`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub revision: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub oci_digest: String,
    /// `Ann <ann@example.com>`; known of the Git sources that we fetch ourselves.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub author: String,
    /// The object's own, which inline values are a part of.
    pub generation: i64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
}

impl Origin {
    /// Of a release that is about to be made.
    pub fn of(
        subject: &Subject,
        revision: &str,
        oci_digest: &str,
        artifact: &Artifact,
        index: &Index,
        reads: &Reads,
    ) -> Self {
        let of = |key: &str| artifact.metadata.get(key).cloned();
        Self {
            revision: of(COMMIT).unwrap_or_else(|| revision.to_owned()),
            oci_digest: oci_digest.to_owned(),
            author: of(AUTHOR).unwrap_or_default(),
            generation: subject.generation,
            values: values_of(subject, index, reads),
        }
    }

    /// As it was kept with a revision.
    pub fn kept(record: &Record) -> Option<Self> {
        serde_json::from_str(record.annotations.get(ANNOTATION)?).ok()
    }

    /// What is to be kept.
    pub fn annotation(&self) -> Option<(String, String)> {
        Some((ANNOTATION.to_owned(), serde_json::to_string(self).ok()?))
    }
}

fn values_of(subject: &Subject, index: &Index, reads: &Reads) -> Vec<String> {
    let mut out = Vec::new();
    for reference in &subject.spec.values_from {
        let text = if reference.is_artifact() {
            let key = values::source_of(subject, reference);
            let source = index.get(&key);
            let text =
                |at: &str| source.as_deref().and_then(|s| s.pointer(at)).and_then(Json::as_str).unwrap_or_default();
            let mut told = format!("{key} {}", reference.path);
            if !text("/status/artifact/revision").is_empty() {
                told += &format!(" at {}", text("/status/artifact/revision"));
            }
            let author = text("/status/artifact/metadata/pintle.dev~1author");
            if !author.is_empty() {
                told += &format!(" by {author}");
            }
            told
        } else {
            let key = Key::new(&reference.kind, &subject.namespace, &reference.name);
            match reads.version(&key) {
                Some(0) | None => key.to_string(),
                Some(version) => format!("{key} (resourceVersion {version})"),
            }
        };
        if !out.contains(&text) {
            out.push(text);
        }
    }
    out
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if !self.revision.is_empty() {
            let what = if self.revision.contains("sha1:") { "commit" } else { "revision" };
            parts.push(format!("{what} {}", self.revision));
        }
        if !self.author.is_empty() {
            let last = parts.pop().unwrap_or_default();
            parts.push(format!("{last} by {}", self.author).trim_start().to_owned());
        }
        if !self.oci_digest.is_empty() && !self.revision.contains(&self.oci_digest) {
            parts.push(format!("OCI digest {}", self.oci_digest));
        }
        parts.push(format!("generation {}", self.generation));
        if !self.values.is_empty() {
            parts.push(format!("values of {}", self.values.join(", ")));
        }
        f.write_str(&parts.join("; "))
    }
}

/// What a revision was made of, for people: `web@0.2.0 (commit …)`.
pub fn told(record: &Record) -> String {
    let metadata = record.chart.as_ref().and_then(|c| c.metadata.as_ref());
    let chart = metadata.map(|m| format!("{}@{}", m.name, m.version)).unwrap_or_default();
    match Origin::kept(record) {
        Some(origin) => format!("{chart} ({origin})"),
        None => chart,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_told_what_is_known() {
        let origin = Origin {
            revision: "main@sha1:abc".into(),
            author: "Ann <ann@example.com>".into(),
            generation: 3,
            values: vec!["ConfigMap shop/web (resourceVersion 7)".into()],
            ..Origin::default()
        };
        assert_eq!(
            origin.to_string(),
            "commit main@sha1:abc by Ann <ann@example.com>; generation 3; values of ConfigMap shop/web (resourceVersion 7)"
        );
        let oci = Origin { oci_digest: "sha256:1".into(), generation: 1, ..Origin::default() };
        assert_eq!(oci.to_string(), "OCI digest sha256:1; generation 1");
        let kept = [origin.annotation().unwrap()].into();
        let record = Record { annotations: kept, ..Record::default() };
        assert_eq!(Origin::kept(&record), Some(origin));
    }
}
