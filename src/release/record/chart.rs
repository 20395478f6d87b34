//! The chart in a record.
//!
//! Helm stores the chart that was rendered, without its subcharts. Go tells a nil slice from an empty one and writes `null` for the first;
//! both are kept apart here, so that a record that is read and written again keeps its bytes. Source: Helm 4.3 `pkg/chart/v2/chart.go`.

use std::sync::Arc;

use crate::chart::{Chart, Dependency, File, Lock, Metadata, Table};

/// A chart as it is stored. Times are texts of Go's RFC 3339 with nanoseconds; empty: not known.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StoredChart {
    pub metadata: Option<Metadata>,
    pub lock: Option<StoredLock>,
    pub templates: Option<Vec<StoredFile>>,
    /// The defaults, after conditions and imported values of subcharts.
    pub values: Option<Arc<Table>>,
    pub schema: Option<Arc<[u8]>>,
    pub schema_modified: String,
    /// Everything that is no template: what `.Files` offers.
    pub files: Option<Vec<StoredFile>>,
    pub modified: String,
    pub absent: Absent,
}

/// Where lists of the stored metadata hold `null`: the elements' places. Such elements are there as empty ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Absent {
    pub maintainers: Vec<usize>,
    pub dependencies: Vec<usize>,
    pub lock: Vec<usize>,
}

/// Chart.lock as it is stored.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StoredLock {
    pub generated: String,
    pub digest: String,
    pub dependencies: Option<Vec<Dependency>>,
}

/// A file as it is stored. An `absent` one is a `null` in the list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredFile {
    pub name: String,
    pub data: Option<Arc<[u8]>>,
    pub modified: String,
    pub absent: bool,
}

impl StoredChart {
    /// What Helm stores of a chart: `chart` as it was rendered (`render::Release::chart`), times in the machine's zone.
    pub fn new(chart: &Chart) -> Self {
        let zone = jiff::tz::TimeZone::system();
        let time = |at: Option<jiff::Timestamp>| at.map(|t| super::time::text(t, &zone)).unwrap_or_default();
        let files = |list: &[File]| -> Option<Vec<StoredFile>> {
            let stored = |f: &File| StoredFile {
                name: f.name.clone(),
                data: Some(f.data.shared().clone()),
                modified: time(f.modified),
                absent: false,
            };
            (!list.is_empty()).then(|| list.iter().map(stored).collect())
        };
        Self {
            metadata: Some(chart.metadata.clone()),
            lock: chart.lock.as_ref().map(|l| StoredLock {
                generated: l.generated.clone(),
                digest: l.digest.clone(),
                dependencies: l.dependencies.clone(),
            }),
            templates: files(&chart.templates),
            values: chart.values.clone(),
            schema: chart.schema.clone(),
            schema_modified: time(chart.schema_modified),
            files: files(&chart.files),
            modified: time(chart.modified),
            absent: Absent::default(),
        }
    }

    /// With these annotations beside the chart's own.
    #[must_use]
    pub fn annotated(mut self, more: &std::collections::BTreeMap<String, String>) -> Self {
        if let Some(metadata) = self.metadata.as_mut().filter(|_| !more.is_empty()) {
            metadata.annotations.get_or_insert_default().extend(more.clone());
        }
        self
    }

    pub fn name(&self) -> &str {
        self.metadata.as_ref().map_or("", |m| &m.name)
    }

    pub fn version(&self) -> &str {
        self.metadata.as_ref().map_or("", |m| &m.version)
    }

    /// The chart again, to render it once more; its subcharts are not stored.
    pub fn to_chart(&self) -> Chart {
        let files = |list: &Option<Vec<StoredFile>>| -> Vec<File> {
            list.iter()
                .flatten()
                .filter(|f| !f.absent)
                .map(|f| File {
                    name: f.name.clone(),
                    data: f.data.clone().unwrap_or_default().into(),
                    modified: f.modified.parse().ok(),
                })
                .collect()
        };
        Chart {
            kept_parent: None,
            metadata: self.metadata.clone().unwrap_or_default(),
            lock: self.lock.as_ref().map(|l| Lock {
                generated: l.generated.clone(),
                digest: l.digest.clone(),
                dependencies: l.dependencies.clone(),
            }),
            raw: Vec::new(),
            templates: files(&self.templates),
            files: files(&self.files),
            values: self.values.clone(),
            schema: self.schema.clone(),
            schema_modified: self.schema_modified.parse().ok(),
            modified: self.modified.parse().ok(),
            dependencies: Vec::new(),
        }
    }
}
