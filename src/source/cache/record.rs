//! What references meant the last time, and where content comes from.

use std::fs;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::source::{Digest, Kind, Resolved, SourceError, Verification};

use super::Cache;

/// A reference's last meaning, with the provenance of its content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The reference, without credentials.
    pub reference: String,
    pub resolved: Resolved,
    pub kind: Kind,
    /// The content's.
    pub digest: Digest,
    pub size: u64,
    #[serde(default)]
    pub verifications: Vec<Verification>,
    /// When it was last looked at on the network.
    pub checked: jiff::Timestamp,
}

impl Cache {
    pub(super) fn record_path(&self, key: &str) -> PathBuf {
        self.dir.join("refs").join(format!("{}.json", Digest::of(key.as_bytes()).hex()))
    }

    /// What is known of a key. A file that can't be read is one that is not there.
    pub fn record(&self, key: &str) -> Option<Record> {
        let bytes = fs::read(self.record_path(key)).ok()?;
        serde_json::from_slice(&bytes).ok()
    }

    /// Remembers what a key means.
    ///
    /// # Errors
    /// [`Reason::Disk`](crate::source::Reason::Disk).
    pub fn set_record(&self, key: &str, record: &Record) -> Result<(), SourceError> {
        // A record is plain data, which JSON can always hold.
        let bytes = serde_json::to_vec(record).unwrap_or_default();
        self.ensure("refs")?;
        self.write_atomically(&self.record_path(key), &bytes)
    }

    /// All records, the last checked first.
    pub fn records(&self) -> Vec<Record> {
        let entries = fs::read_dir(self.dir.join("refs")).into_iter().flatten().flatten();
        let mut records: Vec<Record> =
            entries.filter_map(|e| serde_json::from_slice(&fs::read(e.path()).ok()?).ok()).collect();
        records.sort_by(|a, b| b.checked.cmp(&a.checked).then_with(|| a.reference.cmp(&b.reference)));
        records
    }
}
