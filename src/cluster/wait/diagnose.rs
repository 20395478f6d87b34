//! Why an object is not ready: its conditions, its pods' states, the last events, the last log lines.
//!
//! Everything here is a help for people: what can't be read (RBAC, a node without logs) is left out, and it all takes a bounded time.

use std::time::Duration;

use crate::cluster::{Cluster, Gvk, Json};

use super::Entry;

/// For all objects together.
const TIME: Duration = Duration::from_secs(15);
/// So many objects, pods of one, events of one and log lines of a container.
pub(super) const OBJECTS: usize = 10;
const PODS: usize = 3;
const EVENTS: usize = 5;
const LOG_LINES: i64 = 10;

/// The details of each entry, in order.
pub(super) async fn all(cluster: &dyn Cluster, entries: &[&Entry]) -> Vec<Vec<String>> {
    let deadline = tokio::time::Instant::now() + TIME;
    let mut out = vec![Vec::new(); entries.len()];
    for (entry, lines) in entries.iter().zip(&mut out).take(OBJECTS) {
        // What was found until the time is up stays.
        let _ = tokio::time::timeout_at(deadline, object(cluster, entry, lines)).await;
    }
    out
}

async fn object(cluster: &dyn Cluster, entry: &Entry, lines: &mut Vec<String>) {
    let Some(object) = &entry.object else { return };
    conditions(object, lines);
    let namespace = entry.id.namespace.as_deref().unwrap_or_default();
    if entry.id.gvk.kind == "Pod" && entry.id.gvk.group.is_empty() {
        pod(cluster, namespace, object, lines).await;
        return;
    }
    events(cluster, namespace, &entry.id.name, &entry.id.gvk.kind, lines).await;
    let Some(selector) = selector(object) else { return };
    let pods = cluster.list(&Gvk::new("", "v1", "Pod"), Some(namespace), &selector, "").await.unwrap_or_default();
    if pods.is_empty() && entry.id.gvk.kind == "Deployment" {
        // Who could not make the pods is the ReplicaSet.
        replica_sets(cluster, namespace, &selector, lines).await;
    }
    let mut pods: Vec<&Json> = pods.iter().filter(|p| !is_well(p)).collect();
    // The newest first: they are what this revision made.
    pods.sort_by_key(|p| std::cmp::Reverse(text(p, "/metadata/creationTimestamp").to_owned()));
    let more = pods.len().saturating_sub(PODS);
    for found in pods.into_iter().take(PODS) {
        pod(cluster, namespace, found, lines).await;
    }
    if more > 0 {
        lines.push(format!("and {more} more pods that are not ready"));
    }
}

async fn replica_sets(cluster: &dyn Cluster, namespace: &str, selector: &str, lines: &mut Vec<String>) {
    let kind = Gvk::new("apps", "v1", "ReplicaSet");
    for set in cluster.list(&kind, Some(namespace), selector, "").await.unwrap_or_default().iter().take(PODS) {
        events(cluster, namespace, text(set, "/metadata/name"), "ReplicaSet", lines).await;
    }
}

fn text<'a>(object: &'a Json, path: &str) -> &'a str {
    object.pointer(path).and_then(Json::as_str).unwrap_or_default()
}

fn array<'a>(object: &'a Json, path: &str) -> &'a [Json] {
    object.pointer(path).and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// `spec.selector` as the API writes selectors.
pub(super) fn selector(object: &Json) -> Option<String> {
    let labels = object.pointer("/spec/selector/matchLabels")?.as_object()?;
    let pairs: Vec<String> = labels.iter().filter_map(|(k, v)| Some(format!("{k}={}", v.as_str()?))).collect();
    (!pairs.is_empty()).then(|| pairs.join(","))
}

/// Conditions that say what is wrong.
fn conditions(object: &Json, lines: &mut Vec<String>) {
    for c in array(object, "/status/conditions") {
        let (kind, status) = (text(c, "/type"), text(c, "/status"));
        let bad = matches!(
            (kind, status),
            ("ReplicaFailure" | "Failed" | "Stalled", "True")
                | ("Progressing" | "Ready" | "Established" | "PodScheduled", "False")
        );
        let (reason, message) = (text(c, "/reason"), text(c, "/message"));
        if bad && !(reason.is_empty() && message.is_empty()) {
            lines.push(format!("condition {kind}={status}: {reason}: {message}"));
        }
    }
}

fn is_well(pod: &Json) -> bool {
    match text(pod, "/status/phase") {
        "Succeeded" => true,
        "Failed" => false,
        _ => {
            array(pod, "/status/conditions").iter().any(|c| text(c, "/type") == "Ready" && text(c, "/status") == "True")
        }
    }
}

async fn pod(cluster: &dyn Cluster, namespace: &str, pod: &Json, lines: &mut Vec<String>) {
    let name = text(pod, "/metadata/name");
    let before = lines.len();
    for c in array(pod, "/status/conditions") {
        if text(c, "/type") == "PodScheduled" && text(c, "/status") == "False" {
            lines.push(format!("Pod {name}: not scheduled: {}", text(c, "/message")));
        }
    }
    let statuses = array(pod, "/status/initContainerStatuses").iter().chain(array(pod, "/status/containerStatuses"));
    let mut failing = Vec::new();
    for status in statuses {
        let container = text(status, "/name");
        let said = lines.len();
        if let Some(waiting) = status.pointer("/state/waiting") {
            lines.push(format!("Pod {name}: container {container} waiting: {}", reason(waiting)));
        }
        for (path, what) in [("/state/terminated", "ended"), ("/lastState/terminated", "ended before")] {
            if let Some(ended) = status.pointer(path)
                && let Some(code) = ended.get("exitCode").and_then(Json::as_i64)
                && code != 0
            {
                lines
                    .push(format!("Pod {name}: container {container} {what} with exit code {code}: {}", reason(ended)));
            }
        }
        let ready = status.get("ready").and_then(Json::as_bool).unwrap_or_default();
        if status.pointer("/state/running").is_some() && !ready && !is_well(pod) {
            lines.push(format!("Pod {name}: container {container} runs, but is not ready"));
        }
        let never_ran = matches!(
            text(status, "/state/waiting/reason"),
            "ContainerCreating"
                | "PodInitializing"
                | "ImagePullBackOff"
                | "ErrImagePull"
                | "InvalidImageName"
                | "CreateContainerConfigError"
        );
        if lines.len() > said && !never_ran {
            failing.push(container.to_owned());
        }
    }
    if lines.len() == before {
        lines.push(format!("Pod {name}: {}", text(pod, "/status/phase")));
    }
    events(cluster, namespace, name, "Pod", lines).await;
    for container in failing {
        if let Ok(log) = cluster.logs(namespace, name, Some(&container), Some(LOG_LINES)).await {
            let log: Vec<&str> = log.lines().collect();
            if !log.is_empty() {
                lines.push(format!("Pod {name}: last log lines of container {container}:"));
                lines.extend(log.iter().map(|l| format!("  {l}")));
            }
        }
    }
}

/// `ImagePullBackOff: Back-off pulling image …`.
fn reason(state: &Json) -> String {
    match (text(state, "/reason"), text(state, "/message")) {
        (reason, "") => reason.to_owned(),
        (reason, message) => format!("{reason}: {message}"),
    }
}

/// The last events about an object, warnings if there are any.
async fn events(cluster: &dyn Cluster, namespace: &str, name: &str, kind: &str, lines: &mut Vec<String>) {
    if namespace.is_empty() {
        return;
    }
    let fields = format!("involvedObject.name={name},involvedObject.kind={kind}");
    let found = cluster.list(&Gvk::new("", "v1", "Event"), Some(namespace), "", &fields).await.unwrap_or_default();
    let warnings: Vec<&Json> = found.iter().filter(|e| text(e, "/type") == "Warning").collect();
    let mut shown = if warnings.is_empty() { found.iter().collect() } else { warnings };
    let when = |e: &Json| {
        ["/series/lastObservedTime", "/lastTimestamp", "/eventTime", "/metadata/creationTimestamp"]
            .into_iter()
            .map(|p| text(e, p))
            .find(|t| !t.is_empty())
            .unwrap_or_default()
            .to_owned()
    };
    shown.sort_by_key(|e| when(e));
    let skip = shown.len().saturating_sub(EVENTS);
    for event in shown.into_iter().skip(skip) {
        let count = event.get("count").and_then(Json::as_i64).unwrap_or(1);
        let times = if count > 1 { format!(" (×{count})") } else { String::new() };
        let message = text(event, "/message").trim();
        lines.push(format!("event of {kind} {name}: {}: {message}{times}", text(event, "/reason")));
    }
}
