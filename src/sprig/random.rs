//! Chance: `randAlphaNum` and its kin, `randInt`, `shuffle`, `uuidv4`, `randBytes`.
//!
//! What they draw from is the host's, so that a pinned host makes a render repeatable. The sources are Sprig 3.3 `strings.go` and
//! `crypto.go`, `Masterminds/goutils` and `huandu/xstrings`; which bytes give which characters is our own.

use data_encoding::BASE64;

use crate::golang::unicode::runes;
use crate::gotmpl::{CallError, FuncTable, Host, Int, State, func};
use crate::value::Str;

pub fn register(table: &mut FuncTable) {
    table.add(func("randAlphaNum", |st: &mut State, n: Int| {
        characters(st, n, b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
    }));
    table.add(func("randAlpha", |st: &mut State, n: Int| {
        characters(st, n, b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
    }));
    table.add(func("randNumeric", |st: &mut State, n: Int| characters(st, n, b"0123456789")));
    table.add(func("randAscii", |st: &mut State, n: Int| {
        let printable: Vec<u8> = (32..127).collect();
        characters(st, n, &printable)
    }));
    table.add(func("randInt", rand_int));
    table.add(func("randBytes", rand_bytes));
    table.add(func("shuffle", shuffle));
    table.add(func("uuidv4", uuidv4));
}

/// A number below `n` ≥ 1, each as likely as any other.
pub(super) fn below(host: &dyn Host, n: u64) -> u64 {
    // Draws beyond the last whole multiple of `n` would favour small numbers.
    let last = u64::MAX - u64::MAX % n;
    loop {
        let mut buf = [0; 8];
        host.random(&mut buf);
        let x = u64::from_le_bytes(buf);
        if x < last {
            return x % n;
        }
    }
}

/// `count` characters of the alphabet; none if the count is negative, whose error Sprig drops.
fn characters(st: &mut State, count: Int, alphabet: &[u8]) -> Result<Vec<u8>, CallError> {
    let count = u64::try_from(count.0).unwrap_or(0);
    st.charge(count)?;
    // Bytes are drawn in blocks; those beyond a whole multiple of the alphabet are not used.
    let limit = 256 - 256 % alphabet.len().clamp(1, 256);
    let mut out = Vec::new();
    let mut block = [0; 256];
    while (out.len() as u64) < count {
        st.host.random(&mut block);
        let left = usize::try_from(count - out.len() as u64).unwrap_or(usize::MAX);
        let usable = block.iter().filter(|&&b| usize::from(b) < limit);
        out.extend(usable.map(|&b| alphabet[usize::from(b) % alphabet.len()]).take(left));
    }
    Ok(out)
}

fn rand_int(st: &mut State, min: Int, max: Int) -> Result<Int, CallError> {
    let n = max.0.wrapping_sub(min.0);
    if n <= 0 {
        return Err(CallError::msg("invalid argument to Intn"));
    }
    Ok(Int((below(&*st.host, n as u64) as i64).wrapping_add(min.0)))
}

fn rand_bytes(st: &mut State, count: Int) -> Result<String, CallError> {
    let n = usize::try_from(count.0).ok().filter(|&n| n <= 1 << 47);
    let n = n.ok_or_else(|| CallError::msg("runtime error: makeslice: len out of range"))?;
    st.charge(n as u64 * 4 / 3)?;
    let mut buf = vec![0; n];
    st.host.random(&mut buf);
    Ok(BASE64.encode(&buf))
}

/// Characters, not bytes, change places; a byte that is no UTF-8 becomes U+FFFD, as in Go's `[]rune`.
fn shuffle(st: &mut State, s: Str) -> Result<String, CallError> {
    st.charge(s.len() as u64 * 3)?;
    let mut all: Vec<char> = runes(&s).map(|(_, c, _)| c).collect();
    for i in (1..all.len()).rev() {
        all.swap(i, below(&*st.host, i as u64 + 1) as usize);
    }
    Ok(all.into_iter().collect())
}

fn uuidv4(st: &mut State) -> String {
    let mut b = [0u8; 16];
    st.host.random(&mut b);
    b[6] = b[6] & 0x0f | 0x40;
    b[8] = b[8] & 0x3f | 0x80;
    let hex = data_encoding::HEXLOWER.encode(&b);
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::gotmpl::{FixedHost, Limits};

    fn state() -> State {
        State::new(Arc::new(FixedHost::new(0, 7)), Limits::default())
    }

    #[test]
    fn shapes() {
        let st = &mut state();
        let text = characters(st, Int(1000), b"0123456789").unwrap();
        assert!(text.len() == 1000 && text.iter().all(u8::is_ascii_digit));
        assert!((b'0'..=b'9').all(|d| text.contains(&d)));
        assert_eq!(characters(st, Int(-1), b"ab").unwrap(), b"");
        let id = uuidv4(st);
        assert_eq!((id.len(), &id[14..15]), (36, "4"));
        assert_eq!(rand_bytes(st, Int(16)).unwrap().len(), 24);
        for _ in 0..100 {
            let n = rand_int(st, Int(-2), Int(3)).unwrap().0;
            assert!((-2..3).contains(&n));
        }
        assert!(matches!(rand_int(st, Int(3), Int(3)), Err(CallError::Msg(m)) if m == "invalid argument to Intn"));
        assert!(matches!(characters(st, Int(1 << 40), b"ab"), Err(CallError::Limit(_))));
    }

    #[test]
    fn shuffles_characters() {
        let st = &mut state();
        let mut s: Vec<char> = shuffle(st, "añb€".into()).unwrap().chars().collect();
        s.sort_unstable();
        assert_eq!(s, ['a', 'b', 'ñ', '€']);
    }
}
