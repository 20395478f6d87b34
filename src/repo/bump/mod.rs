//! Bumping: one scalar of a deployment repository is changed, committed and pushed, whoever else pushes at the same time.
//!
//! What is wanted is an [`Intent`]: this service's tag in that environment. It is not a patch: when another push came first, the intent is applied to
//! the new tip ([`find`], then a splice), not rebased as text. So neighbouring edits and reformatting never conflict, and an intent that is
//! fulfilled already makes no commit.
//!
//! - [`find`]: where the value stands, in the files of `scope`: image policy markers (`marker`), images of HelmRelease values, values files and
//!   kustomizations (`images`), containers of workloads (`manifests`), chart versions and values by path (`releases`).
//! - `git`: objects without a work tree, through the `git` program; push by compare and swap.
//! - `push`: the loop around both, until it lands or time is up.

mod candidate;
mod find;
mod forward;
mod git;
mod image;
mod images;
mod intent;
mod manifests;
mod marker;
mod names;
mod path;
mod push;
mod releases;
mod scope;
mod shared;

pub use find::{Edit, FindError, Texts, Tree, apply, find};
pub use git::{Git, GitError};
pub use image::{ImageRef, ParseImageError};
pub use intent::{Change, Intent};
pub use path::split as split_path;
pub use push::{BumpError, Done, Outcome, Plan, State, bump};
