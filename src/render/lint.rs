//! Rendering as `helm lint` does it: `required` and `fail` write a line to the log and let the template go on, and `lookup` finds nothing.
//!
//! Source: Helm 4.3 `pkg/engine/engine.go` (`LintMode`), `pkg/chart/v2/lint/rules/template.go`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::chart::Chart;
use crate::diagnostic::LogLine;
use crate::gotmpl::State;
use crate::value::MapId;

use super::{Failure, Request, execute, render_values};

/// Marks the state of a render in lint mode, and collects what its templates log.
#[derive(Debug, Default)]
struct Linting(Mutex<Vec<LogLine>>);

/// Takes a line of the log if this is lint mode; false if it is not.
pub(super) fn logged(st: &State, line: impl FnOnce() -> LogLine) -> bool {
    let Some(linting) = st.extension.as_ref().and_then(|e| e.downcast_ref::<Linting>()) else { return false };
    linting.0.lock().unwrap_or_else(PoisonError::into_inner).push(line());
    true
}

/// As [`super::files`], in lint mode. `None` where Helm goes no further and does not say why: dependencies that cannot be processed.
///
/// # Errors
/// Values that do not fit the schema, and templates that fail.
pub fn lint_files(
    st: &mut State,
    mut chart: Chart,
    values: MapId,
    request: &Request,
    log: &mut Vec<LogLine>,
) -> Result<Option<BTreeMap<String, Vec<u8>>>, Failure> {
    if crate::values::process_dependencies(&st.heap, &mut chart, values, log).is_err() {
        return Ok(None);
    }
    // Helm coalesces here, and once more on the way to the templates.
    let Ok(values) = crate::values::coalesce_values(&mut st.heap, &chart, values, log) else { return Ok(None) };
    let values = render_values(st, &chart, values, request, log)?;
    let linting = Arc::new(Linting::default());
    st.extension = Some(linting.clone());
    // The bounds are for one render each.
    (st.charged, st.steps) = (0, 0);
    let files = execute(st, &chart, values, request, None);
    st.extension = None;
    log.append(&mut linting.0.lock().unwrap_or_else(PoisonError::into_inner));
    files.map(|(files, _)| Some(files))
}
