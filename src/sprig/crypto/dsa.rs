//! DSA keys, which nobody should want any more but `genPrivateKey "dsa"` still makes: 2048 and 256 bits, as Go's `crypto/dsa`.

use num_bigint::BigUint;

use super::ec::fixed;
use crate::gotmpl::Host;

/// The numbers of a key, big-endian.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    pub p: Vec<u8>,
    pub q: Vec<u8>,
    pub g: Vec<u8>,
    pub y: Vec<u8>,
    pub x: Vec<u8>,
}

/// As many Miller-Rabin rounds as Go makes: a wrong answer has a chance of 2^-128.
const ROUNDS: usize = 64;

fn random_odd(host: &dyn Host, bits: usize) -> BigUint {
    let mut bytes = vec![0; bits / 8];
    host.random(&mut bytes);
    if let [first, .., last] = &mut bytes[..] {
        *first |= 0x80;
        *last |= 1;
    }
    BigUint::from_bytes_be(&bytes)
}

/// A number between 1 and `n` - 1, evenly enough: 64 bits more than `n` has are drawn.
fn random_below(host: &dyn Host, n: &BigUint) -> BigUint {
    let mut bytes = vec![0; n.bits() as usize / 8 + 9];
    host.random(&mut bytes);
    let one = BigUint::from(1u8);
    BigUint::from_bytes_be(&bytes) % (n - &one) + one
}

fn small_primes() -> Vec<u32> {
    let mut primes: Vec<u32> = vec![2];
    for n in (3..4000).step_by(2) {
        if primes.iter().take_while(|&&p| p * p <= n).all(|p| n % p != 0) {
            primes.push(n);
        }
    }
    primes
}

fn is_prime(host: &dyn Host, n: &BigUint, small: &[u32]) -> bool {
    if small.iter().any(|&p| n % p == BigUint::ZERO) {
        return false;
    }
    let one = BigUint::from(1u8);
    let minus_one = n - &one;
    let twos = minus_one.trailing_zeros().unwrap_or(0);
    let odd = &minus_one >> twos;
    (0..ROUNDS).all(|_| {
        let mut x = random_below(host, n).modpow(&odd, n);
        if x == one || x == minus_one {
            return true;
        }
        for _ in 1..twos {
            x = &x * &x % n;
            if x == minus_one {
                return true;
            }
        }
        false
    })
}

/// New parameters and a new key. Takes a few seconds.
pub fn generate(host: &dyn Host) -> Key {
    let small = small_primes();
    let one = BigUint::from(1u8);
    let (p, q) = 'parameters: loop {
        let q = random_odd(host, 256);
        if !is_prime(host, &q, &small) {
            continue;
        }
        for _ in 0..4 * 2048 {
            let p = random_odd(host, 2048);
            // Down to the next multiple of q, plus one.
            let p = &p - (&p % &q) + &one;
            if p.bits() == 2048 && is_prime(host, &p, &small) {
                break 'parameters (p, q);
            }
        }
    };
    let exponent = (&p - &one) / &q;
    let g = (2u32..).map(|h| BigUint::from(h).modpow(&exponent, &p)).find(|g| *g != one).unwrap_or_default();
    let x = random_below(host, &q);
    let y = g.modpow(&x, &p);
    Key { p: p.to_bytes_be(), q: q.to_bytes_be(), g: g.to_bytes_be(), y: y.to_bytes_be(), x: fixed(&x, 1) }
}
