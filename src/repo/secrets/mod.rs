//! The secrets of a checkout: which files are SOPS documents, what rules hold for them, and what is wrong with them.

mod check;
mod clear;
mod renamed;

pub use check::{Finding, Level, check};
pub use renamed::{Versions, join};

use crate::sops::{Format, Store};

/// True if a text looks like a SOPS document; a cheap look before it is parsed. One whose MAC was taken away is still one.
pub fn is_encrypted(path: &str, text: &[u8]) -> bool {
    let has = |what: &str| memchr::memmem::find(text, what.as_bytes()).is_some();
    let has_value = || has("ENC[AES256_GCM,data:");
    match Format::of_path(path) {
        Format::Yaml => (has("sops:") || has("\"sops\"")) && (has("mac:") || has("\"mac\"") || has_value()),
        Format::Dotenv => has("sops_mac=") || has("sops_version=") || has_value(),
        Format::Ini => has("[sops]") || has_value(),
        Format::Json | Format::Binary => has("\"sops\"") && (has("\"mac\"") || has_value()),
    }
}

/// The kind of document that a file is, by its name; a JSON text under another name is a binary document's envelope.
pub fn store(path: &str) -> Store {
    Store::from(Format::of_path(path))
}
