//! Sources against real servers on loopback.

#[path = "../support/faults.rs"]
mod faults;
#[path = "../support/servers/mod.rs"]
mod servers;

mod cache;
mod dependencies;
mod http_faults;
mod repositories;
mod server_programs;
mod world;
