//! Eight numbers at once asked whether they can be prime, by Fermat's little theorem: only where 2^(n−1) leaves 1 of n may n be one.
//!
//! Powers of two need no conversion into Montgomery's form or out of it: 2^k is the form of 2^k/R. So the exponent begins below nothing, at
//! k − 52·N, and is led to −(n − 2) by squaring and doubling; what stands there in the end is 2^(1−(n−1)), which is 2 where n is prime.

use super::LANES;
use super::modulus::{Ifma, LIMB, Lanes, Modulus, limbs, one_by_one, plus, same, side_by_side, small};

pub fn may_be_prime(numbers: &[&[u64]; LANES], bits: u32) -> Option<[bool; LANES]> {
    let cpu = Ifma::try_new()?;
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

impl<const N: usize> pulp::NullaryFnOnce for Test<'_, N> {
    type Output = [bool; LANES];

    #[inline(always)]
    fn call(self) -> Self::Output {
        let n = self.numbers.map(limbs::<N>);
        // −(n − 2) − 52·N is −e − 1: its bits are those of e turned round.
        let e = n.map(|n| plus(&n, &small((LIMB * N - 3) as u64)));
        let first = (LIMB * N).ilog2() as usize;
        let rest = self.bits - first;

        let mut x = [[0; N]; LANES];
        for (x, e) in x.iter_mut().zip(&e) {
            let start = LIMB * N - (high(e, rest) + 1);
            x[start / LIMB] = 1 << (start % LIMB);
        }
        let modulus = Modulus::new(self.cpu, &n);
        let mut x = side_by_side(&x);
        for bit in (0..rest).rev() {
            let double: Lanes = std::array::from_fn(|lane| (e[lane][bit / LIMB] >> (bit % LIMB) & 1).wrapping_sub(1));
            x = modulus.square(&x, pulp::cast(double));
        }
        let x = one_by_one(&x);
        std::array::from_fn(|lane| same(&x[lane], &small(2), &n[lane]))
    }
}

/// A number without its lowest bits; of the rest there are but few.
fn high(n: &[u64], lowest: usize) -> usize {
    let limb = |i: usize| u128::from(n.get(i).copied().unwrap_or(0));
    let at = lowest / LIMB;
    ((limb(at) | limb(at + 1) << LIMB) >> (lowest % LIMB)) as usize
}
