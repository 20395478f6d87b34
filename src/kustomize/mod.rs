//! Overlays: what `kustomize build` makes of a directory, byte for byte as kustomize 5.8.1.
//!
//! A build reads a tree of files ([`tree::Tree`]), follows the kustomization files in it, and gives objects with their places and
//! their text. Objects are trees of nodes from reading to writing (`node`), because kustomize's output depends on how a value was
//! written; they are read by `read` and printed by `emit`. A kustomization with all below it is a `target`; what it does to
//! objects stands in the files named for it: `patch` with `merge` and `json6902`, `transform`, `image`,
//! `replacement`, `generator`, `nameref`, `vars`. Which fields hold names, labels and images is data: `config`; so are the
//! merge keys of lists: `schema`. [`flux`] is what Flux adds around a build.
//!
//! Bases are built side by side, ids and references are found by index, and the cost grows with the size of the input. What is
//! not supported is refused with file and line: remote resources, charts, plugins that are programs.

mod build;
mod config;
mod configs;
mod decode;
mod emit;
mod error;
mod fieldspec;
pub mod flux;
mod generator;
pub mod given;
mod go_syntax;
mod ids;
mod image;
mod json;
mod json6902;
mod kustomization;
mod lookup;
mod merge;
mod merge_list;
mod nameref;
mod node;
mod objects;
mod openapi;
mod origin;
mod parallel;
mod patch;
mod plugin;
mod print;
mod read;
mod replacement;
mod resmap;
mod resource;
mod schema;
mod selector;
mod shared;
mod sort;
mod target;
mod time;
mod transform;
mod tree;
mod vars;

pub use build::{Build, Object, Options, Reorder, build};
pub use error::{Error, Result};
pub use generator::hash_of;
pub use resource::Source;
pub use tree::{Entry, LoadRestrictions, MemoryTree, Tree, names, remote_target};

/// Reads the built-in tables that a build reads when it first needs them: for whoever has a thread to spare before that.
pub fn get_ready() {
    config::Config::default_merged();
    schema::Schemas::builtin();
    ids::Gvk::default().is_cluster_scoped();
}
