//! The secrets of a checkout: which files are SOPS documents, what rules hold for them, and what is wrong with them.

mod check;

pub use check::{Finding, Level, check};

use crate::sops::{Format, Store};

/// True if a text looks like a SOPS document; a cheap look before it is parsed.
pub fn is_encrypted(path: &str, text: &[u8]) -> bool {
    let has = |what: &[u8]| text.windows(what.len()).any(|w| w == what);
    match Format::of_path(path) {
        Format::Yaml => has(b"sops:") && (has(b"mac:") || has(b"\"mac\"")),
        Format::Dotenv => has(b"sops_mac="),
        Format::Ini => has(b"[sops]"),
        Format::Json | Format::Binary => has(b"\"sops\"") && has(b"\"mac\""),
    }
}

/// The kind of document that a file is, by its name; a JSON text under another name is a binary document's envelope.
pub fn store(path: &str) -> Store {
    Store::from(Format::of_path(path))
}
