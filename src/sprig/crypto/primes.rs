//! The two primes of an RSA key, which are nearly all of the work of making one, found side by side on two threads.

use std::num::NonZeroU32;

use crypto_primes::hazmat::SmallFactorsSieve;
use crypto_primes::{Flavor, is_prime};
use rand::{RngCore, SeedableRng, rngs::StdRng};
use rsa::BoxedUint;

use crate::gotmpl::{Host, apart, let_go};

/// Two primes whose product has exactly so many bits; `None` for sizes that are not made here.
///
/// The host gives each thread a seed, in order: a host that repeats itself gets the same key again.
pub fn pair(host: &dyn Host, key_bits: usize) -> Option<[BoxedUint; 2]> {
    let bits = u32::try_from(key_bits / 2)
        .ok()
        .filter(|_| key_bits.is_multiple_of(128) && (1024..=16_384).contains(&key_bits))?;
    let bits = NonZeroU32::new(bits)?;
    loop {
        let [first, second] = [(); 2].map(|()| {
            let mut seed = [0; 32];
            host.random(&mut seed);
            seed
        });
        let [p, q] = std::thread::scope(|scope| {
            let other = std::thread::Builder::new().spawn_scoped(scope, apart(|| prime(bits, second)));
            let_go();
            let p = prime(bits, first);
            // Where no thread can be had this one finds both.
            let q = other.map_or_else(
                |_| prime(bits, second),
                |thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            );
            [p, q]
        });
        // FIPS 186-5 wants a difference in the first 100 bits.
        if p.to_be_bytes().get(..12) != q.to_be_bytes().get(..12) {
            return Some([p, q]);
        }
    }
}

/// A prime with its first two bits set, so that the product of two has all its bits.
fn prime(bits: NonZeroU32, seed: [u8; 32]) -> BoxedUint {
    let mut rng = StdRng::from_seed(seed);
    let mut bytes = vec![0; bits.get() as usize / 8];
    loop {
        rng.fill_bytes(&mut bytes);
        if let [first, .., last] = &mut bytes[..] {
            *first |= 0xc0;
            *last |= 1;
        }
        let start = BoxedUint::from_be_slice_vartime(&bytes);
        let sieve = SmallFactorsSieve::new(start, bits, false);
        if let Some(prime) = sieve.ok().and_then(|mut s| s.find(|n| is_prime(Flavor::Any, n))) {
            return prime;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gotmpl::FixedHost;
    use num_bigint::BigUint;

    #[test]
    fn keys_have_all_their_bits_and_come_again() {
        let keys = [1, 1, 2].map(|seed| {
            let pair = pair(&FixedHost::new(0, seed), 1024).unwrap();
            pair.map(|n| BigUint::from_bytes_be(&n.to_be_bytes()))
        });
        assert_eq!(keys[0], keys[1]);
        assert_ne!(keys[0], keys[2]);
        for [p, q] in &keys {
            assert_eq!((p * q).bits(), 1024);
            for n in [p, q] {
                let two = BigUint::from(2_u32);
                assert_eq!(two.modpow(&(n - 1_u32), n), BigUint::from(1_u32));
            }
        }
        assert!([0, 512, 1000, 1 << 20].iter().all(|bits| pair(&FixedHost::new(0, 1), *bits).is_none()));
    }
}
