//! An index in YAML, line by line.
//!
//! Indexes are written by programs, in one form: a mapping in block style whose `entries` have one key a chart, indented alike, each with a
//! sequence of mappings. In block style all that belongs to a key is indented deeper than the key (but for the dashes of a sequence), so that
//! the entry of a chart can be cut out without understanding the others; each of its items is then parsed by the YAML parser. Whatever does not look
//! like that makes the scanner stop with [`Stop::Unusual`], and the file is parsed [`whole`].

use crate::source::{Reason, SourceError};
use crate::value::{Heap, Value};
use crate::yaml;

use super::{ChartVersion, Charts, Found, item};

/// The longest entry of one version, in bytes.
const MAX_ITEM: usize = 8 << 20;
/// The most versions of one chart.
const MAX_VERSIONS: usize = 500_000;
/// The most bytes that are parsed whole.
const MAX_WHOLE: usize = 96 << 20;

/// Why scanning ended early.
#[derive(Debug)]
pub enum Stop {
    /// Not in the form that is understood line by line.
    Unusual,
    Error(SourceError),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before the first key.
    Start,
    Entries,
    /// Under another key of the top.
    Other,
}

/// Takes an index in pieces.
pub struct Scanner<'n> {
    charts: Charts<'n>,
    /// The beginning of a line whose end has not come yet.
    line: Vec<u8>,
    state: State,
    seen_entries: bool,
    api_version: bool,
    /// The indentation of the charts' names.
    indent: usize,
    wanted: Option<String>,
    /// The indentation of the dashes under the wanted chart.
    dash: Option<usize>,
    item: Vec<u8>,
    found: Found,
}

impl<'n> Scanner<'n> {
    pub const fn new(charts: Charts<'n>) -> Self {
        Self {
            charts,
            line: Vec::new(),
            state: State::Start,
            seen_entries: false,
            api_version: false,
            indent: 0,
            wanted: None,
            dash: None,
            item: Vec::new(),
            found: Found::new(),
        }
    }

    pub fn feed(&mut self, mut piece: &[u8]) -> Result<(), Stop> {
        while let Some(end) = piece.iter().position(|b| *b == b'\n') {
            let (line, rest) = piece.split_at(end);
            if self.line.is_empty() {
                self.take(line)?;
            } else {
                let mut whole = std::mem::take(&mut self.line);
                whole.extend_from_slice(line);
                self.take(&whole)?;
            }
            piece = rest.get(1..).unwrap_or_default();
        }
        if self.line.len() + piece.len() > MAX_ITEM {
            return Err(Stop::Unusual);
        }
        self.line.extend_from_slice(piece);
        Ok(())
    }

    pub fn finish(mut self) -> Result<Found, Stop> {
        let last = std::mem::take(&mut self.line);
        self.take(&last)?;
        self.leave()?;
        if !self.api_version {
            return Err(Stop::Error(SourceError::refused("no API version specified")));
        }
        Ok(self.found)
    }

    fn take(&mut self, line: &[u8]) -> Result<(), Stop> {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let indent = line.iter().position(|b| *b != b' ').unwrap_or(line.len());
        let text = line.get(indent..).unwrap_or_default();
        // The many lines of charts that nobody asked for.
        if self.state == State::Entries && self.wanted.is_none() && indent > self.indent && self.indent > 0 {
            return Ok(());
        }
        if text.is_empty() {
            self.push(line);
            return Ok(());
        }
        match (self.state, indent) {
            (State::Other, 1..) => Ok(()),
            (State::Start, 1..) => {
                if text.starts_with(b"#") {
                    Ok(())
                } else {
                    Err(Stop::Unusual)
                }
            }
            (_, 0) => self.top(line),
            (State::Entries, _) => self.entry(line, indent, text),
        }
    }

    /// A line without indentation.
    fn top(&mut self, line: &[u8]) -> Result<(), Stop> {
        let line = if self.state == State::Start { line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line) } else { line };
        if line.starts_with(b"#") || (line == b"---" && self.state == State::Start) {
            return Ok(());
        }
        if line.starts_with(b"- ") && self.state == State::Other {
            return Ok(());
        }
        self.leave()?;
        let (key, value) = key(line).ok_or(Stop::Unusual)?;
        self.state = State::Other;
        if key == "entries" {
            if std::mem::replace(&mut self.seen_entries, true) {
                return Err(Stop::Unusual);
            }
            match value {
                b"" => self.state = State::Entries,
                b"{}" => {}
                _ => return Err(Stop::Unusual),
            }
        } else if key == "apiVersion" {
            self.api_version = !matches!(value, b"" | b"\"\"" | b"''" | b"~" | b"null");
        }
        Ok(())
    }

    /// A line under `entries`.
    fn entry(&mut self, line: &[u8], indent: usize, text: &[u8]) -> Result<(), Stop> {
        if self.indent == 0 {
            if text.starts_with(b"#") {
                return Ok(());
            }
            self.indent = indent;
        }
        let dashes = text == b"-" || text.starts_with(b"- ");
        if indent < self.indent {
            return if text.starts_with(b"#") { Ok(()) } else { Err(Stop::Unusual) };
        }
        if indent == self.indent && !dashes {
            if text.starts_with(b"#") {
                return Ok(());
            }
            self.leave()?;
            let (name, value) = key(text).ok_or(Stop::Unusual)?;
            if !matches!(value, b"" | b"[]" | b"null" | b"~") {
                return Err(Stop::Unusual);
            }
            if self.charts.has(&name) {
                // Twice the same name is for the parser to judge.
                if self.found.insert(name.clone(), Vec::new()).is_some() {
                    return Err(Stop::Unusual);
                }
                self.wanted = Some(name);
            }
            return Ok(());
        }
        if self.wanted.is_none() {
            return Ok(());
        }
        if dashes && self.dash.is_none_or(|d| d == indent) {
            self.flush()?;
            self.dash = Some(indent);
            self.item.extend(std::iter::repeat_n(b' ', indent + 1));
            self.push(text.get(1..).unwrap_or_default());
            return Ok(());
        }
        if self.dash.is_none() && !text.starts_with(b"#") {
            return Err(Stop::Unusual);
        }
        self.push(line);
        if self.item.len() > MAX_ITEM { Err(too_large("one version's entry is")) } else { Ok(()) }
    }

    fn push(&mut self, line: &[u8]) {
        if self.dash.is_some() {
            self.item.extend_from_slice(line);
            self.item.push(b'\n');
        }
    }

    /// The end of an item.
    fn flush(&mut self) -> Result<(), Stop> {
        if self.dash.is_none() {
            return Ok(());
        }
        // An anchor of another place, for example, makes no sense here.
        let read = item::read(&self.item).map_err(|_| Stop::Unusual)?;
        self.item.clear();
        let versions = self.wanted.as_ref().and_then(|w| self.found.get_mut(w));
        if let (Some(versions), Some(version)) = (versions, read) {
            keep(versions, version)?;
        }
        Ok(())
    }

    /// The end of a chart's entry.
    fn leave(&mut self) -> Result<(), Stop> {
        self.flush()?;
        self.wanted = None;
        self.dash = None;
        Ok(())
    }
}

fn keep(versions: &mut Vec<ChartVersion>, version: ChartVersion) -> Result<(), Stop> {
    if versions.len() >= MAX_VERSIONS {
        return Err(too_large("the list of versions is"));
    }
    versions.push(version);
    Ok(())
}

fn too_large(what: &str) -> Stop {
    let message = format!("{what} larger than any honest index has");
    Stop::Error(SourceError::new(Reason::TooLarge, "", message).hint("look at the repository's index.yaml"))
}

/// `key:` or `key: value`, the key plain or in quotes without escapes; the value without a comment.
fn key(text: &[u8]) -> Option<(String, &[u8])> {
    let (key, rest) = match text.first()? {
        quote @ (b'"' | b'\'') => {
            let end = text.iter().skip(1).position(|b| b == quote)? + 1;
            (text.get(1..end)?, text.get(end + 1..)?.strip_prefix(b":")?)
        }
        _ => {
            let end = text.iter().position(|b| *b == b':')?;
            (text.get(..end)?, text.get(end + 1..)?)
        }
    };
    let plain = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'/');
    if key.is_empty() || !key.iter().all(plain) || !(rest.is_empty() || rest.starts_with(b" ")) {
        return None;
    }
    let value = rest.trim_ascii();
    let value = if value.starts_with(b"#") { b"" } else { value };
    Some((String::from_utf8_lossy(key).into_owned(), value))
}

/// Parses an index as a whole, for those in another form.
///
/// # Errors
/// The parser's, and an index that is too large for it.
pub fn whole(bytes: &[u8], charts: Charts<'_>) -> Result<Found, SourceError> {
    if bytes.len() > MAX_WHOLE {
        let message = format!("an index in unusual YAML may have {MAX_WHOLE} bytes, this one has {}", bytes.len());
        return Err(SourceError::new(Reason::TooLarge, "", message).hint("write it as `helm repo index` does"));
    }
    let malformed = |e: String| SourceError::new(Reason::Malformed, "", e);
    let mut heap = Heap::new();
    let top = yaml::to_map(&mut heap, bytes).map_err(malformed)?;
    if !matches!(heap.map(top).get("apiVersion"), Some(Value::Str(s)) if !s.is_empty()) {
        return Err(SourceError::refused("no API version specified"));
    }
    let entries = match heap.map(top).get("entries") {
        Some(Value::Map(id)) => *id,
        None | Some(Value::Nil) => return Ok(Found::new()),
        Some(_) => return Err(malformed("entries is no mapping".into())),
    };
    let mut found = Found::new();
    let wanted = heap.map(entries).iter().map(|(name, v)| (name.to_text().into_owned(), v.clone()));
    let wanted: Vec<(String, Value)> = wanted.filter(|(name, _)| charts.has(name)).collect();
    for (name, items) in wanted {
        let items = match items {
            Value::List(list) => heap.list(list).items.to_vec(),
            _ => Vec::new(),
        };
        let mut versions = Vec::new();
        for value in items {
            let text = crate::value::json::encode(&mut heap, &value, false, None).map_err(malformed)?;
            if let Some(version) = item::read(&text).map_err(malformed)? {
                keep(&mut versions, version).map_err(|s| match s {
                    Stop::Error(e) => e,
                    Stop::Unusual => malformed("unusual".into()),
                })?;
            }
        }
        found.insert(name, versions);
    }
    Ok(found)
}
