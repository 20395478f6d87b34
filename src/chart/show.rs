//! What `helm show` prints of a chart. Source: Helm 4.3 `pkg/action/show.go`.

use crate::value::{Heap, Value, jsonpath};
use crate::yaml;

use super::{Chart, File, data};

/// Which parts are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    All,
    Chart,
    Values,
    Readme,
    Crds,
}

/// The text of `helm show PART`.
///
/// # Errors
/// What the YAML writer says; no chart that was loaded makes it say anything.
pub fn show(chart: &Chart, part: Part) -> Result<Vec<u8>, String> {
    let wants = |p: Part| part == p || part == Part::All;
    let mut out = Vec::new();
    if wants(Part::Chart) {
        let mut heap = Heap::new();
        let metadata = chart.metadata.to_json(&mut heap);
        out.extend(yaml::marshal(&mut heap, &Value::Map(metadata))?);
        out.push(b'\n');
    }
    if wants(Part::Values) && chart.values.is_some() {
        if part == Part::All {
            out.extend(b"---\n");
        }
        chart.raw.iter().filter(|f| f.name == "values.yaml").for_each(|f| push_line(&mut out, &f.data));
    }
    if wants(Part::Readme)
        && let Some(readme) = chart.files.iter().find(|f| is_readme(f))
    {
        if part == Part::All {
            out.extend(b"---\n");
        }
        push_line(&mut out, &readme.data);
    }
    if wants(Part::Crds) {
        for crd in chart.crds() {
            if !crd.file.data.starts_with(b"---") {
                out.extend(b"---\n");
            }
            push_line(&mut out, &crd.file.data);
        }
    }
    Ok(out)
}

/// What a JSONPath template prints of the chart's values (`helm show values --jsonpath`).
///
/// # Errors
/// A template that is none. Helm does not look at what else may go wrong: nothing is printed then.
pub fn values_by(chart: &Chart, template: &str) -> Result<Vec<u8>, String> {
    let Some(values) = &chart.values else { return Ok(Vec::new()) };
    let parsed = jsonpath::Template::parse(template).map_err(|e| format!("error parsing jsonpath {template}: {e}"))?;
    let mut heap = Heap::new();
    let values = data::table_to_map(&mut heap, values);
    Ok(parsed.print(&mut heap, &Value::Map(values)))
}

fn push_line(out: &mut Vec<u8>, text: &[u8]) {
    out.extend(text);
    out.push(b'\n');
}

fn is_readme(f: &File) -> bool {
    ["readme.md", "readme.txt", "readme"].iter().any(|n| f.name.eq_ignore_ascii_case(n))
}
