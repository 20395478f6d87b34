//! TOML items to tables: BurntSushi/toml's `parse.go`, with its bookkeeping of what was defined how.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::lex::{Item, ItemKind, LexError, Lexer};
use super::{MAX_DEPTH, TomlError, key_text};
use crate::golang::strconv;
use crate::golang::time::{Location, Time, parse_in_location};

/// Index of a table in its [`Doc`].
pub type TableId = usize;

/// A value as the decoder gives it into an `interface {}`.
#[derive(Clone, Debug)]
pub enum TomlValue {
    Str(String),
    Int(i64),
    Float(f64),
    Bool(bool),
    Datetime(Datetime),
    Array(Vec<Self>),
    Table(TableId),
    /// `[]map[string]interface {}`
    Tables(Vec<TableId>),
}

/// A date or time.
#[derive(Clone, Debug)]
pub struct Datetime {
    pub time: Time,
    pub kind: DatetimeKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DatetimeKind {
    Offset,
    LocalDatetime,
    LocalDate,
    LocalTime,
}

/// All tables of a text; the first is the root.
#[derive(Debug)]
pub struct Doc {
    pub tables: Vec<BTreeMap<String, TomlValue>>,
}

struct Parser<'a> {
    lexer: Lexer<'a>,
    tables: Vec<BTreeMap<String, TomlValue>>,
    context: Vec<String>,
    key: String,
    /// Line of the last item that began a key or table name.
    line: i64,
    /// Keys that hold an array, by their text.
    arrays: HashMap<Vec<u8>, bool>,
    implicits: HashSet<Vec<u8>>,
    local: Location,
    now: i64,
    depth: usize,
}

type Parsed<T> = Result<T, TomlError>;

/// Decodes a text. Times without an offset are told with the offset which the zone `local` has now (in Unix seconds).
pub fn parse(text: &[u8], local: &Location, now: i64) -> Parsed<Doc> {
    let text = match text {
        [0xff, 0xfe, rest @ ..] | [0xfe, 0xff, rest @ ..] | [0xef, 0xbb, 0xbf, rest @ ..] => rest,
        _ => text,
    };
    if text.iter().take(6).any(|b| *b == 0) {
        let message = "files cannot contain NULL bytes; probably using UTF-16; TOML files must be UTF-8";
        return Err(TomlError::Error(format!("toml: line 1: {message}")));
    }
    let mut p = Parser {
        lexer: Lexer::new(text),
        tables: vec![BTreeMap::new()],
        context: Vec::new(),
        key: String::new(),
        line: 0,
        arrays: HashMap::new(),
        implicits: HashSet::new(),
        local: local.clone(),
        now,
        depth: 0,
    };
    loop {
        let item = p.next()?;
        if item.kind == ItemKind::Eof {
            return Ok(Doc { tables: p.tables });
        }
        p.top_level(&item)?;
    }
}

impl<'a> Parser<'a> {
    fn current(&self) -> String {
        let context = String::from_utf8_lossy(&key_text(&self.context)).into_owned();
        match (self.key.is_empty(), self.context.is_empty()) {
            (true, _) => context,
            (false, true) => self.key.clone(),
            (false, false) => format!("{context}.{}", self.key),
        }
    }

    fn fail_at<T>(&self, line: i64, message: impl std::fmt::Display) -> Parsed<T> {
        let last = self.current();
        Err(TomlError::Error(if last.is_empty() {
            format!("toml: line {line}: {message}")
        } else {
            format!("toml: line {line} (last key {}): {message}", strconv::quote(last.as_bytes()))
        }))
    }

    fn fail<T>(&self, message: impl std::fmt::Display) -> Parsed<T> {
        self.fail_at(self.line, message)
    }

    fn next(&mut self) -> Parsed<Item<'a>> {
        match self.lexer.next_item() {
            Ok(item) => Ok(item),
            Err(LexError { message, panics: true, .. }) => Err(TomlError::Panic(message)),
            Err(LexError { line, message, .. }) => self.fail_at(line, message),
        }
    }

    fn next_pos(&mut self) -> Parsed<Item<'a>> {
        let item = self.next()?;
        self.line = item.line;
        Ok(item)
    }

    fn bug<T>(&self, message: &str) -> Parsed<T> {
        Err(TomlError::Panic(format!("BUG: {message}\n\n")))
    }

    /// The parts of a key up to the item that ends it.
    fn key_parts(&mut self, end: ItemKind) -> Parsed<Vec<String>> {
        let mut parts = Vec::new();
        let mut item = self.next_pos()?;
        while item.kind != end && item.kind != ItemKind::Eof {
            parts.push(match item.kind {
                ItemKind::Text => item.text.to_string(),
                _ => match self.value(&item, false)? {
                    TomlValue::Str(s) => s,
                    _ => return self.bug("Unexpected key type"),
                },
            });
            item = self.next()?;
        }
        if item.kind != end || parts.is_empty() {
            return self.bug("Expected the end of a key");
        }
        Ok(parts)
    }

    fn top_level(&mut self, item: &Item<'a>) -> Parsed<()> {
        match item.kind {
            ItemKind::CommentStart => {
                self.next()?;
            }
            ItemKind::TableStart => {
                let key = self.key_parts(ItemKind::TableEnd)?;
                self.add_context(&key, false)?;
                self.set_type("", false);
            }
            ItemKind::ArrayTableStart => {
                let key = self.key_parts(ItemKind::ArrayTableEnd)?;
                self.add_context(&key, true)?;
                self.set_type("", false);
            }
            ItemKind::KeyStart => {
                let outer = self.context.clone();
                let key = self.key_parts(ItemKind::KeyEnd)?;
                self.enter_dotted(&key)?;
                let item = self.next()?;
                let value = self.value(&item, false)?;
                self.set_last(value)?;
                self.context = outer;
                self.key.clear();
            }
            _ => return self.bug("Unexpected type at top level"),
        }
        Ok(())
    }

    /// Makes the tables before the last part of a dotted key.
    fn enter_dotted(&mut self, key: &[String]) -> Parsed<()> {
        if let Some((last, before)) = key.split_last() {
            self.key = last.clone();
            for part in before {
                let mut path = self.context.clone();
                path.push(part.clone());
                self.implicits.insert(key_text(&path));
                self.add_context(&path, false)?;
            }
        }
        Ok(())
    }

    fn set_last(&mut self, value: TomlValue) -> Parsed<()> {
        let key = self.key.clone();
        let array = matches!(value, TomlValue::Array(_));
        self.set_value(&key, value)?;
        self.set_type(&key, array);
        Ok(())
    }

    fn value(&mut self, item: &Item<'a>, in_array: bool) -> Parsed<TomlValue> {
        let text = item.text;
        Ok(match item.kind {
            ItemKind::String | ItemKind::RawString => TomlValue::Str(text.into()),
            ItemKind::StringEsc => TomlValue::Str(self.replace_escapes(item, text)?),
            ItemKind::MultilineString => {
                let text = strip_escaped_newlines(strip_first_newline(text));
                TomlValue::Str(self.replace_escapes(item, &text)?)
            }
            ItemKind::RawMultilineString => TomlValue::Str(strip_first_newline(text).into()),
            ItemKind::Integer => self.integer(item)?,
            ItemKind::Float => self.float(item)?,
            ItemKind::Bool => TomlValue::Bool(text == "true"),
            ItemKind::Datetime => self.datetime(item)?,
            ItemKind::Array | ItemKind::InlineTableStart => {
                self.depth += 1;
                if self.depth > MAX_DEPTH {
                    return self.fail_at(item.line, "nested too deeply");
                }
                let value = if item.kind == ItemKind::Array { self.array()? } else { self.inline_table(in_array)? };
                self.depth -= 1;
                value
            }
            _ => return self.bug("Unexpected value type"),
        })
    }

    fn integer(&self, item: &Item<'_>) -> Parsed<TomlValue> {
        let quoted = || strconv::quote(item.text.as_bytes());
        if !underscores_ok(item.text) {
            let message = format!("Invalid integer {}: underscores must be surrounded by digits", quoted());
            return self.fail_at(item.line, message);
        }
        if has_leading_zero(item.text) {
            return self.fail_at(item.line, format!("Invalid integer {}: cannot have leading zeroes", quoted()));
        }
        match strconv::parse_int(item.text, 0, 64) {
            Ok(n) => Ok(TomlValue::Int(n)),
            Err(e) if e.to_string().ends_with("value out of range") => {
                self.fail_at(item.line, format!("{} is out of range for int64", item.text))
            }
            Err(_) => self.bug(&format!("Expected integer value, but got '{}'.", item.text)),
        }
    }

    fn float(&self, item: &Item<'_>) -> Parsed<TomlValue> {
        let quoted = || strconv::quote(item.text.as_bytes());
        let mut parts = item.text.split(['.', 'e', 'E']).filter(|p| !p.is_empty()).peekable();
        let zero = parts.peek().is_some_and(|p| has_leading_zero(p));
        if !parts.all(underscores_ok) {
            let message = format!("Invalid float {}: underscores must be surrounded by digits", quoted());
            return self.fail_at(item.line, message);
        }
        if zero {
            return self.fail_at(item.line, format!("Invalid float {}: cannot have leading zeroes", quoted()));
        }
        if !periods_ok(item.text) {
            let message = format!("Invalid float {}: '.' must be followed by one or more digits", quoted());
            return self.fail_at(item.line, message);
        }
        let plain = item.text.replace('_', "");
        if plain.ends_with("nan") {
            return Ok(TomlValue::Float(if plain == "-nan" { -f64::NAN } else { f64::NAN }));
        }
        match strconv::parse_float(&plain) {
            Ok(f) => Ok(TomlValue::Float(f)),
            Err(e) if e.to_string().ends_with("value out of range") => {
                self.fail_at(item.line, format!("{} is out of range for float64", item.text))
            }
            Err(_) => self.fail_at(item.line, format!("Invalid float value: {}", quoted())),
        }
    }

    fn datetime(&self, item: &Item<'_>) -> Parsed<TomlValue> {
        let text = item.text.replace('z', "Z").replace(['t', ' '], "T");
        let offset = self.local.lookup(self.now).offset;
        let named = |name: &str| Location::fixed(name, offset);
        let layouts = [
            ("2006-01-02T15:04:05.999999999Z07:00", DatetimeKind::Offset),
            ("2006-01-02T15:04:05.999999999", DatetimeKind::LocalDatetime),
            ("2006-01-02", DatetimeKind::LocalDate),
            ("15:04:05.999999999", DatetimeKind::LocalTime),
            ("2006-01-02T15:04Z07:00", DatetimeKind::Offset),
            ("2006-01-02T15:04", DatetimeKind::LocalDatetime),
            ("15:04", DatetimeKind::LocalTime),
        ];
        for (layout, kind) in layouts {
            let zone = match kind {
                DatetimeKind::Offset => self.local.clone(),
                DatetimeKind::LocalDatetime => named("datetime-local"),
                DatetimeKind::LocalDate => named("date-local"),
                DatetimeKind::LocalTime => named("time-local"),
            };
            if let Ok(time) = parse_in_location(layout.as_bytes(), text.as_bytes(), &zone) {
                if missing_leading_zero(text.as_bytes(), layout.as_bytes()) {
                    break;
                }
                return Ok(TomlValue::Datetime(Datetime { time, kind }));
            }
        }
        self.fail_at(item.line, format!("invalid datetime: {}", strconv::quote(text.as_bytes())))
    }

    fn array(&mut self) -> Parsed<TomlValue> {
        let key = self.key.clone();
        self.set_type(&key, true);
        let mut items = Vec::new();
        loop {
            let item = self.next()?;
            match item.kind {
                ItemKind::ArrayEnd => return Ok(TomlValue::Array(items)),
                ItemKind::CommentStart => {
                    self.next()?;
                }
                _ => items.push(self.value(&item, true)?),
            }
        }
    }

    fn inline_table(&mut self, in_array: bool) -> Parsed<TomlValue> {
        let top = self.new_table();
        let outer_context = self.context.clone();
        let outer_key = std::mem::take(&mut self.key);
        self.context.push(outer_key.clone());
        let context = self.context.clone();
        self.implicits.insert(key_text(&context));
        self.add_context(&context, in_array)?;
        let inner = self.context.clone();
        loop {
            let item = self.next()?;
            match item.kind {
                ItemKind::InlineTableEnd => break,
                ItemKind::CommentStart => {
                    self.next()?;
                    continue;
                }
                _ => {}
            }
            let key = self.key_parts(ItemKind::KeyEnd)?;
            self.enter_dotted(&key)?;
            let item = self.next()?;
            let value = self.value(&item, false)?;
            self.set_last(value.clone())?;
            let mut table = top;
            for part in &key[..key.len() - 1] {
                table = match self.tables[table].get(part) {
                    Some(TomlValue::Table(t)) => *t,
                    Some(_) => {
                        let context = String::from_utf8_lossy(&key_text(&self.context)).into_owned();
                        return self.fail(format!("{} is not a table", strconv::quote(context.as_bytes())));
                    }
                    None => {
                        let new = self.new_table();
                        self.tables[table].insert(part.clone(), TomlValue::Table(new));
                        new
                    }
                };
            }
            self.tables[table].insert(self.key.clone(), value);
            self.context.clone_from(&inner);
        }
        self.context = outer_context;
        self.key = outer_key;
        Ok(TomlValue::Table(top))
    }

    fn new_table(&mut self) -> TableId {
        self.tables.push(BTreeMap::new());
        self.tables.len() - 1
    }

    fn shown(path: &[String]) -> String {
        String::from_utf8_lossy(&key_text(path)).into_owned()
    }

    fn add_context(&mut self, key: &[String], array: bool) -> Parsed<()> {
        let Some((last, before)) = key.split_last() else { return Ok(()) };
        if key.len() > MAX_DEPTH {
            return self.fail("nested too deeply");
        }
        let mut table = 0;
        for i in 0..before.len() {
            let part = &before[i];
            if !self.tables[table].contains_key(part) {
                self.implicits.insert(key_text(&key[..=i]));
                let new = self.new_table();
                self.tables[table].insert(part.clone(), TomlValue::Table(new));
            }
            table = match self.tables[table].get(part) {
                Some(TomlValue::Table(t)) => *t,
                Some(TomlValue::Tables(ts)) if !ts.is_empty() => ts[ts.len() - 1],
                _ => return self.fail(format!("Key '{}' was already created as a hash.", Self::shown(&key[..=i]))),
            };
        }
        self.context = before.to_vec();
        let new = self.new_table();
        if array {
            match self.tables[table].entry(last.clone()).or_insert_with(|| TomlValue::Tables(Vec::new())) {
                TomlValue::Tables(ts) => ts.push(new),
                _ => {
                    let key = Self::shown(key);
                    return self.fail(format!("Key '{key}' was already created and cannot be used as an array."));
                }
            }
        } else {
            self.set_value(last, TomlValue::Table(new))?;
        }
        self.context.push(last.clone());
        Ok(())
    }

    fn set_value(&mut self, key: &str, value: TomlValue) -> Parsed<()> {
        let mut table = 0;
        for i in 0..self.context.len() {
            table = match self.tables[table].get(&self.context[i]) {
                Some(TomlValue::Table(t)) => *t,
                Some(TomlValue::Tables(ts)) if !ts.is_empty() => ts[ts.len() - 1],
                Some(_) => {
                    let key = Self::shown(&self.context[..=i]);
                    return self.fail(format!("Key '{key}' has already been defined."));
                }
                None => {
                    let key = Self::shown(&self.context[..=i]);
                    return self.bug(&format!("Context for key '{key}' has not been established."));
                }
            };
        }
        if self.tables[table].contains_key(key) {
            let mut path = self.context.clone();
            path.push(key.to_string());
            let text = key_text(&path);
            let implicit = self.implicits.remove(&text);
            if !implicit {
                return self.fail(format!("Key '{}' has already been defined.", String::from_utf8_lossy(&text)));
            }
            // An implicit table stays; an array's placeholder makes way.
            if self.arrays.get(&text) != Some(&true) {
                return Ok(());
            }
        }
        self.tables[table].insert(key.to_string(), value);
        Ok(())
    }

    fn set_type(&mut self, key: &str, array: bool) {
        let mut path = self.context.clone();
        if !key.is_empty() || path.is_empty() {
            path.push(key.to_string());
        }
        self.arrays.insert(key_text(&path), array);
    }

    fn replace_escapes(&self, item: &Item<'_>, text: &str) -> Parsed<String> {
        let mut out = String::with_capacity(text.len());
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            if c != '\\' {
                out.push(c);
                continue;
            }
            let digits = match chars.next() {
                Some(c @ (' ' | '\t')) => return self.fail_at(item.line, format!("invalid escape: '\\{c}'")),
                Some('b') => out_push(&mut out, '\x08'),
                Some('t') => out_push(&mut out, '\t'),
                Some('n') => out_push(&mut out, '\n'),
                Some('f') => out_push(&mut out, '\x0c'),
                Some('r') => out_push(&mut out, '\r'),
                Some('e') => out_push(&mut out, '\x1b'),
                Some(c @ ('"' | '\\')) => out_push(&mut out, c),
                Some('x') => 2,
                Some('u') => 4,
                Some('U') => 8,
                _ => return self.bug("Expected valid escape code after \\"),
            };
            if digits > 0 {
                let hex: String = chars.by_ref().take(digits).collect();
                match u32::from_str_radix(&hex, 16).ok().and_then(char::from_u32) {
                    Some(c) => out.push(c),
                    None => {
                        let message = format!("Escaped character '\\u{hex}' is not valid UTF-8.");
                        return self.fail_at(item.line, message);
                    }
                }
            }
        }
        Ok(out)
    }
}

/// Adds a character; no digits follow.
fn out_push(out: &mut String, c: char) -> usize {
    out.push(c);
    0
}

fn strip_first_newline(s: &str) -> &str {
    s.strip_prefix('\n').or_else(|| s.strip_prefix("\r\n")).unwrap_or(s)
}

/// A backslash at the end of a line takes the break and the blanks after it with it.
fn strip_escaped_newlines(s: &str) -> String {
    let mut out = String::with_capacity(s.len());
    let mut rest = s;
    while let Some(i) = rest.find('\\') {
        let after = &rest[i + 1..];
        if let Some(after) = after.strip_prefix('\\') {
            out.push_str(&rest[..i + 2]);
            rest = after;
            continue;
        }
        let tail = after.trim_start_matches([' ', '\t', '\r', '\n']);
        let blanks = &after[..after.len() - tail.len()];
        if blanks.contains('\n') {
            out.push_str(&rest[..i]);
            rest = tail;
        } else {
            out.push_str(&rest[..=i]);
            rest = after;
        }
    }
    out.push_str(rest);
    out
}

fn has_leading_zero(s: &str) -> bool {
    match s.as_bytes() {
        [b'0', next, ..] => !matches!(next, b'b' | b'o' | b'x'),
        [b'-' | b'+', b'0', _, ..] => true,
        _ => false,
    }
}

fn underscores_ok(s: &str) -> bool {
    if matches!(s, "nan" | "+nan" | "-nan" | "inf" | "-inf" | "+inf") {
        return true;
    }
    let mut accept = false;
    for c in s.chars() {
        if c == '_' && !accept {
            return false;
        }
        accept = c.is_ascii_hexdigit();
    }
    accept
}

fn periods_ok(s: &str) -> bool {
    let mut period = false;
    for c in s.chars() {
        if period && !c.is_ascii_digit() {
            return false;
        }
        period = c == '.';
    }
    !period
}

/// Go's `time.Parse` takes one digit where TOML wants two.
fn missing_leading_zero(text: &[u8], layout: &[u8]) -> bool {
    for (i, c) in layout.iter().enumerate() {
        if matches!(c, b'.' | b'Z') {
            return false;
        }
        if !c.is_ascii_digit() && text.get(i) != Some(c) {
            return true;
        }
    }
    false
}
