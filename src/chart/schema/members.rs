//! Named things in the order of their names, in one piece of memory.

use std::sync::Arc;

/// A map that is made once: sorted names, each with a value. The names are shared with whoever takes them from here.
#[derive(Clone, Debug)]
pub(super) struct Members<V>(Box<[(Arc<str>, V)]>);

impl<V> Members<V> {
    pub fn get(&self, name: &str) -> Option<&V> {
        let at = self.0.binary_search_by(|(n, _)| (**n).cmp(name)).ok()?;
        Some(&self.0[at].1)
    }

    pub fn contains_key(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &V)> {
        self.0.iter().map(|(n, v)| (n, v))
    }

    pub fn keys(&self) -> impl Iterator<Item = &Arc<str>> {
        self.0.iter().map(|(n, _)| n)
    }

    pub const fn len(&self) -> usize {
        self.0.len()
    }

    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The same names with other values.
    pub fn map<W>(&self, mut f: impl FnMut(&str, &V) -> W) -> Members<W> {
        Members(self.0.iter().map(|(n, v)| (n.clone(), f(n, v))).collect())
    }
}

impl<V> Default for Members<V> {
    fn default() -> Self {
        Self(Box::default())
    }
}

impl<V> From<Vec<(Arc<str>, V)>> for Members<V> {
    fn from(mut all: Vec<(Arc<str>, V)>) -> Self {
        all.sort_by(|(a, _), (b, _)| a.cmp(b));
        // Of the same name the last counts.
        all.dedup_by(|later, earlier| {
            let same = later.0 == earlier.0;
            if same {
                std::mem::swap(later, earlier);
            }
            same
        });
        Self(all.into())
    }
}

impl<V> FromIterator<(Arc<str>, V)> for Members<V> {
    fn from_iter<I: IntoIterator<Item = (Arc<str>, V)>>(all: I) -> Self {
        all.into_iter().collect::<Vec<_>>().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_the_same_name_the_last_counts() {
        let all = [("b", 1), ("a", 2), ("b", 3), ("c", 4), ("b", 5)];
        let members: Members<i32> = all.map(|(n, v)| (n.into(), v)).into_iter().collect();
        let seen: Vec<(&str, i32)> = members.iter().map(|(n, v)| (&**n, *v)).collect();
        assert_eq!(seen, [("a", 2), ("b", 5), ("c", 4)]);
        assert_eq!((members.get("b"), members.get("d")), (Some(&5), None));
    }
}
