//! A chart with the user's values, for the commands that make a release of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use clap::Args;

use crate::chart::Chart;
use crate::diagnostic::{Diagnostic, LogLine};
use crate::gotmpl::{State, SystemHost};
use crate::release::action::{ActionError, RenderFailure, Source};
use crate::render::{self, KubeVersion};
use crate::source::Context;

use super::args::{Global, ValueArgs};
use super::chart_path::{ChartPathArgs, Located};
use super::config::ConfigArgs;
use super::origin::Origins;
use super::output::Streams;
use super::post_renderer::PostRendererArgs;
use super::printed::Format;
use super::{Failure, explain, template};

/// Flags of install and upgrade that have to do with the chart.
#[derive(Args, Debug, Clone)]
pub struct ChartArgs {
    #[command(flatten)]
    pub values: ValueArgs,
    /// If set, disables JSON schema validation
    #[arg(long)]
    pub skip_schema_validation: bool,
    /// Enable DNS lookups when rendering templates
    #[arg(long)]
    pub enable_dns: bool,
    /// If set, render subchart notes along with the parent
    #[arg(long)]
    pub render_subchart_notes: bool,
    /// If set, do not show notes in the output
    #[arg(long)]
    pub hide_notes: bool,
    /// Hide Kubernetes Secrets when also using the --dry-run flag
    #[arg(long)]
    pub hide_secret: bool,
    /// Labels that would be added to release metadata, divided by comma
    #[arg(short = 'l', long, value_name = "KEY=VALUE", value_parser = super::flags::pairs)]
    pub labels: Vec<super::flags::Pairs>,
    /// Ignore the check for helm annotations and take ownership of the existing resources
    #[arg(long)]
    pub take_ownership: bool,
    /// Do not validate rendered templates against the Kubernetes OpenAPI Schema
    #[arg(long)]
    pub disable_openapi_validation: bool,
    /// Create the release namespace if not present
    #[arg(long)]
    pub create_namespace: bool,
    /// If set, no CRDs will be installed
    #[arg(long)]
    pub skip_crds: bool,
    /// Roll back (or uninstall) upon failure; waits as with --wait
    #[arg(long)]
    pub rollback_on_failure: bool,
    /// Deprecated: use --rollback-on-failure
    #[arg(long, hide = true)]
    pub atomic: bool,
    /// Print the output in the specified format: table, json, yaml
    #[arg(short, long, default_value = "table", value_name = "FORMAT")]
    pub output: String,
    /// Kubernetes version that a directory tells templates
    #[arg(long, value_name = "VERSION", hide_short_help = true)]
    pub kube_version: Option<String>,
    /// Kubernetes API versions that a directory tells templates (can specify multiple)
    #[arg(short = 'a', long, value_name = "VERSION", value_parser = super::flags::list, hide_short_help = true)]
    pub api_versions: Vec<super::flags::List>,
    #[command(flatten)]
    pub from: ChartPathArgs,
    #[command(flatten)]
    pub post_renderer: PostRendererArgs,
    /// Update dependencies if they are missing before installing the chart
    #[arg(long)]
    pub dependency_update: bool,
}

/// A chart that was found and read.
pub struct Loaded {
    pub source: Source,
    located: Located,
    values: ValueArgs,
}

impl ChartArgs {
    /// # Errors
    /// Helm's words for a format that is none.
    pub fn format(&self) -> Result<Format, Failure> {
        format(&self.output)
    }

    /// # Errors
    /// A version that cannot be read.
    pub fn kube_version(&self) -> Result<Option<KubeVersion>, Failure> {
        match self.kube_version.as_deref().filter(|v| !v.is_empty()) {
            Some(v) => Ok(Some(KubeVersion::parse(v).map_err(|e| format!("invalid kube version '{v}': {e}"))?)),
            None => Ok(None),
        }
    }

    /// Whether a failure is undone; cobra's word for the old name of the flag.
    pub fn rolls_back(&self, io: &mut Streams<'_>) -> bool {
        if self.atomic {
            deprecated("atomic", "use --rollback-on-failure instead", io);
        }
        self.rollback_on_failure || self.atomic
    }

    /// Finds and reads a chart, and merges the values.
    ///
    /// # Errors
    /// Helm's texts.
    pub fn load(
        &self,
        chart: &str,
        global: &Global,
        state: Option<State>,
        io: &mut Streams<'_>,
    ) -> Result<Loaded, Failure> {
        let mut state = state.unwrap_or_else(|| self.state(global));
        let post_render = self.post_renderer.find(io)?;
        let located = self.from.locate(chart, &global.config, io)?;
        let values = template::merge_values(&mut state, &self.values, &self.from, &global.config)?;
        let mut log = Vec::new();
        let chart = located.load(&mut log).map_err(|e| Failure::new(e.to_string()));
        let update = self.dependency_update.then_some((&self.from, &global.config));
        let chart = chart.and_then(|chart| installable(chart, &located, update, &mut log, io));
        log.iter().for_each(|line| io.log(line));
        let source = Source {
            state,
            values,
            chart: chart?,
            skip_schema_validation: self.skip_schema_validation,
            subchart_notes: self.render_subchart_notes,
            hide_secret: self.hide_secret,
            post_render,
        };
        Ok(Loaded { source, located, values: self.values.clone() })
    }

    /// A state to render with.
    pub fn state(&self, global: &Global) -> State {
        State::new(Arc::new(SystemHost { enable_dns: self.enable_dns }), global.limits.limits())
    }
}

/// A chart that may be installed; its missing dependencies are fetched before if `update` says how.
///
/// # Errors
/// Helm's texts.
pub(super) fn installable(
    chart: Chart,
    located: &Located,
    update: Option<(&ChartPathArgs, &ConfigArgs)>,
    log: &mut Vec<LogLine>,
    io: &mut Streams<'_>,
) -> Result<Chart, Failure> {
    let complete = crate::values::dependencies::check_dependencies(&chart).is_ok();
    let (Some((from, config)), Located::Path(path), false) = (update, located, complete) else {
        return Ok(render::check_installable(&chart, log).map(|()| chart)?);
    };
    render::check_kind(&chart, log)?;
    let context = Context::new(from.access.options(config)?);
    let mut print = |line: &str| drop(writeln!(io.out, "{line}"));
    let updated = super::dependency::dependencies(&context, path, false, true, &mut print);
    context.notes().iter().for_each(|line| io.log(line));
    updated?;
    // What came need not be called what Chart.yaml calls it: Helm does not look again.
    Ok(located.load(log).map_err(|e| format!("failed reloading chart after repo update: {e}"))?)
}

/// `-o`'s value.
///
/// # Errors
/// Helm's words for one that is none.
pub(super) fn format(text: &str) -> Result<Format, Failure> {
    text.parse().map_err(|e| Failure::new(format!("invalid argument {text:?} for \"-o, --output\" flag: {e}")))
}

/// Cobra's word for an old flag.
pub(super) fn deprecated(flag: &str, instead: &str, io: &mut Streams<'_>) {
    let _ = writeln!(io.err, "Flag --{flag} has been deprecated, {instead}");
}

/// What explains the failure of a render of this chart.
pub(super) struct Explainer {
    located: Located,
    values: ValueArgs,
}

impl Loaded {
    /// Where the chart comes from and who vouches for it, as a release records it; nothing of a chart on disk.
    pub fn provenance(&self) -> BTreeMap<String, String> {
        let Some(p) = self.located.provenance() else { return BTreeMap::new() };
        let mut out = BTreeMap::from([
            ("pintle.dev/source".to_string(), p.source.clone()),
            ("pintle.dev/revision".to_string(), p.revision.clone()),
            ("pintle.dev/digest".to_string(), p.digest.to_string()),
        ]);
        let said = |v: &crate::source::Verification| {
            let parts = [v.method.as_str(), v.by.as_str(), v.key.as_str()];
            parts.into_iter().filter(|p| !p.is_empty()).collect::<Vec<_>>().join(" ")
        };
        let verified: Vec<String> = p.verifications.iter().map(said).collect();
        if !verified.is_empty() {
            out.insert("pintle.dev/verified".into(), verified.join("; "));
        }
        out
    }

    pub(super) fn explainer(&self) -> Explainer {
        Explainer { located: self.located.clone(), values: self.values.clone() }
    }
}

impl Explainer {
    /// An action's error as the command line's, with an excerpt of the template where a render failed.
    pub fn failure(&self, mut e: ActionError, before: &str) -> Failure {
        let explanation = e.render.take().and_then(|f| explanation(&self.located, &self.values, *f));
        Failure { explanation, ..super::driving::failure(e, before) }
    }
}

fn explanation(located: &Located, values: &ValueArgs, failed: RenderFailure) -> Option<Diagnostic> {
    let RenderFailure { failure, state } = failed;
    let shown = located.load(&mut Vec::new()).ok();
    let texts = shown.as_ref().map(explain::Texts::of).unwrap_or_default();
    let origins = Origins { files: template::user_files(values), chart: shown.as_ref() };
    match (&failure.exec, failure.values) {
        (Some(e), Some(values)) => Some(explain::execution(e, &texts, &state.heap, values, &origins)),
        (Some(_), None) => None,
        (None, _) => explain::parse(&failure.message, &texts, &render::functions().names().collect::<Vec<_>>()),
    }
}
