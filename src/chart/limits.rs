//! How much of an archive is unpacked before it is taken for a bomb.
//!
//! Source of the first: Helm 4.3 `pkg/chart/loader/archive/archive.go`. Helm has no bound on archives within archives; here they
//! share one, so that a small file cannot fill the memory.

/// The decompressed size of all files of one archive, or of one directory, in bytes: 100 MiB.
pub const MAX_CHART_SIZE: u64 = 100 * 1024 * 1024;

/// The decompressed size of an archive with all archives inside it, in bytes: 400 MiB.
pub const MAX_NESTED_SIZE: u64 = 4 * MAX_CHART_SIZE;

/// What a file of an archive within a chart counts for besides its bytes: about what it takes in memory.
pub const FILE_COST: u64 = 1 << 10;

/// What a chart from such an archive counts for.
pub const CHART_COST: u64 = 4 << 10;

/// How deep charts may lie within charts.
pub const MAX_CHART_DEPTH: usize = 100;

/// How many files one archive or directory may have.
pub const MAX_FILES: usize = 200_000;

/// What is left of [`MAX_NESTED_SIZE`] while a chart is loaded.
#[derive(Clone, Debug)]
pub struct Budget {
    pub(super) nested: u64,
    pub(super) depth: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self { nested: MAX_NESTED_SIZE, depth: 0 }
    }
}
