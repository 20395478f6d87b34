//! What stops a build. The message is kustomize's own text where kustomize has one; file and line say where to look.

use super::node::{Kind, WrongKind};

/// Why a build failed.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// The whole text, as kustomize prints it behind `Error: `.
    pub message: String,
    /// The file to look at, if one is known: a path in the tree.
    pub file: Option<String>,
    /// 1-based line in that file, 0 if unknown.
    pub line: u32,
    /// What kustomize warns of before it gets there.
    pub warnings: Vec<String>,
    /// kustomize may well build it: only this builder does not.
    pub unsupported: bool,
    /// The kind of the node that did not fit, if that was the reason.
    pub(super) wrong_kind: Option<Kind>,
}

pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            file: None,
            line: 0,
            warnings: Vec::new(),
            unsupported: false,
            wrong_kind: None,
        }
    }

    /// With a text in front, as `errors.WrapPrefixf` does it.
    pub fn wrap(mut self, prefix: impl std::fmt::Display) -> Self {
        self.message = format!("{prefix}: {}", self.message);
        self
    }

    /// Says where, unless that is known more exactly already.
    pub fn at(mut self, file: &str, line: u32) -> Self {
        if self.file.is_none() {
            self.file = Some(file.to_owned());
            self.line = line;
        }
        self
    }

    /// With warnings that were given before its own.
    pub(super) fn after(mut self, warnings: &[impl AsRef<str>]) -> Self {
        self.warnings.splice(..0, warnings.iter().map(|w| w.as_ref().to_owned()));
        self
    }

    /// True if a file was not YAML at all.
    pub(super) fn is_malformed_yaml(&self) -> bool {
        self.message.contains("MalformedYAMLError")
    }
}

impl From<String> for Error {
    fn from(message: String) -> Self {
        Self::new(message)
    }
}

impl From<&str> for Error {
    fn from(message: &str) -> Self {
        Self::new(message)
    }
}

impl From<WrongKind> for Error {
    fn from(e: WrongKind) -> Self {
        Self { wrong_kind: Some(e.got), ..Self::new(e.to_string()) }
    }
}
