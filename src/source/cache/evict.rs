//! Keeping the cache within its bound.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use super::{Cache, Record};

/// Temporary files of processes that were killed.
const STALE: Duration = Duration::from_secs(3600);
/// References that are remembered.
const MAX_RECORDS: usize = 20_000;
/// The bound is looked at once in a process, and again after so many bytes.
const STRIDE: u64 = 64 << 20;

/// What a pruning took away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    pub files: usize,
    pub bytes: u64,
    /// Bytes that stay.
    pub kept: u64,
}

struct Blob {
    path: PathBuf,
    size: u64,
    used: SystemTime,
}

impl Cache {
    /// Called after `size` bytes were added.
    pub(super) fn grown(&self, size: u64) {
        static SINCE: AtomicU64 = AtomicU64::new(STRIDE);
        if SINCE.fetch_add(size, Ordering::Relaxed).saturating_add(size) < STRIDE.min(self.max / 8) {
            return;
        }
        SINCE.store(0, Ordering::Relaxed);
        let size: u64 = self.blobs().iter().map(|b| b.size).sum();
        if size > self.max {
            // Some room at once, so that not every process has to.
            self.prune(self.max / 10 * 9);
        }
    }

    fn blobs(&self) -> Vec<Blob> {
        let dirs = fs::read_dir(self.dir.join("blobs")).into_iter().flatten().flatten();
        let files = dirs.flat_map(|d| fs::read_dir(d.path()).into_iter().flatten().flatten());
        let blob = |e: fs::DirEntry| {
            let meta = e.metadata().ok()?;
            Some(Blob { path: e.path(), size: meta.len(), used: meta.modified().ok()? })
        };
        files.filter_map(blob).collect()
    }

    /// Bytes of content.
    pub fn size(&self) -> u64 {
        self.blobs().iter().map(|b| b.size).sum()
    }

    /// Removes what was not used for longest until no more than `max` bytes are left, with the records of what is gone, and what killed
    /// processes left. Others may read and write meanwhile.
    pub fn prune(&self, max: u64) -> Pruned {
        let mut blobs = self.blobs();
        blobs.sort_by_key(|b| b.used);
        let mut out = Pruned { kept: blobs.iter().map(|b| b.size).sum(), ..Pruned::default() };
        for b in blobs {
            if out.kept <= max {
                break;
            }
            if fs::remove_file(&b.path).is_ok() {
                out.files += 1;
                out.bytes += b.size;
                out.kept -= b.size;
            }
        }
        self.prune_records();
        let old = |e: &fs::DirEntry| {
            let age =
                e.metadata().and_then(|m| m.modified()).ok().and_then(|m| SystemTime::now().duration_since(m).ok());
            age.is_some_and(|a| a > STALE)
        };
        for dir in ["tmp", "locks"] {
            for e in fs::read_dir(self.dir.join(dir)).into_iter().flatten().flatten().filter(old) {
                let _ = fs::remove_file(e.path());
            }
        }
        out
    }

    fn prune_records(&self) {
        let mut kept: Vec<(SystemTime, PathBuf)> = Vec::new();
        for e in fs::read_dir(self.dir.join("refs")).into_iter().flatten().flatten() {
            let record = fs::read(e.path()).ok().and_then(|b| serde_json::from_slice::<Record>(&b).ok());
            if record.is_some_and(|r| self.blob_path(&r.digest).exists()) {
                let used = e.metadata().and_then(|m| m.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
                kept.push((used, e.path()));
            } else {
                let _ = fs::remove_file(e.path());
            }
        }
        kept.sort();
        for (_, path) in kept.iter().rev().skip(MAX_RECORDS) {
            let _ = fs::remove_file(path);
        }
    }
}
