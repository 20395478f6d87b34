//! Records in files, beside rendered objects: one JSON file a revision, `PATH/.pintle/releases/NAMESPACE/NAME.vN.json`.
//!
//! A file's first line has the labels that the object of a cluster would have, so that lists read no more than that; the rest is Helm's JSON of
//! the record, plain, for people and for Git. A new file appears complete (a hard link, which fails if there is one), and a changed one
//! replaces the old one in one step: whenever the process dies, there is the old text or the new.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;

use super::{Entry, Storage, StorageError, labels};
use crate::release::record::{Record, Status, Summary};

const BEGIN: &str = "{\"labels\":";
const MIDDLE: &str = ",\n\"release\":";
const END: &str = "}\n";

/// Records in a directory.
#[derive(Debug)]
pub struct DirectoryStorage {
    place: PathBuf,
    /// `None`: of all namespaces, for listing only.
    namespace: Option<String>,
    warnings: Mutex<Vec<String>>,
}

impl DirectoryStorage {
    /// `root` is the directory of the target.
    pub fn new(root: &Path, namespace: &str) -> Self {
        Self { place: place(root), namespace: Some(namespace.into()), warnings: Mutex::default() }
    }

    /// The records of all namespaces, for listing.
    pub fn of_all_namespaces(root: &Path) -> Self {
        Self { place: place(root), namespace: None, warnings: Mutex::default() }
    }

    /// The directory that holds the records of the namespace (of all, with a directory for each).
    pub fn place(&self) -> PathBuf {
        match &self.namespace {
            Some(namespace) => self.place.join(namespace),
            None => self.place.clone(),
        }
    }

    fn path(&self, namespace: Option<&str>, name: &str, version: i64) -> Result<PathBuf, StorageError> {
        let namespace = namespace.or(self.namespace.as_deref()).unwrap_or_default();
        for part in [namespace, name] {
            if part.is_empty() || part.starts_with('.') || part.contains(['/', '\\', '\0']) {
                return Err(StorageError::Io(format!("{part:?} is no name for a file")));
            }
        }
        Ok(self.place.join(namespace).join(format!("{name}.v{version}.json")))
    }

    /// The record's text in a new file beside its place.
    fn draft(&self, verb: &str, record: &Record, path: &Path) -> Result<PathBuf, StorageError> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let json = record
            .to_json()
            .map_err(|e| StorageError::Corrupt(format!("{verb}: failed to encode release {:?}: {e}", record.name)))?;
        let labels = serde_json::to_string(&labels::of(record, None)).map_err(|e| {
            StorageError::Corrupt(format!("{verb}: failed to encode the labels of {:?}: {e}", record.name))
        })?;
        let folder = path.parent().unwrap_or(Path::new("."));
        let unique = format!(".{}.{}.tmp", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let draft = folder.join(unique);
        let write = || -> std::io::Result<()> {
            fs::create_dir_all(folder)?;
            let mut file = fs::File::create(&draft)?;
            for part in [BEGIN.as_bytes(), labels.as_bytes(), MIDDLE.as_bytes(), &json, END.as_bytes()] {
                file.write_all(part)?;
            }
            file.sync_all()
        };
        write().map_err(|e| failed(verb, &draft, &e))?;
        Ok(draft)
    }

    fn read<T>(
        &self,
        path: &Path,
        decode: impl Fn(&[u8]) -> Result<T, String>,
    ) -> Result<(T, BTreeMap<String, String>), StorageError> {
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == ErrorKind::NotFound => return Err(StorageError::NotFound),
            Err(e) => return Err(failed("read", path, &e)),
        };
        let corrupt = |why: &str| StorageError::Corrupt(format!("failed to decode {}: {why}", path.display()));
        let at = bytes.iter().position(|b| *b == b'\n').ok_or_else(|| corrupt("it has no head"))?;
        let (head, rest) = bytes.split_at(at + 1);
        let labels = head_labels(head).ok_or_else(|| corrupt("its first line has no labels"))?;
        let middle = MIDDLE.trim_start_matches(",\n").as_bytes();
        let json = rest
            .strip_prefix(middle)
            .and_then(|r| r.trim_ascii_end().strip_suffix(b"}"))
            .ok_or_else(|| corrupt("its second line has no release"))?;
        Ok((decode(json).map_err(|e| corrupt(&e))?, labels))
    }

    fn namespaces(&self) -> Result<Vec<String>, StorageError> {
        match &self.namespace {
            Some(namespace) => Ok(vec![namespace.clone()]),
            None => list(&self.place),
        }
    }
}

fn place(root: &Path) -> PathBuf {
    root.join(".pintle").join("releases")
}

fn failed(verb: &str, path: &Path, e: &std::io::Error) -> StorageError {
    StorageError::Io(format!("cannot {verb} {}: {e}", path.display()))
}

/// The names in a directory, sorted; none if there is no directory.
fn list(dir: &Path) -> Result<Vec<String>, StorageError> {
    let mut names = Vec::new();
    match fs::read_dir(dir) {
        Ok(entries) => {
            for entry in entries {
                let entry = entry.map_err(|e| failed("list", dir, &e))?;
                names.push(entry.file_name().to_string_lossy().into_owned());
            }
        }
        Err(e) if e.kind() == ErrorKind::NotFound => {}
        Err(e) => return Err(failed("list", dir, &e)),
    }
    names.retain(|n| !n.starts_with('.'));
    names.sort();
    Ok(names)
}

fn head_labels(line: &[u8]) -> Option<BTreeMap<String, String>> {
    let line = line.trim_ascii_end().strip_prefix(BEGIN.as_bytes())?;
    serde_json::from_slice(line.strip_suffix(b",")?).ok()
}

fn entry(namespace: &str, path: &Path, file: &str) -> Option<Entry> {
    let (name, version) = file.strip_suffix(".json")?.rsplit_once(".v")?;
    let version = version.parse().ok()?;
    let mut head = Vec::new();
    let labels = fs::File::open(path)
        .ok()
        .and_then(|f| BufReader::new(f).read_until(b'\n', &mut head).ok())
        .and_then(|_| head_labels(&head))
        .unwrap_or_default();
    Some(Entry {
        name: name.into(),
        namespace: namespace.into(),
        version,
        status: labels.get("status").and_then(|s| Status::parse(s)).unwrap_or_default(),
        labels,
    })
}

#[async_trait]
impl Storage for DirectoryStorage {
    async fn create(&self, record: &Record) -> Result<(), StorageError> {
        let path = self.path(None, &record.name, record.version)?;
        let draft = self.draft("create", record, &path)?;
        let linked = fs::hard_link(&draft, &path);
        let _ = fs::remove_file(&draft);
        match linked {
            Ok(()) => Ok(()),
            Err(e) if e.kind() == ErrorKind::AlreadyExists => Err(StorageError::AlreadyExists),
            Err(e) => Err(failed("create", &path, &e)),
        }
    }

    async fn update(&self, record: &Record) -> Result<(), StorageError> {
        let path = self.path(None, &record.name, record.version)?;
        if !path.exists() {
            return Err(StorageError::NotFound);
        }
        let draft = self.draft("update", record, &path)?;
        fs::rename(&draft, &path).map_err(|e| {
            let _ = fs::remove_file(&draft);
            failed("update", &path, &e)
        })
    }

    async fn delete(&self, name: &str, version: i64) -> Result<(), StorageError> {
        let path = self.path(None, name, version)?;
        match fs::remove_file(&path) {
            Ok(()) => Ok(()),
            Err(e) if e.kind() == ErrorKind::NotFound => Err(StorageError::NotFound),
            Err(e) => Err(failed("delete", &path, &e)),
        }
    }

    async fn get(&self, name: &str, version: i64) -> Result<Record, StorageError> {
        let path = self.path(None, name, version)?;
        let (mut record, labels) = self.read(&path, Record::from_json)?;
        record.labels = labels::users(&labels);
        Ok(record)
    }

    async fn entries(&self, name: Option<&str>) -> Result<Vec<Entry>, StorageError> {
        let mut out = Vec::new();
        for namespace in self.namespaces()? {
            let dir = self.place.join(&namespace);
            for file in list(&dir)? {
                if let Some(entry) = entry(&namespace, &dir.join(&file), &file)
                    && name.is_none_or(|n| n == entry.name)
                {
                    out.push(entry);
                }
            }
        }
        out.sort_by(|a, b| (&a.namespace, &a.name, a.version).cmp(&(&b.namespace, &b.name, b.version)));
        Ok(out)
    }

    async fn summaries(&self, wanted: &[Entry]) -> Result<Vec<Result<Summary, StorageError>>, StorageError> {
        let read = |e: &Entry| {
            let path = self.path(Some(&e.namespace), &e.name, e.version)?;
            let (mut summary, labels) = self.read(&path, Summary::from_json)?;
            summary.labels = labels;
            Ok(summary)
        };
        Ok(wanted.iter().map(read).collect())
    }

    fn warn(&self, text: String) {
        if let Ok(mut warnings) = self.warnings.lock() {
            warnings.push(text);
        }
    }

    fn take_warnings(&self) -> Vec<String> {
        self.warnings.lock().map(|mut w| std::mem::take(&mut *w)).unwrap_or_default()
    }
}
