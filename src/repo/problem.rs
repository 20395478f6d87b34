//! What keeps a part of an environment from being built: where it is written, what to say of it, and what kind of trouble it is.
//!
//! People read the message; `check` goes by the cause: what is only not supported here is no mistake of the repository's, and what follows from
//! something else is told there.

use std::fmt;

/// A file and a line in it, 1-based.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub path: String,
    pub line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.path, self.line)
    }
}

/// What kind of trouble a problem is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// What is written is wrong, or Helm or kustomize would fail as well.
    Wrong,
    /// It may well be right, and is not built here.
    Unsupported,
    /// SOPS hides it, and no key was at hand.
    Encrypted,
    /// The chart is not there, or is none.
    Chart,
    /// The chart is kept elsewhere, and nothing was fetched.
    NotFetched,
    /// A source that a release names is not in the environment.
    NoSource(Name),
    /// An object or a file that values come from is not there.
    NoValues(Option<Name>),
    /// An object that variables come from was not built before they were needed.
    NoVariables(Name),
}

/// The kind and name of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    pub kind: String,
    pub name: String,
}

impl Name {
    pub fn new(kind: &str, name: &str) -> Self {
        Self { kind: kind.into(), name: name.into() }
    }
}

/// A problem whose place only the caller knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub cause: Cause,
    pub message: String,
}

impl Fault {
    pub fn new(cause: Cause, message: impl Into<String>) -> Self {
        Self { cause, message: message.into() }
    }

    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new(Cause::Unsupported, message)
    }

    pub fn at(self, place: &Place) -> Problem {
        self.on_line(place, place.line)
    }

    /// On another line of the place's file.
    pub fn on_line(self, place: &Place, line: usize) -> Problem {
        Problem { place: Place { path: place.path.clone(), line }, cause: self.cause, message: self.message }
    }
}

impl From<String> for Fault {
    fn from(message: String) -> Self {
        Self::new(Cause::Wrong, message)
    }
}

impl From<&str> for Fault {
    fn from(message: &str) -> Self {
        Self::new(Cause::Wrong, message)
    }
}

/// What keeps something from being built or rendered: where, what, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub place: Place,
    pub cause: Cause,
    pub message: String,
}

impl Problem {
    /// The kind and name of what was looked for in vain.
    pub fn missing(&self) -> Option<&Name> {
        match &self.cause {
            Cause::NoSource(name) | Cause::NoValues(Some(name)) => Some(name),
            _ => None,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}
