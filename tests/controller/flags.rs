//! Flags of helm-controller that change what is done.

use std::io::Read as _;
use std::process::Stdio;
use std::time::{Duration, Instant};

use pintle::cluster::{Cluster, FieldValidation, Gvk, ObjectId, PatchType, WriteOptions};
use serde_json::json;

use crate::support::cluster::namespace;
use crate::world::{CONFIG, World};

#[test]
fn fields_of_overridden_managers_are_drift() {
    for overridden in [false, true] {
        let w = World::with("override", |o| {
            if overridden {
                o.override_managers = vec!["somebody".into()];
            }
        });
        w.chart("web", "0.1.0", &[CONFIG]);
        w.release("web", "web", json!({"driftDetection": {"mode": "enabled"}}));
        w.ready("web");
        // Fields of their own, beside those of the release.
        let id = ObjectId::new(Gvk::new("", "v1", "ConfigMap"), Some(w.name()), "web");
        for manager in ["somebody", "another"] {
            let write =
                WriteOptions { field_manager: manager.into(), dry_run: false, validation: FieldValidation::Ignore };
            let patch = json!({"data": {manager: "was here"}});
            w.run(async |cluster| cluster.patch(&id, PatchType::Merge, &patch, &write).await.unwrap());
        }
        w.request("web", "look", &[]);
        w.until("web", "the look", |r| r.handled("look"));
        let live = w.live("v1", "ConfigMap", "web").unwrap();
        assert_eq!(live["data"]["another"], "was here");
        assert_eq!(
            live["data"]["somebody"].is_null(),
            overridden,
            "{overridden}: {:#}",
            live["metadata"]["managedFields"]
        );
        assert_eq!(w.reasons("web").contains("DriftCorrected"), overridden);
    }
}

#[test]
fn near_the_limit_of_memory_it_ends_in_good_order() {
    let w = World::idle(namespace("memory"), |_| ());
    let dir = std::env::temp_dir().join(format!("pintle-oom-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let file = |name: &str, text: &str| {
        let path = dir.join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let (max, current) = (file("max", "1000"), file("current", "100"));
    let start = |more: &[&str]| {
        let mut command = w.ns.command(std::path::Path::new(env!("CARGO_BIN_EXE_pintle")));
        command
            .args([
                "controller",
                "--metrics-addr=0",
                "--health-addr=0",
                "--sources=flux",
                "--watch-all-namespaces=false",
            ])
            .args([format!("--oom-watch-max-memory-path={max}"), format!("--oom-watch-current-memory-path={current}")])
            .arg("--oom-watch-memory-threshold=90")
            .args(more)
            .env("RUNTIME_NAMESPACE", w.name())
            .env_remove("PINTLE_LOG")
            .env_remove("PINTLE_LOG_FILE")
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        command.spawn().unwrap()
    };
    let mut child = start(&["--feature-gates=OOMWatch=true", "--oom-watch-interval=50ms"]);
    w.chart("web", "0.1.0", &[CONFIG]);
    w.release("web", "web", json!({}));
    w.ready("web");
    assert!(child.try_wait().unwrap().is_none(), "there is room");
    file("current", "950");
    let begin = Instant::now();
    while child.try_wait().unwrap().is_none() {
        assert!(begin.elapsed() < Duration::from_secs(60), "it goes on");
        std::thread::sleep(Duration::from_millis(50));
    }
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(child.wait().unwrap().success() && said.contains("near its limit"), "{said}");
    // Without the gate nobody looks.
    let mut child = start(&[]);
    std::thread::sleep(Duration::from_secs(1));
    assert!(child.try_wait().unwrap().is_none());
    child.kill().unwrap();
    child.wait().unwrap();
    // What cannot be watched is said at once.
    let refused = start(&["--feature-gates=OOMWatch=true", "--oom-watch-interval=10ms"]).wait_with_output().unwrap();
    assert!(!refused.status.success());
    std::fs::remove_dir_all(&dir).unwrap();
}
