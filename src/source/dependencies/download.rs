//! Archives into `charts/`: all of them, or nothing changes.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use futures::StreamExt as _;

use crate::chart::{Dependency, directory, load, package};
use crate::golang::semver::Version;
use crate::golang::semver_constraint::Constraint;
use crate::source::repository::RepositoryChart;
use crate::source::secret::redact;
use crate::source::{Context, Reference, SourceError, index, obtain, obtain_from};

use super::Manager;
use super::resolve::{AT_ONCE, Indexes, Known, oci};

/// One archive, by its file's name.
type Archive = (String, Vec<u8>);

impl Manager<'_> {
    /// Brings the locked versions, and takes away the archives of others. Source: `downloadAll`, `safeMoveDeps`.
    pub(super) async fn download(&mut self, locked: &mut [Dependency], indexes: &Indexes) -> Result<(), SourceError> {
        let charts = self.chart.join("charts");
        if charts.exists() && !charts.is_dir() {
            return Err(SourceError::refused(format!("{:?} is not a directory", charts.display().to_string())));
        }
        self.say(format!("Saving {} charts", locked.len()));
        let saved = match self.bring(locked, indexes, &charts).await {
            Ok(saved) => saved,
            Err(e) => {
                self.say(format!("Save error occurred:  {e}"));
                return Err(e);
            }
        };
        std::fs::create_dir_all(&charts).map_err(|e| SourceError::disk("can't be created", &charts, &e))?;
        let mut names = BTreeSet::new();
        for (name, bytes) in &saved {
            write_whole(&charts.join(name), bytes)?;
            names.insert(name.as_str());
        }
        self.say("Deleting outdated charts");
        let local: Vec<&str> = locked.iter().filter(|d| d.repository.is_empty()).map(|d| d.name.as_str()).collect();
        self.remove_others(&charts, &names, &local)
    }

    async fn bring(
        &mut self,
        locked: &mut [Dependency],
        indexes: &Indexes,
        charts: &Path,
    ) -> Result<Vec<Archive>, SourceError> {
        let mut seen = BTreeSet::new();
        let mut work = Vec::new();
        let mut saved = Vec::new();
        for d in locked.iter_mut() {
            if d.repository.is_empty() {
                self.say(format!(
                    "Dependency {} did not declare a repository. Assuming it exists in the charts directory",
                    d.name
                ));
                check_local(d, &charts.join(&d.name))?;
            } else if d.repository.starts_with("file://") {
                let (version, archive) = self.pack(d)?;
                d.version = version;
                saved.push(archive);
            } else if seen.insert((d.repository.clone(), d.name.clone(), d.version.clone())) {
                self.say(format!("Downloading {} from repo {}", d.name, redact(&d.repository)));
                work.push((d.clone(), indexes.get(&d.repository)));
            } else {
                self.say(format!("Already downloaded {} from repo {}", d.name, redact(&d.repository)));
            }
        }
        let context = &self.context;
        let fetched = futures::stream::iter(work).map(|(d, known)| async move { fetch(&d, known, context).await });
        let fetched: Vec<_> = fetched.buffered(AT_ONCE).collect().await;
        for archive in fetched {
            saved.push(archive?);
        }
        Ok(saved)
    }

    /// Packs a chart that lies beside this one. Source: `tarFromLocalDir`.
    fn pack(&self, d: &Dependency) -> Result<(String, Archive), SourceError> {
        let path = self.local_path(&d.repository)?;
        let chart = directory::load_unchecked(&path, &mut Vec::new()).map_err(|e| SourceError::refused(e.message))?;
        let constraint = constraint(d)?;
        let version = chart.metadata.version.clone();
        if !Version::new(&version).map_err(SourceError::refused)?.satisfies(&constraint) {
            return Err(SourceError::refused(format!("can't get a valid version for dependency {}", d.name)));
        }
        let bytes = package::archive(&chart, self.time).map_err(SourceError::refused)?;
        Ok((version.clone(), (format!("{}-{version}.tgz", chart.name()), bytes)))
    }

    fn remove_others(&mut self, charts: &Path, saved: &BTreeSet<&str>, local: &[&str]) -> Result<(), SourceError> {
        let entries = std::fs::read_dir(charts).map_err(|e| SourceError::disk("can't be read", charts, &e))?;
        let mut paths: Vec<PathBuf> = entries.flatten().map(|e| e.path()).filter(|p| !p.is_dir()).collect();
        paths.sort();
        for path in paths {
            let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
            if saved.contains(name.as_str()) {
                continue;
            }
            match directory::load_unchecked(&path, &mut Vec::new()) {
                Err(e) => {
                    self.say(format!("Could not verify {} for deletion: {} (Skipping)", path.display(), e.message))
                }
                Ok(chart) if local.contains(&chart.name()) => {}
                Ok(_) => {
                    if let Err(e) = std::fs::remove_file(&path) {
                        self.say(format!("Could not delete {}: {e} (Skipping)", path.display()));
                    }
                }
            }
        }
        Ok(())
    }
}

trait Satisfies {
    fn satisfies(&self, constraint: &Constraint) -> bool;
}

impl Satisfies for Version {
    fn satisfies(&self, constraint: &Constraint) -> bool {
        constraint.check(self)
    }
}

fn constraint(d: &Dependency) -> Result<Constraint, SourceError> {
    Constraint::new(&d.version).map_err(|e| {
        SourceError::refused(format!("dependency {} has an invalid version/constraint format: {e}", d.name))
    })
}

/// A dependency without repository must lie unpacked in `charts/`.
fn check_local(d: &Dependency, path: &Path) -> Result<(), SourceError> {
    let chart = directory::load_unchecked(path, &mut Vec::new())
        .map_err(|e| SourceError::refused(format!("unable to load chart '{}': {}", path.display(), e.message)))?;
    let constraint = constraint(d)?;
    let found = &chart.metadata.version;
    let version = Version::new(found)
        .map_err(|e| SourceError::refused(format!("invalid version {} for dependency {}: {e}", d.version, d.name)))?;
    if version.satisfies(&constraint) {
        return Ok(());
    }
    let message = format!("dependency {} at version {found} does not satisfy the constraint {}", d.name, d.version);
    Err(SourceError::refused(message))
}

async fn fetch(d: &Dependency, known: Option<&Known>, context: &Context) -> Result<Archive, SourceError> {
    let fetched = match known {
        None => {
            let reference = Reference::parse(&format!("{}:{}", oci(d), d.version.replace('+', "_")), None, None)?;
            obtain(&reference, context).await
        }
        Some(known) => {
            let repo = redact(&d.repository);
            let lost = |why: &str| SourceError::refused(format!("could not find : {why}"));
            let versions = known.found.get(&d.name);
            let versions =
                versions.ok_or_else(|| lost(&format!("chart {} not found in {repo}: entry not found", d.name)))?;
            let entry = index::locked(versions, &d.version).ok_or_else(|| lost("no matching version"))?;
            let chart = RepositoryChart::of_entry(context, &known.repository, &d.name, entry)?;
            let name = format!("{}/{}?version={}", repo.trim_end_matches('/'), d.name, entry.version);
            let key = format!("chart {} {} {}", known.repository.url, d.name, entry.version);
            obtain_from(&chart, &key, &name, context).await
        }
    };
    let fetched =
        fetched.map_err(|e| SourceError { message: format!("could not download {}: {}", d.name, e.message), ..e })?;
    let name = match fetched.provenance.file_name {
        n if n.is_empty() => format!("{}-{}.tgz", d.name, d.version),
        n => n,
    };
    if name.contains(['/', '\\']) || name.starts_with('.') {
        return Err(SourceError::refused(format!("could not download {}: {name:?} is no file name", d.name)));
    }
    // What is no chart must not come into charts/.
    load::archive_unchecked(&name, &fetched.bytes, &mut Vec::new()).map_err(|e| SourceError::refused(e.message))?;
    Ok((name, fetched.bytes.to_vec()))
}

/// Writes a file so that it is seen whole or not at all.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), SourceError> {
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let temporary = path.with_file_name(format!(".{name}.{}", std::process::id()));
    std::fs::write(&temporary, bytes).and_then(|()| std::fs::rename(&temporary, path)).map_err(|e| {
        let _ = std::fs::remove_file(&temporary);
        SourceError::disk("can't be written", path, &e)
    })
}
