//! ExternalArtifact: an artifact that somebody else makes.
//!
//! Source: source-controller 1.9 `api/v1/externalartifact_types.go`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::reference::ObjectReference;
use super::resource::{Column, Definition, resource};
use super::{Artifact, Condition, condition, empty};

resource! {
    /// An artifact that is made outside of the source kinds.
    ExternalArtifact(ExternalArtifactSpec, ExternalArtifactStatus) = Definition {
        group: "source.toolkit.fluxcd.io",
        version: "v1",
        kind: "ExternalArtifact",
        plural: "externalartifacts",
        short: &["ea"],
        categories: &["all", "fluxcd", "fluxcd-sources"],
        columns: &[Column::AGE, Column::READY, Column::STATUS, Column::text("Source", ".spec.sourceRef.name")],
        annotations: &[],
        unobserved: false,
    }
}

/// What the artifact is made of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExternalArtifactSpec {
    /// The object that the artifact is made from, for people to read.
    #[serde(default, skip_serializing_if = "empty")]
    pub source_ref: Option<ObjectReference>,
}

/// The artifact.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ExternalArtifactStatus {
    /// The artifact of the last successful reconciliation.
    #[serde(default, skip_serializing_if = "empty")]
    pub artifact: Option<Artifact>,
    /// What is known of the source.
    #[serde(default, skip_serializing_if = "empty")]
    #[schemars(schema_with = "condition::schema")]
    pub conditions: Vec<Condition>,
}
