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

#[cfg(test)]
mod tests {
    use super::manifest::{Ordering, sort_manifests, sort_read};
    use super::*;
    use crate::chart;

    /// One to which another thread belongs, if there is another core.
    fn ahead() -> Ahead {
        let mut ahead = Ahead::default();
        ahead.offer(&chart::File { name: "templates/a".into(), data: vec![b'x'; 1 << 17].into(), modified: None });
        ahead
    }

    fn file(n: usize, text: &str) -> (String, String) {
        (format!("c/templates/{n}.yaml"), format!("# {}\n{text}", "x".repeat(n % 7 * 3000)))
    }

    #[test]
    fn documents_read_ahead_are_those_that_are_read_in_their_turn() {
        let good = "apiVersion: v1\nkind: Service\nmetadata:\n  name: a\n---\nkind: ConfigMap\n---\n\n";
        let hook = "kind: Job\nmetadata:\n  annotations:\n    helm.sh/hook: test\n";
        let all: Vec<_> = (0..200).map(|n| file(n, [good, hook, "  \n", "kind: Secret"][n % 4])).collect();
        let partial = [("c/templates/_x.yaml".to_owned(), "{".repeat(HANDFUL))];
        let broken = [(100, "kind: [\n"), (150, "a: b: c\n")].map(|(n, text)| file(1000 + n, text));
        for files in [all.clone(), [all.clone(), partial.to_vec(), broken.to_vec(), all].concat()] {
            let ahead = ahead();
            let mut rendered = Rendered::new(Some(&ahead));
            files.iter().for_each(|(path, text)| rendered.add(path, text.clone().into_bytes()));
            let (ready, read) = rendered.finish();
            assert!(read.keys().all(|path| ready.contains_key(path)));
            let alone: BTreeMap<_, _> = files.into_iter().map(|(path, text)| (path, text.into_bytes())).collect();
            assert_eq!(ready, alone);
            let [helped, alone] =
                [sort_read(&ready, read, Ordering::Install), sort_manifests(&alone, Ordering::Install)];
            assert_eq!(format!("{helped:?}"), format!("{alone:?}"));
        }
    }

    #[test]
    fn what_was_handed_over_is_read() {
        let ahead = ahead();
        if !ahead.has_help() {
            return;
        }
        let mut rendered = Rendered::new(Some(&ahead));
        rendered.add("c/templates/a.yaml", "kind: Service\n".repeat(HANDFUL).into_bytes());
        // Whoever waits long enough finds it done.
        while !ahead.is_idle() {
            std::thread::yield_now();
        }
        let (_, read) = rendered.finish();
        assert_eq!(read.keys().collect::<Vec<_>>(), ["c/templates/a.yaml"]);
    }
}
