//! Go's `strconv`: quoting, unquoting, and numbers from text. Floats to text are in [`format_float`]'s own file.

use std::fmt;

use super::unicode::{push_rune, runes};

pub use super::float::{format_float, parse_float};
pub use super::unicode::is_print;

/// What is wrong with a number's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumErrorKind {
    Syntax,
    Range,
    Base(u32),
}

/// `*strconv.NumError`; prints `strconv.ParseInt: parsing "x": invalid syntax`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumError {
    /// The function that failed: `ParseInt`, `Atoi`, …
    pub func: &'static str,
    /// Its input.
    pub num: String,
    pub kind: NumErrorKind,
}

impl NumError {
    pub(super) fn new(func: &'static str, num: &str, kind: NumErrorKind) -> Self {
        Self { func, num: num.into(), kind }
    }
}

impl fmt::Display for NumError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "strconv.{}: parsing {}: ", self.func, quote(self.num.as_bytes()))?;
        match self.kind {
            NumErrorKind::Syntax => f.write_str("invalid syntax"),
            NumErrorKind::Range => f.write_str("value out of range"),
            NumErrorKind::Base(b) => write!(f, "invalid base {b}"),
        }
    }
}
impl std::error::Error for NumError {}

fn push_escaped(out: &mut String, c: char, quote: char, ascii: bool) {
    if c == quote || c == '\\' {
        out.push('\\');
        out.push(c);
        return;
    }
    if is_print(c) && (c.is_ascii() || !ascii) {
        out.push(c);
        return;
    }
    match c {
        '\x07' => out.push_str("\\a"),
        '\x08' => out.push_str("\\b"),
        '\x0c' => out.push_str("\\f"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\x0b' => out.push_str("\\v"),
        _ => {
            let n = c as u32;
            out.push_str(&match n {
                0..=0x1f | 0x7f => format!("\\x{n:02x}"),
                0..=0xffff => format!("\\u{n:04x}"),
                _ => format!("\\U{n:08x}"),
            });
        }
    }
}

fn quote_with(s: &[u8], quote: char, ascii: bool) -> String {
    let mut out = String::with_capacity(s.len() + 2);
    out.push(quote);
    if is_plain(s, quote)
        && let Ok(plain) = std::str::from_utf8(s)
    {
        out.push_str(plain);
        out.push(quote);
        return out;
    }
    for (i, c, width) in runes(s) {
        if width == 1 && c == char::REPLACEMENT_CHARACTER {
            out.push_str(&format!("\\x{:02x}", s[i]));
        } else {
            push_escaped(&mut out, c, quote, ascii);
        }
    }
    out.push(quote);
    out
}

/// Whether a text has nothing to escape between such quotes, as most have.
fn is_plain(s: &[u8], quote: char) -> bool {
    s.iter().all(|b| matches!(b, 0x20..=0x7e) && *b != quote as u8 && *b != b'\\')
}

/// Appends what [`quote`] makes of a text.
pub fn push_quoted(s: &[u8], out: &mut Vec<u8>) {
    if is_plain(s, '"') {
        out.push(b'"');
        out.extend_from_slice(s);
        out.push(b'"');
    } else {
        out.extend_from_slice(quote(s).as_bytes());
    }
}

/// A double-quoted Go string; bytes that are not UTF-8 become `\x..`.
pub fn quote(s: &[u8]) -> String {
    quote_with(s, '"', false)
}

/// As [`quote`], with everything beyond ASCII escaped.
pub fn quote_to_ascii(s: &[u8]) -> String {
    quote_with(s, '"', true)
}

fn quote_rune_with(c: char, ascii: bool) -> String {
    let mut out = String::from("'");
    push_escaped(&mut out, c, '\'', ascii);
    out.push('\'');
    out
}

/// A single-quoted Go character.
pub fn quote_rune(c: char) -> String {
    quote_rune_with(c, false)
}

/// As [`quote_rune`], with everything beyond ASCII escaped.
pub fn quote_rune_to_ascii(c: char) -> String {
    quote_rune_with(c, true)
}

/// Whether a string can be written between backquotes unchanged, on one line.
pub fn can_backquote(s: &[u8]) -> bool {
    runes(s).all(|(_, c, width)| {
        if width > 1 {
            c != '\u{feff}'
        } else {
            c != char::REPLACEMENT_CHARACTER && (c >= ' ' || c == '\t') && c != '`' && c != '\x7f'
        }
    })
}

/// What a Go string or character literal with its quotes stands for; `None` if it is malformed.
pub fn unquote(s: &str) -> Option<Vec<u8>> {
    let quote = s.chars().next()?;
    let inner = s.strip_prefix(quote)?;
    match quote {
        '`' => {
            let inner = inner.strip_suffix('`')?;
            // Carriage returns are discarded from raw strings.
            (!inner.contains('`')).then(|| inner.bytes().filter(|&b| b != b'\r').collect())
        }
        '"' | '\'' => {
            let mut out = Vec::with_capacity(inner.len());
            let mut rest = inner;
            loop {
                if let Some(after) = rest.strip_prefix(quote) {
                    return after.is_empty().then_some(out);
                }
                let (unit, after) = unquote_char(rest, quote).filter(|_| !rest.starts_with('\n'))?;
                match unit {
                    Unit::Rune(c) => push_rune(&mut out, c),
                    Unit::Byte(b) => out.push(b),
                }
                rest = after;
                // A character literal holds exactly one (or, oddly, none).
                if quote == '\'' {
                    return (rest == "'").then_some(out);
                }
            }
        }
        _ => None,
    }
}

/// What one character or escape of a literal stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Rune(char),
    /// `\xff`, `\377`: a byte of the string.
    Byte(u8),
}

/// The first character or escape of the text of a literal, and what follows it. Source: `strconv.UnquoteChar`.
pub fn unquote_char(s: &str, quote: char) -> Option<(Unit, &str)> {
    let mut chars = s.chars();
    let c = chars.next()?;
    if c == quote && (quote == '\'' || quote == '"') {
        return None;
    }
    if c != '\\' {
        return Some((Unit::Rune(c), chars.as_str()));
    }
    let c = chars.next()?;
    let rest = chars.as_str();
    let number = |digits: usize, radix: u32| {
        let text = rest.get(..digits)?;
        // from_str_radix would take a sign.
        let all = text.chars().all(|d| d.is_digit(radix));
        Some((u32::from_str_radix(text, radix).ok().filter(|_| all)?, &rest[digits..]))
    };
    let simple = match c {
        'a' => '\x07',
        'b' => '\x08',
        'f' => '\x0c',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\x0b',
        '\\' => '\\',
        '\'' | '"' if c == quote => c,
        'x' => {
            let (n, rest) = number(2, 16)?;
            return Some((Unit::Byte(u8::try_from(n).ok()?), rest));
        }
        'u' | 'U' => {
            let (n, rest) = number(if c == 'u' { 4 } else { 8 }, 16)?;
            return Some((Unit::Rune(char::from_u32(n)?), rest));
        }
        '0'..='7' => {
            let (n, rest) = number(2, 8)?;
            let first = c as u32 - '0' as u32;
            return Some((Unit::Byte(u8::try_from(first * 64 + n).ok()?), rest));
        }
        _ => return None,
    };
    Some((Unit::Rune(simple), rest))
}

/// Whether the underscores of a number stand between digits, or between a base prefix and a digit.
pub(super) fn underscores_ok(s: &[u8]) -> bool {
    let s = match s.first() {
        Some(b'-' | b'+') => &s[1..],
        _ => s,
    };
    // The last class seen: '^' start, '0' digit or base prefix, '_', '!' none of them.
    let (mut saw, mut at, mut hex) = (b'^', 0, false);
    if let [b'0', p, ..] = s
        && matches!(p.to_ascii_lowercase(), b'b' | b'o' | b'x')
    {
        (saw, at, hex) = (b'0', 2, p.eq_ignore_ascii_case(&b'x'));
    }
    for c in &s[at..] {
        if c.is_ascii_digit() || hex && c.is_ascii_hexdigit() {
            saw = b'0';
        } else if *c == b'_' {
            if saw != b'0' {
                return false;
            }
            saw = b'_';
        } else {
            if saw == b'_' {
                return false;
            }
            saw = b'!';
        }
    }
    saw != b'_'
}

fn uint(s: &str, base: u32, bits: u32) -> Result<u64, NumErrorKind> {
    use NumErrorKind::{Base, Range, Syntax};
    let all = s.as_bytes();
    if all.is_empty() {
        return Err(Syntax);
    }
    let (radix, digits) = match base {
        2..=36 => (base, all),
        0 => match all {
            [b'0', b'b' | b'B', _, ..] => (2, &all[2..]),
            [b'0', b'o' | b'O', _, ..] => (8, &all[2..]),
            [b'0', b'x' | b'X', _, ..] => (16, &all[2..]),
            [b'0', ..] => (8, &all[1..]),
            _ => (10, all),
        },
        _ => return Err(Base(base)),
    };
    let max = if bits == 0 || bits >= 64 { u64::MAX } else { (1 << bits) - 1 };
    let (mut n, mut underscores) = (0u64, false);
    for &c in digits {
        if c == b'_' && base == 0 {
            underscores = true;
            continue;
        }
        let d = (c as char).to_digit(36).filter(|&d| d < radix).ok_or(Syntax)?;
        // As in Go, what comes after the digit that overflows is not looked at.
        n = n
            .checked_mul(u64::from(radix))
            .and_then(|n| n.checked_add(u64::from(d)))
            .filter(|&n| n <= max)
            .ok_or(Range)?;
    }
    if underscores && !underscores_ok(all) { Err(Syntax) } else { Ok(n) }
}

fn int(s: &str, base: u32, bits: u32) -> Result<i64, NumErrorKind> {
    if s.is_empty() {
        return Err(NumErrorKind::Syntax);
    }
    let negative = s.starts_with('-');
    let n = uint(s.strip_prefix(['+', '-']).unwrap_or(s), base, bits)?;
    let bits = if bits == 0 { 64 } else { bits.min(64) };
    let cutoff = 1u64 << (bits - 1);
    if negative && n <= cutoff {
        Ok((n as i64).wrapping_neg())
    } else if !negative && n < cutoff {
        Ok(n as i64)
    } else {
        Err(NumErrorKind::Range)
    }
}

/// `strconv.ParseInt`: base 0 takes the base from the prefix and allows underscores; bits 0 means 64.
pub fn parse_int(s: &str, base: u32, bits: u32) -> Result<i64, NumError> {
    int(s, base, bits).map_err(|kind| NumError::new("ParseInt", s, kind))
}

/// `strconv.ParseUint`: as [`parse_int`], without a sign.
pub fn parse_uint(s: &str, base: u32, bits: u32) -> Result<u64, NumError> {
    uint(s, base, bits).map_err(|kind| NumError::new("ParseUint", s, kind))
}

/// `strconv.Atoi`.
pub fn atoi(s: &str) -> Result<i64, NumError> {
    int(s, 10, 0).map_err(|kind| NumError::new("Atoi", s, kind))
}

/// `strconv.ParseBool`: `1 t T TRUE true True` and their opposites.
pub fn parse_bool(s: &str) -> Result<bool, NumError> {
    match s {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(NumError::new("ParseBool", s, NumErrorKind::Syntax)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes() {
        for (s, want, ascii) in [
            (&b"a\"b\\c"[..], r#""a\"b\\c""#, r#""a\"b\\c""#),
            (b"\x07\x08\x0c\n\r\t\x0b\x00\x7f", r#""\a\b\f\n\r\t\v\x00\x7f""#, r#""\a\b\f\n\r\t\v\x00\x7f""#),
            ("é☺\u{2028}".as_bytes(), "\"é☺\\u2028\"", r#""\u00e9\u263a\u2028""#),
            (b"\xffa\xc3", r#""\xffa\xc3""#, r#""\xffa\xc3""#),
            (
                "\u{fffd}\u{1f600}\u{e0001}".as_bytes(),
                "\"\u{fffd}\u{1f600}\\U000e0001\"",
                r#""\ufffd\U0001f600\U000e0001""#,
            ),
        ] {
            assert_eq!(quote(s), want);
            assert_eq!(quote_to_ascii(s), ascii);
        }
        assert_eq!(quote_rune('\''), r"'\''");
        assert_eq!(quote_rune('"'), r#"'"'"#);
        assert_eq!(quote_rune_to_ascii('é'), r"'\u00e9'");
    }

    #[test]
    fn unquotes() {
        for (s, want) in [
            (r#""a\n\x41\101\u00e9\U0001f600""#, Some("a\nAAé😀")),
            (r#""it's""#, Some("it's")),
            (r#""it\'s""#, None),
            ("`a\r\\n`", Some("a\\n")),
            ("`a`b`", None),
            (r"'\''", Some("'")),
            ("'ab'", None),
            ("''", Some("")),
            ("\"a\nb\"", None),
            (r#""\c""#, None),
            (r#""\ud800""#, None),
            (r#""\400""#, None),
            (r#""\x+1""#, None),
            ("\"a", None),
            ("", None),
        ] {
            assert_eq!(unquote(s), want.map(|w| w.as_bytes().to_vec()), "{s}");
        }
        assert_eq!(unquote(r#""\xff""#), Some(vec![0xff]));
    }

    #[test]
    fn parses_integers() {
        for (s, base, bits, want) in [
            ("12", 10, 0, Ok(12)),
            ("-9223372036854775808", 10, 64, Ok(i64::MIN)),
            ("0x_1F", 0, 64, Ok(31)),
            ("1_000", 0, 64, Ok(1000)),
            ("017", 0, 64, Ok(15)),
            ("-128", 10, 8, Ok(-128)),
            ("1_000", 10, 64, Err(r#"strconv.ParseInt: parsing "1_000": invalid syntax"#)),
            ("1__0", 0, 64, Err(r#"strconv.ParseInt: parsing "1__0": invalid syntax"#)),
            ("08", 0, 64, Err(r#"strconv.ParseInt: parsing "08": invalid syntax"#)),
            ("0x", 0, 64, Err(r#"strconv.ParseInt: parsing "0x": invalid syntax"#)),
            ("", 10, 64, Err(r#"strconv.ParseInt: parsing "": invalid syntax"#)),
            ("128", 10, 8, Err(r#"strconv.ParseInt: parsing "128": value out of range"#)),
            (
                "9223372036854775808",
                10,
                64,
                Err(r#"strconv.ParseInt: parsing "9223372036854775808": value out of range"#),
            ),
            ("1", 37, 64, Err(r#"strconv.ParseInt: parsing "1": invalid base 37"#)),
            ("+-1", 10, 64, Err(r#"strconv.ParseInt: parsing "+-1": invalid syntax"#)),
        ] {
            assert_eq!(parse_int(s, base, bits).map_err(|e| e.to_string()), want.map_err(String::from), "{s}");
        }
        assert_eq!(atoi("+5"), Ok(5));
        assert_eq!(atoi("é").map_err(|e| e.to_string()), Err(r#"strconv.Atoi: parsing "é": invalid syntax"#.into()));
        assert_eq!(parse_uint("18446744073709551615", 10, 64), Ok(u64::MAX));
    }
}
