//! SOPS files that got another name.
//!
//! A file that is gone and one that came are the same if they say the same, ciphertexts included: whoever encrypts a value anew uses another nonce.

use std::collections::BTreeMap;

use super::{is_encrypted, store};
use crate::sops::mask;

/// A file in two states; nothing where it does not exist.
#[derive(Debug)]
pub struct Versions {
    pub path: String,
    /// Its path in the older state, if it had another.
    pub renamed_from: Option<String>,
    pub base: Option<Vec<u8>>,
    pub head: Option<Vec<u8>>,
}

/// What tells the content of an encrypted file from all others, metadata aside.
fn content(path: &str, text: &[u8]) -> Option<Vec<u8>> {
    let text = is_encrypted(path, text).then(|| mask::placeholders(&store(path), text).ok())??;
    memchr::memmem::find(&text, mask::PLACEHOLDER.as_bytes()).is_some().then_some(text)
}

/// Makes one of two files where one is the other under a new name.
pub fn join(all: Vec<Versions>) -> Vec<Versions> {
    let is_new = |file: &Versions| file.base.is_none() && file.head.is_some();
    if !all.iter().any(is_new) {
        return all;
    }
    let mut gone: BTreeMap<Vec<u8>, Vec<Versions>> = BTreeMap::new();
    let mut out = Vec::new();
    for file in all {
        let old = file.base.as_ref().filter(|_| file.head.is_none()).and_then(|text| content(&file.path, text));
        match old {
            Some(content) => gone.entry(content).or_default().push(file),
            None => out.push(file),
        }
    }
    for file in out.iter_mut().filter(|file| is_new(file)) {
        let same = file.head.as_ref().and_then(|text| content(&file.path, text)).and_then(|c| gone.get_mut(&c));
        if let Some(old) = same.and_then(Vec::pop) {
            file.base = old.base;
            file.renamed_from = Some(old.path);
        }
    }
    out.extend(gone.into_values().flatten());
    out.sort_by(|a, b| a.path.cmp(&b.path));
    out
}
