//! From a pattern's text to its tree: the library's `syntax/lexer` and `syntax/ast`.

/// A part of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Node {
    Nothing,
    Pattern(Vec<Self>),
    List { chars: String, not: bool },
    Range { lo: char, hi: char, not: bool },
    Text(String),
    Any,
    Super,
    Single,
    AnyOf(Vec<Self>),
}

#[derive(Debug)]
enum Token {
    End,
    Text(String),
    Any,
    Super,
    Single,
    Not,
    Separator,
    RangeOpen,
    RangeClose,
    RangeLo(char),
    RangeHi(char),
    TermsOpen,
    TermsClose,
}

/// How deep braces may nest; the library knows no limit.
const MAX_DEPTH: usize = 64;

/// The character that the lexer takes for the end, in the text too.
const END: char = '\0';

struct Lexer<'t> {
    data: &'t str,
    at: usize,
    error: Option<&'static str>,
    tokens: std::collections::VecDeque<Token>,
    terms_level: usize,
    last: (char, usize),
    has_rune: bool,
}

impl Lexer<'_> {
    fn next(&mut self) -> Result<Token, String> {
        loop {
            if let Some(e) = self.error {
                return Err(e.into());
            }
            if let Some(token) = self.tokens.pop_front() {
                return Ok(token);
            }
            self.fetch_item();
        }
    }

    fn peek(&mut self) -> (char, usize) {
        match self.data.get(self.at..).and_then(|rest| rest.chars().next()) {
            None => (END, 0),
            Some(char::REPLACEMENT_CHARACTER) => {
                self.error = Some("could not read rune");
                (END, 0)
            }
            Some(c) => (c, c.len_utf8()),
        }
    }

    fn read(&mut self) -> char {
        if self.has_rune {
            self.has_rune = false;
        } else {
            self.last = self.peek();
        }
        self.at += self.last.1;
        self.last.0
    }

    fn unread(&mut self) {
        if self.has_rune {
            self.error = Some("could not unread rune");
            return;
        }
        self.at = self.at.saturating_sub(self.last.1);
        self.has_rune = true;
    }

    fn fetch_item(&mut self) {
        let token = match self.read() {
            END => Token::End,
            '{' => {
                self.terms_level += 1;
                Token::TermsOpen
            }
            ',' if self.terms_level > 0 => Token::Separator,
            '}' if self.terms_level > 0 => {
                self.terms_level -= 1;
                Token::TermsClose
            }
            '[' => {
                self.tokens.push_back(Token::RangeOpen);
                self.fetch_range();
                return;
            }
            '?' => Token::Single,
            '*' => {
                if self.read() == '*' {
                    Token::Super
                } else {
                    self.unread();
                    Token::Any
                }
            }
            _ => {
                self.unread();
                self.fetch_text(if self.terms_level > 0 { "?*[{}," } else { "?*[{" });
                return;
            }
        };
        self.tokens.push_back(token);
    }

    fn fetch_range(&mut self) {
        let (mut want_high, mut want_close, mut seen_not) = (false, false, false);
        loop {
            let c = self.read();
            if c == END {
                self.error = Some("unexpected end of input");
                return;
            }
            if want_close {
                if c == ']' {
                    self.tokens.push_back(Token::RangeClose);
                } else {
                    self.error = Some("expected close range character");
                }
                return;
            }
            if want_high {
                self.tokens.push_back(Token::RangeHi(c));
                want_close = true;
                continue;
            }
            if !seen_not && c == '!' {
                self.tokens.push_back(Token::Not);
                seen_not = true;
                continue;
            }
            let (next, width) = self.peek();
            if next == '-' {
                self.at += width;
                self.tokens.push_back(Token::RangeLo(c));
                want_high = true;
                continue;
            }
            self.unread();
            self.fetch_text("]");
            want_close = true;
        }
    }

    fn fetch_text(&mut self, breakers: &str) {
        let mut text = String::new();
        let mut escaped = false;
        loop {
            let c = self.read();
            if c == END {
                break;
            }
            if !escaped {
                if c == '\\' {
                    escaped = true;
                    continue;
                }
                if breakers.contains(c) {
                    self.unread();
                    break;
                }
            }
            escaped = false;
            text.push(c);
        }
        if !text.is_empty() {
            self.tokens.push_back(Token::Text(text));
        }
    }
}

/// A pattern inside of braces, or the whole one: its alternatives so far, and the parts of the one being read.
#[derive(Default)]
struct Open {
    alternatives: Vec<Node>,
    parts: Vec<Node>,
}

impl Open {
    fn close(mut self) -> Node {
        self.alternatives.push(Node::Pattern(self.parts));
        Node::AnyOf(self.alternatives)
    }
}

/// Parses a pattern.
pub(super) fn parse(pattern: &str) -> Result<Node, String> {
    let mut lexer = Lexer {
        data: pattern,
        at: 0,
        error: None,
        tokens: std::collections::VecDeque::new(),
        terms_level: 0,
        last: (END, 0),
        has_rune: false,
    };
    let mut outer: Vec<Open> = Vec::new();
    let mut open = Open::default();
    loop {
        let node = match lexer.next()? {
            Token::End => break,
            Token::Text(text) => Node::Text(text),
            Token::Any => Node::Any,
            Token::Super => Node::Super,
            Token::Single => Node::Single,
            Token::RangeOpen => range(&mut lexer)?,
            Token::TermsOpen => {
                if outer.len() >= MAX_DEPTH {
                    return Err(format!("a pattern of more than {MAX_DEPTH} braces in each other is not supported"));
                }
                outer.push(std::mem::take(&mut open));
                continue;
            }
            Token::Separator => {
                let parts = std::mem::take(&mut open.parts);
                open.alternatives.push(Node::Pattern(parts));
                continue;
            }
            Token::TermsClose => {
                let around = outer.pop().ok_or("unexpected token: }")?;
                std::mem::replace(&mut open, around).close()
            }
            token => return Err(format!("unexpected token: {token:?}")),
        };
        open.parts.push(node);
    }
    // Braces that are still open end here.
    while let Some(around) = outer.pop() {
        let inner = std::mem::replace(&mut open, around).close();
        open.parts.push(inner);
    }
    Ok(Node::Pattern(open.parts))
}

fn range(lexer: &mut Lexer) -> Result<Node, String> {
    let (mut not, mut lo, mut hi, mut chars) = (false, END, END, String::new());
    loop {
        match lexer.next()? {
            Token::End => return Err("unexpected end".into()),
            Token::Not => not = true,
            Token::RangeLo(c) => lo = c,
            Token::RangeHi(c) => {
                hi = c;
                if hi < lo {
                    return Err(format!("hi character '{hi}' should be greater than lo '{lo}'"));
                }
            }
            Token::Text(text) => chars = text,
            Token::RangeClose => {
                let is_range = lo != END && hi != END;
                if is_range != chars.is_empty() {
                    return Err("could not parse range".into());
                }
                return Ok(if is_range { Node::Range { lo, hi, not } } else { Node::List { chars, not } });
            }
            _ => {}
        }
    }
}
