//! One reconciliation of one source: what is common to all kinds.
//!
//! An object that is going loses its files; a suspended one is left alone. Else its artifact is looked at, its kind says what the artifact
//! should be now, and the end is written into the status, once. What fails keeps the artifact that was there.
//! Source: source-controller 1.9 `internal/reconcile/summarize`, and each kind's `reconcileStorage`.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::{Map, json};

use crate::api::condition::{
    ARTIFACT_IN_STORAGE, ARTIFACT_OUTDATED, BUILD_FAILED, FALSE, FETCH_FAILED, INCLUDE_UNAVAILABLE, READY, RECONCILING,
    SOURCE_VERIFIED, STALLED, STORAGE_OPERATION_FAILED, TRUE,
};
use crate::api::{Artifact, Condition, FINALIZER, SOURCE_API, Time, annotation, condition};
use crate::cluster::kube::Kube;
use crate::cluster::patch::json_merge;
use crate::cluster::{Cluster, ClusterError, FieldValidation, Gvk, Json, ObjectId, PatchType, WriteOptions};
use crate::source::{Reason, SourceError};

use super::super::events::Severity;
use super::super::index::Key;
use super::super::manager::jittered;
use super::manager::World;
use super::store::Stored;

/// Who writes.
pub const MANAGER: &str = "source-controller";

/// Why a source has no new artifact.
#[derive(Clone, Debug)]
pub struct Fault {
    /// The condition that tells: `FetchFailed`, `BuildFailed`, `StorageOperationFailed`.
    pub condition: &'static str,
    pub reason: &'static str,
    pub message: String,
    /// Whether only a change of the object helps.
    pub stalled: bool,
}

impl Fault {
    pub fn fetch(reason: &'static str, message: impl Into<String>) -> Self {
        Self { condition: FETCH_FAILED, reason, message: message.into(), stalled: false }
    }

    pub fn build(reason: &'static str, message: impl Into<String>) -> Self {
        Self { condition: BUILD_FAILED, ..Self::fetch(reason, message) }
    }

    pub fn storage(reason: &'static str, message: impl Into<String>) -> Self {
        Self { condition: STORAGE_OPERATION_FAILED, ..Self::fetch(reason, message) }
    }

    /// The same, but no retry will help.
    #[must_use]
    pub fn for_good(self) -> Self {
        Self { stalled: true, ..self }
    }

    /// What could not be written.
    pub fn disk(e: &std::io::Error) -> Self {
        Self::storage("ArchiveOperationFailed", format!("unable to archive artifact to storage: {e}"))
    }

    /// A fetch that failed: refused credentials are told apart.
    pub fn of(reason: &'static str, what: &str, e: &SourceError) -> Self {
        let reason = match e.reason {
            Reason::Unauthorized | Reason::Forbidden => "AuthenticationFailed",
            _ => reason,
        };
        Self::fetch(reason, format!("{what}: {e}"))
    }
}

/// What a kind has found.
#[derive(Debug, Default)]
pub struct Found {
    /// The artifact, new or the one that was there.
    pub artifact: Option<Artifact>,
    /// `status.url`.
    pub url: Option<String>,
    /// Ready's reason and message.
    pub reason: &'static str,
    pub message: String,
    /// Who vouches for it, where that was asked for.
    pub verified: Option<String>,
    /// Other fields of the status; null takes one away.
    pub fields: Vec<(&'static str, Json)>,
}

/// When a source is looked at again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// After its interval, or when it changes.
    After(Option<Duration>),
    /// After a wait that grows.
    Retry,
    /// It is no more.
    Gone,
}

/// An object under reconciliation.
pub struct Subject {
    pub key: Key,
    pub object: Json,
    pub generation: i64,
    pub artifact: Option<Artifact>,
}

impl Subject {
    pub fn new(key: &Key, object: &Json) -> Self {
        let artifact = object.pointer("/status/artifact").filter(|a| !a.is_null());
        Self {
            key: key.clone(),
            generation: object.pointer("/metadata/generation").and_then(Json::as_i64).unwrap_or_default(),
            artifact: artifact.and_then(|a| serde_json::from_value(a.clone()).ok()),
            object: object.clone(),
        }
    }

    pub fn namespace(&self) -> &str {
        &self.key.namespace
    }

    /// The spec as its type; the API server has checked it.
    pub fn spec<T: DeserializeOwned>(&self) -> Result<T, Fault> {
        serde_json::from_value(self.object.get("spec").cloned().unwrap_or_default())
            .map_err(|e| Fault::fetch("InvalidSpec", format!("the spec is not understood: {e}")).for_good())
    }

    /// A field of the status.
    pub fn status(&self, field: &str) -> Option<&Json> {
        self.object.get("status").and_then(|s| s.get(field)).filter(|v| !v.is_null())
    }

    /// Whether the present spec was reconciled before.
    pub fn observed(&self) -> bool {
        self.status("observedGeneration").and_then(Json::as_i64) == Some(self.generation)
    }

    /// The artifact, if it has this revision and the spec has not changed since.
    pub fn current(&self, revision: &str) -> Option<Artifact> {
        self.artifact.clone().filter(|a| a.has_revision(revision) && self.observed())
    }

    /// An artifact of this object.
    pub fn artifact_of(
        &self,
        world: &World,
        path: &str,
        revision: &str,
        stored: &Stored,
        metadata: BTreeMap<String, String>,
    ) -> Artifact {
        Artifact {
            digest: stored.digest.to_string(),
            path: path.into(),
            url: world.store.url(path),
            revision: revision.into(),
            last_update_time: now(),
            size: i64::try_from(stored.size).ok(),
            metadata,
        }
    }
}

/// `spec.timeout`, 60 seconds by default.
pub fn timeout(given: Option<&crate::api::GoDuration>) -> Duration {
    let default = Duration::from_secs(60);
    given.map_or(default, |t| t.or(default))
}

/// The time, in whole seconds as statuses have it.
pub fn now() -> Time {
    let now = jiff::Timestamp::now();
    Time(jiff::Timestamp::from_second(now.as_second()).unwrap_or(now))
}

pub fn id(key: &Key) -> ObjectId {
    ObjectId::new(Gvk::parse(SOURCE_API, &key.kind), Some(&key.namespace), &key.name)
}

pub fn write_options() -> WriteOptions {
    WriteOptions { field_manager: MANAGER.into(), dry_run: false, validation: FieldValidation::Ignore }
}

/// Writes an object's finalizers, unless somebody else wrote in between.
async fn finalizers(kube: &Kube, key: &Key, object: &Json, wanted: bool) -> Result<Json, ClusterError> {
    let list = object.pointer("/metadata/finalizers").and_then(Json::as_array).cloned().unwrap_or_default();
    let has = list.iter().any(|f| f == FINALIZER);
    if has == wanted {
        return Ok(object.clone());
    }
    let mut list: Vec<Json> = list.into_iter().filter(|f| f != FINALIZER).collect();
    if wanted {
        list.push(FINALIZER.into());
    }
    let version = object.pointer("/metadata/resourceVersion").cloned().unwrap_or_default();
    let body = json!({"metadata": {"finalizers": list, "resourceVersion": version}});
    kube.patch(&id(key), PatchType::Merge, &body, &write_options()).await
}

/// Reconciles an object as it was last seen.
pub async fn reconcile(world: &World, key: &Key, object: &Json) -> Next {
    let text = |at: &str| object.pointer(at).and_then(Json::as_str).unwrap_or_default();
    if object.pointer("/metadata/deletionTimestamp").is_some() {
        let _ = world.store.remove_all(&key.kind, &key.namespace, &key.name);
        return match finalizers(&world.kube, key, object, false).await {
            Ok(_) => Next::Gone,
            Err(e) if e.is_not_found() => Next::Gone,
            Err(_) => Next::Retry,
        };
    }
    // A registry is an address and nothing more: Flux's object for it has no status.
    let is_static = key.kind == "HelmRepository" && text("/spec/type") == "oci";
    if is_static || object.pointer("/spec/suspend") == Some(&Json::Bool(true)) {
        return Next::After(None);
    }
    let object = match finalizers(&world.kube, key, object, true).await {
        Ok(object) => object,
        Err(e) if e.is_not_found() => return Next::Gone,
        Err(_) => return Next::Retry,
    };
    let mut subject = Subject::new(key, &object);
    let lost = !stored(world, &subject).await;
    if lost {
        subject.artifact = None;
    }
    let found = fetch(world, &subject).await;
    let interval = object.pointer("/spec/interval").and_then(Json::as_str).unwrap_or("1m");
    let interval = crate::api::GoDuration::from(interval).or(Duration::from_secs(60));
    let next = match &found {
        Ok(_) => Next::After(Some(jittered(interval, world.options.interval_jitter_percentage))),
        Err(fault) if fault.stalled => Next::After(None),
        Err(_) => Next::Retry,
    };
    if let Ok(Found { artifact: Some(artifact), .. }) = &found {
        let _ = world.store.collect_garbage(&artifact.path);
    }
    match write(world, &subject, found).await {
        Ok(()) => next,
        Err(e) if e.is_not_found() => Next::Gone,
        Err(e) => {
            tracing::warn!(source = %key, error = %e, "the status could not be written");
            Next::Retry
        }
    }
}

/// Whether the artifact is still there and what it should be.
async fn stored(world: &World, subject: &Subject) -> bool {
    let Some(artifact) = subject.artifact.clone() else { return false };
    // Another replica, or source-controller, has stored it and served it.
    if artifact.url != world.store.url(&artifact.path) {
        return false;
    }
    let store = world.store.clone();
    let known = tokio::task::spawn_blocking(move || match store.verify(&artifact.path, &artifact.digest) {
        Ok(there) => there,
        Err(error) => {
            tracing::warn!(path = artifact.path, error, "an artifact is damaged and made again");
            store.remove(&artifact.path);
            false
        }
    });
    known.await.unwrap_or(false)
}

async fn fetch(world: &World, subject: &Subject) -> Result<Found, Fault> {
    match subject.key.kind.as_str() {
        "HelmRepository" => super::helm_repository::fetch(world, subject).await,
        "HelmChart" => super::helm_chart::fetch(world, subject).await,
        "GitRepository" => super::git_repository::fetch(world, subject).await,
        "OCIRepository" => super::oci_repository::fetch(world, subject).await,
        "Bucket" => super::bucket::fetch(world, subject).await,
        other => Err(Fault::fetch("Unsupported", format!("{other} is no source")).for_good()),
    }
}

/// Writes how it ended into the status.
async fn write(world: &World, subject: &Subject, found: Result<Found, Fault>) -> Result<(), ClusterError> {
    let old = subject.object.get("status").cloned().unwrap_or_else(|| json!({}));
    let mut status: Map<String, Json> = old.as_object().cloned().unwrap_or_default();
    let list = status.get("conditions").cloned().unwrap_or_default();
    let mut conditions: Vec<Condition> = serde_json::from_value(list).unwrap_or_default();
    let (generation, now) = (subject.generation, now());
    let mut set = |kind: &str, value: &str, reason: &str, message: &str| {
        condition::set(&mut conditions, kind, value, reason, message, generation, &now);
    };
    let event = match found {
        Ok(found) => {
            let news = found.artifact.as_ref().map(|a| &a.digest) != subject.artifact.as_ref().map(|a| &a.digest);
            set(READY, TRUE, found.reason, &found.message);
            set(ARTIFACT_IN_STORAGE, TRUE, found.reason, &found.message);
            if let Some(by) = &found.verified {
                set(SOURCE_VERIFIED, TRUE, "Succeeded", by);
            } else {
                condition::remove(&mut conditions, SOURCE_VERIFIED);
            }
            for kind in [
                RECONCILING,
                STALLED,
                FETCH_FAILED,
                BUILD_FAILED,
                STORAGE_OPERATION_FAILED,
                ARTIFACT_OUTDATED,
                INCLUDE_UNAVAILABLE,
            ] {
                condition::remove(&mut conditions, kind);
            }
            status.insert("observedGeneration".into(), generation.into());
            for (field, value) in found.fields {
                status.insert(field.into(), value);
            }
            if let Some(url) = found.url {
                status.insert("url".into(), url.into());
            }
            if let Some(artifact) = found.artifact {
                status.insert("artifact".into(), serde_json::to_value(artifact).unwrap_or_default());
            }
            news.then_some((Severity::Info, found.reason, found.message))
        }
        Err(fault) => {
            tracing::info!(source = %subject.key, reason = fault.reason, "{}", fault.message);
            let told = condition::get(&conditions, READY)
                .is_some_and(|c| c.status == FALSE && c.reason == fault.reason && c.message == fault.message);
            for kind in [FETCH_FAILED, BUILD_FAILED, STORAGE_OPERATION_FAILED] {
                condition::remove(&mut conditions, kind);
            }
            condition::set(&mut conditions, fault.condition, TRUE, fault.reason, &*fault.message, generation, &now);
            condition::set(&mut conditions, READY, FALSE, fault.reason, &*fault.message, generation, &now);
            if subject.artifact.is_none() {
                status.remove("artifact");
                status.remove("url");
                condition::remove(&mut conditions, ARTIFACT_IN_STORAGE);
            }
            if fault.stalled {
                condition::mark_stalled(&mut conditions, fault.reason, &*fault.message, generation, &now);
                status.insert("observedGeneration".into(), generation.into());
            } else {
                let text = "reconciliation in progress";
                condition::mark_reconciling(&mut conditions, "ProgressingWithRetry", text, generation, &now);
            }
            (!told).then_some((Severity::Error, fault.reason, fault.message))
        }
    };
    status.insert("conditions".into(), serde_json::to_value(&conditions).unwrap_or_default());
    let requested = subject.object.pointer("/metadata/annotations").and_then(|a| a.get(annotation::REQUESTED_AT));
    if let Some(token) = requested {
        status.insert("lastHandledReconcileAt".into(), token.clone());
    }
    status.retain(|_, v| !v.is_null());
    if let Some((severity, reason, message)) = event {
        world.tell(subject, severity, reason, &message);
    }
    let Some(body) = json_merge::between(&old, &Json::Object(status)) else { return Ok(()) };
    let body = json!({"status": body});
    let object = world.kube.patch_status(&id(&subject.key), PatchType::Merge, &body, &write_options()).await?;
    world.written(object);
    Ok(())
}
