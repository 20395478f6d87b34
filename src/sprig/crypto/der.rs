//! The little DER that keys and certificates need: writing, and reading with the error texts of Go's `encoding/asn1`.

pub const INTEGER: u8 = 0x02;
pub const BIT_STRING: u8 = 0x03;
pub const OCTET_STRING: u8 = 0x04;
pub const OID: u8 = 0x06;
pub const SEQUENCE: u8 = 0x30;
pub const SET: u8 = 0x31;

/// A tag, the length, and the parts one after the other.
pub fn tlv<P: AsRef<[u8]>>(tag: u8, parts: &[P]) -> Vec<u8> {
    let len: usize = parts.iter().map(|p| p.as_ref().len()).sum();
    let mut out = vec![tag];
    if len < 128 {
        out.push(len as u8);
    } else {
        let bytes = len.to_be_bytes();
        let from = bytes.iter().position(|&b| b != 0).unwrap_or(0);
        out.push(0x80 | (bytes.len() - from) as u8);
        out.extend_from_slice(&bytes[from..]);
    }
    for p in parts {
        out.extend_from_slice(p.as_ref());
    }
    out
}

pub fn sequence<P: AsRef<[u8]>>(parts: &[P]) -> Vec<u8> {
    tlv(SEQUENCE, parts)
}

/// A non-negative number given in big-endian bytes.
pub fn integer(bytes: &[u8]) -> Vec<u8> {
    let from = bytes.iter().position(|&b| b != 0).unwrap_or(bytes.len());
    let bytes = &bytes[from..];
    match bytes.first() {
        None => tlv(INTEGER, &[[0]]),
        Some(0x80..) => tlv(INTEGER, &[&[0], bytes]),
        Some(_) => tlv(INTEGER, &[bytes]),
    }
}

/// A bit string of whole bytes.
pub fn bit_string(bytes: &[u8]) -> Vec<u8> {
    tlv(BIT_STRING, &[&[0], bytes])
}

pub fn oid(content: &[u8]) -> Vec<u8> {
    tlv(OID, &[content])
}

/// One element: its tag, its content, and all of its bytes.
#[derive(Clone, Copy, Debug)]
pub struct Element<'a> {
    pub tag: u8,
    pub content: &'a [u8],
    pub raw: &'a [u8],
}

/// Reads elements one after the other.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
    /// How much has been read, for messages.
    at: usize,
}

impl<'a> Reader<'a> {
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, at: 0 }
    }

    pub const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next element, whatever its tag.
    ///
    /// # Errors
    /// Go's text, such as `asn1: syntax error: data truncated`.
    pub fn any(&mut self) -> Result<Element<'a>, String> {
        let syntax = |what: &str| format!("asn1: syntax error: {what}");
        let structure = |what: &str| format!("asn1: structure error: {what}");
        let s = self.rest;
        let (&tag, rest) = s.split_first().ok_or_else(|| syntax("sequence truncated"))?;
        if tag & 0x1f == 0x1f {
            // None of the structures here has a tag above 30.
            return Err(structure("base 128 integer too large"));
        }
        let (&first, mut rest) = rest.split_first().ok_or_else(|| syntax("truncated tag or length"))?;
        let mut len = usize::from(first);
        if first & 0x80 != 0 {
            let n = usize::from(first & 0x7f);
            if n == 0 {
                return Err(syntax("indefinite length found (not DER)"));
            }
            len = 0;
            for _ in 0..n {
                let (&b, after) = rest.split_first().ok_or_else(|| syntax("truncated tag or length"))?;
                if len >= 1 << 23 {
                    return Err(structure("length too large"));
                }
                len = len << 8 | usize::from(b);
                if len == 0 {
                    return Err(structure("superfluous leading zeros in length"));
                }
                rest = after;
            }
            if len < 0x80 {
                return Err(structure("non-minimal length"));
            }
        }
        let content = rest.get(..len).ok_or_else(|| syntax("data truncated"))?;
        let header = s.len() - rest.len();
        self.rest = &rest[len..];
        self.at += header + len;
        Ok(Element { tag, content, raw: &s[..header + len] })
    }

    /// The next element, which must have this tag. `ty` is the name of Go's type there, for the message.
    ///
    /// # Errors
    /// As [`Self::any`], or `asn1: structure error: tags don't match (…)`.
    pub fn expect(&mut self, tag: u8, ty: &str) -> Result<Element<'a>, String> {
        let element = self.any()?;
        if element.tag == tag {
            return Ok(element);
        }
        let at = self.at - element.content.len();
        Err(format!(
            "asn1: structure error: tags don't match ({} vs {{class:{} tag:{} length:{} isCompound:{}}}) \
             {{optional:false explicit:false application:false private:false defaultValue:<nil> tag:<nil> stringType:0 timeType:0 \
             set:false omitEmpty:false}} {ty} @{at}",
            tag & 0x1f,
            element.tag >> 6,
            element.tag & 0x1f,
            element.content.len(),
            element.tag & 0x20 != 0,
        ))
    }

    /// The next element if it has this tag.
    pub fn optional(&mut self, tag: u8) -> Option<Element<'a>> {
        let mut ahead = *self;
        let element = ahead.any().ok().filter(|e| e.tag == tag)?;
        *self = ahead;
        Some(element)
    }

    /// A small whole number, as versions are.
    ///
    /// # Errors
    /// As [`Self::expect`].
    pub fn small(&mut self, ty: &str) -> Result<i64, String> {
        let e = self.expect(INTEGER, ty)?;
        minimal(e.content)?;
        if e.content.len() > 8 {
            return Err("asn1: structure error: integer too large".into());
        }
        let negative = e.content[0] & 0x80 != 0;
        let start = if negative { -1i64 } else { 0 };
        Ok(e.content.iter().fold(start, |n, &b| n << 8 | i64::from(b)))
    }

    /// A number of any size; `None` within if it is zero or negative.
    ///
    /// # Errors
    /// As [`Self::expect`].
    pub fn positive(&mut self) -> Result<Option<&'a [u8]>, String> {
        let e = self.expect(INTEGER, "")?;
        minimal(e.content)?;
        Ok(match e.content {
            [0x80..=0xff, ..] | [0] => None,
            [0, rest @ ..] => Some(rest),
            all => Some(all),
        })
    }
}

/// Numbers have no bytes that say nothing.
fn minimal(content: &[u8]) -> Result<(), String> {
    match content {
        [] => Err("asn1: structure error: empty integer".into()),
        [0, 0..=0x7f, ..] | [0xff, 0x80..=0xff, ..] => {
            Err("asn1: structure error: integer not minimally-encoded".into())
        }
        _ => Ok(()),
    }
}
