//! Rendered files, and their documents read ahead: while the rest of a large chart is rendered, another core splits the files that are there
//! already and reads the heads by which their documents are sorted.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::Ahead;
use super::manifest::{self, Documents};

/// So many bytes of text are handed over at once: to wake a thread costs as much as to read a few small files.
const HANDFUL: usize = 16 << 10;

/// A file's path and its text.
pub(super) type File = (String, Vec<u8>);

/// Documents of files, by path, as far as they were read.
pub(super) type Read = HashMap<String, Documents>;

/// Collects files as they come.
pub(super) struct Rendered<'a> {
    files: Vec<Arc<File>>,
    /// Who reads them, and how many have been handed over.
    ahead: Option<&'a Ahead>,
    handed: usize,
    bytes: usize,
}

impl<'a> Rendered<'a> {
    pub fn new(ahead: Option<&'a Ahead>) -> Self {
        Self { files: Vec::new(), ahead: ahead.filter(|ahead| ahead.has_help()), handed: 0, bytes: 0 }
    }

    pub fn add(&mut self, path: &str, text: Vec<u8>) {
        self.bytes += text.len();
        self.files.push(Arc::new((path.to_owned(), text)));
        if self.bytes < HANDFUL {
            return;
        }
        self.bytes = 0;
        if let Some(ahead) = self.ahead {
            ahead.hand_over(self.files.get(self.handed..).unwrap_or_default());
            self.handed = self.files.len();
        }
    }

    /// All files, and the documents of those that were read; what still waits to be is left to who asks for it.
    pub fn finish(self) -> (BTreeMap<String, Vec<u8>>, Read) {
        let read = self.ahead.map(Ahead::take_read).unwrap_or_default();
        let files = self.files.into_iter().map(Arc::unwrap_or_clone).collect();
        (files, read)
    }
}

/// The documents of a file.
pub(super) fn read(file: &File) -> Documents {
    let (path, text) = file;
    manifest::split_file(path, text).into_iter().map(|doc| (doc.to_vec(), crate::yaml::head(doc))).collect()
}
