//! End-to-end scenarios as data: `scenarios/*.yaml`, each document one scenario, run under our own rules and under `--compat=flux`.
//!
//! A scenario has a namespace of its own with a published chart (`chart`: name, version, templates of `scenarios/templates`; HelmChart `web` by
//! default) and `steps`. A step does what its keys say, in this order, and then waits until `want` is so:
//!
//! - `create` objects (HelmReleases get what every release here has), `helm` runs the real helm (`CHART` is the chart's directory),
//!   `chart` publishes another, `release` makes the HelmRelease `web`, `spec` patches its spec, `annotate` asks with a token,
//!   `patch` and `delete` change `Kind/name` (or `Kind/namespace/name`), `pause` waits some milliseconds;
//! - `want`: conditions by their short names (`True Reason`, empty: absent), `message` (a part of Ready's), `history`, `stored`, `failures`
//!   (all, of installs, of upgrades), `live` objects (`absent`, or a part of the object), `events` (all reasons so far), `status` (a part),
//!   `gone`. `Stalled`, `Reconciling` and `Remediated` are absent and the generation is observed unless it says otherwise.
//!   `want-flux` is laid over it under `--compat=flux`; `modes: default` or `modes: flux` runs only one of the two.
//!
//! `$NS` is the namespace. Every scenario must want conditions, history, storage, live objects and events.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use pintle::cluster::kube::Kube;
use pintle::cluster::patch::json_merge::apply;
use pintle::cluster::{Cluster, Gvk, Json, ObjectId, PatchType, Propagation};
use serde_json::json;

use crate::support::cluster::{namespace, runtime, write_options};
use crate::world::{Release, World, package};

/// How many scenarios run at a time.
const HANDS: usize = 10;
const PATIENCE: Duration = Duration::from_secs(40);

const CONDITIONS: [(&str, &str); 7] = [
    ("ready", "Ready"),
    ("released", "Released"),
    ("remediated", "Remediated"),
    ("tests", "TestSuccess"),
    ("stalled", "Stalled"),
    ("reconciling", "Reconciling"),
    ("drifted", "Drifted"),
];

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/controller/scenarios")
}

/// All scenarios, with the file of each.
fn scenarios() -> Vec<(String, Json)> {
    let mut files: Vec<_> = std::fs::read_dir(folder()).unwrap().map(|e| e.unwrap().path()).collect();
    files.retain(|p| p.extension().is_some_and(|e| e == "yaml"));
    files.sort();
    let mut all = Vec::new();
    for file in files {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let found = pintle::cluster::manifest::objects(&std::fs::read(&file).unwrap());
        all.extend(found.unwrap_or_else(|e| panic!("{name}: {e}")).into_iter().map(|s| (name.clone(), s)));
    }
    all
}

#[test]
fn enough_scenarios_and_each_says_enough() {
    let all = scenarios();
    assert!(all.len() >= 60, "{} scenarios", all.len());
    let mut names = BTreeSet::new();
    for (file, scenario) in &all {
        let name = scenario["scenario"].as_str().unwrap_or_else(|| panic!("{file}: a scenario without a name"));
        assert!(names.insert(name), "{file}: {name} twice");
        let mut said = BTreeSet::new();
        for step in scenario["steps"].as_array().unwrap() {
            for key in step.as_object().unwrap().keys() {
                assert!(STEP.contains(&key.as_str()), "{file}: {name}: a step's {key}");
            }
            said.extend(step["want"].as_object().into_iter().flat_map(|w| w.keys().map(String::as_str)));
        }
        for key in ["ready", "history", "stored", "live", "events"] {
            assert!(said.contains(key) || (said.contains("gone") && key != "events"), "{file}: {name} wants no {key}");
        }
    }
}

const STEP: [&str; 11] =
    ["create", "helm", "chart", "release", "spec", "annotate", "patch", "delete", "pause", "want", "want-flux"];

#[test]
fn scenarios_by_our_own_rules() {
    run("default");
}

#[test]
fn scenarios_as_flux_does() {
    run("flux");
}

fn run(mode: &'static str) {
    // All namespaces, but only objects of this test.
    let shared = World::with(&format!("table-{mode}"), |o| {
        o.namespace = None;
        o.label_selector = format!("scenarios={mode}");
        o.compat_flux = mode == "flux";
        o.concurrent = HANDS;
        o.requeue_dependency = Duration::from_secs(2);
        o.exhausted_retry = Duration::from_secs(3600);
    });
    let runtime = Arc::new(runtime());
    let kube = runtime.block_on(Kube::connect(&shared.ns.connection())).unwrap();
    let only = std::env::var("PINTLE_SCENARIO").unwrap_or_default();
    let all = scenarios().into_iter().filter(|(_, s)| {
        let name = s["scenario"].as_str().unwrap_or_default();
        name.contains(&only) && s.get("modes").is_none_or(|m| m == mode)
    });
    let queue: Mutex<VecDeque<(String, Json)>> = Mutex::new(all.collect());
    let failures: Mutex<Vec<String>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..HANDS {
            scope.spawn(|| {
                while let Some((file, scenario)) = { queue.lock().unwrap().pop_front() } {
                    let world = World::idle(namespace("scene"), |_| ());
                    let mut scene = Scene {
                        chart: json!({"name": "web", "version": "0.1.0", "kind": "HelmChart", "templates": ["config"]}),
                        world,
                        kube: kube.clone(),
                        runtime: runtime.clone(),
                        mode,
                        token: String::new(),
                    };
                    let begin = Instant::now();
                    let played = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| scene.play(&scenario)));
                    let name = scenario["scenario"].as_str().unwrap_or_default();
                    let result = played.unwrap_or_else(|e| {
                        let text = e.downcast_ref::<String>().cloned();
                        Err(text.or_else(|| e.downcast_ref::<&str>().map(|s| (*s).into())).unwrap_or_default())
                    });
                    if begin.elapsed() > Duration::from_secs(20) {
                        eprintln!("{mode}: {file}: {name} took {:?}", begin.elapsed());
                    }
                    if let Err(e) = result {
                        failures.lock().unwrap().push(format!("{file}: {name}: {e}"));
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    assert!(failures.is_empty(), "{mode}: {} failed\n{}", failures.len(), failures.join("\n\n"));
}

struct Scene {
    world: World,
    kube: Kube,
    runtime: Arc<tokio::runtime::Runtime>,
    mode: &'static str,
    chart: Json,
    token: String,
}

impl Scene {
    fn play(&mut self, scenario: &Json) -> Result<(), String> {
        let text = scenario.to_string().replace("$NS", self.world.name());
        let scenario: Json = serde_json::from_str(&text).unwrap();
        if let Some(chart) = scenario.get("chart") {
            apply(&mut self.chart, chart);
        }
        self.publish();
        for (n, step) in scenario["steps"].as_array().ok_or("no steps")?.iter().enumerate() {
            self.step(step).map_err(|e| format!("step {}: {e}", n + 1))?;
        }
        Ok(())
    }

    fn block<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    /// `Kind/name` or `Kind/namespace/name`.
    fn id(&self, path: &str) -> ObjectId {
        let parts: Vec<&str> = path.split('/').collect();
        let (kind, ns, name) = match parts[..] {
            [kind, name] => (kind, self.world.name(), name),
            [kind, ns, name] => (kind, ns, name),
            _ => panic!("no object: {path}"),
        };
        let (api, ns) = match kind {
            "Deployment" => ("apps/v1", Some(ns)),
            "Job" => ("batch/v1", Some(ns)),
            "Role" | "RoleBinding" => ("rbac.authorization.k8s.io/v1", Some(ns)),
            "HelmRelease" => (pintle::api::HELM_API, Some(ns)),
            "HelmChart" | "OCIRepository" | "GitRepository" => (pintle::api::SOURCE_API, Some(ns)),
            "Thing" => ("scenes.example/v1", Some(ns)),
            "Namespace" => ("v1", None),
            "ClusterRole" => ("rbac.authorization.k8s.io/v1", None),
            "CustomResourceDefinition" => ("apiextensions.k8s.io/v1", None),
            _ => ("v1", Some(ns)),
        };
        ObjectId::new(Gvk::parse(api, kind), ns, name)
    }

    fn files(&self) -> Vec<(String, String)> {
        let templates = self.chart["templates"].as_array().unwrap();
        let mut files: Vec<(String, String)> = templates
            .iter()
            .map(|t| {
                let name = t.as_str().unwrap();
                let text = std::fs::read_to_string(folder().join(format!("templates/{name}.yaml")));
                let text = text.unwrap_or_else(|e| panic!("template {name}: {e}"));
                let folder = if name.starts_with("crd") { "crds" } else { "templates" };
                let word = self.chart["word"].as_str().unwrap_or("one");
                (format!("{folder}/{name}.yaml"), text.replace("$NS", self.world.name()).replace("$WORD", word))
            })
            .collect();
        if let Some(schema) = self.chart.get("schema") {
            files.push(("values.schema.json".into(), schema.to_string()));
        }
        files
    }

    fn publish(&self) {
        let text = |key: &str| self.chart[key].as_str().unwrap_or_default();
        let (kind, version) = (text("kind"), text("version"));
        let files = self.files();
        let files: Vec<(&str, &str)> = files.iter().map(|(p, t)| (p.as_str(), t.as_str())).collect();
        let spec = match kind {
            "HelmChart" => {
                json!({"chart": "web", "sourceRef": {"kind": "HelmRepository", "name": "none"}, "interval": "1h"})
            }
            _ => json!({"url": "oci://example.com/web", "interval": "1h"}),
        };
        let revision = self.chart["revision"].as_str().unwrap_or(version);
        let bytes = match self.chart["raw"].as_str() {
            Some(raw) => raw.as_bytes().to_vec(),
            None => package(text("name"), version, &files),
        };
        let object = self.chart["object"].as_str().unwrap_or("web");
        self.world.source(kind, object, revision, bytes, spec);
    }

    fn create(&self, object: &Json) -> Result<(), String> {
        let mut object = object.clone();
        if object["kind"] == "HelmRelease" {
            let mut whole = json!({
                "apiVersion": pintle::api::HELM_API,
                "metadata": {"labels": {"scenarios": self.mode}},
                "spec": {"interval": "1h", "chartRef": {"kind": "HelmChart", "name": "web"}, "timeout": "30s"},
            });
            apply(&mut whole, &object);
            object = whole;
        }
        if object["metadata"].get("namespace").is_none()
            && !["Namespace", "ClusterRole"].contains(&object["kind"].as_str().unwrap())
        {
            object["metadata"]["namespace"] = self.world.name().into();
        }
        self.block(self.kube.create(&object, &write_options())).map(|_| ()).map_err(|e| e.to_string())
    }

    fn step(&mut self, step: &Json) -> Result<(), String> {
        for object in step["create"].as_array().into_iter().flatten() {
            self.create(object)?;
        }
        if let Some(args) = step["helm"].as_array() {
            let files = self.files();
            let files: Vec<(&str, &str)> = files.iter().map(|(p, t)| (p.as_str(), t.as_str())).collect();
            let dir = crate::support::chart::write("web", "", &files);
            let args: Vec<&str> = args.iter().map(|a| a.as_str().unwrap()).collect();
            let args: Vec<&str> = args.iter().map(|a| if *a == "CHART" { dir.to_str().unwrap() } else { a }).collect();
            let out = self.world.ns.helm(&args);
            if !out.status.success() {
                return Err(format!("helm {args:?}: {}", String::from_utf8_lossy(&out.stderr)));
            }
        }
        if let Some(chart) = step.get("chart") {
            apply(&mut self.chart, chart);
            self.publish();
        }
        if let Some(spec) = step.get("release") {
            self.create(&json!({"kind": "HelmRelease", "metadata": {"name": "web"}, "spec": spec}))?;
        }
        let web = self.id("HelmRelease/web");
        let mut patches: Vec<(ObjectId, Json)> = Vec::new();
        if let Some(spec) = step.get("spec") {
            patches.push((web.clone(), json!({"spec": spec})));
        }
        if let Some(list) = step.get("annotate") {
            // All of them get the same new token.
            self.token.push('t');
            let keys = list.as_array().unwrap().iter().map(|k| k.as_str().unwrap());
            let all = keys.map(|k| (format!("reconcile.fluxcd.io/{k}"), json!(self.token))).collect();
            patches.push((web.clone(), json!({"metadata": {"annotations": Json::Object(all)}})));
        }
        for (path, body) in step["patch"].as_object().into_iter().flatten() {
            patches.push((self.id(path), body.clone()));
        }
        for (id, body) in patches {
            self.block(self.kube.patch(&id, PatchType::Merge, &body, &write_options()))
                .map_err(|e| format!("{id}: {e}"))?;
        }
        for path in step["delete"].as_array().into_iter().flatten() {
            let id = self.id(path.as_str().unwrap());
            let deleted =
                self.block(self.kube.delete(&id, Propagation::Background, None)).map_err(|e| e.to_string())?;
            if !deleted {
                return Err(format!("{id} was not there"));
            }
        }
        if let Some(millis) = step["pause"].as_u64() {
            std::thread::sleep(Duration::from_millis(millis));
        }
        let Some(want) = step.get("want") else { return Ok(()) };
        let mut want = want.clone();
        if self.mode == "flux" {
            apply(&mut want, step.get("want-flux").unwrap_or(&json!({})));
        }
        let begin = Instant::now();
        loop {
            let differing = self.differing(&want);
            if differing.is_empty() {
                return Ok(());
            }
            if begin.elapsed() > PATIENCE {
                let status = self.get("HelmRelease/web").map(|o| o["status"]["conditions"].clone()).unwrap_or_default();
                return Err(format!("{}\n{status}", differing.join("\n")));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn get(&self, path: &str) -> Option<Json> {
        self.block(self.kube.get(&self.id(path))).unwrap_or_default()
    }

    /// What is not as wanted.
    fn differing(&self, want: &Json) -> Vec<String> {
        let name = want["name"].as_str().unwrap_or("web");
        let object = self.get(&format!("HelmRelease/{name}"));
        let mut out = Vec::new();
        let gone = want["gone"] == true;
        if gone != object.is_none() {
            return vec![if gone { "it is still there".into() } else { "it is not there".into() }];
        }
        let r = Release(object.unwrap_or_default());
        let mut want = want.clone();
        if !gone {
            for (key, value) in [("stalled", json!("")), ("reconciling", json!("")), ("observed", json!(true))] {
                want.as_object_mut().unwrap().entry(key).or_insert(value);
            }
            if !self.token.is_empty() && r.at("/status/lastHandledReconcileAt") != self.token.as_str() && name == "web"
            {
                out.push(format!("the token {} was not handled", self.token));
            }
        }
        for (key, wanted) in want.as_object().unwrap() {
            let differs = |is: String| {
                let wanted = wanted.as_str().map_or_else(|| wanted.to_string(), str::to_owned);
                (is != wanted).then(|| format!("{key}: {is}\n  wanted: {wanted}"))
            };
            let found = match key.as_str() {
                "name" | "gone" | "release" => None,
                "observed" => differs(r.observed().to_string()),
                "message" => {
                    let is = r.message("Ready");
                    (!is.contains(wanted.as_str().unwrap())).then(|| format!("message: {is}\n  wanted: {wanted}"))
                }
                "history" => differs(r.history()),
                "stored" => differs(self.stored(want["release"].as_str().unwrap_or(name))),
                "failures" => {
                    let n = |f: &str| r.at(&format!("/status/{f}")).as_i64().unwrap_or_default();
                    differs(format!("{} {} {}", n("failures"), n("installFailures"), n("upgradeFailures")))
                }
                "events" => {
                    let mut all: Vec<&str> = wanted.as_str().unwrap_or_default().split_whitespace().collect();
                    all.sort_unstable();
                    let (is, all) = (self.reasons(name), all.join(" "));
                    (is != all).then(|| format!("events: {is}\n  wanted: {all}"))
                }
                "status" => part(&r.at("/status"), wanted, "status"),
                "live" => wanted.as_object().unwrap().iter().find_map(|(path, wanted)| {
                    match (self.get(path), wanted == "absent") {
                        (None, true) => None,
                        (Some(_), true) => Some(format!("{path} is there")),
                        (None, false) => Some(format!("{path} is missing")),
                        (Some(live), false) => part(&live, wanted, path),
                    }
                }),
                condition => match CONDITIONS.iter().find(|(short, _)| *short == condition) {
                    Some((_, kind)) => {
                        let status = ["True", "False", "Unknown"].into_iter().find(|s| r.is(kind, s));
                        differs(status.map_or_else(String::new, |s| format!("{s} {}", r.reason(kind))))
                    }
                    None => panic!("a scenario wants {condition}"),
                },
            };
            out.extend(found);
        }
        out
    }

    fn list(&self, gvk: &Gvk, labels: &str, fields: &str) -> Vec<Json> {
        self.block(self.kube.list(gvk, Some(self.world.name()), labels, fields)).unwrap_or_default()
    }

    /// `revision status` of each record, oldest first.
    fn stored(&self, release: &str) -> String {
        let secrets = self.list(&Gvk::new("", "v1", "Secret"), &format!("owner=helm,name={release}"), "");
        let label = |s: &Json, l: &str| s["metadata"]["labels"][l].as_str().unwrap_or_default().to_owned();
        let all: BTreeMap<i64, String> =
            secrets.iter().map(|s| (label(s, "version").parse().unwrap(), label(s, "status"))).collect();
        all.iter().map(|(v, s)| format!("{v} {s}")).collect::<Vec<_>>().join(", ")
    }

    fn reasons(&self, name: &str) -> String {
        let fields = format!("involvedObject.name={name},involvedObject.kind=HelmRelease");
        let events = self.list(&Gvk::new("", "v1", "Event"), "", &fields);
        let times = |e: &Json| e["count"].as_u64().unwrap_or(1) as usize;
        let mut all: Vec<&str> = events
            .iter()
            .flat_map(|e| std::iter::repeat_n(e["reason"].as_str().unwrap_or_default(), times(e)))
            .collect();
        all.sort_unstable();
        all.join(" ")
    }
}

/// The first place where `whole` does not have what `wanted` says; a wanted `null` is absent.
fn part(whole: &Json, wanted: &Json, at: &str) -> Option<String> {
    match wanted {
        Json::Object(map) => map.iter().find_map(|(k, v)| part(&whole[k], v, &format!("{at}.{k}"))),
        wanted => (whole != wanted).then(|| format!("{at}: {whole}\n  wanted: {wanted}")),
    }
}
