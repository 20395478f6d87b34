//! `pintle dependency`: `helm dependency list`, `build` and `update`.
//!
//! Source: Helm 4.3 `pkg/cmd/dependency*.go`.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::args::Global;
use super::chart_path::AccessArgs;
use super::output::Streams;
use super::package::epoch;
use super::{Failure, runtime};
use crate::chart::{directory, listing};
use crate::golang::path::clean;
use crate::source::dependencies::Manager;
use crate::source::{Context, SourceError};

#[derive(Args, Debug, Clone)]
pub struct DependencyArgs {
    #[command(subcommand)]
    pub command: DependencyCommand,
}

#[derive(Debug, Clone, Subcommand)]
pub enum DependencyCommand {
    /// List the dependencies for the given chart
    #[command(alias = "ls")]
    List {
        /// Path of a chart directory or archive
        #[arg(default_value = ".")]
        chart: PathBuf,
        /// Maximum column width for output table
        #[arg(long, default_value = "80", allow_negative_numbers = true, value_parser = super::flags::unsigned)]
        max_col_width: usize,
    },
    /// Rebuild the charts/ directory based on the Chart.lock file
    Build(ManageArgs),
    /// Update charts/ based on the contents of Chart.yaml
    #[command(alias = "up")]
    Update(ManageArgs),
}

#[derive(Args, Debug, Clone)]
pub struct ManageArgs {
    /// The chart's directory
    #[arg(default_value = ".")]
    pub chart: PathBuf,
    /// Do not refresh the repositories' indexes: use those in the cache
    #[arg(long)]
    pub skip_refresh: bool,
    /// Verify the packages against signatures
    #[arg(long)]
    pub verify: bool,
    /// Keyring containing public keys
    #[arg(long, value_name = "FILE", value_parser = super::flags::path())]
    pub keyring: Option<PathBuf>,
    #[command(flatten)]
    pub access: AccessArgs,
}

pub fn run(args: &DependencyArgs, global: &Global, io: &mut Streams<'_>) -> Result<(), Failure> {
    match &args.command {
        DependencyCommand::List { chart, max_col_width } => list(chart, *max_col_width, io),
        DependencyCommand::Build(args) => manage(args, global, false, io),
        DependencyCommand::Update(args) => manage(args, global, true, io),
    }
}

fn cleaned(path: &Path) -> String {
    String::from_utf8_lossy(&clean(path.to_string_lossy().as_bytes())).into_owned()
}

fn list(chart: &Path, width: usize, io: &mut Streams<'_>) -> Result<(), Failure> {
    let path = cleaned(chart);
    let mut log = Vec::new();
    let loaded = directory::load_unchecked(Path::new(&path), &mut log);
    log.iter().for_each(|line| io.log(line));
    let loaded = loaded.map_err(|e| e.message)?;
    let found = directory::vendored(Path::new(&path));
    write!(io.out, "{}", listing::dependencies(&loaded, &path, &found, width))?;
    Ok(())
}

fn manage(args: &ManageArgs, global: &Global, update: bool, io: &mut Streams<'_>) -> Result<(), Failure> {
    let mut options = args.access.options(&global.config)?;
    if args.verify {
        options.verify.keyring = Some(args.keyring.clone().unwrap_or_else(super::chart_path::default_keyring));
    }
    let context = Context::new(options);
    let result = dependencies(&context, Path::new(&cleaned(&args.chart)), args.skip_refresh, update, &mut |line| {
        let _ = writeln!(io.out, "{line}");
    });
    context.notes().iter().for_each(|line| io.log(line));
    result
}

/// Builds or updates a chart's dependencies.
///
/// # Errors
/// Helm's texts.
pub(super) fn dependencies(
    context: &Context,
    chart: &Path,
    skip_refresh: bool,
    update: bool,
    report: &mut dyn FnMut(&str),
) -> Result<(), Failure> {
    let time = epoch()?;
    // Lines come from futures, which must not hold the streams of one thread.
    let (lines, printed) = std::sync::mpsc::channel::<String>();
    let send = Box::new(move |line: &str| drop(lines.send(line.to_string())));
    let result = runtime::block_on(async {
        let work = async {
            let mut manager = Manager::new(context.clone(), chart, send)?;
            manager.skip_refresh = skip_refresh;
            manager.time = time;
            if update { manager.update().await } else { manager.build().await }
        };
        let result: Result<(), SourceError> = work.await;
        Ok(result)
    })?;
    printed.try_iter().for_each(|line| report(&line));
    result.map_err(Failure::from)
}
