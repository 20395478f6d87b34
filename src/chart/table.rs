//! A table of plain values: its entries one behind the other, in byte order of their keys.
//!
//! Values have many tables of few entries, and they are read far more often than changed.

use super::data::Data;
use crate::value::Str;

/// Keys with their values, in byte order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    entries: Vec<(Str, Data)>,
}

impl Table {
    pub const fn new() -> Self {
        Self { entries: Vec::new() }
    }

    /// A table of entries that come in byte order of their keys, no key twice.
    pub(super) fn in_order(entries: Vec<(Str, Data)>) -> Self {
        debug_assert!(entries.is_sorted_by(|a, b| a.0 < b.0), "keys in order");
        Self { entries }
    }

    pub const fn len(&self) -> usize {
        self.entries.len()
    }

    pub const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn find(&self, key: &[u8]) -> Result<usize, usize> {
        self.entries.binary_search_by(|(k, _)| k.as_bytes().cmp(key))
    }

    pub fn get(&self, key: impl AsRef<[u8]>) -> Option<&Data> {
        self.find(key.as_ref()).ok().and_then(|i| self.entries.get(i)).map(|(_, value)| value)
    }

    pub fn get_mut(&mut self, key: impl AsRef<[u8]>) -> Option<&mut Data> {
        let i = self.find(key.as_ref()).ok()?;
        self.entries.get_mut(i).map(|(_, value)| value)
    }

    /// Sets a key and returns what was there. Many keys are better collected: in the worst order each moves all the others.
    pub fn insert(&mut self, key: Str, value: Data) -> Option<Data> {
        match self.find(&key) {
            Ok(i) => Some(std::mem::replace(&mut self.entries[i].1, value)),
            Err(i) => {
                self.entries.insert(i, (key, value));
                None
            }
        }
    }

    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&Str, &Data)> + ExactSizeIterator {
        self.entries.iter().map(|(key, value)| (key, value))
    }

    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &Str> + ExactSizeIterator {
        self.entries.iter().map(|(key, _)| key)
    }

    /// Lays `over` on top: tables are merged, everything else is replaced, a null too.
    pub fn merge(&mut self, over: Self) {
        let mut new = Vec::new();
        for (key, value) in over.entries {
            match (self.get_mut(&key), value) {
                (Some(Data::Table(below)), Data::Table(above)) => below.merge(above),
                (Some(slot), value) => *slot = value,
                (None, value) => new.push((key, value)),
            }
        }
        if !new.is_empty() {
            self.entries.append(&mut new);
            self.entries.sort_by(|a, b| a.0.cmp(&b.0));
        }
    }
}

impl FromIterator<(Str, Data)> for Table {
    /// Of equal keys the last counts.
    fn from_iter<I: IntoIterator<Item = (Str, Data)>>(entries: I) -> Self {
        let mut entries: Vec<(Str, Data)> = entries.into_iter().collect();
        entries.sort_by(|a, b| a.0.cmp(&b.0));
        entries.dedup_by(|later, kept| {
            let same = later.0 == kept.0;
            if same {
                std::mem::swap(&mut later.1, &mut kept.1);
            }
            same
        });
        Self { entries }
    }
}

impl IntoIterator for Table {
    type Item = (Str, Data);
    type IntoIter = std::vec::IntoIter<(Str, Data)>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.into_iter()
    }
}

impl<'a> IntoIterator for &'a Table {
    type Item = (&'a Str, &'a Data);
    type IntoIter = std::iter::Map<std::slice::Iter<'a, (Str, Data)>, fn(&'a (Str, Data)) -> (&'a Str, &'a Data)>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.iter().map(|(key, value)| (key, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(entries: &[(&str, f64)]) -> Table {
        entries.iter().map(|(k, n)| (Str::from(*k), Data::Float(*n))).collect()
    }

    fn shown(table: &Table) -> String {
        let entry = |(k, v): (&Str, &Data)| match v {
            Data::Float(n) => format!("{k}={n}"),
            Data::Table(t) => format!("{k}=({})", shown(t)),
            other => format!("{k}={other:?}"),
        };
        table.iter().map(entry).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn entries_are_in_order_and_the_last_of_a_key_counts() {
        let mut t = table(&[("b", 1.0), ("a", 2.0), ("b", 3.0), ("c", 4.0), ("b", 5.0)]);
        assert_eq!(shown(&t), "a=2 b=5 c=4");
        assert_eq!(t.insert("bb".into(), Data::Float(6.0)), None);
        assert_eq!(t.insert("a".into(), Data::Float(7.0)), Some(Data::Float(2.0)));
        assert_eq!(shown(&t), "a=7 b=5 bb=6 c=4");
        assert_eq!((t.len(), t.get("bb"), t.get("d")), (4, Some(&Data::Float(6.0)), None));
        assert_eq!(shown(&t.into_iter().rev().collect()), "a=7 b=5 bb=6 c=4");
    }

    #[test]
    fn merging_goes_into_tables_only() {
        let nested = |entries: &[(&str, f64)]| Table::from_iter([("t".into(), Data::Table(table(entries)))]);
        let mut t = nested(&[("x", 1.0), ("z", 2.0)]);
        t.merge(table(&[("u", 3.0), ("a", 4.0)]));
        t.merge(nested(&[("y", 5.0), ("z", 6.0)]));
        assert_eq!(shown(&t), "a=4 t=(x=1 y=5 z=6) u=3");
        t.merge(Table::from_iter([("t".into(), Data::Nil), ("u".into(), Data::Table(table(&[("v", 7.0)])))]));
        assert_eq!(shown(&t), "a=4 t=Nil u=(v=7)");
    }
}
