//! `values.schema.json`: values against JSON Schema, with the errors that Helm prints.
//!
//! Helm 4.3 validates with santhosh-tekuri/jsonschema 6.0.3; the validator here is a port of that library (drafts 4, 6, 7,
//! 2019-09, 2020-12), so that the same values fail with the same words. It works on JSON values of its own: the render's heap is
//! read once, at the edge.

mod compile;
mod distinct;
mod draft;
mod error;
mod format;
mod json;
mod location;
mod members;
mod plain;
mod rest;
mod roots;
mod rules;
mod types;
mod validate;

use std::sync::Arc;

use compile::Compiler;
use json::Json;

use super::Chart;
use crate::diagnostic::LogLine;
use crate::value::{Heap, MapId, Value};

/// The URL under which a chart's schema is known to its own references.
const URL: &str = "file:///values.schema.json";

/// Fetches a document, or says why not.
pub type Fetch<'a> = &'a (dyn Fn(&str) -> Result<Vec<u8>, String> + Sync);

/// Where schemas may come from that a schema refers to.
#[derive(Clone, Copy)]
pub struct Sources<'a> {
    /// `file:` URLs, which Helm reads from the disk.
    pub files: bool,
    /// `http:` and `https:` URLs; `None` refuses them.
    pub fetch: Option<Fetch<'a>>,
}

impl Default for Sources<'_> {
    /// Files, but no network.
    fn default() -> Self {
        Self { files: true, fetch: None }
    }
}

/// Values as they are now, to be validated whenever, and on any thread.
#[derive(Debug, Default)]
pub struct Check(Vec<Step>);

#[derive(Debug)]
enum Step {
    Validate {
        chart: String,
        schema: Arc<[u8]>,
        values: Json,
    },
    /// What is wrong without a schema.
    Wrong(String),
}

impl Check {
    /// For the values of a chart, and those of its subcharts.
    pub fn of(heap: &Heap, chart: &Chart, values: MapId) -> Self {
        let mut check = Self::default();
        check.add(heap, chart, values);
        check
    }

    fn add(&mut self, heap: &Heap, chart: &Chart, values: MapId) {
        if let Some(schema) = &chart.schema {
            self.0.push(Step::Validate {
                chart: chart.name().into(),
                schema: schema.clone(),
                values: Json::of(heap, &Value::Map(values)),
            });
        }
        for sub in &chart.dependencies {
            match heap.map(values).get(sub.name()) {
                None | Some(Value::Nil) => {}
                Some(Value::Map(m)) if !m.is_values() => self.add(heap, sub, *m),
                Some(other) => self.0.push(Step::Wrong(format!(
                    "{}:\ninvalid type for values: expected object (map), got {}\n",
                    sub.name(),
                    other.go_type(heap)
                ))),
            }
        }
    }

    /// How many bytes of schemas there are.
    pub fn bytes(&self) -> usize {
        let bytes = |step: &Step| match step {
            Step::Validate { schema, .. } => schema.len(),
            Step::Wrong(_) => 0,
        };
        self.0.iter().map(bytes).sum()
    }

    /// Validates the values against their schemas.
    ///
    /// # Errors
    /// For each chart whose values do not satisfy its schema: `NAME:`, and what is wrong (Helm 4.3 `ValidateAgainstSchema`).
    pub fn run(&self, sources: &Sources<'_>, warnings: &mut Vec<LogLine>) -> Result<(), String> {
        let mut text = String::new();
        for step in &self.0 {
            match step {
                Step::Validate { chart, schema, values } => {
                    if let Err(e) = on_large_stack(|| validate_single(schema, values, sources, warnings)) {
                        text.push_str(&format!("{chart}:\n{e}"));
                    }
                }
                Step::Wrong(e) => text.push_str(e),
            }
        }
        if text.is_empty() { Ok(()) } else { Err(text) }
    }
}

/// Values against one schema (Helm 4.3 `ValidateAgainstSingleSchema`).
///
/// # Errors
/// The violations with a line feed at the end; or, without one, why the schema cannot be used.
pub fn validate_map(
    heap: &Heap,
    schema: &[u8],
    values: MapId,
    sources: &Sources<'_>,
    warnings: &mut Vec<LogLine>,
) -> Result<(), String> {
    validate_single(schema, &Json::of(heap, &Value::Map(values)), sources, warnings)
}

fn validate_single(
    schema: &[u8],
    values: &Json,
    sources: &Sources<'_>,
    warnings: &mut Vec<LogLine>,
) -> Result<(), String> {
    let doc = Json::parse(schema)?;
    let mut compiler = Compiler::new(sources);
    compiler.roots.add(URL, doc);
    let compiled = compiler.compile(URL);
    // Helm warns of a URN once in a process, however many charts refer to it.
    for w in std::mem::take(&mut compiler.roots.warnings) {
        if !warnings.contains(&w) {
            warnings.push(w);
        }
    }
    validate::validate(&compiler.arena, compiled?, values).map_err(|violation| {
        let text = violation.print();
        let prefix = format!("jsonschema validation failed with '{URL}#'\n");
        format!("{}\n", text.strip_prefix(&prefix).unwrap_or(&text))
    })
}

/// Schemas and values nest, and so does the validator: deeper than a thread's usual stack allows.
fn on_large_stack(f: impl FnOnce() -> Result<(), String> + Send) -> Result<(), String> {
    if crate::gotmpl::on_large_stack() {
        return f();
    }
    std::thread::scope(|scope| {
        std::thread::Builder::new()
            .stack_size(1 << 28)
            .spawn_scoped(scope, f)
            .map_err(|e| format!("unable to validate schema: {e}"))?
            .join()
            .unwrap_or_else(|_| Err("unable to validate schema: internal error".into()))
    })
}

#[cfg(test)]
mod tests;
