//! Errors of execution, kept in parts so that they can be printed as Go does or as Helm does, and explained.

use std::fmt;

use super::CallError;
use super::interim::strconv;

/// An error at a place in a template: Go's `template: NAME:LINE:COL: executing "TEMPLATE" at <NODE>: MESSAGE`.
#[derive(Debug)]
pub struct ExecError {
    /// The name of the text (Go's `ParseName`).
    pub parse_name: String,
    /// 1-based line, 0-based byte column.
    pub line: usize,
    pub col: usize,
    /// The template being executed.
    pub template: String,
    /// The node as Go prints it, `%` doubled as Go's `doublePercent` leaves it after formatting. Empty if the error has no node.
    pub node: String,
    pub cause: ExecCause,
}

/// What went wrong at the place.
#[derive(Debug)]
pub enum ExecCause {
    /// A plain message of the engine.
    Msg(String),
    /// `error calling FUNC: …`
    Call { func: String, error: CallError },
}

impl fmt::Display for ExecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.node.is_empty() {
            return write!(f, "template: {}: {}", self.template, self.cause);
        }
        let (name, line, col, node) = (&self.parse_name, self.line, self.col, &self.node);
        let template = strconv::quote(self.template.as_bytes());
        write!(f, "template: {name}:{line}:{col}: executing {template} at <{node}>: {}", self.cause)
    }
}

impl std::error::Error for ExecError {}

impl fmt::Display for ExecCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Msg(m) => f.write_str(m),
            Self::Call { func, error } => write!(f, "error calling {func}: {error}"),
        }
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Msg(m) | Self::Limit(m) => f.write_str(m),
            Self::Exec(e) => e.fmt(f),
        }
    }
}
