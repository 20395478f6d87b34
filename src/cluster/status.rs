//! Whether an object is ready: kstatus' rules for built-in kinds and for anything with standard conditions.
//!
//! Source: Flux's `cli-utils` 1.2 `pkg/kstatus/status` (`status.go`, `generic.go`, `core.go`), with its texts and errors; the two rules of
//! Helm 4.3 for hooks and waited-for jobs come from `internal/statusreaders`. An object is what the API server gave as JSON: a whole
//! number is an int64, one with a fraction a float64, as apimachinery reads them.

mod fields;
mod kinds;
pub mod legacy;

use std::fmt;

use jiff::Timestamp;

use super::object::{Gvk, Json};
use fields::{Condition as Given, conditions, int64, string};

/// Where an object stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    InProgress,
    Failed,
    Current,
    Terminating,
    NotFound,
    Unknown,
}

impl State {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InProgress => "InProgress",
            Self::Failed => "Failed",
            Self::Current => "Current",
            Self::Terminating => "Terminating",
            Self::NotFound => "NotFound",
            Self::Unknown => "Unknown",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The judgement, with the conditions that kstatus derives (`Reconciling` or `Stalled`, always true).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    pub state: State,
    pub message: String,
    pub conditions: Vec<Condition>,
}

/// A derived condition; its status is `True`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    pub kind: ConditionKind,
    pub reason: String,
    pub message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConditionKind {
    Reconciling,
    Stalled,
}

impl ConditionKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reconciling => "Reconciling",
            Self::Stalled => "Stalled",
        }
    }
}

impl Status {
    /// A state without conditions.
    pub fn new(state: State, message: impl Into<String>) -> Self {
        Self { state, message: message.into(), conditions: Vec::new() }
    }

    /// It has failed, and does not recover by itself.
    pub fn stalled(reason: &str, message: impl Into<String>) -> Self {
        Self::with(State::Failed, ConditionKind::Stalled, reason, message)
    }

    fn with(state: State, kind: ConditionKind, reason: &str, message: impl Into<String>) -> Self {
        let message = message.into();
        let condition = Condition { kind, reason: reason.to_owned(), message: message.clone() };
        Self { state, message, conditions: vec![condition] }
    }

    fn in_progress(reason: &str, message: impl Into<String>) -> Self {
        Self::with(State::InProgress, ConditionKind::Reconciling, reason, message)
    }

    fn failed(reason: &str, message: impl Into<String>) -> Self {
        Self::with(State::Failed, ConditionKind::Stalled, reason, message)
    }

    fn current(message: impl Into<String>) -> Self {
        Self::new(State::Current, message)
    }
}

/// Judges a live object, now.
///
/// # Errors
/// A field that is not what it should be, in kstatus' words.
pub fn compute(object: &Json) -> Result<Status, String> {
    compute_at(object, Timestamp::now())
}

/// As [`compute`], at a time: only a pod that can't be scheduled depends on it, in its first 15 seconds.
///
/// # Errors
/// As [`compute`].
pub fn compute_at(object: &Json, now: Timestamp) -> Result<Status, String> {
    if let Some(status) = generic(object)? {
        return Ok(status);
    }
    let gvk = Gvk::of(object);
    let group_kind = (gvk.group.as_str(), gvk.kind.as_str());
    match group_kind {
        ("", "Service") => Ok(kinds::service(object)),
        ("", "Pod") => kinds::pod(object, now),
        ("", "Secret" | "ConfigMap") | ("batch", "CronJob") => Ok(Status::current("Resource is always ready")),
        ("", "PersistentVolumeClaim") => Ok(kinds::claim(object)),
        ("apps", "StatefulSet") => Ok(kinds::stateful_set(object)),
        ("apps" | "extensions", "DaemonSet") => kinds::daemon_set(object),
        ("apps" | "extensions", "Deployment") => kinds::deployment(object),
        ("apps" | "extensions", "ReplicaSet") => kinds::replica_set(object),
        ("policy", "PodDisruptionBudget") => Ok(Status::current("AllowedDisruptions has been computed.")),
        ("batch", "Job") => kinds::job(object),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => kinds::definition(object),
        _ => by_ready_condition(object),
    }
}

/// What holds for every kind: deletion, a generation not yet observed, the standard conditions.
fn generic(object: &Json) -> Result<Option<Status>, String> {
    let deleted = string(object, &["metadata", "deletionTimestamp"])
        .map_err(|e| format!("looking up metadata.deletionTimestamp from resource: {e}"))?;
    if deleted.is_some_and(|d| !d.is_empty()) {
        return Ok(Some(Status::new(State::Terminating, "Resource scheduled for deletion")));
    }
    if let Some(generation) = generation(object)?
        && let Some(observed) = observed_generation(object)?
        && observed != generation
    {
        let kind = object.get("kind").and_then(Json::as_str).unwrap_or_default();
        return Ok(Some(Status::in_progress(
            "LatestGenerationNotObserved",
            format!("{kind} generation is {generation}, but latest observed generation is {observed}"),
        )));
    }
    for c in conditions(object)? {
        if c.status == "True" && c.kind == "Reconciling" {
            return Ok(Some(Status::in_progress(&c.reason, c.message)));
        }
        if c.status == "True" && c.kind == "Stalled" {
            return Ok(Some(Status::failed(&c.reason, c.message)));
        }
    }
    Ok(None)
}

fn generation(object: &Json) -> Result<Option<i64>, String> {
    int64(object, &["metadata", "generation"]).map_err(|e| format!("looking up metadata.generation from resource: {e}"))
}

fn observed_generation(object: &Json) -> Result<Option<i64>, String> {
    int64(object, &["status", "observedGeneration"])
        .map_err(|e| format!("looking up status.observedGeneration from resource: {e}"))
}

/// Other kinds: a `Ready` condition decides if there is one; otherwise what exists is current.
fn by_ready_condition(object: &Json) -> Result<Status, String> {
    for Given { kind, status, reason, message } in conditions(object)? {
        match (kind.as_str(), status.as_str()) {
            ("Ready", "True") => return Ok(Status::current("Resource is Ready")),
            ("Ready", "False" | "Unknown") => return Ok(Status::in_progress(&reason, message)),
            _ => {}
        }
    }
    Ok(Status::current("Resource is current"))
}

/// Helm's rules for hooks: a Job ends when it has completed or failed, a Pod when it has; anything else is ready at once.
///
/// # Errors
/// As [`compute`].
pub fn compute_hook(object: &Json) -> Result<Status, String> {
    let gvk = Gvk::of(object);
    match (gvk.group.as_str(), gvk.kind.as_str()) {
        ("batch", "Job") => compute_job(object),
        ("", "Pod") => Ok(kinds::hook_pod(object)),
        _ => Ok(Status::current("Resource is current")),
    }
}

/// Helm's rule for a Job that is waited for: current only when it has completed.
///
/// # Errors
/// As [`compute`].
pub fn compute_job(object: &Json) -> Result<Status, String> {
    kinds::completed_job(object)
}

#[cfg(test)]
mod tests;
