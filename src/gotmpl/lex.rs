//! The scanner: template text → tokens, with trim markers and comments already resolved.
//!
//! A faithful port of Go 1.26 `text/template/parse/lex.go`: the same states, the same positions and line counts (errors show
//! them), and the same behaviour after an error. Text is bytes that need not be UTF-8; a bad byte is one U+FFFD, as in Go.

use std::borrow::Cow;

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
        b"." => Kind::Dot,
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
        _ => return None,
    })
}

/// A token.
#[derive(Clone, Debug)]
pub(super) struct Item<'t> {
    pub kind: Kind,
    /// Byte offset of its start.
    pub pos: usize,
    /// Its text; of an error, the message.
    pub val: Cow<'t, [u8]>,
    /// 1-based line of its start.
    pub line: usize,
}

impl Item<'_> {
    /// What the parser's ring of tokens holds before anything was read.
    pub const fn none() -> Self {
        Self { kind: Kind::Error, pos: 0, val: Cow::Borrowed(b""), line: 0 }
    }

    /// The token as errors show it (Go's `item.String`).
    pub fn describe(&self) -> String {
        match self.kind {
            Kind::Eof => "EOF".into(),
            Kind::Error => String::from_utf8_lossy(&self.val).into_owned(),
            k if k > Kind::Keyword => format!("<{}>", String::from_utf8_lossy(&self.val)),
            _ if self.val.len() > 10 => format!("{}...", strconv::quote(first_runes(&self.val, 10))),
            _ => strconv::quote(&self.val),
        }
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
/// The marker `-` and the space beside it.
const TRIM_MARKER_LEN: usize = 2;

/// What comes next: another state, or a token is ready.
enum Next {
    Text,
    LeftDelim,
    Comment,
    RightDelim,
    InsideAction,
    Space,
    Identifier,
    Field,
    Variable,
    Char,
    Number,
    Quote,
    RawQuote,
    Done,
}

pub(super) struct Lexer<'t> {
    input: &'t [u8],
    pos: usize,
    start: usize,
    /// The end was read once: from then on [`Lexer::backup`] does nothing, as in Go.
    at_eof: bool,
    paren_depth: i64,
    line: usize,
    start_line: usize,
    item: Item<'t>,
    inside_action: bool,
    /// `break` is a keyword (no function has the name).
    pub break_ok: bool,
    pub continue_ok: bool,
}

impl<'t> Lexer<'t> {
    pub const fn new(input: &'t [u8]) -> Self {
        Self {
            input,
            pos: 0,
            start: 0,
            at_eof: false,
            paren_depth: 0,
            line: 1,
            start_line: 1,
            item: Item::none(),
            inside_action: false,
            break_ok: true,
            continue_ok: true,
        }
    }

    /// The next token; after the end, or after an error, more of the same.
    pub fn next_item(&mut self) -> Item<'t> {
        self.item = Item { kind: Kind::Eof, pos: self.pos, val: Cow::Borrowed(b"EOF"), line: self.start_line };
        let mut state = if self.inside_action { Next::InsideAction } else { Next::Text };
        loop {
            state = match state {
                Next::Text => self.text(),
                Next::LeftDelim => self.left_delim(),
                Next::Comment => self.comment(),
                Next::RightDelim => self.right_delim(),
                Next::InsideAction => self.inside(),
                Next::Space => self.space(),
                Next::Identifier => self.identifier(),
                Next::Field => self.field_or_variable(Kind::Field),
                Next::Variable => {
                    if self.at_terminator() {
                        self.emit(Kind::Variable)
                    } else {
                        self.field_or_variable(Kind::Variable)
                    }
                }
                Next::Char => self.quoted(b'\'', Kind::CharConstant, "unterminated character constant"),
                Next::Number => self.number(),
                Next::Quote => self.quoted(b'"', Kind::String, "unterminated quoted string"),
                Next::RawQuote => self.raw_quote(),
                Next::Done => return std::mem::replace(&mut self.item, Item::none()),
            }
        }
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
        if r == '\n' {
            self.line += 1;
        }
        Some(r)
    }

    fn peek(&mut self) -> Option<char> {
        // After the end was read a look ahead moves on, as in Go: that is left to the two calls below.
        if let Some(&b) = self.input.get(self.pos)
            && b.is_ascii()
            && !self.at_eof
        {
            return Some(char::from(b));
        }
        let r = self.next();
        self.backup();
        r
    }

    fn backup(&mut self) {
        if !self.at_eof && self.pos > 0 {
            let last = self.input[self.pos - 1];
            let (r, w) = if last.is_ascii() { (char::from(last), 1) } else { decode_last(&self.input[..self.pos]) };
            self.pos -= w;
            if r == '\n' {
                self.line -= 1;
            }
        }
    }

    fn this_item(&mut self, kind: Kind) -> Item<'t> {
        let item = Item {
            kind,
            pos: self.start,
            val: Cow::Borrowed(&self.input[self.start..self.pos]),
            line: self.start_line,
        };
        self.start = self.pos;
        self.start_line = self.line;
        item
    }

    fn emit(&mut self, kind: Kind) -> Next {
        self.item = self.this_item(kind);
        Next::Done
    }

    fn count_newlines(&mut self) {
        self.line += self.input[self.start..self.pos].iter().filter(|&&b| b == b'\n').count();
    }

    fn ignore(&mut self) {
        self.count_newlines();
        self.start = self.pos;
        self.start_line = self.line;
    }

    /// Passes over the ASCII letters, digits and `_` that come: most names are nothing else.
    fn skip_ascii_word(&mut self) {
        self.pos += self.rest().iter().take_while(|b| b.is_ascii_alphanumeric() || **b == b'_').count();
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
    fn error(&mut self, message: impl Into<String>) -> Next {
        let val = Cow::Owned(message.into().into_bytes());
        self.item = Item { kind: Kind::Error, pos: self.start, val, line: self.start_line };
        self.start = 0;
        self.pos = 0;
        self.input = &[];
        Next::Done
    }

    fn text(&mut self) -> Next {
        if let Some(x) = find(self.rest(), LEFT_DELIM) {
            if x > 0 {
                self.pos += x;
                let mut trim = 0;
                if has_left_trim_marker(&self.input[self.pos + LEFT_DELIM.len()..]) {
                    trim = right_trim_length(&self.input[self.start..self.pos]);
                }
                self.pos -= trim;
                self.count_newlines();
                let item = self.this_item(Kind::Text);
                self.pos += trim;
                self.ignore();
                if !item.val.is_empty() {
                    self.item = item;
                    return Next::Done;
                }
            }
            return Next::LeftDelim;
        }
        self.pos = self.input.len();
        if self.pos > self.start {
            self.count_newlines();
            return self.emit(Kind::Text);
        }
        self.emit(Kind::Eof)
    }

    /// Whether a right delimiter comes, and whether with a trim marker.
    fn at_right_delim(&self) -> (bool, bool) {
        let rest = self.rest();
        if has_right_trim_marker(rest) && rest[TRIM_MARKER_LEN..].starts_with(RIGHT_DELIM) {
            return (true, true);
        }
        (rest.starts_with(RIGHT_DELIM), false)
    }

    fn left_delim(&mut self) -> Next {
        self.pos += LEFT_DELIM.len();
        let after_marker = if has_left_trim_marker(self.rest()) { TRIM_MARKER_LEN } else { 0 };
        if self.rest()[after_marker..].starts_with(LEFT_COMMENT) {
            self.pos += after_marker;
            self.ignore();
            return Next::Comment;
        }
        let item = self.this_item(Kind::LeftDelim);
        self.inside_action = true;
        self.pos += after_marker;
        self.ignore();
        self.paren_depth = 0;
        self.item = item;
        Next::Done
    }

    fn comment(&mut self) -> Next {
        self.pos += LEFT_COMMENT.len();
        let Some(x) = find(self.rest(), RIGHT_COMMENT) else {
            return self.error("unclosed comment");
        };
        self.pos += x + RIGHT_COMMENT.len();
        let (delim, trim) = self.at_right_delim();
        if !delim {
            return self.error("comment ends before closing delimiter");
        }
        self.count_newlines();
        self.start = self.pos;
        if trim {
            self.pos += TRIM_MARKER_LEN;
        }
        self.pos += RIGHT_DELIM.len();
        if trim {
            self.pos += left_trim_length(self.rest());
        }
        self.ignore();
        Next::Text
    }

    fn right_delim(&mut self) -> Next {
        let (_, trim) = self.at_right_delim();
        if trim {
            self.pos += TRIM_MARKER_LEN;
            self.ignore();
        }
        self.pos += RIGHT_DELIM.len();
        let item = self.this_item(Kind::RightDelim);
        if trim {
            self.pos += left_trim_length(self.rest());
            self.ignore();
        }
        self.inside_action = false;
        self.item = item;
        Next::Done
    }

    fn inside(&mut self) -> Next {
        if self.at_right_delim().0 {
            if self.paren_depth == 0 {
                return Next::RightDelim;
            }
            return self.error("unclosed left paren");
        }
        let Some(r) = self.next() else {
            return self.error("unclosed action");
        };
        match r {
            ' ' | '\t' | '\r' | '\n' => {
                self.backup();
                Next::Space
            }
            '=' => self.emit(Kind::Assign),
            ':' => {
                if self.next() == Some('=') {
                    self.emit(Kind::Declare)
                } else {
                    self.error("expected :=")
                }
            }
            '|' => self.emit(Kind::Pipe),
            '"' => Next::Quote,
            '`' => Next::RawQuote,
            '$' => Next::Variable,
            '\'' => Next::Char,
            '.' if self.input.get(self.pos).is_some_and(|b| !b.is_ascii_digit()) => Next::Field,
            '.' | '+' | '-' | '0'..='9' => {
                self.backup();
                Next::Number
            }
            _ if is_alphanumeric(r) => {
                self.backup();
                Next::Identifier
            }
            '(' => {
                self.paren_depth += 1;
                self.emit(Kind::LeftParen)
            }
            ')' => {
                self.paren_depth -= 1;
                if self.paren_depth < 0 {
                    return self.error("unexpected right paren");
                }
                self.emit(Kind::RightParen)
            }
            '!'..='~' => self.emit(Kind::Char),
            _ => self.error(format!("unrecognized character in action: {}", sharp_u(r))),
        }
    }

    fn space(&mut self) -> Next {
        let mut spaces = 0;
        while self.peek().is_some_and(is_space) {
            self.next();
            spaces += 1;
        }
        // A trim-marked closing delimiter starts with the last space.
        let last = &self.input[self.pos - 1..];
        if has_right_trim_marker(last) && last[TRIM_MARKER_LEN..].starts_with(RIGHT_DELIM) {
            self.backup();
            if spaces == 1 {
                return Next::RightDelim;
            }
        }
        self.emit(Kind::Space)
    }

    fn identifier(&mut self) -> Next {
        self.skip_ascii_word();
        let mut r = self.next();
        while r.is_some_and(is_alphanumeric) {
            r = self.next();
        }
        self.backup();
        let word = &self.input[self.start..self.pos];
        if !self.at_terminator() {
            return self.bad_character(r);
        }
        match keyword(word) {
            Some(Kind::Break) if !self.break_ok => self.emit(Kind::Identifier),
            Some(Kind::Continue) if !self.continue_ok => self.emit(Kind::Identifier),
            Some(k) => self.emit(k),
            None if word == b"true" || word == b"false" => self.emit(Kind::Bool),
            None => self.emit(Kind::Identifier),
        }
    }

    /// The `.` or `$` has been read.
    fn field_or_variable(&mut self, kind: Kind) -> Next {
        if self.at_terminator() {
            return self.emit(if kind == Kind::Variable { kind } else { Kind::Dot });
        }
        self.skip_ascii_word();
        let mut r = self.next();
        while r.is_some_and(is_alphanumeric) {
            r = self.next();
        }
        self.backup();
        if !self.at_terminator() {
            return self.bad_character(r);
        }
        self.emit(kind)
    }

    fn bad_character(&mut self, r: Option<char>) -> Next {
        self.error(format!("bad character {}", r.map_or_else(|| "EOF".into(), sharp_u)))
    }

    /// Whether a character comes that may follow an identifier.
    fn at_terminator(&mut self) -> bool {
        match self.peek() {
            None | Some(' ' | '\t' | '\r' | '\n' | '.' | ',' | '|' | ':' | ')' | '(') => true,
            Some(_) => self.rest().starts_with(RIGHT_DELIM),
        }
    }

    fn quoted(&mut self, quote: u8, kind: Kind, unterminated: &str) -> Next {
        loop {
            match self.next() {
                Some('\\') => {
                    if matches!(self.next(), None | Some('\n')) {
                        return self.error(unterminated);
                    }
                }
                None | Some('\n') => return self.error(unterminated),
                Some(r) if r == char::from(quote) => return self.emit(kind),
                Some(_) => {}
            }
        }
    }

    fn raw_quote(&mut self) -> Next {
        loop {
            match self.next() {
                None => return self.error("unterminated raw quoted string"),
                Some('`') => return self.emit(Kind::RawString),
                Some(_) => {}
            }
        }
    }

    fn number(&mut self) -> Next {
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

    fn bad_number(&mut self) -> Next {
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

fn find(s: &[u8], what: &[u8]) -> Option<usize> {
    let (&first, _) = what.split_first()?;
    let mut at = 0;
    while let Some(x) = s[at..].iter().position(|&b| b == first) {
        at += x;
        if s[at..].starts_with(what) {
            return Some(at);
        }
        at += 1;
    }
    None
}

const fn is_space(r: char) -> bool {
    matches!(r, ' ' | '\t' | '\r' | '\n')
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

fn right_trim_length(s: &[u8]) -> usize {
    s.iter().rev().take_while(|&&b| is_space_byte(b)).count()
}

fn left_trim_length(s: &[u8]) -> usize {
    s.iter().take_while(|&&b| is_space_byte(b)).count()
}

/// The last character of a non-empty text and its width (Go's `utf8.DecodeLastRune`).
fn decode_last(s: &[u8]) -> (char, usize) {
    let floor = s.len().saturating_sub(4);
    for start in (floor..s.len()).rev() {
        if s[start] & 0xC0 != 0x80 {
            let (r, w) = unicode::decode_rune(&s[start..]);
            return if start + w == s.len() { (r, w) } else { ('\u{fffd}', 1) };
        }
    }
    ('\u{fffd}', 1)
}
