//! Releases side by side with the real helm, on a real API server, in one run.
//!
//! ```text
//! cargo bench --bench releases [-- RELEASES REVISIONS]
//! ```
//!
//! `list` and `history` over 500 releases of 10 revisions (the numbers can be given), then `install`, an `upgrade` that changes nothing and a
//! `rollback` of a chart with 60 objects. For each: client CPU (user and system, the least of three runs), wall time, peak memory, and requests
//! as the API server counted them. `PINTLE` names another build of the program. Needs GNU time (Debian: `time`), which is installed when missing.

#[path = "../tests/support/mod.rs"]
mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use futures::StreamExt;
use pintle::cluster::kube::Kube;
use pintle::release::Storage;
use pintle::release::record::{Record, Status};
use pintle::release::storage::{Driver, Objects};
use support::cluster::{self, Namespace};

/// What one run of a program took.
#[derive(Clone, Copy, Debug)]
struct Cost {
    wall: f64,
    cpu: f64,
    kib: u64,
    requests: f64,
}

fn main() {
    let numbers: Vec<usize> = std::env::args().filter_map(|a| a.parse().ok()).collect();
    let (releases, revisions) = (numbers.first().copied().unwrap_or(500), numbers.get(1).copied().unwrap_or(10));
    ensure_time();
    let helm = cluster::peer("helm").join("helm");
    let pintle = std::env::var_os("PINTLE").map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_pintle")), PathBuf::from);
    println!(
        "| what | helm CPU | pintle CPU | ratio | helm wall | pintle wall | helm memory | pintle memory | requests |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    let ns = cluster::namespace("many");
    fill(&ns, releases, revisions);
    let title = format!("`list`, {releases} releases × {revisions} revisions");
    row(&title, &[&["list", "-m", "0"]], &ns, &helm, &pintle, 3);
    row("`list -q -f r0000`", &[&["list", "-q", "-f", "r0000"]], &ns, &helm, &pintle, 3);
    row(&format!("`history`, {revisions} revisions"), &[&["history", "r0000"]], &ns, &helm, &pintle, 3);
    row("`get manifest` of the newest", &[&["get", "manifest", "r0000"]], &ns, &helm, &pintle, 3);
    drop(ns);
    let chart = chart_of_60();
    let chart = chart.to_str().expect("a path");
    for (title, before, command) in [
        ("`install`, 60 objects", &[][..], &["install", "web", chart][..]),
        ("`upgrade` without a change", &[&["install", "web", chart][..]][..], &["upgrade", "web", chart][..]),
        (
            "`rollback`",
            &[&["install", "web", chart][..], &["upgrade", "web", chart][..]][..],
            &["rollback", "web", "1"][..],
        ),
    ] {
        let mut costs = [None, None];
        for (slot, program) in costs.iter_mut().zip([&helm, &pintle]) {
            for _ in 0..3 {
                let ns = cluster::namespace("apply");
                for step in before {
                    run(&ns, program, step);
                }
                let cost = run(&ns, program, command);
                *slot = Some(slot.map_or(cost, |best| least(best, cost)));
            }
        }
        if let [Some(theirs), Some(ours)] = costs {
            print(title, theirs, ours);
        }
    }
}

fn ensure_time() {
    if !Path::new("/usr/bin/time").exists() {
        let _ = Command::new("apt-get").args(["install", "-y", "time"]).stdout(Stdio::null()).status();
    }
}

fn least(a: Cost, b: Cost) -> Cost {
    Cost {
        wall: a.wall.min(b.wall),
        cpu: a.cpu.min(b.cpu),
        kib: a.kib.min(b.kib),
        requests: a.requests.min(b.requests),
    }
}

fn row(title: &str, commands: &[&[&str]], ns: &Namespace, helm: &Path, pintle: &Path, times: usize) {
    let measure = |program: &Path| {
        let mut best: Option<Cost> = None;
        for _ in 0..times {
            for command in commands {
                let cost = run(ns, program, command);
                best = Some(best.map_or(cost, |b| least(b, cost)));
            }
        }
        best.expect("a run")
    };
    print(title, measure(helm), measure(pintle));
}

fn print(title: &str, theirs: Cost, ours: Cost) {
    println!(
        "| {title} | {:.0} ms | {:.0} ms | {:.1} | {:.0} ms | {:.0} ms | {} MiB | {} MiB | {:.0} : {:.0} |",
        theirs.cpu * 1e3,
        ours.cpu * 1e3,
        theirs.cpu / ours.cpu.max(0.001),
        theirs.wall * 1e3,
        ours.wall * 1e3,
        theirs.kib / 1024,
        ours.kib / 1024,
        theirs.requests,
        ours.requests
    );
}

fn run(ns: &Namespace, program: &Path, args: &[&str]) -> Cost {
    let before = requests(ns);
    let mut command = ns.command(Path::new("/usr/bin/time"));
    let out = command.args(["-f", "COST %e %U %S %M"]).arg(program).args(args).output().expect("GNU time");
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(out.status.success(), "{} {args:?}: {said}", program.display());
    let line = said.lines().rev().find_map(|l| l.strip_prefix("COST ")).expect("a cost");
    let n: Vec<f64> = line.split(' ').filter_map(|n| n.parse().ok()).collect();
    let requests = requests(ns) - before;
    Cost { wall: n[0], cpu: n[1] + n[2], kib: n[3] as u64, requests }
}

/// Requests that the API server has answered, of the kinds that this benchmark touches and of none (discovery). What the controllers ask
/// meanwhile is of other kinds.
fn requests(ns: &Namespace) -> f64 {
    let text = ns.run(async |cluster: Kube| cluster.raw("/metrics").await.expect("metrics"));
    let kinds = ["secrets", "configmaps", "serviceaccounts", "roles", "rolebindings", ""];
    let field = |line: &str, key: &str| {
        let from = line.find(&format!("{key}=\"")).map(|i| i + key.len() + 2)?;
        let rest = line.get(from..)?;
        rest.split('"').next().map(str::to_string)
    };
    text.lines()
        .filter(|l| l.starts_with("apiserver_request_total{") && field(l, "verb").as_deref() != Some("WATCH"))
        .filter(|l| field(l, "resource").is_some_and(|r| kinds.contains(&r.as_str())))
        // Probes and this very question.
        .filter(|l| field(l, "subresource").is_none_or(|s| !s.starts_with("/metrics") && !s.contains("z")))
        .filter_map(|l| l.rsplit(' ').next()?.parse::<f64>().ok())
        .sum()
}

/// Stores the records; each is that of a chart as it is installed.
fn fill(ns: &Namespace, releases: usize, revisions: usize) {
    let chart = format!("{}/tests/fixtures/release/charts/app", env!("CARGO_MANIFEST_DIR"));
    let out = ns.helm(&["install", "base", &chart, "--dry-run=client", "-o", "json"]);
    let base = Record::from_json(&out.stdout).expect("a record");
    let record = |n: usize, version: usize| {
        let mut r = base.clone();
        r.name = format!("r{n:04}");
        r.namespace = ns.name().into();
        r.version = i64::try_from(version).expect("a small number");
        r.info.status = if version == revisions { Status::Deployed } else { Status::Superseded };
        r.info.description = "Upgrade complete".into();
        r
    };
    ns.run(async |cluster: Kube| {
        let storage = Objects::new(Arc::new(cluster), Driver::Secret, Some(ns.name()), "helm");
        let all = (0..releases).flat_map(|n| (1..=revisions).map(move |v| (n, v)));
        let mut work = futures::stream::iter(all)
            .map(|(n, v)| {
                let record = record(n, v);
                let storage = &storage;
                async move { storage.create(&record).await.expect("a record is stored") }
            })
            .buffer_unordered(32);
        while work.next().await.is_some() {}
    });
}

/// 60 objects of kinds that no controller acts on.
fn chart_of_60() -> PathBuf {
    let dir = std::env::temp_dir().join(format!("pintle-bench-{}", std::process::id()));
    std::fs::create_dir_all(dir.join("templates")).expect("a folder");
    std::fs::write(dir.join("Chart.yaml"), "apiVersion: v2\nname: sixty\nversion: 1.0.0\n").expect("a file");
    for i in 0..12 {
        let text = format!(
            "apiVersion: v1\nkind: ServiceAccount\nmetadata: {{name: s{i}}}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c{i}}}\ndata: {{a: \"{i}\", b: \"{{{{ .Release.Name }}}}\"}}\n---\n\
             apiVersion: v1\nkind: Secret\nmetadata: {{name: x{i}}}\nstringData: {{p: \"{i}\"}}\n---\napiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {{name: r{i}}}\n\
             rules: [{{apiGroups: [\"\"], resources: [pods], verbs: [get]}}]\n---\napiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {{name: b{i}}}\n\
             roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: r{i}}}\nsubjects: [{{kind: ServiceAccount, name: s{i}}}]\n"
        );
        std::fs::write(dir.join(format!("templates/o{i}.yaml")), text).expect("a file");
    }
    dir
}
