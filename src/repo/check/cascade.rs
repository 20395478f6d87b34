//! What an environment lacks because a part of it could not be built: the cause is told, not each thing that is missing for it.

use super::scan::{Scan, at, text};
use super::suggest::nearest;
use crate::repo::Environment;
use crate::repo::document::Node;
use crate::repo::made::may_make;
use crate::repo::problem::{Cause, Name, Problem};

/// Whether parts of an environment are missing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lack {
    /// Its kustomization, or that of a Flux Kustomization in it, does not build.
    failed: bool,
    /// A Flux Kustomization applies what is not in this checkout.
    elsewhere: bool,
}

impl Lack {
    /// `failed`: the environment's own kustomization was built in parts only.
    pub fn of(environment: &Environment, failed: bool) -> Self {
        let built = &environment.built;
        let unbuilt = built.iter().filter(|o| o.is_kustomization()).map(|k| k.id());
        let unbuilt = unbuilt.into_iter().any(|id| built.iter().all(|o| o.owner != id));
        let has_problems = !environment.problems.is_empty();
        Self { failed: failed || unbuilt && has_problems, elsewhere: !environment.elsewhere.is_empty() }
    }

    /// True if something that is not there may be in what was not built: what lies in this repository under that name may be in the part that
    /// failed, and nobody here knows what lies elsewhere. `near`: what is there has a name much like it, so it is a slip.
    pub fn explains(self, scan: &Scan, kind: &str, name: &str, near: bool) -> bool {
        self.elsewhere && !near || self.failed && makes(scan, kind, name)
    }
}

/// True if no file of the repository makes a ConfigMap or Secret of this name, nor one of a name so much like it that it is a slip.
pub fn is_foreign(scan: &Scan, Name { kind, name }: &Name) -> bool {
    let makers =
        scan.objects().filter(|(_, n)| text(n, "kind") == kind || may_make(text(n, "apiVersion"), text(n, "kind")));
    let made = makers.filter_map(|(_, n)| at(n, &["metadata", "name"])?.as_str());
    let mut names = made.chain(generated(scan, kind)).filter(|made| is_slip(made, name));
    !makes(scan, kind, name) && nearest(name, &mut names).is_none()
}

/// Whether two names differ in one place only, and little.
fn is_slip(one: &str, other: &str) -> bool {
    let (longest, shortest) = (one.len().max(other.len()), one.len().min(other.len()));
    let start = one.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count();
    let end = one.bytes().rev().zip(other.bytes().rev()).take_while(|(a, b)| a == b).count().min(shortest - start);
    longest - start - end <= 3
}

/// The names of generators of a kind.
fn generated<'s>(scan: &'s Scan, kind: &str) -> impl Iterator<Item = &'s str> + use<'s> {
    let key = match kind {
        "ConfigMap" => "configMapGenerator",
        "Secret" => "secretGenerator",
        _ => "",
    };
    let roots = scan.kustomizations().flat_map(|f| &f.documents).map(|d| &d.root);
    roots.flat_map(move |root| root.get(key).map_or(&[][..], Node::items)).map(|g| text(g, "name"))
}

/// Whether some file of the repository makes an object of this kind and name.
fn makes(scan: &Scan, kind: &str, name: &str) -> bool {
    let fits = |written: &str| written == name || written.contains("${");
    let mut objects = scan.objects().filter(|(_, n)| text(n, "kind") == kind);
    objects.any(|(_, n)| at(n, &["metadata", "name"]).and_then(Node::as_str).is_some_and(fits))
        || generated(scan, kind).any(fits)
}

/// The problems of an environment without those that come of others: a Kustomization whose variables or source lie in one that could not be built.
pub fn causes<'p>(scan: &Scan, environment: &'p Environment, failed: bool) -> Vec<&'p Problem> {
    let is_derived = |p: &&Problem| match &p.cause {
        Cause::NoVariables(Name { kind, name }) | Cause::NoSource(Name { kind, name }) => {
            makes(scan, kind, name) && !environment.built.iter().any(|o| o.kind == *kind && o.name == *name)
        }
        _ => false,
    };
    let (derived, causes): (Vec<&Problem>, Vec<&Problem>) = environment.problems.iter().partition(is_derived);
    // Where nothing else is wrong, they wait for each other or for themselves.
    if causes.is_empty() && !failed { derived } else { causes }
}
