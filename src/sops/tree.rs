//! A whole document: its branches (one for each YAML document) and the metadata; how it is encrypted, decrypted and sealed.

use sha2::{Digest, Sha512};

use super::cipher::{Cipher, DataKey, Random};
use super::error::{Error, codes};
use super::metadata::Metadata;
use super::value::{Branch, Comment, Item, Key, Value};
use crate::golang::time::Time;

/// A document with its metadata. Whether its values are encrypted, its user knows.
#[derive(Clone, Debug)]
pub struct Tree {
    pub branches: Vec<Branch>,
    pub metadata: Metadata,
}

/// SHA-256 of "sops": what the hash begins with when only encrypted values go into it.
const ONLY_ENCRYPTED: [u8; 32] = [
    0x8a, 0x3f, 0xd2, 0xad, 0x54, 0xce, 0x66, 0x52, 0x7b, 0x10, 0x34, 0xf3, 0xd1, 0x47, 0xbe, 0xb, 0xb, 0x97, 0x5b,
    0x3b, 0xf4, 0x4f, 0x72, 0xc6, 0xfd, 0xad, 0xec, 0x81, 0x76, 0xf2, 0x7d, 0x69,
];

/// What happens to each scalar and comment: its path, the comments above it at each level, whether it is to be encrypted.
type Leaf<'a> = dyn FnMut(&Value, &[Vec<u8>], &[Vec<Vec<u8>>]) -> Result<Value, Error> + 'a;

/// Deeper nesting is refused.
const MAX_DEPTH: usize = 1000;

struct Walk<'a, 'b> {
    leaf: &'a mut Leaf<'b>,
    path: Vec<Vec<u8>>,
    comments: Vec<Vec<Vec<u8>>>,
}

impl Walk<'_, '_> {
    fn value(&mut self, value: &mut Value) -> Result<(), Error> {
        match value {
            Value::Null => Ok(()),
            Value::Uint(_) => Err(format!("Cannot walk value, unknown type: {}", value.go_type()).into()),
            Value::Branch(branch) => self.branch(branch),
            Value::List(items) => {
                self.enter()?;
                for item in items {
                    self.with_comment(item)?;
                }
                self.comments.pop();
                Ok(())
            }
            scalar => {
                *scalar = (self.leaf)(scalar, &self.path, &self.comments)?;
                Ok(())
            }
        }
    }

    fn enter(&mut self) -> Result<(), Error> {
        if self.comments.len() >= MAX_DEPTH {
            return Err(Error::new(codes::FAILED, "the document is nested too deeply"));
        }
        self.comments.push(Vec::new());
        Ok(())
    }

    fn note(&mut self, comment: &Comment) {
        if let Some(active) = self.comments.last_mut() {
            active.push(comment.text.as_bytes().to_vec());
        }
    }

    /// Walks over a value; a comment stays active until the value behind it.
    fn with_comment(&mut self, value: &mut Value) -> Result<(), Error> {
        let comment = if let Value::Comment(c) = value {
            self.note(&c.clone());
            true
        } else {
            false
        };
        self.value(value)?;
        if !comment && let Some(active) = self.comments.last_mut() {
            active.clear();
        }
        Ok(())
    }

    fn branch(&mut self, branch: &mut Branch) -> Result<(), Error> {
        self.enter()?;
        for Item { key, value } in branch {
            match key {
                Key::Comment(comment) => {
                    self.note(&comment.clone());
                    let inline = comment.inline;
                    match (self.leaf)(&Value::Comment(comment.clone()), &self.path, &self.comments)? {
                        Value::Comment(c) => *comment = c,
                        Value::Text(text) => *comment = Comment { text, inline },
                        other => {
                            let kind = other.go_type();
                            return Err(
                                format!("walkValue of Comment should be either Comment or string, was {kind}").into()
                            );
                        }
                    }
                }
                Key::Other { kind, shown } => {
                    return Err(Error::masked(
                        codes::FAILED,
                        format!(
                            "Tree contains a non-string key (type {kind}): {shown}. Only string keys are supported"
                        ),
                        format!("Tree contains a non-string key (type {kind}). Only string keys are supported"),
                    ));
                }
                Key::Text(key) => {
                    self.path.push(key.clone());
                    self.with_comment(value)?;
                    self.path.pop();
                }
            }
        }
        self.comments.pop();
        Ok(())
    }
}

/// The additional data of a value: the keys of its path, each with a `:` behind it.
fn place(path: &[Vec<u8>]) -> Vec<u8> {
    let mut out = path.join(&b':');
    out.push(b':');
    out
}

/// A path for people: keys only.
fn shown(path: &[Vec<u8>]) -> String {
    String::from_utf8_lossy(&path.join(&b'.')).into_owned()
}

impl Tree {
    fn walk(&mut self, leaf: &mut Leaf<'_>) -> Result<(), Error> {
        for branch in &mut self.branches {
            let mut walk = Walk { leaf, path: Vec::new(), comments: Vec::new() };
            walk.branch(branch).map_err(|e| e.context("Error walking tree: "))?;
        }
        Ok(())
    }

    fn hash(&self) -> Sha512 {
        let mut hash = Sha512::new();
        if self.metadata.mac_only_encrypted {
            hash.update(ONLY_ENCRYPTED);
        }
        hash
    }

    /// Encrypts all values that the metadata selects; the MAC in clear.
    fn encrypt_values(&mut self, key: &[u8], cipher: &Cipher, random: Random<'_>) -> Result<String, Error> {
        let mut hash = self.hash();
        let metadata = self.metadata.clone();
        let selector = metadata.selector();
        self.walk(&mut |value, path, comments| {
            let is_comment = matches!(value, Value::Comment(_));
            let encrypted = selector.selects(path, comments, is_comment);
            if (!metadata.mac_only_encrypted || encrypted) && !is_comment {
                match value.to_bytes() {
                    Some(bytes) => hash.update(bytes.as_bytes()),
                    None => return Err(Error::new(codes::FAILED, format!("Could not convert {} to bytes", value.go_type()))),
                }
            }
            if !encrypted {
                return Ok(value.clone());
            }
            let text = cipher
                .encrypt(value, key, &place(path), random)
                .map_err(|e| e.context("Could not encrypt value: ").at(&shown(path)))?;
            if is_comment && selector.refuses_comment(&text) {
                let text = String::from_utf8_lossy(&text);
                return Err(Error::new(
                    codes::FAILED,
                    format!(
                        "Encrypted comment {} matches UnencryptedCommentRegex! Make sure that UnencryptedCommentRegex cannot match an encrypted comment.",
                        crate::golang::strconv::quote(text.as_bytes())
                    ),
                ));
            }
            Ok(Value::Text(text.into()))
        })?;
        Ok(hex(&hash.finalize()))
    }

    /// Decrypts all values that the metadata selects; the MAC of what came out.
    fn decrypt_values(&mut self, key: &[u8], cipher: &mut Cipher) -> Result<String, Error> {
        let mut hash = self.hash();
        let metadata = self.metadata.clone();
        let selector = metadata.selector();
        self.walk(&mut |value, path, comments| {
            let is_comment = matches!(value, Value::Comment(_));
            let encrypted = selector.selects(path, comments, is_comment);
            let plain = match value {
                _ if !encrypted => value.clone(),
                // A comment that does not decrypt was never encrypted.
                Value::Comment(c) => {
                    cipher.decrypt(c.text.as_bytes(), key, &place(path)).unwrap_or_else(|_| value.clone())
                }
                Value::Text(t) => cipher.decrypt(t.as_bytes(), key, &place(path)).map_err(|e| {
                    if e.code == codes::CRASH { e } else { e.context("Could not decrypt value: ") }.at(&shown(path))
                })?,
                other => {
                    let text = format!("Expected encrypted value as string, but got {}", other.go_type());
                    return Err(Error::new(codes::FAILED, text).at(&shown(path)));
                }
            };
            // What was no comment can become one.
            if (!metadata.mac_only_encrypted || encrypted)
                && !matches!(plain, Value::Comment(_))
                && let Some(bytes) = plain.to_bytes()
            {
                hash.update(bytes.as_bytes());
            }
            Ok(plain)
        })?;
        Ok(hex(&hash.finalize()))
    }

    /// Decrypts the document in place and checks its MAC.
    ///
    /// # Errors
    /// With sops's exit codes: a value that does not decrypt (25), a MAC that does not fit (51).
    pub fn decrypt(&mut self, key: &DataKey, cipher: &mut Cipher, ignore_mac: bool) -> Result<(), Error> {
        let computed = self.decrypt_values(key, cipher).map_err(|e| {
            if e.code == codes::CRASH {
                return Error::masked(
                    codes::CRASH,
                    e.sops_text().trim_start_matches("Error walking tree: "),
                    e.to_string(),
                );
            }
            e.context("Error decrypting tree: ").with_code(codes::NOT_DECRYPTED)
        })?;
        if ignore_mac {
            return Ok(());
        }
        let time = self.metadata.last_modified_text();
        let stored = cipher
            .decrypt(self.metadata.mac.as_bytes(), key, time.as_bytes())
            .map_err(|e| e.context("Cannot decrypt MAC: ").with_code(codes::MAC_MISMATCH))?;
        let stored = stored.to_bytes().unwrap_or_default();
        if stored.as_bytes() == computed.as_bytes() {
            return Ok(());
        }
        let (file, safe) = if stored.is_empty() {
            ("no MAC".into(), "MAC mismatch: the file has no MAC")
        } else {
            (
                String::from_utf8_lossy(stored.as_bytes()),
                "MAC mismatch: the file was changed without sops, or values were moved, added or removed by hand",
            )
        };
        Err(Error::masked(codes::MAC_MISMATCH, format!("MAC mismatch. File has {file}, computed {computed}"), safe))
    }

    /// Encrypts the document in place, with a MAC and the time in its metadata.
    pub fn encrypt(&mut self, key: &DataKey, cipher: &Cipher, now: &Time, random: Random<'_>) -> Result<(), Error> {
        let mac = self
            .encrypt_values(key, cipher, random)
            .map_err(|e| e.context("Error encrypting tree: ").with_code(codes::NOT_ENCRYPTED))?;
        self.metadata.last_modified = now.clone();
        let time = self.metadata.last_modified_text();
        let mac = cipher.encrypt(&Value::text(mac), key, time.as_bytes(), random)?;
        self.metadata.mac = String::from_utf8_lossy(&mac).into_owned();
        Ok(())
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, b| {
        use std::fmt::Write as _;
        let _ = write!(out, "{b:02X}");
        out
    })
}
