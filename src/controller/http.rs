//! Probes and metrics over HTTP: `/healthz`, `/readyz` on one address, `/metrics` on another, as Flux's controllers have them.
//!
//! Ready means that work can begin: the objects are known, and, where replicas elect a leader, standing by counts as ready (as in Flux, so
//! that a rollout of two replicas ends). Alive means that the heart of the controller has beaten lately.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::http::{StatusCode, header};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::metrics::Metrics;

/// How long the controller may be silent before it counts as dead.
const SILENCE: Duration = Duration::from_secs(120);

/// What the probes tell. Clones share it.
#[derive(Clone)]
pub struct Health {
    ready: Arc<AtomicBool>,
    begun: Instant,
    /// Milliseconds from `begun` to the last beat.
    beat: Arc<AtomicU64>,
}

impl Default for Health {
    fn default() -> Self {
        Self { ready: Arc::default(), begun: Instant::now(), beat: Arc::default() }
    }
}

impl Health {
    /// The controller can begin to work, or can no longer.
    pub fn set_ready(&self, ready: bool) {
        self.ready.store(ready, Ordering::Relaxed);
    }

    /// The controller's loop goes round. To be called at least every minute.
    pub fn beat(&self) {
        let now = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.beat.store(now, Ordering::Relaxed);
    }

    fn is_alive(&self) -> bool {
        self.begun.elapsed().saturating_sub(Duration::from_millis(self.beat.load(Ordering::Relaxed))) < SILENCE
    }

    fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Relaxed)
    }
}

fn probe(good: bool) -> (StatusCode, &'static str) {
    if good { (StatusCode::OK, "ok") } else { (StatusCode::SERVICE_UNAVAILABLE, "not yet") }
}

/// The probes.
pub fn probes(health: Health) -> Router {
    let other = health.clone();
    Router::new()
        .route("/healthz", get(move || std::future::ready(probe(health.is_alive()))))
        .route("/readyz", get(move || std::future::ready(probe(other.is_ready()))))
}

/// The page that Prometheus reads.
pub fn metrics(metrics: Metrics) -> Router {
    const FORM: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Router::new().route("/metrics", get(move || std::future::ready(([(header::CONTENT_TYPE, FORM)], metrics.page()))))
}

/// Opens an address in Go's form: `:8080` is every interface, `127.0.0.1:0` any free port of one. Empty or `0`: none.
///
/// # Errors
/// The address is none, or is taken.
pub async fn listen(address: &str) -> Result<Option<TcpListener>, String> {
    if matches!(address, "" | "0") {
        return Ok(None);
    }
    let full = if address.starts_with(':') { format!("[::]{address}") } else { address.to_string() };
    let bound = TcpListener::bind(&full).await;
    // A machine without IPv6.
    let bound = match (bound, address.strip_prefix(':').and_then(|p| p.parse().ok())) {
        (Err(_), Some(port)) => TcpListener::bind(SocketAddr::from(([0, 0, 0, 0], port))).await,
        (bound, _) => bound,
    };
    bound.map(Some).map_err(|e| format!("cannot listen on {address}: {e}"))
}

/// Serves until `stop` turns true; requests that are under way are answered.
///
/// # Errors
/// The socket fails.
pub async fn serve(listener: TcpListener, router: Router, mut stop: watch::Receiver<bool>) -> Result<(), String> {
    let stopped = async move {
        // A sender that is gone has stopped too.
        let _ = stop.wait_for(|stop| *stop).await;
    };
    axum::serve(listener, router).with_graceful_shutdown(stopped).await.map_err(|e| format!("serving HTTP: {e}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn status(address: SocketAddr, path: &str) -> (u16, String) {
        let answer = reqwest::get(format!("http://{address}{path}")).await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    #[tokio::test]
    async fn probes_and_metrics_are_served_until_the_end() {
        let health = Health::default();
        let listener = listen("127.0.0.1:0").await.unwrap().unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = watch::channel(false);
        let router = probes(health.clone()).merge(metrics(Metrics::default()));
        let served = tokio::spawn(serve(listener, router, stopped));
        assert_eq!(status(address, "/healthz").await, (200, "ok".into()));
        assert_eq!(status(address, "/readyz").await.0, 503);
        health.set_ready(true);
        assert_eq!(status(address, "/readyz").await.0, 200);
        let (code, page) = status(address, "/metrics").await;
        assert!(code == 200 && page.contains("# TYPE pintle_waiting_releases gauge"), "{page}");
        assert_eq!(status(address, "/debug").await.0, 404);
        stop.send(true).unwrap();
        served.await.unwrap().unwrap();
        assert!(listen("0").await.unwrap().is_none());
        assert!(listen("nowhere").await.unwrap_err().contains("nowhere"));
    }
}
