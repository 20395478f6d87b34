//! What can be said of single files: keys set twice, objects that do not fit their kind, secrets in clear.

use super::judge::{Known, judge};
use super::renamed::Renamed;
use super::rules;
use super::scan::{Role, Scan, at, text};
use super::schema::Schemas;
use crate::repo::document::Node;
use crate::repo::files::Checkout;
use crate::repo::secrets;
use crate::report::Finding;
use crate::sops::Services;
use crate::yaml;

/// Keys that are set twice in one map.
pub fn duplicate_keys(scan: &Scan, out: &mut Vec<Finding>) {
    for file in scan.files.values() {
        for document in &file.documents {
            for (path, line) in yaml::duplicates(&document.text) {
                let message = format!("{path} is set twice; the last one counts");
                let finding = Finding::new(
                    &rules::YAML_DUPLICATE_KEY,
                    file.path.clone(),
                    document.before + line as usize,
                    message,
                );
                out.push(finding.with_fix("remove one of the two"));
            }
        }
    }
}

/// The kinds that CRDs in the checkout define, with those of Flux.
pub fn custom_kinds(scan: &Scan) -> Schemas {
    let mut schemas = super::flux::kinds();
    for (_, node) in scan.objects() {
        if text(node, "kind") == "CustomResourceDefinition"
            && text(node, "apiVersion").starts_with("apiextensions.k8s.io/")
        {
            schemas.add_definition(node);
        }
    }
    schemas
}

/// Whether a place holds a variable that Flux has yet to expand: what it comes to has a type then (`replicas: ${REPLICAS:=2}`). What a chart
/// renders is not expanded.
fn is_unexpanded(object: &Node, steps: &[String]) -> bool {
    let value =
        steps.iter().try_fold(object, |n, step| match step.strip_prefix('[').and_then(|s| s.strip_suffix(']')) {
            Some(index) => n.items().get(index.parse::<usize>().ok()?),
            None => n.get(step),
        });
    value.and_then(Node::as_str).is_some_and(|text| text.contains("${"))
}

/// Objects beside their schemas.
pub fn objects(scan: &Scan, known: &Known<'_>, renamed: &Renamed, out: &mut Vec<Finding>) {
    for (file, node) in scan.objects() {
        if !node.is_map() {
            continue;
        }
        for j in judge(node, known) {
            // What the name comes to is judged where the object is built.
            let named = at(node, &["metadata", "name"]).is_some();
            if j.rule.id == rules::KUBE_NAME.id && named && renamed.holds(&file.path, text(node, "kind")) {
                continue;
            }
            let of_value = j.rule.id.ends_with("/wrong-type") || j.rule.id.ends_with("/invalid-value");
            if of_value && is_unexpanded(node, &j.steps) {
                continue;
            }
            out.push(Finding::new(j.rule, file.path.clone(), j.line, j.message).with_fix(j.fix));
        }
    }
    // A document among manifests that is none.
    for file in scan.files.values().filter(|f| f.role == Role::Manifest) {
        for root in file.documents.iter().map(|d| &d.root).filter(|r| !r.is_map()) {
            let message = format!("a document that is a {}, not an object", root.kind().as_str());
            let finding = Finding::new(&rules::KUBE_MANIFEST, file.path.clone(), root.line(), message);
            out.push(finding.with_fix("remove it, or write an object with apiVersion and kind"));
        }
    }
}

/// The findings of `pintle secrets check`.
pub fn secrets(checkout: &Checkout, keys: Option<&Services<'_>>, out: &mut Vec<Finding>) -> Result<(), String> {
    let found = secrets::check(checkout.root(), keys).map_err(|e| format!("{}: {e}", checkout.root().display()))?;
    for f in found {
        let Some(rule) = rules::find(f.rule) else { continue };
        out.push(Finding::new(rule, f.path, f.line as usize, f.message).with_fix(f.fix));
    }
    Ok(())
}
