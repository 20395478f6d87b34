//! Records in the objects of a real API server, read by the real helm.

use std::path::PathBuf;
use std::sync::Arc;

use pintle::cluster::kube::Kube;
use pintle::cluster::{Cluster, Gvk, Json, ObjectId};
use pintle::release::Storage;
use pintle::release::query::{self, ListOptions};
use pintle::release::record::{Record, Status, StoredChart, StoredFile, key};
use pintle::release::storage::{Driver, Objects, StorageError};
use serde_json::json;

use crate::support::chart;
use crate::support::cluster::{self, Namespace, write_options};

fn record(name: &str, namespace: &str, version: i64, status: Status) -> Record {
    let mut record = Record { name: name.into(), namespace: namespace.into(), version, ..Record::default() };
    record.info.status = status;
    record.info.first_deployed = "2024-01-02T03:04:05Z".into();
    record.info.last_deployed = format!("2024-01-02T03:04:{:02}Z", version % 60);
    record.info.description = format!("revision {version}");
    let mut chart = StoredChart::default();
    let metadata = chart.metadata.get_or_insert_default();
    (metadata.name, metadata.version, metadata.api_version) = ("c".into(), "1.0.0".into(), "v2".into());
    record.chart = Some(chart);
    record.manifest = "---\n# Source: c/templates/a.yaml\nkind: ConfigMap\n".into();
    record
}

fn storage(cluster: &Kube, driver: Driver, namespace: Option<&str>) -> Objects {
    Objects::new(Arc::new(cluster.clone()), driver, namespace, "helm")
}

async fn one_life(cluster: &Kube, driver: Driver, ns: &str) {
    let storage = storage(cluster, driver, Some(ns));
    let mut first = record("life", ns, 1, Status::PendingInstall);
    first.labels.insert("team".into(), "blue".into());
    storage.create(&first).await.unwrap();
    assert!(matches!(storage.create(&first).await, Err(StorageError::AlreadyExists)));
    first.info.status = Status::Deployed;
    storage.update(&first).await.unwrap();
    let read = storage.get("life", 1).await.unwrap();
    assert_eq!(read.to_json(), first.to_json());
    assert_eq!(read.labels, first.labels);
    storage.create(&record("life", ns, 2, Status::Failed)).await.unwrap();
    let entries = storage.entries(Some("life")).await.unwrap();
    let seen: Vec<(i64, Status)> = entries.iter().map(|e| (e.version, e.status)).collect();
    assert_eq!(seen, [(1, Status::Deployed), (2, Status::Failed)]);
    assert_eq!(entries[0].labels["team"], "blue");
    assert_eq!(storage.last("life").await.unwrap().version, 2);
    assert!(matches!(storage.get("life", 3).await, Err(StorageError::NotFound)));
    assert!(matches!(storage.last("other").await, Err(StorageError::NotFound)));
    storage.delete("life", 2).await.unwrap();
    assert!(matches!(storage.delete("life", 2).await, Err(StorageError::NotFound)));
}

#[test]
fn records_live_in_secrets_and_configmaps() {
    let ns = cluster::namespace("records");
    ns.run(async |cluster: Kube| {
        for driver in [Driver::Secret, Driver::ConfigMap] {
            one_life(&cluster, driver, ns.name()).await;
        }
        let id = ObjectId::new(Gvk::new("", "v1", "Secret"), Some(ns.name()), &key("life", 1));
        let object = cluster.get(&id).await.unwrap().unwrap();
        assert_eq!(object["type"], "helm.sh/release.v1");
        assert_eq!(object["metadata"]["managedFields"][0]["manager"], "helm");
    });
    let helm = cluster::peer("helm").join("helm");
    for driver in ["secret", "configmap"] {
        let out =
            ns.command(&helm).env("HELM_DRIVER", driver).args(["history", "life", "-o", "json"]).output().unwrap();
        let history: Json = serde_json::from_slice(&out.stdout).unwrap();
        assert_eq!(history[0]["description"], "revision 1", "{driver}");
        let mut ours = ns.command(env!("CARGO_BIN_EXE_pintle").as_ref());
        let ours = ours.env("HELM_DRIVER", driver).args(["history", "life", "-o", "json"]).output().unwrap();
        assert_eq!(ours.stdout, out.stdout, "{driver}");
    }
}

#[test]
fn what_is_refused_is_told_as_helm_tells_it_of_each_driver() {
    let ns = cluster::namespace("records-refused");
    let chart = chart::write("refused", "", &[("templates/NOTES.txt", "hi\n")]);
    let chart = chart.to_str().unwrap();
    let helm = cluster::peer("helm").join("helm");
    let pintle = PathBuf::from(env!("CARGO_BIN_EXE_pintle"));
    for driver in ["secret", "configmap"] {
        for (words, says) in [
            (&["install", "x", chart, "-n", "no-such-namespace"][..], "not found"),
            (&["install", "x", chart, "-l", "a b=c"], "metadata.labels: Invalid value"),
            (&["upgrade", "y", chart, "-l", "name=z"], "no deployed releases"),
            (&["list", "--kube-as-user", "nobody"], "is forbidden"),
            (&["status", "x", "--kube-as-user", "nobody"], "is forbidden"),
            (&["history", "x", "--kube-as-user", "nobody"], "is forbidden"),
            (&["get", "values", "x", "--revision", "1", "--kube-as-user", "nobody"], "is forbidden"),
            (&["upgrade", "x", chart, "--kube-as-user", "nobody"], "is forbidden"),
            (&["uninstall", "x", "--kube-as-user", "nobody"], "is forbidden"),
        ] {
            let [theirs, ours] = [&helm, &pintle].map(|program| {
                let out = ns.command(program).env("HELM_DRIVER", driver).args(words).output().unwrap();
                let text = String::from_utf8_lossy(&out.stderr).into_owned();
                text.lines().find(|l| l.starts_with("Error: ")).unwrap_or_default().to_owned()
            });
            assert!(theirs.contains(says), "{driver}: {words:?}: {theirs}");
            assert_eq!(ours, theirs, "{driver}: {words:?}");
        }
    }
}

/// Stores something that is no record where one is looked for.
async fn spoil(cluster: &Kube, ns: &Namespace, name: &str, version: i64, stored: &str) {
    let object = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "helm.sh/release.v1",
        "metadata": {"name": key(name, version), "namespace": ns.name(),
            "labels": {"name": name, "owner": "helm", "status": "deployed", "version": version.to_string()}},
        "stringData": {"release": stored},
    });
    cluster.create(&object, &write_options()).await.unwrap();
}

#[test]
fn corrupt_records_are_passed_over_and_told() {
    let ns = cluster::namespace("corrupt");
    ns.run(async |cluster: Kube| {
        let storage = storage(&cluster, Driver::Secret, Some(ns.name()));
        storage.create(&record("half", ns.name(), 1, Status::Superseded)).await.unwrap();
        storage.create(&record("half", ns.name(), 2, Status::Deployed)).await.unwrap();
        spoil(&cluster, &ns, "half", 3, "H4sIAAAAAAAA").await;
        spoil(&cluster, &ns, "lost", 1, "!!!").await;
        spoil(&cluster, &ns, "number", 1, "NQ==").await;
        assert_eq!(storage.last("half").await.unwrap().version, 2);
        let warnings = storage.take_warnings();
        let want = "get: failed to decode data \"sh.helm.release.v1.half.v3\": unexpected EOF";
        assert_eq!(warnings, [want]);
        // A bomb: 200 MiB of blanks in a small Secret.
        let bomb = pintle::release::record::codec::pack(&vec![b' '; 200 << 20]);
        assert!(bomb.len() < 1 << 20);
        spoil(&cluster, &ns, "bomb", 1, &bomb).await;
        let e = storage.get("bomb", 1).await.unwrap_err().to_string();
        assert_eq!(
            e,
            "get: failed to decode data \"sh.helm.release.v1.bomb.v1\": the record's text is larger than 64 MiB"
        );
    });
    let out = ns.pintle(&["list", "-o", "json"]);
    let list: Json = serde_json::from_slice(&out.stdout).unwrap();
    let names: Vec<_> = list.as_array().unwrap().iter().map(|r| (&r["name"], &r["revision"])).collect();
    assert_eq!(names, [(&json!("half"), &json!("2"))]);
    let said = String::from_utf8(out.stderr).unwrap();
    for name in ["half.v3", "lost.v1", "number.v1", "bomb.v1"] {
        assert!(
            said.contains(&format!("passed over: get: failed to decode data \"sh.helm.release.v1.{name}\"")),
            "{said}"
        );
    }
    // Helm tells the same of what is whole.
    assert_eq!(ns.helm(&["list", "-o", "json"]).stdout, ns.pintle(&["list", "-o", "json"]).stdout);
    assert_eq!(ns.helm(&["history", "half"]).stdout, ns.pintle(&["history", "half"]).stdout);
}

#[test]
fn a_record_that_does_not_fit_is_refused_before_it_is_sent() {
    let ns = cluster::namespace("large");
    ns.run(async |cluster: Kube| {
        let storage = storage(&cluster, Driver::Secret, Some(ns.name()));
        let mut large = record("large", ns.name(), 1, Status::PendingInstall);
        // Bytes that do not compress.
        let mut seed = 1u64;
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 40) as u8
        })
        .take(900_000)
        .collect();
        let file = StoredFile { name: "docs/big.bin".into(), data: Some(noise.into()), ..StoredFile::default() };
        large.chart.get_or_insert_default().files = Some(vec![file]);
        let before = cluster.requests();
        let e = match storage.create(&large).await {
            Err(StorageError::TooLarge(e)) => e,
            other => panic!("{other:?}"),
        };
        assert_eq!(cluster.requests(), before, "nothing is sent");
        for word in [
            "chart files",
            "manifest",
            "docs/big.bin",
            "What helps: keep files that templates do not read out of the chart",
        ] {
            assert!(e.contains(word), "{e}");
        }
    });
}

#[test]
fn lists_fetch_what_they_show() {
    let ns = cluster::namespace("frugal");
    ns.run(async |cluster: Kube| {
        let storage = storage(&cluster, Driver::Secret, Some(ns.name()));
        for n in 0..12 {
            for version in 1..=3 {
                let status = if version == 3 { Status::Deployed } else { Status::Superseded };
                storage.create(&record(&format!("r{n:02}"), ns.name(), version, status)).await.unwrap();
            }
        }
        let count = cluster.requests();
        let found = query::list(&storage, &ListOptions::default()).await.unwrap().found;
        assert_eq!(found.len(), 12);
        assert!(found.iter().all(|s| s.version == 3));
        assert_eq!(cluster.requests() - count, 2, "metadata of all, and the deployed ones in one request");
        let count = cluster.requests();
        let options = ListOptions { filter: "^r0[01]$".into(), ..ListOptions::default() };
        assert_eq!(query::list(&storage, &options).await.unwrap().found.len(), 2);
        assert_eq!(cluster.requests() - count, 3, "metadata of all, and two records");
        let count = cluster.requests();
        assert_eq!(storage.last("r05").await.unwrap().version, 3);
        assert_eq!(cluster.requests() - count, 2, "metadata of one release, and one record");
        let count = cluster.requests();
        let history = query::history(&storage, "r05", 256).await.unwrap().found;
        assert_eq!(history.iter().map(|s| s.version).collect::<Vec<_>>(), [1, 2, 3]);
        assert!(cluster.requests() - count <= 4);
        // A newest revision that is superseded hides its release, as in Helm.
        storage.create(&record("r05", ns.name(), 4, Status::Superseded)).await.unwrap();
        let options = ListOptions { states: vec![Status::Deployed], ..ListOptions::default() };
        assert_eq!(query::list(&storage, &options).await.unwrap().found.len(), 11);
        let options = ListOptions { states: vec![Status::Superseded], ..ListOptions::default() };
        assert_eq!(query::list(&storage, &options).await.unwrap().found.len(), 25);
    });
    assert_eq!(ns.helm(&["list", "-o", "json"]).stdout, ns.pintle(&["list", "-o", "json"]).stdout);
    assert_eq!(ns.helm(&["list", "--deployed"]).stdout, ns.pintle(&["list", "--deployed"]).stdout);
}
