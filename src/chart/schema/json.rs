//! JSON values as the validator sees them: numbers keep their text, so that they can be compared exactly.

use std::cmp::Ordering;
use std::sync::Arc;

use num_bigint::BigInt;

use super::members::Members;
use crate::golang::json::{Token, Tokens};
use crate::golang::unicode::runes;
use crate::value::{Heap, Str, Value};

/// A JSON value. Strings are text: of values that are not UTF-8 each bad byte is U+FFFD.
#[derive(Clone, Debug)]
pub(super) enum Json {
    Null,
    Bool(bool),
    /// As it was written, or as the shortest text of the float.
    Number(Box<str>),
    String(Arc<str>),
    Array(Box<[Self]>),
    Object(Members<Self>),
    /// A Go value that has no JSON type, by the name of its Go type.
    Invalid(Box<str>),
}

/// A container whose end was not read yet; of an object also the key whose value comes next.
enum Open {
    Array(Vec<Json>),
    Object(Vec<(Arc<str>, Json)>, Option<Arc<str>>),
}

impl Json {
    /// Reads a whole text. `Err` is Go's text as `json.Decoder` gives it.
    pub fn parse(text: &[u8]) -> Result<Self, String> {
        let mut tokens = Tokens::new(text);
        let mut open: Vec<Open> = Vec::new();
        let mut done = None;
        loop {
            let token = match tokens.next_token() {
                Ok(t) => t,
                Err(_) if done.is_some() => return Err("invalid character after top-level value".into()),
                Err(e) => return Err(read_error(text, &e.message, e.offset)),
            };
            let value = match token {
                Token::End => return done.ok_or_else(|| "unexpected EOF".into()),
                Token::Key(k) => {
                    if let Some(Open::Object(_, key)) = open.last_mut() {
                        *key = Some(shared(&k));
                    }
                    continue;
                }
                Token::BeginObject => {
                    open.push(Open::Object(Vec::new(), None));
                    continue;
                }
                Token::BeginArray => {
                    open.push(Open::Array(Vec::new()));
                    continue;
                }
                Token::EndObject | Token::EndArray => match open.pop() {
                    Some(Open::Object(members, _)) => Self::Object(members.into()),
                    Some(Open::Array(items)) => Self::Array(items.into()),
                    None => Self::Null,
                },
                Token::Null => Self::Null,
                Token::Bool(b) => Self::Bool(b),
                Token::Number(n) => Self::Number(n.into()),
                Token::Str(s) => Self::String(shared(&s)),
            };
            match open.last_mut() {
                Some(Open::Object(members, key)) => members.extend(key.take().map(|key| (key, value))),
                Some(Open::Array(items)) => items.push(value),
                None => done = Some(value),
            }
        }
    }

    /// A value of a render.
    pub fn of(heap: &Heap, value: &Value) -> Self {
        match value {
            Value::Nil => Self::Null,
            Value::Bool(b) => Self::Bool(*b),
            Value::Int(n) | Value::Int64(n) => Self::Number(n.to_string().into()),
            Value::OtherInt(k, n) => Self::Number(n.get(*k).to_string().into()),
            Value::Float(f) if f.is_finite() => Self::Number(f.to_string().into()),
            Value::Str(s) => Self::String(shared(s)),
            Value::List(l) => Self::Array(heap.list(*l).items.iter().map(|v| Self::of(heap, v)).collect()),
            Value::Map(m) => {
                let entry = |(k, v): (&Str, &Value)| (shared(k), Self::of(heap, v));
                Self::Object(heap.map(*m).iter().map(entry).collect())
            }
            Value::Float(_) | Value::Bytes(_) | Value::Object(_) => Self::Invalid(value.go_type(heap).into()),
        }
    }

    pub const fn as_object(&self) -> Option<&Members<Self>> {
        match self {
            Self::Object(o) => Some(o),
            _ => None,
        }
    }

    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(s) => Some(s),
            _ => None,
        }
    }

    pub fn as_array(&self) -> Option<&[Self]> {
        match self {
            Self::Array(a) => Some(a),
            _ => None,
        }
    }

    pub const fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(b) => Some(*b),
            _ => None,
        }
    }

    pub fn decimal(&self) -> Option<Decimal> {
        match self {
            Self::Number(n) => Decimal::parse(n),
            _ => None,
        }
    }

    /// Numbers are equal if their numbers are, not their texts. `Err` is the Go type of a value without a JSON type in `self`.
    pub fn equals(&self, other: &Self) -> Result<bool, &str> {
        Ok(match (self, other) {
            (Self::Invalid(t), _) => return Err(t),
            (Self::Null, Self::Null) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::String(a), Self::String(b)) => a == b,
            (Self::Number(a), Self::Number(b)) => {
                matches!((Decimal::parse(a), Decimal::parse(b)), (Some(a), Some(b)) if a.compare(&b).is_eq())
            }
            (Self::Array(a), Self::Array(b)) => {
                if a.len() != b.len() {
                    return Ok(false);
                }
                for (a, b) in a.iter().zip(b) {
                    if !a.equals(b)? {
                        return Ok(false);
                    }
                }
                true
            }
            (Self::Object(a), Self::Object(b)) => {
                if a.len() != b.len() {
                    return Ok(false);
                }
                for (k, a) in a.iter() {
                    match b.get(k) {
                        Some(b) if a.equals(b)? => {}
                        _ => return Ok(false),
                    }
                }
                true
            }
            _ => false,
        })
    }
}

/// `json.Decoder`'s error, of which a text that ends too early is `EOF`.
fn read_error(text: &[u8], message: &str, offset: usize) -> String {
    if text.iter().all(|b| matches!(b, b' ' | b'\t' | b'\r' | b'\n')) {
        return "EOF".into();
    }
    let at_end = offset == text.len() && message.starts_with("invalid character ' '") && text.last() != Some(&b' ');
    if at_end || message == "unexpected end of JSON input" { "unexpected EOF".into() } else { message.into() }
}

fn shared(s: &[u8]) -> Arc<str> {
    match std::str::from_utf8(s) {
        Ok(s) => s.into(),
        Err(_) => runes(s).map(|(_, c, _)| c).collect::<String>().into(),
    }
}

/// An exact decimal number: `digits` × 10^`exponent`, without zeros at the end of `digits`.
#[derive(Clone, Debug)]
pub(super) struct Decimal {
    digits: BigInt,
    exponent: i64,
    text: String,
}

/// Go's `big.Rat` refuses larger exponents.
const MAX_EXPONENT: i64 = 1_000_000;

impl Decimal {
    /// `big.Rat.SetString` of a JSON number.
    pub fn parse(text: &str) -> Option<Self> {
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let exponent: i64 = exponent.strip_prefix('+').unwrap_or(exponent).parse().ok()?;
        let (int, frac) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let exponent = exponent.checked_sub(i64::try_from(frac.len()).ok()?)?;
        if exponent.abs() > MAX_EXPONENT {
            return None;
        }
        let all = format!("{int}{frac}");
        let kept = all.trim_end_matches('0');
        let digits: BigInt = if kept.is_empty() || kept == "-" { BigInt::ZERO } else { kept.parse().ok()? };
        let exponent = if digits == BigInt::ZERO { 0 } else { exponent + (all.len() - kept.len()) as i64 };
        Some(Self { digits, exponent, text: text.into() })
    }

    pub const fn is_int(&self) -> bool {
        self.exponent >= 0
    }

    /// As Go's `int(n.Int64())` of an integer: the low 64 bits.
    pub fn to_i64(&self) -> Option<i64> {
        if !self.is_int() {
            return None;
        }
        let n = scale(&self.digits, self.exponent);
        let low = n.iter_u64_digits().next().unwrap_or(0) as i64;
        Some(if n.sign() == num_bigint::Sign::Minus { low.wrapping_neg() } else { low })
    }

    /// The nearest float.
    pub fn to_f64(&self) -> f64 {
        // There is no negative zero among rational numbers.
        self.text.parse::<f64>().unwrap_or(f64::NAN) + 0.0
    }

    /// Both as integers of one scale.
    fn align(&self, other: &Self) -> (BigInt, BigInt) {
        let low = self.exponent.min(other.exponent);
        (scale(&self.digits, self.exponent - low), scale(&other.digits, other.exponent - low))
    }

    pub fn compare(&self, other: &Self) -> Ordering {
        let (a, b) = self.align(other);
        a.cmp(&b)
    }

    /// Whether the quotient is an integer. Nothing is a multiple of zero.
    pub fn is_multiple_of(&self, other: &Self) -> bool {
        let (a, b) = self.align(other);
        b != BigInt::ZERO && a % b == BigInt::ZERO
    }
}

fn scale(n: &BigInt, exponent: i64) -> BigInt {
    if exponent == 0 {
        return n.clone();
    }
    n * BigInt::from(10).pow(u32::try_from(exponent).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_the_text() {
        for (text, want) in [
            ("", "EOF"),
            (" \n", "EOF"),
            ("{", "unexpected EOF"),
            ("tru", "unexpected EOF"),
            ("{\"a\":1", "unexpected EOF"),
            ("{} x", "invalid character after top-level value"),
            ("1 2", "invalid character after top-level value"),
            ("{a}", "invalid character 'a' looking for beginning of object key string"),
            ("type: object", "invalid character 'y' in literal true (expecting 'r')"),
            ("- a", "invalid character ' ' in numeric literal"),
        ] {
            assert_eq!(Json::parse(text.as_bytes()).unwrap_err(), want, "{text:?}");
        }
    }

    #[test]
    fn numbers_are_exact() {
        let d = |s: &str| Decimal::parse(s).unwrap();
        assert!(d("1e2").compare(&d("100.0")).is_eq());
        assert!(d("0.1").compare(&d("0.10000000000000001")).is_lt());
        assert!(d("1.1").is_multiple_of(&d("0.1")));
        assert!(!d("1").is_multiple_of(&d("0.3")));
        assert!(d("10").is_int() && d("1.0").is_int() && !d("1.5").is_int() && d("-0").is_int());
        assert_eq!(d("1.5e1").to_i64(), Some(15));
        assert!(Decimal::parse("1e1000001").is_none());
    }
}
