//! `helm lint`: whether a chart is well-formed, judged by Helm's own rules.
//!
//! The rules, their order, their severities and their texts are those of Helm 4.3 `pkg/chart/v2/lint` and `pkg/action/lint.go`. Each rule
//! looks at the chart's directory on the disk (an archive is unpacked first), and says what it found as a [`Message`]. Some of Helm's ways
//! show in the results and are kept: values that a chart's values.yaml adds to a table of the user's are seen by the charts that are
//! linted after it, and a chart whose dependencies cannot be processed is passed over without a word.

mod address;
mod chartfile;
mod crds;
mod dependencies;
mod deprecations;
mod document;
mod names;
mod templates;
mod unpack;
mod values;

use std::fs;
use std::path::{Path, PathBuf};

use crate::chart::load::LoadError;
use crate::chart::{Chart, directory};
use crate::diagnostic::LogLine;
use crate::golang::{errno, path};
use crate::gotmpl::State;
use crate::render::KubeVersion;
use crate::value::MapId;

pub use names::is_1123_label;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    Info,
    /// Against a convention, but likely to work.
    Warning,
    /// The chart will not install.
    Error,
}

impl Severity {
    /// The word between the brackets.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Info => "INFO",
            Self::Warning => "WARNING",
            Self::Error => "ERROR",
        }
    }
}

/// What a rule found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub severity: Severity,
    /// The file within the chart; the chart's own directory for what concerns its dependencies.
    pub path: String,
    pub text: String,
}

impl std::fmt::Display for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "[{}] {}: {}", self.severity.word(), self.path, self.text)
    }
}

/// What all charts are linted with.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The release's namespace, as templates see it.
    pub namespace: String,
    /// For `.Capabilities` and for deprecations; without it the one that Helm assumes offline.
    pub kube_version: Option<KubeVersion>,
    pub skip_schema_validation: bool,
}

/// Lints the chart at a path: a directory, or an archive if its name ends so. `values` are the user's, and may be changed.
///
/// # Errors
/// What lies there is no chart; Helm's text, such as `unable to check Chart.yaml file in chart: stat x/Chart.yaml: no such file or directory`.
pub fn chart(
    st: &mut State,
    path: &str,
    values: MapId,
    options: &Options,
    log: &mut Vec<LogLine>,
) -> Result<Vec<Message>, String> {
    if path.ends_with(".tgz") || path.ends_with(".tar.gz") {
        let unpacked = unpack::archive(path)?;
        return directory_at(st, &unpacked.chart().display().to_string(), values, options, log);
    }
    directory_at(st, path, values, options, log)
}

fn directory_at(
    st: &mut State,
    path: &str,
    values: MapId,
    options: &Options,
    log: &mut Vec<LogLine>,
) -> Result<Vec<Message>, String> {
    let chart_yaml = String::from_utf8_lossy(&path::join(&[path, "Chart.yaml"])).into_owned();
    fs::metadata(&chart_yaml).map_err(|e| {
        format!("unable to check Chart.yaml file in chart: {}", errno::path_error("stat", &chart_yaml, &e))
    })?;
    let dir = Path::new(if path.is_empty() { "." } else { path });
    let dir = directory::absolute(dir).map_err(|e| errno::text(&e))?;
    let mut linter = Linter { dir, loaded: None, log, messages: Vec::new() };
    chartfile::lint(&mut linter);
    values::lint(&mut linter, st, values, options.skip_schema_validation);
    templates::lint(&mut linter, st, values, options);
    dependencies::lint(&mut linter);
    crds::lint(&mut linter);
    Ok(linter.messages)
}

/// What loading a chart came to, and what was logged on the way.
type Loaded = (Result<Chart, LoadError>, Vec<LogLine>);

/// One chart under the rules.
struct Linter<'l> {
    /// Absolute.
    dir: PathBuf,
    loaded: Option<Loaded>,
    log: &'l mut Vec<LogLine>,
    messages: Vec<Message>,
}

impl Linter<'_> {
    /// A path within the chart, as Go joins it.
    fn path(&self, name: &str) -> String {
        self.dir.join(name).display().to_string()
    }

    /// Notes what a rule found; true if it passed.
    fn rule(&mut self, severity: Severity, path: &str, result: Result<(), String>) -> bool {
        match result {
            Ok(()) => true,
            Err(text) => {
                self.messages.push(Message { severity, path: path.into(), text });
                false
            }
        }
    }

    fn error(&mut self, path: &str, result: Result<(), String>) -> bool {
        self.rule(Severity::Error, path, result)
    }

    fn warning(&mut self, path: &str, result: Result<(), String>) -> bool {
        self.rule(Severity::Warning, path, result)
    }

    /// The chart. Helm loads it for each group of rules, so what is logged comes each time; here it is read once.
    fn load(&mut self) -> Result<Chart, String> {
        if self.loaded.is_none() {
            let mut log = Vec::new();
            let chart = directory::load_unchecked(&self.dir, &mut log);
            self.loaded = Some((chart, log));
        }
        let (chart, log) = self.loaded.as_ref().ok_or("the chart is not loaded")?;
        self.log.extend(log.iter().cloned());
        chart.clone().map_err(|e| e.message)
    }
}

/// A directory of the chart that must be one: `None` if there is nothing of that name, else what Helm says of it.
fn directory_rule(path: &str) -> Option<Result<(), String>> {
    match fs::metadata(path) {
        Ok(meta) if meta.is_dir() => Some(Ok(())),
        Ok(_) => Some(Err("not a directory".into())),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => None,
        Err(e) => Some(Err(errno::path_error("stat", path, &e))),
    }
}
