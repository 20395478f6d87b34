//! pintle renders Helm charts byte for byte as Helm does, manages releases that the `helm` CLI can read, and reconciles
//! Flux's `HelmRelease`.
//!
//! The rooms, from the ground up; each uses only those before it.

pub mod chart;
pub mod diagnostic;
pub mod golang;
pub mod gotmpl;
pub mod kustomize;
pub mod lint;
pub mod render;
pub mod sprig;
pub mod value;
pub mod values;
pub mod yaml;

// What the program is made of besides: see the feature.
#[cfg(feature = "program")]
pub mod api;
#[cfg(feature = "program")]
pub mod cli;
#[cfg(feature = "program")]
pub mod cluster;
#[cfg(feature = "program")]
pub mod controller;
#[cfg(feature = "program")]
pub mod release;
#[cfg(feature = "program")]
pub mod repo;
#[cfg(feature = "program")]
pub mod report;
#[cfg(feature = "program")]
pub mod sops;
#[cfg(feature = "program")]
pub mod source;
