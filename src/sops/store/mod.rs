//! The five kinds of documents: how each is read into branches and written again, byte for byte as sops does.

mod dotenv;
mod ini;
mod json;
mod json_tokens;
mod yaml;

use super::error::Error;
use super::flatten::{flatten, unflatten};
use super::metadata::Metadata;
use super::tree::Tree;
use super::value::{Branch, Item, Key, Text, Value};
use crate::golang::strconv::format_float;

pub(super) use json::tree as json_tree;

/// The key of the metadata.
const SOPS: &[u8] = b"sops";
const PREFIX: &[u8] = b"sops_";

/// A kind of document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Yaml,
    Json,
    Dotenv,
    Ini,
    Binary,
}

impl Format {
    /// By the file's name, as sops decides.
    pub fn of_path(path: &str) -> Self {
        let ends = |suffix: &str| path.ends_with(suffix);
        if ends(".yaml") || ends(".yml") {
            Self::Yaml
        } else if ends(".json") {
            Self::Json
        } else if ends(".env") {
            Self::Dotenv
        } else if ends(".ini") {
            Self::Ini
        } else {
            Self::Binary
        }
    }

    /// By the name that `--input-type` takes.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "yaml" => Self::Yaml,
            "json" => Self::Json,
            "dotenv" => Self::Dotenv,
            "ini" => Self::Ini,
            "binary" => Self::Binary,
            _ => return None,
        })
    }
}

/// A kind of document with its settings from `.sops.yaml`.
#[derive(Clone, Copy, Debug)]
pub struct Store {
    pub format: Format,
    /// Columns of a level in YAML (default 4).
    pub yaml_indent: usize,
    /// Spaces of a level in JSON; a tab if not given.
    pub json_indent: Option<usize>,
    /// As above, for the envelope of binary documents.
    pub binary_indent: Option<usize>,
}

impl From<Format> for Store {
    fn from(format: Format) -> Self {
        Self { format, yaml_indent: 4, json_indent: None, binary_indent: None }
    }
}

impl Store {
    /// The same kind of document with the indentation of a text that sops wrote, by whatever settings.
    #[must_use]
    pub fn like(self, text: &[u8]) -> Self {
        let lines: Vec<&[u8]> = text.split(|b| *b == b'\n').collect();
        let indent = |line: &[u8]| line.iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
        // In YAML the metadata has keys below it, in JSON the first line does.
        let parent = match self.format {
            Format::Yaml => lines.iter().position(|l| l.trim_ascii_end() == b"sops:"),
            _ => lines.iter().position(|l| l.trim_ascii_end() == b"{"),
        };
        let Some(below) = parent.and_then(|i| lines.get(i + 1)) else { return self };
        match (indent(below), below.first()) {
            (0, _) => self,
            (n, Some(b' ')) => Self { yaml_indent: n, json_indent: Some(n), binary_indent: Some(n), ..self },
            _ => Self { json_indent: None, binary_indent: None, ..self },
        }
    }

    /// The same settings for another kind of document.
    #[must_use]
    pub const fn with_format(self, format: Format) -> Self {
        Self { format, ..self }
    }

    /// Reads a plain document.
    ///
    /// # Errors
    /// sops's texts.
    pub fn load_plain(&self, text: &[u8]) -> Result<Vec<Branch>, Error> {
        match self.format {
            Format::Yaml => yaml::load(text),
            Format::Json => json::load(text),
            Format::Dotenv => dotenv::load(text),
            Format::Ini => ini::load(text),
            Format::Binary => Ok(vec![vec![Item::new("data", Value::text(text.to_vec()))]]),
        }
    }

    /// Writes a plain document.
    pub fn emit_plain(&self, branches: &[Branch]) -> Result<Vec<u8>, Error> {
        match self.format {
            Format::Yaml => Ok(yaml::emit(branches, self.yaml_indent)),
            Format::Json => json::emit(branches, self.json_indent),
            Format::Dotenv => dotenv::emit(branches),
            Format::Ini => ini::emit(branches),
            Format::Binary => emit_binary(branches),
        }
    }

    /// Reads an encrypted document with its metadata.
    ///
    /// # Errors
    /// `sops metadata not found` for a plain one.
    pub fn load_encrypted(&self, text: &[u8]) -> Result<Tree, Error> {
        let mut branches = match self.format {
            Format::Binary => json::load(text)?,
            _ => self.load_plain(text)?,
        };
        let metadata = match self.format {
            Format::Dotenv => {
                let mut flat = Vec::new();
                if let Some(branch) = branches.first_mut() {
                    branch.retain(|item| {
                        let Key::Text(key) = &item.key else { return true };
                        let Some(name) = key.strip_prefix(PREFIX) else { return true };
                        flat.push(Item { key: Key::Text(name.to_vec()), value: item.value.clone() });
                        false
                    });
                }
                (!flat.is_empty()).then_some(flat)
            }
            format => take_sops(&mut branches)?.filter(|b| format == Format::Yaml || !b.is_empty()),
        };
        let mut metadata = metadata.ok_or_else(|| Error::from("sops metadata not found".to_owned()))?;
        if self.format == Format::Ini {
            for item in &mut metadata {
                if let Value::Text(text) = &item.value {
                    item.value = Value::Text(replace(text.as_bytes(), b"\\n", b"\n").into());
                }
            }
        }
        if matches!(self.format, Format::Dotenv | Format::Ini) {
            metadata = unflatten(&metadata)?;
        }
        Ok(Tree { branches, metadata: Metadata::from_branch(&metadata)? })
    }

    /// Writes an encrypted document with its metadata.
    pub fn emit_encrypted(&self, tree: &Tree) -> Result<Vec<u8>, Error> {
        let metadata = tree.metadata.to_branch();
        let extra: Branch = match self.format {
            Format::Dotenv => flatten(&metadata, "sops_"),
            Format::Ini => {
                let mut flat = flatten(&metadata, "");
                for item in &mut flat {
                    if let Value::Text(text) = &item.value {
                        item.value = Value::Text(replace(text.as_bytes(), b"\n", b"\\n").into());
                    }
                }
                vec![Item::new("sops", Value::Branch(flat))]
            }
            _ => vec![Item::new("sops", Value::Branch(metadata))],
        };
        let mut branches = tree.branches.clone();
        for branch in &mut branches {
            if let Some(key) = branch.iter().find_map(|item| self.reserved(&item.key)) {
                let (key, what) = (
                    crate::golang::strconv::quote(key),
                    match self.format {
                        Format::Dotenv => "which starts with the reserved key prefix \"sops_\" for SOPS metadata",
                        _ => "which is a reserved key used for SOPS metadata",
                    },
                );
                return Err(format!("Error marshaling metadata: Found key {key} in encrypted data, {what}").into());
            }
            branch.extend(extra.iter().cloned());
        }
        match self.format {
            Format::Binary => json::emit(&branches, self.binary_indent),
            _ => self.emit_plain(&branches),
        }
    }

    fn reserved<'a>(&self, key: &'a Key) -> Option<&'a [u8]> {
        let Key::Text(key) = key else { return None };
        let reserved = if self.format == Format::Dotenv { key.starts_with(PREFIX) } else { key == SOPS };
        reserved.then_some(key)
    }

    /// True if a branch holds metadata already.
    pub fn has_metadata(&self, branch: &Branch) -> bool {
        branch.iter().any(|item| self.reserved(&item.key).is_some())
    }
}

/// Takes the `sops` items out of all branches; the first branch's is the metadata.
fn take_sops(branches: &mut [Branch]) -> Result<Option<Branch>, Error> {
    let mut found: Option<Branch> = None;
    for (i, branch) in branches.iter_mut().enumerate() {
        let (sops, rest): (Vec<Item>, Vec<Item>) =
            std::mem::take(branch).into_iter().partition(|item| item.key.is(SOPS));
        *branch = rest;
        if i > 0 {
            continue;
        }
        for item in sops {
            if found.is_some() {
                return Err("Found duplicate sops entry".to_owned().into());
            }
            match item.value {
                Value::Branch(b) => found = Some(b),
                _ => return Err("Found sops entry that is not a mapping".to_owned().into()),
            }
        }
    }
    Ok(found)
}

fn emit_binary(branches: &[Branch]) -> Result<Vec<u8>, Error> {
    const WHAT: &str = "error emitting binary store";
    let [branch] = branches else { return Err(format!("{WHAT}: there must be exactly one tree branch").into()) };
    match branch.iter().find(|item| item.key.is(b"data")).map(|item| &item.value) {
        Some(Value::Text(text)) => Ok(text.as_bytes().to_vec()),
        Some(_) => Err(format!("{WHAT}: 'data' key in tree does not have a string value").into()),
        None => Err(format!("{WHAT}: no binary data found in tree").into()),
    }
}

fn replace(text: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.windows(from.len()).position(|w| w == from) {
        out.extend_from_slice(rest.get(..at).unwrap_or_default());
        out.extend_from_slice(to);
        rest = rest.get(at + from.len()..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
    out
}

/// How formats without types write a scalar.
fn scalar_text(value: &Value) -> Text {
    match value {
        Value::Text(t) => t.clone(),
        Value::Null => "<nil>".into(),
        Value::Uint(n) => n.to_string().into(),
        Value::Bool(b) => b.to_string().into(),
        Value::Float(f) => {
            let text = format_float(*f, b'G', -1, 64);
            if text.contains(['.', 'E']) { text } else { format_float(*f, b'f', 1, 64) }.into()
        }
        Value::Time(t) => super::metadata::time_text(t).into(),
        Value::Comment(c) => {
            let mut text = b"{".to_vec();
            text.extend_from_slice(c.text.as_bytes());
            text.extend_from_slice(format!(" {}}}", c.inline).as_bytes());
            text.into()
        }
        other => other.to_bytes().unwrap_or_default(),
    }
}
