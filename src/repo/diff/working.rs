//! What differs between a commit and the working tree: content by content, whatever was staged.
//!
//! As Git does, files are not read whose size and times Git's index still has. All that Git does not ignore counts, tracked or not: a new
//! template changes what a chart renders before anybody adds it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use gix::ObjectId;

use super::sides::both;
use crate::repo::git_index::Index;
use crate::repo::git_survey::Link;
use crate::repo::{GitTree, Store};

/// The files of a working tree beside a commit's.
pub(super) struct Working {
    pub changed: BTreeSet<String>,
    /// What Git ignores is nobody's change, unless it is tracked all the same.
    pub ignored: BTreeSet<String>,
    /// All symbolic links.
    pub links: Vec<Link>,
}

/// What the commit has.
enum Base {
    Index(Box<Index>),
    All(BTreeMap<String, ObjectId>),
}

/// A file or link of the working tree.
struct Found {
    path: String,
    /// Its place in the index.
    place: Option<usize>,
    /// Of its content; `None` until somebody asks.
    id: Option<ObjectId>,
    /// Where a link leads.
    target: Option<String>,
}

impl Base {
    /// Of a tree that lies at `below`.
    fn of(tree: &GitTree, below: &str) -> Result<Self, String> {
        Ok(match Index::beside(tree, below) {
            Some(index) => Self::Index(Box::new(index)),
            None => Self::All(tree.all()?),
        })
    }

    fn id(&self, found: &Found) -> Option<ObjectId> {
        match self {
            Self::Index(index) => index.in_tree(&found.path, found.place),
            Self::All(all) => all.get(&found.path).copied(),
        }
    }

    /// The commit's files that are not there.
    fn gone(&self, found: &[Found]) -> Vec<String> {
        match self {
            Self::Index(index) => index.gone(found.iter().map(|file| (file.path.as_str(), file.place))),
            Self::All(all) => {
                let there: BTreeSet<&str> = found.iter().map(|file| file.path.as_str()).collect();
                all.keys().filter(|path| !there.contains(path.as_str())).cloned().collect()
            }
        }
    }
}

impl Working {
    /// Compares the tree of a commit, which lies at `below` from the repository's root, with the files at `path`.
    ///
    /// # Errors
    /// A file, the tree or what Git ignores can't be read.
    pub fn of(tree: &GitTree, store: &Store, path: &Path, below: &str) -> Result<Self, String> {
        Self::beside(&Base::of(tree, below)?, tree, store, path, below)
    }

    fn beside(base: &Base, tree: &GitTree, store: &Store, path: &Path, below: &str) -> Result<Self, String> {
        let index = match base {
            Base::Index(index) => Some(&**index),
            Base::All(_) => None,
        };
        let found = files(path, index)?;
        let from_root = |file: &str| if below.is_empty() { file.to_owned() } else { format!("{below}/{file}") };
        let unknown = found.iter().filter(|file| file.place.is_none() && base.id(file).is_none());
        let unknown: Vec<String> = unknown.map(|file| from_root(&file.path)).collect();
        let ignored = if unknown.is_empty() { BTreeSet::new() } else { store.ignored(unknown)? };
        let mut out =
            Self { changed: base.gone(&found).into_iter().collect(), ignored: BTreeSet::new(), links: Vec::new() };
        for file in found {
            if file.place.is_none() && ignored.contains(&from_root(&file.path)) {
                out.ignored.insert(file.path);
                continue;
            }
            let before = base.id(&file);
            let now = match (file.id, &file.target) {
                (Some(id), _) => Some(id),
                (None, Some(target)) => hash(tree, target.as_bytes()),
                // A new file is one whatever it says.
                (None, None) if before.is_none() => None,
                (None, None) => hash(tree, &read(path, &file.path)?),
            };
            if before.is_none() || now != before {
                out.changed.insert(file.path.clone());
            }
            if let Some(target) = file.target {
                out.links.push(Link { path: file.path, target });
            }
        }
        Ok(out)
    }
}

fn hash(tree: &GitTree, content: &[u8]) -> Option<ObjectId> {
    gix::objs::compute_hash(tree.root().kind(), gix::objs::Kind::Blob, content).ok()
}

/// A file's content. Line endings are taken as they are.
fn read(root: &Path, path: &str) -> Result<Vec<u8>, String> {
    std::fs::read(root.join(path)).map_err(|e| format!("{path}: {e}"))
}

/// So many directories are worth a second thread.
const MANY: usize = 16;

/// Every file and link of a working tree.
fn files(root: &Path, index: Option<&Index>) -> Result<Vec<Found>, String> {
    let mut found = Vec::new();
    // From the top, level by level, until there is enough to share.
    let mut dirs = vec![String::new()];
    while !dirs.is_empty() && dirs.len() < MANY {
        let mut next = Vec::new();
        for dir in &dirs {
            directory(root, dir, index, &mut found, &mut next)?;
        }
        dirs = next;
    }
    let taken = AtomicUsize::new(0);
    let work = &|| {
        let mut found = Vec::new();
        while let Some(dir) = dirs.get(taken.fetch_add(1, Ordering::Relaxed)) {
            let mut left = vec![dir.clone()];
            while let Some(dir) = left.pop() {
                directory(root, &dir, index, &mut found, &mut left)?;
            }
        }
        Ok::<_, String>(found)
    };
    if !dirs.is_empty() {
        let (a, b) = both(work, work);
        found.extend(a?);
        found.extend(b?);
    }
    found.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

/// The files and links of one directory, and its directories.
fn directory(
    root: &Path,
    below: &str,
    index: Option<&Index>,
    found: &mut Vec<Found>,
    dirs: &mut Vec<String>,
) -> Result<(), String> {
    let dir = root.join(below);
    let failed = |e: std::io::Error| format!("{}: {e}", dir.display());
    for entry in std::fs::read_dir(&dir).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        if name == ".git" {
            continue;
        }
        let path = if below.is_empty() { name } else { format!("{below}/{name}") };
        let kind = entry.file_type().map_err(failed)?;
        if kind.is_dir() {
            dirs.push(path);
        } else if kind.is_symlink() || kind.is_file() {
            let place = index.and_then(|index| index.find(&path));
            let full = entry.path();
            let target = if kind.is_symlink() {
                Some(std::fs::read_link(&full).map_err(failed)?.to_string_lossy().into_owned())
            } else {
                None
            };
            let id = index.zip(place).and_then(|(index, place)| index.unchanged(place, &full));
            found.push(Found { path, place, id, target });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repo::scratch::Repository;

    impl Repository {
        /// What differs from a commit below a path; said with the index, and without.
        fn both_ways(&self, commit: &str, below: &str) -> [(bool, String); 2] {
            let path = self.0.join(below);
            let store = Store::open(&path).unwrap().0;
            let tree = store.tree(store.commit(commit).unwrap(), below).unwrap();
            [Base::of(&tree, below).unwrap(), Base::All(tree.all().unwrap())].map(|base| {
                let found = Working::beside(&base, &tree, &store, &path, below).unwrap();
                let links: Vec<String> = found.links.iter().map(|l| format!("{}>{}", l.path, l.target)).collect();
                let text = format!("{:?} ignored {:?} links {links:?}", found.changed, found.ignored);
                (matches!(base, Base::Index(_)), text)
            })
        }

        /// The same, where both ways agree and the index was of use.
        fn changed(&self, commit: &str, below: &str) -> String {
            let [(indexed, with), (_, without)] = self.both_ways(commit, below);
            assert!(indexed);
            assert_eq!(with, without, "{commit} {below:?}");
            with
        }
    }

    fn repository(name: &str) -> Repository {
        let repository = Repository::new(name);
        for n in 0..40 {
            repository.write(&format!("k8s/dir{}/sub/file{n}", n % 20), &format!("{n}\n"));
        }
        repository.write("k8s/z", "z");
        repository.write("other/file", "other");
        repository.write(".gitignore", "*.log\n");
        repository.link("k8s/link", "dir1");
        repository.commit("first");
        repository
    }

    #[test]
    fn contents_count_whatever_is_staged() {
        let r = repository("working-states");
        let nothing = "{} ignored {} links [\"k8s/link>dir1\"]";
        assert_eq!(r.changed("HEAD", ""), nothing);
        assert_eq!(r.changed("HEAD", "k8s"), "{} ignored {} links [\"link>dir1\"]");
        // Edited, staged, new, new and staged, ignored, ignored but added, gone, gone and staged, no longer tracked, written anew.
        r.write("k8s/dir1/sub/file1", "new\n");
        r.write("k8s/dir2/sub/file2", "new\n");
        r.git(&["add", "k8s/dir2/sub/file2"]);
        r.write("k8s/dir3/new", "");
        r.write("k8s/new/new", "");
        r.write("k8s/a.log", "");
        r.write("k8s/b.log", "");
        r.git(&["add", "-f", "k8s/new", "k8s/b.log"]);
        r.remove("k8s/dir4/sub/file4");
        r.git(&["rm", "-q", "k8s/dir5/sub/file5"]);
        r.git(&["rm", "-q", "--cached", "k8s/dir6/sub/file6"]);
        r.write("k8s/dir7/sub/file7", "7\n");
        let want = "{\"b.log\", \"dir1/sub/file1\", \"dir2/sub/file2\", \"dir3/new\", \"dir4/sub/file4\", \"dir5/sub/file5\", \"new/new\"}";
        assert_eq!(r.changed("HEAD", "k8s"), format!("{want} ignored {{\"a.log\"}} links [\"link>dir1\"]"));
        // Staged and taken back; a file where a directory was; another link.
        r.write("k8s/dir2/sub/file2", "2\n");
        std::fs::remove_dir_all(r.0.join("k8s/dir8")).unwrap();
        r.write("k8s/dir8", "");
        r.remove("k8s/link");
        r.link("k8s/link", "dir2");
        let text = r.changed("HEAD", "k8s");
        assert!(
            !text.contains("file2\"") && text.contains("\"dir8\", \"dir8/sub/file28\"") && text.contains("\"link\""),
            "{text}"
        );
        // Against an older commit.
        r.commit("second");
        assert_eq!(r.changed("HEAD", "k8s"), "{} ignored {\"a.log\"} links [\"link>dir2\"]");
        assert_eq!(r.changed("HEAD~1", "k8s"), text);
        // An index that does not tell, and none.
        r.git(&["checkout", "-qb", "side", "HEAD~1"]);
        r.write("k8s/dir1/sub/file1", "other\n");
        r.git(&["commit", "-qam", "third"]);
        assert!(!r.try_git(&["merge", "-q", "master"]));
        let [(indexed, with), (_, without)] = r.both_ways("HEAD", "");
        assert_eq!((indexed, with), (false, without));
        r.remove(".git/index");
        let [(indexed, with), (_, without)] = r.both_ways("HEAD", "");
        assert_eq!((indexed, with), (false, without));
    }

    #[test]
    fn a_file_written_with_the_index_is_read() {
        let r = repository("working-racy");
        for n in 0..50 {
            // As long as before, and as late as the clock can tell.
            r.write("k8s/z", &char::from(b'a' + n % 25).to_string());
            r.git(&["add", "k8s/z"]);
            r.write("k8s/z", &char::from(b'b' + n % 25).to_string());
            r.changed("HEAD", "");
        }
    }
}
