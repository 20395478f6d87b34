//! From text to tokens: a port of go-yaml v2's `scannerc.go` (itself a port of libyaml), with its messages and its places.
//!
//! The text is checked beforehand (see [`super::reader`]) and lies in memory as a whole, so a byte past the end reads as 0, and a
//! scalar that needs no rewriting is a slice of the text. Scalars are scanned in `scalar`, directives and tags in
//! `directive`.

use std::borrow::Cow;
use std::collections::VecDeque;

use super::comments::Comments;

/// A place in the text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// Byte offset.
    pub pos: u32,
    /// Characters before the place.
    pub index: u32,
    /// 0-based line.
    pub line: u32,
    /// 0-based column in characters.
    pub col: u32,
}

/// What stopped the scanner or parser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub text: Cow<'static, str>,
    pub mark: Mark,
    pub context: Mark,
    /// From the scanner, whose line numbers go-yaml prints 1-based (the parser's it prints 0-based).
    pub scanner: bool,
}

impl Problem {
    /// go-yaml v2's `parser.fail`: the text with a line number where it has one.
    pub fn message(&self) -> String {
        let line = match (self.mark.line, self.context.line) {
            (0, 0) => return format!("yaml: {}", self.text),
            (0, line) => line,
            (line, _) => line + u32::from(self.scanner),
        };
        format!("yaml: line {line}: {}", self.text)
    }
}

pub type Scan<T> = Result<T, Box<Problem>>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    StreamStart,
    StreamEnd,
    Version(u8, u8),
    TagDirective,
    DocumentStart,
    DocumentEnd,
    BlockSequenceStart,
    BlockMappingStart,
    BlockEnd,
    FlowSequenceStart,
    FlowSequenceEnd,
    FlowMappingStart,
    FlowMappingEnd,
    BlockEntry,
    FlowEntry,
    Key,
    Value,
    Alias,
    Anchor,
    Tag,
    Scalar,
}

/// How a scalar is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Style {
    #[default]
    Plain,
    Single,
    Double,
    Literal,
    Folded,
}

#[derive(Clone, Debug)]
pub struct Token<'a> {
    pub kind: Kind,
    pub style: Style,
    pub start: Mark,
    pub end: Mark,
    /// Scalar text, anchor or alias name, tag handle.
    pub value: Cow<'a, [u8]>,
    /// Tag suffix, or a directive's prefix.
    pub suffix: Cow<'a, [u8]>,
}

impl<'a> Token<'a> {
    pub(super) const fn plain(kind: Kind, start: Mark, end: Mark) -> Self {
        Self { kind, style: Style::Plain, start, end, value: Cow::Borrowed(b""), suffix: Cow::Borrowed(b"") }
    }

    pub const fn text(kind: Kind, start: Mark, end: Mark, value: Cow<'a, [u8]>) -> Self {
        Self { kind, style: Style::Plain, start, end, value, suffix: Cow::Borrowed(b"") }
    }
}

/// A token that may turn out to be a key once a `:` follows.
#[derive(Clone, Copy, Debug, Default)]
struct SimpleKey {
    possible: bool,
    required: bool,
    token: usize,
    mark: Mark,
}

/// Deepest nesting of flow collections, and of indentation.
const MAX_DEPTH: usize = 10_000;

/// The scanner's state.
pub struct Scanner<'a> {
    pub(super) text: &'a [u8],
    pub(super) pos: usize,
    /// The furthest byte offset that was asked for.
    wanted: usize,
    pub(super) index: u32,
    pub(super) line: u32,
    pub(super) col: u32,
    pub(super) flow_level: usize,
    pub(super) indent: i32,
    pub(super) simple_key_allowed: bool,
    indents: Vec<i32>,
    simple_keys: Vec<SimpleKey>,
    /// Token number → level of the simple key that begins there; ordered by token number.
    by_token: VecDeque<(usize, usize)>,
    tokens: VecDeque<Token<'a>>,
    tokens_parsed: usize,
    started: bool,
    available: bool,
    /// Set when comments are wanted as well, as go-yaml v3 finds them; then the scanner also looks two tokens ahead, as it does.
    pub(super) comments: Option<Box<Comments>>,
}

pub(super) const fn is_alpha(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_' || b == b'-'
}

impl<'a> Scanner<'a> {
    pub fn new(text: &'a [u8]) -> Self {
        Self {
            text,
            pos: 0,
            wanted: 0,
            index: 0,
            line: 0,
            col: 0,
            flow_level: 0,
            indent: -1,
            simple_key_allowed: true,
            indents: Vec::new(),
            simple_keys: Vec::new(),
            by_token: VecDeque::new(),
            tokens: VecDeque::new(),
            tokens_parsed: 0,
            started: false,
            available: false,
            comments: None,
        }
    }

    /// A scanner that keeps comments, as go-yaml v3 does.
    pub fn with_comments(text: &'a [u8]) -> Self {
        Self { comments: Some(Box::default()), ..Self::new(text) }
    }

    /// Byte offset up to which go-yaml would have read by now.
    pub const fn wanted(&self) -> usize {
        self.wanted
    }

    /// Says that the next `n` bytes are looked at.
    pub(super) fn want(&mut self, n: usize) {
        self.wanted = self.wanted.max(self.pos + n);
    }

    /// The next token, not taken.
    pub fn peek(&mut self) -> Scan<&Token<'a>> {
        if !self.available {
            self.fetch_more()?;
        }
        match self.tokens.front() {
            Some(t) => Ok(t),
            // Every fetch adds a token, and the parser never asks past the end of the stream.
            None => unreachable!("no token after fetch"),
        }
    }

    pub fn peek_kind(&mut self) -> Scan<Kind> {
        self.peek().map(|t| t.kind)
    }

    /// Takes the token that was peeked.
    pub fn take(&mut self) -> Scan<Token<'a>> {
        if !self.available {
            self.fetch_more()?;
        }
        self.available = false;
        self.tokens_parsed += 1;
        match self.tokens.pop_front() {
            Some(t) => Ok(t),
            None => unreachable!("no token after fetch"),
        }
    }

    pub(super) fn mark(&self) -> Mark {
        Mark { pos: u32::try_from(self.pos).unwrap_or(u32::MAX), index: self.index, line: self.line, col: self.col }
    }

    pub(super) fn at(&self, ahead: usize) -> u8 {
        self.text.get(self.pos + ahead).copied().unwrap_or(0)
    }

    /// Length in bytes of the line break at `ahead` bytes from here, 0 if there is none. CR LF counts as CR here.
    pub(super) fn break_at(&self, ahead: usize) -> usize {
        match self.at(ahead) {
            b'\r' | b'\n' => 1,
            0xc2 if self.at(ahead + 1) == 0x85 => 2,
            0xe2 if self.at(ahead + 1) == 0x80 && matches!(self.at(ahead + 2), 0xa8 | 0xa9) => 3,
            _ => 0,
        }
    }

    pub(super) fn is_blank(&self, ahead: usize) -> bool {
        matches!(self.at(ahead), b' ' | b'\t')
    }

    pub(super) fn is_breakz(&self, ahead: usize) -> bool {
        self.at(ahead) == 0 || self.break_at(ahead) > 0
    }

    pub(super) fn is_blankz(&self, ahead: usize) -> bool {
        self.is_blank(ahead) || self.is_breakz(ahead)
    }

    pub(super) fn skip(&mut self) {
        let width = match self.at(0) {
            0..=0x7f => 1,
            b if b & 0xe0 == 0xc0 => 2,
            b if b & 0xf0 == 0xe0 => 3,
            _ => 4,
        };
        self.pos += width;
        self.index += 1;
        self.col += 1;
    }

    /// Steps over `n` bytes of characters that hold no line break.
    pub(super) fn advance(&mut self, n: usize) {
        let chunk = self.text.get(self.pos..self.pos + n).unwrap_or_default();
        let chars = chunk.iter().filter(|b| **b & 0xc0 != 0x80).count();
        let chars = u32::try_from(chars).unwrap_or(u32::MAX);
        self.pos += n;
        self.index = self.index.saturating_add(chars);
        self.col = self.col.saturating_add(chars);
    }

    pub(super) fn skip_line(&mut self) {
        let width = self.break_at(0);
        if width == 0 {
            return;
        }
        let crlf = self.at(0) == b'\r' && self.at(1) == b'\n';
        self.pos += if crlf { 2 } else { width };
        self.index += 1 + u32::from(crlf);
        self.col = 0;
        self.line += 1;
    }

    /// Takes a line break; what it stands for.
    pub(super) fn take_break(&mut self) -> &'a [u8] {
        let broken: &'a [u8] = match self.break_at(0) {
            0 => b"",
            3 => self.text.get(self.pos..self.pos + 3).unwrap_or_default(),
            _ => b"\n",
        };
        self.skip_line();
        broken
    }

    pub(super) fn fail<T>(&self, context: Mark, text: &'static str) -> Scan<T> {
        Err(Box::new(Problem { text: Cow::Borrowed(text), mark: self.mark(), context, scanner: true }))
    }

    /// `---` or `...` at the start of a line.
    pub(super) fn document_indicator(&self) -> bool {
        self.col == 0 && (self.rest().starts_with(b"---") || self.rest().starts_with(b"...")) && self.is_blankz(3)
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        self.text.get(self.pos..).unwrap_or_default()
    }

    pub(super) fn push(&mut self, token: Token<'a>) {
        if let Some(comments) = &mut self.comments {
            comments.pushed(token.kind, token.start);
        }
        self.tokens.push_back(token);
    }

    fn fetch_more(&mut self) -> Scan<()> {
        let ahead = if self.comments.is_some() { 2 } else { 0 };
        loop {
            if self.tokens.len() > ahead {
                let head = self.tokens_parsed;
                let Ok(i) = self.by_token.binary_search_by(|(t, _)| t.cmp(&head)) else { break };
                if !self.simple_key_valid(self.by_token[i].1)? {
                    break;
                }
            }
            self.fetch_next()?;
        }
        self.available = true;
        Ok(())
    }

    fn fetch_next(&mut self) -> Scan<()> {
        if !self.started {
            self.started = true;
            self.simple_keys.push(SimpleKey::default());
            let m = self.mark();
            self.push(Token::plain(Kind::StreamStart, m, m));
            return Ok(());
        }
        let scanned = self.mark();
        self.skip_to_next_token();
        self.want(4);
        self.unroll_indent(i64::from(self.col), scanned);
        let c = self.at(0);
        if c == 0 {
            return self.fetch_stream_end();
        }
        if self.col == 0 {
            if c == b'%' {
                return self.fetch_directive();
            }
            if self.document_indicator() {
                return self.fetch_document_indicator(if c == b'-' { Kind::DocumentStart } else { Kind::DocumentEnd });
            }
        }
        if self.comments.is_none() {
            return self.fetch_content(c);
        }
        let place = self.line_comment_place(c);
        self.fetch_content(c)?;
        if !self.after_entry() {
            self.line_comment(place);
        }
        Ok(())
    }

    /// Fetches a token that is no directive and no document marker; `c` is its first byte.
    fn fetch_content(&mut self, c: u8) -> Scan<()> {
        match c {
            b'[' => return self.fetch_flow_start(Kind::FlowSequenceStart),
            b'{' => return self.fetch_flow_start(Kind::FlowMappingStart),
            b']' => return self.fetch_flow_end(Kind::FlowSequenceEnd),
            b'}' => return self.fetch_flow_end(Kind::FlowMappingEnd),
            b',' => return self.fetch_flow_entry(),
            b'-' if self.is_blankz(1) => return self.fetch_block_entry(),
            b'?' if self.flow_level > 0 || self.is_blankz(1) => return self.fetch_key(),
            b':' if self.flow_level > 0 || self.is_blankz(1) => return self.fetch_value(),
            b'*' => return self.fetch_anchor(Kind::Alias),
            b'&' => return self.fetch_anchor(Kind::Anchor),
            b'!' => return self.fetch_tag(),
            b'|' | b'>' if self.flow_level == 0 => {
                self.remove_simple_key()?;
                self.simple_key_allowed = true;
                let token = self.scan_block_scalar(c == b'|')?;
                self.push(token);
                return Ok(());
            }
            b'\'' | b'"' => {
                self.save_simple_key()?;
                self.simple_key_allowed = false;
                let token = self.scan_flow_scalar(c == b'\'')?;
                self.push(token);
                return Ok(());
            }
            _ => {}
        }
        let indicator = matches!(
            c,
            b'-' | b'?'
                | b':'
                | b','
                | b'['
                | b']'
                | b'{'
                | b'}'
                | b'#'
                | b'&'
                | b'*'
                | b'!'
                | b'|'
                | b'>'
                | b'\''
                | b'"'
                | b'%'
                | b'@'
                | b'`'
        );
        if !(self.is_blankz(0) || indicator)
            || (c == b'-' && !self.is_blank(1))
            || (self.flow_level == 0 && (c == b'?' || c == b':') && !self.is_blankz(1))
        {
            self.save_simple_key()?;
            self.simple_key_allowed = false;
            let token = self.scan_plain_scalar()?;
            self.push(token);
            return Ok(());
        }
        self.fail(self.mark(), "found character that cannot start any token")
    }

    fn simple_key_valid(&mut self, level: usize) -> Scan<bool> {
        let (line, index) = (self.line, self.index);
        let Some(key) = self.simple_keys.get_mut(level) else { return Ok(false) };
        if !key.possible {
            return Ok(false);
        }
        // A key lies on one line and is at most 1024 characters long.
        if key.mark.line < line || key.mark.index + 1024 < index {
            if key.required {
                let mark = key.mark;
                return self.fail(mark, "could not find expected ':'");
            }
            key.possible = false;
            return Ok(false);
        }
        Ok(true)
    }

    fn forget_token(&mut self, token: usize) {
        if let Ok(i) = self.by_token.binary_search_by(|(t, _)| t.cmp(&token)) {
            self.by_token.remove(i);
        }
    }

    pub(super) fn save_simple_key(&mut self) -> Scan<()> {
        if !self.simple_key_allowed {
            return Ok(());
        }
        let required = self.flow_level == 0 && i64::from(self.indent) == i64::from(self.col);
        let token = self.tokens_parsed + self.tokens.len();
        let key = SimpleKey { possible: true, required, token, mark: self.mark() };
        self.remove_simple_key()?;
        let level = self.simple_keys.len().saturating_sub(1);
        if let Some(last) = self.simple_keys.last_mut() {
            *last = key;
        }
        // Tokens that were handed out are never looked up again.
        while self.by_token.front().is_some_and(|(t, _)| *t < self.tokens_parsed) {
            self.by_token.pop_front();
        }
        match self.by_token.back_mut() {
            Some(back) if back.0 == token => back.1 = level,
            _ => self.by_token.push_back((token, level)),
        }
        Ok(())
    }

    pub(super) fn remove_simple_key(&mut self) -> Scan<()> {
        let Some(key) = self.simple_keys.last_mut() else { return Ok(()) };
        if key.possible {
            if key.required {
                let mark = key.mark;
                return self.fail(mark, "could not find expected ':'");
            }
            key.possible = false;
            let token = key.token;
            self.forget_token(token);
        }
        Ok(())
    }

    fn too_deep<T>(&self) -> Scan<T> {
        let context = self.simple_keys.last().map_or_else(Mark::default, |k| k.mark);
        self.fail(context, "exceeded max depth of 10000")
    }

    fn roll_indent(&mut self, column: u32, token: Option<usize>, kind: Kind, mark: Mark) -> Scan<()> {
        let column = i32::try_from(column).unwrap_or(i32::MAX);
        if self.flow_level > 0 || self.indent >= column {
            return Ok(());
        }
        self.indents.push(self.indent);
        self.indent = column;
        if self.indents.len() > MAX_DEPTH {
            return self.too_deep();
        }
        let start = Token::plain(kind, mark, mark);
        self.insert(token, start);
        Ok(())
    }

    /// Puts a token before the one with that number; at the end if that one was handed out already.
    fn insert(&mut self, token: Option<usize>, new: Token<'a>) {
        match token.and_then(|t| t.checked_sub(self.tokens_parsed)) {
            Some(at) if at <= self.tokens.len() => self.tokens.insert(at, new),
            _ => self.push(new),
        }
    }

    /// `scanned` is where the scan for the next token began.
    pub(super) fn unroll_indent(&mut self, column: i64, scanned: Mark) {
        if self.flow_level > 0 {
            return;
        }
        let mut place = None;
        while i64::from(self.indent) > column {
            let m = match &self.comments {
                Some(comments) => *place.insert(comments.block_end(place, scanned, self.indent)),
                None => self.mark(),
            };
            self.push(Token::plain(Kind::BlockEnd, m, m));
            self.indent = self.indents.pop().unwrap_or(-1);
        }
    }

    fn fetch_stream_end(&mut self) -> Scan<()> {
        if self.col != 0 {
            self.col = 0;
            self.line += 1;
        }
        self.unroll_indent(-1, self.mark());
        self.remove_simple_key()?;
        self.simple_key_allowed = false;
        let m = self.mark();
        self.push(Token::plain(Kind::StreamEnd, m, m));
        Ok(())
    }

    fn fetch_document_indicator(&mut self, kind: Kind) -> Scan<()> {
        self.unroll_indent(-1, self.mark());
        self.remove_simple_key()?;
        self.simple_key_allowed = false;
        let start = self.mark();
        self.advance(3);
        let end = self.mark();
        self.push(Token::plain(kind, start, end));
        Ok(())
    }

    /// Pushes a token of the one character here.
    fn push_indicator(&mut self, kind: Kind) {
        let start = self.mark();
        self.skip();
        let end = self.mark();
        self.push(Token::plain(kind, start, end));
    }

    fn fetch_flow_start(&mut self, kind: Kind) -> Scan<()> {
        self.save_simple_key()?;
        let token = self.tokens_parsed + self.tokens.len();
        self.simple_keys.push(SimpleKey { possible: false, required: false, token, mark: self.mark() });
        self.flow_level += 1;
        if self.flow_level > MAX_DEPTH {
            return self.too_deep();
        }
        self.simple_key_allowed = true;
        self.push_indicator(kind);
        Ok(())
    }

    fn fetch_flow_end(&mut self, kind: Kind) -> Scan<()> {
        self.remove_simple_key()?;
        if self.flow_level > 0 {
            self.flow_level -= 1;
            // As go-yaml has it: for an empty collection this forgets the key which the collection itself may be.
            if let Some(key) = self.simple_keys.pop() {
                self.forget_token(key.token);
            }
        }
        self.simple_key_allowed = false;
        self.push_indicator(kind);
        Ok(())
    }

    fn fetch_flow_entry(&mut self) -> Scan<()> {
        self.remove_simple_key()?;
        self.simple_key_allowed = true;
        self.push_indicator(Kind::FlowEntry);
        Ok(())
    }

    fn fetch_block_entry(&mut self) -> Scan<()> {
        if self.flow_level == 0 {
            if !self.simple_key_allowed {
                return self.fail(self.mark(), "block sequence entries are not allowed in this context");
            }
            self.roll_indent(self.col, None, Kind::BlockSequenceStart, self.mark())?;
        }
        self.remove_simple_key()?;
        self.simple_key_allowed = true;
        self.push_indicator(Kind::BlockEntry);
        Ok(())
    }

    fn fetch_key(&mut self) -> Scan<()> {
        if self.flow_level == 0 {
            if !self.simple_key_allowed {
                return self.fail(self.mark(), "mapping keys are not allowed in this context");
            }
            self.roll_indent(self.col, None, Kind::BlockMappingStart, self.mark())?;
        }
        self.remove_simple_key()?;
        self.simple_key_allowed = self.flow_level == 0;
        self.push_indicator(Kind::Key);
        Ok(())
    }

    fn fetch_value(&mut self) -> Scan<()> {
        let level = self.simple_keys.len().saturating_sub(1);
        if self.simple_key_valid(level)? {
            let key = self.simple_keys[level];
            self.insert(Some(key.token), Token::plain(Kind::Key, key.mark, key.mark));
            self.roll_indent(key.mark.col, Some(key.token), Kind::BlockMappingStart, key.mark)?;
            self.simple_keys[level].possible = false;
            self.forget_token(key.token);
            self.simple_key_allowed = false;
        } else {
            if self.flow_level == 0 {
                if !self.simple_key_allowed {
                    return self.fail(self.mark(), "mapping values are not allowed in this context");
                }
                self.roll_indent(self.col, None, Kind::BlockMappingStart, self.mark())?;
            }
            self.simple_key_allowed = self.flow_level == 0;
        }
        self.push_indicator(Kind::Value);
        Ok(())
    }

    fn fetch_anchor(&mut self, kind: Kind) -> Scan<()> {
        self.save_simple_key()?;
        self.simple_key_allowed = false;
        let start = self.mark();
        self.skip();
        let name = self.read_alpha();
        let ends = self.is_blankz(0) || matches!(self.at(0), b'?' | b':' | b',' | b']' | b'}' | b'%' | b'@' | b'`');
        if name.is_empty() || !ends {
            return self.fail(start, "did not find expected alphabetic or numeric character");
        }
        let end = self.mark();
        self.push(Token::text(kind, start, end, Cow::Borrowed(name)));
        Ok(())
    }

    pub(super) fn read_alpha(&mut self) -> &'a [u8] {
        let rest = self.rest();
        let n = rest.iter().position(|b| !is_alpha(*b)).unwrap_or(rest.len());
        self.advance(n);
        self.want(1);
        &rest[..n]
    }

    pub(super) fn skip_blanks(&mut self) {
        while self.is_blank(0) {
            self.skip();
        }
        self.want(1);
    }

    pub(super) fn skip_comment(&mut self) {
        if self.at(0) == b'#' {
            while !self.is_breakz(0) {
                let n = self
                    .rest()
                    .iter()
                    .position(|b| matches!(b, b'\n' | b'\r' | 0xc2 | 0xe2))
                    .unwrap_or(self.rest().len());
                if n > 0 {
                    self.advance(n);
                } else {
                    self.skip();
                }
            }
            self.want(1);
        }
    }

    fn skip_to_next_token(&mut self) {
        let scanned = self.mark();
        loop {
            // go-yaml looks for the mark at the start of its buffer, whatever the place.
            if self.col == 0 && self.pos < 509 && self.text.starts_with(b"\xef\xbb\xbf") && self.at(0) != 0 {
                self.skip();
            }
            while self.at(0) == b' ' || ((self.flow_level > 0 || !self.simple_key_allowed) && self.at(0) == b'\t') {
                self.pos += 1;
                self.index += 1;
                self.col += 1;
            }
            if self.comments.is_some() {
                self.comments_before_token(scanned);
            } else {
                self.skip_comment();
            }
            if self.break_at(0) == 0 {
                return;
            }
            self.skip_line();
            if self.flow_level == 0 {
                self.simple_key_allowed = true;
            }
        }
    }
}

/// The value of a hexadecimal digit.
pub(super) fn hex(b: u8) -> Option<u32> {
    char::from(b).to_digit(16)
}
