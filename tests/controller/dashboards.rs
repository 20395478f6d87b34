//! `deploy/grafana` and `deploy/monitoring`: what they ask for is what a running controller shows.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use pintle::cluster::{Json, manifest};
use regex::Regex;
use serde_json::json;

use crate::servers::free_port;
use crate::support::cluster::{namespace, runtime};
use crate::world::{CONFIG, World};

/// Words of PromQL that the queries use: what else stands in them is a metric.
const WORDS: &[&str] =
    &["absent", "and", "count", "histogram_quantile", "increase", "max", "or", "rate", "sum", "topk", "vector"];

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// A page of metrics: the names of samples that it can have, and the labels of those that it has.
struct Page {
    names: BTreeSet<String>,
    labels: BTreeMap<String, BTreeSet<String>>,
}

impl Page {
    fn parse(text: &str) -> Self {
        let (mut names, mut labels) = (BTreeSet::new(), BTreeMap::<String, BTreeSet<String>>::new());
        let sample = Regex::new(r#"^(\w+)(?:\{(.*)\})? \S+"#).unwrap();
        let label = Regex::new(r#"(\w+)="(?:[^"\\]|\\.)*""#).unwrap();
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').unwrap();
                let ends: &[&str] = match kind {
                    "counter" => &["_total"],
                    "histogram" => &["_bucket", "_sum", "_count"],
                    _ => &[""],
                };
                names.extend(ends.iter().map(|end| format!("{name}{end}")));
            } else if let Some(found) = sample.captures(line) {
                let keys = found.get(2).map_or("", |m| m.as_str());
                let all = labels.entry(found[1].to_owned()).or_default();
                all.extend(label.captures_iter(keys).map(|c| c[1].to_owned()));
            }
        }
        Self { names, labels }
    }

    /// What is wrong with a query.
    fn wrong(&self, query: &str) -> Vec<String> {
        let selector = Regex::new(r#"(\w+)?\{([^}]*)\}"#).unwrap();
        let grouping = Regex::new(r"\bby \(([^)]*)\)").unwrap();
        let quoted = Regex::new(r#""[^"]*""#).unwrap();
        let mut wrong = Vec::new();
        let bare = Regex::new(r"\[[^\]]*\]").unwrap().replace_all(query, "").into_owned();
        let bare = grouping.replace_all(&selector.replace_all(&bare, "$1 "), "").into_owned();
        let words = Regex::new(r"[A-Za-z_]\w*").unwrap();
        let metrics: Vec<&str> = words.find_iter(&bare).map(|m| m.as_str()).filter(|w| !WORDS.contains(w)).collect();
        if metrics.is_empty() {
            wrong.push("no metric".into());
        }
        wrong.extend(metrics.iter().filter(|m| !self.names.contains(**m)).map(|m| format!("no metric {m}")));
        let known: BTreeSet<&str> =
            metrics.iter().filter_map(|m| self.labels.get(*m)).flatten().map(String::as_str).collect();
        let has_samples = metrics.iter().any(|m| self.labels.contains_key(*m));
        let mut asked: Vec<String> = Vec::new();
        for found in selector.captures_iter(query) {
            let inside = quoted.replace_all(&found[2], "").into_owned();
            asked.extend(words.find_iter(&inside).map(|m| m.as_str().to_owned()));
        }
        for found in grouping.captures_iter(query) {
            asked.extend(found[1].split(',').map(|l| l.trim().to_owned()));
        }
        if has_samples {
            wrong.extend(asked.iter().filter(|l| !known.contains(l.as_str())).map(|l| format!("no label {l}")));
        }
        wrong
    }
}

/// The metrics of the program with a release that is ready, one that failed, and one that fails without a trace.
fn page() -> Page {
    let w = World::idle(namespace("dashboards"), |_| ());
    w.chart("web", "0.1.0", &[CONFIG]);
    w.chart(
        "bad",
        "0.1.0",
        &[("templates/bad.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: NOT-A-NAME\n")],
    );
    w.chart("unrendered", "0.1.0", &[("templates/bad.yaml", "{{ fail \"no\" }}")]);
    let port = free_port();
    let mut child =
        w.ns.command(Path::new(env!("CARGO_BIN_EXE_pintle")))
            .args([
                "controller",
                "--health-addr=0",
                "--sources=flux",
                "--watch-all-namespaces=false",
                "--enable-leader-election",
            ])
            .arg(format!("--metrics-addr=127.0.0.1:{port}"))
            .env("RUNTIME_NAMESPACE", w.name())
            .env("PINTLE_CACHE_DIR", crate::servers::folder("cache"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
    w.release("web", "web", json!({}));
    w.release("bad", "bad", json!({}));
    w.release("unrendered", "unrendered", json!({}));
    w.ready("web");
    w.until("bad", "the stall", |r| r.is("Stalled", "True"));
    let begin = Instant::now();
    let text = loop {
        let text = runtime().block_on(async {
            reqwest::get(format!("http://127.0.0.1:{port}/metrics")).await.unwrap().text().await.unwrap()
        });
        // Events are delivered a moment later.
        let all = ["pintle_events_total{", "pintle_release_failures{", "controller_runtime_reconcile_errors_total{"];
        if all.iter().all(|name| text.contains(name)) {
            break text;
        }
        assert!(begin.elapsed() < Duration::from_secs(60), "{text}");
        std::thread::sleep(Duration::from_millis(100));
    };
    let _ = std::process::Command::new("kill").arg(child.id().to_string()).status();
    child.wait().unwrap();
    Page::parse(&text)
}

#[test]
fn dashboards_and_alerts_ask_for_what_there_is() {
    let page = page();
    // The check itself finds what is wrong.
    for (query, wrong) in [
        ("sum by (le) (rate(gotk_reconcile_duration_seconds_bucket[5m]))", ""),
        ("sum(rate(controller_runtime_reconcile[5m]))", "no metric controller_runtime_reconcile"),
        ("pintle_release_info{reddy=\"True\"}", "no label reddy"),
        ("sum by (rdy) (pintle_release_info)", "no label rdy"),
    ] {
        assert_eq!(page.wrong(query).join(", "), wrong, "{query}");
    }
    let mut wrong = Vec::new();
    let mut asked = 0;
    let mut ask = |place: &str, query: &str| {
        asked += 1;
        wrong.extend(page.wrong(query).iter().map(|w| format!("{place}: {w}: {query}")));
    };
    let dashboard: Json = serde_json::from_str(&read("deploy/grafana/pintle.json")).unwrap();
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().into_iter().flatten() {
            ask(panel["title"].as_str().unwrap(), target["expr"].as_str().unwrap());
        }
    }
    for variable in dashboard["templating"]["list"].as_array().unwrap() {
        if let Some(values) = variable["query"]["query"].as_str() {
            // label_values(metric, label)
            let inner = values.strip_prefix("label_values(").and_then(|v| v.strip_suffix(')')).unwrap();
            let (metric, label) = inner.rsplit_once(", ").unwrap();
            ask(values, &format!("sum by ({label}) ({metric})"));
        }
    }
    for object in manifest::objects(read("deploy/monitoring/alerts.yaml").as_bytes()).unwrap() {
        for rule in object["spec"]["groups"].as_array().unwrap().iter().flat_map(|g| g["rules"].as_array().unwrap()) {
            ask(rule["alert"].as_str().unwrap(), rule["expr"].as_str().unwrap());
        }
    }
    assert!(asked > 25, "{asked}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_dashboard_is_one_for_grafana() {
    let dashboard: Json = serde_json::from_str(&read("deploy/grafana/pintle.json")).unwrap();
    assert!(dashboard["id"].is_null(), "an id is of one Grafana");
    assert!(dashboard["title"].is_string() && dashboard["uid"].as_str().is_some_and(|u| u.len() <= 40));
    assert!(dashboard["schemaVersion"].as_u64().is_some_and(|v| v >= 36), "with data sources as objects");
    let variables: BTreeSet<&str> =
        dashboard["templating"]["list"].as_array().unwrap().iter().map(|v| v["name"].as_str().unwrap()).collect();
    let used = Regex::new(r"\$\{?(\w+)\}?").unwrap();
    for found in used.captures_iter(&dashboard.to_string()) {
        let name = &found[1];
        assert!(variables.contains(name) || name.starts_with("__"), "no variable {name}");
    }
    let panels = dashboard["panels"].as_array().unwrap();
    let ids: BTreeSet<u64> = panels.iter().map(|p| p["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len(), "an id twice");
    let mut taken: BTreeMap<(u64, u64), &str> = BTreeMap::new();
    for panel in panels {
        let (title, kind) = (panel["title"].as_str().unwrap(), panel["type"].as_str().unwrap());
        assert!(["row", "stat", "table", "timeseries"].contains(&kind), "{title}: {kind}");
        let at = |key: &str| panel["gridPos"][key].as_u64().unwrap_or_else(|| panic!("{title}: {key}"));
        assert!(at("x") + at("w") <= 24, "{title} is beside the page");
        for cell in (at("x")..at("x") + at("w")).flat_map(|x| (at("y")..at("y") + at("h")).map(move |y| (x, y))) {
            if let Some(other) = taken.insert(cell, title) {
                panic!("{title} lies over {other}");
            }
        }
        if kind == "row" {
            continue;
        }
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{title}");
        let targets = panel["targets"].as_array().unwrap();
        let refs: BTreeSet<&str> = targets.iter().map(|t| t["refId"].as_str().unwrap()).collect();
        assert!(!targets.is_empty() && refs.len() == targets.len(), "{title}");
    }
    // The series' own labels are asked for: the pod's would take their names without this.
    let monitor = manifest::objects(read("deploy/monitoring/podmonitor.yaml").as_bytes()).unwrap().remove(0);
    let endpoint = &monitor["spec"]["podMetricsEndpoints"][0];
    assert_eq!(endpoint["honorLabels"], true);
    let deployed = read("deploy/controller/controller.yaml");
    assert!(deployed.contains(&format!("- name: {}\n", endpoint["port"].as_str().unwrap())));
    let (label, value) = monitor["spec"]["selector"]["matchLabels"].as_object().unwrap().iter().next().unwrap();
    assert!(deployed.contains(&format!("        {label}: {}\n", value.as_str().unwrap())));
}
