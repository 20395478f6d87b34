//! A watch that goes on: it resumes where it broke off, and looks anew when the server has forgotten that place.
//!
//! Source: the API's conventions for watches (bookmarks, 410 Gone), as client-go's reflector follows them.

use std::collections::HashMap;
use std::time::Duration;

use futures::stream::BoxStream;
use futures::{AsyncBufReadExt, StreamExt};
use tokio::sync::mpsc;

use super::call::{Call, METADATA, METADATA_LIST, Query};
use super::http::{Http, backoff, of_status};
use super::{ClusterError, Json, ObjectId, PAGE, Reason, Verb, WatchEvent};

/// The server is asked to end a watch after this time; a new one begins where it ended.
const LENGTH: u64 = 290;
/// Bookmarks come about every minute: a connection that is silent for longer is dead.
const SILENCE: Duration = Duration::from_secs(90);

type Sender = mpsc::Sender<Result<WatchEvent, ClusterError>>;

/// Which objects of a kind, and how much of each.
#[derive(Clone, Debug, Default)]
pub(super) struct Selection {
    pub fields: String,
    pub labels: String,
    /// Only `metadata` is asked for.
    pub metadata: bool,
}

/// Nobody listens any more.
struct Gone;

pub(super) fn watch(
    http: Http,
    path: String,
    about: ObjectId,
    what: Selection,
) -> BoxStream<'static, Result<WatchEvent, ClusterError>> {
    let (sender, receiver) = mpsc::channel(64);
    let watcher = Watcher { http, path, about, what, known: HashMap::new() };
    // The task ends when the stream is dropped: its next word finds nobody, and the silence between is bounded.
    let task = tokio::spawn(watcher.run(sender));
    let guard = AbortOnDrop(task);
    futures::stream::unfold((receiver, guard), |(mut receiver, guard)| async move {
        let event = receiver.recv().await?;
        Some((event, (receiver, guard)))
    })
    .boxed()
}

struct AbortOnDrop(tokio::task::JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

struct Watcher {
    http: Http,
    path: String,
    about: ObjectId,
    what: Selection,
    /// What was said to be there, by namespace and name, to tell what went away unseen.
    known: HashMap<(String, String), Json>,
}

impl Watcher {
    async fn run(mut self, sender: Sender) {
        let mut failures = 0;
        let mut version: Option<String> = None;
        loop {
            let step = match &version {
                None => self.look(&sender).await,
                Some(v) => self.follow(v, &sender).await,
            };
            match step {
                Ok(next) => {
                    failures = 0;
                    version = next;
                }
                Err(Step::Gone) => return,
                Err(Step::Failed(error)) => {
                    if is_final(&error) {
                        let _ = sender.send(Err(error)).await;
                        return;
                    }
                    tracing::debug!(path = self.path, %error, "watch broke off");
                    tokio::time::sleep(backoff(failures)).await;
                    failures = failures.saturating_add(1);
                }
            }
        }
    }

    /// Lists, tells what is there and what went away, and gives the place from which to follow.
    async fn look(&mut self, sender: &Sender) -> Result<Option<String>, Step> {
        let (items, version) = self.list().await?;
        let mut gone = std::mem::take(&mut self.known);
        for item in items {
            gone.remove(&key(&item));
            self.known.insert(key(&item), brief(&item));
            say(sender, WatchEvent::Applied(item)).await?;
        }
        for object in gone.into_values() {
            say(sender, WatchEvent::Deleted(object)).await?;
        }
        say(sender, WatchEvent::Synced).await?;
        Ok(Some(version))
    }

    async fn list(&self) -> Result<(Vec<Json>, String), ClusterError> {
        let (mut items, mut token) = (Vec::new(), String::new());
        loop {
            let query = Query::new()
                .text("fieldSelector", &self.what.fields)
                .text("labelSelector", &self.what.labels)
                .text("limit", &PAGE.to_string())
                .text("continue", &token);
            let mut call = Call::get(Verb::Watch, &query.after(&self.path)).about(&self.about);
            if self.what.metadata {
                call = call.accept(METADATA_LIST);
            }
            let answer = self.http.send(&call).await?;
            let mut list: Json = answer.json(Verb::Watch)?;
            let text = |path: &str| list.pointer(path).and_then(Json::as_str).unwrap_or_default().to_owned();
            let version = text("/metadata/resourceVersion");
            token = text("/metadata/continue");
            if let Some(Json::Array(page)) = list.get_mut("items").map(Json::take) {
                items.extend(page.into_iter().map(|mut item| {
                    if let Some(fields) = item.as_object_mut() {
                        if self.what.metadata {
                            // They say that they are metadata.
                            fields.remove("kind");
                            fields.remove("apiVersion");
                        }
                        fields.entry("apiVersion").or_insert_with(|| self.about.gvk.api_version().into());
                        fields.entry("kind").or_insert_with(|| self.about.gvk.kind.clone().into());
                    }
                    item
                }));
            }
            if token.is_empty() {
                return Ok((items, version));
            }
        }
    }

    /// Follows from a place until the stream ends, and gives the place it came to; none if the server has forgotten it.
    async fn follow(&mut self, from: &str, sender: &Sender) -> Result<Option<String>, Step> {
        let query = Query::new()
            .text("watch", "true")
            .text("allowWatchBookmarks", "true")
            .text("fieldSelector", &self.what.fields)
            .text("labelSelector", &self.what.labels)
            .text("resourceVersion", from)
            .text("timeoutSeconds", &LENGTH.to_string());
        let mut call = Call::get(Verb::Watch, &query.after(&self.path)).about(&self.about);
        if self.what.metadata {
            call = call.accept(METADATA);
        }
        let body = match self.http.stream(&call).await {
            Err(e) if e.code == 410 => return Ok(None),
            body => body?,
        };
        let mut lines = body.lines();
        let mut version = from.to_owned();
        loop {
            let line = match tokio::time::timeout(SILENCE, lines.next()).await {
                Ok(Some(Ok(line))) => line,
                // It ended, broke, or fell silent: all the same, we know where we are.
                Ok(None | Some(Err(_))) | Err(_) => break,
            };
            // A line that was cut off comes again.
            let Ok(mut event) = serde_json::from_str::<Json>(&line) else { break };
            let object = event.get_mut("object").map(Json::take).unwrap_or_default();
            if event.get("type").and_then(Json::as_str) == Some("ERROR") {
                let error = of_status(&call, 500, &object);
                return if error.code == 410 { Ok(None) } else { Err(error.into()) };
            }
            if let Some(next) = object.pointer("/metadata/resourceVersion").and_then(Json::as_str) {
                next.clone_into(&mut version);
            }
            match event.get("type").and_then(Json::as_str).unwrap_or_default() {
                "ADDED" | "MODIFIED" => {
                    self.known.insert(key(&object), brief(&object));
                    say(sender, WatchEvent::Applied(object)).await?;
                }
                "DELETED" => {
                    self.known.remove(&key(&object));
                    say(sender, WatchEvent::Deleted(object)).await?;
                }
                // A bookmark, or what a later API may invent.
                _ => {}
            }
        }
        if version == from {
            // Nothing came: do not turn in a tight circle around a server that ends watches at once.
            tokio::time::sleep(backoff(0)).await;
        }
        Ok(Some(version))
    }
}

enum Step {
    Gone,
    Failed(ClusterError),
}

impl From<ClusterError> for Step {
    fn from(e: ClusterError) -> Self {
        Self::Failed(e)
    }
}

impl From<Gone> for Step {
    fn from(_: Gone) -> Self {
        Self::Gone
    }
}

/// What no new attempt changes.
fn is_final(e: &ClusterError) -> bool {
    matches!(
        e.reason,
        Reason::Forbidden
            | Reason::Unauthorized
            | Reason::NotFound
            | Reason::BadRequest
            | Reason::Invalid
            | Reason::NoMatch
    ) || e.code == 405
}

async fn say(sender: &Sender, event: WatchEvent) -> Result<(), Gone> {
    sender.send(Ok(event)).await.map_err(|_| Gone)
}

fn key(object: &Json) -> (String, String) {
    let text = |path: &str| object.pointer(path).and_then(Json::as_str).unwrap_or_default().to_owned();
    (text("/metadata/namespace"), text("/metadata/name"))
}

/// Enough of an object to say that it is gone.
fn brief(object: &Json) -> Json {
    let mut out = serde_json::Map::new();
    for field in ["apiVersion", "kind"] {
        if let Some(value) = object.get(field) {
            out.insert(field.to_owned(), value.clone());
        }
    }
    let mut metadata = serde_json::Map::new();
    for field in ["name", "namespace", "uid", "resourceVersion"] {
        if let Some(value) = object.get("metadata").and_then(|m| m.get(field)) {
            metadata.insert(field.to_owned(), value.clone());
        }
    }
    out.insert("metadata".to_owned(), Json::Object(metadata));
    Json::Object(out)
}
