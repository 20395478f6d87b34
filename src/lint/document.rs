//! The documents of a rendered file, as the linter sees them: YAML divided by `---`, or JSON one value after the other.
//!
//! Helm reads them with Kubernetes' `YAMLOrJSONDecoder`. A text that begins with `{` is taken for JSON; where that fails, and not more
//! than one value was read, the rest is tried as YAML, and if that fails too the error is JSON's. Source: k8s.io/apimachinery 0.37
//! `pkg/util/yaml/decoder.go`, `stream_reader.go`; Helm 4.3 `pkg/chart/v2/lint/rules/template.go` (`k8sYamlStruct`).

use crate::golang::json::structs::{self, Decoder, Step};
use crate::golang::json::{Token, Tokens};
use crate::golang::strconv::format_float;
use crate::golang::unicode;
use crate::value::{Heap, MapId, Value};
use crate::yaml::convert::{FROM_JSON, json_kind};
use crate::yaml::{self, Shape};

/// What is looked at of an object. Absent fields are empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Object {
    pub(super) api_version: String,
    pub(super) kind: String,
    pub(super) namespace: String,
    pub(super) name: String,
}

const OBJECT: (&str, &str) = ("k8sYamlStruct", "rules.k8sYamlStruct");
const OBJECT_FIELDS: &[&str] = &["apiVersion", "Kind", "Metadata"];
const METADATA: (&str, &str) = ("k8sYamlMetadata", "rules.k8sYamlMetadata");
const METADATA_FIELDS: &[&str] = &["Namespace", "Name"];

/// How far ahead the decoder looks for a brace, in bytes.
const PEEK: usize = 4096;

/// Reads document after document; ends behind the first error.
pub(super) struct Documents<'a> {
    text: &'a [u8],
    /// Where the next document begins.
    at: usize,
    json: bool,
    /// How many were read.
    count: usize,
    ended: bool,
}

/// `None` for a document that holds nothing.
type Document = Result<Option<Object>, String>;

impl<'a> Documents<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        let head = String::from_utf8_lossy(text.get(..PEEK).unwrap_or(text));
        let json = head.trim_start_matches(unicode::is_space).starts_with('{');
        Self { text, at: 0, json, count: 0, ended: false }
    }

    fn rest(&self) -> &'a [u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn read(&mut self) -> Option<Document> {
        let mut first = None;
        if self.json {
            match self.read_json()? {
                Ok(object) => return Some(Ok(object)),
                Err(e) if self.count > 1 => return Some(Err(e.text)),
                Err(e) => first = Some(e.wrapped()),
            }
            self.json = false;
            if !self.skip_space() {
                return first.map(Err);
            }
        }
        match self.read_yaml()? {
            Ok(object) => Some(Ok(object)),
            Err(e) => Some(Err(first.unwrap_or(e))),
        }
    }

    /// The next JSON value; `None` at the end.
    fn read_json(&mut self) -> Option<Result<Option<Object>, JsonError>> {
        let rest = self.rest();
        if rest.iter().all(|b| matches!(b, b' ' | b'\t' | b'\r' | b'\n')) {
            return None;
        }
        let range = match Tokens::new(rest).skip_value() {
            Ok(range) => range,
            Err(e) if e.message == "unexpected end of JSON input" => {
                return Some(Err(JsonError { text: "unexpected EOF".into(), offset: None }));
            }
            Err(e) => return Some(Err(JsonError { text: e.message, offset: Some(self.at + e.offset) })),
        };
        let mut object = None;
        let value = rest.get(range.clone()).unwrap_or_default();
        match structs::decode(value, |d, token| from_json(d, &token, &mut object)) {
            Ok(()) => {
                self.count += 1;
                self.at += range.end;
                Some(Ok(object))
            }
            Err(e) => Some(Err(JsonError { text: e.to_string(), offset: None })),
        }
    }

    /// What lies between JSON and YAML: space up to a line's end. False if that leaves too little to go on with.
    fn skip_space(&mut self) -> bool {
        loop {
            let rest = self.rest();
            // The reader wants four bytes for a character, even where one would do.
            let Some(head) = rest.get(..4) else { return false };
            let chunk = head.utf8_chunks().next();
            let Some(c) = chunk.and_then(|c| c.valid().chars().next()) else { return false };
            if !unicode::is_space(c) {
                return true;
            }
            self.at += c.len_utf8();
            if c == '\n' {
                return true;
            }
        }
    }

    /// The next YAML document; `None` at the end.
    fn read_yaml(&mut self) -> Option<Document> {
        let mut document = Vec::new();
        loop {
            let rest = self.rest();
            if rest.is_empty() {
                break;
            }
            let end = memchr::memchr(b'\n', rest);
            let line = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
            self.at += end.map_or(rest.len(), |n| n + 1);
            let line = if end.is_some() { line.strip_suffix(b"\r").unwrap_or(line) } else { line };
            if let Some(after) = line.strip_prefix(b"---") {
                let after = String::from_utf8_lossy(after);
                let after = after.trim_matches(unicode::is_space);
                if !after.is_empty() && !after.starts_with('#') {
                    return Some(Err(format!("invalid Yaml document separator: {after}")));
                }
                if !document.is_empty() {
                    break;
                }
            }
            // The reader of lines loses a last one that fills its buffer and has no end.
            if end.is_none() && line.len().is_multiple_of(PEEK) {
                break;
            }
            document.extend_from_slice(line);
            document.push(b'\n');
        }
        if document.is_empty() {
            return None;
        }
        self.count += 1;
        Some(from_yaml(&document))
    }
}

impl Iterator for Documents<'_> {
    type Item = Document;

    fn next(&mut self) -> Option<Document> {
        if self.ended {
            return None;
        }
        let next = self.read();
        self.ended = !matches!(next, Some(Ok(_)));
        next
    }
}

struct JsonError {
    text: String,
    /// Of what is wrong with the text itself.
    offset: Option<usize>,
}

impl JsonError {
    fn wrapped(self) -> String {
        match self.offset {
            Some(offset) => format!("json: offset {offset}: {}", self.text),
            None => self.text,
        }
    }
}

fn from_json<'a>(d: &mut Decoder<'a>, token: &Token<'a>, out: &mut Option<Object>) -> Step {
    if *token == Token::Null {
        return Ok(());
    }
    let object = out.get_or_insert_default();
    d.structure(token, OBJECT, OBJECT_FIELDS, |d, name| {
        let token = d.token()?;
        match name {
            "apiVersion" => d.string(token, "string", &mut object.api_version),
            "Kind" => d.string(token, "string", &mut object.kind),
            _ => d
                .structure(&token, METADATA, METADATA_FIELDS, |d, name| {
                    let token = d.token()?;
                    let slot = if name == "Name" { &mut object.name } else { &mut object.namespace };
                    d.string(token, "string", slot)
                })
                .map(|_| ()),
        }
    })
    .map(|_| ())
}

/// `yaml.Unmarshal` into the struct: scalars become texts where texts are wanted, and the first mismatch is the error.
fn from_yaml(document: &[u8]) -> Document {
    const METADATA: Shape = Shape::Struct(&[("Name", Shape::Text), ("Namespace", Shape::Text)]);
    const SHAPE: Shape = Shape::Struct(&[("apiVersion", Shape::Text), ("Kind", Shape::Text), ("Metadata", METADATA)]);
    let mut heap = Heap::new();
    let value = yaml::to_typed_value(&mut heap, document, SHAPE)?;
    let mut reading = Reading { heap: &heap, error: None };
    let mut object = None;
    match value {
        Value::Nil => {}
        Value::Map(map) => object = Some(reading.object(map)),
        other => reading.mismatch(&other, "value", OBJECT.1),
    }
    reading.error.map_or(Ok(object), |e| Err(format!("{FROM_JSON}{e}")))
}

struct Reading<'h> {
    heap: &'h Heap,
    error: Option<String>,
}

impl Reading<'_> {
    fn mismatch(&mut self, found: &Value, place: &str, ty: &str) {
        if !matches!(found, Value::Nil) {
            let found = json_kind(found);
            self.error.get_or_insert_with(|| format!("json: cannot unmarshal {found} into Go {place} of type {ty}"));
        }
    }

    fn object(&mut self, map: MapId) -> Object {
        let mut object = Object::default();
        for (name, value) in fields(self.heap, map, OBJECT_FIELDS) {
            match name {
                "apiVersion" => self.text(&value, "struct field k8sYamlStruct.apiVersion", &mut object.api_version),
                "Kind" => self.text(&value, "struct field k8sYamlStruct.Kind", &mut object.kind),
                _ => match value {
                    Value::Map(metadata) => self.metadata(metadata, &mut object),
                    other => self.mismatch(&other, "struct field k8sYamlStruct.Metadata", METADATA.1),
                },
            }
        }
        object
    }

    fn metadata(&mut self, map: MapId, object: &mut Object) {
        for (name, value) in fields(self.heap, map, METADATA_FIELDS) {
            if name == "Name" {
                self.text(&value, "struct field k8sYamlMetadata.Metadata.Name", &mut object.name);
            } else {
                self.text(&value, "struct field k8sYamlMetadata.Metadata.Namespace", &mut object.namespace);
            }
        }
    }

    fn text(&mut self, value: &Value, place: &str, out: &mut String) {
        match scalar(value) {
            Some(text) => *out = text,
            None => self.mismatch(value, place, "string"),
        }
    }
}

/// The known fields among a map's entries, in the order of its keys, found as encoding/json finds them.
fn fields(heap: &Heap, map: MapId, names: &[&'static str]) -> Vec<(&'static str, Value)> {
    let known = |key: &[u8]| structs::find(names, key);
    heap.map(map).iter().filter_map(|(k, v)| Some((known(k)?, v.clone()))).collect()
}

/// The text that a scalar becomes for a field that wants one.
fn scalar(value: &Value) -> Option<String> {
    Some(match value {
        Value::Str(s) => s.to_text().into_owned(),
        Value::Bool(b) => b.to_string(),
        Value::Int(n) => n.to_string(),
        Value::OtherInt(kind, n) => n.get(*kind).to_string(),
        Value::Float(f) => format_float(*f, b'g', -1, 32),
        _ => return None,
    })
}

/// The annotations' keys of all items of a List, from the first document of a text.
///
/// # Errors
/// The text of `sigs.k8s.io/yaml`.
pub(super) fn list_annotations(text: &[u8]) -> Result<Vec<String>, String> {
    const METADATA: &str = "struct { Annotations map[string]string }";
    const ITEM: Shape = Shape::Struct(&[("Metadata", Shape::Struct(&[("Annotations", Shape::Map(&Shape::Text))]))]);
    const SHAPE: Shape = Shape::Struct(&[("Items", Shape::List(&ITEM))]);
    let mut heap = Heap::new();
    let value = yaml::to_typed_value(&mut heap, text, SHAPE)?;
    let mut r = Reading { heap: &heap, error: None };
    let mut keys = Vec::new();
    let item_type = format!("struct {{ Metadata {METADATA} }}");
    let lists = match value {
        Value::Map(map) => fields(&heap, map, &["Items"]),
        other => {
            r.mismatch(&other, "value", &format!("struct {{ Items []{item_type} }}"));
            Vec::new()
        }
    };
    for (_, list) in lists {
        let Value::List(list) = list else {
            r.mismatch(&list, "struct field .Items", &format!("[]{item_type}"));
            continue;
        };
        for item in &heap.list(list).items {
            let Value::Map(item) = item else {
                r.mismatch(item, "struct field .Items", &item_type);
                continue;
            };
            for (_, metadata) in fields(&heap, *item, &["Metadata"]) {
                let Value::Map(metadata) = metadata else {
                    r.mismatch(&metadata, "struct field .Items.Metadata", METADATA);
                    continue;
                };
                for (_, annotations) in fields(&heap, metadata, &["Annotations"]) {
                    let Value::Map(annotations) = annotations else {
                        r.mismatch(&annotations, "struct field .Items.Metadata.Annotations", "map[string]string");
                        continue;
                    };
                    for (key, value) in heap.map(annotations).iter() {
                        r.text(value, "struct field .Items.Metadata.Annotations", &mut String::new());
                        keys.push(key.to_text().into_owned());
                    }
                }
            }
        }
    }
    r.error.map_or(Ok(keys), |e| Err(format!("{FROM_JSON}{e}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<Result<Option<String>, String>> {
        Documents::new(text.as_bytes()).map(|d| d.map(|o| o.map(|o| o.name))).collect()
    }

    #[test]
    fn json_gives_way_to_yaml_while_it_is_early() {
        let name = |n: &str| Ok(Some(n.to_string()));
        for (text, want) in [
            ("", vec![]),
            ("metadata: {name: a}\n---\n# nothing\n---\nmetadata: {name: b}", vec![name("a"), Ok(None), name("b")]),
            ("{\"metadata\": {\"name\": \"a\"}}\n{\"metadata\": {\"name\": \"b\"}}\n", vec![name("a"), name("b")]),
            ("{\"metadata\": {\"name\": \"a\"}}\n---\nmetadata: {name: b}\n", vec![name("a"), name("b")]),
            ("{metadata: {name: 1.50}}\n", vec![name("1.5")]),
            ("{\"metadata\": {\"name\": 7}}", vec![name("7")]),
            ("{\"a\": 1", vec![Err("unexpected EOF".into())]),
            (
                "{a: b: c}",
                vec![Err("json: offset 2: invalid character 'a' looking for beginning of object key string".into())],
            ),
            ("--- x\n", vec![Err("invalid Yaml document separator: x".into())]),
        ] {
            assert_eq!(read(text), want, "{text}");
        }
    }
}
