//! One JSON value at the beginning of a text, as `encoding/json`'s `Decoder` reads it: what follows is left alone.

use crate::golang::strconv;
use crate::value::{Heap, Value};

/// How deep arrays and objects may nest.
const MAX_DEPTH: usize = 10000;

/// Decodes the value that the text begins with; also, how many bytes it takes.
///
/// # Errors
/// The text of Go's error.
pub(super) fn decode_prefix(heap: &mut Heap, text: &[u8]) -> Result<(Value, usize), String> {
    let end = extent(text)?;
    Ok((decode(heap, &text[..end])?, end))
}

fn decode(heap: &mut Heap, text: &[u8]) -> Result<Value, String> {
    fn value(heap: &mut Heap, json: serde_json::Value) -> Value {
        match json {
            serde_json::Value::Null => Value::Nil,
            serde_json::Value::Bool(b) => Value::Bool(b),
            serde_json::Value::Number(n) => Value::Float(n.as_f64().unwrap_or(f64::NAN)),
            serde_json::Value::String(s) => Value::str(s),
            serde_json::Value::Array(items) => {
                let items = items.into_iter().map(|v| value(heap, v)).collect();
                Value::List(heap.grown_list_of(items))
            }
            serde_json::Value::Object(entries) => {
                let entries: Vec<_> = entries.into_iter().map(|(k, v)| (k, value(heap, v))).collect();
                Value::Map(heap.map_of(entries))
            }
        }
    }
    serde_json::from_slice(text).map(|json| value(heap, json)).map_err(|e| e.to_string())
}

/// What the scanner wants next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Want {
    Value,
    /// A value, or the end of an array just begun.
    ValueOrEnd,
    Key,
    /// A key, or the end of an object just begun.
    KeyOrEnd,
    Colon,
    /// A comma or an end.
    After,
}

/// The end of the value that the text begins with.
fn extent(text: &[u8]) -> Result<usize, String> {
    let mut open: Vec<u8> = Vec::new();
    let mut want = Want::Value;
    let mut at = 0;
    loop {
        while matches!(text.get(at), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            at += 1;
        }
        let &c = text.get(at).ok_or_else(unexpected_end)?;
        match (want, c) {
            (Want::Value | Want::ValueOrEnd, b'{' | b'[') => {
                open.push(c);
                if open.len() > MAX_DEPTH {
                    return Err("exceeded max depth".into());
                }
                want = if c == b'{' { Want::KeyOrEnd } else { Want::ValueOrEnd };
                at += 1;
                continue;
            }
            (Want::ValueOrEnd, b']') | (Want::KeyOrEnd, b'}') => {
                open.pop();
                at += 1;
            }
            (Want::Value | Want::ValueOrEnd, _) => at = scalar(text, at)?,
            (Want::Key | Want::KeyOrEnd, b'"') => {
                at = string(text, at)?;
                want = Want::Colon;
                continue;
            }
            (Want::Key | Want::KeyOrEnd, _) => return Err(invalid(c, "looking for beginning of object key string")),
            (Want::Colon, b':') => {
                want = Want::Value;
                at += 1;
                continue;
            }
            (Want::Colon, _) => return Err(invalid(c, "after object key")),
            (Want::After, b',') => {
                want = if open.last() == Some(&b'{') { Want::Key } else { Want::Value };
                at += 1;
                continue;
            }
            (Want::After, b']' | b'}') if open.last().is_some_and(|&o| o + 2 == c) => {
                open.pop();
                at += 1;
            }
            (Want::After, _) => {
                let object = open.last() == Some(&b'{');
                return Err(invalid(c, if object { "after object key:value pair" } else { "after array element" }));
            }
        }
        // A value has ended.
        if open.is_empty() {
            return Ok(at);
        }
        want = Want::After;
    }
}

fn scalar(text: &[u8], at: usize) -> Result<usize, String> {
    match text[at] {
        b'"' => string(text, at),
        b'-' | b'0'..=b'9' => number(text, at),
        b't' => word(text, at, "true"),
        b'f' => word(text, at, "false"),
        b'n' => word(text, at, "null"),
        c => Err(invalid(c, "looking for beginning of value")),
    }
}

fn word(text: &[u8], at: usize, word: &str) -> Result<usize, String> {
    for (i, want) in word.bytes().enumerate() {
        match text.get(at + i) {
            None => return Err(unexpected_end()),
            Some(&c) if c != want => {
                return Err(invalid(c, &format!("in literal {word} (expecting '{}')", char::from(want))));
            }
            Some(_) => {}
        }
    }
    Ok(at + word.len())
}

fn number(text: &[u8], mut at: usize) -> Result<usize, String> {
    let digits = |at: &mut usize, context: &str| {
        match text.get(*at) {
            None => return Err(unexpected_end()),
            Some(c) if !c.is_ascii_digit() => return Err(invalid(*c, context)),
            Some(_) => {}
        }
        while text.get(*at).is_some_and(u8::is_ascii_digit) {
            *at += 1;
        }
        Ok(())
    };
    if text[at] == b'-' {
        at += 1;
    }
    if text.get(at) == Some(&b'0') {
        at += 1;
    } else {
        digits(&mut at, "in numeric literal")?;
    }
    if text.get(at) == Some(&b'.') {
        at += 1;
        digits(&mut at, "after decimal point in numeric literal")?;
    }
    if matches!(text.get(at), Some(b'e' | b'E')) {
        at += 1;
        if matches!(text.get(at), Some(b'+' | b'-')) {
            at += 1;
        }
        digits(&mut at, "in exponent of numeric literal")?;
    }
    Ok(at)
}

fn string(text: &[u8], mut at: usize) -> Result<usize, String> {
    loop {
        at += 1;
        match *text.get(at).ok_or_else(unexpected_end)? {
            b'"' => return Ok(at + 1),
            b'\\' => {
                at += 1;
                match *text.get(at).ok_or_else(unexpected_end)? {
                    b'b' | b'f' | b'n' | b'r' | b't' | b'\\' | b'/' | b'"' => {}
                    b'u' => {
                        for _ in 0..4 {
                            at += 1;
                            let &c = text.get(at).ok_or_else(unexpected_end)?;
                            if !c.is_ascii_hexdigit() {
                                return Err(invalid(c, "in \\u hexadecimal character escape"));
                            }
                        }
                    }
                    c => return Err(invalid(c, "in string escape code")),
                }
            }
            c if c < b' ' => return Err(invalid(c, "in string literal")),
            _ => {}
        }
    }
}

fn unexpected_end() -> String {
    "unexpected EOF".into()
}

/// Go shows the byte as the character of that code.
fn invalid(c: u8, context: &str) -> String {
    let shown = match c {
        b'\'' => r"\'".into(),
        b'"' => "\"".into(),
        c => {
            let quoted = strconv::quote(char::from(c).encode_utf8(&mut [0; 4]).as_bytes());
            quoted[1..quoted.len() - 1].to_owned()
        }
    };
    format!("invalid character '{shown}' {context}")
}
