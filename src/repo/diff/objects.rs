//! Two lists of documents, object by object: the text that may be shown, and what a reviewer should know.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use crate::release::diff::{self, Change, Scope};
use crate::value::Heap;

use super::risks::{self, Facts, Risk};

/// One object that differs.
#[derive(Clone, Debug)]
pub struct ObjectChange {
    /// `Deployment shop/web (apps/v1)`
    pub object: String,
    pub change: Change,
    /// Hunks as of `diff -u`; empty if nothing but noise differs.
    pub text: String,
    pub facts: Facts,
}

impl ObjectChange {
    /// A line without an object of its own.
    pub fn note(object: String, risk: Risk) -> Self {
        let facts = Facts { risks: vec![risk], ..Facts::default() };
        Self { object, change: Change::Changed, text: String::new(), facts }
    }

    /// Only labels and annotations that change with each version of a chart.
    pub fn is_noise(&self) -> bool {
        self.text.is_empty() && self.facts.risks.is_empty()
    }
}

/// Lines that differ between versions of a chart and say nothing.
fn is_noise(line: &str) -> bool {
    let line = line.trim_start().trim_start_matches(['"', '\'']);
    ["helm.sh/chart", "app.kubernetes.io/version", "checksum/"].iter().any(|noise| line.starts_with(noise))
}

fn quiet(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    text.lines().filter(|l| !is_noise(l)).for_each(|l| {
        out.push_str(l);
        out.push('\n');
    });
    out
}

/// Documents that only one side has, byte for byte: most are the same.
fn unlike<'d>(old: &'d [Vec<u8>], new: &'d [Vec<u8>]) -> (Vec<&'d [u8]>, Vec<&'d [u8]>) {
    let mut count: BTreeMap<&[u8], i64> = BTreeMap::new();
    new.iter().for_each(|d| *count.entry(d).or_default() += 1);
    let mut gone = Vec::new();
    for d in old {
        match count.get_mut(&d[..]) {
            Some(n) if *n > 0 => *n -= 1,
            _ => gone.push(&d[..]),
        }
    }
    let mut come = Vec::new();
    for d in new {
        if let Some(n) = count.get_mut(&d[..]).filter(|n| **n > 0) {
            *n -= 1;
            come.push(&d[..]);
        }
    }
    (gone, come)
}

/// Compares documents. `namespaces` are where objects lie that name none, before and after; `hide` takes out what was decrypted.
pub fn compare(
    old: &[Vec<u8>],
    new: &[Vec<u8>],
    namespaces: [&str; 2],
    hide: &impl Fn(&[u8]) -> Vec<u8>,
) -> Vec<ObjectChange> {
    let [before, after] = namespaces;
    // The same text in another namespace is another object.
    let (gone, come) = match before == after {
        true => unlike(old, new),
        false => (old.iter().map(Vec::as_slice).collect(), new.iter().map(Vec::as_slice).collect()),
    };
    if gone.is_empty() && come.is_empty() {
        return Vec::new();
    }
    // Of a release both builds know all objects; of an environment perhaps only a part was opened.
    let cluster_scoped = cluster_scoped(old.iter().chain(new).filter(|_| !after.is_empty()));
    let scopes = namespaces.map(|namespace| Scope { namespace, cluster_scoped: &cluster_scoped });
    let joined = |docs: &[&[u8]]| {
        let shown = docs.iter().map(|d| quiet(&String::from_utf8_lossy(&hide(d))));
        shown.map(|text| format!("---\n{}\n", text.trim_start_matches("---\n"))).collect::<String>()
    };
    let mut texts: BTreeMap<String, (Change, String)> = diff::between(&joined(&gone), &joined(&come), scopes)
        .into_iter()
        .map(|d| (d.object, (d.change, d.text)))
        .collect();
    let [before, after] = scopes;
    let (old, new) = (parsed(&gone, before, hide), parsed(&come, after, hide));
    let mut out = Vec::new();
    for (id, (label, a, b)) in pair(old, new) {
        let _ = id;
        let mut facts = risks::facts(a.as_ref(), b.as_ref());
        let shown = |text: &mut String| *text = String::from_utf8_lossy(&hide(text.as_bytes())).into_owned();
        facts.images.iter_mut().for_each(|(old, new)| [old, new].into_iter().for_each(shown));
        facts.risks.iter_mut().for_each(|risk| shown(&mut risk.text));
        match texts.remove(&label) {
            Some((change, text)) => out.push(ObjectChange { object: label, change, text, facts }),
            // Nothing is left of it but noise, or another order of keys.
            None if a != b => {
                out.push(ObjectChange { object: label, change: Change::Changed, text: String::new(), facts })
            }
            None => {}
        }
    }
    // What is no object.
    out.extend(texts.into_iter().map(|(object, (change, text))| ObjectChange {
        object,
        change,
        text,
        facts: Facts::default(),
    }));
    out
}

fn json(heap: &mut Heap, document: &[u8]) -> Option<Json> {
    let value = crate::yaml::to_value(heap, document).ok()?;
    let json = crate::value::json::encode(heap, &value, false, None).ok()?;
    serde_json::from_slice(&json).ok()
}

/// The custom kinds that are defined here to have no namespace, `GROUP/KIND`. Definitions are long: only those that seem to say so are read.
fn cluster_scoped<'d>(documents: impl Iterator<Item = &'d Vec<u8>>) -> BTreeSet<String> {
    let has = |text: &[u8], what: &str| memchr::memmem::find(text, what.as_bytes()).is_some();
    let mut heap = Heap::new();
    let mut out = BTreeSet::new();
    for document in documents.filter(|d| has(d, "scope: Cluster") && has(d, "CustomResourceDefinition")) {
        for json in crate::render::manifest::split(document).into_iter().filter_map(|d| json(&mut heap, d)) {
            let text = |pointer: &str| json.pointer(pointer).and_then(Json::as_str).unwrap_or_default();
            if text("/kind") == "CustomResourceDefinition" && text("/spec/scope") == "Cluster" {
                out.insert(format!("{}/{}", text("/spec/group"), text("/spec/names/kind")));
            }
        }
    }
    out
}

type Objects = BTreeMap<String, (String, Json)>;

fn pair(mut old: Objects, new: Objects) -> BTreeMap<String, (String, Option<Json>, Option<Json>)> {
    let mut out = BTreeMap::new();
    for (id, (label, b)) in new {
        let a = old.remove(&id).map(|(_, a)| a);
        out.insert(id, (label, a, Some(b)));
    }
    out.extend(old.into_iter().map(|(id, (label, a))| (id, (label, Some(a), None))));
    out
}

/// The documents' objects by what may be shown of their names: one whose name ends with a hash of secrets is the same when they change.
fn parsed(documents: &[&[u8]], scope: Scope<'_>, hide: &impl Fn(&[u8]) -> Vec<u8>) -> Objects {
    let mut out = Objects::new();
    let mut heap = Heap::new();
    for document in documents.iter().flat_map(|d| crate::render::manifest::split(d)) {
        let Some(json) = json(&mut heap, document) else { continue };
        let text = |pointer: &str| {
            let text = json.pointer(pointer).and_then(Json::as_str).unwrap_or_default();
            String::from_utf8_lossy(&hide(text.as_bytes())).into_owned()
        };
        let (api, kind, name) = (text("/apiVersion"), text("/kind"), text("/metadata/name"));
        if kind.is_empty() {
            continue;
        }
        let place = scope.place(&api, &kind, &text("/metadata/namespace"));
        let group = api.split_once('/').map_or("", |(group, _)| group).to_owned();
        out.insert(format!("{group}/{kind}/{place}/{name}"), (diff::label(&kind, &place, &name, &api), json));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(old: &str, new: &str) -> Vec<ObjectChange> {
        moved(old, new, ["ns", "ns"])
    }

    fn moved(old: &str, new: &str, namespaces: [&str; 2]) -> Vec<ObjectChange> {
        compare(&[old.as_bytes().to_vec()], &[new.as_bytes().to_vec()], namespaces, &|t: &[u8]| t.to_vec())
    }

    const WEB: &str = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n  labels:\n    helm.sh/chart: web-1\nspec:\n  template:\n    metadata:\n      annotations:\n        checksum/config: abc\n    spec:\n      containers:\n      - name: web\n        image: web:1\n";

    #[test]
    fn noise_is_folded_and_restarts_are_told() {
        assert!(found(WEB, WEB).is_empty());
        let label = found(WEB, &WEB.replace("web-1", "web-2"));
        assert!(label[0].is_noise() && !label[0].facts.restarts, "{label:?}");
        let sum = found(WEB, &WEB.replace("abc", "abd"));
        assert!(sum[0].is_noise() && sum[0].facts.restarts, "{sum:?}");
        let image = found(WEB, &WEB.replace("web:1", "web:2"));
        assert!(!image[0].is_noise() && image[0].facts.restarts, "{image:?}");
        assert_eq!(image[0].facts.images, [("web:1".to_owned(), "web:2".to_owned())]);
        assert!(image[0].text.contains("-        image: web:1\n+        image: web:2\n"), "{image:?}");
    }

    #[test]
    fn another_namespace_makes_another_object() {
        let claim = "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata:\n  name: data\n";
        let found = moved(claim, claim, ["one", "two"]);
        let told: Vec<_> = found.iter().map(|o| (o.object.as_str(), o.change, o.facts.risks.len())).collect();
        let label = |namespace: &str| format!("PersistentVolumeClaim {namespace}/data (v1)");
        assert_eq!(told, [(&*label("one"), Change::Removed, 1), (&*label("two"), Change::Added, 0)]);
        // One that names its namespace stays there.
        let own = claim.replace("name: data", "name: data\n  namespace: one");
        assert!(moved(&own, &own, ["one", "two"]).is_empty());
    }

    #[test]
    fn definitions_tell_which_kinds_have_no_namespace() {
        let defined = |scope: &str| {
            format!(
                "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {{name: foos.x.io}}\nspec:\n  group: x.io\n  names: {{kind: Foo}}\n  scope: {scope}\n---\napiVersion: x.io/v1\nkind: Foo\nmetadata: {{name: f}}\n"
            )
        };
        for (scope, foo) in [("Cluster", "Foo f (x.io/v1)"), ("Namespaced", "Foo ns/f (x.io/v1)")] {
            let labels: Vec<_> = found("", &defined(scope)).into_iter().map(|o| o.object).collect();
            assert_eq!(labels, ["CustomResourceDefinition foos.x.io (apiextensions.k8s.io/v1)", foo]);
        }
    }

    #[test]
    fn secrets_are_never_shown() {
        let secret = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: s\nstringData:\n  p: hunter2\n";
        let d = found(secret, &secret.replace("hunter2", "hunter3"));
        assert!(!format!("{d:?}").contains("hunter"), "{d:?}");
    }
}
