//! Floating point to text and back, as Go's `strconv` lays numbers out.
//!
//! The digits come from Rust's own formatter, which is exact and, without a precision, shortest: the same digits as Go's. What
//! differs is only where the point and the exponent go.

use super::strconv::{NumError, NumErrorKind, underscores_ok};

/// More digits than any binary64 has: beyond these there are only zeros.
const MAX_DIGITS: usize = 1100;

/// Decimal digits without trailing zeros; the point stands before digit `point` (which may be negative or beyond the end).
struct Digits {
    d: Vec<u8>,
    point: i64,
}

impl Digits {
    /// From Rust's `d.ddde-x`.
    fn from_exponent_form(text: &str) -> Self {
        let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
        let mut d: Vec<u8> = mantissa.bytes().filter(u8::is_ascii_digit).collect();
        while d.last() == Some(&b'0') {
            d.pop();
        }
        let point = if d.is_empty() { 0 } else { exponent.parse().unwrap_or(0) + 1 };
        Self { d, point }
    }

    /// From Rust's `ddd.ddd`.
    fn from_plain_form(text: &str) -> Self {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let mut d: Vec<u8> = whole.bytes().chain(fraction.bytes()).collect();
        let zeros = d.iter().take_while(|&&b| b == b'0').count();
        d.drain(..zeros);
        while d.last() == Some(&b'0') {
            d.pop();
        }
        let point = if d.is_empty() { 0 } else { whole.len() as i64 - zeros as i64 };
        Self { d, point }
    }

    fn exponent_form(&self, out: &mut Vec<u8>, precision: i64, letter: u8) {
        out.push(self.d.first().copied().unwrap_or(b'0'));
        if precision > 0 {
            out.push(b'.');
            let more = precision as usize;
            let have = self.d.get(1..).unwrap_or_default();
            let have = &have[..have.len().min(more)];
            out.extend_from_slice(have);
            out.resize(out.len() + more - have.len(), b'0');
        }
        let exponent = if self.d.is_empty() { 0 } else { self.point - 1 };
        let sign = if exponent < 0 { '-' } else { '+' };
        out.extend_from_slice(format!("{}{sign}{:02}", letter as char, exponent.abs()).as_bytes());
    }

    fn plain_form(&self, out: &mut Vec<u8>, precision: i64) {
        if self.point > 0 {
            let whole = self.point as usize;
            let have = &self.d[..self.d.len().min(whole)];
            out.extend_from_slice(have);
            out.resize(out.len() + whole - have.len(), b'0');
        } else {
            out.push(b'0');
        }
        if precision > 0 {
            out.push(b'.');
            let digit = |i: i64| usize::try_from(self.point + i).ok().and_then(|j| self.d.get(j)).copied();
            out.extend((0..precision).map(|i| digit(i).unwrap_or(b'0')));
        }
    }
}

/// As few digits as make the same float again.
fn shortest_digits(f: f64, bits: u32) -> Digits {
    let text = if bits == 32 { format!("{:e}", f as f32) } else { format!("{f:e}") };
    let digits = Digits::from_exponent_form(&text);
    // Where two texts of that length are equally near, Go takes the one with the even digit, Rust the greater. That needs a
    // float whose exact value ends in 5 one digit later, which only long texts have.
    let n = digits.d.len();
    if n >= if bits == 32 { 6 } else { 15 } {
        let even = format!("{f:.*e}", n - 1);
        let same = if bits == 32 { even.parse() == Ok(f as f32) } else { even.parse() == Ok(f) };
        if same {
            return Digits::from_exponent_form(&even);
        }
    }
    digits
}

/// `strconv.FormatFloat`: `fmt` is one of `b e E f g G x X`, `prec` -1 means shortest, `bits` 32 rounds to a float32 first.
pub fn format_float(f: f64, fmt: u8, prec: i32, bits: u32) -> String {
    let mut out = Vec::new();
    append_float(&mut out, f, fmt, prec, bits);
    // Only ASCII is ever written; an unknown `fmt` is shown as Go does.
    String::from_utf8_lossy(&out).into_owned()
}

/// As [`format_float`], appending.
pub fn append_float(out: &mut Vec<u8>, f: f64, fmt: u8, prec: i32, bits: u32) {
    let f = if bits == 32 { f64::from(f as f32) } else { f };
    if f.is_nan() {
        return out.extend_from_slice(b"NaN");
    }
    if f.is_infinite() {
        return out.extend_from_slice(if f < 0.0 { b"-Inf" } else { b"+Inf" });
    }
    if matches!(fmt, b'e' | b'E' | b'f' | b'g' | b'G' | b'b' | b'x' | b'X') && f.is_sign_negative() {
        out.push(b'-');
    }
    let f = f.abs();
    match fmt {
        b'b' => return binary(out, f, bits),
        b'x' | b'X' => return hexadecimal(out, f, fmt, prec, bits),
        _ => {}
    }
    let shortest = prec < 0;
    // Digits of the number rounded to `n` significant ones.
    let significant = |n: usize| Digits::from_exponent_form(&format!("{f:.*e}", n.clamp(1, MAX_DIGITS) - 1));
    let mut prec = prec as usize;
    let digits = if shortest {
        let digits = shortest_digits(f, bits);
        prec = match fmt {
            b'e' | b'E' => digits.d.len().saturating_sub(1),
            b'f' => (digits.d.len() as i64 - digits.point).max(0) as usize,
            _ => digits.d.len(),
        };
        digits
    } else {
        match fmt {
            b'e' | b'E' => significant(prec.saturating_add(1)),
            b'f' => Digits::from_plain_form(&format!("{f:.*}", prec.min(MAX_DIGITS))),
            b'g' | b'G' => {
                prec = prec.max(1);
                significant(prec)
            }
            _ => significant(1),
        }
    };
    let precision = prec as i64;
    match fmt {
        b'e' | b'E' => digits.exponent_form(out, precision, fmt),
        b'f' => digits.plain_form(out, precision),
        b'g' | b'G' => {
            let count = digits.d.len() as i64;
            // %e is used if the exponent is less than -4 or not less than the precision, 6 if that was "shortest"; and
            // trailing zeros are not shown.
            let limit = match precision {
                _ if shortest => 6,
                p if p > count && count >= digits.point => count,
                p => p,
            };
            let exponent = digits.point - 1;
            if exponent < -4 || exponent >= limit {
                digits.exponent_form(out, precision.min(count) - 1, fmt + b'e' - b'g');
            } else {
                let shown = if precision > digits.point { count } else { precision };
                digits.plain_form(out, (shown - digits.point).max(0));
            }
        }
        _ => out.extend_from_slice(&[b'%', fmt]),
    }
}

/// Mantissa (with the implicit bit), binary exponent of its lowest bit, and mantissa width of a finite float.
fn parts(f: f64, bits: u32) -> (u64, i32, u32) {
    let (raw, width, exponent_bits, bias) =
        if bits == 32 { (u64::from((f as f32).to_bits()), 23, 8, 127) } else { (f.to_bits(), 52, 11, 1023) };
    let exponent = (raw >> width) as i32 & ((1 << exponent_bits) - 1);
    let mantissa = raw & ((1 << width) - 1);
    let (mantissa, exponent) = if exponent == 0 { (mantissa, 1) } else { (mantissa | 1 << width, exponent) };
    (mantissa, exponent - bias, width)
}

/// %b: `ddddp±ddd`.
fn binary(out: &mut Vec<u8>, f: f64, bits: u32) {
    let (mantissa, exponent, width) = parts(f, bits);
    out.extend_from_slice(format!("{mantissa}p{:+}", exponent - width as i32).as_bytes());
}

/// %x: `0x1.yyyyp±dd`.
fn hexadecimal(out: &mut Vec<u8>, f: f64, fmt: u8, prec: i32, bits: u32) {
    let (mut mantissa, mut exponent, width) = parts(f, bits);
    if mantissa == 0 {
        exponent = 0;
    }
    // The leading 1 goes to bit 60.
    mantissa <<= 60 - width;
    while mantissa != 0 && mantissa & (1 << 60) == 0 {
        mantissa <<= 1;
        exponent -= 1;
    }
    if (0..15).contains(&prec) {
        let shift = prec as u32 * 4;
        let extra = (mantissa << shift) & ((1 << 60) - 1);
        mantissa >>= 60 - shift;
        if extra | (mantissa & 1) > 1 << 59 {
            mantissa += 1;
        }
        mantissa <<= 60 - shift;
        if mantissa & (1 << 61) != 0 {
            mantissa >>= 1;
            exponent += 1;
        }
    }
    let hex: &[u8; 16] = if fmt == b'X' { b"0123456789ABCDEF" } else { b"0123456789abcdef" };
    out.extend_from_slice(&[b'0', fmt, b'0' + ((mantissa >> 60) & 1) as u8]);
    mantissa <<= 4;
    if prec < 0 && mantissa != 0 {
        out.push(b'.');
        while mantissa != 0 {
            out.push(hex[(mantissa >> 60) as usize & 15]);
            mantissa <<= 4;
        }
    } else if prec > 0 {
        out.push(b'.');
        for _ in 0..prec {
            out.push(hex[(mantissa >> 60) as usize & 15]);
            mantissa <<= 4;
        }
    }
    let (p, sign) = (if fmt == b'X' { 'P' } else { 'p' }, if exponent < 0 { '-' } else { '+' });
    out.extend_from_slice(format!("{p}{sign}{:02}", exponent.abs()).as_bytes());
}

/// `strconv.ParseFloat(s, 64)`: decimal and hexadecimal, `inf`, `infinity` and `nan`; underscores between digits.
pub fn parse_float(s: &str) -> Result<f64, NumError> {
    parse(s).map_err(|kind| NumError::new("ParseFloat", s, kind))
}

fn parse(s: &str) -> Result<f64, NumErrorKind> {
    let (negative, rest) = match s.as_bytes() {
        [b'-', ..] => (true, &s[1..]),
        [b'+', ..] => (false, &s[1..]),
        _ => (false, s),
    };
    let signed = |f: f64| if negative { -f } else { f };
    if rest.eq_ignore_ascii_case("inf") || rest.eq_ignore_ascii_case("infinity") {
        return Ok(signed(f64::INFINITY));
    }
    // "nan" has no sign in Go.
    if s.eq_ignore_ascii_case("nan") {
        return Ok(f64::NAN);
    }
    let bare = if rest.contains('_') {
        if !underscores_ok(rest.as_bytes()) {
            return Err(NumErrorKind::Syntax);
        }
        std::borrow::Cow::from(rest.replace('_', ""))
    } else {
        rest.into()
    };
    let rest = &*bare;
    if let [b'0', b'x' | b'X', _, ..] = rest.as_bytes() {
        let f = parse_hexadecimal(&rest.as_bytes()[2..])?;
        return if f.is_infinite() { Err(NumErrorKind::Range) } else { Ok(signed(f)) };
    }
    // Rust's grammar is Go's but for its words for infinity and NaN; only digits, point and exponent go through.
    let plain = rest.bytes().all(|b| matches!(b, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-'));
    let signless = rest.bytes().next().is_some_and(|b| !matches!(b, b'+' | b'-'));
    let f: f64 = rest.parse().ok().filter(|_| plain && signless).ok_or(NumErrorKind::Syntax)?;
    if f.is_infinite() { Err(NumErrorKind::Range) } else { Ok(signed(f)) }
}

/// What follows `0x`: mantissa and the required binary exponent. Rounds to nearest, ties to even; infinite on overflow.
fn parse_hexadecimal(s: &[u8]) -> Result<f64, NumErrorKind> {
    let syntax = NumErrorKind::Syntax;
    let (mut mantissa, mut kept, mut sticky) = (0u64, 0, false);
    // `scale` is the power of two of the mantissa's lowest bit.
    let (mut scale, mut dot, mut any) = (0i64, false, false);
    let mut at = 0;
    while let Some(&c) = s.get(at) {
        match c {
            b'.' if !dot => dot = true,
            _ => {
                let Some(d) = (c as char).to_digit(16) else { break };
                any = true;
                if kept == 0 && d == 0 {
                    scale -= if dot { 4 } else { 0 };
                } else if kept < 15 {
                    mantissa = mantissa << 4 | u64::from(d);
                    kept += 1;
                    scale -= if dot { 4 } else { 0 };
                } else {
                    sticky |= d != 0;
                    scale += if dot { 0 } else { 4 };
                }
            }
        }
        at += 1;
    }
    if !any || !matches!(s.get(at), Some(b'p' | b'P')) {
        return Err(syntax);
    }
    at += 1;
    let negative = s.get(at) == Some(&b'-');
    if matches!(s.get(at), Some(b'+' | b'-')) {
        at += 1;
    }
    let digits = &s[at..];
    if !digits.first().is_some_and(u8::is_ascii_digit) || !digits.iter().all(u8::is_ascii_digit) {
        return Err(syntax);
    }
    let mut exponent = 0i64;
    for d in digits {
        if exponent < 10_000 {
            exponent = exponent * 10 + i64::from(d - b'0');
        }
    }
    if mantissa == 0 {
        return Ok(0.0);
    }
    scale += if negative { -exponent } else { exponent };
    // 60 bits and a sticky one below: then one rounding to 53 bits, or fewer for subnormals.
    let mut mantissa = u128::from(mantissa) << 1 | u128::from(sticky);
    scale -= 1;
    let top = 127 - i64::from(mantissa.leading_zeros()) + scale;
    if top > 1023 {
        return Ok(f64::INFINITY);
    }
    let lowest = (top - 52).max(-1074);
    let drop = lowest - scale;
    if drop > 120 {
        return Ok(0.0);
    }
    if drop > 0 {
        let half = 1u128 << (drop - 1);
        let rest = mantissa & (half * 2 - 1);
        mantissa >>= drop;
        if rest > half || rest == half && mantissa & 1 == 1 {
            mantissa += 1;
        }
        scale = lowest;
    }
    // Exact: at most 53 bits times a power of two, in two steps because 2^-1074 alone is a subnormal.
    let first = scale.max(-1000);
    Ok(mantissa as f64 * 2f64.powi(first as i32) * 2f64.powi((scale - first) as i32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats() {
        for (f, fmt, prec, want) in [
            (1.0, b'e', 5, "1.00000e+00"),
            (1.0, b'g', -1, "1"),
            (1e6, b'g', -1, "1e+06"),
            (100_000.0, b'g', -1, "100000"),
            (1_234_567.8, b'g', -1, "1.2345678e+06"),
            (123_456_789.0, b'f', -1, "123456789"),
            (1e23, b'g', 17, "9.9999999999999992e+22"),
            (1e23, b'f', -1, "100000000000000000000000"),
            (0.0001, b'g', -1, "0.0001"),
            (0.00001, b'g', -1, "1e-05"),
            (-0.0, b'g', -1, "-0"),
            (0.0, b'e', -1, "0e+00"),
            (0.0, b'f', 2, "0.00"),
            (400.0, b'g', 2, "4e+02"),
            (40.0, b'g', 2, "40"),
            (100.0, b'g', 5, "100"),
            (2.5, b'f', 0, "2"),
            (3.5, b'f', 0, "4"),
            (0.5, b'f', 0, "0"),
            (1.25, b'e', 1, "1.2e+00"),
            (9.99, b'f', 1, "10.0"),
            (9.99, b'G', 2, "10"),
            (1e100, b'G', 3, "1E+100"),
            (5e-324, b'g', -1, "5e-324"),
            (32.0, b'g', 0, "3e+01"),
            (1.0, b'b', -1, "4503599627370496p-52"),
            (1.0, b'x', -1, "0x1p+00"),
            (0.1, b'x', -1, "0x1.999999999999ap-04"),
            (0.1, b'X', 3, "0X1.99AP-04"),
            (1.5, b'x', 0, "0x1p+01"),
            // Both neighbours are equally near: the even digit wins.
            (1_035_122_464_696_284.2, b'e', -1, "1.0351224646962842e+15"),
            (f64::NAN, b'g', -1, "NaN"),
            (f64::INFINITY, b'f', 3, "+Inf"),
            (1.0, b'y', -1, "%y"),
        ] {
            assert_eq!(format_float(f, fmt, prec, 64), want, "{f} {} {prec}", fmt as char);
        }
        assert_eq!(format_float(0.1f32.into(), b'g', -1, 32), "0.1");
        assert_eq!(format_float(1.0, b'f', 2000, 64).len(), 2002);
    }

    #[test]
    fn parses() {
        let err = |s: &str, why: &str| Err(format!("strconv.ParseFloat: parsing {s:?}: {why}"));
        for (s, want) in [
            ("1.5", Ok(1.5)),
            (".5", Ok(0.5)),
            ("5.", Ok(5.0)),
            ("-1e3", Ok(-1000.0)),
            ("+1E+3", Ok(1000.0)),
            ("0x1p4", Ok(16.0)),
            ("0x1.8p1", Ok(3.0)),
            ("0x_1p4", Ok(16.0)),
            ("0x1p-1074", Ok(5e-324)),
            ("0x1p-1075", Ok(0.0)),
            ("0x1.fffffffffffff8p0", Ok(2.0)),
            ("0x10000000000000000000p0", Ok(75_557_863_725_914_323_419_136.0)),
            ("-Inf", Ok(f64::NEG_INFINITY)),
            ("infinity", Ok(f64::INFINITY)),
            ("1e400", err("1e400", "value out of range")),
            ("0x1p1024", err("0x1p1024", "value out of range")),
            ("0x1", err("0x1", "invalid syntax")),
            ("1_0", Ok(10.0)),
            ("1_", err("1_", "invalid syntax")),
            ("", err("", "invalid syntax")),
            ("+-1", err("+-1", "invalid syntax")),
            (".", err(".", "invalid syntax")),
            ("1e", err("1e", "invalid syntax")),
            ("-nan", err("-nan", "invalid syntax")),
            ("1 ", err("1 ", "invalid syntax")),
        ] {
            assert_eq!(parse_float(s).map_err(|e| e.to_string()), want, "{s}");
        }
        assert!(parse_float("NaN").is_ok_and(f64::is_nan));
    }
}
