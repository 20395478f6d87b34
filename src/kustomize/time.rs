//! YAML's timestamps as go-yaml v3 reads them and Go writes them in JSON: an unquoted `2024-01-02` becomes
//! `2024-01-02T00:00:00Z`.

use crate::yaml::resolve::is_timestamp;

/// The text in RFC 3339 with as many fractional digits as it needs, if it is a timestamp by go-yaml's layouts.
pub fn rfc3339(text: &str) -> Option<String> {
    if !is_timestamp(text.as_bytes()) {
        return None;
    }
    let (date, clock) = match text.find(['T', 't', ' ']) {
        Some(at) => (&text[..at], text[at + 1..].trim_start()),
        None => (text, ""),
    };
    let mut parts = date.split('-');
    let mut number = || parts.next().and_then(|p| p.parse::<u32>().ok());
    let (year, month, day) = (number()?, number()?, number()?);
    let mut out = format!("{year:04}-{month:02}-{day:02}T");
    if clock.is_empty() {
        out.push_str("00:00:00Z");
        return Some(out);
    }
    // The zone begins at `Z` or at a sign; without one the time is UTC.
    let zone_at = clock.find(['Z', '+', '-']).unwrap_or(clock.len());
    let (clock, zone) = clock.split_at(zone_at);
    let (hms, fraction) = match clock.find(['.', ',']) {
        Some(at) => (&clock[..at], clock[at + 1..].trim_end_matches('0')),
        None => (clock, ""),
    };
    let mut parts = hms.split(':');
    let mut number = || parts.next().and_then(|p| p.parse::<u32>().ok());
    let (hour, minute, second) = (number()?, number()?, number()?);
    out.push_str(&format!("{hour:02}:{minute:02}:{second:02}"));
    let fraction = fraction.get(..9.min(fraction.len()))?.trim_end_matches('0');
    if !fraction.is_empty() {
        out.push('.');
        out.push_str(fraction);
    }
    let zero = zone.is_empty() || zone == "Z" || zone[1..] == *"00:00";
    out.push_str(if zero { "Z" } else { zone });
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::rfc3339;

    #[test]
    fn timestamps_are_written_as_go_writes_them() {
        for (text, want) in [
            ("2024-01-02", Some("2024-01-02T00:00:00Z")),
            ("2024-1-2", Some("2024-01-02T00:00:00Z")),
            ("2024-01-02T3:04:5Z", Some("2024-01-02T03:04:05Z")),
            ("2024-01-02t03:04:05.120+02:00", Some("2024-01-02T03:04:05.12+02:00")),
            ("2024-01-02 03:04:05.5", Some("2024-01-02T03:04:05.5Z")),
            ("2024-01-02T03:04:05+00:00", Some("2024-01-02T03:04:05Z")),
            ("2024-13-02", None),
            ("12:30", None),
        ] {
            assert_eq!(rfc3339(text).as_deref(), want, "{text}");
        }
    }
}
