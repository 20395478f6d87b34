//! (room)
pub mod duration_funcs;
pub mod errors;
pub mod control;
pub mod encode_funcs;
