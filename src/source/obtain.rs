//! From a reference to checked content: cache, backend, digest, verification, in that order.

use std::sync::{Arc, Mutex, PoisonError};

use crate::diagnostic::LogLine;

use super::cache::{Cache, Record};
use super::http::{Clients, Http};
use super::{
    Content, Digest, Fetch, Fetched, Kind, Options, Provenance, Reason, Reference, Resolved, SourceError, Verification,
    bucket, git, http_file, oci, repository, verify,
};

/// A backend, made for one reference.
pub type Backend = Box<dyn Fetch>;

/// What every fetch needs. Cheap to clone; clones share clients and cache.
#[derive(Clone)]
pub struct Context {
    pub options: Arc<Options>,
    pub clients: Clients,
    pub cache: Cache,
    log: Arc<Mutex<Vec<LogLine>>>,
}

impl Context {
    pub fn new(options: Options) -> Self {
        let cache = Cache::new(options.cache_dir.as_deref());
        Self { options: Arc::new(options), clients: Clients::default(), cache, log: Arc::default() }
    }

    /// The same with other options; clients and cache stay shared.
    #[must_use]
    pub fn with(&self, options: Options) -> Self {
        Self { options: Arc::new(options), ..self.clone() }
    }

    /// Something to tell the user, as Helm would.
    pub fn note(&self, line: LogLine) {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }

    /// What was noted since the last time.
    pub fn notes(&self) -> Vec<LogLine> {
        std::mem::take(&mut self.log.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// # Errors
    /// A certificate that can't be used.
    pub fn http(&self) -> Result<Http, SourceError> {
        Http::new(&self.clients, &self.options)
    }

    /// The backend for a reference.
    ///
    /// # Errors
    /// There is none for its kind, or its options can't be used.
    pub fn backend(&self, reference: &Reference) -> Result<Backend, SourceError> {
        match reference {
            Reference::Http(r) => Ok(Box::new(http_file::HttpFile::new(r, self)?)),
            Reference::Repository(r) => Ok(Box::new(repository::RepositoryChart::new(r, self)?)),
            Reference::Bucket(r) => Ok(Box::new(bucket::Bucket::new(r, self)?)),
            Reference::Git(r) => Ok(Box::new(git::GitSource::new(r, self)?)),
            Reference::Oci(r) => Ok(Box::new(oci::Artifact::new(r, self)?)),
            Reference::Path(p) => {
                Err(SourceError::new(Reason::Unsupported, p.display().to_string(), "a path is read, not fetched"))
            }
        }
    }
}

/// Fetches what a reference means now, or takes it from the cache where that is the same.
///
/// # Errors
/// The backend's; [`Reason::Digest`], [`Reason::Offline`] and [`Reason::Unverified`].
pub async fn obtain(reference: &Reference, context: &Context) -> Result<Fetched, SourceError> {
    let backend = context.backend(reference)?;
    obtain_from(&*backend, &reference.key(), &reference.to_string(), context).await
}

/// [`obtain`] with a backend of one's own; `key` is what the cache knows its content by, `name` what is shown.
///
/// # Errors
/// As [`obtain`].
pub async fn obtain_from(
    backend: &dyn Fetch,
    key: &str,
    name: &str,
    context: &Context,
) -> Result<Fetched, SourceError> {
    let _lock = context.cache.lock(key, context.options.deadline).await;
    let known = context.cache.record(key);
    let resolved = resolve(backend, known.as_ref(), context, name).await?;
    let (content, resolved, cached) = match from_cache(&resolved, known.as_ref(), &context.cache) {
        Some(content) => (content, resolved, true),
        None if context.options.offline => return Err(offline(name)),
        None => {
            let content = backend.content(&resolved).await?;
            let resolved = content.resolved.clone().unwrap_or(resolved);
            (content, resolved, false)
        }
    };
    if let Some(digest) = &resolved.digest {
        digest.check(&content.bytes, &resolved.location)?;
    }
    let digest = Digest::of(&content.bytes);
    let (provenance_file, verifications) = vouch(backend, &resolved, &content, &digest, context).await?;
    remember((key, name), &resolved, &content, &digest, &verifications, cached, context);
    let revision = match &resolved.revision {
        r if r.is_empty() => digest.to_string(),
        r if r.contains('@') || r.contains(':') => r.clone(),
        r => format!("{r}@{digest}"),
    };
    let provenance = Provenance { source: name.into(), revision, digest, file_name: resolved.file_name, verifications };
    let location = resolved.location;
    Ok(Fetched { kind: content.kind, bytes: content.bytes, provenance, provenance_file, location, cached })
}

fn offline(name: &str) -> SourceError {
    SourceError::new(Reason::Offline, name, "not in the cache, and offline")
        .hint("fetch it once without --offline, on this machine or into a cache that is carried here")
}

async fn resolve(
    backend: &dyn Fetch,
    known: Option<&Record>,
    context: &Context,
    name: &str,
) -> Result<Resolved, SourceError> {
    let usable = known.filter(|r| context.cache.has(&r.digest));
    if let Some(r) = usable.filter(|r| r.resolved.immutable || context.options.offline) {
        return Ok(Resolved { unchanged: true, ..r.resolved.clone() });
    }
    if context.options.offline {
        return Err(offline(name));
    }
    backend.resolve(usable.map(|r| &r.resolved)).await
}

fn from_cache(resolved: &Resolved, known: Option<&Record>, cache: &Cache) -> Option<Content> {
    let same = |r: &&Record| resolved.unchanged || (!resolved.key.is_empty() && r.resolved.key == resolved.key);
    let by_key = || Some(&resolved.key).filter(|k| !k.is_empty()).and_then(|k| cache.record(&key_name(k)));
    let found = known.filter(same).cloned().or_else(by_key).map(|r| (r.digest, r.kind));
    let (digest, kind) = found.or_else(|| resolved.digest.clone().map(|d| (d, Kind::Archive)))?;
    let bytes = cache.blob(&digest)?;
    Some(Content { kind, bytes: bytes.into(), resolved: None })
}

/// Content that has a name for ever is found by it, under whatever reference it is fetched the next time.
fn key_name(key: &str) -> String {
    format!("key {key}")
}

fn remember(
    (key, name): (&str, &str),
    resolved: &Resolved,
    content: &Content,
    digest: &Digest,
    verifications: &[Verification],
    cached: bool,
    context: &Context,
) {
    let keep = || {
        if !cached {
            context.cache.put(&content.bytes)?;
        }
        let record = Record {
            reference: name.into(),
            resolved: Resolved { unchanged: false, ..resolved.clone() },
            kind: content.kind,
            digest: digest.clone(),
            size: content.bytes.len() as u64,
            verifications: verifications.to_vec(),
            checked: jiff::Timestamp::now(),
        };
        if !cached && !resolved.key.is_empty() {
            context.cache.set_record(&key_name(&resolved.key), &record)?;
        }
        let same = |k: Record| Record { checked: record.checked, ..k } == record;
        if cached && context.cache.record(key).is_some_and(same) {
            Ok(())
        } else {
            context.cache.set_record(key, &record)
        }
    };
    if context.options.offline {
        return;
    }
    if let Err(e) = keep() {
        let e: SourceError = e;
        tracing::warn!("not kept in the cache: {e}");
    }
}

/// Checks what the policy asks for.
async fn vouch(
    backend: &dyn Fetch,
    resolved: &Resolved,
    content: &Content,
    digest: &Digest,
    context: &Context,
) -> Result<(Option<Vec<u8>>, Vec<Verification>), SourceError> {
    let policy = &context.options.verify;
    let mut verifications = Vec::new();
    if policy.signatures() {
        if context.options.offline {
            return Err(SourceError::new(Reason::Offline, &resolved.location, "signatures can't be checked offline"));
        }
        verifications = backend.verify(resolved, content).await?;
        if verifications.is_empty() {
            let message = "nobody signed this, and a signature is asked for";
            return Err(SourceError::new(Reason::Unverified, &resolved.location, message));
        }
    }
    if policy.keyring.is_none() && !policy.provenance_later {
        return Ok((None, verifications));
    }
    let file = provenance_file(backend, resolved, digest, context).await?;
    if let Some(keyring) = &policy.keyring {
        let Some(file) = &file else {
            // Helm's words.
            return Err(SourceError::refused(format!("failed to fetch provenance \"{}.prov\"", resolved.location)));
        };
        verifications.push(verify::helm_provenance(&content.bytes, file, &resolved.file_name, keyring)?);
    }
    Ok((file, verifications))
}

/// The `.prov` file of content; it is kept by the content's digest.
async fn provenance_file(
    backend: &dyn Fetch,
    resolved: &Resolved,
    digest: &Digest,
    context: &Context,
) -> Result<Option<Vec<u8>>, SourceError> {
    let name = format!("prov {digest}");
    if let Some(bytes) = context.cache.record(&name).and_then(|r| context.cache.blob(&r.digest)) {
        return Ok(Some(bytes));
    }
    if context.options.offline {
        return Ok(None);
    }
    let Some(bytes) = backend.provenance_file(resolved).await? else { return Ok(None) };
    let content = Content { kind: Kind::File, bytes: bytes.clone().into(), resolved: None };
    let resolved = Resolved { location: format!("{}.prov", resolved.location), ..Resolved::default() };
    remember((&name, &name), &resolved, &content, &Digest::of(&bytes), &[], false, context);
    Ok(Some(bytes))
}
