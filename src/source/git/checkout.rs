//! A whole commit as a checkout would lay it out, without one: names and modes first, content on request.
//!
//! This is what Flux makes artifacts of. Links are listed by nobody there, so they are left out here; a submodule is an empty folder.

use std::sync::Arc;

use gix::ObjectId;

use super::{GitSource, Store, commit_of, first_line, objects, signature};
use crate::chart::limits::MAX_FILES;
use crate::source::{Reason, Resolved, SourceError, Verification};

/// A commit that was fetched.
pub struct Checkout {
    store: Arc<Store>,
    commit: String,
    /// The annotated tag's object, if one led here.
    tag: Option<String>,
    place: String,
    limit: u64,
}

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    File,
    Executable,
    Directory,
}

/// A file or folder of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// From the root, with `/`.
    pub path: String,
    pub kind: EntryKind,
    id: ObjectId,
}

/// Which object's signature is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signed {
    Commit,
    Tag,
}

impl GitSource {
    /// Fetches the commit that a resolution names.
    ///
    /// # Errors
    /// [`Reason::NotFound`], [`Reason::TooLarge`] and those of the network.
    pub async fn checkout(&self, resolved: &Resolved) -> Result<Checkout, SourceError> {
        let commit = commit_of(resolved)?;
        let want = resolved.etag.clone().unwrap_or_else(|| commit.clone());
        let store = self.store(&want).await?;
        let tag = (want != commit).then_some(want);
        Ok(Checkout { store, commit, tag, place: self.place(), limit: self.options.max_artifact })
    }
}

impl Checkout {
    pub fn commit(&self) -> &str {
        &self.commit
    }

    /// The annotated tag's own object.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    fn bad(&self, why: impl std::fmt::Display) -> SourceError {
        SourceError::new(Reason::Malformed, &self.place, first_line(&why.to_string()))
    }

    /// All files and folders, each folder before what lies in it. Blocks.
    ///
    /// # Errors
    /// [`Reason::Malformed`], [`Reason::TooLarge`].
    pub fn entries(&self) -> Result<Vec<Entry>, SourceError> {
        let repository = self.store.open(&self.place)?;
        let id = ObjectId::from_hex(self.commit.as_bytes()).map_err(|e| self.bad(e))?;
        let object = repository.try_find_object(id).map_err(|e| self.bad(e))?;
        let Some(object) = object else {
            let message = format!("the repository has no commit {}, or does not give it out", self.commit);
            return Err(SourceError::new(Reason::NotFound, &self.place, message));
        };
        let root = object.peel_to_kind(gix::objs::Kind::Tree).map_err(|e| self.bad(e))?.id;
        let mut out = Vec::new();
        let mut size = 0_u64;
        let mut folders = vec![(String::new(), root, 0)];
        while let Some((folder, id, depth)) = folders.pop() {
            if depth > objects::MAX_DEPTH {
                return Err(self.bad(format!("folders lie more than {} deep: {folder}", objects::MAX_DEPTH)));
            }
            for (name, mode, id) in objects::entries(&repository, id, &self.place)? {
                let path = if folder.is_empty() { name } else { format!("{folder}/{name}") };
                let kind = match mode {
                    gix::objs::tree::EntryKind::Tree => {
                        folders.push((path.clone(), id, depth + 1));
                        EntryKind::Directory
                    }
                    gix::objs::tree::EntryKind::Commit => EntryKind::Directory,
                    gix::objs::tree::EntryKind::BlobExecutable => EntryKind::Executable,
                    gix::objs::tree::EntryKind::Blob => EntryKind::File,
                    gix::objs::tree::EntryKind::Link => continue,
                };
                if kind != EntryKind::Directory {
                    size += repository.find_header(id).map_err(|e| self.bad(e))?.size();
                }
                out.push(Entry { path, kind, id });
                if out.len() > MAX_FILES || size > self.limit {
                    let message = format!("the commit has more than {MAX_FILES} files or {} bytes", self.limit);
                    return Err(SourceError::new(Reason::TooLarge, &self.place, message));
                }
            }
        }
        out.sort_by(|a, b| a.path.split('/').cmp(b.path.split('/')));
        Ok(out)
    }

    /// Hands each file's content to `take`, in the order given; folders have none. Blocks.
    ///
    /// # Errors
    /// [`Reason::Malformed`], and what `take` says.
    pub fn read<'e>(
        &self,
        entries: impl IntoIterator<Item = &'e Entry>,
        mut take: impl FnMut(&Entry, &[u8]) -> Result<(), SourceError>,
    ) -> Result<(), SourceError> {
        let repository = self.store.open(&self.place)?;
        for entry in entries {
            if entry.kind == EntryKind::Directory {
                take(entry, &[])?;
                continue;
            }
            let blob = repository.find_blob(entry.id).map_err(|e| self.bad(e))?;
            take(entry, &blob.data)?;
        }
        Ok(())
    }

    /// Who wrote the commit, as `Name <address>`; empty if it cannot be read. At most 120 letters, none of them a control character.
    pub fn author(&self) -> String {
        let read = || -> Option<String> {
            let repository = self.store.open(&self.place).ok()?;
            let id = ObjectId::from_hex(self.commit.as_bytes()).ok()?;
            let commit = repository.find_object(id).ok()?.try_into_commit().ok()?;
            let author = commit.author().ok()?;
            Some(format!("{} <{}>", author.name, author.email))
        };
        read().unwrap_or_default().chars().filter(|c| !c.is_control()).take(120).collect()
    }

    /// The first line of the commit's message, at most 50 letters of it.
    pub fn subject(&self) -> String {
        let read = || -> Option<String> {
            let repository = self.store.open(&self.place).ok()?;
            let id = ObjectId::from_hex(self.commit.as_bytes()).ok()?;
            let commit = repository.find_object(id).ok()?.try_into_commit().ok()?;
            let message = commit.message_raw().ok()?.to_string();
            Some(message.lines().next().unwrap_or_default().to_string())
        };
        let line = read().unwrap_or_default();
        let short: String = line.chars().take(50).collect();
        if short.len() < line.len() { format!("{short}...") } else { short }
    }

    /// Checks the signature of the commit or of the tag that led to it; `None` if it has none. Blocks.
    ///
    /// # Errors
    /// [`Reason::Unverified`].
    pub fn verify(&self, which: Signed, keys: &[Vec<u8>]) -> Result<Option<Verification>, SourceError> {
        let repository = self.store.open(&self.place)?;
        let object = match (which, &self.tag) {
            (Signed::Commit, _) => ("commit", self.commit.as_str()),
            (Signed::Tag, Some(tag)) => ("tag", tag.as_str()),
            (Signed::Tag, None) => return Ok(None),
        };
        signature::of_object(&repository, object, &self.commit, keys, &self.place)
    }
}
