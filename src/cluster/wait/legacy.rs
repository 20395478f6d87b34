//! The wait of `--wait=legacy`: Helm's polls with its older rules. Source: Helm 4.3 `pkg/kube/wait.go`, `legacyWaiter`.
//!
//! Every two seconds the objects are looked at in their order, up to the first that is not ready. Errors that may pass are borne thirty times an
//! object in a row. One thing differs: a Job that has failed for good ends the wait at once, where Helm looks at it thirty times more.

use std::time::Duration;

use tokio::time::Instant;

use crate::cluster::status::legacy::{self, Below};
use crate::cluster::status::{State, Status};
use crate::cluster::targets::Target;
use crate::cluster::{Cluster, ClusterError, Gvk, Json, ObjectId, Reason, Verb};

use super::follow::{Entry, Verdict, absent, settle};
use super::{End, WaitError, WaitOptions, conclude, diagnose, unready};

const POLL: Duration = Duration::from_secs(2);
/// So many errors in a row are borne for each object.
const RETRIES: usize = 30;

/// Waits until all are ready.
///
/// # Errors
/// `context deadline exceeded`, `job is failed: ns/name`, or what the server refuses; with each unready object in its details.
pub(super) async fn ready(cluster: &dyn Cluster, targets: &[Target], options: &WaitOptions) -> Result<(), WaitError> {
    let checked = targets.iter().filter(|t| legacy::is_checked(&t.id.gvk, options.jobs));
    let mut entries: Vec<Entry> = checked.map(|t| Entry::new(t.id.clone(), 0)).collect();
    if !cluster.is_live() || entries.is_empty() {
        return Ok(());
    }
    let deadline = Instant::now() + options.timeout();
    let end = match tokio::time::timeout_at(deadline, poll(cluster, &mut entries, options)).await {
        Ok(end) => end,
        Err(_) => End::TimedOut,
    };
    let mut wrong: Vec<&mut Entry> = entries.iter_mut().filter(|e| e.status.state != State::Current).collect();
    if wrong.is_empty() {
        return conclude(Vec::new(), &end, Vec::new());
    }
    let failed = |e: &&mut Entry| {
        (e.status.state == State::Failed)
            .then(|| format!("job is failed: {}/{}", e.id.namespace.as_deref().unwrap_or_default(), e.id.name))
    };
    let lines: Vec<String> = wrong.iter().filter_map(failed).take(1).collect();
    // Helm has not looked at those behind the first; who reads the error wants to know of them.
    let unseen = wrong.iter_mut().filter(|e| e.object.is_none());
    for entry in unseen.take(diagnose::OBJECTS) {
        let looked = tokio::time::timeout(POLL, look(cluster, &entry.id)).await;
        if let Ok(Ok(Some((object, status)))) = looked {
            entry.status = status;
            entry.object = Some(object);
        }
    }
    let wrong: Vec<&Entry> = wrong.into_iter().map(|e| &*e).filter(|e| e.status.state != State::Current).collect();
    let details = diagnose::all(cluster, &wrong).await;
    conclude(lines, &end, wrong.iter().zip(details).map(|(e, d)| unready(e, d)).collect())
}

async fn poll(cluster: &dyn Cluster, entries: &mut [Entry], options: &WaitOptions) -> End {
    let mut errors = vec![0; entries.len()];
    loop {
        let mut all = true;
        for (entry, errors) in entries.iter_mut().zip(&mut errors) {
            match look(cluster, &entry.id).await {
                Ok(Some((object, status))) => {
                    *errors = 0;
                    settle(entry, status, Some(object), options);
                }
                Ok(None) => {
                    settle(entry, absent(), None, options);
                    return End::Broken(not_found(cluster, &entry.id).await);
                }
                Err(e) if may_pass(&e) && *errors < RETRIES => {
                    *errors += 1;
                    all = false;
                    break;
                }
                Err(e) => return End::Broken(e),
            }
            match entry.status.state {
                State::Current => {}
                State::Failed => return End::Done,
                _ => {
                    all = false;
                    break;
                }
            }
        }
        if all {
            return End::Done;
        }
        tokio::time::sleep(POLL).await;
    }
}

async fn look(cluster: &dyn Cluster, id: &ObjectId) -> Result<Option<(Json, Status)>, ClusterError> {
    let Some(object) = cluster.get(id).await? else { return Ok(None) };
    let namespace = id.namespace.as_deref();
    let kind = match legacy::below(&id.gvk) {
        Below::Nothing => None,
        Below::ReplicaSets => Some(Gvk::new("apps", "v1", "ReplicaSet")),
        Below::Pods => Some(Gvk::new("", "v1", "Pod")),
    };
    let below = match (kind, diagnose::selector(&object)) {
        (Some(kind), Some(selector)) => cluster.list(&kind, namespace, &selector, "").await?,
        _ => Vec::new(),
    };
    let status = legacy::judge(&object, &below);
    Ok(Some((object, status)))
}

/// Source: `isRetryableHTTPStatusCode`.
fn may_pass(e: &ClusterError) -> bool {
    e.code == 0 || e.code == 429 || (e.code >= 500 && e.code != 501)
}

/// In the API server's words.
async fn not_found(cluster: &dyn Cluster, id: &ObjectId) -> ClusterError {
    let plural = cluster.resource(&id.gvk).await.map_or_else(|_| id.gvk.kind.to_lowercase(), |r| r.plural);
    let group = if id.gvk.group.is_empty() { String::new() } else { format!(".{}", id.gvk.group) };
    let message = format!("{plural}{group} {:?} not found", id.name);
    ClusterError { verb: Verb::Get, object: Some(id.clone()), reason: Reason::NotFound, code: 404, message }
}

/// Whether hooks have ended; one that was deleted meanwhile has, too.
pub(super) fn hook_verdict(entries: &[Entry]) -> Verdict {
    let ended = |e: &Entry| matches!(e.status.state, State::Current | State::Failed | State::NotFound);
    if entries.iter().all(ended) { Verdict::Done } else { Verdict::GoOn }
}

/// The line of a hook that failed.
pub(super) fn hook_line(entry: &Entry) -> Option<String> {
    if entry.status.state != State::Failed {
        return None;
    }
    let name = &entry.id.name;
    if entry.id.gvk.kind == "Pod" {
        return Some(format!("pod {name} failed"));
    }
    let conditions = entry.object.as_ref().and_then(|o| o.pointer("/status/conditions")).and_then(Json::as_array);
    let field = |c: &Json, key: &str| c.get(key).and_then(Json::as_str).unwrap_or_default().to_owned();
    let failed =
        conditions.into_iter().flatten().find(|c| field(c, "type") == "Failed" && field(c, "status") == "True");
    Some(format!("job {name} failed: {}", failed.map(|c| field(c, "reason")).unwrap_or_default()))
}
