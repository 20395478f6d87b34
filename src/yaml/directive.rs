//! Scanning of what begins with `%` and `!`: directives and tags. A third part of go-yaml's `scannerc.go`.

use std::borrow::Cow;

use super::scanner::{Kind, Mark, Scan, Scanner, Style, Token, hex, is_alpha};

impl Scanner<'_> {
    pub(super) fn fetch_directive(&mut self) -> Scan<()> {
        self.unroll_indent(-1, self.mark());
        self.remove_simple_key()?;
        self.simple_key_allowed = false;
        let start = self.mark();
        self.skip();
        let name = self.read_alpha();
        if name.is_empty() {
            return self.fail(start, "could not find expected directive name");
        }
        if !self.is_blankz(0) {
            return self.fail(start, "found unexpected non-alphabetical character");
        }
        let token = match name {
            b"YAML" => {
                self.skip_blanks();
                let major = self.version_number(start)?;
                if self.at(0) != b'.' {
                    return self.fail(start, "did not find expected digit or '.' character");
                }
                self.skip();
                let minor = self.version_number(start)?;
                Token::plain(Kind::Version(major, minor), start, self.mark())
            }
            b"TAG" => {
                self.skip_blanks();
                let handle = self.tag_handle(true, start)?;
                if !self.is_blank(0) {
                    return self.fail(start, "did not find expected whitespace");
                }
                self.skip_blanks();
                let prefix = self.tag_uri(b"", start)?;
                if !self.is_blankz(0) {
                    return self.fail(start, "did not find expected whitespace or line break");
                }
                let end = self.mark();
                Token {
                    kind: Kind::TagDirective,
                    style: Style::Plain,
                    start,
                    end,
                    value: Cow::Owned(handle),
                    suffix: Cow::Owned(prefix),
                }
            }
            _ => return self.fail(start, "found unknown directive name"),
        };
        self.skip_blanks();
        self.skip_comment();
        if !self.is_breakz(0) {
            return self.fail(start, "did not find expected comment or line break");
        }
        self.skip_line();
        self.push(token);
        Ok(())
    }

    fn version_number(&mut self, start: Mark) -> Scan<u8> {
        let (mut value, mut length) = (0, 0);
        while self.at(0).is_ascii_digit() {
            length += 1;
            if length > 2 {
                return self.fail(start, "found extremely long version number");
            }
            value = value * 10 + (self.at(0) - b'0');
            self.skip();
        }
        if length == 0 {
            return self.fail(start, "did not find expected version number");
        }
        Ok(value)
    }

    pub(super) fn fetch_tag(&mut self) -> Scan<()> {
        self.save_simple_key()?;
        self.simple_key_allowed = false;
        let start = self.mark();
        let (handle, suffix);
        if self.at(1) == b'<' {
            self.advance(2);
            handle = Vec::new();
            suffix = self.tag_uri(b"", start)?;
            if self.at(0) != b'>' {
                return self.fail(start, "did not find the expected '>'");
            }
            self.skip();
        } else {
            let h = self.tag_handle(false, start)?;
            if h.len() > 1 && h.ends_with(b"!") {
                suffix = self.tag_uri(b"", start)?;
                handle = h;
            } else {
                let s = self.tag_uri(&h, start)?;
                // The tag `!` alone stands in the suffix.
                (handle, suffix) = if s.is_empty() { (s, b"!".to_vec()) } else { (b"!".to_vec(), s) };
            }
        }
        if !self.is_blankz(0) {
            return self.fail(start, "did not find expected whitespace or line break");
        }
        let end = self.mark();
        self.push(Token {
            kind: Kind::Tag,
            style: Style::Plain,
            start,
            end,
            value: Cow::Owned(handle),
            suffix: Cow::Owned(suffix),
        });
        Ok(())
    }

    fn tag_handle(&mut self, directive: bool, start: Mark) -> Scan<Vec<u8>> {
        if self.at(0) != b'!' {
            return self.fail(start, "did not find expected '!'");
        }
        self.skip();
        let mut handle = b"!".to_vec();
        handle.extend_from_slice(self.read_alpha());
        if self.at(0) == b'!' {
            self.skip();
            handle.push(b'!');
        } else if directive && handle != b"!" {
            return self.fail(start, "did not find expected '!'");
        }
        Ok(handle)
    }

    fn tag_uri(&mut self, head: &[u8], start: Mark) -> Scan<Vec<u8>> {
        let mut uri = head.get(1..).unwrap_or_default().to_vec();
        let mut any = !head.is_empty();
        loop {
            match self.at(0) {
                b'%' => self.uri_escapes(start, &mut uri)?,
                b if is_alpha(b) || b";/?:@&=+$,.!~*'()[]".contains(&b) => {
                    uri.push(b);
                    self.skip();
                }
                _ => break,
            }
            any = true;
        }
        self.want(1);
        if !any {
            return self.fail(start, "did not find expected tag URI");
        }
        Ok(uri)
    }

    fn uri_escapes(&mut self, start: Mark, out: &mut Vec<u8>) -> Scan<()> {
        let mut left = None;
        loop {
            self.want(3);
            let digits = (self.at(0) == b'%').then(|| (hex(self.at(1)), hex(self.at(2))));
            let Some((Some(high), Some(low))) = digits else {
                return self.fail(start, "did not find URI escaped octet");
            };
            let octet = (high << 4 | low) as u8;
            let width = match left {
                Some(n) if octet & 0xc0 == 0x80 => n,
                Some(_) => return self.fail(start, "found an incorrect trailing UTF-8 octet"),
                None => match octet {
                    0..=0x7f => 1,
                    b if b & 0xe0 == 0xc0 => 2,
                    b if b & 0xf0 == 0xe0 => 3,
                    b if b & 0xf8 == 0xf0 => 4,
                    _ => return self.fail(start, "found an incorrect leading UTF-8 octet"),
                },
            };
            out.push(octet);
            self.advance(3);
            if width == 1 {
                return Ok(());
            }
            left = Some(width - 1);
        }
    }
}
