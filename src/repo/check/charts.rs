//! Charts of the checkout, whoever uses them: Chart.yaml, dependencies, and whether every template can be parsed.

use std::sync::Arc;

use super::environments::template_place;
use super::objects::template_path;
use super::rules;
use super::scan::Scan;
use crate::render::Program;
use crate::repo::files::Checkout;
use crate::report::Finding;

pub fn check(scan: &Scan, checkout: &Checkout, out: &mut Vec<Finding>) {
    for dir in &scan.charts {
        one(scan, checkout, dir, out);
    }
}

fn one(scan: &Scan, checkout: &Checkout, dir: &str, out: &mut Vec<Finding>) {
    let file = |name: &str| if dir.is_empty() { name.to_owned() } else { format!("{dir}/{name}") };
    let chart = match checkout.chart(dir, &mut Vec::new()) {
        Ok(chart) => chart,
        Err(e) => {
            let fix = "helm refuses the chart for the same reason: correct it";
            let line = line_of_field(scan, &file("Chart.yaml"), &e.message);
            out.push(Finding::new(&rules::CHART_METADATA, file("Chart.yaml"), line, e.message).with_fix(fix));
            // Its templates can be parsed all the same.
            unloaded(checkout, dir, &file("templates"), 0, out);
            return;
        }
    };
    let line_of = |name: &str| {
        let items = scan.files.get(&file("Chart.yaml")).and_then(|f| f.documents.first());
        let items = items.and_then(|d| d.root.get("dependencies")).map_or(&[][..], |n| n.items());
        items.iter().find(|n| super::scan::text(n, "name") == name).map_or(1, |n| n.line())
    };
    for dependency in &chart.metadata.dependencies {
        let there = chart.dependencies.iter().any(|d| d.name() == dependency.name);
        if !there {
            let message = format!("the dependency {} {} is not in charts/", dependency.name, dependency.version);
            let fix = "run pintle dependency build and commit charts/, or take the dependency out";
            out.push(
                Finding::new(&rules::CHART_DEPENDENCY, file("Chart.yaml"), line_of(&dependency.name), message)
                    .with_fix(fix),
            );
        }
    }
    for template in &chart.templates {
        parse(dir, format!("{}/{}", chart.name(), template.name), template.data.shared(), out);
    }
}

/// The line of the field of Chart.yaml that Helm's text names, `chart.metadata.version "one" is invalid`; else the first.
fn line_of_field(scan: &Scan, path: &str, message: &str) -> usize {
    let named = message.split_once("chart.metadata.").map_or("", |(_, rest)| rest);
    let field = named.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
    let root = scan.files.get(path).and_then(|f| f.documents.first()).map(|d| &d.root);
    root.and_then(|root| root.entry(field)).map_or(1, |(key, _)| key.line())
}

fn parse(dir: &str, name: String, text: &Arc<[u8]>, out: &mut Vec<Finding>) {
    let Err(e) = Program::parse([(name.as_str(), text)]) else { return };
    let (path, line) = template_place(&e).unwrap_or((name, 1));
    let fix = "correct the template: no release of the chart can be rendered";
    out.push(Finding::new(&rules::CHART_TEMPLATE, template_path(dir, &path), line, e).with_fix(fix));
}

/// Parses the templates of a chart that can't be loaded.
fn unloaded(checkout: &Checkout, dir: &str, folder: &str, depth: usize, out: &mut Vec<Finding>) {
    const MAX_DEPTH: usize = 16;
    for name in checkout.list(folder).unwrap_or_default() {
        let path = format!("{folder}/{name}");
        if let Some(sub) = path.strip_suffix('/') {
            if depth < MAX_DEPTH {
                unloaded(checkout, dir, sub, depth + 1, out);
            }
        } else if [".yaml", ".yml", ".tpl", ".txt"].iter().any(|e| name.ends_with(e))
            && let Ok(text) = checkout.read(&path)
        {
            let inside = path.strip_prefix(dir).unwrap_or(&path).trim_start_matches('/');
            parse(dir, format!("chart/{inside}"), &text.into(), out);
        }
    }
}
