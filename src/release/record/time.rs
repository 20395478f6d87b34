//! Times as a record has them: Go's RFC 3339 with nanoseconds, in the zone that the clock of the writer showed.

use crate::golang::time::{Location, RFC3339_NANO, Time, parse_in_location};

/// Reads what Go's `time.Time` reads from JSON and gives it as Go writes it; empty for the zero time.
///
/// # Errors
/// Go's text: `parsing time "yesterday" as …`.
pub fn canonical(text: &[u8]) -> Result<String, String> {
    let time = parse_in_location(b"2006-01-02T15:04:05Z07:00", text, &Location::utc())?;
    if time.compare(&Time::zero()).is_eq() {
        return Ok(String::new());
    }
    Ok(format(&time))
}

/// As [`canonical`], but the zero time keeps its text.
///
/// # Errors
/// As there.
pub fn canonical_or_zero(text: &[u8]) -> Result<String, String> {
    let time = parse_in_location(b"2006-01-02T15:04:05Z07:00", text, &Location::utc())?;
    Ok(format(&time))
}

fn format(time: &Time) -> String {
    String::from_utf8_lossy(&time.format(RFC3339_NANO)).into_owned()
}

/// What Go refuses to write though it could read it.
///
/// # Errors
/// `Time.MarshalJSON: timezone hour outside of range [0,23]`.
pub fn check(text: &str) -> Result<(), String> {
    let hour = text.len().checked_sub(5).and_then(|at| text.get(at..at + 2)).and_then(|h| h.parse::<u8>().ok());
    if !text.ends_with('Z') && hour.is_some_and(|h| h > 23) {
        return Err("Time.MarshalJSON: timezone hour outside of range [0,23]".into());
    }
    Ok(())
}

/// An instant as Go prints it on a machine of that zone; what Helm does with `time.Now()` and with the times of files.
pub fn text(at: jiff::Timestamp, zone: &jiff::tz::TimeZone) -> String {
    let offset = zone.to_offset(at).seconds();
    let place = if offset == 0 { Location::utc() } else { Location::fixed("", offset) };
    format(&Time::unix(at.as_second(), at.subsec_nanosecond().unsigned_abs(), place))
}

/// Now, in the machine's zone.
pub fn now() -> String {
    text(jiff::Timestamp::now(), &jiff::tz::TimeZone::system())
}
