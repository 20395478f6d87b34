//! Why something could not be done with a SOPS file.
//!
//! sops quotes values in its messages, and its MAC messages hold hashes of the plain text. So an error has two texts: what is printed holds
//! places and reasons only, and [`Error::sops_text`] is the message word for word, for tests against the real program.

use std::fmt;

/// sops's exit codes (its `cmd/sops/codes`).
pub mod codes {
    pub const FAILED: u8 = 1;
    pub const NOT_READ: u8 = 2;
    pub const NOT_DUMPED: u8 = 4;
    pub const INVALID_SET: u8 = 7;
    pub const NOT_ENCRYPTED: u8 = 23;
    pub const NOT_DECRYPTED: u8 = 25;
    pub const MAC_MISMATCH: u8 = 51;
    pub const EMPTY_FILE: u8 = 92;
    pub const NO_DATA_KEY: u8 = 128;
    pub const NOT_MODIFIED: u8 = 200;
    pub const ALREADY_ENCRYPTED: u8 = 203;
    /// Go's own for a crash.
    pub const CRASH: u8 = 2;
}

/// A failure. `Display` shows no value of the document.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("{safe}")]
pub struct Error {
    pub code: u8,
    safe: String,
    text: String,
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Error {{ code: {}, {:?} }}", self.code, self.safe)
    }
}

impl Error {
    /// An error whose text holds no value.
    pub fn new(code: u8, text: impl Into<String>) -> Self {
        let text = text.into();
        Self { code, safe: text.clone(), text }
    }

    /// An error with sops's text, and one that may be printed.
    pub fn masked(code: u8, text: impl Into<String>, safe: impl Into<String>) -> Self {
        Self { code, safe: safe.into(), text: text.into() }
    }

    /// sops's own message. It may hold values of the document: for tests only.
    pub fn sops_text(&self) -> &str {
        &self.text
    }

    /// The same with something said in front, as sops wraps errors.
    #[must_use]
    pub fn context(self, before: &str) -> Self {
        Self { code: self.code, safe: format!("{before}{}", self.safe), text: format!("{before}{}", self.text) }
    }

    /// The same with another exit code.
    #[must_use]
    pub fn with_code(self, code: u8) -> Self {
        Self { code, ..self }
    }

    /// The same, and where it happened.
    #[must_use]
    pub fn at(self, place: &str) -> Self {
        Self { safe: format!("{} (at {place})", self.safe), ..self }
    }
}

impl From<String> for Error {
    fn from(text: String) -> Self {
        Self::new(codes::FAILED, text)
    }
}
