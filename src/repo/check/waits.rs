//! What waits for something that may be applied by others: releases for those of namespaces in which the environment has none, and Kustomizations of Flux.
//!
//! Nobody here knows all that a cluster gets. What another environment makes, or a file that no environment holds, may be there; of the rest a
//! warning says that it is not here.

use std::collections::BTreeSet;

use super::environments::{Built, View};
use super::objects::{Object, Origin};
use super::rules;
use super::scan::{at, text};
use super::suggest::nearest;
use crate::repo::document::Node;
use crate::report::Finding;

/// The kinds of Flux that wait for others of their kind, with their API groups.
const WAITING: [(&str, &str); 2] =
    [("HelmRelease", "helm.toolkit.fluxcd.io/"), ("Kustomization", "kustomize.toolkit.fluxcd.io/")];

pub fn check(view: &View<'_>, builts: &[Built], out: &mut Vec<Finding>) {
    let held: BTreeSet<&str> = builts.iter().flat_map(|b| &b.objects).filter_map(file_of).collect();
    for built in builts {
        for (kind, group) in WAITING {
            let known: Vec<&Object> = of_kind(built, kind, group).collect();
            for object in &known {
                for entry in at(&object.node, &["spec", "dependsOn"]).map_or(&[][..], Node::items) {
                    let (name, own) = (text(entry, "name"), text(entry, "namespace"));
                    let namespace = if own.is_empty() { object.namespace.as_str() } else { own };
                    // In a namespace with releases what is missing is an error of its own.
                    let is_judged =
                        kind == "HelmRelease" && (own.is_empty() || known.iter().any(|o| o.namespace == own));
                    let is_other = !matches!(text(entry, "kind"), "" | "HelmRelease");
                    let is_open = name.is_empty() || format!("{name}{namespace}").contains("${");
                    let fits = |o: &Object| o.name == name && (o.namespace == namespace || o.namespace.is_empty());
                    let is_there = || builts.iter().any(|b| of_kind(b, kind, group).any(fits));
                    if is_judged
                        || is_other
                        || is_open
                        || is_there()
                        || is_written(view, (kind, group), (name, own), &held)
                    {
                        continue;
                    }
                    let near = nearest(name, known.iter().map(|o| o.name.as_str()).filter(|n| *n != object.name));
                    if built.lack.explains(view.scan, kind, name, near.is_some()) {
                        continue;
                    }
                    let shown = if own.is_empty() { name.to_owned() } else { format!("{own}/{name}") };
                    let message =
                        format!("{kind} {} depends on {shown}, which nothing in this repository makes", object.name);
                    let fix = near.map_or_else(
                        || "add it, or take the entry out, unless others apply it".to_owned(),
                        |near| format!("write {near}, unless others apply it"),
                    );
                    let (path, line) = object.place(&["spec".into(), "dependsOn".into()], entry.line());
                    let finding = Finding::new(&rules::REF_DEPENDS_ON_OTHERS, path, line, message);
                    out.push(finding.with_fix(fix).in_environment(&built.name));
                }
            }
        }
    }
}

fn of_kind<'b>(built: &'b Built, kind: &'static str, group: &'static str) -> impl Iterator<Item = &'b Object> {
    built.objects.iter().filter(move |o| o.kind == kind && o.api_version.starts_with(group))
}

fn file_of(object: &Object) -> Option<&str> {
    match &object.origin {
        Origin::File(path) => Some(path),
        Origin::Template { .. } => None,
    }
}

/// Whether a file that no environment holds makes it: who applies that is not known.
fn is_written(view: &View<'_>, (kind, group): (&str, &str), (name, own): (&str, &str), held: &BTreeSet<&str>) -> bool {
    let mut files = view.scan.objects().filter(|(file, _)| !held.contains(file.path.as_str()));
    files.any(|(_, node)| {
        let metadata = |key: &str| node.get("metadata").map_or("", |m| text(m, key));
        let of_kind = text(node, "kind") == kind && text(node, "apiVersion").starts_with(group);
        let fits = |written: &str, wanted: &str| written == wanted || written.contains("${");
        let namespace = metadata("namespace");
        let in_namespace = own.is_empty() || namespace.is_empty() || fits(namespace, own);
        of_kind && fits(metadata("name"), name) && in_namespace
    })
}
