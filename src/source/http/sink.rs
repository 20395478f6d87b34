//! Where a body goes.

use crate::source::{Reason, SourceError};

/// Takes a body as it comes. After a broken transfer that can't be resumed it begins again.
pub trait Sink: Send {
    /// # Errors
    /// The sink takes no more: a limit, a full disk, a body that can't be read. The transfer ends.
    fn chunk(&mut self, bytes: &[u8]) -> Result<(), SourceError>;

    /// Forgets what came so far.
    ///
    /// # Errors
    /// As above.
    fn restart(&mut self) -> Result<(), SourceError>;
}

/// Keeps a body in memory, up to a limit.
pub struct Stored {
    bytes: Vec<u8>,
    limit: u64,
}

impl Stored {
    pub const fn new(limit: u64) -> Self {
        Self { bytes: Vec::new(), limit }
    }

    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

impl Sink for Stored {
    fn chunk(&mut self, bytes: &[u8]) -> Result<(), SourceError> {
        if (self.bytes.len() + bytes.len()) as u64 > self.limit {
            return Err(too_large(self.limit));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn restart(&mut self) -> Result<(), SourceError> {
        self.bytes.clear();
        Ok(())
    }
}

/// More than the limit.
pub fn too_large(limit: u64) -> SourceError {
    SourceError::new(Reason::TooLarge, "", format!("it has more than {limit} bytes"))
}
