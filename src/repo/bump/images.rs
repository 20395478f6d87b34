//! Images in a release's values, in values files and in kustomizations.

use super::candidate::{Candidate, File, Part, Refusal, Splice};
use super::image::ImageRef;
use super::intent::{Change, Intent};
use super::releases::releases;
use super::scope::{is_kustomization, is_values};
use crate::repo::flux_kustomization;
use crate::yaml::edit::{Place, Text};
use crate::yaml::node::NodeKind;

/// The `digest` of a mapping, if it pins an image.
pub(super) fn digest_beside(text: &Text<'_>, document: usize, mapping: usize) -> Option<(usize, Place)> {
    let node = text.get(document, mapping, "digest")?;
    let place = text.place(document, node).filter(|p| !p.value.is_empty())?;
    Some((node, place))
}

/// A whole reference in one scalar.
pub(super) fn reference(place: Place, intent: &Intent, depth: usize) -> Option<Candidate> {
    let old = ImageRef::split(&place.value)?;
    let (mut pinned, mut exact) = (None, false);
    let new = match &intent.change {
        Change::Tag(_) if old.tag.is_none() && old.digest.is_none() => return None,
        Change::Tag(tag) => {
            pinned = old.digest.clone().filter(|_| !tag.contains('@')).map(Refusal::Pinned);
            ImageRef { tag: Some(tag.clone()), digest: None, ..old }
        }
        Change::Image(image) => {
            exact = image.repository == old.repository;
            let repository = if image.is_short() { old.repository } else { image.repository.clone() };
            ImageRef { repository, ..image.clone() }
        }
        _ => return None,
    };
    let candidate = Candidate::at(depth, vec![Splice::new(place, new.to_string(), Part::Reference)]).refused(pinned);
    Some(Candidate { exact, ..candidate })
}

/// Images inside values: `image: {repository, tag, digest}` or `image: repository:tag`.
fn images(file: &File<'_>, document: usize, node: usize, depth: usize, intent: &Intent, out: &mut Vec<Candidate>) {
    let text = &file.text;
    let Some(here) = text.documents.get(document).and_then(|d| d.nodes.get(node)) else { return };
    if depth > 30 {
        return;
    }
    let mapping = here.kind == NodeKind::Mapping;
    for pair in here.children.chunks(if mapping { 2 } else { 1 }) {
        let (key, value) = match pair {
            [key, value] if mapping => (text.text(document, *key), *value),
            [value] if !mapping => (None, *value),
            _ => continue,
        };
        if key.as_deref() == Some("image") {
            out.extend(image(text, document, value, depth, intent));
        }
        images(file, document, value, depth + 1, intent, out);
    }
}

fn image(text: &Text<'_>, document: usize, node: usize, depth: usize, intent: &Intent) -> Option<Candidate> {
    if let Some(place) = text.place(document, node) {
        let old = ImageRef::split(&place.value)?;
        let same = match &intent.change {
            Change::Image(new) => new.is_at(&old.repository),
            _ => old.tag.is_some() || old.digest.is_some(),
        };
        return if same { reference(place, intent, depth) } else { None };
    }
    let field = |name: &str| text.get(document, node, name).and_then(|n| text.place(document, n));
    let perhaps_empty = |name: &str| text.get(document, node, name).and_then(|n| text.place_or_gap(document, n));
    let (repository, tag, digest) = (field("repository"), perhaps_empty("tag"), perhaps_empty("digest"));
    let pinned = digest.as_ref().map(|d| d.value.clone()).filter(|d| !d.is_empty());
    match &intent.change {
        Change::Tag(new) => {
            // A tag may hold its digest: `1.2.3@sha256:…`.
            let tag = tag?;
            let inside = || tag.value.split_once('@').filter(|_| !new.contains('@')).map(|(_, d)| d.to_owned());
            let pinned = pinned.or_else(inside).map(Refusal::Pinned);
            Some(Candidate::at(depth, vec![Splice::new(tag, new, Part::Version)]).refused(pinned))
        }
        Change::Image(new) => {
            let (repository, registry) = (repository, field("registry").filter(|r| !r.value.is_empty()));
            let full = repository.as_ref().map(|r| match &registry {
                Some(registry) => format!("{}/{}", registry.value, r.value),
                None => r.value.clone(),
            });
            if full.as_ref().is_some_and(|full| !new.is_at(full)) {
                return None;
            }
            let exact = full.as_ref() == Some(&new.repository);
            let mut edits = Vec::new();
            let (mut tag_text, mut missing) = (new.tag.clone(), None);
            match (digest, &new.digest) {
                (Some(place), Some(digest)) => edits.push(Splice::new(place, digest, Part::Digest)),
                (None, Some(digest)) => match &mut tag_text {
                    Some(tag) => tag.extend(["@", digest]),
                    None => missing = Some(Refusal::Missing("digest")),
                },
                _ => {}
            }
            match (tag, tag_text) {
                (Some(place), Some(tag)) => edits.push(Splice::new(place, tag, Part::Version)),
                (None, Some(_)) => missing = Some(Refusal::Missing("tag")),
                _ => {}
            }
            if let (Some(place), false) = (repository, exact || new.is_short()) {
                edits.extend(moved(place, registry, new));
            }
            let left = pinned.filter(|_| new.digest.is_none()).map(Refusal::Pinned);
            let candidate = Candidate::at(depth, edits).refused(left).refused(missing);
            (full.is_some() || !candidate.edits.is_empty()).then_some(Candidate { exact, ..candidate })
        }
        _ => None,
    }
}

/// A new repository, beside a `registry` of its own or without one.
fn moved(repository: Place, registry: Option<Place>, new: &ImageRef) -> Vec<Splice> {
    let name = |place, new: &str| Splice::new(place, new, Part::Name);
    match (registry, new.registry()) {
        (Some(place), Some((registry, rest))) => vec![name(place, registry), name(repository, rest)],
        _ => vec![name(repository, &new.repository)],
    }
}

pub(super) fn in_release(file: &File<'_>, own: bool, intent: &Intent) -> Vec<Candidate> {
    let mut out = Vec::new();
    for release in releases(file, own, intent) {
        if let Some(values) = file.text.at(release.document, release.root, ["spec", "values"]) {
            let mut found = Vec::new();
            images(file, release.document, values, 0, intent, &mut found);
            out.extend(found.into_iter().map(|candidate| release.candidate(candidate)));
        }
    }
    out
}

pub(super) fn in_values(file: &File<'_>, own: bool, intent: &Intent) -> Vec<Candidate> {
    let mut out = Vec::new();
    if is_values(file.path, own, intent) || intent.file.is_some() {
        for d in 0..file.text.documents.len() {
            if let Some(root) = file.text.root(d) {
                images(file, d, root, 0, intent, &mut out);
            }
        }
    }
    out
}

/// `images:` of a kustomization: `newTag`, `digest`, `newName`.
pub(super) fn kustomization(file: &File<'_>, own: bool, intent: &Intent) -> Vec<Candidate> {
    let list = file.text.root(0).and_then(|root| file.text.get(0, root, "images"));
    let list = list.filter(|_| is_kustomization(file.path));
    list.map_or_else(Vec::new, |list| listed(&file.text, 0, list, own, intent))
}

/// `spec.images` of a Flux Kustomization, which count more than those of the kustomization that it applies.
pub(super) fn flux_kustomization(file: &File<'_>, own: bool, intent: &Intent) -> Vec<Candidate> {
    let text = &file.text;
    let mut out = Vec::new();
    for d in 0..text.documents.len() {
        let Some(root) = text.root(d) else { continue };
        let field = |path: &[&str]| text.at(d, root, path.iter().copied());
        let api = field(&["apiVersion"]).and_then(|n| text.text(d, n)).unwrap_or_default();
        if api.starts_with(flux_kustomization::API) {
            let name = field(&["metadata", "name"]).and_then(|n| text.text(d, n));
            let named = name.as_ref() == Some(&intent.service);
            let listed = |list| listed(text, d, list, own || named, intent);
            let found = field(&["spec", "images"]).into_iter().flat_map(listed);
            out.extend(found.map(|candidate| Candidate { named, ..candidate }));
        }
    }
    out
}

/// The entries of a list of kustomize's images.
fn listed(text: &Text<'_>, document: usize, list: usize, own: bool, intent: &Intent) -> Vec<Candidate> {
    let items = text.items(document, list);
    let mut out = Vec::new();
    for item in &items {
        let field = |name: &str| text.get(document, *item, name).and_then(|n| text.place(document, n));
        let (Some(name), moved) = (field("name"), field("newName")) else { continue };
        let base = name.value.rsplit('/').next().unwrap_or_default();
        let perhaps_empty = |name: &str| text.get(document, *item, name).and_then(|n| text.place_or_gap(document, n));
        let (tag, digest) = (perhaps_empty("newTag"), perhaps_empty("digest"));
        let candidate = match &intent.change {
            Change::Tag(new) if base == intent.service || (own && items.len() == 1) => {
                let edits: Vec<Splice> = tag.map(|p| Splice::new(p, new, Part::Version)).into_iter().collect();
                let pinned = digest.map(|d| d.value).filter(|d| !d.is_empty());
                if edits.is_empty() && pinned.is_none() {
                    continue;
                }
                Candidate::at(0, edits).refused(pinned.map(Refusal::Pinned))
            }
            Change::Image(new) => {
                let exact = [Some(&name), moved.as_ref()].iter().flatten().any(|p| p.value == new.repository);
                if !exact && !new.is_at(&name.value) {
                    continue;
                }
                image_of_kustomization(new, &name.value, moved, tag, digest, exact)
            }
            _ => continue,
        };
        out.push(if candidate.line == 0 {
            Candidate { line: name.line, shown: name.value, ..candidate }
        } else {
            candidate
        });
    }
    out
}

fn image_of_kustomization(
    new: &ImageRef,
    name: &str,
    moved: Option<Place>,
    tag: Option<Place>,
    digest: Option<Place>,
    exact: bool,
) -> Candidate {
    let pinned = digest.as_ref().map(|d| d.value.clone()).filter(|d| !d.is_empty() && new.digest.is_none());
    let (mut edits, mut missing) = (Vec::new(), None);
    let mut put = |place: Option<Place>, new: Option<&String>, field, part| match (place, new) {
        (Some(place), Some(new)) => edits.push(Splice::new(place, new, part)),
        (None, Some(_)) => missing = Some(Refusal::Missing(field)),
        _ => {}
    };
    // With a digest, kustomize's tag is but a word beside it.
    let worded = tag.is_some() || digest.as_ref().is_none_or(|d| d.value.is_empty());
    put(tag, new.tag.as_ref().filter(|_| worded), "newTag", Part::Version);
    put(digest, new.digest.as_ref(), "digest", Part::Digest);
    let elsewhere = !new.is_short() && moved.as_ref().map_or(name, |p| &p.value) != new.repository;
    put(moved, Some(&new.repository).filter(|_| elsewhere), "newName", Part::Name);
    let candidate = Candidate::at(0, edits).refused(pinned.map(Refusal::Pinned)).refused(missing);
    Candidate { exact, ..candidate }
}
