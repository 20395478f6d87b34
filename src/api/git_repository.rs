//! GitRepository: a commit of a Git repository.
//!
//! Source: source-controller 1.9 `api/v1/gitrepository_types.go`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::duration::TIMEOUT_PATTERN;
use super::reference::LocalReference;
use super::resource::{Column, Definition, resource};
use super::{Artifact, Condition, GoDuration, condition, empty};

resource! {
    /// A commit of a Git repository as a source.
    GitRepository(GitRepositorySpec, GitRepositoryStatus) = Definition {
        group: "source.toolkit.fluxcd.io",
        version: "v1",
        kind: "GitRepository",
        plural: "gitrepositories",
        short: &["gitrepo"],
        categories: &["all", "fluxcd", "fluxcd-sources"],
        columns: &[Column::URL, Column::AGE, Column::READY, Column::STATUS],
        annotations: &[],
        unobserved: true,
    }
}

/// Which repository and commit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    {
        "rule": "!has(self.serviceAccountName) || (has(self.provider) && (self.provider == 'azure' || self.provider == 'aws'))",
        "message": "serviceAccountName can only be set when provider is 'azure' or 'aws'"
    }
]))]
pub struct GitRepositorySpec {
    /// Address of the repository: `https`, `http` or `ssh`.
    #[schemars(regex(pattern = r"^(http|https|ssh)://.*$"))]
    pub url: String,
    /// A Secret with credentials: `username` and `password`, `bearerToken`, `identity` and `known_hosts`, certificates, or a GitHub app.
    #[serde(default, skip_serializing_if = "empty")]
    pub secret_ref: Option<LocalReference>,
    /// Whose credentials: `generic` (the default), `aws`, `azure` or `github`.
    #[serde(default, skip_serializing_if = "empty")]
    #[schemars(extend("enum" = ["generic", "aws", "azure", "github"]))]
    pub provider: String,
    /// Service account whose identity is used at the cloud provider.
    #[serde(default, skip_serializing_if = "empty")]
    pub service_account_name: String,
    /// How often the source is asked.
    pub interval: GoDuration,
    /// Timeout of each request, 60s by default.
    #[serde(default, skip_serializing_if = "empty")]
    #[schemars(extend("pattern" = TIMEOUT_PATTERN), extend("default" = "60s"))]
    pub timeout: Option<GoDuration>,
    /// What is checked out; the branch `master` by default.
    #[serde(default, skip_serializing_if = "empty", rename = "ref")]
    pub reference: Option<GitReference>,
    /// The signature that the commit or tag must have.
    #[serde(default, skip_serializing_if = "empty", rename = "verify")]
    pub verification: Option<GitVerification>,
    /// A Secret with `address` and perhaps `username` and `password` of a proxy.
    #[serde(default, skip_serializing_if = "empty")]
    pub proxy_secret_ref: Option<LocalReference>,
    /// What is left out of the artifact, in the form of .gitignore. Without it, the defaults of Flux apply.
    #[serde(default, skip_serializing_if = "empty")]
    pub ignore: Option<String>,
    /// Do not reconcile the source; its artifact stays.
    #[serde(default, skip_serializing_if = "empty")]
    pub suspend: bool,
    /// Check out submodules too.
    #[serde(default, skip_serializing_if = "empty")]
    pub recurse_submodules: bool,
    /// Other GitRepositories whose files are put into this artifact.
    #[serde(default, skip_serializing_if = "empty")]
    pub include: Vec<GitInclude>,
    /// Only these directories.
    #[serde(default, skip_serializing_if = "empty")]
    pub sparse_checkout: Vec<String>,
}

/// Another GitRepository whose files are put into the artifact.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GitInclude {
    /// The GitRepository.
    pub repository: LocalReference,
    /// What is taken; everything by default.
    #[serde(default, skip_serializing_if = "empty")]
    pub from_path: String,
    /// Where it is put; the name of the GitRepository by default.
    #[serde(default, skip_serializing_if = "empty")]
    pub to_path: String,
}

/// What is checked out. A commit wins over a name, a name over a range, a range over a tag, a tag over a branch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GitReference {
    /// A branch, `master` by default.
    #[serde(default, skip_serializing_if = "empty")]
    pub branch: String,
    /// A tag.
    #[serde(default, skip_serializing_if = "empty")]
    pub tag: String,
    /// A range of versions; the newest tag in it.
    #[serde(default, skip_serializing_if = "empty")]
    pub semver: String,
    /// A reference in full: `refs/pull/420/head`.
    #[serde(default, skip_serializing_if = "empty")]
    pub name: String,
    /// A commit. With a branch, it is looked for in that branch.
    #[serde(default, skip_serializing_if = "empty")]
    pub commit: String,
}

/// A signature of a commit or tag.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GitVerification {
    /// What is verified: the commit (`HEAD`), the tag (`Tag`), or both (`TagAndHEAD`).
    #[serde(default, skip_serializing_if = "empty")]
    #[schemars(extend("enum" = ["head", "HEAD", "Tag", "TagAndHEAD"]), extend("default" = "HEAD"))]
    pub mode: String,
    /// A Secret with public keys: `*.asc` (PGP), `*.sshpub` (SSH).
    pub secret_ref: LocalReference,
}

/// How far the source is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GitRepositoryStatus {
    /// The generation that was reconciled last.
    #[serde(default, skip_serializing_if = "empty")]
    pub observed_generation: i64,
    /// What is known of the source.
    #[serde(default, skip_serializing_if = "empty")]
    #[schemars(schema_with = "condition::schema")]
    pub conditions: Vec<Condition>,
    /// The artifact of the last successful reconciliation.
    #[serde(default, skip_serializing_if = "empty")]
    pub artifact: Option<Artifact>,
    /// The artifacts that were put into the artifact.
    #[serde(default, skip_serializing_if = "empty")]
    pub included_artifacts: Vec<Artifact>,
    /// `spec.ignore` of the artifact.
    #[serde(default, skip_serializing_if = "empty")]
    pub observed_ignore: Option<String>,
    /// `spec.recurseSubmodules` of the artifact.
    #[serde(default, skip_serializing_if = "empty")]
    pub observed_recurse_submodules: bool,
    /// `spec.include` of the artifact.
    #[serde(default, skip_serializing_if = "empty")]
    pub observed_include: Vec<GitInclude>,
    /// `spec.sparseCheckout` of the artifact.
    #[serde(default, skip_serializing_if = "empty")]
    pub observed_sparse_checkout: Vec<String>,
    /// How the artifact was verified.
    #[serde(default, skip_serializing_if = "empty")]
    pub source_verification_mode: Option<String>,
    /// The last seen value of `reconcile.fluxcd.io/requestedAt`.
    #[serde(default, skip_serializing_if = "empty")]
    pub last_handled_reconcile_at: String,
}
