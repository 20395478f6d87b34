//! GitHub's workflow commands: `::error file=…,line=…,title=…::message`, one line each.

use super::finding::{Finding, Level};

pub fn write(findings: &[Finding]) -> String {
    let mut out = String::new();
    for f in findings {
        let command = match f.rule.level {
            Level::Error => "error",
            Level::Warning => "warning",
            Level::Note => "notice",
        };
        let text = if f.fix.is_empty() { f.message.clone() } else { format!("{}\n{}", f.message, f.fix) };
        out.push_str(&format!(
            "::{command} file={},line={},title={}::{}\n",
            property(&f.path),
            f.line.max(1),
            property(f.rule.id),
            data(&text)
        ));
    }
    out
}

/// Source: `@actions/core`, `escapeData`.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Source: `@actions/core`, `escapeProperty`.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
