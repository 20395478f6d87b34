//! Watches the memory of the container: near its limit the controller ends in good order, before the kernel ends it in the middle of a write.
//!
//! Source: helm-controller 1.6 `internal/oomwatch` (gate `OOMWatch`). The files are those of cgroups, version 2 or 1.

use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where the limit and the present use are told, version 2 first.
const FILES: [(&str, &str); 2] = [
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
];

/// What is watched.
#[derive(Clone, Debug, PartialEq)]
pub struct Watch {
    limit: u64,
    current: PathBuf,
    /// Percent of the limit.
    threshold: u8,
    interval: Duration,
}

impl Watch {
    /// Empty paths are those of the system. `None`: there is no limit that could be reached.
    ///
    /// # Errors
    /// A threshold outside of 1 to 100, an interval under 50 ms, files that cannot be read.
    pub fn new(max: &str, current: &str, threshold: u8, interval: Duration) -> Result<Option<Self>, String> {
        if !(1..=100).contains(&threshold) {
            return Err(format!("memory usage percent threshold must be between 1 and 100, got {threshold}"));
        }
        if interval < Duration::from_millis(50) {
            return Err(format!("--oom-watch-interval must be at least 50ms, got {interval:?}"));
        }
        let (known_max, known_current) = FILES.into_iter().find(|(max, _)| Path::new(max).exists()).unwrap_or(FILES[0]);
        let max = if max.is_empty() { known_max } else { max };
        let current = PathBuf::from(if current.is_empty() { known_current } else { current });
        if let Err(e) = std::fs::metadata(&current) {
            return Err(format!("failed to stat {:?}: {e}", current.display().to_string()));
        }
        let text = std::fs::read_to_string(max).map_err(|e| format!("{max}: {e}"))?;
        // `max` of version 2; version 1 has a number that no machine has.
        if text.trim() == "max" {
            return Ok(None);
        }
        let limit = text.trim().parse().map_err(|e| format!("{max}: {e}"))?;
        Ok((limit < 1 << 60).then_some(Self { limit, current, threshold, interval }))
    }

    /// Ends when the use has reached the threshold.
    pub async fn reached(&self) {
        loop {
            tokio::time::sleep(self.interval).await;
            let read = tokio::fs::read_to_string(&self.current).await.map_err(|e| e.to_string());
            match read.and_then(|text| text.trim().parse::<u64>().map_err(|e| e.to_string())) {
                Err(e) => tracing::error!("the memory in use cannot be read: {e}"),
                Ok(used) if self.is_near(used) => {
                    tracing::warn!(used, limit = self.limit, "the memory in use is near its limit: shutting down");
                    return;
                }
                Ok(_) => {}
            }
        }
    }

    fn is_near(&self, used: u64) -> bool {
        u128::from(used) * 100 >= u128::from(self.limit) * u128::from(self.threshold)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn near_the_limit_it_ends() {
        let dir = std::env::temp_dir().join(format!("pintle-memory-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let file = |name: &str, text: &str| {
            let path = dir.join(name);
            std::fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let (max, current) = (file("max", "1000\n"), file("current", "949\n"));
        let often = Duration::from_millis(50);
        let watch = Watch::new(&max, &current, 95, often).unwrap().unwrap();
        let mut reached = std::pin::pin!(watch.reached());
        assert!(tokio::time::timeout(Duration::from_millis(300), &mut reached).await.is_err());
        file("current", "no number");
        assert!(tokio::time::timeout(Duration::from_millis(200), &mut reached).await.is_err(), "that ends nothing");
        file("current", "950\n");
        tokio::time::timeout(Duration::from_secs(60), reached).await.unwrap();
        assert_eq!(Watch::new(&file("max", "max\n"), &current, 95, often), Ok(None), "there is no limit");
        for (max, current, threshold, interval) in [
            (max.as_str(), current.as_str(), 0, often),
            (&max, &current, 101, often),
            (&max, &current, 95, Duration::from_millis(49)),
            (&max, "/nowhere", 95, often),
            ("/nowhere", &current, 95, often),
        ] {
            assert!(Watch::new(max, current, threshold, interval).is_err());
        }
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
