//! The two primes of an RSA key, which are nearly all of the work of making one, found on two threads.
//!
//! How many numbers have to be tried for a prime is chance: were each thread to look for one prime, the lucky one would wait for half of
//! the time. So both look for the same, and take handfuls of numbers in turn. What they look for is a number that passes the quickest test,
//! as good as no composite does: the slow one is put in the end, to both numbers at once.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use crypto_primes::hazmat::{AStarBase, LucasCheck, MillerRabin, lucas_test};
use rsa::BoxedUint;

use super::lanes::{self, LANES};
use super::sieve::Sieve;
use crate::gotmpl::{Host, apart, let_go};

/// A number by its words, the lowest first.
pub type Words = Vec<u64>;

/// Two primes whose product has exactly so many bits; `None` for sizes that are not made here.
///
/// The host gives a start for each prime, in order: a host that repeats itself gets the same key again, on however many cores.
pub fn pair(host: &dyn Host, key_bits: usize) -> Option<[Words; 2]> {
    let bits = u32::try_from(key_bits / 2)
        .ok()
        .filter(|_| key_bits.is_multiple_of(128) && (1024..=16_384).contains(&key_bits))?;
    loop {
        let searches = [(); 2].map(|()| Search::new(host, bits));
        let [mine, others] = both(|thread| {
            if let Some(search) = searches.get(thread) {
                search.begin();
            }
            searches.each_ref().map(Search::find)
        });
        let first = |(a, b): (Option<Found>, Option<Found>)| a.into_iter().chain(b).min_by_key(|(at, _)| *at);
        let mut found = mine.into_iter().zip(others).filter_map(first).map(|(_, number)| number);
        // Where there is none up to the next power of two, the search begins elsewhere.
        let (Some(p), Some(q)) = (found.next(), found.next()) else { continue };
        // FIPS 186-5 wants a difference in the first 100 bits.
        let differ = high(&p) != high(&q);
        let pair = [(p, chance(host, bits)), (q, chance(host, bits))];
        let judge = |one: usize| pair.get(one).is_some_and(|(n, chance)| is_prime(n, bits, chance));
        if differ && both(judge) == [true; 2] {
            return Some(pair.map(|(n, _)| n));
        }
    }
}

/// The first 96 bits.
fn high(number: &Words) -> Option<(u64, u64)> {
    let [.., second, first] = number[..] else { return None };
    Some((first, second >> 32))
}

/// What a number is judged with; it is taken whether the CPU can do with it or not, so that a host's chance does not depend on the CPU.
fn chance(host: &dyn Host, bits: u32) -> Vec<u8> {
    let mut chance = vec![0; lanes::chance(bits)];
    host.random(&mut chance);
    chance
}

/// Of a number that passed Fermat's test or Miller and Rabin's to base 2, whether it is prime: by Miller and Rabin's to other bases, or by
/// Lucas's, as no number is known to pass that, too, and not to be prime (Baillie, Pomerance, Selfridge and Wagstaff).
fn is_prime(n: &Words, bits: u32, chance: &[u8]) -> bool {
    lanes::is_prime(n, bits, chance).unwrap_or_else(|| {
        let n = BoxedUint::from_words(n.iter().copied()).to_odd().into_option();
        n.is_some_and(|n| lucas_test(n, AStarBase, LucasCheck::Bpsw21).is_probably_prime())
    })
}

/// What work comes to for 0, on this thread, and for 1, on another where one can be had.
fn both<T: Send>(work: impl Fn(usize) -> T + Sync) -> [T; 2] {
    std::thread::scope(|scope| {
        let other = std::thread::Builder::new().spawn_scoped(scope, apart(|| work(1)));
        let_go();
        let mine = work(0);
        let others = other
            .map_or_else(|_| work(1), |thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        [mine, others]
    })
}

/// A number that seems prime, and how far it is from the start.
type Found = (usize, Words);

/// The search for one prime.
struct Search {
    start: Words,
    bits: u32,
    /// The numbers that have no small factor, from where they have not been looked at.
    numbers: Mutex<Option<Sieve>>,
    /// The place of the first that seems prime, as far as is known.
    first: AtomicUsize,
}

impl Search {
    /// From a random number with its first two bits set, so that the product of two primes has all its bits.
    fn new(host: &dyn Host, bits: u32) -> Self {
        let mut bytes = vec![0; bits as usize / 8];
        host.random(&mut bytes);
        if let [first, .., last] = &mut bytes[..] {
            *first |= 0xc0;
            *last |= 1;
        }
        let start = bytes.as_rchunks().1.iter().rev().map(|word| u64::from_be_bytes(*word)).collect();
        Self { start, bits, numbers: Mutex::default(), first: AtomicUsize::new(usize::MAX) }
    }

    /// Divides the start by the small primes, as long as no one else looks.
    fn begin(&self) {
        self.handful(0);
    }

    /// The next numbers.
    fn handful(&self, count: usize) -> Vec<Found> {
        let mut numbers = self.numbers.lock().unwrap_or_else(PoisonError::into_inner);
        numbers.get_or_insert_with(|| Sieve::new(self.start.clone())).take(count).collect()
    }

    /// The first of the numbers that were left to this thread; nothing if it cannot be the first of all.
    fn find(&self) -> Option<Found> {
        loop {
            let handful = self.handful(LANES);
            let (first, _) = handful.first()?;
            if *first > self.first.load(Ordering::Relaxed) {
                return None;
            }
            if let Some(found) = self.seems_prime(handful) {
                self.first.fetch_min(found.0, Ordering::Relaxed);
                return Some(found);
            }
        }
    }

    /// The first of them that passes a test which a prime passes always, and another number hardly ever.
    fn seems_prime(&self, handful: Vec<Found>) -> Option<Found> {
        let words = |lane: usize| handful.get(lane).or(handful.first()).map_or(&[][..], |(_, n)| &n[..]);
        let Some(answers) = lanes::may_be_prime(&std::array::from_fn(words), self.bits) else {
            let strong = |n: &Words| {
                let n = BoxedUint::from_words(n.iter().copied()).to_odd().into_option();
                n.is_some_and(|n| MillerRabin::new(n).test_base_two().is_probably_prime())
            };
            return handful.into_iter().find(|(_, n)| strong(n));
        };
        handful.into_iter().zip(answers).find(|(_, passes)| *passes).map(|(found, _)| found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gotmpl::FixedHost;
    use num_bigint::BigUint;

    #[test]
    fn keys_have_all_their_bits_and_come_again() {
        // Primes of 576 bits are told by the library alone.
        for bits in [1024, 1152] {
            let keys = [1, 1, 2].map(|seed| {
                let pair = pair(&FixedHost::new(0, seed), bits).unwrap();
                pair.map(|n| BigUint::from_bytes_le(&n.iter().flat_map(|w| w.to_le_bytes()).collect::<Vec<_>>()))
            });
            assert_eq!(keys[0], keys[1]);
            assert_ne!(keys[0], keys[2]);
            for [p, q] in &keys {
                assert_eq!((p * q).bits(), bits as u64);
                for n in [p, q] {
                    let two = BigUint::from(2_u32);
                    assert_eq!(two.modpow(&(n - 1_u32), n), BigUint::from(1_u32));
                }
            }
        }
        assert!([0, 512, 1000, 1 << 20].iter().all(|bits| pair(&FixedHost::new(0, 1), *bits).is_none()));
    }
}
