//! SSH signatures (`ssh-keygen -Y sign`), as Git writes them.
//!
//! Source: OpenSSH `PROTOCOL.sshsig`, RFC 4253, RFC 8709.

use aws_lc_rs::signature::{self, RsaPublicKeyComponents, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use sha2::{Digest as _, Sha256, Sha512};

/// Takes length-prefixed strings off the front.
struct Wire<'a>(&'a [u8]);

impl<'a> Wire<'a> {
    fn u32(&mut self) -> Option<u32> {
        let (head, tail) = self.0.split_first_chunk::<4>()?;
        self.0 = tail;
        Some(u32::from_be_bytes(*head))
    }

    fn string(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.u32()?).ok()?;
        let (head, tail) = self.0.split_at_checked(length)?;
        self.0 = tail;
        Some(head)
    }
}

/// Checks an armored signature of a message against keys: lines of `authorized_keys` or of `allowed_signers`.
/// Returns whose key it was (its comment, or who stands before it) and its fingerprint.
///
/// # Errors
/// What is wrong.
pub fn verify(message: &[u8], armored: &str, namespace: &str, keys: &[Vec<u8>]) -> Result<(String, String), String> {
    let body: String = armored
        .lines()
        .skip_while(|l| !l.starts_with("-----BEGIN SSH SIGNATURE-----"))
        .skip(1)
        .take_while(|l| !l.starts_with("-----END"))
        .map(str::trim)
        .collect();
    let blob = STANDARD.decode(body).map_err(|_| "not an SSH signature".to_string())?;
    let mut wire = Wire(blob.strip_prefix(b"SSHSIG").ok_or("not an SSH signature")?);
    let broken = || "the SSH signature is cut short".to_string();
    if wire.u32() != Some(1) {
        return Err("the SSH signature has an unknown version".into());
    }
    let key = wire.string().ok_or_else(broken)?;
    let space = wire.string().ok_or_else(broken)?;
    let reserved = wire.string().ok_or_else(broken)?;
    let hash = wire.string().ok_or_else(broken)?;
    let signature = wire.string().ok_or_else(broken)?;
    if space != namespace.as_bytes() {
        return Err(format!("the SSH signature is for {:?}, not for {namespace:?}", String::from_utf8_lossy(space)));
    }
    let print = fingerprint(key);
    let by = known(key, keys)
        .ok_or_else(|| format!("signed with the SSH key {print}, which is not among the given keys"))?;
    let digest = match hash {
        b"sha256" => Sha256::digest(message).to_vec(),
        b"sha512" => Sha512::digest(message).to_vec(),
        other => return Err(format!("the SSH signature has the unknown hash {:?}", String::from_utf8_lossy(other))),
    };
    let mut signed = b"SSHSIG".to_vec();
    for part in [space, reserved, hash, &digest] {
        // Parts of a blob that was itself read with 32-bit lengths.
        signed.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
        signed.extend_from_slice(part);
    }
    check(key, &signed, signature)?;
    Ok((by, print))
}

/// `SHA256:…`, as `ssh-keygen -l` prints it.
fn fingerprint(key: &[u8]) -> String {
    format!("SHA256:{}", STANDARD_NO_PAD.encode(Sha256::digest(key)))
}

/// Who stands beside a key in the given files.
fn known(key: &[u8], files: &[Vec<u8>]) -> Option<String> {
    let encoded = STANDARD.encode(key);
    for file in files {
        for line in String::from_utf8_lossy(file).lines().map(str::trim).filter(|l| !l.starts_with('#')) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let Some(at) = words.iter().position(|w| *w == encoded) else { continue };
            let comment = words.get(at + 1..).unwrap_or_default().join(" ");
            // `allowed_signers` begins with who may sign; `cert-authority` lines name no key of a person.
            if words.contains(&"cert-authority") || at == 0 {
                continue;
            }
            let first = words.first().filter(|_| at > 1).map(|w| w.to_string());
            return Some(first.unwrap_or(comment)).map(|by| if by.is_empty() { fingerprint(key) } else { by });
        }
    }
    None
}

fn check(key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), String> {
    let wrong = || "the SSH signature does not fit: the content or the signature was changed".to_string();
    let broken = || "the SSH key or signature is cut short".to_string();
    let (mut key, mut sig) = (Wire(key), Wire(signature));
    let kind = key.string().ok_or_else(broken)?;
    let algorithm = sig.string().ok_or_else(broken)?;
    let sig = sig.string().ok_or_else(broken)?;
    match kind {
        b"ssh-ed25519" if algorithm == kind => {
            let point = key.string().ok_or_else(broken)?;
            UnparsedPublicKey::new(&signature::ED25519, point).verify(message, sig).map_err(|_| wrong())
        }
        b"ecdsa-sha2-nistp256" | b"ecdsa-sha2-nistp384" | b"ecdsa-sha2-nistp521" if algorithm == kind => {
            let (method, size): (&signature::EcdsaVerificationAlgorithm, usize) = match kind {
                b"ecdsa-sha2-nistp256" => (&signature::ECDSA_P256_SHA256_FIXED, 32),
                b"ecdsa-sha2-nistp384" => (&signature::ECDSA_P384_SHA384_FIXED, 48),
                _ => (&signature::ECDSA_P521_SHA512_FIXED, 66),
            };
            let _curve = key.string().ok_or_else(broken)?;
            let point = key.string().ok_or_else(broken)?;
            let mut parts = Wire(sig);
            let mut fixed = Vec::new();
            for _ in 0..2 {
                let number = unsigned(parts.string().ok_or_else(broken)?);
                let pad = size.checked_sub(number.len()).ok_or_else(broken)?;
                fixed.resize(fixed.len() + pad, 0);
                fixed.extend_from_slice(number);
            }
            UnparsedPublicKey::new(method, point).verify(message, &fixed).map_err(|_| wrong())
        }
        b"ssh-rsa" => {
            let e = unsigned(key.string().ok_or_else(broken)?);
            let n = unsigned(key.string().ok_or_else(broken)?);
            let method = match algorithm {
                b"rsa-sha2-256" => &signature::RSA_PKCS1_2048_8192_SHA256,
                b"rsa-sha2-512" => &signature::RSA_PKCS1_2048_8192_SHA512,
                _ => return Err("the SSH signature is by RSA with SHA-1, which proves nothing".into()),
            };
            RsaPublicKeyComponents { n, e }.verify(method, message, sig).map_err(|_| wrong())
        }
        other => Err(format!("SSH keys of the kind {:?} are not supported", String::from_utf8_lossy(other))),
    }
}

/// A number without the zero that keeps it positive.
fn unsigned(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|b| **b == 0).count();
    number.get(zeros..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rubbish_is_refused() {
        for text in [
            "",
            "-----BEGIN SSH SIGNATURE-----\n!!\n-----END SSH SIGNATURE-----",
            "-----BEGIN SSH SIGNATURE-----\nU1NIU0lH\n-----END SSH SIGNATURE-----",
            "-----BEGIN SSH SIGNATURE-----\nU1NIU0lHAAAAAf////8=\n-----END SSH SIGNATURE-----",
        ] {
            assert!(verify(b"x", text, "git", &[]).is_err());
        }
        assert!(check(b"\0\0\0\x0bssh-ed25519", b"x", b"\0\0\0\x0bssh-ed25519\0\0\0\0").is_err());
    }
}
