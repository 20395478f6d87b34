//! `pintle history`: the revisions of a release. Source: Helm 4.3 `pkg/cmd/history.go`.

use clap::Args;

use crate::release::query;
use crate::release::record::Summary;

use super::Failure;
use super::args::Global;
use super::list::{app_version, chart_label};
use super::output::Streams;
use super::printed::{Format, ansic};
use super::reading::{self, Fields};
use super::table::Table;

#[derive(Args, Debug, Clone)]
pub struct HistoryArgs {
    /// The release's name
    #[arg(value_name = "RELEASE_NAME")]
    pub name: String,
    /// Maximum number of revision to include in history
    #[arg(long, default_value_t = 256, value_name = "INT", value_parser = super::flags::integer)]
    pub max: i64,
    /// Show the rollback revision column in table output
    #[arg(long)]
    pub show_rollback_revision: bool,
    /// Prints the output in the specified format. Allowed values: table, json, yaml
    #[arg(short = 'o', long, default_value = "table", value_name = "FORMAT")]
    pub output: Format,
}

pub fn run(args: &HistoryArgs, global: &Global, io: &mut Streams<'_>) -> Result<(), Failure> {
    let max = usize::try_from(args.max).unwrap_or(0);
    let answer = reading::ask(global, async |t| query::history(&*t.storage, &args.name, max).await)?;
    reading::tell(&answer.passed_over, io);
    if args.output != Format::Table {
        return reading::print(&reading::list(answer.found.iter().map(element)), args.output, io);
    }
    let mut table = Table::default();
    let head = ["REVISION", "UPDATED", "STATUS", "CHART", "APP VERSION", "ROLLBACK", "DESCRIPTION"];
    let column = |(i, cell): (usize, String)| (args.show_rollback_revision || i != 5).then_some(cell);
    table.row(head.into_iter().map(String::from).enumerate().filter_map(column));
    for s in &answer.found {
        let back = s.info.rollback_revision;
        let cells = [
            s.version.to_string(),
            ansic(&s.info.last_deployed),
            s.info.status_text().to_string(),
            chart_label(s),
            app_version(s),
            if back > 0 { back.to_string() } else { String::new() },
            s.info.description.clone(),
        ];
        table.row(cells.into_iter().enumerate().filter_map(column));
    }
    Ok(table.print(io.out)?)
}

fn element(s: &Summary) -> Vec<u8> {
    let mut o = Fields::default();
    o.number("revision", s.version);
    if !s.info.last_deployed.is_empty() {
        o.text("updated", &s.info.last_deployed);
    }
    o.text("status", s.info.status_text());
    o.text("chart", &chart_label(s));
    o.text("app_version", &app_version(s));
    if s.info.rollback_revision != 0 {
        o.number("rollback_revision", s.info.rollback_revision);
    }
    o.text("description", &s.info.description);
    o.end()
}
