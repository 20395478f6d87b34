//! Nodes that are written again in the style they were read in, as kyaml does it with whole streams of objects (`kio.ParseAll`, `kio.StringAll`).
//!
//! Quotes, block scalars, brackets, comments, anchors and aliases stay; indentation becomes kyaml's, and line breaks inside plain and folded
//! texts go. Source: go-yaml v3 `encode.go` (`node`), kyaml `kio/byteio_reader.go`.

use std::collections::HashMap;

use super::super::emit::{Dialect, Style, analyze, quoted};
use super::super::scanner::Style as Written;
use super::emit::allowed;
use super::resolve::{plain_tag, short};
use super::{Document, Entry, Item, Node, NodeKind, Scalar, Tree, Writer, documents};

impl Scalar {
    /// A string in single quotes, where its text allows that.
    pub fn single(text: &[u8]) -> Self {
        Self { text: text.to_vec(), style: Style::Single, folded: false, tag: "".into() }
    }

    fn of(node: &Node) -> Self {
        let tag = if node.tag.is_empty() { String::new() } else { short(node.tag.as_bytes()) };
        let string = tag == "!!str";
        let (mut keep, mut force) = (node.tagged, false);
        let quoted = string && node.style != Written::Plain;
        // A tag that was found from the text is not written if the text alone would be read so again; a string is quoted instead.
        if !(node.tagged || tag.is_empty() || quoted) && plain_tag(&node.value) != tag {
            force = string;
            keep = !string;
        }
        let folded = node.style == Written::Folded;
        let style = match node.style {
            Written::Single => Style::Single,
            Written::Double => Style::Double,
            Written::Literal | Written::Folded => Style::Literal,
            Written::Plain if node.value.contains(&b'\n') => Style::Literal,
            Written::Plain if force => Style::Double,
            Written::Plain => Style::Plain,
        };
        Self { text: node.value.clone(), style, folded, tag: if keep { tag.into() } else { "".into() } }
    }
}

/// A document's root as a tree to write, with the document's own comments; `None` for an empty one.
///
/// # Errors
/// A mapping's key that is no scalar.
pub fn object(document: &Document) -> Result<Option<Item>, String> {
    let Some(root) = document.nodes.get(document.root) else { return Ok(None) };
    if root.kind == NodeKind::Scalar && root.tag == "!!null" {
        return Ok(None);
    }
    let mut anchors = HashMap::new();
    for node in &document.nodes {
        if let NodeKind::Alias(to) = node.kind {
            anchors.insert(to, node.value.as_slice());
        }
    }
    let mut item = build(document, document.root, &anchors)?;
    join(&mut item.head, &document.head, true);
    join(&mut item.foot, &document.foot, false);
    Ok(Some(item))
}

/// Comments of a document and of its root: a blank line between them.
fn join(comment: &mut Vec<u8>, outer: &[u8], before: bool) {
    if outer.is_empty() || comment.is_empty() {
        comment.extend_from_slice(outer);
        return;
    }
    let parts = if before { [outer, comment.as_slice()] } else { [comment.as_slice(), outer] };
    *comment = parts.join(b"\n\n".as_slice());
}

fn build(document: &Document, id: usize, anchors: &HashMap<usize, &[u8]>) -> Result<Item, String> {
    let missing = || "a node that is not there".to_string();
    let node = document.nodes.get(id).ok_or_else(missing)?;
    let tree = match node.kind {
        NodeKind::Scalar => Tree::Scalar(Scalar::of(node)),
        NodeKind::Alias(_) => Tree::Alias(node.value.clone()),
        NodeKind::Sequence => {
            Tree::Sequence(node.children.iter().map(|c| build(document, *c, anchors)).collect::<Result<_, _>>()?)
        }
        NodeKind::Mapping => {
            let mut entries = Vec::with_capacity(node.children.len() / 2);
            for pair in node.children.chunks_exact(2) {
                let [key, value] = pair else { continue };
                let key = document.nodes.get(*key).ok_or_else(missing)?;
                if key.kind != NodeKind::Scalar {
                    return Err(format!("line {}: only scalars can be keys", key.line));
                }
                entries.push(Entry {
                    key: Scalar::of(key),
                    head: key.head.clone(),
                    behind: key.behind.clone(),
                    foot: key.foot.clone(),
                    value: build(document, *value, anchors)?,
                });
            }
            Tree::Mapping(entries)
        }
    };
    let tree = if node.flow && !node.children.is_empty() { Tree::Flow(Box::new(tree)) } else { tree };
    let mut marks = Vec::new();
    if let Some(name) = anchors.get(&id) {
        marks.push(b'&');
        marks.extend_from_slice(name);
    }
    if node.tagged && node.kind != NodeKind::Scalar {
        marks.extend_from_slice(if marks.is_empty() { b"" } else { b" " });
        marks.extend_from_slice(short(node.tag.as_bytes()).as_bytes());
    }
    let tree = if marks.is_empty() { tree } else { Tree::Marked(marks, Box::new(tree)) };
    Ok(Item { tree, head: node.head.clone(), behind: node.behind.clone(), foot: node.foot.clone() })
}

/// A collection in brackets, on one line.
pub(super) fn flow(tree: &Tree) -> Vec<u8> {
    let mut out = Vec::new();
    put(tree, &mut out);
    out
}

fn put(tree: &Tree, out: &mut Vec<u8>) {
    match tree {
        Tree::Scalar(s) => put_scalar(s, false, out),
        Tree::Alias(name) => {
            out.push(b'*');
            out.extend_from_slice(name);
        }
        Tree::Flow(tree) => put(tree, out),
        Tree::Marked(marks, tree) => {
            out.extend_from_slice(marks);
            out.push(b' ');
            put(tree, out);
        }
        Tree::Sequence(items) => {
            out.push(b'[');
            for (i, item) in items.iter().enumerate() {
                out.extend_from_slice(if i > 0 { b", " } else { b"" });
                put(&item.tree, out);
            }
            out.push(b']');
        }
        Tree::Mapping(entries) => {
            out.push(b'{');
            for (i, entry) in entries.iter().enumerate() {
                out.extend_from_slice(if i > 0 { b", " } else { b"" });
                put_scalar(&entry.key, true, out);
                out.extend_from_slice(b": ");
                put(&entry.value.tree, out);
            }
            out.push(b'}');
        }
    }
}

fn put_scalar(scalar: &Scalar, key: bool, out: &mut Vec<u8>) {
    let text = &scalar.text;
    if !scalar.tag.is_empty() {
        out.extend_from_slice(scalar.tag.as_bytes());
        out.push(b' ');
    }
    let ends_plain = |b: &u8| matches!(b, b',' | b'?' | b'[' | b']' | b'{' | b'}' | b':');
    let style = match scalar.style {
        Style::Literal => Style::Double,
        Style::Plain if text.is_empty() || text.iter().any(ends_plain) => Style::Single,
        style => style,
    };
    match allowed(style, analyze(text, Dialect::V3), text, key) {
        Style::Plain => out.extend_from_slice(text),
        Style::Single => out.extend_from_slice(&quoted(text, false)),
        Style::Double | Style::Literal => out.extend_from_slice(&quoted(text, true)),
    }
}

/// Reads a stream of objects: the text is split at lines that begin with `---`, the first document of each part counts, empty ones vanish, and
/// a `List` that stands alone becomes its items. Source: kyaml `kio.ParseAll`.
///
/// # Errors
/// kyaml's texts.
pub fn stream(text: &[u8]) -> Result<Vec<Item>, String> {
    let parts = parts(text)?;
    let alone = parts.len() == 1;
    let mut out = Vec::new();
    for part in parts {
        let Some(document) = documents(&part).next() else { continue };
        let document = document.map_err(|e| format!("MalformedYAMLError: {e}"))?;
        let Some(item) = object(&document)? else { continue };
        match items(&item) {
            Some(items) if alone => out.extend(items.iter().cloned()),
            _ => out.push(item),
        }
    }
    Ok(out)
}

fn items(item: &Item) -> Option<&[Item]> {
    let Tree::Mapping(entries) = item.tree.core().1 else { return None };
    let value = |key: &[u8]| entries.iter().find(|e| e.key.text == key).map(|e| e.value.tree.core().1);
    match value(b"kind") {
        Some(Tree::Scalar(kind)) if matches!(kind.text.as_slice(), b"List" | b"ResourceList") => {}
        _ => return None,
    }
    match value(b"items") {
        Some(Tree::Sequence(items)) => Some(items),
        _ => None,
    }
}

fn parts(text: &[u8]) -> Result<Vec<Vec<u8>>, String> {
    let mut parts = vec![Vec::new()];
    for (i, line) in text.split_inclusive(|b| *b == b'\n').enumerate() {
        let line = line.strip_suffix(b"\r\n").map_or_else(|| line.to_vec(), |l| [l, b"\n"].concat());
        let separator = line.strip_prefix(b"---").filter(|_| i > 0 && line.ends_with(b"\n"));
        if let Some(rest) = separator {
            let rest = rest.trim_ascii();
            if !rest.is_empty() && !rest.starts_with(b"#") {
                return Err(format!("invalid document separator: {}", String::from_utf8_lossy(line.trim_ascii())));
            }
            parts.push(Vec::new());
        } else if let Some(part) = parts.last_mut() {
            part.extend_from_slice(&line);
        }
    }
    Ok(parts)
}

/// Writes objects as a stream. Source: kyaml `kio.StringAll`.
pub fn write_stream(items: &[Item]) -> Vec<u8> {
    let mut writer = Writer::compact();
    items.iter().for_each(|item| writer.document(item));
    writer.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn again(text: &str) -> String {
        String::from_utf8(write_stream(&stream(text.as_bytes()).unwrap())).unwrap()
    }

    #[test]
    fn what_is_written_as_kyaml_writes_stays() {
        for text in [
            "a: 1 # behind\n# about b\nb: \"x\"\nc: 'y'\n",
            "a:\n- b\n- c: d\n  e: [1, {x: y, 'z': \"1\"}]\n# foot\n",
            "a: |\n  x\n  y\nb: |-\n  z\nc: >-\n  folded text\n",
            "a: {}\nb: []\nc: null\nd:\ne: ~\nf: on\ng: 0777\n",
            "- - a\n  - b\n- c\n",
            "base: &x\n  k: v\nref: *x\nlist: &y [1]\nsame: *y\n",
            "a: b\n---\n# head\nc: d\n",
            "a: # about a\n  b: c\n  d:\n    # about e\n    e: f\n",
            "a: !!str 5\nb: !custom\n  c: d\n",
        ] {
            assert_eq!(again(text), text);
        }
    }

    #[test]
    fn what_changes() {
        for (text, want) in [
            ("a:\n    b:\n        - c\n", "a:\n  b:\n  - c\n"),
            ("---\n# nothing\n---\na: b\n---\n", "a: b\n"),
            ("kind: List\nitems:\n- a: 1\n- b: 2\n", "a: 1\n---\nb: 2\n"),
            ("a: >-\n  folded\n  text\n", "a: >-\n  folded text\n"),
            ("{a: b, c: [d]}\n", "{a: b, c: [d]}\n"),
        ] {
            assert_eq!(again(text), want);
        }
        assert_eq!(stream(b"a: b\n--- x\n").err().unwrap(), "invalid document separator: --- x");
    }
}
