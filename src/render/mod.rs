//! (room)
pub mod control;
pub mod duration_funcs;
pub mod encode_funcs;
pub mod errors;
pub mod json_funcs;
