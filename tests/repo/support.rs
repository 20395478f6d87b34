//! Folders, programs and Git repositories for these tests.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A folder that is removed at the end.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Self {
        let mut bytes = [0; 8];
        getrandom::fill(&mut bytes).unwrap();
        let path = std::env::temp_dir().join(format!("pintle-test-{:016x}", u64::from_le_bytes(bytes)));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Writes a file with all its folders.
    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.join(name)).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The files below a directory, by their paths from there.
pub fn files(root: &Path) -> BTreeMap<String, String> {
    fn walk(dir: &Path, root: &Path, out: &mut BTreeMap<String, String>) {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, root, out);
            } else {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                out.insert(name, std::fs::read_to_string(&path).unwrap());
            }
        }
    }
    let mut out = BTreeMap::new();
    walk(root, root, &mut out);
    out
}

pub fn pintle() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pintle"));
    // Nothing of the user's own: no keys, no Git settings.
    command.env("HOME", "/nonexistent").env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null");
    for name in ["SOPS_AGE_KEY", "SOPS_AGE_KEY_FILE", "XDG_CONFIG_HOME", "CI"] {
        command.env_remove(name);
    }
    command
}

/// Runs pintle in a folder: the exit code, what it prints, what it says.
pub fn run(f: &Folder, args: &[&str]) -> (Option<i32>, String, String) {
    let out = pintle().current_dir(f.path()).args(args).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (out.status.code(), text(&out.stdout), text(&out.stderr))
}

/// Builds the environment `prod`, without keys.
pub fn build(f: &Folder) -> (Option<i32>, String, String) {
    run(f, &["build", "--no-keys", "--env", "prod"])
}

pub fn git(dir: &Path, args: &[&str]) -> String {
    let out = try_git(dir, args);
    assert!(out.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8_lossy(&out.stdout).into_owned()
}

pub fn try_git(dir: &Path, args: &[&str]) -> Output {
    let mut command = Command::new("git");
    command.args(args).current_dir(dir);
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null");
    for who in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{who}_NAME"), "tester").env(format!("GIT_{who}_EMAIL"), "tester@localhost");
    }
    command.output().unwrap()
}

/// A bare repository with one commit on `main`, in `name` of a folder.
pub fn bare(folder: &Folder, name: &str, files: &[(&str, String)]) -> PathBuf {
    let work = format!("{name}-work");
    for (path, text) in files {
        folder.write(&format!("{work}/{path}"), text);
    }
    let dir = folder.join(&work);
    git(&dir, &["init", "--quiet", "--initial-branch=main"]);
    git(&dir, &["add", "--all"]);
    git(&dir, &["commit", "--quiet", "--message=start"]);
    git(folder.path(), &["clone", "--quiet", "--bare", &work, name]);
    std::fs::remove_dir_all(&dir).unwrap();
    folder.join(name)
}

/// A file at the tip of `main`.
pub fn at_main(repo: &Path, path: &str) -> String {
    git(repo, &["show", &format!("main:{path}")])
}
