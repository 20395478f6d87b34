//! Bucket: files of an object store.
//!
//! Source: source-controller 1.9 `api/v1/bucket_types.go`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::duration::TIMEOUT_PATTERN;
use super::reference::LocalReference;
use super::resource::{Column, Definition, resource};
use super::{Artifact, Condition, GoDuration, condition, empty};

resource! {
    /// Files of an object store as a source.
    Bucket(BucketSpec, BucketStatus) = Definition {
        group: "source.toolkit.fluxcd.io",
        version: "v1",
        kind: "Bucket",
        plural: "buckets",
        short: &[],
        categories: &["all", "fluxcd", "fluxcd-sources"],
        columns: &[Column::text("Endpoint", ".spec.endpoint"), Column::AGE, Column::READY, Column::STATUS],
        annotations: &[],
        unobserved: true,
    }
}

/// Where the files are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    {
        "rule": "self.provider == 'aws' || self.provider == 'generic' || !has(self.sts)",
        "message": "STS configuration is only supported for the 'aws' and 'generic' Bucket providers"
    },
    {
        "rule": "self.provider != 'aws' || !has(self.sts) || self.sts.provider == 'aws'",
        "message": "'aws' is the only supported STS provider for the 'aws' Bucket provider"
    },
    {
        "rule": "self.provider != 'generic' || !has(self.sts) || self.sts.provider == 'ldap'",
        "message": "'ldap' is the only supported STS provider for the 'generic' Bucket provider"
    },
    {
        "rule": "!has(self.sts) || self.sts.provider != 'aws' || !has(self.sts.secretRef)",
        "message": "spec.sts.secretRef is not required for the 'aws' STS provider"
    },
    {
        "rule": "!has(self.sts) || self.sts.provider != 'aws' || !has(self.sts.certSecretRef)",
        "message": "spec.sts.certSecretRef is not required for the 'aws' STS provider"
    },
    {
        "rule": "self.provider != 'generic' || !has(self.serviceAccountName)",
        "message": "ServiceAccountName is not supported for the 'generic' Bucket provider"
    },
    {
        "rule": "!has(self.secretRef) || !has(self.serviceAccountName)",
        "message": "cannot set both .spec.secretRef and .spec.serviceAccountName"
    }
]))]
pub struct BucketSpec {
    /// Whose object store: `generic` (S3 with keys), `aws`, `gcp` or `azure`.
    #[serde(default, skip_serializing_if = "empty")]
    #[schemars(extend("enum" = ["generic", "aws", "gcp", "azure"]), extend("default" = "generic"))]
    pub provider: String,
    /// Name of the bucket.
    pub bucket_name: String,
    /// Host of the object store.
    pub endpoint: String,
    /// Temporary credentials from a Security Token Service.
    #[serde(default, skip_serializing_if = "empty")]
    pub sts: Option<BucketSts>,
    /// Speak HTTP without TLS.
    #[serde(default, skip_serializing_if = "empty")]
    pub insecure: bool,
    /// Region of the bucket.
    #[serde(default, skip_serializing_if = "empty")]
    pub region: String,
    /// Only objects whose key begins so.
    #[serde(default, skip_serializing_if = "empty")]
    pub prefix: String,
    /// A Secret with credentials of the object store.
    #[serde(default, skip_serializing_if = "empty")]
    pub secret_ref: Option<LocalReference>,
    /// Service account whose identity is used at the cloud provider.
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
    /// Do not reconcile the source; its artifact stays.
    #[serde(default, skip_serializing_if = "empty")]
    pub suspend: bool,
}

/// A Security Token Service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BucketSts {
    /// `aws` or `ldap`.
    #[schemars(extend("enum" = ["aws", "ldap"]))]
    pub provider: String,
    /// Address of the service.
    #[schemars(regex(pattern = r"^(http|https)://.*$"))]
    pub endpoint: String,
    /// A Secret with `username` and `password`, for `ldap`.
    #[serde(default, skip_serializing_if = "empty")]
    pub secret_ref: Option<LocalReference>,
    /// A Secret with `ca.crt`, and with `tls.crt` and `tls.key` for a client certificate.
    #[serde(default, skip_serializing_if = "empty")]
    pub cert_secret_ref: Option<LocalReference>,
}

/// How far the source is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BucketStatus {
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
    /// The last seen value of `reconcile.fluxcd.io/requestedAt`.
    #[serde(default, skip_serializing_if = "empty")]
    pub last_handled_reconcile_at: String,
}
