//! From the tree to Go values: aliases, merge keys, map keys and limits as go-yaml v2's `decode.go` handles them.
//!
//! The walk keeps its own stack, so nesting costs heap and not stack. What is built is up to a [`Build`]: values of a heap, or
//! plain data for error texts and typed decoding.

use std::collections::HashSet;

use super::go_syntax;
use super::resolve::{self, Scalar};
use super::tree::{NONE, NodeId, NodeKind, Tree};

/// Makes values from what the decoder finds.
pub trait Build<'a> {
    type Out;
    fn scalar(&mut self, scalar: Scalar<'a>) -> Self::Out;
    /// `depth` is the number of collections around this one.
    fn list(&mut self, items: Vec<Self::Out>, depth: usize) -> Self::Out;
    /// Entries in the order in which they were set; of equal keys the last counts.
    fn map(&mut self, entries: Vec<(Scalar<'a>, Self::Out)>, depth: usize) -> Self::Out;
}

/// encoding/json refuses deeper nesting.
pub const MAX_DEPTH: usize = 10_000;

enum Frame<'a, O> {
    /// Entries go to the map builder of that index; a merge writes to its parent's.
    Map {
        next: NodeId,
        builder: usize,
        merge: bool,
        key: Option<Scalar<'a>>,
        line: u32,
    },
    List {
        next: NodeId,
        items: Vec<O>,
    },
    Alias(NodeId),
    /// The nodes that are left to merge, last one first.
    Merges {
        nodes: Vec<NodeId>,
        builder: usize,
    },
}

enum Done<'a, O> {
    Scalar(Scalar<'a>),
    Value(O),
    /// A finished merge gives nothing.
    Nothing,
}

struct Decoder<'t, 'a, B: Build<'a>> {
    tree: &'a Tree<'a>,
    build: &'t mut B,
    frames: Vec<Frame<'a, B::Out>>,
    builders: Vec<Vec<(Scalar<'a>, B::Out)>>,
    /// Aliases being followed.
    active: HashSet<NodeId>,
    decoded: u64,
    through_alias: u64,
    /// Map and list frames.
    depth: usize,
    strict: Option<&'t mut Vec<(u32, Scalar<'a>)>>,
}

const WANT_MAP: &str = "yaml: map merge requires map or sequence of maps as the value";

/// Decodes from a node, mostly the document's root. `None`: there is none. Errors are go-yaml's texts.
///
/// `duplicates`, if given, receives the keys that were set again, with the 0-based line of the later value.
pub fn decode<'a, B: Build<'a>>(
    tree: &'a Tree<'a>,
    root: Option<NodeId>,
    build: &mut B,
    duplicates: Option<&mut Vec<(u32, Scalar<'a>)>>,
) -> Result<Option<B::Out>, String> {
    let Some(root) = root else { return Ok(None) };
    let mut d = Decoder {
        tree,
        build,
        frames: Vec::new(),
        builders: Vec::new(),
        active: HashSet::new(),
        // go-yaml counts the document itself.
        decoded: 1,
        through_alias: 0,
        depth: 0,
        strict: duplicates,
    };
    let mut done = d.enter(root)?;
    loop {
        done = match done {
            Some(value) => match d.deliver(value)? {
                Delivered::Root(out) => return Ok(Some(out)),
                Delivered::Again(value) => Some(value),
                Delivered::Kept => d.step()?,
            },
            None => d.step()?,
        };
    }
}

enum Delivered<'a, O> {
    Root(O),
    Again(Done<'a, O>),
    Kept,
}

impl<'a, B: Build<'a>> Decoder<'_, 'a, B> {
    fn aliases(&self) -> bool {
        !self.active.is_empty()
    }

    /// go-yaml's guard against documents that grow out of few bytes.
    fn count(&mut self) -> Result<(), String> {
        self.decoded += 1;
        self.through_alias += u64::from(self.aliases());
        if self.through_alias > 100 && self.decoded > 1000 {
            let n = self.decoded as f64;
            let allowed = match self.decoded {
                ..=400_000 => 0.99,
                4_000_000.. => 0.10,
                _ => 0.99 - 0.89 * ((n - 400_000.0) / 3_600_000.0),
            };
            if self.through_alias as f64 / n > allowed {
                return Err("yaml: document contains excessive aliasing".into());
            }
        }
        Ok(())
    }

    /// Starts on a node: a scalar is done at once, anything else becomes a frame.
    fn enter(&mut self, mut id: NodeId) -> Result<Option<Done<'a, B::Out>>, String> {
        loop {
            self.count()?;
            let node = self.tree.node(id);
            match node.kind {
                NodeKind::Scalar => {
                    return resolve::scalar(&node.tag, node.implicit, &node.value).map(|s| Some(Done::Scalar(s)));
                }
                NodeKind::Alias(to) => {
                    if !self.active.insert(id) {
                        let name = String::from_utf8_lossy(&node.value);
                        return Err(format!("yaml: anchor '{name}' value contains itself"));
                    }
                    self.frames.push(Frame::Alias(id));
                    id = to;
                }
                NodeKind::Mapping => {
                    let builder = self.builders.len();
                    self.builders.push(Vec::new());
                    self.open()?;
                    self.frames.push(Frame::Map { next: node.first_child, builder, merge: false, key: None, line: 0 });
                    return Ok(None);
                }
                NodeKind::Sequence => {
                    self.open()?;
                    self.frames.push(Frame::List { next: node.first_child, items: Vec::new() });
                    return Ok(None);
                }
            }
        }
    }

    fn open(&mut self) -> Result<(), String> {
        self.depth += 1;
        // Go gets to the end of the YAML first; an error there would win. The value is refused either way.
        if self.depth > MAX_DEPTH { Err(TOO_DEEP.into()) } else { Ok(()) }
    }

    /// Goes on with the innermost frame.
    fn step(&mut self) -> Result<Option<Done<'a, B::Out>>, String> {
        let Some(frame) = self.frames.last_mut() else { return Ok(None) };
        match frame {
            Frame::Map { next, builder, key, merge, line } => {
                if *next == NONE {
                    let (merge, builder) = (*merge, *builder);
                    self.frames.pop();
                    self.depth -= 1;
                    if merge {
                        return Ok(Some(Done::Nothing));
                    }
                    let entries = self.builders.pop().unwrap_or_default();
                    debug_assert_eq!(builder, self.builders.len());
                    return Ok(Some(Done::Value(self.build.map(entries, self.depth))));
                }
                let id = *next;
                let node = self.tree.node(id);
                *next = node.next;
                let merges = node.kind == NodeKind::Scalar
                    && *node.value == *b"<<"
                    && (node.implicit || *node.tag == *b"tag:yaml.org,2002:merge");
                if key.is_none() && merges {
                    let value = node.next;
                    *next = if value == NONE { NONE } else { self.tree.node(value).next };
                    let builder = *builder;
                    return self.merge(value, builder);
                }
                if key.is_some() {
                    *line = node.start.line;
                }
                self.enter(id)
            }
            Frame::List { next, .. } => {
                if *next == NONE {
                    let Some(Frame::List { items, .. }) = self.frames.pop() else { return Ok(None) };
                    self.depth -= 1;
                    return Ok(Some(Done::Value(self.build.list(items, self.depth))));
                }
                let id = *next;
                *next = self.tree.node(id).next;
                self.enter(id)
            }
            Frame::Merges { nodes, builder } => {
                let builder = *builder;
                match nodes.pop() {
                    Some(id) => self.merge_map(id, builder),
                    None => {
                        self.frames.pop();
                        Ok(Some(Done::Nothing))
                    }
                }
            }
            // An alias ends when its value is delivered.
            Frame::Alias(_) => Ok(None),
        }
    }

    fn merge(&mut self, id: NodeId, builder: usize) -> Result<Option<Done<'a, B::Out>>, String> {
        if id == NONE {
            return Err(WANT_MAP.into());
        }
        match self.tree.node(id).kind {
            NodeKind::Mapping | NodeKind::Alias(_) => self.merge_map(id, builder),
            NodeKind::Sequence => {
                let nodes = self.tree.children(id).collect();
                self.frames.push(Frame::Merges { nodes, builder });
                Ok(None)
            }
            NodeKind::Scalar => Err(WANT_MAP.into()),
        }
    }

    fn merge_map(&mut self, id: NodeId, builder: usize) -> Result<Option<Done<'a, B::Out>>, String> {
        let node = self.tree.node(id);
        let target = self.tree.target(id);
        if self.tree.node(target).kind != NodeKind::Mapping {
            return Err(WANT_MAP.into());
        }
        self.count()?;
        if target != id {
            if !self.active.insert(id) {
                let name = String::from_utf8_lossy(&node.value);
                return Err(format!("yaml: anchor '{name}' value contains itself"));
            }
            self.frames.push(Frame::Alias(id));
            self.count()?;
        }
        self.open()?;
        let next = self.tree.node(target).first_child;
        self.frames.push(Frame::Map { next, builder, merge: true, key: None, line: 0 });
        Ok(None)
    }

    /// Hands a finished value to the frame around it.
    fn deliver(&mut self, value: Done<'a, B::Out>) -> Result<Delivered<'a, B::Out>, String> {
        match self.frames.last_mut() {
            Some(Frame::Alias(id)) => {
                self.active.remove(id);
                self.frames.pop();
                Ok(Delivered::Again(value))
            }
            Some(Frame::Map { builder, key, line, .. }) => {
                let Some(k) = key.take() else {
                    match value {
                        Done::Scalar(s) => *key = Some(s),
                        Done::Value(_) => return Err(self.invalid_key()),
                        Done::Nothing => {}
                    }
                    return Ok(Delivered::Kept);
                };
                let builder = &mut self.builders[*builder];
                let out = match value {
                    Done::Scalar(s) => self.build.scalar(s),
                    Done::Value(v) => v,
                    Done::Nothing => return Ok(Delivered::Kept),
                };
                if let Some(found) = &mut self.strict
                    && builder.iter().any(|(seen, _)| *seen == k)
                {
                    found.push((*line, k.clone()));
                }
                builder.push((k, out));
                Ok(Delivered::Kept)
            }
            Some(Frame::List { items, .. }) => {
                match value {
                    Done::Scalar(s) => items.push(self.build.scalar(s)),
                    Done::Value(v) => items.push(v),
                    Done::Nothing => {}
                }
                Ok(Delivered::Kept)
            }
            Some(Frame::Merges { .. }) => Ok(Delivered::Kept),
            None => Ok(match value {
                Done::Scalar(s) => Delivered::Root(self.build.scalar(s)),
                Done::Value(v) => Delivered::Root(v),
                Done::Nothing => Delivered::Kept,
            }),
        }
    }

    /// The text for a map key that is a collection; the collection was just built, so it is found behind the last key node.
    fn invalid_key(&self) -> String {
        let frame = self.frames.iter().rev().find_map(|f| match f {
            Frame::Map { next, .. } => Some(*next),
            _ => None,
        });
        let key = frame.and_then(|next| self.key_before(next));
        let shown = key.map_or_else(String::new, |id| go_syntax::of_node(self.tree, id));
        format!("yaml: invalid map key: {shown}")
    }

    /// The sibling just before a node.
    fn key_before(&self, id: NodeId) -> Option<NodeId> {
        self.tree.nodes.iter().position(|n| n.next == id && id != NONE).and_then(|i| u32::try_from(i).ok())
    }
}

/// What encoding/json says of nesting beyond [`MAX_DEPTH`].
pub const TOO_DEEP: &str = "exceeded max depth";
