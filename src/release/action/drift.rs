//! `drift`: the objects that a release's newest revision wants, against the live ones. Hooks are not looked at.

use crate::cluster::ObjectId;
use crate::cluster::drift::{Correction, Drift, DriftOptions};
use crate::cluster::targets::Target;

use super::{ActionError, Context, history, objects};

/// Compares a release with what is there, without a write.
///
/// # Errors
/// There is no such release; a rule that cannot be read; kinds that are not served any more.
pub async fn drift(ctx: &Context, name: &str, options: &DriftOptions) -> Result<Vec<Drift>, ActionError> {
    let targets = targets(ctx, name).await?;
    crate::cluster::drift::drift(ctx.cluster.as_ref(), &targets, options)
        .await
        .map_err(|e| ActionError::new(e.to_string()))
}

/// Takes the drift of a release back. No revision is made.
///
/// # Errors
/// As [`drift`]; what could not be corrected is in the answer.
pub async fn correct(
    ctx: &Context,
    name: &str,
    options: &DriftOptions,
) -> Result<Vec<(ObjectId, Correction)>, ActionError> {
    let targets = targets(ctx, name).await?;
    crate::cluster::drift::correct(ctx.cluster.as_ref(), &targets, options)
        .await
        .map_err(|e| ActionError::new(e.to_string()))
}

/// The objects of the deployed revision, or of the newest where none is.
async fn targets(ctx: &Context, name: &str) -> Result<Vec<Target>, ActionError> {
    let entries = history::entries(ctx.storage.as_ref(), name).await.map_err(super::first_word)?;
    let wanted = match history::deployed(&entries) {
        Some(version) => history::readable(ctx, name, version).await?,
        None => history::newest(ctx, &entries).await?,
    };
    let Some(record) = wanted else {
        return Err(ActionError { not_found: true, ..ActionError::new("release: not found") });
    };
    let mut targets = objects::of_manifest(ctx, &record.manifest).await?;
    objects::own(&mut targets, &record);
    Ok(targets)
}
