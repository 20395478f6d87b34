//! One revision of a release, as Helm stores it.
//!
//! Source: Helm 4.3 `pkg/release/v1/{release,info,hook}.go`; the text of a record is Go's `encoding/json`, byte for byte.
//! [`Record::from_json`] reads what Helm 3 and 4 wrote, [`Record::to_json`] writes what Helm 4.3 writes.

mod chart;
pub mod codec;
mod decode;
pub(super) mod encode;
#[cfg(test)]
mod tests;
pub mod time;

pub use chart::{Absent, StoredChart, StoredFile, StoredLock};

use std::collections::BTreeMap;

use crate::chart::{Metadata, Table};

/// Where a release stands. The texts are Helm's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Status {
    #[default]
    Unknown,
    Deployed,
    Uninstalled,
    Superseded,
    Failed,
    Uninstalling,
    PendingInstall,
    PendingUpgrade,
    PendingRollback,
}

impl Status {
    /// Those that Helm knows, in the order of its list of filters.
    pub const ALL: [Self; 9] = [
        Self::Unknown,
        Self::Deployed,
        Self::Uninstalled,
        Self::Superseded,
        Self::Failed,
        Self::Uninstalling,
        Self::PendingInstall,
        Self::PendingUpgrade,
        Self::PendingRollback,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Deployed => "deployed",
            Self::Uninstalled => "uninstalled",
            Self::Superseded => "superseded",
            Self::Failed => "failed",
            Self::Uninstalling => "uninstalling",
            Self::PendingInstall => "pending-install",
            Self::PendingUpgrade => "pending-upgrade",
            Self::PendingRollback => "pending-rollback",
        }
    }

    /// The status of that text; `None` for any other.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.as_str() == text)
    }

    pub fn is_pending(self) -> bool {
        matches!(self, Self::PendingInstall | Self::PendingUpgrade | Self::PendingRollback)
    }
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What happened to a revision, and when. Times are texts of Go's RFC 3339 with nanoseconds; empty: never.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Info {
    pub first_deployed: String,
    pub last_deployed: String,
    pub deleted: String,
    pub description: String,
    pub status: Status,
    /// The stored word, where it is none of Helm's (the empty one too); counts only while `status` is [`Status::Unknown`].
    pub foreign_status: Option<String>,
    /// The revision that this one went back to; 0: none.
    pub rollback_revision: i64,
    pub notes: String,
    /// `resources` as stored: kinds without objects, for Helm stores none (and can read none back).
    pub resources: Option<BTreeMap<String, Option<usize>>>,
}

impl Info {
    /// The status as it is written.
    pub fn status_text(&self) -> &str {
        match (self.status, &self.foreign_status) {
            (Status::Unknown, Some(text)) => text,
            (status, _) => status.as_str(),
        }
    }
}

/// A hook with how it last ran.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HookRecord {
    pub name: String,
    pub kind: String,
    pub path: String,
    pub manifest: String,
    pub events: Vec<String>,
    pub last_run: HookRun,
    pub weight: i64,
    pub delete_policies: Vec<String>,
    pub output_log_policies: Vec<String>,
    /// A `null` in the stored list: it is kept, and nothing runs.
    pub absent: bool,
}

/// How a hook last ran. `phase`: ``, `Unknown`, `Running`, `Succeeded`, `Failed`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HookRun {
    pub started_at: String,
    pub completed_at: String,
    pub phase: String,
}

/// One revision of a release.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Record {
    pub name: String,
    pub namespace: String,
    /// The revision, from 1.
    pub version: i64,
    pub info: Info,
    /// The chart, without its subcharts; `None` only in records that somebody else made.
    pub chart: Option<StoredChart>,
    /// What the user set (`helm get values`).
    pub config: Option<Table>,
    pub manifest: String,
    pub hooks: Vec<HookRecord>,
    /// `ssa`, `csa` or empty (before Helm 4: client-side).
    pub apply_method: String,
    /// The user's labels, which live on the stored object.
    pub labels: BTreeMap<String, String>,
    /// Annotations of the stored object. Helm neither makes nor keeps any: what they say must not be needed.
    pub annotations: BTreeMap<String, String>,
}

/// What lists show of a record; the rest of it need not be decoded.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    pub name: String,
    pub namespace: String,
    pub version: i64,
    pub info: Info,
    pub metadata: Option<Metadata>,
    pub labels: BTreeMap<String, String>,
}

impl Summary {
    pub fn of(record: &Record) -> Self {
        Self {
            name: record.name.clone(),
            namespace: record.namespace.clone(),
            version: record.version,
            info: record.info.clone(),
            metadata: record.chart.as_ref().and_then(|c| c.metadata.clone()),
            labels: record.labels.clone(),
        }
    }
}

impl Record {
    /// The key under which it is stored: `sh.helm.release.v1.NAME.vN`.
    pub fn key(&self) -> String {
        key(&self.name, self.version)
    }

    /// The chart's `name-version`, as Helm's tables show it; `MISSING` where the record has none.
    pub fn chart_label(&self) -> String {
        self.chart
            .as_ref()
            .and_then(|c| c.metadata.as_ref())
            .map_or_else(|| "MISSING".into(), |m| format!("{}-{}", m.name, m.version))
    }

    pub fn app_version(&self) -> &str {
        self.chart.as_ref().and_then(|c| c.metadata.as_ref()).map_or("MISSING", |m| &m.app_version)
    }
}

/// The key under which a revision is stored. Source: `pkg/storage/storage.go`, `makeKey`.
pub fn key(name: &str, version: i64) -> String {
    format!("sh.helm.release.v1.{name}.v{version}")
}

/// Dependencies as JSON, as `helm get metadata` prints them.
///
/// # Errors
/// Go's text for a number that is none.
pub fn dependencies_json(dependencies: &[crate::chart::Dependency]) -> Result<Vec<u8>, String> {
    encode::dependencies(dependencies)
}
