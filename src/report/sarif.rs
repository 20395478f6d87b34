//! SARIF 2.1.0, for code scanning: rules with their ids, results at places in the source repository.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::finding::{Finding, Rule};

pub fn write(findings: &[Finding]) -> String {
    let rules: BTreeMap<&str, &Rule> = findings.iter().map(|f| (f.rule.id, f.rule)).collect();
    let index: BTreeMap<&str, usize> = rules.keys().enumerate().map(|(i, id)| (*id, i)).collect();
    let rules: Vec<Json> = rules
        .values()
        .map(|r| {
            json!({
                "id": r.id, "shortDescription": {"text": r.summary}, "defaultConfiguration": {"level": r.level.as_str()},
            })
        })
        .collect();
    let results: Vec<Json> = findings
        .iter()
        .map(|f| {
            let text = f.with_what_to_do();
            json!({
                "ruleId": f.rule.id, "ruleIndex": index.get(f.rule.id), "level": f.rule.level.as_str(), "message": {"text": text},
                "locations": [{"physicalLocation": {
                    "artifactLocation": {"uri": uri(&f.path), "uriBaseId": "%SRCROOT%"},
                    "region": {"startLine": f.line.max(1)},
                }}],
                "partialFingerprints": {"pintle/v1": f.fingerprint()},
            })
        })
        .collect();
    let report = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {"name": "pintle", "version": env!("CARGO_PKG_VERSION"), "rules": rules}},
            "columnKind": "utf16CodeUnits",
            "originalUriBaseIds": {"%SRCROOT%": {"description": {"text": "the root of the repository"}}},
            "results": results,
        }],
    });
    format!("{report:#}\n")
}

/// A relative path as a URI reference: what is not plain is percent-encoded.
fn uri(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for b in path.bytes() {
        if b.is_ascii_alphanumeric() || b"-._~/".contains(&b) {
            out.push(char::from(b));
        } else {
            out.push_str(&format!("%{b:02X}"));
        }
    }
    out
}
