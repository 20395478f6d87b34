//! Files of a repository, never outside it: a checkout on disk, or a commit read from the object store.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, OnceLock};

use crate::chart::{Chart, LoadError, directory};
use crate::diagnostic::LogLine;
use crate::golang::errno;
use crate::kustomize::{Entry, Tree};

use super::diff::touched::{Touch, Touched};
use super::git_tree::{GitTree, Store};
use super::tree_chart;

/// The files of one state of a repository.
#[derive(Clone)]
pub struct Checkout {
    /// As the user named it.
    root: PathBuf,
    files: Files,
    /// Takes note of what is looked at, if somebody wants to know.
    touched: Option<Arc<Touched>>,
    /// Files on disk that do not belong to the repository.
    ignored: Arc<BTreeSet<String>>,
    /// Asked for once.
    remote: Arc<OnceLock<Option<String>>>,
}

#[derive(Clone)]
enum Files {
    /// The root without links.
    Disk(PathBuf),
    Commit(Arc<GitTree>),
}

impl fmt::Debug for Checkout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.files {
            Files::Disk(_) => write!(f, "Checkout({})", self.root.display()),
            Files::Commit(tree) => write!(f, "Checkout({} at {})", self.root.display(), tree.name()),
        }
    }
}

impl Checkout {
    /// # Errors
    /// The path is not a directory.
    pub fn new(root: &Path) -> Result<Self, String> {
        if root.is_dir() {
            let real = root.canonicalize().unwrap_or_else(|_| root.to_path_buf());
            return Ok(Self {
                root: root.to_path_buf(),
                files: Files::Disk(real),
                touched: None,
                ignored: Arc::default(),
                remote: Arc::default(),
            });
        }
        Err(format!("{}: not a directory: give the root of a deployment repository", root.display()))
    }

    /// A commit's files; `root` is the repository as the user named it.
    pub fn of_commit(root: &Path, tree: GitTree) -> Self {
        Self {
            root: root.to_path_buf(),
            files: Files::Commit(Arc::new(tree)),
            touched: None,
            ignored: Arc::default(),
            remote: Arc::default(),
        }
    }

    /// The same files without those that Git ignores: paths from the root.
    #[must_use]
    pub fn without(self, ignored: BTreeSet<String>) -> Self {
        Self { ignored: Arc::new(ignored), ..self }
    }

    fn is_ignored(&self, path: &str) -> bool {
        !self.ignored.is_empty() && Self::relative(path).is_ok_and(|p| self.ignored.contains(&p))
    }

    /// Whether one of the ignored files lies below a directory.
    fn hides_below(&self, path: &str) -> bool {
        let Ok(dir) = Self::relative(path) else { return false };
        let below = |p: &String| p.strip_prefix(&dir).is_some_and(|rest| rest.starts_with('/'));
        self.ignored.range(dir.clone()..).take_while(|p| p.starts_with(&dir)).any(below)
    }

    /// The same files, and what will be looked at from now on.
    pub fn watched(&self) -> (Self, Arc<Touched>) {
        let touched = Arc::<Touched>::default();
        (Self { touched: Some(touched.clone()), ..self.clone() }, touched)
    }

    /// The commit that the files are of.
    pub(super) fn commit(&self) -> Option<&GitTree> {
        match &self.files {
            Files::Commit(tree) => Some(tree),
            Files::Disk(_) => None,
        }
    }

    fn touch(&self, path: &str, how: Touch) {
        if let Some(touched) = &self.touched {
            touched.add(path.trim_matches('/'), how);
        }
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The address that the repository was cloned from, if it is a Git repository with one.
    pub fn remote(&self) -> Option<String> {
        let ask = || match &self.files {
            Files::Disk(root) => Store::open(root).ok()?.0.remote(),
            Files::Commit(tree) => tree.remote(),
        };
        self.remote.get_or_init(ask).clone()
    }

    /// A path as objects write it (`./k8s/helm-charts/web`), relative to the root and clean.
    ///
    /// # Errors
    /// It leads out of the checkout.
    pub fn relative(path: &str) -> Result<String, String> {
        let mut parts: Vec<String> = Vec::new();
        for c in Path::new(path).components() {
            match c {
                Component::Normal(p) => parts.push(p.to_string_lossy().into_owned()),
                Component::CurDir | Component::RootDir => {}
                Component::ParentDir => {
                    if parts.pop().is_none() {
                        return Err(format!("{path} leads out of the repository"));
                    }
                }
                Component::Prefix(_) => return Err(format!("{path} is not a path in the repository")),
            }
        }
        Ok(parts.join("/"))
    }

    /// Where a relative path lies on disk; symbolic links must not lead out of the checkout either.
    fn locate(&self, real: &Path, path: &str) -> Result<PathBuf, String> {
        let full = real.join(Self::relative(path)?);
        match full.canonicalize() {
            Ok(found) if !found.starts_with(real) => Err(format!("{path} is a link that leads out of the repository")),
            _ => Ok(full),
        }
    }

    /// # Errors
    /// `PATH: no such file or directory` and the like.
    pub fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        self.touch(path, Touch::Itself);
        if self.is_ignored(path) {
            return Err(format!("{path}: no such file in the repository: Git ignores it"));
        }
        match &self.files {
            Files::Disk(real) => directory::read_file(self.locate(real, path)?).map_err(|e| match e.kind() {
                std::io::ErrorKind::NotFound => format!("{path}: no such file in the repository"),
                _ => format!("{path}: {e}"),
            }),
            Files::Commit(tree) => match tree.file(&Self::relative(path)?)? {
                Some(bytes) => Ok(bytes),
                None => Err(format!("{path}: no such file in the repository")),
            },
        }
    }

    /// Names in a directory, sorted; directories end with `/`.
    pub fn list(&self, path: &str) -> Result<Vec<String>, String> {
        self.touch(path, Touch::Names);
        let mut names = Vec::new();
        match &self.files {
            Files::Disk(real) => {
                let full = self.locate(real, path)?;
                for entry in std::fs::read_dir(&full).map_err(|e| format!("{path}: {e}"))? {
                    let entry = entry.map_err(|e| format!("{path}: {e}"))?;
                    let name = entry.file_name().to_string_lossy().into_owned();
                    let is_dir = match entry.file_type() {
                        Ok(kind) if !kind.is_symlink() => kind.is_dir(),
                        _ => entry.path().is_dir(),
                    };
                    if self.is_ignored(&format!("{path}/{name}")) {
                        continue;
                    }
                    names.push(if is_dir { format!("{name}/") } else { name });
                }
            }
            Files::Commit(tree) => {
                let Some(entries) = tree.entries(&Self::relative(path)?)? else {
                    return Err(format!("{path}: no such directory in the repository"));
                };
                names.extend(entries.into_iter().map(|(name, entry)| match entry {
                    Entry::Directory => format!("{name}/"),
                    Entry::File => name,
                }));
            }
        }
        names.sort();
        Ok(names)
    }

    pub fn is_file(&self, path: &str) -> bool {
        self.kind(path) == Some(Entry::File)
    }

    pub fn is_dir(&self, path: &str) -> bool {
        self.kind(path) == Some(Entry::Directory)
    }

    /// What lies at a path; `None` if nothing, or outside.
    pub fn kind(&self, path: &str) -> Option<Entry> {
        let found = self.find(path);
        self.touch(path, if found.is_none() { Touch::Missing } else { Touch::Itself });
        found
    }

    fn find(&self, path: &str) -> Option<Entry> {
        if self.is_ignored(path) {
            return None;
        }
        match &self.files {
            Files::Disk(real) => {
                let meta = self.locate(real, path).ok()?.metadata().ok()?;
                Some(if meta.is_dir() { Entry::Directory } else { Entry::File })
            }
            Files::Commit(tree) => tree.find(&Self::relative(path).ok()?).map(|(_, entry)| entry),
        }
    }

    /// The chart that lies at a path: a directory, or an archive.
    ///
    /// # Errors
    /// Helm's text.
    pub fn chart(&self, path: &str, log: &mut Vec<LogLine>) -> Result<Chart, LoadError> {
        self.touch(path, Touch::Everything);
        match &self.files {
            Files::Disk(_) if self.hides_below(path) => tree_chart::load(self, path, log),
            Files::Disk(real) => {
                self.locate(real, path)?;
                // Named as the user named the repository.
                directory::load(&self.root.join(Self::relative(path)?), log)
            }
            Files::Commit(tree) => {
                if let Ok(path) = Self::relative(path) {
                    tree.read_ahead(&path);
                }
                tree_chart::load(self, path, log)
            }
        }
    }
}

/// Kustomizations see the checkout alone: its root is `/`, and links that lead out of it lead nowhere.
impl Tree for Checkout {
    fn resolve(&self, path: &str) -> Option<(String, Entry)> {
        let found = self.resolved(path);
        self.touch(path, if found.is_none() { Touch::Missing } else { Touch::Itself });
        if let Some((real, _)) = &found {
            self.touch(real, Touch::Itself);
        }
        found
    }

    fn read(&self, path: &str) -> Result<Cow<'_, [u8]>, String> {
        self.touch(path, Touch::Itself);
        if self.is_ignored(path) {
            return Err("no such file or directory".into());
        }
        match &self.files {
            Files::Disk(real) => {
                let full = self.locate(real, path)?;
                directory::read_file(full).map(Cow::Owned).map_err(|e| errno::text(&e))
            }
            Files::Commit(tree) => match tree.file(&Self::relative(path)?)? {
                Some(bytes) => Ok(Cow::Owned(bytes)),
                None if self.is_dir(path) => Err("is a directory".into()),
                None => Err("no such file or directory".into()),
            },
        }
    }

    fn list(&self, path: &str) -> Vec<(String, Entry)> {
        let names = Self::list(self, path).unwrap_or_default();
        let entry = |n: String| match n.strip_suffix('/') {
            Some(dir) => (dir.to_owned(), Entry::Directory),
            None => (n, Entry::File),
        };
        names.into_iter().map(entry).collect()
    }
}

impl Checkout {
    fn resolved(&self, path: &str) -> Option<(String, Entry)> {
        if self.is_ignored(path) {
            return None;
        }
        match &self.files {
            Files::Disk(root) => {
                let real = root.join(path.trim_start_matches('/')).canonicalize().ok()?;
                let inside = real.strip_prefix(root).ok()?.to_str()?;
                let entry = if real.is_dir() { Entry::Directory } else { Entry::File };
                Some((format!("/{inside}"), entry))
            }
            Files::Commit(tree) => {
                let (real, entry) = tree.find(&Self::relative(path).ok()?)?;
                Some((format!("/{real}"), entry))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_inside() {
        for (path, want) in [
            ("./k8s/helm-charts/web", Ok("k8s/helm-charts/web")),
            ("k8s//a/../b/", Ok("k8s/b")),
            ("/k8s", Ok("k8s")),
            ("../x", Err(())),
            ("a/../../x", Err(())),
        ] {
            assert_eq!(Checkout::relative(path).as_deref().map_err(|_| ()), want, "{path}");
        }
    }
}
