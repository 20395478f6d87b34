//! What an artifact's copies take files from: this repository, or a chart that was fetched.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::golang::{doublestar, path};
use crate::kustomize::{self, Entry};
use crate::repo::files::Checkout;

use super::join;

/// Files by their paths.
pub type Files = BTreeMap<String, Arc<[u8]>>;

/// The files of the sources that were fetched, by alias.
pub type Fetched = BTreeMap<String, Files>;

/// Where a source's files are.
#[derive(Clone, Copy)]
pub enum Origin<'f> {
    /// In the checkout, below a directory.
    Here {
        checkout: &'f Checkout,
        root: &'f str,
    },
    Fetched(&'f Files),
}

/// What one copy takes files from: paths count from the source's root.
pub struct From<'f> {
    pub origin: Origin<'f>,
    /// The path that comes before the first pattern.
    pub base: &'f str,
    pub exclude: &'f [String],
}

impl From<'_> {
    pub fn kind(&self, path: &str) -> Option<Entry> {
        match self.origin {
            Origin::Here { checkout, root } => checkout.kind(&join(root, path)),
            Origin::Fetched(files) if files.contains_key(path) => Some(Entry::File),
            Origin::Fetched(files) => is_directory(files, path).then_some(Entry::Directory),
        }
    }

    /// Names in a directory, sorted.
    pub fn list(&self, path: &str) -> Result<Vec<String>, String> {
        Ok(match self.origin {
            Origin::Here { checkout, root } => {
                let names = checkout.list(&join(root, path))?;
                names.into_iter().map(|name| name.trim_end_matches('/').to_owned()).collect()
            }
            Origin::Fetched(files) => names(files, path).into_iter().map(|(name, _)| name).collect(),
        })
    }

    pub fn read(&self, path: &str) -> Result<Cow<'_, [u8]>, String> {
        match self.origin {
            Origin::Here { checkout, root } => checkout.read(&join(root, path)).map(Cow::Owned),
            Origin::Fetched(files) => {
                files.get(path).map(|data| Cow::Borrowed(&**data)).ok_or_else(|| format!("{path}: no such file"))
            }
        }
    }

    /// `fs.Glob`, in which `**` is `*`.
    pub fn glob(&self, pattern: &str) -> Result<Vec<String>, String> {
        let mut found = vec![String::new()];
        for part in pattern.split('/') {
            let mut next = Vec::new();
            for dir in &found {
                if !part.contains(['*', '?', '[', '\\']) {
                    next.extend(Some(join(dir, part)).filter(|p| self.kind(p).is_some()));
                    continue;
                }
                for name in self.list(dir).unwrap_or_default() {
                    let fits = path::path_match(part.as_bytes(), name.as_bytes());
                    if fits.map_err(|_| format!("invalid glob pattern '{pattern}'"))? && name != ".git" {
                        next.push(join(dir, &name));
                    }
                }
            }
            found = next;
        }
        Ok(found)
    }

    /// All files below the directory before the pattern that fit it as doublestar has it.
    pub fn files_like(&self, pattern: &str) -> Result<Vec<String>, String> {
        let patterns = doublestar::alternatives(pattern);
        let (mut waiting, mut found) = (vec![self.base.to_owned()], Vec::new());
        while let Some(path) = waiting.pop() {
            match self.kind(&path) {
                Some(Entry::Directory) => {
                    let names = self.list(&path)?;
                    waiting.extend(names.iter().rev().filter(|n| *n != ".git").map(|name| join(&path, name)));
                }
                Some(Entry::File) if patterns.iter().any(|p| doublestar::matches(p, &path)) => found.push(path),
                _ => {}
            }
        }
        Ok(found)
    }

    /// Whether a path, or its rest below the base, is excluded; a pattern without a slash fits a name anywhere.
    pub fn excludes(&self, path: &str) -> bool {
        let fits = |path: &str| {
            let name = path.rsplit('/').next().unwrap_or(path);
            let fits = |p: &String| doublestar::matches(p, path) || !p.contains('/') && doublestar::matches(p, name);
            self.exclude.iter().any(fits)
        };
        let rest = path.strip_prefix(self.base).and_then(|rest| rest.strip_prefix('/'));
        fits(path) || rest.filter(|_| !self.base.is_empty()).is_some_and(fits)
    }
}

fn inside(dir: &str) -> String {
    if dir.is_empty() { String::new() } else { format!("{dir}/") }
}

/// The paths below a directory, from there.
fn below<'f, T>(files: &'f BTreeMap<String, T>, dir: &str) -> impl Iterator<Item = (&'f str, &'f T)> {
    let inside = inside(dir);
    files.range(inside.clone()..).map_while(move |(path, file)| Some((path.strip_prefix(&inside)?, file)))
}

pub fn is_directory<T>(files: &BTreeMap<String, T>, dir: &str) -> bool {
    below(files, dir).next().is_some()
}

pub fn names<T>(files: &BTreeMap<String, T>, dir: &str) -> Vec<(String, Entry)> {
    kustomize::names(below(files, dir).map(|(path, _)| path))
}

/// Some file of a directory.
pub fn first_in<'f, T>(files: &'f BTreeMap<String, T>, dir: &str) -> Option<&'f T> {
    below(files, dir).next().map(|(_, file)| file)
}
