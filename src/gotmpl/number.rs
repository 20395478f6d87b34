//! Number literals: Go's ideal constants in a small amount of code.
//!
//! A literal is kept under every type that can hold it (Go 1.26 `text/template/parse/node.go`, `newNumber`), and what it is
//! where any type will do is decided here, once (`text/template/exec.go`, `idealConstant`).

use std::any::Any;
use std::borrow::Cow;

use super::ast::{Number, Pos};
use super::lex::Kind;
use super::unquote::unquote_char;
use crate::golang::strconv;
use crate::value::{Object, Str, Value};

/// Reads a literal. `Err` is the text of Go's error.
pub(super) fn number(pos: Pos, text: &[u8], kind: Kind) -> Result<Number, String> {
    let mut n =
        Number { pos, text: Str::new(text), int: None, uint: None, float: None, complex: None, ideal: Ok(Value::Nil) };
    match kind {
        Kind::CharConstant => char_constant(&mut n, text)?,
        // The scanner lets only ASCII into numbers; so nothing is lost here.
        _ => digits(&mut n, &String::from_utf8_lossy(text), kind)?,
    }
    n.ideal = ideal(&n, text);
    Ok(n)
}

fn char_constant(n: &mut Number, text: &[u8]) -> Result<(), String> {
    let (r, tail) = unquote_char(&text[1..], text[0]).ok_or("invalid syntax")?;
    if tail != b"'" {
        return Err(format!("malformed character constant: {}", String::from_utf8_lossy(text)));
    }
    let code = r.code();
    n.int = Some(code.into());
    n.uint = Some(code.into());
    n.float = Some(code.into());
    Ok(())
}

fn digits(n: &mut Number, text: &str, kind: Kind) -> Result<(), String> {
    if kind == Kind::Complex {
        set_complex(n, scan_complex(text)?);
        return Ok(());
    }
    // An imaginary constant can only be complex unless it is zero.
    if let Some(imaginary) = text.strip_suffix('i')
        && let Ok(f) = strconv::parse_float(imaginary)
    {
        set_complex(n, (0.0, f));
        return Ok(());
    }
    // Integers first, so that 0x123 and the like are found.
    n.uint = strconv::parse_uint(text, 0, 64).ok();
    n.int = strconv::parse_int(text, 0, 64).ok();
    if n.int == Some(0) {
        n.uint = Some(0); // In case of -0.
    }
    n.float = n.int.map(|i| i as f64).or_else(|| n.uint.map(|u| u as f64));
    if n.float.is_none()
        && let Ok(f) = strconv::parse_float(text)
    {
        // It looks like an integer and is too large for one.
        if !text.contains(['.', 'e', 'E', 'p', 'P']) {
            return Err(format!("integer overflow: {}", strconv::quote(text.as_bytes())));
        }
        n.float = Some(f);
        n.int = float_to_int(f);
        n.uint = float_to_uint(f);
    }
    if n.float.is_none() {
        return Err(format!("illegal number syntax: {}", strconv::quote(text.as_bytes())));
    }
    Ok(())
}

/// Pulls out the other types that hold the same number: the imaginary part must be zero.
fn set_complex(n: &mut Number, (re, im): (f64, f64)) {
    n.complex = Some((re, im));
    if im == 0.0 {
        n.float = Some(re);
        n.int = float_to_int(re);
        n.uint = float_to_uint(re);
    }
}

/// The integer that equals `f`. Rust's `as` saturates where Go's conversion wraps; the bounds keep both out of it.
fn float_to_int(f: f64) -> Option<i64> {
    (f.trunc() == f && (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&f)).then_some(f as i64)
}

fn float_to_uint(f: f64) -> Option<u64> {
    (f.trunc() == f && (0.0..18_446_744_073_709_551_616.0).contains(&f)).then_some(f as u64)
}

/// `fmt.Sscan` into a `complex128`: two numbers, the second with a sign and `i`.
fn scan_complex(text: &str) -> Result<(f64, f64), String> {
    const SYNTAX: &str = "syntax error scanning complex number";
    let (re, rest) = text.split_at(float_token(text));
    let sign = rest.chars().next().filter(|c| matches!(c, '+' | '-')).ok_or(SYNTAX)?;
    let rest = &rest[1..];
    let (im, tail) = rest.split_at(float_token(rest));
    if !tail.starts_with('i') {
        return Err(SYNTAX.into());
    }
    Ok((scan_float(re)?, scan_float(&format!("{sign}{im}"))?))
}

/// The length of the number at the start, as fmt's scanner cuts it.
fn float_token(s: &str) -> usize {
    let b = s.as_bytes();
    let mut i = 0;
    let accept = |i: &mut usize, set: &[u8]| {
        let ok = b.get(*i).is_some_and(|c| set.contains(c));
        *i += usize::from(ok);
        ok
    };
    let mut digits: &[u8] = b"0123456789_";
    let mut exponent: &[u8] = b"eEpP";
    accept(&mut i, b"+-");
    accept(&mut i, b"iI"); // It looks for "Inf", and does not give the letter back.
    if accept(&mut i, b"0") && accept(&mut i, b"xX") {
        digits = b"0123456789aAbBcCdDeEfF_";
        exponent = b"pP";
    }
    while accept(&mut i, digits) {}
    if accept(&mut i, b".") {
        while accept(&mut i, digits) {}
    }
    if accept(&mut i, exponent) {
        accept(&mut i, b"+-");
        while accept(&mut i, b"0123456789_") {}
    }
    i
}

fn scan_float(s: &str) -> Result<f64, String> {
    strconv::parse_float(s).map_err(|e| e.to_string())
}

/// What the constant is where any type will do: the syntax guides.
fn ideal(n: &Number, text: &[u8]) -> Result<Value, String> {
    let has = |set: &[u8]| text.iter().any(|b| set.contains(b));
    let hex_int = text.len() > 2 && text[0] == b'0' && matches!(text[1], b'x' | b'X') && !has(b"pP");
    let rune_int = text.first() == Some(&b'\'');
    if let Some((re, im)) = n.complex {
        return Ok(Value::object(Complex { re, im }));
    }
    match (n.float, n.int) {
        (Some(f), _) if !hex_int && !rune_int && has(b".eEpP") => Ok(Value::Float(f)),
        (_, Some(i)) => Ok(Value::Int(i)),
        _ if n.uint.is_some() => Err(format!("{} overflows int", String::from_utf8_lossy(text))),
        _ => Ok(Value::Nil),
    }
}

/// Go's `complex128`. It exists only as a literal; nothing computes with it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Complex {
    pub re: f64,
    pub im: f64,
}

impl Object for Complex {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn go_type(&self) -> Cow<'static, str> {
        "complex128".into()
    }

    fn kind(&self) -> crate::value::Kind {
        crate::value::Kind::Complex128
    }

    fn truth(&self) -> bool {
        self.re != 0.0 || self.im != 0.0
    }

    fn try_json(&self, _heap: &mut crate::value::Heap) -> Result<crate::value::Value, String> {
        Err("json: unsupported type: complex128".into())
    }

    fn complex(&self) -> Option<(f64, f64)> {
        Some((self.re, self.im))
    }

    fn string(&self) -> Option<String> {
        let part = |f: f64| strconv::format_float(f, b'g', -1, 64);
        let im = part(self.im);
        let plus = if im.starts_with(['+', '-']) { "" } else { "+" };
        Some(format!("({}{plus}{im}i)", part(self.re)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(text: &str, kind: Kind) -> String {
        match number(0, text.as_bytes(), kind) {
            Err(e) => format!("error {e}"),
            Ok(n) => {
                let ideal = match &n.ideal {
                    Ok(Value::Object(o)) => o.string().unwrap(),
                    Ok(v) => format!("{v:?}"),
                    Err(e) => e.clone(),
                };
                format!("{:?} {:?} {:?} {ideal}", n.int, n.uint, n.float)
            }
        }
    }

    #[test]
    fn every_type_that_holds_it() {
        let cases = [
            ("0x10", Kind::Number, "Some(16) Some(16) Some(16.0) Int(16)"),
            ("-0", Kind::Number, "Some(0) Some(0) Some(0.0) Int(0)"),
            ("-1", Kind::Number, "Some(-1) None Some(-1.0) Int(-1)"),
            ("1e3", Kind::Number, "Some(1000) Some(1000) Some(1000.0) Float(1000.0)"),
            ("1.5", Kind::Number, "None None Some(1.5) Float(1.5)"),
            ("0x1p-2", Kind::Number, "None None Some(0.25) Float(0.25)"),
            ("0xe", Kind::Number, "Some(14) Some(14) Some(14.0) Int(14)"),
            ("0b1_01", Kind::Number, "Some(5) Some(5) Some(5.0) Int(5)"),
            ("'a'", Kind::CharConstant, "Some(97) Some(97) Some(97.0) Int(97)"),
            (r"'\''", Kind::CharConstant, "Some(39) Some(39) Some(39.0) Int(39)"),
            ("'ab'", Kind::CharConstant, "error malformed character constant: 'ab'"),
            ("''", Kind::CharConstant, "error invalid syntax"),
            (
                "9223372036854775808",
                Kind::Number,
                "None Some(9223372036854775808) Some(9.223372036854776e18) 9223372036854775808 overflows int",
            ),
            ("18446744073709551616", Kind::Number, "error integer overflow: \"18446744073709551616\""),
            ("1__0", Kind::Number, "error illegal number syntax: \"1__0\""),
            ("1e999", Kind::Number, "error illegal number syntax: \"1e999\""),
            ("1+2i", Kind::Complex, "None None None (1+2i)"),
            ("1e3-0i", Kind::Complex, "Some(1000) Some(1000) Some(1000.0) (1000-0i)"),
            ("2i", Kind::Number, "None None None (0+2i)"),
        ];
        for (text, kind, want) in cases {
            assert_eq!(show(text, kind), want, "{text}");
        }
    }
}
