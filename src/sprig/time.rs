//! `time.Time`, `time.Duration` and their small companions as values of a template: what `{{ (now).Year }}` calls.
//!
//! The methods are those of Go 1.26 that a template can call, which are those with one result.

use std::any::Any;
use std::borrow::Cow;
use std::cmp::Ordering;

use crate::golang::duration;
use crate::golang::time::{Location, MONTHS, Time, WEEKDAYS};
use crate::gotmpl::{Arg, CallError, Ret, Ty};
use crate::value::{Heap, Kind, Object, Value};

/// The Go types defined here as integers with names: they print by name and compute as numbers.
macro_rules! named_int {
    ($(#[$doc:meta])* $name:ident, $go:literal, $kind:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name(pub i64);

        impl Object for $name {
            fn as_any(&self) -> &dyn Any {
                self
            }
            fn go_type(&self) -> Cow<'static, str> {
                $go.into()
            }
            fn kind(&self) -> Kind {
                $kind
            }
            fn truth(&self) -> bool {
                self.0 != 0
            }
            fn int(&self) -> Option<i128> {
                Some(self.0.into())
            }
            fn with_int(&self, n: i128) -> Option<Value> {
                i64::try_from(n).ok().map(|n| Value::object(Self(n)))
            }
            fn string(&self) -> Option<String> {
                Some(self.text())
            }
            fn json(&self, _heap: &mut Heap) -> Value {
                Value::Int64(self.0)
            }
            fn method_params(&self, name: &str) -> Option<&'static [&'static str]> {
                match name {
                    "Round" | "Truncate" if $kind == Kind::Int64 => Some(&["time.Duration"]),
                    _ => None,
                }
            }
            fn method(&self, _heap: &mut Heap, name: &str, args: &[Value]) -> Option<Result<Value, String>> {
                self.call(name, args)
            }
        }
    };
}

named_int!(
    /// `time.Duration`, in nanoseconds.
    Duration,
    "time.Duration",
    Kind::Int64
);
named_int!(
    /// `time.Month`, 1 to 12.
    Month,
    "time.Month",
    Kind::Int
);
named_int!(
    /// `time.Weekday`, 0 for Sunday.
    Weekday,
    "time.Weekday",
    Kind::Int
);

/// Checks the number of arguments as text/template does.
fn expect(name: &str, want: usize, args: &[Value]) -> Result<(), String> {
    if args.len() == want {
        return Ok(());
    }
    Err(format!("wrong number of args for {name}: want {want} got {}", args.len()))
}

fn wrong_type(want: &str, got: &Value) -> String {
    let ty = match got {
        Value::Nil => return format!("invalid value; expected {want}"),
        Value::Object(o) => o.go_type(),
        Value::Map(_) => "map[string]interface {}".into(),
        Value::List(_) | Value::Bytes(_) => "[]interface {}".into(),
        other => other.kind().name().into(),
    };
    format!("wrong type for value; expected {want}; got {ty}")
}

/// An integer argument. Integers of every kind convert, and so do floats without a fraction: a constant `1.5e9` is an integer to
/// text/template where one is wanted, and it cannot be told from a computed float here.
fn integer(want: &str, v: &Value) -> Result<i64, String> {
    let n = match v {
        Value::Object(o) => o.int(),
        Value::Float(f) if f.fract() == 0.0 && f.abs() < 9.2e18 => Some(*f as i128),
        other => other.as_int(),
    };
    n.map(|n| n as i64).ok_or_else(|| wrong_type(want, v))
}

fn time(v: &Value) -> Result<&Time, String> {
    as_time(v).ok_or_else(|| wrong_type("time.Time", v))
}

/// A `[]byte` and more bytes; nil is an empty one.
fn appended(to: &Value, more: &[u8]) -> Value {
    let before: &[u8] = if let Value::Bytes(b) = to { b } else { &[] };
    Value::Bytes([before, more].concat().into())
}

/// The time, if the value is one.
pub fn as_time(v: &Value) -> Option<&Time> {
    match v {
        Value::Object(o) => o.as_any().downcast_ref(),
        _ => None,
    }
}

/// The duration in nanoseconds, if the value is a `time.Duration`.
pub fn as_duration(v: &Value) -> Option<i64> {
    match v {
        Value::Object(o) => o.as_any().downcast_ref::<Duration>().map(|d| d.0),
        _ => None,
    }
}

impl Duration {
    fn text(self) -> String {
        duration::string(self.0)
    }

    fn call(self, name: &str, args: &[Value]) -> Option<Result<Value, String>> {
        let d = self.0;
        let none = |v: Value| Some(expect(name, 0, args).map(|()| v));
        let one = |f: fn(i64, i64) -> i64| {
            let run = || {
                expect(name, 1, args)?;
                Ok(Value::object(Self(f(d, integer("time.Duration", &args[0])?))))
            };
            Some(run())
        };
        match name {
            "String" => none(self.text().into()),
            "Nanoseconds" => none(Value::Int64(d)),
            "Microseconds" => none(Value::Int64(d / duration::MICROSECOND)),
            "Milliseconds" => none(Value::Int64(d / duration::MILLISECOND)),
            "Seconds" => none(Value::Float(duration::seconds(d))),
            "Minutes" => none(Value::Float(duration::minutes(d))),
            "Hours" => none(Value::Float(duration::hours(d))),
            "Abs" => none(Value::object(Self(duration::abs(d)))),
            "Round" => one(duration::round),
            "Truncate" => one(duration::truncate),
            _ => None,
        }
    }
}

impl Month {
    fn text(self) -> String {
        let name = usize::try_from(self.0.wrapping_sub(1)).ok().and_then(|i| MONTHS.get(i));
        name.map_or_else(|| format!("%!Month({})", self.0), ToString::to_string)
    }

    fn call(self, name: &str, args: &[Value]) -> Option<Result<Value, String>> {
        (name == "String").then(|| expect(name, 0, args).map(|()| self.text().into()))
    }
}

impl Weekday {
    fn text(self) -> String {
        let name = usize::try_from(self.0).ok().and_then(|i| WEEKDAYS.get(i));
        name.map_or_else(|| format!("%!Weekday({})", self.0), ToString::to_string)
    }

    fn call(self, name: &str, args: &[Value]) -> Option<Result<Value, String>> {
        (name == "String").then(|| expect(name, 0, args).map(|()| self.text().into()))
    }
}

/// A nil pointer of this type, in a struct that is printed field by field.
#[derive(Debug)]
struct NilPointer(&'static str);

impl Object for NilPointer {
    fn as_any(&self) -> &dyn Any {
        self
    }
    fn go_type(&self) -> Cow<'static, str> {
        self.0.into()
    }
    fn kind(&self) -> Kind {
        Kind::Ptr
    }
    fn truth(&self) -> bool {
        false
    }
    fn int(&self) -> Option<i128> {
        Some(0)
    }
}

impl Object for Location {
    fn as_any(&self) -> &dyn Any {
        self
    }
    fn go_type(&self) -> Cow<'static, str> {
        "*time.Location".into()
    }
    fn kind(&self) -> Kind {
        Kind::Ptr
    }
    fn string(&self) -> Option<String> {
        Some(self.name().to_owned())
    }
    fn json(&self, heap: &mut Heap) -> Value {
        // A struct without exported fields.
        Value::Map(heap.new_map())
    }
    fn fields(&self, heap: &mut Heap) -> Vec<(&'static str, Value)> {
        // Without its transitions: a location that prints in full is one that was given to a verb for something else.
        let offset = self.fixed_offset().map(|seconds| Value::Int(seconds.into()));
        vec![
            ("name", self.name().into()),
            ("zone", Value::List(heap.list_of(offset.into_iter().collect()))),
            ("tx", Value::List(heap.list_of(Vec::new()))),
            ("extend", "".into()),
            ("cacheStart", Value::Int64(0)),
            ("cacheEnd", Value::Int64(0)),
            ("cacheZone", Value::object(NilPointer("*time.zone"))),
        ]
    }
    fn method(&self, _heap: &mut Heap, name: &str, args: &[Value]) -> Option<Result<Value, String>> {
        (name == "String").then(|| expect(name, 0, args).map(|()| self.name().into()))
    }
}

impl Object for Time {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn go_type(&self) -> Cow<'static, str> {
        "time.Time".into()
    }

    fn string(&self) -> Option<String> {
        Some(Self::string(self))
    }

    fn json(&self, _heap: &mut Heap) -> Value {
        self.rfc3339().map_or(Value::Nil, Value::from)
    }

    fn try_json(&self, _heap: &mut Heap) -> Result<Value, String> {
        let wrap = |e| format!("json: error calling MarshalJSON for type time.Time: Time.MarshalJSON: {e}");
        self.rfc3339().map(Value::from).map_err(wrap)
    }

    /// What verbs show that are not for strings.
    fn fields(&self, _heap: &mut Heap) -> Vec<(&'static str, Value)> {
        const YEAR_1: i64 = -62_135_596_800;
        // Go keeps no location for UTC.
        let location = self.location();
        let loc = if location.is_utc() {
            Value::object(NilPointer("*time.Location"))
        } else {
            Value::object(location.clone())
        };
        vec![
            ("wall", Value::OtherInt(Kind::Uint64, self.nanosecond().into())),
            ("ext", Value::Int64(self.unix_seconds().wrapping_sub(YEAR_1))),
            ("loc", loc),
        ]
    }

    fn method_params(&self, name: &str) -> Option<&'static [&'static str]> {
        match name {
            "Format" => Some(&["string"]),
            "Add" | "Round" | "Truncate" => Some(&["time.Duration"]),
            "AddDate" => Some(&["int", "int", "int"]),
            "Before" | "After" | "Equal" | "Compare" | "Sub" => Some(&["time.Time"]),
            "In" => Some(&["*time.Location"]),
            "AppendFormat" => Some(&["[]uint8", "string"]),
            "AppendText" => Some(&["[]uint8"]),
            _ => None,
        }
    }

    fn method(&self, _heap: &mut Heap, name: &str, args: &[Value]) -> Option<Result<Value, String>> {
        let get = |f: &dyn Fn() -> Value| Some(expect(name, 0, args).map(|()| f()));
        let against = |f: &dyn Fn(&Self) -> Value| {
            let run = || {
                expect(name, 1, args)?;
                Ok(f(time(&args[0])?))
            };
            Some(run())
        };
        let by_duration = |f: fn(&Self, i64) -> Self| {
            let run = || {
                expect(name, 1, args)?;
                Ok(Value::object(f(self, integer("time.Duration", &args[0])?)))
            };
            Some(run())
        };
        let is = |u: &Self, wanted: Ordering| Value::Bool(self.compare(u) == wanted);
        match name {
            "String" => get(&|| Self::string(self).into()),
            "GoString" => get(&|| self.go_string().into()),
            "Format" => Some(expect(name, 1, args).and_then(|()| match &args[0] {
                Value::Str(layout) => Ok(self.format(layout).into()),
                other => Err(wrong_type("string", other)),
            })),
            "Unix" => get(&|| Value::Int64(self.unix_seconds())),
            "UnixMilli" => get(&|| Value::Int64(self.unix_millis())),
            "UnixMicro" => get(&|| Value::Int64(self.unix_micros())),
            "UnixNano" => get(&|| Value::Int64(self.unix_nanos())),
            "Year" => get(&|| Value::Int(self.date().year)),
            "Month" => get(&|| Value::object(Month(self.date().month.into()))),
            "Day" => get(&|| Value::Int(self.date().day.into())),
            "YearDay" => get(&|| Value::Int(self.date().yearday.into())),
            "Weekday" => get(&|| Value::object(Weekday(self.weekday().into()))),
            "Hour" => get(&|| Value::Int(self.clock().0.into())),
            "Minute" => get(&|| Value::Int(self.clock().1.into())),
            "Second" => get(&|| Value::Int(self.clock().2.into())),
            "Nanosecond" => get(&|| Value::Int(self.nanosecond().into())),
            "IsZero" => get(&|| Value::Bool(self.is_zero())),
            "IsDST" => get(&|| Value::Bool(self.zone().dst)),
            "UTC" => get(&|| Value::object(self.in_location(Location::utc()))),
            // What is not in the local zone already does not know it: the zone comes from the host.
            "Local" => get(&|| {
                let local = if self.location().is_local() { self.location().clone() } else { Location::local("UTC") };
                Value::object(self.in_location(local))
            }),
            "Location" => get(&|| Value::object(self.location().clone())),
            "In" => Some(expect(name, 1, args).and_then(|()| match &args[0] {
                Value::Object(o) if o.as_any().is::<Location>() => {
                    let location = o.as_any().downcast_ref::<Location>().cloned().unwrap_or_else(Location::utc);
                    Ok(Value::object(self.in_location(location)))
                }
                Value::Nil => Err("time: missing Location in call to Time.In".into()),
                other => Err(wrong_type("*time.Location", other)),
            })),
            "Add" => by_duration(Self::add),
            "Round" => by_duration(Self::round),
            "Truncate" => by_duration(Self::truncate),
            "AddDate" => Some(expect(name, 3, args).and_then(|()| {
                let [years, months, days] =
                    [integer("int", &args[0])?, integer("int", &args[1])?, integer("int", &args[2])?];
                Ok(Value::object(self.add_date(years, months, days)))
            })),
            "Sub" => against(&|u| Value::object(Duration(self.sub(u)))),
            "Before" => against(&|u| is(u, Ordering::Less)),
            "After" => against(&|u| is(u, Ordering::Greater)),
            "Equal" => against(&|u| is(u, Ordering::Equal)),
            "Compare" => against(&|u| Value::Int(self.compare(u) as i64)),
            "Clock" | "Date" => Some(Err(format!("function {name} has 3 return values; should be 1 or 2"))),
            "Zone" | "ISOWeek" => {
                Some(Err(format!("invalid function signature for {name}: second return value should be error; is int")))
            }
            "ZoneBounds" => Some(Err(format!(
                "invalid function signature for {name}: second return value should be error; is time.Time"
            ))),
            "AppendFormat" => Some(expect(name, 2, args).and_then(|()| {
                let Value::Str(layout) = &args[1] else { return Err(wrong_type("string", &args[1])) };
                Ok(appended(&args[0], &self.format(layout)))
            })),
            "AppendText" => Some(
                expect(name, 1, args)
                    .and_then(|()| self.rfc3339().map_err(|e| format!("Time.AppendText: {e}")))
                    .map(|s| appended(&args[0], s.as_bytes())),
            ),
            "MarshalText" => Some(
                expect(name, 0, args)
                    .and_then(|()| self.rfc3339().map_err(|e| format!("Time.MarshalText: {e}")))
                    .map(|s| Value::Bytes(s.as_bytes().into())),
            ),
            "MarshalJSON" => Some(
                expect(name, 0, args)
                    .and_then(|()| self.rfc3339().map_err(|e| format!("Time.MarshalJSON: {e}")))
                    .map(|s| Value::Bytes(format!("\"{s}\"").as_bytes().into())),
            ),
            _ => None,
        }
    }
}

impl Arg for Time {
    const TY: Ty = Ty::Object("time.Time");
    fn take(args: &mut std::slice::IterMut<'_, Value>) -> Result<Self, CallError> {
        let v = args.next().map_or(&Value::Nil, |v| &*v);
        time(v).cloned().map_err(CallError::Msg)
    }
}

impl Ret for Time {
    const TY: Ty = Ty::Object("time.Time");
    fn give(self) -> Result<Value, CallError> {
        Ok(Value::object(self))
    }
}

impl Ret for Duration {
    const TY: Ty = Ty::Object("time.Duration");
    fn give(self) -> Result<Value, CallError> {
        Ok(Value::object(self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(v: &Value, name: &str, args: &[Value]) -> Result<Value, String> {
        let Value::Object(o) = v else { panic!("not an object") };
        o.method(&mut Heap::new(), name, args).expect("no such method")
    }

    fn shown(v: &Value) -> String {
        match v {
            Value::Object(o) => o.string().unwrap(),
            Value::Str(s) => s.to_string(),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn methods_of_a_time() {
        let t = Value::object(Time::unix(1_700_000_000, 0, Location::utc()));
        for (name, args, want) in [
            ("Month", vec![], "November"),
            ("Weekday", vec![], "Tuesday"),
            ("Year", vec![], "Int(2023)"),
            ("Unix", vec![], "Int64(1700000000)"),
            ("Format", vec!["15:04".into()], "22:13"),
            ("Add", vec![Value::Int(1_000_000_000)], "2023-11-14 22:13:21 +0000 UTC"),
            ("AddDate", vec![Value::Int(0), Value::Int(4), Value::Int(0)], "2024-03-14 22:13:20 +0000 UTC"),
            ("Sub", vec![Value::object(Time::unix(1_600_000_000, 0, Location::utc()))], "27777h46m40s"),
        ] {
            assert_eq!(shown(&call(&t, name, &args).unwrap()), want, "{name}");
        }
        assert_eq!(call(&t, "Format", &[]).unwrap_err(), "wrong number of args for Format: want 1 got 0");
        assert_eq!(
            call(&t, "Before", &[Value::Int(1)]).unwrap_err(),
            "wrong type for value; expected time.Time; got int"
        );
    }

    #[test]
    fn methods_of_a_duration() {
        let d = Value::object(Duration(90 * duration::MINUTE));
        assert!(matches!(call(&d, "Hours", &[]), Ok(Value::Float(h)) if h == 1.5));
        assert_eq!(shown(&call(&d, "Round", &[Value::Int64(duration::HOUR)]).unwrap()), "2h0m0s");
        assert_eq!(Month(13).text(), "%!Month(13)");
    }
}
