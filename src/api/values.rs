//! Where a release's values come from: entries of `spec.valuesFrom`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::empty;

/// One source of values. Later entries win over earlier ones, inline values over all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    {
        "rule": "(self.kind == 'Secret' || self.kind == 'ConfigMap') != has(self.path)",
        "message": "path must be set for kinds GitRepository, OCIRepository and ExternalArtifact, and for these alone"
    },
    {
        "rule": "(self.kind != 'Secret' && self.kind != 'ConfigMap') || !has(self.namespace)",
        "message": "namespace can only be set for kinds GitRepository, OCIRepository and ExternalArtifact"
    },
    {
        "rule": "self.kind == 'Secret' || self.kind == 'ConfigMap' || !has(self.valuesKey)",
        "message": "valuesKey can only be set for kinds Secret and ConfigMap"
    }
]))]
pub struct ValuesReference {
    /// Kind of the referent. GitRepository, OCIRepository and ExternalArtifact are an addition of pintle: a file of the source's artifact.
    #[schemars(extend("enum" = ["Secret", "ConfigMap", "GitRepository", "OCIRepository", "ExternalArtifact"]))]
    pub kind: String,
    /// Name of the referent.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Key whose value is read, `values.yaml` by default.
    #[serde(default, skip_serializing_if = "empty")]
    #[schemars(length(max = 253), regex(pattern = r"^[\-._a-zA-Z0-9]+$"))]
    pub values_key: String,
    /// Path in the values at which a single value is set, as with `--set`. Without it the value is a YAML map that is merged into the root.
    #[serde(default, skip_serializing_if = "empty")]
    #[schemars(length(max = 250), regex(pattern = r"^([a-zA-Z0-9_\-.\\\/]|\[[0-9]{1,5}\])+$"))]
    pub target_path: String,
    /// The referent or its key may be missing.
    #[serde(default, skip_serializing_if = "empty")]
    pub optional: bool,
    /// With a target path: the value is taken as it stands, and commas, brackets and braces in it have no meaning.
    #[serde(default, skip_serializing_if = "empty")]
    pub literal: bool,
    /// Namespace of a source; the namespace of the HelmRelease by default. An addition of pintle.
    #[serde(default, skip_serializing_if = "empty")]
    #[schemars(length(min = 1, max = 63))]
    pub namespace: String,
    /// File in a source's artifact, from its root: `helm-values/web/prod-config.yaml`. An addition of pintle.
    #[serde(default, skip_serializing_if = "empty")]
    #[schemars(length(min = 1, max = 1024))]
    pub path: String,
}

impl ValuesReference {
    /// The key that is read.
    pub fn key(&self) -> &str {
        if self.values_key.is_empty() { "values.yaml" } else { &self.values_key }
    }

    /// Whether the values are a file of a source's artifact, not a key of a ConfigMap or Secret.
    pub fn is_artifact(&self) -> bool {
        matches!(self.kind.as_str(), "GitRepository" | "OCIRepository" | "ExternalArtifact")
    }
}
