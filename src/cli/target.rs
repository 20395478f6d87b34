//! Where releases live: the flags that name a cluster or a directory, and what is opened by them.
//!
//! The flags of the connection and their environment variables are Helm's. `--target dir:PATH` is ours: a directory of manifests that needs no
//! cluster.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use crate::cluster::Cluster;
use crate::cluster::directory::Directory;
use crate::cluster::kube::{ClusterLookup, Connection, Kube};
use crate::release::Storage;
use crate::release::action::Keeper;
use crate::release::action::guard::Faults;
use crate::release::action::lock::{FileLocks, Locks, ObjectLocks};
use crate::release::storage::{DirectoryStorage, Driver, Objects};
use crate::render::control::Lookup;
use crate::render::{Capabilities, Compat, KubeVersion};

use super::Failure;
use super::args::Global;
use super::work_tree::WorkTree;

/// Where releases live.
#[derive(Args, Debug, Clone, Default)]
#[command(next_help_heading = "Target")]
pub struct TargetArgs {
    /// Where releases live: `kube` (the cluster of the kubeconfig), or `dir:PATH`, a directory of manifests
    #[arg(long, global = true, env = "PINTLE_TARGET", value_name = "TARGET", default_value = "kube")]
    pub target: String,
    /// With `--target dir:PATH` in a Git work tree: one commit for each revision
    #[arg(long, global = true, hide_short_help = true)]
    pub commit: bool,
    /// Path to the kubeconfig file
    #[arg(long, global = true, value_name = "FILE", hide_short_help = true, value_parser = super::flags::path())]
    pub kubeconfig: Option<PathBuf>,
    /// Name of the kubeconfig context to use
    #[arg(long, global = true, env = "HELM_KUBECONTEXT", value_name = "NAME", hide_short_help = true)]
    pub kube_context: Option<String>,
    /// Bearer token used for authentication
    #[arg(
        long,
        global = true,
        env = "HELM_KUBETOKEN",
        hide_env_values = true,
        value_name = "TOKEN",
        hide_short_help = true
    )]
    pub kube_token: Option<String>,
    /// Username to impersonate for the operation
    #[arg(long, global = true, env = "HELM_KUBEASUSER", value_name = "USER", hide_short_help = true)]
    pub kube_as_user: Option<String>,
    /// Group to impersonate for the operation (can specify multiple)
    #[arg(
        long,
        global = true,
        env = "HELM_KUBEASGROUPS",
        value_delimiter = ',',
        value_name = "GROUP",
        hide_short_help = true
    )]
    pub kube_as_group: Vec<String>,
    /// The address and the port for the Kubernetes API server
    #[arg(long, global = true, env = "HELM_KUBEAPISERVER", value_name = "URL", hide_short_help = true)]
    pub kube_apiserver: Option<String>,
    /// The certificate authority file for the Kubernetes API server connection
    #[arg(long, global = true, env = "HELM_KUBECAFILE", value_name = "FILE", hide_short_help = true, value_parser = super::flags::path())]
    pub kube_ca_file: Option<PathBuf>,
    /// Server name to use for Kubernetes API server certificate validation
    #[arg(long, global = true, env = "HELM_KUBETLS_SERVER_NAME", value_name = "NAME", hide_short_help = true)]
    pub kube_tls_server_name: Option<String>,
    /// If true, the Kubernetes API server's certificate will not be checked for validity. This will make your HTTPS connections insecure
    #[arg(long, global = true, hide_short_help = true)]
    pub kube_insecure_skip_tls_verify: bool,
}

/// How Helm begins what it says of a cluster that cannot be asked.
pub(super) const UNREACHABLE: &str = "kubernetes cluster unreachable: ";

/// Words before what is said of a cluster that cannot be asked; other failures stay as they are.
pub(super) async fn prefixed(
    open: impl Future<Output = Result<Target, Failure>>,
    words: &str,
) -> Result<Target, Failure> {
    open.await.map_err(|f| match f.message.strip_prefix(UNREACHABLE) {
        Some(_) => Failure { message: format!("{words}{}", f.message), ..f },
        None => f,
    })
}

/// `--namespace`, else the namespace of the kubeconfig's context, else `default`. Helm takes it from there also where it asks no cluster.
pub(super) fn namespace(global: &Global) -> String {
    let given = global.namespace.as_deref().filter(|n| !n.is_empty());
    let found = match global.target.directory() {
        Ok(None) => global.target.connection(given).namespace_offline(),
        _ => given.map(String::from),
    };
    found.unwrap_or_else(|| "default".into())
}

/// Where nothing is: for a dry run of the client, which asks no cluster and, as in Helm, needs no kubeconfig.
pub(super) fn nowhere(global: &Global) -> Target {
    let namespace = namespace(global);
    // Nothing lies below a file, and nothing can be made there.
    let path = PathBuf::from("/dev/null/nowhere");
    let storage = DirectoryStorage::new(&path, &namespace);
    let locks = FileLocks::new(storage.place());
    let capabilities = Capabilities::offline(Compat::default(), None, &[]);
    Target {
        cluster: Arc::new(Directory::new(&path, Arc::new(capabilities))),
        storage: Arc::new(storage),
        locks: Arc::new(locks),
        namespace,
        faults: Faults::from_env(),
        keeper: None,
        lookup: None,
    }
}

/// An opened target.
pub struct Target {
    pub cluster: Arc<dyn Cluster>,
    /// The records of `namespace`.
    pub storage: Arc<dyn Storage>,
    pub locks: Arc<dyn Locks>,
    /// The namespace of `--namespace`, of the kubeconfig's context, or `default`.
    pub namespace: String,
    pub faults: Arc<Faults>,
    pub keeper: Option<Arc<dyn Keeper>>,
    /// Answers `lookup` in templates, where the target has its own way to.
    pub lookup: Option<Arc<dyn Lookup>>,
}

impl TargetArgs {
    /// The directory of `dir:PATH`; `None` for a cluster.
    ///
    /// # Errors
    /// A target of no known form.
    pub fn directory(&self) -> Result<Option<PathBuf>, Failure> {
        match self.target.split_once(':') {
            Some(("dir", path)) if !path.is_empty() => Ok(Some(PathBuf::from(path))),
            None if matches!(self.target.as_str(), "kube" | "") => Ok(None),
            _ => Err(Failure::new(format!("invalid target {:?}: must be \"kube\" or \"dir:PATH\"", self.target))),
        }
    }

    pub(super) fn connection(&self, namespace: Option<&str>) -> Connection {
        let some = |s: &Option<String>| s.clone().filter(|s| !s.is_empty());
        let file = |p: &Option<PathBuf>| p.clone().filter(|p| !p.as_os_str().is_empty());
        Connection {
            inline: None,
            kubeconfig: file(&self.kubeconfig),
            context: some(&self.kube_context),
            api_server: some(&self.kube_apiserver),
            token: some(&self.kube_token),
            ca_file: file(&self.kube_ca_file),
            as_user: some(&self.kube_as_user),
            as_groups: self.kube_as_group.iter().filter(|g| !g.is_empty()).cloned().collect(),
            insecure_skip_tls_verify: self.kube_insecure_skip_tls_verify,
            tls_server_name: some(&self.kube_tls_server_name),
            namespace: namespace.map(Into::into),
        }
    }
}

/// Opens the target that the flags name.
///
/// # Errors
/// Flags of no sense, a kubeconfig that cannot be read.
pub async fn open(global: &Global) -> Result<Target, Failure> {
    open_with(global, None, &[]).await
}

/// As [`open`]; a directory tells templates that it is of that version, with these further API versions.
///
/// # Errors
/// As there.
pub async fn open_with(
    global: &Global,
    kube_version: Option<KubeVersion>,
    api_versions: &[String],
) -> Result<Target, Failure> {
    let given = global.namespace.as_deref().filter(|n| !n.is_empty());
    let faults = Faults::from_env();
    if let Some(path) = global.target.directory()? {
        let namespace = given.unwrap_or("default").to_string();
        let capabilities = Capabilities::offline(Compat::default(), kube_version, api_versions);
        let storage = DirectoryStorage::new(&path, &namespace);
        let locks = FileLocks::new(storage.place());
        let keeper = if global.target.commit { Some(Arc::new(WorkTree::of(&path)?) as Arc<dyn Keeper>) } else { None };
        let directory = Directory::new(&path, Arc::new(capabilities));
        directory.sweep();
        return Ok(Target {
            cluster: Arc::new(directory),
            storage: Arc::new(storage),
            locks: Arc::new(locks),
            namespace,
            faults,
            keeper,
            lookup: None,
        });
    }
    if global.target.commit {
        return Err(Failure::new("--commit needs --target dir:PATH"));
    }
    let driver = Driver::parse(&std::env::var("HELM_DRIVER").unwrap_or_default())?;
    let kind = if driver == Driver::Secret { "Secret" } else { "ConfigMap" };
    let kube = Kube::connect(&global.target.connection(given)).await;
    let kube = kube.map_err(|e| Failure::new(format!("{UNREACHABLE}{e}")))?;
    let namespace = kube.namespace().to_string();
    let lookup: Arc<dyn Lookup> = Arc::new(ClusterLookup::new(kube.clone()));
    let cluster: Arc<dyn Cluster> = Arc::new(kube);
    Ok(Target {
        storage: Arc::new(Objects::new(cluster.clone(), driver, Some(&namespace), "Helm")),
        locks: Arc::new(ObjectLocks::new(cluster.clone(), &namespace, kind)),
        cluster,
        namespace,
        faults,
        keeper: None,
        lookup: Some(lookup),
    })
}
