//! API versions that Kubernetes has deprecated.
//!
//! The table is what k8s.io/api 0.37.1, which Helm 4.3 is built with, says of its own types (`APILifecycleDeprecated` and its kin): since
//! which version, and the warning. Source: Helm 4.3 `pkg/chart/v2/lint/rules/deprecations.go`.

use crate::render::KubeVersion;

/// A line an API: the version that deprecates it, and the warning, which begins with API version and kind.
const TABLE: &str = include_str!("deprecations.txt");

/// # Errors
/// The warning.
pub(super) fn check(api_version: &str, kind: &str, kubernetes: &KubeVersion) -> Result<(), String> {
    // The core group has no name: `/v1` is `v1`.
    let api_version = api_version.strip_prefix('/').unwrap_or(api_version);
    if api_version.is_empty() || kind.is_empty() {
        return Ok(());
    }
    let start = format!("{api_version} {kind} is deprecated");
    let mut lines = TABLE.lines().filter_map(|line| line.split_once(' '));
    let Some((since, warning)) = lines.find(|(_, warning)| warning.starts_with(&start)) else { return Ok(()) };
    let number = |text: &str| text.parse::<u64>().unwrap_or(0);
    let (major, minor) = since.split_once('.').unwrap_or_default();
    let is_since = (number(major), number(minor)) <= (number(&kubernetes.major), number(&kubernetes.minor));
    if is_since { Err(warning.into()) } else { Ok(()) }
}
