//! (room)

pub mod semver;
