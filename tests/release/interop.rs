//! Releases shared between pintle, helm 4 and helm 3: one tool installs, the other upgrades, the first rolls back and tests, the second
//! uninstalls. After every step helm and pintle tell the same of the release, and the live objects are those of a run with helm alone.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Output;

use pintle::cluster::kube::Kube;
use pintle::cluster::{Cluster, Gvk, Json};

use crate::support::cluster::{self, Namespace};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Tool {
    Pintle,
    Helm4,
    Helm3,
}

use Tool::{Helm3, Helm4, Pintle};

impl Tool {
    fn run(self, ns: &Namespace, args: &[&str]) -> Output {
        match self {
            Pintle => ns.pintle(args),
            Helm4 => ns.helm(args),
            Helm3 => ns.helm3(args),
        }
    }

    fn must(self, ns: &Namespace, args: &[&str]) -> String {
        let out = self.run(ns, args);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(out.status.success(), "{self:?} {args:?}: {}{}", text(&out.stdout), text(&out.stderr));
        text(&out.stdout)
    }

    /// The same run with helm alone.
    fn as_helm(self) -> Self {
        if self == Pintle { Helm4 } else { self }
    }
}

fn chart(name: &str) -> String {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests/fixtures/release/charts", name].iter().collect();
    path.to_string_lossy().into_owned()
}

/// What lives in the namespace, by kind and name, without what the server sets and what belongs to one namespace only.
pub fn live(ns: &Namespace) -> BTreeMap<String, Json> {
    const KINDS: [(&str, &str, &str); 6] = [
        ("", "v1", "ConfigMap"),
        ("", "v1", "Secret"),
        ("", "v1", "Service"),
        ("", "v1", "ServiceAccount"),
        ("apps", "v1", "Deployment"),
        ("batch", "v1", "Job"),
    ];
    let mut out = BTreeMap::new();
    ns.run(async |cluster: Kube| {
        for (group, version, kind) in KINDS {
            for mut object in cluster.list(&Gvk::new(group, version, kind), Some(ns.name()), "", "").await.unwrap() {
                let name = object["metadata"]["name"].as_str().unwrap_or_default().to_string();
                let record = object["type"] == "helm.sh/release.v1";
                // Jobs that are going, marks of running actions, what every namespace has.
                let going = !object["metadata"]["deletionTimestamp"].is_null();
                if record || going || matches!(name.as_str(), "kube-root-ca.crt" | "default") {
                    continue;
                }
                strip(&mut object);
                let text = object.to_string().replace(ns.name(), "NAMESPACE");
                out.insert(format!("{kind}/{name}"), serde_json::from_str(&text).unwrap());
            }
        }
    });
    out
}

fn strip(object: &mut Json) {
    if let Some(fields) = object.as_object_mut() {
        fields.remove("status");
    }
    if let Some(metadata) = object["metadata"].as_object_mut() {
        for key in ["uid", "resourceVersion", "creationTimestamp", "generation", "managedFields"] {
            metadata.remove(key);
        }
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Json::as_object_mut) {
            annotations.remove("deployment.kubernetes.io/revision");
        }
    }
    if let Some(spec) = object["spec"].as_object_mut() {
        for key in ["clusterIP", "clusterIPs"] {
            spec.remove(key);
        }
    }
}

/// What is seen after one step.
#[derive(Debug, PartialEq)]
struct Seen {
    step: String,
    history: Vec<(i64, String, String)>,
    live: BTreeMap<String, Json>,
}

/// Both programs tell the same of a release.
fn agree(ns: &Namespace, release: &str, step: &str) -> Vec<(i64, String, String)> {
    let questions: [&[&str]; 9] = [
        &["history", release, "-o", "json"],
        &["history", release, "-o", "yaml"],
        &["history", release, "--show-rollback-revision"],
        &["get", "manifest", release],
        &["get", "values", release, "-o", "json"],
        &["get", "hooks", release],
        &["get", "notes", release],
        &["list", "-o", "json"],
        &["list"],
    ];
    for question in questions {
        let (ours, theirs) = (Pintle.must(ns, question), Helm4.must(ns, question));
        assert_eq!(ours, theirs, "{step}: {question:?}");
    }
    let history: Json = serde_json::from_str(&Pintle.must(ns, &["history", release, "-o", "json"])).unwrap();
    let text = |j: &Json| j.as_str().unwrap_or_default().to_string();
    let rows = history.as_array().into_iter().flatten();
    rows.map(|r| (r["revision"].as_i64().unwrap_or_default(), text(&r["status"]), text(&r["description"]))).collect()
}

/// The life of a release in the hands of two tools.
fn life(first: Tool, second: Tool, chart_name: &str, namespace: &str) -> Vec<Seen> {
    let ns = cluster::namespace(namespace);
    let chart = chart(chart_name);
    let release = "shared";
    let mut seen = Vec::new();
    let mut look = |step: &str, ns: &Namespace| {
        let step = format!("{first:?}/{second:?} {chart_name} {step}");
        let history = agree(ns, release, &step);
        seen.push(Seen { step, history, live: live(ns) });
    };
    first.must(&ns, &["install", release, &chart, "--set", "greeting=one,extra.n=5", "--set-string", "tag=007"]);
    look("installed", &ns);
    second.must(&ns, &["upgrade", release, &chart, "--set", "greeting=two,replicas=2", "--description", "a <second>"]);
    look("upgraded", &ns);
    first.must(&ns, &["rollback", release, "1"]);
    look("rolled back", &ns);
    first.must(&ns, &["test", release]);
    look("tested", &ns);
    second.must(&ns, &["upgrade", release, &chart, "--reuse-values", "--set", "greeting=three"]);
    look("upgraded again", &ns);
    second.must(&ns, &["uninstall", release]);
    assert_eq!(Pintle.must(&ns, &["list", "-q"]), "");
    seen.push(Seen { step: "uninstalled".into(), history: Vec::new(), live: live(&ns) });
    seen
}

/// The pairs in which pintle is one of the two, each beside the pair with helm in its place.
fn table(chart: &str) {
    let pairs = [(Pintle, Pintle), (Pintle, Helm4), (Helm4, Pintle), (Pintle, Helm3), (Helm3, Pintle)];
    let mut references: BTreeMap<(Tool, Tool), Vec<Seen>> = BTreeMap::new();
    for (first, second) in pairs {
        let alone = (first.as_helm(), second.as_helm());
        let reference = references.entry(alone).or_insert_with(|| {
            life(alone.0, alone.1, chart, &format!("{chart}-{:?}-{:?}", alone.0, alone.1).to_lowercase())
        });
        let ours = life(first, second, chart, &format!("{chart}-{first:?}-{second:?}").to_lowercase());
        assert_eq!(ours.len(), reference.len());
        for (ours, theirs) in ours.iter().zip(reference.iter()) {
            assert_eq!(ours.history, theirs.history, "{}: history", ours.step);
            let names = |seen: &Seen| seen.live.keys().cloned().collect::<Vec<_>>();
            assert_eq!(names(ours), names(theirs), "{}: objects", ours.step);
            for (name, object) in &ours.live {
                assert_eq!(Some(object), theirs.live.get(name), "{}: {name}", ours.step);
            }
        }
    }
}

/// Each step in other hands; pintle comes to every place once.
#[test]
fn three_tools_in_turn() {
    let chart = chart("tiny");
    for (a, b, c) in [(Pintle, Helm3, Helm4), (Helm4, Pintle, Helm3), (Helm3, Helm4, Pintle)] {
        let ns = cluster::namespace(&format!("turn-{a:?}-{b:?}-{c:?}").to_lowercase());
        let steps: [(Tool, &[&str]); 5] = [
            (a, &["install", "turn", &chart, "--set", "greeting=one"]),
            (b, &["upgrade", "turn", &chart, "--set", "greeting=two"]),
            (c, &["rollback", "turn", "1"]),
            (a, &["upgrade", "turn", &chart, "--reuse-values", "--set", "n=3"]),
            (b, &["rollback", "turn"]),
        ];
        for (i, (tool, words)) in steps.iter().enumerate() {
            tool.must(&ns, words);
            let history = agree(&ns, "turn", &format!("{a:?} {b:?} {c:?} {}", words[0]));
            let deployed = history.iter().filter(|h| h.1 == "deployed").count();
            assert_eq!((history.len(), deployed), (i + 1, 1), "{history:?}");
        }
        c.must(&ns, &["uninstall", "turn"]);
        assert!(live(&ns).is_empty(), "{:?}", live(&ns));
    }
}

#[test]
fn a_rich_chart_is_shared() {
    table("app");
}

#[test]
fn a_tiny_chart_is_shared() {
    table("tiny");
}
