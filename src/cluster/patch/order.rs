//! The sorts of strategic patches. Go's results are reproduced where its comparisons are no orders.
//!
//! Source: apimachinery 0.37 `strategicpatch/patch.go` (`normalizeSliceOrder`, `mergeSortedSlice`, `index`), Go 1.26 `sort`.

use std::cmp::Ordering;

use crate::cluster::Json;
use crate::cluster::go_value::go_print;

use super::diff::{DIRECTIVE, MAP, bad_type, merge_key};

/// Scalars by how they are printed.
pub(super) fn by_printed(a: &Json, b: &Json) -> Ordering {
    go_print(a).cmp(&go_print(b))
}

/// `sort.Sort` with a `Less` that is also true of equals: short lists are sorted by insertion, which turns equals around.
pub(super) fn sort_go(list: &mut [Json], order: impl Fn(&Json, &Json) -> Ordering) {
    if list.len() <= 12 {
        insertion(list, |a, b| order(a, b) != Ordering::Greater);
    } else {
        list.sort_by(order);
    }
}

fn insertion(list: &mut [Json], less: impl Fn(&Json, &Json) -> bool) {
    for i in 1..list.len() {
        let mut j = i;
        while j > 0 && list.get(j).zip(list.get(j - 1)).is_some_and(|(a, b)| less(a, b)) {
            list.swap(j, j - 1);
            j -= 1;
        }
    }
}

/// `sort.SliceStable`: insertion in blocks of 20, merged in place by rotation.
fn stable(list: &mut [Json], less: &impl Fn(&Json, &Json) -> bool) {
    let n = list.len();
    let mut block = 20;
    for chunk in list.chunks_mut(block) {
        insertion(chunk, less);
    }
    while block < n {
        let (mut a, mut b) = (0, 2 * block);
        while b <= n {
            sym_merge(list, less, a, a + block, b);
            a = b;
            b += 2 * block;
        }
        if a + block < n {
            sym_merge(list, less, a, a + block, n);
        }
        block *= 2;
    }
}

/// Go's `symMerge_func`: `a..m` and `m..b` are sorted.
fn sym_merge(list: &mut [Json], less: &impl Fn(&Json, &Json) -> bool, a: usize, m: usize, b: usize) {
    let at = |list: &[Json], i: usize, j: usize| list.get(i).zip(list.get(j)).is_some_and(|(x, y)| less(x, y));
    if m - a == 1 {
        let (mut i, mut j) = (m, b);
        while i < j {
            let h = i.midpoint(j);
            if at(list, h, a) { i = h + 1 } else { j = h }
        }
        for k in a..i - 1 {
            list.swap(k, k + 1);
        }
        return;
    }
    if b - m == 1 {
        let (mut i, mut j) = (a, m);
        while i < j {
            let h = i.midpoint(j);
            if at(list, m, h) { j = h } else { i = h + 1 }
        }
        for k in (i + 1..=m).rev() {
            list.swap(k, k - 1);
        }
        return;
    }
    let mid = a.midpoint(b);
    let n = mid + m;
    let (mut start, mut r) = if m > mid { (n - b, mid) } else { (a, m) };
    let p = n - 1;
    while start < r {
        let c = start.midpoint(r);
        if at(list, p - c, c) { r = c } else { start = c + 1 }
    }
    let end = n - start;
    if start < m
        && m < end
        && let Some(part) = list.get_mut(start..end)
    {
        part.rotate_left(m - start);
    }
    if a < start && start < mid {
        sym_merge(list, less, a, start, mid);
    }
    if mid < end && end < b {
        sym_merge(list, less, mid, end, b);
    }
}

/// The place of an element with the same key (of maps), or of the same scalar.
pub(super) fn index(list: &[Json], item: &Json, key: &str, maps: bool) -> Option<usize> {
    let of = |v: &Json| if maps { v.get(key).cloned().unwrap_or_default() } else { v.clone() };
    let wanted = of(item);
    list.iter().position(|v| of(v) == wanted)
}

/// Sorts by the places in `order`; deletions go last. What has no place there counts as less than its neighbour, as in Go.
pub(super) fn normalize(list: Vec<Json>, order: &[Json], key: &str, maps: bool) -> Result<Vec<Json>, String> {
    let (mut kept, mut deleted) = (list, Vec::new());
    if maps {
        for item in kept.iter().chain(order) {
            merge_key(item, key)?;
        }
        (kept, deleted) = split_deletions(kept)?;
    }
    let places: Vec<Option<usize>> = kept.iter().map(|v| index(order, v, key, maps)).collect();
    // The comparison looks at places alone: sort numbered stand-ins.
    let mut numbered: Vec<Json> = (0..kept.len()).map(Json::from).collect();
    let place =
        |v: &Json| v.as_u64().and_then(|i| usize::try_from(i).ok()).and_then(|i| places.get(i).copied()).flatten();
    stable(&mut numbered, &|a, b| match (place(a), place(b)) {
        (Some(a), Some(b)) => a < b,
        _ => true,
    });
    let mut out: Vec<Json> = numbered
        .iter()
        .filter_map(|v| v.as_u64().and_then(|i| usize::try_from(i).ok()).and_then(|i| kept.get(i).cloned()))
        .collect();
    out.extend(deleted);
    Ok(out)
}

/// Elements to keep, and elements marked `$patch: delete`.
pub(super) fn split_deletions(list: Vec<Json>) -> Result<(Vec<Json>, Vec<Json>), String> {
    let (mut kept, mut deleted) = (Vec::new(), Vec::new());
    for item in list {
        let map = item.as_object().ok_or_else(|| bad_type(MAP, &item))?;
        if map.get(DIRECTIVE).and_then(Json::as_str) == Some("delete") { deleted.push(item) } else { kept.push(item) }
    }
    Ok((kept, deleted))
}

/// Puts together what the patch names (in `patch_order`) and what only the server has (in `server_order`), the order of each kept.
pub(super) fn interleave(
    patch: Vec<Json>,
    server_only: Vec<Json>,
    patch_order: &[Json],
    server_order: &[Json],
    key: &str,
    maps: bool,
) -> Result<Vec<Json>, String> {
    let right = normalize(patch, patch_order, key, maps)?;
    let left = normalize(server_only, server_order, key, maps)?;
    let mut out = Vec::with_capacity(left.len() + right.len());
    let (mut left, mut right) = (left.into_iter().peekable(), right.into_iter().peekable());
    loop {
        let from_left = match (left.peek(), right.peek()) {
            (None, None) => return Ok(out),
            (Some(_), None) => true,
            (None, Some(_)) => false,
            (Some(l), Some(r)) => match (index(server_order, l, key, maps), index(server_order, r, key, maps)) {
                (Some(l), Some(r)) => l < r,
                _ => false,
            },
        };
        out.extend(if from_left { left.next() } else { right.next() });
    }
}

/// Go's own way to drop doubles: the last element takes the place of each.
pub(super) fn deduplicate(mut list: Vec<Json>) -> Vec<Json> {
    let mut i = 0;
    while i + 1 < list.len() {
        let mut j = i + 1;
        while j < list.len() {
            if list.get(i) == list.get(j) {
                list.swap_remove(j);
            } else {
                j += 1;
            }
        }
        i += 1;
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn list(text: &str) -> Vec<Json> {
        text.split_whitespace().map(Json::from).collect()
    }

    #[test]
    fn lists_are_put_together_in_order() {
        let got = interleave(list("c a"), list("x y"), &list("a c"), &list("x a y c"), "", false).unwrap();
        assert_eq!(got, list("x a y c"));
        assert_eq!(deduplicate(list("a b a c b a")), list("a b c"));
        let mut many: Vec<Json> = (0..100).rev().map(Json::from).collect();
        stable(&mut many, &|a, b| a.as_u64() < b.as_u64());
        assert_eq!(many, (0..100).map(Json::from).collect::<Vec<_>>());
    }

    #[test]
    fn deletions_go_last() {
        let items = vec![json!({"name": "b", "$patch": "delete"}), json!({"name": "c"}), json!({"name": "a"})];
        let order = vec![json!({"name": "a"}), json!({"name": "c"})];
        let got = normalize(items, &order, "name", true).unwrap();
        let names: Vec<&str> = got.iter().filter_map(|v| v["name"].as_str()).collect();
        assert_eq!(names, ["a", "c", "b"]);
        let error = normalize(vec![json!({"x": 1})], &order, "name", true).unwrap_err();
        assert_eq!(error, "map: map[x:1] does not contain declared merge key: name");
    }
}
