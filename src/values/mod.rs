//! The values that a render gets: defaults of the chart and its subcharts, the user's files and `--set` flags, or a HelmRelease's
//! references, laid over each other in Helm's order.
//!
//! Everything works on a [`Heap`](crate::value::Heap), because Helm's result shares tables between charts and templates can see it.

pub mod coalesce;
pub mod compose;
pub mod dependencies;
pub mod digest;
pub mod files;
pub mod strvals;
mod tables;
#[cfg(test)]
mod tests;

pub use coalesce::{coalesce_values, merge_values};
pub use dependencies::process_dependencies;
pub use files::ValueOptions;
pub use tables::{deep_copy_map, lookup_path, lookup_table, merge_maps};

/// The key under which values are handed down to every subchart.
pub const GLOBAL: &str = "global";
