//! `pintle drift`: the live objects of a release against what its newest revision wants, the way Flux judges it.

use clap::Args;
use serde::Serialize;

use crate::cluster::Json;
use crate::cluster::drift::{Drift, DriftOptions, Finding, IgnoreRule, Selector};
use crate::release::action::drift::drift;

use super::args::Global;
use super::driving::{drive, failure};
use super::output::Streams;
use super::printed::{self, Format};
use super::{Failure, chart_source, target};

#[derive(Args, Debug, Clone)]
pub struct DriftArgs {
    /// The release's name
    #[arg(value_name = "RELEASE")]
    pub name: String,
    /// A field that may differ, as a JSON pointer, of all objects or of some: [KIND[/NAME]=]POINTER; "" is the whole object
    /// (can specify multiple). Kinds and names are regular expressions
    #[arg(long, value_name = "RULE")]
    pub ignore: Vec<String>,
    /// The field manager that would apply
    #[arg(long, default_value = "helm", value_name = "NAME")]
    pub field_manager: String,
    /// Exit with 2 if anything differs
    #[arg(long)]
    pub detailed_exitcode: bool,
    /// Print the output in the specified format: table, json, yaml
    #[arg(short, long, default_value = "table", value_name = "FORMAT")]
    pub output: String,
}

/// One object, as it is printed.
#[derive(Serialize)]
struct Line {
    #[serde(rename = "apiVersion")]
    api_version: String,
    kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<String>,
    name: String,
    finding: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    fields: Vec<Difference>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

#[derive(Serialize)]
struct Difference {
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    live: Option<Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    wanted: Option<Json>,
}

pub fn run(args: &DriftArgs, global: &Global, io: &mut Streams<'_>) -> Result<(), Failure> {
    let format = chart_source::format(&args.output)?;
    let options = DriftOptions {
        field_manager: args.field_manager.clone(),
        ignore: args.ignore.iter().map(|r| rule(r)).collect::<Result<_, _>>()?,
        override_managers: Vec::new(),
    };
    let name = &args.name;
    let found = drive(name, true, io, target::open(global), |ctx| async move {
        drift(&ctx, name, &options).await.map_err(|e| failure(e, ""))
    })?;
    let drifted = found.iter().any(Drift::is_drift);
    let failed = found.iter().filter(|d| matches!(d.finding, Finding::Unknown(_))).count();
    let lines: Vec<Line> = found.into_iter().map(line).collect();
    match format {
        Format::Table => table(name, &lines, io)?,
        Format::Json | Format::Yaml => {
            let json = serde_json::to_vec(&lines).map_err(|e| Failure::new(e.to_string()))?;
            let mut text = if format == Format::Yaml { printed::as_yaml(&json)? } else { json };
            if format == Format::Json {
                text.push(b'\n');
            }
            io.out.write_all(&text)?;
        }
    }
    if failed > 0 {
        return Err(Failure::new(format!("{failed} object(s) could not be compared")));
    }
    if drifted && args.detailed_exitcode {
        io.out.flush()?;
        return Err(Failure { code: 2, ..Failure::new(format!("release {name:?} has drifted")) });
    }
    Ok(())
}

/// `[KIND[/NAME]=]POINTER`.
fn rule(text: &str) -> Result<IgnoreRule, Failure> {
    let (target, path) = match text.split_once('=') {
        Some((target, path)) if !target.starts_with('/') => (Some(target), path),
        _ => (None, text),
    };
    if !path.is_empty() && !path.starts_with('/') {
        return Err(Failure::new(format!(
            "invalid rule {text:?}: {path:?} is no JSON pointer: it does not begin with /"
        )));
    }
    let target = target.map(|t| {
        let (kind, name) = t.split_once('/').unwrap_or((t, ""));
        Selector { kind: kind.into(), name: name.into(), ..Selector::default() }
    });
    Ok(IgnoreRule { paths: vec![path.into()], target })
}

fn line(drift: Drift) -> Line {
    // What Secrets hold is masked already.
    let (finding, fields, error) = match drift.finding {
        Finding::InSync => ("in-sync", Vec::new(), None),
        Finding::Ignored => ("ignored", Vec::new(), None),
        Finding::Missing => ("missing", Vec::new(), None),
        Finding::Changed(fields) => ("changed", fields, None),
        Finding::Unknown(e) => ("failed", Vec::new(), Some(e.to_string())),
    };
    Line {
        api_version: drift.id.gvk.api_version(),
        kind: drift.id.gvk.kind,
        namespace: drift.id.namespace,
        name: drift.id.name,
        finding,
        fields: fields.into_iter().map(|f| Difference { path: f.path, live: f.live, wanted: f.wanted }).collect(),
        error,
    }
}

fn table(name: &str, lines: &[Line], io: &mut Streams<'_>) -> Result<(), Failure> {
    let shown: Vec<&Line> = lines.iter().filter(|l| !matches!(l.finding, "in-sync" | "ignored")).collect();
    for l in &shown {
        let at = l.namespace.as_ref().map(|ns| format!("{ns}/")).unwrap_or_default();
        writeln!(io.out, "{} {at}{}: {}", l.kind, l.name, l.error.as_deref().unwrap_or(l.finding))?;
        for f in &l.fields {
            let value = |v: &Option<Json>| v.as_ref().map_or_else(|| "(none)".to_string(), Json::to_string);
            writeln!(io.out, "  {}: {} (wanted: {})", f.path, value(&f.live), value(&f.wanted))?;
        }
    }
    let ignored = lines.iter().filter(|l| l.finding == "ignored").count();
    let word = if shown.is_empty() { "no drift" } else { "drift" };
    Ok(writeln!(
        io.out,
        "release {name:?}: {word}: {} of {} objects differ{}",
        shown.len(),
        lines.len(),
        if ignored > 0 { format!(", {ignored} ignored") } else { String::new() }
    )?)
}
