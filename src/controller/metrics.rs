//! What Prometheus reads: Flux's and controller-runtime's names, so that dashboards and alerts go on working, and a few of our own.
//!
//! Source: fluxcd/pkg `runtime/metrics/recorder.go`, controller-runtime `pkg/internal/controller/metrics`, client-go's `workqueue` and
//! `rest_client` as controller-runtime names them. Ours begin with `pintle_`. Series of an object go away with it.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, LabelSetEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets, exponential_buckets_range};
use prometheus_client::registry::Registry;

/// Labels of an object.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct Object {
    pub kind: String,
    pub name: String,
    pub namespace: String,
}

impl Object {
    pub fn new(kind: &str, namespace: &str, name: &str) -> Self {
        Self { kind: kind.into(), name: name.into(), namespace: namespace.into() }
    }
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Controller {
    controller: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Queue {
    name: &'static str,
    controller: &'static str,
}

/// One more in a gauge, while it lives.
pub struct Held(Gauge);

impl Held {
    fn new(gauge: Gauge) -> Self {
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Something that waits for a worker.
pub struct Queued {
    _held: Held,
    since: Instant,
    waited: Histogram,
}

impl Drop for Queued {
    fn drop(&mut self) {
        self.waited.observe(self.since.elapsed().as_secs_f64());
    }
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Outcome {
    controller: &'static str,
    result: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Election {
    name: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Request {
    code: String,
    method: &'static str,
}

/// An object's revision and more, as constant labels of a series that is 1.
#[derive(Clone, Debug, Hash, PartialEq, Eq)]
struct Info {
    object: Object,
    revision: String,
    ready: &'static str,
}

impl EncodeLabelSet for Info {
    fn encode(&self, encoder: &mut LabelSetEncoder) -> Result<(), std::fmt::Error> {
        self.object.encode(encoder)?;
        [("revision", self.revision.as_str()), ("ready", self.ready)].encode(encoder)
    }
}

/// How a reconciliation ended, in controller-runtime's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reconciled {
    Success,
    Error,
    /// To be tried again at once or with backoff.
    Requeue,
    RequeueAfter,
}

impl Reconciled {
    fn word(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Error => "error",
            Self::Requeue => "requeue",
            Self::RequeueAfter => "requeue_after",
        }
    }
}

type Histograms<L> = Family<L, Histogram, fn() -> Histogram>;
type Decimal = Gauge<f64, AtomicU64>;

/// Ten buckets from 10 ms to half an hour, as Flux has them.
fn gotk_buckets() -> Histogram {
    Histogram::new(exponential_buckets_range(10e-3, 1800.0, 10))
}

/// controller-runtime's buckets of a reconciliation.
fn reconcile_buckets() -> Histogram {
    Histogram::new([
        0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.25, 1.5,
        1.75, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 15.0, 20.0, 25.0, 30.0, 40.0, 50.0, 60.0,
    ])
}

/// controller-runtime's buckets of its queues: powers of ten from 10 ns to 1,000 s.
fn queue_buckets() -> Histogram {
    Histogram::new(exponential_buckets(10e-9, 10.0, 12))
}

/// All series. Cheap to clone; clones write into the same.
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Registry>,
    durations: Histograms<Object>,
    times: Histograms<Controller>,
    totals: Family<Outcome, Counter>,
    errors: Family<Controller, Counter>,
    active: Family<Controller, Gauge>,
    workers: Family<Controller, Gauge>,
    depth: Family<Queue, Gauge>,
    adds: Family<Queue, Counter>,
    retries: Family<Queue, Counter>,
    queued: Histograms<Queue>,
    worked: Histograms<Queue>,
    leading: Family<Election, Gauge>,
    requests: Family<Request, Counter>,
    releases: Family<Info, Gauge>,
    drift: Family<Object, Gauge>,
    failures: Family<Object, Gauge>,
    next_try: Family<Object, Decimal>,
    waiting: Gauge,
    shard: Gauge,
    events: Family<Outcome, Counter>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut all = Self {
            registry: Arc::default(),
            durations: Family::new_with_constructor(gotk_buckets as fn() -> Histogram),
            times: Family::new_with_constructor(reconcile_buckets as fn() -> Histogram),
            totals: Family::default(),
            errors: Family::default(),
            active: Family::default(),
            workers: Family::default(),
            depth: Family::default(),
            adds: Family::default(),
            retries: Family::default(),
            queued: Family::new_with_constructor(queue_buckets as fn() -> Histogram),
            worked: Family::new_with_constructor(queue_buckets as fn() -> Histogram),
            leading: Family::default(),
            requests: Family::default(),
            releases: Family::default(),
            drift: Family::default(),
            failures: Family::default(),
            next_try: Family::default(),
            waiting: Gauge::default(),
            shard: Gauge::default(),
            events: Family::default(),
        };
        // Counters get their `_total` when they are written.
        let mut r = Registry::default();
        r.register(
            "gotk_reconcile_duration_seconds",
            "The duration in seconds of a GitOps Toolkit resource reconciliation",
            all.durations.clone(),
        );
        r.register(
            "controller_runtime_reconcile_time_seconds",
            "Length of time per reconciliation per controller",
            all.times.clone(),
        );
        r.register(
            "controller_runtime_reconcile",
            "Total number of reconciliations per controller",
            all.totals.clone(),
        );
        r.register(
            "controller_runtime_reconcile_errors",
            "Total number of reconciliation errors per controller",
            all.errors.clone(),
        );
        r.register(
            "controller_runtime_active_workers",
            "Number of currently used workers per controller",
            all.active.clone(),
        );
        r.register(
            "controller_runtime_max_concurrent_reconciles",
            "Maximum number of concurrent reconciles per controller",
            all.workers.clone(),
        );
        r.register("workqueue_depth", "Current depth of workqueue by controller", all.depth.clone());
        r.register("workqueue_adds", "Total number of adds handled by workqueue", all.adds.clone());
        r.register("workqueue_retries", "Total number of retries handled by workqueue", all.retries.clone());
        r.register(
            "workqueue_queue_duration_seconds",
            "How long in seconds an item stays in workqueue before being requested",
            all.queued.clone(),
        );
        r.register(
            "workqueue_work_duration_seconds",
            "How long in seconds processing an item from workqueue takes.",
            all.worked.clone(),
        );
        r.register(
            "leader_election_master_status",
            "Gauge of if the reporting system is master of the relevant lease",
            all.leading.clone(),
        );
        r.register(
            "rest_client_requests",
            "Number of HTTP requests, partitioned by status code and method",
            all.requests.clone(),
        );
        r.register("pintle_release_info", "Revision and readiness of a release; the value is 1", all.releases.clone());
        r.register(
            "pintle_release_drifted_objects",
            "Live objects that differ from the release's manifest",
            all.drift.clone(),
        );
        r.register(
            "pintle_release_failures",
            "Failures of a release since its last success or change",
            all.failures.clone(),
        );
        r.register(
            "pintle_release_next_try_timestamp_seconds",
            "When a failed release is tried again",
            all.next_try.clone(),
        );
        r.register(
            "pintle_waiting_releases",
            "Releases whose objects are waited for; they hold no worker",
            all.waiting.clone(),
        );
        r.register("pintle_shard_members", "Replicas that share the releases", all.shard.clone());
        r.register("pintle_events", "Events by how they were delivered", all.events.clone());
        all.registry = Arc::new(r);
        all
    }
}

impl Metrics {
    /// A reconciliation of an object has ended. `controller` is the kind in lower case, as controller-runtime has it.
    pub fn reconciled(&self, controller: &'static str, object: &Object, took: Duration, how: Reconciled) {
        self.durations.get_or_create(object).observe(took.as_secs_f64());
        self.times.get_or_create(&Controller { controller }).observe(took.as_secs_f64());
        self.totals.get_or_create(&Outcome { controller, result: how.word() }).inc();
        let queue = Queue { name: controller, controller };
        self.worked.get_or_create(&queue).observe(took.as_secs_f64());
        if matches!(how, Reconciled::Error | Reconciled::Requeue) {
            self.retries.get_or_create(&queue).inc();
        }
        if how == Reconciled::Error {
            self.errors.get_or_create(&Controller { controller }).inc();
        }
    }

    /// How many reconciliations may run at once.
    pub fn set_workers(&self, controller: &'static str, count: usize) {
        self.workers.get_or_create(&Controller { controller }).set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// One works, until this is dropped.
    pub fn active(&self, controller: &'static str) -> Held {
        Held::new(self.active.get_or_create(&Controller { controller }).clone())
    }

    /// One waits for a worker, until this is dropped.
    pub fn queued(&self, controller: &'static str) -> Queued {
        let queue = Queue { name: controller, controller };
        self.adds.get_or_create(&queue).inc();
        let waited = self.queued.get_or_create(&queue).clone();
        let held = Held::new(self.depth.get_or_create(&queue).clone());
        Queued { _held: held, since: Instant::now(), waited }
    }

    /// Whether this process leads.
    pub fn set_leading(&self, lease: &str, leads: bool) {
        self.leading.get_or_create(&Election { name: lease.into() }).set(leads.into());
    }

    /// How many replicas share the releases.
    pub fn set_shard_members(&self, count: usize) {
        self.shard.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// A request to the API server was answered; `code` is `<error>` when it was not.
    pub fn requested(&self, method: &'static str, code: &str) {
        self.requests.get_or_create(&Request { code: code.into(), method }).inc();
    }

    /// An event was delivered, dropped as a repetition, or lost.
    pub fn event(&self, sink: &'static str, result: &'static str) {
        self.events.get_or_create(&Outcome { controller: sink, result }).inc();
    }

    /// A release's revision and Ready condition (`True`, `False` or `Unknown`), in place of `before` (what was said last).
    pub fn release(&self, object: &Object, before: Option<(&str, &'static str)>, now: (&str, &'static str)) {
        let info =
            |(revision, ready): (&str, &'static str)| Info { object: object.clone(), revision: revision.into(), ready };
        if let Some(before) = before.filter(|b| *b != now) {
            self.releases.remove(&info(before));
        }
        self.releases.get_or_create(&info(now)).set(1);
    }

    /// Objects that differ from the manifest.
    pub fn set_drift(&self, object: &Object, differing: usize) {
        self.drift.get_or_create(object).set(i64::try_from(differing).unwrap_or(i64::MAX));
    }

    /// Failures since the last success, and when the release is tried again (seconds since 1970; 0: never).
    pub fn set_failures(&self, object: &Object, count: i64, next_try: f64) {
        self.failures.get_or_create(object).set(count);
        self.next_try.get_or_create(object).set(next_try);
    }

    /// A release waits for its objects, until this is dropped.
    pub fn waits(&self) -> Held {
        Held::new(self.waiting.clone())
    }

    /// Forgets the series of an object that is gone. `last` is what [`Metrics::release`] was told last.
    pub fn forget(&self, object: &Object, last: Option<(&str, &'static str)>) {
        self.durations.remove(object);
        self.drift.remove(object);
        self.failures.remove(object);
        self.next_try.remove(object);
        if let Some((revision, ready)) = last {
            self.releases.remove(&Info { object: object.clone(), revision: revision.into(), ready });
        }
    }

    /// The page in the OpenMetrics text format.
    pub fn page(&self) -> String {
        let mut page = String::new();
        // A String takes all that is written.
        let _ = encode(&mut page, &self.registry);
        page
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_flux_and_controller_runtime_names() {
        let m = Metrics::default();
        let web = Object::new("HelmRelease", "shop", "web");
        m.reconciled("helmrelease", &web, Duration::from_millis(20), Reconciled::Success);
        m.reconciled("helmrelease", &web, Duration::from_millis(5), Reconciled::Error);
        m.release(&web, None, ("1.0.0", "Unknown"));
        m.release(&web, Some(("1.0.0", "Unknown")), ("1.1.0", "True"));
        m.requested("GET", "200");
        let (queued, active, waits) = (m.queued("helmrelease"), m.active("helmrelease"), m.waits());
        assert!(m.page().contains("workqueue_depth{name=\"helmrelease\",controller=\"helmrelease\"} 1"));
        assert!(m.page().contains("controller_runtime_active_workers{controller=\"helmrelease\"} 1"));
        assert!(m.page().contains("pintle_waiting_releases 1"));
        drop((queued, active, waits));
        m.set_leading("helm-controller-leader-election", true);
        let page = m.page();
        for line in [
            r#"gotk_reconcile_duration_seconds_count{kind="HelmRelease",name="web",namespace="shop"} 2"#,
            r#"gotk_reconcile_duration_seconds_bucket{le="0.01",kind="HelmRelease",name="web",namespace="shop"} 1"#,
            r#"controller_runtime_reconcile_total{controller="helmrelease",result="success"} 1"#,
            r#"controller_runtime_reconcile_errors_total{controller="helmrelease"} 1"#,
            r#"workqueue_depth{name="helmrelease",controller="helmrelease"} 0"#,
            r#"workqueue_adds_total{name="helmrelease",controller="helmrelease"} 1"#,
            r#"workqueue_retries_total{name="helmrelease",controller="helmrelease"} 1"#,
            r#"workqueue_queue_duration_seconds_count{name="helmrelease",controller="helmrelease"} 1"#,
            r#"workqueue_work_duration_seconds_count{name="helmrelease",controller="helmrelease"} 2"#,
            r#"controller_runtime_active_workers{controller="helmrelease"} 0"#,
            "pintle_waiting_releases 0",
            r#"rest_client_requests_total{code="200",method="GET"} 1"#,
            r#"leader_election_master_status{name="helm-controller-leader-election"} 1"#,
            r#"pintle_release_info{kind="HelmRelease",name="web",namespace="shop",revision="1.1.0",ready="True"} 1"#,
        ] {
            assert!(page.lines().any(|l| l == line), "{line}\nis not in\n{page}");
        }
        assert!(!page.contains("1.0.0"), "an old revision leaves no series");
        m.forget(&web, Some(("1.1.0", "True")));
        assert!(!m.page().contains(r#"name="web""#), "{}", m.page());
    }
}
