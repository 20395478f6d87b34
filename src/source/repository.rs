//! A chart of a chart repository: found in the index, fetched from where the index says.
//!
//! Source: Helm 4.3 `pkg/repo/v1/chartrepo.go`, `pkg/downloader/chart_downloader.go`. Helm takes the first URL of an entry only, and does not
//! look at the digest with `--repo`; here the others are tried when the first fails, and a digest always counts.

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;

use crate::diagnostic::LogLine;

use super::http::{Http, Request};
use super::index::{self, ChartVersion, Repository, choose};
use super::obtain::Context;
use super::secret::redact;
use super::{
    Content, Digest, Fetch, HttpRef, Kind, Reason, Reference, RepositoryRef, Resolved, SourceError, http_file,
    repositories,
};

/// A chart by name and range.
pub struct RepositoryChart {
    context: Context,
    repository: Repository,
    /// The name that `helm repo add` gave it.
    alias: Option<String>,
    chart: String,
    version: Option<String>,
    /// Chosen already.
    entry: Option<ChartVersion>,
    /// The URLs of the chosen version, with their queries, which the cache must not keep.
    urls: Mutex<Vec<String>>,
}

impl RepositoryChart {
    /// # Errors
    /// A repository that is not known, or certificates that can't be used.
    pub fn new(reference: &RepositoryRef, context: &Context) -> Result<Self, SourceError> {
        let alias = reference.repository.strip_prefix('@').map(String::from);
        let repository = match &alias {
            Some(name) => {
                let entries = repositories::read(&context.options.repository_config)?;
                repositories::by_name(&entries, name)?.repository()?
            }
            None => Repository {
                url: reference.repository.clone(),
                credentials: reference.credentials.clone().or_else(|| context.options.credentials.clone()),
                tls: context.options.tls.clone(),
                pass_credentials: context.options.pass_credentials,
            },
        };
        Ok(Self {
            context: context.clone(),
            repository,
            alias,
            chart: reference.chart.clone(),
            version: reference.version.clone(),
            entry: None,
            urls: Mutex::default(),
        })
    }

    /// One version that is chosen already, for dependencies.
    ///
    /// # Errors
    /// The entry has no URL that can be used.
    pub fn of_entry(
        context: &Context,
        repository: &Repository,
        chart: &str,
        entry: &ChartVersion,
    ) -> Result<Self, SourceError> {
        let urls = entry.urls.iter().map(|u| repository.resolve(u)).collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            context: context.clone(),
            repository: repository.clone(),
            alias: None,
            chart: chart.into(),
            version: Some(entry.version.clone()),
            entry: Some(entry.clone()),
            urls: Mutex::new(urls),
        })
    }

    /// What an entry of the index is, as a resolution.
    pub fn resolution(&self, entry: &ChartVersion) -> Result<Resolved, SourceError> {
        let urls = entry.urls.iter().map(|u| self.repository.resolve(u)).collect::<Result<Vec<_>, _>>()?;
        let Some(url) = urls.first().cloned() else {
            let message = match &self.alias {
                Some(alias) => format!("chart {:?} has no downloadable URLs", format!("{alias}/{}", self.chart)),
                None => format!("{} has no downloadable URLs", self.named()),
            };
            return Err(SourceError::refused(message));
        };
        *self.urls.lock().unwrap_or_else(PoisonError::into_inner) = urls;
        let digest: Option<Digest> = entry.digest.as_deref().map(str::parse).transpose().map_err(|e: String| {
            SourceError::new(Reason::Malformed, &url, e).hint("the repository's index is wrong")
        })?;
        Ok(Resolved {
            revision: entry.version.clone(),
            key: digest.as_ref().map(|d| format!("content:{d}")).unwrap_or_default(),
            digest,
            file_name: http_file::file_name(&url),
            location: redact(&url),
            ..Resolved::default()
        })
    }

    fn named(&self) -> String {
        match &self.version {
            Some(v) => format!("chart {:?} version {v:?}", self.chart),
            None => format!("chart {:?}", self.chart),
        }
    }

    fn not_found(&self, why: &str) -> SourceError {
        let message = match &self.alias {
            Some(alias) => format!(
                "chart {:?} matching {} not found in {alias} index. (try 'helm repo update'): {why}",
                self.chart,
                self.version.as_deref().unwrap_or_default()
            ),
            None => format!("{} not found in {} repository", self.named(), redact(&self.repository.url)),
        };
        SourceError { reason: Reason::NotFound, ..SourceError::refused(message) }
    }

    async fn look_up(&self) -> Result<Resolved, SourceError> {
        let found = index::versions(&self.context, &self.repository, &[&self.chart]).await?;
        let versions = found.get(&self.chart).ok_or_else(|| self.not_found("no chart name found"))?;
        let choice = choose(versions, &self.chart, self.version.as_deref()).map_err(|e| self.not_found(&e))?;
        if choice.fell_back {
            let line =
                LogLine::warn("unable to find exact version requested; falling back to closest available version");
            self.context.note(
                line.with("chart", &self.chart)
                    .with("requested", self.version.clone().unwrap_or_default())
                    .with("selected", &choice.version.version),
            );
        }
        self.resolution(choice.version)
    }

    async fn download(&self, url: &str) -> Result<Content, SourceError> {
        if url.starts_with("oci://") {
            let reference = Reference::parse(url, None, None)?;
            let backend = self.context.backend(&reference)?;
            let resolved = backend.resolve(None).await?;
            let content = backend.content(&resolved).await?;
            return Ok(Content { resolved: None, ..content });
        }
        let options = self.repository.options(&self.context.options);
        let http = Http::new(&self.context.clients, &options)?;
        let request = Request {
            url,
            scope: Some(&self.repository.url),
            accept: Some("application/gzip,application/octet-stream"),
            limit: options.max_artifact,
            ..Request::default()
        };
        let (bytes, answer) = http.bytes(&request).await?;
        // Only the validators are new.
        let resolved = Resolved { etag: answer.etag, last_modified: answer.last_modified, ..Resolved::default() };
        Ok(Content { kind: Kind::Archive, bytes: bytes.into(), resolved: Some(resolved) })
    }
}

#[async_trait]
impl Fetch for RepositoryChart {
    async fn resolve(&self, known: Option<&Resolved>) -> Result<Resolved, SourceError> {
        let resolved = match &self.entry {
            Some(entry) => self.resolution(entry)?,
            None => self.look_up().await?,
        };
        // Without a digest only the server knows whether the archive is still the same.
        let Some(known) = known.filter(|k| resolved.digest.is_none() && k.location == resolved.location) else {
            return Ok(resolved);
        };
        let url = self.urls.lock().unwrap_or_else(PoisonError::into_inner).first().cloned().unwrap_or_default();
        let file = http_file::HttpFile::with_scope(
            &HttpRef { url, credentials: None },
            &self.context.with(self.repository.options(&self.context.options)),
            Some(self.repository.url.clone()),
        )?;
        let unchanged = file.resolve(Some(known)).await?.unchanged;
        Ok(if unchanged { Resolved { unchanged, ..known.clone() } } else { resolved })
    }

    async fn content(&self, resolved: &Resolved) -> Result<Content, SourceError> {
        let urls = self.urls.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut failure = SourceError::refused(format!("{} has no downloadable URLs", self.named()));
        for (i, url) in urls.iter().enumerate() {
            let result = self.download(url).await.and_then(|content| {
                resolved.digest.as_ref().map_or(Ok(()), |d| d.check(&content.bytes, url))?;
                Ok(content)
            });
            match result {
                Ok(mut content) => {
                    let got = content.resolved.take().unwrap_or_default();
                    let (etag, last_modified) = (got.etag, got.last_modified);
                    let file_name = http_file::file_name(url);
                    content.resolved =
                        Some(Resolved { etag, last_modified, file_name, unchanged: false, ..resolved.clone() });
                    return Ok(content);
                }
                // The first URL's failure is the one that people know from Helm.
                Err(e) if i == 0 => failure = e,
                Err(e) => tracing::debug!("another URL failed, too: {e}"),
            }
        }
        Err(failure)
    }

    async fn provenance_file(&self, _resolved: &Resolved) -> Result<Option<Vec<u8>>, SourceError> {
        let url = self.urls.lock().unwrap_or_else(PoisonError::into_inner).first().cloned().unwrap_or_default();
        let context = self.context.with(self.repository.options(&self.context.options));
        let reference = HttpRef { url, credentials: None };
        let scope = Some(self.repository.url.clone());
        http_file::HttpFile::with_scope(&reference, &context, scope)?.provenance().await
    }
}

/// All versions of a chart, the highest first.
///
/// # Errors
/// There is no such chart or repository.
pub async fn versions(reference: &RepositoryRef, context: &Context) -> Result<Vec<ChartVersion>, SourceError> {
    let chart = RepositoryChart::new(reference, context)?;
    let mut found = index::versions(context, &chart.repository, &[&chart.chart]).await?;
    found.remove(&chart.chart).ok_or_else(|| chart.not_found("no chart name found"))
}
