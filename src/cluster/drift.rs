//! Live objects against what a release wants of them, judged by the API server: a server-side apply that is only tried (dry run).
//!
//! Source: Flux `helm-controller` `internal/action/diff.go` and `pkg/ssa/jsondiff` (facts: fields that the server defaults are no drift, nor
//! are those that somebody else owns beside ours; of labels and annotations only missing and changed ones count). An object is left out when
//! it, live or as written, carries `helm.toolkit.fluxcd.io/driftDetection: disabled` as label or annotation, or when a rule ignores it whole.

mod compare;
mod correct;
mod ignore;
mod managers;

use futures::{FutureExt, StreamExt, stream};

use super::targets::{PARALLEL, Target};
use super::{Cluster, ClusterError, FieldValidation, Json, ObjectId, PatchType, WriteOptions};
pub use compare::{Field, compare, mask};
pub use correct::{Correction, correct};
pub use ignore::{IgnoreError, IgnoreRule, Selector};

/// The label or annotation that takes an object out, with the value `disabled`.
const SWITCH: &str = "helm.toolkit.fluxcd.io/driftDetection";

/// How drift is looked for.
#[derive(Clone, Debug)]
pub struct DriftOptions {
    /// The manager that would apply: `helm`, or `helm-controller` for Flux's.
    pub field_manager: String,
    pub ignore: Vec<IgnoreRule>,
    /// What these have written is taken over first, in the live object: it is then no work of others, and drift if it is not wanted.
    pub override_managers: Vec<String>,
}

impl Default for DriftOptions {
    fn default() -> Self {
        Self { field_manager: "helm".into(), ignore: Vec::new(), override_managers: Vec::new() }
    }
}

/// What was found of one object.
#[derive(Clone, Debug)]
pub enum Finding {
    InSync,
    /// Not looked at, by a rule or by the object's own word.
    Ignored,
    /// It is gone.
    Missing,
    /// What an apply would change; values of Secrets are masked.
    Changed(Vec<Field>),
    /// It could not be read, or an apply of it would be refused.
    Unknown(ClusterError),
}

/// One object's state.
#[derive(Clone, Debug)]
pub struct Drift {
    pub id: ObjectId,
    pub finding: Finding,
}

impl Drift {
    /// Whether the object is not as wanted.
    pub fn is_drift(&self) -> bool {
        matches!(self.finding, Finding::Missing | Finding::Changed(_))
    }
}

/// Looks at every object, in order; the targets carry their owner's stamp. Nothing is written, but for [`DriftOptions::override_managers`].
///
/// # Errors
/// An ignore rule that can't be read.
pub async fn drift(
    cluster: &dyn Cluster,
    targets: &[Target],
    options: &DriftOptions,
) -> Result<Vec<Drift>, IgnoreError> {
    let rules = ignore::compile(&options.ignore)?;
    let rules = &rules;
    let one = |target: &'_ Target| look_masked(cluster, target.clone(), rules, options).boxed();
    let looks: Vec<_> = targets.iter().map(one).collect();
    Ok(stream::iter(looks).buffered(PARALLEL).collect().await)
}

async fn look_masked(
    cluster: &dyn Cluster,
    target: Target,
    rules: &[ignore::Compiled],
    options: &DriftOptions,
) -> Drift {
    let mut finding = look(cluster, &target, rules, options).await.map_or_else(Finding::Unknown, |(f, _)| f);
    if let Finding::Changed(fields) = &mut finding
        && target.id.gvk.group.is_empty()
        && target.id.gvk.kind == "Secret"
    {
        mask(fields);
    }
    Drift { id: target.id, finding }
}

/// What is found of an object, nothing masked, and the live object where there is one.
async fn look(
    cluster: &dyn Cluster,
    target: &Target,
    rules: &[ignore::Compiled],
    options: &DriftOptions,
) -> Result<(Finding, Json), ClusterError> {
    let paths = ignore::paths(rules, target);
    if is_off(&target.object) || paths.iter().any(|p| p.is_empty()) {
        return Ok((Finding::Ignored, Json::Null));
    }
    let Some(mut live) = cluster.get(&target.id).await? else { return Ok((Finding::Missing, Json::Null)) };
    if is_off(&live) {
        return Ok((Finding::Ignored, live));
    }
    if let Some(patch) = managers::take_over(&live, &options.override_managers, &options.field_manager) {
        let write = WriteOptions {
            field_manager: options.field_manager.clone(),
            dry_run: false,
            validation: FieldValidation::Ignore,
        };
        live = cluster.patch(&target.id, PatchType::Json, &patch, &write).await?;
    }
    let write = WriteOptions {
        field_manager: options.field_manager.clone(),
        dry_run: true,
        validation: FieldValidation::Ignore,
    };
    let mut wanted = cluster.apply(&target.id, &target.object, true, &write).await?.object;
    for path in paths {
        ignore::remove(&mut live, path);
        ignore::remove(&mut wanted, path);
    }
    let fields = compare(&live, &wanted);
    Ok((if fields.is_empty() { Finding::InSync } else { Finding::Changed(fields) }, live))
}

fn is_off(object: &Json) -> bool {
    ["labels", "annotations"].into_iter().any(|field| {
        object.get("metadata").and_then(|m| m.get(field)).and_then(|m| m.get(SWITCH)).and_then(Json::as_str)
            == Some("disabled")
    })
}
