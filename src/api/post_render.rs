//! What is changed in rendered objects before they are applied: `spec.postRenderers`, `spec.commonMetadata`, selectors, health expressions.
//!
//! Post-renderers and common metadata are hashed as JSON ([`super::digest`]): the order of fields here is Flux's.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::empty;

/// One step after rendering.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PostRenderer {
    /// Kustomize's patches and image changes.
    #[serde(default, skip_serializing_if = "empty")]
    pub kustomize: Option<Kustomize>,
}

/// The part of a kustomization that serves here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Kustomize {
    /// Strategic merge and JSON patches, each with a selector of the objects that it applies to.
    #[serde(default, skip_serializing_if = "empty")]
    pub patches: Vec<Patch>,
    /// Images whose name, tag or digest is replaced.
    #[serde(default, skip_serializing_if = "empty")]
    pub images: Vec<Image>,
}

/// A patch and where it applies.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Patch {
    /// An inline strategic merge patch or JSON 6902 patch.
    pub patch: String,
    /// The objects that are patched.
    #[serde(default, skip_serializing_if = "empty")]
    pub target: Option<Selector>,
}

/// Which objects: every field that is set must match. Empty fields match everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Selector {
    /// API group, a regular expression.
    #[serde(default, skip_serializing_if = "empty")]
    pub group: String,
    /// Version of the API group, a regular expression.
    #[serde(default, skip_serializing_if = "empty")]
    pub version: String,
    /// Kind, a regular expression.
    #[serde(default, skip_serializing_if = "empty")]
    pub kind: String,
    /// Namespace, a regular expression.
    #[serde(default, skip_serializing_if = "empty")]
    pub namespace: String,
    /// Name, a regular expression.
    #[serde(default, skip_serializing_if = "empty")]
    pub name: String,
    /// A selector of annotations, in the form of label selectors.
    #[serde(default, skip_serializing_if = "empty")]
    pub annotation_selector: String,
    /// A selector of labels.
    #[serde(default, skip_serializing_if = "empty")]
    pub label_selector: String,
}

/// An image to be replaced.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Image {
    /// The image's name without a tag.
    pub name: String,
    /// Another name.
    #[serde(default, skip_serializing_if = "empty")]
    pub new_name: String,
    /// Another tag.
    #[serde(default, skip_serializing_if = "empty")]
    pub new_tag: String,
    /// A digest instead of a tag; a new tag beside it is ignored.
    #[serde(default, skip_serializing_if = "empty")]
    pub digest: String,
}

/// Labels and annotations of every rendered object; they replace those of the same key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CommonMetadata {
    /// Annotations to add.
    #[serde(default, skip_serializing_if = "empty")]
    pub annotations: BTreeMap<String, String>,
    /// Labels to add.
    #[serde(default, skip_serializing_if = "empty")]
    pub labels: BTreeMap<String, String>,
}

/// When an object of some kind is healthy, in CEL over the object's fields.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HealthCheckExpression {
    /// API version of the objects; only its group is compared.
    pub api_version: String,
    /// Kind of the objects; every kind of the group by default.
    #[serde(default, skip_serializing_if = "empty")]
    pub kind: String,
    /// True when the object has reached what its spec says.
    pub current: String,
    /// True while the object is on its way.
    #[serde(default, skip_serializing_if = "empty")]
    pub in_progress: String,
    /// True when the object has failed.
    #[serde(default, skip_serializing_if = "empty")]
    pub failed: String,
}
