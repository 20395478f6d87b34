//! Plain values that belong to no render: what a chart's files say.
//!
//! A loaded chart is shared by many renders, and each render has its own [`Heap`]. So a chart keeps its values as this tree, and
//! putting the tree on a heap is the deep copy that Helm makes before it coalesces.

use std::collections::BTreeMap;

pub use super::table::Table;
use crate::value::{Heap, Map, MapId, MapType, Str, Value};

/// One plain value. Read from YAML through JSON all numbers are [`Data::Float`]; read for a struct (Chart.yaml) integers are kept.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Data {
    #[default]
    Nil,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Float(f64),
    Str(Str),
    List(Vec<Self>),
    Table(Table),
    /// `map[string]string`, as Helm writes processed `import-values`.
    Strings(BTreeMap<String, String>),
}

impl Data {
    /// The same value on a heap; every table and list is new.
    pub fn to_value(&self, heap: &mut Heap) -> Value {
        match self {
            Self::Nil => Value::Nil,
            Self::Bool(b) => Value::Bool(*b),
            Self::Int(n) => Value::Int(*n),
            Self::Uint(n) => Value::OtherInt(crate::value::Kind::Uint64, (*n).into()),
            Self::Float(f) => Value::Float(*f),
            Self::Str(s) => Value::Str(s.clone()),
            Self::List(items) => {
                let items = items.iter().map(|v| v.to_value(heap)).collect();
                Value::List(heap.grown_list_of(items))
            }
            Self::Table(t) => Value::Map(table_to_map(heap, t)),
            Self::Strings(t) => {
                let mut map = Map::default();
                map.ty = MapType::Strings;
                for (k, v) in t {
                    map.insert(k.as_str(), Value::str(v));
                }
                Value::Map(heap.add_map(map))
            }
        }
    }

    /// Takes a value off a heap. Shared tables become separate ones; objects, which no values file holds, become nil.
    ///
    /// # Errors
    /// [`TooDeep`].
    pub fn from_value(heap: &Heap, value: &Value) -> Result<Self, TooDeep> {
        from_value(heap, value, 0, &mut { MAX_CONTAINERS })
    }

    pub const fn as_table(&self) -> Option<&Table> {
        match self {
            Self::Table(t) => Some(t),
            _ => None,
        }
    }

    pub const fn as_str(&self) -> Option<&Str> {
        match self {
            Self::Str(s) => Some(s),
            _ => None,
        }
    }
}

/// How deep tables and lists of values may be nested. Go's JSON reader stops at 10 000; nobody writes the half of this.
pub const MAX_DEPTH: usize = 1000;

/// How many tables and lists values may have. Those that several others share count for each: a few of them can make a tree without
/// end.
pub const MAX_CONTAINERS: usize = 5_000_000;

/// Values are nested deeper than [`MAX_DEPTH`], or contain themselves: `import-values` can bring that about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("values are nested more than {MAX_DEPTH} deep, or contain themselves")]
pub struct TooDeep;

impl From<TooDeep> for String {
    fn from(e: TooDeep) -> Self {
        e.to_string()
    }
}

fn from_value(heap: &Heap, value: &Value, depth: usize, left: &mut usize) -> Result<Data, TooDeep> {
    if depth > MAX_DEPTH {
        return Err(TooDeep);
    }
    if matches!(value, Value::Map(_) | Value::List(_)) {
        *left = left.checked_sub(1).ok_or(TooDeep)?;
    }
    Ok(match value {
        Value::Nil | Value::Object(_) => Data::Nil,
        Value::Bool(b) => Data::Bool(*b),
        Value::Int(n) | Value::Int64(n) => Data::Int(*n),
        Value::OtherInt(k, n) => {
            let n = n.get(*k);
            i64::try_from(n).map_or_else(|_| u64::try_from(n).map_or(Data::Nil, Data::Uint), Data::Int)
        }
        Value::Float(f) => Data::Float(*f),
        Value::Str(s) => Data::Str(s.clone()),
        Value::Bytes(b) => Data::Str(Str::new(b)),
        Value::Map(m) => Data::Table(map_to_table_at(heap, *m, depth, left)?),
        Value::List(l) => {
            let items = heap.list(*l).items.iter();
            Data::List(items.map(|v| from_value(heap, v, depth + 1, left)).collect::<Result<_, _>>()?)
        }
    })
}

/// The table as a new `map[string]interface {}`.
pub fn table_to_map(heap: &mut Heap, table: &Table) -> MapId {
    let entries = table.iter().map(|(k, v)| (k.clone(), v.to_value(heap))).collect();
    heap.add_map(Map::in_order(entries))
}

/// The map as a plain table.
///
/// # Errors
/// [`TooDeep`].
pub fn map_to_table(heap: &Heap, map: MapId) -> Result<Table, TooDeep> {
    map_to_table_at(heap, map, 0, &mut { MAX_CONTAINERS })
}

fn map_to_table_at(heap: &Heap, map: MapId, depth: usize, left: &mut usize) -> Result<Table, TooDeep> {
    let map = heap.map(map);
    let mut entries = Vec::with_capacity(map.len());
    for (k, v) in map.iter() {
        entries.push((k.clone(), from_value(heap, v, depth + 1, left)?));
    }
    Ok(Table::in_order(entries))
}
