//! Replicas that share the work: real processes, killed and stopped.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use pintle::api;
use pintle::cluster::{Cluster, Gvk, ObjectId};
use serde_json::json;

use crate::native::repository;
use crate::servers::folder;
use crate::support::cluster::write_options;
use crate::world::{CONFIG, World};

const PATIENCE: Duration = Duration::from_secs(120);

struct Replica {
    process: Child,
    metrics: u16,
    storage: u16,
}

fn port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Replica {
    fn start(w: &World, sources: &str) -> Self {
        let (metrics, storage) = (port(), port());
        let mut command = w.ns.command(std::path::Path::new(env!("CARGO_BIN_EXE_pintle")));
        command
            .args(["controller", "--shards=auto", "--shard-lease-duration=3s", "--health-addr=0"])
            .args(["--watch-all-namespaces=false", "--min-retry-delay=200ms"])
            .arg(format!("--sources={sources}"))
            .arg(format!("--metrics-addr=127.0.0.1:{metrics}"))
            .arg(format!("--storage-addr=127.0.0.1:{storage}"))
            .arg(format!("--storage-path={}", folder(&format!("shard-{storage}")).display()))
            .env("RUNTIME_NAMESPACE", w.name())
            .env("PINTLE_CACHE_DIR", folder("shard-cache"))
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Self { process: command.spawn().unwrap(), metrics, storage }
    }

    /// What its metrics say; nothing before it serves them.
    fn page(&self) -> String {
        let mut text = String::new();
        if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.metrics)) {
            let _ = stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n");
            let _ = stream.read_to_string(&mut text);
        }
        text
    }

    /// Whether it has reconciled a release, and has it still.
    fn has(&self, name: &str) -> bool {
        let label = format!("name=\"{name}\"");
        self.page().lines().any(|l| l.starts_with("gotk_reconcile_duration_seconds_count{") && l.contains(&label))
    }

    fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Waits until each release is reconciled by exactly one, and each replica has a share; says how many each has.
fn shared(replicas: &[Replica], names: &[String]) -> Vec<usize> {
    let begin = Instant::now();
    loop {
        let pages: Vec<Vec<bool>> = replicas.iter().map(|r| names.iter().map(|n| r.has(n)).collect()).collect();
        let owners: Vec<usize> = (0..names.len()).map(|i| pages.iter().filter(|p| p[i]).count()).collect();
        let shares: Vec<usize> = pages.iter().map(|p| p.iter().filter(|has| **has).count()).collect();
        if owners.iter().all(|n| *n == 1) && shares.iter().all(|n| *n > 0) {
            return shares;
        }
        assert!(begin.elapsed() < PATIENCE, "owners {owners:?}, shares {shares:?}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn all_answer(w: &World, names: &[String], token: &str) {
    for name in names {
        w.request(name, token, &[]);
    }
    for name in names {
        w.until(name, "the answer", |r| r.handled(token) && r.is("Ready", "True"));
    }
}

#[test]
fn replicas_share_the_releases() {
    let mut w = World::new("shards");
    w.stop();
    w.chart("web", "0.1.0", &[CONFIG]);
    let names: Vec<String> = (0..24).map(|i| format!("web-{i}")).collect();
    for name in &names {
        w.release(name, "web", json!({}));
    }
    let mut replicas = vec![Replica::start(&w, "flux"), Replica::start(&w, "flux")];
    for name in &names {
        w.ready(name);
    }
    shared(&replicas, &names);
    // Another one gets its share from both.
    replicas.push(Replica::start(&w, "flux"));
    shared(&replicas, &names);
    all_answer(&w, &names, "three");
    // One is killed, and what was its is taken up.
    let mut killed = replicas.remove(0);
    killed.kill();
    shared(&replicas, &names);
    all_answer(&w, &names, "two");
    for name in &names {
        w.change(name, json!({"spec": {"values": {"text": "changed"}}}));
    }
    for name in &names {
        w.until(name, "the change", |r| r.observed() && r.is("Ready", "True") && w.data(name, "text") == "changed");
        // Nobody did what another did.
        assert_eq!(w.stored(name), "1 superseded, 2 deployed", "{name}");
    }
    // One that is told to stop gives its share and its Lease away.
    let mut stopped = replicas.remove(0);
    assert!(std::process::Command::new("kill").arg(stopped.process.id().to_string()).status().unwrap().success());
    assert!(stopped.process.wait().unwrap().success());
    assert_eq!(shared(&replicas, &names), [names.len()]);
    all_answer(&w, &names, "one");
    let holders = w.run(async |cluster| {
        cluster
            .list(&Gvk::new("coordination.k8s.io", "v1", "Lease"), Some(w.name()), "pintle.dev/shard-group", "")
            .await
    });
    // That of the one that runs, and what the killed one left.
    assert_eq!(holders.unwrap().len(), 2);
}

#[test]
fn a_source_and_its_charts_have_one_owner() {
    let mut w = World::new("shard-sources");
    w.stop();
    let mut replicas = vec![Replica::start(&w, "native"), Replica::start(&w, "native")];
    let (server, _files) = repository(&["1.0.0"]);
    let sources: Vec<String> = (0..8).map(|i| format!("charts-{i}")).collect();
    let id = |name: &str| ObjectId::new(Gvk::parse(api::SOURCE_API, "HelmRepository"), Some(w.name()), name);
    for (i, source) in sources.iter().enumerate() {
        let object = json!({"apiVersion": api::SOURCE_API, "kind": "HelmRepository",
            "metadata": {"name": source, "namespace": w.name()}, "spec": {"url": server.url(), "interval": "1h"}});
        w.run(async |cluster| cluster.create(&object, &write_options()).await.unwrap());
        let chart = json!({"spec": {"chart": "web", "version": "1.x", "interval": "1h",
            "sourceRef": {"kind": "HelmRepository", "name": source}}});
        w.release(&format!("web-{i}"), "none", json!({"chart": chart, "chartRef": null}));
    }
    let names: Vec<String> = (0..sources.len()).map(|i| format!("web-{i}")).collect();
    for name in &names {
        w.ready(name);
    }
    let url = |kind: &str, name: &str| {
        let object = w.live(api::SOURCE_API, kind, name).unwrap_or_default();
        object.pointer("/status/artifact/url").and_then(|u| u.as_str()).unwrap_or_default().to_owned()
    };
    let served_by = |r: &Replica, url: &str| url.starts_with(&format!("http://127.0.0.1:{}/", r.storage));
    for (i, source) in sources.iter().enumerate() {
        let chart = url("HelmChart", &format!("{}-web-{i}", w.name()));
        let of_source = url("HelmRepository", source);
        let owner = replicas.iter().find(|r| served_by(r, &of_source)).expect("an owner");
        assert!(served_by(owner, &chart), "{of_source}, {chart}");
    }
    // The owner of the first is gone: the other one stores and serves all of it.
    let first = url("HelmRepository", &sources[0]);
    let owner = replicas.iter().position(|r| served_by(r, &first)).expect("an owner");
    let mut killed = replicas.remove(owner);
    killed.kill();
    let begin = Instant::now();
    let left = &replicas[0];
    while !sources.iter().all(|s| served_by(left, &url("HelmRepository", s)))
        || !(0..sources.len()).all(|i| served_by(left, &url("HelmChart", &format!("{}-web-{i}", w.name()))))
    {
        assert!(begin.elapsed() < PATIENCE, "not taken over");
        std::thread::sleep(Duration::from_millis(100));
    }
    for name in &names {
        w.change(name, json!({"spec": {"values": {"text": "changed"}}}));
    }
    for name in &names {
        w.until(name, "the change", |r| r.observed() && r.is("Ready", "True") && r.history().starts_with("2 deployed"));
    }
    assert!(w.run(async |cluster| cluster.get(&id(&sources[0])).await).unwrap().is_some());
}
