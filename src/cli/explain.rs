//! Why a render failed, for people: the line of the template with a caret, the chain of includes that led there, and a hint.
//!
//! Helm's text stays the first line of the error; this comes behind it, on a terminal or with `--explain-errors`.

use std::collections::HashMap;
use std::sync::Arc;

use crate::chart::Chart;
use crate::diagnostic::{Diagnostic, Label, Source, Span};
use crate::gotmpl::{CallError, ExecCause, ExecError};
use crate::value::{Heap, MapId, Value};

use super::origin::Origins;

/// The texts that errors point into: path as Helm names it → text.
#[derive(Debug, Default)]
pub struct Texts {
    templates: HashMap<String, Arc<[u8]>>,
}

impl Texts {
    /// All templates of a chart and its subcharts.
    pub fn of(chart: &Chart) -> Self {
        fn add(chart: &Chart, full_path: &str, out: &mut HashMap<String, Arc<[u8]>>) {
            for t in &chart.templates {
                out.insert(format!("{full_path}/{}", t.name), t.data.shared().clone());
            }
            for d in &chart.dependencies {
                // A dependency may still get its alias; templates are then looked up by their own names.
                add(d, &d.path_below(full_path), out);
            }
        }
        let mut templates = HashMap::new();
        add(chart, chart.name(), &mut templates);
        Self { templates }
    }

    fn source(&self, name: &str) -> Option<Source> {
        let text = self.templates.get(name)?;
        Some(Source { name: name.into(), text: String::from_utf8_lossy(text).into() })
    }

    /// Names in `define` actions of all templates.
    fn defined(&self) -> Vec<String> {
        let mut names = Vec::new();
        for text in self.templates.values() {
            let text = String::from_utf8_lossy(text);
            for part in text.split("define ").skip(1).chain(text.split("block ").skip(1)) {
                if let Some(name) = part.trim_start().strip_prefix('"').and_then(|p| p.split('"').next()) {
                    names.push(name.to_string());
                }
            }
        }
        names.sort();
        names.dedup();
        names
    }
}

/// The error in parts becomes a finding.
pub fn execution(error: &ExecError, texts: &Texts, heap: &Heap, values: MapId, origins: &Origins<'_>) -> Diagnostic {
    let mut chain = vec![error];
    let mut at = error;
    // What a `tpl` evaluates has positions of its own text, which no file holds.
    let mut in_tpl = false;
    while let ExecCause::Call { func, error: CallError::Exec(inner) } = &at.cause {
        in_tpl |= func == "tpl";
        if in_tpl {
            break;
        }
        chain.push(inner);
        at = inner;
    }
    let innermost = innermost(error);
    let message = match &innermost.cause {
        ExecCause::Msg(m) => m.clone(),
        ExecCause::Call { func, error } => format!("{func}: {error}"),
    };
    let mut d = Diagnostic::error(strip_marks(&message));
    for (i, e) in chain.iter().enumerate().rev() {
        let Some(source) = texts.source(&e.parse_name) else { continue };
        let span = span(&source.text, e.line, e.col, &e.node);
        let primary = i + 1 == chain.len();
        let text = if primary { String::new() } else { format!("included from here, in {:?}", e.template) };
        d = d.with_label(Label { source, span, text, primary });
    }
    if in_tpl {
        d = d.with_hint(format!("the failing text is evaluated by tpl: {} at line {}", innermost.node, innermost.line));
    }
    for hint in hints(innermost, &message, texts, heap, values, origins) {
        d = d.with_hint(hint);
    }
    d
}

fn innermost(mut e: &ExecError) -> &ExecError {
    while let ExecCause::Call { error: CallError::Exec(inner), .. } = &e.cause {
        e = inner;
    }
    e
}

fn strip_marks(text: &str) -> String {
    text.replace("HELM_ERR_START", "").replace("HELM_ERR_END", "")
}

/// The bytes that a line, a column and a printed node stand for.
fn span(text: &str, line: usize, col: usize, node: &str) -> Span {
    let start = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum::<usize>();
    let end = text[start..].find('\n').map_or(text.len(), |i| start + i);
    let mut from = (start + col).min(end);
    while !text.is_char_boundary(from) {
        from -= 1;
    }
    let rest = &text[from..end];
    let len = if rest.starts_with(node) { node.len() } else { rest.find([' ', ')', '}', '|']).unwrap_or(rest.len()) };
    Span { start: from, end: (from + len.max(1)).min(text.len()) }
}

fn hints(
    e: &ExecError,
    message: &str,
    texts: &Texts,
    heap: &Heap,
    values: MapId,
    origins: &Origins<'_>,
) -> Vec<String> {
    if message.contains("nil pointer evaluating") || message.contains("can't evaluate field") {
        return missing_value(e, heap, values, origins);
    }
    if let Some(name) = message.split("no template \"").nth(1).and_then(|r| r.split('"').next()) {
        let known = texts.defined();
        return nearest(name, known.iter().map(String::as_str))
            .map(|n| vec![format!("there is a template named {n:?}")])
            .unwrap_or_else(|| vec![format!("no file of the chart or its dependencies defines {name:?}")]);
    }
    if message.starts_with("wrong type for value; expected string; got float64") {
        return vec![
            "numbers of values files are floats: pipe the value through toString, or quote it in the values file"
                .into(),
        ];
    }
    Vec::new()
}

/// Which key is missing, where its parent was set, and the nearest keys that there are.
fn missing_value(e: &ExecError, heap: &Heap, values: MapId, origins: &Origins<'_>) -> Vec<String> {
    let Some(path) = e.node.split(".Values.").nth(1) else { return Vec::new() };
    let keys: Vec<&str> =
        path.split(|c: char| c == '.' || c.is_whitespace() || c == ')').take_while(|k| !k.is_empty()).collect();
    let prefix = subchart_keys(&e.parse_name);
    let mut at = values;
    for key in &prefix {
        match heap.map(at).get(key) {
            Some(Value::Map(m)) => at = *m,
            _ => return Vec::new(),
        }
    }
    let mut walked = String::from(".Values");
    for (i, key) in keys.iter().enumerate() {
        let map = heap.map(at);
        match map.get(key) {
            Some(Value::Map(m)) => at = *m,
            Some(Value::Nil) => return vec![format!("{walked}.{key} is null")],
            Some(v) => return vec![format!("{walked}.{key} is a {}, not a map", v.go_type(heap))],
            None => {
                let mut out = vec![format!("{walked}.{key} is not set")];
                let parent: Vec<&str> = prefix.iter().map(String::as_str).chain(keys[..i].iter().copied()).collect();
                if let Some(place) = origins.find(&parent) {
                    out.push(format!("{walked} is set in {place}"));
                }
                if let Some(near) = nearest(key, map.keys().filter_map(|k| std::str::from_utf8(k).ok())) {
                    out.push(format!("did you mean {walked}.{near}?"));
                } else if !map.is_empty() {
                    let keys: Vec<String> = map.keys().take(8).map(|k| k.to_text().into_owned()).collect();
                    out.push(format!("{walked} has {}", keys.join(", ")));
                }
                return out;
            }
        }
        walked.push('.');
        walked.push_str(key);
    }
    Vec::new()
}

/// `parent/charts/a/charts/b/templates/x` → `a`, `b`: where a subchart's values lie in the root's.
fn subchart_keys(path: &str) -> Vec<String> {
    let chart = path.split("/templates/").next().unwrap_or_default();
    chart.split("/charts/").skip(1).map(String::from).collect()
}

/// The closest name, if one is close enough to be a slip.
fn nearest<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    // Nobody mistypes a name of thousands of letters, and comparing them takes long.
    const MAX_NAME: usize = 100;
    let close = |n: &&str| {
        name.len() <= MAX_NAME && n.len() <= 2 * MAX_NAME && distance(name, n) <= name.chars().count().div_ceil(3)
    };
    known.filter(close).min_by_key(|n| distance(name, n))
}

/// Levenshtein's distance, letters compared without case.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.to_lowercase().chars().collect(), b.to_lowercase().chars().collect());
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.iter().enumerate() {
        let mut left = i;
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let cost = left + usize::from(ca != cb);
            left = row[j + 1];
            row[j + 1] = cost.min(row[j] + 1).min(left + 1);
        }
    }
    row[b.len()]
}

/// A parse error: `parse error at (PATH:LINE): …` or with a column.
pub fn parse(message: &str, texts: &Texts, functions: &[&'static str]) -> Option<Diagnostic> {
    let place = message.strip_prefix("parse error at (")?.split(')').next()?;
    let mut parts = place.split(':');
    let (path, line) = (parts.next()?, parts.next()?.parse().ok()?);
    let source = texts.source(path)?;
    let mut span = span(&source.text, line, 0, "");
    let line_end = source.text[span.start..].find('\n').map_or(source.text.len(), |i| span.start + i);
    span.end = line_end.max(span.start + 1).min(source.text.len());
    let mut d = Diagnostic::error(message.split("): ").nth(1).unwrap_or(message)).with_label(Label {
        source,
        span,
        text: String::new(),
        primary: true,
    });
    if let Some(name) = message.split("function \"").nth(1).and_then(|r| r.split('"').next())
        && let Some(near) = nearest(name, functions.iter().copied())
    {
        d = d.with_hint(format!("did you mean {near}?"));
    }
    Some(d)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_found() {
        assert_eq!(nearest("replicaCont", ["image", "replicaCount"].into_iter()), Some("replicaCount"));
        assert_eq!(nearest("x", ["image"].into_iter()), None);
    }

    #[test]
    fn a_place_becomes_a_range() {
        let text = "a: 1\nb: {{ .Values.x.y }}\n";
        let s = span(text, 2, 6, ".Values.x.y");
        assert_eq!(&text[s.start..s.end], ".Values.x.y");
        let s = span(text, 9, 3, "x");
        assert!(s.end <= text.len());
    }
}
