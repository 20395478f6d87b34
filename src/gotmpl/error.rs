//! Errors of execution, kept in parts so that they can be printed as Go does or as Helm does, and explained.

use std::fmt;

use super::CallError;
use crate::golang::strconv;

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
    /// The node as Go prints it. Empty if the error has no node.
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

impl ExecError {
    /// The error inside, if this one only passes on what a template below ended with.
    pub const fn inner(&self) -> Option<&Self> {
        match &self.cause {
            ExecCause::Call { error: CallError::Exec(inner), .. } => Some(inner),
            _ => None,
        }
    }

    fn take_inner(&mut self) -> Option<Box<Self>> {
        match std::mem::replace(&mut self.cause, ExecCause::Msg(String::new())) {
            ExecCause::Call { error: CallError::Exec(inner), .. } => Some(inner),
            _ => None,
        }
    }
}

// A chain of includes can be thousands deep: neither printing nor dropping it may recurse.

impl fmt::Display for ExecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut at = self;
        loop {
            if at.node.is_empty() {
                write!(f, "template: {}: ", at.template)?;
            } else {
                write!(
                    f,
                    "template: {}:{}:{}: executing {} at <{}>: ",
                    at.parse_name,
                    at.line,
                    at.col,
                    strconv::quote(at.template.as_bytes()),
                    at.node
                )?;
            }
            match &at.cause {
                ExecCause::Msg(msg) => return f.write_str(msg),
                ExecCause::Call { func, error } => {
                    write!(f, "error calling {func}: ")?;
                    match error {
                        CallError::Msg(msg) | CallError::Limit(msg) => return f.write_str(msg),
                        CallError::Exec(inner) => at = inner,
                    }
                }
            }
        }
    }
}

impl std::error::Error for ExecError {}

impl fmt::Display for ExecCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Msg(msg) => f.write_str(msg),
            Self::Call { func, error } => write!(f, "error calling {func}: {error}"),
        }
    }
}

impl Drop for ExecError {
    fn drop(&mut self) {
        let mut next = self.take_inner();
        while let Some(mut error) = next {
            next = error.take_inner();
        }
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Msg(msg) | Self::Limit(msg) => f.write_str(msg),
            Self::Exec(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for CallError {}
