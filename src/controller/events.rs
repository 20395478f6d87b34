//! What a controller tells people: Kubernetes Events, and alerts by way of notification-controller.
//!
//! An event goes to the API server as client-go writes it (the same said again counts up) and, with an address, to notification-controller
//! in Flux's JSON. Source: fluxcd/pkg `runtime/events/recorder.go`, `apis/event/v1beta1`, client-go `tools/record`. Two things hold back
//! floods: an object has 25 Events at once and one more every five minutes, as in client-go; and a failure that is told again in the same words
//! is no new alert, which Flux leaves to its receiver. `record` never waits: a worker delivers, and what it cannot is counted and logged.

mod repeats;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::jiff::Timestamp;
use serde::Serialize;
use tokio::sync::{mpsc, oneshot};

use self::repeats::{Repeats, Seen};
use super::metrics::Metrics;
use crate::api::annotation::EVENT_PREFIX;
use crate::cluster::kube::Kube;
use crate::cluster::{Cluster, FieldValidation, Gvk, Json, ObjectId, PatchType, WriteOptions};

/// notification-controller takes no longer messages, in characters.
const LONGEST: usize = 39_000;
/// The API server takes no longer messages, in bytes.
const LONGEST_NOTE: usize = 1024;
/// Events that may wait for delivery.
const QUEUE: usize = 4096;

/// How grave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Severity {
    /// Told to the API server alone.
    Trace,
    Info,
    Error,
}

/// One thing to tell of an object.
#[derive(Clone, Debug)]
pub struct Event {
    pub object: ObjectReference,
    pub severity: Severity,
    /// A word for programs: `UpgradeFailed`.
    pub reason: String,
    pub message: String,
    /// `helm.toolkit.fluxcd.io/revision` and the like; becomes the Event's annotations and the alert's metadata.
    pub metadata: BTreeMap<String, String>,
}

impl Event {
    /// An event of an object. Annotations of the object that begin with `event.toolkit.fluxcd.io/` go along.
    pub fn new<K>(of: &K, severity: Severity, reason: &str, message: impl Into<String>) -> Self
    where
        K: kube::Resource<DynamicType = ()>,
    {
        let mut object = of.object_ref(&());
        object.resource_version.clone_from(&of.meta().resource_version);
        let own = of.meta().annotations.iter().flatten();
        let metadata = own.filter(|(k, _)| k.starts_with(EVENT_PREFIX)).map(|(k, v)| (k.clone(), v.clone())).collect();
        Self { object, severity, reason: reason.into(), message: message.into(), metadata }
    }

    /// With one more entry of metadata; an empty value is left out.
    #[must_use]
    pub fn with(mut self, key: &str, value: &str) -> Self {
        if !value.is_empty() {
            self.metadata.insert(key.into(), value.into());
        }
        self
    }
}

/// How events are told.
#[derive(Clone, Debug)]
pub struct Options {
    /// Flux's name of the controller, by which alerts and tools know it: `helm-controller`.
    pub controller: String,
    /// Which process: the host's name.
    pub instance: String,
    /// `--events-addr`; empty: no alerts.
    pub address: String,
    /// Tell every failure again, as Flux does.
    pub repeat: bool,
}

/// Takes events. Clones share one queue.
#[derive(Clone)]
pub struct Sink {
    queue: mpsc::Sender<Order>,
    metrics: Metrics,
}

enum Order {
    Tell(Box<Event>),
    Forget(String),
    Flush(oneshot::Sender<()>),
}

impl Sink {
    /// Starts the worker, which lives as long as a sink does.
    ///
    /// # Errors
    /// The address is no URL.
    pub fn start(cluster: Kube, options: Options, metrics: Metrics) -> Result<Self, String> {
        let client = match options.address.as_str() {
            "" => None,
            address => {
                let url = reqwest::Url::parse(address).map_err(|e| format!("--events-addr {address}: {e}"))?;
                let client = reqwest::Client::builder().timeout(Duration::from_secs(5)).build();
                Some((client.map_err(|e| format!("--events-addr: {e}"))?, url))
            }
        };
        let (queue, orders) = mpsc::channel(QUEUE);
        let worker = Worker {
            cluster,
            options: Arc::new(options),
            client,
            metrics: metrics.clone(),
            repeats: Repeats::default(),
        };
        tokio::spawn(worker.run(orders));
        Ok(Self { queue, metrics })
    }

    /// Tells an event, soon. When the queue is full it is lost: reconciling is not held up by telling of it.
    pub fn record(&self, event: Event) {
        tracing::debug!(
            reason = event.reason,
            name = event.object.name,
            namespace = event.object.namespace,
            "{}",
            event.message
        );
        if self.queue.try_send(Order::Tell(Box::new(event))).is_err() {
            self.metrics.event("queue", "lost");
        }
    }

    /// An object is gone: what was told of it is forgotten.
    pub fn forget(&self, uid: &str) {
        // When the queue is full the entry stays until it is the oldest.
        let _ = self.queue.try_send(Order::Forget(uid.into()));
    }

    /// Waits until all that was recorded is told.
    pub async fn flush(&self) {
        let (done, wait) = oneshot::channel();
        if self.queue.send(Order::Flush(done)).await.is_ok() {
            let _ = wait.await;
        }
    }
}

struct Worker {
    cluster: Kube,
    options: Arc<Options>,
    client: Option<(reqwest::Client, reqwest::Url)>,
    metrics: Metrics,
    repeats: Repeats,
}

impl Worker {
    async fn run(mut self, mut orders: mpsc::Receiver<Order>) {
        let mut posts = tokio::task::JoinSet::new();
        while let Some(order) = orders.recv().await {
            match order {
                Order::Tell(event) => {
                    let now = Timestamp::now();
                    self.note(&event, now).await;
                    if let Some((client, url)) = &self.client
                        && event.severity != Severity::Trace
                    {
                        if !self.options.repeat && self.repeats.is_old_alert(&event) {
                            self.metrics.event("alert", "repeated");
                        } else {
                            let body = alert(&event, &self.options, now);
                            posts.spawn(post(client.clone(), url.clone(), body, self.metrics.clone()));
                        }
                    }
                    while posts.try_join_next().is_some() {}
                }
                Order::Forget(uid) => self.repeats.forget(&uid),
                Order::Flush(done) => {
                    while posts.join_next().await.is_some() {}
                    let _ = done.send(());
                }
            }
        }
        while posts.join_next().await.is_some() {}
    }

    /// Writes the Kubernetes Event, or counts it up.
    async fn note(&mut self, event: &Event, now: Timestamp) {
        let options = WriteOptions {
            field_manager: self.options.controller.clone(),
            dry_run: false,
            validation: FieldValidation::Ignore,
        };
        let namespace = event.object.namespace.as_deref().unwrap_or("default");
        let gvk = Gvk::new("", "v1", "Event");
        let written = match self.repeats.seen(event, now.as_second()) {
            Seen::Dropped => {
                self.metrics.event("kubernetes", "dropped");
                return;
            }
            Seen::Again { name, count } => {
                let id = ObjectId::new(gvk, Some(namespace), &name);
                let body = serde_json::json!({"count": count, "lastTimestamp": seconds(now)});
                match self.cluster.patch(&id, PatchType::Merge, &body, &options).await {
                    // It has an end of life of its own.
                    Err(e) if e.is_not_found() => {
                        self.cluster.create(&note(event, &self.options, &name, count, now), &options).await
                    }
                    other => other,
                }
            }
            Seen::New { name } => self.cluster.create(&note(event, &self.options, &name, 1, now), &options).await,
        };
        match written {
            Ok(_) => self.metrics.event("kubernetes", "delivered"),
            Err(e) => {
                self.metrics.event("kubernetes", "lost");
                tracing::debug!(reason = event.reason, "an event was not written: {e}");
            }
        }
    }
}

fn seconds(at: Timestamp) -> String {
    k8s_openapi::jiff::fmt::strtime::format("%Y-%m-%dT%H:%M:%SZ", at).unwrap_or_default()
}

fn note(event: &Event, options: &Options, name: &str, count: i64, now: Timestamp) -> Json {
    let namespace = event.object.namespace.as_deref().unwrap_or("default");
    let mut metadata = serde_json::json!({"name": name, "namespace": namespace});
    if !event.metadata.is_empty() {
        metadata["annotations"] = serde_json::json!(event.metadata);
    }
    serde_json::json!({
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": metadata,
        "involvedObject": event.object,
        "reason": event.reason,
        "message": cut(&event.message, LONGEST_NOTE, |s| s.len()),
        "type": if event.severity == Severity::Error { "Warning" } else { "Normal" },
        "count": count,
        "firstTimestamp": seconds(now),
        "lastTimestamp": seconds(now),
        "source": {"component": options.controller},
        "reportingComponent": options.controller,
        "reportingInstance": options.instance,
    })
}

/// The JSON that notification-controller takes, keys in Flux's order.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Alert<'a> {
    involved_object: &'a ObjectReference,
    severity: &'static str,
    timestamp: String,
    message: String,
    reason: &'a str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    metadata: &'a BTreeMap<String, String>,
    reporting_controller: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    reporting_instance: &'a str,
}

fn alert(event: &Event, options: &Options, now: Timestamp) -> String {
    let alert = Alert {
        involved_object: &event.object,
        severity: if event.severity == Severity::Error { "error" } else { "info" },
        timestamp: seconds(now),
        message: cut(&event.message, LONGEST, |s| s.chars().count()),
        reason: &event.reason,
        metadata: &event.metadata,
        reporting_controller: &options.controller,
        reporting_instance: &options.instance,
    };
    // Texts alone: there is nothing that JSON could refuse.
    crate::api::digest::go_json(&alert).unwrap_or_default()
}

/// A text within a limit, with a mark where it was cut.
fn cut(text: &str, longest: usize, length: impl Fn(&str) -> usize) -> String {
    const MARK: &str = "...";
    if length(text) <= longest {
        return text.into();
    }
    let room = longest - MARK.len();
    let mut at = 0;
    let mut used = 0;
    for (start, c) in text.char_indices() {
        let end = start + c.len_utf8();
        used += length(text.get(start..end).unwrap_or_default());
        if used > room {
            break;
        }
        at = end;
    }
    format!("{}{MARK}", text.get(..at).unwrap_or_default())
}

/// Posts an alert; a server that fails or is away is asked up to four times more. 429 means that it knows the alert already.
async fn post(client: reqwest::Client, url: reqwest::Url, body: String, metrics: Metrics) {
    let mut wait = Duration::from_secs(1);
    for last in [false, false, false, false, true] {
        let sent = client.post(url.clone()).header("Content-Type", "application/json").body(body.clone()).send().await;
        match sent.map(|answer| answer.status().as_u16()) {
            Ok(429) => return metrics.event("alert", "repeated"),
            Ok(code) if code < 500 => return metrics.event("alert", if code < 400 { "delivered" } else { "refused" }),
            failed if last => {
                metrics.event("alert", "lost");
                // Without the URL: it may hold a token.
                let why = failed.map_or_else(|e| e.without_url().to_string(), |code| format!("HTTP status {code}"));
                tracing::warn!("an event did not reach --events-addr: {why}");
            }
            _ => tokio::time::sleep(wait).await,
        }
        wait *= 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{HelmRelease, HelmReleaseSpec};

    #[test]
    fn an_alert_is_flux_json() {
        let mut release = HelmRelease::new("shop", "web", HelmReleaseSpec::default());
        release.metadata.uid = Some("u1".into());
        release.metadata.resource_version = Some("7".into());
        let own = [("event.toolkit.fluxcd.io/team", "a"), ("other", "b")];
        release.metadata.annotations = Some(own.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect());
        let event = Event::new(&release, Severity::Error, "UpgradeFailed", "timed out <x>")
            .with("helm.toolkit.fluxcd.io/revision", "1.2.3")
            .with("helm.toolkit.fluxcd.io/oci-digest", "");
        let options = Options {
            controller: "helm-controller".into(),
            instance: "host".into(),
            address: String::new(),
            repeat: false,
        };
        assert_eq!(
            alert(&event, &options, Timestamp::from_second(0).unwrap()),
            "{\"involvedObject\":{\"apiVersion\":\"helm.toolkit.fluxcd.io/v2\",\"kind\":\"HelmRelease\",\"name\":\"web\",\"namespace\":\"shop\",\
             \"resourceVersion\":\"7\",\"uid\":\"u1\"},\"severity\":\"error\",\"timestamp\":\"1970-01-01T00:00:00Z\",\
             \"message\":\"timed out \\u003cx\\u003e\",\"reason\":\"UpgradeFailed\",\"metadata\":{\"event.toolkit.fluxcd.io/team\":\"a\",\
             \"helm.toolkit.fluxcd.io/revision\":\"1.2.3\"},\"reportingController\":\"helm-controller\",\"reportingInstance\":\"host\"}"
        );
        assert_eq!(cut("äöü", 3, |s| s.len()), "...");
        assert_eq!(cut("abcdef", 5, |s| s.len()), "ab...");
        assert_eq!(cut("abc", 3, |s| s.len()), "abc");
    }
}
