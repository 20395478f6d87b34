//! Errors of execution, kept in parts so that they can be printed as Go does or as Helm does, and explained.

use super::CallError;

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
