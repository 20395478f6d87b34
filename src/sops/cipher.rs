//! One encrypted value: `ENC[AES256_GCM,data:…,iv:…,tag:…,type:…]`, AES-256-GCM with a nonce of 32 bytes, bound to its place.
//!
//! A [`Cipher`] remembers the nonce of every value that it decrypted. When the same value is encrypted again at the same place, the nonce is
//! used again and the text comes out as it was: so an edit changes only what was edited (sops's "stash").

use std::collections::HashMap;
use std::sync::LazyLock;

use aes_gcm::aead::consts::{U12, U16, U32};
use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{AesGcm, aes::Aes256};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use regex::bytes::Regex;
use zeroize::Zeroizing;

use super::error::{Error, codes};
use super::value::{Comment, Text, Value};
use crate::golang::strconv::{atoi, parse_bool, parse_float};
use crate::golang::time::{Location, parse_in_location};
use crate::sprig::decode_base64;

/// The key of a document.
pub type DataKey = Zeroizing<Vec<u8>>;

/// Fills a buffer with random bytes; false if there are none. The room does no I/O itself.
pub type Random<'a> = &'a dyn Fn(&mut [u8]) -> bool;

const NONCE: usize = 32;
const TAG: usize = 16;

static FORM: LazyLock<Regex> = LazyLock::new(|| {
    // A constant, covered by every test of this file.
    #[allow(clippy::unwrap_used, reason = "a constant expression")]
    Regex::new(r"(?-u)^ENC\[AES256_GCM,data:(.+),iv:(.+),tag:(.+),type:(.+)\]").unwrap()
});

/// The parts of an encrypted value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encrypted {
    pub data: Vec<u8>,
    pub iv: Vec<u8>,
    pub tag: Vec<u8>,
    pub kind: String,
}

/// True if a text has the form of an encrypted value.
pub fn is_encrypted(text: &[u8]) -> bool {
    FORM.is_match(text)
}

impl Encrypted {
    /// # Errors
    /// sops's text; it quotes the value, which may be plain.
    pub fn parse(text: &[u8]) -> Result<Self, Error> {
        let code = codes::FAILED;
        let Some(parts) = FORM.captures(text) else {
            let shown = String::from_utf8_lossy(text);
            return Err(Error::masked(
                code,
                format!("Input string {shown} does not match sops' data format"),
                "a value that should be encrypted is not: it does not have sops' data format",
            ));
        };
        let part = |i: usize| parts.get(i).map_or(&b""[..], |m| m.as_bytes());
        let decode = |i: usize, name: &str| {
            decode_base64(part(i)).map_err(|at| {
                Error::new(code, format!("Error base64-decoding {name}: illegal base64 data at input byte {at}"))
            })
        };
        Ok(Self {
            data: decode(1, "data")?,
            iv: decode(2, "iv")?,
            tag: decode(3, "tag")?,
            kind: String::from_utf8_lossy(part(4)).into_owned(),
        })
    }
}

/// Encrypts and decrypts the values of one document.
pub struct Cipher {
    /// Nonces by place, type and plain text.
    stash: HashMap<(Vec<u8>, &'static str, Text), Vec<u8>>,
}

impl Default for Cipher {
    fn default() -> Self {
        Self::new()
    }
}

fn failed() -> Error {
    Error::new(codes::FAILED, "Could not decrypt with AES_GCM: cipher: message authentication failed")
}

fn open(key: &[u8], iv: &[u8], data: &[u8], aad: &[u8]) -> Result<Vec<u8>, Error> {
    if key.len() != 32 {
        return Err(Error::new(codes::FAILED, format!("crypto/aes: invalid key size {}", key.len())));
    }
    macro_rules! with_nonce {
        ($size:ty) => {{
            let cipher = AesGcm::<Aes256, $size>::new_from_slice(key).map_err(|_| failed())?;
            let nonce = iv.try_into().map_err(|_| failed())?;
            cipher.decrypt(nonce, Payload { msg: data, aad }).map_err(|_| failed())
        }};
    }
    match iv.len() {
        32 => with_nonce!(U32),
        12 => with_nonce!(U12),
        16 => with_nonce!(U16),
        // Nobody writes others: a nonce that was cut cannot be right.
        _ => Err(failed()),
    }
}

impl Cipher {
    pub fn new() -> Self {
        Self { stash: HashMap::new() }
    }

    /// Takes over what another cipher of the same key knows; what is known here stays.
    pub(super) fn remember(&mut self, other: Self) {
        for (value, iv) in other.stash {
            self.stash.entry(value).or_insert(iv);
        }
    }

    /// Decrypts a value at a place (`a:b:`). The empty text is itself.
    ///
    /// # Errors
    /// sops's text, which may quote the plain text when the type does not fit it.
    pub fn decrypt(&mut self, text: &[u8], key: &[u8], place: &[u8]) -> Result<Value, Error> {
        if text.is_empty() {
            return Ok(Value::text(""));
        }
        let enc = Encrypted::parse(text)?;
        let data = [enc.data.as_slice(), &enc.tag].concat();
        if data.len() < TAG {
            return Err(failed());
        }
        let plain = Text::from(open(key, &enc.iv, &data, place)?);
        let wrong =
            |text: String| Error::masked(codes::FAILED, text, format!("a value is marked as {} and is none", enc.kind));
        let shown = || String::from_utf8_lossy(plain.as_bytes()).into_owned();
        let value = match enc.kind.as_str() {
            "str" => Value::Text(plain.clone()),
            "int" => Value::Int(atoi(&shown()).map_err(|e| wrong(e.to_string()))?),
            "float" => Value::Float(parse_float(&shown()).map_err(|e| wrong(e.to_string()))?),
            "bool" => Value::Bool(parse_bool(&shown()).map_err(|e| wrong(e.to_string()))?),
            "time" => {
                let layout = b"2006-01-02T15:04:05Z07:00";
                Value::Time(parse_in_location(layout, plain.as_bytes(), &Location::utc()).map_err(wrong)?)
            }
            "comment" => Value::Comment(Comment { text: plain.clone(), inline: false }),
            "bytes" => {
                // sops crashes here; a document that it cannot read is none.
                return Err(Error::masked(
                    codes::CRASH,
                    "panic: runtime error: hash of unhashable type []uint8",
                    "a value is of type bytes, on which sops itself crashes",
                ));
            }
            kind => return Err(Error::new(codes::FAILED, format!("Unknown datatype: {kind}"))),
        };
        if let Some(bytes) = value.to_bytes() {
            self.stash.insert((place.to_vec(), value.go_type(), bytes), enc.iv);
        }
        Ok(value)
    }

    /// Encrypts a scalar at a place. The empty text is itself.
    pub fn encrypt(&self, value: &Value, key: &[u8], place: &[u8], random: Random<'_>) -> Result<Vec<u8>, Error> {
        let Some(plain) = value.to_bytes() else {
            let text = format!("Value to encrypt has unsupported type {}", value.go_type());
            return Err(Error::new(codes::FAILED, text));
        };
        let kind = match value {
            Value::Text(t) if t.is_empty() => return Ok(Vec::new()),
            Value::Comment(c) if c.text.is_empty() => return Ok(Vec::new()),
            Value::Text(_) => "str",
            Value::Int(_) => "int",
            Value::Float(_) => "float",
            Value::Bool(_) => "bool",
            Value::Time(_) => "time",
            _ => "comment",
        };
        let known = self.stash.get(&(place.to_vec(), value.go_type(), plain.clone())).filter(|iv| iv.len() == NONCE);
        let iv = match known {
            Some(iv) => iv.clone(),
            None => {
                let mut iv = vec![0; NONCE];
                if !random(&mut iv) {
                    return Err(Error::new(codes::FAILED, "Could not generate random bytes for IV"));
                }
                iv
            }
        };
        let no_cipher = || Error::new(codes::FAILED, "Could not initialize AES GCM encryption cipher");
        let cipher = AesGcm::<Aes256, U32>::new_from_slice(key).map_err(|_| no_cipher())?;
        let nonce = iv.as_slice().try_into().map_err(|_| no_cipher())?;
        let mut data = cipher.encrypt(nonce, Payload { msg: plain.as_bytes(), aad: place }).map_err(|_| no_cipher())?;
        let tag = data.split_off(data.len().saturating_sub(TAG));
        let [data, iv, tag] = [data, iv, tag].map(|bytes| STANDARD.encode(bytes));
        Ok(format!("ENC[AES256_GCM,data:{data},iv:{iv},tag:{tag},type:{kind}]").into_bytes())
    }
}
