//! How a controller is run. Names and defaults are helm-controller's where it has the same.

use std::path::PathBuf;
use std::time::Duration;

use crate::cluster::kube::Connection;
use crate::gotmpl::Limits;
use crate::values::digest::Algorithm;

/// Of one render, where many share a process: far more than a release can store (a Secret holds 1 MiB), and soon over.
pub const LIMITS: Limits = Limits { output: 64 << 20, steps: 50_000_000, heap: 1_000_000, depth: 10_000 };

/// How a controller is run.
#[derive(Clone, Debug)]
pub struct Options {
    /// The API server of the HelmReleases.
    pub connection: Connection,
    /// Only the objects of one namespace; all of them otherwise.
    pub namespace: Option<String>,
    /// Only objects with these labels.
    pub label_selector: String,
    /// How many releases are worked on at a time; those that wait for objects to become ready do not count.
    pub concurrent: usize,
    /// When dependencies are looked at again though nothing was heard of them.
    pub requeue_dependency: Duration,
    /// Between tries of a release that failed without a trace in storage.
    pub min_retry_delay: Duration,
    pub max_retry_delay: Duration,
    pub interval_jitter_percentage: u8,
    /// How long a shutdown waits for what is under way.
    pub graceful_shutdown: Duration,
    /// Tries after the first, for an artifact.
    pub http_retry: u32,
    pub http_timeout: Duration,
    pub default_service_account: String,
    /// Sources, dependencies and values of other namespaces are refused.
    pub no_cross_namespace_refs: bool,
    /// Field managers whose fields are taken over when drift is looked for (`--override-manager`).
    pub override_managers: Vec<String>,
    /// Whose token a `kubeConfig.configMapRef` without a service account uses; empty: the controller's own.
    pub default_kubeconfig_service_account: String,
    pub insecure_kubeconfig_exec: bool,
    pub insecure_kubeconfig_tls: bool,
    pub snapshot_digest: Algorithm,
    /// As Flux does it where we do otherwise.
    pub compat_flux: bool,
    /// One more attempt of a release that is out of retries; not with `compat_flux`.
    pub exhausted_retry: Duration,
    /// Between looks at what templates asked of the cluster (`lookup`, `.Capabilities`); zero: never, as with `compat_flux`.
    pub lookup_interval: Duration,
    /// Feature gates of helm-controller.
    pub gates: Gates,
    /// Where charts are kept by digest; `None`: the user's cache.
    pub cache_dir: Option<PathBuf>,
    /// Addresses of notification-controller, and so on, are the business of who runs this.
    pub events_addr: String,
    /// Of each render.
    pub limits: Limits,
    /// Requests a second to the API server, and at once (`--kube-api-qps`, `--kube-api-burst`); 0: no limit but the server's own.
    pub kube_api_qps: f64,
    pub kube_api_burst: u32,
    /// Share the work with the other replicas (`--shards auto`).
    pub shards: Option<super::shard::Options>,
    /// Reconcile the sources too (`--sources=native`); `None`: source-controller does.
    pub sources: Option<super::native::Options>,
}

/// helm-controller's feature gates that change what is done here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gates {
    pub allow_dns_lookups: bool,
    pub disable_chart_digest_tracking: bool,
    pub additive_cel_dependency_check: bool,
    pub external_artifact: bool,
    pub use_helm3_defaults: bool,
    pub default_to_retry_on_failure: bool,
    /// Here the default; with `compat_flux` only by the gate.
    pub cancel_health_check_on_new_revision: bool,
    /// End in good order near the limit of memory.
    pub oom_watch: bool,
}

impl Gates {
    /// Sets a gate by its name.
    ///
    /// # Errors
    /// There is no such gate.
    pub fn set(&mut self, name: &str, on: bool) -> Result<(), String> {
        match name {
            "AllowDNSLookups" => self.allow_dns_lookups = on,
            "DisableChartDigestTracking" => self.disable_chart_digest_tracking = on,
            "AdditiveCELDependencyCheck" => self.additive_cel_dependency_check = on,
            "ExternalArtifact" => self.external_artifact = on,
            "UseHelm3Defaults" => self.use_helm3_defaults = on,
            "DefaultToRetryOnFailure" => self.default_to_retry_on_failure = on,
            "CancelHealthCheckOnNewRevision" => self.cancel_health_check_on_new_revision = on,
            "OOMWatch" => self.oom_watch = on,
            // Nothing to switch here: what they turn on or off is not there, or always on.
            "CacheSecretsAndConfigMaps"
            | "DetectDrift"
            | "CorrectDrift"
            | "AdoptLegacyReleases"
            | "DisableConfigWatchers"
            | "DirectSourceFetch"
            | "ObjectLevelWorkloadIdentity" => {}
            other => return Err(format!("unrecognized feature gate: {other}")),
        }
        Ok(())
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            connection: Connection::default(),
            namespace: None,
            label_selector: String::new(),
            concurrent: 4,
            requeue_dependency: Duration::from_secs(30),
            min_retry_delay: Duration::from_millis(750),
            max_retry_delay: Duration::from_secs(900),
            interval_jitter_percentage: 5,
            graceful_shutdown: Duration::from_secs(600),
            http_retry: 9,
            http_timeout: Duration::from_secs(30),
            default_service_account: String::new(),
            no_cross_namespace_refs: false,
            override_managers: Vec::new(),
            default_kubeconfig_service_account: String::new(),
            insecure_kubeconfig_exec: false,
            insecure_kubeconfig_tls: false,
            snapshot_digest: Algorithm::default(),
            compat_flux: false,
            exhausted_retry: Duration::from_secs(900),
            lookup_interval: Duration::from_secs(30),
            gates: Gates::default(),
            cache_dir: None,
            events_addr: String::new(),
            limits: LIMITS,
            kube_api_qps: 0.0,
            kube_api_burst: 300,
            shards: None,
            sources: None,
        }
    }
}
