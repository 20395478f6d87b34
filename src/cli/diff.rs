//! `pintle diff release`: what differs between stored revisions.

use clap::{Args, Subcommand};

use crate::release::diff::{self, Change, ObjectDiff};
use crate::release::query::{self, QueryError};
use crate::release::storage::StorageError;

use super::Failure;
use super::args::Global;
use super::output::Streams;
use super::printed::Format;
use super::reading::{self, Fields};

#[derive(Args, Debug, Clone)]
pub struct DiffArgs {
    #[command(subcommand)]
    pub what: What,
}

#[derive(Debug, Clone, Subcommand)]
pub enum What {
    /// Compare stored revisions of a release, object by object; values of Secrets are never shown
    Release {
        /// The release's name
        #[arg(value_name = "RELEASE_NAME")]
        name: String,
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
}

pub fn run(args: &DiffArgs, global: &Global, io: &mut Streams<'_>) -> Result<(), Failure> {
    let What::Release { name, revision, detailed_exitcode, output } = &args.what;
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
    let found = diff::records(&old, &new);
    match output {
        Format::Table => table(&found, io)?,
        format => reading::print(&reading::list(found.iter().map(element)), *format, io)?,
    }
    if *detailed_exitcode && !found.is_empty() {
        return Err(Failure { code: 2, ..Failure::new("") });
    }
    Ok(())
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
