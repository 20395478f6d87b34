//! What Go's standard library and its usual companions do, on plain bytes and numbers.

mod float;
pub mod path;
pub mod regexp;
pub mod semver;
pub mod semver_constraint;
pub mod slog;
pub mod strconv;
pub mod unicode;
mod unicode_tables;
