//! TOML text to items: a port of BurntSushi/toml's `lex.go`, state by state, for the sake of its messages and their lines.

use std::collections::VecDeque;

use super::is_bare;
use crate::golang::strconv::{quote, quote_rune};
use crate::golang::unicode;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ItemKind {
    Eof,
    Text,
    String,
    StringEsc,
    RawString,
    MultilineString,
    RawMultilineString,
    Bool,
    Integer,
    Float,
    Datetime,
    Array,
    ArrayEnd,
    TableStart,
    TableEnd,
    ArrayTableStart,
    ArrayTableEnd,
    KeyStart,
    KeyEnd,
    CommentStart,
    InlineTableStart,
    InlineTableEnd,
}

#[derive(Clone, Debug)]
pub struct Item<'a> {
    pub kind: ItemKind,
    pub text: &'a str,
    /// 1-based.
    pub line: i64,
}

/// What the lexer refuses, with the line that the message names.
#[derive(Clone, Debug)]
pub struct LexError {
    pub line: i64,
    pub message: String,
    /// A bug of the original shows: it panics.
    pub panics: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Top,
    TopEnd,
    TableEnd,
    ArrayTableEnd,
    TableNameStart,
    TableNameEnd,
    BareName,
    QuotedName,
    KeyStart,
    KeyNameStart,
    KeyEnd,
    Value,
    ArrayValue,
    ArrayValueEnd,
    InlineTableValue,
    InlineTableValueEnd,
    Str,
    MultilineString,
    RawString,
    MultilineRawString,
    MultilineStringEscape,
    NumberOrDate,
    Datetime,
    HexInteger,
    OctalInteger,
    BinaryInteger,
    DecimalNumber,
    Float,
    Comment,
    /// After the end, or an error.
    Stopped,
}

pub struct Lexer<'a> {
    input: &'a [u8],
    text: &'a str,
    start: usize,
    pos: usize,
    line: i64,
    state: State,
    items: VecDeque<Item<'a>>,
    error: Option<LexError>,
    esc: bool,
    widths: [usize; 4],
    at_eof: bool,
    stack: Vec<State>,
}

const EOF: char = '\0';
const BAD: char = '\u{fffd}';

fn is_space(c: char) -> bool {
    c == '\t' || c == ' '
}

fn is_newline(c: char) -> bool {
    c == '\n' || c == '\r'
}

fn rune_or_eof(c: char) -> String {
    if c == EOF { "end of file".into() } else { format!("'{c}'") }
}

impl<'a> Lexer<'a> {
    /// `input` up to its first byte that is not UTF-8 is `text`.
    pub fn new(input: &'a [u8]) -> Self {
        let valid = std::str::from_utf8(input).map_or_else(|e| e.valid_up_to(), str::len);
        let text = std::str::from_utf8(&input[..valid]).unwrap_or_default();
        Self {
            input,
            text,
            start: 0,
            pos: 0,
            line: 1,
            state: State::Top,
            items: VecDeque::new(),
            error: None,
            esc: false,
            widths: [0; 4],
            at_eof: false,
            stack: Vec::new(),
        }
    }

    pub fn next_item(&mut self) -> Result<Item<'a>, LexError> {
        loop {
            if let Some(item) = self.items.pop_front() {
                return Ok(item);
            }
            if let Some(e) = &self.error {
                return Err(e.clone());
            }
            self.state = self.run();
        }
    }

    fn current(&self) -> &'a str {
        self.text.get(self.start..self.pos).unwrap_or_default()
    }

    fn emit(&mut self, kind: ItemKind) {
        if self.error.is_none() {
            self.items.push_back(Item { kind, text: self.current(), line: self.line });
        }
        self.start = self.pos;
    }

    fn fail_at(&mut self, line: i64, message: String) -> State {
        self.error.get_or_insert(LexError { line, message, panics: false });
        State::Stopped
    }

    /// `errorf`: at the end of the text, the line before if that ended one.
    fn fail(&mut self, message: impl Into<String>) -> State {
        let back = self.at_eof && self.pos >= 1 && self.input.get(self.pos - 1) == Some(&b'\n');
        self.fail_at(self.line - i64::from(back), message.into())
    }

    fn fail_previous_line(&mut self, message: impl Into<String>) -> State {
        self.fail_at(self.line - 1, message.into())
    }

    fn next(&mut self) -> char {
        if self.at_eof {
            let message = "BUG in lexer: next called after EOF".into();
            self.error.get_or_insert(LexError { line: self.line, message, panics: true });
            return EOF;
        }
        let Some(&first) = self.input.get(self.pos) else {
            self.at_eof = true;
            return EOF;
        };
        if first == b'\n' {
            self.line += 1;
        }
        self.widths = [self.widths[0], self.widths[0], self.widths[1], self.widths[2]];
        let Some(c) = self.text.get(self.pos..).and_then(|t| t.chars().next()) else {
            self.fail_at(self.line, format!("invalid UTF-8 byte: 0x{first:02x}"));
            return BAD;
        };
        let lone_return = c == '\r' && self.input.get(self.pos + 1) != Some(&b'\n');
        if lone_return || (c.is_ascii_control() && !matches!(c, '\t' | '\r' | '\n')) {
            self.fail_at(self.line, format!("TOML files cannot contain control characters: '0x{:02x}'", u32::from(c)));
            return BAD;
        }
        self.widths[0] = c.len_utf8();
        self.pos += self.widths[0];
        c
    }

    fn ignore(&mut self) {
        self.start = self.pos;
    }

    fn backup(&mut self) {
        if self.at_eof {
            self.at_eof = false;
            return;
        }
        let w = self.widths[0];
        self.widths = [self.widths[1], self.widths[2], self.widths[3], self.widths[3]];
        self.pos = self.pos.saturating_sub(w);
        if self.input.get(self.pos) == Some(&b'\n') {
            self.line -= 1;
        }
    }

    fn accept(&mut self, valid: char) -> bool {
        if self.next() == valid {
            return true;
        }
        self.backup();
        false
    }

    fn peek(&mut self) -> char {
        let c = self.next();
        self.backup();
        c
    }

    fn skip_space(&mut self) {
        while is_space(self.next()) {}
        self.backup();
        self.ignore();
    }

    fn skip_to(&mut self, state: State) -> State {
        self.ignore();
        state
    }

    fn pop(&mut self) -> State {
        self.stack.pop().unwrap_or(State::Stopped)
    }

    fn emit_pop(&mut self, kind: ItemKind) -> State {
        self.emit(kind);
        self.pop()
    }

    fn comment(&mut self, back: State) -> State {
        self.stack.push(back);
        self.ignore();
        self.emit(ItemKind::CommentStart);
        State::Comment
    }

    fn run(&mut self) -> State {
        match self.state {
            State::Top => self.top(),
            State::TopEnd => self.top_end(),
            State::TableEnd => {
                self.emit(ItemKind::TableEnd);
                State::TopEnd
            }
            State::ArrayTableEnd => {
                let c = self.next();
                if c != ']' {
                    let got = quote_rune(c);
                    return self.fail(format!("expected end of table array name delimiter ']', but got {got} instead"));
                }
                self.emit(ItemKind::ArrayTableEnd);
                State::TopEnd
            }
            State::TableNameStart => self.table_name_start(),
            State::TableNameEnd => {
                self.skip_space();
                match self.next() {
                    '.' => self.skip_to(State::TableNameStart),
                    ']' => self.pop(),
                    c => {
                        let got = quote_rune(c);
                        self.fail(format!("expected '.' or ']' to end table name, but got {got} instead"))
                    }
                }
            }
            State::BareName => {
                let c = self.next();
                if c.is_ascii() && is_bare(c as u8) {
                    return State::BareName;
                }
                self.backup();
                self.emit_pop(ItemKind::Text)
            }
            State::QuotedName => match self.next() {
                '"' => self.skip_to(State::Str),
                '\'' => self.skip_to(State::RawString),
                c => {
                    let got = quote_rune(c);
                    self.fail(format!("expected value but found {got} instead"))
                }
            },
            State::KeyStart => {
                self.skip_space();
                match self.peek() {
                    '=' | EOF => return self.fail("unexpected '=': key name appears blank"),
                    '.' => return self.fail("unexpected '.': keys cannot start with a '.'"),
                    _ => {}
                }
                self.emit(ItemKind::KeyStart);
                State::KeyNameStart
            }
            State::KeyNameStart => {
                self.skip_space();
                match self.peek() {
                    '"' | '\'' => {
                        self.ignore();
                        self.stack.push(State::KeyEnd);
                        State::QuotedName
                    }
                    '=' | EOF => self.fail("unexpected '='"),
                    '.' => self.fail("unexpected '.'"),
                    _ => {
                        self.stack.push(State::KeyEnd);
                        State::BareName
                    }
                }
            }
            State::KeyEnd => self.key_end(),
            State::Value => self.value(),
            State::ArrayValue => self.array_value(),
            State::ArrayValueEnd => match self.next() {
                c if is_space(c) || is_newline(c) => self.skip_to(State::ArrayValueEnd),
                '#' => self.comment(State::ArrayValueEnd),
                ',' => self.skip_to(State::ArrayValue),
                ']' => {
                    self.ignore();
                    self.emit_pop(ItemKind::ArrayEnd)
                }
                c => {
                    let got = rune_or_eof(c);
                    self.fail(format!("expected a comma (',') or array terminator (']'), but got {got}"))
                }
            },
            State::InlineTableValue => match self.next() {
                c if is_space(c) || is_newline(c) => self.skip_to(State::InlineTableValue),
                '#' => self.comment(State::InlineTableValue),
                ',' => self.fail("unexpected comma"),
                '}' => {
                    self.ignore();
                    self.emit_pop(ItemKind::InlineTableEnd)
                }
                _ => {
                    self.backup();
                    self.stack.push(State::InlineTableValueEnd);
                    State::KeyStart
                }
            },
            State::InlineTableValueEnd => self.inline_table_value_end(),
            State::Str => self.string(),
            State::MultilineString => self.multiline_string(),
            State::RawString => match self.next() {
                EOF => self.fail("unexpected EOF; expected \"'\""),
                c if is_newline(c) => self.fail_previous_line("strings cannot contain newlines"),
                '\'' => {
                    self.backup();
                    self.emit(ItemKind::RawString);
                    self.next();
                    self.ignore();
                    self.pop()
                }
                _ => State::RawString,
            },
            State::MultilineRawString => self.multiline_raw_string(),
            State::MultilineStringEscape => {
                if is_newline(self.next()) {
                    return State::MultilineString;
                }
                self.backup();
                self.stack.push(State::MultilineString);
                self.string_escape()
            }
            State::NumberOrDate => match self.next() {
                '0'..='9' => State::NumberOrDate,
                '-' | ':' => State::Datetime,
                '_' => State::DecimalNumber,
                '.' | 'e' | 'E' => State::Float,
                _ => self.end_of(ItemKind::Integer),
            },
            State::Datetime => match self.next() {
                '0'..='9' | '-' | ':' | 'T' | 't' | ' ' | '.' | 'Z' | 'z' | '+' => State::Datetime,
                _ => {
                    self.backup();
                    if self.error.is_none() {
                        let text = self.current().trim();
                        self.items.push_back(Item { kind: ItemKind::Datetime, text, line: self.line });
                    }
                    self.start = self.pos;
                    self.pop()
                }
            },
            State::HexInteger => match self.next() {
                c if c.is_ascii_hexdigit() || c == '_' => State::HexInteger,
                _ => self.end_of(ItemKind::Integer),
            },
            State::OctalInteger => match self.next() {
                '0'..='7' | '_' => State::OctalInteger,
                _ => self.end_of(ItemKind::Integer),
            },
            State::BinaryInteger => match self.next() {
                '0' | '1' | '_' => State::BinaryInteger,
                _ => self.end_of(ItemKind::Integer),
            },
            State::DecimalNumber => match self.next() {
                '0'..='9' | '_' => State::DecimalNumber,
                '.' | 'e' | 'E' => State::Float,
                _ => self.end_of(ItemKind::Integer),
            },
            State::Float => match self.next() {
                '0'..='9' | '_' | '.' | '-' | '+' | 'e' | 'E' => State::Float,
                _ => self.end_of(ItemKind::Float),
            },
            State::Comment => match self.next() {
                '\n' | '\r' | EOF => self.end_of(ItemKind::Text),
                _ => State::Comment,
            },
            State::Stopped => {
                let message = "BUG in lexer: no states to pop".into();
                self.error.get_or_insert(LexError { line: self.line, message, panics: true });
                State::Stopped
            }
        }
    }

    /// One character too many was read.
    fn end_of(&mut self, kind: ItemKind) -> State {
        self.backup();
        self.emit_pop(kind)
    }

    fn top(&mut self) -> State {
        match self.next() {
            c if is_space(c) || is_newline(c) => return self.skip_to(State::Top),
            '#' => return self.comment(State::Top),
            '[' => {
                if self.peek() == '[' {
                    self.next();
                    self.emit(ItemKind::ArrayTableStart);
                    self.stack.push(State::ArrayTableEnd);
                } else {
                    self.emit(ItemKind::TableStart);
                    self.stack.push(State::TableEnd);
                }
                return State::TableNameStart;
            }
            EOF => {
                if self.pos > self.start {
                    return self.fail("unexpected EOF");
                }
                self.emit(ItemKind::Eof);
                return State::Stopped;
            }
            _ => {}
        }
        self.backup();
        self.stack.push(State::TopEnd);
        State::KeyStart
    }

    fn top_end(&mut self) -> State {
        match self.next() {
            '#' => self.comment(State::Top),
            c if is_space(c) => State::TopEnd,
            c if is_newline(c) => self.skip_to(State::Top),
            EOF => {
                self.emit(ItemKind::Eof);
                State::Stopped
            }
            c => {
                let got = quote_rune(c);
                self.fail(format!(
                    "expected a top-level item to end with a newline, comment, or EOF, but got {got} instead"
                ))
            }
        }
    }

    fn table_name_start(&mut self) -> State {
        self.skip_space();
        match self.peek() {
            ']' | EOF => self.fail("unexpected end of table name (table names cannot be empty)"),
            '.' => self.fail("unexpected table separator (table names cannot be empty)"),
            '"' | '\'' => {
                self.ignore();
                self.stack.push(State::TableNameEnd);
                State::QuotedName
            }
            _ => {
                self.stack.push(State::TableNameEnd);
                State::BareName
            }
        }
    }

    fn key_end(&mut self) -> State {
        self.skip_space();
        match self.next() {
            EOF => self.fail("unexpected EOF; expected key separator '='"),
            '.' => self.skip_to(State::KeyNameStart),
            '=' => {
                self.emit(ItemKind::KeyEnd);
                self.skip_to(State::Value)
            }
            '\n' => self.fail_previous_line("expected '.' or '=', but got '\\n' instead"),
            c => {
                let got = quote_rune(c);
                self.fail(format!("expected '.' or '=', but got {got} instead"))
            }
        }
    }

    fn value(&mut self) -> State {
        let c = self.next();
        match c {
            c if is_space(c) => return self.skip_to(State::Value),
            '0' => return self.base_number_or_date(),
            '1'..='9' => return State::NumberOrDate,
            '[' => {
                self.ignore();
                self.emit(ItemKind::Array);
                return State::ArrayValue;
            }
            '{' => {
                self.ignore();
                self.emit(ItemKind::InlineTableStart);
                return State::InlineTableValue;
            }
            '"' | '\'' => {
                let (short, long) = if c == '"' {
                    (State::Str, State::MultilineString)
                } else {
                    (State::RawString, State::MultilineRawString)
                };
                if self.accept(c) {
                    if self.accept(c) {
                        return self.skip_to(long);
                    }
                    self.backup();
                }
                return self.skip_to(short);
            }
            '.' => return self.fail("floats must start with a digit, not '.'"),
            'i' | 'n' if (self.accept('n') && self.accept('f')) || (self.accept('a') && self.accept('n')) => {
                return self.emit_pop(ItemKind::Float);
            }
            '-' | '+' => return self.decimal_number_start(),
            _ => {}
        }
        if unicode::is_letter(c) {
            self.backup();
            return self.boolean();
        }
        let got = quote_rune(c);
        match c {
            EOF => self.fail("unexpected EOF; expected value"),
            '\n' => self.fail_previous_line(format!("expected value but found {got} instead")),
            _ => self.fail(format!("expected value but found {got} instead")),
        }
    }

    fn array_value(&mut self) -> State {
        match self.next() {
            c if is_space(c) || is_newline(c) => self.skip_to(State::ArrayValue),
            '#' => self.comment(State::ArrayValue),
            ',' => self.fail("unexpected comma"),
            ']' => {
                self.ignore();
                self.emit_pop(ItemKind::ArrayEnd)
            }
            _ => {
                self.backup();
                self.stack.push(State::ArrayValueEnd);
                State::Value
            }
        }
    }

    fn inline_table_value_end(&mut self) -> State {
        match self.next() {
            c if is_space(c) || is_newline(c) => self.skip_to(State::InlineTableValueEnd),
            '#' => self.comment(State::InlineTableValueEnd),
            ',' => {
                self.ignore();
                self.skip_space();
                if self.peek() == '}' { State::InlineTableValueEnd } else { State::InlineTableValue }
            }
            '}' => {
                self.ignore();
                self.emit_pop(ItemKind::InlineTableEnd)
            }
            c => {
                let got = rune_or_eof(c);
                self.fail(format!("expected a comma or an inline table terminator '}}', but got {got} instead"))
            }
        }
    }

    fn string(&mut self) -> State {
        match self.next() {
            EOF => self.fail("unexpected EOF; expected '\"'"),
            c if is_newline(c) => self.fail_previous_line("strings cannot contain newlines"),
            '\\' => {
                self.stack.push(State::Str);
                self.string_escape()
            }
            '"' => {
                self.backup();
                let kind = if std::mem::take(&mut self.esc) { ItemKind::StringEsc } else { ItemKind::String };
                self.emit(kind);
                self.next();
                self.ignore();
                self.pop()
            }
            _ => State::Str,
        }
    }

    /// Two quotes were seen already after the first; the third, and perhaps more, follow.
    fn multiline_end(&mut self, quote: char, again: State, kind: ItemKind) -> State {
        if !self.accept(quote) {
            return again;
        }
        if !self.accept(quote) {
            self.backup();
            return again;
        }
        if self.peek() == quote {
            let five: String = std::iter::repeat_n(quote, 5).collect();
            let escaped = format!("\\{five}");
            if self.current().ends_with(&five) && !(quote == '"' && self.current().ends_with(&escaped)) {
                let outer = if quote == '"' { '\'' } else { '"' };
                return self.fail(format!("unexpected {outer}{five}{quote}{outer}"));
            }
            self.backup();
            self.backup();
            return again;
        }
        for _ in 0..3 {
            self.backup();
        }
        self.esc = false;
        self.emit(kind);
        for _ in 0..3 {
            self.next();
        }
        self.ignore();
        self.pop()
    }

    fn multiline_string(&mut self) -> State {
        match self.next() {
            EOF => self.fail("unexpected EOF; expected '\"\"\"'"),
            '\\' => State::MultilineStringEscape,
            '"' => self.multiline_end('"', State::MultilineString, ItemKind::MultilineString),
            _ => State::MultilineString,
        }
    }

    fn multiline_raw_string(&mut self) -> State {
        match self.next() {
            EOF => self.fail("unexpected EOF; expected \"'''\""),
            '\'' => {
                let esc = self.esc;
                let state = self.multiline_end('\'', State::MultilineRawString, ItemKind::RawMultilineString);
                self.esc = esc;
                state
            }
            _ => State::MultilineRawString,
        }
    }

    fn string_escape(&mut self) -> State {
        self.esc = true;
        let (digits, what) = match self.next() {
            'e' | 'b' | 't' | 'n' | 'f' | 'r' | '"' | ' ' | '\t' | '\\' => return self.pop(),
            'x' => (2, "two hexadecimal digits after '\\x'"),
            'u' => (4, "four hexadecimal digits after '\\u'"),
            'U' => (8, "eight hexadecimal digits after '\\U'"),
            c => {
                let message = format!("invalid escape in string '\\{c}'");
                return if self.at_eof { self.fail_previous_line(message) } else { self.fail_at(self.line, message) };
            }
        };
        for _ in 0..digits {
            if !self.next().is_ascii_hexdigit() {
                let got = quote(self.current().as_bytes());
                return self.fail(format!("expected {what}, but got {got} instead"));
            }
        }
        self.pop()
    }

    fn base_number_or_date(&mut self) -> State {
        let c = self.next();
        match c {
            '0'..='9' => return State::NumberOrDate,
            '_' => return State::DecimalNumber,
            '.' | 'e' | 'E' => return State::Float,
            'b' | 'o' | 'x' => {}
            _ => return self.end_of(ItemKind::Integer),
        }
        let digit = self.peek();
        let (fits, name, state) = match c {
            'b' => (matches!(digit, '0' | '1'), "a binary", State::BinaryInteger),
            'o' => (matches!(digit, '0'..='7'), "an octal", State::OctalInteger),
            _ => (digit.is_ascii_hexdigit(), "a hexadecimal", State::HexInteger),
        };
        if !fits {
            let text = self.current();
            return self.fail(format!("not {name} number: '{text}{digit}'"));
        }
        state
    }

    fn decimal_number_start(&mut self) -> State {
        let c = self.next();
        match c {
            'i' | 'n' => {
                let fits =
                    if c == 'i' { self.accept('n') && self.accept('f') } else { self.accept('a') && self.accept('n') };
                if !fits {
                    let text = self.current();
                    return self.fail(format!("invalid float: '{text}'"));
                }
                self.emit_pop(ItemKind::Float)
            }
            '0' => {
                let p = self.peek();
                if matches!(p, 'b' | 'o' | 'x') {
                    let text = self.current();
                    return self.fail(format!("cannot use sign with non-decimal numbers: '{text}{p}'"));
                }
                State::DecimalNumber
            }
            '.' => self.fail("floats must start with a digit, not '.'"),
            '1'..='9' => State::DecimalNumber,
            c => {
                let got = quote_rune(c);
                self.fail(format!("expected a digit but got {got}"))
            }
        }
    }

    fn boolean(&mut self) -> State {
        let mut word = String::new();
        loop {
            let c = self.next();
            if !unicode::is_letter(c) {
                self.backup();
                break;
            }
            word.push(c);
        }
        if word == "true" || word == "false" {
            return self.emit_pop(ItemKind::Bool);
        }
        let got = quote(word.as_bytes());
        self.fail(format!("expected value but found {got} instead"))
    }
}
