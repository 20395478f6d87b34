//! Where in a template something was most likely written that stands in a rendered object.
//!
//! A template is no YAML, but people write keys on lines of their own. The path to a field is followed through the lines: each key is looked for
//! behind the one before it. What comes from an `include` or a `toYaml` is not found, and the place is then that of what is around it.

/// The 1-based line of the last key of a path that is found, after a start line.
pub fn line(template: &str, start: usize, steps: &[String]) -> usize {
    let lines: Vec<&str> = template.lines().collect();
    let mut at = start.saturating_sub(1);
    let mut found = start.max(1);
    for step in steps {
        let (key, items) = match step.strip_prefix('[').and_then(|s| s.strip_suffix(']')) {
            Some(index) => (None, index.parse::<usize>().unwrap_or(0)),
            None => (Some(step.as_str()), 0),
        };
        let rest = lines.iter().enumerate().skip(at);
        let next = match key {
            Some(key) => rest.filter(|(_, l)| is_key(l, key)).map(|(i, _)| i).next(),
            // The n-th dash behind the list's key.
            None => rest.skip(1).filter(|(_, l)| l.trim_start().starts_with("- ")).map(|(i, _)| i).nth(items),
        };
        let Some(i) = next else { continue };
        at = i;
        found = i + 1;
    }
    found
}

/// The line on which a document of this kind begins: where its `kind` stands, for the n-th of them.
pub fn document(template: &str, kind: &str, nth: usize) -> usize {
    let value = |l: &str| l.trim().strip_prefix("kind:").map(|v| v.trim().trim_matches(['"', '\'']) == kind);
    let mut places = template.lines().enumerate().filter(|(_, l)| value(l) == Some(true)).map(|(i, _)| i);
    let Some(at) = places.nth(nth).or_else(|| template.lines().position(|l| value(l) == Some(true))) else { return 1 };
    // Keys stand before `kind` too: back to the line behind the separator.
    let before: Vec<&str> = template.lines().take(at).collect();
    before.iter().rposition(|l| l.starts_with("---")).map_or(1, |i| i + 2)
}

fn is_key(line: &str, key: &str) -> bool {
    let mut text = line.trim_start();
    while let Some(rest) = text.strip_prefix("- ") {
        text = rest.trim_start();
    }
    let text = text.strip_prefix(['"', '\'']).unwrap_or(text);
    text.strip_prefix(key).is_some_and(|r| r.trim_start_matches(['"', '\'']).starts_with(':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEMPLATE: &str = "apiVersion: v1\nkind: Service\nmetadata:\n  name: a\n---\napiVersion: apps/v1\nkind: Deployment\nspec:\n  template:\n    spec:\n      containers:\n        - name: {{ .Chart.Name }}\n          image: x\n        - name: two\n          image: y\n          {{- include \"env\" . | nindent 10 }}\n";

    #[test]
    fn a_path_is_followed_through_a_template() {
        let steps = |p: &[&str]| p.iter().map(ToString::to_string).collect::<Vec<_>>();
        let start = document(TEMPLATE, "Deployment", 0);
        assert_eq!(start, 6);
        for (path, want) in [
            (&["apiVersion"][..], 6),
            (&["spec", "template", "spec", "containers", "[0]", "image"], 13),
            (&["spec", "template", "spec", "containers", "[1]", "image"], 15),
            (&["spec", "template", "spec", "containers", "[1]", "env"], 14),
            (&["nothing"], 6),
        ] {
            assert_eq!(line(TEMPLATE, start, &steps(path)), want, "{path:?}");
        }
    }
}
