//! HelmRelease: a release as people want it, and how far it is.
//!
//! Source: helm-controller 1.6 `api/v2/helmrelease_types.go`.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::action::{Install, Rollback, Test, Uninstall, Upgrade};
use super::post_render::{CommonMetadata, HealthCheckExpression, PostRenderer, Selector};
use super::reference::{
    ChartReference, ChartSourceReference, DependencyReference, KubeConfigReference, LocalReference, OidcIdentityMatch,
};
use super::resource::{Column, Definition, resource};
use super::schema::{anything, without_format};
use super::snapshot::{ResourceInventory, Snapshot};
use super::values::ValuesReference;
use super::{Condition, GoDuration, condition, empty};
use crate::repo::{composed_name, short_name};

resource! {
    /// A Helm release that is kept as its spec says.
    HelmRelease(HelmReleaseSpec, HelmReleaseStatus) = Definition {
        group: "helm.toolkit.fluxcd.io",
        version: "v2",
        kind: "HelmRelease",
        plural: "helmreleases",
        short: &["hr"],
        categories: &["all", "fluxcd", "fluxcd-appliers"],
        columns: &[Column::AGE, Column::READY, Column::STATUS],
        // Values may hold what looks like a variable of kustomize-controller.
        annotations: &[("kustomize.toolkit.fluxcd.io/substitute", "disabled")],
        unobserved: true,
    }
}

/// How the release is wanted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    {
        "rule": "(has(self.chart) && !has(self.chartRef)) || (!has(self.chart) && has(self.chartRef))",
        "message": "either chart or chartRef must be set"
    }
]))]
pub struct HelmReleaseSpec {
    /// The chart, by name and version in a source. A HelmChart object is made of it. Either this or `chartRef`.
    #[serde(default, skip_serializing_if = "empty")]
    pub chart: Option<ChartTemplate>,
    /// A ready chart: an OCIRepository, HelmChart or ExternalArtifact. Either this or `chart`.
    #[serde(default, skip_serializing_if = "empty")]
    pub chart_ref: Option<ChartReference>,
    /// How often the release is compared with its spec.
    pub interval: GoDuration,
    /// The cluster of the release, when it is not this one. With a service account, that account is impersonated there.
    #[serde(default, skip_serializing_if = "empty")]
    pub kube_config: Option<KubeConfigReference>,
    /// Do nothing with the release; deleting the object leaves the release as it is.
    #[serde(default, skip_serializing_if = "empty")]
    pub suspend: bool,
    /// Name of the release; `<targetNamespace>-<name>` by default. Names over 53 bytes are shortened.
    #[serde(default, skip_serializing_if = "empty")]
    #[schemars(length(min = 1, max = 53))]
    pub release_name: String,
    /// Namespace of the release's objects; that of this object by default.
    #[serde(default, skip_serializing_if = "empty")]
    #[schemars(length(min = 1, max = 63))]
    pub target_namespace: String,
    /// Namespace of Helm's records; that of this object by default.
    #[serde(default, skip_serializing_if = "empty")]
    #[schemars(length(min = 1, max = 63))]
    pub storage_namespace: String,
    /// What must be ready before the release is touched.
    #[serde(default, skip_serializing_if = "empty")]
    pub depends_on: Vec<DependencyReference>,
    /// Timeout of each Kubernetes operation (a Job of a hook, for example) of an action, 5m by default.
    #[serde(default, skip_serializing_if = "empty")]
    pub timeout: Option<GoDuration>,
    /// How many revisions Helm keeps, 5 by default; 0: all.
    #[serde(default, skip_serializing_if = "empty")]
    #[schemars(transform = without_format)]
    pub max_history: Option<i64>,
    /// The service account that is impersonated.
    #[serde(default, skip_serializing_if = "empty")]
    #[schemars(length(min = 1, max = 253))]
    pub service_account_name: String,
    /// Use what is known of the cluster's kinds for all steps of one reconciliation. True by default.
    #[serde(default, skip_serializing_if = "empty")]
    pub persistent_client: Option<bool>,
    /// Whether live objects are compared with the release's manifest.
    #[serde(default, skip_serializing_if = "empty")]
    pub drift_detection: Option<DriftDetection>,
    /// How the release is installed.
    #[serde(default, skip_serializing_if = "empty")]
    pub install: Option<Install>,
    /// How the release is upgraded.
    #[serde(default, skip_serializing_if = "empty")]
    pub upgrade: Option<Upgrade>,
    /// How the release is tested.
    #[serde(default, skip_serializing_if = "empty")]
    pub test: Option<Test>,
    /// How the release is rolled back.
    #[serde(default, skip_serializing_if = "empty")]
    pub rollback: Option<Rollback>,
    /// How the release is uninstalled.
    #[serde(default, skip_serializing_if = "empty")]
    pub uninstall: Option<Uninstall>,
    /// Where values come from; they are merged in this order.
    #[serde(default, skip_serializing_if = "empty")]
    pub values_from: Vec<ValuesReference>,
    /// Values that win over all others.
    #[serde(default, skip_serializing_if = "empty")]
    #[schemars(schema_with = "anything")]
    pub values: Option<Value>,
    /// Labels and annotations of every object of the release.
    #[serde(default, skip_serializing_if = "empty")]
    pub common_metadata: Option<CommonMetadata>,
    /// What is changed in rendered objects, one after the other.
    #[serde(default, skip_serializing_if = "empty")]
    pub post_renderers: Vec<PostRenderer>,
    /// What post-renderers see: `nohooks` (objects), `combined` (objects and hooks, the default) or `separate` (each for itself).
    #[serde(default, skip_serializing_if = "empty")]
    #[schemars(extend("enum" = ["nohooks", "combined", "separate"]))]
    pub post_render_strategy: String,
    /// How the readiness of objects is told.
    #[serde(default, skip_serializing_if = "empty")]
    pub wait_strategy: Option<WaitStrategy>,
    /// When objects of custom kinds are healthy, in CEL.
    #[serde(default, skip_serializing_if = "empty")]
    pub health_check_exprs: Vec<HealthCheckExpression>,
}

/// The HelmChart object that is made for a release.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ChartTemplate {
    /// Labels and annotations of the HelmChart.
    #[serde(default, skip_serializing_if = "empty")]
    pub metadata: Option<ChartTemplateMetadata>,
    /// Spec of the HelmChart.
    pub spec: ChartTemplateSpec,
}

/// Labels and annotations.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ChartTemplateMetadata {
    /// Labels.
    #[serde(default, skip_serializing_if = "empty")]
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    #[serde(default, skip_serializing_if = "empty")]
    pub annotations: BTreeMap<String, String>,
}

/// Which chart, and where it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChartTemplateSpec {
    /// Name of the chart in a HelmRepository, or its path in a GitRepository or Bucket.
    #[schemars(length(min = 1, max = 2048))]
    pub chart: String,
    /// A range of versions; the newest version in it is taken. Without effect for charts of a GitRepository or Bucket.
    #[serde(default, skip_serializing_if = "empty")]
    #[schemars(extend("default" = "*"))]
    pub version: String,
    /// The source.
    pub source_ref: ChartSourceReference,
    /// How often the source is asked; `spec.interval` by default.
    #[serde(default, skip_serializing_if = "empty")]
    pub interval: Option<GoDuration>,
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
    /// The signature that the chart must have, from an OCI registry.
    #[serde(default, skip_serializing_if = "empty")]
    pub verify: Option<ChartTemplateVerification>,
}

/// The signature that a chart must have.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChartTemplateVerification {
    /// Who made the signature: `cosign` or `notation`.
    #[schemars(extend("enum" = ["cosign", "notation"]), extend("default" = "cosign"))]
    pub provider: String,
    /// A Secret with the public keys.
    #[serde(default, skip_serializing_if = "empty")]
    pub secret_ref: Option<LocalReference>,
    /// Who may sign without a key; one of them must match. An addition of pintle: it goes to the HelmChart.
    #[serde(default, skip_serializing_if = "empty", rename = "matchOIDCIdentity")]
    pub match_oidc_identity: Vec<OidcIdentityMatch>,
}

/// Whether live objects are compared with the manifest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DriftDetection {
    /// `enabled` corrects, `warn` only tells, `disabled` (the default) does nothing.
    #[serde(default, skip_serializing_if = "empty")]
    #[schemars(extend("enum" = ["enabled", "warn", "disabled"]))]
    pub mode: String,
    /// What may differ.
    #[serde(default, skip_serializing_if = "empty")]
    pub ignore: Vec<IgnoreRule>,
}

/// What may differ in which objects.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct IgnoreRule {
    /// JSON pointers (RFC 6901) of what may differ; an empty text leaves the object out.
    pub paths: Vec<String>,
    /// Which objects; all by default.
    #[serde(default, skip_serializing_if = "empty")]
    pub target: Option<Selector>,
}

/// How the readiness of objects is told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WaitStrategy {
    /// `poller` (kstatus, fails at once when an object has failed; the default) or `legacy` (Helm 3).
    #[schemars(extend("enum" = ["poller", "legacy"]))]
    pub name: String,
}

/// How far the release is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HelmReleaseStatus {
    /// The generation that was reconciled last.
    #[serde(default, skip_serializing_if = "empty")]
    pub observed_generation: i64,
    /// Digest of the post-renderers of the last successful reconciliation.
    #[serde(default, skip_serializing_if = "empty")]
    pub observed_post_renderers_digest: String,
    /// Digest of the common metadata of the last successful reconciliation.
    #[serde(default, skip_serializing_if = "empty")]
    pub observed_common_metadata_digest: String,
    /// The generation of the last attempt.
    #[serde(default, skip_serializing_if = "empty")]
    pub last_attempted_generation: i64,
    /// What is known of the release.
    #[serde(default, skip_serializing_if = "empty")]
    #[schemars(schema_with = "condition::schema")]
    pub conditions: Vec<Condition>,
    /// The HelmChart made for the release: `<namespace>/<name>`.
    #[serde(default, skip_serializing_if = "empty")]
    pub helm_chart: String,
    /// Where the current release is stored; empty before the first installation.
    #[serde(default, skip_serializing_if = "empty")]
    #[schemars(length(min = 1, max = 63))]
    pub storage_namespace: String,
    /// The releases that were made, the newest first.
    #[serde(default, skip_serializing_if = "empty")]
    pub history: Vec<Snapshot>,
    /// The objects of the last release.
    #[serde(default, skip_serializing_if = "empty")]
    pub inventory: Option<ResourceInventory>,
    /// The last attempted action on the release: `install` or `upgrade`.
    #[serde(default, skip_serializing_if = "empty")]
    #[schemars(extend("enum" = ["install", "upgrade"]))]
    pub last_attempted_release_action: String,
    /// How long the last attempted action took.
    #[serde(default, skip_serializing_if = "empty")]
    pub last_attempted_release_action_duration: Option<String>,
    /// Failures since the last success or change.
    #[serde(default, skip_serializing_if = "empty")]
    pub failures: i64,
    /// Failed installations since the last success or change.
    #[serde(default, skip_serializing_if = "empty")]
    pub install_failures: i64,
    /// Failed upgrades since the last success or change.
    #[serde(default, skip_serializing_if = "empty")]
    pub upgrade_failures: i64,
    /// The chart version of the last attempt.
    #[serde(default, skip_serializing_if = "empty")]
    pub last_attempted_revision: String,
    /// Digest of the chart of the last attempt, for charts of an OCIRepository or ExternalArtifact.
    #[serde(default, skip_serializing_if = "empty")]
    pub last_attempted_revision_digest: String,
    /// Deprecated in Flux and kept empty.
    #[serde(default, skip_serializing_if = "empty")]
    pub last_attempted_values_checksum: String,
    /// Deprecated in Flux and kept empty.
    #[serde(default, skip_serializing_if = "empty")]
    #[schemars(transform = without_format)]
    pub last_release_revision: i64,
    /// Digest of the values of the last attempt.
    #[serde(default, skip_serializing_if = "empty")]
    pub last_attempted_config_digest: String,
    /// The last seen value of `reconcile.fluxcd.io/resetAt`.
    #[serde(default, skip_serializing_if = "empty")]
    pub last_handled_reset_at: String,
    /// The last seen value of `reconcile.fluxcd.io/requestedAt`.
    #[serde(default, skip_serializing_if = "empty")]
    pub last_handled_reconcile_at: String,
    /// The last seen value of `reconcile.fluxcd.io/forceAt`.
    #[serde(default, skip_serializing_if = "empty")]
    pub last_handled_force_at: String,
}

/// Timeouts where nothing says another.
pub const TIMEOUT: Duration = Duration::from_secs(300);
/// Revisions that Helm keeps where nothing says another number.
pub const MAX_HISTORY: i64 = 5;

impl HelmRelease {
    /// The name that Helm is given: `releaseName`, or the target namespace and the object's name, shortened to 53 bytes.
    pub fn release_name(&self) -> String {
        let name = self.metadata.name.as_deref().unwrap_or_default();
        short_name(&composed_name(&self.spec.release_name, &self.spec.target_namespace, name))
    }

    /// Where the release's objects go.
    pub fn release_namespace(&self) -> &str {
        self.or_own(&self.spec.target_namespace)
    }

    /// Where Helm's records go.
    pub fn storage_namespace(&self) -> &str {
        self.or_own(&self.spec.storage_namespace)
    }

    /// A namespace, or the object's own when it is empty.
    pub fn or_own<'a>(&'a self, namespace: &'a str) -> &'a str {
        if namespace.is_empty() { self.metadata.namespace.as_deref().unwrap_or_default() } else { namespace }
    }

    /// The name of the HelmChart that is made for the release.
    pub fn helm_chart_name(&self) -> String {
        let part = |p: &Option<String>| p.clone().unwrap_or_default();
        format!("{}-{}", part(&self.metadata.namespace), part(&self.metadata.name))
    }

    /// `spec.timeout`.
    pub fn timeout(&self) -> Duration {
        self.timeout_of(None)
    }

    /// An action's timeout, or that of the release.
    pub fn timeout_of(&self, action: Option<&GoDuration>) -> Duration {
        action.or(self.spec.timeout.as_ref()).map_or(TIMEOUT, |t| t.or(TIMEOUT))
    }

    /// How many revisions Helm keeps; 0: all.
    pub fn max_history(&self) -> i64 {
        self.spec.max_history.unwrap_or(MAX_HISTORY)
    }

    /// The object's annotations.
    pub fn annotations(&self) -> &BTreeMap<String, String> {
        static NONE: BTreeMap<String, String> = BTreeMap::new();
        self.metadata.annotations.as_ref().unwrap_or(&NONE)
    }
}
