//! Metadata in formats that know no nesting: `age__list_0__map_enc=…`. Lists and maps are spelled out in the keys.

use std::collections::BTreeMap;

use super::error::Error;
use super::value::{Branch, Item, Key, Value};

const MAP: &str = "__map_";
const LIST: &str = "__list_";

enum Token {
    Map(String),
    List(i64),
}

fn tokens(path: &str) -> Vec<Token> {
    let mut out = Vec::new();
    let (mut rest, mut list) = (path, false);
    loop {
        let next = match (rest.find(MAP), rest.find(LIST)) {
            (Some(m), Some(l)) if m < l => Some((m, MAP.len(), false)),
            (_, Some(l)) => Some((l, LIST.len(), true)),
            (Some(m), None) => Some((m, MAP.len(), false)),
            (None, None) => None,
        };
        let part = rest.get(..next.map_or(rest.len(), |(at, _, _)| at)).unwrap_or_default();
        out.push(if list { Token::List(part.parse().unwrap_or(0)) } else { Token::Map(part.to_owned()) });
        let Some((at, length, is_list)) = next else { return out };
        rest = rest.get(at + length..).unwrap_or_default();
        list = is_list;
    }
}

#[derive(Default)]
struct Node {
    value: Option<Value>,
    keys: BTreeMap<String, Self>,
    indices: BTreeMap<i64, Self>,
}

impl Node {
    fn into_value(self) -> Result<Value, Error> {
        let kinds = [self.value.is_some(), !self.keys.is_empty(), !self.indices.is_empty()];
        if kinds.iter().filter(|k| **k).count() > 1 {
            return Err("Error while unflattening: Type mismatch".to_owned().into());
        }
        if let Some(value) = self.value {
            return Ok(value);
        }
        if !self.indices.is_empty() {
            let complete = self.indices.keys().zip(0..).all(|(k, i)| *k == i);
            if !complete {
                return Err("Error while unflattening: Incomplete list".to_owned().into());
            }
            return self.indices.into_values().map(Self::into_value).collect::<Result<_, _>>().map(Value::List);
        }
        let items = self.keys.into_iter().map(|(key, node)| Ok(Item::new(&key, node.into_value()?)));
        items.collect::<Result<_, Error>>().map(Value::Branch)
    }
}

/// Makes nested values of flat ones.
pub fn unflatten(branch: &Branch) -> Result<Branch, Error> {
    let mut root = Node::default();
    for item in branch {
        let Key::Text(key) = &item.key else { continue };
        let key = String::from_utf8_lossy(key);
        let mut node = &mut root;
        for token in tokens(&key) {
            node = match token {
                Token::Map(key) => node.keys.entry(key).or_default(),
                Token::List(at) => node.indices.entry(at).or_default(),
            };
        }
        if node.value.replace(item.value.clone()).is_some() {
            return Err(format!("Error while unflattening \"{key}\": Duplicate value").into());
        }
    }
    match root.into_value()? {
        Value::Branch(branch) => Ok(branch),
        _ => Err("Internal error: cannot find root".to_owned().into()),
    }
}

/// Makes flat values of nested ones, each key with `prefix` in front.
pub fn flatten(branch: &Branch, prefix: &str) -> Branch {
    let mut out = Vec::new();
    for item in branch {
        if let Key::Text(key) = &item.key {
            flatten_value(&item.value, format!("{prefix}{}", String::from_utf8_lossy(key)), &mut out);
        }
    }
    out
}

fn flatten_value(value: &Value, key: String, out: &mut Branch) {
    match value {
        Value::Branch(branch) => out.extend(flatten(branch, &format!("{key}{MAP}"))),
        Value::List(items) => {
            for (i, item) in items.iter().filter(|v| !matches!(v, Value::Comment(_))).enumerate() {
                flatten_value(item, format!("{key}{LIST}{i}"), out);
            }
        }
        value => out.push(Item::new(&key, value.clone())),
    }
}
