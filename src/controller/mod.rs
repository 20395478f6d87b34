//! Reconciles HelmReleases: state → action → status, as Flux's helm-controller does.
//!
//! The pure part knows no cluster: what [`state`] a release is in, which [`action`] follows, how its end is written into the status
//! ([`record`], [`summary`]). It works on a [`subject::Subject`] and is tested by tables. Around it stands what fetches charts and values, drives
//! the actions of [`crate::release`], watches, and talks to the API server.

pub mod access;
pub mod action;
pub mod announce;
pub mod answers;
pub mod artifact;
pub mod changes;
pub mod claim;
pub mod crds;
pub mod dependencies;
pub mod difference;
pub mod events;
pub mod health;
pub mod history;
pub mod http;
pub mod index;
pub mod inventory;
pub mod lease;
pub mod lookout;
pub mod manager;
pub mod memory;
pub mod message;
pub mod metrics;
pub mod native;
pub mod observe;
pub mod operate;
pub mod options;
pub mod origin;
pub mod perform;
pub mod reads;
pub mod reconcile;
pub mod record;
pub mod secrets;
pub mod shard;
pub mod sharing;
pub mod signal;
pub mod slot;
pub mod sources;
pub mod state;
pub mod subject;
pub mod summary;
pub mod values;
pub mod verify;

#[cfg(test)]
mod tests;

pub use manager::{RunError, run};
pub use options::Options;
