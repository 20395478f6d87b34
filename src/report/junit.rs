//! JUnit XML, as Jenkins and GitLab read it: one test case a finding, or a single passed one.

use std::fmt::Write as _;

use super::finding::{Finding, Level};

pub fn write(title: &str, findings: &[Finding]) -> String {
    let failures = findings.iter().filter(|f| f.rule.level == Level::Error).count();
    let tests = findings.len().max(1);
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let name = escape(title);
    let _ = writeln!(out, "<testsuites tests=\"{tests}\" failures=\"{failures}\" errors=\"0\">");
    let _ = writeln!(out, "  <testsuite name=\"{name}\" tests=\"{tests}\" failures=\"{failures}\" errors=\"0\">");
    if findings.is_empty() {
        let _ = writeln!(out, "    <testcase classname=\"pintle\" name=\"{name}\"/>");
    }
    for f in findings {
        let case = escape(&format!("{} {}", f.rule.id, f.place()));
        // A file as a whole has no line.
        let line = if f.line == 0 { String::new() } else { format!(" line=\"{}\"", f.line) };
        let path = escape(&f.path);
        let _ = writeln!(out, "    <testcase classname=\"{}\" name=\"{case}\" file=\"{path}\"{line}>", f.rule.id);
        let mut body = format!("{}: {}", f.place(), f.message);
        if !f.fix.is_empty() {
            body.push('\n');
            body.push_str(&f.fix);
        }
        // Warnings and notes do not fail a build: they are what the case printed.
        if f.rule.level == Level::Error {
            let message = escape(&f.message);
            let _ = writeln!(
                out,
                "      <failure message=\"{message}\" type=\"{}\">{}</failure>",
                f.rule.id,
                escape(&body)
            );
        } else {
            let _ = writeln!(out, "      <system-out>{}: {}</system-out>", f.rule.level.as_str(), escape(&body));
        }
        out.push_str("    </testcase>\n");
    }
    out.push_str("  </testsuite>\n</testsuites>\n");
    out
}

/// XML text or attribute. What XML 1.0 can't hold becomes U+FFFD.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            '\t' => out.push_str("&#9;"),
            '\r' => out.push_str("&#13;"),
            c if u32::from(c) < 0x20 || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
