//! Where records are kept.

use async_trait::async_trait;

use super::record::{Record, Status};

/// What is known of a record without decoding it: the labels and the name of the object that holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub name: String,
    pub namespace: String,
    pub version: i64,
    pub status: Status,
}

/// Why a record could not be kept or found.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StorageError {
    /// No such revision, or no release of that name. Helm's text.
    #[error("release: not found")]
    NotFound,
    /// Somebody else wrote this revision first.
    #[error("release: already exists")]
    AlreadyExists,
    /// The record does not fit: what is large in it, and what to cut.
    #[error("{0}")]
    TooLarge(String),
    /// A stored record that is no record.
    #[error("{0}")]
    Corrupt(String),
    #[error(transparent)]
    Cluster(#[from] crate::cluster::ClusterError),
    #[error("{0}")]
    Io(String),
}

/// Keeps the records of one namespace, or of all for listing.
///
/// Source: Helm 4.3 `pkg/storage/{storage,driver/driver}.go`.
#[async_trait]
pub trait Storage: Send + Sync {
    /// Stores a new revision. It is atomic: of two writers of the same revision one gets [`StorageError::AlreadyExists`].
    async fn create(&self, record: &Record) -> Result<(), StorageError>;

    /// Writes a revision that is there already.
    async fn update(&self, record: &Record) -> Result<(), StorageError>;

    async fn delete(&self, name: &str, version: i64) -> Result<(), StorageError>;

    async fn get(&self, name: &str, version: i64) -> Result<Record, StorageError>;

    /// All entries, of one release or of all, oldest first, undecoded.
    async fn entries(&self, name: Option<&str>) -> Result<Vec<Entry>, StorageError>;

    /// The newest revision of a release.
    async fn last(&self, name: &str) -> Result<Record, StorageError>;
}
