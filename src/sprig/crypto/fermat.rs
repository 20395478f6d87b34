//! Eight numbers at once asked whether they can be prime, by Fermat's little theorem: only where 2^(n−1) leaves 1 of n may n be one.
//!
//! A search for a prime of an RSA key tries some forty numbers, and all but the last are told composite here; what is left the library
//! judges by a test of its own, so that no key rests on this alone. Numbers stand side by side in the lanes of vectors, in limbs of 52 bits,
//! which the CPU multiplies and adds by one instruction (AVX-512 IFMA: Intel's since Ice Lake, AMD's since Zen 4): a number costs a ninth of
//! what it costs the library. A CPU without it gets no answer from here.
//!
//! Squares are Montgomery's: of x comes x²/R modulo n, with R = 2^(52·N). Powers of two need no conversion into that form or out of it: 2^k
//! is the form of 2^k/R. So the exponent begins below nothing, at k − 52·N, and is led to −(n − 2) by squaring and doubling; what stands
//! there in the end is 2^(1−(n−1)), which is 2 where n is prime.

/// How many numbers are asked at once.
pub const LANES: usize = 8;

/// For each number whether it may be prime: a prime always may. The numbers are odd, have their words from the lowest, and all have so many
/// bits, the first two set.
///
/// `None` if it can't be told here: the CPU has not the instructions, or primes of that size are rare.
pub fn may_be_prime(numbers: &[&[u64]; LANES], bits: u32) -> Option<[bool; LANES]> {
    #[cfg(target_arch = "x86_64")]
    return vector::may_be_prime(numbers, bits);
    #[cfg(not(target_arch = "x86_64"))]
    return None;
}

#[cfg(target_arch = "x86_64")]
mod vector {
    use std::arch::x86_64::__m512i;

    use super::LANES;

    pulp::simd_type! {
        /// Proof that the CPU has the instructions.
        struct Ifma {
            avx: "avx512f",
            short: "avx512vl",
            ifma: "avx512ifma",
        }
    }

    const LIMB: usize = 52;
    const MASK: u64 = (1 << LIMB) - 1;

    pub fn may_be_prime(numbers: &[&[u64]; LANES], bits: u32) -> Option<[bool; LANES]> {
        let cpu = Ifma::try_new()?;
        // So many limbs that R is some times n: then nothing ever has to be brought below n on the way.
        match bits {
            512 => Some(cpu.vectorize(Test::<10> { cpu, numbers, bits: 512 })),
            1024 => Some(cpu.vectorize(Test::<20> { cpu, numbers, bits: 1024 })),
            1536 => Some(cpu.vectorize(Test::<30> { cpu, numbers, bits: 1536 })),
            2048 => Some(cpu.vectorize(Test::<40> { cpu, numbers, bits: 2048 })),
            _ => None,
        }
    }

    struct Test<'a, const N: usize> {
        cpu: Ifma,
        numbers: &'a [&'a [u64]; LANES],
        bits: usize,
    }

    /// A limb of each number.
    type Lanes = [u64; LANES];

    impl<const N: usize> pulp::NullaryFnOnce for Test<'_, N> {
        type Output = [bool; LANES];

        #[inline(always)]
        fn call(self) -> Self::Output {
            let n = self.numbers.map(limbs::<N>);
            // −(n − 2) − 52·N is −e − 1: its bits are those of e turned round.
            let e = n.map(|n| plus::<N>(n, (LIMB * N - 3) as u64));
            let first = (LIMB * N).ilog2() as usize;
            let rest = self.bits - first;

            let mut x: [Lanes; N] = [[0; LANES]; N];
            let mut inverse: Lanes = [0; LANES];
            for lane in 0..LANES {
                let start = LIMB * N - (high(&e[lane], rest) + 1);
                x[start / LIMB][lane] = 1 << (start % LIMB);
                inverse[lane] = inverse_of(n[lane][0]);
            }
            let numbers: [Lanes; N] = std::array::from_fn(|i| n.map(|n| n[i]));
            let modulus = Modulus { cpu: self.cpu, n: numbers.map(pulp::cast), inverse: pulp::cast(inverse) };

            let mut x = x.map(pulp::cast);
            for bit in (0..rest).rev() {
                let double: Lanes =
                    std::array::from_fn(|lane| (e[lane][bit / LIMB] >> (bit % LIMB) & 1).wrapping_sub(1));
                x = modulus.square(&x, pulp::cast(double));
            }
            let x: [Lanes; N] = x.map(pulp::cast);
            std::array::from_fn(|lane| is_two(&x.map(|limb| limb[lane]), &n[lane]))
        }
    }

    /// What eight numbers are looked at by.
    struct Modulus<const N: usize> {
        cpu: Ifma,
        n: [__m512i; N],
        /// −1/n modulo a limb.
        inverse: __m512i,
    }

    impl<const N: usize> Modulus<N> {
        /// x²/R, or twice that in the lanes of `double`: below 4·n, if x is.
        ///
        /// Column after column of the long multiplication, and of the multiple of n that is added to make the lower half nothing. A product
        /// has 104 bits: its upper half is for the next column. A column takes at most 4·N halves of 52 bits, for which 64 are enough.
        #[inline(always)]
        fn square(&self, x: &[__m512i; N], double: __m512i) -> [__m512i; N] {
            let (cpu, n) = (self.cpu, &self.n);
            let zero = cpu.avx._mm512_setzero_si512();
            let mask = cpu.avx._mm512_set1_epi64(MASK.cast_signed());
            let add = |a, b| cpu.avx._mm512_add_epi64(a, b);
            let low = |sum, a, b| cpu.ifma._mm512_madd52lo_epu64(sum, a, b);
            let high = |sum, a, b| cpu.ifma._mm512_madd52hi_epu64(sum, a, b);
            let carry = |a| cpu.avx._mm512_srli_epi64::<52>(a);

            let mut out = [zero; N];
            let mut multiple = [zero; N];
            // For the next column: what the lower halves carry, and the upper halves.
            let (mut carried, mut upper) = (zero, zero);
            for k in 0..2 * N {
                let from = (k + 1).saturating_sub(N);
                // Each product of two limbs occurs twice.
                let (mut lo, mut hi) = (zero, zero);
                for i in from..k.div_ceil(2) {
                    lo = low(lo, x[i], x[k - i]);
                    hi = high(hi, x[i], x[k - i]);
                }
                (lo, hi) = (add(lo, lo), add(hi, hi));
                if k % 2 == 0 {
                    lo = low(lo, x[k / 2], x[k / 2]);
                    hi = high(hi, x[k / 2], x[k / 2]);
                }
                let (mut lo_n, mut hi_n) = (add(carried, upper), zero);
                for i in from..k.min(N) {
                    lo_n = low(lo_n, multiple[i], n[k - i]);
                    hi_n = high(hi_n, multiple[i], n[k - i]);
                }
                (lo, hi) = (add(lo, lo_n), add(hi, hi_n));
                if k < N {
                    multiple[k] = low(zero, lo, self.inverse);
                    lo = low(lo, multiple[k], n[0]);
                    hi = high(hi, multiple[k], n[0]);
                    carried = carry(lo);
                } else {
                    // What is for the next column is doubled there.
                    out[k - N] = add(lo, cpu.avx._mm512_and_si512(lo, double));
                    carried = zero;
                }
                upper = hi;
            }
            let mut over = zero;
            for limb in &mut out {
                let sum = add(*limb, over);
                *limb = cpu.avx._mm512_and_si512(sum, mask);
                over = carry(sum);
            }
            out
        }
    }

    /// Words of 64 bits as limbs.
    fn limbs<const N: usize>(words: &[u64]) -> [u64; N] {
        std::array::from_fn(|i| {
            let (word, bit) = (i * LIMB / 64, i * LIMB % 64);
            let at = |i: usize| u128::from(words.get(i).copied().unwrap_or(0));
            ((at(word) | at(word + 1) << 64) >> bit) as u64 & MASK
        })
    }

    fn plus<const N: usize>(mut n: [u64; N], more: u64) -> [u64; N] {
        let mut carry = more;
        for limb in &mut n {
            let sum = *limb + carry;
            *limb = sum & MASK;
            carry = sum >> LIMB;
        }
        n
    }

    /// A number without its lowest bits; of the rest there are but few.
    fn high(n: &[u64], lowest: usize) -> usize {
        let limb = |i: usize| u128::from(n.get(i).copied().unwrap_or(0));
        let at = lowest / LIMB;
        ((limb(at) | limb(at + 1) << LIMB) >> (lowest % LIMB)) as usize
    }

    /// −1/n modulo a limb, of an odd n: each step of Newton's doubles the bits that are right, of which the first has three.
    fn inverse_of(n: u64) -> u64 {
        let inverse = (0..5).fold(n, |inverse, _| inverse.wrapping_mul(2_u64.wrapping_sub(n.wrapping_mul(inverse))));
        inverse.wrapping_neg() & MASK
    }

    /// Is x, which is below 4·n, 2 modulo n?
    fn is_two<const N: usize>(x: &[u64; N], n: &[u64; N]) -> bool {
        (0..4).any(|times| {
            let mut carry = 2;
            x.iter().zip(n).all(|(x, n)| {
                let sum = times * n + carry;
                carry = sum >> LIMB;
                sum & MASK == *x
            })
        })
    }
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

    #[test]
    fn primes_may_be_and_no_others() {
        #[cfg(target_arch = "x86_64")]
        let here = is_x86_feature_detected!("avx512ifma");
        #[cfg(not(target_arch = "x86_64"))]
        let here = false;
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
}
