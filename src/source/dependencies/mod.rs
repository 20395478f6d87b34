//! A chart's dependencies: which versions, and the archives in `charts/`.
//!
//! Source: Helm 4.3 `pkg/downloader/manager.go`, `internal/resolver/resolver.go`. Helm refreshes every repository that the user ever added, and
//! downloads one chart after the other; here only the repositories that the chart names are asked, and downloads go side by side. Versions, lock
//! file, digest and texts are Helm's. Unlike Helm's, `build` also takes a repository's URL that was never added.

mod cycles;
mod download;
mod lock;
mod resolve;

pub use download::write_whole;
pub use lock::{digest, digest_v2};
pub use resolve::{DONE, KNOWN};

use std::path::{Path, PathBuf};

use crate::chart::{API_VERSION_V1, Chart, Dependency, Lock, directory, package};

use super::index::Repository;
use super::repositories::{self, Entry};
use super::{Context, Reason, SourceError};

/// Takes the lines that Helm prints.
pub type Report<'r> = dyn FnMut(&str) + Send + 'r;

/// Manages one chart's dependencies.
pub struct Manager<'r> {
    pub context: Context,
    /// The chart's directory, as the user named it.
    pub chart: PathBuf,
    /// Take the repositories' indexes from the cache (`--skip-refresh`).
    pub skip_refresh: bool,
    pub report: Box<Report<'r>>,
    /// The time of packed files, in seconds since 1970.
    pub time: u64,
    known: Vec<Entry>,
}

impl<'r> Manager<'r> {
    /// # Errors
    /// `repositories.yaml` can't be read.
    pub fn new(context: Context, chart: &Path, report: Box<Report<'r>>) -> Result<Self, SourceError> {
        let known = repositories::read(&context.options.repository_config)?;
        Ok(Self { context, chart: chart.to_path_buf(), skip_refresh: false, report, time: package::EPOCH, known })
    }

    /// `helm dependency build`: what Chart.lock says; without one, [`update`](Self::update).
    ///
    /// # Errors
    /// Helm's texts.
    pub async fn build(&mut self) -> Result<(), SourceError> {
        let chart = self.load()?;
        let Some(lock) = chart.lock.clone() else { return self.update().await };
        let mut wanted = chart.metadata.dependencies.clone();
        let is_v1 = chart.metadata.api_version == API_VERSION_V1;
        let v2 = digest_v2(&wanted);
        self.name_repositories(&mut wanted)?;
        let mut locked = lock.dependencies.unwrap_or_default();
        if digest(&wanted, &locked) != lock.digest && !(is_v1 && v2 == lock.digest) {
            return Err(SourceError::refused(if is_v1 {
                "the lock file (requirements.lock) is out of sync with the dependencies file (requirements.yaml). \
                 Please update the dependencies"
            } else {
                "the lock file (Chart.lock) is out of sync with the dependencies file (Chart.yaml). \
                 Please update the dependencies with 'helm dependency update'"
            }));
        }
        self.name_repositories(&mut locked)?;
        let found = self.indexes(&locked).await?;
        self.download(&mut locked, &found).await
    }

    /// `helm dependency update`: the newest versions in the ranges, a new lock if something changed.
    ///
    /// # Errors
    /// Helm's texts.
    pub async fn update(&mut self) -> Result<(), SourceError> {
        let chart = self.load()?;
        if chart.metadata.dependencies_nil {
            return Ok(());
        }
        let mut wanted = chart.metadata.dependencies.clone();
        self.name_repositories(&mut wanted)?;
        cycles::check(&self.chart, &chart)?;
        let found = self.indexes(&wanted).await?;
        let mut locked = self.resolve(&wanted, &found).await?;
        self.download(&mut locked, &found).await?;
        let digest = digest(&wanted, &locked);
        if chart.lock.as_ref().is_some_and(|old| old.digest == digest) {
            return Ok(());
        }
        let lock = Lock { generated: jiff::Timestamp::now().to_string(), digest, dependencies: Some(locked) };
        self.write_lock(&lock, chart.metadata.api_version == API_VERSION_V1)
    }

    fn say(&mut self, line: impl AsRef<str>) {
        (self.report)(line.as_ref());
    }

    fn load(&self) -> Result<Chart, SourceError> {
        let shown = self.chart.display();
        match std::fs::metadata(&self.chart) {
            Err(e) => {
                let why = crate::golang::errno::path_error("stat", &shown.to_string(), &e);
                return Err(SourceError::refused(format!("could not find {shown}: {why}")));
            }
            Ok(meta) if !meta.is_dir() => return Err(SourceError::refused("only unpacked charts can be updated")),
            Ok(_) => {}
        }
        directory::load_unchecked(&self.chart, &mut Vec::new()).map_err(|e| SourceError::refused(e.message))
    }

    /// Puts URLs in the place of `@alias` and `alias:`, and checks that everything named is there. Source: `resolveRepoNames`.
    fn name_repositories(&self, dependencies: &mut [Dependency]) -> Result<(), SourceError> {
        let mut missing = Vec::new();
        for d in dependencies.iter_mut().filter(|d| !d.repository.is_empty() && !d.repository.starts_with("oci://")) {
            if d.repository.starts_with("file://") {
                self.local_path(&d.repository)?;
                continue;
            }
            let alias = d.repository.strip_prefix('@').or_else(|| d.repository.strip_prefix("alias:"));
            match alias.map(|a| self.known.iter().find(|e| e.name == a)) {
                Some(Some(entry)) => d.repository.clone_from(&entry.url),
                Some(None) => missing.push(d.repository.clone()),
                None if d.repository.contains("://") => {}
                None => missing.push(d.repository.clone()),
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
        let list = missing.join(", ");
        let mut message = format!("no repository definition for {list}. Please add them via 'helm repo add'");
        if missing.iter().any(|r| !r.contains("//") && !r.starts_with('@') && !r.starts_with("alias:")) {
            message += "\nNote that repositories must be URLs or aliases. For example, to refer to the \"example\"\n\
                        repository, use \"https://charts.example.com/\" or \"@example\" instead of\n\
                        \"example\". Don't forget to add the repo, too ('helm repo add').";
        }
        Err(SourceError::refused(message))
    }

    /// The directory behind `file://`, relative to the chart. Source: `GetLocalPath`.
    fn local_path(&self, repository: &str) -> Result<PathBuf, SourceError> {
        let path = repository.strip_prefix("file://").unwrap_or(repository);
        let joined = match path.starts_with('/') {
            true => path.to_string(),
            false => format!("{}/{path}", self.chart.display()),
        };
        let clean = PathBuf::from(String::from_utf8_lossy(&crate::golang::path::clean(joined.as_bytes())).into_owned());
        if clean.exists() {
            return Ok(clean);
        }
        Err(SourceError::refused(format!("directory {} not found", clean.display())))
    }

    /// How to talk to a repository: as `helm repo add` was told, or as the command line says.
    fn repository(&self, url: &str) -> Result<Repository, SourceError> {
        match self.known.iter().find(|e| repositories::same_url(&e.url, url)) {
            Some(entry) => Ok(Repository { url: url.into(), ..entry.repository()? }),
            None => Ok(Repository {
                url: url.into(),
                // Who wrote the chart chose the URL: the user's password is not for whoever that is.
                credentials: None,
                tls: self.context.options.tls.clone(),
                pass_credentials: false,
            }),
        }
    }

    fn write_lock(&self, lock: &Lock, legacy: bool) -> Result<(), SourceError> {
        let name = if legacy { "requirements.lock" } else { "Chart.lock" };
        let path = self.chart.join(name);
        if path.symlink_metadata().is_ok_and(|m| m.is_symlink()) {
            let target = std::fs::read_link(&path).unwrap_or_default();
            return Err(SourceError::refused(format!(
                "the {name} file is a symlink to {:?}",
                target.display().to_string()
            )));
        }
        let text = package::lock_file(lock).map_err(|e| SourceError::new(Reason::Malformed, "", e))?;
        download::write_whole(&path, &text)
    }
}
