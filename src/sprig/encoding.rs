//! Base64 and base32 (Go's `encoding/base64` and `encoding/base32`, standard alphabets). A text that does not decode gives the
//! error's text as the result, as Sprig does.

use data_encoding::{BASE32, BASE64};

use crate::gotmpl::{CallError, FuncTable, State, func, pure};
use crate::value::Str;

pub fn register(table: &mut FuncTable) {
    table.add(func("b64enc", |st: &mut State, s: Str| {
        st.charge(s.len() as u64 / 3 * 4)?;
        Ok::<_, CallError>(BASE64.encode(&s))
    }));
    table.add(func("b32enc", |st: &mut State, s: Str| {
        st.charge(s.len() as u64 / 5 * 8)?;
        Ok::<_, CallError>(BASE32.encode(&s))
    }));
    table.add(pure("b64dec", |s: Str| {
        base64(&s).unwrap_or_else(|at| format!("illegal base64 data at input byte {at}").into_bytes())
    }));
    table.add(pure("b32dec", |s: Str| {
        base32(&s).unwrap_or_else(|at| format!("illegal base32 data at input byte {at}").into_bytes())
    }));
}

pub use crate::golang::base64::decode as base64;

const fn base32_digit(b: u8) -> Option<u64> {
    Some(match b {
        b'A'..=b'Z' => b - b'A',
        b'2'..=b'7' => b - b'2' + 26,
        _ => return None,
    } as u64)
}

/// As [`base64`], but Go drops line ends first, so that they do not count.
fn base32(src: &[u8]) -> Result<Vec<u8>, usize> {
    let all: Vec<u8> = src.iter().copied().filter(|b| *b != b'\n' && *b != b'\r').collect();
    let mut out = Vec::with_capacity(all.len() / 8 * 5);
    let mut src = &all[..];
    let mut end = false;
    while !src.is_empty() && !end {
        let (mut val, mut n) = (0u64, 0usize);
        while n < 8 {
            let Some((&b, rest)) = src.split_first() else {
                return Err(all.len() - n);
            };
            src = rest;
            if b == b'=' && n >= 2 && src.len() < 8 {
                if src.len() + n < 7 {
                    return Err(all.len());
                }
                for k in 0..7 - n {
                    if src.get(k).is_some_and(|b| *b != b'=') {
                        return Err(all.len() - src.len() + k - 1);
                    }
                }
                if matches!(n, 1 | 3 | 6) {
                    return Err(all.len() - src.len() - 1);
                }
                end = true;
                break;
            }
            let Some(digit) = base32_digit(b) else {
                return Err(all.len() - src.len() - 1);
            };
            val = val << 5 | digit;
            n += 1;
        }
        val <<= 5 * (8 - n);
        // Whole bytes of n digits.
        out.extend_from_slice(&val.to_be_bytes()[3..3 + n * 5 / 8]);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_as_go() {
        for (s, want) in [
            ("aGVsbG8=", Ok("hello")),
            ("aGVs\nbG8=\r\n", Ok("hello")),
            ("aGVsbA==", Ok("hell")),
            ("", Ok("")),
            ("\n", Ok("")),
            ("aGVsbG8", Err(4)),
            ("aGVs!G8=", Err(4)),
            ("aGVsbG8=x", Err(8)),
            ("aG=s", Err(2)),
            ("aG=", Err(3)),
            ("a===", Err(1)),
            ("=", Err(0)),
        ] {
            assert_eq!(base64(s.as_bytes()), want.map(|s: &str| s.as_bytes().to_vec()), "{s:?}");
        }
    }

    #[test]
    fn base32_as_go() {
        for (s, want) in [
            ("NBSWY3DP", Ok("hello")),
            ("NBSWY3A=", Ok("hell")),
            ("NBSW\nY3A=", Ok("hell")),
            ("NBSWY3A", Err(0)),
            ("nbswy3dp", Err(0)),
            ("NBSWY3==", Err(6)),
        ] {
            assert_eq!(base32(s.as_bytes()), want.map(|s: &str| s.as_bytes().to_vec()), "{s:?}");
        }
    }
}
