//! Many files of a commit at once: the texts below a directory, and where its links lead.
//!
//! A large directory is read by two threads, and each file is looked through by the thread that read it; what lies at several places is read
//! and looked through once. That there are no links, the index tells; others are looked for on a thread of their own.

use std::collections::{BTreeSet, HashSet};
use std::io::{Read as _, Seek as _};
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use gix::ObjectId;
use gix::hashtable::HashMap;
use gix::objs::FindExt as _;
use gix::objs::tree::EntryKind;

use super::git_items::Items;
use super::git_tree::{GitTree, Store};
use crate::gotmpl::{apart, let_go};

/// A file that is longer than this is not read in bulk.
pub const LONGEST: usize = 1 << 20;

/// Directories in directories.
const DEEPEST: usize = 500;

/// So many directories in one are shared among two threads.
const MANY: usize = 16;

/// A file as the survey found it.
pub struct File<T> {
    /// From the root of the tree.
    pub path: String,
    pub content: Content<T>,
}

/// What a file holds.
pub enum Content<T> {
    /// Its text, and what was seen in it.
    Text(Arc<[u8]>, T),
    TooLong,
    /// Nobody needs it.
    Unread,
}

/// How a directory is looked through.
#[derive(Clone, Copy)]
pub struct Look<S> {
    /// The names of files that are read first, in each directory.
    pub first: &'static [&'static str],
    /// By the texts of those, which of the directory's other files need not be read.
    pub unneeded: fn(lists: &[&[u8]]) -> BTreeSet<String>,
    /// Directories are kept, too, for those who ask for them.
    pub keep: bool,
    /// What is seen in a text, and whether it is that of a file which is read first.
    pub see: S,
}

/// A symbolic link and what it says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Link {
    pub path: String,
    pub target: String,
}

/// The links of a tree: that there are none is soon known, others are looked for beside what else there is to do.
pub enum Links {
    /// There are none.
    None,
    Sought(JoinHandle<Result<Vec<Link>, String>>),
}

impl Links {
    /// The links that two trees have in common, if none of them is changed; the trees lie at a path from the root of their commits. Git's
    /// index lists them if it was filled from one of the trees; else one is walked through.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub fn of(trees: [&GitTree; 2], below: &str) -> Result<Self, String> {
        let (store, below) = (trees[0].store().clone(), below.to_owned());
        let roots = trees.map(GitTree::root);
        let ruled_out = || store.with(|r| has_no_links(&r.index_path(), roots).map_err(|e| e.to_string()));
        if below.is_empty() && ruled_out().unwrap_or(false) {
            return Ok(Self::None);
        }
        let work = move || {
            store.with(|r| {
                if let Some(links) = indexed(r, roots, &below) {
                    return Ok(links);
                }
                let (mut links, mut seen) = (Vec::new(), HashSet::new());
                walk(r, roots[0], "", 0, &mut seen, &mut links)?;
                Ok(links)
            })
        };
        let started = std::thread::Builder::new().name("git links".into()).spawn(apart(work));
        let_go();
        started.map(Self::Sought).map_err(|e| format!("no thread to read Git objects with: {e}"))
    }

    /// # Errors
    /// The objects can't be read.
    pub fn wait(self) -> Result<Vec<Link>, String> {
        match self {
            Self::None => Ok(Vec::new()),
            Self::Sought(search) => search.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
        }
    }
}

/// The links that the index lists, if it says that it holds one of these trees.
fn indexed(r: &gix::Repository, trees: [ObjectId; 2], below: &str) -> Option<Vec<Link>> {
    let options = gix::index::decode::Options::default();
    let index = gix::index::File::at(r.index_path(), trees[0].kind(), true, options).ok()?;
    let mut tree = index.tree()?;
    for part in below.split('/').filter(|p| !p.is_empty()) {
        tree = tree.children.iter().find(|c| c.name.as_slice() == part.as_bytes())?;
    }
    if tree.num_entries.is_none() || !trees.contains(&tree.id) {
        return None;
    }
    // A sparse index keeps whole directories to itself.
    if index.entries().iter().any(|e| e.mode == gix::index::entry::Mode::DIR) {
        return None;
    }
    let inside = if below.is_empty() { String::new() } else { format!("{below}/") };
    let mut links = Vec::new();
    for entry in index.entries().iter().filter(|e| e.mode == gix::index::entry::Mode::SYMLINK) {
        let path = String::from_utf8_lossy(entry.path(&index));
        let Some(path) = path.strip_prefix(&inside) else { continue };
        let mut text = Vec::new();
        let blob = r.objects.find_blob(&entry.id, &mut text).ok()?;
        links.push(Link { path: path.to_owned(), target: String::from_utf8_lossy(blob.data).into_owned() });
    }
    Some(links)
}

/// Whether an index holds one of these trees and surely no link: its entries are stepped over, and nothing tells of entries that it does not
/// list itself (`link`, a split index; a directory, a sparse one). This is known long before it is read entry by entry.
///
/// Source: `gitformat-index`, versions 2 and 3: the mode of an entry is its seventh number, its flags with the length of its name stand
/// behind its id, and its size is a multiple of eight. The extension `TREE` begins with the root: an empty path, the number of its entries
/// (-1 if it is no longer what was written), that of its directories, and its id.
fn has_no_links(file: &Path, trees: [ObjectId; 2]) -> std::io::Result<bool> {
    const ENTRY: usize = 62;
    // What a checksum leaves at least, and numbers need at most.
    const ROOT: usize = 53;
    let number = |bytes: Option<&[u8]>| bytes.and_then(|b| Some(u32::from_be_bytes(b.try_into().ok()?)));
    let mut file = Window::open(file)?;
    let Some(head) = file.ahead(12)?.filter(|head| head.starts_with(b"DIRC")) else { return Ok(false) };
    let (Some(2 | 3), Some(count)) = (number(head.get(4..8)), number(head.get(8..12))) else { return Ok(false) };
    file.skip(12)?;
    for _ in 0..count {
        let Some(entry) = file.ahead(ENTRY)? else { return Ok(false) };
        let &[.., first, second] = entry else { return Ok(false) };
        let (flags, kind) = (u16::from_be_bytes([first, second]), number(entry.get(24..28)).unwrap_or_default() >> 12);
        let (extended, name) = (flags & 0x4000 != 0, usize::from(flags & 0xfff));
        // Files and submodules; a name of this length may be longer.
        if !matches!(kind, 0o10 | 0o16) || name == 0xfff {
            return Ok(false);
        }
        let size = ENTRY + 2 * usize::from(extended) + name;
        file.skip((size + 8) & !7)?;
    }
    let mut found = false;
    // Behind the extensions is a checksum.
    while let Some(head) = file.ahead(21)? {
        let size = number(head.get(4..8)).unwrap_or_default() as usize;
        if head.starts_with(b"link") || head.starts_with(b"sdir") {
            return Ok(false);
        }
        if head.starts_with(b"TREE") {
            let text = file.ahead(ROOT)?.and_then(|text| text.get(8..)?.strip_prefix(b"\0"));
            found = text.and_then(root_tree).is_some_and(|id| trees.iter().any(|tree| tree.as_slice() == id));
        }
        file.skip(8 + size)?;
    }
    Ok(found)
}

/// A file through which one steps forwards.
struct Window {
    file: std::fs::File,
    buffer: Vec<u8>,
    /// What of the buffer lies ahead.
    start: usize,
    end: usize,
}

impl Window {
    fn open(file: &Path) -> std::io::Result<Self> {
        let file = std::fs::File::open(file)?;
        Ok(Self { file, buffer: vec![0; 16 << 10], start: 0, end: 0 })
    }

    /// So many bytes from here, if the file has them.
    fn ahead(&mut self, count: usize) -> std::io::Result<Option<&[u8]>> {
        while self.end - self.start < count {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
            let Some(room) = self.buffer.get_mut(self.end..) else { return Ok(None) };
            let read = self.file.read(room)?;
            if read == 0 {
                return Ok(None);
            }
            self.end += read;
        }
        Ok(self.buffer.get(self.start..self.start + count))
    }

    fn skip(&mut self, count: usize) -> std::io::Result<()> {
        let here = self.end - self.start;
        if count <= here {
            self.start += count;
            return Ok(());
        }
        (self.start, self.end) = (0, 0);
        self.file.seek_relative(i64::try_from(count - here).unwrap_or(i64::MAX))
    }
}

/// The id behind `ENTRIES DIRECTORIES\n`.
fn root_tree(text: &[u8]) -> Option<&[u8]> {
    let digits = |text: &[u8]| text.iter().take_while(|b| b.is_ascii_digit()).count();
    let rest = text.get(digits(text)..)?.strip_prefix(b" ").filter(|_| digits(text) > 0)?;
    rest.get(digits(rest)..)?.strip_prefix(b"\n")?.get(..20)
}

/// A directory is the same at all places that it lies at, but its links are not: those without links alone are entered once.
fn walk(
    r: &gix::Repository,
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
    for entry in r.objects.find_tree_iter(&tree, &mut buffer).map_err(|e| failed(&e))? {
        let entry = entry.map_err(|e| failed(&e))?;
        let kind = entry.mode.kind();
        if !matches!(kind, EntryKind::Tree | EntryKind::Link) {
            continue;
        }
        let path = join(below, &String::from_utf8_lossy(entry.filename));
        if kind == EntryKind::Tree {
            walk(r, entry.oid.to_owned(), &path, depth + 1, seen, links)?;
        } else {
            let mut text = Vec::new();
            let blob = r.objects.find_blob(entry.oid, &mut text).map_err(|e| failed(&e))?;
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
    /// The file at a clean relative path, or all files below the directory there, links aside; nothing if there is nothing.
    ///
    /// # Errors
    /// The objects can't be read.
    pub fn below<T, S>(&self, path: &str, look: Look<S>) -> Result<Vec<File<T>>, String>
    where
        T: Clone + Send,
        S: Fn(&[u8], bool) -> T + Copy + Send + Sync,
    {
        let found = self.store().with(|r| {
            let mut at = (EntryKind::Tree, self.root());
            for part in path.split('/').filter(|p| !p.is_empty()) {
                if at.0 != EntryKind::Tree {
                    return Ok(Found::default());
                }
                let tree = r.find_tree(at.1).map_err(|e| format!("a tree can't be read: {e}"))?;
                let Some(entry) = tree.find_entry(part) else { return Ok(Found::default()) };
                at = (entry.mode().kind(), entry.oid().to_owned());
            }
            let mut reader = Reader::new(r, look, Some(self.store()));
            match at.0 {
                EntryKind::Tree => reader.directory(at.1, path, 0)?,
                EntryKind::Blob | EntryKind::BlobExecutable => {
                    let name = path.rsplit('/').next().unwrap_or(path);
                    reader.file(at.1, path.to_owned(), look.first.contains(&name))?;
                }
                EntryKind::Link | EntryKind::Commit => {}
            }
            Ok(reader.found)
        })?;
        self.store().keep(found.trees, found.blobs);
        Ok(found.files)
    }

    /// Reads all files below a directory at once; they are kept for those who ask for them.
    pub fn read_ahead(&self, path: &str) {
        // What can't be read is told where it is asked for.
        let _ = self.below(path, Look { first: &[], unneeded: |_| BTreeSet::new(), keep: true, see: |_: &[u8], _| () });
    }
}

/// What was read.
struct Found<T> {
    files: Vec<File<T>>,
    trees: Vec<(ObjectId, Items)>,
    blobs: Vec<(ObjectId, Arc<[u8]>)>,
}

impl<T> Default for Found<T> {
    fn default() -> Self {
        Self { files: Vec::new(), trees: Vec::new(), blobs: Vec::new() }
    }
}

/// Texts, and what was seen in them, by id: of those that are read first, and of others.
type SeenBefore<T> = [HashMap<ObjectId, (Arc<[u8]>, T)>; 2];

struct Reader<'r, T, S> {
    r: &'r gix::Repository,
    look: Look<S>,
    found: Found<T>,
    seen: SeenBefore<T>,
    /// Another thread may help, with a repository from here.
    help: Option<&'r Store>,
}

impl<'r, T, S> Reader<'r, T, S>
where
    T: Clone + Send,
    S: Fn(&[u8], bool) -> T + Copy + Send + Sync,
{
    fn new(r: &'r gix::Repository, look: Look<S>, help: Option<&'r Store>) -> Self {
        Self { r, look, found: Found::default(), seen: SeenBefore::default(), help }
    }

    fn directory(&mut self, id: ObjectId, path: &str, depth: usize) -> Result<(), String> {
        shallow(path, depth)?;
        let tree = self.r.find_tree(id).map_err(|e| format!("a tree can't be read: {e}"))?;
        let (mut files, mut directories) = (Vec::new(), Vec::new());
        for entry in tree.iter() {
            let entry = entry.map_err(|e| format!("a tree can't be read: {e}"))?;
            let Ok(name) = std::str::from_utf8(entry.filename()) else { continue };
            match entry.mode().kind() {
                EntryKind::Tree => directories.push((name.to_owned(), entry.oid().to_owned())),
                EntryKind::Blob | EntryKind::BlobExecutable => files.push((name.to_owned(), entry.oid().to_owned())),
                EntryKind::Link | EntryKind::Commit => {}
            }
        }
        if self.look.keep {
            let items = Items::of(gix::objs::TreeRefIter::from_bytes(&tree.data, id.kind()))?;
            self.found.trees.push((id, items));
        }
        drop(tree);
        let (first, others): (Vec<_>, Vec<_>) =
            files.into_iter().partition(|(n, _)| self.look.first.contains(&n.as_str()));
        let start = self.found.files.len();
        for (name, id) in &first {
            self.file(*id, join(path, name), true)?;
        }
        let texts = self.found.files.get(start..).unwrap_or_default().iter().filter_map(|f| match &f.content {
            Content::Text(text, _) => Some(&**text),
            Content::TooLong | Content::Unread => None,
        });
        let unneeded = (self.look.unneeded)(&texts.collect::<Vec<_>>());
        for (name, id) in others {
            let path = join(path, &name);
            if unneeded.contains(&name) {
                self.found.files.push(File { path, content: Content::Unread });
            } else {
                self.file(id, path, false)?;
            }
        }
        if directories.len() < MANY || self.help.is_none() {
            return self.directories(&directories, path, depth);
        }
        self.shared(&directories, path, depth)
    }

    fn directories(&mut self, list: &[(String, ObjectId)], path: &str, depth: usize) -> Result<(), String> {
        list.iter().try_for_each(|(name, id)| self.directory(*id, &join(path, name), depth + 1))
    }

    /// Another thread takes the second half.
    fn shared(&mut self, list: &[(String, ObjectId)], path: &str, depth: usize) -> Result<(), String> {
        let Some(store) = self.help.take().filter(|_| crate::gotmpl::cores() > 1) else {
            return self.directories(list, path, depth);
        };
        let (mine, others) = list.split_at(list.len() / 2);
        let look = self.look;
        let theirs = move || {
            store.with(|r| {
                let mut reader = Reader::new(r, look, None);
                reader.directories(others, path, depth).map(|()| reader.found)
            })
        };
        std::thread::scope(|scope| {
            let Ok(beside) = std::thread::Builder::new().name("git files".into()).spawn_scoped(scope, apart(theirs))
            else {
                return self.directories(list, path, depth);
            };
            let_go();
            self.directories(mine, path, depth)?;
            let found = beside.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
            self.found.files.extend(found.files);
            self.found.trees.extend(found.trees);
            self.found.blobs.extend(found.blobs);
            Ok(())
        })
    }

    fn file(&mut self, id: ObjectId, path: String, is_first: bool) -> Result<(), String> {
        let before = &mut self.seen[usize::from(is_first)];
        if let Some((text, seen)) = before.get(&id) {
            let content = Content::Text(text.clone(), seen.clone());
            self.found.files.push(File { path, content });
            return Ok(());
        }
        let blob = self.r.find_blob(id).map_err(|e| format!("{path}: can't be read: {e}"))?;
        let content = if blob.data.len() > LONGEST {
            Content::TooLong
        } else {
            // A copy: the next file is unpacked where this one was.
            let text: Arc<[u8]> = blob.data.as_slice().into();
            let seen = (self.look.see)(&text, is_first);
            self.found.blobs.push((id, text.clone()));
            before.insert(id, (text.clone(), seen.clone()));
            Content::Text(text, seen)
        };
        self.found.files.push(File { path, content });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repo::scratch::Repository;

    impl Repository {
        /// Whether its index rules links out at once, and the links that are found.
        fn links(&self) -> (bool, Vec<String>) {
            let store = Store::open(&self.0).unwrap().0;
            let tree = store.tree(store.commit("HEAD").unwrap(), "").unwrap();
            let ruled_out = has_no_links(&self.0.join(".git/index"), [tree.root(); 2]).unwrap();
            let found = Links::of([&tree, &tree], "").unwrap().wait().unwrap();
            (ruled_out, found.into_iter().map(|l| format!("{} -> {}", l.path, l.target)).collect())
        }
    }

    #[test]
    fn an_index_tells_of_links_or_that_there_are_none() {
        let repository = Repository::new("links");
        let write = |path: &str, text: &str| repository.write(path, text);
        // More than one piece of the index.
        for n in 0..1500 {
            write(&format!("a/b/{n:0>60}"), "");
        }
        repository.commit("x");
        assert_eq!(repository.links(), (true, vec![]));
        // The index holds another tree than the commit.
        write("a/new", "");
        repository.git(&["add", "-A"]);
        assert_eq!(repository.links(), (false, vec![]));
        // Names that are an extension's, an intended addition (version 3), a long name, and an index that is written otherwise.
        write("a/link", "");
        write(&format!("a/{}", "n".repeat(255)), "");
        repository.commit("x");
        write("a/later", "");
        repository.git(&["add", "-N", "a/later"]);
        assert_eq!(repository.links(), (false, vec![]));
        repository.git(&["reset", "-q", "--hard"]);
        repository.git(&["read-tree", "HEAD"]);
        assert_eq!(repository.links(), (true, vec![]));
        repository.git(&["update-index", "--index-version", "4"]);
        assert_eq!(repository.links(), (false, vec![]));
        repository.git(&["update-index", "--index-version", "2"]);
        repository.link("a/b/to", "../b");
        repository.commit("x");
        assert_eq!(repository.links(), (false, vec!["a/b/to -> ../b".to_owned()]));
        repository.git(&["update-index", "--split-index"]);
        assert!(!repository.links().0);
        assert_eq!(repository.links().1, ["a/b/to -> ../b"]);
    }
}
