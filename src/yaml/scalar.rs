//! Scanning of scalars: plain, quoted, literal and folded. The second half of go-yaml's `scannerc.go`.
//!
//! A scalar without escapes and line folds is a slice of the text; anything else is put together in a buffer.

use std::borrow::Cow;

use super::scanner::{Kind, Mark, Scan, Scanner, Style, Token, hex};

/// Bytes at which a run of scalar text may end: blanks, breaks (or the first byte of one), and what ends or escapes.
const STOP: [bool; 256] = {
    let mut t = [false; 256];
    let stops = b"\0 \t\r\n:,?[]{}'\"\\\xc2\xe2";
    let mut i = 0;
    while i < stops.len() {
        t[stops[i] as usize] = true;
        i += 1;
    }
    t
};

/// Joins lines as YAML folds them, and forgets the breaks.
fn fold(out: &mut Vec<u8>, leading: &mut &[u8], trailing: &mut Vec<u8>) {
    if leading.first() == Some(&b'\n') {
        if trailing.is_empty() {
            out.push(b' ');
        }
    } else {
        out.extend_from_slice(leading);
    }
    out.append(trailing);
    *leading = b"";
}

impl<'a> Scanner<'a> {
    fn scalar(&self, style: Style, start: Mark, end: Mark, value: Cow<'a, [u8]>) -> Token<'a> {
        Token { style, ..Token::text(Kind::Scalar, start, end, value) }
    }

    fn slice(&self, from: usize, to: usize) -> &'a [u8] {
        self.text.get(from..to).unwrap_or_default()
    }

    pub(super) fn scan_plain_scalar(&mut self) -> Scan<Token<'a>> {
        let indent = self.indent + 1;
        let start = self.mark();
        let mut end = start;
        let begin = self.pos;
        // The text so far, once it is no longer a slice.
        let mut owned: Option<Vec<u8>> = None;
        let mut content_end = begin;
        let (mut leading, mut trailing): (&[u8], Vec<u8>) = (b"", Vec::new());
        let mut leading_blanks = false;
        loop {
            self.want(4);
            if self.document_indicator() || self.at(0) == b'#' {
                break;
            }
            let chunk = self.pos;
            loop {
                let rest = self.rest();
                let n = rest.iter().position(|b| STOP[usize::from(*b)]).unwrap_or(rest.len());
                if n > 0 {
                    self.advance(n);
                }
                if self.is_blankz(0) {
                    break;
                }
                match self.at(0) {
                    b':' if self.is_blankz(1) => break,
                    b',' | b'?' | b'[' | b']' | b'{' | b'}' if self.flow_level > 0 => break,
                    _ => self.skip(),
                }
            }
            if self.pos > chunk {
                if leading_blanks {
                    let out = owned.get_or_insert_with(|| self.slice(begin, content_end).to_vec());
                    fold(out, &mut leading, &mut trailing);
                    leading_blanks = false;
                    out.extend_from_slice(self.slice(chunk, self.pos));
                } else if let Some(out) = &mut owned {
                    // Blanks between words of one line belong to the text.
                    out.extend_from_slice(self.slice(content_end, self.pos));
                }
                content_end = self.pos;
                end = self.mark();
            }
            if !(self.is_blank(0) || self.break_at(0) > 0) {
                break;
            }
            while self.is_blank(0) || self.break_at(0) > 0 {
                if self.is_blank(0) {
                    if leading_blanks && i64::from(self.col) < i64::from(indent) && self.at(0) == b'\t' {
                        return self.fail(start, "found a tab character that violates indentation");
                    }
                    self.skip();
                } else if leading_blanks {
                    trailing.extend_from_slice(self.take_break());
                } else {
                    leading = self.take_break();
                    leading_blanks = true;
                }
            }
            if self.flow_level == 0 && i64::from(self.col) < i64::from(indent) {
                break;
            }
        }
        self.want(1);
        if leading_blanks {
            self.simple_key_allowed = true;
        }
        let value = owned.map_or_else(|| Cow::Borrowed(self.slice(begin, content_end)), Cow::Owned);
        Ok(self.scalar(Style::Plain, start, end, value))
    }

    pub(super) fn scan_flow_scalar(&mut self, single: bool) -> Scan<Token<'a>> {
        let start = self.mark();
        let quote = if single { b'\'' } else { b'"' };
        self.skip();
        let mut out: Vec<u8> = Vec::new();
        let mut rewritten = false;
        // Where the text begins that is not in `out` yet.
        let mut pending = self.pos;
        let (mut leading, mut trailing): (&[u8], Vec<u8>) = (b"", Vec::new());
        loop {
            self.want(4);
            if self.document_indicator() {
                return self.fail(start, "found unexpected document indicator");
            }
            if self.at(0) == 0 {
                return self.fail(start, "found unexpected end of stream");
            }
            let mut leading_blanks = false;
            loop {
                let rest = self.rest();
                let n = rest.iter().position(|b| STOP[usize::from(*b)]).unwrap_or(rest.len());
                if n > 0 {
                    self.advance(n);
                }
                if self.is_blankz(0) {
                    break;
                }
                match self.at(0) {
                    b'\'' if single && self.at(1) == b'\'' => {
                        out.extend_from_slice(self.slice(pending, self.pos + 1));
                        rewritten = true;
                        self.advance(2);
                        pending = self.pos;
                    }
                    b if b == quote => break,
                    b'\\' if !single => {
                        out.extend_from_slice(self.slice(pending, self.pos));
                        rewritten = true;
                        if self.break_at(1) > 0 {
                            self.skip();
                            self.skip_line();
                            pending = self.pos;
                            leading_blanks = true;
                            break;
                        }
                        self.escape(start, &mut out)?;
                        pending = self.pos;
                    }
                    _ => self.skip(),
                }
            }
            self.want(1);
            if self.at(0) == quote {
                break;
            }
            let blanks = self.pos;
            let escaped_break = leading_blanks;
            while self.is_blank(0) || self.break_at(0) > 0 {
                if self.is_blank(0) {
                    self.skip();
                } else if leading_blanks {
                    trailing.extend_from_slice(self.take_break());
                } else {
                    out.extend_from_slice(self.slice(pending, blanks));
                    leading = self.take_break();
                    leading_blanks = true;
                }
            }
            if leading_blanks {
                rewritten = true;
                if escaped_break {
                    leading = b"";
                }
                fold(&mut out, &mut leading, &mut trailing);
                pending = self.pos;
            }
        }
        let value = if rewritten {
            out.extend_from_slice(self.slice(pending, self.pos));
            Cow::Owned(out)
        } else {
            Cow::Borrowed(self.slice(pending, self.pos))
        };
        self.skip();
        let end = self.mark();
        Ok(self.scalar(if single { Style::Single } else { Style::Double }, start, end, value))
    }

    /// Takes a backslash and what follows it.
    fn escape(&mut self, start: Mark, out: &mut Vec<u8>) -> Scan<()> {
        self.want(2);
        let digits = match self.at(1) {
            b'0' => return self.put(out, &[0]),
            b'a' => return self.put(out, &[7]),
            b'b' => return self.put(out, &[8]),
            b't' | b'\t' => return self.put(out, b"\t"),
            b'n' => return self.put(out, b"\n"),
            b'v' => return self.put(out, &[0x0b]),
            b'f' => return self.put(out, &[0x0c]),
            b'r' => return self.put(out, b"\r"),
            b'e' => return self.put(out, &[0x1b]),
            b @ (b' ' | b'"' | b'\'' | b'\\') => return self.put(out, &[b]),
            b'N' => return self.put(out, "\u{85}".as_bytes()),
            b'_' => return self.put(out, "\u{a0}".as_bytes()),
            b'L' => return self.put(out, "\u{2028}".as_bytes()),
            b'P' => return self.put(out, "\u{2029}".as_bytes()),
            b'x' => 2,
            b'u' => 4,
            b'U' => 8,
            _ => return self.fail(start, "found unknown escape character"),
        };
        self.advance(2);
        self.want(digits);
        let mut value = 0_u32;
        for k in 0..digits {
            let Some(d) = hex(self.at(k)) else {
                return self.fail(start, "did not find expected hexdecimal number");
            };
            value = (value << 4) | d;
        }
        let Some(c) = char::from_u32(value) else {
            return self.fail(start, "found invalid Unicode character escape code");
        };
        out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        self.advance(digits);
        Ok(())
    }

    /// Two characters of text stand for these bytes.
    fn put(&mut self, out: &mut Vec<u8>, bytes: &[u8]) -> Scan<()> {
        out.extend_from_slice(bytes);
        self.advance(2);
        Ok(())
    }

    pub(super) fn scan_block_scalar(&mut self, literal: bool) -> Scan<Token<'a>> {
        let start = self.mark();
        self.skip();
        let (mut keep, mut strip, mut increment) = (false, false, 0);
        for _ in 0..2 {
            match self.at(0) {
                b @ (b'+' | b'-') if !keep && !strip => {
                    keep = b == b'+';
                    strip = b == b'-';
                    self.skip();
                }
                b'0' if increment == 0 => return self.fail(start, "found an indentation indicator equal to 0"),
                b @ b'1'..=b'9' if increment == 0 => {
                    increment = i64::from(b - b'0');
                    self.skip();
                }
                _ => break,
            }
        }
        while self.is_blank(0) {
            self.skip();
        }
        if self.comments.is_some() && self.at(0) == b'#' {
            self.line_comment(start);
        }
        self.skip_comment();
        if !self.is_breakz(0) {
            return self.fail(start, "did not find expected comment or line break");
        }
        self.skip_line();
        let mut end = self.mark();
        let mut indent = if increment > 0 { i64::from(self.indent.max(0)) + increment } else { 0 };
        let (mut out, mut leading, mut trailing): (Vec<u8>, &[u8], Vec<u8>) = (Vec::new(), b"", Vec::new());
        self.block_breaks(&mut indent, &mut trailing, start, &mut end)?;
        let mut leading_blank = false;
        while i64::from(self.col) == indent && self.at(0) != 0 {
            let trailing_blank = self.is_blank(0);
            if !literal && leading.first() == Some(&b'\n') && !leading_blank && !trailing_blank {
                if trailing.is_empty() {
                    out.push(b' ');
                }
            } else {
                out.extend_from_slice(leading);
            }
            out.append(&mut trailing);
            leading_blank = self.is_blank(0);
            let line = self.pos;
            while !self.is_breakz(0) {
                let rest = self.rest();
                let n = rest.iter().position(|b| matches!(b, b'\n' | b'\r' | 0xc2 | 0xe2)).unwrap_or(rest.len());
                if n > 0 {
                    self.advance(n);
                } else {
                    self.skip();
                }
            }
            out.extend_from_slice(self.slice(line, self.pos));
            leading = self.take_break();
            self.block_breaks(&mut indent, &mut trailing, start, &mut end)?;
        }
        if !strip {
            out.extend_from_slice(leading);
        }
        if keep {
            out.append(&mut trailing);
        }
        Ok(self.scalar(if literal { Style::Literal } else { Style::Folded }, start, end, Cow::Owned(out)))
    }

    /// Takes empty lines and indentation; finds the indentation if it is not known yet.
    fn block_breaks(&mut self, indent: &mut i64, breaks: &mut Vec<u8>, start: Mark, end: &mut Mark) -> Scan<()> {
        self.want(1);
        *end = self.mark();
        let mut max = 0;
        loop {
            while (*indent == 0 || i64::from(self.col) < *indent) && self.at(0) == b' ' {
                self.pos += 1;
                self.index += 1;
                self.col += 1;
            }
            max = max.max(i64::from(self.col));
            if (*indent == 0 || i64::from(self.col) < *indent) && self.at(0) == b'\t' {
                return self.fail(start, "found a tab character where an indentation space is expected");
            }
            if self.break_at(0) == 0 {
                break;
            }
            breaks.extend_from_slice(self.take_break());
            *end = self.mark();
        }
        self.want(1);
        if *indent == 0 {
            *indent = max.max(i64::from(self.indent) + 1).max(1);
        }
        Ok(())
    }
}
