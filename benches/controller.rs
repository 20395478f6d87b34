//! The controller on a real API server, with many releases; on request beside Flux's controllers.
//!
//! ```text
//! cargo bench --bench controller [-- N…] [--flux] [--concurrent=N] [--detailed]
//! ```
//!
//! N (100 and 1,000 when none is given) releases of one small chart (a Deployment without replicas, a ServiceAccount, a Service, an Ingress) come
//! from an HTTP repository, through a HelmChart each. Rows: the first install; a reconciliation of all that finds nothing to do; a change of all
//! values; a restart with all in sync; idleness; and an install in which every tenth release waits for a pod that never comes. For each: wall
//! time until every release says so, CPU (user and system) and peak memory of the controllers, and requests as the API server counted them; and
//! who was busy meanwhile, in cores: the controllers, the API server with its CPU seconds, etcd, and all of the machine. Where the machine is full and
//! the controllers take little of it, the API server is what is waited for. `--flux` repeats it with helm-controller and source-controller, one
//! after the other on the same API server (helm-controller built with Helm's release 4.2.2 in the place of Flux's fork of it, which the Go proxy has not). `--detailed` shows requests by kind. `PINTLE` names another build.

#[path = "../tests/support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use futures::StreamExt;
use pintle::api::{HELM_API, SOURCE_API};
use pintle::cluster::kube::Kube;
use pintle::cluster::{Cluster, Gvk, Json, ObjectId, PatchType, WatchEvent};
use serde_json::json;
use support::cluster::{self, Namespace, write_options};

const IDLE: Duration = Duration::from_secs(30);
/// How long Flux is waited for.
const STARVED: Duration = Duration::from_secs(900);
const CHART: &[(&str, &str)] = &[
    ("app/Chart.yaml", "apiVersion: v2\nname: app\nversion: 1.0.0\nappVersion: '1'\n"),
    ("app/values.yaml", "color: red\nwaits: false\n"),
    (
        "app/templates/all.yaml",
        "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: '{{ .Release.Name }}', labels: {app: '{{ .Release.Name }}'}}\n---\n\
         apiVersion: v1\nkind: Service\nmetadata: {name: '{{ .Release.Name }}', labels: {app: '{{ .Release.Name }}', color: '{{ .Values.color }}'}}\n\
         spec: {clusterIP: None, selector: {app: '{{ .Release.Name }}'}, ports: [{name: http, port: 80}]}\n---\n\
         apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: '{{ .Release.Name }}', labels: {app: '{{ .Release.Name }}'}}\n\
         spec:\n  replicas: {{ .Values.waits | ternary 1 0 }}\n  selector: {matchLabels: {app: '{{ .Release.Name }}'}}\n  template:\n    \
         metadata: {labels: {app: '{{ .Release.Name }}'}, annotations: {test/never-ready: '', color: '{{ .Values.color }}'}}\n    \
         spec: {serviceAccountName: '{{ .Release.Name }}', containers: [{name: app, image: 'example.com/app:1', ports: [{containerPort: 80}]}]}\n---\n\
         apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: '{{ .Release.Name }}', labels: {app: '{{ .Release.Name }}'}}\n\
         spec: {rules: [{host: '{{ .Release.Name }}.example.com', http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: '{{ .Release.Name }}', port: {name: http}}}}]}}]}\n",
    ),
];

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let mut sizes: Vec<usize> = args.iter().filter_map(|a| a.parse().ok()).collect();
    if sizes.is_empty() {
        sizes = vec![100, 1000];
    }
    let concurrent = args.iter().find_map(|a| a.strip_prefix("--concurrent=")).map(str::to_owned);
    let flux = args.iter().any(|a| a == "--flux");
    let repository = serve();
    let ns = cluster::namespace("definitions");
    support::crds::served(&ns);
    println!(
        "| controllers | releases | what | wall | CPU | per release | peak memory | requests | API server | cores: controllers, API server, etcd, machine |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    for n in sizes {
        for flux in [false, true].into_iter().filter(|f| !f || flux) {
            all(n, flux, concurrent.as_deref(), &repository);
        }
    }
}

/// All rows of one set of controllers.
fn all(n: usize, flux: bool, concurrent: Option<&str>, repository: &str) {
    let mut bench = Bench::new(n, flux, concurrent, repository);
    bench.row("first install", n as f64, "POST", |b| {
        b.create(0);
        b.until(n, is_ready);
    });
    bench.row("nothing to do", n as f64, "PATCH", |b| {
        b.patch(&json!({"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": "bench"}}}));
        b.until(n, |o| o.pointer("/status/lastHandledReconcileAt").is_some_and(|t| t == "bench") && is_ready(o));
    });
    bench.row("values changed", n as f64, "PATCH", |b| {
        b.patch(&json!({"spec": {"values": {"color": "blue"}}}));
        b.until(n, |o| o.pointer("/status/history/0/version").is_some_and(|v| v == 2) && is_ready(o));
    });
    bench.stop();
    bench.row("restart, in sync", 0.0, "", |b| {
        b.start();
        b.until_counted(n);
    });
    std::thread::sleep(Duration::from_secs(5));
    bench.idle("idle");
    bench.stop();
    // Elsewhere, with controllers that know nothing of the others.
    let mut bench = Bench::new(n, flux, concurrent, repository);
    bench.row("first install, of which a tenth waits", n as f64, "POST", |b| {
        b.create(10);
        b.until(n - n / 10, is_ready);
    });
    bench.idle("a tenth waits");
    bench.stop();
}

fn is_ready(object: &Json) -> bool {
    let conditions = object.pointer("/status/conditions").and_then(Json::as_array);
    object.pointer("/status/observedGeneration") == object.pointer("/metadata/generation")
        && conditions.is_some_and(|all| all.iter().any(|c| c["type"] == "Ready" && c["status"] == "True"))
}

/// Seconds of CPU, or with [`Busy::since`] cores that were busy.
struct Busy {
    controllers: f64,
    server: f64,
    etcd: f64,
    machine: f64,
}

impl Busy {
    fn since(&self, before: &Self, wall: f64) -> Self {
        Self {
            controllers: (self.controllers - before.controllers) / wall,
            server: (self.server - before.server) / wall,
            etcd: (self.etcd - before.etcd) / wall,
            machine: (self.machine - before.machine) / wall,
        }
    }
}

impl std::fmt::Display for Busy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let all = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        write!(f, "{:.2}, {:.2}, {:.2}, {:.2} of {all}", self.controllers, self.server, self.etcd, self.machine)
    }
}

/// Seconds of CPU of a process.
fn cpu_of(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let rest = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let field = |i: usize| rest.split_whitespace().nth(i).and_then(|f| f.parse::<f64>().ok()).unwrap_or(0.0);
    // In hundredths, on every Linux.
    (field(11) + field(12)) / 100.0
}

struct Bench {
    ns: Namespace,
    n: usize,
    flux: bool,
    concurrent: Option<String>,
    /// Requests are shown by kind.
    detailed: bool,
    dir: PathBuf,
    /// Where the controllers' metrics are read.
    metrics: u16,
    /// Where they serve artifacts, the same after a restart.
    storage: u16,
    running: Vec<Child>,
}

impl Bench {
    fn new(n: usize, flux: bool, concurrent: Option<&str>, repository: &str) -> Self {
        let ns = cluster::namespace("bench");
        let dir = std::env::temp_dir().join(format!("pintle-bench-{}-{}", std::process::id(), ns.name()));
        std::fs::create_dir_all(&dir).expect("a folder");
        let mut bench = Self {
            ns,
            n,
            flux,
            concurrent: concurrent.map(str::to_owned),
            detailed: std::env::args().any(|a| a == "--detailed"),
            dir,
            metrics: 0,
            storage: port(),
            running: Vec::new(),
        };
        bench.start();
        let object = json!({"apiVersion": SOURCE_API, "kind": "HelmRepository",
            "metadata": {"name": "charts", "namespace": bench.ns.name()}, "spec": {"url": repository, "interval": "1h"}});
        bench.ns.run(async |cluster: Kube| {
            cluster.create(&object, &write_options()).await.expect("a repository");
            let id = ObjectId::of(&object);
            while !is_ready(&cluster.get(&id).await.expect("a read").expect("it is there")) {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
        bench
    }

    fn start(&mut self) {
        let storage = self.storage;
        self.metrics = port();
        let mut commands = Vec::new();
        let storage_args = |command: &mut Command, dir: &Path| {
            command.arg(format!("--storage-path={}", dir.join("storage").display()));
            command.arg(format!("--storage-addr=127.0.0.1:{storage}"));
            command.arg(format!("--storage-adv-addr=127.0.0.1:{storage}"));
        };
        std::fs::create_dir_all(self.dir.join("storage")).expect("a folder");
        if self.flux {
            for (name, metrics) in [("helm-controller", self.metrics), ("source-controller", port())] {
                let program = cluster::peer(&format!("{name}-program")).join(name);
                let mut command = self.ns.command(&program);
                command.arg(format!("--metrics-addr=127.0.0.1:{metrics}"));
                command.arg(format!("--health-addr=127.0.0.1:{}", port()));
                if name == "source-controller" {
                    storage_args(&mut command, &self.dir);
                }
                commands.push((name, command));
            }
        } else {
            let built = PathBuf::from(env!("CARGO_BIN_EXE_pintle"));
            let program = std::env::var_os("PINTLE").map_or(built, PathBuf::from);
            let mut command = self.ns.command(&program);
            command.arg("controller").arg(format!("--metrics-addr=127.0.0.1:{}", self.metrics)).arg("--health-addr=0");
            command.arg(format!("--cache-dir={}", self.dir.join("cache").display()));
            storage_args(&mut command, &self.dir);
            commands.push(("pintle", command));
        }
        for (name, mut command) in commands {
            if let Some(n) = &self.concurrent {
                command.arg(format!("--concurrent={n}"));
            }
            let log = std::fs::File::options().append(true).create(true).open(self.dir.join(format!("{name}.log")));
            command.arg("--watch-all-namespaces=false").env("RUNTIME_NAMESPACE", self.ns.name());
            command.stdout(Stdio::null()).stderr(log.expect("a log"));
            self.running.push(command.spawn().unwrap_or_else(|e| panic!("{name}: {e}")));
        }
    }

    fn stop(&mut self) {
        for child in &self.running {
            let _ = Command::new("kill").arg(child.id().to_string()).status();
        }
        for mut child in self.running.drain(..) {
            let begin = Instant::now();
            while child.try_wait().expect("a child").is_none() {
                if begin.elapsed() > Duration::from_secs(5) {
                    let _ = child.kill();
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    }

    /// Measures a part. `own` requests for HelmReleases with `verb` are this program's.
    fn row(&mut self, title: &str, own: f64, verb: &str, work: impl FnOnce(&mut Self)) {
        for child in &self.running {
            // Peaks are counted from here.
            let _ = std::fs::write(format!("/proc/{}/clear_refs", child.id()), "5");
        }
        let (cpu, requests, busy, begin) = (self.cpu(), self.requests(), self.busy(), Instant::now());
        work(self);
        let wall = begin.elapsed().as_secs_f64();
        let cores = self.busy().since(&busy, wall);
        // Statuses and events that come after.
        std::thread::sleep(Duration::from_secs(1));
        let used = self.cpu() - cpu;
        let mut by_verb = self.requests();
        for (name, count) in &mut by_verb {
            *count -= requests.get(name).copied().unwrap_or_default();
            if name == verb || *name == format!("{verb} helmreleases/") {
                *count -= own;
            }
        }
        let counted: Vec<String> =
            by_verb.iter().filter(|(_, c)| **c > 0.0).map(|(verb, c)| format!("{c:.0} {verb}")).collect();
        println!(
            "| {} | {} | {title} | {wall:.1} s | {used:.2} s | {:.1} ms | {} | {} | {:.1} s | {cores} |",
            self.who(),
            self.n,
            used * 1e3 / self.n as f64,
            self.memory("VmHWM:"),
            counted.join(", "),
            cores.server * wall,
        );
    }

    fn idle(&self, title: &str) {
        let (cpu, busy) = (self.cpu(), self.busy());
        std::thread::sleep(IDLE);
        let share = (self.cpu() - cpu) / IDLE.as_secs_f64() * 100.0;
        let cores = self.busy().since(&busy, IDLE.as_secs_f64());
        println!(
            "| {} | {} | {title} | {} s | {share:.2} % of a core | | {} resident | | {:.1} s | {cores} |",
            self.who(),
            self.n,
            IDLE.as_secs(),
            self.memory("VmRSS:"),
            cores.server * IDLE.as_secs_f64(),
        );
    }

    fn who(&self) -> &'static str {
        if self.flux { "helm-controller + source-controller" } else { "pintle" }
    }

    /// Seconds, of all controllers.
    fn cpu(&self) -> f64 {
        self.running.iter().map(|child| cpu_of(child.id())).sum()
    }

    /// Seconds of CPU until now.
    fn busy(&self) -> Busy {
        let part = |name: &str| {
            let pid = std::fs::read_to_string(self.ns.plane().dir().join(format!("{name}.pid"))).unwrap_or_default();
            pid.trim().parse().map_or(0.0, cpu_of)
        };
        // user, nice, system, (idle, iowait,) irq, softirq, steal
        let stat = std::fs::read_to_string("/proc/stat").unwrap_or_default();
        let fields = stat.lines().next().unwrap_or_default().split_whitespace().skip(1);
        let all = fields.take(8).map(|f| f.parse().unwrap_or(0.0)).enumerate().filter(|(i, _)| !matches!(i, 3 | 4));
        Busy {
            controllers: self.cpu(),
            server: part("apiserver"),
            etcd: part("etcd"),
            machine: all.map(|(_, f): (usize, f64)| f).sum::<f64>() / 100.0,
        }
    }

    /// A line of each controller's status, in MB.
    fn memory(&self, line: &str) -> String {
        let one = |child: &Child| {
            let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
            let kib = status.lines().find_map(|l| l.strip_prefix(line)?.split_whitespace().next()?.parse::<u64>().ok());
            format!("{} MB", kib.unwrap_or_default() * 1024 / 1_000_000)
        };
        self.running.iter().map(one).collect::<Vec<_>>().join(" + ")
    }

    /// Requests by verb, of the kinds that the controllers deal with; of the watch in here there is one in all. What the Deployment controller
    /// writes into statuses is not theirs.
    fn requests(&self) -> BTreeMap<String, f64> {
        let text = self.ns.run(async |cluster: Kube| cluster.raw("/metrics").await.expect("metrics"));
        let kinds = [
            "secrets",
            "configmaps",
            "serviceaccounts",
            "services",
            "deployments",
            "ingresses",
            "events",
            "helmreleases",
            "helmcharts",
            "helmrepositories",
            "replicasets",
            "pods",
            "",
        ];
        let field = |line: &str, key: &str| {
            let from = line.find(&format!("{key}=\"")).map(|i| i + key.len() + 2)?;
            line.get(from..)?.split('"').next().map(str::to_string)
        };
        let mut all = BTreeMap::new();
        for line in text.lines().filter(|l| l.starts_with("apiserver_request_total{")) {
            let get = |key: &str| field(line, key).unwrap_or_default();
            let (resource, part, verb) = (get("resource"), get("subresource"), get("verb"));
            let foreign = (part == "status" && !resource.starts_with("helm"))
                || matches!(resource.as_str(), "replicasets" | "pods") && !matches!(verb.as_str(), "GET" | "LIST")
                || part.starts_with("/metrics")
                || part.ends_with('z');
            if verb == "WATCH" || foreign || !kinds.contains(&resource.as_str()) {
                continue;
            }
            let count: f64 = line.rsplit(' ').next().and_then(|n| n.parse().ok()).unwrap_or_default();
            let key = if self.detailed { format!("{verb} {resource}/{part}") } else { verb };
            *all.entry(key).or_default() += count;
        }
        all
    }

    /// Creates the releases; every `waiting`th waits for a pod, if it is not 0.
    fn create(&self, waiting: usize) {
        self.each(async |cluster: &Kube, i: usize| {
            let waits = waiting > 0 && i.is_multiple_of(waiting);
            let object = json!({"apiVersion": HELM_API, "kind": "HelmRelease",
                "metadata": {"name": name(i), "namespace": self.ns.name()},
                "spec": {"interval": "1h", "timeout": "30m", "values": {"waits": waits},
                    "chart": {"spec": {"chart": "app", "version": "1.x", "interval": "1h",
                        "sourceRef": {"kind": "HelmRepository", "name": "charts"}}}}});
            cluster.create(&object, &write_options()).await.expect("a release");
        });
    }

    fn patch(&self, patch: &Json) {
        self.each(async |cluster: &Kube, i: usize| {
            let id = ObjectId::new(Gvk::parse(HELM_API, "HelmRelease"), Some(self.ns.name()), &name(i));
            cluster.patch(&id, PatchType::Merge, patch, &write_options()).await.expect("a change");
        });
    }

    fn each(&self, work: impl AsyncFn(&Kube, usize)) {
        self.ns.run(async |cluster: Kube| {
            let (cluster, work) = (&cluster, &work);
            let all = futures::stream::iter(0..self.n).map(|i| work(cluster, i));
            all.buffer_unordered(16).collect::<Vec<()>>().await;
        });
    }

    /// Waits until so many releases are so.
    fn until(&self, count: usize, is_so: impl Fn(&Json) -> bool) {
        self.ns.run(async |cluster: Kube| {
            let gvk = Gvk::parse(HELM_API, "HelmRelease");
            let mut events = cluster.watch(&gvk, Some(self.ns.name()), "").await.expect("a watch");
            let mut so = std::collections::HashSet::new();
            let begin = Instant::now();
            while so.len() < count {
                let next = tokio::time::timeout(Duration::from_secs(60), events.next()).await;
                if self.flux && begin.elapsed() > STARVED {
                    // Flux's workers wait themselves: when as many releases wait as there are workers, no other goes on.
                    eprintln!("{} of {count} came within {STARVED:?}", so.len());
                    return;
                }
                assert!(begin.elapsed() < Duration::from_secs(1800), "{} of {count} came so far", so.len());
                let Ok(Some(Ok(WatchEvent::Applied(object)))) = next else { continue };
                let name = object.pointer("/metadata/name").and_then(Json::as_str).unwrap_or_default().to_owned();
                if is_so(&object) {
                    so.insert(name)
                } else {
                    so.remove(&name)
                };
            }
        });
    }

    /// Waits until so many reconciliations of releases have ended, as the controller counts them.
    fn until_counted(&self, count: usize) {
        let begin = Instant::now();
        loop {
            let page = get(self.metrics).unwrap_or_default();
            let lines = page.lines().filter(|l| l.starts_with("controller_runtime_reconcile_total{"));
            let all = lines.filter(|l| l.contains("controller=\"helmrelease\""));
            let sum: f64 = all.filter_map(|l| l.rsplit(' ').next()?.parse::<f64>().ok()).sum();
            if sum >= count as f64 {
                return;
            }
            assert!(begin.elapsed() < Duration::from_secs(900), "{sum} of {count}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.stop();
        if std::env::var_os("PINTLE_KEEP_LOGS").is_none() {
            let _ = std::fs::remove_dir_all(&self.dir);
        }
    }
}

fn name(i: usize) -> String {
    format!("r{i:04}")
}

fn port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").port()
}

fn get(port: u16) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    Some(text)
}

/// A chart repository.
fn serve() -> String {
    use sha2::Digest;
    let gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut tar = tar::Builder::new(gz);
    for (path, text) in CHART {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        tar.append_data(&mut header, path, text.as_bytes()).expect("an entry");
    }
    let chart = tar.into_inner().and_then(flate2::write::GzEncoder::finish).expect("a chart");
    let digest = data_encoding::HEXLOWER.encode(&sha2::Sha256::digest(&chart));
    let index = format!(
        "apiVersion: v1\nentries:\n  app:\n  - apiVersion: v2\n    name: app\n    version: 1.0.0\n    digest: {digest}\n    urls: [app-1.0.0.tgz]\n"
    );
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut request = [0; 4096];
            let n = stream.read(&mut request).unwrap_or(0);
            let request = String::from_utf8_lossy(request.get(..n).unwrap_or_default()).into_owned();
            let (status, body) = match request.split(' ').nth(1) {
                Some("/index.yaml") => ("200 OK", index.as_bytes()),
                Some("/app-1.0.0.tgz") => ("200 OK", chart.as_slice()),
                _ => ("404 Not Found", &b""[..]),
            };
            let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
        }
    });
    format!("http://{address}")
}
