//! The objects of one environment, told apart by kind.
//!
//! A build re-writes objects, so a line of its output is no place that anyone knows. Every finding points into the file that the object was
//! read from: the same path through the source document gives the line.

use std::collections::BTreeSet;

use crate::kustomize::given::Given;

use super::artifact::Generator;
use super::charts::Charts;
use super::document::Node;
use super::helm_release::HelmRelease;
use super::mask::Masker;
use super::problem::{Place, Problem};

/// A ConfigMap or Secret that values can come from.
#[derive(Clone, Debug)]
pub struct ValuesObject {
    pub kind: String,
    pub name: String,
    pub namespace: Option<String>,
    pub place: Place,
    /// Encrypted by SOPS, and no key was at hand: its values are placeholders.
    pub encrypted: bool,
    pub node: Node,
    /// Files and patches that its data come from.
    pub given: Vec<Given>,
}

/// One object as the build gives it, with what SOPS hides decrypted or replaced by placeholders.
#[derive(Clone, Debug)]
pub struct Built {
    pub api_version: String,
    pub kind: String,
    pub name: String,
    pub namespace: String,
    pub place: Place,
    /// YAML, without a separator.
    pub text: String,
    /// The Flux Kustomization that applies it, `NAMESPACE/NAME`; empty for the environment itself.
    pub owner: String,
    /// Encrypted by SOPS in the repository.
    pub encrypted: bool,
}

impl Built {
    /// Whether it is a Kustomization of Flux.
    pub(super) fn is_kustomization(&self) -> bool {
        self.kind == "Kustomization" && self.api_version.starts_with(super::flux_kustomization::API)
    }

    /// `NAMESPACE/NAME`, as Flux names its Kustomizations.
    pub(super) fn id(&self) -> String {
        let namespace = if self.namespace.is_empty() { "default" } else { &self.namespace };
        format!("{namespace}/{}", self.name)
    }
}

/// An object that charts come from: a HelmRepository, GitRepository, OCIRepository, HelmChart, Bucket.
#[derive(Clone, Debug)]
pub struct SourceObject {
    pub kind: String,
    pub name: String,
    pub namespace: Option<String>,
    pub place: Place,
    pub node: Node,
}

/// Everything found in one environment.
#[derive(Default)]
pub struct Environment {
    pub name: String,
    /// The directory that is applied, from the repository's root.
    pub dir: String,
    pub releases: Vec<HelmRelease>,
    pub objects: Vec<ValuesObject>,
    pub sources: Vec<SourceObject>,
    /// What composes artifacts of sources.
    pub(super) generators: Vec<Generator>,
    /// All objects, in the order in which they are applied.
    pub built: Vec<Built>,
    /// What was found but is not understood.
    pub problems: Vec<Problem>,
    /// The sources, by kind, namespace and name, that directories of this checkout are applied from: they are this repository.
    pub(super) here: BTreeSet<(String, String, String)>,
    /// The Flux Kustomizations, `NAMESPACE/NAME`, that such problems keep from being built, or from being built whole.
    pub(super) unbuilt: BTreeSet<String>,
    /// How many of the problems are theirs; the others concern the whole environment.
    pub(super) of_unbuilt: usize,
    /// A Kustomization applies the environment's own directory with changes that could not be made: the objects are not what a cluster gets.
    pub(super) unchanged: bool,
    /// Kustomizations whose directories lie in other repositories: they are not built, and what is there is not known.
    pub elsewhere: Vec<Problem>,
    /// What the build warns of.
    pub warnings: Vec<String>,
    /// Hides what was decrypted from what is printed.
    pub masker: Masker,
    /// Charts that were fetched from elsewhere.
    pub charts: Charts,
    /// Put the labels on rendered objects that name their HelmRelease, as helm-controller does.
    pub origin_labels: bool,
}

impl Environment {
    /// The values objects of a namespace by kind and name. An object without namespace lies in the release's.
    pub fn find(&self, kind: &str, name: &str, namespace: Option<&str>) -> Option<&ValuesObject> {
        self.objects.iter().find(|o| {
            o.kind == kind
                && o.name == name
                && (o.namespace.is_none() || namespace.is_none() || o.namespace.as_deref() == namespace)
        })
    }

    /// A source object by kind, name and namespace.
    pub fn source(&self, kind: &str, name: &str, namespace: Option<&str>) -> Option<&SourceObject> {
        let fits = |o: &&SourceObject| {
            o.kind == kind
                && o.name == name
                && (o.namespace.is_none() || namespace.is_none() || o.namespace.as_deref() == namespace)
        };
        self.sources.iter().find(fits)
    }
}
