//! Values that are neither scalars nor plain containers: Go structs, pointers and named types, with fields and methods.

use std::any::Any;
use std::borrow::Cow;
use std::fmt::Debug;
use std::sync::Arc;

use super::{Heap, Kind, Value};

/// A shared object.
pub type ObjectRef = Arc<dyn Object>;

/// What Go's reflection shows of a struct, a pointer or a named type.
///
/// The defaults describe a struct without fields or methods; implement what the Go type has.
pub trait Object: Debug + Send + Sync {
    /// For downcasting in functions that take this very type.
    fn as_any(&self) -> &dyn Any;

    /// The type as `%T` prints it, for example `time.Time` or `*semver.Version`.
    fn go_type(&self) -> Cow<'static, str>;

    fn kind(&self) -> Kind {
        Kind::Struct
    }

    fn truth(&self) -> bool {
        true
    }

    /// An exported field of the struct (or of what the pointer points to); for map kinds, a key.
    fn field(&self, _heap: &mut Heap, _name: &str) -> Option<Value> {
        None
    }

    /// Calls a method. `None`: there is no such method. `Err`: the text of the error that the method returned, or of its panic;
    /// a wrong number of arguments is answered as text/template does it (`wrong number of args for Name: want 1 got 0`).
    fn method(&self, _heap: &mut Heap, _name: &str, _args: &[Value]) -> Option<Result<Value, String>> {
        None
    }

    /// The Go types of a method's parameters (`["string"]`), so that text/template can count and convert the arguments. `None`: the
    /// object does not tell, and its [`Self::method`] checks what it gets.
    fn method_params(&self, _name: &str) -> Option<&'static [&'static str]> {
        None
    }

    /// What a function gets when this is passed to it, if that differs: Go passes copies, and a copied struct has lost the methods
    /// that need its address.
    fn copied(&self) -> Option<ObjectRef> {
        None
    }

    /// What `String()` or `Error()` returns: how `print` and `%v` show the value. `None`: the type has neither.
    fn string(&self) -> Option<String> {
        None
    }

    /// The exported and unexported fields in order, for `%v` and `%+v` of a struct without `String()`.
    fn fields(&self, _heap: &mut Heap) -> Vec<(&'static str, Value)> {
        Vec::new()
    }

    /// What `encoding/json` makes of it, as plain values (maps, lists, scalars). Structs tell their [`Self::json_fields`] instead.
    fn json(&self, heap: &mut Heap) -> Value {
        match self.json_fields(heap) {
            Some(fields) => Value::Map(heap.map_of(fields)),
            None => Value::Nil,
        }
    }

    /// The members that `encoding/json` writes of a struct, by their JSON names, in the order of the fields.
    fn json_fields(&self, _heap: &mut Heap) -> Option<Vec<(&'static str, Value)>> {
        None
    }

    /// As [`Self::json`], for types whose `MarshalJSON` can fail: the error as `encoding/json` words it.
    fn try_json(&self, heap: &mut Heap) -> Result<Value, String> {
        Ok(self.json(heap))
    }

    /// What `deepCopy` makes of it, if that differs: structs lose what is in unexported fields.
    fn deep_copied(&self) -> Option<ObjectRef> {
        None
    }

    /// For objects of slice or map kind: their elements (keys are strings for maps, ints for slices) in Go's range order.
    fn elements(&self, _heap: &mut Heap) -> Option<Vec<(Value, Value)>> {
        None
    }

    /// For objects of slice kind: Go's `object[start:end]`, which has the same type. The bounds are within its elements.
    fn part(&self, _start: usize, _end: usize) -> Option<Value> {
        None
    }

    /// For objects of an integer kind (`time.Duration`, `time.Month`): the number. For a nil pointer: 0.
    fn int(&self) -> Option<i128> {
        None
    }

    /// For objects of an integer kind: another number of the same type, as `range` makes them.
    fn with_int(&self, _n: i128) -> Option<Value> {
        None
    }

    /// For Go's complex numbers: real and imaginary part.
    fn complex(&self) -> Option<(f64, f64)> {
        None
    }
}
