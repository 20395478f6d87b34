//! Files of a checkout, never outside it.

use std::borrow::Cow;
use std::path::{Component, Path, PathBuf};

use crate::golang::errno;
use crate::kustomize::{Entry, Tree};

/// The root of a checkout.
#[derive(Clone, Debug)]
pub struct Checkout {
    root: PathBuf,
}

impl Checkout {
    /// # Errors
    /// The path is not a directory.
    pub fn new(root: &Path) -> Result<Self, String> {
        if root.is_dir() {
            return Ok(Self { root: root.to_path_buf() });
        }
        Err(format!("{}: not a directory: give the root of a deployment repository", root.display()))
    }

    pub fn root(&self) -> &Path {
        &self.root
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
    pub fn locate(&self, path: &str) -> Result<PathBuf, String> {
        let full = self.root.join(Self::relative(path)?);
        let (Ok(real), Ok(root)) = (full.canonicalize(), self.root.canonicalize()) else { return Ok(full) };
        if real.starts_with(&root) {
            Ok(full)
        } else {
            Err(format!("{path} is a link that leads out of the repository"))
        }
    }

    /// # Errors
    /// `PATH: no such file or directory` and the like.
    pub fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        let full = self.locate(path)?;
        crate::chart::directory::read_file(full).map_err(|e| match e.kind() {
            std::io::ErrorKind::NotFound => format!("{path}: no such file in the repository"),
            _ => format!("{path}: {e}"),
        })
    }

    /// Names in a directory, sorted; directories end with `/`.
    pub fn list(&self, path: &str) -> Result<Vec<String>, String> {
        let full = self.locate(path)?;
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&full).map_err(|e| format!("{path}: {e}"))? {
            let entry = entry.map_err(|e| format!("{path}: {e}"))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            names.push(if entry.path().is_dir() { format!("{name}/") } else { name });
        }
        names.sort();
        Ok(names)
    }

    pub fn is_file(&self, path: &str) -> bool {
        self.locate(path).is_ok_and(|p| p.is_file())
    }

    pub fn is_dir(&self, path: &str) -> bool {
        self.locate(path).is_ok_and(|p| p.is_dir())
    }
}

/// Kustomizations see the checkout alone: its root is `/`, and links that lead out of it lead nowhere.
impl Tree for Checkout {
    fn resolve(&self, path: &str) -> Option<(String, Entry)> {
        let root = self.root.canonicalize().ok()?;
        let real = root.join(path.trim_start_matches('/')).canonicalize().ok()?;
        let inside = real.strip_prefix(&root).ok()?.to_str()?;
        let entry = if real.is_dir() { Entry::Directory } else { Entry::File };
        Some((format!("/{inside}"), entry))
    }

    fn read(&self, path: &str) -> Result<Cow<'_, [u8]>, String> {
        let full = self.locate(path)?;
        crate::chart::directory::read_file(full).map(Cow::Owned).map_err(|e| errno::text(&e))
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
