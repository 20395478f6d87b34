//! Sources that the controller reconciles itself, and releases of their charts: every server is a real one.

use std::process::Command;
use std::time::{Duration, Instant};

use pintle::api;
use pintle::cluster::{Cluster, Gvk, Json, ObjectId, PatchType};
use pintle::controller::native;
use serde_json::json;

use crate::servers::git::{GitHttp, Repository};
use crate::servers::nginx::{Nginx, Site};
use crate::servers::registry::Options as Registry;
use crate::servers::s3::S3;
use crate::servers::tls::{authority, pem};
use crate::servers::{self, folder};
use crate::support::cluster::write_options;
use crate::world::{CONFIG, World, package};

const PATIENCE: Duration = Duration::from_secs(180);

/// A world whose controller reconciles sources.
fn world(test: &str) -> World {
    World::with(test, |o| {
        let store = native::StoreOptions {
            path: folder(&format!("storage-{test}")),
            advertised: String::new(),
            ttl: Duration::from_secs(60),
            records: 2,
        };
        let namespace = o.namespace.clone();
        let min_retry_delay = Duration::from_millis(200);
        o.sources = Some(native::Options {
            store,
            address: "127.0.0.1:0".into(),
            namespace,
            min_retry_delay,
            max_retry_delay: Duration::from_secs(2),
            ..native::Options::default()
        });
    })
}

fn id(w: &World, kind: &str, name: &str) -> ObjectId {
    ObjectId::new(Gvk::parse(api::SOURCE_API, kind), Some(w.name()), name)
}

fn create(w: &World, kind: &str, name: &str, spec: Json) {
    let object = json!({"apiVersion": api::SOURCE_API, "kind": kind,
        "metadata": {"name": name, "namespace": w.name()}, "spec": spec});
    w.run(async |c| c.create(&object, &write_options()).await.unwrap());
}

fn secret(w: &World, name: &str, data: Json) {
    let object = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": w.name()}, "stringData": data});
    w.run(async |c| c.create(&object, &write_options()).await.unwrap());
}

fn change(w: &World, kind: &str, name: &str, patch: Json) {
    let id = id(w, kind, name);
    w.run(async |c| c.patch(&id, PatchType::Merge, &patch, &write_options()).await.unwrap());
}

fn until(w: &World, kind: &str, name: &str, what: &str, is_so: impl Fn(&Json) -> bool) -> Json {
    let begin = Instant::now();
    loop {
        let id = id(w, kind, name);
        let object = w.run(async |c| c.get(&id).await.unwrap()).unwrap_or_default();
        if is_so(&object) {
            return object;
        }
        assert!(begin.elapsed() < PATIENCE, "{kind} {name}: {what} did not come: {:#}", object["status"]);
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn condition<'a>(object: &'a Json, kind: &str) -> Option<&'a Json> {
    object.pointer("/status/conditions")?.as_array()?.iter().find(|c| c["type"] == kind)
}

fn says(object: &Json, kind: &str) -> String {
    condition(object, kind).map_or(String::new(), |c| {
        let text = |k: &str| c[k].as_str().unwrap_or_default().to_owned();
        format!("{} {}: {}", text("status"), text("reason"), text("message"))
    })
}

fn ready(w: &World, kind: &str, name: &str) -> Json {
    until(w, kind, name, "ready", |o| {
        condition(o, "Ready").is_some_and(|c| c["status"] == "True")
            && o.pointer("/status/observedGeneration") == o.pointer("/metadata/generation")
    })
}

fn text<'a>(object: &'a Json, at: &str) -> &'a str {
    object.pointer(at).and_then(Json::as_str).unwrap_or_default()
}

/// The artifact's bytes, over HTTP, checked against its digest and size.
fn artifact(object: &Json) -> Vec<u8> {
    use sha2::Digest;
    let url = text(object, "/status/artifact/url");
    let out = Command::new("curl").args(["-sfS", url]).output().unwrap();
    assert!(out.status.success(), "{url}: {}", String::from_utf8_lossy(&out.stderr));
    let hex = data_encoding::HEXLOWER.encode(&sha2::Sha256::digest(&out.stdout));
    assert_eq!(text(object, "/status/artifact/digest"), format!("sha256:{hex}"));
    assert_eq!(object.pointer("/status/artifact/size").and_then(Json::as_u64), Some(out.stdout.len() as u64));
    assert!(url.ends_with(text(object, "/status/artifact/path")));
    out.stdout
}

/// The files of a gzipped tar.
fn files(bytes: &[u8]) -> Vec<String> {
    let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(bytes));
    tar.entries().unwrap().map(|e| e.unwrap().path().unwrap().display().to_string()).collect()
}

/// A chart repository: nginx before a folder that helm has indexed.
pub fn repository(versions: &[&str]) -> (Nginx, std::path::PathBuf) {
    let root = folder("repository");
    for version in versions {
        std::fs::write(
            root.join(format!("web-{version}.tgz")),
            package("web", version, &[CONFIG, ("values.yaml", "text: own\n"), ("prod.yaml", "text: prod\n")]),
        )
        .unwrap();
    }
    servers::run(Command::new(servers::helm()).args(["repo", "index"]).arg(&root));
    (Site::new(&root).start(), root)
}

#[test]
fn a_release_comes_from_a_repository() {
    let w = world("native-repository");
    let (site, root) = repository(&["0.1.0", "0.2.0"]);
    create(&w, "HelmRepository", "charts", json!({"url": site.url(), "interval": "1h"}));
    let chart = json!({"spec": {"chart": "web", "version": "0.x", "sourceRef": {"kind": "HelmRepository", "name": "charts"}, "interval": "1h"}});
    w.release("web", "", json!({"chartRef": null, "chart": chart}));
    let repo = ready(&w, "HelmRepository", "charts");
    let index = artifact(&repo);
    assert_eq!(index, std::fs::read(root.join("index.yaml")).unwrap());
    assert_eq!(text(&repo, "/status/artifact/revision"), text(&repo, "/status/artifact/digest"));
    assert!(text(&repo, "/status/url").ends_with("/index.yaml"));
    assert!(says(&repo, "Ready").starts_with("True Succeeded: stored artifact: revision 'sha256:"));
    assert!(text(&repo, "/metadata/finalizers/0") == "finalizers.fluxcd.io");
    let name = format!("{}-web", w.name());
    let chart = ready(&w, "HelmChart", &name);
    assert_eq!(says(&chart, "Ready"), "True ChartPullSucceeded: pulled 'web' chart with version '0.2.0'");
    // As it was in the repository, byte for byte.
    assert_eq!(artifact(&chart), std::fs::read(root.join("web-0.2.0.tgz")).unwrap());
    w.ready("web");
    assert_eq!((w.data("web", "chart"), w.data("web", "text")), ("0.2.0".into(), "own".into()));

    // A new version is found when the repository is looked at again.
    std::fs::write(root.join("web-0.3.0.tgz"), package("web", "0.3.0", &[CONFIG])).unwrap();
    servers::run(Command::new(servers::helm()).args(["repo", "index"]).arg(&root));
    change(
        &w,
        "HelmRepository",
        "charts",
        json!({"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": "now"}}}),
    );
    until(&w, "HelmRepository", "charts", "the answer", |o| text(o, "/status/lastHandledReconcileAt") == "now");
    w.until("web", "the new version", |r| r.history().starts_with("2 deployed upgrade") && r.is("Ready", "True"));
    assert_eq!(w.data("web", "chart"), "0.3.0");

    // Values files of the chart make another version of it.
    w.change(
        "web",
        json!({"spec": {"chart": {"spec": {"version": "0.2.0", "valuesFiles": ["values.yaml", "prod.yaml"]}}}}),
    );
    w.until("web", "the values file", |r| r.history().starts_with("3 deployed upgrade") && r.is("Ready", "True"));
    assert_eq!(w.data("web", "text"), "prod");
    assert!(w.data("web", "chart").starts_with("0.2.0+"), "{}", w.data("web", "chart"));
    let chart = ready(&w, "HelmChart", &name);
    assert!(
        says(&chart, "Ready").contains("and merged values files [values.yaml, prod.yaml]"),
        "{}",
        says(&chart, "Ready")
    );

    // What can't be is said, and the artifact stays.
    w.change("web", json!({"spec": {"chart": {"spec": {"version": "9.x", "valuesFiles": null}}}}));
    let chart = until(&w, "HelmChart", &name, "the failure", |o| condition(o, "BuildFailed").is_some());
    assert!(
        says(&chart, "Ready").starts_with("False InvalidChartReference: invalid chart reference:"),
        "{}",
        says(&chart, "Ready")
    );
    assert!(condition(&chart, "ArtifactInStorage").is_some());
    artifact(&chart);
}

#[test]
fn a_git_repository_is_packed_and_its_chart_follows_its_files() {
    let w = world("native-git");
    let git = Repository::new(folder("repositories").join("app.git"));
    git.write("charts/web/Chart.yaml", "apiVersion: v2\nname: web\nversion: 1.0.0\n");
    git.write("charts/web/templates/config.yaml", CONFIG.1);
    git.write("charts/web/values.yaml", "text: git\n");
    git.write("values/prod.yaml", "text: prod\n");
    git.write("README.md", "one\n");
    git.write("picture.png", "x");
    let first = git.commit("first line of the message");
    let root = git.dir.parent().unwrap().to_path_buf();
    let http = GitHttp::start(&root, Site::new(&root).tls().basic("reader", "canary-secret-value"));
    create(
        &w,
        "GitRepository",
        "app",
        json!({"url": http.url("app.git"), "interval": "1h", "ref": {"branch": "main"}, "secretRef": {"name": "token"}}),
    );
    let object = until(&w, "GitRepository", "app", "the missing Secret", |o| condition(o, "FetchFailed").is_some());
    assert!(
        says(&object, "Ready").starts_with("False AuthenticationFailed: failed to get secret"),
        "{}",
        says(&object, "Ready")
    );
    secret(
        &w,
        "token",
        json!({"username": "reader", "password": "canary-secret-value", "ca.crt": pem(&authority().ca)}),
    );
    let object = ready(&w, "GitRepository", "app");
    let revision = format!("main@sha1:{first}");
    assert_eq!(text(&object, "/status/artifact/revision"), revision);
    assert_eq!(says(&object, "Ready"), format!("True Succeeded: stored artifact for revision '{revision}'"));
    let author = text(&object, "/status/artifact/metadata/pintle.dev~1author");
    assert!(author.contains(" <") && author.ends_with('>'), "{author}");
    let names = files(&artifact(&object));
    assert!(
        names.contains(&"charts/web/Chart.yaml".to_string()) && !names.contains(&"picture.png".to_string()),
        "{names:?}"
    );
    assert!(condition(&object, "FetchFailed").is_none() && condition(&object, "Reconciling").is_none());

    // Paths stay in the source, whatever they say.
    let spec = json!({"spec": {
        "chart": "/../charts/web", "sourceRef": {"kind": "GitRepository", "name": "app"}, "interval": "1h",
        "reconcileStrategy": "Revision", "valuesFiles": ["charts/web/values.yaml", "../values/./prod.yaml"],
    }});
    w.release("web", "", json!({"chartRef": null, "chart": spec}));
    w.ready("web");
    assert_eq!(w.data("web", "text"), "prod");
    let version = w.data("web", "chart");
    assert!(version.starts_with(&format!("1.0.0+{}", &first[..12])), "{version}");

    // A commit that changes nothing of the chart makes no new one; one that does, makes one.
    let touch = |token: &str| {
        change(
            &w,
            "GitRepository",
            "app",
            json!({"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": token}}}),
        );
        until(&w, "GitRepository", "app", "the answer", |o| text(o, "/status/lastHandledReconcileAt") == token);
    };
    let name = format!("{}-web", w.name());
    git.write("README.md", "two\n");
    let second = git.commit("elsewhere");
    touch("1");
    let chart = until(&w, "HelmChart", &name, "the second commit", |o| {
        text(o, "/status/observedSourceArtifactRevision").ends_with(&second)
    });
    assert_eq!(text(&chart, "/status/artifact/metadata/pintle.dev~1commit"), revision, "whose commit the chart is of");
    assert_eq!(text(&chart, "/status/artifact/revision"), version);
    git.write("values/prod.yaml", "text: third\n");
    let third = git.commit("values");
    touch("2");
    w.until("web", "the third commit", |r| r.history().starts_with("2 deployed upgrade") && r.is("Ready", "True"));
    assert_eq!(w.data("web", "text"), "third");
    assert!(w.data("web", "chart").starts_with(&format!("1.0.0+{}", &third[..12])), "{}", w.data("web", "chart"));

    // A damaged artifact is made again, a suspended source is left alone, a deleted one takes its files with it.
    let object = ready(&w, "GitRepository", "app");
    let url = text(&object, "/status/artifact/url").to_owned();
    change(&w, "GitRepository", "app", json!({"spec": {"suspend": true}}));
    std::thread::sleep(Duration::from_millis(300));
    let object = until(&w, "GitRepository", "app", "suspension", |o| o.pointer("/spec/suspend") == Some(&json!(true)));
    assert_ne!(object.pointer("/status/observedGeneration"), object.pointer("/metadata/generation"));
    change(&w, "GitRepository", "app", json!({"spec": {"suspend": false}}));
    ready(&w, "GitRepository", "app");
    w.run(async |c| {
        c.delete(&id(&w, "GitRepository", "app"), pintle::cluster::Propagation::Background, None).await.unwrap();
    });
    until(&w, "GitRepository", "app", "the end", Json::is_null);
    assert!(!Command::new("curl").args(["-sf", &url]).status().unwrap().success());
}

#[test]
fn charts_come_from_registries() {
    let w = world("native-oci");
    let registry = Registry::default().basic("puller", "canary-secret-value").start();
    let archive = folder("chart").join("web-1.2.0.tgz");
    std::fs::write(&archive, package("web", "1.2.0", &[CONFIG])).unwrap();
    let config = folder("helm").join("config.json");
    let helm = |args: &[&str]| {
        servers::run(Command::new(servers::helm()).args(args).args(["--plain-http", "--registry-config"]).arg(&config));
    };
    helm(&["registry", "login", &registry.host(), "-u", "puller", "-p", "canary-secret-value"]);
    helm(&["push", archive.to_str().unwrap(), &registry.oci("charts")]);
    let docker =
        json!({"auths": {registry.host(): {"username": "puller", "password": "canary-secret-value"}}}).to_string();
    let object = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "login", "namespace": w.name()},
        "type": "kubernetes.io/dockerconfigjson", "stringData": {".dockerconfigjson": docker}});
    w.run(async |c| c.create(&object, &write_options()).await.unwrap());

    create(
        &w,
        "OCIRepository",
        "web",
        json!({
            "url": registry.oci("charts/web"), "interval": "1h", "insecure": true, "secretRef": {"name": "login"}, "ref": {"semver": "1.x"},
            "layerSelector": {"mediaType": "application/vnd.cncf.helm.chart.content.v1.tar+gzip", "operation": "copy"},
        }),
    );
    let object = ready(&w, "OCIRepository", "web");
    assert_eq!(artifact(&object), std::fs::read(&archive).unwrap());
    assert!(text(&object, "/status/artifact/revision").starts_with("1.2.0@sha256:"));
    assert_eq!(text(&object, "/status/artifact/metadata/org.opencontainers.image.title"), "web");
    w.release("one", "", json!({"chartRef": {"kind": "OCIRepository", "name": "web"}}));

    create(
        &w,
        "HelmRepository",
        "registry",
        json!({"url": registry.oci("charts"), "type": "oci", "insecure": true, "secretRef": {"name": "login"}}),
    );
    let spec = json!({"spec": {"chart": "web", "version": "*", "sourceRef": {"kind": "HelmRepository", "name": "registry"}, "interval": "1h"}});
    w.release("two", "", json!({"chartRef": null, "chart": spec}));
    w.ready("one");
    w.ready("two");
    let chart = ready(&w, "HelmChart", &format!("{}-two", w.name()));
    assert_eq!(artifact(&chart), std::fs::read(&archive).unwrap());
    // A registry is only an address.
    let id = id(&w, "HelmRepository", "registry");
    let object = w.run(async |c| c.get(&id).await.unwrap()).unwrap();
    assert!(condition(&object, "Ready").is_none());

    create(
        &w,
        "OCIRepository",
        "none",
        json!({"url": registry.oci("charts/none"), "interval": "1h", "insecure": true, "secretRef": {"name": "login"}}),
    );
    let object = until(&w, "OCIRepository", "none", "the failure", |o| condition(o, "FetchFailed").is_some());
    assert!(
        says(&object, "Ready").starts_with("False OCIArtifactPullFailed: failed to determine artifact digest"),
        "{}",
        says(&object, "Ready")
    );
    assert!(!says(&object, "Ready").contains("canary"), "{}", says(&object, "Ready"));
}

#[test]
fn buckets_are_packed() {
    let w = world("native-bucket");
    let s3 = S3::start();
    s3.put("charts", "", b"");
    for (key, data) in [
        ("app/Chart.yaml", "apiVersion: v2\nname: web\nversion: 1.0.0\n"),
        ("app/templates/c.yaml", CONFIG.1),
        (".sourceignore", "*.md"),
        ("a.md", "x"),
    ] {
        s3.put("charts", key, data.as_bytes());
    }
    secret(&w, "keys", json!({"accesskey": "testing", "secretkey": "testing"}));
    let endpoint = s3.endpoint();
    let endpoint = endpoint.trim_start_matches("http://");
    create(
        &w,
        "Bucket",
        "files",
        json!({"bucketName": "charts", "endpoint": endpoint, "insecure": true, "region": "us-east-1", "interval": "1h", "secretRef": {"name": "keys"}}),
    );
    let object = ready(&w, "Bucket", "files");
    let names = files(&artifact(&object));
    assert!(names.iter().any(|n| n == "app/Chart.yaml") && !names.iter().any(|n| n == "a.md"), "{names:?}");
    let spec = json!({"spec": {"chart": "./app", "sourceRef": {"kind": "Bucket", "name": "files"}, "interval": "1h"}});
    w.release("web", "", json!({"chartRef": null, "chart": spec}));
    w.ready("web");
    assert_eq!(w.data("web", "chart"), "1.0.0");
}
