//! Sprig's `semver` and `semverCompare`, and the `*semver.Version` that templates call methods on.
//!
//! Source: sprig `semver.go` over Masterminds/semver v3.

use std::any::Any;
use std::borrow::Cow;
use std::cmp::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use crate::golang::semver::Version;
use crate::golang::semver_constraint::Constraint;
use crate::gotmpl::{CallError, FuncTable, Ret, Ty, pure};
use crate::value::{Heap, Kind, Object, ObjectRef, Str, Value, json};

pub fn register(table: &mut FuncTable) {
    table.add(pure("semver", |version: Str| -> Result<Pointer, CallError> {
        Version::new(&version).map(Pointer).map_err(CallError::Msg)
    }));
    table.add(pure("semverCompare", |constraint: Str, version: Str| -> Result<bool, CallError> {
        let constraint = Constraint::new(&constraint).map_err(CallError::Msg)?;
        let version = Version::new(&version).map_err(CallError::Msg)?;
        Ok(constraint.check(&version))
    }));
}

/// What `semver` returns.
struct Pointer(Version);

impl Ret for Pointer {
    const TY: Ty = Ty::Object("*semver.Version");
    fn give(self) -> Result<Value, CallError> {
        Ok(Value::object(VersionObject::new(self.0, true)))
    }
}

/// A version in a template: `*semver.Version`, or `semver.Version` as the methods that make a new one return it (such a value
/// has no pointer methods, as in Go).
#[derive(Debug)]
pub struct VersionObject {
    /// What the pointer points to: `Scan` and the `Unmarshal` methods change it.
    version: Mutex<Version>,
    pointer: bool,
}

impl VersionObject {
    pub const fn new(version: Version, pointer: bool) -> Self {
        Self { version: Mutex::new(version), pointer }
    }

    pub fn version(&self) -> Version {
        // A version is replaced as a whole: it is sound even if a thread died.
        self.version.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn value(version: Version) -> Value {
        Value::object(Self::new(version, false))
    }

    /// Takes over another version, and returns the error as a value, as the methods that parse do.
    fn assign(&self, version: Result<Version, String>) -> Value {
        match version {
            Ok(version) => {
                *self.version.lock().unwrap_or_else(PoisonError::into_inner) = version;
                Value::object(ErrorObject(None))
            }
            Err(text) => Value::object(ErrorObject(Some(text))),
        }
    }
}

/// An error that a method returned as its only result; `None` is a nil one, which prints as `<nil>` and not as a missing value.
#[derive(Debug)]
struct ErrorObject(Option<String>);

impl Object for ErrorObject {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn go_type(&self) -> Cow<'static, str> {
        if self.0.is_some() { "*errors.errorString" } else { "<nil>" }.into()
    }

    fn kind(&self) -> Kind {
        if self.0.is_some() { Kind::Ptr } else { Kind::Invalid }
    }

    fn truth(&self) -> bool {
        self.0.is_some()
    }

    fn method_params(&self, name: &str) -> Option<&'static [&'static str]> {
        (name == "Error" && self.0.is_some()).then_some(&[])
    }

    fn method(&self, _heap: &mut Heap, name: &str, _args: &[Value]) -> Option<Result<Value, String>> {
        self.0.as_ref().filter(|_| name == "Error").map(|text| Ok(Value::str(text)))
    }

    fn string(&self) -> Option<String> {
        Some(self.0.clone().unwrap_or_else(|| "<nil>".into()))
    }
}

impl Object for VersionObject {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn go_type(&self) -> Cow<'static, str> {
        if self.pointer { "*semver.Version" } else { "semver.Version" }.into()
    }

    fn kind(&self) -> Kind {
        if self.pointer { Kind::Ptr } else { Kind::Struct }
    }

    fn method_params(&self, name: &str) -> Option<&'static [&'static str]> {
        match name {
            "Major" | "Minor" | "Patch" | "Prerelease" | "Metadata" | "String" | "IncMajor" | "IncMinor"
            | "IncPatch" | "MarshalJSON" | "MarshalText" | "Value" => Some(&[]),
            "SetPrerelease" | "SetMetadata" => Some(&["string"]),
            "Original" if self.pointer => Some(&[]),
            "Scan" if self.pointer => Some(&["interface {}"]),
            "UnmarshalText" | "UnmarshalJSON" if self.pointer => Some(&["[]uint8"]),
            "Compare" | "Equal" | "LessThan" | "LessThanEqual" | "GreaterThan" | "GreaterThanEqual" if self.pointer => {
                Some(&["*semver.Version"])
            }
            _ => None,
        }
    }

    fn method(&self, heap: &mut Heap, name: &str, args: &[Value]) -> Option<Result<Value, String>> {
        let v = &self.version();
        let uint = |n: u64| Value::OtherInt(Kind::Uint64, n.into());
        let want = self.method_params(name)?.len();
        if args.len() != want {
            return Some(Err(format!("wrong number of args for {name}: want {want} got {}", args.len())));
        }
        Some(match name {
            "Major" => Ok(uint(v.major)),
            "Minor" => Ok(uint(v.minor)),
            "Patch" => Ok(uint(v.patch)),
            "Prerelease" => Ok(Value::str(&v.pre)),
            "Metadata" => Ok(Value::str(&v.metadata)),
            "Original" => Ok(Value::str(&v.original)),
            "String" | "Value" => Ok(Value::str(v.to_string())),
            "IncMajor" => v.inc_major().map(Self::value),
            "IncMinor" => v.inc_minor().map(Self::value),
            "IncPatch" => v.inc_patch().map(Self::value),
            "MarshalText" => Ok(Value::Bytes(Arc::from(v.to_string().into_bytes()))),
            "MarshalJSON" => Ok(Value::Bytes(Arc::from(format!("\"{v}\"").into_bytes()))),
            "SetPrerelease" => text(&args[0]).and_then(|s| v.set_prerelease(&s)).map(Self::value),
            "SetMetadata" => text(&args[0]).and_then(|s| v.set_metadata(&s)).map(Self::value),
            "Scan" => Ok(self.assign(scan(heap, &args[0]))),
            "UnmarshalText" => Ok(self.assign(Version::new(bytes(&args[0])))),
            "UnmarshalJSON" => Ok(self.assign(match json::decode(heap, bytes(&args[0])) {
                Ok(Value::Str(s)) => Version::new(&s),
                Ok(Value::Nil) => Version::new(""),
                Ok(other) => Err(format!("json: cannot unmarshal {} into Go value of type string", json_kind(&other))),
                Err(e) => Err(e),
            })),
            "Equal" if args[0].is_nil() => Ok(false.into()),
            _ => pointer(&args[0]).map(|o| {
                let order = v.compare(&o);
                match name {
                    "Equal" => order.is_eq().into(),
                    "LessThan" => order.is_lt().into(),
                    "LessThanEqual" => order.is_le().into(),
                    "GreaterThan" => order.is_gt().into(),
                    "GreaterThanEqual" => order.is_ge().into(),
                    _ => Value::Int(match order {
                        Ordering::Less => -1,
                        Ordering::Equal => 0,
                        Ordering::Greater => 1,
                    }),
                }
            }),
        })
    }

    fn string(&self) -> Option<String> {
        Some(self.version().to_string())
    }

    fn fields(&self, _heap: &mut Heap) -> Vec<(&'static str, Value)> {
        let v = &self.version();
        let uint = |n: u64| Value::OtherInt(Kind::Uint64, n.into());
        vec![
            ("major", uint(v.major)),
            ("minor", uint(v.minor)),
            ("patch", uint(v.patch)),
            ("pre", Value::str(&v.pre)),
            ("metadata", Value::str(&v.metadata)),
            ("original", Value::str(&v.original)),
        ]
    }

    fn json(&self, _heap: &mut Heap) -> Value {
        Value::str(self.version().to_string())
    }

    fn deep_copied(&self) -> Option<ObjectRef> {
        // Every field is unexported: a copy is the zero version.
        let text = String::new;
        let version = Version { major: 0, minor: 0, patch: 0, pre: text(), metadata: text(), original: text() };
        Some(Arc::new(Self::new(version, self.pointer)))
    }
}

fn text(arg: &Value) -> Result<String, String> {
    match arg {
        Value::Str(s) => Ok(s.to_text().into_owned()),
        other => Err(mismatch("string", other)),
    }
}

fn pointer(arg: &Value) -> Result<Version, String> {
    match arg {
        Value::Object(o) => match o.as_any().downcast_ref::<VersionObject>() {
            Some(o) if o.pointer => Ok(o.version()),
            _ => Err(mismatch("*semver.Version", arg)),
        },
        Value::Nil => Err("runtime error: invalid memory address or nil pointer dereference".into()),
        other => Err(mismatch("*semver.Version", other)),
    }
}

/// `Version.Scan`, made for databases.
fn scan(heap: &Heap, value: &Value) -> Result<Version, String> {
    match value {
        Value::Str(s) => Version::new(s),
        Value::Bytes(b) => Version::new(b),
        Value::Nil => Err("cannot scan nil into Version".into()),
        other => Err(format!("unsupported Scan type {}", other.go_type(heap))),
    }
}

/// A `[]byte`; nil is an empty one.
fn bytes(arg: &Value) -> &[u8] {
    match arg {
        Value::Bytes(b) => b,
        Value::Str(s) => s,
        _ => b"",
    }
}

/// What encoding/json calls a value that is no string.
const fn json_kind(value: &Value) -> &'static str {
    match value {
        Value::Bool(_) => "bool",
        Value::Map(_) => "object",
        Value::List(_) => "array",
        _ => "number",
    }
}

fn mismatch(want: &str, got: &Value) -> String {
    // The types that can come here print the same without their heap.
    format!("wrong type for value; expected {want}; got {}", got.go_type(&Heap::new()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(version: &str, name: &str, args: &[Value]) -> Result<Value, String> {
        let object = VersionObject::new(Version::new(version).unwrap(), true);
        object.method(&mut Heap::new(), name, args).unwrap()
    }

    #[test]
    fn methods() {
        for (version, name, want) in [
            ("v1.2.3-a+b", "Prerelease", "a"),
            ("v1.2.3-a+b", "Metadata", "b"),
            ("v1.2", "Original", "v1.2"),
            ("v1.2", "String", "1.2.0"),
        ] {
            assert_eq!(*call(version, name, &[]).unwrap().as_str().unwrap(), want);
        }
        assert_eq!(call("3.2.1", "Major", &[]).unwrap().as_int(), Some(3));
        assert_eq!(call("3", "Major", &[Value::Int(1)]).unwrap_err(), "wrong number of args for Major: want 0 got 1");
        let other = Value::object(VersionObject::new(Version::new("2").unwrap(), true));
        assert_eq!(call("3", "Compare", &[other]).unwrap().as_int(), Some(1));
    }

    #[test]
    fn methods_that_parse_change_the_version() {
        let object = VersionObject::new(Version::new("1").unwrap(), true);
        let heap = &mut Heap::new();
        assert!(!object.method(heap, "Scan", &["2.3".into()]).unwrap().unwrap().truth(heap));
        assert_eq!(object.string().unwrap(), "2.3.0");
        let Some(Ok(Value::Object(error))) = object.method(heap, "Scan", &[Value::Int(1)]) else { panic!("an error") };
        assert_eq!(error.string().unwrap(), "unsupported Scan type int");
        let json = Value::Bytes(b"\"4.0.0\"".to_vec().into());
        assert!(!object.method(heap, "UnmarshalJSON", &[json]).unwrap().unwrap().truth(heap));
        assert_eq!(object.string().unwrap(), "4.0.0");
        assert_eq!(object.deep_copied().unwrap().string().unwrap(), "0.0.0");
    }

    #[test]
    fn new_versions_are_values() {
        let Ok(Value::Object(next)) = call("v1.2.3-rc.1", "IncPatch", &[]) else { panic!("an object") };
        assert_eq!(next.go_type(), "semver.Version");
        assert_eq!(next.string().unwrap(), "1.2.3");
        assert!(next.method(&mut Heap::new(), "Original", &[]).is_none());
    }
}
