//! Paths of `--set`: how they are written, and what of one is not there.

use super::candidate::File;
use crate::yaml::node::NodeKind;

/// `a.b\.c[0].1` → a, b.c, 0, 1. `None` if a part of it is empty.
pub fn split(path: &str) -> Option<Vec<String>> {
    let mut out = vec![String::new()];
    let mut rest = path;
    while let Some(c) = rest.chars().next() {
        if let Some((index, behind)) = index(rest) {
            match out.last_mut() {
                Some(last) if last.is_empty() => index.clone_into(last),
                _ => out.push(index.to_owned()),
            }
            rest = behind;
            continue;
        }
        rest = rest.get(c.len_utf8()..).unwrap_or_default();
        match (c, out.last_mut()) {
            ('.', _) => out.push(String::new()),
            ('\\', Some(last)) => {
                last.extend(rest.chars().next());
                rest = rest.get(rest.chars().next().map_or(0, char::len_utf8)..).unwrap_or_default();
            }
            (c, Some(last)) => last.push(c),
            (_, None) => {}
        }
    }
    out.iter().all(|part| !part.is_empty()).then_some(out)
}

/// `[0]` at the begin of a text, as far as it ends a part of a path; and what is behind it.
fn index(text: &str) -> Option<(&str, &str)> {
    let (number, behind) = text.strip_prefix('[')?.split_once(']')?;
    let is_number = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    (is_number && (behind.is_empty() || behind.starts_with(['.', '[']))).then_some((number, behind))
}

/// A path as people write it.
fn shown(path: &[String]) -> String {
    path.join(".")
}

/// What of a path is not in a file: of its documents, in the one that has most of it.
pub(super) fn missing(file: &File<'_>, path: &[String]) -> String {
    let in_document = |d: usize| {
        let mut at = file.text.root(d)?;
        for (n, step) in path.iter().enumerate() {
            match file.text.at(d, at, [step.as_str()]) {
                Some(next) => at = next,
                None => return Some((n, lacking(file, d, at, path.get(..n)?, step))),
            }
        }
        Some((path.len(), format!("`{}` is no single value", shown(path))))
    };
    let all = (0..file.text.documents.len()).filter_map(in_document);
    // Of equals the first.
    let best = all.reduce(|best, next| if next.0 > best.0 { next } else { best });
    best.map_or_else(|| "the file is empty".to_owned(), |(_, text)| text)
}

fn lacking(file: &File<'_>, document: usize, at: usize, above: &[String], step: &str) -> String {
    let node = file.text.documents.get(document).and_then(|d| d.target(at));
    let place = if above.is_empty() { "the document".to_owned() } else { format!("`{}`", shown(above)) };
    match node.map(|n| n.kind) {
        Some(NodeKind::Mapping) => format!("{place} has no key `{step}`"),
        Some(NodeKind::Sequence) if step.parse::<usize>().is_ok() => {
            let items = node.map_or(0, |n| n.children.len());
            format!("{place} is a list of {items}, counted from 0, and has no item {step}")
        }
        Some(NodeKind::Sequence) => format!("{place} is a list, of which `{step}` is no number"),
        _ => format!("{place} is a single value, with nothing below it"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_taken_apart_in_both_forms() {
        for (path, want) in [
            ("a.b.0.c", Some("a b 0 c")),
            ("a[0].b[1][2]", Some("a 0 b 1 2")),
            ("[1].a", Some("1 a")),
            ("a\\.b.c", Some("a.b c")),
            ("a[x].b", Some("a[x] b")),
            ("a[0]b", Some("a[0]b")),
            ("a\\[0]", Some("a[0]")),
            ("", None),
            ("a..b", None),
            ("a.", None),
            ("a[0].", None),
        ] {
            assert_eq!(split(path).map(|p| p.join(" ")).as_deref(), want, "{path}");
        }
    }
}
