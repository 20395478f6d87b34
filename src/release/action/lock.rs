//! Who works on a release: a mark that one process at a time holds, and that tells a dead owner from a live one.
//!
//! Helm's only lock is the pending record: when its writer dies, the release is stuck. Here the writer holds a mark beside the records for as
//! long as it works. Another process that finds it asks whether the owner lives. On the same machine the process table answers at once. An
//! owner elsewhere renews its mark every [`RENEW`]; one that has not done so while it was watched for [`LEASE`] is dead. No clocks are
//! compared. What a dead owner left is settled by whoever takes its mark over (`settle`).
//!
//! The mark never meets Helm: in a cluster it is an object without Helm's labels, in a directory a hidden file.

mod file;
mod object;
mod owner;

pub use file::FileLocks;
pub use object::ObjectLocks;
pub use owner::Owner;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;

/// How often an owner renews its mark.
pub const RENEW: Duration = Duration::from_secs(4);

/// An owner that does not renew its mark while it is watched for so long is dead.
pub const LEASE: Duration = Duration::from_secs(16);

/// Why a mark could not be had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// A live owner works on the release.
    #[error("another operation (install/upgrade/rollback) is in progress")]
    Held(Box<Owner>),
    #[error(transparent)]
    Cluster(#[from] crate::cluster::ClusterError),
    #[error("{0}")]
    Io(String),
}

/// Where marks are kept: objects of a cluster, files of a directory.
#[async_trait]
pub trait Locks: Send + Sync {
    /// Takes the mark of a release. May wait up to [`LEASE`] to see whether an owner on another machine lives; `waiting` is told so.
    ///
    /// # Errors
    /// [`LockError::Held`] by a live owner; what the cluster or the disk said.
    async fn acquire(
        &self,
        release: &str,
        me: Owner,
        waiting: &(dyn for<'o> Fn(&'o Owner) + Send + Sync),
    ) -> Result<Held, LockError>;

    /// The mark that is there, whoever's it is.
    ///
    /// # Errors
    /// What the cluster or the disk said.
    async fn look(&self, release: &str) -> Result<Option<Owner>, LockError>;
}

/// A mark that this process holds.
pub struct Held {
    /// The dead owner it was taken over from.
    pub dead: Option<Owner>,
    lost: Lost,
    mark: Box<dyn Mark>,
}

/// Gives a mark back.
#[async_trait]
trait Mark: Send + Sync {
    async fn release(self: Box<Self>);
}

impl Held {
    /// True once somebody else has taken the mark over (this process slept too long): nothing may be written any more.
    pub fn lost(&self) -> Lost {
        self.lost.clone()
    }

    /// Gives the mark back. A mark that cannot be removed is that of a dead owner for the next process.
    pub async fn release(self) {
        self.mark.release().await;
    }
}

/// Whether a mark was lost, seen from everywhere.
#[derive(Clone, Debug, Default)]
pub struct Lost(Arc<AtomicBool>);

impl Lost {
    fn set(&self) {
        self.0.store(true, Ordering::Release);
    }

    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}
