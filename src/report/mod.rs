//! Findings for people and for CI: one list, written in the form that a reader wants.
//!
//! A [`Finding`] says which rule was broken, where in the *source* repository, and what to do. The writers know nothing of how it was found:
//! a terminal, JSON, JUnit XML (Jenkins, GitLab), SARIF 2.1.0 (code scanning), GitHub's workflow commands, GitLab's code quality report, and
//! one Markdown comment. All of them are deterministic: the same findings give the same bytes.

mod finding;
mod github;
mod gitlab;
mod json;
mod junit;
pub mod markdown;
mod sarif;
mod terminal;

pub use finding::{Finding, Level, Rule, sort};

/// The forms in which findings can be written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    #[default]
    Terminal,
    Json,
    Junit,
    Sarif,
    Github,
    Gitlab,
    Markdown,
}

/// Writes a list of findings. `title` heads the forms that have a heading: what was checked.
pub fn write(format: Format, title: &str, findings: &[Finding]) -> String {
    match format {
        Format::Terminal => terminal::write(findings),
        Format::Json => json::write(findings),
        Format::Junit => junit::write(title, findings),
        Format::Sarif => sarif::write(findings),
        Format::Github => github::write(findings),
        Format::Gitlab => gitlab::write(findings),
        Format::Markdown => markdown::findings(title, findings),
    }
}

#[cfg(test)]
mod tests;
