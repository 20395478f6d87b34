//! Where maps and lists live: one heap for a render, ids instead of pointers.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::text::head_of;
use super::{Str, Value, capacity};

/// Reference to a map of a [`Heap`].
///
/// In Go the same map can be seen as `map[string]interface {}` through one name and as `common.Values` through another (a
/// subchart's `.Values` and its parent's `.Values.sub`), so that view belongs to the reference. Equality is identity of the map.
#[derive(Clone, Copy, Debug)]
pub struct MapId(u32);

impl MapId {
    const VALUES: u32 = 1 << 31;

    /// The same map, seen as `common.Values`: it has methods, and is not a `map[string]interface {}` to a type assertion.
    #[must_use]
    pub const fn as_values(self) -> Self {
        Self(self.0 | Self::VALUES)
    }

    /// The same map, seen as the type it was made with.
    #[must_use]
    pub const fn plain(self) -> Self {
        Self(self.0 & !Self::VALUES)
    }

    /// True if this reference sees the map as `common.Values`.
    pub const fn is_values(self) -> bool {
        self.0 & Self::VALUES != 0
    }

    const fn index(self) -> usize {
        (self.0 & !Self::VALUES) as usize
    }

    /// What tells this map from every other of its heap.
    pub const fn number(self) -> u64 {
        self.index() as u64
    }
}

impl PartialEq for MapId {
    fn eq(&self, other: &Self) -> bool {
        self.index() == other.index()
    }
}
impl Eq for MapId {}
impl std::hash::Hash for MapId {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.index().hash(state);
    }
}

/// Reference to a list of a [`Heap`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ListId(u32);

impl ListId {
    /// What tells this list from every other of its heap.
    pub const fn number(self) -> u64 {
        self.0 as u64
    }
}

/// The Go type of a map whose keys are strings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum MapType {
    /// `map[string]interface {}`
    #[default]
    Any,
    /// `map[string]string`
    Strings,
}

impl MapType {
    pub const fn go_type(self) -> &'static str {
        match self {
            Self::Any => "map[string]interface {}",
            Self::Strings => "map[string]string",
        }
    }
}

/// The Go type of a slice's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Elem {
    /// `interface {}`
    #[default]
    Any,
    Str,
    Int,
    /// `[]interface {}` (what `chunk` returns a slice of)
    Slice,
    /// `map[string]interface {}` (TOML arrays of tables)
    Map,
    /// Any other, by its Go name: `*chart.Maintainer`.
    Named(&'static str),
}

impl Elem {
    pub const fn go_type(self) -> &'static str {
        match self {
            Self::Any => "interface {}",
            Self::Str => "string",
            Self::Int => "int",
            Self::Slice => "[]interface {}",
            Self::Map => "map[string]interface {}",
            Self::Named(n) => n,
        }
    }
}

/// A map with string keys, kept in byte order of the keys (the order in which Go templates range and print).
#[derive(Clone, Debug, Default)]
pub struct Map {
    pub ty: MapType,
    /// A nil map of its type (prints `map[]`, encodes as null).
    pub nil: bool,
    entries: Vec<(Str, Value)>,
}

/// Up to so many entries a map is searched from one end to the other.
const SMALL: usize = 8;

impl Map {
    /// A `map[string]interface {}` of these entries, in any order; the last of equal keys wins. One by one, entries in the worst
    /// order would take quadratic time.
    pub fn from_entries(mut entries: Vec<(Str, Value)>) -> Self {
        entries.sort_by(|a, b| a.0.as_bytes().cmp(b.0.as_bytes()));
        entries.dedup_by(|later, kept| {
            let same = later.0 == kept.0;
            if same {
                std::mem::swap(&mut later.1, &mut kept.1);
            }
            same
        });
        Self { entries, ..Self::default() }
    }

    /// A `map[string]interface {}` of entries that come in byte order of their keys, no key twice.
    pub fn in_order(entries: Vec<(Str, Value)>) -> Self {
        debug_assert!(entries.is_sorted_by(|a, b| a.0 < b.0), "keys in order");
        Self { entries, ..Self::default() }
    }

    pub(crate) fn into_entries(self) -> Vec<(Str, Value)> {
        self.entries
    }

    /// About how many steps of a template one more entry is worth: larger maps take longer.
    pub const fn insert_steps(&self) -> u64 {
        self.entries.len() as u64 >> 8
    }

    fn find(&self, key: &[u8]) -> Result<usize, usize> {
        // Keys mostly arrive in order: look at the end first.
        let head = head_of(key);
        let order = |k: &Str| k.head().cmp(&head).then_with(|| k.as_bytes().cmp(key));
        if let Some((last, _)) = self.entries.last()
            && order(last).is_lt()
        {
            return Err(self.entries.len());
        }
        self.entries.binary_search_by(|(k, _)| order(k))
    }

    pub fn get(&self, key: impl AsRef<[u8]>) -> Option<&Value> {
        let key = key.as_ref();
        // In a small map most keys differ in length already: cheaper than to order them.
        if self.entries.len() <= SMALL {
            return self.entries.iter().find(|(k, _)| k.as_bytes() == key).map(|(_, v)| v);
        }
        self.find(key).ok().map(|i| &self.entries[i].1)
    }

    pub fn get_mut(&mut self, key: impl AsRef<[u8]>) -> Option<&mut Value> {
        self.find(key.as_ref()).ok().map(|i| &mut self.entries[i].1)
    }

    pub fn contains(&self, key: impl AsRef<[u8]>) -> bool {
        self.find(key.as_ref()).is_ok()
    }

    /// Sets a key and returns what was there.
    pub fn insert(&mut self, key: impl Into<Str>, value: Value) -> Option<Value> {
        let key = key.into();
        match self.find(&key) {
            Ok(i) => Some(std::mem::replace(&mut self.entries[i].1, value)),
            Err(i) => {
                self.entries.insert(i, (key, value));
                None
            }
        }
    }

    pub fn remove(&mut self, key: impl AsRef<[u8]>) -> Option<Value> {
        self.find(key.as_ref()).ok().map(|i| self.entries.remove(i).1)
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The entries in byte order of their keys.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&Str, &Value)> + ExactSizeIterator {
        self.entries.iter().map(|(k, v)| (k, v))
    }

    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &Str> + ExactSizeIterator {
        self.entries.iter().map(|(k, _)| k)
    }

    /// The `i`-th entry in key order.
    pub fn entry_at(&self, i: usize) -> Option<(&Str, &Value)> {
        self.entries.get(i).map(|(k, v)| (k, v))
    }

    pub fn retain(&mut self, mut keep: impl FnMut(&Str, &Value) -> bool) {
        self.entries.retain(|(k, v)| keep(k, v));
    }
}

/// A slice. Its items are never resized in place by template functions that return new lists in Go.
#[derive(Clone, Debug, Default)]
pub struct List {
    pub elem: Elem,
    /// A nil slice of its type (encodes as null).
    pub nil: bool,
    pub items: Vec<Value>,
}

/// All maps and lists of one render.
#[derive(Debug, Default)]
pub struct Heap {
    maps: Vec<Map>,
    lists: Vec<List>,
    /// The capacities of lists that have more room than items.
    roomy: HashMap<ListId, usize, RandomState>,
    /// What lies behind the end of a list that is part of another.
    behind: HashMap<ListId, Vec<Value>, RandomState>,
    /// The list that a part was cut from, and where the part begins in it. Only for texts: nothing else is written in place.
    whole: HashMap<ListId, (ListId, usize), RandomState>,
    /// The other way around: what was cut from a list.
    parts: HashMap<ListId, Vec<ListId>, RandomState>,
}

impl Heap {
    pub fn new() -> Self {
        Self::default()
    }

    /// How many maps and lists were ever made: what a heap limit counts.
    pub fn len(&self) -> usize {
        self.maps.len() + self.lists.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many maps were ever made: their numbers are below that.
    pub const fn map_count(&self) -> usize {
        self.maps.len()
    }

    /// An empty `map[string]interface {}`.
    pub fn new_map(&mut self) -> MapId {
        self.add_map(Map::default())
    }

    pub fn add_map(&mut self, map: Map) -> MapId {
        // Ids are u32 by design: limits stop a render long before two billion containers.
        let id = MapId(u32::try_from(self.maps.len()).unwrap_or(u32::MAX) & !MapId::VALUES);
        self.maps.push(map);
        id
    }

    /// A `map[string]interface {}` of these entries; a later duplicate key wins.
    pub fn map_of<K: Into<Str>>(&mut self, entries: impl IntoIterator<Item = (K, Value)>) -> MapId {
        let mut m = Map::default();
        for (k, v) in entries {
            m.insert(k, v);
        }
        self.add_map(m)
    }

    pub fn add_list(&mut self, list: List) -> ListId {
        let id = ListId(u32::try_from(self.lists.len()).unwrap_or(u32::MAX));
        self.lists.push(list);
        id
    }

    /// A list that Go would have made by appending its items one at a time, so with the room that `append` leaves.
    pub fn add_grown_list(&mut self, list: List) -> ListId {
        let cap = capacity::appended(list.elem, 0, list.items.len());
        let id = self.add_list(list);
        self.set_capacity(id, cap);
        id
    }

    /// A `[]interface {}` like that: what a reader of JSON or YAML makes.
    pub fn grown_list_of(&mut self, items: Vec<Value>) -> ListId {
        self.add_grown_list(List { elem: Elem::Any, nil: false, items })
    }

    /// How many items the list has room for in Go; its length, if nobody said otherwise.
    pub fn capacity(&self, id: ListId) -> usize {
        let len = self.list(id).items.len();
        self.roomy.get(&id).map_or(len, |cap| *cap.max(&len))
    }

    /// Says how many items the list has room for in Go.
    pub fn set_capacity(&mut self, id: ListId, cap: usize) {
        if cap > self.list(id).items.len() {
            self.roomy.insert(id, cap);
        }
    }

    /// Says that Go had to make room for the list's items when it had room for `cap`.
    pub fn set_grown_from(&mut self, id: ListId, cap: usize) {
        let list = self.list(id);
        let cap = capacity::grow(list.elem, cap, list.items.len());
        self.set_capacity(id, cap);
    }

    /// Says that the list's items were appended one at a time to an empty slice with room for `cap`.
    pub fn set_appended_from(&mut self, id: ListId, cap: usize) {
        let list = self.list(id);
        let cap = capacity::appended(list.elem, cap, list.items.len());
        self.set_capacity(id, cap);
    }

    /// Go's `list[start:end]`, whose end may lie in the room behind the items. The part can look behind its own end as well.
    /// `None`: the bounds are wrong.
    pub fn slice(&mut self, id: ListId, start: usize, end: usize) -> Option<ListId> {
        let cap = self.capacity(id);
        if start > end || end > cap {
            return None;
        }
        let list = self.list(id);
        let (elem, len) = (list.elem, list.items.len());
        let zero = match elem {
            Elem::Str => Value::str(""),
            Elem::Int => Value::Int(0),
            Elem::Any | Elem::Slice | Elem::Map | Elem::Named(_) => Value::Nil,
        };
        let empty = Vec::new();
        let behind = self.behind.get(&id).unwrap_or(&empty);
        // What is known of the whole backing array from `start` on; the rest is zero.
        let mut items: Vec<Value> = list.items.iter().chain(behind).skip(start).cloned().collect();
        if end > start + items.len() {
            items.resize(end - start, zero);
        }
        let rest = items.split_off(end - start);
        let part = self.add_list(List { elem, nil: false, items });
        self.set_capacity(part, cap - start);
        if end < len || !rest.is_empty() {
            self.behind.insert(part, rest);
        }
        if elem == Elem::Str {
            let (whole, from) = self.whole.get(&id).map_or((id, 0), |(whole, from)| (*whole, *from));
            self.whole.insert(part, (whole, from + start));
            self.parts.entry(whole).or_default().push(part);
        }
        Some(part)
    }

    /// Sorts a list of texts where it lies, as Go's `sort.Strings`: who holds it, or another part of the same array, sees that.
    pub fn sort_texts(&mut self, id: ListId) {
        // Equal texts cannot be told apart, so it does not matter that Go's sort is not stable.
        self.list_mut(id).items.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
        let (whole, from) = self.whole.get(&id).map_or((id, 0), |(whole, from)| (*whole, *from));
        let Some(parts) = self.parts.get(&whole) else { return };
        let others: Vec<ListId> = parts.iter().copied().chain([whole]).filter(|other| *other != id).collect();
        let sorted = self.list(id).items.clone();
        for other in others {
            let begin = self.whole.get(&other).map_or(0, |(_, begin)| *begin);
            for (i, item) in sorted.iter().enumerate() {
                if let Some(at) = (from + i).checked_sub(begin) {
                    self.write(other, at, item);
                }
            }
        }
    }

    /// How many other lists [`Self::sort_texts`] would write to.
    pub fn sharing(&self, id: ListId) -> usize {
        let whole = self.whole.get(&id).map_or(id, |(whole, _)| *whole);
        self.parts.get(&whole).map_or(0, Vec::len)
    }

    /// Puts a text into a list or into the room behind its end.
    fn write(&mut self, id: ListId, at: usize, item: &Value) {
        let len = self.list(id).items.len();
        if let Some(place) = self.list_mut(id).items.get_mut(at) {
            *place = item.clone();
            return;
        }
        let behind = self.behind.entry(id).or_default();
        if behind.len() <= at - len {
            behind.resize(at - len + 1, Value::str(""));
        }
        behind[at - len] = item.clone();
    }

    /// A `[]interface {}` of these items.
    pub fn list_of(&mut self, items: Vec<Value>) -> ListId {
        self.add_list(List { elem: Elem::Any, nil: false, items })
    }

    /// A `[]string` of these items.
    pub fn strings<S: Into<Str>>(&mut self, items: impl IntoIterator<Item = S>) -> ListId {
        let items = items.into_iter().map(|s| Value::Str(s.into())).collect();
        self.add_list(List { elem: Elem::Str, nil: false, items })
    }

    pub fn map(&self, id: MapId) -> &Map {
        &self.maps[id.index()]
    }

    pub fn map_mut(&mut self, id: MapId) -> &mut Map {
        &mut self.maps[id.index()]
    }

    pub fn list(&self, id: ListId) -> &List {
        &self.lists[id.0 as usize]
    }

    pub fn list_mut(&mut self, id: ListId) -> &mut List {
        &mut self.lists[id.0 as usize]
    }
}
