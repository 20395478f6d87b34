//! Leader election by a Lease, as client-go does it, so that Flux's controller and this one never lead together.
//!
//! The holder renews; the others watch the record and take it when it has not changed for its duration by their own clock (clocks of other
//! machines are not trusted). A holder that cannot renew within the deadline, which is shorter, stops. Source: client-go
//! `tools/leaderelection/leaderelection.go`; durations and release on cancel as in fluxcd/pkg `runtime/leaderelection`.

use std::time::{Duration, Instant};

use k8s_openapi::jiff::Timestamp;
use serde_json::json;
use tokio::sync::watch;

use crate::cluster::{Cluster, ClusterError, FieldValidation, Gvk, Json, ObjectId, WriteOptions};

/// Whose Lease, and how long things may take.
#[derive(Clone, Debug)]
pub struct Options {
    pub namespace: String,
    /// `helm-controller-leader-election`, with a suffix for shards, as Flux names it.
    pub name: String,
    /// This process, unlike any other: `<host>_<random>`.
    pub identity: String,
    pub lease_duration: Duration,
    pub renew_deadline: Duration,
    pub retry_period: Duration,
    /// Give the Lease up at the end, so that the next leader need not wait.
    pub release_on_cancel: bool,
}

impl Options {
    /// Flux's durations.
    pub fn new(namespace: &str, name: &str, identity: &str) -> Self {
        Self {
            namespace: namespace.into(),
            name: name.into(),
            identity: identity.into(),
            lease_duration: Duration::from_secs(35),
            renew_deadline: Duration::from_secs(30),
            retry_period: Duration::from_secs(5),
            release_on_cancel: true,
        }
    }
}

/// Why a leader leads no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It was told to stop.
    Stopped,
    /// It could not renew in time, or another has the Lease: work must end at once.
    Lost,
}

/// One candidate.
pub struct Election<C> {
    cluster: C,
    options: Options,
    /// The spec that was seen last, and when it was new to us.
    observed: Option<(Json, Instant)>,
}

/// A timestamp as Leases have it.
pub(super) fn micros(at: Timestamp) -> String {
    k8s_openapi::jiff::fmt::strtime::format("%Y-%m-%dT%H:%M:%S%.6fZ", at).unwrap_or_default()
}

/// Whole seconds of a duration, at least one.
pub(super) fn whole_seconds(span: Duration) -> u64 {
    span.as_secs().max(1)
}

/// Waits, or less when told to stop; whether it was.
pub(super) async fn pause(span: Duration, stop: &mut watch::Receiver<bool>) -> bool {
    // A sender that is gone has stopped too.
    tokio::time::timeout(span, stop.wait_for(|s| *s)).await.is_ok()
}

impl<C: Cluster> Election<C> {
    pub fn new(cluster: C, options: Options) -> Self {
        Self { cluster, options, observed: None }
    }

    /// Waits until this process leads. False: it was told to stop before.
    pub async fn acquire(&mut self, stop: &mut watch::Receiver<bool>) -> bool {
        loop {
            if *stop.borrow() {
                return false;
            }
            match self.attempt().await {
                Ok(true) => return true,
                Ok(false) => {}
                // The next attempt may do better; the API server may be away.
                Err(e) => tracing::warn!(lease = self.options.name, "no try for the lease: {e}"),
            }
            // A little apart from the other candidates.
            let apart = self.options.retry_period.mul_f64(1.0 + f64::from(rand::random::<u8>()) / 213.0);
            if pause(apart, stop).await {
                return false;
            }
        }
    }

    /// Renews until told to stop, then gives the Lease up; or until it is lost.
    pub async fn hold(&mut self, stop: &mut watch::Receiver<bool>) -> End {
        let mut renewed = Instant::now();
        loop {
            if pause(self.options.retry_period, stop).await {
                if self.options.release_on_cancel
                    && let Err(e) = self.release().await
                {
                    tracing::warn!(lease = self.options.name, "the lease was not given up: {e}");
                }
                return End::Stopped;
            }
            let left = self.options.renew_deadline.saturating_sub(renewed.elapsed());
            match tokio::time::timeout(left, self.attempt()).await {
                Ok(Ok(true)) => renewed = Instant::now(),
                Ok(Ok(false)) => return End::Lost,
                Ok(Err(e)) => tracing::warn!(lease = self.options.name, "the lease was not renewed: {e}"),
                Err(_) => return End::Lost,
            }
            if renewed.elapsed() >= self.options.renew_deadline {
                return End::Lost;
            }
        }
    }

    fn id(&self) -> ObjectId {
        ObjectId::new(Gvk::new("coordination.k8s.io", "v1", "Lease"), Some(&self.options.namespace), &self.options.name)
    }

    fn write(&self) -> WriteOptions {
        WriteOptions {
            field_manager: self.options.identity.clone(),
            dry_run: false,
            validation: FieldValidation::Ignore,
        }
    }

    /// Takes or renews the Lease; whether it is ours now.
    async fn attempt(&mut self) -> Result<bool, ClusterError> {
        let now = micros(Timestamp::now());
        let mut spec = json!({
            "holderIdentity": self.options.identity,
            "leaseDurationSeconds": whole_seconds(self.options.lease_duration),
            "acquireTime": now,
            "renewTime": now,
            "leaseTransitions": 0,
        });
        let Some(mut lease) = self.cluster.get(&self.id()).await? else {
            let lease = json!({
                "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
                "metadata": {"name": self.options.name, "namespace": self.options.namespace}, "spec": spec,
            });
            return match self.cluster.create(&lease, &self.write()).await {
                Ok(_) => Ok(true),
                Err(e) if e.is_already_exists() => Ok(false),
                Err(e) => Err(e),
            };
        };
        let old = lease["spec"].clone();
        if self.observed.as_ref().is_none_or(|(seen, _)| *seen != old) {
            self.observed = Some((old.clone(), Instant::now()));
        }
        let holder = old["holderIdentity"].as_str().unwrap_or_default();
        let transitions = old["leaseTransitions"].as_i64().unwrap_or(0);
        if holder == self.options.identity {
            spec["acquireTime"] = old["acquireTime"].clone();
            spec["leaseTransitions"] = json!(transitions);
        } else {
            let span = Duration::from_secs(old["leaseDurationSeconds"].as_u64().unwrap_or(0));
            let fresh = self.observed.as_ref().is_some_and(|(_, at)| at.elapsed() < span);
            if !holder.is_empty() && fresh {
                return Ok(false);
            }
            spec["leaseTransitions"] = json!(transitions + 1);
        }
        lease["spec"] = spec;
        match self.cluster.replace(&lease, &self.write()).await {
            Ok(now) => {
                self.observed = Some((now["spec"].clone(), Instant::now()));
                Ok(true)
            }
            // Another was quicker. The next look tells who.
            Err(e) if e.is_conflict() && holder != self.options.identity => Ok(false),
            Err(e) => Err(e),
        }
    }

    /// Gives the Lease up, when it is still ours.
    async fn release(&mut self) -> Result<(), ClusterError> {
        let Some(mut lease) = self.cluster.get(&self.id()).await? else { return Ok(()) };
        if lease["spec"]["holderIdentity"] != self.options.identity.as_str() {
            return Ok(());
        }
        let now = micros(Timestamp::now());
        let transitions = lease["spec"]["leaseTransitions"].clone();
        lease["spec"] = json!({
            "holderIdentity": "", "leaseDurationSeconds": 1, "acquireTime": now, "renewTime": now, "leaseTransitions": transitions,
        });
        self.cluster.replace(&lease, &self.write()).await.map(|_| ())
    }
}
