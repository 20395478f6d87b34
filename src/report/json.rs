//! JSON: an object with `findings` and counts, two spaces deep.

use serde_json::json;

use super::finding::{Finding, Level};

pub fn write(findings: &[Finding]) -> String {
    let count = |level| findings.iter().filter(|f| f.rule.level == level).count();
    let list: Vec<_> = findings
        .iter()
        .map(|f| {
            json!({
                "rule": f.rule.id, "level": f.rule.level.as_str(), "path": f.path, "line": f.line, "message": f.message, "fix": f.fix,
                "environments": f.environments, "fingerprint": f.fingerprint(),
            })
        })
        .collect();
    let report = json!({
        "findings": list, "errors": count(Level::Error), "warnings": count(Level::Warning), "notes": count(Level::Note),
    });
    format!("{report:#}\n")
}
