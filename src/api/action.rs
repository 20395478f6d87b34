//! How a release is installed, upgraded, tested, rolled back and uninstalled, and what follows a failure.
//!
//! The schema has few defaults: what a controller does with an absent field is told by the accessors here. Source: helm-controller 1.6
//! `api/v2/helmrelease_types.go`.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::schema::without_format;
use super::{GoDuration, empty};

/// Between attempts of `RetryOnFailure`.
pub const RETRY_INTERVAL: Duration = Duration::from_secs(300);

/// How a release is installed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Install {
    /// Timeout of each Kubernetes operation (a Job of a hook, for example) of the action; `spec.timeout` by default.
    #[serde(default, skip_serializing_if = "empty")]
    pub timeout: Option<GoDuration>,
    /// What follows a failed installation.
    #[serde(default, skip_serializing_if = "empty")]
    pub strategy: Option<InstallStrategy>,
    /// How often a failed installation is undone and tried again, with the strategy `RemediateOnFailure`.
    #[serde(default, skip_serializing_if = "empty")]
    pub remediation: Option<InstallRemediation>,
    /// Do not adopt objects that exist already: they are an error then.
    #[serde(default, skip_serializing_if = "empty")]
    pub disable_take_ownership: bool,
    /// Do not wait for the objects to be ready.
    #[serde(default, skip_serializing_if = "empty")]
    pub disable_wait: bool,
    /// Do not wait for Jobs to complete.
    #[serde(default, skip_serializing_if = "empty")]
    pub disable_wait_for_jobs: bool,
    /// Do not run hooks.
    #[serde(default, skip_serializing_if = "empty")]
    pub disable_hooks: bool,
    /// Do not validate rendered objects against the Kubernetes OpenAPI schema.
    #[serde(default, skip_serializing_if = "empty", rename = "disableOpenAPIValidation")]
    pub disable_open_api_validation: bool,
    /// Do not validate values against the schema of the chart.
    #[serde(default, skip_serializing_if = "empty")]
    pub disable_schema_validation: bool,
    /// Use the name again of a release that was uninstalled with its history kept.
    #[serde(default, skip_serializing_if = "empty")]
    pub replace: bool,
    /// Has no effect, in Flux neither. Use `crds`.
    #[serde(default, skip_serializing_if = "empty", rename = "skipCRDs")]
    pub skip_crds: bool,
    /// What happens with the CRDs in a chart's `crds` directory: `Skip` leaves them alone, `Create` makes those that are missing, `CreateReplace`
    /// also replaces those that exist. `Create` by default.
    #[serde(default, skip_serializing_if = "empty")]
    #[schemars(extend("enum" = ["Skip", "Create", "CreateReplace"]))]
    pub crds: String,
    /// Create `spec.targetNamespace` when it does not exist.
    #[serde(default, skip_serializing_if = "empty")]
    pub create_namespace: bool,
    /// Apply objects on the server. True by default.
    #[serde(default, skip_serializing_if = "empty")]
    pub server_side_apply: Option<bool>,
}

/// What follows a failed installation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    {
        "rule": "!has(self.retryInterval) || self.name != 'RemediateOnFailure'",
        "message": ".retryInterval cannot be set when .name is 'RemediateOnFailure'"
    }
]))]
pub struct InstallStrategy {
    /// `RemediateOnFailure` undoes it, `RetryOnFailure` tries again without.
    #[schemars(extend("enum" = ["RemediateOnFailure", "RetryOnFailure"]))]
    pub name: String,
    /// Time between attempts of `RetryOnFailure`, 5m by default.
    #[serde(default, skip_serializing_if = "empty")]
    pub retry_interval: Option<GoDuration>,
}

/// How a failed installation is undone: the release is uninstalled.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InstallRemediation {
    /// How often a failed action is tried again; negative: without end.
    #[serde(default, skip_serializing_if = "empty")]
    #[schemars(transform = without_format)]
    pub retries: i64,
    /// Take failed tests for success; `spec.test.ignoreFailures` by default.
    #[serde(default, skip_serializing_if = "empty")]
    pub ignore_test_failures: Option<bool>,
    /// Undo also the last failure, when no retries remain. False by default.
    #[serde(default, skip_serializing_if = "empty")]
    pub remediate_last_failure: Option<bool>,
}

/// How a release is upgraded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Upgrade {
    /// Timeout of each Kubernetes operation (a Job of a hook, for example) of the action; `spec.timeout` by default.
    #[serde(default, skip_serializing_if = "empty")]
    pub timeout: Option<GoDuration>,
    /// What follows a failed upgrade.
    #[serde(default, skip_serializing_if = "empty")]
    pub strategy: Option<UpgradeStrategy>,
    /// How often a failed upgrade is undone and tried again, with the strategy `RemediateOnFailure`.
    #[serde(default, skip_serializing_if = "empty")]
    pub remediation: Option<UpgradeRemediation>,
    /// Do not adopt objects that exist already: they are an error then.
    #[serde(default, skip_serializing_if = "empty")]
    pub disable_take_ownership: bool,
    /// Do not wait for the objects to be ready.
    #[serde(default, skip_serializing_if = "empty")]
    pub disable_wait: bool,
    /// Do not wait for Jobs to complete.
    #[serde(default, skip_serializing_if = "empty")]
    pub disable_wait_for_jobs: bool,
    /// Do not run hooks.
    #[serde(default, skip_serializing_if = "empty")]
    pub disable_hooks: bool,
    /// Do not validate rendered objects against the Kubernetes OpenAPI schema.
    #[serde(default, skip_serializing_if = "empty", rename = "disableOpenAPIValidation")]
    pub disable_open_api_validation: bool,
    /// Do not validate values against the schema of the chart.
    #[serde(default, skip_serializing_if = "empty")]
    pub disable_schema_validation: bool,
    /// Replace objects instead of patching them; without effect when the server applies.
    #[serde(default, skip_serializing_if = "empty")]
    pub force: bool,
    /// Keep the values of the last release and merge these into them.
    #[serde(default, skip_serializing_if = "empty")]
    pub preserve_values: bool,
    /// Delete new objects when the upgrade fails.
    #[serde(default, skip_serializing_if = "empty")]
    pub cleanup_on_fail: bool,
    /// What happens with the CRDs in a chart's `crds` directory: `Skip` leaves them alone, `Create` makes those that are missing, `CreateReplace`
    /// also replaces those that exist. `Create` by default.
    #[serde(default, skip_serializing_if = "empty")]
    #[schemars(extend("enum" = ["Skip", "Create", "CreateReplace"]))]
    pub crds: String,
    /// Apply objects on the server: `enabled`, `disabled`, or `auto`, which does as the last release did. `auto` by default.
    #[serde(default, skip_serializing_if = "empty")]
    #[schemars(extend("enum" = ["enabled", "disabled", "auto"]))]
    pub server_side_apply: String,
    /// What a change of the chart's name means: `Reinstall` (the default) or `InPlaceUpdate`.
    #[serde(default, skip_serializing_if = "empty")]
    #[schemars(extend("enum" = ["InPlaceUpdate", "Reinstall"]))]
    pub chart_name_change_strategy: String,
}

/// What follows a failed upgrade.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    {
        "rule": "!has(self.retryInterval) || self.name == 'RetryOnFailure'",
        "message": ".retryInterval can only be set when .name is 'RetryOnFailure'"
    }
]))]
pub struct UpgradeStrategy {
    /// `RemediateOnFailure` undoes it, `RetryOnFailure` tries again without.
    #[schemars(extend("enum" = ["RemediateOnFailure", "RetryOnFailure"]))]
    pub name: String,
    /// Time between attempts of `RetryOnFailure`, 5m by default.
    #[serde(default, skip_serializing_if = "empty")]
    pub retry_interval: Option<GoDuration>,
}

/// How a failed upgrade is undone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UpgradeRemediation {
    /// How often a failed action is tried again; negative: without end.
    #[serde(default, skip_serializing_if = "empty")]
    #[schemars(transform = without_format)]
    pub retries: i64,
    /// Take failed tests for success; `spec.test.ignoreFailures` by default.
    #[serde(default, skip_serializing_if = "empty")]
    pub ignore_test_failures: Option<bool>,
    /// Undo also the last failure, when no retries remain. True by default when there are retries.
    #[serde(default, skip_serializing_if = "empty")]
    pub remediate_last_failure: Option<bool>,
    /// How it is undone: `rollback` (the default) or `uninstall`.
    #[serde(default, skip_serializing_if = "empty")]
    #[schemars(extend("enum" = ["rollback", "uninstall"]))]
    pub strategy: String,
}

/// How a release is tested.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Test {
    /// Run the tests of the chart after an installation or upgrade.
    #[serde(default, skip_serializing_if = "empty")]
    pub enable: bool,
    /// Timeout of each Kubernetes operation (a Job of a hook, for example) of the action; `spec.timeout` by default.
    #[serde(default, skip_serializing_if = "empty")]
    pub timeout: Option<GoDuration>,
    /// A failed test does not make the release fail.
    #[serde(default, skip_serializing_if = "empty")]
    pub ignore_failures: bool,
    /// Which tests are run; all by default.
    #[serde(default, skip_serializing_if = "empty")]
    pub filters: Option<Vec<Filter>>,
}

/// A test that is run, or is not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Filter {
    /// Name of the test.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Run all tests but this.
    #[serde(default, skip_serializing_if = "empty")]
    pub exclude: bool,
}

/// How a release is rolled back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rollback {
    /// Timeout of each Kubernetes operation (a Job of a hook, for example) of the action; `spec.timeout` by default.
    #[serde(default, skip_serializing_if = "empty")]
    pub timeout: Option<GoDuration>,
    /// Do not wait for the objects to be ready.
    #[serde(default, skip_serializing_if = "empty")]
    pub disable_wait: bool,
    /// Do not wait for Jobs to complete.
    #[serde(default, skip_serializing_if = "empty")]
    pub disable_wait_for_jobs: bool,
    /// Do not run hooks.
    #[serde(default, skip_serializing_if = "empty")]
    pub disable_hooks: bool,
    /// Has no effect: Helm no longer restarts pods.
    #[serde(default, skip_serializing_if = "empty")]
    pub recreate: bool,
    /// Replace objects instead of patching them; without effect when the server applies.
    #[serde(default, skip_serializing_if = "empty")]
    pub force: bool,
    /// Delete new objects when the rollback fails.
    #[serde(default, skip_serializing_if = "empty")]
    pub cleanup_on_fail: bool,
    /// Apply objects on the server: `enabled`, `disabled`, or `auto`, which does as the target revision did. `auto` by default.
    #[serde(default, skip_serializing_if = "empty")]
    #[schemars(extend("enum" = ["enabled", "disabled", "auto"]))]
    pub server_side_apply: String,
}

/// How a release is uninstalled.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Uninstall {
    /// Timeout of each Kubernetes operation (a Job of a hook, for example) of the action; `spec.timeout` by default.
    #[serde(default, skip_serializing_if = "empty")]
    pub timeout: Option<GoDuration>,
    /// Do not run hooks.
    #[serde(default, skip_serializing_if = "empty")]
    pub disable_hooks: bool,
    /// Keep Helm's records and mark the release as uninstalled.
    #[serde(default, skip_serializing_if = "empty")]
    pub keep_history: bool,
    /// Do not wait for the objects to be gone.
    #[serde(default, skip_serializing_if = "empty")]
    pub disable_wait: bool,
    /// How dependents of deleted objects are deleted: `background`, `foreground` or `orphan`.
    #[serde(default, skip_serializing_if = "empty")]
    #[schemars(extend("enum" = ["background", "foreground", "orphan"]), extend("default" = "background"))]
    pub deletion_propagation: Option<String>,
}

/// Whether a failed action is tried again without being undone: the interval between attempts.
fn retry(name: Option<&str>, interval: Option<&GoDuration>, default_to_retry: bool) -> Option<Duration> {
    let retries = name.map_or(default_to_retry, |n| n == "RetryOnFailure");
    retries.then(|| interval.map_or(RETRY_INTERVAL, |i| i.or(RETRY_INTERVAL)))
}

impl Install {
    /// The interval of `RetryOnFailure`; none for `RemediateOnFailure`. `default_to_retry` is the feature gate DefaultToRetryOnFailure.
    pub fn retry(&self, default_to_retry: bool) -> Option<Duration> {
        let strategy = self.strategy.as_ref();
        retry(strategy.map(|s| s.name.as_str()), strategy.and_then(|s| s.retry_interval.as_ref()), default_to_retry)
    }
}

impl Upgrade {
    /// As [`Install::retry`].
    pub fn retry(&self, default_to_retry: bool) -> Option<Duration> {
        let strategy = self.strategy.as_ref();
        retry(strategy.map(|s| s.name.as_str()), strategy.and_then(|s| s.retry_interval.as_ref()), default_to_retry)
    }
}

/// How failures of the action that is under way are undone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Remediation {
    /// Negative: without end.
    pub retries: i64,
    /// None: as `spec.test.ignoreFailures` says.
    pub ignore_test_failures: Option<bool>,
    pub remediate_last_failure: bool,
    /// By uninstalling; else by a rollback.
    pub uninstalls: bool,
}

impl Remediation {
    /// Whether that many failures leave no retry.
    pub fn exhausted(&self, failures: i64) -> bool {
        self.retries >= 0 && failures > self.retries
    }
}

impl From<Option<&InstallRemediation>> for Remediation {
    fn from(said: Option<&InstallRemediation>) -> Self {
        let said = said.cloned().unwrap_or_default();
        Self {
            retries: said.retries,
            ignore_test_failures: said.ignore_test_failures,
            remediate_last_failure: said.remediate_last_failure.unwrap_or(false),
            uninstalls: true,
        }
    }
}

impl From<Option<&UpgradeRemediation>> for Remediation {
    fn from(said: Option<&UpgradeRemediation>) -> Self {
        let said = said.cloned().unwrap_or_default();
        Self {
            retries: said.retries,
            ignore_test_failures: said.ignore_test_failures,
            remediate_last_failure: said.remediate_last_failure.unwrap_or(said.retries > 0),
            uninstalls: said.strategy == "uninstall",
        }
    }
}
