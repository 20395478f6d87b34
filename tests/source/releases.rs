//! The charts of an environment's releases: from wherever Flux's source objects say that they are, as its controllers would take them.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::servers::git::Repository;
use crate::servers::nginx::Site;
use crate::servers::{folder, helm, registry, run, s3};
use crate::setup::{helm_in, pintle_in, write_chart};

/// A release `NAME` and the objects that it takes its chart from.
fn write(dir: &Path, name: &str, chart: &str, sources: &str) {
    let path = dir.join(format!("clusters/prod/{name}.yaml"));
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let release = format!(
        "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata:\n  name: {name}\n  namespace: shop\nspec:\n  interval: 5m\n{chart}"
    );
    fs::write(path, format!("{release}{sources}")).unwrap();
}

/// A source object.
fn source(kind: &str, name: &str, spec: &str) -> String {
    format!(
        "---\napiVersion: source.toolkit.fluxcd.io/v1\nkind: {kind}\nmetadata:\n  name: {name}\n  namespace: shop\nspec:\n  interval: 5m\n{spec}"
    )
}

fn by_name(kind: &str, name: &str, chart: &str, more: &str) -> String {
    format!("  chart:\n    spec:\n      chart: {chart}\n      sourceRef: {{kind: {kind}, name: {name}}}\n{more}")
}

fn referred(kind: &str, name: &str) -> String {
    format!("  chartRef: {{kind: {kind}, name: {name}}}\n")
}

#[tokio::test]
async fn charts_come_from_where_their_sources_say() {
    let home = folder("home");
    let repository = Repository::new(folder("git"));
    write_chart(&repository.dir.join("charts/app"), "app", "1.0.0");
    let commit = repository.commit("chart");
    run(Command::new(helm()).current_dir(&home).arg("package").arg(repository.dir.join("charts/app")));
    let archive = fs::read(home.join("app-1.0.0.tgz")).unwrap();

    let registry = registry::Options::default().start();
    let pushed = helm_in(&home, &["push", "app-1.0.0.tgz", &registry.oci("charts"), "--plain-http"]);
    let said = String::from_utf8_lossy(&pushed.stderr).into_owned() + &String::from_utf8_lossy(&pushed.stdout);
    let digest = said.split("sha256:").nth(1).unwrap().get(..64).unwrap().to_owned();
    let site = Site::new(folder("site")).start();
    fs::write(site.root.join("app-1.0.0.tgz"), &archive).unwrap();
    run(Command::new(helm()).args(["repo", "index"]).arg(&site.root));
    let s3 = s3::shared();
    s3.put("releases", "", b"");
    s3.put("releases", "packed/app-1.0.0.tgz", &archive);
    for file in ["Chart.yaml", "values.yaml", "values-prod.yaml", "templates/cm.yaml"] {
        s3.put(
            "releases",
            &format!("tree/app/{file}"),
            &fs::read(repository.dir.join("charts/app").join(file)).unwrap(),
        );
    }

    let dir = folder("gitops");
    let oci = |name: &str, reference: &str| {
        source(
            "OCIRepository",
            name,
            &format!("  url: {}\n  insecure: true\n  ref: {{{reference}}}\n", registry.oci("charts/app")),
        )
    };
    for (name, reference) in [
        ("tag", "tag: 1.0.0".into()),
        ("range", "semver: ~1.0".into()),
        ("digest", format!("digest: 'sha256:{digest}'")),
    ] {
        write(&dir, name, &referred("OCIRepository", name), &oci(name, &reference));
    }
    let of_site = source("HelmRepository", "site", &format!("  url: {}\n", site.url()));
    write(&dir, "site", &by_name("HelmRepository", "site", "app", "      version: '>=1'\n"), &of_site);
    let chart = "  chart: app\n  sourceRef: {kind: HelmRepository, name: site}\n  valuesFiles: [values-prod.yaml]\n";
    write(&dir, "made", &referred("HelmChart", "made"), &source("HelmChart", "made", chart));
    let url = format!("  url: {}\n  type: oci\n  insecure: true\n", registry.oci("charts"));
    write(&dir, "typed", &by_name("HelmRepository", "typed", "app", ""), &source("HelmRepository", "typed", &url));
    let url = format!("  url: file://{}\n  ref: {{commit: {commit}}}\n", repository.dir.display());
    let files = "      valuesFiles: [charts/app/values-prod.yaml]\n";
    write(&dir, "git", &by_name("GitRepository", "git", "./charts/app", files), &source("GitRepository", "git", &url));
    let host = s3.endpoint().replace("http://", "");
    let bucket = source(
        "Bucket",
        "bucket",
        &format!("  bucketName: releases\n  endpoint: {host}\n  insecure: true\n  region: us-east-1\n"),
    );
    write(&dir, "bucket", &by_name("Bucket", "bucket", "./packed/app-1.0.0.tgz", ""), &bucket);
    let files = "      valuesFiles: [tree/app/values-prod.yaml]\n";
    write(&dir, "folder", &by_name("Bucket", "bucket", "tree/app", files), "");
    let generator = "\
---
apiVersion: source.extensions.fluxcd.io/v1beta1
kind: ArtifactGenerator
metadata:
  name: composed
  namespace: shop
spec:
  sources:
  - {alias: chart, kind: OCIRepository, name: tag}
  - {alias: repo, kind: GitRepository, name: flux-system, namespace: flux-system}
  artifacts:
  - name: composed
    copy:
    - {from: '@chart/', to: '@artifact/'}
    - {from: '@repo/values/prod.yaml', to: '@artifact/app/values.yaml', strategy: Merge}
";
    write(&dir, "composed", &referred("ExternalArtifact", "composed"), generator);
    fs::create_dir_all(dir.join("values")).unwrap();
    fs::write(dir.join("values/prod.yaml"), "greeting: composed\n").unwrap();

    let build = |more: &[&str]| {
        let mut command = pintle_in(&home, &["build", "--no-keys", "--env", "prod"]);
        command.current_dir(&dir).args(more).env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "secret");
        command.output().unwrap()
    };
    let out = build(&[]);
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(out.status.success(), "{}{text}", String::from_utf8_lossy(&out.stderr));
    // Flux puts the artifact's digest into the versions of charts that an OCIRepository holds, so that their templates print it.
    let digested = format!("1.0.0+{}", &digest[..12]);
    for (name, version, greeting) in [
        ("tag", &*digested, "hello"),
        ("range", &digested, "hello"),
        ("digest", &digested, "hello"),
        ("site", "1.0.0", "hello"),
        ("made", "1.0.0", "good day"),
        ("typed", "1.0.0", "hello"),
        ("git", "1.0.0", "good day"),
        ("bucket", "1.0.0", "hello"),
        ("folder", "1.0.0", "good day"),
        ("composed", "1.0.0", "composed"),
    ] {
        let want = format!("  name: {name}-{version}\ndata:\n  greeting: {greeting}\n");
        assert!(text.contains(&want), "{want}\n{text}");
    }
    // All of it is in the cache now.
    drop(site);
    let again = build(&["--offline"]);
    let said = String::from_utf8_lossy(&again.stderr);
    assert!(again.status.success() && String::from_utf8_lossy(&again.stdout) == text, "{said}");
    // A tag that is another version than its chart's: Flux does not install it.
    let url = |tag: &str| format!("http://{}/v2/charts/app/manifests/{tag}", registry.host());
    const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
    let client = reqwest::Client::new();
    let manifest = client.get(url("1.0.0")).header("Accept", MANIFEST).send().await.unwrap().bytes().await.unwrap();
    let put = client.put(url("2.0.0")).header("Content-Type", MANIFEST).body(manifest).send().await.unwrap();
    assert!(put.status().is_success());
    let path = dir.join("clusters/prod/tag.yaml");
    fs::write(&path, fs::read_to_string(&path).unwrap().replace("tag: 1.0.0", "tag: 2.0.0")).unwrap();
    let other = build(&["--service", "tag"]);
    let said = String::from_utf8_lossy(&other.stderr);
    let want = format!(
        "clusters/prod/tag.yaml:8: chart {}:2.0.0: artifact revision 2.0.0 does not match chart version 1.0.0\n",
        registry.oci("charts/app")
    );
    assert!(other.status.code() == Some(1) && said.contains(&want), "{said}");
}
