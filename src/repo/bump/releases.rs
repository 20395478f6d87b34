//! HelmReleases: which are the service's, their chart's version, and values by path.

use super::candidate::{Candidate, File, Part, Refusal, Splice};
use super::intent::{Change, Intent};
use super::scope::is_values;
use crate::yaml::node::NodeKind;

/// A HelmRelease.
pub(super) struct Release {
    pub document: usize,
    pub root: usize,
    /// It is called as the service.
    named: bool,
}

impl Release {
    pub(super) fn candidate(&self, candidate: Candidate) -> Candidate {
        Candidate { named: self.named, ..candidate }
    }
}

/// Whether a field of a document is the service's name.
fn is_named(file: &File<'_>, document: usize, root: usize, field: [&str; 2], intent: &Intent) -> bool {
    let node = file.text.at(document, root, field);
    node.and_then(|n| file.text.text(document, n)).as_deref() == Some(intent.service.as_str())
}

/// The documents that are HelmReleases of the service: in its own files those that are called otherwise, too, if none there has its name.
pub(super) fn releases(file: &File<'_>, own: bool, intent: &Intent) -> Vec<Release> {
    let mut all: Vec<Release> = (0..file.text.documents.len())
        .filter_map(|document| {
            let root = file.text.root(document)?;
            let kind = file.text.get(document, root, "kind").and_then(|n| file.text.text(document, n))?;
            let names = [["metadata", "name"], ["spec", "releaseName"]];
            let named = names.into_iter().any(|field| is_named(file, document, root, field, intent));
            (kind == "HelmRelease" && (own || named)).then_some(Release { document, root, named })
        })
        .collect();
    if all.iter().any(|r| r.named) {
        all.retain(|r| r.named);
    }
    all
}

pub(super) fn chart_version(file: &File<'_>, own: bool, intent: &Intent) -> Vec<Candidate> {
    let Change::ChartVersion(new) = &intent.change else { return Vec::new() };
    let text = &file.text;
    let version = |release: Release| {
        let node = text.at(release.document, release.root, ["spec", "chart", "spec", "version"])?;
        let place = text.place_or_gap(release.document, node)?;
        Some(release.candidate(Candidate::at(0, vec![Splice::new(place, new, Part::Version)])))
    };
    releases(file, own, intent).into_iter().filter_map(version).collect()
}

/// The reference of an OCIRepository: the part of it that counts, as source-controller reads it.
pub(super) fn chart_ref(file: &File<'_>, own: bool, intent: &Intent) -> Vec<Candidate> {
    let Change::ChartVersion(new) = &intent.change else { return Vec::new() };
    let text = &file.text;
    let mut out = Vec::new();
    for d in 0..text.documents.len() {
        let Some(root) = text.root(d) else { continue };
        let field = |path: &[&str]| text.at(d, root, path.iter().copied());
        let shown = |path: &[&str]| field(path).and_then(|n| text.text(d, n)).unwrap_or_default();
        let named = shown(&["metadata", "name"]) == intent.service;
        if shown(&["kind"]) != "OCIRepository" || !(own || named) {
            continue;
        }
        let place = |key: &str| field(&["spec", "ref", key]).and_then(|n| text.place(d, n));
        let digest = place("digest").map(|p| p.value).filter(|d| !d.is_empty());
        let version = ["semver", "tag"].iter().find_map(|key| place(key).filter(|p| !p.value.is_empty()));
        out.extend(version.map(|p| {
            let candidate = Candidate::at(0, vec![Splice::new(p, new, Part::Version)]);
            Candidate { named, ..candidate.refused(digest.map(Refusal::Pinned)) }
        }));
    }
    out
}

fn set_at(file: &File<'_>, document: usize, node: usize, intent: &Intent) -> Option<Candidate> {
    let Change::Set { path, value } = &intent.change else { return None };
    let is_alias = |id: usize| {
        let node = file.text.documents.get(document).and_then(|d| d.nodes.get(id));
        node.filter(|n| matches!(n.kind, NodeKind::Alias(_))).map(|n| n.line)
    };
    let (mut at, mut alias) = (node, is_alias(node));
    for step in path {
        at = file.text.at(document, at, [step.as_str()])?;
        alias = alias.or_else(|| is_alias(at));
    }
    match alias {
        Some(line) => {
            let shown = path.join(".");
            Some(Candidate { line, shown, ..Candidate::at(0, Vec::new()) }.refused(Some(Refusal::Alias)))
        }
        None => Some(Candidate::at(0, vec![Splice::new(file.text.place_or_gap(document, at)?, value, Part::Value)])),
    }
}

pub(super) fn set_in_release(file: &File<'_>, own: bool, intent: &Intent) -> Vec<Candidate> {
    let set = |release: Release| {
        let values = file.text.at(release.document, release.root, ["spec", "values"])?;
        Some(release.candidate(set_at(file, release.document, values, intent)?))
    };
    releases(file, own, intent).into_iter().filter_map(set).collect()
}

pub(super) fn set_in_values(file: &File<'_>, own: bool, intent: &Intent) -> Vec<Candidate> {
    if is_values(file.path, own, intent) { set_in_document(file, true, intent) } else { Vec::new() }
}

pub(super) fn set_in_document(file: &File<'_>, _: bool, intent: &Intent) -> Vec<Candidate> {
    let roots = (0..file.text.documents.len()).filter_map(|d| Some((d, file.text.root(d)?)));
    let set = |(d, root)| {
        let named = is_named(file, d, root, ["metadata", "name"], intent);
        Some(Candidate { named, ..set_at(file, d, root, intent)? })
    };
    roots.filter_map(set).collect()
}
