//! Values to YAML text: `toYaml` as sigs.k8s.io/yaml does it (through JSON, then go-yaml v2), `toYamlPretty` as go-yaml v3 does.
//!
//! `toYaml` never makes the JSON text. What the detour changes is done to the values instead: integers beyond 64 bits and fractions
//! become floats, bytes become base64, bytes that are not UTF-8 become U+FFFD, and a few characters that encoding/json
//! leaves alone are not allowed in YAML, so that the whole fails.

use std::borrow::Cow;

use base64::Engine as _;

use super::convert::{self, valid_utf8};
use super::emit::{Dialect, Emitter, Place};
use super::sort;
use crate::golang::json;
use crate::golang::strconv::format_float;
use crate::golang::time::{RFC3339_NANO, Time};
use crate::value::{Heap, Kind, ListId, MapId, ObjectRef, Str, Value, json as value_json};

/// go-yaml v2 reads no deeper flow nesting, and JSON is nothing else.
const MAX_DEPTH: usize = 10_000;

/// From this nesting on encoding/json looks for cycles.
const CYCLE_DEPTH: usize = 1000;

/// Bytes that [`marshal`] writes at most.
const MAX_TEXT: u64 = 1 << 30;

/// Why a value cannot be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MarshalError {
    /// What Go's `Marshal` returns.
    Unsupported(String),
    /// The text would be longer than the limit given.
    TooLong,
}

impl std::fmt::Display for MarshalError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unsupported(e) => f.write_str(e),
            Self::TooLong => f.write_str("the YAML text would be too long"),
        }
    }
}
impl std::error::Error for MarshalError {}

/// `yaml.Marshal` of sigs.k8s.io/yaml 1.6: what `toYaml` trims one newline off. Errors have its text.
pub fn marshal(heap: &mut Heap, value: &Value) -> Result<Vec<u8>, String> {
    marshal_within(heap, value, MAX_TEXT).map_err(|e| e.to_string())
}

/// As [`marshal`], for a text of at most `limit` bytes.
pub fn marshal_within(heap: &mut Heap, value: &Value, limit: u64) -> Result<Vec<u8>, MarshalError> {
    match Walk::new(Mode::Json, limit).run(heap, value) {
        Ok(out) => Ok(out),
        Err(Stop::Error(e)) => Err(e),
        Err(Stop::Odd) => by_way_of_text(heap, value, limit),
    }
}

/// go-yaml v3's encoder with an indentation of 2, directly on the values: `toYamlPretty`.
pub fn marshal_pretty(heap: &mut Heap, value: &Value) -> Result<Vec<u8>, String> {
    marshal_pretty_within(heap, value, MAX_TEXT).map_err(|e| e.to_string())
}

/// As [`marshal_pretty`], for a text of at most `limit` bytes.
pub fn marshal_pretty_within(heap: &mut Heap, value: &Value, limit: u64) -> Result<Vec<u8>, MarshalError> {
    Walk::new(Mode::Pretty, limit).run(heap, value).map_err(|e| match e {
        Stop::Error(e) => e,
        Stop::Odd => MarshalError::Unsupported("yaml: unknown problem generating YAML content".into()),
    })
}

/// go-yaml v2's form of values that have no fractions where whole numbers are meant, keys in byte order: what Flux makes digests of
/// (a `yaml.MapSlice` keeps the order that it is given).
pub fn marshal_sorted(heap: &mut Heap, value: &Value) -> Result<Vec<u8>, String> {
    let walk = Walk { bytewise: true, ..Walk::new(Mode::Plain, MAX_TEXT) };
    walk.run(heap, value).map_err(|e| match e {
        Stop::Error(e) => e.to_string(),
        Stop::Odd => DEEP.into(),
    })
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

/// The detour itself: JSON text, read as YAML, written as YAML. For values with characters that do not survive it.
fn by_way_of_text(heap: &mut Heap, value: &Value, limit: u64) -> Result<Vec<u8>, MarshalError> {
    let bound = usize::try_from(limit).unwrap_or(usize::MAX);
    let text = value_json::encode_within(heap, value, true, None, bound).map_err(|e| match e {
        value_json::EncodeError::Unsupported(e) => MarshalError::Unsupported(format!("{TO_JSON}{e}")),
        value_json::EncodeError::TooLong => MarshalError::TooLong,
    })?;
    let value = convert::to_integral_value(heap, &text).map_err(MarshalError::Unsupported)?;
    match Walk::new(Mode::Plain, limit).run(heap, &value) {
        Ok(out) => Ok(out),
        Err(Stop::Error(e)) => Err(e),
        Err(Stop::Odd) => Err(MarshalError::Unsupported(DEEP.into())),
    }
}

const DEEP: &str = "yaml: exceeded max depth of 10000";

/// What becomes of the values on their way.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// As if encoding/json wrote and go-yaml v2 read them; then v2's form.
    Json,
    /// They have gone that way: v2's form.
    Plain,
    /// v3's form.
    Pretty,
}

/// Why a walk ended early.
enum Stop {
    Error(MarshalError),
    /// A text which JSON and YAML read differently: the detour must be made in full.
    Odd,
}

fn unsupported(text: impl Into<String>) -> Stop {
    Stop::Error(MarshalError::Unsupported(text.into()))
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
    mode: Mode,
    dialect: Dialect,
    limit: usize,
    frames: Vec<Frame>,
    /// Keys in byte order, not in go-yaml's.
    bytewise: bool,
}

impl Walk {
    fn new(mode: Mode, limit: u64) -> Self {
        let dialect = if mode == Mode::Pretty { Dialect::V3 } else { Dialect::V2 };
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Self { emitter: Emitter::new(dialect), mode, dialect, limit, frames: Vec::new(), bytewise: false }
    }

    fn run(mut self, heap: &mut Heap, value: &Value) -> Result<Vec<u8>, Stop> {
        self.node(heap, value, Place::Root)?;
        while let Some(frame) = self.frames.last_mut() {
            if self.emitter.out.len() > self.limit {
                return Err(Stop::Error(MarshalError::TooLong));
            }
            let (value, place) = match frame {
                Frame::Map { id, order, at } => {
                    let entry = order.get(*at).and_then(|i| heap.map(*id).entry_at(*i as usize));
                    *at += 1;
                    match entry {
                        Some((key, value)) => {
                            if self.mode == Mode::Json {
                                check_key(key)?;
                            }
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
                Value::Object(_) | Value::Map(_) | Value::List(_) | Value::Bytes(_) => {
                    let value = value.clone();
                    self.node(heap, &value, place)?;
                }
                scalar => self.scalar(scalar, place)?,
            }
        }
        Ok(self.emitter.finish())
    }

    /// Writes a scalar, or begins a collection.
    fn node(&mut self, heap: &mut Heap, value: &Value, place: Place) -> Result<(), Stop> {
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
                if let Some(t) = o.as_any().downcast_ref::<Time>()
                    && self.dialect == Dialect::V3
                {
                    // A timestamp, which needs no quotes to be read as one.
                    self.emitter.bare(&t.format(RFC3339_NANO));
                    return Ok(());
                }
                let value = match self.dialect {
                    // The long way words the error.
                    Dialect::V2 => o.try_json(heap).map_err(|_| Stop::Odd)?,
                    Dialect::V3 => match pretty_object(heap, o) {
                        Pretty::Value(v) => v,
                        Pretty::Fields(fields) => return self.fields(heap, fields, place),
                    },
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

    fn map(&mut self, heap: &Heap, id: MapId, place: Place) -> Result<(), Stop> {
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
        let map = heap.map(id);
        let mut order: Vec<u32> = (0..u32::try_from(map.len()).unwrap_or(u32::MAX)).collect();
        let key = |i: u32| map.entry_at(i as usize).map_or(&b""[..], |(k, _)| k.as_bytes());
        if self.bytewise {
            order.sort_by_key(|i| key(*i));
        } else {
            sort::sort(&mut order, &|a, b| sort::less(key(a), key(b), self.dialect));
        }
        self.emitter.mapping_start();
        self.frames.push(Frame::Map { id, order, at: 0 });
        Ok(())
    }

    /// A struct: its fields keep their order.
    fn fields(&mut self, heap: &mut Heap, fields: Vec<(String, Value)>, place: Place) -> Result<(), Stop> {
        let names: Vec<Str> = fields.iter().map(|(name, _)| Str::from(name.as_str())).collect();
        let id = heap.map_of(fields);
        self.map(heap, id, place)?;
        let map = heap.map(id);
        if let Some(Frame::Map { id: top, order, .. }) = self.frames.last_mut()
            && *top == id
        {
            let place = |i: u32| map.entry_at(i as usize).and_then(|(k, _)| names.iter().position(|n| n == k));
            order.sort_by_key(|i| place(*i));
        }
        Ok(())
    }

    fn list(&mut self, heap: &Heap, id: ListId, place: Place) -> Result<(), Stop> {
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

    fn check_depth(&self, same: impl Fn(&Frame) -> bool, ty: impl Fn() -> String) -> Result<(), Stop> {
        if self.frames.len() > CYCLE_DEPTH && self.frames.iter().any(same) {
            let ty = ty();
            return Err(unsupported(format!("{TO_JSON}json: unsupported value: encountered a cycle via {ty}")));
        }
        if self.frames.len() >= MAX_DEPTH {
            return Err(unsupported(DEEP));
        }
        Ok(())
    }

    fn scalar(&mut self, value: &Value, place: Place) -> Result<(), Stop> {
        match value {
            Value::Nil => self.emitter.bare(b"null"),
            Value::Bool(b) => self.emitter.bare(if *b { b"true" } else { b"false" }),
            Value::Int(n) | Value::Int64(n) => self.emitter.bare(n.to_string().as_bytes()),
            Value::OtherInt(k, n) => self.emitter.bare(n.get(*k).to_string().as_bytes()),
            Value::Float(f) => {
                let text = if self.mode == Mode::Json { json_number(*f)? } else { plain_number(*f) };
                self.emitter.bare(text.as_bytes());
            }
            Value::Str(s) if self.mode == Mode::Json => self.emitter.string(&through_json(s)?, place),
            Value::Str(s) => self.emitter.string(s, place),
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

/// A float as go-yaml writes it.
fn plain_number(f: f64) -> String {
    match format_float(f, b'g', -1, 64).as_str() {
        "+Inf" => ".inf".into(),
        "-Inf" => "-.inf".into(),
        "NaN" => ".nan".into(),
        s => s.into(),
    }
}

/// A float after encoding/json wrote it and go-yaml read it: an integer if it has the form of one and fits.
fn json_number(f: f64) -> Result<String, Stop> {
    if !f.is_finite() {
        let f = format_float(f, b'g', -1, 64);
        return Err(unsupported(format!("{TO_JSON}json: unsupported value: {f}")));
    }
    if f.fract() == 0.0 && f.abs() < 1e21 {
        let text = json::float(f);
        if text.parse::<i64>().is_ok() || text.parse::<u64>().is_ok() {
            // -0 is the integer 0.
            return Ok(if text == "-0" { "0".into() } else { text });
        }
    }
    Ok(plain_number(f))
}

/// A string after encoding/json wrote it and go-yaml read it. Some characters that JSON leaves alone YAML refuses (controls) or
/// folds (U+0085).
fn through_json(s: &[u8]) -> Result<Cow<'_, [u8]>, Stop> {
    if s.is_ascii() {
        return if s.contains(&0x7f) { Err(Stop::Odd) } else { Ok(Cow::Borrowed(s)) };
    }
    let odd = |c: char| matches!(c, '\u{7f}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}');
    match std::str::from_utf8(s) {
        Ok(text) if text.contains(odd) => Err(Stop::Odd),
        Ok(_) => Ok(Cow::Borrowed(s)),
        Err(_) => {
            let repaired = valid_utf8(s);
            if String::from_utf8_lossy(&repaired).contains(odd) { Err(Stop::Odd) } else { Ok(Cow::Owned(repaired)) }
        }
    }
}

/// A key must come through JSON as it is, and the JSON must be short enough for a key in YAML: 1024 characters.
fn check_key(key: &[u8]) -> Result<(), Stop> {
    match through_json(key)? {
        Cow::Borrowed(_) if key.len() <= 160 => Ok(()),
        _ => Err(Stop::Odd),
    }
}

/// What an object is to go-yaml v3.
enum Pretty {
    Value(Value),
    /// A struct.
    Fields(Vec<(String, Value)>),
}

/// An object as go-yaml v3 sees it: types that have a text are strings, structs are maps with lower-case names.
fn pretty_object(heap: &mut Heap, object: &ObjectRef) -> Pretty {
    if let Some(elements) = object.elements(heap) {
        if object.kind() == Kind::Map {
            let entries: Vec<(Str, Value)> =
                elements.into_iter().filter_map(|(k, v)| Some((k.as_str()?.clone(), v))).collect();
            return Pretty::Value(Value::Map(heap.map_of(entries)));
        }
        let items = elements.into_iter().map(|(_, v)| v).collect();
        return Pretty::Value(Value::List(heap.list_of(items)));
    }
    let json = object.json(heap);
    if let Some(text) = object.string()
        && matches!(json, Value::Str(_) | Value::Int(_) | Value::Int64(_) | Value::OtherInt(..))
    {
        // Times, versions, months and weekdays write themselves as in JSON, durations as their text.
        return Pretty::Value(if object.go_type() == "time.Duration" { Value::str(text) } else { json });
    }
    let fields: Vec<(String, Value)> = object
        .fields(heap)
        .into_iter()
        .filter(|(name, _)| name.starts_with(|c: char| c.is_ascii_uppercase()))
        .map(|(name, v)| (name.to_lowercase(), v))
        .collect();
    if fields.is_empty() { Pretty::Value(json) } else { Pretty::Fields(fields) }
}
