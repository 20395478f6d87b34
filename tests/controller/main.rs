//! The controller and its objects on a real control plane; one module a topic.

#[path = "../support/mod.rs"]
mod support;

#[path = "../support/servers/mod.rs"]
mod servers;

mod api;
mod chaos;
mod chart;
mod dashboards;
mod killed;
mod lives;
mod migrating;
mod native;
mod operating;
mod releases;
mod settings;
mod sharding;
mod switching;
mod table;
mod tenancy;
#[cfg(feature = "otel")]
mod traces;
mod world;
