//! Where charts and values come from: directories, chart repositories, OCI registries, Git, buckets.
//!
//! What the user named is parsed into a [`Reference`]. For everything that is not on the local disk a backend implements [`Fetch`]: it says
//! cheaply what the name means now ([`Fetch::resolve`]) and brings the content of that ([`Fetch::content`]). [`obtain`] is the one consumer:
//! it stands between backends and the [`Cache`](cache::Cache), so that caching, offline work, digest pins and verification are the same for
//! all of them. What comes out is [`Fetched`]: bytes whose digest was checked, with where they come from and who vouches for them.

mod bucket;
pub mod cache;
pub mod chart_version;
pub mod dependencies;
mod digest;
mod error;
pub mod git;
pub mod http;
mod http_file;
pub mod index;
mod obtain;
pub mod oci;
mod options;
mod reference;
pub mod repositories;
pub mod repository;
mod secret;
pub mod tree;
pub mod verify;

pub use dependencies::write_whole;
pub use digest::Digest;
pub use error::{Reason, SourceError};
pub use obtain::{Backend, Context, obtain, obtain_from};
pub use options::{Credentials, Options, Tls, Verify};
pub use reference::{BucketRef, GitRef, GitRevision, HttpRef, OciRef, Provider, Reference, RepositoryRef};
pub use secret::{Secret, redact as redacted};

use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

/// A place that charts and values come from.
///
/// An implementation is made for one [`Reference`] and holds what it needs (a [`Context`] for its options, HTTP client and cache).
#[async_trait]
pub trait Fetch: Send + Sync {
    /// Says what the reference means now, without its content. `known` is what it meant the last time: a backend revalidates it cheaply
    /// (HEAD, ETag, ls-refs) and may return it unchanged.
    ///
    /// # Errors
    /// There is no such thing, the server refuses, or it can't be reached.
    async fn resolve(&self, known: Option<&Resolved>) -> Result<Resolved, SourceError>;

    /// Brings the content of what [`resolve`](Self::resolve) found. A digest that is named in `resolved` is checked by the caller again.
    ///
    /// # Errors
    /// As above, and content that is too large, truncated, or not what was promised.
    async fn content(&self, resolved: &Resolved) -> Result<Content, SourceError>;

    /// The provenance file (`.prov`) that lies beside the content; `None` if the source has none.
    ///
    /// # Errors
    /// As above.
    async fn provenance_file(&self, _resolved: &Resolved) -> Result<Option<Vec<u8>>, SourceError> {
        Ok(None)
    }

    /// Checks what the source itself knows to check (signatures beside an artifact, signed commits) and says who vouches for it.
    /// Helm's provenance files are not its business.
    ///
    /// # Errors
    /// [`Reason::Unverified`]: there is no signature that the policy accepts.
    async fn verify(&self, _resolved: &Resolved, _content: &Content) -> Result<Vec<Verification>, SourceError> {
        Ok(Vec::new())
    }
}

/// What a reference means at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resolved {
    /// `1.2.3@sha256:…`, `main@sha1:…`: a version, tag or branch with what it pointed to. Without content digest where none is known yet.
    pub revision: String,
    /// Names the content for ever (`oci:sha256:…`, `git:<commit>:<subdir>`); equal keys have equal content. Empty if the source has no such
    /// name, as plain HTTP: then the content is fetched again whenever it was not said to be unchanged.
    pub key: String,
    /// What the content must hash to, if the source says so.
    pub digest: Option<Digest>,
    /// The file's name, `chart-1.2.3.tgz`; provenance files speak of it.
    pub file_name: String,
    /// Where the content lies, without credentials: a URL, or what the backend wants to read back.
    pub location: String,
    /// HTTP validators for the next time.
    pub etag: Option<String>,
    pub last_modified: Option<String>,
    /// Whether the reference can never mean anything else (a digest, a commit). Such references need no revalidation.
    pub immutable: bool,
    /// The source said that nothing changed since the resolution that it was given as known.
    #[serde(skip)]
    pub unchanged: bool,
}

/// What kind of bytes were fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A packaged chart, gzipped tar with one directory at the top.
    Archive,
    /// A directory of a Git tree, an OCI artifact or a bucket: a plain tar, paths relative to the named directory, in byte order, with zero
    /// times, so that equal trees have equal digests.
    Tree,
    /// One file, such as a values file.
    File,
}

/// Content as a backend brings it.
#[derive(Clone, Debug)]
pub struct Content {
    pub kind: Kind,
    pub bytes: Arc<[u8]>,
    /// The resolution, where fetching made it more exact (a version in a Chart.yaml, an ETag of the answer).
    pub resolved: Option<Resolved>,
}

/// Content that was checked, with its provenance.
#[derive(Clone, Debug)]
pub struct Fetched {
    pub kind: Kind,
    pub bytes: Arc<[u8]>,
    pub provenance: Provenance,
    /// The `.prov` file, where it was asked for and there is one.
    pub provenance_file: Option<Vec<u8>>,
    /// Where it lay, without credentials.
    pub location: String,
    /// Whether the network was not needed for the content.
    pub cached: bool,
}

/// Where content comes from and who vouches for it; kept in the cache beside the content, and with a release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// The reference as it was given, without credentials.
    pub source: String,
    /// `main@sha1:…`, `1.2.3@sha256:…`.
    pub revision: String,
    /// Of the bytes.
    pub digest: Digest,
    pub file_name: String,
    pub verifications: Vec<Verification>,
}

/// One successful check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verification {
    /// `helm-provenance`, `cosign-key`, `cosign-keyless`, `git-pgp`, `git-ssh`, `digest`.
    pub method: String,
    /// Who signed: a PGP identity, a certificate's subject, a key's file.
    pub by: String,
    /// The key's fingerprint, or the certificate's issuer.
    pub key: String,
}
