//! What tests of several layers share. Each root file that needs it says `#[path = "../support/mod.rs"] mod support;`.
#![allow(dead_code)]

pub mod chart;
pub mod cluster;
pub mod crds;
pub mod proxy;
