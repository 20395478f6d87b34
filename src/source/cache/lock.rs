//! One process at a time.

use std::fs::{File, TryLockError};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::source::Digest;

use super::Cache;

/// Held while one reference is fetched; the system frees it when the process ends, however it ends.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "held for its lock")] Option<File>);

impl Cache {
    /// Waits until no other process or task fetches the key. After `patience`, and where the file system has no locks, it goes on without
    /// one: two then fetch the same, and nothing else happens, for all writes are atomic.
    pub async fn lock(&self, key: &str, patience: Duration) -> Lock {
        let Ok(dir) = self.ensure("locks") else { return Lock(None) };
        let path = dir.join(Digest::of(key.as_bytes()).hex());
        let Ok(file) = File::options().create(true).truncate(false).write(true).open(path) else { return Lock(None) };
        let end = Instant::now() + patience;
        let mut pause = Duration::from_millis(2);
        loop {
            match file.try_lock() {
                Ok(()) => return Lock(Some(file)),
                Err(TryLockError::WouldBlock) if Instant::now() < end => sleep(pause).await,
                Err(_) => return Lock(None),
            }
            pause = (pause * 2).min(Duration::from_millis(50));
        }
    }
}
