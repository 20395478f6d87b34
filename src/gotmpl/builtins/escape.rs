//! `html`, `js`, `urlquery`: the text of the arguments, escaped.

use super::text;
use crate::golang::unicode::{decode_rune, is_print};
use crate::gotmpl::{CallError, FuncTable, Rest, State, func};
use crate::value::{Kind, Value, print};

pub(super) fn register(table: &mut FuncTable) {
    table.add(func("html", |st: &mut State, args: Rest<Value>| escaped(st, args.0, html)));
    table.add(func("js", |st: &mut State, args: Rest<Value>| escaped(st, args.0, js)));
    table.add(func("urlquery", |st: &mut State, args: Rest<Value>| escaped(st, args.0, url_query)));
}

/// Go's `evalArgs`: as `print`, but each argument as an action prints it. Escapes are up to six times as long.
fn escaped(st: &mut State, mut args: Vec<Value>, escape: fn(&[u8]) -> Vec<u8>) -> Result<Vec<u8>, CallError> {
    for arg in &mut args {
        match arg {
            Value::Nil => *arg = Value::str("<no value>"),
            // Pointers are followed.
            Value::Object(o) if o.kind() == Kind::Ptr && o.string().is_none() => {
                let plain = text(st, |heap, out, limit| print::action_within(heap, arg, out, limit))?;
                *arg = Value::object(Pointed(plain));
            }
            _ => {}
        }
    }
    let plain = match &args[..] {
        [Value::Str(s)] => s.to_vec(),
        _ => text(st, |heap, out, limit| print::sprint(heap, &args, out, limit))?,
    };
    st.charge(plain.len() as u64 * 6)?;
    Ok(escape(&plain))
}

/// The text of what a pointer points to, which is not a string to the rule about spaces.
#[derive(Debug)]
struct Pointed(Vec<u8>);

impl crate::value::Object for Pointed {
    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
    fn go_type(&self) -> std::borrow::Cow<'static, str> {
        "struct".into()
    }
    fn string(&self) -> Option<String> {
        Some(String::from_utf8_lossy(&self.0).into_owned())
    }
}

fn html(s: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(s.len());
    for &c in s {
        match c {
            0 => out.extend_from_slice("\u{fffd}".as_bytes()),
            b'"' => out.extend_from_slice(b"&#34;"),
            b'\'' => out.extend_from_slice(b"&#39;"),
            b'&' => out.extend_from_slice(b"&amp;"),
            b'<' => out.extend_from_slice(b"&lt;"),
            b'>' => out.extend_from_slice(b"&gt;"),
            _ => out.push(c),
        }
    }
    out
}

fn js(s: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(s.len());
    let mut i = 0;
    while i < s.len() {
        let b = s[i];
        let mut width = 1;
        match b {
            b'\\' | b'\'' | b'"' => out.extend_from_slice(&[b'\\', b]),
            b'<' | b'>' | b'&' | b'=' | 0..=0x1f => out.extend_from_slice(format!("\\u{b:04X}").as_bytes()),
            0x20..=0x7f => out.push(b),
            0x80.. => {
                let (c, w) = decode_rune(&s[i..]);
                width = w;
                if is_print(c) {
                    // An invalid byte counts as U+FFFD, which is printable, and stays.
                    out.extend_from_slice(&s[i..i + w]);
                } else {
                    out.extend_from_slice(format!("\\u{:04X}", c as u32).as_bytes());
                }
            }
        }
        i += width;
    }
    out
}

/// `url.QueryEscape`.
fn url_query(s: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(s.len());
    for &c in s {
        match c {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(c),
            b' ' => out.push(b'+'),
            _ => out.extend_from_slice(format!("%{c:02X}").as_bytes()),
        }
    }
    out
}
