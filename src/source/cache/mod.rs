//! Content on disk by its digest, for many processes at once.
//!
//! | in the directory | what |
//! | --- | --- |
//! | `v1/blobs/ab/ab12…` | content, named by its SHA-256; changed by nobody, checked at every read |
//! | `v1/refs/cd34….json` | what a reference meant the last time, with the provenance of the content: a [`Record`] |
//! | `v1/locks/` | one process at a time fetches one reference |
//! | `v1/tmp/` | files being written |
//!
//! A file is written beside, synced, and renamed into place: who is killed leaves only a temporary file behind, which a later process removes.
//! A damaged blob is removed when it is read, and counts as absent. A cache that can't be written is no reason to fail: the content was
//! fetched, it is only not kept. Blobs that were not used for longest go first when the cache outgrows its bound (`PINTLE_CACHE_SIZE`, 4 GiB).

mod blob;
mod evict;
mod lock;
mod record;

pub use blob::Writer;
pub use evict::Pruned;
pub use lock::Lock;
pub use record::Record;

use std::fs;
use std::path::{Path, PathBuf};

use super::SourceError;

/// Bytes that the cache may hold by default.
pub const MAX_SIZE: u64 = 4 << 30;

/// Where the user's cache lies: `PINTLE_CACHE_DIR`, or `pintle/sources` in `XDG_CACHE_HOME` or `~/.cache`.
pub fn default_dir() -> PathBuf {
    let set = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    set("PINTLE_CACHE_DIR").unwrap_or_else(|| {
        let base = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|h| h.join(".cache")));
        base.unwrap_or_else(std::env::temp_dir).join("pintle/sources")
    })
}

/// A cache directory. Nothing is created before something is written.
#[derive(Clone, Debug)]
pub struct Cache {
    dir: PathBuf,
    max: u64,
}

impl Cache {
    /// The cache in a directory; `None` is the user's.
    pub fn new(dir: Option<&Path>) -> Self {
        let max = std::env::var("PINTLE_CACHE_SIZE").ok().and_then(|s| size(&s)).unwrap_or(MAX_SIZE);
        Self { dir: dir.map_or_else(default_dir, Path::to_path_buf).join("v1"), max }
    }

    /// With another bound, in bytes.
    #[must_use]
    pub const fn with_max(mut self, max: u64) -> Self {
        self.max = max;
        self
    }

    /// Where it lies.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    fn ensure(&self, name: &str) -> Result<PathBuf, SourceError> {
        let dir = self.dir.join(name);
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        // Charts of private sources are nobody else's business.
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&dir).map_err(|e| SourceError::disk("the cache can't be created", &dir, &e))?;
        Ok(dir)
    }
}

/// `500M`, `4G`, `1073741824`.
pub fn size(text: &str) -> Option<u64> {
    let text = text.trim().trim_end_matches(['B', 'b', 'i']);
    let (number, shift) = match text.as_bytes().last()? {
        b'K' | b'k' => (&text[..text.len() - 1], 10),
        b'M' | b'm' => (&text[..text.len() - 1], 20),
        b'G' | b'g' => (&text[..text.len() - 1], 30),
        b'T' | b't' => (&text[..text.len() - 1], 40),
        _ => (text, 0),
    };
    number.trim().parse::<u64>().ok()?.checked_mul(1 << shift)
}

#[cfg(test)]
mod tests;
