//! Digests with their algorithm: `sha256:…`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256, Sha512};

use super::{Reason, SourceError};

/// What bytes hash to. Lower-case hexadecimal of the right length; anything else can't be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Algorithm {
    Sha256,
    Sha512,
}

impl Algorithm {
    const fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }
}

/// A digest with its algorithm.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest {
    algorithm: Algorithm,
    hex: String,
}

impl Digest {
    /// SHA-256 of bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self { algorithm: Algorithm::Sha256, hex: data_encoding::HEXLOWER.encode(&Sha256::digest(bytes)) }
    }

    /// What a SHA-256 that was computed on the way came to.
    pub fn of_hasher(hasher: Sha256) -> Self {
        Self { algorithm: Algorithm::Sha256, hex: data_encoding::HEXLOWER.encode(&hasher.finalize()) }
    }

    /// `sha256` or `sha512`.
    pub const fn algorithm(&self) -> &'static str {
        self.algorithm.name()
    }

    pub fn hex(&self) -> &str {
        &self.hex
    }

    /// Whether the bytes hash to it.
    pub fn matches(&self, bytes: &[u8]) -> bool {
        match self.algorithm {
            Algorithm::Sha256 => data_encoding::HEXLOWER.encode(&Sha256::digest(bytes)) == self.hex,
            Algorithm::Sha512 => data_encoding::HEXLOWER.encode(&Sha512::digest(bytes)) == self.hex,
        }
    }

    /// Refuses bytes that hash to something else.
    ///
    /// # Errors
    /// [`Reason::Digest`], with both digests.
    pub fn check(&self, bytes: &[u8], place: &str) -> Result<(), SourceError> {
        if self.matches(bytes) {
            return Ok(());
        }
        let got = Self::of(bytes);
        Err(SourceError::new(Reason::Digest, place, format!("the content has digest {got}, expected {self}"))
            .hint("the content was changed, or damaged on the way: nothing of it was used"))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm(), self.hex)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = String;

    /// `sha256:…`, `sha512:…`; 64 digits without a name are SHA-256, as in a chart repository's index.
    fn from_str(text: &str) -> Result<Self, String> {
        let (name, hex) = text.split_once(':').unwrap_or(("sha256", text));
        let (algorithm, length) = match name {
            "sha256" => (Algorithm::Sha256, 64),
            "sha512" => (Algorithm::Sha512, 128),
            _ => return Err(format!("digest {text:?} has an algorithm other than sha256 and sha512")),
        };
        if hex.len() != length || !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(format!("digest {text:?} must have {length} hexadecimal digits"));
        }
        Ok(Self { algorithm, hex: hex.to_ascii_lowercase() })
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_digests_are_digests() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(Digest::of(b"").to_string(), format!("sha256:{empty}"));
        assert!(empty.to_uppercase().parse::<Digest>().unwrap().matches(b""));
        for bad in [
            "",
            "sha256:",
            "md5:00",
            &empty[1..],
            "sha256:../../../../../../../../../../../../../../../../../../../../../../",
        ] {
            assert!(bad.parse::<Digest>().is_err(), "{bad}");
        }
    }
}
