//! A controller that is killed in the midst of its work, and the one that comes after it.

use std::process::{Child, Stdio};

use pintle::cluster::{Cluster, Gvk};
use serde_json::json;

use crate::world::{CONFIG, World};

const NEVER: (&str, &str) = (
    "templates/never.yaml",
    "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {{ .Release.Name }}-never\nspec:\n  replicas: 1\n  selector: {matchLabels: {app: a}}\n  \
     template:\n    metadata: {labels: {app: a}, annotations: {test/never-ready: \"\"}}\n    spec: {containers: [{name: c, image: i}]}\n",
);

/// The program itself, on the namespace.
fn program(w: &World) -> Child {
    let mut command = w.ns.command(std::path::Path::new(env!("CARGO_BIN_EXE_pintle")));
    command
        .args([
            "controller",
            "--metrics-addr=0",
            "--health-addr=0",
            "--sources=flux",
            "--watch-all-namespaces=false",
            "--min-retry-delay=200ms",
        ])
        .env("RUNTIME_NAMESPACE", w.name())
        .env("PINTLE_CACHE_DIR", std::env::temp_dir().join(format!("pintle-killed-{}", std::process::id())))
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.spawn().unwrap()
}

#[test]
fn what_a_killed_controller_left_is_brought_to_its_end() {
    let mut w = World::new("killed");
    w.stop();
    w.chart("web", "0.1.0", &[CONFIG]);
    w.release("web", "web", json!({"values": {"text": "one"}}));
    w.chart("new", "0.1.0", &[CONFIG, NEVER]);
    let mut first = program(&w);
    w.ready("web");
    // One dies over an upgrade, one over an installation.
    w.release("new", "new", json!({}));
    w.chart("web", "0.2.0", &[CONFIG, NEVER]);
    for (name, record) in [("web", "2 pending-upgrade"), ("new", "1 pending-install")] {
        let begin = std::time::Instant::now();
        while !(w.stored(name).ends_with(record) && w.live("apps/v1", "Deployment", &format!("{name}-never")).is_some())
        {
            assert!(begin.elapsed().as_secs() < 60, "{name}: {}", w.stored(name));
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
    }
    first.kill().unwrap();
    first.wait().unwrap();
    for chart in ["web", "new"] {
        w.chart(chart, "0.3.0", &[CONFIG]);
    }
    let mut second = program(&w);
    for name in ["web", "new"] {
        let r = w.until(name, "the end", |r| {
            r.observed() && r.is("Ready", "True") && r.at("/status/history/0/chartVersion") == "0.3.0"
        });
        assert!(!r.has("Stalled") && !r.has("Reconciling"), "{name}");
        let deployed = w.records(name).into_iter().filter(|(_, status)| status == "deployed").count();
        assert_eq!(deployed, 1, "{}", w.stored(name));
        assert!(!w.stored(name).contains("pending"), "{}", w.stored(name));
        // What the dead one made, and nobody wants, is gone.
        assert_eq!(w.live("apps/v1", "Deployment", &format!("{name}-never")), None, "{name}");
        assert_eq!(w.data(name, "chart"), "0.3.0");
    }
    // No marks are left, and a word to end is heard.
    let marks = w.run(async |cluster| {
        let labels = "app.kubernetes.io/managed-by=pintle";
        cluster.list(&Gvk::new("", "v1", "Secret"), Some(w.name()), labels, "").await.unwrap()
    });
    assert!(marks.is_empty(), "{marks:?}");
    let kill = std::process::Command::new("kill").arg(second.id().to_string()).status().unwrap();
    assert!(kill.success() && second.wait().unwrap().success());
}

#[test]
fn two_controllers_at_once_do_no_harm() {
    let mut w = World::new("twice");
    let mut second = program(&w);
    w.chart("web", "0.1.0", &[CONFIG]);
    let names: Vec<String> = (0..6).map(|i| format!("web-{i}")).collect();
    for name in &names {
        w.release(name, "web", json!({"values": {"text": "one"}}));
    }
    for text in ["two", "three"] {
        for name in &names {
            w.change(name, json!({"spec": {"values": {"text": text}}}));
        }
    }
    for name in &names {
        w.until(name, "the end", |r| r.observed() && r.is("Ready", "True") && w.data(name, "text") == "three");
    }
    // One of them settles what both wrote.
    second.kill().unwrap();
    second.wait().unwrap();
    w.stop();
    w.start();
    for name in &names {
        w.request(name, "t", &[]);
        w.until(name, "the answer", |r| r.handled("t") && r.is("Ready", "True"));
        let records = w.records(name);
        assert_eq!(records.iter().filter(|(_, status)| status == "deployed").count(), 1, "{name}: {records:?}");
        assert!(records.iter().all(|(_, status)| !status.starts_with("pending")), "{name}: {records:?}");
        assert_eq!(w.data(name, "text"), "three", "{name}");
    }
}
