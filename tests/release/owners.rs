//! Who works on a release: live owners are respected, dead ones are taken over, and what `helm` left is told apart.

use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use pintle::cluster::{Cluster, Gvk, Json, ObjectId, PatchType};
use pintle::release::action::lock::{LEASE, LockError, Locks, ObjectLocks, Owner};
use pintle::release::storage::{Driver, Objects, Storage};
use pintle::release::{Record, Status};
use serde_json::json;

use crate::support::chart;
use crate::support::cluster::{self, Namespace};

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// A chart whose Deployment becomes ready, or never.
fn deployment(ready: bool) -> String {
    let annotations = if ready { "" } else { "\n      annotations: {test/never-ready: \"true\"}" };
    let template = format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {{{{ .Release.Name }}}}}}\nspec:\n  selector: {{matchLabels: {{app: x}}}}\n  \
         template:\n    metadata:\n      labels: {{app: x}}{annotations}\n    spec:\n      nodeName: kwok-0\n      containers:\n      - name: \
         app\n        image: example.com/app:1\n"
    );
    chart::write("one", "", &[("templates/d.yaml", &template)]).display().to_string()
}

fn start(ns: &Namespace, words: &[&str]) -> Child {
    ns.command(env!("CARGO_BIN_EXE_pintle").as_ref())
        .args(words)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn signal(child: &Child, name: &str) {
    assert!(Command::new("kill").args([name, &child.id().to_string()]).status().unwrap().success());
}

fn storage(cluster: Arc<dyn Cluster>, ns: &Namespace) -> Objects {
    Objects::new(cluster, Driver::Secret, Some(ns.name()), "helm")
}

fn records(ns: &Namespace, name: &str) -> Vec<Record> {
    ns.run(async |cluster| {
        let storage = storage(Arc::new(cluster), ns);
        let mut out = Vec::new();
        for e in storage.entries(Some(name)).await.unwrap() {
            out.push(storage.get(name, e.version).await.unwrap());
        }
        out
    })
}

fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !done() {
        assert!(begin.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn pending(ns: &Namespace, name: &str, version: i64) -> bool {
    records(ns, name).iter().any(|r| r.version == version && r.info.status.is_pending())
}

#[test]
fn of_two_upgrades_one_works_and_the_other_says_who() {
    let ns = cluster::namespace("two");
    let (good, slow) = (deployment(true), deployment(false));
    assert!(ns.pintle(&["install", "web", &good]).status.success());
    let mut first = start(&ns, &["upgrade", "web", &slow, "--wait", "--timeout", "300s"]);
    wait_until("the upgrade began", || pending(&ns, "web", 2));
    let held = format!("held by upgrade to revision 2 by process {}", first.id());
    for words in [&["upgrade", "web", &good][..], &["rollback", "web"], &["uninstall", "web"], &["recover", "web"]] {
        let done = ns.pintle(words);
        let said = text(&done);
        assert!(!done.status.success(), "{said}");
        assert!(said.contains("another operation (install/upgrade/rollback) is in progress"), "{said}");
        assert!(said.contains(&held) && said.contains(", since 20"), "{said}");
    }
    // Helm sees a pending record, and no more.
    let helm = text(&ns.helm(&["upgrade", "web", &good]));
    assert!(helm.contains("another operation (install/upgrade/rollback) is in progress"), "{helm}");
    signal(&first, "-KILL");
    first.wait().unwrap();
    let done = ns.pintle(&["upgrade", "web", &good]);
    let said = text(&done);
    assert!(done.status.success() && said.contains("taking over from upgrade to revision 2"), "{said}");
    let told: Vec<(i64, Status)> = records(&ns, "web").iter().map(|r| (r.version, r.info.status)).collect();
    assert_eq!(told, [(1, Status::Superseded), (2, Status::Failed), (3, Status::Deployed)]);
    assert!(
        records(&ns, "web")[1]
            .info
            .description
            .starts_with("Release \"web\" interrupted: upgrade to revision 2 by process")
    );
}

#[test]
fn a_cancelled_action_ends_as_a_failed_revision() {
    let ns = cluster::namespace("cancelled");
    let slow = deployment(false);
    for (name, kill, undone) in [("int", "-INT", false), ("term", "-TERM", false), ("atomic", "-INT", true)] {
        let mut words = vec!["install", name, slow.as_str(), "--wait"];
        words.extend(undone.then_some("--rollback-on-failure"));
        let child = start(&ns, &words);
        wait_until("the install began", || pending(&ns, name, 1));
        signal(&child, kill);
        let done = child.wait_with_output().unwrap();
        let said = text(&done);
        assert_eq!(done.status.code(), Some(1), "{said}");
        assert!(
            said.contains(&format!("Release {name} has been cancelled.")) && said.contains("context canceled"),
            "{said}"
        );
        let left = records(&ns, name);
        if undone {
            assert!(left.is_empty(), "{said}");
        } else {
            assert_eq!(left[0].info.status, Status::Failed);
            assert_eq!(left[0].info.description, format!("Release \"{name}\" failed: context canceled"));
        }
    }
}

#[test]
fn what_helm_left_pending_is_respected_while_it_is_young() {
    let ns = cluster::namespace("helm-left");
    let (good, slow) = (deployment(true), deployment(false));
    for (name, way) in [("finished", None), ("undone", Some("--undo")), ("rolled", None)] {
        let first = if name == "rolled" { ns.helm(&["install", name, &good]) } else { ns.pintle(&["list"]) };
        assert!(first.status.success(), "{}", text(&first));
        let version = if name == "rolled" { 2 } else { 1 };
        let helm = cluster::peer("helm").join("helm");
        let mut child = ns
            .command(&helm)
            .args(["upgrade", "--install", name, &slow, "--wait"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        wait_until("helm began", || pending(&ns, name, version));
        signal(&child, "-KILL");
        child.wait().unwrap();
        let done = ns.pintle(&["upgrade", name, &good]);
        let said = text(&done);
        assert!(!done.status.success(), "{said}");
        assert!(said.contains("it was written by a program that leaves no mark of its life (helm)"), "{said}");
        assert!(said.contains(&format!("pintle recover {name}")), "{said}");
        let plan = text(&ns.pintle(&["recover", name, "--plan"]));
        assert!(plan.contains("no mark of its owner"), "{plan}");
        assert!(pending(&ns, name, version), "a plan wrote");
        let mut words = vec!["recover", name];
        words.extend(way);
        let done = ns.pintle(&words);
        assert!(done.status.success(), "{}", text(&done));
        let left = records(&ns, name);
        let deployed = left.iter().filter(|r| r.info.status == Status::Deployed).count();
        match way {
            Some(_) => assert!(left.is_empty()),
            None => assert_eq!(deployed, 1),
        }
        // And helm goes on with it.
        let done = ns.helm(&["upgrade", "--install", name, &good]);
        assert!(done.status.success(), "{}", text(&done));
    }
}

#[test]
fn what_helm_left_pending_is_taken_over_after_a_day_or_as_told() {
    let ns = cluster::namespace("helm-old");
    let good = deployment(true);
    assert!(ns.pintle(&["install", "web", &good]).status.success());
    let leave = |version, hours| {
        ns.run(async |cluster| {
            let storage = storage(Arc::new(cluster), &ns);
            let mut record = storage.get("web", 1).await.unwrap();
            record.version = version;
            record.info.status = Status::PendingUpgrade;
            record.info.last_deployed = (jiff::Timestamp::now() - jiff::SignedDuration::from_hours(hours)).to_string();
            storage.create(&record).await.unwrap();
        });
    };
    // An hour is nothing to a long --timeout.
    leave(2, 2);
    let said = text(&ns.pintle(&["upgrade", "web", &good]));
    assert!(said.contains("another operation (install/upgrade/rollback) is in progress"), "{said}");
    let done = ns.pintle(&["upgrade", "web", &good, "--take-over-after", "1h"]);
    let said = text(&done);
    assert!(done.status.success() && said.contains("revision 2 was left pending-upgrade"), "{said}");
    leave(4, 25);
    let done = ns.pintle(&["upgrade", "web", &good]);
    assert!(done.status.success(), "{}", text(&done));
    let told: Vec<(i64, Status)> = records(&ns, "web").iter().map(|r| (r.version, r.info.status)).collect();
    let want = [Status::Superseded, Status::Failed, Status::Superseded, Status::Failed, Status::Deployed];
    assert_eq!(told, (1..).zip(want).collect::<Vec<_>>());
}

#[test]
fn an_owner_elsewhere_is_watched() {
    let ns = cluster::namespace("elsewhere");
    let owner =
        |id: &str| Owner { id: id.into(), machine: "another".into(), host: "ci-7".into(), ..Owner::me("upgrade", 2) };
    let mark = |owner: &Owner| {
        json!({"apiVersion": "v1", "kind": "Secret", "type": "pintle.dev/lock.v1", "metadata": {
            "name": "sh.pintle.lock.v1.web", "namespace": ns.name(), "annotations": {"pintle.dev/owner": owner.to_json()}}})
    };
    ns.run(async |cluster| {
        let cluster: Arc<dyn Cluster> = Arc::new(cluster);
        let locks = ObjectLocks::new(cluster.clone(), ns.name(), "Secret");
        let options = cluster::write_options();
        // One that renews its mark lives.
        let mut other = owner("a");
        cluster.create(&mark(&other), &options).await.unwrap();
        let id = ObjectId::new(Gvk::new("", "v1", "Secret"), Some(ns.name()), "sh.pintle.lock.v1.web");
        let renewed = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            other.renewals += 1;
            let body: Json = json!({"metadata": {"annotations": {"pintle.dev/owner": other.to_json()}}});
            cluster.patch(&id, PatchType::Merge, &body, &options).await.unwrap();
        };
        let (refused, ()) = tokio::join!(locks.acquire("web", Owner::me("upgrade", 3), &|_| ()), renewed);
        match refused {
            Err(LockError::Held(owner)) => assert!(owner.words().contains("on ci-7, since ")),
            Err(e) => panic!("{e}"),
            Ok(_) => panic!("the mark of a live owner was taken"),
        }
        // The same one, silent from now on, is dead.
        let begin = Instant::now();
        let told = std::sync::atomic::AtomicBool::new(false);
        let waiting = |_: &Owner| told.store(true, std::sync::atomic::Ordering::Relaxed);
        let held = locks.acquire("web", Owner::me("upgrade", 3), &waiting).await.unwrap();
        assert!(begin.elapsed() >= LEASE && told.load(std::sync::atomic::Ordering::Relaxed));
        assert_eq!(held.dead.as_ref().map(|o| o.id.as_str()), Some("a"));
        assert_eq!(locks.look("web").await.unwrap().unwrap().revisions().collect::<Vec<_>>(), [2, 3]);
        // A mark that somebody else took is lost, and writes end.
        let lost = held.lost();
        cluster.delete(&id, pintle::cluster::Propagation::Background, None).await.unwrap();
        cluster.create(&mark(&owner("b")), &options).await.unwrap();
        for _ in 0..100 {
            if lost.is_set() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert!(lost.is_set(), "a lost mark is not seen");
        held.release().await;
        assert_eq!(locks.look("web").await.unwrap().unwrap().id, "b", "somebody else's mark was removed");
    });
}
