//! Comparing and copying whole values until the value room has them.

pub mod equal {
    use crate::value::{Heap, Value};

    /// `reflect.DeepEqual` on scalars, maps and lists.
    pub fn deep_equal(heap: &mut Heap, a: &Value, b: &Value) -> bool {
        same(heap, a, b, 0)
    }

    fn same(heap: &Heap, a: &Value, b: &Value, depth: u32) -> bool {
        if depth > 100 {
            return true;
        }
        match (a, b) {
            (Value::Nil, Value::Nil) => true,
            (Value::Bool(a), Value::Bool(b)) => a == b,
            (Value::Int(a), Value::Int(b)) | (Value::Int64(a), Value::Int64(b)) => a == b,
            (Value::Float(a), Value::Float(b)) => a == b,
            (Value::Str(a), Value::Str(b)) => a == b,
            (Value::Bytes(a), Value::Bytes(b)) => a == b,
            (Value::Map(x), Value::Map(y)) => {
                let (m, n) = (heap.map(*x), heap.map(*y));
                a.go_type(heap) == b.go_type(heap)
                    && m.len() == n.len()
                    && m.nil == n.nil
                    && m.iter().zip(n.iter()).all(|((k, v), (l, w))| k == l && same(heap, v, w, depth + 1))
            }
            (Value::List(x), Value::List(y)) => {
                let (m, n) = (heap.list(*x), heap.list(*y));
                m.elem == n.elem
                    && m.nil == n.nil
                    && m.items.len() == n.items.len()
                    && m.items.iter().zip(&n.items).all(|(v, w)| same(heap, v, w, depth + 1))
            }
            _ => false,
        }
    }
}

pub mod copy {
    use crate::value::{Heap, Value};

    /// A copy that shares no map or list with the original.
    pub fn deep_copy(heap: &mut Heap, v: &Value) -> Value {
        copy(heap, v, 0)
    }

    fn copy(heap: &mut Heap, v: &Value, depth: u32) -> Value {
        match v {
            Value::Map(m) if m.is_values() => match copy(heap, &Value::Map(m.plain()), depth) {
                Value::Map(m) => Value::Map(m.as_values()),
                v => v,
            },
            Value::Map(m) if depth < 1000 => {
                let mut new = heap.map(*m).clone();
                let keys: Vec<_> = new.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
                for (k, v) in keys {
                    let v = copy(heap, &v, depth + 1);
                    new.insert(k, v);
                }
                Value::Map(heap.add_map(new))
            }
            Value::List(l) if depth < 1000 => {
                let mut new = heap.list(*l).clone();
                for v in &mut new.items {
                    *v = copy(heap, v, depth + 1);
                }
                let (new, room) = (heap.add_list(new), heap.capacity(*l));
                heap.set_capacity(new, room);
                Value::List(new)
            }
            v => v.clone(),
        }
    }
}
