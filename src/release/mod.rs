//! Releases: the record that Helm reads too, where records are stored, and the actions that make them.
//!
//! A record ([`record::Record`]) is one revision of a release, in Helm's own JSON. [`Storage`] keeps records where `helm` looks for them (Secrets or
//! ConfigMaps of a cluster) or in a directory. The actions are Helm 4.3's, step by step; they see the world through
//! [`crate::cluster::Cluster`] and [`Storage`] alone.

pub mod action;
pub mod diff;
pub mod query;
pub mod record;
pub mod snapshot;
pub mod storage;

pub use record::{Record, Status};
pub use storage::{Storage, StorageError};
