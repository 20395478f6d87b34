//! The apply step, as Helm 4.3 does it: create, update, prune, delete.
//!
//! Source: Helm 4.3 `pkg/kube/client.go` (`Create`, `Update`, `Delete`, `perform`) and `pkg/action/install.go` (`installCRDs`). Objects are
//! written in their order; neighbours of one kind go in parallel. A server-side apply needs no look at the object beforehand: the server
//! says whether it created it.

use std::time::Duration;

use futures::{FutureExt, StreamExt, stream};

use super::targets::{PARALLEL, Target};
use super::{
    Cluster, ClusterError, FieldValidation, Gvk, Json, ObjectId, PatchType, Propagation, Reason, WriteOptions, Written,
    patch,
};

/// How an object gets to where the chart wants it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Server-side apply (Helm 4's default). `force_conflicts` takes fields from other managers; `migrate` first makes what the same
    /// manager wrote client-side its own by apply: needed when the last revision was client-side, after a rollback and for adopted objects.
    ServerSide { force_conflicts: bool, migrate: bool },
    /// Three-way strategic merge for built-in kinds, for custom ones a JSON merge patch from the last manifest to this one, or, with
    /// `three_way_custom` (`--take-ownership`), a three-way one.
    ClientSide { three_way_custom: bool },
    /// PUT (`--force-replace`).
    Replace,
}

/// What holds for an apply step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApplyOptions {
    pub method: Method,
    /// `helm` on the command line.
    pub field_manager: String,
    pub dry_run: bool,
    /// Strict unless `--disable-openapi-validation`. Client-side apply ignores it, as in Helm.
    pub validation: FieldValidation,
}

impl ApplyOptions {
    pub fn new(method: Method) -> Self {
        Self { method, field_manager: "helm".into(), dry_run: false, validation: FieldValidation::Strict }
    }

    fn write(&self) -> WriteOptions {
        let validation = match self.method {
            // Helm sends no word about it then, and the server's default is to warn.
            Method::ClientSide { .. } => FieldValidation::Warn,
            _ => self.validation,
        };
        WriteOptions { field_manager: self.field_manager.clone(), dry_run: self.dry_run, validation }
    }
}

/// What was done, in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Applied {
    pub created: Vec<ObjectId>,
    pub updated: Vec<ObjectId>,
    pub deleted: Vec<ObjectId>,
    /// Gone from the chart, but kept by `helm.sh/resource-policy: keep` on the live object.
    pub kept: Vec<ObjectId>,
}

/// An apply step that did not come to its end. What was done until then is in `done`: `--cleanup-on-fail` deletes `done.created`.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct ApplyError {
    /// In Helm's words.
    pub message: String,
    /// What the server said, one entry a failed object.
    pub causes: Vec<ClusterError>,
    pub done: Box<Applied>,
}

/// One object's failure: Helm's words and the server's answer.
struct Failed {
    message: String,
    cause: ClusterError,
}

impl Failed {
    fn new(message: String, cause: ClusterError) -> Self {
        Self { message, cause }
    }
}

/// `ns/name group/version, Kind=kind`: how Helm's errors of server-side apply call an object.
fn named(id: &ObjectId) -> String {
    let gvk = &id.gvk;
    let ns = id.namespace.as_deref().unwrap_or_default();
    format!("{ns}/{} {}/{}, Kind={}", id.name, gvk.group, gvk.version, gvk.kind)
}

/// Writes objects that are expected not to exist. All are tried, whatever becomes of the others.
///
/// # Errors
/// The failures, a line each.
pub async fn create(cluster: &dyn Cluster, targets: &[Target], options: &ApplyOptions) -> Result<Applied, ApplyError> {
    let mut done = Applied::default();
    let mut failed = Vec::new();
    for batch in batches(targets) {
        for (target, result) in each(batch, |t| create_one(cluster, t, options)).await {
            match result {
                Ok(()) => done.created.push(target.id.clone()),
                Err(e) => failed.push(e),
            }
        }
    }
    finish(done, failed, "\n")
}

/// Brings the objects of a release from the last revision's (`originals`) to this one's (`targets`): missing ones are created, the others
/// patched, and what is no longer in the chart is deleted, last first. After a failure nothing is deleted.
///
/// # Errors
/// A failed creation ends the step; failed updates are collected and joined with ` && `.
pub async fn update(
    cluster: &dyn Cluster,
    originals: &[Target],
    targets: &[Target],
    options: &ApplyOptions,
) -> Result<Applied, ApplyError> {
    let mut done = Applied::default();
    let mut failed = Vec::new();
    for batch in batches(targets) {
        let mut broken = None;
        for (target, result) in each(batch, |t| update_one(cluster, originals, t, options)).await {
            match result {
                Ok(true) => done.created.push(target.id.clone()),
                Ok(false) => done.updated.push(target.id.clone()),
                Err(Update::Create(e)) => {
                    done.created.push(target.id.clone());
                    broken.get_or_insert(e);
                }
                Err(Update::Read(e)) => {
                    broken.get_or_insert(e);
                }
                Err(Update::Change(e)) => {
                    done.updated.push(target.id.clone());
                    failed.push(e);
                }
            }
        }
        if let Some(first) = broken {
            return finish(done, vec![first], " && ");
        }
    }
    if !failed.is_empty() {
        return finish(done, failed, " && ");
    }
    let gone: Vec<Target> = originals.iter().rev().filter(|o| !targets.iter().any(|t| t.same(o))).cloned().collect();
    for batch in batches(&gone) {
        for (target, result) in each(batch, |t| prune_one(cluster, t, options)).await {
            match result {
                Ok(Pruned::Deleted) => done.deleted.push(target.id.clone()),
                Ok(Pruned::Kept) => done.kept.push(target.id.clone()),
                Ok(Pruned::Absent) => {}
                Err(e) => failed.push(e),
            }
        }
    }
    finish(done, failed, " && ")
}

/// Deletes objects in their order (give them in uninstall order). All are tried; one that is gone already counts as deleted.
pub async fn delete(
    cluster: &dyn Cluster,
    targets: &[Target],
    propagation: Propagation,
) -> (Vec<ObjectId>, Vec<ClusterError>) {
    let (mut deleted, mut failed) = (Vec::new(), Vec::new());
    for batch in batches(targets) {
        for (target, result) in each(batch, |t| cluster.delete(&t.id, propagation, None)).await {
            match result {
                Ok(_) => deleted.push(target.id.clone()),
                Err(e) => failed.push(e),
            }
        }
    }
    (deleted, failed)
}

/// Creates the CustomResourceDefinitions of `crds/` (built by [`super::targets::build`]) a file after the other, waits for them to be
/// established (60 s, whatever the wait strategy), and forgets discovery. Those that exist are left alone with client-side apply; with
/// server-side apply Helm applies over them. Gives what was written.
///
/// # Errors
/// `failed to install CRD <file>: …`.
pub async fn create_crds(
    cluster: &dyn Cluster,
    files: &[(String, Vec<Target>)],
    options: &ApplyOptions,
) -> Result<Applied, ApplyError> {
    let mut done = Applied::default();
    let mut written: Vec<Target> = Vec::new();
    for (name, targets) in files {
        let fail = |message: String, causes, done: &Applied| ApplyError {
            message: format!("failed to install CRD {name}: {message}"),
            causes,
            done: Box::new(done.clone()),
        };
        if targets.is_empty() {
            return Err(fail("resources are empty".into(), Vec::new(), &done));
        }
        match create(cluster, targets, options).await {
            Ok(applied) => {
                done.created.extend(applied.created);
                written.extend(targets.iter().cloned());
            }
            Err(e) => {
                done.created.extend(e.done.created.iter().cloned());
                if !e.causes.iter().any(ClusterError::is_already_exists) {
                    return Err(fail(e.message, e.causes, &done));
                }
            }
        }
    }
    if !written.is_empty() && !options.dry_run {
        let wait = super::wait::WaitOptions::new(Duration::from_secs(60));
        super::wait::ready(cluster, &written, &wait).await.map_err(|e| ApplyError {
            message: e.to_string(),
            causes: Vec::new(),
            done: Box::new(done.clone()),
        })?;
        until_served(cluster, defined(&written)).await.map_err(|e| ApplyError {
            message: e.to_string(),
            causes: vec![e],
            done: Box::new(done.clone()),
        })?;
    }
    Ok(done)
}

/// The kinds that definitions define, in the versions that they serve.
fn defined(definitions: &[Target]) -> impl Iterator<Item = Gvk> {
    let text = |object: &Json, path: &str| object.pointer(path).and_then(Json::as_str).unwrap_or_default().to_owned();
    let versions =
        |object: &Json| object.pointer("/spec/versions").and_then(Json::as_array).cloned().unwrap_or_default();
    definitions.iter().map(|t| &t.object).flat_map(move |object| {
        let (group, kind) = (text(object, "/spec/group"), text(object, "/spec/names/kind"));
        let served = |v: &Json| v.get("served").and_then(Json::as_bool) == Some(true);
        let versions: Vec<String> = versions(object).iter().filter(|v| served(v)).map(|v| text(v, "/name")).collect();
        versions.into_iter().map(move |version| Gvk::new(&group, &version, &kind))
    })
}

/// Forgets discovery until it names these kinds, for 20 s: the server lists them a moment after it calls their definitions established.
///
/// # Errors
/// A kind is still not served, or the server does not say.
pub async fn until_served(cluster: &dyn Cluster, kinds: impl IntoIterator<Item = Gvk>) -> Result<(), ClusterError> {
    if !cluster.is_live() {
        return cluster.refresh_discovery().await;
    }
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    cluster.refresh_discovery().await?;
    for kind in kinds {
        while let Err(e) = cluster.resource(&kind).await {
            if e.reason != Reason::NoMatch || tokio::time::Instant::now() > deadline {
                return Err(e);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
            cluster.refresh_discovery().await?;
        }
    }
    Ok(())
}

fn finish(done: Applied, failed: Vec<Failed>, separator: &str) -> Result<Applied, ApplyError> {
    if failed.is_empty() {
        return Ok(done);
    }
    let message = failed.iter().map(|f| f.message.as_str()).collect::<Vec<_>>().join(separator);
    Err(ApplyError { message, causes: failed.into_iter().map(|f| f.cause).collect(), done: Box::new(done) })
}

/// Runs of neighbours of one kind, as Helm's `batchPerform` cuts them.
fn batches(targets: &[Target]) -> impl Iterator<Item = &[Target]> {
    targets.chunk_by(|a, b| a.id.gvk.kind == b.id.gvk.kind)
}

/// Does one thing to each of a batch, several at once; the results are in the batch's order.
async fn each<'a, T: Send, F>(batch: &'a [Target], mut work: impl FnMut(&'a Target) -> F) -> Vec<(&'a Target, T)>
where
    F: Future<Output = T> + Send,
{
    let work: Vec<_> = batch
        .iter()
        .map(|t| {
            let done = work(t);
            async move { (t, done.await) }.boxed()
        })
        .collect();
    stream::iter(work).buffered(PARALLEL).collect().await
}

async fn create_one(cluster: &dyn Cluster, target: &Target, options: &ApplyOptions) -> Result<(), Failed> {
    match options.method {
        // A generated name can't be applied: there is nothing to address. A directory makes a name of the object.
        Method::ServerSide { force_conflicts, .. } if !target.id.name.is_empty() || cluster.is_live() => {
            apply_one(cluster, target, force_conflicts, options).await.map(drop)
        }
        _ => match cluster.create(&target.object, &options.write()).await {
            Ok(_) => Ok(()),
            Err(e) => Err(Failed::new(named_in(&e, target), e)),
        },
    }
}

/// The server's words; with verb and object where they name none (a webhook's refusal, an error of etcd).
fn named_in(e: &ClusterError, target: &Target) -> String {
    let name = &target.id.name;
    if name.is_empty() || e.message.contains(&format!("\"{name}\"")) {
        return e.to_string();
    }
    format!("{e} ({} {})", e.verb, target.id)
}

/// Server-side apply of one object; whether it was created.
async fn apply_one(
    cluster: &dyn Cluster,
    target: &Target,
    force: bool,
    options: &ApplyOptions,
) -> Result<bool, Failed> {
    let mut attempt = 0;
    loop {
        match cluster.apply(&target.id, &target.object, force, &options.write()).await {
            Ok(Written { created, .. }) => return Ok(created),
            Err(e) if is_quota_conflict(&e) && attempt < 4 => {
                attempt += 1;
                tokio::time::sleep(Duration::from_millis(10 << attempt)).await;
            }
            Err(e) => {
                let what = if e.code == 415 {
                    "server-side apply not available on the server".to_owned()
                } else if e.is_conflict() {
                    format!("conflict occurred while applying object {}", named(&target.id))
                } else {
                    format!("server-side apply failed for object {}", named(&target.id))
                };
                return Err(Failed::new(format!("{what}: {e}"), e));
            }
        }
    }
}

/// Two requests that met at a quota's counter: the only conflict of an apply that trying again helps.
fn is_quota_conflict(e: &ClusterError) -> bool {
    e.is_conflict()
        && e.message.contains("Operation cannot be fulfilled on resourcequotas")
        && e.message.contains("the object has been modified")
}

/// What failed in an update.
enum Update {
    Read(Failed),
    Create(Failed),
    Change(Failed),
}

/// Whether the object was created.
async fn update_one(
    cluster: &dyn Cluster,
    originals: &[Target],
    target: &Target,
    options: &ApplyOptions,
) -> Result<bool, Update> {
    let created = |e: Failed| Update::Create(Failed::new(format!("failed to create resource: {}", e.message), e.cause));
    if target.id.name.is_empty() && !cluster.is_live() {
        return create_one(cluster, target, options).await.map(|()| true).map_err(created);
    }
    if let Method::ServerSide { force_conflicts, migrate } = options.method
        && !target.id.name.is_empty()
    {
        if migrate {
            migrate_one(cluster, target, options).await.map_err(Update::Change)?;
        }
        return match apply_one(cluster, target, force_conflicts, options).await {
            // Only now does it matter whether the object was there: Helm, which looks first, says it of a creation alone.
            Err(e) if matches!(cluster.get(&target.id).await, Ok(None)) => Err(created(e)),
            done => done.map_err(Update::Change),
        };
    }
    let live = cluster
        .get(&target.id)
        .await
        .map_err(|e| Update::Read(Failed::new(format!("could not get information about the resource: {e}"), e)))?;
    let Some(live) = live else {
        return create_one(cluster, target, options).await.map(|()| true).map_err(created);
    };
    if options.method == Method::Replace {
        return replace_one(cluster, target, &live, options).await.map(|()| false).map_err(Update::Change);
    }
    let original = originals.iter().find(|o| o.same(target)).map_or(&live, |o| &o.object);
    let three_way = options.method == Method::ClientSide { three_way_custom: true };
    patch_one(cluster, target, original, &live, three_way, options).await.map(|()| false).map_err(Update::Change)
}

async fn replace_one(
    cluster: &dyn Cluster,
    target: &Target,
    live: &Json,
    options: &ApplyOptions,
) -> Result<(), Failed> {
    let own_version = target.object.pointer("/metadata/resourceVersion").is_some();
    let mut version = live.pointer("/metadata/resourceVersion").cloned();
    let mut attempt = 0;
    loop {
        let mut object = target.object.clone();
        // A PUT without it is refused by many kinds; cli-runtime's helper fills it in from the live object ("overwrite").
        if let Some(version) = version.take()
            && let Some(metadata) = object.get_mut("metadata").and_then(Json::as_object_mut)
        {
            metadata.entry("resourceVersion").or_insert(version);
        }
        let error = match cluster.replace(&object, &options.write()).await {
            Ok(_) => return Ok(()),
            Err(e) => e,
        };
        // Somebody, most often a controller with a status, wrote in between. What overwrites does not depend on it: look again.
        if error.is_conflict() && !own_version && attempt < 4 {
            attempt += 1;
            tokio::time::sleep(Duration::from_millis(10 << attempt)).await;
            if let Ok(Some(live)) = cluster.get(&target.id).await {
                version = live.pointer("/metadata/resourceVersion").cloned();
                continue;
            }
        }
        return Err(Failed::new(format!("failed to replace object: {error}"), error));
    }
}

async fn patch_one(
    cluster: &dyn Cluster,
    target: &Target,
    original: &Json,
    live: &Json,
    three_way_custom: bool,
    options: &ApplyOptions,
) -> Result<(), Failed> {
    let refused = |message: String| {
        let cause = ClusterError::local(super::Verb::Patch, &target.id, message.clone());
        Failed::new(message, cause)
    };
    let made = patch::client_side(&target.id.gvk, original, &target.object, Some(live), three_way_custom)
        .map_err(|e| refused(format!("failed to create patch: {e}")))?;
    if made.is_empty() {
        return Ok(());
    }
    match cluster.patch(&target.id, made.patch_type(), &made.body, &options.write()).await {
        Ok(_) => Ok(()),
        Err(e) => {
            Err(Failed::new(format!("cannot patch {:?} with kind {}: {e}", target.id.name, target.id.gvk.kind), e))
        }
    }
}

/// Makes the fields that this manager wrote client-side its own by server-side apply.
async fn migrate_one(cluster: &dyn Cluster, target: &Target, options: &ApplyOptions) -> Result<(), Failed> {
    let at = named(&target.id);
    let mut attempt = 0;
    loop {
        let live = match cluster.get(&target.id).await {
            Ok(Some(live)) => live,
            Ok(None) => return Ok(()),
            Err(e) => return Err(Failed::new(format!("failed to get object {at}: {e}"), e)),
        };
        let body = patch::managed_fields::migration(&live, &[&options.field_manager], &options.field_manager).map_err(
            |e| {
                let message = format!("failed to upgrade managed fields for object {at}: {e}");
                Failed::new(message.clone(), ClusterError::local(super::Verb::Patch, &target.id, message))
            },
        )?;
        let Some(body) = body else { return Ok(()) };
        match cluster.patch(&target.id, PatchType::Json, &body, &options.write()).await {
            Ok(_) => return Ok(()),
            // Somebody wrote in between: look again.
            Err(e) if e.is_conflict() && attempt < 4 => {
                attempt += 1;
                tokio::time::sleep(Duration::from_millis(10 << attempt)).await;
            }
            Err(e) if e.reason == Reason::NotFound => return Ok(()),
            Err(e) => {
                return Err(Failed::new(format!("failed to patch object to upgrade CSA field manager {at}: {e}"), e));
            }
        }
    }
}

enum Pruned {
    Deleted,
    Kept,
    Absent,
}

async fn prune_one(cluster: &dyn Cluster, target: &Target, options: &ApplyOptions) -> Result<Pruned, Failed> {
    let live = match cluster.get(&target.id).await {
        Ok(Some(live)) => live,
        Ok(None) => return Ok(Pruned::Absent),
        // Nobody knows which object it was.
        Err(_) if target.id.name.is_empty() => return Ok(Pruned::Absent),
        // Helm passes over what it cannot read; we say so, since it stays behind.
        Err(e) if e.reason == Reason::NoMatch => return Ok(Pruned::Absent),
        Err(e) => return Err(prune_failed(target, e)),
    };
    if keeps(&live) {
        return Ok(Pruned::Kept);
    }
    if options.dry_run {
        return Ok(Pruned::Deleted);
    }
    let uid = live.pointer("/metadata/uid").and_then(Json::as_str);
    match cluster.delete(&target.id, Propagation::Background, uid).await {
        Ok(_) => Ok(Pruned::Deleted),
        Err(e) => Err(prune_failed(target, e)),
    }
}

fn prune_failed(target: &Target, e: ClusterError) -> Failed {
    let id = &target.id;
    let ns = id.namespace.as_deref().unwrap_or_default();
    Failed::new(format!("failed to delete resource namespace={ns}, name={}, kind={}: {e}", id.name, id.gvk.kind), e)
}

/// Whether an object is to outlive its release (`helm.sh/resource-policy: keep`).
pub fn keeps(object: &Json) -> bool {
    object.pointer("/metadata/annotations/helm.sh~1resource-policy").and_then(Json::as_str) == Some("keep")
}
