//! What is done next about a state, and when a reconciliation stops.
//!
//! Source: helm-controller 1.6 `internal/reconcile/atomic_release.go` (`actionForState`, `Reconcile`, `cleanReleaseStrategy`).

use std::time::Duration;

use crate::api::condition::{DRIFTED, FALSE, READY, RECONCILING, RELEASED, REMEDIATED, TRUE};
use crate::api::{Time, annotation};
use crate::golang::duration;

use super::history;
use super::message;
use super::state::State;
use super::subject::{Subject, span};
use super::summary::summarize;
use super::verify::take_request;

/// An action on a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Install,
    Upgrade,
    Test,
    Rollback,
    /// Uninstalls what failed.
    UninstallRemediation,
    Unlock,
    CorrectDrift,
}

/// Of each kind one action runs in one reconciliation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Release,
    Remediate,
    Test,
    Unlock,
    DriftCorrection,
}

impl Action {
    pub const fn kind(self) -> Kind {
        match self {
            Self::Install | Self::Upgrade => Kind::Release,
            Self::Rollback | Self::UninstallRemediation => Kind::Remediate,
            Self::Test => Kind::Test,
            Self::Unlock => Kind::Unlock,
            Self::CorrectDrift => Kind::DriftCorrection,
        }
    }

    /// As messages call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Install => "install",
            Self::Upgrade => "upgrade",
            Self::Test => "test",
            Self::Rollback => "rollback",
            Self::UninstallRemediation => "uninstall",
            Self::Unlock => "unlock",
            Self::CorrectDrift => "correct cluster drift",
        }
    }

    pub fn timeout(self, subject: &Subject) -> Duration {
        let own = match self {
            Self::Install => subject.install().timeout,
            Self::Upgrade => subject.upgrade().timeout,
            Self::Test => subject.test().timeout,
            Self::Rollback => subject.rollback().timeout,
            Self::UninstallRemediation => subject.uninstall().timeout,
            Self::Unlock | Self::CorrectDrift => None,
        };
        span(own.as_ref(), subject.timeout())
    }

    /// `Running 'upgrade' action with timeout of 5m0s`.
    pub fn running(self, subject: &Subject) -> String {
        format!("Running '{}' action with timeout of {}", self.name(), text(self.timeout(subject)))
    }
}

/// A span as Go prints it: `5m0s`.
pub fn text(span: Duration) -> String {
    duration::string(i64::try_from(span.as_nanos()).unwrap_or(i64::MAX))
}

/// What is next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    Act(Action),
    /// Roll back, if the release to go back to is still as it was observed: then say so to [`rollback_or`].
    RollBackIfVerified,
    Nothing,
}

/// Why nothing can be done until something changes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Exhausted {
    #[error("exceeded maximum retries: cannot {0} release")]
    Retries(&'static str),
    #[error("missing target release for rollback: cannot remediate failed release")]
    RollbackTarget,
}

/// How the controller differs from Flux in what is done.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rules {
    /// `RetryOnFailure` is the default strategy.
    pub retry_by_default: bool,
    /// One more attempt is due for a release that is out of retries.
    pub extra_attempt: bool,
}

/// The action for a state. The history is cut, and conditions are put right, as the state says.
///
/// # Errors
/// See [`Exhausted`].
pub fn for_state(subject: &mut Subject, state: &State, rules: Rules, now: &Time) -> Result<Next, Exhausted> {
    // Asked for before anything is done, so that a token acts once.
    let forced = take_request(subject, annotation::FORCE_AT) || rules.extra_attempt;
    match state {
        State::InSync => Ok(in_sync(subject, forced && !rules.extra_attempt, rules, now)),
        State::Locked => Ok(Next::Act(Action::Unlock)),
        State::Absent => {
            if subject.install_remediation().exhausted(&subject.status) && !forced {
                return Err(Exhausted::Retries("install"));
            }
            Ok(Next::Act(Action::Install))
        }
        State::Unmanaged => {
            subject.status.history.clear();
            Ok(Next::Act(Action::Upgrade))
        }
        State::OutOfSync => {
            if subject.upgrade_remediation().exhausted(&subject.status) && !forced {
                return Err(Exhausted::Retries("upgrade"));
            }
            Ok(Next::Act(Action::Upgrade))
        }
        State::Drifted(drifted) => {
            let message = message::drifted(subject, &drifted.summary);
            subject.mark(DRIFTED, TRUE, "DriftDetected", message, now);
            Ok(if subject.drift().1 { Next::Act(Action::CorrectDrift) } else { Next::Nothing })
        }
        State::Untested => {
            remediated_is_released(subject, now);
            Ok(Next::Act(Action::Test))
        }
        State::Failed => failed(subject, forced, rules),
    }
}

fn in_sync(subject: &mut Subject, forced: bool, rules: Rules, now: &Time) -> Next {
    if subject.active_retry(rules.retry_by_default).is_some() {
        history::keep_newest(&mut subject.status.history);
    } else {
        // What may be rolled back to stays: tests may be switched on without any other change.
        let ignore = subject.active_remediation().map_or(subject.test().ignore_failures, |r| r.ignore_test_failures);
        history::truncate(&mut subject.status.history, ignore);
    }
    if forced {
        return Next::Act(Action::Upgrade);
    }
    remediated_is_released(subject, now);
    if !(subject.is(READY, TRUE) && subject.is(RELEASED, TRUE)) {
        let restored = match subject.reason(RELEASED) {
            "InstallFailed" => Some(("InstallSucceeded", message::succeeded("install", subject))),
            "UpgradeFailed" => Some(("UpgradeSucceeded", message::succeeded("upgrade", subject))),
            _ => None,
        };
        if let Some((reason, message)) = restored {
            subject.mark(RELEASED, TRUE, reason, message, now);
            summarize(subject, now);
        }
    }
    if subject.drift().0 {
        subject.mark(DRIFTED, FALSE, "NoDriftDetected", "No drift detected against the cluster state", now);
    }
    Next::Nothing
}

/// What was rolled back to is what is wanted (again): then it is no remediation, but the release.
fn remediated_is_released(subject: &mut Subject, now: &Time) {
    if subject.is(REMEDIATED, TRUE) {
        let message = message::succeeded("upgrade", subject);
        subject.unmark(REMEDIATED);
        subject.unmark(RELEASED);
        subject.mark(RELEASED, TRUE, "UpgradeSucceeded", message, now);
    }
}

fn failed(subject: &mut Subject, forced: bool, rules: Rules) -> Result<Next, Exhausted> {
    if subject.active_retry(rules.retry_by_default).is_some() {
        history::keep_newest(&mut subject.status.history);
        return Ok(Next::Act(Action::Upgrade));
    }
    let Some(remediation) = subject.active_remediation() else { return Ok(Next::Act(Action::Upgrade)) };
    // Without failures the conditions of the failure have changed.
    if remediation.failures(&subject.status) <= 0 || forced {
        return Ok(Next::Act(Action::Upgrade));
    }
    if remediation.exhausted(&subject.status) && !remediation.remediate_last_failure {
        return Err(Exhausted::Retries("remediate failed"));
    }
    history::truncate(&mut subject.status.history, remediation.ignore_test_failures);
    if remediation.uninstall {
        return Ok(Next::Act(Action::UninstallRemediation));
    }
    Ok(Next::RollBackIfVerified)
}

/// What is known of the release to go back to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// It is stored, and as it was observed.
    Verified,
    /// There is none in the history.
    Missing,
    /// It is gone from storage, or was changed.
    Corrupt,
}

/// The remediation of a failed release by rollback.
///
/// # Errors
/// There is nothing to go back to.
pub const fn rollback_or(target: Target) -> Result<Action, Exhausted> {
    match target {
        Target::Verified => Ok(Action::Rollback),
        Target::Missing => Err(Exhausted::RollbackTarget),
        // The upgrade may well go through now.
        Target::Corrupt => Ok(Action::Upgrade),
    }
}

/// How a reconciliation ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// Until the interval is over, or something changes.
    Done,
    /// The same again after this time.
    RetryAfter(Duration),
    /// At once, or nearly so.
    Requeue,
    /// Nothing can be done until something changes.
    Stalled(Exhausted),
}

/// Before an action: whether to stop, because one of its kind has run already.
pub fn stop_before(subject: &mut Subject, action: Action, ran: &[Kind], rules: Rules, now: &Time) -> Option<End> {
    if !ran.contains(&action.kind()) {
        return None;
    }
    if let Some(end) = retry(subject, rules, now) {
        return Some(end);
    }
    match subject.active_remediation() {
        Some(remediation) if remediation.exhausted(&subject.status) => {
            subject.unmark(RECONCILING);
            Some(End::Done)
        }
        _ => Some(requeue(subject, now)),
    }
}

/// After an action that did what it could: whether to stop.
pub fn stop_after(subject: &mut Subject, action: Action, rules: Rules, now: &Time) -> Option<End> {
    if action.kind() != Kind::Remediate {
        return None;
    }
    if let Some(end) = retry(subject, rules, now) {
        return Some(end);
    }
    match subject.active_remediation() {
        Some(r) if r.exhausted(&subject.status) && !r.is_uninstall_after_upgrade() => {
            Some(End::Stalled(Exhausted::Retries(if r.of_install { "install" } else { "upgrade" })))
        }
        _ => Some(requeue(subject, now)),
    }
}

/// Under `RetryOnFailure`: again after the retry interval.
pub fn retry(subject: &mut Subject, rules: Rules, now: &Time) -> Option<End> {
    let after = subject.active_retry(rules.retry_by_default)?;
    subject.mark_reconciling("ProgressingWithRetry", format!("retrying after {}", text(after)), now);
    Some(End::RetryAfter(after))
}

fn requeue(subject: &mut Subject, now: &Time) -> End {
    let message = subject.message(READY).to_owned();
    subject.mark_reconciling("ProgressingWithRetry", message, now);
    End::Requeue
}

/// What is said of a release for which nothing can be done: the reason and message of `Stalled`.
pub fn stalled(subject: &Subject, why: &Exhausted) -> (&'static str, String) {
    match why {
        Exhausted::Retries(_) => {
            let failures = subject.active_remediation().map_or(0, |r| r.failures(&subject.status));
            let action = &subject.status.last_attempted_release_action;
            ("RetriesExceeded", format!("Failed to {action} after {failures} attempt(s)"))
        }
        Exhausted::RollbackTarget => ("MissingRollbackTarget", format!("Failed to perform remediation: {why}")),
    }
}
