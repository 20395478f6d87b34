//! What differs between two manifests, object by object.
//!
//! Objects are told apart by group, kind, namespace and name, whichever file they come from. An object has changed if its values have: an edited
//! comment or another order of keys is no change. What is shown is the text as it was rendered. Secrets are never shown: their values are
//! masked before anything is compared as text, without a trace of length or content, and only told to be the same or not.

mod lines;

use std::collections::{BTreeMap, BTreeSet};

pub use lines::unified;

use super::record::Record;
use crate::cluster::Gvk;
use crate::cluster::directory::is_namespaced;
use crate::render::manifest::split;
use crate::value::{Heap, Value, equal};

/// What became of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    Added,
    Removed,
    Changed,
}

/// One object that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectDiff {
    /// `Deployment default/web (apps/v1)`, with `hook` before it for a hook.
    pub object: String,
    pub change: Change,
    /// Hunks as of `diff -u`.
    pub text: String,
}

/// Where the objects of a manifest lie.
#[derive(Clone, Copy)]
pub struct Scope<'s> {
    /// The namespace of those that name none.
    pub namespace: &'s str,
    /// Custom kinds that have no namespace, `GROUP/KIND`.
    pub cluster_scoped: &'s BTreeSet<String>,
}

impl Scope<'_> {
    /// The namespace that an object lies in, which may name one itself; empty for none.
    pub fn place(&self, api: &str, kind: &str, own: &str) -> String {
        let gvk = Gvk::parse(api, kind);
        let custom = format!("{}/{kind}", gvk.group);
        match own {
            _ if !is_namespaced(&gvk) || self.cluster_scoped.contains(&custom) => String::new(),
            "" => self.namespace.to_owned(),
            own => own.to_owned(),
        }
    }
}

/// `Deployment default/web (apps/v1)`
pub fn label(kind: &str, place: &str, name: &str, api: &str) -> String {
    let slash = if place.is_empty() { "" } else { "/" };
    format!("{kind} {place}{slash}{name} ({api})")
}

/// One document, with what tells it from others.
struct Document {
    label: String,
    text: String,
    value: Option<Value>,
    secret: bool,
}

/// What differs between two revisions of a release: their objects, and their hooks.
pub fn records(old: &Record, new: &Record) -> Vec<ObjectDiff> {
    let namespace = &new.namespace;
    let mut out = manifests(&old.manifest, &new.manifest, namespace);
    let hooks = |r: &Record| -> String {
        r.hooks.iter().filter(|h| !h.absent).map(|h| format!("---\n# Source: {}\n{}\n", h.path, h.manifest)).collect()
    };
    out.extend(manifests(&hooks(old), &hooks(new), namespace).into_iter().map(|mut d| {
        d.object = format!("hook {}", d.object);
        d
    }));
    out
}

/// What differs between two manifests. `namespace` is where objects lie that name none.
pub fn manifests(old: &str, new: &str, namespace: &str) -> Vec<ObjectDiff> {
    let scope = Scope { namespace, cluster_scoped: &BTreeSet::new() };
    between(old, new, [scope, scope])
}

/// As [`manifests`], where objects may lie elsewhere after than before.
pub fn between(old: &str, new: &str, [before, after]: [Scope<'_>; 2]) -> Vec<ObjectDiff> {
    let mut heap = Heap::new();
    let mut old = documents(&mut heap, old, before);
    let new = documents(&mut heap, new, after);
    let mut out = Vec::new();
    let mut added = Vec::new();
    for (key, new) in new {
        match old.remove(&key) {
            None => added.push(whole(&mut heap, &new, Change::Added)),
            Some(old) if same(&mut heap, &old, &new) => {}
            Some(old) => {
                let (before, after) = texts(&mut heap, &old, &new);
                let text = unified(&before, &after, 3);
                if !text.is_empty() {
                    out.push(ObjectDiff { object: new.label, change: Change::Changed, text });
                }
            }
        }
    }
    out.extend(added);
    out.extend(old.into_values().map(|d| whole(&mut heap, &d, Change::Removed)));
    out
}

fn documents(heap: &mut Heap, manifest: &str, scope: Scope<'_>) -> BTreeMap<(String, usize), Document> {
    let mut out: BTreeMap<(String, usize), Document> = BTreeMap::new();
    for part in split(manifest.as_bytes()) {
        let text = String::from_utf8_lossy(part).into_owned();
        let value = crate::yaml::to_value(heap, part).ok().filter(|v| !v.is_nil());
        if value.is_none() && text.lines().all(|l| l.trim().is_empty() || l.trim_start().starts_with('#')) {
            continue;
        }
        let field = |heap: &Heap, path: &[&str]| text_at(heap, value.as_ref(), path);
        let (api, kind) = (field(heap, &["apiVersion"]), field(heap, &["kind"]));
        let name = field(heap, &["metadata", "name"]);
        let own = field(heap, &["metadata", "namespace"]);
        let place = scope.place(&api, &kind, &own);
        let group = api.split_once('/').map_or("", |(group, _)| group);
        // What is no object is known by its file.
        let (label, id) = if kind.is_empty() {
            let source = text.lines().find_map(|l| l.strip_prefix("# Source: ")).unwrap_or("document").to_string();
            (source.clone(), source)
        } else {
            (label(&kind, &place, &name, &api), format!("{group}/{kind}/{place}/{name}"))
        };
        let secret = value.as_ref().is_none_or(|v| holds_secret(heap, v, 0)) && may_hold_secret(&text);
        let mut n = 0;
        while out.contains_key(&(id.clone(), n)) {
            n += 1;
        }
        out.insert((id, n), Document { label, text, value, secret });
    }
    out
}

fn get(heap: &Heap, value: &Value, key: &str) -> Option<Value> {
    match value {
        Value::Map(m) => heap.map(*m).get(key.as_bytes()).cloned(),
        _ => None,
    }
}

fn text_at(heap: &Heap, value: Option<&Value>, path: &[&str]) -> String {
    let mut at = value.cloned();
    for key in path {
        at = at.and_then(|v| get(heap, &v, key));
    }
    at.and_then(|v| v.as_str().map(|s| s.to_text().into_owned())).unwrap_or_default()
}

/// A text without the word holds no Secret, so it need not be hidden even where it is no YAML.
fn may_hold_secret(text: &str) -> bool {
    text.contains("Secret")
}

/// A Secret, or a list with one in it.
fn holds_secret(heap: &Heap, value: &Value, depth: usize) -> bool {
    let kind = text_at(heap, Some(value), &["kind"]);
    if matches!(kind.as_str(), "Secret" | "SecretList") {
        return true;
    }
    match get(heap, value, "items") {
        Some(Value::List(l)) if depth < 8 => heap.list(l).items.iter().any(|v| holds_secret(heap, v, depth + 1)),
        _ => false,
    }
}

fn same(heap: &mut Heap, old: &Document, new: &Document) -> bool {
    match (&old.value, &new.value) {
        (Some(a), Some(b)) => equal::deep_equal(heap, a, b),
        _ => old.text == new.text,
    }
}

const MASK: &str = "<masked>";
const BEFORE: &str = "<masked, before>";
const AFTER: &str = "<masked, after>";

/// The texts of an object before and after, as they may be shown.
fn texts(heap: &mut Heap, old: &Document, new: &Document) -> (String, String) {
    if !old.secret && !new.secret {
        return (body(&old.text), body(&new.text));
    }
    match (&old.value, &new.value) {
        (Some(a), Some(b)) => {
            let before = masked(heap, a, Some(b), BEFORE, 0);
            let after = masked(heap, b, Some(a), AFTER, 0);
            (yaml(heap, &before), yaml(heap, &after))
        }
        // A Secret that is no YAML: not a word of it.
        _ => (format!("{BEFORE}\n"), format!("{AFTER}\n")),
    }
}

fn whole(heap: &mut Heap, document: &Document, change: Change) -> ObjectDiff {
    let text = match (&document.value, document.secret) {
        (_, false) => body(&document.text),
        (Some(value), true) => {
            let masked = masked(heap, value, None, MASK, 0);
            yaml(heap, &masked)
        }
        (None, true) => format!("{MASK}\n"),
    };
    let text = match change {
        Change::Added => unified("", &text, 3),
        _ => unified(&text, "", 3),
    };
    ObjectDiff { object: document.label.clone(), change, text }
}

/// A document without the line that names its file: an object may move.
fn body(text: &str) -> String {
    match text.strip_prefix("# Source: ") {
        Some(rest) => rest.split_once('\n').map_or("", |(_, body)| body).to_string(),
        None => text.to_string(),
    }
}

fn yaml(heap: &mut Heap, value: &Value) -> String {
    String::from_utf8_lossy(&crate::yaml::marshal(heap, value).unwrap_or_default()).into_owned()
}

/// The object with the values of Secrets masked; those that differ from `other` with the word for it.
fn masked(heap: &mut Heap, value: &Value, other: Option<&Value>, differs: &str, depth: usize) -> Value {
    let Value::Map(map) = value else { return value.clone() };
    let kind = text_at(heap, Some(value), &["kind"]);
    let entries: Vec<(crate::value::Str, Value)> = heap.map(*map).iter().map(|(k, v)| (k.clone(), v.clone())).collect();
    let mut out = Vec::with_capacity(entries.len());
    for (key, v) in entries {
        let name = key.to_text().into_owned();
        let beside = other.and_then(|o| get(heap, o, &name));
        let v = match (name.as_str(), &v) {
            ("data" | "stringData", _) if kind == "Secret" => mask_values(heap, &v, beside.as_ref(), differs),
            // What `kubectl apply` leaves behind has the values in it once more.
            ("metadata", Value::Map(m)) if kind == "Secret" => {
                let copy: Vec<_> = heap.map(*m).iter().map(|(k, v)| (k.clone(), v.clone())).collect();
                let mut fields = Vec::new();
                for (k, v) in copy {
                    let v = match (k.to_text().as_ref(), &v) {
                        ("annotations", Value::Map(a)) => {
                            let annotations: Vec<_> =
                                heap.map(*a).iter().map(|(k, v)| (k.clone(), v.clone())).collect();
                            let masked = annotations.into_iter().map(|(k, v)| {
                                let hide = k.to_text() == "kubectl.kubernetes.io/last-applied-configuration";
                                (k, if hide { Value::str(MASK) } else { v })
                            });
                            let masked: Vec<_> = masked.collect();
                            Value::Map(heap.map_of(masked))
                        }
                        _ => v,
                    };
                    fields.push((k, v));
                }
                Value::Map(heap.map_of(fields))
            }
            ("items", Value::List(l)) if depth < 8 => {
                let items = heap.list(*l).items.to_vec();
                let others = match &beside {
                    Some(Value::List(l)) => heap.list(*l).items.to_vec(),
                    _ => Vec::new(),
                };
                let mut list = Vec::new();
                for (i, item) in items.iter().enumerate() {
                    // Of a SecretList the items need not name their kind.
                    let item = if kind == "SecretList" { as_secret(heap, item) } else { item.clone() };
                    list.push(masked(heap, &item, others.get(i), differs, depth + 1));
                }
                Value::List(heap.list_of(list))
            }
            _ => v,
        };
        out.push((key, v));
    }
    Value::Map(heap.map_of(out))
}

fn as_secret(heap: &mut Heap, item: &Value) -> Value {
    let Value::Map(m) = item else { return Value::str(MASK) };
    let mut fields: Vec<(crate::value::Str, Value)> =
        heap.map(*m).iter().map(|(k, v)| (k.clone(), v.clone())).collect();
    fields.retain(|(k, _)| k.to_text() != "kind");
    fields.push(("kind".into(), Value::str("Secret")));
    Value::Map(heap.map_of(fields))
}

fn mask_values(heap: &mut Heap, value: &Value, other: Option<&Value>, differs: &str) -> Value {
    let Value::Map(map) = value else { return Value::str(MASK) };
    let entries: Vec<_> = heap.map(*map).iter().map(|(k, v)| (k.clone(), v.clone())).collect();
    let mut out = Vec::with_capacity(entries.len());
    for (key, v) in entries {
        let beside = other.and_then(|o| get(heap, o, &key.to_text()));
        let word = match beside {
            Some(b) if !equal::deep_equal(heap, &v, &b) => differs,
            _ => MASK,
        };
        out.push((key, Value::str(word)));
    }
    Value::Map(heap.map_of(out))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "---\n# Source: a/one.yaml\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata:\n  k: \"1\"\n---\n# Source: a/two.yaml\n# only a comment\napiVersion: v1\nkind: Service\nmetadata: {name: s}\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: x}\nstringData: {password: hunter2, same: s, gone: g}\n---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: old}\n";
    const NEW: &str = "---\n# Source: a/moved.yaml\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata:\n  k: \"2\"\n---\n# Source: a/two.yaml\nkind: Service\napiVersion: v1\nmetadata: {name: s}\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: x}\nstringData: {password: hunter3, same: s, new: n}\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: z}\ndata: {token: c2VjcmV0}\n";

    #[test]
    fn objects_are_compared_by_what_they_say() {
        let found = manifests(OLD, NEW, "ns");
        let heads: Vec<(&str, Change)> = found.iter().map(|d| (d.object.as_str(), d.change)).collect();
        assert_eq!(
            heads,
            [
                ("ConfigMap ns/a (v1)", Change::Changed),
                ("Secret ns/x (v1)", Change::Changed),
                ("Secret ns/z (v1)", Change::Added),
                ("Deployment ns/old (apps/v1)", Change::Removed),
            ]
        );
        assert!(found[0].text.contains("-  k: \"1\"\n+  k: \"2\"\n"), "{}", found[0].text);
    }

    #[test]
    fn what_belongs_to_no_namespace_names_none() {
        let role = "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: r, namespace: odd}\n";
        assert_eq!(manifests("", role, "ns")[0].object, "ClusterRole r (rbac.authorization.k8s.io/v1)");
        let custom = "apiVersion: x.io/v1\nkind: Foo\nmetadata: {name: f}\n";
        assert_eq!(manifests("", custom, "ns")[0].object, "Foo ns/f (x.io/v1)");
        let known = ["x.io/Foo".to_owned()].into();
        let scope = Scope { namespace: "ns", cluster_scoped: &known };
        assert_eq!(between("", custom, [scope, scope])[0].object, "Foo f (x.io/v1)");
    }

    #[test]
    fn secrets_leave_no_trace() {
        let all: String = manifests(OLD, NEW, "ns").iter().map(|d| d.text.clone()).collect();
        for word in ["hunter2", "hunter3", "c2VjcmV0", "secret", ": s\n", ": g", ": n"] {
            assert!(!all.contains(word), "{word} in {all}");
        }
        assert!(
            all.contains("-  password: <masked, before>\n") && all.contains("+  password: <masked, after>\n"),
            "{all}"
        );
        assert!(all.contains("   same: <masked>\n") && all.contains("+  new: <masked>\n"), "{all}");
        // In a list, and in a text that is no YAML.
        let list = "apiVersion: v1\nkind: List\nitems:\n- kind: Secret\n  apiVersion: v1\n  metadata: {name: x}\n  data: {a: cGxhaW4x}\n";
        let all: String =
            manifests(list, &list.replace("cGxhaW4x", "cGxhaW4y"), "ns").iter().map(|d| d.text.clone()).collect();
        assert!(all.contains("<masked, after>") && !all.contains("cGxhaW4"), "{all}");
        let broken = "kind: Secret\ndata: [\n  pass: hunter2\n";
        let all: String = manifests(broken, "", "ns").iter().map(|d| d.text.clone()).collect();
        assert!(!all.contains("hunter2"), "{all}");
    }
}
