//! What Git's index tells of a working tree, so that few files of it are read.
//!
//! The index has the id of every tracked file, and the size and times that the file had when it was last known to have that content: one
//! that still has them is not read. It also has the ids of directories, as far as nothing was staged in them: how the index differs from
//! a commit is found by going where these ids are not the same.
//!
//! Source: `gitformat-index`, and Git's `racy-git`: a file that was written when the index was, or later, may have been written again
//! within one tick of the clock.

use std::collections::BTreeMap;
use std::path::Path;

use gix::ObjectId;
use gix::index::entry::{Mode, Stage, Stat, stat};
use gix::index::extension::Tree;

use super::GitTree;

/// Times are compared to the nanosecond. An index that has no such times only makes more files be read.
const OPTIONS: stat::Options = stat::Options { trust_ctime: true, check_stat: true, use_nsec: true, use_stdev: false };

/// The index, and how it differs from a tree.
pub struct Index {
    file: gix::index::File,
    /// The path from the root of the repository to the tree, with a slash.
    below: String,
    /// The ids of files in the tree where the index has others; `None` for files that the tree does not have.
    others: BTreeMap<String, Option<ObjectId>>,
}

impl Index {
    /// The index beside a tree, which lies at `below`. `None` if it does not tell enough: there is none, it keeps directories or parts of
    /// itself elsewhere, it has conflicts.
    pub fn beside(tree: &GitTree, below: &str) -> Option<Self> {
        let root = tree.root();
        let read = |r: &gix::Repository| {
            let options = gix::index::decode::Options::default();
            let file = gix::index::File::at(r.index_path(), root.kind(), true, options).ok();
            let Some(file) = file.filter(|file| file.entries().iter().all(is_plain)) else { return Ok(None) };
            let below = if below.is_empty() { String::new() } else { format!("{below}/") };
            let mut cached = file.tree();
            for part in below.split('/').filter(|part| !part.is_empty()) {
                cached = cached.and_then(|dir| child(dir, part.as_bytes()));
            }
            let mut others = BTreeMap::new();
            Search { r, file: &file, below: &below, others: &mut others }.directory(cached, Some(root), &below, 0)?;
            Ok(Some(Self { file, below, others }))
        };
        tree.store().with(read).ok().flatten()
    }

    /// The place of a file in the index.
    pub fn find(&self, path: &str) -> Option<usize> {
        let from_root = format!("{}{path}", self.below);
        let i = self.file.entry_index_by_path_and_stage(from_root.as_str().into(), Stage::Unconflicted)?;
        self.file.entries().get(i).filter(|entry| entry.mode != Mode::COMMIT).map(|_| i)
    }

    /// The content of the i-th file, if the file there is surely as it was when the index learnt of it.
    pub fn unchanged(&self, i: usize, file: &Path) -> Option<ObjectId> {
        let entry = self.file.entries().get(i)?;
        let now = gix::index::fs::Metadata::from_path_no_follow(file).ok()?;
        let same_kind = if entry.mode == Mode::SYMLINK { now.is_symlink() } else { now.is_file() };
        let stat = Stat::from_fs(&now).ok()?;
        let surely = !entry.stat.is_racy(self.file.timestamp(), OPTIONS) && entry.stat.matches(&stat, OPTIONS);
        (same_kind && surely).then_some(entry.id)
    }

    /// What the tree has at a path, whose place in the index is known if it is there.
    pub fn in_tree(&self, path: &str, place: Option<usize>) -> Option<ObjectId> {
        match self.others.get(path) {
            Some(id) => *id,
            None => place.and_then(|i| self.file.entries().get(i)).map(|entry| entry.id),
        }
    }

    /// The paths of the tree's files and links that are not among these, each given with its place in the index.
    pub fn gone<'f>(&self, found: impl Iterator<Item = (&'f str, Option<usize>)>) -> Vec<String> {
        let entries = self.file.entries();
        let (mut seen, mut others) = (vec![false; entries.len()], self.others.clone());
        for (path, place) in found {
            others.remove(path);
            if let Some(seen) = place.and_then(|i| seen.get_mut(i)) {
                *seen = true;
            }
        }
        let mut gone: Vec<String> = others.into_iter().filter_map(|(path, id)| id.map(|_| path)).collect();
        let range = self.file.prefixed_entries_range(self.below.as_str().into()).unwrap_or(0..0);
        for (entry, seen) in entries.iter().zip(seen).take(range.end).skip(range.start) {
            if seen || entry.mode == Mode::COMMIT {
                continue;
            }
            let path = String::from_utf8_lossy(entry.path(&self.file));
            // What the tree has another or none of was told above.
            if let Some(path) = path.strip_prefix(&self.below).filter(|path| !self.others.contains_key(*path)) {
                gone.push(path.to_owned());
            }
        }
        gone
    }
}

/// A file, link or submodule without conflicts.
fn is_plain(entry: &gix::index::Entry) -> bool {
    entry.stage() == Stage::Unconflicted && entry.mode != Mode::DIR
}

fn child<'t>(dir: &'t Tree, name: &[u8]) -> Option<&'t Tree> {
    dir.children.iter().find(|child| child.name.as_slice() == name)
}

/// Deeper directories are not compared.
const MAX_DEPTH: usize = 500;

struct Search<'s> {
    r: &'s gix::Repository,
    file: &'s gix::index::File,
    below: &'s str,
    others: &'s mut BTreeMap<String, Option<ObjectId>>,
}

impl Search<'_> {
    /// Compares a directory of the tree with the index. `dir` is its path from the repository's root, with a slash behind it.
    fn directory(
        &mut self,
        cached: Option<&Tree>,
        tree: Option<ObjectId>,
        dir: &str,
        depth: usize,
    ) -> Result<(), String> {
        if cached.is_some_and(|cached| cached.num_entries.is_some() && Some(cached.id) == tree) {
            return Ok(());
        }
        if depth > MAX_DEPTH {
            return Err("directories are nested too deeply".into());
        }
        let (mut files, mut dirs) = (BTreeMap::new(), BTreeMap::new());
        if let Some(id) = tree {
            let tree = self.r.find_tree(id).map_err(|e| format!("a tree can't be read: {e}"))?;
            for entry in tree.iter() {
                let entry = entry.map_err(|e| format!("a tree can't be read: {e}"))?;
                let (mode, id) = (entry.mode(), entry.oid().to_owned());
                let Ok(name) = std::str::from_utf8(entry.filename()) else { continue };
                if mode.is_tree() {
                    dirs.insert(name.to_owned(), id);
                } else if !mode.is_commit() {
                    files.insert(name.to_owned(), id);
                }
            }
        }
        let range = self.file.prefixed_entries_range(dir.into()).unwrap_or(0..0);
        let mut at = range.start;
        while let Some(entry) = self.file.entries().get(at).filter(|_| at < range.end) {
            at += 1;
            let Ok(path) = std::str::from_utf8(entry.path(self.file)) else { continue };
            let Some(rest) = path.strip_prefix(dir) else { continue };
            if let Some((name, _)) = rest.split_once('/') {
                let inside = format!("{dir}{name}/");
                at = self.file.prefixed_entries_range(inside.as_str().into()).map_or(at, |range| range.end.max(at));
                let cached = cached.and_then(|cached| child(cached, name.as_bytes()));
                self.directory(cached, dirs.remove(name), &inside, depth + 1)?;
            } else if entry.mode != Mode::COMMIT {
                let before = files.remove(rest);
                if before != Some(entry.id) {
                    self.note(path, before);
                }
            }
        }
        for (name, id) in files {
            self.note(&format!("{dir}{name}"), Some(id));
        }
        for (name, id) in dirs {
            self.directory(None, Some(id), &format!("{dir}{name}/"), depth + 1)?;
        }
        Ok(())
    }

    fn note(&mut self, path: &str, in_tree: Option<ObjectId>) {
        if let Some(path) = path.strip_prefix(self.below) {
            self.others.insert(path.to_owned(), in_tree);
        }
    }
}
