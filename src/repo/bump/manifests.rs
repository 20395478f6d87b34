//! Images in objects that are applied as they lie there: containers of workloads.

use super::candidate::{Candidate, File};
use super::image::ImageRef;
use super::images::reference;
use super::intent::{Change, Intent};
use crate::yaml::edit::Text;
use crate::yaml::node::NodeKind;

/// Where a pod's containers stand, whatever kind of object has the pod.
const CONTAINERS: [&str; 2] = ["containers", "initContainers"];
/// Deeper than any pod's template.
const DEEPEST: usize = 30;

/// The containers' images in objects of the service. With a tag alone, those whose name or image is called as the service come first; a
/// sidecar is no less deep than they, so none is preferred by its depth.
pub(super) fn containers(file: &File<'_>, own: bool, intent: &Intent) -> Vec<Candidate> {
    let text = &file.text;
    let mut out = Vec::new();
    for d in 0..text.documents.len() {
        let Some(root) = text.root(d) else { continue };
        let shown = |path: &[&str]| text.at(d, root, path.iter().copied()).and_then(|n| text.text(d, n));
        let is_object = shown(&["apiVersion"]).is_some() && shown(&["kind"]).is_some_and(|kind| kind != "HelmRelease");
        if is_object && (own || shown(&["metadata", "name"]).as_ref() == Some(&intent.service)) {
            below(text, d, root, 0, intent, &mut out);
        }
    }
    out
}

fn below(text: &Text<'_>, document: usize, node: usize, depth: usize, intent: &Intent, out: &mut Vec<Candidate>) {
    let Some(here) = text.documents.get(document).and_then(|d| d.nodes.get(node)) else { return };
    if depth > DEEPEST {
        return;
    }
    let is_map = here.kind == NodeKind::Mapping;
    for pair in here.children.chunks(if is_map { 2 } else { 1 }) {
        let Some(value) = pair.last() else { continue };
        let key = pair.first().filter(|_| is_map).and_then(|key| text.text(document, *key));
        if key.is_some_and(|key| CONTAINERS.contains(&key.as_str())) {
            let items = text.items(document, *value);
            out.extend(items.into_iter().filter_map(|item| container(text, document, item, intent)));
        } else {
            below(text, document, *value, depth + 1, intent, out);
        }
    }
}

fn container(text: &Text<'_>, document: usize, node: usize, intent: &Intent) -> Option<Candidate> {
    let field = |name: &str| text.get(document, node, name).and_then(|n| text.place(document, n));
    let place = field("image")?;
    let old = ImageRef::split(&place.value)?;
    match &intent.change {
        Change::Image(new) if !new.is_at(&old.repository) => None,
        Change::Image(_) => reference(place, intent, 0),
        _ => {
            let exact = old.base() == intent.service || field("name").is_some_and(|name| name.value == intent.service);
            Some(Candidate { exact, ..reference(place, intent, 0)? })
        }
    }
}
