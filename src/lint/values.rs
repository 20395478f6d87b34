//! values.yaml, alone and with the user's values against values.schema.json. Source: Helm 4.3 `pkg/chart/v2/lint/rules/values.go`.

use crate::chart::directory;
use crate::chart::schema::{Sources, validate_map};
use crate::golang::errno;
use crate::gotmpl::State;
use crate::value::{MapId, Value};
use crate::values::coalesce::coalesce_tables;
use crate::yaml;

use super::{Linter, Severity};

const FILE: &str = "values.yaml";

pub(super) fn lint(linter: &mut Linter<'_>, st: &mut State, overrides: MapId, skip_schema: bool) {
    let path = linter.path(FILE);
    let exists = if std::fs::metadata(&path).is_ok() { Ok(()) } else { Err("file does not exist".into()) };
    if linter.rule(Severity::Info, FILE, exists) {
        let result = check(linter, st, &path, overrides, skip_schema);
        linter.error(FILE, result);
    }
}

fn check(
    linter: &mut Linter<'_>,
    st: &mut State,
    path: &str,
    overrides: MapId,
    skip_schema: bool,
) -> Result<(), String> {
    let text = directory::read_file(path).map_err(|e| errno::read_error(path, &e));
    let values = text.and_then(|text| read(st, &text)).map_err(|e| format!("unable to parse YAML: {e}"))?;
    // The tables of the user's values are not copied: what values.yaml adds to them stays there, as in Helm.
    let coalesced = st.heap.new_map();
    coalesce_tables(&mut st.heap, coalesced, overrides, linter.log)?;
    coalesce_tables(&mut st.heap, coalesced, values, linter.log)?;
    // A schema that cannot be read counts as none.
    let schema = directory::read_file(linter.path("values.schema.json")).unwrap_or_default();
    if schema.is_empty() || skip_schema {
        return Ok(());
    }
    validate_map(&st.heap, &schema, coalesced, &Sources::default(), linter.log)
}

/// The first document, as `common.Values`.
fn read(st: &mut State, text: &[u8]) -> Result<MapId, String> {
    match yaml::to_value(&mut st.heap, text)? {
        Value::Map(map) => Ok(map),
        Value::Nil => Ok(st.heap.new_map()),
        other => Err(format!(
            "{}json: cannot unmarshal {} into Go value of type common.Values",
            yaml::convert::FROM_JSON,
            yaml::convert::json_kind(&other)
        )),
    }
}
