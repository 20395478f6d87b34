//! The values of a Flux `HelmRelease`: references to ConfigMaps and Secrets, then the inline values.
//!
//! Source: `github.com/fluxcd/pkg/chartutil` 1.27 `values.go` and `merge.go`. The precedence is subtler than Flux documents. Inline
//! values are laid over the result before each `targetPath` is set and again at the end, and a merge shares the tables that only one
//! side has. So a `targetPath` wins over an inline value only where it wrote into a table or list that is the inline one itself:
//! `a.pw` wins if no earlier reference has a table `a`, and loses if one has. Maps on a heap are shared in just this way.

use std::collections::BTreeMap;

use crate::chart::{data, values_file};
use crate::diagnostic::LogLine;
use crate::golang::strconv;
use crate::value::{Heap, MapId};

use super::strvals;
use super::tables::merge_maps;

/// The key of a ConfigMap or Secret that holds values where none is named.
pub const DEFAULT_KEY: &str = "values.yaml";

/// One entry of `spec.valuesFrom`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ValuesReference {
    /// `Secret` or `ConfigMap`; or the kind of a source, whose file is then the key.
    pub kind: String,
    pub name: String,
    /// Empty means `values.yaml`.
    pub values_key: String,
    /// Empty: the object's text is YAML and merged at the root.
    pub target_path: String,
    /// Neither the object nor the key needs to exist.
    pub optional: bool,
    /// The text is set as it stands, without the grammar of `--set`.
    pub literal: bool,
}

impl ValuesReference {
    /// A file of a source's artifact: an addition of ours.
    fn of_source(&self) -> bool {
        matches!(self.kind.as_str(), "GitRepository" | "OCIRepository" | "ExternalArtifact")
    }

    /// The key that is read.
    pub fn key(&self) -> &str {
        if self.values_key.is_empty() { DEFAULT_KEY } else { &self.values_key }
    }
}

/// The data of a ConfigMap (`data` only) or a Secret (decoded).
pub type ObjectData = BTreeMap<String, Vec<u8>>;

/// Answers the data of an object by kind and name; `None` if there is no such object.
pub type Fetch<'f> = &'f mut dyn FnMut(&str, &str) -> Result<Option<ObjectData>, String>;

/// Composes the values. `fetch` gets a kind and a name in the release's namespace and answers the object's data, or `None` if there
/// is no such object; it is asked once for each object. `log` receives what is left out because it is optional.
///
/// # Errors
/// Flux's text: `could not resolve Secret chart values reference 'ns/name' with key 'values.yaml': …`, or what `fetch` said.
pub fn compose(
    heap: &mut Heap,
    namespace: &str,
    inline: Option<MapId>,
    references: &[ValuesReference],
    fetch: Fetch<'_>,
    log: &mut Vec<LogLine>,
) -> Result<MapId, String> {
    let inline = inline.unwrap_or_else(|| heap.new_map());
    let mut result = heap.new_map();
    let mut objects: BTreeMap<(&str, &str), Option<ObjectData>> = BTreeMap::new();
    for r in references {
        let fail = |why: &str| Err(unresolved(namespace, r, why));
        if !matches!(r.kind.as_str(), "Secret" | "ConfigMap") && !r.of_source() {
            return fail("unsupported values reference kind");
        }
        let id = (r.kind.as_str(), r.name.as_str());
        let first = !objects.contains_key(&id);
        if first {
            objects.insert(id, fetch(&r.kind, &r.name)?);
        }
        let Some(Some(object)) = objects.get(&id) else {
            let resource = match r.kind.as_str() {
                "Secret" => "secrets",
                "ConfigMap" => "configmaps",
                _ => "artifact of",
            };
            let name = strconv::quote(r.name.as_bytes());
            let why = if first { format!("{resource} {name} not found") } else { "resource not found".to_string() };
            if !r.optional {
                return fail(&why);
            }
            if first {
                log.push(LogLine::info(unresolved(namespace, r, &why)));
            }
            continue;
        };
        let Some(text) = object.get(r.key()) else {
            if !r.optional {
                return fail("key not found");
            }
            log.push(LogLine::info(unresolved(namespace, r, "key not found")));
            continue;
        };
        if r.target_path.is_empty() {
            match values_file::read_one(text) {
                Ok(table) => {
                    let table = data::table_to_map(heap, &table);
                    result = merge_maps(heap, result, table)?;
                }
                Err(e) => return fail(&e.replace("map[string]interface {}", "common.Values")),
            }
        } else {
            result = merge_maps(heap, result, inline)?;
            if let Err(e) = set(heap, result, &r.target_path, text, r.literal) {
                return fail(&e);
            }
        }
    }
    Ok(merge_maps(heap, result, inline)?)
}

/// The inline values from the text of `spec.values`. Flux reads it as YAML and takes a text that it can't read for no values.
/// Source: Flux helm-controller API `HelmRelease.GetValues`.
pub fn inline_values(heap: &mut Heap, text: &[u8]) -> MapId {
    let table = values_file::read_one(text).unwrap_or_default();
    data::table_to_map(heap, &table)
}

fn unresolved(namespace: &str, r: &ValuesReference, why: &str) -> String {
    let optional = if r.optional { " optional" } else { "" };
    let space = if r.kind.is_empty() { "" } else { " " };
    let (kind, name, key) = (&r.kind, &r.name, r.key());
    format!(
        "could not resolve{optional}{space}{kind} chart values reference '{namespace}/{name}' with key '{key}': {why}"
    )
}

/// Sets a text at a path as `--set` does, or as `--set-string` if it stands in quotes.
fn set(heap: &mut Heap, values: MapId, path: &str, text: &[u8], literal: bool) -> Result<(), String> {
    let mut expression = format!("{path}=").into_bytes();
    if literal {
        for b in text {
            if br"\,[]{}".contains(b) {
                expression.push(b'\\');
            }
            expression.push(*b);
        }
        return strvals::parse_into_string(heap, values, &expression);
    }
    let quoted = |q: u8| text.first() == Some(&q) && text.last() == Some(&q);
    if quoted(b'\'') || quoted(b'"') {
        let is_quote = |b: &u8| matches!(b, b'\'' | b'"');
        let start = text.iter().position(|b| !is_quote(b)).unwrap_or(text.len());
        let end = text.iter().rposition(|b| !is_quote(b)).map_or(start, |i| i + 1);
        expression.extend_from_slice(&text[start..end]);
        return strvals::parse_into_string(heap, values, &expression);
    }
    expression.extend_from_slice(text);
    strvals::parse_into(heap, values, &expression)
}
