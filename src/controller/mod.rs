//! Reconciles HelmReleases: state → action → status, as Flux's helm-controller does.
//!
//! The pure part knows no cluster: what [`state`] a release is in, which [`action`] follows, how its end is written into the status
//! ([`record`], [`summary`]). It works on a [`subject::Subject`] and is tested by tables. Around it stands what fetches charts and values, drives
//! the actions of [`crate::release`], watches, and talks to the API server.

pub mod action;
pub mod chart_version;
pub mod history;
pub mod message;
pub mod observe;
pub mod record;
pub mod state;
pub mod subject;
pub mod summary;
pub mod verify;
