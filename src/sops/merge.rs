//! Merging two changes of one SOPS document, value by value, with a new MAC: what a Git merge of the text can never do.
//!
//! All three versions are decrypted and their MACs checked; keys are merged as in any three-way merge, lists as wholes. Values that nobody changed
//! keep their ciphertexts. Recipients are merged too: added by either side, removed by either side, unless nobody would be left.

use std::collections::{BTreeMap, BTreeSet};

use super::commands::{Fresh, Opened, open};
use super::error::{Error, codes};
use super::keys::{KeyGroup, MasterKey, Services};
use super::metadata::time_text;
use super::store::Store;
use super::value::{Branch, Item, Key, Value};

/// Why there is no merged document.
#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    /// A version does not open: no key is at hand, or its MAC is wrong.
    #[error("{version}: {error}")]
    Version { version: &'static str, error: Error },
    /// Both sides changed the same values in different ways.
    #[error("both sides changed: {}", .0.join(", "))]
    Conflict(Vec<String>),
    #[error(transparent)]
    Other(#[from] Error),
}

/// A key's name, and how often it stood before in its branch: dotenv and INI files may say a name twice.
type Name = (Vec<u8>, usize);

/// A key with the comments above it.
#[derive(Clone)]
struct Entry {
    comments: Vec<Item>,
    key: Name,
    value: Value,
}

fn entries(branch: &Branch) -> (Vec<Entry>, Vec<Item>) {
    let (mut out, mut comments, mut seen) = (Vec::new(), Vec::new(), BTreeMap::<&[u8], usize>::new());
    for item in branch {
        match &item.key {
            Key::Text(key) => {
                let before = seen.entry(key).or_default();
                out.push(Entry {
                    comments: std::mem::take(&mut comments),
                    key: (key.clone(), *before),
                    value: item.value.clone(),
                });
                *before += 1;
            }
            _ => comments.push(item.clone()),
        }
    }
    (out, comments)
}

fn same_comments(a: &[Item], b: &[Item]) -> bool {
    Value::Branch(a.to_vec()).same(&Value::Branch(b.to_vec()))
}

/// One of two changed comment blocks; nobody fails a merge for a comment.
fn comments(base: &[Item], ours: &[Item], theirs: &[Item]) -> Vec<Item> {
    if same_comments(base, ours) { theirs.to_vec() } else { ours.to_vec() }
}

fn merge_branch(base: &Branch, ours: &Branch, theirs: &Branch, path: &str, conflicts: &mut Vec<String>) -> Branch {
    let ((base, base_end), (ours, ours_end), (theirs, theirs_end)) = (entries(base), entries(ours), entries(theirs));
    let find = |all: &[Entry], key: &Name| all.iter().find(|e| e.key == *key).cloned();
    let mut order: Vec<Name> = ours.iter().map(|e| e.key.clone()).collect();
    // What only they have comes behind what it stands behind there.
    let mut before: Option<Name> = None;
    for entry in &theirs {
        if !order.contains(&entry.key) {
            let at = before.as_ref().and_then(|b| order.iter().position(|k| k == b)).map_or(0, |i| i + 1);
            order.insert(at, entry.key.clone());
        }
        before = Some(entry.key.clone());
    }
    let mut out = Vec::new();
    for key in order {
        let place = format!("{path}.{}", String::from_utf8_lossy(&key.0));
        let (b, o, t) = (find(&base, &key), find(&ours, &key), find(&theirs, &key));
        let value = |e: &Option<Entry>| e.as_ref().map(|e| e.value.clone());
        let Some(merged) = merge_value(value(&b), value(&o), value(&t), &place, conflicts) else { continue };
        let lines = |e: &Option<Entry>| e.as_ref().map(|e| e.comments.clone()).unwrap_or_default();
        let above = match (&o, &t) {
            (Some(o), None) => o.comments.clone(),
            (None, Some(t)) => t.comments.clone(),
            _ => comments(&lines(&b), &lines(&o), &lines(&t)),
        };
        out.extend(above);
        out.push(Item { key: Key::Text(key.0), value: merged });
    }
    out.extend(comments(&base_end, &ours_end, &theirs_end));
    out
}

fn merge_value(
    base: Option<Value>,
    ours: Option<Value>,
    theirs: Option<Value>,
    path: &str,
    conflicts: &mut Vec<String>,
) -> Option<Value> {
    let same = |a: &Option<Value>, b: &Option<Value>| match (a, b) {
        (Some(a), Some(b)) => a.same(b),
        (None, None) => true,
        _ => false,
    };
    if same(&ours, &theirs) || same(&base, &theirs) {
        return ours;
    }
    if same(&base, &ours) {
        return theirs;
    }
    if let (Some(Value::Branch(o)), Some(Value::Branch(t))) = (&ours, &theirs) {
        let base = match base {
            Some(Value::Branch(b)) => b,
            _ => Vec::new(),
        };
        return Some(Value::Branch(merge_branch(&base, o, t, path, conflicts)));
    }
    conflicts.push(path.trim_start_matches('.').to_owned());
    ours
}

/// Recipients of both sides, group by group; the encrypted data keys of `from` where it has them.
fn merge_groups(base: &[KeyGroup], ours: &[KeyGroup], theirs: &[KeyGroup], from: &[KeyGroup]) -> (Vec<KeyGroup>, bool) {
    let named = |groups: &[KeyGroup], i: usize| -> BTreeMap<(&'static str, String), MasterKey> {
        groups.get(i).into_iter().flatten().map(|k| ((k.list(), k.name()), k.clone())).collect()
    };
    let (mut out, mut missing) = (Vec::new(), false);
    for i in 0..ours.len().max(theirs.len()) {
        let (b, o, t, f) = (named(base, i), named(ours, i), named(theirs, i), named(from, i));
        let mut group = Vec::new();
        for key in ours.get(i).into_iter().flatten().chain(theirs.get(i).into_iter().flatten()) {
            let id = (key.list(), key.name());
            let removed = b.contains_key(&id) && !(o.contains_key(&id) && t.contains_key(&id));
            if removed || group.iter().any(|k: &MasterKey| (k.list(), k.name()) == id) {
                continue;
            }
            missing |= !f.contains_key(&id);
            group.push(f.get(&id).unwrap_or(key).clone());
        }
        if !group.is_empty() {
            out.push(group);
        }
    }
    let changed = out.len() != from.len() || out.iter().zip(from).any(|(a, b)| a.len() != b.len());
    (out, missing || (changed && from.len() > 1))
}

/// True if both sides changed several groups, each in its way: groups have no names by which they could be told apart.
fn are_apart(base: &[KeyGroup], ours: &[KeyGroup], theirs: &[KeyGroup]) -> bool {
    let names = |groups: &[KeyGroup]| -> Vec<BTreeSet<String>> {
        groups.iter().map(|group| group.iter().map(MasterKey::name).collect()).collect()
    };
    let (base, ours, theirs) = (names(base), names(ours), names(theirs));
    ours.len().max(theirs.len()) > 1 && ours != theirs && ours != base && theirs != base
}

/// Merges what `ours` and `theirs` made of `base`.
///
/// # Errors
/// [`MergeError::Conflict`] names the values; nothing of them is shown.
pub fn merge(
    store: &Store,
    base: &[u8],
    ours: &[u8],
    theirs: &[u8],
    keys: &Services<'_>,
    fresh: Fresh<'_>,
) -> Result<Vec<u8>, MergeError> {
    let load = |version, text: &[u8]| -> Result<Opened, MergeError> {
        open(store, text, keys, false).map_err(|error| MergeError::Version { version, error })
    };
    let base = if base.is_empty() { None } else { Some(load("base", base)?) };
    let (ours, theirs) = (load("ours", ours)?, load("theirs", theirs)?);
    let mut conflicts = Vec::new();
    let none = Vec::new();
    let base_branches = base.as_ref().map_or(&none, |b| &b.tree.branches);
    let base_meta = base.as_ref().map(|b| &b.tree.metadata);
    let (ours_meta, theirs_meta) = (&ours.tree.metadata, &theirs.tree.metadata);
    if ours.tree.branches.len() != theirs.tree.branches.len() {
        conflicts.push("the number of documents".into());
    }
    let branches: Vec<Branch> = ours
        .tree
        .branches
        .iter()
        .enumerate()
        .map(|(i, branch)| {
            let prefix = if ours.tree.branches.len() > 1 { format!("[{i}]") } else { String::new() };
            let at = |all: &Vec<Branch>| all.get(i).cloned().unwrap_or_default();
            merge_branch(&at(base_branches), branch, &at(&theirs.tree.branches), &prefix, &mut conflicts)
        })
        .collect();
    let mut metadata = ours_meta.clone();
    let settings = |m: &super::Metadata| (m.selection.clone(), m.mac_only_encrypted, m.threshold);
    match (base_meta.map(settings), settings(ours_meta), settings(theirs_meta)) {
        (_, o, t) if o == t => {}
        (Some(b), o, _) if b == o => {
            metadata.selection = theirs_meta.selection.clone();
            metadata.mac_only_encrypted = theirs_meta.mac_only_encrypted;
            metadata.threshold = theirs_meta.threshold;
        }
        (Some(b), _, t) if b == t => {}
        _ => conflicts.push("what is encrypted (selectors, mac_only_encrypted, shamir_threshold)".into()),
    }
    // A side that rotated the data key did it for a reason.
    let rotated = base.as_ref().is_some_and(|b| b.key == ours.key) && ours.key != theirs.key;
    let no_groups = Vec::new();
    let base_groups = base_meta.map_or(&no_groups, |m| &m.groups);
    let from = if rotated { &theirs_meta.groups } else { &ours_meta.groups };
    let (groups, seal) = merge_groups(base_groups, &ours_meta.groups, &theirs_meta.groups, from);
    let threshold = metadata.threshold.max(1);
    if groups.len() < threshold || are_apart(base_groups, &ours_meta.groups, &theirs_meta.groups) {
        conflicts.push("the recipients".into());
    }
    if !conflicts.is_empty() {
        return Err(MergeError::Conflict(conflicts));
    }
    metadata.groups = groups;
    if theirs_meta.version > metadata.version {
        metadata.version.clone_from(&theirs_meta.version);
    }
    let (mut chosen, other) = if rotated { (theirs, ours) } else { (ours, theirs) };
    chosen.remember(other);
    chosen.tree.branches = branches;
    chosen.tree.metadata = metadata;
    if seal {
        let now = time_text(fresh.now);
        let key = chosen.key.clone();
        keys.seal(&mut chosen.tree.metadata, &key, &now, fresh.random).map_err(|e| {
            Error::new(
                codes::FAILED,
                format!("the data key could not be encrypted for all recipients: {}", e.join("; ")),
            )
        })?;
    }
    Ok(chosen.close(store, fresh)?)
}
