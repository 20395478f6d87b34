//! `pintle lint`: `helm lint`, message for message.
//!
//! Source: Helm 4.3 `pkg/cmd/lint.go`, `pkg/action/lint.go`.

use std::path::Path;
use std::sync::Arc;

use clap::Args;

use crate::diagnostic::LogLine;
use crate::golang::path;
use crate::gotmpl::{State, SystemHost};
use crate::lint::{self, Options, Severity};
use crate::render::KubeVersion;

use super::args::{Global, ValueArgs};
use super::chart_path::ChartPathArgs;
use super::output::Streams;
use super::template::merge_values;
use super::{Failure, arity};

#[derive(Args, Debug, Clone)]
pub struct LintArgs {
    /// The charts: directories or archives
    #[arg(value_name = "PATH")]
    pub charts: Vec<String>,
    /// Fail on lint warnings
    #[arg(long)]
    pub strict: bool,
    /// Lint dependent charts
    #[arg(long)]
    pub with_subcharts: bool,
    /// Print only warnings and errors
    #[arg(long)]
    pub quiet: bool,
    /// If set, disables JSON schema validation
    #[arg(long)]
    pub skip_schema_validation: bool,
    /// Kubernetes version used for capabilities and deprecation checks
    #[arg(long, value_name = "VERSION")]
    pub kube_version: Option<String>,
    #[command(flatten)]
    pub values: ValueArgs,
}

pub fn run(args: &LintArgs, global: &Global, io: &mut Streams<'_>) -> Result<(), Failure> {
    if args.charts.is_empty() {
        return Err(arity::failure("lint"));
    }
    let kube_version = match args.kube_version.as_deref().filter(|v| !v.is_empty()) {
        Some(v) => Some(KubeVersion::parse(v).map_err(|e| format!("invalid kube version '{v}': {e}"))?),
        None => None,
    };
    let options = Options {
        namespace: super::target::namespace(global),
        kube_version,
        skip_schema_validation: args.skip_schema_validation,
    };
    let mut paths = args.charts.clone();
    if args.with_subcharts {
        for chart in &args.charts {
            subcharts(Path::new(&*String::from_utf8_lossy(&path::join(&[chart.as_str(), "charts"]))), &mut paths);
        }
    }
    // One state for all charts: what a chart's values add to the user's tables is seen by the next, as in Helm.
    let mut st = State::new(Arc::new(SystemHost { enable_dns: false }), global.limits.limits());
    let values = merge_values(&mut st, &args.values, &ChartPathArgs::default(), &global.config)?;
    let threshold = if args.strict { Severity::Warning } else { Severity::Error };
    let (mut text, mut failed, mut remarkable) = (String::new(), 0, false);
    for path in &paths {
        let mut log: Vec<LogLine> = Vec::new();
        let result = lint::chart(&mut st, path, values, &options, &mut log);
        log.iter().for_each(|line| io.log(line));
        let has_remarks = result.as_ref().map_or(true, |messages| messages.iter().any(|m| m.severity > Severity::Info));
        remarkable |= has_remarks;
        if args.quiet && !has_remarks {
            continue;
        }
        text.push_str(&format!("==> Linting {path}\n"));
        match &result {
            Err(e) => text.push_str(&format!("Error {e}\n")),
            Ok(messages) => {
                for message in messages.iter().filter(|m| !args.quiet || m.severity > Severity::Info) {
                    text.push_str(&format!("{message}\n"));
                }
            }
        }
        failed += usize::from(result.map_or(true, |messages| messages.iter().any(|m| m.severity >= threshold)));
        text.push('\n');
    }
    io.out.write_all(text.as_bytes())?;
    let summary = format!("{} chart(s) linted, {failed} chart(s) failed", paths.len());
    if failed > 0 {
        return Err(Failure::new(summary));
    }
    if !args.quiet || remarkable {
        writeln!(io.out, "{summary}")?;
    }
    Ok(())
}

/// The charts and archives below a directory, in Go's order of walking: by name, each directory before what is in it.
fn subcharts(path: &Path, out: &mut Vec<String>) {
    let Ok(meta) = std::fs::symlink_metadata(path) else { return };
    let shown = path.display().to_string();
    if path.file_name().is_some_and(|n| n == "Chart.yaml") {
        out.push(path.parent().unwrap_or(path).display().to_string());
    } else if shown.ends_with(".tgz") || shown.ends_with(".tar.gz") {
        out.push(shown);
    }
    if meta.is_dir() {
        let mut names: Vec<_> = std::fs::read_dir(path).into_iter().flatten().flatten().map(|e| e.path()).collect();
        names.sort_unstable_by(|a, b| a.file_name().cmp(&b.file_name()));
        names.iter().for_each(|path| subcharts(path, out));
    }
}
