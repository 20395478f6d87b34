//! The expressions of `--set`, `--set-string`, `--set-json`, `--set-file` and `--set-literal`: `a.b[0]=1,c={x,y}`.
//!
//! The parser is one that reads and sets as it goes: what came before an error stays set, an error in the middle of a key can
//! leave an empty list behind, and a key that meets a value of another type ends with the text of Go's failed type assertion.
//! All of it is Helm's behaviour, and charts' users see it. Source: Helm 4.3 `pkg/strvals`.

mod json;
mod scan;
#[cfg(test)]
mod tests;

use scan::{Scanner, Stop};

use crate::golang::strconv;
use crate::value::{Elem, Heap, ListId, MapId, MapType, Value};

/// The greatest list index.
pub const MAX_INDEX: i64 = 65536;
/// The most dots in one key.
pub const MAX_NESTED_NAME_LEVEL: usize = 30;
/// The most brackets in one key. Helm knows no limit; its parser would need Go's stack.
const MAX_DEPTH: usize = 256;
/// The most list items that one expression can make by its indexes.
const MAX_ITEMS: usize = 1 << 22;

/// Gives the value for what stands after the `=`: for `--set-file`, the file's text for its path.
pub type Reader<'r> = dyn FnMut(&str) -> Result<Value, String> + 'r;

/// How the part after `=` is read.
enum Mode<'r> {
    /// `--set`
    Typed,
    /// `--set-string`
    String,
    /// `--set-file`
    Reader(&'r mut Reader<'r>),
    /// `--set-json`
    Json,
    /// `--set-literal`
    Literal,
}

/// `--set`: numbers are int64, `true`, `false` and `null` are themselves, all else is text.
///
/// # Errors
/// Helm's text; what was set before the error stays set. So for the others.
pub fn parse_into(heap: &mut Heap, dest: MapId, text: &[u8]) -> Result<(), String> {
    run(heap, dest, text, Mode::Typed)
}

/// `--set` into a new map.
///
/// # Errors
/// As [`parse_into`].
pub fn parse(heap: &mut Heap, text: &[u8]) -> Result<MapId, String> {
    let dest = heap.new_map();
    parse_into(heap, dest, text).map(|()| dest)
}

/// `--set-string`: every value is text.
///
/// # Errors
/// As [`parse_into`].
pub fn parse_into_string(heap: &mut Heap, dest: MapId, text: &[u8]) -> Result<(), String> {
    run(heap, dest, text, Mode::String)
}

/// `--set-json` with `key=json`: values are JSON, an empty one is null.
///
/// # Errors
/// As [`parse_into`].
pub fn parse_json(heap: &mut Heap, dest: MapId, text: &[u8]) -> Result<(), String> {
    run(heap, dest, text, Mode::Json)
}

/// `--set-literal`: all after the first `=` is text, commas and backslashes too.
///
/// # Errors
/// As [`parse_into`].
pub fn parse_literal_into(heap: &mut Heap, dest: MapId, text: &[u8]) -> Result<(), String> {
    run(heap, dest, text, Mode::Literal)
}

/// `--set-file`: the values are what `reader` gives for them.
///
/// # Errors
/// As [`parse_into`], and the reader's.
pub fn parse_into_file(heap: &mut Heap, dest: MapId, text: &[u8], reader: &mut Reader<'_>) -> Result<(), String> {
    run(heap, dest, text, Mode::Reader(reader))
}

fn run(heap: &mut Heap, dest: MapId, text: &[u8], mode: Mode<'_>) -> Result<(), String> {
    let scanner = Scanner::new(text, !matches!(mode, Mode::Literal));
    let mut parser = Parser { heap, scanner, mode, items: 0 };
    loop {
        match parser.key(dest, 0, 0) {
            Ok(()) => {}
            Err(Failure { end: true, .. }) => return Ok(()),
            Err(Failure { text, .. }) => return Err(text),
        }
    }
}

/// An error on its way up. `end`: it is the end of the text, or wraps it, and so no error to the caller.
#[derive(Debug)]
struct Failure {
    text: String,
    end: bool,
    /// A failed type assertion: Go's panic, which the nearest key recovers from. It sets nothing on its way.
    panic: bool,
}

impl Failure {
    const fn new(text: String) -> Self {
        Self { text, end: false, panic: false }
    }

    fn end() -> Self {
        Self { text: "EOF".into(), end: true, panic: false }
    }

    /// The panic of `value.(want)`.
    fn assertion(heap: &Heap, value: &Value, want: &str) -> Self {
        let got = if value.is_nil() { "nil".into() } else { value.go_type(heap) };
        Self { text: format!("interface conversion: interface {{}} is {got}, not {want}"), end: false, panic: true }
    }

    fn index(self) -> Self {
        Self { text: format!("error parsing index: {}", self.text), ..self }
    }
}

type Res<T> = Result<T, Failure>;

struct Parser<'p, 'r> {
    heap: &'p mut Heap,
    scanner: Scanner<'p>,
    mode: Mode<'r>,
    /// List items made so far.
    items: usize,
}

/// What the text after a `=` turned out to be.
enum Read {
    Value(Value),
    /// The value is there (and is set), but the reader failed.
    Failed(Value, Failure),
    /// There is no text after it.
    Nothing,
}

impl Parser<'_, '_> {
    /// Reads one key with its value into `data`.
    fn key(&mut self, data: MapId, level: usize, depth: usize) -> Res<()> {
        self.key_unguarded(data, level, depth).map_err(|e| match e {
            Failure { text, panic: true, .. } => Failure::new(format!("unable to parse key: {text}")),
            other => other,
        })
    }

    fn key_unguarded(&mut self, data: MapId, mut level: usize, depth: usize) -> Res<()> {
        let literal = matches!(self.mode, Mode::Literal);
        let (key, stop) = self.scanner.until(if literal { "=[." } else { "=[,." });
        match stop {
            Stop::End if key.is_empty() => Err(Failure::end()),
            Stop::End => Err(Failure::new(format!("key {} has no value", quote(&key)))),
            Stop::At('[') => {
                let index = self.index().map_err(Failure::index)?;
                let list = match self.heap.map(data).get(&key) {
                    None => self.heap.list_of(Vec::new()),
                    Some(found) => self.as_list(found)?,
                };
                let (list, result) = self.list_item(list, index, level, depth + 1)?;
                self.set(data, &key, Value::List(list));
                result
            }
            Stop::At('=') => match self.value()? {
                Read::Value(v) => {
                    self.set(data, &key, v);
                    Ok(())
                }
                Read::Failed(v, failure) => {
                    self.set(data, &key, v);
                    Err(failure)
                }
                Read::Nothing => {
                    self.set(data, &key, Value::str(""));
                    Err(Failure::end())
                }
            },
            Stop::At('.') => {
                level += 1;
                if level > MAX_NESTED_NAME_LEVEL {
                    return Err(Failure::new(format!(
                        "value name nested level is greater than maximum supported nested level of {MAX_NESTED_NAME_LEVEL}"
                    )));
                }
                let inner = match self.heap.map(data).get(&key) {
                    None => self.heap.new_map(),
                    Some(found) => self
                        .as_map(found)
                        .ok_or_else(|| Failure::assertion(self.heap, found, "map[string]interface {}"))?,
                };
                let result = self.key(inner, level, depth + 1);
                let empty = self.heap.map(inner).is_empty();
                if empty && result.is_ok() {
                    return Err(Failure::new(format!("key map {} has no value", quote(&key))));
                }
                if !empty {
                    self.set(data, &key, Value::Map(inner));
                }
                result
            }
            Stop::At(_) => {
                self.set(data, &key, Value::str(""));
                Err(Failure::new(format!("key {} has no value (cannot end with ,)", quote(&key))))
            }
        }
    }

    /// Reads what follows an index: a value, another index or a key of the item. The list may be another afterwards, as Go's
    /// slice is when it grows; it comes back even with an error, but not with a panic (the outer `Err`).
    fn list_item(&mut self, list: ListId, index: i64, level: usize, depth: usize) -> Res<(ListId, Res<()>)> {
        let fail = |text: String| Ok((list, Err(Failure::new(text))));
        if depth > MAX_DEPTH {
            return fail(format!("a key with more than {MAX_DEPTH} levels is not supported"));
        }
        let Ok(at) = usize::try_from(index) else { return fail(negative(index)) };
        let (key, stop) = self.scanner.until("[.=");
        if !key.is_empty() {
            let runes: Vec<String> = key.chars().map(strconv::quote_rune).collect();
            return fail(format!("unexpected data at end of array index: [{}]", runes.join(" ")));
        }
        let existing = self.heap.list(list).items.get(at).cloned();
        match stop {
            Stop::End => Ok((list, Err(Failure::end()))),
            Stop::At('=') => Ok(match self.value() {
                Ok(Read::Value(v)) => self.set_index(list, index, v),
                Ok(Read::Nothing) => self.set_index(list, index, Value::str("")),
                Ok(Read::Failed(_, failure)) | Err(failure) => (list, Err(failure)),
            }),
            Stop::At('[') => {
                let next = match self.index() {
                    Ok(next) => next,
                    Err(e) => return Ok((list, Err(e.index()))),
                };
                let inner = match existing {
                    None | Some(Value::Nil) => self.heap.list_of(Vec::new()),
                    Some(found) => self.as_list(&found)?,
                };
                Ok(match self.list_item(inner, next, level, depth + 1)? {
                    (inner, Ok(())) => self.set_index(list, index, Value::List(inner)),
                    (_, Err(e)) => (list, Err(e)),
                })
            }
            Stop::At(_) => {
                let inner = match existing.as_ref().and_then(|v| self.as_map(v)) {
                    Some(map) => map,
                    None => {
                        let map = self.heap.new_map();
                        // Something else in its place is overwritten at once, whatever comes.
                        if let Some(item) = self.heap.list_mut(list).items.get_mut(at) {
                            *item = Value::Map(map);
                        }
                        map
                    }
                };
                Ok(match self.key(inner, level, depth + 1) {
                    Ok(()) => self.set_index(list, index, Value::Map(inner)),
                    Err(e) => (list, Err(e)),
                })
            }
        }
    }

    /// Reads what stands after a `=`.
    fn value(&mut self) -> Res<Read> {
        match &mut self.mode {
            Mode::Literal => Ok(Read::Value(Value::str(self.scanner.until("").0))),
            Mode::Json => {
                if self.scanner.blank() {
                    return Ok(Read::Value(Value::Nil));
                }
                let (value, used) = json::decode_prefix(self.heap, self.scanner.rest()).map_err(Failure::new)?;
                self.scanner.skip(used);
                self.scanner.blank();
                Ok(Read::Value(value))
            }
            _ if self.scanner.at_end() => Ok(Read::Nothing),
            _ if self.scanner.accept('{') => self.braces(),
            _ => {
                let text = self.scanner.until(",").0;
                Ok(match self.read(&text) {
                    Ok(v) => Read::Value(v),
                    Err(e) => Read::Failed(Value::Nil, e),
                })
            }
        }
    }

    /// Reads `a,b}`.
    fn braces(&mut self) -> Res<Read> {
        let mut items = Vec::new();
        loop {
            let (text, stop) = self.scanner.until(",}");
            match stop {
                Stop::End => return Err(Failure::new("list must terminate with '}'".into())),
                Stop::At(',') => items.push(self.read(&text)?),
                Stop::At(_) => {
                    self.scanner.accept(',');
                    items.push(self.read(&text)?);
                    return Ok(Read::Value(Value::List(self.heap.grown_list_of(items))));
                }
            }
        }
    }

    /// The value of one text.
    fn read(&mut self, text: &str) -> Res<Value> {
        match &mut self.mode {
            Mode::Typed => Ok(typed(text)),
            Mode::Reader(reader) => reader(text).map_err(Failure::new),
            Mode::String | Mode::Json | Mode::Literal => Ok(Value::str(text)),
        }
    }

    /// Reads `0]`.
    fn index(&mut self) -> Res<i64> {
        let (text, stop) = self.scanner.until("]");
        match stop {
            Stop::End => Err(Failure::end()),
            Stop::At(_) => strconv::atoi(&text).map_err(|e| Failure::new(e.to_string())),
        }
    }

    /// Sets a key; one without a name is passed over.
    fn set(&mut self, data: MapId, key: &str, value: Value) {
        if !key.is_empty() {
            self.heap.map_mut(data).insert(key, value);
        }
    }

    /// Sets an item. A list that is too short is copied into a longer one, as Go's `copy` does; others who hold it keep the old.
    fn set_index(&mut self, list: ListId, index: i64, value: Value) -> (ListId, Res<()>) {
        let fail = |text: String| (list, Err(Failure::new(text)));
        let Ok(at) = usize::try_from(index) else { return fail(negative(index)) };
        if index > MAX_INDEX {
            return fail(format!("index of {index} is greater than maximum supported index of {MAX_INDEX}"));
        }
        if let Some(item) = self.heap.list_mut(list).items.get_mut(at) {
            *item = value;
            return (list, Ok(()));
        }
        self.items += at + 1;
        if self.items > MAX_ITEMS {
            return fail(format!("more than {MAX_ITEMS} list items are not supported"));
        }
        let mut items = Vec::with_capacity(at + 1);
        items.extend_from_slice(&self.heap.list(list).items);
        items.resize(at, Value::Nil);
        items.push(value);
        (self.heap.list_of(items), Ok(()))
    }

    /// `value.([]interface {})`
    fn as_list(&self, value: &Value) -> Res<ListId> {
        match value {
            Value::List(l) if self.heap.list(*l).elem == Elem::Any => Ok(*l),
            other => Err(Failure::assertion(self.heap, other, "[]interface {}")),
        }
    }

    /// `value.(map[string]interface {})`
    fn as_map(&self, value: &Value) -> Option<MapId> {
        match value {
            Value::Map(m) if !m.is_values() && self.heap.map(*m).ty == MapType::Any => Some(*m),
            _ => None,
        }
    }
}

fn negative(index: i64) -> String {
    format!("negative {index} index not allowed")
}

fn quote(s: &str) -> String {
    strconv::quote(s.as_bytes())
}

/// The value that `--set` takes a text for.
fn typed(text: &str) -> Value {
    let is = |word: &str| {
        // strings.EqualFold: the long s is an s, too.
        text.chars().map(|c| if c == 'ſ' { 's' } else { c.to_ascii_lowercase() }).eq(word.chars())
    };
    if is("true") {
        return Value::Bool(true);
    }
    if is("false") {
        return Value::Bool(false);
    }
    if is("null") {
        return Value::Nil;
    }
    if text == "0" {
        return Value::Int64(0);
    }
    if !text.starts_with('0')
        && let Ok(n) = strconv::parse_int(text, 10, 64)
    {
        return Value::Int64(n);
    }
    Value::str(text)
}
