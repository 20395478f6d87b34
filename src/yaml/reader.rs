//! What a YAML reader takes for text: UTF-8 (or UTF-16 with its byte order mark) without control characters.
//!
//! go-yaml decodes its input in chunks of 512 bytes while it scans, so an error of syntax before the chunk with the bad byte wins
//! over the bad byte. [`check`] therefore says what is wrong *and* from which byte on a scanner may no longer look.

use std::borrow::Cow;

/// A byte that cannot be part of a YAML text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bad {
    /// Start of the chunk which go-yaml cannot decode.
    pub chunk: usize,
    /// go-yaml's wording.
    pub problem: &'static str,
}

const INCOMPLETE: &str = "incomplete UTF-8 octet sequence";

/// What go-yaml reads at a time.
const CHUNK: usize = 512;

/// Takes the byte order mark off, and turns UTF-16 into UTF-8.
pub fn decode(text: &[u8]) -> (Cow<'_, [u8]>, Option<Bad>) {
    let (big, rest) = match text {
        [0xff, 0xfe, rest @ ..] => (false, rest),
        [0xfe, 0xff, rest @ ..] => (true, rest),
        [0xef, 0xbb, 0xbf, rest @ ..] => return (Cow::Borrowed(rest), check(rest)),
        _ => return (Cow::Borrowed(text), check(text)),
    };
    let unit = |pair: &[u8]| match pair {
        [a, b] if big => Some(u16::from_be_bytes([*a, *b])),
        [a, b] => Some(u16::from_le_bytes([*a, *b])),
        _ => None,
    };
    let units: Vec<Option<u16>> = rest.chunks(2).map(unit).collect();
    let mut out = String::with_capacity(rest.len() / 2);
    let mut i = 0;
    let bad = |problem, out: &String| Some(Bad { chunk: out.len() / CHUNK * CHUNK, problem });
    while i < units.len() {
        let Some(u) = units[i] else {
            let b = bad("incomplete UTF-16 character", &out);
            return (Cow::Owned(out.into_bytes()), b);
        };
        i += 1;
        let c = match u {
            0xdc00..=0xdfff => {
                let b = bad("unexpected low surrogate area", &out);
                return (Cow::Owned(out.into_bytes()), b);
            }
            0xd800..=0xdbff => match units.get(i) {
                Some(Some(low @ 0xdc00..=0xdfff)) => {
                    i += 1;
                    0x10000 + ((u32::from(u) & 0x3ff) << 10) + (u32::from(*low) & 0x3ff)
                }
                Some(Some(_)) => {
                    let b = bad("expected low surrogate area", &out);
                    return (Cow::Owned(out.into_bytes()), b);
                }
                _ => {
                    let b = bad("incomplete UTF-16 surrogate pair", &out);
                    return (Cow::Owned(out.into_bytes()), b);
                }
            },
            _ => u32::from(u),
        };
        out.push(char::from_u32(c).unwrap_or('\u{fffd}'));
    }
    let bad = check(out.as_bytes());
    (Cow::Owned(out.into_bytes()), bad)
}

/// Bytes that need a closer look.
const LOOK: [bool; 256] = {
    let mut t = [false; 256];
    let mut i = 0;
    while i < 256 {
        t[i] = (i < 0x20 && i != 9 && i != 10 && i != 13) || i >= 0x7f;
        i += 1;
    }
    t
};

/// Finds the first byte that go-yaml refuses.
pub fn check(text: &[u8]) -> Option<Bad> {
    let mut i = 0;
    while let Some(step) = text[i..].iter().position(|b| LOOK[usize::from(*b)]) {
        i += step;
        match character(&text[i..]) {
            Ok(width) => i += width,
            // What is cut off at the end is only missed when it is asked for.
            Err(problem @ INCOMPLETE) => return Some(Bad { chunk: i, problem }),
            Err(problem) => return Some(Bad { chunk: chunk_of(text, i), problem }),
        }
    }
    None
}

/// The width of the character at the start, or what go-yaml says of it.
fn character(s: &[u8]) -> Result<usize, &'static str> {
    let first = s[0];
    let (width, mut value) = match first {
        0..=0x7f => (1, u32::from(first)),
        b if b & 0xe0 == 0xc0 => (2, u32::from(b & 0x1f)),
        b if b & 0xf0 == 0xe0 => (3, u32::from(b & 0x0f)),
        b if b & 0xf8 == 0xf0 => (4, u32::from(b & 0x07)),
        _ => return Err("invalid leading UTF-8 octet"),
    };
    if width > s.len() {
        return Err(INCOMPLETE);
    }
    for b in &s[1..width] {
        if b & 0xc0 != 0x80 {
            return Err("invalid trailing UTF-8 octet");
        }
        value = (value << 6) + u32::from(b & 0x3f);
    }
    if !matches!((width, value), (1, _) | (2, 0x80..) | (3, 0x800..) | (4, 0x10000..)) {
        return Err("invalid length of a UTF-8 sequence");
    }
    if matches!(value, 0xd800..=0xdfff | 0x11_0000..) {
        return Err("invalid Unicode character");
    }
    match value {
        0x09 | 0x0a | 0x0d | 0x20..=0x7e | 0x85 | 0xa0..=0xd7ff | 0xe000..=0xfffd | 0x10000.. => Ok(width),
        _ => Err("control characters are not allowed"),
    }
}

/// Where the chunk that contains byte `at` begins. A character that straddles a chunk's end is carried into the next.
fn chunk_of(text: &[u8], at: usize) -> usize {
    let mut start = 0;
    loop {
        let mut end = (start + CHUNK).min(text.len());
        if end < text.len() {
            // Leave an incomplete character to the next chunk.
            let mut back = 0;
            while back < 3 && text[end - back] & 0xc0 == 0x80 && text[end - back] >= 0x80 {
                back += 1;
            }
            if back > 0 && text[end - back] >= 0xc0 {
                end -= back;
            }
        }
        if at < end || end >= text.len() || end <= start {
            return start;
        }
        start = end;
    }
}
