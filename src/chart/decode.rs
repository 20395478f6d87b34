//! From YAML to Chart.yaml's struct, as Helm does it: go-yaml v2, then JSON, then `encoding/json` into Go structs.
//!
//! That detour shows. A number or bool where a text is wanted becomes one (`version: 1.20` is `1.2`), keys match without regard to
//! case, a second file decoded into the same struct only overrides what it names, and the first mismatch in the order of the sorted
//! keys is the error, told with Go's type names. Source: `sigs.k8s.io/yaml` 1.6 `yaml.go`, Go 1.26 `encoding/json/decode.go`.

use std::collections::BTreeMap;

use crate::golang::strconv;
use crate::golang::time::{Location, parse_in_location};
use crate::value::Str;
use crate::yaml::{self, Shape, convert::TO_JSON};

use super::data::{Data, Table};
use super::metadata::{DEPENDENCY_FIELDS, Dependency, METADATA_FIELDS, Maintainer, Metadata, Nulls};
use super::{Lock, native};

const MAINTAINER_FIELDS: [&str; 3] = ["name", "email", "url"];

const TEXTS: Shape = Shape::List(&Shape::Text);
const DEPENDENCIES: Shape = Shape::List(&Shape::Struct(&[
    ("name", Shape::Text),
    ("version", Shape::Text),
    ("repository", Shape::Text),
    ("condition", Shape::Text),
    ("tags", TEXTS),
    ("alias", Shape::Text),
]));
const METADATA: Shape = Shape::Struct(&[
    ("name", Shape::Text),
    ("home", Shape::Text),
    ("sources", TEXTS),
    ("version", Shape::Text),
    ("description", Shape::Text),
    ("keywords", TEXTS),
    (
        "maintainers",
        Shape::List(&Shape::Struct(&[("name", Shape::Text), ("email", Shape::Text), ("url", Shape::Text)])),
    ),
    ("icon", Shape::Text),
    ("apiVersion", Shape::Text),
    ("condition", Shape::Text),
    ("tags", Shape::Text),
    ("appVersion", Shape::Text),
    ("annotations", Shape::Map(&Shape::Text)),
    ("kubeVersion", Shape::Text),
    ("dependencies", DEPENDENCIES),
    ("type", Shape::Text),
]);
const LOCK: Shape = Shape::Struct(&[("digest", Shape::Text), ("dependencies", DEPENDENCIES)]);

const PREFIX: &str = "error unmarshaling JSON: while decoding JSON: ";

/// Decodes a YAML text over what the struct holds already. The text of the error is `sigs.k8s.io/yaml`'s.
pub fn metadata_into(text: &[u8], m: &mut Metadata, nulls: &mut Nulls) -> Result<(), String> {
    let value = native::read(text, METADATA)?;
    let mut d = Decoder::default();
    d.structure(&value, "v2.Metadata", |d, t| d.metadata(t, m, nulls));
    d.finish()
}

/// Reads Chart.yaml once more, strictly: no key twice, and none that Helm does not know.
///
/// # Errors
/// As `yaml.UnmarshalStrict`'s: all keys that are set twice, or the first unknown one.
pub fn strictly(text: &[u8]) -> Result<(), String> {
    if let Some(e) = yaml::strict_error(text) {
        return Err(format!("{TO_JSON}{e}"));
    }
    unknown(&native::read(text, METADATA)?, METADATA_FIELDS)
        .map_or(Ok(()), |key| Err(format!("{PREFIX}json: unknown field {}", strconv::quote(&key))))
}

/// The first key that a struct with these fields does not have; maintainers and dependencies are structs of their own.
fn unknown(value: &Data, fields: &[&str]) -> Option<Str> {
    let table = value.as_table()?;
    table.iter().find_map(|(key, value)| {
        let Some(field) = fields.iter().find(|f| f.as_bytes().eq_ignore_ascii_case(key)) else {
            return Some(key.clone());
        };
        let (Data::List(items), inner) = (value, inner_fields(field)?) else { return None };
        items.iter().find_map(|item| unknown(item, inner))
    })
}

fn inner_fields(field: &str) -> Option<&'static [&'static str]> {
    match field {
        "maintainers" => Some(&MAINTAINER_FIELDS),
        "dependencies" => Some(DEPENDENCY_FIELDS),
        _ => None,
    }
}

/// Decodes a lock file; `None` if it holds nothing.
pub fn lock(text: &[u8]) -> Result<Option<Lock>, String> {
    let value = native::read(text, LOCK)?;
    if value == Data::Nil {
        return Ok(None);
    }
    let mut lock = Lock::default();
    let mut d = Decoder::default();
    d.structure(&value, "v2.Lock", |d, t| d.lock(t, &mut lock));
    d.finish()?;
    Ok(Some(lock))
}

/// The `apiVersion` alone: what decides which kind of chart this is.
pub fn api_version(text: &[u8]) -> Result<String, String> {
    let value = native::read(text, Shape::Struct(&[("apiVersion", Shape::Text)]))?;
    let mut version = String::new();
    let mut d = Decoder::default();
    d.structure(&value, "loader.chartBase", |d, t| {
        d.fields(t, "chartBase", &["apiVersion"], |d, _, v| d.string(v, &mut version));
    });
    d.finish()?;
    Ok(version)
}

/// The first error, and where in the structs the decoder stands.
#[derive(Default)]
struct Decoder {
    error: Option<String>,
    structure: &'static str,
    path: Vec<&'static str>,
}

impl Decoder {
    fn finish(self) -> Result<(), String> {
        self.error.map_or(Ok(()), |e| Err(format!("{PREFIX}{e}")))
    }

    fn mismatch(&mut self, value: &Data, go_type: &str) {
        let kind = match value {
            Data::Nil => return,
            Data::Bool(_) => "bool",
            Data::Int(_) | Data::Uint(_) | Data::Float(_) => "number",
            Data::Str(_) => "string",
            Data::List(_) => "array",
            Data::Table(_) | Data::Strings(_) => "object",
        };
        let place = if self.path.is_empty() {
            "Go value".to_string()
        } else {
            format!("Go struct field {}.{}", self.structure, self.path.join("."))
        };
        self.error.get_or_insert_with(|| format!("json: cannot unmarshal {kind} into {place} of type {go_type}"));
    }

    fn structure(&mut self, value: &Data, go_type: &str, read: impl FnOnce(&mut Self, &Table)) {
        match value {
            Data::Table(t) => read(self, t),
            other => self.mismatch(other, go_type),
        }
    }

    /// Calls `read` with each known field that the table names, in the order of the table's keys.
    fn fields(
        &mut self,
        table: &Table,
        structure: &'static str,
        names: &[&'static str],
        mut read: impl FnMut(&mut Self, &'static str, &Data),
    ) {
        let outer = std::mem::replace(&mut self.structure, structure);
        for (key, value) in table {
            let exact = names.iter().find(|n| n.as_bytes() == key.as_bytes());
            let Some(name) = exact.or_else(|| names.iter().find(|n| n.as_bytes().eq_ignore_ascii_case(key))) else {
                continue;
            };
            self.path.push(name);
            read(self, name, value);
            self.path.pop();
            self.structure = structure;
        }
        self.structure = outer;
    }

    fn string(&mut self, value: &Data, out: &mut String) {
        match text_of(value) {
            Some(s) => *out = s,
            None => self.mismatch(value, "string"),
        }
    }

    fn boolean(&mut self, value: &Data, out: &mut bool) {
        match value {
            Data::Bool(b) => *out = *b,
            other => self.mismatch(other, "bool"),
        }
    }

    /// A slice: elements are decoded over the ones that were there.
    fn list<T: Default>(
        &mut self,
        value: &Data,
        go: &str,
        out: &mut Vec<T>,
        mut read: impl FnMut(&mut Self, &Data, &mut T),
    ) {
        match value {
            Data::Nil => out.clear(),
            Data::List(items) => {
                out.truncate(items.len());
                out.resize_with(items.len(), T::default);
                for (item, slot) in items.iter().zip(out) {
                    read(self, item, slot);
                }
            }
            other => self.mismatch(other, go),
        }
    }

    fn strings(&mut self, value: &Data, out: &mut Vec<String>) {
        self.list(value, "[]string", out, Self::string);
    }

    fn string_map(&mut self, value: &Data, out: &mut Option<BTreeMap<String, String>>) {
        match value {
            Data::Nil => *out = None,
            Data::Table(t) => {
                let map = out.get_or_insert_default();
                for (k, v) in t {
                    let mut text = String::new();
                    self.string(v, &mut text);
                    map.insert(k.to_text().into_owned(), text);
                }
            }
            other => self.mismatch(other, "map[string]string"),
        }
    }

    fn metadata(&mut self, t: &Table, m: &mut Metadata, nulls: &mut Nulls) {
        self.fields(t, "Metadata", METADATA_FIELDS, |d, name, v| match name {
            "name" => d.string(v, &mut m.name),
            "home" => d.string(v, &mut m.home),
            "sources" => d.strings(v, &mut m.sources),
            "version" => d.string(v, &mut m.version),
            "description" => d.string(v, &mut m.description),
            "keywords" => d.strings(v, &mut m.keywords),
            "maintainers" => {
                nulls.maintainer = has_null(v);
                d.list(v, "[]*v2.Maintainer", &mut m.maintainers, |d, v, out| {
                    d.structure(v, "v2.Maintainer", |d, t| d.maintainer(t, out));
                });
            }
            "icon" => d.string(v, &mut m.icon),
            "apiVersion" => d.string(v, &mut m.api_version),
            "condition" => d.string(v, &mut m.condition),
            "tags" => d.string(v, &mut m.tags),
            "appVersion" => d.string(v, &mut m.app_version),
            "deprecated" => d.boolean(v, &mut m.deprecated),
            "annotations" => d.string_map(v, &mut m.annotations),
            "kubeVersion" => d.string(v, &mut m.kube_version),
            "dependencies" => {
                nulls.dependency = has_null(v);
                m.dependencies_nil = *v == Data::Nil;
                d.dependencies(v, &mut m.dependencies);
            }
            _ => d.string(v, &mut m.chart_type),
        });
    }

    fn maintainer(&mut self, t: &Table, m: &mut Maintainer) {
        self.fields(t, "Maintainer", &MAINTAINER_FIELDS, |d, name, v| match name {
            "name" => d.string(v, &mut m.name),
            "email" => d.string(v, &mut m.email),
            _ => d.string(v, &mut m.url),
        });
    }

    fn dependencies(&mut self, v: &Data, out: &mut Vec<Dependency>) {
        self.list(v, "[]*v2.Dependency", out, |d, v, out| {
            d.structure(v, "v2.Dependency", |d, t| d.dependency(t, out));
        });
    }

    fn dependency(&mut self, t: &Table, out: &mut Dependency) {
        self.fields(t, "Dependency", DEPENDENCY_FIELDS, |d, name, v| match name {
            "name" => d.string(v, &mut out.name),
            "version" => d.string(v, &mut out.version),
            "repository" => d.string(v, &mut out.repository),
            "condition" => d.string(v, &mut out.condition),
            "tags" => d.strings(v, &mut out.tags),
            "enabled" => d.boolean(v, &mut out.enabled),
            "import-values" => d.list(v, "[]interface {}", &mut out.import_values, |_, v, out| *out = as_json(v)),
            _ => d.string(v, &mut out.alias),
        });
    }

    fn lock(&mut self, t: &Table, lock: &mut Lock) {
        self.fields(t, "Lock", &["generated", "digest", "dependencies"], |d, name, v| match name {
            "generated" => match v {
                Data::Nil => {}
                Data::Str(s) => match parse_in_location(b"2006-01-02T15:04:05Z07:00", s, &Location::utc()) {
                    // As Go writes it again.
                    Ok(time) => {
                        let text = time.format(b"2006-01-02T15:04:05.999999999Z07:00");
                        lock.generated = String::from_utf8_lossy(&text).into_owned();
                    }
                    Err(e) => {
                        d.error.get_or_insert(e);
                    }
                },
                _ => {
                    d.error.get_or_insert_with(|| "Time.UnmarshalJSON: input is not a JSON string".into());
                }
            },
            "digest" => d.string(v, &mut lock.digest),
            _ if *v == Data::Nil => lock.dependencies = None,
            _ => d.dependencies(v, lock.dependencies.get_or_insert_default()),
        });
    }
}

fn has_null(list: &Data) -> Option<usize> {
    match list {
        Data::List(items) => items.iter().position(|v| *v == Data::Nil),
        _ => None,
    }
}

/// The text that `sigs.k8s.io/yaml` makes of a scalar for a string field; floats in 32 bits, as there.
fn text_of(value: &Data) -> Option<String> {
    Some(match value {
        Data::Str(s) => s.to_text().into_owned(),
        Data::Bool(b) => b.to_string(),
        Data::Int(n) => n.to_string(),
        Data::Uint(n) => n.to_string(),
        Data::Float(f) => strconv::format_float(*f, b'g', -1, 32),
        _ => return None,
    })
}

/// The value after the way through JSON: all numbers are floats.
fn as_json(value: &Data) -> Data {
    match value {
        Data::Int(n) => Data::Float(*n as f64),
        Data::Uint(n) => Data::Float(*n as f64),
        Data::List(items) => Data::List(items.iter().map(as_json).collect()),
        Data::Table(t) => Data::Table(t.iter().map(|(k, v)| (k.clone(), as_json(v))).collect()),
        other => other.clone(),
    }
}
