//! JSON data between decoding and encoding: what `map[string]interface{}` is in kustomize. Keys of a map are sorted and
//! unique, numbers keep Go's three types.

use crate::golang::json::{Token, Tokens, escape_string, float};
use crate::golang::strconv::parse_float;

#[derive(Clone, Debug, Default, PartialEq)]
pub enum Json {
    #[default]
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Float(f64),
    Str(String),
    List(Vec<Self>),
    /// Sorted by key.
    Map(Vec<(String, Self)>),
}

/// Deepest nesting that is read.
const MAX_DEPTH: usize = 1000;

impl Json {
    pub fn map(mut entries: Vec<(String, Self)>) -> Self {
        if !entries.is_sorted_by(|a, b| a.0 < b.0) {
            // Of equal keys the last wins.
            entries.reverse();
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            entries.dedup_by(|a, b| a.0 == b.0);
        }
        Self::Map(entries)
    }

    pub fn str(s: impl Into<String>) -> Self {
        Self::Str(s.into())
    }

    pub fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Map(entries) => {
                entries.binary_search_by(|(k, _)| k.as_str().cmp(key)).ok().and_then(|i| entries.get(i)).map(|(_, v)| v)
            }
            _ => None,
        }
    }

    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Str(s) => Some(s),
            _ => None,
        }
    }

    /// Sets a key of a map.
    pub fn insert(&mut self, key: String, value: Self) {
        if let Self::Map(entries) = self {
            match entries.binary_search_by(|(k, _)| k.cmp(&key)) {
                Ok(i) => entries[i].1 = value,
                Err(i) => entries.insert(i, (key, value)),
            }
        }
    }

    pub fn remove(&mut self, key: &str) -> Option<Self> {
        match self {
            Self::Map(entries) => {
                let i = entries.binary_search_by(|(k, _)| k.as_str().cmp(key)).ok()?;
                Some(entries.remove(i).1)
            }
            _ => None,
        }
    }

    /// Go's name for the kind in `encoding/json`'s messages.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "bool",
            Self::Int(_) | Self::Uint(_) | Self::Float(_) => "number",
            Self::Str(_) => "string",
            Self::List(_) => "array",
            Self::Map(_) => "object",
        }
    }

    /// `json.Marshal`
    pub fn encode(&self) -> String {
        let mut out = Vec::new();
        self.write(&mut out, true);
        // Every string is UTF-8, and what is around them ASCII.
        String::from_utf8(out).unwrap_or_default()
    }

    pub fn write(&self, out: &mut Vec<u8>, html: bool) {
        match self {
            Self::Null => out.extend_from_slice(b"null"),
            Self::Bool(b) => out.extend_from_slice(if *b { b"true" } else { b"false" }),
            Self::Int(n) => out.extend_from_slice(n.to_string().as_bytes()),
            Self::Uint(n) => out.extend_from_slice(n.to_string().as_bytes()),
            Self::Float(f) => out.extend_from_slice(float(*f).as_bytes()),
            Self::Str(s) => escape_string(s.as_bytes(), html, out),
            Self::List(items) => {
                out.push(b'[');
                for (i, item) in items.iter().enumerate() {
                    if i > 0 {
                        out.push(b',');
                    }
                    item.write(out, html);
                }
                out.push(b']');
            }
            Self::Map(entries) => {
                out.push(b'{');
                for (i, (k, v)) in entries.iter().enumerate() {
                    if i > 0 {
                        out.push(b',');
                    }
                    escape_string(k.as_bytes(), html, out);
                    out.push(b':');
                    v.write(out, html);
                }
                out.push(b'}');
            }
        }
    }

    /// `json.MarshalIndent(_, "", "  ")`
    pub fn encode_indented(&self) -> String {
        let mut out = Vec::new();
        self.write_indented(&mut out, 0);
        String::from_utf8(out).unwrap_or_default()
    }

    fn write_indented(&self, out: &mut Vec<u8>, depth: usize) {
        let line = |out: &mut Vec<u8>, depth: usize| {
            out.push(b'\n');
            out.resize(out.len() + 2 * depth, b' ');
        };
        match self {
            Self::List(items) if !items.is_empty() => {
                out.push(b'[');
                for (i, item) in items.iter().enumerate() {
                    if i > 0 {
                        out.push(b',');
                    }
                    line(out, depth + 1);
                    item.write_indented(out, depth + 1);
                }
                line(out, depth);
                out.push(b']');
            }
            Self::Map(entries) if !entries.is_empty() => {
                out.push(b'{');
                for (i, (k, v)) in entries.iter().enumerate() {
                    if i > 0 {
                        out.push(b',');
                    }
                    line(out, depth + 1);
                    escape_string(k.as_bytes(), true, out);
                    out.extend_from_slice(b": ");
                    v.write_indented(out, depth + 1);
                }
                line(out, depth);
                out.push(b'}');
            }
            other => other.write(out, true),
        }
    }

    /// `json.Unmarshal` into an `interface{}`; numbers become floats.
    pub fn decode(text: &[u8]) -> Result<Self, String> {
        let mut tokens = Tokens::new(text);
        let first = tokens.next_token().map_err(|e| e.message)?;
        let value = Self::value(&mut tokens, first, 0)?;
        tokens.next_token().map_err(|e| e.message)?;
        Ok(value)
    }

    fn value(tokens: &mut Tokens<'_>, token: Token<'_>, depth: usize) -> Result<Self, String> {
        if depth > MAX_DEPTH {
            return Err("exceeded max depth".into());
        }
        Ok(match token {
            Token::Null => Self::Null,
            Token::Bool(b) => Self::Bool(b),
            Token::Str(s) => Self::Str(String::from_utf8_lossy(&s).into_owned()),
            Token::Number(text) => match parse_float(text) {
                Ok(f) => Self::Float(f),
                Err(_) => {
                    return Err(format!("json: cannot unmarshal number {text} into Go value of type float64"));
                }
            },
            Token::BeginArray => {
                let mut items = Vec::new();
                loop {
                    match tokens.next_token().map_err(|e| e.message)? {
                        Token::EndArray => return Ok(Self::List(items)),
                        token => items.push(Self::value(tokens, token, depth + 1)?),
                    }
                }
            }
            Token::BeginObject => {
                let mut entries = Vec::new();
                loop {
                    match tokens.next_token().map_err(|e| e.message)? {
                        Token::Key(key) => {
                            let token = tokens.next_token().map_err(|e| e.message)?;
                            let key = String::from_utf8_lossy(&key).into_owned();
                            entries.push((key, Self::value(tokens, token, depth + 1)?));
                        }
                        _ => return Ok(Self::map(entries)),
                    }
                }
            }
            Token::EndArray | Token::EndObject | Token::Key(_) | Token::End => {
                return Err("unexpected end of JSON input".into());
            }
        })
    }
}
