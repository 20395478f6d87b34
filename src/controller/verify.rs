//! Whether what is stored is what this object made, and what it wants.
//!
//! Source: helm-controller 1.6 `internal/action/{verify,reset}.go`.

use crate::api::{Snapshot, annotation};
use crate::release::{Record, snapshot};
use crate::values::digest::Algorithm;

use super::history;
use super::subject::Subject;

/// Why a stored release is not the one of the snapshot.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotOurs {
    /// The snapshot's digest is none.
    #[error("release digest verification error")]
    Digest,
    /// Somebody else made or changed it.
    #[error("release not observed to be made for object")]
    NotObserved,
}

/// The algorithm of a digest; `None` if the text is no digest.
fn algorithm(digest: &str) -> Option<Algorithm> {
    let (name, hex) = digest.split_once(':')?;
    let algorithm = Algorithm::parse(name)?;
    let length = match algorithm {
        Algorithm::Sha256 | Algorithm::Blake3 => 64,
        Algorithm::Sha384 => 96,
        Algorithm::Sha512 => 128,
    };
    let valid = hex.len() == length && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    valid.then_some(algorithm)
}

/// Whether a stored release is the one of a snapshot. Snapshots of an older form are not verified.
///
/// # Errors
/// See [`NotOurs`].
pub fn object(taken: &Snapshot, record: &Record) -> Result<(), NotOurs> {
    if !taken.is_current_version() {
        return Ok(());
    }
    let algorithm = algorithm(&taken.digest).ok_or(NotOurs::Digest)?;
    match snapshot::digest(record, &taken.oci_digest, algorithm) {
        Ok(digest) if digest == taken.digest => Ok(()),
        _ => Err(NotOurs::NotObserved),
    }
}

/// The values that are wanted, in the form that is hashed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    pub chart_name: String,
    pub chart_version: String,
    /// See [`crate::values::digest::encoded`].
    pub values: Vec<u8>,
    /// The last attempt had these very values, and the release has them merged into older ones (`upgrade.preserveValues`): what is stored is
    /// another digest, and no reason to upgrade for ever, as Flux does.
    pub merged: bool,
}

impl Wanted {
    pub fn config_digest(&self, algorithm: Algorithm) -> String {
        algorithm.digest(&self.values)
    }

    /// Whether the values have this digest.
    pub fn has_values(&self, digest: &str) -> bool {
        algorithm(digest).is_some_and(|algorithm| algorithm.digest(&self.values) == digest)
    }
}

/// Whether a deployed release is as wanted; else Flux's words for what differs.
pub fn differs(record: &Record, taken: &Snapshot, wanted: &Wanted) -> Option<&'static str> {
    let metadata = record.chart.as_ref().and_then(|c| c.metadata.as_ref());
    let same = metadata.is_some_and(|m| m.name == wanted.chart_name && m.version == wanted.chart_version);
    if !same {
        return Some("release chart changed");
    }
    let merged = wanted.merged && matches!(taken.action.as_str(), "install" | "upgrade");
    (!merged && !wanted.has_values(&taken.config_digest)).then_some("release config values changed")
}

/// Whether the release lives elsewhere than the spec wants it; then it must be uninstalled there first.
pub fn target_changed(subject: &Subject, chart_name: &str) -> Option<&'static str> {
    let status = &subject.status;
    let current = history::latest(&status.history).filter(|_| !status.storage_namespace.is_empty())?;
    if subject.storage_namespace() != status.storage_namespace {
        Some("storage namespace")
    } else if subject.release_namespace() != current.namespace {
        Some("release namespace")
    } else if subject.release_name() != current.name {
        Some("release name")
    } else if chart_name != current.chart_name {
        Some(CHART_NAME)
    } else {
        None
    }
}

/// The one change of target that may be an upgrade in place (`upgrade.chartNameChangeStrategy`).
pub const CHART_NAME: &str = "chart name";

/// Whether the failure counters start anew, and why. A token of `resetAt` counts as seen either way.
pub fn must_reset_failures(subject: &mut Subject, wanted: &Wanted) -> Option<&'static str> {
    let requested = take_request(subject, annotation::RESET_AT);
    let status = &subject.status;
    if status.last_attempted_generation != subject.generation {
        return Some("generation differs from last attempt");
    }
    if status.last_attempted_revision != wanted.chart_version {
        return Some("chart version differs from last attempt");
    }
    if (!status.last_attempted_config_digest.is_empty() || !status.last_attempted_values_checksum.is_empty())
        && !wanted.has_values(&status.last_attempted_config_digest)
    {
        return Some("values differ from last attempt");
    }
    requested.then_some("reset requested through annotation")
}

/// Whether an annotation asks for something that was not done yet.
pub fn take_request(subject: &mut Subject, key: &str) -> bool {
    let status = &mut subject.status;
    let last =
        if key == annotation::RESET_AT { &mut status.last_handled_reset_at } else { &mut status.last_handled_force_at };
    let request = annotation::request(&subject.annotations, key, last, &status.last_handled_reconcile_at);
    if let Some(handled) = request.handled {
        *last = handled;
    }
    request.act
}
