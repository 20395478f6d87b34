//! What a build looked at: the index by which a change of files is known to matter or not.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

/// How a path was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Touch {
    /// Its content, or what it is.
    Itself,
    /// That it is not there.
    Missing,
    /// The names below it.
    Names,
    /// All that lies below it.
    Everything,
}

/// Paths that were looked at.
#[derive(Debug, Default)]
pub struct Touched(Mutex<BTreeMap<String, BTreeSet<Touch>>>);

impl Touched {
    pub(in crate::repo) fn add(&self, path: &str, how: Touch) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry(path.to_owned()).or_default().insert(how);
    }

    /// Whether what was seen could be another once these files have changed.
    pub fn concerned(&self, changed: &BTreeSet<String>) -> bool {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        changed.iter().any(|path| {
            if all.contains_key(path) {
                return true;
            }
            let above = path.match_indices('/').filter_map(|(i, _)| path.get(..i));
            std::iter::once("")
                .chain(above)
                .any(|dir| all.get(dir).is_some_and(|how| how.iter().any(|h| *h != Touch::Itself)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_matter_where_somebody_looked() {
        let touched = Touched::default();
        touched.add("k8s", Touch::Itself);
        touched.add("k8s/dev/a.yaml", Touch::Itself);
        touched.add("k8s/dev/all", Touch::Names);
        touched.add("charts/web", Touch::Everything);
        touched.add("values/none", Touch::Missing);
        for (path, want) in [
            ("k8s/dev/a.yaml", true),
            ("k8s/dev/b.yaml", false),
            ("k8s/dev/all/new/x.yaml", true),
            ("charts/web/templates/x.yaml", true),
            ("charts/web2/x", false),
            ("values/none/x", true),
            ("k8s/prod/a.yaml", false),
        ] {
            assert_eq!(touched.concerned(&[path.to_owned()].into()), want, "{path}");
        }
    }
}
