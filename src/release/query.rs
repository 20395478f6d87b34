//! What is asked of stored releases: the list, the history of one, one revision.
//!
//! The answers are those of Helm 4.3 (`pkg/action/{list,history,get}.go`). Helm fetches and decodes every revision to answer; here labels come
//! first, and of what remains only that is decoded which is shown.

use std::collections::BTreeMap;

use super::record::{Record, Status, Summary};
use super::storage::{Entry, Storage, StorageError};
use crate::golang::regexp::Regexp;

pub mod live;
mod selector;

pub use selector::{Selector, SelectorError};

/// Which releases a list shows, and in which order.
#[derive(Clone, Debug, Default)]
pub struct ListOptions {
    /// Statuses to show; all of Helm's if empty.
    pub states: Vec<Status>,
    /// A regular expression that names must match.
    pub filter: String,
    /// On the labels of the stored objects.
    pub selector: String,
    pub by_date: bool,
    pub reverse: bool,
    /// 0: no limit.
    pub limit: usize,
    pub offset: usize,
}

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error("{0}")]
    Filter(String),
    #[error("release name is invalid: {0}")]
    HistoryName(String),
    #[error("releaseContent: Release name is invalid: {0}")]
    Name(String),
}

/// What a question came to: the answer, and which records could not be read.
#[derive(Clone, Debug, Default)]
pub struct Answer<T> {
    pub found: T,
    pub passed_over: Vec<String>,
}

/// One revision of every release.
///
/// # Errors
/// A filter or selector that is none; what the storage says.
pub async fn list(storage: &dyn Storage, options: &ListOptions) -> Result<Answer<Vec<Summary>>, QueryError> {
    let filter = match options.filter.as_str() {
        "" => None,
        text => Some(Regexp::new(text).map_err(|e| QueryError::Filter(e.to_string()))?),
    };
    let selector = Selector::parse(&options.selector).map_err(|e| QueryError::Filter(e.to_string()))?;
    let mut groups: BTreeMap<(String, String), Vec<Entry>> = BTreeMap::new();
    for entry in storage.entries(None).await? {
        if filter.as_ref().is_none_or(|f| f.is_match(entry.name.as_bytes())) {
            groups.entry((entry.namespace.clone(), entry.name.clone())).or_default().push(entry);
        }
    }
    let superseded_only = options.states == [Status::Superseded];
    // Helm's list has no bit for an unknown status.
    let state =
        |status: Status| status != Status::Unknown && (options.states.is_empty() || options.states.contains(&status));
    let shown = |e: &Entry| state(e.status) || !e.labels.contains_key("status");
    let mut passed_over = Vec::new();
    let mut found = Vec::new();
    // The newest of each release; where it cannot be read, the one before it, as Helm does by not seeing it.
    let mut candidates: Vec<Vec<Entry>> = if superseded_only {
        groups.into_values().flatten().map(|e| vec![e]).collect()
    } else {
        groups.into_values().collect()
    };
    while !candidates.is_empty() {
        // What is shown before its record is read: a newest revision of another status hides its release.
        let mut wanted = Vec::new();
        let mut rest = Vec::new();
        for mut entries in candidates {
            if let Some(last) = entries.pop()
                && shown(&last)
                && selector.matches(&last.labels)
            {
                wanted.push(last);
                rest.push(entries);
            }
        }
        candidates = Vec::new();
        for (result, older) in storage.summaries(&wanted).await?.into_iter().zip(rest) {
            match result {
                Ok(summary) if state(summary.info.status) => found.push(summary),
                Ok(_) => {}
                Err(e) => {
                    if !matches!(e, StorageError::NotFound) {
                        passed_over.push(e.to_string());
                    }
                    candidates.push(older);
                }
            }
        }
    }
    sort(&mut found, options);
    let limit = if options.limit == 0 { found.len() } else { options.limit };
    let found = found.into_iter().skip(options.offset).take(limit).collect();
    Ok(Answer { found, passed_over })
}

fn sort(found: &mut [Summary], options: &ListOptions) {
    found.sort_by(|a, b| (&a.name, &a.namespace).cmp(&(&b.name, &b.namespace)));
    if options.by_date {
        found.sort_by_cached_key(|s| {
            (s.info.last_deployed.parse::<jiff::Timestamp>().ok().map(|t| t.as_second()), s.name.clone())
        });
        // Helm's list by date begins with the oldest; the flag for the reverse turns that round.
    }
    if options.reverse {
        found.reverse();
    }
}

/// The newest `max` revisions of a release, oldest first.
///
/// # Errors
/// No such release; what the storage says.
pub async fn history(storage: &dyn Storage, name: &str, max: usize) -> Result<Answer<Vec<Summary>>, QueryError> {
    if !crate::render::is_release_name(name) {
        return Err(QueryError::HistoryName(name.into()));
    }
    let (found, passed_over) = storage.newest(name, max).await?;
    Ok(Answer { found, passed_over })
}

/// One revision of a release: the newest with `revision` 0. Its labels are those that Helm shows: all of the stored object for the newest one,
/// the user's for a given one.
///
/// # Errors
/// No such release; what the storage says.
pub async fn content(storage: &dyn Storage, name: &str, revision: i64) -> Result<Record, QueryError> {
    if !crate::render::is_release_name(name) {
        return Err(QueryError::Name(name.into()));
    }
    if revision > 0 {
        return Ok(storage.get(name, revision).await?);
    }
    Ok(storage.last(name).await?)
}
