//! Who vouches for content.
//!
//! Helm's provenance stands here whole; signatures of commits and of registries' artifacts are checked by their sources with what stands
//! in the files beside. All of them fail closed.

pub mod cosign;
pub mod pgp;
pub mod ssh;

use std::path::Path;

use super::{Digest, Reason, SourceError, Verification};
use crate::chart::{Data, values_file};

/// Checks Helm's provenance: a clear-signed text that names the archive's digest.
///
/// # Errors
/// [`Reason::Unverified`], in Helm's words.
pub fn helm_provenance(archive: &[u8], file: &[u8], name: &str, keyring: &Path) -> Result<Verification, SourceError> {
    let ring = std::fs::read(keyring).map_err(|e| {
        let path = keyring.display().to_string();
        SourceError::new(
            Reason::Unverified,
            "",
            format!("failed to load keyring: {}", crate::golang::errno::path_error("open", &path, &e)),
        )
    })?;
    let refuse = |why: String| SourceError::new(Reason::Unverified, "", why);
    let ring = pgp::keyring(&ring).map_err(|e| refuse(format!("failed to load keyring: {e}")))?;
    let (text, signer) = pgp::clear_signed(file, &ring).map_err(&refuse)?;
    let digest = Digest::of(archive).to_string();
    match named(&text, name).map_err(&refuse)? {
        None => Err(refuse(format!("provenance does not contain a SHA for a file named {name:?}"))),
        Some(sum) if sum != digest => {
            Err(refuse(format!("sha256 sum does not match for {name}: {sum:?} != {digest:?}")))
        }
        Some(_) => {
            Ok(Verification { method: "helm-provenance".into(), by: signer.names.join(", "), key: signer.fingerprint })
        }
    }
}

/// The digest that a provenance's text gives a file.
fn named(text: &str, name: &str) -> Result<Option<String>, String> {
    let mut parts = text.split("\n...\n");
    let (_, Some(sums)) = (parts.next(), parts.next()) else {
        return Err("message block must have at least two parts".into());
    };
    let table = values_file::read_one(sums.as_bytes())?;
    let files = table.iter().find(|(k, _)| **k == *"files").map(|(_, v)| v);
    let Some(Data::Table(files)) = files else { return Ok(None) };
    Ok(files.iter().find(|(k, _)| **k == *name).and_then(|(_, v)| match v {
        Data::Str(s) => Some(s.to_string()),
        _ => None,
    }))
}

/// Makes the provenance file of an archive (`package --sign`): its Chart.yaml as Helm writes it, and its digest, signed with the key of the
/// keyring whose user id is `key`, or contains it.
///
/// # Errors
/// In Helm's words.
pub fn sign(
    archive: &[u8],
    name: &str,
    metadata: &[u8],
    keyring: &[u8],
    key: &str,
    passphrase: &str,
) -> Result<String, SourceError> {
    let refuse = |why: String| SourceError::new(Reason::Refused, "", why);
    let ring = pgp::keyring(keyring).map_err(&refuse)?;
    let secret = pgp::secret(&ring, key).map_err(&refuse)?;
    let metadata = String::from_utf8_lossy(metadata);
    let text = format!("{metadata}\n...\nfiles:\n  {name}: {}\n", Digest::of(archive));
    pgp::clear_sign(&text, secret, passphrase).map_err(refuse)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provenance_names_files() {
        let text = "name: a\n\n...\nfiles:\n  a-1.tgz: sha256:00\n";
        assert_eq!(named(text, "a-1.tgz").unwrap().as_deref(), Some("sha256:00"));
        assert_eq!(named(text, "b-1.tgz").unwrap(), None);
        assert!(named("files: {}", "a").is_err());
    }

    #[test]
    fn rubbish_is_no_keyring() {
        for data in [
            b"".as_slice(),
            b"x",
            b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n",
            b"\0\0\0\x20\x01\0\0\0KBXf\0\0\0\0",
            b"\x99\xff\xff",
        ] {
            assert!(pgp::keyring(data).is_err() || pgp::keyring(data).unwrap().is_empty());
            assert!(pgp::clear_signed(data, &[]).is_err());
        }
    }
}
