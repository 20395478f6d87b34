//! The values that templates compute with.
//!
//! Go's maps and slices are references: `set` on one name is seen through every other, `merge` aliases nested maps,
//! and a file rendered early changes what a later file reads. Charts rely on all of it. Here every map and list lives in
//! one [`Heap`] per render, and a [`Value`] holds its id. Copying a `Value` copies the reference, as in Go; identity is
//! equality of ids; cycles are freed with the heap; and the whole is `Send` without locks or `unsafe`.
//!
//! Charts also see Go's types (`typeOf`, `kindIs`, `printf "%T"`, `eq 1 1.0` is an error), so the kinds are kept apart:
//! `int` is not `int64`, `[]string` is not `[]interface {}`, and strings are bytes that need not be UTF-8.

mod capacity;
pub mod copy;
pub mod equal;
mod heap;
pub mod json;
pub mod jsonpath;
mod object;
pub mod print;
mod text;

pub use heap::{Elem, Heap, List, ListId, Map, MapId, MapType};
pub use object::{Object, ObjectRef};
pub use text::Str;

/// One value of a template. Cheap to clone: scalars are copied, the rest are references.
#[derive(Clone, Debug, Default)]
pub enum Value {
    /// Untyped nil: a missing key, a YAML null, the literal `nil`.
    #[default]
    Nil,
    Bool(bool),
    /// Go `int`: literals, `len`, `int`, `atoi`.
    Int(i64),
    /// Go `int64`: `add`, `int64`, numbers of `--set`.
    Int64(i64),
    /// The rarer integer types, by their Go kind (`uint8` of an indexed string, `uint64` of a version's `.Major`).
    OtherInt(Kind, Bits),
    /// Go `float64`: every number of a values file.
    Float(f64),
    Str(Str),
    /// Go `[]byte`.
    Bytes(std::sync::Arc<[u8]>),
    Map(MapId),
    List(ListId),
    /// Structs, pointers and named types with methods: times, durations, versions, certificates, `.Files`, `.Capabilities`.
    Object(ObjectRef),
}

/// An integer's 64 bits, of which its kind says whether they have a sign. More would make every [`Value`] larger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bits(u64);

impl Bits {
    pub const fn get(self, kind: Kind) -> i128 {
        if kind.is_uint() { self.0 as i128 } else { self.0 as i64 as i128 }
    }
}

impl<T: Into<i128>> From<T> for Bits {
    fn from(n: T) -> Self {
        Self(n.into() as u64)
    }
}

const _: () = assert!(size_of::<Value>() == 24, "renders copy values all the time");

/// Go's `reflect.Kind`, with Go's spelling in [`Kind::name`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Invalid,
    Bool,
    Int,
    Int8,
    Int16,
    Int32,
    Int64,
    Uint,
    Uint8,
    Uint16,
    Uint32,
    Uint64,
    Float32,
    Float64,
    Complex128,
    String,
    Map,
    Slice,
    Struct,
    Ptr,
    Func,
    Interface,
}

impl Kind {
    /// The name as `kindOf` prints it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Int8 => "int8",
            Self::Int16 => "int16",
            Self::Int32 => "int32",
            Self::Int64 => "int64",
            Self::Uint => "uint",
            Self::Uint8 => "uint8",
            Self::Uint16 => "uint16",
            Self::Uint32 => "uint32",
            Self::Uint64 => "uint64",
            Self::Float32 => "float32",
            Self::Float64 => "float64",
            Self::Complex128 => "complex128",
            Self::String => "string",
            Self::Map => "map",
            Self::Slice => "slice",
            Self::Struct => "struct",
            Self::Ptr => "ptr",
            Self::Func => "func",
            Self::Interface => "interface",
        }
    }

    /// Signed integers, `int` to `int64`.
    pub const fn is_int(self) -> bool {
        matches!(self, Self::Int | Self::Int8 | Self::Int16 | Self::Int32 | Self::Int64)
    }

    /// Unsigned integers, `uint` to `uint64`.
    pub const fn is_uint(self) -> bool {
        matches!(self, Self::Uint | Self::Uint8 | Self::Uint16 | Self::Uint32 | Self::Uint64)
    }
}

impl Value {
    /// A Go string from anything that has bytes.
    pub fn str(s: impl AsRef<[u8]>) -> Self {
        Self::Str(Str::new(s))
    }

    /// An object (a struct, pointer or named type).
    pub fn object(o: impl Object + 'static) -> Self {
        Self::Object(std::sync::Arc::new(o))
    }

    /// True for untyped nil only; a nil slice or map of a type is not.
    pub const fn is_nil(&self) -> bool {
        matches!(self, Self::Nil)
    }

    /// Go's `reflect.Kind` of the value.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Nil => Kind::Invalid,
            Self::Bool(_) => Kind::Bool,
            Self::Int(_) => Kind::Int,
            Self::Int64(_) => Kind::Int64,
            Self::OtherInt(k, _) => *k,
            Self::Float(_) => Kind::Float64,
            Self::Str(_) => Kind::String,
            Self::Bytes(_) | Self::List(_) => Kind::Slice,
            Self::Map(_) => Kind::Map,
            Self::Object(o) => o.kind(),
        }
    }

    /// Go's type as `%T` prints it: `map[string]interface {}`, `[]string`, `*semver.Version`, `<nil>`.
    pub fn go_type(&self, heap: &Heap) -> String {
        match self {
            Self::Nil => "<nil>".into(),
            Self::Bytes(_) => "[]uint8".into(),
            Self::Map(m) if m.is_values() => "common.Values".into(),
            Self::Map(m) => heap.map(*m).ty.go_type().into(),
            Self::List(l) => format!("[]{}", heap.list(*l).elem.go_type()),
            Self::Object(o) => o.go_type().into_owned(),
            other => other.kind().name().into(),
        }
    }

    /// The string, if this is one.
    pub const fn as_str(&self) -> Option<&Str> {
        match self {
            Self::Str(s) => Some(s),
            _ => None,
        }
    }

    /// The integer of any integer kind.
    pub const fn as_int(&self) -> Option<i128> {
        match self {
            Self::Int(n) | Self::Int64(n) => Some(*n as i128),
            Self::OtherInt(k, n) => Some(n.get(*k)),
            _ => None,
        }
    }

    /// text/template's truth: zero, empty and nil are false, structs always true.
    pub fn truth(&self, heap: &Heap) -> bool {
        match self {
            Self::Nil => false,
            Self::Bool(b) => *b,
            Self::Int(n) | Self::Int64(n) => *n != 0,
            Self::OtherInt(k, n) => n.get(*k) != 0,
            Self::Float(f) => *f != 0.0,
            Self::Str(s) => !s.is_empty(),
            Self::Bytes(b) => !b.is_empty(),
            Self::Map(m) => !heap.map(*m).is_empty(),
            Self::List(l) => !heap.list(*l).items.is_empty(),
            Self::Object(o) => o.truth(),
        }
    }
}

impl From<bool> for Value {
    fn from(b: bool) -> Self {
        Self::Bool(b)
    }
}
impl From<f64> for Value {
    fn from(f: f64) -> Self {
        Self::Float(f)
    }
}
impl From<Str> for Value {
    fn from(s: Str) -> Self {
        Self::Str(s)
    }
}
impl From<&str> for Value {
    fn from(s: &str) -> Self {
        Self::str(s)
    }
}
impl From<String> for Value {
    fn from(s: String) -> Self {
        Self::str(s)
    }
}
impl From<Vec<u8>> for Value {
    /// Bytes as a Go *string*.
    fn from(s: Vec<u8>) -> Self {
        Self::str(s)
    }
}
