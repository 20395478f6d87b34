//! Many files of a commit at once: the texts below a directory, and where its links lead.
//!
//! One question for a whole directory costs one step to the thread that owns the object store; links are looked for beside it, on a thread of
//! their own.

use std::collections::{BTreeSet, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use gix::ObjectId;
use gix::objs::FindExt as _;
use gix::objs::tree::EntryKind;

use super::git_tree::{GitTree, Items};

/// A file that is longer than this is not read in bulk.
pub const LONGEST: usize = 1 << 20;

/// Directories in directories.
const DEEPEST: usize = 500;

/// A file as the survey found it.
pub struct File {
    /// From the root of the tree.
    pub path: String,
    pub content: Content,
}

/// What a file holds.
pub enum Content {
    Text(Arc<[u8]>),
    TooLong,
    /// Nobody needs it.
    Unread,
}

/// Of a directory's files and their texts, which of the others need not be read.
pub type Unneeded = fn(lists: &[&[u8]]) -> BTreeSet<String>;

/// A symbolic link and what it says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Link {
    pub path: String,
    pub target: String,
}

/// Links that are being looked for.
pub struct Links(JoinHandle<Result<Vec<Link>, String>>);

impl Links {
    /// The links that two trees have in common, if none of them is changed; the trees lie at a path from the root of their commits. Git's
    /// index lists them if it was filled from one of the trees; else one is walked through.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub fn of(trees: [&GitTree; 2], below: &str) -> Result<Self, String> {
        let store = trees[0].store();
        let (directory, index, below) = (store.objects().to_path_buf(), store.index().to_path_buf(), below.to_owned());
        let roots = trees.map(GitTree::root);
        let work = move || {
            let kind = roots[0].kind();
            let objects = gix::odb::at(directory, kind).map_err(|e| format!("the Git objects can't be read: {e}"))?;
            if let Some(links) = indexed(&objects, &index, roots, &below) {
                return Ok(links);
            }
            let (mut links, mut seen) = (Vec::new(), HashSet::new());
            walk(&objects, roots[0], "", 0, &mut seen, &mut links)?;
            Ok(links)
        };
        let started = std::thread::Builder::new().name("git links".into()).spawn(work);
        started.map(Self).map_err(|e| format!("no thread to read Git objects with: {e}"))
    }

    /// # Errors
    /// The objects can't be read.
    pub fn wait(self) -> Result<Vec<Link>, String> {
        self.0.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

/// The links that the index lists, if it says that it holds one of these trees.
fn indexed(objects: &gix::odb::Handle, file: &Path, trees: [ObjectId; 2], below: &str) -> Option<Vec<Link>> {
    let index = gix::index::File::at(file, trees[0].kind(), true, gix::index::decode::Options::default()).ok()?;
    let mut tree = index.tree()?;
    for part in below.split('/').filter(|p| !p.is_empty()) {
        tree = tree.children.iter().find(|c| c.name.as_slice() == part.as_bytes())?;
    }
    if tree.num_entries.is_none() || !trees.contains(&tree.id) {
        return None;
    }
    let inside = if below.is_empty() { String::new() } else { format!("{below}/") };
    let mut links = Vec::new();
    for entry in index.entries().iter().filter(|e| e.mode == gix::index::entry::Mode::SYMLINK) {
        let path = String::from_utf8_lossy(entry.path(&index));
        let Some(path) = path.strip_prefix(&inside) else { continue };
        let mut text = Vec::new();
        let blob = objects.find_blob(&entry.id, &mut text).ok()?;
        links.push(Link { path: path.to_owned(), target: String::from_utf8_lossy(blob.data).into_owned() });
    }
    Some(links)
}

/// A directory is the same at all places that it lies at, but its links are not: those without links alone are entered once.
fn walk(
    objects: &gix::odb::Handle,
    tree: ObjectId,
    below: &str,
    depth: usize,
    seen: &mut HashSet<ObjectId>,
    links: &mut Vec<Link>,
) -> Result<(), String> {
    shallow(below, depth)?;
    if seen.contains(&tree) {
        return Ok(());
    }
    let before = links.len();
    let mut buffer = Vec::new();
    let failed = |e: &dyn std::fmt::Display| format!("{below}: a tree can't be read: {e}");
    for entry in objects.find_tree_iter(&tree, &mut buffer).map_err(|e| failed(&e))? {
        let entry = entry.map_err(|e| failed(&e))?;
        let kind = entry.mode.kind();
        if !matches!(kind, EntryKind::Tree | EntryKind::Link) {
            continue;
        }
        let path = join(below, &String::from_utf8_lossy(entry.filename));
        if kind == EntryKind::Tree {
            walk(objects, entry.oid.to_owned(), &path, depth + 1, seen, links)?;
        } else {
            let mut text = Vec::new();
            let blob = objects.find_blob(entry.oid, &mut text).map_err(|e| failed(&e))?;
            links.push(Link { path, target: String::from_utf8_lossy(blob.data).into_owned() });
        }
    }
    if links.len() == before {
        seen.insert(tree);
    }
    Ok(())
}

fn shallow(path: &str, depth: usize) -> Result<(), String> {
    if depth < DEEPEST {
        return Ok(());
    }
    let start: String = path.chars().take(60).collect();
    Err(format!("{start}...: directories in more than {DEEPEST} directories"))
}

fn join(dir: &str, name: &str) -> String {
    if dir.is_empty() { name.to_owned() } else { format!("{dir}/{name}") }
}

impl GitTree {
    /// The file at a clean relative path, or all files below the directory there, links aside; nothing if there is nothing. In each
    /// directory those named `first` are read first, and tell which others need not be.
    ///
    /// # Errors
    /// The objects can't be read.
    pub fn below(&self, path: &str, first: &'static [&'static str], unneeded: Unneeded) -> Result<Vec<File>, String> {
        let (root, path) = (self.root(), path.to_owned());
        let (files, trees, blobs) = self.store().with(move |r| {
            let mut at = (EntryKind::Tree, root);
            for part in path.split('/').filter(|p| !p.is_empty()) {
                if at.0 != EntryKind::Tree {
                    return Ok(Default::default());
                }
                let tree = r.find_tree(at.1).map_err(|e| format!("a tree can't be read: {e}"))?;
                let Some(entry) = tree.find_entry(part) else { return Ok(Default::default()) };
                at = (entry.mode().kind(), entry.oid().to_owned());
            }
            let mut reader = Reader { r, first, unneeded, files: Vec::new(), trees: Vec::new(), blobs: Vec::new() };
            match at.0 {
                EntryKind::Tree => reader.directory(at.1, &path, 0)?,
                EntryKind::Blob | EntryKind::BlobExecutable => reader.file(at.1, path)?,
                EntryKind::Link | EntryKind::Commit => {}
            }
            Ok((reader.files, reader.trees, reader.blobs))
        })?;
        self.store().keep(trees, blobs);
        Ok(files)
    }

    /// Reads all files below a directory at once; they are kept for those who ask for them.
    pub fn read_ahead(&self, path: &str) {
        // What can't be read is told where it is asked for.
        let _ = self.below(path, &[], |_| BTreeSet::new());
    }
}

struct Reader<'r> {
    r: &'r gix::Repository,
    first: &'static [&'static str],
    unneeded: Unneeded,
    files: Vec<File>,
    trees: Vec<(ObjectId, Items)>,
    blobs: Vec<(ObjectId, Arc<[u8]>)>,
}

impl Reader<'_> {
    fn directory(&mut self, id: ObjectId, path: &str, depth: usize) -> Result<(), String> {
        shallow(path, depth)?;
        let tree = self.r.find_tree(id).map_err(|e| format!("a tree can't be read: {e}"))?;
        let (mut files, mut directories) = (Vec::new(), Vec::new());
        let mut items = Items::new();
        for entry in tree.iter() {
            let entry = entry.map_err(|e| format!("a tree can't be read: {e}"))?;
            let Ok(name) = std::str::from_utf8(entry.filename()) else { continue };
            items.insert(name.to_owned(), (entry.mode().kind(), entry.oid().to_owned()));
            match entry.mode().kind() {
                EntryKind::Tree => directories.push((name.to_owned(), entry.oid().to_owned())),
                EntryKind::Blob | EntryKind::BlobExecutable => files.push((name.to_owned(), entry.oid().to_owned())),
                EntryKind::Link | EntryKind::Commit => {}
            }
        }
        self.trees.push((id, items));
        let (first, others): (Vec<_>, Vec<_>) = files.into_iter().partition(|(n, _)| self.first.contains(&n.as_str()));
        let start = self.files.len();
        for (name, id) in &first {
            self.file(*id, join(path, name))?;
        }
        let texts = self.files.get(start..).unwrap_or_default().iter().filter_map(|f| match &f.content {
            Content::Text(text) => Some(&**text),
            Content::TooLong | Content::Unread => None,
        });
        let unneeded = (self.unneeded)(&texts.collect::<Vec<_>>());
        for (name, id) in others {
            let path = join(path, &name);
            if unneeded.contains(&name) {
                self.files.push(File { path, content: Content::Unread });
            } else {
                self.file(id, path)?;
            }
        }
        directories.iter().try_for_each(|(name, id)| self.directory(*id, &join(path, name), depth + 1))
    }

    fn file(&mut self, id: ObjectId, path: String) -> Result<(), String> {
        let mut blob = self.r.find_blob(id).map_err(|e| format!("{path}: can't be read: {e}"))?;
        let content = if blob.data.len() > LONGEST {
            Content::TooLong
        } else {
            let text: Arc<[u8]> = blob.take_data().into();
            self.blobs.push((id, text.clone()));
            Content::Text(text)
        };
        self.files.push(File { path, content });
        Ok(())
    }
}
