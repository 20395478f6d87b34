//! Chaos: controllers are killed at random over many cycles while releases install, upgrade, fail, roll back, move and go; the API server dies
//! or stops for a while, Leases are lost, and at times two controllers run without leader election. In the end all is as the specs say.
//!
//! The short form is part of the suite. The long one:
//! `PINTLE_CHAOS="cycles=200 releases=100 seed=7" cargo test --test controller chaos -- --nocapture`
//! (`program=PATH` runs another build of the program.)

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use pintle::cluster::kube::Kube;
use pintle::cluster::{Cluster, ClusterError, Gvk, Json, ObjectId, PatchType, Propagation};
use pintle::release::Storage;
use pintle::release::storage::{Driver, Objects};
use serde_json::json;

use crate::support::cluster::{namespace_in, own_control_plane, runtime, write_options};
use crate::world::{CONFIG, Release, World, package};

/// An object that only this version of the chart has.
const EXTRA: (&str, &str) = (
    "templates/extra.yaml",
    "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}-only-{{ .Chart.Version | replace \".\" \"-\" }}\ndata: {a: b}\n",
);
/// Refused by the API server.
const REFUSED: (&str, &str) = (
    "templates/refused.yaml",
    "{{ if .Values.refuse }}\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: NOT-A-NAME\n{{ end }}\n",
);
/// Never ready.
const SLOW: (&str, &str) = (
    "templates/slow.yaml",
    "{{ if .Values.slow }}\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {{ .Release.Name }}-slow\nspec:\n  replicas: 1\n  \
     selector: {matchLabels: {app: a}}\n  template:\n    metadata: {labels: {app: a}, annotations: {test/never-ready: \"\"}}\n    \
     spec: {containers: [{name: c, image: i}]}\n{{ end }}\n",
);
const HOOK: (&str, &str) = (
    "templates/hook.yaml",
    "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}-hook\n  annotations:\n    helm.sh/hook: pre-install,pre-upgrade\n    \
     helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded\n",
);
const VERSIONS: u64 = 4;
const MANAGED: &str = "app.kubernetes.io/managed-by=Helm";

/// Numbers by chance, the same for a seed.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % n
    }

    fn percent(&mut self, p: u64) -> bool {
        self.below(100) < p
    }

    fn millis(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(from + self.below(to - from))
    }
}

/// What a release is to be.
#[derive(Clone, Default)]
struct Wish {
    version: u64,
    text: String,
    refuse: bool,
    slow: bool,
    renamed: bool,
}

/// How releases of one kind are to be remedied.
const KINDS: usize = 5;

fn spec(i: usize, wish: &Wish) -> Json {
    let (install, upgrade) = match i % KINDS {
        0 => (json!({"remediation": {"retries": 2}}), json!({"remediation": {"retries": 1}})),
        1 => (json!({}), json!({})),
        2 => {
            let again = json!({"strategy": {"name": "RetryOnFailure", "retryInterval": "1s"}});
            (again.clone(), again)
        }
        3 => (json!({"remediation": {"retries": 1}}), json!({"remediation": {"retries": 1, "strategy": "uninstall"}})),
        _ => (json!({"remediation": {"retries": -1}}), json!({"remediation": {"retries": -1}})),
    };
    json!({
        "interval": "1h", "timeout": "4s", "install": install, "upgrade": upgrade,
        "chartRef": {"kind": "HelmChart", "name": format!("web-{}", wish.version + 1)},
        "releaseName": release_name(i, wish.renamed),
        "driftDetection": if i % KINDS == 4 { json!({"mode": "enabled"}) } else { Json::Null },
        "values": {"text": wish.text, "refuse": wish.refuse, "slow": wish.slow},
    })
}

fn name(i: usize) -> String {
    format!("r{i:03}")
}

fn release_name(i: usize, renamed: bool) -> String {
    if renamed { format!("{}-b", name(i)) } else { name(i) }
}

/// The test's own hand on the cluster: it tries again while the API server is away.
struct Hand {
    kube: Kube,
    runtime: tokio::runtime::Runtime,
    ns: String,
}

impl Hand {
    fn keep<T>(&self, work: impl AsyncFn(&Kube) -> Result<T, ClusterError>) -> T {
        let begin = Instant::now();
        loop {
            match self.runtime.block_on(async { tokio::time::timeout(Duration::from_secs(10), work(&self.kube)).await })
            {
                Ok(Ok(done)) => return done,
                failed => assert!(
                    begin.elapsed() < Duration::from_secs(120),
                    "the API server does not come back: {:?}",
                    failed.err()
                ),
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    fn id(&self, i: usize) -> ObjectId {
        ObjectId::new(Gvk::parse(pintle::api::HELM_API, "HelmRelease"), Some(&self.ns), &name(i))
    }

    fn get(&self, i: usize) -> Option<Json> {
        self.keep(async |kube| kube.get(&self.id(i)).await)
    }

    fn list(&self, api: &str, kind: &str, labels: &str) -> Vec<Json> {
        self.keep(async |kube| kube.list(&Gvk::parse(api, kind), Some(&self.ns), labels, "").await)
    }

    /// Makes or changes a release; false if it is still on its way out.
    fn wish(&self, i: usize, wish: &Wish) -> bool {
        match self.get(i) {
            Some(found) if found.pointer("/metadata/deletionTimestamp").is_some() => false,
            Some(_) => {
                let body = json!({"spec": spec(i, wish)});
                self.keep(async |kube| {
                    match kube.patch(&self.id(i), PatchType::Merge, &body, &write_options()).await {
                        Err(e) if e.is_not_found() => Ok(()),
                        done => done.map(|_| ()),
                    }
                });
                true
            }
            None => {
                let object = json!({"apiVersion": pintle::api::HELM_API, "kind": "HelmRelease",
                    "metadata": {"name": name(i), "namespace": self.ns}, "spec": spec(i, wish)});
                self.keep(async |kube| match kube.create(&object, &write_options()).await {
                    Err(e) if e.is_already_exists() => Ok(()),
                    done => done.map(|_| ()),
                });
                true
            }
        }
    }

    fn delete(&self, i: usize) {
        self.keep(async |kube| kube.delete(&self.id(i), Propagation::Background, None).await);
    }

    fn delete_lease(&self) {
        let id = ObjectId::new(
            Gvk::new("coordination.k8s.io", "v1", "Lease"),
            Some(&self.ns),
            "helm-controller-leader-election",
        );
        self.keep(async |kube| kube.delete(&id, Propagation::Background, None).await);
    }

    /// Somebody else says that it leads.
    fn take_lease(&self) {
        let id = ObjectId::new(
            Gvk::new("coordination.k8s.io", "v1", "Lease"),
            Some(&self.ns),
            "helm-controller-leader-election",
        );
        let body = json!({"spec": {"holderIdentity": "somebody-else", "leaseDurationSeconds": 1}});
        self.keep(async |kube| match kube.patch(&id, PatchType::Merge, &body, &write_options()).await {
            Err(e) if e.is_not_found() => Ok(()),
            done => done.map(|_| ()),
        });
    }
}

struct Chaos {
    world: World,
    hand: Hand,
    program: std::path::PathBuf,
    log: std::path::PathBuf,
    running: Vec<Child>,
}

impl Chaos {
    fn start(&mut self, election: bool) {
        let log = File::options().create(true).append(true).open(&self.log).unwrap();
        let mut command = self.world.ns.command(&self.program);
        command.args(["controller", "--metrics-addr=0", "--health-addr=0", "--sources=flux"]).args([
            "--watch-all-namespaces=false",
            "--min-retry-delay=200ms",
            "--max-retry-delay=5s",
            "--concurrent=8",
            "--http-retry=2",
        ]);
        if election {
            command.args(["--enable-leader-election", "--leader-election-lease-duration=2s"]);
            command.args(["--leader-election-renew-deadline=1500ms", "--leader-election-retry-period=300ms"]);
        }
        command
            .env("RUNTIME_NAMESPACE", &self.hand.ns)
            .env("PINTLE_CACHE_DIR", std::env::temp_dir().join(format!("pintle-chaos-{}", std::process::id())))
            .stdout(Stdio::null())
            .stderr(log);
        self.running.push(command.spawn().unwrap());
    }

    fn kill(&mut self) {
        for mut child in self.running.drain(..) {
            let _ = child.kill();
            child.wait().unwrap();
        }
    }

    /// Starts anew what has ended by itself, as a kubelet would: a controller that finds no API server or has lost its Lease ends with 1.
    fn revive(&mut self) {
        let mut ended = 0;
        self.running.retain_mut(|child| match child.try_wait().unwrap() {
            None => true,
            Some(status) => {
                assert_eq!(status.code(), Some(1), "log: {}", self.log.display());
                ended += 1;
                false
            }
        });
        (0..ended).for_each(|_| self.start(false));
    }

    /// Waits until a release is so.
    fn until(&mut self, i: usize, what: &str, is_so: impl Fn(&Release) -> bool) -> Release {
        let begin = Instant::now();
        loop {
            let release = Release(self.hand.get(i).unwrap_or_default());
            if is_so(&release) {
                return release;
            }
            self.revive();
            assert!(
                begin.elapsed() < Duration::from_secs(240),
                "{} (log: {}): {what} did not come: {:#}",
                name(i),
                self.log.display(),
                release.0
            );
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Chaos {
    fn drop(&mut self) {
        self.kill();
        self.world.ns.plane().signal_api_server("CONT");
    }
}

fn setting(text: &str, key: &str, default: u64) -> u64 {
    let found = text.split_whitespace().find_map(|w| w.strip_prefix(key)?.strip_prefix('='));
    found.map_or(default, |v| v.parse().unwrap_or_else(|_| panic!("PINTLE_CHAOS: {key}={v}")))
}

#[test]
fn chaos() {
    let text = std::env::var("PINTLE_CHAOS").unwrap_or_default();
    let (cycles, releases) = (setting(&text, "cycles", 12), setting(&text, "releases", 15) as usize);
    let seed = setting(&text, "seed", 1);
    let program = text.split_whitespace().find_map(|w| w.strip_prefix("program="));
    let program = program.unwrap_or(env!("CARGO_BIN_EXE_pintle"));
    let plane = own_control_plane();
    let world = World::idle(namespace_in(plane, "chaos"), |_| ());
    for v in 1..=VERSIONS {
        let bytes = package("web", &format!("0.{v}.0"), &[CONFIG, EXTRA, REFUSED, SLOW, HOOK]);
        let spec = json!({"chart": "web", "sourceRef": {"kind": "HelmRepository", "name": "none"}, "interval": "1h"});
        world.source("HelmChart", &format!("web-{v}"), &format!("0.{v}.0"), bytes, spec);
    }
    let runtime = runtime();
    let kube = runtime.block_on(Kube::connect(&world.ns.connection())).unwrap();
    let hand = Hand { kube, runtime, ns: world.name().into() };
    let log = std::env::temp_dir().join(format!("pintle-chaos-{}.log", std::process::id()));
    let mut chaos = Chaos { world, hand, program: program.into(), log, running: Vec::new() };
    let begin = Instant::now();
    let mut random = Random(seed);
    let mut told: BTreeMap<&str, u32> = BTreeMap::new();
    let mut wishes: Vec<Wish> = vec![Wish { text: "first".into(), ..Wish::default() }; releases];
    for (i, wish) in wishes.iter().enumerate() {
        chaos.hand.wish(i, wish);
    }
    for cycle in 0..cycles {
        let mut count = |what| *told.entry(what).or_default() += 1;
        let election = random.percent(40);
        chaos.start(election);
        if random.percent(30) {
            chaos.start(election);
            count(if election { "two with election" } else { "two without election" });
        }
        for _ in 0..1 + releases / 8 {
            let i = random.below(releases as u64) as usize;
            let wish = &mut wishes[i];
            wish.text = format!("c{cycle}");
            match random.below(20) {
                0..=6 => (wish.refuse, wish.slow) = (false, false),
                7..=10 => wish.version = random.below(VERSIONS),
                11..=13 => wish.refuse = true,
                14..=16 => wish.slow = true,
                17 => wish.renamed = !wish.renamed,
                _ => {
                    chaos.hand.delete(i);
                    count("deletions");
                    continue;
                }
            }
            chaos.hand.wish(i, wish);
            count("changes");
        }
        std::thread::sleep(random.millis(100, 1200));
        match random.below(12) {
            0 => {
                assert!(plane.signal_api_server("KILL"));
                std::thread::sleep(random.millis(0, 1500));
                plane.start_api_server();
                count("API server killed");
                std::thread::sleep(random.millis(500, 3000));
            }
            1 => {
                assert!(plane.signal_api_server("STOP"));
                std::thread::sleep(random.millis(200, 3000));
                assert!(plane.signal_api_server("CONT"));
                count("API server stopped");
            }
            2 | 3 if election => {
                if random.percent(50) {
                    chaos.hand.delete_lease()
                } else {
                    chaos.hand.take_lease()
                }
                count("Lease lost");
            }
            _ => {}
        }
        std::thread::sleep(random.millis(100, if election { 3500 } else { 1500 }));
        // A standby may take over.
        if chaos.running.len() > 1 && random.percent(50) {
            let mut first = chaos.running.remove(0);
            let _ = first.kill();
            first.wait().unwrap();
            count("first of two killed");
            std::thread::sleep(random.millis(500, 3000));
        }
        chaos.kill();
        count("cycles");
    }
    eprintln!("chaos: seed {seed}, {releases} releases, {told:?}, {:?}", begin.elapsed());

    // All are to be good, but for some that are to go.
    let is_gone = |i: usize| i % 10 == 9;
    chaos.start(false);
    for (i, wish) in wishes.iter_mut().enumerate() {
        *wish = Wish { text: format!("good-{i}"), version: random.below(VERSIONS), ..Wish::default() };
        wish.renamed = random.percent(20);
        if is_gone(i) {
            chaos.hand.delete(i);
        } else {
            while !chaos.hand.wish(i, wish) {
                std::thread::sleep(Duration::from_millis(100));
            }
        }
        if i == releases / 2 {
            assert!(plane.signal_api_server("KILL"));
            plane.start_api_server();
        }
    }
    settled(&mut chaos, &wishes, is_gone, "after the chaos");
    // Then some fail, and are remedied though controllers are killed over it.
    let bad = |i: usize| i.is_multiple_of(3) && !is_gone(i);
    for i in (0..releases).filter(|i| bad(*i)) {
        let wish = Wish { refuse: i.is_multiple_of(2), slow: i % 2 == 1, text: "bad".into(), ..wishes[i].clone() };
        assert!(chaos.hand.wish(i, &wish));
    }
    for _ in 0..3 {
        std::thread::sleep(random.millis(500, 2500));
        chaos.kill();
        chaos.start(false);
    }
    for i in (0..releases).filter(|i| bad(*i)) {
        remedied(&mut chaos, i, &wishes[i]);
    }
    for (i, wish) in wishes.iter_mut().enumerate().filter(|(i, _)| bad(*i)) {
        wish.text = format!("better-{i}");
        assert!(chaos.hand.wish(i, wish));
    }
    settled(&mut chaos, &wishes, is_gone, "in the end");
    eprintln!("chaos: all settled, {:?}", begin.elapsed());
    chaos.kill();
    let _ = std::fs::remove_file(&chaos.log);
    drop(chaos);
    plane.end();
}

/// A release that failed is as its strategy says.
fn remedied(chaos: &mut Chaos, i: usize, good: &Wish) {
    let text = |chaos: &Chaos| chaos.world.data(&release_name(i, good.renamed), "text");
    match i % KINDS {
        // Rolled back.
        0 => {
            let r = chaos.until(i, "the end of all tries", |r| r.observed() && r.is("Stalled", "True"));
            assert_eq!(
                (r.reason("Ready").as_str(), text(chaos)),
                ("RollbackSucceeded", good.text.clone()),
                "{:#}",
                r.0
            );
        }
        // It stays as it is.
        1 => {
            let r = chaos.until(i, "the stall", |r| r.observed() && r.is("Stalled", "True"));
            assert_eq!(r.reason("Ready"), "UpgradeFailed", "{:#}", r.0);
        }
        // Again and again.
        2 => {
            chaos.until(i, "some tries", |r| r.at("/status/upgradeFailures").as_i64() > Some(1) && !r.has("Stalled"));
        }
        // Uninstalled and installed anew, which fails too.
        3 => {
            let r = chaos.until(i, "the stall", |r| r.observed() && r.is("Stalled", "True"));
            assert_eq!(r.reason("Ready"), "InstallFailed", "{:#}", r.0);
        }
        // Rolled back and tried again for ever.
        _ => {
            chaos.until(i, "some tries", |r| r.at("/status/upgradeFailures").as_i64() > Some(1) && !r.has("Stalled"));
        }
    }
}

/// All releases that are wanted are ready, everything else is gone.
fn settled(chaos: &mut Chaos, wishes: &[Wish], is_gone: impl Fn(usize) -> bool, when: &str) {
    let mut names = BTreeSet::new();
    for (i, wish) in wishes.iter().enumerate() {
        if is_gone(i) {
            chaos.until(i, "its end", |r| r.0.is_null());
            continue;
        }
        let r = chaos.until(i, "ready", |r| r.observed() && r.is("Ready", "True"));
        assert!(!r.has("Stalled") && !r.has("Reconciling") && !r.has("Remediated"), "{when}: {:#}", r.0);
        assert_eq!(r.at("/status/failures"), json!(null), "{when}: {:#}", r.0);
        names.insert(release_name(i, wish.renamed));
        assert_eq!(chaos.world.data(&release_name(i, wish.renamed), "text"), wish.text, "{when}: {:#}", r.0);
    }
    let ns = chaos.hand.ns.clone();
    // Records: one deployed each, the newest, and nothing pending.
    let mut records: BTreeMap<String, Vec<(i64, String)>> = BTreeMap::new();
    for secret in chaos.hand.list("v1", "Secret", "owner=helm") {
        let label = |l: &str| secret["metadata"]["labels"][l].as_str().unwrap_or_default().to_owned();
        records.entry(label("name")).or_default().push((label("version").parse().unwrap(), label("status")));
    }
    assert_eq!(records.keys().cloned().collect::<BTreeSet<_>>(), names, "{when}: records of other releases");
    let mut wanted = BTreeSet::new();
    for (name, mut all) in records {
        all.sort();
        let deployed: Vec<i64> = all.iter().filter(|(_, s)| s == "deployed").map(|(v, _)| *v).collect();
        assert_eq!(deployed, [all.last().unwrap().0], "{when}: {name}: {all:?}");
        assert!(all.iter().all(|(_, s)| !s.starts_with("pending") && s != "uninstalling"), "{when}: {name}: {all:?}");
        let record = chaos.hand.runtime.block_on(async {
            let cluster = std::sync::Arc::new(chaos.hand.kube.clone());
            Objects::new(cluster, Driver::Secret, Some(&ns), "helm").get(&name, deployed[0]).await.unwrap()
        });
        for object in pintle::cluster::manifest::objects(record.manifest.as_bytes()).unwrap() {
            let text = |at: &str| object.pointer(at).and_then(Json::as_str).unwrap_or_default().to_owned();
            let (api, kind, object_name) = (text("/apiVersion"), text("/kind"), text("/metadata/name"));
            let live = chaos.world.live(&api, &kind, &object_name);
            let live = live.unwrap_or_else(|| panic!("{when}: {name}: {kind}/{object_name} is missing"));
            contains(&live, &object, &format!("{when}: {kind}/{object_name}"));
            assert_eq!(live.get("data"), object.get("data"), "{when}: {kind}/{object_name}");
            wanted.insert(format!("{kind}/{object_name}"));
        }
    }
    // No object without a release.
    let mut found = BTreeSet::new();
    for (api, kind) in [("v1", "ConfigMap"), ("apps/v1", "Deployment"), ("v1", "Service")] {
        for object in chaos.hand.list(api, kind, MANAGED) {
            found.insert(format!("{kind}/{}", object["metadata"]["name"].as_str().unwrap()));
        }
    }
    assert_eq!(found, wanted, "{when}: objects");
    // Nobody's mark is left.
    let marks = chaos.hand.list("v1", "Secret", "app.kubernetes.io/managed-by=pintle");
    assert!(marks.is_empty(), "{when}: {marks:?}");
}

/// All that `part` says is so in `whole`.
fn contains(whole: &Json, part: &Json, what: &str) {
    match part {
        Json::Object(map) => map.iter().for_each(|(k, v)| contains(&whole[k], v, &format!("{what}.{k}"))),
        part => assert_eq!(whole, part, "{what}"),
    }
}
