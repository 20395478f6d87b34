//! `format`: what the library checks and what it says.
//!
//! A port of `format.go` of santhosh-tekuri/jsonschema 6.0.3.

use super::location::decode;
use crate::golang::netip;
use crate::golang::regexp::Regexp;
use crate::golang::strconv::{atoi, quote_rune};
use crate::golang::time::{Location, parse_in_location};
use crate::golang::url::Url;

type Check = Result<(), String>;

/// A format's name, and its check.
type Format = (&'static str, fn(&str) -> Check);

const FORMATS: &[Format] = &[
    ("regex", |s| Regexp::cached(s.as_bytes()).map(|_| ())),
    ("json-pointer", json_pointer),
    ("relative-json-pointer", relative_json_pointer),
    ("uuid", uuid),
    ("duration", duration),
    ("period", period),
    ("ipv4", ipv4),
    ("ipv6", ipv6),
    ("hostname", hostname),
    ("email", email),
    ("date", date),
    ("time", time),
    ("date-time", date_time),
    ("uri", uri),
    ("iri", uri),
    ("uri-reference", uri_reference),
    ("iri-reference", uri_reference),
    ("uri-template", uri_template),
    ("semver", semver),
];

/// The format's name, if it is one that is checked.
pub(super) fn known(name: &str) -> Option<&'static str> {
    FORMATS.iter().find(|(n, _)| *n == name).map(|(n, _)| *n)
}

/// `Err` is what is wrong.
pub(super) fn check(name: &str, text: &str) -> Check {
    FORMATS.iter().find(|(n, _)| *n == name).map_or(Ok(()), |(_, check)| check(text))
}

fn fail(message: &str) -> Check {
    Err(message.into())
}

/// The first digits and what follows them.
fn digits(s: &str) -> (&str, &str) {
    s.split_at(s.bytes().take_while(u8::is_ascii_digit).count())
}

fn json_pointer(s: &str) -> Check {
    if s.is_empty() {
        return Ok(());
    }
    if !s.starts_with('/') {
        return fail("not starting with /");
    }
    for token in s.split('/').skip(1) {
        let mut chars = token.chars();
        while let Some(c) = chars.next() {
            if c == '~' && !matches!(chars.next(), Some('0' | '1')) {
                return fail("~ must be followed by 0 or 1");
            }
        }
    }
    Ok(())
}

fn relative_json_pointer(s: &str) -> Check {
    let (number, rest) = digits(s);
    if number.is_empty() {
        return fail("must start with non-negative integer");
    }
    if number.len() > 1 && number.starts_with('0') {
        return fail("starts with zero");
    }
    if rest == "#" { Ok(()) } else { json_pointer(rest) }
}

fn uuid(s: &str) -> Check {
    const SIZES: [usize; 5] = [8, 4, 4, 4, 12];
    let groups: Vec<&str> = s.split('-').collect();
    if groups.len() != SIZES.len() {
        return fail("must have 5 elements");
    }
    for (i, (group, size)) in groups.iter().zip(SIZES).enumerate() {
        if group.len() != size {
            return Err(format!("element {} must be {size} characters long", i + 1));
        }
        if let Some(c) = group.chars().find(|c| !c.is_ascii_hexdigit()) {
            return Err(format!("non-hex character {}", quote_rune(c)));
        }
    }
    Ok(())
}

fn duration(s: &str) -> Check {
    let Some(s) = s.strip_prefix('P') else {
        return fail("must start with P");
    };
    if s.is_empty() {
        return fail("nothing after P");
    }
    if let Some(weeks) = s.strip_suffix('W') {
        if weeks.is_empty() {
            return fail("no number in week");
        }
        return if weeks.bytes().all(|b| b.is_ascii_digit()) { Ok(()) } else { fail("invalid week") };
    }
    for (i, part) in s.split('T').enumerate() {
        if i != 0 && part.is_empty() {
            return fail("no time elements");
        }
        let Some(all) = ["YMD", "HMS"].get(i) else {
            return fail("more than one T");
        };
        let (mut units, mut rest) = (*all, part);
        while !rest.is_empty() {
            let (number, after) = digits(rest);
            if number.is_empty() {
                return fail("missing number");
            }
            let Some(&unit) = after.as_bytes().first() else {
                return fail("missing unit");
            };
            // A byte, also of a longer character.
            let shown = quote_rune(char::from(unit));
            match units.bytes().position(|u| u == unit) {
                Some(j) => (units, rest) = (&units[j + 1..], &after[1..]),
                None if all.bytes().any(|u| u == unit) => return Err(format!("unit {shown} out of order")),
                None => return Err(format!("invalid unit {shown}")),
            }
        }
    }
    Ok(())
}

fn ipv4(s: &str) -> Check {
    let groups: Vec<&str> = s.split('.').collect();
    if groups.len() != 4 {
        return fail("expected four decimals");
    }
    for group in groups {
        if group.len() > 1 && group.starts_with('0') {
            return fail("leading zeros");
        }
        let n = atoi(group).map_err(|e| e.to_string())?;
        if !(0..=255).contains(&n) {
            return fail("decimal must be between 0 and 255");
        }
    }
    Ok(())
}

fn ipv6(s: &str) -> Check {
    if !s.contains(':') {
        return fail("missing colon");
    }
    let family = netip::parse(s.as_bytes())?;
    if matches!(family, netip::Family::V6) && s.contains('%') {
        return fail("zone id is not a part of ipv6 address");
    }
    Ok(())
}

fn hostname(s: &str) -> Check {
    let s = s.strip_suffix('.').unwrap_or(s);
    if s.len() > 253 {
        return fail("more than 253 characters long");
    }
    for label in s.split('.') {
        if label.is_empty() || label.len() > 63 {
            return fail("label must be 1 to 63 characters long");
        }
        if label.starts_with('-') {
            return fail("label starts with hyphen");
        }
        if label.ends_with('-') {
            return fail("label ends with hyphen");
        }
        if let Some(c) = label.chars().find(|c| !c.is_ascii_alphanumeric() && *c != '-') {
            return Err(format!("invalid character {}", quote_rune(c)));
        }
    }
    Ok(())
}

fn email(s: &str) -> Check {
    if s.len() > 254 {
        return fail("more than 255 characters long");
    }
    let Some((local, domain)) = s.rsplit_once('@') else {
        return fail("missing @");
    };
    if local.len() > 64 {
        return fail("local part more than 64 characters long");
    }
    if let Some(quoted) = local.strip_prefix('"').and_then(|l| l.strip_suffix('"')) {
        if quoted.contains(['\\', '"']) {
            return fail("backslash and quote are not allowed within quoted local part");
        }
    } else {
        if local.starts_with('.') {
            return fail("starts with dot");
        }
        if local.ends_with('.') {
            return fail("ends with dot");
        }
        if local.contains("..") {
            return fail("consecutive dots");
        }
        let allowed = |c: &char| c.is_ascii_alphanumeric() || ".!#$%&'*+-/=?^_`{|}~".contains(*c);
        if let Some(c) = local.chars().find(|c| !allowed(c)) {
            return Err(format!("invalid character {}", quote_rune(c)));
        }
    }
    if let Some(address) = domain.strip_prefix('[').and_then(|d| d.strip_suffix(']')) {
        return match address.strip_prefix("IPv6:") {
            Some(v6) => ipv6(v6).map_err(|e| format!("invalid ipv6 address: {e}")),
            None => ipv4(address).map_err(|e| format!("invalid ipv4 address: {e}")),
        };
    }
    hostname(domain).map_err(|e| format!("invalid domain: {e}"))
}

fn date(s: &str) -> Check {
    parse_in_location(b"2006-01-02", s.as_bytes(), &Location::utc()).map(|_| ())
}

/// Two digits as Go's `Atoi` reads them, a sign included.
fn two_digits(s: &[u8], what: &str) -> Result<i64, String> {
    let n = std::str::from_utf8(s).ok().and_then(|s| atoi(s).ok()).ok_or_else(|| format!("invalid hour/min{what}"))?;
    if n < 0 { Err(format!("non-positive hour/min{what}")) } else { Ok(n) }
}

fn time(text: &str) -> Check {
    let b = text.as_bytes();
    if b.len() < 9 {
        return fail("less than 9 characters long");
    }
    if b[2] != b':' || b[5] != b':' {
        return fail("missing colon in correct place");
    }
    let (mut h, mut m) = (two_digits(&b[..2], "/sec")?, two_digits(&b[3..5], "/sec")?);
    let s = two_digits(&b[6..8], "/sec")?;
    if h > 23 || m > 59 || s > 60 {
        return fail("hour/min/sec out of range");
    }
    let mut rest = &b[8..];
    if let Some(fraction) = rest.strip_prefix(b".") {
        let n = fraction.iter().take_while(|c| c.is_ascii_digit()).count();
        if n == 0 {
            return fail("no digits in second fraction");
        }
        rest = &fraction[n..];
    }
    if !rest.eq_ignore_ascii_case(b"z") {
        if rest.len() != 6 {
            return fail("offset must be 6 characters long");
        }
        let sign = match rest[0] {
            b'+' => -1,
            b'-' => 1,
            _ => return fail("offset must begin with plus/minus"),
        };
        if rest[3] != b':' {
            return fail("missing colon in offset in correct place");
        }
        let (zh, zm) = (two_digits(&rest[1..3], " in offset")?, two_digits(&rest[4..6], " in offset")?);
        if zh > 23 || zm > 59 {
            return fail("hour/min in offset out of range");
        }
        let mut minutes = (h * 60 + m) + sign * (zh * 60 + zm);
        if minutes < 0 {
            minutes += 24 * 60;
        }
        (h, m) = (minutes / 60, minutes % 60);
    }
    if s >= 60 && (h != 23 || m != 59) {
        return fail("invalid leap second");
    }
    Ok(())
}

fn date_time(s: &str) -> Check {
    if s.len() < 20 {
        return fail("less than 20 characters long");
    }
    let b = s.as_bytes();
    if !b[10].eq_ignore_ascii_case(&b't') {
        return fail("11th character must be t or T");
    }
    // An ASCII byte starts a character, so these cannot split one.
    let (day, clock) = (s.get(..10).unwrap_or_default(), s.get(11..).unwrap_or_default());
    date(day).map_err(|e| format!("invalid date element: {e}"))?;
    time(clock).map_err(|e| format!("invalid time element: {e}"))
}

fn parse_url(s: &str) -> Result<Url, String> {
    let url = Url::parse(s.as_bytes())?;
    let host = url.hostname();
    if host.contains(&b':') {
        if !url.host.contains(&b'[') || !url.host.contains(&b']') {
            return Err("ipv6 address not enclosed in brackets".into());
        }
        ipv6(&String::from_utf8_lossy(host)).map_err(|e| format!("invalid ipv6 address: {e}"))?;
    }
    Ok(url)
}

fn uri(s: &str) -> Check {
    if parse_url(s)?.is_abs() { Ok(()) } else { fail("relative url") }
}

fn uri_reference(s: &str) -> Check {
    if s.contains('\\') {
        return fail("contains \\");
    }
    parse_url(s).map(|_| ())
}

fn uri_template(s: &str) -> Check {
    let url = parse_url(s)?;
    for token in String::from_utf8_lossy(&url.raw_path).split('/') {
        let token = decode(token).map_err(|e| format!("percent decode failed: {e}"))?;
        let mut inside = false;
        for c in token.chars().filter(|c| matches!(c, '{' | '}')) {
            if (c == '{') == inside {
                return fail("nested curly braces");
            }
            inside = !inside;
        }
        if inside {
            return fail("no matching closing brace");
        }
    }
    Ok(())
}

fn period(s: &str) -> Check {
    let Some((start, end)) = s.split_once('/') else {
        return fail("missing slash");
    };
    if start.starts_with('P') {
        duration(start).map_err(|e| format!("invalid start duration: {e}"))?;
        return date_time(end).map_err(|e| format!("invalid end date-time: {e}"));
    }
    date_time(start).map_err(|e| format!("invalid start date-time: {e}"))?;
    if end.starts_with('P') {
        duration(end).map_err(|e| format!("invalid end duration: {e}"))
    } else {
        date_time(end).map_err(|e| format!("invalid end date-time: {e}"))
    }
}

fn semver(s: &str) -> Check {
    let identifier = |c: &char| c.is_ascii_alphanumeric() || *c == '-';
    let (s, build) = s.split_once('+').map_or((s, None), |(s, b)| (s, Some(b)));
    if let Some(build) = build {
        if build.is_empty() {
            return fail("build is empty");
        }
        for id in build.split('.') {
            if id.is_empty() {
                return fail("build identifier is empty");
            }
            if let Some(c) = id.chars().find(|c| !identifier(c)) {
                return Err(format!("invalid character {} in build identifier", quote_rune(c)));
            }
        }
    }
    let (core, pre) = s.split_once('-').map_or((s, None), |(s, p)| (s, Some(p)));
    for id in pre.into_iter().flat_map(|p| p.split('.')) {
        if id.is_empty() {
            return fail("pre-release identifier is empty");
        }
        if let Some(c) = id.chars().find(|c| !identifier(c)) {
            return Err(format!("invalid character {} in pre-release identifier", quote_rune(c)));
        }
        if id.len() > 1 && id.starts_with('0') && id.bytes().all(|b| b.is_ascii_digit()) {
            return fail("pre-release numeric identifier starts with zero");
        }
    }
    let versions: Vec<&str> = core.split('.').collect();
    if versions.len() != 3 {
        return fail("versionCore must have 3 numbers separated by dot");
    }
    for (version, name) in versions.iter().zip(["major", "minor", "patch"]) {
        if version.is_empty() {
            return Err(format!("{name} is empty"));
        }
        if version.len() > 1 && version.starts_with('0') {
            return Err(format!("{name} starts with zero"));
        }
        if !version.bytes().all(|b| b.is_ascii_digit()) {
            return Err(format!("{name} contains non-digit"));
        }
    }
    Ok(())
}
