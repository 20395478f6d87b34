//! A directory without a kustomization, as Flux builds it: one is made that names everything below.
//!
//! Source: fluxcd/pkg `kustomize/kustomize_generator.go`: files in lexical order, directories with a kustomization of their own by name, the
//! rest walked into.

use std::borrow::Cow;

use crate::kustomize::{Entry, Tree};

/// The names that kustomize looks for, in its order.
pub const NAMES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// How deep directories are walked into.
const MAX_DEPTH: usize = 64;

/// A tree with one more file: the kustomization that a directory lacks.
pub struct Generated<'t> {
    tree: &'t dyn Tree,
    path: String,
    text: String,
}

/// The text of a kustomization that names resources and does nothing else.
fn listing<'r>(resources: impl IntoIterator<Item = &'r String>) -> String {
    let mut text = String::from("apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n");
    for r in resources {
        // JSON strings are YAML too.
        text.push_str(&format!("- {}\n", serde_json::Value::from(r.as_str())));
    }
    text
}

/// The kustomization file of a directory, if it has one.
pub fn kustomization(tree: &dyn Tree, dir: &str) -> Option<String> {
    let paths = NAMES.iter().map(|name| format!("{}/{name}", dir.trim_end_matches('/')));
    paths.into_iter().find(|path| matches!(tree.resolve(path), Some((_, Entry::File))))
}

impl<'t> Generated<'t> {
    pub fn new(tree: &'t dyn Tree, dir: &str) -> Self {
        Self::of(tree, dir, &Self::resources(tree, dir))
    }

    /// What the kustomization of a directory without one would name.
    pub fn resources(tree: &dyn Tree, dir: &str) -> Vec<String> {
        let mut resources = Vec::new();
        walk(tree, dir, "", &mut resources, 0);
        resources
    }

    /// A tree in which the kustomization of a directory names these resources, whatever it names otherwise.
    pub fn of<'r>(tree: &'t dyn Tree, dir: &str, resources: impl IntoIterator<Item = &'r String>) -> Self {
        let path = kustomization(tree, dir).unwrap_or_else(|| format!("{}/{}", dir.trim_end_matches('/'), NAMES[0]));
        Self { tree, path, text: listing(resources) }
    }
}

fn walk(tree: &dyn Tree, root: &str, below: &str, out: &mut Vec<String>, depth: usize) {
    if depth > MAX_DEPTH {
        return;
    }
    for (name, entry) in tree.list(&format!("{root}{below}")) {
        let path = format!("{below}/{name}");
        match entry {
            _ if name.starts_with('.') => {}
            Entry::File if name.ends_with(".yaml") || name.ends_with(".yml") => out.push(format!(".{path}")),
            Entry::File => {}
            Entry::Directory if kustomization(tree, &format!("{root}{path}")).is_some() => out.push(format!(".{path}")),
            Entry::Directory => walk(tree, root, &path, out, depth + 1),
        }
    }
}

impl Tree for Generated<'_> {
    fn resolve(&self, path: &str) -> Option<(String, Entry)> {
        if path == self.path {
            return Some((path.to_owned(), Entry::File));
        }
        self.tree.resolve(path)
    }

    fn read(&self, path: &str) -> Result<Cow<'_, [u8]>, String> {
        if path == self.path { Ok(Cow::Borrowed(self.text.as_bytes())) } else { self.tree.read(path) }
    }

    fn list(&self, path: &str) -> Vec<(String, Entry)> {
        self.tree.list(path)
    }
}
