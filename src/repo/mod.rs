//! A deployment repository: environments of HelmReleases, the charts and values they name, all in one checkout.
//!
//! Layout: `k8s/gitops/ENV/SERVICE/{configmap,kustomization,release,secrets}.yaml` is what a cluster reconciles, `k8s/helm-charts/SERVICE/` the
//! charts, `k8s/helm-values/SERVICE/ENV-config.yaml` the values. [`Environment::open`] reads the objects of one environment,
//! [`Environment::render`] turns one of its releases into documents, through the same functions that the controller would use.
//!
//! What is not understood yet is never passed over: it becomes a [`Problem`] with file and line, and nothing is printed for that release.

mod artifact;
pub mod bump;
mod chart_source;
mod charts;
pub mod check;
mod composed;
pub mod diff;
mod disk;
mod document;
pub mod env_diff;
pub mod explain;
mod files;
mod flux_kustomization;
mod generated;
mod git_index;
mod git_items;
mod git_survey;
mod git_tree;
mod given;
mod helm_release;
mod layer;
mod layer_chart;
mod layers;
mod made;
pub mod mask;
mod objects;
mod open;
mod own;
mod post_render;
mod problem;
mod render;
mod render_all;
mod roots;
#[cfg(test)]
mod scratch;
pub mod secrets;
mod sops_tree;
mod tree_chart;

pub use charts::Charts;
pub use disk::DiskTree;
pub use files::Checkout;
pub use git_tree::{GitTree, Store};
pub use helm_release::{ChartRef, HelmRelease, SourceRef, ValuesFrom, composed_name, short_name};
pub use layer::{Layer, Origin, keys};
pub use layers::Layers;
pub use objects::{Built, Environment, SourceObject, ValuesObject};
pub use open::ENVIRONMENTS;
pub use problem::{Cause, Place, Problem};
pub use render::{Rendered, Settings};
