//! Post-rendering as Helm 4 does it: all rendered files as one stream of objects through somebody's hands, and back into files.
//!
//! Each object carries the path of its file in an annotation on the way, so that it finds its file again; the stream is written as kyaml writes it.
//! Source: Helm 4.3 `pkg/action/action.go`
//! (`annotateAndMerge`, `splitAndDeannotate`).

use std::collections::BTreeMap;

use crate::yaml::node::{Entry, Item, Scalar, Tree, stream, write_stream};

use super::manifest::{split, trim_space};

const FILENAME: &str = "postrenderer.helm.sh/postrender-filename";

/// From the stream of objects to what shall be used in its place, or why not.
pub type Program<'p> = dyn Fn(&[u8]) -> Result<Vec<u8>, String> + 'p;

/// Runs rendered files through a program, which gets the stream of objects and gives what shall be used in its place.
///
/// # Errors
/// Helm's texts around the program's.
pub fn through(files: &BTreeMap<String, Vec<u8>>, program: &Program<'_>) -> Result<BTreeMap<String, Vec<u8>>, String> {
    let merged = merge(files).map_err(|e| format!("error merging manifests: {e}"))?;
    let text = program(&merged).map_err(|e| format!("error while running post render on files: {e}"))?;
    divide(&text).map_err(|e| format!("error while parsing post rendered output: {e}"))
}

fn merge(files: &BTreeMap<String, Vec<u8>>) -> Result<Vec<u8>, String> {
    let mut all = Vec::new();
    for (path, text) in files {
        let base = path.rsplit('/').next().unwrap_or(path);
        if base.starts_with('_') || trim_space(text).is_empty() {
            continue;
        }
        for doc in split(text) {
            for mut item in stream(doc).map_err(|e| format!("parsing {path}: {e}"))? {
                annotate(&mut item, path).map_err(|e| format!("annotating {path}: {e}"))?;
                all.push(item);
            }
        }
    }
    Ok(write_stream(&all))
}

fn divide(text: &[u8]) -> Result<BTreeMap<String, Vec<u8>>, String> {
    let objects = stream(text).map_err(|e| format!("error parsing YAML: {e}"))?;
    let mut files: BTreeMap<String, Vec<Item>> = BTreeMap::new();
    for (i, mut item) in objects.into_iter().enumerate() {
        let Tree::Mapping(entries) = item.tree.core_mut() else {
            return Err("getting metadata: an object is a mapping".into());
        };
        let path = take(entries).unwrap_or_else(|| format!("generated-by-postrender-{i}.yaml"));
        files.entry(path).or_default().push(item);
    }
    Ok(files.into_iter().map(|(path, items)| (path, write_stream(&items))).collect())
}

fn find(entries: &[Entry], key: &str) -> Option<usize> {
    entries.iter().position(|e| e.key.text() == key.as_bytes())
}

/// The mapping under a key; made when it is missing or null.
fn child<'t>(entries: &'t mut Vec<Entry>, key: &str) -> Result<&'t mut Vec<Entry>, String> {
    let at = match find(entries, key) {
        Some(at) => at,
        None => {
            let value = Item::new(Tree::Mapping(Vec::new()));
            let (head, behind, foot) = Default::default();
            entries.push(Entry { key: Scalar::bare(key), head, behind, foot, value });
            entries.len() - 1
        }
    };
    let wrong = || format!("wrong node kind: expected MappingNode at {key}");
    let tree = entries.get_mut(at).map(|e| e.value.tree.core_mut()).ok_or_else(wrong)?;
    if matches!(tree, Tree::Scalar(s) if matches!(s.text(), b"" | b"~" | b"null")) {
        *tree = Tree::Mapping(Vec::new());
    }
    match tree {
        Tree::Mapping(entries) => Ok(entries),
        _ => Err(wrong()),
    }
}

fn annotate(item: &mut Item, path: &str) -> Result<(), String> {
    let Tree::Mapping(entries) = item.tree.core_mut() else {
        return Err("wrong node kind: expected MappingNode".into());
    };
    let annotations = child(child(entries, "metadata")?, "annotations")?;
    let value = Item::new(Tree::Scalar(Scalar::single(path.as_bytes())));
    match find(annotations, FILENAME).and_then(|at| annotations.get_mut(at)) {
        Some(entry) => entry.value = value,
        None => {
            let (head, behind, foot) = Default::default();
            annotations.push(Entry { key: Scalar::bare(FILENAME), head, behind, foot, value });
        }
    }
    Ok(())
}

/// Takes the path out of an object's annotations, and empty annotations with it.
fn take(entries: &mut Vec<Entry>) -> Option<String> {
    let at = find(entries, "metadata")?;
    let Tree::Mapping(metadata) = entries.get_mut(at)?.value.tree.core_mut() else { return None };
    let place = find(metadata, "annotations")?;
    let Tree::Mapping(annotations) = metadata.get_mut(place)?.value.tree.core_mut() else { return None };
    let found = find(annotations, FILENAME).map(|i| annotations.remove(i));
    if annotations.is_empty() {
        metadata.remove(place);
        if metadata.is_empty() {
            entries.remove(at);
        }
    }
    match found?.value.tree.core().1 {
        Tree::Scalar(s) if !s.text().is_empty() => Some(String::from_utf8_lossy(s.text()).into_owned()),
        _ => None,
    }
}
