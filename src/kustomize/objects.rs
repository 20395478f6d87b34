//! From text to objects (`resource.Factory`): lists are opened, and what has no kind or name is refused.

use std::sync::Arc;

use super::emit;
use super::error::{Error, Result};
use super::json::Json;
use super::node::{Kind, Node};
use super::read;
use super::resource::{self, Pairs, Resource, Source};

/// The objects of a text. `file` is where it stands.
pub fn from_text(text: &[u8], file: &Arc<str>) -> Result<Vec<Resource>> {
    let mut nodes: Vec<(Node, u32, bool)> =
        checked(read::objects(text)?, file)?.into_iter().map(|(node, line)| (node, line, true)).collect();
    // Items of a list go behind all other objects, as in kustomize.
    let mut out = Vec::with_capacity(nodes.len());
    let mut at = 0;
    while at < nodes.len() {
        // The nodes of an item are read again, and have no lines of their own.
        let (node, line, has_lines) = std::mem::take(&mut nodes[at]);
        at += 1;
        let kind = resource::kind(&node);
        if !kind.ends_with("List") || node.field("items").is_none() {
            out.push(Resource::new(node, Source { file: file.clone(), line }));
            continue;
        }
        let kind = kind.to_owned();
        let json = emit::to_json(&node, true)
            .map_err(|e| Error::new(format!("trouble expanding list of {kind}; {e}")).at(file, line))?;
        match json.get("items") {
            Some(Json::List(items)) => {
                let written = node.field("items").filter(|_| has_lines).map_or(&[][..], |items| &items.content);
                for (i, item) in items.iter().enumerate() {
                    let line = written.get(i).map_or(line, |item| item.line.max(line));
                    let inner = checked(read::objects(item.encode().as_bytes())?, file);
                    let inner = inner.map_err(|e| Error { line, ..e })?;
                    nodes.extend(inner.into_iter().map(|(node, _)| (node, line, false)));
                }
            }
            None | Some(Json::Null) => {}
            Some(other) => {
                let found = match other {
                    Json::Map(_) => "map[string]interface {}",
                    Json::Str(_) => "string",
                    Json::Bool(_) => "bool",
                    Json::Float(_) => "float64",
                    _ => "int",
                };
                let e = format!("expected array in {kind}/items, but found {found}");
                return Err(Error::new(e).at(file, line));
            }
        }
    }
    Ok(out)
}

/// Drops nodes that are empty, refuses those that are no objects; each with its line.
fn checked(nodes: Vec<Node>, file: &str) -> Result<Vec<(Node, u32)>> {
    let mut out = Vec::with_capacity(nodes.len());
    for node in nodes {
        if node.is_empty() {
            continue;
        }
        validate(&node).map_err(|e| e.at(file, node.line))?;
        let line = node.line;
        out.push((node, line));
    }
    Ok(out)
}

/// `GetValidatedMetadata`
pub fn validate(node: &Node) -> Result<()> {
    let field = |node: &Node, name: &str| node.field(name).filter(|n| !n.is_empty()).map(|n| n.text().to_owned());
    let (api_version, kind) = (field(node, "apiVersion"), field(node, "kind"));
    let metadata = node.field("metadata").filter(|n| !n.is_empty());
    let (mut name, mut namespace, mut labels, mut annotations) = (None, None, None, None);
    if let Some(metadata) = metadata {
        name = metadata.field("name").filter(|n| !n.is_empty()).map(|n| n.value.clone());
        namespace = field(metadata, "namespace");
        let pairs = |name: &str| -> Option<Pairs> {
            let map = metadata.field(name).filter(|n| !n.is_empty())?;
            if map.kind != Kind::Mapping {
                return Some(Pairs::new());
            }
            Some(map.fields().map(|(k, v)| (k.text().to_owned(), v.text().to_owned())).collect())
        };
        labels = pairs("labels");
        annotations = pairs("annotations");
    }
    let any = [&api_version, &kind, &name, &namespace].iter().any(|f| f.is_some());
    if !any && labels.is_none() && annotations.is_none() {
        return Err("missing Resource metadata".into());
    }
    let show = || {
        let map = |pairs: &Option<Pairs>| {
            let items: Vec<String> = pairs.iter().flatten().map(|(k, v)| format!("{k}:{v}")).collect();
            format!("map[{}]", items.join(" "))
        };
        let text = |s: &Option<String>| s.clone().unwrap_or_default();
        format!(
            "{{{{{} {}}} {{{{{} {}}} {} {}}}}}",
            text(&api_version),
            text(&kind),
            text(&name),
            text(&namespace),
            map(&labels),
            map(&annotations)
        )
    };
    let kind = kind.as_deref().unwrap_or_default();
    if kind.is_empty() {
        return Err(Error::new(format!("missing kind in object {}", show())));
    }
    if !kind.ends_with("List") && name.as_deref().unwrap_or_default().is_empty() {
        return Err(Error::new(format!("missing metadata.name in object {}", show())));
    }
    Ok(())
}
