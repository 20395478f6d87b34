//! Maps that functions fill from others (`merge`, `mustMergeOverwrite`), and the parts of values that such maps are made of.

use std::collections::HashSet;

use super::{Path, Read, Trace, id, part};
use crate::value::{Heap, Str, Value};

/// Maps inside maps beyond this are not followed.
const MAX_DEPTH: usize = 100;
/// Nor are more pairs of maps than these in one merge.
const MAX_PAIRS: usize = 10_000;

/// The pairs of maps that are done, and how deep the one at hand lies.
#[derive(Default)]
struct Walk {
    done: HashSet<(u64, u64)>,
    depth: usize,
}

impl Trace {
    /// A part of a value, and what is read where it is read: another path than its own if a merge put it there.
    pub fn below(&self, heap: &Heap, path: &Path, way: &[Str]) -> Option<(Value, Vec<Read>)> {
        let mut at = self.value(heap, path)?;
        let mut reads = vec![Read::Key(path.clone())];
        for key in way {
            let next = part(heap, &at, key)?;
            reads = self.child(heap, &at, key, &reads);
            at = next;
        }
        Some((at, reads))
    }

    /// The first of a function's arguments was filled from the others: what came from one of them is read there from now on.
    pub(super) fn merged(&mut self, heap: &Heap, base: usize, args: &[Value], overwrite: bool) {
        let Some((to, sources)) = args.split_first() else { return };
        let made_of = self.arg_reads(base, 0, args.len());
        let mut walk = Walk::default();
        for (i, from) in sources.iter().enumerate() {
            let reads = self.arg_reads(base, i + 1, args.len());
            self.overlay(heap, (to, &made_of), (from, &reads), overwrite, &mut walk);
        }
    }

    fn overlay(
        &mut self,
        heap: &Heap,
        (to, to_reads): (&Value, &[Read]),
        (from, from_reads): (&Value, &[Read]),
        overwrite: bool,
        walk: &mut Walk,
    ) {
        let (Value::Map(a), Value::Map(b), Some(number), Some(other)) = (to, from, id(to), id(from)) else { return };
        // Shared maps may be met on very many ways.
        let is_too_far = walk.depth > MAX_DEPTH || walk.done.len() > MAX_PAIRS;
        if a == b || is_too_far || !walk.done.insert((number, other)) {
            return;
        }
        let shared = |(key, theirs): (&Str, &Value)| {
            let now = heap.map(*a).get(key)?.clone();
            Some((key.clone(), theirs.clone(), now))
        };
        let shared: Vec<(Str, Value, Value)> = heap.map(*b).iter().filter_map(shared).collect();
        let mut keys = Vec::new();
        for (key, theirs, now) in shared {
            let mut reads = self.child(heap, from, &key, from_reads);
            match (&theirs, &now) {
                (Value::Map(x), Value::Map(y)) if x != y => {
                    let own = self.child(heap, to, &key, to_reads);
                    walk.depth += 1;
                    self.overlay(heap, (&now, &own), (&theirs, &reads), overwrite, walk);
                    walk.depth -= 1;
                }
                // The map itself was taken over.
                (Value::Map(_), Value::Map(_)) => keys.push((key, reads)),
                (Value::List(x), Value::List(y)) if overwrite || x == y => keys.push((key, reads)),
                _ if same(&theirs, &now) => {
                    // Of two that are the same and of which the first stays nobody knows whether it was there.
                    if !overwrite {
                        let own = self.child(heap, to, &key, to_reads).into_iter();
                        let is_set = |read: &Read| match read {
                            Read::Key(path) => self.value(heap, path).is_some() && !reads.contains(read),
                            Read::Made(_) => false,
                        };
                        let own: Vec<Read> = own.filter(is_set).collect();
                        reads.splice(0..0, own);
                    }
                    keys.push((key, reads));
                }
                _ => {}
            }
        }
        let whole = match self.origins.get(&other).map(|o| (&o.path, &o.all)) {
            Some((Some(path), _)) => vec![Read::Key(path.clone())],
            Some((None, all)) => all.clone(),
            None => from_reads.to_vec(),
        };
        let origin = self.origins.entry(number).or_default();
        if origin.path.is_none() && origin.all.is_empty() {
            origin.all.extend_from_slice(to_reads);
        }
        for read in whole {
            if !origin.all.contains(&read) {
                origin.all.push(read);
            }
        }
        origin.keys.extend(keys);
    }
}

/// Single values that nobody can tell apart.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Nil, Value::Nil) => true,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Int(a) | Value::Int64(a), Value::Int(b) | Value::Int64(b)) => a == b,
        (Value::Float(a), Value::Float(b)) => a == b,
        (Value::Str(a), Value::Str(b)) => a == b,
        _ => false,
    }
}
