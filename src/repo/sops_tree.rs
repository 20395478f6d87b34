//! The tree that kustomizations are built from, with the encrypted files that Flux decrypts before a build.
//!
//! Source: kustomize-controller `internal/decryptor`: files named in `secretGenerator.files`, `secretGenerator.envs` and `patches[].path` are
//! decrypted in place, so that a generated name's hash is that of the plain content. Files of a `configMapGenerator` are not.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::kustomize::{Entry, Tree};
use crate::sops::{self, Format, Services, Store};

use super::document::{self, Node};
use super::files::Checkout;
use super::generated::NAMES;

/// Files as Flux's build sees them.
pub struct Decrypting<'t> {
    tree: &'t dyn Tree,
    keys: &'t Services<'t>,
    /// Files that are to be decrypted, with their form.
    wanted: Mutex<BTreeMap<String, Format>>,
    plain: Mutex<Vec<String>>,
}

/// Larger files are left alone, as by Flux.
const MAX_FILE: usize = 5 << 20;

impl<'t> Decrypting<'t> {
    pub fn new(tree: &'t dyn Tree, keys: &'t Services<'t>) -> Self {
        Self { tree, keys, wanted: Mutex::default(), plain: Mutex::default() }
    }

    /// What was decrypted, so that it can be hidden.
    pub fn into_plain(self) -> Vec<String> {
        self.plain.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of the files that a kustomization names.
    fn note(&self, path: &str, text: &[u8]) {
        let Ok(documents) = document::parse(text) else { return };
        let dir = path.rsplit_once('/').map_or("", |(dir, _)| dir);
        let add = |file: &str, format: Option<Format>| {
            if let Ok(file) = Checkout::relative(&format!("{dir}/{file}")) {
                let format = format.unwrap_or_else(|| Format::of_path(&file));
                self.wanted.lock().unwrap_or_else(PoisonError::into_inner).insert(format!("/{file}"), format);
            }
        };
        let items = |n: &'_ Node, key: &str| n.get(key).map_or_else(Vec::new, |n| n.items().to_vec());
        for document in &documents {
            for generator in items(&document.root, "secretGenerator") {
                for file in items(&generator, "files").iter().filter_map(Node::as_str) {
                    add(file.split_once('=').map_or(file, |(_, file)| file), None);
                }
                for file in items(&generator, "envs").iter().filter_map(Node::as_str) {
                    add(file, Some(Format::Dotenv));
                }
            }
            for patch in items(&document.root, "patches") {
                if let Some(path) = patch.get("path").and_then(Node::as_str) {
                    add(path, None);
                }
            }
        }
    }

    fn decrypt(&self, format: Format, text: &[u8]) -> Option<Vec<u8>> {
        if text.len() > MAX_FILE || !has_marker(text) {
            return None;
        }
        let store = Store { yaml_indent: 2, ..Store::from(format) };
        let plain = sops::decrypt(&store, &store, text, self.keys, true).ok()?;
        let known = String::from_utf8_lossy(&plain).into_owned();
        self.plain.lock().unwrap_or_else(PoisonError::into_inner).push(known);
        Some(plain)
    }
}

/// True if a text looks like a SOPS document of some form.
pub fn has_marker(text: &[u8]) -> bool {
    ["ENC[AES256_GCM"].iter().any(|m| memchr::memmem::find(text, m.as_bytes()).is_some())
        && ["sops:", "\"sops\"", "sops_mac=", "[sops]"]
            .iter()
            .any(|m| memchr::memmem::find(text, m.as_bytes()).is_some())
}

impl Tree for Decrypting<'_> {
    fn resolve(&self, path: &str) -> Option<(String, Entry)> {
        self.tree.resolve(path)
    }

    fn read(&self, path: &str) -> Result<Cow<'_, [u8]>, String> {
        let text = self.tree.read(path)?;
        if NAMES.iter().any(|name| path.rsplit('/').next() == Some(*name)) {
            self.note(path, &text);
            return Ok(text);
        }
        let format = self.wanted.lock().unwrap_or_else(PoisonError::into_inner).get(path).copied();
        match format.and_then(|format| self.decrypt(format, &text)) {
            Some(plain) => Ok(Cow::Owned(plain)),
            None => Ok(text),
        }
    }

    fn list(&self, path: &str) -> Vec<(String, Entry)> {
        self.tree.list(path)
    }
}
