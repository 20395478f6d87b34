//! Conditions: reading and setting them by type, in Flux's order.
//!
//! Source: fluxcd/pkg `runtime/conditions/setter.go`. A condition's time changes only when its status, reason or message does; Stalled,
//! Reconciling and Ready stand first. Reasons are spelled out beside who uses them.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::{Schema, SchemaGenerator, json_schema};

pub const READY: &str = "Ready";
pub const RECONCILING: &str = "Reconciling";
pub const STALLED: &str = "Stalled";
/// Of a HelmRelease.
pub const RELEASED: &str = "Released";
pub const REMEDIATED: &str = "Remediated";
pub const TEST_SUCCESS: &str = "TestSuccess";
pub const DRIFTED: &str = "Drifted";
/// Of a source.
pub const ARTIFACT_IN_STORAGE: &str = "ArtifactInStorage";
pub const ARTIFACT_OUTDATED: &str = "ArtifactOutdated";
pub const FETCH_FAILED: &str = "FetchFailed";
pub const BUILD_FAILED: &str = "BuildFailed";
pub const STORAGE_OPERATION_FAILED: &str = "StorageOperationFailed";
pub const SOURCE_VERIFIED: &str = "SourceVerified";
pub const INCLUDE_UNAVAILABLE: &str = "IncludeUnavailable";

pub const TRUE: &str = "True";
pub const FALSE: &str = "False";
pub const UNKNOWN: &str = "Unknown";

/// A condition by its type.
pub fn get<'a>(conditions: &'a [Condition], kind: &str) -> Option<&'a Condition> {
    conditions.iter().find(|c| c.type_ == kind)
}

/// Whether a condition is there with this status.
pub fn is(conditions: &[Condition], kind: &str, status: &str) -> bool {
    get(conditions, kind).is_some_and(|c| c.status == status)
}

/// Sets a condition of the object's `generation`. Its time becomes `now` when its status, reason or message changes, and stays otherwise.
pub fn set(
    conditions: &mut Vec<Condition>,
    kind: &str,
    status: &str,
    reason: &str,
    message: impl Into<String>,
    generation: i64,
    now: &Time,
) {
    let mut new = Condition {
        type_: kind.into(),
        status: status.into(),
        reason: reason.into(),
        message: trimmed(message.into()),
        observed_generation: Some(generation),
        last_transition_time: now.clone(),
    };
    match conditions.iter_mut().find(|c| c.type_ == kind) {
        Some(old) => {
            if old.status == new.status && old.reason == new.reason && old.message == new.message {
                new.last_transition_time = old.last_transition_time.clone();
            }
            *old = new;
        }
        None => conditions.push(new),
    }
    conditions.sort_by(|a, b| order(a).cmp(&order(b)));
}

/// Says that the object is being reconciled: `Reconciling=True`, and nothing stalls.
pub fn mark_reconciling(
    conditions: &mut Vec<Condition>,
    reason: &str,
    message: impl Into<String>,
    generation: i64,
    now: &Time,
) {
    remove(conditions, STALLED);
    set(conditions, RECONCILING, TRUE, reason, message, generation, now);
}

/// Says that only a change from outside helps: `Stalled=True`, and nothing goes on.
pub fn mark_stalled(
    conditions: &mut Vec<Condition>,
    reason: &str,
    message: impl Into<String>,
    generation: i64,
    now: &Time,
) {
    remove(conditions, RECONCILING);
    set(conditions, STALLED, TRUE, reason, message, generation, now);
}

/// Takes a condition away.
pub fn remove(conditions: &mut Vec<Condition>, kind: &str) {
    conditions.retain(|c| c.type_ != kind);
}

/// The API takes no more of a message than this, in bytes.
const LONGEST: usize = 32_768;

fn trimmed(mut message: String) -> String {
    const MARK: &str = "...";
    if message.len() > LONGEST {
        let mut cut = LONGEST - MARK.len();
        while !message.is_char_boundary(cut) {
            cut -= 1;
        }
        message.truncate(cut);
        message.push_str(MARK);
    }
    message
}

/// What goes on stands before what is; then the newest observations.
fn order(condition: &Condition) -> (u8, std::cmp::Reverse<i64>, &str) {
    let newest = std::cmp::Reverse(condition.observed_generation.unwrap_or(0));
    match condition.type_.as_str() {
        STALLED => (0, std::cmp::Reverse(0), ""),
        RECONCILING => (1, std::cmp::Reverse(0), ""),
        READY => (2, std::cmp::Reverse(0), ""),
        other => (3, newest, other),
    }
}

/// The schema of a list of conditions, with Kubernetes' rules for each part.
pub fn schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "items": {
            "description": "One aspect of the object's state.",
            "type": "object",
            "required": ["lastTransitionTime", "message", "reason", "status", "type"],
            "properties": {
                "lastTransitionTime": {
                    "description": "When the condition last changed.", "type": "string", "format": "date-time"
                },
                "message": {"description": "Details for people.", "type": "string", "maxLength": 32768},
                "observedGeneration": {
                    "description": "The generation of the object that the condition speaks of.",
                    "type": "integer", "format": "int64", "minimum": 0
                },
                "reason": {
                    "description": "A word for programs that tells why.", "type": "string", "minLength": 1, "maxLength": 1024,
                    "pattern": "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"
                },
                "status": {"description": "True, False or Unknown.", "type": "string", "enum": ["True", "False", "Unknown"]},
                "type": {
                    "description": "Which aspect.", "type": "string", "maxLength": 316,
                    "pattern": "^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$"
                }
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Time {
        Time(k8s_openapi::jiff::Timestamp::from_second(seconds).unwrap())
    }

    #[test]
    fn times_change_with_the_state_alone() {
        let mut all = Vec::new();
        set(&mut all, READY, FALSE, "UpgradeFailed", "no", 1, &at(10));
        set(&mut all, READY, FALSE, "UpgradeFailed", "no", 2, &at(20));
        assert_eq!((all[0].last_transition_time.clone(), all[0].observed_generation), (at(10), Some(2)));
        set(&mut all, READY, FALSE, "UpgradeFailed", "still no", 2, &at(30));
        assert_eq!(all[0].last_transition_time, at(30));
    }

    #[test]
    fn what_goes_on_stands_first() {
        let mut all = Vec::new();
        for (kind, generation) in [(RELEASED, 1), (TEST_SUCCESS, 1), (REMEDIATED, 2), (READY, 1)] {
            set(&mut all, kind, TRUE, "Is", "so", generation, &at(1));
        }
        mark_stalled(&mut all, "RetriesExceeded", "no more", 2, &at(2));
        mark_reconciling(&mut all, "Progressing", "again", 2, &at(3));
        let order: Vec<&str> = all.iter().map(|c| c.type_.as_str()).collect();
        assert_eq!(order, [RECONCILING, READY, REMEDIATED, RELEASED, TEST_SUCCESS]);
    }

    #[test]
    fn long_messages_are_cut_between_letters() {
        let mut all = Vec::new();
        set(&mut all, READY, TRUE, "Is", "ü".repeat(20_000), 1, &at(1));
        assert!(all[0].message.len() <= LONGEST && all[0].message.ends_with("ü..."));
    }
}
