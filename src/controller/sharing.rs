//! What the manager does with its share (`--shards auto`): which releases and sources it works on, and the word that it has let go of the rest.
//!
//! [`super::shard`] says whose is what; others take up what this replica loses only after [`Sharing::let_go`] has told so, which is when all that
//! was under way has ended. Sources are shared too: a source and the HelmCharts of it have one owner, which stores and serves their artifacts;
//! the new owner of a source fetches anew and writes its own address into the status.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, watch};
use tokio::task::JoinHandle;

use super::index::Key;
use super::metrics::Metrics;
use super::native;
use super::shard::{Options, Shard, Shares};
use crate::cluster::kube::Kube;

/// A replica's part.
pub struct Sharing {
    incoming: watch::Receiver<Shares>,
    shares: Shares,
    let_go: Arc<watch::Sender<Vec<String>>>,
    /// The last word that is under way; later ones wait for it.
    letting: Option<JoinHandle<()>>,
    sources: Option<native::Sharing>,
    /// Held by the task of a release.
    turns: HashMap<Key, Arc<Mutex<()>>>,
    grace: Duration,
    stop: watch::Sender<bool>,
    shard: JoinHandle<()>,
}

impl Sharing {
    /// Takes part until [`Sharing::leave`].
    pub fn start(kube: Kube, options: Options) -> Self {
        let (shares, incoming) = watch::channel(Shares::default());
        let (let_go, told) = watch::channel(Vec::new());
        let grace = options.grace();
        let (stop, stopped) = watch::channel(false);
        let shard = tokio::spawn(Shard::new(kube, options).run(shares, told, stopped));
        Self {
            incoming,
            shares: Shares::default(),
            let_go: Arc::new(let_go),
            letting: None,
            sources: None,
            turns: HashMap::new(),
            grace,
            stop,
            shard,
        }
    }

    /// Gives the share to the others at once. All work has ended before.
    pub async fn leave(self) {
        self.stop.send_replace(true);
        let _ = tokio::time::timeout(Duration::from_secs(5), self.shard).await;
    }

    /// Sources are reconciled in this process too.
    pub fn of_sources(&mut self, sources: native::Sharing) {
        self.sources = Some(sources);
    }

    /// Goes by the shares as they are now.
    pub fn take(&mut self, metrics: &Metrics) {
        self.shares = self.incoming.borrow_and_update().clone();
        metrics.set_shard_members(self.shares.members().len());
        tracing::info!(members = self.shares.members().join(" "), alive = self.shares.is_alive(), "the shares");
        if let Some(sources) = &self.sources {
            sources.set(&self.shares);
        }
    }

    pub fn owns(&self, key: &Key) -> bool {
        self.shares.owns(&key.namespace, &key.name)
    }

    /// The right to work on a release; its tasks wait for it one after the other.
    pub fn turn(&mut self, key: &Key) -> Arc<Mutex<()>> {
        if self.turns.len() > 2 * 1024 {
            self.turns.retain(|_, turn| Arc::strong_count(turn) > 1);
        }
        self.turns.entry(key.clone()).or_default().clone()
    }

    /// Tells the others when all of this has ended. Without a Lease there is little time, and what takes longer is broken off, as if this
    /// replica had been killed: its successor settles it.
    pub fn let_go(&mut self, ended: Vec<JoinHandle<()>>) {
        let (earlier, members) = (self.letting.take(), self.shares.members().to_vec());
        let (let_go, sources, is_alive, grace) =
            (self.let_go.clone(), self.sources.clone(), self.shares.is_alive(), self.grace);
        self.letting = Some(tokio::spawn(async move {
            if !is_alive {
                let all: Vec<_> = ended.iter().map(JoinHandle::abort_handle).collect();
                tokio::spawn(async move {
                    tokio::time::sleep(grace).await;
                    all.iter().for_each(tokio::task::AbortHandle::abort);
                });
            }
            if let Some(earlier) = earlier {
                let _ = earlier.await;
            }
            futures::future::join_all(ended).await;
            if let Some(sources) = sources {
                sources.let_go().await;
            }
            if is_alive {
                let_go.send_replace(members);
            }
        }));
    }
}

/// Returns when the shares have changed; never where nothing is shared.
pub async fn changed(sharing: &mut Option<Sharing>) {
    if let Some(sharing) = sharing
        && sharing.incoming.changed().await.is_ok()
    {
        return;
    }
    std::future::pending().await
}
