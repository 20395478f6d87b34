//! What holds for fetching: credentials, TLS, deadlines, limits, and what must be verified.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Reason, Secret, SourceError};

/// How to log in where a source asks for it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Credentials {
    Basic { username: String, password: Secret },
    Bearer(Secret),
}

/// TLS for a source. PEM texts, not paths: a controller has them from Secrets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Tls {
    /// Certificates to trust instead of the system's.
    pub ca: Option<Vec<u8>>,
    /// The client's certificate chain and key, as PEM.
    pub identity: Option<(Vec<u8>, Secret)>,
    pub insecure_skip_verify: bool,
}

impl Tls {
    /// Reads the files of `--ca-file`, `--cert-file` and `--key-file`.
    ///
    /// # Errors
    /// A file can't be read, or a certificate has no key.
    pub fn from_files(
        ca: Option<&Path>,
        cert: Option<&Path>,
        key: Option<&Path>,
        insecure: bool,
    ) -> Result<Self, SourceError> {
        let read =
            |p: &Path| std::fs::read(p).map_err(|e| SourceError::disk("can't create TLS config for client", p, &e));
        // A path that is empty is none.
        let given = |path: Option<&'_ Path>| path.filter(|p| !p.as_os_str().is_empty()).map(Path::to_path_buf);
        let (ca, cert, key) = (given(ca), given(cert), given(key));
        let identity = match (cert.as_deref(), key.as_deref()) {
            (Some(c), Some(k)) => {
                let key = String::from_utf8(read(k)?).map_err(|_| {
                    SourceError::new(Reason::Tls, k.display().to_string(), "the client key is no PEM text")
                })?;
                Some((read(c)?, Secret::new(key)))
            }
            (None, None) => None,
            (Some(p), None) | (None, Some(p)) => {
                let message = "a client certificate needs both --cert-file and --key-file";
                return Err(SourceError::new(Reason::Tls, p.display().to_string(), message));
            }
        };
        Ok(Self { ca: ca.as_deref().map(read).transpose()?, identity, insecure_skip_verify: insecure })
    }
}

/// What must hold before content is used. All that is given must hold; it fails closed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verify {
    /// Helm's provenance (`--verify`): the keyring that must have signed.
    pub keyring: Option<PathBuf>,
    /// cosign public keys, PEM; any one may have signed.
    pub cosign_keys: Vec<Vec<u8>>,
    /// cosign keyless: (issuer, subject), each a regular expression that must match entirely; any pair may match.
    pub cosign_identities: Vec<(String, String)>,
    /// The trust root (sigstore's `trusted_root.json`) for keyless signatures; `None`: the public one that is built in, if there is one.
    pub trusted_root: Option<Vec<u8>>,
    /// Keys that may sign commits or tags: armored PGP or `authorized_keys` lines.
    pub git_keys: Vec<Vec<u8>>,
    /// Fetch the provenance file, and only keep it (`--prov`).
    pub provenance_later: bool,
}

impl Verify {
    /// Whether the source's own signatures are asked for.
    pub const fn signatures(&self) -> bool {
        !self.cosign_keys.is_empty() || !self.cosign_identities.is_empty() || !self.git_keys.is_empty()
    }
}

/// Everything that shapes a fetch.
#[derive(Clone, Debug)]
pub struct Options {
    /// For the host of the reference, and only for it.
    pub credentials: Option<Credentials>,
    /// Send the credentials to every host (`--pass-credentials`), except over a redirect.
    pub pass_credentials: bool,
    pub tls: Tls,
    /// Talk HTTP to OCI registries.
    pub plain_http: bool,
    /// Use the cache alone.
    pub offline: bool,
    /// Fetch submodules of Git repositories.
    pub submodules: bool,
    /// For one artifact, all tries together.
    pub deadline: Duration,
    /// The longest that a transfer may stand still.
    pub idle: Duration,
    /// Tries after the first.
    pub retries: u32,
    /// The most bytes of one artifact.
    pub max_artifact: u64,
    /// The most bytes of an index.
    pub max_index: u64,
    pub verify: Verify,
    /// Show progress of long downloads on standard error.
    pub progress: bool,
    /// The cache's directory; `None` is the user's, see [`cache::default_dir`](super::cache::default_dir).
    pub cache_dir: Option<PathBuf>,
    /// Helm's file of registries' passwords; `None`: there is none to read.
    pub registry_config: Option<PathBuf>,
    /// Helm's file of added repositories.
    pub repository_config: PathBuf,
    /// SSH: the private key, and the file with known hosts; `None`: as `ssh` itself finds them.
    pub ssh_key: Option<PathBuf>,
    pub known_hosts: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            credentials: None,
            pass_credentials: false,
            tls: Tls::default(),
            plain_http: false,
            offline: false,
            submodules: false,
            // Helm's timeout of a request.
            deadline: Duration::from_secs(120),
            idle: Duration::from_secs(30),
            retries: 4,
            max_artifact: 256 << 20,
            max_index: 1 << 30,
            verify: Verify::default(),
            progress: false,
            cache_dir: None,
            registry_config: super::oci::auth::helm_config(),
            repository_config: super::repositories::default_file(),
            ssh_key: None,
            known_hosts: None,
        }
    }
}
