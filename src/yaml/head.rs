//! The head of a manifest: what Helm reads of a rendered document to sort it and to find hooks.
//!
//! Helm 4.3 `pkg/release/v1/util/manifest.go`: `SimpleHead`, filled by `yaml.Unmarshal`. The whole document must be readable, but of
//! most of it no value is made. Where a text is wanted, numbers and truth values become text (floats in 32-bit precision).

mod quick;

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::convert::{self, FROM_JSON, Shape, TO_JSON, key_text, valid_utf8};
use super::data::{Data, DataBuild};
use super::decode::{self, TOO_DEEP};
use super::resolve::Scalar;
use super::{reader, tree};
use crate::golang::strconv::format_float;

/// What a document says of itself. Absent fields are empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    pub version: String,
    pub kind: String,
    /// `metadata.name`
    pub name: String,
    /// `metadata.annotations`
    pub annotations: BTreeMap<String, String>,
}

/// Root, metadata and annotations are looked into.
const LOOKED_INTO: usize = 3;

const SHAPE: Shape = Shape::Struct(&[
    ("apiVersion", Shape::Text),
    ("kind", Shape::Text),
    ("metadata", Shape::Struct(&[("name", Shape::Text), ("annotations", Shape::Map(&Shape::Text))])),
]);

const METADATA_TYPE: &str =
    "struct { Name string \"json:\\\"name\\\"\"; Annotations map[string]string \"json:\\\"annotations\\\"\" }";

/// Reads the head of the first document. The error is sigs.k8s.io/yaml's whole text
/// (`error converting YAML to JSON: yaml: line 3: …`).
pub fn head(text: &[u8]) -> Result<Head, String> {
    quick::head(text).map_or_else(|| whole(text), Ok)
}

/// As [`head`], by way of the whole document.
fn whole(text: &[u8]) -> Result<Head, String> {
    let (text, bad) = reader::decode(text);
    let tree = tree::parse_checked(&text, bad).map_err(|e| format!("{TO_JSON}{e}"))?;
    let mut build = DataBuild::new(LOOKED_INTO);
    let data = match decode::decode(&tree, tree.root, &mut build, None) {
        Ok(data) => data,
        Err(e) if e == TOO_DEEP => return Err(format!("{FROM_JSON}{e}")),
        Err(e) => return Err(format!("{TO_JSON}{e}")),
    };
    if build.suspect
        && let Some(e) = convert::json_error(&tree, SHAPE)
    {
        return Err(format!("{TO_JSON}{e}"));
    }
    let mut reading = Reading::default();
    if let Some(data) = data {
        reading.root(&data);
    }
    match reading.error {
        Some(e) => Err(format!("{FROM_JSON}{e}")),
        None => Ok(reading.head),
    }
}

/// encoding/json's work: it goes on after an error, and returns the first.
#[derive(Default)]
struct Reading {
    head: Head,
    error: Option<String>,
}

impl Reading {
    fn mismatch(&mut self, found: &Data<'_>, place: &str, ty: &str) {
        let found = match found {
            Data::List(_) => "array",
            Data::Map(_) => "object",
            Data::Scalar(Scalar::Str(_)) => "string",
            Data::Scalar(Scalar::Bool(_)) => "bool",
            Data::Scalar(Scalar::Null) => return,
            Data::Scalar(_) => "number",
        };
        self.error.get_or_insert_with(|| format!("json: cannot unmarshal {found} into Go {place} of type {ty}"));
    }

    fn root(&mut self, data: &Data<'_>) {
        let Data::Map(entries) = data else {
            return self.mismatch(data, "value", "util.SimpleHead");
        };
        for (key, value) in in_json_order(entries) {
            match field(&key, &["apiVersion", "kind", "metadata"]) {
                Some("apiVersion") => {
                    if let Some(s) = self.text(value, "struct field SimpleHead.apiVersion") {
                        self.head.version = s;
                    }
                }
                Some("kind") => {
                    if let Some(s) = self.text(value, "struct field SimpleHead.kind") {
                        self.head.kind = s;
                    }
                }
                Some(_) => self.metadata(value),
                None => {}
            }
        }
    }

    fn metadata(&mut self, data: &Data<'_>) {
        match data {
            Data::Map(entries) => {
                for (key, value) in in_json_order(entries) {
                    match field(&key, &["name", "annotations"]) {
                        Some("name") => {
                            if let Some(s) = self.text(value, "struct field .metadata.name") {
                                self.head.name = s;
                            }
                        }
                        Some(_) => self.annotations(value),
                        None => {}
                    }
                }
            }
            Data::Scalar(Scalar::Null) => {
                self.head.name = String::new();
                self.head.annotations.clear();
            }
            other => self.mismatch(other, "struct field SimpleHead.metadata", METADATA_TYPE),
        }
    }

    fn annotations(&mut self, data: &Data<'_>) {
        match data {
            Data::Map(entries) => {
                for (key, value) in in_json_order(entries) {
                    let value = self.text(value, "struct field .metadata.annotations").unwrap_or_default();
                    self.head.annotations.insert(key.into_owned(), value);
                }
            }
            Data::Scalar(Scalar::Null) => self.head.annotations.clear(),
            other => self.mismatch(other, "struct field .metadata.annotations", "map[string]string"),
        }
    }

    /// The value as text; `None` for null and for what has none.
    fn text(&mut self, data: &Data<'_>, place: &str) -> Option<String> {
        let text = scalar_text(data);
        if text.is_none() {
            self.mismatch(data, place, "string");
        }
        text
    }
}

/// A scalar as sigs.k8s.io/yaml turns it into the text that a `string` field gets; `None` for null and for collections.
pub fn scalar_text(data: &Data<'_>) -> Option<String> {
    match data {
        Data::Scalar(Scalar::Str(s)) => Some(String::from_utf8(valid_utf8(s)).unwrap_or_default()),
        Data::Scalar(Scalar::Int(n)) => Some(n.to_string()),
        Data::Scalar(Scalar::Uint(n)) => Some(n.to_string()),
        Data::Scalar(Scalar::Float(f)) => Some(format_float(*f, b'g', -1, 32)),
        Data::Scalar(Scalar::Bool(b)) => Some(b.to_string()),
        Data::Scalar(Scalar::Null) | Data::List(_) | Data::Map(_) => None,
    }
}

/// The entries as the JSON text has them: by key, the last of equal keys only.
fn in_json_order<'d, 'a>(entries: &'d [(Scalar<'a>, Data<'a>)]) -> Vec<(Cow<'d, str>, &'d Data<'a>)> {
    let text = |key: &'d Scalar<'a>| match key {
        Scalar::Str(s) => Some(String::from_utf8_lossy(s)),
        other => key_text(other).map(Cow::Owned),
    };
    let mut out: Vec<(Cow<'d, str>, &'d Data<'a>)> = entries.iter().filter_map(|(k, v)| Some((text(k)?, v))).collect();
    out.sort_by(|a, b| a.0.cmp(&b.0));
    let mut last: Vec<(Cow<'d, str>, &'d Data<'a>)> = Vec::with_capacity(out.len());
    for (k, v) in out {
        match last.last_mut() {
            Some(l) if l.0 == k => l.1 = v,
            _ => last.push((k, v)),
        }
    }
    last
}

/// The field that encoding/json takes a key for: letters of either case, and what folds to them.
fn field(key: &str, names: &[&'static str]) -> Option<&'static str> {
    let fold = |c: char| match c {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        c => c.to_ascii_lowercase(),
    };
    names.iter().copied().find(|n| key.chars().map(fold).eq(n.chars().map(fold)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_case() {
        let h = head(b"KIND: 1.123456789\nmetadata:\n  name: 0644\n  annotations:\n    a: yes\n    1: 1e6\n").unwrap();
        assert_eq!((h.kind.as_str(), h.name.as_str()), ("1.1234568", "420"));
        assert_eq!(h.annotations.get("a").map(String::as_str), Some("true"));
        assert_eq!(h.annotations.get("1").map(String::as_str), Some("1e+06"));
    }

    /// Small changes to real documents: what is read quickly is what is read the long way.
    #[test]
    fn quick_and_whole_agree() {
        const DOCUMENT: &str = "# a\napiVersion: v1\nkind: \"X\"\nmetadata:\n  name: n # c\n  annotations:\n    a/b: 'it'\n    num: 1\nspec:\n- a: b\n  c:\n  - d\n  \
             -   e: [\"x\", y]\n      f: {}\n- - g\n-\nt: |\n  x: y\n   z\n\n  w\nu: >-\n\n    long\nv: plain text\n  goes on\n\n  and on\n'q': \"two\n  \\n lines\"\n\
             .x: .5\nz:\n    - k: v\n      l: ''\n";
        const BITS: [&str; 31] = [
            "\n1: 2\n",
            "\non: off\n",
            "\ne: -.inf\n",
            "\n  name: y\n",
            "\n...\n",
            "\nKIND: z\n",
            "\n    c: [a, b]\n",
            " ",
            "  ",
            "\n",
            "\t",
            "-",
            "- ",
            ":",
            ": ",
            "#",
            " #",
            "'",
            "\"",
            "\\",
            "|",
            ">",
            "[",
            "]",
            "{}",
            "&a",
            "*a",
            "!",
            "?",
            "é",
            "\u{2028}",
        ];
        let mut seed = 1_u32;
        let mut random = |n: usize| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 8) as usize % n
        };
        let mut quickly = 0;
        for round in 0..60_000 {
            let lines: Vec<&str> = DOCUMENT.split_inclusive('\n').filter(|_| round % 3 == 0 || random(4) > 0).collect();
            let mut text = lines.concat();
            for _ in 0..random(4) {
                let mut at = random(text.len() + 1);
                while !text.is_char_boundary(at) {
                    at -= 1;
                }
                if random(3) == 0 && at < text.len() {
                    text.remove(at);
                } else {
                    text.insert_str(at, BITS[random(BITS.len())]);
                }
            }
            if let Some(head) = quick::head(text.as_bytes()) {
                quickly += 1;
                assert_eq!(Ok(head), whole(text.as_bytes()), "{text}");
            }
        }
        assert!(quickly > 5_000, "{quickly}");
    }

    #[test]
    fn errors() {
        for (text, want) in [
            ("a: b: c", "error converting YAML to JSON: yaml: mapping values are not allowed in this context"),
            (
                "- a",
                "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal array into Go value of type util.SimpleHead",
            ),
            (
                "kind: [a]\nmetadata: x",
                "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal array into Go struct field SimpleHead.kind of type string",
            ),
            (
                "metadata:\n  annotations:\n    a: {}",
                "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal object into Go struct field .metadata.annotations of type string",
            ),
        ] {
            assert_eq!(head(text.as_bytes()).unwrap_err(), want);
        }
        let h = head(b"kind: .inf\nmetadata: {name: .nan, annotations: {a: -.inf}}").unwrap();
        assert_eq!((h.kind.as_str(), h.name.as_str(), h.annotations["a"].as_str()), ("+Inf", "NaN", "-Inf"));
        let e = head(b"kind: .inf\nmetadata: {labels: {a: .nan}}").unwrap_err();
        assert_eq!(e, "error converting YAML to JSON: json: unsupported value: NaN");
    }
}
