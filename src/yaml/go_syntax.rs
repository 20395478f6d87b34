//! Values in Go syntax (`%#v`), as some error texts show them.

use std::cmp::Ordering;

use super::data::{self, Data};
use super::resolve::Scalar;
use super::tree::{NodeId, Tree};
use crate::golang::strconv::{self, format_float};

/// The value of a node, as `%#v` prints what go-yaml decodes it to.
pub fn of_node(tree: &Tree<'_>, id: NodeId) -> String {
    let sub = data::decode_node(tree, id);
    let mut out = String::new();
    write(&sub, true, &mut out);
    out
}

/// `%#v` of a value; `top` is false inside a collection, where nil shows its type.
pub fn write(value: &Data<'_>, top: bool, out: &mut String) {
    match value {
        Data::Scalar(s) => scalar(s, top, out),
        Data::List(items) => {
            out.push_str("[]interface {}{");
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push_str(", ");
                }
                write(item, false, out);
            }
            out.push('}');
        }
        Data::Map(entries) => {
            out.push_str("map[interface {}]interface {}{");
            let mut entries: Vec<_> = entries.iter().collect();
            entries.sort_by(|a, b| compare_keys(&a.0, &b.0));
            for (i, (k, v)) in entries.into_iter().enumerate() {
                if i > 0 {
                    out.push_str(", ");
                }
                scalar(k, false, out);
                out.push(':');
                write(v, false, out);
            }
            out.push('}');
        }
    }
}

pub fn scalar(s: &Scalar<'_>, top: bool, out: &mut String) {
    match s {
        Scalar::Null => out.push_str(if top { "<nil>" } else { "interface {}(nil)" }),
        Scalar::Bool(b) => out.push_str(&b.to_string()),
        Scalar::Int(n) => out.push_str(&n.to_string()),
        Scalar::Uint(n) => out.push_str(&format!("{n:#x}")),
        Scalar::Float(f) => out.push_str(&format_float(*f, b'g', -1, 64)),
        Scalar::Str(s) => out.push_str(&strconv::quote(s)),
    }
}

/// fmt's order of keys in an `interface {}` map: nil first, then by type (in the order in which Go's linker happens to lay them
/// out in Helm), then by value.
fn compare_keys(a: &Scalar<'_>, b: &Scalar<'_>) -> Ordering {
    let rank = |s: &Scalar<'_>| match s {
        Scalar::Null => 0,
        Scalar::Str(_) => 1,
        Scalar::Uint(_) => 2,
        Scalar::Int(_) => 3,
        Scalar::Float(_) => 4,
        Scalar::Bool(_) => 5,
    };
    match (a, b) {
        (Scalar::Bool(a), Scalar::Bool(b)) => a.cmp(b),
        (Scalar::Int(a), Scalar::Int(b)) => a.cmp(b),
        (Scalar::Uint(a), Scalar::Uint(b)) => a.cmp(b),
        (Scalar::Str(a), Scalar::Str(b)) => a.cmp(b),
        (Scalar::Float(a), Scalar::Float(b)) => a.total_cmp(b),
        _ => rank(a).cmp(&rank(b)),
    }
}
