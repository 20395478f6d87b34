//! YAML as Helm sees it: YAML 1.1 as go-yaml v2 reads and writes it, with sigs.k8s.io/yaml around it.

mod comments;
pub mod convert;
mod data;
pub mod decode;
mod directive;
mod duplicates;
pub mod edit;
pub mod emit;
mod go_syntax;
mod head;
mod marshal;
pub mod node;
pub mod parser;
pub mod reader;
pub mod resolve;
mod scalar;
pub mod scanner;
pub mod sort;
pub mod toml;
pub mod tree;

pub use convert::{Shape, to_integral_value, to_list, to_map, to_typed_value, to_value};
pub use duplicates::{duplicates, strict_error};
pub use head::{Head, head};
pub use marshal::{
    MarshalError, marshal, marshal_pretty, marshal_pretty_within, marshal_sorted, marshal_within, to_yaml_or_empty,
};

/// A text without its byte order mark, UTF-16 turned into UTF-8.
pub fn decode_text(text: &[u8]) -> std::borrow::Cow<'_, [u8]> {
    reader::decode(text).0
}

#[cfg(test)]
mod tests;
