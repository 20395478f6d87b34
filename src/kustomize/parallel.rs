//! Independent pieces of a build on all cores. Results come in the order of the pieces, as if done one by one.
//!
//! Builds nest: an overlay's bases are built side by side, and each may have bases again. The extra threads of a process are
//! counted, so that nesting does not multiply them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use crate::gotmpl::{apart, let_go};

fn spare() -> &'static AtomicUsize {
    static SPARE: OnceLock<AtomicUsize> = OnceLock::new();
    SPARE.get_or_init(|| AtomicUsize::new(crate::gotmpl::cores().clamp(1, 16) - 1))
}

/// Threads that are taken, given back when dropped.
struct Extra(usize);

impl Extra {
    fn take(most: usize) -> Self {
        let mut got = 0;
        let taken = spare().fetch_update(Ordering::Relaxed, Ordering::Relaxed, |free| {
            got = free.min(most);
            Some(free - got)
        });
        Self(taken.map_or(0, |_| got))
    }
}

impl Drop for Extra {
    fn drop(&mut self) {
        spare().fetch_add(self.0, Ordering::Relaxed);
    }
}

/// Deep nesting in objects needs room.
const STACK: usize = 16 << 20;

/// Applies `f` to every piece. Fewer than `least` are done on this thread.
pub fn map<T: Send, R: Send>(items: Vec<T>, least: usize, f: impl Fn(T) -> R + Sync) -> Vec<R> {
    let extra = if items.len() < least.max(2) { Extra(0) } else { Extra::take(items.len() - 1) };
    if extra.0 == 0 {
        return items.into_iter().map(f).collect();
    }
    let total = items.len();
    let queue = Mutex::new(items.into_iter().enumerate());
    let work = || {
        let mut done = Vec::new();
        loop {
            let next = queue.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some((i, item)) = next else { return done };
            done.push((i, f(item)));
        }
    };
    let mut done: Vec<(usize, R)> = std::thread::scope(|scope| {
        let spawn = || std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, apart(work));
        let others: Vec<_> = (0..extra.0).filter_map(|_| spawn().ok()).collect();
        let_go();
        let mut done = work();
        for thread in others {
            done.extend(thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        done
    });
    debug_assert_eq!(done.len(), total);
    done.sort_unstable_by_key(|(i, _)| *i);
    done.into_iter().map(|(_, r)| r).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn results_keep_their_order() {
        let want: Vec<usize> = (0..1000).map(|n| n * 2).collect();
        assert_eq!(super::map((0..1000).collect(), 2, |n: usize| n * 2), want);
        let nested = super::map(vec![1, 2, 3], 2, |n: usize| super::map(vec![n, n + 1], 2, |m| m));
        assert_eq!(nested, [[1, 2], [2, 3], [3, 4]]);
    }
}
