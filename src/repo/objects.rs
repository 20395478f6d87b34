//! The objects of one environment: what its kustomization builds, told apart by kind.
//!
//! A build re-writes objects, so a line of its output is no place that anyone knows. Every finding points into the file that the object was
//! read from: the same path through the source document gives the line.

use std::collections::BTreeMap;
use std::fmt;

use crate::kustomize::{self, Options};
use crate::sops::{self, Format, Services, Store};

use super::document::{self, Document, Node};
use super::files::Checkout;
use super::generated::{self, Generated};
use super::helm_release::HelmRelease;
use super::mask::Masker;

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
    /// Encrypted by SOPS, and no key was at hand: its values are placeholders.
    pub encrypted: bool,
    pub node: Node,
}

/// One object as the build gives it, with what SOPS hides decrypted or replaced by placeholders.
#[derive(Clone, Debug)]
pub struct Built {
    pub api_version: String,
    pub kind: String,
    pub name: String,
    pub namespace: String,
    pub place: Place,
    /// YAML, without a separator.
    pub text: String,
}

/// Everything found in one environment.
#[derive(Default)]
pub struct Environment {
    pub name: String,
    pub releases: Vec<HelmRelease>,
    pub objects: Vec<ValuesObject>,
    /// All objects, in the order in which they are applied.
    pub built: Vec<Built>,
    /// What was found but is not understood.
    pub problems: Vec<Problem>,
    /// What the build warns of.
    pub warnings: Vec<String>,
    /// Hides what was decrypted from what is printed.
    pub masker: Masker,
}

/// Where environments lie.
pub const ENVIRONMENTS: &str = "k8s/gitops";

impl Environment {
    /// The names of a repository's environments.
    ///
    /// # Errors
    /// There is no directory of environments.
    pub fn names(checkout: &Checkout) -> Result<Vec<String>, String> {
        let names = checkout.list(ENVIRONMENTS);
        let names = names.map_err(|_| format!("{}: no directory {ENVIRONMENTS} in it", checkout.root().display()))?;
        Ok(names.iter().filter_map(|n| n.strip_suffix('/').map(String::from)).collect())
    }

    /// Builds an environment. Without `keys` that fit, encrypted values become placeholders.
    ///
    /// # Errors
    /// There is no such environment; the message lists those that there are.
    pub fn open(checkout: &Checkout, name: &str, keys: Option<&Services<'_>>) -> Result<Self, String> {
        let dir = format!("{ENVIRONMENTS}/{name}");
        if name.is_empty() || name.contains(['/', '\\']) || name.starts_with('.') || !checkout.is_dir(&dir) {
            let known = Self::names(checkout)?;
            return Err(format!("no environment {name} under {ENVIRONMENTS}: there are {}", known.join(", ")));
        }
        let mut env = Self { name: name.into(), ..Self::default() };
        let dir = format!("/{dir}");
        let generated = generated::kustomization(checkout, &dir).is_none().then(|| Generated::new(checkout, &dir));
        let tree: &dyn kustomize::Tree = match &generated {
            Some(tree) => tree,
            None => checkout,
        };
        match kustomize::build(tree, &dir, &Options::default()) {
            Ok(build) => {
                env.warnings = build.warnings;
                let mut sources = Sources { checkout, parsed: BTreeMap::new() };
                for object in build.objects {
                    env.object(object, &mut sources, keys);
                }
            }
            Err(e) => {
                let path = e.file.as_deref().unwrap_or(&dir).trim_start_matches('/').to_owned();
                let place = Place { path, line: (e.line as usize).max(1) };
                env.problems.push(Problem { place, message: e.message });
            }
        }
        Ok(env)
    }

    /// The values objects of a namespace by kind and name. An object without namespace lies in the release's.
    pub fn find(&self, kind: &str, name: &str, namespace: Option<&str>) -> Option<&ValuesObject> {
        self.objects.iter().find(|o| {
            o.kind == kind
                && o.name == name
                && (o.namespace.is_none() || namespace.is_none() || o.namespace.as_deref() == namespace)
        })
    }

    fn object(&mut self, object: kustomize::Object, sources: &mut Sources<'_>, keys: Option<&Services<'_>>) {
        let path = object.source.file.trim_start_matches('/').to_owned();
        let place = Place { path, line: (object.source.line as usize).max(1) };
        let (text, encrypted) = match decrypted(&object.text, keys, &mut self.masker) {
            Ok(done) => done,
            Err(message) => {
                self.problems.push(Problem { place, message });
                return;
            }
        };
        let document = document::parse(text.as_bytes()).map_err(|e| format!("line {}: {}", e.line, e.message));
        let document = document.and_then(|mut d| d.pop().ok_or_else(|| "is empty".to_owned()));
        let mut document = match document {
            Ok(document) => document,
            Err(e) => {
                let message = format!("{} {}: the built object can't be read: {e}", object.kind, object.name);
                self.problems.push(Problem { place, message });
                return;
            }
        };
        document.root.take_lines(sources.find(&place), place.line);
        let namespace = Some(object.namespace.clone()).filter(|n| !n.is_empty());
        match object.kind.as_str() {
            "HelmRelease" if object.api_version.starts_with("helm.toolkit.fluxcd.io/") => {
                let release = HelmRelease::read(&document, place.clone(), &object.name, namespace, &mut self.problems);
                self.releases.extend(release);
            }
            "ConfigMap" | "Secret" if object.api_version == "v1" => self.objects.push(ValuesObject {
                kind: object.kind.clone(),
                name: object.name.clone(),
                namespace,
                place: place.clone(),
                encrypted,
                node: document.root,
            }),
            "Kustomization" if object.api_version.starts_with("kustomize.toolkit.fluxcd.io/") => {
                let message = "Flux Kustomization objects are not followed yet: name their directories in resources";
                self.problems.push(Problem { place: place.clone(), message: message.into() });
            }
            _ => {}
        }
        let kustomize::Object { api_version, kind, name, namespace, .. } = object;
        self.built.push(Built { api_version, kind, name, namespace, place, text });
    }
}

/// An object's text without SOPS: decrypted if a key fits, with placeholders if not (then `true`).
///
/// The MAC is of the file before the build, which has added a namespace or labels since: it is left to `pintle secrets check`, as Flux leaves it.
fn decrypted(text: &str, keys: Option<&Services<'_>>, masker: &mut Masker) -> Result<(String, bool), String> {
    if !text.contains("\nsops:") {
        return Ok((text.to_owned(), false));
    }
    let store = Store { yaml_indent: 2, ..Store::from(Format::Yaml) };
    if let Some(keys) = keys
        && let Ok(plain) = sops::decrypt(&store, &store, text.as_bytes(), keys, true)
    {
        let (before, after) = (document::parse(text.as_bytes()), document::parse(&plain));
        for (before, after) in before.iter().flatten().zip(after.iter().flatten()) {
            masker.learn(&before.root, &after.root);
        }
        return Ok((String::from_utf8_lossy(&plain).into_owned(), false));
    }
    let masked = sops::mask::placeholders(&store, text.as_bytes());
    let masked = masked.map_err(|e| format!("encrypted with SOPS, but not readable as such: {e}"))?;
    Ok((String::from_utf8_lossy(&masked).into_owned(), true))
}

/// Source documents, each file parsed once.
struct Sources<'c> {
    checkout: &'c Checkout,
    parsed: BTreeMap<String, Vec<Document>>,
}

impl Sources<'_> {
    /// The document that an object was read from.
    fn find(&mut self, place: &Place) -> Option<&Node> {
        let checkout = self.checkout;
        let documents = self.parsed.entry(place.path.clone()).or_insert_with(|| {
            let text = checkout.read(&place.path).unwrap_or_default();
            document::parse(&text).unwrap_or_default()
        });
        documents.iter().map(|d| &d.root).rfind(|root| root.line() <= place.line)
    }
}
