//! pintle renders Helm charts byte for byte as Helm does, manages releases that the `helm` CLI can read, and reconciles
//! Flux's `HelmRelease`.
//!
//! The rooms, from the ground up; each uses only those before it.

pub mod api;
pub mod chart;
pub mod cli;
pub mod cluster;
pub mod controller;
pub mod diagnostic;
pub mod golang;
pub mod gotmpl;
pub mod kustomize;
pub mod lint;
pub mod release;
pub mod render;
pub mod repo;
pub mod report;
pub mod sops;
pub mod source;
pub mod sprig;
pub mod value;
pub mod values;
pub mod yaml;
