//! What a cluster refuses, and how that is said: always with the verb and the object.

use std::fmt;

use super::object::ObjectId;

/// What was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    Connect,
    Discover,
    Get,
    List,
    Watch,
    Create,
    Update,
    Patch,
    Delete,
    Logs,
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "connect",
            Self::Discover => "discover",
            Self::Get => "get",
            Self::List => "list",
            Self::Watch => "watch",
            Self::Create => "create",
            Self::Update => "update",
            Self::Patch => "patch",
            Self::Delete => "delete",
            Self::Logs => "read the logs of",
        })
    }
}

/// Why: the `reason` of the API's Status where there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    NotFound,
    AlreadyExists,
    Conflict,
    Forbidden,
    Unauthorized,
    Invalid,
    BadRequest,
    TooLarge,
    TooManyRequests,
    /// No such kind is served.
    NoMatch,
    /// The server could not be reached, or broke off.
    Unreachable,
    Timeout,
    /// Any other, by the API's own word.
    Other(String),
}

/// A refused request.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct ClusterError {
    pub verb: Verb,
    pub object: Option<ObjectId>,
    pub reason: Reason,
    /// HTTP status, 0 where there was no answer.
    pub code: u16,
    /// The API server's own message (`deployments.apps "web" is forbidden: …`), or what the connection said; names the object.
    pub message: String,
}

impl ClusterError {
    /// An error found before anything was asked.
    pub(super) fn local(verb: Verb, id: &ObjectId, message: String) -> Self {
        Self { verb, object: Some(id.clone()), reason: Reason::Invalid, code: 0, message }
    }

    /// The server gave no answer, or none about the object: asked again, it may.
    pub fn is_unanswered(&self) -> bool {
        self.code >= 500 || matches!(self.reason, Reason::Unreachable | Reason::Timeout | Reason::TooManyRequests)
    }

    /// The server does not talk to us at all: it is not there, or does not know us.
    pub fn is_closed(&self) -> bool {
        matches!(self.reason, Reason::Unreachable | Reason::Unauthorized)
    }

    pub fn is_not_found(&self) -> bool {
        self.reason == Reason::NotFound
    }

    pub fn is_already_exists(&self) -> bool {
        self.reason == Reason::AlreadyExists
    }

    pub fn is_conflict(&self) -> bool {
        self.reason == Reason::Conflict
    }
}
