//! Threads that begin on another core than the one that made them.
//!
//! Some kernels put a new thread behind its maker, on the same core, and look for a better place after some milliseconds only: so virtual
//! machines are packed. Our commands take no longer than that, and two threads would take as long as one. So the thread moves away as the
//! first thing that it does, and its maker lets it go first. Where a core was found at once nothing changes.

#[cfg(target_os = "linux")]
use rustix::thread::{CpuSet, sched_getaffinity, sched_getcpu, sched_setaffinity};

/// The work for a thread to be made now, on another core if this process has one.
pub fn apart<T>(work: impl FnOnce() -> T + Send) -> impl FnOnce() -> T + Send {
    let here = here();
    move || {
        move_from(here);
        work()
    }
}

/// Lets a thread that was just made move away.
pub fn let_go() {
    std::thread::yield_now();
}

#[cfg(target_os = "linux")]
fn here() -> usize {
    sched_getcpu()
}

#[cfg(target_os = "linux")]
fn move_from(core: usize) {
    let (Ok(all), true) = (sched_getaffinity(None), core < CpuSet::MAX_CPU) else { return };
    let mut others = all;
    others.unset(core);
    // It is only pushed: from then on the kernel may put it where it likes.
    if others.count() > 0 && sched_setaffinity(None, &others).is_ok() {
        let _ = sched_setaffinity(None, &all);
    }
}

#[cfg(not(target_os = "linux"))]
const fn here() -> usize {
    0
}

#[cfg(not(target_os = "linux"))]
const fn move_from(_core: usize) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_done_and_all_cores_stay_open() {
        let thread = std::thread::spawn(apart(|| {
            #[cfg(target_os = "linux")]
            return sched_getaffinity(None).unwrap().count();
            #[cfg(not(target_os = "linux"))]
            return 0;
        }));
        let_go();
        #[cfg(target_os = "linux")]
        assert_eq!(thread.join().unwrap(), sched_getaffinity(None).unwrap().count());
        #[cfg(not(target_os = "linux"))]
        thread.join().unwrap();
    }
}
