//! Independent pieces of a large chart's work, done on all cores; results come in the order of the pieces, as if done one by one.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::gotmpl::spawn_large;

/// Below so many bytes of text a second thread costs more than it brings.
const FROM: usize = 128 << 10;

/// Applies `f` to every item. `bytes` is how much text there is in all.
pub fn map<T: Sync, R: Send>(items: &[T], bytes: usize, f: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let threads = if bytes < FROM { 1 } else { crate::gotmpl::cores().min(8) };
    if threads == 1 {
        return items.iter().map(f).collect();
    }
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let i = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(i) else { return done };
            done.push((i, f(item)));
        }
    };
    let mut done: Vec<(usize, R)> = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).filter_map(|_| spawn_large(scope, work).ok()).collect();
        let mut done = work();
        for thread in others {
            done.extend(thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        done
    });
    done.sort_unstable_by_key(|(i, _)| *i);
    done.into_iter().map(|(_, r)| r).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn results_keep_their_order() {
        let items: Vec<usize> = (0..1000).collect();
        let want: Vec<usize> = items.iter().map(|n| n * 2).collect();
        for bytes in [0, 1 << 30] {
            assert_eq!(super::map(&items, bytes, |n| n * 2), want);
        }
    }
}
