//! RSA keys, kept as they are written: PKCS #1's numbers in DER. The libraries read them from there when they have something to do.

use std::sync::OnceLock;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use num_bigint::BigUint;
use rsa::BoxedUint;
use rsa::pkcs1::{DecodeRsaPrivateKey, EncodeRsaPrivateKey};
use rsa::traits::PublicKeyParts;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::der::{Reader, SEQUENCE, integer, sequence};
use super::primes::{self, Words};
use crate::gotmpl::Host;

/// The public exponent of all keys that are made.
const EXPONENT: u64 = 65_537;

/// A private key.
pub struct RsaKey {
    der: Zeroizing<Vec<u8>>,
    /// The modulus and the public exponent, big-endian.
    n: Vec<u8>,
    e: Vec<u8>,
    /// The key as the library has it that signs; nothing if it refuses such a key.
    signer: OnceLock<Option<RsaKeyPair>>,
}

impl std::fmt::Debug for RsaKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RsaKey").field("bits", &self.bits()).finish_non_exhaustive()
    }
}

/// The host's randomness as the crypto crates ask for it.
struct HostRng<'a>(&'a dyn Host);

impl rsa::rand_core::TryRng for HostRng<'_> {
    type Error = std::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        let mut b = [0; 4];
        self.0.random(&mut b);
        Ok(u32::from_le_bytes(b))
    }
    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        let mut b = [0; 8];
        self.0.random(&mut b);
        Ok(u64::from_le_bytes(b))
    }
    fn try_fill_bytes(&mut self, dst: &mut [u8]) -> Result<(), Self::Error> {
        self.0.random(dst);
        Ok(())
    }
}
impl rsa::rand_core::TryCryptoRng for HostRng<'_> {}

impl RsaKey {
    /// A new key. Finding its primes is nearly all the work: for the usual sizes two threads look for them.
    ///
    /// # Errors
    /// The library's, for sizes that are left to it.
    pub fn generate(host: &dyn Host, bits: usize) -> Result<Self, String> {
        while let Some(primes) = primes::pair(host, bits) {
            if let Some(key) = Self::of_primes(&primes) {
                return Ok(key);
            }
        }
        let key = rsa::PrivateKey::new(&mut HostRng(host), bits).map_err(|e| e.to_string())?;
        Self::of_library(&key)
    }

    /// `None` if there is no private exponent: the public one divides a prime less one.
    ///
    /// The private exponent is that of FIPS 186-5, as Go's is: the inverse by the least common multiple of the primes less one. What leaves 1 of
    /// that multiple and is divided by the public exponent is found from the rest that the multiple leaves of the latter.
    fn of_primes(primes: &[Words; 2]) -> Option<Self> {
        let bytes = |words: &Words| words.iter().rev().flat_map(|word| word.to_be_bytes()).collect::<Vec<u8>>();
        let bytes = primes.each_ref().map(bytes);
        let [p, q] = bytes.each_ref().map(|bytes| BigUint::from_bytes_be(bytes));
        let (p1, q1) = (&p - 1_u32, &q - 1_u32);
        let multiple = &p1 / common(p1.clone(), q1.clone()) * &q1;
        let rest = u64::try_from(&multiple % EXPONENT).ok().filter(|rest| *rest != 0)?;
        // −1/rest, by Fermat's little theorem: the exponent is a prime.
        let inverse = (0..EXPONENT.ilog2()).fold(1, |power, _| power * power % EXPONENT * rest % EXPONENT);
        let d = (&multiple * (EXPONENT - inverse) + 1_u32) / EXPONENT;
        let [in_p, in_q] = bytes.each_ref().map(|bytes| BoxedUint::from_be_slice_vartime(bytes));
        let coefficient = in_q.invert_odd_mod_vartime(&in_p.to_odd().into_option()?).into_option()?;
        let (n, e) = ((&p * &q).to_bytes_be(), BigUint::from(EXPONENT).to_bytes_be());
        let exponents = [&d % &p1, &d % &q1].map(|exponent| exponent.to_bytes_be());
        let [p, q] = &bytes;
        let [for_p, for_q] = &exponents;
        let numbers = [&[][..], &n, &e, &d.to_bytes_be(), p, q, for_p, for_q, &coefficient.to_be_bytes()].map(integer);
        Some(Self { der: sequence(&numbers).into(), n, e, signer: OnceLock::new() })
    }

    fn of_library(key: &rsa::PrivateKey) -> Result<Self, String> {
        let der = key.to_pkcs1_der().map_err(|e| e.to_string())?;
        let (n, e) = (key.n_bytes().into_vec(), key.e_bytes().into_vec());
        Ok(Self { der: der.as_bytes().to_vec().into(), n, e, signer: OnceLock::new() })
    }

    /// Reads a key whose structure is right.
    ///
    /// # Errors
    /// Go's words for numbers that do not belong together.
    pub fn parse(der: &[u8], parts: &Pkcs1) -> Result<Self, String> {
        check(parts)?;
        // What else can be wrong, Go says in other words.
        let key = rsa::PrivateKey::from_pkcs1_der(der).map_err(|e| format!("crypto/rsa: {e}"))?;
        Self::of_library(&key)
    }

    /// PKCS #1.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The public key, in DER.
    pub fn public(&self) -> Vec<u8> {
        sequence(&[integer(&self.n), integer(&self.e)])
    }

    fn bits(&self) -> usize {
        self.n.len() * 8
    }

    /// The signature of a message's SHA-256, of which there is but one.
    ///
    /// # Errors
    /// The key is too small.
    pub fn sign(&self, host: &dyn Host, message: &[u8]) -> Result<Vec<u8>, String> {
        let bits = self.bits();
        if bits < 1024 {
            return Err(format!(
                "crypto/rsa: {bits}-bit keys are insecure (see https://go.dev/pkg/crypto/rsa#hdr-Minimum_key_size)"
            ));
        }
        if let Some(signature) = self.signed_quickly(message) {
            return Ok(signature);
        }
        let key = rsa::PrivateKey::from_pkcs1_der(&self.der).map_err(|e| e.to_string())?;
        let padding = rsa::Pkcs1v15Sign::new::<Sha256>();
        key.sign_with_rng(&mut HostRng(host), padding, &Sha256::digest(message)).map_err(|e| e.to_string())
    }

    /// By the library that is quicker at it; `None` for sizes that it refuses.
    fn signed_quickly(&self, message: &[u8]) -> Option<Vec<u8>> {
        let key = self.signer.get_or_init(|| RsaKeyPair::from_der(&self.der).ok()).as_ref()?;
        let mut signature = vec![0; key.public_modulus_len()];
        key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature).ok()?;
        Some(signature)
    }
}

/// The greatest common divisor, as Euclid has it.
fn common(mut a: BigUint, mut b: BigUint) -> BigUint {
    while b != BigUint::ZERO {
        (a, b) = (b.clone(), a % b);
    }
    a
}

/// The numbers of a PKCS #1 key, each `None` if it is not positive: n, d, p, q, and dP, dQ, qInv as far as they are there.
pub struct Pkcs1<'a> {
    version: i64,
    numbers: Vec<Option<&'a [u8]>>,
    trailing: bool,
}

impl<'a> Pkcs1<'a> {
    /// # Errors
    /// Those of Go's reader of DER.
    pub fn of(der: &'a [u8]) -> Result<Self, String> {
        let mut all = Reader::new(der);
        let mut r = Reader::new(all.expect(SEQUENCE, "pkcs1PrivateKey")?.content);
        let version = r.small("int")?;
        let mut numbers = vec![r.positive()?];
        r.small("int")?;
        for i in 0..6 {
            if i < 3 || !r.is_empty() {
                numbers.push(r.positive()?);
            }
        }
        Ok(Self { version, numbers, trailing: !all.is_empty() })
    }
}

fn check(key: &Pkcs1) -> Result<(), String> {
    if key.trailing {
        return Err("asn1: syntax error: trailing data".into());
    }
    if key.version > 1 {
        return Err("x509: unsupported private key version".into());
    }
    let numbers: Option<Vec<BigUint>> = key.numbers.iter().map(|n| n.map(BigUint::from_bytes_be)).collect();
    let Some(numbers) = numbers else {
        return Err("x509: private key contains zero or negative value".into());
    };
    let [n, d, p, q, rest @ ..] = &numbers[..] else { return Ok(()) };
    let one = BigUint::from(1u8);
    if *p <= one || *q <= one {
        return Err("crypto/rsa: invalid prime".into());
    }
    if p * q != *n {
        return Err("crypto/rsa: p * q != n".into());
    }
    if let [dp, dq, inverse] = rest {
        if inverse * q % p != one {
            return Err("crypto/rsa: invalid CRT coefficient".into());
        }
        for (exponent, prime, name) in [(dp, p, "dP"), (dq, q, "dQ")] {
            if d % (prime - &one) != *exponent {
                return Err(format!("crypto/rsa: d does not match {name}"));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gotmpl::FixedHost;

    #[test]
    fn both_libraries_sign_alike() {
        let host = FixedHost::new(0, 5);
        for (bits, quick) in [(1024, false), (2048, true)] {
            let key = RsaKey::generate(&host, bits).unwrap();
            let library = rsa::PrivateKey::from_pkcs1_der(key.der()).unwrap();
            let padding = rsa::Pkcs1v15Sign::new::<Sha256>();
            let signature = library.sign(padding, &Sha256::digest(b"message")).unwrap();
            assert_eq!(key.signed_quickly(b"message"), quick.then(|| signature.clone()));
            assert_eq!(key.sign(&host, b"message"), Ok(signature));
        }
    }

    /// The numbers are those that the library computes from the primes.
    #[test]
    fn a_key_is_that_of_its_primes() {
        for seed in 0..20 {
            let primes = primes::pair(&FixedHost::new(0, seed), 1024).unwrap();
            let [p, q] = primes.each_ref().map(|words| BoxedUint::from_words(words.iter().copied()));
            let library = rsa::PrivateKey::from_p_q(p, q, EXPONENT.into()).unwrap();
            let key = RsaKey::of_primes(&primes).unwrap();
            let written = RsaKey::of_library(&library).unwrap();
            assert_eq!(key.der(), written.der());
            assert_eq!(key.public(), written.public());
            let again = RsaKey::parse(key.der(), &Pkcs1::of(key.der()).unwrap()).unwrap();
            assert_eq!(again.der(), key.der());
        }
    }

    #[test]
    fn primes_that_the_exponent_does_not_fit_are_refused() {
        // 65537·6 + 1 is a prime.
        assert!(RsaKey::of_primes(&[vec![65_537 * 6 + 1], vec![65_539]]).is_none());
        assert!(RsaKey::of_primes(&[vec![65_543], vec![65_539]]).is_some());
    }
}
