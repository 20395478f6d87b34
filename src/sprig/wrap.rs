//! Shorter and narrower texts: `abbrev`, `nospace`, `wrap` (Masterminds/goutils 1.1.1, which counts bytes).

use crate::golang::unicode::{is_space, push_rune};
use crate::gotmpl::{CallError, FuncTable, Int, State, func, pure};
use crate::value::Str;

pub fn register(table: &mut FuncTable) {
    table.add(pure("abbrev", |width: Int, s: Str| if width.0 < 4 { s } else { abbreviate(&s, 0, width.0) }));
    table.add(pure("abbrevboth", |left: Int, right: Int, s: Str| match (left.0, right.0) {
        (left, right) if right < 4 || left > 0 && right < 7 => s,
        (left, right) => abbreviate(&s, left, right),
    }));
    table.add(pure("nospace", no_space));
    table.add(func("wrap", |st: &mut State, width: Int, s: Str| wrap(st, width.0, &s, b"\n", false)));
    table.add(func("wrapWith", |st: &mut State, width: Int, sep: Str, s: Str| {
        wrap(st, width.0, &s, if sep.is_empty() { b"\n" } else { &sep }, true)
    }));
}

/// goutils `AbbreviateFull`: at most `width` bytes, of which three are dots for what was left out on a side. An impossible
/// width gives "".
fn abbreviate(s: &[u8], offset: i64, width: i64) -> Str {
    let len = s.len() as i64;
    if s.is_empty() || width < 4 {
        return Str::default();
    }
    if len <= width {
        return Str::new(s);
    }
    // From here on the width is less than the text's length, so it is a sound index.
    let mut offset = offset.min(len);
    if len.wrapping_sub(offset) < width - 3 {
        offset = len - (width - 3);
    }
    let keep = (width - 3) as usize;
    if offset <= 4 {
        return [&s[..keep], b"..."].concat().into();
    }
    if width < 7 {
        return Str::default();
    }
    if offset + width - 3 < len {
        let inner = abbreviate(&s[offset as usize..], 0, width - 3);
        return [b"...", &inner[..]].concat().into();
    }
    [b"...", &s[s.len() - keep..]].concat().into()
}

/// goutils `DeleteWhiteSpace`: takes each byte for a Latin-1 character, so a text with spaces comes out as Latin-1 read as such.
fn no_space(s: Str) -> Str {
    if !s.iter().any(|b| is_space(char::from(*b))) {
        return s;
    }
    let mut out = Vec::with_capacity(s.len());
    for c in s.iter().map(|b| char::from(*b)).filter(|c| !is_space(*c)) {
        push_rune(&mut out, c);
    }
    out.into()
}

/// goutils `WrapCustom`: breaks at spaces, within words only if `long` says so.
fn wrap(st: &mut State, width: i64, s: &[u8], sep: &[u8], long: bool) -> Result<Vec<u8>, CallError> {
    let width = usize::try_from(width).unwrap_or(0).max(1);
    let breaks = (s.len() / width + 1) as u64;
    st.charge(breaks.saturating_mul(sep.len() as u64).saturating_add(s.len() as u64))?;
    let mut out = Vec::with_capacity(s.len() + s.len() / width);
    let mut at = 0;
    while s.len() - at > width {
        if s[at] == b' ' {
            at += 1;
            continue;
        }
        let line = &s[at..=at + width];
        if let Some(space) = line.iter().rposition(|b| *b == b' ') {
            out.extend_from_slice(&line[..space]);
            at += space + 1;
        } else if long {
            out.extend_from_slice(&line[..width]);
            at += width;
        } else if let Some(space) = s[at + width..].iter().position(|b| *b == b' ') {
            out.extend_from_slice(&s[at..at + width + space]);
            at += width + space + 1;
        } else {
            break;
        }
        out.extend_from_slice(sep);
    }
    out.extend_from_slice(&s[at..]);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn abbreviations() {
        for (s, offset, width, want) in [
            ("hello world", 0, 5, "he..."),
            ("hello world", 5, 10, "hello w..."),
            ("1234 5678 9123", 5, 10, "...5678..."),
            ("hello", 0, 9, "hello"),
        ] {
            assert_eq!(abbreviate(s.as_bytes(), offset, width).to_text(), want, "{s} {offset} {width}");
        }
    }

    #[test]
    fn spaces_go_and_latin1_comes() {
        assert_eq!(no_space("a b\tc".into()), "abc");
        assert_eq!(no_space("é".into()), "é");
        assert_eq!(no_space("é b".into()), "Ã©b");
    }
}
