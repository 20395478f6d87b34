//! Go's `time.Time`: an instant with nanoseconds, seen in a location.
//!
//! Ported from Go 1.26 `time/time.go`. Seconds are counted from 1 January of year 1, as in Go, so the zero value is Go's zero time;
//! the calendar is computed with Go's wrapping arithmetic and holds for every `i64`.

mod layout;
mod parse;
mod zone;

pub use layout::{RFC3339, RFC3339_NANO};
pub use parse::parse_in_location;
pub use zone::Location;

/// The zero time, as it is written.
pub const ZERO: &str = "0001-01-01T00:00:00Z";

use super::duration;
use std::cmp::Ordering;

const SECONDS_PER_DAY: i64 = 86_400;
/// Seconds from year 1 to 1970.
const UNIX_TO_INTERNAL: i64 = 62_135_596_800;
/// Days from 1 March of year -292277022400, where Go's calendar begins, to 1 January of year 1.
const ABSOLUTE_DAYS: i128 = 730_692_556 * 146_097 + 306;
const ABSOLUTE_YEARS: i64 = 292_277_022_400;

pub const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
pub const WEEKDAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// An instant, and the location in which its clock is read.
#[derive(Clone, Debug)]
pub struct Time {
    /// Seconds since 1 January of year 1, UTC.
    sec: i64,
    /// 0..1e9
    nsec: u32,
    /// The reading of the monotonic clock that only `now` gives; [`Time::string`] shows it as Go does. It serves for nothing else:
    /// there is one clock, and differences are those of its readings.
    mono: Option<i64>,
    location: Location,
}

/// Year, month (1–12), day, and the day of the year (1–366).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Date {
    pub year: i64,
    pub month: u8,
    pub day: u8,
    pub yearday: u16,
}

/// Days since the start of Go's absolute calendar.
#[derive(Clone, Copy)]
struct Days(i128);

impl Days {
    /// Go's `dateToAbsDays`, which wraps where a year or a day is out of its range; `month` is 1 to 12.
    fn of(year: i64, month: i64, day: i64) -> Self {
        // Counted from March, leap days come last in a year.
        let early = month < 3;
        let month = if early { month + 12 } else { month };
        let y = (year as u64).wrapping_sub(u64::from(early)).wrapping_add(ABSOLUTE_YEARS as u64);
        let in_year = (month * 979 - 2919) >> 5;
        let in_century = 1461 * (y % 100) as i64 / 4;
        let centuries = 146_097u64.wrapping_mul(y / 100) / 4;
        let rest = (in_century + in_year).wrapping_add(day).wrapping_sub(1);
        Self(i128::from(centuries.wrapping_add(rest as u64)))
    }

    const fn weekday(self) -> u8 {
        // Day 0 is a Wednesday.
        ((self.0 + 3).rem_euclid(7)) as u8
    }

    fn date(self) -> Date {
        let (era, day) = (self.0.div_euclid(146_097), self.0.rem_euclid(146_097));
        let y = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
        let yearday = day - (365 * y + y / 4 - y / 100);
        let m = (5 * yearday + 2) / 153;
        let mday = yearday - (153 * m + 2) / 5 + 1;
        let month = if m < 10 { m + 3 } else { m - 9 };
        let year = (era * 400 + y + i128::from(month <= 2)) as i64 - ABSOLUTE_YEARS;
        let before = days_before(month as u8) + u16::from(month > 2 && is_leap(year));
        Date { year, month: month as u8, day: mday as u8, yearday: before + mday as u16 }
    }
}

const fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// Days of a common year before the month (1–13).
const fn days_before(month: u8) -> u16 {
    const BEFORE: [u16; 13] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365];
    BEFORE[(month as usize).saturating_sub(1) % 13]
}

/// Carries what `lo` has beyond `base` into `hi`: the result's `lo` is 0 to `base` - 1.
const fn norm(hi: i64, lo: i64, base: i64) -> (i64, i64) {
    (hi.wrapping_add(lo.div_euclid(base)), lo.rem_euclid(base))
}

/// The number of days of the month.
const fn days_in(month: i64, year: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

impl Time {
    /// The zero time: 1 January of year 1, 00:00 UTC.
    pub const fn zero() -> Self {
        Self { sec: 0, nsec: 0, mono: None, location: Location::utc() }
    }

    /// `time.Unix(sec, nsec)` in the given location.
    pub fn unix(sec: i64, nsec: u32, location: Location) -> Self {
        Self { sec: sec.wrapping_add(UNIX_TO_INTERNAL), nsec: nsec % 1_000_000_000, mono: None, location }
    }

    /// `time.Now()`, given the clock in nanoseconds since 1970.
    ///
    /// The monotonic reading counts from the start of the process in Go. The host has one clock only, so it is always the
    /// first instant: `m=+0.000000001`.
    pub fn now(nanos: i128, location: Location) -> Self {
        let sec = nanos.div_euclid(1_000_000_000) as i64;
        let nsec = nanos.rem_euclid(1_000_000_000) as u32;
        Self { mono: Some(1), ..Self::unix(sec, nsec, location) }
    }

    /// `time.Date`: the fields as read in the location; out-of-range fields flow into the next larger one.
    pub fn date_of(year: i64, month: i64, day: i64, clock: (i64, i64, i64), nsec: i64, location: Location) -> Self {
        let (year, month) = norm(year, month.wrapping_sub(1), 12);
        let (sec, nsec) = norm(clock.2, nsec, 1_000_000_000);
        let (min, sec) = norm(clock.1, sec, 60);
        let (hour, min) = norm(clock.0, min, 60);
        let (day, hour) = norm(day, hour, 24);
        let days = Days::of(year, month + 1, day).0 as i64;
        let unix = days
            .wrapping_mul(SECONDS_PER_DAY)
            .wrapping_add(hour * 3600 + min * 60 + sec)
            .wrapping_sub((ABSOLUTE_DAYS * SECONDS_PER_DAY as i128 + UNIX_TO_INTERNAL as i128) as i64);
        // The zone's offset at the reading taken as UTC is mostly right; looked up again, it is right at transitions too.
        let mut offset = location.lookup(unix).offset;
        if offset != 0 {
            offset = location.lookup(unix.wrapping_sub(i64::from(offset))).offset;
        }
        Self::unix(unix.wrapping_sub(i64::from(offset)), nsec as u32, location)
    }

    pub const fn location(&self) -> &Location {
        &self.location
    }

    /// The same instant in another location; the monotonic reading is dropped.
    #[must_use]
    pub fn in_location(&self, location: Location) -> Self {
        Self { mono: None, location, ..self.clone() }
    }

    /// Seconds since 1970.
    pub const fn unix_seconds(&self) -> i64 {
        self.sec.wrapping_sub(UNIX_TO_INTERNAL)
    }

    pub const fn unix_millis(&self) -> i64 {
        self.unix_seconds().wrapping_mul(1_000).wrapping_add((self.nsec / 1_000_000) as i64)
    }

    pub const fn unix_micros(&self) -> i64 {
        self.unix_seconds().wrapping_mul(1_000_000).wrapping_add((self.nsec / 1_000) as i64)
    }

    /// Nanoseconds since 1970; wraps where an `i64` cannot hold them, as in Go.
    pub const fn unix_nanos(&self) -> i64 {
        self.unix_seconds().wrapping_mul(1_000_000_000).wrapping_add(self.nsec as i64)
    }

    pub const fn nanosecond(&self) -> u32 {
        self.nsec
    }

    pub const fn is_zero(&self) -> bool {
        self.sec == 0 && self.nsec == 0
    }

    /// Abbreviation, offset in seconds east of UTC, and whether daylight saving time holds.
    pub fn zone(&self) -> zone::Offset {
        self.location.lookup(self.unix_seconds())
    }

    /// Seconds of the absolute calendar, as the clock of the location shows them.
    fn absolute(&self) -> u64 {
        let local = self.sec.wrapping_add(i64::from(self.zone().offset));
        (i128::from(local) + ABSOLUTE_DAYS * i128::from(SECONDS_PER_DAY)) as u64
    }

    fn days(&self) -> Days {
        Days(i128::from(self.absolute() / SECONDS_PER_DAY as u64))
    }

    pub fn date(&self) -> Date {
        self.days().date()
    }

    /// 0 is Sunday.
    pub fn weekday(&self) -> u8 {
        self.days().weekday()
    }

    /// Hour, minute, second.
    pub fn clock(&self) -> (u8, u8, u8) {
        let s = self.absolute() % SECONDS_PER_DAY as u64;
        ((s / 3600) as u8, (s / 60 % 60) as u8, (s % 60) as u8)
    }

    /// The ISO 8601 year and week.
    pub fn iso_week(&self) -> (i64, u16) {
        let days = self.days();
        // The week belongs to the year of its Thursday.
        let from_monday = i128::from((days.weekday() + 6) % 7);
        let thursday = Days(days.0 + 3 - from_monday).date();
        (thursday.year, (thursday.yearday - 1) / 7 + 1)
    }

    fn add_seconds(&mut self, d: i64) {
        self.sec = self.sec.saturating_add(d);
    }

    /// `Time.Add`, saturating at the ends of Go's range.
    #[must_use]
    pub fn add(&self, d: i64) -> Self {
        let mut seconds = d / duration::SECOND;
        let mut nsec = i64::from(self.nsec) + d % duration::SECOND;
        if nsec >= duration::SECOND {
            seconds += 1;
            nsec -= duration::SECOND;
        } else if nsec < 0 {
            seconds -= 1;
            nsec += duration::SECOND;
        }
        let mut t = Self { nsec: nsec as u32, mono: self.mono.and_then(|m| m.checked_add(d)), ..self.clone() };
        t.add_seconds(seconds);
        t
    }

    /// `Time.AddDate`: calendar arithmetic; 31 October plus one month is 1 December.
    #[must_use]
    pub fn add_date(&self, years: i64, months: i64, days: i64) -> Self {
        let date = self.date();
        let (hour, min, sec) = self.clock();
        Self::date_of(
            date.year.wrapping_add(years),
            i64::from(date.month).wrapping_add(months),
            i64::from(date.day).wrapping_add(days),
            (i64::from(hour), i64::from(min), i64::from(sec)),
            i64::from(self.nsec),
            self.location.clone(),
        )
    }

    fn instant(&self) -> i128 {
        i128::from(self.sec) * 1_000_000_000 + i128::from(self.nsec)
    }

    /// `Time.Sub`: the nearest duration that Go can hold.
    pub fn sub(&self, other: &Self) -> i64 {
        let d = self.instant() - other.instant();
        i64::try_from(d).unwrap_or(if d < 0 { i64::MIN } else { i64::MAX })
    }

    /// `Time.Compare`: the instants, whatever the locations.
    pub fn compare(&self, other: &Self) -> Ordering {
        self.instant().cmp(&other.instant())
    }

    /// The remainder of the time since year 1 divided by `d` > 0.
    fn remainder(&self, d: i64) -> i64 {
        self.instant().rem_euclid(i128::from(d)) as i64
    }

    /// `Time.Truncate`: down to a multiple of `d` since year 1.
    #[must_use]
    pub fn truncate(&self, d: i64) -> Self {
        let t = Self { mono: None, ..self.clone() };
        if d <= 0 { t } else { t.add(-t.remainder(d)) }
    }

    /// `Time.Round`: to the nearest multiple of `d` since year 1, halves up.
    #[must_use]
    pub fn round(&self, d: i64) -> Self {
        let t = Self { mono: None, ..self.clone() };
        if d <= 0 {
            return t;
        }
        let r = t.remainder(d);
        if duration::less_than_half(r, d) { t.add(-r) } else { t.add(d - r) }
    }

    /// `Time.String`, with the monotonic reading if there is one.
    pub fn string(&self) -> String {
        let text = self.format(b"2006-01-02 15:04:05.999999999 -0700 MST");
        let mut text = String::from_utf8_lossy(&text).into_owned();
        if let Some(m) = self.mono {
            let sign = if m < 0 { '-' } else { '+' };
            let m = m.unsigned_abs();
            text.push_str(&format!(" m={sign}{}.{:09}", m / 1_000_000_000, m % 1_000_000_000));
        }
        text
    }

    /// `Time.GoString`, what `%#v` prints.
    pub fn go_string(&self) -> String {
        let date = self.date();
        let (hour, min, sec) = self.clock();
        let month = MONTHS.get(usize::from(date.month).wrapping_sub(1)).copied().unwrap_or_default();
        let location = self.location.go_string();
        format!("time.Date({}, time.{month}, {}, {hour}, {min}, {sec}, {}, {location})", date.year, date.day, self.nsec)
    }

    /// What `MarshalText` and `MarshalJSON` write (without quotes): strict RFC 3339 with nanoseconds.
    ///
    /// # Errors
    /// `year outside of range [0,9999]` and `timezone hour outside of range [0,23]`; Go puts the method's name before it.
    pub fn rfc3339(&self) -> Result<String, String> {
        let offset = self.zone().offset;
        if !(0..=9999).contains(&self.date().year) {
            return Err("year outside of range [0,9999]".into());
        }
        if offset.abs() >= 24 * 3600 {
            return Err("timezone hour outside of range [0,23]".into());
        }
        Ok(String::from_utf8_lossy(&self.format(RFC3339_NANO)).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(sec: i64) -> Time {
        Time::unix(sec, 0, Location::utc())
    }

    #[test]
    fn calendar_holds_for_every_second() {
        for (sec, want) in [
            (0, "1970-01-01 00:00:00 +0000 UTC"),
            (-1, "1969-12-31 23:59:59 +0000 UTC"),
            (951_782_400, "2000-02-29 00:00:00 +0000 UTC"),
            (-62_135_596_800, "0001-01-01 00:00:00 +0000 UTC"),
            (-62_167_219_201, "-0001-12-31 23:59:59 +0000 UTC"),
            (253_402_300_800, "10000-01-01 00:00:00 +0000 UTC"),
            (i64::MAX, "292277026596-12-04 15:30:07 +0000 UTC"),
            (i64::MIN, "292277026596-12-04 15:30:08 +0000 UTC"),
        ] {
            assert_eq!(at(sec).string(), want);
        }
    }

    #[test]
    fn weeks_and_year_days() {
        let t = Time::date_of(2021, 1, 3, (0, 0, 0), 0, Location::utc());
        assert_eq!(t.weekday(), 0);
        assert_eq!(t.iso_week(), (2020, 53));
        assert_eq!(Time::date_of(2024, 12, 31, (0, 0, 0), 0, Location::utc()).date().yearday, 366);
        assert_eq!(at(0).weekday(), 4);
    }

    #[test]
    fn fields_flow_over() {
        let t = Time::date_of(2023, 10, 31, (1, 2, 3), 0, Location::utc()).add_date(0, 1, 0);
        assert_eq!(t.string(), "2023-12-01 01:02:03 +0000 UTC");
        let paris = Location::load(b"Europe/Paris", &Location::utc()).unwrap();
        // 02:30 does not exist on that day.
        assert_eq!(Time::date_of(2024, 3, 31, (2, 30, 0), 0, paris).string(), "2024-03-31 03:30:00 +0200 CEST");
    }

    #[test]
    fn arithmetic_saturates() {
        let t = at(1_700_000_000);
        assert_eq!(t.add(-1).string(), "2023-11-14 22:13:19.999999999 +0000 UTC");
        assert_eq!(at(0).sub(&Time::zero()), i64::MAX);
        assert_eq!(Time::zero().sub(&at(0)), i64::MIN);
        assert_eq!(t.truncate(duration::HOUR).string(), "2023-11-14 22:00:00 +0000 UTC");
        assert_eq!(t.round(duration::HOUR * 24).string(), "2023-11-15 00:00:00 +0000 UTC");
        assert_eq!(
            Time::now(1_700_000_000_000_000_000, Location::utc()).string(),
            "2023-11-14 22:13:20 +0000 UTC m=+0.000000001"
        );
    }
}
