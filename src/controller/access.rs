//! As whom, and on which cluster, a release is worked on: impersonated service accounts and kubeconfigs from Secrets.
//!
//! Source: helm-controller 1.6 `internal/kube`. Connections are kept, for each comes with its own discovery.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::cluster::kube::{Connection, Inline, Kube};
use crate::cluster::{Cluster, Gvk, Json, ObjectId};

use super::index::Key;
use super::options::Options;
use super::reads::Reads;
use super::subject::Subject;

mod tokens;

/// The most connections that are kept beside the controller's own.
const KEPT: usize = 64;

/// Why a release can't be worked on.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AccessError {
    /// The Secret with the kubeconfig is not there.
    #[error("could not get KubeConfig secret '{0}': Secret \"{1}\" not found")]
    NoSecret(String, String),
    #[error("{0}")]
    Other(String),
}

/// Connections by what makes them.
pub struct Access {
    own: Kube,
    connection: Connection,
    default_account: String,
    exec: bool,
    insecure_tls: bool,
    kubeconfig_account: String,
    kept: Mutex<HashMap<(String, String), Kube>>,
    tokens: tokens::Tokens,
}

impl Access {
    pub fn new(own: Kube, options: &Options) -> Self {
        Self {
            own,
            connection: options.connection.clone(),
            default_account: options.default_service_account.clone(),
            exec: options.insecure_kubeconfig_exec,
            insecure_tls: options.insecure_kubeconfig_tls,
            kubeconfig_account: options.default_kubeconfig_service_account.clone(),
            kept: Mutex::default(),
            tokens: tokens::Tokens::default(),
        }
    }

    /// The service account that a release is worked on as; empty: the controller's own.
    pub fn account<'a>(&'a self, subject: &'a Subject) -> &'a str {
        let own = &subject.spec.service_account_name;
        if own.is_empty() { &self.default_account } else { own }
    }

    /// The cluster of a release.
    ///
    /// # Errors
    /// See [`AccessError`].
    pub async fn cluster(&self, subject: &Subject, reads: &Reads) -> Result<Kube, AccessError> {
        let account = self.account(subject);
        let user = (!account.is_empty()).then(|| format!("system:serviceaccount:{}:{account}", subject.namespace));
        let inline = match &subject.spec.kube_config {
            None => None,
            Some(reference) => match (&reference.secret_ref, &reference.config_map_ref) {
                (Some(secret), None) => Some(self.kubeconfig(subject, &secret.name, &secret.key, reads).await?),
                (None, Some(map)) => Some(self.by_token(subject, &map.name, reads).await?),
                _ => {
                    let text = "exactly one of .spec.kubeConfig.configMapRef or spec.kubeConfig.secretRef must be set";
                    return Err(AccessError::Other(text.into()));
                }
            },
        };
        if user.is_none() && inline.is_none() {
            return Ok(self.own.clone());
        }
        let key = (user.clone().unwrap_or_default(), inline.as_ref().map(|i| i.text.clone()).unwrap_or_default());
        let mut kept = self.kept.lock().await;
        if let Some(found) = kept.get(&key) {
            return Ok(found.clone());
        }
        let base = if inline.is_some() { Connection::default() } else { self.connection.clone() };
        let connection = Connection { inline, as_user: user, ..base };
        let made = Kube::connect(&connection).await.map_err(|e| AccessError::Other(e.to_string()))?;
        if kept.len() >= KEPT {
            kept.clear();
        }
        kept.insert(key, made.clone());
        Ok(made)
    }

    /// Whether the service account of a release is there; the namespace may be on its way out.
    ///
    /// # Errors
    /// What the API server says.
    pub async fn account_exists(&self, subject: &Subject) -> Result<bool, String> {
        let account = self.account(subject);
        if account.is_empty() || subject.spec.kube_config.is_some() {
            return Ok(true);
        }
        let id = ObjectId::new(Gvk::new("", "v1", "ServiceAccount"), Some(&subject.namespace), account);
        let found = self.own.get_metadata(&id).await.map_err(|e| {
            format!("failed to confirm ServiceAccount '{account}' can be used to uninstall release: {e}")
        })?;
        Ok(found.is_some())
    }

    /// A kubeconfig with a token of a service account, by a ConfigMap (`provider: generic`).
    async fn by_token(&self, subject: &Subject, name: &str, reads: &Reads) -> Result<Inline, AccessError> {
        let full = format!("{}/{name}", subject.namespace);
        let id = ObjectId::new(Gvk::new("", "v1", "ConfigMap"), Some(&subject.namespace), name);
        let found = self.own.get(&id).await;
        let found =
            found.map_err(|e| AccessError::Other(format!("could not get KubeConfig configmap '{full}': {e}")))?;
        reads.note(Key::new("ConfigMap", &subject.namespace, name), found.as_ref());
        let Some(map) = found else {
            let text = format!("could not get KubeConfig configmap '{full}': ConfigMap {name:?} not found");
            return Err(AccessError::Other(text));
        };
        let failed = |e| AccessError::Other(format!("KubeConfig configmap '{full}': {e}"));
        let mut remote = tokens::Remote::read(&map, &subject.namespace).map_err(failed)?;
        if remote.account.is_empty() {
            remote.account.clone_from(&self.kubeconfig_account);
        }
        if remote.account.is_empty() {
            // The controller's own.
            let user = self.own.user().await.map_err(|e| failed(e.to_string()))?;
            let own = user.strip_prefix("system:serviceaccount:").and_then(|own| own.split_once(':'));
            let Some((namespace, account)) = own else {
                let text = "serviceAccountName is missing, and the controller itself is no service account";
                return Err(failed(text.into()));
            };
            (remote.namespace, remote.account) = (namespace.into(), account.into());
        }
        let text = self.tokens.kubeconfig(&self.own, &remote, Instant::now()).await.map_err(failed)?;
        Ok(Inline { text, exec: false, insecure_tls: false })
    }

    async fn kubeconfig(&self, subject: &Subject, name: &str, key: &str, reads: &Reads) -> Result<Inline, AccessError> {
        let full = format!("{}/{name}", subject.namespace);
        let id = ObjectId::new(Gvk::new("", "v1", "Secret"), Some(&subject.namespace), name);
        let found = self.own.get(&id).await;
        let found = found.map_err(|e| AccessError::Other(format!("could not get KubeConfig secret '{full}': {e}")))?;
        reads.note(Key::new("Secret", &subject.namespace, name), found.as_ref());
        let Some(secret) = found else { return Err(AccessError::NoSecret(full, name.into())) };
        let keys: &[&str] = if key.is_empty() { &["value", "value.yaml"] } else { &[key] };
        let text = keys.iter().find_map(|k| data(&secret, k)).ok_or_else(|| {
            let keys = keys.join("' or '");
            AccessError::Other(format!("KubeConfig secret '{full}' does not contain a '{keys}' key with data"))
        })?;
        let text = String::from_utf8(text)
            .map_err(|_| AccessError::Other(format!("KubeConfig secret '{full}' is no text")))?;
        Ok(Inline { text, exec: self.exec, insecure_tls: self.insecure_tls })
    }
}

/// A key of a Secret, decoded; none if it is missing or empty.
pub(super) fn data(secret: &Json, key: &str) -> Option<Vec<u8>> {
    let text = secret.get("data")?.get(key)?.as_str()?;
    let bytes = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, text).ok()?;
    (!bytes.is_empty()).then_some(bytes)
}

/// The same as an object that is used as a cluster.
pub fn shared(kube: &Kube) -> Arc<dyn Cluster> {
    Arc::new(kube.clone())
}
