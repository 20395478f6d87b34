//! Nodes that are one in several places.
//!
//! kustomize sets a label at many fields of an object with one and the same node wherever it has to make the field. Who later changes
//! the label at one of these places changes it at all. Here each place has a node of its own with the same number, and after every
//! step that set one of them the others follow.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};

use super::error::Result;
use super::node::Node;

/// A number for nodes that are to be one.
pub fn next() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    // Should the numbers ever run out, 0 shares nothing.
    NEXT.fetch_add(1, Ordering::Relaxed)
}

thread_local! {
    /// Counts settings of shared nodes on this thread: it tells whether a step set any, and which was set last.
    static STAMP: Cell<u32> = const { Cell::new(0) };
}

/// A stamp for a node that is set now, if it is shared.
pub fn stamp_if(share: u32) -> u32 {
    if share == 0 {
        return 0;
    }
    STAMP.with(|s| {
        s.set(s.get().wrapping_add(1));
        s.get()
    })
}

/// Does one step on an object; then all places of the nodes that it set are alike.
pub fn step<R>(node: &mut Node, f: impl FnOnce(&mut Node) -> Result<R>) -> Result<R> {
    let before = STAMP.with(Cell::get);
    let out = f(node);
    if STAMP.with(Cell::get) != before {
        let mut latest: HashMap<u32, Node> = HashMap::new();
        collect(node, &mut latest);
        spread(node, &latest);
    }
    out
}

fn collect(node: &Node, latest: &mut HashMap<u32, Node>) {
    if node.share != 0 && node.stamp != 0 && latest.get(&node.share).is_none_or(|old| old.stamp < node.stamp) {
        latest.insert(node.share, node.clone());
    }
    node.content.iter().for_each(|n| collect(n, latest));
}

fn spread(node: &mut Node, latest: &HashMap<u32, Node>) {
    if node.share != 0
        && let Some(new) = latest.get(&node.share)
    {
        *node = Node { stamp: 0, ..new.clone() };
    }
    node.content.iter_mut().for_each(|n| spread(n, latest));
}

/// A copy that is shared with nothing.
pub fn detached(node: &Node) -> Node {
    let mut copy = node.clone();
    detach(&mut copy);
    copy
}

fn detach(node: &mut Node) {
    (node.share, node.stamp) = (0, 0);
    node.content.iter_mut().for_each(detach);
}
