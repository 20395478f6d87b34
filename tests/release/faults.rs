//! Never stuck: a process is killed before and after every write of every action, and the next command makes it good.
//!
//! The fault points are enumerated, not sampled: an action is run once to count them, then killed at each. What must hold afterwards: one
//! deployed revision (none, and nothing at all, after an uninstall), exactly the objects of that revision, no hooks, no mark, and a history
//! that tells of the interruption.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use pintle::cluster::directory::Directory;
use pintle::cluster::{Cluster, Gvk, Json, ObjectId};
use pintle::release::action::lock::{FileLocks, Locks, ObjectLocks};
use pintle::release::storage::{DirectoryStorage, Driver, Objects, Storage};
use pintle::release::{Record, Status};
use pintle::render::{Capabilities, Compat};

use tokio::runtime::Runtime;

use crate::support::cluster;

/// A place where one release lives for one case.
struct Place {
    release: String,
    command: Box<dyn Fn() -> Command + Send + Sync>,
    cluster: Arc<dyn Cluster>,
    storage: Arc<dyn Storage>,
    locks: Arc<dyn Locks>,
    namespace: String,
}

/// What a command sees of an action that is to be killed.
struct Case {
    name: &'static str,
    /// Commands that go before. One that begins with `KILLED` is killed when it has made its objects.
    before: &'static [&'static [&'static str]],
    /// The action whose every write is a fault point.
    killed: &'static [&'static str],
    /// The next command, and the version that is deployed then; empty: the release is gone.
    next: &'static [(&'static [&'static str], &'static [&'static str])],
}

const INSTALL_A: &[&str] = &["install", "NAME", "CHART", "--set=version=a"];
const UPGRADE_B: &[&str] = &["upgrade", "NAME", "CHART", "--set=version=b"];
const UPGRADE_C: &[&str] = &["upgrade", "NAME", "CHART", "--set=version=c"];
const ROLLBACK: &[&str] = &["rollback", "NAME", "1"];
const UNINSTALL: &[&str] = &["uninstall", "NAME", "--ignore-not-found"];
const RECOVER: &[&str] = &["recover", "NAME"];

/// Every action, killed everywhere, with what people do next. Several versions: it depends on how far the killed action came.
const CASES: &[Case] = &[
    Case {
        name: "install",
        before: &[],
        killed: INSTALL_A,
        next: &[
            (&["upgrade", "--install", "NAME", "CHART", "--set=version=b"], &["b"]),
            (RECOVER, &["a", ""]),
            (UNINSTALL, &[""]),
        ],
    },
    Case {
        name: "upgrade",
        before: &[INSTALL_A],
        killed: UPGRADE_B,
        next: &[
            (UPGRADE_C, &["c"]),
            (RECOVER, &["a", "b"]),
            (UPGRADE_B, &["b"]),
            (ROLLBACK, &["a"]),
            (&["recover", "NAME", "--finish"], &["a", "b"]),
            (UNINSTALL, &[""]),
        ],
    },
    Case {
        name: "rollback",
        before: &[INSTALL_A, UPGRADE_B],
        killed: ROLLBACK,
        next: &[(RECOVER, &["a", "b"]), (UPGRADE_C, &["c"]), (ROLLBACK, &["a"]), (UNINSTALL, &[""])],
    },
    Case {
        name: "uninstall",
        before: &[INSTALL_A, UPGRADE_B],
        killed: &["uninstall", "NAME"],
        next: &[
            (UNINSTALL, &[""]),
            (&["upgrade", "--install", "NAME", "CHART", "--set=version=c"], &["c"]),
            (RECOVER, &["", "b"]),
        ],
    },
    Case {
        name: "uninstall with history",
        before: &[INSTALL_A, UPGRADE_B],
        killed: &["uninstall", "NAME", "--keep-history"],
        next: &[(UNINSTALL, &[""]), (&["upgrade", "--install", "NAME", "CHART", "--set=version=c"], &["c"])],
    },
    // What the revision that goes had made is told by nobody until the new one is written.
    Case {
        name: "upgrade that makes room",
        before: &[INSTALL_A, &["KILLED", "upgrade", "NAME", "CHART", "--set=version=b"]],
        killed: &["upgrade", "NAME", "CHART", "--set=version=b", "--history-max=2"],
        next: &[(UPGRADE_C, &["c"]), (RECOVER, &["a", "b"]), (ROLLBACK, &["a"]), (UNINSTALL, &[""])],
    },
    Case {
        name: "failed upgrade that rolls back",
        before: &[INSTALL_A],
        killed: &["upgrade", "NAME", "CHART", "--set=version=Not_A_Name", "--rollback-on-failure"],
        next: &[(UPGRADE_B, &["b"]), (RECOVER, &["a"]), (ROLLBACK, &["a"]), (UNINSTALL, &[""])],
    },
];

fn chart() -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/charts/faults").display().to_string()
}

impl Place {
    fn run(&self, words: &[&str], environment: &[(&str, &str)]) -> Output {
        let chart = chart();
        let words = words.iter().map(|w| match *w {
            "NAME" => self.release.as_str(),
            "CHART" => chart.as_str(),
            w => w,
        });
        (self.command)().args(words).envs(environment.iter().copied()).output().unwrap()
    }

    /// What goes before an action that is to be killed.
    fn prepare(&self, case: &Case) {
        for words in case.before {
            let done = match words {
                ["KILLED", words @ ..] => self.run(words, &[("PINTLE_FAULT_POINT", "before update record")]),
                words => self.run(words, &[]),
            };
            let is_killed = words.first() == Some(&"KILLED");
            assert!(
                done.status.success() || is_killed && done.status.code().is_none(),
                "{}: {}",
                case.name,
                text(&done)
            );
        }
    }

    async fn records(&self) -> Vec<Record> {
        let mut out = Vec::new();
        for e in self.storage.entries(Some(&self.release)).await.unwrap_or_default() {
            out.push(self.storage.get(&e.name, e.version).await.unwrap());
        }
        out.sort_by_key(|r| r.version);
        out
    }

    /// The release's objects by kind and name, with the version they say.
    async fn objects(&self) -> BTreeMap<String, String> {
        let mut out = BTreeMap::new();
        for kind in ["ConfigMap", "Service"] {
            let found = self.cluster.list(&Gvk::new("", "v1", kind), Some(&self.namespace), "", "").await.unwrap();
            for object in found {
                let name = ObjectId::of(&object).name;
                let version = object.pointer("/data/version").and_then(Json::as_str).unwrap_or_default();
                if name == self.release || name.starts_with(&format!("{}-", self.release)) {
                    out.insert(format!("{kind} {name}"), version.to_string());
                }
            }
        }
        out
    }

    fn wanted(&self, version: &str) -> BTreeMap<String, String> {
        let r = &self.release;
        if version.is_empty() {
            return BTreeMap::new();
        }
        [
            (format!("ConfigMap {r}-both"), version.to_string()),
            (format!("ConfigMap {r}-only-{version}"), String::new()),
            (format!("Service {r}"), String::new()),
        ]
        .into()
    }
}

fn text(output: &Output) -> String {
    format!("{}{}{}", output.status, String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Checks what must hold after the next command.
async fn check(place: &Place, versions: &[&str], at: &str) {
    let records = place.records().await;
    let told: Vec<String> =
        records.iter().map(|r| format!("v{} {} {}", r.version, r.info.status, r.info.description)).collect();
    let at = format!("{at}\n{}", told.join("\n"));
    let deployed: Vec<&Record> = records.iter().filter(|r| r.info.status == Status::Deployed).collect();
    let objects = place.objects().await;
    let found = versions.iter().find(|v| objects == place.wanted(v));
    let Some(found) = found else { panic!("{at}\nobjects: {objects:?}\nwanted of one of {versions:?}") };
    if found.is_empty() {
        assert!(records.is_empty(), "{at}\nrecords are left of a release that is gone");
    } else {
        assert_eq!(deployed.len(), 1, "{at}\nhow many are deployed");
        let manifest = &deployed[0].manifest;
        assert!(manifest.contains(&format!("-only-{found}")), "{at}\nthe deployed revision is not what is there");
    }
    for r in &records {
        let ended = !r.info.status.is_pending() && r.info.status != Status::Uninstalling;
        assert!(ended, "{at}\nrevision {} is still {}", r.version, r.info.status);
    }
    let mark = place.locks.look(&place.release).await.unwrap();
    assert!(mark.is_none(), "{at}\na mark is left: {mark:?}");
}

/// Every next command.
const ALL: usize = usize::MAX;

/// Runs a case: counts the points, then kills at each and goes on with each next command.
/// `nexts`: how many of the next commands are tried at each point, in turn.
fn run(case: &Case, nexts: usize, place: &(dyn Fn(&Runtime) -> Place + Sync)) {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let count = {
        let place = place(&runtime());
        let trace = std::env::temp_dir().join(format!("pintle-trace-{}-{}", std::process::id(), place.release));
        place.prepare(case);
        let done = place.run(case.killed, &[("PINTLE_FAULT_TRACE", trace.to_str().unwrap())]);
        let lines = std::fs::read_to_string(&trace).unwrap_or_else(|e| panic!("{}: {e}\n{}", case.name, text(&done)));
        let _ = std::fs::remove_file(&trace);
        place.run(UNINSTALL, &[]);
        lines.lines().count()
    };
    assert!(count >= 10, "{}: {count} fault points", case.name);
    // In turn, so that every next command follows on some point where not all follow on each.
    let all = case.next.len();
    let jobs: Vec<(usize, usize)> = (1..=count)
        .flat_map(|point| (0..all.min(nexts)).map(move |n| (point, (point * nexts.min(all) + n) % all)))
        .collect();
    let at = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                let runtime = runtime();
                while let Some(&(point, next)) = jobs.get(at.fetch_add(1, Ordering::Relaxed)) {
                    let place = place(&runtime);
                    place.prepare(case);
                    let killed = place.run(case.killed, &[("PINTLE_FAULT_POINT", &point.to_string())]);
                    assert!(
                        killed.status.code().is_none(),
                        "{} was not killed at {point}: {}",
                        case.name,
                        text(&killed)
                    );
                    let (words, versions) = case.next[next];
                    let done = place.run(words, &[]);
                    let at = format!("{} killed at {point}, then {}: {}", case.name, words.join(" "), text(&done));
                    let absent = String::from_utf8_lossy(&done.stderr).contains("release: not found");
                    assert!(done.status.success() || (absent && versions.contains(&"")), "{at}");
                    runtime.block_on(check(&place, versions, &at));
                    if nexts == ALL {
                        place.run(UNINSTALL, &[]);
                        runtime.block_on(check(&place, &[""], &at));
                    }
                }
            });
        }
    });
}

/// A directory of its own for each case.
fn directory(_: &Runtime) -> Place {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    struct Removed(PathBuf);
    impl Drop for Removed {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }
    let n = COUNT.fetch_add(1, Ordering::Relaxed);
    let root = Removed(std::env::temp_dir().join(format!("pintle-faults-{}-{n}", std::process::id())));
    let storage = DirectoryStorage::new(&root.0, "prod");
    let capabilities = Capabilities::offline(Compat::default(), None, &[]);
    Place {
        release: "web".into(),
        cluster: Arc::new(Directory::new(&root.0, Arc::new(capabilities))),
        locks: Arc::new(FileLocks::new(storage.place())),
        storage: Arc::new(storage),
        namespace: "prod".into(),
        command: Box::new(move || {
            let mut command = Command::new(env!("CARGO_BIN_EXE_pintle"));
            command.args(["-n", "prod", "--target"]).arg(format!("dir:{}", root.0.display()));
            command
        }),
    }
}

#[test]
fn a_directory_is_never_stuck() {
    for case in CASES.iter().filter(|c| c.name != "failed upgrade that rolls back") {
        run(case, ALL, &directory);
    }
}

#[test]
fn a_cluster_is_never_stuck() {
    let ns = cluster::namespace("faults");
    let connection = ns.connection();
    let (kubeconfig, namespace) = (ns.kubeconfig(), ns.name().to_string());
    let place = move |runtime: &Runtime| {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let n = COUNT.fetch_add(1, Ordering::Relaxed);
        let kube = runtime.block_on(pintle::cluster::kube::Kube::connect(&connection)).unwrap();
        let api: Arc<dyn Cluster> = Arc::new(kube);
        let (kubeconfig, name) = (kubeconfig.clone(), namespace.clone());
        Place {
            release: format!("r{n}"),
            storage: Arc::new(Objects::new(api.clone(), Driver::Secret, Some(&namespace), "helm")),
            locks: Arc::new(ObjectLocks::new(api.clone(), &namespace, "Secret")),
            cluster: api,
            namespace: namespace.clone(),
            command: Box::new(move || {
                let mut command = Command::new(env!("CARGO_BIN_EXE_pintle"));
                command.env("KUBECONFIG", &kubeconfig).args(["-n", &name]);
                command
            }),
        }
    };
    // The rest of them is seen in a directory, where a case takes a tenth of the time; `PINTLE_FAULTS=all` takes the time.
    let nexts = if std::env::var("PINTLE_FAULTS").is_ok_and(|v| v == "all") { ALL } else { 2 };
    for case in CASES {
        run(case, nexts, &place);
    }
}
