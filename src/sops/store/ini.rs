//! INI documents, as gopkg.in/ini.v1 reads and writes them: sections (also of the same name), `=` or `:`, quotes of three kinds, continuations.

use super::{Error, scalar_text};
use crate::golang::strconv::quote;
use crate::sops::value::{Branch, Comment, Item, Key, Value};

const DEFAULT: &str = "DEFAULT";

fn trim(s: &[u8]) -> &[u8] {
    std::str::from_utf8(s).map_or_else(|_| s.trim_ascii(), |t| t.trim().as_bytes())
}

fn trim_start(s: &[u8]) -> &[u8] {
    std::str::from_utf8(s).map_or_else(|_| s.trim_ascii_start(), |t| t.trim_start().as_bytes())
}

fn find(s: &[u8], what: &[u8]) -> Option<usize> {
    s.windows(what.len()).position(|w| w == what)
}

fn rfind(s: &[u8], what: &[u8]) -> Option<usize> {
    s.windows(what.len()).rposition(|w| w == what)
}

fn any(s: &[u8], of: &[u8]) -> Option<usize> {
    s.iter().position(|b| of.contains(b))
}

fn part(s: &[u8], range: std::ops::Range<usize>) -> &[u8] {
    s.get(range).unwrap_or_default()
}

fn rest(s: &[u8], from: usize) -> &[u8] {
    s.get(from..).unwrap_or_default()
}

/// Lines with their line ends.
struct Lines<'a> {
    text: &'a [u8],
    number: usize,
}

impl<'a> Lines<'a> {
    fn next(&mut self) -> Option<&'a [u8]> {
        if self.text.is_empty() {
            return None;
        }
        self.number += 1;
        let end = self.text.iter().position(|b| *b == b'\n').map_or(self.text.len(), |i| i + 1);
        let (line, left) = self.text.split_at(end);
        self.text = left;
        Some(line)
    }
}

#[derive(Default)]
struct Section {
    name: Vec<u8>,
    comment: Vec<u8>,
    keys: Vec<(Vec<u8>, Vec<u8>, Vec<u8>)>,
}

fn wrong(text: String, number: usize, safe: &str) -> Error {
    Error::masked(1, text, format!("{safe} (line {number})"))
}

/// The key of a line, and where its value begins.
fn key_name(line: &[u8], number: usize) -> Result<(Vec<u8>, usize), Error> {
    let shown = || String::from_utf8_lossy(line).into_owned();
    let no_delimiter =
        || wrong(format!("key-value delimiter not found: {}", shown()), number, "key-value delimiter not found");
    let quoted: &[u8] = match line {
        [b'"', b'"', b'"', ..] if line.len() > 6 => b"\"\"\"",
        [b'"', ..] => b"\"",
        [b'`', ..] => b"`",
        _ => b"",
    };
    if quoted.is_empty() {
        return match any(line, b"=:") {
            None => Err(no_delimiter()),
            Some(0) => Err(wrong(format!("empty key name: {}", shown()), number, "empty key name")),
            Some(end) => Ok((trim(part(line, 0..end)).to_vec(), end + 1)),
        };
    }
    let start = quoted.len();
    let Some(end) = find(rest(line, start), quoted).map(|i| i + start) else {
        return Err(wrong(format!("missing closing key quote: {}", shown()), number, "missing closing key quote"));
    };
    let delimiter = any(rest(line, end + start), b"=:").ok_or_else(no_delimiter)?;
    Ok((trim(part(line, start..end)).to_vec(), end + delimiter + start + 1))
}

fn clean_comment(s: &[u8]) -> &[u8] {
    any(s, b"#;").map_or(b"", |i| rest(s, i))
}

fn surrounded(s: &[u8], quote: u8) -> bool {
    s.len() >= 2 && s.first() == Some(&quote) && rest(s, 1).iter().position(|b| *b == quote) == Some(s.len() - 2)
}

fn value(input: &[u8], lines: &mut Lines<'_>, comment: &mut Vec<u8>) -> Result<Vec<u8>, Error> {
    let line = trim_start(input);
    let quotes: &[u8] = match line {
        [b'"', b'"', b'"', _, ..] => b"\"\"\"",
        [b'`', ..] => b"`",
        [] => return Ok(Vec::new()),
        _ => b"",
    };
    if !quotes.is_empty() {
        let start = quotes.len();
        return match rfind(rest(line, start), quotes) {
            Some(end) => Ok(part(line, start..end + start).to_vec()),
            None => multi_line(line, rest(line, start), quotes, lines, comment),
        };
    }
    let mut line = trim(line);
    if let [before @ .., b'\\'] = line {
        return Ok(continued(before, lines));
    }
    if let Some(i) = any(line, b"#;") {
        comment.extend_from_slice(rest(line, i));
        line = trim(part(line, 0..i));
    }
    if surrounded(line, b'\'') || surrounded(line, b'"') {
        line = part(line, 1..line.len() - 1);
    }
    Ok(line.to_vec())
}

fn multi_line(
    line: &[u8],
    first: &[u8],
    quotes: &[u8],
    lines: &mut Lines<'_>,
    comment: &mut Vec<u8>,
) -> Result<Vec<u8>, Error> {
    let mut out = first.to_vec();
    loop {
        let next = lines.next().unwrap_or_default();
        if let Some(at) = rfind(next, quotes) {
            let behind = rest(next, at + quotes.len());
            let behind = std::str::from_utf8(behind).map_or(behind, |t| t.trim_end_matches(['\r', '\n']).as_bytes());
            if trim(behind).ends_with(b"\\") {
                out.extend_from_slice(next);
                continue;
            }
            out.extend_from_slice(part(next, 0..at));
            comment.extend_from_slice(trim(clean_comment(rest(next, at))));
            return Ok(out);
        }
        out.extend_from_slice(next);
        if !next.ends_with(b"\n") {
            let text = format!("missing closing key quote from {} to {}", quote(line), quote(next));
            return Err(wrong(text, lines.number, "missing closing quote of a value"));
        }
    }
}

fn continued(before: &[u8], lines: &mut Lines<'_>) -> Vec<u8> {
    let mut out = before.to_vec();
    loop {
        let next = trim(lines.next().unwrap_or_default());
        if next.is_empty() {
            return out;
        }
        out.extend_from_slice(next);
        if out.pop_if(|b| *b == b'\\').is_none() {
            return out;
        }
    }
}

fn parse(text: &[u8]) -> Result<Vec<Section>, Error> {
    let text = match text {
        [0xfe, 0xff, left @ ..] | [0xff, 0xfe, left @ ..] | [0xef, 0xbb, 0xbf, left @ ..] => left,
        _ => text,
    };
    let mut lines = Lines { text, number: 0 };
    let mut sections = vec![Section { name: DEFAULT.into(), ..Section::default() }];
    let (mut comment, mut count) = (Vec::new(), 1);
    while let Some(line) = lines.next() {
        let line = trim_start(line);
        match line {
            [] => continue,
            [b'#' | b';', ..] => {
                comment.extend_from_slice(line);
                continue;
            }
            [b'[', ..] => {
                let Some(close) = line.iter().rposition(|b| *b == b']') else {
                    let text = format!("unclosed section: {}", String::from_utf8_lossy(line));
                    return Err(wrong(text, lines.number, "unclosed section"));
                };
                let name = part(line, 1..close).to_vec();
                if name.is_empty() {
                    return Err(Error::new(1, "empty section name"));
                }
                comment.extend_from_slice(clean_comment(rest(line, close + 1)));
                sections.push(Section { name, comment: trim(&comment).to_vec(), keys: Vec::new() });
                comment.clear();
                count = 1;
                continue;
            }
            _ => {}
        }
        let (mut name, offset) = key_name(line, lines.number)?;
        if name == b"-" {
            name = format!("#{count}").into_bytes();
            count += 1;
        }
        let value = value(rest(line, offset), &mut lines, &mut comment)?;
        if name.is_empty() {
            return Err(Error::new(1, "error creating new key: empty key name"));
        }
        let key_comment = trim(&comment).to_vec();
        comment.clear();
        if let Some(section) = sections.last_mut() {
            match section.keys.iter_mut().find(|k| k.0 == name) {
                Some(key) => (key.1, key.2) = (value, key_comment),
                None => section.keys.push((name, value, key_comment)),
            }
        }
    }
    Ok(sections)
}

/// A comment without its first mark.
fn strip(comment: &[u8]) -> Vec<u8> {
    match comment.first() {
        Some(mark @ (b';' | b'#')) => {
            let n = comment.iter().take_while(|b| *b == mark || **b == b' ').count();
            rest(comment, n).to_vec()
        }
        _ => comment.to_vec(),
    }
}

pub fn load(text: &[u8]) -> Result<Vec<Branch>, Error> {
    let sections = parse(text).map_err(|e| e.context("Could not unmarshal input data: "))?;
    let comment = |text: &[u8]| Item::comment(Comment { text: strip(text).into(), inline: false });
    let mut branch = Vec::new();
    for section in sections {
        let mut items = Vec::new();
        if !section.comment.is_empty() {
            items.push(comment(&section.comment));
        }
        for (key, value, behind) in section.keys {
            items.push(Item { key: Key::Text(key), value: Value::text(value) });
            if !behind.is_empty() {
                items.push(comment(&behind));
            }
        }
        branch.push(Item { key: Key::Text(section.name), value: Value::Branch(items) });
    }
    Ok(vec![branch])
}

fn write_comment(comment: &[u8], trimmed: bool, out: &mut Vec<u8>) -> Result<(), Error> {
    if comment.is_empty() {
        return Ok(());
    }
    for line in comment.split(|b| *b == b'\n') {
        match line.split_first() {
            // The original crashes on an empty line of a comment.
            None => return Err(Error::new(2, "panic: runtime error: index out of range [0] with length 0")),
            Some((mark @ (b'#' | b';'), text)) => {
                out.extend_from_slice(&[*mark, b' ']);
                out.extend_from_slice(trim(text));
            }
            Some(_) => {
                out.extend_from_slice(b"; ");
                out.extend_from_slice(if trimmed { trim(line) } else { line });
            }
        }
        out.push(b'\n');
    }
    Ok(())
}

fn sections(branches: &[Branch]) -> Result<Vec<Section>, Error> {
    let mut out = Vec::new();
    for Item { key, value } in branches.iter().flatten() {
        let Key::Text(name) = key else { continue };
        let Value::Branch(items) = value else {
            return Err("Error encoding section: Section values should always be TreeBranches".to_owned().into());
        };
        if name.is_empty() {
            return Err("Error encoding section : empty section name".to_owned().into());
        }
        let mut section = Section { name: name.clone(), ..Section::default() };
        let mut last: Option<usize> = None;
        for (i, item) in items.iter().enumerate() {
            match &item.key {
                Key::Comment(c) if i == 0 => section.comment = c.text.as_bytes().to_vec(),
                Key::Comment(c) => {
                    if let Some(key) = last.and_then(|l| section.keys.get_mut(l)) {
                        key.2 = c.text.as_bytes().to_vec();
                    }
                }
                Key::Text(key) => {
                    if key.is_empty() {
                        return Err("Error encoding key: error creating new key: empty key name".to_owned().into());
                    }
                    let value = scalar_text(&item.value).as_bytes().to_vec();
                    last = Some(match section.keys.iter().position(|k| k.0 == *key) {
                        Some(at) => {
                            if let Some(old) = section.keys.get_mut(at) {
                                old.1 = value;
                            }
                            at
                        }
                        None => {
                            section.keys.push((key.clone(), value, Vec::new()));
                            section.keys.len() - 1
                        }
                    });
                }
                Key::Other { .. } => {}
            }
        }
        out.push(section);
    }
    Ok(out)
}

/// A key as it is written.
fn shown_key(key: &[u8]) -> Vec<u8> {
    if any(key, b"\"=:").is_some() {
        [b"`", key, b"`"].concat()
    } else if key.contains(&b'`') {
        [b"\"\"\"", key, b"\"\"\""].concat()
    } else {
        key.to_vec()
    }
}

pub fn emit(branches: &[Branch]) -> Result<Vec<u8>, Error> {
    emit_sections(branches).map_err(|e| e.context("Error marshaling to INI: "))
}

fn emit_sections(branches: &[Branch]) -> Result<Vec<u8>, Error> {
    let sections = sections(branches)?;
    let mut out = Vec::new();
    for (i, section) in sections.iter().enumerate() {
        write_comment(&section.comment, false, &mut out)?;
        if i > 0 || !section.name.eq_ignore_ascii_case(DEFAULT.as_bytes()) {
            out.push(b'[');
            out.extend_from_slice(&section.name);
            out.extend_from_slice(b"]\n");
        } else if section.keys.is_empty() {
            continue;
        }
        let width = section.keys.iter().map(|k| shown_key(&k.0).len()).max().unwrap_or(0);
        for (key, value, comment) in &section.keys {
            write_comment(comment, true, &mut out)?;
            let key = shown_key(key);
            out.extend_from_slice(&key);
            out.resize(out.len() + width.saturating_sub(key.len()), b' ');
            out.extend_from_slice(b" = ");
            let around: &[u8] = if any(value, b"\n`").is_some() {
                b"\"\"\""
            } else if any(value, b"#;").is_some() {
                b"`"
            } else if trim(value).len() != value.len() {
                b"\""
            } else {
                b""
            };
            for bytes in [around, value, around] {
                out.extend_from_slice(bytes);
            }
            out.push(b'\n');
        }
        if i + 1 < sections.len() {
            out.push(b'\n');
        }
    }
    Ok(out)
}
