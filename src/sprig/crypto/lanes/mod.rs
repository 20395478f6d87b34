//! Tests of eight large numbers at once, side by side in the lanes of vectors: with AVX-512 IFMA (Intel's since Ice Lake, AMD's since Zen 4) a
//! number costs less than a ninth of what it costs the libraries. A CPU without it gets no answer from here.
//!
//! A search for a prime of an RSA key tries some forty numbers. [`may_be_prime`] tells nearly all of them composite; the one that is left is
//! put to [`is_prime`].

#[cfg(target_arch = "x86_64")]
mod fermat;
#[cfg(target_arch = "x86_64")]
mod modulus;
#[cfg(target_arch = "x86_64")]
mod strong;

/// How many numbers are asked at once.
pub const LANES: usize = 8;

/// For each number whether it may be prime: a prime always may, and another hardly ever. The numbers are odd, have their words from the
/// lowest, and all have so many bits, the first two set.
///
/// `None` if it can't be told here: the CPU has not the instructions, or primes of that size are rare.
pub fn may_be_prime(numbers: &[&[u64]; LANES], bits: u32) -> Option<[bool; LANES]> {
    #[cfg(target_arch = "x86_64")]
    return fermat::may_be_prime(numbers, bits);
    #[cfg(not(target_arch = "x86_64"))]
    return None;
}

/// How many bytes of chance [`is_prime`] needs for a number of so many bits.
pub const fn chance(bits: u32) -> usize {
    LANES * bits as usize / 8
}

/// Whether a number, of the same kind as those above, is prime, as far as keys need to know; `None` as above.
pub fn is_prime(number: &[u64], bits: u32, chance: &[u8]) -> Option<bool> {
    #[cfg(target_arch = "x86_64")]
    return strong::is_prime(number, bits, chance);
    #[cfg(not(target_arch = "x86_64"))]
    return None;
}

#[cfg(test)]
mod tests {
    use super::*;
    use num_bigint::BigUint;

    /// An odd number with its first two bits set, of chance that comes again.
    fn number(bits: u32, seed: &mut u64) -> BigUint {
        let words = (0..bits / 32).map(|_| {
            *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (*seed >> 32) as u32
        });
        let mut n = BigUint::new(words.collect());
        for bit in [0, bits - 1, bits - 2] {
            n.set_bit(bit.into(), true);
        }
        n
    }

    fn ask(numbers: &[BigUint; LANES], bits: u32) -> Option<[bool; LANES]> {
        let words = numbers.each_ref().map(BigUint::to_u64_digits);
        may_be_prime(&words.each_ref().map(Vec::as_slice), bits)
    }

    /// What the theorem says, by arithmetic that is not ours.
    fn fermat(n: &BigUint) -> bool {
        BigUint::from(2_u32).modpow(&(n - 1_u32), n) == BigUint::from(1_u32)
    }

    fn here() -> bool {
        #[cfg(target_arch = "x86_64")]
        return is_x86_feature_detected!("avx512ifma");
        #[cfg(not(target_arch = "x86_64"))]
        return false;
    }

    #[test]
    fn primes_may_be_and_no_others() {
        let here = here();
        // The largest primes of their sizes.
        for (bits, below) in [(512, 569), (1024, 105), (1536, 3453), (2048, 1_942_289_u32)] {
            let mut seed = u64::from(bits);
            let top = BigUint::from(1_u32) << bits;
            let mut primes = Vec::new();
            let mut numbers: [_; LANES] = std::array::from_fn(|_| number(bits, &mut seed));
            for (lane, n) in numbers.iter_mut().enumerate() {
                // Some lanes hold primes, where one is soon found.
                while bits == 512 && lane % 3 == 0 && !fermat(n) {
                    *n += 2_u32;
                }
                primes.push(fermat(n));
            }
            assert_eq!(ask(&numbers, bits).map(Vec::from), here.then_some(primes), "{bits} bits");
            let edges: [_; LANES] = std::array::from_fn(|lane| match lane {
                0 => &top - 1_u32,
                1 => &top - below,
                2 => (&top >> 1) + (&top >> 2) + 1_u32,
                _ => &top - (2 * lane as u32 + 1),
            });
            let expected = edges.each_ref().map(fermat);
            assert!(expected[1], "{bits} bits");
            assert_eq!(ask(&edges, bits), here.then_some(expected), "{bits} bits");
        }
    }

    #[test]
    fn primes_pass_and_no_others() {
        // The largest primes of their sizes; less one more, products of two primes, and others of chance.
        for (bits, below) in [(512, 569), (1024, 105), (1536, 3453), (2048, 1_942_289_u32)] {
            let mut seed = u64::from(bits);
            let mut ask = |n: &BigUint| {
                let bytes: Vec<u8> = (0..LANES).flat_map(|_| number(bits, &mut seed).to_bytes_le()).collect();
                assert_eq!(bytes.len(), chance(bits));
                is_prime(&n.to_u64_digits(), bits, &bytes)
            };
            let top = BigUint::from(1_u32) << bits;
            let prime = &top - below;
            let half = (BigUint::from(1_u32) << (bits / 2)) - 1_u32;
            for (n, want) in [(prime.clone(), true), (&prime - 2_u32, false), (&half * &half, false)] {
                assert_eq!(ask(&n), here().then_some(want), "{bits} bits, {n}");
            }
        }
    }

    /// What Fermat's test can't tell, this one does: the product of primes p and 2·p − 1 passes the former for every other base.
    #[test]
    fn pseudoprimes_do_not_pass() {
        let mut seed = 1;
        let (p, q) = std::iter::repeat_with(|| number(252, &mut seed) + (BigUint::from(0b1010_u32) << 252))
            .map(|p: BigUint| (p.clone(), p * 2_u32 - 1_u32))
            .find(|(p, q)| fermat(p) && fermat(q))
            .unwrap();
        let n = p * q;
        assert!(n.bit(511) && n.bit(510) && n.bits() == 512);
        let passes = (2_u32..40).filter(|base| BigUint::from(*base).modpow(&(&n - 1_u32), &n) == BigUint::from(1_u32));
        assert!(passes.count() > 5);
        let bytes: Vec<u8> = (0..LANES).flat_map(|_| number(512, &mut seed).to_bytes_le()).collect();
        assert_eq!(is_prime(&n.to_u64_digits(), 512, &bytes), here().then_some(false));
    }
}
