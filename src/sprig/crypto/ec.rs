//! ECDSA over the curves that no crate of ours has: P-224, P-384 and P-521, for keys that a chart brings along.
//!
//! Plain affine arithmetic on big integers, with one inversion per step. It takes milliseconds, not microseconds, and its time
//! depends on the key: it signs a certificate in a render, it must not answer requests. P-256, which Sprig generates, is done by the
//! `p256` crate.

use num_bigint::BigUint;

use crate::gotmpl::Host;

/// A prime curve with a = -3.
pub struct Curve {
    pub bits: usize,
    /// The object identifier's content bytes.
    pub oid: &'static [u8],
    p: &'static str,
    n: &'static str,
    gx: &'static str,
    gy: &'static str,
}

pub static P224: Curve = Curve {
    bits: 224,
    oid: &[0x2b, 0x81, 0x04, 0x00, 0x21],
    p: "ffffffffffffffffffffffffffffffff000000000000000000000001",
    n: "ffffffffffffffffffffffffffff16a2e0b8f03e13dd29455c5c2a3d",
    gx: "b70e0cbd6bb4bf7f321390b94a03c1d356c21122343280d6115c1d21",
    gy: "bd376388b5f723fb4c22dfe6cd4375a05a07476444d5819985007e34",
};
pub static P384: Curve = Curve {
    bits: 384,
    oid: &[0x2b, 0x81, 0x04, 0x00, 0x22],
    p: "fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffeffffffff0000000000000000ffffffff",
    n: "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973",
    gx: "aa87ca22be8b05378eb1c71ef320ad746e1d3b628ba79b9859f741e082542a385502f25dbf55296c3a545e3872760ab7",
    gy: "3617de4a96262c6f5d9e98bf9292dc29f8f41dbd289a147ce9da3113b5f0b8c00a60b1ce1d7e819d7a431d7c90ea0e5f",
};
pub static P521: Curve = Curve {
    bits: 521,
    oid: &[0x2b, 0x81, 0x04, 0x00, 0x23],
    p: concat!(
        "01ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
    ),
    n: concat!(
        "01ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "fa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409"
    ),
    gx: concat!(
        "00c6858e06b70404e9cd9e3ecb662395b4429c648139053fb521f828af606b4d3d",
        "baa14b5e77efe75928fe1dc127a2ffa8de3348b3c1856a429bf97e7e31c2e5bd66"
    ),
    gy: concat!(
        "011839296a789a3bc0045c8a5fb42c7d1bd998f54449579b446817afbd17273e66",
        "2c97ee72995ef42640c550b9013fad0761353c7086a272c24088be94769fd16650"
    ),
};

fn number(hex: &str) -> BigUint {
    // The constants above are hexadecimal.
    BigUint::parse_bytes(hex.as_bytes(), 16).unwrap_or_default()
}

/// Big-endian, filled up with zeros to `len` bytes.
pub fn fixed(n: &BigUint, len: usize) -> Vec<u8> {
    let bytes = n.to_bytes_be();
    let mut out = vec![0; len.saturating_sub(bytes.len())];
    out.extend_from_slice(&bytes);
    out
}

type Point = Option<(BigUint, BigUint)>;

/// A curve's numbers.
struct Numbers {
    p: BigUint,
    n: BigUint,
    g: Point,
}

impl Numbers {
    fn of(curve: &Curve) -> Self {
        Self { p: number(curve.p), n: number(curve.n), g: Some((number(curve.gx), number(curve.gy))) }
    }

    fn minus(&self, a: &BigUint, b: &BigUint) -> BigUint {
        ((a + &self.p) - b) % &self.p
    }

    /// The point where the line of the given slope through both points meets the curve, mirrored.
    fn along(&self, slope: &BigUint, (x1, y1): &(BigUint, BigUint), x2: &BigUint) -> Point {
        let x = self.minus(&self.minus(&(slope * slope % &self.p), x1), x2);
        let y = self.minus(&(slope * self.minus(x1, &x) % &self.p), y1);
        Some((x, y))
    }

    fn add(&self, a: &Point, b: &Point) -> Point {
        let ((x1, y1), (x2, y2)) = match (a, b) {
            (None, other) | (other, None) => return other.clone(),
            (Some(a), Some(b)) => (a, b),
        };
        let slope = if x1 == x2 {
            if y1 != y2 || *y1 == BigUint::ZERO {
                return None;
            }
            let top = self.minus(&(BigUint::from(3u8) * x1 * x1 % &self.p), &BigUint::from(3u8));
            top * (BigUint::from(2u8) * y1).modinv(&self.p)? % &self.p
        } else {
            self.minus(y2, y1) * self.minus(x2, x1).modinv(&self.p)? % &self.p
        };
        self.along(&slope, &(x1.clone(), y1.clone()), x2)
    }

    fn multiply_base(&self, k: &BigUint) -> Point {
        let mut sum = None;
        for i in (0..k.bits()).rev() {
            sum = self.add(&sum, &sum);
            if k.bit(i) {
                sum = self.add(&sum, &self.g);
            }
        }
        sum
    }
}

impl Curve {
    /// Length of a coordinate in bytes.
    pub const fn size(&self) -> usize {
        self.bits.div_ceil(8)
    }

    /// The uncompressed public point of a private key. `None` if the key is not between 1 and the order.
    pub fn public(&self, key: &[u8]) -> Option<Vec<u8>> {
        let numbers = Numbers::of(self);
        let d = BigUint::from_bytes_be(key);
        if d >= numbers.n {
            return None;
        }
        let (x, y) = numbers.multiply_base(&d)?;
        Some([&[4][..], &fixed(&x, self.size()), &fixed(&y, self.size())].concat())
    }

    /// r and s of the ECDSA signature of a digest.
    pub fn sign(&self, host: &dyn Host, key: &[u8], digest: &[u8]) -> (BigUint, BigUint) {
        let numbers = Numbers::of(self);
        let n = &numbers.n;
        let d = BigUint::from_bytes_be(key);
        // The leftmost bits of the digest, as many as the order has.
        let extra = (digest.len() * 8).saturating_sub(self.bits);
        let z = BigUint::from_bytes_be(digest) >> extra;
        loop {
            let mut nonce = vec![0; self.size() + 8];
            host.random(&mut nonce);
            let k = BigUint::from_bytes_be(&nonce) % n;
            let Some((x, _)) = numbers.multiply_base(&k) else { continue };
            let (r, Some(inverse)) = (x % n, k.modinv(n)) else { continue };
            let s = inverse * (&z + &r * &d) % n;
            if r != BigUint::ZERO && s != BigUint::ZERO {
                return (r, s);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha512};

    use super::*;
    use crate::gotmpl::FixedHost;

    impl Numbers {
        fn multiply(&self, k: &BigUint, point: &Point) -> Point {
            let at = Self { p: self.p.clone(), n: self.n.clone(), g: point.clone() };
            at.multiply_base(k)
        }
    }

    #[test]
    fn signatures_verify() {
        let host = FixedHost::new(0, 5);
        for curve in [&P224, &P384, &P521] {
            let numbers = Numbers::of(curve);
            let key = vec![7; curve.size() - 1];
            let public = curve.public(&key).unwrap();
            let (x, y) = public[1..].split_at(curve.size());
            let q = Some((BigUint::from_bytes_be(x), BigUint::from_bytes_be(y)));
            let digest = Sha512::digest(b"message");
            let (r, s) = curve.sign(&host, &key, &digest);
            let n = &numbers.n;
            let z = BigUint::from_bytes_be(&digest) >> 512usize.saturating_sub(curve.bits);
            let w = s.modinv(n).unwrap();
            let (u1, u2) = (z * &w % n, &r * &w % n);
            let sum = numbers.add(&numbers.multiply_base(&u1), &numbers.multiply(&u2, &q));
            assert_eq!(sum.unwrap().0 % n, r, "P-{}", curve.bits);
            assert!(curve.public(&vec![0xff; curve.size()]).is_none());
            assert!(curve.public(&[0]).is_none());
        }
    }
}
