//! A chart, values and capabilities become documents.
//!
//! The steps are Helm's, in Helm's order (`pkg/action/install.go`, `action.go`, `pkg/engine/engine.go`): dependencies are switched on and
//! off and their values imported; values are coalesced and checked against the schemas; all templates of all charts are parsed into one
//! set; every file is executed with its chart's dot; NOTES.txt is taken out; the rest is split into documents, hooks are told from
//! manifests, and both are sorted by kind.
//!
//! [`files`] stops after execution (what the engine alone does); [`release`] goes all the way. `pintle template` and `pintle build` both call
//! [`release`]: there is no second path.

mod ahead;
mod capabilities;
mod compat;
pub mod control;
pub mod duration_funcs;
pub mod encode_funcs;
pub mod errors;
mod files;
pub mod json_funcs;
mod lint;
pub mod manifest;
mod parallel;
pub mod post;
mod program;
mod release;
mod rendered;
mod scope;
pub mod tera;

pub use ahead::Ahead;
pub use capabilities::{Asked, BuildInfo, Capabilities, KubeVersion};
pub use compat::Compat;
pub use lint::lint_files;
pub use program::{Program, functions, name};
pub use release::{
    Crd, PostRender, Release, check_installable, check_kind, is_release_name, release, release_ahead, release_with,
};
pub use scope::ReleaseOptions;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::chart::Chart;
use crate::chart::schema::{Check, Sources};
use crate::diagnostic::LogLine;
use crate::gotmpl::{ExecError, State};
use crate::value::MapId;

use rendered::{Read, Rendered};

/// What a render needs beside the chart and its values.
#[derive(Clone, Debug)]
pub struct Request {
    pub release: ReleaseOptions,
    pub capabilities: Arc<Capabilities>,
    pub skip_schema_validation: bool,
}

/// Why a render failed.
#[derive(Debug, Default)]
pub struct Failure {
    /// Helm's text, without what a command line puts before it.
    pub message: String,
    /// What was rendered until then, if rendering had begun: what `--debug` prints.
    pub partial: Option<BTreeMap<String, Vec<u8>>>,
    /// The hooks before the document that could not be read. Helm shows them once more behind the files.
    pub hooks: Vec<manifest::Hook>,
    /// The error in parts, if a template failed.
    pub exec: Option<Box<ExecError>>,
    /// The coalesced values that the templates saw, for explanations.
    pub values: Option<MapId>,
}

impl From<String> for Failure {
    fn from(message: String) -> Self {
        Self { message, ..Self::default() }
    }
}

/// Renders all template files of a chart and its subcharts: path → text, partials left out.
///
/// The chart is taken because its dependencies are changed by conditions, tags, aliases and imported values, as Helm does it.
pub fn files(
    st: &mut State,
    chart: Chart,
    values: MapId,
    request: &Request,
    log: &mut Vec<LogLine>,
) -> Result<BTreeMap<String, Vec<u8>>, Failure> {
    files_of(st, chart, values, request, &mut |_| {}, log)
}

/// As [`files`]; between the values and the templates the chart may be changed, to render a part of it or to make it another version.
pub fn files_of(
    st: &mut State,
    mut chart: Chart,
    values: MapId,
    request: &Request,
    change: &mut dyn FnMut(&mut Chart),
    log: &mut Vec<LogLine>,
) -> Result<BTreeMap<String, Vec<u8>>, Failure> {
    crate::values::process_dependencies(&st.heap, &mut chart, values, log)?;
    let values = render_values(st, &chart, values, request, log)?;
    change(&mut chart);
    execute(st, &chart, values, request, None).map(|(files, _)| files)
}

/// Coalesces the user's values over the charts' own and checks them against the charts' schemas.
fn render_values(
    st: &mut State,
    chart: &Chart,
    values: MapId,
    request: &Request,
    log: &mut Vec<LogLine>,
) -> Result<MapId, Failure> {
    with_values(st, chart, values, request, None, log, |_, values| Ok(values))
}

/// As [`render_values`] and then `rest`, which may be done while the values are checked: what it comes to counts only where they are found right.
/// Source: `pkg/chart/common/util/values.go`, `ToRenderValuesWithSchemaValidation`.
fn with_values<T>(
    st: &mut State,
    chart: &Chart,
    values: MapId,
    request: &Request,
    ahead: Option<&Ahead>,
    log: &mut Vec<LogLine>,
    rest: impl FnOnce(&mut State, MapId) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let values = crate::values::coalesce_values(&mut st.heap, chart, values, log)?;
    if request.skip_schema_validation {
        return rest(st, values);
    }
    let wrong = |e| format!("values don't meet the specifications of the schema(s) in the following chart(s):\n{e}");
    let check = Arc::new(Check::of(&st.heap, chart, values));
    let run = |log: &mut Vec<LogLine>| check.run(&Sources::default(), log);
    let Some(ahead) = ahead.filter(|ahead| ahead.check(&check)) else {
        run(log).map_err(wrong)?;
        return rest(st, values);
    };
    let done = rest(st, values);
    let checked = match ahead.checked() {
        Some((checked, warnings)) => {
            log.extend(warnings);
            checked
        }
        None => run(log),
    };
    checked.map_err(wrong)?;
    done
}

/// Parses and executes every template; a chart's `.tera` files go to the second engine. The documents of some files are read, if there is help.
fn execute(
    st: &mut State,
    chart: &Chart,
    values: MapId,
    request: &Request,
    ahead: Option<&Ahead>,
) -> Result<(BTreeMap<String, Vec<u8>>, Read), Failure> {
    let renderables = scope::collect(&mut st.heap, chart, values, &request.release, &request.capabilities);
    if let Some(trace) = &mut st.trace {
        let chart_of =
            |base: &str| base.trim_end_matches("/templates").split("/charts/").skip(1).map(String::from).collect();
        trace.index(&st.heap, values, renderables.iter().map(|r| (chart_of(&r.base_path), r.dot)));
    }
    let (second, own): (Vec<_>, Vec<_>) = renderables.into_iter().partition(|r| r.path.ends_with(tera::SUFFIX));
    let program = Program::parse_ahead(own.iter().map(|r| (r.path.as_str(), r.text)), ahead)?;
    let mut rendered = Rendered::new(ahead);
    let executed = program.execute(st, &own, &mut rendered);
    let (mut files, read) = rendered.finish();
    executed?;
    program.keep(st);
    if !second.is_empty() {
        let texts = second.iter().map(|r| (r.path.as_str(), &r.text[..], r.dot));
        files.extend(tera::render_charts(&mut st.heap, texts)?);
    }
    Ok((files, read))
}
