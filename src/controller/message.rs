//! The words of conditions and events. People and programs search for them: they are Flux's.
//!
//! Source: helm-controller 1.6 `internal/reconcile/*.go`.

use crate::api::Snapshot;

use super::history;
use super::subject::Subject;

/// `ns/name.v3` and `chart@1.2.3` of the newest snapshot; empty without one.
fn names(snapshot: Option<&Snapshot>) -> (String, String) {
    snapshot.map_or_else(Default::default, |s| (s.full_release_name(), s.versioned_chart_name()))
}

fn current(subject: &Subject) -> (String, String) {
    names(history::latest(&subject.status.history))
}

/// Of an `install`, `upgrade` or `uninstall`.
pub fn succeeded(action: &str, subject: &Subject) -> String {
    let (release, chart) = current(subject);
    format!("Helm {action} succeeded for release {release} with chart {chart}")
}

/// Of an `install` or `upgrade`, whose release may not be stored.
pub fn failed(action: &str, subject: &Subject, chart: &str, version: &str, error: &str) -> String {
    format!(
        "Helm {action} failed for release {}/{} with chart {chart}@{version}: {}",
        subject.release_namespace(),
        subject.full_release_name(),
        error.trim()
    )
}

pub fn awaiting_tests(subject: &Subject) -> String {
    let (release, chart) = current(subject);
    format!("Helm release {release} with chart {chart} is awaiting tests")
}

pub fn test_succeeded(subject: &Subject) -> String {
    let (release, chart) = current(subject);
    let hooks = history::latest(&subject.status.history).and_then(|s| s.test_hooks.as_ref()).map_or(0, |h| h.len());
    let what = match hooks {
        0 => "no test hooks".to_owned(),
        1 => "1 test hook completed successfully".to_owned(),
        n => format!("{n} test hooks completed successfully"),
    };
    format!("Helm test succeeded for release {release} with chart {chart}: {what}")
}

pub fn test_failed(subject: &Subject, error: &str) -> String {
    let (release, chart) = current(subject);
    format!("Helm test failed for release {release} with chart {chart}: {}", error.trim())
}

pub fn rolled_back(to: &Snapshot) -> String {
    let (release, chart) = names(Some(to));
    format!("Helm rollback to previous release {release} with chart {chart} succeeded")
}

pub fn rollback_failed(to: &Snapshot, error: &str) -> String {
    let (release, chart) = names(Some(to));
    format!("Helm rollback to previous release {release} with chart {chart} failed: {}", error.trim())
}

pub fn uninstall_remediated(subject: &Subject) -> String {
    let (release, chart) = current(subject);
    format!("Helm uninstall remediation for release {release} with chart {chart} succeeded")
}

pub fn uninstall_remediation_failed(subject: &Subject, error: &str) -> String {
    let (release, chart) = current(subject);
    format!("Helm uninstall remediation for release {release} with chart {chart} failed: {}", error.trim())
}

pub fn uninstall_failed(subject: &Subject, error: &str) -> String {
    let (release, chart) = current(subject);
    format!("Helm uninstall failed for release {release} with chart {chart}: {}", error.trim())
}

pub fn not_found(subject: &Subject) -> String {
    format!("Release {} was not found, assuming it is uninstalled", current(subject).0)
}

pub fn already_uninstalled(subject: &Subject) -> String {
    format!("Release {} was already uninstalled", current(subject).0)
}

pub fn unlocked(snapshot: &Snapshot, status: &str) -> String {
    let (release, chart) = names(Some(snapshot));
    format!("Unlocked Helm release {release} with chart {chart} in {status} state")
}

pub fn unlock_failed(snapshot: &Snapshot, status: &str, error: &str) -> String {
    let (release, chart) = names(Some(snapshot));
    format!("Unlock of Helm release {release} with chart {chart} in {status} state failed: {}", error.trim())
}

pub fn drifted(subject: &Subject, summary: &str) -> String {
    format!("Cluster state of release {} has drifted from the desired state:\n{summary}", current(subject).0)
}

pub fn drift_corrected(subject: &Subject, changes: &str) -> String {
    format!("Cluster state of release {} has been corrected:\n{changes}", current(subject).0)
}

pub fn drift_not_corrected(subject: &Subject, errors: &str, changes: &str) -> String {
    let release = current(subject).0;
    if changes.is_empty() {
        return format!("Failed to correct cluster state of release {release}:\n{errors}");
    }
    format!(
        "Failed to partially correct cluster state of release {release}:\n{errors}\n\nSuccessful corrections:\n{changes}"
    )
}
