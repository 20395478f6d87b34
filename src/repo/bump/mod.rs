//! Bumping: one scalar of a deployment repository is changed, committed and pushed, whoever else pushes at the same time.
//!
//! What is wanted is an [`Intent`]: this service's tag in that environment. It is not a patch: when another push came first, the intent is applied to
//! the new tip ([`find`], then a splice), not rebased as text. So neighbouring edits and reformatting never conflict, and an intent that is
//! fulfilled already makes no commit.
//!
//! - [`find`]: where the value stands: image policy markers, HelmRelease values, values files, kustomization images, chart versions.
//! - `git`: objects without a work tree, through the `git` program; push by compare and swap.
//! - `push`: the loop around both, until it lands or time is up.

mod find;
mod forward;
mod git;
mod image;
mod intent;
mod push;

pub use find::{Edit, FindError, Texts, Tree, apply, find};
pub use git::{Git, GitError};
pub use image::{ImageRef, ParseImageError};
pub use intent::{Change, Intent};
pub use push::{BumpError, Done, Outcome, Plan, State, bump};
