//! An index from its server or the cache.

use crate::golang::url::Url;
use crate::source::cache::{Cache, Record, Writer};
use crate::source::http::{Http, Request, Sink, Stored};
use crate::source::obtain::Context;
use crate::source::secret::redact;
use crate::source::{Credentials, Digest, Kind, Options, Reason, Resolved, SourceError, Tls};

use super::{ChartVersion, Charts, Found, json, read, scan, sorted};

/// A chart repository and how to talk to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repository {
    /// As it was written, without user and password.
    pub url: String,
    pub credentials: Option<Credentials>,
    pub tls: Tls,
    pub pass_credentials: bool,
}

impl Repository {
    /// The options of a fetch from here.
    pub fn options(&self, base: &Options) -> Options {
        let mut options = base.clone();
        options.credentials = self.credentials.clone();
        options.tls = self.tls.clone();
        options.pass_credentials = self.pass_credentials;
        options
    }

    /// A URL of the index seen from here, as Helm's `ResolveReferenceURL` does: the repository's query goes along.
    ///
    /// # Errors
    /// Helm's text, and a file of this machine that a server names.
    pub fn resolve(&self, reference: &str) -> Result<String, SourceError> {
        let parse = |text: &str| {
            Url::parse(text.as_bytes()).map_err(|e| {
                SourceError::new(Reason::Malformed, "", format!("failed to parse {} as URL: {e}", redact(text)))
            })
        };
        let url = parse(reference)?;
        if url.is_abs() {
            if !matches!(&url.scheme[..], b"http" | b"https" | b"oci") {
                let message = "the index names a URL that is neither http, https nor oci";
                return Err(SourceError::new(Reason::Malformed, reference, message)
                    .hint("a repository can't ask for files of this machine"));
            }
            return Ok(reference.into());
        }
        let mut base = parse(&self.url)?;
        for path in [&mut base.path, &mut base.raw_path] {
            if path.last() == Some(&b'/') {
                path.pop();
            }
            path.push(b'/');
        }
        if base.raw_path == b"/" {
            base.raw_path.clear();
        }
        let mut out = base.resolve(&url);
        out.raw_query = base.raw_query;
        Ok(String::from_utf8_lossy(&out.encoded()).into_owned())
    }
}

/// The versions of charts in a repository, looked up on the server only as far as something changed.
///
/// # Errors
/// In Helm's words: `looks like "URL" is not a valid chart repository or cannot be reached: …`.
pub async fn versions(context: &Context, repository: &Repository, names: &[&str]) -> Result<Found, SourceError> {
    listed(context, repository, Charts::Named(names)).await
}

/// The versions of every chart in a repository.
///
/// # Errors
/// As [`versions`].
pub async fn all(context: &Context, repository: &Repository) -> Result<Found, SourceError> {
    listed(context, repository, Charts::All).await
}

async fn listed(context: &Context, repository: &Repository, charts: Charts<'_>) -> Result<Found, SourceError> {
    lookup(context, repository, charts).await.map_err(|e| {
        if matches!(e.reason, Reason::Offline | Reason::Disk) {
            return e;
        }
        let message = format!(
            "looks like {:?} is not a valid chart repository or cannot be reached: {}",
            redact(&repository.url),
            SourceError { hint: None, ..e.clone() }
        );
        SourceError { message, place: String::new(), ..e }
    })
}

async fn lookup(context: &Context, repository: &Repository, charts: Charts<'_>) -> Result<Found, SourceError> {
    let url = repository.resolve("index.yaml")?;
    // Exact, with a query that is not shown; kept as a hash only.
    let name = format!("index {url}");
    let _lock = context.cache.lock(&name, context.options.deadline).await;
    for fresh in [false, true] {
        match current(context, repository, &url, &name, fresh).await? {
            Current::Memory(bytes) => return read(&bytes, charts),
            Current::Cached(digest) => {
                if let Some(found) = extract(&context.cache, &digest, charts)? {
                    return Ok(found);
                }
            }
        }
        // The index in the cache was damaged: once more, from the server.
        if context.options.offline {
            break;
        }
    }
    Err(SourceError::new(Reason::Offline, &url, "the index is not in the cache")
        .hint("fetch it once without --offline"))
}

enum Current {
    Cached(Digest),
    /// The cache could not take it.
    Memory(Vec<u8>),
}

async fn current(
    context: &Context,
    repository: &Repository,
    url: &str,
    name: &str,
    fresh: bool,
) -> Result<Current, SourceError> {
    let known = context.cache.record(name).filter(|r| !fresh && context.cache.has(&r.digest));
    if context.options.offline {
        let message = "the index is not in the cache, and offline";
        return known
            .map(|r| Current::Cached(r.digest))
            .ok_or_else(|| SourceError::new(Reason::Offline, url, message).hint("fetch it once without --offline"));
    }
    let options = repository.options(&context.options);
    let http = Http::new(&context.clients, &options)?;
    let request = Request {
        url,
        etag: known.as_ref().and_then(|r| r.resolved.etag.as_deref()),
        last_modified: known.as_ref().and_then(|r| r.resolved.last_modified.as_deref()),
        limit: options.max_index,
        ..Request::default()
    };
    let attempt = async {
        let mut sink = ToCache { cache: &context.cache, writer: Some(context.cache.writer()?) };
        let answer = http.get(&request, &mut sink).await?;
        Ok((answer, sink.writer))
    };
    let (answer, writer) = match attempt.await {
        Ok(done) => done,
        Err(SourceError { reason: Reason::Disk, .. }) => {
            let mut sink = Stored::new(options.max_index);
            http.get(&Request { etag: None, last_modified: None, ..request }, &mut sink).await?;
            return Ok(Current::Memory(sink.into_bytes()));
        }
        Err(e) => return Err(e),
    };
    if let Some(known) = known.filter(|_| answer.not_modified) {
        return Ok(Current::Cached(known.digest));
    }
    let Some(writer) = writer else { return Err(SourceError::new(Reason::Disk, url, "nothing was written")) };
    let size = writer.size();
    if size == 0 {
        return Err(SourceError::refused("empty index.yaml file"));
    }
    let digest = writer.commit()?;
    let resolved = Resolved {
        revision: digest.to_string(),
        location: redact(url),
        etag: answer.etag,
        last_modified: answer.last_modified,
        ..Resolved::default()
    };
    let shown = format!("index {}", redact(url));
    remember(&context.cache, (name, &shown), resolved, &digest, size);
    Ok(Current::Cached(digest))
}

fn remember(cache: &Cache, (key, name): (&str, &str), resolved: Resolved, digest: &Digest, size: u64) {
    let record = Record {
        reference: name.into(),
        resolved,
        kind: Kind::File,
        digest: digest.clone(),
        size,
        verifications: Vec::new(),
        checked: jiff::Timestamp::now(),
    };
    if let Err(e) = cache.set_record(key, &record) {
        tracing::warn!("not kept in the cache: {e}");
    }
}

struct ToCache<'c> {
    cache: &'c Cache,
    writer: Option<Writer<'c>>,
}

impl Sink for ToCache<'_> {
    fn chunk(&mut self, bytes: &[u8]) -> Result<(), SourceError> {
        self.writer.as_mut().map_or(Ok(()), |w| w.write(bytes))
    }

    fn restart(&mut self) -> Result<(), SourceError> {
        self.writer = None;
        self.writer = Some(self.cache.writer()?);
        Ok(())
    }
}

/// The charts' versions of an index in the cache; `None` if it is damaged. What was found is kept for the next time.
fn extract(cache: &Cache, index: &Digest, charts: Charts<'_>) -> Result<Option<Found>, SourceError> {
    // All of an index would not be much smaller than the index.
    let Charts::Named(names) = charts else { return scan_cached(cache, index, charts) };
    let key = |name: &str| format!("entry {index} {name}");
    let mut found = Found::new();
    let mut missing = Vec::new();
    for name in names {
        let kept = cache.record(&key(name)).and_then(|r| cache.blob(&r.digest));
        match kept.and_then(|b| serde_json::from_slice::<Option<Vec<ChartVersion>>>(&b).ok()) {
            Some(Some(versions)) => drop(found.insert((*name).to_string(), versions)),
            Some(None) => {}
            None => missing.push(*name),
        }
    }
    if missing.is_empty() {
        return Ok(Some(found));
    }
    let Some(scanned) = scan_cached(cache, index, Charts::Named(&missing))? else { return Ok(None) };
    for name in missing {
        let bytes = serde_json::to_vec(&scanned.get(name)).unwrap_or_default();
        if let Ok(digest) = cache.put(&bytes) {
            remember(cache, (&key(name), &key(name)), Resolved::default(), &digest, bytes.len() as u64);
        }
    }
    found.extend(scanned);
    Ok(Some(found))
}

fn scan_cached(cache: &Cache, index: &Digest, charts: Charts<'_>) -> Result<Option<Found>, SourceError> {
    let mut scanner = scan::Scanner::new(charts);
    let mut first = None;
    let whole = cache.stream(index, |piece| {
        first = first.or_else(|| piece.iter().copied().find(|b| !b.is_ascii_whitespace()));
        if first == Some(b'{') { Ok(()) } else { scanner.feed(piece) }
    });
    let scanned = match whole {
        Ok(false) => return Ok(None),
        Ok(true) if first == Some(b'{') => {
            let file = std::fs::File::open(cache.path_of(index));
            file.map_err(|_| ()).and_then(|f| json::read(f, charts).map_err(|_| ())).map_err(|()| scan::Stop::Unusual)
        }
        Ok(true) => scanner.finish(),
        Err(e) => Err(e),
    };
    match scanned {
        Ok(found) => Ok(Some(sorted(found))),
        Err(scan::Stop::Error(e)) => Err(e),
        Err(scan::Stop::Unusual) => {
            let Some(bytes) = cache.blob(index) else { return Ok(None) };
            scan::whole(&bytes, charts).map(|f| Some(sorted(f)))
        }
    }
}
