//! Records that a controller has left which died before it could write the status.

use serde_json::json;

use super::{now, record, release, snapshot};
use crate::api::Snapshot;
use crate::api::condition::{READY, RELEASED, REMEDIATED, TRUE};
use crate::controller::action::Action;
use crate::controller::claim::{Attempt, announce, claim, inherit, settle};
use crate::controller::record::{self, About};
use crate::controller::subject::Subject;
use crate::controller::verify;
use crate::release::{Record, Status};

/// A record whose objects bear a HelmRelease's name.
fn of(record: Record, name: &str) -> Record {
    let labels = format!("{{helm.toolkit.fluxcd.io/name: {name}, helm.toolkit.fluxcd.io/namespace: ns}}");
    let manifest = format!("---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: c\n  labels: {labels}\n");
    Record { manifest, ..record }
}

fn ours(version: i64, status: Status, chart: &str, values: &str) -> Record {
    of(record(version, status, chart, values), "web")
}

fn history(subject: &Subject) -> String {
    let text = |s: &Snapshot| format!("{} {} {}", s.version, s.status, s.action);
    subject.status.history.iter().map(text).collect::<Vec<_>>().join(", ")
}

/// `ns/web`, whose attempt of an upgrade to `0.2.0` with `a: 2` is under way.
fn attempting(history: Vec<Snapshot>) -> (Subject, Attempt) {
    let attempted = snapshot(&record(9, Status::Deployed, "0.2.0", "a: 2"), "upgrade");
    let mut subject = release(
        json!({}),
        json!({"lastAttemptedReleaseAction": "upgrade", "lastAttemptedRevision": "0.2.0", "lastAttemptedConfigDigest": attempted.config_digest}),
    );
    subject.status.history = history;
    let attempt = Attempt::of(&subject.status);
    (subject, attempt)
}

#[test]
fn what_was_attempted_is_claimed() {
    let first = ours(1, Status::Deployed, "0.1.0", "a: 1");
    let known = || vec![snapshot(&first, "install")];
    let failed = || vec![snapshot(&ours(2, Status::Failed, "0.2.0", "a: 2"), "upgrade"), known().remove(0)];
    for (what, history_before, last, want) in [
        ("what is known", known(), first.clone(), None),
        (
            "under way",
            known(),
            ours(2, Status::PendingUpgrade, "0.2.0", "a: 2"),
            Some("2 pending-upgrade upgrade, 1 deployed install"),
        ),
        ("failed", known(), ours(2, Status::Failed, "0.2.0", "a: 2"), Some("2 failed upgrade, 1 deployed install")),
        ("done", known(), ours(2, Status::Deployed, "0.2.0", "a: 2"), Some("2 deployed upgrade, 1 deployed install")),
        (
            "its uninstall was interrupted",
            known(),
            ours(2, Status::Uninstalling, "0.2.0", "a: 2"),
            Some("2 uninstalling upgrade, 1 deployed install"),
        ),
        (
            "known in another status",
            failed(),
            ours(2, Status::Deployed, "0.2.0", "a: 2"),
            Some("2 deployed upgrade, 1 deployed install"),
        ),
        (
            "rolled back",
            failed(),
            ours(3, Status::Deployed, "0.1.0", "a: 1"),
            Some("3 deployed rollback, 2 failed upgrade, 1 deployed install"),
        ),
        (
            "being rolled back",
            failed(),
            ours(3, Status::PendingRollback, "0.1.0", "a: 1"),
            Some("3 pending-rollback rollback, 2 failed upgrade, 1 deployed install"),
        ),
        // Nothing of ours.
        ("helm's", known(), record(2, Status::Deployed, "0.2.0", "a: 2"), None),
        ("another object's", known(), of(record(2, Status::Deployed, "0.2.0", "a: 2"), "shop"), None),
        ("other values", known(), ours(2, Status::Deployed, "0.2.0", "a: 3"), None),
        ("another chart", known(), ours(2, Status::Deployed, "0.3.0", "a: 2"), None),
        ("uninstalled", known(), ours(2, Status::Uninstalled, "0.2.0", "a: 2"), None),
        ("older than what is known", failed(), ours(1, Status::Deployed, "0.2.0", "a: 2"), None),
        ("another name", known(), Record { name: "shop".into(), ..ours(2, Status::Deployed, "0.2.0", "a: 2") }, None),
    ] {
        let (mut subject, attempt) = attempting(history_before);
        let before = history(&subject);
        let (claimed, event) = claim(&mut subject, &attempt, &last, &About::default(), &now());
        assert_eq!((claimed, history(&subject).as_str()), (want.is_some(), want.unwrap_or(&before)), "{what}");
        if claimed {
            let taken = &subject.status.history[0];
            assert_eq!(verify::object(taken, &last), Ok(()), "{what}");
            assert_eq!(event.is_some(), last.info.status == Status::Deployed, "{what}");
        }
    }
}

#[test]
fn conditions_tell_of_what_was_done() {
    let first = ours(1, Status::Deployed, "0.1.0", "a: 1");
    let (mut s, attempt) = attempting(vec![snapshot(&first, "install")]);
    claim(&mut s, &attempt, &ours(2, Status::Deployed, "0.2.0", "a: 2"), &About::default(), &now());
    assert_eq!(
        (s.is(READY, TRUE), s.reason(READY), s.reason(RELEASED)),
        (true, "UpgradeSucceeded", "UpgradeSucceeded")
    );
    let failed = ours(2, Status::Failed, "0.2.0", "a: 2");
    let (mut s, attempt) = attempting(vec![snapshot(&failed, "upgrade"), snapshot(&first, "install")]);
    claim(&mut s, &attempt, &ours(3, Status::Deployed, "0.1.0", "a: 1"), &About::default(), &now());
    assert_eq!((s.is(READY, TRUE), s.reason(READY), s.is(REMEDIATED, TRUE)), (false, "RollbackSucceeded", true));
}

#[test]
fn a_first_installation_is_announced() {
    let about = About { chart: "chart".into(), version: "0.2.0".into(), ..About::default() };
    let mut s = release(json!({"releaseName": "shop"}), json!({}));
    announce(&mut s, Action::Install, &about, 0, &now());
    assert_eq!((history(&s).as_str(), s.status.history[0].name.as_str()), ("1 pending-install install", "shop"));
    // Where it was to be is known when the spec says something else by now; nobody takes it for a release.
    s.status.storage_namespace = "ns".into();
    let mut moved = release(json!({"releaseName": "other"}), json!({}));
    moved.status = s.status.clone();
    assert_eq!(verify::target_changed(&moved, "chart"), Some("release name"));
    assert!(verify::object(&s.status.history[0], &record(1, Status::Deployed, "0.2.0", "")).is_err());
    // It is gone with the action's end, or when nothing came of it.
    record::begin(&mut s, Action::Install);
    assert_eq!(history(&s), "");
    announce(&mut s, Action::Upgrade, &about, 4, &now());
    assert_eq!(history(&s), "5 pending-upgrade upgrade");
    settle(&mut s);
    assert_eq!(history(&s), "");
    // What is known says it as well.
    s.status.history = vec![snapshot(&record(1, Status::Deployed, "0.1.0", ""), "install")];
    announce(&mut s, Action::Upgrade, &about, 1, &now());
    announce(&mut s, Action::Test, &about, 1, &now());
    assert_eq!(
        (history(&s).as_str(), s.status.last_attempted_release_action.as_str()),
        ("1 deployed install", "upgrade")
    );
}

#[test]
fn what_bears_the_name_is_uninstalled_whatever_was_attempted_since() {
    let about = About { chart: "chart".into(), version: "0.2.0".into(), ..About::default() };
    for (what, last, want) in [
        ("ours", Some(ours(7, Status::Failed, "0.1.0", "a: 9")), "7 failed upgrade"),
        ("being uninstalled", Some(ours(7, Status::Uninstalling, "0.1.0", "a: 9")), "7 uninstalling upgrade"),
        ("uninstalled", Some(ours(7, Status::Uninstalled, "0.1.0", "a: 9")), ""),
        ("helm's", Some(record(7, Status::Deployed, "0.1.0", "a: 9")), ""),
        ("nothing", None, ""),
    ] {
        let (mut s, _) = attempting(vec![]);
        announce(&mut s, Action::Upgrade, &about, 7, &now());
        inherit(&mut s, last.as_ref(), Default::default());
        assert_eq!(history(&s), want, "{what}");
    }
}
