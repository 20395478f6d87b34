//! age keys: X25519 and SSH identities, through the `age` crate. What goes wrong is said as sops says it (filippo.io/age).

use std::io::Read as _;

use base64::Engine as _;
use zeroize::Zeroizing;

use super::cipher::DataKey;
use super::keys::{KeyError, KeyService, MasterKey};
use crate::golang::strconv::quote;

const HEADER: &[u8] = b"-----BEGIN AGE ENCRYPTED FILE-----";
const FOOTER: &[u8] = b"-----END AGE ENCRYPTED FILE-----";
const INTRO: &[u8] = b"age-encryption.org/v1\n";

/// Age identities, and where none were found.
#[derive(Default)]
pub struct AgeKeys {
    identities: Vec<Box<dyn age::Identity + Send + Sync>>,
    recipients: Vec<String>,
    /// Places that were looked at and held no key, for error texts; in sops's order.
    pub empty_places: Vec<String>,
}

impl std::fmt::Debug for AgeKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AgeKeys").field("identities", &self.identities.len()).finish_non_exhaustive()
    }
}

impl AgeKeys {
    pub fn is_empty(&self) -> bool {
        self.identities.is_empty()
    }

    /// The public halves of the X25519 identities.
    pub fn recipients(&self) -> &[String] {
        &self.recipients
    }

    /// Adds the identities of a text, one on each line; empty lines and `#` comments are passed over.
    ///
    /// # Errors
    /// Which line holds no identity; the line itself is not shown.
    pub fn add(&mut self, text: &str) -> Result<(), String> {
        for (n, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            for word in line.split_whitespace() {
                if word.starts_with("AGE-PLUGIN-") || word.starts_with("AGE-SECRET-KEY-PQ-1") {
                    return Err(format!("line {}: this kind of age identity is not supported", n + 1));
                }
                let identity: age::x25519::Identity =
                    word.parse().map_err(|_| format!("line {}: unknown identity type", n + 1))?;
                self.recipients.push(identity.to_public().to_string());
                self.identities.push(Box::new(identity));
            }
        }
        Ok(())
    }

    /// Adds an SSH private key (ed25519 or RSA) without pass phrase.
    pub fn add_ssh(&mut self, pem: &[u8]) -> Result<(), String> {
        match age::ssh::Identity::from_buffer(pem, None) {
            Ok(identity @ age::ssh::Identity::Unencrypted(_)) => {
                self.identities.push(Box::new(identity));
                Ok(())
            }
            Ok(age::ssh::Identity::Encrypted(_)) => {
                Err("the SSH key is password protected, which is unsupported".into())
            }
            Ok(age::ssh::Identity::Unsupported(_)) => Err("this kind of SSH key is not supported".into()),
            Err(_) => Err("malformed SSH identity".into()),
        }
    }

    fn places(&self) -> String {
        match self.empty_places.as_slice() {
            [] => String::new(),
            [one] => format!(". Did not find keys in location '{one}'."),
            [one, two] => format!(". Did not find keys in locations '{one}' and '{two}'."),
            [all @ .., last] => format!(". Did not find keys in locations '{}', and '{last}'.", all.join("', '")),
        }
    }
}

/// What must not stand behind the closing line.
fn trailing<'a>(lines: &mut impl Iterator<Item = &'a [u8]>) -> Option<&'static str> {
    /// As far as Go looks.
    const MOST: usize = 1024;
    let mut read = 0;
    for line in lines {
        if !line.trim_ascii().is_empty() {
            return Some("trailing data after armored file");
        }
        read += line.len() + 1;
        if read > MOST {
            return Some("too much trailing whitespace");
        }
    }
    None
}

/// What Go's armour reader gives: bytes, and the error that stands at their end.
fn armoured(text: &[u8]) -> (Vec<u8>, Option<String>) {
    let lines = &mut text.split(|b| *b == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let bad = |what: &str| Some(format!("invalid armor: {what}"));
    let quoted = |what: &str, line: &[u8]| Some(format!("invalid armor: invalid {what} line: {}", quote(line)));
    let mut out = Vec::new();
    match lines.find(|line| !line.iter().all(u8::is_ascii_whitespace)) {
        Some(HEADER) => {}
        Some(line) => return (out, quoted("first", line)),
        None => return (out, bad("unexpected EOF")),
    }
    loop {
        let Some(line) = lines.next() else { return (out, bad("unexpected EOF")) };
        if line == FOOTER {
            return (out, trailing(lines).and_then(bad));
        }
        if line.is_empty() {
            return (out, bad("empty line in armored data"));
        }
        if line.len() > 64 {
            return (out, bad("column limit exceeded"));
        }
        let Ok(bytes) = base64::engine::general_purpose::STANDARD.decode(line) else {
            let at = crate::sprig::decode_base64(line).err().unwrap_or(0);
            return (out, bad(&format!("illegal base64 data at input byte {at}")));
        };
        if bytes.len() < 48 {
            // The last line is only given out with the closing line behind it.
            return match lines.next() {
                Some(FOOTER) => {
                    out.extend(bytes);
                    (out, trailing(lines).and_then(bad))
                }
                Some(line) => (out, quoted("closing", line)),
                None => (out, bad("unexpected EOF")),
            };
        }
        out.extend(bytes);
    }
}

/// What is wrong with the header, as Go says it; the number of bytes it takes.
fn header(data: &[u8], end: Option<&String>) -> Result<usize, String> {
    let mut at = 0;
    let ended = |what: &str| match end {
        Some(e) => format!("failed to read header: parsing age header: failed to read {what}: {e}"),
        None => format!("failed to read header: parsing age header: failed to read {what}: unexpected EOF"),
    };
    let mut line = || {
        let rest = data.get(at..).unwrap_or_default();
        let n = rest.iter().position(|b| *b == b'\n')? + 1;
        at += n;
        rest.get(..n).map(|line| (line, at))
    };
    match line() {
        None if end.is_none() => return Err("failed to read header: parsing age header: file is empty".into()),
        None => return Err(ended("intro")),
        Some((INTRO, _)) => {}
        Some((intro, _)) => {
            return Err(format!("failed to read header: parsing age header: unexpected intro: {}", quote(intro)));
        }
    }
    loop {
        let Some((text, at)) = line() else { return Err(ended("header")) };
        if text.starts_with(b"---") {
            return Ok(at);
        }
    }
}

impl KeyService for AgeKeys {
    fn decrypt(&self, key: &MasterKey) -> Result<DataKey, KeyError> {
        let MasterKey::Age { enc, .. } = key else {
            return Err(format!("no age key can open a data key of kind {}", key.kind()));
        };
        if self.identities.is_empty() {
            return Err(format!("failed to load age identities{}", self.places()));
        }
        let reader = "failed to create reader for decrypting sops data key with age";
        let (data, end) = armoured(enc.as_bytes());
        if let Err(e) = header(&data, end.as_ref()) {
            return Err(format!("{reader}: {e}{}", self.places()));
        }
        let copying = |e: &str| format!("failed to copy age decrypted data into bytes.Buffer: {e}");
        let decryptor = age::Decryptor::new(data.as_slice());
        let opened = decryptor.and_then(|d| d.decrypt(self.identities.iter().map(|i| &**i as &dyn age::Identity)));
        match opened {
            Ok(mut stream) => {
                let mut out = Zeroizing::new(Vec::new());
                let read = stream.read_to_end(&mut out);
                match (end, read) {
                    (Some(e), _) => Err(copying(&e)),
                    (None, Err(_)) => Err(copying("failed to decrypt and authenticate payload chunk")),
                    (None, Ok(_)) => Ok(out),
                }
            }
            Err(e) => {
                let text = match e {
                    age::DecryptError::NoMatchingKeys | age::DecryptError::KeyDecryptionFailed
                        if self.identities.len() == 1 =>
                    {
                        "identity did not match any of the recipients: incorrect identity for recipient block"
                    }
                    age::DecryptError::NoMatchingKeys | age::DecryptError::KeyDecryptionFailed => {
                        "no identity matched any of the recipients"
                    }
                    age::DecryptError::InvalidMac => "bad header MAC",
                    age::DecryptError::DecryptionFailed => {
                        "identity did not match any of the recipients: incorrect identity for recipient block"
                    }
                    age::DecryptError::Io(_) => {
                        return Err(match end {
                            Some(e) => copying(&e),
                            None => format!("{reader}: failed to read nonce: unexpected EOF{}", self.places()),
                        });
                    }
                    _ => "failed to read header: parsing age header",
                };
                Err(format!("{reader}: {text}{}", self.places()))
            }
        }
    }

    fn holds(&self, key: &MasterKey) -> bool {
        matches!(key, MasterKey::Age { recipient, .. } if self.recipients.contains(recipient))
    }

    fn encrypt(&self, key: &MasterKey, plain: &[u8]) -> Result<String, KeyError> {
        let MasterKey::Age { recipient, .. } = key else {
            return Err(format!("age cannot encrypt for a key of kind {}", key.kind()));
        };
        check_recipient(recipient)?;
        let failed = |_| "failed to encrypt sops data key with age".to_owned();
        if recipient.starts_with("ssh-") {
            let parsed: age::ssh::Recipient =
                recipient.parse().map_err(|_| "failed to parse input as age-ssh public key".to_owned())?;
            return age::encrypt_and_armor(&parsed, plain).map_err(failed);
        }
        let parsed: age::x25519::Recipient =
            recipient.parse().map_err(|e| format!("failed to parse input as Bech32-encoded age public key: {e}"))?;
        age::encrypt_and_armor(&parsed, plain).map_err(failed)
    }
}

/// What is wrong with a data key that was encrypted for a recipient, as far as can be told without the recipient's key.
pub fn damage(enc: &str) -> Option<String> {
    let (data, end) = armoured(enc.as_bytes());
    match (header(&data, end.as_ref()), end) {
        (Err(e), _) | (Ok(_), Some(e)) => Some(e),
        (Ok(_), None) => None,
    }
}

/// True if a text is a recipient of a kind that can be encrypted for.
pub fn check_recipient(recipient: &str) -> Result<(), String> {
    if recipient.starts_with("age1pq1") || (recipient.starts_with("age1") && recipient.matches('1').count() > 1) {
        // Bech32's own alphabet has no 1: a second one is a plugin's name.
        return Err("age plugins and post-quantum recipients are not supported".into());
    }
    if recipient.starts_with("age1") {
        return recipient
            .parse::<age::x25519::Recipient>()
            .map(|_| ())
            .map_err(|e| format!("failed to parse input as Bech32-encoded age public key: {e}"));
    }
    if recipient.starts_with("ssh-") {
        return Ok(());
    }
    Err(format!("failed to parse input, unknown recipient type: {}", quote(recipient.as_bytes())))
}
