//! The repositories that `helm repo add` keeps: `repositories.yaml`.
//!
//! Source: Helm 4.3 `pkg/repo/v1/repo.go`, `pkg/helmpath`.

use std::path::{Path, PathBuf};

use crate::value::{Heap, Map, Value};
use crate::yaml;

use super::index::Repository;
use super::{Credentials, Reason, Secret, SourceError, Tls};

/// One entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    pub name: String,
    pub url: String,
    username: String,
    password: Secret,
    cert_file: String,
    key_file: String,
    ca_file: String,
    insecure: bool,
    pass_credentials: bool,
}

/// Where Helm keeps it: `HELM_REPOSITORY_CONFIG`, or `repositories.yaml` in Helm's configuration directory.
pub fn default_file() -> PathBuf {
    let set = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    set("HELM_REPOSITORY_CONFIG").unwrap_or_else(|| {
        let config = set("HELM_CONFIG_HOME")
            .or_else(|| set("XDG_CONFIG_HOME").map(|d| d.join("helm")))
            .or_else(|| set("HOME").map(|d| d.join(".config/helm")));
        config.unwrap_or_default().join("repositories.yaml")
    })
}

/// The entries of a file; none if there is no file.
///
/// # Errors
/// A file that can't be read.
pub fn read(path: &Path) -> Result<Vec<Entry>, SourceError> {
    let text = match std::fs::read(path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(SourceError::disk("couldn't load repositories file", path, &e)),
    };
    let mut heap = Heap::new();
    let top = yaml::to_map(&mut heap, &text).map_err(|e| {
        SourceError::new(Reason::Malformed, path.display().to_string(), format!("couldn't load repositories file: {e}"))
    })?;
    let Some(Value::List(list)) = heap.map(top).get("repositories") else { return Ok(Vec::new()) };
    let entry = |v: &Value| match v {
        Value::Map(id) => Some(entry(heap.map(*id))),
        _ => None,
    };
    Ok(heap.list(*list).items.iter().filter_map(entry).collect())
}

fn entry(map: &Map) -> Entry {
    let text = |name: &str| match map.get(name) {
        Some(Value::Str(s)) => String::from_utf8_lossy(s.as_ref()).into_owned(),
        _ => String::new(),
    };
    let flag = |name: &str| matches!(map.get(name), Some(Value::Bool(true)));
    Entry {
        name: text("name"),
        url: text("url"),
        username: text("username"),
        password: Secret::new(text("password")),
        cert_file: text("certFile"),
        key_file: text("keyFile"),
        ca_file: text("caFile"),
        insecure: flag("insecure_skip_tls_verify"),
        pass_credentials: flag("pass_credentials_all"),
    }
}

impl Entry {
    /// # Errors
    /// Its certificates can't be read.
    pub fn repository(&self) -> Result<Repository, SourceError> {
        let file = |s: &str| (!s.is_empty()).then(|| PathBuf::from(s));
        let (ca, cert, key) = (file(&self.ca_file), file(&self.cert_file), file(&self.key_file));
        let known = !self.username.is_empty() && !self.password.is_empty();
        Ok(Repository {
            url: self.url.clone(),
            credentials: known
                .then(|| Credentials::Basic { username: self.username.clone(), password: self.password.clone() }),
            tls: Tls::from_files(ca.as_deref(), cert.as_deref(), key.as_deref(), self.insecure)?,
            pass_credentials: self.pass_credentials,
        })
    }
}

/// The entry with a name.
///
/// # Errors
/// Helm's words.
pub fn by_name<'e>(entries: &'e [Entry], name: &str) -> Result<&'e Entry, SourceError> {
    match entries.iter().find(|e| e.name == name) {
        None => Err(SourceError::refused(format!("repo {name} not found"))),
        Some(e) if e.url.is_empty() => Err(SourceError::refused(format!("no URL found for repository {name}"))),
        Some(e) => Ok(e),
    }
}

/// Helm's `urlutil.Equal`: two ways to write one repository's URL.
pub fn same_url(a: &str, b: &str) -> bool {
    use crate::golang::{path, url::Url};
    let norm = |text: &str| {
        let mut url = Url::parse(text.as_bytes()).ok()?;
        if url.path.is_empty() {
            url.path = b"/".to_vec();
        }
        url.path = path::clean(&url.path).to_vec();
        Some(url.encoded())
    };
    match (norm(a), norm(b)) {
        (Some(a), Some(b)) => a == b,
        (None, _) => path::clean(a.as_bytes()) == path::clean(b.as_bytes()),
        _ => false,
    }
}

/// Where an entry's certificates lie and what it may do, as `repo add` is told.
#[derive(Clone, Debug, Default)]
pub struct Access {
    pub username: String,
    pub password: Secret,
    pub cert_file: String,
    pub key_file: String,
    pub ca_file: String,
    pub insecure: bool,
    pub pass_credentials: bool,
}

impl Entry {
    pub fn new(name: &str, url: &str, access: Access) -> Self {
        let Access { username, password, cert_file, key_file, ca_file, insecure, pass_credentials } = access;
        let (name, url) = (name.into(), url.into());
        Self { name, url, username, password, cert_file, key_file, ca_file, insecure, pass_credentials }
    }
}

/// Writes the file as Helm does, readable for its owner only: it holds passwords.
///
/// # Errors
/// The disk's.
pub fn write(path: &Path, entries: &[Entry]) -> Result<(), SourceError> {
    let mut heap = Heap::new();
    let list = entries.iter().map(|e| {
        let text = Value::str;
        Value::Map(heap.map_of([
            ("caFile", text(&e.ca_file)),
            ("certFile", text(&e.cert_file)),
            ("insecure_skip_tls_verify", Value::Bool(e.insecure)),
            ("keyFile", text(&e.key_file)),
            ("name", text(&e.name)),
            ("pass_credentials_all", Value::Bool(e.pass_credentials)),
            ("password", Value::str(e.password.expose())),
            ("url", text(&e.url)),
            ("username", text(&e.username)),
        ]))
    });
    let list = list.collect::<Vec<_>>();
    let list = Value::List(heap.list_of(list));
    let top = heap.map_of([
        ("apiVersion", Value::str("")),
        ("generated", Value::str(crate::golang::time::ZERO)),
        ("repositories", list),
    ]);
    let bytes = yaml::marshal(&mut heap, &Value::Map(top)).map_err(|e| SourceError::new(Reason::Malformed, "", e))?;
    let fail = |e: std::io::Error| SourceError::disk("can't be written", path, &e);
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir).map_err(fail)?;
    }
    let temporary = path.with_extension(format!("yaml.{}", std::process::id()));
    let mut options = std::fs::File::options();
    options.create(true).truncate(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(&temporary).and_then(|mut f| std::io::Write::write_all(&mut f, &bytes));
    written.and_then(|()| std::fs::rename(&temporary, path)).map_err(|e| {
        let _ = std::fs::remove_file(&temporary);
        fail(e)
    })
}
