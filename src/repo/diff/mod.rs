//! What a change of files does to an environment.

mod range;
pub mod touched;

pub use range::Range;
