//! Writing YAML: a port of the emitters of go-yaml v2 and v3 (`emitterc.go`), byte for byte, for block style without comments.
//!
//! The two differ little: v2 folds lines after column 80 and writes the sequences of a mapping without indentation, v3 does
//! neither.

use super::resolve::{self, Tag};

/// Which emitter's bytes are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// go-yaml v2: `toYaml`
    V2,
    /// go-yaml v3 with `SetIndent(2)`: `toYamlPretty`
    V3,
}

/// How a scalar is to be written, before its text is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    Single,
    Double,
    Literal,
}

/// Where a node stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Root,
    Item,
    /// A key that is short enough to stand before its `:`.
    SimpleKey,
    /// A key behind `?`.
    LongKey,
    Value,
}

/// What the emitter knows of a scalar's text: which ways to write it would be read back.
#[derive(Clone, Copy, Debug, Default)]
pub struct Analysis {
    pub multiline: bool,
    pub plain: bool,
    pub single: bool,
    pub block: bool,
}

/// A writer of block-style YAML.
pub struct Emitter {
    pub out: Vec<u8>,
    dialect: Dialect,
    pub(super) column: usize,
    pub(super) indent: i64,
    indents: Vec<i64>,
    pub(super) whitespace: bool,
    pub(super) indention: bool,
    /// Columns that a level is indented by.
    pub(super) step: i64,
    /// The indentation of a foot comment that was just written: an empty line separates it from what follows at that depth.
    pub(super) foot_indent: Option<i64>,
    /// A comment to stand behind the next value.
    pub(super) line_comment: Vec<u8>,
}

const INDENT: i64 = 2;

fn width(b: u8) -> usize {
    match b {
        0..=0x7f => 1,
        b if b & 0xe0 == 0xc0 => 2,
        b if b & 0xf0 == 0xe0 => 3,
        _ => 4,
    }
}

fn byte(s: &[u8], i: usize) -> u8 {
    s.get(i).copied().unwrap_or(0)
}

pub(super) fn is_break(s: &[u8], i: usize) -> bool {
    match byte(s, i) {
        b'\r' | b'\n' => true,
        0xc2 => byte(s, i + 1) == 0x85,
        0xe2 => byte(s, i + 1) == 0x80 && matches!(byte(s, i + 2), 0xa8 | 0xa9),
        _ => false,
    }
}

fn is_printable(s: &[u8], i: usize) -> bool {
    let next = byte(s, i + 1);
    match byte(s, i) {
        b'\n' | 0x20..=0x7e => true,
        0xc2 => next >= 0xa0,
        0xc3..=0xec | 0xee => true,
        0xed => next < 0xa0,
        0xef => !(next == 0xbb && byte(s, i + 2) == 0xbf || next == 0xbf && matches!(byte(s, i + 2), 0xbe | 0xbf)),
        _ => false,
    }
}

/// Bytes that need no thought inside a scalar: they are printable, no indicators, no blanks.
const CALM: [bool; 256] = {
    let mut t = [false; 256];
    let mut i = 0x21;
    while i < 0x7f {
        t[i] = !matches!(i as u8, b'#' | b':' | b'-' | b'.');
        i += 1;
    }
    t
};

/// `yaml_emitter_analyze_scalar`, for block context.
pub fn analyze(value: &[u8], dialect: Dialect) -> Analysis {
    let Some(&first) = value.first() else {
        return Analysis { multiline: false, plain: true, single: true, block: false };
    };
    let mut indicators = value.starts_with(b"---") || value.starts_with(b"...");
    let (mut line_breaks, mut special, mut tabs) = (false, false, false);
    let (mut leading, mut trailing_space, mut trailing_break) = (false, false, false);
    let (mut break_space, mut space_break) = (false, false);
    let (mut after_space, mut after_break) = (false, false);
    let mut preceded_by_whitespace = true;
    match first {
        b'#' | b',' | b'[' | b']' | b'{' | b'}' | b'&' | b'*' | b'!' | b'|' | b'>' | b'\'' | b'"' | b'%' | b'@'
        | b'`' => {
            indicators = true;
        }
        b'?' | b':' | b'-' if value.len() == 1 || matches!(value[1], b' ' | b'\t') => indicators = true,
        _ => {}
    }
    let mut i = 0;
    while i < value.len() {
        let b = value[i];
        if CALM[usize::from(b)] {
            (after_space, after_break, preceded_by_whitespace) = (false, false, false);
            i += 1;
            continue;
        }
        let w = width(b);
        let last = i + w >= value.len();
        if i > 0 {
            match b {
                b':' => indicators |= last || matches!(value[i + 1], b' ' | b'\t'),
                b'#' => indicators |= preceded_by_whitespace,
                _ => {}
            }
        }
        if b == b'\t' && dialect == Dialect::V3 {
            tabs = true;
        } else if !is_printable(value, i) {
            special = true;
        }
        let breaks = is_break(value, i);
        if b == b' ' {
            leading |= i == 0;
            trailing_space |= last;
            break_space |= after_break;
            (after_space, after_break) = (true, false);
        } else if breaks {
            line_breaks = true;
            leading |= i == 0;
            trailing_break |= last;
            space_break |= after_space;
            (after_space, after_break) = (false, true);
        } else {
            (after_space, after_break) = (false, false);
        }
        preceded_by_whitespace = breaks || matches!(b, b' ' | b'\t' | 0);
        i += w;
    }
    let odd = space_break || special;
    Analysis {
        multiline: line_breaks,
        plain: !(leading
            || trailing_space
            || trailing_break
            || break_space
            || odd
            || tabs
            || line_breaks
            || indicators),
        single: !(break_space || odd || tabs),
        block: !(trailing_space || odd),
    }
}

/// True if go-yaml v3 can write the text without quotes in block context, should its type allow that.
pub fn can_be_plain(text: &[u8]) -> bool {
    analyze(text, Dialect::V3).plain
}

/// A text in quotes on one line, as go-yaml v3 writes it.
pub fn quoted(text: &[u8], double: bool) -> Vec<u8> {
    let mut emitter = Emitter::new(Dialect::V3);
    if double {
        emitter.double_quoted(text, false);
    } else {
        emitter.single_quoted(text, false);
    }
    emitter.out
}

/// `isBase60Float`: `^[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?$`
pub(super) fn is_base60(s: &[u8]) -> bool {
    let s = match s {
        [b'+' | b'-', rest @ ..] => rest,
        _ => s,
    };
    if !s.first().is_some_and(u8::is_ascii_digit) || !s.contains(&b':') {
        return false;
    }
    let (whole, fraction) = match s.iter().position(|b| *b == b'.') {
        Some(dot) => (&s[..dot], &s[dot + 1..]),
        None => (s, &[][..]),
    };
    let mut parts = whole.split(|b| *b == b':');
    let head = parts.next().unwrap_or_default();
    let digits = |s: &[u8]| s.iter().all(|b| b.is_ascii_digit() || *b == b'_');
    let sixty = |p: &[u8]| match p {
        [d] => d.is_ascii_digit(),
        [t, d] => matches!(t, b'0'..=b'5') && d.is_ascii_digit(),
        _ => false,
    };
    // A `:` behind the point leaves the fraction unmatched.
    whole.contains(&b':') && digits(head) && parts.all(sixty) && digits(fraction)
}

/// True if a plain scalar of this text would not be read as a string.
fn is_ambiguous(s: &[u8]) -> bool {
    match s.first() {
        None => true,
        Some(b'0'..=b'9' | b'+' | b'-') => resolve::plain(s, true).0 != Tag::Str || is_base60(s),
        Some(_) => resolve::plain(s, true).0 != Tag::Str,
    }
}

/// `encodeBase64`: lines of 70 characters if there is more than one.
pub(super) fn base64_lines(s: &[u8]) -> Vec<u8> {
    use base64::Engine as _;
    const LINE: usize = 70;
    let text = base64::engine::general_purpose::STANDARD.encode(s).into_bytes();
    if text.len() < LINE {
        return text;
    }
    let mut out = Vec::with_capacity(text.len() + text.len() / LINE + 1);
    for line in text.chunks(LINE) {
        out.extend_from_slice(line);
        out.push(b'\n');
    }
    out
}

impl Emitter {
    pub const fn new(dialect: Dialect) -> Self {
        Self {
            out: Vec::new(),
            dialect,
            column: 0,
            indent: -1,
            indents: Vec::new(),
            whitespace: true,
            indention: true,
            step: INDENT,
            foot_indent: None,
            line_comment: Vec::new(),
        }
    }

    /// Ends the document.
    pub fn finish(mut self) -> Vec<u8> {
        self.write_indent();
        self.out
    }

    pub(super) fn put(&mut self, b: u8) {
        self.out.push(b);
        self.column += 1;
    }

    pub(super) fn put_break(&mut self) {
        self.out.push(b'\n');
        self.column = 0;
        if self.dialect == Dialect::V3 {
            self.indention = true;
        }
    }

    /// Writes the character at `i` and steps over it.
    pub(super) fn write(&mut self, s: &[u8], i: &mut usize) {
        let end = (*i + width(byte(s, *i))).min(s.len());
        self.out.extend_from_slice(&s[*i..end]);
        self.column += 1;
        *i = end;
    }

    pub(super) fn write_break(&mut self, s: &[u8], i: &mut usize) {
        if byte(s, *i) == b'\n' {
            self.put_break();
            *i += 1;
        } else {
            self.write(s, i);
            self.column = 0;
            if self.dialect == Dialect::V3 {
                self.indention = true;
            }
        }
    }

    pub(super) fn write_indent(&mut self) {
        let indent = usize::try_from(self.indent).unwrap_or(0);
        if !self.indention || self.column > indent || (self.column == indent && !self.whitespace) {
            self.put_break();
        }
        // Taken in any case: it counts for the next line only.
        if self.foot_indent.take() == Some(self.indent.max(0)) {
            self.put_break();
        }
        if self.column < indent {
            self.out.resize(self.out.len() + indent - self.column, b' ');
            self.column = indent;
        }
        self.whitespace = true;
        if self.dialect == Dialect::V2 {
            self.indention = true;
        }
    }

    pub(super) fn indicator(&mut self, text: &[u8], need_whitespace: bool, is_whitespace: bool, is_indention: bool) {
        if need_whitespace && !self.whitespace {
            self.put(b' ');
        }
        self.out.extend_from_slice(text);
        self.column += text.len();
        self.whitespace = is_whitespace;
        self.indention = self.indention && is_indention;
    }

    fn increase_indent(&mut self, flow: bool, indentless: bool) {
        self.indents.push(self.indent);
        if self.indent < 0 {
            self.indent = if flow { self.step } else { 0 };
        } else if !indentless {
            self.indent += self.step;
        }
    }

    fn decrease_indent(&mut self) {
        self.indent = self.indents.pop().unwrap_or(-1);
    }

    /// Begins a sequence that has items.
    pub fn sequence_start(&mut self, place: Place) {
        let indentless = self.dialect == Dialect::V2
            && matches!(place, Place::Value | Place::SimpleKey | Place::LongKey)
            && !self.indention;
        self.increase_indent(false, indentless);
    }

    /// Before each item.
    pub fn item(&mut self) {
        self.write_indent();
        self.indicator(b"-", true, false, true);
    }

    /// Begins a mapping that has entries.
    pub fn mapping_start(&mut self) {
        self.increase_indent(false, false);
    }

    /// Ends a sequence or mapping that has something in it.
    pub fn end(&mut self) {
        self.decrease_indent();
    }

    pub fn empty_sequence(&mut self) {
        self.indicator(b"[", true, true, false);
        self.indicator(b"]", false, false, false);
    }

    pub fn empty_mapping(&mut self) {
        self.indicator(b"{", true, true, false);
        self.indicator(b"}", false, false, false);
    }

    /// Writes a key and its `:`.
    pub fn key(&mut self, key: &[u8]) {
        self.write_indent();
        let (tag, text) = self.tagged(key);
        let text = text.as_deref().unwrap_or(key);
        let analysis = analyze(text, self.dialect);
        let tag_len = if tag { "!!binary".len() } else { 0 };
        if !analysis.multiline && text.len() + tag_len <= 128 {
            self.string_as(text, tag, analysis, Place::SimpleKey);
            self.indicator(b":", false, false, false);
        } else {
            self.indicator(b"?", true, false, true);
            self.string_as(text, tag, analysis, Place::LongKey);
            self.write_indent();
            self.indicator(b":", true, false, true);
        }
    }

    /// Writes a key that is a number, and its `:`.
    pub fn bare_key(&mut self, key: &[u8]) {
        self.write_indent();
        self.bare(key);
        self.indicator(b":", false, false, false);
    }

    /// Bytes that are not UTF-8 are written in base64 behind a tag.
    fn tagged(&self, s: &[u8]) -> (bool, Option<Vec<u8>>) {
        if s.is_ascii() || std::str::from_utf8(s).is_ok() { (false, None) } else { (true, Some(base64_lines(s))) }
    }

    /// Writes a string.
    pub fn string(&mut self, s: &[u8], place: Place) {
        let (tag, text) = self.tagged(s);
        let text = text.as_deref().unwrap_or(s);
        let analysis = analyze(text, self.dialect);
        self.string_as(text, tag, analysis, place);
    }

    fn string_as(&mut self, s: &[u8], tag: bool, analysis: Analysis, place: Place) {
        let simple_key = place == Place::SimpleKey;
        let mut style = if s.contains(&b'\n') {
            Style::Literal
        } else if !tag && is_ambiguous(s) {
            // Of yes, no, on and off v3 knows nothing any more, but it quotes them all the same.
            Style::Double
        } else {
            Style::Plain
        };
        if simple_key && analysis.multiline {
            style = Style::Double;
        }
        if style == Style::Plain && (!analysis.plain || (s.is_empty() && simple_key)) {
            style = Style::Single;
        }
        if style == Style::Single && !analysis.single {
            style = Style::Double;
        }
        if style == Style::Literal && (!analysis.block || simple_key) {
            style = Style::Double;
        }
        if tag {
            if !self.whitespace {
                self.put(b' ');
            }
            self.indicator(b"!!binary", false, false, false);
        }
        self.increase_indent(true, false);
        match style {
            Style::Plain => self.plain(s, !simple_key),
            Style::Single => self.single_quoted(s, !simple_key),
            Style::Double => self.double_quoted(s, !simple_key),
            Style::Literal => self.literal(s),
        }
        self.decrease_indent();
    }

    /// Writes a number, a truth value or null: text that needs no care.
    pub fn bare(&mut self, s: &[u8]) {
        if !self.whitespace {
            self.put(b' ');
        }
        self.out.extend_from_slice(s);
        self.column += s.len();
        self.whitespace = false;
        self.indention = false;
    }

    /// True if a space here is to become a line break.
    fn folds(&self, allow: bool, spaces: bool) -> bool {
        allow && !spaces && self.dialect == Dialect::V2 && self.column > 80
    }

    /// Copies what stands before the next byte that `stops`, all of it single characters that need no look.
    fn copy_run(&mut self, s: &[u8], i: &mut usize, stops: impl Fn(u8) -> bool) -> bool {
        let n = s[*i..].iter().position(|b| stops(*b) || *b >= 0x80).unwrap_or(s.len() - *i);
        self.out.extend_from_slice(&s[*i..*i + n]);
        self.column += n;
        *i += n;
        n > 0
    }

    pub(super) fn plain(&mut self, s: &[u8], allow_breaks: bool) {
        if s.is_empty() && self.dialect == Dialect::V3 {
            self.indention = false;
            return;
        }
        if !self.whitespace {
            self.put(b' ');
        }
        // A plain text holds no line breaks: one would have made it quoted or literal.
        let mut spaces = false;
        let mut i = 0;
        while i < s.len() {
            if s[i] == b' ' {
                if self.folds(allow_breaks, spaces) && byte(s, i + 1) != b' ' {
                    self.write_indent();
                    i += 1;
                } else {
                    self.write(s, &mut i);
                }
                spaces = true;
            } else {
                if !self.copy_run(s, &mut i, |b| b == b' ') {
                    self.write(s, &mut i);
                }
                self.indention = false;
                spaces = false;
            }
        }
        self.whitespace = false;
        self.indention = false;
    }

    pub(super) fn single_quoted(&mut self, s: &[u8], allow_breaks: bool) {
        self.indicator(b"'", true, false, false);
        let (mut spaces, mut breaks) = (false, false);
        let mut i = 0;
        while i < s.len() {
            if s[i] == b' ' {
                if self.folds(allow_breaks, spaces) && i > 0 && i < s.len() - 1 && byte(s, i + 1) != b' ' {
                    self.write_indent();
                    i += 1;
                } else {
                    self.write(s, &mut i);
                }
                spaces = true;
            } else if is_break(s, i) {
                if !breaks && s[i] == b'\n' {
                    self.put_break();
                }
                self.write_break(s, &mut i);
                self.indention = true;
                breaks = true;
            } else {
                if breaks {
                    self.write_indent();
                }
                if s[i] == b'\'' {
                    self.put(b'\'');
                }
                self.write(s, &mut i);
                self.indention = false;
                spaces = false;
                breaks = false;
            }
        }
        self.indicator(b"'", false, false, false);
        self.whitespace = false;
        self.indention = false;
    }

    pub(super) fn double_quoted(&mut self, s: &[u8], allow_breaks: bool) {
        // go-yaml looks for a byte order mark at the start of the text, not at the place: then every character is escaped.
        let bom = s.starts_with(b"\xef\xbb\xbf");
        self.indicator(b"\"", true, false, false);
        let mut spaces = false;
        let mut i = 0;
        while i < s.len() {
            let b = s[i];
            if bom || b == b'"' || b == b'\\' || !is_printable(s, i) || is_break(s, i) {
                let end = (i + width(b)).min(s.len());
                let c = std::str::from_utf8(&s[i..end]).ok().and_then(|t| t.chars().next()).unwrap_or('\u{fffd}');
                i = end;
                self.escape(c);
                spaces = false;
            } else if b == b' ' {
                if self.folds(allow_breaks, spaces) && i > 0 && i < s.len() - 1 {
                    self.write_indent();
                    if byte(s, i + 1) == b' ' {
                        self.put(b'\\');
                    }
                    i += 1;
                } else {
                    self.write(s, &mut i);
                }
                spaces = true;
            } else {
                if !self.copy_run(s, &mut i, |b| b <= b' ' || b == b'"' || b == b'\\' || b == 0x7f) {
                    self.write(s, &mut i);
                }
                spaces = false;
            }
        }
        self.indicator(b"\"", false, false, false);
        self.whitespace = false;
        self.indention = false;
    }

    fn escape(&mut self, c: char) {
        let short = match c {
            '\0' => b'0',
            '\x07' => b'a',
            '\x08' => b'b',
            '\t' => b't',
            '\n' => b'n',
            '\x0b' => b'v',
            '\x0c' => b'f',
            '\r' => b'r',
            '\x1b' => b'e',
            '"' => b'"',
            '\\' => b'\\',
            '\u{85}' => b'N',
            '\u{a0}' => b'_',
            '\u{2028}' => b'L',
            '\u{2029}' => b'P',
            _ => {
                let n = u32::from(c);
                let text = match n {
                    0..=0xff => format!("\\x{n:02X}"),
                    0x100..=0xffff => format!("\\u{n:04X}"),
                    _ => format!("\\U{n:08X}"),
                };
                self.out.extend_from_slice(text.as_bytes());
                self.column += text.len();
                return;
            }
        };
        self.put(b'\\');
        self.put(short);
    }

    pub(super) fn literal(&mut self, s: &[u8]) {
        self.indicator(b"|", true, false, false);
        self.block_hints(s);
        if self.line_comment.is_empty() {
            self.put_break();
        } else {
            self.write_line_comment();
        }
        if self.dialect == Dialect::V2 {
            self.indention = true;
        }
        self.whitespace = true;
        let mut breaks = true;
        let mut i = 0;
        while i < s.len() {
            if is_break(s, i) {
                self.write_break(s, &mut i);
                self.indention = true;
                breaks = true;
            } else {
                if breaks {
                    self.write_indent();
                }
                if !self.copy_run(s, &mut i, |b| b == b'\n' || b == b'\r') {
                    self.write(s, &mut i);
                }
                self.indention = false;
                breaks = false;
            }
        }
    }

    /// `yaml_emitter_write_folded_scalar`, for lines of any length.
    pub(super) fn folded(&mut self, s: &[u8]) {
        self.indicator(b">", true, false, false);
        self.block_hints(s);
        if self.line_comment.is_empty() {
            self.put_break();
        } else {
            self.write_line_comment();
        }
        self.whitespace = true;
        let (mut breaks, mut leading) = (true, true);
        // go-yaml asks the beginning of the text, not of the next line, whether a break must be doubled.
        let first = (0..s.len()).find(|i| !is_break(s, *i)).map(|i| byte(s, i));
        let doubles = !matches!(first, None | Some(b' ' | b'\t' | 0));
        let mut i = 0;
        while i < s.len() {
            if is_break(s, i) {
                if !breaks && !leading && byte(s, i) == b'\n' && doubles {
                    self.put_break();
                }
                self.write_break(s, &mut i);
                breaks = true;
            } else {
                if breaks {
                    self.write_indent();
                    leading = matches!(byte(s, i), b' ' | b'\t');
                }
                self.write(s, &mut i);
                self.indention = false;
                breaks = false;
            }
        }
    }

    fn block_hints(&mut self, s: &[u8]) {
        if byte(s, 0) == b' ' || is_break(s, 0) {
            let hint = u8::try_from(self.step).unwrap_or(2).min(9) + b'0';
            self.indicator(&[hint], false, false, false);
        }
        let before = |end: usize| (0..end).rev().find(|i| s[*i] & 0xc0 != 0x80).unwrap_or(0);
        if s.is_empty() {
            return self.indicator(b"-", false, false, false);
        }
        let last = before(s.len());
        if !is_break(s, last) {
            self.indicator(b"-", false, false, false);
        } else if last == 0 || is_break(s, before(last)) {
            self.indicator(b"+", false, false, false);
        }
    }
}
