//! Sources against real servers on loopback.

#[path = "../support/faults.rs"]
mod faults;
#[path = "../support/servers/mod.rs"]
mod servers;

mod bucket;
mod cache;
mod canaries;
mod cosign;
mod cosign_program;
mod dependencies;
mod fronts;
mod git;
mod http_faults;
mod login;
mod oci;
mod oci_dependencies;
mod provenance;
mod ranges;
mod releases;
mod repositories;
mod same_bytes;
mod search;
mod server_programs;
mod setup;
mod world;
mod writing;
