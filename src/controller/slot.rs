//! The right to work on a release: held while there is work, given back while objects are only waited for; counted in the metrics meanwhile.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OwnedSemaphorePermit;

use super::metrics::{Held, Metrics};

/// See the module. Clones are the same right.
#[derive(Clone)]
pub struct Slot(Arc<Mutex<State>>);

enum State {
    Working { _permit: OwnedSemaphorePermit, _active: Held, metrics: Box<Metrics> },
    Waiting { _waits: Held },
    Ended,
}

impl Slot {
    pub fn new(permit: OwnedSemaphorePermit, metrics: &Metrics, controller: &'static str) -> Self {
        let state =
            State::Working { _permit: permit, _active: metrics.active(controller), metrics: Box::new(metrics.clone()) };
        Self(Arc::new(Mutex::new(state)))
    }

    /// What follows is waiting.
    pub fn wait(&self) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let State::Working { metrics, .. } = &*state {
            let waits = metrics.waits();
            *state = State::Waiting { _waits: waits };
        }
    }

    /// All is done.
    pub fn release(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = State::Ended;
    }
}
