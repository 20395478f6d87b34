//! Charts in a real registry, beside the real helm.

use std::fs;
use std::path::Path;

use pintle::source::oci::{Repository, push};
use pintle::source::{Context, OciRef, Reason};

use crate::servers::folder;
use crate::servers::nginx::Site;
use crate::servers::registry::{Options as Server, Registry};
use crate::servers::tls::{self, Authority};
use crate::setup::{basic, context, fetch, fetch_version, helm_in, package, success};

fn user(registry: &Registry, more: impl FnOnce(&mut pintle::source::Options)) -> Context {
    let _ = registry;
    context(|o| {
        o.credentials = basic("user", "canary-secret");
        more(o);
    })
}

fn helm_push(archive: &Path, remote: &str) -> String {
    let home = folder("home");
    let out = helm_in(
        &home,
        &[
            "push",
            archive.to_str().unwrap(),
            remote,
            "--ca-file",
            tls::authority().ca.to_str().unwrap(),
            "--username",
            "user",
            "--password",
            "canary-secret",
        ],
    );
    success(&out)
}

async fn manifest(registry: &Registry, context: &Context, name: &str, tag: &str) -> Vec<u8> {
    Repository::at(&registry.host(), name, context).unwrap().manifest(tag).await.unwrap()
}

#[tokio::test]
async fn what_helm_pushes_is_pulled_and_the_reverse_with_equal_manifests() {
    for options in [
        Server::default().tls().basic("user", "canary-secret"),
        Server::default().tls().bearer("user", "canary-secret"),
    ] {
        let registry = options.start();
        for (version, provenance) in [("1.2.3", false), ("2.0.0+build.7", true)] {
            let archive = package("app", version);
            let prov = archive.with_file_name(format!("app-{version}.tgz.prov"));
            if provenance {
                fs::write(&prov, "not checked here\n").unwrap();
            }
            let printed = helm_push(&archive, &registry.oci("charts"));
            let context = user(&registry, |o| o.verify.provenance_later = true);
            let fetched = fetch_version(&registry.oci("charts/app"), Some(version), &context).await.unwrap();
            let bytes = fs::read(&archive).unwrap();
            assert!(*fetched.bytes == bytes);
            assert_eq!(fetched.provenance_file.is_some(), provenance);
            assert_eq!(fetched.provenance.file_name, format!("app-{version}.tgz"));
            let digest = printed.lines().find_map(|l| l.strip_prefix("Digest: ")).unwrap();
            assert_eq!(fetched.provenance.revision, format!("{version}@{digest}"));

            // The other way: helm's own bytes are pushed again, then helm pulls them.
            let theirs = manifest(&registry, &context, "charts/app", &version.replace('+', "_")).await;
            let created =
                String::from_utf8_lossy(&theirs).split("image.created\":\"").nth(1).unwrap()[..20].to_string();
            let prov_bytes = provenance.then(|| fs::read(&prov).unwrap());
            let pushed =
                push(&bytes, prov_bytes.as_deref(), &registry.oci("charts"), &created, &context).await.unwrap();
            let ours = manifest(&registry, &context, "charts/app", &version.replace('+', "_")).await;
            assert_eq!(String::from_utf8_lossy(&ours), String::from_utf8_lossy(&theirs));
            assert_eq!(pushed.digest.to_string(), digest);
            let home = folder("home");
            success(&helm_in(
                &home,
                &[
                    "pull",
                    &registry.oci("charts/app"),
                    "--version",
                    version,
                    "--ca-file",
                    tls::authority().ca.to_str().unwrap(),
                    "--username",
                    "user",
                    "--password",
                    "canary-secret",
                ],
            ));
            assert!(fs::read(home.join(format!("app-{version}.tgz"))).unwrap() == bytes);
        }
    }
}

#[tokio::test]
async fn tags_digests_and_ranges() {
    let registry = Server::default().tls().basic("user", "canary-secret").start();
    let context = user(&registry, |_| {});
    for version in ["1.0.0", "1.1.0", "1.1.1-rc.1", "2.0.0+x"] {
        let archive = fs::read(package("app", version)).unwrap();
        push(&archive, None, &registry.oci("charts"), "2026-01-01T00:00:00Z", &context).await.unwrap();
    }
    let app = registry.oci("charts/app");
    for (version, want) in [
        (None, "2.0.0+x"),
        (Some("^1"), "1.1.0"),
        (Some("^1-0"), "1.1.1-rc.1"),
        (Some("1.0.0"), "1.0.0"),
        (Some("2.0.0+x"), "2.0.0+x"),
        (Some("<1.1"), "1.0.0"),
    ] {
        let fetched = fetch_version(&app, version, &context).await.unwrap();
        assert!(
            fetched.provenance.revision.starts_with(&format!("{want}@sha256:")),
            "{version:?}: {}",
            fetched.provenance.revision
        );
    }
    let one = fetch(&format!("{app}:1.0.0"), &context).await.unwrap();
    assert!(one.cached, "the same manifest under another name");
    let digest = one.provenance.revision.split('@').nth(1).unwrap().to_string();
    let pinned = fetch(&format!("{app}@{digest}"), &context).await.unwrap();
    assert_eq!(pinned.bytes, one.bytes);
    // Pinned and known: nobody is asked.
    let offline = context.with(pintle::source::Options { offline: true, ..(*context.options).clone() });
    assert!(fetch(&format!("{app}@{digest}"), &offline).await.unwrap().cached);
    // A file of the chart.
    let values = fetch(&format!("{app}:1.0.0//values-prod.yaml"), &context).await.unwrap();
    assert_eq!(&*values.bytes, b"greeting: good day\n");

    for (reference, version, want) in [
        (format!("{app}:1.1.0@{digest}"), None, "chart reference digest mismatch"),
        (app.clone(), Some("^7"), "could not locate a version matching provided version string ^7"),
        (format!("{app}:1.0.0"), Some("1.1.0"), "chart reference and version mismatch: 1.1.0 is not 1.0.0"),
        (registry.oci("charts/none:1"), None, "404 Not Found"),
        (format!("{app}:1.0.0//none.yaml"), None, "the chart has no file \"none.yaml\""),
    ] {
        let error = fetch_version(&reference, version, &context).await.unwrap_err().to_string();
        assert!(error.contains(want), "{reference}: {error}");
    }
    let stranger = self::context(|o| o.credentials = basic("user", "canary-wrong"));
    let error = fetch(&format!("{app}:1.0.0"), &stranger).await.unwrap_err();
    assert_eq!(error.reason, Reason::Unauthorized);
    assert!(!error.to_string().contains("canary"));
}

#[tokio::test]
async fn damaged_blobs_and_manifests_are_not_used() {
    let registry = Server::default().tls().start();
    let context = context(|_| {});
    let archive = fs::read(package("app", "1.0.0")).unwrap();
    let pushed = push(&archive, None, &registry.oci("charts"), "2026-01-01T00:00:00Z", &context).await.unwrap();
    let blob = registry.blob(&pintle::source::Digest::of(&archive).to_string());
    let mut damaged = archive.clone();
    *damaged.last_mut().unwrap() ^= 1;
    for (bytes, want) in [(damaged, Reason::Digest), (archive[..100].to_vec(), Reason::Digest)] {
        fs::write(&blob, bytes).unwrap();
        let error = fetch(&registry.oci("charts/app:1.0.0"), &context).await.unwrap_err();
        assert_eq!(error.reason, want, "{error}");
    }
    fs::write(&blob, &archive).unwrap();
    assert!(fetch(&registry.oci("charts/app:1.0.0"), &context).await.is_ok());

    // Manifests that claim what is not so. The registry takes any that names blobs it has.
    let repository = Repository::at(&registry.host(), "charts/app", &context).unwrap();
    let real = String::from_utf8(repository.manifest(&pushed.digest.to_string()).await.unwrap()).unwrap();
    let media = "application/vnd.oci.image.manifest.v1+json";
    let size = format!("\"size\":{}", archive.len());
    for (name, text, want) in [
        ("short", real.replace(&size, "\"size\":10"), "more than 10 bytes"),
        ("long", real.replace(&size, "\"size\":999999"), "its manifest says 999999"),
        ("bomb", real.replace(&size, "\"size\":99999999999"), "more than 268435456"),
        ("config", real.replace("helm.config.v1+json", "other.v1+json"), "could not load config with mediatype"),
        (
            "layer",
            real.replace("chart.content.v1.tar+gzip", "other"),
            "manifest does not contain a layer with mediatype",
        ),
    ] {
        repository.push_manifest(name, media, text.as_bytes()).await.unwrap();
        let error = fetch(&registry.oci(&format!("charts/app:{name}")), &context).await.unwrap_err().to_string();
        assert!(error.contains(want), "{name}: {error}");
    }
    let legacy = real.replace("application/vnd.cncf.helm.chart.content.v1.tar+gzip", "application/tar+gzip");
    repository.push_manifest("legacy", media, legacy.as_bytes()).await.unwrap();
    assert!(*fetch(&registry.oci("charts/app:legacy"), &context).await.unwrap().bytes == archive);
    let huge = real.replace("\"team\":\"x\"", &format!("\"team\":\"{}\"", "x".repeat(3 << 20)));
    repository.push_manifest("huge", media, huge.as_bytes()).await.unwrap();
    assert!(fetch(&registry.oci("charts/app:huge"), &context).await.is_ok());

    // An index that names another image first.
    let entry = |digest: &pintle::source::Digest, size: usize| {
        format!("{{\"mediaType\":\"{media}\",\"digest\":\"{digest}\",\"size\":{size}}}")
    };
    let other = real.replace("helm.config.v1+json", "other.v1+json");
    let other_digest = repository.push_manifest("other", media, other.as_bytes()).await.unwrap();
    let index = format!(
        "{{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.index.v1+json\",\"manifests\":[{},{}]}}",
        entry(&other_digest, other.len()),
        entry(&pushed.digest, real.len())
    );
    repository.push_manifest("index", "application/vnd.oci.image.index.v1+json", index.as_bytes()).await.unwrap();
    assert!(*fetch(&registry.oci("charts/app:index"), &context).await.unwrap().bytes == archive);
}

#[tokio::test]
async fn a_moved_tag_is_noticed_and_an_unmoved_one_costs_one_head() {
    let registry = Server::default().tls().start();
    let context = context(|_| {});
    let first = fs::read(package("app", "1.0.0")).unwrap();
    push(&first, None, &registry.oci("charts"), "2026-01-01T00:00:00Z", &context).await.unwrap();
    let reference = registry.oci("charts/app:1.0.0");
    assert!(!fetch(&reference, &context).await.unwrap().cached);
    let before = registry.server.log().matches("http.request.method=GET").count();
    assert!(fetch(&reference, &context).await.unwrap().cached);
    assert_eq!(registry.server.log().matches("http.request.method=GET").count(), before);
    let dir = folder("other");
    crate::setup::write_chart(&dir.join("app"), "app", "1.0.0");
    fs::write(dir.join("app/values.yaml"), "greeting: changed\n").unwrap();
    crate::servers::run(std::process::Command::new(crate::servers::helm()).current_dir(&dir).args(["package", "app"]));
    let second = fs::read(dir.join("app-1.0.0.tgz")).unwrap();
    push(&second, None, &registry.oci("charts"), "2026-01-01T00:00:00Z", &context).await.unwrap();
    let now = fetch(&reference, &context).await.unwrap();
    assert!(!now.cached && *now.bytes == second);
}

#[tokio::test]
async fn certificates_and_plain_http() {
    let clients = Authority::new("clients");
    let registry = Server::default().tls().client_certificates(&clients.ca).start();
    let pair = clients.sign("pintle");
    let known = context(|o| {
        let key = pintle::source::Secret::new(fs::read_to_string(&pair.key).unwrap());
        o.tls.identity = Some((fs::read(&pair.cert).unwrap(), key));
    });
    let archive = fs::read(package("app", "1.0.0")).unwrap();
    push(&archive, None, &registry.oci("charts"), "2026-01-01T00:00:00Z", &known).await.unwrap();
    let reference = registry.oci("charts/app:1.0.0");
    assert!(fetch(&reference, &known).await.is_ok());
    for stranger in [context(|_| {}), context(|o| o.tls.ca = None)] {
        let error = fetch(&reference, &stranger).await.unwrap_err();
        assert_eq!(error.reason, Reason::Tls, "{error}");
    }

    let plain = Server::default().start();
    let asked = context(|o| o.plain_http = true);
    push(&archive, None, &plain.oci("charts"), "2026-01-01T00:00:00Z", &asked).await.unwrap();
    assert!(fetch(&plain.oci("charts/app:1.0.0"), &asked).await.is_ok());
    assert!(fetch(&plain.oci("charts/app:1.0.0"), &context(|_| {})).await.is_err());
}

#[tokio::test]
async fn pages_of_tags_are_followed_and_credentials_stay_home() {
    // A registry's front that gives out tags in pages, and sends blobs from another host.
    let storage = Site::new(folder("storage")).tls().start();
    let root = folder("front");
    let front = Site::new(&root)
        .tls()
        .basic("user", "canary-secret")
        .extra(
            "location = /v2/charts/app/tags/list { default_type application/json; \
             if ($arg_last = \"\") { add_header Link '</v2/charts/app/tags/list?n=2&last=b>; rel=\"next\"'; return 200 '{\"tags\":[\"1.0.0\",\"x\"]}'; } \
             return 200 '{\"tags\":[\"1.5.0\",\"0.1.0\"]}'; }",
        )
        .extra(
            "location = /v2/charts/loop/tags/list { default_type application/json; \
             add_header Link '</v2/charts/loop/tags/list?n=1000>; rel=\"next\"'; return 200 '{\"tags\":[]}'; }",
        )
        .extra(&format!("location /v2/charts/app/blobs/ {{ return 307 {}/blob; }}", storage.url()))
        .start();
    let context = context(|o| o.credentials = basic("user", "canary-secret"));
    let host = front.url().replace("https://", "");
    let at = |name: &str| Repository::at(&host, name, &context).unwrap();
    // nginx answers `return` before it asks for a password; the files that follow are behind it.
    assert_eq!(pintle::source::oci::versions(&at("charts/app")).await.unwrap(), ["1.5.0", "1.0.0", "0.1.0"]);
    assert!(at("charts/loop").tags().await.unwrap_err().to_string().contains("lies elsewhere"));
    let blob = b"blob".to_vec();
    fs::write(storage.root.join("blob"), &blob).unwrap();
    let digest = pintle::source::Digest::of(&blob);
    let repository = Repository::new(
        &OciRef { registry: host.clone(), repository: "charts/app".into(), ..OciRef::default() },
        &context,
    )
    .unwrap();
    let _ = repository.ping().await;
    assert_eq!(repository.blob(&digest, 4, 100).await.unwrap(), blob);
    let seen = storage.requests_once(1);
    assert!(seen.iter().all(|r| r.authorization.is_empty()), "{seen:?}");
    assert!(front.requests().iter().any(|r| !r.authorization.is_empty()));
}
