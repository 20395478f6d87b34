//! Git repositories for tests, made by the real Git.

use std::path::PathBuf;
use std::process::Command;

/// A repository that is gone with the test.
pub struct Repository(pub PathBuf);

impl Repository {
    /// An empty one.
    pub fn new(name: &str) -> Self {
        let here = std::env::temp_dir().join(format!("pintle-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&here).unwrap();
        let repository = Self(here);
        repository.git(&["init", "-q", "-b", "master"]);
        repository
    }

    fn command(&self, words: &[&str]) -> Command {
        let who = ["-c", "user.name=x", "-c", "user.email=x@example.com", "-c", "commit.gpgsign=false"];
        let mut command = Command::new("git");
        command.args(who).args(words).current_dir(&self.0);
        command
    }

    pub fn git(&self, words: &[&str]) {
        let done = self.command(words).output().unwrap();
        assert!(done.status.success(), "git {words:?}: {}", String::from_utf8_lossy(&done.stderr));
    }

    /// A command that may fail: a merge with conflicts.
    pub fn try_git(&self, words: &[&str]) -> bool {
        self.command(words).output().unwrap().status.success()
    }

    pub fn commit(&self, message: &str) {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-qm", message]);
    }

    pub fn write(&self, path: &str, text: &str) {
        let file = self.0.join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }

    pub fn link(&self, path: &str, target: &str) {
        std::os::unix::fs::symlink(target, self.0.join(path)).unwrap();
    }

    pub fn remove(&self, path: &str) {
        std::fs::remove_file(self.0.join(path)).unwrap();
    }
}

impl Drop for Repository {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
