//! HelmRepository: an index of charts, or a registry of them.
//!
//! Source: source-controller 1.9 `api/v1/helmrepository_types.go`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::duration::TIMEOUT_PATTERN;
use super::reference::LocalReference;
use super::resource::{Column, Definition, resource};
use super::{Artifact, Condition, GoDuration, condition, empty};

resource! {
    /// A repository of charts as a source.
    HelmRepository(HelmRepositorySpec, HelmRepositoryStatus) = Definition {
        group: "source.toolkit.fluxcd.io",
        version: "v1",
        kind: "HelmRepository",
        plural: "helmrepositories",
        short: &["helmrepo"],
        categories: &["all", "fluxcd", "fluxcd-sources"],
        columns: &[Column::URL, Column::AGE, Column::READY, Column::STATUS],
        annotations: &[],
        unobserved: true,
    }
}

/// Where the repository is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HelmRepositorySpec {
    /// Address of the repository: `http`, `https`, or `oci` with the type `oci`.
    #[schemars(regex(pattern = r"^(http|https|oci)://.*$"))]
    pub url: String,
    /// A Secret with `username` and `password`, or for `oci` one of the type kubernetes.io/dockerconfigjson.
    #[serde(default, skip_serializing_if = "empty")]
    pub secret_ref: Option<LocalReference>,
    /// A Secret with `ca.crt`, and with `tls.crt` and `tls.key` for a client certificate.
    #[serde(default, skip_serializing_if = "empty")]
    pub cert_secret_ref: Option<LocalReference>,
    /// Send the credentials also to other hosts that the index names.
    #[serde(default, skip_serializing_if = "empty")]
    pub pass_credentials: bool,
    /// How often the index is fetched, 1m by default. Without effect for `oci`.
    #[serde(default, skip_serializing_if = "empty")]
    pub interval: Option<GoDuration>,
    /// Speak HTTP without TLS, for `oci`.
    #[serde(default, skip_serializing_if = "empty")]
    pub insecure: bool,
    /// Timeout of each request, 60s by default.
    #[serde(default, skip_serializing_if = "empty")]
    #[schemars(extend("pattern" = TIMEOUT_PATTERN))]
    pub timeout: Option<GoDuration>,
    /// Do not reconcile the source; its artifact stays.
    #[serde(default, skip_serializing_if = "empty")]
    pub suspend: bool,
    /// Has no effect, in Flux neither.
    #[serde(default, skip_serializing_if = "empty")]
    pub access_from: Option<AccessFrom>,
    /// `default` (an index over HTTP) or `oci` (a registry).
    #[serde(default, skip_serializing_if = "empty", rename = "type")]
    #[schemars(extend("enum" = ["default", "oci"]))]
    pub type_: String,
    /// Whose credentials, for `oci`: `generic`, `aws`, `azure` or `gcp`.
    #[serde(default, skip_serializing_if = "empty")]
    #[schemars(extend("enum" = ["generic", "aws", "azure", "gcp"]), extend("default" = "generic"))]
    pub provider: String,
}

/// Namespaces that may use the source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AccessFrom {
    /// The namespaces; one of them must match.
    pub namespace_selectors: Vec<NamespaceSelector>,
}

/// Namespaces by label.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NamespaceSelector {
    /// Labels that the namespace must have.
    #[serde(default, skip_serializing_if = "empty")]
    pub match_labels: BTreeMap<String, String>,
}

/// How far the source is. Repositories of the type `oci` have none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HelmRepositoryStatus {
    /// The generation that was reconciled last.
    #[serde(default, skip_serializing_if = "empty")]
    pub observed_generation: i64,
    /// What is known of the source.
    #[serde(default, skip_serializing_if = "empty")]
    #[schemars(schema_with = "condition::schema")]
    pub conditions: Vec<Condition>,
    /// Where the latest artifact is served; best effort.
    #[serde(default, skip_serializing_if = "empty")]
    pub url: String,
    /// The artifact of the last successful reconciliation.
    #[serde(default, skip_serializing_if = "empty")]
    pub artifact: Option<Artifact>,
    /// The last seen value of `reconcile.fluxcd.io/requestedAt`.
    #[serde(default, skip_serializing_if = "empty")]
    pub last_handled_reconcile_at: String,
}

impl HelmRepositorySpec {
    /// Whether this is a registry: a static object that nobody reconciles.
    pub fn is_oci(&self) -> bool {
        self.type_ == "oci"
    }
}
