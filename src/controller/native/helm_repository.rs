//! HelmRepository: its index is the artifact. Registries (`type: oci`) have none.
//!
//! Source: source-controller 1.9 `internal/controller/helmrepository_controller.go`.

use crate::api::HelmRepositorySpec;
use crate::source::{self, HttpRef, Reference, index, obtain};

use super::manager::World;
use super::object::{Fault, Found, Subject, timeout};
use super::store::Store;

/// How a repository is reached, from its spec and Secrets.
pub async fn options(world: &World, namespace: &str, spec: &HelmRepositorySpec) -> Result<source::Options, Fault> {
    let mut options = (*world.context.options).clone();
    options.deadline = timeout(spec.timeout.as_ref());
    options.pass_credentials = spec.pass_credentials;
    options.plain_http = spec.insecure;
    if let Some(secret) = world.secret(namespace, spec.secret_ref.as_ref()).await? {
        options.credentials = match spec.is_oci() {
            true => secret.registry(host(&spec.url))?,
            false => secret.credentials()?,
        };
        secret.tls(&mut options.tls)?;
    }
    if let Some(secret) = world.secret(namespace, spec.cert_secret_ref.as_ref()).await? {
        secret.tls(&mut options.tls)?;
    }
    Ok(options)
}

/// The host of a URL, with its port.
pub fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split('/').next().unwrap_or_default()
}

pub async fn fetch(world: &World, subject: &Subject) -> Result<Found, Fault> {
    let spec: HelmRepositorySpec = subject.spec()?;
    if !spec.url.starts_with("http://") && !spec.url.starts_with("https://") {
        let message = format!("invalid Helm repository URL: scheme of {:?} is not http or https", spec.url);
        return Err(Fault::fetch("URLInvalid", message).for_good());
    }
    let options = options(world, subject.namespace(), &spec).await?;
    let context = world.context.with(source::Options { max_artifact: world.options.max_index, ..options });
    let url = format!("{}/index.yaml", spec.url.trim_end_matches('/'));
    let failed = |e: &source::SourceError| Fault::of("Failed", "failed to fetch Helm repository index", e);
    let reference = Reference::Http(HttpRef { url, credentials: None });
    let fetched = obtain(&reference, &context).await.map_err(|e| failed(&e))?;
    let digest = source::Digest::of(&fetched.bytes);
    let revision = digest.to_string();
    let found = |artifact, url| Found {
        artifact: Some(artifact),
        url,
        reason: "Succeeded",
        message: format!("stored artifact: revision '{revision}'"),
        ..Found::default()
    };
    if let Some(artifact) = subject.current(&revision) {
        return Ok(found(artifact, None));
    }
    let bytes = fetched.bytes.clone();
    let checked = tokio::task::spawn_blocking(move || index::read(&bytes, index::Charts::Named(&[])).map(drop)).await;
    let checked = checked.map_err(|e| Fault::fetch("IndexationFailed", e.to_string()))?;
    checked.map_err(|e| {
        Fault::fetch("IndexationFailed", format!("failed to load Helm repository from index YAML: {e}"))
    })?;
    let key = &subject.key;
    let path = Store::path(&key.kind, &key.namespace, &key.name, &format!("index-{}.yaml", digest.hex()));
    let stored = world.store.put(&path, &fetched.bytes).map_err(|e| Fault::disk(&e))?;
    let link = world.store.link(&path, "index.yaml").ok();
    Ok(found(subject.artifact_of(world, &path, &revision, &stored, Default::default()), link))
}
