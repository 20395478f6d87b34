//! When a reconciliation stops, and what `Ready` says in the end. Source of the rows: helm-controller `internal/reconcile`
//! (`TestReleaseStrategy_CleanRelease_*`, `Test_summarize`).

use std::time::Duration;

use serde_json::{Value as Json, json};

use super::{now, release};
use crate::api::condition::{FALSE, READY, RECONCILING, STALLED, TEST_SUCCESS, TRUE, UNKNOWN};
use crate::controller::action::{Action, End, Exhausted, Kind, Rules, retry, stalled, stop_after, stop_before};
use crate::controller::summary::summarize;

type Row = (&'static str, Json, Vec<Json>, Option<(&'static str, &'static str)>);

#[test]
fn each_kind_of_action_runs_once() {
    use Action::{Install, Rollback, Test, UninstallRemediation, Unlock, Upgrade};
    let upgraded = || {
        release(json!({"upgrade": {"remediation": {"retries": 1}}}), json!({"lastAttemptedReleaseAction": "upgrade"}))
    };
    for (action, ran, stops) in [
        (Upgrade, vec![], false),
        (Upgrade, vec![Kind::Unlock], false),
        (Upgrade, vec![Kind::Release], true),
        (Install, vec![Kind::Release], true),
        (Test, vec![Kind::Release], false),
        (Test, vec![Kind::Release, Kind::Test], true),
        (Rollback, vec![Kind::Release], false),
        (UninstallRemediation, vec![Kind::Remediate], true),
        (Unlock, vec![Kind::Unlock], true),
        (Action::CorrectDrift, vec![Kind::DriftCorrection], true),
    ] {
        let end = stop_before(&mut upgraded(), action, &ran, Rules::default(), &now());
        assert_eq!(end, stops.then_some(End::Requeue), "{action:?} after {ran:?}");
    }
    for (action, stops) in [
        (Upgrade, false),
        (Install, false),
        (Test, false),
        (Unlock, false),
        (Rollback, true),
        (UninstallRemediation, true),
    ] {
        let end = stop_after(&mut upgraded(), action, Rules::default(), &now());
        assert_eq!(end, stops.then_some(End::Requeue), "{action:?}");
    }
}

#[test]
fn how_a_reconciliation_ends() {
    let retries = |which: &str, n: i64| json!({which: {"remediation": {"retries": n}}});
    let uninstall = json!({"upgrade": {"remediation": {"retries": 0, "strategy": "uninstall"}}});
    let status = |action: &str, failures: i64| {
        json!({"lastAttemptedReleaseAction": action, "installFailures": failures, "upgradeFailures": failures,
            "conditions": [{"type": "Ready", "status": "False", "reason": "X", "message": "why", "lastTransitionTime": "2026-01-01T00:00:00Z"}]})
    };
    let again = json!({"upgrade": {"strategy": {"name": "RetryOnFailure", "retryInterval": "30s"}}});
    for (what, spec, status, before, after) in [
        ("retries left", retries("upgrade", 2), status("upgrade", 1), End::Requeue, End::Requeue),
        (
            "none left",
            retries("upgrade", 1),
            status("upgrade", 2),
            End::Done,
            End::Stalled(Exhausted::Retries("upgrade")),
        ),
        (
            "none left of an install",
            retries("install", 0),
            status("install", 1),
            End::Done,
            End::Stalled(Exhausted::Retries("install")),
        ),
        // What was uninstalled after a failed upgrade is installed anew.
        ("uninstalled", uninstall, status("upgrade", 1), End::Done, End::Requeue),
        (
            "under retry",
            again,
            status("upgrade", 9),
            End::RetryAfter(Duration::from_secs(30)),
            End::RetryAfter(Duration::from_secs(30)),
        ),
    ] {
        let mut subject = release(spec.clone(), status.clone());
        let end = stop_before(&mut subject, Action::Upgrade, &[Kind::Release], Rules::default(), &now());
        assert_eq!(end, Some(before.clone()), "{what}");
        match before {
            End::Requeue => {
                assert_eq!((subject.reason(RECONCILING), subject.message(RECONCILING)), ("ProgressingWithRetry", "why"))
            }
            End::RetryAfter(_) => assert_eq!(subject.message(RECONCILING), "retrying after 30s"),
            _ => assert_eq!(subject.reason(RECONCILING), ""),
        }
        let mut subject = release(spec, status);
        assert_eq!(stop_after(&mut subject, Action::Rollback, Rules::default(), &now()), Some(after), "{what}");
    }
    let subject = release(json!({}), status("upgrade", 3));
    assert_eq!(
        stalled(&subject, &Exhausted::Retries("upgrade")),
        ("RetriesExceeded", "Failed to upgrade after 3 attempt(s)".into())
    );
    let missing = "Failed to perform remediation: missing target release for rollback: cannot remediate failed release";
    assert_eq!(stalled(&subject, &Exhausted::RollbackTarget), ("MissingRollbackTarget", missing.into()));
    assert_eq!(retry(&mut release(json!({}), json!({})), Rules::default(), &now()), None);
}

#[test]
fn timeouts_and_words_of_actions() {
    let spec = json!({"timeout": "2m", "upgrade": {"timeout": "90s"}, "test": {"timeout": "1h"}});
    for (spec, action, want) in [
        (json!({}), Action::Install, "Running 'install' action with timeout of 5m0s"),
        (spec.clone(), Action::Install, "Running 'install' action with timeout of 2m0s"),
        (spec.clone(), Action::Upgrade, "Running 'upgrade' action with timeout of 1m30s"),
        (spec.clone(), Action::Test, "Running 'test' action with timeout of 1h0m0s"),
        (spec.clone(), Action::Rollback, "Running 'rollback' action with timeout of 2m0s"),
        (spec.clone(), Action::UninstallRemediation, "Running 'uninstall' action with timeout of 2m0s"),
        (spec.clone(), Action::Unlock, "Running 'unlock' action with timeout of 2m0s"),
        (spec, Action::CorrectDrift, "Running 'correct cluster drift' action with timeout of 2m0s"),
    ] {
        assert_eq!(action.running(&release(spec, json!({}))), want);
    }
}

#[test]
fn ready_is_a_summary() {
    let c = |kind: &str, status: &str, reason: &str, generation: i64| {
        json!({"type": kind, "status": status, "reason": reason, "message": reason, "observedGeneration": generation,
            "lastTransitionTime": "2026-01-01T00:00:00Z"})
    };
    let rows: Vec<Row> = vec![
        ("nothing to say", json!({}), vec![], None),
        ("released", json!({}), vec![c("Released", TRUE, "InstallSucceeded", 1)], Some((TRUE, "InstallSucceeded"))),
        ("failed", json!({}), vec![c("Released", FALSE, "InstallFailed", 1)], Some((FALSE, "InstallFailed"))),
        (
            "Ready is replaced",
            json!({}),
            vec![c("Ready", FALSE, "InstallFailed", 1), c("Released", TRUE, "UpgradeSucceeded", 1)],
            Some((TRUE, "UpgradeSucceeded")),
        ),
        (
            "tests stand before the release",
            json!({"test": {"enable": true}}),
            vec![c("Released", TRUE, "InstallSucceeded", 1), c("TestSuccess", FALSE, "TestFailed", 1)],
            Some((FALSE, "TestFailed")),
        ),
        (
            "tests are awaited",
            json!({"test": {"enable": true}}),
            vec![c("Released", TRUE, "InstallSucceeded", 1), c("TestSuccess", UNKNOWN, "AwaitingTests", 1)],
            Some((UNKNOWN, "AwaitingTests")),
        ),
        (
            "failed tests are ignored",
            json!({"test": {"enable": true, "ignoreFailures": true}}),
            vec![c("Released", TRUE, "InstallSucceeded", 1), c("TestSuccess", FALSE, "TestFailed", 1)],
            Some((TRUE, "InstallSucceeded")),
        ),
        (
            "tests of before they were switched off",
            json!({}),
            vec![c("Released", TRUE, "InstallSucceeded", 1), c("TestSuccess", FALSE, "TestFailed", 1)],
            Some((TRUE, "InstallSucceeded")),
        ),
        (
            "remediated is not ready",
            json!({}),
            vec![c("Released", FALSE, "UpgradeFailed", 1), c("Remediated", TRUE, "RollbackSucceeded", 1)],
            Some((FALSE, "RollbackSucceeded")),
        ),
        (
            "remediation that failed",
            json!({}),
            vec![c("Released", FALSE, "UpgradeFailed", 1), c("Remediated", FALSE, "RollbackFailed", 1)],
            Some((FALSE, "RollbackFailed")),
        ),
        (
            "a newer generation stands before an older remediation",
            json!({}),
            vec![c("Released", TRUE, "UpgradeSucceeded", 2), c("Remediated", TRUE, "RollbackSucceeded", 1)],
            Some((TRUE, "UpgradeSucceeded")),
        ),
    ];
    for (what, spec, conditions, want) in rows {
        let mut subject = release(spec, json!({"conditions": conditions}));
        subject.mark(STALLED, TRUE, "RetriesExceeded", "m", &now());
        if want.is_none() {
            subject.unmark(STALLED);
        }
        summarize(&mut subject, &now());
        let ready = (subject.is(READY, TRUE), subject.is(READY, FALSE), subject.reason(READY));
        match want {
            None => assert_eq!(ready.2, "", "{what}"),
            Some((status, reason)) => {
                assert_eq!(ready, (status == TRUE, status == FALSE, reason), "{what}");
                // Who is ready is not stalled.
                assert_eq!(subject.is(STALLED, TRUE), status != TRUE, "{what}");
            }
        }
        if !subject.test().enable {
            assert_eq!(subject.reason(TEST_SUCCESS), "", "{what}");
        }
    }
}
