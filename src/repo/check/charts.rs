//! Charts of the checkout, whoever uses them: Chart.yaml, dependencies, and whether every template can be parsed.

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
            out.push(Finding::new(&rules::CHART_METADATA, file("Chart.yaml"), 1, e.message).with_fix(fix));
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
        let name = format!("{}/{}", chart.name(), template.name);
        let Err(e) = Program::parse([(name.as_str(), &template.data)]) else { continue };
        let (path, line) = template_place(&e).unwrap_or((name, 1));
        let fix = "correct the template: no release of the chart can be rendered";
        out.push(Finding::new(&rules::CHART_TEMPLATE, template_path(dir, &path), line, e).with_fix(fix));
    }
}
