//! Makes a failed revision of a pending one whose writer is gone, so that the next action can begin.
//!
//! Source: Flux helm-controller 1.6 `internal/reconcile/unlock.go`, whose description of such a revision is kept. Here a live owner's revision is
//! left alone, and what a dead one has begun is remembered until the next revision has settled it.

use crate::release::Record;
use crate::release::record::Status;

use super::work::{Foreign, Task, Work};
use super::{ActionError, Context, Options, history};

/// How the description of an unlocked revision begins.
pub(super) const PREFIX: &str = "Release unlocked from stale '";

/// Unlocks the newest revision; `None` if it is not pending (any more).
///
/// # Errors
/// A live owner works on it; what the storage says.
pub async fn unlock(ctx: &Context, name: &str) -> Result<Option<Record>, ActionError> {
    let entries = history::entries(ctx.storage.as_ref(), name).await.map_err(super::first_word)?;
    let Some(last) = entries.last().filter(|e| e.status.is_pending()).cloned() else { return Ok(None) };
    let task = Task { name, operation: "unlock", revision: last.version, may_roll_back: false, foreign: Foreign::Take };
    let work = Work::begin(ctx, &task, entries, &Options::default()).await?;
    let done = fail(&work, name, last.version, last.status).await;
    work.end("unlock").await;
    done
}

async fn fail(work: &Work, name: &str, version: i64, was: Status) -> Result<Option<Record>, ActionError> {
    let Some(mut record) = history::readable(&work.ctx, name, version).await? else { return Ok(None) };
    record.info.status = Status::Failed;
    record.info.description = format!("{PREFIX}{was}' state");
    work.ctx.storage.update(&record).await?;
    Ok(Some(record))
}
