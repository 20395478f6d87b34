//! From tokens to nodes: go-yaml v3's `parserc.go` and the node building of its `decode.go`, by recursive descent.

use std::borrow::Cow;
use std::collections::HashMap;

use super::super::reader;
use super::super::scanner::{Kind, Mark, Problem, Scan, Scanner, Style};
use super::resolve::{plain_tag, short};
use super::{Document, MAX_DEPTH, Node, NodeKind};

/// go-yaml v3's `parser.fail`: the text with a line number where it has one. The context's line comes first there.
fn message(problem: &Problem) -> String {
    let line = match (problem.context.line, problem.mark.line) {
        (0, 0) => return format!("yaml: {}", problem.text),
        (0, line) | (line, _) => line + u32::from(problem.scanner),
    };
    format!("yaml: line {line}: {}", problem.text)
}

/// Reads documents one by one; an error ends the stream and is go-yaml's text, `yaml: ` in front.
pub struct Documents<'a> {
    parser: Parser<'a>,
    /// Where the text cannot be read.
    bad: Option<reader::Bad>,
    started: bool,
    ended: bool,
}

/// The documents of a text (UTF-8, or UTF-16 with a byte order mark, already turned into UTF-8 by the reader).
pub fn documents<'a>(text: &'a [u8]) -> Documents<'a> {
    let bad = reader::check(text);
    let readable = bad.map_or(text, |b| text.get(..b.chunk).unwrap_or_default());
    Documents { parser: Parser::new(readable), bad, started: false, ended: false }
}

impl Iterator for Documents<'_> {
    type Item = Result<Document, String>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let result = self.parser.document(!self.started);
        self.started = true;
        // What lies beyond the readable part was looked at: that is the error.
        if let Some(bad) = self.bad
            && (bad.chunk == 0 || self.parser.scanner.wanted() > bad.chunk || matches!(result, Ok(None)))
        {
            self.ended = true;
            return Some(Err(format!("yaml: {}", bad.problem)));
        }
        match result {
            Ok(Some(document)) => Some(Ok(document)),
            Ok(None) => {
                self.ended = true;
                None
            }
            Err(Fail::Problem(p)) => {
                self.ended = true;
                Some(Err(message(&p)))
            }
            Err(Fail::Text(t)) => {
                self.ended = true;
                Some(Err(format!("yaml: {t}")))
            }
        }
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

type Parse<T> = Result<T, Fail>;

struct Parser<'a> {
    scanner: Scanner<'a>,
    /// The comment of an item whose value is a nested collection: it belongs to the collection as a whole.
    stem: Option<Vec<u8>>,
    tags: Vec<(Vec<u8>, Vec<u8>)>,
    /// By name: the document, and the node in it. go-yaml knows anchors of earlier documents too.
    anchors: HashMap<Vec<u8>, (usize, usize)>,
    document: Document,
    /// Earlier documents, as long as anchors are in them.
    earlier: Vec<Document>,
    depth: usize,
}

/// A token's kind and places.
#[derive(Clone, Copy)]
struct Peek {
    kind: Kind,
    start: Mark,
    end: Mark,
}

/// What stands in front of a node's content.
#[derive(Default)]
struct Properties {
    anchor: Option<Vec<u8>>,
    tag: Vec<u8>,
}

impl<'a> Parser<'a> {
    fn new(text: &'a [u8]) -> Self {
        Self {
            scanner: Scanner::with_comments(text),
            stem: None,
            tags: Vec::new(),
            anchors: HashMap::new(),
            document: Document::default(),
            earlier: Vec::new(),
            depth: 0,
        }
    }

    fn fail<T>(text: &'static str, mark: Mark, context: Mark) -> Parse<T> {
        Err(Fail::Problem(Box::new(Problem { text: Cow::Borrowed(text), mark, context, scanner: false })))
    }

    fn peek(&mut self) -> Scan<Peek> {
        let token = self.scanner.peek()?;
        let peek = Peek { kind: token.kind, start: token.start, end: token.end };
        if let Some(comments) = &mut self.scanner.comments {
            comments.unfold(peek.kind, peek.start);
        }
        Ok(peek)
    }

    fn skip(&mut self) -> Scan<()> {
        self.scanner.take().map(|_| ())
    }

    /// The comments that the next event takes: above, behind, below.
    fn comments(&mut self) -> [Vec<u8>; 3] {
        self.stem = None;
        match &mut self.scanner.comments {
            Some(c) => [std::mem::take(&mut c.head), std::mem::take(&mut c.line), std::mem::take(&mut c.foot)],
            None => Default::default(),
        }
    }

    fn document(&mut self, first: bool) -> Parse<Option<Document>> {
        if first {
            self.scanner.take()?;
        }
        self.document = Document::default();
        let mut token = self.peek()?;
        if !first {
            while token.kind == Kind::DocumentEnd {
                self.skip()?;
                token = self.peek()?;
            }
        }
        match token.kind {
            Kind::StreamEnd => return Ok(None),
            Kind::Version(..) | Kind::TagDirective | Kind::DocumentStart => {
                self.explicit_start()?;
            }
            _ if first => {
                self.directives()?;
                self.document.head = self.split_head();
                self.document.root = self.node(true, false)?;
            }
            _ => {
                self.explicit_start()?;
            }
        }
        let token = self.peek()?;
        if token.kind == Kind::DocumentEnd {
            self.skip()?;
        }
        self.tags.clear();
        let [head, _, foot] = self.comments();
        self.document.foot = if foot.is_empty() { head } else { foot };
        let number = self.earlier.len();
        let anchored = self.anchors.values().any(|(document, _)| *document == number);
        self.earlier.push(if anchored { self.document.clone() } else { Document::default() });
        Ok(Some(std::mem::take(&mut self.document)))
    }

    fn explicit_start(&mut self) -> Parse<()> {
        self.directives()?;
        let token = self.peek()?;
        if token.kind != Kind::DocumentStart {
            return Self::fail("did not find expected <document start>", token.start, Mark::default());
        }
        self.skip()?;
        let token = self.peek()?;
        self.document.root = match token.kind {
            Kind::Version(..) | Kind::TagDirective | Kind::DocumentStart | Kind::DocumentEnd | Kind::StreamEnd => {
                self.empty(token.start)
            }
            _ => self.node(true, false)?,
        };
        Ok(())
    }

    /// The part of the first comments above the last empty line is the document's.
    fn split_head(&mut self) -> Vec<u8> {
        let Some(comments) = &mut self.scanner.comments else { return Vec::new() };
        let head = std::mem::take(&mut comments.head);
        for i in (1..head.len()).rev().filter(|i| head.get(*i) == Some(&b'\n')) {
            let end = match i {
                i if i == head.len() - 1 => i,
                i if head.get(i - 1) == Some(&b'\n') => i - 1,
                _ => continue,
            };
            comments.head = head.get(i + 1..).unwrap_or_default().to_vec();
            return head.get(..end).unwrap_or_default().to_vec();
        }
        comments.head = head;
        Vec::new()
    }

    fn directives(&mut self) -> Parse<()> {
        let mut version = false;
        loop {
            let Peek { kind, start, .. } = self.peek()?;
            match kind {
                Kind::Version(..) if version => {
                    return Self::fail("found duplicate %YAML directive", start, Mark::default());
                }
                Kind::Version(1, 1) => version = true,
                Kind::Version(..) => return Self::fail("found incompatible YAML document", start, Mark::default()),
                Kind::TagDirective => {
                    let token = self.scanner.peek()?;
                    let (handle, prefix) = (token.value.to_vec(), token.suffix.to_vec());
                    if self.tags.iter().any(|(h, _)| *h == handle) {
                        return Self::fail("found duplicate %TAG directive", start, Mark::default());
                    }
                    self.tags.push((handle, prefix));
                }
                _ => break,
            }
            self.skip()?;
        }
        for (handle, prefix) in [("!", "!"), ("!!", "tag:yaml.org,2002:")] {
            if !self.tags.iter().any(|(h, _)| h == handle.as_bytes()) {
                self.tags.push((handle.into(), prefix.into()));
            }
        }
        Ok(())
    }

    fn add(&mut self, node: Node, anchor: Option<Vec<u8>>) -> usize {
        let id = self.document.nodes.len();
        self.document.nodes.push(node);
        if let Some(name) = anchor {
            self.anchors.insert(name, (self.earlier.len(), id));
        }
        id
    }

    /// Copies a node of an earlier document, with all it holds, into this one.
    fn import(&mut self, document: usize, root: usize) -> usize {
        let Some(from) = self.earlier.get(document) else { return root };
        let mut copies: HashMap<usize, usize> = HashMap::new();
        let (mut queue, first) = (vec![root], self.document.nodes.len());
        let mut order = Vec::new();
        while let Some(id) = queue.pop() {
            let Some(node) = from.nodes.get(id).filter(|_| !copies.contains_key(&id)) else { continue };
            copies.insert(id, first + order.len());
            order.push(id);
            queue.extend(&node.children);
            if let NodeKind::Alias(to) = node.kind {
                queue.push(to);
            }
        }
        let at = |id: &usize| copies.get(id).copied().unwrap_or(first);
        let copied = order.iter().filter_map(|id| from.nodes.get(*id)).map(|node| {
            let mut node = Node { span: 0..0, ..node.clone() };
            node.children = node.children.iter().map(at).collect();
            if let NodeKind::Alias(to) = &node.kind {
                node.kind = NodeKind::Alias(at(to));
            }
            node
        });
        let copied: Vec<Node> = copied.collect();
        self.document.nodes.extend(copied);
        first
    }

    fn at(&mut self, id: usize) -> Option<&mut Node> {
        self.document.nodes.get_mut(id)
    }

    /// An empty plain scalar; it takes no comments.
    fn empty(&mut self, mark: Mark) -> usize {
        let node = scalar_node(&[], Vec::new(), Style::Plain, mark, Default::default());
        self.add(node, None)
    }

    fn node(&mut self, block: bool, indentless: bool) -> Parse<usize> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Fail::Text(format!("nested deeper than {MAX_DEPTH} levels")));
        }
        let result = self.node_within(block, indentless);
        self.depth -= 1;
        result
    }

    fn node_within(&mut self, block: bool, indentless: bool) -> Parse<usize> {
        let mut token = self.peek()?;
        if token.kind == Kind::Alias {
            let name = self.scanner.peek()?.value.to_vec();
            let comments = self.comments();
            self.skip()?;
            let Some((document, to)) = self.anchors.get(&name).copied() else {
                return Err(Fail::Text(format!("unknown anchor '{}' referenced", String::from_utf8_lossy(&name))));
            };
            let mut node = scalar_node(&[], name, Style::Plain, token.start, comments);
            let id = self.add(node.clone(), None);
            let to = if document == self.earlier.len() { to } else { self.import(document, to) };
            node.kind = NodeKind::Alias(to);
            if let Some(place) = self.at(id) {
                *place = node;
            }
            return Ok(id);
        }
        let first = token;
        let (mut properties, mut raw) = (Properties::default(), None);
        let mut tag_mark = token.start;
        while (token.kind == Kind::Anchor && properties.anchor.is_none()) || (token.kind == Kind::Tag && raw.is_none())
        {
            let taken = self.scanner.take()?;
            if taken.kind == Kind::Anchor {
                properties.anchor = Some(taken.value.to_vec());
            } else {
                tag_mark = taken.start;
                raw = Some((taken.value.to_vec(), taken.suffix.to_vec()));
            }
            token = self.peek()?;
        }
        if let Some((handle, suffix)) = raw {
            properties.tag = if handle.is_empty() {
                suffix
            } else {
                match self.tags.iter().find(|(h, _)| *h == handle) {
                    Some((_, prefix)) => [prefix.as_slice(), &suffix].concat(),
                    None => return Self::fail("found undefined tag handle", tag_mark, first.start),
                }
            };
        }
        match token.kind {
            Kind::BlockEntry if indentless => {
                let id = self.collection(NodeKind::Sequence, first.start, properties, Default::default());
                self.indentless_sequence(id)?;
                Ok(id)
            }
            Kind::Scalar => {
                let scalar = self.scanner.peek()?;
                let (value, style) = (scalar.value.to_vec(), scalar.style);
                let span = scalar.start.pos as usize..scalar.end.pos as usize;
                let comments = self.comments();
                self.skip()?;
                let node = Node { span, ..scalar_node(&properties.tag, value, style, first.start, comments) };
                Ok(self.add(node, properties.anchor))
            }
            Kind::FlowSequenceStart => {
                let comments = self.comments();
                let id = self.collection(NodeKind::Sequence, first.start, properties, comments);
                self.bracketed(id);
                self.flow_sequence(id)?;
                Ok(id)
            }
            Kind::FlowMappingStart => {
                let comments = self.comments();
                let id = self.collection(NodeKind::Mapping, first.start, properties, comments);
                self.bracketed(id);
                self.flow_mapping(id)?;
                Ok(id)
            }
            Kind::BlockSequenceStart if block => {
                let comments = [self.stem.take().unwrap_or_default(), Vec::new(), Vec::new()];
                let id = self.collection(NodeKind::Sequence, first.start, properties, comments);
                self.block_sequence(id)?;
                Ok(id)
            }
            Kind::BlockMappingStart if block => {
                let comments = [self.stem.take().unwrap_or_default(), Vec::new(), Vec::new()];
                let id = self.collection(NodeKind::Mapping, first.start, properties, comments);
                self.block_mapping(id)?;
                Ok(id)
            }
            _ if properties.anchor.is_some() || !properties.tag.is_empty() => {
                let node = scalar_node(&properties.tag, Vec::new(), Style::Plain, first.start, Default::default());
                Ok(self.add(node, properties.anchor))
            }
            _ => Self::fail("did not find expected node content", token.start, first.start),
        }
    }

    fn collection(
        &mut self,
        kind: NodeKind,
        start: Mark,
        properties: Properties,
        [head, behind, foot]: [Vec<u8>; 3],
    ) -> usize {
        let default = if kind == NodeKind::Mapping { "!!map" } else { "!!seq" };
        let tagged = !properties.tag.is_empty() && properties.tag != b"!";
        let node = Node {
            kind,
            tag: if tagged { short(&properties.tag) } else { default.to_owned() },
            tagged,
            style: Style::Plain,
            value: Vec::new(),
            line: start.line + 1,
            span: 0..0,
            flow: false,
            head,
            behind,
            foot,
            children: Vec::new(),
        };
        self.add(node, properties.anchor)
    }

    fn bracketed(&mut self, id: usize) {
        if let Some(node) = self.at(id) {
            node.flow = true;
        }
    }

    fn child(&mut self, parent: usize, child: usize) {
        if let Some(node) = self.at(parent) {
            node.children.push(child);
        }
    }

    /// The comments of a collection's end.
    fn close(&mut self, id: usize, comments: bool) {
        let [_, behind, foot] = if comments { self.comments() } else { Default::default() };
        if let Some(node) = self.at(id) {
            node.behind = behind;
            node.foot = foot;
        }
    }

    fn block_sequence(&mut self, id: usize) -> Parse<()> {
        let open = self.peek()?.start;
        self.skip()?;
        loop {
            let token = self.peek()?;
            match token.kind {
                Kind::BlockEntry => {
                    let next = self.entry()?;
                    let child = if matches!(next.kind, Kind::BlockEntry | Kind::BlockEnd) {
                        self.empty(token.end)
                    } else {
                        self.node(true, false)?
                    };
                    self.child(id, child);
                }
                Kind::BlockEnd => {
                    self.close(id, false);
                    self.skip()?;
                    return Ok(());
                }
                _ => return Self::fail("did not find expected '-' indicator", token.start, open),
            }
        }
    }

    fn indentless_sequence(&mut self, id: usize) -> Parse<()> {
        loop {
            let token = self.peek()?;
            if token.kind != Kind::BlockEntry {
                self.close(id, false);
                return Ok(());
            }
            let next = self.entry()?;
            let child = if matches!(next.kind, Kind::BlockEntry | Kind::Key | Kind::Value | Kind::BlockEnd) {
                self.empty(token.end)
            } else {
                self.node(true, false)?
            };
            self.child(id, child);
        }
    }

    /// Takes a `-`; what was above it is the head of a collection that follows at once, not of that one's first entry.
    fn entry(&mut self) -> Parse<Peek> {
        let stem = self.scanner.comments.as_ref().map_or(0, |c| c.head.len());
        self.skip()?;
        let next = self.peek()?;
        if stem > 0
            && matches!(next.kind, Kind::BlockSequenceStart | Kind::BlockMappingStart)
            && let Some(comments) = &mut self.scanner.comments
        {
            let rest = comments.head.get(stem + 1..).unwrap_or_default().to_vec();
            comments.head.truncate(stem);
            self.stem = Some(std::mem::replace(&mut comments.head, rest));
        }
        Ok(self.peek()?)
    }

    fn block_mapping(&mut self, id: usize) -> Parse<()> {
        let open = self.peek()?.start;
        self.skip()?;
        let mut before: Option<usize> = None;
        loop {
            let token = self.peek()?;
            let key = match token.kind {
                Kind::Key => {
                    self.skip()?;
                    let next = self.peek()?;
                    if matches!(next.kind, Kind::Key | Kind::Value | Kind::BlockEnd) {
                        self.empty(token.end)
                    } else {
                        self.node(true, true)?
                    }
                }
                Kind::BlockEnd => {
                    self.close(id, true);
                    self.skip()?;
                    // A foot of a block mapping is its last key's.
                    let foot = self.at(id).map(|n| std::mem::take(&mut n.foot)).unwrap_or_default();
                    let owner = if foot.is_empty() { None } else { Some(before.unwrap_or(id)) };
                    if let Some(node) = owner.and_then(|owner| self.at(owner)) {
                        node.foot = foot;
                    }
                    return Ok(());
                }
                _ => return Self::fail("did not find expected key", token.start, open),
            };
            self.child(id, key);
            // A foot found at a key is the key's before it, when there is one.
            if let Some(before) = before {
                let foot = self.at(key).map(|n| std::mem::take(&mut n.foot)).unwrap_or_default();
                if !foot.is_empty()
                    && let Some(node) = self.at(before)
                {
                    node.foot = foot;
                }
            }
            let token = self.peek()?;
            let value = if token.kind == Kind::Value {
                self.skip()?;
                let next = self.peek()?;
                if matches!(next.kind, Kind::Key | Kind::Value | Kind::BlockEnd) {
                    self.empty(token.end)
                } else {
                    self.node(true, true)?
                }
            } else {
                self.empty(token.start)
            };
            self.child(id, value);
            self.foot_to_key(key, value);
            before = Some(key);
        }
    }

    /// A value's foot is its key's.
    fn foot_to_key(&mut self, key: usize, value: usize) {
        if self.at(key).is_some_and(|k| k.foot.is_empty()) {
            let foot = self.at(value).map(|v| std::mem::take(&mut v.foot)).unwrap_or_default();
            if let Some(k) = self.at(key) {
                k.foot = foot;
            }
        }
    }

    fn flow_sequence(&mut self, id: usize) -> Parse<()> {
        let open = self.peek()?.start;
        self.skip()?;
        let mut first = true;
        loop {
            let mut token = self.peek()?;
            if token.kind != Kind::FlowSequenceEnd && !first {
                if token.kind != Kind::FlowEntry {
                    return Self::fail("did not find expected ',' or ']'", token.start, open);
                }
                self.skip()?;
                token = self.peek()?;
            }
            first = false;
            match token.kind {
                Kind::FlowSequenceEnd => {
                    self.close(id, true);
                    self.skip()?;
                    return Ok(());
                }
                Kind::Key => {
                    let pair =
                        self.collection(NodeKind::Mapping, token.start, Properties::default(), Default::default());
                    self.bracketed(pair);
                    self.skip()?;
                    self.flow_pair(pair)?;
                    self.child(id, pair);
                }
                _ => {
                    let child = self.node(false, false)?;
                    self.child(id, child);
                }
            }
        }
    }

    /// `key: value` inside brackets: a mapping of one entry.
    fn flow_pair(&mut self, id: usize) -> Parse<()> {
        let token = self.peek()?;
        let key = if matches!(token.kind, Kind::Value | Kind::FlowEntry | Kind::FlowSequenceEnd) {
            self.skip()?;
            self.empty(token.end)
        } else {
            self.node(false, false)?
        };
        self.child(id, key);
        let mut token = self.peek()?;
        let mut value = None;
        if token.kind == Kind::Value {
            self.skip()?;
            token = self.peek()?;
            if !matches!(token.kind, Kind::FlowEntry | Kind::FlowSequenceEnd) {
                value = Some(self.node(false, false)?);
            }
        }
        let value = match value {
            Some(value) => value,
            None => self.empty(token.start),
        };
        self.child(id, value);
        self.foot_to_key(key, value);
        self.peek()?;
        self.close(id, false);
        Ok(())
    }

    fn flow_mapping(&mut self, id: usize) -> Parse<()> {
        let open = self.peek()?.start;
        self.skip()?;
        let mut first = true;
        loop {
            let mut token = self.peek()?;
            if token.kind != Kind::FlowMappingEnd && !first {
                if token.kind != Kind::FlowEntry {
                    return Self::fail("did not find expected ',' or '}'", token.start, open);
                }
                self.skip()?;
                token = self.peek()?;
            }
            first = false;
            let (key, empty) = match token.kind {
                Kind::FlowMappingEnd => {
                    self.close(id, true);
                    self.skip()?;
                    return Ok(());
                }
                Kind::Key => {
                    self.skip()?;
                    let next = self.peek()?;
                    if matches!(next.kind, Kind::Value | Kind::FlowEntry | Kind::FlowMappingEnd) {
                        (self.empty(next.start), false)
                    } else {
                        (self.node(false, false)?, false)
                    }
                }
                _ => (self.node(false, false)?, true),
            };
            self.child(id, key);
            let mut token = self.peek()?;
            let mut value = None;
            if !empty && token.kind == Kind::Value {
                self.skip()?;
                token = self.peek()?;
                if !matches!(token.kind, Kind::FlowEntry | Kind::FlowMappingEnd) {
                    value = Some(self.node(false, false)?);
                }
            }
            let value = match value {
                Some(value) => value,
                None => self.empty(token.start),
            };
            self.child(id, value);
            self.foot_to_key(key, value);
        }
    }
}

fn scalar_node(tag: &[u8], value: Vec<u8>, style: Style, start: Mark, [head, behind, foot]: [Vec<u8>; 3]) -> Node {
    let tagged = !tag.is_empty() && tag != b"!";
    let tag = if tagged {
        short(tag)
    } else if style != Style::Plain {
        "!!str".to_owned()
    } else if value == b"<<" {
        "!!merge".to_owned()
    } else {
        plain_tag(&value).to_owned()
    };
    Node {
        kind: NodeKind::Scalar,
        tag,
        tagged,
        style,
        value,
        line: start.line + 1,
        span: 0..0,
        flow: false,
        head,
        behind,
        foot,
        children: Vec::new(),
    }
}
