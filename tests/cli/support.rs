//! How these tests run commands: in this process, with what they print and their exit codes, in directories that are removed again.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use pintle::cli::{Streams, run};

pub struct Outcome {
    pub code: u8,
    pub out: String,
    pub err: String,
}

/// Runs a command line from the root of the project's checkout (paths are made absolute by the caller where they must be).
pub fn pintle(args: &[&str]) -> Outcome {
    let argv: Vec<std::ffi::OsString> = std::iter::once("pintle").chain(args.iter().copied()).map(Into::into).collect();
    pintle::gotmpl::with_large_stack(move || {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let code = run(argv, &mut Streams { out: &mut out, err: &mut err, terminal: false, last: false });
        let text = |b: Vec<u8>| String::from_utf8(b).unwrap();
        Outcome { code, out: text(out), err: text(err) }
    })
    .unwrap()
}

pub fn project(path: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path).to_str().unwrap().to_string()
}

/// A directory of its own, removed at the end.
pub struct Scratch(pub PathBuf);

impl Scratch {
    pub fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("pintle-cli-{}-{n}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        Self(dir)
    }

    pub fn write(&self, path: &str, text: &str) {
        let full = self.0.join(path);
        std::fs::create_dir_all(full.parent().unwrap()).unwrap();
        std::fs::write(full, text).unwrap();
    }

    pub fn path(&self, path: &str) -> String {
        self.0.join(path).to_str().unwrap().to_string()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The example repository, to be changed.
pub fn example() -> Scratch {
    fn copy(from: &Path, to: &Path) {
        std::fs::create_dir_all(to).unwrap();
        for e in std::fs::read_dir(from).unwrap() {
            let e = e.unwrap();
            let to = to.join(e.file_name());
            if e.path().is_dir() {
                copy(&e.path(), &to);
            } else {
                std::fs::copy(e.path(), to).unwrap();
            }
        }
    }
    let s = Scratch::new();
    copy(Path::new(&project("examples/deployment-repo")), &s.0);
    s
}
