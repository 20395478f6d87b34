//! Digests: `sha1sum`, `sha256sum`, `sha512sum`, `adler32sum`, as in Sprig 3.3 `crypto.go`.

use data_encoding::HEXLOWER;
use sha2::Digest;

use crate::gotmpl::{FuncTable, pure};
use crate::value::Str;

pub fn register(table: &mut FuncTable) {
    table.add(pure("sha1sum", |s: Str| HEXLOWER.encode(&sha1::Sha1::digest(s.as_bytes()))));
    table.add(pure("sha256sum", |s: Str| HEXLOWER.encode(&sha2::Sha256::digest(s.as_bytes()))));
    table.add(pure("sha512sum", |s: Str| HEXLOWER.encode(&sha2::Sha512::digest(s.as_bytes()))));
    table.add(pure("adler32sum", |s: Str| adler32(&s).to_string()));
}

fn adler32(bytes: &[u8]) -> u32 {
    let (mut a, mut b) = (1u32, 0u32);
    // 5552 is the most bytes whose sums cannot overflow before the modulus is taken.
    for chunk in bytes.chunks(5552) {
        for &byte in chunk {
            a += u32::from(byte);
            b += a;
        }
        a %= 65_521;
        b %= 65_521;
    }
    b << 16 | a
}

#[cfg(test)]
mod tests {
    #[test]
    fn adler() {
        assert_eq!(super::adler32(b""), 1);
        assert_eq!(super::adler32(b"Wikipedia"), 300_286_872);
        assert_eq!(super::adler32(&[255; 100_000]), 345_649_196);
    }
}
