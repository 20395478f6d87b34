//! cosign's signatures by key, made with openssl in cosign's formats.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use pintle::source::oci::{Repository, manifest, push};
use pintle::source::verify::cosign::verify_bundle;
use pintle::source::{Context, Digest, Reason, Verify};

use crate::servers::registry::{Options as Server, Registry};
use crate::servers::{folder, run};
use crate::setup::{context, fetch, package};

/// A key pair: private key, public key, how openssl signs with it.
struct Key {
    private: PathBuf,
    public: Vec<u8>,
    raw: bool,
}

fn key(kind: &[&str]) -> Key {
    let dir = folder("cosign");
    let private = dir.join("key");
    run(Command::new("openssl").args(["genpkey", "-out"]).arg(&private).args(kind));
    run(Command::new("openssl").args(["pkey", "-pubout", "-in"]).arg(&private).arg("-out").arg(dir.join("pub")));
    Key { private, public: fs::read(dir.join("pub")).unwrap(), raw: kind.contains(&"ed25519") }
}

fn p256() -> Key {
    key(&["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"])
}

fn sign(key: &Key, message: &[u8]) -> String {
    let dir = folder("message");
    let (file, sig) = (dir.join("message"), dir.join("sig"));
    fs::write(&file, message).unwrap();
    if key.raw {
        run(Command::new("openssl")
            .args(["pkeyutl", "-sign", "-rawin", "-inkey"])
            .arg(&key.private)
            .arg("-in")
            .arg(&file)
            .arg("-out")
            .arg(&sig));
    } else {
        run(Command::new("openssl")
            .args(["dgst", "-sha256", "-sign"])
            .arg(&key.private)
            .arg("-out")
            .arg(&sig)
            .arg(&file));
    }
    STANDARD.encode(fs::read(sig).unwrap())
}

struct Signed {
    registry: Registry,
    context: Context,
    repository: Repository,
    digest: Digest,
}

async fn pushed() -> Signed {
    let registry = Server::default().tls().start();
    let context = context(|_| {});
    let archive = fs::read(package("app", "1.0.0")).unwrap();
    let digest = push(&archive, None, &registry.oci("charts"), "2026-01-01T00:00:00Z", &context).await.unwrap().digest;
    let repository = Repository::at(&registry.host(), "charts/app", &context).unwrap();
    Signed { registry, context, repository, digest }
}

impl Signed {
    fn reference(&self) -> String {
        self.registry.oci("charts/app:1.0.0")
    }

    /// Another context with an empty cache that wants one of these keys.
    fn wants(&self, keys: &[&Key]) -> Context {
        context(|o| o.verify.cosign_keys = keys.iter().map(|k| k.public.clone()).collect())
    }

    async fn descriptor(&self, bytes: &[u8], media_type: &str, annotations: serde_json::Value) -> serde_json::Value {
        let digest = self.repository.push_blob(bytes).await.unwrap();
        serde_json::json!({"mediaType": media_type, "size": bytes.len(), "digest": digest, "annotations": annotations})
    }

    /// `sha256-….sig` with these payloads and signatures.
    async fn classic(&self, signatures: &[(String, String)]) {
        let config = self.descriptor(b"{}", "application/vnd.oci.image.config.v1+json", serde_json::json!({})).await;
        let mut layers = Vec::new();
        for (payload, signature) in signatures {
            let annotations = serde_json::json!({"dev.cosignproject.cosign/signature": signature});
            let kind = "application/vnd.dev.cosign.simplesigning.v1+json";
            layers.push(self.descriptor(payload.as_bytes(), kind, annotations).await);
        }
        let text = serde_json::json!({"schemaVersion": 2, "mediaType": manifest::IMAGE_MANIFEST, "config": config, "layers": layers});
        let tag = format!("sha256-{}.sig", self.digest.hex());
        self.repository.push_manifest(&tag, manifest::IMAGE_MANIFEST, text.to_string().as_bytes()).await.unwrap();
    }

    /// A bundle that refers to the manifest, by the tag that stands in for the list of referrers.
    async fn bundle(&self, bundle: &serde_json::Value) {
        const KIND: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
        let config = self.descriptor(b"{}", "application/vnd.oci.empty.v1+json", serde_json::json!({})).await;
        let layer = self.descriptor(bundle.to_string().as_bytes(), KIND, serde_json::json!({})).await;
        let text = serde_json::json!({
            "schemaVersion": 2, "mediaType": manifest::IMAGE_MANIFEST, "artifactType": KIND, "config": config, "layers": [layer],
            "subject": {"mediaType": manifest::IMAGE_MANIFEST, "digest": self.digest, "size": 1},
        })
        .to_string();
        let digest = self.repository.push_manifest("bundle", manifest::IMAGE_MANIFEST, text.as_bytes()).await.unwrap();
        let index = serde_json::json!({
            "schemaVersion": 2, "mediaType": manifest::IMAGE_INDEX,
            "manifests": [{"mediaType": manifest::IMAGE_MANIFEST, "digest": digest, "size": text.len(), "artifactType": KIND}],
        });
        let tag = format!("sha256-{}", self.digest.hex());
        self.repository.push_manifest(&tag, manifest::IMAGE_INDEX, index.to_string().as_bytes()).await.unwrap();
    }
}

fn payload(digest: &Digest) -> String {
    format!(
        "{{\"critical\":{{\"identity\":{{\"docker-reference\":\"\"}},\"image\":{{\"docker-manifest-digest\":\"{digest}\"}},\
         \"type\":\"cosign container image signature\"}},\"optional\":null}}"
    )
}

#[tokio::test]
async fn classic_signatures_by_every_kind_of_key() {
    let s = pushed().await;
    let error = fetch(&s.reference(), &s.wants(&[&p256()])).await.unwrap_err();
    assert_eq!(error.reason, Reason::Unverified);
    assert!(error.to_string().contains("no signature was found"), "{error}");
    let other = p256();
    for kind in [
        vec!["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
        vec!["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"],
        vec!["-algorithm", "ed25519"],
        vec!["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
    ] {
        let key = key(&kind);
        let text = payload(&s.digest);
        s.classic(&[(text.clone(), sign(&other, text.as_bytes())), (text.clone(), sign(&key, text.as_bytes()))]).await;
        let context = s.wants(&[&key]);
        for cached in [false, true] {
            let fetched = fetch(&s.reference(), &context).await.unwrap_or_else(|e| panic!("{kind:?}: {e}"));
            assert_eq!(fetched.cached, cached);
            assert_eq!(fetched.provenance.verifications[0].method, "cosign-key");
        }
        let stranger = p256();
        let error = fetch(&s.reference(), &s.wants(&[&stranger])).await.unwrap_err();
        assert!(error.to_string().contains("of none of the given keys"), "{error}");
    }
    // Content that was there before somebody asked for a signature is checked too.
    fetch(&s.reference(), &s.context).await.unwrap();
    let asked = s.context.with(pintle::source::Options {
        verify: Verify { cosign_keys: vec![p256().public], ..Verify::default() },
        ..(*s.context.options).clone()
    });
    assert_eq!(fetch(&s.reference(), &asked).await.unwrap_err().reason, Reason::Unverified);
}

#[tokio::test]
async fn a_signature_of_something_else_counts_for_nothing() {
    let s = pushed().await;
    let key = p256();
    let foreign = payload(&Digest::of(b"something else"));
    let own = payload(&s.digest);
    for (text, signature, want) in [
        (foreign.clone(), sign(&key, foreign.as_bytes()), "a signature is for another digest"),
        (own.clone(), sign(&key, foreign.as_bytes()), "of none of the given keys"),
        (own.clone(), "!!".into(), "no base64"),
        (own.clone(), String::new(), "no signature annotation"),
        ("{}".into(), sign(&key, b"{}"), "for another digest"),
        ("x".into(), sign(&key, b"x"), "no JSON"),
    ] {
        s.classic(&[(text, signature)]).await;
        let error = fetch(&s.reference(), &s.wants(&[&key])).await.unwrap_err().to_string();
        assert!(error.contains(want), "{error}");
    }
}

fn envelope(key: &Key, digest: &Digest, predicate: &str) -> serde_json::Value {
    let statement = serde_json::json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"digest": {"sha256": digest.hex()}}],
        "predicateType": predicate, "predicate": {},
    })
    .to_string();
    let kind = "application/vnd.in-toto+json";
    let message = format!("DSSEv1 {} {kind} {} {statement}", kind.len(), statement.len());
    serde_json::json!({
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": {"publicKey": {"hint": "x"}},
        "dsseEnvelope": {"payload": STANDARD.encode(&statement), "payloadType": kind, "signatures": [{"sig": sign(key, message.as_bytes())}]},
    })
}

#[tokio::test]
async fn bundles_by_key() {
    const SIGN: &str = "https://sigstore.dev/cosign/sign/v1";
    let s = pushed().await;
    let key = p256();
    let bytes = s.repository.manifest(&s.digest.to_string()).await.unwrap();
    let plain = serde_json::json!({
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": {"publicKey": {"hint": "x"}},
        "messageSignature": {"messageDigest": {"algorithm": "SHA2_256", "digest": ""}, "signature": sign(&key, &bytes)},
    });
    for bundle in [envelope(&key, &s.digest, SIGN), plain] {
        s.bundle(&bundle).await;
        let fetched = fetch(&s.reference(), &s.wants(&[&p256(), &key])).await.unwrap();
        assert_eq!(fetched.provenance.verifications[0].method, "cosign-key");
        assert!(fetch(&s.reference(), &s.wants(&[&p256()])).await.is_err());
    }
    for (bundle, want) in [
        (envelope(&key, &Digest::of(b"x"), SIGN), "for another digest"),
        (envelope(&key, &s.digest, "https://slsa.dev/provenance/v1"), "is an attestation"),
        (serde_json::json!({}), "of none of the given keys"),
    ] {
        s.bundle(&bundle).await;
        let error = fetch(&s.reference(), &s.wants(&[&key])).await.unwrap_err().to_string();
        assert!(error.contains(want), "{error}");
    }
    // With a trust root the log must have seen it.
    s.bundle(&envelope(&key, &s.digest, SIGN)).await;
    let strict = context(|o| {
        o.verify.cosign_keys = vec![key.public.clone()];
        o.verify.trusted_root = Some(fs::read(fixtures().join("trusted_root.json")).unwrap());
    });
    let error = fetch(&s.reference(), &strict).await.unwrap_err().to_string();
    assert!(error.contains("does not hold") || error.contains("not understood"), "{error}");
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/source/sigstore")
}

#[test]
fn keyless_against_a_trust_root() {
    let read = |name: &str| fs::read(fixtures().join(name)).unwrap();
    let (artifact, bundle, root) = (read("keyless.artifact"), read("keyless.sigstore.json"), read("trusted_root.json"));
    let issuer = "https://token.actions.githubusercontent.com";
    let subject = "https://github.com/prefix-dev/sigstore-example/.github/workflows/action.yaml@refs/heads/main";
    let policy = |issuer: &str, subject: &str| Verify {
        cosign_identities: vec![("https://nobody".into(), "nobody".into()), (issuer.into(), subject.into())],
        trusted_root: Some(root.clone()),
        ..Verify::default()
    };
    let exact = regex::escape(subject);
    let found = verify_bundle(&artifact, &bundle, &policy(&regex::escape(issuer), &exact)).unwrap();
    assert_eq!((found.method.as_str(), found.by.as_str(), found.key.as_str()), ("cosign-keyless", subject, issuer));
    assert!(verify_bundle(&artifact, &bundle, &policy("https://.*", ".*")).is_ok());
    let mut changed = artifact.clone();
    changed.push(b'x');
    // Only the whole text counts, so that `me@example.com` is not `me@example.com.evil`.
    let part = &exact[..exact.len() - 1];
    let mut rootless = policy(".*", ".*");
    rootless.trusted_root = None;
    for (bytes, policy, want) in [
        (&changed, policy(".*", ".*"), "does not hold"),
        (&artifact, policy(".*", part), "which is not asked for"),
        (&artifact, policy("https://other", ".*"), "which is not asked for"),
        (&artifact, rootless, "need a trust root"),
        (&artifact, policy("(", ".*"), "no regular expression"),
    ] {
        let error = verify_bundle(bytes, &bundle, &policy).unwrap_err();
        assert!(error.contains(want), "{error}");
    }
    let broken = String::from_utf8(root.clone()).unwrap().replace("\"tlogs\"", "\"other\"").into_bytes();
    let no_log = Verify { trusted_root: Some(broken), ..policy(".*", ".*") };
    assert!(verify_bundle(&artifact, &bundle, &no_log).is_err(), "a log that the root does not know proves nothing");
}

#[test]
fn a_key_whose_use_the_log_has_seen() {
    let read = |name: &str| fs::read(fixtures().join(name)).unwrap();
    let policy = |key: Vec<u8>| Verify {
        cosign_keys: vec![key],
        trusted_root: Some(read("trusted_root.json")),
        ..Verify::default()
    };
    let (artifact, bundle) = (read("key.artifact"), read("key.sigstore.json"));
    assert_eq!(verify_bundle(&artifact, &bundle, &policy(read("key.pub"))).unwrap().method, "cosign-key");
    assert!(verify_bundle(&artifact, &bundle, &policy(p256().public)).is_err());
    assert!(verify_bundle(b"x", &bundle, &policy(read("key.pub"))).is_err());
}
