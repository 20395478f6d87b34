//! Where files come from: a read-only tree, and kustomize's rules of which of its files a kustomization may read.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::error::{Error, Result};
use crate::golang::path;

/// What a path leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Entry {
    File,
    Directory,
}

/// A read-only tree of files. Paths are absolute and clean (`/app/kustomization.yaml`); a tree that is a part of a file system
/// may call its own root `/`.
pub trait Tree: Sync {
    /// What the path leads to, with symbolic links followed; `None` if nothing.
    fn resolve(&self, path: &str) -> Option<(String, Entry)>;

    /// A file's content. The error is the operating system's word for it, such as `no such file or directory`.
    fn read(&self, path: &str) -> std::result::Result<Cow<'_, [u8]>, String>;

    /// Names in a directory, in byte order.
    fn list(&self, path: &str) -> Vec<(String, Entry)>;
}

/// A tree in memory.
#[derive(Clone, Debug, Default)]
pub struct MemoryTree {
    files: BTreeMap<String, Vec<u8>>,
}

impl MemoryTree {
    /// Adds a file; the path may lack the leading `/`.
    pub fn insert(&mut self, path: &str, content: impl Into<Vec<u8>>) {
        self.files.insert(clean(&format!("/{path}")), content.into());
    }
}

impl Tree for MemoryTree {
    fn resolve(&self, path: &str) -> Option<(String, Entry)> {
        if self.files.contains_key(path) {
            return Some((path.to_owned(), Entry::File));
        }
        let inside = if path == "/" { "/".to_owned() } else { format!("{path}/") };
        let next = self.files.range(inside.clone()..).next();
        next.filter(|(file, _)| file.starts_with(&inside)).map(|_| (path.to_owned(), Entry::Directory))
    }

    fn read(&self, path: &str) -> std::result::Result<Cow<'_, [u8]>, String> {
        match self.files.get(path) {
            Some(content) => Ok(Cow::Borrowed(content)),
            None if self.resolve(path).is_some() => Err("is a directory".into()),
            None => Err("no such file or directory".into()),
        }
    }

    fn list(&self, path: &str) -> Vec<(String, Entry)> {
        let inside = if path == "/" { "/".to_owned() } else { format!("{path}/") };
        names(self.files.range(inside.clone()..).map_while(|(file, _)| file.strip_prefix(&inside)))
    }
}

/// The names in a directory, in byte order, by the paths of all files below it, which are sorted.
pub fn names<'p>(below: impl Iterator<Item = &'p str>) -> Vec<(String, Entry)> {
    let mut out: Vec<(String, Entry)> = Vec::new();
    for rest in below {
        let (name, entry) = match rest.split_once('/') {
            Some((dir, _)) => (dir, Entry::Directory),
            None => (rest, Entry::File),
        };
        if out.last().is_none_or(|(last, _)| last != name) {
            out.push((name.to_owned(), entry));
        }
    }
    // `a-b/x` comes before `a/x`, but `a` before `a-b`.
    out.sort();
    out
}

/// `filepath.Clean`
pub fn clean(p: &str) -> String {
    String::from_utf8(path::clean(p.as_bytes())).unwrap_or_default()
}

/// `filepath.Join`
pub fn join(dir: &str, file: &str) -> String {
    if dir.is_empty() {
        return if file.is_empty() { String::new() } else { clean(file) };
    }
    clean(&format!("{dir}/{file}"))
}

/// Directory and last part of a clean path.
fn split(p: &str) -> (&str, &str) {
    match p.rsplit_once('/') {
        Some(("", file)) => ("/", file),
        Some(parts) => parts,
        None => ("", p),
    }
}

/// `ConfirmedDir.HasPrefix`
fn is_within(dir: &str, outer: &str) -> bool {
    outer == "/" || dir == outer || dir.strip_prefix(outer).is_some_and(|rest| rest.starts_with('/'))
}

/// Which files a kustomization may load.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LoadRestrictions {
    /// Only files in or below its directory.
    #[default]
    RootOnly,
    None,
}

/// One kustomization's door to the tree.
#[derive(Clone)]
pub struct Loader<'t> {
    pub tree: &'t dyn Tree,
    pub root: String,
    restrictions: LoadRestrictions,
    /// Roots of the kustomizations that led here, the nearest last.
    referrers: Vec<String>,
}

/// Kustomizations inside each other.
const MAX_NESTING: usize = 200;

impl<'t> Loader<'t> {
    /// At the directory that is built.
    pub fn at_target(tree: &'t dyn Tree, dir: &str, restrictions: LoadRestrictions) -> Result<Self> {
        if is_repository(dir) {
            return Err(remote(dir));
        }
        let root = confirm_dir(tree, dir)?;
        Ok(Self { tree, root, restrictions, referrers: Vec::new() })
    }

    /// At another directory that this kustomization names.
    pub fn at(&self, dir: &str) -> Result<Self> {
        if dir.is_empty() {
            return Err("new root cannot be empty".into());
        }
        if is_repository(dir) {
            return Err(remote(dir));
        }
        if dir.starts_with('/') {
            return Err(Error::new(format!("new root '{dir}' cannot be absolute")));
        }
        let root = confirm_dir(self.tree, &join(&self.root, dir))?;
        for visited in std::iter::once(&self.root).chain(self.referrers.iter().rev()) {
            if is_within(visited, &root) {
                return Err(Error::new(format!(
                    "cycle detected: candidate root '{root}' contains visited root '{visited}'"
                )));
            }
        }
        let mut referrers = self.referrers.clone();
        referrers.push(self.root.clone());
        if referrers.len() > MAX_NESTING {
            return Err(Error::new(format!("kustomizations are nested too deeply at '{root}'")));
        }
        Ok(Self { tree: self.tree, root, restrictions: self.restrictions, referrers })
    }

    /// The absolute path of a file that this kustomization names.
    pub fn path(&self, file: &str) -> String {
        if file.starts_with('/') { file.to_owned() } else { join(&self.root, file) }
    }

    /// True if there is something at this path.
    pub fn has(&self, path: &str) -> bool {
        self.tree.resolve(&self.path(path)).is_some()
    }

    /// A file's content.
    pub fn load(&self, file: &str) -> Result<Cow<'t, [u8]>> {
        if is_remote_file(file) {
            return Err(remote(file));
        }
        let path = self.path(file);
        let at = |e: Error| e.at(&path, 0);
        let place = match self.restrictions {
            LoadRestrictions::None => path.clone(),
            LoadRestrictions::RootOnly => {
                let (real, entry) = cleaned(self.tree, &path).map_err(at)?;
                if entry == Entry::Directory {
                    return Err(Error::new(format!("'{path}' must resolve to a file")));
                }
                if !is_within(split(&real).0, &self.root) {
                    let root = &self.root;
                    return Err(Error::new(format!("security; file '{path}' is not in or below '{root}'")));
                }
                real
            }
        };
        self.tree.read(&place).map_err(|e| {
            let verb = if e == "is a directory" { "read" } else { "open" };
            at(Error::new(format!("{verb} {place}: {e}")))
        })
    }
}

/// `FileSystem.CleanedAbs`
fn cleaned(tree: &dyn Tree, path: &str) -> Result<(String, Entry)> {
    tree.resolve(path).ok_or_else(|| {
        // The first part that is not there.
        let mut missing = path;
        while let Some((parent, _)) = missing.rsplit_once('/') {
            if parent.is_empty() || matches!(tree.resolve(parent), Some((_, Entry::Directory))) {
                break;
            }
            missing = parent;
        }
        let blocked = missing.rsplit_once('/').is_some_and(|(p, _)| matches!(tree.resolve(p), Some((_, Entry::File))));
        let reason = if blocked { "not a directory" } else { "no such file or directory" };
        Error::new(format!("evalsymlink failure on '{path}' : lstat {missing}: {reason}"))
    })
}

fn confirm_dir(tree: &dyn Tree, path: &str) -> Result<String> {
    let wrap = |e: Error| e.wrap("must build at directory");
    match cleaned(tree, path) {
        Ok((root, Entry::Directory)) => Ok(root),
        Ok((_, Entry::File)) => Err(wrap(Error::new(format!("'{path}': file is not directory")))),
        Err(e) => Err(wrap(e.wrap("not a valid directory"))),
    }
}

/// The error for a target that kustomize would clone.
pub fn remote_target(path: &str) -> Option<Error> {
    is_repository(path).then(|| remote(path))
}

/// The error for an entry that kustomize would download or clone.
pub fn refused(path: &str) -> Option<Error> {
    (is_remote_file(path) || is_repository(path)).then(|| remote(path))
}

fn remote(path: &str) -> Error {
    let text = format!(
        "'{path}' is remote, and remote resources are not fetched while building; keep a copy in the repository and name its path"
    );
    Error { unsupported: true, ..Error::new(text) }
}

fn is_remote_file(path: &str) -> bool {
    let lower = path.get(..8.min(path.len())).unwrap_or_default().to_ascii_lowercase();
    lower.starts_with("http://") || lower.starts_with("https://")
}

/// True if kustomize would clone this (`git.NewRepoSpecFromURL`).
fn is_repository(path: &str) -> bool {
    if path.starts_with('/') {
        return false;
    }
    let url = path.split('?').next().unwrap_or_default();
    let url = strip_prefix_ignore_case(url, "git::").unwrap_or(url);
    let schemes = ["ssh://", "https://", "http://", "file://"];
    let scheme = schemes.iter().find_map(|s| strip_prefix_ignore_case(url, s).map(|rest| (*s, rest)));
    let (scheme, rest) = scheme.unwrap_or(("", url));
    let user = rest.split_once('@').filter(|(user, _)| {
        user.starts_with(|c: char| c.is_ascii_alphabetic())
            && user.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    });
    let rest = user.map_or(rest, |(_, rest)| rest);
    let lower = rest.to_ascii_lowercase();
    let github = lower.starts_with("github.com/") || lower.starts_with("github.com:");
    let scp = scheme.is_empty() && (user.is_some() || github);
    if scheme.is_empty() && !scp {
        return false;
    }
    let whole = scheme == "file://";
    let repo = if whole {
        rest
    } else {
        let slash = rest.find('/');
        let colon = rest.find(':').filter(|c| scp && *c > 0);
        let at = match (slash, colon) {
            (Some(s), Some(c)) => Some(s.min(c)),
            (None, c) if scp => c,
            (s, _) => s,
        };
        let Some(at) = at else { return false };
        &rest[at + 1..]
    };
    let (repo, inner) = if let Some(i) = repo.find("_git/") {
        let after = &repo[i + 5..];
        let end = after.find('/').unwrap_or(after.len());
        (&repo[..i + 5 + end], after.get(end + 1..).unwrap_or_default())
    } else if let Some(i) = repo.find("//") {
        (&repo[..i], &repo[i + 2..])
    } else if let Some(i) = repo.find(".git") {
        (&repo[..i + 4], &repo[i + 4..])
    } else if whole {
        (repo, "")
    } else {
        let mut slashes = repo.match_indices('/').map(|(i, _)| i);
        if slashes.next().is_none() {
            return false;
        }
        match slashes.next() {
            Some(i) => (&repo[..i], &repo[i + 1..]),
            None => (repo, ""),
        }
    };
    let inner = clean(inner.strip_prefix('/').unwrap_or(inner));
    !repo.is_empty() && inner != ".." && !inner.starts_with("../")
}

fn strip_prefix_ignore_case<'s>(s: &'s str, prefix: &str) -> Option<&'s str> {
    s.get(..prefix.len()).filter(|head| head.eq_ignore_ascii_case(prefix)).map(|_| &s[prefix.len()..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_in_byte_order() {
        let mut tree = MemoryTree::default();
        for path in ["a-b/x", "a/x", "a/y", "a.yaml"] {
            tree.insert(path, "");
        }
        let names: Vec<String> = tree.list("/").into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["a", "a-b", "a.yaml"]);
    }

    #[test]
    fn repositories_are_told_from_paths() {
        for (path, want) in [
            ("../base", false),
            ("app/web", false),
            ("a.yaml", false),
            ("github.com/org/repo", true),
            ("github.com/org/repo//path?ref=v1", true),
            ("https://github.com/org/repo", true),
            ("https://example.com/org", false),
            ("git@github.com:org/repo.git", true),
            ("ssh://git@host/org/repo", true),
            ("git::https://host/org/repo", true),
            ("/abs/path", false),
        ] {
            assert_eq!(is_repository(path), want, "{path}");
        }
    }
}
