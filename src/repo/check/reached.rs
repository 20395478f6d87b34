//! Which kustomizations reach a file: those that name it, those that name these, and so on.

use std::collections::{BTreeMap, BTreeSet};

use super::scan::{Scan, join, parent};
use crate::repo::document::Node;
use crate::repo::files::Checkout;
use crate::repo::generated::NAMES;

/// Fields by which a kustomization may give an object fields that it was written without, or another name.
const CHANGES: [&str; 13] = [
    "patches",
    "patchesStrategicMerge",
    "patchesJson6902",
    "commonLabels",
    "labels",
    "components",
    "replacements",
    "transformers",
    "generators",
    "vars",
    "namePrefix",
    "nameSuffix",
    "namespace",
];

/// Whether a kustomization, or the spec of a Flux Kustomization, may change objects.
pub fn changes(root: &Node) -> bool {
    CHANGES.iter().any(|key| root.get(key).is_some_and(|n| !n.is_null()))
}

/// What names what.
pub struct Graph {
    /// A file or directory → the directories whose kustomizations name it.
    named_by: BTreeMap<String, BTreeSet<String>>,
    /// Directories with kustomizations: whether they change what they name.
    changing: BTreeMap<String, bool>,
}

impl Graph {
    pub fn read(scan: &Scan, checkout: &Checkout) -> Self {
        let mut graph = Self { named_by: BTreeMap::new(), changing: BTreeMap::new() };
        for file in scan.kustomizations() {
            let dir = parent(&file.path);
            for document in &file.documents {
                let lists = ["resources", "bases", "components"].iter().filter_map(|key| document.root.get(key));
                for name in lists.flat_map(Node::items).filter_map(Node::as_str) {
                    let path = join(dir, name);
                    // A directory that is named as a resource has a kustomization, or it is none.
                    let is_there = !checkout.is_dir(&path) || NAMES.iter().any(|n| checkout.is_file(&join(&path, n)));
                    if is_there {
                        graph.named_by.entry(path).or_default().insert(dir.to_owned());
                    }
                }
                *graph.changing.entry(dir.to_owned()).or_default() |= changes(&document.root);
            }
        }
        graph
    }

    /// The directories whose kustomizations reach a file.
    pub fn above(&self, file: &str) -> BTreeSet<String> {
        let mut above = BTreeSet::new();
        let mut waiting = vec![file];
        while let Some(at) = waiting.pop() {
            for dir in self.named_by.get(at).into_iter().flatten() {
                if above.insert(dir.clone()) {
                    waiting.push(dir);
                }
            }
        }
        above
    }

    pub fn changes(&self, above: &BTreeSet<String>) -> bool {
        above.iter().any(|dir| self.changing.get(dir).copied().unwrap_or_default())
    }

    /// Those that no other one names.
    pub fn outermost(&self, above: &BTreeSet<String>) -> impl Iterator<Item = String> {
        above.iter().filter(|dir| !self.named_by.contains_key(*dir)).cloned()
    }

    /// The directories of a Flux Kustomization's path, which may hold variables, with which it reaches a file: one whose kustomization does, or one
    /// without a kustomization in which all is built.
    pub fn applied(&self, file: &str, above: &BTreeSet<String>, path: &str) -> BTreeSet<String> {
        let parents = |path: &str| {
            std::iter::successors(Some(parent(path).to_owned()), |p| Some(parent(p).to_owned()))
                .take_while(|p| !p.is_empty())
                .collect::<Vec<_>>()
        };
        let whole = above.iter().flat_map(|dir| parents(dir)).chain(parents(file));
        let whole = whole.filter(|dir| !self.changing.contains_key(dir));
        let dirs: BTreeSet<String> = above.iter().cloned().chain(whole).filter(|dir| fits(path, dir)).collect();
        // A variable fits a base beside its overlays too: it means those that no other one of them names.
        let is_base = |dir: &&String| self.named_by.get(*dir).is_some_and(|by| by.iter().any(|b| dirs.contains(b)));
        dirs.iter().filter(|dir| !path.contains("${") || !is_base(dir)).cloned().collect()
    }
}

/// Whether a directory is one that a path with variables may mean.
fn fits(path: &str, dir: &str) -> bool {
    let part = |(want, is): (&str, &str)| match (want.find("${"), want.rfind('}')) {
        (Some(from), Some(to)) => {
            let (before, after) = (want.get(..from).unwrap_or_default(), want.get(to + 1..).unwrap_or_default());
            is.strip_prefix(before).is_some_and(|rest| rest.ends_with(after))
        }
        _ => want == is,
    };
    path.split('/').count() == dir.split('/').count() && path.split('/').zip(dir.split('/')).all(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_may_hold_variables() {
        for (path, dir, want) in [
            ("apps/x", "apps/x", true),
            ("apps/x", "apps/y", false),
            ("apps/${env}", "apps/x", true),
            ("apps/${env}/b-${a}${b}-c", "apps/x/b-y-c", true),
            ("apps/${env}/b-${a}-c", "apps/x/y-c", false),
            ("apps/${env}", "apps/x/y", false),
            ("apps/${", "apps/x", false),
        ] {
            assert_eq!(fits(path, dir), want, "{path} {dir}");
        }
    }
}
