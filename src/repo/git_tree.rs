//! A commit's files straight from the object store: no checkout, nothing written.
//!
//! Trees are read once and kept; files are read when they are asked for. Links are followed within the commit, and lead nowhere if they lead
//! out of it. Submodules are empty, as in a fresh clone.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use gix::ObjectId;
use gix::objs::tree::EntryKind;
use gix::prelude::ObjectIdExt as _;

use super::git_items::Items;
use crate::kustomize::Entry;

/// Steps through links for one path.
const MAX_LINKS: usize = 40;

/// A repository's object store, for any thread; what it says is kept where it is asked for twice.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
    work_tree: Option<PathBuf>,
    /// Trees by id; states that are compared have most of them in common.
    trees: Arc<Mutex<HashMap<ObjectId, Arc<Items>>>>,
    /// Files that were read in bulk, by id.
    files: Arc<Mutex<HashMap<ObjectId, Arc<[u8]>>>>,
}

/// A repository serves one thread at a time: each takes one, and gives it back with what it has learnt by then.
struct Shared {
    source: gix::ThreadSafeRepository,
    idle: Mutex<Vec<gix::Repository>>,
}

/// Bytes of unpacked objects that are kept for those which a pack tells by their differences from them.
const PACK_CACHE: usize = 1 << 20;

impl Store {
    /// Opens the repository that a path lies in; with the path from its root to there.
    ///
    /// # Errors
    /// There is none.
    pub fn open(path: &Path) -> Result<(Self, String), String> {
        let source = gix::ThreadSafeRepository::discover(path).map_err(|_| {
            let shown = path.display();
            format!("{shown} is not in a Git repository: a range of commits needs one; clone it, or run git init")
        })?;
        let root = source.work_dir().and_then(|d| d.canonicalize().ok());
        let here = path.canonicalize().ok();
        let inside = root
            .as_ref()
            .zip(here)
            .and_then(|(root, here)| here.strip_prefix(root).ok().map(|below| below.to_string_lossy().into_owned()));
        Ok((
            Self {
                shared: Arc::new(Shared { source, idle: Mutex::default() }),
                work_tree: root,
                trees: Arc::default(),
                files: Arc::default(),
            },
            inside.unwrap_or_default(),
        ))
    }

    pub(super) fn with<T>(&self, work: impl FnOnce(&gix::Repository) -> Result<T, String>) -> Result<T, String> {
        let idle = || self.shared.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = idle().pop();
        let repository = taken.unwrap_or_else(|| {
            let mut repository = self.shared.source.to_thread_local();
            let cache = || -> Box<gix::odb::cache::PackCache> {
                Box::new(gix::odb::pack::cache::lru::MemoryCappedHashmap::new(PACK_CACHE))
            };
            repository.objects.set_pack_cache(cache);
            repository
        });
        let done = work(&repository);
        idle().push(repository);
        done
    }

    /// Of files of the work tree, those that Git neither tracks nor wants to know of: paths from its root, in order.
    ///
    /// # Errors
    /// The index or a file of patterns can't be read.
    pub fn ignored(&self, files: Vec<String>) -> Result<BTreeSet<String>, String> {
        use gix::worktree::stack::state::ignore::Source;
        self.with(|r| {
            let failed = |e: &dyn std::fmt::Display| format!("what Git ignores can't be told: {e}");
            let index = r.index_or_empty().map_err(|e| failed(&e))?;
            let source = Source::WorktreeThenIdMappingIfNotSkipped;
            let mut patterns = r.excludes(&index, None, source).map_err(|e| failed(&e))?;
            let mut out = BTreeSet::new();
            for file in files {
                if index.entry_by_path(file.as_str().into()).is_some() {
                    continue;
                }
                let mode = Some(gix::index::entry::Mode::FILE);
                if patterns.at_entry(file.as_str(), mode).map_err(|e| failed(&e))?.is_excluded() {
                    out.insert(file);
                }
            }
            Ok(out)
        })
    }

    /// The root of the work tree, if there is one.
    pub fn work_tree(&self) -> Option<&Path> {
        self.work_tree.as_deref()
    }

    /// The commit that a text names (`main`, `HEAD~1`, an id).
    ///
    /// # Errors
    /// It names none.
    pub fn commit(&self, name: &str) -> Result<ObjectId, String> {
        self.with(|r| {
            // A whole id is nothing else, whatever else has that name, as it is to Git.
            let whole = ObjectId::from_hex(name.as_bytes()).ok().filter(|id| r.has_object(id));
            let id = whole.map_or_else(|| r.rev_parse_single(name), |id| Ok(id.attach(r)));
            let id = id.map_err(|_| format!("{name} names no commit here: fetch it first"))?;
            let object = id.object().map_err(|e| format!("{name} can't be read: {e}"))?;
            let commit = object.peel_to_kind(gix::objs::Kind::Commit);
            commit.map(|c| c.id).map_err(|_| format!("{name} is not a commit"))
        })
    }

    /// The best common ancestor of two commits.
    ///
    /// # Errors
    /// There is none; a shallow clone may lack it.
    pub fn merge_base(&self, a: ObjectId, b: ObjectId) -> Result<ObjectId, String> {
        self.with(|r| {
            r.merge_base(a, b).ok().flatten().map(|id| id.detach()).ok_or_else(|| {
                "the two commits have no common ancestor here: a shallow clone lacks it (fetch the whole history), or name the base as BASE..HEAD".into()
            })
        })
    }

    /// The default branch, by the names that clones have for it.
    pub fn default_branch(&self) -> Option<(String, ObjectId)> {
        let names = ["origin/HEAD", "origin/main", "origin/master", "main", "master"];
        names.iter().find_map(|name| {
            let id =
                self.commit(&format!("refs/remotes/{name}")).or_else(|_| self.commit(&format!("refs/heads/{name}")));
            Some(((*name).to_owned(), id.ok()?))
        })
    }

    /// The files of a commit, below a path from its root.
    ///
    /// # Errors
    /// The commit or its trees can't be read; there is no such path in it.
    pub fn tree(&self, commit: ObjectId, below: &str) -> Result<GitTree, String> {
        let name = commit.to_hex_with_len(12).to_string();
        let root = self.with(|r| {
            let commit = r.find_commit(commit).map_err(|e| format!("a commit can't be read: {e}"))?;
            commit.tree_id().map(|id| id.detach()).map_err(|e| format!("a commit can't be read: {e}"))
        })?;
        let whole = GitTree { store: self.clone(), root, name: name.clone() };
        if below.is_empty() {
            return Ok(whole);
        }
        match whole.walk(below, &mut 0)? {
            Some((_, EntryKind::Tree, root)) => Ok(GitTree { root, ..whole }),
            _ => Err(format!("commit {name} has no directory {below}")),
        }
    }

    /// The address of the remote that is fetched from.
    pub fn remote(&self) -> Option<String> {
        self.with(|r| {
            let remote = r.find_fetch_remote(None).map_err(|e| e.to_string())?;
            let url = remote.url(gix::remote::Direction::Fetch).map(|url| url.to_bstring().to_string());
            url.ok_or_else(|| "no address".to_owned())
        })
        .ok()
    }

    fn items(&self, id: ObjectId) -> Result<Arc<Items>, String> {
        if let Some(items) = self.trees.lock().unwrap_or_else(PoisonError::into_inner).get(&id) {
            return Ok(items.clone());
        }
        let items = self.with(|r| {
            let tree = r.find_tree(id).map_err(|e| format!("a tree can't be read: {e}"))?;
            Items::of(gix::objs::TreeRefIter::from_bytes(&tree.data, id.kind())).map(Arc::new)
        })?;
        self.trees.lock().unwrap_or_else(PoisonError::into_inner).insert(id, items.clone());
        Ok(items)
    }

    /// Takes over what was read in bulk: asking the other thread for one after the other costs more than reading them.
    pub(super) fn keep(&self, trees: Vec<(ObjectId, Items)>, files: Vec<(ObjectId, Arc<[u8]>)>) {
        let trees = trees.into_iter().map(|(id, items)| (id, Arc::new(items)));
        self.trees.lock().unwrap_or_else(PoisonError::into_inner).extend(trees);
        self.files.lock().unwrap_or_else(PoisonError::into_inner).extend(files);
    }

    fn blob(&self, id: ObjectId) -> Result<Vec<u8>, String> {
        if let Some(text) = self.files.lock().unwrap_or_else(PoisonError::into_inner).get(&id) {
            return Ok(text.to_vec());
        }
        self.with(|r| r.find_blob(id).map(|mut b| b.take_data()).map_err(|e| format!("a file can't be read: {e}")))
    }
}

/// The files of one commit, or of a directory in it.
#[derive(Clone)]
pub struct GitTree {
    store: Store,
    root: ObjectId,
    name: String,
}

impl GitTree {
    pub(super) const fn store(&self) -> &Store {
        &self.store
    }

    /// The id of its root.
    pub(super) const fn root(&self) -> ObjectId {
        self.root
    }

    pub(super) fn remote(&self) -> Option<String> {
        self.store.remote()
    }

    /// The commit's short id.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where a clean relative path leads once links are followed.
    fn walk(&self, path: &str, links: &mut usize) -> Result<Option<(String, EntryKind, ObjectId)>, String> {
        let mut parts: Vec<String> = path.split('/').filter(|p| !p.is_empty()).rev().map(String::from).collect();
        // Names and trees from the root to where we are.
        let mut way: Vec<(String, ObjectId)> = Vec::new();
        let mut at = (EntryKind::Tree, self.root);
        while let Some(part) = parts.pop() {
            match part.as_str() {
                "." => continue,
                ".." => {
                    let Some((_, parent)) = way.pop() else { return Ok(None) };
                    at = (EntryKind::Tree, parent);
                    continue;
                }
                _ => {}
            }
            if at.0 != EntryKind::Tree {
                return Ok(None);
            }
            let items = self.store.items(at.1)?;
            let Some((kind, id)) = items.get(&part) else { return Ok(None) };
            if kind == EntryKind::Link {
                *links += 1;
                let target = String::from_utf8(self.store.blob(id)?).unwrap_or_default();
                if *links > MAX_LINKS || target.starts_with('/') || target.is_empty() {
                    return Ok(None);
                }
                parts.extend(target.split('/').filter(|p| !p.is_empty()).rev().map(String::from));
                continue;
            }
            way.push((part, at.1));
            at = (kind, id);
        }
        let names: Vec<&str> = way.iter().map(|(name, _)| name.as_str()).collect();
        Ok(Some((names.join("/"), at.0, at.1)))
    }

    /// Whether there is a link at a path, itself and not what it leads to.
    pub(super) fn is_link(&self, path: &str) -> bool {
        let (dir, name) = path.rsplit_once('/').unwrap_or(("", path));
        let Ok(Some((_, EntryKind::Tree, id))) = self.walk(dir, &mut 0) else { return false };
        self.store.items(id).is_ok_and(|items| matches!(items.get(name), Some((EntryKind::Link, _))))
    }

    /// Where a clean relative path leads, and to what.
    pub fn find(&self, path: &str) -> Option<(String, Entry)> {
        let (real, kind, _) = self.walk(path, &mut 0).ok()??;
        Some((real, entry(kind)))
    }

    /// A file's content; `None` if there is no file.
    ///
    /// # Errors
    /// The object can't be read.
    pub fn file(&self, path: &str) -> Result<Option<Vec<u8>>, String> {
        match self.walk(path, &mut 0)? {
            Some((_, EntryKind::Blob | EntryKind::BlobExecutable, id)) => self.store.blob(id).map(Some),
            _ => Ok(None),
        }
    }

    /// A directory's entries, links followed; `None` if there is no directory.
    ///
    /// # Errors
    /// The object can't be read.
    pub fn entries(&self, path: &str) -> Result<Option<Vec<(String, Entry)>>, String> {
        let Some((real, EntryKind::Tree, id)) = self.walk(path, &mut 0)? else { return Ok(None) };
        let items = self.store.items(id)?;
        let kind = |name: &str, kind: EntryKind| match kind {
            EntryKind::Link => self.find(&format!("{real}/{name}")).map(|(_, entry)| entry),
            kind => Some(entry(kind)),
        };
        Ok(Some(items.iter().filter_map(|(name, k, _)| Some((name.to_owned(), kind(name, k)?))).collect()))
    }

    /// What is not the same in two states; equal directories are not entered.
    ///
    /// # Errors
    /// The objects can't be read.
    pub fn changed(&self, other: &Self) -> Result<Changes, String> {
        let mut out = Changes::default();
        self.store.with(|r| compare(r, (Some(self.root), Some(other.root)), "", &mut out))?;
        Ok(out)
    }

    /// All files and links below, with their ids.
    pub(super) fn all(&self) -> Result<BTreeMap<String, ObjectId>, String> {
        let mut out = BTreeMap::new();
        let mut left = vec![(String::new(), self.root)];
        while let Some((below, id)) = left.pop() {
            for (name, kind, id) in self.store.items(id)?.iter() {
                let path = if below.is_empty() { name.to_owned() } else { format!("{below}/{name}") };
                match kind {
                    EntryKind::Tree => left.push((path, id)),
                    EntryKind::Commit => {}
                    _ => drop(out.insert(path, id)),
                }
            }
        }
        Ok(out)
    }
}

/// What is not the same in two states.
#[derive(Debug, Default)]
pub struct Changes {
    /// The paths of files and links.
    pub paths: BTreeSet<String>,
    /// One of them is a link, in one of the states.
    pub links: bool,
}

/// Compares two directories of a store, as they stand in it: their entries have one order, in which a directory's name ends with a slash.
fn compare(
    r: &gix::Repository,
    (a, b): (Option<ObjectId>, Option<ObjectId>),
    below: &str,
    out: &mut Changes,
) -> Result<(), String> {
    if a == b {
        return Ok(());
    }
    let unreadable = |e: &dyn std::fmt::Display| format!("a tree can't be read: {e}");
    let tree = |id: Option<ObjectId>| id.map(|id| r.find_tree(id)).transpose().map_err(|e| unreadable(&e));
    let (a, b) = (tree(a)?, tree(b)?);
    let (mut a, mut b) = (a.iter().flat_map(|t| t.iter()), b.iter().flat_map(|t| t.iter()));
    let (mut x, mut y) = (a.next(), b.next());
    loop {
        let (left, right) = (x.as_ref(), y.as_ref());
        let (left, right) = (
            left.map(Result::as_ref).transpose().map_err(|e| unreadable(e))?,
            right.map(Result::as_ref).transpose().map_err(|e| unreadable(e))?,
        );
        let is_tree = |entry: &gix::object::tree::EntryRef<'_, '_>| entry.mode().is_tree();
        let order = match (left, right) {
            (None, None) => return Ok(()),
            (Some(x), Some(y)) if x.filename() == y.filename() && is_tree(x) == is_tree(y) => Ordering::Equal,
            (Some(x), Some(y)) => {
                let slash = |entry| is_tree(entry).then_some(&b'/');
                x.filename().iter().chain(slash(x)).cmp(y.filename().iter().chain(slash(y)))
            }
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
        };
        let (left, right) = (left.filter(|_| order.is_le()), right.filter(|_| order.is_ge()));
        let same =
            matches!((left, right), (Some(x), Some(y)) if x.oid() == y.oid() && x.mode().kind() == y.mode().kind());
        let name = left.or(right).and_then(|entry| std::str::from_utf8(entry.filename()).ok());
        // A name that is no text is no file that a chart or an overlay could name.
        if let (false, Some(name)) = (same, name) {
            let path = if below.is_empty() { name.to_owned() } else { format!("{below}/{name}") };
            if left.or(right).is_some_and(is_tree) {
                compare(r, (left.map(|x| x.oid().to_owned()), right.map(|y| y.oid().to_owned())), &path, out)?;
            } else {
                out.links |= [left, right].into_iter().flatten().any(|entry| entry.mode().is_link());
                out.paths.insert(path);
            }
        }
        if order.is_le() {
            x = a.next();
        }
        if order.is_ge() {
            y = b.next();
        }
    }
}

const fn entry(kind: EntryKind) -> Entry {
    match kind {
        EntryKind::Tree | EntryKind::Commit => Entry::Directory,
        EntryKind::Blob | EntryKind::BlobExecutable | EntryKind::Link => Entry::File,
    }
}
