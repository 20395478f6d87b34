//! The objects of one environment: files followed from its kustomization, documents told apart by kind.

use std::collections::BTreeSet;
use std::fmt;

use super::document::{self, Document, Node};
use super::files::Checkout;
use super::helm_release::HelmRelease;

/// A file and a line in it, 1-based.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub path: String,
    pub line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.path, self.line)
    }
}

/// What keeps a release from being rendered: where, what, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub place: Place,
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

/// A ConfigMap or Secret that values can come from.
#[derive(Clone, Debug)]
pub struct ValuesObject {
    pub kind: String,
    pub name: String,
    pub namespace: Option<String>,
    pub place: Place,
    /// Encrypted by SOPS: its values can't be read yet.
    pub encrypted: bool,
    pub node: Node,
}

/// Everything found under one environment.
#[derive(Debug, Default)]
pub struct Environment {
    pub name: String,
    pub releases: Vec<HelmRelease>,
    pub objects: Vec<ValuesObject>,
    /// What was found but is not understood.
    pub problems: Vec<Problem>,
}

const ENVIRONMENTS: &str = "k8s/gitops";
const KUSTOMIZATIONS: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];
/// How deep kustomizations may name each other.
const MAX_DEPTH: usize = 64;

impl Environment {
    /// Reads an environment.
    ///
    /// # Errors
    /// There is no such environment; the message lists those that there are.
    pub fn open(checkout: &Checkout, name: &str) -> Result<Self, String> {
        let dir = format!("{ENVIRONMENTS}/{name}");
        if name.is_empty() || name.contains(['/', '\\']) || name.starts_with('.') || !checkout.is_dir(&dir) {
            let known: Vec<String> = checkout
                .list(ENVIRONMENTS)
                .map_err(|_| format!("{}: no directory {ENVIRONMENTS} in it", checkout.root().display()))?
                .iter()
                .filter_map(|n| n.strip_suffix('/').map(String::from))
                .collect();
            return Err(format!("no environment {name} under {ENVIRONMENTS}: there are {}", known.join(", ")));
        }
        let mut reader = Reader { checkout, env: Self { name: name.into(), ..Self::default() }, seen: BTreeSet::new() };
        reader.directory(&dir, None, 0);
        Ok(reader.env)
    }

    /// The values objects of a namespace by kind and name. An object without namespace lies in the release's.
    pub fn find(&self, kind: &str, name: &str, namespace: Option<&str>) -> Option<&ValuesObject> {
        self.objects.iter().find(|o| {
            o.kind == kind
                && o.name == name
                && (o.namespace.is_none() || namespace.is_none() || o.namespace.as_deref() == namespace)
        })
    }
}

struct Reader<'c> {
    checkout: &'c Checkout,
    env: Environment,
    seen: BTreeSet<String>,
}

impl Reader<'_> {
    fn problem(&mut self, path: &str, line: usize, message: impl Into<String>) {
        self.env.problems.push(Problem { place: Place { path: path.into(), line }, message: message.into() });
    }

    /// A directory: what its kustomization names, or, without one, every YAML file below it (as Flux generates one).
    fn directory(&mut self, dir: &str, namespace: Option<&str>, depth: usize) {
        if depth > MAX_DEPTH {
            return self.problem(dir, 1, "kustomizations name each other too deeply");
        }
        if let Some(file) = KUSTOMIZATIONS.iter().map(|k| format!("{dir}/{k}")).find(|f| self.checkout.is_file(f)) {
            return self.kustomization(dir, &file, namespace, depth);
        }
        match self.checkout.list(dir) {
            Err(e) => self.problem(dir, 1, e),
            Ok(names) => {
                for name in names {
                    let path = format!("{dir}/{}", name.trim_end_matches('/'));
                    if name.ends_with('/') {
                        self.directory(&path, namespace, depth + 1);
                    } else if is_yaml(&name) {
                        self.file(&path, namespace);
                    }
                }
            }
        }
    }

    fn kustomization(&mut self, dir: &str, file: &str, outer: Option<&str>, depth: usize) {
        if !self.seen.insert(file.to_string()) {
            return self.problem(file, 1, "this kustomization is named twice, or names itself");
        }
        for doc in self.parse(file) {
            let doc = doc.root;
            let mut namespace = None;
            let mut resources = Vec::new();
            for (key, value) in doc.entries() {
                match key.as_str().unwrap_or_default() {
                    "apiVersion" => {}
                    "kind" if value.as_str() == Some("Kustomization") => {}
                    "kind" => self.problem(
                        file,
                        value.line(),
                        format!("kind {} is not supported yet (only Kustomization)", value.as_str().unwrap_or("?")),
                    ),
                    "namespace" => namespace = value.as_str().map(String::from),
                    "resources" => resources.extend(value.items().iter().cloned()),
                    other => self.problem(
                        file,
                        key.line(),
                        format!("{other}: is not supported yet: pintle build follows only resources and namespace"),
                    ),
                }
            }
            // The outermost namespace is set last, and wins.
            let namespace = outer.map(String::from).or(namespace);
            for r in resources {
                self.resource(dir, file, &r, namespace.as_deref(), depth);
            }
        }
    }

    fn resource(&mut self, dir: &str, file: &str, r: &Node, namespace: Option<&str>, depth: usize) {
        let Some(name) = r.as_str() else {
            return self.problem(file, r.line(), "a resource must be a path");
        };
        if name.contains("://") || name.starts_with("git@") {
            return self.problem(file, r.line(), format!("{name}: remote resources are not supported yet"));
        }
        match Checkout::relative(&format!("{dir}/{name}")) {
            Err(e) => self.problem(file, r.line(), e),
            Ok(path) if self.checkout.is_dir(&path) => self.directory(&path, namespace, depth + 1),
            Ok(path) if self.checkout.is_file(&path) => self.file(&path, namespace),
            Ok(path) => self.problem(file, r.line(), format!("{path}: no such file or directory in the repository")),
        }
    }

    fn parse(&mut self, path: &str) -> Vec<Document> {
        let text = match self.checkout.read(path) {
            Ok(t) => t,
            Err(e) => {
                self.problem(path, 1, e);
                return Vec::new();
            }
        };
        match document::parse(&text) {
            Ok(docs) => docs,
            Err(e) => {
                self.problem(path, e.line, e.message);
                Vec::new()
            }
        }
    }

    fn file(&mut self, path: &str, namespace: Option<&str>) {
        if !self.seen.insert(path.to_string()) {
            return;
        }
        for doc in self.parse(path) {
            self.object(path, doc, namespace);
        }
    }

    fn object(&mut self, path: &str, document: Document, namespace: Option<&str>) {
        let doc = &document.root;
        let text = |n: Option<&Node>| n.and_then(Node::as_str).map(String::from);
        let kind = text(doc.get("kind")).unwrap_or_default();
        let api = text(doc.get("apiVersion")).unwrap_or_default();
        let meta = doc.get("metadata");
        let name = text(meta.and_then(|m| m.get("name"))).unwrap_or_default();
        let own = text(meta.and_then(|m| m.get("namespace")));
        let place = Place { path: path.into(), line: doc.line() };
        match kind.as_str() {
            "HelmRelease" if api.starts_with("helm.toolkit.fluxcd.io/") => {
                let namespace = namespace.map(String::from).or(own);
                self.env.releases.extend(HelmRelease::read(&document, place, &name, namespace, &mut self.env.problems));
            }
            "ConfigMap" | "Secret" if api == "v1" => self.env.objects.push(ValuesObject {
                kind,
                name,
                namespace: namespace.map(String::from).or(own),
                place,
                encrypted: doc.get("sops").is_some(),
                node: doc.clone(),
            }),
            "Kustomization" if api.starts_with("kustomize.toolkit.fluxcd.io/") => self.problem(
                path,
                doc.line(),
                "Flux Kustomization objects are not followed yet: name their directories in resources",
            ),
            _ => {}
        }
    }
}

fn is_yaml(name: &str) -> bool {
    name.ends_with(".yaml") || name.ends_with(".yml")
}
