//! From decoded YAML to values as Helm has them: sigs.k8s.io/yaml 1.6 goes through JSON, so keys become strings and numbers floats.
//!
//! The JSON text itself is never made. What would fail there (an infinite number, a map key that has no text) is noted while
//! the values are built, and the message is worked out afterwards.

use super::data::{self, Data};
use super::decode::{self, Build, TOO_DEEP};
use super::resolve::Scalar;
use super::tree::Tree;
use super::{go_syntax, reader, tree};
use crate::golang::strconv::format_float;
use crate::value::{Heap, Kind, ListId, Map, MapId, Str, Value};

/// Builds values on a heap.
struct HeapBuild<'h> {
    heap: &'h mut Heap,
    /// A float that JSON cannot write was seen.
    unwritable: bool,
    /// A map key was seen that has no text.
    bad_key: bool,
    /// Integers stay integers.
    integral: bool,
}

impl<'a> Build<'a> for HeapBuild<'_> {
    type Out = Value;

    fn scalar(&mut self, scalar: Scalar<'a>) -> Value {
        match scalar {
            Scalar::Null => Value::Nil,
            Scalar::Bool(b) => Value::Bool(b),
            Scalar::Int(n) if self.integral => Value::Int(n),
            Scalar::Uint(n) if self.integral => Value::OtherInt(Kind::Uint64, n.into()),
            Scalar::Int(n) => Value::Float(n as f64),
            Scalar::Uint(n) => Value::Float(n as f64),
            Scalar::Float(f) => {
                self.unwritable |= !f.is_finite();
                Value::Float(f)
            }
            Scalar::Str(s) => Value::Str(text(&s)),
        }
    }

    fn list(&mut self, items: Vec<Value>, _depth: usize) -> Value {
        // JSON's decoder appends them one by one.
        Value::List(self.heap.grown_list_of(items))
    }

    fn map(&mut self, entries: Vec<(Scalar<'a>, Value)>, _depth: usize) -> Value {
        let mut keyed: Vec<(Str, Value)> = Vec::with_capacity(entries.len());
        let mut sorted = true;
        for (k, v) in entries {
            let key = match &k {
                Scalar::Str(s) => text(s),
                other => match key_text(other) {
                    Some(s) => Str::new(s),
                    None => {
                        self.bad_key = true;
                        continue;
                    }
                },
            };
            sorted &= keyed.last().is_none_or(|(last, _)| *last < key);
            keyed.push((key, v));
        }
        let map = if sorted { Map::in_order(keyed) } else { Map::from_entries(keyed) };
        Value::Map(self.heap.add_map(map))
    }
}

/// A string as it comes out of JSON: bytes that are not UTF-8 become U+FFFD, each on its own.
fn text(s: &[u8]) -> Str {
    if std::str::from_utf8(s).is_ok() { Str::new(s) } else { Str::new(valid_utf8(s)) }
}

/// Go's way to repair UTF-8: one U+FFFD for every byte that does not belong to a character.
pub fn valid_utf8(s: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(s.len() + 8);
    for chunk in s.utf8_chunks() {
        out.extend_from_slice(chunk.valid().as_bytes());
        for _ in chunk.invalid() {
            out.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
    out
}

/// A map key as sigs.k8s.io/yaml writes it, if it can.
pub fn key_text(key: &Scalar<'_>) -> Option<String> {
    match key {
        Scalar::Str(s) => Some(String::from_utf8_lossy(s).into_owned()),
        Scalar::Int(n) => Some(n.to_string()),
        Scalar::Bool(b) => Some(b.to_string()),
        Scalar::Float(f) => Some(match format_float(*f, b'g', -1, 32).as_str() {
            "+Inf" => ".inf".into(),
            "-Inf" => "-.inf".into(),
            "NaN" => ".nan".into(),
            s => s.into(),
        }),
        Scalar::Null | Scalar::Uint(_) => None,
    }
}

/// What a document is decoded into, as far as it decides which numbers become texts: that happens before JSON, so there may stand
/// numbers that JSON cannot write.
#[derive(Clone, Copy)]
pub enum Shape {
    /// Numbers stay numbers.
    Plain,
    Text,
    List(&'static Self),
    Map(&'static Self),
    Struct(&'static [(&'static str, Self)]),
}

impl Shape {
    fn of_item(self) -> Self {
        if let Self::List(item) = self { *item } else { Self::Plain }
    }

    fn of_field(self, key: &str) -> Self {
        match self {
            Self::Map(value) => *value,
            Self::Struct(fields) => {
                let exact = fields.iter().find(|(name, _)| *name == key);
                let field = exact.or_else(|| fields.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)));
                field.map_or(Self::Plain, |(_, shape)| *shape)
            }
            _ => Self::Plain,
        }
    }
}

/// The first error that sigs.k8s.io/yaml would meet between YAML and JSON.
pub fn json_error(tree: &Tree<'_>, shape: Shape) -> Option<String> {
    let data = data::decode_node(tree, tree.root?);
    bad_key(&data).or_else(|| unwritable(&data, shape))
}

fn bad_key(data: &Data<'_>) -> Option<String> {
    match data {
        Data::Scalar(_) => None,
        Data::List(items) => items.iter().find_map(bad_key),
        Data::Map(entries) => entries.iter().find_map(|(k, v)| {
            if key_text(k).is_some() {
                return bad_key(v);
            }
            let (mut key, mut value) = (String::new(), String::new());
            go_syntax::scalar(k, true, &mut key);
            go_syntax::write(v, true, &mut value);
            let ty = if matches!(k, Scalar::Uint(_)) { "uint64" } else { "%!s(<nil>)" };
            Some(format!("unsupported map key of type: {ty}, key: {key}, value: {value}"))
        }),
    }
}

/// encoding/json goes through maps in the order of their keys.
fn unwritable(data: &Data<'_>, shape: Shape) -> Option<String> {
    match data {
        Data::Scalar(Scalar::Float(f)) if !f.is_finite() && !matches!(shape, Shape::Text) => {
            Some(format!("json: unsupported value: {}", format_float(*f, b'g', -1, 64)))
        }
        Data::Scalar(_) => None,
        Data::List(items) => items.iter().find_map(|v| unwritable(v, shape.of_item())),
        Data::Map(entries) => {
            let mut keyed: Vec<_> = entries.iter().filter_map(|(k, v)| Some((key_text(k)?, v))).collect();
            keyed.sort_by(|a, b| a.0.cmp(&b.0));
            keyed.into_iter().find_map(|(k, v)| unwritable(v, shape.of_field(&k)))
        }
    }
}

/// Prefix of errors before the JSON step.
pub const TO_JSON: &str = "error converting YAML to JSON: ";

/// Prefix of errors when the JSON is read.
pub const FROM_JSON: &str = "error unmarshaling JSON: while decoding JSON: ";

/// The first document of a text as values: `yaml.Unmarshal` into an `interface{}` (sigs.k8s.io/yaml 1.6 over go-yaml 2.4).
///
/// Every number is a float64; no document, or a null, is nil. Errors have sigs.k8s.io/yaml's whole text.
pub fn to_value(heap: &mut Heap, text: &[u8]) -> Result<Value, String> {
    let (text, bad) = reader::decode(text);
    let tree = tree::parse_checked(&text, bad).map_err(|e| format!("{TO_JSON}{e}"))?;
    from_tree(heap, &tree)
}

/// As [`to_value`], but integers stay integers: for decoding into structs, where sigs.k8s.io/yaml makes texts of scalars that are
/// wanted as texts, before JSON. The numbers among them may be infinite.
pub fn to_typed_value(heap: &mut Heap, text: &[u8], shape: Shape) -> Result<Value, String> {
    let (text, bad) = reader::decode(text);
    let tree = tree::parse_checked(&text, bad).map_err(|e| format!("{TO_JSON}{e}"))?;
    from_tree_as(heap, &tree, Some(shape))
}

/// As [`to_value`], from a tree.
pub fn from_tree(heap: &mut Heap, tree: &Tree<'_>) -> Result<Value, String> {
    from_tree_as(heap, tree, None)
}

/// With a shape, integers stay integers.
fn from_tree_as(heap: &mut Heap, tree: &Tree<'_>, shape: Option<Shape>) -> Result<Value, String> {
    let mut build = HeapBuild { heap, unwritable: false, bad_key: false, integral: shape.is_some() };
    let value = match decode::decode(tree, tree.root, &mut build, None) {
        Ok(value) => value.unwrap_or(Value::Nil),
        Err(e) if e == TOO_DEEP => return Err(format!("{FROM_JSON}{e}")),
        Err(e) => return Err(format!("{TO_JSON}{e}")),
    };
    if (build.unwritable || build.bad_key)
        && let Some(e) = json_error(tree, shape.unwrap_or(Shape::Plain))
    {
        return Err(format!("{TO_JSON}{e}"));
    }
    Ok(value)
}

/// What go-yaml v2 alone reads from a text that is JSON: integers stay integers. Errors are go-yaml's.
pub fn to_integral_value(heap: &mut Heap, text: &[u8]) -> Result<Value, String> {
    let (text, bad) = reader::decode(text);
    let tree = tree::parse_checked(&text, bad)?;
    let mut build = HeapBuild { heap, unwritable: false, bad_key: false, integral: true };
    Ok(decode::decode(&tree, tree.root, &mut build, None)?.unwrap_or(Value::Nil))
}

/// JSON's word for the kind of a value, as its errors use it.
pub fn json_kind(value: &Value) -> &'static str {
    match value {
        Value::Nil => "null",
        Value::Bool(_) => "bool",
        Value::Str(_) => "string",
        Value::List(_) => "array",
        Value::Map(_) => "object",
        _ => "number",
    }
}

/// The error for a document that is not what was asked for.
fn mismatch(found: &Value, want: &str) -> String {
    format!("{FROM_JSON}json: cannot unmarshal {} into Go value of type {want}", json_kind(found))
}

/// The first document of a text as a map: `yaml.Unmarshal` into a `map[string]interface {}` that is there. A null, or no
/// document, leaves it empty. Errors have sigs.k8s.io/yaml's whole text.
pub fn to_map(heap: &mut Heap, text: &[u8]) -> Result<MapId, String> {
    match to_value(heap, text)? {
        Value::Map(m) => Ok(m),
        Value::Nil => Ok(heap.new_map()),
        other => Err(mismatch(&other, "map[string]interface {}")),
    }
}

/// The first document of a text as a list: `yaml.Unmarshal` into a `[]interface {}` that is there, as [`to_map`].
pub fn to_list(heap: &mut Heap, text: &[u8]) -> Result<ListId, String> {
    match to_value(heap, text)? {
        Value::List(l) => Ok(l),
        Value::Nil => Ok(heap.list_of(Vec::new())),
        other => Err(mismatch(&other, "[]interface {}")),
    }
}
