//! OCIRepository: one layer of an artifact in a registry, unpacked and packed anew or as it is.
//!
//! Source: source-controller 1.9 `internal/controller/ocirepository_controller.go`.

use serde_json::json;

use crate::api::OciRepositorySpec;
use crate::api::oci_repository::OciReference;
use crate::golang::regexp::Regexp;
use crate::golang::semver::Version;
use crate::golang::semver_constraint::Constraint;
use crate::source::oci::manifest::{Any, Manifest, parse};
use crate::source::oci::{Repository, version_of};
use crate::source::{self, Context, Digest, OciRef};

use super::archive;
use super::helm_repository::host;
use super::ignore::{self, Rules};
use super::manager::World;
use super::object::{Fault, Found, Subject, timeout};
use super::store::{Store, Stored};

const PULL: &str = "OCIArtifactPullFailed";
const LAYER: &str = "OCIArtifactLayerOperationFailed";
/// The most that a layer may unpack to, in bytes.
const MAX_UNPACKED: u64 = 256 << 20;

/// Options of a registry with the keys that must have signed.
async fn context(world: &World, subject: &Subject, spec: &OciRepositorySpec) -> Result<Context, Fault> {
    if spec.proxy_secret_ref.is_some() {
        return Err(
            Fault::fetch(PULL, "not supported: spec.proxySecretRef: use the controller's proxy variables").for_good()
        );
    }
    if !matches!(spec.provider.as_str(), "" | "generic") {
        return Err(Fault::fetch(PULL, "not supported: spec.provider: only 'generic' is supported").for_good());
    }
    let namespace = subject.namespace();
    let mut options = (*world.context.options).clone();
    options.deadline = timeout(spec.timeout.as_ref());
    options.plain_http = spec.insecure;
    if let Some(secret) = world.secret(subject.namespace(), spec.secret_ref.as_ref()).await? {
        options.credentials = secret.registry(host(&spec.url))?;
    }
    if let Some(secret) = world.secret(subject.namespace(), spec.cert_secret_ref.as_ref()).await? {
        secret.tls(&mut options.tls)?;
    }
    if let Some(verify) = &spec.verify {
        let signers =
            world.signers(namespace, &verify.provider, verify.secret_ref.as_ref(), &verify.match_oidc_identity);
        options.verify = signers.await.map_err(|why| why.of(Fault::fetch, "VerificationError"))?;
        if let Some(root) = world.secret(subject.namespace(), verify.trusted_root_secret_ref.as_ref()).await? {
            options.verify.trusted_root = root.bytes("trusted_root.json").cloned();
        }
    }
    Ok(world.context.with(options))
}

/// The tag that is meant; none with a digest.
async fn tag(repository: &Repository, reference: &OciReference) -> Result<Option<String>, Fault> {
    let failed = |why: String| {
        Fault::fetch(PULL, format!("failed to determine the artifact tag for '{}': {why}", repository.place()))
    };
    if !reference.digest.is_empty() {
        return Ok(None);
    }
    if reference.semver.is_empty() {
        return Ok(Some(if reference.tag.is_empty() { "latest".into() } else { reference.tag.clone() }));
    }
    let range = Constraint::new(&reference.semver)
        .map_err(|e| failed(format!("semver '{}' parse error: {e}", reference.semver)).for_good())?;
    let filter = Regexp::new(&reference.semver_filter).map_err(|e| failed(format!("semverFilter: {e}")).for_good())?;
    let tags = repository.tags().await.map_err(|e| failed(e.to_string()))?;
    let best = tags
        .into_iter()
        .filter(|t| filter.is_match(t.as_bytes()))
        .filter_map(|t| Version::new(version_of(&t)).ok().map(|v| (v, t)))
        .filter(|(v, _)| range.check(v))
        .max_by(|(a, _), (b, _)| a.compare(b));
    best.map(|(_, t)| Some(t)).ok_or_else(|| failed(format!("no match found for semver: {}", reference.semver)))
}

pub async fn fetch(world: &World, subject: &Subject) -> Result<Found, Fault> {
    let spec: OciRepositorySpec = subject.spec()?;
    let context = context(world, subject, &spec).await?;
    let name = spec.url.strip_prefix("oci://").unwrap_or(&spec.url);
    let Some((registry, path)) = name.split_once('/') else {
        return Err(Fault::fetch("URLInvalid", format!("URL {:?} names no repository", spec.url)).for_good());
    };
    let failed = |e: &source::SourceError| Fault::of(PULL, "failed to determine artifact digest", e);
    let reference = OciRef { registry: registry.into(), repository: path.into(), ..OciRef::default() };
    let repository = Repository::new(&reference, &context).map_err(|e| failed(&e).for_good())?;
    let wanted = spec.reference.clone().unwrap_or_default();
    let tag = tag(&repository, &wanted).await?;
    let digest: Digest = match &tag {
        Some(tag) => repository.head(tag).await.map_err(|e| failed(&e))?,
        None => wanted.digest.parse().map_err(|e: String| Fault::fetch(PULL, e).for_good())?,
    };
    let revision = tag.as_ref().map_or_else(|| digest.to_string(), |t| format!("{t}@{digest}"));
    let mut found = Found {
        reason: "Succeeded",
        message: format!("stored artifact for digest '{revision}'"),
        fields: vec![("observedIgnore", json!(spec.ignore)), ("observedLayerSelector", json!(spec.layer_selector))],
        ..Found::default()
    };
    // Signatures can be looked at again without the content.
    if context.options.verify.signatures() {
        let by = source::verify::cosign::verify(&repository, &digest, &context.options.verify).await;
        let by = by.map_err(|e| {
            Fault::fetch("VerificationError", format!("failed to verify the signature using provider 'cosign': {e}"))
        })?;
        let by: Vec<String> = by.into_iter().map(|v| format!("{} ({})", v.by, v.method)).collect();
        found.verified = Some(format!("verified signature of revision {revision}: {}", by.join(", ")));
    }
    if let Some(artifact) = subject.current(&revision) {
        found.artifact = Some(artifact);
        return Ok(found);
    }
    let manifest = manifest(&repository, &digest).await?;
    let selector = spec.layer_selector.clone().unwrap_or_default();
    let layer = match selector.media_type.as_str() {
        "" => manifest.layers.first().ok_or_else(|| "no layers found in artifact".to_owned()),
        kind => manifest
            .layers
            .iter()
            .find(|l| l.media_type == kind)
            .ok_or_else(|| format!("failed to find layer with media type '{kind}' in artifact")),
    };
    let layer = layer.map_err(|e| Fault::fetch(LAYER, e))?;
    let pulled = repository.blob(&layer.digest, layer.size, context.options.max_artifact).await;
    let bytes = pulled.map_err(|e| Fault::of(PULL, &format!("failed to pull artifact from '{}'", spec.url), &e))?;
    let key = &subject.key;
    let path = Store::path(&key.kind, &key.namespace, &key.name, &format!("{}.tar.gz", digest.hex()));
    let store = world.store.clone();
    let at = path.clone();
    let stored = tokio::task::spawn_blocking(move || {
        let stored = match selector.operation.as_str() {
            "copy" => store.put(&at, &bytes).map_err(|e| Fault::disk(&e)),
            _ => repack(&store, &at, &bytes, spec.ignore.as_deref()),
        };
        let _ = store.link(&at, "latest.tar.gz");
        stored
    });
    let stored = stored.await.map_err(|e| Fault::fetch(LAYER, e.to_string()))??;
    found.url = Some(world.store.url(&format!("{}/latest.tar.gz", path.rsplit_once('/').map_or("", |(d, _)| d))));
    found.artifact = Some(subject.artifact_of(world, &path, &revision, &stored, manifest.annotations));
    Ok(found)
}

/// The manifest of a digest; of an index, the first that can be read.
async fn manifest(repository: &Repository, digest: &Digest) -> Result<Manifest, Fault> {
    let failed = |e: &source::SourceError| Fault::of(PULL, "failed to pull artifact", e);
    let read = async |digest: &Digest| {
        let bytes = repository.manifest(&digest.to_string()).await?;
        digest.check(&bytes, &repository.place())?;
        parse(&bytes, &repository.place())
    };
    match read(digest).await.map_err(|e| failed(&e))? {
        Any::Manifest(manifest) => Ok(manifest),
        Any::Index(index) => {
            let first = index.candidates().first().map(|d| d.digest.clone());
            let first = first.ok_or_else(|| Fault::fetch(PULL, "the image index names no manifest"))?;
            match read(&first).await.map_err(|e| failed(&e))? {
                Any::Manifest(manifest) => Ok(manifest),
                Any::Index(_) => Err(Fault::fetch(PULL, "an image index within an image index")),
            }
        }
    }
}

/// Packs the files of a gzipped tar anew, without what is ignored.
fn repack(store: &Store, path: &str, bytes: &[u8], spec: Option<&str>) -> Result<Stored, Fault> {
    let bad = |why: String| Fault::fetch(LAYER, format!("failed to extract layer contents from artifact: {why}"));
    let mut files = unpack(bytes).map_err(bad)?;
    let ignored = files.iter().filter(|(name, _)| name == ignore::FILE || name.ends_with("/.sourceignore"));
    let patterns: Vec<(String, String)> = ignored
        .map(|(name, data)| {
            let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
            (folder.to_owned(), String::from_utf8_lossy(data).into_owned())
        })
        .collect();
    let rules = Rules::of_tree(patterns.iter().map(|(f, t)| (f.as_str(), t.as_str())), spec);
    files.retain(|(name, _)| !rules.ignores(name, false));
    let all = files.iter().map(|(name, data)| (name.as_str(), data.as_slice()));
    let write = || archive::files(store.begin(path)?, all)?.commit();
    write().map_err(|e| Fault::disk(&e))
}

/// The files of a gzipped tar, by path.
pub fn unpack(bytes: &[u8]) -> Result<Vec<(String, Vec<u8>)>, String> {
    use std::io::Read;
    let mut tar = Vec::new();
    let read = flate2::read::MultiGzDecoder::new(bytes).take(MAX_UNPACKED + 1).read_to_end(&mut tar);
    read.map_err(|e| format!("not a gzipped archive: {e}"))?;
    if tar.len() as u64 > MAX_UNPACKED {
        return Err(format!("it unpacks to more than {MAX_UNPACKED} bytes"));
    }
    let files = crate::chart::tree::files(&tar)?;
    Ok(files.into_iter().map(|f| (f.name.trim_start_matches("./").to_owned(), f.data.to_vec())).collect())
}
