//! Which subcharts are on, under which names, and what they export to their parents.
//!
//! Conditions, tags, aliases and `import-values` of Chart.yaml, as Helm 4.3 `pkg/chart/v2/util/dependencies.go` resolves them. The
//! chart comes back with only the enabled subcharts, renamed to their aliases, and with imported values among its defaults.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::chart::data::{self, Data};
use crate::chart::{Chart, Dependency};
use crate::diagnostic::LogLine;
use crate::golang::semver::Version;
use crate::golang::semver_constraint::Constraint;
use crate::value::{Heap, MapId, Value, print};

use super::coalesce::{MAX_SHOWN, coalesce_over, merge_tables, merge_values};
use super::tables::{copy_to, deep_copy_map, lookup_path, lookup_table};

/// How many charts a chart may have below it. Aliases of charts that have aliases multiply: ten on each of eight levels make a
/// hundred million of a few files.
const MAX_CHARTS: usize = 10_000;

/// Processes the dependencies of a chart with the user's values, which lie on `heap`. What is made on the way is gone afterwards:
/// every chart that has dependencies coalesces the values of all.
///
/// # Errors
/// `type mismatch on sub: …` where the values of a subchart are not a table; more than 10,000 subcharts.
pub fn process_dependencies(
    heap: &Heap,
    chart: &mut Chart,
    values: MapId,
    log: &mut Vec<LogLine>,
) -> Result<(), String> {
    if !chart.metadata.dependencies_nil {
        let mut scratch = Heap::new();
        let values = copy_to(heap, values, &mut scratch)?;
        let mut left = MAX_CHARTS;
        let home = chart.name().to_string();
        enable(&mut scratch, chart, values, ("", &home), &mut left, log)?;
    }
    import(chart, log)
}

/// True if the version lies in the range; false too if either cannot be read.
pub fn is_compatible_range(range: &str, version: &str) -> bool {
    match (Version::new(version), Constraint::new(range)) {
        (Ok(version), Ok(range)) => range.check(&version),
        _ => false,
    }
}

fn fits(chart: &Chart, d: &Dependency) -> bool {
    chart.name() == d.name && is_compatible_range(&d.version, &chart.metadata.version)
}

/// Removes the disabled subcharts of a chart and gives aliases to the others; then the same below. `path` leads to the chart's values,
/// `home` is the path it was loaded at, before any alias.
fn enable(
    heap: &mut Heap,
    chart: &mut Chart,
    values: MapId,
    (path, home): (&str, &str),
    left: &mut usize,
    log: &mut Vec<LogLine>,
) -> Result<(), String> {
    if chart.metadata.dependencies_nil {
        return Ok(());
    }
    let mut homes = take_required(chart, home);
    let mut wanted = std::mem::take(&mut chart.metadata.dependencies);
    for d in &mut wanted {
        d.enabled = true;
    }
    let coalesced = coalesce_over(heap, chart, values, log)?;
    apply_tags(heap, &mut wanted, coalesced, log);
    apply_conditions(heap, &mut wanted, coalesced, path, log);
    let off: BTreeSet<String> = wanted.iter().filter(|d| !d.enabled).map(|d| d.name.clone()).collect();
    let mut at = chart.dependencies.iter();
    homes.retain(|_| at.next().is_some_and(|c| !off.contains(c.name())));
    chart.dependencies.retain(|c| !off.contains(c.name()));
    wanted.retain(|d| !off.contains(&d.name));
    for (sub, home) in chart.dependencies.iter_mut().zip(&homes) {
        let path = format!("{path}{}.", sub.name());
        *left = left
            .checked_sub(1)
            .ok_or_else(|| format!("chart has more than {MAX_CHARTS} subcharts, each alias counted: {path}"))?;
        enable(heap, sub, coalesced, (&path, home), left, log)?;
    }
    chart.metadata.dependencies_nil = wanted.is_empty();
    chart.metadata.dependencies = wanted;
    Ok(())
}

/// Puts the subcharts that Chart.yaml does not name first, then one for each entry of Chart.yaml under its alias; all are the chart's
/// own now. Gives the paths they were loaded at.
fn take_required(chart: &mut Chart, home: &str) -> Vec<String> {
    let mut homes = Vec::new();
    let required = &mut chart.metadata.dependencies;
    let present = std::mem::take(&mut chart.dependencies);
    let chosen: Vec<Option<usize>> = required.iter().map(|d| present.iter().position(|c| fits(c, d))).collect();
    let mut uses = vec![0usize; present.len()];
    chosen.iter().flatten().for_each(|i| uses[*i] += 1);
    let mut present: Vec<Option<Chart>> = present.into_iter().map(Some).collect();
    for slot in &mut present {
        if let Some(mut sub) = slot.take_if(|c| !required.iter().any(|d| fits(c, d))) {
            homes.push(format!("{home}/charts/{}", sub.name()));
            sub.kept_parent = None;
            chart.dependencies.push(sub);
        }
    }
    for (d, i) in required.iter_mut().zip(chosen) {
        if let Some(i) = i {
            // A chart that several entries name is copied for all but the last.
            uses[i] -= 1;
            let sub = if uses[i] == 0 { present[i].take() } else { present[i].clone() };
            if let Some(mut sub) = sub {
                let home = format!("{home}/charts/{}", sub.name());
                sub.kept_parent = None;
                leave_grandchildren(&mut sub, &home);
                homes.push(home);
                if !d.alias.is_empty() {
                    sub.metadata.name.clone_from(&d.alias);
                }
                chart.dependencies.push(sub);
            }
        }
        if !d.alias.is_empty() {
            d.name.clone_from(&d.alias);
        }
    }
    homes
}

/// A chart that Chart.yaml names is copied by Helm, and its subcharts with it; what lies below them goes on pointing at the charts that
/// were copied. Source: `getAliasDependency`.
fn leave_grandchildren(copied: &mut Chart, home: &str) {
    for child in &mut copied.dependencies {
        child.kept_parent = None;
        let parent: Arc<str> = format!("{home}/charts/{}", child.name()).into();
        for below in &mut child.dependencies {
            below.kept_parent = Some(parent.clone());
        }
    }
}

fn apply_tags(heap: &Heap, wanted: &mut [Dependency], values: MapId, log: &mut Vec<LogLine>) {
    let Ok(tags) = lookup_table(heap, values, "tags") else { return };
    for d in wanted {
        let (mut on, mut off) = (false, false);
        for tag in &d.tags {
            match heap.map(tags).get(tag) {
                Some(Value::Bool(true)) => on = true,
                Some(Value::Bool(false)) => off = true,
                Some(_) => log.push(non_bool("tag", tag, &d.name)),
                None => {}
            }
        }
        d.enabled = on || !off;
    }
}

fn apply_conditions(heap: &Heap, wanted: &mut [Dependency], values: MapId, path: &str, log: &mut Vec<LogLine>) {
    for d in wanted {
        for condition in d.condition.trim().split(',').filter(|c| !c.is_empty()) {
            match lookup_path(heap, values, &format!("{path}{condition}")) {
                Some(Value::Bool(b)) => {
                    d.enabled = b;
                    break;
                }
                Some(_) => log.push(non_bool("path", condition, &d.name)),
                None => {}
            }
        }
    }
}

fn non_bool(key: &'static str, what: &str, chart: &str) -> LogLine {
    LogLine::warn("returned non-bool value").with(key, what).with("chart", chart)
}

/// Imports values into parents, from the leaves up.
fn import(chart: &mut Chart, log: &mut Vec<LogLine>) -> Result<(), String> {
    for sub in &mut chart.dependencies {
        import(sub, log)?;
    }
    if chart.metadata.dependencies_nil {
        return Ok(());
    }
    let heap = &mut Heap::new();
    let none = heap.new_map();
    let values = merge_values(heap, chart, none, log)?;
    let imported = heap.new_map();
    for d in &mut chart.metadata.dependencies {
        let mut done = Vec::new();
        for item in &d.import_values {
            let (child, parent) = match item {
                Data::Table(t) => {
                    let text = |heap: &mut Heap, key: &str| show(heap, t.get(key.as_bytes()));
                    (text(heap, "child"), text(heap, "parent"))
                }
                Data::Str(name) => (format!("exports.{}", name.to_text()), ".".to_string()),
                _ => continue,
            };
            let whole = matches!(item, Data::Str(_));
            match lookup_table(heap, values, &format!("{}.{child}", d.name)) {
                Ok(table) => {
                    // An empty table is a new one in Helm: what is merged into it later does not show in the child.
                    let table = if heap.map(table).is_empty() { heap.new_map() } else { table };
                    let table = if whole { table } else { nest(heap, &parent, table) };
                    merge_tables(heap, imported, table, log)?;
                }
                Err(e) if whole => log.push(LogLine::warn("ImportValues missing table").with("error", e)),
                Err(e) => log.push(
                    LogLine::warn("ImportValues missing table from chart")
                        .with("chart", d.name.as_str())
                        .with("error", e),
                ),
            }
            let pair = BTreeMap::from([("child".to_string(), child), ("parent".to_string(), parent)]);
            done.push(Data::Strings(pair));
        }
        d.import_values = done;
    }
    // The parent's own values win; the copy keeps what was imported apart from where it came from.
    let values = if heap.map(imported).is_empty() { values } else { deep_copy_map(heap, values)? };
    merge_tables(heap, values, imported, log)?;
    chart.values = Some(Arc::new(data::map_to_table(heap, values)?));
    Ok(())
}

/// `fmt.Sprintf("%v", …)` of a value of `import-values`.
fn show(heap: &mut Heap, value: Option<&Data>) -> String {
    let value = value.map_or(Value::Nil, |v| v.to_value(heap));
    let mut out = Vec::new();
    // What is cut off after the limit was no name of a table.
    let _ = print::format_within(heap, b"%v", &[value], &mut out, MAX_SHOWN);
    String::from_utf8_lossy(&out).into_owned()
}

/// Puts a table at a dotted path of new tables; `.` is the table itself.
fn nest(heap: &mut Heap, path: &str, table: MapId) -> MapId {
    if path == "." {
        return table;
    }
    path.split('.').rev().fold(table, |inner, key| heap.map_of([(key, Value::Map(inner))]))
}

/// Checks that `charts/` has every chart that Chart.yaml names.
///
/// # Errors
/// `found in Chart.yaml, but missing in charts/ directory: a, b`. Source: Helm 4.3 `pkg/action/install.go`, `CheckDependencies`.
pub fn check_dependencies(chart: &Chart) -> Result<(), String> {
    let present = |d: &&Dependency| !chart.dependencies.iter().any(|c| c.name() == d.name);
    let missing: Vec<&str> = chart.metadata.dependencies.iter().filter(present).map(|d| d.name.as_str()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(format!("found in Chart.yaml, but missing in charts/ directory: {}", missing.join(", ")))
}
