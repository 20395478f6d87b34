//! `pintle bump` on real bare repositories.

use std::path::Path;

use crate::git_http;
use crate::support::{Folder, at_main, bare, git, pintle};

const VALUES: &str = "k8s/helm-values/web/dev-config.yaml";
const RELEASE: &str = "k8s/gitops/dev/web/release.yaml";

fn run(repo: &Path, args: &[&str]) -> (bool, String) {
    let out = pintle().args(["bump", "--repo"]).arg(repo).args(args).output().unwrap();
    let text = [out.stdout, out.stderr].concat();
    (out.status.success(), String::from_utf8_lossy(&text).into_owned())
}

fn ok(repo: &Path, args: &[&str]) -> String {
    let (success, text) = run(repo, args);
    assert!(success, "{text}");
    text
}

fn fails(repo: &Path, args: &[&str]) -> String {
    let before = git(repo, &["rev-parse", "main"]);
    let (success, text) = run(repo, args);
    assert!(!success, "{text}");
    assert_eq!(git(repo, &["rev-parse", "main"]), before, "nothing was pushed");
    text
}

fn release(values: &str) -> String {
    format!(
        "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata:\n  name: web\nspec:\n  chart:\n    spec:\n      chart: web\n      version: 1.0.0 # chart\n  values:\n{values}"
    )
}

#[test]
fn each_kind_of_place_is_found_and_only_the_scalar_changes() {
    let image = |repository: &str| format!("    image:\n      repository: {repository}\n      tag: 1.0.0\n");
    for (path, text, args, old, new) in [
        (
            VALUES,
            "# top\nimage:\n    tag:   '1.0.0'   # why\n\n\nother: [1,2]\n".to_owned(),
            &["--tag", "1.1.0"][..],
            "'1.0.0'",
            "'1.1.0'",
        ),
        (VALUES, "image: {repository: reg/web, tag: v1}\r\nx: 1\r\n".into(), &["--tag", "1.10"], "v1", "\"1.10\""),
        (VALUES, "image: reg:5000/web:v1\n".into(), &["--tag", "v2"], "web:v1", "web:v2"),
        (VALUES, "image: reg/web:v1\n".into(), &["--image", "reg/web:v2@sha256:ab"], "web:v1", "web:v2@sha256:ab"),
        (VALUES, "a:\n- b: {c: 3}\n".into(), &["--set", "a.0.b.c=4"], "3", "4"),
        (VALUES, "a.b: x\n".into(), &["--set", "a\\.b=new"], "x", "new"),
        (RELEASE, release(&image("reg/web")), &["--tag", "1.0.1"], "tag: 1.0.0", "tag: 1.0.1"),
        (RELEASE, release(&image("reg/web")), &["--chart-version", "1.2.0"], "1.0.0 # chart", "1.2.0 # chart"),
        (
            RELEASE,
            release(
                "    app: {ver: v1} # {\"$imagepolicy\": \"flux:other\"}\n    tag: v1 # {\"$imagepolicy\": \"flux:web:tag\"}\n",
            ),
            &["--tag", "v2"],
            "    tag: v1",
            "    tag: v2",
        ),
        (
            "k8s/gitops/dev/web/kustomization.yaml",
            "images:\n- name: reg/web\n  newTag: \"1\"\n".into(),
            &["--tag", "2"],
            "\"1\"",
            "\"2\"",
        ),
        ("apps/dev/web.yaml", release(&image("reg/web")), &["--tag", "2.0.0"], "tag: 1.0.0", "tag: 2.0.0"),
        (
            "clusters/dev/all.yaml",
            format!("kind: ConfigMap\n---\n{}", release(&image("reg/web"))),
            &["--tag", "2.0.0"],
            "tag: 1.0.0",
            "tag: 2.0.0",
        ),
        (
            "k8s/gitops/dev/web/repo.yaml",
            "kind: OCIRepository\nspec:\n  ref:\n    tag: 1.0.0\n".into(),
            &["--chart-version", "1.1.0"],
            "1.0.0",
            "1.1.0",
        ),
    ] {
        let folder = Folder::new();
        let repo = bare(
            &folder,
            "r.git",
            &[(path, text.clone()), ("k8s/helm-values/web/qa-config.yaml", "image: {tag: q}\n".into())],
        );
        let args = [&["--env", "dev", "--service", "web"], args].concat();
        let said = ok(&repo, &args);
        assert!(said.ends_with("pushed to main\n"), "{said}");
        assert_eq!(at_main(&repo, path), text.replacen(old, new, 1), "{args:?}");
        assert_eq!(ok(&repo, &args).lines().last(), Some("nothing to do"), "{args:?}");
        assert_eq!(git(&repo, &["rev-list", "--count", "main"]).trim(), "2");
    }
}

#[test]
fn what_is_not_clear_is_an_error_that_names_the_places() {
    let folder = Folder::new();
    let two = "a:\n  image: {repository: reg/a, tag: 1}\nb:\n  image: {repository: reg/b, tag: 1}\n";
    let repo = bare(
        &folder,
        "r.git",
        &[
            (VALUES, two.into()),
            (
                "k8s/helm-values/pinned/dev-config.yaml",
                "image: {repository: reg/p, tag: '1', digest: 'sha256:ab'}\n".into(),
            ),
            ("k8s/helm-values/block/dev-config.yaml", "image:\n  tag: |\n    1\n".into()),
        ],
    );
    let text = fails(&repo, &["--env", "dev", "--service", "web", "--tag", "2"]);
    assert!(text.contains(&format!("{VALUES}:2")) && text.contains(&format!("{VALUES}:4")), "{text}");
    // The image says which one.
    ok(&repo, &["--env", "dev", "--service", "web", "--image", "reg/b:2"]);
    assert_eq!(at_main(&repo, VALUES), two.replace("reg/b, tag: 1", "reg/b, tag: \"2\""));
    let text = fails(&repo, &["--env", "dev", "--service", "pinned", "--tag", "2"]);
    assert!(text.contains("pinned by digest"), "{text}");
    let text = fails(&repo, &["--env", "dev", "--service", "block", "--tag", "2"]);
    assert!(text.contains("block of text"), "{text}");
    let text = fails(&repo, &["--env", "dev", "--service", "nobody", "--tag", "2"]);
    assert!(text.contains("no file of this service"), "{text}");
    let text = fails(&repo, &["--env", "dev", "--service", "web", "--set", "x.y=1"]);
    assert!(text.contains("no place for it"), "{text}");
    let text = fails(&repo, &["--branch", "gone", "--env", "dev", "--service", "web", "--tag", "2"]);
    assert!(text.contains("the remote has no branch gone"), "{text}");
}

#[test]
fn only_forward_holds() {
    let folder = Folder::new();
    let repo = bare(&folder, "r.git", &[(VALUES, "image: {tag: v1.9.0}\n".into())]);
    let args = |tag| ["--env", "dev", "--service", "web", "--only-forward", "--tag", tag];
    assert!(ok(&repo, &args("v1.10.0")).contains("pushed"));
    assert!(ok(&repo, &args("v1.9.5")).contains("superseded"));
    assert_eq!(at_main(&repo, VALUES), "image: {tag: v1.10.0}\n");
    assert!(fails(&repo, &args("main-abc")).contains("no semantic version"));
    assert!(ok(&repo, &["--env", "dev", "--service", "web", "--tag", "v1.9.5"]).contains("pushed"));
}

#[test]
fn several_bumps_make_one_commit_and_a_pull_request_its_own_branch() {
    let folder = Folder::new();
    let file = |s: &str, e: &str| format!("k8s/helm-values/{s}/{e}-config.yaml");
    let files = [file("web", "dev"), file("web", "qa"), file("api", "dev"), file("api", "qa")];
    let text = || "image: {tag: v1}\n".to_owned();
    let repo = bare(&folder, "r.git", &files.iter().map(|f| (f.as_str(), text())).collect::<Vec<_>>());
    ok(&repo, &["--env", "dev,qa", "--service", "web", "--tag", "v2", "--and", "service=api,tag=v3,env=qa"]);
    assert_eq!(git(&repo, &["rev-list", "--count", "main"]).trim(), "2");
    assert_eq!(git(&repo, &["show", "--numstat", "--format=", "main"]).lines().count(), 3);
    assert_eq!(at_main(&repo, &file("api", "qa")), "image: {tag: v3}\n");

    let pr = ["--env", "dev", "--service", "api", "--pr", "--tag"];
    ok(&repo, &[&pr[..], &["v2"]].concat());
    ok(&repo, &[&pr[..], &["v4"]].concat());
    assert_eq!(at_main(&repo, &file("api", "dev")), text(), "main waits for the merge");
    assert_eq!(git(&repo, &["show", "bump/dev/api:k8s/helm-values/api/dev-config.yaml"]), "image: {tag: v4}\n");
    assert_eq!(git(&repo, &["rev-list", "--count", "main..bump/dev/api"]).trim(), "1", "made anew on main's tip");

    let said = ok(&repo, &["--env", "dev", "--service", "api", "--tag", "v9", "--dry-run"]);
    assert!(said.contains("v1 -> v9") && said.contains("nothing pushed"), "{said}");
    assert_eq!(at_main(&repo, &file("api", "dev")), text());
}

#[test]
fn a_file_and_a_path_are_enough() {
    let folder = Folder::new();
    let path = "apps/x/release.yaml";
    let repo = bare(&folder, "r.git", &[(path, release("    image: {tag: 'a'}\n"))]);
    ok(&repo, &["--file", path, "--set", "spec.values.image.tag=b", "--set", "spec.chart.spec.version=1.0.1"]);
    assert_eq!(at_main(&repo, path), release("    image: {tag: 'b'}\n").replace("1.0.0", "1.0.1"));
}

#[test]
fn a_push_that_is_refused_for_good_is_not_tried_again() {
    let folder = Folder::new();
    let repo = bare(&folder, "r.git", &[(VALUES, "image: {tag: v1}\n".into())]);
    let hook = folder.write("r.git/hooks/pre-receive", "#!/bin/sh\necho the policy says no >&2\nexit 1\n");
    std::fs::set_permissions(&hook, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let text = fails(&repo, &["--env", "dev", "--service", "web", "--tag", "v2"]);
    assert!(text.contains("the policy says no"), "{text}");
}

#[test]
fn credentials_are_sent_and_never_shown() {
    let folder = Folder::new();
    let repo = bare(&folder, "r.git", &[(VALUES, "image: {tag: v1}\n".into())]);
    // me:s3cr3t-t0ken
    let root = git_http::serve(folder.path(), Some("Basic bWU6czNjcjN0LXQwa2Vu"));
    let bump = |url: &str, token: Option<&str>| {
        let mut command = pintle();
        command
            .args(["bump", "--repo", url, "--env", "dev", "--service", "web", "--tag", "v2"])
            .env("PINTLE_LOG", "trace")
            .env_remove("PINTLE_LOG_FILE");
        if let Some(token) = token {
            command.env("PINTLE_GIT_TOKEN", token);
        }
        let out = command.output().unwrap();
        let text = String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned();
        for secret in ["s3cr3t-t0ken", "czNjcjN0LXQwa2Vu", "wr0ng-t0ken"] {
            assert!(!text.contains(secret), "{text}");
        }
        (out.status.success(), text)
    };
    let (success, text) = bump(&format!("{root}/r.git"), Some("wr0ng-t0ken"));
    assert!(!success, "{text}");
    let with = root.replace("http://", "http://me:s3cr3t-t0ken@");
    let (success, text) = bump(&format!("{with}/nothing.git"), None);
    assert!(!success, "{text}");
    let (success, text) = bump(&format!("{with}/r.git"), None);
    assert!(success, "{text}");
    assert_eq!(at_main(&repo, VALUES), "image: {tag: v2}\n");
}
