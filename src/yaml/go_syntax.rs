//! Values in Go syntax (`%#v`), as some error texts show them.

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
            for (i, (k, v)) in entries.iter().enumerate() {
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
