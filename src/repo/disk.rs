//! Files on a disk as the tree that kustomizations are built from.

use std::borrow::Cow;
use std::path::Path;

use crate::golang::errno;
use crate::kustomize::{Entry, Tree};

/// The file system from its root on. Paths are absolute.
#[derive(Clone, Copy, Debug, Default)]
pub struct DiskTree;

impl Tree for DiskTree {
    fn resolve(&self, path: &str) -> Option<(String, Entry)> {
        let real = Path::new(path).canonicalize().ok()?;
        let entry = if real.is_dir() { Entry::Directory } else { Entry::File };
        Some((real.to_str()?.to_owned(), entry))
    }

    fn read(&self, path: &str) -> Result<Cow<'_, [u8]>, String> {
        std::fs::read(path).map(Cow::Owned).map_err(|e| errno::text(&e))
    }

    fn list(&self, path: &str) -> Vec<(String, Entry)> {
        let Ok(entries) = std::fs::read_dir(path) else { return Vec::new() };
        let mut out: Vec<(String, Entry)> = entries
            .filter_map(|e| {
                let e = e.ok()?;
                let entry = if e.path().is_dir() { Entry::Directory } else { Entry::File };
                Some((e.file_name().into_string().ok()?, entry))
            })
            .collect();
        out.sort();
        out
    }
}
