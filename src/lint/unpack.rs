//! A chart's archive, unpacked into a directory of its own: the rules look at directories, and `.helmignore` counts there.
//!
//! Source: Helm 4.3 `pkg/chart/v2/util/expand.go`.

use std::fs;
use std::path::{Path, PathBuf};

use crate::chart::{archive, chartfile, directory};
use crate::golang::{errno, path, strconv};

/// A directory that goes when this is dropped.
pub(super) struct Unpacked {
    top: PathBuf,
    name: String,
}

impl Unpacked {
    pub(super) fn chart(&self) -> PathBuf {
        self.top.join(&self.name)
    }
}

impl Drop for Unpacked {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.top);
    }
}

/// Unpacks a chart's archive.
///
/// # Errors
/// Helm's text.
pub(super) fn archive(path: &str) -> Result<Unpacked, String> {
    let bytes = directory::read_file(path).map_err(|e| {
        // A directory can be opened; it fails when it is read.
        let what = if e.kind() == std::io::ErrorKind::IsADirectory { "extract" } else { "open" };
        format!("unable to {what} tarball: {}", errno::read_error(path, &e))
    })?;
    unpack(&bytes).map_err(|e| format!("unable to extract tarball: {e}"))
}

fn unpack(bytes: &[u8]) -> Result<Unpacked, String> {
    let files = archive::read(bytes).map_err(|e| e.0)?;
    let mut name = String::new();
    for file in files.iter().filter(|f| f.name == "Chart.yaml") {
        name = chartfile(&file.data).map_err(|e| format!("cannot load Chart.yaml: {e}"))?.0.name;
    }
    if name.is_empty() {
        return Err("chart name not specified".into());
    }
    let quoted = strconv::quote(name.as_bytes());
    if name == "." || name == ".." {
        return Err(format!("chart name {quoted} is not allowed"));
    }
    if path::base(name.as_bytes()) != name.as_bytes() {
        return Err(format!("chart name {quoted} must not contain path separators"));
    }
    let unpacked = Unpacked { top: temporary()?, name };
    let dir = unpacked.chart();
    for file in &files {
        // The reader of archives lets no name leave the chart.
        write(&dir.join(&file.name), &file.data)?;
    }
    Ok(unpacked)
}

fn write(path: &Path, data: &[u8]) -> Result<(), String> {
    let fail = |op: &str, path: &Path, e: &std::io::Error| errno::path_error(op, &path.display().to_string(), e);
    let parent = path.parent().unwrap_or(path);
    fs::create_dir_all(parent).map_err(|e| fail("mkdir", parent, &e))?;
    fs::write(path, data).map_err(|e| fail("open", path, &e))
}

/// A new directory for temporary files, named as Helm's are.
fn temporary() -> Result<PathBuf, String> {
    let mut last = None;
    for _ in 0..100 {
        let number = getrandom::u32().map_err(|e| format!("unable to create temp dir to extract tarball: {e}"))?;
        let dir = std::env::temp_dir().join(format!("helm-lint{number}"));
        match fs::create_dir(&dir) {
            Ok(()) => return Ok(dir),
            Err(e) => last = Some(errno::path_error("mkdir", &dir.display().to_string(), &e)),
        }
    }
    Err(format!("unable to create temp dir to extract tarball: {}", last.unwrap_or_default()))
}
