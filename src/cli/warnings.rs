//! What Helm passes over in silence: a document dropped for an unknown hook, a key that a values file sets twice, a whole number that prints
//! as `1e+06`. Said after a render that succeeded, on standard error, so that standard output stays Helm's.

use crate::diagnostic::Diagnostic;
use crate::render::Release;

/// The warnings of a rendered release. `files` are the user's values files.
pub fn of(release: &Release, files: &[(String, Vec<u8>)]) -> Vec<Diagnostic> {
    let mut out = Vec::new();
    for (name, text) in files {
        for (key, line) in crate::yaml::duplicates(text) {
            out.push(Diagnostic::warning(format!("{name}:{line}: {key} is set again; the last one counts")));
        }
    }
    for (path, events) in &release.dropped {
        out.push(
            Diagnostic::warning(format!("{path}: a document is dropped, because its hook {events:?} is not known"))
                .with_hint("known: pre-install, post-install, pre-delete, post-delete, pre-upgrade, post-upgrade, pre-rollback, post-rollback, test"),
        );
    }
    for m in &release.manifests {
        if let Some((line, number)) = exponent(&m.content) {
            out.push(
                Diagnostic::warning(format!("{}: line {line} of a document prints a whole number as {number}", m.name))
                    .with_hint(
                        "numbers of values are floats, and print so from 1e+06 on: pipe the value through int64",
                    ),
            );
        }
    }
    out
}

/// The first scalar `…: 1e+06` of a document, with its 1-based line.
fn exponent(text: &[u8]) -> Option<(usize, String)> {
    // Rare: a search for the two bytes is all that most documents cost.
    let mut from = 0;
    while let Some(i) = memchr::memchr(b'+', &text[from..]) {
        let plus = from + i;
        from = plus + 1;
        if plus == 0 || text[plus - 1] != b'e' {
            continue;
        }
        let at = plus - 1;
        from = at + 2;
        let start = text[..at].iter().rposition(|b| !matches!(b, b'0'..=b'9' | b'.' | b'-')).map_or(0, |p| p + 1);
        let end = at + 2 + text[at + 2..].iter().take_while(|b| b.is_ascii_digit()).count();
        let before = start == 0 || matches!(text[start - 1], b' ' | b'\n');
        let after = text.get(end).is_none_or(|b| matches!(b, b'\n' | b' ' | b',' | b']' | b'}'));
        let number = &text[start..end];
        let mantissa_places = number.iter().position(|b| *b == b'.').map_or(0, |dot| at - start - dot - 1);
        let exponent: usize = std::str::from_utf8(&text[at + 2..end]).ok().and_then(|t| t.parse().ok()).unwrap_or(0);
        if before && after && at > start && end > at + 2 && exponent < 20 && mantissa_places <= exponent {
            let line = text[..at].iter().filter(|b| **b == b'\n').count() + 1;
            return Some((line, String::from_utf8_lossy(number).into_owned()));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::exponent;

    #[test]
    fn only_whole_numbers_in_scalars_are_told() {
        for (text, want) in [
            ("a: 1\nsize: 1e+06\n", Some((2, "1e+06"))),
            ("a: [1, 1.5e+07]\n", Some((1, "1.5e+07"))),
            ("a: 1.2345678e+06\n", None),
            ("a: \"1e+06\"\n", None),
            ("a: re+06\n", None),
            ("a: 1e+30\n", None),
        ] {
            assert_eq!(exponent(text.as_bytes()), want.map(|(l, n)| (l, n.to_string())), "{text}");
        }
    }
}
