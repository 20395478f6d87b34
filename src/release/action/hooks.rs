//! Hooks: by weight and name, one after the other, each waited for.
//!
//! Source: Helm 4.3 `pkg/action/hooks.go`. One difference: the deletion of an old hook is always waited for; Helm does not with its default
//! wait strategy, and then meets the dying object.

use crate::cluster::apply::{self, Method};
use crate::cluster::targets::Target;
use crate::cluster::{Gvk, Json, ObjectId, Propagation, manifest, wait};
use crate::diagnostic::LogLine;
use crate::release::Record;
use crate::release::record::{HookRecord, HookRun, time};

use super::{ActionError, Context, Event, Options, objects};

/// Hooks that have run and are still to be deleted.
pub(super) struct Ran {
    /// Places in the record's list, in the order in which they ran.
    order: Vec<usize>,
    /// The one that failed, by its place in `order`.
    failed: Option<usize>,
}

impl Ran {
    /// For a list that has that many more hooks before the ones that ran.
    pub(super) fn shifted(mut self, by: usize) -> Self {
        self.order.iter_mut().for_each(|i| *i += by);
        self
    }
}

/// Runs the hooks of an event and deletes them as their policies say.
pub(super) async fn run(
    ctx: &Context,
    record: &mut Record,
    event: &str,
    options: &Options,
    server_side: bool,
) -> Result<(), ActionError> {
    let (ran, result) = start(ctx, record, event, options, server_side).await;
    let ended = finish(ctx, record, &ran, options).await;
    match result {
        Err(e) => Err(e),
        Ok(()) => ended,
    }
}

/// Runs the hooks of an event; the deletions are left to [`finish`].
pub(super) async fn start(
    ctx: &Context,
    record: &mut Record,
    event: &str,
    options: &Options,
    server_side: bool,
) -> (Ran, Result<(), ActionError>) {
    let mut order: Vec<usize> = Vec::new();
    for (i, hook) in record.hooks.iter().enumerate() {
        order.extend(hook.events.iter().filter(|e| *e == event && !hook.absent).map(|_| i));
    }
    if !ctx.cluster.is_live() {
        // Nobody would run them, and nothing would end them.
        if !order.is_empty() {
            let names: Vec<&str> = order.iter().filter_map(|i| record.hooks.get(*i)).map(|h| h.name.as_str()).collect();
            ctx.note(format!(
                "{event} hooks are recorded, not run, for nobody runs them in a directory: {}",
                names.join(", ")
            ));
        }
        return (Ran { order: Vec::new(), failed: None }, Ok(()));
    }
    let key = |i: &usize| record.hooks.get(*i).map(|h| (h.weight, h.name.clone()));
    order.sort_by_key(key);
    for at in 0..order.len() {
        let Some(&i) = order.get(at) else { break };
        match one(ctx, record, i, event, options, server_side).await {
            Ok(()) => {}
            Err(Stop::Early(e)) => return (Ran { order: Vec::new(), failed: None }, Err(e)),
            Err(Stop::Failed(e)) => return (Ran { order, failed: Some(at) }, Err(e)),
        }
    }
    (Ran { order, failed: None }, Ok(()))
}

/// Why a hook stops an event.
enum Stop {
    /// Before it ran: nothing is deleted.
    Early(ActionError),
    /// It ran, and failed.
    Failed(ActionError),
}

async fn one(
    ctx: &Context,
    record: &mut Record,
    i: usize,
    event: &str,
    options: &Options,
    server_side: bool,
) -> Result<(), Stop> {
    let Some(hook) = record.hooks.get_mut(i) else { return Ok(()) };
    if hook.delete_policies.is_empty() {
        hook.delete_policies.push("before-hook-creation".into());
    }
    delete(ctx, hook, "before-hook-creation", options).await.map_err(Stop::Early)?;
    let targets = objects::of_manifest(ctx, &hook.manifest).await.map_err(|e| {
        Stop::Early(ActionError::new(format!("unable to build kubernetes object for {event} hook {}: {e}", hook.path)))
    })?;
    hook.last_run = HookRun { started_at: time::now(), completed_at: String::new(), phase: "Running".into() };
    let path = hook.path.clone();
    store(ctx, record).await;
    let method = if server_side {
        Method::ServerSide { force_conflicts: false, migrate: false }
    } else {
        Method::ClientSide { three_way_custom: false }
    };
    let created = apply::create(ctx.cluster.as_ref(), &targets, &options.apply(method)).await;
    if let Err(e) = created {
        set_phase(record, i, "Failed");
        return Err(Stop::Early(ActionError::new(format!("warning: Hook {event} {path} failed: {}", e.message))));
    }
    let waited = wait::hooks(ctx.cluster.as_ref(), &targets, &options.waiting(ctx)).await;
    match waited {
        Ok(()) => {
            set_phase(record, i, "Succeeded");
            Ok(())
        }
        Err(e) => {
            set_phase(record, i, "Failed");
            if let Some(hook) = record.hooks.get(i) {
                print_logs(ctx, hook, "hook-failed", "error outputting logs for hook failure").await;
            }
            Err(Stop::Failed(e.into()))
        }
    }
}

fn set_phase(record: &mut Record, i: usize, phase: &str) {
    if let Some(hook) = record.hooks.get_mut(i) {
        hook.last_run.completed_at = time::now();
        hook.last_run.phase = phase.into();
    }
}

/// Writes the record, and says so if that fails: the action goes on, as Helm's does.
pub(super) async fn store(ctx: &Context, record: &Record) {
    if let Err(e) = ctx.storage.update(record).await {
        ctx.log(
            LogLine::warn("failed to update release")
                .with("name", record.name.as_str())
                .with("revision", record.version.to_string())
                .with("error", e.to_string()),
        );
    }
}

/// What is done with hooks once their event has ended, well or badly.
pub(super) async fn finish(ctx: &Context, record: &Record, ran: &Ran, options: &Options) -> Result<(), ActionError> {
    let hook = |at: usize| ran.order.get(at).and_then(|i| record.hooks.get(*i));
    if let Some(failed) = ran.failed {
        if let Some(h) = hook(failed)
            && let Err(e) = delete(ctx, h, "hook-failed", options).await
        {
            ctx.note(format!("error deleting the hook resource on hook failure: {e}"));
        }
        for at in 0..failed {
            if let Some(h) = hook(at) {
                delete(ctx, h, "hook-succeeded", options).await?;
            }
        }
        return Ok(());
    }
    for at in (0..ran.order.len()).rev() {
        if let Some(h) = hook(at) {
            print_logs(ctx, h, "hook-succeeded", "error outputting logs for hook failure").await;
            delete(ctx, h, "hook-succeeded", options).await?;
        }
    }
    Ok(())
}

/// Deletes a hook's objects if it has that policy. Definitions of kinds are never deleted: all their objects would go.
async fn delete(ctx: &Context, hook: &HookRecord, policy: &str, options: &Options) -> Result<(), ActionError> {
    if hook.kind == "CustomResourceDefinition" || !hook.delete_policies.iter().any(|p| p == policy) {
        return Ok(());
    }
    let targets = objects::of_manifest(ctx, &hook.manifest)
        .await
        .map_err(|e| format!("unable to build kubernetes object for deleting hook {}: {e}", hook.path))?;
    let present = present(ctx, targets).await?;
    if present.is_empty() {
        return Ok(());
    }
    let (_, errors) = apply::delete(ctx.cluster.as_ref(), &present, Propagation::Background).await;
    if !errors.is_empty() {
        let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
        return Err(ActionError::new(texts.join("; ")));
    }
    let quietly = wait::WaitOptions { progress: None, ..options.waiting(ctx) };
    Ok(wait::deleted(ctx.cluster.as_ref(), &present, &quietly).await?)
}

/// Those that are there: most old hooks are not, and then nothing is to be written or watched.
async fn present(ctx: &Context, targets: Vec<Target>) -> Result<Vec<Target>, ActionError> {
    let mut out = Vec::new();
    for target in targets {
        if ctx.cluster.get(&target.id).await?.is_some() {
            out.push(target);
        }
    }
    Ok(out)
}

/// Hands the logs of a hook's pods on, if its annotation asks for them.
async fn print_logs(ctx: &Context, hook: &HookRecord, policy: &str, trouble: &str) {
    if !hook.output_log_policies.iter().any(|p| p == policy) {
        return;
    }
    let selector = match hook.kind.as_str() {
        "Job" => (format!("job-name={}", hook.name), String::new()),
        "Pod" => (String::new(), format!("metadata.name={}", hook.name)),
        _ => return,
    };
    if let Err(e) = pod_logs(ctx, hook, &selector.0, &selector.1).await {
        ctx.note(format!("{trouble}: {e}"));
    }
}

async fn pod_logs(ctx: &Context, hook: &HookRecord, labels: &str, fields: &str) -> Result<(), String> {
    let own = manifest::object(hook.manifest.as_bytes())?;
    let own = own.as_ref().map(ObjectId::of).and_then(|id| id.namespace);
    let namespace = own.as_deref().unwrap_or(&ctx.namespace);
    let pods = ctx
        .cluster
        .list(&Gvk::new("", "v1", "Pod"), Some(namespace), labels, fields)
        .await
        .map_err(|e| e.to_string())?;
    for pod in &pods {
        let name = ObjectId::of(pod).name;
        for container in containers(pod, "containers") {
            let logs = ctx.cluster.logs(namespace, &name, Some(&container), None).await;
            let logs =
                logs.map_err(|_| format!("failed to stream pod logs for pod: {name}, container: {container}"))?;
            (ctx.listener)(Event::HookLog(&logs));
        }
    }
    Ok(())
}

/// The names of a pod's containers.
pub(super) fn containers(pod: &Json, which: &str) -> Vec<String> {
    let list = pod.get("spec").and_then(|s| s.get(which)).and_then(Json::as_array);
    let name = |c: &Json| c.get("name").and_then(Json::as_str).map(str::to_owned);
    list.into_iter().flatten().filter_map(name).collect()
}
