//! Every write of an action passes here: it is refused once the release's mark is lost, and it is a numbered fault point for tests.
//!
//! With `PINTLE_FAULT_POINT=N` in the environment the process ends at its N-th fault point as if it were killed; points are counted from 1,
//! one before and one after each write. If it is no number, the point is the first whose words contain it. `PINTLE_FAULT_TRACE=FILE` appends
//! a line for each point that is passed. A test counts the points of an action with the second and kills it at every one with the first.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use futures::stream::BoxStream;

use super::lock::Lost;
use crate::cluster::{
    Cluster, ClusterError, Gvk, Json, ObjectId, PatchType, Propagation, Reason, Resource, Verb, WatchEvent,
    WriteOptions, Written,
};
use crate::release::Record;
use crate::release::record::Summary;
use crate::release::storage::{Entry, Storage, StorageError};
use crate::render::Capabilities;

/// A point by its number, or by its words.
#[derive(Debug)]
enum Point {
    Number(u64),
    Words(String),
}

/// Where the process is to end.
#[derive(Debug, Default)]
pub struct Faults {
    passed: AtomicU64,
    at: Option<Point>,
    trace: Option<PathBuf>,
}

impl Faults {
    /// As the environment has it; usually none.
    pub fn from_env() -> Arc<Self> {
        let at = std::env::var("PINTLE_FAULT_POINT").ok();
        let at = at.map(|at| at.parse().map(Point::Number).unwrap_or(Point::Words(at)));
        let trace = std::env::var_os("PINTLE_FAULT_TRACE").map(PathBuf::from);
        Arc::new(Self { passed: AtomicU64::new(0), at, trace })
    }

    /// A point of the program where being killed must do no harm.
    pub fn point(&self, what: impl FnOnce() -> String) {
        if self.at.is_none() && self.trace.is_none() {
            return;
        }
        let n = self.passed.fetch_add(1, Ordering::SeqCst) + 1;
        let what = what();
        if let Some(path) = &self.trace
            && let Ok(mut file) = std::fs::OpenOptions::new().create(true).append(true).open(path)
        {
            let _ = writeln!(file, "{n} {what}");
        }
        let here = match &self.at {
            Some(Point::Number(at)) => *at == n,
            Some(Point::Words(words)) => what.contains(words),
            None => false,
        };
        if here {
            // No destructor, no flush, no unlock: what a kill leaves.
            std::process::abort();
        }
    }
}

/// A cluster whose writes are watched.
pub struct GuardedCluster {
    pub inner: Arc<dyn Cluster>,
    pub faults: Arc<Faults>,
    pub lost: Option<Lost>,
}

impl GuardedCluster {
    fn before(&self, verb: Verb, id: &ObjectId) -> Result<(), ClusterError> {
        self.faults.point(|| format!("before {verb} {id}"));
        if self.lost.as_ref().is_some_and(Lost::is_set) {
            let message = format!("cannot {verb} {id}: another process has taken over the work on this release");
            return Err(ClusterError { verb, object: Some(id.clone()), reason: Reason::Conflict, code: 0, message });
        }
        Ok(())
    }

    fn after(&self, verb: Verb, id: &ObjectId) {
        self.faults.point(|| format!("after {verb} {id}"));
    }
}

#[async_trait]
impl Cluster for GuardedCluster {
    fn name(&self) -> String {
        self.inner.name()
    }

    fn is_live(&self) -> bool {
        self.inner.is_live()
    }

    async fn capabilities(&self) -> Result<Arc<Capabilities>, ClusterError> {
        self.inner.capabilities().await
    }

    async fn resource(&self, gvk: &Gvk) -> Result<Resource, ClusterError> {
        self.inner.resource(gvk).await
    }

    async fn refresh_discovery(&self) -> Result<(), ClusterError> {
        self.inner.refresh_discovery().await
    }

    async fn get(&self, id: &ObjectId) -> Result<Option<Json>, ClusterError> {
        self.inner.get(id).await
    }

    async fn list(
        &self,
        gvk: &Gvk,
        namespace: Option<&str>,
        labels: &str,
        fields: &str,
    ) -> Result<Vec<Json>, ClusterError> {
        self.inner.list(gvk, namespace, labels, fields).await
    }

    async fn list_metadata(&self, gvk: &Gvk, namespace: Option<&str>, labels: &str) -> Result<Vec<Json>, ClusterError> {
        self.inner.list_metadata(gvk, namespace, labels).await
    }

    async fn list_if_few(&self, gvk: &Gvk, namespace: Option<&str>) -> Result<Option<Vec<Json>>, ClusterError> {
        self.inner.list_if_few(gvk, namespace).await
    }

    async fn create(&self, object: &Json, options: &WriteOptions) -> Result<Json, ClusterError> {
        if options.dry_run {
            return self.inner.create(object, options).await;
        }
        let id = ObjectId::of(object);
        self.before(Verb::Create, &id)?;
        let result = self.inner.create(object, options).await;
        self.after(Verb::Create, &id);
        result
    }

    async fn replace(&self, object: &Json, options: &WriteOptions) -> Result<Json, ClusterError> {
        if options.dry_run {
            return self.inner.replace(object, options).await;
        }
        let id = ObjectId::of(object);
        self.before(Verb::Update, &id)?;
        let result = self.inner.replace(object, options).await;
        self.after(Verb::Update, &id);
        result
    }

    async fn patch(
        &self,
        id: &ObjectId,
        patch: PatchType,
        body: &Json,
        options: &WriteOptions,
    ) -> Result<Json, ClusterError> {
        if options.dry_run {
            return self.inner.patch(id, patch, body, options).await;
        }
        self.before(Verb::Patch, id)?;
        let result = self.inner.patch(id, patch, body, options).await;
        self.after(Verb::Patch, id);
        result
    }

    async fn apply(
        &self,
        id: &ObjectId,
        body: &Json,
        force: bool,
        options: &WriteOptions,
    ) -> Result<Written, ClusterError> {
        if options.dry_run {
            return self.inner.apply(id, body, force, options).await;
        }
        self.before(Verb::Patch, id)?;
        let result = self.inner.apply(id, body, force, options).await;
        self.after(Verb::Patch, id);
        result
    }

    async fn delete(&self, id: &ObjectId, propagation: Propagation, uid: Option<&str>) -> Result<bool, ClusterError> {
        self.before(Verb::Delete, id)?;
        let result = self.inner.delete(id, propagation, uid).await;
        self.after(Verb::Delete, id);
        result
    }

    async fn watch(
        &self,
        gvk: &Gvk,
        namespace: Option<&str>,
        fields: &str,
    ) -> Result<BoxStream<'static, Result<WatchEvent, ClusterError>>, ClusterError> {
        self.inner.watch(gvk, namespace, fields).await
    }

    async fn logs(
        &self,
        namespace: &str,
        pod: &str,
        container: Option<&str>,
        tail: Option<i64>,
    ) -> Result<String, ClusterError> {
        self.inner.logs(namespace, pod, container, tail).await
    }
}

/// A storage whose writes are watched.
pub struct GuardedStorage {
    pub inner: Arc<dyn Storage>,
    pub faults: Arc<Faults>,
    pub lost: Option<Lost>,
}

impl GuardedStorage {
    fn before(&self, what: &str, name: &str, version: i64) -> Result<(), StorageError> {
        self.faults.point(|| format!("before {what} record {name} v{version}"));
        if self.lost.as_ref().is_some_and(Lost::is_set) {
            return Err(StorageError::Io(format!(
                "cannot {what} the record of {name} v{version}: another process has taken over the work on this release"
            )));
        }
        Ok(())
    }

    fn after(&self, what: &str, name: &str, version: i64) {
        self.faults.point(|| format!("after {what} record {name} v{version}"));
    }
}

#[async_trait]
impl Storage for GuardedStorage {
    async fn create(&self, record: &Record) -> Result<(), StorageError> {
        self.before("create", &record.name, record.version)?;
        let result = self.inner.create(record).await;
        self.after("create", &record.name, record.version);
        result
    }

    async fn update(&self, record: &Record) -> Result<(), StorageError> {
        self.before("update", &record.name, record.version)?;
        let result = self.inner.update(record).await;
        self.after("update", &record.name, record.version);
        result
    }

    async fn delete(&self, name: &str, version: i64) -> Result<(), StorageError> {
        self.before("delete", name, version)?;
        let result = self.inner.delete(name, version).await;
        self.after("delete", name, version);
        result
    }

    async fn get(&self, name: &str, version: i64) -> Result<Record, StorageError> {
        self.inner.get(name, version).await
    }

    async fn entries(&self, name: Option<&str>) -> Result<Vec<Entry>, StorageError> {
        self.inner.entries(name).await
    }

    async fn last(&self, name: &str) -> Result<Record, StorageError> {
        self.inner.last(name).await
    }

    async fn summaries(&self, wanted: &[Entry]) -> Result<Vec<Result<Summary, StorageError>>, StorageError> {
        self.inner.summaries(wanted).await
    }

    async fn newest(&self, name: &str, max: usize) -> Result<(Vec<Summary>, Vec<String>), StorageError> {
        self.inner.newest(name, max).await
    }

    fn warn(&self, text: String) {
        self.inner.warn(text);
    }

    fn take_warnings(&self) -> Vec<String> {
        self.inner.take_warnings()
    }
}
