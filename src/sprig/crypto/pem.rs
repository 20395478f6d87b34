//! PEM blocks, read with the leniency and the limits of Go 1.26's `encoding/pem`.

use data_encoding::BASE64;

use super::super::encoding::base64;

const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"\n-----END ";
const DASHES: &[u8] = b"-----";

/// A block: what stands between `BEGIN` and `-----`, and the bytes. Headers are read over.
#[derive(Debug, PartialEq, Eq)]
pub struct Block {
    pub kind: Vec<u8>,
    pub bytes: Vec<u8>,
}

/// `pem.EncodeToMemory` of a block without headers.
pub fn encode(kind: &str, bytes: &[u8]) -> String {
    let text = BASE64.encode(bytes);
    let mut out = format!("-----BEGIN {kind}-----\n");
    // Base64 is ASCII: every 64 bytes are 64 characters.
    for line in text.as_bytes().chunks(64) {
        out.extend(line.iter().copied().map(char::from));
        out.push('\n');
    }
    out.push_str(&format!("-----END {kind}-----\n"));
    out
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|w| w == what)
}

fn find_last(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).rposition(|w| w == what)
}

/// A line without its end and trailing blanks, and how much of the text it took.
fn line(text: &[u8]) -> (&[u8], usize) {
    let (end, taken) = match text.iter().position(|&b| b == b'\n') {
        Some(i) => (if i > 0 && text[i - 1] == b'\r' { i - 1 } else { i }, i + 1),
        None => (text.len(), text.len()),
    };
    let mut line = &text[..end];
    while let Some((b' ' | b'\t', rest)) = line.split_last() {
        line = rest;
    }
    (line, taken)
}

/// `pem.Decode`: the first whole block of the text, whatever stands around it.
pub fn decode(text: &[u8]) -> Option<Block> {
    let mut rest = text;
    let mut skip = 0;
    loop {
        rest = rest.get(skip..)?;
        // The first end, and the last beginning before it: beginnings without an end are passed over.
        let end = find(rest, END)?;
        skip = end + END.len();
        let Some(begin) = find_last(&rest[..end], BEGIN) else { continue };
        if begin > 0 && rest[begin - 1] != b'\n' {
            continue;
        }
        let (block, after) = rest.split_at(skip);
        let body = block[begin + BEGIN.len()..].len() - END.len();
        let here = &rest[begin + BEGIN.len()..];
        if let Some(found) = block_at(here, body, after) {
            return Some(found);
        }
    }
}

/// The block whose type begins `text`, whose `\n-----END ` stands at `end`, and whose closing type begins `trailer`.
fn block_at(text: &[u8], end: usize, trailer: &[u8]) -> Option<Block> {
    let (first, mut at) = line(text);
    let kind = first.strip_suffix(DASHES)?;
    let mut headers = false;
    loop {
        let rest = text.get(at..).filter(|r| !r.is_empty())?;
        let (header, taken) = line(rest);
        if !header.contains(&b':') {
            break;
        }
        headers = true;
        at += taken;
    }
    // An empty block's end begins with the newline that ends its first line.
    if headers && at > end {
        return None;
    }
    let close = trailer.get(..kind.len() + DASHES.len())?;
    if !close.starts_with(kind) || !close.ends_with(DASHES) {
        return None;
    }
    if !line(&trailer[close.len()..]).0.is_empty() {
        return None;
    }
    let data = text.get(at..end).unwrap_or_default();
    let data: Vec<u8> = data.iter().copied().filter(|b| !matches!(b, b' ' | b'\t')).collect();
    Some(Block { kind: kind.to_vec(), bytes: base64(&data).ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let bytes: Vec<u8> = (0..100).collect();
        let text = encode("THING", &bytes);
        assert_eq!(text.lines().map(str::len).max(), Some(64));
        let found = decode(format!("noise\n{text}more").as_bytes()).unwrap();
        assert_eq!((found.kind, found.bytes), (b"THING".to_vec(), bytes));
    }

    #[test]
    fn reads_as_go() {
        for (text, want) in [
            ("-----BEGIN A-----\n-----END A-----", Some(("A", ""))),
            ("-----BEGIN A-----\nh: v\n\nAAEC\n-----END A-----\n", Some(("A", "\0\x01\x02"))),
            ("-----BEGIN A-----\r\nAA EC\r\n-----END A-----\r\n", Some(("A", "\0\x01\x02"))),
            ("-----BEGIN B-----\n-----BEGIN A-----\nAAEC\n-----END A-----", Some(("A", "\0\x01\x02"))),
            ("-----BEGIN A-----\nAAEC\n-----END B-----\n", None),
            ("-----BEGIN A-----\n!!!!\n-----END A-----\n", None),
            ("x-----BEGIN A-----\nAAEC\n-----END A-----\n", None),
            ("-----BEGIN A-----\nAAEC\n-----END A-----x\n", None),
            ("-----BEGIN A-----", None),
            ("", None),
        ] {
            let got = decode(text.as_bytes());
            let want = want.map(|(k, b)| Block { kind: k.as_bytes().to_vec(), bytes: b.as_bytes().to_vec() });
            assert_eq!(got, want, "{text:?}");
        }
    }
}
