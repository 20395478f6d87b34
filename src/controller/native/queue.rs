//! What is to be reconciled, and when: each key at most once at a time, and at the earliest time that anybody asked for.
//!
//! A key that is asked for while it runs runs once more afterwards. Failures wait longer each time, as in controller-runtime's rate limiter.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// A queue with times.
pub struct Queue<K> {
    inner: Mutex<Inner<K>>,
    changed: Notify,
    shortest: Duration,
    longest: Duration,
}

struct Inner<K> {
    due: BTreeSet<(Instant, K)>,
    at: HashMap<K, Instant>,
    running: HashSet<K>,
    /// Asked for while running.
    again: HashMap<K, Instant>,
    failures: HashMap<K, u32>,
}

impl<K: Clone + Ord + Hash> Queue<K> {
    /// With the shortest and the longest wait after failures (`--min-retry-delay`, `--max-retry-delay`).
    pub fn new(shortest: Duration, longest: Duration) -> Self {
        let inner = Inner {
            due: BTreeSet::new(),
            at: HashMap::new(),
            running: HashSet::new(),
            again: HashMap::new(),
            failures: HashMap::new(),
        };
        Self { inner: Mutex::new(inner), changed: Notify::new(), shortest, longest }
    }

    fn inner(&self) -> std::sync::MutexGuard<'_, Inner<K>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for a key now.
    pub fn now(&self, key: K) {
        self.add(key, Instant::now());
    }

    /// Asks for a key at a time, or earlier if somebody asked for that.
    pub fn add(&self, key: K, at: Instant) {
        self.inner().add(key, at);
        self.changed.notify_one();
    }

    /// Forgets a key: the object is gone.
    pub fn forget(&self, key: &K) {
        let mut inner = self.inner();
        if let Some(at) = inner.at.remove(key) {
            inner.due.remove(&(at, key.clone()));
        }
        inner.again.remove(key);
        inner.failures.remove(key);
    }

    /// What runs now.
    pub fn running(&self) -> Vec<K> {
        self.inner().running.iter().cloned().collect()
    }

    /// The next key that is due; it runs until [`done`](Self::done) or [`failed`](Self::failed).
    pub async fn next(&self) -> K {
        loop {
            let changed = self.changed.notified();
            let wait = {
                let mut inner = self.inner();
                let first = inner.due.first().map(|(at, _)| *at);
                match first {
                    Some(at) if at <= Instant::now() => {
                        if let Some((_, key)) = inner.due.pop_first() {
                            inner.at.remove(&key);
                            inner.running.insert(key.clone());
                            return key;
                        }
                        None
                    }
                    other => other,
                }
            };
            match wait {
                Some(at) => {
                    let _ = tokio::time::timeout_at(at, changed).await;
                }
                None => changed.await,
            }
        }
    }

    /// A key's run ended well; it is due again at a time, or when somebody asks.
    pub fn done(&self, key: &K, next: Option<Duration>) {
        let mut inner = self.inner();
        inner.failures.remove(key);
        inner.finish(key, next.map(|d| Instant::now() + d));
        drop(inner);
        self.changed.notify_one();
    }

    /// A key's run failed; it is due again after a wait that grows, which is returned.
    pub fn failed(&self, key: &K) -> Duration {
        let mut inner = self.inner();
        let count = inner.failures.entry(key.clone()).or_insert(0);
        let wait = self.shortest.saturating_mul(1_u32.checked_shl(*count).unwrap_or(u32::MAX)).min(self.longest);
        *count = count.saturating_add(1).min(31);
        inner.finish(key, Some(Instant::now() + wait));
        drop(inner);
        self.changed.notify_one();
        wait
    }
}

impl<K: Clone + Ord + Hash> Inner<K> {
    fn add(&mut self, key: K, at: Instant) {
        if self.running.contains(&key) {
            let slot = self.again.entry(key).or_insert(at);
            *slot = at.min(*slot);
            return;
        }
        match self.at.get(&key) {
            Some(known) if *known <= at => return,
            Some(known) => drop(self.due.remove(&(*known, key.clone()))),
            None => {}
        }
        self.at.insert(key.clone(), at);
        self.due.insert((at, key));
    }

    fn finish(&mut self, key: &K, next: Option<Instant>) {
        self.running.remove(key);
        let asked = self.again.remove(key);
        if let Some(at) = [asked, next].into_iter().flatten().min() {
            self.add(key.clone(), at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[tokio::test]
    async fn keys_come_when_they_are_due() {
        let queue = Queue::new(10 * MS, 60 * MS);
        let start = Instant::now();
        queue.add("late", start + 100 * MS);
        queue.add("soon", start + 50 * MS);
        queue.add("late", start + 70 * MS);
        queue.add("late", start + 500 * MS);
        assert_eq!(queue.next().await, "soon");
        assert!(start.elapsed() >= 50 * MS);
        assert_eq!(queue.next().await, "late");
        assert!(start.elapsed() >= 70 * MS);
        // Asked for while it runs: once more, not beside itself.
        queue.now("soon");
        queue.now("soon");
        queue.done(&"soon", Some(Duration::from_secs(9)));
        assert_eq!(queue.next().await, "soon");
        queue.done(&"soon", None);
        assert!(tokio::time::timeout(30 * MS, queue.next()).await.is_err());
    }

    #[tokio::test]
    async fn failures_wait_longer_each_time() {
        let queue = Queue::new(10 * MS, 60 * MS);
        queue.now("a");
        let mut waits = Vec::new();
        for _ in 0..5 {
            let key = queue.next().await;
            waits.push(queue.failed(&key));
        }
        assert_eq!(waits, [10 * MS, 20 * MS, 40 * MS, 60 * MS, 60 * MS]);
        let key = queue.next().await;
        queue.done(&key, Some(MS));
        let key = queue.next().await;
        assert_eq!(queue.failed(&key), 10 * MS);
        queue.now("a");
        queue.forget(&"a");
        assert!(tokio::time::timeout(30 * MS, queue.next()).await.is_err());
    }
}
