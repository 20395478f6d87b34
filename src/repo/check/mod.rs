//! A deployment repository before it is merged: everything that is wrong with it, each thing with its rule, file, line and what to do.
//!
//! Two kinds of themes work side by side. Some read files as they lie there (`files`, `kustomizations`, `sources`, `charts`); they need no build and
//! hold for all environments. Others look at what an environment comes to (`environments` builds it, then `references`, `waits`, `workloads`,
//! `duplicates`, `values_files`, `unread`, `compare`). A file that breaks a build hides nothing else: its environment is built again without it.
//!
//! A theme only adds [`Finding`]s. [`check`] puts them together: what is more exact wins over the error of the build that it caused, what
//! the repository ignores is taken out (`config`), and no text of a finding holds a value of a Secret.

mod apis;
mod as_built;
mod cascade;
mod charts;
mod compare;
mod config;
mod duplicates;
mod environments;
mod files;
mod flux;
mod images;
mod judge;
mod kustomizations;
mod lint;
mod locate;
mod makers;
mod objects;
mod reached;
mod references;
mod renamed;
pub mod rules;
mod scan;
mod schema;
mod sources;
mod suggest;
mod suites;
mod unread;
mod values_files;
mod waits;
mod workloads;

use std::collections::BTreeSet;
use std::sync::Arc;

use super::files::Checkout;
use crate::gotmpl::Limits;
use crate::render::{Capabilities, Compat, KubeVersion};
use crate::report::{self, Finding, Level};
use crate::sops::Services;

pub use suggest::nearest;
pub use suites::Updates;

/// What is checked.
pub struct Options<'k> {
    /// Only these environments; all if empty.
    pub environments: Vec<String>,
    /// Only what belongs to this service.
    pub service: Option<String>,
    /// The version of Kubernetes; else what the repository says, else the one that Helm assumes.
    pub kube_version: Option<String>,
    pub api_versions: Vec<String>,
    pub keys: Option<&'k Services<'k>>,
    pub limits: Limits,
    /// Only these rules (ids or themes as `values/*`); all if empty.
    pub rules: Vec<String>,
    /// Not these.
    pub ignore: Vec<String>,
    /// Write the snapshots of charts anew instead of comparing them.
    pub update: bool,
}

/// What came of a check.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Sorted, each once.
    pub findings: Vec<Finding>,
    /// How many the repository's configuration ignored.
    pub ignored: usize,
    pub environments: Vec<String>,
    pub releases: usize,
    /// Those that lie there, not those inside others.
    pub charts: usize,
    /// What `update` wrote.
    pub updates: Updates,
}

/// Checks a checkout.
///
/// # Errors
/// The check could not run: no such environment, no such version, nothing there to check.
pub fn check(checkout: &Checkout, options: &Options<'_>) -> Result<Outcome, String> {
    let mut out = Vec::new();
    let mut config = config::Config::read(checkout, &mut out);
    let version = options.kube_version.as_ref().or(config.kube_version.as_ref());
    let version = match version {
        Some(v) => KubeVersion::parse(v).map_err(|e| format!("invalid kube version '{v}': {e}"))?,
        None => Compat::default().kube_version(),
    };
    let minor = known_minor(&version)?;
    let capabilities = Arc::new(Capabilities::offline(Compat::default(), Some(version), &options.api_versions));
    let scan = scan::Scan::read(checkout, &mut out)?;
    if scan.files.is_empty() && out.is_empty() {
        return Err(format!(
            "{}: no YAML file in it: give the root of a repository or a chart",
            checkout.root().display()
        ));
    }
    let custom = files::custom_kinds(&scan);
    let known = judge::Known { minor, custom: &custom };
    files::duplicate_keys(&scan, &mut out);
    let renamed = renamed::Renamed::read(&scan);
    let mut waiting = as_built::Waiting::default();
    files::objects(&scan, &known, &renamed, &mut waiting, &mut out);
    files::secrets(checkout, options.keys, &mut out)?;
    kustomizations::check(&scan, checkout, &mut out);
    charts::check(&scan, checkout, &mut out);
    let settings = super::Settings { capabilities, limits: options.limits };
    let view = environments::View { scan: &scan, checkout, known: &known, renamed: &renamed, settings: &settings };
    lint::check(&scan, checkout, &settings, &mut out);
    let updates = suites::check(&scan, checkout, &settings, options.update, &mut out)?;
    let built = environments::build(&view, options, &mut out)?;
    if built.is_empty() {
        environments::none(&view, &mut out);
    }
    if let Some(service) = &options.service {
        is_there(service, &scan, &built)?;
    }
    waiting.settle(&view, &built, &mut out);
    sources::check(&scan, checkout, &built, &mut out);
    for environment in &built {
        references::check(&view, environment, &mut out);
        workloads::check(environment, &mut out);
        images::check(environment, &mut out);
        duplicates::check(environment, &mut out);
        values_files::missing(&view, environment, &mut out);
    }
    waits::check(&view, &built, &mut out);
    values_files::unused(&view, &built, &mut out);
    values_files::uneven(&view, &built, &mut out);
    unread::check(&view, &built, &mut out);
    compare::check(&view, &built, &mut out);
    let mut outcome = Outcome {
        environments: built.iter().map(|e| e.name.clone()).collect(),
        releases: built.iter().map(|e| e.releases.len()).sum(),
        charts: scan.charts.len(),
        updates,
        ..Outcome::default()
    };
    let others = environments::others(checkout, options);
    out.retain(|f| belongs(f, options, &others) && wanted(f, options));
    settle(&mut out);
    outcome.findings = Vec::with_capacity(out.len());
    for finding in out {
        if config.ignores(&finding) {
            outcome.ignored += 1;
        } else {
            outcome.findings.push(finding);
        }
    }
    if options.environments.is_empty() && options.service.is_none() && options.rules.is_empty() {
        outcome.findings.extend(config.stale());
    }
    report::sort(&mut outcome.findings);
    Ok(outcome)
}

/// A check of a service that nobody knows finds nothing wrong, which must not look like a good answer.
fn is_there(service: &str, scan: &scan::Scan, built: &[environments::Built]) -> Result<(), String> {
    let is_part = |path: &String| path.split('/').any(|part| part == service);
    if built.iter().any(|e| !e.releases.is_empty()) || scan.all.iter().any(is_part) {
        return Ok(());
    }
    let names: BTreeSet<&str> = built.iter().flat_map(|e| &e.environment.releases).map(|hr| hr.name.as_str()).collect();
    let names: Vec<&str> = names.into_iter().collect();
    Err(match names[..] {
        [] => format!("no service {service}: no HelmRelease is in what is checked"),
        _ => format!("no service {service}: there are {}", names.join(", ")),
    })
}

/// The minor version, if there are schemas for it: without them all would pass.
fn known_minor(version: &KubeVersion) -> Result<schema::Minor, String> {
    let known = schema::Schemas::known_versions();
    let minor = version.minor.parse().ok().filter(|minor| version.major == "1" && known.has(*minor));
    minor.ok_or_else(|| {
        let (first, last) = (known.since, known.until);
        format!("kube version '{}': there are schemas of Kubernetes 1.{first} to 1.{last} only", version.version)
    })
}

/// True if a finding is about what was asked for.
fn belongs(finding: &Finding, options: &Options<'_>, others: &[String]) -> bool {
    if let Some(service) = &options.service
        && !finding.path.split('/').any(|part| part == service)
    {
        return false;
    }
    if finding.environments.is_empty() {
        let file = finding.path.rsplit('/').next().unwrap_or_default();
        return !others.iter().any(|e| {
            finding.path.starts_with(&format!("{}/{e}/", super::ENVIRONMENTS)) || file.starts_with(&format!("{e}-"))
        });
    }
    true
}

fn wanted(finding: &Finding, options: &Options<'_>) -> bool {
    let named = |list: &[String]| list.iter().any(|p| rules::matches(p, finding.rule));
    (options.rules.is_empty() || named(&options.rules)) && !named(&options.ignore)
}

/// What Helm says in front of the names of dependencies that are not there.
const MISSING: &str = "missing in charts/ directory: ";

/// The error of a build says less than the finding that explains it: where both point to one place, the build's goes. So do what follows from
/// a Chart.yaml that Helm refuses, or a dependency that is not there: the releases of the chart, and what helm's lint says of it; and what follows
/// from a values file that is no YAML.
fn settle(findings: &mut Vec<Finding>) {
    let general = |f: &Finding| f.rule.id.starts_with("build/");
    let exact: Vec<(String, usize)> = findings
        .iter()
        .filter(|f| !general(f) && f.rule.level == Level::Error)
        .map(|f| (f.path.clone(), f.line))
        .collect();
    let refused: Vec<(String, usize)> =
        findings.iter().filter(|f| f.rule.id == rules::CHART_METADATA.id).map(|f| (f.path.clone(), f.line)).collect();
    let of_rule = |rule: &report::Rule| -> Vec<String> {
        findings.iter().filter(|f| f.rule.id == rule.id).map(|f| f.path.clone()).collect()
    };
    let absent: Vec<String> =
        findings.iter().filter(|f| f.rule.id == rules::CHART_DEPENDENCY.id).map(|f| f.message.clone()).collect();
    let (lacking, unreadable) = (of_rule(&rules::CHART_DEPENDENCY), of_rule(&rules::YAML_SYNTAX));
    let is_of_refused = |f: &Finding| match f.rule.id {
        id if id == rules::BUILD_CHART.id && f.message.contains(MISSING) => {
            let names = f.message.rsplit_once(MISSING).map_or("", |(_, names)| names);
            names.split(", ").all(|name| absent.iter().any(|m| m.starts_with(&format!("the dependency {name} "))))
        }
        id if id == rules::CHART_LINT.id && f.message.starts_with("chart directory is missing these dependencies") => {
            lacking.contains(&f.path)
        }
        id if id == rules::BUILD_RENDER.id => f
            .message
            .strip_prefix("valuesFiles: ")
            .is_some_and(|rest| unreadable.iter().any(|path| rest.starts_with(&format!("{path}: ")))),
        id if id == rules::BUILD_CHART.id => refused.iter().any(|(path, _)| {
            let dir = path.trim_end_matches("Chart.yaml").trim_end_matches('/');
            f.message.strip_prefix("chart ").is_some_and(|rest| rest.starts_with(&format!("{dir}: ")))
        }),
        id if id == rules::CHART_LINT.id => refused.contains(&(f.path.clone(), f.line)),
        _ => false,
    };
    findings.retain(|f| {
        let is_vague = general(f) && f.rule.level == Level::Error;
        let is_explained = exact.iter().any(|(path, line)| *path == f.path && (*line == f.line || f.line <= 1));
        !(is_vague && is_explained || is_of_refused(f))
    });
}
