//! The head of a document that is written as nearly all are, line by line: block mappings and sequences, scalars, block scalars.
//!
//! The lines are only looked at as far as needed to know that go-yaml can read them, which is many times cheaper than to make tokens
//! of them. Whatever is not known for sure here (anchors, tags, long flow collections, odd keys, any error) is left to the whole
//! parser, so this never says what that one would not say.

use memchr::{memchr, memchr2};

use super::super::data::Data;
use super::super::resolve::{self, Scalar, Tag};
use super::{Head, scalar_text};

/// A collection that is open: the column of its keys or dashes.
#[derive(Clone, Copy)]
struct Open {
    col: usize,
    is_sequence: bool,
}

/// Deeper documents are left to the whole parser.
const MAX_DEPTH: usize = 64;
/// Longer keys too.
const MAX_KEY: usize = 200;

/// Which mapping of interest the lines are in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Section {
    Other,
    Metadata,
    Annotations,
}

/// Where the text of a value goes.
#[derive(Clone, Copy)]
enum Wanted<'a> {
    No,
    Version,
    Kind,
    Name,
    Annotation(&'a [u8]),
}

struct Quick<'a> {
    text: &'a [u8],
    pos: usize,
    open: Vec<Open>,
    /// A key or dash waits for its value, which may be a collection on the next lines.
    pending: bool,
    section: Section,
    head: Head,
    seen: [bool; 5],
}

/// The head; `None`: to be read by the whole parser.
pub(super) fn head(text: &[u8]) -> Option<Head> {
    if !is_simple(text) {
        return None;
    }
    let mut quick = Quick {
        text,
        pos: 0,
        open: Vec::with_capacity(16),
        pending: true,
        section: Section::Other,
        head: Head::default(),
        seen: [false; 5],
    };
    while quick.pos < text.len() {
        quick.line()?;
    }
    Some(quick.head)
}

/// Text without control characters but `\n` and tab, and without the line breaks beyond ASCII that YAML 1.1 knows.
fn is_simple(text: &[u8]) -> bool {
    // Without a way out in the middle this is done many bytes at a time.
    let (mut control, mut above) = (false, false);
    for b in text {
        control |= (*b < 0x20 && *b != b'\n' && *b != b'\t') || *b == 0x7f;
        above |= *b >= 0x80;
    }
    if control {
        return false;
    }
    if !above {
        return true;
    }
    let broken = |w: &[u8]| w == b"\xc2\x85" || w == b"\xe2\x80";
    super::reader::check(text).is_none() && !text.starts_with(b"\xef\xbb\xbf") && !text.windows(2).any(broken)
}

impl<'a> Quick<'a> {
    fn at(&self, i: usize) -> Option<u8> {
        self.text.get(i).copied()
    }

    fn slice(&self, from: usize, to: usize) -> &'a [u8] {
        self.text.get(from..to).unwrap_or_default()
    }

    /// A blank, a line's end or the text's.
    fn is_end_or_blank(&self, i: usize) -> bool {
        matches!(self.at(i), None | Some(b' ' | b'\n'))
    }

    fn skip_spaces(&self, mut i: usize) -> usize {
        while self.at(i) == Some(b' ') {
            i += 1;
        }
        i
    }

    /// Where the line ends that `i` is in: its `\n`, or the text's end.
    fn line_end(&self, i: usize) -> usize {
        self.text.get(i..).and_then(|rest| memchr(b'\n', rest)).map_or(self.text.len(), |n| i + n)
    }

    const fn next_line(&mut self, end: usize) {
        self.pos = end + 1;
    }

    /// Passes over one line, with the lines that its scalar goes on on.
    fn line(&mut self) -> Option<()> {
        let start = self.pos;
        let mut at = self.skip_spaces(start);
        match self.at(at) {
            None | Some(b'\n') => {
                self.next_line(at);
                return Some(());
            }
            Some(b'#') => {
                self.next_line(self.line_end(at));
                return Some(());
            }
            Some(b'\t') => return None,
            _ => {}
        }
        let mut after_dash = false;
        while self.at(at) == Some(b'-') && self.is_end_or_blank(at + 1) {
            self.enter(at - start, true)?;
            let next = self.skip_spaces(at + 1);
            self.pending = true;
            after_dash = true;
            match self.at(next) {
                None | Some(b'\n') => {
                    self.next_line(next);
                    return Some(());
                }
                Some(b'#') => {
                    self.next_line(self.line_end(next));
                    return Some(());
                }
                _ => at = next,
            }
        }
        match self.key(at)? {
            Some((key, value)) => {
                self.enter(at - start, false)?;
                self.entry(key, value)
            }
            // Of a scalar on lines of its own the whole parser knows more.
            None if !after_dash => None,
            None => {
                self.pending = false;
                self.value(at, Wanted::No)
            }
        }
    }

    /// A key or dash stands in this column: the collection that it belongs to is the innermost open one after this.
    fn enter(&mut self, col: usize, is_sequence: bool) -> Option<()> {
        while self.open.last().is_some_and(|o| o.col > col) {
            self.open.pop();
            self.pending = false;
        }
        match self.open.last() {
            Some(o) if o.col == col && o.is_sequence == is_sequence => {}
            // A key behind a sequence that stood in the column of its own key.
            Some(o) if o.col == col && o.is_sequence => {
                self.open.pop();
                self.open.last().filter(|o| o.col == col && !o.is_sequence)?;
            }
            None if is_sequence => return None,
            _ => {
                let looked_into = match self.open.len() {
                    1 => self.section == Section::Metadata,
                    2 => self.section == Section::Annotations,
                    _ => false,
                };
                if !self.pending || self.open.len() >= MAX_DEPTH || (is_sequence && looked_into) {
                    return None;
                }
                self.open.push(Open { col, is_sequence });
            }
        }
        self.pending = false;
        Some(())
    }

    /// A key that begins at `i`, and where its value may begin. `Some(None)`: there is none.
    fn key(&self, i: usize) -> Option<Option<(&'a [u8], usize)>> {
        let first = self.at(i)?;
        let (key, end) = match first {
            b'"' | b'\'' => {
                let rest = self.text.get(i + 1..)?;
                let line = rest.get(..memchr(b'\n', rest).unwrap_or(rest.len()))?;
                let Some(n) = memchr2(first, b'\\', line) else { return Some(None) };
                if line[n] == b'\\' || self.at(i + n + 2) != Some(b':') || !self.is_end_or_blank(i + n + 3) {
                    return Some(None);
                }
                (&line[..n], i + n + 2)
            }
            b'-' | b'?' | b':' | b',' | b'[' | b']' | b'{' | b'}' | b'#' | b'&' | b'*' | b'!' | b'|' | b'>' | b'%'
            | b'@' | b'`' | b'<' | b'=' | b'~' | b'+' | b'\t' => return Some(None),
            _ => {
                let mut end = i;
                loop {
                    match self.at(end) {
                        Some(b':') if self.is_end_or_blank(end + 1) => break,
                        None | Some(b' ' | b'\n' | b'\t') => return Some(None),
                        _ => end += 1,
                    }
                }
                let key = self.slice(i, end);
                let may_be_no_text = match first {
                    b'0'..=b'9' | b'.' => true,
                    b'y' | b'Y' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'o' | b'O' => key.len() <= 5,
                    _ => false,
                };
                if may_be_no_text && resolve::plain(key, true).0 != Tag::Str {
                    return None;
                }
                (key, end)
            }
        };
        if key.len() > MAX_KEY {
            return None;
        }
        Some(Some((key, self.skip_spaces(end + 1))))
    }

    /// A key of the innermost mapping, with its value.
    fn entry(&mut self, key: &'a [u8], value: usize) -> Option<()> {
        let wanted = match (self.open.len(), self.section) {
            (1, _) => {
                self.section = Section::Other;
                match self.field(key, &["apiVersion", "kind", "metadata"], 0)? {
                    Some(0) => Wanted::Version,
                    Some(1) => Wanted::Kind,
                    Some(_) => {
                        self.section = Section::Metadata;
                        return self.collection(value);
                    }
                    None => Wanted::No,
                }
            }
            (2, Section::Metadata | Section::Annotations) => {
                self.section = Section::Metadata;
                match self.field(key, &["name", "annotations"], 3)? {
                    Some(0) => Wanted::Name,
                    Some(_) => {
                        self.section = Section::Annotations;
                        return self.collection(value);
                    }
                    None => Wanted::No,
                }
            }
            (3, Section::Annotations) => Wanted::Annotation(key),
            _ => Wanted::No,
        };
        self.value(value, wanted)
    }

    /// Which of the fields a key names. Go looks at letters of either case, and at the last of several: for the whole parser.
    fn field(&mut self, key: &[u8], names: &[&str], first: usize) -> Option<Option<usize>> {
        let Some(i) = names.iter().position(|n| n.as_bytes() == key) else {
            // What folds to ASCII letters without being ASCII is as long as the name or longer.
            let alike = |n: &&str| key.len() >= n.len() && (!key.is_ascii() || key.eq_ignore_ascii_case(n.as_bytes()));
            return if names.iter().any(alike) { None } else { Some(None) };
        };
        let seen = self.seen.get_mut(first + i)?;
        if std::mem::replace(seen, true) { None } else { Some(Some(i)) }
    }

    /// The value of `metadata` or `annotations`: a mapping on the next lines, or nothing.
    fn collection(&mut self, i: usize) -> Option<()> {
        if !matches!(self.at(i), None | Some(b'\n' | b'#')) {
            return None;
        }
        self.pending = true;
        self.next_line(self.line_end(i));
        Some(())
    }

    fn put(&mut self, wanted: Wanted<'a>, scalar: Scalar<'a>) -> Option<()> {
        let text = scalar_text(&Data::Scalar(scalar))?;
        match wanted {
            Wanted::No => {}
            Wanted::Version => self.head.version = text,
            Wanted::Kind => self.head.kind = text,
            Wanted::Name => self.head.name = text,
            Wanted::Annotation(key) => {
                self.head.annotations.insert(String::from_utf8_lossy(key).into_owned(), text);
            }
        }
        Some(())
    }

    /// A value that begins at `i`.
    fn value(&mut self, i: usize, wanted: Wanted<'a>) -> Option<()> {
        let is_wanted = !matches!(wanted, Wanted::No);
        let Some(first) = self.at(i).filter(|b| *b != b'\n') else {
            self.pending = true;
            self.next_line(i);
            return if is_wanted { None } else { Some(()) };
        };
        match first {
            b'#' => {
                self.pending = true;
                self.next_line(self.line_end(i));
                if is_wanted { None } else { Some(()) }
            }
            b'|' | b'>' if is_wanted => None,
            b'|' | b'>' => self.block_scalar(i),
            b'"' | b'\'' => {
                let (end, escaped) = self.quoted(i, first)?;
                if is_wanted {
                    let text = self.slice(i + 1, end);
                    if escaped || text.contains(&b'\n') {
                        return None;
                    }
                    self.put(wanted, Scalar::Str(text.into()))?;
                }
                self.rest_is_blank(end + 1)
            }
            b'[' | b'{' if is_wanted => None,
            b'[' | b'{' => {
                let end = self.flow(i)?;
                self.rest_is_blank(end)
            }
            b'&' | b'*' | b'!' | b'%' | b'@' | b'`' | b',' | b'}' | b']' | b'\t' => None,
            b'-' | b'?' | b':' if self.is_end_or_blank(i + 1) => None,
            _ => self.plain(i, wanted),
        }
    }

    /// Behind a value nothing may come on its line but a comment.
    fn rest_is_blank(&mut self, i: usize) -> Option<()> {
        let end = self.skip_spaces(i);
        match self.at(end) {
            None | Some(b'\n') => self.next_line(end),
            Some(b'#') if end > i => self.next_line(self.line_end(end)),
            _ => return None,
        }
        Some(())
    }

    /// The end of a quoted scalar, which may go over several lines, and whether it is more than its text.
    fn quoted(&self, i: usize, quote: u8) -> Option<(usize, bool)> {
        let (mut at, mut escaped) = (i + 1, false);
        loop {
            let rest = self.text.get(at..)?;
            if quote == b'\'' {
                at += memchr(quote, rest)?;
                if self.at(at + 1) != Some(quote) {
                    break;
                }
            } else {
                at += memchr2(quote, b'\\', rest)?;
                if self.at(at) == Some(quote) {
                    break;
                }
                let simple = b"0abtnvfre \"'\\N_LP";
                self.at(at + 1).filter(|b| simple.contains(b))?;
            }
            escaped = true;
            at += 2;
        }
        let text = self.slice(i + 1, at);
        // A document's end ends a scalar too.
        if memchr(b'\n', text).is_some() && memchr::memmem::find(text, b"\n...").is_some() {
            return None;
        }
        Some((at, escaped))
    }

    /// The end of a flow collection: an empty one, or a sequence of simple scalars.
    fn flow(&self, i: usize) -> Option<usize> {
        let mut at = self.skip_spaces(i + 1);
        if self.at(i) == Some(b'{') {
            return (self.at(at) == Some(b'}')).then_some(at + 1);
        }
        if self.at(at) == Some(b']') {
            return Some(at + 1);
        }
        loop {
            match self.at(at)? {
                quote @ (b'"' | b'\'') => {
                    let end = self.quoted(at, quote)?;
                    if self.slice(at, end.0).contains(&b'\n') {
                        return None;
                    }
                    at = end.0 + 1;
                }
                b if b.is_ascii_alphabetic() => {
                    let is_word = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'/' | b'-' | b'+');
                    while self.at(at).is_some_and(is_word) {
                        at += 1;
                    }
                }
                _ => return None,
            }
            at = self.skip_spaces(at);
            match self.at(at)? {
                b',' => at = self.skip_spaces(at + 1),
                b']' => return Some(at + 1),
                _ => return None,
            }
        }
    }

    /// What of a line belongs to a plain scalar, and whether a comment follows.
    fn plain_line(&self, from: usize, to: usize) -> Option<(&'a [u8], bool)> {
        let line = self.slice(from, to);
        let mut at = 0;
        while let Some(n) = memchr2(b':', b'#', &line[at..]) {
            at += n;
            if line[at] == b'#' && at > 0 && line[at - 1] == b' ' {
                return Some((line[..at].trim_ascii_end(), true));
            }
            if line[at] == b':' && matches!(line.get(at + 1), None | Some(b' ' | b'\t')) {
                return None;
            }
            at += 1;
        }
        if memchr(b'\t', line).is_some() {
            return None;
        }
        Some((line.trim_ascii_end(), false))
    }

    fn plain(&mut self, i: usize, wanted: Wanted<'a>) -> Option<()> {
        let end = self.line_end(i);
        let (text, commented) = self.plain_line(i, end)?;
        self.next_line(end);
        let is_wanted = !matches!(wanted, Wanted::No);
        if is_wanted || matches!(text.first(), Some(b'.' | b'+' | b'-' | b'0'..=b'9')) {
            let scalar = resolve::scalar(b"", true, text).ok()?;
            if matches!(scalar, Scalar::Float(f) if !f.is_finite()) {
                return None;
            }
            if is_wanted {
                self.put(wanted, scalar)?;
            }
        }
        if commented {
            return Some(());
        }
        // Deeper lines go on with it.
        let outer = self.open.last()?.col;
        while self.pos < self.text.len() {
            let at = self.skip_spaces(self.pos);
            match self.at(at) {
                None | Some(b'\n') => self.next_line(at),
                Some(b'#') => return Some(()),
                Some(b'\t') => return None,
                _ if at - self.pos <= outer => return Some(()),
                _ if is_wanted => return None,
                _ => {
                    let end = self.line_end(at);
                    if self.plain_line(at, end)?.1 {
                        return None;
                    }
                    self.next_line(end);
                }
            }
        }
        Some(())
    }

    /// A literal or folded scalar, whose indicator is at `i`.
    fn block_scalar(&mut self, i: usize) -> Option<()> {
        let mut at = i + 1;
        if matches!(self.at(at), Some(b'-' | b'+')) {
            at += 1;
        }
        at = self.skip_spaces(at);
        if !matches!(self.at(at), None | Some(b'\n')) {
            return None;
        }
        self.next_line(at);
        let outer = self.open.last()?.col;
        // The first line that is not blank says how deep the text is.
        let mut indent = None;
        let mut most = 0;
        while self.pos < self.text.len() {
            let at = self.skip_spaces(self.pos);
            let col = at - self.pos;
            match (self.at(at), indent) {
                (None | Some(b'\n'), _) => {
                    most = most.max(col);
                    self.next_line(at);
                }
                (Some(b'\t'), None) => return None,
                (Some(b'\t'), Some(indent)) if col < indent => return None,
                (Some(_), None) if col > outer => {
                    if most > col {
                        return None;
                    }
                    indent = Some(col);
                    self.next_line(self.line_end(at));
                }
                // Blank lines deeper than what follows make a text of their own.
                (Some(_), None) => return (most <= outer).then_some(()),
                (Some(_), Some(indent)) if col >= indent => self.next_line(self.line_end(at)),
                (Some(_), Some(_)) => return Some(()),
            }
        }
        Some(())
    }
}
