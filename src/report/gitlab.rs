//! GitLab's code quality report: a JSON array. Fingerprints must differ, so equal ones are counted.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::finding::{Finding, Level};

pub fn write(findings: &[Finding]) -> String {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let list: Vec<Json> = findings
        .iter()
        .map(|f| {
            let mut fingerprint = f.fingerprint();
            let n = seen.entry(fingerprint.clone()).or_default();
            if *n > 0 {
                fingerprint = format!("{fingerprint}-{n}");
            }
            *n += 1;
            let severity = match f.rule.level {
                Level::Error => "major",
                Level::Warning => "minor",
                Level::Note => "info",
            };
            let text = f.with_what_to_do();
            json!({
                "description": text, "check_name": f.rule.id, "fingerprint": fingerprint, "severity": severity,
                "location": {"path": f.path, "lines": {"begin": f.line.max(1)}},
            })
        })
        .collect();
    format!("{:#}\n", Json::Array(list))
}
