//! What builds a file of the repository: Flux Kustomizations, and kustomizations that no other one names.

use std::collections::{BTreeMap, BTreeSet};

use super::environments::Built;
use super::scan::{Scan, join, parent, text};
use crate::kustomize::flux::Overlay;
use crate::kustomize::{Build, LoadRestrictions, Options, build};
use crate::repo::document::{self, Node};
use crate::repo::files::Checkout;
use crate::repo::generated::NAMES;

/// Fields by which a kustomization may give an object fields that it was written without.
const CHANGES: [&str; 10] = [
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
];

fn changes(root: &Node) -> bool {
    CHANGES.iter().any(|key| root.get(key).is_some_and(|n| !n.is_null()))
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Maker {
    /// By its position.
    Flux(usize),
    /// The kustomization in a directory.
    Directory(String),
}

/// What builds one file.
pub struct Reach {
    pub makers: Vec<Maker>,
    /// Something on the way may change the file's objects.
    pub changes: bool,
}

/// A Flux Kustomization.
struct Flux {
    dir: String,
    text: Vec<u8>,
    changes: bool,
    /// Its directory has no kustomization: everything below is built.
    whole: bool,
}

/// All that builds something.
pub struct Makers {
    /// A file or directory → the directories whose kustomizations name it.
    named_by: BTreeMap<String, BTreeSet<String>>,
    /// Directories whose kustomizations change what they name.
    changing: BTreeSet<String>,
    flux: Vec<Flux>,
}

impl Makers {
    pub fn read(scan: &Scan, checkout: &Checkout, builts: &[Built]) -> Self {
        let mut makers = Self { named_by: BTreeMap::new(), changing: BTreeSet::new(), flux: Vec::new() };
        for file in scan.kustomizations() {
            let dir = parent(&file.path);
            for document in &file.documents {
                let lists = ["resources", "bases", "components"].iter().filter_map(|key| document.root.get(key));
                for name in lists.flat_map(Node::items).filter_map(Node::as_str) {
                    makers.named_by.entry(join(dir, name)).or_default().insert(dir.to_owned());
                }
                if changes(&document.root) {
                    makers.changing.insert(dir.to_owned());
                }
            }
        }
        // As an environment has them: a cluster may patch its Kustomizations.
        let mut known = BTreeSet::new();
        for object in builts.iter().flat_map(|b| &b.environment.built) {
            if object.kind == "Kustomization" && object.api_version.starts_with("kustomize.toolkit.fluxcd.io/") {
                let written = scan.object(&object.place.path, object.place.line);
                known.insert((object.place.path.clone(), written.map_or(object.place.line, Node::line)));
                let document = document::parse(object.text.as_bytes()).ok().and_then(|mut d| d.pop());
                if let Some(document) = document {
                    makers.add(checkout, &document.root, object.text.as_bytes());
                }
            }
        }
        for file in scan.files.values() {
            for document in &file.documents {
                if !known.contains(&(file.path.clone(), document.root.line())) {
                    makers.add(checkout, &document.root, &document.text);
                }
            }
        }
        makers
    }

    /// Adds a Flux Kustomization whose directory is here.
    fn add(&mut self, checkout: &Checkout, root: &Node, of: &[u8]) {
        let is_flux = text(root, "apiVersion").starts_with("kustomize.toolkit.fluxcd.io/");
        let Some(spec) = root.get("spec").filter(|_| is_flux && text(root, "kind") == "Kustomization") else { return };
        // The root is a directory of every repository, mostly of another one.
        let dir = Checkout::relative(text(spec, "path")).ok().filter(|dir| !dir.is_empty() && checkout.is_dir(dir));
        if let Some(dir) = dir {
            let whole = !NAMES.iter().any(|n| checkout.is_file(&join(&dir, n)));
            self.flux.push(Flux { dir, text: of.to_vec(), changes: changes(spec), whole });
        }
    }

    /// What builds a file.
    pub fn of(&self, file: &str) -> Reach {
        let mut reached = BTreeSet::new();
        let mut top = BTreeSet::new();
        let mut waiting = vec![file];
        while let Some(at) = waiting.pop() {
            let above = self.named_by.get(at);
            for dir in above.into_iter().flatten() {
                if reached.insert(dir.as_str()) {
                    waiting.push(dir);
                }
            }
            if above.is_none() && at != file {
                top.insert(at.to_owned());
            }
        }
        let applies = |flux: &Flux| {
            let below = |path: &str| path.strip_prefix(&flux.dir).is_some_and(|rest| rest.starts_with('/'));
            reached.contains(flux.dir.as_str()) || flux.whole && (below(file) || reached.iter().any(|dir| below(dir)))
        };
        let flux: Vec<(usize, &Flux)> = self.flux.iter().enumerate().filter(|(_, flux)| applies(flux)).collect();
        let changes = flux.iter().any(|(_, flux)| flux.changes) || reached.iter().any(|d| self.changing.contains(*d));
        let makers = if flux.is_empty() {
            top.into_iter().map(Maker::Directory).collect()
        } else {
            flux.into_iter().map(|(i, _)| Maker::Flux(i)).collect()
        };
        Reach { makers, changes }
    }

    /// Builds; nothing if it fails.
    pub fn build(&self, checkout: &Checkout, maker: &Maker) -> Option<Build> {
        match maker {
            Maker::Flux(i) => {
                let flux = self.flux.get(*i)?;
                let overlay = Overlay::parse(&flux.text).ok()?;
                overlay.build(checkout, &format!("/{}", flux.dir)).ok()
            }
            Maker::Directory(dir) => {
                let options = Options { load_restrictions: LoadRestrictions::None, ..Options::default() };
                build(checkout, &format!("/{dir}"), &options).ok()
            }
        }
    }
}
