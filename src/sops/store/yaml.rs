//! YAML documents. Comments become items of the branch or list they stand in, and stand there again when it is written.

use super::Error;
use crate::golang::float::format_float;
use crate::sops::value::{Branch, Comment, Item, Key, Value};
use crate::yaml::node::{
    self, Document, Entry, Item as NodeItem, Node, NodeKind, Resolved, Scalar, Tree, Writer, documents,
};

/// Nodes that aliases may make of a document.
const MAX_NODES: usize = 4_000_000;

struct Reader<'a> {
    document: &'a Document,
    made: usize,
    depth: usize,
}

/// Lines of a comment, without their `#`.
fn lines(comment: &[u8], inline: bool) -> impl Iterator<Item = Comment> + '_ {
    comment
        .split(|b| *b == b'\n')
        .filter(|line| !line.is_empty())
        .map(move |line| Comment { text: line.get(1..).unwrap_or_default().to_vec().into(), inline })
}

fn into_branch(branch: &mut Branch, comment: &[u8], inline: bool) {
    branch.extend(lines(comment, inline).map(Item::comment));
}

fn into_list(list: &mut Vec<Value>, comment: &[u8], inline: bool) {
    list.extend(lines(comment, inline).map(Value::Comment));
}

fn scalar(node: &Node) -> Value {
    match node::resolve(&node.tag, &node.value) {
        Ok(Resolved::Null) | Err(_) => Value::Null,
        Ok(Resolved::Bool(b)) => Value::Bool(b),
        Ok(Resolved::Int(n)) => Value::Int(n),
        Ok(Resolved::Uint(n)) => Value::Uint(n),
        Ok(Resolved::Float(f)) => Value::Float(f),
        Ok(Resolved::Time(t)) => Value::Time(t),
        Ok(Resolved::Str(s)) => Value::text(s),
    }
}

impl Reader<'_> {
    fn count(&mut self) -> Result<(), Error> {
        self.made += 1;
        if self.made > MAX_NODES || self.depth > node::MAX_DEPTH * 4 {
            return Err(Error::new(1, "yaml: document contains excessive aliasing"));
        }
        Ok(())
    }

    fn value(&mut self, id: usize, comments_done: bool) -> Result<Value, Error> {
        self.count()?;
        let Some(node) = self.document.nodes.get(id) else { return Ok(Value::Null) };
        self.depth += 1;
        let value = match node.kind {
            NodeKind::Scalar => scalar(node),
            NodeKind::Alias(to) => self.value(to, false)?,
            NodeKind::Mapping => {
                let mut branch = Vec::new();
                self.branch(id, &mut branch, comments_done)?;
                Value::Branch(branch)
            }
            NodeKind::Sequence => {
                let mut list = Vec::new();
                if !comments_done {
                    into_list(&mut list, &node.head, false);
                    into_list(&mut list, &node.behind, false);
                }
                for child in &node.children {
                    let Some(item) = self.document.nodes.get(*child) else { continue };
                    into_list(&mut list, &item.head, false);
                    into_list(&mut list, &item.behind, true);
                    list.push(self.value(*child, true)?);
                    into_list(&mut list, &item.foot, false);
                }
                if !comments_done {
                    into_list(&mut list, &node.foot, false);
                }
                Value::List(list)
            }
        };
        self.depth -= 1;
        Ok(value)
    }

    fn branch(&mut self, id: usize, branch: &mut Branch, comments_done: bool) -> Result<(), Error> {
        let Some(node) = self.document.nodes.get(id) else { return Ok(()) };
        if !comments_done {
            into_branch(branch, &node.head, false);
            into_branch(branch, &node.behind, false);
        }
        match node.kind {
            NodeKind::Sequence => {
                return Err(Error::new(1, "YAML documents that are sequences are not supported"));
            }
            NodeKind::Scalar if node.tag == "!!null" => return Ok(()),
            NodeKind::Scalar => return Err(Error::new(1, "YAML documents that are values are not supported")),
            NodeKind::Alias(to) => self.branch(to, branch, false)?,
            NodeKind::Mapping => {
                for pair in node.children.chunks(2) {
                    let [key_id, value_id] = pair else { continue };
                    let (Some(key), Some(value)) =
                        (self.document.nodes.get(*key_id), self.document.nodes.get(*value_id))
                    else {
                        continue;
                    };
                    into_branch(branch, &key.head, false);
                    into_branch(branch, &key.behind, false);
                    let here = matches!(value.kind, NodeKind::Scalar | NodeKind::Alias(_));
                    if here {
                        into_branch(branch, &value.head, false);
                        into_branch(branch, &value.behind, true);
                    }
                    let item = Item { key: self.key(*key_id), value: self.value(*value_id, here)? };
                    branch.push(item);
                    if here {
                        into_branch(branch, &value.foot, false);
                    }
                    into_branch(branch, &key.foot, false);
                }
            }
        }
        if !comments_done {
            into_branch(branch, &node.foot, false);
        }
        Ok(())
    }

    fn key(&self, id: usize) -> Key {
        let other = |kind, shown: String| Key::Other { kind, shown };
        match self.document.target(id) {
            Some(node) if node.kind == NodeKind::Scalar => match scalar(node) {
                Value::Text(t) => Key::Text(t.as_bytes().to_vec()),
                Value::Null => other("<nil>", "%!s(<nil>)".into()),
                Value::Bool(b) => other("bool", format!("%!s(bool={b})")),
                Value::Int(n) => other("int", format!("%!s(int={n})")),
                Value::Uint(n) => other("uint64", format!("%!s(uint64={n})")),
                Value::Float(f) => other("float64", format!("%!s(float64={})", format_float(f, b'g', -1, 64))),
                Value::Time(t) => other("time.Time", t.string()),
                _ => other("<nil>", String::new()),
            },
            Some(node) if node.kind == NodeKind::Sequence => other("[]interface {}", String::new()),
            _ => other("map[string]interface {}", String::new()),
        }
    }
}

pub fn load(text: &[u8]) -> Result<Vec<Branch>, Error> {
    let text = crate::yaml::decode_text(text);
    let mut out = Vec::new();
    let unmarshal = "Error unmarshaling input YAML: ";
    for (i, document) in documents(&text).enumerate() {
        let document = match document {
            Ok(document) => document,
            // Only the first document is decoded before all are read.
            Err(e) if i == 0 => return Err(Error::new(1, e)),
            Err(e) => return Err(Error::new(1, format!("{unmarshal}{e}"))),
        };
        if i == 0 {
            node::check(&document).map_err(|f| Error::masked(1, f.text, f.safe))?;
        }
        let mut branch = Vec::new();
        into_branch(&mut branch, &document.head, false);
        let mut reader = Reader { document: &document, made: 0, depth: 0 };
        reader.branch(document.root, &mut branch, false).map_err(|e| e.context(unmarshal))?;
        into_branch(&mut branch, &document.foot, false);
        out.push(branch);
    }
    if out.is_empty() && !text.is_empty() {
        return Err(Error::new(1, "EOF"));
    }
    Ok(out)
}

/// Comments on their way to the node they will stand at.
#[derive(Default)]
struct Waiting {
    head: Vec<u8>,
    behind: Vec<u8>,
    begun: bool,
}

fn line(into: &mut Vec<u8>, comment: &Comment) {
    if !into.is_empty() {
        into.push(b'\n');
    }
    into.push(b'#');
    into.extend_from_slice(comment.text.as_bytes());
}

fn joined(into: &mut Vec<u8>, more: Vec<u8>) {
    if more.is_empty() {
        return;
    }
    if !into.is_empty() {
        into.push(b'\n');
    }
    into.extend(more);
}

/// `a` above `b`.
fn above(into: &mut Vec<u8>, mut more: Vec<u8>) {
    if more.is_empty() {
        return;
    }
    if !into.is_empty() {
        more.push(b'\n');
        more.append(into);
    }
    *into = more;
}

impl Waiting {
    fn take(&mut self, comment: &Comment) {
        line(if comment.inline { &mut self.behind } else { &mut self.head }, comment);
    }

    /// What is left at the end.
    fn rest(&mut self) -> Vec<u8> {
        let mut out = std::mem::take(&mut self.head);
        joined(&mut out, std::mem::take(&mut self.behind));
        out
    }
}

fn leaf(value: &Value) -> Scalar {
    match value {
        Value::Text(t) => Scalar::string(t.as_bytes()),
        Value::Bool(b) => Scalar::bare(b.to_string()),
        Value::Int(n) => Scalar::bare(n.to_string()),
        Value::Uint(n) => Scalar::bare(n.to_string()),
        Value::Float(f) => Scalar::bare(if f.is_nan() {
            ".nan".to_owned()
        } else if f.is_infinite() {
            if *f > 0.0 { ".inf" } else { "-.inf" }.to_owned()
        } else {
            format_float(*f, b'g', -1, 64)
        }),
        Value::Time(t) => Scalar::bare(t.format(crate::golang::time::RFC3339_NANO)),
        _ => Scalar::bare("null"),
    }
}

fn tree(value: &Value) -> NodeItem {
    match value {
        Value::Branch(branch) => mapping(branch),
        Value::List(items) => sequence(items),
        // A value that decrypted to a comment: Go's encoder writes the struct.
        Value::Comment(c) => {
            let entry = |key: &str, value| Entry {
                key: Scalar::bare(key),
                head: Vec::new(),
                behind: Vec::new(),
                foot: Vec::new(),
                value: NodeItem::new(Tree::Scalar(value)),
            };
            NodeItem::new(Tree::Mapping(vec![
                entry("value", Scalar::string(c.text.as_bytes())),
                entry("inline", Scalar::bare(c.inline.to_string())),
            ]))
        }
        value => NodeItem::new(Tree::Scalar(leaf(value))),
    }
}

fn mapping(branch: &Branch) -> NodeItem {
    let mut node = NodeItem::new(Tree::Scalar(Scalar::bare("")));
    let mut entries: Vec<Entry> = Vec::new();
    let mut waiting = Waiting::default();
    for Item { key, value } in branch {
        let key = match key {
            Key::Comment(comment) => {
                waiting.take(comment);
                continue;
            }
            Key::Text(key) => Scalar::string(key),
            Key::Other { shown, .. } => Scalar::bare(shown.clone()),
        };
        if !std::mem::replace(&mut waiting.begun, true) {
            above(&mut node.head, std::mem::take(&mut waiting.head));
        }
        let head = std::mem::take(&mut waiting.head);
        let mut value = tree(value);
        joined(&mut value.behind, std::mem::take(&mut waiting.behind));
        entries.push(Entry { key, head, behind: Vec::new(), foot: Vec::new(), value });
    }
    let rest = waiting.rest();
    match entries.last_mut() {
        Some(last) => joined(&mut last.foot, rest),
        None => above(&mut node.head, rest),
    }
    node.tree = Tree::Mapping(entries);
    node
}

fn sequence(items: &[Value]) -> NodeItem {
    let mut node = NodeItem::new(Tree::Scalar(Scalar::bare("")));
    let mut out: Vec<NodeItem> = Vec::new();
    let mut waiting = Waiting::default();
    for item in items {
        if let Value::Comment(comment) = item {
            waiting.take(comment);
            continue;
        }
        if !std::mem::replace(&mut waiting.begun, true) {
            above(&mut node.head, std::mem::take(&mut waiting.head));
        }
        let mut item = tree(item);
        above(&mut item.head, std::mem::take(&mut waiting.head));
        joined(&mut item.behind, std::mem::take(&mut waiting.behind));
        out.push(item);
    }
    let rest = waiting.rest();
    match out.last_mut() {
        Some(last) => joined(&mut last.foot, rest),
        None => above(&mut node.head, rest),
    }
    node.tree = Tree::Sequence(out);
    node
}

pub fn emit(branches: &[Branch], indent: usize) -> Vec<u8> {
    let mut writer = Writer::new(if indent == 0 { 4 } else { indent });
    for branch in branches {
        writer.document(&mapping(branch));
    }
    writer.finish()
}
