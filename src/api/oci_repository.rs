//! OCIRepository: an artifact of an OCI registry.
//!
//! Source: source-controller 1.9 `api/v1/ocirepository_types.go`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::duration::TIMEOUT_PATTERN;
use super::reference::{LocalReference, OidcIdentityMatch};
use super::resource::{Column, Definition, resource};
use super::{Artifact, Condition, GoDuration, condition, empty};

resource! {
    /// An artifact of an OCI registry as a source.
    OciRepository(OciRepositorySpec, OciRepositoryStatus) = Definition {
        group: "source.toolkit.fluxcd.io",
        version: "v1",
        kind: "OCIRepository",
        plural: "ocirepositories",
        short: &["ocirepo"],
        categories: &["all", "fluxcd", "fluxcd-sources"],
        columns: &[Column::URL, Column::READY, Column::STATUS, Column::AGE],
        annotations: &[],
        unobserved: true,
    }
}

/// Which artifact.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OciRepositorySpec {
    /// Address of the repository in the registry: `oci://host/path`.
    #[schemars(regex(pattern = r"^oci://.*$"))]
    pub url: String,
    /// Which artifact; the tag `latest` by default.
    #[serde(default, skip_serializing_if = "empty", rename = "ref")]
    pub reference: Option<OciReference>,
    /// Which layer, and what is done with it; the first is extracted by default.
    #[serde(default, skip_serializing_if = "empty")]
    pub layer_selector: Option<OciLayerSelector>,
    /// Whose credentials: `generic`, `aws`, `azure` or `gcp`.
    #[serde(default, skip_serializing_if = "empty")]
    #[schemars(extend("enum" = ["generic", "aws", "azure", "gcp"]), extend("default" = "generic"))]
    pub provider: String,
    /// A Secret of the type kubernetes.io/dockerconfigjson.
    #[serde(default, skip_serializing_if = "empty")]
    pub secret_ref: Option<LocalReference>,
    /// The signature that the artifact must have.
    #[serde(default, skip_serializing_if = "empty")]
    pub verify: Option<OciVerification>,
    /// Service account with pull secrets, or whose identity is used at the cloud provider.
    #[serde(default, skip_serializing_if = "empty")]
    pub service_account_name: String,
    /// A Secret with `ca.crt`, and with `tls.crt` and `tls.key` for a client certificate.
    #[serde(default, skip_serializing_if = "empty")]
    pub cert_secret_ref: Option<LocalReference>,
    /// A Secret with `address` and perhaps `username` and `password` of a proxy.
    #[serde(default, skip_serializing_if = "empty")]
    pub proxy_secret_ref: Option<LocalReference>,
    /// How often the source is asked.
    pub interval: GoDuration,
    /// Timeout of each request, 60s by default.
    #[serde(default, skip_serializing_if = "empty")]
    #[schemars(extend("pattern" = TIMEOUT_PATTERN), extend("default" = "60s"))]
    pub timeout: Option<GoDuration>,
    /// What is left out of the artifact, in the form of .gitignore. Without it, the defaults of Flux apply.
    #[serde(default, skip_serializing_if = "empty")]
    pub ignore: Option<String>,
    /// Speak HTTP without TLS.
    #[serde(default, skip_serializing_if = "empty")]
    pub insecure: bool,
    /// Do not reconcile the source; its artifact stays.
    #[serde(default, skip_serializing_if = "empty")]
    pub suspend: bool,
}

/// Which artifact. A digest wins over a range, a range over a tag.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OciReference {
    /// A digest: `sha256:<hex>`.
    #[serde(default, skip_serializing_if = "empty")]
    pub digest: String,
    /// A range of versions; the newest tag in it.
    #[serde(default, skip_serializing_if = "empty", rename = "semver")]
    pub semver: String,
    /// A regular expression that tags must match before the range is applied.
    #[serde(default, skip_serializing_if = "empty")]
    pub semver_filter: String,
    /// A tag, `latest` by default.
    #[serde(default, skip_serializing_if = "empty")]
    pub tag: String,
}

/// A layer of the artifact.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OciLayerSelector {
    /// The layer of this media type; the first by default.
    #[serde(default, skip_serializing_if = "empty")]
    pub media_type: String,
    /// `extract` (the default) makes a new archive of the layer's files, `copy` takes the layer as it is.
    #[serde(default, skip_serializing_if = "empty")]
    #[schemars(extend("enum" = ["extract", "copy"]))]
    pub operation: String,
}

/// The signature that an artifact must have.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OciVerification {
    /// Who made the signature: `cosign` or `notation`.
    #[schemars(extend("enum" = ["cosign", "notation"]), extend("default" = "cosign"))]
    pub provider: String,
    /// A Secret with the public keys.
    #[serde(default, skip_serializing_if = "empty")]
    pub secret_ref: Option<LocalReference>,
    /// Who may sign without a key; one of them must match.
    #[serde(default, skip_serializing_if = "empty", rename = "matchOIDCIdentity")]
    pub match_oidc_identity: Vec<OidcIdentityMatch>,
    /// A Secret with `trusted_root.json`: the authorities of a private Sigstore.
    #[serde(default, skip_serializing_if = "empty")]
    pub trusted_root_secret_ref: Option<LocalReference>,
}

/// How far the source is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OciRepositoryStatus {
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
    /// `spec.ignore` of the artifact.
    #[serde(default, skip_serializing_if = "empty")]
    pub observed_ignore: Option<String>,
    /// `spec.layerSelector` of the artifact.
    #[serde(default, skip_serializing_if = "empty")]
    pub observed_layer_selector: Option<OciLayerSelector>,
    /// The last seen value of `reconcile.fluxcd.io/requestedAt`.
    #[serde(default, skip_serializing_if = "empty")]
    pub last_handled_reconcile_at: String,
}
