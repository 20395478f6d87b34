//! Snapshots: what a HelmRelease remembers of the releases that it made.
//!
//! The order is by revision, the newest first. Source: helm-controller 1.6 `api/v2/snapshot_types.go`, `internal/release/observation.go`.

use std::collections::BTreeMap;

use crate::api::action::Filter;
use crate::api::snapshot::{KEPT, SNAPSHOT_VERSION, TestHookStatus};
use crate::api::{Snapshot, Time};
use crate::chart::data;
use crate::release::{Record, snapshot};
use crate::value::Heap;
use crate::values::digest::{self, Algorithm};

fn sort(history: &mut [Snapshot]) {
    history.sort_by_key(|s| std::cmp::Reverse(s.version));
}

/// The newest.
pub fn latest(history: &[Snapshot]) -> Option<&Snapshot> {
    history.iter().max_by_key(|s| s.version)
}

pub fn latest_mut(history: &mut [Snapshot]) -> Option<&mut Snapshot> {
    history.iter_mut().max_by_key(|s| s.version)
}

fn is_good(snapshot: &Snapshot, ignore_tests: bool) -> bool {
    matches!(snapshot.status.as_str(), "deployed" | "superseded") && (ignore_tests || !snapshot.has_failed_test())
}

/// What may be rolled back to: the newest good release before the latest.
pub fn previous(history: &[Snapshot], ignore_tests: bool) -> Option<Snapshot> {
    let mut sorted = history.to_vec();
    sort(&mut sorted);
    sorted.into_iter().skip(1).find(|s| is_good(s, ignore_tests))
}

/// Keeps all down to what may be rolled back to, or the newest few if there is no such release.
pub fn truncate(history: &mut Vec<Snapshot>, ignore_tests: bool) {
    if history.len() < 2 {
        return;
    }
    sort(history);
    let good = history.iter().skip(1).position(|s| is_good(s, ignore_tests));
    history.truncate(good.map_or(KEPT, |at| at + 2));
}

/// Keeps the newest few.
pub fn keep_newest(history: &mut Vec<Snapshot>) {
    sort(history);
    history.truncate(KEPT);
}

/// Whether a snapshot is of this revision.
pub fn targets(snapshot: &Snapshot, record: &Record) -> bool {
    snapshot.name == record.name && snapshot.namespace == record.namespace && snapshot.version == record.version
}

/// What is remembered of a stored release.
///
/// # Errors
/// A record that has no JSON form.
pub fn observe(record: &Record, action: &str, oci_digest: &str, algorithm: Algorithm) -> Result<Snapshot, String> {
    let metadata = record.chart.as_ref().and_then(|c| c.metadata.clone()).unwrap_or_default();
    let mut heap = Heap::new();
    let config = record.config.as_ref().map(|c| data::table_to_map(&mut heap, c));
    Ok(Snapshot {
        api_version: SNAPSHOT_VERSION.into(),
        digest: snapshot::digest(record, oci_digest, algorithm)?,
        name: record.name.clone(),
        namespace: record.namespace.clone(),
        version: record.version,
        status: record.info.status_text().to_owned(),
        action: action.into(),
        chart_name: metadata.name,
        chart_version: metadata.version,
        app_version: metadata.app_version,
        config_digest: digest::digest(&mut heap, config, algorithm)?,
        first_deployed: time(&record.info.first_deployed).unwrap_or(EPOCH),
        last_deployed: time(&record.info.last_deployed).unwrap_or(EPOCH),
        deleted: time(&record.info.deleted),
        test_hooks: None,
        oci_digest: oci_digest.into(),
    })
}

const EPOCH: Time = Time(jiff::Timestamp::UNIX_EPOCH);

/// A record's time in whole seconds.
fn time(text: &str) -> Option<Time> {
    let at: jiff::Timestamp = text.parse().ok()?;
    jiff::Timestamp::from_second(at.as_second()).ok().map(Time)
}

/// The tests of a release, those that the filters let run.
pub fn test_hooks(record: &Record, filters: &[Filter]) -> BTreeMap<String, TestHookStatus> {
    let runs = |name: &str| {
        let of = |exclude: bool| filters.iter().filter(move |f| f.exclude == exclude);
        !of(true).any(|f| f.name == name) && (of(false).next().is_none() || of(false).any(|f| f.name == name))
    };
    let tests = record.hooks.iter().filter(|h| !h.absent && h.events.iter().any(|e| e == "test") && runs(&h.name));
    tests
        .map(|h| {
            let status = TestHookStatus {
                last_started: time(&h.last_run.started_at),
                last_completed: time(&h.last_run.completed_at),
                phase: h.last_run.phase.clone(),
            };
            (h.name.clone(), status)
        })
        .collect()
}
