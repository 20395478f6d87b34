//! How a filter compares: equal kinds only, but for integers with and without a sign. `None` is an error in Go.

use std::cmp::Ordering;

use crate::value::Value;

enum Basic<'v> {
    Bool(bool),
    Int(i128),
    Float(f64),
    Text(&'v [u8]),
}

fn basic(value: &Value) -> Option<Basic<'_>> {
    Some(match value {
        Value::Bool(b) => Basic::Bool(*b),
        Value::Int(n) | Value::Int64(n) => Basic::Int((*n).into()),
        Value::OtherInt(kind, n) => Basic::Int(n.get(*kind)),
        Value::Float(f) => Basic::Float(*f),
        Value::Str(s) => Basic::Text(s.as_bytes()),
        _ => return None,
    })
}

/// Whether the comparison holds; an operator that there is not is an error, too.
pub fn holds(left: &Value, operator: &str, right: &Value) -> Option<bool> {
    let less = || less(left, right);
    let equal = || equal(left, right);
    let at_most = || less().and_then(|less| if less { Some(true) } else { equal() });
    match operator {
        "<" => less(),
        ">" => at_most().map(|holds| !holds),
        "==" => equal(),
        "!=" => equal().map(|holds| !holds),
        "<=" => at_most(),
        ">=" => less().map(|holds| !holds),
        _ => None,
    }
}

fn equal(left: &Value, right: &Value) -> Option<bool> {
    match (basic(left)?, basic(right)?) {
        (Basic::Bool(a), Basic::Bool(b)) => Some(a == b),
        (Basic::Int(a), Basic::Int(b)) => Some(a == b),
        (Basic::Float(a), Basic::Float(b)) => Some(a == b),
        (Basic::Text(a), Basic::Text(b)) => Some(a == b),
        _ => None,
    }
}

fn less(left: &Value, right: &Value) -> Option<bool> {
    match (basic(left)?, basic(right)?) {
        (Basic::Int(a), Basic::Int(b)) => Some(a < b),
        (Basic::Float(a), Basic::Float(b)) => Some(a < b),
        (Basic::Text(a), Basic::Text(b)) => Some(a.cmp(b) == Ordering::Less),
        _ => None,
    }
}
