//! What can be said of single files: keys set twice, objects that do not fit their kind, secrets in clear.

use std::collections::BTreeSet;

use super::as_built::{Vars, Waiting, is_of_value, is_unexpanded};
use super::judge::{Known, judge};
use super::renamed::Renamed;
use super::rules;
use super::scan::{Role, Scan, SourceFile, at, join, parent, text};
use super::schema::Schemas;
use crate::repo::document::Node;
use crate::repo::files::Checkout;
use crate::repo::secrets;
use crate::report::Finding;
use crate::sops::{Services, is_encrypted};
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

/// Files that kustomizations name as resources.
fn resources(scan: &Scan) -> BTreeSet<String> {
    let mut out = BTreeSet::new();
    for file in scan.kustomizations() {
        let lists = file.documents.iter().filter_map(|d| d.root.get("resources"));
        out.extend(lists.flat_map(Node::items).filter_map(Node::as_str).map(|name| join(parent(&file.path), name)));
    }
    out
}

/// Whether an object says somewhere what a strategic merge is to do with it (`$patch: delete`): it is a part of one, for whoever takes the file.
fn is_patch(n: &Node) -> bool {
    n.get("$patch").is_some() || n.items().iter().any(is_patch) || n.entries().iter().any(|(_, v)| is_patch(v))
}

/// A machine's part of Talos' configuration: it has neither apiVersion nor kind, the documents beside it are of Talos' only version.
fn is_talos(file: &SourceFile, node: &Node) -> bool {
    let is_bare = node.get("apiVersion").is_none() && node.get("kind").is_none();
    let is_machine = ["machine", "cluster"].iter().any(|key| node.get(key).is_some_and(Node::is_map));
    is_bare && is_machine && file.documents.iter().any(|d| text(&d.root, "apiVersion") == "v1alpha1")
}

/// Whether a document is another program's template: `{{ .name }}` reads as a map whose key is a map, which no object has.
fn is_template(n: &Node) -> bool {
    n.items().iter().any(is_template) || n.entries().iter().any(|(k, v)| k.is_map() || is_template(v))
}

/// Whether SOPS hides what an object is.
fn is_hidden(n: &Node) -> bool {
    let name = at(n, &["metadata", "name"]).and_then(Node::as_str).unwrap_or_default();
    [text(n, "kind"), name].iter().any(|text| is_encrypted(text.as_bytes()))
}

/// Objects beside their schemas. What only the build can tell is left waiting.
pub fn objects(scan: &Scan, known: &Known<'_>, renamed: &Renamed, waiting: &mut Waiting, out: &mut Vec<Finding>) {
    let (vars, resources) = (Vars::read(scan), resources(scan));
    for (file, node) in scan.objects() {
        let is_other = is_talos(file, node) || is_template(node) || is_hidden(node);
        if !node.is_map() || is_other || is_patch(node) && !resources.contains(&file.path) {
            continue;
        }
        for j in judge(node, known) {
            // What the name comes to is judged where the object is built.
            let named = at(node, &["metadata", "name"]).is_some();
            if j.rule.id == rules::KUBE_NAME.id && named && renamed.holds(&file.path, text(node, "kind")) {
                continue;
            }
            if is_of_value(j.rule.id) && is_unexpanded(node, &j.steps) {
                continue;
            }
            let Some(j) = waiting.take(file, node, &vars, j) else { continue };
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
