//! The second engine: files `templates/**/*.tera` are rendered by [Tera](https://docs.rs/tera), beside Helm's own templates.
//!
//! A chart opts in by having such files. They see the same `Values`, `Release`, `Chart`, `Capabilities` and `Files`, and Helm's
//! functions as filters; what they write joins the manifests of the other templates under the file's path without `.tera`. Files
//! whose name begins with `_` are there to be extended, included or to define components, and print nothing themselves.
//!
//! Nothing is escaped, and a template can neither read files nor ask the clock or the network. Tera bounds its recursion itself;
//! here the output is bounded. What a template builds up in its variables is not: Tera has no such limit.

mod convert;
mod filters;

use std::collections::BTreeMap;
use std::io;

use ::tera::value::Key;
use ::tera::{Context, Error, ErrorKind, Map, Tera};

use crate::value::{Heap, MapId, Str, Value};

/// What ends the name of a Tera template.
pub const SUFFIX: &str = ".tera";

/// All that the templates of a chart may write together, in bytes.
pub const MAX_OUTPUT: usize = 1 << 30;

/// Templates by their full paths.
type Files<'a> = Vec<(String, &'a [u8])>;

/// Renders the Tera templates of one chart.
///
/// `files` are all of them with their full paths (`chart/templates/x.yaml.tera`); `context` is the dot of the chart's templates.
/// The result has the full path without `.tera` and the text of each file that prints, in the order given.
///
/// # Errors
/// The first problem, as `chart/templates/x.yaml.tera:3:7: what`.
pub fn render(heap: &mut Heap, files: &[(String, &[u8])], context: &Value) -> Result<Vec<(String, Vec<u8>)>, String> {
    // The dots of subcharts would bring all of their values and files along, for nobody.
    let context = match context {
        Value::Map(m) => {
            let own: Vec<(Str, Value)> = heap.map(*m).iter().map(|(k, v)| (k.clone(), v.clone())).collect();
            Value::Map(heap.map_of(own.into_iter().filter(|(k, _)| *k != "Subcharts")))
        }
        other => other.clone(),
    };
    let dot = convert::to_tera(heap, &context).map_err(|e| format!("values for Tera: {e}"))?;
    let mut engine = engine(&dot, files)?;
    engine.autoescape_on(Vec::<&str>::new());
    let mut context = Context::new();
    for (key, value) in dot.as_map().into_iter().flatten() {
        if let Some(key) = key.as_str() {
            context.insert_value(key.to_owned(), value.clone());
        }
    }
    let mut left = MAX_OUTPUT;
    let mut out = Vec::new();
    for (path, _) in files {
        let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
        if name.starts_with('_') {
            continue;
        }
        let (base, _) = split_path(path).unwrap_or((directory, name));
        let mut template = Map::new();
        template.insert(Key::from("Name"), path.as_str().into());
        template.insert(Key::from("BasePath"), base.into());
        context.insert_value("Template", template.into());
        let mut text = Bounded { text: Vec::new(), left };
        let done = engine.render_to(path, &context, &mut text);
        if text.left == 0 {
            return Err(format!("{path}: the templates would write more than {MAX_OUTPUT} bytes"));
        }
        done.map_err(|e| explain(path, &e))?;
        left = text.left;
        out.push((path.strip_suffix(SUFFIX).unwrap_or(path).to_owned(), text.text));
    }
    Ok(out)
}

/// Renders the Tera templates of a chart and its subcharts, each chart's with its own dot: path without `.tera` → text.
///
/// # Errors
/// As [`render`].
pub fn render_charts<'a>(
    heap: &mut Heap,
    files: impl IntoIterator<Item = (&'a str, &'a [u8], MapId)>,
) -> Result<BTreeMap<String, Vec<u8>>, String> {
    let mut charts: Vec<(MapId, Files<'_>)> = vec![];
    for (path, text, dot) in files {
        let file = (path.to_owned(), text);
        match charts.iter_mut().find(|(other, _)| *other == dot) {
            Some((_, files)) => files.push(file),
            None => charts.push((dot, vec![file])),
        }
    }
    let mut out = BTreeMap::new();
    for (dot, mut files) in charts {
        files.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        out.extend(render(heap, &files, &Value::Map(dot))?);
    }
    Ok(out)
}

/// An engine that knows the chart's templates and Helm's filters.
fn engine(dot: &::tera::Value, files: &[(String, &[u8])]) -> Result<Tera, String> {
    let mut engine = Tera::new();
    filters::register(&mut engine, dot);
    // Templates name each other by their path below `templates/`; messages have the full path.
    let mut prefixes: Vec<String> = vec![];
    let mut texts = vec![];
    for (path, bytes) in files {
        let text =
            std::str::from_utf8(bytes).map_err(|e| format!("{path}: not UTF-8 after byte {}", e.valid_up_to()))?;
        texts.push((path.as_str(), text));
        if let Some((base, _)) = split_path(path) {
            let prefix = format!("{base}/");
            if !prefixes.contains(&prefix) {
                prefixes.push(prefix);
            }
        }
    }
    let name = files.first().map_or("templates", |(path, _)| path);
    engine.set_fallback_prefixes(prefixes).map_err(|e| explain(name, &e))?;
    engine.add_raw_templates(texts).map_err(|e| explain(name, &e))?;
    Ok(engine)
}

/// A template's path, cut into `chart/charts/sub/templates` and the rest.
fn split_path(path: &str) -> Option<(&str, &str)> {
    let mut rest = path.split_once('/')?.1;
    while let Some(inner) = rest.strip_prefix("charts/") {
        rest = inner.split_once('/')?.1;
    }
    let name = rest.strip_prefix("templates/")?;
    Some((path.get(..path.len() - name.len() - 1)?, name))
}

/// `file:line:column: message`, or what Tera says where it names no place.
fn explain(path: &str, error: &Error) -> String {
    match error.kind() {
        ErrorKind::SyntaxError(at) | ErrorKind::RenderingError(at) => {
            let file = if at.filename().is_empty() { path } else { at.filename() };
            format!("{file}:{}:{}: {}", at.span().start_line, at.span().start_col + 1, at.message())
        }
        // Problems found when templates are put together come as a report that names its places itself.
        ErrorKind::Msg(report) if report.contains("-->") => report.trim_end().to_owned(),
        other => format!("{path}: {other}"),
    }
}

/// Takes text until it would be too much.
struct Bounded {
    text: Vec<u8>,
    /// What may still come; 0 once it was too much.
    left: usize,
}

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() >= self.left {
            self.left = 0;
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.left -= bytes.len();
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
