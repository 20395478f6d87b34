//! Waiting until objects are ready, or gone, through watches.
//!
//! Source: Helm 4.3 `pkg/kube/statuswait.go` and `internal/statusreaders`; the rules of readiness are kstatus' ([`super::status`]). One watch for
//! each kind and namespace; where a watch is not allowed the objects are read every two seconds instead.
//!
//! Helm goes on waiting for the others when one object has failed. Here what can't recover by itself (a Job that failed, a Deployment past its
//! progress deadline, a `Stalled` condition) ends the wait at once; a pod that crashes or finds no node may still come up, as with Helm.

mod diagnose;
mod follow;
mod legacy;

use std::sync::Arc;
use std::time::Duration;

use super::status::{self, ConditionKind, State, Status};
use super::targets::Target;
use super::{Cluster, ClusterError, Json, ObjectId};
use follow::{End, Entry, Verdict, follow};

/// Helm's time for a wait without one.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// One object's state while waiting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    pub id: ObjectId,
    pub state: State,
    /// `Available: 1/3`.
    pub message: String,
}

/// Is told of every change of state.
pub type OnProgress = Arc<dyn Fn(&Progress) + Send + Sync>;

/// What is waited for, and how long.
#[derive(Clone)]
pub struct WaitOptions {
    /// Zero is Helm's default for a waiter, 30 s.
    pub timeout: Duration,
    /// Jobs must have completed (`--wait-for-jobs`); otherwise one that has started is enough.
    pub jobs: bool,
    /// Helm's older rules and texts (`--wait=legacy`) instead of kstatus'.
    pub legacy: bool,
    /// Errors in the words of Flux's wait instead of Helm's.
    pub flux_texts: bool,
    pub progress: Option<OnProgress>,
    /// Judges objects of kinds that it knows, before the rules do.
    pub health: Option<Health>,
}

/// The status of an object of a kind that the user has given rules for; `None` for all others.
#[derive(Clone)]
pub struct Health(pub Arc<Judge>);

/// See [`Health`].
pub type Judge = dyn Fn(&Json) -> Option<Status> + Send + Sync;

impl std::fmt::Debug for Health {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Health(…)")
    }
}

impl WaitOptions {
    fn judged(&self, object: &Json, rule: fn(&Json) -> Status) -> Status {
        self.health.as_ref().and_then(|h| (h.0)(object)).unwrap_or_else(|| rule(object))
    }

    pub fn new(timeout: Duration) -> Self {
        Self { timeout, jobs: false, legacy: false, flux_texts: false, progress: None, health: None }
    }

    fn timeout(&self) -> Duration {
        if self.timeout.is_zero() { DEFAULT_TIMEOUT } else { self.timeout }
    }
}

/// What was not reached.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct WaitError {
    /// A line for each object in Helm's words (`resource Deployment/ns/web not ready. status: InProgress, message: …`), then
    /// `context deadline exceeded` if time was up.
    pub message: String,
    /// The time was up; otherwise an object had failed for good, or could not be looked at.
    pub timed_out: bool,
    /// Why, object by object: for people, printed behind the message.
    pub unready: Vec<Unready>,
}

/// An object that did not become ready, with what its pods say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unready {
    pub id: ObjectId,
    pub state: State,
    pub message: String,
    /// Lines such as `Pod web-5d4f: container app waiting: ImagePullBackOff: …`, the last events, the last log lines of a failing container.
    pub details: Vec<String>,
}

impl WaitError {
    /// The details as text: an object's line, and what is known of it indented below. Empty without details.
    pub fn report(&self) -> String {
        let mut out = String::new();
        for object in self.unready.iter().filter(|u| !u.details.is_empty()) {
            out.push_str(&format!("{}: {} ({})\n", object.id, object.state, object.message));
            for line in &object.details {
                out.push_str(&format!("  {line}\n"));
            }
        }
        out
    }
}

/// Waits until all are ready (`Current`), or nothing but failed ones is left. Paused Deployments are passed over.
///
/// # Errors
/// Names each object that is not ready.
pub async fn ready(cluster: &dyn Cluster, targets: &[Target], options: &WaitOptions) -> Result<(), WaitError> {
    if options.legacy {
        return legacy::ready(cluster, targets, options).await;
    }
    let ids = targets.iter().filter(|t| !is_paused(t)).map(|t| t.id.clone());
    let rule = if options.jobs { judge_with_jobs } else { judge_plain };
    until_current(cluster, ids.collect(), rule, options).await
}

/// Waits for hooks: a Job until it has completed or failed, a Pod until it has ended, anything else not at all.
///
/// # Errors
/// A Job or a Pod failed, or the time was up.
pub async fn hooks(cluster: &dyn Cluster, targets: &[Target], options: &WaitOptions) -> Result<(), WaitError> {
    let runs =
        |t: &&Target| matches!((t.id.gvk.group.as_str(), t.id.gvk.kind.as_str()), ("batch", "Job") | ("", "Pod"));
    let ids = targets.iter().filter(runs).map(|t| t.id.clone());
    until_current(cluster, ids.collect(), judge_hook, options).await
}

/// Waits until none of the objects is there any more.
///
/// # Errors
/// `resource Kind/ns/name still exists. status: …`.
pub async fn deleted(cluster: &dyn Cluster, targets: &[Target], options: &WaitOptions) -> Result<(), WaitError> {
    if !cluster.is_live() || targets.is_empty() {
        return Ok(());
    }
    let ids: Vec<ObjectId> = targets.iter().map(|t| t.id.clone()).collect();
    let gone = |entries: &[Entry]| {
        if entries.iter().all(|e| e.status.state == State::NotFound) { Verdict::Done } else { Verdict::GoOn }
    };
    let (entries, end) = follow(cluster, ids, judge_plain, options, gone).await;
    let left: Vec<&Entry> =
        entries.iter().filter(|e| !matches!(e.status.state, State::NotFound | State::Unknown)).collect();
    let unready = left.iter().map(|e| unready(e, Vec::new())).collect();
    if options.flux_texts
        && let (End::TimedOut, Some(first)) = (&end, left.first())
    {
        let message = format!("{} termination timeout: context deadline exceeded", flux_name(&first.id));
        return Err(WaitError { message, timed_out: true, unready });
    }
    let lines = left.iter().filter(|_| !options.legacy).map(|e| line(e, "still exists"));
    conclude(lines.collect(), &end, unready)
}

/// The status of a live object as [`ready`] judges it, for `pintle status` and `recover`.
pub fn judge(object: &Json, jobs: bool) -> Status {
    if jobs { judge_with_jobs(object) } else { judge_plain(object) }
}

fn judge_plain(object: &Json) -> Status {
    status::compute(object).unwrap_or_else(|e| Status::new(State::Unknown, e))
}

fn judge_with_jobs(object: &Json) -> Status {
    let gvk = super::Gvk::of(object);
    if gvk.group == "batch" && gvk.kind == "Job" {
        return status::compute_job(object).unwrap_or_else(|e| Status::new(State::Unknown, e));
    }
    judge_plain(object)
}

fn judge_hook(object: &Json) -> Status {
    status::compute_hook(object).unwrap_or_else(|e| Status::new(State::Unknown, e))
}

fn is_paused(target: &Target) -> bool {
    let gvk = &target.id.gvk;
    let paused = target.object.pointer("/spec/paused").and_then(Json::as_bool).unwrap_or_default();
    gvk.group == "apps" && gvk.kind == "Deployment" && paused
}

async fn until_current(
    cluster: &dyn Cluster,
    ids: Vec<ObjectId>,
    rule: fn(&Json) -> Status,
    options: &WaitOptions,
) -> Result<(), WaitError> {
    if !cluster.is_live() || ids.is_empty() {
        return Ok(());
    }
    let verdict = if options.legacy { legacy::hook_verdict } else { verdict };
    let (entries, end) = follow(cluster, ids, rule, options, verdict).await;
    let passed = |s: State| s == State::Current || (options.legacy && s == State::NotFound);
    let wrong: Vec<&Entry> = entries.iter().filter(|e| !passed(e.status.state)).collect();
    let lines: Vec<String> = if options.legacy {
        wrong.iter().filter_map(|e| legacy::hook_line(e)).collect()
    } else {
        wrong.iter().map(|e| line(e, "not ready")).collect()
    };
    if wrong.is_empty() {
        return conclude(lines, &end, Vec::new());
    }
    let details = diagnose::all(cluster, &wrong).await;
    let unready = wrong.iter().zip(details).map(|(e, details)| unready(e, details)).collect();
    if options.flux_texts && !matches!(end, End::Broken(_)) {
        let timed_out = matches!(end, End::TimedOut);
        return Err(WaitError { message: flux_message(&wrong, timed_out), timed_out, unready });
    }
    conclude(lines, &end, unready)
}

/// Flux names the failed ones, and all that are not ready once the time is up. Source: fluxcd/pkg `ssa/manager_wait.go`.
fn flux_message(wrong: &[&Entry], timed_out: bool) -> String {
    let told = wrong.iter().filter(|e| timed_out || e.status.state == State::Failed);
    let told: Vec<String> = told.map(|e| format!("{} status: '{}'", flux_name(&e.id), e.status.state)).collect();
    let head = if timed_out { "timeout waiting for" } else { "failed early due to stalled resources" };
    format!("{head}: [{}]", told.join(", "))
}

fn flux_name(id: &ObjectId) -> String {
    match &id.namespace {
        Some(namespace) => format!("{}/{namespace}/{}", id.gvk.kind, id.name),
        None => format!("{}/{}", id.gvk.kind, id.name),
    }
}

/// Whether the wait has come to its end.
fn verdict(entries: &[Entry]) -> Verdict {
    if entries.iter().any(|e| is_final(&e.status)) {
        return Verdict::Done;
    }
    if entries.iter().all(|e| matches!(e.status.state, State::Current | State::Failed)) {
        return Verdict::Done;
    }
    Verdict::GoOn
}

/// A failure that time does not heal. A pod's container may stop crashing, and a node may come free.
fn is_final(status: &Status) -> bool {
    let may_pass = |reason: &str| matches!(reason, "ContainerCrashLooping" | "PodUnschedulable");
    status.state == State::Failed
        && status.conditions.iter().any(|c| c.kind == ConditionKind::Stalled && !may_pass(&c.reason))
}

fn line(entry: &Entry, what: &str) -> String {
    let id = &entry.id;
    let ns = id.namespace.as_deref().unwrap_or_default();
    let Status { state, message, .. } = &entry.status;
    format!("resource {}/{ns}/{} {what}. status: {state}, message: {message}", id.gvk.kind, id.name)
}

fn unready(entry: &Entry, details: Vec<String>) -> Unready {
    Unready { id: entry.id.clone(), state: entry.status.state, message: entry.status.message.clone(), details }
}

fn conclude(mut lines: Vec<String>, end: &End, unready: Vec<Unready>) -> Result<(), WaitError> {
    match end {
        End::Done if lines.is_empty() => return Ok(()),
        End::Done => {}
        End::TimedOut => lines.push("context deadline exceeded".to_owned()),
        End::Broken(e) => lines = vec![explain(e)],
    }
    Err(WaitError { message: lines.join("\n"), timed_out: matches!(end, End::TimedOut), unready })
}

/// What could not be watched or read.
fn explain(e: &ClusterError) -> String {
    match &e.object {
        Some(object) if !e.message.contains(&object.gvk.kind) => format!("cannot {} {}: {e}", e.verb, object.gvk.kind),
        _ => e.to_string(),
    }
}
