//! A real control plane for tests: etcd, kube-apiserver, kube-controller-manager and kwok on loopback, once a test binary.
//!
//! A test gets a namespace of its own, and with it all that it needs:
//!
//! ```ignore
//! #[test]
//! fn installs() {
//!     let ns = support::cluster::namespace("installs");        // starts the control plane for the first test that asks
//!     ns.run(async |cluster: Kube| { … cluster.get(…).await … });
//!     let out = ns.helm(&["list"]);                             // the real helm 4, with kubeconfig and namespace set
//!     // ns.kubeconfig() and ns.name() for anything else; ns.pintle(&["list"]) runs our own program
//! }
//! ```
//!
//! Pods are bound to the node `kwok-0` and become ready by themselves, Jobs complete; annotations of the pod template make them fail or
//! stay unready: see `stages.yaml`. Every container's log reads [`LOG`]. `admin` may do everything; other users are made by impersonation
//! ([`Connection::as_user`]) and RBAC objects.
//!
//! The programs are built by `tests/peers.sh cluster kwok` into the cache folder when they are missing (from cold: minutes); etcd and the
//! API server are taken from `KUBEBUILDER_ASSETS` when that is set. Everything is stopped when the test process ends, however it ends: a
//! shell holds the pids and reads a pipe that breaks then. `PINTLE_KEEP_CLUSTER=1` keeps the folder with the logs.

use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use pintle::api;
use pintle::cluster::kube::{Connection, Kube};
use pintle::cluster::{Cluster, FieldValidation, Gvk, Json, ObjectId, Propagation, WriteOptions};

/// What every container of the test cluster has written.
pub const LOG: &str = "first line\nsecond line\nlast line\n";

const START: Duration = Duration::from_secs(300);

pub struct ControlPlane {
    dir: PathBuf,
    port: u16,
    /// Its stdin breaks when this process ends, and then it stops everything.
    keeper: Mutex<Child>,
}

/// The control plane of this test binary.
pub fn control_plane() -> &'static ControlPlane {
    static ONE: OnceLock<ControlPlane> = OnceLock::new();
    // On a thread of its own: a test that asks may already be inside a runtime.
    ONE.get_or_init(|| std::thread::spawn(start).join().expect("the control plane did not start"))
}

/// A control plane beside the shared one, for a test that breaks it. [`ControlPlane::end`] stops it.
pub fn own_control_plane() -> &'static ControlPlane {
    Box::leak(Box::new(std::thread::spawn(start).join().expect("the control plane did not start")))
}

/// A namespace for one test. Its name begins with the test's.
pub fn namespace(test: &str) -> Namespace {
    namespace_in(control_plane(), test)
}

/// The same, in this control plane.
pub fn namespace_in(plane: &'static ControlPlane, test: &str) -> Namespace {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    pintle::cli::log::start();
    let name = format!("{}-{}", test.replace('_', "-"), COUNT.fetch_add(1, Ordering::Relaxed));
    let ns = Namespace { plane, name: name.clone() };
    ns.run(async |cluster: Kube| {
        let object = serde_json::json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        cluster.create(&object, &write_options()).await.expect("a namespace");
    });
    ns
}

/// Write options as tests use them for preparations.
pub fn write_options() -> WriteOptions {
    WriteOptions { field_manager: "test".into(), dry_run: false, validation: FieldValidation::Strict }
}

/// A test's namespace; it is deleted when the test ends.
pub struct Namespace {
    plane: &'static ControlPlane,
    name: String,
}

impl Namespace {
    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn plane(&self) -> &'static ControlPlane {
        self.plane
    }

    /// A kubeconfig of the administrator.
    pub fn kubeconfig(&self) -> PathBuf {
        self.plane.kubeconfig()
    }

    /// How to connect as the administrator, in this namespace. Change it for other users or another address.
    pub fn connection(&self) -> Connection {
        Connection { kubeconfig: Some(self.kubeconfig()), namespace: Some(self.name.clone()), ..Connection::default() }
    }

    /// Runs a test's async part, with a connection.
    pub fn run<T>(&self, work: impl AsyncFnOnce(Kube) -> T) -> T {
        self.run_with(&self.connection(), work)
    }

    /// The same with another connection.
    pub fn run_with<T>(&self, connection: &Connection, work: impl AsyncFnOnce(Kube) -> T) -> T {
        runtime().block_on(async { work(Kube::connect(connection).await.expect("a connection")).await })
    }

    /// The real helm 4.
    pub fn helm(&self, args: &[&str]) -> Output {
        self.program(&peer("helm").join("helm"), args)
    }

    /// The real helm 3.
    pub fn helm3(&self, args: &[&str]) -> Output {
        self.program(&peer("helm3").join("helm"), args)
    }

    /// Our own program.
    pub fn pintle(&self, args: &[&str]) -> Output {
        self.program(Path::new(env!("CARGO_BIN_EXE_pintle")), args)
    }

    /// Any program that reads `KUBECONFIG` and `HELM_NAMESPACE`.
    pub fn program(&self, program: &Path, args: &[&str]) -> Output {
        self.command(program).args(args).output().unwrap_or_else(|e| panic!("{}: {e}", program.display()))
    }

    /// As [`Namespace::program`], to be started by the test.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .env("KUBECONFIG", self.kubeconfig())
            .env("HELM_NAMESPACE", &self.name)
            .env("HELM_CACHE_HOME", self.plane.dir.join("helm/cache"))
            .env("HELM_CONFIG_HOME", self.plane.dir.join("helm/config"))
            .env("HELM_DATA_HOME", self.plane.dir.join("helm/data"))
            .stdin(Stdio::null());
        command
    }
}

/// Writes what others can read of a namespace (states, events, all that is no Secret) behind the log, if there is one: `tests/canaries.sh`
/// looks through it.
async fn tell(cluster: &Kube, namespace: &str) {
    const TOLD: [(&str, &str); 10] = [
        ("v1", "Event"),
        ("events.k8s.io/v1", "Event"),
        ("v1", "ConfigMap"),
        ("v1", "Pod"),
        ("coordination.k8s.io/v1", "Lease"),
        (api::HELM_API, "HelmRelease"),
        (api::SOURCE_API, "HelmChart"),
        (api::SOURCE_API, "HelmRepository"),
        (api::SOURCE_API, "GitRepository"),
        (api::SOURCE_API, "OCIRepository"),
    ];
    let Some(log) = std::env::var_os("PINTLE_LOG_FILE") else { return };
    let Ok(mut log) = std::fs::File::options().create(true).append(true).open(log) else { return };
    for (version, kind) in TOLD {
        if let Ok(list) = cluster.list(&Gvk::parse(version, kind), Some(namespace), "", "").await {
            let lines: String = list.iter().map(|object| format!("{object}\n")).collect();
            let _ = log.write_all(lines.as_bytes());
        }
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let name = self.name.clone();
        let id = ObjectId::new(Gvk::new("", "v1", "Namespace"), None, &self.name);
        let connection = self.connection();
        // A failing test keeps its own words: nothing in here may panic.
        let _ = std::thread::spawn(move || {
            runtime().block_on(async {
                if let Ok(cluster) = Kube::connect(&connection).await {
                    tell(&cluster, &name).await;
                    let _ = cluster.delete(&id, Propagation::Background, None).await;
                }
            });
        })
        .join();
    }
}

impl ControlPlane {
    pub fn kubeconfig(&self) -> PathBuf {
        self.dir.join("kubeconfig")
    }

    pub fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    /// Where the logs and certificates lie.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The server's certificate and key (PEM), for a proxy that stands in for it.
    pub fn certificate(&self) -> (PathBuf, PathBuf) {
        (self.dir.join("certs/apiserver.crt"), self.dir.join("certs/apiserver.key"))
    }

    /// Sends a signal (`KILL`, `STOP`, `CONT`) to the API server; whether it was there to get it.
    pub fn signal_api_server(&self, signal: &str) -> bool {
        let Ok(pid) = std::fs::read_to_string(self.dir.join("apiserver.pid")) else { return false };
        Command::new("kill").args(["-s", signal, pid.trim()]).status().is_ok_and(|s| s.success())
    }

    /// Starts an API server on the same etcd after the last one was killed.
    pub fn start_api_server(&self) {
        let mut keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner);
        keeper.stdin.as_mut().expect("a pipe").write_all(b"apiserver\n").expect("the keeper reads");
    }

    /// Stops everything.
    pub fn end(&self) {
        let mut keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner);
        drop(keeper.stdin.take());
        let _ = keeper.wait();
    }

    fn log(&self, part: &str) -> String {
        std::fs::read_to_string(self.dir.join(format!("{part}.log"))).unwrap_or_default()
    }
}

pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

/// The folder of a pinned tool; it is built when missing.
pub fn peer(name: &str) -> PathBuf {
    peers(&[name]).remove(0)
}

fn peers(names: &[&str]) -> Vec<PathBuf> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers.sh");
    let out = Command::new(script).args(names).stderr(Stdio::inherit()).output().expect("tests/peers.sh");
    assert!(out.status.success(), "tests/peers.sh {names:?} failed");
    String::from_utf8(out.stdout).expect("paths").lines().map(PathBuf::from).collect()
}

fn start() -> ControlPlane {
    let folders = peers(&["cluster", "kwok"]);
    let (parts, kwok) = (&folders[0], folders[1].join("kwok"));
    let assets = std::env::var_os("KUBEBUILDER_ASSETS").map_or_else(|| parts.clone(), PathBuf::from);
    let mut last = String::new();
    // Ports are free when they are chosen, but another process may be quicker.
    for _ in 0..4 {
        match try_start(parts, &assets, &kwok) {
            Ok(plane) => return plane,
            Err(e) => last = e,
        }
    }
    panic!("the control plane did not start: {last}");
}

fn try_start(parts: &Path, assets: &Path, kwok: &Path) -> Result<ControlPlane, String> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let dir = std::env::temp_dir().join(format!("pintle-cluster-{}-{number}", std::process::id()));
    std::fs::create_dir_all(&dir).expect("a folder");
    let [port, etcd, peer, kubelet] = free_ports();
    let support = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support");
    write(&dir, "tokens.csv", "admintoken,admin,admin-uid,\"system:masters\"\n");
    write(&dir, "sa.key", &service_account_key());
    // As a container runtime writes them.
    let log: String = LOG.lines().map(|l| format!("2026-01-01T00:00:00.000000000Z stdout F {l}\n")).collect();
    write(&dir, "container.log", &log);
    let stages = std::fs::read_to_string(support.join("stages.yaml")).expect("stages");
    write(&dir, "stages.yaml", &stages.replace("LOGS", &dir.join("container.log").to_string_lossy()));
    // The API server makes its own authority and certificate; clients trust exactly that.
    let config = serde_json::json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "test",
        "clusters": [{"name": "test", "cluster": {"server": format!("https://127.0.0.1:{port}"),
            "certificate-authority": dir.join("certs/apiserver.crt")}}],
        "users": [{"name": "admin", "user": {"token": "admintoken"}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "admin"}}],
    });
    write(&dir, "kubeconfig", &config.to_string());
    let keeper = Command::new("bash")
        .arg(support.join("control-plane.sh"))
        .arg(&dir)
        .env("ETCD", assets.join("etcd"))
        .env("APISERVER", assets.join("kube-apiserver"))
        .env("KCM", parts.join("kube-controller-manager"))
        .env("BINDER", parts.join("binder"))
        .env("KWOK", kwok)
        .env("PORT", port.to_string())
        .env("ETCD_PORT", etcd.to_string())
        .env("PEER_PORT", peer.to_string())
        .env("KUBELET_PORT", kubelet.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|e| e.to_string())?;
    let plane = ControlPlane { dir, port, keeper: Mutex::new(keeper) };
    match plane.wait_until_ready() {
        Ok(()) => Ok(plane),
        Err(e) => {
            plane.end();
            Err(e)
        }
    }
}

impl ControlPlane {
    fn wait_until_ready(&self) -> Result<(), String> {
        let connection = Connection { kubeconfig: Some(self.kubeconfig()), ..Connection::default() };
        let begin = Instant::now();
        let mut last = String::new();
        runtime().block_on(async {
            while begin.elapsed() < START {
                match Kube::connect(&connection).await {
                    Ok(cluster) => match cluster.raw("/readyz").await {
                        Ok(_) => {
                            std::fs::write(self.dir.join("ready"), "").map_err(|e| e.to_string())?;
                            return self.prepare(&cluster).await;
                        }
                        Err(e) => last = e.to_string(),
                    },
                    // The certificate is not there yet.
                    Err(e) => last = e.to_string(),
                }
                if self.is_dead("apiserver") || self.is_dead("etcd") {
                    return Err(format!("it ended: {}\n{}", self.log("etcd"), self.log("apiserver")));
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            Err(format!("not ready in time: {last}\n{}", self.log("apiserver")))
        })
    }

    fn is_dead(&self, part: &str) -> bool {
        let Ok(pid) = std::fs::read_to_string(self.dir.join(format!("{part}.pid"))) else { return false };
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
        stat.is_empty() || stat.contains(") Z ")
    }

    /// The node, and then a namespace that all controllers have seen.
    async fn prepare(&self, cluster: &Kube) -> Result<(), String> {
        let node: Json = serde_json::json!({
            "apiVersion": "v1", "kind": "Node",
            "metadata": {"name": "kwok-0", "annotations": {"node.alpha.kubernetes.io/ttl": "0"},
                "labels": {"kubernetes.io/hostname": "kwok-0", "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64", "type": "kwok"}},
            "status": {"allocatable": {"cpu": "64", "memory": "256Gi", "pods": "1000"}, "capacity": {"cpu": "64", "memory": "256Gi", "pods": "1000"}},
        });
        cluster.create(&node, &write_options()).await.map_err(|e| e.to_string())?;
        // The default namespace comes a moment after readiness.
        let default = ObjectId::new(Gvk::new("", "v1", "Namespace"), None, "default");
        let begin = Instant::now();
        while begin.elapsed() < START {
            if matches!(cluster.get(&default).await, Ok(Some(_))) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Err("no default namespace".into())
    }
}

fn write(dir: &Path, name: &str, text: &str) {
    std::fs::write(dir.join(name), text).unwrap_or_else(|e| panic!("{name}: {e}"));
}

/// Ports that are free now, all different.
fn free_ports<const N: usize>() -> [u16; N] {
    let listeners: [TcpListener; N] = std::array::from_fn(|_| TcpListener::bind("127.0.0.1:0").expect("a port"));
    listeners.each_ref().map(|l| l.local_addr().expect("an address").port())
}

/// A key for tokens of service accounts: nobody checks them here, but the API server wants one.
fn service_account_key() -> String {
    use p256::elliptic_curve::Generate;
    let key = p256::SecretKey::generate();
    key.to_sec1_pem(p256::pkcs8::LineEnding::LF).expect("a key").to_string()
}
