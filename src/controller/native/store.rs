//! Artifacts on the disk, where source-controller keeps them: `<kind>/<namespace>/<name>/<file>` below the storage path.
//!
//! A file is written beside its place, hashed on the way, and renamed: it is there whole or not at all. Old files stay for those who still
//! fetch them, up to an age and a number. A restart finds what the disk holds; what is missing or damaged is fetched again by who owns it.
//! Source: fluxcd/pkg `artifact/storage`.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use sha2::{Digest as _, Sha256};

use crate::source::Digest;

/// The most files of one object that are looked at when old ones are removed.
const MAX_FILES: usize = 1000;
/// Marks a file that is being written.
const UNFINISHED: &str = ".unfinished-";

/// Where artifacts are kept and how they are named to others.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// `--storage-path`.
    pub path: PathBuf,
    /// `--storage-adv-addr`: `host`, `host:port`, or with `http://` or `https://` before it.
    pub advertised: String,
    /// `--artifact-retention-ttl`: how long a replaced artifact stays.
    pub ttl: Duration,
    /// `--artifact-retention-records`: how many artifacts of an object stay.
    pub records: usize,
}

/// The artifacts of this controller.
pub struct Store {
    root: PathBuf,
    advertised: String,
    ttl: Duration,
    records: usize,
    /// What was hashed already: size and time of files whose digest is known.
    known: Mutex<HashMap<PathBuf, (u64, SystemTime, Digest)>>,
}

/// A file that was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    pub digest: Digest,
    pub size: u64,
}

impl Store {
    /// Opens the store, and removes what a killed process left unfinished.
    ///
    /// # Errors
    /// The folder can't be made or read.
    pub fn open(options: &StoreOptions) -> io::Result<Self> {
        fs::create_dir_all(&options.path)?;
        let root = fs::canonicalize(&options.path)?;
        remove_unfinished(&root, 0);
        let StoreOptions { advertised, ttl, records, .. } = options.clone();
        Ok(Self { root, advertised, ttl, records, known: Mutex::default() })
    }

    /// An artifact's path, as the status has it.
    pub fn path(kind: &str, namespace: &str, name: &str, file: &str) -> String {
        // A version may hold what no file's name may.
        let file: String = file.chars().map(|c| if matches!(c, '/' | '\\' | '\0') { '-' } else { c }).collect();
        format!("{}/{namespace}/{name}/{file}", kind.to_lowercase())
    }

    /// The URL of a path.
    pub fn url(&self, path: &str) -> String {
        let scheme = if self.advertised.contains("://") { "" } else { "http://" };
        format!("{scheme}{}/{}", self.advertised.trim_end_matches('/'), path.trim_start_matches('/'))
    }

    /// Where a path lies on the disk; `None` for one that leads elsewhere.
    pub fn local(&self, path: &str) -> Option<PathBuf> {
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        let safe = |p: &&str| !p.is_empty() && !p.starts_with('.') && !p.contains(['\\', '\0']);
        (parts.len() == 4 && parts.iter().all(safe)).then(|| self.root.join(parts.join("/")))
    }

    /// Whether the file is there and is what its digest says. A file is hashed once, as long as nobody touches it.
    ///
    /// # Errors
    /// What is wrong with a file that is there.
    pub fn verify(&self, path: &str, digest: &str) -> Result<bool, String> {
        let Some(local) = self.local(path) else { return Ok(false) };
        let Ok(meta) = fs::symlink_metadata(&local) else { return Ok(false) };
        if !meta.is_file() {
            return Ok(false);
        }
        let wanted: Digest = digest.parse()?;
        let state = (meta.len(), meta.modified().unwrap_or(SystemTime::UNIX_EPOCH));
        if let Some((size, time, known)) = self.known().get(&local)
            && (*size, *time) == state
        {
            return if *known == wanted { Ok(true) } else { Err(mismatch(&wanted)) };
        }
        let mut file = File::open(&local).map_err(|e| e.to_string())?;
        let mut hasher = Sha256::new();
        let mut piece = vec![0; 64 << 10];
        loop {
            match file.read(&mut piece) {
                Ok(0) => break,
                Ok(n) => hasher.update(piece.get(..n).unwrap_or_default()),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e.to_string()),
            }
        }
        let found = Digest::of_hasher(hasher);
        self.known().insert(local, (state.0, state.1, found.clone()));
        if found == wanted { Ok(true) } else { Err(mismatch(&wanted)) }
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<PathBuf, (u64, SystemTime, Digest)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins to write a file.
    ///
    /// # Errors
    /// The disk's.
    pub fn begin(&self, path: &str) -> io::Result<Pending<'_>> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let local = self
            .local(path)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, format!("{path:?} is no artifact's path")))?;
        let folder = local.parent().unwrap_or(&self.root);
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(folder)?;
        let name = format!("{UNFINISHED}{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let temporary = folder.join(name);
        let mut options = File::options();
        options.create_new(true).write(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&temporary)?;
        Ok(Pending { store: self, file, temporary, local, hasher: Sha256::new(), size: 0, done: false })
    }

    /// Writes a whole file.
    ///
    /// # Errors
    /// The disk's.
    pub fn put(&self, path: &str, bytes: &[u8]) -> io::Result<Stored> {
        let mut pending = self.begin(path)?;
        pending.write_all(bytes)?;
        pending.commit()
    }

    /// Reads a whole file of at most `limit` bytes.
    ///
    /// # Errors
    /// The disk's, and that it is larger.
    pub fn read(&self, path: &str, limit: u64) -> io::Result<Vec<u8>> {
        let local = self.local(path).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        let size = fs::metadata(&local)?.len();
        if size > limit {
            return Err(io::Error::other(format!("the artifact has {size} bytes, more than {limit}")));
        }
        fs::read(local)
    }

    /// Points `link` (`latest.tar.gz`) in the artifact's folder at it; the link's URL.
    ///
    /// # Errors
    /// The disk's.
    pub fn link(&self, path: &str, link: &str) -> io::Result<String> {
        let local = self.local(path).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        let (Some(folder), Some(name)) = (local.parent(), local.file_name()) else {
            return Err(io::Error::from(io::ErrorKind::InvalidInput));
        };
        let temporary = folder.join(format!("{UNFINISHED}link"));
        let _ = fs::remove_file(&temporary);
        #[cfg(unix)]
        std::os::unix::fs::symlink(name, &temporary)?;
        #[cfg(not(unix))]
        fs::copy(&local, &temporary)?;
        fs::rename(&temporary, folder.join(link))?;
        let dir = path.rsplit_once('/').map_or("", |(d, _)| d);
        Ok(self.url(&format!("{dir}/{link}")))
    }

    /// Removes one file.
    pub fn remove(&self, path: &str) {
        if let Some(local) = self.local(path) {
            self.known().remove(&local);
            let _ = fs::remove_file(local);
        }
    }

    /// Removes all artifacts of an object; whether there were any.
    ///
    /// # Errors
    /// The disk's.
    pub fn remove_all(&self, kind: &str, namespace: &str, name: &str) -> io::Result<bool> {
        let Some(folder) =
            self.local(&Self::path(kind, namespace, name, "x")).and_then(|p| p.parent().map(PathBuf::from))
        else {
            return Ok(false);
        };
        self.known().retain(|path, _| !path.starts_with(&folder));
        match fs::remove_dir_all(&folder) {
            Ok(()) => Ok(true),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(e) => Err(e),
        }
    }

    /// Removes what is too old or too many beside the current artifact; how many files.
    ///
    /// # Errors
    /// The disk's.
    pub fn collect_garbage(&self, current: &str) -> io::Result<usize> {
        let Some(current) = self.local(current) else { return Ok(0) };
        let Some(folder) = current.parent() else { return Ok(0) };
        let now = SystemTime::now();
        let mut files = Vec::new();
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(0),
            Err(e) => return Err(e),
        };
        for entry in entries.take(MAX_FILES) {
            let entry = entry?;
            let Ok(meta) = entry.metadata() else { continue };
            let name = entry.file_name();
            if meta.is_file() && !name.to_string_lossy().starts_with('.') {
                files.push((meta.modified().unwrap_or(now), entry.path()));
            }
        }
        files.sort();
        let mut left = files.len();
        let mut removed = 0;
        let old = |t: &SystemTime| now.duration_since(*t).is_ok_and(|age| age > self.ttl);
        let mut remove = |path: &Path| {
            fs::remove_file(path)?;
            self.known().remove(path);
            removed += 1;
            io::Result::Ok(())
        };
        let mut rest = Vec::new();
        for (time, path) in files.into_iter().filter(|(_, p)| *p != current) {
            if old(&time) {
                remove(&path)?;
                left -= 1;
            } else {
                rest.push(path);
            }
        }
        for path in rest {
            if left <= self.records.max(1) {
                break;
            }
            remove(&path)?;
            left -= 1;
        }
        Ok(removed)
    }
}

fn mismatch(wanted: &Digest) -> String {
    format!("computed digest doesn't match '{wanted}'")
}

/// Files of a process that was killed while it wrote. They lie beside artifacts, four folders deep at most.
fn remove_unfinished(folder: &Path, depth: usize) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() && depth < 3 {
            remove_unfinished(&entry.path(), depth + 1);
        } else if !kind.is_dir() && entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// A file that is being written; it is gone unless it is committed.
pub struct Pending<'s> {
    store: &'s Store,
    file: File,
    temporary: PathBuf,
    local: PathBuf,
    hasher: Sha256,
    size: u64,
    done: bool,
}

impl Pending<'_> {
    /// Puts the file into its place.
    ///
    /// # Errors
    /// The disk's.
    pub fn commit(mut self) -> io::Result<Stored> {
        fs::rename(&self.temporary, &self.local)?;
        self.done = true;
        let digest = Digest::of_hasher(std::mem::take(&mut self.hasher));
        let modified = self.file.metadata().and_then(|m| m.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
        self.store.known().insert(self.local.clone(), (self.size, modified, digest.clone()));
        Ok(Stored { digest, size: self.size })
    }
}

impl Write for Pending<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.file.write(bytes)?;
        self.hasher.update(bytes.get(..n).unwrap_or(bytes));
        self.size += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        if !self.done {
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

/// The address that artifacts are advertised under when none is given: that of the server, by the machine's name where it listens everywhere.
pub fn advertised(address: &str) -> String {
    let (host, port) = address.rsplit_once(':').unwrap_or((address, "80"));
    let host = match host {
        "" => "localhost".to_string(),
        "0.0.0.0" | "[::]" => std::env::var("HOSTNAME")
            .ok()
            .filter(|h| !h.is_empty())
            .or_else(|| fs::read_to_string("/etc/hostname").ok().map(|h| h.trim().to_string()))
            .filter(|h| !h.is_empty())
            .unwrap_or_else(|| "localhost".into()),
        host => host.to_string(),
    };
    format!("{host}:{port}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(ttl: Duration, records: usize) -> (PathBuf, Store) {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let name = format!("pintle-store-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        let options = StoreOptions { path: path.clone(), advertised: "sc.flux-system.svc".into(), ttl, records };
        (path, Store::open(&options).unwrap())
    }

    #[test]
    fn files_are_there_whole_or_not_at_all() {
        let (dir, store) = store(Duration::from_secs(60), 2);
        let path = Store::path("GitRepository", "a", "b", "1.tar.gz");
        assert_eq!(path, "gitrepository/a/b/1.tar.gz");
        assert_eq!(store.url(&path), "http://sc.flux-system.svc/gitrepository/a/b/1.tar.gz");
        let digest = Digest::of(b"hello").to_string();
        assert_eq!(store.verify(&path, &digest), Ok(false));
        let mut half = store.begin(&path).unwrap();
        half.write_all(b"hel").unwrap();
        drop(half);
        assert_eq!(fs::read_dir(dir.join("gitrepository/a/b")).unwrap().count(), 0);
        let stored = store.put(&path, b"hello").unwrap();
        assert_eq!((stored.digest.to_string(), stored.size), (digest.clone(), 5));
        assert_eq!(store.verify(&path, &digest), Ok(true));
        assert_eq!(
            store.link(&path, "latest.tar.gz").unwrap(),
            "http://sc.flux-system.svc/gitrepository/a/b/latest.tar.gz"
        );
        assert_eq!(fs::read(dir.join("gitrepository/a/b/latest.tar.gz")).unwrap(), b"hello");
        // Damage is seen, by this process and by the next.
        fs::write(dir.join(&path), b"hellO!").unwrap();
        assert!(store.verify(&path, &digest).unwrap_err().contains("doesn't match"));
        fs::write(dir.join("gitrepository/a/b/.unfinished-1-1"), b"x").unwrap();
        let again =
            Store::open(&StoreOptions { path: dir.clone(), advertised: "x:1".into(), ttl: Duration::ZERO, records: 1 });
        let again = again.unwrap();
        assert!(again.verify(&path, &digest).is_err());
        assert!(!dir.join("gitrepository/a/b/.unfinished-1-1").exists());
        assert!(store.remove_all("GitRepository", "a", "b").unwrap());
        assert!(!store.remove_all("GitRepository", "a", "b").unwrap());
        for bad in ["", "a", "../../x/y", "a/b/../c", "a/b/c/.d", "a//b/c", "/etc/passwd", "a/b/c/d/e", "a/b/c/d\0"] {
            assert_eq!(store.local(bad), None, "{bad}");
            assert!(store.begin(bad).is_err());
        }
        assert_eq!(Store::path("HelmChart", "a", "b", "../x-1.0.0+1.tgz"), "helmchart/a/b/..-x-1.0.0+1.tgz");
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn old_files_go_by_age_and_number() {
        let long = Duration::from_secs(600);
        for (ttl, records, want) in [
            (long, 2, vec!["3", "4"]),
            (long, 3, vec!["2", "3", "4"]),
            (long, 9, vec!["1", "2", "3", "4"]),
            (Duration::ZERO, 3, vec!["4"]),
        ] {
            let (dir, store) = store(ttl, records);
            for n in ["1", "2", "3", "4"] {
                store.put(&Store::path("Bucket", "n", "x", n), n.as_bytes()).unwrap();
                std::thread::sleep(Duration::from_millis(5));
            }
            let removed = store.collect_garbage("bucket/n/x/4").unwrap();
            let mut left: Vec<String> = fs::read_dir(dir.join("bucket/n/x"))
                .unwrap()
                .map(|e| e.unwrap().file_name().to_string_lossy().into_owned())
                .collect();
            left.sort();
            assert_eq!(left, want);
            assert_eq!(removed, 4 - want.len());
            fs::remove_dir_all(dir).unwrap();
        }
    }

    #[test]
    fn addresses() {
        for (given, want) in [(":9090", "localhost:9090"), ("127.0.0.1:1", "127.0.0.1:1")] {
            assert_eq!(advertised(given), want);
        }
        assert!(advertised("0.0.0.0:9090").ends_with(":9090"));
    }
}
