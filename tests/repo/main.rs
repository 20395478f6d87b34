//! The deployment repository: bump against real Git repositories, SOPS beside the real sops, secrets compared without being shown.

mod artifacts;
mod build;
mod bump;
mod canaries;
mod ci;
mod composed;
mod concerned;
mod diff;
mod explain;
mod fair;
#[path = "../support/canaries.rs"]
mod forms;
mod git_http;
mod kustomize;
mod race;
mod secrets;
mod sops;
mod suites;
mod support;
mod zoo;
