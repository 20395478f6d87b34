//! What Go's standard library and its usual companions do, on plain bytes and numbers.

pub mod regexp;
pub mod semver;
pub mod semver_constraint;
