//! `helm template --dry-run=server`: a render with the cluster's capabilities and live objects, and the checks of an install that write nothing.
//!
//! The name may be taken, and no record is read. Source: Helm 4.3 `pkg/action/install.go` (`RunWithContext` up to its dry run's end).

use crate::cluster::{ClusterError, Reason, manifest, targets};
use crate::diagnostic::LogLine;
use crate::render::{Release, ReleaseOptions};

use super::rendering::{self, Rendered, Source};
use super::{ActionError, Context, install};

/// What is to be shown.
#[derive(Clone, Debug, Default)]
pub struct Preview {
    /// The release's name.
    pub name: String,
    /// Templates see an upgrade; what exists already is then not looked at.
    pub is_upgrade: bool,
    /// The files of `crds/` are part of what is shown, and are checked like the rest.
    pub include_crds: bool,
    /// Do not warn of `crds/`.
    pub skip_crds: bool,
    /// Objects of others are no error.
    pub take_ownership: bool,
}

/// Renders and checks.
///
/// # Errors
/// Helm's texts: the cluster cannot be reached, templates fail, kinds are not served, objects belong to somebody else.
pub async fn preview(ctx: &Context, what: &Preview, source: Source) -> Result<Release, ActionError> {
    let capabilities = ctx.cluster.capabilities().await.map_err(|e| unreachable(ctx, e))?;
    install::check_name(ctx, &what.name)?;
    if !what.skip_crds && !source.chart.crds().is_empty() {
        ctx.log(LogLine::warn(install::CRDS_NOT_INSTALLED));
    }
    let options = ReleaseOptions {
        name: what.name.clone(),
        namespace: ctx.namespace.clone(),
        revision: 1,
        is_install: !what.is_upgrade,
        is_upgrade: what.is_upgrade,
    };
    let Rendered { manifest: text, release, .. } = rendering::render(ctx, source, options, capabilities, true).await?;
    let fail = |e: String| ActionError::new(format!("unable to build kubernetes objects from release manifest: {e}"));
    let mut objects = Vec::new();
    for crd in release.crds.iter().filter(|_| what.include_crds) {
        objects.extend(manifest::objects(&crd.data).map_err(fail)?);
    }
    objects.extend(manifest::objects(text.as_bytes()).map_err(fail)?);
    let found = targets::build(ctx.cluster.as_ref(), objects, &ctx.namespace).await.map_err(|e| fail(e.to_string()))?;
    if !what.is_upgrade {
        let owner = targets::Owner { release: &what.name, namespace: &ctx.namespace };
        targets::existing(ctx.cluster.as_ref(), &found, (!what.take_ownership).then_some(owner))
            .await
            .map_err(|e| ActionError::new(format!("unable to continue with install: {e}")))?;
    }
    Ok(release)
}

/// Helm's first step: whether the server is there.
fn unreachable(ctx: &Context, e: ClusterError) -> ActionError {
    if e.reason != Reason::Unreachable {
        return e.into();
    }
    let cause = e.to_string();
    let cause = cause.strip_prefix("kubernetes cluster unreachable: ").unwrap_or(&cause);
    let text = format!("cluster reachability check failed: kubernetes cluster unreachable: {cause}");
    ctx.log(LogLine::error(text.clone()));
    ActionError::new(text)
}
