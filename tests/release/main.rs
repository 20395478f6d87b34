//! Releases and clusters on a real control plane; one module a topic.

#[path = "../support/mod.rs"]
mod support;

mod api_faults;
mod applying;
mod beside;
mod differences;
mod directory;
mod drifting;
mod faults;
mod interop;
mod kube;
mod lookups;
mod owners;
mod plans;
mod post_rendering;
mod reading;
mod refusals;
mod rights;
mod running;
mod storage;
mod templates;
mod waiting;
