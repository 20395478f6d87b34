//! Reading times by a layout, with Go's leniency and Go's error texts.
//!
//! Ported from Go 1.26 `time.ParseInLocation` (`time/format.go`, `time/format_rfc3339.go`).

use super::layout::{Chunk, OffsetForm, RFC3339, RFC3339_NANO, next_chunk};
use super::{Location, MONTHS, Time, WEEKDAYS, days_before, days_in, is_leap};
use crate::golang::duration::{leading_int, quote};

/// Why a field could not be read.
enum Bad {
    /// `cannot parse "…" as "…"`
    Value,
    /// `…: month out of range`
    Range(&'static str),
}

type Field<'a, T> = Result<(T, &'a [u8]), Bad>;

fn digit(s: &[u8], i: usize) -> Option<i64> {
    s.get(i).filter(|c| c.is_ascii_digit()).map(|c| i64::from(c - b'0'))
}

/// One or two digits; exactly two if `fixed`.
fn number(s: &[u8], fixed: bool) -> Field<'_, i64> {
    match (digit(s, 0), digit(s, 1)) {
        (Some(a), Some(b)) => Ok((a * 10 + b, &s[2..])),
        (Some(a), None) if !fixed => Ok((a, &s[1..])),
        _ => Err(Bad::Value),
    }
}

fn number3(s: &[u8], fixed: bool) -> Field<'_, i64> {
    let n = s.iter().take(3).take_while(|c| c.is_ascii_digit()).count();
    if n == 0 || fixed && n != 3 {
        return Err(Bad::Value);
    }
    Ok((s[..n].iter().fold(0, |x, c| x * 10 + i64::from(c - b'0')), &s[n..]))
}

/// The time package's own `atoi`: a sign is allowed.
fn atoi(s: &[u8]) -> Result<i64, Bad> {
    let (neg, digits) = match s.split_first() {
        Some((b'-', rest)) => (true, rest),
        Some((b'+', rest)) => (false, rest),
        _ => (false, s),
    };
    match leading_int(digits) {
        Some((n, [])) => Ok(if neg { (n as i64).wrapping_neg() } else { n as i64 }),
        _ => Err(Bad::Value),
    }
}

/// Names compare without regard to ASCII case; `short` looks at their first three letters.
fn name<'a>(table: &[&str], short: bool, s: &'a [u8]) -> Field<'a, i64> {
    for (i, full) in table.iter().enumerate() {
        let want = if short { &full.as_bytes()[..3] } else { full.as_bytes() };
        if s.len() >= want.len() && s[..want.len()].eq_ignore_ascii_case(want) {
            return Ok((i as i64, &s[want.len()..]));
        }
    }
    Err(Bad::Value)
}

fn cut_space(mut s: &[u8]) -> &[u8] {
    while let Some((b' ', rest)) = s.split_first() {
        s = rest;
    }
    s
}

/// Skips literal text: runs of spaces match runs of spaces. The error is what was left.
fn skip<'a>(mut value: &'a [u8], mut prefix: &[u8]) -> Result<&'a [u8], &'a [u8]> {
    while let Some((&p, rest)) = prefix.split_first() {
        if p == b' ' {
            if value.first().is_some_and(|&c| c != b' ') {
                return Err(value);
            }
            prefix = cut_space(prefix);
            value = cut_space(value);
            continue;
        }
        match value.split_first() {
            Some((&c, after)) if c == p => {
                prefix = rest;
                value = after;
            }
            _ => return Err(value),
        }
    }
    Ok(value)
}

/// A point or comma and `n` - 1 digits, as nanoseconds.
fn fraction(value: &[u8], n: usize) -> Result<i64, Bad> {
    if !matches!(value.first(), Some(b'.' | b',')) {
        return Err(Bad::Value);
    }
    let n = n.min(10);
    let ns = atoi(value.get(1..n).ok_or(Bad::Value)?)?;
    if ns < 0 {
        return Err(Bad::Range("fractional second"));
    }
    Ok(ns * 10i64.pow(10 - n as u32))
}

/// A sign and a number up to 23: its length, or 0.
fn signed_offset(s: &[u8]) -> usize {
    let Some((b'-' | b'+', digits)) = s.split_first() else { return 0 };
    match leading_int(digits) {
        Some((n, rest)) if rest.len() != digits.len() && n <= 23 => s.len() - rest.len(),
        _ => 0,
    }
}

/// The length of what looks like the abbreviation of a zone.
fn zone_name(s: &[u8]) -> Option<usize> {
    if s.len() < 3 {
        return None;
    }
    if s.starts_with(b"ChST") || s.starts_with(b"MeST") {
        return Some(4);
    }
    if s.starts_with(b"GMT") {
        return Some(3 + signed_offset(&s[3..]));
    }
    if matches!(s[0], b'+' | b'-') {
        return Some(signed_offset(s)).filter(|&n| n > 0);
    }
    match s.iter().take(6).take_while(|c| c.is_ascii_uppercase()).count() {
        5 if s[4] == b'T' => Some(5),
        4 if s[3] == b'T' || s.starts_with(b"WITA") => Some(4),
        3 => Some(3),
        _ => None,
    }
}

fn zone_offset(s: &[u8], form: OffsetForm) -> Field<'_, i64> {
    let text = s.get(..form.len()).ok_or(Bad::Value)?;
    let step = if form.colon { 3 } else { 2 };
    let mut parts = [0i64; 3];
    if form.colon && (1..usize::from(form.parts)).any(|i| text[i * step] != b':') {
        return Err(Bad::Value);
    }
    let mut bad = None;
    for (i, part) in parts.iter_mut().enumerate().take(usize::from(form.parts)) {
        match number(&text[1 + i * step..][..2], true) {
            Ok((n, _)) => *part = n,
            Err(e) => {
                bad = Some(e);
                break;
            }
        }
    }
    let [hours, minutes, seconds] = parts;
    // A value out of range is said before any other mistake; 24 hours or 60 minutes are let through.
    if seconds > 60 {
        return Err(Bad::Range("time zone offset second"));
    }
    if minutes > 60 {
        return Err(Bad::Range("time zone offset minute"));
    }
    if hours > 24 {
        return Err(Bad::Range("time zone offset hour"));
    }
    if let Some(e) = bad {
        return Err(e);
    }
    let offset = (hours * 60 + minutes) * 60 + seconds;
    let rest = &s[form.len()..];
    match text[0] {
        b'+' => Ok((offset, rest)),
        b'-' => Ok((-offset, rest)),
        _ => Err(Bad::Value),
    }
}

/// What has been read so far.
#[derive(Default)]
struct Fields {
    year: i64,
    month: Option<i64>,
    day: Option<i64>,
    yearday: Option<i64>,
    hour: i64,
    min: i64,
    sec: i64,
    nsec: i64,
    pm: bool,
    am: bool,
    utc: bool,
    offset: Option<i64>,
    zone: Vec<u8>,
}

impl Fields {
    /// Reads one field and returns what is left; `layout` is what follows the chunk.
    fn read<'a>(&mut self, chunk: Chunk, value: &'a [u8], layout: &[u8]) -> Result<&'a [u8], (Bad, &'a [u8])> {
        // Where a range error stands, the value has been consumed already; it is part of no message of these.
        let fail = |e| (e, value);
        let in_range = |n: i64, ok: bool, what| if ok { Ok(n) } else { Err((Bad::Range(what), value)) };
        match chunk {
            Chunk::Year => {
                let p = value.get(..2).ok_or((Bad::Value, value))?;
                let y = atoi(p).map_err(fail)?;
                self.year = if y >= 69 { y + 1900 } else { y + 2000 };
                Ok(&value[2..])
            }
            Chunk::LongYear => {
                if value.len() < 4 || digit(value, 0).is_none() {
                    return Err(fail(Bad::Value));
                }
                self.year = atoi(&value[..4]).map_err(fail)?;
                Ok(&value[4..])
            }
            Chunk::Month | Chunk::LongMonth => {
                let (m, rest) = name(&MONTHS, chunk == Chunk::Month, value).map_err(fail)?;
                self.month = Some(m + 1);
                Ok(rest)
            }
            Chunk::NumMonth | Chunk::ZeroMonth => {
                let (m, rest) = number(value, chunk == Chunk::ZeroMonth).map_err(fail)?;
                self.month = Some(in_range(m, (1..=12).contains(&m), "month")?);
                Ok(rest)
            }
            Chunk::Weekday | Chunk::LongWeekday => {
                name(&WEEKDAYS, chunk == Chunk::Weekday, value).map(|(_, rest)| rest).map_err(fail)
            }
            Chunk::Day | Chunk::UnderDay | Chunk::ZeroDay => {
                let text = match value.split_first() {
                    Some((b' ', rest)) if chunk == Chunk::UnderDay => rest,
                    _ => value,
                };
                let (d, rest) = number(text, chunk == Chunk::ZeroDay).map_err(fail)?;
                self.day = Some(d);
                Ok(rest)
            }
            Chunk::UnderYearday | Chunk::ZeroYearday => {
                let mut text = value;
                for _ in 0..2 {
                    if chunk == Chunk::UnderYearday && text.first() == Some(&b' ') {
                        text = &text[1..];
                    }
                }
                let (d, rest) = number3(text, chunk == Chunk::ZeroYearday).map_err(fail)?;
                self.yearday = Some(d);
                Ok(rest)
            }
            Chunk::Hour => {
                let (h, rest) = number(value, false).map_err(fail)?;
                self.hour = in_range(h, h < 24, "hour")?;
                Ok(rest)
            }
            Chunk::Hour12 | Chunk::ZeroHour12 => {
                let (h, rest) = number(value, chunk == Chunk::ZeroHour12).map_err(fail)?;
                self.hour = in_range(h, h <= 12, "hour")?;
                Ok(rest)
            }
            Chunk::Minute | Chunk::ZeroMinute => {
                let (m, rest) = number(value, chunk == Chunk::ZeroMinute).map_err(fail)?;
                self.min = in_range(m, m < 60, "minute")?;
                Ok(rest)
            }
            Chunk::Second | Chunk::ZeroSecond => {
                let (s, rest) = number(value, chunk == Chunk::ZeroSecond).map_err(fail)?;
                self.sec = in_range(s, s < 60, "second")?;
                // A fraction is read even if the layout has none, unless it follows in the layout.
                let digits = rest.iter().skip(1).take_while(|c| c.is_ascii_digit()).count();
                let has_fraction = matches!(rest.first(), Some(b'.' | b',')) && digits > 0;
                let in_layout = || {
                    matches!(next_chunk(layout), Some((_, Chunk::Fraction { .. } | Chunk::TrimmedFraction { .. }, _)))
                };
                if !has_fraction || in_layout() {
                    return Ok(rest);
                }
                self.nsec = fraction(rest, digits + 1).map_err(fail)?;
                Ok(&rest[digits + 1..])
            }
            Chunk::UpperPm | Chunk::LowerPm => {
                let upper = chunk == Chunk::UpperPm;
                match value.get(..2) {
                    Some(b"PM") if upper => self.pm = true,
                    Some(b"AM") if upper => self.am = true,
                    Some(b"pm") if !upper => self.pm = true,
                    Some(b"am") if !upper => self.am = true,
                    _ => return Err(fail(Bad::Value)),
                }
                Ok(&value[2..])
            }
            Chunk::Offset(form) => {
                if form.z && value.first() == Some(&b'Z') {
                    self.utc = true;
                    return Ok(&value[1..]);
                }
                let (offset, rest) = zone_offset(value, form).map_err(fail)?;
                // Go keeps -1 for "none": an offset of one second west is lost there, and here.
                self.offset = Some(offset).filter(|&n| n != -1);
                Ok(rest)
            }
            Chunk::ZoneName => {
                if value.starts_with(b"UTC") {
                    self.utc = true;
                    return Ok(&value[3..]);
                }
                let n = zone_name(value).ok_or((Bad::Value, value))?;
                self.zone = value[..n].to_vec();
                Ok(&value[n..])
            }
            Chunk::Fraction { digits, .. } => {
                let n = digits + 1;
                if value.len() < n {
                    return Err(fail(Bad::Value));
                }
                self.nsec = fraction(value, n).map_err(fail)?;
                Ok(&value[n..])
            }
            Chunk::TrimmedFraction { .. } => {
                let digits = value.iter().skip(1).take_while(|c| c.is_ascii_digit()).count();
                if !matches!(value.first(), Some(b'.' | b',')) || digits == 0 {
                    return Ok(value);
                }
                self.nsec = fraction(value, digits + 1).map_err(fail)?;
                Ok(&value[digits + 1..])
            }
        }
    }

    /// Month and day, from the day of the year if that was given.
    fn month_and_day(&self) -> Result<(i64, i64), &'static str> {
        let Some(mut yearday) = self.yearday else {
            return Ok((self.month.unwrap_or(1), self.day.unwrap_or(1)));
        };
        let (mut month, mut day) = (0, 0);
        if is_leap(self.year) {
            if yearday == 31 + 29 {
                (month, day) = (2, 29);
            } else if yearday > 31 + 29 {
                yearday -= 1;
            }
        }
        if !(1..=365).contains(&yearday) {
            return Err(": day-of-year out of range");
        }
        if month == 0 {
            month = (yearday - 1) / 31 + 1;
            if i64::from(days_before(month as u8 + 1)) < yearday {
                month += 1;
            }
            day = yearday - i64::from(days_before(month as u8));
        }
        if self.month.is_some_and(|m| m != month) {
            return Err(": day-of-year does not match month");
        }
        if self.day.is_some_and(|d| d != day) {
            return Err(": day-of-year does not match day");
        }
        Ok((month, day))
    }
}

/// `time.ParseInLocation`: `location` is where times without a zone are, and where abbreviations and offsets are looked up.
///
/// # Errors
/// Go's text: `parsing time "x" as "2006": cannot parse "x" as "2006"`, `parsing time "…": month out of range`.
pub fn parse_in_location(layout: &[u8], value: &[u8], location: &Location) -> Result<Time, String> {
    if (layout == RFC3339 || layout == RFC3339_NANO)
        && let Some(t) = rfc3339(value, location)
    {
        return Ok(t);
    }
    let cannot = |left: &[u8], element: &[u8]| {
        format!(
            "parsing time {} as {}: cannot parse {} as {}",
            quote(value),
            quote(layout),
            quote(left),
            quote(element)
        )
    };
    let says = |message: &str| format!("parsing time {}{message}", quote(value));
    let mut f = Fields::default();
    let (mut rest_layout, mut left) = (layout, value);
    loop {
        let Some((before, chunk, after)) = next_chunk(rest_layout) else {
            left = skip(left, rest_layout).map_err(|left| cannot(left, rest_layout))?;
            if !left.is_empty() {
                return Err(says(&format!(": extra text: {}", quote(left))));
            }
            break;
        };
        let (prefix, element) = (&rest_layout[..before], &rest_layout[before..after]);
        left = skip(left, prefix).map_err(|left| cannot(left, prefix))?;
        rest_layout = &rest_layout[after..];
        left = f.read(chunk, left, rest_layout).map_err(|(bad, hold)| match bad {
            Bad::Value => cannot(hold, element),
            Bad::Range(what) => says(&format!(": {what} out of range")),
        })?;
    }
    if f.pm && f.hour < 12 {
        f.hour += 12;
    } else if f.am && f.hour == 12 {
        f.hour = 0;
    }
    let (month, day) = f.month_and_day().map_err(says)?;
    if day < 1 || day > days_in(month, f.year) {
        return Err(says(": day out of range"));
    }
    let date = |location: Location| Time::date_of(f.year, month, day, (f.hour, f.min, f.sec), f.nsec, location);
    if f.utc {
        return Ok(date(Location::utc()));
    }
    let zone = String::from_utf8_lossy(&f.zone);
    if let Some(offset) = f.offset {
        let t = date(Location::utc()).add(-offset * 1_000_000_000);
        let there = location.lookup(t.unix_seconds());
        let fits = i64::from(there.offset) == offset && (zone.is_empty() || there.name == zone);
        return Ok(t.in_location(if fits { location.clone() } else { Location::fixed(&zone, offset as i32) }));
    }
    if !zone.is_empty() {
        let t = date(Location::utc());
        if let Some(offset) = location.lookup_name(&zone, t.unix_seconds()) {
            return Ok(t.add(-i64::from(offset) * 1_000_000_000).in_location(location.clone()));
        }
        let hours = zone.strip_prefix("GMT").map_or(0, |h| atoi(h.as_bytes()).unwrap_or(0));
        return Ok(t.in_location(Location::fixed(&zone, (hours * 3600) as i32)));
    }
    Ok(date(location.clone()))
}

/// Go's fast path for RFC 3339. It differs from the layout: zones must be exact, and an offset never keeps a name.
fn rfc3339(s: &[u8], location: &Location) -> Option<Time> {
    let field = |at: usize, len: usize, min: i64, max: i64| {
        let digits = s.get(at..at + len)?;
        let n = digits.iter().try_fold(0i64, |x, c| c.is_ascii_digit().then(|| x * 10 + i64::from(c - b'0')))?;
        (min..=max).contains(&n).then_some(n)
    };
    let mark = |at: usize, c: u8| s.get(at) == Some(&c);
    if s.len() < 19 {
        return None;
    }
    let year = field(0, 4, 0, 9999)?;
    let month = field(5, 2, 1, 12)?;
    let day = field(8, 2, 1, days_in(month, year))?;
    let clock = (field(11, 2, 0, 23)?, field(14, 2, 0, 59)?, field(17, 2, 0, 59)?);
    if !(mark(4, b'-') && mark(7, b'-') && mark(10, b'T') && mark(13, b':') && mark(16, b':')) {
        return None;
    }
    let mut at = 19;
    let mut nsec = 0;
    if mark(19, b'.') && digit(s, 20).is_some() {
        let digits = s[20..].iter().take_while(|c| c.is_ascii_digit()).count();
        nsec = fraction(&s[19..], digits + 1).ok()?;
        at = 20 + digits;
    }
    let t = Time::date_of(year, month, day, clock, nsec, Location::utc());
    if &s[at..] == b"Z" {
        return Some(t);
    }
    if s.len() - at != 6 || !mark(at + 3, b':') {
        return None;
    }
    let mut offset = (field(at + 1, 2, 0, 23)? * 60 + field(at + 4, 2, 0, 59)?) * 60;
    match s[at] {
        b'+' => {}
        b'-' => offset = -offset,
        _ => return None,
    }
    let t = t.add(-offset * 1_000_000_000);
    let fits = i64::from(location.lookup(t.unix_seconds()).offset) == offset;
    Some(t.in_location(if fits { location.clone() } else { Location::fixed("", offset as i32) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(layout: &str, value: &str) -> Result<String, String> {
        parse_in_location(layout.as_bytes(), value.as_bytes(), &Location::local("UTC")).map(|t| t.string())
    }

    #[test]
    fn reads_as_go() {
        for (layout, value, want) in [
            ("2006-01-02", "2024-02-29", "2024-02-29 00:00:00 +0000 UTC"),
            ("2006-01-02T15:04:05Z07:00", "2024-02-29T01:02:03.5+02:00", "2024-02-29 01:02:03.5 +0200 +0200"),
            ("15:04:05", "01:02:03,25", "0000-01-01 01:02:03.25 +0000 UTC"),
            ("3PM", "12AM", "0000-01-01 00:00:00 +0000 UTC"),
            ("Mon Jan _2 2006 MST", "tue FEB  6 2024 CET", "2024-02-06 00:00:00 +0000 CET"),
            ("2006 MST", "2024 GMT-3", "2023-12-31 21:00:00 -0300 GMT-3"),
            ("2006 002", "2024 060", "2024-02-29 00:00:00 +0000 UTC"),
            ("06", "69", "1969-01-01 00:00:00 +0000 UTC"),
            ("2006  x", "2024 x", "2024-01-01 00:00:00 +0000 UTC"),
        ] {
            assert_eq!(read(layout, value).as_deref(), Ok(want), "{layout} {value}");
        }
    }

    #[test]
    fn refuses_as_go() {
        for (layout, value, want) in [
            ("2006-01-02", "x", r#"parsing time "x" as "2006-01-02": cannot parse "x" as "2006""#),
            ("2006-01-02", "2024/01/02", r#"parsing time "2024/01/02" as "2006-01-02": cannot parse "/01/02" as "-""#),
            ("2006-01-02", "2024-13-02", r#"parsing time "2024-13-02": month out of range"#),
            ("2006-01-02", "2024-02-30", r#"parsing time "2024-02-30": day out of range"#),
            ("2006", "2024x", r#"parsing time "2024x": extra text: "x""#),
            ("2006 002", "2024 367", r#"parsing time "2024 367": day-of-year out of range"#),
            ("-0700", "+2500", r#"parsing time "+2500": time zone offset hour out of range"#),
            ("Jan", "é", r#"parsing time "\xc3\xa9" as "Jan": cannot parse "\xc3\xa9" as "Jan""#),
        ] {
            assert_eq!(read(layout, value), Err(want.to_owned()), "{layout} {value}");
        }
    }
}
