//! Values that stand in more than one place: where an alias stands for one, or for a collection around it, a change of it changes all of them.

use crate::yaml::edit::{Place, Text};
use crate::yaml::node::{Document, NodeKind};

/// The line of the first alias that has a share in a value.
pub(super) fn alias_of(text: &Text<'_>, place: &Place) -> Option<u32> {
    let document = text.documents.get(place.document)?;
    let stands_for = |kind: NodeKind| match kind {
        NodeKind::Alias(to) => holds(document, to, place.node),
        _ => false,
    };
    document.nodes.iter().find(|node| stands_for(node.kind)).map(|node| node.line)
}

/// Whether a node is another, or around it: children come behind their parent.
fn holds(document: &Document, at: usize, node: usize) -> bool {
    let children = document.nodes.get(at).map_or(&[][..], |n| &n.children);
    at == node || children.iter().any(|child| *child <= node && holds(document, *child, node))
}
