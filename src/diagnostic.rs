//! What went wrong, where, and what to do: findings as data. Nothing here prints.

use std::sync::Arc;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    Note,
    Warning,
    Error,
}

/// A text that a finding points into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The path as users know it.
    pub name: String,
    pub text: Arc<str>,
}

/// A range of bytes in a [`Source`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub start: usize,
    pub end: usize,
}

/// A marked place with a few words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    pub source: Source,
    pub span: Span,
    pub text: String,
    /// The place itself, or one that explains it.
    pub primary: bool,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    pub severity: Severity,
    pub message: String,
    pub labels: Vec<Label>,
    /// What to do.
    pub hints: Vec<String>,
}

impl Diagnostic {
    pub fn warning(message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, message: message.into(), labels: Vec::new(), hints: Vec::new() }
    }

    pub fn error(message: impl Into<String>) -> Self {
        Self { severity: Severity::Error, message: message.into(), labels: Vec::new(), hints: Vec::new() }
    }

    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    #[must_use]
    pub fn with_label(mut self, label: Label) -> Self {
        self.labels.push(label);
        self
    }
}

/// One line of Helm's own log on standard error, as Go's `slog` text handler without time prints it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// `INFO`, `WARN` or `ERROR`.
    pub level: &'static str,
    pub message: String,
    pub attrs: Vec<(&'static str, String)>,
}

impl LogLine {
    pub fn info(message: impl Into<String>) -> Self {
        Self { level: "INFO", message: message.into(), attrs: Vec::new() }
    }

    pub fn warn(message: impl Into<String>) -> Self {
        Self { level: "WARN", message: message.into(), attrs: Vec::new() }
    }

    pub fn error(message: impl Into<String>) -> Self {
        Self { level: "ERROR", message: message.into(), attrs: Vec::new() }
    }

    #[must_use]
    pub fn with(mut self, key: &'static str, value: impl Into<String>) -> Self {
        self.attrs.push((key, value.into()));
        self
    }
}
