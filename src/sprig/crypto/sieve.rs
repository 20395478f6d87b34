//! The odd numbers from a large one on that have no small factor: one in thirty-six.
//!
//! How far to sieve is a matter of cost. A prime p spares 1/p of the tests to which the numbers are put that are left, and costs a division of
//! the start: up to 2^16 that is cheaper, where divisions are made in rows by the CPU's vectors.

/// The odd primes below 2^16, the last of them again until they fill rows.
static PRIMES: [u16; ROWS * ROW] = odd_primes();
const COUNT: usize = 6541;
const ROW: usize = 16;
const ROWS: usize = COUNT.div_ceil(ROW);

/// So many odd numbers are sieved at once. Few primes of 1,024 bits are so far from the one before.
const WINDOW: usize = 2048;

const fn odd_primes() -> [u16; ROWS * ROW] {
    // By halves: 3 is the first.
    let mut composite = [false; 1 << 15];
    let mut out = [0; ROWS * ROW];
    let (mut half, mut count) = (1, 0);
    while half < composite.len() {
        if !composite[half] {
            let prime = 2 * half + 1;
            out[count] = prime as u16;
            count += 1;
            let mut multiple = (prime * prime) / 2;
            while prime < 256 && multiple < composite.len() {
                composite[multiple] = true;
                multiple += prime;
            }
        }
        half += 1;
    }
    assert!(count == COUNT);
    while count < out.len() {
        out[count] = out[COUNT - 1];
        count += 1;
    }
    out
}

/// Gives each number with its distance from the start, up to those that have more words.
pub struct Sieve {
    /// An odd number, beyond all small primes; its lowest word is the first.
    start: Vec<u64>,
    /// The window, by halves of distances: where it begins, what has a factor in it, and how far it was looked through.
    begin: usize,
    composite: Vec<bool>,
    next: usize,
}

impl Sieve {
    pub fn new(start: Vec<u64>) -> Self {
        let composite = marked(&start);
        Self { start, begin: 0, composite, next: 0 }
    }

    /// A number at a distance; `None` if it does not fit.
    fn at(&self, distance: usize) -> Option<Vec<u64>> {
        let (mut number, mut carry) = (self.start.clone(), distance as u64);
        for word in &mut number {
            let over;
            (*word, over) = word.overflowing_add(carry);
            carry = over.into();
        }
        (carry == 0).then_some(number)
    }
}

impl Iterator for Sieve {
    type Item = (usize, Vec<u64>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let ahead = self.composite.get(self.next..).unwrap_or_default();
            if let Some(more) = ahead.iter().position(|composite| !composite) {
                let distance = 2 * (self.begin + self.next + more);
                self.next += more + 1;
                return Some((distance, self.at(distance)?));
            }
            self.begin += WINDOW;
            self.composite = marked(&self.at(2 * self.begin)?);
            self.next = 0;
        }
    }
}

/// Which of the odd numbers from a first on have a small factor.
fn marked(first: &[u64]) -> Vec<bool> {
    let digits: Vec<f64> = first.iter().rev().flat_map(|word| [(word >> 32) as f64, *word as u32 as f64]).collect();
    let mut nearest = [0; ROWS * ROW];
    pulp::Arch::new().dispatch(Nearest { digits: &digits, out: &mut nearest });
    let mut composite = vec![false; WINDOW];
    for (at, prime) in nearest.iter().zip(&PRIMES) {
        let multiples = composite.get_mut(*at as usize..).unwrap_or_default().iter_mut();
        multiples.step_by(usize::from(*prime)).for_each(|composite| *composite = true);
    }
    composite
}

/// For each prime, how many odd numbers there are before the first that it divides.
struct Nearest<'a> {
    /// Of 32 bits, the highest first.
    digits: &'a [f64],
    out: &'a mut [u32; ROWS * ROW],
}

impl pulp::NullaryFnOnce for Nearest<'_> {
    type Output = ();

    /// Long division with a digit of the primes, in floating point, exact as long as nothing has more than 53 bits: the rest is at most half of
    /// 16 bits, and below a digit of 32.
    #[inline(always)]
    fn call(self) {
        const DIGIT: f64 = (1_u64 << 32) as f64;
        // Above it there is no place for what follows the point.
        const ROUND: f64 = (3_u64 << 51) as f64;
        for (primes, out) in PRIMES.as_chunks::<ROW>().0.iter().zip(self.out.as_chunks_mut::<ROW>().0) {
            let primes = primes.map(f64::from);
            let inverse = primes.map(|prime| 1.0 / prime);
            let mut rest = [0.0; ROW];
            for digit in self.digits {
                for i in 0..ROW {
                    let dividend = rest[i] * DIGIT + digit;
                    let quotient = (dividend * inverse[i] + ROUND) - ROUND;
                    rest[i] = dividend - quotient * primes[i];
                }
            }
            for i in 0..ROW {
                let (rest, prime) = (rest[i] as i32, primes[i] as i32);
                // What is missing to the next multiple; to the next odd one if that is even.
                let missing = if rest > 0 { prime - rest } else { -rest };
                out[i] = ((missing + (missing & 1) * prime) / 2) as u32;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use num_bigint::BigUint;

    fn number(words: &[u64]) -> BigUint {
        BigUint::from_slice(&words.iter().flat_map(|w| [*w as u32, (w >> 32) as u32]).collect::<Vec<_>>())
    }

    /// Numbers of chance, of one bits, and of zeros between ones.
    fn starts() -> Vec<Vec<u64>> {
        let mut seed = 1_u64;
        let mut chance = |_| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            seed ^ seed >> 29 | 1
        };
        let mut all: Vec<Vec<u64>> =
            [8, 16, 32].into_iter().map(|words| (0..words).map(&mut chance).collect()).collect();
        all.push(vec![u64::MAX - 4000; 16]);
        all.push([&[1][..], &[0; 14], &[1 << 63]].concat());
        all
    }

    #[test]
    fn what_is_left_has_no_small_factor_and_nothing_else_is_missing() {
        for start in starts() {
            let first = number(&start);
            let sieved: Vec<_> = Sieve::new(start).take_while(|(distance, _)| *distance < 5000).collect();
            let rests: Vec<u32> =
                PRIMES.iter().map(|p| (&first % *p).iter_u32_digits().next().unwrap_or_default()).collect();
            let has_factor = |distance: usize| {
                PRIMES.iter().zip(&rests).any(|(p, rest)| (rest + distance as u32).is_multiple_of((*p).into()))
            };
            let expected: Vec<usize> = (0..5000).step_by(2).filter(|distance| !has_factor(*distance)).collect();
            assert_eq!(sieved.iter().map(|(distance, _)| *distance).collect::<Vec<_>>(), expected);
            assert!(sieved.iter().all(|(distance, words)| number(words) == &first + *distance));
        }
    }

    #[test]
    fn the_search_ends_with_the_last_number_of_so_many_words() {
        let mut start = vec![u64::MAX; 8];
        start[0] -= 2000;
        let last = Sieve::new(start).map(|(_, words)| words).last().unwrap();
        assert!(last[0] > u64::MAX - 2000 && last[1..] == [u64::MAX; 7]);
    }

    #[test]
    fn primes_are_all_there() {
        assert_eq!((PRIMES[0], PRIMES[COUNT - 1], PRIMES[COUNT]), (3, 65_521, 65_521));
        let is_prime =
            |n: u16| (2..n).take_while(|d| u32::from(*d).pow(2) <= u32::from(n)).all(|d| !n.is_multiple_of(d));
        assert!(PRIMES.iter().all(|p| is_prime(*p)) && PRIMES[..COUNT].is_sorted_by(|a, b| a < b));
    }
}
