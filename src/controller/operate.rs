//! The controller as a service: probes and metrics are served, and of several replicas one leads.

use std::time::Duration;

use tokio::sync::watch;

use super::Options;
use super::http::{self, Health};
use super::lease::{Election, End, Options as Lease};
use super::manager::run_with;
use super::metrics::Metrics;
use crate::cluster::kube::Kube;

/// How it is operated.
#[derive(Clone, Debug, Default)]
pub struct Operating {
    /// Where metrics are served; empty: nowhere.
    pub metrics_addr: String,
    /// Where probes are served; empty: nowhere.
    pub health_addr: String,
    /// The Lease to be held while reconciling.
    pub election: Option<Lease>,
}

/// Runs until told to stop, or until the lead is lost: then another may be at work already, and the process is to end.
///
/// # Errors
/// An address is taken, the cluster cannot be reached, what [`run_with`] says, or the lead was lost.
pub async fn operate(options: Options, operating: Operating, mut stop: watch::Receiver<bool>) -> Result<(), String> {
    let (health, metrics) = (Health::default(), Metrics::default());
    for (address, router) in [
        (&operating.health_addr, http::probes(health.clone())),
        (&operating.metrics_addr, http::metrics(metrics.clone())),
    ] {
        if let Some(listener) = http::listen(address).await? {
            tokio::spawn(http::serve(listener, router, stop.clone()));
        }
    }
    let heart = health.clone();
    let beating = tokio::spawn(async move {
        loop {
            heart.beat();
            tokio::time::sleep(Duration::from_secs(10)).await;
        }
    });
    let ended = lead(options, operating.election, &health, &metrics, &mut stop).await;
    beating.abort();
    ended
}

async fn lead(
    options: Options,
    election: Option<Lease>,
    health: &Health,
    metrics: &Metrics,
    stop: &mut watch::Receiver<bool>,
) -> Result<(), String> {
    let Some(lease) = election else {
        health.set_ready(true);
        return run_with(options, metrics.clone(), stop.clone()).await.map_err(|e| e.to_string());
    };
    let name = lease.name.clone();
    let cluster = Kube::connect(&options.connection).await.map_err(|e| e.to_string())?;
    let mut election = Election::new(cluster, lease);
    metrics.set_leading(&name, false);
    // Standing by is being ready: else a rollout of two replicas would never end.
    health.set_ready(true);
    if !election.acquire(stop).await {
        return Ok(());
    }
    tracing::info!(lease = name, "leading");
    metrics.set_leading(&name, true);
    // The lease is held until the work has ended, so that no successor meets work under way.
    let (end, mut ended) = watch::channel(false);
    let mut work = std::pin::pin!(run_with(options, metrics.clone(), stop.clone()));
    let mut hold = std::pin::pin!(election.hold(&mut ended));
    let result = tokio::select! {
        done = &mut work => {
            let _ = end.send(true);
            hold.await;
            done.map_err(|e| e.to_string())
        }
        end = &mut hold => match end {
            End::Stopped => Ok(()),
            End::Lost => Err(format!("the lease {name} was lost: another replica leads")),
        },
    };
    metrics.set_leading(&name, false);
    result
}
