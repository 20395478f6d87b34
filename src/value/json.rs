//! Values as JSON: `encoding/json`'s `Marshal`, `MarshalIndent` and `Unmarshal` for the values that templates have.
//!
//! Both directions keep their own stack, so that neither a deep text nor a cycle of maps can exhaust the thread's.

use std::collections::HashSet;

use base64::Engine;

use super::{Elem, Heap, List, ListId, Map, MapId, Str, Value};
use crate::golang::json::{self, Token, Tokens};
use crate::golang::strconv::{format_float, parse_float};

/// Why a value cannot be encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EncodeError {
    /// What Go's `Marshal` returns, for example `json: unsupported value: +Inf`.
    Unsupported(String),
    /// The text would be longer than the limit given.
    TooLong,
}

impl std::fmt::Display for EncodeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unsupported(e) => f.write_str(e),
            Self::TooLong => f.write_str("the JSON text would be too long"),
        }
    }
}
impl std::error::Error for EncodeError {}

/// Bytes that [`encode`] writes at most.
const MAX_TEXT: usize = 1 << 30;

/// Go looks for cycles only below this many nested maps and slices.
const CYCLES_FROM: usize = 1000;

/// `json.Marshal`, with `indent` `json.MarshalIndent` without prefix; `html` escapes `<`, `>` and `&` in strings.
pub fn encode(heap: &mut Heap, value: &Value, html: bool, indent: Option<&str>) -> Result<Vec<u8>, String> {
    encode_within(heap, value, html, indent, MAX_TEXT).map_err(|e| e.to_string())
}

/// A map or list being written.
enum Open {
    Map(MapId, usize),
    List(ListId, usize),
    Fields(Vec<(&'static str, Value)>, usize),
}

/// As [`encode`], for a text of at most `limit` bytes.
pub fn encode_within(
    heap: &mut Heap,
    value: &Value,
    html: bool,
    indent: Option<&str>,
    limit: usize,
) -> Result<Vec<u8>, EncodeError> {
    let mut out = Vec::new();
    let mut open: Vec<Open> = Vec::new();
    let (mut maps, mut lists) = (HashSet::new(), HashSet::new());
    let mut next = Some(value.clone());
    let newline = |out: &mut Vec<u8>, depth: usize| {
        if let Some(indent) = indent {
            out.push(b'\n');
            for _ in 0..depth {
                out.extend_from_slice(indent.as_bytes());
            }
        }
    };
    loop {
        if out.len() > limit {
            return Err(EncodeError::TooLong);
        }
        if let Some(value) = next.take() {
            let fresh = match value {
                Value::Map(m) if !heap.map(m).nil => {
                    out.push(b'{');
                    open.push(Open::Map(m, 0));
                    open.len() <= CYCLES_FROM || maps.insert(m)
                }
                Value::List(l) if !heap.list(l).nil => {
                    out.push(b'[');
                    open.push(Open::List(l, 0));
                    open.len() <= CYCLES_FROM || lists.insert(l)
                }
                Value::Object(o) if o.kind() == super::Kind::Complex128 => {
                    return Err(EncodeError::Unsupported("json: unsupported type: complex128".into()));
                }
                Value::Object(ref o) if let Some(fields) = o.json_fields(heap) => {
                    out.push(b'{');
                    open.push(Open::Fields(fields, 0));
                    true
                }
                Value::Object(o) => {
                    next = Some(o.try_json(heap).map_err(EncodeError::Unsupported)?);
                    continue;
                }
                ref scalar => {
                    push_scalar(&mut out, scalar, html)?;
                    true
                }
            };
            if !fresh {
                let ty = value.go_type(heap);
                let why = format!("json: unsupported value: encountered a cycle via {ty}");
                return Err(EncodeError::Unsupported(why));
            }
            if indent.is_some() && open.len() > json::MAX_DEPTH {
                // Indenting reads the text again, and its scanner has a limit.
                let c = out.last().map_or(' ', |b| *b as char);
                return Err(EncodeError::Unsupported(format!("invalid character '{c}' exceeded max depth")));
            }
        }
        let depth = open.len();
        match open.last_mut() {
            None => return Ok(out),
            Some(Open::Map(m, i)) => match heap.map(*m).entry_at(*i) {
                Some((key, value)) => {
                    if *i > 0 {
                        out.push(b',');
                    }
                    *i += 1;
                    newline(&mut out, depth);
                    json::escape_string(key, html, &mut out);
                    out.extend_from_slice(if indent.is_some() { b": " } else { b":" });
                    next = Some(value.clone());
                }
                None => {
                    if *i > 0 {
                        newline(&mut out, depth - 1);
                    }
                    out.push(b'}');
                    maps.remove(m);
                    open.pop();
                }
            },
            Some(Open::Fields(fields, i)) => match fields.get(*i) {
                Some((key, value)) => {
                    if *i > 0 {
                        out.push(b',');
                    }
                    *i += 1;
                    newline(&mut out, depth);
                    json::escape_string(key.as_bytes(), html, &mut out);
                    out.extend_from_slice(if indent.is_some() { b": " } else { b":" });
                    next = Some(value.clone());
                }
                None => {
                    if *i > 0 {
                        newline(&mut out, depth - 1);
                    }
                    out.push(b'}');
                    open.pop();
                }
            },
            Some(Open::List(l, i)) => match heap.list(*l).items.get(*i) {
                Some(value) => {
                    if *i > 0 {
                        out.push(b',');
                    }
                    *i += 1;
                    newline(&mut out, depth);
                    next = Some(value.clone());
                }
                None => {
                    if *i > 0 {
                        newline(&mut out, depth - 1);
                    }
                    out.push(b']');
                    lists.remove(l);
                    open.pop();
                }
            },
        }
    }
}

fn push_scalar(out: &mut Vec<u8>, value: &Value, html: bool) -> Result<(), EncodeError> {
    let text = match value {
        Value::Bool(b) => b.to_string(),
        Value::Int(n) | Value::Int64(n) => n.to_string(),
        Value::OtherInt(k, n) => n.get(*k).to_string(),
        Value::Float(f) if f.is_finite() => json::float(*f),
        Value::Float(f) => {
            let f = format_float(*f, b'g', -1, 64);
            return Err(EncodeError::Unsupported(format!("json: unsupported value: {f}")));
        }
        Value::Str(s) => {
            json::escape_string(s, html, out);
            return Ok(());
        }
        Value::Bytes(b) => format!("\"{}\"", base64::engine::general_purpose::STANDARD.encode(b)),
        // What is left are nil maps and lists of a type.
        Value::Nil | Value::Map(_) | Value::List(_) | Value::Object(_) => "null".into(),
    };
    out.extend_from_slice(text.as_bytes());
    Ok(())
}

/// What `json.Unmarshal` leaves in its target, and the error it returns besides.
///
/// A text that is not JSON leaves nothing. A number beyond float64 is an error too, but everything else is there, and Helm's
/// `fromJson` shows it.
#[derive(Debug)]
pub struct Decoded {
    pub value: Value,
    pub error: Option<String>,
}

/// What a text is decoded into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// `interface {}`
    Any,
    /// `map[string]interface {}`
    Map,
    /// `[]interface {}`
    List,
}

/// `json.Unmarshal` into `interface {}`. The error is Go's.
pub fn decode(heap: &mut Heap, text: &[u8]) -> Result<Value, String> {
    let decoded = decode_into(heap, text, Target::Any);
    match decoded.error {
        None => Ok(decoded.value),
        Some(e) => Err(e),
    }
}

/// A container being read.
enum Reading {
    Map(Vec<(Str, Value)>, Option<Str>),
    List(Vec<Value>),
}

/// `json.Unmarshal` into a variable of the target's type: `null` gives nil of that type, and a text that does not fit an error
/// and nil of that type.
pub fn decode_into(heap: &mut Heap, text: &[u8], target: Target) -> Decoded {
    let nothing = |heap: &mut Heap| match target {
        Target::Any => Value::Nil,
        Target::Map => {
            let mut map = Map::default();
            map.nil = true;
            Value::Map(heap.add_map(map))
        }
        Target::List => Value::List(heap.add_list(List { elem: Elem::Any, nil: true, items: Vec::new() })),
    };
    let mut range = None;
    let value = match read(heap, text, &mut range) {
        Ok(v) => v,
        Err(e) => return Decoded { value: nothing(heap), error: Some(e) },
    };
    let (found, fits) = match &value {
        Value::Map(_) => ("object", target != Target::List),
        Value::List(_) => ("array", target != Target::Map),
        Value::Bool(_) => ("bool", target == Target::Any),
        Value::Str(_) => ("string", target == Target::Any),
        // A number out of range is read as nil.
        Value::Nil if range.is_none() || target == Target::Any => {
            return Decoded { value: nothing(heap), error: range };
        }
        _ => ("number", target == Target::Any),
    };
    if fits {
        return Decoded { value, error: range };
    }
    let ty = if target == Target::Map { "map[string]interface {}" } else { "[]interface {}" };
    Decoded { value: nothing(heap), error: Some(format!("json: cannot unmarshal {found} into Go value of type {ty}")) }
}

/// The text as a value; the first number that does not fit goes to `range` and is nil.
fn read(heap: &mut Heap, text: &[u8], range: &mut Option<String>) -> Result<Value, String> {
    let mut tokens = Tokens::new(text);
    let mut open: Vec<Reading> = Vec::new();
    let mut done = None;
    loop {
        let value = match tokens.next_token().map_err(|e| e.to_string())? {
            Token::BeginObject => {
                open.push(Reading::Map(Vec::new(), None));
                continue;
            }
            Token::BeginArray => {
                open.push(Reading::List(Vec::new()));
                continue;
            }
            Token::Key(key) => {
                if let Some(Reading::Map(_, slot)) = open.last_mut() {
                    *slot = Some(Str::from(key));
                }
                continue;
            }
            Token::EndObject | Token::EndArray => match open.pop() {
                Some(Reading::Map(entries, _)) => Value::Map(heap.add_map(Map::from_entries(entries))),
                Some(Reading::List(items)) => Value::List(heap.grown_list_of(items)),
                None => Value::Nil,
            },
            Token::Str(s) => Value::from(s),
            Token::Bool(b) => Value::Bool(b),
            Token::Null => Value::Nil,
            Token::Number(n) => match parse_float(n) {
                Ok(f) => Value::Float(f),
                Err(_) => {
                    range.get_or_insert(format!("json: cannot unmarshal number {n} into Go value of type float64"));
                    Value::Nil
                }
            },
            Token::End => return Ok(done.unwrap_or_default()),
        };
        match open.last_mut() {
            Some(Reading::Map(entries, key)) => entries.push((key.take().unwrap_or_default(), value)),
            Some(Reading::List(items)) => items.push(value),
            None => done = Some(value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(heap: &mut Heap, v: &Value, indent: Option<&str>) -> String {
        String::from_utf8(encode(heap, v, true, indent).unwrap()).unwrap()
    }

    #[test]
    fn there_and_back() {
        let mut h = Heap::new();
        for s in [
            "null",
            "true",
            "-0",
            "1e+21",
            r#""\u003ca\u003e""#,
            "[]",
            "{}",
            r#"{"":[1,2.5,null,{"a":{}}],"Z":"z","a":[[],[[]]],"é":false}"#,
        ] {
            let v = decode(&mut h, s.as_bytes()).unwrap();
            assert_eq!(text(&mut h, &v, None), s);
        }
        let v = decode(&mut h, br#" {"b": 1, "a" : [ ] , "b":{"x":[1,{}]}} "#).unwrap();
        assert_eq!(
            text(&mut h, &v, Some("  ")),
            "{\n  \"a\": [],\n  \"b\": {\n    \"x\": [\n      1,\n      {}\n    ]\n  }\n}"
        );
    }

    #[test]
    fn typed_values() {
        let mut h = Heap::new();
        let nil = h.add_list(List { nil: true, ..List::default() });
        let items = vec![
            Value::List(nil),
            Value::Bytes(b"ab\xff".to_vec().into()),
            Value::Int64(-3),
            Value::OtherInt(crate::value::Kind::Uint64, u64::MAX.into()),
        ];
        let v = Value::List(h.list_of(items));
        assert_eq!(text(&mut h, &v, None), r#"[null,"YWL/",-3,18446744073709551615]"#);
        assert_eq!(encode(&mut h, &Value::Float(f64::NAN), true, None), Err("json: unsupported value: NaN".into()));
    }

    #[test]
    fn cycles_end_with_gos_error() {
        let mut h = Heap::new();
        let m = h.new_map();
        let l = h.list_of(vec![Value::Map(m)]);
        h.map_mut(m).insert("l", Value::List(l));
        let e = encode(&mut h, &Value::Map(m), true, None);
        assert_eq!(e, Err("json: unsupported value: encountered a cycle via map[string]interface {}".into()));
        let e = encode(&mut h, &Value::List(l), true, Some(" "));
        assert_eq!(e, Err("json: unsupported value: encountered a cycle via []interface {}".into()));
        // Shared, not cyclic: it only grows.
        let mut v = Value::str("x");
        for _ in 0..100 {
            v = Value::List(h.list_of(vec![v.clone(), v]));
        }
        assert_eq!(encode_within(&mut h, &v, true, None, 10_000), Err(EncodeError::TooLong));
    }

    #[test]
    fn targets() {
        let mut h = Heap::new();
        for (s, target, want, error) in [
            (
                "[1]",
                Target::Map,
                "null",
                Some("json: cannot unmarshal array into Go value of type map[string]interface {}"),
            ),
            ("{}", Target::List, "null", Some("json: cannot unmarshal object into Go value of type []interface {}")),
            (
                "1",
                Target::Map,
                "null",
                Some("json: cannot unmarshal number into Go value of type map[string]interface {}"),
            ),
            (
                "1e999",
                Target::Map,
                "null",
                Some("json: cannot unmarshal number into Go value of type map[string]interface {}"),
            ),
            ("\"\"", Target::List, "null", Some("json: cannot unmarshal string into Go value of type []interface {}")),
            ("null", Target::Map, "null", None),
            ("{\"a\":1}", Target::Map, "{\"a\":1}", None),
            (
                "{\"a\":[1e999,2],\"b\":-1e999}",
                Target::Map,
                "{\"a\":[null,2],\"b\":null}",
                Some("json: cannot unmarshal number 1e999 into Go value of type float64"),
            ),
            ("{\"a\":1", Target::Map, "null", Some("unexpected end of JSON input")),
        ] {
            let d = decode_into(&mut h, s.as_bytes(), target);
            assert_eq!(text(&mut h, &d.value, None), want, "{s}");
            assert_eq!(d.error.as_deref(), error, "{s}");
        }
    }
}
