//! YAML documents of a repository as trees that know their lines.

use crate::yaml::resolve::{self, Scalar};
use crate::yaml::scanner::Style;
use crate::yaml::tree::{self, NodeId, NodeKind, Tree};

/// A node of a document.
#[derive(Clone, Debug)]
pub struct Node {
    line: usize,
    value: Content,
    kind: Kind,
    /// A text that is written as a block (`|`, `>`): its lines are lines of the file, behind that of the sign.
    block: bool,
}

/// What a node is to Kubernetes, which reads YAML 1.1 as Helm does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Null,
    Bool,
    Int,
    Float,
    Text,
    List,
    Map,
}

impl Kind {
    /// The word for people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool => "boolean",
            Self::Int => "integer",
            Self::Float => "number",
            Self::Text => "string",
            Self::List => "list",
            Self::Map => "map",
        }
    }
}

#[derive(Clone, Debug)]
enum Content {
    Null,
    Scalar(String),
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
}

/// One document of a file, with its text, from which values are read as Helm reads them.
#[derive(Clone, Debug)]
pub struct Document {
    pub root: Node,
    pub text: Vec<u8>,
    /// How many lines of the file stand before the text.
    pub before: usize,
}

/// A text that is not YAML: the line in the file and what the parser says.
#[derive(Clone, Debug)]
pub struct Unreadable {
    pub line: usize,
    pub message: String,
}

/// How deep a document may nest.
const MAX_DEPTH: usize = 200;

/// The node at a path of keys.
pub fn at<'n>(n: &'n Node, keys: &[&str]) -> Option<&'n Node> {
    keys.iter().try_fold(n, |n, key| n.get(key))
}

impl Node {
    /// 1-based line in the file.
    pub const fn line(&self) -> usize {
        self.line
    }

    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// How many lines of the file stand before a text of several lines; `None` if its lines are not the file's, as in quotes.
    pub fn lines_before(&self) -> Option<usize> {
        self.block.then_some(self.line)
    }

    /// The same on one line, from the outermost node to the innermost.
    pub(super) fn on_line(mut self, line: usize) -> Self {
        self.take_lines(None, line);
        self
    }

    /// A scalar's text, whatever its type.
    pub fn as_str(&self) -> Option<&str> {
        match &self.value {
            Content::Scalar(s) => Some(s),
            _ => None,
        }
    }

    pub const fn is_null(&self) -> bool {
        matches!(self.value, Content::Null)
    }

    pub const fn is_map(&self) -> bool {
        matches!(self.value, Content::Map(_))
    }

    /// A list's items; nothing for others.
    pub fn items(&self) -> &[Self] {
        match &self.value {
            Content::List(items) => items,
            _ => &[],
        }
    }

    /// A map's entries; nothing for others.
    pub fn entries(&self) -> &[(Self, Self)] {
        match &self.value {
            Content::Map(entries) => entries,
            _ => &[],
        }
    }

    /// Takes the lines of another document, path by path. What stands only here gets the line of what is around it.
    pub fn take_lines(&mut self, from: Option<&Self>, around: usize) {
        let line = from.map_or(around, Self::line);
        self.line = line;
        self.block = from.is_some_and(|from| from.block);
        match &mut self.value {
            Content::List(items) => {
                for (i, item) in items.iter_mut().enumerate() {
                    item.take_lines(from.and_then(|f| f.items().get(i)), line);
                }
            }
            Content::Map(entries) => {
                for (key, value) in entries {
                    let entry = key.as_str().and_then(|k| from.and_then(|f| f.entry(k)));
                    key.line = entry.map_or(line, |(k, _)| k.line);
                    value.take_lines(entry.map(|(_, v)| v), key.line);
                }
            }
            Content::Null | Content::Scalar(_) => {}
        }
    }

    /// Key and value of a map's entry.
    pub fn entry(&self, key: &str) -> Option<&(Self, Self)> {
        self.entries().iter().find(|(k, _)| k.as_str() == Some(key))
    }

    pub(super) const fn null() -> Self {
        Self { line: 1, value: Content::Null, kind: Kind::Null, block: false }
    }

    /// A text that stands for itself.
    pub(super) fn scalar(text: impl Into<String>, line: usize) -> Self {
        Self { line, value: Content::Scalar(text.into()), kind: Kind::Text, block: false }
    }

    /// A text as `--set` takes it: with the type that it looks like.
    pub(super) fn setting(text: impl Into<String>, line: usize) -> Self {
        let text = text.into();
        let whole = !text.starts_with('0') && text.parse::<i64>().is_ok();
        let kind = match text.as_str() {
            "true" | "false" => Kind::Bool,
            "null" => Kind::Null,
            text if text == "0" || whole => Kind::Int,
            _ => Kind::Text,
        };
        Self { kind, ..Self::scalar(text, line) }
    }

    /// The values alone, to compare.
    pub fn plain(&self) -> String {
        match &self.value {
            Content::Null => "null".to_owned(),
            Content::Scalar(text) => format!("{text:?}"),
            Content::List(items) => items.iter().map(|n| format!("[{}]", n.plain())).collect(),
            Content::Map(entries) => entries.iter().map(|(k, v)| format!("{{{}: {}}}", k.plain(), v.plain())).collect(),
        }
    }

    pub fn get(&self, key: &str) -> Option<&Self> {
        self.entry(key).map(|(_, v)| v)
    }
}

/// The documents of a file; empty ones are left out.
///
/// # Errors
/// The first document that can't be read, with its line in the file.
pub fn parse(text: &[u8]) -> Result<Vec<Document>, Unreadable> {
    let mut out = Vec::new();
    let mut line = 0;
    for part in split(text) {
        let tree = tree::parse(part, None).map_err(|message| Unreadable { line: line + line_in(&message), message })?;
        if let Some(root) = tree.root {
            let root = node(&tree, root, line, 0).ok_or_else(|| Unreadable {
                line: line + 1,
                message: format!("nested deeper than {MAX_DEPTH} levels"),
            })?;
            if !root.is_null() {
                out.push(Document { root, text: part.to_vec(), before: line });
            }
        }
        line += part.iter().filter(|b| **b == b'\n').count();
    }
    Ok(out)
}

/// The object that is written at a line: a document, or an item of one that is a list.
pub fn object_at(documents: &[Document], line: usize) -> Option<&Node> {
    let root = documents.iter().map(|d| &d.root).rfind(|root| root.line() <= line)?;
    let is_list = root.get("kind").and_then(Node::as_str).is_some_and(|kind| kind.ends_with("List"));
    let mut items = root.get("items").filter(|_| is_list).map_or(&[][..], Node::items).iter().rev();
    let item = items.find(|item| item.line() <= line);
    // Where several stand on one line it is not known which is meant.
    let known = item.filter(|item| items.next().is_none_or(|before| before.line() < item.line()));
    Some(known.unwrap_or(root))
}

/// Cuts before every line that begins with `---`; the parts keep every byte, so lines can be counted.
fn split(text: &[u8]) -> Vec<&[u8]> {
    let mut parts = Vec::new();
    let (mut start, mut at) = (0, 0);
    while at < text.len() {
        let rest = &text[at..];
        let marker = rest.starts_with(b"---") && rest.get(3).is_none_or(u8::is_ascii_whitespace);
        if marker && at > start {
            parts.push(&text[start..at]);
            start = at;
        }
        at += rest.iter().position(|b| *b == b'\n').map_or(rest.len(), |i| i + 1);
    }
    parts.push(&text[start..]);
    parts
}

/// The line that go-yaml's text names (`yaml: line 3: …`), else the first.
fn line_in(message: &str) -> usize {
    let digits =
        message.split("line ").nth(1).map(|r| r.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default());
    digits.and_then(|d| d.parse().ok()).unwrap_or(1)
}

fn node(tree: &Tree<'_>, id: NodeId, line: usize, depth: usize) -> Option<Node> {
    if depth > MAX_DEPTH {
        return None;
    }
    let id = tree.target(id);
    let n = tree.node(id);
    let mut kind = Kind::Null;
    let value = match n.kind {
        NodeKind::Mapping => {
            kind = Kind::Map;
            let mut entries = Vec::new();
            for (k, v) in tree.entries(id) {
                entries.push((node(tree, k, line, depth + 1)?, node(tree, v, line, depth + 1)?));
            }
            Content::Map(entries)
        }
        NodeKind::Sequence => {
            kind = Kind::List;
            let items: Option<Vec<Node>> = tree.children(id).map(|c| node(tree, c, line, depth + 1)).collect();
            Content::List(items?)
        }
        _ if n.implicit && matches!(&*n.value, b"" | b"~" | b"null" | b"Null" | b"NULL") => Content::Null,
        _ => {
            kind = match resolve::scalar(&n.tag, n.implicit, &n.value) {
                Ok(Scalar::Null) => Kind::Null,
                Ok(Scalar::Bool(_)) => Kind::Bool,
                Ok(Scalar::Int(_) | Scalar::Uint(_)) => Kind::Int,
                Ok(Scalar::Float(_)) => Kind::Float,
                Ok(Scalar::Str(_)) | Err(_) => Kind::Text,
            };
            Content::Scalar(String::from_utf8_lossy(&n.value).into_owned())
        }
    };
    let block = matches!(n.style, Style::Literal | Style::Folded);
    Some(Node { line: line + n.start.line as usize + 1, value, kind, block })
}
