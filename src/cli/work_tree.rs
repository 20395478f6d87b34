//! A directory in a Git work tree: each revision is a commit (`--commit`).
//!
//! The `git` program does it, so that hooks, signing and identities are the user's own. Only what lies in the directory is committed; marks of
//! running processes and half-written files are left out.

use std::path::{Path, PathBuf};

use async_trait::async_trait;

use crate::release::action::Keeper;

use super::Failure;

/// The directory whose content is committed.
pub struct WorkTree {
    path: PathBuf,
}

impl WorkTree {
    /// # Errors
    /// The directory lies in no work tree.
    pub fn of(path: &Path) -> Result<Self, Failure> {
        let fail = |e: String| Failure::new(format!("--commit: {}: {e}", path.display()));
        std::fs::create_dir_all(path).map_err(|e| fail(e.to_string()))?;
        let tree = Self { path: path.into() };
        match tree.git(&["rev-parse", "--is-inside-work-tree"]) {
            Ok(answer) if answer.trim() == "true" => Ok(tree),
            Ok(_) => Err(fail("not in a Git work tree: run git init first".into())),
            Err(e) => Err(fail(e)),
        }
    }

    fn git(&self, args: &[&str]) -> Result<String, String> {
        let done = std::process::Command::new("git").arg("-C").arg(&self.path).args(args).output();
        let done = done.map_err(|e| format!("git {}: {e}", args.first().unwrap_or(&"")))?;
        if done.status.success() {
            return Ok(String::from_utf8_lossy(&done.stdout).into_owned());
        }
        Err(String::from_utf8_lossy(&done.stderr).trim().to_string())
    }

    fn commit(&self, subject: &str) -> Result<(), String> {
        let what = ["--", ".", ":(exclude,glob)**/.*.lock", ":(exclude,glob)**/.new-*", ":(exclude,glob)**/.*.tmp"];
        let with = |first: &[&'static str]| [first, &what].concat();
        self.git(&with(&["add", "--all"]))?;
        if self.git(&with(&["status", "--porcelain", "--untracked-files=no"]))?.trim().is_empty() {
            return Ok(());
        }
        let mut args = vec!["commit", "--quiet", "-m", subject];
        args.extend(what);
        self.git(&args).map(drop)
    }
}

#[async_trait]
impl Keeper for WorkTree {
    async fn keep(&self, subject: &str) -> Result<(), String> {
        self.commit(subject)
    }
}
