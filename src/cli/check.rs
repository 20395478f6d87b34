//! `pintle check`: what is wrong with a deployment repository or a chart, for people and for CI.
//!
//! Exit codes: 0 nothing but notes, 1 findings, 2 the check could not run.

use std::path::PathBuf;

use clap::Args;

use crate::chart::load;
use crate::repo::Checkout;
use crate::repo::check::{Options, Updates, check, rules};
use crate::report::{self, Format, Level};

use super::Failure;
use super::args::Global;
use super::keys::{KeyArgs, Keys};
use super::output::Streams;

#[derive(Args, Debug, Clone)]
pub struct CheckArgs {
    /// The deployment repository, or a chart: its directory or archive
    #[arg(default_value = ".")]
    pub path: PathBuf,
    /// Only these environments
    #[arg(short = 'e', long, value_name = "ENV", value_delimiter = ',')]
    pub env: Vec<String>,
    /// Only this service
    #[arg(long, value_name = "SERVICE")]
    pub service: Option<String>,
    /// How the findings are written
    #[arg(short = 'o', long, default_value = "terminal",
        value_parser = ["terminal", "json", "junit", "sarif", "github", "gitlab", "markdown"])]
    pub output: String,
    /// Kubernetes version that objects are checked against
    #[arg(long, value_name = "VERSION")]
    pub kube_version: Option<String>,
    /// Kubernetes API versions used for Capabilities.APIVersions
    #[arg(short = 'a', long, value_name = "VERSION", value_parser = super::flags::list)]
    pub api_versions: Vec<super::flags::List>,
    /// Only these rules: ids, or themes as values/*
    #[arg(long, value_name = "RULE", value_delimiter = ',')]
    pub rules: Vec<String>,
    /// Not these rules
    #[arg(long, value_name = "RULE", value_delimiter = ',')]
    pub ignore: Vec<String>,
    /// Fail on warnings too
    #[arg(long)]
    pub strict: bool,
    /// Write what charts render now into their snapshots, and remove stale ones
    #[arg(long)]
    pub update: bool,
    /// Print all rules, and check nothing
    #[arg(long)]
    pub list_rules: bool,
    #[command(flatten)]
    pub keys: KeyArgs,
}

fn failed(message: impl Into<String>) -> Failure {
    Failure { code: 2, ..Failure::new(message) }
}

pub fn run(args: &CheckArgs, global: &Global, io: &mut Streams<'_>) -> Result<(), Failure> {
    if args.list_rules {
        for rule in rules::ALL {
            writeln!(io.out, "{:<28} {:<8} {}", rule.id, rule.level.as_str(), rule.summary)?;
        }
        return Ok(());
    }
    for pattern in args.rules.iter().chain(&args.ignore) {
        if !rules::ALL.iter().any(|r| rules::matches(pattern, r)) {
            let near = crate::repo::check::nearest(pattern, rules::ALL.iter().map(|r| r.id));
            let near = near.map_or_else(String::new, |n| format!(": did you mean {n}?"));
            return Err(failed(format!("no rule {pattern:?}{near} (--list-rules shows them all)")));
        }
    }
    let format = match args.output.as_str() {
        "json" => Format::Json,
        "junit" => Format::Junit,
        "sarif" => Format::Sarif,
        "github" => Format::Github,
        "gitlab" => Format::Gitlab,
        "markdown" => Format::Markdown,
        _ => Format::Terminal,
    };
    let unpacked = unpack(args)?;
    let checkout = Checkout::new(unpacked.as_ref().map_or(&args.path, |u| &u.chart)).map_err(failed)?;
    let keys = Keys::open(&args.keys).map_err(|e| Failure { code: 2, ..e })?;
    let services = keys.services();
    let options = Options {
        environments: args.env.clone(),
        service: args.service.clone(),
        kube_version: args.kube_version.clone(),
        api_versions: super::flags::all(&args.api_versions),
        keys: (!keys.is_empty()).then_some(&services),
        limits: global.limits.limits(),
        rules: args.rules.clone(),
        ignore: args.ignore.clone(),
        update: args.update,
    };
    let outcome = check(&checkout, &options).map_err(failed)?;
    let title = match outcome.environments.as_slice() {
        [] => "pintle check".to_owned(),
        names => format!("pintle check: {}", names.join(", ")),
    };
    let text = report::write(format, &title, &outcome.findings);
    io.out.write_all(text.as_bytes())?;
    let count = |level| outcome.findings.iter().filter(|f| f.rule.level == level).count();
    let (errors, warnings) = (count(Level::Error), count(Level::Warning));
    if format == Format::Terminal {
        let ignored = if outcome.ignored > 0 { format!(", {} ignored", outcome.ignored) } else { String::new() };
        let (releases, environments) = (outcome.releases, outcome.environments.len());
        let Updates { written, removed } = outcome.updates;
        if args.update {
            writeln!(io.out, "{written} snapshot{} written, {removed} removed", plural(written))?;
        }
        let what = match outcome.charts {
            // A chart alone, or a folder of them.
            charts if charts > 0 && environments == 0 => format!("{charts} chart{}", plural(charts)),
            _ => {
                format!("{releases} release{} in {environments} environment{}", plural(releases), plural(environments))
            }
        };
        writeln!(io.out, "{what} checked{ignored}")?;
    }
    if errors > 0 || (warnings > 0 && args.strict) {
        return Err(Failure { code: 1, ..Failure::new("") });
    }
    Ok(())
}

/// A packed chart, unpacked for the time of a check.
struct Unpacked {
    folder: PathBuf,
    chart: PathBuf,
}

impl Drop for Unpacked {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Unpacks a chart's archive; nothing for a directory.
fn unpack(args: &CheckArgs) -> Result<Option<Unpacked>, Failure> {
    if !args.path.is_file() {
        return Ok(None);
    }
    if args.update {
        return Err(failed(format!(
            "{}: --update writes into a chart's directory, not into an archive",
            args.path.display()
        )));
    }
    let shown = args.path.display();
    let text = std::fs::read(&args.path).map_err(|e| failed(format!("{shown}: {e}")))?;
    let chart = load::archive_file(&shown.to_string(), &text, &mut Vec::new())
        .map_err(|e| failed(format!("{shown} is no chart: {e}: give a directory or a chart's archive")))?;
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(|e| failed(e.to_string()))?;
    let folder = std::env::temp_dir().join(format!("pintle-check-{:016x}", u64::from_le_bytes(bytes)));
    let unpacked = Unpacked { chart: folder.join("chart"), folder };
    for file in &chart.raw {
        // The reader of archives lets no path through that leads out; nothing is written if one should.
        let name = Checkout::relative(&file.name).map_err(failed)?;
        let path = unpacked.chart.join(name);
        let fail = |e: std::io::Error| failed(format!("{}: {e}", path.display()));
        std::fs::create_dir_all(path.parent().unwrap_or(&unpacked.chart)).map_err(fail)?;
        std::fs::write(&path, &file.data).map_err(fail)?;
    }
    Ok(Some(unpacked))
}

const fn plural(n: usize) -> &'static str {
    if n == 1 { "" } else { "s" }
}
