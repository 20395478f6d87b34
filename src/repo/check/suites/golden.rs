//! Golden snapshots: `tests/NAME.yaml` are values, `tests/__snapshots__/NAME.yaml` is what the chart renders with them.
//!
//! A snapshot is `pintle template`'s text for a release `release-name` in the namespace `default`: manifests in the order of an installation, then hooks, each
//! under its `# Source:`. Reviewers read it in a pull request. Two things differ from `template`: the world is pinned (see the room's opening), and the
//! values of Secrets are not in it, so that a repository holds none in clear. Objects are compared one by one, by kind, namespace and name.

use std::collections::BTreeSet;

use super::super::environments::template_place;
use super::super::rules;
use super::lines;
use super::{Subject, TESTS, Updates};
use crate::diagnostic::LogLine;
use crate::render::{self, Release, ReleaseOptions, Request};
use crate::repo::check::objects::template_path;
use crate::repo::document::{self, Node};
use crate::repo::mask::MASK;
use crate::report::Finding;
use crate::values::ValueOptions;
use crate::yaml::{self, Head};

/// The folder of the snapshots, below the chart's tests.
const SNAPSHOTS: &str = "__snapshots__";

const MEANT: &str =
    "if the change is meant, run pintle check CHART --update and commit what it writes; else correct the chart";

/// One rendered object, or one that is stored.
struct Part {
    /// What it is: `Deployment/default/web`, with a number behind it where several are called so.
    key: String,
    /// For people: `Deployment web`.
    name: String,
    source: String,
    text: String,
    /// The line of the snapshot on which its text begins, 1-based.
    line: usize,
}

/// Compares all snapshots of a chart. `names` is what lies in its tests folder, `used` the values files that suites name: those are
/// no cases of their own unless they have a snapshot.
pub fn check(
    s: &Subject<'_>,
    names: &[String],
    used: &BTreeSet<String>,
    out: &mut Vec<Finding>,
    updates: &mut Updates,
) -> Result<(), String> {
    let folder = s.path(&format!("{TESTS}/{SNAPSHOTS}"));
    let stored: Vec<String> = s.checkout.list(&folder).unwrap_or_default();
    let stored: Vec<&str> = stored.iter().map(String::as_str).filter(|n| stem(n).is_some()).collect();
    let mut cases = BTreeSet::new();
    for name in names {
        let Some(case) = stem(name).filter(|c| !c.ends_with("_test")) else { continue };
        let path = s.path(&format!("{TESTS}/{name}"));
        let has_snapshot = stored.iter().any(|n| stem(n) == Some(case));
        if s.chart.is_library() || (!has_snapshot && used.contains(&path)) {
            continue;
        }
        let text = match s.checkout.read(&path) {
            Ok(text) => text,
            Err(e) => {
                out.push(Finding::new(&rules::CHART_SNAPSHOT, path, 0, e).with_fix("make it a readable file"));
                continue;
            }
        };
        if !has_snapshot && is_object(&text) {
            continue;
        }
        cases.insert(case.to_owned());
        one(s, &path, &text, &format!("{folder}/{case}.yaml"), has_snapshot, out, updates)?;
    }
    for name in stored {
        let path = format!("{folder}/{name}");
        if stem(name).is_some_and(|case| cases.contains(case) && name.ends_with(".yaml")) {
            continue;
        }
        if s.update {
            s.remove(&path)?;
            updates.removed += 1;
            continue;
        }
        let message = format!("no values file {TESTS}/{name} belongs to this snapshot");
        let fix = "run pintle check CHART --update, which removes it, or bring the values file back";
        out.push(Finding::new(&rules::CHART_STALE_SNAPSHOT, path, 0, message).with_fix(fix));
    }
    Ok(())
}

/// A values file's name without its ending.
fn stem(name: &str) -> Option<&str> {
    name.strip_suffix(".yaml").or_else(|| name.strip_suffix(".yml"))
}

/// A manifest among the values files.
fn is_object(text: &[u8]) -> bool {
    let documents = document::parse(text).unwrap_or_default();
    documents.iter().any(|d| d.root.get("apiVersion").is_some() && d.root.get("kind").is_some())
}

fn one(
    s: &Subject<'_>,
    values: &str,
    values_text: &[u8],
    snapshot: &str,
    has_snapshot: bool,
    out: &mut Vec<Finding>,
    updates: &mut Updates,
) -> Result<(), String> {
    let release = match render(s, values, values_text) {
        Ok(release) => release,
        Err(message) => {
            failed(s, values, values_text, &message, out);
            return Ok(());
        }
    };
    let now = parts_of(&release);
    let text = write(values, &now);
    let Ok(old) = s.checkout.read(snapshot).map(|t| String::from_utf8_lossy(&t).replace("\r\n", "\n")) else {
        if s.update {
            s.write(snapshot, text.as_bytes())?;
            updates.written += 1;
        } else {
            let message = if has_snapshot { "can't be read" } else { "has no snapshot yet" };
            let fix = "run pintle check CHART --update and commit what it writes";
            out.push(
                Finding::new(&rules::CHART_SNAPSHOT, values, 0, format!("{values} {message}: {snapshot}"))
                    .with_fix(fix),
            );
        }
        return Ok(());
    };
    if old == text {
        return Ok(());
    }
    if s.update {
        s.write(snapshot, text.as_bytes())?;
        updates.written += 1;
        return Ok(());
    }
    let before = out.len();
    compare(values, snapshot, &read(&old), &now, out);
    if out.len() == before {
        // The same objects in another order, or somebody edited what stands around them.
        let (line, diff) = lines::difference(&old, &text).unwrap_or_default();
        let message = format!("the objects that {values} renders are the same, the text is not:\n{diff}");
        out.push(Finding::new(&rules::CHART_SNAPSHOT, snapshot, line + 1, message).with_fix(MEANT));
    }
    Ok(())
}

/// One finding for each object that is not what it was.
fn compare(values: &str, snapshot: &str, old: &[Part], now: &[Part], out: &mut Vec<Finding>) {
    let mut say = |line: usize, message: String| {
        out.push(Finding::new(&rules::CHART_SNAPSHOT, snapshot, line, message).with_fix(MEANT));
    };
    for part in old {
        let Some(new) = now.iter().find(|p| p.key == part.key) else {
            say(part.line, format!("{} is not rendered any more with {values}", part.name));
            continue;
        };
        if let Some((line, diff)) = lines::difference(&part.text, &new.text) {
            say(part.line + line, format!("{} of {} is not what {values} renders:\n{diff}", part.name, new.source));
        }
    }
    for part in now.iter().filter(|p| !old.iter().any(|o| o.key == p.key)) {
        say(0, format!("{} of {} is rendered with {values} and not in the snapshot", part.name, part.source));
    }
}

fn render(s: &Subject<'_>, values: &str, text: &[u8]) -> Result<Release, String> {
    let mut log: Vec<LogLine> = Vec::new();
    let chart = s.chart.clone();
    render::check_installable(&chart, &mut log)?;
    let mut st = s.state();
    let options = ValueOptions { files: vec![values.to_owned()], ..ValueOptions::default() };
    let values = options.merge(&mut st.heap, &mut |_| Ok(text.to_vec()))?;
    let request = Request {
        release: ReleaseOptions {
            name: "release-name".into(),
            namespace: "default".into(),
            revision: 1,
            is_install: true,
            is_upgrade: false,
        },
        capabilities: s.settings.capabilities.clone(),
        skip_schema_validation: false,
    };
    render::release(&mut st, chart, values, &request, &mut log).map_err(|f| f.message)
}

/// Values that the chart can't be rendered with: said where the template or the value stands.
fn failed(s: &Subject<'_>, values: &str, text: &[u8], message: &str, out: &mut Vec<Finding>) {
    let schema = "values don't meet the specifications of the schema(s) in the following chart(s):\n";
    if let Some((_, list)) = message.split_once(schema) {
        let documents = document::parse(text).unwrap_or_default();
        for line in list.lines().filter(|l| l.trim_start().starts_with("- ")) {
            let said = line.trim().trim_start_matches("- ");
            let pointer = said.strip_prefix("at '").and_then(|r| r.split_once('\'')).map_or("", |(p, _)| p);
            let steps = pointer.split('/').filter(|p| !p.is_empty());
            let mut at = documents.last().map(|d| &d.root);
            let mut place = 1;
            for step in steps {
                let Some((key, value)) = at.and_then(|n| n.entry(step)) else { break };
                place = key.line();
                at = Some(value);
            }
            let fix = format!("correct the value, or {}", s.path("values.schema.json"));
            out.push(Finding::new(&rules::VALUES_SCHEMA, values, place, said).with_fix(fix));
        }
        return;
    }
    let (path, line) = template_place(message)
        .map(|(template, line)| (template_path(s.dir, &template), line))
        .filter(|(path, _)| s.checkout.is_file(path))
        .unwrap_or_else(|| (values.to_owned(), 0));
    let text = format!("{} can't be rendered with {values}: {message}", s.chart.name());
    let fix = format!("correct the template, or {values}");
    out.push(Finding::new(&rules::BUILD_RENDER, path, line, text).with_fix(fix));
}

fn parts_of(release: &Release) -> Vec<Part> {
    let manifests = release.manifests.iter().map(|m| (m.name.as_str(), m.content.as_slice()));
    let hooks = release.hooks.iter().map(|h| (h.path.as_str(), h.manifest.as_slice()));
    let mut parts: Vec<Part> = Vec::new();
    for (source, text) in manifests.chain(hooks) {
        let text = String::from_utf8_lossy(text).replace("\r\n", "\n");
        let text = without_secrets(&text).unwrap_or_else(|| text.trim_end().to_owned());
        push(&mut parts, source, text, 0);
    }
    parts
}

fn push(parts: &mut Vec<Part>, source: &str, text: String, line: usize) {
    let head = yaml::head(text.as_bytes()).unwrap_or_default();
    let Head { kind, name, .. } = head;
    let documents = document::parse(text.as_bytes()).unwrap_or_default();
    let metadata = documents.first().and_then(|d| d.root.get("metadata"));
    let namespace = metadata.and_then(|m| m.get("namespace")).and_then(Node::as_str).unwrap_or_default();
    let plain = format!("{kind}/{namespace}/{name}");
    let same = parts.iter().filter(|p| p.key == plain || p.key.starts_with(&format!("{plain}#"))).count();
    let key = if same == 0 { plain } else { format!("{plain}#{same}") };
    let shown = if kind.is_empty() { "a document".to_owned() } else { format!("{kind} {name}") };
    parts.push(Part { key, name: shown, source: source.to_owned(), text, line });
}

/// A Secret without its values; nothing for other texts.
fn without_secrets(text: &str) -> Option<String> {
    if !text.contains("Secret") {
        return None;
    }
    let documents = document::parse(text.as_bytes()).ok()?;
    let root = &documents.first()?.root;
    if root.get("kind").and_then(Node::as_str) != Some("Secret") {
        return None;
    }
    let mut heap = crate::value::Heap::new();
    let map = yaml::to_map(&mut heap, text.as_bytes()).ok()?;
    for field in ["data", "stringData"] {
        let Some(crate::value::Value::Map(data)) = heap.map(map).get(field).cloned() else { continue };
        let keys: Vec<_> = heap.map(data).keys().cloned().collect();
        for key in keys {
            heap.map_mut(data).insert(key, MASK.into());
        }
    }
    let text = yaml::marshal(&mut heap, &crate::value::Value::Map(map)).ok()?;
    Some(String::from_utf8_lossy(&text).trim_end().to_owned())
}

fn write(values: &str, parts: &[Part]) -> String {
    let name = values.rsplit('/').next().unwrap_or(values);
    let mut out = format!("# What the chart renders with {TESTS}/{name}. pintle check --update writes it.\n");
    for part in parts {
        out.push_str(&format!("---\n# Source: {}\n{}\n", part.source, part.text));
    }
    out
}

/// The objects of a stored snapshot with their lines.
fn read(text: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    // Source, lines, and the line where they begin.
    let mut open: Option<(&str, Vec<&str>, usize)> = None;
    let mut lines = text.lines().enumerate().peekable();
    while let Some((n, line)) = lines.next() {
        let source = lines.peek().and_then(|(_, next)| next.strip_prefix("# Source: "));
        if line == "---"
            && let Some(source) = source
        {
            if let Some((source, body, at)) = open.replace((source, Vec::new(), n + 3)) {
                push(&mut parts, source, body.join("\n"), at);
            }
            lines.next();
        } else if let Some((_, body, _)) = &mut open {
            body.push(line);
        }
    }
    if let Some((source, body, at)) = open {
        push(&mut parts, source, body.join("\n"), at);
    }
    parts
}
