//! `pintle package`: `helm package`, with the same bytes for the same chart.
//!
//! Source: Helm 4.3 `pkg/cmd/package.go`, `pkg/action/package.go`.

use std::path::{Path, PathBuf};

use clap::Args;

use super::chart_path::AccessArgs;
use super::output::Streams;
use super::{Failure, dependency};
use crate::chart::{Nulls, directory, package};
use crate::golang::{errno, semver};
use crate::source::{Context, write_whole};
use crate::values::dependencies::check_dependencies;

#[derive(Args, Debug, Clone)]
pub struct PackageArgs {
    /// The charts' directories
    #[arg(value_name = "CHART_PATH")]
    pub charts: Vec<PathBuf>,
    /// Set the version on the chart to this semver version
    #[arg(long, value_name = "VERSION")]
    pub version: Option<String>,
    /// Set the appVersion on the chart to this version
    #[arg(long, value_name = "VERSION")]
    pub app_version: Option<String>,
    /// Location to write the chart
    #[arg(short, long, default_value = ".", value_name = "DIR")]
    pub destination: PathBuf,
    /// Update dependencies from "Chart.yaml" to dir "charts/" before packaging
    #[arg(short = 'u', long)]
    pub dependency_update: bool,
    #[command(flatten)]
    pub access: AccessArgs,
}

/// The time of packed files: `SOURCE_DATE_EPOCH`, or one that is always the same.
///
/// # Errors
/// Helm's words for a time that is none.
pub(super) fn epoch() -> Result<u64, Failure> {
    match std::env::var("SOURCE_DATE_EPOCH") {
        Ok(text) if !text.is_empty() => text
            .parse()
            .map_err(|_| Failure::new(format!("invalid SOURCE_DATE_EPOCH {text:?}: it must be seconds since 1970"))),
        _ => Ok(package::EPOCH),
    }
}

pub fn run(args: &PackageArgs, io: &mut Streams<'_>) -> Result<(), Failure> {
    if args.charts.is_empty() {
        return Err("need at least one argument, the path to the chart".to_string().into());
    }
    let time = epoch()?;
    let context = Context::new(args.access.options()?);
    for chart in &args.charts {
        let path = std::path::absolute(chart)?;
        std::fs::metadata(chart).map_err(|e| errno::path_error("stat", &chart.display().to_string(), &e))?;
        if args.dependency_update {
            dependency::dependencies(&context, &path, false, true, &mut |_| {})?;
        }
        let saved = one(args, &path, time, io)?;
        writeln!(io.out, "Successfully packaged chart and saved it to: {}", saved.display())?;
    }
    Ok(())
}

fn one(args: &PackageArgs, path: &Path, time: u64, io: &mut Streams<'_>) -> Result<PathBuf, Failure> {
    let mut log = Vec::new();
    let chart = directory::load_directory(path, &mut log);
    log.iter().for_each(|line| io.log(line));
    let mut chart = chart.map_err(|e| e.message)?;
    if let Some(version) = args.version.as_ref().filter(|v| !v.is_empty()) {
        chart.metadata.version.clone_from(version);
    }
    semver::Version::new(&chart.metadata.version)?;
    if let Some(version) = args.app_version.as_ref().filter(|v| !v.is_empty()) {
        chart.metadata.app_version.clone_from(version);
    }
    check_dependencies(&chart)?;
    chart.metadata.validate(Nulls::default()).map_err(|e| format!("failed to save: chart validation: {e}"))?;
    let bytes = package::archive(&chart, time).map_err(|e| format!("failed to save: {e}"))?;
    let name = format!("{}-{}.tgz", chart.name(), chart.metadata.version);
    let dir = if args.destination == Path::new(".") { std::env::current_dir()? } else { args.destination.clone() };
    if dir.exists() && !dir.is_dir() {
        return Err(format!("failed to save: is not a directory: {}", dir.display()).into());
    }
    std::fs::create_dir_all(&dir).map_err(|e| errno::path_error("mkdir", &dir.display().to_string(), &e))?;
    let file = dir.join(name);
    write_whole(&file, &bytes)?;
    Ok(file)
}
