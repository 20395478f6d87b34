//! Objects as files: read, written in one step, removed.

use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use sha2::Digest;

use crate::cluster::{Json, manifest};

/// The object in a file; `None` without a file.
pub fn read(path: &Path) -> io::Result<Option<Json>> {
    let text = match crate::chart::directory::read_file(path) {
        Ok(text) => text,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e),
    };
    let object = manifest::object(&text).map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))?;
    Ok(Some(object.unwrap_or(Json::Null)))
}

/// Writes an object beside its place and moves it there: no reader ever sees half a file.
pub fn write(path: &Path, object: &Json) -> io::Result<()> {
    let text = manifest::yaml(object).map_err(io::Error::other)?;
    replace(path, &text)
}

/// Replaces a file in one step, making its directory.
pub fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let dir = path.parent().unwrap_or_else(|| Path::new("."));
    std::fs::create_dir_all(dir)?;
    let n = NEXT.fetch_add(1, Ordering::Relaxed);
    let beside = dir.join(format!(".new-{}-{n}", std::process::id()));
    let mut file = std::fs::File::create(&beside)?;
    let written = file.write_all(text).and_then(|()| file.sync_all());
    drop(file);
    let moved = written.and_then(|()| std::fs::rename(&beside, path));
    if moved.is_err() {
        let _ = std::fs::remove_file(&beside);
    }
    moved
}

/// Removes the half-written files of processes that are no more.
pub fn sweep(dir: &Path) {
    let Ok(entries) = std::fs::read_dir(dir) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let pid = name.strip_prefix(".new-").and_then(|rest| rest.split('-').next());
        // Only where there is a table of processes to look at.
        let dead = |pid: &str| Path::new("/proc/self").exists() && !Path::new("/proc").join(pid).exists();
        if pid.is_some_and(|pid| pid.parse::<u32>().is_ok() && dead(pid)) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// Removes a file, and the directories up to the root that became empty. `Ok(false)`: it was not there.
pub fn remove(path: &Path, root: &Path) -> io::Result<bool> {
    match std::fs::remove_file(path) {
        Ok(()) => {}
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(e) => return Err(e),
    }
    let mut dir = path.parent();
    while let Some(d) = dir.filter(|d| *d != root && d.starts_with(root)) {
        if std::fs::remove_dir(d).is_err() {
            break;
        }
        dir = d.parent();
    }
    Ok(true)
}

/// A name for an object with `generateName`: the same object always gets the same one.
pub fn generated_name(object: &Json) -> String {
    let prefix = object.pointer("/metadata/generateName").and_then(Json::as_str).unwrap_or("object-");
    let digest = sha2::Sha256::digest(object.to_string().as_bytes());
    format!("{prefix}{}", data_encoding::HEXLOWER.encode(digest.get(..3).unwrap_or_default()))
}
