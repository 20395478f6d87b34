//! Charts, contexts and the real helm for the tests of sources.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::{env, fs};

use pintle::source::{Context, Credentials, Fetched, Options, Reference, Secret, SourceError, Tls, obtain};

use crate::servers::{folder, helm, run, tls};

/// A context with an empty cache of its own that trusts the tests' authority.
pub fn context(change: impl FnOnce(&mut Options)) -> Context {
    let ca = fs::read(&tls::authority().ca).unwrap();
    let mut options = Options {
        cache_dir: Some(folder("cache")),
        tls: Tls { ca: Some(ca), ..Tls::default() },
        retries: 1,
        ..Options::default()
    };
    change(&mut options);
    Context::new(options)
}

pub fn basic(user: &str, password: &str) -> Option<Credentials> {
    Some(Credentials::Basic { username: user.into(), password: Secret::new(password) })
}

pub async fn fetch(reference: &str, context: &Context) -> Result<Fetched, SourceError> {
    fetch_version(reference, None, context).await
}

pub async fn fetch_version(text: &str, version: Option<&str>, context: &Context) -> Result<Fetched, SourceError> {
    obtain(&Reference::parse(text, None, version).unwrap(), context).await
}

/// The files of a fetched tree.
pub fn unpack(tree: &[u8]) -> Vec<(String, Vec<u8>)> {
    let files = pintle::chart::tree::files(tree).unwrap();
    files.into_iter().map(|f| (f.name, f.data.to_vec())).collect()
}

/// The files of a small chart, below a folder.
pub fn write_chart(dir: &Path, name: &str, version: &str) {
    let chart = format!(
        "apiVersion: v2\nname: {name}\nversion: {version}\ndescription: a <small> chart & more\nhome: https://example.com\n\
         sources: [https://example.com/src]\nkeywords: [a, b]\nannotations:\n  team: x\nmaintainers:\n- name: A\n  email: a@example.com\n- name: B\n"
    );
    for (path, text) in [
        ("Chart.yaml", chart.as_str()),
        ("values.yaml", "greeting: hello\n"),
        ("values-prod.yaml", "greeting: good day\n"),
        (".helmignore", "*.secret\n"),
        ("not.secret", "x"),
        (
            "templates/cm.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}-{{ .Chart.Version }}\ndata:\n  greeting: {{ .Values.greeting }}\n  \
             files: {{ range $p, $_ := .Files.Glob \"**\" }}{{ $p }} {{ end }}\n",
        ),
    ] {
        let path = dir.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

/// A chart packed by the real helm.
pub fn package(name: &str, version: &str) -> PathBuf {
    let dir = folder("package");
    write_chart(&dir.join(name), name, version);
    run(Command::new(helm()).current_dir(&dir).args(["package", name]));
    dir.join(format!("{name}-{version}.tgz"))
}

/// A keyring with one key that gpg made: (home of gpg, public keyring, secret keyring).
pub struct Keyring {
    pub home: PathBuf,
    pub public: PathBuf,
    pub secret: PathBuf,
}

pub fn keyring(name: &str) -> Keyring {
    let home = folder("gpg");
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(&home, fs::Permissions::from_mode(0o700)).unwrap();
    let gpg = || {
        let mut command = Command::new("gpg");
        command.env("GNUPGHOME", &home).args([
            "--batch",
            "--quiet",
            "--no-tty",
            "--pinentry-mode",
            "loopback",
            "--passphrase",
            "",
        ]);
        command
    };
    run(gpg().args(["--quick-generate-key", &format!("{name} <{name}@example.com>"), "rsa2048", "sign", "never"]));
    let (public, secret) = (home.join("public.gpg"), home.join("secret.gpg"));
    run(gpg().arg("--output").arg(&public).arg("--export"));
    run(gpg().arg("--output").arg(&secret).arg("--export-secret-keys"));
    run(Command::new("gpgconf").env("GNUPGHOME", &home).args(["--kill", "all"]));
    Keyring { home, public, secret }
}

/// Runs the real helm with homes of its own.
pub fn helm_in(home: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(helm());
    command.current_dir(home).args(args).env_clear().env("PATH", env::var("PATH").unwrap_or_default());
    for name in ["HOME", "HELM_CONFIG_HOME", "HELM_CACHE_HOME", "HELM_DATA_HOME", "DOCKER_CONFIG"] {
        command.env(name, home);
    }
    command.output().unwrap()
}

/// Runs pintle with homes of its own.
pub fn pintle_in(home: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pintle"));
    command.current_dir(home).args(args).env_clear().env("PATH", env::var("PATH").unwrap_or_default());
    for name in ["HOME", "HELM_CONFIG_HOME", "HELM_CACHE_HOME", "HELM_DATA_HOME", "DOCKER_CONFIG", "PINTLE_CACHE_DIR"] {
        command.env(name, home);
    }
    command
}

/// What a program printed, after it succeeded.
pub fn success(out: &Output) -> String {
    assert!(out.status.success(), "{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    String::from_utf8_lossy(&out.stdout).into_owned()
}
