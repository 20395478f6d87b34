//! The table of `helm dependency list`. Source: Helm 4.3 `pkg/action/dependency.go` and `github.com/gosuri/uitable` 0.0.4.

use crate::golang::semver::Version;
use crate::golang::semver_constraint::Constraint;
use crate::golang::{path, strconv};

use super::{Chart, Dependency};

/// A directory or a `.tgz` file that lies in `charts/`.
pub struct Found {
    /// The path as it is shown, `charts/` included.
    pub path: String,
    /// `None` if it could not be loaded.
    pub chart: Option<Chart>,
}

/// The table and the warnings behind it. `chart_path` is shown as given; columns are at most `width` wide, 0 is without limit.
pub fn dependencies(chart: &Chart, chart_path: &str, found: &[Found], width: usize) -> String {
    let wanted = &chart.metadata.dependencies;
    if chart.metadata.dependencies_nil {
        let charts = path::join(&[chart_path, "charts"]);
        return format!("WARNING: no dependencies at {}\n", String::from_utf8_lossy(&charts));
    }
    let mut rows = vec![["NAME", "VERSION", "REPOSITORY", "STATUS"].map(String::from)];
    for d in wanted {
        rows.push([d.name.clone(), d.version.clone(), d.repository.clone(), status(d, chart, found).to_string()]);
    }
    let mut out = table(&rows, width);
    out.push_str("\n\n");
    for f in found {
        let name = strconv::quote(f.path.as_bytes());
        match &f.chart {
            None => out.push_str(&format!("WARNING: {name} is not a chart.\n")),
            Some(c) if !wanted.iter().any(|d| d.name == c.name()) => {
                out.push_str(&format!("WARNING: {name} is not in Chart.yaml.\n"));
            }
            Some(_) => {}
        }
    }
    out
}

fn status(d: &Dependency, parent: &Chart, found: &[Found]) -> &'static str {
    let pattern = format!("{}-*.tgz", d.name);
    let mut archives = Vec::new();
    for f in found {
        match path::path_match(pattern.as_bytes(), path::base(f.path.as_bytes())) {
            Ok(true) => archives.push(f),
            Ok(false) => {}
            Err(_) => return "bad pattern",
        }
    }
    if archives.len() > 1 {
        // Names such as `a-b-1.0.0.tgz` are also found for `a`.
        let prefix = format!("{}-", d.name);
        archives.retain(|f| {
            let base = String::from_utf8_lossy(path::base(f.path.as_bytes())).into_owned();
            let stem = base.strip_suffix(".tgz").unwrap_or(&base);
            Version::strict(stem.strip_prefix(&prefix).unwrap_or(stem)).is_ok()
        });
        if archives.len() > 1 {
            return "too many matches";
        }
    }
    if let Some(archive) = archives.first() {
        let Some(c) = &archive.chart else { return "corrupt" };
        return if c.name() == d.name { fit(&c.metadata.version, &d.version).unwrap_or("ok") } else { "misnamed" };
    }
    // Helm looks at all of them and keeps the last.
    match parent.dependencies.iter().rfind(|c| c.name() == d.name) {
        None => "missing",
        Some(c) => fit(&c.metadata.version, &d.version).unwrap_or("unpacked"),
    }
}

/// What is wrong with a version, if anything is.
fn fit(version: &str, wanted: &str) -> Option<&'static str> {
    if version == wanted {
        return None;
    }
    match (Constraint::new(wanted), Version::new(version)) {
        (Ok(c), Ok(v)) if c.check(&v) => None,
        (Ok(_), Ok(_)) => Some("wrong version"),
        _ => Some("invalid version"),
    }
}

/// Cells are padded to the width of their column and cut with `...` where they are wider than `width`; tabs between them.
fn table(rows: &[[String; 4]], width: usize) -> String {
    let mut widths = [0; 4];
    for row in rows {
        for (cell, w) in row.iter().zip(&mut widths) {
            let n = text_width(cell);
            *w = (*w).max(if width == 0 { n } else { n.min(width) });
        }
    }
    let lines: Vec<String> = rows
        .iter()
        .map(|row| row.iter().zip(widths).map(|(c, w)| resize(c, w)).collect::<Vec<_>>().join("\t"))
        .collect();
    lines.join("\n")
}

fn resize(text: &str, width: usize) -> String {
    let n = text_width(text);
    // A column without width leaves its cells alone.
    if n <= width || width == 0 {
        return format!("{text}{}", " ".repeat(width.saturating_sub(n)));
    }
    let mut out = String::new();
    let mut w = 0;
    for c in text.chars() {
        out.push(c);
        let cw = char_width(c);
        if (w + cw) as isize >= width as isize - 3 {
            break;
        }
        w += cw;
    }
    out.push_str("...");
    out
}

fn text_width(text: &str) -> usize {
    text.chars().map(char_width).sum()
}

/// Columns of a character on a terminal: east Asian wide ones take two, combining marks none.
fn char_width(c: char) -> usize {
    match c as u32 {
        0..=0x1f | 0x7f..=0x9f | 0x300..=0x36f | 0x200b..=0x200f => 0,
        0x1100..=0x115f | 0x2e80..=0x303e | 0x3041..=0xa4cf | 0xac00..=0xd7a3 | 0xf900..=0xfaff | 0xfe30..=0xfe6f => 2,
        0xff00..=0xff60 | 0xffe0..=0xffe6 | 0x1f300..=0x1f64f | 0x1f900..=0x1f9ff | 0x20000..=0x3fffd => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_cells_are_cut() {
        let row = |a: &str| [a, "v", "r", "s"].map(String::from);
        assert_eq!(table(&[row("NAME"), row("a-long-name")], 8), "NAME    \tv\tr\ts\na-lon...\tv\tr\ts");
        assert_eq!(table(&[row("NAME"), row("x")], 0), "NAME\tv\tr\ts\nx   \tv\tr\ts");
    }
}
