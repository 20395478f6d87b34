//! The path of a field: as `kubectl` writes it, and where it is in an object's text.

use crate::value::{Heap, Value};
use crate::yaml::tree::{NodeId, NodeKind, Tree};

/// Deeper items of lists are not compared.
const MAX_DEPTH: usize = 50;

/// A step into an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    Key(String),
    Index(usize),
    /// `[name=web]`: the item of a list whose key has this value.
    Where(String, String),
}

/// Reads `spec.template.spec.containers[0].image`. A dot in a key is written `\.`, or the key in brackets: `metadata.labels["app.kubernetes.io/name"]`.
/// The forms of JSONPath (`{.spec.replicas}`, `$.spec`) and numbers between dots are taken too.
///
/// # Errors
/// A bracket that is not closed, an empty key.
pub fn parse(text: &str) -> Result<Vec<Step>, String> {
    let wrong = |what: &str| format!("{text:?} is no path of a field: {what}");
    let trimmed = text.trim();
    let inner = trimmed.strip_prefix('{').and_then(|t| t.strip_suffix('}')).unwrap_or(trimmed);
    let inner = inner.strip_prefix('$').unwrap_or(inner);
    let mut rest = inner.strip_prefix('.').unwrap_or(inner);
    let mut out = Vec::new();
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('[') {
            let (step, behind) = bracket(after).ok_or_else(|| wrong("a bracket is not closed"))?;
            out.push(step);
            rest = behind;
        } else {
            let mut key = String::new();
            let mut chars = rest.char_indices();
            let mut end = rest.len();
            while let Some((i, c)) = chars.next() {
                match c {
                    '\\' => key.extend(chars.next().map(|(_, c)| c)),
                    '.' | '[' => {
                        end = i;
                        break;
                    }
                    c => key.push(c),
                }
            }
            if key.is_empty() {
                return Err(wrong("a key is empty"));
            }
            out.push(Step::Key(key));
            rest = rest.get(end..).unwrap_or_default();
        }
        if let Some(after) = rest.strip_prefix('.') {
            if after.is_empty() {
                return Err(wrong("a key is missing behind the last dot"));
            }
            rest = after;
        }
    }
    if out.is_empty() { Err(wrong("it is empty")) } else { Ok(out) }
}

/// What stands in brackets, and the rest behind them.
fn bracket(text: &str) -> Option<(Step, &str)> {
    for quote in ['"', '\''] {
        if let Some(after) = text.strip_prefix(quote) {
            let (key, behind) = after.split_once(quote)?;
            return Some((Step::Key(key.to_owned()), behind.strip_prefix(']')?));
        }
    }
    let (inner, behind) = text.split_once(']')?;
    let step = match (inner.parse(), inner.split_once('=')) {
        (Ok(i), _) => Step::Index(i),
        (_, Some((key, value))) => {
            let word = |t: &str| t.trim_matches(['=', '"', '\'', ' ']).to_owned();
            Step::Where(key.trim().trim_start_matches("?(@.").to_owned(), word(value.trim_end_matches(')')))
        }
        _ => Step::Key(inner.to_owned()),
    };
    Some((step, behind))
}

/// A path as it is shown.
pub fn shown(path: &[Step]) -> String {
    let mut out = String::new();
    for step in path {
        match step {
            Step::Key(key) => {
                if !out.is_empty() {
                    out.push('.');
                }
                out.push_str(&key.replace('.', "\\."));
            }
            Step::Index(i) => out.push_str(&format!("[{i}]")),
            Step::Where(key, value) => out.push_str(&format!("[{key}={value}]")),
        }
    }
    out
}

/// What a field holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    Scalar(String),
    Map(Vec<String>),
    List(usize),
}

/// A field in a text.
#[derive(Clone, Debug)]
pub struct Found {
    pub held: Held,
    /// The bytes of its value, and of its key; an item of a list has no key.
    pub value: std::ops::Range<usize>,
    pub key: Option<std::ops::Range<usize>>,
    /// The way to it, in keys and numbers, and the nodes on it.
    pub path: Vec<String>,
    pub nodes: Vec<NodeId>,
    /// The way to it by the names of items that have one: they keep it where a patch puts others before them.
    pub stable: Vec<Step>,
}

/// Goes down a tree.
///
/// # Errors
/// The deepest part that there is, and what it holds.
pub fn find(tree: &Tree<'_>, path: &[Step]) -> Result<Found, String> {
    let root = tree.root.ok_or("the object is empty")?;
    let mut at = tree.target(root);
    let mut key_node = None;
    let mut way = Vec::new();
    let mut nodes = Vec::new();
    let mut stable = Vec::new();
    for (i, step) in path.iter().enumerate() {
        let node = tree.node(at);
        let next = match (step, node.kind) {
            (Step::Key(key), NodeKind::Mapping) => entry(tree, at, key).map(|(k, v)| (key.clone(), Some(k), v)),
            (Step::Key(key), NodeKind::Sequence) => {
                let n = key.parse::<usize>().ok();
                n.and_then(|n| Some((n.to_string(), None, tree.children(at).nth(n)?)))
            }
            (Step::Index(n), NodeKind::Sequence) => tree.children(at).nth(*n).map(|item| (n.to_string(), None, item)),
            (Step::Where(key, value), NodeKind::Sequence) => {
                let fits = |item: NodeId| {
                    entry(tree, tree.target(item), key)
                        .is_some_and(|(_, v)| *tree.node(tree.target(v)).value == *value.as_bytes())
                };
                let mut items = tree.children(at).enumerate();
                items.find(|(_, item)| fits(*item)).map(|(n, item)| (n.to_string(), None, item))
            }
            _ => None,
        };
        let Some((name, key, value)) = next else {
            return Err(missing(tree, at, path, i));
        };
        stable.push(match (key, name.parse()) {
            (None, Ok(n)) => item_name(tree, at, tree.target(value)).unwrap_or(Step::Index(n)),
            _ => Step::Key(name.clone()),
        });
        way.push(name);
        key_node = key;
        at = tree.target(value);
        nodes.push(at);
    }
    let range = |id: NodeId| tree.node(id).start.pos as usize..tree.node(id).end.pos as usize;
    Ok(Found { held: held(tree, at), value: range(at), key: key_node.map(range), path: way, nodes, stable })
}

/// Whether a node holds the same as a value.
pub fn is_like(tree: &Tree<'_>, at: NodeId, heap: &Heap, value: &Value, depth: usize) -> bool {
    let at = tree.target(at);
    let node = tree.node(at);
    let like = |id: NodeId, value: &Value| depth < MAX_DEPTH && is_like(tree, id, heap, value, depth + 1);
    match (node.kind, value) {
        (NodeKind::Mapping, Value::Map(map)) => {
            let map = heap.map(*map);
            let fits = |(k, v): (NodeId, NodeId)| {
                map.get(&*String::from_utf8_lossy(&tree.node(k).value)).is_some_and(|value| like(v, value))
            };
            tree.entries(at).count() == map.iter().count() && tree.entries(at).all(fits)
        }
        (NodeKind::Sequence, Value::List(list)) => {
            let items = &heap.list(*list).items;
            tree.children(at).count() == items.len() && tree.children(at).zip(items.iter()).all(|(id, v)| like(id, v))
        }
        (NodeKind::Scalar, value) => text(value).is_some_and(|t| *node.value == *t.as_bytes()),
        _ => false,
    }
}

/// A single value as it is printed.
pub fn text(value: &Value) -> Option<String> {
    Some(match value {
        Value::Str(s) => s.to_text().into_owned(),
        Value::Bool(b) => b.to_string(),
        Value::Int(n) | Value::Int64(n) => n.to_string(),
        Value::Float(f) => f.to_string(),
        _ => return None,
    })
}

fn entry(tree: &Tree<'_>, at: NodeId, key: &str) -> Option<(NodeId, NodeId)> {
    if tree.node(at).kind != NodeKind::Mapping {
        return None;
    }
    tree.entries(at).filter(|(k, _)| *tree.node(*k).value == *key.as_bytes()).last()
}

/// The item by its name, if no other of the list has it.
fn item_name(tree: &Tree<'_>, list: NodeId, item: NodeId) -> Option<Step> {
    let name = |item: NodeId| {
        let (_, value) = entry(tree, tree.target(item), "name")?;
        let node = tree.node(tree.target(value));
        (node.kind == NodeKind::Scalar).then(|| String::from_utf8_lossy(&node.value).into_owned())
    };
    let own = name(item)?;
    let like = tree.children(list).filter(|i| name(*i).as_ref() == Some(&own)).count();
    (like == 1).then_some(Step::Where("name".into(), own))
}

fn held(tree: &Tree<'_>, at: NodeId) -> Held {
    let text = |id: NodeId| String::from_utf8_lossy(&tree.node(id).value).into_owned();
    match tree.node(at).kind {
        NodeKind::Mapping => Held::Map(tree.entries(at).map(|(k, _)| text(k)).collect()),
        NodeKind::Sequence => Held::List(tree.children(at).count()),
        _ => Held::Scalar(text(at)),
    }
}

fn missing(tree: &Tree<'_>, at: NodeId, path: &[Step], done: usize) -> String {
    let here = shown(path.get(..done).unwrap_or_default());
    let here = if here.is_empty() { "it".to_owned() } else { here };
    let wanted = shown(path.get(done..=done).unwrap_or_default());
    let what = match held(tree, at) {
        Held::Map(keys) if keys.is_empty() => format!("{here} is an empty map"),
        Held::Map(keys) => {
            let near = crate::repo::check::nearest(&wanted, keys.iter().map(String::as_str));
            let near = near.map(|n| format!(": did you mean {n}?")).unwrap_or_default();
            format!("{here} has {}{near}", keys.join(", "))
        }
        Held::List(1) => format!("{here} is a list of one item: [0]"),
        Held::List(0) => format!("{here} is an empty list"),
        Held::List(n) => format!("{here} is a list of {n} items: [0] to [{}]", n - 1),
        Held::Scalar(_) => format!("{here} is a single value and has no fields"),
    };
    format!("no field {wanted}: {what}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_in_their_forms() {
        let key = |k: &str| Step::Key(k.into());
        for (text, want) in [
            ("spec.replicas", vec![key("spec"), key("replicas")]),
            ("{.spec.containers[0].image}", vec![key("spec"), key("containers"), Step::Index(0), key("image")]),
            (
                "metadata.labels[\"app.kubernetes.io/name\"]",
                vec![key("metadata"), key("labels"), key("app.kubernetes.io/name")],
            ),
            (
                r"metadata.labels.app\.kubernetes\.io/name",
                vec![key("metadata"), key("labels"), key("app.kubernetes.io/name")],
            ),
            ("a[name=web].b", vec![key("a"), Step::Where("name".into(), "web".into()), key("b")]),
            ("a[?(@.name==\"web\")]", vec![key("a"), Step::Where("name".into(), "web".into())]),
            ("$.a.0", vec![key("a"), key("0")]),
        ] {
            assert_eq!(parse(text), Ok(want), "{text}");
        }
        for text in ["", "a..b", "a[0", "a.", "[\"x", "."] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn fields_are_found_or_said_to_be_missing() {
        let text = b"spec:\n  list:\n  - name: a\n    v: \"1\"\n  - name: b\n    v: 2\n";
        let tree = crate::yaml::tree::parse(text, None).unwrap();
        let at = |path: &str| find(&tree, &parse(path).unwrap());
        let found = at("spec.list[name=b].v").unwrap();
        assert_eq!((found.held, found.path.join(".")), (Held::Scalar("2".into()), "spec.list.1.v".into()));
        let found = at("spec.list.0.v").unwrap();
        assert_eq!(&text[found.value], b"\"1\"");
        assert_eq!(at("spec.lists").unwrap_err(), "no field lists: spec has list: did you mean list?");
        assert_eq!(at("spec.list[2]").unwrap_err(), "no field [2]: spec.list is a list of 2 items: [0] to [1]");
        assert_eq!(
            at("spec.list[0].v.x").unwrap_err(),
            "no field x: spec.list[0].v is a single value and has no fields"
        );
    }
}
