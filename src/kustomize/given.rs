//! Who gave an object its parts, other than the file that it was read from: for those who ask where a field comes from.
//!
//! kustomize itself keeps nothing of this; nothing in here has a say in what is built.

use std::sync::Arc;

/// What gave an object a part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Given {
    /// A whole file became the value of a key of a ConfigMap or Secret. The path is one in the tree.
    File { key: String, file: Arc<str> },
    /// A patch was laid over it.
    Patch(Arc<Patch>),
}

/// Where a patch is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Patch {
    /// A path in the tree: the patch's own file, or the kustomization that it stands in.
    pub file: Arc<str>,
    /// The line of its document in the text, 1-based; 0 for a list of operations.
    pub line: u32,
    /// The text, if it stands in a kustomization.
    pub inline: Option<Arc<str>>,
}

impl Patch {
    pub fn new(file: &Arc<str>, line: u32, inline: Option<&str>) -> Arc<Self> {
        Arc::new(Self { file: file.clone(), line, inline: inline.map(Arc::from) })
    }
}
