//! Go's `path` and `path/filepath` (on Unix they are the same): purely lexical work on bytes.

use super::unicode::decode_rune;

/// The pattern given to [`path_match`] is malformed (`path.ErrBadPattern`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadPattern;

impl std::fmt::Display for BadPattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("syntax error in pattern")
    }
}
impl std::error::Error for BadPattern {}

/// The shortest equivalent of a path: no doubled slashes, `.` or inner `..`; `.` for the empty path.
pub fn clean(path: &[u8]) -> Vec<u8> {
    let rooted = path.first() == Some(&b'/');
    let mut out: Vec<u8> = Vec::with_capacity(path.len().max(1));
    if rooted {
        out.push(b'/');
    }
    // Where `..` must stop: after the root or after leading `..`s.
    let mut floor = out.len();
    for part in path.split(|&b| b == b'/') {
        match part {
            b"" | b"." => {}
            b".." if out.len() > floor => {
                let cut = out[floor..].iter().rposition(|&b| b == b'/').map_or(floor, |i| floor + i);
                out.truncate(cut);
            }
            b".." if rooted => {}
            b".." => {
                if !out.is_empty() {
                    out.push(b'/');
                }
                out.extend_from_slice(b"..");
                floor = out.len();
            }
            _ => {
                if out.len() != usize::from(rooted) {
                    out.push(b'/');
                }
                out.extend_from_slice(part);
            }
        }
    }
    if out.is_empty() {
        out.push(b'.');
    }
    out
}

/// A path below a root that it cannot leave, as `securejoin.SecureJoin` joins it there: what would lead out stays at the root.
pub fn confined(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            name => parts.push(name),
        }
    }
    parts.join("/")
}

/// The last element, without trailing slashes; `.` for the empty path, `/` for slashes only.
pub fn base(path: &[u8]) -> &[u8] {
    if path.is_empty() {
        return b".";
    }
    let Some(end) = path.iter().rposition(|&b| b != b'/') else { return b"/" };
    let path = &path[..=end];
    let start = path.iter().rposition(|&b| b == b'/').map_or(0, |i| i + 1);
    &path[start..]
}

/// All but the last element, cleaned.
pub fn dir(path: &[u8]) -> Vec<u8> {
    let end = path.iter().rposition(|&b| b == b'/').map_or(0, |i| i + 1);
    clean(&path[..end])
}

/// The suffix of the last element from its last dot on, or nothing.
pub fn ext(path: &[u8]) -> &[u8] {
    let start = path.iter().rposition(|&b| b == b'/').map_or(0, |i| i + 1);
    path[start..].iter().rposition(|&b| b == b'.').map_or(b"", |i| &path[start + i..])
}

/// True if the path begins with a slash.
pub fn is_abs(path: &[u8]) -> bool {
    path.first() == Some(&b'/')
}

/// The non-empty elements with slashes between, cleaned; nothing if all are empty.
pub fn join<E: AsRef<[u8]>>(elements: &[E]) -> Vec<u8> {
    let parts: Vec<&[u8]> = elements.iter().map(AsRef::as_ref).filter(|e| !e.is_empty()).collect();
    if parts.is_empty() { Vec::new() } else { clean(&parts.join(&b'/')) }
}

/// `target` as seen from `base`. The error is Go's. Source: `filepath.Rel` on Unix.
pub fn rel(base: &[u8], target: &[u8]) -> Result<Vec<u8>, String> {
    let no_way = || {
        let (t, b) = (String::from_utf8_lossy(target), String::from_utf8_lossy(base));
        Err(format!("Rel: can't make {t} relative to {b}"))
    };
    let (from, to) = (clean(base), clean(target));
    if from == to {
        return Ok(b".".to_vec());
    }
    if is_abs(&from) != is_abs(&to) {
        return no_way();
    }
    fn parts(p: &[u8]) -> Vec<&[u8]> {
        p.split(|&b| b == b'/').filter(|e| !e.is_empty() && *e != b".").collect()
    }
    let (from, to) = (parts(&from), parts(&to));
    let same = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    if from.get(same) == Some(&&b".."[..]) {
        return no_way();
    }
    let mut all = vec![&b".."[..]; from.len() - same];
    all.extend_from_slice(&to[same..]);
    Ok(all.join(&b'/'))
}

/// Whether a shell pattern (`*`, `?`, `[a-z]`, `\`) matches the whole name; `*` and `?` do not cross slashes.
/// Source: `filepath.Match` on Unix; as there, a part of the pattern that matching never reaches is not checked for mistakes.
pub fn path_match(pattern: &[u8], name: &[u8]) -> Result<bool, BadPattern> {
    let (mut pattern, mut name) = (pattern, name);
    'pattern: while !pattern.is_empty() {
        let (star, chunk, rest) = scan_chunk(pattern);
        pattern = rest;
        if star && chunk.is_empty() {
            return Ok(!name.contains(&b'/'));
        }
        if let Some(t) = match_chunk(chunk, name)?
            && (t.is_empty() || !pattern.is_empty())
        {
            name = t;
            continue;
        }
        if star {
            let mut i = 0;
            while i < name.len() && name[i] != b'/' {
                i += 1;
                if let Some(t) = match_chunk(chunk, &name[i..])? {
                    // If this is the last chunk, the name must be used up.
                    if pattern.is_empty() && !t.is_empty() {
                        continue;
                    }
                    name = t;
                    continue 'pattern;
                }
            }
        }
        return Ok(false);
    }
    Ok(name.is_empty())
}

/// The next segment of a pattern: stars, then text up to the next star outside brackets.
fn scan_chunk(mut pattern: &[u8]) -> (bool, &[u8], &[u8]) {
    let mut star = false;
    while let Some(rest) = pattern.strip_prefix(b"*") {
        pattern = rest;
        star = true;
    }
    let mut in_range = false;
    let mut i = 0;
    while i < pattern.len() {
        match pattern[i] {
            b'\\' if i + 1 < pattern.len() => i += 1,
            b'[' => in_range = true,
            b']' => in_range = false,
            b'*' if !in_range => return (star, &pattern[..i], &pattern[i..]),
            _ => {}
        }
        i += 1;
    }
    (star, pattern, b"")
}

/// Matches a starless chunk at the start of `s`; what is left of `s`, or `None` for no match.
fn match_chunk<'a>(mut chunk: &[u8], mut s: &'a [u8]) -> Result<Option<&'a [u8]>, BadPattern> {
    // After a mismatch the chunk is still read to its end: it may be malformed.
    let mut failed = false;
    while let Some(&op) = chunk.first() {
        failed = failed || s.is_empty();
        match op {
            b'[' => {
                let mut c = '\0';
                if !failed {
                    let (r, n) = decode_rune(s);
                    c = r;
                    s = &s[n..];
                }
                chunk = &chunk[1..];
                let negated = chunk.first() == Some(&b'^');
                if negated {
                    chunk = &chunk[1..];
                }
                let (mut hit, mut ranges) = (false, 0);
                loop {
                    if chunk.first() == Some(&b']') && ranges > 0 {
                        chunk = &chunk[1..];
                        break;
                    }
                    let lo = range_end(&mut chunk)?;
                    let mut hi = lo;
                    if chunk.first() == Some(&b'-') {
                        chunk = &chunk[1..];
                        hi = range_end(&mut chunk)?;
                    }
                    hit |= lo <= c && c <= hi;
                    ranges += 1;
                }
                failed = failed || hit == negated;
            }
            b'?' => {
                if !failed {
                    failed = s[0] == b'/';
                    s = &s[decode_rune(s).1..];
                }
                chunk = &chunk[1..];
            }
            _ => {
                if op == b'\\' {
                    chunk = &chunk[1..];
                }
                let Some(&literal) = chunk.first() else { return Err(BadPattern) };
                if !failed {
                    failed = literal != s[0];
                    s = &s[1..];
                }
                chunk = &chunk[1..];
            }
        }
    }
    Ok((!failed).then_some(s))
}

/// One end of a character range, possibly escaped.
fn range_end(chunk: &mut &[u8]) -> Result<char, BadPattern> {
    if matches!(chunk.first(), None | Some(b'-' | b']')) {
        return Err(BadPattern);
    }
    if let Some(rest) = chunk.strip_prefix(b"\\") {
        *chunk = rest;
    }
    let (c, n) = decode_rune(chunk);
    if c == char::REPLACEMENT_CHARACTER && n <= 1 {
        return Err(BadPattern);
    }
    *chunk = &chunk[n..];
    // The closing bracket is still to come.
    if chunk.is_empty() { Err(BadPattern) } else { Ok(c) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cleans() {
        for (path, want) in [
            ("", "."),
            ("a//b", "a/b"),
            ("a/./b/..", "a"),
            ("../../a/..", "../.."),
            ("/../a", "/a"),
            ("/..", "/"),
            ("a/..", "."),
            ("a/../..", ".."),
            ("./a/", "a"),
            ("/a/b/../../..", "/"),
            ("a/b/../../../c", "../c"),
        ] {
            assert_eq!(String::from_utf8_lossy(&clean(path.as_bytes())), want, "{path}");
        }
    }

    #[test]
    fn confines() {
        for (path, want) in [
            ("", ""),
            ("..", ""),
            ("/a", "a"),
            ("../../a/./b/", "a/b"),
            ("a/../../b//c", "b/c"),
            ("a/../../../b/..", ""),
        ] {
            assert_eq!(confined(path), want, "{path}");
        }
    }

    #[test]
    fn takes_apart() {
        for (path, b, d, e) in [
            ("", ".", ".", ""),
            ("/", "/", "/", ""),
            ("a/b.c.d", "b.c.d", "a", ".d"),
            ("a/b/", "b", "a/b", ""),
            ("/a", "a", "/", ""),
            ("a.b/c", "c", "a.b", ""),
            ("..", "..", ".", "."),
        ] {
            assert_eq!(base(path.as_bytes()), b.as_bytes(), "base {path}");
            assert_eq!(dir(path.as_bytes()), d.as_bytes(), "dir {path}");
            assert_eq!(ext(path.as_bytes()), e.as_bytes(), "ext {path}");
        }
        assert_eq!(join(&["a", "", "../b"]), b"b");
        assert_eq!(join(&["", ""]), b"");
        assert_eq!(rel(b"a/b", b"a/c/d"), Ok(b"../c/d".to_vec()));
        assert_eq!(rel(b"/a", b"/a/b"), Ok(b"b".to_vec()));
        assert_eq!(rel(b"..", b"a"), Err("Rel: can't make a relative to ..".into()));
    }

    #[test]
    fn matches_as_the_shell() {
        for (pattern, name, want) in [
            ("abc", "abc", Ok(true)),
            ("*", "abc", Ok(true)),
            ("*c", "abc", Ok(true)),
            ("a*", "ab/c", Ok(false)),
            ("a*/b", "abc/b", Ok(true)),
            ("a*b*c*d*e*/f", "axbxcxdxexxx/f", Ok(true)),
            ("a[^a-z]c", "a1c", Ok(true)),
            ("a\\*", "a*", Ok(true)),
            ("a?b", "a☺b", Ok(true)),
            ("a[^a]b", "a☺b", Ok(true)),
            ("a???b", "a☺b", Ok(false)),
            ("[]a]", "]", Err(BadPattern)),
            ("[-]", "-", Err(BadPattern)),
            ("[x-]", "x", Err(BadPattern)),
            ("[a-b-c]", "a", Err(BadPattern)),
            ("[", "a", Err(BadPattern)),
            ("a[", "a", Err(BadPattern)),
            ("a[", "ab", Err(BadPattern)),
            ("*x", "xxx", Ok(true)),
            ("\\", "a", Err(BadPattern)),
            ("", "", Ok(true)),
        ] {
            assert_eq!(path_match(pattern.as_bytes(), name.as_bytes()), want, "{pattern} {name}");
        }
    }
}
