//! How a service's values differ between environments where that is most likely a slip: the case of a key, the type of a value.

use std::collections::BTreeMap;

use super::environments::{Built, View};
use super::rules;
use super::suggest::nearest;
use crate::repo::document::Kind;
use crate::report::Finding;

/// One setting: where, in which environment, of which type.
struct Setting {
    environment: String,
    path: String,
    line: usize,
    kind: Kind,
}

/// The deepest path that is compared.
const DEPTH: usize = 12;

pub fn check(view: &View<'_>, builts: &[Built], out: &mut Vec<Finding>) {
    let mut services: BTreeMap<&str, BTreeMap<Vec<String>, Vec<Setting>>> = BTreeMap::new();
    for built in builts {
        for hr in &built.releases {
            let settings = services.entry(hr.name.as_str()).or_default();
            for layer in built.environment.written_layers(view.checkout, hr).iter().filter(|layer| !layer.secret) {
                layer.walk(&mut |keys, line, kind| {
                    let setting = Setting { environment: built.name.clone(), path: layer.path.clone(), line, kind };
                    settings.entry(keys.to_vec()).or_default().push(setting);
                    keys.len() < DEPTH
                });
            }
        }
    }
    for settings in services.values() {
        types(settings, out);
        cases(settings, out);
    }
}

/// Types that templates take for one another without harm.
const fn class(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::Null => None,
        Kind::Int | Kind::Float => Some("number"),
        other => Some(other.as_str()),
    }
}

fn types(settings: &BTreeMap<Vec<String>, Vec<Setting>>, out: &mut Vec<Finding>) {
    for (keys, list) in settings {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for kind in list.iter().filter_map(|s| class(s.kind)) {
            *counts.entry(kind).or_default() += 1;
        }
        if counts.len() < 2 {
            continue;
        }
        // The rarer is the slip; of two equally frequent, that which comes later.
        let Some(usual) = list.iter().filter_map(|s| class(s.kind)).max_by_key(|k| counts.get(k).copied().unwrap_or(0))
        else {
            continue;
        };
        let first = list.iter().filter_map(|s| class(s.kind)).next().unwrap_or(usual);
        let usual = if counts.get(first) == counts.get(usual) { first } else { usual };
        for odd in list.iter().filter(|s| class(s.kind).is_some_and(|k| k != usual)) {
            let kind = class(odd.kind).unwrap_or_default();
            // One line that is built differently is no slip between two.
            let other = |s: &&Setting| class(s.kind) == Some(usual) && (&s.path, s.line) != (&odd.path, odd.line);
            let Some(example) = list.iter().find(other) else { continue };
            let place = format!("{}:{}", example.path, example.line);
            let message = format!("{} is a {kind} here and a {usual} in {place}", keys.join("."));
            let fix = format!("write a {usual}, or make the others a {kind}");
            out.push(
                Finding::new(&rules::VALUES_KEY_TYPE, odd.path.clone(), odd.line, message)
                    .with_fix(fix)
                    .in_environment(&odd.environment),
            );
        }
    }
}

fn cases(settings: &BTreeMap<Vec<String>, Vec<Setting>>, out: &mut Vec<Finding>) {
    let mut folded: BTreeMap<Vec<String>, Vec<&Vec<String>>> = BTreeMap::new();
    for keys in settings.keys() {
        let Some((last, before)) = keys.split_last() else { continue };
        let mut key = before.to_vec();
        key.push(last.to_lowercase());
        folded.entry(key).or_default().push(keys);
    }
    for variants in folded.values().filter(|v| v.len() > 1) {
        let count = |keys: &&Vec<String>| settings.get(*keys).map_or(0, Vec::len);
        let Some(usual) = variants.iter().max_by_key(|k| count(k)) else { continue };
        for odd in variants.iter().filter(|k| *k != usual) {
            for setting in settings.get(*odd).into_iter().flatten() {
                let written = odd.last().map_or("", String::as_str);
                let meant = usual.last().map_or("", String::as_str);
                let shown = nearest(written, [meant]).unwrap_or(meant);
                let message = format!("{} is {} elsewhere: keys differ by their case", odd.join("."), usual.join("."));
                let finding = Finding::new(&rules::VALUES_KEY_CASE, setting.path.clone(), setting.line, message);
                out.push(finding.with_fix(format!("write {shown}")).in_environment(&setting.environment));
            }
        }
    }
}
