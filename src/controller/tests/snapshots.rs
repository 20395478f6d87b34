//! Histories and names. Source of the rows: helm-controller `api/v2/snapshot_types_test.go`, `internal/release/name_test.go`.

use serde_json::json;

use super::{record, release, snapshot, tested, with_test};
use crate::api::Snapshot;
use crate::controller::history;
use crate::release::Status;

fn of(version: i64, status: Status, test: Option<&str>) -> Snapshot {
    let record = record(version, status, "0.1.0", "");
    match test {
        Some(phase) => tested(&with_test(record, phase), "upgrade"),
        None => snapshot(&record, "upgrade"),
    }
}

#[test]
fn what_may_be_rolled_back_to() {
    use Status::{Deployed, Failed, Superseded, Uninstalled};
    for (what, list, ignore, want) in [
        ("empty", vec![], false, None),
        ("one", vec![of(1, Deployed, None)], false, None),
        ("a superseded one", vec![of(2, Deployed, None), of(1, Superseded, None)], false, Some(1)),
        ("in another order", vec![of(1, Superseded, None), of(3, Failed, None), of(2, Deployed, None)], false, Some(2)),
        (
            "failed ones between",
            vec![of(4, Failed, None), of(3, Failed, None), of(2, Superseded, None), of(1, Superseded, None)],
            false,
            Some(2),
        ),
        ("only failed ones", vec![of(2, Failed, None), of(1, Failed, None)], false, None),
        ("uninstalled", vec![of(2, Failed, None), of(1, Uninstalled, None)], false, None),
        (
            "failed tests",
            vec![of(3, Failed, None), of(2, Superseded, Some("Failed")), of(1, Superseded, Some("Succeeded"))],
            false,
            Some(1),
        ),
        (
            "failed tests are ignored",
            vec![of(3, Failed, None), of(2, Superseded, Some("Failed")), of(1, Superseded, None)],
            true,
            Some(2),
        ),
    ] {
        assert_eq!(history::previous(&list, ignore).map(|s| s.version), want, "{what}");
    }
}

#[test]
fn histories_are_cut() {
    use Status::{Deployed, Failed, Superseded};
    let versions = |list: &[Snapshot]| list.iter().map(|s| s.version).collect::<Vec<_>>();
    for (what, list, ignore, want) in [
        ("one", vec![of(1, Deployed, None)], false, vec![1]),
        ("two", vec![of(1, Superseded, None), of(2, Deployed, None)], false, vec![2, 1]),
        ("three", vec![of(3, Deployed, None), of(2, Superseded, None), of(1, Superseded, None)], false, vec![3, 2]),
        (
            "failed ones stay between",
            vec![of(4, Deployed, None), of(3, Failed, None), of(2, Superseded, None), of(1, Superseded, None)],
            false,
            vec![4, 3, 2],
        ),
        (
            "failed tests",
            vec![of(3, Deployed, None), of(2, Superseded, Some("Failed")), of(1, Superseded, None)],
            false,
            vec![3, 2, 1],
        ),
        (
            "failed tests are ignored",
            vec![of(3, Deployed, None), of(2, Superseded, Some("Failed")), of(1, Superseded, None)],
            true,
            vec![3, 2],
        ),
        ("no good one, few", vec![of(3, Failed, None), of(2, Failed, None), of(1, Failed, None)], false, vec![3, 2, 1]),
        ("no good one, many", (1..=8).map(|v| of(v, Failed, None)).collect(), false, vec![8, 7, 6, 5, 4]),
    ] {
        let mut list = list;
        history::truncate(&mut list, ignore);
        assert_eq!(versions(&list), want, "{what}");
    }
    let mut list: Vec<Snapshot> = (1..=8).map(|v| of(v, Superseded, None)).collect();
    history::keep_newest(&mut list);
    assert_eq!(versions(&list), [8, 7, 6, 5, 4]);
}

#[test]
fn when_a_release_counts_as_tested() {
    let hooks = |phases: &[&str]| {
        let hooks = phases.iter().enumerate().map(|(i, p)| {
            (format!("t{i}"), crate::api::snapshot::TestHookStatus { phase: (*p).into(), ..Default::default() })
        });
        Snapshot { test_hooks: Some(hooks.collect()), ..of(1, Status::Deployed, None) }
    };
    assert!(!of(1, Status::Deployed, None).has_been_tested());
    for (phases, want) in [
        (vec![], true),
        (vec!["Succeeded"], true),
        (vec!["Failed"], true),
        (vec!["Succeeded", "Failed"], true),
        (vec!["Failed", ""], true),
        (vec![""], false),
        (vec!["Unknown"], false),
        (vec!["Running"], false),
        (vec!["Succeeded", "Running"], false),
        (vec!["Succeeded", ""], false),
    ] {
        assert_eq!(hooks(&phases).has_been_tested(), want, "{phases:?}");
    }
}

#[test]
fn names_of_releases() {
    for (spec, want, namespace, storage) in [
        (json!({}), "web", "ns", "ns"),
        (json!({"targetNamespace": "prod"}), "prod-web", "prod", "ns"),
        (json!({"targetNamespace": "prod", "releaseName": "shop"}), "shop", "prod", "ns"),
        (json!({"storageNamespace": "helm", "releaseName": "shop"}), "shop", "ns", "helm"),
        (
            json!({"releaseName": "release-name-with-very-long-name-which-is-longer-than-53-characters"}),
            "release-name-with-very-long-name-which-i-788ca0d0d7b0",
            "ns",
            "ns",
        ),
    ] {
        let subject = release(spec, json!({}));
        assert_eq!(
            (subject.release_name().as_str(), subject.release_namespace(), subject.storage_namespace()),
            (want, namespace, storage)
        );
    }
}

#[test]
fn a_snapshot_has_the_form_of_flux() {
    let mut stored = record(3, Status::Deployed, "1.2.3", "b: 1\na: x");
    stored.info.last_deployed = "2026-01-02T03:04:05.678901234+01:00".into();
    let mut taken =
        serde_json::to_value(history::observe(&stored, "upgrade", "sha256:oci", Default::default()).unwrap()).unwrap();
    let digest = taken.as_object_mut().unwrap().remove("digest").unwrap();
    assert!(digest.as_str().unwrap().starts_with("sha256:"));
    let config = super::wanted("", "a: x\nb: 1").config_digest(Default::default());
    assert_eq!(
        taken,
        json!({"apiVersion": "v2", "name": "web", "namespace": "ns", "version": 3, "status": "deployed", "action": "upgrade",
            "chartName": "chart", "chartVersion": "1.2.3", "configDigest": config, "firstDeployed": "2026-01-01T00:00:00Z",
            "lastDeployed": "2026-01-02T02:04:05Z", "ociDigest": "sha256:oci"})
    );
}
