//! `pintle diff`: two states of a deployment repository, from the object store and from the working tree.

use std::path::Path;
use std::process::Command;

use super::support::{Folder, git, pintle};

/// The example of the documentation as a Git repository.
fn example() -> Folder {
    let f = Folder::new();
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/deployment-repo/k8s");
    assert!(Command::new("cp").arg("-r").arg(from).arg(f.path()).status().unwrap().success());
    git(f.path(), &["init", "--quiet", "--initial-branch=main"]);
    commit(&f, "start");
    f
}

fn commit(f: &Folder, message: &str) {
    git(f.path(), &["add", "--all"]);
    git(f.path(), &["commit", "--quiet", "--message", message]);
}

fn edit(f: &Folder, path: &str, from: &str, to: &str) {
    let text = f.read(path);
    assert!(text.contains(from), "{path} has no {from:?}:\n{text}");
    f.write(path, text.replacen(from, to, 1));
}

fn diff(f: &Folder, args: &[&str]) -> (Option<i32>, String, String) {
    let out = pintle().current_dir(f.path()).args(["diff", "--no-keys"]).args(args).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (out.status.code(), text(&out.stdout), text(&out.stderr))
}

const VALUES: &str = "k8s/helm-values/web/prod-config.yaml";

#[test]
fn a_changed_value_builds_one_release_and_nothing_else() {
    let f = example();
    let (code, out, err) = diff(&f, &[]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert!(out.starts_with("no difference in dev, prod, qa ("), "{out}");
    edit(&f, VALUES, "replicas: 4", "replicas: 5");
    // The working tree first, then as a commit.
    let (code, tree, err) = diff(&f, &["--exit-code"]);
    assert_eq!((code, err.as_str()), (Some(2), ""));
    commit(&f, "more");
    let (code, out, _) = diff(&f, &["HEAD~1..HEAD"]);
    assert_eq!(code, Some(0));
    for out in [&out, &tree] {
        for want in [
            "# Environment: prod: 0 added, 1 changed, 0 removed\n",
            "## Release: shop-prod/web changed (k8s/gitops/prod/web/release.yaml:1)\nDeployment shop-prod/web (apps/v1) changed\n",
            "-  replicas: 4\n+  replicas: 5\n",
            "no difference in dev, qa (",
        ] {
            assert!(out.contains(want), "{want}\n{out}");
        }
    }
    let (_, out, _) = diff(&f, &["HEAD~1..HEAD", "-o", "json"]);
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    let rendered: Vec<_> = json["environments"].as_array().unwrap().iter().map(|e| e["rendered"].clone()).collect();
    assert_eq!(rendered, [0, 2, 0], "both sides of one release");
    let (_, out, _) = diff(&f, &["HEAD~1..HEAD", "-o", "markdown"]);
    assert!(out.starts_with("<!-- pintle:diff -->\n") && out.contains("```diff\n"), "{out}");
    // Nothing is checked out or written.
    assert_eq!(git(f.path(), &["status", "--porcelain"]), "");
}

#[test]
fn a_bump_is_told_by_its_image_and_its_noise_folded() {
    let f = example();
    edit(&f, "k8s/gitops/prod/web/release.yaml", "1.7.3", "1.7.4");
    let (code, out, err) = diff(&f, &["HEAD", "--env", "prod"]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    for want in [
        "0 added, 2 changed, 0 removed, 3 with chart labels or checksums only, 1 restarting\n",
        "Service shop-prod/web (v1) chart labels or checksums only\n",
        "  image registry.example/shop/web:1.7.3 -> registry.example/shop/web:1.7.4\n  pods restart\n",
    ] {
        assert!(out.contains(want), "{want}\n{out}");
    }
}

#[test]
fn what_does_not_render_is_an_error_and_no_removal() {
    let f = example();
    edit(&f, "k8s/helm-charts/web/templates/service.yaml", "{{", "{{ fail \"broken\" }}{{");
    let (code, out, err) = diff(&f, &["--env", "prod"]);
    assert_eq!(code, Some(1));
    assert!(
        err.contains("prod: head: k8s/gitops/prod/web/release.yaml:1: HelmRelease web: ") && err.contains("broken"),
        "{err}"
    );
    assert!(!out.contains("removed"), "{out}");
    commit(&f, "broken");
    let (code, _, err) = diff(&f, &["HEAD..HEAD~1", "--env", "prod"]);
    assert!(code == Some(1) && err.contains("prod: base: "), "{err}");
    let (code, _, err) = diff(&f, &["nope..HEAD"]);
    assert_eq!((code, err.as_str()), (Some(1), "Error: nope names no commit here: fetch it first\n"));
    let (code, _, err) = diff(&f, &["--env", "staging"]);
    assert!(code == Some(1) && err.contains("no environment staging"), "{err}");
}

#[test]
fn removals_are_told_with_what_they_cost() {
    let f = example();
    f.write(
        "k8s/gitops/prod/data.yaml",
        "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata:\n  name: data\nspec:\n  accessModes: [ReadWriteOnce]\n",
    );
    edit(&f, "k8s/gitops/prod/kustomization.yaml", "resources:\n", "resources:\n  - data.yaml\n");
    commit(&f, "data");
    edit(&f, "k8s/gitops/prod/kustomization.yaml", "  - data.yaml\n", "");
    edit(&f, "k8s/gitops/prod/kustomization.yaml", "  - worker\n", "");
    let (code, out, err) = diff(&f, &["HEAD", "--env", "prod"]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    for want in [
        "## Release: shop-prod/worker removed (k8s/gitops/prod/worker/release.yaml:1)\n",
        "PersistentVolumeClaim data (v1) removed\n  DANGER: the claim goes",
        "/worker (helm.toolkit.fluxcd.io/v2) removed\n  note: Flux uninstalls the release\n",
    ] {
        assert!(out.contains(want), "{want}\n{out}");
    }
    assert!(!out.contains("/web "), "{out}");
}

#[test]
fn a_release_that_moves_takes_its_objects_along() {
    let f = example();
    let claim = "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata:\n  name: data\n";
    let path = "k8s/helm-charts/worker/templates/claim.yaml";
    let release = "k8s/gitops/dev/worker/release.yaml";
    f.write(path, claim);
    commit(&f, "claim");
    let gone = "PersistentVolumeClaim shop-dev/data (v1) removed\n  DANGER: the claim goes";
    let come = "PersistentVolumeClaim tt/data (v1) added\n";
    let told = |with_claim: bool| {
        edit(&f, release, "spec:\n", "spec:\n  targetNamespace: tt\n");
        let (code, out, err) = diff(&f, &["HEAD", "--env", "dev"]);
        assert_eq!((code, err.as_str()), (Some(0), ""));
        assert!(out.contains(gone) && out.contains(come) == with_claim, "{out}");
        assert!(out.contains("ServiceAccount shop-dev/worker (v1) removed\n"), "{out}");
        assert!(out.contains("it is uninstalled and installed anew"), "{out}");
        assert!(!out.contains("tt/worker (v1) removed") && !out.contains("tt/data (v1) removed"), "{out}");
        git(f.path(), &["checkout", "--quiet", "."]);
    };
    // Named after its namespace, and with a name of its own, with which not a byte of a manifest differs.
    told(true);
    edit(&f, release, "spec:\n", "spec:\n  releaseName: worker\n");
    commit(&f, "named");
    told(true);
    std::fs::remove_file(f.join(path)).unwrap();
    told(false);
}

#[test]
fn secrets_are_compared_without_a_trace() {
    let f = example();
    let path = "k8s/gitops/prod/web/secrets.yaml";
    f.write(
        path,
        "apiVersion: v1\nkind: Secret\nmetadata:\n  name: web-extra\nstringData:\n  password: canary-plain-1\n",
    );
    commit(&f, "plain");
    edit(&f, path, "canary-plain-1", "canary-plain-2");
    for form in ["terminal", "json", "markdown"] {
        let (code, out, err) = diff(&f, &["HEAD", "--env", "prod", "-o", form]);
        assert_eq!((code, err.as_str()), (Some(0), ""));
        assert!(out.contains("web-extra") && !out.contains("canary"), "{out}");
    }
}

#[test]
fn a_service_that_is_nowhere_is_an_error() {
    let f = example();
    edit(&f, VALUES, "replicas: 4", "replicas: 5");
    let (code, out, err) = diff(&f, &["HEAD", "--env", "dev", "--service", "nope", "--exit-code"]);
    assert_eq!((code, out.as_str()), (Some(1), ""));
    assert_eq!(err, "Error: no service nope in environment dev: there are api, web, worker\n");
    let (code, _, err) = diff(&f, &["HEAD", "--service", "nope"]);
    assert_eq!(code, Some(1));
    assert_eq!(err, "Error: no service nope in environments dev, prod, qa: there are api, web, worker\n");
    // One that the change does not concern, and one that only one of the states has, in one environment.
    for service in ["api", "worker"] {
        let (code, out, err) = diff(&f, &["HEAD", "--service", service, "--exit-code"]);
        assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
        assert!(out.starts_with("no difference in dev, prod, qa ("), "{out}");
    }
    edit(&f, "k8s/gitops/prod/kustomization.yaml", "  - worker\n", "");
    for env in ["dev", "qa"] {
        edit(&f, &format!("k8s/gitops/{env}/kustomization.yaml"), "  - worker\n", "");
        commit(&f, "without");
    }
    let (code, out, err) = diff(&f, &["HEAD~1..HEAD", "--service", "worker", "--exit-code"]);
    assert_eq!((code, err.as_str()), (Some(2), ""), "{out}");
    assert!(out.contains("## Release: shop-qa/worker removed"), "{out}");
    let (code, _, err) = diff(&f, &["HEAD~1..HEAD", "--env", "prod", "--service", "worker"]);
    assert!(code == Some(1) && err.contains("no service worker in environment prod: there are api, web\n"), "{err}");
}

/// A Flux Kustomization of a repository.
fn applies(name: &str, path: &str, more: &str) -> String {
    format!(
        "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {{name: {name}, namespace: flux-system}}\nspec:\n  \
         interval: 1h\n  path: {path}\n  prune: true\n  sourceRef: {{kind: GitRepository, name: flux-system}}\n{more}---\n"
    )
}

#[test]
fn a_part_that_can_not_be_built_hides_no_other() {
    let f = Folder::new();
    let config = |name: &str, value: &str| {
        format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: ns}}\ndata: {{a: {value}}}\n")
    };
    let by_hand = "  postBuild: {substituteFrom: [{kind: Secret, name: by-hand}]}\n";
    let inner = applies("inner", "./inner", "");
    f.write("clusters/a/apps.yaml", applies("failing", "./failing", by_hand) + &applies("sound", "./sound", ""));
    f.write("failing/inner.yaml", &inner);
    f.write("failing/cm.yaml", config("failing", "'1'"));
    f.write("inner/cm.yaml", config("inner", "'1'"));
    f.write("sound/cm.yaml", config("sound", "'1'"));
    git(f.path(), &["init", "--quiet", "--initial-branch=main"]);
    commit(&f, "start");
    let change = |from: &str, to: &str| {
        for path in ["failing/cm.yaml", "inner/cm.yaml", "sound/cm.yaml"] {
            edit(&f, path, from, to);
        }
    };
    let objects = |out: &str| -> Vec<String> {
        let json: serde_json::Value = serde_json::from_str(out).unwrap();
        let all = json["environments"][0]["objects"].as_array().unwrap();
        all.iter().map(|o| format!("{} {}", o["object"].as_str().unwrap(), o["change"].as_str().unwrap())).collect()
    };
    // It fails in both states, and in one of them.
    change("'1'", "'2'");
    commit(&f, "more");
    edit(&f, "clusters/a/apps.yaml", by_hand, "");
    change("'2'", "'3'");
    commit(&f, "mended");
    for (range, problems) in [("HEAD~2..HEAD~1", 2), ("HEAD~1..HEAD", 1), ("HEAD..HEAD~1", 1)] {
        let (code, out, err) = diff(&f, &[range, "-o", "json"]);
        assert_eq!(code, Some(1), "{range}: {err}");
        assert_eq!(err.matches("Secret by-hand is not in what was built").count(), problems, "{range}: {err}");
        let wanted = "ConfigMap ns/sound (v1) changed";
        let others = "Kustomization flux-system/failing (kustomize.toolkit.fluxcd.io/v1) changed";
        let found = objects(&out);
        assert!(
            found.iter().any(|o| o == wanted) && found.iter().all(|o| o == wanted || o == others),
            "{range}: {found:?}"
        );
    }
    // Where it is in one state only, its objects may have been another's.
    f.write("clusters/a/apps.yaml", applies("other", "./failing", by_hand) + &applies("sound", "./sound", ""));
    change("'3'", "'4'");
    commit(&f, "renamed");
    let (code, out, err) = diff(&f, &["HEAD~1..HEAD", "-o", "json"]);
    assert_eq!((code, objects(&out)), (Some(1), vec![]), "{err}");
}
