//! Sprig's regular expressions.
//!
//! Except for `regexMatch`, which takes a bad pattern for one that never matches, the plain functions panic on a bad pattern as
//! `regexp.MustCompile` does, and the `must` ones return the error. Source: sprig `regex.go`.

use std::sync::Arc;

use crate::golang::regexp::{Regexp, quote_meta, quote_pattern};
use crate::gotmpl::{CallError, FuncTable, Int, Ret, State, Ty, func, pure};
use crate::value::{Elem, List, ListId, Str, Value};

pub fn register(table: &mut FuncTable) {
    table.add(pure("regexMatch", |regex: Str, s: Str| Regexp::cached(&regex).is_ok_and(|r| r.is_match(&s))));
    table.add(pure("mustRegexMatch", |regex: Str, s: Str| must(&regex).map(|r| r.is_match(&s))));
    table.add(func("regexFindAll", |st: &mut State, regex: Str, s: Str, n: Int| {
        find_all(st, &panicking(&regex)?, &s, n)
    }));
    table.add(func("mustRegexFindAll", |st: &mut State, regex: Str, s: Str, n: Int| {
        find_all(st, &must(&regex)?, &s, n)
    }));
    table.add(pure("regexFind", |regex: Str, s: Str| panicking(&regex).map(|r| find(&r, &s))));
    table.add(pure("mustRegexFind", |regex: Str, s: Str| must(&regex).map(|r| find(&r, &s))));
    table.add(func("regexReplaceAll", |st: &mut State, regex: Str, s: Str, with: Str| {
        replace(st, &panicking(&regex)?, &s, &with, false)
    }));
    table.add(func("mustRegexReplaceAll", |st: &mut State, regex: Str, s: Str, with: Str| {
        replace(st, &must(&regex)?, &s, &with, false)
    }));
    table.add(func("regexReplaceAllLiteral", |st: &mut State, regex: Str, s: Str, with: Str| {
        replace(st, &panicking(&regex)?, &s, &with, true)
    }));
    table.add(func("mustRegexReplaceAllLiteral", |st: &mut State, regex: Str, s: Str, with: Str| {
        replace(st, &must(&regex)?, &s, &with, true)
    }));
    table.add(func("regexSplit", |st: &mut State, regex: Str, s: Str, n: Int| split(st, &panicking(&regex)?, &s, n)));
    table.add(func("mustRegexSplit", |st: &mut State, regex: Str, s: Str, n: Int| split(st, &must(&regex)?, &s, n)));
    table.add(pure("regexQuoteMeta", |s: Str| quote_meta(&s)));
}

/// `regexp.Compile`.
fn must(regex: &[u8]) -> Result<Arc<Regexp>, CallError> {
    Regexp::cached(regex).map_err(CallError::Msg)
}

/// `regexp.MustCompile`.
fn panicking(regex: &[u8]) -> Result<Arc<Regexp>, CallError> {
    Regexp::cached(regex).map_err(|e| CallError::Msg(format!("regexp: Compile({}): {e}", quote_pattern(regex))))
}

fn find(regex: &Arc<Regexp>, s: &[u8]) -> Vec<u8> {
    regex.find(s).map_or_else(Vec::new, |m| s[m].to_vec())
}

/// A `[]string`.
struct Strings(ListId);

impl Ret for Strings {
    const TY: Ty = Ty::Object("[]string");
    fn give(self) -> Result<Value, CallError> {
        Ok(Value::List(self.0))
    }
}

/// About what an item of a list costs besides its text.
const ITEM: u64 = 48;

fn strings(st: &mut State, items: Option<Vec<&[u8]>>) -> Result<Strings, CallError> {
    let nil = items.is_none();
    let items = items.unwrap_or_default();
    st.charge(items.iter().map(|s| s.len() as u64 + ITEM).sum())?;
    let items = items.into_iter().map(Value::str).collect();
    Ok(Strings(st.heap.add_list(List { elem: Elem::Str, nil, items })))
}

fn find_all(st: &mut State, regex: &Arc<Regexp>, s: &Str, n: Int) -> Result<Strings, CallError> {
    let found: Vec<&[u8]> = regex.find_all(s, n.0).into_iter().map(|m| &s[m]).collect();
    let list = strings(st, (!found.is_empty()).then_some(found))?;
    // Go's regexp makes room for ten matches and appends.
    st.heap.set_appended_from(list.0, if st.heap.list(list.0).nil { 0 } else { 10 });
    Ok(list)
}

fn split(st: &mut State, regex: &Arc<Regexp>, s: &Str, n: Int) -> Result<Strings, CallError> {
    let (parts, room) = regex.split(s, n.0).map_or((None, 0), |(parts, room)| (Some(parts), room));
    let list = strings(st, parts)?;
    st.heap.set_appended_from(list.0, room);
    Ok(list)
}

fn replace(st: &mut State, regex: &Arc<Regexp>, s: &Str, with: &Str, literal: bool) -> Result<Vec<u8>, CallError> {
    let left = usize::try_from(st.limits.output.saturating_sub(st.charged)).unwrap_or(usize::MAX);
    match regex.replace(s, with, literal, left) {
        Some(out) => {
            st.charge(out.len() as u64)?;
            Ok(out)
        }
        // Over the limit by any amount: let the state say it.
        None => st.charge(u64::MAX).map(|()| Vec::new()),
    }
}
