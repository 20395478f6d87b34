//! Which object is meant: `deployment/web`, as `kubectl` takes it, among the documents of a release.

use std::collections::BTreeMap;

use crate::render::manifest;
use crate::yaml;

use crate::repo::check::nearest;

/// `kubectl`'s short names.
const SHORT: [(&str, &str); 18] = [
    ("cj", "CronJob"),
    ("cm", "ConfigMap"),
    ("crd", "CustomResourceDefinition"),
    ("deploy", "Deployment"),
    ("ds", "DaemonSet"),
    ("ep", "Endpoints"),
    ("hpa", "HorizontalPodAutoscaler"),
    ("ing", "Ingress"),
    ("netpol", "NetworkPolicy"),
    ("ns", "Namespace"),
    ("pdb", "PodDisruptionBudget"),
    ("po", "Pod"),
    ("pv", "PersistentVolume"),
    ("pvc", "PersistentVolumeClaim"),
    ("rs", "ReplicaSet"),
    ("sa", "ServiceAccount"),
    ("sts", "StatefulSet"),
    ("svc", "Service"),
];

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    kind: String,
    group: Option<String>,
    name: String,
    namespace: Option<String>,
}

/// One object of a release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// The file that printed it, as Helm names it.
    pub path: String,
    /// Where its text begins in the file's.
    pub offset: usize,
    pub text: Vec<u8>,
    pub api_version: String,
    pub kind: String,
    pub name: String,
    pub namespace: String,
}

impl Object {
    /// `deployment/web`
    pub fn reference(&self) -> String {
        format!("{}/{}", self.kind.to_lowercase(), self.name)
    }

    /// The same object in another text.
    pub fn is(&self, other: &Self) -> bool {
        let group = |o: &Self| o.api_version.rsplit_once('/').map(|(g, _)| g.to_owned()).unwrap_or_default();
        self.kind == other.kind
            && self.name == other.name
            && group(self) == group(other)
            && (self.namespace == other.namespace || self.namespace.is_empty() || other.namespace.is_empty())
    }
}

impl Wanted {
    /// `KIND/NAME`, `KIND.GROUP/NAME`, `NAMESPACE/KIND/NAME`; any case, plural or short.
    ///
    /// # Errors
    /// It has no slash.
    pub fn parse(text: &str) -> Result<Self, String> {
        let parts: Vec<&str> = text.split('/').collect();
        let (namespace, kind, name) = match parts[..] {
            [kind, name] => (None, kind, name),
            [namespace, kind, name] => (Some(namespace.to_owned()), kind, name),
            _ => return Err(format!("{text:?} names no object: write KIND/NAME, as deployment/web")),
        };
        if kind.is_empty() || name.is_empty() {
            return Err(format!("{text:?} names no object: write KIND/NAME, as deployment/web"));
        }
        let (kind, group) = match kind.split_once('.') {
            Some((kind, group)) => (kind, Some(group.to_owned())),
            None => (kind, None),
        };
        let long = SHORT.iter().find(|(short, _)| short.eq_ignore_ascii_case(kind)).map_or(kind, |(_, long)| long);
        Ok(Self { kind: long.to_owned(), group, name: name.to_owned(), namespace })
    }

    /// In the namespace that a flag gives, unless the name has one.
    #[must_use]
    pub fn within(mut self, namespace: Option<&str>) -> Self {
        self.namespace = self.namespace.or_else(|| namespace.map(String::from));
        self
    }

    fn is_kind(&self, kind: &str) -> bool {
        let (kind, own) = (kind.to_lowercase(), self.kind.to_lowercase());
        let plural = if let Some(stem) = kind.strip_suffix('y').filter(|s| !s.ends_with(['a', 'e', 'o'])) {
            format!("{stem}ies")
        } else if kind.ends_with(['s', 'x']) || kind.ends_with("ch") {
            format!("{kind}es")
        } else {
            format!("{kind}s")
        };
        own == kind || own == plural
    }

    /// Whether an object of this kind and name is meant.
    pub fn is(&self, kind: &str, name: &str) -> bool {
        self.is_kind(kind) && self.name == name
    }

    fn fits(&self, object: &Object) -> bool {
        let group = object.api_version.rsplit_once('/').map_or("", |(group, _)| group);
        // What names no namespace is in the release's.
        let within = |ns: &str| object.namespace.is_empty() || object.namespace == ns;
        self.is_kind(&object.kind)
            && self.name == object.name
            && self.group.as_deref().is_none_or(|g| group == g || group.starts_with(&format!("{g}.")))
            && self.namespace.as_deref().is_none_or(within)
    }

    /// The one object that is meant.
    ///
    /// # Errors
    /// There is none, or there are several; the message lists what there is.
    pub fn find<'o>(&self, objects: &'o [Object]) -> Result<&'o Object, String> {
        let mut found: Vec<&Object> = objects.iter().filter(|o| self.fits(o)).collect();
        found.dedup_by(|a, b| a.text == b.text);
        match found[..] {
            [one] => Ok(one),
            [] => Err(self.missing(objects)),
            _ => {
                let list: Vec<String> = found
                    .iter()
                    .map(|o| format!("{}/{} ({}, {})", o.namespace, o.reference(), o.api_version, o.path))
                    .collect();
                Err(format!("{} are several objects: {}", self.shown(), list.join("; ")))
            }
        }
    }

    fn shown(&self) -> String {
        format!("{}/{}", self.kind.to_lowercase(), self.name)
    }

    fn missing(&self, objects: &[Object]) -> String {
        let all: Vec<String> = objects.iter().map(Object::reference).collect();
        let of_kind: Vec<&str> = objects.iter().filter(|o| self.is_kind(&o.kind)).map(|o| o.name.as_str()).collect();
        let head = format!("no object {} in the release", self.shown());
        if let Some(near) = nearest(&self.name, of_kind.iter().copied()) {
            return format!("{head}: did you mean {}/{near}?", self.kind.to_lowercase());
        }
        if !of_kind.is_empty() {
            return format!("{head}: of this kind there are {}", of_kind.join(", "));
        }
        match nearest(&self.shown(), all.iter().map(String::as_str)) {
            Some(near) => format!("{head}: did you mean {near}? It has {}", all.join(", ")),
            None if all.is_empty() => format!("{head}: it has no objects"),
            None => format!("{head}: it has {}", all.join(", ")),
        }
    }
}

/// The objects of rendered files.
pub fn objects(files: &BTreeMap<String, Vec<u8>>) -> Vec<Object> {
    let mut out = Vec::new();
    for (path, text) in files {
        for document in manifest::split(text) {
            // A part of the text: the difference of the addresses is its place.
            let offset = (document.as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
            let Ok(tree) = yaml::tree::parse(document, None) else { continue };
            let Some(root) = tree.root else { continue };
            let word = |way: &[&str]| {
                let at = way.iter().try_fold(root, |at, key| tree.get(at, key))?;
                Some(String::from_utf8_lossy(&tree.node(tree.target(at)).value).into_owned())
            };
            let Some(kind) = word(&["kind"]).filter(|k| !k.is_empty()) else { continue };
            out.push(Object {
                path: path.clone(),
                offset,
                text: document.to_vec(),
                api_version: word(&["apiVersion"]).unwrap_or_default(),
                kind,
                name: word(&["metadata", "name"]).unwrap_or_default(),
                namespace: word(&["metadata", "namespace"]).unwrap_or_default(),
            });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some() -> Vec<Object> {
        let doc = |kind: &str, name: &str, ns: &str| {
            format!("---\napiVersion: apps/v1\nkind: {kind}\nmetadata:\n  name: {name}\n  namespace: {ns}\n")
        };
        let text =
            [doc("Deployment", "web", "a"), doc("Deployment", "web", "b"), doc("Ingress", "front", "a")].concat();
        objects(&[("c/templates/x.yaml".to_owned(), text.into_bytes())].into())
    }

    #[test]
    fn objects_are_named_as_kubectl_does() {
        let all = some();
        for name in ["ing/front", "Ingress/front", "ingresses/front", "ingress.apps/front", "a/ingress/front"] {
            let wanted = Wanted::parse(name).unwrap();
            assert_eq!(wanted.find(&all).unwrap().name, "front", "{name}");
        }
        let several = Wanted::parse("deploy/web").unwrap();
        assert!(several.find(&all).unwrap_err().contains("a/deployment/web"), "both are named");
        assert_eq!(several.within(Some("b")).find(&all).unwrap().namespace, "b");
        let text = |name: &str| Wanted::parse(name).unwrap().find(&all).unwrap_err();
        assert_eq!(text("deploy/wep"), "no object deployment/wep in the release: did you mean deployment/web?");
        assert!(text("job/x").contains("it has deployment/web"), "{}", text("job/x"));
        assert!(Wanted::parse("web").is_err() && Wanted::parse("/web").is_err());
    }
}
