//! `upgrade`. Source: Helm 4.3 `pkg/action/upgrade.go`.
//!
//! The order of the last two writes is turned around: the new revision becomes deployed before the old one is superseded, so that there is a
//! deployed revision at every moment, for `helm` too.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::chart::{Table, data};
use crate::cluster::apply::{self, ApplyOptions};
use crate::cluster::targets::{self, Target};
use crate::cluster::{FieldValidation, ObjectId, Propagation, manifest};
use crate::diagnostic::LogLine;
use crate::release::Record;
use crate::release::record::{Info, Status, StoredChart, time};
use crate::release::storage::Entry;
use crate::render::{Capabilities, ReleaseOptions};
use crate::value::{Heap, MapId};

use super::install::{subject, wait_for};
use super::rendering::{self, Source};
use super::work::{Foreign, Task, Work};
use super::{ActionError, Context, DryRun, Options, ServerSide, WaitStrategy, history, hooks, objects, rollback};

/// Which of the last revision's values are taken over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Values {
    /// All of them if none are given, else none.
    #[default]
    Auto,
    /// None (`--reset-values`).
    Reset,
    /// All, over the old chart's defaults (`--reuse-values`).
    Reuse,
    /// All, over the new chart's defaults (`--reset-then-reuse-values`).
    ResetThenReuse,
}

/// What an upgrade is told.
#[derive(Clone, Debug, Default)]
pub struct Upgrade {
    pub name: String,
    pub options: Options,
    pub dry_run: DryRun,
    pub server_side: ServerSide,
    pub values: Values,
    pub take_ownership: bool,
    pub disable_openapi_validation: bool,
    pub cleanup_on_fail: bool,
    pub rollback_on_failure: bool,
    /// Revisions to be kept; 0: all.
    pub history_max: usize,
    /// Merged into the last revision's; the value `null` removes a label.
    pub labels: BTreeMap<String, String>,
    /// See [`super::install::Install::provenance`].
    pub provenance: BTreeMap<String, String>,
    /// `.Capabilities` for a client-side dry run.
    pub offline: Option<Arc<Capabilities>>,
}

/// An upgrade that is ready to be written.
pub(super) struct Prepared {
    /// The revision that is deployed.
    pub current: Record,
    pub record: Record,
    pub server_side: bool,
    pub targets: Vec<Target>,
    /// The objects of the current revision, of dead processes' revisions, and what is adopted.
    pub originals: Vec<Target>,
}

/// Upgrades a release to a chart.
///
/// # Errors
/// Helm's texts; a failed upgrade leaves its record, see [`ActionError::record`].
pub async fn upgrade(ctx: &Context, upgrade: Upgrade, source: Source) -> Result<Record, ActionError> {
    let mut upgrade = upgrade;
    if upgrade.options.wait == WaitStrategy::HookOnly && upgrade.rollback_on_failure {
        upgrade.options.wait = WaitStrategy::Watcher;
    }
    if !super::is_name(&upgrade.name) {
        return Err(ActionError::new(format!("release name is invalid: {}", upgrade.name)));
    }
    if source.hide_secret && upgrade.dry_run == DryRun::None {
        return Err(ActionError::new("hiding Kubernetes secrets requires a dry-run mode"));
    }
    let entries = history::entries(ctx.storage.as_ref(), &upgrade.name).await.map_err(super::first_word)?;
    let Some(last) = entries.last() else {
        super::work::sweep_mark(ctx, &upgrade.name).await;
        return Err(no_deployed(&upgrade.name).with(format!(
            "there is no release of this name in namespace {:?}: install it, or use upgrade --install",
            ctx.namespace
        )));
    };
    super::check_labels(&upgrade.labels)?;
    if upgrade.dry_run != DryRun::None {
        let mut prepared = prepare(ctx, &entries, &[], false, &upgrade, source).await?;
        prepared.record.info.description = match upgrade.options.description.as_str() {
            "" => "Dry run complete".into(),
            own => own.into(),
        };
        return Ok(prepared.record);
    }
    let task = Task {
        name: &upgrade.name,
        operation: "upgrade",
        revision: last.version + 1,
        may_roll_back: upgrade.rollback_on_failure,
        foreign: Foreign::Respect,
    };
    let work = Work::begin(ctx, &task, entries, &upgrade.options).await?;
    let result = locked(&work, &upgrade, source).await;
    let subject = match &result {
        Ok(record) => subject("upgrade", record),
        Err(_) => format!("upgrade of {} failed", upgrade.name),
    };
    work.end(&subject).await;
    result
}

/// The deployed revision, and the one that an upgrade would make, without a write. With `install` an empty record stands for a release that is
/// not there.
///
/// # Errors
/// As [`upgrade`], before its first write.
pub async fn compared(
    ctx: &Context,
    given: Upgrade,
    install: bool,
    source: Source,
) -> Result<(Record, Record), ActionError> {
    let entries = history::entries(ctx.storage.as_ref(), &given.name).await.map_err(super::first_word)?;
    if entries.is_empty() && install {
        let given = super::install::Install {
            name: given.name,
            dry_run: DryRun::Server,
            take_ownership: given.take_ownership,
            disable_openapi_validation: given.disable_openapi_validation,
            offline: given.offline,
            ..super::install::Install::default()
        };
        let record = super::install::install(ctx, given, source).await?;
        return Ok((Record { namespace: record.namespace.clone(), ..Record::default() }, record));
    }
    if entries.is_empty() {
        return Err(no_deployed(&given.name));
    }
    let prepared = prepare(ctx, &entries, &[], true, &given, source).await?;
    Ok((prepared.current, prepared.record))
}

pub(super) fn no_deployed(name: &str) -> ActionError {
    ActionError::new(format!("{} has no deployed releases", crate::golang::strconv::quote(name.as_bytes())))
}

async fn locked(work: &Work, upgrade: &Upgrade, source: Source) -> Result<Record, ActionError> {
    let leftovers = work.leftover_objects().await?;
    let prepared = prepare(&work.ctx, &work.entries, &leftovers, work.uninstall_interrupted, upgrade, source).await?;
    objects::check_crd_removal(&work.ctx, &prepared.originals, &prepared.targets).await?;
    write(work, upgrade, prepared).await
}

/// The revision whose objects are there. Source: `prepareUpgrade`.
async fn current(
    ctx: &Context,
    entries: &[Entry],
    uninstall_interrupted: bool,
    name: &str,
) -> Result<(Record, Record), ActionError> {
    let Some(last) = history::newest(ctx, entries).await? else { return Err(no_deployed(name)) };
    if last.info.status.is_pending() {
        return Err(ActionError::new("another operation (install/upgrade/rollback) is in progress"));
    }
    if last.info.status == Status::Deployed {
        return Ok((last.clone(), last));
    }
    if let Some(version) = history::deployed(entries)
        && let Some(deployed) = history::readable(ctx, name, version).await?
    {
        return Ok((deployed, last));
    }
    match last.info.status {
        Status::Failed | Status::Superseded => Ok((last.clone(), last)),
        // Nothing of it need be gone yet; what is, comes back.
        Status::Uninstalling if uninstall_interrupted => Ok((last.clone(), last)),
        status => Err(no_deployed(name).with(format!(
            "revision {} is {}; to go on from here: pintle history {name}, then pintle rollback {name} REVISION, or pintle uninstall {name} \
             and install it again",
            last.version,
            status.as_str()
        ))),
    }
}

/// Renders and checks, without a write.
pub(super) async fn prepare(
    ctx: &Context,
    entries: &[Entry],
    leftovers: &[Target],
    uninstall_interrupted: bool,
    upgrade: &Upgrade,
    source: Source,
) -> Result<Prepared, ActionError> {
    let name = &upgrade.name;
    let (current, last) = current(ctx, entries, uninstall_interrupted, name).await?;
    // A newest record that cannot be read still has its number.
    let revision = entries.last().map_or(last.version, |e| e.version) + 1;
    let mut source = source;
    reuse_values(ctx, upgrade.values, &current, &mut source)?;
    let options = ReleaseOptions {
        name: name.clone(),
        namespace: current.namespace.clone(),
        revision,
        is_install: false,
        is_upgrade: true,
    };
    let client = upgrade.dry_run == DryRun::Client;
    let capabilities = match &upgrade.offline {
        Some(offline) if client => offline.clone(),
        _ => ctx.cluster.capabilities().await?,
    };
    let r = rendering::render(ctx, source, options, capabilities, !client).await?;
    let server_side = upgrade.server_side.resolve(&last.apply_method);
    let record = Record {
        name: name.clone(),
        namespace: current.namespace.clone(),
        version: revision,
        info: Info {
            first_deployed: current.info.first_deployed.clone(),
            last_deployed: time::now(),
            status: Status::PendingUpgrade,
            description: "Preparing upgrade".into(),
            notes: r.notes,
            ..Info::default()
        },
        chart: Some(StoredChart::new(&r.release.chart).annotated(&upgrade.provenance)),
        config: Some(r.config),
        manifest: r.manifest,
        hooks: r.hooks,
        apply_method: super::apply_method(server_side).into(),
        labels: merged_labels(&last.labels, &upgrade.labels),
        annotations: ctx.witnessed(),
    };
    // Helm checks the manifest here, before anything else, and gives the error as it is.
    if !upgrade.disable_openapi_validation {
        targets::check_kinds(&manifest::objects(record.manifest.as_bytes())?)?;
    }
    let mut targets = objects::of_manifest(ctx, &record.manifest).await?;
    objects::check_unique(&targets)?;
    let mut originals = objects::of_record(ctx, &current)
        .await
        .map_err(|e| format!("unable to build kubernetes objects from current release manifest: {e}"))?;
    objects::own(&mut targets, &record);
    objects::check_namespaces(ctx, &targets).await?;
    objects::add(&mut originals, leftovers.to_vec());
    let new: Vec<Target> = targets.iter().filter(|t| !originals.iter().any(|o| o.same(t))).cloned().collect();
    let owner = (!upgrade.take_ownership).then(|| objects::owner(&record));
    let found = targets::existing(ctx.cluster.as_ref(), &new, owner).await.map_err(|e| {
        let hint = e.contains("invalid ownership metadata").then_some(
            "to take the object into this release: --take-ownership; or delete it, or give one of them another name",
        );
        hint.into_iter().fold(ActionError::new(format!("unable to continue with update: {e}")), ActionError::with)
    })?;
    objects::add(&mut originals, found.into_iter().map(|(t, _)| t).collect());
    Ok(Prepared { current, record, server_side, targets, originals })
}

/// Source: `mergeCustomLabels`.
fn merged_labels(last: &BTreeMap<String, String>, new: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut labels = last.clone();
    labels.extend(new.iter().map(|(k, v)| (k.clone(), v.clone())));
    labels.retain(|_, v| v != "null");
    labels
}

/// Takes values over from the current revision. Source: `reuseValues`.
pub(super) fn reuse_values(
    ctx: &Context,
    values: Values,
    current: &Record,
    source: &mut Source,
) -> Result<(), ActionError> {
    let Source { state, values: given, chart, .. } = source;
    let heap = &mut state.heap;
    let mut log = Vec::new();
    let deep = |_: data::TooDeep| ActionError::new("values are nested too deep");
    let old = |heap: &mut Heap| -> MapId {
        let empty = Table::new();
        data::table_to_map(heap, current.config.as_ref().unwrap_or(&empty))
    };
    match values {
        Values::Reset => {}
        Values::Reuse => {
            let config = old(heap);
            let old_chart = current.chart.as_ref().map(|c| c.to_chart()).unwrap_or_default();
            let all = crate::values::coalesce_values(heap, &old_chart, config, &mut log)
                .map_err(|e| format!("failed to rebuild old values: {e}"))?;
            chart.values = Some(Arc::new(data::map_to_table(heap, all).map_err(deep)?));
            let config = old(heap);
            crate::values::coalesce::coalesce_tables(heap, *given, config, &mut log).map_err(deep)?;
        }
        Values::ResetThenReuse => {
            let config = old(heap);
            crate::values::coalesce::coalesce_tables(heap, *given, config, &mut log).map_err(deep)?;
        }
        Values::Auto => {
            if heap.map(*given).is_empty() && current.config.as_ref().is_some_and(|c| !c.is_empty()) {
                *given = old(heap);
            }
        }
    }
    ctx.logs(log);
    Ok(())
}

async fn write(work: &Work, upgrade: &Upgrade, prepared: Prepared) -> Result<Record, ActionError> {
    let ctx = &work.ctx;
    let Prepared { current, mut record, server_side, targets, originals } = prepared;
    let last_words = work.make_room(&work.entries, upgrade.history_max).await?;
    ctx.storage.create(&record).await?;
    work.settle_last_words(&last_words, &work.entries, &targets, &upgrade.options).await;
    let mut created = Vec::new();
    let step = perform(ctx, upgrade, &current, &mut record, server_side, &targets, &originals, &mut created);
    if let Err(e) = ctx.cancellable(step).await {
        return Err(fail(work, upgrade, record, &targets, &created, e).await);
    }
    record.info.status = Status::Deployed;
    record.info.description = match upgrade.options.description.as_str() {
        "" => "Upgrade complete".into(),
        own => own.into(),
    };
    ctx.storage.update(&record).await?;
    replace_current(ctx, &current).await;
    Ok(record)
}

/// The old revision is superseded, once the new one is deployed: the one that is upgraded from, whatever it was. Only what was interrupted
/// keeps telling so.
pub(super) async fn replace_current(ctx: &Context, current: &Record) {
    if history::is_interrupted(current) {
        return;
    }
    let mut old = current.clone();
    old.info.status = Status::Superseded;
    hooks::store(ctx, &old).await;
}

#[allow(clippy::too_many_arguments, reason = "one caller, one step; a struct would only rename the parts")]
async fn perform(
    ctx: &Context,
    upgrade: &Upgrade,
    current: &Record,
    record: &mut Record,
    server_side: bool,
    targets: &[Target],
    originals: &[Target],
    created: &mut Vec<ObjectId>,
) -> Result<(), ActionError> {
    let options = &upgrade.options;
    if !options.no_hooks {
        let ran = hooks::run(ctx, record, "pre-upgrade", options, server_side).await;
        ran.map_err(|e| e.context("pre-upgrade hooks failed"))?;
    }
    let client_side_before = current.apply_method.is_empty() || current.apply_method == "csa";
    let method = options.update_method(server_side, client_side_before, false)?;
    let validation = if upgrade.disable_openapi_validation { FieldValidation::Ignore } else { FieldValidation::Strict };
    let apply_options = ApplyOptions { validation, ..options.apply(method) };
    match apply::update(ctx.cluster.as_ref(), originals, targets, &apply_options).await {
        Ok(done) => created.extend(done.created),
        Err(e) => {
            created.extend(e.done.created.iter().cloned());
            return Err(ActionError::new(e.message));
        }
    }
    wait_for(ctx, targets, options).await?;
    if !options.no_hooks {
        let ran = hooks::run(ctx, record, "post-upgrade", options, server_side).await;
        ran.map_err(|e| e.context("post-upgrade hooks failed"))?;
    }
    Ok(())
}

/// Source: `failRelease`.
async fn fail(
    work: &Work,
    upgrade: &Upgrade,
    mut record: Record,
    targets: &[Target],
    created: &[ObjectId],
    e: ActionError,
) -> ActionError {
    let ctx = &work.ctx;
    ctx.log(LogLine::warn("upgrade failed").with("name", record.name.as_str()).with("error", e.message.as_str()));
    record.info.status = Status::Failed;
    record.info.description = format!("Upgrade {:?} failed: {}", record.name, e.message);
    hooks::store(ctx, &record).await;
    if upgrade.cleanup_on_fail
        && !created.is_empty()
        && let Err(texts) = clean_up(ctx, targets, created).await
    {
        let text = format!(
            "an error occurred while cleaning up resources. original upgrade error: {}: unable to cleanup resources: {texts}",
            e.message
        );
        return ActionError { message: text, record: Some(Box::new(record)), ..e };
    }
    if !upgrade.rollback_on_failure {
        return ActionError { record: Some(Box::new(record)), ..e };
    }
    roll_back(work, upgrade, record, e).await
}

/// Deletes what an apply created (`--cleanup-on-fail`).
pub(super) async fn clean_up(ctx: &Context, targets: &[Target], created: &[ObjectId]) -> Result<(), String> {
    let gone: Vec<Target> = targets.iter().filter(|t| created.contains(&t.id)).cloned().collect();
    let (_, errors) = apply::delete(ctx.cluster.as_ref(), &gone, Propagation::Background).await;
    if errors.is_empty() {
        return Ok(());
    }
    Err(errors.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
}

async fn roll_back(work: &Work, upgrade: &Upgrade, record: Record, e: ActionError) -> ActionError {
    let good = work.entries.iter().rev().find(|e| matches!(e.status, Status::Superseded | Status::Deployed));
    let Some(good) = good else {
        let text = format!(
            "unable to find a previously successful release when attempting to rollback. original upgrade error: {}",
            e.message
        );
        return ActionError { message: text, record: Some(Box::new(record)), ..e };
    };
    let mut options = Options { description: String::new(), ..upgrade.options.clone() };
    if options.update_method(record.apply_method == super::apply_method(true), false, false).is_err() {
        // Options that excluded one another are why it failed. The way back goes without them.
        options.force_replace = false;
        options.force_conflicts = false;
    }
    let plan = rollback::Rollback {
        name: upgrade.name.clone(),
        revision: good.version,
        options,
        server_side: upgrade.server_side,
        ..rollback::Rollback::default()
    };
    match rollback::locked(work, &plan).await {
        Ok(_) => {
            let text = format!(
                "release {} failed, and has been rolled back due to rollback-on-failure being set: {}",
                upgrade.name, e.message
            );
            ActionError { message: text, ..e }
        }
        Err(second) => {
            let text = format!(
                "an error occurred while rolling back the release. original upgrade error: {}: {}",
                e.message, second.message
            );
            ActionError { message: text, ..e }
        }
    }
}
