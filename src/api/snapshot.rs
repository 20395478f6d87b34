//! What a HelmRelease remembers of the releases that it made: `status.history` and `status.inventory`.
//!
//! History, not Helm's own records, decides what may be rolled back to: only releases that this object made. Source: helm-controller 1.6
//! `api/v2/snapshot_types.go`, `inventory_types.go`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Time, empty, time};

/// The version of snapshots whose digest is verified.
pub const SNAPSHOT_VERSION: &str = "v2";
/// What a release keeps of its history when nothing else cuts it.
pub const KEPT: usize = 5;

/// A release at the moment of an action on it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Snapshot {
    /// Version of the snapshot's form. The digest of any other than `v2` is not verified.
    #[serde(default, skip_serializing_if = "empty")]
    pub api_version: String,
    /// Digest of what was observed of the stored release: `<algorithm>:<hex>`.
    pub digest: String,
    /// Name of the release.
    pub name: String,
    /// Namespace of the release's objects.
    pub namespace: String,
    /// Revision of the release in Helm's storage.
    #[schemars(transform = crate::api::schema::without_format)]
    pub version: i64,
    /// Status of the release in Helm's words.
    pub status: String,
    /// The action that made the release.
    #[serde(default, skip_serializing_if = "empty")]
    pub action: String,
    /// Name of the chart.
    pub chart_name: String,
    /// Version of the chart.
    pub chart_version: String,
    /// Version of the application in the chart.
    #[serde(default, skip_serializing_if = "empty")]
    pub app_version: String,
    /// Digest of the values: `<algorithm>:<hex>`.
    pub config_digest: String,
    /// When the release was first deployed.
    #[schemars(schema_with = "time::schema")]
    pub first_deployed: Time,
    /// When the release was last deployed.
    #[schemars(schema_with = "time::schema")]
    pub last_deployed: Time,
    /// When the release was deleted.
    #[serde(default, skip_serializing_if = "empty")]
    #[schemars(schema_with = "time::schema")]
    pub deleted: Option<Time>,
    /// The release's test hooks as observed; absent before tests have run, empty when the release has none.
    #[serde(default, skip_serializing_if = "empty")]
    pub test_hooks: Option<BTreeMap<String, TestHookStatus>>,
    /// Digest of the OCI artifact of the chart.
    #[serde(default, skip_serializing_if = "empty", rename = "ociDigest")]
    pub oci_digest: String,
}

/// One test hook as it was last run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TestHookStatus {
    /// When the hook was last started.
    #[serde(default, skip_serializing_if = "empty")]
    #[schemars(schema_with = "time::schema")]
    pub last_started: Option<Time>,
    /// When the hook was last completed.
    #[serde(default, skip_serializing_if = "empty")]
    #[schemars(schema_with = "time::schema")]
    pub last_completed: Option<Time>,
    /// How the hook ended, in Helm's words.
    #[serde(default, skip_serializing_if = "empty")]
    pub phase: String,
}

/// The objects that a release manages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ResourceInventory {
    /// The objects.
    pub entries: Vec<ResourceRef>,
}

/// An object of an inventory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ResourceRef {
    /// `<namespace>_<name>_<group>_<kind>`.
    pub id: String,
    /// API version, without the group.
    pub v: String,
}

impl ResourceRef {
    /// The entry of an object. `namespace` and `group` may be empty.
    pub fn new(namespace: &str, name: &str, group: &str, kind: &str, version: &str) -> Self {
        Self { id: format!("{namespace}_{name}_{group}_{kind}"), v: version.into() }
    }
}

impl Snapshot {
    /// `<namespace>/<name>.v<version>`, as messages name a release.
    pub fn full_release_name(&self) -> String {
        format!("{}/{}.v{}", self.namespace, self.name, self.version)
    }

    /// `<chart>@<version>`, as messages name a chart.
    pub fn versioned_chart_name(&self) -> String {
        format!("{}@{}", self.chart_name, self.chart_version)
    }

    /// Whether its digest is to be verified.
    pub fn is_current_version(&self) -> bool {
        self.api_version == SNAPSHOT_VERSION
    }

    /// Whether the release's tests have ended: without hooks in the release, or with all of them succeeded, or with one failed.
    pub fn has_been_tested(&self) -> bool {
        let Some(hooks) = &self.test_hooks else { return false };
        self.has_failed_test() || hooks.values().all(|h| h.phase == "Succeeded")
    }

    /// Whether a test of the release has failed.
    pub fn has_failed_test(&self) -> bool {
        self.test_hooks.iter().flat_map(BTreeMap::values).any(|h| h.phase == "Failed")
    }
}
