//! JSON documents: one object, order kept, comments left out.

use super::Error;
use super::json_tokens::{Reader, Token};
use crate::golang::json;
use crate::golang::strconv::{parse_float, parse_int, quote};
use crate::sops::value::{Branch, Item, Key, Value};

/// Deeper nesting is refused.
const MAX_DEPTH: usize = 1000;

fn number(text: &str) -> Result<Value, Error> {
    match parse_int(text, 10, 64) {
        Ok(n) => Ok(Value::Int(n)),
        Err(_) => {
            parse_float(text).map(Value::Float).map_err(|e| Error::masked(1, e.to_string(), "a number is out of range"))
        }
    }
}

/// What stops reading: the end of the text, which sops takes for the end of the object, or an error.
enum Stop {
    End,
    Error(Error),
}

impl From<Error> for Stop {
    fn from(e: Error) -> Self {
        Self::Error(e)
    }
}

fn token<'a>(reader: &mut Reader<'a>) -> Result<Token<'a>, Stop> {
    reader.next().map_err(|e| Stop::Error(Error::from(e)))?.ok_or(Stop::End)
}

fn value(reader: &mut Reader<'_>, token: Token<'_>, depth: usize) -> Result<Value, Stop> {
    if depth > MAX_DEPTH {
        return Err(Stop::Error(Error::new(1, "the document is nested too deeply")));
    }
    Ok(match token {
        Token::Open(b'{') => Value::Branch(branch(reader, depth + 1)?),
        Token::Open(_) => Value::List(list(reader, depth + 1)?),
        Token::Close(_) | Token::Null => Value::Null,
        Token::Bool(b) => Value::Bool(b),
        Token::Number(text) => number(text)?,
        Token::Text(text) => Value::text(text),
    })
}

fn list(reader: &mut Reader<'_>, depth: usize) -> Result<Vec<Value>, Stop> {
    let mut out = Vec::new();
    loop {
        match token(reader)? {
            Token::Close(b']') => return Ok(out),
            token => out.push(value(reader, token, depth)?),
        }
    }
}

fn branch(reader: &mut Reader<'_>, depth: usize) -> Result<Branch, Error> {
    let mut out = Vec::new();
    loop {
        let item = (|| {
            let key = match token(reader) {
                Ok(Token::Text(key)) => key,
                Ok(Token::Close(b'}')) => return Ok(None),
                Err(Stop::End) => {
                    let text = "Expected JSON object key, got %!s(<nil>) of type <nil> instead";
                    return Err(Stop::Error(Error::new(1, text)));
                }
                Ok(_) => return Err(Stop::Error(Error::new(1, "Expected JSON object key"))),
                Err(e) => return Err(e),
            };
            let first = token(reader)?;
            Ok(Some(Item { key: Key::Text(key), value: value(reader, first, depth)? }))
        })();
        match item {
            Ok(Some(item)) => out.push(item),
            Ok(None) | Err(Stop::End) => return Ok(out),
            Err(Stop::Error(e)) => return Err(e),
        }
    }
}

fn top(text: &[u8]) -> Result<Branch, Error> {
    const ONLY: &str = "SOPS only supports JSON files with a top-level object (starting with '{'), not";
    let mut reader = Reader::new(text);
    match reader.next()? {
        None => Err(Error::new(1, "EOF")),
        Some(Token::Open(b'{')) => branch(&mut reader, 0),
        Some(Token::Open(_)) => Err(Error::new(
            1,
            format!(
                "{ONLY} arrays or other types. Got delimiter [ instead. To encrypt this file, wrap it in an object, e.g., {{\"data\": [...]}}"
            ),
        )),
        Some(other) => {
            let (shown, kind) = match other {
                Token::Text(t) => (quote(&t), "string"),
                Token::Bool(b) => (b.to_string(), "bool"),
                Token::Number(n) => match number(n) {
                    Ok(Value::Int(n)) => (n.to_string(), "int"),
                    _ => (n.to_owned(), "float64"),
                },
                _ => ("<nil>".to_owned(), "<nil>"),
            };
            Err(Error::masked(
                1,
                format!("{ONLY} other JSON types. Got {shown} of type {kind} instead"),
                format!("{ONLY} other JSON types. Got a {kind} instead"),
            ))
        }
    }
}

pub fn load(text: &[u8]) -> Result<Vec<Branch>, Error> {
    top(text).map(|b| vec![b]).map_err(|e| e.context("Could not unmarshal input data: "))
}

/// A whole value, as `sops set` takes it: numbers are floats there, objects are not.
pub fn tree(text: &[u8]) -> Result<Branch, Error> {
    top(text)
}

fn encode(value: &Value, out: &mut Vec<u8>) -> Result<(), Error> {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(b) => out.extend_from_slice(b.to_string().as_bytes()),
        Value::Int(n) => out.extend_from_slice(n.to_string().as_bytes()),
        Value::Uint(n) => out.extend_from_slice(n.to_string().as_bytes()),
        Value::Float(f) if !f.is_finite() => {
            let shown = if f.is_nan() {
                "NaN"
            } else if *f > 0.0 {
                "+Inf"
            } else {
                "-Inf"
            };
            return Err(format!("json: unsupported value: {shown}").into());
        }
        Value::Float(f) => out.extend_from_slice(json::float(*f).as_bytes()),
        Value::Time(t) => {
            let text = t.rfc3339().map_err(|e| {
                Error::from(format!("json: error calling MarshalJSON for type time.Time: Time.MarshalJSON: {e}"))
            })?;
            json::escape_string(text.as_bytes(), true, out);
        }
        Value::Text(t) => json::escape_string(t.as_bytes(), true, out),
        // A value that decrypted to a comment: Go's encoder writes the struct.
        Value::Comment(c) => {
            out.extend_from_slice(b"{\"Value\":");
            json::escape_string(c.text.as_bytes(), true, out);
            out.extend_from_slice(format!(",\"Inline\":{}}}", c.inline).as_bytes());
        }
        Value::List(items) => {
            out.push(b'[');
            let mut first = true;
            for item in items.iter().filter(|v| !matches!(v, Value::Comment(_))) {
                if !std::mem::take(&mut first) {
                    out.push(b',');
                }
                encode(item, out)?;
            }
            out.push(b']');
        }
        Value::Branch(items) => {
            out.push(b'{');
            let mut first = true;
            for item in items {
                let Key::Text(key) = &item.key else { continue };
                if !std::mem::take(&mut first) {
                    out.push(b',');
                }
                json::escape_string(key, true, out);
                out.push(b':');
                encode(&item.value, out)?;
            }
            out.push(b'}');
        }
    }
    Ok(())
}

/// `json.Indent`: compact text spread over lines.
fn indent(compact: &[u8], unit: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(compact.len() * 2);
    let (mut depth, mut in_string, mut escaped, mut opened) = (0_usize, false, false, false);
    let newline = |out: &mut Vec<u8>, depth: usize| {
        out.push(b'\n');
        (0..depth).for_each(|_| out.extend_from_slice(unit));
    };
    for &b in compact {
        if in_string {
            in_string = escaped || b != b'"';
            escaped = !escaped && b == b'\\';
            out.push(b);
            continue;
        }
        let closes = matches!(b, b'}' | b']');
        if opened && !closes {
            opened = false;
            depth += 1;
            newline(&mut out, depth);
        }
        // Empty brackets stay together.
        if closes && !std::mem::take(&mut opened) {
            depth = depth.saturating_sub(1);
            newline(&mut out, depth);
        }
        out.push(b);
        match b {
            b'{' | b'[' => opened = true,
            b',' => newline(&mut out, depth),
            b':' => out.push(b' '),
            b'"' => in_string = true,
            _ => {}
        }
    }
    out
}

pub fn emit(branches: &[Branch], spaces: Option<usize>) -> Result<Vec<u8>, Error> {
    let mut compact = Vec::new();
    let branch = branches.first().cloned().unwrap_or_default();
    encode(&Value::Branch(branch), &mut compact).map_err(|e| e.context("Error marshaling to json: "))?;
    let unit = spaces.map_or_else(|| b"\t".to_vec(), |n| vec![b' '; n]);
    let mut out = indent(&compact, &unit);
    out.push(b'\n');
    Ok(out)
}
