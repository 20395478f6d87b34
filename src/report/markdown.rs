//! One Markdown comment for a pull request, never over the forge's limit.
//!
//! A hidden marker lets a script find and replace its own comment. What does not fit is cut at a whole section, and the cut is said.

use super::finding::Finding;
use super::terminal;

/// GitHub's limit for a comment, in characters.
pub const LIMIT: usize = 65_536;

/// A comment made of a heading and sections, within [`LIMIT`].
pub fn comment(marker: &str, heading: &str, sections: &[String]) -> String {
    let mut out = format!("<!-- pintle:{marker} -->\n{heading}\n");
    let mut length = out.chars().count();
    for (i, section) in sections.iter().enumerate() {
        let left = sections.len() - i;
        let note = format!("\n_{left} more, left out to stay within the comment's limit: see the job's output._\n");
        let n = section.chars().count();
        let last = left == 1;
        if length + n + if last { 0 } else { note.chars().count() } > LIMIT {
            out.push_str(&note);
            break;
        }
        out.push_str(section);
        length += n;
    }
    out
}

pub fn findings(title: &str, findings: &[Finding]) -> String {
    let mut sections = Vec::new();
    if !findings.is_empty() {
        sections.push("\n| | where | what | rule |\n| --- | --- | --- | --- |\n".to_string());
    }
    for f in findings {
        let mut what = f.with_what_to_do();
        if !f.environments.is_empty() {
            what.push_str(&format!(" (in {})", f.environments.join(", ")));
        }
        sections.push(format!("| {} | `{}` | {} | {} |\n", f.rule.level.as_str(), f.place(), cell(&what), f.rule.id));
    }
    comment("check", &format!("### {}: {}\n", cell(title), terminal::summary(findings)), &sections)
}

/// A text inside a table: no line breaks, no cell borders, no HTML.
pub fn cell(text: &str) -> String {
    let one_line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    one_line.replace('|', "\\|").replace('<', "&lt;").replace('>', "&gt;")
}

/// A fenced block whose fence is longer than any run of backquotes in the text.
pub fn fenced(language: &str, text: &str) -> String {
    let mut longest = 0;
    let mut run = 0;
    for c in text.chars() {
        run = if c == '`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    let fence = "`".repeat((longest + 1).max(3));
    let end = if text.ends_with('\n') { "" } else { "\n" };
    format!("{fence}{language}\n{text}{end}{fence}\n")
}
