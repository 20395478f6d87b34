//! Comparing: what only opens the concerned parts of an environment finds the same as what opens everything: on made-up repositories whose parts depend
//! on each other in every way there is, under made-up changes (`PINTLE_SEEDS` says how many repositories).

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use pintle::gotmpl::Limits;
use pintle::render::{Capabilities, Compat};
use pintle::repo::diff::{EnvironmentDiff, Range, environment};
use pintle::repo::{Checkout, Environment, Settings};

use super::support::{Folder, git};

/// The numbers of a linear congruence: the same on every machine.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides
    }

    fn one<'o>(&mut self, of: &[&'o str]) -> &'o str {
        of[self.roll(of.len())]
    }
}

const WORDS: [&str; 3] = ["alpha", "beta", "gamma"];

/// Names of objects and of paths are few, so that parts meet.
fn write(f: &Folder, dice: &mut Dice) {
    for chart in WORDS {
        let at = format!("charts/{chart}");
        f.write(&format!("{at}/Chart.yaml"), format!("apiVersion: v2\nname: {chart}\nversion: 0.1.0\n"));
        f.write(&format!("{at}/values.yaml"), "n: 1\nown: none\n");
        let text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Release.Name }}}\ndata: {n: \"{{ .Values.n }}\", own: \"{{ .Values.own }}\"}\n";
        f.write(&format!("{at}/templates/cm.yaml"), text);
        f.write(&format!("values/{chart}.yaml"), "n: 1\n");
        f.write(
            &format!("base/{chart}/kustomization.yaml"),
            format!("resources: [cm.yaml]\nnamePrefix: {}\n", dice.one(&["b-", "\"\""])),
        );
        f.write(
            &format!("base/{chart}/cm.yaml"),
            format!(
                "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: base-{chart}\ndata: {{values.yaml: 'own: 1'}}\n"
            ),
        );
    }
    if dice.roll(3) == 0 {
        std::os::unix::fs::symlink("../../values/gamma.yaml", f.path().join("charts/beta/linked.yaml")).unwrap();
        std::os::unix::fs::symlink("alpha", f.path().join("charts/delta")).unwrap();
    }
    let mut root = String::from("resources:\n- source.yaml\n");
    let source = "apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata: {name: own, namespace: flux}\nspec: {url: 'https://x.example/r.git'}\n";
    f.write("k8s/gitops/dev/source.yaml", source);
    for i in 0..4 + dice.roll(4) {
        let name = format!("s{i}");
        let nested = dice.roll(4) == 0;
        let (at, up) = if nested { (format!("more/{name}"), "../../../../..") } else { (name.clone(), "../../../..") };
        let dir = format!("k8s/gitops/dev/{at}");
        let _ = writeln!(root, "- {at}");
        let mut kustomization = format!(
            "namespace: {}\nresources: [release.yaml",
            if dice.roll(3) == 0 { format!("ns{i}") } else { "one".into() }
        );
        if dice.roll(5) == 0 {
            let _ = write!(kustomization, ", {up}/base/{}", dice.one(&WORDS));
        }
        kustomization.push_str("]\n");
        let own = format!("{name}-{}", dice.one(&WORDS));
        match dice.roll(4) {
            0 => {}
            1 => {
                let _ = write!(kustomization, "configMapGenerator:\n- name: {own}\n  files: [values.yaml=v.yaml]\n");
            }
            2 => {
                let _ = write!(
                    kustomization,
                    "configMapGenerator:\n- name: {own}\n  files: [values.yaml={up}/values/{}.yaml]\n",
                    dice.one(&WORDS)
                );
            }
            _ => {
                let _ = write!(kustomization, "secretGenerator:\n- name: {own}\n  literals: ['values.yaml=own: 1']\n");
            }
        }
        if dice.roll(2) == 0 {
            kustomization.push_str("configurations: [config.yaml]\n");
        }
        if dice.roll(6) == 0 {
            let _ = writeln!(kustomization, "namePrefix: {}-", dice.one(&["p", "q"]));
        }
        if dice.roll(6) == 0 {
            let _ = write!(
                kustomization,
                "patches:\n- patch: |\n    - {{op: replace, path: /spec/values/n, value: 1}}\n  target: {{kind: HelmRelease}}\n"
            );
        }
        let kinds = "nameReference:\n- kind: ConfigMap\n  version: v1\n  fieldSpecs: [{path: spec/valuesFrom/name, kind: HelmRelease}]\n- kind: Secret\n  version: v1\n  fieldSpecs: [{path: spec/valuesFrom/name, kind: HelmRelease}]\n";
        f.write(&format!("{dir}/config.yaml"), kinds);
        f.write(&format!("{dir}/kustomization.yaml"), kustomization);
        f.write(&format!("{dir}/v.yaml"), "own: 1\n");
        let mut release = format!(
            "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {{name: {name}}}\nspec:\n  chart:\n    spec:\n      chart: ./charts/{}\n      sourceRef: {{kind: GitRepository, name: own, namespace: flux}}\n",
            dice.one(&WORDS)
        );
        if dice.roll(2) == 0 {
            let chart = dice.one(&WORDS);
            let _ = writeln!(release, "      valuesFiles: [values/{chart}.yaml]");
        }
        // Its own object, another's, one of a base.
        let from = match dice.roll(4) {
            0 => None,
            1 => Some(own),
            2 => Some(format!("s{}-{}", dice.roll(6), dice.one(&WORDS))),
            _ => Some(format!("{}base-{}", dice.one(&["", "b-"]), dice.one(&WORDS))),
        };
        if let Some(from) = from {
            let kind = dice.one(&["ConfigMap", "ConfigMap", "Secret"]);
            let _ = writeln!(release, "  valuesFrom: [{{kind: {kind}, name: {from}, optional: true}}]");
        }
        release.push_str("  values: {n: 1}\n");
        f.write(&format!("{dir}/release.yaml"), release);
    }
    if dice.roll(5) != 0 {
        f.write("k8s/gitops/dev/kustomization.yaml", root);
    }
}

/// Files below a path, sorted, links and Git's aside.
fn files(f: &Folder, below: &str, out: &mut Vec<String>) {
    let mut names: Vec<_> = std::fs::read_dir(f.path().join(below)).unwrap().map(|e| e.unwrap()).collect();
    names.sort_by_key(std::fs::DirEntry::file_name);
    for entry in names {
        let name = entry.file_name().into_string().unwrap();
        let path = if below.is_empty() { name.clone() } else { format!("{below}/{name}") };
        match entry.file_type().unwrap() {
            t if t.is_dir() && name != ".git" => files(f, &path, out),
            t if t.is_file() => out.push(path),
            _ => {}
        }
    }
}

fn change(f: &Folder, dice: &mut Dice) -> String {
    let mut all = Vec::new();
    files(f, "", &mut all);
    let mut done = String::new();
    for _ in 0..1 + dice.roll(2) {
        let path = &all[dice.roll(all.len())];
        if !f.path().join(path).exists() {
            continue;
        }
        let text = f.read(path);
        let (from, to) = match dice.roll(6) {
            0 | 1 => ("1", "2"),
            2 => ("alpha", "beta"),
            3 => ("beta", "gamma"),
            4 => ("name: s", "name: t"),
            _ => {
                std::fs::remove_file(f.path().join(path)).unwrap();
                let _ = write!(done, "{path} removed; ");
                continue;
            }
        };
        let _ = write!(done, "{path}: {from} -> {to}; ");
        f.write(path, text.replacen(from, to, 1));
    }
    done
}

fn diff(range: &Range, narrow: bool, opened: &AtomicUsize) -> EnvironmentDiff {
    let settings = Settings {
        capabilities: Arc::new(Capabilities::offline(Compat::default(), None, &[])),
        limits: Limits::default(),
    };
    let open = |checkout: &Checkout, parts: Option<&[String]>| {
        opened.fetch_add(usize::from(parts.is_some()), Ordering::Relaxed);
        Environment::open_parts(checkout, "dev", None, parts)
    };
    environment(range, "dev", None, &settings, narrow, &open).unwrap()
}

fn texts(diff: &EnvironmentDiff) -> Vec<String> {
    let releases = diff.releases.iter().flat_map(|r| {
        let below = r.objects.iter().map(|o| format!("  {o:?}"));
        std::iter::once(format!("{} {} {}", r.release, r.place, r.change)).chain(below).collect::<Vec<_>>()
    });
    let mut all: Vec<String> = releases.chain(diff.objects.iter().map(|o| format!("{o:?}"))).collect();
    all.sort();
    all
}

#[test]
fn nothing_that_is_left_out_would_have_differed() {
    let narrowed = AtomicUsize::new(0);
    let (mut compared, mut differing) = (0, 0);
    let seeds = std::env::var("PINTLE_SEEDS").ok().and_then(|n| n.parse().ok()).unwrap_or(25_usize);
    for seed in 0..seeds as u64 {
        let mut dice = Dice(seed * 7919 + 17);
        let f = Folder::new();
        write(&f, &mut dice);
        git(f.path(), &["init", "--quiet", "--initial-branch=main"]);
        git(f.path(), &["add", "--all"]);
        git(f.path(), &["commit", "--quiet", "--message", "start"]);
        git(f.path(), &["tag", "start"]);
        for step in 0..5 {
            git(f.path(), &["reset", "--quiet", "--hard", "start"]);
            git(f.path(), &["clean", "--quiet", "-fd"]);
            let done = change(&f, &mut dice);
            // In turns from the working tree and from commits alone.
            let range = if step % 2 == 0 {
                Range::open(f.path(), Some("HEAD")).unwrap()
            } else {
                git(f.path(), &["commit", "--quiet", "--all", "--allow-empty", "--message", "change"]);
                Range::open(f.path(), Some("HEAD~1..HEAD")).unwrap()
            };
            let (whole, narrow) = (diff(&range, false, &AtomicUsize::new(0)), diff(&range, true, &narrowed));
            if whole.problems.is_empty() {
                compared += 1;
                differing += usize::from(!whole.is_empty());
                assert_eq!(texts(&narrow), texts(&whole), "seed {seed}, step {step}: {done}");
                assert!(narrow.problems.is_empty(), "seed {seed}, step {step}: {done}: {:?}", narrow.problems);
            } else if whole.problems.iter().all(|p| p.starts_with("head: ")) {
                assert!(!narrow.problems.is_empty(), "seed {seed}, step {step}: {done}: {:?}", whole.problems);
            }
        }
    }
    let narrowed = narrowed.into_inner();
    assert!(narrowed > 4 * seeds && compared > 4 * seeds && differing > seeds, "{narrowed} {compared} {differing}");
}
