//! Charts and files in OCI registries.
//!
//! A tag is asked by HEAD what it points to; from then on everything is named by digest, so that a tag that moves in between changes nothing.
//! Every manifest and blob is checked against its digest, and nothing is read beyond the size that its descriptor gives. Versions stand in
//! tags with `_` for `+`. Source: Helm 4.3 `pkg/registry/{client,tag}.go`.

pub mod auth;
mod login;
pub mod manifest;
mod push;
mod registry;

pub use login::{login, logout};
pub use push::{Pushed, push};
pub use registry::Repository;

use async_trait::async_trait;

use super::{Content, Context, Digest, Fetch, Kind, OciRef, Reason, Resolved, SourceError, Verification};
use crate::golang::semver::Version;
use crate::golang::semver_constraint::Constraint;
use manifest::{Any, Descriptor, Manifest};

/// The most bytes of a provenance file or a config.
const MAX_SMALL: u64 = 1 << 20;

/// One artifact.
pub struct Artifact {
    reference: OciRef,
    repository: Repository,
    context: Context,
}

/// A version as a tag, and a tag as a version.
pub fn tag_of(version: &str) -> String {
    version.replace('+', "_")
}

pub fn version_of(tag: &str) -> String {
    tag.replace('_', "+")
}

/// The versions among tags, the highest first; of equal ones in the tags' own order.
///
/// # Errors
/// As [`Repository::tags`].
pub async fn versions(repository: &Repository) -> Result<Vec<String>, SourceError> {
    let mut found: Vec<Version> =
        repository.tags().await?.iter().filter_map(|t| Version::strict(version_of(t)).ok()).collect();
    found.sort_by(|a, b| b.compare(a));
    Ok(found.into_iter().map(|v| v.original).collect())
}

/// Chooses among versions, highest first, as Helm does: the very text, or else the first in the range.
///
/// # Errors
/// Helm's text.
pub fn choose<'v>(versions: &'v [String], wanted: &str) -> Result<&'v str, SourceError> {
    if let Some(same) = versions.iter().find(|v| *v == wanted) {
        return Ok(same);
    }
    let range = if wanted.is_empty() { "*" } else { wanted };
    let constraint = Constraint::new(range).map_err(SourceError::refused)?;
    let fits = |v: &&String| Version::new(v.as_str()).is_ok_and(|v| constraint.check(&v));
    versions.iter().find(fits).map(String::as_str).ok_or_else(|| {
        SourceError::refused(format!("could not locate a version matching provided version string {wanted}"))
    })
}

impl Artifact {
    /// # Errors
    /// The options name certificates that can't be used, or the host is none.
    pub fn new(reference: &OciRef, context: &Context) -> Result<Self, SourceError> {
        let repository = Repository::new(reference, context)?;
        Ok(Self { reference: reference.clone(), repository, context: context.clone() })
    }

    /// The tag that is meant, where it is one: as written, of the version, or the best in the range.
    async fn tag(&self) -> Result<Option<String>, SourceError> {
        let r = &self.reference;
        let version = r.version.as_deref().unwrap_or_default();
        if let Some(tag) = &r.tag {
            if !version.is_empty() && version_of(tag) != version && tag != version {
                return Err(SourceError::refused(format!(
                    "chart reference and version mismatch: {version} is not {}",
                    version_of(tag)
                )));
            }
            return Ok(Some(tag_of(tag)));
        }
        if Version::new(version).is_ok() {
            return Ok(Some(tag_of(version)));
        }
        if r.digest.is_some() && version.is_empty() {
            return Ok(None);
        }
        let versions = versions(&self.repository).await?;
        if versions.is_empty() {
            let place = self.repository.place();
            return Err(SourceError::refused(format!("unable to locate any tags in provided repository: {place}")));
        }
        Ok(Some(tag_of(choose(&versions, version)?)))
    }

    fn resolved(&self, tag: Option<&str>, digest: &Digest) -> Resolved {
        let base = self.repository.name.rsplit('/').next().unwrap_or_default();
        let tail = self.reference.path.as_ref().map(|p| format!("//{p}")).unwrap_or_default();
        let file_name = match (&self.reference.path, tag) {
            (Some(path), _) => path.rsplit('/').next().unwrap_or_default().to_string(),
            (None, Some(tag)) => format!("{base}-{}.tgz", version_of(tag)),
            (None, None) => format!("{base}@{}-{}.tgz", digest.algorithm(), digest.hex()),
        };
        Resolved {
            revision: tag.map_or_else(|| digest.to_string(), |t| format!("{}@{digest}", version_of(t))),
            key: format!("oci:{digest}{tail}"),
            file_name,
            location: format!("{}@{digest}{tail}", self.repository.place()),
            immutable: self.reference.digest.is_some(),
            ..Resolved::default()
        }
    }

    /// The manifest behind a resolution, through an index if it is one.
    async fn manifest(&self, resolved: &Resolved) -> Result<Manifest, SourceError> {
        let digest = digest_of(resolved)?;
        let place = &resolved.location;
        let index = match manifest::parse(&self.repository.manifest(&digest.to_string()).await?, place)? {
            Any::Manifest(m) => return Ok(m),
            Any::Index(index) => index,
        };
        let mut first = None;
        for entry in index.candidates() {
            let bytes = self.repository.manifest(&entry.digest.to_string()).await?;
            if let Any::Manifest(m) = manifest::parse(&bytes, place)? {
                if m.is_helm() {
                    return Ok(m);
                }
                first.get_or_insert(m);
            }
        }
        first.ok_or_else(|| {
            SourceError::new(Reason::Malformed, place, "the image index names no manifest that can be used")
        })
    }

    async fn layer(&self, layer: &Descriptor) -> Result<Vec<u8>, SourceError> {
        self.repository.blob(&layer.digest, layer.size, self.context.options.max_artifact).await
    }

    /// The layer that holds what is meant.
    fn wanted<'m>(&self, m: &'m Manifest, place: &str) -> Result<&'m Descriptor, SourceError> {
        const TITLE: &str = "org.opencontainers.image.title";
        if m.is_helm() {
            let (layer, legacy) = m.chart()?;
            if legacy {
                tracing::warn!("chart media type {} is deprecated", manifest::HELM_CHART_LEGACY);
            }
            return Ok(layer);
        }
        match &self.reference.path {
            Some(path) => m.layers.iter().find(|l| l.annotations.get(TITLE) == Some(path)).ok_or_else(|| {
                SourceError::new(Reason::NotFound, place, format!("the artifact has no layer with the title {path:?}"))
            }),
            None => m.chart().map(|c| c.0),
        }
    }
}

/// The manifest's digest, which the resolution's key begins with.
pub(super) fn digest_of(resolved: &Resolved) -> Result<Digest, SourceError> {
    let text = resolved.key.strip_prefix("oci:").unwrap_or_default().split("//").next().unwrap_or_default();
    text.parse().map_err(|e: String| SourceError::new(Reason::Malformed, &resolved.location, e))
}

/// One file of a packed chart.
fn file_in(archive: &[u8], path: &str, place: &str) -> Result<Vec<u8>, SourceError> {
    let files = crate::chart::archive::read(archive)
        .map_err(|e| SourceError::new(Reason::Malformed, place, format!("not an archive: {e}")))?;
    let found = files.into_iter().find(|f| f.name == path);
    found
        .map(|f| f.data.to_vec())
        .ok_or_else(|| SourceError::new(Reason::NotFound, place, format!("the chart has no file {path:?}")))
}

#[async_trait]
impl Fetch for Artifact {
    async fn resolve(&self, known: Option<&Resolved>) -> Result<Resolved, SourceError> {
        let tag = self.tag().await?;
        let now = match (&tag, &self.reference.digest) {
            (None, Some(digest)) => digest.clone(),
            (Some(tag), Some(pinned)) => match self.repository.head(tag).await {
                Ok(now) if now != *pinned => {
                    let message = format!("chart reference digest mismatch: {now} is not {pinned}");
                    return Err(SourceError::new(Reason::Digest, "", message)
                        .hint("the tag was moved: look at what changed, then pin the new digest"));
                }
                // What is pinned need not have a tag.
                Ok(_) => pinned.clone(),
                Err(e) if e.reason == Reason::NotFound => pinned.clone(),
                Err(e) => return Err(e),
            },
            (Some(tag), None) => self.repository.head(tag).await?,
            (None, None) => return Err(SourceError::refused("an OCI reference needs a tag, a version or a digest")),
        };
        let resolved = self.resolved(tag.as_deref(), &now);
        match known {
            Some(known) if known.key == resolved.key && known.revision == resolved.revision => {
                Ok(Resolved { unchanged: true, ..known.clone() })
            }
            _ => Ok(resolved),
        }
    }

    async fn content(&self, resolved: &Resolved) -> Result<Content, SourceError> {
        let m = self.manifest(resolved).await?;
        let layer = self.wanted(&m, &resolved.location)?;
        let bytes = self.layer(layer).await?;
        let mut resolved = resolved.clone();
        let (kind, bytes) = match &self.reference.path {
            Some(path) if m.is_helm() => (Kind::File, file_in(&bytes, path, &resolved.location)?),
            Some(_) => (Kind::File, bytes),
            None => {
                resolved.digest = Some(layer.digest.clone());
                (Kind::Archive, bytes)
            }
        };
        // Neither a digest nor a tag such as `stable` says what the archive is called; the chart does.
        let named = self.reference.tag.as_deref().or(self.reference.version.as_deref());
        if kind == Kind::Archive && m.is_helm() && named.is_none_or(|n| Version::new(version_of(n)).is_err()) {
            #[derive(serde::Deserialize)]
            struct Config {
                name: String,
                version: String,
            }
            let config = self.repository.blob(&m.config.digest, m.config.size, MAX_SMALL).await?;
            if let Ok(c) = serde_json::from_slice::<Config>(&config)
                && !c.name.contains(['/', '\0'])
                && !c.version.contains(['/', '\0'])
            {
                resolved.file_name = format!("{}-{}.tgz", c.name, c.version);
            }
        }
        Ok(Content { kind, bytes: bytes.into(), resolved: Some(resolved) })
    }

    async fn provenance_file(&self, resolved: &Resolved) -> Result<Option<Vec<u8>>, SourceError> {
        let m = self.manifest(resolved).await?;
        let Some(layer) = m.provenance() else { return Ok(None) };
        Ok(Some(self.repository.blob(&layer.digest, layer.size, MAX_SMALL).await?))
    }

    async fn verify(&self, resolved: &Resolved, content: &Content) -> Result<Vec<Verification>, SourceError> {
        let digest = digest_of(resolved)?;
        // What is signed is the manifest: the content must be what it names.
        let m = self.manifest(resolved).await?;
        let layer = self.wanted(&m, &resolved.location)?;
        match &self.reference.path {
            Some(path) if m.is_helm() => {
                let whole = self.layer(layer).await?;
                if file_in(&whole, path, &resolved.location)? != *content.bytes {
                    return Err(SourceError::new(Reason::Digest, &resolved.location, "the file is not the artifact's"));
                }
            }
            _ => layer.digest.check(&content.bytes, &resolved.location)?,
        }
        super::verify::cosign::verify(&self.repository, &digest, &self.context.options.verify).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_tag_is_chosen_as_helm_does() {
        let all: Vec<String> =
            ["2.0.0-rc.1", "1.2.0+b", "1.1.0", "1.0.0", "0.9.0"].iter().map(|s| s.to_string()).collect();
        for (wanted, want) in [
            ("", "1.2.0+b"),
            ("^1", "1.2.0+b"),
            ("1.1.0", "1.1.0"),
            ("~1.0", "1.0.0"),
            (">=1.0.0-0", "2.0.0-rc.1"),
            ("<1", "0.9.0"),
        ] {
            assert_eq!(choose(&all, wanted).unwrap(), want, "{wanted}");
        }
        let none = choose(&all, "^3").unwrap_err();
        assert_eq!(none.to_string(), "could not locate a version matching provided version string ^3");
        assert!(choose(&all, "not a range").is_err());
    }
}
