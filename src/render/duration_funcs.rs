//! Helm's own duration functions: `mustToDuration`, `durationSeconds` and their kin, new in 4.3.
//!
//! Ported from Helm 4.3 `pkg/engine/funcs.go`. Numbers count as seconds, texts as Go durations or as seconds.

use crate::golang::{duration, strconv, unicode};
use crate::gotmpl::{CallError, FuncTable, State, func, pure};
use crate::sprig::time::{Duration, as_duration};
use crate::value::{Kind, Value};

pub fn register(table: &mut FuncTable) {
    table.add(func("mustToDuration", |st: &mut State, v: Value| {
        to_duration(&v).map(Duration).map_err(|e| match v {
            // Of these only the heap knows the whole type.
            Value::List(_) | Value::Map(_) => {
                CallError::Msg(format!("unsupported duration type {}", v.go_type(&st.heap)))
            }
            _ => CallError::Msg(e),
        })
    }));
    table.add(pure("durationSeconds", |v: Value| to_duration(&v).map_or(0.0, duration::seconds)));
    table.add(pure("durationMinutes", |v: Value| to_duration(&v).map_or(0.0, duration::minutes)));
    table.add(pure("durationHours", |v: Value| to_duration(&v).map_or(0.0, duration::hours)));
    table.add(pure("durationDays", |v: Value| to_duration(&v).map_or(0.0, |d| duration::hours(d) / 24.0)));
    table.add(pure("durationWeeks", |v: Value| to_duration(&v).map_or(0.0, |d| duration::hours(d) / 24.0 / 7.0)));
    table.add(pure("durationMilliseconds", |v: Value| to_duration(&v).unwrap_or(0) / duration::MILLISECOND));
    table.add(pure("durationMicroseconds", |v: Value| to_duration(&v).unwrap_or(0) / duration::MICROSECOND));
    table.add(pure("durationNanoseconds", |v: Value| to_duration(&v).unwrap_or(0)));
    table.add(pure("durationRoundTo", |v: Value, m: Value| Duration(to_multiple(&v, &m, duration::round))));
    table.add(pure("durationTruncateTo", |v: Value, m: Value| Duration(to_multiple(&v, &m, duration::truncate))));
}

/// A bad duration is zero, a bad multiple changes nothing.
fn to_multiple(v: &Value, m: &Value, f: fn(i64, i64) -> i64) -> i64 {
    match (to_duration(v), to_duration(m)) {
        (Ok(d), Ok(m)) => f(d, m),
        (Ok(d), Err(_)) => d,
        (Err(_), _) => 0,
    }
}

/// `asDuration`: nanoseconds of what a template value means.
fn to_duration(v: &Value) -> Result<i64, String> {
    if let Some(d) = as_duration(v) {
        return Ok(d);
    }
    match v {
        Value::Str(s) => from_text(s),
        Value::Nil => Err("invalid duration".into()),
        Value::Float(f) => from_float(*f),
        Value::Int(n) | Value::Int64(n) => from_int(i128::from(*n)),
        Value::OtherInt(k, n) => from_int(n.get(*k)),
        Value::Object(o) => match o.int() {
            Some(n) => from_int(n),
            None => Err(format!("unsupported duration type {}", o.go_type())),
        },
        other => Err(format!("unsupported duration type {}", type_name(other))),
    }
}

fn from_text(text: &[u8]) -> Result<i64, String> {
    let lossy = String::from_utf8_lossy(unicode::trim_space(text));
    let trimmed = &*lossy;
    if trimmed.is_empty() {
        return Err("empty duration".into());
    }
    if let Ok(d) = duration::parse(trimmed.as_bytes()) {
        return Ok(d);
    }
    match strconv::parse_float(trimmed) {
        Ok(f) => from_float(f),
        Err(_) => Err(format!("could not parse duration {}", strconv::quote(text))),
    }
}

fn from_int(seconds: i128) -> Result<i64, String> {
    let max = i128::from(i64::MAX / duration::SECOND);
    let min = i128::from(i64::MIN / duration::SECOND);
    if seconds > max || seconds < min {
        return Err(format!("duration seconds overflow: {seconds}"));
    }
    Ok(seconds as i64 * duration::SECOND)
}

fn from_float(seconds: f64) -> Result<i64, String> {
    if seconds.is_nan() || seconds.is_infinite() {
        return Err(format!("invalid duration seconds: {}", strconv::format_float(seconds, b'g', -1, 64)));
    }
    let limit = i64::MAX as f64 / duration::SECOND as f64;
    if seconds > limit || seconds < -limit {
        return Err(format!("duration seconds overflow: {}", strconv::format_float(seconds, b'g', -1, 64)));
    }
    let nanos = seconds * duration::SECOND as f64;
    if nanos > i64::MAX as f64 || nanos < i64::MIN as f64 {
        return Err(format!("duration nanoseconds overflow: {}", strconv::format_float(nanos, b'g', -1, 64)));
    }
    // 2^63 itself passes the check above and wraps in Go.
    Ok(if nanos >= i64::MAX as f64 { i64::MIN } else { nanos as i64 })
}

const fn type_name(v: &Value) -> &'static str {
    match v {
        Value::Map(m) if m.is_values() => "common.Values",
        Value::Map(_) => "map[string]interface {}",
        Value::List(_) => "[]interface {}",
        Value::Bytes(_) => "[]uint8",
        Value::Bool(_) => Kind::Bool.name(),
        _ => Kind::Invalid.name(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_charts_give() {
        for (v, want) in [
            (Value::from("1h2m"), Ok(3_720_000_000_000)),
            (" 90 ".into(), Ok(90_000_000_000)),
            ("2.5".into(), Ok(2_500_000_000)),
            (Value::Int(90), Ok(90_000_000_000)),
            (Value::Float(1.5), Ok(1_500_000_000)),
            (Value::object(Duration(7)), Ok(7)),
            ("".into(), Err("empty duration")),
            ("soon".into(), Err("could not parse duration \"soon\"")),
            (Value::Nil, Err("invalid duration")),
            (Value::Bool(true), Err("unsupported duration type bool")),
            (Value::Int(i64::MAX), Err("duration seconds overflow: 9223372036854775807")),
        ] {
            assert_eq!(to_duration(&v), want.map_err(str::to_owned), "{v:?}");
        }
    }
}
