//! (interim)
use crate::value::{Heap, Value};
pub fn value(_heap: &Heap, v: &Value, out: &mut Vec<u8>) {
    match v {
        Value::Int(n) | Value::Int64(n) => out.extend_from_slice(n.to_string().as_bytes()),
        Value::Float(n) => out.extend_from_slice(n.to_string().as_bytes()),
        Value::Str(s) => out.extend_from_slice(s),
        _ => out.extend_from_slice(format!("{v:?}").as_bytes()),
    }
}
