//! Values that are set and that no template reads.
//!
//! Templates are looked through for `.Values.a.b`: a value is read if something on the way to it, or below it, is named. A chart that takes
//! `.Values` as a whole somewhere, or computes keys, is left alone: nothing can be said of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use regex::Regex;

use super::environments::{Built, View, chart_path};
use super::rules;
use crate::chart::Chart;
use crate::repo::Layer;
use crate::report::Finding;

static NAMED: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\.Values((?:\.[A-Za-z_][A-Za-z0-9_]*)*)").ok());
/// The deepest path that is looked at.
const DEPTH: usize = 8;

/// What a chart reads.
struct Reads {
    paths: BTreeSet<Vec<String>>,
    /// Everything, or what can't be told.
    all: bool,
}

fn reads(chart: &Chart) -> Reads {
    let mut reads = Reads { paths: BTreeSet::new(), all: false };
    let mut names = vec!["global".to_owned(), "tags".to_owned()];
    for d in &chart.metadata.dependencies {
        names.push(if d.alias.is_empty() { d.name.clone() } else { d.alias.clone() });
        names.extend(d.condition.split(',').filter_map(|c| c.trim().split('.').next()).map(String::from));
    }
    names.extend(chart.dependencies.iter().map(|d| d.name().to_owned()));
    reads.paths.extend(names.into_iter().map(|n| vec![n]));
    let libraries = chart.dependencies.iter().filter(|d| d.is_library());
    let texts = chart.templates.iter().chain(libraries.flat_map(|d| &d.templates)).chain(&chart.files);
    for file in texts {
        let text = String::from_utf8_lossy(&file.data);
        let Some(named) = NAMED.as_ref() else { continue };
        for found in named.captures_iter(&text) {
            let path: Vec<String> = found
                .get(1)
                .map_or("", |m| m.as_str())
                .split('.')
                .filter(|p| !p.is_empty())
                .map(String::from)
                .collect();
            if path.is_empty() {
                reads.all = true;
            }
            reads.paths.insert(path);
        }
    }
    reads
}

impl Reads {
    /// Whether parts of a value are read, and others may not be.
    fn in_part(&self, path: &[String]) -> bool {
        let exact = self.all || self.paths.iter().any(|p| path.starts_with(p));
        !exact && self.has(path) && path.len() < DEPTH
    }

    fn has(&self, path: &[String]) -> bool {
        self.all || self.paths.iter().any(|p| p.starts_with(path) || path.starts_with(p))
    }
}

pub fn check(view: &View<'_>, builts: &[Built], out: &mut Vec<Finding>) {
    let mut charts: BTreeMap<String, Option<Reads>> = BTreeMap::new();
    // One file may be read by several charts: it is enough that one of them reads the value.
    let mut unread: BTreeMap<(String, usize), (String, Vec<String>, bool)> = BTreeMap::new();
    for built in builts {
        for hr in &built.releases {
            let path = chart_path(hr);
            let reads = charts
                .entry(path.clone())
                .or_insert_with(|| view.checkout.chart(&path, &mut Vec::new()).ok().map(|c| reads(&c)));
            let Some(reads) = reads else { continue };
            let mut look = |layer: &Layer| {
                layer.walk(&mut |keys, line, _| {
                    let entry =
                        unread.entry((layer.path.clone(), line)).or_insert_with(|| (keys.join("."), Vec::new(), false));
                    entry.1.push(built.name.clone());
                    entry.2 |= reads.has(keys);
                    reads.in_part(keys)
                });
            };
            // The chart's own files are its business, and names within Secrets are not told.
            let own = format!("{path}/");
            let layers = built.environment.written_layers(view.checkout, hr);
            layers.iter().filter(|layer| !layer.secret && !layer.path.starts_with(&own)).for_each(&mut look);
        }
    }
    for ((path, line), (keys, mut environments, read)) in unread {
        if read {
            continue;
        }
        environments.sort();
        environments.dedup();
        let finding = Finding::new(&rules::VALUES_UNREAD, path, line, format!("no template reads {keys}"));
        let fix = "remove it, or correct its name: the chart's templates and values.yaml show what there is";
        out.push(Finding { environments, ..finding.with_fix(fix) });
    }
}
