//! The parts of Go's `encoding/json` that need no values: how strings and floats are written, and a tokenizer that fails where
//! and how Go's scanner fails.
//!
//! The reference is Go 1.26 without the `jsonv2` experiment.

pub mod structs;

use super::strconv::{format_float, quote_rune};
use super::unicode::{decode_rune, push_rune};

/// Containers may be nested this deep in a text.
pub const MAX_DEPTH: usize = 10_000;

/// Appends a string with its quotes. Invalid bytes become `\ufffd`, U+2028 and U+2029 are escaped always, `<`, `>` and `&` if
/// `html`.
pub fn escape_string(s: &[u8], html: bool, out: &mut Vec<u8>) {
    out.push(b'"');
    let (mut start, mut i) = (0, 0);
    while i < s.len() {
        let b = s[i];
        let (c, width) = if b < 0x80 { (b as char, 1) } else { decode_rune(&s[i..]) };
        let plain = match c {
            '"' | '\\' | '\0'..='\x1f' | '\u{2028}' | '\u{2029}' => false,
            '<' | '>' | '&' => !html,
            char::REPLACEMENT_CHARACTER => width > 1,
            _ => true,
        };
        if !plain {
            out.extend_from_slice(&s[start..i]);
            start = i + width;
            match c {
                '"' | '\\' => out.extend_from_slice(&[b'\\', b]),
                '\x08' => out.extend_from_slice(b"\\b"),
                '\x0c' => out.extend_from_slice(b"\\f"),
                '\n' => out.extend_from_slice(b"\\n"),
                '\r' => out.extend_from_slice(b"\\r"),
                '\t' => out.extend_from_slice(b"\\t"),
                _ => out.extend_from_slice(format!("\\u{:04x}", c as u32).as_bytes()),
            }
        }
        i += width;
    }
    out.extend_from_slice(&s[start..]);
    out.push(b'"');
}

/// A finite float64: plain digits from 1e-6 up to 1e21, else an exponent without leading zero.
pub fn float(f: f64) -> String {
    let abs = f.abs();
    if abs == 0.0 || (1e-6..1e21).contains(&abs) {
        return format_float(f, b'f', -1, 64);
    }
    let text = format_float(f, b'e', -1, 64);
    match text.split_once("e-0") {
        Some((digits, exponent)) => format!("{digits}e-{exponent}"),
        None => text,
    }
}

/// Compact JSON with its members on lines of their own, two spaces deeper each; Go's `json.Indent`.
pub fn indent(compact: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(compact.len() * 2);
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    let line = |out: &mut Vec<u8>, depth: usize| {
        out.push(b'\n');
        out.resize(out.len() + 2 * depth, b' ');
    };
    for (i, b) in compact.iter().copied().enumerate() {
        if in_string {
            out.push(b);
            in_string = escaped || b != b'"';
            escaped = !escaped && b == b'\\';
            continue;
        }
        match b {
            b'{' | b'[' => {
                out.push(b);
                // What is empty stays on its line.
                if !matches!(compact.get(i + 1), Some(b'}' | b']')) {
                    depth += 1;
                    line(&mut out, depth);
                }
            }
            b'}' | b']' => {
                if !matches!(i.checked_sub(1).and_then(|i| compact.get(i)), Some(b'{' | b'[')) {
                    depth = depth.saturating_sub(1);
                    line(&mut out, depth);
                }
                out.push(b);
            }
            b',' => {
                out.push(b);
                line(&mut out, depth);
            }
            b':' => out.extend_from_slice(b": "),
            b => {
                in_string = b == b'"';
                out.push(b);
            }
        }
    }
    out
}

/// A text that is not JSON. Prints as Go's `*json.SyntaxError`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    pub message: String,
    /// How many bytes were read, the bad one included.
    pub offset: usize,
}

impl std::fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}
impl std::error::Error for SyntaxError {}

/// One token. Commas and colons are checked and swallowed.
#[derive(Clone, Debug, PartialEq)]
pub enum Token<'a> {
    BeginObject,
    EndObject,
    BeginArray,
    EndArray,
    /// A member's name; its value follows.
    Key(Vec<u8>),
    Str(Vec<u8>),
    /// The number's text.
    Number(&'a str),
    Bool(bool),
    Null,
    /// The value is complete and nothing but space follows.
    End,
}

/// What may come next.
#[derive(Clone, Copy, PartialEq)]
enum Expect {
    Value,
    /// After `[`.
    ValueOrEnd,
    /// After `{`.
    KeyOrEnd,
    /// After a value inside a container, or at the top.
    AfterValue,
}

/// Reads tokens off a text.
pub struct Tokens<'a> {
    text: &'a [u8],
    at: usize,
    expect: Expect,
    /// The containers that are open; true for objects.
    open: Vec<bool>,
}

impl<'a> Tokens<'a> {
    pub const fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0, expect: Expect::Value, open: Vec::new() }
    }

    /// How many bytes the tokens so far took.
    pub const fn position(&self) -> usize {
        self.at
    }

    /// Passes over the value that begins here, as an object's member does, and says where its text lies. Cheaper than reading its tokens.
    ///
    /// # Errors
    /// As [`Tokens::next_token`].
    pub fn skip_value(&mut self) -> Result<std::ops::Range<usize>, SyntaxError> {
        self.skip_space();
        let start = self.at;
        if self.peek() == b'"' && self.expect == Expect::Value {
            self.skip_string()?;
            self.expect = Expect::AfterValue;
        } else if matches!(self.next_token()?, Token::BeginObject | Token::BeginArray) {
            self.skip_open()?;
        }
        Ok(start..self.at)
    }

    /// Passes over the rest of the innermost open container, its end included.
    ///
    /// # Errors
    /// As [`Tokens::next_token`].
    pub fn skip_open(&mut self) -> Result<(), SyntaxError> {
        let depth = self.open.len();
        while self.open.len() >= depth && depth > 0 {
            self.skip_space();
            if self.expect == Expect::Value && self.peek() == b'"' {
                self.skip_string()?;
                self.expect = Expect::AfterValue;
            } else {
                self.next_token()?;
            }
        }
        Ok(())
    }

    fn skip_string(&mut self) -> Result<(), SyntaxError> {
        self.at += 1;
        loop {
            let rest = self.text.get(self.at..).unwrap_or_default();
            match rest.iter().position(|b| matches!(b, b'"' | b'\\' | 0..=0x1f)) {
                Some(n) => self.at += n,
                None => return self.unexpected_end(),
            }
            match self.peek() {
                b'"' => {
                    self.at += 1;
                    return Ok(());
                }
                b'\\' => self.escape(&mut Vec::new())?,
                _ => return self.error("in string literal"),
            }
        }
    }

    /// The next byte. At the end Go feeds its scanner a space, and says so if that does not fit.
    fn peek(&self) -> u8 {
        self.text.get(self.at).copied().unwrap_or(b' ')
    }

    fn error<T>(&self, context: &str) -> Result<T, SyntaxError> {
        self.error_at(self.at, context)
    }

    fn error_at<T>(&self, at: usize, context: &str) -> Result<T, SyntaxError> {
        let c = self.text.get(at).copied().unwrap_or(b' ');
        let message = format!("invalid character {} {context}", quote_rune(c as char));
        Err(SyntaxError { message, offset: (at + 1).min(self.text.len()) })
    }

    fn unexpected_end<T>(&self) -> Result<T, SyntaxError> {
        Err(SyntaxError { message: "unexpected end of JSON input".into(), offset: self.text.len() })
    }

    fn skip_space(&mut self) {
        while matches!(self.text.get(self.at), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    /// The next token; after [`Token::End`] always that.
    pub fn next_token(&mut self) -> Result<Token<'a>, SyntaxError> {
        self.skip_space();
        let ended = self.at >= self.text.len();
        if self.expect == Expect::AfterValue {
            let c = self.peek();
            match self.open.last() {
                None if ended => return Ok(Token::End),
                None => return self.error("after top-level value"),
                _ if ended => return self.unexpected_end(),
                Some(true) => match c {
                    b',' => {
                        self.at += 1;
                        return self.key();
                    }
                    b'}' => return Ok(self.close(Token::EndObject)),
                    _ => return self.error("after object key:value pair"),
                },
                Some(false) => match c {
                    b',' => {
                        self.at += 1;
                        self.expect = Expect::Value;
                        self.skip_space();
                    }
                    b']' => return Ok(self.close(Token::EndArray)),
                    _ => return self.error("after array element"),
                },
            }
        } else if ended {
            return self.unexpected_end();
        } else if self.expect == Expect::KeyOrEnd {
            return if self.peek() == b'}' { Ok(self.close(Token::EndObject)) } else { self.key() };
        } else if self.expect == Expect::ValueOrEnd && self.peek() == b']' {
            return Ok(self.close(Token::EndArray));
        }
        self.value()
    }

    fn close(&mut self, token: Token<'a>) -> Token<'a> {
        self.at += 1;
        self.open.pop();
        self.expect = Expect::AfterValue;
        token
    }

    fn open(&mut self, object: bool) -> Result<Token<'a>, SyntaxError> {
        if self.open.len() >= MAX_DEPTH {
            return self.error("exceeded max depth");
        }
        self.at += 1;
        self.open.push(object);
        self.expect = if object { Expect::KeyOrEnd } else { Expect::ValueOrEnd };
        Ok(if object { Token::BeginObject } else { Token::BeginArray })
    }

    fn key(&mut self) -> Result<Token<'a>, SyntaxError> {
        self.skip_space();
        if self.at >= self.text.len() {
            return self.unexpected_end();
        }
        if self.peek() != b'"' {
            return self.error("looking for beginning of object key string");
        }
        let key = self.string()?;
        self.skip_space();
        if self.at >= self.text.len() {
            return self.unexpected_end();
        }
        if self.peek() != b':' {
            return self.error("after object key");
        }
        self.at += 1;
        self.expect = Expect::Value;
        Ok(Token::Key(key))
    }

    fn value(&mut self) -> Result<Token<'a>, SyntaxError> {
        if self.at >= self.text.len() {
            return self.unexpected_end();
        }
        let token = match self.peek() {
            b'{' => return self.open(true),
            b'[' => return self.open(false),
            b'"' => Token::Str(self.string()?),
            b'-' | b'0'..=b'9' => Token::Number(self.number()?),
            b't' => self.word("true", Token::Bool(true))?,
            b'f' => self.word("false", Token::Bool(false))?,
            b'n' => self.word("null", Token::Null)?,
            _ => return self.error("looking for beginning of value"),
        };
        self.expect = Expect::AfterValue;
        Ok(token)
    }

    fn word(&mut self, word: &str, token: Token<'a>) -> Result<Token<'a>, SyntaxError> {
        for (i, want) in word.bytes().enumerate() {
            if self.peek() != want || self.at >= self.text.len() {
                debug_assert!(i > 0, "the caller has seen the first letter");
                return self.error(&format!("in literal {word} (expecting {})", quote_rune(want as char)));
            }
            self.at += 1;
        }
        Ok(token)
    }

    fn digits(&mut self) {
        while self.peek().is_ascii_digit() {
            self.at += 1;
        }
    }

    fn number(&mut self) -> Result<&'a str, SyntaxError> {
        let start = self.at;
        if self.peek() == b'-' {
            self.at += 1;
        }
        match self.peek() {
            b'0' => self.at += 1,
            b'1'..=b'9' => self.digits(),
            _ => return self.error("in numeric literal"),
        }
        if self.peek() == b'.' {
            self.at += 1;
            if !self.peek().is_ascii_digit() {
                return self.error("after decimal point in numeric literal");
            }
            self.digits();
        }
        if matches!(self.peek(), b'e' | b'E') {
            self.at += 1;
            if matches!(self.peek(), b'+' | b'-') {
                self.at += 1;
            }
            if !self.peek().is_ascii_digit() {
                return self.error("in exponent of numeric literal");
            }
            self.digits();
        }
        // Only ASCII was accepted.
        Ok(std::str::from_utf8(&self.text[start..self.at]).unwrap_or_default())
    }

    fn string(&mut self) -> Result<Vec<u8>, SyntaxError> {
        self.at += 1;
        let mut out = Vec::new();
        loop {
            let rest = &self.text[self.at..];
            let Some(&c) = rest.first() else { return self.unexpected_end() };
            match c {
                b'"' => {
                    self.at += 1;
                    return Ok(out);
                }
                b'\\' => self.escape(&mut out)?,
                0..=0x1f => return self.error("in string literal"),
                0x20..=0x7f => {
                    // Runs of plain text in one piece.
                    let plain = |b: &u8| !matches!(b, b'"' | b'\\' | 0..=0x1f | 0x80..);
                    let n = rest.iter().take_while(|b| plain(b)).count();
                    out.extend_from_slice(&rest[..n]);
                    self.at += n;
                }
                _ => {
                    let (c, width) = decode_rune(rest);
                    push_rune(&mut out, c);
                    self.at += width;
                }
            }
        }
    }

    fn escape(&mut self, out: &mut Vec<u8>) -> Result<(), SyntaxError> {
        self.at += 1;
        let plain = match self.peek() {
            c @ (b'"' | b'\\' | b'/') => c,
            b'b' => 0x08,
            b'f' => 0x0c,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                let unit = self.hex4()?;
                // The second half of a surrogate pair, if it follows at once.
                let c = if (0xd800..0xdc00).contains(&unit) && self.text[self.at..].starts_with(b"\\u") {
                    let before = self.at;
                    self.at += 1;
                    let low = self.hex4()?;
                    if !(0xdc00..0xe000).contains(&low) {
                        self.at = before;
                    }
                    char::decode_utf16([unit, low]).next().and_then(Result::ok)
                } else {
                    char::from_u32(u32::from(unit))
                };
                push_rune(out, c.unwrap_or(char::REPLACEMENT_CHARACTER));
                return Ok(());
            }
            _ => return self.error("in string escape code"),
        };
        out.push(plain);
        self.at += 1;
        Ok(())
    }

    /// The four digits of `uXXXX`, with `at` on the `u`; leaves `at` behind them.
    fn hex4(&mut self) -> Result<u16, SyntaxError> {
        let mut unit = 0;
        for i in 1..=4 {
            let c = self.text.get(self.at + i).copied().unwrap_or(b' ');
            let Some(d) = (c as char).to_digit(16) else {
                return self.error_at(self.at + i, "in \\u hexadecimal character escape");
            };
            unit = unit << 4 | d as u16;
        }
        self.at += 5;
        Ok(unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn escaped(s: &[u8], html: bool) -> String {
        let mut out = Vec::new();
        escape_string(s, html, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn escapes() {
        let s = "a\"\\\n\t\x08\x0c\r\x01\x7f<>&é\u{2028}'";
        assert_eq!(
            escaped(s.as_bytes(), true),
            "\"a\\\"\\\\\\n\\t\\b\\f\\r\\u0001\x7f\\u003c\\u003e\\u0026é\\u2028'\""
        );
        assert_eq!(escaped(b"<\xff>", false), r#""<\ufffd>""#);
        assert_eq!(escaped("\u{fffd}".as_bytes(), true), "\"\u{fffd}\"");
    }

    #[test]
    fn writes_floats() {
        for (f, want) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1e20, "100000000000000000000"),
            (1e21, "1e+21"),
            (1e-6, "0.000001"),
            (1e-7, "1e-7"),
            (1.5e-10, "1.5e-10"),
            (1e100, "1e+100"),
            (5e-324, "5e-324"),
            (9_007_199_254_740_993.0, "9007199254740992"),
        ] {
            assert_eq!(float(f), want);
        }
    }

    fn all(text: &[u8]) -> Result<Vec<Token<'_>>, String> {
        let mut tokens = Tokens::new(text);
        let mut out = Vec::new();
        loop {
            match tokens.next_token().map_err(|e| e.to_string())? {
                Token::End => return Ok(out),
                t => out.push(t),
            }
        }
    }

    #[test]
    fn reads_strings() {
        for (text, want) in [
            (&br#""a\u00e9\n\/\"""#[..], "aé\n/\""),
            (br#""\ud83d\ude00""#, "😀"),
            (br#""\ud83dx""#, "\u{fffd}x"),
            (br#""\ud83d\u0041""#, "\u{fffd}A"),
            (br#""\ude00\ud83d""#, "\u{fffd}\u{fffd}"),
            (br#""\ud83d\ud83d\ude00""#, "\u{fffd}😀"),
            (b"\"\xffa\"", "\u{fffd}a"),
        ] {
            assert_eq!(all(text), Ok(vec![Token::Str(want.into())]));
        }
    }

    #[test]
    fn fails_as_go() {
        for (text, want) in [
            ("", "unexpected end of JSON input"),
            ("  ", "unexpected end of JSON input"),
            ("{", "unexpected end of JSON input"),
            ("[1", "unexpected end of JSON input"),
            ("[1,", "unexpected end of JSON input"),
            ("\"a", "unexpected end of JSON input"),
            ("{\"a\"", "unexpected end of JSON input"),
            ("{\"a\":", "unexpected end of JSON input"),
            ("x", "invalid character 'x' looking for beginning of value"),
            ("'", "invalid character '\\'' looking for beginning of value"),
            ("é", "invalid character 'Ã' looking for beginning of value"),
            ("\x01", "invalid character '\\x01' looking for beginning of value"),
            ("[1,]", "invalid character ']' looking for beginning of value"),
            ("[,]", "invalid character ',' looking for beginning of value"),
            ("[1 2]", "invalid character '2' after array element"),
            ("{a}", "invalid character 'a' looking for beginning of object key string"),
            ("{\"a\":1,}", "invalid character '}' looking for beginning of object key string"),
            ("{\"a\" 1}", "invalid character '1' after object key"),
            ("{\"a\":1 \"b\"}", "invalid character '\"' after object key:value pair"),
            ("1 2", "invalid character '2' after top-level value"),
            ("01", "invalid character '1' after top-level value"),
            ("-", "invalid character ' ' in numeric literal"),
            ("1.", "invalid character ' ' after decimal point in numeric literal"),
            ("1e+", "invalid character ' ' in exponent of numeric literal"),
            ("1ex", "invalid character 'x' in exponent of numeric literal"),
            ("tru", "invalid character ' ' in literal true (expecting 'e')"),
            ("nul1", "invalid character '1' in literal null (expecting 'l')"),
            ("\"\\c\"", "invalid character 'c' in string escape code"),
            ("\"\\u12g4\"", "invalid character 'g' in \\u hexadecimal character escape"),
            ("\"\\ud83d\\u12\"", "invalid character '\"' in \\u hexadecimal character escape"),
            ("\"\n\"", "invalid character '\\n' in string literal"),
        ] {
            assert_eq!(all(text.as_bytes()), Err(want.into()), "{text}");
        }
        let deep = "[".repeat(10_001);
        assert_eq!(all(deep.as_bytes()), Err("invalid character '[' exceeded max depth".into()));
        let fits = "[".repeat(10_000) + &"]".repeat(10_000);
        assert_eq!(all(fits.as_bytes()).map(|t| t.len()), Ok(20_000));
    }
}
