//! Commands as people run them, with what they print.

mod commands;
mod flags;
mod rendering;
mod repository;
mod support;
