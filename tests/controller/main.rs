//! The controller and its objects on a real control plane; one module a topic.

#[path = "../support/mod.rs"]
mod support;

mod api;
mod releases;
mod scenarios;
mod switching;
mod world;
