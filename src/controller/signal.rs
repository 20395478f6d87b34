//! What a release's task shares with who wakes it: the news that came, and whether they end what is under way.
//!
//! A reconciliation that waits is given up for a newer state of what it works with, and only for that: what it gives up leaves a revision
//! behind. So it begins in one step ([`Signal::begin`]), beside which nothing is told: who has news either told them before the state was read,
//! or finds out afterwards whether they are known.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, watch};

use crate::api::annotation;
use crate::cluster::Json;

use super::options::Gates;
use super::reads::Reads;

/// See the module.
#[derive(Debug, Default)]
pub struct Signal {
    pub notify: Notify,
    /// It waits for something else to become ready.
    pub waiting: AtomicBool,
    /// What the reconciliation under way has read.
    pub reads: Reads,
    superseded: watch::Sender<bool>,
    gone: AtomicBool,
    /// What the reconciliation under way is to come to.
    wished: Mutex<Seen>,
}

impl Signal {
    /// A reconciliation begins, with the object that `read` finds; without one there is nothing to do.
    pub fn begin<T>(&self, read: impl FnOnce() -> Option<(T, Seen)>) -> Option<T> {
        let mut wished = self.wished();
        if self.is_gone() {
            return None;
        }
        self.superseded.send_replace(false);
        self.reads.forget();
        let (object, seen) = read()?;
        *wished = seen;
        Some(object)
    }

    /// There is news; what is under way is given up if it does not know them.
    pub fn tell(&self, knows: impl FnOnce(&Seen, &Reads) -> bool) {
        let wished = self.wished();
        if !knows(&wished, &self.reads) {
            self.superseded.send_replace(true);
        }
        drop(wished);
        self.notify.notify_one();
    }

    /// Nothing more is to be done here: what waits gives up.
    pub fn leave(&self) {
        self.gone.store(true, Ordering::Release);
        self.tell(|_, _| false);
    }

    /// The object is no more. What is under way sees that for itself.
    pub fn forget(&self) {
        self.gone.store(true, Ordering::Release);
        self.notify.notify_one();
    }

    pub fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Acquire)
    }

    /// True as soon as what is under way is to be given up.
    pub fn superseded(&self) -> watch::Receiver<bool> {
        self.superseded.subscribe()
    }

    fn wished(&self) -> MutexGuard<'_, Seen> {
        self.wished.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What of a HelmRelease is news when it changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    uid: String,
    generation: i64,
    requested: String,
    deleting: bool,
}

impl Seen {
    pub fn of(object: &Json) -> Self {
        let text = |at: &str| object.pointer(at).and_then(Json::as_str).unwrap_or_default().to_owned();
        Self {
            uid: text("/metadata/uid"),
            generation: object.pointer("/metadata/generation").and_then(Json::as_i64).unwrap_or_default(),
            requested: text(&format!("/metadata/annotations/{}", escape(annotation::REQUESTED_AT))),
            deleting: object.pointer("/metadata/deletionTimestamp").is_some(),
        }
    }

    /// What a reconciliation of the object is to come to: with another of it, something else is to be released. A wish to look again is not
    /// of it, unless it asks for an action of its own, or whoever runs this set Flux's gate, where it ends a wait too: it has its turn afterwards.
    pub fn wished(object: &Json, gates: Gates) -> Self {
        let mut seen = Self::of(object);
        let asks = |key: &str| {
            let token = object.pointer(&format!("/metadata/annotations/{}", escape(key))).and_then(Json::as_str);
            token.is_some_and(|token| token == seen.requested)
        };
        if !gates.cancel_health_check_on_new_revision && !asks(annotation::FORCE_AT) && !asks(annotation::RESET_AT) {
            seen.requested.clear();
        }
        seen
    }
}

fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicI64;

    use super::*;

    #[test]
    fn news_that_were_there_before_it_began_end_nothing() {
        let signal = Signal::default();
        let superseded = signal.superseded();
        let (newest, known) = (AtomicI64::new(0), AtomicI64::new(0));
        let of = |generation| Seen { generation, ..Seen::default() };
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for generation in 1..=20_000 {
                    newest.store(generation, Ordering::SeqCst);
                    signal.tell(|wished, _| *wished == of(generation));
                    while known.load(Ordering::SeqCst) < generation {
                        std::thread::yield_now();
                    }
                }
            });
            while known.load(Ordering::SeqCst) < 20_000 {
                let read = || Some(newest.load(Ordering::SeqCst)).map(|g| (g, of(g)));
                let begun = signal.begin(read).unwrap();
                let in_vain = *superseded.borrow() && newest.load(Ordering::SeqCst) == begun;
                // The other one is not to wait for an answer that does not come.
                known.store(if in_vain { i64::MAX } else { begun }, Ordering::SeqCst);
                assert!(!in_vain, "given up for what it began with: {begun}");
            }
        });
    }

    #[test]
    fn newer_ones_end_it_and_nothing_begins_after_the_end() {
        let signal = Signal::default();
        let superseded = signal.superseded();
        let of = |generation| Seen { generation, ..Seen::default() };
        let begin = |generation| signal.begin(|| Some(((), of(generation))));
        assert_eq!(begin(1), Some(()));
        signal.tell(|wished, _| *wished == of(1));
        assert!(!*superseded.borrow());
        signal.tell(|wished, _| *wished == of(2));
        assert!(*superseded.borrow());
        assert_eq!(begin(2), Some(()));
        assert!(!*superseded.borrow());
        signal.leave();
        assert!(*superseded.borrow());
        assert_eq!(begin(2), None);
        assert!(*superseded.borrow());
    }
}
