//! OpenPGP: keyrings, clear-signed texts, detached signatures.
//!
//! Keyrings are read in the three forms that Helm reads: binary packets, armored blocks (one behind the other), and GnuPG's keybox. A
//! signature counts if it was made with a modern hash by a key that is bound to a primary key of the keyring and neither expired nor revoked.
//! Source: Helm 4.3 `pkg/provenance/{sign,keybox}.go`, RFC 9580.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pgp::composed::{
    CleartextSignedMessage, Deserializable, DetachedSignature, PublicOrSecret, SignedPublicKey, SignedSecretKey,
};
use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{Signature, SignatureConfig, SignatureType, Subpacket, SubpacketData};
use pgp::types::{KeyDetails, Password, Timestamp, VerifyingKey};

/// The keys of a keyring, public and secret ones.
///
/// # Errors
/// Not a keyring.
pub fn keyring(data: &[u8]) -> Result<Vec<PublicOrSecret>, String> {
    if data.get(8..12) == Some(b"KBXf") {
        return packets(&keybox(data)?);
    }
    if data.trim_ascii_start().starts_with(b"-----BEGIN PGP") {
        return armored(data);
    }
    packets(data)
}

fn packets(data: &[u8]) -> Result<Vec<PublicOrSecret>, String> {
    // A keyring may hold keys that we do not know; those are passed over, as long as others are read.
    let mut out = Vec::new();
    let mut first = None;
    for key in PublicOrSecret::from_reader_many(data).map_err(|e| format!("not a keyring: {e}"))?.0.take(100_000) {
        match key {
            Ok(key) => out.push(key),
            Err(e) if first.is_none() => first = Some(e.to_string()),
            Err(_) => {}
        }
    }
    match first {
        Some(e) if out.is_empty() => Err(format!("not a keyring: {e}")),
        _ => Ok(out),
    }
}

fn armored(data: &[u8]) -> Result<Vec<PublicOrSecret>, String> {
    let text = std::str::from_utf8(data).map_err(|_| "not an armored keyring".to_string())?;
    let mut out = Vec::new();
    for block in text.split("-----BEGIN PGP ").skip(1) {
        let block = format!("-----BEGIN PGP {block}");
        out.extend(packets(block.as_bytes())?);
    }
    if out.is_empty() { Err("no keys found".into()) } else { Ok(out) }
}

/// The OpenPGP key blocks of a keybox: blobs of a length, a kind, a version, and where the key block lies in them.
fn keybox(data: &[u8]) -> Result<Vec<u8>, String> {
    let number = |at: usize| {
        let bytes = data.get(at..at.checked_add(4)?)?;
        usize::try_from(u32::from_be_bytes(bytes.try_into().ok()?)).ok()
    };
    let broken = || "the keybox is damaged".to_string();
    let (mut at, mut out) = (0, Vec::new());
    while at < data.len() {
        let length = number(at).filter(|l| *l >= 5).ok_or_else(broken)?;
        let end = at.checked_add(length).filter(|e| *e <= data.len()).ok_or_else(broken)?;
        if data.get(at + 4) == Some(&2) {
            let (start, size) = number(at + 8).zip(number(at + 12)).ok_or_else(broken)?;
            let block = at.checked_add(start).and_then(|s| data.get(s..s.checked_add(size)?)).ok_or_else(broken)?;
            if start.saturating_add(size) > length {
                return Err(broken());
            }
            without_trust(block, &mut out).ok_or_else(broken)?;
        }
        at = end;
    }
    Ok(out)
}

/// Copies packets without GnuPG's own notes on trust, which stand between a key and its signatures.
fn without_trust(mut packets: &[u8], out: &mut Vec<u8>) -> Option<()> {
    const TRUST: u8 = 12;
    while let Some(head) = packets.first() {
        let byte = |at: usize| packets.get(at).map(|b| usize::from(*b));
        let (tag, start, length) = if head & 0x40 == 0 {
            let tag = (head >> 2) & 15;
            match head & 3 {
                0 => (tag, 2, byte(1)?),
                1 => (tag, 3, byte(1)? << 8 | byte(2)?),
                2 => (tag, 5, byte(1)? << 24 | byte(2)? << 16 | byte(3)? << 8 | byte(4)?),
                _ => return None,
            }
        } else {
            match byte(1)? {
                n @ 0..=191 => (head & 63, 2, n),
                n @ 192..=223 => (head & 63, 3, ((n - 192) << 8) + byte(2)? + 192),
                255 => (head & 63, 6, byte(2)? << 24 | byte(3)? << 16 | byte(4)? << 8 | byte(5)?),
                _ => return None,
            }
        };
        let (packet, rest) = packets.split_at_checked(start + length)?;
        if tag != TRUST {
            out.extend_from_slice(packet);
        }
        packets = rest;
    }
    Some(())
}

fn public(key: &PublicOrSecret) -> SignedPublicKey {
    match key {
        PublicOrSecret::Public(k) => k.clone(),
        PublicOrSecret::Secret(k) => k.to_public_key(),
    }
}

/// A clear-signed text, and whose signature holds. Anything around the block is no part of it.
///
/// # Errors
/// In Helm's words where it has some: `signature block not found`, `openpgp: signature made by unknown entity`.
pub fn clear_signed(file: &[u8], keyring: &[PublicOrSecret]) -> Result<(String, Signer), String> {
    const BEGIN: &str = "-----BEGIN PGP SIGNED MESSAGE-----";
    const END: &str = "-----END PGP SIGNATURE-----";
    let text = String::from_utf8_lossy(file);
    let block = text.find(BEGIN).and_then(|at| {
        let rest = text.get(at..)?;
        rest.find(END).and_then(|end| rest.get(..end + END.len()))
    });
    let block = block.ok_or("signature block not found")?;
    let (message, _) =
        CleartextSignedMessage::from_string(&format!("{block}\n")).map_err(|_| "signature block not found")?;
    let signed = message.signed_text();
    let mut why = unknown();
    for signature in message.signatures() {
        match signer(signature, signed.as_bytes(), keyring) {
            Ok(by) => return Ok((signed.replace("\r\n", "\n"), by)),
            Err(e) => why = e,
        }
    }
    Err(why)
}

/// Checks a detached, armored signature against armored or binary keys. Returns the signer's name and fingerprint.
///
/// # Errors
/// As [`clear_signed`].
pub fn verify_detached(message: &[u8], signature: &[u8], keys: &[Vec<u8>]) -> Result<(String, String), String> {
    let (signature, _) =
        DetachedSignature::from_armor_single(signature).map_err(|_| "not a PGP signature".to_string())?;
    let mut ring = Vec::new();
    for key in keys.iter().filter(|k| !k.starts_with(b"ssh-") && !k.starts_with(b"ecdsa-")) {
        // A file of SSH keys is no error here: the other kind of signature may need it.
        ring.extend(keyring(key).unwrap_or_default());
    }
    signer(&signature.signature, message, &ring).map(|s| (s.name, s.fingerprint))
}

/// Who signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signer {
    /// The first user id of the key.
    pub name: String,
    /// All of them.
    pub names: Vec<String>,
    /// Upper-case hexadecimal, of the primary key.
    pub fingerprint: String,
}

fn unknown() -> String {
    "openpgp: signature made by unknown entity".into()
}

fn signer(signature: &Signature, message: &[u8], ring: &[PublicOrSecret]) -> Result<Signer, String> {
    let modern = [
        HashAlgorithm::Sha224,
        HashAlgorithm::Sha256,
        HashAlgorithm::Sha384,
        HashAlgorithm::Sha512,
        HashAlgorithm::Sha3_256,
        HashAlgorithm::Sha3_512,
    ];
    if !signature.hash_alg().is_some_and(|h| modern.contains(&h)) {
        return Err("openpgp: signature made with an insecure hash".into());
    }
    if !matches!(signature.typ(), Some(SignatureType::Binary | SignatureType::Text)) {
        return Err("openpgp: not a signature of a document".into());
    }
    let mut why = unknown();
    for key in ring.iter().map(public) {
        let primary = &key.primary_key;
        let mut expiry = None;
        let holds = if issued_by(signature, primary) {
            expiry = self_signatures(&key).filter_map(|s| expires(primary, s)).max();
            held(signature, primary, message)
        } else {
            let sub = key.public_subkeys.iter().find(|s| issued_by(signature, &s.key));
            sub.map_or(Held::NotHis, |sub| {
                let revoked = sub.signatures.iter().any(|s| s.typ() == Some(SignatureType::SubkeyRevocation));
                let signs = sub.signatures.iter().any(|s| s.key_flags().sign());
                if revoked || !signs || sub.verify_bindings(primary).is_err() {
                    return Held::Unfit;
                }
                expiry = sub.signatures.iter().filter_map(|s| expires(&sub.key, s)).max();
                held(signature, &sub.key, message)
            })
        };
        match holds {
            Held::Yes => {}
            Held::NotHis => continue,
            Held::Unfit => {
                why = "openpgp: signing key is revoked or not bound to its owner".into();
                continue;
            }
            Held::No => {
                why = "openpgp: invalid signature: the text or the signature was changed".into();
                continue;
            }
        }
        if key.details.revocation_signatures.iter().any(|s| s.verify_key(primary).is_ok()) {
            return Err("openpgp: signing key is revoked".into());
        }
        if self_signatures(&key).next().is_none() {
            return Err("openpgp: the key has no valid self-signature".into());
        }
        let now = SystemTime::now();
        if expiry.is_some_and(|t| t < now) {
            return Err("openpgp: key expired".into());
        }
        if let Some((made, length)) = signature.created().zip(signature.signature_expiration_time())
            && at(made) + Duration::from_secs(u64::from(length.as_secs())) < now
        {
            return Err("openpgp: signature expired".into());
        }
        let names: Vec<String> =
            key.details.users.iter().map(|u| u.id.as_str().unwrap_or_default().to_string()).collect();
        let name = names.first().cloned().unwrap_or_default();
        return Ok(Signer { name, names, fingerprint: format!("{:X}", primary.fingerprint()) });
    }
    Err(why)
}

enum Held {
    Yes,
    No,
    NotHis,
    Unfit,
}

fn held(signature: &Signature, key: &impl VerifyingKey, message: &[u8]) -> Held {
    if signature.verify(key, message).is_ok() { Held::Yes } else { Held::No }
}

fn issued_by(signature: &Signature, key: &impl KeyDetails) -> bool {
    let (ids, prints) = (signature.issuer_key_id(), signature.issuer_fingerprint());
    let own = key.legacy_key_id();
    if prints.is_empty() { ids.iter().any(|id| **id == own) } else { prints.iter().any(|p| **p == key.fingerprint()) }
}

/// The valid signatures of a key on its own user ids.
fn self_signatures(key: &SignedPublicKey) -> impl Iterator<Item = &Signature> {
    key.details.users.iter().flatten_users(key)
}

trait FlattenUsers<'k> {
    fn flatten_users(self, key: &'k SignedPublicKey) -> Box<dyn Iterator<Item = &'k Signature> + 'k>;
}

impl<'k, I: Iterator<Item = &'k pgp::types::SignedUser> + 'k> FlattenUsers<'k> for I {
    fn flatten_users(self, key: &'k SignedPublicKey) -> Box<dyn Iterator<Item = &'k Signature> + 'k> {
        Box::new(self.flat_map(move |user| {
            user.signatures.iter().filter(move |s| {
                s.is_certification()
                    && s.verify_certification(&key.primary_key, pgp::types::Tag::UserId, &user.id).is_ok()
            })
        }))
    }
}

fn at(t: Timestamp) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(u64::from(t.as_secs()))
}

fn expires(key: &impl KeyDetails, binding: &Signature) -> Option<SystemTime> {
    let length = u64::from(binding.key_expiration_time()?.as_secs());
    (length > 0).then(|| at(key.created_at()) + Duration::from_secs(length))
}

/// The secret key whose user id is the text, or contains it; Helm's `--key`.
///
/// # Errors
/// Helm's texts.
pub fn secret<'r>(ring: &'r [PublicOrSecret], id: &str) -> Result<&'r SignedSecretKey, String> {
    let mut found: Option<&PublicOrSecret> = None;
    let mut vague = false;
    for key in ring {
        for name in public(key).details.users.iter().map(|u| u.id.as_str().unwrap_or_default().to_string()) {
            if name == id {
                (found, vague) = (Some(key), false);
                break;
            }
            if name.contains(id) {
                vague |= found.is_some();
                found = Some(key);
            }
        }
    }
    if vague {
        return Err(format!("more than one key contain the id {id:?}"));
    }
    match found {
        None => Err("private key not found".into()),
        Some(PublicOrSecret::Public(_)) => {
            Err("provided key is not a private key. Try providing a keyring with secret keys".into())
        }
        Some(PublicOrSecret::Secret(key)) => Ok(key),
    }
}

/// Clear-signs a text as Helm does: SHA-512, over canonical lines.
///
/// # Errors
/// The passphrase is wrong, or the key can't sign.
pub fn clear_sign(text: &str, key: &SignedSecretKey, passphrase: &str) -> Result<String, String> {
    let failed = |e: pgp::errors::Error| format!("failed to either sign or armor message block: {e}");
    let primary = &key.primary_key;
    let mut config = SignatureConfig::v4(SignatureType::Text, primary.algorithm(), HashAlgorithm::Sha512);
    config.hashed_subpackets = vec![
        Subpacket::regular(SubpacketData::SignatureCreationTime(Timestamp::now())).map_err(failed)?,
        Subpacket::regular(SubpacketData::IssuerFingerprint(primary.fingerprint())).map_err(failed)?,
    ];
    config.unhashed_subpackets =
        vec![Subpacket::regular(SubpacketData::IssuerKeyId(primary.legacy_key_id())).map_err(failed)?];
    let message = CleartextSignedMessage::new(text, config, primary, &Password::from(passphrase)).map_err(failed)?;
    message.to_armored_string(Default::default()).map_err(failed)
}
