//! The two primes of an RSA key, which are nearly all of the work of making one, found on two threads.
//!
//! How many numbers have to be tried for a prime is chance: were each thread to look for one prime, the lucky one would wait for half of
//! the time. So both look for the same, every other number each.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};

use crypto_primes::hazmat::SmallFactorsSieve;
use crypto_primes::{Flavor, is_prime};
use rsa::BoxedUint;

use crate::gotmpl::{Host, apart, let_go};

/// Two primes whose product has exactly so many bits; `None` for sizes that are not made here.
///
/// The host gives a start for each prime, in order: a host that repeats itself gets the same key again, on however many cores.
pub fn pair(host: &dyn Host, key_bits: usize) -> Option<[BoxedUint; 2]> {
    let bits = u32::try_from(key_bits / 2)
        .ok()
        .filter(|_| key_bits.is_multiple_of(128) && (1024..=16_384).contains(&key_bits))?;
    let bits = NonZeroU32::new(bits)?;
    loop {
        let searches = [(); 2].map(|()| Search::new(host, bits));
        let work = |turn| searches.each_ref().map(|search| search.turn(turn));
        let [mine, others] = std::thread::scope(|scope| {
            let other = std::thread::Builder::new().spawn_scoped(scope, apart(|| work(1)));
            let_go();
            let mine = work(0);
            // Where no thread can be had this one looks at all numbers.
            let others = other.map_or_else(
                |_| work(1),
                |thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            );
            [mine, others]
        });
        let first = |(a, b): (Option<Found>, Option<Found>)| a.into_iter().chain(b).min_by_key(|(at, _)| *at);
        let mut primes = mine.into_iter().zip(others).filter_map(first).map(|(_, prime)| prime);
        // Where there is none up to the next power of two, the search begins elsewhere.
        let (Some(p), Some(q)) = (primes.next(), primes.next()) else { continue };
        // FIPS 186-5 wants a difference in the first 100 bits.
        if p.to_be_bytes().get(..12) != q.to_be_bytes().get(..12) {
            return Some([p, q]);
        }
    }
}

/// A prime, and how many numbers lie between it and the start.
type Found = (usize, BoxedUint);

/// The search for one prime.
struct Search {
    start: BoxedUint,
    bits: NonZeroU32,
    /// The place of the first prime, as far as is known.
    first: AtomicUsize,
}

impl Search {
    /// From a random number with its first two bits set, so that the product of two primes has all its bits.
    fn new(host: &dyn Host, bits: NonZeroU32) -> Self {
        let mut bytes = vec![0; bits.get() as usize / 8];
        host.random(&mut bytes);
        if let [first, .., last] = &mut bytes[..] {
            *first |= 0xc0;
            *last |= 1;
        }
        Self { start: BoxedUint::from_be_slice_vartime(&bytes), bits, first: AtomicUsize::new(usize::MAX) }
    }

    /// The first prime among every other number; nothing if it cannot be the first of all.
    fn turn(&self, turn: usize) -> Option<Found> {
        let numbers = SmallFactorsSieve::new(self.start.clone(), self.bits, false).ok()?;
        for (at, n) in numbers.enumerate().filter(|(at, _)| at % 2 == turn) {
            if at > self.first.load(Ordering::Relaxed) {
                return None;
            }
            if is_prime(Flavor::Any, &n) {
                self.first.fetch_min(at, Ordering::Relaxed);
                return Some((at, n));
            }
        }
        None
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
