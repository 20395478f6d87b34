//! A file behind HTTP: a packaged chart or a values file by its URL.

use async_trait::async_trait;

use super::http::{Http, Request};
use super::obtain::Context;
use super::{Content, Fetch, HttpRef, Kind, Reason, Resolved, SourceError};

/// Fetches one URL.
pub struct HttpFile {
    http: Http,
    url: String,
    /// Whose credentials they are, if not this URL's.
    scope: Option<String>,
    limit: u64,
}

impl HttpFile {
    /// # Errors
    /// A certificate that can't be used.
    pub fn new(reference: &HttpRef, context: &Context) -> Result<Self, SourceError> {
        Self::with_scope(reference, context, None)
    }

    /// With credentials that were given for another URL.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn with_scope(reference: &HttpRef, context: &Context, scope: Option<String>) -> Result<Self, SourceError> {
        let mut options = (*context.options).clone();
        if reference.credentials.is_some() {
            options.credentials.clone_from(&reference.credentials);
        }
        let http = Http::new(&context.clients, &options)?;
        Ok(Self { http, url: reference.url.clone(), scope, limit: options.max_artifact })
    }

    fn resolved(&self, etag: Option<String>, last_modified: Option<String>) -> Resolved {
        Resolved {
            file_name: file_name(&self.url),
            location: super::secret::redact(&self.url),
            etag,
            last_modified,
            ..Resolved::default()
        }
    }

    /// The `.prov` file beside it.
    ///
    /// # Errors
    /// Other than that there is none.
    pub async fn provenance(&self) -> Result<Option<Vec<u8>>, SourceError> {
        let (main, query) = self.url.split_once('?').map_or((self.url.as_str(), None), |(m, q)| (m, Some(q)));
        let url = query.map_or_else(|| format!("{main}.prov"), |q| format!("{main}.prov?{q}"));
        let request = Request { url: &url, scope: self.scope.as_deref(), limit: 1 << 20, ..Request::default() };
        match self.http.bytes(&request).await {
            Ok((bytes, _)) => Ok(Some(bytes)),
            Err(e) if e.reason == Reason::NotFound => Ok(None),
            Err(e) => Err(e),
        }
    }
}

/// What `filepath.Base` of a URL's path is.
pub fn file_name(url: &str) -> String {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    path.trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_string()
}

/// What a URL brings: archives are told by their first bytes.
pub fn kind(bytes: &[u8]) -> Kind {
    if bytes.starts_with(b"\x1f\x8b") { Kind::Archive } else { Kind::File }
}

#[async_trait]
impl Fetch for HttpFile {
    async fn resolve(&self, known: Option<&Resolved>) -> Result<Resolved, SourceError> {
        let Some(known) = known.filter(|k| k.etag.is_some() || k.last_modified.is_some()) else {
            return Ok(self.resolved(None, None));
        };
        let request = Request {
            url: &self.url,
            scope: self.scope.as_deref(),
            etag: known.etag.as_deref(),
            last_modified: known.last_modified.as_deref(),
            head: true,
            ..Request::default()
        };
        match self.http.get(&request, &mut super::http::Stored::new(0)).await {
            Ok(answer) => {
                let same = known.etag.is_some() && answer.etag == known.etag;
                if answer.not_modified || same {
                    return Ok(Resolved { unchanged: true, ..known.clone() });
                }
                Ok(self.resolved(None, None))
            }
            // Servers that know no HEAD: the GET will tell.
            Err(e) if matches!(e.reason, Reason::Status | Reason::Forbidden) && e.retry_after.is_none() => {
                Ok(self.resolved(None, None))
            }
            Err(e) => Err(e),
        }
    }

    async fn content(&self, _resolved: &Resolved) -> Result<Content, SourceError> {
        let accept = Some("application/gzip,application/octet-stream,*/*;q=0.1");
        let request =
            Request { url: &self.url, scope: self.scope.as_deref(), accept, limit: self.limit, ..Request::default() };
        let (bytes, answer) = self.http.bytes(&request).await?;
        let resolved = self.resolved(answer.etag, answer.last_modified);
        Ok(Content { kind: kind(&bytes), bytes: bytes.into(), resolved: Some(resolved) })
    }

    async fn provenance_file(&self, _resolved: &Resolved) -> Result<Option<Vec<u8>>, SourceError> {
        self.provenance().await
    }
}
