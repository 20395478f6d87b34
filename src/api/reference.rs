//! How objects name each other: in their own namespace, in another, or on a remote cluster.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::empty;

/// An object of the same namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LocalReference {
    /// Name of the referent.
    pub name: String,
}

/// A source of a chart template: `spec.chart.spec.sourceRef`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChartSourceReference {
    /// API version of the referent.
    #[serde(default, skip_serializing_if = "empty")]
    pub api_version: String,
    /// Kind of the referent.
    #[schemars(extend("enum" = ["HelmRepository", "GitRepository", "Bucket"]))]
    pub kind: String,
    /// Name of the referent.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Namespace of the referent; the namespace of the HelmRelease by default.
    #[serde(default, skip_serializing_if = "empty")]
    #[schemars(length(min = 1, max = 63))]
    pub namespace: String,
}

/// A ready chart: `spec.chartRef`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChartReference {
    /// API version of the referent.
    #[serde(default, skip_serializing_if = "empty")]
    pub api_version: String,
    /// Kind of the referent.
    #[schemars(extend("enum" = ["OCIRepository", "HelmChart", "ExternalArtifact"]))]
    pub kind: String,
    /// Name of the referent.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Namespace of the referent; the namespace of the HelmRelease by default.
    #[serde(default, skip_serializing_if = "empty")]
    #[schemars(length(min = 1, max = 63))]
    pub namespace: String,
}

/// Any object: `spec.sourceRef` of an ExternalArtifact.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ObjectReference {
    /// API version of the referent; the kind's preferred version by default.
    #[serde(default, skip_serializing_if = "empty")]
    pub api_version: String,
    /// Kind of the referent.
    pub kind: String,
    /// Name of the referent.
    pub name: String,
    /// Namespace of the referent; the namespace of the object by default.
    #[serde(default, skip_serializing_if = "empty")]
    pub namespace: String,
}

/// What must be ready first: an entry of `spec.dependsOn`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DependencyReference {
    /// Name of the referent.
    pub name: String,
    /// Namespace of the referent; the namespace of the HelmRelease by default.
    #[serde(default, skip_serializing_if = "empty")]
    pub namespace: String,
    /// A CEL expression that tells whether the dependency is ready, over the variables `self` (this object) and `dep` (the dependency).
    /// With it the built-in check of the Ready condition is left out.
    #[serde(default, skip_serializing_if = "empty")]
    pub ready_expr: String,
    /// API version of the referent, for kinds other than HelmRelease. An addition of pintle: Flux ignores it.
    #[serde(default, skip_serializing_if = "empty")]
    #[schemars(length(max = 317))]
    pub api_version: String,
    /// Kind of the referent; HelmRelease by default. An addition of pintle: Flux ignores it.
    #[serde(default, skip_serializing_if = "empty")]
    #[schemars(length(max = 63))]
    pub kind: String,
}

impl DependencyReference {
    /// Whether this is a HelmRelease, the only kind that Flux knows here.
    pub fn is_helm_release(&self) -> bool {
        matches!(self.kind.as_str(), "" | "HelmRelease")
            && (self.api_version.is_empty() || self.api_version.starts_with("helm.toolkit.fluxcd.io/"))
    }
}

/// How to reach a remote cluster: `spec.kubeConfig`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    {
        "rule": "has(self.configMapRef) || has(self.secretRef)",
        "message": "exactly one of spec.kubeConfig.configMapRef or spec.kubeConfig.secretRef must be specified"
    },
    {
        "rule": "!has(self.configMapRef) || !has(self.secretRef)",
        "message": "exactly one of spec.kubeConfig.configMapRef or spec.kubeConfig.secretRef must be specified"
    }
]))]
pub struct KubeConfigReference {
    /// A ConfigMap with the keys `provider` (`aws`, `azure`, `gcp` or `generic`), `cluster`, `address`, `ca.crt`, `audiences` (one a line) and
    /// `serviceAccountName`: how to reach the cluster with an identity of the workload.
    #[serde(default, skip_serializing_if = "empty")]
    pub config_map_ref: Option<LocalReference>,
    /// A Secret with a kubeconfig. Without a key, `value` and then `value.yaml` are tried.
    #[serde(default, skip_serializing_if = "empty")]
    pub secret_ref: Option<SecretKeyReference>,
}

/// A key of a Secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SecretKeyReference {
    /// Name of the Secret.
    pub name: String,
    /// Key in the Secret.
    #[serde(default, skip_serializing_if = "empty")]
    pub key: String,
}

/// Who may sign: the identity in a keyless signature.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OidcIdentityMatch {
    /// A regular expression that the certificate's issuer must match.
    pub issuer: String,
    /// A regular expression that the certificate's subject must match.
    pub subject: String,
}
