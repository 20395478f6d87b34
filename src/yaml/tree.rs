//! The first document of a text as a tree of nodes with their places: what both the decoder and readers of positions work on.

use std::borrow::Cow;
use std::collections::HashMap;

use super::parser::{Event, Open, Parser};
use super::reader;
use super::scanner::{Mark, Problem, Style};

/// Index of a node in its [`Tree`].
pub type NodeId = u32;

/// "No node".
pub const NONE: NodeId = u32::MAX;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeKind {
    Scalar,
    /// Children are keys and values in turn.
    Mapping,
    Sequence,
    /// Stands for the node of that id.
    Alias(NodeId),
}

#[derive(Debug)]
pub struct Node<'a> {
    pub kind: NodeKind,
    pub style: Style,
    /// Of a scalar: its type is to be found from its text.
    pub implicit: bool,
    /// Of a collection: written with brackets.
    pub flow: bool,
    pub start: Mark,
    pub end: Mark,
    /// The text of a scalar, the name of an alias.
    pub value: Cow<'a, [u8]>,
    /// The tag of a scalar, empty if there is none. Tags of collections mean nothing to go-yaml.
    pub tag: Cow<'a, [u8]>,
    pub first_child: NodeId,
    pub next: NodeId,
}

/// One document.
#[derive(Debug)]
pub struct Tree<'a> {
    pub nodes: Vec<Node<'a>>,
    /// The root; `None` if the text holds no document at all.
    pub root: Option<NodeId>,
}

impl<'a> Tree<'a> {
    pub fn node(&self, id: NodeId) -> &Node<'a> {
        &self.nodes[id as usize]
    }

    /// The children of a node, in order.
    pub fn children(&self, id: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        let mut at = self.node(id).first_child;
        std::iter::from_fn(move || {
            let here = (at != NONE).then_some(at)?;
            at = self.node(here).next;
            Some(here)
        })
    }

    /// The node itself, or what an alias stands for.
    pub fn target(&self, mut id: NodeId) -> NodeId {
        // An alias never stands for an alias.
        while let NodeKind::Alias(to) = self.node(id).kind {
            id = to;
        }
        id
    }

    /// The key and value nodes of a mapping.
    pub fn entries(&self, id: NodeId) -> impl Iterator<Item = (NodeId, NodeId)> + '_ {
        let mut it = self.children(id);
        std::iter::from_fn(move || Some((it.next()?, it.next()?)))
    }

    /// The value behind a key of a mapping; the last one wins, as for the decoder.
    pub fn get(&self, id: NodeId, key: &str) -> Option<NodeId> {
        let id = self.target(id);
        if self.node(id).kind != NodeKind::Mapping {
            return None;
        }
        self.entries(id).filter(|(k, _)| *self.node(*k).value == *key.as_bytes()).map(|(_, v)| v).last()
    }
}

/// Reads the first document of a text without byte order mark. The error is go-yaml's text, `yaml: ` in front.
///
/// `bad` says where the text cannot be read, if that is known already.
pub fn parse(text: &[u8], bad: Option<reader::Bad>) -> Result<Tree<'_>, String> {
    parse_checked(text, bad.or_else(|| reader::check(text)))
}

/// As [`parse`], for a text that went through [`reader::decode`].
pub(super) fn parse_checked(text: &[u8], bad: Option<reader::Bad>) -> Result<Tree<'_>, String> {
    if text.len() >= u32::MAX as usize / 2 {
        return Err("yaml: the text is too large".into());
    }
    let Some(bad) = bad else { return Composer::new(text).document() };
    let refuse = || Err(format!("yaml: {}", bad.problem));
    if bad.chunk == 0 {
        return refuse();
    }
    let mut composer = Composer::new(&text[..bad.chunk]);
    let result = composer.document();
    if composer.parser.wanted() > bad.chunk { refuse() } else { result }
}

struct Composer<'a> {
    parser: Parser<'a>,
    nodes: Vec<Node<'a>>,
    anchors: HashMap<Cow<'a, [u8]>, NodeId>,
    /// Open collections with their last child.
    stack: Vec<(NodeId, NodeId)>,
}

impl<'a> Composer<'a> {
    fn new(text: &'a [u8]) -> Self {
        // A node for every few words, but no more room than a text of good size needs.
        let nodes = Vec::with_capacity((text.len() / 24).min(1 << 14));
        Self { parser: Parser::new(text), nodes, anchors: HashMap::new(), stack: Vec::new() }
    }

    fn document(&mut self) -> Result<Tree<'a>, String> {
        self.compose().map_err(|e| match e {
            Fail::Problem(p) => p.message(),
            Fail::Text(t) => t,
        })
    }

    fn compose(&mut self) -> Result<Tree<'a>, Fail> {
        if let Event::StreamEnd = self.parser.next()? {
            return Ok(Tree { nodes: Vec::new(), root: None });
        }
        let mut root = NONE;
        loop {
            let id = u32::try_from(self.nodes.len()).unwrap_or(NONE);
            let node = match self.parser.next()? {
                Event::Scalar(s) => {
                    self.anchor(s.anchor, id);
                    Node {
                        kind: NodeKind::Scalar,
                        style: s.style,
                        implicit: s.implicit,
                        flow: false,
                        start: s.start,
                        end: s.end,
                        value: s.value,
                        tag: s.tag,
                        first_child: NONE,
                        next: NONE,
                    }
                }
                Event::Alias { name, start, end } => {
                    let Some(&to) = self.anchors.get(&name) else {
                        let name = String::from_utf8_lossy(&name);
                        return Err(Fail::Text(format!("yaml: unknown anchor '{name}' referenced")));
                    };
                    Node { value: name, ..collection(NodeKind::Alias(to), start, end, false) }
                }
                Event::SequenceStart(open) => self.begin(NodeKind::Sequence, open, id),
                Event::MappingStart(open) => self.begin(NodeKind::Mapping, open, id),
                Event::SequenceEnd(end) | Event::MappingEnd(end) => {
                    if let Some((open, _)) = self.stack.pop() {
                        self.nodes[open as usize].end = end;
                    }
                    if self.stack.is_empty() {
                        break;
                    }
                    continue;
                }
                Event::DocumentStart | Event::DocumentEnd | Event::StreamEnd => break,
            };
            let opens = matches!(node.kind, NodeKind::Mapping | NodeKind::Sequence);
            self.nodes.push(node);
            match self.stack.last_mut() {
                Some((parent, last)) => {
                    if *last == NONE {
                        self.nodes[*parent as usize].first_child = id;
                    } else {
                        self.nodes[*last as usize].next = id;
                    }
                    *last = id;
                }
                None => root = id,
            }
            if opens {
                self.stack.push((id, NONE));
            } else if self.stack.is_empty() {
                break;
            }
        }
        // go-yaml asks for the document's end: what follows the root must be scannable and must end the document.
        self.parser.next()?;
        Ok(Tree { nodes: std::mem::take(&mut self.nodes), root: (root != NONE).then_some(root) })
    }

    fn begin(&mut self, kind: NodeKind, open: Open<'a>, id: NodeId) -> Node<'a> {
        self.anchor(open.anchor, id);
        collection(kind, open.start, open.start, open.flow)
    }

    fn anchor(&mut self, name: Option<Cow<'a, [u8]>>, id: NodeId) {
        if let Some(name) = name {
            self.anchors.insert(name, id);
        }
    }
}

const fn collection<'a>(kind: NodeKind, start: Mark, end: Mark, flow: bool) -> Node<'a> {
    Node {
        kind,
        style: Style::Plain,
        implicit: false,
        flow,
        start,
        end,
        value: Cow::Borrowed(b""),
        tag: Cow::Borrowed(b""),
        first_child: NONE,
        next: NONE,
    }
}

enum Fail {
    Problem(Box<Problem>),
    Text(String),
}

impl From<Box<Problem>> for Fail {
    fn from(p: Box<Problem>) -> Self {
        Self::Problem(p)
    }
}
