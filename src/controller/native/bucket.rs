//! Bucket: the objects of a bucket, packed.
//!
//! Whether something changed is told by the objects' ETags. Source: source-controller 1.9 `internal/controller/bucket_controller.go`.

use std::collections::BTreeMap;

use serde_json::json;

use crate::api::BucketSpec;
use crate::chart::tree;
use crate::source::{self, BucketRef, Credentials, Provider, Reference, Secret};

use super::archive;
use super::ignore::{self, Rules};
use super::manager::World;
use super::object::{Fault, Found, Subject, timeout};
use super::store::{Store, Stored};

const FAILED: &str = "BucketOperationFailed";

pub async fn fetch(world: &World, subject: &Subject) -> Result<Found, Fault> {
    let spec: BucketSpec = subject.spec()?;
    if spec.sts.is_some() || spec.proxy_secret_ref.is_some() || !spec.service_account_name.is_empty() {
        let text = "not supported: spec.sts, spec.proxySecretRef and spec.serviceAccountName of a Bucket";
        return Err(Fault::fetch(FAILED, text).for_good());
    }
    let mut options = (*world.context.options).clone();
    options.deadline = timeout(spec.timeout.as_ref());
    let provider = match spec.provider.as_str() {
        "gcp" => Provider::Gcs,
        "azure" => Provider::Azure,
        _ => Provider::S3,
    };
    if let Some(secret) = world.secret(subject.namespace(), spec.secret_ref.as_ref()).await? {
        let pair = match provider {
            Provider::S3 => secret.text("accesskey").zip(secret.text("secretkey")),
            Provider::Gcs => secret.text("serviceaccount").map(|key| (String::new(), key)),
            Provider::Azure => Some(account(&spec.endpoint)).zip(secret.text("accountKey")),
        };
        let Some((username, password)) = pair else {
            let text = "invalid secret data: required fields are missing";
            return Err(Fault::fetch("AuthenticationFailed", text).for_good());
        };
        options.credentials = Some(Credentials::Basic { username, password: Secret::new(password) });
    }
    if let Some(secret) = world.secret(subject.namespace(), spec.cert_secret_ref.as_ref()).await? {
        secret.tls(&mut options.tls)?;
    }
    let endpoint = match spec.endpoint.contains("://") {
        true => spec.endpoint.clone(),
        false => format!("{}://{}", if spec.insecure { "http" } else { "https" }, spec.endpoint),
    };
    let reference = BucketRef {
        provider,
        bucket: spec.bucket_name.clone(),
        key: format!("{}/", spec.prefix.trim_matches('/')),
        endpoint: Some(endpoint).filter(|_| !spec.endpoint.is_empty()),
        region: Some(spec.region.clone()).filter(|r| !r.is_empty()),
    };
    let failed = |e: &source::SourceError| Fault::of(FAILED, &format!("bucket '{}'", spec.bucket_name), e);
    let context = world.context.with(options);
    let fetched = source::obtain(&Reference::Bucket(reference), &context).await.map_err(|e| failed(&e))?;
    // The tree is packed in one way: equal objects are equal bytes.
    let revision = fetched.provenance.digest.to_string();
    let mut found = Found {
        reason: "Succeeded",
        message: format!("stored artifact: revision '{revision}'"),
        fields: vec![("observedIgnore", json!(spec.ignore))],
        ..Found::default()
    };
    if let Some(artifact) = subject.current(&revision) {
        found.artifact = Some(artifact);
        return Ok(found);
    }
    let key = &subject.key;
    let file = format!("{}.tar.gz", fetched.provenance.digest.hex());
    let path = Store::path(&key.kind, &key.namespace, &key.name, &file);
    let (store, at) = (world.store.clone(), path.clone());
    let stored = tokio::task::spawn_blocking(move || {
        let stored = pack(&store, &at, &fetched.bytes, spec.ignore.as_deref());
        let _ = store.link(&at, "latest.tar.gz");
        stored
    });
    let stored = stored.await.map_err(|e| Fault::fetch(FAILED, e.to_string()))??;
    found.url = Some(world.store.url(&format!("{}/latest.tar.gz", path.rsplit_once('/').map_or("", |(d, _)| d))));
    found.artifact = Some(subject.artifact_of(world, &path, &revision, &stored, BTreeMap::new()));
    Ok(found)
}

/// The storage account in Azure's address.
fn account(endpoint: &str) -> String {
    let host = endpoint.split_once("://").map_or(endpoint, |(_, rest)| rest);
    host.split(['.', '/', ':']).next().unwrap_or_default().to_owned()
}

fn pack(store: &Store, path: &str, tar: &[u8], spec: Option<&str>) -> Result<Stored, Fault> {
    let files = tree::files(tar).map_err(|e| Fault::fetch(FAILED, e))?;
    let own = files.iter().find(|f| f.name == ignore::FILE).map(|f| String::from_utf8_lossy(&f.data).into_owned());
    let rules = Rules::of_bucket(own.as_deref(), spec);
    let kept = files.iter().filter(|f| !rules.ignores(&f.name, false)).map(|f| (f.name.as_str(), &*f.data));
    let write = || archive::files(store.begin(path)?, kept)?.commit();
    write().map_err(|e| Fault::disk(&e))
}
