//! Where records are kept.
//!
//! Source: Helm 4.3 `pkg/storage/{storage,driver/driver}.go`.

mod directory;
pub mod labels;
pub mod objects;
pub mod size;

pub use directory::DirectoryStorage;
pub use objects::{Driver, Objects, unreachable};

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::record::{Record, Status, Summary};

/// What is known of a record without decoding it: the labels and the name of the object that holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub name: String,
    pub namespace: String,
    pub version: i64,
    pub status: Status,
    /// All labels of the object, Helm's own (`name`, `owner`, `status`, `version`, `createdAt`, `modifiedAt`) among them.
    pub labels: BTreeMap<String, String>,
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

    /// The newest revision of a release that can be read. Corrupt ones are passed over and told by [`Storage::take_warnings`]; the number of
    /// a new revision comes from [`Storage::entries`].
    async fn last(&self, name: &str) -> Result<Record, StorageError> {
        let mut entries = self.entries(Some(name)).await?;
        while let Some(entry) = entries.pop() {
            match self.get(&entry.name, entry.version).await {
                // Deleted meanwhile, or no record: the one before it.
                Err(StorageError::NotFound) => {}
                Err(StorageError::Corrupt(e)) => self.warn(e),
                other => return other,
            }
        }
        Err(StorageError::NotFound)
    }

    /// What lists show of many revisions, in the order asked for; what went meanwhile or cannot be read is an error of its own.
    async fn summaries(&self, wanted: &[Entry]) -> Result<Vec<Result<Summary, StorageError>>, StorageError> {
        let mut out = Vec::with_capacity(wanted.len());
        for entry in wanted {
            out.push(self.get(&entry.name, entry.version).await.map(|r| Summary::of(&r)));
        }
        Ok(out)
    }

    /// What lists show of the newest `max` revisions of a release that can be read, oldest first; and why others were passed over.
    async fn newest(&self, name: &str, max: usize) -> Result<(Vec<Summary>, Vec<String>), StorageError> {
        let mut entries = self.entries(Some(name)).await?;
        if entries.is_empty() {
            return Err(StorageError::NotFound);
        }
        entries.sort_by_key(|e| e.version);
        let (mut found, mut passed_over) = (Vec::new(), Vec::new());
        // Those that cannot be read do not count.
        while found.len() < max && !entries.is_empty() {
            let part = entries.split_off(entries.len().saturating_sub(max - found.len()));
            let mut older = Vec::new();
            for result in self.summaries(&part).await? {
                match result {
                    Ok(summary) => older.push(summary),
                    Err(StorageError::NotFound) => {}
                    Err(e) => passed_over.push(e.to_string()),
                }
            }
            older.append(&mut found);
            found = older;
        }
        Ok((found, passed_over))
    }

    /// Keeps a warning for [`Storage::take_warnings`].
    fn warn(&self, text: String);

    /// What was passed over since the last call, to be told to the user.
    fn take_warnings(&self) -> Vec<String> {
        Vec::new()
    }
}
