//! What a reconciliation has read: the version of each object that is watched by name, and which artifact its chart is of. A watch tells of a change after it can be read, so
//! that the news of what a reconciliation already works with would end its wait, and leave a failed revision for nothing.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::cluster::Json;

use super::index::{Key, version};

/// Shared by a reconciliation and by who wakes it.
#[derive(Clone, Debug, Default)]
pub struct Reads(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    /// By key, the `resourceVersion`; 0: it was not there.
    objects: HashMap<Key, u64>,
    /// The digest of the chart's artifact; empty: it had none.
    artifact: Option<String>,
}

impl Reads {
    /// An object was read, or found missing.
    pub fn note(&self, key: Key, found: Option<&Json>) {
        self.known().objects.insert(key, found.map(version).unwrap_or_default());
    }

    /// The chart's source has this artifact.
    pub fn note_artifact(&self, digest: &str) {
        self.known().artifact = Some(digest.to_owned());
    }

    /// The `resourceVersion` of what was read; 0: it was not there.
    pub fn version(&self, key: &Key) -> Option<u64> {
        self.known().objects.get(key).copied()
    }

    /// Another reconciliation begins.
    pub fn forget(&self) {
        *self.known() = Known::default();
    }

    /// Whether the news that an object has a version, or went with one, are news to who read it.
    pub fn outdated(&self, key: &Key, version: u64, gone: bool) -> bool {
        self.known().objects.get(key).is_some_and(|read| version > *read && !(gone && *read == 0))
    }

    /// Whether the chart was looked for in another artifact.
    pub fn outdated_artifact(&self, digest: &str) -> bool {
        self.known().artifact.as_ref().is_some_and(|read| read != digest)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_was_read_in_another_state_is_outdated() {
        let key = Key::new("ConfigMap", "a", "b");
        // What was read (0: nothing was there), what the watch tells, whether it went, whether that is news.
        for (read, told, gone, wanted) in [
            (Some(7), 8, false, true),
            (Some(7), 7, false, false),
            (Some(7), 6, false, false),
            (Some(7), 8, true, true),
            (Some(7), 6, true, false),
            (Some(0), 8, false, true),
            (Some(0), 8, true, false),
            (None, 8, false, false),
        ] {
            let reads = Reads::default();
            if let Some(read) = read {
                let object = json!({"metadata": {"resourceVersion": read.to_string()}});
                reads.note(key.clone(), (read != 0).then_some(&object));
            }
            assert_eq!(reads.outdated(&key, told, gone), wanted, "{read:?} {told} {gone}");
            reads.forget();
            assert!(!reads.outdated(&key, told, gone));
        }
    }
}
