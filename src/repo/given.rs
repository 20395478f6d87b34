//! Patches and files that a build laid over an object, read again for the lines that they stand in.
//!
//! The built object has the last word on what a value is; who set it, and where, is written in the object's own file, in patches (files of
//! their own, or texts within a kustomization) and in files that generators take. Source of the order: [`kustomize::given`].

use crate::kustomize::given::{Given, Patch};

use super::document::{self, Node};
use super::files::Checkout;

/// What one patch, or one operation of one, says.
pub(super) struct Said {
    pub path: String,
    /// Lines of the file before the text.
    pub offset: usize,
    /// Where in the object it is put.
    pub at: Vec<String>,
    pub node: Node,
}

impl Said {
    /// What lies below a path in the object, if it is about that.
    pub fn below(self, path: &[&str]) -> Option<Self> {
        if self.at.len() >= path.len() {
            let at = self.at.get(path.len()..)?.to_vec();
            return self.at.iter().zip(path).all(|(a, b)| a == b).then_some(Self { at, ..self });
        }
        let rest = path.get(self.at.len()..)?;
        if !self.at.iter().zip(path).all(|(a, b)| a == b) {
            return None;
        }
        let node = rest.iter().try_fold(&self.node, |node, key| node.get(key))?.clone();
        Some(Self { at: Vec::new(), node, ..self })
    }
}

/// The file that became the whole value of a key, if nothing changed it afterwards.
pub(super) fn file_of(given: &[Given], key: &str) -> Option<String> {
    let last = given
        .iter()
        .rev()
        .find(|g| matches!(g, Given::Patch(_)) || matches!(g, Given::File { key: k, .. } if k == key));
    match last? {
        Given::File { file, .. } => Some(relative(file)),
        Given::Patch(_) => None,
    }
}

fn relative(path: &str) -> String {
    path.trim_start_matches('/').to_owned()
}

/// What the patches say, in their order. `others` are files in which patches may stand that are not in the kustomization that they are
/// applied by (Flux's `spec.patches`).
pub(super) fn said(checkout: &Checkout, given: &[Given], others: &[String]) -> Vec<Said> {
    let patches = given.iter().filter_map(|g| match g {
        Given::Patch(patch) => Some(patch),
        Given::File { .. } => None,
    });
    patches.flat_map(|patch| of_patch(checkout, patch, others)).collect()
}

fn of_patch(checkout: &Checkout, patch: &Patch, others: &[String]) -> Vec<Said> {
    let own = relative(&patch.file);
    let (path, lines, text) = match &patch.inline {
        None => {
            let Ok(text) = checkout.read(&own) else { return Vec::new() };
            (own, Lines::Behind(0), text)
        }
        Some(inline) => {
            let found = std::iter::once(&own).chain(others).find_map(|file| {
                let text = checkout.read(file).ok()?;
                let lines = document::parse(&text).ok()?.iter().find_map(|d| lines_of(&d.root, inline))?;
                Some((file.clone(), lines))
            });
            let (path, lines) = found.unwrap_or((own, Lines::Behind(0)));
            (path, lines, inline.as_bytes().to_vec())
        }
    };
    let documents = document::parse(&text).unwrap_or_default();
    let line = (patch.line as usize).max(1);
    let (offset, all_on) = match lines {
        Lines::Behind(before) => (before, None),
        Lines::On(line) => (0, Some(line)),
    };
    let placed = |node: Node| match all_on {
        Some(line) => node.on_line(line),
        None => node,
    };
    // An operation's value is its own.
    if let [only] = &documents[..]
        && !only.root.items().is_empty()
    {
        let said = |op: &Node| {
            let pointer = op.get("path")?.as_str()?.strip_prefix('/')?;
            let at = pointer.split('/').map(|part| part.replace("~1", "/").replace("~0", "~")).collect();
            let sets = matches!(op.get("op")?.as_str()?, "add" | "replace");
            let node = placed(op.get("value").filter(|_| sets)?.clone());
            Some(Said { path: path.clone(), offset, at, node })
        };
        return only.root.items().iter().filter_map(said).collect();
    }
    let document = documents.into_iter().map(|d| d.root).rfind(|root| root.line() <= line);
    document.map(|node| Said { path, offset, at: Vec::new(), node: placed(node) }).into_iter().collect()
}

/// Where the lines of a text lie that is the value of one of a file's keys.
#[derive(Clone, Copy)]
enum Lines {
    /// Behind so many of the file's.
    Behind(usize),
    /// All on this one: it is in quotes.
    On(usize),
}

fn lines_of(node: &Node, text: &str) -> Option<Lines> {
    if let Some(value) = node.as_str() {
        let lines = node.lines_before().map_or(Lines::On(node.line()), Lines::Behind);
        return (value.trim() == text.trim()).then_some(lines);
    }
    let below = node.items().iter().chain(node.entries().iter().map(|(_, v)| v));
    below.into_iter().find_map(|n| lines_of(n, text))
}

/// The text of a generator's literal that is the value of a key, in a kustomization file; `name` is the generated object's.
pub(super) fn literal<'k>(kustomization: &'k Node, name: &str, key: &str) -> Option<&'k Node> {
    let of_fields = ["configMapGenerator", "secretGenerator"].into_iter().filter_map(|field| kustomization.get(field));
    // The hash stands behind the generator's name, and prefixes stand before it.
    let is_named = |g: &&Node| g.get("name").and_then(Node::as_str).is_some_and(|own| name.contains(own));
    let generators = of_fields.flat_map(Node::items).filter(is_named);
    let literals = generators.filter_map(|g| g.get("literals")).flat_map(Node::items);
    let is_of = |text: &str| text.strip_prefix(key).is_some_and(|rest| rest.starts_with('='));
    literals.into_iter().rfind(|l| l.as_str().is_some_and(is_of))
}
