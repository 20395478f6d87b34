//! Suites as files have them: what is rendered, and what must hold.
//!
//! The fields are helm-unittest's. What it would pass over in silence, a field that it does not know, is a finding here: a misspelt assertion
//! would pass for ever.

use std::collections::BTreeMap;

use super::assertion::{self, Assertion, Selector};
use super::data::{Doc, Wrong, Yaml};
use crate::golang::regexp::Regexp;
use crate::golang::semver::Version;
use crate::yaml::tree::NodeId;

/// The version of helm-unittest that suites are run like.
pub const LIKE: &str = "1.1.2";

/// One test of a suite, with what the suite says for all of them.
#[derive(Clone, Debug, Default)]
pub struct Test {
    pub suite: String,
    pub name: String,
    pub line: usize,
    pub values: Vec<String>,
    /// Paths and values, the suite's first.
    pub set: Vec<(String, Yaml)>,
    /// The suite's templates; all if empty.
    pub rendered: Vec<String>,
    pub excluded: Vec<String>,
    pub include_crds: bool,
    /// The test's own choice of those.
    pub templates: Vec<String>,
    pub index: Option<i64>,
    pub selector: Option<Selector>,
    pub release_name: String,
    pub namespace: String,
    pub revision: i64,
    pub upgrade: bool,
    pub chart_version: String,
    pub app_version: String,
    pub major: String,
    pub minor: String,
    pub api_versions: Vec<String>,
    /// What `lookup` finds.
    pub cluster: Cluster,
    pub skip: bool,
    pub asserts: Vec<Assertion>,
}

/// A made-up cluster.
#[derive(Clone, Debug, Default)]
pub struct Cluster {
    pub objects: Vec<Yaml>,
    /// The kinds that it knows, `v1/Pod`, and whether their objects live in namespaces.
    pub kinds: BTreeMap<String, bool>,
}

/// A suite: its tests, and what is wrong with its text.
#[derive(Debug, Default)]
pub struct Suite {
    pub snapshot_id: String,
    pub tests: Vec<Test>,
    pub wrong: Vec<Wrong>,
}

/// The suites of a file. What is wrong in one does not hide the others.
pub fn read(text: &str) -> Vec<Suite> {
    let mut suites = Vec::new();
    for (part, before) in split(text) {
        if part.trim().is_empty() {
            continue;
        }
        let mut suite = Suite::default();
        let parsed = read_one(part, before, &mut suite);
        let parsed = match parsed {
            // helm-unittest tries again with every single backslash doubled.
            Err(wrong) if wrong.message.contains("unknown escape character") => {
                suite = Suite::default();
                read_one(&doubled(part), before, &mut suite)
            }
            parsed => parsed,
        };
        if let Err(wrong) = parsed {
            suite.wrong.push(wrong);
        }
        suites.push(suite);
    }
    suites
}

/// The parts between `---`, each with the number of lines before it.
pub fn split(text: &str) -> Vec<(&str, usize)> {
    let Ok(separator) = Regexp::cached(br"(?:^|\s*\n)---\s*") else { return vec![(text, 0)] };
    let mut parts = Vec::new();
    let mut start = 0;
    let mut push = |from: usize, to: usize| {
        let before = text[..from].bytes().filter(|b| *b == b'\n').count();
        parts.push((&text[from..to], before));
    };
    for found in separator.find_all(text.as_bytes(), -1) {
        // The separator's blanks are ASCII, so these are places between characters.
        push(start, found.start);
        start = found.end;
    }
    push(start, text.len());
    parts
}

fn doubled(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut run = 0;
    for c in text.chars() {
        if c == '\\' {
            run += 1;
        } else {
            if run % 2 == 1 {
                out.push('\\');
            }
            run = 0;
        }
        out.push(c);
    }
    if run % 2 == 1 {
        out.push('\\');
    }
    out
}

fn read_one(text: &str, before: usize, suite: &mut Suite) -> Result<(), Wrong> {
    let doc = Doc::parse(text.as_bytes(), before)?;
    let Some(root) = doc.root() else { return Ok(()) };
    let mut common = Test::default();
    let mut tests: Option<NodeId> = None;
    let mut capabilities = None;
    for (key, line, node) in doc.entries(root)? {
        match key.as_str() {
            "suite" => common.suite = doc.text(node)?,
            "values" => common.values = texts(&doc, node)?,
            "set" => common.set = set(&doc, node)?,
            "templates" => common.rendered = texts(&doc, node)?,
            "excludeTemplates" => common.excluded = texts(&doc, node)?,
            "includeCrds" => common.include_crds = doc.bool(node)?,
            "release" => release(&doc, node, &mut common, &mut suite.wrong)?,
            "chart" => chart(&doc, node, &mut common, &mut suite.wrong)?,
            "capabilities" => capabilities = Some(node),
            "snapshotId" => suite.snapshot_id = doc.text(node)?,
            "skip" => common.skip = skip(&doc, node, true, &mut suite.wrong)?,
            "kubernetesProvider" => common.cluster = cluster(&doc, node, &mut suite.wrong)?,
            "tests" => tests = Some(node),
            // Nothing of the suite would be what it is meant to be.
            "postRenderer" => return Err(unknown(line, "a suite", &key)),
            // There to be taken from elsewhere in the suite.
            _ if doc.is_shared(node) => {}
            _ => suite.wrong.push(unknown(line, "a suite", &key)),
        }
    }
    if let Some(node) = capabilities {
        common.capabilities(&doc, node, true, &mut suite.wrong)?;
    }
    let list = tests.map_or(Ok(Vec::new()), |node| doc.items(node))?;
    if list.is_empty() {
        return Err(Wrong { line: doc.line(root), message: "the suite has no tests".into() });
    }
    for node in list {
        if doc.is_null(node) {
            suite.wrong.push(doc.wrong(node, "an empty test"));
            continue;
        }
        match test(&doc, node, &common, &mut suite.wrong) {
            Ok(test) => suite.tests.push(test),
            Err(wrong) => suite.wrong.push(wrong),
        }
    }
    Ok(())
}

fn test(doc: &Doc<'_>, node: NodeId, common: &Test, wrong: &mut Vec<Wrong>) -> Result<Test, Wrong> {
    let mut t = Test { line: doc.line(node), ..common.clone() };
    let mut asserts = None;
    for (key, line, value) in doc.entries(node)? {
        match key.as_str() {
            "it" => {
                t.name = doc.text(value)?;
                t.line = line;
            }
            "values" => t.values.extend(texts(doc, value)?),
            "set" => t.set.extend(set(doc, value)?),
            "template" => {
                // `templates` goes first where both are given.
                let template = doc.text(value)?;
                if t.templates.is_empty() && !template.is_empty() {
                    t.templates.push(template);
                }
            }
            "templates" => {
                let list = texts(doc, value)?;
                if !list.is_empty() {
                    t.templates = list;
                }
            }
            "documentIndex" if doc.is_null(value) => {}
            "documentIndex" => t.index = Some(doc.int(value)?),
            "documentSelector" => t.selector = assertion::selector(doc, value, wrong)?,
            "release" => release(doc, value, &mut t, wrong)?,
            "chart" => chart(doc, value, &mut t, wrong)?,
            "capabilities" => t.capabilities(doc, value, false, wrong)?,
            "asserts" => asserts = Some(value),
            "skip" => t.skip |= skip(doc, value, false, wrong)?,
            "kubernetesProvider" => {
                let mut own = cluster(doc, value, wrong)?;
                own.objects.append(&mut t.cluster.objects);
                own.kinds.append(&mut t.cluster.kinds);
                t.cluster = own;
            }
            "postRenderer" => return Err(unknown(line, "a test", &key)),
            _ => wrong.push(unknown(line, "a test", &key)),
        }
    }
    let list = asserts.map_or(Ok(Vec::new()), |node| doc.items(node))?;
    if list.is_empty() {
        return Err(Wrong { line: t.line, message: format!("the test {:?} asserts nothing", t.name) });
    }
    for node in list {
        match assertion::read(doc, node, wrong) {
            Ok(Some(assertion)) => t.asserts.push(assertion),
            Ok(None) => {}
            Err(e) => wrong.push(e),
        }
    }
    Ok(t)
}

/// A field that nobody knows.
pub fn unknown(line: usize, place: &str, key: &str) -> Wrong {
    let message = match key {
        "postRenderer" => format!("postRenderer of {place} is not supported: programs are not run by a check"),
        _ => format!("unknown field {key} of {place}"),
    };
    Wrong { line, message }
}

fn texts(doc: &Doc<'_>, node: NodeId) -> Result<Vec<String>, Wrong> {
    doc.items(node)?.into_iter().map(|i| doc.text(i)).collect()
}

fn set(doc: &Doc<'_>, node: NodeId) -> Result<Vec<(String, Yaml)>, Wrong> {
    doc.entries(node)?.into_iter().map(|(k, _, v)| Ok((k, doc.yaml(v)?))).collect()
}

fn release(doc: &Doc<'_>, node: NodeId, t: &mut Test, wrong: &mut Vec<Wrong>) -> Result<(), Wrong> {
    for (key, line, value) in doc.entries(node)? {
        match key.as_str() {
            "name" => over(&mut t.release_name, doc.text(value)?),
            "namespace" => over(&mut t.namespace, doc.text(value)?),
            "revision" => {
                let revision = doc.int(value)?;
                t.revision = if revision == 0 { t.revision } else { revision };
            }
            "upgrade" => t.upgrade |= doc.bool(value)?,
            _ => wrong.push(unknown(line, "release", &key)),
        }
    }
    Ok(())
}

fn chart(doc: &Doc<'_>, node: NodeId, t: &mut Test, wrong: &mut Vec<Wrong>) -> Result<(), Wrong> {
    for (key, line, value) in doc.entries(node)? {
        match key.as_str() {
            "version" => over(&mut t.chart_version, doc.text(value)?),
            "appVersion" => over(&mut t.app_version, doc.text(value)?),
            _ => wrong.push(unknown(line, "chart", &key)),
        }
    }
    Ok(())
}

/// A test's setting over the suite's, if it says anything.
fn over(slot: &mut String, text: String) {
    if !text.is_empty() {
        *slot = text;
    }
}

fn skip(doc: &Doc<'_>, node: NodeId, of_suite: bool, wrong: &mut Vec<Wrong>) -> Result<bool, Wrong> {
    let mut skips = false;
    for (key, line, value) in doc.entries(node)? {
        match key.as_str() {
            "reason" => skips |= !doc.text(value)?.is_empty(),
            "minimumVersion" if of_suite => {
                let text = doc.text(value)?;
                let (Ok(minimum), Ok(like)) = (Version::new(&text), Version::new(LIKE)) else {
                    skips |= !text.is_empty();
                    continue;
                };
                skips |= like.compare(&minimum).is_lt();
            }
            _ => wrong.push(unknown(line, "skip", &key)),
        }
    }
    Ok(skips)
}

/// The objects of a made-up cluster, and its kinds. A kind that is not listed is not found.
fn cluster(doc: &Doc<'_>, node: NodeId, wrong: &mut Vec<Wrong>) -> Result<Cluster, Wrong> {
    let mut out = Cluster::default();
    for (key, line, value) in doc.entries(node)? {
        match key.as_str() {
            "objects" => out.objects = doc.items(value)?.into_iter().map(|i| doc.yaml(i)).collect::<Result<_, _>>()?,
            "scheme" => {
                for (kind, _, node) in doc.entries(value)? {
                    let namespaced = doc.entries(node)?.into_iter().find(|e| e.0 == "namespaced");
                    out.kinds.insert(kind, namespaced.map_or(Ok(false), |e| doc.bool(e.2))?);
                }
            }
            _ => wrong.push(unknown(line, "kubernetesProvider", &key)),
        }
    }
    Ok(out)
}

impl Test {
    fn capabilities(
        &mut self,
        doc: &Doc<'_>,
        node: NodeId,
        of_suite: bool,
        wrong: &mut Vec<Wrong>,
    ) -> Result<(), Wrong> {
        let number = |value| match doc.yaml(value)? {
            // Of a test's numbers only whole ones and texts count.
            Yaml::Float(_) | Yaml::Bool(_) if !of_suite => Ok(String::new()),
            _ => doc.text(value),
        };
        for (key, line, value) in doc.entries(node)? {
            match key.as_str() {
                "majorVersion" => over(&mut self.major, number(value)?),
                "minorVersion" => over(&mut self.minor, number(value)?),
                "apiVersions" if of_suite => self.api_versions = texts(doc, value)?,
                // A test without any takes the suite's away.
                "apiVersions" => match doc.yaml(value)? {
                    Yaml::List(items) => {
                        let own: Vec<String> = items.iter().filter_map(|i| i.as_text().map(String::from)).collect();
                        self.api_versions.splice(0..0, own);
                    }
                    _ => self.api_versions.clear(),
                },
                _ => wrong.push(unknown(line, "capabilities", &key)),
            }
        }
        Ok(())
    }
}
