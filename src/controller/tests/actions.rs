//! What is done about a state. Source of the rows: helm-controller `internal/reconcile/atomic_release_test.go`, `TestAtomicRelease_actionForState`.

use serde_json::{Value as Json, json};

use super::{now, record, release, snapshot, tested, with_test};
use crate::api::Snapshot;
use crate::api::condition::{DRIFTED, READY, RELEASED, REMEDIATED};
use crate::controller::action::{Action, Exhausted, Next, Rules, Target, for_state, rollback_or};
use crate::controller::state::{Drifted, State};
use crate::controller::subject::Subject;
use crate::release::Status;

/// Tokens that force, of which nothing was handled yet.
fn forced(subject: &mut Subject) {
    for key in ["requestedAt", "forceAt"] {
        subject.annotations.insert(format!("reconcile.fluxcd.io/{key}"), "t".into());
    }
}

fn drifted() -> State {
    State::Drifted(Drifted { summary: "ConfigMap/ns/a removed".into() })
}

type Row = (&'static str, State, Json, Json, bool, Result<Next, Exhausted>);

#[test]
fn actions() {
    use Action::{CorrectDrift, Install, Test, UninstallRemediation, Unlock, Upgrade};
    let act = |action| Ok(Next::Act(action));
    let exhausted = |what| Err(Exhausted::Retries(what));
    let upgrade = |failures: i64| json!({"lastAttemptedReleaseAction": "upgrade", "upgradeFailures": failures});
    let install = |failures: i64| json!({"lastAttemptedReleaseAction": "install", "installFailures": failures});
    let retry = |which: &str| json!({which: {"strategy": {"name": "RetryOnFailure"}}});
    let retries = |which: &str, n: i64| json!({which: {"remediation": {"retries": n}}});
    let uninstalls = json!({"upgrade": {"remediation": {"retries": 1, "strategy": "uninstall"}}});
    let last = |which: &str, yes: bool| json!({which: {"remediation": {"retries": 1, "remediateLastFailure": yes}}});
    let warn = json!({"driftDetection": {"mode": "warn"}});
    let enabled = json!({"driftDetection": {"mode": "enabled"}});
    let disabled = json!({"driftDetection": {"mode": "disabled"}});
    let rows: Vec<Row> = vec![
        ("in sync", State::InSync, json!({}), json!({}), false, Ok(Next::Nothing)),
        ("in sync, forced", State::InSync, json!({}), json!({}), true, act(Upgrade)),
        ("locked", State::Locked, json!({}), json!({}), false, act(Unlock)),
        ("absent", State::Absent, json!({}), json!({}), false, act(Install)),
        ("absent, a retry left", State::Absent, retries("install", 1), install(1), false, act(Install)),
        ("absent, none left", State::Absent, retries("install", 1), install(2), false, exhausted("install")),
        ("absent, none left by default", State::Absent, json!({}), install(1), false, exhausted("install")),
        ("absent, retries without end", State::Absent, retries("install", -1), install(99), false, act(Install)),
        ("absent, none left, forced", State::Absent, json!({}), install(1), true, act(Install)),
        ("unmanaged", State::Unmanaged, json!({}), json!({}), false, act(Upgrade)),
        ("unmanaged, none left", State::Unmanaged, json!({}), upgrade(9), false, act(Upgrade)),
        ("out of sync", State::OutOfSync, json!({}), json!({}), false, act(Upgrade)),
        ("out of sync, a retry left", State::OutOfSync, retries("upgrade", 1), upgrade(1), false, act(Upgrade)),
        ("out of sync, none left", State::OutOfSync, retries("upgrade", 1), upgrade(2), false, exhausted("upgrade")),
        ("out of sync, none left, forced", State::OutOfSync, json!({}), upgrade(1), true, act(Upgrade)),
        ("drifted, to be corrected", drifted(), enabled, json!({}), false, act(CorrectDrift)),
        ("drifted, to be told", drifted(), warn, json!({}), false, Ok(Next::Nothing)),
        ("drifted, switched off", drifted(), disabled, json!({}), false, Ok(Next::Nothing)),
        ("untested", State::Untested, json!({}), json!({}), false, act(Test)),
        ("failed, no attempt known", State::Failed, json!({}), json!({}), false, act(Upgrade)),
        ("failed, conditions changed", State::Failed, retries("upgrade", 1), upgrade(0), false, act(Upgrade)),
        ("failed, under retry, install", State::Failed, retry("install"), install(9), false, act(Upgrade)),
        ("failed, under retry, upgrade", State::Failed, retry("upgrade"), upgrade(9), false, act(Upgrade)),
        ("failed, forced", State::Failed, json!({}), upgrade(1), true, act(Upgrade)),
        (
            "failed, none left, last one stays",
            State::Failed,
            json!({}),
            upgrade(1),
            false,
            exhausted("remediate failed"),
        ),
        ("failed install, none left", State::Failed, json!({}), install(1), false, exhausted("remediate failed")),
        (
            "failed install, retries left",
            State::Failed,
            retries("install", 1),
            install(1),
            false,
            act(UninstallRemediation),
        ),
        (
            "failed install, last one undone",
            State::Failed,
            last("install", true),
            install(2),
            false,
            act(UninstallRemediation),
        ),
        (
            "failed upgrade, retries left",
            State::Failed,
            retries("upgrade", 1),
            upgrade(1),
            false,
            Ok(Next::RollBackIfVerified),
        ),
        // With retries the last failure is undone by default.
        (
            "failed upgrade, none left",
            State::Failed,
            retries("upgrade", 1),
            upgrade(2),
            false,
            Ok(Next::RollBackIfVerified),
        ),
        (
            "failed upgrade, none left, stays",
            State::Failed,
            last("upgrade", false),
            upgrade(2),
            false,
            exhausted("remediate failed"),
        ),
        ("failed upgrade, by uninstall", State::Failed, uninstalls, upgrade(1), false, act(UninstallRemediation)),
    ];
    for (what, state, spec, status, force, want) in rows {
        let mut subject = release(spec, status);
        subject.status.history = vec![snapshot(&record(1, Status::Deployed, "0.1.0", ""), "install")];
        if force {
            forced(&mut subject);
        }
        assert_eq!(for_state(&mut subject, &state, Rules::default(), &now()), want, "{what}");
        assert_eq!(subject.status.last_handled_force_at, if force { "t" } else { "" }, "{what}");
        if state == State::Unmanaged {
            assert!(subject.status.history.is_empty(), "{what}");
        }
    }
}

#[test]
fn one_more_attempt_is_due() {
    let rules = Rules { extra_attempt: true, ..Rules::default() };
    let subject = |action: &str| {
        release(json!({}), json!({"lastAttemptedReleaseAction": action, "installFailures": 9, "upgradeFailures": 9}))
    };
    for (state, action, want) in [
        (State::Absent, "install", Next::Act(Action::Install)),
        (State::OutOfSync, "upgrade", Next::Act(Action::Upgrade)),
        (State::Failed, "upgrade", Next::Act(Action::Upgrade)),
        // What is in sync is not upgraded for it.
        (State::InSync, "upgrade", Next::Nothing),
    ] {
        assert_eq!(for_state(&mut subject(action), &state, rules, &now()), Ok(want), "{state:?}");
    }
}

#[test]
fn where_to_roll_back_to() {
    assert_eq!(rollback_or(Target::Verified), Ok(Action::Rollback));
    assert_eq!(rollback_or(Target::Missing), Err(Exhausted::RollbackTarget));
    assert_eq!(rollback_or(Target::Corrupt), Ok(Action::Upgrade));
}

#[test]
fn retries_may_be_the_default() {
    let rules = Rules { retry_by_default: true, ..Rules::default() };
    let status = json!({"lastAttemptedReleaseAction": "upgrade", "upgradeFailures": 9});
    let mut subject = release(json!({"upgrade": {"remediation": {"retries": 1}}}), status.clone());
    assert_eq!(for_state(&mut subject, &State::Failed, rules, &now()), Ok(Next::Act(Action::Upgrade)));
    let mut subject = release(json!({"upgrade": {"strategy": {"name": "RemediateOnFailure"}}}), status);
    assert_eq!(for_state(&mut subject, &State::Failed, rules, &now()), Err(Exhausted::Retries("remediate failed")));
}

/// Four snapshots, the newest deployed, the one before failed, then one good.
fn four() -> Vec<Snapshot> {
    let of = |version, status| snapshot(&record(version, status, "0.1.0", ""), "upgrade");
    vec![of(4, Status::Deployed), of(3, Status::Failed), of(2, Status::Superseded), of(1, Status::Superseded)]
}

#[test]
fn the_history_is_cut_behind_what_may_be_rolled_back_to() {
    let versions = |s: &Subject| s.status.history.iter().map(|s| s.version).collect::<Vec<_>>();
    let mut subject = release(json!({}), json!({}));
    subject.status.history = four();
    for_state(&mut subject, &State::InSync, Rules::default(), &now()).unwrap();
    assert_eq!(versions(&subject), [4, 3, 2]);
    // Under retry the newest five stay.
    let spec = json!({"upgrade": {"strategy": {"name": "RetryOnFailure"}}});
    let mut subject = release(spec, json!({"lastAttemptedReleaseAction": "upgrade"}));
    let of = |v| snapshot(&record(v, Status::Superseded, "0.1.0", ""), "upgrade");
    subject.status.history = (1..=7).map(of).collect();
    for_state(&mut subject, &State::InSync, Rules::default(), &now()).unwrap();
    assert_eq!(versions(&subject), [7, 6, 5, 4, 3]);
    // A failed test makes no good release, unless tests are ignored.
    let failed_test = tested(&with_test(record(2, Status::Superseded, "0.1.0", ""), "Failed"), "upgrade");
    for (spec, want) in [(json!({}), vec![4, 3, 2, 1]), (json!({"test": {"ignoreFailures": true}}), vec![4, 3, 2])] {
        let mut subject = release(spec, json!({}));
        subject.status.history = four();
        subject.status.history[2] = failed_test.clone();
        for_state(&mut subject, &State::InSync, Rules::default(), &now()).unwrap();
        assert_eq!(versions(&subject), want);
    }
}

#[test]
fn conditions_of_a_release_in_sync_are_put_right() {
    let at = "2026-01-01T00:00:00Z";
    let condition = |kind: &str, status: &str, reason: &str| json!({"type": kind, "status": status, "reason": reason, "message": "m", "lastTransitionTime": at, "observedGeneration": 1});
    for (what, conditions, ready, released) in [
        (
            "rolled back to what is wanted",
            vec![
                condition("Ready", "False", "RollbackSucceeded"),
                condition("Remediated", "True", "RollbackSucceeded"),
                condition("Released", "False", "UpgradeFailed"),
            ],
            // Ready is summarized at the end of the reconciliation.
            "RollbackSucceeded",
            "UpgradeSucceeded",
        ),
        (
            "a failed upgrade that went through after all",
            vec![condition("Ready", "False", "UpgradeFailed"), condition("Released", "False", "UpgradeFailed")],
            "UpgradeSucceeded",
            "UpgradeSucceeded",
        ),
        (
            "a failed installation",
            vec![condition("Ready", "False", "InstallFailed"), condition("Released", "False", "InstallFailed")],
            "InstallSucceeded",
            "InstallSucceeded",
        ),
        (
            "nothing to put right",
            vec![condition("Ready", "True", "InstallSucceeded"), condition("Released", "True", "InstallSucceeded")],
            "InstallSucceeded",
            "InstallSucceeded",
        ),
    ] {
        let mut subject = release(json!({}), json!({"conditions": conditions}));
        subject.status.history = vec![snapshot(&record(3, Status::Deployed, "0.1.0", ""), "upgrade")];
        for_state(&mut subject, &State::InSync, Rules::default(), &now()).unwrap();
        assert_eq!((subject.reason(READY), subject.reason(RELEASED)), (ready, released), "{what}");
        assert_eq!(subject.reason(REMEDIATED), "", "{what}");
    }
}

#[test]
fn drift_is_told_in_a_condition() {
    for (mode, first, then) in
        [("warn", "DriftDetected", "NoDriftDetected"), ("enabled", "DriftDetected", "NoDriftDetected")]
    {
        let mut subject = release(json!({"driftDetection": {"mode": mode}}), json!({}));
        subject.status.history = vec![snapshot(&record(1, Status::Deployed, "0.1.0", ""), "install")];
        for_state(&mut subject, &drifted(), Rules::default(), &now()).unwrap();
        assert_eq!(subject.reason(DRIFTED), first);
        assert_eq!(
            subject.message(DRIFTED),
            "Cluster state of release ns/web.v1 has drifted from the desired state:\nConfigMap/ns/a removed"
        );
        for_state(&mut subject, &State::InSync, Rules::default(), &now()).unwrap();
        assert_eq!(subject.reason(DRIFTED), then);
    }
    let mut subject = release(json!({}), json!({}));
    for_state(&mut subject, &State::InSync, Rules::default(), &now()).unwrap();
    assert_eq!(subject.reason(DRIFTED), "");
}
