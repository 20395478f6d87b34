//! Go's `regexp`: RE2 syntax and leftmost-first matching, on the `regex` crate.
//!
//! Both engines choose the same matches; what differs is the syntax (ASCII `\d \w \s \b`, `\Q…\E`, octal escapes, classes without
//! set operations), its errors and limits, and how bytes that are not UTF-8 are read. So a pattern goes through a port of Go's
//! parser, whose tree is written again in the crate's syntax with nothing left implicit; and a text that is not UTF-8 is
//! searched as Go reads it, each stray byte one U+FFFD, and the offsets are mapped back.
//!
//! Source: Go 1.26 `regexp` and `regexp/syntax`.

mod class;
mod parse;
mod tree;

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use regex_automata::Input;
use regex_automata::meta::Regex;
use regex_automata::util::captures::Captures;
use regex_automata::util::syntax;

use super::{strconv, unicode};

/// The most bytes of a pattern in the crate's syntax.
const MAX_PATTERN: usize = 8 << 20;
/// The most memory of a compiled pattern.
const MAX_COMPILED: usize = 64 << 20;
/// The most memory of a compiled pattern that is worth keeping.
const MAX_KEPT: usize = 1 << 20;
/// How much memory a search may use to remember where it was.
const CACHE_CAPACITY: usize = 2 << 20;
/// How many patterns [`Regexp::cached`] keeps.
const CACHE: usize = 256;

/// A compiled expression.
#[derive(Debug)]
pub struct Regexp {
    expr: Vec<u8>,
    regex: Regex,
    names: Vec<Option<String>>,
    /// Too large for the cache.
    large: bool,
}

/// The byte ranges of a match and of its groups; `None` for a group that took no part.
pub type Groups = Vec<Option<Range<usize>>>;

impl Regexp {
    /// Compiles an expression.
    ///
    /// # Errors
    /// Go's text: ``error parsing regexp: missing closing ): `(a` ``.
    pub fn new(expr: impl AsRef<[u8]>) -> Result<Self, String> {
        let expr = expr.as_ref();
        let text = |e: parse::Error| format!("error parsing regexp: {}: `{}`", e.code, unicode::to_text(&e.expr));
        let too_large = || text(parse::Error { code: parse::LARGE, expr: expr.to_vec() });
        let parsed = parse::parse(expr).map_err(text)?;
        let mut pattern = String::new();
        if !parsed.root.emit(&mut pattern, MAX_PATTERN) {
            return Err(too_large());
        }
        let build = |limit| {
            // What templates search is short: it does not repay the making of tables for all that could come.
            let config = Regex::config().nfa_size_limit(Some(limit)).dfa(false).hybrid_cache_capacity(CACHE_CAPACITY);
            // Go's own limit on nesting was applied by its parser.
            let syntax = syntax::Config::new().nest_limit(1 << 16);
            Regex::builder().configure(config).syntax(syntax).build(&pattern)
        };
        let (regex, large) = match build(MAX_KEPT) {
            Ok(regex) => (regex, false),
            Err(_) => (build(MAX_COMPILED).map_err(|_| too_large())?, true),
        };
        Ok(Self { expr: expr.to_vec(), regex, names: parsed.names, large })
    }

    /// As [`Regexp::new`], from a cache that all threads share.
    ///
    /// # Errors
    /// As [`Regexp::new`]; neither failures nor large patterns are kept.
    pub fn cached(expr: &[u8]) -> Result<Arc<Self>, String> {
        type Cache = Mutex<HashMap<Vec<u8>, Arc<Regexp>>>;
        static PATTERNS: LazyLock<Cache> = LazyLock::new(Cache::default);
        // The map is whole at every moment: a panic elsewhere leaves nothing half done.
        if let Some(found) = PATTERNS.lock().unwrap_or_else(PoisonError::into_inner).get(expr) {
            return Ok(Arc::clone(found));
        }
        let new = Arc::new(Self::new(expr)?);
        if new.large {
            return Ok(new);
        }
        let mut patterns = PATTERNS.lock().unwrap_or_else(PoisonError::into_inner);
        if patterns.len() >= CACHE {
            patterns.clear();
        }
        patterns.insert(expr.to_vec(), Arc::clone(&new));
        Ok(new)
    }

    /// Go's `MatchString`.
    pub fn is_match(&self, text: &[u8]) -> bool {
        self.regex.is_match(&*Haystack::new(text).text)
    }

    /// Go's `FindStringIndex`.
    pub fn find(&self, text: &[u8]) -> Option<Range<usize>> {
        let hay = Haystack::new(text);
        self.regex.find(&*hay.text).map(|m| hay.range(m.start(), m.end()))
    }

    /// Go's `FindAllStringIndex`: at most `n` matches, all if `n` is negative.
    pub fn find_all(&self, text: &[u8], n: i64) -> Vec<Range<usize>> {
        let hay = Haystack::new(text);
        let mut all = Vec::new();
        self.each(&hay, n, false, |start, end, _| all.push(hay.range(start, end)));
        all
    }

    /// Go's `FindStringSubmatchIndex`.
    pub fn find_submatch(&self, text: &[u8]) -> Option<Groups> {
        let hay = Haystack::new(text);
        let mut captures = self.regex.create_captures();
        self.regex.captures(&*hay.text, &mut captures);
        captures.is_match().then(|| self.groups(&hay, &captures))
    }

    /// Go's `FindAllStringSubmatchIndex`.
    pub fn find_all_submatch(&self, text: &[u8], n: i64) -> Vec<Groups> {
        let hay = Haystack::new(text);
        let mut all = Vec::new();
        self.each(&hay, n, true, |_, _, captures| all.push(self.groups(&hay, captures)));
        all
    }

    /// The names of the groups, that of the whole match (none) first.
    pub fn subexp_names(&self) -> &[Option<String>] {
        &self.names
    }

    /// Go's `ReplaceAllString`, with `$1`, `${name}` and `$$` in the replacement.
    pub fn replace_all(&self, text: &[u8], replacement: &[u8]) -> Vec<u8> {
        self.replace(text, replacement, false, usize::MAX).unwrap_or_default()
    }

    /// Go's `ReplaceAllLiteralString`.
    pub fn replace_all_literal(&self, text: &[u8], replacement: &[u8]) -> Vec<u8> {
        self.replace(text, replacement, true, usize::MAX).unwrap_or_default()
    }

    /// The two above; `None` if the result would exceed `max` bytes.
    pub fn replace(&self, text: &[u8], replacement: &[u8], literal: bool, max: usize) -> Option<Vec<u8>> {
        let literal = literal || !replacement.contains(&b'$');
        let hay = Haystack::new(text);
        let mut captures = self.regex.create_captures();
        let (mut out, mut last_end, mut at) = (Vec::new(), 0, 0);
        while at <= hay.text.len() {
            let Some((start, end)) = self.search(&hay, at, !literal, &mut captures) else { break };
            out.extend_from_slice(&text[hay.range(last_end, start)]);
            // No replacement for an empty match right after another match.
            if end > last_end || start == 0 {
                if literal {
                    out.extend_from_slice(replacement);
                } else {
                    self.expand(&mut out, replacement, text, &hay, &captures);
                }
            }
            if out.len() > max {
                return None;
            }
            last_end = end;
            at = end.max(at + hay.width(at).max(1));
        }
        out.extend_from_slice(&text[hay.range(last_end, hay.text.len())]);
        (out.len() <= max).then_some(out)
    }

    /// Go's `Split`; `None` is its nil slice. With the parts, for how many Go makes room before it appends them: one for each match.
    pub fn split<'t>(&self, text: &'t [u8], n: i64) -> Option<(Vec<&'t [u8]>, usize)> {
        if n == 0 {
            return None;
        }
        if !self.expr.is_empty() && text.is_empty() {
            return Some((vec![b""], 1));
        }
        let most = usize::try_from(n).unwrap_or(usize::MAX);
        let (mut parts, mut from, mut to) = (Vec::new(), 0, 0);
        let matches = self.find_all(text, n);
        let room = matches.len();
        for m in matches {
            if parts.len() >= most - 1 {
                break;
            }
            to = m.start;
            if m.end != 0 {
                parts.push(&text[from..to]);
            }
            from = m.end;
        }
        if to != text.len() {
            parts.push(&text[from..]);
        }
        Some((parts, room))
    }

    /// The leftmost match at or after `at`; its groups only if asked for.
    fn search(&self, hay: &Haystack, at: usize, groups: bool, into: &mut Captures) -> Option<(usize, usize)> {
        let input = Input::new(&*hay.text).range(at..);
        let found = if groups {
            self.regex.search_captures(&input, into);
            into.get_match()?
        } else {
            self.regex.search(&input)?
        };
        Some((found.start(), found.end()))
    }

    /// Go's `allMatches`.
    fn each(&self, hay: &Haystack, n: i64, groups: bool, mut deliver: impl FnMut(usize, usize, &Captures)) {
        let mut left = usize::try_from(n).unwrap_or(usize::MAX);
        let mut captures = self.regex.create_captures();
        let (mut at, mut last_end) = (0, None);
        while left > 0 && at <= hay.text.len() {
            let Some((start, end)) = self.search(hay, at, groups, &mut captures) else { break };
            let mut accept = true;
            if end == at {
                // Empty: not right after another match.
                accept = last_end != Some(start);
                at += hay.width(at).max(1);
            } else {
                at = end;
            }
            last_end = Some(end);
            if accept {
                deliver(start, end, &captures);
                left -= 1;
            }
        }
    }

    fn groups(&self, hay: &Haystack, captures: &Captures) -> Groups {
        (0..self.names.len()).map(|i| captures.get_group(i).map(|group| hay.range(group.start, group.end))).collect()
    }

    /// Go's `Expand`.
    fn expand(&self, out: &mut Vec<u8>, template: &[u8], text: &[u8], hay: &Haystack, groups: &Captures) {
        let mut rest = template;
        while let Some(i) = rest.iter().position(|&b| b == b'$') {
            out.extend_from_slice(&rest[..i]);
            rest = &rest[i + 1..];
            if let Some(after) = rest.strip_prefix(b"$") {
                out.push(b'$');
                rest = after;
                continue;
            }
            let Some((name, after)) = reference(rest) else {
                out.push(b'$');
                continue;
            };
            rest = after;
            let mut copy = |i: usize| {
                let group = groups.get_group(i).filter(|_| i < self.names.len());
                group.map(|group| out.extend_from_slice(&text[hay.range(group.start, group.end)])).is_some()
            };
            match number(name) {
                Some(i) => _ = copy(i),
                None => {
                    let name = std::str::from_utf8(name).ok();
                    let mut named =
                        (0..self.names.len()).filter(|&i| name.is_some() && self.names[i].as_deref() == name);
                    _ = named.any(copy);
                }
            }
        }
        out.extend_from_slice(rest);
    }
}

/// The name after a `$`: `{name}` or the longest run of letters, digits and `_`; and what follows it.
fn reference(s: &[u8]) -> Option<(&[u8], &[u8])> {
    let inner = s.strip_prefix(b"{").unwrap_or(s);
    let mut n = 0;
    while let Some((c, size)) = decode(&inner[n..]) {
        if c != '_' && !unicode::is_letter(c) && !unicode::is_digit(c) {
            break;
        }
        n += size;
    }
    let (name, rest) = inner.split_at(n);
    if name.is_empty() {
        return None;
    }
    if inner.len() == s.len() {
        return Some((name, rest));
    }
    rest.strip_prefix(b"}").map(|rest| (name, rest))
}

/// The number that a name is; `None` for a word. Names with leading zeros and huge numbers are words.
fn number(name: &[u8]) -> Option<usize> {
    if !name.iter().all(u8::is_ascii_digit) || (name.len() > 1 && name[0] == b'0') || name.len() > 9 {
        return None;
    }
    std::str::from_utf8(name).ok()?.parse().ok()
}

/// Go's `QuoteMeta`.
pub fn quote_meta(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for &b in text {
        if br"\.+*?()|[]{}^$".contains(&b) {
            out.push(b'\\');
        }
        out.push(b);
    }
    out
}

/// A pattern as `MustCompile` shows it in its panic: in back quotes if it can stand there.
pub fn quote_pattern(text: &[u8]) -> String {
    if strconv::can_backquote(text) { format!("`{}`", String::from_utf8_lossy(text)) } else { strconv::quote(text) }
}

/// The character at the beginning of `s` and its width; `None` at the end and where the bytes are not UTF-8.
fn decode(s: &[u8]) -> Option<(char, usize)> {
    let &first = s.first()?;
    if first < 0x80 {
        return Some((first.into(), 1));
    }
    let chunk = s[..s.len().min(4)].utf8_chunks().next()?;
    chunk.valid().chars().next().map(|c| (c, c.len_utf8()))
}

/// A text as Go's matcher reads it.
struct Haystack<'t> {
    text: Cow<'t, str>,
    /// For a text that was not UTF-8: the offset in the original of each offset in `text`.
    offsets: Vec<usize>,
}

impl<'t> Haystack<'t> {
    fn new(original: &'t [u8]) -> Self {
        if let Ok(text) = std::str::from_utf8(original) {
            return Self { text: text.into(), offsets: Vec::new() };
        }
        let mut text = String::with_capacity(original.len() + 16);
        let mut offsets = Vec::with_capacity(original.len() + 16);
        let mut at = 0;
        for chunk in original.utf8_chunks() {
            text.push_str(chunk.valid());
            offsets.extend(at..at + chunk.valid().len());
            at += chunk.valid().len();
            for _ in chunk.invalid() {
                text.push(char::REPLACEMENT_CHARACTER);
                offsets.extend([at; 3]);
                at += 1;
            }
        }
        offsets.push(at);
        Self { text: text.into(), offsets }
    }

    /// The range in the original.
    fn range(&self, start: usize, end: usize) -> Range<usize> {
        if self.offsets.is_empty() { start..end } else { self.offsets[start]..self.offsets[end] }
    }

    /// The width of the character at a boundary of `text`; 0 at the end.
    fn width(&self, at: usize) -> usize {
        self.text.get(at..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8)
    }
}

#[cfg(test)]
mod tests;
