//! `install`. Source: Helm 4.3 `pkg/action/install.go`.
//!
//! What can be checked is checked before the first write: also the files of `crds/` are only written once the chart has been rendered with the
//! kinds that they will define, and all other kinds are known.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::cluster::apply::{self, ApplyOptions, Method};
use crate::cluster::targets::{self, Target};
use crate::cluster::{FieldValidation, Gvk, Json, ObjectId, Reason, manifest};
use crate::diagnostic::LogLine;
use crate::release::Record;
use crate::release::record::{Info, Status, StoredChart, time};
use crate::release::storage::{Entry, StorageError, unreachable};
use crate::render::{Capabilities, ReleaseOptions};

use super::rendering::{self, Rendered, Source};
use super::work::{Foreign, Task, Work, sweep_mark};
use super::{ActionError, Context, DryRun, Options, WaitStrategy, history, hooks, objects, uninstall};

/// What an install is told.
#[derive(Clone, Debug, Default)]
pub struct Install {
    pub name: String,
    pub options: Options,
    pub dry_run: DryRun,
    /// `false` is `--server-side=false`.
    pub client_side: bool,
    pub create_namespace: bool,
    /// Use the name of a release that is uninstalled with its history kept, or failed.
    pub replace: bool,
    pub take_ownership: bool,
    pub skip_crds: bool,
    pub disable_openapi_validation: bool,
    /// A failed install is uninstalled.
    pub rollback_on_failure: bool,
    pub labels: BTreeMap<String, String>,
    /// Where the chart comes from and who vouches for it: put into the recorded chart's annotations, which Helm keeps.
    pub provenance: BTreeMap<String, String>,
    /// `.Capabilities` for a client-side dry run.
    pub offline: Option<Arc<Capabilities>>,
}

/// An install that is ready to be written.
pub(super) struct Prepared {
    pub record: Record,
    pub targets: Vec<Target>,
    /// What exists already, and will be taken over.
    pub adopted: Vec<Target>,
    /// The files of `crds/`.
    pub crds: Vec<(String, Vec<Target>)>,
    /// Objects of kinds that `crds/` brings along: they are resolved after it has been written.
    pub later: Vec<ObjectId>,
}

/// Installs a chart.
///
/// # Errors
/// Helm's texts; a failed install leaves its record, see [`ActionError::record`].
pub async fn install(ctx: &Context, install: Install, source: Source) -> Result<Record, ActionError> {
    let mut install = install;
    if install.options.wait == WaitStrategy::HookOnly && install.rollback_on_failure {
        install.options.wait = WaitStrategy::Watcher;
    }
    if source.hide_secret && install.dry_run == DryRun::None {
        return Err(ActionError::new("hiding Kubernetes secrets requires a dry-run mode"));
    }
    check_name(ctx, &install.name)?;
    if install.dry_run != DryRun::None {
        return dry_run(ctx, &install, source).await;
    }
    let entries = taken(ctx, &install.name).await?;
    available(ctx, &install, &entries).await?;
    if entries.is_empty() {
        sweep_if_any(ctx, &install).await;
        let prepared = prepare(ctx, &install, source).await?;
        if install.create_namespace {
            create_namespace(ctx, &install).await?;
        }
        let work = Work::begin(ctx, &task(&install, 1), entries, &install.options).await?;
        let result = write(&work, &install, prepared).await;
        return end(work, &install, result).await;
    }
    let revision = entries.last().map_or(1, |e| e.version + 1);
    let mut work = Work::begin(ctx, &task(&install, revision), entries, &install.options).await?;
    let result = over_remains(&mut work, &install, source).await;
    end(work, &install, result).await
}

fn task<'t>(install: &'t Install, revision: i64) -> Task<'t> {
    Task { name: &install.name, operation: "install", revision, may_roll_back: false, foreign: Foreign::Respect }
}

async fn end(work: Work, install: &Install, result: Result<Record, ActionError>) -> Result<Record, ActionError> {
    let subject = match &result {
        Ok(record) => subject("install", record),
        Err(_) => format!("install {} failed", install.name),
    };
    work.end(&subject).await;
    result
}

/// The first line of a commit.
pub(super) fn subject(operation: &str, record: &Record) -> String {
    format!("{operation} {} revision {} ({})", record.name, record.version, record.chart_label())
}

/// The revisions that stand in an install's way. Who may write records and not list them may install, as in Helm: a revision that is there
/// all the same is not overwritten.
async fn taken(ctx: &Context, name: &str) -> Result<Vec<Entry>, ActionError> {
    match history::entries(ctx.storage.as_ref(), name).await {
        Err(StorageError::Cluster(e)) if e.reason == Reason::Forbidden => Ok(Vec::new()),
        found => found.map_err(|e| reachability(e, ctx)),
    }
}

/// An install over what is there of the name: the remains of a dead process, or a release that is to be replaced.
async fn over_remains(work: &mut Work, install: &Install, source: Source) -> Result<Record, ActionError> {
    if work.uninstall_interrupted {
        // The process that began to uninstall it died on the way.
        super::check_labels(&install.labels)?;
        let name = install.name.clone();
        uninstall::go_on(work, &name, &install.options).await?;
        work.reread(&name).await?;
    }
    let interrupted = work.leftovers.iter().any(|r| Some(r.version) == work.last().map(|e| e.version));
    if let Some(last) = work.last()
        && !interrupted
        && !(install.replace && matches!(last.status, Status::Uninstalled | Status::Failed))
    {
        return Err(in_use(&work.ctx));
    }
    let prepared = prepare(&work.ctx, install, source).await?;
    if install.create_namespace {
        create_namespace(&work.ctx, install).await?;
    }
    write(work, install, prepared).await
}

/// Helm's first step: whether the server is there.
fn reachability(e: StorageError, ctx: &Context) -> ActionError {
    match &e {
        StorageError::Cluster(cause) if cause.is_closed() => {
            let text = format!("cluster reachability check failed: {}", unreachable(cause));
            ctx.log(LogLine::error(text.clone()));
            ActionError::new(text)
        }
        _ => e.into(),
    }
}

pub(super) fn check_name(ctx: &Context, name: &str) -> Result<(), ActionError> {
    let wrong = if name.is_empty() {
        "no name provided"
    } else if !super::is_name(name) {
        r"invalid release name, must match regex ^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$ and the length must not be longer than 53"
    } else {
        return Ok(());
    };
    let e = format!("release name {}: {wrong}", crate::golang::strconv::quote(name.as_bytes()));
    ctx.log(LogLine::error("release name check failed").with("error", e.as_str()));
    Err(ActionError::new(format!("release name check failed: {e}")))
}

pub(super) fn in_use(ctx: &Context) -> ActionError {
    let text = "cannot reuse a name that is still in use";
    ctx.log(LogLine::error("release name check failed").with("error", text));
    ActionError::new(format!("release name check failed: {text}"))
}

/// Whether the name may be used, as far as this can be told without the release's mark.
async fn available(ctx: &Context, install: &Install, entries: &[Entry]) -> Result<(), ActionError> {
    match entries.last().map(|e| e.status) {
        None => Ok(()),
        // A dead process may have left it so.
        Some(Status::PendingInstall | Status::Failed) => Ok(()),
        // That an uninstall failed is no leave to finish it: only a mark tells that its process died.
        Some(Status::Uninstalling) => match ctx.locks.look(&install.name).await {
            Ok(None) => Err(in_use(ctx)),
            _ => Ok(()),
        },
        Some(Status::Uninstalled) if install.replace => Ok(()),
        Some(_) => Err(in_use(ctx)),
    }
}

/// A process that died before its first record, or after its last one was deleted, left only its mark.
async fn sweep_if_any(ctx: &Context, install: &Install) {
    if ctx.cluster.is_live() {
        // Taking the mark over is a part of taking it.
        return;
    }
    sweep_mark(ctx, &install.name).await;
}

/// Renders and checks, without a write.
pub(super) async fn prepare(ctx: &Context, install: &Install, source: Source) -> Result<Prepared, ActionError> {
    super::check_labels(&install.labels)?;
    let crds = if install.skip_crds { Vec::new() } else { crd_files(ctx, &source)? };
    let capabilities = ctx.cluster.capabilities().await?;
    let (crds, capabilities) = with_crds(ctx, crds, capabilities).await?;
    let options = release_options(ctx, install);
    let Rendered { config, manifest, hooks, notes, release } =
        rendering::render(ctx, source, options, capabilities, true).await?;
    let mut record = new_record(ctx, install, &release.chart, config, manifest, hooks, notes);
    record.annotations = ctx.witnessed();
    let exclusive = install.client_side && install.options.force_conflicts && install.dry_run == DryRun::None;
    if let Some((file, _)) = crds.first().filter(|_| exclusive) {
        return Err(ActionError::new(format!(
            "failed to install CRD {file}: invalid client create option(s): forceConflicts enabled when serverSideApply disabled"
        )));
    }
    let (mut targets, later) = resolve(ctx, install, &record, &crds).await?;
    objects::check_unique(&targets)?;
    objects::own(&mut targets, &record);
    objects::check_namespaces(ctx, &targets).await?;
    let adopted = adopted(ctx, install, &record, &targets).await?;
    Ok(Prepared { record, targets, adopted, crds, later })
}

fn release_options(ctx: &Context, install: &Install) -> ReleaseOptions {
    ReleaseOptions {
        name: install.name.clone(),
        namespace: ctx.namespace.clone(),
        revision: 1,
        is_install: true,
        is_upgrade: false,
    }
}

fn new_record(
    ctx: &Context,
    install: &Install,
    chart: &crate::chart::Chart,
    config: crate::chart::Table,
    manifest: String,
    hooks: Vec<crate::release::record::HookRecord>,
    notes: String,
) -> Record {
    let now = time::now();
    Record {
        name: install.name.clone(),
        namespace: ctx.namespace.clone(),
        version: 1,
        info: Info {
            first_deployed: now.clone(),
            last_deployed: now,
            description: "Initial install underway".into(),
            status: Status::PendingInstall,
            notes,
            ..Info::default()
        },
        chart: Some(StoredChart::new(chart).annotated(&install.provenance)),
        config: Some(config),
        manifest,
        hooks,
        apply_method: super::apply_method(!install.client_side).into(),
        labels: install.labels.clone(),
        ..Record::default()
    }
}

/// The objects of the manifest. Those whose kinds `crds/` will define are left out for now.
async fn resolve(
    ctx: &Context,
    install: &Install,
    record: &Record,
    crds: &[(String, Vec<Target>)],
) -> Result<(Vec<Target>, Vec<ObjectId>), ActionError> {
    let fail = |e: String| ActionError::new(format!("unable to build kubernetes objects from release manifest: {e}"));
    let coming: Vec<(String, String)> = crds.iter().flat_map(|(_, t)| t).map(|t| defined(&t.object)).collect();
    let all = manifest::objects(record.manifest.as_bytes()).map_err(fail)?;
    if !install.disable_openapi_validation {
        targets::check_kinds(&all).map_err(fail)?;
    }
    let (later, now): (Vec<Json>, Vec<Json>) = all.into_iter().partition(|o| {
        let gvk = Gvk::of(o);
        coming.contains(&(gvk.group, gvk.kind))
    });
    let targets = targets::build(ctx.cluster.as_ref(), now, &ctx.namespace).await.map_err(|e| fail(e.to_string()))?;
    Ok((targets, later.iter().map(ObjectId::of).collect()))
}

/// The group and kind that a definition defines.
fn defined(crd: &Json) -> (String, String) {
    let text = |at: &str| crd.pointer(at).and_then(Json::as_str).unwrap_or_default().to_string();
    (text("/spec/group"), text("/spec/names/kind"))
}

/// What can be told of an install's name by reading.
pub(super) async fn check(ctx: &Context, install: &Install, entries: &[Entry]) -> Result<(), ActionError> {
    check_name(ctx, &install.name)?;
    available(ctx, install, entries).await?;
    match entries.last().map(|e| e.status) {
        Some(Status::Failed) if !install.replace => Err(in_use(ctx)),
        _ => Ok(()),
    }
}

/// What exists of the objects: with their ownership right, or any with `--take-ownership`.
async fn adopted(
    ctx: &Context,
    install: &Install,
    record: &Record,
    targets: &[Target],
) -> Result<Vec<Target>, ActionError> {
    let owner = (!install.take_ownership).then(|| objects::owner(record));
    let found = targets::existing(ctx.cluster.as_ref(), targets, owner).await;
    match found {
        Ok(found) => Ok(found.into_iter().map(|(t, _)| t).collect()),
        Err(e) => {
            let hint = e.contains("invalid ownership metadata").then_some(
                "to take the object into this release: --take-ownership; or delete it, or give one of them another name",
            );
            let error = ActionError::new(format!("unable to continue with install: {e}"));
            Err(hint.into_iter().fold(error, ActionError::with))
        }
    }
}

/// The files of `crds/` as objects. Conditions of dependencies decide whose files count, so they are applied to a copy of the chart.
fn crd_files(ctx: &Context, source: &Source) -> Result<Vec<(String, Vec<Json>)>, ActionError> {
    if source.chart.crds().is_empty() {
        return Ok(Vec::new());
    }
    let mut chart = source.chart.clone();
    let mut quiet = Vec::new();
    crate::values::process_dependencies(&source.state.heap, &mut chart, source.values, &mut quiet).map_err(|e| {
        ctx.log(LogLine::error("chart dependencies processing failed").with("error", e.as_str()));
        ActionError::new(format!("chart dependencies processing failed: {e}"))
    })?;
    chart
        .crds()
        .into_iter()
        .map(|c| {
            let objects = manifest::objects(&c.file.data)
                .map_err(|e| ActionError::new(format!("failed to install CRD {}: {e}", c.file.name)))?;
            Ok((c.file.name.clone(), objects))
        })
        .collect()
}

/// Resolves the definitions, and adds the kinds of those that are new to what templates see.
async fn with_crds(
    ctx: &Context,
    files: Vec<(String, Vec<Json>)>,
    capabilities: Arc<Capabilities>,
) -> Result<(Vec<(String, Vec<Target>)>, Arc<Capabilities>), ActionError> {
    let mut out = Vec::new();
    let mut versions: Vec<String> = Vec::new();
    for (name, objects) in files {
        for object in &objects {
            versions.extend(served(object).filter(|v| !capabilities.api_versions.contains(v)));
        }
        let built = targets::build(ctx.cluster.as_ref(), objects, &ctx.namespace).await;
        out.push((name.clone(), built.map_err(|e| format!("failed to install CRD {name}: {e}"))?));
    }
    if versions.is_empty() {
        return Ok((out, capabilities));
    }
    let mut all = Capabilities::clone(&capabilities);
    let mut api_versions = all.api_versions.to_vec();
    for version in versions {
        if !api_versions.contains(&version) {
            api_versions.push(version);
        }
    }
    all.api_versions = Arc::new(api_versions);
    Ok((out, Arc::new(all)))
}

/// `example.com/v1` and `example.com/v1/Widget` for each version that a definition serves.
fn served(crd: &Json) -> impl Iterator<Item = String> + '_ {
    let (group, kind) = defined(crd);
    let versions = crd.pointer("/spec/versions").and_then(Json::as_array);
    let served = |v: &&Json| v.get("served").and_then(Json::as_bool).unwrap_or_default();
    let names = versions.into_iter().flatten().filter(served).filter_map(|v| v.get("name")?.as_str());
    names.flat_map(move |v| [format!("{group}/{v}"), format!("{group}/{v}/{kind}")])
}

async fn create_namespace(ctx: &Context, install: &Install) -> Result<(), ActionError> {
    let guarded = super::guard::GuardedCluster { inner: ctx.cluster.clone(), faults: ctx.faults.clone(), lost: None };
    let name = &ctx.namespace;
    let object = serde_json::json!({
        "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {"name": name}},
    });
    let target = Target { id: ObjectId::new(super::namespace_kind(), None, name), object };
    match apply::create(&guarded, &[target], &install.options.apply(install.method(false))).await {
        Ok(_) => Ok(()),
        Err(e) if e.causes.iter().all(crate::cluster::ClusterError::is_already_exists) => Ok(()),
        Err(e) => Err(ActionError::new(e.message)),
    }
}

impl Install {
    pub(super) fn method(&self, migrate: bool) -> Method {
        if self.client_side {
            Method::ClientSide { three_way_custom: self.take_ownership }
        } else {
            Method::ServerSide { force_conflicts: self.options.force_conflicts, migrate }
        }
    }

    fn apply_options(&self, method: Method) -> ApplyOptions {
        let validation =
            if self.disable_openapi_validation { FieldValidation::Ignore } else { FieldValidation::Strict };
        ApplyOptions { validation, ..self.options.apply(method) }
    }
}

/// The writes, from the first to the last.
async fn write(work: &Work, install: &Install, prepared: Prepared) -> Result<Record, ActionError> {
    let ctx = &work.ctx;
    let Prepared { mut record, mut targets, mut adopted, crds, later } = prepared;
    if let Some(last) = work.last() {
        record.version = last.version + 1;
        if last.status != Status::Failed {
            let mut old = ctx.storage.get(&last.name, last.version).await?;
            old.info.status = Status::Superseded;
            old.info.description = "superseded by new release".into();
            ctx.storage.update(&old).await?;
        }
    }
    if !crds.is_empty() {
        let options = install
            .apply_options(Method::ServerSide { force_conflicts: install.options.force_conflicts, migrate: false });
        let options = if install.client_side { install.apply_options(install.method(false)) } else { options };
        apply::create_crds(ctx.cluster.as_ref(), &crds, &options).await.map_err(|e| ActionError::new(e.message))?;
    }
    if !later.is_empty() {
        targets = once_served(ctx, &record.manifest, &later)
            .await
            .map_err(|e| format!("unable to build kubernetes objects from release manifest: {e}"))?;
        objects::check_unique(&targets)?;
        objects::own(&mut targets, &record);
        adopted = self::adopted(ctx, install, &record, &targets).await?;
    }
    let leftovers = work.leftover_objects().await?;
    objects::add(&mut adopted, leftovers);
    match ctx.storage.create(&record).await {
        Ok(()) => {}
        Err(e) => return Err(e.into()),
    }
    let done = ctx.cancellable(perform(ctx, install, &mut record, &targets, &adopted)).await;
    match done {
        Ok(()) => {
            record.info.status = Status::Deployed;
            record.info.description = match install.options.description.as_str() {
                "" => "Install complete".into(),
                own => own.into(),
            };
            if let Err(e) = ctx.storage.update(&record).await {
                ctx.log(LogLine::error("failed to record the release").with("error", e.to_string()));
            }
            Ok(record)
        }
        Err(e) => Err(fail(work, install, record, e).await),
    }
}

/// The objects of a manifest some of whose kinds have just been defined: established is not yet served, it takes the server a moment.
async fn once_served(ctx: &Context, manifest: &str, later: &[ObjectId]) -> Result<Vec<Target>, String> {
    // What is still not served is said when the objects are resolved.
    let kinds: Vec<Gvk> = later.iter().map(|id| id.gvk.clone()).collect();
    let _ = apply::until_served(ctx.cluster.as_ref(), kinds).await;
    objects::of_manifest(ctx, manifest).await
}

async fn perform(
    ctx: &Context,
    install: &Install,
    record: &mut Record,
    targets: &[Target],
    adopted: &[Target],
) -> Result<(), ActionError> {
    let options = &install.options;
    let server_side = !install.client_side;
    if !options.no_hooks {
        hooks::run(ctx, record, "pre-install", options, server_side)
            .await
            .map_err(|e| e.context("failed pre-install"))?;
    }
    let applied = if adopted.is_empty() {
        let method = Method::ServerSide { force_conflicts: false, migrate: false };
        let method = if server_side { method } else { install.method(false) };
        apply::create(ctx.cluster.as_ref(), targets, &install.apply_options(method)).await
    } else {
        let method = options.update_method(server_side, true, install.take_ownership)?;
        apply::update(ctx.cluster.as_ref(), adopted, targets, &install.apply_options(method)).await
    };
    applied.map_err(|e| ActionError::new(e.message))?;
    wait_for(ctx, targets, options).await?;
    if !options.no_hooks {
        hooks::run(ctx, record, "post-install", options, server_side)
            .await
            .map_err(|e| e.context("failed post-install"))?;
    }
    Ok(())
}

/// The wait after an apply, if it is asked for and somebody acts on the objects.
pub(super) async fn wait_for(ctx: &Context, targets: &[Target], options: &Options) -> Result<(), ActionError> {
    if options.wait != WaitStrategy::HookOnly && ctx.cluster.is_live() {
        let waiting = options.waiting(ctx);
        tokio::select! {
            ready = crate::cluster::wait::ready(ctx.cluster.as_ref(), targets, &waiting) => ready?,
            () = options.given_up() => return Err(ActionError::new(super::SUPERSEDED)),
        }
    }
    Ok(())
}

/// Source: `failRelease`.
async fn fail(work: &Work, install: &Install, mut record: Record, e: ActionError) -> ActionError {
    let ctx = &work.ctx;
    record.info.status = Status::Failed;
    record.info.description = format!("Release {:?} failed: {}", record.name, e.message);
    if !install.rollback_on_failure {
        // There is another error to deal with already.
        let _ = ctx.storage.update(&record).await;
        return ActionError { record: Some(Box::new(record)), ..e };
    }
    hooks::store(ctx, &record).await;
    match uninstall::purge(work, &record, &install.options).await {
        Ok(()) => {
            let text = format!(
                "release {} failed, and has been uninstalled due to rollback-on-failure being set: {}",
                install.name, e.message
            );
            ActionError { message: text, ..e }
        }
        Err(second) => {
            let text = format!(
                "an error occurred while uninstalling the release. original install error: {}: {}",
                e.message, second.message
            );
            ActionError { message: text, record: Some(Box::new(record)), ..e }
        }
    }
}

/// What a run that asks the server and writes nothing says of `crds/`.
pub(super) const CRDS_NOT_INSTALLED: &str =
    "This chart or one of its subcharts contains CRDs. Rendering may fail or contain inaccuracies.";

/// Renders and shows, without a write.
async fn dry_run(ctx: &Context, install: &Install, source: Source) -> Result<Record, ActionError> {
    if install.dry_run == DryRun::Server {
        if !install.skip_crds && !source.chart.crds().is_empty() {
            ctx.log(LogLine::warn(CRDS_NOT_INSTALLED));
        }
        let mut prepared = prepare(ctx, install, source).await?;
        prepared.record.info.description = "Dry run complete".into();
        return Ok(prepared.record);
    }
    super::check_labels(&install.labels)?;
    let offline =
        install.offline.clone().unwrap_or_else(|| Arc::new(Capabilities::offline(Default::default(), None, &[])));
    let r = rendering::render(ctx, source, release_options(ctx, install), offline, false).await?;
    let mut record = new_record(ctx, install, &r.release.chart, r.config, r.manifest, r.hooks, r.notes);
    record.info.description = "Dry run complete".into();
    Ok(record)
}
