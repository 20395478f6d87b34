//! A chart repository's `index.yaml`: which versions of a chart there are, and where.
//!
//! Indexes have tens of megabytes, of which one chart is wanted. The file is read once, as a stream, and only the wanted charts' entries are
//! parsed (`scan`); what was found is kept beside the index in the cache, so that the next question needs nothing but "has it changed?".
//! The choice of a version is Helm's. Source: Helm 4.3 `pkg/repo/v1/index.go`, `pkg/downloader/manager.go`, `internal/resolver`.

mod choose;
mod fetch;
mod item;
mod json;
mod scan;
mod search;
mod write;

pub use choose::{Choice, choose, locked, newest_in};
pub use fetch::{Repository, all, versions};
pub use search::{Catalog, Hit};
pub use write::{Index, Left};

use serde::{Deserialize, Serialize};

use super::SourceError;

/// Which charts of an index are wanted.
#[derive(Clone, Copy, Debug)]
pub enum Charts<'n> {
    All,
    Named(&'n [&'n str]),
}

impl Charts<'_> {
    fn has(self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Named(names) => names.contains(&name),
        }
    }
}

/// One version of a chart, as far as finding and fetching it goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChartVersion {
    pub version: String,
    /// May be relative to the repository.
    pub urls: Vec<String>,
    pub digest: Option<String>,
    #[serde(default)]
    pub app_version: String,
    #[serde(default)]
    pub description: String,
    /// As the entry itself says it, which need not be the key that it stands under.
    #[serde(default)]
    pub name: String,
    #[serde(default)]
    pub keywords: Vec<String>,
}

/// The versions of the wanted charts, the highest first; a chart that is not in the index is not in the map.
pub type Found = std::collections::BTreeMap<String, Vec<ChartVersion>>;

/// Reads an index from its bytes.
///
/// # Errors
/// Helm's words for an index that is none.
pub fn read(bytes: &[u8], charts: Charts<'_>) -> Result<Found, SourceError> {
    let scanned = match bytes.iter().find(|b| !b.is_ascii_whitespace()) {
        None => return Err(SourceError::refused("empty index.yaml file")),
        Some(b'{') => json::read(bytes, charts).map_err(|_| scan::Stop::Unusual),
        Some(_) => {
            let mut scanner = scan::Scanner::new(charts);
            scanner.feed(bytes).and_then(|()| scanner.finish())
        }
    };
    let found = match scanned {
        Ok(found) => found,
        Err(scan::Stop::Error(e)) => return Err(e),
        Err(scan::Stop::Unusual) => scan::whole(bytes, charts)?,
    };
    Ok(sorted(found))
}

/// The highest first, as Helm sorts them; equal ones stay as they stood.
fn sorted(mut found: Found) -> Found {
    use crate::golang::semver::Version;
    for versions in found.values_mut() {
        versions.sort_by_cached_key(|v| std::cmp::Reverse(Version::new(&v.version).ok().map(Ordered)));
    }
    found
}

/// By precedence.
struct Ordered(crate::golang::semver::Version);

impl Ord for Ordered {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.compare(&other.0)
    }
}
impl PartialOrd for Ordered {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl PartialEq for Ordered {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}
impl Eq for Ordered {}

#[cfg(test)]
mod tests;
