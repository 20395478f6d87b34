//! HelmReleases: which are the service's, their chart's version, and values by path.

use super::candidate::{Candidate, File, Part, Refusal, Splice};
use super::intent::{Change, Intent};
use super::scope::is_values;
use crate::yaml::node::NodeKind;

/// The documents that are HelmReleases of the service.
pub(super) fn releases<'f>(
    file: &'f File<'_>,
    own: bool,
    intent: &'f Intent,
) -> impl Iterator<Item = (usize, usize)> + 'f {
    (0..file.text.documents.len()).filter_map(move |d| {
        let text = &file.text;
        let root = text.root(d)?;
        let kind = text.get(d, root, "kind").and_then(|n| text.text(d, n))?;
        let named = [&["metadata", "name"][..], &["spec", "releaseName"]].iter().any(|path| {
            let node = text.at(d, root, path.iter().copied());
            node.and_then(|n| text.text(d, n)).as_deref() == Some(intent.service.as_str())
        });
        (kind == "HelmRelease" && (own || named)).then_some((d, root))
    })
}

pub(super) fn chart_version(file: &File<'_>, own: bool, intent: &Intent) -> Vec<Candidate> {
    let Change::ChartVersion(new) = &intent.change else { return Vec::new() };
    let text = &file.text;
    releases(file, own, intent)
        .filter_map(|(d, root)| {
            let node = text.at(d, root, ["spec", "chart", "spec", "version"])?;
            Some(Candidate::at(0, vec![Splice::new(text.place(d, node)?, new, Part::Version)]))
        })
        .collect()
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
        if shown(&["kind"]) != "OCIRepository" || !(own || shown(&["metadata", "name"]) == intent.service) {
            continue;
        }
        let place = |key: &str| field(&["spec", "ref", key]).and_then(|n| text.place(d, n));
        let digest = place("digest").map(|p| p.value).filter(|d| !d.is_empty());
        let version = ["semver", "tag"].iter().find_map(|key| place(key).filter(|p| !p.value.is_empty()));
        out.extend(
            version.map(|p| {
                Candidate::at(0, vec![Splice::new(p, new, Part::Version)]).refused(digest.map(Refusal::Pinned))
            }),
        );
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
        None => Some(Candidate::at(0, vec![Splice::new(file.text.place(document, at)?, value, Part::Value)])),
    }
}

pub(super) fn set_in_release(file: &File<'_>, own: bool, intent: &Intent) -> Vec<Candidate> {
    let values = |(d, root)| file.text.at(d, root, ["spec", "values"]).map(|n| (d, n));
    releases(file, own, intent).filter_map(values).filter_map(|(d, n)| set_at(file, d, n, intent)).collect()
}

pub(super) fn set_in_values(file: &File<'_>, own: bool, intent: &Intent) -> Vec<Candidate> {
    if is_values(file.path, own, intent) { set_in_document(file, true, intent) } else { Vec::new() }
}

pub(super) fn set_in_document(file: &File<'_>, _: bool, intent: &Intent) -> Vec<Candidate> {
    let roots = (0..file.text.documents.len()).filter_map(|d| Some((d, file.text.root(d)?)));
    roots.filter_map(|(d, root)| set_at(file, d, root, intent)).collect()
}
