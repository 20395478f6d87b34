//! Which files hold objects whose names kustomizations change: `namespace` renames Namespaces, prefixes and suffixes rename all.
//!
//! A name that is replaced may be any placeholder (`name: _`), so it is not judged as it lies there.

use std::collections::{BTreeMap, BTreeSet};

use super::scan::{Scan, join, parent, text};
use crate::golang::path::confined;
use crate::repo::document::Node;
use crate::repo::flux_kustomization;
use crate::repo::generated::NAMES;

/// What happens to names.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Change {
    namespaces: bool,
    all: bool,
}

/// Files whose objects are renamed.
#[derive(Default)]
pub struct Renamed {
    files: BTreeMap<String, Change>,
}

impl Renamed {
    pub fn read(scan: &Scan) -> Self {
        let mut renamed = Self::default();
        for file in scan.kustomizations() {
            for document in &file.documents {
                let change = change(&document.root, "namespace");
                renamed.mark(scan, parent(&file.path), change);
            }
        }
        for (_, node) in scan.objects() {
            let is_flux = text(node, "apiVersion").starts_with(flux_kustomization::API);
            let Some(spec) = node.get("spec").filter(|_| is_flux && text(node, "kind") == "Kustomization") else {
                continue;
            };
            let path = confined(text(spec, "path"));
            // A source that is not this repository has no business here, and a root is too much to be meant.
            if !path.is_empty() {
                renamed.mark(scan, &path, change(spec, "targetNamespace"));
            }
        }
        renamed
    }

    /// True if the names of a file's objects of a kind are not what they come to.
    pub fn holds(&self, path: &str, kind: &str) -> bool {
        self.files.get(path).is_some_and(|c| c.all || c.namespaces && kind == "Namespace")
    }

    /// Marks what a directory's kustomization comes to: what it names, or everything below where there is none.
    fn mark(&mut self, scan: &Scan, dir: &str, change: Change) {
        if change == Change::default() {
            return;
        }
        let mut seen = BTreeSet::new();
        let mut waiting = vec![dir.to_owned()];
        while let Some(dir) = waiting.pop() {
            if !seen.insert(dir.clone()) {
                continue;
            }
            let file = NAMES.iter().find_map(|n| scan.files.get(&join(&dir, n)));
            let Some(file) = file else {
                for path in scan.below(&dir) {
                    self.add(path, change);
                }
                continue;
            };
            for document in &file.documents {
                for name in ["resources", "bases", "components"]
                    .iter()
                    .flat_map(|key| document.root.get(key).map_or(&[][..], Node::items))
                    .filter_map(Node::as_str)
                {
                    let path = join(&dir, name);
                    if scan.files.contains_key(&path) {
                        self.add(&path, change);
                    } else if scan.below(&path).next().is_some() {
                        waiting.push(path);
                    }
                }
            }
        }
    }

    fn add(&mut self, path: &str, change: Change) {
        let known = self.files.entry(path.to_owned()).or_default();
        known.all |= change.all;
        known.namespaces |= change.namespaces;
    }
}

fn change(n: &Node, namespace: &str) -> Change {
    let set = |key: &str| !text(n, key).is_empty();
    Change { namespaces: set(namespace), all: set("namePrefix") || set("nameSuffix") }
}
