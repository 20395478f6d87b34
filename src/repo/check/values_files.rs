//! Values files: those that are named and missing, those that lie there for nobody, and values that a chart's schema refuses.

use std::collections::{BTreeMap, BTreeSet};

use super::environments::{Built, View, chart_path};
use super::rules;
use super::scan::{Role, SourceFile, parent};
use super::suggest::nearest;
use crate::repo::charts::Location;
use crate::repo::files::Checkout;
use crate::repo::{Environment, HelmRelease};
use crate::report::{Finding, Level};

fn clean(path: &str) -> String {
    Checkout::relative(path).unwrap_or_else(|_| path.to_owned())
}

/// Files that a release names and nobody has.
pub fn missing(view: &View<'_>, built: &Built, out: &mut Vec<Finding>) {
    for hr in built.releases.iter().filter(|hr| !hr.chart.ignore_missing_values_files) {
        // Those of a chart from elsewhere lie with it.
        if let Ok((Location::Elsewhere(_), _)) = built.environment.locate(view.checkout, hr) {
            continue;
        }
        for (path, line) in &hr.chart.values_files {
            let file = clean(path);
            if view.checkout.is_file(&file) {
                continue;
            }
            let dir = parent(&file);
            let beside: Vec<&str> = view.scan.below(dir).filter(|p| parent(p) == dir).collect();
            let name = file.rsplit('/').next().unwrap_or_default();
            let names = beside.iter().filter_map(|p| p.rsplit('/').next());
            let fix = nearest(name, names).map_or_else(
                || "add the file, or take the entry out".into(),
                |n| format!("write {}", if dir.is_empty() { n.to_owned() } else { format!("{dir}/{n}") }),
            );
            let message = format!("HelmRelease {}: valuesFiles names {path}, which is not there", hr.name);
            let finding = Finding::new(&rules::VALUES_MISSING_FILE, hr.place.path.clone(), *line, message);
            out.push(finding.with_fix(fix).in_environment(&built.name));
        }
    }
}

fn used(builts: &[Built]) -> BTreeSet<String> {
    builts.iter().flat_map(|b| &b.releases).flat_map(|hr| &hr.chart.values_files).map(|(p, _)| clean(p)).collect()
}

/// Values files outside of charts.
fn own<'v>(view: &'v View<'_>) -> impl Iterator<Item = &'v str> {
    let charts = &view.scan.charts;
    view.scan
        .files
        .values()
        .filter(|f| f.role == Role::Values)
        .map(|f| f.path.as_str())
        .filter(move |p| !charts.iter().any(|c| c.is_empty() || p.starts_with(&format!("{c}/"))))
}

/// Files whose releases no environment may hold as they are written: those with an error of their own, and those that a build left out. What is
/// wrong there was told, and is why nobody reads the values files that they name.
fn left_out<'v>(view: &'v View<'_>, builts: &[Built], out: &[Finding]) -> Vec<&'v SourceFile> {
    let faulty: BTreeSet<&str> = out.iter().filter(|f| f.rule.level == Level::Error).map(|f| f.path.as_str()).collect();
    let held: BTreeSet<&str> = builts.iter().flat_map(|b| &b.releases).map(|hr| hr.place.path.as_str()).collect();
    let incomplete = builts.iter().any(|b| !b.complete);
    view.scan
        .files
        .values()
        .filter(|f| !matches!(f.role, Role::Values | Role::ChartYaml))
        .filter(|f| faulty.contains(f.path.as_str()) || incomplete && !held.contains(f.path.as_str()))
        .collect()
}

/// Whether a file has a path in it, but for comments.
fn names(file: &SourceFile, path: &str) -> bool {
    String::from_utf8_lossy(&file.text)
        .lines()
        .any(|line| line.split('#').next().is_some_and(|written| written.contains(path)))
}

/// Files that no release names, once all environments are known.
pub fn unused(view: &View<'_>, builts: &[Built], out: &mut Vec<Finding>) {
    let all = Environment::names(view.checkout).unwrap_or_default();
    if builts.len() < all.len() || builts.iter().any(|b| b.releases.is_empty() && !b.complete) {
        return;
    }
    let used = used(builts);
    // What a kustomization turns into a ConfigMap is read too.
    let generated: String = view.scan.kustomizations().map(|f| String::from_utf8_lossy(&f.text).into_owned()).collect();
    let left_out = left_out(view, builts, out);
    // A name that is misspelt was told of with the one to write.
    let meant = |path: &str| {
        let fix = format!("write {path}");
        out.iter().any(|f| f.rule.id == rules::VALUES_MISSING_FILE.id && f.fix == fix)
    };
    let mut found = Vec::new();
    for path in own(view).filter(|p| !used.contains(*p)) {
        let name = path.rsplit('/').next().unwrap_or_default();
        if generated.contains(name) || meant(path) || left_out.iter().any(|f| names(f, path)) {
            continue;
        }
        let message = "no release of any environment reads this values file".to_owned();
        let fix = "name it in a release's valuesFiles, or remove it";
        found.push(Finding::new(&rules::VALUES_UNUSED_FILE, path, 0, message).with_fix(fix));
    }
    out.extend(found);
}

/// The directories of the values files that releases of one name read, in all environments.
fn folders_of(builts: &[Built]) -> BTreeMap<&str, BTreeSet<String>> {
    let mut out: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for hr in builts.iter().flat_map(|b| &b.releases) {
        let dirs = hr.chart.values_files.iter().map(|(p, _)| parent(&clean(p)).to_owned());
        out.entry(&hr.name).or_default().extend(dirs);
    }
    out
}

/// Services that have a values file for some environments and run in others without one. A release that names no file of a directory belongs to it
/// if the directory is called so, or others of its name read it, and several environments have one there.
pub fn uneven(view: &View<'_>, builts: &[Built], out: &mut Vec<Finding>) {
    let names: Vec<String> = Environment::names(view.checkout).unwrap_or_default();
    let of = |path: &str| {
        let file = path.rsplit('/').next().unwrap_or_default();
        names
            .iter()
            .find(|n| file.strip_prefix(n.as_str()).is_some_and(|rest| rest.starts_with(['-', '.', '_'])))
            .cloned()
    };
    let mut folders: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for path in own(view) {
        if let Some(environment) = of(path) {
            folders.entry(parent(path).to_owned()).or_default().insert(environment);
        }
    }
    let shared = folders_of(builts);
    for built in builts {
        for hr in &built.releases {
            let dirs: BTreeSet<String> =
                hr.chart.values_files.iter().map(|(p, _)| parent(&clean(p)).to_owned()).collect();
            let is_its = |dir: &String, have: &BTreeSet<String>| {
                let of_service = dir.rsplit('/').next() == Some(hr.name.as_str())
                    || shared.get(hr.name.as_str()).is_some_and(|dirs| dirs.contains(dir));
                dirs.contains(dir) || of_service && have.len() > 1
            };
            for (dir, have) in folders.iter().filter(|(d, have)| !have.contains(&built.name) && is_its(d, have)) {
                let names_own = hr
                    .chart
                    .values_files
                    .iter()
                    .any(|(p, _)| parent(&clean(p)) == dir && of(&clean(p)).as_ref() == Some(&built.name));
                if names_own {
                    // Said as a missing file.
                    continue;
                }
                let others: Vec<&str> = have.iter().map(String::as_str).collect();
                let message = format!(
                    "HelmRelease {} has values files in {dir} for {} but none for {}",
                    hr.name,
                    others.join(", "),
                    built.name
                );
                let finding = Finding::new(
                    &rules::VALUES_MISSING_ENVIRONMENT,
                    hr.place.path.clone(),
                    hr.chart.place.line,
                    message,
                );
                out.push(
                    finding
                        .with_fix(format!("add {dir}/{}-config.yaml and name it", built.name))
                        .in_environment(&built.name),
                );
            }
        }
    }
}

/// The schema's complaints, each at the line that set the value.
pub fn schema_findings(view: &View<'_>, env: &Environment, hr: &HelmRelease, list: &str, out: &mut Vec<Finding>) {
    let mut any = false;
    for line in list.lines() {
        let Some(rest) = line.trim().strip_prefix("- at '") else { continue };
        let Some((pointer, message)) = rest.split_once("': ") else { continue };
        any = true;
        let steps: Vec<&str> = pointer.split('/').filter(|s| !s.is_empty()).collect();
        let (path, at) = place_of(view, env, hr, &steps);
        let shown = if steps.is_empty() { "the values".to_owned() } else { steps.join(".") };
        let text = format!("HelmRelease {}: {shown}: {message}", hr.name);
        let fix = format!("correct the value: {}/values.schema.json refuses it", chart_path(hr));
        out.push(Finding::new(&rules::VALUES_SCHEMA, path, at, text).with_fix(fix).in_environment(&env.name));
    }
    if !any {
        let text = format!("HelmRelease {}: {}", hr.name, list.trim());
        let finding = Finding::new(&rules::VALUES_SCHEMA, hr.place.path.clone(), hr.place.line, text);
        out.push(finding.with_fix("correct the values").in_environment(&env.name));
    }
}

/// Where a value is set last, if it is set in the repository.
fn place_of(view: &View<'_>, env: &Environment, hr: &HelmRelease, steps: &[&str]) -> (String, usize) {
    let path: Vec<String> = steps.iter().map(|s| (*s).to_owned()).collect();
    let layers = env.written_layers(view.checkout, hr);
    let place = layers.iter().rev().filter(|_| !path.is_empty()).find_map(|layer| layer.place(&path));
    place.map_or_else(|| (hr.place.path.clone(), hr.place.line), |place| (place.path, place.line))
}
