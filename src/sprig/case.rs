//! Upper and lower, camels and snakes: Go's `strings`, Masterminds/goutils 1.1.1 and huandu/xstrings 1.5.0.

use crate::golang::unicode::{
    decode_rune, is_letter, is_lower, is_number, is_punct, is_space, is_upper, push_rune, rune_to_lower, rune_to_title,
    rune_to_upper, runes, title, to_lower, to_upper,
};
use crate::gotmpl::{FuncTable, pure};
use crate::value::Str;

pub fn register(table: &mut FuncTable) {
    table.add(pure("upper", |s: Str| to_upper(&s)));
    table.add(pure("lower", |s: Str| to_lower(&s)));
    table.add(pure("title", |s: Str| title(&s)));
    table.add(pure("untitle", |s: Str| untitle(&s)));
    table.add(pure("swapcase", |s: Str| swap_case(&s)));
    table.add(pure("initials", |s: Str| initials(&s)));
    table.add(pure("camelcase", |s: Str| pascal_case(&s)));
    table.add(pure("snakecase", |s: Str| separated(&s, '_')));
    table.add(pure("kebabcase", |s: Str| separated(&s, '-')));
}

/// goutils `Uncapitalize`: the first letter of each word becomes a small one.
fn untitle(s: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(s.len());
    let mut first = true;
    for (_, c, _) in runes(s) {
        let mut to = c;
        if is_space(c) {
            first = true;
        } else if first {
            to = rune_to_lower(c);
            first = false;
        }
        push_rune(&mut out, to);
    }
    out
}

/// Unicode's category Lt: one character that stands for a capital and a small letter.
const fn is_title(c: char) -> bool {
    matches!(c as u32,
        0x1C5 | 0x1C8 | 0x1CB | 0x1F2 | 0x1F88..=0x1F8F | 0x1F98..=0x1F9F | 0x1FA8..=0x1FAF | 0x1FBC | 0x1FCC | 0x1FFC)
}

/// goutils `SwapCase`: small letters at the start of a word become title case, others capitals, and capitals small.
fn swap_case(s: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(s.len());
    let mut space = true;
    for (_, c, _) in runes(s) {
        let mut to = c;
        if is_upper(c) || is_title(c) {
            to = rune_to_lower(c);
            space = false;
        } else if is_lower(c) {
            to = if space { rune_to_title(c) } else { rune_to_upper(c) };
            space = false;
        } else {
            space = is_space(c);
        }
        push_rune(&mut out, to);
    }
    out
}

/// goutils `Initials`, which takes each *byte* for a Latin-1 character.
fn initials(s: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut gap = true;
    for &b in s {
        let c = char::from(b);
        if is_space(c) {
            gap = true;
        } else if gap {
            push_rune(&mut out, c);
            gap = false;
        }
    }
    out
}

fn is_connector(c: char) -> bool {
    c == '-' || c == '_' || is_space(c)
}

/// xstrings `ToPascalCase`, leading connectors kept.
fn pascal_case(s: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(s.len());
    let mut rest = s;
    let mut first_upper = false;
    let mut r0 = '\0';
    while !rest.is_empty() {
        let (c, n) = decode_rune(rest);
        rest = &rest[n..];
        r0 = c;
        if !is_connector(c) {
            first_upper = is_upper(c);
            r0 = rune_to_upper(c);
            break;
        }
        push_rune(&mut out, c);
    }
    if rest.is_empty() {
        // A text of connectors only gets its last one twice in the original.
        if !s.is_empty() {
            push_rune(&mut out, r0);
        }
        return out;
    }
    while !rest.is_empty() {
        let r1 = r0;
        let (c, n) = decode_rune(rest);
        rest = &rest[n..];
        r0 = c;
        if is_connector(r0) && is_connector(r1) {
            push_rune(&mut out, r1);
            continue;
        }
        if is_connector(r1) {
            first_upper = is_upper(r0);
            r0 = rune_to_upper(r0);
        } else {
            if first_upper {
                if is_upper(r0) {
                    r0 = rune_to_lower(r0);
                } else {
                    first_upper = false;
                }
            }
            push_rune(&mut out, r1);
        }
    }
    push_rune(&mut out, r0);
    out
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Word {
    Invalid,
    Number,
    Upper,
    Alphabet,
    Connector,
    Punct,
    Other,
}

/// xstrings `isAlphabet`: letters, except Chinese characters.
fn is_alphabet(c: char) -> bool {
    is_letter(c) && !matches!(c as u32, 0x4E00..=0x9FCC | 0x3400..=0x4D85 | 0x20000..=0x2B81D)
}

/// xstrings `nextValidRune`: skips over invalid bytes; `prev` at the end.
fn next_valid(s: &[u8], prev: char) -> (char, usize) {
    let mut size = 0;
    while size < s.len() {
        let (c, n) = decode_rune(&s[size..]);
        size += n;
        if c != '\u{FFFD}' {
            return (c, size);
        }
    }
    (prev, size)
}

/// The length of the run at the start of a text whose runes all pass.
fn run(s: &[u8], mut prev: char, pass: impl Fn(char) -> bool) -> usize {
    let mut at = 0;
    while at < s.len() {
        let (c, n) = next_valid(&s[at..], prev);
        if !pass(c) {
            break;
        }
        prev = c;
        at += n;
    }
    at
}

/// xstrings `nextWord`: the kind of the next word and its end.
fn next_word(s: &[u8]) -> (Word, usize) {
    if s.is_empty() {
        return (Word::Invalid, 0);
    }
    let (c, size) = next_valid(s, '\u{FFFD}');
    let rest = &s[size..];
    if c == '\u{FFFD}' {
        (Word::Invalid, size)
    } else if is_connector(c) {
        (Word::Connector, size + run(rest, c, is_connector))
    } else if is_punct(c) {
        (Word::Punct, size + run(rest, c, is_punct))
    } else if is_upper(c) {
        (Word::Upper, size + upper_word(rest, c))
    } else if is_alphabet(c) {
        (Word::Alphabet, size + run(rest, c, |c| is_alphabet(c) && !is_upper(c)))
    } else if is_number(c) {
        (Word::Number, size + run(rest, c, is_number))
    } else {
        let other = |c| !(is_connector(c) || is_alphabet(c) || is_number(c) || is_punct(c));
        (Word::Other, size + run(rest, c, other))
    }
}

/// How much after a first capital belongs to its word: `ITPStatus` is `ITP` and `Status`.
fn upper_word(rest: &[u8], first: char) -> usize {
    if rest.is_empty() {
        return 0;
    }
    let (c, size) = next_valid(rest, first);
    if !is_upper(c) {
        return if is_alphabet(c) { size + run(&rest[size..], c, |c| is_alphabet(c) && !is_upper(c)) } else { 0 };
    }
    let (mut at, mut last, mut c) = (size, size, c);
    while at < rest.len() {
        let (next, n) = next_valid(&rest[at..], c);
        c = next;
        if !is_upper(c) {
            break;
        }
        last = n;
        at += n;
    }
    if at < rest.len() && is_alphabet(c) { at - last } else { at }
}

/// xstrings `toLower`: capitals and connectors are rewritten, other words are left as they are.
fn push_lower(out: &mut Vec<u8>, word: Word, s: &[u8], connector: char) {
    if word != Word::Upper && word != Word::Connector {
        out.extend_from_slice(s);
        return;
    }
    for (_, c, _) in runes(s) {
        let to = match c {
            c if is_connector(c) => connector,
            c if is_upper(c) => rune_to_lower(c),
            c => c,
        };
        push_rune(out, to);
    }
}

/// A text taken apart word by word.
struct Words<'a> {
    word: Word,
    text: &'a [u8],
    rest: &'a [u8],
}

impl<'a> Words<'a> {
    fn next(&mut self) {
        let (word, end) = next_word(self.rest);
        self.word = word;
        (self.text, self.rest) = self.rest.split_at(end);
    }

    /// Words that stick to a number before them: `20xOK` is `20x` and `OK`.
    fn sticky(&mut self, out: &mut Vec<u8>, connector: char) {
        while matches!(self.word, Word::Alphabet | Word::Number) {
            push_lower(out, self.word, self.text, connector);
            self.next();
        }
    }

    fn is_any(&self, words: &[Word]) -> bool {
        words.contains(&self.word)
    }
}

/// xstrings `camelCaseToLowerCase`
fn separated(s: &[u8], connector: char) -> Vec<u8> {
    let mut out = Vec::with_capacity(s.len() + 8);
    if s.is_empty() {
        return out;
    }
    let mut w = Words { word: Word::Invalid, text: &[], rest: s };
    w.next();
    while !w.rest.is_empty() {
        if w.word != Word::Connector {
            push_lower(&mut out, w.word, w.text, connector);
        }
        let (prev, last) = (w.word, w.text);
        w.next();
        match prev {
            Word::Number => {
                w.sticky(&mut out, connector);
                if !w.is_any(&[Word::Invalid, Word::Punct, Word::Connector]) {
                    push_rune(&mut out, connector);
                }
            }
            Word::Connector => push_lower(&mut out, prev, last, connector),
            Word::Punct => {}
            _ if w.word != Word::Number => {
                if !w.is_any(&[Word::Connector, Word::Punct]) {
                    push_rune(&mut out, connector);
                }
            }
            _ if w.rest.is_empty() => {}
            _ => {
                let number = w.text;
                w.next();
                if w.word != Word::Alphabet {
                    // The number belongs to the word before it.
                    push_lower(&mut out, Word::Number, number, connector);
                    if !w.is_any(&[Word::Connector, Word::Punct]) {
                        push_rune(&mut out, connector);
                    }
                    continue;
                }
                // Small letters follow the number: it begins a word with them.
                push_rune(&mut out, connector);
                push_lower(&mut out, Word::Number, number, connector);
                w.sticky(&mut out, connector);
                if !w.is_any(&[Word::Invalid, Word::Connector, Word::Punct]) {
                    push_rune(&mut out, connector);
                }
            }
        }
    }
    push_lower(&mut out, w.word, w.text, connector);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snakes_and_kebabs() {
        for (s, want) in [
            ("FirstName", "first_name"),
            ("HTTPServer", "http_server"),
            ("NoHTTPS", "no_https"),
            ("GO_PATH", "go_path"),
            ("GO PATH", "go_path"),
            ("GO-PATH", "go_path"),
            ("http2xx", "http_2xx"),
            ("HTTP20xOK", "http_20x_ok"),
            ("Duration2m3s", "duration_2m3s"),
            ("Bld4Floor3rd", "bld4_floor_3rd"),
            ("_complex__case_", "_complex__case_"),
            ("", ""),
        ] {
            assert_eq!(separated(s.as_bytes(), '_'), want.as_bytes(), "{s}");
        }
        assert_eq!(separated(b"FirstName", '-'), b"first-name");
    }

    #[test]
    fn camels() {
        for (s, want) in [
            ("some_words", "SomeWords"),
            ("http_server", "HttpServer"),
            ("_complex__case_", "_Complex_Case_"),
            ("some words", "SomeWords"),
            ("GOLANG_IS_GREAT", "GolangIsGreat"),
            ("a", "A"),
            ("__", "___"),
        ] {
            assert_eq!(pascal_case(s.as_bytes()), want.as_bytes(), "{s}");
        }
    }

    #[test]
    fn swapping() {
        assert_eq!(swap_case(b"This Is a.Test"), b"tHIS iS A.tEST");
        assert_eq!(untitle(b"Foo Bar"), b"foo bar");
        assert_eq!(initials("First \u{e9}t".as_bytes()), "F\u{c3}".as_bytes());
    }
}
