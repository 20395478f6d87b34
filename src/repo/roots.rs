//! The directories that clusters apply, in a repository without a directory of environments: told from Flux's Kustomizations.
//!
//! A Kustomization that no other one's directory holds was put into its cluster by hand or by a bootstrap, and its own directory with it. One
//! that lies in the directory that it applies itself, as `flux bootstrap` leaves it, makes that directory the cluster's; so does a `FluxInstance`
//! with the directory that it synchronizes.
//!
//! A directory of environments may hold directories of them in turn (`clusters/prod/{blue,green,base}`): see [`environments`].

use std::collections::BTreeSet;

use memchr::memmem::Finder;

use super::diff::is_below;
use super::document;
use super::files::Checkout;
use super::{flux_kustomization, generated};
use crate::golang::path::confined;

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
    let all = Walk::below(checkout, "");
    let mut roots = BTreeSet::new();
    for one in &all {
        // A template, or another repository's.
        if !checkout.is_dir(&one.path) || all.iter().any(|k| !k.is_own() && k.applies(&one.dir)) {
            continue;
        }
        let own = all.iter().filter(|k| k.is_own() && k.applies(&one.dir)).map(|k| &k.path).min_by_key(|p| p.len());
        roots.insert(own.unwrap_or(&one.dir).clone());
    }
    if roots.contains("") {
        return vec!["./".into()];
    }
    // A directory of the repository without a name of its own can't be told from others.
    let inner = |root: &&String| root.contains('/');
    let top: Vec<String> = roots.iter().filter(inner).cloned().collect();
    top.iter().filter(|r| !top.iter().any(|other| other != *r && is_below(r, other))).cloned().collect()
}

/// The environments among the directories that lie in a directory of environments, by their names, or by their paths where they lie deeper.
///
/// A directory without kustomization and manifests of its own may hold several: if Flux says so, or if its directories take the same base, or
/// one another: they could not be built together. A base that lies beside those that take it is none.
pub(super) fn environments(checkout: &Checkout, root: &str, names: Vec<String>) -> Vec<String> {
    let path = |name: &String| format!("{root}/{name}");
    let all: Vec<String> = names.iter().map(path).collect();
    let without_bases = without_bases(checkout, &all);
    let mut out = Vec::new();
    for name in names.iter().filter(|name| without_bases.contains(&path(name))) {
        match members(checkout, &path(name)) {
            members if members.is_empty() => out.push(name.clone()),
            members => out.extend(members),
        }
    }
    out
}

/// The environments that a directory holds; none if it is one itself.
pub(super) fn members(checkout: &Checkout, dir: &str) -> Vec<String> {
    let entries = checkout.list(dir).unwrap_or_default();
    let is_manifest = |name: &String| name.ends_with(".yaml") || name.ends_with(".yml") || name == "Kustomization";
    if entries.iter().any(|name| !name.starts_with('.') && is_manifest(name)) {
        return Vec::new();
    }
    let all = Walk::below(checkout, dir);
    let own: BTreeSet<String> = all.iter().filter(|k| k.is_own()).map(|k| k.path.clone()).collect();
    if own.iter().any(|path| is_below(dir, path)) {
        return Vec::new();
    }
    let own: Vec<String> = own.into_iter().filter(|path| is_below(path, dir)).collect();
    if !own.is_empty() {
        return own;
    }
    if let Some(only) = launcher(&all, dir) {
        return vec![only];
    }
    let below = entries.iter().filter_map(|name| name.strip_suffix('/')).filter(|name| !name.starts_with('.'));
    let built: Vec<String> = below.map(|name| format!("{dir}/{name}")).collect();
    let built: Vec<String> = built.into_iter().filter(|dir| kustomization(checkout, dir).is_some()).collect();
    let mut seen = BTreeSet::new();
    let bases = built.iter().flat_map(|dir| bases(checkout, dir));
    let mut shared = bases.filter(|base| built.contains(base) || !seen.insert(base.clone()));
    if shared.next().is_some() { without_bases(checkout, &built) } else { Vec::new() }
}

/// The one directory below whose Kustomizations apply those beside it: Flux was told of it, since with the others all would be built twice.
fn launcher(all: &[Applied], dir: &str) -> Option<String> {
    let first = all.iter().filter(|one| !all.iter().any(|k| k.applies(&one.dir)));
    let dirs: BTreeSet<&String> = first.map(|one| &one.dir).collect();
    let only = dirs.first().filter(|_| dirs.len() == 1)?;
    let is_beside = |path: &String| path != dir && is_below(path, dir) && !is_below(path, only);
    (*only != dir && all.iter().any(|k| k.dir == **only && is_beside(&k.path))).then(|| (*only).clone())
}

/// Directories that lie side by side, but for a base of others of them.
fn without_bases(checkout: &Checkout, dirs: &[String]) -> Vec<String> {
    let is_base = |dir: &&String| {
        matches!(dir.rsplit('/').next(), Some("base" | "bases" | "_base" | "_bases"))
            && dirs.iter().any(|other| bases(checkout, other).contains(*dir))
    };
    dirs.iter().filter(|dir| !is_base(dir)).cloned().collect()
}

/// The directories that a directory's kustomization names.
fn bases(checkout: &Checkout, dir: &str) -> BTreeSet<String> {
    let Some(root) = kustomization(checkout, dir) else { return BTreeSet::new() };
    let named = ["resources", "bases"].into_iter().filter_map(|field| root.get(field)).flat_map(|list| list.items());
    let paths = named.filter_map(|n| Checkout::relative(&format!("{dir}/{}", n.as_str()?)).ok());
    paths.filter(|path| checkout.is_dir(path)).collect()
}

/// The kustomization of a directory.
fn kustomization(checkout: &Checkout, dir: &str) -> Option<document::Node> {
    let path = generated::kustomization(checkout, &format!("/{dir}"))?;
    let text = checkout.read(path.trim_start_matches('/')).ok()?;
    Some(document::parse(&text).ok()?.pop()?.root)
}

struct Walk<'w> {
    checkout: &'w Checkout,
    kustomization: Finder<'static>,
    instance: Finder<'static>,
    found: Vec<Applied>,
    left: usize,
}

impl Walk<'_> {
    fn below(checkout: &Checkout, dir: &str) -> Vec<Applied> {
        let mut walk = Walk {
            checkout,
            kustomization: Finder::new(flux_kustomization::API),
            instance: Finder::new("fluxcd.controlplane.io/"),
            found: Vec::new(),
            left: MOST_FILES,
        };
        walk.visit(dir, 0);
        walk.found
    }

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
                && [&self.kustomization, &self.instance].iter().any(|finder| finder.find(&text).is_some())
            {
                self.file(dir, &text);
            }
        }
    }

    fn file(&mut self, dir: &str, text: &[u8]) {
        let documents = document::parse(text).unwrap_or_default();
        let is_source = |root: &document::Node, name: Option<&str>| {
            let says = |keys: &[&str]| document::at(root, keys).and_then(|n| n.as_str());
            says(&["kind"]) == Some("GitRepository") && name.is_some() && says(&["metadata", "name"]) == name
        };
        for document in &documents {
            let root = &document.root;
            let says = |key: &str| root.get(key).and_then(|n| n.as_str()).unwrap_or_default();
            if says("kind") == "FluxInstance" && says("apiVersion").starts_with("fluxcd.controlplane.io/") {
                let path =
                    ["spec", "sync", "path"].iter().try_fold(root, |n, step| n.get(step)).and_then(|n| n.as_str());
                let path = path.map(confined).filter(|path| !path.is_empty());
                self.found.extend(path.map(|path| Applied { dir: path.clone(), path }));
                continue;
            }
            if says("kind") != "Kustomization" || !says("apiVersion").starts_with(flux_kustomization::API) {
                continue;
            }
            let Some(spec) = root.get("spec").filter(|spec| spec.get("sourceRef").is_some()) else { continue };
            let path = spec.get("path").and_then(|n| n.as_str()).unwrap_or_default();
            let path = confined(path);
            // The root is a directory of every repository, mostly of another one: of this one where `flux bootstrap` has written both.
            let source = document::at(spec, &["sourceRef", "name"]).and_then(|n| n.as_str());
            if !path.is_empty() || dir == "flux-system" && documents.iter().any(|d| is_source(&d.root, source)) {
                self.found.push(Applied { dir: dir.to_owned(), path });
            }
        }
    }
}
