//! A home for one test: Helm and pintle side by side, each with its own directories and nothing of the user's.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::servers::{folder, helm};

pub struct World {
    pub dir: PathBuf,
}

impl World {
    pub fn new() -> Self {
        Self { dir: folder("world") }
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.dir).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        for (name, dir) in [
            ("HOME", "home"),
            ("HELM_CACHE_HOME", "helm-cache"),
            ("HELM_CONFIG_HOME", "helm-config"),
            ("HELM_DATA_HOME", "helm-data"),
            ("PINTLE_CACHE_DIR", "cache"),
        ] {
            command.env(name, self.dir.join(dir));
        }
        command
    }

    pub fn helm(&self) -> Command {
        self.command(helm())
    }

    pub fn pintle(&self) -> Command {
        self.command(Path::new(env!("CARGO_BIN_EXE_pintle")))
    }

    pub fn write(&self, path: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.dir.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    /// A chart whose manifest tells its version.
    pub fn chart(&self, dir: &str, name: &str, version: &str, more: &str) -> PathBuf {
        self.write(&format!("{dir}/Chart.yaml"), format!("apiVersion: v2\nname: {name}\nversion: {version}\n{more}"));
        self.write(&format!("{dir}/values.yaml"), "a: 1\n");
        self.write(&format!("{dir}/templates/a.yaml"), "v: {{ .Chart.Version }}\na: {{ .Values.a }}\n");
        self.dir.join(dir)
    }

    /// A chart repository in a folder: each name with versions, packed and indexed by the real Helm.
    pub fn repository(&self, charts: &[(&str, &[&str])]) -> PathBuf {
        let root = self.dir.join("repository");
        std::fs::create_dir_all(&root).unwrap();
        for (name, versions) in charts {
            let dir = self.chart(&format!("sources/{name}"), name, "0.0.1", "");
            for version in *versions {
                ok(self.helm().arg("package").arg(&dir).args(["--version", version, "-d"]).arg(&root));
            }
        }
        ok(self.helm().args(["repo", "index"]).arg(&root));
        root
    }
}

/// The files of `charts/`, and Chart.lock without its time.
pub fn state(dir: &Path) -> (Vec<String>, String) {
    let entries = std::fs::read_dir(dir.join("charts")).unwrap();
    let mut names: Vec<String> = entries.map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    let lock = std::fs::read_to_string(dir.join("Chart.lock")).unwrap();
    (names, lock.lines().filter(|l| !l.starts_with("generated:")).collect::<Vec<_>>().join("\n"))
}

/// Runs to success; what was printed.
pub fn ok(command: &mut Command) -> String {
    crate::servers::run(command)
}

/// Runs to failure; the first line of the error.
pub fn fails(command: &mut Command) -> String {
    let out = output(command);
    assert!(!out.status.success(), "{command:?} succeeded");
    let text = String::from_utf8_lossy(&out.stderr).into_owned();
    text.lines().find(|l| l.starts_with("Error: ")).unwrap_or_else(|| panic!("{command:?}: {text}")).to_string()
}

/// Runs to failure; all of what was said.
pub fn fails_with(command: &mut Command) -> String {
    let out = output(command);
    assert!(!out.status.success(), "{command:?} succeeded");
    String::from_utf8_lossy(&out.stderr).into_owned()
}

pub fn output(command: &mut Command) -> Output {
    command.stdin(std::process::Stdio::null()).output().unwrap()
}
