//! The frame around every action: hold the release's mark, settle what a dead process left, do the work, give the mark back.
//!
//! What can be left, and what becomes of it:
//! - A pending revision becomes a failed one whose description tells what happened. Its objects are remembered: whatever the next revision
//!   does not want goes, so that nothing is orphaned; the last deployed revision stays the deployed one until then.
//! - Of several deployed revisions the newest stays (a process died between its last two writes).
//! - Hooks of the dead operation that were to be deleted at its end are deleted.
//! - An uninstall that was begun is told to the action that follows: it goes on with it, or undoes it.
//!
//! A pending revision that no mark explains is another program's (`helm`). Nobody can tell whether that program lives; young ones are
//! respected, see [`Foreign`].

use std::sync::Arc;

use crate::cluster::apply::{self, Method};
use crate::cluster::targets::{Target, ownership};
use crate::cluster::{Propagation, wait};
use crate::release::Record;
use crate::release::record::{HookRecord, Status};
use crate::release::storage::Entry;

use super::guard::{GuardedCluster, GuardedStorage};
use super::lock::{Held, LockError, Owner};
use super::{ActionError, Context, Options, history, install, objects};

/// What to do with a pending revision of another program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Foreign {
    /// Refuse to work while it is young.
    Respect,
    /// Take it to be dead: the user asked for what Helm allows then, too (rollback, uninstall), or said so (recover).
    Take,
    /// Leave it as it is: what is done beside it harms nobody (tests).
    Leave,
}

/// An action's hold on a release.
pub(super) struct Work {
    /// The context, with every write watched.
    pub ctx: Context,
    /// The release's revisions, settled, oldest first.
    pub entries: Vec<Entry>,
    /// Revisions newer than the deployed one whose processes died, or that failed ([`Options::sweep_failed`]): their objects may lie around.
    pub leftovers: Vec<Record>,
    /// The newest revision's uninstall was begun by a process that died.
    pub uninstall_interrupted: bool,
    /// `None` in a view of somebody's work, see [`Work::with_entries`].
    held: Option<Held>,
}

/// What is to be worked on.
pub(super) struct Task<'t> {
    pub name: &'t str,
    pub operation: &'t str,
    /// The revision that will be made, or is worked on.
    pub revision: i64,
    /// A failure makes a further revision (rollback).
    pub may_roll_back: bool,
    pub foreign: Foreign,
}

impl Work {
    /// Takes the release's mark, with the revisions as they were read before.
    pub async fn begin(
        ctx: &Context,
        task: &Task<'_>,
        entries: Vec<Entry>,
        options: &Options,
    ) -> Result<Self, ActionError> {
        let held = acquire(ctx, task).await?;
        let ctx = watched(ctx, &held);
        let mut work = Self { ctx, entries, leftovers: Vec::new(), uninstall_interrupted: false, held: Some(held) };
        match work.settle(task, options).await {
            Ok(()) => Ok(work),
            Err(e) => {
                work.unlock().await;
                Err(e)
            }
        }
    }

    pub fn last(&self) -> Option<&Entry> {
        self.entries.last()
    }

    /// Gives the mark back, after what was made is kept under `subject` (a commit in a directory of a Git work tree).
    pub async fn end(self, subject: &str) {
        if let Some(keeper) = &self.ctx.keeper {
            self.ctx.faults.point(|| "before commit".into());
            if let Err(e) = keeper.keep(subject).await {
                self.ctx.note(format!("the revision is there, but it was not committed: {e}"));
            }
            self.ctx.faults.point(|| "after commit".into());
        }
        self.unlock().await;
    }

    async fn unlock(self) {
        let Some(held) = self.held else { return };
        self.ctx.faults.point(|| "before unlock".into());
        held.release().await;
        self.ctx.faults.point(|| "after unlock".into());
    }

    /// The same work, seen with other revisions: a step within a step.
    pub fn with_entries(&self, entries: Vec<Entry>) -> Self {
        Self {
            ctx: self.ctx.clone(),
            entries,
            leftovers: self.leftovers.clone(),
            uninstall_interrupted: false,
            held: None,
        }
    }

    /// Reads the revisions again.
    pub async fn reread(&mut self, name: &str) -> Result<(), ActionError> {
        self.entries = history::entries(self.ctx.storage.as_ref(), name).await?;
        Ok(())
    }

    async fn settle(&mut self, task: &Task<'_>, options: &Options) -> Result<(), ActionError> {
        let dead = self.held.as_ref().and_then(|h| h.dead.clone());
        if let Some(dead) = &dead {
            self.ctx.note(format!("release {:?}: taking over from {}, which is dead", task.name, dead.words()));
            self.reread(task.name).await?;
        }
        let mine: Vec<i64> = dead.iter().flat_map(Owner::revisions).collect();
        let newest = self.entries.last().map(|e| e.version);
        for i in 0..self.entries.len() {
            let Some(entry) = self.entries.get(i).cloned() else { break };
            let ours = mine.contains(&entry.version);
            match entry.status {
                Status::Failed if ours => self.interrupt(task.name, i, dead.as_ref()).await?,
                status if status.is_pending() && ours => self.interrupt(task.name, i, dead.as_ref()).await?,
                status if status.is_pending() && newest == Some(entry.version) => {
                    self.foreign(task, i, options).await?;
                }
                Status::Uninstalling if ours && newest == Some(entry.version) => {
                    self.uninstall_interrupted = true;
                    if let Some(record) = history::readable(&self.ctx, task.name, entry.version).await? {
                        sweep_hooks(&self.ctx, &record, options).await;
                    }
                }
                _ => {}
            }
        }
        self.one_deployed().await?;
        self.find_leftovers(task.name, options.sweep_failed).await
    }

    /// A pending revision that no mark explains.
    async fn foreign(&mut self, task: &Task<'_>, at: usize, options: &Options) -> Result<(), ActionError> {
        if task.foreign == Foreign::Leave {
            return Ok(());
        }
        let Some(entry) = self.entries.get(at).cloned() else { return Ok(()) };
        let Some(record) = history::readable(&self.ctx, task.name, entry.version).await? else { return Ok(()) };
        let since = record.info.last_deployed.clone();
        let age = since.parse::<jiff::Timestamp>().ok().map(|t| jiff::Timestamp::now().duration_since(t));
        let old =
            age.is_some_and(|a| a.as_secs() >= i64::try_from(options.foreign_timeout.as_secs()).unwrap_or(i64::MAX));
        if task.foreign == Foreign::Take || old {
            return self.interrupt(task.name, at, None).await;
        }
        let refused = match task.operation {
            "install" => install::in_use(&self.ctx),
            _ => ActionError::new(LockError::Held(Box::default()).to_string()),
        };
        Err(refused
            .with(format!(
                "revision {} is {} since {since}; it was written by a program that leaves no mark of its life (helm)",
                entry.version,
                entry.status.as_str()
            ))
            .with(format!(
                "if that program is no longer running: pintle recover {} (or pintle rollback {})",
                task.name, task.name
            )))
    }

    /// Makes a failed revision of one whose process died.
    async fn interrupt(&mut self, name: &str, at: usize, by: Option<&Owner>) -> Result<(), ActionError> {
        let Some(entry) = self.entries.get_mut(at) else { return Ok(()) };
        let Some(mut record) = history::readable(&self.ctx, name, entry.version).await? else { return Ok(()) };
        if !history::is_interrupted(&record) {
            let prefix = history::interrupted_prefix(name);
            let pending = record.info.status.is_pending();
            let why = match by {
                Some(owner) => format!("{} ended before it was done", owner.words()),
                None => {
                    format!("{} since {}, its process is gone", record.info.status.as_str(), record.info.last_deployed)
                }
            };
            self.ctx.note(format!(
                "release {name:?}: revision {} was left {}",
                entry.version,
                record.info.status.as_str()
            ));
            sweep_hooks(&self.ctx, &record, &Options::default()).await;
            record.info.description = if pending {
                format!("{prefix}{why}")
            } else {
                format!("{prefix}{why}; before: {}", record.info.description)
            };
            record.info.status = Status::Failed;
            self.ctx.storage.update(&record).await?;
        }
        entry.status = Status::Failed;
        Ok(())
    }

    /// A process may die between its last two writes: then two revisions are deployed, or one beside an uninstalled one.
    async fn one_deployed(&mut self) -> Result<(), ActionError> {
        let newest = match self.entries.last() {
            Some(last) if last.status == Status::Uninstalled => 0,
            _ => history::deployed(&self.entries).unwrap_or_default(),
        };
        history::supersede(self.ctx.storage.as_ref(), &self.entries, newest).await?;
        for entry in &mut self.entries {
            if entry.status == Status::Deployed && entry.version != newest {
                entry.status = Status::Superseded;
            }
        }
        Ok(())
    }

    async fn find_leftovers(&mut self, name: &str, failed_too: bool) -> Result<(), ActionError> {
        let deployed = history::deployed(&self.entries).unwrap_or_default();
        let failed = self.entries.iter().filter(|e| e.version > deployed && e.status == Status::Failed);
        for version in failed.map(|e| e.version) {
            if let Some(record) = history::readable(&self.ctx, name, version).await?
                && (failed_too || history::is_interrupted(&record))
            {
                self.leftovers.push(record);
            }
        }
        Ok(())
    }

    /// The objects of the leftovers.
    pub async fn leftover_objects(&self) -> Result<Vec<Target>, String> {
        self.objects_of(self.leftovers.iter()).await
    }

    async fn objects_of(&self, leftovers: impl Iterator<Item = &Record>) -> Result<Vec<Target>, String> {
        let mut out = Vec::new();
        for record in leftovers {
            let targets = objects::of_record(&self.ctx, record).await?;
            // Somebody else's object of that name is none of ours.
            let found = ownership(self.ctx.cluster.as_ref(), &targets, objects::owner(record)).await;
            // What was not looked at would be left behind for good.
            if let Some((target, e)) = found.unknown.iter().find(|(_, e)| e.is_unanswered()) {
                return Err(format!("could not get information about the resource {}: {e}", target.described()));
            }
            objects::add(&mut out, found.owned);
        }
        Ok(out)
    }

    /// Makes room in the history for one more revision, and gives those that must wait for it: a leftover is the last to tell of what it made.
    pub async fn make_room(&self, entries: &[Entry], max: usize) -> Result<Vec<Record>, ActionError> {
        let mut surplus = history::surplus(entries, max);
        let goes = |record: &&Record| surplus.iter().any(|e| e.version == record.version);
        let last_words: Vec<Record> = self.leftovers.iter().filter(goes).cloned().collect();
        surplus.retain(|e| !last_words.iter().any(|r| r.version == e.version));
        history::prune(self.ctx.storage.as_ref(), &surplus).await?;
        Ok(last_words)
    }

    /// Removes leftovers for which there is no room, now that the new revision is written and tells of its objects (`targets`). What neither the
    /// deployed revision nor the new one has goes with them. A definition of a kind stays, for its instances would be lost. A leftover whose
    /// objects cannot be deleted stays in the history.
    pub async fn settle_last_words(
        &self,
        leftovers: &[Record],
        entries: &[Entry],
        targets: &[Target],
        options: &Options,
    ) {
        let [first, ..] = leftovers else { return };
        let settled = async {
            let mut gone = self.objects_of(leftovers.iter()).await?;
            let mut stay = targets.to_vec();
            if let Some(version) = history::deployed(entries)
                && let Some(record) =
                    history::readable(&self.ctx, &first.name, version).await.map_err(|e| e.to_string())?
            {
                objects::add(&mut stay, objects::of_record(&self.ctx, &record).await?);
            }
            gone.retain(|t| t.id.gvk.kind != "CustomResourceDefinition" && !stay.iter().any(|s| s.same(t)));
            let options = options.apply(Method::ServerSide { force_conflicts: false, migrate: false });
            apply::update(self.ctx.cluster.as_ref(), &gone, &[], &options).await.map_err(|e| e.to_string())?;
            let room: Vec<&Entry> =
                entries.iter().filter(|e| leftovers.iter().any(|r| r.version == e.version)).collect();
            history::prune(self.ctx.storage.as_ref(), &room).await.map_err(|e| e.to_string())
        };
        if let Err(e) = settled.await {
            self.ctx.note(format!("objects of failed revisions are left, and these stay in the history: {e}"));
        }
    }
}

async fn acquire(ctx: &Context, task: &Task<'_>) -> Result<Held, ActionError> {
    let mut me = Owner::me(task.operation, task.revision);
    if task.may_roll_back {
        me.inherited.push(task.revision + 1);
    }
    let note = ctx.clone();
    let name = task.name.to_string();
    let waiting = move |owner: &Owner| {
        note.note(format!(
            "release {name:?}: waiting up to {} s to see whether its owner lives: {}",
            super::lock::LEASE.as_secs(),
            owner.words()
        ));
    };
    ctx.faults.point(|| "before lock".into());
    let held = ctx.locks.acquire(task.name, me, &waiting).await;
    ctx.faults.point(|| "after lock".into());
    held.map_err(|e| match e {
        LockError::Held(owner) => {
            ActionError::new(LockError::Held(Box::default()).to_string()).with(format!("held by {}", owner.words()))
        }
        // The first write of all: Helm's words for a record that could not be created, which in ConfigMaps are the server's alone.
        LockError::Cluster(e) if e.object.as_ref().is_some_and(|o| o.gvk.kind == "ConfigMap") => e.into(),
        LockError::Cluster(e) => ActionError::new(format!("create: failed to create: {e}")),
        LockError::Io(e) => ActionError::new(e),
    })
}

/// A context whose writes end once the mark is lost.
fn watched(ctx: &Context, held: &Held) -> Context {
    let lost = Some(held.lost());
    let cluster = GuardedCluster { inner: ctx.cluster.clone(), faults: ctx.faults.clone(), lost: lost.clone() };
    let storage = GuardedStorage { inner: ctx.storage.clone(), faults: ctx.faults.clone(), lost };
    Context { cluster: Arc::new(cluster), storage: Arc::new(storage), ..ctx.clone() }
}

/// Removes the mark of a dead process where nothing else is left of its release.
pub(super) async fn sweep_mark(ctx: &Context, name: &str) {
    if let Ok(Some(owner)) = ctx.locks.look(name).await
        && owner.lives() == Some(false)
        && let Ok(held) = ctx.locks.acquire(name, Owner::me("recover", 0), &|_| ()).await
    {
        held.release().await;
    }
}

/// Deletes the hooks of a dead operation that were to be deleted at its end.
async fn sweep_hooks(ctx: &Context, record: &Record, options: &Options) {
    if !ctx.cluster.is_live() {
        return;
    }
    let events: &[&str] = match record.info.status {
        Status::PendingInstall => &["pre-install", "post-install"],
        Status::PendingUpgrade => &["pre-upgrade", "post-upgrade"],
        Status::PendingRollback => &["pre-rollback", "post-rollback"],
        Status::Uninstalling => &["pre-delete", "post-delete"],
        _ => return,
    };
    let started = |h: &&HookRecord| {
        !h.absent && !h.last_run.started_at.is_empty() && h.events.iter().any(|e| events.contains(&e.as_str()))
    };
    for hook in record.hooks.iter().filter(started) {
        let policy = |p: &str| hook.delete_policies.iter().any(|d| d == p);
        let goes = match hook.last_run.phase.as_str() {
            "Succeeded" => policy("hook-succeeded"),
            "Failed" => policy("hook-failed"),
            // It never learned how it ended: either would have removed it.
            _ => policy("hook-succeeded") || policy("hook-failed"),
        };
        if !goes || hook.kind == "CustomResourceDefinition" {
            continue;
        }
        if let Ok(targets) = objects::of_manifest(ctx, &hook.manifest).await {
            let _ = apply::delete(ctx.cluster.as_ref(), &targets, Propagation::Background).await;
            let _ = wait::deleted(ctx.cluster.as_ref(), &targets, &options.waiting(ctx)).await;
        }
    }
}
