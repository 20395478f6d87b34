//! Values to YAML text: `toYaml` as sigs.k8s.io/yaml does it (through JSON, then go-yaml v2), `toYamlPretty` as go-yaml v3 does.
//!
//! `toYaml` never makes the JSON text. What the detour changes is done to the values instead: integers beyond 64 bits and fractions
//! become floats, bytes become base64, bytes that are not UTF-8 become U+FFFD, and a few characters that encoding/json
//! leaves alone are not allowed in YAML, so that the whole fails.

use std::borrow::Cow;

use base64::Engine as _;

use super::convert::valid_utf8;
use super::emit::{Dialect, Emitter, Place};
use super::number;
use super::scanner::Scanner;
use super::sort;
use crate::value::{Heap, ListId, MapId, ObjectRef, Str, Value};

/// go-yaml v2 reads no deeper flow nesting, and JSON is nothing else.
const MAX_DEPTH: usize = 10_000;

/// From this nesting on encoding/json looks for cycles.
const CYCLE_DEPTH: usize = 1000;

/// `yaml.Marshal` of sigs.k8s.io/yaml 1.6: what `toYaml` trims one newline off. Errors have its text.
pub fn marshal(heap: &mut Heap, value: &Value) -> Result<Vec<u8>, String> {
    Walk::new(Dialect::V2).run(heap, value)
}

/// go-yaml v3's encoder with an indentation of 2, directly on the values: `toYamlPretty`.
pub fn marshal_pretty(heap: &mut Heap, value: &Value) -> Result<Vec<u8>, String> {
    Walk::new(Dialect::V3).run(heap, value)
}

/// `toYaml`: no trailing newline, and nothing at all if the value cannot be written.
pub fn to_yaml_or_empty(heap: &mut Heap, value: &Value) -> String {
    let mut out = marshal(heap, value).unwrap_or_default();
    if out.last() == Some(&b'\n') {
        out.pop();
    }
    // What comes out of JSON is UTF-8.
    String::from_utf8(out).unwrap_or_default()
}

enum Frame {
    /// The entries by their places in the map, in the order of output.
    Map {
        id: MapId,
        order: Vec<u32>,
        at: usize,
    },
    List {
        id: ListId,
        at: usize,
    },
}

struct Walk {
    emitter: Emitter,
    dialect: Dialect,
    frames: Vec<Frame>,
}

impl Walk {
    const fn new(dialect: Dialect) -> Self {
        Self { emitter: Emitter::new(dialect), dialect, frames: Vec::new() }
    }

    fn run(mut self, heap: &mut Heap, value: &Value) -> Result<Vec<u8>, String> {
        self.node(heap, value, Place::Root)?;
        while let Some(frame) = self.frames.last_mut() {
            let (value, place) = match frame {
                Frame::Map { id, order, at } => {
                    let entry = order.get(*at).and_then(|i| heap.map(*id).entry_at(*i as usize));
                    *at += 1;
                    match entry {
                        Some((key, value)) => {
                            let key = match self.dialect {
                                Dialect::V2 => check_key(key)?,
                                Dialect::V3 => key.as_bytes(),
                            };
                            self.emitter.key(key);
                            (value, Place::Value)
                        }
                        None => {
                            self.emitter.end();
                            self.frames.pop();
                            continue;
                        }
                    }
                }
                Frame::List { id, at } => {
                    let item = heap.list(*id).items.get(*at);
                    *at += 1;
                    match item {
                        Some(item) => {
                            self.emitter.item();
                            (item, Place::Item)
                        }
                        None => {
                            self.emitter.end();
                            self.frames.pop();
                            continue;
                        }
                    }
                }
            };
            match value {
                Value::Object(_) | Value::Map(_) | Value::List(_) => {
                    let value = value.clone();
                    self.node(heap, &value, place)?;
                }
                scalar => self.scalar(scalar, place)?,
            }
        }
        Ok(self.emitter.finish())
    }

    /// Writes a scalar, or begins a collection.
    fn node(&mut self, heap: &mut Heap, value: &Value, place: Place) -> Result<(), String> {
        match value {
            Value::Map(id) => self.map(heap, id.plain(), place),
            Value::List(id) => self.list(heap, *id, place),
            Value::Bytes(b) if self.dialect == Dialect::V3 => {
                // A []byte is a slice like any other to go-yaml v3.
                let items = b.iter().map(|b| Value::Int(i64::from(*b))).collect();
                let id = heap.list_of(items);
                self.list(heap, id, place)
            }
            Value::Object(o) => {
                let value = match self.dialect {
                    Dialect::V2 => o.json(heap),
                    Dialect::V3 => pretty_object(heap, o),
                };
                match value {
                    // Once more would be a type that gives itself.
                    Value::Object(_) => self.scalar(&Value::Nil, place),
                    other => self.node(heap, &other, place),
                }
            }
            scalar => self.scalar(scalar, place),
        }
    }

    fn map(&mut self, heap: &mut Heap, mut id: MapId, place: Place) -> Result<(), String> {
        self.check_depth(
            |f| matches!(f, Frame::Map { id: other, .. } if *other == id),
            || heap.map(id).ty.go_type().to_string(),
        )?;
        let map = heap.map(id);
        if map.nil && self.dialect == Dialect::V2 {
            return self.scalar(&Value::Nil, place);
        }
        if map.is_empty() {
            self.emitter.empty_mapping();
            return Ok(());
        }
        if self.dialect == Dialect::V2 && map.keys().any(|k| !k.is_ascii() && std::str::from_utf8(k).is_err()) {
            let entries: Vec<(Str, Value)> = map.iter().map(|(k, v)| (Str::new(valid_utf8(k)), v.clone())).collect();
            id = heap.map_of(entries);
        }
        let map = heap.map(id);
        let mut order: Vec<u32> = (0..u32::try_from(map.len()).unwrap_or(u32::MAX)).collect();
        let key = |i: u32| map.entry_at(i as usize).map_or(&b""[..], |(k, _)| k.as_bytes());
        sort::sort(&mut order, &|a, b| sort::less(key(a), key(b), self.dialect));
        self.emitter.mapping_start();
        self.frames.push(Frame::Map { id, order, at: 0 });
        Ok(())
    }

    fn list(&mut self, heap: &Heap, id: ListId, place: Place) -> Result<(), String> {
        self.check_depth(
            |f| matches!(f, Frame::List { id: other, .. } if *other == id),
            || format!("[]{}", heap.list(id).elem.go_type()),
        )?;
        let list = heap.list(id);
        if list.nil && self.dialect == Dialect::V2 {
            return self.scalar(&Value::Nil, place);
        }
        if list.items.is_empty() {
            self.emitter.empty_sequence();
            return Ok(());
        }
        self.emitter.sequence_start(place);
        self.frames.push(Frame::List { id, at: 0 });
        Ok(())
    }

    fn check_depth(&self, same: impl Fn(&Frame) -> bool, ty: impl Fn() -> String) -> Result<(), String> {
        if self.frames.len() > CYCLE_DEPTH && self.frames.iter().any(same) {
            let ty = ty();
            return Err(format!("{TO_JSON}json: unsupported value: encountered a cycle via {ty}"));
        }
        if self.frames.len() >= MAX_DEPTH {
            return Err("yaml: exceeded max depth of 10000".into());
        }
        Ok(())
    }

    fn scalar(&mut self, value: &Value, place: Place) -> Result<(), String> {
        match value {
            Value::Nil => self.emitter.bare(b"null"),
            Value::Bool(b) => self.emitter.bare(if *b { b"true" } else { b"false" }),
            Value::Int(n) | Value::Int64(n) => self.emitter.bare(n.to_string().as_bytes()),
            Value::OtherInt(_, n) => self.emitter.bare(n.to_string().as_bytes()),
            Value::Float(f) => {
                let text = match self.dialect {
                    Dialect::V2 => json_number(*f)?,
                    Dialect::V3 => match number::go_float(*f).as_str() {
                        "+Inf" => ".inf".into(),
                        "-Inf" => "-.inf".into(),
                        "NaN" => ".nan".into(),
                        s => s.into(),
                    },
                };
                self.emitter.bare(text.as_bytes());
            }
            Value::Str(s) => match self.dialect {
                Dialect::V2 => self.emitter.string(&through_json(s)?, place),
                Dialect::V3 => self.emitter.string(s, place),
            },
            Value::Bytes(b) => {
                let text = base64::engine::general_purpose::STANDARD.encode(b);
                self.emitter.string(text.as_bytes(), place);
            }
            // Collections are begun, never written as scalars.
            Value::Map(_) | Value::List(_) | Value::Object(_) => self.emitter.bare(b"null"),
        }
        Ok(())
    }
}

const TO_JSON: &str = "error marshaling into JSON: ";

/// A float after encoding/json wrote it and go-yaml read it: an integer if it has the form of one.
fn json_number(f: f64) -> Result<String, String> {
    if !f.is_finite() {
        return Err(format!("{TO_JSON}json: unsupported value: {}", number::go_float(f)));
    }
    if f.fract() == 0.0 {
        // -0 is the integer 0.
        if (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&f) {
            let text = number::json_float(f);
            return Ok(if text == "-0" { "0".into() } else { text });
        }
        if (0.0..1e21).contains(&f) {
            let text = number::json_float(f);
            if text.parse::<u64>().is_ok() {
                return Ok(text);
            }
        }
    }
    Ok(number::go_float(f))
}

const CONTROL: &str = "yaml: control characters are not allowed";

/// A string after encoding/json wrote it and go-yaml read it.
fn through_json(s: &[u8]) -> Result<Cow<'_, [u8]>, String> {
    if s.is_ascii() {
        return if s.contains(&0x7f) { Err(CONTROL.into()) } else { Ok(Cow::Borrowed(s)) };
    }
    let text = String::from_utf8(valid_utf8(s)).unwrap_or_default();
    let mut next_line = false;
    for c in text.chars() {
        match c {
            '\u{85}' => next_line = true,
            '\u{7f}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}' => return Err(CONTROL.into()),
            _ => {}
        }
    }
    if !next_line {
        return Ok(if text.len() == s.len() { Cow::Borrowed(s) } else { Cow::Owned(text.into_bytes()) });
    }
    // encoding/json leaves U+0085 alone, and YAML folds lines there.
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c < ' ' || matches!(c, '\u{2028}' | '\u{2029}') => {
                quoted.push_str(&format!("\\u{:04x}", u32::from(c)))
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    let mut scanner = Scanner::new(quoted.as_bytes());
    scanner.scan_flow_scalar(false).map(|t| Cow::Owned(t.value.into_owned())).map_err(|p| p.message())
}

/// A key must be readable as one: on one line, and no longer than 1024 characters as JSON.
fn check_key(key: &[u8]) -> Result<&[u8], String> {
    if let Cow::Owned(_) = through_json(key)? {
        return Err("yaml: line 1: did not find expected ',' or '}'".into());
    }
    if key.len() > 160 {
        let length: usize = String::from_utf8_lossy(key)
            .chars()
            .map(|c| match c {
                '"' | '\\' | '\n' | '\r' | '\t' | '\x08' | '\x0c' => 2,
                c if c < ' ' || matches!(c, '<' | '>' | '&' | '\u{2028}' | '\u{2029}') => 6,
                _ => 1,
            })
            .sum();
        if length + 2 > 1024 {
            return Err("yaml: did not find expected ',' or '}'".into());
        }
    }
    Ok(key)
}

/// An object as go-yaml v3 sees it: types that have a text are strings, structs are maps with lower-case names.
fn pretty_object(heap: &mut Heap, object: &ObjectRef) -> Value {
    if let Some(elements) = object.elements(heap) {
        if object.kind() == crate::value::Kind::Map {
            let entries: Vec<(Str, Value)> =
                elements.into_iter().filter_map(|(k, v)| Some((k.as_str()?.clone(), v))).collect();
            return Value::Map(heap.map_of(entries));
        }
        let items = elements.into_iter().map(|(_, v)| v).collect();
        return Value::List(heap.list_of(items));
    }
    let json = object.json(heap);
    if let Some(text) = object.string()
        && matches!(json, Value::Str(_) | Value::Int(_) | Value::Int64(_) | Value::OtherInt(..))
    {
        // Times and versions write themselves as in JSON, durations as their text.
        return if let Value::Str(_) = json { json } else { Value::str(text) };
    }
    let fields: Vec<(String, Value)> = object
        .fields(heap)
        .into_iter()
        .filter(|(name, _)| name.starts_with(|c: char| c.is_ascii_uppercase()))
        .map(|(name, v)| (name.to_lowercase(), v))
        .collect();
    if fields.is_empty() { json } else { Value::Map(heap.map_of(fields)) }
}
