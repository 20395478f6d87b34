//! Signatures that the real cosign makes by key: the bundle that refers to the manifest, and the classic tag.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use pintle::source::oci::{Repository, push};
use pintle::source::{Context, Reason};

use crate::servers::registry::{Options as Server, Registry};
use crate::servers::{folder, peer, tls};
use crate::setup::{context, fetch, package};

/// cosign with a key pair of its own.
struct Cosign {
    home: PathBuf,
}

impl Cosign {
    fn new() -> Self {
        let this = Self { home: folder("cosign-program") };
        this.must(&["generate-key-pair"]);
        this
    }

    fn public(&self) -> Vec<u8> {
        fs::read(self.home.join("cosign.pub")).unwrap()
    }

    fn run(&self, words: &[&str]) -> Output {
        Command::new(peer("cosign").join("cosign"))
            .args(words)
            .current_dir(&self.home)
            .env("COSIGN_PASSWORD", "")
            .env("HOME", &self.home)
            .env("SSL_CERT_FILE", &tls::authority().ca)
            .output()
            .unwrap()
    }

    fn must(&self, words: &[&str]) {
        let out = self.run(words);
        assert!(out.status.success(), "cosign {words:?}: {}", String::from_utf8_lossy(&out.stderr));
    }

    /// Signs what a reference names; no log on the net is told.
    fn sign(&self, reference: &str, bundle: bool) {
        let bundle = format!("--new-bundle-format={bundle}");
        self.must(&[
            "sign",
            "--yes",
            "--key=cosign.key",
            "--tlog-upload=false",
            "--use-signing-config=false",
            &bundle,
            reference,
        ]);
    }

    fn verifies(&self, reference: &str, bundle: bool) -> bool {
        let bundle = format!("--new-bundle-format={bundle}");
        let words = ["verify", "--key=cosign.pub", "--insecure-ignore-tlog=true", &bundle, reference];
        self.run(&words).status.success()
    }
}

async fn pushed(registry: &Registry, version: &str, context: &Context) -> String {
    let archive = fs::read(package("app", version)).unwrap();
    push(&archive, None, &registry.oci("charts"), "2026-01-01T00:00:00Z", context).await.unwrap().digest.to_string()
}

/// Who vouched for a chart is kept with the release, in annotations of the recorded chart.
fn recorded(reference: &str, signer: &Cosign, digest: &str) {
    let dir = folder("release");
    let pintle = |words: &[&str]| {
        let out = Command::new(env!("CARGO_BIN_EXE_pintle"))
            .args(words)
            .args(["--target", &format!("dir:{}", dir.display())])
            .env("PINTLE_CACHE_DIR", dir.join("cache"))
            .output()
            .unwrap();
        assert!(out.status.success(), "{words:?}: {}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8_lossy(&out.stdout).into_owned()
    };
    let (ca, key) = (tls::authority().ca.display().to_string(), signer.home.join("cosign.pub").display().to_string());
    let from = ["web", reference, "--ca-file", &ca, "--verify-key", &key];
    for command in ["install", "upgrade"] {
        pintle(&[&[command][..], &from].concat());
        let told: serde_json::Value = serde_json::from_str(&pintle(&["get", "metadata", "web", "-o", "json"])).unwrap();
        let annotation =
            |name: &str| told["annotations"][format!("pintle.dev/{name}")].as_str().unwrap_or_default().to_string();
        assert_eq!(annotation("source"), reference);
        assert!(annotation("revision").ends_with(digest), "{told}");
        assert!(annotation("digest").starts_with("sha256:"), "{told}");
        assert!(annotation("verified").starts_with("cosign-key "), "{told}");
        // The chart's own stay.
        assert_eq!(told["annotations"]["team"], "x");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cosign_signs_is_verified_and_nothing_else() {
    let registry = Server::default().tls().start();
    let plain = context(|_| {});
    let (signer, stranger) = (Cosign::new(), Cosign::new());
    let wants = |who: &Cosign| context(|o| o.verify.cosign_keys = vec![who.public()]);
    for (version, bundle) in [("1.0.0", true), ("2.0.0", false)] {
        let digest = pushed(&registry, version, &plain).await;
        let reference = registry.oci(&format!("charts/app:{version}"));
        let image = format!("{}/charts/app@{digest}", registry.host());
        assert_eq!(fetch(&reference, &wants(&signer)).await.unwrap_err().reason, Reason::Unverified);
        signer.sign(&image, bundle);
        // cosign itself is of our opinion.
        assert!(signer.verifies(&image, bundle), "{image}");
        let fetched = fetch(&reference, &wants(&signer)).await.unwrap_or_else(|e| panic!("bundle {bundle}: {e}"));
        assert_eq!(fetched.provenance.verifications[0].method, "cosign-key");
        recorded(&reference, &signer, &digest);
        let error = fetch(&reference, &wants(&stranger)).await.unwrap_err();
        assert_eq!(error.reason, Reason::Unverified);
        assert!(error.to_string().contains("of none of the given keys"), "{error}");
        // The tag is moved to something that nobody signed.
        let other = pushed(&registry, if bundle { "3.0.0" } else { "4.0.0" }, &plain).await;
        let repository = Repository::at(&registry.host(), "charts/app", &plain).unwrap();
        let manifest = repository.manifest(&other).await.unwrap();
        repository.push_manifest(version, pintle::source::oci::manifest::IMAGE_MANIFEST, &manifest).await.unwrap();
        assert_eq!(fetch(&reference, &wants(&signer)).await.unwrap_err().reason, Reason::Unverified);
        // By two signers, one of them is enough.
        stranger.sign(&format!("{}/charts/app@{other}", registry.host()), bundle);
        fetch(&reference, &wants(&stranger)).await.unwrap();
    }
}
