//! Coalescing: the user's values over a chart's defaults, for the chart and all its subcharts.
//!
//! The rules in short: what the user gives wins; tables are merged, lists and scalars replaced; a null removes a default (unless
//! values are only merged); and `global` goes down to every subchart. The details, with what is shared and what is copied, are
//! those of Helm 4.3 `pkg/chart/common/util/coalesce.go`. Helm visits keys in random order, which shows in the order of its log
//! lines only; here it is byte order.

use crate::chart::data::{MAX_DEPTH, TooDeep};
use crate::chart::{Chart, Data, Table};
use crate::diagnostic::LogLine;
use crate::golang::strconv;
use crate::value::{Heap, Map, MapId, Str, Value, print};

use super::GLOBAL;
use super::tables::{as_table, deep_copy_map, globals_of};

/// The user's values over the defaults of the chart and its subcharts. The user's map is not changed.
///
/// # Errors
/// `type mismatch on sub: …` where the values of a subchart are not a table.
pub fn coalesce_values(heap: &mut Heap, chart: &Chart, values: MapId, log: &mut Vec<LogLine>) -> Result<MapId, String> {
    Coalescer { heap, log, merge: false, own_from: 0 }.run(chart, values)
}

/// As [`coalesce_values`], for a result that is only read: what has the user's values alone is shared with them, not copied.
///
/// # Errors
/// As [`coalesce_values`].
pub(super) fn coalesce_over(
    heap: &mut Heap,
    chart: &Chart,
    values: MapId,
    log: &mut Vec<LogLine>,
) -> Result<MapId, String> {
    let own_from = heap.map_count() as u64;
    Coalescer { heap, log, merge: false, own_from }.run(chart, values)
}

/// As [`coalesce_values`], but nulls are kept, for steps after which values are coalesced again.
///
/// # Errors
/// As [`coalesce_values`].
pub fn merge_values(heap: &mut Heap, chart: &Chart, values: MapId, log: &mut Vec<LogLine>) -> Result<MapId, String> {
    Coalescer { heap, log, merge: true, own_from: 0 }.run(chart, values)
}

/// Merges `src` into `dst`, which has precedence; nulls of `dst` remove. `src` may be changed, and its tables are shared.
///
/// # Errors
/// [`TooDeep`].
pub fn coalesce_tables(heap: &mut Heap, dst: MapId, src: MapId, log: &mut Vec<LogLine>) -> Result<(), TooDeep> {
    Coalescer { heap, log, merge: false, own_from: 0 }.tables(dst, src, "", false, 0)
}

/// As [`coalesce_tables`], but nulls are kept.
///
/// # Errors
/// [`TooDeep`].
pub fn merge_tables(heap: &mut Heap, dst: MapId, src: MapId, log: &mut Vec<LogLine>) -> Result<(), TooDeep> {
    Coalescer { heap, log, merge: true, own_from: 0 }.tables(dst, src, "", true, 0)
}

/// How much of a value a log line shows, in bytes.
pub(super) const MAX_SHOWN: usize = 1 << 20;

struct Coalescer<'a> {
    heap: &'a mut Heap,
    log: &'a mut Vec<LogLine>,
    merge: bool,
    /// Maps made before are somebody else's: where they lie below the destination they are copied before they are changed.
    own_from: u64,
}

fn join(prefix: &str, key: &str) -> String {
    if prefix.is_empty() { key.to_string() } else { format!("{prefix}.{key}") }
}

impl Coalescer<'_> {
    fn run(&mut self, chart: &Chart, values: MapId) -> Result<MapId, String> {
        let dest = match self.own_from {
            0 => deep_copy_map(self.heap, values)?,
            _ => self.copy(values),
        };
        self.chart(chart, dest, "")?;
        Ok(dest)
    }

    /// A copy of a map, whose tables stay shared.
    fn copy(&mut self, map: MapId) -> MapId {
        let copy = self.heap.map(map).clone();
        self.heap.add_map(copy)
    }

    /// The table under a key, to be changed.
    fn own(&mut self, map: MapId, key: impl Into<Str>, table: MapId) -> MapId {
        if table.number() >= self.own_from {
            return table;
        }
        let copy = self.copy(table);
        self.heap.map_mut(map).insert(key, Value::Map(copy));
        copy
    }

    /// A table to be changed at any depth, through whatever shares its tables.
    fn own_whole(&mut self, table: MapId) -> Result<MapId, TooDeep> {
        if self.own_from == 0 {
            return Ok(table);
        }
        if table.number() < self.own_from {
            return deep_copy_map(self.heap, table);
        }
        let below: Vec<(Str, MapId)> =
            self.heap.map(table).iter().filter_map(|(k, v)| Some((k.clone(), as_table(self.heap, v)?))).collect();
        for (key, below) in below {
            let whole = self.own_whole(below)?;
            if whole != below {
                self.heap.map_mut(table).insert(key, Value::Map(whole));
            }
        }
        Ok(table)
    }

    fn say(&mut self, text: String) {
        self.log.push(LogLine::info(text));
    }

    /// A value by a verb of Go's `fmt`.
    fn show(&mut self, verb: &[u8], value: &Value) -> String {
        let mut out = Vec::new();
        // What lies behind the limit is left out.
        let _ = print::format_within(self.heap, verb, std::slice::from_ref(value), &mut out, MAX_SHOWN);
        String::from_utf8_lossy(&out).into_owned()
    }

    fn chart(&mut self, chart: &Chart, dest: MapId, prefix: &str) -> Result<(), String> {
        self.defaults(chart, dest, prefix)?;
        let sub_prefix = join(prefix, chart.name());
        for sub in &chart.dependencies {
            let table = match self.heap.map(dest).get(sub.name()).cloned() {
                None => {
                    let table = self.heap.new_map();
                    self.heap.map_mut(dest).insert(sub.name(), Value::Map(table));
                    table
                }
                Some(v) => match as_table(self.heap, &v) {
                    Some(table) => self.own(dest, sub.name(), table),
                    None => {
                        return Err(format!("type mismatch on {}: {}", sub.name(), self.show(b"%t", &v)));
                    }
                },
            };
            self.globals(table, dest, &sub_prefix)?;
            self.chart(sub, table, &sub_prefix)?;
        }
        Ok(())
    }

    /// Hands the globals of `src` down to `dest`, whose own ones yield.
    fn globals(&mut self, dest: MapId, src: MapId, prefix: &str) -> Result<(), TooDeep> {
        let Some(own) = globals_of(self.heap, dest) else {
            self.say(format!("warning: skipping globals because destination {GLOBAL} is not a table."));
            return Ok(());
        };
        let Some(from) = globals_of(self.heap, src) else {
            self.say(format!("warning: skipping globals because source {GLOBAL} is not a table."));
            return Ok(());
        };
        let own = self.own_whole(own)?;
        let whole = self.own_whole(from)?;
        if whole != from {
            self.heap.map_mut(src).insert(GLOBAL, Value::Map(whole));
        }
        let entries: Vec<(Str, Value)> = self.heap.map(whole).iter().map(|(k, v)| (k.clone(), v.clone())).collect();
        for (key, value) in entries {
            let below = self.heap.map(own).get(&key).cloned();
            if let Some(table) = as_table(self.heap, &value) {
                // Copied one level deep: tables within stay shared with the parent.
                let copy = self.copy(table);
                match &below {
                    None => {}
                    Some(v) => match as_table(self.heap, v) {
                        Some(v) => self.tables(copy, v, &join(prefix, &key.to_text()), true, 0)?,
                        None => {
                            let key = strconv::quote(&key);
                            self.say(format!("Conflict: cannot merge map onto non-map for {key}. Skipping."));
                            continue;
                        }
                    },
                }
                self.heap.map_mut(own).insert(key, Value::Map(copy));
            } else if below.is_some_and(|v| as_table(self.heap, &v).is_some()) {
                self.say(format!("key {} is table. Skipping", key.to_text()));
            } else {
                self.heap.map_mut(own).insert(key, value);
            }
        }
        self.heap.map_mut(dest).insert(GLOBAL, Value::Map(own));
        Ok(())
    }

    /// Lays the chart's defaults under `dest`.
    fn defaults(&mut self, chart: &Chart, dest: MapId, prefix: &str) -> Result<(), TooDeep> {
        let Some(defaults) = &chart.values else { return Ok(()) };
        let sub_prefix = join(prefix, chart.name());
        for (key, default) in defaults.iter() {
            match self.heap.map(dest).get(key).cloned() {
                Some(Value::Nil) if !self.merge => {
                    self.heap.map_mut(dest).remove(key);
                }
                Some(own) => {
                    let Some(table) = as_table(self.heap, &own) else { continue };
                    match default {
                        Data::Table(t) => {
                            let merge = self.merge || chart.dependencies.iter().any(|d| key == d.name());
                            let src = self.put(t, !merge);
                            let table = self.own(dest, key.clone(), table);
                            self.tables(table, src, &join(&sub_prefix, &key.to_text()), merge, 0)?;
                        }
                        Data::Nil => {}
                        _ => {
                            let key = key.to_text();
                            self.say(format!("warning: skipped value for {sub_prefix}.{key}: Not a table."));
                        }
                    }
                }
                None => {
                    let value = match default {
                        Data::Nil if !self.merge => continue,
                        Data::Table(t) => Value::Map(self.put(t, !self.merge)),
                        other => other.to_value(self.heap),
                    };
                    self.heap.map_mut(dest).insert(key.clone(), value);
                }
            }
        }
        Ok(())
    }

    /// A copy of a table of defaults on the heap; without the nulls of its tables if `clean` (those in lists stay).
    fn put(&mut self, table: &Table, clean: bool) -> MapId {
        let mut entries = Vec::with_capacity(table.len());
        for (k, v) in table {
            let v = match v {
                Data::Nil if clean => continue,
                Data::Table(t) => Value::Map(self.put(t, clean)),
                other => other.to_value(self.heap),
            };
            entries.push((k.clone(), v));
        }
        self.heap.add_map(Map::in_order(entries))
    }

    /// `coalesceTablesFullKey`: `src` under `dst`.
    fn tables(&mut self, dst: MapId, src: MapId, prefix: &str, merge: bool, depth: usize) -> Result<(), TooDeep> {
        if dst == src {
            return Ok(());
        }
        if depth > MAX_DEPTH {
            return Err(TooDeep);
        }
        // A null in the destination removes a default only where the source had one before the nulls below were copied into it.
        let nulls: Vec<Str> = self.heap.map(dst).iter().filter(|(_, v)| v.is_nil()).map(|(k, _)| k.clone()).collect();
        let mut removes = Vec::new();
        for key in nulls {
            let had = self.heap.map_mut(src).insert(key.clone(), Value::Nil);
            if had.is_some_and(|v| !v.is_nil()) {
                removes.push(key);
            }
        }
        let entries: Vec<(Str, Value)> = self.heap.map(src).iter().map(|(k, v)| (k.clone(), v.clone())).collect();
        for (key, value) in entries {
            let Some(own) = self.heap.map(dst).get(&key).cloned() else {
                self.heap.map_mut(dst).insert(key, value);
                continue;
            };
            if !merge && own.is_nil() && removes.contains(&key) {
                self.heap.map_mut(dst).remove(&key);
                continue;
            }
            match (as_table(self.heap, &value), as_table(self.heap, &own)) {
                (Some(value), Some(own)) => {
                    let own = self.own(dst, key.clone(), own);
                    self.tables(own, value, &join(prefix, &key.to_text()), merge, depth + 1)?;
                }
                (Some(_), None) => {
                    let (full, shown) = (join(prefix, &key.to_text()), self.show(b"%v", &value));
                    self.say(format!("warning: cannot overwrite table with non table for {full} ({shown})"));
                }
                (None, Some(_)) if !value.is_nil() => {
                    let (full, shown) = (join(prefix, &key.to_text()), self.show(b"%v", &value));
                    self.say(format!("warning: destination for {full} is a table. Ignoring non-table value ({shown})"));
                }
                _ => {}
            }
        }
        Ok(())
    }
}
