//! Private keys as Sprig reads and writes them: PEM around PKCS #1, SEC 1, PKCS #8, or OpenSSL's form of DSA.
//!
//! Ported from Sprig 3.3 `parsePrivateKeyPEM` and `pemBlockForKey`, and Go 1.26 `crypto/x509`; the error texts are theirs.

use ed25519_dalek::Signer;
use sha2::{Digest, Sha256, Sha384, Sha512};

use super::der::{BIT_STRING, INTEGER, OCTET_STRING, OID, Reader, SEQUENCE, bit_string, integer, oid, sequence, tlv};
use super::ec::{Curve, P224, P384, P521};
use super::rsa_key::{Pkcs1, RsaKey};
use super::{dsa, pem};
use crate::gotmpl::Host;

// Object identifiers, as DER has their content.
const RSA_ENCRYPTION: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const SHA256_WITH_RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b];
const EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const ECDSA_WITH_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
const ECDSA_WITH_SHA384: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03];
const ECDSA_WITH_SHA512: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x04];
const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const X25519: &[u8] = &[0x2b, 0x65, 0x6e];
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];
const NULL: &[u8] = &[0x05, 0x00];

/// A private key.
#[derive(Debug)]
pub enum PrivateKey {
    Rsa(Box<RsaKey>),
    P256(Box<p256::SecretKey>),
    /// Another curve: the private number, filled up to the curve's size, and the public point.
    Ec(&'static Curve, Vec<u8>, Vec<u8>),
    Ed25519(Box<ed25519_dalek::SigningKey>),
    X25519,
    Dsa(Box<dsa::Key>),
}

impl std::fmt::Debug for Curve {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "P-{}", self.bits)
    }
}

impl PrivateKey {
    /// A new key of Sprig's kind: `rsa` or nothing, `dsa`, `ecdsa` (P-256), `ed25519`. `None` for other kinds.
    pub fn generate(host: &dyn Host, kind: &[u8], rsa_bits: usize) -> Option<Result<Self, String>> {
        Some(match kind {
            b"" | b"rsa" => RsaKey::generate(host, rsa_bits).map(|k| Self::Rsa(Box::new(k))),
            b"dsa" => Ok(Self::Dsa(Box::new(dsa::generate(host)))),
            b"ecdsa" => Ok(loop {
                let mut bytes = [0; 32];
                host.random(&mut bytes);
                // Numbers beyond the curve's order are no keys: draw again.
                if let Ok(key) = p256::SecretKey::from_slice(&bytes) {
                    break Self::P256(Box::new(key));
                }
            }),
            b"ed25519" => {
                let mut seed = [0; 32];
                host.random(&mut seed);
                Ok(Self::ed25519(&seed))
            }
            _ => return None,
        })
    }

    fn ed25519(seed: &[u8; 32]) -> Self {
        Self::Ed25519(Box::new(ed25519_dalek::SigningKey::from_bytes(seed)))
    }

    /// Reads the first PEM block.
    ///
    /// # Errors
    /// Sprig's text, such as `no PEM data in input`.
    pub fn parse(text: &[u8]) -> Result<Self, String> {
        let block = pem::decode(text).ok_or("no PEM data in input")?;
        let der = &block.bytes;
        if block.kind == b"PRIVATE KEY" {
            return parse_pkcs8(der).map_err(|e| format!("decoding PEM as PKCS#8: {e}"));
        }
        let kind = String::from_utf8_lossy(&block.kind);
        match kind.strip_suffix(" PRIVATE KEY") {
            Some("RSA") => parse_pkcs1(der).map_err(|e| format!("parsing RSA private key from PEM: {e}")),
            Some("EC") => parse_ec(None, der).map_err(|e| format!("parsing EC private key from PEM: {e}")),
            Some("DSA") => parse_dsa(der).map_err(|e| format!("parsing DSA private key from PEM: {e}")),
            Some(_) => Err(format!("invalid private key type {kind}")),
            None => Err(format!("no private key data in PEM block of type {kind}")),
        }
    }

    /// The key as Sprig writes it.
    pub fn pem(&self) -> String {
        match self {
            Self::Rsa(k) => pem::encode("RSA PRIVATE KEY", k.der()),
            Self::P256(k) => ec_pem(P256, &k.to_bytes(), &self.public_bits()),
            Self::Ec(curve, key, public) => ec_pem(curve.oid, key, public),
            Self::Ed25519(k) => {
                let inner = tlv(OCTET_STRING, &[tlv(OCTET_STRING, &[k.to_bytes()])]);
                pem::encode("PRIVATE KEY", &sequence(&[integer(&[]), sequence(&[oid(ED25519)]), inner]))
            }
            Self::X25519 => String::new(),
            Self::Dsa(k) => {
                let numbers = [&[][..], &k.p, &k.q, &k.g, &k.y, &k.x].map(integer);
                pem::encode("DSA PRIVATE KEY", &sequence(&numbers))
            }
        }
    }

    /// The content of the public key's bit string.
    fn public_bits(&self) -> Vec<u8> {
        match self {
            Self::Rsa(k) => k.public(),
            Self::P256(k) => k.public_key().to_sec1_bytes().into_vec(),
            Self::Ec(_, _, public) => public.clone(),
            Self::Ed25519(k) => k.verifying_key().to_bytes().to_vec(),
            Self::X25519 | Self::Dsa(_) => Vec::new(),
        }
    }

    /// The algorithm of the public key, and its bits, for a certificate.
    ///
    /// # Errors
    /// Keys that cannot sign: `x509: certificate private key does not implement crypto.Signer`.
    pub fn public(&self) -> Result<(Vec<u8>, Vec<u8>), String> {
        let algorithm = match self {
            Self::Rsa(_) => sequence(&[&oid(RSA_ENCRYPTION)[..], NULL]),
            Self::P256(_) => sequence(&[oid(EC_PUBLIC_KEY), oid(P256)]),
            Self::Ec(curve, ..) => sequence(&[oid(EC_PUBLIC_KEY), oid(curve.oid)]),
            Self::Ed25519(_) => sequence(&[oid(ED25519)]),
            Self::X25519 => sequence(&[oid(X25519)]),
            Self::Dsa(_) => return Err("x509: unsupported public key type: *dsa.PublicKey".into()),
        };
        Ok((algorithm, self.public_bits()))
    }

    /// The identifier of the algorithm that signs with this key.
    ///
    /// # Errors
    /// Keys that cannot sign.
    pub fn signature_algorithm(&self) -> Result<Vec<u8>, String> {
        Ok(match self {
            Self::Rsa(_) => sequence(&[&oid(SHA256_WITH_RSA)[..], NULL]),
            Self::P256(_) | Self::Ec(Curve { bits: ..=256, .. }, ..) => sequence(&[oid(ECDSA_WITH_SHA256)]),
            Self::Ec(Curve { bits: 384, .. }, ..) => sequence(&[oid(ECDSA_WITH_SHA384)]),
            Self::Ec(..) => sequence(&[oid(ECDSA_WITH_SHA512)]),
            Self::Ed25519(_) => sequence(&[oid(ED25519)]),
            Self::X25519 | Self::Dsa(_) => {
                return Err("x509: certificate private key does not implement crypto.Signer".into());
            }
        })
    }

    /// The signature of a message, as a certificate holds it.
    ///
    /// # Errors
    /// Keys that cannot sign, or are too small to.
    pub fn sign(&self, host: &dyn Host, message: &[u8]) -> Result<Vec<u8>, String> {
        match self {
            Self::Rsa(k) => k.sign(host, message),
            Self::P256(k) => {
                let signature: p256::ecdsa::DerSignature = p256::ecdsa::SigningKey::from(&**k).sign(message);
                Ok(signature.as_bytes().to_vec())
            }
            Self::Ec(curve, key, _) => {
                let digest = match curve.bits {
                    ..=256 => Sha256::digest(message).to_vec(),
                    384 => Sha384::digest(message).to_vec(),
                    _ => Sha512::digest(message).to_vec(),
                };
                let (r, s) = curve.sign(host, key, &digest);
                Ok(sequence(&[integer(&r.to_bytes_be()), integer(&s.to_bytes_be())]))
            }
            Self::Ed25519(k) => Ok(k.sign(message).to_bytes().to_vec()),
            Self::X25519 | Self::Dsa(_) => self.signature_algorithm(),
        }
    }
}

fn ec_pem(curve: &[u8], key: &[u8], public: &[u8]) -> String {
    let parts = [integer(&[1]), tlv(OCTET_STRING, &[key]), tlv(0xa0, &[oid(curve)]), tlv(0xa1, &[bit_string(public)])];
    pem::encode("EC PRIVATE KEY", &sequence(&parts))
}

/// What another reader would have understood, for Go's hint.
fn hint(der: &[u8], own: &str) -> Option<String> {
    type Reads = fn(&[u8]) -> bool;
    let readers: [(&str, Reads); 3] =
        [("ParseECPrivateKey", is_ec), ("ParsePKCS8PrivateKey", is_pkcs8), ("ParsePKCS1PrivateKey", is_pkcs1)];
    let (name, _) = readers.iter().find(|(name, reads)| *name != own && reads(der))?;
    Some(format!("x509: failed to parse private key (use {name} instead for this key format)"))
}

fn is_ec(der: &[u8]) -> bool {
    ec_parts(der).is_ok()
}
fn is_pkcs8(der: &[u8]) -> bool {
    pkcs8_parts(der).is_ok()
}
fn is_pkcs1(der: &[u8]) -> bool {
    Pkcs1::of(der).is_ok()
}

fn parse_pkcs1(der: &[u8]) -> Result<PrivateKey, String> {
    let parts = Pkcs1::of(der).map_err(|e| hint(der, "ParsePKCS1PrivateKey").unwrap_or(e))?;
    RsaKey::parse(der, &parts).map(|key| PrivateKey::Rsa(Box::new(key)))
}

/// The version, the number, and the curve's identifier if it is there.
type EcParts<'a> = (i64, &'a [u8], Option<&'a [u8]>);

fn ec_parts(der: &[u8]) -> Result<EcParts<'_>, String> {
    let mut r = Reader::new(Reader::new(der).expect(SEQUENCE, "ecPrivateKey")?.content);
    let version = r.small("int")?;
    let key = r.expect(OCTET_STRING, "")?.content;
    let named = match r.optional(0xa0) {
        Some(e) => Some(Reader::new(e.content).expect(OID, "ObjectIdentifier")?.content),
        None => None,
    };
    if let Some(e) = r.optional(0xa1) {
        Reader::new(e.content).expect(BIT_STRING, "BitString")?;
    }
    Ok((version, key, named))
}

fn parse_ec(curve: Option<&[u8]>, der: &[u8]) -> Result<PrivateKey, String> {
    let (version, mut key, named) = ec_parts(der).map_err(|e| {
        hint(der, "ParseECPrivateKey").unwrap_or_else(|| format!("x509: failed to parse EC private key: {e}"))
    })?;
    if version != 1 {
        return Err(format!("x509: unknown EC private key version {version}"));
    }
    let id = curve.or(named).unwrap_or_default();
    let other = [&P224, &P384, &P521].into_iter().find(|c| c.oid == id);
    let size = match other {
        Some(curve) => curve.size(),
        None if id == P256 => 32,
        None => return Err("x509: unknown elliptic curve".into()),
    };
    // Zeros too many or too few before the number are let pass.
    while key.len() > size {
        let (0, rest) = (key[0], &key[1..]) else {
            return Err("x509: invalid private key length".into());
        };
        key = rest;
    }
    let mut padded = vec![0; size - key.len()];
    padded.extend(key);
    let invalid = || "invalid private key".to_owned();
    match other {
        Some(curve) => {
            let public = curve.public(&padded).ok_or_else(invalid)?;
            Ok(PrivateKey::Ec(curve, padded, public))
        }
        None => p256::SecretKey::from_slice(&padded).map(|k| PrivateKey::P256(Box::new(k))).map_err(|_| invalid()),
    }
}

struct Pkcs8<'a> {
    algorithm: &'a [u8],
    /// The parameters with tag and length; empty if there are none.
    parameters: &'a [u8],
    key: &'a [u8],
}

fn pkcs8_parts(der: &[u8]) -> Result<Pkcs8<'_>, String> {
    let mut r = Reader::new(Reader::new(der).expect(SEQUENCE, "pkcs8")?.content);
    r.small("int")?;
    let mut algorithm = Reader::new(r.expect(SEQUENCE, "AlgorithmIdentifier")?.content);
    let id = algorithm.expect(OID, "ObjectIdentifier")?.content;
    let parameters = if algorithm.is_empty() { &[][..] } else { algorithm.any()?.raw };
    Ok(Pkcs8 { algorithm: id, parameters, key: r.expect(OCTET_STRING, "")?.content })
}

fn parse_pkcs8(der: &[u8]) -> Result<PrivateKey, String> {
    let p = pkcs8_parts(der).map_err(|e| hint(der, "ParsePKCS8PrivateKey").unwrap_or(e))?;
    match p.algorithm {
        RSA_ENCRYPTION => {
            parse_pkcs1(p.key).map_err(|e| format!("x509: failed to parse RSA private key embedded in PKCS#8: {e}"))
        }
        EC_PUBLIC_KEY => {
            let curve = Reader::new(p.parameters).expect(OID, "ObjectIdentifier").ok().map(|e| e.content);
            parse_ec(curve, p.key).map_err(|e| format!("x509: failed to parse EC private key embedded in PKCS#8: {e}"))
        }
        ED25519 | X25519 => {
            let ed = p.algorithm == ED25519;
            let name = if ed { "Ed25519" } else { "X25519" };
            if !p.parameters.is_empty() {
                return Err(format!("x509: invalid {name} private key parameters"));
            }
            let seed = Reader::new(p.key)
                .expect(OCTET_STRING, "")
                .map_err(|e| format!("x509: invalid {name} private key: {e}"))?
                .content;
            match <&[u8; 32]>::try_from(seed) {
                Ok(seed) if ed => Ok(PrivateKey::ed25519(seed)),
                Ok(_) => Ok(PrivateKey::X25519),
                Err(_) if ed => Err(format!("x509: invalid Ed25519 private key length: {}", seed.len())),
                Err(_) => Err("crypto/ecdh: invalid private key size".into()),
            }
        }
        other => Err(format!("x509: PKCS#8 wrapping contained private key with unknown algorithm: {}", dotted(other))),
    }
}

/// An object identifier as `1.2.840.113549.1.1.1`.
pub fn dotted(oid: &[u8]) -> String {
    let mut out = String::new();
    let mut n = 0u64;
    for &b in oid {
        n = n.wrapping_shl(7) | u64::from(b & 0x7f);
        if b & 0x80 != 0 {
            continue;
        }
        if out.is_empty() {
            let first = (n / 40).min(2);
            out = format!("{first}.{}", n - first * 40);
        } else {
            out.push_str(&format!(".{n}"));
        }
        n = 0;
    }
    out
}

fn parse_dsa(der: &[u8]) -> Result<PrivateKey, String> {
    let mut r = Reader::new(Reader::new(der).expect(SEQUENCE, "DSAKeyFormat")?.content);
    r.small("int")?;
    let mut next = || -> Result<Vec<u8>, String> { Ok(r.expect(INTEGER, "")?.content.to_vec()) };
    let (p, q, g, y, x) = (next()?, next()?, next()?, next()?, next()?);
    Ok(PrivateKey::Dsa(Box::new(dsa::Key { p, q, g, y, x })))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gotmpl::FixedHost;

    #[test]
    fn what_is_written_can_be_read() {
        let host = FixedHost::new(0, 3);
        for kind in ["rsa", "ecdsa", "ed25519"] {
            let key = PrivateKey::generate(&host, kind.as_bytes(), 1024).unwrap().unwrap();
            let text = key.pem();
            let again = PrivateKey::parse(text.as_bytes()).unwrap();
            assert_eq!(again.pem(), text, "{kind}");
            assert!(!again.sign(&host, b"message").unwrap().is_empty());
        }
        assert!(PrivateKey::generate(&host, b"rot13", 1024).is_none());
    }

    /// Keys that OpenSSL made; each file ends with the public point.
    const OPENSSL: [&str; 3] = [
        "-----BEGIN EC PRIVATE KEY-----
MGgCAQEEHMjFc06URrqvBYtsWCGT/a1rYD5Utcl9Ov6p6jqgBwYFK4EEACGhPAM6
AAQl1MEulIuhnHyvdjQNSax4133BOxi1Xx7O8QcZScrjcxAJQ3ZxUcCnxoNkC4n/
GqX5Do+mOwAZWw==
-----END EC PRIVATE KEY-----
",
        "-----BEGIN EC PRIVATE KEY-----
MIGkAgEBBDCS6q7jCdg5QvwBceb/6vL7E//rb8q7/PYVsw9sAurShXouds2e7tdQ
TE7R7jJe/sqgBwYFK4EEACKhZANiAAThX4lRmZAgXK1Sm5nrJcoP2U/+MyOIYUC3
4WTs6oJw0vqtDR2cCuDfXggO2tlOV/RX3bi83DQ1/hZXt/ryrRQ6N09U/qyzuYXn
K9R7F9XCIc/2fruuMK7QXPHoYpUeHwU=
-----END EC PRIVATE KEY-----
",
        "-----BEGIN EC PRIVATE KEY-----
MIHcAgEBBEIBRb1rSu6FkhF6k0Cgt0zAtGtiapfkY8vpFLTy6Rxm7oXTC9mqN9vm
wqLMUbhD2Ni3OYYL/LiyP/A6VvoofEPaBjGgBwYFK4EEACOhgYkDgYYABAF7O8fy
SfA9GUZv5kYojKSmkzIO/6BMA29fxHiu6/NhzDJp2dfOmqZYztdblEwIwahzs8IS
q2+X3zcGMEkF36BeFwFHHMOES7TuIm8z0rtwjOdShL00z1qkYlFr0CcXvmhiDFb6
X2m9pMoeglduh/CP53RwU7ukJ8WvbboT2VG9/+LK1Q==
-----END EC PRIVATE KEY-----
",
    ];

    #[test]
    fn public_points_are_those_of_openssl() {
        for text in OPENSSL {
            assert_eq!(PrivateKey::parse(text.as_bytes()).unwrap().pem(), text);
        }
    }

    const CUT_OFF: &str = "-----BEGIN EC PRIVATE KEY-----
MIGkAgEBBDA=
-----END EC PRIVATE KEY-----
";

    #[test]
    fn refuses_as_go() {
        for (text, want) in [
            ("", "no PEM data in input"),
            ("-----BEGIN THING-----\nAAAA\n-----END THING-----\n", "no private key data in PEM block of type THING"),
            (
                "-----BEGIN X PRIVATE KEY-----\nAAAA\n-----END X PRIVATE KEY-----\n",
                "invalid private key type X PRIVATE KEY",
            ),
            (
                CUT_OFF,
                "parsing EC private key from PEM: x509: failed to parse EC private key: asn1: syntax error: data truncated",
            ),
        ] {
            assert_eq!(PrivateKey::parse(text.as_bytes()).unwrap_err(), want);
        }
    }
}
