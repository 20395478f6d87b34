//! A storage that remembers what was written to it: a HelmRelease's history is made of these writes, and only failures that left one count.
//!
//! Source: helm-controller 1.6 `internal/storage/observer.go`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;

use crate::release::Record;
use crate::release::record::Summary;
use crate::release::storage::{Entry, Storage, StorageError};

/// The last state of each revision that was written, by its number.
pub type Written = BTreeMap<i64, Record>;

/// See the module.
pub struct Observed {
    inner: Arc<dyn Storage>,
    written: Mutex<Written>,
}

impl Observed {
    pub fn new(inner: Arc<dyn Storage>) -> Arc<Self> {
        Arc::new(Self { inner, written: Mutex::default() })
    }

    /// What has been written so far, and forgets it.
    pub fn take(&self) -> Written {
        std::mem::take(&mut *self.written.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn note(&self, record: &Record) {
        self.written.lock().unwrap_or_else(PoisonError::into_inner).insert(record.version, record.clone());
    }
}

#[async_trait]
impl Storage for Observed {
    async fn create(&self, record: &Record) -> Result<(), StorageError> {
        self.inner.create(record).await?;
        self.note(record);
        Ok(())
    }

    async fn update(&self, record: &Record) -> Result<(), StorageError> {
        self.inner.update(record).await?;
        self.note(record);
        Ok(())
    }

    async fn delete(&self, name: &str, version: i64) -> Result<(), StorageError> {
        self.inner.delete(name, version).await
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

    fn warn(&self, text: String) {
        self.inner.warn(text);
    }

    fn take_warnings(&self) -> Vec<String> {
        self.inner.take_warnings()
    }
}
