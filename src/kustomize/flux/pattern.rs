//! Shell patterns as Flux's `envsubst` matches them: an older `path.Match` of Go in which `*` also matches `/`, and in which a bad
//! pattern is only noticed once the text is matched that far.

use crate::golang::unicode::decode_rune;

/// The pattern is malformed where it was needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadPattern;

type Match<T> = Result<T, BadPattern>;

/// True if the whole text matches.
pub fn matches(mut pattern: &[u8], mut text: &[u8]) -> Match<bool> {
    'pattern: while !pattern.is_empty() {
        let (star, chunk, rest) = next_chunk(pattern);
        pattern = rest;
        if star && chunk.is_empty() {
            return Ok(true);
        }
        if let Some(left) = match_chunk(chunk, text)?
            && (left.is_empty() || !pattern.is_empty())
        {
            text = left;
            continue;
        }
        if star {
            for i in 0..text.len() {
                let Some(left) = match_chunk(chunk, &text[i + 1..])? else { continue };
                if pattern.is_empty() && !left.is_empty() {
                    continue;
                }
                text = left;
                continue 'pattern;
            }
        }
        return Ok(false);
    }
    Ok(text.is_empty())
}

/// What stands before the next star, and whether a star stands before that.
fn next_chunk(mut pattern: &[u8]) -> (bool, &[u8], &[u8]) {
    let mut star = false;
    while let [b'*', rest @ ..] = pattern {
        pattern = rest;
        star = true;
    }
    let mut in_class = false;
    let mut i = 0;
    while i < pattern.len() {
        match pattern[i] {
            b'\\' if i + 1 < pattern.len() => i += 1,
            b'[' => in_class = true,
            b']' => in_class = false,
            b'*' if !in_class => break,
            _ => {}
        }
        i += 1;
    }
    (star, &pattern[..i], &pattern[i..])
}

/// What is left of the text behind a chunk.
fn match_chunk<'t>(mut chunk: &[u8], mut text: &'t [u8]) -> Match<Option<&'t [u8]>> {
    while let Some(&first) = chunk.first() {
        if text.is_empty() {
            return Ok(None);
        }
        match first {
            b'[' => {
                let (c, width) = decode_rune(text);
                text = &text[width..];
                chunk = &chunk[1..];
                let negated = chunk.first() == Some(&b'^');
                if negated {
                    chunk = &chunk[1..];
                }
                let (mut found, mut ranges) = (false, 0);
                loop {
                    if chunk.first() == Some(&b']') && ranges > 0 {
                        chunk = &chunk[1..];
                        break;
                    }
                    let (low, rest) = class_character(chunk)?;
                    chunk = rest;
                    let mut high = low;
                    if chunk.first() == Some(&b'-') {
                        (high, chunk) = class_character(&chunk[1..])?;
                    }
                    found |= low <= c && c <= high;
                    ranges += 1;
                }
                if found == negated {
                    return Ok(None);
                }
            }
            b'?' => {
                text = &text[decode_rune(text).1..];
                chunk = &chunk[1..];
            }
            _ => {
                if first == b'\\' {
                    chunk = &chunk[1..];
                }
                let Some(wanted) = chunk.first() else { return Err(BadPattern) };
                if *wanted != text[0] {
                    return Ok(None);
                }
                text = &text[1..];
                chunk = &chunk[1..];
            }
        }
    }
    Ok(Some(text))
}

fn class_character(mut chunk: &[u8]) -> Match<(char, &[u8])> {
    if matches!(chunk.first(), None | Some(b'-' | b']')) {
        return Err(BadPattern);
    }
    if chunk[0] == b'\\' {
        chunk = &chunk[1..];
        if chunk.is_empty() {
            return Err(BadPattern);
        }
    }
    let (c, width) = decode_rune(chunk);
    let rest = &chunk[width..];
    if (c == char::REPLACEMENT_CHARACTER && width == 1) || rest.is_empty() { Err(BadPattern) } else { Ok((c, rest)) }
}
