//! Values files: one or more YAML documents, merged in order.
//!
//! Source: Helm 4.3 `pkg/chart/v2/loader/load.go` (`LoadValues`, `MergeMaps`) and `k8s.io/apimachinery/pkg/util/yaml`'s
//! `YAMLReader`, which cuts at lines that begin with `---`.

use super::data::Table;
use super::native;

/// Reads values.yaml or a file of `-f`.
///
/// # Errors
/// Helm's text, without the file's name: `cannot unmarshal yaml document: …`.
pub fn read(text: &[u8]) -> Result<Table, String> {
    let mut values = Table::new();
    // Each is decoded before the next is looked at: the first error in the text is the one that is said.
    documents(text, |document| {
        let table = native::table(document).map_err(|e| format!("cannot unmarshal yaml document: {e}"))?;
        if values.is_empty() {
            values = table;
        } else {
            values.merge(table);
        }
        Ok(())
    })?;
    Ok(values)
}

/// Reads a text as one document, whatever separators it has: the rest is not looked at.
///
/// # Errors
/// The YAML reader's text.
pub fn read_one(text: &[u8]) -> Result<Table, String> {
    native::table(text)
}

/// The documents of a text, each with its lines ended by `\n`, the last one too: a block scalar there keeps its line break.
///
/// A separator may be followed by blanks or a comment only. One that opens the text stays part of its document, as in the original.
fn documents(text: &[u8], mut each: impl FnMut(&[u8]) -> Result<(), String>) -> Result<(), String> {
    if text.is_empty() {
        return Ok(());
    }
    let separated = text.starts_with(b"---") || memchr::memmem::find(text, b"\n---").is_some();
    let simple = !separated && text.ends_with(b"\n") && memchr::memchr(b'\r', text).is_none();
    if simple {
        return each(text);
    }
    let mut current = Vec::new();
    let body = text.strip_suffix(b"\n").unwrap_or(text);
    for line in body.split(|b| *b == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if let Some(rest) = line.strip_prefix(b"---") {
            let rest = String::from_utf8_lossy(rest);
            let rest = rest.trim();
            if !rest.is_empty() && !rest.starts_with('#') {
                return Err(format!("error reading yaml document: invalid Yaml document separator: {rest}"));
            }
            if !current.is_empty() {
                each(&std::mem::take(&mut current))?;
                continue;
            }
        }
        current.extend_from_slice(line);
        current.push(b'\n');
    }
    if current.is_empty() { Ok(()) } else { each(&current) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_cut_at_separators() {
        for (text, want) in [
            ("", vec![]),
            ("a: 1\n", vec!["a: 1\n"]),
            ("a: |\n  x", vec!["a: |\n  x\n"]),
            ("a: 1\n---\nb: 2\n", vec!["a: 1\n", "b: 2\n"]),
            ("---\na: 1\n--- # x\r\nb: 2\n---\n", vec!["---\na: 1\n", "b: 2\n"]),
            ("---\n---\na: 1", vec!["---\n", "a: 1\n"]),
        ] {
            let mut got = Vec::new();
            documents(text.as_bytes(), |d| {
                got.push(String::from_utf8_lossy(d).into_owned());
                Ok(())
            })
            .unwrap();
            assert_eq!(got, want, "{text:?}");
        }
        assert_eq!(
            read(b"--- a: 1\n").unwrap_err(),
            "error reading yaml document: invalid Yaml document separator: a: 1"
        );
        assert_eq!(
            read(b"{a: 1}: x\n---\n---b: 1\n").unwrap_err(),
            "cannot unmarshal yaml document: error converting YAML to JSON: yaml: invalid map key: map[interface {}]interface {}{\"a\":1}"
        );
    }
}
