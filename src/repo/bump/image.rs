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
#[error("{0:?} is no image reference: write REPOSITORY:TAG, REPOSITORY@DIGEST or REPOSITORY:TAG@DIGEST")]
pub struct ParseImageError(pub String);

impl ImageRef {
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
        let valid = fine(repository) && tag.as_deref().is_none_or(fine) && digest.as_deref().is_none_or(fine);
        valid.then(|| Self { repository: repository.to_owned(), tag, digest })
    }

    /// The name behind the last slash.
    pub fn base(&self) -> &str {
        self.repository.rsplit('/').next().unwrap_or_default()
    }
}

impl std::str::FromStr for ImageRef {
    type Err = ParseImageError;

    fn from_str(text: &str) -> Result<Self, ParseImageError> {
        let wrong = || ParseImageError(text.to_owned());
        let image = Self::split(text).ok_or_else(wrong)?;
        if image.tag.is_none() && image.digest.is_none() { Err(wrong()) } else { Ok(image) }
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
