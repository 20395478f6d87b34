//! A release as `install`, `upgrade`, `status` and `test` print it. Source: Helm 4.3 `pkg/cmd/status.go`, `statusPrinter`.

use std::io::Write;

use crate::chart::data;
use crate::golang::time::{Location, parse_in_location};
use crate::release::Record;
use crate::value::{Heap, Value};
use crate::yaml;

use super::Failure;
use super::output::Streams;

/// `-o`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    #[default]
    Table,
    Json,
    Yaml,
}

impl std::str::FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "table" => Ok(Self::Table),
            "json" => Ok(Self::Json),
            "yaml" => Ok(Self::Yaml),
            _ => Err("invalid format type".into()),
        }
    }
}

/// How much is printed.
#[derive(Clone, Debug, Default)]
pub struct Show {
    /// `--debug`: values, hooks and manifest too.
    pub debug: bool,
    pub hide_notes: bool,
    /// The chart's name and versions, as `get all` shows them.
    pub metadata: bool,
    /// The live objects' text, as `status` shows it.
    pub resources: Option<String>,
}

/// Prints a release.
///
/// # Errors
/// What cannot be written.
pub fn release(record: &Record, format: Format, show: Show, io: &mut Streams<'_>) -> Result<(), Failure> {
    match format {
        Format::Table => table(record, show, io),
        Format::Json => {
            io.out.write_all(&record.to_json()?)?;
            Ok(writeln!(io.out)?)
        }
        Format::Yaml => {
            let text = as_yaml(&record.to_json()?)?;
            Ok(io.out.write_all(&text)?)
        }
    }
}

/// JSON as the YAML that Helm prints of it.
///
/// # Errors
/// JSON that is none.
pub fn as_yaml(json: &[u8]) -> Result<Vec<u8>, String> {
    let mut heap = Heap::new();
    let value = yaml::to_integral_value(&mut heap, json)?;
    yaml::marshal(&mut heap, &value)
}

/// A stored time in Go's `time.ANSIC`; the zero time for none.
pub fn ansic(stored: &str) -> String {
    let text = if stored.is_empty() { crate::golang::time::ZERO } else { stored };
    match parse_in_location(b"2006-01-02T15:04:05Z07:00", text.as_bytes(), &Location::utc()) {
        Ok(time) => String::from_utf8_lossy(&time.format(b"Mon Jan _2 15:04:05 2006")).into_owned(),
        Err(_) => stored.to_string(),
    }
}

fn table(record: &Record, show: Show, io: &mut Streams<'_>) -> Result<(), Failure> {
    let info = &record.info;
    let out = &mut *io.out;
    writeln!(out, "NAME: {}", record.name)?;
    if !info.last_deployed.is_empty() {
        writeln!(out, "LAST DEPLOYED: {}", ansic(&info.last_deployed))?;
    }
    writeln!(out, "NAMESPACE: {}", record.namespace)?;
    writeln!(out, "STATUS: {}", info.status_text())?;
    writeln!(out, "REVISION: {}", record.version)?;
    if show.metadata
        && let Some(m) = record.chart.as_ref().and_then(|c| c.metadata.as_ref())
    {
        writeln!(out, "CHART: {}\nVERSION: {}\nAPP_VERSION: {}", m.name, m.version, m.app_version)?;
    }
    writeln!(out, "DESCRIPTION: {}", info.description)?;
    if let Some(resources) = &show.resources {
        writeln!(out, "RESOURCES:\n{resources}")?;
    }
    let tests = || record.hooks.iter().flat_map(|h| h.events.iter().filter(|e| *e == "test").map(move |_| h));
    if tests().next().is_none() {
        writeln!(out, "TEST SUITE: None")?;
    }
    for h in tests().filter(|h| !h.last_run.started_at.is_empty()) {
        writeln!(
            out,
            "TEST SUITE:     {}\nLast Started:   {}\nLast Completed: {}\nPhase:          {}",
            h.name,
            ansic(&h.last_run.started_at),
            ansic(&h.last_run.completed_at),
            h.last_run.phase
        )?;
    }
    if show.debug {
        values(record, out)?;
    }
    if show.debug || info.description.eq_ignore_ascii_case("Dry run complete") {
        writeln!(out, "HOOKS:")?;
        for h in &record.hooks {
            writeln!(out, "---\n# Source: {}\n{}", h.path, h.manifest)?;
        }
        writeln!(out, "MANIFEST:\n{}", record.manifest)?;
    }
    if !show.hide_notes && !info.notes.is_empty() {
        writeln!(out, "NOTES:\n{}", info.notes.trim())?;
    }
    Ok(())
}

fn values(record: &Record, out: &mut dyn Write) -> Result<(), Failure> {
    let mut heap = Heap::new();
    let empty = crate::chart::Table::new();
    let given = data::table_to_map(&mut heap, record.config.as_ref().unwrap_or(&empty));
    writeln!(out, "USER-SUPPLIED VALUES:")?;
    // A record that was read has nil for no values, a fresh one an empty map.
    let shown = if record.config.is_some() { Value::Map(given) } else { Value::Nil };
    out.write_all(&yaml::marshal(&mut heap, &shown)?)?;
    writeln!(out)?;
    let chart = record.chart.as_ref().map(|c| c.to_chart()).unwrap_or_default();
    let all = crate::values::coalesce_values(&mut heap, &chart, given, &mut Vec::new())?;
    writeln!(out, "COMPUTED VALUES:")?;
    out.write_all(&yaml::marshal(&mut heap, &Value::Map(all))?)?;
    Ok(writeln!(out)?)
}
