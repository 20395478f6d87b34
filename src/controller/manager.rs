//! Watches, and a task for each HelmRelease that the watches wake.
//!
//! A release's task works while it holds one of a bounded number of slots; it gives the slot back when its action begins to wait for objects, so
//! that a thousand slow releases keep nobody from work. What a release uses is known by name: its source, its ConfigMaps and Secrets, its
//! dependencies. A change of one of them wakes exactly who uses it, and ends a wait that is no longer worth its while.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::StreamExt;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tracing::{Instrument, Span, field};

use crate::api::{HELM_API, SOURCE_API};
use crate::cluster::kube::Kube;
use crate::cluster::{Gvk, Json, WatchEvent};

use super::access::Access;
use super::announce::Announcer;
use super::artifact::Artifacts;
use super::events::{self, Sink};
use super::index::{Index, Key, version};
use super::lookout::Lookout;
use super::metrics::{Metrics, Object, Reconciled};
use super::options::Options;
use super::perform::MANAGER;
use super::reconcile::{Outcome, Told, reconcile, subject};
use super::sharing::{self, Sharing};
use super::signal::{Seen, Signal};
use super::slot::Slot;
use super::subject::Subject;
use super::{dependencies, sources, values};

/// What every reconciliation needs.
pub struct World {
    pub kube: Kube,
    pub options: Options,
    pub index: Index,
    pub artifacts: Artifacts,
    pub access: Access,
    pub announcer: Announcer,
    pub metrics: Metrics,
    pub lookout: Lookout,
    slots: Arc<Semaphore>,
}

/// Why a controller does not run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error("{0}")]
    Config(#[from] crate::cluster::kube::ConfigError),
    #[error("{0}")]
    Events(String),
    #[error("{0}")]
    Cluster(#[from] crate::cluster::ClusterError),
    #[error("artifacts can't be stored and served: {0}")]
    Storage(#[from] std::io::Error),
}

/// As metrics call this controller.
const CONTROLLER: &str = "helmrelease";

/// The kinds whose objects are all watched.
const KINDS: [(&str, &str); 5] = [
    (HELM_API, "HelmRelease"),
    (SOURCE_API, "HelmChart"),
    (SOURCE_API, "OCIRepository"),
    (SOURCE_API, "ExternalArtifact"),
    (SOURCE_API, "GitRepository"),
];

/// Between tries of a watch that is refused.
const REFUSED: Duration = Duration::from_secs(30);

/// What watches tell.
enum News {
    Applied(Json),
    Deleted(Json),
    /// All that is there of a kind has been told, or its watch is refused.
    Synced(&'static str),
    /// Something that is known by name alone has this version now, or went with it.
    Referenced {
        key: Key,
        version: u64,
        gone: bool,
    },
    /// What a release's templates asked would be answered otherwise now.
    Answered(Key),
}

struct Handle {
    signal: Arc<Signal>,
    task: JoinHandle<()>,
    uses: Vec<Key>,
    seen: Seen,
}

struct Manager {
    world: Arc<World>,
    news: mpsc::Sender<News>,
    releases: HashMap<Key, Handle>,
    /// Who uses a thing.
    users: HashMap<Key, HashSet<Key>>,
    /// Watches of what is known by name: by API version, kind and namespace.
    referenced: BTreeMap<(String, String, String), JoinHandle<()>>,
    synced: BTreeSet<&'static str>,
    sharing: Option<Sharing>,
}

/// Runs a controller until `shutdown` turns true.
///
/// # Errors
/// There is no connection to be had.
pub async fn run(options: Options, shutdown: watch::Receiver<bool>) -> Result<(), RunError> {
    run_with(options, Metrics::default(), shutdown).await
}

/// As [`run`], counted in metrics that somebody serves.
///
/// # Errors
/// As there; the address of events is none.
pub async fn run_with(options: Options, metrics: Metrics, shutdown: watch::Receiver<bool>) -> Result<(), RunError> {
    let kube = Kube::connect(&options.connection).await?;
    let counted = metrics.clone();
    kube.tell_requests(Arc::new(move |method, code| counted.requested(method, &code.to_string())));
    kube.limit(options.kube_api_qps, options.kube_api_burst);
    kube.reachable().await?;
    let instance = std::env::var("HOSTNAME").unwrap_or_else(|_| "pintle".into());
    let telling = events::Options {
        controller: MANAGER.into(),
        instance,
        address: options.events_addr.clone(),
        repeat: options.compat_flux,
    };
    let sink = Sink::start(kube.clone(), telling.clone(), metrics.clone()).map_err(RunError::Events)?;
    let mut sharing = options.shards.clone().map(|shards| Sharing::start(kube.clone(), shards));
    let sources = match options.sources.clone() {
        Some(sources) => {
            let telling = events::Options { controller: super::native::CONTROLLER.into(), ..telling };
            let sink = Sink::start(kube.clone(), telling, metrics.clone()).map_err(RunError::Events)?;
            let sources = super::native::Sources::start(sources, kube.clone(), sink).await?;
            if let Some(sharing) = &mut sharing {
                sharing.of_sources(sources.sharing());
            }
            Some(tokio::spawn(sources.run(shutdown.clone())))
        }
        None => None,
    };
    metrics.set_workers(CONTROLLER, options.concurrent);
    let world = Arc::new(World {
        artifacts: Artifacts::new(options.http_retry, options.http_timeout, options.cache_dir.clone()),
        access: Access::new(kube.clone(), &options),
        announcer: Announcer::new(sink),
        metrics,
        index: Index::default(),
        lookout: Lookout::default(),
        slots: Arc::new(Semaphore::new(options.concurrent.max(1))),
        kube,
        options,
    });
    let (news, incoming) = mpsc::channel(1024);
    let manager = Manager {
        world,
        news,
        releases: HashMap::new(),
        users: HashMap::new(),
        referenced: BTreeMap::new(),
        synced: BTreeSet::new(),
        sharing,
    };
    let sharing = manager.run(incoming, shutdown).await;
    if let Some(sources) = sources {
        let _ = sources.await;
    }
    if let Some(sharing) = sharing {
        sharing.leave().await;
    }
    Ok(())
}

impl Manager {
    /// Gives back the part in the shares: it is to be left when all work has ended.
    async fn run(mut self, mut incoming: mpsc::Receiver<News>, mut shutdown: watch::Receiver<bool>) -> Option<Sharing> {
        let mut watches: Vec<JoinHandle<()>> = KINDS
            .iter()
            .map(|(api, kind)| tokio::spawn(follow(self.world.clone(), api, kind, self.news.clone())))
            .collect();
        watches.extend(look_out(&self.world, &self.news));
        loop {
            tokio::select! {
                Some(news) = incoming.recv() => self.hear(news),
                () = sharing::changed(&mut self.sharing) => self.share(),
                stopped = shutdown.wait_for(|s| *s) => {
                    let _ = stopped;
                    break;
                }
            }
        }
        watches.iter().chain(self.referenced.values()).for_each(JoinHandle::abort);
        // What waits gives up, so that another can take over; what writes comes to its end.
        for handle in self.releases.values() {
            handle.signal.leave();
        }
        let all = futures::future::join_all(self.releases.drain().map(|(_, handle)| handle.task));
        let _ = tokio::time::timeout(self.world.options.graceful_shutdown, all).await;
        let _ = tokio::time::timeout(Duration::from_secs(5), self.world.announcer.flush()).await;
        self.sharing
    }

    fn hear(&mut self, news: News) {
        match news {
            News::Synced(kind) => {
                let first = self.synced.insert(kind);
                if first && self.synced.len() == KINDS.len() {
                    self.start_all();
                }
            }
            News::Applied(object) => {
                let (key, old) = self.world.index.put(object);
                let Some(new) = self.world.index.get(&key) else { return };
                if key.kind == "HelmRelease" {
                    self.release_applied(&key, &new);
                } else if sources::is_news(old.as_deref(), &new) {
                    self.wake_users(&key, true);
                }
            }
            News::Deleted(object) => {
                let key = Key::of(&object);
                self.world.index.remove(&key);
                if key.kind == "HelmRelease"
                    && let Some(handle) = self.releases.remove(&key)
                {
                    handle.signal.forget();
                    self.forget_uses(&key, &handle.uses);
                }
            }
            News::Answered(key) => {
                if let Some(handle) = self.releases.get(&key) {
                    handle.signal.notify.notify_one();
                }
            }
            News::Referenced { key, version, gone } => self.wake_referrers(&key, version, gone),
        }
    }

    /// What was known is what the watch has told: what we wrote ourselves stands in the index already.
    fn release_applied(&mut self, key: &Key, new: &Json) {
        if self.synced.len() < KINDS.len() {
            return;
        }
        let seen = Seen::of(new);
        match self.releases.get_mut(key) {
            None => self.start(key),
            Some(handle) => {
                if std::mem::replace(&mut handle.seen, seen.clone()) != seen {
                    self.uses(key);
                    self.wake(key, true);
                }
            }
        }
        // Those that wait for it look again.
        self.wake_users(key, false);
    }

    /// Starts what is this replica's and does not run.
    fn start_all(&mut self) {
        for key in self.world.index.keys("HelmRelease") {
            if !self.releases.contains_key(&key) {
                self.start(&key);
            }
        }
    }

    /// What is not ours any more comes to its end; what has become ours begins.
    fn share(&mut self) {
        let Some(sharing) = &mut self.sharing else { return };
        sharing.take(&self.world.metrics);
        let gone: Vec<Key> = self.releases.keys().filter(|key| !sharing.owns(key)).cloned().collect();
        let mut ended = Vec::new();
        for key in &gone {
            let Some(handle) = self.releases.remove(key) else { continue };
            handle.signal.leave();
            for used in &handle.uses {
                if let Some(users) = self.users.get_mut(used) {
                    users.remove(key);
                }
            }
            ended.push(handle.task);
        }
        sharing.let_go(ended);
        if self.synced.len() == KINDS.len() {
            self.start_all();
        }
    }

    fn start(&mut self, key: &Key) {
        // One task at a time: an earlier one of the same release may still be ending.
        let turn = match &mut self.sharing {
            Some(sharing) if !sharing.owns(key) => return,
            Some(sharing) => Some(sharing.turn(key)),
            None => None,
        };
        let signal = Arc::new(Signal::default());
        signal.notify.notify_one();
        let (world, name, its) = (self.world.clone(), key.clone(), signal.clone());
        let task = tokio::spawn(async move {
            let _held = match turn {
                Some(turn) => Some(turn.lock_owned().await),
                None => None,
            };
            work(world, name, its).await;
        });
        let seen = self.world.index.get(key).map(|o| Seen::of(&o)).unwrap_or_default();
        self.releases.insert(key.clone(), Handle { signal, task, uses: Vec::new(), seen });
        self.uses(key);
    }

    /// Notes what a release uses, and watches what is not watched yet.
    fn uses(&mut self, key: &Key) {
        let Some(object) = self.world.index.get(key) else { return };
        let Ok(subject) = subject(&object) else { return };
        let (uses, watched) = used(&subject);
        for (api, used) in watched {
            let at = (api.clone(), used.kind.clone(), used.namespace.clone());
            if !self.referenced.contains_key(&at) {
                let gvk = Gvk::parse(&api, &used.kind);
                let task =
                    tokio::spawn(follow_metadata(self.world.clone(), gvk, used.namespace.clone(), self.news.clone()));
                self.referenced.insert(at, task);
            }
        }
        let old = self.releases.get_mut(key).map(|h| std::mem::replace(&mut h.uses, uses.clone()));
        self.forget_uses(key, &old.unwrap_or_default());
        for used in uses {
            self.users.entry(used).or_default().insert(key.clone());
        }
    }

    fn forget_uses(&mut self, key: &Key, uses: &[Key]) {
        for used in uses {
            if let Some(users) = self.users.get_mut(used) {
                users.remove(key);
                if users.is_empty() {
                    self.users.remove(used);
                }
            }
        }
    }

    /// Wakes who uses something; who only waits for it is woken by any change of it.
    fn wake_users(&self, used: &Key, supersedes: bool) {
        for user in self.users.get(used).into_iter().flatten() {
            if supersedes {
                self.wake(user, true);
            } else if let Some(handle) = self.releases.get(user)
                && handle.signal.waiting.load(Ordering::Acquire)
            {
                handle.signal.notify.notify_one();
            }
        }
    }

    /// Of what is known by name only its name and version are told: whoever uses it looks again, and gives up what was made of its older state.
    fn wake_referrers(&self, used: &Key, version: u64, gone: bool) {
        for handle in self.users.get(used).into_iter().flatten().filter_map(|user| self.releases.get(user)) {
            handle.signal.tell(|_, reads| !reads.outdated(used, version, gone));
        }
    }

    fn wake(&self, key: &Key, supersedes: bool) {
        let (Some(handle), Some(object)) = (self.releases.get(key), self.world.index.get(key)) else { return };
        // What is under way may know of it already.
        handle.signal.tell(|wished, reads| {
            let knows_source = || {
                let source = subject(&object).ok().and_then(|s| sources::chart_source(&s));
                let source = source.and_then(|key| self.world.index.get(&key));
                source.is_none_or(|source| !reads.outdated_artifact(sources::artifact_digest(&source)))
            };
            !supersedes || (*wished == Seen::wished(&object, self.world.options.gates) && knows_source())
        });
    }
}

/// What a release uses; of it, what must be watched by name, with its API version.
fn used(subject: &Subject) -> (Vec<Key>, Vec<(String, Key)>) {
    let mut uses: Vec<Key> = sources::chart_source(subject).into_iter().collect();
    let mut watched = Vec::new();
    for reference in &subject.spec.values_from {
        if reference.is_artifact() {
            uses.push(values::source_of(subject, reference));
        } else {
            watched.push(("v1".to_owned(), Key::new(&reference.kind, &subject.namespace, &reference.name)));
        }
    }
    if let Some(secret) = subject.spec.kube_config.as_ref().and_then(|k| k.secret_ref.as_ref()) {
        watched.push(("v1".to_owned(), Key::new("Secret", &subject.namespace, &secret.name)));
    }
    if let Some(map) = subject.spec.kube_config.as_ref().and_then(|k| k.config_map_ref.as_ref()) {
        watched.push(("v1".to_owned(), Key::new("ConfigMap", &subject.namespace, &map.name)));
    }
    for reference in &subject.spec.depends_on {
        let key = dependencies::key(subject, reference);
        if reference.is_helm_release() {
            uses.push(key);
        } else {
            watched.push((reference.api_version.clone(), key));
        }
    }
    uses.extend(watched.iter().map(|(_, key)| key.clone()));
    (uses, watched)
}

/// Looks again at what templates asked, unless that is turned off.
fn look_out(world: &Arc<World>, news: &mpsc::Sender<News>) -> Option<JoinHandle<()>> {
    let interval = world.options.lookup_interval;
    if world.options.compat_flux || interval.is_zero() {
        return None;
    }
    let (world, news) = (world.clone(), news.clone());
    let wake = async move |key| drop(news.send(News::Answered(key)).await);
    Some(tokio::spawn(async move { world.lookout.run(&world.kube, interval, wake).await }))
}

/// Follows all objects of a kind.
async fn follow(world: Arc<World>, api: &str, kind: &'static str, news: mpsc::Sender<News>) {
    let gvk = Gvk::parse(api, kind);
    // Sources and dependencies may be elsewhere than the releases, but what is not allowed is not read.
    let namespace = world.options.namespace.clone();
    let labels = if kind == "HelmRelease" { world.options.label_selector.clone() } else { String::new() };
    loop {
        let watching = world.kube.watch_selected(&gvk, namespace.as_deref(), &labels).await;
        let error = match watching {
            Err(e) => e,
            Ok(mut events) => loop {
                let next = match events.next().await {
                    Some(Ok(WatchEvent::Applied(object))) => News::Applied(object),
                    Some(Ok(WatchEvent::Deleted(object))) => News::Deleted(object),
                    Some(Ok(WatchEvent::Synced)) => News::Synced(kind),
                    Some(Err(e)) => break e,
                    None => return,
                };
                if news.send(next).await.is_err() {
                    return;
                }
            },
        };
        tracing::warn!(kind, %error, "not watched");
        if news.send(News::Synced(kind)).await.is_err() {
            return;
        }
        tokio::time::sleep(REFUSED).await;
    }
}

/// Follows the metadata of a namespace's objects of a kind, and tells which have changed.
async fn follow_metadata(world: Arc<World>, gvk: Gvk, namespace: String, news: mpsc::Sender<News>) {
    let mut known: HashMap<String, u64> = HashMap::new();
    let mut synced = false;
    loop {
        if let Ok(mut events) = world.kube.watch_metadata(&gvk, Some(&namespace), "", "").await {
            while let Some(Ok(event)) = events.next().await {
                let (object, gone) = match event {
                    WatchEvent::Applied(object) => (object, false),
                    WatchEvent::Deleted(object) => (object, true),
                    WatchEvent::Synced => {
                        synced = true;
                        continue;
                    }
                };
                let name = object.pointer("/metadata/name").and_then(Json::as_str).unwrap_or_default();
                let version = version(&object);
                let before = if gone { known.remove(name) } else { known.insert(name.to_owned(), version) };
                let changed = if gone { before.is_some() } else { before != Some(version) };
                let key = Key::new(&gvk.kind, &namespace, name);
                if synced && changed && news.send(News::Referenced { key, version, gone }).await.is_err() {
                    return;
                }
            }
        }
        tokio::time::sleep(REFUSED).await;
    }
}

/// What a trace says of a reconciliation: names and words of ours, no texts, which may quote what people wrote.
fn traced(key: &Key) -> Span {
    tracing::info_span!(
        "reconcile",
        release = format_args!("{}/{}", key.namespace, key.name),
        revision = field::Empty,
        outcome = field::Empty,
        otel.status_code = field::Empty
    )
}

fn trace_end(span: Span, outcome: &Outcome, object: &Json) {
    if let Some(revision) = object.pointer("/status/lastAttemptedRevision").and_then(Json::as_str) {
        span.record("revision", revision);
    }
    span.record("outcome", outcome.name());
    span.record("otel.status_code", if matches!(outcome, Outcome::Failed(_)) { "ERROR" } else { "OK" });
}

/// A release's task.
async fn work(world: Arc<World>, key: Key, signal: Arc<Signal>) {
    let mut own: Option<Arc<Json>> = None;
    let mut deadline: Option<Instant> = None;
    let mut extra: Option<Instant> = None;
    let mut failures = 0_u32;
    let mut said: Said = None;
    loop {
        let due = async {
            match deadline {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = signal.notify.notified() => {}
            () = due => {}
        }
        if signal.is_gone() {
            return forget(&world, &key, &said);
        }
        let queued = world.metrics.queued(CONTROLLER);
        let Ok(permit) = world.slots.clone().acquire_owned().await else { return };
        drop(queued);
        let begun = signal.begin(|| {
            // The watch may be behind what we wrote ourselves.
            let seen = world.index.get(&key)?;
            let object = match own.take() {
                Some(own) if version(&own) > version(&seen) && uid(&own) == uid(&seen) => own,
                _ => seen,
            };
            let wished = Seen::wished(&object, world.options.gates);
            Some((object, wished))
        });
        let Some(object) = begun else {
            if signal.is_gone() {
                forget(&world, &key, &said);
            }
            return;
        };
        let slot = Slot::new(permit, &world.metrics, CONTROLLER);
        let extra_attempt = extra.is_some_and(|at| at <= Instant::now());
        let superseded = signal.superseded();
        let told = Told { object, superseded, reads: signal.reads.clone(), extra_attempt, slot: slot.clone() };
        let begun = Instant::now();
        // On the heap: what a thousand idle tasks hold is small.
        let span = traced(&key);
        let (outcome, object) = Box::pin(reconcile(&world, told).instrument(span.clone())).await;
        slot.release();
        trace_end(span, &outcome, &object);
        count(&world, &key, &object, &outcome, begun.elapsed(), &mut said);
        let object = Arc::new(object);
        tracing::debug!(release = %key, ?outcome, "reconciled");
        let options = &world.options;
        let backoff = |n: u32| {
            options.min_retry_delay.saturating_mul(2_u32.saturating_pow(n.min(16))).min(options.max_retry_delay)
        };
        signal.waiting.store(matches!(outcome, Outcome::Wait(_)), Ordering::Release);
        if outcome != Outcome::Exhausted {
            extra = None;
        }
        let after = match &outcome {
            Outcome::Gone => {
                // Another of the name may come: the watch tells.
                None
            }
            Outcome::Terminal => None,
            Outcome::Exhausted if options.compat_flux => None,
            Outcome::Exhausted => {
                if extra_attempt || extra.is_none() {
                    extra = Some(Instant::now() + options.exhausted_retry);
                }
                extra.map(|at| at.saturating_duration_since(Instant::now()))
            }
            Outcome::Done => {
                let interval = subject(&object).ok().map(|s| s.interval());
                interval.map(|i| jittered(i, options.interval_jitter_percentage))
            }
            Outcome::After(after) => Some(jittered(*after, options.interval_jitter_percentage)),
            Outcome::Wait(after) => Some(*after),
            // The first one at once.
            Outcome::Requeue => Some(failures.checked_sub(1).map_or(Duration::ZERO, backoff)),
            Outcome::Failed(_) => Some(backoff(failures)),
        };
        failures = match outcome {
            Outcome::Requeue | Outcome::Failed(_) => failures.saturating_add(1),
            _ => 0,
        };
        if outcome != Outcome::Gone {
            let tried =
                matches!(&outcome, Outcome::Failed(_) | Outcome::Requeue | Outcome::After(_) | Outcome::Exhausted);
            next_try(&world.metrics, &key, &object, after.filter(|_| tried));
        }
        deadline = after.map(|after| Instant::now() + after);
        // Only what the watch has not told yet is kept beside the index.
        own = Some(object).filter(|o| world.index.version(&key).is_none_or(|seen| version(o) > seen));
    }
}

/// It is none of ours any more.
fn forget(world: &World, key: &Key, said: &Said) {
    let before = said.as_ref().map(|(revision, ready)| (revision.as_str(), *ready));
    world.metrics.forget(&Object::new("HelmRelease", &key.namespace, &key.name), before);
    world.lookout.forget(key);
}

/// Failures of a release, and when it is tried again because of one.
fn next_try(metrics: &Metrics, key: &Key, object: &Json, after: Option<Duration>) {
    let failures = object.pointer("/status/failures").and_then(Json::as_i64).unwrap_or_default();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let at = after.map_or(0.0, |after| (now + after).as_secs_f64().round());
    metrics.set_failures(&Object::new("HelmRelease", &key.namespace, &key.name), failures, at);
}

/// Revision and readiness, as the metrics were told last.
type Said = Option<(String, &'static str)>;

/// Writes a reconciliation into the metrics.
fn count(world: &World, key: &Key, object: &Json, outcome: &Outcome, took: Duration, said: &mut Said) {
    let (metrics, name) = (&world.metrics, Object::new("HelmRelease", &key.namespace, &key.name));
    let how = match outcome {
        Outcome::Done | Outcome::After(_) | Outcome::Wait(_) | Outcome::Exhausted => Reconciled::RequeueAfter,
        Outcome::Requeue => Reconciled::Requeue,
        Outcome::Failed(_) => Reconciled::Error,
        Outcome::Terminal | Outcome::Gone => Reconciled::Success,
    };
    metrics.reconciled(CONTROLLER, &name, took, how);
    let before = said.as_ref().map(|(revision, ready)| (revision.as_str(), *ready));
    if *outcome == Outcome::Gone {
        metrics.forget(&name, before);
        world.announcer.forget(uid(object).unwrap_or_default());
        *said = None;
        return;
    }
    let text = |at: &str| object.pointer(at).and_then(Json::as_str).unwrap_or_default().to_owned();
    let conditions = sources::conditions(object);
    let ready = match conditions.iter().find(|c| c.type_ == "Ready").map(|c| c.status.as_str()) {
        Some("True") => "True",
        Some("False") => "False",
        _ => "Unknown",
    };
    let now = (text("/status/lastAttemptedRevision"), ready);
    metrics.release(&name, before, (&now.0, now.1));
    *said = Some(now);
    let drifted = conditions.iter().find(|c| c.type_ == "Drifted" && c.status == "True");
    // The first line of the message is a head; excluded objects are none that differ.
    let differing = drifted.map_or(0, |c| c.message.lines().skip(1).filter(|l| !l.ends_with(" excluded")).count());
    metrics.set_drift(&name, differing);
}

fn uid(object: &Json) -> Option<&str> {
    object.pointer("/metadata/uid").and_then(Json::as_str)
}

/// A span, a little longer or shorter: releases that began together do not stay so.
pub(super) fn jittered(span: Duration, percentage: u8) -> Duration {
    let mut random = [0_u8; 4];
    let _ = getrandom::fill(&mut random);
    let part = f64::from(u32::from_le_bytes(random)) / f64::from(u32::MAX) * 2.0 - 1.0;
    span.mul_f64(1.0 + part * f64::from(percentage.min(100)) / 100.0)
}
