//! Builds charts: merges values files into one that came packed, or packs one from the files of a source.
//!
//! A chart from files is unpacked into a folder of its own, its missing dependencies are fetched there, and what comes out is packed as
//! `package` packs. Paths never leave the source's files. Source: source-controller 1.9 `internal/helm/chart/builder_{local,remote}.go`.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::chart::data::{self, Table};
use crate::chart::{Chart, File, directory, load, package, values_file};
use crate::golang::path::confined;
use crate::source::Digest;
use crate::source::dependencies::Manager;
use crate::value::{Heap, Value};
use crate::yaml;

use super::helm_chart::with_metadata;
use super::manager::World;
use super::object::Fault;
use super::oci_repository::unpack;

/// What is to be made of a chart.
#[derive(Clone, Debug)]
pub struct Request {
    pub values_files: Vec<String>,
    pub ignore_missing: bool,
    /// Put behind the version.
    pub metadata: String,
}

/// A packed chart.
#[derive(Debug)]
pub struct Built {
    pub name: String,
    pub version: String,
    pub bytes: Arc<[u8]>,
    /// Whether we packed it, or took it as it was.
    pub packaged: bool,
    /// What was merged.
    pub values_files: Vec<String>,
    /// Digest of the chart without its version's metadata; empty where the version alone counts.
    pub content: String,
}

/// A chart that came packed.
///
/// # Errors
/// It is no chart, or a values file is missing or wrong.
pub fn remote(bytes: &Arc<[u8]>, request: &Request) -> Result<Built, Fault> {
    let mut chart = loaded(bytes)?;
    if request.values_files.is_empty() && request.metadata.is_empty() {
        return Ok(as_is(&chart, bytes));
    }
    let files = chart.raw.clone();
    let read = |path: &str| files.iter().find(|f| f.name == path).map(|f| f.data.shared().clone());
    let merged = merge(&mut chart, request, read)?;
    pack(chart, request, merged)
}

fn loaded(bytes: &[u8]) -> Result<Chart, Fault> {
    load::archive_bytes(bytes, &mut Vec::new()).map_err(|e| {
        Fault::build("ChartPackageError", format!("chart package error: failed to load chart archive: {}", e.message))
    })
}

fn as_is(chart: &Chart, bytes: &Arc<[u8]>) -> Built {
    Built {
        name: chart.name().to_owned(),
        version: chart.metadata.version.clone(),
        bytes: bytes.clone(),
        packaged: false,
        values_files: Vec::new(),
        content: String::new(),
    }
}

/// Merges the values files into the chart's own; which ones there were.
fn merge(
    chart: &mut Chart,
    request: &Request,
    mut read: impl FnMut(&str) -> Option<Arc<[u8]>>,
) -> Result<Vec<String>, Fault> {
    let wrong = |why: String| Fault::build("ValuesFilesError", format!("values files merge error: {why}")).for_good();
    let mut merged = Table::new();
    let mut found = Vec::new();
    for path in &request.values_files {
        let Some(text) = read(path) else {
            if request.ignore_missing {
                continue;
            }
            return Err(wrong(format!("no values file found at path '{path}'")));
        };
        let table = values_file::read(&text).map_err(|e| wrong(format!("failed to read values from '{path}': {e}")))?;
        merged.merge(table);
        found.push(path.clone());
    }
    if found.is_empty() {
        return Ok(found);
    }
    let mut heap = Heap::new();
    let map = data::table_to_map(&mut heap, &merged);
    let text = yaml::marshal(&mut heap, &Value::Map(map)).map_err(wrong)?;
    let data: Arc<[u8]> = text.into();
    match chart.raw.iter_mut().find(|f| f.name == "values.yaml") {
        Some(file) => file.data = data.into(),
        None => chart.raw.push(File { name: "values.yaml".into(), data: data.into(), modified: None }),
    }
    Ok(found)
}

fn pack(mut chart: Chart, request: &Request, values_files: Vec<String>) -> Result<Built, Fault> {
    let failed =
        |e: String| Fault::build("ChartPackageError", format!("chart package error: failed to package chart: {e}"));
    let content = match request.metadata.is_empty() {
        true => String::new(),
        false => Digest::of(&package::archive(&chart, package::EPOCH).map_err(failed)?).to_string(),
    };
    chart.metadata.version = with_metadata(&chart.metadata.version, &request.metadata);
    let bytes = package::archive(&chart, package::EPOCH).map_err(failed)?;
    Ok(Built {
        name: chart.name().to_owned(),
        version: chart.metadata.version,
        bytes: bytes.into(),
        packaged: true,
        values_files,
        content,
    })
}

/// A folder that is gone in the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> std::io::Result<Self> {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("pintle-chart-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        let mut builder = std::fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A path within a folder; `None` for one that leads out of it.
fn inside(base: &Path, path: &str) -> Option<PathBuf> {
    let mut out = PathBuf::new();
    for part in Path::new(path).components() {
        match part {
            Component::Normal(name) => out.push(name),
            Component::CurDir => {}
            Component::ParentDir if out.pop() => {}
            _ => return None,
        }
    }
    Some(base.join(out))
}

/// A chart in the files of a source: `path` is a directory or an archive in it.
///
/// # Errors
/// There is no such chart, a values file is missing or wrong, a dependency can't be had.
pub async fn local(world: &World, artifact: &[u8], path: &str, request: &Request) -> Result<Built, Fault> {
    let failed = |e: String| Fault::build("ChartPackageError", format!("chart package error: {e}"));
    let reference =
        |e: String| Fault::build("InvalidChartReference", format!("invalid chart reference: {e}")).for_good();
    let files = unpack(artifact).map_err(failed)?;
    let folder = Folder::new().map_err(|e| failed(e.to_string()))?;
    let within = confined(path);
    let chart_path = folder.0.join(&within);
    for (name, data) in &files {
        let Some(at) = inside(&folder.0, name) else { continue };
        let parent = at.parent().unwrap_or(&folder.0);
        std::fs::create_dir_all(parent).and_then(|()| std::fs::write(&at, data)).map_err(|e| failed(e.to_string()))?;
    }
    if !chart_path.exists() {
        let text = format!("could not load local chart: there is no '{path}' in the source's artifact");
        return Err(Fault::build("InvalidChartReference", format!("invalid chart reference: {text}")));
    }
    let from_source = |p: &str| {
        let p = confined(p);
        files.iter().find(|(name, _)| *name == p).map(|(_, data)| Arc::from(data.as_slice()))
    };
    if chart_path.is_file() {
        let bytes: Arc<[u8]> = std::fs::read(&chart_path).map_err(|e| failed(e.to_string()))?.into();
        let mut chart = loaded(&bytes)?;
        if request.values_files.is_empty() && request.metadata.is_empty() {
            return Ok(as_is(&chart, &bytes));
        }
        let merged = merge(&mut chart, request, from_source)?;
        return pack(chart, request, merged);
    }
    let load = |checked: bool| match checked {
        true => directory::load(&chart_path, &mut Vec::new()),
        false => directory::load_unchecked(&chart_path, &mut Vec::new()),
    };
    let first = load(false).map_err(|e| reference(format!("failed to load chart: {}", e.message)))?;
    let missing = first
        .metadata
        .dependencies
        .iter()
        .filter(|d| !first.dependencies.iter().any(|have| have.name() == d.name || have.name() == d.alias));
    let missing: Vec<_> = missing.cloned().collect();
    if !missing.is_empty() {
        for dependency in &missing {
            let local = dependency.repository.strip_prefix("file://");
            let leaves =
                local.is_some_and(|p| inside(&folder.0, &format!("{within}/{p}")).is_none() || p.starts_with('/'));
            if leaves {
                let text =
                    format!("the dependency {} leads out of the source: {}", dependency.name, dependency.repository);
                return Err(Fault::build("DependencyBuildError", format!("dependency build error: {text}")).for_good());
            }
        }
        let (context, at) = (world.context.clone(), chart_path.clone());
        let runtime = tokio::runtime::Handle::current();
        // What reports progress may not be shared between threads, so it stays on one.
        let built = tokio::task::spawn_blocking(move || {
            let mut manager = Manager::new(context, &at, Box::new(|_| {}))?;
            runtime.block_on(manager.build())
        });
        let built = built.await.map_err(|e| Fault::build("DependencyBuildError", e.to_string()))?;
        built.map_err(|e| Fault::build("DependencyBuildError", format!("dependency build error: {e}")))?;
    }
    let mut chart = load(true).map_err(|e| reference(format!("failed to load chart: {}", e.message)))?;
    let merged = merge(&mut chart, request, from_source)?;
    pack(chart, request, merged)
}
