//! Watches of the source objects, and the workers that reconcile what they bring.
//!
//! A source is looked at when it is new, when its spec or `requestedAt` changes, when its interval is over, and a HelmChart also when the
//! source that it is made from has a new artifact. Our own writes of statuses wake nobody.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::core::v1::ObjectReference;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::api::{SOURCE_API, annotation};
use crate::cluster::kube::Kube;
use crate::cluster::{Cluster, Gvk, Json, WatchEvent};
use crate::source::index::ChartVersion;
use crate::source::{self, Context};

use super::super::events::{Event, Severity, Sink};
use super::super::index::{Index, Key};
use super::super::shard::Shares;
use super::object::{self, Next, Subject};
use super::queue::Queue;
use super::server;
use super::store::{Store, StoreOptions};

/// The kinds that are reconciled.
const KINDS: [&str; 5] = ["HelmRepository", "GitRepository", "OCIRepository", "Bucket", "HelmChart"];
/// Between tries of a watch that is refused.
const REFUSED: Duration = Duration::from_secs(30);

/// How sources are reconciled. Flags and defaults are source-controller's.
#[derive(Clone, Debug)]
pub struct Options {
    pub store: StoreOptions,
    /// `--storage-addr`.
    pub address: String,
    /// Only one namespace's objects.
    pub namespace: Option<String>,
    pub concurrent: usize,
    pub min_retry_delay: Duration,
    pub max_retry_delay: Duration,
    pub interval_jitter_percentage: u8,
    /// Bytes that an index may have (`--helm-index-max-size`).
    pub max_index: u64,
    /// Bytes that a chart may have (`--helm-chart-max-size`).
    pub max_chart: u64,
    /// A HelmChart of a Git source with the strategy `Revision` is a new one at every commit, also when its files are the same.
    pub compat_flux: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            store: StoreOptions {
                path: "/data".into(),
                advertised: String::new(),
                ttl: Duration::from_secs(60),
                records: 2,
            },
            address: ":9090".into(),
            namespace: None,
            concurrent: 4,
            min_retry_delay: Duration::from_millis(750),
            max_retry_delay: Duration::from_secs(900),
            interval_jitter_percentage: 5,
            max_index: 50 << 20,
            max_chart: 10 << 20,
            compat_flux: false,
        }
    }
}

/// The versions of one chart, by the digest of the index that they stand in.
type Versions = HashMap<(String, String), Arc<Vec<ChartVersion>>>;

/// What every reconciliation needs.
pub struct World {
    pub kube: Kube,
    pub options: Options,
    pub store: Arc<Store>,
    /// What fetches; its options are those of a source without secrets.
    pub context: Context,
    pub index: Index,
    pub versions: Mutex<Versions>,
    queue: Queue<Key>,
    /// What was seen of an object when it was last asked for.
    seen: Mutex<HashMap<Key, Seen>>,
    /// What of all is this replica's, with `--shards auto`.
    shares: RwLock<Option<Shares>>,
    sink: Sink,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Seen {
    uid: String,
    generation: i64,
    requested: String,
    deleting: bool,
}

impl Seen {
    fn of(object: &Json) -> Self {
        let text = |at: &str| object.pointer(at).and_then(Json::as_str).unwrap_or_default().to_owned();
        let requested = object.pointer("/metadata/annotations").and_then(|a| a.get(annotation::REQUESTED_AT));
        Self {
            uid: text("/metadata/uid"),
            generation: object.pointer("/metadata/generation").and_then(Json::as_i64).unwrap_or_default(),
            requested: requested.and_then(Json::as_str).unwrap_or_default().to_owned(),
            deleting: object.pointer("/metadata/deletionTimestamp").is_some(),
        }
    }
}

/// A running reconciler of sources.
pub struct Sources {
    world: Arc<World>,
    listener: tokio::net::TcpListener,
}

impl Sources {
    /// Opens the store and listens.
    ///
    /// # Errors
    /// The folder can't be used, or the address.
    pub async fn start(mut options: Options, kube: Kube, sink: Sink) -> std::io::Result<Self> {
        let (listener, local) = server::listen(&options.address).await?;
        if options.store.advertised.is_empty() {
            let host = options.address.rsplit_once(':').map_or("", |(host, _)| host);
            options.store.advertised = super::store::advertised(&format!("{host}:{}", local.port()));
        }
        let store = Arc::new(Store::open(&options.store)?);
        let context = Context::new(source::Options {
            cache_dir: Some(options.store.path.join(".cache")),
            deadline: Duration::from_secs(60),
            max_index: options.max_index,
            retries: 1,
            ..source::Options::default()
        });
        let queue = Queue::new(options.min_retry_delay, options.max_retry_delay);
        let world = World {
            kube,
            store,
            context,
            queue,
            options,
            index: Index::default(),
            versions: Mutex::default(),
            seen: Mutex::default(),
            shares: RwLock::default(),
            sink,
        };
        Ok(Self { world: Arc::new(world), listener })
    }

    /// For telling which sources are this replica's. From here on none is, until that is told.
    pub fn sharing(&self) -> Sharing {
        *self.world.shares.write().unwrap_or_else(PoisonError::into_inner) = Some(Shares::default());
        Sharing(self.world.clone())
    }

    /// Where artifacts are served.
    pub fn advertised(&self) -> &str {
        &self.world.options.store.advertised
    }

    /// Works until `stop` turns true; what is under way then comes to its end.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let world = self.world;
        let mut tasks = JoinSet::new();
        for kind in KINDS {
            tasks.spawn(follow(world.clone(), kind));
        }
        let mut workers = JoinSet::new();
        for _ in 0..world.options.concurrent.max(1) {
            workers.spawn(work(world.clone(), stop.clone()));
        }
        let mut stopped = stop.clone();
        let serving = server::serve(self.listener, world.store.clone(), async move {
            let _ = stopped.wait_for(|s| *s).await;
        });
        tasks.spawn(async move {
            if let Err(error) = serving.await {
                tracing::error!(%error, "artifacts are not served");
            }
        });
        let _ = stop.wait_for(|s| *s).await;
        while workers.join_next().await.is_some() {}
        tasks.shutdown().await;
    }
}

/// Tells running [`Sources`] which objects are theirs.
#[derive(Clone)]
pub struct Sharing(Arc<World>);

impl Sharing {
    /// Works on these shares from now on.
    pub fn set(&self, shares: &Shares) {
        let world = &self.0;
        let before = world.shares.write().unwrap_or_else(PoisonError::into_inner).replace(shares.clone());
        for key in KINDS.iter().flat_map(|kind| world.index.keys(kind)) {
            let Some(object) = world.index.get(&key) else { continue };
            let unit = unit(&key, &object);
            if shares.owns(&key.namespace, &unit) && !before.as_ref().is_some_and(|b| b.owns(&key.namespace, &unit)) {
                world.queue.now(key);
            }
        }
    }

    /// Returns when nothing is under way of what is not ours any more.
    pub async fn let_go(&self) {
        while self.0.queue.running().iter().any(|key| self.0.index.get(key).is_some_and(|o| !self.0.owns(key, &o))) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// What objects are shared by: a source and the HelmCharts that are made from it have one owner, since they are made from its stored artifact.
fn unit(key: &Key, object: &Json) -> String {
    let text = |at: &str| object.pointer(at).and_then(Json::as_str);
    match (key.kind.as_str(), text("/spec/sourceRef/kind"), text("/spec/sourceRef/name")) {
        ("HelmChart", Some(kind), Some(name)) => format!("{kind}/{name}"),
        _ => format!("{}/{}", key.kind, key.name),
    }
}

async fn work(world: Arc<World>, mut stop: watch::Receiver<bool>) {
    loop {
        let key = tokio::select! {
            biased;
            _ = stop.wait_for(|s| *s) => return,
            key = world.queue.next() => key,
        };
        let Some(object) = world.index.get(&key) else {
            world.queue.done(&key, None);
            world.queue.forget(&key);
            continue;
        };
        if !world.owns(&key, &object) {
            world.queue.done(&key, None);
            continue;
        }
        match object::reconcile(&world, &key, &object).await {
            Next::After(next) => world.queue.done(&key, next),
            Next::Retry => drop(world.queue.failed(&key)),
            Next::Gone => {
                world.queue.done(&key, None);
                world.queue.forget(&key);
            }
        }
    }
}

async fn follow(world: Arc<World>, kind: &'static str) {
    let gvk = Gvk::parse(SOURCE_API, kind);
    loop {
        match world.kube.watch(&gvk, world.options.namespace.as_deref(), "").await {
            Ok(mut events) => {
                while let Some(event) = events.next().await {
                    match event {
                        Ok(WatchEvent::Applied(object)) => world.applied(object),
                        Ok(WatchEvent::Deleted(object)) => world.deleted(&object),
                        Ok(WatchEvent::Synced) => {}
                        Err(error) => {
                            tracing::warn!(kind, %error, "not watched");
                            break;
                        }
                    }
                }
            }
            Err(error) => tracing::warn!(kind, %error, "not watched"),
        }
        tokio::time::sleep(REFUSED).await;
    }
}

impl World {
    fn seen(&self) -> std::sync::MutexGuard<'_, HashMap<Key, Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn owns(&self, key: &Key, object: &Json) -> bool {
        let shares = self.shares.read().unwrap_or_else(PoisonError::into_inner);
        shares.as_ref().is_none_or(|s| s.owns(&key.namespace, &unit(key, object)))
    }

    fn applied(&self, object: Json) {
        let now = Seen::of(&object);
        let key = self.written(object);
        let before = self.seen().insert(key.clone(), now.clone());
        if before.as_ref() != Some(&now) {
            self.queue.now(key);
        }
    }

    fn deleted(&self, object: &Json) {
        let key = Key::of(object);
        self.index.remove(&key);
        self.seen().remove(&key);
        self.queue.forget(&key);
        let _ = self.store.remove_all(&key.kind, &key.namespace, &key.name);
    }

    /// Keeps an object, which the watch has told or which we wrote; charts that are made from it are made anew if its artifact is another.
    pub fn written(&self, object: Json) -> Key {
        let digest = |o: &Json| o.pointer("/status/artifact/digest").cloned();
        let now = digest(&object);
        let (key, before) = self.index.put(object);
        if key.kind == "HelmChart" || before.as_ref().and_then(|b| digest(b)) == now {
            return key;
        }
        for chart in self.index.keys("HelmChart") {
            let uses = self.index.get(&chart).is_some_and(|c| {
                let text = |at: &str| c.pointer(at).and_then(Json::as_str).unwrap_or_default();
                chart.namespace == key.namespace
                    && text("/spec/sourceRef/kind") == key.kind
                    && text("/spec/sourceRef/name") == key.name
            });
            if uses {
                self.queue.now(chart);
            }
        }
        key
    }

    /// Tells people of a source, through the same sink as of releases.
    pub fn tell(&self, subject: &Subject, severity: Severity, reason: &str, message: &str) {
        let text = |at: &str| subject.object.pointer(at).and_then(Json::as_str).map(str::to_owned);
        let reference = ObjectReference {
            api_version: Some(SOURCE_API.into()),
            kind: Some(subject.key.kind.clone()),
            name: Some(subject.key.name.clone()),
            namespace: Some(subject.key.namespace.clone()),
            uid: text("/metadata/uid"),
            ..ObjectReference::default()
        };
        let own = subject.object.pointer("/metadata/annotations").and_then(Json::as_object).into_iter().flatten();
        let own = own.filter(|(key, _)| key.starts_with(annotation::EVENT_PREFIX));
        self.sink.record(Event {
            object: reference,
            severity,
            reason: reason.into(),
            message: message.into(),
            metadata: own.filter_map(|(k, v)| Some((k.clone(), v.as_str()?.to_owned()))).collect(),
        });
    }
}
