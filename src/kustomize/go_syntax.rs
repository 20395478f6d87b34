//! An object as Go's `%#v` prints what it is decoded to: so kustomize begins its errors of objects that can't be written.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt::Write as _;

use super::emit::is_text_key;
use super::node::{Kind, Node, Value};
use crate::golang::strconv::{format_float, quote};

/// An object's root: `map[string]interface {}{"apiVersion":"v1"}`.
pub fn object(node: &Node) -> String {
    let mut out = String::new();
    map(node, true, &mut out);
    out
}

/// What an object is that can't be decoded.
pub const NIL: &str = "map[string]interface {}(nil)";

fn map(node: &Node, top: bool, out: &mut String) {
    let texts = top || node.fields().all(|(key, _)| is_text_key(key));
    let mut fields: Vec<(&Node, &Node)> = node.fields().collect();
    match texts {
        true => fields.sort_by(|(a, _), (b, _)| a.value.cmp(&b.value)),
        false => fields.sort_by(|(a, _), (b, _)| compare(&key(a), &key(b))),
    }
    out.push_str(if texts { "map[string]interface {}{" } else { "map[interface {}]interface {}{" });
    for (i, (key, value)) in fields.into_iter().enumerate() {
        if i > 0 {
            out.push_str(", ");
        }
        if texts {
            out.push_str(&quote(key.value.as_bytes()));
        } else {
            any(key, out);
        }
        out.push(':');
        any(value, out);
    }
    out.push('}');
}

/// A value within an object.
pub fn value(node: &Node) -> String {
    let mut out = String::new();
    any(node, &mut out);
    out
}

fn key(node: &Node) -> Value<'_> {
    if is_text_key(node) {
        Value::Str(Cow::Borrowed(&node.value))
    } else {
        node.scalar_value(false).unwrap_or(Value::Null)
    }
}

/// The order of keys in a map of any types: that of the types, which Go takes from where they lie in the program, then that of the values.
fn compare(a: &Value<'_>, b: &Value<'_>) -> Ordering {
    match (a, b) {
        (Value::Str(a), Value::Str(b)) => a.cmp(b),
        (Value::Uint(a), Value::Uint(b)) => a.cmp(b),
        (Value::Int(a), Value::Int(b)) => a.cmp(b),
        (Value::Float(a), Value::Float(b)) => a.total_cmp(b),
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        _ => rank(a).cmp(&rank(b)),
    }
}

fn rank(value: &Value<'_>) -> u8 {
    match value {
        Value::Null => 0,
        Value::Str(_) => 1,
        Value::Uint(_) => 2,
        Value::Int(_) => 3,
        Value::Float(_) => 4,
        Value::Bool(_) => 5,
    }
}

fn any(node: &Node, out: &mut String) {
    match node.kind {
        Kind::Zero => out.push_str("interface {}(nil)"),
        Kind::Mapping => map(node, false, out),
        Kind::Sequence => {
            out.push_str("[]interface {}{");
            for (i, item) in node.content.iter().enumerate() {
                if i > 0 {
                    out.push_str(", ");
                }
                any(item, out);
            }
            out.push('}');
        }
        Kind::Scalar => match node.scalar_value(false) {
            Ok(Value::Null) | Err(_) => out.push_str("interface {}(nil)"),
            Ok(Value::Bool(b)) => out.push_str(if b { "true" } else { "false" }),
            Ok(Value::Int(n)) => drop(write!(out, "{n}")),
            Ok(Value::Uint(n)) => drop(write!(out, "0x{n:x}")),
            Ok(Value::Float(f)) => out.push_str(&format_float(f, b'g', -1, 64)),
            Ok(Value::Str(s)) => out.push_str(&quote(s.as_bytes())),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_go_prints_it() {
        let text = "b: [1, 2.5, true, null, \"x\\ny\"]\na: {9110: z, 55: y}\nc: {\"1\": ~}\n1: {}\n";
        let node = crate::kustomize::read::parse(text.as_bytes()).unwrap().unwrap();
        let want = "map[string]interface {}{\"1\":map[string]interface {}{}, \"a\":map[interface {}]interface {}{55:\"y\", 9110:\"z\"}, \
                    \"b\":[]interface {}{1, 2.5, true, interface {}(nil), \"x\\ny\"}, \"c\":map[string]interface {}{\"1\":interface {}(nil)}}";
        assert_eq!(object(&node), want);
    }

    #[test]
    fn keys_of_several_types_are_in_the_order_of_the_types() {
        let text = "a: {true: 1, 1: 2, x: 3, 1.5: 4, false: 5, -4: 6, 18446744073709551615: 7, 1e30: 8}\n";
        let node = crate::kustomize::read::parse(text.as_bytes()).unwrap().unwrap();
        let want = "map[string]interface {}{\"a\":map[interface {}]interface {}{\"x\":3, 0xffffffffffffffff:7, -4:6, 1:2, 1.5:4, 1e+30:8, \
                    false:5, true:1}}";
        assert_eq!(object(&node), want);
    }
}
