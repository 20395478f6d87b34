//! Tests of chart authors: what a chart renders beside what is stored of it, and suites of helm-unittest.
//!
//! Both stand in a chart's `tests/` folder and run on nothing but the chart. **Golden snapshots** (`golden`): each values file `tests/NAME.yaml` is rendered
//! as a release, and the text must be what `tests/__snapshots__/NAME.yaml` holds; `--update` writes it. **Suites** (`unittest`): files
//! `tests/*_test.yaml` in the format of helm-unittest, run as it runs them.
//!
//! A render here sees a pinned world ([`host`]): a fixed clock, bytes in the place of chance that are the same in every run, no names of
//! hosts, no cluster. So keys, certificates and passwords that a chart makes up are the same each time, and a snapshot changes when the chart does.

mod golden;
mod lines;
mod unittest;

use std::path::Path;
use std::sync::Arc;

use super::scan::Scan;
use crate::chart::Chart;
use crate::golang::errno;
use crate::gotmpl::{FixedHost, State};
use crate::repo::Settings;
use crate::repo::files::Checkout;
use crate::report::Finding;

/// The folder of a chart's tests.
const TESTS: &str = "tests";

/// The clock of these renders: 2024-01-01T00:00:00Z, in nanoseconds.
const NOW: i128 = 1_704_067_200_000_000_000;
/// Where the bytes begin that stand for chance.
const SEED: u64 = 20_240_101;

/// What was done to snapshots with `--update`.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Updates {
    /// Files written because they were missing or held something else.
    pub written: usize,
    /// Files removed because nothing belongs to them any more.
    pub removed: usize,
}

/// A chart whose tests are run.
struct Subject<'s> {
    checkout: &'s Checkout,
    settings: &'s Settings,
    /// The chart's folder in the checkout, empty for its root.
    dir: &'s str,
    chart: &'s Chart,
    update: bool,
}

/// Runs the tests of all charts of a checkout.
///
/// # Errors
/// A snapshot can't be written.
pub fn check(
    scan: &Scan,
    checkout: &Checkout,
    settings: &Settings,
    update: bool,
    out: &mut Vec<Finding>,
) -> Result<Updates, String> {
    let mut updates = Updates::default();
    for dir in &scan.charts {
        let names = checkout.list(&join(dir, TESTS)).unwrap_or_default();
        // Subcharts may have tests of their own.
        if names.is_empty() && checkout.list(&join(dir, "charts")).unwrap_or_default().is_empty() {
            continue;
        }
        // A chart that can't be loaded is found elsewhere.
        let Ok(chart) = checkout.chart(dir, &mut Vec::new()) else { continue };
        let subject = Subject { checkout, settings, dir, chart: &chart, update };
        let used = unittest::check(&subject, out, &mut updates)?;
        golden::check(&subject, &names, &used, out, &mut updates)?;
    }
    Ok(updates)
}

/// The pinned world that a render sees.
pub fn host() -> Arc<FixedHost> {
    Arc::new(FixedHost::new(NOW, SEED))
}

impl Subject<'_> {
    /// The state of a new render.
    fn state(&self) -> State {
        State::new(host(), self.settings.limits)
    }

    /// A path in the chart as a path in the checkout.
    fn path(&self, name: &str) -> String {
        join(self.dir, name)
    }

    /// Writes a file of the chart with its folders.
    fn write(&self, path: &str, text: &[u8]) -> Result<(), String> {
        let full = self.checkout.root().join(path);
        let fail = |e: &std::io::Error| format!("{}: {}", full.display(), errno::text(e));
        std::fs::create_dir_all(full.parent().unwrap_or(Path::new("."))).map_err(|e| fail(&e))?;
        std::fs::write(&full, text).map_err(|e| fail(&e))
    }

    /// Reads a file that a suite names, seen from a folder of the checkout. It may lie outside, as long as it is in the same Git repository.
    fn read_near(&self, folder: &str, name: &str) -> Result<Vec<u8>, String> {
        let path = super::scan::join(folder, name);
        let outside = path == ".." || path.starts_with("../") || Path::new(name).is_absolute();
        if !outside {
            return self.checkout.read(&path);
        }
        let fail = |e: std::io::Error| format!("{name}: {}", errno::text(&e));
        let root = self.checkout.root().canonicalize().map_err(fail)?;
        let full = root.join(folder).join(name).canonicalize().map_err(fail)?;
        let repository = root.ancestors().find(|d| d.join(".git").exists()).unwrap_or(&root);
        if !full.starts_with(repository) {
            return Err(format!("{name} lies outside the repository: it is not read"));
        }
        std::fs::read(&full).map_err(fail)
    }

    fn remove(&self, path: &str) -> Result<(), String> {
        let full = self.checkout.root().join(path);
        std::fs::remove_file(&full).map_err(|e| format!("{}: {}", full.display(), errno::text(&e)))
    }
}

fn join(dir: &str, name: &str) -> String {
    if dir.is_empty() { name.to_owned() } else { format!("{dir}/{name}") }
}
