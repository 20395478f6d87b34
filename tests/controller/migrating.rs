//! `docs/migrating.md`, done: its commands are run as they stand, with the real helm-controller and source-controller.
//!
//! Pods of this cluster run nothing, so this test is the kubelet of the controllers' namespace: for a pod of one of the Deployments it runs the
//! program with the pod's arguments and environment, as the pod's service account, and ends it with the pod. Only addresses and folders are other
//! ones, and Flux's programs do not elect a leader, which they do in real pods only. helm-controller is built with the Helm release that it requires, since Flux's fork of that is not on the Go proxy.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use pintle::api::{HELM_API, SOURCE_API};
use pintle::cluster::kube::Kube;
use pintle::cluster::{Cluster, Gvk, Json, ObjectId, PatchType};
use serde_json::json;

use crate::operating::account_kubeconfig;
use crate::servers::git::{GitHttp, Repository};
use crate::servers::nginx::Site;
use crate::servers::registry::Options as Registry;
use crate::servers::{self, folder, free_port};
use crate::support::cluster::{Namespace, namespace_in, own_control_plane, peer, write_options};
use crate::world::{CONFIG, Release, package};

const SYSTEM: &str = "flux-system";
const PATIENCE: Duration = Duration::from_secs(240);

/// Hooks, a test, a definition, and fields that a post-renderer and labels change.
const TESTED: (&str, &str) = (
    "templates/test.yaml",
    "apiVersion: v1\nkind: Pod\nmetadata:\n  name: {{ .Release.Name }}-test\n  annotations: {helm.sh/hook: test, test/complete: \"\"}\n\
     spec:\n  restartPolicy: Never\n  containers: [{name: c, image: i}]\n",
);
const BROKEN: (&str, &str) =
    ("templates/broken.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Values.name | quote }}\n");

/// The commands of a section of the page, up to the next heading; `""` is what stands before the first.
fn commands(section: &str) -> String {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/migrating.md")).unwrap();
    let (mut at, mut inside, mut found) = (String::new(), false, String::new());
    for line in page.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            at = title.to_owned();
        } else if line.starts_with("```") {
            inside = line == "```sh";
        } else if inside && at == section {
            found.push_str(line);
            found.push('\n');
        }
    }
    assert!(!found.is_empty(), "no commands below {section:?}");
    found
}

/// A running program of a pod.
struct Kubelet {
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
    /// Programs by name, each time one was started.
    started: Arc<Mutex<Vec<String>>>,
    logs: PathBuf,
}

impl Kubelet {
    fn start(ns: &Namespace) -> Self {
        let programs: BTreeMap<&'static str, PathBuf> = [
            ("helm-controller", peer("helm-controller-program").join("helm-controller")),
            ("source-controller", peer("source-controller-program").join("source-controller")),
            ("pintle", PathBuf::from(env!("CARGO_BIN_EXE_pintle"))),
        ]
        .into();
        let (stop, started, logs): (Arc<AtomicBool>, Arc<Mutex<Vec<String>>>, _) =
            (Arc::default(), Arc::default(), folder("kubelet"));
        let (connection, stopped, counted, dir) = (ns.connection(), stop.clone(), started.clone(), logs.clone());
        let (admin, url) = (ns.kubeconfig(), ns.plane().url());
        let thread = std::thread::spawn(move || {
            let runtime = crate::support::cluster::runtime();
            let kube = runtime.block_on(Kube::connect(&connection)).unwrap();
            // A service has one address, whichever pod serves it.
            let addresses: BTreeMap<&str, u16> = programs.keys().map(|name| (*name, free_port())).collect();
            let mut running: HashMap<String, Child> = HashMap::new();
            while !stopped.load(Ordering::SeqCst) {
                let pods = runtime.block_on(kube.list(&Gvk::new("", "v1", "Pod"), Some(SYSTEM), "", ""));
                let pods: HashMap<String, Json> = pods
                    .unwrap_or_default()
                    .into_iter()
                    .filter(|p| p["status"]["phase"] == "Running" && p["metadata"]["deletionTimestamp"].is_null())
                    .map(|p| (p["metadata"]["name"].as_str().unwrap().to_owned(), p))
                    .collect();
                let gone: Vec<String> = running.keys().filter(|name| !pods.contains_key(*name)).cloned().collect();
                for child in gone.iter().filter_map(|name| running.remove(name)) {
                    end(child);
                }
                for (pod, object) in pods {
                    let container = &object["spec"]["containers"][0];
                    let image = container["image"].as_str().unwrap_or_default();
                    let Some((name, program)) = programs.iter().find(|(name, _)| image.contains(*name)) else {
                        continue;
                    };
                    if running.contains_key(&pod) {
                        continue;
                    }
                    let account = object["spec"]["serviceAccountName"].as_str().unwrap_or("default");
                    let config = account_kubeconfig(&admin, &url, SYSTEM, account, &dir.join(format!("{pod}.config")));
                    let mut command = Command::new(program);
                    command.args(arguments(container, name, &dir, addresses[name]));
                    command.env("KUBECONFIG", config).env("RUNTIME_NAMESPACE", SYSTEM).env("POD_NAME", &pod);
                    command.env("TUF_ROOT", dir.join("tuf"));
                    let log = std::fs::File::create(dir.join(format!("{pod}.log"))).unwrap();
                    command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
                    running.insert(pod, command.spawn().unwrap());
                    counted.lock().unwrap().push((*name).to_owned());
                }
                std::thread::sleep(Duration::from_millis(200));
            }
            running.into_values().for_each(end);
        });
        Self { stop, thread: Some(thread), started, logs }
    }

    /// The last lines of each program.
    fn said(&self) -> String {
        let mut all = String::new();
        for entry in std::fs::read_dir(&self.logs).unwrap().flatten() {
            if entry.path().extension().is_some_and(|e| e == "log") {
                let text = std::fs::read_to_string(entry.path()).unwrap_or_default();
                let lines: Vec<&str> = text.lines().collect();
                let last = lines[lines.len().saturating_sub(8)..].join("\n");
                all.push_str(&format!("{}:\n{last}\n", entry.path().display()));
            }
        }
        all
    }
}

impl Drop for Kubelet {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The arguments of a pod, with addresses and folders of this machine.
fn arguments(container: &Json, name: &str, dir: &Path, storage: u16) -> Vec<String> {
    let mut ours = vec![
        ("--metrics-addr", format!("127.0.0.1:{}", free_port())),
        ("--health-addr", format!("127.0.0.1:{}", free_port())),
    ];
    if name == "pintle" {
        ours.push(("--cache-dir", dir.join("cache").display().to_string()));
    }
    if name != "helm-controller" {
        // An emptyDir: each pod begins with none.
        ours.push(("--storage-path", folder("storage").display().to_string()));
        ours.push(("--storage-addr", format!("127.0.0.1:{storage}")));
        ours.push(("--storage-adv-addr", format!("127.0.0.1:{storage}")));
    }
    let given = container["args"].as_array().into_iter().flatten().filter_map(Json::as_str);
    let elects = name == "pintle";
    let kept = given
        .filter(|arg| !ours.iter().any(|(flag, _)| arg.split('=').next() == Some(*flag)))
        .filter(|arg| elects || *arg != "--enable-leader-election");
    kept.map(str::to_owned).chain(ours.iter().map(|(flag, value)| format!("{flag}={value}"))).collect()
}

fn end(mut child: Child) {
    let _ = Command::new("kill").arg(child.id().to_string()).status();
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(30) {
        if matches!(child.try_wait(), Ok(Some(_))) {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let _ = child.kill();
    let _ = child.wait();
}

struct Move {
    ns: Namespace,
    kubelet: Kubelet,
    /// Where the page's commands are run: what they name of the checkout, and what they write.
    dir: PathBuf,
}

impl Move {
    /// Runs the commands of a section.
    fn section(&self, title: &str) {
        let script = format!("{}\n{}", commands(""), commands(title));
        let built = Path::new(env!("CARGO_BIN_EXE_pintle")).parent().unwrap();
        let path =
            format!("{}:{}:{}", peer("kubectl").display(), built.display(), std::env::var("PATH").unwrap_or_default());
        let mut command = self.ns.command(Path::new("bash"));
        command.args(["-euo", "pipefail", "-c", &script]).env("PATH", path).env_remove("HELM_NAMESPACE");
        let out = command.current_dir(&self.dir).output().unwrap();
        assert!(
            out.status.success(),
            "{title}: {}\n{}\n{}\n{}",
            out.status,
            String::from_utf8_lossy(&out.stdout),
            String::from_utf8_lossy(&out.stderr),
            self.kubelet.said()
        );
    }

    fn create(&self, api: &str, kind: &str, name: &str, spec: Json) {
        let object = json!({"apiVersion": api, "kind": kind, "metadata": {"name": name, "namespace": self.ns.name()}, "spec": spec});
        self.ns.run(async |c: Kube| c.create(&object, &write_options()).await.unwrap());
    }

    fn get(&self, name: &str) -> Release {
        let id = ObjectId::new(Gvk::parse(HELM_API, "HelmRelease"), Some(self.ns.name()), name);
        Release(self.ns.run(async |c: Kube| c.get(&id).await.unwrap()).unwrap_or_default())
    }

    fn change(&self, name: &str, patch: Json) {
        let id = ObjectId::new(Gvk::parse(HELM_API, "HelmRelease"), Some(self.ns.name()), name);
        self.ns.run(async |c: Kube| c.patch(&id, PatchType::Merge, &patch, &write_options()).await.unwrap());
    }

    fn until(&self, name: &str, what: &str, is_so: impl Fn(&Release) -> bool) {
        let begin = Instant::now();
        loop {
            let release = self.get(name);
            if is_so(&release) {
                return;
            }
            assert!(
                begin.elapsed() < PATIENCE,
                "{name}: {what} did not come: {:#}\n{}",
                release.at("/status"),
                self.kubelet.said()
            );
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// What a migration may not change of the releases: history, counters, conditions' states, the objects' generations.
    fn standing(&self) -> BTreeMap<String, Json> {
        let all = self.ns.run(async |c: Kube| {
            c.list(&Gvk::parse(HELM_API, "HelmRelease"), Some(self.ns.name()), "", "").await.unwrap()
        });
        let keep = |r: &Json| {
            let at = |p: &str| r.pointer(p).cloned().unwrap_or_default();
            let ready = Release(r.clone()).is("Ready", "True");
            json!([
                at("/metadata/generation"),
                at("/spec"),
                at("/status/history"),
                at("/status/observedGeneration"),
                at("/status/failures"),
                at("/status/installFailures"),
                at("/status/upgradeFailures"),
                at("/status/lastAttemptedRevision"),
                at("/status/lastAttemptedConfigDigest"),
                ready,
            ])
        };
        all.iter().map(|r| (r["metadata"]["name"].as_str().unwrap().to_owned(), keep(r))).collect()
    }

    /// Waits until the releases stand as they did: a source may just be on its way. Records and objects must be the same at once.
    fn stands(&self, before: &(BTreeMap<String, Json>, Vec<String>), what: &str) {
        let begin = Instant::now();
        while self.standing() != before.0 {
            if begin.elapsed() > Duration::from_secs(60) {
                assert_eq!(self.standing(), before.0, "{what}\n{}", self.kubelet.said());
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        assert_eq!(self.objects(), before.1, "{what}");
    }

    /// Resource versions of the objects that the releases have made.
    fn objects(&self) -> Vec<String> {
        let all = self.ns.run(async |c: Kube| {
            c.list(&Gvk::new("", "v1", "ConfigMap"), Some(self.ns.name()), "helm.toolkit.fluxcd.io/name", "")
                .await
                .unwrap()
        });
        let mut all: Vec<String> =
            all.iter().map(|o| format!("{} {}", o["metadata"]["name"], o["metadata"]["resourceVersion"])).collect();
        all.sort();
        all
    }
}

/// Flux as it is installed: the manifests in its modules, in one namespace.
fn components(dir: &Path, ns: &Namespace) {
    let kustomization = dir.join("kustomization");
    std::fs::create_dir_all(&kustomization).unwrap();
    let mut text = format!("namespace: {SYSTEM}\nresources:\n- namespace.yaml\n");
    std::fs::write(
        kustomization.join("namespace.yaml"),
        format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: {SYSTEM}}}\n"),
    )
    .unwrap();
    for name in ["source-controller", "helm-controller"] {
        let module = peer(name);
        for part in ["crd", "manager", "rbac"] {
            let to = kustomization.join(name).join(part);
            std::fs::create_dir_all(to.parent().unwrap()).unwrap();
            servers::run(Command::new("cp").arg("-r").arg(module.join("config").join(part)).arg(&to));
            text.push_str(&format!("- {name}/{part}\n"));
        }
    }
    std::fs::write(kustomization.join("kustomization.yaml"), text).unwrap();
    let out = ns.pintle(&["kustomize", "build", kustomization.to_str().unwrap()]);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    std::fs::write(dir.join("gotk-components.yaml"), &out.stdout).unwrap();
}

#[test]
fn from_flux_to_pintle_and_back_as_the_page_says() {
    let ns = namespace_in(own_control_plane(), "apps");
    let dir = folder("migrating");
    components(&dir, &ns);
    for name in ["charts", "crds"] {
        std::os::unix::fs::symlink(Path::new(env!("CARGO_MANIFEST_DIR")).join(name), dir.join(name)).unwrap();
    }
    let kubectl = peer("kubectl").join("kubectl");
    servers::run(ns.command(&kubectl).current_dir(&dir).args(["apply", "--server-side", "-f", "gotk-components.yaml"]));
    let kubelet = Kubelet::start(&ns);
    let m = Move { ns, kubelet, dir };

    // Sources of three kinds.
    let root = folder("charts");
    std::fs::write(root.join("web-0.1.0.tgz"), package("web", "0.1.0", &[CONFIG, TESTED])).unwrap();
    std::fs::write(root.join("broken-0.1.0.tgz"), package("broken", "0.1.0", &[CONFIG, BROKEN])).unwrap();
    servers::run(Command::new(servers::helm()).args(["repo", "index"]).arg(&root));
    let charts = Site::new(&root).start();
    let registry = Registry::default().start();
    servers::run(
        Command::new(servers::helm())
            .args(["push", "--plain-http", "web-0.1.0.tgz", &registry.oci("charts")])
            .current_dir(&root),
    );
    let repositories = folder("repositories");
    let repository = Repository::new(repositories.join("deployment"));
    let write = |text: &str| {
        repository.write("charts/app/Chart.yaml", "apiVersion: v2\nname: app\nversion: 1.0.0\n");
        repository.write("charts/app/templates/config.yaml", CONFIG.1);
        repository.write("charts/app/values.yaml", text);
        repository.commit(text);
    };
    write("text: first\n");
    let git = GitHttp::start(&repositories, Site::new(&repositories));
    m.create(SOURCE_API, "HelmRepository", "charts", json!({"interval": "1h", "url": charts.url()}));
    m.create(
        SOURCE_API,
        "GitRepository",
        "deployment",
        json!({"interval": "1h", "url": git.url("deployment"), "ref": {"branch": "main"}}),
    );
    m.create(
        SOURCE_API,
        "OCIRepository",
        "web",
        json!({"interval": "1h", "insecure": true, "url": registry.oci("charts/web"), "ref": {"tag": "0.1.0"},
            "layerSelector": {"mediaType": "application/vnd.cncf.helm.chart.content.v1.tar+gzip", "operation": "copy"}}),
    );
    let name = m.ns.name().to_owned();
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "values", "namespace": name}, "stringData": {"password": "canary-secret-value"}});
    m.ns.run(async |c: Kube| c.create(&secret, &write_options()).await.unwrap());

    let release = |name: &str, chart: &str, more: Json| {
        let mut spec = json!({"interval": "1h", "timeout": "2m", "chart": {"spec": {"chart": chart, "version": "0.x",
            "sourceRef": {"kind": "HelmRepository", "name": "charts"}}}});
        for (key, value) in more.as_object().unwrap() {
            spec[key] = value.clone();
        }
        m.create(HELM_API, "HelmRelease", name, spec);
    };
    release(
        "rendered",
        "web",
        json!({"values": {"text": "one <&>", "list": [1, 2.50, "a: b"], "nothing": null}, "test": {"enable": true},
            "valuesFrom": [{"kind": "Secret", "name": "values", "valuesKey": "password", "targetPath": "deep.password"}],
            "commonMetadata": {"labels": {"team": "a"}, "annotations": {"note": "b"}}, "driftDetection": {"mode": "warn"},
            "postRenderers": [{"kustomize": {"patches": [{"target": {"kind": "ConfigMap"}, "patch": "- {op: add, path: /data/more, value: x}"}]}}]}),
    );
    release("named", "web", json!({"releaseName": "another", "maxHistory": 2, "dependsOn": [{"name": "rendered"}]}));
    release("oci", "web", json!({"chart": null, "chartRef": {"kind": "OCIRepository", "name": "web"}}));
    let git_chart = |strategy: &str| {
        json!({"chart": {"spec": {"chart": "./charts/app", "reconcileStrategy": strategy,
            "sourceRef": {"kind": "GitRepository", "name": "deployment"}}}})
    };
    release("git", "app", git_chart("Revision"));
    release("git-version", "app", git_chart("ChartVersion"));
    release("failed", "broken", json!({"values": {"name": "NOT-A-NAME"}}));
    release(
        "rolled",
        "broken",
        json!({"values": {"name": "good"}, "upgrade": {"remediation": {"retries": 0, "remediateLastFailure": true}}}),
    );
    release("asleep", "web", json!({}));
    let all = ["rendered", "named", "oci", "git", "git-version", "rolled", "asleep"];
    for name in all {
        m.until(name, "Flux's install", |r| r.observed() && r.is("Ready", "True"));
    }
    m.until("failed", "the stall", |r| r.is("Stalled", "True"));
    m.change("rendered", json!({"spec": {"values": {"text": "two"}}}));
    m.change("rolled", json!({"spec": {"values": {"name": "NOT-A-NAME"}}}));
    m.change("asleep", json!({"spec": {"suspend": true, "values": {"text": "later"}}}));
    m.until("rendered", "Flux's upgrade", |r| r.observed() && r.is("Ready", "True") && r.history().starts_with("2 "));
    m.until("rolled", "Flux's rollback", |r| r.is("Stalled", "True") && r.is("Remediated", "True"));

    m.section("Before");
    let flux = (m.standing(), m.objects());
    assert_eq!(flux.0.len(), 8);
    m.section("In helm-controller's place");
    m.stands(&flux, "nothing but the worker has changed");
    m.section("In source-controller's place");
    m.stands(&flux, "nothing but the sources' owner has changed");
    let started: Vec<String> = std::mem::take(&mut *m.kubelet.started.lock().unwrap());
    assert_eq!(started.iter().filter(|p| *p == "pintle").count(), 2, "{started:?}");
    assert_eq!(started.iter().filter(|p| *p != "pintle").count(), 2, "Flux's were started once: {started:?}");

    // pintle at work: an upgrade, a new commit, a repaired release, a new one, and one that goes.
    m.change("rendered", json!({"spec": {"values": {"text": "three"}}}));
    m.change("oci", json!({"spec": {"values": {"text": "two"}}}));
    m.change("rolled", json!({"spec": {"values": {"name": "better"}}}));
    m.change("failed", json!({"spec": {"values": {"name": "good"}}}));
    write("text: second\n");
    let deployment = ObjectId::new(Gvk::parse(SOURCE_API, "GitRepository"), Some(&name), "deployment");
    let asked = json!({"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": "now"}}});
    m.ns.run(async |c: Kube| c.patch(&deployment, PatchType::Merge, &asked, &write_options()).await.unwrap());
    release("new", "web", json!({"values": {"text": "new"}, "test": {"enable": true}}));
    for (name, version) in [("rendered", "3 "), ("oci", "2 "), ("git", "2 "), ("rolled", "4 "), ("new", "1 ")] {
        m.until(name, "pintle's work", |r| r.observed() && r.is("Ready", "True") && r.history().starts_with(version));
    }
    m.until("failed", "the repair", |r| r.observed() && r.is("Ready", "True"));

    let pintle = (m.standing(), m.objects());
    m.section("Back to Flux");
    m.stands(&pintle, "nothing but the worker has changed");
    let started = m.kubelet.started.lock().unwrap().clone();
    assert!(["source-controller", "helm-controller"].iter().all(|p| started.contains(&(*p).to_owned())), "{started:?}");

    // Flux at work on what pintle has left.
    m.change("rendered", json!({"spec": {"values": {"text": "four"}}}));
    m.change("asleep", json!({"spec": {"suspend": false}}));
    for (name, version) in [("rendered", "4 "), ("asleep", "2 ")] {
        m.until(name, "Flux's work", |r| r.observed() && r.is("Ready", "True") && r.history().starts_with(version));
    }
    m.ns.plane().end();
}
