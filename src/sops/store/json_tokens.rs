//! Go's `json.Decoder.Token`: tokens one by one, with its errors. Unlike a whole parse it does not mind what follows, nor a text that ends early.

use crate::golang::json::{self, Tokens};
use crate::golang::strconv::quote_rune;

/// One token; commas and colons are swallowed, keys are texts.
pub enum Token<'a> {
    Open(u8),
    Close(u8),
    Text(Vec<u8>),
    Number(&'a str),
    Bool(bool),
    Null,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Top,
    ArrayStart,
    ArrayValue,
    ArrayComma,
    ObjectStart,
    ObjectKey,
    ObjectColon,
    ObjectValue,
    ObjectComma,
}

pub struct Reader<'a> {
    text: &'a [u8],
    at: usize,
    state: State,
    stack: Vec<State>,
}

impl<'a> Reader<'a> {
    pub const fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0, state: State::Top, stack: Vec::new() }
    }

    fn peek(&mut self) -> Option<u8> {
        while let Some(b) = self.text.get(self.at) {
            if !matches!(b, b' ' | b'\t' | b'\r' | b'\n') {
                return Some(*b);
            }
            self.at += 1;
        }
        None
    }

    fn unexpected<T>(&self, b: u8) -> Result<T, String> {
        let context = match self.state {
            State::Top | State::ArrayStart | State::ArrayValue | State::ObjectValue => {
                " looking for beginning of value"
            }
            State::ArrayComma => " after array element",
            State::ObjectKey => " looking for beginning of object key string",
            State::ObjectColon => " after object key",
            State::ObjectStart | State::ObjectComma => " after object key:value pair",
        };
        let context =
            if self.state == State::ObjectStart { " looking for beginning of object key string" } else { context };
        Err(format!("invalid character {}{context}", quote_rune(char::from(b))))
    }

    /// After a value.
    fn value_end(&mut self) {
        self.state = match self.state {
            State::ArrayStart | State::ArrayValue => State::ArrayComma,
            State::ObjectValue => State::ObjectComma,
            other => other,
        };
    }

    fn open(&mut self, bracket: u8, inside: State) -> Token<'a> {
        self.at += 1;
        self.stack.push(self.state);
        self.state = inside;
        Token::Open(bracket)
    }

    fn close(&mut self, bracket: u8) -> Token<'a> {
        self.at += 1;
        self.state = self.stack.pop().unwrap_or(State::Top);
        self.value_end();
        Token::Close(bracket)
    }

    /// The next token; `None` at the end of the text.
    ///
    /// # Errors
    /// Go's texts.
    pub fn next(&mut self) -> Result<Option<Token<'a>>, String> {
        loop {
            let Some(b) = self.peek() else { return Ok(None) };
            let takes_value =
                matches!(self.state, State::Top | State::ArrayStart | State::ArrayValue | State::ObjectValue);
            match (b, self.state) {
                (b'[', _) if takes_value => return Ok(Some(self.open(b, State::ArrayStart))),
                (b'{', _) if takes_value => return Ok(Some(self.open(b, State::ObjectStart))),
                (b']', State::ArrayStart | State::ArrayComma) | (b'}', State::ObjectStart | State::ObjectComma) => {
                    return Ok(Some(self.close(b)));
                }
                (b':', State::ObjectColon) => {
                    self.at += 1;
                    self.state = State::ObjectValue;
                }
                (b',', State::ArrayComma) => {
                    self.at += 1;
                    self.state = State::ArrayValue;
                }
                (b',', State::ObjectComma) => {
                    self.at += 1;
                    self.state = State::ObjectKey;
                }
                (b'"', State::ObjectStart | State::ObjectKey) => {
                    let key = self.scalar()?;
                    self.state = State::ObjectColon;
                    return Ok(Some(key));
                }
                (b'[' | b'{' | b']' | b'}' | b':' | b',', _) => return self.unexpected(b),
                _ if !takes_value => return self.unexpected(b),
                _ => {
                    let value = self.scalar()?;
                    self.value_end();
                    return Ok(Some(value));
                }
            }
        }
    }

    fn scalar(&mut self) -> Result<Token<'a>, String> {
        let mut tokens = Tokens::new(self.text.get(self.at..).unwrap_or_default());
        let token = tokens.next_token().map_err(|e| {
            if e.message == "unexpected end of JSON input" { "unexpected EOF".to_owned() } else { e.message }
        })?;
        self.at += tokens.position();
        Ok(match token {
            json::Token::Str(t) => Token::Text(t),
            json::Token::Number(n) => Token::Number(n),
            json::Token::Bool(b) => Token::Bool(b),
            _ => Token::Null,
        })
    }
}
