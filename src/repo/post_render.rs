//! `spec.postRenderers` and `spec.commonMetadata` of a HelmRelease, as the steps that helm-controller makes of them.
//!
//! Source: helm-controller 1.6 `internal/postrender/build.go`: each Kustomize step in its order, then the common metadata, then the labels that
//! name the release's object.

use std::collections::BTreeMap;

use crate::kustomize::flux::PostRenderer;

use super::document::Node;
use super::problem::Fault;

/// Reads the steps; what is not understood goes to `problem`.
pub fn read(spec: &Node, problem: &mut impl FnMut(usize, Fault)) -> Vec<PostRenderer> {
    let mut steps = Vec::new();
    for entry in spec.get("postRenderers").map_or(&[][..], Node::items) {
        for (key, step) in entry.entries() {
            match key.as_str() {
                Some("kustomize") => steps.extend(kustomize(step, problem)),
                _ => problem(
                    key.line(),
                    format!(
                        "postRenderers: {:?} is no post-renderer: only kustomize",
                        key.as_str().unwrap_or_default()
                    )
                    .into(),
                ),
            }
        }
    }
    if let Some(metadata) = spec.get("commonMetadata").filter(|n| !n.is_null()) {
        let (labels, annotations) = pairs(metadata);
        if !labels.is_empty() || !annotations.is_empty() {
            steps.push(PostRenderer::Metadata { labels, annotations });
        }
    }
    steps
}

/// The lines of a step's entries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StepLines {
    /// What it is called in messages: `postRenderers[0]`, `commonMetadata`.
    pub name: String,
    pub line: usize,
    pub patches: Vec<usize>,
    pub images: Vec<usize>,
}

/// Where the steps of [`read`] are written, one by one.
pub fn lines(spec: &Node) -> Vec<StepLines> {
    let mut out = Vec::new();
    for (i, entry) in spec.get("postRenderers").map_or(&[][..], Node::items).iter().enumerate() {
        for (key, step) in entry.entries() {
            let of = |field: &str| -> Vec<usize> {
                step.get(field).map_or(&[][..], Node::items).iter().map(Node::line).collect()
            };
            let (patches, images) = (of("patches"), of("images"));
            out.push(StepLines { name: format!("postRenderers[{i}]"), line: key.line(), patches, images });
        }
    }
    if let Some((key, _)) = spec.entry("commonMetadata").filter(|(_, n)| !n.is_null()) {
        out.push(StepLines { name: "commonMetadata".into(), line: key.line(), ..StepLines::default() });
    }
    out
}

/// The labels and annotations of a `commonMetadata`.
pub fn pairs(metadata: &Node) -> (BTreeMap<String, String>, BTreeMap<String, String>) {
    let map = |field: &str| -> BTreeMap<String, String> {
        let entries = metadata.get(field).map_or(&[][..], Node::entries);
        entries.iter().filter_map(|(k, v)| Some((k.as_str()?.to_owned(), v.as_str()?.to_owned()))).collect()
    };
    (map("labels"), map("annotations"))
}

/// The last step of helm-controller: labels that name the HelmRelease an object belongs to.
pub fn origin(namespace: &str, name: &str) -> PostRenderer {
    let label = |what: &str, value: &str| (format!("helm.toolkit.fluxcd.io/{what}"), value.to_owned());
    PostRenderer::Metadata {
        labels: [label("name", name), label("namespace", namespace)].into(),
        annotations: BTreeMap::new(),
    }
}

fn kustomize(step: &Node, problem: &mut impl FnMut(usize, Fault)) -> Option<PostRenderer> {
    let mut out = serde_json::Map::new();
    let mut good = true;
    for (key, value) in step.entries() {
        match key.as_str().unwrap_or_default() {
            field @ ("patches" | "images") => {
                out.insert(field.into(), json(value));
            }
            field => {
                good = false;
                let hint =
                    if field.starts_with("patches") { ": write it as patches, which takes both forms" } else { "" };
                problem(key.line(), format!("postRenderers: kustomize has no field {field:?}{hint}").into());
            }
        }
    }
    good.then(|| PostRenderer::Kustomize(serde_json::Value::Object(out).to_string().into_bytes()))
}

/// All that post-renderers hold are texts.
fn json(node: &Node) -> serde_json::Value {
    if let Some(text) = node.as_str() {
        return text.into();
    }
    if node.is_map() {
        let entries = node.entries().iter().filter_map(|(k, v)| Some((k.as_str()?.to_owned(), json(v))));
        return serde_json::Value::Object(entries.collect());
    }
    if node.is_null() {
        return serde_json::Value::Null;
    }
    node.items().iter().map(json).collect()
}
