//! `encoding/json` into Go structs: what `Unmarshal` takes, in which order it complains, and with which words.
//!
//! Go checks the whole text first. Then it fills the struct in the text's order: names match exactly or without regard to case, unknown ones
//! are passed over, a field that comes twice is filled twice, and a value of the wrong type is noted (the first one is the error) while the
//! rest goes on. An error of a type's own `UnmarshalJSON` ends it at once. Source: Go 1.26 `encoding/json/decode.go`.

use std::ops::Range;

use super::{Token, Tokens};

/// Why a text did not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// Go's `*UnmarshalTypeError`; structs around it add their field.
    Type { value: String, structure: String, field: String, go_type: String },
    /// Any other text.
    Text(String),
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Type { value, structure, field, go_type } if structure.is_empty() && field.is_empty() => {
                write!(f, "json: cannot unmarshal {value} into Go value of type {go_type}")
            }
            Self::Type { value, structure, field, go_type } => {
                write!(f, "json: cannot unmarshal {value} into Go struct field {structure}.{field} of type {go_type}")
            }
        }
    }
}

impl std::error::Error for Error {}

pub type Step<T = ()> = Result<T, Error>;

/// Fills structs from a text.
pub struct Decoder<'a> {
    text: &'a [u8],
    tokens: Tokens<'a>,
    saved: Option<Error>,
    structure: &'static str,
    path: Vec<&'static str>,
}

/// Decodes a text with `read`, which gets the first token.
///
/// # Errors
/// As `json.Unmarshal`: what is wrong with the text itself comes before what does not fit.
pub fn decode<'a>(text: &'a [u8], read: impl FnOnce(&mut Decoder<'a>, Token<'a>) -> Step) -> Step {
    let mut d = Decoder { text, tokens: Tokens::new(text), saved: None, structure: "", path: Vec::new() };
    let result = d.run(read);
    if let Err(e) = result {
        // Only then is a look at the whole text worth its time.
        let mut tokens = Tokens::new(text);
        loop {
            match tokens.next_token() {
                Ok(Token::End) => return Err(e),
                Ok(_) => {}
                Err(syntax) => return Err(Error::Text(syntax.message)),
            }
        }
    }
    Ok(())
}

impl<'a> Decoder<'a> {
    fn run(&mut self, read: impl FnOnce(&mut Self, Token<'a>) -> Step) -> Step {
        let first = self.token()?;
        read(self, first).map_err(|e| self.in_context(e))?;
        self.token()?;
        self.saved.take().map_or(Ok(()), Err)
    }

    /// The next token.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn token(&mut self) -> Step<Token<'a>> {
        self.tokens.next_token().map_err(|e| Error::Text(e.message))
    }

    /// The text of the next value, which is passed over. To be called behind a member's name.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn raw(&mut self) -> Step<&'a [u8]> {
        let Range { start, end } = self.tokens.skip_value().map_err(|e| Error::Text(e.message))?;
        Ok(self.text.get(start..end).unwrap_or_default())
    }

    fn in_context(&self, e: Error) -> Error {
        match e {
            Error::Type { value, field, go_type, .. } if !self.structure.is_empty() || !self.path.is_empty() => {
                let mut path: Vec<&str> = self.path.clone();
                if !field.is_empty() {
                    path.push(&field);
                }
                Error::Type { value, structure: self.structure.into(), field: path.join("."), go_type }
            }
            other => other,
        }
    }

    /// Notes an error; the first counts.
    pub fn save(&mut self, e: Error) {
        if self.saved.is_none() {
            self.saved = Some(self.in_context(e));
        }
    }

    /// Notes that a value is of the wrong type, and passes over the rest of it. `null` fits everything.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn mismatch(&mut self, token: &Token<'a>, go_type: &str) -> Step {
        let value = match token {
            Token::BeginObject => "object",
            Token::BeginArray => "array",
            Token::Str(_) => "string",
            Token::Number(_) => "number",
            Token::Bool(_) => "bool",
            _ => return Ok(()),
        };
        self.save(mismatch(value, go_type));
        if matches!(token, Token::BeginObject | Token::BeginArray) {
            self.tokens.skip_open().map_err(|e| Error::Text(e.message))?;
        }
        Ok(())
    }

    /// A struct: calls `field` behind the name of each known field. True if there was an object.
    ///
    /// # Errors
    /// What is wrong with the text, and what `field` says.
    pub fn structure(
        &mut self,
        token: &Token<'a>,
        (name, go_type): (&'static str, &str),
        names: &[&'static str],
        mut field: impl FnMut(&mut Self, &'static str) -> Step,
    ) -> Step<bool> {
        if *token != Token::BeginObject {
            self.mismatch(token, go_type)?;
            return Ok(false);
        }
        let outer = std::mem::replace(&mut self.structure, name);
        while let Token::Key(key) = self.token()? {
            let Some(known) = find(names, &key) else {
                self.raw()?;
                continue;
            };
            self.path.push(known);
            field(self, known)?;
            self.path.pop();
            self.structure = name;
        }
        self.structure = outer;
        Ok(true)
    }

    /// `string`, or a named type of it.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn string(&mut self, token: Token<'a>, go_type: &str, out: &mut String) -> Step {
        match token {
            Token::Str(s) => *out = text(s),
            other => self.mismatch(&other, go_type)?,
        }
        Ok(())
    }

    /// `int`.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn int(&mut self, token: &Token<'a>, out: &mut i64) -> Step {
        match token {
            Token::Number(n) => match n.parse() {
                Ok(n) => *out = n,
                Err(_) => self.save(mismatch(&format!("number {n}"), "int")),
            },
            other => self.mismatch(other, "int")?,
        }
        Ok(())
    }

    /// `bool`.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn boolean(&mut self, token: &Token<'a>, out: &mut bool) -> Step {
        match token {
            Token::Bool(b) => *out = *b,
            other => self.mismatch(other, "bool")?,
        }
        Ok(())
    }

    /// A slice; elements are filled over those that were there.
    ///
    /// # Errors
    /// What is wrong with the text, and what `each` says.
    pub fn list<T: Default>(
        &mut self,
        token: &Token<'a>,
        go_type: &str,
        out: &mut Option<Vec<T>>,
        mut each: impl FnMut(&mut Self, Token<'a>, &mut T) -> Step,
    ) -> Step {
        match token {
            Token::Null => *out = None,
            Token::BeginArray => {
                let list = out.get_or_insert_default();
                let mut n = 0;
                loop {
                    let token = self.token()?;
                    if token == Token::EndArray {
                        break;
                    }
                    if list.len() <= n {
                        list.push(T::default());
                    }
                    if let Some(slot) = list.get_mut(n) {
                        each(self, token, slot)?;
                    }
                    n += 1;
                }
                list.truncate(n);
            }
            other => self.mismatch(other, go_type)?,
        }
        Ok(())
    }

    /// A map: calls `each` with every name and its value.
    ///
    /// # Errors
    /// What is wrong with the text, and what `each` says.
    pub fn map<M: Default>(
        &mut self,
        token: &Token<'a>,
        go_type: &str,
        out: &mut Option<M>,
        mut each: impl FnMut(&mut Self, Vec<u8>, Token<'a>, &mut M) -> Step,
    ) -> Step {
        match token {
            Token::Null => *out = None,
            Token::BeginObject => {
                let map = out.get_or_insert_default();
                while let Token::Key(key) = self.token()? {
                    let token = self.token()?;
                    each(self, key, token, map)?;
                }
            }
            other => self.mismatch(other, go_type)?,
        }
        Ok(())
    }

    /// `[]byte`: base64 in a string, or a list of numbers.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn bytes(&mut self, token: &Token<'a>, out: &mut Option<Vec<u8>>) -> Step {
        match token {
            Token::Str(s) => match crate::golang::base64::decode(s) {
                Ok(bytes) => *out = Some(bytes),
                Err(at) => self.save(Error::Text(format!("illegal base64 data at input byte {at}"))),
            },
            other => self.list(other, "[]uint8", out, |d, token, slot| {
                match token {
                    Token::Number(n) => match n.parse() {
                        Ok(n) => *slot = n,
                        Err(_) => d.save(mismatch(&format!("number {n}"), "uint8")),
                    },
                    other => d.mismatch(&other, "uint8")?,
                }
                Ok(())
            })?,
        }
        Ok(())
    }
}

/// Go's `*UnmarshalTypeError`, as yet without a place.
pub fn mismatch(value: &str, go_type: &str) -> Error {
    Error::Type { value: value.into(), structure: String::new(), field: String::new(), go_type: go_type.into() }
}

/// A token's text, in which invalid bytes have been replaced already.
pub fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned())
}

/// The field of that name: exactly, else by Go's folding (ASCII, and the two letters that fold into it).
pub fn find(names: &[&'static str], key: &[u8]) -> Option<&'static str> {
    if let Some(name) = names.iter().find(|n| n.as_bytes() == key) {
        return Some(name);
    }
    let key = String::from_utf8_lossy(key);
    let folded = key.chars().map(|c| match c {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        c => c.to_ascii_lowercase(),
    });
    names.iter().find(|n| n.chars().map(|c| c.to_ascii_lowercase()).eq(folded.clone())).copied()
}
