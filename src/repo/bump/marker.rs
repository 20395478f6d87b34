//! Image policy markers, `# {"$imagepolicy": "namespace:policy[:tag|:name|:digest]"}`: those that Flux's image-automation-controller sets.
//!
//! Source: its `internal/update` and kyaml's `fieldmeta`: the comment is the scalar's own in go-yaml's sense, behind it, or else above it (which only an
//! item of a list has); a comment behind that is no marker hides one above.

use std::collections::{BTreeMap, BTreeSet};

use super::candidate::{Candidate, File, Part, Refusal, Splice};
use super::image::ImageRef;
use super::images::{digest_beside, reference};
use super::intent::{Change, Intent};
use crate::yaml::edit::Place;
use crate::yaml::node::{Document, Node, NodeKind};

/// A marker's policy (`namespace:name`), its name, and the part of the image.
struct Marker {
    policy: String,
    name: String,
    part: Option<String>,
}

fn marker(node: &Node) -> Option<Marker> {
    let comment = [&node.behind, &node.head].into_iter().find(|c| !c.is_empty())?;
    let text = std::str::from_utf8(comment).ok()?.trim_start_matches('#');
    let fields: BTreeMap<String, String> = serde_json::from_str(text).ok()?;
    let setter = fields.get("$imagepolicy")?;
    let mut words = setter.splitn(3, ':');
    let (namespace, name) = (words.next()?, words.next()?);
    Some(Marker { policy: format!("{namespace}:{name}"), name: name.to_owned(), part: words.next().map(str::to_owned) })
}

/// The values of collections: each with the collection it is in.
fn values(document: &Document) -> Vec<(usize, usize)> {
    let mut out = Vec::new();
    for (id, node) in document.nodes.iter().enumerate() {
        match node.kind {
            NodeKind::Mapping => out.extend(node.children.iter().skip(1).step_by(2).map(|v| (id, *v))),
            NodeKind::Sequence => out.extend(node.children.iter().map(|v| (id, *v))),
            _ => {}
        }
    }
    out.sort_by_key(|(_, value)| *value);
    out
}

/// A reference without a tag gets one: the marker says that it is meant.
fn bare(place: &Place, tag: &str) -> Option<Candidate> {
    let old = ImageRef::split(&place.value).filter(|old| old.tag.is_none() && old.digest.is_none())?;
    let new = ImageRef { tag: Some(tag.to_owned()), ..old };
    Some(Candidate::at(0, vec![Splice::new(place.clone(), new.to_string(), Part::Reference)]))
}

/// The scalars with a marker of the service; in a file of the service those of other names too, for [`choose`] to judge.
pub(super) fn markers(file: &File<'_>, own: bool, intent: &Intent) -> Vec<Candidate> {
    let mut out = Vec::new();
    for (d, document) in file.text.documents.iter().enumerate() {
        let found: Vec<(usize, usize, Marker)> = values(document)
            .into_iter()
            .filter_map(|(parent, id)| {
                let marker = document.nodes.get(id).filter(|n| n.kind == NodeKind::Scalar).and_then(marker)?;
                (own || marker.name == intent.service).then_some((parent, id, marker))
            })
            .collect();
        let marked: BTreeSet<usize> = found.iter().map(|(_, id, _)| *id).collect();
        for (parent, id, marker) in found {
            let Some(place) = file.text.place(d, id) else { continue };
            let named = marker.name == intent.service;
            let other = |name: &str| {
                let image = matches!(&intent.change, Change::Image(new) if !new.is_at(name));
                image && !named
            };
            let beside = || digest_beside(&file.text, d, parent).filter(|(id, _)| !marked.contains(id)).map(|(_, p)| p);
            let candidate = match (marker.part.as_deref(), &intent.change) {
                (None, _) if ImageRef::split(&place.value).is_some_and(|old| other(&old.repository)) => None,
                (None, Change::Image(image)) => {
                    Some(Candidate::at(0, vec![Splice::new(place, image.to_string(), Part::Reference)]))
                }
                (None, Change::Tag(tag)) => bare(&place, tag).or_else(|| reference(place, intent, 0)),
                (Some("tag"), Change::Tag(tag)) => {
                    let digest = beside().map(|p| p.value).or_else(|| {
                        let (_, digest) = place.value.split_once('@')?;
                        (!tag.contains('@')).then(|| digest.to_owned())
                    });
                    let edits = vec![Splice::new(place, tag, Part::Version)];
                    Some(Candidate::at(0, edits).refused(digest.map(Refusal::Pinned)))
                }
                (Some("tag"), Change::Image(image)) => image.tag.as_ref().map(|tag| {
                    let digest = beside();
                    // `1.2.3@sha256:…`
                    let inside = image.digest.as_ref().filter(|_| digest.is_none() && place.value.contains('@'));
                    let tag = inside.map_or_else(|| tag.clone(), |digest| format!("{tag}@{digest}"));
                    let mut edits = vec![Splice::new(place, tag, Part::Version)];
                    let pinned = digest.as_ref().map(|p| p.value.clone()).filter(|_| image.digest.is_none());
                    edits.extend(digest.zip(image.digest.as_ref()).map(|(p, d)| Splice::new(p, d, Part::Digest)));
                    Candidate::at(0, edits).refused(pinned.map(Refusal::Pinned))
                }),
                (Some("name"), Change::Image(image)) if !other(&place.value) => {
                    Some(Candidate::at(0, vec![Splice::new(place, &image.repository, Part::Name)]))
                }
                (Some("digest"), change) if !place.value.is_empty() || change.digest().is_some() => {
                    let old = place.value.clone();
                    let new = change.digest().map_or_else(|| old.clone(), str::to_owned);
                    let pinned = change.digest().is_none().then_some(old);
                    Some(
                        Candidate::at(0, vec![Splice::new(place, new, Part::Digest)])
                            .refused(pinned.map(Refusal::Pinned)),
                    )
                }
                _ => None,
            };
            out.extend(candidate.map(|c| Candidate { policy: Some(marker.policy), exact: named, ..c }));
        }
    }
    out
}

/// Those of the service's policy; where none has its name, those of the only policy there is, unless another place (of `rest`) could be meant.
///
/// # Errors
/// The candidates that could each be meant.
pub(super) fn choose(
    mut found: Vec<Candidate>,
    rest: impl FnOnce() -> Vec<Candidate>,
) -> Result<Vec<Candidate>, Vec<Candidate>> {
    let named = found.iter().any(|c| c.exact);
    if named {
        found.retain(|c| c.exact);
    }
    let policies: BTreeSet<&Option<String>> = found.iter().map(|c| &c.policy).collect();
    if policies.len() > 1 {
        return Err(found);
    }
    if !named && !found.is_empty() {
        let places = |c: &Candidate| -> Vec<_> { c.edits.iter().map(|e| (c.file, e.place.clone())).collect() };
        let marked: Vec<_> = found.iter().flat_map(places).collect();
        let elsewhere: Vec<_> = rest().into_iter().filter(|c| !places(c).iter().any(|p| marked.contains(p))).collect();
        if !elsewhere.is_empty() {
            found.extend(elsewhere);
            return Err(found);
        }
    }
    Ok(found)
}
