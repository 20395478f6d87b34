//! A node as YAML text the way kyaml prints it (`RNode.String`): go-yaml v3, two spaces, sequences not indented, styles kept.
//!
//! Built objects are printed by [`super::emit`]; this form appears in messages, in text that stands inside other text, and where
//! kustomize compares a scalar's printed form.

use std::borrow::Cow;

use super::node::{Kind, Node, Style, Tag, resolve3};
use crate::yaml::emit::{Dialect, analyze, quoted};

/// The node with a line break at the end.
pub fn node(node: &Node) -> String {
    let mut out = String::new();
    match node.kind {
        Kind::Zero => out.push_str("null"),
        Kind::Scalar => scalar(node, &mut out, 0, false, false),
        _ if is_inline(node) => flow(node, &mut out),
        _ => block(node, &mut out, 0, false),
    }
    if !out.ends_with('\n') {
        out.push('\n');
    }
    out
}

/// The printed form of a scalar or anything else, without the spaces around it.
pub fn trimmed(n: &Node) -> String {
    if n.kind == Kind::Scalar
        && n.style == Style::Plain
        && !n.tagged
        && n.value.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        && !n.value.starts_with('-')
        && !n.value.is_empty()
        && (n.tag != Tag::Str
            || !n.value.as_bytes()[0].is_ascii_digit() && !matches!(resolve3(&n.value).0, Tag::Null | Tag::Bool))
    {
        return n.value.clone();
    }
    node(n).trim().to_owned()
}

fn is_inline(node: &Node) -> bool {
    node.content.is_empty() || node.flow
}

fn spaces(out: &mut String, n: usize) {
    out.extend(std::iter::repeat_n(' ', n));
}

/// A collection in block style. `inline`: the first line's indentation stands already.
fn block(node: &Node, out: &mut String, indent: usize, mut inline: bool) {
    let mut lead = |out: &mut String| {
        if !std::mem::take(&mut inline) {
            spaces(out, indent);
        }
    };
    if node.kind == Kind::Sequence {
        for item in &node.content {
            lead(out);
            out.push('-');
            value(item, out, indent, true);
        }
        return;
    }
    for (key, item) in node.fields() {
        lead(out);
        match key.kind {
            Kind::Scalar => scalar(key, out, indent, false, true),
            _ if key.content.is_empty() => flow(key, out),
            _ => {
                out.push('?');
                value(key, out, indent, true);
                spaces(out, indent);
                out.push(':');
                value(item, out, indent, true);
                continue;
            }
        }
        out.push(':');
        value(item, out, indent, false);
    }
}

fn value(node: &Node, out: &mut String, indent: usize, item: bool) {
    match node.kind {
        Kind::Scalar => {
            let start = out.len();
            out.push(' ');
            scalar(node, out, indent, false, false);
            if out.len() == start + 1 {
                out.pop();
            }
            if !out.ends_with('\n') || node.value.is_empty() {
                out.push('\n');
            }
        }
        Kind::Zero => out.push_str(" null\n"),
        _ if is_inline(node) => {
            out.push(' ');
            flow(node, out);
            out.push('\n');
        }
        _ if item => {
            out.push(' ');
            block(node, out, indent + 2, true);
        }
        Kind::Sequence => {
            out.push('\n');
            block(node, out, indent, false);
        }
        Kind::Mapping => {
            out.push('\n');
            block(node, out, indent + 2, false);
        }
    }
}

fn flow(node: &Node, out: &mut String) {
    match node.kind {
        Kind::Scalar => scalar(node, out, 0, true, false),
        Kind::Zero => out.push_str("null"),
        Kind::Sequence => {
            out.push('[');
            for (i, item) in node.content.iter().enumerate() {
                if i > 0 {
                    out.push_str(", ");
                }
                flow(item, out);
            }
            out.push(']');
        }
        Kind::Mapping => {
            out.push('{');
            for (i, (key, item)) in node.fields().enumerate() {
                if i > 0 {
                    out.push_str(", ");
                }
                match key.kind {
                    Kind::Scalar => scalar(key, out, 0, true, true),
                    _ if key.content.is_empty() => flow(key, out),
                    _ => {
                        out.push_str("? ");
                        flow(key, out);
                        out.push(' ');
                    }
                }
                out.push(':');
                out.push(' ');
                flow(item, out);
            }
            out.push('}');
        }
    }
}

fn scalar(node: &Node, out: &mut String, indent: usize, in_flow: bool, key: bool) {
    let text = node.value.as_str();
    let mut tag = node.tag.short();
    let mut force = false;
    if !node.tagged && !tag.is_empty() {
        let rtag = resolve3(text).0;
        if node.tag == Tag::Str && node.style != Style::Plain || rtag == node.tag {
            tag = "";
        } else if node.tag == Tag::Str {
            tag = "";
            force = true;
        }
    }
    let mut style = match node.style {
        Style::Plain if text.contains('\n') => Style::Literal,
        Style::Plain if force => Style::Double,
        style => style,
    };
    let analysis = analyze(text.as_bytes(), Dialect::V3);
    if key && analysis.multiline {
        style = Style::Double;
    }
    if style == Style::Plain {
        let plain = analysis.plain && !(in_flow && has_flow_indicator(text));
        if !plain || (text.is_empty() && (in_flow || key)) {
            style = Style::Single;
        }
    }
    if style == Style::Single && !analysis.single {
        style = Style::Double;
    }
    if matches!(style, Style::Literal | Style::Folded) && (!analysis.block || in_flow || key) {
        style = Style::Double;
    }
    if !tag.is_empty() {
        out.push_str(tag);
        if style != Style::Plain || !text.is_empty() {
            out.push(' ');
        }
    }
    match style {
        Style::Plain => out.push_str(text),
        Style::Single => out.push_str(&lossy(&quoted(text.as_bytes(), false))),
        Style::Double => out.push_str(&lossy(&quoted(text.as_bytes(), true))),
        Style::Literal | Style::Folded => block_scalar(text, style == Style::Folded, out, indent),
    }
}

fn lossy(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

fn block_scalar(text: &str, folded: bool, out: &mut String, indent: usize) {
    out.push(if folded { '>' } else { '|' });
    if text.starts_with([' ', '\n', '\r']) {
        out.push('2');
    }
    let body = text.trim_end_matches('\n');
    match text.len() - body.len() {
        0 => out.push('-'),
        1 if !body.is_empty() => {}
        _ => out.push('+'),
    }
    out.push('\n');
    let text = if folded { Cow::Owned(unfolded(text)) } else { Cow::Borrowed(text) };
    for line in text.split_inclusive('\n') {
        if line != "\n" {
            spaces(out, indent + 2);
        }
        out.push_str(line);
    }
    if !text.ends_with('\n') {
        out.push('\n');
    }
}

/// A text with line breaks doubled where one would be read as a space. go-yaml v3 asks the first line instead of the next whether it
/// is indented, so some breaks multiply.
fn unfolded(text: &str) -> String {
    let first = text.trim_start_matches('\n').chars().next();
    let doubles = !matches!(first, None | Some(' ' | '\t' | '\r'));
    let mut out = String::with_capacity(text.len());
    let (mut breaks, mut leading) = (true, true);
    for c in text.chars() {
        if c == '\n' {
            if !breaks && !leading && doubles {
                out.push('\n');
            }
            out.push('\n');
            breaks = true;
        } else {
            if breaks {
                leading = matches!(c, ' ' | '\t');
            }
            out.push(c);
            breaks = false;
        }
    }
    out
}

/// What comes of a folded text when it is printed and read again.
pub fn folded_again(text: &str) -> String {
    let analysis = analyze(text.as_bytes(), Dialect::V3);
    if !analysis.block {
        return text.to_owned();
    }
    let mut printed = String::from("k: ");
    block_scalar(text, true, &mut printed, 0);
    let node = super::read::parse(printed.as_bytes()).ok().flatten();
    node.and_then(|n| n.field("k").map(|v| v.value.clone())).unwrap_or_else(|| text.to_owned())
}

/// True if a block scalar under the node cannot be read again once it is printed: its text begins with a tab.
pub fn has_leading_tab(node: &Node) -> bool {
    let block = matches!(node.style, Style::Literal | Style::Folded) || node.value.contains('\n');
    (node.kind == Kind::Scalar && block && node.value.starts_with('\t'))
        || (!node.flow && node.content.iter().any(has_leading_tab))
}

/// What would end a plain text inside brackets.
pub(super) fn has_flow_indicator(text: &str) -> bool {
    text.contains([',', '?', '[', ']', '{', '}', ':'])
}

#[cfg(test)]
mod tests {
    use crate::kustomize::read;

    #[test]
    fn a_node_is_printed_as_it_was_written() {
        for text in [
            "a: 1\n",
            "a: \"1\"\nb: 'x'\n",
            "a:\n- b\n- c: d\n  e: [1, {x: y}]\n",
            "a: |\n  x\n  y\nb: |-\n  z\n",
            "a: {}\nb: []\nc: null\nd:\n",
            "- - a\n  - b\n- c\n",
            "!!int \"5\"\n",
            "? {a: b}\n: c\n? - d\n: e: f\n{}: g\n",
            "{? {a: ''} : '', {}: b}\n",
        ] {
            let node = read::parse(text.as_bytes()).unwrap().unwrap();
            assert_eq!(super::node(&node), text);
        }
    }
}
