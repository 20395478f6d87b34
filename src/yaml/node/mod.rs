//! YAML documents as trees of nodes with their comments, as go-yaml v3's `Node` has them: what SOPS reads and writes.
//!
//! [`documents`] reads a text; [`Writer`] writes nodes in block style, with any indentation, byte for byte as go-yaml v3.0 does. The two are not
//! inverse: like the original, the writer chooses quotes and block styles by the text alone.

mod check;
mod emit;
mod parse;
mod resolve;
mod styled;

pub use check::{Failure, check};
pub use emit::{Entry, Item, Scalar, Tree, Writer};
pub use parse::{Documents, documents};
pub use resolve::{Resolved, resolve};
pub use styled::{object, stream, write_stream};

use super::scanner::Style;

/// Deepest nesting that is read. go-yaml reads 10,000 levels; no file that people edit comes near.
pub const MAX_DEPTH: usize = 200;

/// What a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeKind {
    Scalar,
    /// Children are keys and values in turn.
    Mapping,
    Sequence,
    /// Stands for the node of that index.
    Alias(usize),
}

/// A node with what go-yaml v3 knows of it.
#[derive(Clone, Debug)]
pub struct Node {
    pub kind: NodeKind,
    /// The tag in its short form (`!!str`); for a plain scalar without one, the tag found from its text.
    pub tag: String,
    /// True if the tag is written in the text.
    pub tagged: bool,
    pub style: Style,
    /// A scalar's text; an alias's name.
    pub value: Vec<u8>,
    /// 1-based.
    pub line: u32,
    /// Of a scalar: the bytes of its token, quotes included; an empty value has none.
    pub span: std::ops::Range<usize>,
    /// Of a collection: written with brackets.
    pub flow: bool,
    pub head: Vec<u8>,
    pub behind: Vec<u8>,
    pub foot: Vec<u8>,
    /// Indices of the children.
    pub children: Vec<usize>,
}

/// One document: nodes in the order of their begin.
#[derive(Clone, Debug, Default)]
pub struct Document {
    pub nodes: Vec<Node>,
    pub root: usize,
    /// Comments of the document itself, above and below.
    pub head: Vec<u8>,
    pub foot: Vec<u8>,
}

impl Document {
    /// The node itself, or what an alias stands for.
    pub fn target(&self, id: usize) -> Option<&Node> {
        match self.nodes.get(id)? {
            // An alias never stands for an alias.
            Node { kind: NodeKind::Alias(to), .. } => self.nodes.get(*to),
            node => Some(node),
        }
    }
}
