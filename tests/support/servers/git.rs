//! Git repositories made by the real git, and git's own http backend behind nginx.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use super::nginx::{Nginx, Site};
use super::{folder, program, run, spawn_quietly, tell};

/// A repository with a work tree that tests commit to.
pub struct Repository {
    pub dir: PathBuf,
}

impl Repository {
    /// An empty repository on branch `main`.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        let dir = dir.into();
        fs::create_dir_all(&dir).unwrap();
        let repository = Self { dir };
        repository.git(&["init", "--quiet", "--initial-branch=main", "."]);
        // Servers give out what clients of pinned commits ask for, as the large hosts do.
        repository.git(&["config", "uploadpack.allowAnySHA1InWant", "true"]);
        repository.git(&["config", "uploadpack.allowFilter", "true"]);
        repository
    }

    /// Runs git in the repository, with nobody's configuration but its own, and returns what it printed.
    pub fn git(&self, args: &[&str]) -> String {
        run(self.command().args(args)).trim().to_string()
    }

    pub fn command(&self) -> Command {
        let mut command = Command::new(program("git"));
        command.current_dir(&self.dir).env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null");
        for who in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{who}_NAME"), "Test").env(format!("GIT_{who}_EMAIL"), "test@example.com");
            command.env(format!("GIT_{who}_DATE"), "2026-01-02T03:04:05Z");
        }
        command
    }

    pub fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let path = self.dir.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Commits everything and returns the commit's id.
    pub fn commit(&self, message: &str) -> String {
        self.git(&["add", "--all", "--force"]);
        self.git(&["commit", "--quiet", "--allow-empty", "-m", message]);
        self.git(&["rev-parse", "HEAD"])
    }
}

/// Git over http(s): the repositories below a folder, at `URL/git/NAME`.
pub struct GitHttp {
    pub nginx: Nginx,
    backend: Child,
}

impl GitHttp {
    /// Serves the repositories below a folder on a site (which brings its TLS and its passwords).
    pub fn start(repositories: &Path, site: Site) -> Self {
        let dir = folder("git-http");
        let socket = dir.join("s");
        let mut command = Command::new(program("fcgiwrap"));
        command.args(["-c", "4", "-s"]).arg(format!("unix:{}", socket.display()));
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let backend = spawn_quietly(&mut command, &dir.join("log")).unwrap();
        let exec = run(Command::new(program("git")).arg("--exec-path"));
        let nginx = site
            .extra(&format!(
                "location ~ ^/git(/.*)$ {{\n\
                 fastcgi_pass unix:{socket};\n\
                 fastcgi_param SCRIPT_FILENAME {exec}/git-http-backend;\n\
                 fastcgi_param GIT_PROJECT_ROOT {root}; fastcgi_param GIT_HTTP_EXPORT_ALL 1;\n\
                 fastcgi_param PATH_INFO $1; fastcgi_param QUERY_STRING $query_string; fastcgi_param REQUEST_METHOD $request_method;\n\
                 fastcgi_param CONTENT_TYPE $content_type; fastcgi_param CONTENT_LENGTH $content_length;\n\
                 fastcgi_param REMOTE_USER $remote_user; fastcgi_param REMOTE_ADDR $remote_addr;\n}}\n",
                socket = socket.display(),
                exec = exec.trim(),
                root = repositories.display(),
            ))
            .start();
        Self { nginx, backend }
    }

    /// `https://localhost:PORT/git/NAME`.
    pub fn url(&self, name: &str) -> String {
        format!("{}/git/{name}", self.nginx.url())
    }
}

impl Drop for GitHttp {
    fn drop(&mut self) {
        let _ = self.backend.kill();
        let _ = self.backend.wait();
        tell("-", &self.backend);
    }
}
