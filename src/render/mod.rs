//! (room)
pub mod errors;
pub mod control;
