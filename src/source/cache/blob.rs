//! Content by digest.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use sha2::{Digest as _, Sha256};

use crate::source::{Digest, SourceError};

use super::Cache;

/// How exact the time of last use is: to touch a file at each read would cost a write each.
const TOUCH: Duration = Duration::from_secs(60);

impl Cache {
    pub(super) fn blob_path(&self, digest: &Digest) -> PathBuf {
        let hex = digest.hex();
        self.dir.join("blobs").join(hex.get(..2).unwrap_or("00")).join(hex)
    }

    /// Whether content is here, without a look at it.
    pub fn has(&self, digest: &Digest) -> bool {
        digest.algorithm() == "sha256" && self.blob_path(digest).is_file()
    }

    /// Where content lies. Who reads it there must have checked it.
    pub(in crate::source) fn path_of(&self, digest: &Digest) -> PathBuf {
        self.blob_path(digest)
    }

    /// The content with a digest, if it is here and whole.
    pub fn blob(&self, digest: &Digest) -> Option<Vec<u8>> {
        if digest.algorithm() != "sha256" {
            return None;
        }
        let path = self.blob_path(digest);
        let mut file = File::open(&path).ok()?;
        let meta = file.metadata().ok()?;
        let mut bytes = Vec::with_capacity(usize::try_from(meta.len()).ok()?);
        file.read_to_end(&mut bytes).ok()?;
        if !digest.matches(&bytes) {
            tracing::warn!(path = %path.display(), "a damaged file was removed from the cache");
            let _ = fs::remove_file(&path);
            return None;
        }
        touch(&file, &meta);
        Some(bytes)
    }

    /// Reads content piece by piece, without holding it; `true` if all of it came and was whole. What was given to `each` before a `false`
    /// must not be used.
    ///
    /// # Errors
    /// What `each` says.
    pub fn stream<E>(&self, digest: &Digest, mut each: impl FnMut(&[u8]) -> Result<(), E>) -> Result<bool, E> {
        let path = self.blob_path(digest);
        let Ok(mut file) = File::open(&path) else { return Ok(false) };
        let mut hasher = Sha256::new();
        let mut buffer = vec![0; 1 << 16];
        loop {
            match file.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => {
                    let piece = buffer.get(..n).unwrap_or_default();
                    hasher.update(piece);
                    each(piece)?;
                }
                Err(_) => return Ok(false),
            }
        }
        let whole = Digest::of_hasher(hasher) == *digest;
        if whole {
            if let Ok(meta) = file.metadata() {
                touch(&file, &meta);
            }
        } else {
            tracing::warn!(path = %path.display(), "a damaged file was removed from the cache");
            let _ = fs::remove_file(&path);
        }
        Ok(whole)
    }

    /// Keeps content.
    ///
    /// # Errors
    /// [`Reason::Disk`](crate::source::Reason::Disk). Nothing is left behind.
    pub fn put(&self, bytes: &[u8]) -> Result<Digest, SourceError> {
        let digest = Digest::of(bytes);
        let path = self.blob_path(&digest);
        // What is there already was checked when it was written, and is checked again when it is read.
        if fs::metadata(&path).is_ok_and(|m| m.len() == bytes.len() as u64) {
            return Ok(digest);
        }
        let mut writer = self.writer()?;
        writer.write(bytes)?;
        writer.commit()
    }

    /// Keeps content whose digest is known only at its end.
    ///
    /// # Errors
    /// As [`Self::put`].
    pub fn writer(&self) -> Result<Writer<'_>, SourceError> {
        let (path, file) = self.temporary()?;
        Ok(Writer { cache: self, path, file, hasher: Sha256::new(), size: 0, done: false })
    }

    /// A new file that nobody else writes to.
    fn temporary(&self) -> Result<(PathBuf, File), SourceError> {
        let dir = self.ensure("tmp")?;
        let mut random = [0; 8];
        let _ = getrandom::fill(&mut random);
        let path = dir.join(format!("{}-{:016x}", std::process::id(), u64::from_le_bytes(random)));
        let file = File::options().create_new(true).write(true).open(&path);
        file.map(|f| (path.clone(), f)).map_err(|e| SourceError::disk("the cache can't be written", &path, &e))
    }

    /// Writes a small file so that it is seen whole or not at all. Not synced: after a power cut it may be empty, and then counts as absent.
    pub(super) fn write_atomically(&self, to: &Path, bytes: &[u8]) -> Result<(), SourceError> {
        let (path, mut file) = self.temporary()?;
        let written = file.write_all(bytes).and_then(|()| fs::rename(&path, to));
        written.map_err(|e| {
            let _ = fs::remove_file(&path);
            SourceError::disk("the cache can't be written", to, &e)
        })
    }
}

fn touch(file: &File, meta: &fs::Metadata) {
    let now = SystemTime::now();
    if meta.modified().is_ok_and(|m| now.duration_since(m).is_ok_and(|age| age > TOUCH)) {
        // A file of a read-only cache keeps its time.
        let _ = file.set_modified(now);
    }
}

/// Content on its way into the cache. Dropped without [`commit`](Self::commit), it leaves nothing behind.
pub struct Writer<'c> {
    cache: &'c Cache,
    path: PathBuf,
    file: File,
    hasher: Sha256,
    size: u64,
    done: bool,
}

impl Writer<'_> {
    /// # Errors
    /// [`Reason::Disk`](crate::source::Reason::Disk).
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), SourceError> {
        self.hasher.update(bytes);
        self.size += bytes.len() as u64;
        self.file.write_all(bytes).map_err(|e| SourceError::disk("the cache can't be written", &self.path, &e))
    }

    /// Bytes so far.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Makes the content visible under its digest. Not synced: what a power cut leaves of it is not its digest's, which every read checks.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub fn commit(mut self) -> Result<Digest, SourceError> {
        let digest = Digest::of_hasher(std::mem::take(&mut self.hasher));
        let to = self.cache.blob_path(&digest);
        let fail = |e: std::io::Error| SourceError::disk("the cache can't be written", &to, &e);
        let dir = format!("blobs/{}", digest.hex().get(..2).unwrap_or("00"));
        self.cache.ensure(&dir)?;
        fs::rename(&self.path, &to).map_err(fail)?;
        self.done = true;
        self.cache.grown(self.size);
        Ok(digest)
    }
}

impl Drop for Writer<'_> {
    fn drop(&mut self) {
        if !self.done {
            let _ = fs::remove_file(&self.path);
        }
    }
}
