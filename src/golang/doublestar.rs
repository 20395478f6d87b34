//! Patterns of paths with `**` and `{a,b}`, as `github.com/bmatcuk/doublestar/v4` has them.

use super::path;

/// The patterns that one with `{a,b}` stands for.
pub fn alternatives(pattern: &str) -> Vec<String> {
    const MOST: usize = 1 << 10;
    let mut out = vec![pattern.to_owned()];
    loop {
        let Some(at) = out.iter().position(|p| group(p).is_some()) else { return out };
        let pattern = out.swap_remove(at);
        let Some((start, end)) = group(&pattern) else { return out };
        let (before, rest) = pattern.split_at(start);
        let (inner, after) = rest.split_at(end - start);
        let (inner, after) = (inner.strip_prefix('{').unwrap_or(inner), after.strip_prefix('}').unwrap_or(after));
        out.extend(inner.split(',').map(|choice| format!("{before}{choice}{after}")));
        if out.len() > MOST {
            return out;
        }
    }
}

/// The innermost group of alternatives: where its braces are.
fn group(pattern: &str) -> Option<(usize, usize)> {
    let end = pattern.find('}')?;
    let start = pattern.get(..end)?.rfind('{')?;
    Some((start, end))
}

/// Whether a path fits a pattern without alternatives: `**` is any number of directories, the rest is as in a shell.
pub fn matches(pattern: &str, text: &str) -> bool {
    fn fits(pattern: &[&str], text: &[&str]) -> bool {
        match (pattern, text) {
            ([], []) => true,
            (["**", rest @ ..], text) => {
                fits(rest, text) || text.split_first().is_some_and(|(_, text)| fits(pattern, text))
            }
            ([part, rest @ ..], [name, text @ ..]) => {
                path::path_match(part.as_bytes(), name.as_bytes()).unwrap_or(false) && fits(rest, text)
            }
            _ => false,
        }
    }
    let mut parts: Vec<&str> = pattern.split('/').collect();
    parts.dedup_by(|a, b| *a == "**" && *b == "**");
    fits(&parts, &text.split('/').collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_as_doublestar() {
        let fits = |pattern: &str, path: &str| alternatives(pattern).iter().any(|p| matches(p, path));
        for (pattern, path, want) in [
            ("*.md", "a.md", true),
            ("*.md", "a/b.md", false),
            ("**/*.md", "a.md", true),
            ("**/*.md", "a/b/c.md", true),
            ("a/**", "a", true),
            ("a/**", "a/b/c", true),
            ("a/**/b", "a/b", true),
            ("a/**/b", "a/x/y/b", true),
            ("a/**/b", "a/x/y/c", false),
            ("a**/b", "abc/b", true),
            ("a**/b", "abc/d/b", false),
            ("*.{md,txt}", "a.txt", true),
            ("{a,b/{c,d}}/e", "b/d/e", true),
            ("{a,b/{c,d}}/e", "b/e", false),
            ("[ab]?", "bx", true),
            ("[ab", "a", false),
        ] {
            assert_eq!(fits(pattern, path), want, "{pattern} {path}");
        }
    }
}
