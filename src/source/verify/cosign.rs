//! cosign's signatures of artifacts in a registry.
//!
//! They lie beside the artifact: in the classic form under the tag `sha256-….sig`, as a payload that names the manifest's digest with a
//! signature in an annotation; in the bundle form (cosign 3's own) as an artifact that refers to the manifest. By key a signature counts if
//! one of the given keys made it; with a trust root its entry in the transparency log is checked too. Keyless it counts if the certificate
//! leads to the trust root, was valid when the log saw it, and names an issuer and a subject that are asked for.
//! Source: cosign `specs/SIGNATURE_SPEC.md` and `specs/BUNDLE_SPEC.md`, in-toto's statement, DSSE.

use aws_lc_rs::signature::{self, VerificationAlgorithm};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::Digest as _;
use sigstore_verify::trust_root::TrustedRoot;
use sigstore_verify::types::{Bundle, DerPublicKey};
use sigstore_verify::{PublicKeyVerificationPolicy, VerificationPolicy, Verifier};

use crate::source::oci::Repository;
use crate::source::oci::manifest::{self, Any, Descriptor, Manifest};
use crate::source::{Digest, Reason, SourceError, Verification, Verify};

const SIMPLE_SIGNING: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
const BUNDLE: &str = "application/vnd.dev.sigstore.bundle";
/// The most bytes of one signature, and the most signatures that are looked at.
const MAX_SIGNATURE: u64 = 1 << 20;
const MAX_SIGNATURES: usize = 100;

/// What must hold, ready to use.
struct Policy {
    keys: Vec<Vec<u8>>,
    /// Issuer and subject.
    identities: Vec<(regex::Regex, regex::Regex)>,
    root: Option<TrustedRoot>,
}

impl Policy {
    fn new(policy: &Verify) -> Result<Self, String> {
        let keys: Vec<_> = policy.cosign_keys.iter().map(|pem| der(pem)).collect::<Result<_, _>>()?;
        let whole = |text: &str| {
            regex::Regex::new(&format!("^(?:{text})$")).map_err(|_| format!("{text:?} is no regular expression"))
        };
        let mut identities = Vec::new();
        for (issuer, subject) in &policy.cosign_identities {
            identities.push((whole(issuer)?, whole(subject)?));
        }
        let root = match &policy.trusted_root {
            Some(json) => {
                let text = std::str::from_utf8(json).map_err(|_| "the trust root is not UTF-8".to_string())?;
                Some(TrustedRoot::from_json(text).map_err(|e| format!("the trust root can't be used: {e}"))?)
            }
            None => None,
        };
        if !identities.is_empty() && root.is_none() {
            return Err("keyless signatures need a trust root: give sigstore's trusted_root.json".into());
        }
        if keys.is_empty() && identities.is_empty() {
            return Err("no cosign key and no identity is given that may have signed".into());
        }
        Ok(Self { keys, identities, root })
    }
}

/// The DER bytes of a PEM public key.
fn der(pem: &[u8]) -> Result<Vec<u8>, String> {
    let text = String::from_utf8_lossy(pem);
    let body: String = text
        .lines()
        .map(str::trim)
        .skip_while(|l| *l != "-----BEGIN PUBLIC KEY-----")
        .skip(1)
        .take_while(|l| !l.starts_with("-----END"))
        .collect();
    STANDARD.decode(body).ok().filter(|d| !d.is_empty()).ok_or_else(|| "a cosign key is no PEM public key".to_string())
}

/// Finds a signature of a manifest that the policy accepts.
///
/// # Errors
/// [`Reason::Unverified`], with what was found in its place; and those of the network.
pub async fn verify(
    repository: &Repository,
    digest: &Digest,
    policy: &Verify,
) -> Result<Vec<Verification>, SourceError> {
    let place = format!("{}@{digest}", repository.place());
    let refuse = |why: String| SourceError::new(Reason::Unverified, &place, why);
    let policy = Policy::new(policy).map_err(&refuse)?;
    let mut why = Vec::new();
    for layer in classic(repository, digest, &place).await? {
        let payload = repository.blob(&layer.digest, layer.size, MAX_SIGNATURE).await?;
        match simple(&payload, &layer, digest, &policy) {
            Ok(found) => return Ok(vec![found]),
            Err(e) => why.push(e),
        }
    }
    for layer in bundles(repository, digest, &place).await? {
        let bundle = repository.blob(&layer.digest, layer.size, MAX_SIGNATURE).await?;
        let artifact = repository.manifest(&digest.to_string()).await?;
        match by_bundle(&artifact, &bundle, &policy) {
            Ok(found) => return Ok(vec![found]),
            Err(e) => why.push(e),
        }
    }
    why.sort();
    why.dedup();
    let why = if why.is_empty() { "no signature was found".to_string() } else { why.join("; ") };
    Err(refuse(format!("no matching signatures: {why}")))
}

/// What a tag points to, if it exists.
async fn tagged(repository: &Repository, tag: &str, place: &str) -> Result<Option<Any>, SourceError> {
    match repository.manifest(tag).await {
        Ok(bytes) => manifest::parse(&bytes, place).map(Some),
        Err(e) if e.reason == Reason::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

async fn classic(repository: &Repository, digest: &Digest, place: &str) -> Result<Vec<Descriptor>, SourceError> {
    let tag = format!("{}-{}.sig", digest.algorithm(), digest.hex());
    let Some(Any::Manifest(m)) = tagged(repository, &tag, place).await? else { return Ok(Vec::new()) };
    Ok(m.layers.into_iter().filter(|l| l.media_type == SIMPLE_SIGNING).take(MAX_SIGNATURES).collect())
}

/// The bundles that refer to a manifest, by the registry's own list or by the tag that stands in for it.
async fn bundles(repository: &Repository, digest: &Digest, place: &str) -> Result<Vec<Descriptor>, SourceError> {
    let index = match repository.referrers(digest).await? {
        Some(bytes) => Some(manifest::parse(&bytes, place)?),
        None => tagged(repository, &format!("{}-{}", digest.algorithm(), digest.hex()), place).await?,
    };
    let Some(Any::Index(index)) = index else { return Ok(Vec::new()) };
    let mut out = Vec::new();
    for entry in index.manifests.iter().filter(|m| m.artifact_type.starts_with(BUNDLE)).take(MAX_SIGNATURES) {
        let bytes = repository.manifest(&entry.digest.to_string()).await?;
        if let Any::Manifest(Manifest { layers, .. }) = manifest::parse(&bytes, place)? {
            out.extend(layers.into_iter().filter(|l| l.media_type.starts_with(BUNDLE)));
        }
    }
    Ok(out)
}

/// The classic form: the payload must name the digest, and the signature be of the payload.
fn simple(payload: &[u8], layer: &Descriptor, digest: &Digest, policy: &Policy) -> Result<Verification, String> {
    let annotation = |name: &str| layer.annotations.get(name).filter(|a| !a.is_empty());
    let named = serde_json::from_slice::<Value>(payload).map_err(|_| "a signature's payload is no JSON".to_string())?;
    let named = named.pointer("/critical/image/docker-manifest-digest").and_then(Value::as_str);
    if named != Some(digest.to_string().as_str()) {
        return Err("a signature is for another digest".into());
    }
    let text = annotation("dev.cosignproject.cosign/signature").ok_or("a signature has no signature annotation")?;
    let signature = STANDARD.decode(text.trim()).map_err(|_| "a signature is no base64".to_string())?;
    let certificate = annotation("dev.sigstore.cosign/certificate");
    let log = annotation("dev.sigstore.cosign/bundle");
    if !policy.keys.is_empty() {
        let found = policy.keys.iter().find(|key| signed(key, payload, &signature));
        if let Some(key) = found {
            if policy.root.is_some() {
                let material = json!({"publicKey": {"hint": ""}});
                let bundle = as_bundle(payload, text, material, log.ok_or("a signature has no entry of the log")?)?;
                check(payload, &bundle, policy, Some(key))?;
            }
            return Ok(by_key(key));
        }
    }
    if policy.identities.is_empty() {
        return Err("a signature is of none of the given keys".into());
    }
    let (certificate, log) = certificate.zip(log).ok_or("a signature has no certificate, or no entry of the log")?;
    let body: String = certificate.lines().filter(|l| !l.starts_with("-----")).collect();
    let material = json!({"x509CertificateChain": {"certificates": [{"rawBytes": body}]}});
    check(payload, &as_bundle(payload, text, material, log)?, policy, None)
}

/// A classic signature with its log entry in the form of a bundle, so that there is one way to check both.
fn as_bundle(payload: &[u8], signature: &str, material: Value, log: &str) -> Result<Bundle, String> {
    let broken = || "a signature's log entry is not understood".to_string();
    let log: Value = serde_json::from_str(log).map_err(|_| broken())?;
    let entry = log.get("Payload").ok_or_else(broken)?;
    let id = entry.get("logID").and_then(Value::as_str).ok_or_else(broken)?;
    let id = data_encoding::HEXLOWER_PERMISSIVE.decode(id.as_bytes()).map_err(|_| broken())?;
    let body = entry.get("body").and_then(Value::as_str).ok_or_else(broken)?;
    let decoded: Value = STANDARD.decode(body).ok().and_then(|b| serde_json::from_slice(&b).ok()).ok_or_else(broken)?;
    let mut material = material;
    if let Value::Object(map) = &mut material {
        let number = |name: &str| entry.get(name).and_then(Value::as_u64).map(|n| n.to_string()).unwrap_or_default();
        let entry = json!({
            "logIndex": number("logIndex"),
            "logId": {"keyId": STANDARD.encode(id)},
            "kindVersion": {"kind": decoded.get("kind"), "version": decoded.get("apiVersion")},
            "integratedTime": number("integratedTime"),
            "inclusionPromise": {"signedEntryTimestamp": log.get("SignedEntryTimestamp")},
            "canonicalizedBody": body,
        });
        map.insert("tlogEntries".into(), json!([entry]));
    }
    let bundle = json!({
        "mediaType": "application/vnd.dev.sigstore.bundle+json;version=0.1",
        "verificationMaterial": material,
        "messageSignature": {
            "messageDigest": {"algorithm": "SHA2_256", "digest": STANDARD.encode(sha2::Sha256::digest(payload))},
            "signature": signature.trim(),
        },
    });
    Bundle::from_json(&bundle.to_string()).map_err(|e| format!("a signature is not understood: {e}"))
}

/// The bundle form: of the artifact's own bytes, or of a statement that names its digest.
fn by_bundle(artifact: &[u8], bundle: &[u8], policy: &Policy) -> Result<Verification, String> {
    let text = std::str::from_utf8(bundle).map_err(|_| "a bundle is not UTF-8".to_string())?;
    let value: Value = serde_json::from_str(text).map_err(|_| "a bundle is no JSON".to_string())?;
    says_signed(&value)?;
    let keyed = value.pointer("/verificationMaterial/publicKey").is_some();
    if keyed && !policy.keys.is_empty() {
        let key = by_envelope(artifact, &value, &policy.keys)?;
        if policy.root.is_some() {
            let bundle = Bundle::from_json(text).map_err(|e| format!("a bundle is not understood: {e}"))?;
            check(artifact, &bundle, policy, Some(key))?;
        }
        return Ok(by_key(key));
    }
    if keyed || policy.identities.is_empty() {
        return Err(if keyed {
            "a bundle is signed by a key, not by an identity"
        } else {
            "a bundle is of none of the given keys"
        }
        .into());
    }
    let bundle = Bundle::from_json(text).map_err(|e| format!("a bundle is not understood: {e}"))?;
    check(artifact, &bundle, policy, None)
}

/// Of what a statement may say about an artifact only cosign's own word means that it is signed; an attestation says something else.
fn says_signed(bundle: &Value) -> Result<(), String> {
    let Some(payload) = bundle.pointer("/dsseEnvelope/payload").and_then(Value::as_str) else { return Ok(()) };
    let statement = STANDARD.decode(payload).ok().and_then(|p| serde_json::from_slice::<Value>(&p).ok());
    let statement = statement.ok_or("a bundle's statement is no JSON")?;
    match statement.get("predicateType").and_then(Value::as_str).unwrap_or_default() {
        "https://sigstore.dev/cosign/sign/v1" => Ok(()),
        kind => Err(format!("a bundle is an attestation of the kind {kind:?}, not a signature")),
    }
}

/// Which key signed a bundle's envelope or message.
fn by_envelope<'k>(artifact: &[u8], bundle: &Value, keys: &'k [Vec<u8>]) -> Result<&'k [u8], String> {
    let bytes = |v: Option<&Value>| v.and_then(Value::as_str).and_then(|s| STANDARD.decode(s).ok());
    let none = || "a bundle is of none of the given keys".to_string();
    if let Some(message) = bundle.get("messageSignature") {
        let signature = bytes(message.get("signature")).ok_or("a bundle has no signature")?;
        return keys.iter().find(|k| signed(k, artifact, &signature)).map(Vec::as_slice).ok_or_else(none);
    }
    let envelope = bundle.get("dsseEnvelope").ok_or("a bundle has no signature")?;
    let payload = bytes(envelope.get("payload")).ok_or("a bundle's envelope has no payload")?;
    let kind = envelope.get("payloadType").and_then(Value::as_str).unwrap_or_default();
    let signature = bytes(envelope.pointer("/signatures/0/sig")).ok_or("a bundle's envelope has no signature")?;
    let statement: Value =
        serde_json::from_slice(&payload).map_err(|_| "a bundle's statement is no JSON".to_string())?;
    let digest = Digest::of(artifact);
    let subjects = statement.get("subject").and_then(Value::as_array);
    let named = subjects.is_some_and(|all| {
        all.iter().any(|s| s.pointer("/digest/sha256").and_then(Value::as_str) == Some(digest.hex()))
    });
    if kind != "application/vnd.in-toto+json" || !named {
        return Err("a bundle is for another digest".into());
    }
    let mut message = format!("DSSEv1 {} {kind} {} ", kind.len(), payload.len()).into_bytes();
    message.extend_from_slice(&payload);
    keys.iter().find(|k| signed(k, &message, &signature)).map(Vec::as_slice).ok_or_else(none)
}

/// Checks a bundle against the trust root; without a key also the identity.
fn check(artifact: &[u8], bundle: &Bundle, policy: &Policy, key: Option<&[u8]>) -> Result<Verification, String> {
    let root = policy.root.as_ref().ok_or("there is no trust root")?;
    let verifier = Verifier::new(root).map_err(|e| format!("the trust root can't be used: {e}"))?;
    if let Some(key) = key {
        let rule = PublicKeyVerificationPolicy::new(DerPublicKey::from_bytes(key));
        verifier.verify(artifact, bundle, &rule).map_err(|e| format!("a signature does not hold: {e}"))?;
        return Ok(by_key(key));
    }
    let result = verifier
        .verify(artifact, bundle, &VerificationPolicy::any_identity())
        .map_err(|e| format!("a signature does not hold: {e}"))?;
    let issuer = result.issuer().unwrap_or_default();
    let subject = result.identity().map(|i| i.as_str()).unwrap_or_default();
    if !policy.identities.iter().any(|(i, s)| i.is_match(issuer) && s.is_match(subject)) {
        return Err(format!("signed by {subject:?} of {issuer:?}, which is not asked for"));
    }
    Ok(Verification { method: "cosign-keyless".into(), by: subject.to_string(), key: issuer.to_string() })
}

/// Checks a sigstore bundle of some bytes, whatever it says of them, by the first key of the policy or by its identities, against its trust
/// root.
///
/// # Errors
/// What does not hold.
pub fn verify_bundle(artifact: &[u8], bundle: &[u8], policy: &Verify) -> Result<Verification, String> {
    let policy = Policy::new(policy)?;
    let text = std::str::from_utf8(bundle).map_err(|_| "a bundle is not UTF-8".to_string())?;
    let bundle = Bundle::from_json(text).map_err(|e| format!("a bundle is not understood: {e}"))?;
    check(artifact, &bundle, &policy, policy.keys.first().map(Vec::as_slice))
}

fn by_key(key: &[u8]) -> Verification {
    let print = Digest::of(key);
    Verification {
        method: "cosign-key".into(),
        by: format!("key {}", print.hex().get(..16).unwrap_or_default()),
        key: print.to_string(),
    }
}

/// Whether a key made a signature: ECDSA with the hash of its curve (or SHA-256, as cosign has it), Ed25519, RSA.
fn signed(key: &[u8], message: &[u8], sig: &[u8]) -> bool {
    let methods: [&dyn VerificationAlgorithm; 7] = [
        &signature::ECDSA_P256_SHA256_ASN1,
        &signature::ECDSA_P384_SHA384_ASN1,
        &signature::ECDSA_P384_SHA256_ASN1,
        &signature::ECDSA_P521_SHA512_ASN1,
        &signature::ED25519,
        &signature::RSA_PKCS1_2048_8192_SHA256,
        &signature::RSA_PSS_2048_8192_SHA256,
    ];
    methods.iter().any(|m| verifies(*m, key, message, sig))
}

fn verifies(method: &dyn VerificationAlgorithm, key: &[u8], message: &[u8], sig: &[u8]) -> bool {
    method.verify_sig(key, message, sig).is_ok()
}
