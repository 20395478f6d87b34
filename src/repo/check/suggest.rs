//! What was meant: the nearest of the names that there are.

/// The name that a misspelled one was most likely meant to be: equal without case, or a few edits away.
pub fn nearest<'n>(name: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    // A long text is nobody's slip, and the distance costs its square.
    if name.is_empty() || name.len() > 200 {
        return None;
    }
    let allowed = match name.chars().count() {
        0..=3 => 1,
        4..=7 => 2,
        n => n / 3,
    };
    let scored = names.into_iter().filter(|n| *n != name).map(|n| (distance(name, n), n));
    scored.filter(|(d, _)| *d <= allowed).min_by_key(|(d, n)| (*d, *n)).map(|(_, n)| n)
}

/// Edits from one text to another: insert, delete, replace, swap neighbours; without regard to case. A missing end counts as one edit.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (fold(a), fold(b));
    if a == b {
        return 0;
    }
    // `valuesFile` for `valuesFiles`, `config` for `configuration`.
    if a.len() > 2 && b.starts_with(&a) || b.len() > 2 && a.starts_with(&b) {
        return 1 + a.len().abs_diff(b.len()) / 3;
    }
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let at = |row: &[usize], j: usize| row.get(j).copied().unwrap_or(usize::MAX / 2);
            let mut best = at(&last, j) + usize::from(x != y);
            best = best.min(at(&last, j + 1) + 1).min(at(&row, j) + 1);
            if i > 0 && j > 0 && a.get(i - 1) == Some(y) && b.get(j - 1) == Some(x) {
                best = best.min(at(&before, j - 1) + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or(usize::MAX)
}

fn fold(text: &str) -> Vec<char> {
    text.chars().flat_map(char::to_lowercase).filter(|c| !matches!(c, '-' | '_')).collect()
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn what_was_meant() {
        let names = ["valuesFiles", "valuesFrom", "version", "replicas", "qa-config.yaml", "dev-config.yaml", "image"];
        for (name, want) in [
            ("valuesFile", Some("valuesFiles")),
            ("valuefrom", Some("valuesFrom")),
            ("verison", Some("version")),
            ("replicaCount", None),
            ("qa-config.yam", Some("qa-config.yaml")),
            ("Image", Some("image")),
            ("ports", None),
            ("", None),
        ] {
            assert_eq!(nearest(name, names), want, "{name}");
        }
    }
}
