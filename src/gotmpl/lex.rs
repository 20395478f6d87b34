//! The scanner: template text → tokens, with trim markers and comments already resolved.
//!
//! A faithful port of Go 1.26 `text/template/parse/lex.go`: the same states, the same positions and line counts (errors show
//! them), and the same behaviour after an error. Text is bytes that need not be UTF-8; a bad byte is one U+FFFD, as in Go.

use super::ast::Pos;
use crate::golang::{strconv, unicode};

/// The kinds of token. Everything after `Keyword` is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Error,
    Bool,
    Char,
    CharConstant,
    Complex,
    Assign,
    Declare,
    Eof,
    Field,
    Identifier,
    LeftDelim,
    LeftParen,
    Number,
    Pipe,
    RawString,
    RightDelim,
    RightParen,
    Space,
    String,
    Text,
    Variable,
    Keyword,
    Block,
    Break,
    Continue,
    Dot,
    Define,
    Else,
    End,
    If,
    Nil,
    Range,
    Template,
    With,
}

fn keyword(word: &[u8]) -> Option<Kind> {
    Some(match word {
        b"block" => Kind::Block,
        b"break" => Kind::Break,
        b"continue" => Kind::Continue,
        b"define" => Kind::Define,
        b"else" => Kind::Else,
        b"end" => Kind::End,
        b"if" => Kind::If,
        b"range" => Kind::Range,
        b"nil" => Kind::Nil,
        b"template" => Kind::Template,
        b"with" => Kind::With,
        b"true" | b"false" => Kind::Bool,
        _ => return None,
    })
}

/// A token: where it stands. Its text is a part of the template's (see [`Lexer::val`]).
#[derive(Clone, Copy, Debug)]
pub(super) struct Item {
    pub kind: Kind,
    /// Where it begins, and above that where it ends: a token is passed on in two registers.
    span: u64,
}

impl Item {
    /// What the parser's ring of tokens holds before anything was read.
    pub const NONE: Self = Self { kind: Kind::Error, span: u64::MAX };

    const fn new(kind: Kind, pos: usize, end: usize) -> Self {
        Self { kind, span: pos as u64 | (end as u64) << Pos::BITS }
    }

    /// Byte offset of its start.
    pub const fn pos(self) -> Pos {
        self.span as Pos
    }

    /// Where its text ends; of an error, which message it is.
    pub const fn end(self) -> Pos {
        (self.span >> Pos::BITS) as Pos
    }
}

/// The first `n` characters (Go's `%.10q`).
fn first_runes(s: &[u8], n: usize) -> &[u8] {
    let mut end = 0;
    for _ in 0..n {
        if end >= s.len() {
            break;
        }
        end += unicode::decode_rune(&s[end..]).1;
    }
    &s[..end.min(s.len())]
}

const LEFT_DELIM: &[u8] = b"{{";
const RIGHT_DELIM: &[u8] = b"}}";
const LEFT_COMMENT: &[u8] = b"/*";
const RIGHT_COMMENT: &[u8] = b"*/";
/// ASCII letters, digits and `_`.
const IN_WORD: [bool; 256] = {
    let mut table = [false; 256];
    let mut b = 0;
    while b < 128 {
        let byte = b as u8;
        table[b] = byte.is_ascii_alphanumeric() || byte == b'_';
        b += 1;
    }
    table
};
/// The marker `-` and the space beside it.
const TRIM_MARKER_LEN: usize = 2;

pub(super) struct Lexer<'t> {
    /// The whole template, of at most 4 GiB.
    text: &'t [u8],
    /// What is left of it to be read from: all, or nothing after an error.
    input: &'t [u8],
    pos: usize,
    start: usize,
    /// The end was read once: from then on [`Lexer::backup`] does nothing, as in Go.
    at_eof: bool,
    paren_depth: i64,
    inside_action: bool,
    errors: Vec<String>,
    /// `break` is a keyword (no function has the name).
    pub break_ok: bool,
    pub continue_ok: bool,
}

impl<'t> Lexer<'t> {
    pub const fn new(text: &'t [u8]) -> Self {
        Self {
            text,
            input: text,
            pos: 0,
            start: 0,
            at_eof: false,
            paren_depth: 0,
            inside_action: false,
            errors: Vec::new(),
            break_ok: true,
            continue_ok: true,
        }
    }

    /// The whole template.
    pub const fn text(&self) -> &'t [u8] {
        self.text
    }

    /// The text of a token; of an error, its message.
    pub fn val(&self, item: Item) -> &[u8] {
        match item.kind {
            Kind::Eof => b"EOF",
            Kind::Error => self.errors.get(item.end() as usize).map_or(&[], |e| e.as_bytes()),
            _ => self.source(item),
        }
    }

    /// The text of a token that is neither an error nor the end.
    pub fn source(&self, item: Item) -> &'t [u8] {
        self.text.get(item.pos() as usize..item.end() as usize).unwrap_or_default()
    }

    /// A token as errors show it (Go's `item.String`).
    pub fn describe(&self, item: Item) -> String {
        let val = self.val(item);
        match item.kind {
            Kind::Eof => "EOF".into(),
            Kind::Error => String::from_utf8_lossy(val).into_owned(),
            k if k > Kind::Keyword => format!("<{}>", String::from_utf8_lossy(val)),
            _ if val.len() > 10 => format!("{}...", strconv::quote(first_runes(val, 10))),
            _ => strconv::quote(val),
        }
    }

    /// The 1-based line that a token begins on; 0 before anything was read. Go counts while it reads; only errors want to know.
    #[cold]
    pub fn line(&self, item: Item) -> usize {
        if item.span == Item::NONE.span {
            return 0;
        }
        1 + memchr::memchr_iter(b'\n', &self.text[..self.text.len().min(item.pos() as usize)]).count()
    }

    /// The next token; after the end, or after an error, more of the same.
    #[inline]
    pub fn next_item(&mut self) -> Item {
        if self.inside_action { self.inside() } else { self.outside() }
    }

    fn rest(&self) -> &'t [u8] {
        &self.input[self.pos..]
    }

    /// Reads one character; `None` at the end.
    fn next(&mut self) -> Option<char> {
        if self.pos >= self.input.len() {
            self.at_eof = true;
            return None;
        }
        let (r, w) = unicode::decode_rune(self.rest());
        self.pos += w;
        Some(r)
    }

    fn peek(&mut self) -> Option<char> {
        let r = self.next();
        self.backup();
        r
    }

    fn backup(&mut self) {
        if !self.at_eof && self.pos > 0 {
            let last = self.input[self.pos - 1];
            self.pos -= if last.is_ascii() { 1 } else { last_width(&self.input[..self.pos]) };
        }
    }

    #[inline]
    const fn emit(&mut self, kind: Kind) -> Item {
        let item = Item::new(kind, self.start, self.pos);
        self.start = self.pos;
        item
    }

    const fn ignore(&mut self) {
        self.start = self.pos;
    }

    fn accept(&mut self, valid: &[u8]) -> bool {
        if self.next().is_some_and(|r| r.is_ascii() && valid.contains(&(r as u8))) {
            return true;
        }
        self.backup();
        false
    }

    fn accept_run(&mut self, valid: &[u8]) {
        while self.next().is_some_and(|r| r.is_ascii() && valid.contains(&(r as u8))) {}
        self.backup();
    }

    /// An error token; the rest of the input is dropped.
    #[cold]
    fn error(&mut self, message: impl Into<String>) -> Item {
        let item = Item::new(Kind::Error, self.start, self.errors.len());
        self.errors.push(message.into());
        self.start = 0;
        self.pos = 0;
        self.input = &[];
        item
    }

    /// Text, comments, and the delimiter that opens an action.
    fn outside(&mut self) -> Item {
        loop {
            let Some(x) = find(self.rest(), LEFT_DELIM) else {
                self.pos = self.input.len();
                if self.pos > self.start {
                    return self.emit(Kind::Text);
                }
                return self.emit(Kind::Eof);
            };
            if x > 0 {
                self.pos += x;
                let mut trim = 0;
                if has_left_trim_marker(&self.input[self.pos + LEFT_DELIM.len()..]) {
                    trim = right_trim_length(&self.input[self.start..self.pos]);
                }
                self.pos -= trim;
                let item = self.emit(Kind::Text);
                self.pos += trim;
                self.ignore();
                if item.end() > item.pos() {
                    return item;
                }
            }
            self.pos += LEFT_DELIM.len();
            let after_marker = if has_left_trim_marker(self.rest()) { TRIM_MARKER_LEN } else { 0 };
            if self.rest()[after_marker..].starts_with(LEFT_COMMENT) {
                self.pos += after_marker;
                self.ignore();
                if let Err(message) = self.comment() {
                    return self.error(message);
                }
                continue;
            }
            let item = self.emit(Kind::LeftDelim);
            self.inside_action = true;
            self.pos += after_marker;
            self.ignore();
            self.paren_depth = 0;
            return item;
        }
    }

    /// Whether a right delimiter comes, and whether with a trim marker.
    fn at_right_delim(&self) -> (bool, bool) {
        let rest = self.rest();
        if is_trimmed_right_delim(rest) {
            return (true, true);
        }
        (rest.starts_with(RIGHT_DELIM), false)
    }

    /// Passes over a comment, which begins here.
    fn comment(&mut self) -> Result<(), &'static str> {
        self.pos += LEFT_COMMENT.len();
        let Some(x) = find(self.rest(), RIGHT_COMMENT) else {
            return Err("unclosed comment");
        };
        self.pos += x + RIGHT_COMMENT.len();
        let (delim, trim) = self.at_right_delim();
        if !delim {
            return Err("comment ends before closing delimiter");
        }
        if trim {
            self.pos += TRIM_MARKER_LEN;
        }
        self.pos += RIGHT_DELIM.len();
        if trim {
            self.pos += left_trim_length(self.rest());
        }
        self.ignore();
        Ok(())
    }

    fn right_delim(&mut self, trim: bool) -> Item {
        if self.paren_depth != 0 {
            return self.error("unclosed left paren");
        }
        if trim {
            self.pos += TRIM_MARKER_LEN;
            self.ignore();
        }
        self.pos += RIGHT_DELIM.len();
        let item = self.emit(Kind::RightDelim);
        if trim {
            self.pos += left_trim_length(self.rest());
            self.ignore();
        }
        self.inside_action = false;
        item
    }

    /// The next token of an action.
    fn inside(&mut self) -> Item {
        let rest = self.rest();
        let Some(&b) = rest.first() else {
            return self.error("unclosed action");
        };
        match b {
            b' ' | b'\t' | b'\r' | b'\n' => self.space(),
            b'}' if rest.starts_with(RIGHT_DELIM) => self.right_delim(false),
            b'.' if rest.get(1).is_some_and(|b| !b.is_ascii_digit()) => self.field_or_variable(Kind::Field),
            b'$' => self.field_or_variable(Kind::Variable),
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => self.identifier(),
            b'"' => self.quoted(b'"', Kind::String, "unterminated quoted string"),
            b'`' => self.raw_quote(),
            b'\'' => self.quoted(b'\'', Kind::CharConstant, "unterminated character constant"),
            b'.' | b'+' | b'-' | b'0'..=b'9' => self.number(),
            b'(' => {
                self.paren_depth += 1;
                self.one_byte(Kind::LeftParen)
            }
            b')' => {
                self.paren_depth -= 1;
                if self.paren_depth < 0 {
                    return self.error("unexpected right paren");
                }
                self.one_byte(Kind::RightParen)
            }
            b'|' => self.one_byte(Kind::Pipe),
            b'=' => self.one_byte(Kind::Assign),
            b':' if rest.get(1) == Some(&b'=') => {
                self.pos += 1;
                self.one_byte(Kind::Declare)
            }
            b':' => self.error("expected :="),
            b'!'..=b'~' => self.one_byte(Kind::Char),
            _ => match unicode::decode_rune(rest).0 {
                r if is_alphanumeric(r) => self.identifier(),
                r => self.error(format!("unrecognized character in action: {}", sharp_u(r))),
            },
        }
    }

    #[inline]
    const fn one_byte(&mut self, kind: Kind) -> Item {
        self.pos += 1;
        self.emit(kind)
    }

    /// A run of space, or the delimiter that begins with a space.
    fn space(&mut self) -> Item {
        let rest = self.rest();
        let mut spaces = 0;
        while let Some(b) = rest.get(spaces)
            && is_space_byte(*b)
        {
            if is_trimmed_right_delim(&rest[spaces..]) {
                if spaces == 0 {
                    return self.right_delim(true);
                }
                break;
            }
            spaces += 1;
        }
        self.pos += spaces;
        self.emit(Kind::Space)
    }

    /// Where a run of letters and digits ends that begins at `at`.
    fn word_end(&self, mut at: usize) -> usize {
        loop {
            let rest = self.input.get(at..).unwrap_or_default();
            let letters = rest.iter().take_while(|b| IN_WORD[usize::from(**b)]).count();
            at += letters;
            match rest.get(letters) {
                Some(b) if !b.is_ascii() => {
                    let (r, w) = unicode::decode_rune(&rest[letters..]);
                    if !is_alphanumeric(r) {
                        return at;
                    }
                    at += w;
                }
                _ => return at,
            }
        }
    }

    fn identifier(&mut self) -> Item {
        self.pos = self.word_end(self.pos);
        if !self.at_terminator() {
            return self.bad_character();
        }
        let kind = match keyword(&self.input[self.start..self.pos]) {
            Some(Kind::Break) if !self.break_ok => Kind::Identifier,
            Some(Kind::Continue) if !self.continue_ok => Kind::Identifier,
            Some(k) => k,
            None => Kind::Identifier,
        };
        self.emit(kind)
    }

    /// A `.` or `$` is here.
    fn field_or_variable(&mut self, kind: Kind) -> Item {
        self.pos += 1;
        if self.at_terminator() {
            return self.emit(if kind == Kind::Variable { kind } else { Kind::Dot });
        }
        self.pos = self.word_end(self.pos);
        if !self.at_terminator() {
            return self.bad_character();
        }
        self.emit(kind)
    }

    #[cold]
    fn bad_character(&mut self) -> Item {
        let r = if self.rest().is_empty() { "EOF".into() } else { sharp_u(unicode::decode_rune(self.rest()).0) };
        self.error(format!("bad character {r}"))
    }

    /// Whether a character comes that may follow an identifier.
    #[inline]
    fn at_terminator(&self) -> bool {
        match self.input.get(self.pos) {
            None | Some(b' ' | b'\t' | b'\r' | b'\n' | b'.' | b',' | b'|' | b':' | b')' | b'(') => true,
            Some(b'}') => self.rest().starts_with(RIGHT_DELIM),
            Some(_) => false,
        }
    }

    fn quoted(&mut self, quote: u8, kind: Kind, unterminated: &str) -> Item {
        let mut at = self.pos + 1;
        loop {
            match self.input.get(at) {
                Some(b'\\') => {
                    at += 1;
                    if matches!(self.input.get(at), None | Some(b'\n')) {
                        return self.error(unterminated);
                    }
                }
                None | Some(b'\n') => return self.error(unterminated),
                Some(b) if *b == quote => {
                    self.pos = at + 1;
                    return self.emit(kind);
                }
                Some(_) => {}
            }
            at += 1;
        }
    }

    fn raw_quote(&mut self) -> Item {
        let Some(x) = memchr::memchr(b'`', &self.input[self.pos + 1..]) else {
            return self.error("unterminated raw quoted string");
        };
        self.pos += x + 2;
        self.emit(Kind::RawString)
    }

    fn number(&mut self) -> Item {
        if !self.scan_number() {
            return self.bad_number();
        }
        if matches!(self.peek(), Some('+' | '-')) {
            // Complex: 1+2i, no spaces.
            if !self.scan_number() || self.input[self.pos - 1] != b'i' {
                return self.bad_number();
            }
            return self.emit(Kind::Complex);
        }
        self.emit(Kind::Number)
    }

    fn bad_number(&mut self) -> Item {
        let text = strconv::quote(&self.input[self.start..self.pos]);
        self.error(format!("bad number syntax: {text}"))
    }

    fn scan_number(&mut self) -> bool {
        self.accept(b"+-");
        let mut digits: &[u8] = b"0123456789_";
        let (mut decimal, mut hex) = (true, false);
        if self.accept(b"0") {
            if self.accept(b"xX") {
                (digits, decimal, hex) = (b"0123456789abcdefABCDEF_", false, true);
            } else if self.accept(b"oO") {
                (digits, decimal) = (b"01234567_", false);
            } else if self.accept(b"bB") {
                (digits, decimal) = (b"01_", false);
            }
        }
        self.accept_run(digits);
        if self.accept(b".") {
            self.accept_run(digits);
        }
        if (decimal && self.accept(b"eE")) || (hex && self.accept(b"pP")) {
            self.accept(b"+-");
            self.accept_run(b"0123456789_");
        }
        self.accept(b"i");
        if self.peek().is_some_and(is_alphanumeric) {
            self.next();
            return false;
        }
        true
    }
}

/// `%#U`.
fn sharp_u(r: char) -> String {
    let code = format!("U+{:04X}", r as u32);
    if strconv::is_print(r) { format!("{code} '{r}'") } else { code }
}

/// Where a delimiter of two bytes is.
#[inline]
fn find(s: &[u8], what: &[u8]) -> Option<usize> {
    let (&first, rest) = what.split_first()?;
    let mut at = 0;
    while let Some(x) = memchr::memchr(first, &s[at..]) {
        at += x;
        if s[at + 1..].starts_with(rest) {
            return Some(at);
        }
        at += 1;
    }
    None
}

const fn is_space_byte(b: u8) -> bool {
    matches!(b, b' ' | b'\t' | b'\r' | b'\n')
}

fn is_alphanumeric(r: char) -> bool {
    r == '_' || unicode::is_letter(r) || unicode::is_digit(r)
}

const fn has_left_trim_marker(s: &[u8]) -> bool {
    s.len() >= 2 && s[0] == b'-' && is_space_byte(s[1])
}

const fn has_right_trim_marker(s: &[u8]) -> bool {
    s.len() >= 2 && is_space_byte(s[0]) && s[1] == b'-'
}

fn is_trimmed_right_delim(s: &[u8]) -> bool {
    has_right_trim_marker(s) && s[TRIM_MARKER_LEN..].starts_with(RIGHT_DELIM)
}

fn right_trim_length(s: &[u8]) -> usize {
    s.iter().rev().take_while(|&&b| is_space_byte(b)).count()
}

fn left_trim_length(s: &[u8]) -> usize {
    s.iter().take_while(|&&b| is_space_byte(b)).count()
}

/// How many bytes the last character of a non-empty text has (Go's `utf8.DecodeLastRune`).
fn last_width(s: &[u8]) -> usize {
    let floor = s.len().saturating_sub(4);
    for start in (floor..s.len()).rev() {
        if s[start] & 0xC0 != 0x80 {
            let width = unicode::decode_rune(&s[start..]).1;
            return if start + width == s.len() { width } else { 1 };
        }
    }
    1
}
