//! Built objects as YAML text: kustomize prints a node, decodes it, makes JSON of it and hands that to sigs.k8s.io/yaml.
//!
//! What that makes of a node is done here in one step: keys sorted in go-yaml's natural order, scalars with the types that the
//! printed text would have, sequences not indented, lines folded after column 80. Texts with characters that change on their way
//! through JSON and YAML take the long way.

use std::collections::HashSet;

use super::json::Json;
use super::node::{Kind, Node, Style, Tag, Value, is_ambiguous, resolve3};
use crate::golang::json::float;
use crate::golang::strconv::{format_float, quote};
use crate::yaml::emit::{Dialect, Emitter, Place};
use crate::yaml::sort;

/// One object as YAML (`Resource.AsYAML`). Errors are the texts of the libraries on the way.
pub fn object(node: &Node) -> Result<String, String> {
    if !is_calm(node) {
        return roundabout(node);
    }
    refuse_tabs(node)?;
    let mut e = Emitter::new(Dialect::V2);
    write(node, &mut e, Place::Root, true, false)?;
    Ok(String::from_utf8_lossy(&e.finish()).into_owned())
}

/// JSON as YAML (`yaml.JSONToYAML`, `yaml.Marshal`).
pub fn json(value: &Json) -> Result<String, String> {
    long_way(value)
}

/// Through the JSON text itself.
fn roundabout(node: &Node) -> Result<String, String> {
    long_way(&to_json(node, true)?)
}

fn long_way(value: &Json) -> Result<String, String> {
    let text = value.encode();
    let mut heap = crate::value::Heap::new();
    let value = crate::yaml::convert::to_integral_value(&mut heap, text.as_bytes())?;
    let out = crate::yaml::marshal(&mut heap, &value)?;
    Ok(String::from_utf8_lossy(&out).into_owned())
}

/// True if every text under the node comes out of JSON and YAML as it went in.
fn is_calm(node: &Node) -> bool {
    let calm = |s: &str| s.is_ascii() && !s.bytes().any(|b| b == 0x7f) || s.chars().all(is_calm_char);
    (node.kind != Kind::Scalar || calm(&node.value))
        && node.content.iter().all(is_calm)
        && (node.kind != Kind::Mapping || node.fields().all(|(k, _)| k.value.len() < 800))
}

fn is_calm_char(c: char) -> bool {
    !matches!(c, '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

fn write(node: &Node, e: &mut Emitter, place: Place, top: bool, in_flow: bool) -> Result<(), String> {
    let in_flow = in_flow || node.flow;
    match node.kind {
        Kind::Zero => e.bare(b"null"),
        Kind::Scalar => match node.scalar_value(in_flow)? {
            Value::Null => e.bare(b"null"),
            Value::Bool(b) => e.bare(if b { b"true" } else { b"false" }),
            Value::Int(n) => e.bare(n.to_string().as_bytes()),
            Value::Uint(n) => e.bare(n.to_string().as_bytes()),
            Value::Float(f) => e.bare(number(f)?.as_bytes()),
            Value::Str(s) => e.string(s.as_bytes(), place),
        },
        Kind::Sequence if node.content.is_empty() => e.empty_sequence(),
        Kind::Sequence => {
            e.sequence_start(place);
            for item in &node.content {
                e.item();
                write(item, e, Place::Item, false, in_flow)?;
            }
            e.end();
        }
        Kind::Mapping => {
            let entries = entries(node, top)?;
            if entries.is_empty() {
                e.empty_mapping();
                return Ok(());
            }
            let mut order: Vec<u32> = (0..entries.len() as u32).collect();
            let key = |i: u32| entries[i as usize].0.as_bytes();
            sort::sort(&mut order, &|a, b| sort::less(key(a), key(b), Dialect::V2));
            e.mapping_start();
            for i in order {
                let (key, value) = entries[i as usize];
                e.key(key.as_bytes());
                write(value, e, Place::Value, false, in_flow)?;
            }
            e.end();
        }
    }
    Ok(())
}

/// A float as it looks after JSON and YAML: integral ones lose their point.
fn number(f: f64) -> Result<String, String> {
    if !f.is_finite() {
        return Err(format!("json: unsupported value: {}", format_float(f, b'g', -1, 64)));
    }
    let json = float(f);
    if json == "-0" {
        return Ok("0".into());
    }
    let integral = json.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    if integral && (json.parse::<i64>().is_ok() || json.parse::<u64>().is_ok()) {
        return Ok(json);
    }
    Ok(format_float(f, b'g', -1, 64))
}

/// The entries of a mapping once they are decoded: keys are texts, none twice. At the top level any scalar is a key.
fn entries(node: &Node, top: bool) -> Result<Vec<(&str, &Node)>, String> {
    duplicate(node)?;
    let mut out: Vec<(&str, &Node)> = Vec::with_capacity(node.content.len() / 2);
    for (key, value) in node.fields() {
        if key.kind != Kind::Scalar {
            return Err(match top {
                true => format!(
                    "yaml: unmarshal errors:\n  line {}: cannot unmarshal {} into string",
                    key.line,
                    key.tag.short()
                ),
                false => format!("yaml: invalid map key: {}", super::go_syntax::value(key)),
            });
        }
        if !is_text_key(key) {
            if !top {
                return Err("json: unsupported type: map[interface {}]interface {}".into());
            }
            if key.is_null() {
                continue;
            }
        }
        out.push((key.value.as_str(), value));
    }
    Ok(out)
}

pub fn is_text_key(key: &Node) -> bool {
    match key.tag {
        // Nothing at all is written as an empty text.
        Tag::Null if key.value.is_empty() => true,
        Tag::Str | Tag::Merge => true,
        Tag::Empty => key.style != Style::Plain || resolve3(&key.value).0 == Tag::Str,
        _ => false,
    }
}

/// go-yaml v3 refuses a mapping that has a key twice.
fn duplicate(node: &Node) -> Result<(), String> {
    let n = node.content.len() / 2;
    let key = |i: usize| &node.content[2 * i];
    let again = if n <= 12 {
        (1..n).any(|i| (0..i).any(|j| key(j).value == key(i).value))
    } else {
        let mut seen = HashSet::with_capacity(n);
        node.fields().any(|(k, _)| !seen.insert(k.value.as_str()))
    };
    if !again {
        return Ok(());
    }
    let mut text = String::from("yaml: unmarshal errors:");
    for i in 0..n {
        for j in (i + 1..n).filter(|j| key(*j).value == key(i).value && key(*j).kind == key(i).kind) {
            let name = quote(key(j).value.as_bytes());
            text.push_str(&format!(
                "\n  line {}: mapping key {name} already defined at line {}",
                key(j).line,
                key(i).line
            ));
        }
    }
    Err(text)
}

/// The node as JSON data (`RNode.MarshalJSON`). `top`: it is an object's root, where keys of any type are texts.
pub fn to_json(node: &Node, top: bool) -> Result<Json, String> {
    refuse_tabs(node)?;
    json_of(node, top, false)
}

/// A block text that begins with a tab cannot be read again, which is where kustomize ends.
fn refuse_tabs(node: &Node) -> Result<(), String> {
    if !super::print::has_leading_tab(node) {
        return Ok(());
    }
    super::read::parse(super::print::node(node).as_bytes()).map(|_| ())
}

fn json_of(node: &Node, top: bool, in_flow: bool) -> Result<Json, String> {
    let in_flow = in_flow || node.flow;
    Ok(match node.kind {
        Kind::Zero => Json::Null,
        Kind::Scalar => match node.scalar_value(in_flow)? {
            Value::Null => Json::Null,
            Value::Bool(b) => Json::Bool(b),
            Value::Int(n) => Json::Int(n),
            Value::Uint(n) => Json::Uint(n),
            Value::Float(f) if !f.is_finite() => {
                return Err(format!("json: unsupported value: {}", format_float(f, b'g', -1, 64)));
            }
            Value::Float(f) => Json::Float(f),
            Value::Str(s) => Json::Str(s.into_owned()),
        },
        Kind::Sequence => {
            Json::List(node.content.iter().map(|n| json_of(n, false, in_flow)).collect::<Result<_, _>>()?)
        }
        Kind::Mapping => {
            let entries = entries(node, top)?;
            let entries = entries.into_iter().map(|(k, v)| Ok((k.to_owned(), json_of(v, false, in_flow)?)));
            Json::map(entries.collect::<Result<_, String>>()?)
        }
    })
}

/// JSON data as a node (`yaml.FromMap`): what go-yaml v3 writes and reads again.
pub fn from_json(value: &Json) -> Node {
    match value {
        Json::Null => Node::tagged_scalar("null", Tag::Null),
        Json::Bool(b) => Node::tagged_scalar(b.to_string(), Tag::Bool),
        Json::Int(n) => Node::tagged_scalar(n.to_string(), Tag::Int),
        Json::Uint(n) => Node::tagged_scalar(n.to_string(), Tag::Int),
        Json::Float(f) => {
            let text = format_float(*f, b'g', -1, 64);
            let tag = resolve3(&text).0;
            Node::tagged_scalar(text, tag)
        }
        Json::Str(s) => {
            let style = if s.contains('\n') {
                Style::Literal
            } else if resolve3(s).0 != Tag::Str || is_ambiguous(s) && crate::yaml::emit::can_be_plain(s.as_bytes()) {
                Style::Double
            } else if !crate::yaml::emit::can_be_plain(s.as_bytes()) {
                Style::Single
            } else {
                Style::Plain
            };
            Node { style, ..Node::tagged_scalar(s.clone(), Tag::Str) }
        }
        Json::List(items) => Node {
            tag: Tag::Seq,
            flow: items.is_empty(),
            content: items.iter().map(from_json).collect(),
            ..Node::sequence()
        },
        Json::Map(entries) => {
            let mut order: Vec<usize> = (0..entries.len()).collect();
            let key = |i: usize| entries[i].0.as_bytes();
            sort::sort(&mut order, &|a, b| sort::less(key(a), key(b), Dialect::V3));
            let mut node = Node { tag: Tag::Map, flow: entries.is_empty(), ..Node::mapping() };
            for i in order {
                let (k, v) = &entries[i];
                node.content.push(from_json(&Json::Str(k.clone())));
                node.content.push(from_json(v));
            }
            node
        }
    }
}
