//! References to container images: `registry/name:tag@digest`.

use std::fmt;

/// A reference taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageRef {
    pub repository: String,
    pub tag: Option<String>,
    pub digest: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseImageError {
    #[error("{0:?} is no image reference: write REPOSITORY:TAG, REPOSITORY@DIGEST or REPOSITORY:TAG@DIGEST")]
    Reference(String),
    #[error("{0:?} is no image tag: 1 to 128 letters, digits, `_`, `.` and `-`, the first no `.` or `-`")]
    Tag(String),
}

/// A tag as registries take it.
fn is_tag(text: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.len() <= 128 && text.starts_with(word) && text.chars().all(|c| word(c) || c == '.' || c == '-')
}

/// `sha256:…`
fn is_digest(text: &str) -> bool {
    text.split_once(':').is_some_and(|(algorithm, hash)| {
        let word = |s: &str| !s.is_empty() && s.chars().all(|c| c.is_ascii_alphanumeric());
        word(hash) && algorithm.split(['+', '.', '_', '-']).all(word)
    })
}

impl ImageRef {
    /// A tag, or a tag with a digest behind it.
    pub fn check_tag(text: &str) -> Result<(), ParseImageError> {
        let (tag, digest) = text.split_once('@').map_or((text, None), |(tag, digest)| (tag, Some(digest)));
        if is_tag(tag) && digest.is_none_or(is_digest) { Ok(()) } else { Err(ParseImageError::Tag(text.to_owned())) }
    }

    /// Takes a reference apart; one without tag and digest is a repository.
    pub fn split(text: &str) -> Option<Self> {
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) if digest.contains(':') => (name, Some(digest.to_owned())),
            Some(_) => return None,
            None => (text, None),
        };
        // A colon before the last slash belongs to the registry's port.
        let (repository, tag) = match name.rsplit_once(':') {
            Some((repository, tag)) if !tag.contains('/') => (repository, Some(tag.to_owned())),
            _ => (name, None),
        };
        let fine = |s: &str| !s.is_empty() && s.chars().all(|c| c.is_ascii_graphic());
        // Another colon stands before a registry's port only.
        let (registry, path) = repository.split_once('/').unwrap_or((repository, ""));
        let port = registry.split_once(':').is_none_or(|(_, port)| !path.is_empty() && !port.is_empty());
        let valid = port
            && !path.contains(':')
            && fine(repository)
            && tag.as_deref().is_none_or(fine)
            && digest.as_deref().is_none_or(fine);
        valid.then(|| Self { repository: repository.to_owned(), tag, digest })
    }

    /// The name behind the last slash.
    pub fn base(&self) -> &str {
        self.repository.rsplit('/').next().unwrap_or_default()
    }

    /// Only a name without a path: any repository of that name is meant, and stays where it is.
    pub fn is_short(&self) -> bool {
        !self.repository.contains('/')
    }

    /// True if a repository may be this image's, here or moved: it has the same name.
    pub fn is_at(&self, repository: &str) -> bool {
        repository.rsplit('/').next().unwrap_or_default() == self.base()
    }

    /// The registry and what is behind it, if a registry is named.
    pub fn registry(&self) -> Option<(&str, &str)> {
        self.repository.split_once('/').filter(|(host, _)| host.contains(['.', ':']) || *host == "localhost")
    }
}

impl std::str::FromStr for ImageRef {
    type Err = ParseImageError;

    fn from_str(text: &str) -> Result<Self, ParseImageError> {
        let image = Self::split(text).filter(|image| {
            let (tag, digest) = (image.tag.as_deref(), image.digest.as_deref());
            (tag.is_some() || digest.is_some()) && tag.is_none_or(is_tag) && digest.is_none_or(is_digest)
        });
        image.ok_or_else(|| ParseImageError::Reference(text.to_owned()))
    }
}

impl fmt::Display for ImageRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}
