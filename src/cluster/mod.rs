//! The Kubernetes API as releases need it: discover, get, apply, delete, watch, wait for readiness, drift.
//!
//! Objects are plain JSON here: what a chart renders may be of any kind. [`Cluster`] is what an action needs of its target; a Kubernetes API
//! server is one, a directory of manifests the other. Nothing in this room knows what a release is.

pub mod apply;
pub mod directory;
pub mod drift;
mod error;
mod go_value;
pub mod kube;
pub mod manifest;
mod object;
pub mod patch;
pub mod status;
pub mod targets;
pub mod wait;

pub use error::{ClusterError, Reason, Verb};
pub use object::{Gvk, Json, ObjectId};

use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::BoxStream;

use crate::render::Capabilities;

/// How a kind is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    pub gvk: Gvk,
    /// `deployments`: the name in URLs.
    pub plural: String,
    pub namespaced: bool,
}

/// What holds for every write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriteOptions {
    /// `helm` for the command line, as the `helm` program has it.
    pub field_manager: String,
    pub dry_run: bool,
    pub validation: FieldValidation,
}

/// What the API server does with unknown and doubled fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldValidation {
    Ignore,
    Warn,
    Strict,
}

/// The form of a patch's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatchType {
    Json,
    Merge,
    Strategic,
    /// Server-side apply; with `force` conflicts are taken over.
    Apply {
        force: bool,
    },
}

/// What becomes of the objects that a deleted one owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Propagation {
    Background,
    Foreground,
    Orphan,
}

/// One change seen by a watch.
#[derive(Clone, Debug)]
pub enum WatchEvent {
    /// Added or changed; the first events are what is there already.
    Applied(Json),
    Deleted(Json),
    /// What was there has all been said. Comes once, and again after each fresh look (the watch had to start anew).
    Synced,
}

/// What a server-side apply left.
#[derive(Clone, Debug, PartialEq)]
pub struct Written {
    pub object: Json,
    /// The object was not there before.
    pub created: bool,
}

/// Where releases live: a Kubernetes API server, or a directory of manifests.
///
/// Every method may be called from many tasks at once. Reads and writes are retried by the implementation where the API says so (429 with
/// Retry-After, dropped connections before an answer to a read); what reaches the caller is final.
#[async_trait]
pub trait Cluster: Send + Sync {
    /// How the target is named in messages: the server's URL, or the directory.
    fn name(&self) -> String;

    /// Whether somebody acts on what is written. In a directory nobody does: there is nothing to wait for, and hooks don't run.
    fn is_live(&self) -> bool {
        true
    }

    /// What templates see as `.Capabilities`.
    async fn capabilities(&self) -> Result<Arc<Capabilities>, ClusterError>;

    /// How a kind is served. An unknown kind refreshes discovery once before it is an error ([`Reason::NoMatch`]).
    async fn resource(&self, gvk: &Gvk) -> Result<Resource, ClusterError>;

    /// Forgets what discovery said: CRDs have been added.
    async fn refresh_discovery(&self) -> Result<(), ClusterError>;

    async fn get(&self, id: &ObjectId) -> Result<Option<Json>, ClusterError>;

    /// The objects of a kind, of all namespaces with `None`; `labels` and `fields` are selectors as `kubectl` writes them.
    async fn list(
        &self,
        gvk: &Gvk,
        namespace: Option<&str>,
        labels: &str,
        fields: &str,
    ) -> Result<Vec<Json>, ClusterError>;

    /// As [`Cluster::list`], but only `apiVersion`, `kind` and `metadata` of each.
    async fn list_metadata(&self, gvk: &Gvk, namespace: Option<&str>, labels: &str) -> Result<Vec<Json>, ClusterError>;

    /// As [`Cluster::list_metadata`] of one namespace, if there are not more of them than one answer holds; `None` if there are, or if nobody
    /// but a server knows.
    async fn list_if_few(&self, _gvk: &Gvk, _namespace: Option<&str>) -> Result<Option<Vec<Json>>, ClusterError> {
        Ok(None)
    }

    /// The server's table for people (`kubectl get`'s, a `meta.k8s.io/v1` Table) of one object, or of a kind's objects with these labels if
    /// `name` is empty; `None` if there is no such object, or the target makes no tables.
    async fn table(
        &self,
        _gvk: &Gvk,
        _namespace: Option<&str>,
        _name: &str,
        _labels: &str,
    ) -> Result<Option<Json>, ClusterError> {
        Ok(None)
    }

    async fn create(&self, object: &Json, options: &WriteOptions) -> Result<Json, ClusterError>;

    /// PUT: the whole object, with its `resourceVersion` if it must not have changed.
    async fn replace(&self, object: &Json, options: &WriteOptions) -> Result<Json, ClusterError>;

    async fn patch(
        &self,
        id: &ObjectId,
        patch: PatchType,
        body: &Json,
        options: &WriteOptions,
    ) -> Result<Json, ClusterError>;

    /// Server-side apply, and whether it made the object. The default looks first; a server answers that in one request.
    async fn apply(
        &self,
        id: &ObjectId,
        body: &Json,
        force: bool,
        options: &WriteOptions,
    ) -> Result<Written, ClusterError> {
        let created = self.get(id).await?.is_none();
        let object = self.patch(id, PatchType::Apply { force }, body, options).await?;
        Ok(Written { object, created })
    }

    /// Deletes; `Ok(false)` if it was not there. With a `uid` only that very object.
    async fn delete(&self, id: &ObjectId, propagation: Propagation, uid: Option<&str>) -> Result<bool, ClusterError>;

    /// Deletes an object if it is still as it was read; `Ok(false)` if it is no longer there, a conflict if it was written since.
    async fn delete_as_read(&self, object: &Json) -> Result<bool, ClusterError> {
        let uid = object.pointer("/metadata/uid").and_then(Json::as_str);
        self.delete(&ObjectId::of(object), Propagation::Background, uid).await
    }

    /// The present objects and then each change. Resumes by itself; ends with an error only when that can't help (RBAC, no such kind).
    async fn watch(
        &self,
        gvk: &Gvk,
        namespace: Option<&str>,
        fields: &str,
    ) -> Result<BoxStream<'static, Result<WatchEvent, ClusterError>>, ClusterError>;

    /// The last `tail` lines (all with `None`) that a container wrote.
    async fn logs(
        &self,
        namespace: &str,
        pod: &str,
        container: Option<&str>,
        tail: Option<i64>,
    ) -> Result<String, ClusterError>;
}
