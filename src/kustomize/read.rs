//! Reading YAML as kustomize does: `kio.FromBytes` for objects, `yaml.Parse` for single nodes, `yaml.YAMLToJSON` for
//! configuration.
//!
//! Objects are read with go-yaml v3's nodes. kustomize splits the text at lines that begin with `---` itself, reads the first
//! document of each part, and replaces aliases and merge keys at once (`DeAnchor`). Configuration goes through go-yaml v2.

use std::borrow::Cow;
use std::collections::HashMap;

use super::json::Json;
use super::node::{self, Kind, Node, Style, Tag};
use crate::yaml::decode::{self, Build};
use crate::yaml::parser::{Event, Parser};
use crate::yaml::resolve::Scalar;
use crate::yaml::scanner::{self, Problem};
use crate::yaml::{convert, reader, tree};

/// Collections nested deeper are refused: the walks over nodes use the stack.
pub const MAX_DEPTH: usize = 500;

/// So many nodes may come from aliases in one text; kustomize itself would run out of memory at some point.
const MAX_ALIASED: usize = 1 << 21;

/// Reads a stream of objects (`kio.FromBytes`). Errors are kustomize's texts.
pub fn objects(text: &[u8]) -> Result<Vec<Node>, String> {
    let text = unix_lines(text);
    let parts = split(&text)?;
    let mut out = Vec::new();
    let mut budget = MAX_ALIASED;
    for (part, line) in &parts {
        let node = match document(part, *line, &mut budget) {
            Ok(Some(node)) if !node.is_null() => node,
            Ok(_) => continue,
            Err(e) => return Err(format!("MalformedYAMLError: {e}")),
        };
        let kind = node.field("kind").filter(|n| !n.is_empty()).map_or("", Node::text);
        if parts.len() == 1
            && matches!(kind, "ResourceList" | "List")
            && (node.field("items").is_some() || node.field("functionConfig").is_some())
        {
            if let Some(items) = node.field("items") {
                out.extend(items.content.iter().cloned());
            }
            continue;
        }
        out.push(node);
    }
    out.iter_mut().try_for_each(merge_keys)?;
    Ok(out)
}

/// CR LF becomes LF.
fn unix_lines(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.windows(2).any(|w| w == b"\r\n") {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len());
    for (i, b) in text.iter().enumerate() {
        if *b != b'\r' || text.get(i + 1) != Some(&b'\n') {
            out.push(*b);
        }
    }
    Cow::Owned(out)
}

/// The parts between lines that begin with `---` (not a first line), each with the number of lines before it.
fn split(text: &[u8]) -> Result<Vec<(&[u8], u32)>, String> {
    let mut parts = Vec::new();
    if text.is_empty() {
        return Ok(parts);
    }
    let (mut start, mut line) = (0, 0);
    let mut at = 0;
    while let Some(found) = text[at..].windows(4).position(|w| w == b"\n---") {
        let begin = at + found;
        let Some(length) = text[begin + 1..].iter().position(|b| *b == b'\n') else { break };
        let end = begin + 1 + length;
        let after = crate::golang::unicode::trim_space(&text[begin + 4..end]);
        if !after.is_empty() && after[0] != b'#' {
            let line = crate::golang::unicode::trim_space(&text[begin..end]);
            return Err(format!("invalid document separator: {}", String::from_utf8_lossy(line)));
        }
        // The line break before the separator belongs to the part.
        let part = &text[start..=begin];
        parts.push((part, line));
        line += count_lines(part) + 1;
        start = end + 1;
        at = start;
    }
    parts.push((&text[start..], line));
    Ok(parts)
}

fn count_lines(text: &[u8]) -> u32 {
    text.iter().filter(|b| **b == b'\n').count() as u32
}

/// One document as a node, aliases replaced but merge keys left (`yaml.Parse`). No document at all is an empty node.
pub fn parse(text: &[u8]) -> Result<Option<Node>, String> {
    document(text, 0, &mut MAX_ALIASED.clone())
}

/// The first document of a text, with aliases replaced by copies. `None` if there is none.
///
/// go-yaml v3 looks ahead for comments: it takes some behind tabs, and of two mistakes it may meet the later one first. Whoever made no
/// mistake needn't pay for that: the text is read without comments, and once more with them if that fails. Where the document ends before the
/// text does, the mistake may be in what is behind it, which nothing else reads.
fn document(text: &[u8], line: u32, budget: &mut usize) -> Result<Option<Node>, String> {
    if text.windows(2).any(|w| matches!(w, b"\n%" | b"\n.")) {
        return attempt(true, text, line, budget);
    }
    let before = *budget;
    attempt(false, text, line, budget).or_else(|_| {
        *budget = before;
        attempt(true, text, line, budget)
    })
}

fn attempt(comments: bool, text: &[u8], line: u32, budget: &mut usize) -> Result<Option<Node>, String> {
    let parser = if comments { Parser::with_comments } else { Parser::new };
    let (text, bad) = reader::decode(text);
    let Some(bad) = bad else { return Composer::new(parser(&text), line, budget).document() };
    let refuse = || Err(format!("yaml: {}", bad.problem));
    if bad.chunk == 0 {
        return refuse();
    }
    let mut composer = Composer::new(parser(&text[..bad.chunk]), line, budget);
    let result = composer.document();
    if composer.parser.wanted() > bad.chunk { refuse() } else { result }
}

struct Composer<'a, 'b> {
    parser: Parser<'a>,
    /// `None`: the node is still open.
    anchors: HashMap<Vec<u8>, Option<Node>>,
    /// Open collections with their anchors.
    open: Vec<(Node, Option<Vec<u8>>)>,
    line: u32,
    budget: &'b mut usize,
}

impl<'a, 'b> Composer<'a, 'b> {
    fn new(parser: Parser<'a>, line: u32, budget: &'b mut usize) -> Self {
        Self { parser, anchors: HashMap::new(), open: Vec::new(), line, budget }
    }

    fn next(&mut self) -> Result<Event<'a>, String> {
        self.parser.next().map_err(|p| message(&p))
    }

    fn document(&mut self) -> Result<Option<Node>, String> {
        if matches!(self.next()?, Event::StreamEnd) {
            return Ok(None);
        }
        loop {
            let (node, anchor) = match self.next()? {
                Event::Scalar(s) => {
                    let value = String::from_utf8_lossy(&s.value).into_owned();
                    let style = match s.style {
                        scanner::Style::Plain => Style::Plain,
                        scanner::Style::Single => Style::Single,
                        scanner::Style::Double => Style::Double,
                        scanner::Style::Literal => Style::Literal,
                        scanner::Style::Folded => Style::Folded,
                    };
                    let (tagged, tag) = match &*s.tag {
                        b"" | b"!" if style != Style::Plain => (false, Tag::Str),
                        b"" | b"!" if value == "<<" => (false, Tag::Merge),
                        b"" | b"!" => (false, node::resolve3(&value).0),
                        tag => (true, Tag::from_long(&String::from_utf8_lossy(tag))),
                    };
                    let line = s.start.line + 1 + self.line;
                    let kind = Kind::Scalar;
                    (Node { kind, style, tagged, tag, value, line, ..Node::default() }, s.anchor.map(Cow::into_owned))
                }
                Event::Alias { name, .. } => match self.anchors.get(&*name) {
                    Some(Some(node)) => {
                        let node = node.clone();
                        let size = size(&node);
                        match self.budget.checked_sub(size) {
                            Some(left) => *self.budget = left,
                            None => return Err("yaml: document contains excessive aliasing".into()),
                        }
                        if depth(&node) + self.open.len() > MAX_DEPTH {
                            return Err("yaml: exceeded max depth".into());
                        }
                        (node, None)
                    }
                    name_ => {
                        let name = String::from_utf8_lossy(&name);
                        return Err(match name_ {
                            Some(_) => format!("yaml: anchor '{name}' value contains itself"),
                            None => format!("yaml: unknown anchor '{name}' referenced"),
                        });
                    }
                },
                Event::SequenceStart(o) | Event::MappingStart(o) if self.open.len() >= MAX_DEPTH => {
                    return Err(format!("yaml: line {}: exceeded max depth", o.start.line + 1));
                }
                Event::SequenceStart(o) => {
                    self.begin(Kind::Sequence, Tag::Seq, o.flow, o.start.line, o.anchor.map(Cow::into_owned));
                    continue;
                }
                Event::MappingStart(o) => {
                    self.begin(Kind::Mapping, Tag::Map, o.flow, o.start.line, o.anchor.map(Cow::into_owned));
                    continue;
                }
                Event::SequenceEnd(_) | Event::MappingEnd(_) => match self.open.pop() {
                    Some((mut node, anchor)) => {
                        node.content.shrink_to_fit();
                        (node, anchor)
                    }
                    None => return Ok(None),
                },
                Event::DocumentStart | Event::DocumentEnd | Event::StreamEnd => return Ok(None),
            };
            if let Some(anchor) = anchor {
                self.anchors.insert(anchor, Some(node.clone()));
            }
            match self.open.last_mut() {
                Some((parent, _)) => parent.content.push(node),
                None => {
                    // go-yaml asks for the document's end: what follows must end the document.
                    self.next()?;
                    return Ok(Some(node));
                }
            }
        }
    }

    fn begin(&mut self, kind: Kind, tag: Tag, flow: bool, line: u32, anchor: Option<Vec<u8>>) {
        if let Some(anchor) = &anchor {
            self.anchors.insert(anchor.clone(), None);
        }
        self.open.push((Node { kind, tag, flow, line: line + 1 + self.line, ..Node::default() }, anchor));
    }
}

fn size(node: &Node) -> usize {
    1 + node.content.iter().map(size).sum::<usize>()
}

fn depth(node: &Node) -> usize {
    1 + node.content.iter().map(depth).max().unwrap_or(0)
}

/// go-yaml v3's `parser.fail`: unlike v2 it names the line of the context, if there is one.
fn message(p: &Problem) -> String {
    let line = match (p.context.line, p.mark.line) {
        (0, 0) => return format!("yaml: {}", p.text),
        (0, line) | (line, _) => line + u32::from(p.scanner),
    };
    format!("yaml: line {line}: {}", p.text)
}

/// Puts what merge keys name in their place (`DeAnchor`).
fn merge_keys(node: &mut Node) -> Result<(), String> {
    if node.kind == Kind::Mapping {
        let merges: Vec<&Node> = node.fields().filter(|(k, _)| k.tag == Tag::Merge).map(|(_, v)| v).collect();
        if merges.len() > 1 {
            return Err("duplicate merge key".into());
        }
        if let Some(value) = merges.first() {
            let mut maps = merge_values(value)?;
            node.clear("<<");
            maps.iter_mut().try_for_each(merge_keys)?;
            maps.push(node.clone());
            for map in &maps {
                override_fields(node, map);
            }
        } else {
            // Kustomize looks for the key's text, not for its tag.
            node.clear("<<");
            if node.fields().any(|(k, _)| k.is_null() && !k.value.is_empty()) {
                // A null key is not found again by its text, so kustomize adds it a second time.
                let copy = node.clone();
                override_fields(node, &copy);
            }
        }
    }
    node.content.iter_mut().try_for_each(merge_keys)
}

/// Sets each field of `from` in `to`, key and value (`MapEntrySetter`).
fn override_fields(to: &mut Node, from: &Node) {
    for (key, _) in from.fields() {
        // Of equal keys the first counts.
        let Some(at) = from.field_index(&key.value) else { continue };
        let (key, value) = (&from.content[at - 1], &from.content[at]);
        match to.field_index(key.text()) {
            Some(old) => {
                to.content[old - 1] = key.clone();
                to.content[old] = value.clone();
            }
            None => to.content.extend([key.clone(), value.clone()]),
        }
    }
}

/// The maps to merge, the most important last.
fn merge_values(value: &Node) -> Result<Vec<Node>, String> {
    match value.kind {
        Kind::Mapping => Ok(vec![value.clone()]),
        Kind::Sequence => {
            let mut maps = Vec::new();
            for item in value.content.iter().rev() {
                match item.kind {
                    Kind::Mapping => maps.push(item.clone()),
                    Kind::Sequence => return Err("invalid map merge: received a nested sequence".into()),
                    _ => return Err("map merge requires map or sequence of maps as the value".into()),
                }
            }
            Ok(maps)
        }
        _ => Err("map merge requires map or sequence of maps as the value".into()),
    }
}

struct JsonBuild {
    suspect: bool,
    too_deep: bool,
}

impl<'a> Build<'a> for JsonBuild {
    type Out = Json;

    fn scalar(&mut self, scalar: Scalar<'a>) -> Json {
        match scalar {
            Scalar::Null => Json::Null,
            Scalar::Bool(b) => Json::Bool(b),
            Scalar::Int(n) => Json::Int(n),
            Scalar::Uint(n) => Json::Uint(n),
            Scalar::Float(f) => {
                self.suspect |= !f.is_finite();
                Json::Float(f)
            }
            Scalar::Str(s) => Json::Str(string(&s)),
        }
    }

    fn list(&mut self, items: Vec<Json>, depth: usize) -> Json {
        self.too_deep |= depth > MAX_DEPTH;
        Json::List(if depth > MAX_DEPTH { Vec::new() } else { items })
    }

    fn map(&mut self, entries: Vec<(Scalar<'a>, Json)>, depth: usize) -> Json {
        self.too_deep |= depth > MAX_DEPTH;
        let mut keyed = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            match key {
                Scalar::Str(s) => keyed.push((string(&s), value)),
                key => match convert::key_text(&key) {
                    Some(key) => keyed.push((key, value)),
                    None => self.suspect = true,
                },
            }
        }
        Json::map(if depth > MAX_DEPTH { Vec::new() } else { keyed })
    }
}

fn string(s: &[u8]) -> String {
    String::from_utf8(convert::valid_utf8(s)).unwrap_or_default()
}

/// `yaml.YAMLToJSON` of sigs.k8s.io/yaml: go-yaml v2, keys as strings. Errors are its texts.
pub fn to_json(text: &[u8]) -> Result<Json, String> {
    let (text, bad) = reader::decode(text);
    let tree = tree::parse(&text, bad)?;
    let mut build = JsonBuild { suspect: false, too_deep: false };
    let json = decode::decode(&tree, tree.root, &mut build, None)?.unwrap_or(Json::Null);
    if build.too_deep {
        return Err("exceeded max depth".into());
    }
    if build.suspect
        && let Some(e) = convert::json_error(&tree, convert::Shape::Plain)
    {
        return Err(e);
    }
    Ok(json)
}

/// Strict reading (`yaml.UnmarshalStrict`): a key that stands twice is an error.
pub fn to_json_strict(text: &[u8]) -> Result<Json, String> {
    match crate::yaml::strict_error(text) {
        Some(error) => Err(error),
        None => to_json(text),
    }
}
