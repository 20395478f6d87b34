//! The bytes of a chart's file: there, or still in the archive that they came in.
//!
//! To render a chart its templates and values are read; its CRDs and readmes, which can be most of it, are only looked at if a
//! template asks for them. So who only renders leaves those packed: what is asked for after all is unpacked then, once for all.

use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use super::archive;

/// What a file holds, cheap to clone.
#[derive(Clone)]
pub struct Contents(Repr);

#[derive(Clone)]
enum Repr {
    Here(Arc<[u8]>),
    /// The n-th file of an archive.
    Packed(Arc<Packed>, usize),
}

/// The bytes of an archive, by whomever they are held.
pub type Shared = Arc<dyn AsRef<[u8]> + Send + Sync>;

/// An archive that was read to its end, with files that were passed over.
pub(super) struct Packed {
    archive: Shared,
    /// All files of the archive; those that were not passed over are empty here.
    files: OnceLock<Vec<Arc<[u8]>>>,
}

impl Packed {
    pub(super) fn new(archive: &Shared) -> Arc<Self> {
        Arc::new(Self { archive: archive.clone(), files: OnceLock::new() })
    }

    fn files(&self) -> &[Arc<[u8]>] {
        self.files.get_or_init(|| {
            // It could be read before, so it can be read again.
            let files = archive::read_late((*self.archive).as_ref()).unwrap_or_default();
            files.iter().map(|f| f.data.shared().clone()).collect()
        })
    }
}

/// Whether neither loading nor rendering reads such a file unasked. The path is relative to the chart.
pub(super) fn can_wait(path: &str) -> bool {
    match own_path(path) {
        // What lies in charts/ itself may be an archive, or be missed for being no chart.
        own if own.starts_with("charts/") => false,
        "Chart.yaml" | "Chart.lock" | "values.yaml" | "values.schema.json" | "requirements.yaml"
        | "requirements.lock" => false,
        own => !own.starts_with("templates/"),
    }
}

/// The path within the chart of `charts/`, at any depth, that a file belongs to; its own if that is the outermost.
pub fn own_path(path: &str) -> &str {
    let mut own = path;
    while let Some((_, inner)) = own.strip_prefix("charts/").and_then(|rest| rest.split_once('/')) {
        own = inner;
    }
    own
}

impl Contents {
    pub(super) const fn packed(archive: Arc<Packed>, index: usize) -> Self {
        Self(Repr::Packed(archive, index))
    }

    /// The bytes, to be shared.
    pub fn shared(&self) -> &Arc<[u8]> {
        static NONE: OnceLock<Arc<[u8]>> = OnceLock::new();
        match &self.0 {
            Repr::Here(bytes) => bytes,
            Repr::Packed(archive, index) => {
                archive.files().get(*index).unwrap_or_else(|| NONE.get_or_init(Arc::default))
            }
        }
    }
}

impl Deref for Contents {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        self.shared()
    }
}
impl AsRef<[u8]> for Contents {
    fn as_ref(&self) -> &[u8] {
        self
    }
}
impl Default for Contents {
    fn default() -> Self {
        Self(Repr::Here(Arc::default()))
    }
}
impl From<Arc<[u8]>> for Contents {
    fn from(bytes: Arc<[u8]>) -> Self {
        Self(Repr::Here(bytes))
    }
}
impl From<Vec<u8>> for Contents {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Repr::Here(bytes.into()))
    }
}
impl From<&[u8]> for Contents {
    fn from(bytes: &[u8]) -> Self {
        Self(Repr::Here(bytes.into()))
    }
}
impl PartialEq for Contents {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}
impl Eq for Contents {}
impl fmt::Debug for Contents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Repr::Here(bytes) => fmt::Debug::fmt(&String::from_utf8_lossy(bytes), f),
            Repr::Packed(..) => f.write_str("(packed)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_rendering_reads_does_not_wait() {
        for (path, want) in [
            ("Chart.yaml", false),
            ("values.yaml", false),
            ("templates/a.yaml", false),
            ("crds/a.yaml", true),
            ("README.md", true),
            ("files/values.yaml", true),
            ("charts/sub.tgz", false),
            ("charts/sub.tgz.prov", false),
            ("charts/sub/values.schema.json", false),
            ("charts/sub/templates/a.yaml", false),
            ("charts/sub/crds/a.yaml", true),
            ("charts/a/charts/b/Chart.lock", false),
            ("charts/a/charts/b/README.md", true),
            ("charts/a/charts/b.tgz", false),
        ] {
            assert_eq!(can_wait(path), want, "{path}");
        }
    }
}
