//! Keys that a mapping sets twice. Helm takes the last without a word; somebody should say it.

use std::collections::HashSet;

use super::convert::key_text;
use super::tree::{NodeId, NodeKind, Tree};
use super::{go_syntax, reader, resolve, tree};

/// The keys of the first document that are set again in the same mapping: path (`a.b[0].c`) and 1-based line of the later one, in
/// the order of the text. Nothing for a text that cannot be read.
pub fn duplicates(text: &[u8]) -> Vec<(String, u32)> {
    let (text, bad) = reader::decode(text);
    let Ok(tree) = tree::parse_checked(&text, bad) else { return Vec::new() };
    let mut found = Vec::new();
    // What leads to each collection: its own step, and the place of what is around it.
    let mut trail: Vec<(String, Option<usize>)> = Vec::new();
    let mut open: Vec<(NodeId, Option<usize>)> = tree.root.into_iter().map(|r| (r, None)).collect();
    while let Some((id, place)) = open.pop() {
        let mut step = |label: String, child: NodeId, open: &mut Vec<(NodeId, Option<usize>)>| {
            if matches!(tree.node(child).kind, NodeKind::Mapping | NodeKind::Sequence) {
                trail.push((label, place));
                open.push((child, Some(trail.len() - 1)));
            }
        };
        match tree.node(id).kind {
            NodeKind::Mapping => {
                let mut seen = HashSet::new();
                let mut again = Vec::new();
                for (key, value) in tree.entries(id) {
                    let Some(label) = label(&tree, key) else { continue };
                    if !seen.insert(label.clone()) {
                        again.push((label.clone(), tree.node(key).start.line + 1));
                    }
                    step(label, value, &mut open);
                }
                for (label, line) in again {
                    found.push((path(&trail, place, &label), line));
                }
            }
            NodeKind::Sequence => {
                for (i, child) in tree.children(id).enumerate() {
                    step(format!("[{i}]"), child, &mut open);
                }
            }
            NodeKind::Scalar | NodeKind::Alias(_) => {}
        }
    }
    found.sort_by_key(|(_, line)| *line);
    found
}

/// What go-yaml's strict mode says of keys that are set twice in the first document, in the order in which it meets them; `None` for a
/// text that has none, or that cannot be read. Merged mappings count: a key beside `<<` that is in the merged one is set twice.
pub fn strict_error(text: &[u8]) -> Option<String> {
    let (text, bad) = reader::decode(text);
    let tree = tree::parse_checked(&text, bad).ok()?;
    let mut strict = Strict { tree: &tree, errors: Vec::new(), left: MAX_STRICT };
    strict.value(tree.root?);
    if strict.errors.is_empty() {
        return None;
    }
    Some(format!("yaml: unmarshal errors:\n  {}", strict.errors.join("\n  ")))
}

/// How many nodes are visited at most: aliases can make a short text very long.
const MAX_STRICT: usize = 1_000_000;

struct Strict<'t, 'a> {
    tree: &'t Tree<'a>,
    errors: Vec<String>,
    left: usize,
}

impl Strict<'_, '_> {
    fn value(&mut self, id: NodeId) {
        let id = self.tree.target(id);
        let Some(left) = self.left.checked_sub(1) else { return };
        self.left = left;
        match self.tree.node(id).kind {
            NodeKind::Mapping => self.mapping(id, &mut HashSet::new()),
            NodeKind::Sequence => self.tree.children(id).for_each(|child| self.value(child)),
            NodeKind::Scalar | NodeKind::Alias(_) => {}
        }
    }

    fn mapping(&mut self, id: NodeId, seen: &mut HashSet<String>) {
        for (key, value) in self.tree.entries(id) {
            let node = self.tree.node(self.tree.target(key));
            if node.kind != NodeKind::Scalar {
                continue;
            }
            if *node.value == *b"<<" && node.implicit {
                self.merge(value, seen);
                continue;
            }
            let Ok(scalar) = resolve::scalar(&node.tag, node.implicit, &node.value) else { continue };
            let mut text = String::new();
            go_syntax::scalar(&scalar, true, &mut text);
            self.value(value);
            if seen.contains(&text) {
                let line = self.tree.node(value).start.line + 1;
                self.errors.push(format!("line {line}: key {text} already set in map"));
            } else {
                seen.insert(text);
            }
        }
    }

    fn merge(&mut self, id: NodeId, seen: &mut HashSet<String>) {
        let id = self.tree.target(id);
        let Some(left) = self.left.checked_sub(1) else { return };
        self.left = left;
        match self.tree.node(id).kind {
            NodeKind::Mapping => self.mapping(id, seen),
            // The last comes first: earlier ones win.
            NodeKind::Sequence => {
                let children: Vec<NodeId> = self.tree.children(id).collect();
                children.into_iter().rev().for_each(|child| self.merge(child, seen));
            }
            NodeKind::Scalar | NodeKind::Alias(_) => {}
        }
    }
}

/// A key as text; none for collections and merges.
fn label(tree: &Tree<'_>, key: NodeId) -> Option<String> {
    let node = tree.node(tree.target(key));
    if node.kind != NodeKind::Scalar || (*node.value == *b"<<" && node.implicit) {
        return None;
    }
    let scalar = resolve::scalar(&node.tag, node.implicit, &node.value).ok()?;
    Some(key_text(&scalar).unwrap_or_else(|| String::from_utf8_lossy(&node.value).into_owned()))
}

fn path(trail: &[(String, Option<usize>)], mut place: Option<usize>, last: &str) -> String {
    let mut steps = vec![last];
    while let Some((label, around)) = place.and_then(|i| trail.get(i)) {
        steps.push(label);
        place = *around;
    }
    let mut out = String::new();
    for step in steps.into_iter().rev() {
        if !out.is_empty() && !step.starts_with('[') {
            out.push('.');
        }
        out.push_str(step);
    }
    out
}
