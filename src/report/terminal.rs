//! Lines for people: `path:line: level: message [rule]`, what to do below, a count at the end.

use super::finding::{Finding, Level};

pub fn write(findings: &[Finding]) -> String {
    let mut out = String::new();
    for f in findings {
        let mut lines = f.message.lines();
        let first = lines.next().unwrap_or_default();
        out.push_str(&format!("{}: {}: {first} [{}]\n", f.place(), f.rule.level.as_str(), f.rule.id));
        lines.for_each(|line| out.push_str(&format!("    {line}\n")));
        if !f.fix.is_empty() {
            out.push_str(&format!("    {}\n", f.fix));
        }
        if !f.environments.is_empty() {
            out.push_str(&format!("    in {}\n", f.environments.join(", ")));
        }
    }
    out.push_str(&summary(findings));
    out.push('\n');
    out
}

/// `2 errors, 1 warning`; `no findings`.
pub fn summary(findings: &[Finding]) -> String {
    let parts: Vec<String> = [Level::Error, Level::Warning, Level::Note]
        .into_iter()
        .filter_map(|level| {
            let n = findings.iter().filter(|f| f.rule.level == level).count();
            (n > 0).then(|| format!("{n} {}{}", level.as_str(), if n == 1 { "" } else { "s" }))
        })
        .collect();
    if parts.is_empty() { "no findings".into() } else { parts.join(", ") }
}
