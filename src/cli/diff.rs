//! `pintle diff`: what a change of a deployment repository does; and of releases what differs between stored revisions, from what is live, and
//! from what an upgrade would make.

use std::sync::Arc;

use clap::{Args, Subcommand};

use crate::release::action::{ActionError, DryRun, drift, upgrade};
use crate::release::diff::{self, Change, ObjectDiff};
use crate::release::query::{self, QueryError};
use crate::release::storage::StorageError;
use crate::render::{Capabilities, Compat};

use super::args::Global;
use super::chart_source::ChartArgs;
use super::driving::{drive, failure, labels};
use super::output::Streams;
use super::printed::Format;
use super::reading::{self, Fields};
use super::upgrade::ReuseArgs;
use super::{Failure, target};

#[derive(Args, Debug, Clone)]
#[command(args_conflicts_with_subcommands = true)]
pub struct DiffArgs {
    #[command(subcommand)]
    pub what: Option<What>,
    #[command(flatten)]
    pub repository: Box<super::diff_repository::RepositoryDiff>,
}

#[derive(Debug, Clone, Subcommand)]
pub enum What {
    /// Compare stored revisions of a release, object by object; values of Secrets are never shown
    Release {
        /// The release's name
        #[arg(value_name = "RELEASE_NAME")]
        name: String,
        /// Compare the deployed revision with what is live, as the server would change it by applying it: fields that it defaults, and those of
        /// others, are no differences
        #[arg(long, conflicts_with = "revision")]
        live: bool,
        /// A revision; given once it is compared with the newest, given twice the first with the second. Without it, the newest with the
        /// one before it
        #[arg(long, value_name = "INT")]
        revision: Vec<i64>,
        /// End with exit code 2 if there are differences
        #[arg(long)]
        detailed_exitcode: bool,
        /// Prints the output in the specified format. Allowed values: table, json, yaml
        #[arg(short = 'o', long, default_value = "table", value_name = "FORMAT")]
        output: Format,
    },
    /// Compare a release with what an upgrade would make of it; nothing is written, and values of Secrets are never shown
    Upgrade(Box<UpgradeDiff>),
}

/// `diff upgrade`.
#[derive(Args, Debug, Clone)]
pub struct UpgradeDiff {
    /// The release's name
    #[arg(value_name = "RELEASE_NAME")]
    pub name: String,
    /// The chart: a directory, an archive or a reference
    #[arg(value_name = "CHART")]
    pub chart_ref: String,
    #[command(flatten)]
    pub chart: ChartArgs,
    #[command(flatten)]
    pub reuse: ReuseArgs,
    /// Where there is no such release, compare with nothing, as upgrade --install would
    #[arg(short, long)]
    pub install: bool,
    /// Compare with what is live instead of the deployed revision
    #[arg(long)]
    pub live: bool,
    /// End with exit code 2 if there are differences
    #[arg(long)]
    pub detailed_exitcode: bool,
}

pub fn run(args: &DiffArgs, global: &Global, io: &mut Streams<'_>) -> Result<(), Failure> {
    let Some(what) = &args.what else { return super::diff_repository::run(&args.repository, global, io) };
    let (found, format, detailed) = match what {
        What::Release { name, live: true, detailed_exitcode, output, .. } => {
            let found = drive(name, true, io, target::open(global), |ctx| async move {
                drift::differences(&ctx, name).await.map_err(|e| failure(e, ""))
            })?;
            (found, *output, *detailed_exitcode)
        }
        What::Release { name, revision, detailed_exitcode, output, .. } => {
            (revisions(name, revision, global)?, *output, *detailed_exitcode)
        }
        What::Upgrade(args) => (upgraded(args, global, io)?, args.chart.format()?, args.detailed_exitcode),
    };
    match format {
        Format::Table => table(&found, io)?,
        format => reading::print(&reading::list(found.iter().map(element)), format, io)?,
    }
    if detailed && !found.is_empty() {
        return Err(Failure { code: 2, ..Failure::new("") });
    }
    Ok(())
}

/// What an upgrade would make different.
fn upgraded(args: &UpgradeDiff, global: &Global, io: &mut Streams<'_>) -> Result<Vec<ObjectDiff>, Failure> {
    let loaded = args.chart.load(&args.chart_ref, global, None, io)?;
    let explainer = loaded.explainer();
    let kube_version = args.chart.kube_version()?;
    let offline = Arc::new(Capabilities::offline(
        Compat::default(),
        kube_version.clone(),
        &super::flags::all(&args.chart.api_versions),
    ));
    let what = upgrade::Upgrade {
        name: args.name.clone(),
        dry_run: DryRun::Server,
        values: args.reuse.values(),
        take_ownership: args.chart.take_ownership,
        disable_openapi_validation: args.chart.disable_openapi_validation,
        labels: labels(&args.chart.labels),
        offline: Some(offline),
        ..upgrade::Upgrade::default()
    };
    let (install, live) = (args.install, args.live);
    let apis = super::flags::all(&args.chart.api_versions);
    let open = target::open_with(global, kube_version, &apis);
    drive(&args.name, true, io, open, |ctx| async move {
        let said = |e: ActionError| explainer.failure(e, "");
        let (old, new) = upgrade::compared(&ctx, what, install, loaded.source).await.map_err(said)?;
        if live {
            return drift::against_live(&ctx, &new).await.map_err(|e| failure(e, ""));
        }
        Ok(diff::records(&old, &new))
    })
}

/// What differs between stored revisions.
fn revisions(name: &str, revision: &[i64], global: &Global) -> Result<Vec<ObjectDiff>, Failure> {
    if revision.len() > 2 {
        return Err(Failure::new("--revision can be given twice at most"));
    }
    let given = |i: usize| revision.get(i).copied();
    let (old, new) = reading::ask(global, async |t| {
        let new = query::content(&*t.storage, name, given(1).unwrap_or(0)).await?;
        let old = match given(0) {
            Some(revision) => revision,
            None => {
                let entries = t.storage.entries(Some(name)).await?;
                entries.iter().map(|e| e.version).filter(|v| *v < new.version).max().ok_or(QueryError::Storage(
                    StorageError::Io(format!("release {name:?} has no revision before {}", new.version)),
                ))?
            }
        };
        Ok((query::content(&*t.storage, name, old).await?, new))
    })?;
    Ok(diff::records(&old, &new))
}

fn word(change: Change) -> &'static str {
    match change {
        Change::Added => "added",
        Change::Removed => "removed",
        Change::Changed => "changed",
    }
}

fn table(found: &[ObjectDiff], io: &mut Streams<'_>) -> Result<(), Failure> {
    for diff in found {
        writeln!(io.out, "{} {}", diff.object, word(diff.change))?;
        write!(io.out, "{}", diff.text)?;
        writeln!(io.out)?;
    }
    let count = |change: Change| found.iter().filter(|d| d.change == change).count();
    writeln!(
        io.out,
        "{} added, {} changed, {} removed",
        count(Change::Added),
        count(Change::Changed),
        count(Change::Removed)
    )?;
    Ok(())
}

fn element(diff: &ObjectDiff) -> Vec<u8> {
    let mut o = Fields::default();
    o.text("object", &diff.object);
    o.text("change", word(diff.change));
    o.text("diff", &diff.text);
    o.end()
}
