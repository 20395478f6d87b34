//! Floats as Go's `strconv.FormatFloat` and encoding/json write them.

/// Shortest digits that give the number back, and the decimal exponent of the first.
fn digits(scientific: &str) -> (bool, String, i32) {
    let (negative, s) = scientific.strip_prefix('-').map_or((false, scientific), |s| (true, s));
    let (mantissa, exp) = s.split_once('e').unwrap_or((s, "0"));
    (negative, mantissa.replace('.', ""), exp.parse().unwrap_or(0))
}

fn exponent_form(negative: bool, digits: &str, exp: i32, two: bool) -> String {
    let mut out = String::with_capacity(digits.len() + 8);
    if negative {
        out.push('-');
    }
    out.push_str(&digits[..1]);
    if digits.len() > 1 {
        out.push('.');
        out.push_str(&digits[1..]);
    }
    out.push('e');
    out.push(if exp < 0 { '-' } else { '+' });
    let e = exp.unsigned_abs();
    if two && e < 10 {
        out.push('0');
    }
    out.push_str(&e.to_string());
    out
}

fn decimal_form(negative: bool, digits: &str, exp: i32) -> String {
    let mut out = String::with_capacity(digits.len() + 8);
    if negative {
        out.push('-');
    }
    let point = exp + 1;
    if point <= 0 {
        out.push_str("0.");
        for _ in 0..-point {
            out.push('0');
        }
        out.push_str(digits);
        return out;
    }
    let point = usize::try_from(point).unwrap_or(0);
    if digits.len() <= point {
        out.push_str(digits);
        for _ in digits.len()..point {
            out.push('0');
        }
    } else {
        out.push_str(&digits[..point]);
        out.push('.');
        out.push_str(&digits[point..]);
    }
    out
}

fn general(scientific: &str) -> String {
    let (negative, digits, exp) = digits(scientific);
    if !(-4..6).contains(&exp) {
        return exponent_form(negative, &digits, exp, true);
    }
    decimal_form(negative, &digits, exp)
}

fn special(f: f64) -> Option<&'static str> {
    if f.is_nan() {
        return Some("NaN");
    }
    f.is_infinite().then_some(if f > 0.0 { "+Inf" } else { "-Inf" })
}

/// `strconv.FormatFloat(f, 'g', -1, 64)`
pub fn go_float(f: f64) -> String {
    special(f).map_or_else(|| general(&format!("{f:e}")), Into::into)
}

/// `strconv.FormatFloat(f, 'g', -1, 32)`: what sigs.k8s.io/yaml makes of float keys, and of floats where a string is wanted.
pub fn go_float32(f: f64) -> String {
    let f32 = f as f32;
    special(f64::from(f32)).map_or_else(|| general(&format!("{f32:e}")), Into::into)
}

/// A finite float in encoding/json's form.
pub fn json_float(f: f64) -> String {
    let (negative, digits, exp) = digits(&format!("{f:e}"));
    if f != 0.0 && !(-6..21).contains(&exp) {
        return exponent_form(negative, &digits, exp, false);
    }
    decimal_form(negative, &digits, exp)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_go_writes_them() {
        for (f, g, g32, json) in [
            (0.0, "0", "0", "0"),
            (-0.0, "-0", "-0", "-0"),
            (1.5, "1.5", "1.5", "1.5"),
            (100000.0, "100000", "100000", "100000"),
            (1e6, "1e+06", "1e+06", "1000000"),
            (123456789.0, "1.23456789e+08", "1.2345679e+08", "123456789"),
            (1e20, "1e+20", "1e+20", "100000000000000000000"),
            (1e21, "1e+21", "1e+21", "1e+21"),
            (1e-4, "0.0001", "0.0001", "0.0001"),
            (1e-5, "1e-05", "1e-05", "0.00001"),
            (1e-7, "1e-07", "1e-07", "1e-7"),
            (0.1, "0.1", "0.1", "0.1"),
            (1e300, "1e+300", "+Inf", "1e+300"),
            (f64::NAN, "NaN", "NaN", ""),
        ] {
            assert_eq!(go_float(f), g);
            assert_eq!(go_float32(f), g32);
            if f.is_finite() {
                assert_eq!(json_float(f), json);
            }
        }
    }
}
