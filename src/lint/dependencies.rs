//! Dependencies: those of Chart.yaml lie in charts/, those in charts/ are named, and no two share a name.
//!
//! Source: Helm 4.3 `pkg/chart/v2/lint/rules/dependencies.go`.

use std::collections::BTreeSet;

use crate::chart::Chart;

use super::Linter;

pub(super) fn lint(linter: &mut Linter<'_>) {
    let chart = match linter.load() {
        Ok(chart) => chart,
        Err(e) => {
            linter.error("", Err(format!("unable to load chart\n\t{e}")));
            return;
        }
    };
    let dir = linter.path("");
    let dir = dir.strip_suffix('/').filter(|d| !d.is_empty()).unwrap_or(&dir);
    linter.error(dir, named(&chart));
    linter.error(dir, unique(&chart));
    linter.warning(dir, present(&chart));
}

fn told(what: &str, names: &[&str]) -> Result<(), String> {
    if names.is_empty() { Ok(()) } else { Err(format!("{what}: {}", names.join(","))) }
}

fn named(chart: &Chart) -> Result<(), String> {
    let named: BTreeSet<&str> = chart.metadata.dependencies.iter().map(|d| d.name.as_str()).collect();
    let missing: Vec<&str> = chart.dependencies.iter().map(Chart::name).filter(|n| !named.contains(n)).collect();
    told("chart metadata is missing these dependencies", &missing)
}

fn unique(chart: &Chart) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    let again = chart.metadata.dependencies.iter().map(crate::chart::Dependency::key);
    let again: Vec<&str> = again.filter(|key| !seen.insert(*key)).collect();
    told("multiple dependencies with name or alias", &again)
}

fn present(chart: &Chart) -> Result<(), String> {
    let present: BTreeSet<&str> = chart.dependencies.iter().map(Chart::name).collect();
    let names = chart.metadata.dependencies.iter().map(|d| d.name.as_str());
    let missing: Vec<&str> = names.filter(|n| !present.contains(n)).collect();
    told("chart directory is missing these dependencies", &missing)
}
