//! Charts that a test writes for itself.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Writes a chart of these files and gives its directory; it stays until the machine tidies up. `more` is put into Chart.yaml.
pub fn write(name: &str, more: &str, files: &[(&str, &str)]) -> PathBuf {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let n = COUNT.fetch_add(1, Ordering::Relaxed);
    let dir = std::env::temp_dir().join(format!("pintle-charts-{}/{n}/{name}", std::process::id()));
    let chart = format!("apiVersion: v2\nname: {name}\nversion: 0.1.0\n{more}");
    for (path, text) in std::iter::once(("Chart.yaml", chart.as_str())).chain(files.iter().copied()) {
        let path = dir.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    dir
}
