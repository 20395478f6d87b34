//! The controller and its objects on a real control plane; one module a topic.

#[path = "../support/mod.rs"]
mod support;

#[path = "../support/servers/mod.rs"]
mod servers;

mod api;
mod chaos;
mod chart;
mod dashboards;
mod flags;
mod killed;
mod lives;
mod lookups;
mod migrating;
mod native;
mod operating;
mod outcomes;
mod releases;
mod remote;
mod settings;
mod sharding;
mod switching;
mod table;
mod tenancy;
#[cfg(feature = "otel")]
mod traces;
mod world;
