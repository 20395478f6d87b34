//! One source of a release's values, and what it says of a key, with file and line.

use crate::sops::mask::is_placeholder;

use super::document::{self, Kind, Node};
use super::mask::Masker;
use super::problem::Place;
use super::secrets;

/// One source of values.
#[derive(Clone, Debug)]
pub struct Layer {
    /// `values file`, `ConfigMap web-values`, `HelmRelease`
    pub what: String,
    /// The file; empty if it is not in this repository.
    pub path: String,
    /// The line that the layer's first line has in its file, less one.
    pub(super) offset: usize,
    /// Where the lines of the text are not those of the file.
    pub(super) line: Option<usize>,
    pub(super) root: Node,
    /// What all keys of the layer begin with.
    pub(super) prefix: Vec<String>,
    pub secret: bool,
    /// The file is encrypted with SOPS.
    pub(super) encrypted: bool,
}

/// Keys from the outermost on, a line, the kind of the value; whether to go on below.
pub(super) type Visit<'v> = dyn FnMut(&[String], usize, Kind) -> bool + 'v;

/// A layer that sets a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    pub what: String,
    /// `FILE:LINE`, or the layer's name.
    pub place: String,
    /// The value as written; nothing for maps, lists and secrets.
    pub value: Option<String>,
    pub secret: bool,
}

/// The kind of a value. A variable that Flux has yet to expand has that of its default, or none that is known.
fn kind_of(value: &Node) -> Kind {
    let Some(inner) = value.as_str().and_then(|t| t.strip_prefix("${")?.strip_suffix('}')) else { return value.kind() };
    let end = inner.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(inner.len());
    let (name, rest) = inner.split_at(end);
    if name.is_empty() || inner.contains(['{', '}']) {
        return value.kind();
    }
    let default = [":=", ":-", "=", "-"].iter().find_map(|by| rest.strip_prefix(by)).unwrap_or_default();
    let document = document::parse(default.as_bytes()).ok().and_then(|mut d| d.pop());
    document.map_or(Kind::Null, |d| d.root.kind())
}

/// A path of keys as Helm's `--set` and Flux's `targetPath` write it: `hosts[0].name`; a dot within a key is written `\.`.
pub fn keys(path: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut key = String::new();
    let mut chars = path.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => key.extend(chars.next()),
            '.' | '[' | ']' => {
                if !key.is_empty() {
                    out.push(std::mem::take(&mut key));
                }
            }
            c => key.push(c),
        }
    }
    if !key.is_empty() {
        out.push(key);
    }
    out
}

impl Layer {
    /// A values file. `None` for a text that is no document.
    pub fn file(what: impl Into<String>, path: impl Into<String>, text: &[u8]) -> Option<Self> {
        let root = document::parse(text).ok()?.into_iter().next()?.root;
        let (what, path) = (what.into(), path.into());
        let encrypted = secrets::is_encrypted(&path, text);
        Some(Self { what, path, offset: 0, line: None, root, prefix: Vec::new(), secret: false, encrypted })
    }

    /// Tells a masker what must not be shown, if the layer is a secret: also one that lies in clear in the repository.
    pub fn hide_in(&self, masker: &mut Masker) {
        fn leaves(node: &Node, masker: &mut Masker) {
            if let Some(text) = node.as_str().filter(|t| !is_placeholder(t)) {
                masker.learn_text(text);
            }
            node.items().iter().for_each(|n| leaves(n, masker));
            node.entries().iter().for_each(|(_, n)| leaves(n, masker));
        }
        if self.secret {
            leaves(&self.root, masker);
        }
    }

    /// Visits the keys of the layer from the outermost inwards, with the file's line and the kind of the value; below one for which `visit`
    /// says so.
    pub(super) fn walk(&self, visit: &mut Visit<'_>) {
        let mut keys = Vec::new();
        for (i, key) in self.prefix.iter().enumerate() {
            keys.push(key.clone());
            let kind = match self.prefix.get(i + 1) {
                // A number is an item's place in a list, or a key.
                Some(next) if next.bytes().all(|b| b.is_ascii_digit()) => Kind::Null,
                Some(_) => Kind::Map,
                None => self.root.kind(),
            };
            if !visit(&keys, self.line.unwrap_or(self.root.line() + self.offset), kind) {
                return;
            }
        }
        self.walk_below(&self.root, &mut keys, visit);
    }

    fn walk_below(&self, node: &Node, keys: &mut Vec<String>, visit: &mut Visit<'_>) {
        for (key, value) in node.entries() {
            let name = key.as_str().unwrap_or_default();
            // What SOPS writes of itself is no value.
            if self.encrypted && keys.is_empty() && name == "sops" {
                continue;
            }
            keys.push(name.to_owned());
            if visit(keys, self.line.unwrap_or(key.line() + self.offset), kind_of(value)) {
                self.walk_below(value, keys, visit);
            }
            keys.pop();
        }
    }

    /// Where the layer sets a key: the node, and the line in the layer's file.
    pub(super) fn find(&self, path: &[String]) -> Option<(&Node, usize)> {
        let rest = match path.strip_prefix(&self.prefix[..]) {
            Some(rest) => rest,
            None if self.prefix.starts_with(path) => &[],
            None => return None,
        };
        let mut at = &self.root;
        let mut line = self.root.line();
        for key in rest {
            match at.entry(key) {
                Some((k, v)) => (line, at) = (k.line(), v),
                None => {
                    at = key.parse::<usize>().ok().and_then(|i| at.items().get(i))?;
                    line = at.line();
                }
            }
        }
        Some((at, self.line.unwrap_or(line + self.offset)))
    }

    /// The file and line where the layer sets a key.
    pub(super) fn place(&self, path: &[String]) -> Option<Place> {
        let (_, line) = self.find(path)?;
        Some(Place { path: self.path.clone(), line })
    }

    /// What this layer says of a key.
    pub fn get(&self, path: &[String]) -> Option<Origin> {
        let (at, line) = self.find(path)?;
        let place = if self.path.is_empty() { self.what.clone() } else { format!("{}:{line}", self.path) };
        let value = at.as_str().map(String::from).filter(|_| !self.secret);
        Some(Origin { what: self.what.clone(), place, value, secret: self.secret })
    }
}

#[cfg(test)]
mod tests {
    use super::keys;

    #[test]
    fn paths_are_read_as_helm_reads_them() {
        for (path, want) in [
            ("a.b", &["a", "b"][..]),
            ("hosts[0].name", &["hosts", "0", "name"]),
            ("m[1][2]", &["m", "1", "2"]),
            (r"annotations.example\.com/a", &["annotations", "example.com/a"]),
            (r"a\[0]", &["a[0"]),
            ("", &[]),
        ] {
            assert_eq!(keys(path), want, "{path}");
        }
    }
}
