//! Values as helm-unittest compares them, and YAML as it reads it: go-yaml v3 into `any`, with the lines of what is read.
//!
//! Other than Helm's own YAML: `yes` and `on` are texts, whole numbers stay whole, a date without quotes is a time, a key may stand in a map
//! only once.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use crate::golang::time::{Location, RFC3339_NANO, parse_in_location};
use crate::value::{Heap, Str, Value};
use crate::yaml::emit::Dialect;
use crate::yaml::marshal_pretty;
use crate::yaml::resolve::{self, Scalar, Tag};
use crate::yaml::sort;
use crate::yaml::tree::{self, NodeId, NodeKind, Tree};

/// A value. Equality is Go's `reflect.DeepEqual`: `1` is not `1.0`.
#[derive(Clone, Debug, PartialEq)]
pub enum Yaml {
    Null,
    Bool(bool),
    Int(i64),
    /// Above what an `int` holds.
    Uint(u64),
    Float(f64),
    Text(String),
    /// A time, in RFC 3339.
    Time(String),
    List(Vec<Self>),
    Map(BTreeMap<String, Self>),
}

/// What can't be read, with its line in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    pub line: usize,
    pub message: String,
}

/// Deeper nesting is refused.
const MAX_DEPTH: usize = 200;
/// Nodes of one document, aliases followed.
const MAX_NODES: usize = 1_000_000;
/// Texts in messages are cut there.
const SHOWN: usize = 200;

impl Yaml {
    pub fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Map(map) => map.get(key),
            _ => None,
        }
    }

    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A map's entries in the order in which go-yaml writes them.
    pub fn sorted(&self) -> Vec<(&String, &Self)> {
        let Self::Map(map) = self else { return Vec::new() };
        let mut entries: Vec<(&String, &Self)> = map.iter().collect();
        sort::sort(&mut entries, &|a, b| sort::less(a.0.as_bytes(), b.0.as_bytes(), Dialect::V3));
        entries
    }

    /// The name of its Go type; empty for null.
    pub const fn go_type(&self) -> &'static str {
        match self {
            Self::Null => "",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Uint(_) => "uint64",
            Self::Float(_) => "float64",
            Self::Text(_) => "string",
            Self::Time(_) => "time.Time",
            Self::List(_) => "[]interface {}",
            Self::Map(_) => "map[string]interface {}",
        }
    }

    /// The value on a heap.
    pub fn to_value(&self, heap: &mut Heap) -> Value {
        match self {
            Self::Null => Value::Nil,
            Self::Bool(b) => Value::Bool(*b),
            Self::Int(n) => Value::Int(*n),
            Self::Uint(n) => Value::OtherInt(crate::value::Kind::Uint64, (*n).into()),
            Self::Float(f) => Value::Float(*f),
            Self::Text(text) => Value::str(text),
            Self::Time(text) => match parse_in_location(RFC3339_NANO, text.as_bytes(), &Location::utc()) {
                Ok(time) => Value::object(time),
                Err(_) => Value::str(text),
            },
            Self::List(items) => {
                let items = items.iter().map(|i| i.to_value(heap)).collect();
                Value::List(heap.list_of(items))
            }
            Self::Map(map) => {
                let entries: Vec<(Str, Value)> =
                    map.iter().map(|(k, v)| (Str::new(k.as_bytes()), v.to_value(heap))).collect();
                Value::Map(heap.map_of(entries))
            }
        }
    }

    /// As helm-unittest writes it into snapshots: go-yaml v3's form, texts without the empty lines that they begin with.
    pub fn to_yaml(&self) -> String {
        let mut heap = Heap::new();
        let value = self.without_leading_breaks().to_value(&mut heap);
        String::from_utf8_lossy(&marshal_pretty(&mut heap, &value).unwrap_or_default()).into_owned()
    }

    fn without_leading_breaks(&self) -> Self {
        match self {
            Self::Text(text) => Self::Text(text.trim_start_matches('\n').to_owned()),
            Self::List(items) => Self::List(items.iter().map(Self::without_leading_breaks).collect()),
            Self::Map(map) => Self::Map(map.iter().map(|(k, v)| (k.clone(), v.without_leading_breaks())).collect()),
            other => other.clone(),
        }
    }

    /// On one line, for messages.
    pub fn shown(&self) -> String {
        let text = self.json();
        match text.char_indices().nth(SHOWN) {
            Some((at, _)) => format!("{}…", &text[..at]),
            None => text,
        }
    }

    fn json(&self) -> String {
        match self {
            Self::Null => "null".into(),
            Self::Bool(b) => b.to_string(),
            Self::Int(n) => n.to_string(),
            Self::Uint(n) => n.to_string(),
            Self::Float(f) if f.fract() == 0.0 && f.abs() < 1e15 => format!("{f:.1}"),
            Self::Float(f) => f.to_string(),
            Self::Text(text) => serde_json::Value::from(text.as_str()).to_string(),
            Self::Time(text) => text.clone(),
            Self::List(items) => format!("[{}]", items.iter().map(Self::json).collect::<Vec<_>>().join(", ")),
            Self::Map(_) => {
                let entry = |(k, v): (&String, &Self)| format!("{}: {}", serde_json::Value::from(k.as_str()), v.json());
                format!("{{{}}}", self.sorted().into_iter().map(entry).collect::<Vec<_>>().join(", "))
            }
        }
    }
}

/// One document with the lines of its nodes.
pub struct Doc<'a> {
    tree: Tree<'a>,
    /// Lines of the file before the text.
    before: usize,
    nodes: Cell<usize>,
}

/// A map's entry: key, the key's line, the value.
pub type Entry = (String, usize, NodeId);

impl<'a> Doc<'a> {
    /// Reads a text's first document; `before` lines stand in front of it.
    ///
    /// # Errors
    /// It is not YAML.
    pub fn parse(text: &'a [u8], before: usize) -> Result<Self, Wrong> {
        let tree = tree::parse(text, None).map_err(|message| {
            let digits = message.split("line ").nth(1).unwrap_or_default();
            let digits: String = digits.chars().take_while(char::is_ascii_digit).collect();
            // The finding says the line, of the file.
            let said = message.strip_prefix("yaml: ").unwrap_or(&message);
            let said = said.strip_prefix(&format!("line {digits}: ")).unwrap_or(said).to_owned();
            Wrong { line: before + digits.parse::<usize>().unwrap_or(1).max(1), message: said }
        })?;
        Ok(Self { tree, before, nodes: Cell::new(0) })
    }

    pub const fn root(&self) -> Option<NodeId> {
        self.tree.root
    }

    /// 1-based line in the file.
    pub fn line(&self, id: NodeId) -> usize {
        self.before + self.tree.node(id).start.line as usize + 1
    }

    pub fn wrong(&self, id: NodeId, message: impl Into<String>) -> Wrong {
        Wrong { line: self.line(id), message: message.into() }
    }

    pub fn is_null(&self, id: NodeId) -> bool {
        matches!(self.yaml(id), Ok(Yaml::Null))
    }

    /// Whether an alias (`*name`) stands for the node or for something in it.
    pub fn is_shared(&self, id: NodeId) -> bool {
        let mut open = vec![id];
        let mut within = BTreeSet::new();
        while let Some(node) = open.pop() {
            within.insert(node);
            open.extend(self.tree.children(node));
        }
        self.tree.nodes.iter().any(|n| matches!(n.kind, NodeKind::Alias(to) if within.contains(&to)))
    }

    /// The items of a list; nothing for null.
    pub fn items(&self, id: NodeId) -> Result<Vec<NodeId>, Wrong> {
        let target = self.tree.target(id);
        match self.tree.node(target).kind {
            NodeKind::Sequence => Ok(self.tree.children(target).collect()),
            _ if self.is_null(id) => Ok(Vec::new()),
            _ => Err(self.wrong(id, format!("a list is expected here, not {}", self.what(id)))),
        }
    }

    /// The entries of a map, merge keys followed; nothing for null.
    pub fn entries(&self, id: NodeId) -> Result<Vec<Entry>, Wrong> {
        self.entries_at(id, 0)
    }

    fn entries_at(&self, id: NodeId, depth: usize) -> Result<Vec<Entry>, Wrong> {
        let target = self.tree.target(id);
        if self.tree.node(target).kind != NodeKind::Mapping {
            if self.is_null(id) {
                return Ok(Vec::new());
            }
            return Err(self.wrong(id, format!("a map is expected here, not {}", self.what(id))));
        }
        if depth > MAX_DEPTH {
            return Err(self.wrong(id, "nested too deeply"));
        }
        let mut own: Vec<Entry> = Vec::new();
        let mut merged: Vec<Entry> = Vec::new();
        for (key, value) in self.tree.entries(target) {
            self.count(key)?;
            let node = self.tree.node(self.tree.target(key));
            if node.kind != NodeKind::Scalar {
                return Err(self.wrong(key, "a key must be a text"));
            }
            let name = String::from_utf8_lossy(&node.value).into_owned();
            if name == "<<" && node.implicit {
                let from = self.tree.target(value);
                let sources = match self.tree.node(from).kind {
                    NodeKind::Sequence => self.tree.children(from).collect(),
                    _ => vec![value],
                };
                for source in sources {
                    for entry in self.entries_at(source, depth + 1)? {
                        if !merged.iter().any(|m| m.0 == entry.0) {
                            merged.push(entry);
                        }
                    }
                }
                continue;
            }
            if let Some(first) = own.iter().find(|e| e.0 == name) {
                return Err(self.wrong(key, format!("mapping key {name:?} already defined at line {}", first.1)));
            }
            own.push((name, self.line(key), value));
        }
        merged.retain(|m| !own.iter().any(|o| o.0 == m.0));
        own.extend(merged);
        Ok(own)
    }

    fn count(&self, id: NodeId) -> Result<(), Wrong> {
        self.nodes.set(self.nodes.get() + 1);
        if self.nodes.get() > MAX_NODES {
            return Err(self.wrong(id, format!("more than {MAX_NODES} values, aliases followed")));
        }
        Ok(())
    }

    /// The value of a node.
    ///
    /// # Errors
    /// A key that is set twice, a tag that does not fit, too much of it.
    pub fn yaml(&self, id: NodeId) -> Result<Yaml, Wrong> {
        self.yaml_at(id, 0)
    }

    fn yaml_at(&self, id: NodeId, depth: usize) -> Result<Yaml, Wrong> {
        self.count(id)?;
        if depth > MAX_DEPTH {
            return Err(self.wrong(id, "nested too deeply"));
        }
        let target = self.tree.target(id);
        let node = self.tree.node(target);
        match node.kind {
            NodeKind::Mapping => {
                let entries = self.entries_at(id, depth)?.into_iter();
                let map: Result<_, Wrong> = entries.map(|(k, _, v)| Ok((k, self.yaml_at(v, depth + 1)?))).collect();
                Ok(Yaml::Map(map?))
            }
            NodeKind::Sequence => {
                let items: Result<_, Wrong> = self.tree.children(target).map(|c| self.yaml_at(c, depth + 1)).collect();
                Ok(Yaml::List(items?))
            }
            NodeKind::Scalar => scalar(&node.tag, node.implicit, &node.value).map_err(|e| self.wrong(id, e)),
            NodeKind::Alias(_) => Ok(Yaml::Null),
        }
    }

    /// A scalar's text as go-yaml reads it into a `string`: numbers and truth values keep their spelling, null is empty.
    pub fn text(&self, id: NodeId) -> Result<String, Wrong> {
        let node = self.tree.node(self.tree.target(id));
        match self.yaml(id)? {
            Yaml::Null => Ok(String::new()),
            Yaml::Text(text) => Ok(text),
            Yaml::List(_) | Yaml::Map(_) => {
                Err(self.wrong(id, format!("a text is expected here, not {}", self.what(id))))
            }
            _ => Ok(String::from_utf8_lossy(&node.value).into_owned()),
        }
    }

    pub fn bool(&self, id: NodeId) -> Result<bool, Wrong> {
        match self.yaml(id)? {
            Yaml::Null => Ok(false),
            Yaml::Bool(b) => Ok(b),
            // Into a truth value go-yaml v3 reads YAML 1.1's words too.
            Yaml::Text(t) if matches!(t.as_str(), "yes" | "Yes" | "YES" | "on" | "On" | "ON" | "y" | "Y") => Ok(true),
            Yaml::Text(t) if matches!(t.as_str(), "no" | "No" | "NO" | "off" | "Off" | "OFF" | "n" | "N") => Ok(false),
            _ => Err(self.wrong(id, format!("true or false is expected here, not {}", self.what(id)))),
        }
    }

    pub fn int(&self, id: NodeId) -> Result<i64, Wrong> {
        match self.yaml(id)? {
            Yaml::Null => Ok(0),
            Yaml::Int(n) => Ok(n),
            Yaml::Float(f) if f.fract() == 0.0 && f.abs() < 1e15 => Ok(f as i64),
            _ => Err(self.wrong(id, format!("a whole number is expected here, not {}", self.what(id)))),
        }
    }

    fn what(&self, id: NodeId) -> String {
        self.yaml(id).map_or_else(|_| "this".into(), |v| v.shown())
    }
}

fn scalar(tag: &[u8], implicit: bool, text: &[u8]) -> Result<Yaml, String> {
    let words = || String::from_utf8_lossy(text).into_owned();
    if tag.is_empty() {
        if !implicit {
            return Ok(Yaml::Text(words()));
        }
        return Ok(match resolve::plain(text, true) {
            // YAML 1.2 has no other words for them.
            (Tag::Bool, _) if !matches!(text, b"true" | b"True" | b"TRUE" | b"false" | b"False" | b"FALSE") => {
                Yaml::Text(words())
            }
            (Tag::Timestamp, _) => time(&words()),
            (_, Some(value)) => of_scalar(value),
            (_, None) => Yaml::Text(words()),
        });
    }
    if tag == b"tag:yaml.org,2002:timestamp" {
        return Ok(time(&words()));
    }
    resolve::scalar(tag, implicit, text).map(of_scalar)
}

fn of_scalar(value: Scalar<'_>) -> Yaml {
    match value {
        Scalar::Null => Yaml::Null,
        Scalar::Bool(b) => Yaml::Bool(b),
        Scalar::Int(n) => Yaml::Int(n),
        Scalar::Uint(n) => Yaml::Uint(n),
        Scalar::Float(f) => Yaml::Float(f),
        Scalar::Str(text) => Yaml::Text(String::from_utf8_lossy(&text).into_owned()),
    }
}

/// go-yaml's layouts of times.
fn time(text: &str) -> Yaml {
    let layouts =
        ["2006-1-2T15:4:5.999999999Z07:00", "2006-1-2t15:4:5.999999999Z07:00", "2006-1-2 15:4:5.999999999", "2006-1-2"];
    let parsed = layouts.iter().find_map(|l| parse_in_location(l.as_bytes(), text.as_bytes(), &Location::utc()).ok());
    match parsed {
        Some(time) => Yaml::Time(String::from_utf8_lossy(&time.format(RFC3339_NANO)).into_owned()),
        None => Yaml::Text(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Yaml, Wrong> {
        let doc = Doc::parse(text.as_bytes(), 0)?;
        doc.root().map_or(Ok(Yaml::Null), |root| doc.yaml(root))
    }

    #[test]
    fn scalars_are_those_of_go_yaml_v3() {
        for (text, want) in [
            ("yes", "\"yes\""),
            ("true", "true"),
            ("'true'", "\"true\""),
            ("1", "1"),
            ("1.0", "1.0"),
            ("~", "null"),
            ("0o17", "15"),
            ("2001-12-14", "2001-12-14T00:00:00Z"),
            ("'2001-12-14'", "\"2001-12-14\""),
            ("a: &x {b: 1}\nc: {<<: *x, d: [on]}", r#"{"a": {"b": 1}, "c": {"b": 1, "d": ["on"]}}"#),
        ] {
            assert_eq!(read(text).unwrap().shown(), want, "{text}");
        }
        assert_eq!(read("a: 1\nb: 2\na: 3\n").unwrap_err().line, 3);
        assert!(read(&format!("{}1", "- ".repeat(300))).is_err());
        let bomb: String = (0..40).map(|n| format!("a{n}: &a{n} [*a{}, *a{}]\n", n - 1, n - 1)).skip(1).collect();
        assert!(read(&format!("a0: &a0 x\n{bomb}")).unwrap_err().message.contains("aliases followed"));
    }

    #[test]
    fn snapshots_are_written_as_go_yaml_v3_does() {
        let value = read("b: \"\\n\\n{}\\n\"\na: ['1', 1, 2024-01-01]\n").unwrap();
        assert_eq!(value.to_yaml(), "a:\n  - \"1\"\n  - 1\n  - 2024-01-01T00:00:00Z\nb: |\n  {}\n");
    }
}
