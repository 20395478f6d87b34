//! Every rule that a check knows: its id, how bad it is to break it, and what must hold. `docs/check.md` has the same table; a test compares them.

use crate::report::{Level, Rule};

macro_rules! rules {
    ($($name:ident $id:literal $level:ident $summary:literal;)*) => {
        $(pub static $name: Rule = Rule { id: $id, level: Level::$level, summary: $summary };)*

        /// All rules, by theme.
        pub static ALL: &[&Rule] = &[$(&$name),*];
    };
}

rules! {
    YAML_SYNTAX "yaml/syntax" Error "Every YAML file can be read.";
    YAML_DUPLICATE_KEY "yaml/duplicate-key" Error "No map sets a key twice.";

    BUILD_KUSTOMIZE "build/kustomize" Error "The kustomizations of every environment build.";
    BUILD_CHART "build/chart" Error "The chart of every release is there and can be loaded.";
    BUILD_RENDER "build/render" Error "Every release renders.";
    BUILD_ENCRYPTED "build/encrypted" Note "Every release can be rendered with the keys at hand.";
    BUILD_UNSUPPORTED "build/unsupported" Warning "Nothing is used that can't be checked.";
    BUILD_EMPTY "build/empty" Warning "There are environments, and each has objects.";

    KUSTOMIZE_MISSING "kustomize/missing-resource" Error "Every file that a kustomization names is there.";
    KUSTOMIZE_UNKNOWN_FIELD "kustomize/unknown-field" Error "Kustomizations have known fields only.";
    KUSTOMIZE_DEPRECATED "kustomize/deprecated-field" Warning "Kustomizations have no deprecated fields.";
    KUSTOMIZE_UNLISTED "kustomize/unlisted" Warning "Every manifest beside a kustomization is named by one.";

    FLUX_UNKNOWN_FIELD "flux/unknown-field" Error "Flux objects have known fields only.";
    FLUX_WRONG_TYPE "flux/wrong-type" Error "The fields of Flux objects have the right types.";
    FLUX_MISSING_FIELD "flux/missing-field" Error "Flux objects have the fields that they need.";
    FLUX_INVALID_VALUE "flux/invalid-value" Error "The fields of Flux objects have values that are allowed.";
    FLUX_API "flux/api-version" Error "Flux objects have an API version that Flux still serves.";

    KUBE_UNKNOWN_FIELD "kubernetes/unknown-field" Error "Objects have known fields only.";
    KUBE_WRONG_TYPE "kubernetes/wrong-type" Error "Fields have the right types.";
    KUBE_MISSING_FIELD "kubernetes/missing-field" Error "Objects have the fields that they need.";
    KUBE_UNKNOWN_KIND "kubernetes/unknown-kind" Error "Kinds of Kubernetes' own API groups exist.";
    KUBE_REMOVED_API "kubernetes/removed-api" Error "No API version is used that the cluster does not serve any more.";
    KUBE_DEPRECATED_API "kubernetes/deprecated-api" Warning "No API version is used that will go.";
    KUBE_FUTURE_API "kubernetes/future-api" Error "No API version is used that the cluster does not serve yet.";
    KUBE_NAME "kubernetes/name" Error "Names are there and are names that Kubernetes takes.";
    KUBE_SELECTOR "kubernetes/selector" Error "The selector of a workload fits its own pods.";
    KUBE_SERVICE_SELECTOR "kubernetes/service-selector" Warning "The selector of a Service fits some pods.";
    KUBE_MANIFEST "kubernetes/manifest" Error "Manifests have apiVersion and kind.";

    CRD_UNKNOWN_FIELD "crd/unknown-field" Error "Custom objects have fields of their definition only.";
    CRD_WRONG_TYPE "crd/wrong-type" Error "The fields of custom objects have the types of their definition.";
    CRD_MISSING_FIELD "crd/missing-field" Error "Custom objects have the fields that their definition requires.";
    CRD_INVALID_VALUE "crd/invalid-value" Error "Custom objects have values that their definition allows.";
    CRD_VERSION "crd/version" Error "Custom objects have a version that their definition has.";

    REF_VALUES_FROM "reference/values-from" Error "What valuesFrom names is in the environment.";
    REF_VALUES_KEY "reference/values-key" Error "The key that valuesFrom names is in the object.";
    REF_SOURCE "reference/source" Error "The source of a chart is in the environment.";
    REF_DEPENDS_ON "reference/depends-on" Error "What dependsOn names in a namespace with releases is in the environment.";
    REF_DEPENDS_ON_OTHERS "reference/depends-on-others" Warning "What dependsOn names in a namespace without releases, or of Kustomizations, is in the environment.";
    REF_CYCLE "reference/cycle" Error "No release waits for itself.";
    REF_CONFIG_MAP "reference/config-map" Warning "ConfigMaps that pods use are in the environment.";
    REF_SECRET "reference/secret" Warning "Secrets that pods use are in the environment.";
    REF_KEY "reference/key" Warning "Keys of ConfigMaps and Secrets that pods use are there.";
    REF_SERVICE_ACCOUNT "reference/service-account" Warning "ServiceAccounts that pods use are in the environment.";
    REF_CLAIM "reference/claim" Warning "PersistentVolumeClaims that pods use are in the environment.";
    REF_SERVICE "reference/service" Warning "Services and ports that an Ingress names are in the environment.";
    REF_SCALE "reference/scale-target" Warning "What an autoscaler scales is in the environment.";

    VALUES_MISSING_FILE "values/missing-file" Error "Every values file that a release names is there.";
    VALUES_MISSING_ENVIRONMENT "values/missing-environment" Warning "A service with values files per environment has one for each environment that runs it.";
    VALUES_UNUSED_FILE "values/unused-file" Warning "Every values file is used by some release.";
    VALUES_SCHEMA "values/schema" Error "Values satisfy the chart's values.schema.json.";
    VALUES_UNREAD "values/unread" Warning "Every value that is set is read by a template.";
    VALUES_KEY_CASE "values/key-case" Warning "No key differs between environments by its case only.";
    VALUES_KEY_TYPE "values/key-type" Warning "A key has the same type in all environments.";

    DUPLICATE_OBJECT "duplicate/object" Error "No object comes from two places.";
    DUPLICATE_RELEASE "duplicate/release" Error "No two HelmReleases make the same Helm release.";

    SOURCE_UNPINNED "source/unpinned" Warning "Sources name what they want: a version, a digest, a tag or a commit.";
    SOURCE_INSECURE "source/insecure" Warning "Sources are fetched over encrypted connections.";
    IMAGE_UNPINNED "image/unpinned" Warning "Images have a tag other than latest, or a digest.";

    CHART_METADATA "chart/metadata" Error "Chart.yaml is what Helm accepts.";
    CHART_DEPENDENCY "chart/dependency" Error "The dependencies of a chart are in its charts/ folder.";
    CHART_TEMPLATE "chart/template" Error "Every template of a chart can be parsed.";
    CHART_LINT "chart/lint" Warning "Charts are what helm lint recommends.";
    CHART_SNAPSHOT "chart/snapshot" Error "What a chart renders is what its snapshots hold.";
    CHART_STALE_SNAPSHOT "chart/stale-snapshot" Warning "Every snapshot belongs to something that is tested.";
    CHART_UNITTEST "chart/unittest" Error "The helm-unittest suites of a chart pass.";

    SECRET_PLAIN "secrets/plain-secret" Error "No Secret lies in the repository in clear.";
    SECRET_NOT_ENCRYPTED "secrets/not-encrypted" Error "Files that a creation rule wants encrypted are encrypted.";
    SECRET_PLAIN_VALUE "secrets/plain-value" Error "Encrypted files hide every value that they are meant to hide.";
    SECRET_MAC "secrets/mac" Error "Encrypted files have a MAC, and it is right.";
    SECRET_RECIPIENTS "secrets/recipients" Error "Encrypted files have the recipients of their creation rule.";
    SECRET_NO_RULE "secrets/no-rule" Warning "Every encrypted file fits a creation rule.";
    SECRET_UNREADABLE "secrets/unreadable" Error "Encrypted files can be read as such.";
    SECRET_CONFIG "secrets/config" Error "Every .sops.yaml can be read, and so can the patterns of its rules.";

    CHECK_CONFIG "check/config" Error "The check's own configuration can be read, and says why it ignores something.";
    CHECK_STALE_IGNORE "check/stale-ignore" Note "Every entry of the ignore list is needed.";
}

/// The rule with an id.
pub fn find(id: &str) -> Option<&'static Rule> {
    ALL.iter().find(|r| r.id == id).copied()
}

/// Whether an id, or a theme as `values/*`, names this rule.
pub fn matches(pattern: &str, rule: &Rule) -> bool {
    match pattern.strip_suffix("/*") {
        Some(theme) => rule.id.split('/').next() == Some(theme),
        None => pattern == rule.id,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_the_same_table() {
        let page = include_str!("../../../docs/check.md");
        let rows: Vec<&str> = page.lines().filter(|l| l.starts_with("| `")).collect();
        let want: Vec<String> =
            ALL.iter().map(|r| format!("| `{}` | {} | {} |", r.id, r.level.as_str(), r.summary)).collect();
        assert_eq!(rows, want);
    }

    #[test]
    fn themes_and_ids_name_rules() {
        let rule = find("values/unread").unwrap();
        assert!(matches("values/unread", rule) && matches("values/*", rule));
        assert!(!matches("values", rule) && !matches("value/*", rule));
    }
}
