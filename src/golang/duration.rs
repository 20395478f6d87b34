//! Go's `time.Duration`: nanoseconds in an `i64`, printed as `1h2m3.5s`.
//!
//! Ported from Go 1.26 `time/time.go` and `time/format.go`. A duration is a plain `i64` here; the wrapper that templates see
//! stands beside the functions that give it.

pub const NANOSECOND: i64 = 1;
pub const MICROSECOND: i64 = 1_000;
pub const MILLISECOND: i64 = 1_000_000;
pub const SECOND: i64 = 1_000_000_000;
pub const MINUTE: i64 = 60 * SECOND;
pub const HOUR: i64 = 60 * MINUTE;

/// `Duration.String`: the largest unit first, no leading zero units, `0s` for zero.
pub fn string(d: i64) -> String {
    let mut u = d.unsigned_abs();
    let sign = if d < 0 { "-" } else { "" };
    if u == 0 {
        return "0s".into();
    }
    if u < SECOND as u64 {
        // Below a second the unit shrinks, so that the number before the point is not zero.
        let (unit, digits) = if u < MICROSECOND as u64 {
            ("ns", 0)
        } else if u < MILLISECOND as u64 {
            ("µs", 3)
        } else {
            ("ms", 6)
        };
        let (whole, frac) = fraction(u, digits);
        return format!("{sign}{whole}{frac}{unit}");
    }
    let (whole, frac) = fraction(u, 9);
    u = whole;
    let (seconds, minutes, hours) = (u % 60, u / 60 % 60, u / 3600);
    match (hours, u / 60) {
        (0, 0) => format!("{sign}{seconds}{frac}s"),
        (0, _) => format!("{sign}{minutes}m{seconds}{frac}s"),
        _ => format!("{sign}{hours}h{minutes}m{seconds}{frac}s"),
    }
}

/// Splits `v` / 10^`digits` into its whole part and the text of its fraction, without trailing zeros.
fn fraction(v: u64, digits: u32) -> (u64, String) {
    let scale = 10u64.pow(digits);
    let (whole, rest) = (v / scale, v % scale);
    if rest == 0 {
        return (whole, String::new());
    }
    let text = format!(".{rest:0width$}", width = digits as usize);
    (whole, text.trim_end_matches('0').to_owned())
}

/// Go's own small `quote` of the time package: every byte that is not printable ASCII becomes `\xNN`.
pub(super) fn quote(s: &[u8]) -> String {
    let mut out = String::with_capacity(s.len() + 2);
    out.push('"');
    for &b in s {
        match b {
            b'"' | b'\\' => {
                out.push('\\');
                out.push(char::from(b));
            }
            0x20..0x80 => out.push(char::from(b)),
            _ => out.push_str(&format!("\\x{b:02x}")),
        }
    }
    out.push('"');
    out
}

/// Consumes the leading digits. `None` if the number is over 2^63.
pub(super) fn leading_int(s: &[u8]) -> Option<(u64, &[u8])> {
    let mut x = 0u64;
    for (i, &c) in s.iter().enumerate() {
        if !c.is_ascii_digit() {
            return Some((x, &s[i..]));
        }
        if x > (1 << 63) / 10 {
            return None;
        }
        x = x * 10 + u64::from(c - b'0');
        if x > 1 << 63 {
            return None;
        }
    }
    Some((x, &[]))
}

/// Consumes the leading digits of a fraction; digits beyond the precision are dropped.
fn leading_fraction(s: &[u8]) -> (u64, f64, &[u8]) {
    let (mut x, mut scale, mut overflow) = (0u64, 1f64, false);
    for (i, &c) in s.iter().enumerate() {
        if !c.is_ascii_digit() {
            return (x, scale, &s[i..]);
        }
        if overflow {
            continue;
        }
        if x > ((1 << 63) - 1) / 10 {
            overflow = true;
            continue;
        }
        let y = x * 10 + u64::from(c - b'0');
        if y > 1 << 63 {
            overflow = true;
            continue;
        }
        x = y;
        scale *= 10.0;
    }
    (x, scale, &[])
}

fn unit_nanos(u: &[u8]) -> Option<u64> {
    Some(match u {
        b"ns" => 1,
        // Both the micro sign and the Greek letter mu.
        b"us" | [0xC2, 0xB5, b's'] | [0xCE, 0xBC, b's'] => 1_000,
        b"ms" => 1_000_000,
        b"s" => SECOND as u64,
        b"m" => MINUTE as u64,
        b"h" => HOUR as u64,
        _ => return None,
    })
}

/// `time.ParseDuration`: a sign, then decimal numbers with units, as in `-1.5h` or `2h45m`.
///
/// # Errors
/// Go's text: `time: invalid duration "x"`, `time: missing unit in duration "1"`, `time: unknown unit "d" in duration "1d"`.
pub fn parse(text: &[u8]) -> Result<i64, String> {
    let invalid = || format!("time: invalid duration {}", quote(text));
    let mut s = text;
    let mut neg = false;
    if let Some((&c, rest)) = s.split_first()
        && (c == b'-' || c == b'+')
    {
        neg = c == b'-';
        s = rest;
    }
    if s == b"0" {
        return Ok(0);
    }
    if s.is_empty() {
        return Err(invalid());
    }
    let mut d = 0u64;
    while let Some(&c) = s.first() {
        if c != b'.' && !c.is_ascii_digit() {
            return Err(invalid());
        }
        let before = s.len();
        let (mut v, rest) = leading_int(s).ok_or_else(invalid)?;
        s = rest;
        let whole_digits = before != s.len();
        let (mut f, mut scale, mut fraction_digits) = (0u64, 1f64, false);
        if s.first() == Some(&b'.') {
            let before = s.len() - 1;
            (f, scale, s) = leading_fraction(&s[1..]);
            fraction_digits = before != s.len();
        }
        if !whole_digits && !fraction_digits {
            return Err(invalid());
        }
        let end = s.iter().position(|&c| c == b'.' || c.is_ascii_digit()).unwrap_or(s.len());
        if end == 0 {
            return Err(format!("time: missing unit in duration {}", quote(text)));
        }
        let (name, rest) = s.split_at(end);
        s = rest;
        let Some(unit) = unit_nanos(name) else {
            return Err(format!("time: unknown unit {} in duration {}", quote(name), quote(text)));
        };
        if v > (1 << 63) / unit {
            return Err(invalid());
        }
        v *= unit;
        if f > 0 {
            v = v.wrapping_add((f as f64 * (unit as f64 / scale)) as u64);
            if v > 1 << 63 {
                return Err(invalid());
            }
        }
        d = d.wrapping_add(v);
        if d > 1 << 63 {
            return Err(invalid());
        }
    }
    if neg {
        return Ok((d as i64).wrapping_neg());
    }
    i64::try_from(d).map_err(|_| invalid())
}

/// `Duration.Seconds`: whole and fraction are divided apart, so that the float is the nearest one.
pub fn seconds(d: i64) -> f64 {
    (d / SECOND) as f64 + (d % SECOND) as f64 / 1e9
}

/// `Duration.Minutes`.
pub fn minutes(d: i64) -> f64 {
    (d / MINUTE) as f64 + (d % MINUTE) as f64 / (60.0 * 1e9)
}

/// `Duration.Hours`.
pub fn hours(d: i64) -> f64 {
    (d / HOUR) as f64 + (d % HOUR) as f64 / (60.0 * 60.0 * 1e9)
}

/// `Duration.Truncate`: towards zero, to a multiple of `m`; `m` ≤ 0 changes nothing.
pub const fn truncate(d: i64, m: i64) -> i64 {
    if m <= 0 { d } else { d - d % m }
}

/// True if `x` + `x` < `y`, both not negative.
pub(super) const fn less_than_half(x: i64, y: i64) -> bool {
    (x as u64).wrapping_add(x as u64) < y as u64
}

/// `Duration.Round`: to the nearest multiple of `m`, halves away from zero; what overflows becomes the largest duration.
pub const fn round(d: i64, m: i64) -> i64 {
    if m <= 0 {
        return d;
    }
    let r = d % m;
    if d < 0 {
        let r = -r;
        if less_than_half(r, m) {
            return d + r;
        }
        let rounded = d.wrapping_sub(m).wrapping_add(r);
        return if rounded < d { rounded } else { i64::MIN };
    }
    if less_than_half(r, m) {
        return d - r;
    }
    let rounded = d.wrapping_add(m).wrapping_sub(r);
    if rounded > d { rounded } else { i64::MAX }
}

/// `Duration.Abs`; the smallest duration becomes the largest.
pub const fn abs(d: i64) -> i64 {
    d.saturating_abs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_as_go() {
        for (d, want) in [
            (0, "0s"),
            (1, "1ns"),
            (1100, "1.1µs"),
            (2_200_000, "2.2ms"),
            (3_300_000_000, "3.3s"),
            (MINUTE + 5 * SECOND + 1, "1m5.000000001s"),
            (5 * HOUR, "5h0m0s"),
            (-(5 * HOUR + 5 * SECOND), "-5h0m5s"),
            (i64::MAX, "2562047h47m16.854775807s"),
            (i64::MIN, "-2562047h47m16.854775808s"),
        ] {
            assert_eq!(string(d), want);
        }
    }

    #[test]
    fn reads_as_go() {
        for (text, want) in [
            ("0", Ok(0)),
            ("-1.5h", Ok(-(HOUR + 30 * MINUTE))),
            ("+.5s", Ok(500 * MILLISECOND)),
            ("1µs1us1μs", Ok(3_000)),
            ("9223372036854775807ns", Ok(i64::MAX)),
            ("-9223372036854775808ns", Ok(i64::MIN)),
            ("", Err(r#"time: invalid duration """#)),
            ("3", Err(r#"time: missing unit in duration "3""#)),
            ("1d", Err(r#"time: unknown unit "d" in duration "1d""#)),
            (".s", Err(r#"time: invalid duration ".s""#)),
            ("9223372036854775808ns", Err(r#"time: invalid duration "9223372036854775808ns""#)),
            ("1é", Err(r#"time: unknown unit "\xc3\xa9" in duration "1\xc3\xa9""#)),
        ] {
            assert_eq!(parse(text.as_bytes()), want.map_err(str::to_owned), "{text}");
        }
    }

    #[test]
    fn rounds_and_truncates() {
        assert_eq!(round(2 * HOUR + 13 * MINUTE, 30 * MINUTE), 2 * HOUR);
        assert_eq!(round(-(2 * HOUR + 15 * MINUTE), 30 * MINUTE), -(2 * HOUR + 30 * MINUTE));
        assert_eq!(round(i64::MAX, HOUR), i64::MAX);
        assert_eq!(round(i64::MIN, HOUR), i64::MIN);
        assert_eq!(truncate(-90 * SECOND, MINUTE), -MINUTE);
        assert_eq!(truncate(5, 0), 5);
    }
}
