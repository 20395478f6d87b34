//! A small difference of two texts, line by line, for a finding's message.

/// More lines than this are counted, not shown.
const SHOWN: usize = 12;
/// Longer lines are cut.
const WIDTH: usize = 160;
/// Texts with more lines in their changed part are not compared line by line.
const LARGE: usize = 2_000;

/// What was taken out and put in, and the 0-based line of the old text where the first change is. `None` if the texts are the same.
pub fn difference(old: &str, new: &str) -> Option<(usize, String)> {
    let (a, b): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let before = a.iter().zip(&b).take_while(|(x, y)| x == y).count();
    let (a_rest, b_rest) = (&a[before..], &b[before..]);
    let after = a_rest.iter().rev().zip(b_rest.iter().rev()).take_while(|(x, y)| x == y).count();
    let (a_mid, b_mid) = (&a_rest[..a_rest.len() - after], &b_rest[..b_rest.len() - after]);
    if a_mid.is_empty() && b_mid.is_empty() {
        // Only line ends at the end of the text differ, if anything.
        return (old != new).then(|| (a.len().saturating_sub(1), "only the end of the text differs".to_owned()));
    }
    let changes = if a_mid.len().max(b_mid.len()) > LARGE { all(a_mid, b_mid) } else { common(a_mid, b_mid) };
    let mut out: Vec<String> = changes.iter().take(SHOWN).map(|(sign, line)| format!("{sign} {}", cut(line))).collect();
    if changes.len() > SHOWN {
        out.push(format!("… and {} more lines", changes.len() - SHOWN));
    }
    Some((before, out.join("\n")))
}

fn all<'t>(a: &[&'t str], b: &[&'t str]) -> Vec<(char, &'t str)> {
    a.iter().map(|l| ('-', *l)).chain(b.iter().map(|l| ('+', *l))).collect()
}

/// What is not in the longest common part.
fn common<'t>(a: &[&'t str], b: &[&'t str]) -> Vec<(char, &'t str)> {
    let width = b.len() + 1;
    // `longest[i * width + j]`: of what follows a[i] and b[j].
    let mut longest = vec![0_u32; (a.len() + 1) * width];
    let at = |i: usize, j: usize| i * width + j;
    for i in (0..a.len()).rev() {
        for j in (0..b.len()).rev() {
            longest[at(i, j)] = if a[i] == b[j] {
                longest[at(i + 1, j + 1)] + 1
            } else {
                longest[at(i + 1, j)].max(longest[at(i, j + 1)])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut out = Vec::new();
    while i < a.len() || j < b.len() {
        if i < a.len() && j < b.len() && a[i] == b[j] {
            (i, j) = (i + 1, j + 1);
        } else if j == b.len() || (i < a.len() && longest[at(i + 1, j)] >= longest[at(i, j + 1)]) {
            out.push(('-', a[i]));
            i += 1;
        } else {
            out.push(('+', b[j]));
            j += 1;
        }
    }
    out
}

fn cut(line: &str) -> String {
    match line.char_indices().nth(WIDTH) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changed_is_shown_where_it_begins() {
        for (old, new, want) in [
            ("a\nb\n", "a\nb\n", None),
            ("a\nb\nc\n", "a\nx\nc\n", Some((1, "- b\n+ x"))),
            ("a\nb\nc\nd\n", "a\nc\nd\ne\n", Some((1, "- b\n+ e"))),
            ("", "a\n", Some((0, "+ a"))),
            ("a\n", "a", Some((0, "only the end of the text differs"))),
        ] {
            assert_eq!(difference(old, new), want.map(|(n, t): (usize, &str)| (n, t.to_owned())), "{old:?} {new:?}");
        }
        let many: String = (0..40).map(|n| format!("{n}\n")).collect();
        let (_, text) = difference(&many, "").unwrap();
        assert!(text.ends_with("- 11\n… and 28 more lines"), "{text}");
        let big: String = (0..30_000).map(|n| format!("{n}\n")).collect();
        assert!(difference(&big, &big.replace('1', "x")).is_some());
    }
}
