//! (room)
pub mod errors;
