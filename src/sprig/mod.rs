//! Sprig 3.3's template functions by family, as plain Rust functions with typed arguments.
//!
//! Each family has a `register(&mut FuncTable)`; [`register`] calls them all. What Helm removes (`env`, `expandenv`) is not here;
//! what Helm replaces (`toJson`, `fail`, …) is replaced when Helm's own functions are registered afterwards. A Go panic inside a
//! Sprig function becomes the call's error with the panic's text, as text/template's `safeCall` makes it.

mod case;
mod convert;
mod crypto;
mod date;
mod decimal;
mod defaults;
mod dicts;
mod encoding;
mod hash;
pub(crate) mod json;
mod lists;
mod math;
mod merge;
mod paths;
mod random;
mod reflect;
mod regex;
pub mod semver;
mod strings;
#[cfg(test)]
mod tests;
pub mod time;
mod url;
mod wrap;

/// Go's standard base64 decoding; the error is the byte at which Go finds fault.
pub use encoding::base64 as decode_base64;

use crate::gotmpl::FuncTable;

/// Adds every Sprig function that Helm 4.3 exposes.
pub fn register(table: &mut FuncTable) {
    crypto::register(table);
    date::register(table);
    defaults::register(table);
    dicts::register(table);
    encoding::register(table);
    hash::register(table);
    json::register(table);
    lists::register(table);
    math::register(table);
    paths::register(table);
    random::register(table);
    reflect::register(table);
    regex::register(table);
    semver::register(table);
    strings::register(table);
    url::register(table);
}
