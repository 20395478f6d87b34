//! One test: render once, then hold every assertion against the documents that it is about.

use std::collections::BTreeMap;

use super::assertion::{Assertion, Selector};
use super::data::{Wrong, Yaml};
use super::path::Path;
use super::render::{Place, Rendered};
use super::snapshots::Snapshots;
use super::suite::Test;
use super::validate::{Context, validate};

/// What came of a test.
pub struct Ran {
    /// What failed, each with its line in the suite.
    pub failed: Vec<Wrong>,
    /// Nothing was asserted.
    pub unrunnable: bool,
}

/// Runs a test.
pub fn run(place: &Place<'_>, test: &Test, snapshots: &mut Snapshots) -> Ran {
    let may_fail = test.asserts.iter().any(|a| a.wants_failure);
    let rendered = match place.render(test, may_fail) {
        Ok(rendered) => rendered,
        Err(message) => return Ran { failed: vec![Wrong { line: test.line, message }], unrunnable: true },
    };
    snapshots.begin(&test.name);
    let mut failed = Vec::new();
    for assertion in &test.asserts {
        if let Err(message) = hold(place, test, assertion, &rendered, snapshots) {
            failed.push(Wrong { line: assertion.line, message: format!("{}: {message}", assertion.name) });
        }
    }
    Ran { failed, unrunnable: false }
}

fn hold(
    place: &Place<'_>,
    test: &Test,
    a: &Assertion,
    rendered: &Rendered,
    snapshots: &mut Snapshots,
) -> Result<(), String> {
    let templates = templates(place, test, a, rendered);
    let mut by_template: BTreeMap<&str, Vec<Yaml>> =
        templates.iter().map(|t| (t.as_str(), rendered.documents.get(t).cloned().unwrap_or_default())).collect();
    let index = test.index.unwrap_or(a.index);
    if let Some(selector) = a.selector.as_ref().or(test.selector.as_ref()) {
        by_template = select(selector, by_template)?;
    } else if index != -1 {
        for docs in by_template.values_mut() {
            let chosen = usize::try_from(index).ok().and_then(|i| docs.get(i)).cloned();
            *docs = vec![chosen.ok_or_else(|| format!("document index {index} is out of range"))?];
        }
    }
    // Either all that was wanted to fail failed, or nothing did.
    let as_wanted = a.wants_failure != rendered.succeeded;
    if by_template.is_empty() {
        if test.selector.as_ref().is_some_and(|s| s.skip_empty) {
            return Ok(());
        }
        if !as_wanted {
            return Err(unwanted(rendered));
        }
        let mut cx = Context { all: &[], chosen: &[], error: rendered.error.as_deref(), snapshots };
        return validate(a, &mut cx);
    }
    let mut failed = Vec::new();
    for (template, chosen) in by_template {
        let all = rendered.documents.get(template);
        let result = match all {
            None if !a.wants_failure => Err("the template does not exist or is not selected in the suite".into()),
            _ if !as_wanted => Err(unwanted(rendered)),
            all => {
                let all = all.map_or(&[][..], Vec::as_slice);
                let mut cx = Context { all, chosen: &chosen, error: rendered.error.as_deref(), snapshots };
                validate(a, &mut cx)
            }
        };
        if let Err(message) = result {
            let (first, rest) = message.split_once('\n').map_or((message.as_str(), None), |(a, b)| (a, Some(b)));
            let rest = rest.map_or_else(String::new, |r| format!("\n{r}"));
            failed.push(format!("{first} ({template}){rest}"));
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(failed.join("\n")) }
}

fn unwanted(rendered: &Rendered) -> String {
    if rendered.succeeded {
        return "the render was expected to fail, and it did not".into();
    }
    let raw = rendered.documents.values().flatten().find_map(|d| d.get("raw")).and_then(Yaml::as_text);
    let why = rendered.error.as_deref().or(raw).unwrap_or_default();
    format!("the chart can't be rendered: {why}")
}

/// The templates that an assertion is about.
fn templates(place: &Place<'_>, test: &Test, a: &Assertion, rendered: &Rendered) -> Vec<String> {
    if !a.template.is_empty() {
        return vec![place.template(&a.template)];
    }
    if !test.templates.is_empty() {
        return test.templates.iter().map(|t| place.template(t)).collect();
    }
    if test.rendered.is_empty() || test.rendered.iter().any(|t| t.contains('*')) {
        return rendered.files.iter().cloned().collect();
    }
    test.rendered.iter().map(|t| place.template(t)).collect()
}

/// The documents in which a path leads to a value, or to anything.
fn select<'t>(s: &Selector, all: BTreeMap<&'t str, Vec<Yaml>>) -> Result<BTreeMap<&'t str, Vec<Yaml>>, String> {
    let path = Path::parse(&s.path)?;
    let fits = |doc: &Yaml| {
        let found = path.find(doc, doc);
        found.iter().any(|v| s.value == Yaml::Null || *v == s.value)
    };
    let mut out = BTreeMap::new();
    let mut count = 0;
    for (template, docs) in all {
        let chosen: Vec<Yaml> = docs.into_iter().filter(fits).collect();
        count += chosen.len();
        if !chosen.is_empty() {
            out.insert(template, chosen);
        }
    }
    if count > 1 && !s.many {
        return Err(format!("{count} documents match {}: one is wanted, or matchMany: true", s.path));
    }
    if count == 0 && !s.skip_empty {
        return Err(format!("no document matches {}", s.path));
    }
    Ok(out)
}
