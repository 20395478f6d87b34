//! Many releases of an environment, rendered on all cores; the results come in the order of the releases.

use std::sync::{Mutex, PoisonError};

use crate::gotmpl::spawn_large;

use super::files::Checkout;
use super::helm_release::HelmRelease;
use super::objects::Environment;
use super::problem::Problem;
use super::render::{Rendered, Settings};

/// More threads than this only wait for memory.
const MOST: usize = 16;

impl Environment {
    /// Renders releases side by side.
    pub fn render_all(
        &self,
        checkout: &Checkout,
        releases: &[&HelmRelease],
        settings: &Settings,
    ) -> Vec<Result<Rendered, Problem>> {
        let cores = crate::gotmpl::cores().min(MOST).min(releases.len());
        let queue = Mutex::new(releases.iter().enumerate());
        let work = || {
            let mut done = Vec::new();
            loop {
                let next = queue.lock().unwrap_or_else(PoisonError::into_inner).next();
                let Some((i, hr)) = next else { return done };
                done.push((i, self.render(checkout, hr, settings)));
            }
        };
        let mut done = std::thread::scope(|scope| {
            let others: Vec<_> = (1..cores).filter_map(|_| spawn_large(scope, work).ok()).collect();
            let mut done = work();
            for thread in others {
                done.extend(thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
            }
            done
        });
        done.sort_unstable_by_key(|(i, _)| *i);
        done.into_iter().map(|(_, result)| result).collect()
    }
}
