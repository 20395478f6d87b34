//! What state a release is in. Source of the rows: helm-controller `internal/reconcile/state_test.go`, `internal/action/{verify,reset}_test.go`.

use serde_json::{Value as Json, json};

use super::{record, release, snapshot, tested, wanted, with_test};
use crate::api::Snapshot;
use crate::controller::state::{State, determine, rendering_digests};
use crate::controller::subject::Subject;
use crate::controller::verify::{self, NotOurs, must_reset_failures, target_changed};
use crate::release::{Record, Status};

struct Row {
    what: &'static str,
    spec: Json,
    last: Option<Record>,
    history: Vec<Snapshot>,
    more: fn(&mut Subject),
    want: Result<(State, &'static str), &'static str>,
}

fn row(
    what: &'static str,
    spec: Json,
    last: Option<Record>,
    history: Vec<Snapshot>,
    want: Result<(State, &'static str), &'static str>,
) -> Row {
    Row { what, spec, last, history, more: |_| (), want }
}

#[test]
fn states() {
    use State::{Absent, Failed, InSync, Locked, OutOfSync, Unmanaged, Untested};
    let deployed = record(1, Status::Deployed, "0.1.0", "a: 1");
    let ours = || vec![snapshot(&deployed, "install")];
    let testing = || json!({"test": {"enable": true}});
    let good = with_test(deployed.clone(), "Succeeded");
    let bad = with_test(deployed.clone(), "Failed");
    let mut rows = vec![
        row("nothing stored", json!({}), None, vec![], Ok((Absent, "no release in storage for object"))),
        row(
            "nothing stored, with a history",
            json!({}),
            None,
            ours(),
            Ok((Absent, "no release in storage for object")),
        ),
        row("in sync", json!({}), Some(deployed.clone()), ours(), Ok((InSync, ""))),
        row(
            "somebody else's",
            json!({}),
            Some(deployed.clone()),
            vec![],
            Ok((Unmanaged, "found existing release in storage")),
        ),
        row(
            "uninstalled without a history",
            json!({}),
            Some(record(1, Status::Uninstalled, "0.1.0", "a: 1")),
            vec![],
            Ok((Absent, "found uninstalled release in storage")),
        ),
        row(
            "upgraded by somebody else",
            json!({}),
            Some(record(2, Status::Deployed, "0.1.0", "a: 1")),
            ours(),
            Ok((Unmanaged, "release not observed to be made for object")),
        ),
        row(
            "changed by somebody else",
            json!({}),
            Some(Record { manifest: "another".into(), ..deployed.clone() }),
            ours(),
            Ok((Unmanaged, "release not observed to be made for object")),
        ),
        row(
            "a digest that is none",
            json!({}),
            Some(deployed.clone()),
            vec![Snapshot { digest: "sha256:invalid".into(), ..snapshot(&deployed, "install") }],
            Ok((Unmanaged, "release digest verification error")),
        ),
        row(
            "a snapshot of an older form is not verified",
            json!({}),
            Some(deployed.clone()),
            vec![Snapshot { digest: "sha256:0".into(), api_version: "v1".into(), ..snapshot(&deployed, "install") }],
            Ok((InSync, "")),
        ),
        row("tests not run yet", testing(), Some(deployed.clone()), ours(), Ok((Untested, ""))),
        row("tests succeeded", testing(), Some(good.clone()), vec![tested(&good, "install")], Ok((InSync, ""))),
        row(
            "no tests in the chart",
            testing(),
            Some(deployed.clone()),
            vec![tested(&deployed, "install")],
            Ok((InSync, "")),
        ),
        row(
            "a test was not run",
            testing(),
            Some(with_test(deployed.clone(), "")),
            vec![tested(&with_test(deployed.clone(), ""), "install")],
            Ok((Untested, "")),
        ),
        // Without an attempt that is remembered there is nobody to act on a failed test.
        row(
            "a test failed, no attempt known",
            testing(),
            Some(bad.clone()),
            vec![tested(&bad, "install")],
            Ok((InSync, "")),
        ),
        row(
            "failed tests are ignored",
            json!({"test": {"enable": true, "ignoreFailures": true}}),
            Some(bad.clone()),
            vec![tested(&bad, "install")],
            Ok((InSync, "")),
        ),
        row(
            "a test failed that is not enabled",
            json!({}),
            Some(bad.clone()),
            vec![tested(&bad, "install")],
            Ok((InSync, "")),
        ),
    ];
    for (status, want) in [
        (Status::PendingInstall, Ok((Locked, "release with status 'pending-install'"))),
        (Status::PendingUpgrade, Ok((Locked, "release with status 'pending-upgrade'"))),
        (Status::PendingRollback, Ok((Locked, "release with status 'pending-rollback'"))),
        (Status::Failed, Ok((Failed, ""))),
        (Status::Uninstalled, Ok((Absent, "found uninstalled release in storage"))),
        (Status::Uninstalling, Err("unable to determine state for release with status 'uninstalling'")),
        (Status::Superseded, Err("unable to determine state for release with status 'superseded'")),
        (Status::Unknown, Err("unable to determine state for release with status 'unknown'")),
    ] {
        let last = record(1, status, "0.1.0", "a: 1");
        rows.push(row("a status", json!({}), Some(last.clone()), vec![snapshot(&last, "install")], want));
    }
    for (chart, values, reason) in [
        ("0.2.0", "a: 1", "release chart changed"),
        ("0.1.0+meta", "a: 1", "release chart changed"),
        ("0.1.0", "a: 2", "release config values changed"),
        ("0.1.0", "", "release config values changed"),
    ] {
        let mut subject = release(json!({}), json!({}));
        subject.status.history = ours();
        let found = determine(&subject, Some(&deployed), &wanted(chart, values)).unwrap();
        assert_eq!((found.state, found.reason.as_str()), (OutOfSync, reason), "{chart} {values}");
    }
    let attempted: fn(&mut Subject) = |s| s.status.last_attempted_release_action = "install".into();
    let failed_test = "release has test in failed phase";
    for (what, spec, want) in [
        ("a test failed", json!({}), Ok((Failed, failed_test))),
        (
            "a test failed, ignored by the remediation",
            json!({"install": {"remediation": {"ignoreTestFailures": true}}}),
            Ok((InSync, "")),
        ),
        (
            "a test failed, ignored in general but not by the remediation",
            json!({"test": {"ignoreFailures": true}, "install": {"remediation": {"ignoreTestFailures": false}}}),
            Ok((Failed, failed_test)),
        ),
    ] {
        let mut spec = spec;
        spec["test"]["enable"] = true.into();
        rows.push(Row { more: attempted, ..row(what, spec, Some(bad.clone()), vec![tested(&bad, "install")], want) });
    }
    for Row { what, spec, last, history, more, want } in rows {
        let mut subject = release(spec, json!({}));
        subject.status.history = history;
        more(&mut subject);
        let found = determine(&subject, last.as_ref(), &wanted("0.1.0", "a: 1"));
        let want = want.map(|(state, reason)| (state, reason.to_owned())).map_err(str::to_owned);
        assert_eq!(found.map(|f| (f.state, f.reason)), want, "{what}");
    }
}

#[test]
fn post_renderers_and_common_metadata_count_for_a_new_generation() {
    let deployed = record(1, Status::Deployed, "0.1.0", "");
    let spec = json!({
        "postRenderers": [{"kustomize": {"images": [{"name": "a", "newTag": "b"}]}}],
        "commonMetadata": {"labels": {"a": "b"}},
    });
    let (renderers, metadata) = rendering_digests(&release(spec.clone(), json!({})));
    for (observed, post, common, want) in [
        // Seen already: what is remembered does not matter.
        (1, "", "", ""),
        (1, "sha256:0", "sha256:0", ""),
        (0, "", metadata.as_str(), "postrenderers digest has changed"),
        (0, "sha256:0", metadata.as_str(), "postrenderers digest has changed"),
        (0, renderers.as_str(), "", "common metadata digest has changed"),
        (0, renderers.as_str(), metadata.as_str(), ""),
    ] {
        let mut subject = release(spec.clone(), json!({}));
        subject.status.history = vec![snapshot(&deployed, "install")];
        subject.status.observed_generation = observed;
        subject.status.observed_post_renderers_digest = post.into();
        subject.status.observed_common_metadata_digest = common.into();
        let found = determine(&subject, Some(&deployed), &wanted("0.1.0", "")).unwrap();
        let state = if want.is_empty() { State::InSync } else { State::OutOfSync };
        assert_eq!((found.state, found.reason.as_str()), (state, want), "{observed} {post} {common}");
    }
    // They are gone from the spec, too.
    let mut subject = release(json!({}), json!({}));
    subject.status.history = vec![snapshot(&deployed, "install")];
    subject.status.observed_post_renderers_digest = renderers;
    let found = determine(&subject, Some(&deployed), &wanted("0.1.0", "")).unwrap();
    assert_eq!(found.state, State::OutOfSync);
}

#[test]
fn snapshots_verify_under_every_algorithm() {
    use crate::values::digest::Algorithm;
    let stored = record(3, Status::Deployed, "0.1.0", "a: 1");
    for algorithm in [Algorithm::Sha256, Algorithm::Sha384, Algorithm::Sha512, Algorithm::Blake3] {
        let taken = crate::controller::history::observe(&stored, "upgrade", "sha256:oci", algorithm).unwrap();
        assert_eq!(verify::object(&taken, &stored), Ok(()));
        assert_eq!(
            verify::object(&Snapshot { oci_digest: String::new(), ..taken.clone() }, &stored),
            Err(NotOurs::NotObserved)
        );
        assert!(wanted("0.1.0", "a: 1").has_values(&taken.config_digest));
        assert!(!wanted("0.1.0", "a: 2").has_values(&taken.config_digest));
    }
    let taken = Snapshot { digest: format!("blake3:{}", "0".repeat(64)), ..snapshot(&stored, "upgrade") };
    assert_eq!(verify::object(&taken, &stored), Err(NotOurs::NotObserved));
    for bad in ["", "sha256", "sha256:", "sha256:zz", "md5:00", "sha256:ABCDEF"] {
        let taken = Snapshot { digest: bad.into(), ..snapshot(&stored, "upgrade") };
        assert_eq!(verify::object(&taken, &stored), Err(NotOurs::Digest), "{bad}");
    }
    assert!(!wanted("", "").has_values("") && !wanted("", "").has_values("sha1:00"));
}

#[test]
fn a_release_that_is_to_live_elsewhere() {
    let current = snapshot(&record(1, Status::Deployed, "0.1.0", ""), "install");
    let long = "a-name-that-is-quite-long-for-a-release-and-must-be-cut-short";
    let cut = crate::repo::short_name(long);
    for (what, spec, storage, history, chart, want) in [
        ("nothing installed", json!({}), "", vec![current.clone()], "chart", None),
        ("no history", json!({}), "ns", vec![], "chart", None),
        ("the same", json!({}), "ns", vec![current.clone()], "chart", None),
        (
            "storage",
            json!({"storageNamespace": "other"}),
            "ns",
            vec![current.clone()],
            "chart",
            Some("storage namespace"),
        ),
        (
            "target",
            json!({"targetNamespace": "other", "releaseName": "web"}),
            "ns",
            vec![current.clone()],
            "chart",
            Some("release namespace"),
        ),
        ("name", json!({"releaseName": "other"}), "ns", vec![current.clone()], "chart", Some("release name")),
        ("chart", json!({}), "ns", vec![current.clone()], "other", Some("chart name")),
        (
            "a long name, cut",
            json!({"releaseName": long}),
            "ns",
            vec![Snapshot { name: cut, ..current.clone() }],
            "chart",
            None,
        ),
        (
            "both",
            json!({"storageNamespace": "a", "targetNamespace": "b"}),
            "ns",
            vec![current.clone()],
            "x",
            Some("storage namespace"),
        ),
    ] {
        let mut subject = release(spec, json!({"storageNamespace": storage}));
        subject.status.history = history;
        assert_eq!(target_changed(&subject, chart), want, "{what}");
    }
}

#[test]
fn failures_are_counted_anew() {
    let digest = wanted("0.1.0", "a: 1").config_digest(Default::default());
    for (what, status, annotations, want) in [
        ("the same", json!({}), json!({}), None),
        ("generation", json!({"lastAttemptedGeneration": 5}), json!({}), Some("generation differs from last attempt")),
        (
            "chart",
            json!({"lastAttemptedRevision": "0.0.1"}),
            json!({}),
            Some("chart version differs from last attempt"),
        ),
        (
            "values",
            json!({"lastAttemptedConfigDigest": format!("sha256:{}", "0".repeat(64))}),
            json!({}),
            Some("values differ from last attempt"),
        ),
        ("no digest known", json!({"lastAttemptedConfigDigest": ""}), json!({}), None),
        ("a token", json!({}), json!({"requestedAt": "t", "resetAt": "t"}), Some("reset requested through annotation")),
        (
            "a token that was handled",
            json!({"lastHandledResetAt": "t"}),
            json!({"requestedAt": "t", "resetAt": "t"}),
            None,
        ),
        ("another token", json!({}), json!({"requestedAt": "u", "resetAt": "t"}), None),
        (
            "reconciled already",
            json!({"lastHandledReconcileAt": "t"}),
            json!({"requestedAt": "t", "resetAt": "t"}),
            None,
        ),
    ] {
        let mut whole = json!({"lastAttemptedGeneration": 1, "lastAttemptedRevision": "0.1.0", "lastAttemptedConfigDigest": digest});
        super::apply(&mut whole, &status);
        let mut subject = release(json!({}), whole);
        for (key, value) in annotations.as_object().unwrap() {
            subject.annotations.insert(format!("reconcile.fluxcd.io/{key}"), value.as_str().unwrap().into());
        }
        assert_eq!(must_reset_failures(&mut subject, &wanted("0.1.0", "a: 1")), want, "{what}");
        // It is seen, whether it acts or not.
        if annotations.get("resetAt").is_some() {
            assert_eq!(subject.status.last_handled_reset_at, "t", "{what}");
        }
    }
}
