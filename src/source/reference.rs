//! How a chart or a values file is named, wherever it lies.
//!
//! | form | what |
//! | --- | --- |
//! | `./chart`, `chart.tgz`, `values.yaml` | a path |
//! | `https://host/x.tgz` | a file behind HTTP |
//! | `oci://host/path[:tag][@sha256:…][//file]` | an artifact of an OCI registry, or one file in it |
//! | `NAME --repo URL`, `repo/NAME`, each with a version or range | a chart of a chart repository |
//! | `git+https://`, `git+ssh://`, `git+file://` `…[//subdir][?ref=…]` | a directory or file of a Git repository |
//! | `s3://`, `gs://`, `az://` `bucket/key[?endpoint=…&region=…]` | an object of a bucket |
//!
//! Of Git, `?ref=` is a full `refs/…` name, a commit of 40 or 64 digits, a range of versions over the tags if it has one of `^~<>=*|` or a
//! space, or else a branch or tag; `?branch=`, `?tag=`, `?commit=` and `?semver=` say which. User and password in a URL are taken out of it:
//! what [`Reference`] prints is free of secrets, and is the name that the cache keeps.

use std::fmt;
use std::path::PathBuf;

use crate::golang::url::{Mode, Url, unescape};

use super::secret::redact;
use super::{Credentials, Digest, Reason, Secret, SourceError};

/// A parsed reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reference {
    Path(PathBuf),
    Http(HttpRef),
    Oci(OciRef),
    Repository(RepositoryRef),
    Git(GitRef),
    Bucket(BucketRef),
}

/// A file behind HTTP or HTTPS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpRef {
    /// Without user and password.
    pub url: String,
    pub credentials: Option<Credentials>,
}

/// An artifact of an OCI registry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OciRef {
    /// `host` or `host:port`.
    pub registry: String,
    /// `team/charts/app`.
    pub repository: String,
    /// As written; a version's `+` is `_` in a registry.
    pub tag: Option<String>,
    pub digest: Option<Digest>,
    /// A version or range (`--version`), to be found among the tags.
    pub version: Option<String>,
    /// A file or directory within the artifact.
    pub path: Option<String>,
}

/// A chart of a chart repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepositoryRef {
    /// The repository's URL without user and password, or `@NAME` for one that `helm repo add` knows.
    pub repository: String,
    pub credentials: Option<Credentials>,
    pub chart: String,
    /// A version or range; `None` is the latest stable one.
    pub version: Option<String>,
}

/// A directory or file of a Git repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GitRef {
    /// `https://…`, `http://…`, `ssh://user@host/…` or `file:///…`, without password.
    pub url: String,
    pub credentials: Option<Credentials>,
    /// Relative, without `.` and `..`; empty is the whole tree.
    pub path: String,
    pub revision: GitRevision,
    pub submodules: bool,
}

/// Which commit is meant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum GitRevision {
    /// The repository's HEAD.
    #[default]
    Head,
    /// A branch or a tag; a branch is taken first.
    Any(String),
    Branch(String),
    Tag(String),
    /// A full name, `refs/pull/1/head`.
    Full(String),
    /// 40 or 64 lower-case digits.
    Commit(String),
    /// The highest tag in a range of versions.
    Semver(String),
}

/// An object of a bucket; a key with `/` at its end is all that begins with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketRef {
    pub provider: Provider,
    pub bucket: String,
    pub key: String,
    /// `http://127.0.0.1:9000` for S3-compatible servers.
    pub endpoint: Option<String>,
    pub region: Option<String>,
}

/// Whose API a bucket has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provider {
    S3,
    Gcs,
    Azure,
}

impl Provider {
    pub const fn scheme(self) -> &'static str {
        match self {
            Self::S3 => "s3",
            Self::Gcs => "gs",
            Self::Azure => "az",
        }
    }
}

fn bad(text: &str, why: impl Into<String>) -> SourceError {
    SourceError::new(Reason::Reference, text, why)
}

impl Reference {
    /// What a user's text names, with `--repo` and `--version`. What exists on disk is not asked here: text without a scheme is a path, or with
    /// `repo` a chart's name; the caller tries `repo/chart` ([`Self::known_repository`]) for paths that are not there.
    ///
    /// # Errors
    /// [`Reason::Reference`]: what is wrong with the text.
    pub fn parse(text: &str, repo: Option<&str>, version: Option<&str>) -> Result<Self, SourceError> {
        let text = text.trim();
        let version = version.map(str::trim).filter(|v| !v.is_empty()).map(String::from);
        if let Some(repo) = repo.filter(|r| !r.is_empty()) {
            let (repository, credentials) = match repo.starts_with('@') {
                true => (repo.to_string(), None),
                false => take_credentials(repo)?,
            };
            return Ok(Self::Repository(RepositoryRef { repository, credentials, chart: text.into(), version }));
        }
        let Some((scheme, rest)) = text.split_once("://") else { return Ok(Self::Path(PathBuf::from(text))) };
        match scheme {
            "http" | "https" => {
                let (url, credentials) = take_credentials(text)?;
                Ok(Self::Http(HttpRef { url, credentials }))
            }
            "oci" => Ok(Self::Oci(OciRef { version, ..oci(text, rest)? })),
            "git+https" | "git+http" | "git+ssh" | "git+file" => Ok(Self::Git(git(text)?)),
            "s3" => Ok(Self::Bucket(bucket(text, rest, Provider::S3)?)),
            "gs" => Ok(Self::Bucket(bucket(text, rest, Provider::Gcs)?)),
            "az" => Ok(Self::Bucket(bucket(text, rest, Provider::Azure)?)),
            _ => Err(SourceError::new(Reason::Unsupported, text, format!("scheme \"{scheme}\" not supported"))
                .hint("use a path, https, oci, git+https, git+ssh, git+file, s3, gs or az")),
        }
    }

    /// `repo/chart` of a repository that `helm repo add` knows.
    ///
    /// # Errors
    /// Helm's text where the text has no such form.
    pub fn known_repository(text: &str, version: Option<&str>) -> Result<Self, SourceError> {
        // Helm takes the text for a URL before it looks for the repository in its path, and prints the URL.
        let url = Url::parse(text.as_bytes())
            .map_err(|_| SourceError::refused(format!("invalid chart URL format: {text}")))?;
        match String::from_utf8_lossy(&url.path).split_once('/') {
            None => Err(SourceError::refused(format!(
                "non-absolute URLs should be in form of repo_name/path_to_chart, got: {}",
                String::from_utf8_lossy(&url.encoded())
            ))),
            Some((repo, chart)) => Ok(Self::Repository(RepositoryRef {
                repository: format!("@{repo}"),
                credentials: None,
                chart: chart.into(),
                version: version.map(str::trim).filter(|v| !v.is_empty()).map(String::from),
            })),
        }
    }

    /// What the cache knows it by: exact, where what is shown leaves a query out. It is only ever kept as a hash.
    pub fn key(&self) -> String {
        match self {
            Self::Http(h) => format!("http {}", h.url),
            Self::Repository(r) => {
                format!("chart {} {} {}", r.repository, r.chart, r.version.as_deref().unwrap_or_default())
            }
            other => other.to_string(),
        }
    }

    /// Whether nothing but the local disk is needed.
    pub const fn is_local(&self) -> bool {
        matches!(self, Self::Path(_))
    }
}

/// Cuts `user:password@` out of a URL.
fn take_credentials(url: &str) -> Result<(String, Option<Credentials>), SourceError> {
    let Some((scheme, rest)) = url.split_once("://") else {
        return Err(bad(url, "not a URL: it has no scheme").hint("write https://host/path"));
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    let Some((user, host)) = authority.rsplit_once('@') else { return Ok((url.into(), None)) };
    let plain = |s: &str| {
        let bytes = unescape(s.as_bytes(), Mode::UserPassword)
            .map_err(|_| bad(url, "user or password has a wrong %-escape"))?;
        String::from_utf8(bytes).map_err(|_| bad(url, "user or password is not UTF-8"))
    };
    let (name, password) = user.split_once(':').unwrap_or((user, ""));
    let credentials = Credentials::Basic { username: plain(name)?, password: Secret::new(plain(password)?) };
    Ok((format!("{scheme}://{host}{tail}"), Some(credentials)))
}

fn oci(text: &str, rest: &str) -> Result<OciRef, SourceError> {
    let (main, path) = match rest.split_once("//") {
        Some((main, path)) => (main, Some(relative(text, path)?)),
        None => (rest, None),
    };
    if main.split('/').next().is_some_and(|host| host.contains('@')) {
        return Err(bad(text, "a registry's user and password do not stand in the reference")
            .hint("use `pintle registry login`, or --username and --password"));
    }
    let (main, digest) = match main.split_once('@') {
        Some((main, digest)) => (main, Some(digest.parse().map_err(|e: String| bad(text, e))?)),
        None => (main, None),
    };
    let Some((registry, repository)) = main.split_once('/') else {
        return Err(bad(text, "an OCI reference needs a repository").hint("write oci://host/path"));
    };
    let (repository, tag) = match repository.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => (repository, Some(tag.to_string())),
        _ => (repository, None),
    };
    if registry.is_empty() || repository.split('/').any(|p| p.is_empty() || p == "." || p == "..") {
        return Err(bad(text, "an OCI reference needs a host and a repository").hint("write oci://host/path"));
    }
    if tag.as_deref() == Some("") {
        return Err(bad(text, "the tag after `:` is empty"));
    }
    Ok(OciRef { registry: registry.into(), repository: repository.into(), tag, digest, version: None, path })
}

fn git(text: &str) -> Result<GitRef, SourceError> {
    let url = text.strip_prefix("git+").unwrap_or(text);
    let (url, query) = url.split_once('?').unwrap_or((url, ""));
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let (main, path) = match rest.split_once("//") {
        Some((main, path)) => (main, relative(text, path)?),
        None => (rest, String::new()),
    };
    let url = format!("{scheme}://{main}");
    let (url, credentials) = match (scheme, take_credentials(&url)?) {
        ("ssh", (_, Some(Credentials::Basic { username, password }))) => {
            if !password.is_empty() {
                return Err(bad(text, "ssh takes no password in its URL").hint("use a key: --ssh-key, or an agent"));
            }
            // The user's name is a part of an ssh address, not a secret.
            let host = main.rsplit_once('@').map_or(main, |(_, h)| h);
            (format!("ssh://{username}@{host}"), None)
        }
        (_, taken) => taken,
    };
    let mut revision = GitRevision::Head;
    let mut submodules = false;
    for pair in query.split('&').filter(|p| !p.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = unescape(value.as_bytes(), Mode::QueryComponent)
            .ok()
            .and_then(|v| String::from_utf8(v).ok())
            .filter(|v| !v.is_empty())
            .ok_or_else(|| bad(text, format!("the query's {name} has no value")))?;
        if name == "submodules" {
            submodules = value == "true";
            continue;
        }
        if revision != GitRevision::Head {
            return Err(bad(text, "more than one revision").hint("give one of ref, branch, tag, commit, semver"));
        }
        revision = match name {
            "ref" => any_revision(value),
            "branch" => GitRevision::Branch(value),
            "tag" => GitRevision::Tag(value),
            "name" => GitRevision::Full(value),
            "semver" => GitRevision::Semver(value),
            "commit" if is_commit(&value) => GitRevision::Commit(value.to_ascii_lowercase()),
            "commit" => return Err(bad(text, "a commit has 40 or 64 hexadecimal digits, not fewer")),
            _ => {
                return Err(bad(text, format!("the query's {name:?} is not known"))
                    .hint("give one of ref, branch, tag, commit, semver, name, submodules"));
            }
        };
        check_revision(text, &revision)?;
    }
    Ok(GitRef { url, credentials, path, revision, submodules })
}

fn is_commit(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|b| b.is_ascii_hexdigit())
}

fn any_revision(value: String) -> GitRevision {
    if is_commit(&value) {
        GitRevision::Commit(value.to_ascii_lowercase())
    } else if value.starts_with("refs/") {
        GitRevision::Full(value)
    } else if value.contains(['^', '~', '<', '>', '=', '*', '|', ' ']) {
        GitRevision::Semver(value)
    } else {
        GitRevision::Any(value)
    }
}

/// What Git itself refuses in a name; above all nothing that a command line could take for a flag.
fn check_revision(text: &str, revision: &GitRevision) -> Result<(), SourceError> {
    let (GitRevision::Any(name) | GitRevision::Branch(name) | GitRevision::Tag(name) | GitRevision::Full(name)) =
        revision
    else {
        return Ok(());
    };
    let wrong = name.starts_with(['-', '/'])
        || name.ends_with(['/', '.'])
        || name.contains("..")
        || name.contains("//")
        || name.contains("@{")
        || name.contains(|c: char| c.is_control() || " ~^:?*[\\".contains(c));
    if wrong { Err(bad(text, "not the name of a Git branch or tag")) } else { Ok(()) }
}

/// A relative path within a tree.
fn relative(text: &str, path: &str) -> Result<String, SourceError> {
    let parts: Vec<&str> = path.split('/').filter(|p| !p.is_empty() && *p != ".").collect();
    if parts.iter().any(|p| *p == ".." || p.contains(|c: char| c.is_control())) {
        return Err(bad(text, "the path after `//` must stay inside"));
    }
    Ok(parts.join("/"))
}

fn bucket(text: &str, rest: &str, provider: Provider) -> Result<BucketRef, SourceError> {
    let (main, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (bucket, key) = main.split_once('/').unwrap_or((main, ""));
    if bucket.is_empty() || bucket.contains('@') || key.is_empty() {
        return Err(bad(text, "a bucket's reference needs a bucket and a key").hint("write s3://bucket/key"));
    }
    if key.split('/').any(|p| p == "." || p == "..") {
        return Err(bad(text, "a key with `.` or `..` is not taken"));
    }
    let mut out = BucketRef { provider, bucket: bucket.into(), key: key.into(), endpoint: None, region: None };
    for pair in query.split('&').filter(|p| !p.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = unescape(value.as_bytes(), Mode::QueryComponent).ok().and_then(|v| String::from_utf8(v).ok());
        match (name, value) {
            ("endpoint", Some(v)) if !v.contains('@') => out.endpoint = Some(v),
            ("region", Some(v)) => out.region = Some(v),
            _ => return Err(bad(text, format!("the query's {name:?} is not taken")).hint("give endpoint or region")),
        }
    }
    Ok(out)
}

impl fmt::Display for Reference {
    /// As it would be written, without secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(p) => write!(f, "{}", p.display()),
            Self::Http(h) => f.write_str(&redact(&h.url)),
            Self::Oci(o) => o.fmt(f),
            Self::Repository(r) => {
                write!(f, "{}/{}", redact(&r.repository).trim_end_matches('/'), r.chart)?;
                r.version.as_ref().map_or(Ok(()), |v| write!(f, "?version={v}"))
            }
            Self::Git(g) => g.fmt(f),
            Self::Bucket(b) => b.fmt(f),
        }
    }
}

impl fmt::Display for OciRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "oci://{}/{}", self.registry, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        if let Some(path) = &self.path {
            write!(f, "//{path}")?;
        }
        self.version.as_ref().map_or(Ok(()), |v| write!(f, "?version={v}"))
    }
}

impl fmt::Display for GitRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "git+{}", self.url)?;
        if !self.path.is_empty() {
            write!(f, "//{}", self.path)?;
        }
        let (name, value) = match &self.revision {
            GitRevision::Head => return Ok(()),
            GitRevision::Any(v) => ("ref", v),
            GitRevision::Branch(v) => ("branch", v),
            GitRevision::Tag(v) => ("tag", v),
            GitRevision::Full(v) => ("name", v),
            GitRevision::Commit(v) => ("commit", v),
            GitRevision::Semver(v) => ("semver", v),
        };
        write!(f, "?{name}={value}")
    }
}

impl fmt::Display for BucketRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}/{}", self.provider.scheme(), self.bucket, self.key)?;
        let mut mark = '?';
        for (name, value) in [("endpoint", &self.endpoint), ("region", &self.region)] {
            if let Some(value) = value {
                write!(f, "{mark}{name}={value}")?;
                mark = '&';
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "reference/tests.rs"]
mod tests;
