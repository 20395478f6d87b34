//! `Ready` is a summary of the other conditions.
//!
//! Source: helm-controller 1.6 `internal/reconcile/release.go`, `summarize`.

use crate::api::condition::{self, FALSE, READY, RELEASED, REMEDIATED, STALLED, TEST_SUCCESS, TRUE};
use crate::api::{Condition, Time};

use super::state::rendering_digests;
use super::subject::Subject;

/// Sets `Ready`, and what of the spec was rendered.
pub fn summarize(subject: &mut Subject, now: &Time) {
    let test = subject.test();
    if !test.enable {
        subject.unmark(TEST_SUCCESS);
    }
    let order: &[&str] = if test.enable && !test.ignore_failures {
        &[REMEDIATED, TEST_SUCCESS, RELEASED]
    } else {
        &[REMEDIATED, RELEASED]
    };
    if let Some(first) = first(&subject.status.conditions, order) {
        let (kind, reason, message) = (first.type_.clone(), first.reason.clone(), first.message.clone());
        // A release that had to be remediated is not what was wanted.
        let status = if kind == REMEDIATED { FALSE.to_owned() } else { first.status.clone() };
        if status == TRUE {
            subject.unmark(STALLED);
        }
        condition::set(&mut subject.status.conditions, READY, &status, &reason, message, subject.generation, now);
    } else {
        return;
    }
    let (renderers, metadata) = rendering_digests(subject);
    subject.status.observed_post_renderers_digest = renderers;
    subject.status.observed_common_metadata_digest = metadata;
}

/// The condition that tells: by place in `order`, unless another is of a newer generation. The sort is Go's stable one (by insertion), for
/// what is compared is no order of its own.
fn first<'c>(conditions: &'c [Condition], order: &[&str]) -> Option<&'c Condition> {
    let mut sorted: Vec<&Condition> = conditions.iter().collect();
    let place = |c: &Condition| order.iter().position(|o| o.eq_ignore_ascii_case(&c.type_));
    let less = |a: &Condition, b: &Condition| match (place(a), place(b)) {
        (None, _) => false,
        (_, None) => true,
        (Some(i), Some(j)) => {
            a.observed_generation.unwrap_or_default() >= b.observed_generation.unwrap_or_default() && i < j
        }
    };
    for i in 1..sorted.len() {
        let mut j = i;
        while j > 0 && less(sorted[j], sorted[j - 1]) {
            sorted.swap(j, j - 1);
            j -= 1;
        }
    }
    sorted.first().copied()
}
