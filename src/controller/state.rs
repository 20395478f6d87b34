//! What state a release is in, from Helm's storage, the history and the spec.
//!
//! Source: helm-controller 1.6 `internal/reconcile/state.go`; the order of the questions is its order. Drift is asked for last, by who has the
//! cluster at hand, see [`State::Drifted`].

use crate::api::digest;
use crate::release::{Record, Status};
use crate::values::digest::Algorithm;

use super::history;
use super::subject::Subject;
use super::verify::{self, Wanted};

/// The state of a release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Not in storage, or uninstalled.
    Absent,
    /// There is one, but not by this object.
    Unmanaged,
    /// Deployed, but not as wanted.
    OutOfSync,
    /// Live objects differ from the manifest. Never said by [`determine`]: what it takes for in sync may be drifted.
    Drifted(Drifted),
    /// Somebody is at work on it, or died over it.
    Locked,
    Untested,
    InSync,
    Failed,
}

/// What drifted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Drifted {
    /// A line for each object, as Flux has it: `Deployment/ns/web changed (1 additions, 1 changes, 0 removals)`.
    pub summary: String,
}

/// A state, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub state: State,
    pub reason: String,
}

fn found(state: State, reason: impl Into<String>) -> Found {
    Found { state, reason: reason.into() }
}

/// Determines the state. `last` is the newest stored revision.
///
/// # Errors
/// A status from which no way leads on.
pub fn determine(subject: &Subject, last: Option<&Record>, wanted: &Wanted) -> Result<Found, String> {
    let Some(last) = last else { return Ok(found(State::Absent, "no release in storage for object")) };
    let status = last.info.status;
    if status.is_pending() {
        return Ok(found(State::Locked, format!("release with status '{status}'")));
    }
    let Some(current) = history::latest(&subject.status.history) else {
        return Ok(match status {
            Status::Uninstalled => found(State::Absent, "found uninstalled release in storage"),
            _ => found(State::Unmanaged, "found existing release in storage"),
        });
    };
    if let Err(e) = verify::object(current, last) {
        return Ok(found(State::Unmanaged, e.to_string()));
    }
    match status {
        Status::Failed => return Ok(found(State::Failed, "")),
        Status::Uninstalled => return Ok(found(State::Absent, "found uninstalled release in storage")),
        Status::Deployed => {}
        _ => {
            let text = last.info.status_text();
            return Err(format!("unable to determine state for release with status '{text}'"));
        }
    }
    if let Some(reason) = verify::differs(last, current, wanted) {
        return Ok(found(State::OutOfSync, reason));
    }
    if let Some(reason) = changed_after_rendering(subject) {
        return Ok(found(State::OutOfSync, reason));
    }
    if subject.test().enable {
        if !current.has_been_tested() {
            return Ok(found(State::Untested, ""));
        }
        let acts = subject.active_remediation().is_some_and(|r| !r.ignore_test_failures);
        if acts && current.has_failed_test() {
            return Ok(found(State::Failed, "release has test in failed phase"));
        }
    }
    Ok(found(State::InSync, ""))
}

/// Post-renderers and common metadata are compared only for a generation that was not reconciled yet.
fn changed_after_rendering(subject: &Subject) -> Option<&'static str> {
    if subject.status.observed_generation == subject.generation {
        return None;
    }
    let (renderers, metadata) = rendering_digests(subject);
    if renderers != subject.status.observed_post_renderers_digest {
        return Some("postrenderers digest has changed");
    }
    (metadata != subject.status.observed_common_metadata_digest).then_some("common metadata digest has changed")
}

/// The digests of the spec's post-renderers and common metadata.
pub fn rendering_digests(subject: &Subject) -> (String, String) {
    let spec = &subject.spec;
    (
        digest::post_renderers(&spec.post_renderers, Algorithm::Sha256),
        digest::common_metadata(spec.common_metadata.as_ref(), Algorithm::Sha256),
    )
}
