//! Two texts line by line, as `diff -u` shows them.
//!
//! The algorithm is Myers' (1986), on what is left when equal beginnings and ends are cut. Texts that differ too much for it are shown as one
//! replaced by the other, so that the cost is bounded.

/// Edits that are looked for at most; beyond them the middle is replaced as a whole.
const MAX_EDITS: usize = 2000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Edit {
    Keep,
    Delete,
    Insert,
}

/// The differing parts with `context` lines around each, in `diff -u`'s hunks without a head; empty for equal texts.
pub fn unified(old: &str, new: &str, context: usize) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let edits = edits(&old, &new);
    let mut out = String::new();
    // Which lines are shown: those near an edit.
    let near: Vec<bool> = {
        let mut near = vec![false; edits.len()];
        for (i, edit) in edits.iter().enumerate() {
            if *edit != Edit::Keep {
                let to = (i + context + 1).min(edits.len());
                if let Some(part) = near.get_mut(i.saturating_sub(context)..to) {
                    part.fill(true);
                }
            }
        }
        near
    };
    let (mut a, mut b) = (0, 0);
    let mut i = 0;
    while i < edits.len() {
        if near.get(i) != Some(&true) {
            // Only kept lines are passed over.
            (a, b, i) = (a + 1, b + 1, i + 1);
            continue;
        }
        let end = near.iter().skip(i).position(|n| !n).map_or(edits.len(), |n| i + n);
        let hunk = edits.get(i..end).unwrap_or_default();
        let deleted = hunk.iter().filter(|e| **e != Edit::Insert).count();
        let inserted = hunk.iter().filter(|e| **e != Edit::Delete).count();
        out.push_str(&format!("@@ -{} +{} @@\n", range(a, deleted), range(b, inserted)));
        for edit in hunk {
            let (mark, line) = match edit {
                Edit::Keep => (' ', old.get(a)),
                Edit::Delete => ('-', old.get(a)),
                Edit::Insert => ('+', new.get(b)),
            };
            out.push(mark);
            out.push_str(line.copied().unwrap_or_default());
            out.push('\n');
            a += usize::from(*edit != Edit::Insert);
            b += usize::from(*edit != Edit::Delete);
        }
        i = end;
    }
    out
}

fn range(start: usize, length: usize) -> String {
    match length {
        0 => format!("{start},0"),
        1 => format!("{}", start + 1),
        n => format!("{},{n}", start + 1),
    }
}

fn edits(old: &[&str], new: &[&str]) -> Vec<Edit> {
    let head = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let (old, new) = (old.get(head..).unwrap_or_default(), new.get(head..).unwrap_or_default());
    let tail = old.iter().rev().zip(new.iter().rev()).take_while(|(a, b)| a == b).count();
    let (old, new) = (old.get(..old.len() - tail).unwrap_or_default(), new.get(..new.len() - tail).unwrap_or_default());
    let mut out = vec![Edit::Keep; head];
    match myers(old, new) {
        Some(middle) => out.extend(middle),
        None => {
            out.resize(out.len() + old.len(), Edit::Delete);
            out.resize(out.len() + new.len(), Edit::Insert);
        }
    }
    out.resize(out.len() + tail, Edit::Keep);
    out
}

/// The shortest edits, or nothing where there are too many.
fn myers(old: &[&str], new: &[&str]) -> Option<Vec<Edit>> {
    let (n, m) = (i64::try_from(old.len()).ok()?, i64::try_from(new.len()).ok()?);
    let limit = usize::try_from(n + m).ok()?.min(MAX_EDITS);
    let offset = i64::try_from(limit).ok()? + 1;
    // The furthest x on each diagonal, and a copy of it for each number of edits, to walk back.
    let mut reach = vec![0i64; 2 * limit + 3];
    let mut history: Vec<Vec<i64>> = Vec::new();
    let at = |reach: &[i64], k: i64| usize::try_from(k + offset).ok().and_then(|i| reach.get(i)).copied().unwrap_or(0);
    for d in 0..=limit {
        let d = i64::try_from(d).ok()?;
        // Only the diagonals that d edits can reach are remembered.
        let low = usize::try_from(offset - d - 1).ok()?;
        history.push(reach.get(low..=usize::try_from(offset + d + 1).ok()?)?.to_vec());
        for k in (-d..=d).step_by(2) {
            let down = k == -d || (k != d && at(&reach, k - 1) < at(&reach, k + 1));
            let mut x = if down { at(&reach, k + 1) } else { at(&reach, k - 1) + 1 };
            while x < n && x - k < m && old.get(usize::try_from(x).ok()?) == new.get(usize::try_from(x - k).ok()?) {
                x += 1;
            }
            *reach.get_mut(usize::try_from(k + offset).ok()?)? = x;
            if x >= n && x - k >= m {
                return back(&history, n, m);
            }
        }
    }
    None
}

fn back(history: &[Vec<i64>], n: i64, m: i64) -> Option<Vec<Edit>> {
    let (mut x, mut y) = (n, m);
    let mut out = Vec::new();
    for (d, reach) in history.iter().enumerate().rev() {
        let d = i64::try_from(d).ok()?;
        let at = |k: i64| usize::try_from(k + d + 1).ok().and_then(|i| reach.get(i)).copied().unwrap_or(0);
        let k = x - y;
        let down = k == -d || (k != d && at(k - 1) < at(k + 1));
        let before = if down { k + 1 } else { k - 1 };
        let (from_x, from_y) = if d == 0 { (0, 0) } else { (at(before), at(before) - before) };
        while x > from_x && y > from_y {
            out.push(Edit::Keep);
            (x, y) = (x - 1, y - 1);
        }
        if d > 0 {
            out.push(if down { Edit::Insert } else { Edit::Delete });
            (x, y) = (from_x, from_y);
        }
    }
    out.reverse();
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_compared_as_diff_does() {
        for (old, new, want) in [
            ("a\nb\n", "a\nb\n", ""),
            ("", "a\n", "@@ -0,0 +1 @@\n+a\n"),
            ("a\n", "", "@@ -1 +0,0 @@\n-a\n"),
            ("a\nb\nc\n", "a\nx\nc\n", "@@ -1,3 +1,3 @@\n a\n-b\n+x\n c\n"),
            ("1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n", "@@ -8,2 +8,3 @@\n 8\n 9\n+10\n"),
        ] {
            assert_eq!(unified(old, new, 2), want);
        }
    }

    #[test]
    fn every_edit_script_makes_the_new_text() {
        let mut seed = 7u64;
        let mut next = move |n: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % n
        };
        for _ in 0..300 {
            let mut text = || (0..next(30)).map(|_| ["a", "b", "c", "d"][next(4) as usize]).collect::<Vec<_>>();
            let (old, new) = (text(), text());
            let (mut a, mut made) = (old.iter(), Vec::new());
            let mut b = new.iter();
            for edit in edits(&old, &new) {
                match edit {
                    Edit::Keep => {
                        made.push(*a.next().unwrap());
                        b.next();
                    }
                    Edit::Delete => drop(a.next()),
                    Edit::Insert => made.push(*b.next().unwrap()),
                }
            }
            assert_eq!(made, new, "{old:?}");
            assert_eq!(a.next(), None);
        }
    }
}
