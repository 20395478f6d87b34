//! Charts in directories: the one file here that reads the disk.
//!
//! Files come in lexical order, symbolic links are followed and told about, and `.helmignore` decides what is left out.
//! Source: Helm 4.3 `pkg/chart/v2/loader/directory.go`, `internal/sympath/walk.go`, `pkg/chart/loader/archive/budget.go`.

use std::fs::{self, Metadata};
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use crate::diagnostic::LogLine;
use crate::golang::errno;

use super::contents::Shared;
use super::ignore::Rules;
use super::limits::{MAX_CHART_SIZE, MAX_FILES};
use super::listing::Found;
use super::load::{self, Early, LoadError};
use super::{Chart, File};

/// The most that is read of one file, in bytes: 512 MiB. A device can have no end.
const MAX_FILE: u64 = 512 << 20;

/// Reads a whole file, or a pipe to its end.
///
/// # Errors
/// The system's; and that the file has more than 512 MiB, where Go would go on until the memory is full.
pub fn read_file(path: impl AsRef<Path>) -> io::Result<Vec<u8>> {
    let file = fs::File::open(path)?;
    let size = file.metadata().map_or(0, |m| m.len()).min(MAX_FILE);
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0) + 1);
    file.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(io::Error::other(format!("file has more than {MAX_FILE} bytes")));
    }
    Ok(bytes)
}

/// Loads the chart that lies at a path: a directory or an archive.
///
/// # Errors
/// Helm's text; `stat x: no such file or directory` if there is nothing.
pub fn load(path: &Path, log: &mut Vec<LogLine>) -> Result<Chart, LoadError> {
    match archive_at(path)? {
        (_, None) => load_directory(path, log),
        (name, Some(bytes)) => load::archive_file(&name, &bytes, log),
    }
}

/// What is told of a path, and the archive that lies there; without one if it is a directory.
fn archive_at(path: &Path) -> Result<(String, Option<Vec<u8>>), String> {
    let name = path.display().to_string();
    if fs::metadata(path).map_err(|e| errno::path_error("stat", &name, &e))?.is_dir() {
        return Ok((name, None));
    }
    let bytes = read_file(path).map_err(|e| errno::read_error(&name, &e))?;
    Ok((name, Some(bytes)))
}

/// As [`load()`], for who only renders: what rendering does not read by itself stays in its archive until it is asked for.
///
/// # Errors
/// As [`load()`]'s.
pub fn load_to_render(path: &Path, log: &mut Vec<LogLine>, early: &mut dyn Early) -> Result<Chart, LoadError> {
    match archive_at(path)? {
        (_, None) => load_directory_early(path, log, early),
        (name, Some(bytes)) => load::archive_file_to_render(&name, &(Arc::new(bytes) as Shared), log, early),
    }
}

/// Loads as [`load()`] does, but without looking at the chart's API version first: what `helm show` and `helm dependency` do.
///
/// # Errors
/// Helm's text.
pub fn load_unchecked(path: &Path, log: &mut Vec<LogLine>) -> Result<Chart, LoadError> {
    match archive_at(path)? {
        (_, None) => Ok(load::files(read_files(path, log)?, log)?),
        (name, Some(bytes)) => load::archive_unchecked(&name, &bytes, log),
    }
}

/// The directories and `.tgz` files in a chart's `charts/`, by name, with their charts where they can be loaded.
pub fn vendored(chart: &Path) -> Vec<Found> {
    let Ok(entries) = fs::read_dir(chart.join("charts")) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|e| e.path()).collect();
    paths.sort_unstable();
    paths.retain(|p| p.is_dir() || p.extension().is_some_and(|e| e == "tgz"));
    let found = |p: PathBuf| Found {
        chart: load_unchecked(&p, &mut Vec::new()).ok(),
        path: p.strip_prefix("./").unwrap_or(&p).display().to_string(),
    };
    paths.into_iter().map(found).collect()
}

/// Loads the chart in a directory.
///
/// # Errors
/// Helm's text.
pub fn load_directory(dir: &Path, log: &mut Vec<LogLine>) -> Result<Chart, LoadError> {
    load_directory_early(dir, log, &mut ())
}

fn load_directory_early(dir: &Path, log: &mut Vec<LogLine>, early: &mut dyn Early) -> Result<Chart, LoadError> {
    let top = absolute(dir).map_err(|e| errno::text(&e))?;
    let chart_yaml = top.join("Chart.yaml");
    let shown = chart_yaml.display().to_string();
    regular(&chart_yaml)?;
    let text = read_file(&chart_yaml)
        .map_err(|e| format!("unable to detect chart at {shown}: {}", errno::path_error("open", &shown, &e)))?;
    load::check_api_version(&text)?;
    let files = read_files(&top, log)?;
    files.iter().for_each(|file| early.file(file));
    Ok(load::files_early(files, log, early)?)
}

/// The files of a chart's directory, without the ignored ones.
///
/// # Errors
/// Helm's text: an unreadable or irregular file, a broken link, or more than [`MAX_CHART_SIZE`] bytes.
pub fn read_files(dir: &Path, log: &mut Vec<LogLine>) -> Result<Vec<File>, String> {
    let top = absolute(dir).map_err(|e| errno::text(&e))?;
    let ignore_file = top.join(".helmignore");
    let mut rules = Rules::default();
    if fs::metadata(&ignore_file).is_ok() {
        let shown = ignore_file.display().to_string();
        regular(&ignore_file)?;
        let text = read_file(&ignore_file).map_err(|e| errno::path_error("open", &shown, &e))?;
        rules = Rules::parse(&text)?;
    }
    rules.add_defaults();
    let mut walk = Walk { top, rules, files: Vec::new(), remaining: MAX_CHART_SIZE, visited: 0, log };
    let top = walk.top.clone();
    // Helm walks the directory with a slash behind it, so that a link to a chart is followed without a word.
    let info = fs::metadata(&top).map_err(|e| errno::path_error("lstat", &top.display().to_string(), &e))?;
    walk.visit(&top, &info)?;
    Ok(walk.files)
}

/// Go's `filepath.Abs`: clean, without looking at links.
///
/// # Errors
/// The current directory cannot be found, or the path is empty.
pub fn absolute(path: &Path) -> io::Result<PathBuf> {
    let mut clean = PathBuf::new();
    for part in std::path::absolute(path)?.components() {
        match part {
            Component::ParentDir => {
                clean.pop();
            }
            Component::CurDir => {}
            other => clean.push(other),
        }
    }
    Ok(clean)
}

/// Refuses pipes and devices, which may never end. What is not there, or is a directory, is for the reader to say.
fn regular(path: &Path) -> Result<(), String> {
    match fs::metadata(path) {
        Ok(meta) if !meta.is_file() && !meta.is_dir() => Err(irregular(path)),
        _ => Ok(()),
    }
}

fn irregular(path: &Path) -> String {
    format!("cannot load irregular file {} as it has file mode type bits set", path.display())
}

struct Walk<'l> {
    top: PathBuf,
    rules: Rules,
    files: Vec<File>,
    /// How many bytes may still be read.
    remaining: u64,
    visited: usize,
    log: &'l mut Vec<LogLine>,
}

impl Walk<'_> {
    /// Visits what lies at a path; links lead to what they point to, under their own name.
    fn visit(&mut self, path: &Path, info: &Metadata) -> Result<(), String> {
        self.visited += 1;
        // Links that lead back into the chart make many names of few files.
        if self.visited > MAX_FILES {
            return Err(format!("chart has more than {MAX_FILES} files: {}", path.display()));
        }
        if info.is_symlink() {
            let resolved = resolve(path)?;
            self.log.push(
                LogLine::info("found symbolic link in path. Contents of linked file included and used")
                    .with("path", path.display().to_string())
                    .with("resolved", resolved.display().to_string()),
            );
            let info = fs::symlink_metadata(&resolved)
                .map_err(|e| errno::path_error("lstat", &resolved.display().to_string(), &e))?;
            return self.visit(path, &info);
        }
        let name = path.strip_prefix(&self.top).unwrap_or(path).display().to_string();
        if info.is_dir() {
            if self.rules.ignores(&name, true, self.log) {
                return Ok(());
            }
            return self.visit_directory(path);
        }
        if self.rules.ignores(&name, false, self.log) {
            return Ok(());
        }
        if !info.is_file() {
            return Err(irregular(path));
        }
        let data = self.read(path, info.len()).map_err(|e| format!("error reading {name}: {e}"))?;
        let modified = info.modified().ok().and_then(|t| jiff::Timestamp::try_from(t).ok());
        let data = data.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&data).into();
        self.files.push(File { name, data, modified });
        Ok(())
    }

    fn visit_directory(&mut self, dir: &Path) -> Result<(), String> {
        let shown = dir.display().to_string();
        let entries = fs::read_dir(dir).map_err(|e| errno::path_error("open", &shown, &e))?;
        let mut names = Vec::new();
        for entry in entries {
            names.push(entry.map_err(|e| errno::path_error("readdirent", &shown, &e))?.file_name());
        }
        names.sort_unstable();
        for name in names {
            let path = dir.join(name);
            let info =
                fs::symlink_metadata(&path).map_err(|e| errno::path_error("lstat", &path.display().to_string(), &e))?;
            self.visit(&path, &info)?;
        }
        Ok(())
    }

    fn read(&mut self, path: &Path, size: u64) -> Result<Vec<u8>, String> {
        let too_large = || format!("chart exceeds maximum decompressed size of {MAX_CHART_SIZE} bytes");
        if size > self.remaining {
            return Err(too_large());
        }
        let shown = path.display().to_string();
        let file = fs::File::open(path).map_err(|e| errno::path_error("open", &shown, &e))?;
        let mut data = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
        file.take(self.remaining + 1).read_to_end(&mut data).map_err(|e| errno::path_error("read", &shown, &e))?;
        self.remaining = self.remaining.checked_sub(data.len() as u64).ok_or_else(too_large)?;
        Ok(data)
    }
}

/// Go's `filepath.EvalSymlinks`. The system is as quick with links that lead somewhere; of others it does not say where they break.
fn resolve(path: &Path) -> Result<PathBuf, String> {
    fs::canonicalize(path)
        .or_else(|_| follow(path).map_err(|why| format!("error evaluating symlink {}: {why}", path.display())))
}

/// Goes through a path part by part, and through those of the links in it. Source: Go 1.26 `path/filepath/symlink.go`.
fn follow(path: &Path) -> Result<PathBuf, String> {
    const MAX_LINKS: usize = 255;
    let parts = |p: &Path| p.components().rev().map(|c| c.as_os_str().to_os_string()).collect::<Vec<_>>();
    let mut rest = parts(path);
    let mut done = PathBuf::new();
    let mut links = 0;
    while let Some(part) = rest.pop() {
        match Path::new(&part).components().next() {
            Some(Component::ParentDir) => {
                done.pop();
                continue;
            }
            Some(Component::CurDir) => continue,
            _ => done.push(&part),
        }
        let shown = done.display().to_string();
        let info = fs::symlink_metadata(&done).map_err(|e| errno::path_error("lstat", &shown, &e))?;
        if info.is_symlink() {
            links += 1;
            if links > MAX_LINKS {
                return Err("EvalSymlinks: too many links".into());
            }
            let target = fs::read_link(&done).map_err(|e| errno::path_error("readlink", &shown, &e))?;
            done.pop();
            rest.extend(parts(&target));
        } else if !info.is_dir() && !rest.is_empty() {
            return Err("not a directory".into());
        }
    }
    Ok(done)
}
