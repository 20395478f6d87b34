//! What a controller that died had under way: its record is stored, but the status does not know of it.
//!
//! Flux takes such a release for somebody else's: it forgets what it could roll back to, and a HelmRelease that is deleted or renamed then leaves
//! the release behind. Here the status tells before an action what is about to be made, at the price of no further write: the last attempt's
//! chart and values always, and the release's name and place by an announced snapshot where no other snapshot tells them. A record that is the
//! attempted one, with the labels that name this HelmRelease on its objects, is claimed.

use crate::api::condition::{FALSE, RELEASED, REMEDIATED, TRUE};
use crate::api::snapshot::SNAPSHOT_VERSION;
use crate::api::{HelmReleaseStatus, Snapshot, Time, annotation};
use crate::cluster::{Json, manifest};
use crate::release::{Record, Status};
use crate::values::digest::Algorithm;

use super::action::Action;
use super::history;
use super::message;
use super::record::{About, Event, Severity};
use super::subject::Subject;
use super::summary::summarize;
use super::verify;

/// What was attempted last, as the status tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attempt {
    chart_version: String,
    config_digest: String,
    oci_digest: String,
    /// `install` or `upgrade`.
    action: String,
}

impl Attempt {
    pub fn of(status: &HelmReleaseStatus) -> Self {
        Self {
            chart_version: status.last_attempted_revision.clone(),
            config_digest: status.last_attempted_config_digest.clone(),
            oci_digest: status.last_attempted_revision_digest.clone(),
            action: status.last_attempted_release_action.clone(),
        }
    }
}

/// A snapshot of what is about to be made, where no other tells the release's name and place. Its digest is none, so that nobody, Flux neither,
/// takes it for an observed release. `last` is the newest stored revision.
pub fn announce(subject: &mut Subject, action: Action, about: &About, last: i64, now: &Time) {
    let (name, pending) = match action {
        Action::Install => ("install", Status::PendingInstall),
        Action::Upgrade => ("upgrade", Status::PendingUpgrade),
        _ => return,
    };
    subject.status.last_attempted_release_action = name.into();
    if action == Action::Install {
        // Nothing before an installation may be rolled back to.
        subject.status.history.clear();
    }
    if !subject.status.history.is_empty() {
        return;
    }
    subject.status.history.push(Snapshot {
        api_version: SNAPSHOT_VERSION.into(),
        name: subject.release_name(),
        namespace: subject.release_namespace().into(),
        version: last + 1,
        status: pending.as_str().into(),
        action: name.into(),
        chart_name: about.chart.clone(),
        chart_version: about.version.clone(),
        app_version: about.app_version.clone(),
        config_digest: about.config_digest.clone(),
        first_deployed: now.clone(),
        last_deployed: now.clone(),
        digest: String::new(),
        deleted: None,
        test_hooks: None,
        oci_digest: String::new(),
    });
}

/// Whether a snapshot is only announced.
const fn is_announced(snapshot: &Snapshot) -> bool {
    snapshot.digest.is_empty()
}

/// Takes back what was announced: the action has ended, and what it made is known.
pub fn settle(subject: &mut Subject) {
    subject.status.history.retain(|s| !is_announced(s));
}

/// Takes the newest record into the history if it is what was attempted, and gives what is to be told of it.
pub fn claim(
    subject: &mut Subject,
    attempt: &Attempt,
    last: &Record,
    about: &About,
    now: &Time,
) -> (bool, Option<Event>) {
    let current = history::latest(&subject.status.history);
    if current.is_some_and(|c| c.version > last.version || verify::object(c, last).is_ok()) {
        return (false, None);
    }
    let Some((mut snapshot, rolled_back_to)) = attempted(subject, attempt, last, about.algorithm) else {
        return (false, None);
    };
    // What is known of tests stays known.
    if let Some(old) = subject.status.history.iter().find(|s| history::targets(s, last)) {
        snapshot.test_hooks.clone_from(&old.test_hooks);
    }
    subject.status.history.retain(|s| !history::targets(s, last) && !is_announced(s));
    subject.status.history.insert(0, snapshot.clone());
    if last.info.status != Status::Deployed {
        return (true, None);
    }
    let (reason, text) = match &rolled_back_to {
        Some(to) => {
            let text = message::rolled_back(to);
            subject.mark(REMEDIATED, TRUE, "RollbackSucceeded", text.as_str(), now);
            ("RollbackSucceeded", text)
        }
        None => {
            let text = message::succeeded(&snapshot.action, subject);
            let reason = if snapshot.action == "install" { "InstallSucceeded" } else { "UpgradeSucceeded" };
            subject.unmark(REMEDIATED);
            subject.mark(RELEASED, TRUE, reason, text.as_str(), now);
            (reason, text)
        }
    };
    if rolled_back_to.is_some() && !subject.is(RELEASED, FALSE) {
        subject.unmark(RELEASED);
    }
    summarize(subject, now);
    (true, Some(about.of(&snapshot, Severity::Normal, reason, text)))
}

/// Before an uninstall: the newest record is this object's if its objects bear its name, whatever was attempted since. What was announced and
/// never made, or is another's, is not there.
pub fn inherit(subject: &mut Subject, last: Option<&Record>, algorithm: Algorithm) {
    settle(subject);
    if let Some(last) = last
        && subject.status.history.is_empty()
        && last.info.status != Status::Uninstalled
        && is_ours(subject, last)
        && let Ok(snapshot) = history::observe(last, &subject.status.last_attempted_release_action, "", algorithm)
    {
        subject.status.history.push(snapshot);
    }
}

/// The snapshot of a record that the last attempt, or the rollback of it, has made.
fn attempted(
    subject: &Subject,
    attempt: &Attempt,
    last: &Record,
    algorithm: Algorithm,
) -> Option<(Snapshot, Option<Snapshot>)> {
    let status = last.info.status;
    let open = status.is_pending() || matches!(status, Status::Failed | Status::Deployed | Status::Uninstalling);
    if !open || !is_ours(subject, last) {
        return None;
    }
    let newer = history::latest(&subject.status.history)
        .is_none_or(|c| c.name == last.name && c.namespace == last.namespace && c.version <= last.version);
    if !newer {
        return None;
    }
    let taken = history::observe(last, &attempt.action, &attempt.oci_digest, algorithm).ok()?;
    let same = |version: &str, digest: &str| taken.chart_version == version && taken.config_digest == digest;
    // Merged values are another's digest.
    let merged = subject.upgrade().preserve_values && taken.chart_version == attempt.chart_version;
    if status != Status::PendingRollback
        && !attempt.action.is_empty()
        && (same(&attempt.chart_version, &attempt.config_digest) || merged)
    {
        return Some((taken, None));
    }
    let known = subject.status.history.iter().filter(|s| !is_announced(s) && s.version < last.version);
    let to = known.filter(|s| same(&s.chart_version, &s.config_digest)).max_by_key(|s| s.version)?.clone();
    let taken = history::observe(last, "rollback", &to.oci_digest, algorithm).ok()?;
    Some((taken, Some(to)))
}

/// Whether the objects of a release bear this HelmRelease's name.
fn is_ours(subject: &Subject, record: &Record) -> bool {
    let names_us = |text: &str| {
        let objects = manifest::objects(text.as_bytes()).unwrap_or_default();
        objects.iter().any(|object| {
            let label = |key: &str| object.get("metadata")?.get("labels")?.get(key).and_then(Json::as_str);
            label(annotation::ORIGIN_NAME) == Some(subject.name.as_str())
                && label(annotation::ORIGIN_NAMESPACE) == Some(subject.namespace.as_str())
        })
    };
    names_us(&record.manifest) || record.hooks.iter().any(|h| names_us(&h.manifest))
}
