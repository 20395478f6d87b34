//! Texts (Sprig `strings.go` and what it takes straight from Go's `strings`). Texts are bytes: `trunc` and `substr` count bytes
//! and may cut a character in two, as in Go.

use super::convert::{charge_items, fail, sprint, strval};
use super::{case, wrap};
use crate::golang::{strconv, unicode};
use crate::gotmpl::{CallError, FuncTable, Int, Rest, State, func, pure};
use crate::value::{Map, MapId, MapType, Str, Value};

pub fn register(table: &mut FuncTable) {
    table.add(pure("hello", || "Hello!"));
    table.add(func("toString", |st: &mut State, v: Value| strval(st, &v)));
    table.add(pure("trim", |s: Str| Str::new(unicode::trim_space(&s))));
    for name in ["trimAll", "trimall"] {
        table.add(pure(name, |cutset: Str, s: Str| Str::new(trim_all(&cutset, &s))));
    }
    table.add(pure("trimSuffix", |suffix: Str, s: Str| s.strip_suffix(suffix.as_bytes()).map(Str::new).unwrap_or(s)));
    table.add(pure("trimPrefix", |prefix: Str, s: Str| s.strip_prefix(prefix.as_bytes()).map(Str::new).unwrap_or(s)));
    table.add(pure("trunc", trunc));
    table.add(pure("substr", substr));
    table.add(func("repeat", |st: &mut State, n: Int, s: Str| repeat(st, &s, n.0)));
    table.add(pure("contains", |sub: Str, s: Str| contains(&s, &sub)));
    table.add(pure("hasPrefix", |prefix: Str, s: Str| s.starts_with(&prefix)));
    table.add(pure("hasSuffix", |suffix: Str, s: Str| s.ends_with(&suffix)));
    table.add(func("quote", quote).printing(strconv::push_quoted));
    table.add(func("squote", squote).printing(|text, out| {
        out.push(b'\'');
        out.extend_from_slice(text);
        out.push(b'\'');
    }));
    table.add(func("cat", cat));
    table.add(func("indent", |st: &mut State, n: Int, s: Str| indent(st, n.0, &s, b"")));
    table.add(func("nindent", |st: &mut State, n: Int, s: Str| indent(st, n.0, &s, b"\n")));
    table.add(func("replace", replace));
    table.add(pure("plural", |one: Str, many: Str, n: Int| if n.0 == 1 { one } else { many }));
    table.add(func("split", |st: &mut State, sep: Str, s: Str| numbered(st, &s, &sep, -1)));
    table.add(func("splitn", |st: &mut State, sep: Str, n: Int, s: Str| numbered(st, &s, &sep, n.0)));
    table.add(func("splitList", |st: &mut State, sep: Str, s: Str| {
        let parts = split(st, &s, &sep, -1)?;
        Ok::<_, CallError>(st.heap.strings(parts.into_iter().map(Str::new)))
    }));
    case::register(table);
    wrap::register(table);
}

/// Go's `strings.Trim`: both compared by runes, so that an invalid byte equals any other.
fn trim_all<'a>(cutset: &[u8], s: &'a [u8]) -> &'a [u8] {
    let cut = |c: char| unicode::runes(cutset).any(|(_, x, _)| x == c);
    let mut s = s;
    while !s.is_empty() {
        let (c, n) = unicode::decode_rune(s);
        if !cut(c) {
            break;
        }
        s = &s[n..];
    }
    while !s.is_empty() {
        let (c, n) = unicode::decode_last_rune(s);
        if !cut(c) {
            break;
        }
        s = &s[..s.len() - n];
    }
    s
}

/// `trunc N S`: the first N bytes, or the last -N.
fn trunc(n: Int, s: Str) -> Str {
    let len = s.len() as i64;
    match n.0 {
        n if n < 0 && len.wrapping_add(n) > 0 => Str::new(&s[(len + n) as usize..]),
        n if n >= 0 && len > n => Str::new(&s[..n as usize]),
        _ => s,
    }
}

/// `substr START END S` with the panics of Go's slice expressions.
fn substr(start: Int, end: Int, s: Str) -> Result<Str, CallError> {
    let (start, end, len) = (start.0, end.0, s.len() as i64);
    if start < 0 {
        if end < 0 {
            return fail(format!("runtime error: slice bounds out of range [:{end}]"));
        }
        if end > len {
            return fail(format!("runtime error: slice bounds out of range [:{end}] with length {len}"));
        }
        return Ok(Str::new(&s[..end as usize]));
    }
    let end = if end < 0 || end > len { len } else { end };
    if start > end {
        return fail(format!("runtime error: slice bounds out of range [{start}:{end}]"));
    }
    Ok(Str::new(&s[start as usize..end as usize]))
}

/// Go's `strings.Repeat`, within the limits of the render.
pub(super) fn repeat(st: &mut State, s: &[u8], n: i64) -> Result<Vec<u8>, CallError> {
    let Ok(n) = usize::try_from(n) else { return fail("strings: negative Repeat count") };
    if s.is_empty() {
        return Ok(Vec::new());
    }
    let Some(len) = s.len().checked_mul(n).filter(|n| i64::try_from(*n).is_ok()) else {
        return fail("strings: Repeat output length overflow");
    };
    st.charge(len as u64)?;
    Ok(s.repeat(n))
}

/// Where a text, which must not be empty, begins in another, from left to right and without overlaps.
fn occurrences<'a>(s: &'a [u8], sub: &'a [u8]) -> Box<dyn Iterator<Item = usize> + 'a> {
    if let (Ok(s), Ok(sub)) = (std::str::from_utf8(s), std::str::from_utf8(sub)) {
        // The standard library's search takes linear time whatever the texts, but only for UTF-8.
        return Box::new(s.match_indices(sub).map(|(i, _)| i));
    }
    let mut at = 0;
    Box::new(std::iter::from_fn(move || {
        let found = at + s.get(at..)?.windows(sub.len()).position(|w| w == sub)?;
        at = found + sub.len();
        Some(found)
    }))
}

fn contains(s: &[u8], sub: &[u8]) -> bool {
    sub.is_empty() || occurrences(s, sub).next().is_some()
}

fn quote(st: &mut State, all: Rest<Value>) -> Result<String, CallError> {
    if let [Value::Str(text)] = &all.0[..] {
        st.charge(text.len() as u64)?;
        return Ok(strconv::quote(text));
    }
    let mut out = String::new();
    for v in all.0.iter().filter(|v| !v.is_nil()) {
        if !out.is_empty() {
            out.push(' ');
        }
        let text = strval(st, v)?;
        st.charge(text.len() as u64)?;
        out.push_str(&strconv::quote(&text));
    }
    Ok(out)
}

fn squote(st: &mut State, all: Rest<Value>) -> Result<Vec<u8>, CallError> {
    let mut out = Vec::new();
    for v in all.0.iter().filter(|v| !v.is_nil()) {
        if !out.is_empty() {
            out.push(b' ');
        }
        let text = sprint(st, v)?;
        out.push(b'\'');
        out.extend_from_slice(&text);
        out.push(b'\'');
    }
    Ok(out)
}

fn cat(st: &mut State, all: Rest<Value>) -> Result<Vec<u8>, CallError> {
    let mut out = Vec::new();
    for (i, v) in all.0.iter().filter(|v| !v.is_nil()).enumerate() {
        if i > 0 {
            out.push(b' ');
        }
        let text = sprint(st, v)?;
        out.extend_from_slice(&text);
    }
    Ok(out)
}

/// Every line, also an empty one, moved to the right.
fn indent(st: &mut State, n: i64, s: &[u8], before: &[u8]) -> Result<Vec<u8>, CallError> {
    let Ok(n) = usize::try_from(n) else { return fail("strings: negative Repeat count") };
    let lines = 1 + s.iter().filter(|b| **b == b'\n').count() as u64;
    let len = lines.saturating_mul(n as u64).saturating_add(s.len() as u64 + 1);
    st.charge(len)?;
    let mut out = Vec::with_capacity(usize::try_from(len).unwrap_or(0));
    out.extend_from_slice(before);
    for (i, line) in s.split(|b| *b == b'\n').enumerate() {
        if i > 0 {
            out.push(b'\n');
        }
        out.resize(out.len() + n, b' ');
        out.extend_from_slice(line);
    }
    Ok(out)
}

/// `replace OLD NEW S`: all of them; an empty OLD is found before each rune and at the end.
fn replace(st: &mut State, old: Str, new: Str, s: Str) -> Result<Str, CallError> {
    if old == new {
        return Ok(s);
    }
    let places = || -> Box<dyn Iterator<Item = usize>> {
        if old.is_empty() {
            return Box::new(unicode::runes(&s).map(|(i, _, _)| i).chain([s.len()]));
        }
        occurrences(&s, &old)
    };
    let count = places().count();
    if count == 0 {
        return Ok(s);
    }
    let len =
        (s.len() as u64).saturating_add((count as u64).saturating_mul(new.len() as u64)) - (count * old.len()) as u64;
    st.charge(len)?;
    let mut out = Vec::with_capacity(usize::try_from(len).unwrap_or(0));
    let mut from = 0;
    for at in places() {
        out.extend_from_slice(&s[from..at]);
        out.extend_from_slice(&new);
        from = at + old.len();
    }
    out.extend_from_slice(&s[from..]);
    Ok(out.into())
}

/// Go's `strings.SplitN`: below zero all parts, zero none, an empty separator parts at every rune. The parts are charged as
/// items of a list.
fn split<'a>(st: &mut State, s: &'a [u8], sep: &[u8], n: i64) -> Result<Vec<&'a [u8]>, CallError> {
    let most = if n < 0 { usize::MAX } else { usize::try_from(n).unwrap_or(usize::MAX) };
    let mut parts = Vec::new();
    if most == 0 || (sep.is_empty() && s.is_empty()) {
        return Ok(parts);
    }
    let places: Box<dyn Iterator<Item = usize>> =
        if sep.is_empty() { Box::new(unicode::runes(s).map(|(i, _, _)| i).skip(1)) } else { occurrences(s, sep) };
    let mut from = 0;
    for at in places.take(most - 1) {
        charge_items(st, 1)?;
        parts.push(&s[from..at]);
        from = at + sep.len();
    }
    charge_items(st, 1)?;
    parts.push(&s[from..]);
    Ok(parts)
}

/// The parts as a `map[string]string` of `_0`, `_1`, …
fn numbered(st: &mut State, s: &[u8], sep: &[u8], n: i64) -> Result<MapId, CallError> {
    let parts = split(st, s, sep, n)?;
    let mut entries: Vec<_> = parts.iter().enumerate().map(|(i, part)| (format!("_{i}"), *part)).collect();
    // `_10` comes before `_2`: a map takes entries fastest in its own order.
    entries.sort_unstable();
    let mut map = Map::default();
    map.ty = MapType::Strings;
    for (key, part) in entries {
        map.insert(key, Value::str(part));
    }
    Ok(st.heap.add_map(map))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gotmpl::{FixedHost, Limits};

    fn texts(parts: Vec<&[u8]>) -> Vec<String> {
        parts.into_iter().map(|p| String::from_utf8_lossy(p).into_owned()).collect()
    }

    fn state() -> State {
        State::new(std::sync::Arc::new(FixedHost::new(0, 1)), Limits::default())
    }

    #[test]
    fn split_is_go_s() {
        for (s, sep, n, want) in [
            ("a/b/c", "/", -1, &["a", "b", "c"][..]),
            ("a/b/c", "/", 2, &["a", "b/c"]),
            ("a/b", "/", 0, &[]),
            ("", "/", -1, &[""]),
            ("", "", -1, &[]),
            ("äb", "", -1, &["ä", "b"]),
            ("abc", "", 2, &["a", "bc"]),
            ("aXXb", "XX", -1, &["a", "b"]),
        ] {
            assert_eq!(texts(split(&mut state(), s.as_bytes(), sep.as_bytes(), n).unwrap()), want, "{s} {sep} {n}");
        }
    }

    /// What is printed in place is what the call would have made.
    #[test]
    fn printing_is_calling() {
        let mut table = FuncTable::new();
        register(&mut table);
        let printing: Vec<_> = table.names().filter_map(|name| Some(table.get(table.id(name)?))).collect();
        let printing: Vec<_> = printing.into_iter().filter_map(|func| Some((func, func.prints?))).collect();
        assert_eq!(printing.len(), 2);
        for (func, prints) in printing {
            for text in [&b""[..], b"plain", b"a \"b\" 'c' \\", "\u{e9}\n\0\u{2028}".as_bytes(), b"\xff"] {
                let mut out = b"before ".to_vec();
                prints(text, &mut out);
                let made = (func.call)(&mut state(), &mut [Value::Str(Str::new(text))]).unwrap();
                let Value::Str(made) = made else { panic!("{}: {made:?}", func.name) };
                assert_eq!(out.strip_prefix(b"before "), Some(&made[..]), "{}", func.name);
            }
        }
    }

    #[test]
    fn replace_is_go_s() {
        for (old, new, s, want) in [
            ("a", "bb", "banana", "bbbnbbnbb"),
            ("", "-", "äb", "-ä-b-"),
            ("", "-", "", "-"),
            ("aa", "b", "aaaaa", "bba"),
            ("x", "y", "abc", "abc"),
            ("ana", "", "banana", "bna"),
        ] {
            assert_eq!(replace(&mut state(), old.into(), new.into(), s.into()).unwrap(), want, "{old} {new} {s}");
        }
        let bytes = replace(&mut state(), Str::new(b"\xff"), "-".into(), Str::new(b"a\xffb\xff")).unwrap();
        assert_eq!(bytes, "a-b-");
    }

    #[test]
    fn huge_texts_meet_the_limit() {
        let limit = |r: Result<Vec<u8>, CallError>| matches!(r, Err(CallError::Limit(_)));
        assert!(limit(repeat(&mut state(), b"xy", 1_000_000_000)));
        assert!(limit(indent(&mut state(), 2_000_000_000, b"x", b"")));
        assert!(matches!(repeat(&mut state(), b"xy", i64::MAX), Err(CallError::Msg(_))));
    }

    #[test]
    fn trunc_counts_bytes_from_either_end() {
        for (n, s, want) in
            [(2, "abc", "ab"), (-2, "abc", "bc"), (-3, "abc", "abc"), (i64::MIN, "abc", "abc"), (9, "a", "a")]
        {
            assert_eq!(trunc(Int(n), s.into()), want, "{n} {s}");
        }
        assert_eq!(&*trunc(Int(1), "ä".into()), b"\xc3");
    }

    #[test]
    fn substr_panics_as_slices_do() {
        let text = |a, b| match substr(Int(a), Int(b), "abc".into()) {
            Ok(s) => s.to_text().into_owned(),
            Err(CallError::Msg(e)) => e,
            Err(e) => format!("{e:?}"),
        };
        assert_eq!(text(0, 2), "ab");
        assert_eq!(text(1, -1), "bc");
        assert_eq!(text(-1, 2), "ab");
        assert_eq!(text(-1, 5), "runtime error: slice bounds out of range [:5] with length 3");
        assert_eq!(text(-1, -2), "runtime error: slice bounds out of range [:-2]");
        assert_eq!(text(9, 12), "runtime error: slice bounds out of range [9:3]");
    }

    #[test]
    fn cutsets_are_runes() {
        assert_eq!(trim_all("äx".as_bytes(), "xäbäx".as_bytes()), b"b");
        assert_eq!(trim_all(b"", b" b "), b" b ");
    }
}
