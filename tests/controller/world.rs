//! What tests of HelmReleases share: a namespace with a controller that runs in this process, a server of artifacts, and sources as
//! source-controller leaves them.

use std::collections::{BTreeSet, HashMap};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use pintle::api;
use pintle::cluster::kube::Kube;
use pintle::cluster::{Cluster, Gvk, Json, ObjectId, PatchType};
use pintle::controller::{self, Options};
use serde_json::json;

use crate::support::cluster::{self, Namespace, write_options};

/// How long a state is waited for.
const PATIENCE: Duration = Duration::from_secs(180);

/// A namespace with a running controller.
pub struct World {
    pub ns: Namespace,
    files: Arc<Mutex<HashMap<String, Vec<u8>>>>,
    address: String,
    stop: tokio::sync::watch::Sender<bool>,
    controller: Option<std::thread::JoinHandle<()>>,
    options: Options,
}

/// The definitions, once a control plane.
fn definitions(ns: &Namespace) {
    static DONE: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let mut done = DONE.lock().unwrap_or_else(PoisonError::into_inner);
    if done.insert(ns.plane().url()) {
        ns.run(async |cluster: Kube| {
            for (_, definition) in api::definitions() {
                if let Err(e) = cluster.create(&definition, &write_options()).await {
                    assert!(e.is_already_exists(), "{e}");
                }
            }
            for kind in ["HelmChart", "OCIRepository", "ExternalArtifact", "GitRepository", "HelmRelease"] {
                let api = if kind == "HelmRelease" { api::HELM_API } else { api::SOURCE_API };
                let begin = Instant::now();
                while cluster.list(&Gvk::parse(api, kind), Some(ns.name()), "", "").await.is_err() {
                    assert!(begin.elapsed() < PATIENCE, "{kind} is not served");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        });
    }
}

impl World {
    pub fn new(test: &str) -> Self {
        Self::with(test, |_| ())
    }

    /// With other options.
    pub fn with(test: &str, change: impl FnOnce(&mut Options)) -> Self {
        let mut world = Self::idle(cluster::namespace(test), change);
        world.start();
        world
    }

    /// Without a running controller yet.
    pub fn idle(ns: Namespace, change: impl FnOnce(&mut Options)) -> Self {
        definitions(&ns);
        let files: Arc<Mutex<HashMap<String, Vec<u8>>>> = Arc::default();
        let address = serve(files.clone());
        let mut options = Options {
            connection: ns.connection(),
            namespace: Some(ns.name().into()),
            requeue_dependency: Duration::from_secs(20),
            min_retry_delay: Duration::from_millis(200),
            http_retry: 1,
            cache_dir: Some(std::env::temp_dir().join(format!("pintle-controller-{}", std::process::id()))),
            ..Options::default()
        };
        change(&mut options);
        let (stop, _) = tokio::sync::watch::channel(false);
        Self { ns, files, address, stop, controller: None, options }
    }

    /// The controller's own way to the cluster, from its next start on.
    pub fn connect(&mut self, connection: pintle::cluster::kube::Connection) {
        self.options.connection = connection;
    }

    pub fn start(&mut self) {
        let (options, stopped) = (self.options.clone(), self.stop.subscribe());
        self.stop.send_replace(false);
        self.controller = Some(std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
            runtime.block_on(controller::run(options, stopped)).unwrap();
        }));
    }

    pub fn stop(&mut self) {
        self.stop.send_replace(true);
        if let Some(controller) = self.controller.take() {
            controller.join().unwrap();
        }
    }

    pub fn name(&self) -> &str {
        self.ns.name()
    }

    pub fn run<T>(&self, work: impl AsyncFnOnce(Kube) -> T) -> T {
        self.ns.run(work)
    }

    /// Publishes a chart as the artifact of a HelmChart object of the chart's name.
    pub fn chart(&self, name: &str, version: &str, templates: &[(&str, &str)]) {
        let bytes = package(name, version, templates);
        self.source(
            "HelmChart",
            name,
            version,
            bytes,
            json!({
                "chart": name, "sourceRef": {"kind": "HelmRepository", "name": "none"}, "interval": "1h",
            }),
        );
    }

    /// Publishes an artifact, and makes or changes its source as source-controller would.
    pub fn source(&self, kind: &str, name: &str, revision: &str, bytes: Vec<u8>, spec: Json) {
        use sha2::Digest;
        let hex = data_encoding::HEXLOWER.encode(&sha2::Sha256::digest(&bytes));
        let path = format!("{}/{}/{name}/{hex}.tgz", kind.to_lowercase(), self.name());
        let size = bytes.len();
        self.files.lock().unwrap().insert(format!("/{path}"), bytes);
        let id = ObjectId::new(Gvk::parse(api::SOURCE_API, kind), Some(self.name()), name);
        let artifact = json!({
            "digest": format!("sha256:{hex}"), "path": path, "url": format!("http://{}/{path}", self.address),
            "revision": revision, "lastUpdateTime": "2026-01-01T00:00:00Z", "size": size,
        });
        self.run(async |cluster| {
            let object = json!({"apiVersion": api::SOURCE_API, "kind": kind,
                "metadata": {"name": name, "namespace": self.name()}, "spec": spec});
            let object = match cluster.get(&id).await.unwrap() {
                Some(found) => found,
                None => cluster.create(&object, &write_options()).await.unwrap(),
            };
            let generation = object.pointer("/metadata/generation").cloned().unwrap_or_default();
            let status = json!({"status": {
                "observedGeneration": generation, "artifact": artifact,
                "conditions": [{"type": "Ready", "status": "True", "reason": "Succeeded", "message": "stored",
                    "lastTransitionTime": "2026-01-01T00:00:00Z"}],
            }});
            cluster.patch_status(&id, PatchType::Merge, &status, &write_options()).await.unwrap();
        });
    }

    /// Makes a HelmRelease of a published chart. `spec` is laid over what every release here has.
    pub fn release(&self, name: &str, chart: &str, spec: Json) {
        let mut whole = json!({"interval": "1h", "chartRef": {"kind": "HelmChart", "name": chart}, "timeout": "1m"});
        merge(&mut whole, spec);
        let object = json!({"apiVersion": api::HELM_API, "kind": "HelmRelease",
            "metadata": {"name": name, "namespace": self.name()}, "spec": whole});
        self.run(async |cluster| cluster.create(&object, &write_options()).await.unwrap());
    }

    pub fn id(&self, name: &str) -> ObjectId {
        ObjectId::new(Gvk::parse(api::HELM_API, "HelmRelease"), Some(self.name()), name)
    }

    /// Changes a HelmRelease by a merge patch.
    pub fn change(&self, name: &str, patch: Json) {
        let id = self.id(name);
        self.run(async |cluster| cluster.patch(&id, PatchType::Merge, &patch, &write_options()).await.unwrap());
    }

    /// Asks to reconcile now, with further annotations of the same token.
    pub fn request(&self, name: &str, token: &str, more: &[&str]) {
        let mut annotations = json!({"reconcile.fluxcd.io/requestedAt": token});
        for key in more {
            annotations[format!("reconcile.fluxcd.io/{key}")] = token.into();
        }
        self.change(name, json!({"metadata": {"annotations": annotations}}));
    }

    pub fn get(&self, name: &str) -> Option<Json> {
        let id = self.id(name);
        self.run(async |cluster| cluster.get(&id).await.unwrap())
    }

    /// A live object of the namespace.
    pub fn live(&self, api: &str, kind: &str, name: &str) -> Option<Json> {
        let id = ObjectId::new(Gvk::parse(api, kind), Some(self.name()), name);
        self.run(async |cluster| cluster.get(&id).await.unwrap())
    }

    /// A key of a ConfigMap; empty if it is not there.
    pub fn data(&self, name: &str, key: &str) -> String {
        let object = self.live("v1", "ConfigMap", name).unwrap_or_default();
        object.pointer(&format!("/data/{key}")).and_then(Json::as_str).unwrap_or_default().to_owned()
    }

    /// Waits until a release is so, and has been reconciled in its present generation.
    pub fn until(&self, name: &str, what: &str, is_so: impl Fn(&Release) -> bool) -> Release {
        let begin = Instant::now();
        loop {
            let release = Release(self.get(name).unwrap_or_default());
            if is_so(&release) {
                return release;
            }
            assert!(
                begin.elapsed() < PATIENCE,
                "{what} did not come: {:#}",
                release.0.get("status").cloned().unwrap_or_default()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Waits until a release is ready in its present generation.
    pub fn ready(&self, name: &str) -> Release {
        self.until(name, "ready", |r| r.observed() && r.is("Ready", "True"))
    }

    pub fn gone(&self, name: &str) {
        let begin = Instant::now();
        while let Some(object) = self.get(name) {
            assert!(begin.elapsed() < PATIENCE, "still there: {object:#}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Helm's records: revision and status, oldest first.
    pub fn records(&self, release: &str) -> Vec<(i64, String)> {
        let mut found: Vec<(i64, String)> = self
            .run(async |cluster| {
                let labels = format!("owner=helm,name={release}");
                cluster.list(&Gvk::new("", "v1", "Secret"), Some(self.name()), &labels, "").await.unwrap()
            })
            .iter()
            .map(|s| {
                let label = |l: &str| {
                    s.pointer(&format!("/metadata/labels/{l}")).and_then(Json::as_str).unwrap_or_default().to_owned()
                };
                (label("version").parse().unwrap(), label("status"))
            })
            .collect();
        found.sort();
        found
    }

    /// `revision status` of each record.
    pub fn stored(&self, release: &str) -> String {
        self.records(release).iter().map(|(v, s)| format!("{v} {s}")).collect::<Vec<_>>().join(", ")
    }

    /// Reasons of the events about a release, each as often as it was told, in alphabetical order.
    pub fn reasons(&self, name: &str) -> String {
        let fields = format!("involvedObject.name={name},involvedObject.kind=HelmRelease");
        let found = self.run(async |cluster| {
            cluster.list(&Gvk::new("", "v1", "Event"), Some(self.name()), "", &fields).await.unwrap()
        });
        let times = |e: &Json| e["count"].as_u64().unwrap_or(1) as usize;
        let mut all: Vec<String> = found
            .iter()
            .flat_map(|e| std::iter::repeat_n(e["reason"].as_str().unwrap().to_owned(), times(e)))
            .collect();
        all.sort();
        all.join(" ")
    }

    /// Waits until exactly these reasons have been told: events come a moment later.
    pub fn told(&self, name: &str, reasons: &str) {
        let mut want: Vec<&str> = reasons.split_whitespace().collect();
        want.sort_unstable();
        let (want, begin) = (want.join(" "), Instant::now());
        while self.reasons(name) != want {
            assert!(begin.elapsed() < Duration::from_secs(10), "told: {}\nwant: {want}", self.reasons(name));
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if let Some(controller) = self.controller.take() {
            let _ = controller.join();
        }
    }
}

/// A HelmRelease as it was read.
pub struct Release(pub Json);

impl Release {
    pub fn at(&self, pointer: &str) -> Json {
        self.0.pointer(pointer).cloned().unwrap_or_default()
    }

    fn condition(&self, kind: &str) -> Json {
        let list = self.at("/status/conditions");
        list.as_array().into_iter().flatten().find(|c| c["type"] == kind).cloned().unwrap_or_default()
    }

    pub fn is(&self, kind: &str, status: &str) -> bool {
        self.condition(kind)["status"] == status
    }

    pub fn has(&self, kind: &str) -> bool {
        !self.condition(kind).is_null()
    }

    pub fn reason(&self, kind: &str) -> String {
        self.condition(kind)["reason"].as_str().unwrap_or_default().to_owned()
    }

    pub fn message(&self, kind: &str) -> String {
        self.condition(kind)["message"].as_str().unwrap_or_default().to_owned()
    }

    /// The present generation has been reconciled.
    pub fn observed(&self) -> bool {
        self.0.pointer("/metadata/generation").is_some_and(|g| Some(g) == self.0.pointer("/status/observedGeneration"))
    }

    pub fn handled(&self, token: &str) -> bool {
        self.at("/status/lastHandledReconcileAt") == token && !self.is("Reconciling", "True")
    }

    /// `version status action` of each snapshot, the newest first.
    pub fn history(&self) -> String {
        let list = self.at("/status/history");
        let text = |s: &Json| {
            format!(
                "{} {} {}",
                s["version"],
                s["status"].as_str().unwrap_or_default(),
                s["action"].as_str().unwrap_or_default()
            )
        };
        list.as_array().into_iter().flatten().map(text).collect::<Vec<_>>().join(", ")
    }
}

fn merge(base: &mut Json, over: Json) {
    match (base, over) {
        (Json::Object(base), Json::Object(over)) => {
            for (key, value) in over {
                merge(base.entry(key).or_insert(Json::Null), value);
            }
        }
        (base, over) => *base = over,
    }
}

/// A packaged chart.
pub fn package(name: &str, version: &str, files: &[(&str, &str)]) -> Vec<u8> {
    let chart = format!("apiVersion: v2\nname: {name}\nversion: {version}\nappVersion: \"{version}-app\"\n");
    let all: Vec<(String, &str)> = std::iter::once((format!("{name}/Chart.yaml"), chart.as_str()))
        .chain(files.iter().map(|(path, text)| (format!("{name}/{path}"), *text)))
        .collect();
    tarball(&all)
}

pub fn tarball(files: &[(String, &str)]) -> Vec<u8> {
    let gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut tar = tar::Builder::new(gz);
    for (path, text) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        tar.append_data(&mut header, path, text.as_bytes()).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap()
}

/// A chart of one ConfigMap that shows a value.
pub const CONFIG: (&str, &str) = (
    "templates/config.yaml",
    "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}\ndata:\n  \
     text: {{ .Values.text | default \"none\" | quote }}\n  chart: {{ .Chart.Version | quote }}\n",
);

/// Serves files until the process ends.
fn serve(files: Arc<Mutex<HashMap<String, Vec<u8>>>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let files = files.clone();
            std::thread::spawn(move || {
                let mut request = vec![0; 4096];
                let n = stream.read(&mut request).unwrap_or(0);
                let request = String::from_utf8_lossy(&request[..n]).into_owned();
                let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
                let body = files.lock().unwrap().get(&path).cloned();
                let (status, body) = match body {
                    Some(body) => ("200 OK", body),
                    None => ("404 Not Found", Vec::new()),
                };
                let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
                let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
            });
        }
    });
    address
}
