//! The directories that clusters apply, in a repository without a directory of environments: told from Flux's Kustomizations.
//!
//! A Kustomization that no other one's directory holds was put into its cluster by hand or by a bootstrap, and its own directory with it. One
//! that lies in the directory that it applies itself, as `flux bootstrap` leaves it, makes that directory the cluster's.

use std::collections::BTreeSet;

use memchr::memmem::Finder;

use super::diff::is_below;
use super::document;
use super::files::Checkout;

/// More files than this are not looked through.
const MOST_FILES: usize = 20_000;
/// Larger files hold no Kustomizations.
const LARGEST: usize = 1 << 20;
/// Directories in directories.
const DEEPEST: usize = 32;

/// A Kustomization: the directory that it lies in, and the one that it applies.
struct Applied {
    dir: String,
    path: String,
}

impl Applied {
    fn applies(&self, dir: &str) -> bool {
        is_below(dir, &self.path)
    }

    fn is_own(&self) -> bool {
        self.applies(&self.dir)
    }
}

/// The directories, in order; none within another.
pub(super) fn found(checkout: &Checkout) -> Vec<String> {
    let mut walk =
        Walk { checkout, finder: Finder::new("kustomize.toolkit.fluxcd.io/"), found: Vec::new(), left: MOST_FILES };
    walk.visit("", 0);
    let all = walk.found;
    let mut roots = BTreeSet::new();
    for one in &all {
        // A template, or another repository's.
        if !checkout.is_dir(&one.path) || all.iter().any(|k| !k.is_own() && k.applies(&one.dir)) {
            continue;
        }
        let own = all.iter().filter(|k| k.is_own() && k.applies(&one.dir)).map(|k| &k.path).min_by_key(|p| p.len());
        roots.insert(own.unwrap_or(&one.dir).clone());
    }
    // A root that is the whole repository, or a directory of it without a name of its own, can't be told from others.
    let inner = |root: &&String| root.contains('/');
    let top: Vec<String> = roots.iter().filter(inner).cloned().collect();
    top.iter().filter(|r| !top.iter().any(|other| other != *r && is_below(r, other))).cloned().collect()
}

struct Walk<'w> {
    checkout: &'w Checkout,
    finder: Finder<'static>,
    found: Vec<Applied>,
    left: usize,
}

impl Walk<'_> {
    fn visit(&mut self, dir: &str, depth: usize) {
        if depth > DEEPEST {
            return;
        }
        for name in self.checkout.list(dir).unwrap_or_default() {
            if name.starts_with('.') {
                continue;
            }
            let path = if dir.is_empty() { name.clone() } else { format!("{dir}/{name}") };
            if let Some(below) = path.strip_suffix('/') {
                self.visit(below, depth + 1);
                continue;
            }
            if !path.ends_with(".yaml") && !path.ends_with(".yml") {
                continue;
            }
            let Some(left) = self.left.checked_sub(1) else { return };
            self.left = left;
            if let Ok(text) = self.checkout.read(&path)
                && text.len() <= LARGEST
                && self.finder.find(&text).is_some()
            {
                self.file(dir, &text);
            }
        }
    }

    fn file(&mut self, dir: &str, text: &[u8]) {
        for document in document::parse(text).unwrap_or_default() {
            let root = &document.root;
            let says = |key: &str| root.get(key).and_then(|n| n.as_str()).unwrap_or_default();
            if says("kind") != "Kustomization" || !says("apiVersion").starts_with("kustomize.toolkit.fluxcd.io/") {
                continue;
            }
            let Some(spec) = root.get("spec").filter(|spec| spec.get("sourceRef").is_some()) else { continue };
            let path = spec.get("path").and_then(|n| n.as_str()).unwrap_or_default();
            // The root is a directory of every repository, mostly of another one.
            if let Some(path) = Checkout::relative(path).ok().filter(|path| !path.is_empty()) {
                self.found.push(Applied { dir: dir.to_owned(), path });
            }
        }
    }
}
