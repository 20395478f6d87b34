//! Dates: `now`, `date` and their kin.
//!
//! Ported from Sprig 3.3 `date.go`. What is neither a time nor an integer is *now*, without a word: a number of a values file is a
//! float, so `date "2006" .Values.epoch` prints this year.

use crate::golang::duration;
use crate::golang::time::{Location, Time, parse_in_location};
use crate::gotmpl::{CallError, FuncTable, State, func, pure};
use crate::value::{Kind, Str, Value};

use super::time::as_time;

pub fn register(table: &mut FuncTable) {
    table.add(func("now", now));
    table.add(func("ago", ago));
    table.add(func("date", date));
    table.add(func("dateInZone", date_in_zone));
    table.add(func("date_in_zone", date_in_zone));
    table.add(func("htmlDate", html_date));
    table.add(func("htmlDateInZone", html_date_in_zone));
    table.add(pure("dateModify", date_modify));
    table.add(pure("date_modify", date_modify));
    table.add(pure("mustDateModify", must_date_modify));
    table.add(pure("must_date_modify", must_date_modify));
    table.add(pure("duration", seconds_as_duration));
    table.add(func("durationRound", duration_round));
    table.add(func("toDate", to_date));
    table.add(func("mustToDate", must_to_date));
    table.add(pure("unixEpoch", unix_epoch));
}

fn local(st: &State) -> Location {
    st.host.local_zone()
}

fn now(st: &mut State) -> Time {
    Time::now(st.host.now(), local(st))
}

/// The time that a value stands for; `int32` counts for dates but not for `ago`.
fn time_of(st: &mut State, v: &Value, int32: bool) -> Time {
    match v {
        Value::Int(n) | Value::Int64(n) => Time::unix(*n, 0, local(st)),
        Value::OtherInt(Kind::Int32, n) if int32 => Time::unix(n.get(Kind::Int32) as i64, 0, local(st)),
        _ => as_time(v).cloned().unwrap_or_else(|| now(st)),
    }
}

fn date_in_zone(st: &mut State, layout: Str, date: Value, zone: Str) -> Result<Vec<u8>, CallError> {
    let t = time_of(st, &date, true);
    // An unknown zone is UTC.
    let location = Location::load(&zone, &local(st)).unwrap_or_else(Location::utc);
    // A month's name is the longest thing that one byte can ask for.
    st.charge(layout.len() as u64 * 10)?;
    Ok(t.in_location(location).format(&layout))
}

fn date(st: &mut State, layout: Str, date: Value) -> Result<Vec<u8>, CallError> {
    date_in_zone(st, layout, date, "Local".into())
}

fn html_date(st: &mut State, v: Value) -> Result<Vec<u8>, CallError> {
    date_in_zone(st, "2006-01-02".into(), v, "Local".into())
}

fn html_date_in_zone(st: &mut State, v: Value, zone: Str) -> Result<Vec<u8>, CallError> {
    date_in_zone(st, "2006-01-02".into(), v, zone)
}

fn date_modify(by: Str, date: Time) -> Time {
    duration::parse(&by).map_or_else(|_| date.clone(), |d| date.add(d))
}

fn must_date_modify(by: Str, date: Time) -> Result<Time, CallError> {
    Ok(date.add(duration::parse(&by).map_err(CallError::Msg)?))
}

fn ago(st: &mut State, v: Value) -> String {
    let then = time_of(st, &v, false);
    duration::string(duration::round(now(st).sub(&then), duration::SECOND))
}

/// `strconv.ParseInt(s, 10, 64)` whose error is dropped: out of range it still gives the nearest number.
fn parse_int(s: &[u8]) -> i64 {
    let digits = s.strip_prefix(b"-").or_else(|| s.strip_prefix(b"+")).unwrap_or(s);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return 0;
    }
    let n = digits.iter().try_fold(0i128, |n, c| {
        let n = n * 10 + i128::from(c - b'0');
        (n <= 1 << 64).then_some(n)
    });
    let n = n.unwrap_or(1 << 64);
    let n = if s.starts_with(b"-") { -n } else { n };
    n.clamp(i64::MIN.into(), i64::MAX.into()) as i64
}

fn seconds_as_duration(v: Value) -> String {
    let n = match &v {
        Value::Str(s) => parse_int(s),
        Value::Int64(n) => *n,
        _ => 0,
    };
    duration::string(n.wrapping_mul(duration::SECOND))
}

fn duration_round(st: &mut State, v: Value) -> String {
    let d = match &v {
        Value::Str(s) => duration::parse(s).unwrap_or(0),
        Value::Int64(n) => *n,
        other => match as_time(other) {
            Some(t) => now(st).sub(t),
            None => 0,
        },
    };
    let u = d.unsigned_abs();
    let hour = duration::HOUR as u64;
    for (unit, name) in [
        (hour * 24 * 365, "y"),
        (hour * 24 * 30, "mo"),
        (hour * 24, "d"),
        (hour, "h"),
        (duration::MINUTE as u64, "m"),
        (duration::SECOND as u64, "s"),
    ] {
        // More than one unit: exactly one hour is sixty minutes.
        if u > unit {
            return format!("{}{name}", u / unit);
        }
    }
    "0s".into()
}

fn to_date(st: &mut State, layout: Str, text: Str) -> Time {
    parse_in_location(&layout, &text, &local(st)).unwrap_or_else(|_| Time::zero())
}

fn must_to_date(st: &mut State, layout: Str, text: Str) -> Result<Time, CallError> {
    parse_in_location(&layout, &text, &local(st)).map_err(CallError::Msg)
}

fn unix_epoch(date: Time) -> String {
    date.unix_seconds().to_string()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::gotmpl::{FixedHost, Limits};

    fn state() -> State {
        State::new(Arc::new(FixedHost::new(1_700_000_000_000_000_000, 1)), Limits::default())
    }

    #[test]
    fn what_is_no_integer_is_now() {
        let st = &mut state();
        let year = |st: &mut State, v| String::from_utf8(date(st, "2006".into(), v).unwrap()).unwrap();
        assert_eq!(year(st, Value::Int(0)), "1970");
        assert_eq!(year(st, Value::Int64(0)), "1970");
        assert_eq!(year(st, Value::OtherInt(Kind::Int32, 0.into())), "1970");
        assert_eq!(year(st, Value::OtherInt(Kind::Uint64, 0.into())), "2023");
        assert_eq!(year(st, Value::Float(0.0)), "2023");
        assert_eq!(year(st, "0".into()), "2023");
        assert_eq!(ago(st, Value::Int(1_699_996_400)), "1h0m0s");
        assert_eq!(ago(st, "x".into()), "0s");
    }

    #[test]
    fn durations() {
        for (v, want) in [
            (Value::from("95"), "1m35s"),
            ("9223372036854775808".into(), "-1s"),
            ("-99999999999999999999".into(), "0s"),
            ("1h".into(), "0s"),
            (Value::Int(95), "0s"),
            (Value::Int64(95), "1m35s"),
            (Value::Float(95.0), "0s"),
        ] {
            assert_eq!(seconds_as_duration(v.clone()), want, "{v:?}");
        }
        let st = &mut state();
        for (v, want) in [
            (Value::from("1h"), "60m"),
            ("2400h".into(), "3mo"),
            ("-26h".into(), "1d"),
            (Value::Int64(90_000_000_000), "1m"),
            (Value::Object(Arc::new(Time::unix(1_600_000_000, 0, Location::utc()))), "3y"),
        ] {
            assert_eq!(duration_round(st, v.clone()), want, "{v:?}");
        }
    }
}
