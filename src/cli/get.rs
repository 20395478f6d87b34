//! `pintle get`: what is stored of a release. Source: Helm 4.3 `pkg/cmd/get_*.go`.

use std::collections::BTreeMap;

use clap::{Args, Subcommand};

use crate::chart::data;
use crate::release::Record;
use crate::release::query;
use crate::value::{Heap, Value, json as value_json};

use super::Failure;
use super::args::Global;
use super::output::Streams;
use super::printed::{self, Format, Show};
use super::reading::{self, Fields};

mod template;

#[derive(Args, Debug, Clone)]
pub struct GetArgs {
    #[command(subcommand)]
    pub what: What,
}

#[derive(Debug, Clone, Subcommand)]
pub enum What {
    /// Download all information for a named release
    All {
        #[command(flatten)]
        of: Of,
        /// Go template for formatting the output, eg: {{.Release.Name}}
        #[arg(long, default_value = "", hide_default_value = true, value_name = "TEMPLATE")]
        template: String,
    },
    /// Download the values file for a named release
    Values {
        #[command(flatten)]
        of: Of,
        /// Dump all (computed) values
        #[arg(short = 'a', long)]
        all: bool,
        /// Prints the output in the specified format. Allowed values: table, json, yaml
        #[arg(short = 'o', long, default_value = "table", value_name = "FORMAT")]
        output: Format,
    },
    /// Download the manifest for a named release
    Manifest {
        #[command(flatten)]
        of: Of,
    },
    /// Download all hooks for a named release
    Hooks {
        #[command(flatten)]
        of: Of,
    },
    /// Download the notes for a named release
    Notes {
        #[command(flatten)]
        of: Of,
    },
    /// This command fetches metadata for a given release
    Metadata {
        #[command(flatten)]
        of: Of,
        /// Prints the output in the specified format. Allowed values: table, json, yaml
        #[arg(short = 'o', long, default_value = "table", value_name = "FORMAT")]
        output: Format,
    },
}

/// Which revision.
#[derive(Args, Debug, Clone)]
pub struct Of {
    /// The release's name
    #[arg(value_name = "RELEASE_NAME")]
    pub name: String,
    /// Get the named release with revision
    #[arg(long, default_value_t = 0, value_name = "INT", value_parser = super::flags::integer)]
    pub revision: i64,
}

impl Of {
    fn read(&self, global: &Global, io: &mut Streams<'_>) -> Result<Record, Failure> {
        let (record, warnings) = reading::ask(global, async |t| {
            let record = query::content(&*t.storage, &self.name, self.revision).await?;
            Ok((record, t.storage.take_warnings()))
        })?;
        reading::tell(&warnings, io);
        Ok(record)
    }

    /// With its labels as Helm shows them: a newest revision that nobody asked for by number comes with all labels of its object.
    fn labelled(&self, global: &Global, io: &mut Streams<'_>) -> Result<Record, Failure> {
        let mut record = self.read(global, io)?;
        if self.revision <= 0 {
            let version = record.version;
            let entries = reading::ask(global, async |t| Ok(t.storage.entries(Some(&self.name)).await?))?;
            if let Some(entry) = entries.into_iter().find(|e| e.version == version) {
                record.labels = entry.labels;
            }
        }
        Ok(record)
    }
}

pub fn run(args: &GetArgs, global: &Global, io: &mut Streams<'_>) -> Result<(), Failure> {
    match &args.what {
        What::All { of, template } => {
            if template.is_empty() {
                let record = of.read(global, io)?;
                let show = Show { debug: true, metadata: true, ..Show::default() };
                return printed::release(&record, Format::Table, show, io);
            }
            template::print(&of.labelled(global, io)?, template, io)
        }
        What::Values { of, all, output } => values(&of.read(global, io)?, *all, *output, io),
        What::Manifest { of } => {
            let record = of.read(global, io)?;
            Ok(writeln!(io.out, "{}", record.manifest)?)
        }
        What::Hooks { of } => {
            for hook in of.read(global, io)?.hooks.iter().filter(|h| !h.absent) {
                writeln!(io.out, "---\n# Source: {}\n{}", hook.path, hook.manifest)?;
            }
            Ok(())
        }
        What::Notes { of } => {
            let notes = of.read(global, io)?.info.notes;
            if !notes.is_empty() {
                writeln!(io.out, "NOTES:\n{notes}")?;
            }
            Ok(())
        }
        What::Metadata { of, output } => metadata(&of.labelled(global, io)?, *output, io),
    }
}

fn values(record: &Record, all: bool, format: Format, io: &mut Streams<'_>) -> Result<(), Failure> {
    let mut heap = Heap::new();
    let mut log = Vec::new();
    let value = match (&record.config, all) {
        (config, true) => {
            let given = data::table_to_map(&mut heap, &config.clone().unwrap_or_default());
            let chart = record.chart.as_ref().map(|c| c.to_chart()).unwrap_or_default();
            Value::Map(crate::values::coalesce_values(&mut heap, &chart, given, &mut log)?)
        }
        (Some(config), false) => Value::Map(data::table_to_map(&mut heap, config)),
        (None, false) => Value::Nil,
    };
    for line in &log {
        io.log(line);
    }
    if format == Format::Json {
        let json = value_json::encode(&mut heap, &value, true, None)?;
        return reading::print(&json, format, io);
    }
    if format == Format::Table {
        writeln!(io.out, "{}", if all { "COMPUTED VALUES:" } else { "USER-SUPPLIED VALUES:" })?;
    }
    Ok(io.out.write_all(&crate::yaml::marshal(&mut heap, &value)?)?)
}

/// `a=1,b=2`
fn pairs(map: &BTreeMap<String, String>) -> String {
    map.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(",")
}

fn metadata(record: &Record, format: Format, io: &mut Streams<'_>) -> Result<(), Failure> {
    let chart = record.chart.as_ref().and_then(|c| c.metadata.clone()).unwrap_or_default();
    let deployed_at = match record.info.last_deployed.as_str() {
        "" => crate::golang::time::ZERO.to_string(),
        text => String::from_utf8_lossy(&reading::stored_time(text).format(b"2006-01-02T15:04:05Z07:00")).into_owned(),
    };
    let annotations = chart.annotations.clone().unwrap_or_default();
    if format == Format::Table {
        let mut names: Vec<&str> = chart.dependencies.iter().map(|d| d.name.as_str()).collect();
        names.sort_unstable();
        let method = match record.apply_method.as_str() {
            "" => "client-side apply (defaulted)".to_string(),
            "csa" => "client-side apply".to_string(),
            "ssa" => "server-side apply".to_string(),
            other => format!("unknown ({other:?})"),
        };
        let out = &mut *io.out;
        writeln!(out, "NAME: {}", record.name)?;
        writeln!(out, "CHART: {}", chart.name)?;
        writeln!(out, "VERSION: {}", chart.version)?;
        writeln!(out, "APP_VERSION: {}", chart.app_version)?;
        writeln!(out, "ANNOTATIONS: {}", pairs(&annotations))?;
        writeln!(out, "LABELS: {}", pairs(&record.labels))?;
        writeln!(out, "DEPENDENCIES: {}", names.join(","))?;
        writeln!(out, "NAMESPACE: {}", record.namespace)?;
        writeln!(out, "REVISION: {}", record.version)?;
        writeln!(out, "STATUS: {}", record.info.status_text())?;
        writeln!(out, "DEPLOYED_AT: {deployed_at}")?;
        return Ok(writeln!(out, "APPLY_METHOD: {method}")?);
    }
    let map = |m: &BTreeMap<String, String>| {
        let mut o = Fields::default();
        m.iter().for_each(|(k, v)| o.text(k, v));
        o.end()
    };
    let mut o = Fields::default();
    o.text("name", &record.name);
    o.text("chart", &chart.name);
    o.text("version", &chart.version);
    o.text("appVersion", &chart.app_version);
    if !annotations.is_empty() {
        o.raw("annotations", &map(&annotations));
    }
    if !record.labels.is_empty() {
        o.raw("labels", &map(&record.labels));
    }
    if !chart.dependencies.is_empty() {
        o.raw("dependencies", &crate::release::record::dependencies_json(&chart.dependencies)?);
    }
    o.text("namespace", &record.namespace);
    o.number("revision", record.version);
    o.text("status", record.info.status_text());
    o.text("deployedAt", &deployed_at);
    if !record.apply_method.is_empty() {
        o.text("applyMethod", &record.apply_method);
    }
    reading::print(&o.end(), format, io)
}
