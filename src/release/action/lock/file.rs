//! Marks in a directory: a file that the operating system locks, and unlocks when its process ends, however it ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use async_trait::async_trait;

use super::{Held, LockError, Locks, Lost, Mark, Owner};

/// Marks beside the records of a directory.
#[derive(Clone, Debug)]
pub struct FileLocks {
    dir: PathBuf,
}

impl FileLocks {
    /// `dir`: where the records of the namespace lie.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    fn path(&self, release: &str) -> PathBuf {
        self.dir.join(format!(".{release}.lock"))
    }
}

fn io(path: &Path, e: &std::io::Error) -> LockError {
    LockError::Io(format!("cannot lock {}: {e}", path.display()))
}

/// Whether the open file is still the one at the path: its last owner may have removed it in between.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let id = |m: std::fs::Metadata| (m.dev(), m.ino());
    match (file.metadata(), std::fs::metadata(path)) {
        (Ok(a), Ok(b)) => id(a) == id(b),
        _ => false,
    }
}

#[cfg(not(unix))]
fn is_at(_file: &File, path: &Path) -> bool {
    path.exists()
}

#[async_trait]
impl Locks for FileLocks {
    async fn acquire(
        &self,
        release: &str,
        mut me: Owner,
        _waiting: &(dyn for<'o> Fn(&'o Owner) + Send + Sync),
    ) -> Result<Held, LockError> {
        let path = self.path(release);
        loop {
            std::fs::create_dir_all(&self.dir).map_err(|e| io(&path, &e))?;
            let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
            let mut file = opened.map_err(|e| io(&path, &e))?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    let owner = read(&mut file).unwrap_or_default();
                    return Err(LockError::Held(Box::new(owner)));
                }
                Err(TryLockError::Error(e)) => return Err(io(&path, &e)),
            }
            if !is_at(&file, &path) {
                continue;
            }
            let dead = read(&mut file);
            me.inherit(dead.as_ref());
            let written =
                file.set_len(0).and_then(|()| file.rewind()).and_then(|()| file.write_all(me.to_json().as_bytes()));
            written.map_err(|e| io(&path, &e))?;
            return Ok(Held { dead, lost: Lost::default(), mark: Box::new(Locked { file, path }) });
        }
    }

    async fn look(&self, release: &str) -> Result<Option<Owner>, LockError> {
        let path = self.path(release);
        match File::open(&path) {
            Ok(mut file) => Ok(read(&mut file)),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(io(&path, &e)),
        }
    }
}

/// What the file says; `None` for an empty one.
fn read(file: &mut File) -> Option<Owner> {
    let mut text = String::new();
    file.rewind().and_then(|()| file.read_to_string(&mut text)).ok()?;
    (!text.is_empty()).then(|| Owner::parse(&text))
}

struct Locked {
    file: File,
    path: PathBuf,
}

#[async_trait]
impl Mark for Locked {
    async fn release(self: Box<Self>) {
        // Removed while it is locked: whoever opened it before sees that it is gone.
        let _ = std::fs::remove_file(&self.path);
        if let Some(dir) = self.path.parent() {
            // Nothing else may be there: a release that was uninstalled leaves no trace.
            let _ = std::fs::remove_dir(dir);
        }
        drop(self.file);
    }
}
