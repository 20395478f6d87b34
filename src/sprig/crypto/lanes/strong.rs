//! A number asked whether it is prime, by Miller and Rabin's test to eight bases of chance at once: what passes and is no prime is rarer than
//! FIPS 186-5 wants it for keys (its table B.1 asks four to seven bases, and so does Go).
//!
//! Of n − 1 = d·2^s: for a prime, every base's d-th power is 1, or becomes −1 by fewer than s squarings. The bases are taken as Montgomery's
//! forms of what they are: chance in one form is chance in the other. Exponents are taken four bits at a time.

use super::LANES;
use super::modulus::{Ifma, LIMB, Modulus, Numbers, limbs, minus, one_by_one, plus, same, side_by_side, small};

pub fn is_prime(number: &[u64], bits: u32, chance: &[u8]) -> Option<bool> {
    let cpu = Ifma::try_new()?;
    match bits {
        512 => Some(cpu.vectorize(Test::<10> { cpu, number, bits: 512, chance })),
        1024 => Some(cpu.vectorize(Test::<20> { cpu, number, bits: 1024, chance })),
        1536 => Some(cpu.vectorize(Test::<30> { cpu, number, bits: 1536, chance })),
        2048 => Some(cpu.vectorize(Test::<40> { cpu, number, bits: 2048, chance })),
        _ => None,
    }
}

struct Test<'a, const N: usize> {
    cpu: Ifma,
    number: &'a [u64],
    bits: usize,
    chance: &'a [u8],
}

const WINDOW: usize = 4;

impl<const N: usize> pulp::NullaryFnOnce for Test<'_, N> {
    type Output = bool;

    #[inline(always)]
    fn call(self) -> bool {
        let n = limbs::<N>(self.number);
        let modulus = Modulus::new(self.cpu, &[n; LANES]);
        let one = form_of_one(&n, self.bits);
        let Some(minus_one) = minus(&n, &one) else { return false };
        let mut words = self.chance.chunks_exact(8).filter_map(|c| Some(u64::from_le_bytes(c.try_into().ok()?)));
        let base = [(); LANES].map(|()| limbs(&words.by_ref().take(self.bits / 64).collect::<Vec<_>>()));

        let mut powers: [Numbers<N>; 1 << WINDOW] = [side_by_side(&[one; LANES]); 1 << WINDOW];
        powers[1] = side_by_side(&base);
        for i in 2..powers.len() {
            powers[i] = modulus.product(&powers[i - 1], &powers[1]);
        }
        let Some(even) = minus(&n, &small(1)) else { return false };
        let twos = (0..self.bits).take_while(|bit| bit_of(&even, *bit) == 0).count();
        let never = pulp::cast([0_u64; LANES]);
        let mut x = powers[0];
        for window in (0..(self.bits - twos).div_ceil(WINDOW)).rev() {
            for _ in 0..WINDOW {
                x = modulus.square(&x, never);
            }
            let digit = (0..WINDOW).rev().fold(0, |digit, i| digit << 1 | bit_of(&even, twos + window * WINDOW + i));
            x = modulus.product(&x, &powers[digit as usize]);
        }
        let mut passed = one_by_one(&x).map(|x| same(&x, &one, &n));
        for _ in 0..twos {
            for (passed, x) in passed.iter_mut().zip(one_by_one(&x)) {
                *passed |= same(&x, &minus_one, &n);
            }
            x = modulus.square(&x, never);
        }
        passed == [true; LANES]
    }
}

/// R modulo n, of which n is a bit longer than the largest power of two below it.
fn form_of_one<const N: usize>(n: &[u64; N], bits: usize) -> [u64; N] {
    let mut power = [0; N];
    power[(bits - 1) / LIMB] = 1 << ((bits - 1) % LIMB);
    for _ in bits - 1..LIMB * N {
        let twice = plus(&power, &power);
        power = minus(&twice, n).unwrap_or(twice);
    }
    power
}

fn bit_of(n: &[u64], bit: usize) -> u64 {
    n.get(bit / LIMB).map_or(0, |limb| limb >> (bit % LIMB) & 1)
}
