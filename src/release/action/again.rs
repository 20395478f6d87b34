//! Renders what a revision was made of once more, as that very revision: what comes out differently is the target's doing, or chance's.

use crate::cluster::{Json, manifest};
use crate::release::Record;
use crate::release::record::HookRecord;
use crate::render::ReleaseOptions;

use super::rendering::{self, Rendered, Source};
use super::upgrade::{Values, reuse_values};
use super::{ActionError, Context};

/// What a revision would be now.
#[derive(Clone, Debug)]
pub struct Again {
    pub manifest: String,
    pub hooks: Vec<HookRecord>,
}

impl Again {
    /// Whether a revision is this to the byte.
    pub fn is(&self, record: &Record) -> bool {
        let hooks = |hooks: &[HookRecord]| -> Vec<(String, String)> {
            hooks.iter().map(|h| (h.path.clone(), h.manifest.clone())).collect()
        };
        self.manifest == record.manifest && hooks(&self.hooks) == hooks(&record.hooks)
    }

    /// Its objects, hooks among them.
    ///
    /// # Errors
    /// Text that is no YAML.
    pub fn objects(&self) -> Result<Vec<Json>, String> {
        objects(&self.manifest, &self.hooks)
    }
}

/// The objects of a revision, its hooks among them.
///
/// # Errors
/// Text that is no YAML.
pub fn objects(text: &str, hooks: &[HookRecord]) -> Result<Vec<Json>, String> {
    let mut all = manifest::objects(text.as_bytes())?;
    for hook in hooks {
        all.extend(manifest::object(hook.manifest.as_bytes())?);
    }
    Ok(all)
}

/// Renders, as the installation or upgrade that it was; nothing is written, and nothing is checked that only a write needs.
///
/// # Errors
/// The chart does not render any more, or the server cannot be asked.
pub async fn again(
    ctx: &Context,
    record: &Record,
    is_install: bool,
    values: Values,
    source: Source,
) -> Result<Again, ActionError> {
    let mut source = source;
    reuse_values(ctx, values, record, &mut source)?;
    let options = ReleaseOptions {
        name: record.name.clone(),
        namespace: record.namespace.clone(),
        // An installation is rendered as the first, whatever was there before.
        revision: if is_install { 1 } else { record.version },
        is_install,
        is_upgrade: !is_install,
    };
    let capabilities = ctx.cluster.capabilities().await?;
    let Rendered { manifest, hooks, .. } = rendering::render(ctx, source, options, capabilities, true).await?;
    Ok(Again { manifest, hooks })
}
