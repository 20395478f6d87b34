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

fn flux_kustomization(name: &str, image: &str, tag: &str) -> String {
    format!(
        "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {{name: {name}}}\nspec:\n  images:\n  - name: {image}\n    newTag: \"{tag}\"\n"
    )
}

/// Of `web`, with containers by name and image.
fn deployment(containers: &[(&str, &str)]) -> String {
    let list: String =
        containers.iter().map(|(name, image)| format!("      - name: {name}\n        image: {image}\n")).collect();
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\nspec:\n  template:\n    spec:\n      containers:\n{list}"
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
        (VALUES, "a:\n- b: [{c: 3}]\n".into(), &["--set", "a[0].b[0].c=4"], "3", "4"),
        (VALUES, "image:\n  tag: # which\n  a: b\n".into(), &["--tag", "1.10"], "tag: #", "tag: \"1.10\" #"),
        (VALUES, "side: {x: {image: {tag: v1}}}\nimage:\n  tag:\n".into(), &["--tag", "v2"], "v1", "v2"),
        (VALUES, "a:\nb: 1\n".into(), &["--set", "a=true"], "a:", "a: true"),
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
        // Of a Flux Kustomization among others, before what it applies; of a container beside another.
        (
            "k8s/gitops/dev/apps.yaml",
            format!(
                "{}---\n{}images:\n- {{name: reg/web, newTag: \"9\"}}\n",
                flux_kustomization("api", "reg/api", "8"),
                flux_kustomization("web", "reg/web", "1")
            ),
            &["--tag", "2"],
            "\"1\"",
            "\"2\"",
        ),
        (
            "k8s/gitops/dev/apps.yaml",
            flux_kustomization("web", "reg/web", "1"),
            &["--image", "reg/web:3"],
            "\"1\"",
            "\"3\"",
        ),
        ("k8s/gitops/dev/web/deployment.yaml", deployment(&[("a", "reg/web:1.0"), ("b", "reg/proxy:1.0")]), &["--tag", "2"], "web:1.0", "web:2"),
        ("k8s/gitops/dev/web/deployment.yaml", deployment(&[("a", "x:1"), ("web", "y:1")]), &["--tag", "2"], "y:1", "y:2"),
        ("k8s/gitops/dev/all.yaml", deployment(&[("a", "x:1")]), &["--tag", "2"], "x:1", "x:2"),
        (
            "k8s/gitops/dev/web/cron.yaml",
            "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: c}\nspec:\n  jobTemplate: {spec: {template: {spec: {containers: [\n    {name: c,\n    image: reg/app:1}]}}}}\n".into(),
            &["--image", "other/app:2@sha256:ab"],
            "reg/app:1",
            "\"other/app:2@sha256:ab\"",
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
        // Flux takes a range before a tag.
        (
            "k8s/gitops/dev/web/repo.yaml",
            "kind: OCIRepository\nspec:\n  ref:\n    tag: 1.0.0\n    semver: 1.x\n".into(),
            &["--chart-version", "1.1.0"],
            "1.x",
            "1.1.0",
        ),
        // A number that reads as another text is not there yet, whatever its letters.
        (VALUES, "image: {tag: 1.10}\n".into(), &["--tag", "1.10"], "1.10", "\"1.10\""),
        (VALUES, "image:\n  tag: on\n".into(), &["--tag", "on"], "tag: on", "tag: \"on\""),
        (
            VALUES,
            "image: {registry: ghcr.io, repository: me/web, tag: v1}\n".into(),
            &["--image", "ghcr.io/me/web:v2"],
            "v1",
            "v2",
        ),
        (
            VALUES,
            "image: {registry: ghcr.io, repository: me/web, tag: v1}\n".into(),
            &["--image", "quay.io/you/web:v2"],
            "ghcr.io, repository: me/web, tag: v1",
            "quay.io, repository: you/web, tag: v2",
        ),
        // A name without a path says which image, not that it moved.
        (VALUES, "image: reg/web:v1\n".into(), &["--image", "web:v2"], "v1", "v2"),
        (
            VALUES,
            "image: reg/other/web:v1\nside:\n  image: reg/web:v1\n".into(),
            &["--image", "reg/web:v2"],
            "reg/web:v1",
            "reg/web:v2",
        ),
        (VALUES, "image: {tag: 'v1@sha256:aa'}\n".into(), &["--tag", "v2@sha256:bb"], "v1@sha256:aa", "v2@sha256:bb"),
        ("envs/dev/web/values.yaml", "image: {tag: v1}\n".into(), &["--tag", "v2"], "v1", "v2"),
        ("envs/dev/values/web.yaml", "image: {tag: v1}\n".into(), &["--tag", "v2"], "v1", "v2"),
        (
            "apps/web/overlays/dev/kustomization.yaml",
            "images:\n- name: app\n  newTag: v1\n".into(),
            &["--tag", "v2"],
            "v1",
            "v2",
        ),
        (
            "k8s/gitops/dev/Kustomization",
            "images:\n- name: web\n  newName: old.io/web\n  newTag: v1\n  digest: sha256:aa\n".into(),
            &["--image", "new.io/web:v2@sha256:bb"],
            "old.io/web\n  newTag: v1\n  digest: sha256:aa",
            "new.io/web\n  newTag: v2\n  digest: sha256:bb",
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

/// `~` are the values that Flux's image-automation-controller sets in this text for the policy `flux:web` (kyaml's setters, asked itself).
const MARKED: &str = r#"list:
# {"$imagepolicy": "flux:web:tag"}
- ~
- - ~ #{"$imagepolicy": "flux:web:tag"}
  - v1
one: {repository: reg/web, tag: v1} # {"$imagepolicy": "flux:web:tag"}
two: {repository: reg/web,
  tag: ~ # {"$imagepolicy": "flux:web:tag"}
  }
three: '~' #	{"$imagepolicy":"flux:web:tag"}
four: v1 # see {"$imagepolicy": "flux:web:tag"}
five: v1 # {"a": 1, "$imagepolicy": "flux:web:tag"}
six: ~ ## {"a": "b", "$imagepolicy": "flux:web:tag"}
# {"$imagepolicy": "flux:web:tag"}
seven: v1
eight: # {"$imagepolicy": "flux:web:tag"}
  v1
nine:
  # {"$imagepolicy": "flux:web:tag"}
  - v1 # other
  # {"$imagepolicy": "flux:web:tag"}
  - ~
ten: v1 # {"$imagepolicy": "flux:other:tag"}
eleven: v1 # {"$imagepolicy": "flux:web:tags"}
twelve: &a ~ # {"$imagepolicy": "flux:web:tag"}
more: *a # {"$imagepolicy": "flux:web:tag"}
"#;

#[test]
fn markers_are_where_flux_sees_them() {
    let folder = Folder::new();
    let path = "k8s/gitops/dev/web/any.yaml";
    let repo = bare(&folder, "r.git", &[(path, MARKED.replace('~', "v1"))]);
    ok(&repo, &["--env", "dev", "--service", "web", "--tag", "v2"]);
    assert_eq!(at_main(&repo, path), MARKED.replace('~', "v2"));
}

#[test]
fn markers_of_other_policies_are_not_guessed() {
    let folder = Folder::new();
    let marked = |policy: &str, value: &str| format!("{value} # {{\"$imagepolicy\": \"flux:{policy}\"}}\n");
    let file = |name: &str| format!("k8s/gitops/dev/{name}/x.yaml");
    let only = format!("a: {}b: {}", marked("app:name", "reg/app"), marked("app:tag", "v1"));
    let two = format!("a: {}b: {}", marked("front", "reg/front:v1"), marked("back", "reg/back:v1"));
    let side = release(&format!("    image: {{tag: v1}}\n    side: {}", marked("envoy", "envoy:v1")));
    let pin = format!("tag: {}digest: sha256:aa\n", marked("pin:tag", "v1"));
    let repo = bare(
        &folder,
        "r.git",
        &[(&file("only"), only.clone()), (&file("two"), two), (&file("web"), side), (&file("pin"), pin.clone())],
    );
    let args = |service, flag, value| ["--env", "dev", "--service", service, flag, value];
    // The only policy of the service's files is the service's.
    ok(&repo, &args("only", "--tag", "v2"));
    assert_eq!(at_main(&repo, &file("only")), only.replace("v1", "v2"));
    for service in ["two", "web"] {
        let text = fails(&repo, &args(service, "--tag", "v2"));
        assert!(text.contains("name one with --image REPOSITORY:TAG") && text.lines().count() == 3, "{text}");
    }
    // The image says that the marker beside it is not meant.
    ok(&repo, &args("web", "--image", "reg/web:v2"));
    assert!(at_main(&repo, &file("web")).contains("{tag: v2}\n    side: envoy:v1"));

    let text = fails(&repo, &args("pin", "--tag", "v2"));
    assert!(text.contains("pinned by digest (sha256:aa)"), "{text}");
    ok(&repo, &args("pin", "--image", "reg/pin:v2@sha256:bb"));
    assert_eq!(at_main(&repo, &file("pin")), pin.replace("v1", "v2").replace("aa", "bb"));
}

#[test]
fn an_exact_name_wins_over_a_directorys() {
    let folder = Folder::new();
    let path = "k8s/gitops/dev/web/releases.yaml";
    let of = |name: &str, tag: &str| {
        release(&format!("    image: {{repository: reg/{name}, tag: {tag}}}\n    n: 1\n"))
            .replace("name: web", &format!("name: {name}"))
    };
    let other = of("web2", "v1");
    let repo = bare(&folder, "r.git", &[(path, format!("{}---\n{other}", of("web", "v1")))]);
    let bump = |flag: &'static str, value: &'static str| ok(&repo, &["--env", "dev", "--service", "web", flag, value]);
    bump("--chart-version", "1.2.0");
    bump("--tag", "v2");
    bump("--set", "n=2");
    let web = of("web", "v2").replace("1.0.0", "1.2.0").replace("    n: 1", "    n: 2");
    assert_eq!(at_main(&repo, path), format!("{web}---\n{other}"));
    // In one file by its path as well; and with neither called so, both are meant.
    ok(&repo, &["--file", path, "--service", "web", "--set", "spec.chart.spec.version=1.3.0"]);
    assert_eq!(at_main(&repo, path), format!("{}---\n{other}", web.replace("1.2.0", "1.3.0")));
    let text = fails(&repo, &["--file", path, "--set", "spec.chart.spec.version=1.4.0"]);
    assert!(text.contains("more than one place fits"), "{text}");
}

#[test]
fn a_digest_is_not_dropped() {
    let folder = Folder::new();
    let values = |name: &str| format!("k8s/helm-values/{name}/dev-config.yaml");
    let files = [
        (values("web"), "image: reg.example/web:1.0@sha256:aa\n"),
        (values("map"), "image: {repository: reg.example/map, tag: '1.0@sha256:aa'}\n"),
        ("k8s/gitops/dev/marked/x.yaml".into(), "x: reg/marked:1.0@sha256:aa # {\"$imagepolicy\": \"flux:marked\"}\n"),
        ("k8s/gitops/dev/part/x.yaml".into(), "x: 1.0@sha256:aa # {\"$imagepolicy\": \"flux:part:tag\"}\n"),
    ];
    let all: Vec<(&str, String)> = files.iter().map(|(path, text)| (path.as_str(), (*text).to_owned())).collect();
    let repo = bare(&folder, "r.git", &all);
    for (path, text) in files {
        let service = path.rsplit('/').nth(1).unwrap();
        let args = |image: &'static str| ["--env", "dev", "--service", service, "--image", image];
        let (short, registry) = match service {
            "web" => (["web:2", "web:2@sha256:bb"], "reg.example"),
            "map" => (["map:2", "map:2@sha256:bb"], "reg.example"),
            "marked" => (["reg/marked:2", "reg/marked:2@sha256:bb"], "reg"),
            _ => (["part:2", "part:2@sha256:bb"], "reg"),
        };
        for image in [short[0].to_owned(), format!("{registry}/{}", short[0].trim_start_matches("reg/"))] {
            let said = fails(&repo, &["--env", "dev", "--service", service, "--image", &image]);
            assert!(said.contains("pinned by digest (sha256:aa)"), "{said}");
        }
        ok(&repo, &args(short[1]));
        assert_eq!(at_main(&repo, &path), text.replace("1.0", "2").replace("aa", "bb"));
    }
}

#[test]
fn what_cannot_be_done_whole_is_not_done() {
    let folder = Folder::new();
    let file = |name: &str| format!("k8s/helm-values/{name}/dev-config.yaml");
    let sops = |more: &str| format!("image: {{tag: v1}}\nsops:\n  mac: ENC[AES256_GCM,data:x]\n{more}");
    let repo = bare(
        &folder,
        "r.git",
        &[
            (&file("untagged"), "image: {repository: old/untagged}\n".into()),
            (&file("undigested"), "image: {repository: reg/undigested, tag: v1}\n".into()),
            (&file("alias"), "base: &b {tag: v1}\nother: *b\n".into()),
            (
                &file("anchor"),
                "a: &t v1\nuse: *t\nbase: &b {image: {repository: r/x, tag: v1}}\nmore: {<<: *b}\n".into(),
            ),
            (&file("unused"), "a: &t v1\nimage: &i {tag: v1}\nb: &u {c: 1}\nd: *u\n".into()),
            (&file("sealed"), sops("")),
            (&file("open"), sops("  mac_only_encrypted: true\n")),
            (&file("broken"), "image: {tag: v1\n".into()),
            ("k8s/gitops/dev/moved/kustomization.yaml", "images: [{name: reg/moved, newTag: v1}]\n".into()),
            ("k8s/gitops/dev/oci/x.yaml", "kind: OCIRepository\nspec: {ref: {tag: v1, digest: 'sha256:aa'}}\n".into()),
        ],
    );
    for (service, flag, value, want) in [
        ("untagged", "--image", "new/untagged:v2", "no `tag` beside it"),
        ("undigested", "--image", "reg/undigested@sha256:aa", "no `digest` beside it"),
        ("moved", "--image", "new/moved:v2", "no `newName` beside it"),
        ("moved", "--image", "reg/moved:v2@sha256:aa", "no `digest` beside it"),
        ("alias", "--set", "other.tag=v2", "leads through an alias"),
        ("alias", "--set", "base.tag=v2", "by the alias in line 2"),
        ("anchor", "--set", "a=v2", "by the alias in line 2"),
        ("anchor", "--tag", "v2", "by the alias in line 4"),
        ("anchor", "--image", "r/x:v2", "by the alias in line 4"),
        ("sealed", "--tag", "v2", "SOPS' MAC covers this value"),
        ("broken", "--tag", "v2", "broken/dev-config.yaml: "),
        ("oci", "--chart-version", "v2", "pinned by digest"),
        // What a pipeline's empty variable leaves.
        ("undigested", "--tag", "", "no image tag"),
        ("undigested", "--tag", "v1 ", "no image tag"),
        ("undigested", "--image", "reg/undigested:", "no image reference"),
        ("undigested", "--image", "reg/undigested:v1:2", "no image reference"),
        ("undigested", "--chart-version", "", "version is empty"),
    ] {
        let text = fails(&repo, &["--env", "dev", "--service", service, flag, value]);
        assert!(text.contains(want), "{service} {value}: {text}");
    }
    let text = fails(&repo, &["--file", "gone.yaml", "--set", "a=b"]);
    assert!(text.contains("no such file"), "{text}");
    assert!(ok(&repo, &["--env", "dev", "--service", "open", "--tag", "v2"]).contains("pushed"));
    // Nobody shares these; and a value that is there already changes nothing.
    ok(&repo, &["--env", "dev", "--service", "unused", "--tag", "v2", "--set", "a=v2"]);
    assert_eq!(at_main(&repo, &file("unused")), "a: &t v2\nimage: &i {tag: v2}\nb: &u {c: 1}\nd: *u\n");
    assert!(ok(&repo, &["--env", "dev", "--service", "anchor", "--set", "a=v1"]).contains("nothing to do"));
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
    // Of an image, the tag has an order.
    let path = "k8s/helm-values/api/dev-config.yaml";
    let image = |tag, digest| format!("image: {{repository: reg/api, tag: {tag}, digest: 'sha256:{digest}'}}\n");
    let repo = bare(&folder, "s.git", &[(path, image("v1.9.0", "aa"))]);
    let args = |image| ["--env", "dev", "--service", "api", "--only-forward", "--image", image];
    assert!(ok(&repo, &args("reg/api:v1.8.0@sha256:00")).contains("superseded"));
    // Also where it could not be changed.
    assert!(ok(&repo, &args("reg/api:v1.8.0")).contains("superseded"));
    assert!(fails(&repo, &args("reg/api:v1.9.1")).contains("pinned by digest"));
    assert!(ok(&repo, &args("reg/api:v1.10.0@sha256:bb")).contains("pushed"));
    assert_eq!(at_main(&repo, path), image("v1.10.0", "bb"));
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
fn what_git_would_refuse_is_told_in_a_line() {
    let folder = Folder::new();
    let repo = bare(&folder, "r.git", &[(VALUES, "image: {tag: v1}\n".into())]);
    let args = |more: &[&'static str]| [&["--env", "dev", "--service", "web", "--tag", "v2"], more].concat();
    for (more, want) in [
        (&["--author", "bad"][..], "Error: \"bad\" is no author: write NAME <ADDRESS>\n"),
        (&["--pr", "x y"], "Error: \"x y\" is no name of a branch\n"),
        (&["--branch", "a..b"], "Error: \"a..b\" is no name of a branch\n"),
    ] {
        assert_eq!(fails(&repo, &args(more)), want);
    }
    git(folder.path(), &["clone", "--quiet", "r.git", "work"]);
    let work = folder.join("work");
    let text = fails(&work, &args(&[]));
    assert!(text.starts_with("Error: main is checked out in that repository") && text.lines().count() == 1, "{text}");
    ok(&work, &args(&["--pr", "bump"]));
}

#[test]
fn what_of_a_path_is_not_there_is_said() {
    let folder = Folder::new();
    let path = "apps/x.yaml";
    let repo = bare(&folder, "r.git", &[(path, "images:\n- newTag: a\nmap: {b: c}\n---\nother: 1\n".into())]);
    for (set, want) in [
        (
            "images[1].newTag=x",
            "apps/x.yaml: images.1.newTag=x: `images` is a list of 1, counted from 0, and has no item 1",
        ),
        ("images.newTag=x", "`images` is a list, of which `newTag` is no number"),
        ("map.0=x", "`map` has no key `0`"),
        ("map.b.c=x", "`map.b` is a single value, with nothing below it"),
        ("map=x", "`map` is no single value"),
        ("nothing.at.all=x", "the document has no key `nothing`"),
        ("images..newTag=x", "--set images..newTag=x: a part of the path is empty"),
        ("=x", "--set =x: a part of the path is empty"),
    ] {
        let text = fails(&repo, &["--file", path, "--set", set]);
        assert!(text.contains(want) && text.lines().count() == 1, "{set}: {text}");
    }
    let text = fails(&repo, &["--file", path, "--set", "images.0.newTag=2", "--set", "images[0].newTag=3"]);
    assert!(text.contains("another --set gives this path a value too"), "{text}");
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
