//! Decoded YAML as plain data with Go's types kept apart: for error texts, and for decoding into structs.

use super::decode::{self, Build};
use super::resolve::Scalar;
use super::tree::{NodeId, Tree};

/// A Go value as go-yaml decodes it into an `interface{}`.
#[derive(Clone, Debug, PartialEq)]
pub enum Data<'a> {
    Scalar(Scalar<'a>),
    List(Vec<Self>),
    /// In the order of the document; of equal keys the last counts.
    Map(Vec<(Scalar<'a>, Self)>),
}

/// Builds [`Data`]. Collections with `max_depth` others around them are left empty: nobody asks for what is inside.
pub struct DataBuild {
    max_depth: usize,
    /// Something was seen, at any depth, that cannot become JSON: a float that is no number, a key without text.
    pub suspect: bool,
}

impl DataBuild {
    pub const fn new(max_depth: usize) -> Self {
        Self { max_depth, suspect: false }
    }
}

/// Deep enough for any message, shallow enough for recursion.
pub const SHOWN_DEPTH: usize = 200;

impl<'a> Build<'a> for DataBuild {
    type Out = Data<'a>;

    fn scalar(&mut self, scalar: Scalar<'a>) -> Data<'a> {
        if let Scalar::Float(f) = scalar {
            self.suspect |= !f.is_finite();
        }
        Data::Scalar(scalar)
    }

    fn list(&mut self, items: Vec<Data<'a>>, depth: usize) -> Data<'a> {
        Data::List(if depth >= self.max_depth { Vec::new() } else { items })
    }

    fn map(&mut self, entries: Vec<(Scalar<'a>, Data<'a>)>, depth: usize) -> Data<'a> {
        self.suspect |= entries.iter().any(|(k, _)| matches!(k, Scalar::Null | Scalar::Uint(_)));
        Data::Map(if depth >= self.max_depth { Vec::new() } else { entries })
    }
}

/// Leaves one entry of each key, the last.
pub fn dedup(data: &mut Data<'_>) {
    match data {
        Data::Scalar(_) => {}
        Data::List(items) => items.iter_mut().for_each(dedup),
        Data::Map(entries) => {
            let mut seen = std::collections::HashSet::new();
            let mut keep: Vec<bool> = entries.iter().rev().map(|(k, _)| seen.insert(format!("{k:?}"))).collect();
            entries.retain(|_| keep.pop().unwrap_or(true));
            entries.iter_mut().for_each(|(_, v)| dedup(v));
        }
    }
}

/// The value of one node, or nil if it has none.
pub fn decode_node<'a>(tree: &'a Tree<'a>, id: NodeId) -> Data<'a> {
    let mut build = DataBuild::new(SHOWN_DEPTH);
    let data = decode::decode(tree, Some(id), &mut build, None).ok().flatten();
    let mut data = data.unwrap_or(Data::Scalar(Scalar::Null));
    dedup(&mut data);
    data
}
