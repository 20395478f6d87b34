//! What go-yaml v3 says when a document is decoded into a `map[string]interface{}`: types that do not fit, keys that stand twice.

use std::collections::HashMap;

use super::super::scanner::Style;
use super::resolve::resolve;
use super::{Document, MAX_DEPTH, Node, NodeKind};
use crate::golang::strconv::quote;

/// Decoded nodes from which on a document counts as an attack with aliases.
const MAX_DECODED: usize = 4_000_000;

/// Why a document cannot be decoded, in go-yaml's words (`yaml: ` in front) and in words without any of its values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Quotes scalars of the document.
    pub text: String,
    /// Holds places and kinds only.
    pub safe: String,
}

struct Checker<'a> {
    document: &'a Document,
    /// Type errors, each with and without values.
    wrong: Vec<(String, String)>,
    decoded: usize,
    in_alias: usize,
    aliased: usize,
    open: Vec<usize>,
}

/// Decodes a document as Go would into a map from string to anything, and gives the errors.
pub fn check(document: &Document) -> Result<(), Failure> {
    let mut checker = Checker { document, wrong: Vec::new(), decoded: 0, in_alias: 0, aliased: 0, open: Vec::new() };
    if !document.nodes.is_empty() {
        checker
            .value(document.root, true, 0)
            .map_err(|(text, safe)| Failure { text: format!("yaml: {text}"), safe: format!("yaml: {safe}") })?;
    }
    if checker.wrong.is_empty() {
        return Ok(());
    }
    let join = |lines: Vec<String>| format!("yaml: unmarshal errors:\n  {}", lines.join("\n  "));
    let (text, safe) = checker.wrong.into_iter().unzip();
    Err(Failure { text: join(text), safe: join(safe) })
}

type Fatal = (String, String);

fn fatal<T>(text: impl Into<String>) -> Result<T, Fatal> {
    let text = text.into();
    Err((text.clone(), text))
}

impl Checker<'_> {
    fn mismatch(&mut self, node: &Node, into: &str) {
        let place = format!("line {}: cannot unmarshal {}", node.line, node.tag);
        let safe = format!("{place} into {into}");
        let text = if matches!(node.tag.as_str(), "!!seq" | "!!map") {
            safe.clone()
        } else {
            let value = String::from_utf8_lossy(&node.value);
            let shown = if node.value.len() > 10 {
                format!("{}...", String::from_utf8_lossy(node.value.get(..7).unwrap_or_default()))
            } else {
                value.into_owned()
            };
            format!("{place} `{shown}` into {into}")
        };
        self.wrong.push((text, safe));
    }

    fn value(&mut self, id: usize, top: bool, depth: usize) -> Result<(), Fatal> {
        self.decoded += 1;
        self.aliased += usize::from(self.in_alias > 0);
        let share = self.aliased as f64 / self.decoded as f64;
        if (self.aliased > 100 && self.decoded > 1000 && share > 0.99) || self.decoded > MAX_DECODED {
            return fatal("document contains excessive aliasing");
        }
        if depth > MAX_DEPTH * 4 {
            return fatal("nested too deeply");
        }
        let Some(node) = self.document.nodes.get(id) else { return Ok(()) };
        match node.kind {
            NodeKind::Alias(to) => {
                if self.open.contains(&id) {
                    return fatal(format!("anchor '{}' value contains itself", String::from_utf8_lossy(&node.value)));
                }
                self.open.push(id);
                self.in_alias += 1;
                self.value(to, top, depth + 1)?;
                self.in_alias -= 1;
                self.open.pop();
                Ok(())
            }
            NodeKind::Scalar => {
                let value = self.scalar(node)?;
                if top && value {
                    self.mismatch(node, "map[string]interface {}");
                }
                Ok(())
            }
            NodeKind::Sequence if top => {
                self.mismatch(node, "map[string]interface {}");
                Ok(())
            }
            NodeKind::Sequence => {
                for child in &node.children {
                    self.value(*child, false, depth + 1)?;
                }
                Ok(())
            }
            NodeKind::Mapping => self.mapping(node, top, depth),
        }
    }

    /// True if the scalar is no null.
    fn scalar(&self, node: &Node) -> Result<bool, Fatal> {
        match resolve(&node.tag, &node.value) {
            Ok(value) => Ok(!matches!(value, super::Resolved::Null)),
            Err(text) => Err((text, format!("line {}: the value is no {}", node.line, node.tag))),
        }
    }

    fn mapping(&mut self, node: &Node, strings: bool, depth: usize) -> Result<(), Fatal> {
        let document = self.document;
        let keys: Vec<&Node> = node.children.iter().step_by(2).filter_map(|k| document.nodes.get(*k)).collect();
        if self.duplicates(&keys) {
            return Ok(());
        }
        for pair in node.children.chunks(2) {
            let [key_id, value] = pair else { break };
            let Some(key) = document.nodes.get(*key_id) else { break };
            if is_merge(key) {
                self.merge(*value, depth)?;
                continue;
            }
            let Some(target) = document.target(*key_id) else { break };
            match target.kind {
                NodeKind::Scalar if !self.scalar(target)? => continue,
                NodeKind::Scalar => {}
                _ if strings => {
                    self.mismatch(target, "string");
                    continue;
                }
                _ => return fatal("invalid map key"),
            }
            self.value(*value, false, depth + 1)?;
        }
        Ok(())
    }

    fn merge(&mut self, id: usize, depth: usize) -> Result<(), Fatal> {
        const WANT: &str = "map merge requires map or sequence of maps as the value";
        let document = self.document;
        let is_map = |id: usize| document.target(id).is_some_and(|n| n.kind == NodeKind::Mapping);
        let Some(node) = document.nodes.get(id) else { return Ok(()) };
        match node.kind {
            NodeKind::Sequence => {
                for child in &node.children {
                    if !is_map(*child) {
                        return fatal(WANT);
                    }
                    self.value(*child, false, depth + 1)?;
                }
                Ok(())
            }
            _ if is_map(id) => self.value(id, false, depth + 1),
            _ => fatal(WANT),
        }
    }

    /// Reports keys that stand twice.
    fn duplicates(&mut self, keys: &[&Node]) -> bool {
        let same = |a: &Node, b: &Node| {
            std::mem::discriminant(&a.kind) == std::mem::discriminant(&b.kind) && a.value == b.value
        };
        let mut seen: HashMap<&[u8], u32> = HashMap::new();
        if keys.iter().all(|k| *seen.entry(&k.value).and_modify(|n| *n += 1).or_insert(1) == 1) {
            return false;
        }
        let before = self.wrong.len();
        for (i, first) in keys.iter().enumerate() {
            for second in keys.iter().skip(i + 1).filter(|k| same(first, k)) {
                let text = format!(
                    "line {}: mapping key {} already defined at line {}",
                    second.line,
                    quote(&second.value),
                    first.line
                );
                self.wrong.push((text.clone(), text));
                // The list would grow with the square of the number of keys.
                if self.wrong.len() > 1000 {
                    return true;
                }
            }
        }
        self.wrong.len() > before
    }
}

fn is_merge(key: &Node) -> bool {
    key.kind == NodeKind::Scalar
        && key.value == b"<<"
        && (key.tag == "!!merge" || (key.tag.is_empty() && key.style == Style::Plain))
}
