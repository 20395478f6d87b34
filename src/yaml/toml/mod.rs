//! TOML as Helm's `toToml` and `fromToml` have it: BurntSushi/toml 1.6, its bytes and its messages.

mod encode;
mod lex;
mod parse;

pub use encode::encode;
pub use parse::{Datetime, DatetimeKind, Doc, TableId, TomlValue, parse};

/// Why a value or text is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TomlError {
    /// What the Go function returns.
    Error(String),
    /// What it panics with: the call itself fails, whatever the template function does with errors.
    Panic(String),
    /// The text would be longer than the limit given.
    TooLong,
}

/// Deepest nesting of arrays and tables. Go has no such limit but its stack's.
const MAX_DEPTH: usize = 500;

/// True for keys that need no quotes.
fn is_bare(c: u8) -> bool {
    c.is_ascii_alphanumeric() || c == b'_' || c == b'-'
}

/// A text between quotes, with BurntSushi's escapes.
fn quote(s: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for &b in s {
        match b {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            0x08 => out.extend_from_slice(b"\\b"),
            b'\t' => out.extend_from_slice(b"\\t"),
            b'\n' => out.extend_from_slice(b"\\n"),
            0x0c => out.extend_from_slice(b"\\f"),
            b'\r' => out.extend_from_slice(b"\\r"),
            0..=0x1f | 0x7f => out.extend_from_slice(format!("\\u{b:04x}").as_bytes()),
            _ => out.push(b),
        }
    }
    out.push(b'"');
}

/// One part of a key, quoted if need be.
fn key_part(part: &[u8], out: &mut Vec<u8>) {
    if !part.is_empty() && part.iter().all(|b| is_bare(*b)) {
        out.extend_from_slice(part);
    } else {
        quote(part, out);
    }
}

/// `Key.String`: the parts with dots between.
fn key_text<P: AsRef<[u8]>>(parts: &[P]) -> Vec<u8> {
    let mut out = Vec::new();
    for (i, part) in parts.iter().enumerate() {
        if i > 0 {
            out.push(b'.');
        }
        key_part(part.as_ref(), &mut out);
    }
    out
}

#[cfg(test)]
mod tests;
