//! What an action did, written into the status: history, counters, conditions, and the event that tells of it.
//!
//! Source: helm-controller 1.6 `internal/reconcile/{install,upgrade,test,rollback_remediation,uninstall*,unlock,release}.go`.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::api::condition::{FALSE, RELEASED, REMEDIATED, TEST_SUCCESS, TRUE, UNKNOWN};
use crate::api::{GoDuration, Snapshot, Time};
use crate::release::{Record, Status};
use crate::values::digest::Algorithm;

use super::action::Action;
use super::claim;
use super::history;
use super::message;
use super::observe::Written;
use super::subject::Subject;
use super::summary::summarize;

/// How loud an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    Normal,
    Warning,
    /// Only Kubernetes hears of it.
    Trace,
}

/// Something that people are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    pub severity: Severity,
    pub reason: String,
    pub message: String,
    /// Annotations of the Kubernetes event, metadata of the notification.
    pub metadata: BTreeMap<String, String>,
}

impl Event {
    pub fn new(severity: Severity, reason: &str, message: impl Into<String>) -> Self {
        Self { severity, reason: reason.into(), message: message.into(), metadata: BTreeMap::new() }
    }
}

/// What is being released, for messages and events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    pub chart: String,
    pub version: String,
    pub app_version: String,
    /// Of the values.
    pub config_digest: String,
    /// Of the chart's OCI artifact.
    pub oci_digest: String,
    /// The commit or the like that the source's artifact was made of.
    pub origin_revision: String,
    pub algorithm: Algorithm,
}

const GROUP: &str = "helm.toolkit.fluxcd.io";
/// The metadata key of what the chart's source was made of.
pub const ORIGIN_REVISION: &str = "helm.toolkit.fluxcd.io/originRevision";

fn metadata(version: &str, token: &str, app_version: &str, oci_digest: &str, origin: &str) -> BTreeMap<String, String> {
    let pairs = [
        ("revision", version),
        ("token", token),
        ("app-version", app_version),
        ("oci-digest", oci_digest),
        ("originRevision", origin),
    ];
    pairs.into_iter().filter(|(_, v)| !v.is_empty()).map(|(k, v)| (format!("{GROUP}/{k}"), v.to_owned())).collect()
}

impl About {
    /// An event about what is wanted.
    pub fn wanted(&self, severity: Severity, reason: &str, message: impl Into<String>) -> Event {
        let metadata =
            metadata(&self.version, &self.config_digest, &self.app_version, &self.oci_digest, &self.origin_revision);
        Event { metadata, ..Event::new(severity, reason, message) }
    }

    /// An event about a snapshot.
    pub fn of(&self, snapshot: &Snapshot, severity: Severity, reason: &str, message: impl Into<String>) -> Event {
        let metadata = metadata(
            &snapshot.chart_version,
            &snapshot.config_digest,
            &snapshot.app_version,
            &snapshot.oci_digest,
            &self.origin_revision,
        );
        Event { metadata, ..Event::new(severity, reason, message) }
    }

    fn of_latest(&self, subject: &Subject, severity: Severity, reason: &str, message: impl Into<String>) -> Event {
        match history::latest(&subject.status.history) {
            Some(latest) => self.of(latest, severity, reason, message),
            None => Event::new(severity, reason, message),
        }
    }
}

/// An action's end.
#[derive(Clone, Debug)]
pub struct Recorded {
    pub event: Option<Event>,
    /// The action failed without a trace in storage: to be tried again soon, uncounted.
    pub unstored: Option<String>,
    /// What it has changed, and took back.
    pub changes: Option<String>,
}

impl Recorded {
    const fn event(event: Event) -> Self {
        Self { event: Some(event), unstored: None, changes: None }
    }

    fn with(event: Event, unstored: bool, error: &str) -> Self {
        Self { event: Some(event), unstored: unstored.then(|| error.to_owned()), changes: None }
    }
}

/// Before an installation or upgrade.
pub fn begin(subject: &mut Subject, action: Action) {
    claim::settle(subject);
    match action {
        Action::Install => {
            subject.status.last_attempted_release_action = "install".into();
            // Nothing before an installation may be rolled back to.
            subject.status.history.clear();
        }
        Action::Upgrade => subject.status.last_attempted_release_action = "upgrade".into(),
        _ => return,
    }
    subject.unmark(TEST_SUCCESS);
    subject.unmark(REMEDIATED);
}

/// Puts a snapshot in the place of the one of the same revision; tests that were run are kept. Tells whether there was one.
fn replace(
    subject: &mut Subject,
    record: &Record,
    action: Option<&str>,
    algorithm: Algorithm,
    keep_tests: bool,
) -> bool {
    let Some(old) = subject.status.history.iter_mut().find(|s| history::targets(s, record)) else { return false };
    let action = action.unwrap_or(&old.action).to_owned();
    if let Ok(mut new) = history::observe(record, &action, &old.oci_digest, algorithm) {
        new.test_hooks = old.test_hooks.take().filter(|_| keep_tests);
        *old = new;
    }
    true
}

fn prepend(subject: &mut Subject, record: &Record, action: &str, oci_digest: &str, algorithm: Algorithm) {
    if let Ok(new) = history::observe(record, action, oci_digest, algorithm) {
        subject.status.history.insert(0, new);
    }
}

/// After an installation or upgrade. `before` is the newest revision that was stored before it.
#[allow(clippy::too_many_arguments, reason = "what an action's end is known by")]
pub fn released(
    subject: &mut Subject,
    action: Action,
    about: &About,
    before: i64,
    written: &Written,
    error: Option<&str>,
    took: Duration,
    retry_by_default: bool,
    now: &Time,
) -> Recorded {
    let name = action.name();
    subject.status.last_attempted_release_action_duration = Some(GoDuration::from(took).0);
    let newest = written.iter().next_back().filter(|(version, _)| **version > before).map(|(_, record)| record);
    if let Some(record) = newest {
        prepend(subject, record, name, &subject.status.last_attempted_revision_digest.clone(), about.algorithm);
    }
    for record in written.values().filter(|r| newest.is_none_or(|n| n.version != r.version)) {
        replace(subject, record, None, about.algorithm, true);
    }
    let install = action == Action::Install;
    if let Some(error) = error {
        let reason = if install { "InstallFailed" } else { "UpgradeFailed" };
        let text = message::failed(name, subject, &about.chart, &about.version, error);
        subject.status.failures += 1;
        subject.mark(RELEASED, FALSE, reason, text.as_str(), now);
        // What left no revision needs no remedy.
        if newest.is_some() {
            let remediation = if install { subject.install_remediation() } else { subject.upgrade_remediation() };
            remediation.count(&mut subject.status);
        }
        summarize(subject, now);
        return Recorded::with(about.wanted(Severity::Warning, reason, text), newest.is_none(), error);
    }
    let reason = if install { "InstallSucceeded" } else { "UpgradeSucceeded" };
    let text = message::succeeded(name, subject);
    subject.mark(RELEASED, TRUE, reason, text.as_str(), now);
    if subject.test().enable && !history::latest(&subject.status.history).is_some_and(Snapshot::has_been_tested) {
        let text = message::awaiting_tests(subject);
        subject.mark(TEST_SUCCESS, UNKNOWN, "AwaitingTests", text, now);
    }
    let retry = if install { subject.install_retry(retry_by_default) } else { subject.upgrade_retry(retry_by_default) };
    if retry.is_some() {
        subject.clear_failures();
    }
    summarize(subject, now);
    Recorded::event(about.of_latest(subject, Severity::Normal, reason, text))
}

/// After an installation or upgrade whose wait was given up for something newer: it is no failure.
pub fn superseded(subject: &mut Subject, action: Action, about: &About, before: i64, written: &Written) {
    for record in written.values() {
        if record.version > before {
            prepend(
                subject,
                record,
                action.name(),
                &subject.status.last_attempted_revision_digest.clone(),
                about.algorithm,
            );
        } else {
            replace(subject, record, None, about.algorithm, true);
        }
    }
}

/// After tests. `tested` is the release with its tests' results; it counts only if it is the latest.
pub fn tested(
    subject: &mut Subject,
    about: &About,
    tested: Option<&Record>,
    error: Option<&str>,
    now: &Time,
) -> Recorded {
    let filters = subject.test().filters.unwrap_or_default();
    let mut mismatch = None;
    if let Some(record) = tested {
        let current = history::latest(&subject.status.history);
        if current.is_some_and(|c| history::targets(c, record)) {
            let hooks = history::test_hooks(record, &filters);
            replace(subject, record, None, about.algorithm, false);
            if let Some(latest) = history::latest_mut(&mut subject.status.history) {
                latest.test_hooks = Some(hooks);
            }
        } else {
            mismatch = Some(format!(
                "release mismatch: tested release {}/{}.v{} != current release {}",
                record.namespace,
                record.name,
                record.version,
                current.map(Snapshot::full_release_name).unwrap_or_default()
            ));
        }
    }
    if let Some(error) = mismatch.as_deref().or(error) {
        let text = message::test_failed(subject, error);
        subject.status.failures += 1;
        subject.mark(TEST_SUCCESS, FALSE, "TestFailed", text.as_str(), now);
        let event = about.of_latest(subject, Severity::Warning, "TestFailed", text);
        let seen = history::latest(&subject.status.history).is_some_and(Snapshot::has_been_tested);
        if seen && let Some(remediation) = subject.active_remediation().filter(|r| !r.ignore_test_failures) {
            remediation.count(&mut subject.status);
        }
        summarize(subject, now);
        return Recorded::with(event, !seen, error);
    }
    let text = message::test_succeeded(subject);
    subject.mark(TEST_SUCCESS, TRUE, "TestSucceeded", text.as_str(), now);
    summarize(subject, now);
    Recorded::event(about.of_latest(subject, Severity::Normal, "TestSucceeded", text))
}

/// After a rollback to an earlier release.
pub fn rolled_back(
    subject: &mut Subject,
    about: &About,
    to: &Snapshot,
    written: &Written,
    error: Option<&str>,
    now: &Time,
) -> Recorded {
    let before = history::latest(&subject.status.history).map_or_else(String::new, |s| s.digest.clone());
    for record in written.values() {
        if !replace(subject, record, None, about.algorithm, true) {
            prepend(subject, record, "rollback", "", about.algorithm);
        }
    }
    // What was rolled back to, made of the values that were wanted.
    let event = |severity, reason, text: String| {
        let metadata =
            metadata(&to.chart_version, &about.config_digest, &to.app_version, &to.oci_digest, &about.origin_revision);
        Event { metadata, ..Event::new(severity, reason, text) }
    };
    let recorded = match error {
        Some(error) => {
            let text = message::rollback_failed(to, error);
            subject.status.failures += 1;
            subject.mark(REMEDIATED, FALSE, "RollbackFailed", text.as_str(), now);
            let unstored = history::latest(&subject.status.history).is_none_or(|s| s.digest == before);
            Recorded::with(event(Severity::Warning, "RollbackFailed", text), unstored, error)
        }
        None => {
            let text = message::rolled_back(to);
            subject.mark(REMEDIATED, TRUE, "RollbackSucceeded", text.as_str(), now);
            Recorded::event(event(Severity::Normal, "RollbackSucceeded", text))
        }
    };
    summarize(subject, now);
    recorded
}

fn follow_uninstall(subject: &mut Subject, written: &Written, action: &str, about: &About) -> bool {
    let before = history::latest(&subject.status.history).map(|s| s.digest.clone());
    for record in written.values() {
        replace(subject, record, Some(action), about.algorithm, true);
    }
    history::latest(&subject.status.history).map(|s| s.digest.clone()) != before
}

/// What an uninstall of another revision than the latest is.
fn mismatch(subject: &Subject, uninstalled: Option<&Record>) -> Option<String> {
    let (record, current) = (uninstalled?, history::latest(&subject.status.history)?);
    (!history::targets(current, record)).then(|| {
        format!(
            "release mismatch: uninstalled release {}/{}.v{} != current release {}",
            record.namespace,
            record.name,
            record.version,
            current.full_release_name()
        )
    })
}

const NO_UPDATE: &str = "uninstall completed with error: release not updated in Helm storage";

/// After the uninstall of a failed release. Not summarized: `Ready` says what failed.
pub fn uninstall_remediated(
    subject: &mut Subject,
    about: &About,
    written: &Written,
    uninstalled: Option<&Record>,
    error: Option<&str>,
    now: &Time,
) -> Recorded {
    let mismatch = mismatch(subject, uninstalled);
    let updated = follow_uninstall(subject, written, "uninstall-remediation", about);
    let error = mismatch.as_deref().or(error).or((!updated).then_some(NO_UPDATE));
    match error {
        Some(error) => {
            let text = message::uninstall_remediation_failed(subject, error);
            subject.status.failures += 1;
            subject.mark(REMEDIATED, FALSE, "UninstallFailed", text.as_str(), now);
            Recorded::with(about.of_latest(subject, Severity::Warning, "UninstallFailed", text), !updated, error)
        }
        None => {
            let text = message::uninstall_remediated(subject);
            subject.mark(REMEDIATED, TRUE, "UninstallSucceeded", text.as_str(), now);
            Recorded::event(about.of_latest(subject, Severity::Normal, "UninstallSucceeded", text))
        }
    }
}

/// How an uninstall for good came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gone {
    Uninstalled,
    NotFound,
    /// It was uninstalled before, with its history kept.
    Already,
}

/// After an uninstall for good: the object is being deleted, or its release lives elsewhere from now on.
///
/// # Errors
/// It failed; to be tried again.
pub fn uninstalled(
    subject: &mut Subject,
    about: &About,
    written: &Written,
    uninstalled: Option<&Record>,
    result: Result<Gone, String>,
    now: &Time,
) -> (Result<(), String>, Option<Event>) {
    let was_uninstalled =
        history::latest(&subject.status.history).is_some_and(|s| s.status == Status::Uninstalled.as_str());
    let mismatch = mismatch(subject, uninstalled);
    let updated = follow_uninstall(subject, written, "uninstall", about);
    let result = match (mismatch, result) {
        (Some(e), _) => Err(e),
        (None, Ok(Gone::Uninstalled)) if !updated && !was_uninstalled => Err(NO_UPDATE.to_owned()),
        (None, result) => result,
    };
    let out = match result {
        Ok(Gone::Uninstalled) => {
            let text = message::succeeded("uninstall", subject);
            subject.status.inventory = None;
            subject.mark(RELEASED, FALSE, "UninstallSucceeded", text.as_str(), now);
            (Ok(()), Some(about.of_latest(subject, Severity::Normal, "UninstallSucceeded", text)))
        }
        Ok(gone) => {
            let text = match gone {
                Gone::NotFound => message::not_found(subject),
                _ => message::already_uninstalled(subject),
            };
            subject.mark(RELEASED, FALSE, "UninstallSucceeded", text, now);
            (Ok(()), None)
        }
        Err(error) => {
            let text = message::uninstall_failed(subject, &error);
            subject.status.failures += 1;
            subject.mark(RELEASED, FALSE, "UninstallFailed", text.as_str(), now);
            let event = about.of_latest(subject, Severity::Warning, "UninstallFailed", text);
            (Err(error), Some(event))
        }
    };
    summarize(subject, now);
    out
}

/// After the newest revision was unlocked: `record` as it is now, or as it was found if `error` says that it could not be written.
pub fn unlocked(
    subject: &mut Subject,
    about: &About,
    record: &Record,
    was: Status,
    error: Option<&str>,
    now: &Time,
) -> Recorded {
    let oci = subject.status.history.iter().find(|s| history::targets(s, record)).map(|s| s.oci_digest.clone());
    let Ok(current) = history::observe(record, "", &oci.unwrap_or_default(), about.algorithm) else {
        return Recorded { event: None, unstored: error.map(str::to_owned), changes: None };
    };
    let (severity, text) = match error {
        Some(error) => {
            subject.status.failures += 1;
            (Severity::Warning, message::unlock_failed(&current, was.as_str(), error))
        }
        None => {
            replace(subject, record, None, about.algorithm, false);
            (Severity::Normal, message::unlocked(&current, was.as_str()))
        }
    };
    subject.mark(RELEASED, FALSE, "PendingRelease", text.as_str(), now);
    summarize(subject, now);
    Recorded::with(about.of(&current, severity, "PendingRelease", text), error.is_some(), error.unwrap_or_default())
}
