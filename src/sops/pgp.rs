//! PGP keys without pass phrase, through the `pgp` crate: a data key is a small armoured message.

use pgp::composed::{ArmorOptions, Deserializable, Message, MessageBuilder, SignedPublicKey, SignedSecretKey};
use pgp::crypto::sym::SymmetricKeyAlgorithm;
use pgp::types::{KeyDetails, Password};
use zeroize::Zeroizing;

use super::cipher::DataKey;
use super::keys::{KeyError, KeyService, MasterKey};

/// Secret keys to decrypt with, public keys to encrypt for.
#[derive(Default)]
pub struct PgpKeys {
    secret: Vec<SignedSecretKey>,
    public: Vec<SignedPublicKey>,
}

impl std::fmt::Debug for PgpKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PgpKeys {{ secret: {}, public: {} }}", self.secret.len(), self.public.len())
    }
}

/// A data key is 33 bytes at most; nothing longer is read.
const MAX_DATA: u64 = 4096;

impl PgpKeys {
    pub const fn is_empty(&self) -> bool {
        self.secret.is_empty() && self.public.is_empty()
    }

    /// Fingerprints of the keys that can decrypt, in upper case.
    pub fn fingerprints(&self) -> Vec<String> {
        self.secret.iter().map(|k| format!("{:X}", k.fingerprint())).collect()
    }

    /// Adds the keys of a key ring: binary or armoured, secret or public.
    pub fn add(&mut self, bytes: &[u8]) -> Result<(), String> {
        let failed = |_| "the PGP key could not be read".to_owned();
        if bytes.trim_ascii_start().starts_with(b"-----BEGIN PGP PUBLIC") {
            let (keys, _) = SignedPublicKey::from_armor_many(bytes).map_err(failed)?;
            return keys.into_iter().try_for_each(|key| {
                self.public.push(key.map_err(failed)?);
                Ok(())
            });
        }
        let secret: Vec<SignedSecretKey> = if bytes.trim_ascii_start().starts_with(b"-----BEGIN") {
            SignedSecretKey::from_armor_many(bytes).map_err(failed)?.0.collect::<Result<_, _>>().map_err(failed)?
        } else {
            SignedSecretKey::from_bytes_many(bytes).map_err(failed)?.collect::<Result<_, _>>().map_err(failed)?
        };
        for key in secret {
            self.public.push(key.to_public_key());
            self.secret.push(key);
        }
        Ok(())
    }
}

fn same(fingerprint: &str, wanted: &str) -> bool {
    let wanted = wanted.trim_start_matches("0x").to_ascii_uppercase();
    !wanted.is_empty() && fingerprint.ends_with(&wanted)
}

impl KeyService for PgpKeys {
    fn decrypt(&self, key: &MasterKey) -> Result<DataKey, KeyError> {
        let MasterKey::Pgp { fingerprint, enc, .. } = key else {
            return Err(format!("no PGP key can open a data key of kind {}", key.kind()));
        };
        let mut reason = format!("no secret key for {fingerprint} is at hand");
        for secret in &self.secret {
            let opened = Message::from_armor(enc.as_bytes())
                .and_then(|(message, _)| message.decrypt(&Password::empty(), secret))
                .and_then(|m| if m.is_compressed() { m.decompress() } else { Ok(m) });
            match opened {
                Ok(message) => {
                    let mut out = Zeroizing::new(Vec::new());
                    match std::io::Read::read_to_end(&mut std::io::Read::take(message, MAX_DATA), &mut out) {
                        Ok(_) => return Ok(out),
                        Err(_) => reason = "the message does not decrypt".into(),
                    }
                }
                Err(pgp::errors::Error::MissingKey) => {}
                Err(_) => reason = "the message does not decrypt".into(),
            }
        }
        Err(format!("could not decrypt data key with PGP key: {reason}"))
    }

    fn encrypt(&self, key: &MasterKey, plain: &[u8]) -> Result<String, KeyError> {
        let MasterKey::Pgp { fingerprint, .. } = key else {
            return Err(format!("PGP cannot encrypt for a key of kind {}", key.kind()));
        };
        let failed = |_| "could not encrypt data key with PGP key".to_owned();
        let public = self.public.iter().find(|k| {
            let subkeys = k.public_subkeys.iter().map(|s| format!("{:X}", s.fingerprint()));
            std::iter::once(format!("{:X}", k.fingerprint())).chain(subkeys).any(|f| same(&f, fingerprint))
        });
        let Some(public) = public else {
            return Err(format!("could not encrypt data key with PGP key: no public key for {fingerprint} is at hand"));
        };
        let mut rng = rand::rngs::OsRng;
        let mut builder =
            MessageBuilder::from_bytes("", plain.to_vec()).seipd_v1(&mut rng, SymmetricKeyAlgorithm::AES256);
        // The newest subkey that can encrypt, as gpg chooses; the primary key if there is none.
        let subkey = public.public_subkeys.iter().rev().find(|s| s.algorithm().can_encrypt());
        match subkey {
            Some(subkey) => builder.encrypt_to_key(&mut rng, subkey).map_err(failed)?,
            None => builder.encrypt_to_key(&mut rng, &public.primary_key).map_err(failed)?,
        };
        // sops trims what gpg prints.
        builder.to_armored_string(rng, ArmorOptions::default()).map(|t| t.trim().to_owned()).map_err(failed)
    }
}
