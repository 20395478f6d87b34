//! The Flux Kustomization that lies in the directory that it applies, as `flux bootstrap` leaves it.
//!
//! Once it is in the cluster, its directory is built as any other: with its patches, components, variables. They change the Kustomization too,
//! which is one of the directory's objects, and the next build goes by what came of it, until nothing changes any more.

use crate::golang::path::confined;
use crate::kustomize::{self, Build, flux};

use super::document;
use super::flux_kustomization::{self, FluxKustomization};
use super::open::Opening;
use super::problem::Place;

/// What is not the same after so many builds never will be.
const MOST_BUILDS: usize = 8;

/// A Kustomization of the environment's own directory, and its text.
struct Own(FluxKustomization, String);

/// The Kustomizations among a build's objects that apply a directory.
fn of(build: &Build, dir: &str) -> Vec<Own> {
    let mut out = Vec::new();
    for o in &build.objects {
        if o.kind != "Kustomization" || !o.api_version.starts_with(flux_kustomization::API) {
            continue;
        }
        let Some(document) = document::parse(o.text.as_bytes()).ok().and_then(|mut d| d.pop()) else { continue };
        let place =
            Place { path: o.source.file.trim_start_matches('/').to_owned(), line: (o.source.line as usize).max(1) };
        let namespace = Some(o.namespace.clone()).filter(|n| !n.is_empty());
        // What is wrong with it is told where it is followed.
        let read = FluxKustomization::read(&document.root, &document.text, place, &o.name, namespace, &mut Vec::new());
        let is_own = |k: &FluxKustomization| confined(&k.path) == dir;
        out.extend(read.filter(is_own).map(|k| Own(k, o.text.clone())));
    }
    out
}

impl Opening<'_> {
    /// Takes over what the environment's own directory comes to: as it is built plainly, or by the fields of the one Kustomization in it that
    /// applies it. Where that fails the plain objects stay, and following the Kustomization tells why.
    pub(super) fn take_own(&mut self, tree: &dyn kustomize::Tree, plain: kustomize::Result<Build>, root: &str) {
        let found = plain.as_ref().map_or_else(|_| Vec::new(), |build| of(build, &self.env.dir));
        let own = <[Own; 1]>::try_from(found).ok().filter(|[Own(k, _)]| !k.plain);
        let changed = own.and_then(|[own]| self.changed(tree, own, root));
        let before = (self.env.problems.len(), self.env.warnings.len());
        self.take(plain, root, None, String::new());
        let Some((k, changed)) = changed else { return };
        self.own = Some(k.id());
        // Its variables may lie in what it applies, or in what that applies.
        if k.substitute_from.iter().any(|f| self.env.find(&f.kind, &f.name, k.namespace.as_deref()).is_none()) {
            self.follow();
        }
        let Some((variables, secret)) = self.variables(&k) else {
            self.env.unchanged = true;
            return;
        };
        self.forget(before);
        let substitution = flux::Substitution { variables, secret, always: k.always, ..flux::Substitution::default() };
        self.take(Ok(changed), root, Some((&k, substitution)), String::new());
    }

    /// The Kustomization as its own fields leave it, and what they make of the directory.
    fn changed(&mut self, tree: &dyn kustomize::Tree, own: Own, root: &str) -> Option<(FluxKustomization, Build)> {
        let Own(mut k, mut text) = own;
        for _ in 0..MOST_BUILDS {
            let build = match self.decrypting(tree, |tree| k.overlay.build(tree, root)) {
                Ok(build) => build,
                Err(e) => {
                    self.problem(k.place.clone(), format!("Kustomization {}: {}", k.name, e.message));
                    return None;
                }
            };
            let next = of(&build, &self.env.dir).into_iter().find(|Own(next, _)| next.id() == k.id());
            match next.filter(|Own(_, next)| *next != text) {
                Some(Own(next, its)) => (k, text) = (next, its),
                None => return Some((k, build)),
            }
        }
        None
    }
}
