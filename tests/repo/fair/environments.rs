//! One service in several environments: the example repository, and what is not alike in it.

use std::path::Path;

use super::found;
use crate::support::files;

/// The files of the example repository.
fn example() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/deployment-repo");
    files(&root).into_iter().collect()
}

/// The findings of one rule in the example, once it is changed.
fn of_rule(rule: &str, change: impl Fn(&mut Vec<(String, String)>)) -> Vec<String> {
    let mut files = example();
    change(&mut files);
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    found(&files).into_iter().filter(|f| f.starts_with(rule)).collect()
}

/// Changes a file of the example.
fn replace(files: &mut [(String, String)], path: &str, from: &str, to: &str) {
    let (_, text) = files.iter_mut().find(|(name, _)| name == path).unwrap();
    assert!(text.contains(from), "{path}: {text}");
    *text = text.replacen(from, to, 1);
}

const RELEASE: &str = "k8s/gitops/dev/web/release.yaml";

#[test]
fn a_service_has_a_values_file_for_each_environment_though_none_is_named() {
    let rule = "values/missing-environment";
    let entry = "        - k8s/helm-values/web/dev-config.yaml\n";
    let all = format!("      valuesFiles:\n        - k8s/helm-charts/web/values.yaml\n{entry}");
    for from in [entry, &all] {
        let found = of_rule(rule, |files| {
            files.retain(|(path, _)| path != "k8s/helm-values/web/dev-config.yaml");
            replace(files, RELEASE, from, "");
        });
        let wanted = format!("{rule} {RELEASE}:");
        assert!(found.len() == 1 && found[0].starts_with(&wanted), "{found:#?}");
    }
    // One environment alone differs from what the chart says: its file is no file per environment.
    let found = of_rule(rule, |files| {
        for env in ["dev", "qa"] {
            files.retain(|(path, _)| *path != format!("k8s/helm-values/web/{env}-config.yaml"));
            let entry = entry.replace("dev", env);
            replace(files, &RELEASE.replace("dev", env), &entry, "");
        }
    });
    assert!(found.is_empty(), "{found:#?}");
}

/// A Chart.yaml that Helm refuses is told once, at the field: not again for each release, nor by helm's lint.
#[test]
fn a_chart_that_is_refused_is_told_once() {
    let found =
        of_rule("", |files| replace(files, "k8s/helm-charts/web/Chart.yaml", "\nversion: ", "\nversion: one # "));
    let line = example()
        .iter()
        .find(|(path, _)| path == "k8s/helm-charts/web/Chart.yaml")
        .map(|(_, text)| text.lines().position(|line| line.starts_with("version: ")).unwrap() + 1);
    let wanted = format!("chart/metadata k8s/helm-charts/web/Chart.yaml:{}: ", line.unwrap());
    let of_web = found.iter().filter(|f| f.contains("/web/Chart.yaml") || f.contains("web/release.yaml"));
    assert!(found.iter().any(|f| f.starts_with(&wanted)) && of_web.count() == 1, "{found:#?}");
}

/// What waits for something that is nowhere here is told, though others may apply it: what a file that nobody here builds makes, may be there.
#[test]
fn what_others_may_apply_is_warned_of() {
    let rule = "reference/depends-on-others";
    let waits = |namespace: &str, more: Option<(&str, &str)>| {
        of_rule(rule, |files| {
            let entry = format!("spec:\n  dependsOn: [{{name: api, namespace: {namespace}}}]\n");
            replace(files, RELEASE, "spec:\n", &entry);
            files.extend(more.map(|(path, text)| (path.to_owned(), text.to_owned())));
        })
    };
    let release = "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: api, namespace: elsewhere}\n\
                   spec:\n  interval: 5m\n  chartRef: {kind: OCIRepository, name: api}\n";
    let found = waits("elsewhere", None);
    assert_eq!(
        found,
        [format!(
            "{rule} {RELEASE}:6: HelmRelease web depends on elsewhere/api, which nothing in this repository makes"
        )]
    );
    for (namespace, more) in [
        ("elsewhere", Some(("infra/api.yaml", release))),
        // Another environment has it.
        ("shop-qa", None),
        ("\"${where}\"", None),
    ] {
        assert_eq!(waits(namespace, more), [] as [String; 0], "{namespace}");
    }
}
