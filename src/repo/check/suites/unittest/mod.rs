//! Suites of helm-unittest, run as it runs them: `tests/*_test.yaml` of a chart and of its subcharts.
//!
//! Source: helm-unittest 1.1 (`pkg/unittest`). A suite file (`suite`) has tests; a test renders the chart, or a part of it, with its values (`render`) and
//! asserts (`assertion`, `validate`) what the documents hold at paths (`path`, `filter`), some of it by stored snapshots (`snapshots`). What fails is
//! found at the line of its assertion.

mod assertion;
mod data;
mod filter;
mod path;
mod render;
mod run;
mod set_path;
mod snapshots;
mod suite;
mod validate;

use std::collections::{BTreeMap, BTreeSet};

use self::data::Wrong;
use self::render::Place;
use self::snapshots::Snapshots;
use self::suite::Suite;
use super::{Subject, TESTS, Updates, join};
use crate::chart::{Chart, data as chart_data};
use crate::repo::check::rules;
use crate::repo::check::scan::{join as clean_join, parent};
use crate::report::Finding;
use crate::value::{Heap, Value};

/// The folder of snapshots beside suites.
const SNAPSHOTS: &str = "__snapshot__";

/// A chart with suites, as seen from the one that is rendered.
struct Target {
    dir: String,
    route: String,
}

/// Runs all suites of a chart and of its subcharts. The values files that they name, as paths in the checkout.
///
/// # Errors
/// A snapshot can't be written.
pub fn check(s: &Subject<'_>, out: &mut Vec<Finding>, updates: &mut Updates) -> Result<BTreeSet<String>, String> {
    let mut used = BTreeSet::new();
    let mut targets = Vec::new();
    let mut heap = Heap::new();
    let values = s.chart.values.as_ref().map(|v| chart_data::table_to_map(&mut heap, v));
    let mut on = |parent: &Chart, name: &str| match values {
        Some(values) => is_on(&heap, &Value::Map(values), parent, name),
        None => true,
    };
    targets_of(s.chart, s.dir, s.chart.name(), &mut on, &mut targets);
    for target in targets {
        let folder = join(&target.dir, TESTS);
        let names = s.checkout.list(&folder).unwrap_or_default();
        let mut snapshot_files = BTreeSet::new();
        for name in names.iter().filter(|n| n.ends_with("_test.yaml")) {
            let file = format!("{folder}/{name}");
            run_file(s, &file, &target.route, &mut used, &mut snapshot_files, out, updates)?;
        }
        stale_files(s, &folder, &snapshot_files, out, updates)?;
    }
    Ok(used)
}

/// The chart and the subcharts that are on and lie unpacked beside it.
fn targets_of(chart: &Chart, dir: &str, route: &str, on: &mut dyn FnMut(&Chart, &str) -> bool, out: &mut Vec<Target>) {
    out.push(Target { dir: dir.to_owned(), route: route.to_owned() });
    for dependency in &chart.dependencies {
        let name = dependency.name();
        if on(chart, name) {
            targets_of(dependency, &join(dir, &format!("charts/{name}")), &format!("{route}/charts/{name}"), on, out);
        }
    }
}

/// Whether a subchart's suites run: by its condition, else by its tags, in the values of the chart that is rendered.
fn is_on(heap: &Heap, values: &Value, parent: &Chart, name: &str) -> bool {
    let called = |d: &&crate::chart::Dependency| if d.alias.is_empty() { d.name == name } else { d.alias == name };
    let Some(dependency) = parent.metadata.dependencies.iter().find(called) else { return true };
    let get = |at: &Value, key: &str| match at {
        Value::Map(map) => heap.map(*map).get(key).cloned(),
        _ => None,
    };
    if !dependency.condition.is_empty() {
        let found = dependency.condition.split('.').try_fold(values.clone(), |at, key| get(&at, key));
        return !matches!(found, Some(Value::Bool(false)));
    }
    if dependency.tags.is_empty() {
        return true;
    }
    match get(values, "tags") {
        Some(tags @ Value::Map(_)) => dependency.tags.iter().any(|t| matches!(get(&tags, t), Some(Value::Bool(true)))),
        _ => true,
    }
}

fn run_file(
    s: &Subject<'_>,
    file: &str,
    route: &str,
    used: &mut BTreeSet<String>,
    snapshot_files: &mut BTreeSet<String>,
    out: &mut Vec<Finding>,
    updates: &mut Updates,
) -> Result<(), String> {
    let text = match s.checkout.read(file) {
        Ok(text) => text,
        Err(e) => {
            out.push(Finding::new(&rules::CHART_UNITTEST, file, 0, e).with_fix("make it a readable file"));
            return Ok(());
        }
    };
    let place = Place { subject: s, file, route };
    // Suites of one file share its snapshots, unless they say otherwise.
    let mut open: BTreeMap<String, Open> = BTreeMap::new();
    for suite in suite::read(&String::from_utf8_lossy(&text)) {
        for values in suite.tests.iter().flat_map(|t| &t.values) {
            used.insert(clean_join(parent(file), values));
        }
        for wrong in &suite.wrong {
            let fix = "correct the suite: what is not understood is not tested";
            out.push(Finding::new(&rules::CHART_UNITTEST, file, wrong.line, wrong.message.clone()).with_fix(fix));
        }
        let (folder, name) = file.rsplit_once('/').unwrap_or(("", file));
        let id = if suite.snapshot_id.is_empty() { String::new() } else { format!("_{}", suite.snapshot_id) };
        let path = join(folder, &format!("{SNAPSHOTS}/{name}{id}.snap"));
        if !open.contains_key(&path) {
            open.insert(path.clone(), Open::read(s, &path, out)?);
        }
        if let Some(open) = open.get_mut(&path) {
            run_suite(&place, &suite, open, out);
        }
    }
    for (path, open) in open {
        open.close(s, file, &path, out, updates)?;
        snapshot_files.insert(path);
    }
    Ok(())
}

fn run_suite(place: &Place<'_>, suite: &Suite, open: &mut Open, out: &mut Vec<Finding>) {
    open.complete &= suite.wrong.is_empty();
    for test in &suite.tests {
        if test.skip {
            open.snapshots.keep(&test.name);
            continue;
        }
        open.tests.push((test.name.clone(), test.line));
        let named = if test.suite.is_empty() { test.name.clone() } else { format!("{} › {}", test.suite, test.name) };
        let ran = run::run(place, test, &mut open.snapshots);
        if ran.unrunnable {
            open.snapshots.keep(&test.name);
        }
        for Wrong { line, message } in ran.failed {
            let text = format!("{named}: {message}");
            let fix = "correct the chart, or what the suite expects of it";
            out.push(Finding::new(&rules::CHART_UNITTEST, place.file, line, text).with_fix(fix));
        }
    }
}

/// A file of snapshots while suites run that use it.
struct Open {
    snapshots: Snapshots,
    stored: Vec<u8>,
    /// Everything that may ask for a snapshot is understood.
    complete: bool,
    /// It can't be read: it stays as it is.
    broken: bool,
    tests: Vec<(String, usize)>,
}

impl Open {
    fn read(s: &Subject<'_>, path: &str, out: &mut Vec<Finding>) -> Result<Self, String> {
        let stored = if s.checkout.is_file(path) { s.checkout.read(path)? } else { Vec::new() };
        let (snapshots, broken) = match Snapshots::read(&stored, s.update) {
            Ok(snapshots) => (snapshots, false),
            Err(e) => {
                let fix = "correct the file, or remove it and run pintle check CHART --update";
                out.push(Finding::new(&rules::CHART_SNAPSHOT, path, 0, e).with_fix(fix));
                (Snapshots::default(), true)
            }
        };
        Ok(Self { snapshots, stored, complete: !broken, broken, tests: Vec::new() })
    }

    /// Writes what changed, or says what is missing and what nobody asks for.
    fn close(
        self,
        s: &Subject<'_>,
        file: &str,
        path: &str,
        out: &mut Vec<Finding>,
        updates: &mut Updates,
    ) -> Result<(), String> {
        if self.broken {
            return Ok(());
        }
        let snapshots = &self.snapshots;
        if s.update {
            // A suite that is only understood in part says nothing of what it no longer needs.
            if !snapshots.changed() || !self.complete {
                return Ok(());
            }
            if snapshots.now.is_empty() {
                s.remove(path)?;
                updates.removed += 1;
            } else {
                s.write(path, &snapshots.write())?;
                updates.written += 1;
            }
            return Ok(());
        }
        for (test, line) in &self.tests {
            let missing = snapshots.missing.iter().filter(|(name, _)| name == test).count();
            if missing > 0 {
                let message = format!("{test}: {missing} of its snapshots are not stored yet");
                let fix = "run pintle check CHART --update and commit what it writes";
                out.push(Finding::new(&rules::CHART_SNAPSHOT, file, *line, message).with_fix(fix));
            }
        }
        if self.complete {
            for (test, number) in snapshots.vanished() {
                let line = line_of(&self.stored, test);
                let message = format!("snapshot {number} of {test:?} is not asked for by any test");
                let fix = "run pintle check CHART --update, which removes it";
                out.push(Finding::new(&rules::CHART_STALE_SNAPSHOT, path, line, message).with_fix(fix));
            }
        }
        Ok(())
    }
}

/// The line on which a test's snapshots begin.
fn line_of(stored: &[u8], test: &str) -> usize {
    let Ok(doc) = data::Doc::parse(stored, 0) else { return 0 };
    let entries = doc.root().and_then(|root| doc.entries(root).ok()).unwrap_or_default();
    entries.iter().find(|e| e.0 == test).map_or(0, |e| e.1)
}

/// Snapshots whose suite is gone.
fn stale_files(
    s: &Subject<'_>,
    folder: &str,
    known: &BTreeSet<String>,
    out: &mut Vec<Finding>,
    updates: &mut Updates,
) -> Result<(), String> {
    let folder = format!("{folder}/{SNAPSHOTS}");
    for name in s.checkout.list(&folder).unwrap_or_default() {
        let path = format!("{folder}/{name}");
        if !name.ends_with(".snap") || known.contains(&path) {
            continue;
        }
        if s.update {
            s.remove(&path)?;
            updates.removed += 1;
            continue;
        }
        let message = "no suite belongs to this snapshot";
        let fix = "run pintle check CHART --update, which removes it, or bring the suite back";
        out.push(Finding::new(&rules::CHART_STALE_SNAPSHOT, path, 0, message).with_fix(fix));
    }
    Ok(())
}
