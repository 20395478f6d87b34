//! Which API server, as whom: kubeconfig, flags, or the pod's own service account.
//!
//! Source: client-go `clientcmd` (loading rules, overrides, in-cluster fallback) as `helm` uses it.

use std::path::{Path, PathBuf};

use ::kube::Config;
use ::kube::config::{Cluster, KubeConfigOptions, Kubeconfig};

use crate::golang::errno;

/// What a command line says of the connection. All is optional.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Connection {
    /// The text of a kubeconfig, in place of all files.
    pub inline: Option<Inline>,
    /// `--kubeconfig`; without it `$KUBECONFIG` (a list), then `~/.kube/config`.
    pub kubeconfig: Option<PathBuf>,
    /// `--kube-context`.
    pub context: Option<String>,
    /// `--kube-apiserver`.
    pub api_server: Option<String>,
    /// `--kube-token`.
    pub token: Option<String>,
    /// `--kube-ca-file`.
    pub ca_file: Option<PathBuf>,
    /// `--kube-as-user`.
    pub as_user: Option<String>,
    /// `--kube-as-group`.
    pub as_groups: Vec<String>,
    /// `--kube-insecure-skip-tls-verify`.
    pub insecure_skip_tls_verify: bool,
    /// `--kube-tls-server-name`.
    pub tls_server_name: Option<String>,
    /// `--namespace`.
    pub namespace: Option<String>,
}

/// The text of a kubeconfig from elsewhere than a file: a Secret. It is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Inline {
    pub text: String,
    /// Run the programs that it names for credentials; otherwise they are left out.
    pub exec: bool,
    /// Let it turn the check of the server's certificate off; otherwise it is on.
    pub insecure_tls: bool,
}

impl std::fmt::Debug for Inline {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Inline(…)")
    }
}

impl Inline {
    /// A tenant's text must not reach this process: no programs, no files of this machine.
    fn read(&self) -> Result<Kubeconfig, ConfigError> {
        let mut config = Kubeconfig::from_yaml(&self.text)
            .map_err(|e| ConfigError::Invalid(format!("the kubeconfig cannot be read: {}", with_sources(&e))))?;
        for cluster in config.clusters.iter_mut().filter_map(|c| c.cluster.as_mut()) {
            cluster.certificate_authority = None;
            if !self.insecure_tls {
                cluster.insecure_skip_tls_verify = None;
            }
        }
        for auth in config.auth_infos.iter_mut().filter_map(|a| a.auth_info.as_mut()) {
            auth.token_file = None;
            auth.client_certificate = None;
            auth.client_key = None;
            auth.auth_provider = None;
            if !self.exec {
                auth.exec = None;
            }
        }
        Ok(config)
    }
}

/// Why there is no connection to be had.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("Kubernetes configuration {}: {error}", path.display())]
    File { path: PathBuf, error: String },
    #[error("{0}")]
    Invalid(String),
}

impl Connection {
    pub(super) async fn load(&self) -> Result<Config, ConfigError> {
        // A file that names no context is as good as none, as to client-go. One that stands in an object is not: it must not lead to the cluster
        // that this runs in.
        let chosen = |config: &Kubeconfig| {
            let names = |context: &Option<String>| context.as_deref().is_some_and(|context| !context.is_empty());
            self.inline.is_some() || self.context.is_some() || names(&config.current_context)
        };
        let mut config = match self.kubeconfig()?.filter(chosen) {
            Some(mut found) => {
                if found.contexts.is_empty() && self.api_server.is_some() {
                    self.bare()?
                } else {
                    self.override_cluster(&mut found);
                    let options = KubeConfigOptions { context: self.context.clone(), ..Default::default() };
                    Config::from_custom_kubeconfig(found, &options).await.map_err(|e| self.explain(&e))?
                }
            }
            None if self.context.is_some() => {
                let context = self.context.as_deref().unwrap_or_default();
                return Err(ConfigError::Invalid(format!("context {context:?} does not exist")));
            }
            None if self.api_server.is_none() => match Config::incluster() {
                Ok(config) => config,
                Err(_) => self.bare()?,
            },
            None => self.bare()?,
        };
        if let Some(url) = &self.api_server {
            config.cluster_url = url.parse().map_err(|e| ConfigError::Invalid(format!("API server {url:?}: {e}")))?;
        }
        if let Some(path) = &self.ca_file {
            config.root_cert = Some(certificates(path)?);
            config.root_cert_file = None;
        }
        if let Some(token) = &self.token {
            config.auth_info.token = Some(token.clone().into());
            config.auth_info.token_file = None;
        }
        if self.as_user.is_some() {
            config.auth_info.impersonate = self.as_user.clone();
        }
        if !self.as_groups.is_empty() {
            config.auth_info.impersonate_groups = Some(self.as_groups.clone());
        }
        if self.insecure_skip_tls_verify {
            config.accept_invalid_certs = true;
        }
        if self.tls_server_name.is_some() {
            config.tls_server_name = self.tls_server_name.clone();
        }
        // Retries are ours: the library's would repeat writes.
        config.default_retry = false;
        Ok(config)
    }

    /// The namespace where no cluster is asked: the given one, else that of the context, else that of the pod this runs in. None where nothing
    /// tells it, or the kubeconfig cannot be used. Source: `DeferredLoadingClientConfig.Namespace`, `EnvSettings.Namespace`.
    pub fn namespace_offline(&self) -> Option<String> {
        let filled = |text: &Option<String>| text.clone().filter(|t| !t.is_empty());
        if let Some(given) = filled(&self.namespace) {
            return Some(given);
        }
        let config = self.kubeconfig().ok()?.unwrap_or_default();
        let context = match filled(&self.context).or_else(|| filled(&config.current_context)) {
            Some(name) => config.contexts.iter().find(|c| c.name == name)?.context.as_ref(),
            None => None,
        };
        context.and_then(|c| filled(&c.namespace)).or_else(namespace_of_pod)
    }

    /// The files, merged; none if there is none.
    fn kubeconfig(&self) -> Result<Option<Kubeconfig>, ConfigError> {
        let read = |path: &Path| {
            Kubeconfig::read_from(path)
                .map_err(|e| ConfigError::File { path: path.to_owned(), error: with_sources(&e) })
        };
        if let Some(inline) = &self.inline {
            return inline.read().map(Some);
        }
        if let Some(path) = &self.kubeconfig {
            if let Err(e) = std::fs::metadata(path) {
                return Err(ConfigError::Invalid(errno::path_error("stat", &path.to_string_lossy(), &e)));
            }
            return read(path).map(Some);
        }
        let paths: Vec<PathBuf> = match std::env::var_os("KUBECONFIG") {
            Some(list) if !list.is_empty() => std::env::split_paths(&list).collect(),
            _ => std::env::home_dir().map(|home| home.join(".kube/config")).into_iter().collect(),
        };
        let mut merged: Option<Kubeconfig> = None;
        // Files of the list that are not there are passed over, as client-go does.
        for path in paths.iter().filter(|p| !p.as_os_str().is_empty() && p.exists()) {
            let next = read(path)?;
            merged = Some(match merged {
                None => next,
                Some(first) => {
                    first.merge(next).map_err(|e| ConfigError::File { path: path.clone(), error: with_sources(&e) })?
                }
            });
        }
        Ok(merged)
    }

    /// Flags go over the file's cluster before it is read: its own certificate may not even be there.
    fn override_cluster(&self, config: &mut Kubeconfig) {
        for cluster in config.clusters.iter_mut().filter_map(|c| c.cluster.as_mut()) {
            if self.ca_file.is_some() || self.insecure_skip_tls_verify {
                *cluster = Cluster { certificate_authority: None, certificate_authority_data: None, ..cluster.clone() };
            }
            if self.api_server.is_some() {
                cluster.server = self.api_server.clone();
            }
        }
    }

    /// Without any file: the flags alone, or what client-go then assumes.
    fn bare(&self) -> Result<Config, ConfigError> {
        let url = self.api_server.as_deref().unwrap_or("http://localhost:8080");
        let url = url.parse().map_err(|e| ConfigError::Invalid(format!("API server {url:?}: {e}")))?;
        Ok(Config::new(url))
    }

    fn explain(&self, error: &::kube::config::KubeconfigError) -> ConfigError {
        use ::kube::config::KubeconfigError as E;
        ConfigError::Invalid(match error {
            E::LoadContext(name) if self.context.is_some() => format!("context {name:?} does not exist"),
            E::LoadContext(name) => {
                format!("invalid configuration: context was not found for specified context: {name}")
            }
            E::CurrentContextNotSet => {
                "invalid configuration: no configuration has been provided, try setting KUBERNETES_MASTER environment variable".into()
            }
            other => with_sources(other),
        })
    }
}

/// Source: `inClusterClientConfig`.
fn namespace_of_pod() -> Option<String> {
    let account = Path::new("/var/run/secrets/kubernetes.io/serviceaccount");
    let set = |name: &str| std::env::var(name).ok().filter(|v| !v.is_empty());
    let is_pod = set("KUBERNETES_SERVICE_HOST").is_some()
        && set("KUBERNETES_SERVICE_PORT").is_some()
        && std::fs::metadata(account.join("token")).is_ok_and(|m| !m.is_dir());
    if !is_pod {
        return None;
    }
    set("POD_NAMESPACE").or_else(|| {
        let text = std::fs::read_to_string(account.join("namespace")).ok()?;
        Some(text.trim().to_string()).filter(|t| !t.is_empty())
    })
}

fn certificates(path: &Path) -> Result<Vec<Vec<u8>>, ConfigError> {
    let fail = |error: String| ConfigError::File { path: path.to_owned(), error };
    let text = std::fs::read_to_string(path).map_err(|e| fail(e.to_string()))?;
    let mut found = Vec::new();
    for part in text.split("-----BEGIN CERTIFICATE-----").skip(1) {
        let body = part.split("-----END CERTIFICATE-----").next().unwrap_or_default();
        let body: String = body.chars().filter(|c| !c.is_whitespace()).collect();
        let der = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, body.as_bytes())
            .map_err(|e| fail(format!("a certificate is no base64: {e}")))?;
        found.push(der);
    }
    if found.is_empty() { Err(fail("no certificate in PEM form".into())) } else { Ok(found) }
}

/// An error with what it was caused by; libraries hide the point in the sources.
pub(super) fn with_sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(e) = source {
        let next = e.to_string();
        if !text.contains(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        source = e.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_that_names_no_context_is_as_good_as_none() {
        let file = std::env::temp_dir().join(format!("pintle-kubeconfig-{}", std::process::id()));
        let chosen = "clusters: [{name: c, cluster: {server: http://chosen}}]\nusers: [{name: u, user: {}}]\n\
             contexts: [{name: a, context: {cluster: c, user: u}}]\n";
        // Within a cluster it is that one.
        let none = Config::incluster().map_or("http://localhost:8080/".to_owned(), |c| c.cluster_url.to_string());
        for (text, context, want) in [
            ("{}".to_owned(), None, none.as_str()),
            (chosen.to_owned(), None, &none),
            (chosen.to_owned(), Some("a"), "http://chosen/"),
            (format!("{chosen}current-context: a\n"), None, "http://chosen/"),
        ] {
            std::fs::write(&file, &text).unwrap();
            let connection = Connection {
                kubeconfig: Some(file.clone()),
                context: context.map(String::from),
                ..Connection::default()
            };
            assert_eq!(connection.load().await.unwrap().cluster_url.to_string(), want, "{text}");
        }
        std::fs::remove_file(&file).unwrap();
        let inline = Some(Inline { text: chosen.to_owned(), exec: false, insecure_tls: false });
        let error = Connection { inline, ..Connection::default() }.load().await.unwrap_err().to_string();
        assert!(error.starts_with("invalid configuration: no configuration has been provided"), "{error}");
    }
}
