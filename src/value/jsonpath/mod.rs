//! JSONPath as `kubectl` and `helm show values --jsonpath` have it: text with expressions in braces, `{.image.tag}`, `{range .items[*]}…{end}`.
//!
//! A template is parsed into a list of texts and actions; an action hands a list of values from step to step, and what the last step
//! leaves is printed, with blanks between. Values are found by Go's reflection there, and its ways show: a string is a row of bytes for `.*`
//! and `..`, a number of a template is an `int` where it can be one and never equal to a number of a values file, which is a `float64`, and
//! whether something exists is also answered by a step that failed. Where Go goes through a map by chance, keys are sorted here.
//!
//! Source: `k8s.io/client-go` 0.37 `util/jsonpath` and `third_party/forked/golang/template`.

mod compare;
mod eval;
mod parse;

use super::{Heap, Kind, Str, Value, json, print};
use eval::Finder;

/// A parsed template.
#[derive(Clone, Debug)]
pub struct Template {
    nodes: Vec<Node>,
}

/// One step of an action, or at the top a text or an action.
#[derive(Clone, Debug)]
enum Node {
    Action(Vec<Self>),
    Text(Vec<u8>),
    Field(Str),
    Slice([Bound; 3]),
    Filter {
        left: Vec<Self>,
        operator: String,
        right: Vec<Self>,
    },
    Int(i64),
    Float(f64),
    Bool(bool),
    Wildcard,
    Recursive,
    Union(Vec<Vec<Self>>),
    /// `range`, `end`, or a word that means nothing.
    Word(String),
}

/// Where a slice begins or ends, or its step.
#[derive(Clone, Copy, Debug, Default)]
struct Bound {
    value: i64,
    known: bool,
    /// `[1]`: the end follows from the beginning.
    derived: bool,
}

/// A value on its way through an action; `None` where Go has a `reflect.Value` of nothing, which a range makes of null.
type Item = Option<Value>;

impl Template {
    /// # Errors
    /// The parser's words.
    pub fn parse(text: &str) -> Result<Self, String> {
        Ok(Self { nodes: parse::nodes(text)? })
    }

    /// What the template prints of a value: nothing if the value has not what the template asks for, an error that Helm does not look at.
    pub fn print(&self, heap: &mut Heap, value: &Value) -> Vec<u8> {
        let mut out = Vec::new();
        let Ok(found) = Finder::new(heap, &self.nodes).find(0, Some(value.clone())) else { return out };
        for items in found {
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(b' ');
                }
                if !item_text(heap, item, &mut out) {
                    return out;
                }
            }
        }
        out
    }
}

/// Whether the item could be printed.
fn item_text(heap: &mut Heap, item: &Item, out: &mut Vec<u8>) -> bool {
    match item {
        None => out.extend_from_slice(b"<no value>"),
        Some(Value::Nil) => out.extend_from_slice(b"null"),
        Some(value @ (Value::Map(_) | Value::List(_))) => match json::encode(heap, value, true, None) {
            Ok(text) => out.extend(text),
            Err(_) => return false,
        },
        Some(value) => return print::value(heap, value, out).is_ok(),
    }
    true
}

/// A byte of a string.
fn byte(b: u8) -> Value {
    Value::OtherInt(Kind::Uint8, b.into())
}
