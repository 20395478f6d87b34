//! Go's `unicode` and `unicode/utf8`: classes of characters, simple case mappings, and runes out of bytes that need not be UTF-8.
//!
//! Go decodes every byte that is not part of a valid sequence as U+FFFD of width 1, and its case mappings are one to one
//! (`ß` stays `ß` in upper case). Rust's `str` functions do neither, so these stand here.

use std::borrow::Cow;

use super::unicode_tables as tables;

/// The first rune of `s` and its width in bytes; `(U+FFFD, 1)` for an invalid byte, `(U+FFFD, 0)` if `s` is empty.
/// Source: `utf8.DecodeRune`.
pub fn decode_rune(s: &[u8]) -> (char, usize) {
    let Some(&first) = s.first() else { return (char::REPLACEMENT_CHARACTER, 0) };
    let width = match first {
        0..=0x7f => return (first as char, 1),
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return (char::REPLACEMENT_CHARACTER, 1),
    };
    let rune = s.get(..width).and_then(|b| std::str::from_utf8(b).ok()).and_then(|t| t.chars().next());
    rune.map_or((char::REPLACEMENT_CHARACTER, 1), |c| (c, width))
}

/// The last rune of `s` and its width, as `utf8.DecodeLastRune`.
pub fn decode_last_rune(s: &[u8]) -> (char, usize) {
    for width in 1..=4.min(s.len()) {
        let tail = &s[s.len() - width..];
        let (c, n) = decode_rune(tail);
        if n == width && !(width == 1 && c == char::REPLACEMENT_CHARACTER) {
            return (c, n);
        }
    }
    (char::REPLACEMENT_CHARACTER, usize::from(!s.is_empty()))
}

/// The runes of `s` with their byte offsets and widths: Go's `for i, r := range s`.
pub fn runes(s: &[u8]) -> impl Iterator<Item = (usize, char, usize)> + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = s.get(at..).filter(|r| !r.is_empty())?;
        let (c, width) = decode_rune(rest);
        let i = at;
        at += width;
        Some((i, c, width))
    })
}

/// The text for people, with U+FFFD for every byte that is not UTF-8, where Rust's `from_utf8_lossy` writes one for several.
pub fn to_text(s: &[u8]) -> Cow<'_, str> {
    std::str::from_utf8(s).map_or_else(|_| runes(s).map(|(_, c, _)| c).collect(), Cow::Borrowed)
}

/// How many runes `s` has; every invalid byte counts as one. Source: `utf8.RuneCount`.
pub fn rune_count(s: &[u8]) -> usize {
    if s.is_ascii() { s.len() } else { runes(s).count() }
}

/// Appends a rune as UTF-8.
pub fn push_rune(out: &mut Vec<u8>, c: char) {
    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

/// A rune by number, U+FFFD if there is no such rune.
pub fn rune_of(n: i128) -> char {
    u32::try_from(n).ok().and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER)
}

fn is_in(table: &[(u32, u32, u8)], c: char) -> bool {
    let c = c as u32;
    let i = table.partition_point(|r| r.1 < c);
    table.get(i).is_some_and(|&(lo, _, stride)| lo <= c && (c - lo).is_multiple_of(u32::from(stride)))
}

/// Category L.
pub fn is_letter(c: char) -> bool {
    if c.is_ascii() { c.is_ascii_alphabetic() } else { is_in(tables::LETTER, c) }
}

/// Category Lu.
pub fn is_upper(c: char) -> bool {
    if c.is_ascii() { c.is_ascii_uppercase() } else { is_in(tables::UPPER, c) }
}

/// Category Ll.
pub fn is_lower(c: char) -> bool {
    if c.is_ascii() { c.is_ascii_lowercase() } else { is_in(tables::LOWER, c) }
}

/// Category Nd.
pub fn is_digit(c: char) -> bool {
    if c.is_ascii() { c.is_ascii_digit() } else { is_in(tables::DIGIT, c) }
}

/// Category N.
pub fn is_number(c: char) -> bool {
    if c.is_ascii() { c.is_ascii_digit() } else { is_in(tables::NUMBER, c) }
}

/// Category P.
pub fn is_punct(c: char) -> bool {
    is_in(tables::PUNCT, c)
}

/// Category Cc.
pub const fn is_control(c: char) -> bool {
    matches!(c, '\0'..='\x1f' | '\x7f'..='\u{9f}')
}

/// Unicode's White_Space.
pub const fn is_space(c: char) -> bool {
    matches!(
        c,
        '\t'..='\r' | ' ' | '\u{85}' | '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{2028}' | '\u{2029}' | '\u{202f}'
            | '\u{205f}' | '\u{3000}'
    )
}

/// Letters, marks, numbers, punctuation, symbols and the ASCII space.
pub fn is_print(c: char) -> bool {
    if c.is_ascii() { (' '..='~').contains(&c) } else { is_in(tables::PRINT, c) }
}

fn convert(c: char, case: usize) -> char {
    let n = c as u32;
    let i = tables::CASES.partition_point(|r| r.1 < n);
    let Some(&(lo, _, deltas)) = tables::CASES.get(i).filter(|r| r.0 <= n) else { return c };
    let to = match deltas[case] {
        // Upper and lower case letters alternate from `lo` on, upper first: the low bit of the distance is the case.
        tables::UPPER_LOWER => lo + (((n - lo) & !1) | (case as u32 & 1)),
        delta => n.wrapping_add_signed(delta),
    };
    char::from_u32(to).unwrap_or(c)
}

/// `unicode.ToUpper`.
pub fn rune_to_upper(c: char) -> char {
    if c.is_ascii() { c.to_ascii_uppercase() } else { convert(c, 0) }
}

/// `unicode.ToLower`.
pub fn rune_to_lower(c: char) -> char {
    if c.is_ascii() { c.to_ascii_lowercase() } else { convert(c, 1) }
}

/// `unicode.ToTitle`.
pub fn rune_to_title(c: char) -> char {
    if c.is_ascii() { c.to_ascii_uppercase() } else { convert(c, 2) }
}

/// `strings.Map` for a mapping that drops nothing: invalid bytes become U+FFFD, but an ASCII text is never decoded.
fn map(s: &[u8], mut f: impl FnMut(char) -> char) -> Vec<u8> {
    let mut out = Vec::with_capacity(s.len());
    for (_, c, _) in runes(s) {
        push_rune(&mut out, f(c));
    }
    out
}

/// `strings.ToUpper`.
pub fn to_upper(s: &[u8]) -> Vec<u8> {
    if s.is_ascii() { s.to_ascii_uppercase() } else { map(s, rune_to_upper) }
}

/// `strings.ToLower`.
pub fn to_lower(s: &[u8]) -> Vec<u8> {
    if s.is_ascii() { s.to_ascii_lowercase() } else { map(s, rune_to_lower) }
}

/// `strings.Title`: the first letter of each word in title case, the others as they are.
pub fn title(s: &[u8]) -> Vec<u8> {
    let mut prev = ' ';
    map(s, |c| {
        let start = is_word_separator(prev);
        prev = c;
        if start { rune_to_title(c) } else { c }
    })
}

/// Source: `strings.isSeparator`.
fn is_word_separator(c: char) -> bool {
    if c.is_ascii() {
        return !(c.is_ascii_alphanumeric() || c == '_');
    }
    !is_letter(c) && !is_digit(c) && is_space(c)
}

/// `strings.TrimSpace`.
pub fn trim_space(mut s: &[u8]) -> &[u8] {
    loop {
        let (c, n) = decode_rune(s);
        if n == 0 || !is_space(c) {
            break;
        }
        s = &s[n..];
    }
    loop {
        let (c, n) = decode_last_rune(s);
        if n == 0 || !is_space(c) {
            return s;
        }
        s = &s[..s.len() - n];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_as_go() {
        for (s, want) in [
            (&b""[..], ('\u{fffd}', 0)),
            (b"a", ('a', 1)),
            ("é".as_bytes(), ('é', 2)),
            (b"\xc3", ('\u{fffd}', 1)),
            (b"\xff\xfe", ('\u{fffd}', 1)),
            (b"\xed\xa0\x80", ('\u{fffd}', 1)),
            ("\u{10ffff}x".as_bytes(), ('\u{10ffff}', 4)),
            ("\u{fffd}".as_bytes(), ('\u{fffd}', 3)),
        ] {
            assert_eq!(decode_rune(s), want, "{s:x?}");
        }
        assert_eq!(decode_last_rune(b"a\xc3"), ('\u{fffd}', 1));
        assert_eq!(decode_last_rune("aé".as_bytes()), ('é', 2));
        assert_eq!(decode_last_rune("a\u{fffd}".as_bytes()), ('\u{fffd}', 3));
        assert_eq!(rune_count(b"a\xffb\xc3\xa9"), 4);
    }

    #[test]
    fn maps_one_to_one() {
        assert_eq!(to_upper("straße ŉ ǆ ÿ µ".as_bytes()), "STRAßE ŉ Ǆ Ÿ Μ".as_bytes());
        assert_eq!(to_lower("İIÀĀΣ".as_bytes()), "iiàāσ".as_bytes());
        assert_eq!(
            title("ǆ o'neill über_alles a\u{2028}b 1a".as_bytes()),
            "ǅ O'Neill Über_alles A\u{2028}B 1a".as_bytes()
        );
        assert_eq!(to_upper(b"\xffa"), "\u{fffd}A".as_bytes());
    }

    #[test]
    fn knows_the_characters_that_go_knows() {
        assert!(is_print('é') && is_print('→') && is_print('\u{1f600}'));
        assert!(!is_print('\u{ad}') && !is_print('\u{2028}') && !is_print('\u{a0}') && !is_print('\u{e000}'));
        // Added to Unicode after Go's edition.
        assert!(!is_print('\u{1c89}') && !is_upper('\u{1c89}'));
        assert!(is_upper('Ā') && !is_upper('ā') && is_lower('ā') && is_letter('ǅ') && !is_upper('ǅ'));
        assert!(is_number('½') && !is_digit('½') && is_digit('٣') && is_punct('¿') && !is_punct('$'));
        assert_eq!(trim_space(" \u{3000}a b\u{85}\n".as_bytes()), b"a b");
    }
}
