//! `pintle upgrade`: `helm upgrade`. Source: Helm 4.3 `pkg/cmd/upgrade.go`.

use std::sync::Arc;

use clap::Args;

use crate::release::Status;
use crate::release::action::upgrade::{Upgrade, Values, upgrade};
use crate::release::action::{DryRun, is_name, plan};
use crate::release::storage::StorageError;
use crate::render::{Capabilities, Compat};

use super::args::Global;
use super::chart_source::ChartArgs;
use super::driving::{ApplyArgs, drive, history_max, labels, server_side_of};
use super::install::{self, Wanted, exclusive, print_plan};
use super::output::Streams;
use super::printed::{self, Format, Show};
use super::{Failure, arity, reading, runtime, target};

#[derive(Args, Debug, Clone)]
pub struct UpgradeArgs {
    /// The release's name and the chart: a directory or an archive
    #[arg(value_name = "RELEASE CHART")]
    pub args: Vec<String>,
    #[command(flatten)]
    pub chart: ChartArgs,
    #[command(flatten)]
    pub apply: ApplyArgs,
    /// If a release by this name doesn't already exist, run an install
    #[arg(short, long)]
    pub install: bool,
    #[command(flatten)]
    pub reuse: ReuseArgs,
    /// Must be "true", "false" or "auto": whether object updates run in the server ("auto": as in the last revision)
    #[arg(long, default_value = "auto", value_name = "MODE")]
    pub server_side: String,
    /// Allow deletion of new resources created in this upgrade when upgrade fails
    #[arg(long)]
    pub cleanup_on_fail: bool,
    /// Limit the maximum number of revisions saved per release. Use 0 for no limit [default: $HELM_MAX_HISTORY, or 10]
    #[arg(long, value_name = "N", value_parser = super::flags::integer)]
    pub history_max: Option<i64>,
}

/// What becomes of the last revision's values.
#[derive(Args, Debug, Clone)]
pub struct ReuseArgs {
    /// Reset the values to the ones built into the chart
    #[arg(long)]
    pub reset_values: bool,
    /// Reuse the last release's values and merge in any overrides from the command line
    #[arg(long)]
    pub reuse_values: bool,
    /// Reset the values to the ones built into the chart, apply the last release's values and merge in any overrides
    #[arg(long)]
    pub reset_then_reuse_values: bool,
}

impl ReuseArgs {
    pub const fn values(&self) -> Values {
        match (self.reset_values, self.reuse_values, self.reset_then_reuse_values) {
            (true, _, _) => Values::Reset,
            (_, true, _) => Values::Reuse,
            (_, _, true) => Values::ResetThenReuse,
            _ => Values::Auto,
        }
    }
}

pub fn run(args: &UpgradeArgs, global: &Global, io: &mut Streams<'_>) -> Result<(), Failure> {
    exclusive(&args.apply, io)?;
    let [name, chart_ref] = args.args.as_slice() else {
        return Err(arity::failure("upgrade"));
    };
    let format = args.chart.format()?;
    if args.install
        && let Some(replace) = to_be_installed(name, global)?
    {
        let shown = format == Format::Table && !args.apply.plan;
        let announced =
            if shown { format!("Release {name:?} does not exist. Installing it now.\n") } else { String::new() };
        let wanted = Wanted {
            client_side: args.server_side == "false",
            replace,
            format,
            prefix: "",
            name_template: "",
            generate_name: false,
            announced: &announced,
        };
        return install::perform(&args.args, &args.chart, &args.apply, &wanted, global, io);
    }
    perform(args, name, chart_ref, format, global, io)
}

/// Whether an install is to be run, and whether it replaces an uninstalled release.
fn to_be_installed(name: &str, global: &Global) -> Result<Option<bool>, Failure> {
    if !is_name(name) {
        return Err(Failure::new(format!("release name is invalid: {name}")));
    }
    runtime::block_on(async {
        let target = target::open(global).await?;
        let mut entries = match target.storage.entries(Some(name)).await {
            Ok(entries) => entries,
            Err(StorageError::NotFound) => Vec::new(),
            Err(e) => return Err(reading::failure(&e.into())),
        };
        entries.sort_by_key(|e| e.version);
        Ok(match entries.last().map(|e| e.status) {
            None => Some(false),
            Some(Status::Uninstalled) => Some(true),
            Some(_) => None,
        })
    })
}

fn perform(
    args: &UpgradeArgs,
    name: &str,
    chart_ref: &str,
    format: Format,
    global: &Global,
    io: &mut Streams<'_>,
) -> Result<(), Failure> {
    let chart = &args.chart;
    let dry_run = args.apply.dry_run(io)?;
    let options = args.apply.options(io)?;
    let loaded = chart.load(chart_ref, global, None, io)?;
    let kube_version = chart.kube_version()?;
    let explainer = loaded.explainer();
    let prefix = "UPGRADE FAILED: ";
    let invalid = format!("release name is invalid: {name}");
    let absent = format!("{name:?} has no deployed releases");
    let mode = server_side_of(&args.server_side, name, (&invalid, &absent), global);
    let what = Upgrade {
        name: name.to_string(),
        options,
        dry_run,
        server_side: mode.map_err(|f| Failure { message: format!("{prefix}{}", f.message), ..f })?,
        values: args.reuse.values(),
        take_ownership: chart.take_ownership,
        disable_openapi_validation: chart.disable_openapi_validation,
        cleanup_on_fail: args.cleanup_on_fail,
        rollback_on_failure: chart.rolls_back(io),
        history_max: history_max(args.history_max),
        labels: labels(&chart.labels),
        provenance: loaded.provenance(),
        offline: Some(Arc::new(Capabilities::offline(
            Compat::default(),
            kube_version.clone(),
            &super::flags::all(&chart.api_versions),
        ))),
    };
    let quiet = args.apply.waiting.quiet;
    let apis = super::flags::all(&chart.api_versions);
    let open = target::prefixed(target::open_with(global, kube_version, &apis), prefix);
    if args.apply.plan {
        let plan = drive(name, quiet, io, open, |ctx| async move {
            plan::upgrade(&ctx, &what, loaded.source).await.map_err(|e| explainer.failure(e, prefix))
        })?;
        return print_plan(&plan, format, io);
    }
    let is_dry = dry_run != DryRun::None;
    let record = drive(name, quiet || is_dry, io, open, |ctx| async move {
        upgrade(&ctx, what, loaded.source).await.map_err(|e| explainer.failure(e, prefix))
    })?;
    if format == Format::Table {
        writeln!(io.out, "Release {name:?} has been upgraded. Happy Helming!")?;
    }
    let show = Show { debug: global.debug, hide_notes: chart.hide_notes, ..Show::default() };
    printed::release(&record, format, show, io)
}
