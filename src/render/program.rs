//! All templates of a chart with its subcharts, parsed once: immutable and shareable between renders.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use crate::golang::expand::expand;
use crate::gotmpl::{
    CallError, ExecError, FuncTable, Names, State, TemplateSet, builtins, execute, parse_shared, pure,
};
use crate::value::{Str, Value};

use super::ahead::{self, Ahead};
use super::rendered::Rendered;
use super::scope::{Renderable, is_partial};
use super::{Failure, control, duration_funcs, encode_funcs, errors, json_funcs};

/// The functions that Helm's templates can call: text/template's own, Sprig's, then Helm's, each replacing what came before.
/// Source: `pkg/engine/funcs.go`.
pub fn functions() -> &'static Arc<FuncTable> {
    static TABLE: OnceLock<Arc<FuncTable>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let mut table = FuncTable::new();
        builtins::register(&mut table);
        crate::gotmpl::exec::register(&mut table);
        crate::sprig::register(&mut table);
        encode_funcs::register(&mut table);
        json_funcs::register(&mut table);
        duration_funcs::register(&mut table);
        control::register(&mut table);
        Arc::new(table)
    })
}

/// A release's name from `--name-template`: Sprig's functions only, with those that look at the environment
/// (through `variable`), and nothing to read from.
/// Source: `pkg/action/install.go`, `TemplateName`.
pub fn name(st: &mut State, text: &str, variable: fn(&str) -> String) -> Result<String, String> {
    let mut table = FuncTable::new();
    builtins::register(&mut table);
    crate::gotmpl::exec::register(&mut table);
    crate::sprig::register(&mut table);
    // What Helm keeps from charts.
    table.add(pure("env", move |name: Str| variable(&name.to_text())));
    table.add(pure("expandenv", move |text: Str| expand(&text.to_text(), variable)));
    table.add(pure("fail", |text: Str| Err::<Str, _>(CallError::Msg(text.to_text().into_owned()))));
    let mut set = TemplateSet::new("name-template", Arc::new(table));
    set.parse("name-template", text.as_bytes()).map_err(|e| e.to_string())?;
    let mut out = Vec::new();
    execute(&Arc::new(set), st, "name-template", &Value::Nil, &mut out).map_err(|e| e.to_string())?;
    Ok(String::from_utf8_lossy(&out).into_owned())
}

/// Parsed templates and the order in which files are executed.
#[derive(Debug)]
pub struct Program {
    set: Arc<TemplateSet>,
    /// Deepest path first, then in reverse byte order: Helm's order of parsing and of execution, which charts can observe.
    order: Vec<String>,
}

impl Program {
    /// Parses files given as (path, text). Of two files of one path the later counts.
    pub fn parse<'a>(files: impl IntoIterator<Item = (&'a str, &'a Arc<[u8]>)>) -> Result<Self, String> {
        Self::parse_ahead(files, None)
    }

    /// As [`Program::parse`], with what was parsed already.
    pub fn parse_ahead<'a>(
        files: impl IntoIterator<Item = (&'a str, &'a Arc<[u8]>)>,
        ahead: Option<&Ahead>,
    ) -> Result<Self, String> {
        let files: HashMap<&str, &Arc<[u8]>> = files.into_iter().collect();
        let mut order: Vec<&str> = files.keys().copied().collect();
        let depth = |p: &str| p.bytes().filter(|b| *b == b'/').count();
        order.sort_unstable_by(|a, b| depth(b).cmp(&depth(a)).then_with(|| b.cmp(a)));
        let mut set = TemplateSet::new("gotpl", functions().clone());
        // Files do not depend on each other until their templates join one set, and subcharts often bring the same library each.
        let mut parsed = ahead.map(Ahead::finish).unwrap_or_default();
        let mut firsts: Names<_, &Arc<[u8]>> = Names::default();
        let mut texts = Vec::with_capacity(order.len());
        for path in &order {
            let text = files[path];
            let first = firsts.entry(ahead::kind(text)).or_insert(text);
            texts.push(if !parsed.has(text) && **first == *text { *first } else { text });
        }
        parsed.parse(&texts);
        for (path, text) in order.iter().zip(texts) {
            let templates = match parsed.named(path, text) {
                Some(templates) => templates,
                None => parse_shared(path, &Str::from(text.clone()), functions())
                    .map_err(|e| errors::cleanup_parse_error(path, &e.to_string()))?,
            };
            templates.into_iter().for_each(|t| set.add(Arc::new(t)));
        }
        Ok(Self { set: Arc::new(set), order: order.into_iter().map(String::from).collect() })
    }

    /// Leaves the templates to the state, and so to whoever decides when (or whether) it is taken apart.
    pub fn keep(self, st: &mut State) {
        st.set = Some(self.set);
    }

    /// Executes one template of the set with a dot: its text as it is.
    pub fn render_text(&self, st: &mut State, name: &str, dot: Value) -> Result<Vec<u8>, Failure> {
        let mut out = Vec::new();
        execute(&self.set, st, name, &dot, &mut out).map_err(|e| failure(e, |e| e.to_string()))?;
        Ok(out)
    }

    /// Executes every file but the partials with its dot.
    pub(super) fn execute(
        &self,
        st: &mut State,
        files: &[Renderable<'_>],
        rendered: &mut Rendered<'_>,
    ) -> Result<(), Failure> {
        let by_path: HashMap<&str, &Renderable<'_>> = files.iter().map(|r| (r.path.as_str(), r)).collect();
        for path in &self.order {
            if is_partial(path) {
                continue;
            }
            let Some(file) = by_path.get(path.as_str()) else { continue };
            let template =
                st.heap.map_of([("Name", Value::str(path)), ("BasePath", Value::str(file.base_path.as_bytes()))]);
            st.heap.map_mut(file.dot).insert("Template", Value::Map(template.as_values()));
            let mut out = Vec::new();
            execute(&self.set, st, path, &Value::Map(file.dot.as_values()), &mut out)
                .map_err(|e| failure(e, |e| errors::reformat_exec_error(path, e)))?;
            control::strip_no_value(&mut out);
            rendered.add(path, out);
        }
        Ok(())
    }
}

fn failure(error: CallError, text: impl FnOnce(&ExecError) -> String) -> Failure {
    match error {
        CallError::Exec(e) => Failure { message: text(&e), exec: Some(e), ..Failure::default() },
        CallError::Msg(message) | CallError::Limit(message) => message.into(),
    }
}
