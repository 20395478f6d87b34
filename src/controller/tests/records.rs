//! How an action's end is written into the status. Source of the rows: helm-controller `internal/reconcile/{install,upgrade,test,
//! rollback_remediation,uninstall,uninstall_remediation,unlock}_test.go`.

use std::time::Duration;

use serde_json::json;

use super::{now, record, release, snapshot, tested, with_test};
use crate::api::condition::{FALSE, READY, RELEASED, REMEDIATED, TEST_SUCCESS, TRUE, UNKNOWN};
use crate::controller::action::Action;
use crate::controller::observe::Written;
use crate::controller::record::{self, About, Gone, Severity};
use crate::controller::subject::Subject;
use crate::release::{Record, Status};

fn about() -> About {
    About { chart: "chart".into(), version: "0.2.0".into(), config_digest: "sha256:v".into(), ..About::default() }
}

fn written(records: &[&Record]) -> Written {
    records.iter().map(|r| (r.version, (*r).clone())).collect()
}

fn history(subject: &Subject) -> String {
    let text = |s: &crate::api::Snapshot| format!("{} {} {}", s.version, s.status, s.action);
    subject.status.history.iter().map(text).collect::<Vec<_>>().join(", ")
}

fn finish(subject: &mut Subject, action: Action, before: i64, w: &Written, error: Option<&str>) -> record::Recorded {
    record::begin(subject, action);
    record::released(subject, action, &about(), before, w, error, Duration::from_millis(1500), false, &now())
}

#[test]
fn installations_and_upgrades() {
    let old = record(1, Status::Superseded, "0.1.0", "");
    let new = |status| record(2, status, "0.2.0", "a: 1");
    // An installation.
    let mut s = release(json!({}), json!({}));
    s.status.history = vec![snapshot(&old, "install")];
    let first = record(1, Status::Deployed, "0.2.0", "a: 1");
    let r = finish(&mut s, Action::Install, 0, &written(&[&first]), None);
    assert_eq!(history(&s), "1 deployed install");
    assert_eq!(s.status.last_attempted_release_action_duration.as_deref(), Some("1.5s"));
    let event = r.event.unwrap();
    assert_eq!((event.severity, event.reason.as_str()), (Severity::Normal, "InstallSucceeded"));
    assert_eq!(event.message, "Helm install succeeded for release ns/web.v1 with chart chart@0.2.0");
    assert_eq!(event.metadata["helm.toolkit.fluxcd.io/revision"], "0.2.0");
    assert_eq!(event.metadata["helm.toolkit.fluxcd.io/token"], s.status.history[0].config_digest);
    assert_eq!((s.reason(READY), s.is(READY, TRUE)), ("InstallSucceeded", true));

    // A failed one that left a revision counts.
    let mut s = release(json!({}), json!({}));
    let failed = record(1, Status::Failed, "0.2.0", "");
    let r = finish(&mut s, Action::Install, 0, &written(&[&failed]), Some("  boom\n"));
    assert_eq!((r.unstored, history(&s).as_str()), (None, "1 failed install"));
    assert_eq!((s.status.failures, s.status.install_failures, s.status.upgrade_failures), (1, 1, 0));
    assert_eq!(s.message(RELEASED), "Helm install failed for release ns/web with chart chart@0.2.0: boom");
    // One without a trace does not, and is to be tried again.
    let mut s = release(json!({}), json!({}));
    let r = finish(&mut s, Action::Install, 0, &written(&[]), Some("boom"));
    assert_eq!((r.unstored.as_deref(), s.status.failures, s.status.install_failures), (Some("boom"), 1, 0));
    assert!(s.is(READY, FALSE) && r.event.unwrap().severity == Severity::Warning);

    // An upgrade: the old snapshot follows its revision, tests that were run stay with it.
    let mut s = release(json!({}), json!({"lastAttemptedRevisionDigest": "sha256:oci"}));
    let tested_old = with_test(record(1, Status::Deployed, "0.1.0", ""), "Succeeded");
    s.status.history = vec![tested(&tested_old, "install")];
    s.mark(REMEDIATED, TRUE, "RollbackSucceeded", "m", &now());
    let superseded = with_test(old.clone(), "Succeeded");
    finish(&mut s, Action::Upgrade, 1, &written(&[&superseded, &new(Status::Deployed)]), None);
    assert_eq!(history(&s), "2 deployed upgrade, 1 superseded install");
    assert_eq!((s.status.history[0].oci_digest.as_str(), s.status.history[1].oci_digest.as_str()), ("sha256:oci", ""));
    assert!(s.status.history[1].has_been_tested() && !s.status.history[0].has_been_tested());
    assert_eq!(s.reason(REMEDIATED), "");
    // A failed upgrade whose only writes were to older revisions left nothing.
    let mut s = release(json!({}), json!({}));
    s.status.history = vec![snapshot(&record(1, Status::Deployed, "0.1.0", ""), "install")];
    let r = finish(&mut s, Action::Upgrade, 1, &written(&[&old]), Some("boom"));
    assert!(r.unstored.is_some() && s.status.upgrade_failures == 0);
    assert_eq!(history(&s), "1 superseded install");
    // Failures are forgotten by a success under retry, and kept for remediation otherwise.
    for (spec, want) in [(json!({}), 3), (json!({"upgrade": {"strategy": {"name": "RetryOnFailure"}}}), 0)] {
        let mut s = release(spec, json!({"failures": 3, "upgradeFailures": 3}));
        finish(&mut s, Action::Upgrade, 1, &written(&[&new(Status::Deployed)]), None);
        assert_eq!(s.status.upgrade_failures, want);
    }
    // Tests are awaited.
    let mut s = release(json!({"test": {"enable": true}}), json!({}));
    finish(&mut s, Action::Upgrade, 1, &written(&[&new(Status::Deployed)]), None);
    assert_eq!((s.reason(TEST_SUCCESS), s.is(READY, UNKNOWN)), ("AwaitingTests", true));
    assert_eq!(s.message(TEST_SUCCESS), "Helm release ns/web.v2 with chart chart@0.2.0 is awaiting tests");
    // What was given up for something newer is no failure.
    let mut s = release(json!({}), json!({}));
    record::superseded(&mut s, Action::Upgrade, &about(), 1, &written(&[&new(Status::Failed)]));
    assert_eq!((history(&s).as_str(), s.status.failures), ("2 failed upgrade", 0));
}

#[test]
fn tests_of_releases() {
    let base = record(2, Status::Deployed, "0.2.0", "");
    let ready = |spec| {
        let mut s = release(spec, json!({"lastAttemptedReleaseAction": "upgrade"}));
        s.status.history = vec![snapshot(&base, "upgrade")];
        s
    };
    let enabled = || json!({"test": {"enable": true}});
    // Without hooks.
    let mut s = ready(enabled());
    record::tested(&mut s, &about(), Some(&base), None, &now());
    assert_eq!(
        s.message(TEST_SUCCESS),
        "Helm test succeeded for release ns/web.v2 with chart chart@0.2.0: no test hooks"
    );
    assert_eq!(s.status.history[0].test_hooks, Some(Default::default()));
    // With one that succeeded.
    let mut s = ready(enabled());
    let good = with_test(base.clone(), "Succeeded");
    let r = record::tested(&mut s, &about(), Some(&good), None, &now());
    assert!(s.message(TEST_SUCCESS).ends_with(": 1 test hook completed successfully"), "{}", s.message(TEST_SUCCESS));
    assert_eq!((r.event.unwrap().reason.as_str(), s.is(READY, TRUE)), ("TestSucceeded", true));
    // A failed one counts for the upgrade, unless ignored.
    let bad = with_test(base.clone(), "Failed");
    for (spec, counts) in [(enabled(), 1), (json!({"test": {"enable": true, "ignoreFailures": true}}), 0)] {
        let mut s = ready(spec);
        let r = record::tested(&mut s, &about(), Some(&bad), Some("probe failed"), &now());
        assert_eq!((r.unstored, s.status.failures, s.status.upgrade_failures), (None, 1, counts));
        assert_eq!(
            s.message(TEST_SUCCESS),
            "Helm test failed for release ns/web.v2 with chart chart@0.2.0: probe failed"
        );
    }
    // Nothing ran: again, uncounted.
    let mut s = ready(enabled());
    let r = record::tested(&mut s, &about(), None, Some("locked"), &now());
    assert_eq!((r.unstored.as_deref(), s.status.upgrade_failures), (Some("locked"), 0));
    // Somebody made another revision meanwhile.
    let mut s = ready(enabled());
    let r = record::tested(&mut s, &about(), Some(&record(3, Status::Deployed, "0.2.0", "")), None, &now());
    assert!(r.unstored.unwrap().contains("release mismatch: tested release ns/web.v3 != current release ns/web.v2"));
    // Filters decide which count.
    let mut s = ready(json!({"test": {"enable": true, "filters": [{"name": "probe", "exclude": true}]}}));
    record::tested(&mut s, &about(), Some(&bad), None, &now());
    assert!(s.is(TEST_SUCCESS, TRUE));
    let mut s = ready(json!({"test": {"enable": true, "filters": [{"name": "other"}]}}));
    record::tested(&mut s, &about(), Some(&bad), None, &now());
    assert_eq!(s.status.history[0].test_hooks, Some(Default::default()));
}

#[test]
fn rollbacks() {
    let good = record(1, Status::Superseded, "0.1.0", "");
    let bad = record(2, Status::Failed, "0.2.0", "");
    let subject = || {
        let mut s = release(json!({}), json!({"lastAttemptedReleaseAction": "upgrade"}));
        s.status.history = vec![snapshot(&bad, "upgrade"), snapshot(&good, "install")];
        s.mark(RELEASED, FALSE, "UpgradeFailed", "m", &now());
        s
    };
    let to = snapshot(&good, "install");
    let mut s = subject();
    let r = record::rolled_back(
        &mut s,
        &about(),
        &to,
        &written(&[&record(3, Status::Deployed, "0.1.0", "")]),
        None,
        &now(),
    );
    assert_eq!(history(&s), "3 deployed rollback, 2 failed upgrade, 1 superseded install");
    assert_eq!(s.message(READY), "Helm rollback to previous release ns/web.v1 with chart chart@0.1.0 succeeded");
    assert!(s.is(READY, FALSE) && s.is(REMEDIATED, TRUE));
    // The event is about what was gone back to, under the token of what was wanted.
    let event = r.event.unwrap();
    assert_eq!(event.metadata["helm.toolkit.fluxcd.io/revision"], "0.1.0");
    assert_eq!(event.metadata["helm.toolkit.fluxcd.io/token"], "sha256:v");
    let mut s = subject();
    let failed = record(3, Status::Failed, "0.1.0", "");
    let r = record::rolled_back(&mut s, &about(), &to, &written(&[&failed]), Some("boom"), &now());
    assert_eq!((r.unstored, s.status.failures, s.reason(REMEDIATED)), (None, 1, "RollbackFailed"));
    assert_eq!(s.message(READY), "Helm rollback to previous release ns/web.v1 with chart chart@0.1.0 failed: boom");
    // Without a trace it is tried again.
    let mut s = subject();
    let r = record::rolled_back(&mut s, &about(), &to, &written(&[]), Some("boom"), &now());
    assert_eq!(r.unstored.as_deref(), Some("boom"));
}

#[test]
fn uninstalls() {
    let bad = record(1, Status::Failed, "0.2.0", "");
    let gone = record(1, Status::Uninstalling, "0.2.0", "");
    let subject = || {
        let mut s = release(json!({}), json!({"lastAttemptedReleaseAction": "install", "storageNamespace": "ns"}));
        s.status.history = vec![snapshot(&bad, "install")];
        s
    };
    // As a remedy.
    let mut s = subject();
    record::uninstall_remediated(&mut s, &about(), &written(&[&gone]), Some(&gone), None, &now());
    assert_eq!(history(&s), "1 uninstalling uninstall-remediation");
    assert_eq!(
        s.message(REMEDIATED),
        "Helm uninstall remediation for release ns/web.v1 with chart chart@0.2.0 succeeded"
    );
    let mut s = subject();
    let r = record::uninstall_remediated(&mut s, &about(), &written(&[&gone]), Some(&gone), Some("boom"), &now());
    assert_eq!((r.unstored, s.reason(REMEDIATED)), (None, "UninstallFailed"));
    let mut s = subject();
    let r = record::uninstall_remediated(&mut s, &about(), &written(&[]), Some(&bad), None, &now());
    assert_eq!(r.unstored.as_deref(), Some("uninstall completed with error: release not updated in Helm storage"));
    let mut s = subject();
    let other = record(5, Status::Uninstalling, "0.2.0", "");
    let r = record::uninstall_remediated(&mut s, &about(), &written(&[]), Some(&other), None, &now());
    assert!(
        r.unstored.unwrap().starts_with("release mismatch: uninstalled release ns/web.v5 != current release ns/web.v1")
    );

    // For good.
    for (what, result, w, ok, reason, message) in [
        (
            "done",
            Ok(Gone::Uninstalled),
            written(&[&gone]),
            true,
            "UninstallSucceeded",
            "Helm uninstall succeeded for release ns/web.v1 with chart chart@0.2.0",
        ),
        (
            "not found",
            Ok(Gone::NotFound),
            written(&[]),
            true,
            "UninstallSucceeded",
            "Release ns/web.v1 was not found, assuming it is uninstalled",
        ),
        (
            "done before",
            Ok(Gone::Already),
            written(&[]),
            true,
            "UninstallSucceeded",
            "Release ns/web.v1 was already uninstalled",
        ),
        (
            "failed",
            Err("boom".to_owned()),
            written(&[&gone]),
            false,
            "UninstallFailed",
            "Helm uninstall failed for release ns/web.v1 with chart chart@0.2.0: boom",
        ),
        (
            "no trace",
            Ok(Gone::Uninstalled),
            written(&[]),
            false,
            "UninstallFailed",
            "Helm uninstall failed for release ns/web.v1 with chart chart@0.2.0: uninstall completed with error: release not updated in Helm storage",
        ),
    ] {
        let mut s = subject();
        let (result, _) = record::uninstalled(&mut s, &about(), &w, None, result, &now());
        assert_eq!(result.is_ok(), ok, "{what}");
        assert_eq!((s.reason(RELEASED), s.message(RELEASED)), (reason, message), "{what}");
        assert!(s.is(READY, FALSE), "{what}");
    }
}

#[test]
fn unlocking() {
    let failed = record(2, Status::Failed, "0.2.0", "");
    let pending = record(2, Status::PendingUpgrade, "0.2.0", "");
    let mut s = release(json!({}), json!({}));
    s.status.history = vec![snapshot(&pending, "upgrade")];
    let r = record::unlocked(&mut s, &about(), &failed, Status::PendingUpgrade, None, &now());
    assert_eq!(history(&s), "2 failed upgrade");
    let text = "Unlocked Helm release ns/web.v2 with chart chart@0.2.0 in pending-upgrade state";
    assert_eq!((s.message(READY), s.reason(READY), s.is(READY, FALSE)), (text, "PendingRelease", true));
    assert_eq!(r.event.unwrap().severity, Severity::Normal);
    // Somebody else's: told, and not in the history.
    let mut s = release(json!({}), json!({}));
    record::unlocked(&mut s, &about(), &failed, Status::PendingUpgrade, None, &now());
    assert_eq!((history(&s).as_str(), s.message(RELEASED)), ("", text));
    let mut s = release(json!({}), json!({}));
    let r = record::unlocked(&mut s, &about(), &pending, Status::PendingUpgrade, Some("boom"), &now());
    assert_eq!((r.unstored.as_deref(), s.status.failures), (Some("boom"), 1));
    assert!(s.message(RELEASED).ends_with("in pending-upgrade state failed: boom"));
}
