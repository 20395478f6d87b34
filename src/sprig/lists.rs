//! Lists (Sprig `list.go`). Every function makes a new list; only `sortAlpha` and `toStrings` can hand back the one they got.
//!
//! Sprig has each function twice: `must…` returns its error, the plain one panics with it. In a template both are the same
//! error, so each is one Rust function here, registered under all of its names.

use super::convert::{
    NIL_DEREF, charge_items, fail, float_to_int, items_or, nil_list, slice_items, strslice, strval, texts, to_int64,
};
use crate::gotmpl::{CallError, FuncTable, Int, Rest, State, func};
use crate::value::{Elem, List, ListId, Str, Value, equal};

pub fn register(table: &mut FuncTable) {
    for name in ["list", "tuple"] {
        table.add(func(name, |st: &mut State, v: Rest<Value>| st.heap.list_of(v.0)));
    }
    for name in ["append", "push", "mustAppend", "mustPush"] {
        table.add(func(name, append));
    }
    for name in ["prepend", "mustPrepend"] {
        table.add(func(name, prepend));
    }
    for name in ["first", "mustFirst"] {
        table.add(func(name, |st: &mut State, l: Value| end(st, &l, "Cannot find first on", <[Value]>::first)));
    }
    for name in ["last", "mustLast"] {
        table.add(func(name, |st: &mut State, l: Value| end(st, &l, "Cannot find last on", <[Value]>::last)));
    }
    for name in ["rest", "mustRest"] {
        table.add(func(name, rest));
    }
    for name in ["initial", "mustInitial"] {
        table.add(func(name, initial));
    }
    for name in ["reverse", "mustReverse"] {
        table.add(func(name, reverse));
    }
    for name in ["compact", "mustCompact"] {
        table.add(func(name, compact));
    }
    for name in ["uniq", "mustUniq"] {
        table.add(func(name, uniq));
    }
    for name in ["without", "mustWithout"] {
        table.add(func(name, without));
    }
    for name in ["has", "mustHas"] {
        table.add(func(name, has));
    }
    for name in ["slice", "mustSlice"] {
        table.add(func(name, slice));
    }
    for name in ["chunk", "mustChunk"] {
        table.add(func(name, chunk));
    }
    table.add(func("concat", concat));
    table.add(func("sortAlpha", sort_alpha));
    table.add(func("toStrings", |st: &mut State, v: Value| strslice(st, &v)));
    table.add(func("join", join));
}

fn append(st: &mut State, list: Value, v: Value) -> Result<ListId, CallError> {
    let mut items = items_or(st, &list, "Cannot push on")?;
    let cap = items.len();
    items.push(v);
    let list = st.heap.list_of(items);
    st.heap.set_grown_from(list, cap);
    Ok(list)
}

fn prepend(st: &mut State, list: Value, v: Value) -> Result<ListId, CallError> {
    let mut items = items_or(st, &list, "Cannot prepend on")?;
    items.insert(0, v);
    let list = st.heap.list_of(items);
    // Go appends the old items to a slice of the new one.
    st.heap.set_grown_from(list, 1);
    Ok(list)
}

/// The first or last item; nil of an empty list.
fn end(st: &mut State, list: &Value, what: &str, pick: fn(&[Value]) -> Option<&Value>) -> Result<Value, CallError> {
    if let Value::List(l) = list {
        return Ok(pick(&st.heap.list(*l).items).cloned().unwrap_or_default());
    }
    let items = items_or(st, list, what)?;
    Ok(pick(&items).cloned().unwrap_or_default())
}

fn rest(st: &mut State, list: Value) -> Result<ListId, CallError> {
    let mut items = items_or(st, &list, "Cannot find rest on")?;
    if items.is_empty() {
        return Ok(nil_list(st));
    }
    items.remove(0);
    Ok(st.heap.list_of(items))
}

fn initial(st: &mut State, list: Value) -> Result<ListId, CallError> {
    let mut items = items_or(st, &list, "Cannot find initial on")?;
    if items.pop().is_none() {
        return Ok(nil_list(st));
    }
    Ok(st.heap.list_of(items))
}

fn reverse(st: &mut State, list: Value) -> Result<ListId, CallError> {
    let mut items = items_or(st, &list, "Cannot find reverse on")?;
    items.reverse();
    Ok(st.heap.list_of(items))
}

fn compact(st: &mut State, list: Value) -> Result<ListId, CallError> {
    let mut items = items_or(st, &list, "Cannot compact on")?;
    items.retain(|v| v.truth(&st.heap));
    Ok(st.heap.grown_list_of(items))
}

fn in_list(st: &mut State, haystack: &[Value], needle: &Value) -> bool {
    haystack.iter().any(|h| equal::deep_equal(&mut st.heap, needle, h))
}

fn uniq(st: &mut State, list: Value) -> Result<ListId, CallError> {
    let items = items_or(st, &list, "Cannot find uniq on")?;
    // Texts are what charts have here, and comparing each with each would be slow for long lists.
    let mut seen = std::collections::HashSet::new();
    let mut others: Vec<Value> = Vec::new();
    let mut out = Vec::new();
    for item in items {
        match &item {
            Value::Str(s) => {
                if !seen.insert(s.clone()) {
                    continue;
                }
            }
            _ if in_list(st, &others, &item) => continue,
            _ => others.push(item.clone()),
        }
        out.push(item);
    }
    Ok(st.heap.grown_list_of(out))
}

fn without(st: &mut State, list: Value, omit: Rest<Value>) -> Result<ListId, CallError> {
    let mut items = items_or(st, &list, "Cannot find without on")?;
    items.retain(|v| !in_list(st, &omit.0, v));
    Ok(st.heap.grown_list_of(items))
}

fn has(st: &mut State, needle: Value, haystack: Value) -> Result<bool, CallError> {
    if haystack.is_nil() {
        return Ok(false);
    }
    if let Value::List(l) = haystack {
        // Asked often of the same list: look at the items in place instead of copying them first.
        let len = st.heap.list(l).items.len();
        for i in 0..len {
            let item = st.heap.list(l).items[i].clone();
            if equal::deep_equal(&mut st.heap, &needle, &item) {
                return Ok(true);
            }
        }
        return Ok(false);
    }
    let items = items_or(st, &haystack, "Cannot find has on")?;
    Ok(in_list(st, &items, &needle))
}

/// `slice LIST [START [END]]`, by reflection's rules: the type stays, and the end may lie in the slice's spare room.
fn slice(st: &mut State, list: Value, indices: Rest<Value>) -> Result<Value, CallError> {
    if list.is_nil() {
        return fail(NIL_DEREF);
    }
    let (len, cap) = match &list {
        Value::List(l) => (st.heap.list(*l).items.len(), st.heap.capacity(*l)),
        Value::Bytes(b) => (b.len(), b.len()),
        _ => match slice_items(st, &list) {
            Some(items) => (items.len(), items.len()),
            None => return fail(format!("list should be type of slice or array but {}", list.kind().name())),
        },
    };
    if len == 0 {
        return Ok(Value::Nil);
    }
    let start = indices.0.first().map_or(0, to_int64);
    let end = indices.0.get(1).map_or(len as i64, to_int64);
    let (start, end) = match (usize::try_from(start), usize::try_from(end)) {
        (Ok(start), Ok(end)) if start <= end && end <= cap => (start, end),
        _ => return fail("reflect.Value.Slice: slice index out of bounds"),
    };
    charge_items(st, cap - start)?;
    Ok(match &list {
        Value::List(l) => st.heap.slice(*l, start, end).map(Value::List).unwrap_or_default(),
        Value::Bytes(b) => Value::Bytes(b[start..end].into()),
        Value::Object(o) => o.part(start, end).unwrap_or_default(),
        _ => Value::Nil,
    })
}

/// `chunk SIZE LIST`, with Go's arithmetic in `float64` as it stands: sizes below one mostly end in a panic of `make`.
fn chunk(st: &mut State, size: Int, list: Value) -> Result<ListId, CallError> {
    const MAKE: &str = "runtime error: makeslice: len out of range";
    let items = items_or(st, &list, "Cannot chunk")?;
    let len = items.len() as i64;
    let size = size.0;
    let count = float_to_int(((len - 1) as f64 / size as f64).floor() + 1.0);
    let Ok(count) = usize::try_from(count) else { return fail(MAKE) };
    charge_items(st, count)?;
    let mut chunks = Vec::new();
    for i in 0..count {
        let mut clen = size;
        if i + 1 == count {
            clen = float_to_int((len as f64 % size as f64).floor());
            if clen == 0 {
                clen = size;
            }
        }
        let Ok(clen) = usize::try_from(clen) else { return fail(MAKE) };
        let from = i.saturating_mul(usize::try_from(size).unwrap_or(0));
        let Some(part) = items.get(from..from.saturating_add(clen)) else {
            return fail("reflect: slice index out of range");
        };
        let part = part.to_vec();
        chunks.push(Value::List(st.heap.list_of(part)));
    }
    Ok(st.heap.add_list(List { elem: Elem::Slice, nil: false, items: chunks }))
}

/// `concat LIST…`: in Go a nil slice if there is nothing in any of them.
fn concat(st: &mut State, lists: Rest<Value>) -> Result<Value, CallError> {
    let mut all = Vec::new();
    for list in &lists.0 {
        if list.is_nil() {
            return fail(NIL_DEREF);
        }
        match slice_items(st, list) {
            Some(items) => {
                charge_items(st, items.len())?;
                all.extend(items);
            }
            None => return fail(format!("Cannot concat type {} as list", list.kind().name())),
        }
    }
    Ok(Value::List(if all.is_empty() { nil_list(st) } else { st.heap.grown_list_of(all) }))
}

/// `sortAlpha`: a `[]string` is sorted in place (whoever holds it or a part of it sees that), other slices by their texts; what is
/// no slice becomes one of a single text.
fn sort_alpha(st: &mut State, list: Value) -> Result<ListId, CallError> {
    let id = match &list {
        Value::List(l) if st.heap.list(*l).elem == Elem::Str => *l,
        _ if slice_items(st, &list).is_some() => strslice(st, &list)?,
        _ => {
            let text = strval(st, &list)?;
            return Ok(st.heap.strings([text]));
        }
    };
    let n = st.heap.list(id).items.len();
    charge_items(st, n.saturating_mul(1 + st.heap.sharing(id)))?;
    st.heap.sort_texts(id);
    Ok(id)
}

fn join(st: &mut State, sep: Str, list: Value) -> Result<Vec<u8>, CallError> {
    let texts = texts(st, &list)?;
    let seps = sep.len().saturating_mul(texts.len().saturating_sub(1));
    st.charge(texts.iter().map(|t| t.len() as u64).sum::<u64>().saturating_add(seps as u64))?;
    Ok(texts.join(sep.as_bytes()))
}
