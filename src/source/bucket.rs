//! Charts and files in buckets: S3 and what speaks like it, Google Cloud Storage, Azure Blob Storage.
//!
//! A key is one object; a key with `/` at its end is the folder of all that begins with it. Whether something changed is told by ETags,
//! without the content. Credentials come from the options, or from where the provider's own tools find them: environment variables, a
//! web identity, the machine's role; for S3 also the shared credentials file. Nothing is sent without TLS to an endpoint that is not named
//! with `http://`.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::{StreamExt, TryStreamExt};
use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::path::Path;
use object_store::{ClientOptions, ObjectMeta, ObjectStore, ObjectStoreExt, RetryConfig};
use tokio::time::{Instant, timeout_at};

use super::{
    BucketRef, Content, Context, Credentials, Digest, Fetch, Kind, Options, Provider, Reason, Resolved, SourceError,
    tree,
};

/// The most objects below a prefix.
const MAX_OBJECTS: usize = 100_000;

/// One object, or a folder of them.
pub struct Bucket {
    reference: BucketRef,
    store: Box<dyn ObjectStore>,
    options: Options,
    /// When all of it must be done.
    end: Instant,
    /// The ETag and the size that the object was found with.
    found: Mutex<Option<(Option<String>, u64)>>,
}

fn client(options: &Options) -> Result<ClientOptions, SourceError> {
    let mut client = ClientOptions::new()
        .with_connect_timeout(Duration::from_secs(15))
        .with_read_timeout(options.idle)
        .with_timeout(options.deadline)
        .with_allow_invalid_certificates(options.tls.insecure_skip_verify);
    if let Some(ca) = &options.tls.ca {
        let wrong =
            || SourceError::new(Reason::Tls, "", "the CA bundle has no certificate in PEM").hint("check --ca-file");
        let certs = object_store::Certificate::from_pem_bundle(ca).map_err(|_| wrong())?;
        client = client.with_no_system_certificates(true);
        for cert in certs {
            client = client.with_root_certificate(cert);
        }
    }
    if options.tls.identity.is_some() {
        return Err(SourceError::new(Reason::Unsupported, "", "buckets take no client certificates"));
    }
    Ok(client)
}

fn store(r: &BucketRef, options: &Options) -> Result<Box<dyn ObjectStore>, SourceError> {
    let place = place(r);
    let failed = |e: object_store::Error| SourceError::new(Reason::Reference, &place, cause(&e));
    let retry = RetryConfig {
        max_retries: options.retries as usize,
        retry_timeout: options.deadline,
        ..RetryConfig::default()
    };
    let client = client(options)?;
    let plain = r.endpoint.as_ref().is_some_and(|e| e.starts_with("http://"));
    let endpoint = r.endpoint.clone();
    match r.provider {
        Provider::S3 => {
            let mut b =
                AmazonS3Builder::from_env().with_bucket_name(&r.bucket).with_retry(retry).with_client_options(client);
            if let Some(endpoint) = endpoint {
                b = b.with_endpoint(endpoint).with_virtual_hosted_style_request(false);
            }
            if let Some(region) = &r.region {
                b = b.with_region(region);
            }
            b = b.with_allow_http(plain);
            match &options.credentials {
                Some(Credentials::Basic { username, password }) => {
                    b = b.with_access_key_id(username).with_secret_access_key(password.expose());
                }
                Some(Credentials::Bearer(_)) => return Err(no_token(&place)),
                None if std::env::var_os("AWS_ACCESS_KEY_ID").is_none() => {
                    if let Some(shared) = shared_credentials() {
                        b = b.with_access_key_id(&shared.id).with_secret_access_key(&shared.secret);
                        if let Some(token) = &shared.token {
                            b = b.with_token(token);
                        }
                    }
                }
                None => {}
            }
            Ok(Box::new(b.build().map_err(failed)?))
        }
        Provider::Gcs => {
            let mut b = GoogleCloudStorageBuilder::from_env().with_bucket_name(&r.bucket).with_retry(retry);
            b = b.with_client_options(client.with_allow_http(plain));
            if let Some(endpoint) = endpoint {
                b = b.with_base_url(&endpoint);
            }
            match &options.credentials {
                // The key of a service account, as JSON.
                Some(Credentials::Basic { password, .. }) => b = b.with_service_account_key(password.expose()),
                Some(Credentials::Bearer(token)) => b = b.with_bearer_token(token.expose()),
                // Google's own endpoints speak TLS: what does not is an emulator, and gets nothing of the machine's role.
                None if plain => b = b.with_skip_signature(true),
                None => {}
            }
            Ok(Box::new(b.build().map_err(failed)?))
        }
        Provider::Azure => {
            let mut b = MicrosoftAzureBuilder::from_env().with_container_name(&r.bucket).with_retry(retry);
            b = b.with_client_options(client).with_allow_http(plain);
            if let Some(endpoint) = endpoint {
                b = b.with_endpoint(endpoint);
            }
            match &options.credentials {
                // The account's name and its key.
                Some(Credentials::Basic { username, password }) => {
                    b = b.with_account(username).with_access_key(password.expose());
                }
                Some(Credentials::Bearer(token)) => b = b.with_bearer_token_authorization(token.expose()),
                None => {}
            }
            Ok(Box::new(b.build().map_err(failed)?))
        }
    }
}

fn no_token(place: &str) -> SourceError {
    SourceError::new(Reason::Unauthorized, place, "S3 takes no bearer token")
        .hint("give the access key's id and secret with --username and --password")
}

/// A profile of `~/.aws/credentials`.
struct Shared {
    id: String,
    secret: String,
    token: Option<String>,
}

fn shared_credentials() -> Option<Shared> {
    let set = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty());
    let file = set("AWS_SHARED_CREDENTIALS_FILE").map(std::path::PathBuf::from);
    let file = file.or_else(|| set("HOME").map(|h| std::path::Path::new(&h).join(".aws/credentials")))?;
    let profile = std::env::var("AWS_PROFILE").unwrap_or_else(|_| "default".into());
    profile_of(&std::fs::read_to_string(file).ok()?, &profile)
}

fn profile_of(text: &str, profile: &str) -> Option<Shared> {
    let mut inside = false;
    let mut found = BTreeMap::new();
    for line in text.lines().map(str::trim).filter(|l| !l.starts_with(['#', ';'])) {
        if let Some(name) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            inside = name.trim() == profile;
        } else if let Some((key, value)) = line.split_once('=').filter(|_| inside) {
            found.insert(key.trim().to_ascii_lowercase(), value.trim().to_string());
        }
    }
    let id = found.remove("aws_access_key_id")?;
    Some(Shared { id, secret: found.remove("aws_secret_access_key")?, token: found.remove("aws_session_token") })
}

fn place(r: &BucketRef) -> String {
    format!("{}://{}/{}", r.provider.scheme(), r.bucket, r.key)
}

/// The innermost cause, on one line: what stands before it repeats the URL, with the signature in its query.
fn cause(e: &object_store::Error) -> String {
    let mut last: &dyn std::error::Error = e;
    while let Some(next) = last.source() {
        last = next;
    }
    let text = last.to_string();
    let text = text.split("?X-Amz").next().unwrap_or_default();
    text.lines().next().unwrap_or_default().chars().filter(|c| !c.is_control()).take(300).collect()
}

/// What is told by its words alone.
fn reason_of(whole: &str) -> Reason {
    let has = |words: &[&str]| words.iter().any(|w| whole.contains(w));
    if has(&["TooManyRedirects", "too many redirects"]) {
        Reason::Redirect
    } else if has(&["Connect,", "(Connect", "dns error"]) {
        Reason::Unreachable
    } else if has(&["timed out", "TimedOut"]) {
        Reason::Deadline
    } else if has(&["before message length", "UnexpectedEof"]) {
        Reason::Truncated
    } else if has(&["429 Too Many", "status: 429", "SlowDown"]) {
        Reason::TooManyRequests
    } else {
        Reason::Unreachable
    }
}

impl Bucket {
    /// # Errors
    /// The options can't be used for the provider.
    pub fn new(reference: &BucketRef, context: &Context) -> Result<Self, SourceError> {
        let options = (*context.options).clone();
        let end = Instant::now() + options.deadline;
        Ok(Self {
            reference: reference.clone(),
            store: store(reference, &options)?,
            options,
            end,
            found: Mutex::default(),
        })
    }

    fn failed(&self, e: &object_store::Error) -> SourceError {
        let place = place(&self.reference);
        let whole = format!("{e:?}");
        let hint = "give the access key with --username and --password, or where the provider's tools find it";
        match e {
            object_store::Error::NotFound { .. } => {
                SourceError::new(Reason::NotFound, place, "there is no such object")
            }
            object_store::Error::Unauthenticated { .. } => {
                SourceError::new(Reason::Unauthorized, place, "the bucket asks for credentials that it accepts")
                    .hint(hint)
            }
            object_store::Error::PermissionDenied { .. } => {
                SourceError::new(Reason::Forbidden, place, "these credentials may not read it").hint(hint)
            }
            _ if ["certificate", "UnknownIssuer"].iter().any(|w| whole.contains(w)) => {
                SourceError::new(Reason::Tls, place, cause(e)).hint("trust its CA with --ca-file")
            }
            _ => SourceError::new(reason_of(&whole), place, cause(e)),
        }
    }

    fn path(&self, key: &str) -> Path {
        Path::parse(key).unwrap_or_else(|_| Path::from(key))
    }

    fn is_folder(&self) -> bool {
        self.reference.key.ends_with('/')
    }

    /// The objects below the prefix, in order.
    async fn list(&self) -> Result<Vec<ObjectMeta>, SourceError> {
        let prefix = self.path(self.reference.key.trim_end_matches('/'));
        let listed = self.store.list(Some(&prefix)).take(MAX_OBJECTS + 1).try_collect::<Vec<_>>();
        let mut all = self.within(listed).await?;
        if all.is_empty() {
            return Err(SourceError::new(Reason::NotFound, place(&self.reference), "nothing lies below this prefix"));
        }
        let size: u64 = all.iter().map(|m| m.size).fold(0, u64::saturating_add);
        if all.len() > MAX_OBJECTS || size > self.options.max_artifact {
            let message = format!("more than {MAX_OBJECTS} objects or {} bytes", self.options.max_artifact);
            return Err(SourceError::new(Reason::TooLarge, place(&self.reference), message));
        }
        all.sort_by(|a, b| a.location.cmp(&b.location));
        Ok(all)
    }

    /// Waits within the deadline.
    async fn within<T>(&self, work: impl Future<Output = Result<T, object_store::Error>>) -> Result<T, SourceError> {
        match timeout_at(self.end, work).await {
            Ok(result) => result.map_err(|e| self.failed(&e)),
            Err(_) => Err(SourceError::new(Reason::Deadline, place(&self.reference), "the deadline passed")),
        }
    }

    async fn get(&self, path: &Path, limit: u64) -> Result<(Vec<u8>, Option<String>), SourceError> {
        let too_large = |size: u64| {
            let message = format!("it has {size} bytes, more than {limit}");
            SourceError::new(Reason::TooLarge, place(&self.reference), message)
        };
        let answer = self.within(self.store.get(path)).await?;
        let (size, etag) = (answer.meta.size, answer.meta.e_tag.clone());
        if size > limit {
            return Err(too_large(size));
        }
        let mut stream = answer.into_stream();
        let mut out = Vec::new();
        while let Some(chunk) = self.within(stream.try_next()).await? {
            if (out.len() + chunk.len()) as u64 > limit {
                return Err(too_large((out.len() + chunk.len()) as u64));
            }
            out.extend_from_slice(&chunk);
        }
        if out.len() as u64 != size {
            let message = format!("the transfer broke off after {} of {size} bytes", out.len());
            return Err(SourceError::new(Reason::Truncated, place(&self.reference), message));
        }
        Ok((out, etag))
    }

    fn resolved(&self, etag: Option<String>) -> Resolved {
        let name = self.reference.key.trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_string();
        Resolved { file_name: name, location: place(&self.reference), etag, ..Resolved::default() }
    }
}

/// A digest over the ETags of a folder's objects: Flux's revision of a bucket.
fn digest_of(objects: &[ObjectMeta]) -> Digest {
    let mut text = String::new();
    for object in objects {
        let etag = object.e_tag.as_deref().unwrap_or_default();
        text += &format!("{} {etag}\n", object.location);
    }
    Digest::of(text.as_bytes())
}

#[async_trait]
impl Fetch for Bucket {
    async fn resolve(&self, known: Option<&Resolved>) -> Result<Resolved, SourceError> {
        let resolved = if self.is_folder() {
            let digest = digest_of(&self.list().await?);
            Resolved { revision: digest.to_string(), ..self.resolved(Some(digest.to_string())) }
        } else {
            let path = self.path(&self.reference.key);
            let meta = self.within(self.store.head(&path)).await?;
            *self.found.lock().unwrap_or_else(PoisonError::into_inner) = Some((meta.e_tag.clone(), meta.size));
            self.resolved(meta.e_tag)
        };
        match known {
            Some(k) if k.etag.is_some() && k.etag == resolved.etag => Ok(Resolved { unchanged: true, ..k.clone() }),
            _ => Ok(resolved),
        }
    }

    async fn content(&self, _resolved: &Resolved) -> Result<Content, SourceError> {
        if !self.is_folder() {
            let (bytes, etag) = self.get(&self.path(&self.reference.key), self.options.max_artifact).await?;
            let found = self.found.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if let Some((known, size)) = found
                && known == etag
                && size != bytes.len() as u64
            {
                let message = format!("{} bytes came of an object of {size}", bytes.len());
                return Err(SourceError::new(Reason::Truncated, place(&self.reference), message));
            }
            let kind = super::http_file::kind(&bytes);
            return Ok(Content { kind, bytes: bytes.into(), resolved: Some(self.resolved(etag)) });
        }
        let objects = self.list().await?;
        let digest = digest_of(&objects);
        let prefix = self.path(self.reference.key.trim_end_matches('/'));
        let mut files = BTreeMap::new();
        let mut left = self.options.max_artifact;
        for object in &objects {
            let name = object.location.prefix_match(&prefix);
            let name = name.map(|parts| parts.map(|p| p.as_ref().to_string()).collect::<Vec<_>>()).unwrap_or_default();
            if name.is_empty() || name.iter().any(|p| p.is_empty() || p == "." || p == ".." || p.contains(['\\', '\0']))
            {
                continue;
            }
            let (bytes, _) = self.get(&object.location, left).await?;
            left = left.saturating_sub(bytes.len() as u64);
            files.insert(name.join("/"), bytes);
        }
        let resolved = Resolved { revision: digest.to_string(), ..self.resolved(Some(digest.to_string())) };
        Ok(Content { kind: Kind::Tree, bytes: tree::pack(&files).into(), resolved: Some(resolved) })
    }

    async fn provenance_file(&self, _resolved: &Resolved) -> Result<Option<Vec<u8>>, SourceError> {
        if self.is_folder() {
            return Ok(None);
        }
        match self.get(&self.path(&format!("{}.prov", self.reference.key)), 1 << 20).await {
            Ok((bytes, _)) => Ok(Some(bytes)),
            Err(e) if e.reason == Reason::NotFound => Ok(None),
            Err(e) => Err(e),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_are_read() {
        let text = "[default]\naws_access_key_id = a\n# x\naws_secret_access_key=b\n[other]\naws_access_key_id=c\n";
        let found = profile_of(text, "default").unwrap();
        assert_eq!((found.id.as_str(), found.secret.as_str(), found.token), ("a", "b", None));
        assert!(profile_of(text, "other").is_none());
        assert!(profile_of(text, "none").is_none());
    }
}
