//! `pintle uninstall`: `helm uninstall`. Source: Helm 4.3 `pkg/cmd/uninstall.go`.

use clap::Args;

use crate::cluster::Propagation;
use crate::release::action::plan;
use crate::release::action::uninstall::{Uninstall, uninstall};

use super::args::Global;
use super::driving::{WaitArgs, drive, failure};
use super::install::print_plan;
use super::output::Streams;
use super::{Failure, arity, chart_source, target};

#[derive(Args, Debug, Clone)]
pub struct UninstallArgs {
    /// The releases' names
    #[arg(value_name = "RELEASE_NAME")]
    pub names: Vec<String>,
    #[command(flatten)]
    pub waiting: WaitArgs,
    /// Simulate a uninstall
    #[arg(long)]
    pub dry_run: bool,
    /// Show what would be deleted and kept, and which hooks would run; write nothing
    #[arg(long)]
    pub plan: bool,
    /// Prevent hooks from running during uninstallation
    #[arg(long)]
    pub no_hooks: bool,
    /// Treat "release not found" as a successful uninstall
    #[arg(long)]
    pub ignore_not_found: bool,
    /// Remove all associated resources and mark the release as deleted, but retain the release history
    #[arg(long)]
    pub keep_history: bool,
    /// Must be "background", "orphan", or "foreground": what becomes of the dependents
    #[arg(long, default_value = "background", value_name = "STRATEGY")]
    pub cascade: String,
    /// Add a custom description
    #[arg(long, default_value = "", value_name = "TEXT")]
    pub description: String,
    /// The format of --plan: table, json, yaml
    #[arg(short, long, default_value = "table", value_name = "FORMAT")]
    pub output: String,
}

pub fn run(args: &UninstallArgs, global: &Global, io: &mut Streams<'_>) -> Result<(), Failure> {
    if args.names.is_empty() {
        return Err(arity::failure("uninstall"));
    }
    let propagation = match args.cascade.as_str() {
        "background" => Propagation::Background,
        "foreground" => Propagation::Foreground,
        "orphan" => Propagation::Orphan,
        other => {
            return Err(Failure::new(format!(
                "invalid cascade value ({other}). Must be \"background\", \"foreground\", or \"orphan\""
            )));
        }
    };
    let mut options = args.waiting.options(io)?;
    options.no_hooks = args.no_hooks;
    options.description = args.description.clone();
    for name in &args.names {
        let what = Uninstall {
            name: name.clone(),
            options: options.clone(),
            dry_run: args.dry_run,
            keep_history: args.keep_history,
            ignore_not_found: args.ignore_not_found,
            propagation,
        };
        let open = target::open(global);
        if args.plan {
            let format = chart_source::format(&args.output)?;
            let plan = drive(name, args.waiting.quiet, io, open, |ctx| async move {
                plan::uninstall(&ctx, &what).await.map_err(|e| failure(e, ""))
            })?;
            print_plan(&plan, format, io)?;
            continue;
        }
        let done = drive(name, args.waiting.quiet, io, open, |ctx| async move {
            uninstall(&ctx, &what).await.map_err(|e| failure(e, ""))
        })?;
        if !done.info.is_empty() {
            writeln!(io.out, "{}", done.info)?;
        }
        writeln!(io.out, "release \"{name}\" uninstalled")?;
    }
    Ok(())
}
