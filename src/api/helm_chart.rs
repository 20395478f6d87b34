//! HelmChart: a chart from a repository or from the files of another source.
//!
//! Source: source-controller 1.9 `api/v1/helmchart_types.go`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::reference::{LocalReference, OidcIdentityMatch};
use super::resource::{Column, Definition, resource};
use super::{Artifact, Condition, GoDuration, condition, empty};

resource! {
    /// A chart, packaged, as a source.
    HelmChart(HelmChartSpec, HelmChartStatus) = Definition {
        group: "source.toolkit.fluxcd.io",
        version: "v1",
        kind: "HelmChart",
        plural: "helmcharts",
        short: &["hc"],
        categories: &["all", "fluxcd", "fluxcd-sources"],
        columns: &[
            Column::text("Chart", ".spec.chart"),
            Column::text("Version", ".spec.version"),
            Column::text("Source Kind", ".spec.sourceRef.kind"),
            Column::text("Source Name", ".spec.sourceRef.name"),
            Column::AGE,
            Column::READY,
            Column::STATUS,
        ],
        annotations: &[],
        unobserved: true,
    }
}

/// Which chart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    {
        "rule": "!has(self.verify) || self.sourceRef.kind == 'HelmRepository'",
        "message": "spec.verify is only supported when spec.sourceRef.kind is 'HelmRepository'"
    }
]))]
pub struct HelmChartSpec {
    /// Name of the chart in a HelmRepository, or its path in a GitRepository or Bucket.
    pub chart: String,
    /// A range of versions; the newest version in it is taken. Without effect for charts of a GitRepository or Bucket.
    #[serde(default, skip_serializing_if = "empty")]
    #[schemars(extend("default" = "*"))]
    pub version: String,
    /// The source.
    pub source_ref: HelmChartSource,
    /// How often the source is asked.
    pub interval: GoDuration,
    /// What makes a new chart: another `ChartVersion`, or another `Revision` of the source.
    #[serde(default, skip_serializing_if = "empty")]
    #[schemars(extend("enum" = ["ChartVersion", "Revision"]), extend("default" = "ChartVersion"))]
    pub reconcile_strategy: String,
    /// Files that are merged into the chart's values, in this order; they replace `values.yaml`, which may be among them.
    /// Paths are from the root of the source, in a HelmRepository from that of the chart.
    #[serde(default, skip_serializing_if = "empty")]
    pub values_files: Vec<String>,
    /// Leave out values files that do not exist.
    #[serde(default, skip_serializing_if = "empty")]
    pub ignore_missing_values_files: bool,
    /// Do not reconcile the source; its artifact stays.
    #[serde(default, skip_serializing_if = "empty")]
    pub suspend: bool,
    /// The signature that the chart must have, from an OCI registry.
    #[serde(default, skip_serializing_if = "empty")]
    pub verify: Option<HelmChartVerification>,
}

/// The source of a chart, in the same namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HelmChartSource {
    /// API version of the referent.
    #[serde(default, skip_serializing_if = "empty")]
    pub api_version: String,
    /// Kind of the referent.
    #[schemars(extend("enum" = ["HelmRepository", "GitRepository", "Bucket"]))]
    pub kind: String,
    /// Name of the referent.
    pub name: String,
}

/// The signature that a chart must have.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HelmChartVerification {
    /// Who made the signature: `cosign` or `notation`.
    #[schemars(extend("enum" = ["cosign", "notation"]), extend("default" = "cosign"))]
    pub provider: String,
    /// A Secret with the public keys.
    #[serde(default, skip_serializing_if = "empty")]
    pub secret_ref: Option<LocalReference>,
    /// Who may sign without a key; one of them must match.
    #[serde(default, skip_serializing_if = "empty", rename = "matchOIDCIdentity")]
    pub match_oidc_identity: Vec<OidcIdentityMatch>,
}

/// How far the source is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HelmChartStatus {
    /// The generation that was reconciled last.
    #[serde(default, skip_serializing_if = "empty")]
    pub observed_generation: i64,
    /// Revision of the source's artifact that was used last.
    #[serde(default, skip_serializing_if = "empty")]
    pub observed_source_artifact_revision: String,
    /// Name of the chart, from its Chart.yaml.
    #[serde(default, skip_serializing_if = "empty")]
    pub observed_chart_name: String,
    /// The values files that were merged, when missing ones are ignored.
    #[serde(default, skip_serializing_if = "empty")]
    pub observed_values_files: Vec<String>,
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
