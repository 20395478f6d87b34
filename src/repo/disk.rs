//! Files on a disk as the tree that kustomizations are built from.
//!
//! Where a path leads is known only when each of its parts was looked at, for any can be a link. The directories of a build are few and its files
//! many, so it is kept where a directory leads, and a file costs one look more.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use crate::golang::errno;
use crate::kustomize::{Entry, Tree};

/// `PATH_MAX`
const LONGEST: usize = 4096;

/// The file system from its root on, for one build. Paths are absolute.
#[derive(Debug, Default)]
pub struct DiskTree {
    /// Where directories lead.
    directories: RwLock<HashMap<String, Arc<str>>>,
}

impl DiskTree {
    fn directory(&self, path: &str) -> Option<Arc<str>> {
        if let Some(known) = self.directories.read().unwrap_or_else(PoisonError::into_inner).get(path) {
            return Some(known.clone());
        }
        let (real, Entry::Directory) = self.resolve(path)? else { return None };
        let real: Arc<str> = real.into();
        self.directories.write().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned(), real.clone());
        Some(real)
    }
}

impl Tree for DiskTree {
    fn resolve(&self, path: &str) -> Option<(String, Entry)> {
        let (parent, name) = match path.rsplit_once('/') {
            // The system has no longer paths.
            _ if path.len() > LONGEST => return None,
            Some((_, "")) | None => return followed(Path::new(path)),
            Some(("", name)) => ("/", name),
            Some(parts) => parts,
        };
        let parent = self.directory(parent)?;
        let place = if &*parent == "/" { format!("/{name}") } else { format!("{parent}/{name}") };
        let kind = std::fs::symlink_metadata(&place).ok()?.file_type();
        if kind.is_symlink() {
            return followed(Path::new(&place));
        }
        Some((place, if kind.is_dir() { Entry::Directory } else { Entry::File }))
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

/// Where a path leads, all links followed.
fn followed(path: &Path) -> Option<(String, Entry)> {
    let real = path.canonicalize().ok()?;
    let entry = if real.is_dir() { Entry::Directory } else { Entry::File };
    Some((real.to_str()?.to_owned(), entry))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repo::scratch::Repository;

    #[test]
    fn paths_lead_where_the_system_says() {
        let repository = Repository::new("disk");
        for file in ["a/b/file", "c/d/e/file"] {
            repository.write(file, "");
        }
        for (link, target) in [
            ("a/into", "../c/d"),
            ("a/b/up", ".."),
            ("a/round", "round"),
            ("nowhere", "c/none"),
            ("to-file", "a/into/e/file"),
            ("c/twice", "../a/into"),
        ] {
            repository.link(link, target);
        }
        let root = repository.0.canonicalize().unwrap();
        let tree = DiskTree::default();
        for _ in 0..2 {
            for path in [
                "",
                "a",
                "a/b/file",
                "a/into",
                "a/into/e",
                "a/into/e/file",
                "a/b/up/b/file",
                "a/round",
                "a/round/x",
                "nowhere",
                "to-file",
                "to-file/x",
                "c/twice/e/file",
                "c/twice/none",
                "a/b/file/x",
                "none/none",
            ] {
                let path = root.join(path);
                let path = path.to_str().unwrap().trim_end_matches('/');
                assert_eq!(tree.resolve(path), followed(Path::new(path)), "{path}");
            }
        }
        assert_eq!(tree.resolve("/"), Some(("/".to_owned(), Entry::Directory)));
        assert_eq!(tree.resolve("/proc"), Some(("/proc".to_owned(), Entry::Directory)));
    }
}
