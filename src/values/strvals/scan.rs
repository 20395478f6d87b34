//! Reads an expression character by character, as Go's `bytes.Buffer.ReadRune` does: a byte that is not UTF-8 is one U+FFFD.

use crate::golang::unicode::{decode_rune, is_space};

/// Why [`Scanner::until`] stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// At this character, which is consumed.
    At(char),
    /// At the end of the text.
    End,
}

pub(super) struct Scanner<'t> {
    rest: &'t [u8],
    /// A backslash takes the next character as it is.
    escapes: bool,
}

impl<'t> Scanner<'t> {
    pub const fn new(text: &'t [u8], escapes: bool) -> Self {
        Self { rest: text, escapes }
    }

    fn peek(&self) -> Option<(char, usize)> {
        (!self.rest.is_empty()).then(|| decode_rune(self.rest))
    }

    fn next(&mut self) -> Option<char> {
        let (c, size) = self.peek()?;
        self.rest = &self.rest[size..];
        Some(c)
    }

    /// The text up to one of the characters in `stops`, without its escaping backslashes.
    pub fn until(&mut self, stops: &str) -> (String, Stop) {
        let mut text = String::new();
        while let Some(c) = self.next() {
            if stops.contains(c) {
                return (text, Stop::At(c));
            }
            if c == '\\' && self.escapes {
                match self.next() {
                    Some(c) => text.push(c),
                    None => break,
                }
            } else {
                text.push(c);
            }
        }
        (text, Stop::End)
    }

    /// Consumes white space up to and with a comma. True: there was nothing else before the comma or the end.
    pub fn blank(&mut self) -> bool {
        while let Some((c, size)) = self.peek() {
            if c != ',' && !is_space(c) {
                return false;
            }
            self.rest = &self.rest[size..];
            if c == ',' {
                return true;
            }
        }
        true
    }

    /// Consumes the character if it is next.
    pub fn accept(&mut self, c: char) -> bool {
        let found = self.peek().filter(|(next, _)| *next == c);
        if let Some((_, size)) = found {
            self.rest = &self.rest[size..];
        }
        found.is_some()
    }

    pub const fn at_end(&self) -> bool {
        self.rest.is_empty()
    }

    /// What was not read yet.
    pub const fn rest(&self) -> &'t [u8] {
        self.rest
    }

    /// Passes over that many bytes.
    pub fn skip(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or_default();
    }
}
