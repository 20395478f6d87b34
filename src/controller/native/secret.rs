//! What Secrets say of how to reach a source.
//!
//! Keys are Flux's: `username` and `password`, `bearerToken`, `.dockerconfigjson`, `identity` and `known_hosts`, `tls.crt`, `tls.key`,
//! `ca.crt` (or `caFile`). No text of a Secret gets into a message. Source: fluxcd/pkg `runtime/secrets`, `git/options.go`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::api::reference::{LocalReference, OidcIdentityMatch};
use crate::cluster::{Cluster, Gvk, Json, ObjectId};
use crate::source::{Credentials, Secret, Verify};

use super::manager::World;
use super::object::Fault;

/// A Secret's data.
#[derive(Default)]
pub struct Data {
    name: String,
    data: BTreeMap<String, Vec<u8>>,
}

impl Data {
    pub fn bytes(&self, key: &str) -> Option<&Vec<u8>> {
        self.data.get(key).filter(|v| !v.is_empty())
    }

    pub fn text(&self, key: &str) -> Option<String> {
        self.bytes(key).and_then(|v| String::from_utf8(v.clone()).ok()).map(|t| t.trim_end_matches('\n').to_owned())
    }

    /// The values whose keys end so, by key.
    pub fn ending<'a>(&'a self, end: &'a str) -> impl Iterator<Item = &'a Vec<u8>> {
        self.data.iter().filter(move |(k, _)| k.ends_with(end)).map(|(_, v)| v)
    }

    fn fault(&self, why: &str) -> Fault {
        Fault::fetch("AuthenticationFailed", format!("invalid '{}' secret data: {why}", self.name))
    }

    /// `username` and `password`, or `bearerToken`.
    pub fn credentials(&self) -> Result<Option<Credentials>, Fault> {
        if let Some(token) = self.text("bearerToken") {
            return Ok(Some(Credentials::Bearer(Secret::new(token))));
        }
        match (self.text("username"), self.text("password")) {
            (None, None) => Ok(None),
            (Some(username), Some(password)) => {
                Ok(Some(Credentials::Basic { username, password: Secret::new(password) }))
            }
            _ => Err(self.fault("'username' and 'password' fields need each other")),
        }
    }

    /// The credentials of a registry in `.dockerconfigjson`.
    pub fn registry(&self, host: &str) -> Result<Option<Credentials>, Fault> {
        let Some(text) = self.bytes(".dockerconfigjson") else { return self.credentials() };
        let config: Json = serde_json::from_slice(text).map_err(|_| self.fault("'.dockerconfigjson' is no JSON"))?;
        let auths = config.get("auths").and_then(Json::as_object);
        let named = |name: &str| {
            let name = name.strip_prefix("https://").or_else(|| name.strip_prefix("http://")).unwrap_or(name);
            name.split('/').next() == Some(host)
        };
        let Some((_, auth)) = auths.and_then(|a| a.iter().find(|(name, _)| named(name))) else { return Ok(None) };
        let text = |key: &str| auth.get(key).and_then(Json::as_str).filter(|t| !t.is_empty()).map(str::to_owned);
        if let (Some(username), Some(password)) = (text("username"), text("password")) {
            return Ok(Some(Credentials::Basic { username, password: Secret::new(password) }));
        }
        let pair = text("auth").and_then(|a| STANDARD.decode(a).ok()).and_then(|b| String::from_utf8(b).ok());
        let pair = pair.as_deref().and_then(|p| p.split_once(':'));
        let (username, password) = pair.ok_or_else(|| self.fault("'.dockerconfigjson' has no user and password"))?;
        Ok(Some(Credentials::Basic { username: username.into(), password: Secret::new(password.to_owned()) }))
    }

    /// Certificates into options.
    pub fn tls(&self, tls: &mut crate::source::Tls) -> Result<(), Fault> {
        if let Some(ca) = self.bytes("ca.crt").or_else(|| self.bytes("caFile")) {
            tls.ca = Some(ca.clone());
        }
        let cert = self.bytes("tls.crt").or_else(|| self.bytes("certFile"));
        let key = self.text("tls.key").or_else(|| self.text("keyFile"));
        match (cert, key) {
            (Some(cert), Some(key)) => tls.identity = Some((cert.clone(), Secret::new(key))),
            (None, None) => {}
            _ => return Err(self.fault("'tls.crt' and 'tls.key' fields need each other")),
        }
        Ok(())
    }
}

impl World {
    /// Reads a Secret of the object's namespace.
    pub async fn secret(&self, namespace: &str, reference: Option<&LocalReference>) -> Result<Option<Data>, Fault> {
        let Some(reference) = reference else { return Ok(None) };
        let name = format!("{namespace}/{}", reference.name);
        let fail = |why: &str| Fault::fetch("AuthenticationFailed", format!("failed to get secret '{name}': {why}"));
        let id = ObjectId::new(Gvk::parse("v1", "Secret"), Some(namespace), &reference.name);
        let object = self.kube.get(&id).await.map_err(|e| fail(&e.to_string()))?;
        let object = object.ok_or_else(|| fail(&format!("secrets \"{}\" not found", reference.name)))?;
        let data = object.get("data").and_then(Json::as_object).cloned().unwrap_or_default();
        let decoded = |v: &Json| v.as_str().and_then(|t| STANDARD.decode(t).ok()).unwrap_or_default();
        let data = data.iter().map(|(k, v)| (k.clone(), decoded(v))).collect();
        Ok(Some(Data { name, data }))
    }
}

/// Why nobody can be asked for a signature.
pub enum NoSigner {
    Secret(Fault),
    Other(&'static str),
}

impl NoSigner {
    /// As the fault of a kind; what a Secret says stays as it is, and may be mended there.
    pub fn of(self, make: fn(&'static str, &'static str) -> Fault, reason: &'static str) -> Fault {
        match self {
            Self::Secret(fault) => fault,
            Self::Other(text) => make(reason, text).for_good(),
        }
    }
}

impl World {
    /// Who must have signed with cosign: one of the keys of a Secret (`*.pub`), or one of these identities.
    pub async fn signers(
        &self,
        namespace: &str,
        provider: &str,
        secret: Option<&LocalReference>,
        identities: &[OidcIdentityMatch],
    ) -> Result<Verify, NoSigner> {
        if provider == "notation" {
            return Err(NoSigner::Other("not supported: spec.verify.provider: notation"));
        }
        let mut verify = Verify::default();
        match self.secret(namespace, secret).await.map_err(NoSigner::Secret)? {
            Some(keys) => verify.cosign_keys = keys.ending(".pub").cloned().collect(),
            None => {
                let pairs = identities.iter().map(|m| (m.issuer.clone(), m.subject.clone()));
                verify.cosign_identities = pairs.collect();
            }
        }
        if verify.signatures() {
            Ok(verify)
        } else {
            Err(NoSigner::Other("no key and no identity is given that may sign"))
        }
    }
}

/// A secret in a file of ours, for programs that take it only from one; gone in the end.
pub struct SecretFile(pub PathBuf);

impl SecretFile {
    /// # Errors
    /// The disk's.
    pub fn new(text: &str) -> std::io::Result<Self> {
        use std::io::Write;
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("pintle-secret-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        let mut options = std::fs::File::options();
        options.create_new(true).write(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&path)?;
        let this = Self(path);
        // A key without a line feed at its end is none for ssh.
        file.write_all(text.trim_end_matches('\n').as_bytes())?;
        file.write_all(b"\n")?;
        Ok(this)
    }
}

impl Drop for SecretFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
