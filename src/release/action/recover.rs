//! `recover`: what an interrupted operation left, and its end: forwards or backwards.
//!
//! Any other action settles such remains on its way; this one has no other purpose. An upgrade or a rollback that died is undone by default:
//! the deployed revision is known to be good. An install that died has nothing to go back to, and is finished from its record; an uninstall
//! is finished. `finish` and `undo` choose.

use crate::cluster::targets;
use crate::release::Record;
use crate::release::record::Status;

use super::lock::Owner;
use super::uninstall::Uninstall;
use super::work::{Foreign, Task, Work};
use super::{ActionError, Context, Options, history, install, objects, rollback, uninstall};

/// Which way to go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Way {
    #[default]
    Auto,
    Finish,
    Undo,
}

/// What a recovery is told.
#[derive(Clone, Debug, Default)]
pub struct Recover {
    pub name: String,
    pub way: Way,
    pub options: Options,
}

/// What an interrupted operation left.
#[derive(Clone, Debug, Default)]
pub struct Remains {
    /// The mark that is there.
    pub owner: Option<Owner>,
    /// Whether its owner lives; `None` where this machine cannot know.
    pub lives: Option<bool>,
    /// The newest revision and its status.
    pub last: Option<(i64, Status)>,
    /// What its description says.
    pub description: String,
    /// The deployed revision.
    pub deployed: Option<i64>,
    /// Objects of the interrupted revision: name, and whether it is there.
    pub objects: Vec<(String, bool)>,
    /// Something is to be recovered.
    pub interrupted: bool,
    /// What [`recover`] would do by default.
    pub way: Way,
}

/// What was done.
#[derive(Clone, Debug)]
pub enum Recovered {
    /// There was nothing to do.
    Nothing,
    /// The interrupted revision, or its undoing, is deployed.
    Deployed(Box<Record>),
    /// The release is gone.
    Uninstalled,
}

/// Looks at what is left, without a write.
///
/// # Errors
/// There is no such release and no mark of one.
pub async fn look(ctx: &Context, name: &str) -> Result<Remains, ActionError> {
    let entries = history::entries(ctx.storage.as_ref(), name).await.map_err(super::first_word)?;
    let owner = ctx.locks.look(name).await.map_err(|e| ActionError::new(e.to_string()))?;
    if entries.is_empty() && owner.is_none() {
        return Err(ActionError { not_found: true, ..ActionError::new("release: not found") });
    }
    let lives = owner.as_ref().and_then(Owner::lives);
    let deployed = history::deployed(&entries);
    let mut remains = Remains { owner, lives, deployed, ..Remains::default() };
    let Some(last) = entries.last() else {
        remains.interrupted = true;
        return Ok(remains);
    };
    let Some(record) = history::newest(ctx, &entries).await? else {
        remains.interrupted = true;
        return Ok(remains);
    };
    let doubled = entries.iter().filter(|e| e.status == Status::Deployed).count() > 1;
    let marked = remains.owner.is_some() && lives != Some(true);
    let interrupted = history::is_interrupted(&record);
    remains.interrupted =
        last.status.is_pending() || last.status == Status::Uninstalling || doubled || marked || interrupted;
    remains.way = default_way(last.status, deployed);
    if remains.interrupted {
        let targets = objects::of_record(ctx, &record).await.unwrap_or_default();
        for (target, live) in targets::live(ctx.cluster.as_ref(), &targets).await {
            remains.objects.push((targets::described(&target.id), matches!(live, Ok(Some(_)))));
        }
    }
    remains.last = Some((last.version, last.status));
    remains.description = record.info.description;
    Ok(remains)
}

const fn default_way(status: Status, deployed: Option<i64>) -> Way {
    match status {
        Status::PendingInstall | Status::Uninstalling => Way::Finish,
        _ if deployed.is_some() => Way::Undo,
        _ => Way::Finish,
    }
}

/// Finishes or undoes what was interrupted.
///
/// # Errors
/// A live owner works on the release; there is nothing to go back to; what the steps themselves say.
pub async fn recover(ctx: &Context, recover: &Recover) -> Result<Recovered, ActionError> {
    let name = &recover.name;
    let entries = history::entries(ctx.storage.as_ref(), name).await.map_err(super::first_word)?;
    if entries.is_empty() {
        let owner = ctx.locks.look(name).await.map_err(|e| ActionError::new(e.to_string()))?;
        if owner.is_none() {
            return Err(ActionError { not_found: true, ..ActionError::new("release: not found") });
        }
    }
    let before = entries.last().map(|e| e.status);
    let revision = entries.last().map_or(0, |e| e.version);
    let task = Task { name, operation: "recover", revision, may_roll_back: true, foreign: Foreign::Take };
    let work = Work::begin(ctx, &task, entries, &recover.options).await?;
    let result = locked(&work, recover, before).await;
    let subject = match &result {
        Ok(Recovered::Deployed(record)) => install::subject("recover", record),
        Ok(_) => format!("recover {name}"),
        Err(_) => format!("recovery of {name} failed"),
    };
    work.end(&subject).await;
    result
}

async fn locked(work: &Work, recover: &Recover, before: Option<Status>) -> Result<Recovered, ActionError> {
    let name = &recover.name;
    let Some(last) = work.last() else { return Ok(Recovered::Nothing) };
    let deployed = history::deployed(&work.entries);
    let interrupted = work.leftovers.iter().find(|r| r.version == last.version);
    if last.status == Status::Uninstalling {
        return match recover.way {
            Way::Undo => bring_back(work, recover, last.version).await,
            Way::Auto | Way::Finish => {
                uninstall::go_on(work, name, &recover.options).await?;
                Ok(Recovered::Uninstalled)
            }
        };
    }
    let Some(record) = interrupted else { return Ok(Recovered::Nothing) };
    let way = match (recover.way, before) {
        (Way::Auto, Some(status)) => default_way(status, deployed),
        (Way::Auto, None) => default_way(last.status, deployed),
        (way, _) => way,
    };
    match (way, deployed) {
        (Way::Undo, Some(version)) => bring_back(work, recover, version).await,
        (Way::Undo, None) => {
            let plan = Uninstall {
                name: name.clone(),
                options: recover.options.clone(),
                dry_run: false,
                keep_history: false,
                ignore_not_found: false,
                propagation: crate::cluster::Propagation::Background,
            };
            uninstall::locked(work, &plan).await?;
            Ok(Recovered::Uninstalled)
        }
        // To finish is to make a revision of what the interrupted one was to be: the same manifest, hooks and values.
        _ => {
            let finish = Some(operation(work, record));
            let plan = rollback::Rollback { finish, ..rollback::to(name, record.version, &recover.options) };
            let record = rollback::locked(work, &plan).await?;
            Ok(Recovered::Deployed(Box::new(record)))
        }
    }
}

/// What an interrupted revision was to be.
fn operation(work: &Work, record: &Record) -> rollback::Finish {
    let dead = |version: i64| work.leftovers.iter().any(|r| r.version == version);
    if record.info.rollback_revision > 0 {
        rollback::Finish::Rollback
    } else if work.entries.iter().all(|e| dead(e.version)) {
        rollback::Finish::Install
    } else {
        rollback::Finish::Upgrade
    }
}

/// Makes a new revision of an old one, as a rollback does.
async fn bring_back(work: &Work, recover: &Recover, version: i64) -> Result<Recovered, ActionError> {
    let plan = rollback::to(&recover.name, version, &recover.options);
    let record = rollback::locked(work, &plan).await?;
    Ok(Recovered::Deployed(Box::new(record)))
}
