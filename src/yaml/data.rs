//! Decoded YAML as plain data with Go's types kept apart: for error texts, and for decoding into structs.

use super::decode::{self, Build};
use super::resolve::Scalar;
use super::tree::{NodeId, Tree};

/// A Go value as go-yaml decodes it into an `interface{}`.
#[derive(Clone, Debug, PartialEq)]
pub enum Data<'a> {
    Scalar(Scalar<'a>),
    List(Vec<Self>),
    /// In the order of the document; each key once.
    Map(Vec<(Scalar<'a>, Self)>),
}

/// Builds [`Data`]. Collections with `max_depth` others around them are left empty: nobody asks for what is inside.
pub struct DataBuild {
    pub max_depth: usize,
}

/// Deep enough for any message, shallow enough for recursion.
pub const SHOWN_DEPTH: usize = 200;

impl<'a> Build<'a> for DataBuild {
    type Out = Data<'a>;

    fn scalar(&mut self, scalar: Scalar<'a>) -> Data<'a> {
        Data::Scalar(scalar)
    }

    fn list(&mut self, items: Vec<Data<'a>>, depth: usize) -> Data<'a> {
        Data::List(if depth >= self.max_depth { Vec::new() } else { items })
    }

    fn map(&mut self, entries: Vec<(Scalar<'a>, Data<'a>)>, depth: usize) -> Data<'a> {
        if depth >= self.max_depth {
            return Data::Map(Vec::new());
        }
        let mut seen: std::collections::HashMap<String, usize> = std::collections::HashMap::new();
        let mut out: Vec<(Scalar<'a>, Data<'a>)> = Vec::with_capacity(entries.len());
        for (k, v) in entries {
            match seen.entry(format!("{k:?}")) {
                std::collections::hash_map::Entry::Occupied(e) => out[*e.get()].1 = v,
                std::collections::hash_map::Entry::Vacant(e) => {
                    e.insert(out.len());
                    out.push((k, v));
                }
            }
        }
        Data::Map(out)
    }
}

/// The value of one node, or nil if it has none.
pub fn decode_node<'a>(tree: &Tree<'a>, id: NodeId) -> Data<'a> {
    let mut build = DataBuild { max_depth: SHOWN_DEPTH };
    decode::decode(tree, Some(id), &mut build, None).ok().flatten().unwrap_or(Data::Scalar(Scalar::Null))
}
