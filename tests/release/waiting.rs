//! Waits: until objects are ready, until hooks have ended, until objects are gone, and what is said when that does not happen.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use pintle::cluster::kube::Kube;
use pintle::cluster::targets::{Target, build};
use pintle::cluster::wait::{self, WaitOptions};
use pintle::cluster::{Cluster, Json, Propagation};
use serde_json::json;

use crate::support::chart;
use crate::support::cluster::{self, write_options};

fn deployment(name: &str, annotations: Json) -> Json {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
        "spec": {"replicas": 1, "progressDeadlineSeconds": 600, "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}, "annotations": annotations},
                "spec": {"containers": [{"name": "main", "image": "registry.example/app:1"}]}}}})
}

fn job(name: &str, annotations: Json) -> Json {
    json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name},
        "spec": {"backoffLimit": 0, "template": {"metadata": {"annotations": annotations},
            "spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "i"}]}}}})
}

async fn create(cluster: &Kube, objects: Vec<Json>) -> Vec<Target> {
    let targets = build(cluster, objects, cluster.namespace()).await.unwrap();
    for target in &targets {
        cluster.create(&target.object, &write_options()).await.unwrap();
    }
    targets
}

fn within(seconds: u64) -> WaitOptions {
    WaitOptions::new(Duration::from_secs(seconds))
}

#[test]
fn objects_become_ready_and_the_progress_is_told() {
    let ns = cluster::namespace("ready");
    ns.run(async |cluster| {
        let config = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}});
        let mut paused = deployment("paused", json!({"test/never-ready": ""}));
        paused["spec"]["paused"] = true.into();
        let targets = create(&cluster, vec![config, deployment("web", json!({})), job("j", json!({})), paused]).await;
        let seen = Arc::new(Mutex::new(Vec::new()));
        let told = seen.clone();
        let mut options = within(120);
        options.jobs = true;
        options.progress = Some(Arc::new(move |p| told.lock().unwrap().push(format!("{}: {}", p.id.name, p.state))));
        wait::ready(&cluster, &targets, &options).await.unwrap();
        let seen = seen.lock().unwrap().clone();
        for want in ["c: Current", "web: Current", "j: Current"] {
            assert!(seen.iter().any(|s| s == want), "{want} in {seen:?}");
        }
        assert!(!seen.iter().any(|s| s.starts_with("paused")), "{seen:?}");
    });
}

#[test]
fn a_timeout_names_the_object_its_pods_and_their_last_words() {
    let ns = cluster::namespace("timeout");
    ns.run(async |cluster| {
        let targets = create(&cluster, vec![deployment("web", json!({"test/crash": ""}))]).await;
        let error = wait::ready(&cluster, &targets, &within(6)).await.unwrap_err();
        assert!(error.timed_out);
        let want = format!(
            "resource Deployment/{}/web not ready. status: InProgress, message: Available: 0/1\ncontext deadline exceeded",
            ns.name()
        );
        assert_eq!(error.message, want);
        let report = error.report();
        for part in [
            "Deployment timeout-",
            "container main waiting: CrashLoopBackOff: back-off 40s restarting failed container",
            "container main ended before with exit code 1: Error",
            "last log lines of container main:",
            "  last line",
        ] {
            assert!(report.contains(part), "{part:?} in:\n{report}");
        }
    });
}

#[test]
fn what_can_not_recover_ends_the_wait_at_once() {
    let ns = cluster::namespace("failed");
    ns.run(async |cluster| {
        let begin = Instant::now();
        let objects = vec![job("j", json!({"test/fail": ""})), deployment("never", json!({"test/never-ready": ""}))];
        let targets = create(&cluster, objects).await;
        let error = wait::ready(&cluster, &targets, &WaitOptions { jobs: true, ..within(300) }).await.unwrap_err();
        assert!(!error.timed_out && begin.elapsed() < Duration::from_secs(200));
        let first =
            format!("resource Job/{}/j not ready. status: Failed, message: Job Failed. failed: 1/1\n", ns.name());
        assert!(error.message.starts_with(&first), "{}", error.message);
    });
}

#[test]
fn hooks_are_waited_for_until_they_end() {
    let ns = cluster::namespace("hooks");
    ns.run(async |cluster| {
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "annotations": {"test/complete": ""}},
            "spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "i"}]}});
        let config = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}});
        let targets = create(&cluster, vec![pod, job("j", json!({})), config]).await;
        wait::hooks(&cluster, &targets, &within(120)).await.unwrap();
        let failing = create(&cluster, vec![job("bad", json!({"test/fail": ""}))]).await;
        let error = wait::hooks(&cluster, &failing, &within(120)).await.unwrap_err();
        assert_eq!(
            error.message,
            format!("resource Job/{}/bad not ready. status: Failed, message: Job Failed. failed: 1/1", ns.name())
        );
        assert!(error.report().contains("ended with exit code 1"), "{}", error.report());
    });
}

#[test]
fn deletion_is_waited_for() {
    let ns = cluster::namespace("deletion");
    ns.run(async |cluster| {
        let kept = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "kept", "finalizers": ["example.com/wait"]}});
        let plain = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "plain"}});
        let targets = create(&cluster, vec![kept, plain]).await;
        for target in &targets {
            assert!(cluster.delete(&target.id, Propagation::Background, None).await.unwrap());
        }
        wait::deleted(&cluster, &targets[1..], &within(60)).await.unwrap();
        let error = wait::deleted(&cluster, &targets, &within(2)).await.unwrap_err();
        assert_eq!(
            error.message,
            format!(
                "resource ConfigMap/{}/kept still exists. status: Terminating, message: Resource scheduled for deletion\n\
                 context deadline exceeded",
                ns.name()
            )
        );
        let free = json!({"metadata": {"finalizers": null}});
        cluster.patch(&targets[0].id, pintle::cluster::PatchType::Merge, &free, &write_options()).await.unwrap();
        wait::deleted(&cluster, &targets, &within(60)).await.unwrap();
    });
}

#[test]
fn a_kind_that_may_not_be_watched_is_read_instead() {
    let ns = cluster::namespace("unwatched");
    ns.run(async |cluster| {
        let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "reader"},
            "rules": [{"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get"]}]});
        let binding = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "reader"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "reader"}]});
        let config = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}});
        let targets = create(&cluster, vec![role, binding, config, deployment("web", json!({}))]).await;
        let mut connection = ns.connection();
        connection.as_user = Some("reader".into());
        let reader = Kube::connect(&connection).await.unwrap();
        wait::ready(&reader, &targets[3..], &within(120)).await.unwrap();
        let error = wait::ready(&reader, &targets[2..3], &within(120)).await.unwrap_err();
        assert!(error.message.contains("User \"reader\" cannot get resource \"configmaps\""), "{}", error.message);
    });
}

/// `--wait=legacy`: Helm's older rules, beside helm itself.
#[test]
fn the_legacy_strategy_waits_as_helm_does() {
    let balancer = "apiVersion: v1\nkind: Service\nmetadata: {name: balanced}\nspec:\n  type: LoadBalancer\n  ports: [{port: 80}]\n";
    let web = serde_json::to_string(&deployment("web", json!({}))).unwrap();
    let ready = chart::write("ready", "", &[("templates/web.yaml", &web)]);
    let waits = chart::write("waits", "", &[("templates/web.yaml", &web), ("templates/svc.yaml", balancer)]);
    let mut hook = job("bad", json!({"test/fail": ""}));
    hook["metadata"]["annotations"] = json!({"helm.sh/hook": "post-install"});
    let fails = chart::write("fails", "", &[("templates/hook.yaml", &hook.to_string())]);
    let cases = [
        (&ready, "1m", "watcher", true),
        (&ready, "1m", "legacy", true),
        // kstatus asks for a cluster address only, the older rules for one of the balancer, which nobody gives here.
        (&waits, "1m", "watcher", true),
        (&waits, "5s", "legacy", false),
        (&fails, "1m", "legacy", false),
    ];
    for (chart, timeout, strategy, succeeds) in cases {
        let said = ["pintle", "helm"].map(|program| {
            let ns = cluster::namespace(&format!("legacy-{program}"));
            let wait = format!("--wait={strategy}");
            let words = ["install", "x", chart.to_str().unwrap(), "--timeout", timeout, &wait];
            let out = if program == "helm" { ns.helm(&words) } else { ns.pintle(&words) };
            let error = String::from_utf8_lossy(&out.stderr).into_owned();
            assert_eq!(out.status.success(), succeeds, "{program} {strategy} {}: {error}", chart.display());
            let first = error.lines().find(|l| l.starts_with("Error: ")).unwrap_or_default().to_owned();
            (first, error)
        });
        let [(ours, explained), (theirs, _)] = said;
        assert_eq!(ours, theirs, "{}", chart.display());
        if chart == &waits && !succeeds {
            assert!(explained.contains("Service does not have load balancer ingress IP address"), "{explained}");
        }
    }
}
