//! Sources, reconciled here: what source-controller does, for `--sources=native`.
//!
//! Each source object is brought to an artifact: a file in the `store`, served over HTTP under Flux's paths and published in the object's
//! status, so that kustomize-controller, the flux CLI and our own HelmRelease reconciler use it without knowing who made it. Fetching is the
//! business of [`crate::source`]; here stands what an object means, when it is looked at again, and what is said of it. Git is only read:
//! nothing here can push. Source: source-controller 1.9 `internal/controller`.

mod archive;
mod bucket;
mod chart_build;
mod git_repository;
mod helm_chart;
mod helm_repository;
mod ignore;
mod manager;
mod object;
mod oci_repository;
mod queue;
mod secret;
mod server;
mod store;

pub use manager::{Options, Sharing, Sources};
pub use object::MANAGER as CONTROLLER;
pub use store::{StoreOptions, advertised};
