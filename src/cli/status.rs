//! `pintle status`: one revision of a release. Source: Helm 4.3 `pkg/cmd/status.go`.

use clap::Args;

use crate::release::query;

use super::Failure;
use super::args::Global;
use super::output::Streams;
use super::printed::{self, Format, Show};
use super::reading;

#[derive(Args, Debug, Clone)]
pub struct StatusArgs {
    /// The release's name
    #[arg(value_name = "RELEASE_NAME")]
    pub name: String,
    /// If set, display the status of the named release with revision
    #[arg(long, default_value_t = 0, value_name = "INT", allow_negative_numbers = true)]
    pub revision: i64,
    /// Prints the output in the specified format. Allowed values: table, json, yaml
    #[arg(short = 'o', long, default_value = "table", value_name = "FORMAT")]
    pub output: Format,
}

pub fn run(args: &StatusArgs, global: &Global, io: &mut Streams<'_>) -> Result<(), Failure> {
    let (mut record, warnings) = reading::ask(global, async |t| {
        let record = query::content(&*t.storage, &args.name, args.revision).await?;
        Ok((record, t.storage.take_warnings()))
    })?;
    reading::tell(&warnings, io);
    // Helm leaves the chart out here.
    record.chart = None;
    printed::release(&record, args.output, Show::default(), io)
}
