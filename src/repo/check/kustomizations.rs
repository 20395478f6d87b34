//! Kustomization files: what they name must be there, their fields known, and nothing may lie beside them unnamed.

use std::collections::BTreeSet;

use super::rules;
use super::scan::{Role, Scan, SourceFile, join, parent};
use super::suggest::nearest;
use crate::repo::document::Node;
use crate::repo::files::Checkout;
use crate::repo::generated::NAMES;
use crate::report::Finding;

/// The fields of a kustomization file.
const FIELDS: [&str; 36] = [
    "apiVersion",
    "kind",
    "metadata",
    "openapi",
    "namePrefix",
    "nameSuffix",
    "namespace",
    "commonLabels",
    "labels",
    "commonAnnotations",
    "patchesStrategicMerge",
    "patchesJson6902",
    "patches",
    "images",
    "imageTags",
    "replacements",
    "replicas",
    "vars",
    "sortOptions",
    "resources",
    "components",
    "crds",
    "bases",
    "configMapGenerator",
    "secretGenerator",
    "helmGlobals",
    "helmCharts",
    "helmChartInflationGenerator",
    "generatorOptions",
    "configurations",
    "generators",
    "transformers",
    "validators",
    "buildMetadata",
    "patchesStrategicMerges",
    "<<",
];

/// Deprecated fields, and what to write.
const DEPRECATED: [(&str, &str); 6] = [
    ("bases", "resources"),
    ("imageTags", "images"),
    ("patchesStrategicMerge", "patches"),
    ("patchesJson6902", "patches"),
    ("commonLabels", "labels"),
    ("vars", "replacements"),
];

pub fn check(scan: &Scan, checkout: &Checkout, out: &mut Vec<Finding>) {
    let mut named = BTreeSet::new();
    for file in scan.kustomizations() {
        for document in &file.documents {
            fields(file, &document.root, out);
            files(scan, checkout, file, &document.root, &mut named, out);
        }
    }
    unlisted(scan, &named, out);
}

fn fields(file: &SourceFile, root: &Node, out: &mut Vec<Finding>) {
    for (key, _) in root.entries() {
        let name = key.as_str().unwrap_or_default();
        if let Some((_, instead)) = DEPRECATED.iter().find(|(f, _)| *f == name) {
            let message = format!("{name} is deprecated in kustomizations");
            let finding = Finding::new(&rules::KUSTOMIZE_DEPRECATED, file.path.clone(), key.line(), message);
            out.push(finding.with_fix(format!("use {instead}: kustomize edit fix rewrites the file")));
        } else if !FIELDS.contains(&name) || name == "patchesStrategicMerges" {
            let message = format!("a kustomization has no field {name}");
            let fix = nearest(name, FIELDS).map_or_else(|| "remove it".into(), |n| format!("write {n}"));
            out.push(
                Finding::new(&rules::KUSTOMIZE_UNKNOWN_FIELD, file.path.clone(), key.line(), message).with_fix(fix),
            );
        }
    }
}

/// Something from elsewhere, which only a build with a network could look at.
fn is_remote(name: &str) -> bool {
    name.contains("://") || name.starts_with("git@") || name.starts_with("github.com/") || name.contains("?ref=")
}

/// What a kustomization names. The checkout is asked, not the scan, which leaves out hidden directories and does not follow links.
fn files(
    scan: &Scan,
    checkout: &Checkout,
    file: &SourceFile,
    root: &Node,
    named: &mut BTreeSet<String>,
    out: &mut Vec<Finding>,
) {
    let dir = parent(&file.path);
    let mut look = |node: &Node, name: &str, directories: bool| {
        if name.is_empty() || is_remote(name) || name.contains('\n') {
            return;
        }
        let path = join(dir, name);
        named.insert(path.clone());
        if path.starts_with("..") || scan.all.contains(&path) || checkout.is_file(&path) {
            return;
        }
        let inside = if path == "." { String::new() } else { path.clone() };
        let is_dir = inside.is_empty() || checkout.is_dir(&inside);
        let message = if !is_dir {
            format!("{name} is not there")
        } else if !directories {
            format!("{name} is a directory")
        } else if NAMES.iter().any(|n| checkout.is_file(&join(&inside, n))) {
            return;
        } else {
            let message = format!("{name} has no kustomization.yaml");
            let finding = Finding::new(&rules::KUSTOMIZE_MISSING, file.path.clone(), node.line(), message);
            out.push(finding.with_fix(format!("add {path}/kustomization.yaml, or name its files one by one")));
            return;
        };
        let fix =
            near(scan, &path).map_or_else(|| "add the file, or remove the entry".into(), |n| format!("write {n}"));
        out.push(Finding::new(&rules::KUSTOMIZE_MISSING, file.path.clone(), node.line(), message).with_fix(fix));
    };
    let list = |n: &'_ Node, key: &str| -> Vec<Node> { n.get(key).map_or(&[][..], Node::items).to_vec() };
    for key in ["resources", "bases", "components"] {
        list(root, key).iter().for_each(|n| look(n, n.as_str().unwrap_or_default(), true));
    }
    for key in ["crds", "configurations", "generators", "transformers", "validators", "patchesStrategicMerge"] {
        for n in list(root, key) {
            let text = n.as_str().unwrap_or_default();
            // Plugins and patches may stand here themselves.
            look(&n, text, matches!(key, "generators" | "transformers" | "validators"));
        }
    }
    for key in ["patches", "patchesJson6902", "replacements"] {
        for n in list(root, key) {
            if let Some(p) = n.get("path") {
                look(p, p.as_str().unwrap_or_default(), false);
            }
        }
    }
    for key in ["configMapGenerator", "secretGenerator"] {
        for generator in list(root, key) {
            for n in list(&generator, "files") {
                let text = n.as_str().unwrap_or_default();
                look(&n, text.split_once('=').map_or(text, |(_, f)| f), false);
            }
            for n in list(&generator, "envs").iter().chain(generator.get("env")) {
                look(n, n.as_str().unwrap_or_default(), false);
            }
        }
    }
}

/// The name in the same directory that was most likely meant, relative to it.
fn near(scan: &Scan, path: &str) -> Option<String> {
    let dir = parent(path);
    let last = path.rsplit('/').next().unwrap_or(path);
    let inside = if dir.is_empty() { String::new() } else { format!("{dir}/") };
    let names: BTreeSet<&str> = scan
        .all
        .iter()
        .filter_map(|p| p.strip_prefix(&inside)?.split('/').next())
        .filter(|n| !NAMES.contains(n))
        .collect();
    nearest(last, names).map(String::from)
}

/// Whether what is wrong with a kustomization is why it doesn't name a file: it was said that the file's name should be written, the entry stands in a
/// field that there is not, or nothing in the kustomization can be read.
fn is_meant(scan: &Scan, kustomization: &str, name: &str, out: &[Finding]) -> bool {
    let mentions = || {
        let file = scan.files.get(kustomization);
        file.is_some_and(|f| String::from_utf8_lossy(&f.text).contains(name))
    };
    out.iter().filter(|f| f.path == kustomization).any(|f| match f.rule.id {
        id if id == rules::KUSTOMIZE_MISSING.id => f.fix == format!("write {name}"),
        id if id == rules::KUSTOMIZE_UNKNOWN_FIELD.id || id == rules::YAML_SYNTAX.id => mentions(),
        _ => false,
    })
}

/// Manifests beside a kustomization that no kustomization names: they are never applied.
fn unlisted(scan: &Scan, named: &BTreeSet<String>, out: &mut Vec<Finding>) {
    for file in scan.files.values().filter(|f| f.role == Role::Manifest) {
        let dir = parent(&file.path);
        let name = file.path.rsplit('/').next().unwrap_or_default();
        let mut beside = NAMES.iter().map(|n| join(dir, n)).filter(|k| scan.all.contains(k)).peekable();
        if beside.peek().is_some() && !named.contains(&file.path) && !beside.any(|k| is_meant(scan, &k, name, out)) {
            let message = "no kustomization names this manifest, so it is never applied";
            let finding = Finding::new(&rules::KUSTOMIZE_UNLISTED, file.path.clone(), 0, message);
            out.push(
                finding.with_fix(format!("add {name} to resources of the kustomization beside it, or remove the file")),
            );
        }
    }
}
