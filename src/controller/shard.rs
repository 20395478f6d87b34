//! `--shards auto`: replicas share the releases among themselves, without labels.
//!
//! Each replica keeps a Lease of its own and looks at those of the others. A release belongs to the live replica with the highest hash of both
//! (rendezvous hashing): when a replica comes or goes, only its share moves. A share moves safely: each replica writes into its Lease which
//! members it goes by, and does so only after it has let go of what they do not give it. What a change gives to a replica is taken up when all
//! live members go by the same. Until then a replica keeps what both the old and the new members give it. A replica that cannot renew its
//! Lease in time owns nothing, before the others count it out.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use k8s_openapi::jiff::Timestamp;
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::sync::watch;

use super::lease::{micros, pause, whole_seconds};
use crate::cluster::{
    Cluster, ClusterError, FieldValidation, Gvk, Json, ObjectId, PatchType, Propagation, WriteOptions,
};

/// The label of the Leases of one set of replicas.
pub const GROUP_LABEL: &str = "pintle.dev/shard-group";
/// The members that a replica goes by.
const VIEW: &str = "pintle.dev/members";

/// Who does what, at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shares {
    me: String,
    /// The members that all of them went by last.
    settled: Vec<String>,
    /// The members as seen now.
    members: Vec<String>,
    /// All live members go by `members`.
    agreed: bool,
    /// Our own Lease is renewed.
    alive: bool,
}

impl Shares {
    /// Whether this replica works on an object.
    pub fn owns(&self, namespace: &str, name: &str) -> bool {
        let mine = |members: &[String]| winner(members, namespace, name) == Some(self.me.as_str());
        self.alive && mine(&self.members) && (self.agreed || mine(&self.settled))
    }

    /// The replicas, in order.
    pub fn members(&self) -> &[String] {
        &self.members
    }

    /// Whether the own Lease is renewed. Where it is not, others may take over soon.
    pub fn is_alive(&self) -> bool {
        self.alive
    }
}

fn winner<'a>(members: &'a [String], namespace: &str, name: &str) -> Option<&'a str> {
    members.iter().max_by_key(|m| Sha256::digest(format!("{m}\n{namespace}/{name}").as_bytes())).map(String::as_str)
}

/// Another replica's Lease.
struct Seen {
    spec: Json,
    since: Instant,
    view: String,
}

/// What a replica knows of the others. No I/O: tested by telling it of Leases and times.
struct Membership {
    me: String,
    duration: Duration,
    seen: BTreeMap<String, Seen>,
    settled: Vec<String>,
    members: Vec<String>,
    /// The members whose rest we have let go.
    published: Vec<String>,
}

impl Membership {
    fn new(me: &str, duration: Duration) -> Self {
        Self {
            me: me.into(),
            duration,
            seen: BTreeMap::new(),
            settled: Vec::new(),
            members: vec![me.into()],
            published: Vec::new(),
        }
    }

    /// Whose Leases have been silent for long.
    fn forgotten(&self, now: Instant) -> Vec<String> {
        let long = self.duration.saturating_mul(FORGOTTEN);
        let silent = self.seen.iter().filter(|(_, s)| now.saturating_duration_since(s.since) >= long);
        silent.map(|(name, _)| name.clone()).collect()
    }

    /// Takes in all Leases of the group.
    fn observe(&mut self, leases: &[Json], now: Instant, alive: bool) -> Shares {
        let mut present = BTreeMap::new();
        for lease in leases {
            let holder = lease["spec"]["holderIdentity"].as_str().unwrap_or_default();
            if holder.is_empty() || holder == self.me {
                continue;
            }
            let spec = lease["spec"].clone();
            let since = self.seen.get(holder).filter(|s| s.spec == spec).map_or(now, |s| s.since);
            let view = lease["metadata"]["annotations"][VIEW].as_str().unwrap_or_default().to_string();
            present.insert(holder.to_string(), Seen { spec, since, view });
        }
        self.seen = present;
        let live = self.seen.iter().filter(|(_, s)| now.saturating_duration_since(s.since) < self.duration);
        let mut members: Vec<String> = live.map(|(name, _)| name.clone()).collect();
        members.push(self.me.clone());
        members.sort();
        self.members = members;
        let view = self.members.join(" ");
        let agreed = self.published == self.members
            && self.members.iter().filter(|m| **m != self.me).all(|m| self.seen.get(m).is_some_and(|s| s.view == view));
        if agreed {
            self.settled.clone_from(&self.members);
        }
        if !alive {
            // What was ours may be another's by now.
            self.settled.clear();
            self.published.clear();
        }
        Shares {
            me: self.me.clone(),
            settled: self.settled.clone(),
            members: self.members.clone(),
            agreed: agreed && alive,
            alive,
        }
    }
}

/// A Lease that was not renewed for so many of its durations is that of a replica that will not come back.
const FORGOTTEN: u32 = 20;

/// Whose Leases, and how long things may take.
#[derive(Clone, Debug)]
pub struct Options {
    pub namespace: String,
    /// One for all replicas.
    pub group: String,
    /// This replica, unlike any other; part of its Lease's name.
    pub identity: String,
    pub lease_duration: Duration,
    pub renew_deadline: Duration,
    pub retry_period: Duration,
}

impl Options {
    /// A replica that is gone is noticed after the duration; 15 s do well.
    pub fn new(namespace: &str, group: &str, identity: &str, lease_duration: Duration) -> Self {
        Self {
            namespace: namespace.into(),
            group: group.into(),
            identity: identity.into(),
            lease_duration,
            renew_deadline: lease_duration.mul_f64(0.67),
            retry_period: lease_duration.mul_f64(0.13),
        }
    }

    /// How long a replica that owns nothing any more may still be at work.
    pub fn grace(&self) -> Duration {
        self.lease_duration.saturating_sub(self.renew_deadline)
    }
}

/// One replica.
pub struct Shard<C> {
    cluster: C,
    options: Options,
}

impl<C: Cluster> Shard<C> {
    pub fn new(cluster: C, options: Options) -> Self {
        Self { cluster, options }
    }

    /// Takes part until told to stop, and tells of every change of shares. `let_go` is told the members for which the caller has stopped to work on
    /// everything that [`Shares::owns`] denies ([`Shares::members`] of the shares that it was told): only then is it given to others.
    pub async fn run(
        self,
        shares: watch::Sender<Shares>,
        let_go: watch::Receiver<Vec<String>>,
        mut stop: watch::Receiver<bool>,
    ) {
        let mut membership = Membership::new(&self.options.identity, self.options.lease_duration);
        let mut renewed = Instant::now();
        loop {
            membership.published.clone_from(&let_go.borrow());
            // Before the request: what the server stores is at least as new.
            let begun = Instant::now();
            let left = self.options.renew_deadline.saturating_sub(renewed.elapsed()).max(self.options.retry_period);
            let round = async {
                self.renew(&membership.published.join(" ")).await?;
                self.leases().await
            };
            match tokio::time::timeout(left, round).await {
                Ok(Ok(leases)) => {
                    renewed = begun;
                    let now = membership.observe(&leases, Instant::now(), true);
                    shares.send_if_modified(|old| std::mem::replace(old, now.clone()) != now);
                    for holder in membership.forgotten(Instant::now()) {
                        let id = self.id_of(&holder);
                        let gone = self.cluster.delete(&id, Propagation::Background, None);
                        let _ = tokio::time::timeout(self.options.retry_period, gone).await;
                    }
                }
                failed => {
                    if let Ok(Err(e)) = failed {
                        tracing::warn!(lease = self.name(), "the share's lease was not renewed: {e}");
                    }
                    if renewed.elapsed() >= self.options.renew_deadline {
                        let now = membership.observe(&[], Instant::now(), false);
                        shares.send_if_modified(|old| std::mem::replace(old, now.clone()) != now);
                    }
                }
            }
            if pause(self.options.retry_period, &mut stop).await {
                let _ = self.cluster.delete(&self.id(), Propagation::Background, None).await;
                return;
            }
        }
    }

    fn name(&self) -> String {
        format!("{}-{}", self.options.group, self.options.identity)
    }

    fn id(&self) -> ObjectId {
        self.id_of(&self.options.identity)
    }

    fn id_of(&self, holder: &str) -> ObjectId {
        let name = format!("{}-{holder}", self.options.group);
        ObjectId::new(Gvk::new("coordination.k8s.io", "v1", "Lease"), Some(&self.options.namespace), &name)
    }

    async fn leases(&self) -> Result<Vec<Json>, ClusterError> {
        let gvk = Gvk::new("coordination.k8s.io", "v1", "Lease");
        let label = format!("{GROUP_LABEL}={}", self.options.group);
        self.cluster.list(&gvk, Some(&self.options.namespace), &label, "").await
    }

    async fn renew(&self, view: &str) -> Result<(), ClusterError> {
        let lease = json!({
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
            "metadata": {
                "name": self.name(), "namespace": self.options.namespace,
                "labels": {GROUP_LABEL: self.options.group}, "annotations": {VIEW: view},
            },
            "spec": {
                "holderIdentity": self.options.identity,
                "leaseDurationSeconds": whole_seconds(self.options.lease_duration),
                "renewTime": micros(Timestamp::now()),
            },
        });
        let options =
            WriteOptions { field_manager: "pintle".into(), dry_run: false, validation: FieldValidation::Ignore };
        self.cluster.patch(&self.id(), PatchType::Apply { force: true }, &lease, &options).await.map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFE: Duration = Duration::from_secs(15);

    /// Replicas that tell each other of their Leases, as an API server would.
    struct World {
        replicas: Vec<(Membership, Shares, bool)>,
        now: Instant,
        beat: u64,
    }

    impl World {
        fn new(names: &[&str]) -> Self {
            let replicas = names.iter().map(|n| (Membership::new(n, LIFE), Shares::default(), true)).collect();
            Self { replicas, now: Instant::now(), beat: 0 }
        }

        fn join(&mut self, name: &str) {
            self.replicas.push((Membership::new(name, LIFE), Shares::default(), true));
        }

        /// A round of two seconds; nobody owns what another does, at any moment.
        fn round(&mut self) {
            self.now += Duration::from_secs(2);
            self.beat += 1;
            for at in 0..self.replicas.len() {
                if !self.replicas[at].2 {
                    continue;
                }
                let leases: Vec<Json> = self
                    .replicas
                    .iter()
                    .map(|(m, _, runs)| {
                        let beat = if *runs { self.beat } else { 0 };
                        json!({"spec": {"holderIdentity": m.me, "renewTime": beat}, "metadata": {"annotations": {VIEW: m.published.join(" ")}}})
                    })
                    .collect();
                let (membership, shares, _) = &mut self.replicas[at];
                *shares = membership.observe(&leases, self.now, true);
                let once: Vec<usize> = (0..200).map(|i| self.owners(i).len()).collect();
                assert!(once.iter().all(|n| *n <= 1), "two owners: {once:?}");
                // The caller lets go at once.
                let (membership, shares, _) = &mut self.replicas[at];
                membership.published = shares.members().to_vec();
            }
        }

        fn owners(&self, release: usize) -> Vec<&str> {
            let running = self.replicas.iter().filter(|(_, _, runs)| *runs);
            running.filter(|(_, s, _)| s.owns("shop", &format!("r{release}"))).map(|(m, _, _)| m.me.as_str()).collect()
        }

        fn all_owned(&self) -> bool {
            (0..200).all(|i| self.owners(i).len() == 1)
        }
    }

    #[test]
    fn every_release_has_one_owner_and_never_two() {
        let mut world = World::new(&["a", "b", "c"]);
        (0..4).for_each(|_| world.round());
        assert!(world.all_owned());
        let before: Vec<String> = (0..200).map(|i| world.owners(i)[0].to_string()).collect();
        for name in ["a", "b", "c"] {
            let share = before.iter().filter(|o| *o == name).count();
            assert!((30..110).contains(&share), "{name} has {share} of 200");
        }
        world.join("d");
        (0..4).for_each(|_| world.round());
        assert!(world.all_owned());
        let moved: Vec<usize> = (0..200).filter(|i| world.owners(*i)[0] != before[*i]).collect();
        assert!(moved.iter().all(|i| world.owners(*i) == ["d"]), "only the new replica's share moves");
        // A replica dies without a word: its share is taken up when its Lease has run out, and the rest stays where it is meanwhile.
        world.replicas[3].2 = false;
        for _ in 0..6 {
            world.round();
            assert!((0..200).filter(|i| !moved.contains(i)).all(|i| world.owners(i) == [before[i].as_str()]));
        }
        (0..6).for_each(|_| world.round());
        assert_eq!((0..200).map(|i| world.owners(i)[0].to_string()).collect::<Vec<_>>(), before);
    }

    #[test]
    fn leases_of_replicas_that_are_gone_are_cleared_away() {
        let mut one = Membership::new("a", LIFE);
        let lease = json!({"spec": {"holderIdentity": "b", "renewTime": 1}});
        let begin = Instant::now();
        one.observe(std::slice::from_ref(&lease), begin, true);
        assert!(one.forgotten(begin + 2 * LIFE).is_empty());
        one.observe(&[lease], begin + 2 * LIFE, true);
        assert_eq!(one.forgotten(begin + FORGOTTEN * LIFE), ["b"]);
    }

    #[test]
    fn a_replica_without_a_lease_owns_nothing() {
        let mut alone = Membership::new("a", LIFE);
        alone.published = vec!["a".into()];
        assert!(alone.observe(&[], Instant::now(), true).owns("shop", "web"));
        let lost = alone.observe(&[], Instant::now(), false);
        assert!(!lost.owns("shop", "web"));
        assert!(
            !alone.observe(&[], Instant::now(), true).owns("shop", "web"),
            "not before it has let go and agreed anew"
        );
    }
}
