//! A Flux `Kustomization` object: which directory is applied, and how.
//!
//! Source: `kustomize.toolkit.fluxcd.io/v1`, kustomize-controller 1.9 and `fluxcd/pkg/kustomize` 1.40. The order is Flux's: the fields are merged
//! into the directory's kustomization file, it is built, objects are decrypted, variables are expanded, common metadata is set.

use std::collections::BTreeMap;

use crate::kustomize::flux::Overlay;

use super::document::Node;
use super::helm_release::{SourceRef, is_true, read_source};
use super::post_render;
use super::problem::{Fault, Place, Problem};

/// What the `apiVersion` of a Flux `Kustomization` begins with.
pub const API: &str = "kustomize.toolkit.fluxcd.io/";

/// One entry of `postBuild.substituteFrom`.
#[derive(Clone, Debug)]
pub struct SubstituteFrom {
    pub kind: String,
    pub name: String,
    pub optional: bool,
    pub line: usize,
}

/// A Flux `Kustomization`.
#[derive(Clone, Debug)]
pub struct FluxKustomization {
    pub name: String,
    pub namespace: Option<String>,
    pub place: Place,
    /// As written, from the root of the source.
    pub path: String,
    pub path_line: usize,
    /// The object whose artifact holds the path.
    pub source: SourceRef,
    pub overlay: Overlay,
    /// Whether the overlay does anything.
    pub plain: bool,
    /// Namespace (nothing: its own) and name.
    pub depends_on: Vec<(Option<String>, String)>,
    pub substitute: BTreeMap<String, String>,
    pub substitute_from: Vec<SubstituteFrom>,
    /// `substituteStrategy: Always`
    pub always: bool,
    pub labels: BTreeMap<String, String>,
    pub annotations: BTreeMap<String, String>,
    pub decrypts: bool,
    pub suspended: bool,
}

/// Fields that shape what is built.
const BUILD: [&str; 9] = [
    "targetNamespace",
    "namePrefix",
    "nameSuffix",
    "patches",
    "patchesStrategicMerge",
    "patchesJson6902",
    "images",
    "components",
    "buildMetadata",
];

impl FluxKustomization {
    /// Reads an object. What keeps it from being built goes to `problems`, and nothing is returned then.
    pub fn read(
        doc: &Node,
        text: &[u8],
        place: Place,
        name: &str,
        namespace: Option<String>,
        problems: &mut Vec<Problem>,
    ) -> Option<Self> {
        let mut problem = |line: usize, message: String| problems.push(Fault::from(message).on_line(&place, line));
        let Some(spec) = doc.get("spec") else {
            problem(doc.line(), "a Flux Kustomization without spec".into());
            return None;
        };
        let overlay = match Overlay::parse(text) {
            Ok(overlay) => overlay,
            Err(e) => {
                problem(doc.line(), format!("Kustomization {name}: {}", e.message));
                return None;
            }
        };
        let path = spec.get("path");
        let post = spec.get("postBuild");
        let mut substitute = BTreeMap::new();
        for (key, value) in post.and_then(|p| p.get("substitute")).map_or(&[][..], Node::entries) {
            let key = key.as_str().unwrap_or_default();
            match value.as_str() {
                // Line breaks in values do not count.
                Some(text) => drop(substitute.insert(key.to_owned(), text.replace('\n', ""))),
                None => problem(value.line(), format!("postBuild.substitute.{key}: must be a text: put it in quotes")),
            }
        }
        let text_of = |n: &Node, key: &str| n.get(key).and_then(Node::as_str).unwrap_or_default().to_owned();
        let from = post.and_then(|p| p.get("substituteFrom")).map_or(&[][..], Node::items);
        let substitute_from = from.iter().map(|n| SubstituteFrom {
            kind: text_of(n, "kind"),
            name: text_of(n, "name"),
            optional: n.get("optional").is_some_and(is_true),
            line: n.line(),
        });
        let depends_on = spec.get("dependsOn").map_or(&[][..], Node::items).iter().map(|n| {
            let namespace = n.get("namespace").and_then(Node::as_str).filter(|s| !s.is_empty());
            (namespace.map(String::from), text_of(n, "name"))
        });
        let source = spec.get("sourceRef").map(read_source).unwrap_or_default();
        let none = (BTreeMap::new(), BTreeMap::new());
        let (labels, annotations) = spec.get("commonMetadata").map_or(none, post_render::pairs);
        let always = post.is_some_and(|p| text_of(p, "substituteStrategy") == "Always");
        let set = |field: &&str| spec.get(field).is_some_and(|n| !n.is_null());
        Some(Self {
            name: name.into(),
            namespace,
            path: path.and_then(Node::as_str).unwrap_or_default().into(),
            path_line: path.map_or(place.line, Node::line),
            source,
            overlay,
            plain: !BUILD.iter().any(set)
                && substitute.is_empty()
                && from.is_empty()
                && labels.is_empty()
                && annotations.is_empty()
                && !always,
            depends_on: depends_on.collect(),
            substitute,
            substitute_from: substitute_from.collect(),
            always,
            labels,
            annotations,
            decrypts: spec.get("decryption").is_some_and(|n| text_of(n, "provider") == "sops"),
            suspended: spec.get("suspend").is_some_and(is_true),
            place,
        })
    }

    /// `NAMESPACE/NAME`
    pub fn id(&self) -> String {
        format!("{}/{}", self.namespace.as_deref().unwrap_or("default"), self.name)
    }

    /// The ids that must come before.
    pub fn dependencies(&self) -> Vec<String> {
        let own = self.namespace.as_deref().unwrap_or("default");
        self.depends_on.iter().map(|(ns, name)| format!("{}/{name}", ns.as_deref().unwrap_or(own))).collect()
    }
}
