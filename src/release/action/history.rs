//! The revisions of a release, read with as little decoding as can be.

use crate::release::record::{Record, Status};
use crate::release::storage::{Entry, Storage, StorageError};

use super::{ActionError, Context};

/// The entries of a release, oldest first.
pub async fn entries(storage: &dyn Storage, name: &str) -> Result<Vec<Entry>, StorageError> {
    let mut entries = match storage.entries(Some(name)).await {
        Err(StorageError::NotFound) => Vec::new(),
        other => other?,
    };
    entries.sort_by_key(|e| e.version);
    Ok(entries)
}

/// The newest deployed revision.
pub fn deployed(entries: &[Entry]) -> Option<i64> {
    entries.iter().rev().find(|e| e.status == Status::Deployed).map(|e| e.version)
}

/// A revision's record; `None`, and a word about it, if it is none.
pub async fn readable(ctx: &Context, name: &str, version: i64) -> Result<Option<Record>, StorageError> {
    match ctx.storage.get(name, version).await {
        Ok(record) => Ok(Some(record)),
        Err(StorageError::Corrupt(e)) => {
            ctx.note(format!("release {name:?}: revision {version} cannot be read and is passed over: {e}"));
            Ok(None)
        }
        Err(StorageError::NotFound) => Ok(None),
        Err(e) => Err(e),
    }
}

/// The newest revision that can be read.
pub async fn newest(ctx: &Context, entries: &[Entry]) -> Result<Option<Record>, StorageError> {
    for entry in entries.iter().rev() {
        if let Some(record) = readable(ctx, &entry.name, entry.version).await? {
            return Ok(Some(record));
        }
    }
    Ok(None)
}

/// What goes to make room for one more revision: the oldest, and never the deployed one. Source: `pkg/storage/storage.go`, `removeLeastRecent`.
pub fn surplus(entries: &[Entry], max: usize) -> Vec<&Entry> {
    let count = if max == 0 { 0 } else { (entries.len() + 1).saturating_sub(max) };
    let keep = deployed(entries);
    entries.iter().filter(|e| Some(e.version) != keep).take(count).collect()
}

/// Deletes revisions. All are tried.
pub async fn prune(storage: &dyn Storage, surplus: &[&Entry]) -> Result<(), ActionError> {
    let mut failed: Vec<StorageError> = Vec::new();
    for entry in surplus {
        match storage.delete(&entry.name, entry.version).await {
            Ok(()) | Err(StorageError::NotFound) => {}
            Err(e) => failed.push(e),
        }
    }
    match failed.as_slice() {
        [] => Ok(()),
        [one] => Err(ActionError::new(one.to_string())),
        [first, ..] => {
            Err(ActionError::new(format!("encountered {} deletion errors. First is: {first}", failed.len())))
        }
    }
}

/// Sets deployed revisions other than `but` to superseded.
pub async fn supersede(storage: &dyn Storage, entries: &[Entry], but: i64) -> Result<(), StorageError> {
    for entry in entries.iter().filter(|e| e.status == Status::Deployed && e.version != but) {
        let mut record = match storage.get(&entry.name, entry.version).await {
            Ok(record) => record,
            // What is no record is nobody's deployed revision.
            Err(StorageError::Corrupt(_) | StorageError::NotFound) => continue,
            Err(e) => return Err(e),
        };
        record.info.status = Status::Superseded;
        storage.update(&record).await?;
    }
    Ok(())
}

/// How the description of a revision begins whose process died.
pub fn interrupted_prefix(name: &str) -> String {
    format!("Release {name:?} interrupted: ")
}

pub fn is_interrupted(record: &Record) -> bool {
    let text = &record.info.description;
    text.starts_with(&interrupted_prefix(&record.name)) || text.starts_with(super::unlock::PREFIX)
}
