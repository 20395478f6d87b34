//! From ranges to versions.

use std::collections::BTreeMap;

use futures::StreamExt as _;

use crate::chart::{Dependency, directory};
use crate::golang::semver::Version;
use crate::golang::semver_constraint::Constraint;
use crate::golang::strconv::quote;
use crate::source::index::{self, Found, Repository};
use crate::source::repositories::same_url;
use crate::source::secret::redact;
use crate::source::{Reference, SourceError};

use super::Manager;

/// How many servers are asked at once.
pub const AT_ONCE: usize = 8;

/// What is said before repositories are asked that `helm repo add` was told of.
pub const KNOWN: &str = "Hang tight while we grab the latest from your chart repositories...";
/// What is said before others are.
const UNMANAGED: &str = "Getting updates for unmanaged Helm repositories...";
/// What is said when all have been.
pub const DONE: &str = "Update Complete. ⎈Happy Helming!⎈";

/// What is known of one repository: how to talk to it, and the versions of the charts that are wanted of it.
pub struct Known {
    pub repository: Repository,
    pub found: Found,
}

/// By the repository's URL as the dependencies have it.
pub type Indexes = BTreeMap<String, Known>;

impl Manager<'_> {
    /// Looks up the wanted charts in the repositories that are named, side by side, each repository once.
    pub(super) async fn indexes(&mut self, dependencies: &[Dependency]) -> Result<Indexes, SourceError> {
        let mut names: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for d in dependencies.iter().filter(|d| is_indexed(d)) {
            names.entry(&d.repository).or_default().push(&d.name);
        }
        if names.is_empty() {
            return Ok(Indexes::new());
        }
        let mut options = (*self.context.options).clone();
        options.offline |= self.skip_refresh;
        let context = self.context.with(options);
        let work: Vec<(String, Repository, Vec<&str>)> = names
            .into_iter()
            .map(|(url, names)| Ok((url.to_string(), self.repository(url)?, names)))
            .collect::<Result<_, SourceError>>()?;
        // Those that nobody told of come first, as in `ensureMissingRepos` and then `UpdateRepositories`.
        let named = |url: &str| self.known.iter().find(|e| same_url(&e.url, url)).map(|e| e.name.clone());
        let (mut unmanaged, mut known) = (Vec::new(), Vec::new());
        for work in work {
            match named(&work.0) {
                None => unmanaged.push((redact(&work.0), work)),
                Some(name) => known.push((name, work)),
            }
        }
        let context = &context;
        let mut out = Indexes::new();
        let mut said: Vec<String> = Vec::new();
        for (list, before, after) in [(unmanaged, UNMANAGED, None), (known, KNOWN, Some(DONE))] {
            let mut say = |text: &str| {
                if !self.skip_refresh {
                    self.say(text);
                }
            };
            if list.is_empty() {
                continue;
            }
            say(before);
            let asked = futures::stream::iter(list).map(|(name, (url, repository, names))| async move {
                let found = index::versions(context, &repository, &names).await;
                (name, url, repository, found)
            });
            let answers: Vec<_> = asked.buffered(AT_ONCE).collect().await;
            for (name, url, repository, found) in answers {
                match found {
                    Ok(found) => {
                        // One repository can be written in several ways.
                        if !said.contains(&name) {
                            say(&format!("...Successfully got an update from the {name:?} chart repository"));
                        }
                        said.push(name);
                        out.insert(url, Known { repository, found });
                    }
                    Err(e) => {
                        say(&format!("...Unable to get an update from the {name:?} chart repository:\n\t{e}"));
                        return Err(e);
                    }
                }
            }
            if let Some(after) = after {
                say(after);
            }
        }
        Ok(out)
    }

    /// One version for each range. Source: `Resolver.Resolve`.
    pub(super) async fn resolve(
        &self,
        wanted: &[Dependency],
        indexes: &Indexes,
    ) -> Result<Vec<Dependency>, SourceError> {
        let mut locked = Vec::new();
        let mut missing = Vec::new();
        for d in wanted {
            let constraint = Constraint::new(&d.version).map_err(|e| {
                let name = quote(d.name.as_bytes());
                SourceError::refused(format!("dependency {name} has an invalid version/constraint format: {e}"))
            })?;
            let version = if d.repository.is_empty() {
                self.local_path(&format!("charts/{}", d.name))?;
                Some(d.version.clone())
            } else if d.repository.starts_with("file://") {
                let path = self.local_path(&d.repository)?;
                let chart = directory::load_unchecked(&path, &mut Vec::new());
                let version = chart.map_err(|e| SourceError::refused(e.message))?.metadata.version;
                Version::new(&version).is_ok_and(|v| constraint.check(&v)).then_some(version)
            } else if d.repository.starts_with("oci://") {
                Some(self.newest_tag(d).await?)
            } else {
                let versions = indexes.get(&d.repository).and_then(|k| k.found.get(&d.name)).ok_or_else(|| {
                    SourceError::refused(format!("{} chart not found in repo {}", d.name, redact(&d.repository)))
                })?;
                index::newest_in(versions, &d.version).map_err(SourceError::refused)?.map(|v| v.version.clone())
            };
            let Some(version) = version else {
                let text = |s: &str| quote(s.as_bytes());
                missing.push(format!(
                    "{} (repository {}, version {})",
                    text(&d.name),
                    text(&redact(&d.repository)),
                    text(&d.version)
                ));
                continue;
            };
            let (name, repository) = (d.name.clone(), d.repository.clone());
            locked.push(Dependency { name, repository, version, ..Dependency::default() });
        }
        if missing.is_empty() {
            return Ok(locked);
        }
        Err(SourceError::refused(format!(
            "can't get a valid version for {} subchart(s): {}. Make sure a matching chart version exists in the repo, or change the \
             version constraint in Chart.yaml",
            missing.len(),
            missing.join(", ")
        )))
    }

    /// The highest tag in a range; one version is taken by its word, as Helm does.
    async fn newest_tag(&self, d: &Dependency) -> Result<String, SourceError> {
        if Version::new(&d.version).is_ok() {
            return Ok(d.version.clone());
        }
        let reference = Reference::parse(&oci(d), None, Some(&d.version))?;
        let resolved = self.context.backend(&reference)?.resolve(None).await?;
        Ok(resolved.revision.split('@').next().unwrap_or_default().to_string())
    }
}

/// Where an OCI dependency lies, without its version.
pub fn oci(d: &Dependency) -> String {
    format!("{}/{}", d.repository.trim_end_matches('/'), d.name)
}

/// Whether it comes from a chart repository.
pub fn is_indexed(d: &Dependency) -> bool {
    !d.repository.is_empty() && !d.repository.starts_with("file://") && !d.repository.starts_with("oci://")
}
