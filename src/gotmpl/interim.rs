//! Stands in for `golang::strconv` and `golang::unicode` until they are there; simple, and exact only for plain text.

pub(crate) mod strconv {
    pub fn is_print(r: char) -> bool {
        !r.is_control() && r != '\u{a0}'
    }
    pub fn quote(s: &[u8]) -> String {
        let mut o = String::from("\"");
        for c in String::from_utf8_lossy(s).chars() {
            match c {
                '"' => o.push_str("\\\""),
                '\\' => o.push_str("\\\\"),
                '\n' => o.push_str("\\n"),
                '\t' => o.push_str("\\t"),
                '\r' => o.push_str("\\r"),
                c if c.is_control() => o.push_str(&format!("\\x{:02x}", c as u32)),
                c => o.push(c),
            }
        }
        o.push('"');
        o
    }
    pub fn parse_float(s: &str) -> Result<f64, String> {
        let fail = |why: &str| format!("strconv.ParseFloat: parsing \"{s}\": {why}");
        if let Some(hex) = s.strip_prefix("0x") {
            let (m, e) = hex.split_once('p').ok_or_else(|| fail("invalid syntax"))?;
            let (int, frac) = m.split_once('.').unwrap_or((m, ""));
            let digits = i64::from_str_radix(&format!("{int}{frac}"), 16).map_err(|_| fail("invalid syntax"))?;
            let exp: i32 = e.parse().map_err(|_| fail("invalid syntax"))?;
            return Ok(digits as f64 * 2f64.powi(exp.saturating_sub(4 * frac.len() as i32)));
        }
        match s.parse::<f64>() {
            Ok(f) if f.is_finite() => Ok(f),
            Ok(_) => Err(fail("value out of range")),
            Err(_) => Err(fail("invalid syntax")),
        }
    }
    fn base(s: &str) -> (u32, String, bool) {
        let (b, r) = if let Some(r) = s.strip_prefix("0x").or(s.strip_prefix("0X")) {
            (16, r)
        } else if let Some(r) = s.strip_prefix("0b").or(s.strip_prefix("0B")) {
            (2, r)
        } else if let Some(r) = s.strip_prefix("0o").or(s.strip_prefix("0O")) {
            (8, r)
        } else if s.len() > 1 && s.starts_with('0') {
            (8, &s[1..])
        } else {
            (10, s)
        };
        let bad = r.contains("__") || r.ends_with('_');
        (b, r.replace('_', ""), bad)
    }
    pub fn parse_uint(s: &str, _: u32, _: u32) -> Result<u64, String> {
        let (b, r, bad) = base(s);
        if bad || r.starts_with('+') {
            return Err("x".into());
        }
        u64::from_str_radix(&r, b).map_err(|e| e.to_string())
    }
    pub fn parse_int(s: &str, _: u32, _: u32) -> Result<i64, String> {
        let (neg, t) = match s.strip_prefix('-') {
            Some(t) => (true, t),
            None => (false, s.strip_prefix('+').unwrap_or(s)),
        };
        let u = parse_uint(t, 0, 64)? as i128;
        let v = if neg { -u } else { u };
        i64::try_from(v).map_err(|e| e.to_string())
    }
    pub fn format_float(f: f64, _: u8, _: i32, _: u32) -> String {
        format!("{f}")
    }
}

pub(super) mod unicode {
    pub fn is_letter(c: char) -> bool {
        c.is_alphabetic()
    }
    pub fn is_digit(c: char) -> bool {
        c.is_ascii_digit()
    }
    pub fn decode_rune(s: &[u8]) -> (char, usize) {
        let n = s.len().min(4);
        for k in 1..=n {
            if let Ok(t) = std::str::from_utf8(&s[..k])
                && let Some(c) = t.chars().next()
            {
                return (c, k);
            }
        }
        ('\u{fffd}', usize::from(!s.is_empty()))
    }
}
