//! What is to be changed, for whom.

use std::fmt;

use super::image::{ImageRef, ParseImageError};

/// The value that is to be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The image's tag.
    Tag(String),
    /// The image: repository with tag, digest or both.
    Image(ImageRef),
    /// The version of the chart.
    ChartVersion(String),
    /// A value by its path (`a.b.0.c`) in the service's values.
    Set { path: Vec<String>, value: String },
}

impl Change {
    /// A new tag; with its digest behind it (`1.2.3@sha256:…`) if there is one.
    pub fn tag(text: &str) -> Result<Self, ParseImageError> {
        ImageRef::check_tag(text)?;
        Ok(Self::Tag(text.to_owned()))
    }

    /// The digest of the image that is to be there.
    pub fn digest(&self) -> Option<&str> {
        match self {
            Self::Image(image) => image.digest.as_deref(),
            _ => None,
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => write!(f, "tag {tag}"),
            Self::Image(image) => write!(f, "image {image}"),
            Self::ChartVersion(version) => write!(f, "chart version {version}"),
            Self::Set { path, value } => write!(f, "{}={value}", path.join(".")),
        }
    }
}

/// One change for one service in one environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    pub env: String,
    pub service: String,
    pub change: Change,
    /// Only this file, as a path in the repository; [`Change::Set`] then counts from the document's root.
    pub file: Option<String>,
}

impl fmt::Display for Intent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.file, self.env.is_empty()) {
            (Some(file), _) => write!(f, "{file}: {}", self.change),
            (None, true) => write!(f, "{}: {}", self.service, self.change),
            (None, false) => write!(f, "{} in {}: {}", self.service, self.env, self.change),
        }
    }
}
