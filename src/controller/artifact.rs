//! Charts from the artifacts that sources publish: fetched by URL, checked against their digest, kept by it.
//!
//! Flux fetches and reads a chart anew at every reconciliation. Here bytes stay in the cache of the source room, and charts that were read are
//! shared between the releases that use them.

use std::collections::HashMap;
use std::io::Read;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::api::Artifact;
use crate::chart::{Chart, load};
use crate::source::http::{Http, Request};
use crate::source::{Context, Digest, Options, Reason};

/// The largest artifact that is fetched, in bytes.
const MAX_ARTIFACT: u64 = 64 << 20;
/// The largest file that is read from an artifact for values.
const MAX_FILE: u64 = 8 << 20;
/// The most that a compressed artifact is unpacked to while a file is looked for.
const MAX_UNPACKED: u64 = 1 << 30;
/// Charts that stay read: packed bytes of all of them together.
const KEPT: usize = 48 << 20;

/// Why there is no chart.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ArtifactError {
    /// The server does not have it (any more): the source will say a new one.
    #[error("artifact not found")]
    NotFound,
    #[error("{0}")]
    Other(String),
}

/// Fetches artifacts; clones share what is kept.
#[derive(Clone)]
pub struct Artifacts {
    context: Context,
    charts: Arc<Mutex<Charts>>,
}

#[derive(Default)]
struct Charts {
    by_digest: HashMap<String, (Arc<Chart>, usize, u64)>,
    clock: u64,
}

impl Charts {
    fn get(&mut self, digest: &str) -> Option<Arc<Chart>> {
        self.clock += 1;
        let clock = self.clock;
        let (chart, _, used) = self.by_digest.get_mut(digest)?;
        *used = clock;
        Some(chart.clone())
    }

    fn put(&mut self, digest: &str, chart: &Arc<Chart>, size: usize) {
        self.clock += 1;
        self.by_digest.insert(digest.to_owned(), (chart.clone(), size, self.clock));
        while self.by_digest.len() > 1 && self.by_digest.values().map(|(_, size, _)| size).sum::<usize>() > KEPT {
            let oldest = self.by_digest.iter().min_by_key(|(_, (_, _, used))| *used).map(|(digest, _)| digest.clone());
            let Some(oldest) = oldest else { break };
            self.by_digest.remove(&oldest);
        }
    }
}

impl Artifacts {
    /// `retries` are tries after the first, `timeout` is for each artifact.
    pub fn new(retries: u32, timeout: Duration, cache_dir: Option<std::path::PathBuf>) -> Self {
        let options =
            Options { deadline: timeout, retries, max_artifact: MAX_ARTIFACT, cache_dir, ..Options::default() };
        Self { context: Context::new(options), charts: Arc::default() }
    }

    /// The bytes of an artifact, whose digest was checked.
    ///
    /// # Errors
    /// See [`ArtifactError`].
    pub async fn bytes(&self, artifact: &Artifact) -> Result<Vec<u8>, ArtifactError> {
        let digest: Digest = artifact.digest.parse().map_err(ArtifactError::Other)?;
        let cache = self.context.cache.clone();
        let wanted = digest.clone();
        let cached = tokio::task::spawn_blocking(move || cache.blob(&wanted)).await;
        if let Ok(Some(bytes)) = cached {
            return Ok(bytes);
        }
        let fail = |e: crate::source::SourceError| match e.reason {
            Reason::NotFound => ArtifactError::NotFound,
            _ => ArtifactError::Other(e.to_string()),
        };
        let url = local(&artifact.url);
        let http = Http::new(&self.context.clients, &self.context.options).map_err(fail)?;
        let request = Request { url: &url, limit: MAX_ARTIFACT, ..Request::default() };
        let (bytes, _) = http.bytes(&request).await.map_err(fail)?;
        digest.check(&bytes, &url).map_err(fail)?;
        let cache = self.context.cache.clone();
        let kept = tokio::task::spawn_blocking(move || {
            if let Err(error) = cache.put(&bytes) {
                tracing::debug!(%error, "an artifact is not kept");
            }
            bytes
        });
        kept.await.map_err(|e| ArtifactError::Other(e.to_string()))
    }

    /// The chart of an artifact.
    ///
    /// # Errors
    /// See [`ArtifactError`]; what is wrong with the chart, in Helm's words.
    pub async fn chart(&self, artifact: &Artifact) -> Result<Arc<Chart>, ArtifactError> {
        let found = self.charts.lock().unwrap_or_else(PoisonError::into_inner).get(&artifact.digest);
        if let Some(chart) = found {
            return Ok(chart);
        }
        let bytes = self.bytes(artifact).await?;
        let size = bytes.len();
        let read = tokio::task::spawn_blocking(move || load::archive_bytes(&bytes, &mut Vec::new()));
        let chart = read.await.map_err(|e| ArtifactError::Other(e.to_string()))?;
        let chart = Arc::new(chart.map_err(|e| ArtifactError::Other(e.to_string()))?);
        self.charts.lock().unwrap_or_else(PoisonError::into_inner).put(&artifact.digest, &chart, size);
        Ok(chart)
    }

    /// One file of an artifact that is a packed directory; `None` if it is not in there.
    ///
    /// # Errors
    /// See [`ArtifactError`]; the artifact is no gzipped tar.
    pub async fn file(&self, artifact: &Artifact, path: &str) -> Result<Option<Vec<u8>>, ArtifactError> {
        let bytes = self.bytes(artifact).await?;
        let path = path.trim_start_matches("./").to_owned();
        let read = tokio::task::spawn_blocking(move || file_of(&bytes, &path));
        read.await.map_err(|e| ArtifactError::Other(e.to_string()))?.map_err(ArtifactError::Other)
    }
}

/// A file of a gzipped tar.
fn file_of(bytes: &[u8], path: &str) -> Result<Option<Vec<u8>>, String> {
    if path.starts_with('/') || path.split('/').any(|p| p == "..") {
        return Err(format!("path {path:?} leaves the artifact"));
    }
    let mut tar = Vec::new();
    flate2::read::MultiGzDecoder::new(bytes)
        .take(MAX_UNPACKED)
        .read_to_end(&mut tar)
        .map_err(|e| format!("the artifact cannot be unpacked: {e}"))?;
    let files = crate::chart::tree::files(&tar).map_err(|e| format!("the artifact cannot be read: {e}"))?;
    match files.into_iter().find(|f| f.name.trim_start_matches("./") == path) {
        Some(file) if file.data.len() as u64 > MAX_FILE => {
            Err(format!("file {path:?} is larger than {MAX_FILE} bytes"))
        }
        Some(file) => Ok(Some(file.data.to_vec())),
        None => Ok(None),
    }
}

/// Flux's variables for a controller outside of the cluster: the host of every artifact's address.
fn local(url: &str) -> String {
    let host = ["SOURCE_CONTROLLER_LOCALHOST", "SOURCE_WATCHER_LOCALHOST"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok().filter(|v| !v.is_empty()));
    let (Some(host), Some((scheme, rest))) = (host, url.split_once("://")) else { return url.to_owned() };
    let path = rest.split_once('/').map_or("", |(_, path)| path);
    format!("{scheme}://{host}/{path}")
}
