//! Reading a commit's tree straight from the objects, without a work tree.
//!
//! Only the named folder is read. Symbolic links are followed within the commit, as Helm follows them in a directory; one that leads out of
//! it is refused, as are names that no checkout could have safely. Everything is bounded: files, bytes, depth, steps through links.

use std::collections::BTreeMap;

use gix::ObjectId;
use gix::objs::tree::EntryKind;

use crate::chart::limits::MAX_FILES;
use crate::source::{Reason, SourceError};

/// Steps through links for one file.
const MAX_LINKS: usize = 40;
/// Folders within folders.
pub const MAX_DEPTH: usize = 100;

/// What a path leads to.
pub enum Found {
    File(Vec<u8>),
    Tree(BTreeMap<String, Vec<u8>>),
}

/// Brings the tree of a submodule: path within the repository, commit.
pub type Submodule<'a> = dyn FnMut(&str, &str) -> Result<BTreeMap<String, Vec<u8>>, SourceError> + 'a;

/// Reads what lies at a path of a commit.
///
/// # Errors
/// [`Reason::NotFound`], [`Reason::TooLarge`], [`Reason::Malformed`], and [`Reason::Unsupported`] for submodules.
pub fn read(
    repository: &gix::Repository,
    commit: &str,
    path: &str,
    limit: u64,
    place: &str,
    submodule: &mut Submodule<'_>,
) -> Result<Found, SourceError> {
    let mut reader = Reader { repository, place, left: limit, files: 0, submodule };
    let id = ObjectId::from_hex(commit.as_bytes()).map_err(|e| reader.bad(format!("not a commit: {e}")))?;
    let Some(object) =
        repository.try_find_object(id).map_err(|e| reader.bad(format!("the objects can't be read: {e}")))?
    else {
        let message = format!("the repository has no commit {commit}, or does not give it out");
        return Err(SourceError::new(Reason::NotFound, place, message));
    };
    let tree = object
        .peel_to_kind(gix::objs::Kind::Tree)
        .map_err(|e| reader.bad(format!("the commit {commit} can't be read: {e}")))?;
    let root = tree.id;
    let parts: Vec<String> = path.split('/').filter(|p| !p.is_empty()).map(String::from).collect();
    let Some(at) = reader.walk_to(root, Vec::new(), parts, &mut 0)? else {
        return Err(SourceError::new(Reason::NotFound, place, format!("the commit has no {path:?}")));
    };
    match at.kind {
        Kind::File => Ok(Found::File(reader.blob(at.id)?)),
        Kind::Tree => {
            let mut out = BTreeMap::new();
            reader.tree(root, at.id, &at.path, "", 0, &mut out)?;
            Ok(Found::Tree(out))
        }
        Kind::Submodule => {
            let files = (reader.submodule)(&at.path.join("/"), &at.id.to_string())?;
            Ok(Found::Tree(files))
        }
    }
}

/// The entries of a tree, their names checked.
pub fn entries(
    repository: &gix::Repository,
    id: ObjectId,
    place: &str,
) -> Result<Vec<(String, EntryKind, ObjectId)>, SourceError> {
    let bad = |why: String| SourceError::new(Reason::Malformed, place, why);
    let tree = repository.find_tree(id).map_err(|e| bad(format!("a tree can't be read: {e}")))?;
    let mut out = Vec::new();
    for entry in tree.iter() {
        let entry = entry.map_err(|e| bad(format!("a tree can't be read: {e}")))?;
        let name = std::str::from_utf8(entry.filename().as_ref())
            .map_err(|_| bad(format!("a file's name is not UTF-8: {:?}", entry.filename())))?;
        let odd = name.is_empty()
            || name == "."
            || name == ".."
            || name.eq_ignore_ascii_case(".git")
            || name.contains(|c: char| c == '/' || c == '\\' || c.is_control());
        if odd {
            return Err(bad(format!("the tree holds a file with the name {name:?}, which no checkout may have")));
        }
        out.push((name.to_string(), entry.mode().kind(), entry.oid().to_owned()));
    }
    Ok(out)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    File,
    Tree,
    Submodule,
}

/// An object with its real place in the commit.
struct At {
    kind: Kind,
    id: ObjectId,
    path: Vec<String>,
}

struct Reader<'a> {
    repository: &'a gix::Repository,
    place: &'a str,
    /// Bytes that may still be read.
    left: u64,
    files: usize,
    submodule: &'a mut Submodule<'a>,
}

impl Reader<'_> {
    fn bad(&self, why: String) -> SourceError {
        SourceError::new(Reason::Malformed, self.place, why)
    }

    /// The entries of a tree, their names checked.
    fn entries(&self, id: ObjectId) -> Result<Vec<(String, EntryKind, ObjectId)>, SourceError> {
        entries(self.repository, id, self.place)
    }

    /// Goes down a path from a folder whose own path is `base`; links on the way are followed.
    fn walk_to(
        &self,
        root: ObjectId,
        base: Vec<String>,
        parts: Vec<String>,
        links: &mut usize,
    ) -> Result<Option<At>, SourceError> {
        let mut path = base;
        let mut ahead: Vec<String> = parts.into_iter().rev().collect();
        let mut at = At { kind: Kind::Tree, id: root, path: Vec::new() };
        // From the root to the base first: those are real folders.
        ahead.extend(std::mem::take(&mut path).into_iter().rev());
        while let Some(part) = ahead.pop() {
            match part.as_str() {
                "" | "." => continue,
                ".." => {
                    if at.path.pop().is_none() {
                        return Err(self.bad("a symbolic link leads out of the repository".into()));
                    }
                    let up = std::mem::take(&mut at.path);
                    // What is above a real folder is found again from the root.
                    at = At { kind: Kind::Tree, id: root, path: Vec::new() };
                    ahead.extend(up.into_iter().rev());
                    *links += 1;
                    if *links > MAX_LINKS * MAX_DEPTH {
                        return Err(self.bad("symbolic links lead nowhere".into()));
                    }
                    continue;
                }
                _ => {}
            }
            if at.kind != Kind::Tree {
                return Ok(None);
            }
            let Some((name, mode, id)) = self.entries(at.id)?.into_iter().find(|(n, ..)| *n == part) else {
                return Ok(None);
            };
            match mode {
                EntryKind::Link => {
                    *links += 1;
                    if *links > MAX_LINKS {
                        return Err(self.bad(format!("the symbolic link {name:?} leads in a circle")));
                    }
                    let target = self.target(id, &name)?;
                    ahead.extend(target.split('/').rev().map(String::from));
                }
                mode => {
                    at.kind = match mode {
                        EntryKind::Tree => Kind::Tree,
                        EntryKind::Commit => Kind::Submodule,
                        _ => Kind::File,
                    };
                    at.id = id;
                    at.path.push(name);
                }
            }
        }
        Ok(Some(at))
    }

    fn target(&self, id: ObjectId, name: &str) -> Result<String, SourceError> {
        let blob = self.repository.find_blob(id).map_err(|e| self.bad(format!("{name}: {e}")))?;
        let target = std::str::from_utf8(&blob.data).ok().filter(|t| t.len() < 4096 && !t.contains('\0'));
        match target {
            Some(t) if t.starts_with('/') => {
                Err(self.bad(format!("the symbolic link {name:?} leads out of the repository")))
            }
            Some(t) => Ok(t.to_string()),
            None => Err(self.bad(format!("the symbolic link {name:?} has no readable target"))),
        }
    }

    /// Reads a folder with all below it. `real` is its place in the commit, `shown` its name in the result.
    fn tree(
        &mut self,
        root: ObjectId,
        id: ObjectId,
        real: &[String],
        shown: &str,
        depth: usize,
        out: &mut BTreeMap<String, Vec<u8>>,
    ) -> Result<(), SourceError> {
        if depth > MAX_DEPTH {
            return Err(self.bad(format!("folders lie more than {MAX_DEPTH} deep: {shown}")));
        }
        for (name, mode, id) in self.entries(id)? {
            self.files += 1;
            if self.files > MAX_FILES {
                return Err(SourceError::new(Reason::TooLarge, self.place, format!("more than {MAX_FILES} files")));
            }
            let shown = if shown.is_empty() { name.clone() } else { format!("{shown}/{name}") };
            let mut at = At { kind: Kind::File, id, path: [real, std::slice::from_ref(&name)].concat() };
            match mode {
                EntryKind::Tree => at.kind = Kind::Tree,
                EntryKind::Commit => at.kind = Kind::Submodule,
                EntryKind::Link => {
                    let found = self.walk_to(root, real.to_vec(), vec![name.clone()], &mut 0)?;
                    at = found.ok_or_else(|| self.bad(format!("the symbolic link {shown:?} leads to nothing")))?;
                }
                _ => {}
            }
            match at.kind {
                Kind::File => {
                    out.insert(shown, self.blob(at.id)?);
                }
                Kind::Tree => self.tree(root, at.id, &at.path, &shown, depth + 1, out)?,
                Kind::Submodule => {
                    for (path, data) in (self.submodule)(&at.path.join("/"), &at.id.to_string())? {
                        out.insert(format!("{shown}/{path}"), data);
                    }
                }
            }
        }
        Ok(())
    }

    fn blob(&mut self, id: ObjectId) -> Result<Vec<u8>, SourceError> {
        let failed = |e: &dyn std::fmt::Display| {
            SourceError::new(Reason::Malformed, self.place, format!("a file can't be read: {e}"))
        };
        // The size is asked first: a small pack can hold a large file.
        let size = self.repository.find_header(id).map_err(|e| failed(&e))?.size();
        if size > self.left {
            return Err(SourceError::new(Reason::TooLarge, self.place, "the tree has more bytes than the limit"));
        }
        let mut blob = self.repository.find_blob(id).map_err(|e| failed(&e))?;
        self.left -= size;
        Ok(blob.take_data())
    }
}
