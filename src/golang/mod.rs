//! What Go's standard library and its usual companions do, on plain bytes and numbers.

pub mod base64;
pub mod doublestar;
pub mod duration;
pub mod errno;
pub mod expand;
pub mod float;
pub mod fmt;
pub mod glob;
pub mod json;
pub mod netip;
pub mod path;
pub mod regexp;
pub mod semver;
pub mod semver_constraint;
pub mod slog;
pub mod strconv;
pub mod time;
pub mod unicode;
mod unicode_tables;
pub mod url;
