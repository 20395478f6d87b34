//! `reflect.DeepEqual`: same types, same contents, nil is not empty; cycles are equal if they cannot be told apart.

use std::collections::HashSet;
use std::sync::Arc;

use super::{Heap, ObjectRef, Value};

/// Whether two values are deeply equal. Shared and cyclic parts are compared once.
pub fn deep_equal(heap: &mut Heap, a: &Value, b: &Value) -> bool {
    let mut todo = vec![(a.clone(), b.clone())];
    // Pairs of containers under comparison or compared already: (are maps, one, other).
    let mut seen = HashSet::new();
    while let Some((a, b)) = todo.pop() {
        let same = match (&a, &b) {
            (Value::Nil, Value::Nil) => true,
            (Value::Bool(a), Value::Bool(b)) => a == b,
            (Value::Int(a), Value::Int(b)) | (Value::Int64(a), Value::Int64(b)) => a == b,
            (Value::OtherInt(k, a), Value::OtherInt(l, b)) => k == l && a == b,
            (Value::Float(a), Value::Float(b)) => a == b,
            (Value::Str(a), Value::Str(b)) => a == b,
            (Value::Bytes(a), Value::Bytes(b)) => a == b,
            (Value::Map(x), Value::Map(y)) => {
                let (m, n) = (heap.map(*x), heap.map(*y));
                if x.is_values() != y.is_values() || m.ty != n.ty || m.nil != n.nil || m.len() != n.len() {
                    return false;
                }
                if x == y || !seen.insert((true, x.number(), y.number())) {
                    continue;
                }
                let same = m.keys().eq(n.keys());
                todo.extend(m.iter().zip(n.iter()).map(|((_, v), (_, w))| (v.clone(), w.clone())));
                same
            }
            (Value::List(x), Value::List(y)) => {
                let (m, n) = (heap.list(*x), heap.list(*y));
                if m.elem != n.elem || m.nil != n.nil || m.items.len() != n.items.len() {
                    return false;
                }
                if x == y || !seen.insert((false, x.number(), y.number())) {
                    continue;
                }
                todo.extend(m.items.iter().cloned().zip(n.items.iter().cloned()));
                true
            }
            (Value::Object(a), Value::Object(b)) => match compare_objects(heap, a, b) {
                Some(pairs) => {
                    todo.extend(pairs);
                    true
                }
                None => false,
            },
            _ => false,
        };
        if !same {
            return false;
        }
    }
    true
}

/// What must be equal for two objects to be so; `None`: they differ already.
fn compare_objects(heap: &mut Heap, a: &ObjectRef, b: &ObjectRef) -> Option<Vec<(Value, Value)>> {
    if Arc::ptr_eq(a, b) {
        return Some(Vec::new());
    }
    if a.go_type() != b.go_type() || a.int() != b.int() || a.complex() != b.complex() {
        return None;
    }
    if a.int().is_some() || a.complex().is_some() {
        return Some(Vec::new());
    }
    if let (Some(x), Some(y)) = (a.elements(heap), b.elements(heap)) {
        let both = |e: Vec<(Value, Value)>| e.into_iter().flat_map(|(k, v)| [k, v]);
        return (x.len() == y.len()).then(|| both(x).zip(both(y)).collect());
    }
    let (x, y) = (a.fields(heap), b.fields(heap));
    if x.is_empty() && y.is_empty() {
        // Objects that do not show their fields: what Rust knows of them decides.
        return (format!("{a:?}") == format!("{b:?}")).then(Vec::new);
    }
    (x.len() == y.len()).then(|| x.into_iter().zip(y).map(|((_, v), (_, w))| (v, w)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::{Kind, List};

    #[test]
    fn types_count() {
        let mut h = Heap::new();
        let any = Value::List(h.list_of(vec!["a".into()]));
        let strings = Value::List(h.strings(["a"]));
        let same = Value::List(h.list_of(vec!["a".into()]));
        let empty = Value::List(h.list_of(vec![]));
        let nil = Value::List(h.add_list(List { nil: true, ..List::default() }));
        let m = h.map_of([("k", any.clone())]);
        let n = h.map_of([("k", same.clone())]);
        for (a, b, want) in [
            (Value::Int(1), Value::Int64(1), false),
            (Value::Int(1), Value::Float(1.0), false),
            (Value::OtherInt(Kind::Uint8, 1.into()), Value::OtherInt(Kind::Uint16, 1.into()), false),
            (Value::Nil, Value::Nil, true),
            (Value::Nil, nil.clone(), false),
            (empty, nil, false),
            (any.clone(), strings, false),
            (any, same, true),
            (Value::Map(m), Value::Map(n), true),
            (Value::Map(m), Value::Map(n.as_values()), false),
            (Value::Float(f64::NAN), Value::Float(f64::NAN), false),
        ] {
            assert_eq!(deep_equal(&mut h, &a, &b), want, "{a:?} {b:?}");
        }
    }

    #[test]
    fn cycles_end() {
        let mut h = Heap::new();
        let cycle = |h: &mut Heap, n: i64| {
            let m = h.map_of([("n", Value::Int(n))]);
            let l = h.list_of(vec![Value::Map(m)]);
            h.map_mut(m).insert("l", Value::List(l));
            Value::Map(m)
        };
        let (a, b, c) = (cycle(&mut h, 1), cycle(&mut h, 1), cycle(&mut h, 2));
        assert!(deep_equal(&mut h, &a, &b));
        assert!(!deep_equal(&mut h, &a, &c));
        let tower = |h: &mut Heap| {
            let mut v = Value::Nil;
            for _ in 0..100_000 {
                v = Value::List(h.list_of(vec![v.clone(), v]));
            }
            v
        };
        let (a, b) = (tower(&mut h), tower(&mut h));
        assert!(deep_equal(&mut h, &a, &b));
    }
}
