//! A HelmRelease as the state machine sees it: its spec with Flux's defaults, and the status that it works on.
//!
//! Source of the defaults: helm-controller 1.6 `api/v2/helmrelease_types.go`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::api::action::{Install, RETRY_INTERVAL, Rollback, Test, Uninstall, Upgrade};
use crate::api::{GoDuration, HelmReleaseSpec, HelmReleaseStatus, Time, condition};

use crate::repo::{composed_name, short_name};

/// The default of `spec.timeout`.
const TIMEOUT: Duration = Duration::from_secs(300);
/// The default of `spec.maxHistory`.
const MAX_HISTORY: usize = 5;

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Subject {
    pub name: String,
    pub namespace: String,
    pub uid: String,
    pub generation: i64,
    pub labels: BTreeMap<String, String>,
    pub annotations: BTreeMap<String, String>,
    /// It is being deleted.
    pub deleting: bool,
    pub spec: Arc<HelmReleaseSpec>,
    pub status: HelmReleaseStatus,
}

/// What follows a failure of the last attempted action, under the strategy `RemediateOnFailure`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remediation {
    /// Of an installation; otherwise of an upgrade.
    pub of_install: bool,
    /// Negative: without end.
    pub retries: i64,
    pub ignore_test_failures: bool,
    pub remediate_last_failure: bool,
    /// By uninstalling; otherwise by a rollback.
    pub uninstall: bool,
}

impl Remediation {
    /// Failures so far that count for it.
    pub fn failures(&self, status: &HelmReleaseStatus) -> i64 {
        if self.of_install { status.install_failures } else { status.upgrade_failures }
    }

    pub fn exhausted(&self, status: &HelmReleaseStatus) -> bool {
        self.retries >= 0 && self.failures(status) > self.retries
    }

    pub fn count(&self, status: &mut HelmReleaseStatus) {
        if self.of_install {
            status.install_failures += 1;
        } else {
            status.upgrade_failures += 1;
        }
    }

    /// After which a new installation follows at once.
    pub const fn is_uninstall_after_upgrade(&self) -> bool {
        self.uninstall && !self.of_install
    }
}

pub(super) fn span(text: Option<&GoDuration>, default: Duration) -> Duration {
    text.map_or(default, |d| d.or(default))
}

impl Subject {
    pub fn install(&self) -> Install {
        self.spec.install.clone().unwrap_or_default()
    }

    pub fn upgrade(&self) -> Upgrade {
        self.spec.upgrade.clone().unwrap_or_default()
    }

    pub fn test(&self) -> Test {
        self.spec.test.clone().unwrap_or_default()
    }

    pub fn rollback(&self) -> Rollback {
        self.spec.rollback.clone().unwrap_or_default()
    }

    pub fn uninstall(&self) -> Uninstall {
        self.spec.uninstall.clone().unwrap_or_default()
    }

    pub fn timeout(&self) -> Duration {
        span(self.spec.timeout.as_ref(), TIMEOUT)
    }

    pub fn interval(&self) -> Duration {
        self.spec.interval.or(Duration::from_secs(3600))
    }

    /// Revisions that Helm keeps; 0: all.
    pub fn max_history(&self) -> usize {
        self.spec.max_history.map_or(MAX_HISTORY, |n| usize::try_from(n).unwrap_or_default())
    }

    /// The release's name before it is shortened.
    pub fn full_release_name(&self) -> String {
        composed_name(&self.spec.release_name, &self.spec.target_namespace, &self.name)
    }

    /// The release's name in Helm's storage.
    pub fn release_name(&self) -> String {
        short_name(&self.full_release_name())
    }

    /// Where the release's objects are.
    pub fn release_namespace(&self) -> &str {
        if self.spec.target_namespace.is_empty() { &self.namespace } else { &self.spec.target_namespace }
    }

    /// Where Helm's records are.
    pub fn storage_namespace(&self) -> &str {
        if self.spec.storage_namespace.is_empty() { &self.namespace } else { &self.spec.storage_namespace }
    }

    /// `namespace/name`, as messages call it.
    pub fn key(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    /// Whether drift is looked for, and whether it is corrected.
    pub fn drift(&self) -> (bool, bool) {
        match self.spec.drift_detection.as_ref().map(|d| d.mode.as_str()) {
            Some("enabled") => (true, true),
            Some("warn") => (true, false),
            _ => (false, false),
        }
    }

    pub fn install_remediation(&self) -> Remediation {
        let given = self.install().remediation.unwrap_or_default();
        Remediation {
            of_install: true,
            retries: given.retries,
            ignore_test_failures: given.ignore_test_failures.unwrap_or(self.test().ignore_failures),
            remediate_last_failure: given.remediate_last_failure.unwrap_or(false),
            uninstall: true,
        }
    }

    pub fn upgrade_remediation(&self) -> Remediation {
        let given = self.upgrade().remediation.unwrap_or_default();
        Remediation {
            of_install: false,
            retries: given.retries,
            ignore_test_failures: given.ignore_test_failures.unwrap_or(self.test().ignore_failures),
            remediate_last_failure: given.remediate_last_failure.unwrap_or(given.retries > 0),
            uninstall: given.strategy == "uninstall",
        }
    }

    /// That of the last attempted action; none before the first.
    pub fn active_remediation(&self) -> Option<Remediation> {
        match self.status.last_attempted_release_action.as_str() {
            "install" => Some(self.install_remediation()),
            "upgrade" => Some(self.upgrade_remediation()),
            _ => None,
        }
    }

    /// The time between attempts of an installation under `RetryOnFailure`.
    pub fn install_retry(&self, by_default: bool) -> Option<Duration> {
        let strategy = self.install().strategy.map(|s| (s.name, s.retry_interval));
        retry(strategy, by_default)
    }

    pub fn upgrade_retry(&self, by_default: bool) -> Option<Duration> {
        let strategy = self.upgrade().strategy.map(|s| (s.name, s.retry_interval));
        retry(strategy, by_default)
    }

    /// That of the last attempted action, if its strategy is `RetryOnFailure`.
    pub fn active_retry(&self, by_default: bool) -> Option<Duration> {
        match self.status.last_attempted_release_action.as_str() {
            "install" => self.install_retry(by_default),
            "upgrade" => self.upgrade_retry(by_default),
            _ => None,
        }
    }

    pub fn clear_failures(&mut self) {
        self.status.failures = 0;
        self.status.install_failures = 0;
        self.status.upgrade_failures = 0;
    }

    /// Sets a condition of this generation.
    pub fn mark(&mut self, kind: &str, status: &str, reason: &str, message: impl Into<String>, now: &Time) {
        condition::set(&mut self.status.conditions, kind, status, reason, message, self.generation, now);
    }

    pub fn unmark(&mut self, kind: &str) {
        condition::remove(&mut self.status.conditions, kind);
    }

    /// `Reconciling=True`; it is not stalled then.
    pub fn mark_reconciling(&mut self, reason: &str, message: impl Into<String>, now: &Time) {
        self.unmark(condition::STALLED);
        self.mark(condition::RECONCILING, condition::TRUE, reason, message, now);
    }

    /// `Stalled=True`; it is not reconciling then.
    pub fn mark_stalled(&mut self, reason: &str, message: impl Into<String>, now: &Time) {
        self.unmark(condition::RECONCILING);
        self.mark(condition::STALLED, condition::TRUE, reason, message, now);
    }

    pub fn is(&self, kind: &str, status: &str) -> bool {
        condition::is(&self.status.conditions, kind, status)
    }

    pub fn reason(&self, kind: &str) -> &str {
        condition::get(&self.status.conditions, kind).map_or("", |c| &c.reason)
    }

    pub fn message(&self, kind: &str) -> &str {
        condition::get(&self.status.conditions, kind).map_or("", |c| &c.message)
    }
}

fn retry(strategy: Option<(String, Option<GoDuration>)>, by_default: bool) -> Option<Duration> {
    match strategy {
        None => by_default.then_some(RETRY_INTERVAL),
        Some((name, interval)) if name == "RetryOnFailure" => Some(span(interval.as_ref(), RETRY_INTERVAL)),
        Some(_) => None,
    }
}

/// Now, in whole seconds, as Kubernetes keeps times.
pub fn now() -> Time {
    let now = jiff::Timestamp::now();
    Time(jiff::Timestamp::from_second(now.as_second()).unwrap_or(now))
}
