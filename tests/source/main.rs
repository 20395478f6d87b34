//! Sources against real servers on loopback.

#[path = "../support/faults.rs"]
mod faults;
#[path = "../support/servers/mod.rs"]
mod servers;

mod http_faults;
mod server_programs;
