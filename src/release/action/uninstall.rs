//! `uninstall`. Source: Helm 4.3 `pkg/action/uninstall.go`.
//!
//! The record says `uninstalling` before the first hook runs, and records are purged oldest first, so that an uninstall that died is known to be
//! one until it is done. Where the newest revision is not the deployed one (it failed, or died), the objects of the deployed one go too.

use crate::cluster::apply;
use crate::cluster::targets::{Target, build, ownership};
use crate::cluster::{ClusterError, Json, ObjectId, Propagation, manifest, wait};
use crate::diagnostic::LogLine;
use crate::release::Record;
use crate::release::record::{Status, time};
use crate::release::storage::{Entry, StorageError};
use crate::render::manifest::{Ordering, kind_rank};

use super::work::{Foreign, Task, Work};
use super::{ActionError, Context, Options, WaitStrategy, history, hooks, objects};

/// What an uninstall is told.
#[derive(Clone, Debug)]
pub struct Uninstall {
    pub name: String,
    pub options: Options,
    pub dry_run: bool,
    pub keep_history: bool,
    pub ignore_not_found: bool,
    pub propagation: Propagation,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Uninstalled {
    /// `None`: there was no such release, and that is fine (`--ignore-not-found`).
    pub record: Option<Record>,
    /// What was not deleted, and why, in Helm's words; often empty.
    pub info: String,
}

/// What would be deleted, and what not.
#[derive(Clone, Debug, Default)]
pub(super) struct Removal {
    /// In uninstall order.
    pub delete: Vec<Target>,
    /// Kind and name of what its manifest says to keep.
    pub kept: Vec<(String, String)>,
    pub kept_ids: Vec<ObjectId>,
    pub foreign: Vec<Target>,
    pub unknown: Vec<(Target, ClusterError)>,
}

/// Uninstalls a release.
///
/// # Errors
/// Helm's texts.
pub async fn uninstall(ctx: &Context, uninstall: &Uninstall) -> Result<Uninstalled, ActionError> {
    let name = &uninstall.name;
    if !super::is_name(name) {
        let step = if uninstall.dry_run { "releaseContent" } else { "uninstall" };
        return Err(ActionError::new(format!("{step}: Release name is invalid: {name}")));
    }
    let entries = match history::entries(ctx.storage.as_ref(), name).await {
        Ok(entries) => entries,
        Err(_) if uninstall.ignore_not_found && !uninstall.dry_run => return Ok(Uninstalled::default()),
        Err(StorageError::Cluster(e)) if e.is_closed() || uninstall.dry_run => {
            return Err(super::first_word(StorageError::Cluster(e)));
        }
        Err(e @ StorageError::Cluster(_)) => {
            return Err(ActionError::new(format!("uninstall: Release not loaded: {name}: {e}")));
        }
        Err(e) => return Err(e.into()),
    };
    let Some(last) = entries.last() else {
        super::work::sweep_mark(ctx, name).await;
        if uninstall.ignore_not_found {
            return Ok(Uninstalled::default());
        }
        let text = if uninstall.dry_run {
            "release: not found".to_string()
        } else {
            format!("uninstall: Release not loaded: {name}: release: not found")
        };
        return Err(ActionError { not_found: true, ..ActionError::new(text) });
    };
    if uninstall.dry_run {
        return dry_run(ctx, &entries, name).await;
    }
    let task =
        Task { name, operation: "uninstall", revision: last.version, may_roll_back: false, foreign: Foreign::Take };
    let work = Work::begin(ctx, &task, entries, &uninstall.options).await?;
    let result = locked(&work, uninstall).await;
    let subject = match &result {
        Ok(_) => format!("uninstall {name}"),
        Err(_) => format!("uninstall of {name} failed"),
    };
    work.end(&subject).await;
    result
}

async fn dry_run(ctx: &Context, entries: &[Entry], name: &str) -> Result<Uninstalled, ActionError> {
    let Some(record) = history::newest(ctx, entries).await? else { return Ok(Uninstalled::default()) };
    let Ok(removal) = removal(ctx, &record, None, &[]).await else {
        return Ok(Uninstalled { record: Some(record), info: String::new() });
    };
    for (list, what, each) in [
        (
            removal.foreign.iter().map(|t| (t, None)).collect::<Vec<_>>(),
            "dry-run: resources would be skipped because they are not owned by this release",
            "dry-run: would skip resource",
        ),
        (
            removal.unknown.iter().map(|(t, e)| (t, Some(e))).collect(),
            "dry-run: resources would be skipped because their ownership could not be verified",
            "dry-run: would skip resource (ownership could not be verified)",
        ),
    ] {
        if !list.is_empty() {
            ctx.log(LogLine::warn(what).with("release", name).with("count", list.len().to_string()));
        }
        for (target, error) in list {
            let line = named(LogLine::warn(each), target);
            ctx.log(match error {
                Some(e) => line.with("error", e.to_string()),
                None => line,
            });
        }
    }
    let info = kept_text(&removal.kept);
    Ok(Uninstalled { record: Some(record), info })
}

fn named(line: LogLine, target: &Target) -> LogLine {
    line.with("kind", target.id.gvk.kind.as_str())
        .with("name", target.id.name.as_str())
        .with("namespace", target.id.namespace.as_deref().unwrap_or_default())
}

fn kept_text(kept: &[(String, String)]) -> String {
    if kept.is_empty() {
        return String::new();
    }
    let mut text = String::from("These resources were kept due to the resource policy:\n");
    kept.iter().for_each(|(kind, name)| text.push_str(&format!("[{kind}] {name}\n")));
    text
}

pub(super) async fn locked(work: &Work, uninstall: &Uninstall) -> Result<Uninstalled, ActionError> {
    let ctx = &work.ctx;
    let name = &uninstall.name;
    let Some(mut record) = history::newest(ctx, &work.entries).await? else {
        return Err(ActionError::new("no release provided"));
    };
    if record.info.status == Status::Uninstalled {
        if uninstall.keep_history {
            return Err(ActionError::new(format!("the release named {name:?} is already deleted")));
        }
        purge_records(work).await.map_err(|e| format!("uninstall: Failed to purge the release: {e}"))?;
        return Ok(Uninstalled { record: Some(record), info: String::new() });
    }
    let deployed = match history::deployed(&work.entries) {
        Some(version) if version != record.version => history::readable(ctx, name, version).await?,
        _ => None,
    };
    record.info.status = Status::Uninstalling;
    record.info.deleted = time::now();
    record.info.description = "Deletion in progress (or silently failed)".into();
    hooks::store(ctx, &record).await;
    let options = &uninstall.options;
    if !options.no_hooks {
        let ran = hooks::run(ctx, &mut record, "pre-delete", options, true).await;
        if let Err(e) = ran {
            hooks::store(ctx, &record).await;
            return Err(e);
        }
    }
    let removal = removal(ctx, &record, deployed.as_ref(), &work.leftovers)
        .await
        .map_err(|e| ActionError::new(format!("failed to delete release: {name}")).with(e))?;
    // Helm passes over what it could not look at, whatever the reason. An outage is none to forget a release with objects of it left.
    if let Some((target, e)) = removal.unknown.iter().find(|(_, e)| e.is_unanswered()) {
        let text = format!("could not get information about the resource {}: {e}", target.described());
        return Err(ActionError::new(format!("failed to delete release: {name}")).with(text));
    }
    let info = report(ctx, &record, &removal);
    let (_, failed) = apply::delete(ctx.cluster.as_ref(), &removal.delete, uninstall.propagation).await;
    if !failed.is_empty() {
        let error = ActionError::new(format!("failed to delete release: {name}"));
        return Err(failed.iter().fold(error, |e, cause| e.with(cause.to_string())));
    }
    let mut errors: Vec<ActionError> = Vec::new();
    if options.wait != WaitStrategy::HookOnly && ctx.cluster.is_live() {
        let gone = wait::deleted(ctx.cluster.as_ref(), &removal.delete, &options.waiting(ctx)).await;
        errors.extend(gone.err().map(ActionError::from));
    }
    if !options.no_hooks {
        errors.extend(hooks::run(ctx, &mut record, "post-delete", options, true).await.err());
    }
    if uninstall.keep_history {
        // The older ones first: until the last write this is an uninstall that goes on.
        history::supersede(ctx.storage.as_ref(), &work.entries, record.version).await?;
        record.info.status = Status::Uninstalled;
        record.info.description = match options.description.as_str() {
            "" => "Uninstallation complete".into(),
            own => own.into(),
        };
        hooks::store(ctx, &record).await;
    } else {
        record.info.status = Status::Uninstalled;
        if let Err(e) = purge_records(work).await {
            errors.push(ActionError::new(format!("uninstall: Failed to purge the release: {e}")));
        }
    }
    if errors.is_empty() {
        return Ok(Uninstalled { record: Some(record), info });
    }
    let texts: Vec<&str> = errors.iter().map(|e| e.message.as_str()).collect();
    let text = format!("uninstallation completed with {} error(s): {}", errors.len(), texts.join("; "));
    let details = errors.iter().flat_map(|e| e.details.clone()).collect();
    Err(ActionError { details, record: Some(Box::new(record)), ..ActionError::new(text) })
}

async fn purge_records(work: &Work) -> Result<(), StorageError> {
    let entries = work.ctx.storage.entries(work.last().map(|e| e.name.as_str())).await;
    let mut entries = entries.unwrap_or_else(|_| work.entries.clone());
    entries.sort_by_key(|e| e.version);
    for entry in entries {
        match work.ctx.storage.delete(&entry.name, entry.version).await {
            Ok(()) | Err(StorageError::NotFound) => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// What is to be deleted of a release: the objects of its newest revision, of the deployed one where that is another, and of dead processes'
/// revisions, as far as they are there and the release's own.
pub(super) async fn removal(
    ctx: &Context,
    record: &Record,
    deployed: Option<&Record>,
    leftovers: &[Record],
) -> Result<Removal, String> {
    let mut out = Removal::default();
    let mut candidates: Vec<Target> = Vec::new();
    let mut spared: Vec<Json> = Vec::new();
    for (i, revision) in std::iter::once(record).chain(deployed).chain(leftovers).enumerate() {
        let objects = manifest::objects(revision.manifest.as_bytes())
            .map_err(|e| format!("corrupted release record. You must manually delete the resources: {e}"))?;
        let mut delete = Vec::new();
        let mut objects = objects;
        // The order in which Helm speaks of what stays. What goes is sorted again when lists have been taken apart.
        objects.sort_by(|a, b| order(kind(a), kind(b)));
        for object in objects {
            match policy(&object) {
                Policy::Keep if i == 0 => {
                    out.kept.push(kind_and_name(&object));
                    out.kept_ids.push(ObjectId::of(&object));
                    spared.push(object);
                }
                Policy::Other if i == 0 => spared.push(object),
                Policy::Keep | Policy::Other => {}
                Policy::None => delete.push(object),
            }
        }
        let built = if i == 0 {
            build(ctx.cluster.as_ref(), delete, &ctx.namespace)
                .await
                .map_err(|e| format!("unable to build kubernetes objects for delete: {e}"))?
        } else {
            // An older revision's kinds may be gone.
            objects::served(ctx, delete).await.map_err(|e| e.to_string())?
        };
        objects::add(&mut candidates, built);
    }
    // The newest revision has the word: what it keeps stays, also where an older one would have let it go.
    let spared = objects::served(ctx, spared).await.map_err(|e| e.to_string())?;
    candidates.retain(|t| !spared.iter().any(|s| s.same(t)));
    candidates.sort_by(|a, b| order(&a.id.gvk.kind, &b.id.gvk.kind));
    let found = ownership(ctx.cluster.as_ref(), &candidates, objects::owner(record)).await;
    out.delete = found.owned;
    out.foreign = found.foreign;
    out.unknown = found.unknown;
    Ok(out)
}

/// Helm's order of uninstalling; kinds that it does not know come last, by name.
fn order(a: &str, b: &str) -> std::cmp::Ordering {
    let place = |kind| kind_rank(kind, Ordering::Uninstall).map_or((usize::MAX, kind), |rank| (rank, ""));
    place(a).cmp(&place(b))
}

fn kind(object: &Json) -> &str {
    object.get("kind").and_then(Json::as_str).unwrap_or_default()
}

enum Policy {
    None,
    Keep,
    /// Any other text: Helm neither deletes such an object nor speaks of it.
    Other,
}

fn policy(object: &Json) -> Policy {
    let text = object.pointer("/metadata/annotations/helm.sh~1resource-policy").and_then(Json::as_str);
    match text.map(|t| t.trim().to_lowercase()) {
        None => Policy::None,
        Some(t) if t == "keep" => Policy::Keep,
        Some(_) => Policy::Other,
    }
}

fn kind_and_name(object: &Json) -> (String, String) {
    let text = |at: &str| object.pointer(at).and_then(Json::as_str).unwrap_or_default().to_string();
    (text("/kind"), text("/metadata/name"))
}

/// Says what stays, in Helm's words.
fn report(ctx: &Context, record: &Record, removal: &Removal) -> String {
    let mut text = kept_text(&removal.kept);
    let mut block = |head: String, lines: Vec<String>| {
        if lines.is_empty() {
            return;
        }
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&head);
        lines.iter().for_each(|l| text.push_str(l));
    };
    for target in &removal.foreign {
        let line = named(LogLine::warn("skipping delete of resource not owned by this release"), target);
        ctx.log(line.with("release", record.name.as_str()));
    }
    block(
        format!("{} resource(s) were not deleted because they are not owned by this release:\n", removal.foreign.len()),
        removal.foreign.iter().map(|t| format!("[{}] {}\n", t.id.gvk.kind, t.id.name)).collect(),
    );
    for (target, e) in &removal.unknown {
        let line = named(LogLine::warn("skipping delete of resource because ownership could not be verified"), target);
        ctx.log(line.with("release", record.name.as_str()).with("error", e.to_string()));
    }
    block(
        format!(
            "{} resource(s) were not deleted because their ownership could not be verified:\n",
            removal.unknown.len()
        ),
        removal.unknown.iter().map(|(t, e)| format!("[{}] {}: {e}\n", t.id.gvk.kind, t.id.name)).collect(),
    );
    text
}

/// Uninstalls what a failed install left (`--rollback-on-failure`), by its holder.
pub(super) async fn purge(work: &Work, record: &Record, options: &Options) -> Result<(), ActionError> {
    let ctx = &work.ctx;
    let entries = history::entries(ctx.storage.as_ref(), &record.name).await?;
    let plan = Uninstall::purging(&record.name, options);
    locked(&work.with_entries(entries), &plan).await.map(drop)
}

/// Brings an uninstall to its end that somebody else began.
pub(super) async fn go_on(work: &Work, name: &str, options: &Options) -> Result<(), ActionError> {
    locked(work, &Uninstall::purging(name, options)).await.map(drop)
}

impl Uninstall {
    fn purging(name: &str, options: &Options) -> Self {
        Self {
            name: name.into(),
            options: Options { description: String::new(), ..options.clone() },
            dry_run: false,
            keep_history: false,
            ignore_not_found: false,
            propagation: Propagation::Background,
        }
    }
}
