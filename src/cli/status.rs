//! `pintle status`: one revision of a release. Source: Helm 4.3 `pkg/cmd/status.go`.

use std::collections::BTreeMap;

use clap::Args;

use crate::cluster::Json;
use crate::release::query;
use crate::release::storage::StorageError;

use super::Failure;
use super::args::Global;
use super::output::Streams;
use super::printed::{self, Format, Show};
use super::reading::{self, Fields};

#[derive(Args, Debug, Clone)]
pub struct StatusArgs {
    /// The release's name
    #[arg(value_name = "RELEASE_NAME")]
    pub name: String,
    /// If set, display the status of the named release with revision
    #[arg(long, default_value_t = 0, value_name = "INT", value_parser = super::flags::integer)]
    pub revision: i64,
    /// Prints the output in the specified format. Allowed values: table, json, yaml
    #[arg(short = 'o', long, default_value = "table", value_name = "FORMAT")]
    pub output: Format,
}

pub fn run(args: &StatusArgs, global: &Global, io: &mut Streams<'_>) -> Result<(), Failure> {
    let table = args.output == Format::Table;
    let (mut record, live, warnings) = reading::ask(global, async |t| {
        let record = query::content(&*t.storage, &args.name, args.revision).await?;
        let live = match t.cluster.is_live() {
            true => query::live::objects(&*t.cluster, &record, table).await.map_err(StorageError::from)?,
            false => BTreeMap::new(),
        };
        Ok((record, live, t.storage.take_warnings()))
    })?;
    reading::tell(&warnings, io);
    // Helm leaves the chart out here.
    record.chart = None;
    if live.is_empty() {
        return printed::release(&record, args.output, Show::default(), io);
    }
    if table {
        let show = Show { resources: Some(tables(&live)), ..Show::default() };
        return printed::release(&record, args.output, show, io);
    }
    let mut resources = Fields::default();
    for (kind, objects) in &live {
        resources.raw(kind, &reading::list(objects.iter().map(reading::go_json)));
    }
    reading::print(&record.to_json_with(&resources.end())?, args.output, io)
}

/// The server's tables, kind by kind. Helm's order of kinds is that of a Go map, so any; here it is that of their names.
fn tables(live: &BTreeMap<String, Vec<Json>>) -> String {
    let mut out = String::new();
    let mut last = Json::Null;
    for (kind, tables) in live {
        out.push_str(&format!("==> {kind}\n"));
        for table in tables {
            out.push_str(&printed_table(table, &mut last));
        }
        out.push('\n');
    }
    out
}

/// One table, as kubectl prints it; a head that is the same as the one before is not repeated. Source: `k8s.io/cli-runtime`
/// `pkg/printers/tableprinter.go`.
fn printed_table(table: &Json, last: &mut Json) -> String {
    let list = |key: &str| table.get(key).and_then(Json::as_array).cloned().unwrap_or_default();
    let (columns, rows) = (list("columnDefinitions"), list("rows"));
    if rows.is_empty() {
        return String::new();
    }
    let shown: Vec<bool> = columns.iter().map(|c| c.get("priority").and_then(Json::as_i64).unwrap_or(0) == 0).collect();
    let mut lines: Vec<Vec<String>> = Vec::new();
    let head = Json::Array(columns.clone());
    if head != *last {
        let name = |c: &Json| c.get("name").and_then(Json::as_str).unwrap_or_default().to_uppercase();
        lines.push(columns.iter().zip(&shown).filter(|(_, s)| **s).map(|(c, _)| name(c)).collect());
        *last = head;
    }
    for row in &rows {
        let cells = row.get("cells").and_then(Json::as_array).cloned().unwrap_or_default();
        lines.push(cells.iter().zip(&shown).filter(|(_, s)| **s).map(|(c, _)| cell(c)).collect());
    }
    // Go's tabwriter: columns of at least six, three blanks between them, none behind the last one.
    let mut widths: Vec<usize> = Vec::new();
    for line in &lines {
        widths.resize(widths.len().max(line.len()), 0);
        for (cell, width) in line.iter().zip(&mut widths) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut out = String::new();
    for line in &lines {
        for (i, cell) in line.iter().enumerate() {
            out.push_str(cell);
            if i + 1 < line.len() {
                let width = widths.get(i).map_or(0, |w| (w + 3).max(6));
                out.push_str(&" ".repeat(width.saturating_sub(cell.chars().count())));
            }
        }
        out.push('\n');
    }
    out
}

fn cell(value: &Json) -> String {
    let text = match value {
        Json::Null => String::new(),
        Json::String(s) => s.clone(),
        other => other.to_string(),
    };
    match text.find(['\x0c', '\n', '\r']) {
        Some(at) => format!("{}...", text.get(..at).unwrap_or_default()),
        None => text,
    }
}
