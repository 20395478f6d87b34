//! What a scalar's text means: YAML 1.1 as go-yaml v2's `resolve.go` reads it.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::golang::strconv::parse_float;

/// The Go value of a scalar.
#[derive(Clone, Debug, PartialEq)]
pub enum Scalar<'a> {
    Null,
    Bool(bool),
    /// Go `int`
    Int(i64),
    /// Go `uint64`
    Uint(u64),
    /// Go `float64`
    Float(f64),
    /// Go `string`
    Str(Cow<'a, [u8]>),
}

/// The type that go-yaml finds, as its short tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tag {
    Null,
    Bool,
    Int,
    Float,
    Timestamp,
    Str,
}

impl Tag {
    const fn short(self) -> &'static str {
        match self {
            Self::Null => "!!null",
            Self::Bool => "!!bool",
            Self::Int => "!!int",
            Self::Float => "!!float",
            Self::Timestamp => "!!timestamp",
            Self::Str => "!!str",
        }
    }
}

const PREFIX: &[u8] = b"tag:yaml.org,2002:";

/// Resolves a scalar with its tag, as `decoder.scalar` does for an `interface{}`. Errors carry go-yaml's text.
pub fn scalar<'a>(tag: &[u8], implicit: bool, text: &'a [u8]) -> Result<Scalar<'a>, String> {
    if tag.is_empty() {
        if !implicit {
            return Ok(Scalar::Str(Cow::Borrowed(text)));
        }
        return Ok(match plain(text, true) {
            (_, Some(v)) => v,
            (_, None) => Scalar::Str(Cow::Borrowed(text)),
        });
    }
    let want = match tag.strip_prefix(PREFIX) {
        Some(b"null") => Tag::Null,
        Some(b"bool") => Tag::Bool,
        Some(b"int") => Tag::Int,
        Some(b"float") => Tag::Float,
        Some(b"timestamp") => Tag::Timestamp,
        Some(b"binary") => return binary(text),
        // `!!str`, and any tag that go-yaml does not know.
        _ => return Ok(Scalar::Str(Cow::Borrowed(text))),
    };
    let (got, value) = plain(text, want == Tag::Timestamp);
    if got == want {
        return Ok(value.unwrap_or(Scalar::Str(Cow::Borrowed(text))));
    }
    if let (Tag::Float, Some(Scalar::Int(n))) = (want, &value) {
        return Ok(Scalar::Float(*n as f64));
    }
    Err(format!("yaml: cannot decode {} `{}` as a {}", got.short(), String::from_utf8_lossy(text), want.short()))
}

fn binary<'a>(text: &[u8]) -> Result<Scalar<'a>, String> {
    // Go's decoder skips line breaks, wants padding, and does not look at the last character's spare bits.
    const LENIENT: GeneralPurpose = GeneralPurpose::new(
        &base64::alphabet::STANDARD,
        GeneralPurposeConfig::new()
            .with_decode_allow_trailing_bits(true)
            .with_decode_padding_mode(DecodePaddingMode::RequireCanonical),
    );
    let text: Vec<u8> = text.iter().copied().filter(|b| !matches!(b, b'\r' | b'\n')).collect();
    match LENIENT.decode(text) {
        Ok(bytes) => Ok(Scalar::Str(Cow::Owned(bytes))),
        Err(_) => Err("yaml: !!binary value contains invalid base64 data".into()),
    }
}

/// Finds the type of an untagged plain text. No value: the text itself.
pub fn plain<'a>(s: &[u8], timestamps: bool) -> (Tag, Option<Scalar<'a>>) {
    let text = (Tag::Str, None);
    let Some(first) = s.first() else { return (Tag::Null, Some(Scalar::Null)) };
    match first {
        b'y' | b'Y' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'o' | b'O' | b'~' => word(s).unwrap_or(text),
        b'.' => special_float(s).or_else(|| go_float(s)).map_or(text, |f| (Tag::Float, Some(Scalar::Float(f)))),
        b'0'..=b'9' | b'+' | b'-' => {
            if let Some(f) = special_float(s) {
                return (Tag::Float, Some(Scalar::Float(f)));
            }
            if timestamps && is_timestamp(s) {
                return (Tag::Timestamp, None);
            }
            number(s).unwrap_or(text)
        }
        _ => text,
    }
}

fn word<'a>(s: &[u8]) -> Option<(Tag, Option<Scalar<'a>>)> {
    let value = match s {
        b"y" | b"Y" | b"yes" | b"Yes" | b"YES" | b"true" | b"True" | b"TRUE" | b"on" | b"On" | b"ON" => true,
        b"n" | b"N" | b"no" | b"No" | b"NO" | b"false" | b"False" | b"FALSE" | b"off" | b"Off" | b"OFF" => false,
        b"~" | b"null" | b"Null" | b"NULL" => return Some((Tag::Null, Some(Scalar::Null))),
        _ => return None,
    };
    Some((Tag::Bool, Some(Scalar::Bool(value))))
}

fn special_float(s: &[u8]) -> Option<f64> {
    match s {
        b".nan" | b".NaN" | b".NAN" => Some(f64::NAN),
        b".inf" | b".Inf" | b".INF" | b"+.inf" | b"+.Inf" | b"+.INF" => Some(f64::INFINITY),
        b"-.inf" | b"-.Inf" | b"-.INF" => Some(f64::NEG_INFINITY),
        _ => None,
    }
}

fn number<'a>(s: &[u8]) -> Option<(Tag, Option<Scalar<'a>>)> {
    let stripped: Cow<'_, [u8]> = if s.contains(&b'_') {
        Cow::Owned(s.iter().copied().filter(|b| *b != b'_').collect())
    } else {
        Cow::Borrowed(s)
    };
    let int = |v| Some((Tag::Int, Some(v)));
    match integer(&stripped, 0) {
        Some(n) if i64::try_from(n).is_ok() => return int(Scalar::Int(n as i64)),
        // Go's ParseUint takes no sign.
        Some(n) if !stripped.starts_with(b"+") && !stripped.starts_with(b"-") => {
            if let Ok(n) = u64::try_from(n) {
                return int(Scalar::Uint(n));
            }
        }
        _ => {}
    }
    if let Some(f) = float(&stripped) {
        return Some((Tag::Float, Some(Scalar::Float(f))));
    }
    // go-yaml's second look at binary numbers, of which only oddities such as `0b-1` are left.
    if let Some(digits) = stripped.strip_prefix(b"0b") {
        let n = integer(digits, 2)?;
        return int(Scalar::Int(i64::try_from(n).ok()?));
    }
    None
}

/// Go's `strconv.ParseInt(s, base, 64)` with room above: base 0 (by prefix) or 2.
fn integer(s: &[u8], base: u32) -> Option<i128> {
    let (negative, digits) = match s {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, s),
    };
    let (base, digits) = match (base, digits) {
        (0, [b'0', b'x' | b'X', rest @ ..]) if !rest.is_empty() => (16, rest),
        (0, [b'0', b'b' | b'B', rest @ ..]) if !rest.is_empty() => (2, rest),
        (0, [b'0', b'o' | b'O', rest @ ..]) if !rest.is_empty() => (8, rest),
        (0, [b'0', rest @ ..]) if !rest.is_empty() => (8, rest),
        (0, _) => (10, digits),
        (b, _) => (b, digits),
    };
    if digits.is_empty() {
        return None;
    }
    let mut n: i128 = 0;
    for b in digits {
        let d = char::from(*b).to_digit(base)?;
        n = n.checked_mul(i128::from(base))?.checked_add(i128::from(d))?;
        if n > i128::from(u64::MAX) {
            return None;
        }
    }
    Some(if negative { -n } else { n })
}

/// Go's `strconv.ParseFloat`, underscores between digits included.
fn go_float(s: &[u8]) -> Option<f64> {
    parse_float(std::str::from_utf8(s).ok()?).ok()
}

/// A decimal number as go-yaml's `yamlStyleFloat` has it, if it is finite.
fn float(s: &[u8]) -> Option<f64> {
    let mut i = usize::from(matches!(s.first(), Some(b'+' | b'-')));
    let digits = |from: usize| s[from..].iter().take_while(|b| b.is_ascii_digit()).count();
    let whole = digits(i);
    i += whole;
    if s.get(i) == Some(&b'.') {
        i += 1;
        let fraction = digits(i);
        i += fraction;
        if whole + fraction == 0 {
            return None;
        }
    } else if whole == 0 {
        return None;
    }
    if matches!(s.get(i), Some(b'e' | b'E')) {
        i += 1 + usize::from(matches!(s.get(i + 1), Some(b'+' | b'-')));
        let exponent = digits(i);
        if exponent == 0 {
            return None;
        }
        i += exponent;
    }
    if i != s.len() {
        return None;
    }
    std::str::from_utf8(s).ok()?.parse().ok().filter(|f: &f64| f.is_finite())
}

/// True if go-yaml takes the text for a date or time: Go's `time.Parse` with the four layouts of `resolve.go`.
pub fn is_timestamp(s: &[u8]) -> bool {
    let year = s.iter().take_while(|b| b.is_ascii_digit()).count();
    if year != 4 || s.get(4) != Some(&b'-') {
        return false;
    }
    let Some((month, s_)) = two_digits(&s[5..]) else { return false };
    let Some((day, rest)) = s_.strip_prefix(b"-").and_then(two_digits) else { return false };
    let year = s[..4].iter().fold(0, |n, b| n * 10 + u32::from(b - b'0'));
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 => 28 + u32::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return false,
    };
    if day < 1 || day > days {
        return false;
    }
    match rest {
        [] => true,
        [b'T' | b't', clock @ ..] => time_of_day(clock).is_some_and(is_zone),
        [b' ', ..] => {
            let spaces = rest.iter().take_while(|b| **b == b' ').count();
            time_of_day(&rest[spaces..]).is_some_and(<[u8]>::is_empty)
        }
        _ => false,
    }
}

/// Go's `getnum`: one or two digits.
fn two_digits(s: &[u8]) -> Option<(u32, &[u8])> {
    match s {
        [a, b, rest @ ..] if a.is_ascii_digit() && b.is_ascii_digit() => {
            Some((u32::from(a - b'0') * 10 + u32::from(b - b'0'), rest))
        }
        [a, rest @ ..] if a.is_ascii_digit() => Some((u32::from(a - b'0'), rest)),
        _ => None,
    }
}

/// `15:4:5.999999999`; what is left behind it.
fn time_of_day(s: &[u8]) -> Option<&[u8]> {
    let (hour, s) = two_digits(s)?;
    let (minute, s) = two_digits(s.strip_prefix(b":")?)?;
    let (second, mut s) = two_digits(s.strip_prefix(b":")?)?;
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    if let [b'.' | b',', d, ..] = s
        && d.is_ascii_digit()
    {
        let n = s[1..].iter().take_while(|b| b.is_ascii_digit()).count();
        s = &s[1 + n..];
    }
    Some(s)
}

/// `Z07:00`
fn is_zone(s: &[u8]) -> bool {
    match s {
        b"Z" => true,
        [b'+' | b'-', a, b, b':', c, d] => {
            let digits = [a, b, c, d].iter().all(|x| x.is_ascii_digit());
            let hour = u32::from(a.wrapping_sub(b'0')) * 10 + u32::from(b.wrapping_sub(b'0'));
            let minute = u32::from(c.wrapping_sub(b'0')) * 10 + u32::from(d.wrapping_sub(b'0'));
            digits && hour <= 24 && minute <= 60
        }
        _ => false,
    }
}
