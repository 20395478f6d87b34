//! A Git repository without a work tree, through the `git` program: fetch a tip, read its files, make a commit, push it by compare and swap.
//!
//! The address and credentials reach `git` through its environment (`GIT_CONFIG_*`), never through arguments, which everybody on the machine can
//! read; credentials in an address are taken out of it and sent as a header.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use base64::Engine as _;

use super::find::Tree;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GitError {
    #[error("git could not be started: {0}; install it")]
    Start(String),
    #[error("git {command} failed: {message}")]
    Failed { command: String, message: String },
    #[error("the remote has no branch {0}")]
    NoBranch(String),
    #[error(
        "{0} is checked out in that repository, and Git does not push under its work tree: push to a bare one, give --pr NAME, or check out something else there"
    )]
    CheckedOut(String),
    #[error("a push was rejected: {0}")]
    Rejected(String),
}

/// A bare repository of our own, with one remote.
pub struct Git {
    dir: tempdir::Dir,
    env: Vec<(String, String)>,
    /// What must not stand in messages.
    secrets: Vec<String>,
}

/// A directory that is removed at the end.
mod tempdir {
    use std::path::{Path, PathBuf};

    pub struct Dir(PathBuf);

    impl Dir {
        pub fn new() -> std::io::Result<Self> {
            let mut bytes = [0; 8];
            getrandom::fill(&mut bytes).map_err(|e| std::io::Error::other(e.to_string()))?;
            let name = format!("pintle-bump-{:016x}", u64::from_le_bytes(bytes));
            let path = std::env::temp_dir().join(name);
            std::fs::create_dir(&path)?;
            Ok(Self(path))
        }

        pub fn path(&self) -> &Path {
            &self.0
        }
    }

    impl Drop for Dir {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }
}

/// An address without credentials, and the header that carries them.
pub(super) fn without_credentials(address: &str, token: Option<&str>) -> (String, Option<String>) {
    let basic = |text: &str| {
        let text = base64::engine::general_purpose::STANDARD.encode(text);
        format!("Authorization: Basic {text}")
    };
    let web = address.starts_with("http://") || address.starts_with("https://");
    let (scheme, rest) = address.split_once("://").unwrap_or(("", address));
    let authority = rest.split('/').next().unwrap_or_default();
    match authority.rsplit_once('@') {
        Some((user, host)) if web => {
            let path = rest.get(authority.len()..).unwrap_or_default();
            let user = if user.contains(':') { user.to_owned() } else { format!("{user}:") };
            (format!("{scheme}://{host}{path}"), Some(basic(&user)))
        }
        _ => (address.to_owned(), token.filter(|_| web).map(|t| basic(&format!("x-access-token:{t}")))),
    }
}

impl Git {
    /// A fresh repository whose remote is `address`: a URL, or a path. `token` is sent to web addresses.
    pub fn new(address: &str, token: Option<&str>) -> Result<Self, GitError> {
        let start = |e: std::io::Error| GitError::Start(e.to_string());
        let local = !address.contains("://") && Path::new(address).exists();
        let address = if local {
            std::path::absolute(address).map_err(start)?.to_string_lossy().into_owned()
        } else {
            address.to_owned()
        };
        let (url, header) = without_credentials(&address, token);
        let mut secrets: Vec<String> = token.map(str::to_owned).into_iter().chain(header.clone()).collect();
        if url != address {
            secrets.push(address.clone());
        }
        let mut settings = vec![
            ("remote.origin.url", url),
            ("gc.auto", "0".into()),
            ("fetch.unpackLimit", "1000000".into()),
            ("protocol.file.allow", "always".into()),
            ("core.hooksPath", "/dev/null".into()),
        ];
        settings.extend(header.map(|h| ("http.extraHeader", h)));
        let mut env = vec![
            ("GIT_CONFIG_COUNT".to_owned(), settings.len().to_string()),
            ("GIT_TERMINAL_PROMPT".to_owned(), "0".into()),
            ("LC_ALL".to_owned(), "C".into()),
        ];
        for (i, (key, value)) in settings.into_iter().enumerate() {
            env.push((format!("GIT_CONFIG_KEY_{i}"), key.to_owned()));
            env.push((format!("GIT_CONFIG_VALUE_{i}"), value));
        }
        let git = Self { dir: tempdir::Dir::new().map_err(start)?, env, secrets };
        git.run(&["init", "--quiet", "--bare"], None)?;
        Ok(git)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new("git");
        for name in
            ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR", "GIT_PREFIX"]
        {
            command.env_remove(name);
        }
        command.args(args).current_dir(self.dir.path()).envs(self.env.iter().map(|(k, v)| (k, v)));
        command
    }

    /// A message of git's without credentials.
    fn clean(&self, text: &[u8]) -> String {
        let text = String::from_utf8_lossy(text).trim().to_owned();
        self.secrets.iter().filter(|s| !s.is_empty()).fold(text, |text, secret| text.replace(secret, "***"))
    }

    fn output(&self, args: &[&str], input: Option<&[u8]>) -> Result<Output, GitError> {
        let start = |e: std::io::Error| GitError::Start(e.to_string());
        let mut command = self.command(args);
        command.stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() });
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(start)?;
        let writer = child.stdin.take().zip(input.map(<[u8]>::to_vec)).map(|(mut stdin, input)| {
            // Git may answer before it has read all.
            std::thread::spawn(move || stdin.write_all(&input))
        });
        let output = child.wait_with_output().map_err(start)?;
        if let Some(writer) = writer {
            let _ = writer.join();
        }
        Ok(output)
    }

    fn run(&self, args: &[&str], input: Option<&[u8]>) -> Result<Vec<u8>, GitError> {
        let output = self.output(args, input)?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        let command = args.first().copied().unwrap_or_default().to_owned();
        Err(GitError::Failed { command, message: self.clean(&output.stderr) })
    }

    /// The remote's default branch.
    pub fn default_branch(&self) -> Result<String, GitError> {
        let text = self.run(&["ls-remote", "--symref", "origin", "HEAD"], None)?;
        let text = String::from_utf8_lossy(&text).into_owned();
        let found =
            text.lines().find_map(|l| l.strip_prefix("ref: refs/heads/")?.split_whitespace().next().map(str::to_owned));
        found.ok_or_else(|| GitError::NoBranch("HEAD".into()))
    }

    /// The commit a remote branch points to.
    pub fn remote_tip(&self, branch: &str) -> Result<Option<String>, GitError> {
        let text = self.run(&["ls-remote", "origin", &format!("refs/heads/{branch}")], None)?;
        Ok(String::from_utf8_lossy(&text).split_whitespace().next().map(str::to_owned))
    }

    /// Fetches a branch's tip, nothing of its history; its commit.
    pub fn fetch(&self, branch: &str) -> Result<String, GitError> {
        let spec = format!("+refs/heads/{branch}:refs/pintle/tip");
        match self.run(&["fetch", "--quiet", "--no-tags", "--depth=1", "origin", &spec], None) {
            Ok(_) => {}
            Err(GitError::Failed { message, .. }) if message.contains("couldn't find remote ref") => {
                return Err(GitError::NoBranch(branch.to_owned()));
            }
            Err(e) => return Err(e),
        }
        let tip = self.run(&["rev-parse", "refs/pintle/tip"], None)?;
        Ok(String::from_utf8_lossy(&tip).trim().to_owned())
    }

    /// The files of a commit.
    pub fn files(&self, commit: &str) -> Result<Files<'_>, GitError> {
        let list = self.run(&["ls-tree", "-r", "-z", "--full-tree", commit], None)?;
        let (mut paths, mut modes) = (Vec::new(), BTreeMap::new());
        for entry in list.split(|b| *b == 0) {
            let entry = String::from_utf8_lossy(entry).into_owned();
            let Some((meta, path)) = entry.split_once('\t') else { continue };
            let mut meta = meta.split(' ');
            if let (Some(mode @ ("100644" | "100755")), Some("blob"), Some(blob)) =
                (meta.next(), meta.next(), meta.next())
            {
                modes.insert(path.to_owned(), (mode.to_owned(), blob.to_owned()));
                paths.push(path.to_owned());
            }
        }
        Ok(Files { git: self, paths, modes })
    }

    /// Makes a commit on `parent` with some files changed; it is at `refs/pintle/new` then.
    pub fn commit(
        &self,
        parent: &str,
        files: &Files<'_>,
        changed: &BTreeMap<String, Vec<u8>>,
        message: &str,
        author: &str,
        time: i64,
    ) -> Result<(), GitError> {
        let head = [
            "feature done".to_owned(),
            "commit refs/pintle/new".to_owned(),
            format!("author {author} {time} +0000"),
            format!("committer {author} {time} +0000"),
            format!("data {}\n{message}", message.len()),
            format!("from {parent}\n"),
        ];
        let mut stream = head.join("\n").into_bytes();
        for (path, text) in changed {
            let mode = files.modes.get(path).map_or("100644", |(mode, _)| mode.as_str());
            let line = format!("M {mode} inline {}\ndata {}\n", quoted(path), text.len());
            stream.extend_from_slice(line.as_bytes());
            stream.extend_from_slice(text);
            stream.push(b'\n');
        }
        stream.extend_from_slice(b"done\n");
        self.run(&["fast-import", "--quiet", "--force", "--done"], Some(&stream)).map(|_| ())
    }

    /// Pushes the new commit to a branch that must still be at `expected` (or must not be there).
    pub fn push(&self, branch: &str, expected: Option<&str>) -> Result<(), GitError> {
        let lease = format!("--force-with-lease=refs/heads/{branch}:{}", expected.unwrap_or_default());
        let spec = format!("refs/pintle/new:refs/heads/{branch}");
        let output = self.output(&["push", "--quiet", "--porcelain", &lease, "origin", &spec], None)?;
        if output.status.success() {
            return Ok(());
        }
        let text = self.clean(&[output.stdout, output.stderr].concat());
        if text.contains("branch is currently checked out") {
            return Err(GitError::CheckedOut(branch.to_owned()));
        }
        Err(GitError::Rejected(text))
    }
}

/// A path as fast-import reads it.
fn quoted(path: &str) -> String {
    let mut out = String::from('"');
    for c in path.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// The files of one commit.
pub struct Files<'a> {
    git: &'a Git,
    paths: Vec<String>,
    /// Mode and object by path.
    modes: BTreeMap<String, (String, String)>,
}

impl Tree for Files<'_> {
    fn paths(&self) -> &[String] {
        &self.paths
    }

    fn read(&self, paths: &[String]) -> Result<Vec<Vec<u8>>, String> {
        let known: Vec<Option<&String>> = paths.iter().map(|p| self.modes.get(p).map(|(_, blob)| blob)).collect();
        let input: String = known.iter().flatten().map(|blob| format!("{blob}\n")).collect();
        let output = self.git.run(&["cat-file", "--batch"], Some(input.as_bytes())).map_err(|e| e.to_string())?;
        let mut rest = output.as_slice();
        let mut next = || {
            let head = rest.iter().position(|b| *b == b'\n')?;
            let size: usize = std::str::from_utf8(rest.get(..head)?).ok()?.rsplit(' ').next()?.parse().ok()?;
            let text = rest.get(head + 1..head + 1 + size)?.to_vec();
            rest = rest.get(head + 2 + size..)?;
            Some(text)
        };
        known
            .iter()
            .map(|blob| match blob {
                Some(_) => next().ok_or_else(|| "git cat-file: an answer that was not expected".to_owned()),
                None => Ok(Vec::new()),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_leave_the_address() {
        let (url, header) = without_credentials("https://me:tok@example.org:8080/a/b.git", None);
        assert_eq!(url, "https://example.org:8080/a/b.git");
        assert_eq!(header.as_deref(), Some("Authorization: Basic bWU6dG9r"));
        let (url, header) = without_credentials("https://example.org/b.git", Some("t"));
        assert_eq!(url, "https://example.org/b.git");
        assert_eq!(header.as_deref(), Some("Authorization: Basic eC1hY2Nlc3MtdG9rZW46dA=="));
        assert_eq!(without_credentials("git@example.org:a/b.git", Some("t")), ("git@example.org:a/b.git".into(), None));
    }
}
