//! Debian's docker-registry: passwords or bearer tokens, TLS, client certificates.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use p256::ecdsa::signature::Signer;
use p256::ecdsa::{Signature, SigningKey};
use p256::pkcs8::DecodePrivateKey;

use super::nginx::{Nginx, Site};
use super::tls::{self, Authority, Pair};
use super::{Server, folder, program};

/// How a registry knows its users.
enum Auth {
    None,
    Basic(String, String),
    /// Tokens from a token server that asks for this name and password.
    Bearer(String, String),
}

pub struct Options {
    auth: Auth,
    tls: bool,
    client_ca: Option<PathBuf>,
}

pub struct Registry {
    pub server: Server,
    /// Where its blobs lie: `docker/registry/v2/…`.
    pub storage: PathBuf,
    /// The token server, for bearer authentication.
    pub tokens: Option<Nginx>,
}

impl Default for Options {
    fn default() -> Self {
        Self { auth: Auth::None, tls: false, client_ca: None }
    }
}

impl Options {
    /// Asks for a name and a password.
    pub fn basic(mut self, user: &str, password: &str) -> Self {
        self.auth = Auth::Basic(user.to_string(), password.to_string());
        self
    }

    /// Asks for a bearer token, which the token server gives for a name and a password. The tokens are good for the
    /// repositories that [`Registry::REPOSITORIES`] names.
    pub fn bearer(mut self, user: &str, password: &str) -> Self {
        self.auth = Auth::Bearer(user.to_string(), password.to_string());
        self
    }

    /// By TLS, with a certificate of [`tls::authority`].
    pub fn tls(mut self) -> Self {
        self.tls = true;
        self
    }

    /// Only to clients that show a certificate of this authority. Needs [`Self::tls`].
    pub fn client_certificates(mut self, ca: &Path) -> Self {
        self.client_ca = Some(ca.to_path_buf());
        self
    }

    pub fn start(self) -> Registry {
        let dir = folder("registry");
        let storage = dir.join("storage");
        let (tokens, auth) = self.authentication(&dir);
        let mut http_tls = String::new();
        if self.tls {
            let pair = tls::server_pair();
            http_tls = format!("  tls:\n    certificate: {}\n    key: {}\n", pair.cert.display(), pair.key.display());
            if let Some(ca) = &self.client_ca {
                http_tls += &format!("    clientcas: [{}]\n", ca.display());
            }
        }
        let server = Server::start("docker-registry", dir.join("log"), |port| {
            let conf = dir.join("config.yml");
            let text = format!(
                "version: 0.1\nlog: {{level: info}}\nstorage:\n  filesystem: {{rootdirectory: {}}}\n  delete: {{enabled: true}}\n\
                 http:\n  addr: 127.0.0.1:{port}\n  secret: not-a-secret\n{http_tls}{auth}",
                storage.display()
            );
            fs::write(&conf, text).unwrap();
            let mut command = Command::new(program("docker-registry"));
            command.arg("serve").arg(&conf).env("OTEL_TRACES_EXPORTER", "none");
            command
        });
        Registry { server, storage, tokens }
    }

    fn authentication(&self, dir: &Path) -> (Option<Nginx>, String) {
        match &self.auth {
            Auth::None => (None, String::new()),
            Auth::Basic(user, password) => {
                let users = dir.join("users");
                fs::write(&users, format!("{user}:{}\n", bcrypt::hash(password, 4).unwrap())).unwrap();
                (None, format!("auth:\n  htpasswd: {{realm: test, path: {}}}\n", users.display()))
            }
            Auth::Bearer(user, password) => {
                let signer = Authority::new("pintle test tokens").sign("tokens");
                let root = folder("tokens");
                fs::write(root.join("token"), format!("{{\"token\":\"{}\"}}", token(&signer))).unwrap();
                let mut site = Site::new(&root).basic(user, password);
                if self.tls {
                    site = site.tls();
                }
                let tokens = site.start();
                let text = format!(
                    "auth:\n  token:\n    realm: {}/token\n    service: registry\n    issuer: tests\n    rootcertbundle: {}\n",
                    tokens.url(),
                    signer.cert.display()
                );
                (Some(tokens), text)
            }
        }
    }
}

/// A token for a day, signed with a key whose certificate the registry knows.
fn token(signer: &Pair) -> String {
    let key = SigningKey::from_pkcs8_pem(&tls::pem(&signer.key)).unwrap();
    let pem = tls::pem(&signer.cert);
    let body: String = pem.lines().filter(|l| !l.starts_with("-----")).collect();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let access: Vec<String> = Registry::REPOSITORIES
        .iter()
        .map(|name| format!("{{\"type\":\"repository\",\"name\":\"{name}\",\"actions\":[\"pull\",\"push\"]}}"))
        .collect();
    let head = format!("{{\"typ\":\"JWT\",\"alg\":\"ES256\",\"x5c\":[\"{body}\"]}}");
    let claims = format!(
        "{{\"iss\":\"tests\",\"sub\":\"user\",\"aud\":\"registry\",\"nbf\":{},\"iat\":{now},\"exp\":{},\"jti\":\"1\",\"access\":[{}]}}",
        now - 60,
        now + 86_400,
        access.join(",")
    );
    let text = format!("{}.{}", URL_SAFE_NO_PAD.encode(head), URL_SAFE_NO_PAD.encode(claims));
    let signature: Signature = key.sign(text.as_bytes());
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes()))
}

impl Registry {
    /// What a bearer token is good for.
    pub const REPOSITORIES: [&'static str; 4] = ["charts/app", "charts/lib", "charts/umbrella", "values"];

    /// `localhost:PORT`.
    pub fn host(&self) -> String {
        format!("localhost:{}", self.server.port())
    }

    /// `oci://localhost:PORT/PATH`.
    pub fn oci(&self, path: &str) -> String {
        format!("oci://{}/{path}", self.host())
    }

    /// The file of a blob or manifest, for tests that damage it.
    pub fn blob(&self, digest: &str) -> PathBuf {
        let hex = digest.strip_prefix("sha256:").unwrap();
        self.storage.join(format!("docker/registry/v2/blobs/sha256/{}/{hex}/data", &hex[..2]))
    }
}
