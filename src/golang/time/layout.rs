//! Go's layouts: how a time is written by the example of 2 January 2006, 15:04:05.
//!
//! Ported from Go 1.26 `time/format.go`. A layout is cut into chunks; what is no chunk stands for itself.

use super::{MONTHS, Time, WEEKDAYS};

/// `time.RFC3339Nano`
pub const RFC3339_NANO: &[u8] = b"2006-01-02T15:04:05.999999999Z07:00";
pub const RFC3339: &[u8] = b"2006-01-02T15:04:05Z07:00";

/// A part of a layout that stands for a part of a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chunk {
    LongMonth,
    Month,
    NumMonth,
    ZeroMonth,
    LongWeekday,
    Weekday,
    Day,
    UnderDay,
    ZeroDay,
    UnderYearday,
    ZeroYearday,
    Hour,
    Hour12,
    ZeroHour12,
    Minute,
    ZeroMinute,
    Second,
    ZeroSecond,
    LongYear,
    Year,
    UpperPm,
    LowerPm,
    ZoneName,
    Offset(OffsetForm),
    /// `.000`: exactly so many digits.
    Fraction {
        digits: usize,
        comma: bool,
    },
    /// `.999`: at most so many digits, without trailing zeros.
    TrimmedFraction {
        digits: usize,
        comma: bool,
    },
}

/// How an offset from UTC is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OffsetForm {
    /// `Z07`: UTC is written `Z`.
    pub z: bool,
    pub colon: bool,
    /// 1: hours; 2: and minutes; 3: and seconds.
    pub parts: u8,
}

impl OffsetForm {
    /// The length of such an offset's text.
    pub const fn len(self) -> usize {
        let parts = self.parts as usize;
        1 + 2 * parts + if self.colon { parts - 1 } else { 0 }
    }
}

const fn offset(z: bool, colon: bool, parts: u8) -> Chunk {
    Chunk::Offset(OffsetForm { z, colon, parts })
}

/// The first chunk of the layout: the length of the text before it, itself, and where the rest begins.
pub(super) fn next_chunk(layout: &[u8]) -> Option<(usize, Chunk, usize)> {
    for i in 0..layout.len() {
        let rest = &layout[i..];
        let lower = |n: usize| rest.get(n).is_some_and(u8::is_ascii_lowercase);
        let hit = match rest[0] {
            b'J' if rest.starts_with(b"January") => Some((Chunk::LongMonth, 7)),
            b'J' if rest.starts_with(b"Jan") && !lower(3) => Some((Chunk::Month, 3)),
            b'M' if rest.starts_with(b"Monday") => Some((Chunk::LongWeekday, 6)),
            b'M' if rest.starts_with(b"Mon") && !lower(3) => Some((Chunk::Weekday, 3)),
            b'M' if rest.starts_with(b"MST") => Some((Chunk::ZoneName, 3)),
            b'0' => match rest.get(1) {
                Some(b'1') => Some((Chunk::ZeroMonth, 2)),
                Some(b'2') => Some((Chunk::ZeroDay, 2)),
                Some(b'3') => Some((Chunk::ZeroHour12, 2)),
                Some(b'4') => Some((Chunk::ZeroMinute, 2)),
                Some(b'5') => Some((Chunk::ZeroSecond, 2)),
                Some(b'6') => Some((Chunk::Year, 2)),
                Some(b'0') if rest.get(2) == Some(&b'2') => Some((Chunk::ZeroYearday, 3)),
                _ => None,
            },
            b'1' if rest.starts_with(b"15") => Some((Chunk::Hour, 2)),
            b'1' => Some((Chunk::NumMonth, 1)),
            b'2' if rest.starts_with(b"2006") => Some((Chunk::LongYear, 4)),
            b'2' => Some((Chunk::Day, 1)),
            // `_2006` is an underscore before a year.
            b'_' if rest.starts_with(b"_2006") => return Some((i + 1, Chunk::LongYear, i + 5)),
            b'_' if rest.starts_with(b"_2") => Some((Chunk::UnderDay, 2)),
            b'_' if rest.starts_with(b"__2") => Some((Chunk::UnderYearday, 3)),
            b'3' => Some((Chunk::Hour12, 1)),
            b'4' => Some((Chunk::Minute, 1)),
            b'5' => Some((Chunk::Second, 1)),
            b'P' if rest.starts_with(b"PM") => Some((Chunk::UpperPm, 2)),
            b'p' if rest.starts_with(b"pm") => Some((Chunk::LowerPm, 2)),
            c @ (b'-' | b'Z') => {
                let z = c == b'Z';
                match &rest[1..] {
                    r if r.starts_with(b"070000") => Some((offset(z, false, 3), 7)),
                    r if r.starts_with(b"07:00:00") => Some((offset(z, true, 3), 9)),
                    r if r.starts_with(b"0700") => Some((offset(z, false, 2), 5)),
                    r if r.starts_with(b"07:00") => Some((offset(z, true, 2), 6)),
                    r if r.starts_with(b"07") => Some((offset(z, false, 1), 3)),
                    _ => None,
                }
            }
            c @ (b'.' | b',') => fraction(&rest[1..], c == b','),
            _ => None,
        };
        if let Some((chunk, len)) = hit {
            return Some((i, chunk, i + len));
        }
    }
    None
}

/// `000…` or `999…` after a point or comma; more digits of another kind make it plain text.
fn fraction(digits: &[u8], comma: bool) -> Option<(Chunk, usize)> {
    let first = *digits.first().filter(|c| matches!(c, b'0' | b'9'))?;
    let n = digits.iter().take_while(|&&c| c == first).count();
    if digits.get(n).is_some_and(u8::is_ascii_digit) {
        return None;
    }
    // Go keeps twelve bits of the count.
    let digits = n & 0xfff;
    let chunk =
        if first == b'0' { Chunk::Fraction { digits, comma } } else { Chunk::TrimmedFraction { digits, comma } };
    Some((chunk, n + 1))
}

fn int(out: &mut Vec<u8>, n: i64, width: usize) {
    if n < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(format!("{:0width$}", n.unsigned_abs()).as_bytes());
}

fn nanos(out: &mut Vec<u8>, nsec: u32, digits: usize, comma: bool, trim: bool) {
    if trim && (digits == 0 || nsec == 0) {
        return;
    }
    let start = out.len();
    out.push(if comma { b',' } else { b'.' });
    int(out, i64::from(nsec), 9);
    if digits < 9 {
        out.truncate(start + 1 + digits);
    }
    if trim {
        while out.last() == Some(&b'0') {
            out.pop();
        }
        if out.len() == start + 1 {
            out.pop();
        }
    }
}

fn zone_offset(out: &mut Vec<u8>, seconds: i32, form: OffsetForm) {
    if form.z && seconds == 0 {
        out.push(b'Z');
        return;
    }
    // The sign is that of the minutes, as in Go: -30 seconds print as +00:00:30.
    let minutes = seconds / 60;
    let (sign, abs) = if minutes < 0 { (b'-', seconds.wrapping_neg()) } else { (b'+', seconds) };
    out.push(sign);
    let minutes = i64::from(minutes.abs());
    int(out, minutes / 60, 2);
    if form.parts > 1 {
        if form.colon {
            out.push(b':');
        }
        int(out, minutes % 60, 2);
    }
    if form.parts > 2 {
        if form.colon {
            out.push(b':');
        }
        int(out, i64::from(abs % 60), 2);
    }
}

impl Time {
    /// `Time.Format`.
    pub fn format(&self, layout: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(layout.len() + 10);
        let zone = self.zone();
        let date = self.date();
        let (hour, min, sec) = self.clock();
        let (month, day) = (i64::from(date.month), i64::from(date.day));
        let month_name = MONTHS.get(usize::from(date.month).wrapping_sub(1)).copied().unwrap_or_default().as_bytes();
        let weekday = WEEKDAYS[usize::from(self.weekday() % 7)].as_bytes();
        let hour12 = i64::from((hour + 11) % 12 + 1);
        let mut layout = layout;
        while let Some((before, chunk, after)) = next_chunk(layout) {
            out.extend_from_slice(&layout[..before]);
            layout = &layout[after..];
            match chunk {
                Chunk::Year => int(&mut out, (date.year % 100).abs(), 2),
                Chunk::LongYear => int(&mut out, date.year, 4),
                Chunk::Month => out.extend_from_slice(&month_name[..3.min(month_name.len())]),
                Chunk::LongMonth => out.extend_from_slice(month_name),
                Chunk::NumMonth => int(&mut out, month, 0),
                Chunk::ZeroMonth => int(&mut out, month, 2),
                Chunk::Weekday => out.extend_from_slice(&weekday[..3]),
                Chunk::LongWeekday => out.extend_from_slice(weekday),
                Chunk::Day => int(&mut out, day, 0),
                Chunk::UnderDay => out.extend_from_slice(format!("{day:2}").as_bytes()),
                Chunk::ZeroDay => int(&mut out, day, 2),
                Chunk::UnderYearday => out.extend_from_slice(format!("{:3}", date.yearday).as_bytes()),
                Chunk::ZeroYearday => int(&mut out, i64::from(date.yearday), 3),
                Chunk::Hour => int(&mut out, i64::from(hour), 2),
                Chunk::Hour12 => int(&mut out, hour12, 0),
                Chunk::ZeroHour12 => int(&mut out, hour12, 2),
                Chunk::Minute => int(&mut out, i64::from(min), 0),
                Chunk::ZeroMinute => int(&mut out, i64::from(min), 2),
                Chunk::Second => int(&mut out, i64::from(sec), 0),
                Chunk::ZeroSecond => int(&mut out, i64::from(sec), 2),
                Chunk::UpperPm => out.extend_from_slice(if hour >= 12 { b"PM" } else { b"AM" }),
                Chunk::LowerPm => out.extend_from_slice(if hour >= 12 { b"pm" } else { b"am" }),
                Chunk::Offset(form) => zone_offset(&mut out, zone.offset, form),
                Chunk::ZoneName if zone.name.is_empty() => {
                    zone_offset(&mut out, zone.offset, OffsetForm { z: false, colon: false, parts: 2 });
                }
                Chunk::ZoneName => out.extend_from_slice(zone.name.as_bytes()),
                Chunk::Fraction { digits, comma } => nanos(&mut out, self.nsec, digits, comma, false),
                Chunk::TrimmedFraction { digits, comma } => nanos(&mut out, self.nsec, digits, comma, true),
            }
        }
        out.extend_from_slice(layout);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golang::time::Location;

    #[test]
    fn writes_each_chunk() {
        let t = Time::unix(1_234_567_890, 120_450_000, Location::utc());
        for (layout, want) in [
            ("Mon Jan _2 15:04:05 2006", "Fri Feb 13 23:31:30 2009"),
            ("Monday, 02-Jan-06 3:4:5pm", "Friday, 13-Feb-09 11:31:30pm"),
            ("January Janet Monet 1 01 002 __2 _2006", "February Janet Monet 2 02 044  44 _2009"),
            (".000 .999 ,000000 .0001 .9999999", ".120 .12 ,120450 .0002 .12045"),
            ("Z0700 Z07:00:00 -07 -07:00 -070000 MST", "Z Z +00 +00:00 +000000 UTC"),
            ("03 PM", "11 PM"),
            ("é 20060102", "é 20090213"),
        ] {
            assert_eq!(String::from_utf8(t.format(layout.as_bytes())).unwrap(), want, "{layout}");
        }
        let t = Time::unix(0, 0, Location::fixed("", -(3 * 3600 + 30 * 60 + 15)));
        assert_eq!(t.format(b"15:04 Z07:00:00 MST -07"), b"20:29 -03:30:15 -0330 -03");
    }
}
