//! Sources against real servers on loopback.

#[path = "../support/servers/mod.rs"]
mod servers;

mod server_programs;
