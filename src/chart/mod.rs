//! Charts: what their files say, and how they are read from archives and directories.
//!
//! Everything here works on files in memory; only [`directory`] touches the disk. A loaded [`Chart`] is plain data that renders
//! share: its values are a [`data::Table`], not yet on any heap.

pub mod archive;
mod contents;
pub mod data;
mod decode;
pub mod directory;
pub mod ignore;
mod inflate;
pub mod limits;
pub mod listing;
pub mod load;
mod metadata;
mod native;
pub mod package;
pub mod schema;
pub mod show;
mod sniff;
mod table;
pub mod tarball;
pub mod tree;
pub mod values_file;

use std::sync::Arc;

pub use contents::{Contents, Shared, own_path};
pub use data::{Data, Table};
pub use load::LoadError;
pub use metadata::{
    API_VERSION_V1, API_VERSION_V2, DEPENDENCY_FIELDS, Dependency, METADATA_FIELDS, Maintainer, Metadata, Nulls,
};

/// One file of a chart, its path relative to the chart, with `/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    pub name: String,
    pub data: Contents,
    /// When it was changed, as the archive or the disk has it; kept for the release record.
    pub modified: Option<jiff::Timestamp>,
}

/// Chart.lock (or requirements.lock): the versions that were chosen.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lock {
    /// As written, an RFC 3339 time.
    pub generated: String,
    pub digest: String,
    /// `None`: not given, which Helm writes again as `null`.
    pub dependencies: Option<Vec<Dependency>>,
}

/// A chart with its subcharts.
#[derive(Clone, Debug, Default)]
pub struct Chart {
    pub metadata: Metadata,
    pub lock: Option<Lock>,
    /// Every file as it was found, those of subcharts included.
    pub raw: Vec<File>,
    /// What lies under `templates/`.
    pub templates: Vec<File>,
    /// The rest: what `.Files` offers, CRDs included.
    pub files: Vec<File>,
    /// The defaults of values.yaml; `None` without such a file.
    pub values: Option<Arc<Table>>,
    /// values.schema.json.
    pub schema: Option<Arc<[u8]>>,
    pub schema_modified: Option<jiff::Timestamp>,
    pub modified: Option<jiff::Timestamp>,
    /// The path of the parent that the chart still points at, where that is not the one it lies under: Helm copies an aliased chart
    /// and its subcharts, and leaves the subcharts of those with the chart that was copied.
    pub kept_parent: Option<Arc<str>>,
    pub dependencies: Vec<Self>,
}

/// Chart.yaml as it is written: nothing is filled in, cleaned or checked.
///
/// # Errors
/// The text of `sigs.k8s.io/yaml`.
pub fn chartfile(text: &[u8]) -> Result<(Metadata, Nulls), String> {
    let (mut metadata, mut nulls) = (Metadata { dependencies_nil: true, ..Metadata::default() }, Nulls::default());
    decode::metadata_into(text, &mut metadata, &mut nulls)?;
    Ok((metadata, nulls))
}

/// Whether Chart.yaml can be read strictly: no key twice, and none that Helm does not know. For a text that [`chartfile`] can read.
///
/// # Errors
/// The text of `sigs.k8s.io/yaml`.
pub fn check_strictly(text: &[u8]) -> Result<(), String> {
    decode::strictly(text)
}

/// The chart's part of an entry in a repository's index, with the checks that Helm makes of it there.
///
/// # Errors
/// Helm leaves such an entry out, and says this.
pub fn index_metadata(text: &[u8]) -> Result<Metadata, String> {
    let mut metadata = Metadata { dependencies_nil: true, ..Metadata::default() };
    let mut nulls = Nulls::default();
    decode::metadata_into(text, &mut metadata, &mut nulls)?;
    if metadata.api_version.is_empty() {
        metadata.api_version = API_VERSION_V1.into();
    }
    match metadata.validate(nulls) {
        // Some servers strip the alias.
        Err(e) if e.starts_with("validation: more than one dependency with name or alias") => Ok(metadata),
        Err(e) => Err(e),
        Ok(()) => Ok(metadata),
    }
}

/// A file of `crds/`.
#[derive(Clone, Debug)]
pub struct Crd<'c> {
    /// `chart/charts/sub/crds/x.yaml`.
    pub path: String,
    pub file: &'c File,
}

impl Chart {
    pub fn name(&self) -> &str {
        &self.metadata.name
    }

    /// `chart/charts/sub` for a subchart of what lies at `parent`: how templates, CRDs and errors name it.
    pub fn path_below(&self, parent: &str) -> String {
        format!("{}/charts/{}", self.kept_parent.as_deref().unwrap_or(parent), self.name())
    }

    /// Of a library chart only partials are read. Helm compares without case here.
    pub fn is_library(&self) -> bool {
        self.metadata.chart_type.eq_ignore_ascii_case("library")
    }

    /// The CRDs of the chart, then those of its subcharts.
    pub fn crds(&self) -> Vec<Crd<'_>> {
        let mut out = Vec::new();
        self.push_crds(self.name(), &mut out);
        out
    }

    fn push_crds<'c>(&'c self, full_path: &str, out: &mut Vec<Crd<'c>>) {
        for file in self.files.iter().filter(|f| f.name.starts_with("crds/") && has_manifest_extension(&f.name)) {
            out.push(Crd { path: join(full_path, &file.name), file });
        }
        for d in &self.dependencies {
            d.push_crds(&d.path_below(full_path), out);
        }
    }
}

fn join(dir: &str, name: &str) -> String {
    String::from_utf8_lossy(&crate::golang::path::join(&[dir, name])).into_owned()
}

fn has_manifest_extension(name: &str) -> bool {
    let base = name.rsplit('/').next().unwrap_or(name);
    let ext = base.rfind('.').map_or("", |i| &base[i..]);
    [".yaml", ".yml", ".json"].iter().any(|e| ext.eq_ignore_ascii_case(e))
}
