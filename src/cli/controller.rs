//! `pintle controller`: reconciles HelmReleases in a cluster, in the place of Flux's helm-controller.
//!
//! Flags that helm-controller has too have its names and defaults.

use std::path::PathBuf;

use clap::Args;
use tokio::sync::watch;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry};

use crate::controller::lease::Options as Lease;
use crate::controller::operate::{Operating, operate};
use crate::controller::options::{Gates, LIMITS};
use crate::controller::shard::Options as Shards;
use crate::controller::{Options, memory, native};
use crate::values::digest::Algorithm;

use super::args::Global;
use super::driving::{Signals, duration};
use super::output::Streams;
use super::{Failure, log};

#[derive(Args, Debug, Clone)]
pub struct ControllerArgs {
    #[command(flatten)]
    pub operating: OperatingArgs,
    /// How many releases are worked on at a time; those that wait for objects to become ready do not count
    #[arg(long, default_value_t = 4, value_name = "N")]
    pub concurrent: usize,
    /// When dependencies that are not ready are looked at again, whatever the watches tell
    #[arg(long, default_value = "30s", value_name = "DURATION")]
    pub requeue_dependency: String,
    /// Tries of an artifact's download after the first
    #[arg(long, default_value_t = 9, value_name = "N")]
    pub http_retry: u32,
    /// For each artifact
    #[arg(long, default_value = "30s", value_name = "DURATION")]
    pub http_timeout: String,
    /// How long a shutdown waits for what is under way
    #[arg(long, default_value = "600s", value_name = "DURATION")]
    pub graceful_shutdown_timeout: String,
    /// The address of notification-controller's receiver of events
    #[arg(long, default_value = "", env = "EVENTS_ADDR", value_name = "URL")]
    pub events_addr: String,
    /// The service account of releases that name none
    #[arg(long, default_value = "", value_name = "NAME")]
    pub default_service_account: String,
    /// Refuse references to other namespaces: sources, dependencies, values
    #[arg(long)]
    pub no_cross_namespace_refs: bool,
    /// Watch all namespaces; otherwise that of RUNTIME_NAMESPACE
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set, num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    pub watch_all_namespaces: bool,
    /// Only HelmReleases with these labels
    #[arg(long, default_value = "", value_name = "SELECTOR")]
    pub watch_label_selector: String,
    /// Between tries of a release that failed without a trace in storage: at first
    #[arg(long, default_value = "750ms", value_name = "DURATION")]
    pub min_retry_delay: String,
    /// The same: in the end
    #[arg(long, default_value = "15m", value_name = "DURATION")]
    pub max_retry_delay: String,
    /// By how much of it an interval is made longer or shorter at random
    #[arg(long, default_value_t = 5, value_name = "PERCENT")]
    pub interval_jitter_percentage: u8,
    /// The hash of snapshots: sha256, sha384 or sha512
    #[arg(long, default_value = "sha256", value_name = "ALGORITHM")]
    pub snapshot_digest_algo: String,
    /// Run the programs that a kubeconfig of a Secret names for credentials
    #[arg(long)]
    pub insecure_kubeconfig_exec: bool,
    /// A field manager whose fields are taken over when drift is looked for; may be given more than once
    #[arg(long, value_name = "MANAGER")]
    pub override_manager: Vec<String>,
    /// Whose token a kubeConfig.configMapRef without a service account uses; the controller's own by default
    #[arg(long, default_value = "", value_name = "NAME")]
    pub default_kubeconfig_service_account: String,
    /// Let a kubeconfig of a Secret turn the check of certificates off
    #[arg(long)]
    pub insecure_kubeconfig_tls: bool,
    /// Switches of helm-controller: NAME=BOOL, separated by commas
    #[arg(long, default_value = "", value_name = "GATES")]
    pub feature_gates: String,
    /// `flux`: do as Flux where we do otherwise (an exhausted release waits for a change, waits are not given up, …)
    #[arg(long, value_name = "WHOM", value_parser = ["flux"])]
    pub compat: Option<String>,
    /// One more attempt of a release that is out of retries (not with --compat=flux)
    #[arg(long, default_value = "15m", value_name = "DURATION")]
    pub exhausted_retry: String,
    /// Between looks at what templates have asked of the cluster, `lookup` and `.Capabilities`; 0s: never (not with --compat=flux)
    #[arg(long, default_value = "30s", value_name = "DURATION")]
    pub lookup_interval: String,
    /// Who reconciles HelmRepositories, GitRepositories and the like: this controller, or Flux's source-controller beside it
    #[arg(long, default_value = "native", value_name = "WHO", value_parser = ["native", "flux"])]
    pub sources: String,
    /// Where artifacts are stored (with --sources=native)
    #[arg(long, default_value = "/data", env = "STORAGE_PATH", value_name = "DIR")]
    pub storage_path: PathBuf,
    /// Where artifacts are served
    #[arg(long, default_value = ":9090", env = "STORAGE_ADDR", value_name = "ADDRESS")]
    pub storage_addr: String,
    /// The address of artifacts as others see it; that of this host by default
    #[arg(long, default_value = "", env = "STORAGE_ADV_ADDR", value_name = "HOST")]
    pub storage_adv_addr: String,
    /// How long an artifact stays after another took its place
    #[arg(long, default_value = "60s", value_name = "DURATION")]
    pub artifact_retention_ttl: String,
    /// How many artifacts of an object stay
    #[arg(long, default_value_t = 2, value_name = "N")]
    pub artifact_retention_records: usize,
    /// Bytes that the index of a chart repository may have
    #[arg(long, default_value_t = 50 << 20, value_name = "BYTES")]
    pub helm_index_max_size: u64,
    /// Bytes that a packed chart may have
    #[arg(long, default_value_t = 10 << 20, value_name = "BYTES")]
    pub helm_chart_max_size: u64,
    /// Requests a second to the API server; 0: as many as it takes (it has limits of its own)
    #[arg(long, default_value_t = 0.0, value_name = "N")]
    pub kube_api_qps: f64,
    /// Requests at once (with --kube-api-qps)
    #[arg(long, default_value_t = 300, value_name = "N")]
    pub kube_api_burst: u32,
    /// What is logged: trace, debug, info or error
    #[arg(long, default_value = "info", value_name = "LEVEL", value_parser = ["trace", "debug", "info", "error"])]
    pub log_level: String,
    #[command(flatten)]
    pub memory: MemoryArgs,
    #[command(flatten)]
    pub unused: UnusedArgs,
    /// `auto`: all replicas work, and share releases and sources by Leases among themselves, without labels
    #[arg(long, default_value = "off", value_name = "HOW", value_parser = ["auto", "off"])]
    pub shards: String,
    /// After what time the share of a silent replica is taken over (with --shards=auto)
    #[arg(long, default_value = "15s", value_name = "DURATION")]
    pub shard_lease_duration: String,
    /// Where charts are kept by digest; the user's cache by default
    #[arg(long, value_name = "DIR")]
    pub cache_dir: Option<PathBuf>,
}

/// Flags of helm-controller that change nothing here: its manifests work as they are.
#[derive(Args, Debug, Clone)]
pub struct UnusedArgs {
    /// Taken and not used: what a release names is watched without labels
    #[arg(long, value_name = "SELECTOR", hide = true)]
    pub watch_configs_label_selector: Option<String>,
    /// Taken and not used: logs are JSON
    #[arg(long, value_name = "FORM", hide = true, value_parser = ["json", "console"])]
    pub log_encoding: Option<String>,
    /// Taken and not used: tokens are kept for half an hour
    #[arg(long, value_name = "N", hide = true)]
    pub token_cache_max_size: Option<u64>,
    #[arg(long, value_name = "DURATION", hide = true)]
    pub token_cache_max_duration: Option<String>,
}

/// When to end before memory does (with --feature-gates=OOMWatch=true).
#[derive(Args, Debug, Clone)]
pub struct MemoryArgs {
    /// Percent of the memory's limit at which the controller ends in good order
    #[arg(long, default_value_t = 95, value_name = "PERCENT")]
    pub oom_watch_memory_threshold: u8,
    /// Between looks at the memory in use; 50ms or more
    #[arg(long, default_value = "500ms", value_name = "DURATION")]
    pub oom_watch_interval: String,
    /// Where the limit is told; the container's own by default
    #[arg(long, default_value = "", value_name = "FILE")]
    pub oom_watch_max_memory_path: String,
    /// Where the memory in use is told
    #[arg(long, default_value = "", value_name = "FILE")]
    pub oom_watch_current_memory_path: String,
}

/// How the controller is operated, beside what it does.
#[derive(Args, Debug, Clone)]
pub struct OperatingArgs {
    /// Where metrics are served; 0: nowhere
    #[arg(long, default_value = ":8080", value_name = "ADDRESS")]
    pub metrics_addr: String,
    /// Where the probes /healthz and /readyz are served; 0: nowhere
    #[arg(long, default_value = ":9440", value_name = "ADDRESS")]
    pub health_addr: String,
    /// Of several replicas one reconciles, the others stand by
    #[arg(long)]
    pub enable_leader_election: bool,
    /// Give the lead up at the end, so that the next replica need not wait
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set, num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    pub leader_election_release_on_cancel: bool,
    /// How long others wait before they take the lead from a silent leader
    #[arg(long, default_value = "35s", value_name = "DURATION")]
    pub leader_election_lease_duration: String,
    /// How long a leader tries to renew before it gives up
    #[arg(long, default_value = "30s", value_name = "DURATION")]
    pub leader_election_renew_deadline: String,
    /// Between tries
    #[arg(long, default_value = "5s", value_name = "DURATION")]
    pub leader_election_retry_period: String,
}

impl OperatingArgs {
    /// `selector` is that of the shard: each has a leader of its own, by Flux's name for it.
    fn operating(&self, selector: &str) -> Result<Operating, Failure> {
        let mut operating = Operating {
            metrics_addr: self.metrics_addr.clone(),
            health_addr: self.health_addr.clone(),
            election: None,
        };
        if self.enable_leader_election {
            let (namespace, host) = place();
            let identity = format!("{host}_{:016x}", rand::random::<u64>());
            let mut lease = Lease::new(&namespace, &lease_name(selector), &identity);
            lease.lease_duration = duration("leader-election-lease-duration", &self.leader_election_lease_duration)?;
            lease.renew_deadline = duration("leader-election-renew-deadline", &self.leader_election_renew_deadline)?;
            lease.retry_period = duration("leader-election-retry-period", &self.leader_election_retry_period)?;
            lease.release_on_cancel = self.leader_election_release_on_cancel;
            if lease.lease_duration <= lease.renew_deadline || lease.renew_deadline <= lease.retry_period {
                return Err(Failure::new(
                    "leader election: the lease duration must be longer than the renew deadline, and that longer than the retry period",
                ));
            }
            operating.election = Some(lease);
        }
        Ok(operating)
    }
}

/// As Flux names it, so that helm-controller and pintle never lead together.
fn lease_name(selector: &str) -> String {
    use sha2::{Digest, Sha256};
    let name = "helm-controller-leader-election";
    if selector.is_empty() {
        return name.into();
    }
    let digest: String = Sha256::digest(selector.as_bytes()).iter().map(|b| format!("{b:02x}")).collect();
    format!("{name}-{}", digest.get(..8).unwrap_or_default())
}

/// The value of an environment variable that is set.
fn set(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|v| !v.is_empty())
}

/// The namespace that this process runs in, and its host's name: a pod's.
fn place() -> (String, String) {
    let namespace = set("RUNTIME_NAMESPACE").unwrap_or_else(|| "flux-system".into());
    (namespace, set("POD_NAME").or_else(|| set("HOSTNAME")).unwrap_or_else(|| "pintle".into()))
}

impl MemoryArgs {
    fn watch(&self) -> Result<Option<memory::Watch>, Failure> {
        let interval = duration("oom-watch-interval", &self.oom_watch_interval)?;
        let (max, current) = (&self.oom_watch_max_memory_path, &self.oom_watch_current_memory_path);
        memory::Watch::new(max, current, self.oom_watch_memory_threshold, interval)
            .map_err(|e| Failure::new(format!("unable to create OOM watcher: {e}")))
    }
}

impl ControllerArgs {
    fn shards(&self) -> Result<Option<Shards>, Failure> {
        if self.shards != "auto" {
            return Ok(None);
        }
        if self.operating.enable_leader_election {
            let text = "--shards=auto and --enable-leader-election exclude each other: all replicas work, or one does";
            return Err(Failure::new(text));
        }
        let life = duration("shard-lease-duration", &self.shard_lease_duration)?;
        if life < std::time::Duration::from_secs(2) {
            return Err(Failure::new("--shard-lease-duration must be 2s or longer"));
        }
        let (namespace, host) = place();
        // A part of an object's name.
        let host: String =
            host.to_lowercase().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(180).collect();
        let identity = format!("{}-{:08x}", host.trim_matches('-'), rand::random::<u32>());
        let group = lease_name(&self.watch_label_selector).replace("leader-election", "shards");
        Ok(Some(Shards::new(&namespace, &group, &identity, life)))
    }

    fn options(&self, global: &Global) -> Result<Options, Failure> {
        let mut gates = Gates::default();
        for gate in self.feature_gates.split(',').map(str::trim).filter(|g| !g.is_empty()) {
            let (name, on) = gate.split_once('=').unwrap_or((gate, ""));
            let on = match on {
                "true" => true,
                "false" => false,
                other => {
                    let text = format!(
                        "invalid argument {gate:?} for \"--feature-gates\" flag: invalid value of {name}: {other:?}"
                    );
                    return Err(Failure::new(text));
                }
            };
            gates.set(name, on)?;
        }
        let namespace = match self.watch_all_namespaces {
            true => None,
            false => Some(std::env::var("RUNTIME_NAMESPACE").ok().filter(|n| !n.is_empty()).ok_or_else(|| {
                Failure::new("--watch-all-namespaces=false needs the environment variable RUNTIME_NAMESPACE")
            })?),
        };
        let sources = match self.sources.as_str() {
            "native" => Some(native::Options {
                store: native::StoreOptions {
                    path: self.storage_path.clone(),
                    advertised: self.storage_adv_addr.clone(),
                    ttl: duration("artifact-retention-ttl", &self.artifact_retention_ttl)?,
                    records: self.artifact_retention_records,
                },
                address: self.storage_addr.clone(),
                namespace: namespace.clone(),
                concurrent: self.concurrent,
                min_retry_delay: duration("min-retry-delay", &self.min_retry_delay)?,
                max_retry_delay: duration("max-retry-delay", &self.max_retry_delay)?,
                interval_jitter_percentage: self.interval_jitter_percentage,
                max_index: self.helm_index_max_size,
                max_chart: self.helm_chart_max_size,
                compat_flux: self.compat.is_some(),
            }),
            _ => None,
        };
        let algorithm = &self.snapshot_digest_algo;
        Ok(Options {
            connection: global.target.connection(None),
            namespace,
            label_selector: self.watch_label_selector.clone(),
            concurrent: self.concurrent,
            requeue_dependency: duration("requeue-dependency", &self.requeue_dependency)?,
            min_retry_delay: duration("min-retry-delay", &self.min_retry_delay)?,
            max_retry_delay: duration("max-retry-delay", &self.max_retry_delay)?,
            interval_jitter_percentage: self.interval_jitter_percentage,
            graceful_shutdown: duration("graceful-shutdown-timeout", &self.graceful_shutdown_timeout)?,
            http_retry: self.http_retry,
            http_timeout: duration("http-timeout", &self.http_timeout)?,
            default_service_account: self.default_service_account.clone(),
            no_cross_namespace_refs: self.no_cross_namespace_refs,
            override_managers: self.override_manager.clone(),
            default_kubeconfig_service_account: self.default_kubeconfig_service_account.clone(),
            insecure_kubeconfig_exec: self.insecure_kubeconfig_exec,
            insecure_kubeconfig_tls: self.insecure_kubeconfig_tls,
            snapshot_digest: Algorithm::parse(algorithm).ok_or_else(|| {
                Failure::new(format!(
                    "invalid argument {algorithm:?} for \"--snapshot-digest-algo\" flag: it may be sha256, sha384, sha512 or blake3"
                ))
            })?,
            compat_flux: self.compat.is_some(),
            exhausted_retry: duration("exhausted-retry", &self.exhausted_retry)?,
            lookup_interval: duration("lookup-interval", &self.lookup_interval)?,
            gates,
            cache_dir: self.cache_dir.clone(),
            kube_api_qps: self.kube_api_qps,
            kube_api_burst: self.kube_api_burst,
            shards: self.shards()?,
            events_addr: self.events_addr.clone(),
            limits: global.limits.over(LIMITS),
            sources,
        })
    }
}

pub fn run(args: &ControllerArgs, global: &Global, _io: &mut Streams<'_>) -> Result<(), Failure> {
    let options = args.options(global)?;
    let operating = args.operating.operating(&args.watch_label_selector)?;
    let memory = if options.gates.oom_watch { args.memory.watch()? } else { None };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|e| format!("no runtime to work on: {e}"))?;
    #[cfg(feature = "otel")]
    let traces = super::traces::Traces::start(runtime.handle());
    #[cfg(feature = "otel")]
    logging(&args.log_level, traces.as_ref().map(super::traces::Traces::layer));
    #[cfg(not(feature = "otel"))]
    logging(&args.log_level, None::<tracing_subscriber::layer::Identity>);
    let done = runtime.block_on(async {
        let (stop, stopped) = watch::channel(false);
        let mut signals = Signals::new();
        let mut running = std::pin::pin!(operate(options, operating, stopped));
        let mut full = std::pin::pin!(async {
            match &memory {
                Some(watch) => watch.reached().await,
                None => std::future::pending().await,
            }
        });
        let mut ending = false;
        loop {
            tokio::select! {
                done = &mut running => return done.map_err(|e| Failure::new(e.to_string())),
                () = signals.next() => {
                    let _ = stop.send(true);
                }
                () = &mut full, if !ending => {
                    ending = true;
                    let _ = stop.send(true);
                }
            }
        }
    });
    #[cfg(feature = "otel")]
    if let Some(traces) = traces {
        traces.end();
    }
    done
}

/// What a controller says: lines of JSON, or with `PINTLE_LOG` what that asks for, as text. `traces` gets the spans.
fn logging(level: &str, traces: Option<impl Layer<Registry> + Send + Sync>) {
    let subscriber = tracing_subscriber::registry().with(traces);
    let (writer, ansi) = log::writer();
    let lines = tracing_subscriber::fmt::layer().with_ansi(ansi).with_writer(writer);
    // A second subscriber, in a test, is no reason to fail.
    let _ = match log::filter() {
        Some(filter) => subscriber.with(lines.with_filter(filter)).try_init(),
        None => subscriber
            .with(lines.json().with_span_list(false).with_filter(EnvFilter::new(format!("pintle={level}"))))
            .try_init(),
    };
}
