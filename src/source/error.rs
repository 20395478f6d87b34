//! What went wrong with a source: what, where, and what to do. No secret is ever in it.

use super::secret::redact;

/// The kind of failure, for those who decide on it (retry, exit code, status of an object).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The reference can't be understood. Mend it.
    Reference,
    /// There is no such chart, version, tag, repository or file.
    NotFound,
    /// 401 or missing credentials. Log in, or give credentials.
    Unauthorized,
    /// 403: the credentials are known, and not allowed.
    Forbidden,
    /// 429: too many requests, also after waiting as the server said.
    TooManyRequests,
    /// Another status than success.
    Status,
    /// No connection: DNS, TCP, TLS, a proxy.
    Unreachable,
    /// A certificate that does not hold, or a client certificate that is missing.
    Tls,
    /// The deadline passed, or nothing came for too long.
    Deadline,
    /// The transfer broke off or was shorter or longer than promised.
    Truncated,
    /// A redirect that is not followed: a loop, too many, or down to plain HTTP.
    Redirect,
    /// The content is not what its digest says.
    Digest,
    /// More bytes than the limit.
    TooLarge,
    /// Content that can't be what it should be: a broken index, manifest or archive.
    Malformed,
    /// Offline, and not in the cache.
    Offline,
    /// A signature is missing, wrong, or of somebody else.
    Unverified,
    /// The local disk: the cache, a keyring, a destination.
    Disk,
    /// A kind of source or a feature that there is not.
    Unsupported,
    /// What Helm refuses, in Helm's words.
    Refused,
}

/// An error of this room. `Display` is `what: where (what to do)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceError {
    pub reason: Reason,
    /// The message: what happened.
    pub message: String,
    /// The URL or path, without credentials. Empty where the message says it already.
    pub place: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// Seconds that the server asks to wait before the next try.
    pub retry_after: Option<u64>,
}

impl SourceError {
    /// `place` is redacted here, the message must be free of secrets.
    pub fn new(reason: Reason, place: impl AsRef<str>, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), place: redact(place.as_ref()), hint: None, retry_after: None }
    }

    /// An error in Helm's words, which name the place where Helm names it.
    pub fn refused(message: impl Into<String>) -> Self {
        Self::new(Reason::Refused, "", message)
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Whether another try may help.
    pub const fn transient(&self) -> bool {
        matches!(self.reason, Reason::TooManyRequests | Reason::Unreachable | Reason::Truncated)
            || (matches!(self.reason, Reason::Status) && self.retry_after.is_some())
    }

    /// An error of the disk.
    pub fn disk(what: &str, path: &std::path::Path, e: &std::io::Error) -> Self {
        let text = crate::golang::errno::text(e);
        let error = Self::new(Reason::Disk, path.display().to_string(), format!("{what}: {text}"));
        if matches!(e.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::FileTooLarge) {
            return error.hint("free some space, or choose another cache with PINTLE_CACHE_DIR");
        }
        error
    }
}

impl std::fmt::Display for SourceError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if !self.place.is_empty() {
            write!(f, "{}: ", self.place)?;
        }
        f.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(f, " ({hint})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for SourceError {}
