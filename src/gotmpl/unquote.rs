//! Go's quoted literals, from bytes: `strconv.Unquote` and `strconv.UnquoteChar` of Go 1.26.
//!
//! They work on bytes and not on `str` because a template's text need not be UTF-8: a raw string keeps bad bytes, a quoted one
//! turns each into U+FFFD.

use crate::golang::unicode;

/// What a `"…"` or `` `…` `` literal means; `None` is Go's `invalid syntax`.
pub(super) fn unquote(quoted: &[u8]) -> Option<Vec<u8>> {
    let (&quote, body) = quoted.split_first()?;
    match quote {
        b'`' => {
            let (&last, inner) = body.split_last()?;
            if last != b'`' || memchr::memchr(b'`', inner).is_some() {
                return None;
            }
            if memchr::memchr(b'\r', inner).is_none() {
                return Some(inner.to_vec());
            }
            Some(inner.iter().copied().filter(|&b| b != b'\r').collect())
        }
        b'"' => {
            let mut out = Vec::with_capacity(body.len());
            let mut rest = body;
            loop {
                // Most of a text stands for itself.
                let plain = rest.iter().take_while(|b| b.is_ascii() && !matches!(b, b'"' | b'\\' | b'\n')).count();
                let (same, more) = rest.split_at(plain);
                out.extend_from_slice(same);
                rest = more;
                match rest.first() {
                    None | Some(b'"') => break,
                    Some(b'\n') => return None,
                    Some(_) => {}
                }
                let (c, tail) = unquote_char(rest, b'"')?;
                match c {
                    Char::Byte(b) => out.push(b),
                    Char::Rune(r) => out.extend_from_slice(r.encode_utf8(&mut [0; 4]).as_bytes()),
                }
                rest = tail;
            }
            (rest == b"\"").then_some(out)
        }
        _ => None,
    }
}

/// One character of a literal: a byte (`\xff`, `\377`, ASCII) or a code point.
pub(super) enum Char {
    Byte(u8),
    Rune(char),
}

impl Char {
    pub const fn code(&self) -> u32 {
        match self {
            Self::Byte(b) => *b as u32,
            Self::Rune(r) => *r as u32,
        }
    }
}

/// The first character of a literal's inside and what follows it.
pub(super) fn unquote_char(s: &[u8], quote: u8) -> Option<(Char, &[u8])> {
    let (&c, rest) = s.split_first()?;
    if c == quote {
        return None;
    }
    if c >= 0x80 {
        let (r, w) = unicode::decode_rune(s);
        return Some((Char::Rune(r), &s[w..]));
    }
    if c != b'\\' {
        return Some((Char::Byte(c), rest));
    }
    let (&c, rest) = rest.split_first()?;
    let byte = |b| Some((Char::Byte(b), rest));
    match c {
        b'a' => byte(7),
        b'b' => byte(8),
        b'f' => byte(12),
        b'n' => byte(b'\n'),
        b'r' => byte(b'\r'),
        b't' => byte(b'\t'),
        b'v' => byte(11),
        b'\\' => byte(b'\\'),
        b'\'' | b'"' if c == quote => byte(c),
        b'x' => {
            let v = digits(rest.get(..2)?, 16)?;
            Some((Char::Byte(u8::try_from(v).ok()?), &rest[2..]))
        }
        b'u' | b'U' => {
            let n = if c == b'u' { 4 } else { 8 };
            let v = digits(rest.get(..n)?, 16)?;
            Some((Char::Rune(char::from_u32(v)?), &rest[n..]))
        }
        b'0'..=b'7' => {
            let v = digits(s.get(1..4)?, 8)?;
            Some((Char::Byte(u8::try_from(v).ok()?), &rest[2..]))
        }
        _ => None,
    }
}

/// At most eight digits, so it cannot overflow.
fn digits(s: &[u8], base: u32) -> Option<u32> {
    s.iter().try_fold(0u32, |v, &b| Some(v.wrapping_mul(base) | char::from(b).to_digit(base)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_strconv_does() {
        let cases: &[(&[u8], Option<&[u8]>)] = &[
            (br#""a\tb""#, Some(b"a\tb")),
            (br#""\xff\377\u00e9\U0001F600""#, Some(b"\xff\xff\xc3\xa9\xf0\x9f\x98\x80")),
            (b"\"\xff\"", Some("\u{fffd}".as_bytes())),
            (b"`a\r\n\xff\\n`", Some(b"a\n\xff\\n")),
            (br#""\'""#, None),
            (br#""\ud800""#, None),
            (br#""\400""#, None),
            (br#""\q""#, None),
            (br#""\x1""#, None),
            (b"\"", None),
            (b"`", None),
            (b"", None),
        ];
        for (quoted, want) in cases {
            assert_eq!(unquote(quoted).as_deref(), *want, "{:?}", String::from_utf8_lossy(quoted));
        }
    }
}
