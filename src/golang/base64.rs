//! Go's `encoding/base64`, standard alphabet: what it accepts, and where it finds fault.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

const fn digit_of(b: u8) -> Option<u32> {
    Some(match b {
        b'A'..=b'Z' => b - b'A',
        b'a'..=b'z' => b - b'a' + 26,
        b'0'..=b'9' => b - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    } as u32)
}

/// Decodes, or says at which byte Go finds fault. Line ends count as bytes but not as data; leftover bits may be anything.
///
/// # Errors
/// The place of the first byte that does not fit.
pub fn decode(src: &[u8]) -> Result<Vec<u8>, usize> {
    // What programs write is plain; only the rest goes byte by byte.
    if let Ok(bytes) = STANDARD.decode(src) {
        return Ok(bytes);
    }
    let newline = |b: u8| b == b'\n' || b == b'\r';
    let mut out = Vec::with_capacity(src.len() / 4 * 3);
    let mut at = 0;
    'quanta: while at < src.len() {
        let (mut val, mut n) = (0u32, 0);
        let mut padded = false;
        while n < 4 {
            let Some(&b) = src.get(at) else {
                if n == 0 {
                    break 'quanta;
                }
                return Err(at - n);
            };
            at += 1;
            if let Some(digit) = digit_of(b) {
                val = val << 6 | digit;
                n += 1;
                continue;
            }
            if newline(b) {
                continue;
            }
            if b != b'=' || n < 2 {
                return Err(at - 1);
            }
            let skip = |at: &mut usize| {
                while src.get(*at).is_some_and(|b| newline(*b)) {
                    *at += 1;
                }
            };
            if n == 2 {
                skip(&mut at);
                match src.get(at) {
                    None => return Err(src.len()),
                    Some(b'=') => at += 1,
                    Some(_) => return Err(at - 1),
                }
            }
            skip(&mut at);
            if at < src.len() {
                // Garbage after the padding.
                return Err(at);
            }
            padded = true;
            break;
        }
        val <<= 6 * (4 - n);
        let bytes = val.to_be_bytes();
        out.extend_from_slice(&bytes[1..n.max(1)]);
        if padded {
            break;
        }
    }
    Ok(out)
}

/// With padding, without line ends.
pub fn encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}
