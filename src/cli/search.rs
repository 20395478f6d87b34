//! `pintle search repo`: `helm search repo`, over the indexes of the repositories that were added.
//!
//! Helm looks into the copies that `helm repo update` made the last time. Here an index is asked for, and fetched again only if it changed;
//! with `--offline` the cache's copy is what there is. Source: Helm 4.3 `pkg/cmd/search_repo.go`.

use std::collections::BTreeSet;

use clap::{Args, Subcommand};

use super::args::Global;
use super::chart_path::AccessArgs;
use super::output::Streams;
use super::printed::Format;
use super::reading::{self, Fields};
use super::table::Table;
use super::{Failure, flags, runtime};
use crate::diagnostic::LogLine;
use crate::golang::semver::Version;
use crate::golang::semver_constraint::Constraint;
use crate::source::index::{self, Catalog, Hit};
use crate::source::{Context, repositories};

#[derive(Args, Debug, Clone)]
pub struct SearchArgs {
    #[command(subcommand)]
    pub command: SearchCommand,
}

#[derive(Subcommand, Debug, Clone)]
pub enum SearchCommand {
    /// Search repositories for a keyword in charts
    Repo(SearchRepoArgs),
    /// Not supported: search repositories that were added
    #[command(hide = true)]
    Hub {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        rest: Vec<String>,
    },
}

#[derive(Args, Debug, Clone)]
pub struct SearchRepoArgs {
    /// What is looked for; several words are one text with blanks between them
    #[arg(value_name = "KEYWORD")]
    pub keywords: Vec<String>,
    /// Use regular expressions for searching repositories you have added
    #[arg(short, long)]
    pub regexp: bool,
    /// Show the long listing, with each version of each chart on its own line, for repositories you have added
    #[arg(short = 'l', long)]
    pub versions: bool,
    /// Use development versions (alpha, beta, and release candidate releases), too. Equivalent to version '>0.0.0-0'. If --version is set, this is ignored
    #[arg(long)]
    pub devel: bool,
    /// Search using semantic versioning constraints on repositories you have added
    #[arg(long, value_name = "RANGE")]
    pub version: Option<String>,
    /// Maximum column width for output table
    #[arg(long, default_value = "50", value_name = "N", allow_negative_numbers = true, value_parser = flags::unsigned)]
    pub max_col_width: usize,
    /// Search fails if no results are found
    #[arg(long)]
    pub fail_on_no_result: bool,
    /// Print the output in the specified format: table, json, yaml
    #[arg(short, long, default_value = "table", value_name = "FORMAT")]
    pub output: Format,
    /// Use the cache alone
    #[arg(long, env = "PINTLE_OFFLINE", value_parser = clap::builder::FalseyValueParser::new(), hide_short_help = true)]
    pub offline: bool,
}

pub fn run(args: &SearchArgs, global: &Global, io: &mut Streams<'_>) -> Result<(), Failure> {
    match &args.command {
        SearchCommand::Repo(args) => repo(args, global, io),
        SearchCommand::Hub { .. } => Err(Failure::new(
            "search hub is not supported: charts are looked for in the repositories that were added (pintle search repo)",
        )),
    }
}

fn repo(args: &SearchRepoArgs, global: &Global, io: &mut Streams<'_>) -> Result<(), Failure> {
    let catalog = catalog(args, global, io)?;
    let hits = match args.keywords.join(" ") {
        _ if args.keywords.is_empty() => catalog.all(),
        expression if args.regexp => catalog.search_regexp(&expression)?,
        text => catalog.search(&text),
    };
    let hits = wanted(args, hits)?;
    if hits.is_empty() && args.fail_on_no_result {
        return Err(Failure::new("no results found"));
    }
    if args.output != Format::Table {
        return reading::print(&reading::list(hits.iter().map(element)), args.output, io);
    }
    if hits.is_empty() {
        return Ok(writeln!(io.out, "No results found")?);
    }
    let mut table = Table::within(args.max_col_width);
    table.row(["NAME", "CHART VERSION", "APP VERSION", "DESCRIPTION"]);
    for Hit { name, version: v, .. } in &hits {
        table.row([name, &v.version, &v.app_version, &v.description]);
    }
    Ok(table.print(io.out)?)
}

/// What all repositories have. One that can't be read is passed over, as in Helm.
fn catalog(args: &SearchRepoArgs, global: &Global, io: &mut Streams<'_>) -> Result<Catalog, Failure> {
    // A file that makes no sense has no repositories for Helm either.
    let entries = repositories::read(&global.config.repositories()).unwrap_or_default();
    if entries.is_empty() {
        return Err(Failure::new("no repositories configured"));
    }
    let access = AccessArgs { offline: args.offline, ..AccessArgs::default() };
    let context = Context::new(access.options(&global.config)?);
    let indexes = runtime::block_on(async {
        let asked = entries.iter().map(|e| async { index::all(&context, &e.repository()?).await });
        Ok(futures::future::join_all(asked).await)
    })?;
    let mut catalog = Catalog::default();
    for (entry, found) in entries.iter().zip(indexes) {
        match found {
            Ok(found) => catalog.add(&entry.name, found),
            Err(e) => {
                let line = LogLine::warn("repo is corrupt or missing");
                io.log(&line.with("repo", &entry.name).with("error", e.to_string()));
            }
        }
    }
    Ok(catalog)
}

/// Those in the range; unless all versions are wanted, the first of each chart.
fn wanted(args: &SearchRepoArgs, hits: Vec<Hit>) -> Result<Vec<Hit>, Failure> {
    let range = match args.version.as_deref().filter(|v| !v.is_empty()) {
        Some(range) => range,
        None if args.devel => ">0.0.0-0",
        None => ">0.0.0",
    };
    let range = Constraint::new(range).map_err(|e| format!("an invalid version/constraint format: {e}"))?;
    let mut seen = BTreeSet::new();
    let fits = |hit: &Hit| {
        (args.versions || !seen.contains(&hit.name))
            && Version::new(&hit.version.version).is_ok_and(|v| range.check(&v))
            && (seen.insert(hit.name.clone()) || args.versions)
    };
    Ok(hits.into_iter().filter(fits).collect())
}

fn element(hit: &Hit) -> Vec<u8> {
    let mut o = Fields::default();
    o.text("name", &hit.name);
    o.text("version", &hit.version.version);
    o.text("app_version", &hit.version.app_version);
    o.text("description", &hit.version.description);
    o.end()
}
