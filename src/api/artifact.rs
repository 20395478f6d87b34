//! The artifact of a source: a file that controllers fetch over HTTP, known by digest and revision.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Time, empty, time};

/// The output of a source's last successful reconciliation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Artifact {
    /// Digest of the file, `<algorithm>:<hex>`.
    #[schemars(regex(pattern = r"^[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[a-zA-Z0-9=_-]+$"))]
    pub digest: String,
    /// Path of the file in the storage: `<kind>/<namespace>/<name>/<file>`.
    pub path: String,
    /// Where the file is served: `http://<host>/<path>`. A consumer replaces nothing of it.
    pub url: String,
    /// Which state of the source this is: a branch and commit, a tag and digest, a chart version.
    pub revision: String,
    /// When the artifact was made.
    #[schemars(schema_with = "time::schema")]
    pub last_update_time: Time,
    /// Bytes of the file.
    #[serde(default, skip_serializing_if = "empty")]
    #[schemars(extend("format" = "int64"))]
    pub size: Option<i64>,
    /// Metadata of the upstream, such as OCI annotations.
    #[serde(default, skip_serializing_if = "empty")]
    pub metadata: BTreeMap<String, String>,
}

impl Artifact {
    /// Whether this is that revision.
    pub fn has_revision(&self, revision: &str) -> bool {
        !revision.is_empty() && self.revision == revision
    }
}
