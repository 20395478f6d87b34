//! IP addresses as Go's `net/netip` reads them, with its error texts.

use super::strconv::quote;

/// What kind of address a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    V4,
    V6,
}

/// Reads an address as `netip.ParseAddr` does (a zone after `%` is allowed for IPv6).
///
/// # Errors
/// The text of Go's error: `ParseAddr("x"): unable to parse IP`.
pub fn parse(s: &[u8]) -> Result<Family, String> {
    match s.iter().find(|b| matches!(b, b'.' | b':' | b'%')) {
        Some(b'.') => v4(s, s).map(|()| Family::V4),
        Some(b':') => v6(s).map(|()| Family::V6),
        Some(_) => Err(error(s, "missing IPv6 address", b"")),
        None => Err(error(s, "unable to parse IP", b"")),
    }
}

fn error(input: &[u8], msg: &str, at: &[u8]) -> String {
    let input = quote(input);
    if at.is_empty() {
        format!("ParseAddr({input}): {msg}")
    } else {
        format!("ParseAddr({input}): {msg} (at {})", quote(at))
    }
}

/// Four decimal fields, which are `s`, the end of `input`.
fn v4(input: &[u8], s: &[u8]) -> Result<(), String> {
    let (mut val, mut fields, mut digits) = (0u32, 0, 0);
    for (i, &b) in s.iter().enumerate() {
        if b.is_ascii_digit() {
            if digits == 1 && val == 0 {
                return Err(error(input, "IPv4 field has octet with leading zero", b""));
            }
            val = val * 10 + u32::from(b - b'0');
            digits += 1;
            if val > 255 {
                return Err(error(input, "IPv4 field has value >255", b""));
            }
        } else if b == b'.' {
            if i == 0 || i + 1 == s.len() || s[i - 1] == b'.' {
                return Err(error(input, "IPv4 field must have at least one digit", &s[i..]));
            }
            if fields == 3 {
                return Err(error(input, "IPv4 address too long", b""));
            }
            fields += 1;
            (val, digits) = (0, 0);
        } else {
            return Err(error(input, "unexpected character", &s[i..]));
        }
    }
    if fields < 3 { Err(error(input, "IPv4 address too short", b"")) } else { Ok(()) }
}

fn v6(input: &[u8]) -> Result<(), String> {
    let fail = |msg, at: &[u8]| Err(error(input, msg, at));
    let mut s = input;
    if let Some(i) = s.iter().position(|b| *b == b'%') {
        if i + 1 == s.len() {
            return fail("zone must be a non-empty string", b"");
        }
        s = &s[..i];
    }
    let mut ellipsis = false;
    if let Some(rest) = s.strip_prefix(b"::") {
        ellipsis = true;
        s = rest;
        if s.is_empty() {
            return Ok(());
        }
    }
    let mut bytes = 0;
    while bytes < 16 {
        let digits = s.iter().take_while(|b| b.is_ascii_hexdigit()).count();
        if digits > 4 {
            return fail("each group must have 4 or less digits", s);
        }
        if digits == 0 {
            return fail("each colon-separated field must have at least one digit", s);
        }
        if s.get(digits) == Some(&b'.') {
            if !ellipsis && bytes != 12 {
                return fail("embedded IPv4 address must replace the final 2 fields of the address", s);
            }
            if bytes + 4 > 16 {
                return fail("too many hex fields to fit an embedded IPv4 at the end of the address", s);
            }
            v4(input, s)?;
            s = &[];
            bytes += 4;
            break;
        }
        bytes += 2;
        s = &s[digits..];
        match s {
            [] => break,
            [b':'] => return fail("colon must be followed by more characters", s),
            [b':', rest @ ..] => s = rest,
            _ => return fail("unexpected character, want colon", s),
        }
        if s[0] == b':' {
            if ellipsis {
                return fail("multiple :: in address", s);
            }
            ellipsis = true;
            s = &s[1..];
            if s.is_empty() {
                break;
            }
        }
    }
    if !s.is_empty() {
        return fail("trailing garbage after address", s);
    }
    match (bytes < 16, ellipsis) {
        (true, false) => fail("address string too short", b""),
        (false, true) => fail("the :: must expand to at least one field of zeros", b""),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (s, want) in [
            ("1.2.3.4", Ok(Family::V4)),
            ("::", Ok(Family::V6)),
            ("fe80::1%eth0", Ok(Family::V6)),
            ("::ffff:1.2.3.4", Ok(Family::V6)),
            ("1.2.3", Err(r#"ParseAddr("1.2.3"): IPv4 address too short"#)),
            ("1:2", Err(r#"ParseAddr("1:2"): address string too short"#)),
            ("x", Err(r#"ParseAddr("x"): unable to parse IP"#)),
            ("1::2::3", Err(r#"ParseAddr("1::2::3"): multiple :: in address (at ":3")"#)),
            ("12345::", Err(r#"ParseAddr("12345::"): each group must have 4 or less digits (at "12345::")"#)),
        ] {
            assert_eq!(parse(s.as_bytes()), want.map_err(String::from), "{s}");
        }
    }
}
