//! An object as Go's `%#v` prints what it is decoded to: so kustomize begins its errors of objects that can't be written.

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
    let order = |key: &Node| (is_text_key(key), key.value.parse::<i64>().ok().filter(|_| !texts));
    fields.sort_by(|(a, _), (b, _)| (order(a), &a.value).cmp(&(order(b), &b.value)));
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
}
