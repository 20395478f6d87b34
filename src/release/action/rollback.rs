//! `rollback`. Source: Helm 4.3 `pkg/action/rollback.go`.
//!
//! Unlike Helm's, a rollback whose hooks fail leaves a failed revision and not a pending one, and the objects of revisions that died on the way
//! are pruned too.

use std::collections::BTreeMap;

use crate::cluster::apply;
use crate::cluster::targets::Target;
use crate::cluster::{ObjectId, manifest};
use crate::diagnostic::LogLine;
use crate::release::Record;
use crate::release::record::{Info, Status, time};
use crate::release::storage::{Entry, StorageError};

use super::install::{subject, wait_for};
use super::work::{Foreign, Task, Work};
use super::{ActionError, Context, DryRun, Options, ServerSide, history, hooks, objects, upgrade};

/// The longest description, in characters.
pub const MAX_DESCRIPTION: usize = 256;

/// What a rollback is told.
#[derive(Clone, Debug, Default)]
pub struct Rollback {
    pub name: String,
    /// 0: the one before the last.
    pub revision: i64,
    pub options: Options,
    pub dry_run: DryRun,
    pub server_side: ServerSide,
    pub cleanup_on_fail: bool,
    /// Revisions to be kept; 0: all.
    pub history_max: usize,
    /// Not a rollback at all: the operation of that revision, which was interrupted, is done anew.
    pub finish: Option<Finish>,
}

/// An interrupted operation that is brought to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    Install,
    Upgrade,
    Rollback,
}

impl Rollback {
    /// `install`, `upgrade`, `rollback`: whose hooks are run.
    const fn operation(&self) -> &'static str {
        match self.finish {
            Some(Finish::Install) => "install",
            Some(Finish::Upgrade) => "upgrade",
            Some(Finish::Rollback) | None => "rollback",
        }
    }

    fn description(&self, version: i64, back_to: i64) -> String {
        let text = match self.finish {
            _ if !self.options.description.is_empty() => return self.options.description.clone(),
            None => return format!("Rollback to {version}"),
            Some(Finish::Install) => "Install complete".to_string(),
            Some(Finish::Upgrade) => "Upgrade complete".to_string(),
            Some(Finish::Rollback) => format!("Rollback to {back_to}"),
        };
        format!("{text} (revision {version} was interrupted)")
    }
}

/// A rollback that is ready to be written.
pub(super) struct Prepared {
    /// The newest revision.
    pub current: Record,
    pub record: Record,
    pub server_side: bool,
    pub targets: Vec<Target>,
    /// The objects of the newest revision, and those of dead processes' revisions.
    pub originals: Vec<Target>,
}

/// Rolls a release back to an earlier revision.
///
/// # Errors
/// Helm's texts.
pub async fn rollback(ctx: &Context, rollback: &Rollback) -> Result<Record, ActionError> {
    let length = rollback.options.description.chars().count();
    if length > MAX_DESCRIPTION {
        return Err(ActionError::new(format!(
            "description must be {MAX_DESCRIPTION} characters or less, got {length}"
        )));
    }
    if !super::is_name(&rollback.name) {
        return Err(ActionError::new(format!("prepareRollback: Release name is invalid: {}", rollback.name)));
    }
    if rollback.revision < 0 {
        return Err(ActionError::new("invalid release revision"));
    }
    let entries = history::entries(ctx.storage.as_ref(), &rollback.name).await.map_err(super::first_word)?;
    let Some(last) = entries.last() else {
        super::work::sweep_mark(ctx, &rollback.name).await;
        return Err(ActionError { not_found: true, ..ActionError::new("release: not found") });
    };
    target(rollback, &entries)?;
    if rollback.dry_run != DryRun::None {
        return Ok(prepare(ctx, &entries, &[], rollback).await?.record);
    }
    let task = Task {
        name: &rollback.name,
        operation: "rollback",
        revision: last.version + 1,
        may_roll_back: false,
        foreign: Foreign::Take,
    };
    let work = Work::begin(ctx, &task, entries, &rollback.options).await?;
    let result = locked(&work, rollback).await;
    let subject = match &result {
        Ok(record) => format!("{}, back to {}", subject("rollback", record), record.info.rollback_revision),
        Err(_) => format!("rollback of {} failed", rollback.name),
    };
    work.end(&subject).await;
    result
}

/// The revision to go back to.
fn target(rollback: &Rollback, entries: &[Entry]) -> Result<i64, ActionError> {
    let last = entries.last().map_or(0, |e| e.version);
    let version = if rollback.revision == 0 { last - 1 } else { rollback.revision };
    if entries.iter().any(|e| e.version == version) {
        return Ok(version);
    }
    let known: Vec<String> = entries.iter().map(|e| e.version.to_string()).collect();
    Err(ActionError::new(format!("release has no {version} version")).with(format!(
        "revisions of {}: {}",
        rollback.name,
        known.join(", ")
    )))
}

/// A rollback by somebody who holds the release's mark.
pub(super) async fn locked(work: &Work, rollback: &Rollback) -> Result<Record, ActionError> {
    // A rollback on failure comes after a revision that the list does not have yet.
    let entries = history::entries(work.ctx.storage.as_ref(), &rollback.name).await?;
    let leftovers = work.leftover_objects().await?;
    let prepared = prepare(&work.ctx, &entries, &leftovers, rollback).await?;
    objects::check_crd_removal(&work.ctx, &prepared.originals, &prepared.targets).await?;
    write(work, &entries, rollback, prepared).await
}

/// Reads and checks, without a write.
pub(super) async fn prepare(
    ctx: &Context,
    entries: &[Entry],
    leftovers: &[Target],
    rollback: &Rollback,
) -> Result<Prepared, ActionError> {
    let version = target(rollback, entries)?;
    let last = entries.last().map_or(0, |e| e.version);
    let current = history::newest(ctx, entries).await?.ok_or(StorageError::NotFound)?;
    let old =
        if version == current.version { current.clone() } else { ctx.storage.get(&rollback.name, version).await? };
    let server_side = rollback.server_side.resolve(&old.apply_method);
    let record = Record {
        name: rollback.name.clone(),
        namespace: current.namespace.clone(),
        version: last + 1,
        info: Info {
            first_deployed: current.info.first_deployed.clone(),
            last_deployed: time::now(),
            status: match rollback.finish {
                Some(Finish::Install) => Status::PendingInstall,
                Some(Finish::Upgrade) => Status::PendingUpgrade,
                Some(Finish::Rollback) | None => Status::PendingRollback,
            },
            notes: old.info.notes.clone(),
            rollback_revision: if rollback.finish.is_some() { old.info.rollback_revision } else { version },
            description: rollback.description(version, old.info.rollback_revision),
            ..Info::default()
        },
        chart: old.chart,
        config: old.config,
        labels: old.labels,
        // What was asked for another revision, a while ago, says nothing of this one.
        annotations: if rollback.finish.is_some() { old.annotations } else { BTreeMap::default() },
        manifest: old.manifest,
        hooks: old.hooks,
        apply_method: super::apply_method(server_side).into(),
    };
    let mut originals = objects::of_record(ctx, &current)
        .await
        .map_err(|e| format!("unable to build kubernetes objects from current release manifest: {e}"))?;
    objects::add(&mut originals, leftovers.to_vec());
    // Where the newest revision failed, what is there may be the deployed one's.
    if let Some(deployed) = history::deployed(entries).filter(|v| *v != current.version)
        && let Some(deployed) = history::readable(ctx, &rollback.name, deployed).await?
    {
        // A manifest that cannot be read is no reason to stay with it; a server that does not answer is.
        let old = manifest::objects(deployed.manifest.as_bytes()).unwrap_or_default();
        objects::add(&mut originals, objects::served(ctx, old).await.map_err(|e| e.to_string())?);
    }
    let mut targets = objects::of_manifest(ctx, &record.manifest)
        .await
        .map_err(|e| format!("unable to build kubernetes objects from new release manifest: {e}"))?;
    objects::own(&mut targets, &record);
    Ok(Prepared { current, record, server_side, targets, originals })
}

pub(super) async fn write(
    work: &Work,
    entries: &[Entry],
    rollback: &Rollback,
    prepared: Prepared,
) -> Result<Record, ActionError> {
    let ctx = &work.ctx;
    let Prepared { current, mut record, server_side, targets, originals } = prepared;
    let last_words = work.make_room(entries, rollback.history_max).await?;
    ctx.storage.create(&record).await?;
    work.settle_last_words(&last_words, entries, &targets, &rollback.options).await;
    let mut reached = Reached::default();
    let step = perform(ctx, rollback, &mut record, server_side, &targets, &originals, &mut reached);
    if let Err(e) = ctx.cancellable(step).await {
        return Err(fail(ctx, rollback, &current, record, &targets, &reached, e).await);
    }
    record.info.status = Status::Deployed;
    ctx.storage.update(&record).await?;
    history::supersede(ctx.storage.as_ref(), entries, record.version).await?;
    Ok(record)
}

/// How far a rollback came. Helm's texts differ by the step.
#[derive(Default)]
struct Reached {
    applying: bool,
    created: Vec<ObjectId>,
}

async fn perform(
    ctx: &Context,
    rollback: &Rollback,
    record: &mut Record,
    server_side: bool,
    targets: &[Target],
    originals: &[Target],
    reached: &mut Reached,
) -> Result<(), ActionError> {
    let options = &rollback.options;
    if !options.no_hooks {
        hooks::run(ctx, record, &format!("pre-{}", rollback.operation()), options, server_side).await?;
    }
    reached.applying = true;
    let method = options.update_method(server_side, true, false)?;
    match apply::update(ctx.cluster.as_ref(), originals, targets, &options.apply(method)).await {
        Ok(done) => reached.created.extend(done.created),
        Err(e) => {
            reached.created.extend(e.done.created.iter().cloned());
            return Err(ActionError::new(e.message));
        }
    }
    reached.applying = false;
    if let Err(e) = wait_for(ctx, targets, options).await {
        let text = format!("release {} failed: {}", rollback.name, e.message);
        return Err(ActionError { message: text, ..e });
    }
    if !options.no_hooks {
        hooks::run(ctx, record, &format!("post-{}", rollback.operation()), options, server_side).await?;
    }
    Ok(())
}

async fn fail(
    ctx: &Context,
    rollback: &Rollback,
    current: &Record,
    mut record: Record,
    targets: &[Target],
    reached: &Reached,
    e: ActionError,
) -> ActionError {
    record.info.status = Status::Failed;
    if !reached.applying {
        // Helm records the text of the error that was under it.
        let inner = e.message.strip_prefix(&format!("release {} failed: ", rollback.name)).unwrap_or(&e.message);
        record.info.description = format!("Release {:?} failed: {inner}", record.name);
        hooks::store(ctx, &record).await;
        return ActionError { record: Some(Box::new(record)), ..e };
    }
    let text = format!("Rollback {:?} failed: {}", record.name, e.message);
    ctx.log(LogLine::warn(text.clone()));
    record.info.description = text;
    hooks::store(ctx, &record).await;
    // Its objects are half gone: it is no longer what is deployed, says Helm. The failed one comes first, so that there is a word of it.
    upgrade::replace_current(ctx, current).await;
    if rollback.cleanup_on_fail
        && let Err(texts) = upgrade::clean_up(ctx, targets, &reached.created).await
    {
        let text = format!(
            "an error occurred while cleaning up resources. original rollback error: unable to cleanup resources: {texts}"
        );
        return ActionError { message: text, record: Some(Box::new(record)), ..e };
    }
    ActionError { record: Some(Box::new(record)), ..e }
}

/// The options of a rollback that recovers.
pub(super) fn to(name: &str, revision: i64, options: &Options) -> Rollback {
    Rollback { name: name.into(), revision, options: options.clone(), ..Rollback::default() }
}
