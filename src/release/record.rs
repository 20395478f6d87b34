//! One revision of a release, as Helm stores it.
//!
//! Source: Helm 4.3 `pkg/release/v1/{release,info,hook}.go`; the text of a record is Go's `encoding/json`, byte for byte.

use std::collections::BTreeMap;

use crate::chart::Table;

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

    pub fn is_pending(self) -> bool {
        matches!(self, Self::PendingInstall | Self::PendingUpgrade | Self::PendingRollback)
    }
}

/// What happened to a revision, and when. Times are RFC 3339 texts as they were stored; empty: never.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Info {
    pub first_deployed: String,
    pub last_deployed: String,
    pub deleted: String,
    pub description: String,
    pub status: Status,
    /// The revision that this one went back to; 0: none.
    pub rollback_revision: i64,
    pub notes: String,
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
}

/// How a hook last ran. `phase`: ``, `Unknown`, `Running`, `Succeeded`, `Failed`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HookRun {
    pub started_at: String,
    pub completed_at: String,
    pub phase: String,
}

/// One revision of a release.
#[derive(Clone, Debug, Default)]
pub struct Record {
    pub name: String,
    pub namespace: String,
    /// The revision, from 1.
    pub version: i64,
    pub info: Info,
    pub chart: crate::chart::Chart,
    /// What the user set (`helm get values`).
    pub config: Option<Table>,
    pub manifest: String,
    pub hooks: Vec<HookRecord>,
    /// `ssa`, `csa` or empty (before Helm 4: client-side).
    pub apply_method: String,
    /// The user's labels, which live on the stored object.
    pub labels: BTreeMap<String, String>,
}
