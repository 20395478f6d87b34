//! `--plan`: what an action would do, without a write.
//!
//! The preparation is the action's own. Where the target is a server it is asked to try each write (server-side dry run): so defaulted fields
//! are no changes, and what it would refuse (an immutable field, a conflict, a quota, a webhook) is known before.

mod compare;
mod show;

pub use compare::Field;
pub use show::text;

use futures::{StreamExt, stream};
use serde::Serialize;

use crate::cluster::apply::{Method, keeps};
use crate::cluster::targets::Target;
use crate::cluster::{ClusterError, FieldValidation, Json, ObjectId, PatchType, Reason, WriteOptions, patch};
use crate::release::Record;

use super::install::{self, Install};
use super::rendering::Source;
use super::rollback::{self, Rollback};
use super::uninstall::{self, Uninstall};
use super::upgrade::{self, Upgrade};
use super::{ActionError, Context, history};

/// How many requests are under way at once.
const PARALLEL: usize = 8;

/// What an action would do.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Plan {
    pub operation: String,
    pub name: String,
    pub namespace: String,
    /// The revision that would be made; 0: none.
    pub revision: i64,
    /// `name-version`; empty where no chart plays a part.
    pub chart: String,
    pub objects: Vec<Change>,
    pub hooks: Vec<Hook>,
    /// CustomResourceDefinitions of `crds/`.
    pub crds: Vec<Change>,
}

/// What would become of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Deed {
    Create,
    Change,
    /// PUT in place of a patch (`--force-replace`).
    Replace,
    Delete,
    /// It leaves the release but stays (`helm.sh/resource-policy: keep`), or is not the release's to delete.
    Keep,
    Unchanged,
}

/// One object of a plan.
#[derive(Clone, Debug, Serialize)]
pub struct Change {
    #[serde(rename = "apiVersion")]
    pub api_version: String,
    pub kind: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    pub name: String,
    pub deed: Deed,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<Field>,
    /// Why the server would refuse it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// What else is to be known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// A hook that would run.
#[derive(Clone, Debug, Serialize)]
pub struct Hook {
    pub event: String,
    pub kind: String,
    pub name: String,
    pub weight: i64,
    #[serde(rename = "deletePolicies")]
    pub delete_policies: Vec<String>,
}

impl Plan {
    /// Whether anything would be different afterwards, the records aside.
    pub fn changes(&self) -> bool {
        let still = |c: &&Change| matches!(c.deed, Deed::Unchanged | Deed::Keep);
        self.objects.iter().chain(&self.crds).any(|c| !still(&c))
    }

    /// Whether something would be refused.
    pub fn refused(&self) -> bool {
        self.objects.iter().chain(&self.crds).any(|c| c.refused.is_some())
    }

    fn of(operation: &str, record: &Record) -> Self {
        let mut plan = Self {
            operation: operation.into(),
            name: record.name.clone(),
            namespace: record.namespace.clone(),
            revision: record.version,
            chart: record.chart_label(),
            ..Self::default()
        };
        let event = if operation == "uninstall" { "delete" } else { operation };
        for event in [format!("pre-{event}"), format!("post-{event}")] {
            let mut hooks: Vec<_> = record.hooks.iter().filter(|h| !h.absent && h.events.contains(&event)).collect();
            hooks.sort_by_key(|h| (h.weight, h.name.clone()));
            plan.hooks.extend(hooks.into_iter().map(|h| Hook {
                event: event.clone(),
                kind: h.kind.clone(),
                name: h.name.clone(),
                weight: h.weight,
                delete_policies: h.delete_policies.clone(),
            }));
        }
        plan
    }
}

impl Change {
    fn new(id: &ObjectId, deed: Deed) -> Self {
        Self {
            api_version: id.gvk.api_version(),
            kind: id.gvk.kind.clone(),
            namespace: id.namespace.clone().unwrap_or_default(),
            name: id.name.clone(),
            deed,
            fields: Vec::new(),
            refused: None,
            note: None,
        }
    }

    fn noted(self, note: impl Into<String>) -> Self {
        Self { note: Some(note.into()), ..self }
    }
}

/// What [`install::install`] would do.
///
/// # Errors
/// What the install itself would fail with before its first write.
pub async fn install(ctx: &Context, given: &Install, source: Source, no_hooks: bool) -> Result<Plan, ActionError> {
    let entries = history::entries(ctx.storage.as_ref(), &given.name).await.map_err(super::first_word)?;
    install::check(ctx, given, &entries).await?;
    let prepared = install::prepare(ctx, given, source).await?;
    let mut record = prepared.record;
    record.version = entries.last().map_or(1, |e| e.version + 1);
    let mut plan = Plan::of("install", &record);
    let fresh = namespace(ctx, given.create_namespace).await;
    plan.objects.extend(fresh.clone());
    for (file, targets) in &prepared.crds {
        for target in targets {
            let there = ctx.cluster.get(&target.id).await?.is_some();
            let deed = if there { Deed::Unchanged } else { Deed::Create };
            plan.crds.push(Change::new(&target.id, deed).noted(file.clone()));
        }
    }
    let method = if prepared.adopted.is_empty() {
        given.method(false)
    } else {
        given.options.update_method(!given.client_side, false, given.take_ownership)?
    };
    if fresh.is_some() {
        // Nothing can be tried in a namespace that is not there.
        plan.objects.extend(prepared.targets.iter().map(|t| Change::new(&t.id, Deed::Create)));
    } else {
        plan.objects
            .extend(writes(ctx, &prepared.targets, &prepared.adopted, method, given.disable_openapi_validation).await?);
    }
    for id in prepared.later {
        plan.objects.push(Change::new(&id, Deed::Create).noted("of a kind that crds/ defines"));
    }
    Ok(without_hooks(plan, no_hooks))
}

/// The release's namespace, if it is not there.
async fn namespace(ctx: &Context, create: bool) -> Option<Change> {
    let id = ObjectId::new(super::namespace_kind(), None, &ctx.namespace);
    // Who may not look at namespaces learns it from the writes.
    if !ctx.cluster.is_live() || !matches!(ctx.cluster.get(&id).await, Ok(None)) {
        return None;
    }
    let mut change = Change::new(&id, Deed::Create);
    if !create {
        change.refused =
            Some(format!("namespaces {:?} not found: create it, or use --create-namespace", ctx.namespace));
    }
    Some(change)
}

/// What [`upgrade::upgrade`] would do.
///
/// # Errors
/// What the upgrade itself would fail with before its first write.
pub async fn upgrade(ctx: &Context, given: &Upgrade, source: Source) -> Result<Plan, ActionError> {
    let entries = history::entries(ctx.storage.as_ref(), &given.name).await.map_err(super::first_word)?;
    if entries.is_empty() {
        return Err(upgrade::no_deployed(&given.name));
    }
    let prepared = upgrade::prepare(ctx, &entries, &[], true, given, source).await?;
    super::objects::check_crd_removal(ctx, &prepared.originals, &prepared.targets).await?;
    let mut plan = Plan::of("upgrade", &prepared.record);
    let method = given.options.update_method(prepared.server_side, false, false)?;
    let (targets, originals) = (&prepared.targets, &prepared.originals);
    plan.objects.extend(writes(ctx, targets, originals, method, given.disable_openapi_validation).await?);
    plan.objects.extend(prunes(ctx, originals, targets).await?);
    Ok(without_hooks(plan, given.options.no_hooks))
}

/// What [`rollback::rollback`] would do.
///
/// # Errors
/// What the rollback itself would fail with before its first write.
pub async fn rollback(ctx: &Context, given: &Rollback) -> Result<Plan, ActionError> {
    let entries = history::entries(ctx.storage.as_ref(), &given.name).await.map_err(super::first_word)?;
    if entries.is_empty() {
        return Err(ActionError { not_found: true, ..ActionError::new("release: not found") });
    }
    let prepared = rollback::prepare(ctx, &entries, &[], given).await?;
    super::objects::check_crd_removal(ctx, &prepared.originals, &prepared.targets).await?;
    let mut plan = Plan::of("rollback", &prepared.record);
    let method = given.options.update_method(prepared.server_side, true, false)?;
    plan.objects.extend(writes(ctx, &prepared.targets, &prepared.originals, method, false).await?);
    plan.objects.extend(prunes(ctx, &prepared.originals, &prepared.targets).await?);
    Ok(without_hooks(plan, given.options.no_hooks))
}

/// What [`uninstall::uninstall`] would do.
///
/// # Errors
/// What the uninstall itself would fail with before its first write.
pub async fn uninstall(ctx: &Context, given: &Uninstall) -> Result<Plan, ActionError> {
    let entries = history::entries(ctx.storage.as_ref(), &given.name).await.map_err(super::first_word)?;
    let Some(record) = history::newest(ctx, &entries).await? else {
        let text = format!("uninstall: Release not loaded: {}: release: not found", given.name);
        return Err(ActionError { not_found: true, ..ActionError::new(text) });
    };
    let deployed = match history::deployed(&entries) {
        Some(version) if version != record.version => history::readable(ctx, &given.name, version).await?,
        _ => None,
    };
    let removal = uninstall::removal(ctx, &record, deployed.as_ref(), &[]).await?;
    let mut plan = Plan { revision: 0, ..Plan::of("uninstall", &record) };
    plan.objects.extend(removal.delete.iter().map(|t| Change::new(&t.id, Deed::Delete)));
    let foreign = removal.foreign.iter().map(|t| (t, "not owned by this release".to_string()));
    let unknown = removal.unknown.iter().map(|(t, e)| (t, e.to_string()));
    plan.objects.extend(foreign.chain(unknown).map(|(t, why)| Change::new(&t.id, Deed::Keep).noted(why)));
    for id in removal.kept_ids {
        plan.objects.push(Change::new(&id, Deed::Keep).noted("helm.sh/resource-policy"));
    }
    Ok(without_hooks(plan, given.options.no_hooks))
}

fn without_hooks(mut plan: Plan, no_hooks: bool) -> Plan {
    if no_hooks {
        plan.hooks.clear();
    }
    plan
}

/// What would be written, object by object, in their order.
async fn writes(
    ctx: &Context,
    targets: &[Target],
    originals: &[Target],
    method: Method,
    unchecked: bool,
) -> Result<Vec<Change>, ActionError> {
    let validation = if unchecked { FieldValidation::Ignore } else { FieldValidation::Strict };
    let options = WriteOptions { field_manager: "helm".into(), dry_run: true, validation };
    let one = |target| try_write(ctx, target, originals, method, &options);
    let tried: Vec<_> = stream::iter(targets).map(one).buffered(PARALLEL).collect().await;
    tried.into_iter().collect()
}

async fn try_write(
    ctx: &Context,
    target: &Target,
    originals: &[Target],
    method: Method,
    options: &WriteOptions,
) -> Result<Change, ActionError> {
    let live = if target.id.name.is_empty() { None } else { ctx.cluster.get(&target.id).await? };
    let Some(live) = live else {
        let mut change = Change::new(&target.id, Deed::Create);
        let tried = match method {
            Method::ServerSide { force_conflicts: force, .. }
                if !target.id.name.is_empty() || ctx.cluster.is_live() =>
            {
                ctx.cluster.patch(&target.id, PatchType::Apply { force }, &target.object, options).await
            }
            _ => ctx.cluster.create(&target.object, options).await,
        };
        change.refused = tried.err().and_then(|e| refusal(&e));
        return Ok(change);
    };
    let tried = match method {
        Method::ServerSide { force_conflicts: force, .. } => {
            ctx.cluster.patch(&target.id, PatchType::Apply { force }, &target.object, options).await
        }
        Method::Replace => ctx.cluster.replace(&with_version(&target.object, &live), options).await,
        Method::ClientSide { three_way_custom } => {
            let original = originals.iter().find(|o| o.same(target)).map_or(&live, |o| &o.object);
            let made = patch::client_side(&target.id.gvk, original, &target.object, Some(&live), three_way_custom)
                .map_err(|e| ActionError::new(format!("failed to create patch: {e}")))?;
            if made.is_empty() {
                Ok(live.clone())
            } else {
                ctx.cluster.patch(&target.id, made.patch_type(), &made.body, options).await
            }
        }
    };
    let deed = if method == Method::Replace { Deed::Replace } else { Deed::Change };
    match tried {
        Ok(after) => {
            let fields = compare::fields(&live, &after, target.id.gvk.kind == "Secret");
            let deed = if fields.is_empty() { Deed::Unchanged } else { deed };
            Ok(Change { fields, ..Change::new(&target.id, deed) })
        }
        Err(e) => Ok(Change {
            fields: compare::fields(&live, &overlaid(&live, &target.object), target.id.gvk.kind == "Secret"),
            refused: refusal(&e),
            ..Change::new(&target.id, deed)
        }),
    }
}

/// What the server would say, without its repetition of the object.
fn refusal(e: &ClusterError) -> Option<String> {
    // A webhook with side effects is not asked in a dry run: that says nothing about the real one.
    let unasked = e.reason == Reason::BadRequest && e.message.contains("does not support dry run");
    (!unasked).then(|| e.to_string())
}

fn with_version(object: &Json, live: &Json) -> Json {
    let mut object = object.clone();
    if let Some(version) = live.pointer("/metadata/resourceVersion")
        && let Some(metadata) = object.get_mut("metadata").and_then(Json::as_object_mut)
    {
        metadata.entry("resourceVersion").or_insert_with(|| version.clone());
    }
    object
}

/// The wish laid over what is there: what would be, if the server did not refuse it.
fn overlaid(live: &Json, wish: &Json) -> Json {
    match (live, wish) {
        (Json::Object(a), Json::Object(b)) => {
            let mut out = a.clone();
            for (key, value) in b {
                let next = out.get(key).map_or_else(|| value.clone(), |old| overlaid(old, value));
                out.insert(key.clone(), next);
            }
            Json::Object(out)
        }
        (_, wish) => wish.clone(),
    }
}

/// What would be pruned.
async fn prunes(ctx: &Context, originals: &[Target], targets: &[Target]) -> Result<Vec<Change>, ActionError> {
    let mut out = Vec::new();
    for target in originals.iter().rev().filter(|o| !targets.iter().any(|t| t.same(o))) {
        if let Some(live) = ctx.cluster.get(&target.id).await? {
            out.push(if keeps(&live) {
                Change::new(&target.id, Deed::Keep).noted("helm.sh/resource-policy")
            } else {
                Change::new(&target.id, Deed::Delete)
            });
        }
    }
    Ok(out)
}
