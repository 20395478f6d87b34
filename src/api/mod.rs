//! Flux's objects as Rust types: what a cluster serves, what people write, what controllers report.
//!
//! `helm.toolkit.fluxcd.io/v2` HelmRelease and the kinds of `source.toolkit.fluxcd.io/v1`. Fields have Flux's names, order and rules of omission,
//! so that JSON made here is the JSON that Flux makes (some of it is hashed, see [`digest`]). What is empty is absent, as in Go's `omitempty`:
//! texts, flags and counters are plain values, and only what Flux tells apart from empty is an `Option`. Words from a fixed set stay texts,
//! so that a word of a later Flux is neither lost nor an error; accessors read them with their defaults.
//!
//! The types are also the source of `crds/`: [`definitions`] gives the CustomResourceDefinitions with Flux's rules and defaults. Source:
//! helm-controller 1.6 `api/v2`, source-controller 1.9 `api/v1`, and fluxcd/pkg `apis`. Fields of our own are optional and say so.

pub mod action;
pub mod annotation;
pub mod artifact;
pub mod bucket;
pub mod condition;
pub mod digest;
pub mod duration;
pub mod external_artifact;
pub mod git_repository;
pub mod helm_chart;
pub mod helm_release;
pub mod helm_repository;
pub mod oci_repository;
pub mod post_render;
pub mod reference;
pub mod resource;
pub mod schema;
pub mod snapshot;
pub mod time;
pub mod values;

pub use artifact::Artifact;
pub use bucket::{Bucket, BucketSpec, BucketStatus};
pub use duration::GoDuration;
pub use external_artifact::{ExternalArtifact, ExternalArtifactSpec, ExternalArtifactStatus};
pub use git_repository::{GitRepository, GitRepositorySpec, GitRepositoryStatus};
pub use helm_chart::{HelmChart, HelmChartSpec, HelmChartStatus};
pub use helm_release::{HelmRelease, HelmReleaseSpec, HelmReleaseStatus};
pub use helm_repository::{HelmRepository, HelmRepositorySpec, HelmRepositoryStatus};
pub use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
pub use oci_repository::{OciRepository, OciRepositorySpec, OciRepositoryStatus};
pub use snapshot::Snapshot;

/// The finalizer of every object that Flux reconciles.
pub const FINALIZER: &str = "finalizers.fluxcd.io";
/// The group and version of HelmRelease.
pub const HELM_API: &str = "helm.toolkit.fluxcd.io/v2";
/// The group and version of sources.
pub const SOURCE_API: &str = "source.toolkit.fluxcd.io/v1";

/// Every CustomResourceDefinition that pintle serves, by name, as JSON.
pub fn definitions() -> Vec<(String, serde_json::Value)> {
    vec![
        HelmRelease::definition(),
        Bucket::definition(),
        ExternalArtifact::definition(),
        GitRepository::definition(),
        HelmChart::definition(),
        HelmRepository::definition(),
        OciRepository::definition(),
    ]
}

/// The files of `crds/`: their names and texts, keys in order.
///
/// # Errors
/// None in practice: schemas are not nested deeper than YAML can be written.
pub fn definition_files() -> Result<Vec<(String, Vec<u8>)>, String> {
    let mut files = Vec::new();
    for (name, definition) in definitions() {
        let (plural, group) = name.split_once('.').unwrap_or((&name, ""));
        files.push((format!("{group}_{plural}.yaml"), crate::cluster::manifest::yaml(&definition)?));
    }
    Ok(files)
}

/// Whether a field is left out: Go's `omitempty`.
pub(crate) fn empty<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
