//! Custom resource definitions: what lies in crds/ is YAML as it stands, and nothing else than definitions.
//!
//! Source: Helm 4.3 `pkg/chart/v2/lint/rules/crds.go`.

use super::document::Documents;
use super::{Linter, directory_rule};

pub(super) fn lint(linter: &mut Linter<'_>) {
    const DIR: &str = "crds/";
    let Some(found) = directory_rule(&linter.path("crds")) else { return };
    if !linter.error(DIR, found) {
        return;
    }
    let chart = match linter.load() {
        Ok(chart) => chart,
        Err(e) => {
            linter.error(DIR, Err(e));
            return;
        }
    };
    for crd in chart.crds() {
        let path = &crd.file.name;
        for object in Documents::new(&crd.file.data) {
            let object = match object {
                Ok(object) => object,
                Err(e) => {
                    linter.error(path, Err(format!("unable to parse YAML: {e}")));
                    return;
                }
            };
            let Some(object) = object else { continue };
            if !object.api_version.starts_with("apiextensions.k8s.io") {
                linter.error(path, Err("apiVersion is not in 'apiextensions.k8s.io'".into()));
            }
            if object.kind != "CustomResourceDefinition" {
                linter.error(path, Err("object kind is not 'CustomResourceDefinition'".into()));
            }
        }
    }
}
