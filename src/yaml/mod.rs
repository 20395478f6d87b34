//! YAML as Helm sees it: YAML 1.1 as go-yaml v2 reads and writes it, with sigs.k8s.io/yaml around it.

mod convert;
mod data;
mod decode;
mod emit;
mod go_syntax;
mod marshal;
mod number;
mod parser;
mod reader;
mod resolve;
mod scalar;
mod scanner;
mod sort;
pub mod tree;

pub use convert::{to_map, to_value};
pub use marshal::{marshal, marshal_pretty, to_yaml_or_empty};
